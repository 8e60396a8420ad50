"""Writes docs/benchmarks.md and its plots: `make bench`, or `python benches/page.py`; some ten minutes."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import textwrap
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import optuna

import archbudget
import feasible
import peers
import threads
import throughput
from archbudget import bench
from archbudget._machine import cores

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

mpl.use("svg")
mpl.rcParams |= {"svg.hashsalt": "archbudget", "svg.fonttype": "none", "font.size": 10}

import matplotlib.pyplot as plt  # noqa: E402

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "benchmarks.md"
PACKAGES = ("numpy", "optuna", "numba", "jax", "keras", "torch", "ortools")


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def save(figure: Any, name: str) -> None:
    figure.savefig(DOCS / name, metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)


def plot_peers(results: list[dict[str, Any]]) -> None:
    """Candidates a second, on a logarithmic scale: the rate of archbudget times the ratio of each peer."""
    own = next(each["per_second"] for each in results if each["name"] == "archbudget")
    shown = [{**each, "per_second": own * each["ratio"]} for each in reversed(results) if "ratio" in each]
    figure, axes = plt.subplots(figsize=(7.5, 0.32 * len(shown) + 1))
    colours = ["#1f77b4" if each["name"] == "archbudget" else "#9aa5b1" for each in shown]
    bars = axes.barh([each["name"] for each in shown], [each["per_second"] for each in shown], color=colours, log=True)
    axes.bar_label(bars, [f"{each['per_second']:,.0f}" for each in shown], padding=3, fontsize=8)
    axes.set_xlabel("candidates a second (logarithmic)")
    axes.set_xlim(right=30 * max(each["per_second"] for each in shown))
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, "benchmarks-candidates.svg")


def plot_growth(rows: list[throughput.Grown]) -> None:
    """The time of a candidate against their number."""
    figure, axes = plt.subplots(figsize=(6, 3))
    numbers = [row.candidates for row in rows]
    axes.plot(numbers, [1e9 * row.clock for row in rows], marker="o", color="#9aa5b1", label="by the clock")
    axes.plot(numbers, [1e9 * row.processor for row in rows], marker="o", label="of the processor")
    axes.legend(frameon=False)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("candidates, streamed in chunks")
    axes.set_ylabel("nanoseconds a candidate")
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, "benchmarks-growth.svg")


def faster(results: list[dict[str, Any]]) -> str:
    """Which peers were faster, in a sentence."""
    found = [f"{each['name']} ({each['ratio']:.2f} times as fast)" for each in results if each.get("ratio", 0) > 1.0]
    found = [each for each in found if not each.startswith("archbudget")]
    return f"Faster than archbudget here: {', '.join(found)}." if found else "No peer was faster here."


def missed(rows: list[list[str]]) -> str:
    """Which targets were not reached, in a sentence."""
    names = []
    for what, _, beside, ratio, target in rows:
        words = target.split()
        if not words:
            continue
        reached = float(ratio) >= float(words[1]) if words[0] == ">=" else float(ratio) <= float(words[1])
        if not reached:
            names.append(f"{what} ({ratio} beside {beside.partition(':')[0]}, to reach {target})")
    return f"Not reached in this run: {'; '.join(names)}." if names else "All of them are reached in this run."


def bounded(rows: list[list[str]]) -> str:
    """What the table of threads says."""
    (_, *_, machine, _), *others = rows
    cached = [row for row in others if "batches" in row[0]]
    memory = [row for row in others if "in memory" in row[0]]
    return (
        f"By the clock, SHA-256, which reads nothing but a cached text, gained {machine} while this was measured: so "
        "much did the machine give. By seconds of the processor batches in the caches gain "
        f"{' and '.join(row[4] for row in cached)}, and what reads and writes memory "
        f"{', '.join(row[4] for row in memory)}, the last one memory alone: the nearer to {cores()}, the less threads "
        "add to the work, and the more it is the cores alone that bound it. Where SHA-256 gains "
        f"much less than {cores()}, threads had to wait for a core, and were not at the memory at once: then this run "
        "does not say what memory bounds."
    )


def why(on_threads: list[list[str]]) -> str:
    """What bounds the loops of batches: the bytes of a candidate, and what memory alone takes."""
    times = {row[0].partition(",")[0]: row for row in on_threads if "in memory" in row[0]}
    own, memory = times["LeNet family"], times["reading columns and filling totals"]
    read, write = 5, 8
    five = (read + 5 * write) / (read + write)
    narrow = (read + 5 * write / 2) / (read + write / 2)
    return (
        f"What bounds them: a candidate of the LeNet family is {read} bytes to read and, in int64, {write} to write. "
        f"On all cores archbudget takes {own[2]} for these {threads.ROWS:,} candidates, and reading the columns and "
        f"filling the totals, without any counting, {memory[2]} by NumPy: where the two are alike, memory bounds the "
        "loop more than counting does, as it does that of numba. Memory is what cores share: reading and "
        f"filling alone gain {memory[3]} by {cores()} threads. Five totals are {five:.2f} times the bytes of one, and "
        f"{narrow:.2f} times in uint32, so that they take as much longer where memory bounds both. The second table "
        "shows the same loops where memory does not: in the caches of one core."
    )


def versions() -> str:
    found = [f"archbudget {archbudget.__version__}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    return ", ".join(found)


def load() -> str:
    return ", ".join(f"{each:.1f}" for each in os.getloadavg())


def wrapped(text: str) -> str:
    """The text with its paragraphs wrapped, but for tables, headings and pictures."""
    paragraphs = [
        each if each.startswith(("|", "#", "!")) else textwrap.fill(" ".join(each.split()), 118, break_on_hyphens=False)
        for each in text.strip().split("\n\n")
    ]
    return "\n\n".join(paragraphs) + "\n"


def output(script: str) -> str:
    command = [sys.executable, str(Path(__file__).with_name(script))]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def page(rows: int) -> str:
    """The page; everything in it is measured here."""
    machine = bench.environment(())
    before, today = load(), datetime.now(timezone.utc).date()
    counting, sets = peers.every("counting"), peers.every("sets")
    plot_peers(counting)
    batches, one_core = throughput.batches(rows), throughput.one_core()
    grown = throughput.grown()
    plot_growth(grown)
    on_threads = threads.table()
    questions = throughput.questions()
    sets_of = {title: markdown(columns, make()) for title, (columns, make) in feasible.TABLES.items()}
    imports = output("imports.py")
    costs = [row.processor for row in grown]
    spread = max(costs) / min(costs)
    instructions = os.environ.get("ARCHBUDGET_INSTRUCTIONS", "the best instructions of the machine")
    return f"""# Benchmarks

