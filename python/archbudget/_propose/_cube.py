"""CMA-ES and quasi Monte Carlo on a feasible set: they search a cube, each point of which is a candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import BaseDistribution, FloatDistribution

from archbudget._propose._inside import Inside, shares
from archbudget._propose._proposer import Proposer
from archbudget._propose._view import View

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from archbudget._propose._inside import Rows
    from archbudget._propose._proposer import Question

POINT = "archbudget:point"
"""The system attribute of a trial with the point of the cube that its candidate was read from."""
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
    while (found := shares(inside, prefix)) is not None:
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

    The point is kept with the trial. The base sampler sees the axes instead of the decisions, so that what it learns of
    a trial is what it proposed.
    """

    def propose(self, question: Question) -> dict[str, Any]:
        """See `Proposer`."""
        inside, study = question.inside, question.study
        axes: dict[str, BaseDistribution] = {
            AXIS + name: FloatDistribution(0.0, 1.0) for name, each in inside.distributions.items() if not each.single()
        }
        space = {**axes, **question.own}

        def on_axes(trial: FrozenTrial) -> tuple[dict[str, Any], dict[str, BaseDistribution]] | None:
            point = trial.system_attrs.get(POINT)
            if point is None:
                return trial.params, trial.distributions
            return {**trial.params, **point}, {**trial.distributions, **axes}

        drawn = self.base.sample_relative(View(study, on_axes), question.trial, space)
        if not axes.keys() <= drawn.keys():
            return {**question.uniform(), **drawn}
        point = {axis: float(drawn[axis]) for axis in axes}
        study._storage.set_trial_system_attr(question.trial._trial_id, POINT, point)
        params = inside.params(read(inside, point))
        return {**params, **{name: drawn[name] for name in question.own if name in drawn}}


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
    """Quasi Monte Carlo: the first trial is uniform, as its base sampler leaves it to chance, too."""

    def own(self, study: Study, trial: FrozenTrial, inside: Inside) -> dict[str, BaseDistribution]:
        """See `Proposer`. That decisions are conditional is no concern here, and no reason to warn."""

        def without(trial: FrozenTrial) -> tuple[dict[str, Any], dict[str, BaseDistribution]] | None:
            own = {name: each for name, each in trial.distributions.items() if name not in inside.distributions}
            return {name: trial.params[name] for name in own}, own

        joint = self.base.infer_relative_search_space(View(study, without), trial)
        return {name: distribution for name, distribution in joint.items() if not distribution.single()}

    def propose(self, question: Question) -> dict[str, Any]:
        """See `Proposer`."""
        if all(each.number == question.trial.number for each in question.study._get_trials(deepcopy=False)):
            return question.uniform()
        return super().propose(question)
