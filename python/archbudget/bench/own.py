"""The measurements of one space: what counting, sampling and compiling take there, in at most a minute."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from archbudget._budget import Budget, require_metrics
from archbudget._core import MEMORY
from archbudget._guard import guarded
from archbudget._machine import cores
from archbudget.bench.memory import floor, resident
from archbudget.bench.peers import MOST_REPEATS, check_number
from archbudget.bench.timing import in_turns, medians
from archbudget.errors import LimitError, SpaceError
from archbudget.space.candidates import Candidates
from archbudget.space.space import Space, require_space

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from archbudget.bench.timing import Contestants

MOST_ROWS = 8_000_000
MOST_BYTES = 256 << 20
"""The most bytes of candidates and totals together, unless a number of rows is given."""

CALL = 0.05
"""Seconds that one count of all candidates should take."""

DRAW = 0.3
"""Seconds that one call should draw samples for."""

CACHED = 512 << 10
"""Bytes of a batch and its totals that stay in the second-level cache of a core."""

MOST_LAYERS = 2_000_000
"""The most layers of a batch that are counted one by one."""

LIMITS = {"count": 20.0, "cached": 5.0, "sample": 4.0, "layers": 4.0, "compile": 4.0}
"""Seconds after which no further turn of a group begins; together well below a minute."""


@guarded
def measure(
    space: Space,
    budget: Budget | None = None,
    rows: int | None = None,
    repeats: int = 7,
    memory: int = MEMORY,
) -> dict[str, Any]:
    """Measures a space: the rates of counting, of masks, of samples and of layers, and how long it takes to compile.

    Those of a group are measured in turns, and their medians are compared. It takes at most a minute, unless a single
    call takes many seconds.

    Args:
        space: The space.
        budget: What masks and counts compare with, and what samples fit; without one masks and counts compare params
            with their median in the batch.
        rows: The number of candidates; by default as many as are counted in some 50 ms, at most 8 million.
        repeats: The most turns of each measurement.
        memory: The most bytes that the count inside the budget may take.

    Returns:
        `rows`, `budget`; `measurements`: a list of dicts with `work`, `number` (candidates, or layers where the work is
        layers), `median_seconds` of a call, `per_second`, and `ratio`, its rate over that of the work named `beside`,
        `None` without one; `not_measured`: why some work was left out; `compile_seconds`; `feasible_seconds`, in which
        the set inside the budget gave its first sample; and `memory` in bytes: `batch` of candidates and totals, and
        `process`, the most that this process has held.

    Raises:
        SpaceError: If a number is not positive, or the space has no decisions.
        InfeasibleBudgetError: If no network fits the budget.
    """
    require_space(space, "measure")
    if not space.decisions:
        raise SpaceError("the space has no decisions: there is one network, and nothing to measure")
    if budget is not None:
        require_metrics(space.metrics, budget)
    if rows is not None:
        check_number("rows", rows)
    check_number("repeats", repeats, MOST_REPEATS)
    return _Bench(space, budget, rows, repeats, memory).result()


class _Bench:
    """The measurements of one space."""

    def __init__(self, space: Space, budget: Budget | None, rows: int | None, repeats: int, memory: int) -> None:
        self.space, self.budget, self.repeats, self.memory = space, budget, repeats, memory
        self.drawn = space.sample(rows or self._usual_rows(), seed=0)
        self.rows = len(self.drawn)
        self.measurements: list[dict[str, Any]] = []
        self.not_measured: dict[str, str] = {}

    def result(self) -> dict[str, Any]:
        """All measurements."""
        batch = self._count()
        self._cached()
        feasible_seconds = self._samples()
        self._layers()
        return {
            "rows": self.rows,
            "budget": None if self.budget is None else {name: list(bounds) for name, bounds in self.budget.items()},
            "measurements": self.measurements,
            "not_measured": self.not_measured,
            "compile_seconds": self._compile(),
            "feasible_seconds": feasible_seconds,
            "memory": {"batch": batch, "process": resident()},
        }

    def _usual_rows(self) -> int:
        """As many candidates as one call counts in `CALL` seconds."""
        rows, most = 256, MOST_BYTES // self._bytes_each(len(self.space.metrics))
        while rows < min(MOST_ROWS, most):
            few = self.space.sample(rows, seed=0)
            self.space.evaluate(few, ["params"])
            start = time.perf_counter()
            self.space.evaluate(few, ["params"])
            seconds = time.perf_counter() - start
            if seconds > CALL / 4:
                return int(min(MOST_ROWS, most, max(256, rows * CALL / seconds)))
            rows *= 4
        return min(rows, MOST_ROWS, most)

    def _bytes_each(self, totals: int) -> int:
        """Bytes of a candidate as 8-bit or wider indices in columns, in rows and as int64, and of its totals."""
        return 11 * len(self.space.decisions) + 8 * totals + 1

    def _compare(self, group: str, contestants: Contestants, rows: int, beside: dict[str, str]) -> None:
        """Measures contestants in turns, each with the one that it is compared with."""
        seconds = in_turns(contestants, self.repeats, LIMITS[group])
        rates = {name: rows / statistics.median(times) for name, times in seconds.items()}
        for name, times in seconds.items():
            other = beside.get(name)
            self.measurements.append(
                {
                    "work": name,
                    "number": rows,
                    "median_seconds": statistics.median(times),
                    "per_second": rates[name],
                    "ratio": None if other is None else rates[name] / rates[other],
                    "beside": other,
                }
            )

    def _count(self) -> int:
        """Counts all candidates, given in several ways; returns the bytes of the batch and its totals."""
        space, drawn, rows = self.space, self.drawn, self.rows
        params = {"params": np.zeros(rows, np.int64)}
        every = {name: np.zeros(rows, np.int64) for name in space.metrics}
        in_rows = Candidates(space, np.ascontiguousarray(drawn.indices))
        indices, values = drawn.indices.astype(np.int64), drawn.values()
        mask = np.zeros(rows, np.bool_)
        space.evaluate(drawn, out=params)
        constraint = space.constraint(self.budget or Budget(params=_median(params["params"])))
        read = floor([drawn.indices[:, column] for column in range(drawn.indices.shape[1])])
        columns = "params, columns, reused output"
        contestants: dict[str, Callable[[], object]] = {
            columns: lambda: space.evaluate(drawn, out=params),
            "params, one thread": lambda: space.evaluate(drawn, out=params, threads=1),
            "params, a new output": lambda: space.evaluate(drawn, ["params"]),
            "params, rows": lambda: space.evaluate(in_rows, out=params),
            "params, int64 indices": lambda: space.evaluate(indices, out=params),
            "params, values by name": lambda: space.evaluate(values, out=params),
            "all metrics, reused outputs": lambda: space.evaluate(drawn, out=every),
            "mask of those that fit": lambda: constraint.mask(drawn, out=mask),
            "count of those that fit": lambda: constraint.count(drawn),
            "memory: columns read, output filled, nothing counted": lambda: read(params["params"]),
        }
        self._compare("count", contestants, rows, {name: columns for name in contestants if name != columns})
        return int(drawn.indices.nbytes + sum(array.nbytes for array in every.values()))

    def _cached(self) -> None:
        """Counts a small batch again and again, so that only the cores matter: on one, and on all at once."""
        space, threads = self.space, cores()
        each = len(space.decisions) * self.drawn.indices.itemsize + 8
        small = self.drawn[: max(1, min(self.rows, CACHED // each))]
        calls = max(1, self.rows // len(small))

        def count(_: int) -> None:
            out = {"params": np.zeros(len(small), np.int64)}
            for _ in range(calls):
                space.evaluate(small, out=out, threads=1)

        with ThreadPoolExecutor(threads) as pool:
            one, every = "params in the caches, one core", f"params in the caches, {threads} cores"
            contestants: dict[str, Callable[[], object]] = {one: lambda: list(map(count, range(threads)))}
            if threads > 1:
                contestants[every] = lambda: list(pool.map(count, range(threads)))
            self._compare("cached", contestants, threads * calls * len(small), {every: one})

    def _samples(self) -> float | None:
        """Draws candidates of the space and inside the budget; returns how long the set took until its first sample."""
        space, budget = self.space, self.budget
        self._draw("samples of the space", lambda number: space.sample(number, seed=1))
        if budget is None:
            return None
        work = "samples inside the budget"
        start = time.perf_counter()
        fits = space.within(budget, memory=self.memory)
        try:
            fits.sample(1, seed=0)
        except LimitError as error:
            self.not_measured[work] = str(error)
        else:
            seconds = time.perf_counter() - start
            self._draw(work, lambda number: fits.sample(number, seed=1))
            return seconds
        return None

    def _draw(self, work: str, draw: Callable[[int], object]) -> None:
        """Measures draws, of as many candidates as take a good part of a second."""
        number = min(self.rows, 1000)
        start = time.perf_counter()
        draw(number)
        seconds = time.perf_counter() - start
        number = min(self.rows, int(number * max(1, DRAW / seconds)))
        self._compare("sample", {work: lambda: draw(number)}, number, {})

    def _layers(self) -> None:
        """Counts layer by layer."""
        space = self.space
        each = len(space.layer_names)
        few = self.drawn[: max(1, min(self.rows, MOST_LAYERS // each))]
        work = "layers, each with params and shape"
        self._compare("layers", {work: lambda: space.evaluate(few, ["params"], per_layer=True)}, len(few) * each, {})

    def _compile(self) -> float:
        """The seconds in which the space is compiled anew."""
        again = {"compile": lambda: self.space.with_constraints(())}
        return medians(again, self.repeats, LIMITS["compile"])["compile"]


def _median(totals: npt.NDArray[np.int64]) -> int:
    """The median of the totals, at least 1."""
    middle = len(totals) // 2
    return max(1, int(np.partition(totals, middle)[middle]))
