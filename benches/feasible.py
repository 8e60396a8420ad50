"""The questions to feasible sets, their times and answers: `python benches/feasible.py [--markdown]`.

Each time is the median of some runs on a new set, so that nothing is remembered from the run before.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

import archbudget as ab
from archbudget import bench, layers

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS = 5
SAMPLES = 1_000_000


def mobilenet_v3_like() -> ab.Space:
    """5 stages of 2 to 4 blocks, kernel 3, 5 or 7, expansion 3, 4 or 6: 2.18e19 networks."""

    def stage(number: int, width: int, stride: int) -> ab.Repeat:
        def block(index: int) -> list[layers.Layer]:
            expand = ab.Choice(f"expand_{number}_{index}", [3, 4, 6])
            kernel = ab.Choice(f"kernel_{number}_{index}", [3, 5, 7])
            strides = stride if index == 1 else 1
            return [
                layers.Conv2D(ab.channels() * expand, 1, use_bias=False),
                layers.BatchNormalization(),
                layers.DepthwiseConv2D(kernel, strides=strides, padding="same", use_bias=False),
                layers.BatchNormalization(),
                layers.Conv2D(width, 1, use_bias=False),
                layers.BatchNormalization(),
            ]

        return ab.Repeat(ab.Int(f"depth_{number}", 2, 4), block)

    stages = zip((24, 40, 80, 112, 160), (2, 2, 2, 1, 2), strict=True)
    return ab.Space(
        [
            layers.Input((224, 224, 3)),
            layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            *(stage(number, width, stride) for number, (width, stride) in enumerate(stages, 1)),
            layers.Conv2D(960, 1, use_bias=False),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1000),
        ]
    )


def convolutions(number: int, widths: Any) -> ab.Space:
    """This many 3x3 convolutions, each with one of these widths, and a dense head."""
    body = [layers.Conv2D(ab.Choice(f"w{i}", widths), 3, padding="same") for i in range(number)]
    return ab.Space([layers.Input((32, 32, 3)), *body, layers.GlobalAveragePooling2D(), layers.Dense(10)])


def twelve_convolutions() -> ab.Space:
    """12 convolutions of 32 widths each: 1.15e18 networks."""
    return convolutions(12, range(8, 257, 8))


def six_free_convolutions() -> ab.Space:
    """6 convolutions of 512 widths each: 1.8e16 networks."""
    return convolutions(6, range(1, 513))


def median(work: Callable[[], Any], runs: int = RUNS) -> tuple[float, Any]:
    """The median of the seconds of some runs, and what the last one gave."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), result


def shown(count: ab.Bounds[int]) -> str:
    """A count, or bounds and how close they are."""
    return f"{count:,}" if count.exact else f"{count:,} (ratio {count.ratio:.4f})"


def counts() -> list[list[str]]:
    """A row for each count, with its marginals and pruned space."""
    mobilenet = mobilenet_v3_like()
    params, macs = (mobilenet.distribution(metric).quantile(0.5) for metric in ("params", "macs"))
    cases: list[tuple[str, Callable[[], ab.Space], ab.Budget, str]] = [
        ("LeNet family", ab.spaces.lenet, ab.Budget(params=100_000), "11,675"),
        ("LeNet family", ab.spaces.lenet, ab.Budget(params=8_000), "61"),
        ("MobileNetV3-like", mobilenet_v3_like, ab.Budget(params=params), "exact, 1 s with compilation"),
        ("12 convolutions", twelve_convolutions, ab.Budget(params=100_000), "exact, 0.5 s"),
        ("6 free convolutions", six_free_convolutions, ab.Budget(params=1_000_000), "ratio 1.02, 10 s"),
        ("MobileNetV3-like", mobilenet_v3_like, ab.Budget(params=params, macs=macs), "ratio 1.02, 10 s"),
    ]
    rows = []
    for name, make, budget, reach in cases:
        compiled, space = median(make)
        known = [space.within(budget) for _ in range(RUNS)]
        sets = iter(known)
        seconds, count = median(lambda sets=sets: next(sets).bounds())  # type: ignore[misc]
        sets = iter(known)
        marginals, _ = median(lambda sets=sets: next(sets).marginals())  # type: ignore[misc]
        sets = iter([space.within(budget) for _ in range(RUNS)] if seconds < 0.5 else known)
        prune, pruned = median(lambda sets=sets: next(sets).prune())  # type: ignore[misc]
        values = [sum(len(decision.values) for decision in each.decisions.values()) for each in (space, pruned)]
        rows.append(
            [
                f"{name}, {budget.describe()}",
                shown(count),
                reach,
                f"{compiled:.3f} s",
                f"{seconds:.3f} s",
                f"{marginals:.3f} s",
                f"{prune:.3f} s, {values[0]} to {values[1]} values",
            ]
        )
    return rows


