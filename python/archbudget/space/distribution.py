"""How a metric is distributed over a space."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from archbudget._expressions import builtin
from archbudget._extras import imported
from archbudget._guard import guards
from archbudget._markup import division, paragraph
from archbudget._message import grouped, show
from archbudget._unit import PLAIN
from archbudget.errors import SpaceError
from archbudget.space import html

if TYPE_CHECKING:
    import numpy.typing as npt

    from archbudget._markup import Markup
    from archbudget._unit import Unit


@guards()
class Distribution:
    """How many networks of a space have each value of a metric, and so which budget keeps five per cent of them.

    It is exact wherever the values can be told apart in some seconds. Where there are too many of them, neighbouring
    values are counted together under the smallest one, and `error` says by how much a value may be too small. Made by
    [`Space.distribution`][archbudget.Space.distribution]; it never changes, so it is safe to use from several threads.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.lenet()
        >>> params = space.distribution("params")
        >>> params.quantile(0.05)
        46058
        >>> params.cdf(60_000)
        0.07881673177083333
    """

    def __init__(self, metric: str, values: list[int], counts: list[int], error: int, unit: Unit = PLAIN) -> None:
        self.metric = metric
        """The metric."""
        self._raw: npt.NDArray[np.int64] = np.array(values, dtype=np.int64)
        self._error = error
        self._unit = unit
        self.values: npt.NDArray[Any] = unit.numbers(self._raw)
        """The values that occur, ascending: (M,) int64, or float64 of a metric with a resolution."""
        self.counts = counts
        """The number of networks that have each value: M Python integers, of any size."""
        self.error = unit.gap(error)
        """A network counted under a value has that value or one larger by at most this; 0 where `exact`."""

    def __eq__(self, other: object) -> bool:
        """Whether another distribution has the same metric, values and counts."""
        if not isinstance(other, Distribution):
            return NotImplemented
        one, two = ((each.metric, each.counts, each.error) for each in (self, other))
        return one == two and np.array_equal(self.values, other.values)

    __hash__ = None  # type: ignore[assignment]

    @property
    def exact(self) -> bool:
        """Whether each network is counted under its own value."""
        return self._error == 0

    @cached_property
    def _sums(self) -> list[int]:
        return list(accumulate(self.counts))

    @property
    def total(self) -> int:
        """The number of networks."""
        return self._sums[-1]

    def quantile(self, q: float) -> Any:
        """The smallest upper bound that keeps at least the share `q` of all networks. O(log M).

        If the values are not exact, the bound keeps that share for certain, but a smaller one might do.

        Raises:
            SpaceError: If `q` is not a number from 0 to 1.
        """
        if isinstance(q, bool) or not isinstance(q, (int, float, np.number)) or not 0 <= q <= 1:
            raise SpaceError(f"a quantile is taken at a number from 0 to 1, not at {show(q)}")
        # As it is written: 0.05 is a twentieth, not the binary number next to it.
        wanted = math.ceil(self.total * Fraction(repr(float(q))))
        place = min(bisect_left(self._sums, wanted), len(self._sums) - 1)
        return self._unit.number(int(self._raw[place]) + self._error)

    def cdf(self, value: float) -> float:
        """The share of the networks whose value is at most `value`. O(log M).

        If the values are not exact, it is a lower bound of that share.

        Raises:
            SpaceError: If `value` is not a number.
        """
        number = builtin(value)
        if isinstance(number, bool) or not isinstance(number, (int, float)) or number != number:
            raise SpaceError(f"{self.metric} are compared with a number, not with {show(value)}")
        place = bisect_right(self._raw, self._unit.most(number) - self._error)
        return self._sums[place - 1] / self.total if place else 0.0

    @property
    def _largest(self) -> Any:
        """The largest value that occurs, or where values are not exact, one that is not exceeded."""
        return self._unit.number(int(self._raw[-1]) + self._error)

    def __len__(self) -> int:
        return len(self.counts)

    def __repr__(self) -> str:
        return (
            f"<Distribution of {self.metric}: {grouped(self.total)} networks, {len(self):,} values from "
            f"{self._unit.number(int(self._raw[0])):,} to {self._largest:,}>"
        )

    @html.shown
    def _repr_html_(self) -> str:
        """A picture, for notebooks. O(M)."""
        return division(paragraph(repr(self)[1:-1]), picture_of(self))

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` with a row for each value: the value, `count` (Python integers) and `share`. O(M).

        Raises:
            MissingPackageError: If pandas is not installed (`pip install pandas`).
        """
        shares = [count / self.total for count in self.counts]
        counts = np.empty(len(self.counts), dtype=object)
        counts[:] = self.counts
        return imported("pandas", "to_pandas").DataFrame({self.metric: self.values, "count": counts, "share": shares})


def picture_of(distribution: Distribution) -> Markup:
    """A small picture of a distribution: how many networks have which values. O(M)."""
    ends = (f"{distribution.values[0]:,}", f"{distribution._largest:,}")
    return html.distribution_picture(repr(distribution)[1:-1], distribution._raw.tolist(), distribution.counts, ends)
