"""Proposers of candidates, and the question that they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from archbudget.search.propose.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from archbudget.search.propose.inside import Inside
    from archbudget.search.propose.view import Translate


@dataclass(frozen=True)
class Question:
    """The question which candidate a trial should try."""

    study: Study
    trial: FrozenTrial
    inside: Inside
    """The candidates to choose from: those that fit and have the values that are fixed for the trial."""
    own: dict[str, BaseDistribution]
    """The own parameters: those outside the space that the base sampler draws together with the decisions."""
    rng: np.random.Generator
    """Random numbers of this trial alone."""

    def uniform(self) -> dict[str, Any]:
        """An exactly uniform draw of the candidates."""
        return self.inside.params(self.inside.draw(1, self.rng)[0])

    def mend(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """The candidate nearest to values that may not fit, decision by decision, and the own parameters drawn."""
        inside, decisions = self.inside, self.inside.space.decisions
        wanted = [decisions[name].index(drawn[name]) if name in drawn else None for name in inside.names]
        params = inside.params(inside.nearest(wanted, self.rng))
        return {**params, **{name: drawn[name] for name in self.own if name in drawn}}


class Proposer:
    """Proposes candidates as the base sampler would if only those that fit existed. This class draws uniformly.

    Args:
        base: The base sampler.
    """

    def __init__(self, base: BaseSampler) -> None:
        self.base: Any = base
        self._shown: WeakKeyDictionary[Any, dict[int, FrozenTrial]] = WeakKeyDictionary()

    def view(self, study: Study, translate: Translate) -> Any:
        """The study with translated trials. Each is translated once, so the translation must always be the same."""
        return View(study, translate, self._shown.setdefault(study._storage, {}))

    def own(self, study: Study, trial: FrozenTrial, inside: Inside) -> dict[str, BaseDistribution]:
        """The own parameters, which the base sampler draws together with the decisions."""
        joint = self.base.infer_relative_search_space(study, trial)
        return {name: distribution for name, distribution in joint.items() if name not in inside.distributions}

    def propose(self, question: Question) -> dict[str, Any]:
        """Values of the active decisions of a candidate that fits, and of the own parameters that are drawn with them.

        A missing decision is drawn by the base sampler alone, from the values that still fit.
        """
        return question.uniform()
