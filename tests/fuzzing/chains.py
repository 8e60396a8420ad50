"""Chains of up to 10^30 networks against a slow count: a dictionary from what a chain came to, to the number of ways.

The dictionary is plain Python, and its costs are formulas of its own. Where it would grow too large, sums are rounded
down, and the count becomes an interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import archbudget as ab
from archbudget import layers
from archbudget.errors import InfeasibleBudgetError, LimitError
from fuzzing.answers import enough
from fuzzing.draws import any_memory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

SUMS = ("params", "macs", "nanoseconds")
MOST_STEPS = 60_000
MOST_NETWORKS = 10**30


@dataclass(frozen=True)
class Conv:
    """A convolution of `filters` and kernels of these sizes, and perhaps a normalization."""

    filters: tuple[int, ...]
    kernels: tuple[int, ...]
    normalized: bool

    def block(self, name: str) -> list[layers.Layer]:
        given = [each if len(each) > 1 else each[0] for each in (self.filters, self.kernels)]
        filters, kernel = (
            ab.Choice(f"{stem}_{name}", each) if isinstance(each, tuple) else each
            for stem, each in zip(("filters", "kernel"), given, strict=True)
        )
        body: list[layers.Layer] = [layers.Conv2D(filters, kernel, padding="same", use_bias=not self.normalized)]
        return [*body, layers.BatchNormalization()] if self.normalized else body

    def options(self, channels: int, pixels: int) -> Iterator[tuple[int, tuple[int, int, int]]]:
        for filters in self.filters:
            for kernel in self.kernels:
                weights = kernel * kernel * channels * filters
                params = weights + (4 * filters if self.normalized else filters)
                yield filters, (params, weights * pixels, latency(kernel, channels, filters))

    @property
    def size(self) -> int:
        return len(self.filters) * len(self.kernels)


@dataclass(frozen=True)
class Skip:
    """Nothing, or a residual convolution with a kernel of one of these sizes."""

    kernels: tuple[int, ...]

    def block(self, name: str) -> list[Any]:
        branches: dict[Any, Any] = {"skip": []}
        for kernel in self.kernels:
            # Back to the channels that it read.
            branches[kernel] = layers.Residual(layers.Conv2D(ab.channels(), kernel, padding="same"))
        return [layers.OneOf(f"op_{name}", branches)]

    def options(self, channels: int, pixels: int) -> Iterator[tuple[int, tuple[int, int, int]]]:
        yield channels, (0, 0, 0)
        for kernel in self.kernels:
            weights = kernel * kernel * channels * channels
            yield channels, (weights + channels, weights * pixels, latency(kernel, channels, channels))

    @property
    def size(self) -> int:
        return 1 + len(self.kernels)


def latency(kernel: int, channels: int, filters: int) -> int:
    """Nanoseconds, without an order."""
    return (kernel * 7919 + channels * 104729 + filters * 1299709) * 2654435761 % 1_000_003


def measured(layer: ab.LayerRecord) -> int:
    """The same of a record."""
    if layer.type != "Conv2D":
        return 0
    return latency(layer.arguments["kernel_size"][0], layer.input_shapes[0][-1], layer.output_shape[-1])


@dataclass(frozen=True)
class Chain:
    """An image of `side` x `side` x 3, stages, and a classifier of ten classes."""

    side: int
    stages: tuple[Conv | Skip, ...]

    @cached_property
    def space(self) -> ab.Space:
        """The space."""
        body = [each for number, stage in enumerate(self.stages) for each in stage.block(str(number))]
        last = [layers.GlobalAveragePooling2D(), layers.Dense(10)]
        metrics = [ab.Metric("nanoseconds", measured)]
        return ab.Space([layers.Input((self.side, self.side, 3)), *body, *last], metrics=metrics)

    def count(self, budget: ab.Budget) -> tuple[int, int]:
        """How many networks fit: at least and at most."""
        bounds = [(SUMS.index(metric), *ends) for metric, ends in budget.items()]
        unit, slack = 1, 0
        ways: dict[tuple[int, tuple[int, ...]], int] = {(3, (0,) * len(bounds)): 1}
        for stage in self.stages:
            options = {channels: list(stage.options(channels, self.side**2)) for channels, _ in ways}
            while sum(len(options[channels]) for channels, _ in ways) > MOST_STEPS:
                unit *= 2
                ways = _rounded(ways, unit)
            ways = _rounded(ways, unit)
            slack += unit - 1
            after: dict[tuple[int, tuple[int, ...]], int] = {}
            for (channels, sums), number in ways.items():
                for made, cost in options[channels]:
                    joined = tuple(total + cost[metric] for total, (metric, _, _) in zip(sums, bounds, strict=True))
                    if all(total <= high for total, (_, _, high) in zip(joined, bounds, strict=True)):
                        after[made, joined] = after.get((made, joined), 0) + number
            ways = after
        lower = upper = 0
        for (channels, sums), number in ways.items():
            classifier = (10 * channels + 10, 10 * channels, 0)
            ends = [
                (total + classifier[metric], low, high) for total, (metric, low, high) in zip(sums, bounds, strict=True)
            ]
            if all(total <= high and total + slack >= low for total, low, high in ends):
                upper += number
                lower += number * all(total >= low and total + slack <= high for total, low, high in ends)
        return lower, upper


def _rounded(ways: dict[tuple[int, tuple[int, ...]], int], unit: int) -> dict[tuple[int, tuple[int, ...]], int]:
    if unit == 1:
        return ways
    joined: dict[tuple[int, tuple[int, ...]], int] = {}
    for (channels, sums), number in ways.items():
        key = channels, tuple(total - total % unit for total in sums)
        joined[key] = joined.get(key, 0) + number
    return joined


def draw_chain(rng: Random) -> Chain:
    """A chain with a number of networks of any order of magnitude."""
    stages: list[Conv | Skip] = []
    networks = 1
    most = rng.choice([10**4, 10**8, 10**15, MOST_NETWORKS])
    for _ in range(rng.randint(1, 4)):
        if rng.random() < 0.6:
            step = rng.choice([1, 3, 8])
            filters = tuple(range(rng.randint(1, 16), 129, step))[: rng.randint(1, 16)]
            stage: Conv | Skip = Conv(filters, rng.choice([(3,), (1, 3), (3, 5, 7)]), rng.random() < 0.5)
        else:
            stage = Skip(rng.choice([(1,), (3, 5), (1, 3, 5, 7)]))
        for _ in range(rng.choice([1, 1, 2, 5, 12, 40])):
            if networks * stage.size <= most:
                networks *= stage.size
                stages.append(stage)
    return Chain(rng.choice([1, 4, 16]), tuple(stages))


def check_chain(chain: Chain, budget: ab.Budget, memory: int, rng: Random) -> bool:
    """A set against the slow count, and against itself; whether it is exact."""
    space = chain.space
    fits = enough(space, budget, memory)
    right, bounds = chain.count(budget), fits.bounds()
    assert bounds.lower <= right[1], (bounds, right)
    assert bounds.upper >= right[0], (bounds, right)
    assert bounds.exact or not fits.exact
    try:
        assert fits.is_empty() == (bounds.upper == 0)
    except LimitError:
        assert bounds.lower == 0 < bounds.upper
        return fits.exact
    if bounds.upper == 0:
        with_error(fits)
        return fits.exact
    fits, drawn = drawn_from(fits, memory, rng.randrange(100))
    found = space.evaluate(drawn)
    assert found.valid.all()
    for metric, (low, high) in budget.items():
        assert ((low <= found[metric]) & (found[metric] <= high)).all()
    metric = rng.choice(SUMS)
    try:
        smallest, largest = fits.smallest(metric), fits.largest(metric)
        assert smallest in fits
        assert largest in fits
        assert smallest.costs[metric] <= found[metric].min()
        assert largest.costs[metric] >= found[metric].max()
    except LimitError:
        assert not fits.exact
    marginals = fits.marginals()
    for column, (name, decision) in enumerate(space.decisions.items()):
        for index in set(drawn.indices[:, column].tolist()):
            assert marginals[name][decision.values[index]] > 0
    arch = drawn[0]
    try:
        pruned = fits.prune()
        assert pruned.size <= space.size
        for name, value in arch.items():
            assert value in pruned.decisions[name].values
    except LimitError:
        assert not fits.exact
    fixed = {name: value for name, value in arch.items() if rng.random() < 0.5}
    try:
        assert not fits.fix(fixed).is_empty()
    except LimitError:
        assert not fits.exact
    if fits.exact:
        rank = rng.randrange(fits.count())
        (member,) = fits.candidates(rank, rank + 1)
        assert member in fits
        assert fits.rank(member) == rank
        (again,) = fits.candidates(own := fits.rank(arch), own + 1)
        assert again == arch
    return fits.exact


MOST = 1 << 30
"""The memory that there is by default, in which draws must succeed."""


def drawn_from(fits: ab.FeasibleSet, memory: int, seed: int) -> tuple[ab.FeasibleSet, ab.Candidates]:
    """A set and draws from it; with more memory, where the superset that fits into less holds too much else."""
    while True:
        try:
            return fits, fits.sample(50, seed=seed)
        except LimitError:
            assert not fits.exact
            assert memory < MOST, memory
            memory = min(MOST, 16 * memory + 1000)
            fits = enough(fits.space, fits.budget, memory)


def with_error(fits: ab.FeasibleSet) -> None:
    """What is empty says so wherever it is asked for a member."""
    for ask in (lambda: fits.sample(1), fits.marginals, lambda: fits.largest("params")):
        try:
            ask()
        except InfeasibleBudgetError:
            continue
        raise AssertionError("an empty set gave a member")


def draw_memory(rng: Random, chain: Chain, budget: ab.Budget) -> int:
    """Bytes to answer within; where that would take a minute, not the gigabyte that there is by default."""
    memory = any_memory(rng)
    return min(memory, 1 << 22) if chain.space.size > 10**9 and len(budget) > 1 else memory


def draw_budget(rng: Random, chain: Chain) -> ab.Budget:
    """Bounds anywhere between the smallest and the largest of one sum to three."""
    bounds: dict[str, Any] = {}
    for metric in rng.sample(SUMS, rng.choice([1, 1, 2, 3])):
        least, most = chain.space.range(metric)
        at = sorted(least + int((most - least) * rng.random() ** 2) for _ in range(2))
        low, high = at[0], max(at[1], 1)
        bounds[metric] = rng.choice([high, high, (low, high), (low, None)])
    own = bounds.pop("nanoseconds", None)
    return ab.Budget(**bounds, custom=None if own is None else {"nanoseconds": own})
