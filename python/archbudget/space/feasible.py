"""The candidates that fit a budget."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, overload

import numpy as np

from archbudget._budget import MOST, refuse_loose_bounds, require_budget, require_metrics
from archbudget._core import MEMORY
from archbudget._expressions import builtin
from archbudget._guard import answering, guards
from archbudget._message import grouped, hint, listed, show
from archbudget._nested import SetOnce
from archbudget._progress import reporting
from archbudget._unit import rational
from archbudget.errors import (
    BudgetError,
    CountOverflowError,
    InexactError,
    InfeasibleBudgetError,
    OutOfRangeError,
    SpaceError,
    UnknownNameError,
)
from archbudget.metrics import LatencyTable
from archbudget.space import html
from archbudget.space.architecture import Architecture, architecture_at, network_in, network_of
from archbudget.space.bounds import Bounds
from archbudget.space.candidates import Candidates, indices_of, unchecked
from archbudget.space.columns import empty_columns, fresh_seed
from archbudget.space.description import check_names
from archbudget.space.drawing import distinct, require_flag
from archbudget.space.evaluation import checked_threads, metric_names
from archbudget.space.family import Family, compiled, customs
from archbudget.space.front import front
from archbudget.space.quantiles import as_points, points_of, rows_at
from archbudget.space.stored import stored

if TYPE_CHECKING:
    import os
    from concurrent.futures import Executor

    import numpy.typing as npt

    from archbudget._budget import Budget
    from archbudget._core import Feasible
    from archbudget._expressions import Scalar
    from archbudget._progress import ProgressLike
    from archbudget.space.candidates import CandidatesLike

if TYPE_CHECKING:
    from typing_extensions import TypeVar as DefaultTypeVar

    S_co = DefaultTypeVar("S_co", bound=Family, covariant=True, default=Family)
else:
    S_co = TypeVar("S_co", bound=Family, covariant=True)

Answer = TypeVar("Answer")

_logger = logging.getLogger(__name__)

NOTHING: Mapping[str, Scalar] = MappingProxyType({})
"""No value of any decision."""

CHUNK = 1 << 20
"""The number of candidates that a chunk has by default."""


SHARD = 1_000_000
"""The number of candidates that a file of `write_parquet` has by default."""


class Marginals(dict[str, dict[Any, float]]):
    """For each decision and each of its values, the share of the feasible networks that take it.

    The shares of a decision sum to 1, or to less if it is inactive in some of the networks.

    Example:
        >>> import archbudget as ab
        >>> marginals = ab.spaces.lenet().within(ab.Budget(params=8_000)).marginals()
        >>> {size: round(share, 3) for size, share in marginals["k1"].items()}
        {3: 0.311, 5: 0.246, 7: 0.443}
    """

    def __init__(self, shares: Mapping[str, dict[Any, float]], *, exact: bool) -> None:
        super().__init__(shares)
        self.exact = exact
        """Whether the shares are those of the feasible networks. If not, they are those of a superset, of which all but
        a few networks fit; see [`FeasibleSet.bounds`][archbudget.FeasibleSet.bounds]."""

    def __missing__(self, name: object) -> NoReturn:
        raise UnknownNameError(f"{show(name)} is no decision of the space{hint(name, self)}")


@guards()
class FeasibleSet(SetOnce, Generic[S_co]):
    """The candidates of a space that fit a budget; it may be empty.

    The first question costs one count; later ones reuse its table, which has a cell for each node of the diagram and
    each partial sum that matters. Making a set takes no time. Where a method computes, it releases the GIL and stops on
    Ctrl-C. A set is safe to use from several threads, which share the table.

    Args:
        space: The space.
        budget: The budget.
        memory: The bytes that the table may take. Where an exact table would take more, or minutes of work, costs are
            rounded: counts are then certified bounds, and samples are still exactly uniform.

    Raises:
        BudgetError: If it is not a budget, or bounds a metric that the space does not have, or `memory` is not a
            positive number.
        LimitError: If the space is too wide to be counted.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.lenet()
        >>> fits = space.within(ab.Budget(params=60_000, macs=5_000_000))
        >>> fits.count(), len(fits.sample(10, seed=0))
        (5783, 10)
        >>> fits.largest("params").params
        59978
    """

    INTERNAL = ("require_some",)

    @answering(refuse_loose_bounds)
    def __init__(self, space: S_co, budget: Budget, *, memory: int = MEMORY) -> None:
        require_budget(budget, "a feasible set")
        if isinstance(memory, bool) or not isinstance(memory, (int, np.integer)) or not 0 < memory < 2**63:
            raise BudgetError(f"memory must be a positive number of bytes, not {show(memory)}")
        self.space = space
        self.budget = budget
        self.memory = int(memory)
        require_metrics(space.metrics, budget)
        self.fixed: Mapping[str, Scalar] = MappingProxyType({})
        """The values that `fix` has fixed, by the names of their decisions."""
        self._ends = compiled(space).bounds(budget)
        self._core = compiled(space).diagram.within(_triples(self._ends), self.memory)

    def __eq__(self, other: object) -> bool:
        """Whether another set has an equal space and budget, the same fixed values, and may take the same memory."""
        if not isinstance(other, FeasibleSet):
            return NotImplemented
        if (self.budget, self.memory, self.space) != (other.budget, other.memory, other.space):
            return False
        return list(self.space.indices_of(self.fixed)) == list(other.space.indices_of(other.fixed))

    def __hash__(self) -> int:
        return hash((self.space, self.budget))

    def __repr__(self) -> str:
        return f"<FeasibleSet {self._described()}>"

    @html.shown
    def _repr_html_(self) -> str:
        """How many networks fit, and how often each value occurs, where counting takes no time, for notebooks."""
        is_small = self.space.combinations <= html.FEW_COMBINATIONS
        if not (is_small and html.few_arcs(compiled(self.space).diagram.stages())):
            return html.set_html(repr(self)[1:-1], "", {})
        bounds = self.bounds()
        size = html.number_text(self.space.size, "networks fit")
        shares = self.marginals() if bounds.upper and not self.is_empty() else {}
        return html.set_html(repr(self)[1:-1], f"{bounds} of {size}", shares)

    def _described(self) -> str:
        fixed = listed(f"{name}={value!r}" for name, value in self.fixed.items())
        return self.budget.describe() + (f" with {fixed}" if fixed else "")

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (self.space, self.budget, self.memory, dict(self.fixed)))

    @property
    def exact(self) -> bool:
        """Whether the set was counted without rounding a cost, so that its members have ranks. It costs one count."""
        return self._core.is_exact()

    def count(self, *, progress: ProgressLike = None) -> int:
        """The exact number of distinct networks that fit.

        The first call builds the table: O(arcs of the diagram * partial sums that matter).

        Args:
            progress: Who is told how far the call is; see [`Progress`][archbudget.Progress].

        Raises:
            InexactError: If the number is known within bounds only; `bounds` returns them, and so does the error.
            LimitError: If the part of the space within the budget does not fit into memory at all.
        """
        bounds = self.bounds(progress=progress)
        if not bounds.exact:
            raise self._inexact("the number of networks that fit is not known exactly", "ask for bounds()")
        return bounds.lower

    def bounds(self, *, progress: ProgressLike = None) -> Bounds[int]:
        """The certified [`Bounds`][archbudget.Bounds] of the number of networks that fit; equal where it is exact.

        They cost one count, as `count` does. Mostly they are within one per cent, with one bound far closer; more
        `memory` brings them closer.

        Args:
            progress: Who is told how far the call is; see [`Progress`][archbudget.Progress].

        Raises:
            LimitError: If the part of the space within the budget does not fit into memory at all.
        """
        with reporting(progress):
            lower, upper = self._core.count()
        if upper is not None:
            _logger.info(
                "rounded: an exact count of what fits %s would take too much memory or work (memory=%s): it is from %s "
                "to %s",
                self._described(),
                f"{self.memory:_}",
                f"{lower:,}",
                f"{upper:,}",
            )
        return Bounds(lower, lower if upper is None else upper)

    def fraction(self) -> float:
        """The share of the space that fits, from 0 to 1. It costs one count.

        Raises:
            InexactError: If it is known within bounds only, which are `bounds() / space.size`.
            LimitError: As for `count`.
        """
        bounds, size = self.bounds(), self.space.size
        if not bounds.exact:
            raise self._inexact("the share that fits is not known exactly", "ask for bounds() / space.size")
        return bounds.lower / size

    def sample(
        self, n: int, seed: int | None = None, *, replace: bool = True, progress: ProgressLike = None
    ) -> Candidates:
        """Draws networks uniformly among those that fit, however rare they are.

        O(n * D) after the count, on all cores. Where costs are rounded, draws come from a superset (the rounded one, or
        what one of several bounds allows), and those that do not fit are rejected; `acceptance` is the share that was
        kept.

        Args:
            n: The number of candidates.
            seed: The same seed draws the same candidates, on any number of threads; `None` takes a fresh one.
            replace: Whether draws are independent, so that a network may be drawn again. If not, all are different, and
                each choice of `n` networks is equally likely, in each order.
            progress: Who is told how far the call is; see [`Progress`][archbudget.Progress].

        Returns:
            `n` candidates, with index 0 where a decision is inactive.

        Raises:
            SpaceError: If `n` is not an integer of at least 0, or more than fit without `replace`.
            InexactError: If it is not known whether so many fit, without `replace`.
            InfeasibleBudgetError: If nothing fits.
            LimitError: If a million draws in a row were rejected.
        """
        require_flag(replace)
        with reporting(progress):
            return self._sample(n, seed, replace=replace)

    def _sample(self, n: int, seed: int | None, *, replace: bool) -> Candidates:
        columns = empty_columns(self.space.decisions, n)
        if not n:
            return unchecked(self.space, columns.T)
        self.require_some()
        if replace:
            self._core.sample(columns, fresh_seed(seed))
            return unchecked(self.space, columns.T)
        bounds = self.bounds()
        if n > bounds.upper:
            raise SpaceError(f"{grouped(n)} different networks are asked for, and {bounds.upper:,} fit; see replace")
        if n > bounds.lower:
            raise self._inexact(f"whether there are {grouped(n)} different networks is not known", "draw fewer")
        if self.exact and bounds.upper <= 2 * n:
            order = np.random.default_rng(fresh_seed(seed)).permutation(bounds.upper)[:n]
            rows = self.candidates().indices[order]
        else:
            rows = distinct(lambda some, own: self.sample(some, own).indices, int(n), bounds.lower, seed)
        return unchecked(self.space, np.asfortranarray(rows))

    @property
    def acceptance(self) -> float:
        """The share of all draws so far that were kept; 1 where the set is counted exactly. It costs nothing."""
        drawn, accepted = self._core.drawn()
        return accepted / drawn if drawn else 1.0

    def candidates(
        self,
        start: int = 0,
        stop: int | None = None,
        *,
        threads: int | None = None,
        progress: ProgressLike = None,
    ) -> Candidates:
        """The networks of the ranks from `start` to `stop`, without `stop`; by default up to the last.

        Networks are ordered by their choices, in the order in which the space asks for them. O(number * D) after the
        count.

        Args:
            start: The first rank.
            stop: The rank behind the last one.
            threads: The number of threads; by default as many as the process has cores.
            progress: Who is told how far the call is; see [`Progress`][archbudget.Progress].

        Raises:
            SpaceError: If the ranks are not a range within the number of networks that fit.
            InexactError: If the set is not counted without rounding; see `exact`.
        """
        with reporting(progress):
            return self._candidates(start, stop, threads)

    def _candidates(self, start: int, stop: int | None, threads: int | None) -> Candidates:
        total = self._exact_count("a candidate of a rank")
        stop = total if stop is None else stop
        for name, rank in (("start", start), ("stop", stop)):
            if isinstance(rank, bool) or not isinstance(rank, (int, np.integer)):
                raise SpaceError(f"{name} must be an integer, not {show(rank)}")
        if not 0 <= start <= stop <= total:
            raise SpaceError(
                f"ranks from {show(start)} to {show(stop)} are asked for; there are {grouped(total)} candidates, from 0"
            )
        workers = checked_threads(threads)
        columns = empty_columns(self.space.decisions, int(stop) - int(start))
        self._core.members(columns, int(start), threads=workers)
        return unchecked(self.space, columns.T)

    def at(self, points: npt.ArrayLike) -> Candidates:
        """The candidates at points of the unit cube, whatever tuner chose these: each of them fits.

        Each decision takes the value at a quantile of the completions that fit, given the decisions before it: equal
        volumes of the cube hold equally many candidates, so that uniform points are uniform draws. (Where the set is
        counted with rounding, values that have a completion share an axis evenly; see `exact`.) O(N * (D + values))
        after the count; points that begin alike are asked for together.

        Args:
            points: An (N, D) array of numbers from 0 to 1, with a column for each decision, in the order of
                `space.decisions`; or one point. Coordinates of decisions that are inactive do not matter.

        Raises:
            SpaceError: If it is no such array.
            InfeasibleBudgetError: If nothing fits.

        Example:
            >>> import archbudget as ab
            >>> fits = ab.spaces.lenet().within(ab.Budget(params=60_000))
            >>> dict(fits.at([0.2, 0.4, 0.6, 0.8, 1.0])[0])
            {'f1': 16, 'k1': 5, 'f2': 16, 'k2': 7, 'units': 288}
        """
        rows = as_points(points, len(self.space.decisions))
        self.require_some()
        return Candidates(self.space, rows_at(rows, self._axes, self.shares))

    def points(self, candidates: CandidatesLike) -> npt.NDArray[np.float64]:
        """The points of the unit cube at which candidates lie: `at(points(candidates))` has the same networks.

        O(N * (D + values)) after the count.

        Args:
            candidates: What `Space.evaluate` takes.

        Returns:
            An (N, D) array: the middle of the part of each axis that belongs to a value, 0.5 for inactive decisions.

        Raises:
            SpaceError: If it is no batch of the space, or a candidate does not fit.
        """
        rows = indices_of(self.space, candidates)
        self.require_some()
        return points_of(np.asarray(rows), self._axes, self.shares)

    @property
    def _axes(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.space.decisions)}

    def chunks(self, size: int = CHUNK) -> Iterator[Candidates]:
        """All networks that fit, in the order of their ranks, in batches of at most `size`.

        Each step of the iterator makes one batch, as `candidates` does. Each thread needs an iterator of its own.

        Args:
            size: The number of candidates in a batch.

        Raises:
            SpaceError: If `size` is not positive.
            InexactError: If the set is not counted without rounding; see `exact`.
        """
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
            raise SpaceError(f"size must be an integer of at least 1, not {show(size)}")
        total = self._exact_count("going through a set")
        return (self.candidates(start, min(start + size, total)) for start in range(0, total, int(size)))

    def write_parquet(
        self,
        directory: str | os.PathLike[str],
        metrics: Iterable[str] | None = None,
        *,
        executor: Executor | None = None,
        workers: int | None = None,
        shard: int = SHARD,
        progress: ProgressLike = None,
    ) -> int:
        """Writes all networks that fit, with their counts, into a folder of Parquet files; on any number of machines.

        Each file, a shard, has the networks of a range of ranks, which is its name, in the order of the ranks: a column
        of values for each decision, then one for each metric. (Where a decision is inactive, its value is the first of
        its domain.) A shard is written aside and appears when it is complete. So a run that was stopped or killed is
        continued by the same call, which skips what is there, if it belongs to the same space, budget and metrics. The
        folder is a dataset, `pyarrow.dataset.dataset(directory)`; the key `archbudget` in the metadata of its schema
        has the budget, the space (as YAML where a file can express it), versions and ranks as JSON, and so has
        `_manifest.json`, which appears when all shards are there.

        Some millions of networks a second on each core; the memory of a worker does not grow with their number.

        Args:
            directory: The folder, made if it is not there; `os.devnull` computes everything and keeps nothing.
            metrics: The names of the metrics; all by default. Fewer are faster, peak activations are the slowest.
            executor: What runs the work: any `concurrent.futures.Executor`, such as `client.get_executor()` of Dask or
                `mpi4py.futures.MPIPoolExecutor()`, whose workers see the folder under the same path. By default
                processes of this machine. The set is unpickled and counted once in each worker.
            workers: The number of these processes, this one among them; by default as many as it has cores.
            shard: The number of networks in a file.
            progress: Who is told how far the call is; see [`Progress`][archbudget.Progress].

        Returns:
            The number of networks.

        Raises:
            InexactError: If the set is not counted without rounding; see `exact`.
            SpaceError: If the folder has something else in it, or shards of another space, budget, choice of metrics or
                size; nothing is changed then. Or if the space cannot be pickled, or a column cannot hold the values of
                a decision.
            FileError: If a file cannot be written.
            ArchbudgetError: If a worker process is killed.
            MissingPackageError: If pyarrow is not installed (`pip install pyarrow`).
        """
        names = metric_names(self.space, metrics)
        return stored().enumerate(
            self.space,
            self,
            self.budget,
            None,
            directory,
            names,
            executor=executor,
            workers=workers,
            shard=shard,
            progress=progress,
        )

    def __bool__(self) -> bool:
        """Whether something fits; it costs as much as `is_empty`."""
        return not self.is_empty()

    def __len__(self) -> int:
        """As `count`, up to 2^63 - 1."""
        return length_of(self.count(), "count()")

    def __iter__(self) -> Iterator[Architecture]:
        for chunk in self.chunks(1 << 12):
            yield from chunk

    @overload
    def __getitem__(self, key: int) -> Architecture: ...

    @overload
    def __getitem__(self, key: slice) -> Candidates: ...

    def __getitem__(self, key: Any) -> Architecture | Candidates:
        """The network of a rank, or with a slice the networks of several ranks, as `candidates` returns them.

        Raises:
            OutOfRangeError: If there is no such rank.
            SpaceError: If the key is neither an integer nor a slice of integers.
            InexactError: If the set is not counted without rounding; see `exact`.
        """
        if not isinstance(key, slice):
            if isinstance(key, bool) or not isinstance(key, (int, np.integer)):
                raise SpaceError(
                    f"networks are indexed by their ranks, an integer or a slice, not by {show(key)}; decisions are in "
                    "space.decisions"
                )
            total = self._exact_count("a network of a rank")
            if not -total <= key < total:
                raise OutOfRangeError(f"there is no network {show(key)} of {grouped(total)}, which count from 0")
            rank = int(key) % total
            return self.candidates(rank, rank + 1)[0]
        ranks = range(self._exact_count("a network of a rank"))[key]
        if ranks.step == 1:
            return self.candidates(ranks.start, max(ranks.start, ranks.stop))
        columns = empty_columns(self.space.decisions, len(ranks))
        for place, rank in enumerate(ranks):
            columns[:, place] = self.candidates(rank, rank + 1).indices[0]
        return unchecked(self.space, columns.T)

    def __array__(self, *_: object, **__: object) -> NoReturn:
        raise SpaceError(
            "a set is not an array: np.asarray(fits.candidates()) has the indices of all networks that fit, and "
            "np.asarray(fits.sample(n)) those of some"
        )

    def _exact_count(self, what: str) -> int:
        if not self.exact:
            raise self._inexact(f"{what} needs an exact count", "draw with sample()")
        return self.count()

    def _inexact(self, what: str, instead: str) -> InexactError:
        bounds = self.bounds()
        return InexactError(
            f"{what}: the count is {bounds}; {instead}, or allow more memory than within(..., memory={self.memory:_})",
            lower=bounds.lower,
            upper=bounds.upper,
        )

    def rank(self, arch: Architecture | Mapping[str, Scalar]) -> int:
        """The rank of a network: how many networks that fit come before it. O(D * values) after the count.

        Raises:
            SpaceError: If it is not a network of the space, or does not fit.
            InexactError: If the set is not counted without rounding; see `exact`.
        """
        arch = network_of(self.space, arch)
        self._exact_count("a rank")
        rank = self._core.rank(list(arch.indices))
        if rank is None:
            found = [f"{metric} {value:,}" for metric, value in self.budget.violations(arch.costs).items()]
            found += [f"{name}={arch[name]!r}" for name in self._departures(arch)]
            raise SpaceError(f"the network has {', '.join(found)}, outside the set ({self._described()})")
        return rank

    def __contains__(self, arch: object) -> bool:
        """Whether a network is one of the space, and fits. O(layers).

        Raises:
            SpaceError: If it is neither an Architecture nor a mapping from decisions to values, or the mapping has
                names that `Space.architecture` refuses.
        """
        own = network_in(self.space, arch)
        return own is not None and not self.budget.violations(own.costs) and not self._departures(own)

    def _departures(self, arch: Architecture) -> list[str]:
        """The fixed decisions for which a network has taken another value."""
        fixed = self.space.indices_of(self.fixed)
        taken = zip(self.space.decisions, arch.indices, fixed, strict=True)
        return [name for name, own, index in taken if index is not None and name in arch and own != index]

    def marginals(self, *, progress: ProgressLike = None) -> Marginals:
        """For each decision and each of its values, the share of the feasible networks that take it.

        The first time it passes over the table once; afterwards it is O(values).

        Args:
            progress: Who is told how far the call is; see [`Progress`][archbudget.Progress].

        Raises:
            InfeasibleBudgetError: If nothing fits.
            SpaceError: If a decision has equal values, such as 1 and True.
        """
        with reporting(progress):
            self.require_some()
            counts, total, exact = self._core.marginals()
        shares = {
            name: {value: count / total for value, count in zip(decision.values, own, strict=True)}
            for (name, decision), own in zip(self.space.decisions.items(), counts, strict=True)
        }
        for name, decision in self.space.decisions.items():
            if len(shares[name]) < len(decision.values):
                raise SpaceError(
                    f"a dict holds 1 and True as one key, and decision '{name}' has both: {show(decision)}"
                )
        return Marginals(shares, exact=exact)

    def prune(self) -> S_co:
        """The space without the values and the structure that occur in no network that fits.

        It still has every network that fits, and each of its values occurs in one that fits. (A decision that only
        networks beyond the budget ask for, because choices are tied, keeps one value.) It costs one count and compiles
        a space.

        Raises:
            InfeasibleBudgetError: If nothing fits.
        """
        self.require_some()
        kept: dict[str, list[Scalar]] = {}
        for (name, decision), occurs in zip(self.space.decisions.items(), self._core.occurring(), strict=True):
            values = [value for value, occur in zip(decision.values, occurs, strict=True) if occur]
            # Where only networks that do not fit ask for a decision, one of its values is enough.
            kept[name] = values or list(decision.values[:1])
        return self.space.with_domains(kept)

    def largest(self, metric: str) -> Architecture:
        """The network that fits with the largest value of a metric; the one of the lowest rank, if there are several.

        It is exact, and needs no count: a best-first search with Lagrangian bounds of all metrics in the budget finds
        it, mostly within some passes over the arcs of the diagram (milliseconds). Where that would take too much, it
        passes over the table of the count, if that is exact.

        Raises:
            BudgetError: If there is no such metric.
            InfeasibleBudgetError: If nothing fits.
            LimitError: If the count is not exact, and the search gives up. That is so where a range is so narrow that
                hardly a network lies in it; a wider range helps, more memory, or decisions that are fixed.
        """
        return self._extreme(metric, largest=True)

    def smallest(self, metric: str) -> Architecture:
        """The network that fits with the smallest value of a metric; otherwise as `largest`."""
        return self._extreme(metric, largest=False)

    def _extreme(self, metric: str, *, largest: bool) -> Architecture:
        require_metrics(self.space.metrics, [metric])
        found = self._knowing(metric).extreme(metric, largest)
        if found is None:
            raise self._nothing()
        return architecture_at(self.space, found)

    def best(self, metric: str, k: int = 100, *, smallest: bool = False) -> Candidates:
        """The `k` different networks that fit with the largest values of a metric, in order; equal ones by their ranks.

        Ranks are those of `candidates`: networks are ordered by their choices, in the order in which the space asks for
        them. The answer is exact, of the same search as that of `largest`; its time and memory grow with `k`.

        Args:
            metric: The metric, a built-in or a custom one.
            k: How many networks; where fewer fit, all of them are returned.
            smallest: Whether the networks with the smallest values are wanted, from the smallest on.

        Raises:
            BudgetError: If there is no such metric, or `k` is not an integer of at least 1.
            InfeasibleBudgetError: If nothing fits.
            LimitError: If the search gives up: a smaller `k` or more `memory` helps.

        Example:
            >>> import archbudget as ab
            >>> fits = ab.spaces.lenet().within(ab.Budget(params=60_000, macs=5_000_000))
            >>> [arch.macs for arch in fits.best("macs", k=3)]
            [4970656, 4964352, 4958048]
        """
        require_metrics(self.space.metrics, [metric])
        if not isinstance(smallest, bool):
            raise BudgetError(f"smallest must be True or False, not {show(smallest)}")
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
            raise BudgetError(f"k must be an integer of at least 1, not {show(k)}")
        found = self._knowing(metric).best(metric, not smallest, min(int(k), sys.maxsize))
        if not found:
            raise self._nothing()
        columns = empty_columns(self.space.decisions, len(found))
        columns[:] = np.array(found).T
        return unchecked(self.space, columns.T)

    def pareto(
        self,
        *metrics: str,
        epsilon: float = 0,
        largest: Iterable[str] = (),
        smallest: Iterable[str] = (),
    ) -> Candidates:
        """The front of two or more metrics: a network that fits for each combination of values that none improves on.

        Built-in metrics and latency tables are better the smaller they are, other custom metrics the larger. It is
        exact: searches as that of `largest`, as many a point as there are metrics, each in a part of the set that no
        network so far covers. So three metrics take much longer than two.

        Args:
            *metrics: Two or more metrics.
            epsilon: How much worse a network of the answer may be, as a share of a value, from 0 to below 1. With 0 the
                front is whole. Otherwise the answer is a part of the front, such that each network that fits has one
                there with at most `1 + epsilon` times its value in each metric that is to be small, and at least
                `1 - epsilon` times its value in each that is to be large.
            largest: Those of the metrics that are better the larger they are, whatever they are by default.
            smallest: Those that are better the smaller they are.

        Returns:
            A network for each point, that of the lowest rank, sorted by the metrics in their order, the best values of
            the first one first.

        Raises:
            BudgetError: If there is no such metric, fewer than two are named, or one twice, or `epsilon` is not from 0
                to below 1.
            InfeasibleBudgetError: If nothing fits.
            LimitError: If the front has more than 10,000 points, which an `epsilon` makes fewer, or as for `largest`.

        Example:
            >>> import archbudget as ab
            >>> fits = ab.spaces.lenet().within(ab.Budget(params=60_000, macs=5_000_000))
            >>> front = fits.pareto("macs", "params", largest=["params"], epsilon=0.5)
            >>> [(arch.macs, arch.params) for arch in front]
            [(121728, 4050), (128448, 10802), (141888, 24306), (168768, 51314)]
        """
        signs = self._directions(metrics, largest, smallest)
        if isinstance(epsilon, bool) or not isinstance(epsilon, (int, float, np.number)) or not 0 <= epsilon < 1:
            raise BudgetError(f"epsilon must be a number from 0 to below 1, not {show(epsilon)}")
        found = front(lambda first, below: self._least(signs, first, below), len(signs), Fraction(float(epsilon)))
        if not found:
            raise self._nothing()
        columns = empty_columns(self.space.decisions, len(found))
        columns[:] = np.array([row for _, row in sorted(found)]).T
        return unchecked(self.space, columns.T)

    def _directions(self, metrics: Sequence[str], largest: Iterable[str], smallest: Iterable[str]) -> dict[str, int]:
        """For each metric of a front -1 if it is better the larger it is, otherwise 1."""
        require_metrics(self.space.metrics, metrics)
        if len(metrics) < 2 or len(set(metrics)) < len(metrics):
            raise BudgetError(f"a front needs two or more different metrics, not {show(list(metrics))}")
        custom = customs(self.space)
        signs = {name: -1 if name in custom and not isinstance(custom[name], LatencyTable) else 1 for name in metrics}
        said: dict[str, int] = {}
        for keyword, names, sign in (("largest", largest, -1), ("smallest", smallest, 1)):
            if isinstance(names, str) or not isinstance(names, Iterable):
                raise BudgetError(f"{keyword} must be a sequence of metrics, not {show(names)}")
            for name in names:
                if name not in signs:
                    raise BudgetError(f"{keyword}: {show(name)} is no metric of the front, {listed(metrics)}")
                if said.setdefault(name, sign) != sign:
                    raise BudgetError(f"{show(name)} is both in largest and in smallest")
                signs[name] = sign
        return signs

    def _least(
        self, signs: Mapping[str, int], metric: int, below: Sequence[int | None]
    ) -> tuple[int, list[int]] | None:
        """The least value of a metric of a front, and the network, in the part of the set below some values.

        Values are integer numbers of the resolution of their metric.
        """
        parts = compiled(self.space)
        bounds = dict(self._ends)
        for (name, sign), value in zip(signs.items(), below, strict=True):
            low, high = bounds.get(name, (-MOST, MOST))
            if value is not None and sign > 0:
                high = min(high, parts.unit(name).of_steps(value - 1))
            elif value is not None:
                low = max(low, parts.unit(name).of_steps(1 - value))
            if low > high:
                return None
            bounds[name] = (low, high)
        name, sign = list(signs.items())[metric]
        core = parts.diagram.within(_triples(bounds), self.memory)
        found = core.fix(self.space.indices_of(self.fixed)).extreme(name, sign < 0)
        if found is None:
            return None
        return sign * parts.unit(name).steps(self._total(found, name)), found

    def _total(self, row: Sequence[int], metric: str) -> int:
        """The value of a metric for a network, as the engine counts it."""
        parts = compiled(self.space)
        costs = parts.diagram.cost(row)
        if costs is None:
            raise self._nothing()
        return costs[parts.metrics.index(metric)]

    def closest(self, metric: str, value: float) -> Architecture:
        """The network that fits whose value of a metric is nearest to `value`; of two equally near ones the smaller.

        It searches twice, as `largest` does: in a narrower set on each side of `value`.

        Raises:
            BudgetError: If there is no such metric, or `value` is not a number.
            InfeasibleBudgetError: If nothing fits.
            LimitError: As for `largest`.
        """
        require_metrics(self.space.metrics, [metric])
        wanted = builtin(value)
        if isinstance(wanted, bool) or not isinstance(wanted, (int, float)) or wanted != wanted:
            raise BudgetError(f"{metric}: a value must be a number, not {show(value)}")
        unit = compiled(self.space).unit(metric)
        low, high = self._ends.get(metric, (-MOST, MOST))
        middle = min(unit.most(wanted), high)
        near = []
        if middle >= low:
            near.append((self._bounded(metric, low, middle), True))
        above = max(low, middle + 1)
        if above <= high:
            near.append((self._bounded(metric, above, high), False))
        sides = [part._core.extreme(metric, largest) for part, largest in near]
        found = [(self._total(side, metric), side) for side in sides if side is not None]
        if not found:
            raise self._nothing()
        if len(found) == 1:
            return architecture_at(self.space, found[0][1])  # `wanted` may be infinite.
        exact = rational(wanted) or Fraction(0)
        _, nearest = min(found, key=lambda each: (abs(unit.exact(each[0]) - exact), each[0]))
        return architecture_at(self.space, nearest)

    def _knowing(self, metric: str) -> Feasible:
        """The set as the engine keeps it, where it can be asked about a metric."""
        diagram = compiled(self.space).diagram
        if diagram.is_asked_alike([metric]) or not diagram.is_asked_alike(list(self.budget)):
            return self._core
        core = diagram.within(_triples(self._ends), self.memory, [metric])
        return core.fix(self.space.indices_of(self.fixed))

    def _bounded(self, metric: str, low: int, high: int) -> FeasibleSet[S_co]:
        """The part of the set within a range of a metric, as the engine counts it."""
        core = compiled(self.space).diagram.within(_triples({**self._ends, metric: (low, high)}), self.memory)
        return self._part(core.fix(self.space.indices_of(self.fixed)), self.fixed)

    def _part(self, core: Feasible, fixed: Mapping[str, Scalar]) -> FeasibleSet[S_co]:
        """A part of the set, as the engine returned it."""
        part: FeasibleSet[S_co] = object.__new__(FeasibleSet)
        part.space, part.budget, part.memory, part._core = self.space, self.budget, self.memory, core
        part._ends = self._ends
        part.fixed = MappingProxyType(dict(fixed))
        return part

    def fix(self, values: Mapping[str, Scalar] = NOTHING, /, **named: Scalar) -> FeasibleSet[S_co]:
        """The part of the set in which some decisions have fixed values; values of inactive decisions do not matter.

        O(D); the first question to the part costs a count of its own. Values that are fixed already stay fixed.

        Args:
            values: The values by the names of their decisions; a decision without a value (None, NaN) is not fixed.
            **named: Values by keyword, which replace those of the mapping.

        Raises:
            SpaceError: If a decision is unknown, or a value is not in its domain, or another one is fixed already.
        """
        if not isinstance(values, Mapping):
            raise SpaceError(f"values are fixed by a mapping from decisions to values, not by {show(values)}")
        given = {**values, **named}
        check_names(self.space.decisions, given, "fixed values")
        fixed = dict(self.fixed)
        before, after = self.space.indices_of(fixed), self.space.indices_of(given)
        for name, old, new in zip(self.space.decisions, before, after, strict=True):
            if None not in (old, new) and old != new:
                raise SpaceError(f"decision '{name}' is fixed at {show(fixed[name])}, not at {show(given[name])}")
            if new is not None:
                fixed[name] = given[name]
        return self._part(self._core.fix(self.space.indices_of(fixed)), fixed)

    def is_empty(self) -> bool:
        """Whether nothing fits. With one upper bound it takes O(arcs), otherwise a search as that of `largest`.

        Where a search would take too much, it takes a count.
        """
        return self._core.is_empty()

    def allowed(
        self, prefix: Sequence[int] | Mapping[str, Scalar], decision: str | None = None
    ) -> tuple[str, list[bool]] | None:
        """The decision that follows some taken ones, and for each of its values whether a completion fits.

        O(D + values) after the first question: microseconds. Where a set with several bounds, or a lower one, is not
        counted exactly, it searches for a completion.

        Args:
            prefix: The indices of the values taken so far, in the order in which the space asks for the decisions; or
                the values by the names of their decisions.
            decision: The decision in question. It is only needed with names, to stop before others that have values.

        Returns:
            The name of the decision, and a flag for each of its values; `None` when the candidate is complete.

        Raises:
            SpaceError: If an index is outside its domain, or another decision has to be taken first.
        """
        if isinstance(prefix, Mapping):
            given = prefix if decision is None else {**prefix, decision: None}
            check_names(self.space.decisions, given, "prefix")
            stop = None if decision is None else compiled(self.space).positions[decision]
            found = self._core.allowed_after(self.space.indices_of(prefix), stop)
        else:
            found = self._ask(self._core.allowed, prefix)
        if found is None:
            return None
        name = compiled(self.space).names[found[0]]
        if decision is not None and name != decision:
            raise SpaceError(f"after these choices it is not '{decision}' that is asked for, but '{name}'")
        return name, found[1]

    def shares(self, prefix: Sequence[int]) -> tuple[str, list[float]] | None:
        """The decision that follows some taken ones, and the share of the completions that fit for each of its values.

        O(D + values) after the count.

        Args:
            prefix: The indices of the values taken so far, in the order in which the space asks for the decisions.

        Returns:
            The name of the decision, and a share for each of its values; `None` when the candidate is complete. The
            shares are exact where the count is; otherwise values that have a completion share evenly.

        Raises:
            SpaceError: If an index is outside its domain.
        """
        found = self._ask(self._core.shares, prefix)
        return None if found is None else (compiled(self.space).names[found[0]], found[1])

    def _ask(self, question: Callable[[list[int]], Answer], prefix: Sequence[int]) -> Answer:
        """Asks the engine a question about indices.

        Raises:
            SpaceError: If they are not indices.
        """
        try:
            return question(list(islice(prefix, len(self.space.decisions) + 1)))
        except (TypeError, OverflowError):  # An item is not an index, or there are no items.
            raise SpaceError(f"a prefix is a sequence of indices, integers of at least 0, not {show(prefix)}") from None

    def require_some(self) -> None:
        """Refuses a budget that nothing fits; costs as much as `is_empty`.

        Raises:
            InfeasibleBudgetError: If nothing fits, with the range of each bounded metric in the space.
        """
        if self.is_empty():
            raise self._nothing()

    def _nothing(self) -> InfeasibleBudgetError:
        reach = {metric: self.space.range(metric) for metric in self.budget}
        beyond = (name for name, (low, high) in self.budget.items() if reach[name][0] > high or reach[name][1] < low)
        metric = next(beyond, next(iter(self.budget)))
        said = ", ".join(f"{name} go from {smallest:,} to {largest:,}" for name, (smallest, largest) in reach.items())
        return InfeasibleBudgetError(
            f"no network of the space fits the budget ({self.budget.describe()}): in this space {said}",
            metric=metric,
            bound=self.budget[metric],
            smallest=reach[metric][0],
        )


def _triples(ranges: Mapping[str, tuple[int, int]]) -> list[tuple[str, int, int]]:
    """Ranges in the form that the engine takes."""
    return [(metric, low, high) for metric, (low, high) in ranges.items()]


def _restore(space: Family, budget: Budget, memory: int, fixed: Mapping[str, Scalar]) -> FeasibleSet:
    fits = FeasibleSet(space, budget, memory=memory)
    return fits.fix(fixed) if fixed else fits


def length_of(count: int, instead: str) -> int:
    """A number of networks as `len` returns it.

    Raises:
        CountOverflowError: If it is larger than `len` may return.
    """
    if count > sys.maxsize:
        raise CountOverflowError(f"there are {grouped(count)} networks, more than len() can say; {instead} can")
    return count
