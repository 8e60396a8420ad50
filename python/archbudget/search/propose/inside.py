"""A feasible set as samplers use it: rows of indices, and parameters of Optuna."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from archbudget.errors import LimitError
from archbudget.space.evaluation import evaluate
from archbudget.space.family import compiled
from archbudget.space.trials import distribution_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt
    from optuna.distributions import BaseDistribution

    from archbudget.space.feasible import FeasibleSet

    Rows = npt.NDArray[np.uint32]


class Inside:
    """The candidates that fit, possibly with some fixed values.

    A candidate is a row of indices, one for each decision of the space; indices of inactive decisions do not matter.

    Args:
        fits: The feasible set; it must not be empty.
    """

    def __init__(self, fits: FeasibleSet) -> None:
        self.fits = fits
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
        part._fixed = [
            (self.positions[name], self.space.decisions[name].index(value)) for name, value in values.items()
        ]
        return part

    def impose(self, rows: Rows) -> None:
        """Sets the fixed values in rows, in place."""
        for position, index in self._fixed:
            rows[:, position] = index

    def holds(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Whether each row fits, assuming that it has the fixed values."""
        budget = self.fits.budget
        # One thread is enough for so few rows.
        counts = evaluate(self.space, rows, list(budget), threads=1)
        fits = counts.valid.copy()
        for metric, (low, high) in budget.items():
            fits &= (low <= counts[metric]) & (counts[metric] <= high)
        return fits

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

    def params(self, row: Sequence[int] | Rows) -> dict[str, Any]:
        """A candidate as parameters: the values of its active decisions."""
        return {self.names[position]: self.values[position][int(row[position])] for position in self.active(row)}
