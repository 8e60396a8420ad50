"""Gaussian processes on a feasible set: the acquisition is maximised over candidates that fit."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import TrialState

from archbudget.search.propose.proposer import Proposer
from archbudget.search.propose.view import View

if TYPE_CHECKING:
    import numpy.typing as npt
    from optuna.trial import FrozenTrial

    from archbudget.search.propose.inside import Inside, Rows
    from archbudget.search.propose.proposer import Question

    Floats = npt.NDArray[np.float64]

PRIVATE = ("_n_startup_trials", "_optimize_acqf", "_gprs_cache_list", "_constraints_gprs_cache_list")
"""The private attributes of Optuna's sampler that are used here; one without them is asked by its public interface."""

POOL = 2048
"""The number of candidates that are drawn uniformly."""
STARTS = 8
"""The search climbs from this many of the best candidates, from neighbour to neighbour until none is better."""
MOST_ROUNDS = 32
MOST_VALUES = 128
"""At most this many values of a decision are tried in each round."""


class Gp(Proposer):
    """A Gaussian process over all decisions.

    An inactive decision has its middle value in the model (a categorical one its first), so that equal networks are
    equal points of the process, and conditional decisions take part in it. The process and its acquisition function
    are Optuna's own; only the maximum is searched for here.
    """

    def propose(self, question: Question) -> dict[str, Any]:
        """See `Proposer`."""
        base, study, inside = self.base, question.study, question.inside
        completed = study._get_trials(deepcopy=False, states=(TrialState.COMPLETE,), use_cache=True)
        if len(completed) < getattr(base, "_n_startup_trials", 10):
            return question.begin()
        if not all(hasattr(base, name) for name in PRIVATE):
            return dict(base.sample_relative(study, question.trial, question.own))
        space = {name: each for name, each in inside.distributions.items() if not each.single()} | question.own
        middle = neutral(inside)

        def complete(trial: FrozenTrial) -> tuple[dict[str, Any], dict[str, BaseDistribution]] | None:
            if not trial.state.is_finished():
                return trial.params, trial.distributions
            # A trial without decisions, or without a parameter that is drawn with them, is no point of the process.
            if not space.keys() & trial.params.keys() & middle.keys() or not question.own.keys() <= trial.params.keys():
                return None
            return {**middle, **trial.params}, {**space, **trial.distributions}

        seen: Any = View(study, complete)
        if not seen._get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            return question.uniform()
        # A sampler for this trial alone, as other threads ask for other trials.
        sampler: Any = copy.copy(base)
        sampler._optimize_acqf = lambda acqf, best: maximize(acqf, best, question, space)
        proposed = sampler.sample_relative(seen, question.trial, space)
        # The next fit of the kernel begins here.
        base._gprs_cache_list = sampler._gprs_cache_list
        base._constraints_gprs_cache_list = sampler._constraints_gprs_cache_list
        if not proposed:
            return question.uniform()
        row = inside.space.indices_of({name: proposed.get(name, middle[name]) for name in inside.names})
        params = inside.params([index or 0 for index in row])
        return {**params, **{name: proposed[name] for name in question.own}}


