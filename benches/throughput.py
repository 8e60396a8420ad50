"""The speed of batches, as ratios of one run: `python benches/throughput.py [--markdown]`; needs numba.

Each row compares archbudget with handwritten code, with another form of the same question, or with the memory of the
machine. Those that are compared take turns, and the medians are compared. `ARCHBUDGET_INSTRUCTIONS=avx2` (or
`baseline`) measures the loops of other machines. Handwritten code must count the same before it is timed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import timeit
from typing import TYPE_CHECKING, Any, NamedTuple

import numba
import numpy as np
import optuna

import archbudget as ab
from archbudget import layers
from archbudget.bench.lenet import by_numpy, numba_loop
from archbudget.bench.memory import floor, taken
from archbudget.bench.timing import medians
from search_quality import machine, show

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]

TURNS = 9


@numba.njit(parallel=True)  # type: ignore[untyped-decorator]
def wide_by_hand(first: Array, second: Array, out: Array) -> None:
    """Params of two convolutions."""
    for i in numba.prange(len(out)):
        a, b = np.int32(first[i]) + 1, np.int32(second[i]) + 1
        out[i] = 28 * a + (9 * a + 1) * b


def batches(n: int) -> list[list[str]]:
    """Batches of one space and of three."""
    lenet, mobile = ab.spaces.lenet(), ab.spaces.ofa_mobilenet_v3()
    wide = ab.Space(
        [
            layers.Input((32, 32, 3)),
            *(layers.Conv2D(ab.Int(name, 1, 512), 3, padding="same") for name in ("first", "second")),
        ]
    )
    drawn = lenet.sample(n, seed=0)
    in_rows = ab.Candidates(lenet, np.ascontiguousarray(drawn.indices))
    columns = list(drawn.indices.T)
    lenet_by_hand, memory = numba_loop(), floor(columns)
    out, hand = np.zeros(n, np.int64), np.zeros(n, np.int64)
    narrow, mask = np.zeros(n, np.uint32), np.zeros(n, np.bool_)
    five = {metric: np.zeros(n, np.int64) for metric in lenet.metrics}
    five_narrow = {metric: np.zeros(n, np.uint32) for metric in lenet.metrics}
    budget = ab.Budget(params=100_000)
    lenet.evaluate(drawn, out={"params": out})
    lenet_by_hand(*columns, hand)
    assert np.array_equal(out, hand)
    assert np.array_equal(out, by_numpy(columns))
    assert budget.count(drawn) == int((out <= 100_000).sum())

    few = max(n // 4, 8)
    many = mobile.sample(few, seed=0)
    many_memory = floor(list(many.indices.T))
    two = wide.sample(n, seed=0)
    two_columns = list(two.indices.T)
    wide.evaluate(two, out={"params": out})
    wide_by_hand(*two_columns, hand)
    assert np.array_equal(out, hand)

    took = medians(
        {
            "fresh": lambda: lenet.evaluate(drawn, ["params"]),
            "reused": lambda: lenet.evaluate(drawn, out={"params": out}),
            "uint32": lambda: lenet.evaluate(drawn, out={"params": narrow}),
            "alone": lambda: lenet.evaluate(drawn, out={"params": out}, threads=1),
            "rows": lambda: lenet.evaluate(in_rows, out={"params": out}),
            "five": lambda: lenet.evaluate(drawn, out=five),
            "five uint32": lambda: lenet.evaluate(drawn, out=five_narrow),
            "count": lambda: budget.count(drawn),
            "mask": lambda: lenet.constraint(budget).mask(drawn, out=mask),
            "constraint": lambda: lenet.constraint(budget)(drawn),
            "numba": lambda: lenet_by_hand(*columns, hand),
            "memory": lambda: memory(hand),
            "numpy": lambda: by_numpy(columns),
            "mobile": lambda: mobile.evaluate(many, out={"params": out[:few]}),
            "mobile memory": lambda: many_memory(hand[:few]),
            "wide": lambda: wide.evaluate(two, out={"params": out}),
            "wide numba": lambda: wide_by_hand(*two_columns, hand),
        },
        TURNS,
    )

    def rate(name: str) -> str:
        return f"{(few if name.startswith('mobile') else n) / took[name] / 1e6:,.0f} M/s"

    def row(what: str, name: str, other: str, ratio: float, target: str) -> list[str]:
        return [what, rate(name), f"{other}: {rate(other)}", f"{ratio:.2f}", target]

    return [
        row("LeNet family, columns, reused int64", "reused", "numba", took["numba"] / took["reused"], ">= 1.5"),
        row("the same", "reused", "numpy", took["numpy"] / took["reused"], ">= 25"),
        row("the same", "reused", "memory", took["memory"] / took["reused"], ">= 0.4"),
        row("reused uint32", "uint32", "numba", took["numba"] / took["uint32"], ""),
        row("a new int64 array each time", "fresh", "reused", took["reused"] / took["fresh"], ""),
        row("rows", "rows", "reused", took["reused"] / took["rows"], ">= 0.75"),
        row("five metrics, time of params alone", "five", "reused", took["five"] / took["reused"], "<= 2.5"),
        row("five metrics in uint32, time of params in it", "five uint32", "uint32",
            took["five uint32"] / took["uint32"], "<= 2.5"),
        row("count of those that fit", "count", "reused", took["reused"] / took["count"], ">= 1.3"),
        row("mask of those that fit", "mask", "reused", took["reused"] / took["mask"], ">= 1.3"),
        row("numbers of a constraint", "constraint", "reused", took["reused"] / took["constraint"], ""),
        row("MobileNetV3, 45 decisions", "mobile", "mobile memory", took["mobile memory"] / took["mobile"], ">= 0.8"),
        row("two convolutions of 1 to 512, uint16", "wide", "wide numba", took["wide numba"] / took["wide"], ">= 1.2"),
        row("all threads", "reused", "alone", took["alone"] / took["reused"], ">= 1.9 of 2"),
    ]  # fmt: skip


def one_core() -> list[list[str]]:
    """Batches that stay in the caches, on one thread, by the fastest of many turns in seconds of the processor.

    Other work on the machine changes these least.
    """
    n = 100_000
    lenet, mobile = ab.spaces.lenet(), ab.spaces.ofa_mobilenet_v3()
    drawn, many = lenet.sample(n, seed=0), mobile.sample(n, seed=0)
    in_rows = ab.Candidates(lenet, np.ascontiguousarray(drawn.indices))
    columns = list(drawn.indices.T)
    narrow, out = np.zeros(n, np.uint32), np.zeros(n, np.int64)
    five = {metric: np.zeros(n, np.uint32) for metric in lenet.metrics}
    constraint = lenet.constraint(ab.Budget(params=100_000))
    lenet_by_hand = numba_loop()
    numba.set_num_threads(1)
    contestants: dict[str, Callable[[], object]] = {
        "LeNet family, params in int64": lambda: lenet.evaluate(drawn, out={"params": out}, threads=1),
        "by hand, numba, int64": lambda: lenet_by_hand(*columns, out),
        "params in uint32": lambda: lenet.evaluate(drawn, out={"params": narrow}, threads=1),
        "from rows": lambda: lenet.evaluate(in_rows, out={"params": narrow}, threads=1),
        "five metrics in uint32": lambda: lenet.evaluate(drawn, out=five, threads=1),
        "count of those that fit": lambda: constraint.count(drawn, threads=1),
        "MobileNetV3, params in uint32": lambda: mobile.evaluate(many, out={"params": narrow}, threads=1),
    }
    rows = []
    for name, contestant in contestants.items():
        contestant()
        seconds = []
        for _ in range(100):
            start = time.process_time()
            contestant()
            seconds.append(time.process_time() - start)
        rows.append([name, f"{n / min(seconds) / 1e6:,.0f} M/s"])
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    return rows


CHUNK = 100_000
"""The candidates of a chunk where they are streamed."""


class Grown(NamedTuple):
    """What so many candidates take."""

    candidates: int
    clock: float
    """Seconds a candidate."""
    processor: float
    """Seconds of the processor a candidate, on all threads together."""
    memory: int | None
    """Bytes that the call takes at most."""


def grown() -> list[Grown]:
    """A hundred thousand to a billion candidates, in chunks into one array.

    Each time is that of at least a hundred million candidates, and the median of three turns.
    """
    space = ab.spaces.lenet()
    drawn, array = space.sample(CHUNK, seed=0), np.zeros(CHUNK, np.int64)
    out = {"params": array}

    def stream(n: int) -> None:
        for _ in range(n // CHUNK):
            space.evaluate(drawn, out=out)

    numbers = [10**exponent for exponent in range(5, 10)]
    memory = {n: taken(lambda n=n: stream(n)) for n in numbers}  # type: ignore[misc]
    turns: dict[int, list[tuple[float, float]]] = {n: [] for n in numbers}
    for _ in range(3):
        for n in numbers:
            times = max(1, 10**8 // n)
            start, used = time.perf_counter(), time.process_time()
            for _ in range(times):
                stream(n)
            took = (time.perf_counter() - start, time.process_time() - used)
            turns[n].append((took[0] / times / n, took[1] / times / n))
    each = {n: [statistics.median(column) for column in zip(*rows, strict=True)] for n, rows in turns.items()}
    return [Grown(n, each[n][0], each[n][1], memory[n]) for n in numbers]


def growth(rows: list[Grown]) -> list[list[str]]:
    """The rows of a table of what `grown` measured."""
    return [
        [
            f"{row.candidates:,}",
            f"{1e9 * row.clock:.2f} ns",
            f"{1e9 * row.processor:.2f} ns",
            f"{row.processor / rows[0].processor:.2f}",
            f"{(row.memory or 0) / 2**20:.1f} MiB",
        ]
        for row in rows
    ]


GROWTH = ["candidates", "each, by the clock", "each, of the processor", "of the first row", "memory of the call"]


def questions() -> list[list[str]]:
    """Draws, layers, and single networks."""
    lenet, mobile = ab.spaces.lenet(), ab.spaces.ofa_mobilenet_v3()
    rows = []
    for name, space, n in (("LeNet family", lenet, 10**6), ("MobileNetV3", mobile, 10**5)):
        low, high = space.range("params")
        fits = space.within(ab.Budget(params=(low + high) // 2))
        fits.sample(1)
        took = medians({"space": lambda s=space, k=n: s.sample(k, 1), "fits": lambda f=fits, k=n: f.sample(k, 1)}, 5)
        rows += [
            [f"samples, {name}", f"{n / took['space'] / 1e6:.1f} M/s"],
            [f"samples inside a budget, {name}", f"{n / took['fits'] / 1e6:.2f} M/s"],
        ]
    for name, space in (("LeNet family", lenet), ("MobileNetV3", mobile)):
        few = space.sample(50_000, seed=0)
        took = medians({"layers": lambda s=space, c=few: s.evaluate(c, ["params"], per_layer=True, threads=1)}, 3)
        rate = len(few) * len(space.layer_names) / took["layers"] / 1e6
        rows.append([f"layer by layer, one thread, {name}", f"{rate:.1f} M layers/s"])

    def microseconds(call: Callable[[], object]) -> float:
        return statistics.median(timeit.repeat(call, number=500, repeat=9)) / 500 * 1e6

    values = {"f1": 32, "k1": 5, "f2": 64, "k2": 5, "units": 128}
    rows.append(["one architecture(...).params", f"{microseconds(lambda: lenet.architecture(values).params):.1f} us"])
    constraint = lenet.constraint(ab.Budget(params=100_000, macs=5_000_000))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    all_of_it, optunas = [], []
    for _ in range(300):
        trial, other = study.ask(), study.ask()
        lenet.suggest(trial)
        start = time.perf_counter()
        constraint(trial)
        middle = time.perf_counter()
        _ = trial.params
        for key in constraint.names:
            other.set_constraint(key, 0.5)
        all_of_it.append(middle - start)
        optunas.append(time.perf_counter() - middle)
    whole, theirs = (statistics.median(times) * 1e6 for times in (all_of_it, optunas))
    rows.append(["a constraint on a live trial, less what Optuna takes", f"{whole - theirs:.1f} us of {whole:.1f} us"])
    return rows


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=8_000_000, help="candidates of a batch (8,000,000)")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    limit = os.environ.get("ARCHBUDGET_INSTRUCTIONS", "the best instructions that the machine has")
    print(f"{machine()}, numba {numba.__version__}, {limit}; load {os.getloadavg()[0]:.1f}")
    head = ["work", "archbudget", "beside", "ratio", "to reach"]
    show((f"{given.rows:,} candidates a batch", head, batches(given.rows), {}), markdown=given.markdown)
    show(("one core, 100,000 candidates a batch", ["work", "rate"], one_core(), {}), markdown=given.markdown)
    show(("streamed", GROWTH, growth(grown()), {}), markdown=given.markdown)
    show(("other questions", ["question", "rate or time"], questions(), {}), markdown=given.markdown)


if __name__ == "__main__":
    main()
