"""A feasible set as samplers deal with it: rows of indices, and parameters of Optuna."""

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
    """The candidates that fit, or those of them that have some fixed values.

    A candidate is a row of indices, one for each decision of the space; those of inactive decisions do not matter.

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
        """Those with the given values of some decisions. O(arcs of the diagram)."""
        part: Inside = object.__new__(Inside)
        part.__dict__.update(self.__dict__)
        part.fits = self.fits.fix(values)
        part._fixed = [
            (self.positions[name], self.space.decisions[name].index(value)) for name, value in values.items()
        ]
        return part

    def impose(self, rows: Rows) -> None:
        """Gives rows the fixed values, in place."""
        for position, index in self._fixed:
            rows[:, position] = index

    def holds(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """For each row whether it fits. The fixed values are taken for granted."""
        budget = self.fits.budget
        # Few rows at a time: other threads would only be in the way.
        counts = evaluate(self.space, rows, list(budget), threads=1)
        fits = counts.valid.copy()
        for metric, (low, high) in budget.items():
            fits &= (low <= counts[metric]) & (counts[metric] <= high)
        return fits

    def draw(self, n: int, rng: np.random.Generator) -> Rows:
        """`n` rows, drawn exactly uniformly and independently among the distinct networks that fit.

        Where the set is beyond exact sampling, decision by decision among the values that can be completed.
        """
        try:
            return np.asarray(self.fits.sample(n, seed=int(rng.integers(2**63))).indices, np.uint32)
        except LimitError:
            nothing = [None] * len(self.names)
            return np.stack([self.nearest(nothing, rng) for _ in range(n)])

    def walk(self, choose: Callable[[int, list[bool]], int], onto: Rows | None = None) -> Rows:
        """One row, whose decisions are taken in the order in which they are asked for.

        Args:
            choose: Called with the position of each active decision and which of its values can be completed to a
                candidate that fits; returns the index of one of those.
            onto: The row to write to; inactive decisions keep what it has. A row of zeros by default.
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
        """The row that follows wishes as far as they can be completed, decision by decision.

        Args:
            wanted: For each decision the index that is wished for, or `None`: then any is as good. Where an index is
                not allowed, numbers take the nearest one that is, and other decisions any.
            rng: What decides where there is no wish.
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
        return all(type(value) in (int, float) for value in values) and list(values) == sorted(values)  # type: ignore[type-var]

    def active(self, row: Sequence[int] | Rows) -> Iterator[int]:
        """The positions of the active decisions of a candidate, in the order in which they are asked for."""
        walk = compiled(self.space).diagram.walk()
        while (position := walk.open) is not None:
            yield position
            walk.choose(int(row[position]))

    def params(self, row: Sequence[int] | Rows) -> dict[str, Any]:
        """A candidate as parameters: the values of its active decisions."""
        return {self.names[position]: self.values[position][int(row[position])] for position in self.active(row)}
