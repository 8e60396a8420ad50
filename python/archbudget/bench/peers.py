"""Counting throughput compared with handwritten code, in one run.

All peers count the weights of the same candidates of the LeNet family, from the same columns of 8-bit indices into new
int64 totals. Peers that are not installed are omitted. Builders of real networks get fewer candidates, as they need
seconds for a thousand.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from archbudget._budget import Budget
from archbudget._extras import imported
from archbudget._guard import guarded
from archbudget._message import show
from archbudget.bench import lenet as by_hand
from archbudget.bench.memory import floor
from archbudget.bench.timing import in_turns
from archbudget.errors import MissingPackageError, SpaceError
from archbudget.spaces import lenet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archbudget.bench.lenet import Columns, Totals

    Count = Callable[[], Totals]

MOST_REPEATS = 10_000

PEERS = ("archbudget", "numpy", "numba", "memory", "torch", "keras")
"""The peers to measure; `memory` reads the same columns as words, fills a new output, and does nothing else."""


@guarded
def run(rows: int = 10_000_000, repeats: int = 7, peers: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Measures each peer `repeats` times, in turns.

    Args:
        rows: The number of candidates that fast peers count; builders get the first few of them.
        repeats: How often each peer is measured.
        peers: Some of `PEERS`; all that are installed by default.

    Returns:
        For each peer `name`, `rows`, `median_seconds`, `fastest_seconds`, `per_second` (by the median) and `ratio`
        (archbudget's rate over the peer's).

    Raises:
        SpaceError: If a peer is unknown, or a number is not positive.
    """
    unknown = [peer for peer in peers or () if peer not in PEERS]
    if unknown:
        raise SpaceError(f"unknown peers {', '.join(unknown)}; there are {', '.join(PEERS)}")
    check_number("rows", rows)
    check_number("repeats", repeats, MOST_REPEATS)
    space = lenet()
    candidates = space.sample(rows, seed=0)
    columns = [candidates.indices[:, column] for column in range(len(space.decisions))]
    truth = space.evaluate(candidates, ["params"])["params"]

    contestants: dict[str, tuple[int, Count]] = {}
    makers: dict[str, tuple[int, Callable[[Columns], Count]]] = {
        "archbudget": (rows, lambda _: lambda: space.evaluate(candidates, ["params"])["params"]),
        "numpy": (rows, lambda part: lambda: by_hand.by_numpy(part)),
        "numba": (rows, _numba),
        "memory": (rows, _memory),
        "torch": (min(rows, 300), _torch),
        "keras": (min(rows, 20), _keras),
    }
    for name in PEERS:
        if peers is not None and name not in {*peers, "archbudget"}:
            continue
        count, make = makers[name]
        part = [column[:count] for column in columns]
        try:
            contestant = make(part)
        except MissingPackageError:
            continue
        if name != "memory" and not np.array_equal(contestant(), truth[:count]):
            raise AssertionError(f"{name} counts other totals")
        contestants[name] = (count, contestant)

    seconds = in_turns({name: contestant for name, (_, contestant) in contestants.items()}, repeats)
    rates = {name: contestants[name][0] / statistics.median(times) for name, times in seconds.items()}
    return [
        {
            "name": name,
            "rows": contestants[name][0],
            "median_seconds": statistics.median(times),
            "fastest_seconds": min(times),
            "per_second": rates[name],
            "ratio": rates["archbudget"] / rates[name],
        }
        for name, times in seconds.items()
    ]


def check_number(name: str, number: object, most: int | None = None) -> None:
    """Refuses what is not a positive integer.

    Raises:
        SpaceError: If it is not, or is more than `most`.
    """
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise SpaceError(f"{name} must be at least 1, not {show(number)}")
    if most is not None and number > most:
        raise SpaceError(f"{name} must be at most {most:,}, not {show(number)}")


@guarded
def constraint_call(repeats: int = 200) -> dict[str, float]:
    """Measures the constraint function of the LeNet family, as Optuna calls it: median seconds of one call.

    Returns:
        `frozen_trial`: for a finished trial; `live_trial`: for a running one in memory, where it sets the numbers.
    """
    import optuna

    check_number("repeats", repeats, MOST_REPEATS)
    space = lenet()
    constraint = space.constraint(Budget(params=100_000, macs=5_000_000))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seconds: dict[str, list[float]] = {"frozen_trial": [], "live_trial": []}
    for _ in range(repeats):
        trial = study.ask()
        space.suggest(trial)
        frozen = study.get_trials(deepcopy=False)[-1]
        for name, asked in (("frozen_trial", frozen), ("live_trial", trial)):
            start = time.perf_counter()
            constraint(asked)
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def _numba(columns: Columns) -> Count:
    loop = by_hand.numba_loop()

    def count() -> Totals:
        out = np.empty(len(columns[0]), np.int64)
        loop(*columns, out)
        return out

    return count


def _memory(columns: Columns) -> Count:
    def fill() -> Totals:
        out = np.empty(len(columns[0]), np.int64)
        read(out)
        return out

    read = floor(columns)
    return fill


def _torch(columns: Columns) -> Count:
    imported("torch", "the peer torch")
    candidates = by_hand.values_of(columns)
    return lambda: np.array([by_hand.torch_params(candidate) for candidate in candidates])


def _keras(columns: Columns) -> Count:
    candidates = by_hand.values_of(columns)
    by_hand.keras_network(*candidates[0])  # Says at once whether Keras is installed.
    return lambda: np.array([int(by_hand.keras_network(*each).count_params()) for each in candidates])
