"""What a second thread brings, and what bounds it: `python benches/threads.py [--markdown]`.

The same work is done on one thread and on all, in turns. Gains by the clock depend on what else the machine does: those
of SHA-256, which needs no memory, are what it gives. By seconds of the processor a gain is the number of threads times
what one thread takes in parts of what all take together: less than their number where threads add work, or, when they
run at once, are in each other's way, as in memory.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

import archbudget as ab
from archbudget._machine import cores
from archbudget.bench.memory import floor
from search_quality import machine, show

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 8_000_000
CACHED = 40_000
"""Candidates of a batch that stays in the second level of the caches of a core, with its totals."""
TURNS = 15


def together(work: Callable[[], object], threads: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """The same amount of work on one thread after the other, and on all at once."""
    pool = ThreadPoolExecutor(threads)

    def all_at_once() -> None:
        for each in [pool.submit(work) for _ in range(threads)]:
            each.result()

    return lambda: [work() for _ in range(threads)], all_at_once


def contestants(threads: int) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    """Each work on one thread, and on all."""
    lenet, mobile = ab.spaces.lenet(), ab.spaces.ofa_mobilenet_v3()
    text = bytes(1 << 20)

    def cached(space: ab.Space, number: int) -> Callable[[], None]:
        small = space.sample(number, seed=0)

        def count() -> None:
            out = {"params": np.zeros(number, np.int64)}
            for _ in range(ROWS // number // (1 if space is lenet else 4)):
                space.evaluate(small, out=out, threads=1)

        return count

    drawn, many = lenet.sample(ROWS, seed=0), mobile.sample(ROWS // 4, seed=0)
    out = np.zeros(ROWS, np.int64)
    few = out[: len(many)]
    constraint = lenet.constraint(ab.Budget(params=100_000))
    columns = list(drawn.indices.T)
    one, every = floor(columns, 1), floor(columns, threads)
    return {
        "SHA-256 of cached text": together(lambda: [hashlib.sha256(text).digest() for _ in range(60)], threads),
        f"LeNet family, batches of {CACHED:,}": together(cached(lenet, CACHED), threads),
        f"MobileNetV3, batches of {CACHED // 4:,}": together(cached(mobile, CACHED // 4), threads),
        f"LeNet family, {ROWS:,} in memory": (
            lambda: lenet.evaluate(drawn, out={"params": out}, threads=1),
            lambda: lenet.evaluate(drawn, out={"params": out}, threads=threads),
        ),
        f"MobileNetV3, {ROWS // 4:,} in memory": (
            lambda: mobile.evaluate(many, out={"params": few}, threads=1),
            lambda: mobile.evaluate(many, out={"params": few}, threads=threads),
        ),
        f"count of those that fit, {ROWS:,} in memory": (
            lambda: constraint.count(drawn, threads=1),
            lambda: constraint.count(drawn, threads=threads),
        ),
        f"reading columns and filling totals, {ROWS:,} in memory": (lambda: one(out), lambda: every(out)),
    }


HEAD = ["work", "one thread", "all threads", "gain by the clock", "gain by seconds of the processor"]


def table() -> list[list[str]]:
    threads = cores()
    rows = []
    for name, pair in contestants(threads).items():
        for call in pair:
            call()
        clock: tuple[list[float], list[float]] = ([], [])
        processor: tuple[list[float], list[float]] = ([], [])
        for _ in range(TURNS):
            for place, call in enumerate(pair):
                start, used = time.perf_counter(), time.process_time()
                call()
                clock[place].append(time.perf_counter() - start)
                processor[place].append(time.process_time() - used)
        one, every = (statistics.median(times) for times in clock)
        alone, together_ = (statistics.median(times) for times in processor)
        gains = [f"{one / every:.2f}", f"{threads * alone / together_:.2f}"]
        rows.append([name, f"{1e3 * one:.1f} ms", f"{1e3 * every:.1f} ms", *gains])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    given = parser.parse_args()
    print(f"{machine()}; load {os.getloadavg()[0]:.1f}")
    show((f"1 and {cores()} threads", HEAD, table(), {}), markdown=given.markdown)


if __name__ == "__main__":
    main()
