"""NSGA-II and NSGA-III on a feasible set: children that do not fit are repaired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from archbudget.search.propose.proposer import Proposer

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

    from archbudget.search.propose.inside import Inside
    from archbudget.search.propose.proposer import Question


class Genetic(Proposer):
    """A genetic sampler. The first generation is the start of any search; a child is repaired decision by decision.

    A decision that is inactive in a parent still has a random gene, so that conditional decisions are inherited like
    all others.
    """

    def propose(self, question: Question) -> dict[str, Any]:
        """See `Proposer`."""
        inside = question.inside
        space = {name: each for name, each in inside.distributions.items() if not each.single()} | question.own

        def complete(trial: FrozenTrial) -> tuple[dict[str, Any], dict[str, BaseDistribution]] | None:
            if not trial.state.is_finished():
                return trial.params, trial.distributions
            return {**genes(inside, trial), **trial.params}, {**inside.distributions, **trial.distributions}

        child = self.base.sample_relative(self.view(question.study, complete), question.trial, space)
        return question.mend(child) if child else question.begin()


def genes(inside: Inside, trial: FrozenTrial) -> dict[str, Any]:
    """A random value of each decision, always the same for a trial."""
    rng = np.random.default_rng(trial.number)
    return {
        name: values[int(level * len(values))]
        for name, values, level in zip(inside.names, inside.values, rng.random(len(inside.names)), strict=True)
    }
