"""How many networks fit each budget of a grid."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from archbudget._budget import MOST, Budget, require_metrics
from archbudget._extras import imported
from archbudget._guard import guards
from archbudget._message import grouped, listed, show
from archbudget._progress import counting, reporting, require_progress
from archbudget.errors import BudgetError, OutOfRangeError, SpaceError
from archbudget.space.bounds import Bounds
from archbudget.space.evaluation import raw_totals
from archbudget.space.family import compiled
from archbudget.space.feasible import FeasibleSet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from archbudget._progress import ProgressLike
    from archbudget.space.family import Family

    Range = tuple[Any, Any]
    Ranges = Mapping[str, Sequence[Range]]

_logger = logging.getLogger(__name__)

FEW = 1 << 22
"""A space of at most this many networks is gone through once."""

WORK_OF_ONE, MOST_WORK = 1 << 24, 1 << 28
"""The most steps of counting all budgets of a grid at once: for each budget, and in all: some twenty seconds."""

MOST_CELLS = 1_000_000
"""The most budgets of a grid."""


@guards()
class CountGrid:
    """How many networks of a space fit each budget of a grid; from [`Space.count_grid`][archbudget.Space.count_grid].

    `grid[i, j]` is the number of networks within the i-th bound of the first metric and the j-th of the second: an
    integer, or [`Bounds`][archbudget.Bounds] where it is not known exactly. `np.asarray(grid)` is the array of them
    all. It never changes, so it is safe to use from several threads.

    Example:
        >>> import archbudget as ab
        >>> grid = ab.spaces.lenet().count_grid(params=[20_000, 60_000], macs=[1_000_000, 5_000_000])
        >>> grid.shape, grid[1, 1]
        ((2, 2), 5783)
    """

    def __init__(self, size: int, ranges: Ranges, counts: npt.NDArray[np.object_]) -> None:
        self.size = size
        """The number of networks of the space."""
        self.ranges = MappingProxyType({metric: tuple(ends) for metric, ends in ranges.items()})
        """The ranges (low, high) of each metric, in the order of the axes; open ends are as those of a `Budget`."""
        self._counts = counts
        self._counts.flags.writeable = False

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of the axes."""
        return tuple(self.ranges)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of bounds of each metric."""
        return self._counts.shape

    @cached_property
    def exact(self) -> bool:
        """Whether every number is known exactly."""
        return not any(isinstance(count, Bounds) for count in self._counts.flat)

    def __getitem__(self, key: Any) -> Any:
        """One number by its place on each axis, or with slices an array of several.

        Raises:
            OutOfRangeError: If there is no such place.
            SpaceError: If the key is neither an integer nor a slice, nor a tuple of these.
        """
        places = key if isinstance(key, tuple) else (key,)
        if len(places) > len(self.shape) or not all(map(_is_place, places)):
            raise SpaceError(
                f"a grid of {len(self.shape)} metrics is indexed by as many integers or slices, not by {show(key)}"
            )
        try:
            return self._counts[places]
        except IndexError as error:
            raise OutOfRangeError(f"there is no {show(key)} in a grid of the shape {self.shape}") from error

    def __len__(self) -> int:
        return len(self._counts)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._counts)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.array(self._counts, dtype=dtype, copy=copy)

    def __eq__(self, other: object) -> bool:
        """Whether another grid has the same bounds and numbers."""
        if not isinstance(other, CountGrid):
            return NotImplemented
        return self.ranges == other.ranges and self._counts.tolist() == other._counts.tolist()

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[type[CountGrid], tuple[int, Ranges, npt.NDArray[np.object_]]]:
        return type(self), (self.size, dict(self.ranges), self._counts)

    def __repr__(self) -> str:
        shape = " x ".join(f"{number} {metric}" for metric, number in zip(self.ranges, self.shape, strict=True))
        return f"<CountGrid of {shape} in a space of {grouped(self.size)} networks>"

    def budgets(self) -> Iterator[Budget]:
        """The budgets, the last metric changing fastest: as the numbers are in `np.asarray(grid).flat`."""
        for ranges in itertools.product(*self.ranges.values()):
            yield Budget.of(dict(zip(self.ranges, ranges, strict=True)))

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` with a row for each budget: its upper bounds, `lower`, `upper` and `share`.

        `lower` and `upper` are the bounds of the number of networks, Python integers that are equal where it is exact;
        `share` is `lower` of the whole space.

        Raises:
            MissingPackageError: If pandas is not installed (`pip install pandas`).
        """
        pd = imported("pandas", "to_pandas")
        ends = [[high for _, high in ranges] for ranges in self.ranges.values()]
        columns: dict[str, Any] = dict(zip(self.ranges, zip(*itertools.product(*ends), strict=True), strict=True))
        for name, end in (("lower", _lower), ("upper", _upper)):
            column = np.empty(self._counts.size, dtype=object)
            column[:] = [end(count) for count in self._counts.flat]
            columns[name] = column
        return pd.DataFrame({**columns, "share": [_lower(count) / self.size for count in self._counts.flat]})