`make bench` wrote this page and its plots ({today}): release builds, {machine["cpu"]}, {cores()} cores,
{instructions}; Python {machine["python"]}, {versions()}. The load of the machine was {before} when it began and
{load()} when it ended (averages of 1, 5 and 15 minutes, this page included): other programs ran on it where that is
more than {cores()}. So look at the ratios: what is compared takes turns in one process, and medians are compared.
Everything counts the same before it is timed. [search-quality.md](search-quality.md) has how good searches are,
[spaces.md](spaces.md) how long each published space takes to compile; `archbudget bench SPACE` measures a space of
your own.

## Counting candidates

Parameters of networks of the LeNet family (`archbudget.spaces.lenet()`, 73,728 networks) by `python
benches/peers.py`. Fast ones get {peers.ROWS:,} candidates as columns of 8-bit indices, and write new totals;
builders get a few, as values. Memory is what one call takes at most beside what the process held before, and what
the process holds beside an empty one, packages included.

{markdown(peers.HEADS["counting"], peers.table("counting", counting))}

{faster(counting)}

Those that build a network count more than parameters, and shapes; they are here because that is
how budgets are checked today.

![candidates a second](benchmarks-candidates.svg)

## Counting a set

Networks of the family with at most {peers.BOUND:,} weights, each time from the description on:

{markdown(peers.HEADS["sets"], peers.table("sets", sets))}

{faster(sets)}

The others list the set, or all 73,728 networks, so their time grows with its size; that of archbudget grows with its
diagram:

{sets_of["counts"]}

Samples of sets that are a millionth of their space, beside rejection:

{sets_of["samples"]}

Sets written out, and the choices that a partial network still has:

{sets_of["members"]}

{sets_of["allowed"]}

Sets that are counted one by one, beside brute force:

{sets_of["brute force"]}

## The loops of batches

By `python benches/throughput.py`: {rows:,} candidates a batch. Arrays are written again in each call (`out=`), but
where it says otherwise; "numba" is a handwritten parallel loop that does the same, "memory" only reads the columns
as words and fills the output, by NumPy's loops on all cores.

{markdown(["work", "archbudget", "beside", "ratio", "to reach"], batches)}

{missed(batches)}

{why(on_threads)}

One core, 100,000 candidates, so that all stays in the caches; the fastest of 100 turns in seconds of the processor:

{markdown(["work", "rate"], one_core)}

## Any number of candidates

Chunks of {throughput.CHUNK:,} into one array that is kept; each time is that of a hundred million candidates or
more:

{markdown(throughput.GROWTH, throughput.growth(grown))}

By seconds of the processor, which other programs change least, the dearest row is
{100 * (spread - 1):.0f} % above the cheapest. `tests/files/test_streaming.py` holds the memory
of ten million candidates from files against that of one million.

![nanoseconds a candidate](benchmarks-growth.svg)

## Threads

By `python benches/threads.py`: the same work on one thread, and on all.

{markdown(threads.HEAD, on_threads)}

{bounded(on_threads)}

## Other questions

By `python benches/throughput.py`:

{markdown(["question", "rate or time"], questions)}

## Importing

By `python benches/imports.py`, processes in turns, medians of 21:

{imports}

## Instructions

`make instructions` counts the instructions of the kernels under valgrind, which no other program changes, and holds
them against `benches/instructions.json`. """


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=8_000_000, help="candidates of a batch (8,000,000)")
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    PAGE.write_text(wrapped(page(given.rows)), encoding="utf-8")
    print(f"{PAGE} is written")


if __name__ == "__main__":
    main()
