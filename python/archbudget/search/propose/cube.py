"""CMA-ES and quasi Monte Carlo on a feasible set: they search a cube, each point of which is a candidate."""

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
"""What the system attributes of a trial begin with that hold the point of the cube that its candidate was read from."""
PIECE = 128
"""How many coordinates an attribute holds: some storages keep only short ones."""
AXIS = "archbudget:"
"""What the name of an axis begins with; the name of its decision follows."""


def read(inside: Inside, point: Mapping[str, float]) -> Rows:
    """The candidate at a point of the unit cube.

    Each decision takes the value at a quantile, its values weighted by how many candidates each can be completed to:
    equal volumes of the cube hold equally many candidates.

    Args:
        inside: The candidates.
        point: For each decision, by the name of its axis, a number from 0 to 1; where there is none, 0.5.
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
    """A sampler that proposes points of the unit cube with an axis for each decision, whatever its kind.

    The point is kept with the trial. The base sampler sees the axes beside the decisions, so that what it learns of a
    trial is what it proposed. Until a trial has ended, all are uniform.
    """

    def propose(self, question: Question) -> dict[str, Any]:
        """See `Proposer`."""
        inside, study = question.inside, question.study
        if not study._get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED), use_cache=True):
            # CMA-ES says here that it does not take several objectives.
            self.base.sample_relative(study, question.trial, {})
            return question.uniform()
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
    """CMA-ES. Where it is told to start at values of parameters, it walks these parameters and has its steps mended."""

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
    """Quasi Monte Carlo. That decisions are conditional is no concern here, and no reason for it to warn."""

    def own(self, study: Study, trial: FrozenTrial, inside: Inside) -> dict[str, BaseDistribution]:
        """See `Proposer`."""
        if not study._get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED), use_cache=True):
            return {}
        return super().own(study, trial, inside)