def _is_place(place: object) -> bool:
    """Whether NumPy takes one axis at a place, or a slice of it."""
    parts = (place.start, place.stop, place.step) if isinstance(place, slice) else (place,)
    is_slice = isinstance(place, slice)
    return all(
        (part is None and is_slice) or (isinstance(part, (int, np.integer)) and not isinstance(part, bool))
        for part in parts
    )


def _lower(count: Any) -> int:
    return int(count.lower if isinstance(count, Bounds) else count)


def _upper(count: Any) -> int:
    return int(count.upper if isinstance(count, Bounds) else count)


def count_grid(space: Family, axes: Mapping[str, object], memory: int, progress: ProgressLike = None) -> CountGrid:
    """Counts the networks within each budget of a grid; see `Space.count_grid`."""
    require_progress(progress)
    given = _checked(space, axes)
    parts = compiled(space)
    # From here on as the engine counts.
    ranges = {metric: [parts.bounds({metric: ends})[metric] for ends in own] for metric, own in given.items()}
    with reporting(progress):
        reach = {metric: parts.diagram.range(metric) for metric in ranges}
        together = _together(space, ranges, reach, memory) if len(ranges) > 1 else None
    if together is not None:
        return CountGrid(space.size, given, together)
    shape = tuple(map(len, ranges.values()))
    counts = np.empty(shape, dtype=object)
    with counting("budgets", counts.size, progress) as report:
        known: dict[tuple[tuple[str, Range], ...], Any] = {}
        sums = _Sums(space, memory)
        each = zip(np.ndindex(shape), itertools.product(*ranges.values()), strict=True)
        for done, (place, ends) in enumerate(each):
            report(done)
            bounds = {
                metric: (max(low, reach[metric][0]), min(high, reach[metric][1]))
                for metric, (low, high) in zip(ranges, ends, strict=True)
            }
            if any(low > high for low, high in bounds.values()):
                counts[place] = 0
                continue
            binding = tuple((metric, ends) for metric, ends in bounds.items() if ends != reach[metric])
            if binding not in known:
                known[binding] = sums.count(dict(binding))
            counts[place] = known[binding]
        report(counts.size)
    return CountGrid(space.size, given, counts)


def _checked(space: Family, axes: Mapping[str, object]) -> dict[str, list[Range]]:
    """The ranges of each axis.

    Raises:
        BudgetError: If there are none, or one is not a list of bounds of a metric.
    """
    require_metrics(space.metrics, axes)
    ranges = {}
    for metric, bounds in axes.items():
        if isinstance(bounds, (str, bytes, Mapping)) or not isinstance(bounds, Iterable):
            raise BudgetError(f"{metric}: a grid needs a list of bounds, not {show(bounds)}")
        some = list(itertools.islice(bounds, MOST_CELLS + 1))
        if not some:
            raise BudgetError(f"{metric}: a grid needs at least one bound")
        ranges[metric] = [Budget.of({metric: bound})[metric] for bound in some]
    if not ranges:
        raise BudgetError(f"a grid has bounds of at least one metric, such as params=[...]: {listed(space.metrics)}")
    if math.prod(map(len, ranges.values())) > MOST_CELLS:
        raise BudgetError(f"a grid has at most {MOST_CELLS:,} budgets, not {math.prod(map(len, ranges.values())):,}")
    return ranges