def brute_force() -> list[list[str]]:
    """3 and 4 convolutions, counted one by one too."""
    rows = []
    for number in (3, 4):
        space = convolutions(number, range(8, 257, 8))
        columns = [np.arange(32, dtype=np.uint8)] * number
        every = np.stack([column.ravel() for column in np.meshgrid(*columns, indexing="ij")], axis=1)
        expected = int((space.evaluate(every, ["params"])["params"] <= 100_000).sum())
        count = space.within(ab.Budget(params=100_000)).bounds()
        rows.append([f"{number} convolutions, params <= 100,000", shown(count), f"{expected:,}"])
    return rows


def samples() -> list[list[str]]:
    """Rates of uniform samples where one network in a million fits, and of rejection sampling in the same run."""
    rows = []
    for name, make in (("MobileNetV3-like", mobilenet_v3_like), ("12 convolutions", twelve_convolutions)):
        space = make()
        bound = space.distribution("params").quantile(1e-6)
        fits = space.within(ab.Budget(params=bound))
        share = fits.fraction()
        seconds, _ = median(lambda fits=fits: fits.sample(SAMPLES, seed=0))  # type: ignore[misc]
        tried, _ = median(lambda space=space: space.evaluate(space.sample(SAMPLES, seed=0), ["params"]))  # type: ignore[misc]
        rejection = SAMPLES * share / tried
        rows.append(
            [
                f"{name}, params <= {bound:,} ({share:.1e} of all)",
                f"{SAMPLES / seconds:,.0f}",
                f"{rejection:,.2f}",
                f"{SAMPLES / seconds / rejection:,.0f}x",
            ]
        )
    return rows


def members() -> list[list[str]]:
    """How fast all members of a set are written into an array of indices."""
    rows = []
    for name, space, budget in (
        ("12 convolutions", twelve_convolutions(), ab.Budget(params=27_300)),
        ("MobileNetV3-like", mobilenet_v3_like(), ab.Budget(params=mobilenet_smallest(10_000_000))),
    ):
        fits = space.within(budget)
        number = fits.count()
        seconds, _ = median(lambda fits=fits: fits.candidates())  # type: ignore[misc]
        rows.append([f"{name}, {budget.describe()}", f"{number:,}", f"{number / seconds / 1e6:.0f} million/s"])
    return rows


def mobilenet_smallest(number: int) -> int:
    """The bound on params that about this many networks meet."""
    space = mobilenet_v3_like()
    return space.distribution("params").quantile(number / space.size)


def allowed() -> list[list[str]]:
    """The time to ask for the allowed values of a partial candidate."""
    rows = []
    for name, space, budget in (
        ("LeNet family", ab.spaces.lenet(), ab.Budget(params=60_000, macs=5_000_000)),
        ("MobileNetV3-like", mobilenet_v3_like(), ab.Budget(params=2_700_000)),
    ):
        fits = space.within(budget)
        drawn = fits.sample(1, seed=0)[0]
        prefix: list[int] = []
        calls = 0
        seconds = 0.0
        names = list(space.decisions)
        while (found := fits.allowed(prefix)) is not None:
            each, _ = median(lambda prefix=prefix, fits=fits: [fits.allowed(prefix) for _ in range(1000)])  # type: ignore[misc]
            calls, seconds = calls + 1000, seconds + each
            prefix.append(drawn.indices[names.index(found[0])])
        rows.append([f"{name}, {budget.describe()}", f"{1e6 * seconds / calls:.2f} microseconds"])
    return rows


TABLES: dict[str, tuple[tuple[str, ...], Callable[[], list[list[str]]]]] = {
    "counts": (("budget", "fit", "to reach", "compile", "count", "marginals", "prune"), counts),
    "brute force": (("budget", "fit", "one by one"), brute_force),
    "samples": (("budget", "samples/s", "by rejection/s", "ratio"), samples),
    "members": (("budget", "members", "written"), members),
    "allowed": (("budget", "one call, mean over all prefixes of a network"), allowed),
}


def main() -> None:
    """Prints a table for each question."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument("--only", choices=list(TABLES), help="one table")
    options = parser.parse_args()
    for title, (columns, make) in TABLES.items():
        if options.only in (None, title):
            rows = make()
            if options.markdown:
                print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
                print("\n".join(f"| {' | '.join(row)} |" for row in rows), end="\n\n")
            else:
                table = Table(*columns, title=title)
                for row in rows:
                    table.add_row(*row)
                Console(width=200).print(table)
    environment = bench.environment()
    print(", ".join(f"{name} {value}" for name, value in environment.items() if name in ("cpu", "cores", "archbudget")))


if __name__ == "__main__":
    main()