def neutral(inside: Inside) -> dict[str, Any]:
    """The value that each decision has in the model where it is inactive."""
    return {
        name: values[0 if isinstance(inside.distributions[name], CategoricalDistribution) else len(values) // 2]
        for name, values in zip(inside.names, inside.values, strict=True)
    }


def maximize(acqf: Any, best: Floats | None, question: Question, space: dict[str, BaseDistribution]) -> Floats:
    """The point with the greatest acquisition among uniform draws, the best known points, and their neighbours."""
    inside, rng = question.near, question.rng
    encode = _Encoding(inside, space)
    rows = inside.draw(POOL, rng)
    own = encode.draw_own(acqf, len(rows), rng)
    if best is not None:
        best_rows = encode.rows(best)
        inside.impose(best_rows)
        good = inside.holds(best_rows)
        rows = np.concatenate([rows, best_rows[good]])
        own = np.concatenate([own, best[good][:, encode.own_columns]])
    encode.neutralize(rows)
    values = acqf.eval_acqf_no_grad(encode.points(rows, own))
    best_value, best_point = -np.inf, None
    # Each start climbs to the best of its neighbours as long as that is better.
    for start in np.argsort(-values)[:STARTS]:
        row, mine, value = rows[start], own[start], float(values[start])
        for _ in range(MOST_ROUNDS):
            near, near_own = encode.neighbours(row, mine, rng)
            encode.neutralize(near)
            scores = acqf.eval_acqf_no_grad(encode.points(near, near_own)) if len(near) else np.array([-np.inf])
            top = int(np.argmax(scores))
            if not scores[top] > value:
                break
            row, mine, value = near[top], near_own[top], float(scores[top])
        if value > best_value or best_point is None:
            best_value, best_point = value, encode.points(row[None], mine[None])[0]
    return np.asarray(best_point)


class _Encoding:
    """Rows of indices as points of Optuna's Gaussian process, and back."""

    def __init__(self, inside: Inside, space: dict[str, BaseDistribution]) -> None:
        self._inside = inside
        names = list(space)
        self.own_columns = [column for column, name in enumerate(names) if name not in inside.positions]
        self._own = [space[names[column]] for column in self.own_columns]
        self._columns = [column for column, name in enumerate(names) if name in inside.positions]
        self._positions = [inside.positions[names[column]] for column in self._columns]
        self._sizes = np.array([len(inside.values[position]) for position in self._positions])
        self._categorical = np.array(
            [isinstance(space[names[column]], CategoricalDistribution) for column in self._columns], bool
        )
        self._width = len(names)
        middle = inside.space.indices_of(neutral(inside))
        self._middle = np.array(middle, np.uint32)

    def points(self, rows: Rows, own: Floats) -> Floats:
        """Points of the process: categorical decisions by index, others from 0 to 1 at the middles of their steps."""
        points = np.empty((len(rows), self._width))
        taken = rows[:, self._positions].astype(np.float64)
        points[:, self._columns] = np.where(self._categorical, taken, (taken + 0.5) / self._sizes)
        points[:, self.own_columns] = own
        return points

    def rows(self, points: Floats) -> Rows:
        """The candidates at points."""
        rows = np.repeat(self._middle[None], len(points), axis=0)
        taken = points[:, self._columns]
        rows[:, self._positions] = np.round(np.where(self._categorical, taken, taken * self._sizes - 0.5))
        return rows

    def neutralize(self, rows: Rows) -> None:
        """Gives inactive decisions their neutral values, in place."""
        for row in rows:
            active = list(self._inside.active(row))
            kept = row[active]
            row[:] = self._middle
            row[active] = kept

    def draw_own(self, acqf: Any, n: int, rng: np.random.Generator) -> Floats:
        """Parameters beside the space, as the process sees them."""
        if not self.own_columns:
            return np.empty((n, 0))
        random = np.random.RandomState(int(rng.integers(2**31)))
        return np.asarray(acqf.search_space.sample_normalized_params(n, random)[:, self.own_columns])

    def neighbours(self, row: Rows, own: Floats, rng: np.random.Generator) -> tuple[Rows, Floats]:
        """The candidates that fit and differ in one decision; and the candidate itself with other own parameters."""
        near = []
        for position, values in enumerate(self._inside.values):
            others = np.arange(len(values))
            if len(values) > MOST_VALUES:
                close = np.arange(-4, 5) + int(row[position])
                others = np.append(rng.choice(others, MOST_VALUES), close.clip(0, len(values) - 1))
            moved = np.repeat(row[None], len(others), axis=0)
            moved[:, position] = others
            near.append(moved)
        rows = np.concatenate(near)
        self._inside.impose(rows)
        rows = rows[self._inside.holds(rows)]
        owns = np.repeat(own[None], len(rows), axis=0)
        if self.own_columns:
            near_own = self._near_own(own, rng)
            rows = np.concatenate([rows, np.repeat(row[None], len(near_own), axis=0)])
            owns = np.concatenate([owns, near_own])
        return rows, owns

    def _near_own(self, own: Floats, rng: np.random.Generator, n: int = 64) -> Floats:
        """Own parameters near given ones; continuous ones only, as the uniform draws have the others."""
        moved = np.repeat(own[None], n, axis=0)
        for column, distribution in enumerate(self._own):
            if getattr(distribution, "step", 1) is None:
                scale = 10.0 ** rng.uniform(-3, -0.5, n)
                moved[:, column] = np.clip(own[column] + scale * rng.normal(size=n), 0.0, 1.0)
        return moved