class _Sums:
    """Counts single budgets, and those of one metric by its distribution, which is made once."""

    def __init__(self, space: Family, memory: int) -> None:
        self._space = space
        self._memory = memory
        self._by_metric: dict[str, Any] = {}

    def count(self, bounds: Mapping[str, Range]) -> Any:
        """How many networks are within bounds: an integer, or `Bounds` where it is not exact."""
        if not bounds:
            return self._space.size
        if len(bounds) == 1:
            ((metric, (low, high)),) = bounds.items()
            sums = self._sums(metric)
            if sums is not None:
                values, totals = sums
                return totals[np.searchsorted(values, high, "right")] - totals[np.searchsorted(values, low, "left")]
        parts = compiled(self._space)
        exact = {
            metric: tuple(parts.unit(metric).exact(end) if abs(end) < MOST else end for end in ends)
            for metric, ends in bounds.items()
        }
        found = FeasibleSet(self._space, Budget.of(exact), memory=self._memory).bounds()
        return found.lower if found.exact else found

    def _sums(self, metric: str) -> tuple[npt.NDArray[np.int64], list[int]] | None:
        """The values of a metric, and how many networks are below each; `None` where that is not exact."""
        if metric not in self._by_metric:
            diagram = compiled(self._space).diagram
            values, counts, error = diagram.distribution(metric, self._memory)
            totals = list(itertools.accumulate(counts, initial=0))
            self._by_metric[metric] = None if error else (np.array(values, dtype=np.int64), totals)
        found: tuple[npt.NDArray[np.int64], list[int]] | None = self._by_metric[metric]
        return found


def _together(space: Family, ranges: Ranges, reach: Mapping[str, Range], memory: int) -> npt.NDArray[np.object_] | None:
    """Counts all budgets of a grid at once; `None` where that takes too much memory or work.

    Each metric is cut at the ends of its ranges. The numbers of the networks that are below a cut in each metric then
    give every range as a difference.
    """
    cuts = {}
    for metric, ends in ranges.items():
        lowest, highest = reach[metric]
        both = (cut for low, high in ends for cut in (low, min(high, MOST - 1) + 1))
        cuts[metric] = sorted({min(max(cut, lowest), highest + 1) for cut in both})
    if space.size <= FEW:
        below = _gone_through(space, cuts)
    else:
        bounds = [(metric, [cut - 1 for cut in own]) for metric, own in cuts.items()]
        work = min(MOST_WORK, WORK_OF_ONE * math.prod(map(len, ranges.values())))
        counted = compiled(space).diagram.count_grid(bounds, memory, work)
        if counted is None:
            _logger.info("fallback: the budgets of a grid are counted one by one, as one pass for all takes too much")
            return None
        below = np.array(counted, dtype=object).reshape([len(own) for own in cuts.values()])
    for axis, (metric, ends) in enumerate(ranges.items()):
        lowest, highest = reach[metric]
        own = cuts[metric]
        first = [own.index(min(max(low, lowest), highest + 1)) for low, _ in ends]
        last = [own.index(min(max(min(high, MOST - 1) + 1, lowest), highest + 1)) for _, high in ends]
        below = below.take(last, axis) - below.take(first, axis)
    return below


def _gone_through(space: Family, cuts: Mapping[str, list[int]]) -> npt.NDArray[np.object_]:
    """How many networks are below each combination of cuts, by going through all of them once."""
    shape = tuple(len(each) + 1 for each in cuts.values())
    sums = np.zeros(math.prod(shape), np.int64)
    for chunk in FeasibleSet(space, Budget(params=MOST)).chunks():
        counts = raw_totals(space, chunk, list(cuts))
        pieces = [np.searchsorted(each, counts[metric], "right") for metric, each in cuts.items()]
        sums += np.bincount(np.ravel_multi_index(pieces, shape), minlength=len(sums))
    table = sums.reshape(shape)
    for axis in range(len(shape)):
        table = table.cumsum(axis)
    return table.astype(object)
