"""Proposers of candidates, and the question that they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from optuna.study import StudyDirection
from optuna.trial import TrialState

from archbudget.search.propose.view import View

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from archbudget.search.propose.inside import Inside, Key, Rows
    from archbudget.search.propose.start import Start
    from archbudget.search.propose.view import Translate


FREE = 10
"""Trials whose numbers are multiples of this, except for the first one, look anywhere inside the budget."""


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
    start: Start | None = None
    """Where the search begins; `None` if it begins anywhere."""
    tried: Collection[Key] = ()
    """The networks of trials with no parameters but decisions, which have ended or still run."""

    @property
    def near(self) -> Inside:
        """The candidates among which this trial looks first: those that fill the budget, as long as the best one does.

        After the first ten, each tenth trial looks anywhere; so do all trials of a study with several objectives, which
        may want small networks, too.
        """
        turn, rest = divmod(self.trial.number, FREE)
        if (turn and not rest) or len(self.study.directions) > 1:
            return self.inside
        best = self._best()
        is_filled = best is None or self.inside.is_filled(best)
        return self.inside.filled(self.trial.number - turn) if is_filled else self.inside

    def _best(self) -> Rows | None:
        """The row of the best network so far; `None` if there is none."""
        ended = self.study._get_trials(deepcopy=False, states=(TrialState.COMPLETE,), use_cache=True)
        if not ended:
            return None
        choose = max if self.study.directions[0] == StudyDirection.MAXIMIZE else min
        best = choose(ended, key=lambda trial: trial.values[0])
        distributions = self.inside.distributions
        params = {
            name: best.params[name] for name, each in best.distributions.items() if distributions.get(name) == each
        }
        row = self.inside.space.indices_of(params)
        return np.array([index or 0 for index in row], np.uint32)

    def begin(self) -> dict[str, Any]:
        """A candidate for the time in which the base sampler has not learned yet."""
        if self.start is None or not self.inside.fits.exact:
            return self.uniform()
        for inside in (self.near, self.inside):
            row = self.start.row(inside, self.trial.number, self.tried, self.rng)
            if inside.key(row) not in self.tried:
                break
        return self.inside.params(row)

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
