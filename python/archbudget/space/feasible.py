"""The candidates that fit a budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Union

import numpy as np

from archbudget._budget import MOST, Budget, require_metrics
from archbudget._core import MEMORY
from archbudget._guard import guards
from archbudget._message import grouped, show
from archbudget.errors import BudgetError, InfeasibleBudgetError, LimitError, SpaceError
from archbudget.space.architecture import Architecture, architecture_at, architecture_of
from archbudget.space.candidates import Candidates, unchecked
from archbudget.space.columns import empty_columns, fresh_seed
from archbudget.space.description import check_names
from archbudget.space.family import Family, compiled

if TYPE_CHECKING:
    from archbudget._core import Feasible
    from archbudget._expressions import Scalar

if TYPE_CHECKING:
    from typing_extensions import TypeVar as DefaultTypeVar

    S_co = DefaultTypeVar("S_co", bound=Family, covariant=True, default=Family)
else:
    S_co = TypeVar("S_co", bound=Family, covariant=True)

Answer = TypeVar("Answer")
Number = TypeVar("Number", int, float)

CHUNK = 1 << 20
"""How many candidates are made at once where a set is gone through."""


@dataclass(frozen=True)
class Bounds(Generic[Number]):
    """A number that is not known exactly, but for certain lies between two others, both included."""

    lower: Number
    """It is not smaller."""
    upper: Number
    """It is not larger."""

    @property
    def ratio(self) -> float:
        """`upper / lower`: 1.01 says that the number is known to within one per cent."""
        if self.lower:
            return self.upper / self.lower
        return 1.0 if not self.upper else float("inf")

    def __str__(self) -> str:
        return f"between {grouped(self.lower)} and {grouped(self.upper)}"


class Marginals(dict[str, "dict[Scalar, float]"]):
    """For each decision and each of its values, the share of the feasible networks that take it.

    The shares of a decision sum to 1, or to less if it is inactive in some of the networks.
    """

    def __init__(self, shares: Mapping[str, dict[Scalar, float]], *, exact: bool) -> None:
        super().__init__(shares)
        self.exact = exact
        """Whether the shares are those of the feasible networks; if not, those of a superset of which all but a few
        networks fit, see [`FeasibleSet.count`][archbudget.FeasibleSet.count]."""


@guards()
class FeasibleSet(Generic[S_co]):
    """The candidates of a space that fit a budget; it may be empty.

    What is asked first takes the time of a count; the answers after it are made from the same table. Every method
    releases the GIL and stops on Ctrl-C.

    Args:
        space: The space.
        budget: The budget.
        memory: The bytes that the table may take. Where an exact one would take more, or minutes of work, costs are
            rounded: counts are then certified bounds, and samples are still exactly uniform.

    Raises:
        BudgetError: If it is no budget, or `memory` no positive number.
        LimitError: If the space is too wide to be counted.
    """

    def __init__(self, space: S_co, budget: Budget, *, memory: int = MEMORY) -> None:
        if not isinstance(budget, Budget):
            raise BudgetError(f"a feasible set needs a Budget, not {show(budget)}")
        if isinstance(memory, bool) or not isinstance(memory, (int, np.integer)) or not 0 < memory < 2**63:
            raise BudgetError(f"memory must be a positive number of bytes, not {show(memory)}")
        self.space = space
        self.budget = budget
        self.memory = int(memory)
        require_metrics(space.metrics, budget)
        self._core = compiled(space).diagram.within(_bounds(budget), self.memory)

    def __repr__(self) -> str:
        return f"<FeasibleSet {self.budget.describe()}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (self.space, self.budget, self.memory))

    @property
    def exact(self) -> bool:
        """Whether the set is counted exactly, and its members have ranks."""
        return self._core.is_exact()

    def count(self) -> int | Bounds[int]:
        """The number of distinct networks that fit: an integer where it is exact, otherwise certified bounds.

        Only a count in which no cost was rounded is exact: bounds that happen to be equal are still `Bounds`.

        Raises:
            LimitError: If what the budget leaves of the space does not fit into memory at all.
        """
        lower, upper = self._core.count()
        return lower if upper is None else Bounds(lower, upper)

    def fraction(self) -> float | Bounds[float]:
        """The share of the space that fits, from 0 to 1; as bounds where the count is."""
        count, size = self.count(), self.space.size
        if isinstance(count, Bounds):
            return Bounds(count.lower / size, count.upper / size)
        return count / size

    def sample(self, n: int, seed: int | None = None) -> Candidates:
        """Draws networks uniformly and independently among those that fit, however rare they are.

        Args:
            n: How many.
            seed: The same seed gives the same draw, on any number of threads; `None` takes a fresh one.

        Returns:
            `n` candidates, index 0 where a decision is inactive. O(n * D). Where costs are rounded, draws come from a
            superset (the rounded one, or what one of several bounds allows) and those that do not fit are rejected;
            `acceptance` says how many were kept.

        Raises:
            SpaceError: If `n` is not an integer of at least 0.
            InfeasibleBudgetError: If nothing fits.
            LimitError: If a million draws in a row were rejected.
        """
        columns = empty_columns(self.space.decisions, n)
        if n:
            self.require_some()
            self._core.sample(columns, fresh_seed(seed))
        return unchecked(self.space, columns.T)

    @property
    def acceptance(self) -> float:
        """The share of the draws so far that were kept; 1 where the set is counted exactly."""
        drawn, accepted = self._core.drawn()
        return accepted / drawn if drawn else 1.0

    def candidates(self, start: int = 0, stop: int | None = None) -> Candidates:
        """Networks by their rank: those of rank `start` up to, and without, `stop`; all the rest by default.

        Networks are ordered by their choices, taken one after the other as the space asks for them. O(number * D).

        Raises:
            SpaceError: If the ranks are no range within the number of networks that fit.
            LimitError: If the count is not exact.
        """
        total = self._exact_count("a candidate of a rank")
        stop = total if stop is None else stop
        for name, rank in (("start", start), ("stop", stop)):
            if isinstance(rank, bool) or not isinstance(rank, (int, np.integer)):
                raise SpaceError(f"{name} must be an integer, not {show(rank)}")
        if not 0 <= start <= stop <= total:
            raise SpaceError(
                f"ranks from {show(start)} to {show(stop)} are asked for; there are {grouped(total)} candidates, from 0"
            )
        columns = empty_columns(self.space.decisions, int(stop) - int(start))
        self._core.members(columns, int(start))
        return unchecked(self.space, columns.T)

    def chunks(self, size: int = CHUNK) -> Iterator[Candidates]:
        """All networks that fit, in the order of their ranks, so many at a time.

        Raises:
            SpaceError: If `size` is not positive.
            LimitError: If the count is not exact.
        """
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
            raise SpaceError(f"size must be an integer of at least 1, not {show(size)}")
        total = self._exact_count("going through a set")
        return (self.candidates(start, min(start + size, total)) for start in range(0, total, int(size)))

    def __iter__(self) -> Iterator[Architecture]:
        for chunk in self.chunks(1 << 12):
            yield from chunk

    def _exact_count(self, what: str) -> int:
        count = self.count()
        if isinstance(count, Bounds) or not self.exact:
            raise LimitError(f"{what} needs an exact count, and here it is {count}; allow more memory")
        return count

    def rank(self, arch: Architecture | Mapping[str, Scalar]) -> int:
        """The rank of a network: how many that fit come before it. O(D * values).

        Raises:
            SpaceError: If it is not a network of the space, or does not fit.
            LimitError: If the count is not exact.
        """
        arch = self._own(arch)
        self._exact_count("a rank")
        rank = self._core.rank(list(arch.indices))
        if rank is None:
            found = ", ".join(f"{metric} {value:,}" for metric, value in self.budget.violations(arch.costs).items())
            raise SpaceError(f"the network has {found}, outside of the budget ({self.budget.describe()})")
        return rank

    def __contains__(self, arch: object) -> bool:
        if not isinstance(arch, Mapping):
            return False
        try:
            return not self.budget.violations(self._own(arch).costs)
        except (SpaceError, ValueError):
            return False

    def _own(self, arch: Architecture | Mapping[str, Scalar]) -> Architecture:
        """A network as one of this space."""
        if isinstance(arch, Architecture) and arch.space is self.space:
            return arch
        if not isinstance(arch, Mapping):
            raise SpaceError(f"a network is an Architecture, or a mapping from decisions to values, not {show(arch)}")
        return architecture_of(self.space, dict(arch))

    def marginals(self) -> Marginals:
        """For each decision and each of its values, the share of the feasible networks that take it.

        Raises:
            InfeasibleBudgetError: If nothing fits.
        """
        self.require_some()
        counts, total, exact = self._core.marginals()
        shares = {
            name: {value: count / total for value, count in zip(decision.values, own, strict=True)}
            for (name, decision), own in zip(self.space.decisions.items(), counts, strict=True)
        }
        return Marginals(shares, exact=exact)

    def prune(self) -> S_co:
        """The space without the values, and without the structure, that occur in no network that fits.

        Every network that fits is still in it, and each value of it occurs in one that fits. (A decision that only
        networks beyond the budget ask for, because of choices that are tied, is left with one value.)

        Raises:
            InfeasibleBudgetError: If nothing fits.
        """
        self.require_some()
        kept: dict[str, list[Scalar]] = {}
        for (name, decision), occurs in zip(self.space.decisions.items(), self._core.occurring(), strict=True):
            values = [value for value, occur in zip(decision.values, occurs, strict=True) if occur]
            # Where the structure asks for a decision in networks that do not fit only, one value of it is enough.
            kept[name] = values or list(decision.values[:1])
        return self.space.with_domains(kept)

    def largest(self, metric: str) -> Architecture:
        """The network that fits with the most of a metric; the first of them, where there are several.

        Raises:
            BudgetError: If there is no such metric.
            InfeasibleBudgetError: If nothing fits.
            LimitError: If the count is not exact, and the search for it gives up.
        """
        return self._extreme(metric, largest=True)

    def smallest(self, metric: str) -> Architecture:
        """The network that fits with the least of a metric; as `largest`."""
        return self._extreme(metric, largest=False)

    def _extreme(self, metric: str, *, largest: bool) -> Architecture:
        require_metrics(self.space.metrics, [metric])
        self.require_some()
        found = self._core.extreme(metric, largest)
        if found is None:
            raise self._nothing()
        return architecture_at(self.space, found)

    def closest(self, metric: str, value: float) -> Architecture:
        """The network that fits whose value of a metric is nearest to a number; the smaller one of two equally near.

        Raises:
            BudgetError: If there is no such metric, or the value is no number.
            InfeasibleBudgetError: If nothing fits.
            LimitError: As for `largest`.
        """
        require_metrics(self.space.metrics, [metric])
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or value != value:
            raise BudgetError(f"{metric}: a value must be a number, not {show(value)}")
        self.require_some()
        low, high = self.budget.get(metric, (0, MOST))
        below = -1 if value < 0 else high if value >= high else int(value)
        near = []
        if below >= low:
            near.append((self._bounded(metric, low, below), True))
        above = max(low, below + 1)
        if above <= high:
            near.append((self._bounded(metric, above, high), False))
        found = [part._extreme(metric, largest=largest) for part, largest in near if not part.is_empty()]
        if not found:
            raise self._nothing()
        return min(found, key=lambda arch: (abs(arch.costs[metric] - value), arch.costs[metric]))

    def _bounded(self, metric: str, low: int, high: int) -> FeasibleSet[S_co]:
        """Those of them within a range of a metric."""
        return self._part(
            compiled(self.space).diagram.within(_bounds({**self.budget, metric: (low, high)}), self.memory)
        )

    def _part(self, core: Feasible) -> FeasibleSet[S_co]:
        """A part of the set."""
        part: FeasibleSet[S_co] = object.__new__(FeasibleSet)
        part.space, part.budget, part.memory, part._core = self.space, self.budget, self.memory, core
        return part

    def fix(self, values: Mapping[str, Scalar]) -> FeasibleSet[S_co]:
        """Those of them in which some decisions have given values; that of an inactive decision does not matter.

        O(arcs of the diagram).

        Raises:
            SpaceError: If a decision is unknown or a value is not in its domain.
        """
        if not isinstance(values, Mapping):
            raise SpaceError(f"values are fixed by a mapping from decisions to values, not by {show(values)}")
        check_names(self.space.decisions, values, "fixed values")
        return self._part(self._core.fix(self.space.indices_of(values)))

    def is_empty(self) -> bool:
        """Whether nothing fits; for one upper bound much faster than counting."""
        return self._core.is_empty()

    def allowed(
        self, prefix: Sequence[int] | Mapping[str, Scalar], decision: str | None = None
    ) -> tuple[str, list[bool]] | None:
        """The decision that follows some taken ones, and for each of its values whether a completion fits.

        Args:
            prefix: The indices of the values taken so far, in the order in which the decisions are asked for; or the
                values by the names of their decisions.
            decision: The decision that is asked about. Only needed with names, to stop before others that have values.

        Returns:
            `None` when the candidate is complete. Once the set was counted, microseconds.

        Raises:
            SpaceError: If an index is outside of its domain, or another decision has to be taken first.
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
        """The decision that follows some taken ones, and for each of its values the share of the completions that fit.

        Args:
            prefix: The indices of the values taken so far, in the order in which the decisions are asked for.

        Returns:
            `None` when the candidate is complete. The shares are exact where the count is; otherwise the values that
            can be completed share evenly.

        Raises:
            SpaceError: If an index is outside of its domain.
        """
        found = self._ask(self._core.shares, prefix)
        return None if found is None else (compiled(self.space).names[found[0]], found[1])

    def _ask(self, question: Callable[[list[int]], Answer], prefix: Sequence[int]) -> Answer:
        """Asks the engine about indices.

        Raises:
            SpaceError: If these are no indices.
        """
        try:
            return question(list(islice(prefix, len(self.space.decisions) + 1)))
        except (TypeError, OverflowError):  # What Python says of an item that is no index, or of no items.
            raise SpaceError(f"a prefix is a sequence of indices, integers of at least 0, not {show(prefix)}") from None

    def require_some(self) -> None:
        """Refuses a budget that nothing fits.

        Raises:
            InfeasibleBudgetError: With the smallest and largest value that each bounded metric can take.
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


def _bounds(ranges: Mapping[str, tuple[int, int]]) -> list[tuple[str, int, int]]:
    """Ranges as the engine takes them."""
    return [(metric, low, high) for metric, (low, high) in ranges.items()]


def _restore(space: Family, budget: Budget, memory: int) -> FeasibleSet:
    return FeasibleSet(space, budget, memory=memory)


CountLike = Union[int, Bounds[int]]
"""A count: exact, or certified bounds."""
