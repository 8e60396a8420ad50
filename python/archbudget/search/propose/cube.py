"""CMA-ES and quasi-Monte Carlo on a feasible set: they search a cube in which each point is a candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import TrialState

from archbudget.search.propose.proposer import Proposer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from archbudget.search.propose.inside import Inside, Rows
    from archbudget.search.propose.proposer import Question

POINT = "archbudget:point"
"""The prefix of the system attributes of a trial that hold its point of the cube."""
PIECE = 128
"""An attribute holds this many coordinates, as some storages keep only short attributes."""
AXIS = "archbudget:"
"""The prefix of the name of an axis; the name of its decision follows."""


def read(inside: Inside, point: Mapping[str, float]) -> Rows:
    """The candidate at a point of the unit cube.

    Each decision takes the value at a quantile, where the weight of a value is the number of its completions: equal
    volumes of the cube hold equally many candidates.

    Args:
        inside: The candidates.
        point: For each decision, by the name of its axis, a number from 0 to 1; by default 0.5.
    """
    row = np.zeros(len(inside.names), np.uint32)
    prefix: list[int] = []
    while (found := inside.fits.shares(prefix)) is not None:
        name, parts = found
        level = np.cumsum(parts)
        index = int(np.searchsorted(level, point.get(AXIS + name, 0.5) * level[-1], side="right"))
        # Rounding may lead beyond the last value that has a share.
        index = min(index, int(np.flatnonzero(parts)[-1]))
        row[inside.positions[name]] = index
        prefix.append(index)
    return row


class Cube(Proposer):
    """A sampler that proposes points of the unit cube with an axis for each decision, ordered or not.

    The point is stored with the trial. The base sampler sees the axes beside the decisions, so that it learns from what
    it proposed. Until the first trial has ended, candidates are those with which any search begins.
    """

    def propose(self, question: Question) -> dict[str, Any]:
        """See `Proposer`."""
        inside, study = question.inside, question.study
        if not study._get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED), use_cache=True):
            # CMA-ES raises here if there are several objectives, which it does not support.
            self.base.sample_relative(study, question.trial, {})
            return question.begin()
        axes: dict[str, BaseDistribution] = {
            AXIS + name: FloatDistribution(0.0, 1.0) for name, each in inside.distributions.items() if not each.single()
        }

        def on_axes(trial: FrozenTrial) -> tuple[dict[str, Any], dict[str, BaseDistribution]] | None:
            point = _kept(trial)
            if len(point) != len(axes):
                return trial.params, trial.distributions
            return {**trial.params, **dict(zip(axes, point, strict=True))}, {**trial.distributions, **axes}

        drawn = self.base.sample_relative(self.view(study, on_axes), question.trial, {**axes, **question.own})
        if not axes.keys() <= drawn.keys():
            return {**question.uniform(), **drawn}
        point = {axis: round(float(drawn[axis]), 9) for axis in axes}
        _keep(study._storage, question.trial, list(point.values()))
        params = inside.params(read(inside, point))
        return {**params, **{name: drawn[name] for name in question.own if name in drawn}}


def _keep(storage: BaseStorage, trial: FrozenTrial, point: list[float]) -> None:
    for number, start in enumerate(range(0, len(point), PIECE)):
        storage.set_trial_system_attr(trial._trial_id, f"{POINT}:{number}", point[start : start + PIECE])


def _kept(trial: FrozenTrial) -> list[float]:
    """The point of a trial; empty if it has none."""
    point: list[float] = []
    while (piece := trial.system_attrs.get(f"{POINT}:{len(point) // PIECE}")) is not None:
        point += piece
        if len(piece) < PIECE:
            break
    return point


class CmaEs(Cube):
    """CMA-ES. If it starts at given values of parameters, it moves in these parameters, and its steps are repaired."""

    def propose(self, question: Question) -> dict[str, Any]:
        """See `Proposer`."""
        base, study, trial = self.base, question.study, question.trial
        start, sources = getattr(base, "_x0", None), getattr(base, "_source_trials", None)
        if start is None and sources is None:
            return super().propose(question)
        joint = {**base.infer_relative_search_space(study, trial), **question.own}
        space = {name: each for name, each in joint.items() if start is None or name in start}
        drawn = base.sample_relative(study, trial, space)
        return question.mend(drawn) if drawn else question.uniform()


class Qmc(Cube):
    """Quasi-Monte Carlo. Conditional decisions do no harm here, so it has no reason to warn of them."""

    def own(self, study: Study, trial: FrozenTrial, inside: Inside) -> dict[str, BaseDistribution]:
        """See `Proposer`."""
        if not study._get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED), use_cache=True):
            return {}
        return super().own(study, trial, inside)
