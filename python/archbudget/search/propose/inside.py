"""A feasible set as samplers use it: rows of indices, and parameters of Optuna."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from archbudget._budget import BUILT_IN, MOST, Budget
from archbudget._unit import rational
from archbudget.errors import LimitError
from archbudget.space.constraint import Constraint
from archbudget.space.family import compiled
from archbudget.space.feasible import FeasibleSet
from archbudget.space.trials import distribution_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt
    from optuna.distributions import BaseDistribution

    Rows = npt.NDArray[np.uint32]
    Key = tuple[int | None, ...]
    """The indices of the active decisions of a network, and `None` for the others."""


class Inside:
    """The candidates that fit, possibly with some fixed values.

    A candidate is a row of indices, one for each decision of the space; indices of inactive decisions do not matter.

    Args:
        fits: The feasible set; it must not be empty.
        fill: The share of the budget that is used in the parts of it in which searches look first; `None` for no such
            parts.
    """

    def __init__(self, fits: FeasibleSet, fill: float | None = None) -> None:
        self.fits = fits
        self._fill = fill
        self._filled: tuple[Inside, ...] | None = None
        self.space = fits.space
        self.names = tuple(self.space.decisions)
        self.positions = {name: position for position, name in enumerate(self.names)}
        self.values = tuple(decision.values for decision in self.space.decisions.values())
        self.distributions: dict[str, BaseDistribution] = {
            name: distribution_of(decision) for name, decision in self.space.decisions.items()
        }
        self._fixed: list[tuple[int, int]] = []

    def fix(self, values: Mapping[str, Any]) -> Inside:
        """The candidates with the given values of some decisions. O(arcs of the diagram)."""
        part: Inside = object.__new__(Inside)
        part.__dict__.update(self.__dict__)
        part.fits = self.fits.fix(values)
        part._filled = None
        part._fixed = [
            (self.positions[name], self.space.decisions[name].index(value)) for name, value in values.items()
        ]
        return part

    def filled(self, number: int) -> Inside:
        """The candidates among which a trial looks first: those that fill the budget, in turn for each of its metrics.

        Asking for the first time costs a count for each metric. Metrics whose upper bound excludes no network say
        nothing; if there is no other one, or if it cannot be told what fills the budget, these are all candidates.

        Args:
            number: The number of the trial.
        """
        parts = self._parts()
        return parts[number % len(parts)] if parts else self

    def is_filled(self, row: Rows) -> bool:
        """Whether a row fills the budget in one of its metrics; so does any row where nothing can be told."""
        parts = self._parts()
        return not parts or any(part.holds(row[None])[0] for part in parts)

    def _parts(self) -> tuple[Inside, ...]:
        if self._filled is None:
            # Where the set is not counted exactly, each question after a completion may be a search.
            metrics = self.fits.budget if self._fill and self.fits.exact else ()
            self._filled = tuple(part for metric in metrics if (part := self._filling(metric)) is not None)
        return self._filled

    def _filling(self, metric: str) -> Inside | None:
        """The candidates that use nearly all of the bound of a metric; or of what can be used, if that is less."""
        low, high = self.fits.budget[metric]
        if high == MOST or high <= 0:
            return None
        try:
            if self.space.range(metric)[1] <= high:
                return None
            fits = self._least(metric, low, high)
            if fits.is_empty():
                fits = self._least(metric, low, self.fits.largest(metric).costs[metric])
            if not fits.exact:
                return None
        except LimitError:
            return None
        part: Inside = object.__new__(Inside)
        part.__dict__.update(self.__dict__)
        part.fits, part._filled = fits, ()
        return part

    def _least(self, metric: str, low: Any, full: Any) -> FeasibleSet:
        """Those that use at least the wanted share of `full`."""
        fits = self.fits
        share = Fraction(repr(self._fill)) * (rational(full) or 0)
        least = math.ceil(share) if metric in BUILT_IN else share
        budget = Budget.of({**fits.budget, metric: (max(low, least), fits.budget[metric][1])})
        return FeasibleSet(fits.space, budget, memory=fits.memory).fix(fits.fixed)

    def impose(self, rows: Rows) -> None:
        """Sets the fixed values in rows, in place."""
        for position, index in self._fixed:
            rows[:, position] = index

    def holds(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Whether each row fits, assuming that it has the fixed values."""
        # One thread is enough for so few rows.
        return Constraint(self.space, self.fits.budget).mask(rows, threads=1)

    def draw(self, n: int, rng: np.random.Generator) -> Rows:
        """`n` rows, drawn exactly uniformly and independently among the distinct networks that fit.

        If the set is too large for exact sampling, they are drawn decision by decision among the values that have a
        completion.
        """
        try:
            return np.asarray(self.fits.sample(n, seed=int(rng.integers(2**63))).indices, np.uint32)
        except LimitError:
            nothing = [None] * len(self.names)
            return np.stack([self.nearest(nothing, rng) for _ in range(n)])

    def walk(self, choose: Callable[[int, list[bool]], int], onto: Rows | None = None) -> Rows:
        """One row, whose decisions are taken in the order in which the space asks for them.

        Args:
            choose: A function of the position of each active decision and a flag for each of its values, whether it has
                a completion that fits; it returns the index of one of these values.
            onto: The row to write to; inactive decisions keep their indices there. A row of zeros by default.
        """
        row = np.zeros(len(self.names), np.uint32) if onto is None else onto
        prefix: list[int] = []
        while (found := self.fits.allowed(prefix)) is not None:
            name, allowed = found
            position = self.positions[name]
            index = choose(position, allowed)
            row[position] = index
            prefix.append(index)
        return row

    def nearest(self, wanted: Sequence[float | None], rng: np.random.Generator) -> Rows:
        """The row that follows preferences as far as they have a completion, decision by decision.

        Args:
            wanted: The preferred index of each decision, or `None` for no preference. Where an index is not allowed, a
                decision over numbers takes the nearest allowed one, and any other decision a random one.
            rng: The random numbers that decide where there is no preference.
        """

        def choose(position: int, allowed: list[bool]) -> int:
            wish = wanted[position]
            if wish is not None and allowed[int(wish)]:
                return int(wish)
            good = np.flatnonzero(allowed)
            if wish is None or not self.is_ordered(position):
                return int(rng.choice(good))
            return int(good[np.argmin(np.abs(good - wish))])

        return self.walk(choose)

    def is_ordered(self, position: int) -> bool:
        """Whether the values of a decision are ascending numbers."""
        values = self.values[position]
        return all(type(value) in (int, float) for value in values) and list(values) == sorted(values)

    def active(self, row: Sequence[int] | Rows) -> Iterator[int]:
        """The positions of the active decisions of a candidate, in the order in which the space asks for them."""
        walk = compiled(self.space).diagram.walk([])
        while (position := walk.open) is not None:
            yield position
            walk.choose(int(row[position]))

    def key(self, row: Sequence[int] | Rows) -> Key:
        """What makes a candidate a network of its own."""
        key: list[int | None] = [None] * len(self.names)
        for position in self.active(row):
            key[position] = int(row[position])
        return tuple(key)

    def params(self, row: Sequence[int] | Rows) -> dict[str, Any]:
        """A candidate as parameters: the values of its active decisions."""
        return {self.names[position]: self.values[position][int(row[position])] for position in self.active(row)}
