"""Counting throughput compared with handwritten code, in one run.

All peers count the weights of the same candidates of the LeNet family: 2 convolutions and 2 dense layers on 28x28x1,
73,728 networks, from the same columns of 8-bit indices into new int64 totals. Peers that are not installed are
omitted. Builders of real networks get fewer candidates, as they need seconds for a thousand.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from archbudget._budget import Budget
from archbudget._extras import imported
from archbudget._guard import guarded
from archbudget._machine import cores, cpu
from archbudget._message import show
from archbudget.errors import MissingPackageError, SpaceError
from archbudget.spaces import lenet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Columns = Sequence[npt.NDArray[np.uint8]]

MOST_REPEATS = 10_000

PEERS = ("archbudget", "numpy", "numba", "memory", "torch", "keras")
"""The peers to measure; `memory` reads the same columns as words, fills a new output, and does nothing else."""

WIDTHS = np.arange(8, 129, 8)
KERNELS = np.array([3, 5, 7])
UNITS = np.arange(16, 513, 16)


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
    for name, number in (("rows", rows), ("repeats", repeats)):
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise SpaceError(f"{name} must be at least 1, not {show(number)}")
    if repeats > MOST_REPEATS:
        raise SpaceError(f"repeats must be at most {MOST_REPEATS:,}, not {show(repeats)}")
    space = lenet()
    candidates = space.sample(rows, seed=0)
    columns = [candidates.indices[:, column] for column in range(len(space.decisions))]
    truth = space.evaluate(candidates, ["params"])["params"]

    contestants: dict[str, tuple[int, Callable[[], npt.NDArray[np.int64]]]] = {}
    makers: dict[str, tuple[int, Callable[[Columns], Callable[[], npt.NDArray[np.int64]]]]] = {
        "archbudget": (rows, lambda _: lambda: space.evaluate(candidates, ["params"])["params"]),
        "numpy": (rows, _numpy),
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
        totals = contestant()  # Compiles, warms up, and proves that all count the same.
        if name != "memory" and not np.array_equal(totals, truth[:count]):
            raise AssertionError(f"{name} counts other totals")
        contestants[name] = (count, contestant)

    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, (_, contestant) in contestants.items():
            start = time.perf_counter()
            contestant()
            seconds[name].append(time.perf_counter() - start)
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


def constraint_call(repeats: int = 200) -> dict[str, float]:
    """Measures the constraint function of the LeNet family, as Optuna calls it: median seconds of one call.

    Returns:
        `frozen_trial`: for a finished trial; `live_trial`: for a running one in memory, where it sets the numbers.
    """
    import optuna

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


def environment() -> dict[str, str]:
    """The machine and the versions, on which the numbers of a run depend."""
    versions = {"python": platform.python_version()}
    for package in ("archbudget", "numpy", "numba", "torch", "keras", "jax"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {"cpu": cpu(), "cores": str(cores()), **versions}


def _numpy(columns: Columns) -> Callable[[], npt.NDArray[np.int64]]:
    def count() -> npt.NDArray[np.int64]:
        f1, k1, f2, k2 = (domain[column] for domain, column in zip((WIDTHS, KERNELS) * 2, columns, strict=False))
        units = UNITS[columns[4]]
        side = ((28 - k1 + 1) // 2 - k2 + 1) // 2
        total: npt.NDArray[np.int64] = (k1 * k1 + 1) * f1 + (k2 * k2 * f1 + 1) * f2
        total += (side * side * f2 + 1) * units + (units + 1) * 10
        return total

    return count


def _numba(columns: Columns) -> Callable[[], npt.NDArray[np.int64]]:
    numba = imported("numba", "the peer numba")

    @numba.njit(parallel=True)  # type: ignore[untyped-decorator]
    def kernel(c0: Any, c1: Any, c2: Any, c3: Any, c4: Any) -> Any:
        out = np.empty(len(c0), np.int64)
        for i in numba.prange(len(c0)):
            f1, k1 = 8 * (np.int32(c0[i]) + 1), 2 * np.int32(c1[i]) + 3
            f2, k2 = 8 * (np.int32(c2[i]) + 1), 2 * np.int32(c3[i]) + 3
            units = 16 * (np.int32(c4[i]) + 1)
            side = ((28 - k1 + 1) // 2 - k2 + 1) // 2
            total = (k1 * k1 + 1) * f1 + (k2 * k2 * f1 + 1) * f2
            out[i] = total + (side * side * f2 + 1) * units + (units + 1) * 10
        return out

    return lambda: kernel(*columns)


def _memory(columns: Columns) -> Callable[[], npt.NDArray[np.int64]]:
    numba = imported("numba", "the peer memory")

    @numba.njit(parallel=True)  # type: ignore[untyped-decorator]
    def kernel(words: Any, rows: int) -> Any:
        out = np.empty(rows, np.int64)
        number = words.shape[1]
        for part in numba.prange(64):
            mixed = np.uint64(0)
            for column in range(words.shape[0]):
                for word in range(part * number // 64, (part + 1) * number // 64):
                    mixed ^= words[column, word]
            out[part * rows // 64 : (part + 1) * rows // 64] = np.int64(mixed)
        return out

    rows = len(columns[0])
    # Eight candidates in each word.
    words = np.array(columns)[:, : rows // 8 * 8].view(np.uint64)
    return lambda: kernel(words, rows)


def _values(columns: Columns) -> list[tuple[int, ...]]:
    domains = (WIDTHS, KERNELS, WIDTHS, KERNELS, UNITS)
    return list(zip(*(domain[column].tolist() for domain, column in zip(domains, columns, strict=True)), strict=True))


def _torch(columns: Columns) -> Callable[[], npt.NDArray[np.int64]]:
    torch = imported("torch", "the peer torch")
    nn = torch.nn

    candidates = _values(columns)

    def size(f1: int, k1: int, f2: int, k2: int, units: int) -> int:
        with torch.device("meta"):
            features = nn.Sequential(
                nn.Conv2d(1, f1, k1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(f1, f2, k2), nn.ReLU(), nn.MaxPool2d(2)
            )
            flat = features(torch.empty(1, 1, 28, 28)).flatten(1).shape[1]
            head = nn.Sequential(nn.Linear(flat, units), nn.ReLU(), nn.Dropout(), nn.Linear(units, 10))
            return sum(weight.numel() for part in (features, head) for weight in part.parameters())

    return lambda: np.array([size(*candidate) for candidate in candidates])


def _keras(columns: Columns) -> Callable[[], npt.NDArray[np.int64]]:
    os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras' own default needs TensorFlow.
    keras = imported("keras", "the peer keras")

    candidates = _values(columns)

    def size(f1: int, k1: int, f2: int, k2: int, units: int) -> int:
        model = keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                keras.layers.Conv2D(f1, k1, activation="relu"),
                keras.layers.MaxPooling2D(2),
                keras.layers.Conv2D(f2, k2, activation="relu"),
                keras.layers.MaxPooling2D(2),
                keras.layers.Dropout(0.25),
                keras.layers.Flatten(),
                keras.layers.Dense(units, activation="relu"),
                keras.layers.Dropout(0.5),
                keras.layers.Dense(10, activation="softmax"),
            ]
        )
        return int(model.count_params())

    return lambda: np.array([size(*candidate) for candidate in candidates])
