"""The constraint function: how far a candidate is from a budget."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from archbudget._budget import MOST, refuse_loose_bounds, require_budget, require_metrics
from archbudget._guard import answering, attribute, guarded, guards
from archbudget._message import show
from archbudget._nested import SetOnce
from archbudget.errors import SpaceError
from archbudget.space.architecture import Architecture
from archbudget.space.candidates import Candidates, columns_of
from archbudget.space.evaluation import checked_threads
from archbudget.space.family import compiled
from archbudget.space.kept import new_array
from archbudget.space.outputs import check_apart, check_array
from archbudget.space.table import table_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import optuna

    from archbudget._budget import Budget
    from archbudget.space.candidates import CandidatesLike
    from archbudget.space.family import Family


JUST_OUTSIDE = sys.float_info.min
"""The number of a candidate that is outside by less than the logarithm resolves."""


def _settle(number: float, outside: bool) -> float:
    """The number with the right sign: the costs are compared exactly, whereas the logarithms are rounded."""
    if outside:
        return number if number > JUST_OUTSIDE else JUST_OUTSIDE
    return number if number < 0.0 else 0.0


@cache
def _live_trials() -> tuple[type[Any], ...]:
    """The trials that constraints are set on."""
    from optuna.trial import FixedTrial, Trial

    return Trial, FixedTrial


BLOCK = 1 << 16
"""A batch is judged this many candidates at a time, so that what is between totals and numbers stays in cache; that is
too few for threads, which take as long to begin."""


def _rows(column: Any, part: slice) -> Any:
    """Some rows of a column as the engine takes it."""
    return (column[0][part], column[1]) if isinstance(column, tuple) else column[part]


def _distances(
    costs: npt.NDArray[np.int64],
    sign: int,
    bound: int,
    log_bound: float,
    numbers: npt.NDArray[np.float64],
    outside: npt.NDArray[np.bool_],
) -> None:
    """Writes `sign * log(cost) - log_bound`, with the right sign."""
    np.copyto(numbers, costs)
    with np.errstate(divide="ignore"):
        np.log(numbers, out=numbers)
    if sign < 0:
        np.negative(numbers, out=numbers)
    numbers -= log_bound
    (np.greater if sign > 0 else np.less)(costs, bound, out=outside)
    # Hardly ever: the logarithms are rounded.
    wrong = np.flatnonzero(outside != (numbers > 0))
    numbers[wrong] = np.where(outside[wrong], JUST_OUTSIDE, 0.0)


def _kinds(value: object) -> tuple[type, ...]:
    """The types in which a value may be given: an integer also as a float, and the reverse."""
    return (int, float) if type(value) in (int, float) else (type(value),)


@guards(but=["__call__"])  # A trial raises what its storage does.
class Constraint(SetOnce):
    """How far candidates are from a budget: `log(cost / bound)` for each bound, which is at most 0 inside the budget.

    A range has two numbers, the second of which is `log(low / cost)`. For a metric with a resolution, whose values may
    be negative, and for bounds below 1 they are the differences `cost - bound` and `low - cost`. A candidate that
    cannot be built is infinitely far away.

    Called with

    - a live Optuna trial whose decisions are taken, it sets each number on the trial (`trial.set_constraint`)
      and returns the numbers;
    - a `FrozenTrial`, it returns the numbers, so that it also works as `constraints_func=` of a sampler;
    - an `Architecture`, it returns the numbers;
    - `Candidates`, or any other batch that `Space.evaluate` takes, it returns an (N, M) float64 array.

    One candidate takes O(D) and holds the GIL; a batch takes O(N * D) and releases it, as `Space.evaluate` does. A
    constraint never changes, so it is safe to call from several threads.

    Args:
        space: The space.
        budget: The budget.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.lenet()
        >>> constraint = space.constraint(ab.Budget(params=60_000))
        >>> arch = space.architecture(f1=32, k1=5, f2=64, k2=5, units=128)
        >>> [round(float(each), 3) for each in constraint(arch)]  # log(184,586 / 60,000)
        [1.124]
    """

    @answering(refuse_loose_bounds)
    def __init__(self, space: Family, budget: Budget) -> None:
        require_budget(budget, "a constraint")
        self.space = space
        self.budget = budget
        bounds = []
        require_metrics(space.metrics, budget)
        parts = compiled(space)
        self._ends = parts.bounds(budget)
        self._steps = [parts.unit(metric).step for metric in parts.metrics]
        for metric, (low, high) in self._ends.items():
            position, unit = parts.metrics.index(metric), parts.unit(metric)
            lowest = -MOST if unit.signed else 0
            for name, sign, end in ((metric, 1, high), (f"{metric}_low", -1, low)):
                if (sign > 0 and end < MOST) or (sign < 0 and end > lowest):
                    logarithm = None if unit.signed or end < 1 else sign * math.log(end)
                    bounds.append((name, position, sign, end, logarithm))
        self._bounds = tuple(bounds)
        self._names = tuple(name for name, *_ in bounds)
        # A live trial is asked once for each network: plain dicts are several times faster than `Decision.index`.
        self._domains = tuple(
            (name, {(kind, value): index for index, value in enumerate(decision.values) for kind in _kinds(value)})
            for name, decision in space.decisions.items()
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The key of each of the M numbers: the metric, with `_low` for the lower end of a range."""
        return self._names

    def __eq__(self, other: object) -> bool:
        """Whether another constraint has an equal space and budget."""
        if not isinstance(other, Constraint):
            return NotImplemented
        return (self.budget, self.space) == (other.budget, other.space)

    def __hash__(self) -> int:
        return hash((self.space, self.budget))

    def __repr__(self) -> str:
        return f"<Constraint {self.budget.describe()}>"

    @overload
    def __call__(  # type: ignore[overload-overlap]  # An architecture is a mapping, but no batch.
        self, candidate: Architecture | optuna.trial.BaseTrial | optuna.trial.FrozenTrial
    ) -> tuple[float, ...]: ...

    @overload
    def __call__(self, candidate: CandidatesLike) -> npt.NDArray[np.float64]: ...

    def __call__(self, candidate: Any) -> tuple[float, ...] | npt.NDArray[np.float64]:
        """The numbers of one candidate, or of each candidate of a batch.

        Raises:
            SpaceError: If it is called with anything else, or a value is not in the domain of its decision.
        """
        if isinstance(candidate, Architecture):
            return self._numbers(candidate.indices)
        # A trial copies its parameters each time that it is asked for them.
        params = attribute(candidate, "params")
        if not (type(params) is dict or isinstance(params, Mapping)):
            return self._batch(candidate)
        numbers = self._numbers(self._indices(params))
        if isinstance(candidate, _live_trials()):
            set_constraint = candidate.set_constraint
            for name, number in zip(self._names, numbers, strict=True):
                set_constraint(name, number)
        return numbers

    def _indices(self, params: Mapping[str, Any]) -> list[int | None]:
        try:
            return [
                domain[type(value), value] if (value := params.get(name, domain)) is not domain else None
                for name, domain in self._domains
            ]
        except (KeyError, TypeError):
            # The decision raises the error that names the value.
            return self.space.indices_of(params)

    def _numbers(self, indices: Sequence[int | None]) -> tuple[float, ...]:
        cost = compiled(self.space).diagram.cost(indices)
        if cost is None:
            return (math.inf,) * len(self._bounds)
        return tuple(
            [
                _settle(
                    sign * (float(cost[position]) - float(bound)) * self._steps[position],
                    sign * (cost[position] - bound) > 0,
                )
                if log_bound is None
                else _settle(sign * math.log(cost[position]) - log_bound, sign * (cost[position] - bound) > 0)
                if cost[position]
                else -sign * math.inf
                for _, position, sign, bound, log_bound in self._bounds
            ]
        )

    def mask(
        self,
        candidates: CandidatesLike,
        *,
        out: npt.NDArray[np.bool_] | None = None,
        threads: int | None = None,
    ) -> npt.NDArray[np.bool_]:
        """Which candidates of a batch fit the budget: (N,) bool, False where a candidate cannot be built.

        No total is written: faster than to evaluate and to compare. O(N * D); releases the GIL.

        Args:
            candidates: `Candidates`, or any other batch that `Space.evaluate` takes.
            out: A contiguous array of N flags that is written and returned, in place of a new one.
            threads: The number of threads, as for `Space.evaluate`.

        Raises:
            SpaceError: As for `Space.evaluate`.
        """
        columns, rows = columns_of(self.space, candidates)
        if out is None:
            mask = new_array(rows, np.bool_)
        else:
            mask = check_array("out", out, rows, ("bool",))
            check_apart({"out": mask}, columns)
        self._fit(columns, rows, mask, threads)
        return mask

    def count(self, candidates: CandidatesLike, *, threads: int | None = None) -> int:
        """The number of candidates of a batch that can be built and fit the budget. As `mask`, and writes nothing.

        Raises:
            SpaceError: As for `Space.evaluate`.
        """
        return self._fit(*columns_of(self.space, candidates), None, threads)

    def _fit(self, columns: list[Any], rows: int, mask: npt.NDArray[np.bool_] | None, threads: int | None) -> int:
        bounds = [(metric, low, high) for metric, (low, high) in self._ends.items()]
        return compiled(self.space).diagram.fit(columns, rows, bounds, mask, threads=checked_threads(threads))

    @guarded
    def _batch(self, candidates: CandidatesLike) -> npt.NDArray[np.float64]:
        if not isinstance(candidates, (Candidates, np.ndarray)) and table_of(candidates) is None:
            raise SpaceError(
                "a constraint is called with a trial, an Architecture or Candidates, or a table of candidates, "
                f"not {show(candidates)}"
            )
        columns, rows = columns_of(self.space, candidates)
        # A column for each bound, in one piece.
        numbers = np.empty((len(self._bounds), rows))
        names = compiled(self.space).metrics
        counted = list(dict.fromkeys(names[position] for _, position, *_ in self._bounds))
        diagram = compiled(self.space).diagram
        block = min(rows, BLOCK)
        totals = {metric: np.empty(block, np.int64) for metric in counted}
        flags, valid = np.empty(block, np.bool_), np.empty(block, np.bool_)
        for start in range(0, rows, BLOCK):
            part = slice(start, min(start + BLOCK, rows))
            size = part.stop - part.start
            costs = {metric: array[:size] for metric, array in totals.items()}
            own = [_rows(column, part) for column in columns]
            try:
                diagram.evaluate(own, size, counted, list(costs.values()), valid[:size], threads=1)
            except SpaceError:
                # It counts rows from the block on; the whole batch says the right one.
                diagram.fit(columns, rows, [], None)
                raise
            for row, (_, position, sign, bound, log_bound) in enumerate(self._bounds):
                counted_costs = costs[names[position]]
                if log_bound is not None:
                    _distances(counted_costs, sign, bound, log_bound, numbers[row, part], flags[:size])
                    continue
                gaps = sign * (counted_costs.astype(np.float64) - float(bound)) * self._steps[position]
                outside = counted_costs > bound if sign > 0 else counted_costs < bound
                numbers[row, part] = np.where(outside, np.maximum(gaps, JUST_OUTSIDE), np.minimum(gaps, 0.0))
            if diagram.can_fail(counted):
                numbers[:, part][:, ~valid[:size]] = np.inf
        return numbers.T
