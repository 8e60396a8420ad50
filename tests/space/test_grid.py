"""Grids of budgets: each number is that of the networks within its bounds, however it was found."""

from __future__ import annotations

import copy
import itertools
import pickle
import random
from typing import Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError, BudgetError, SpaceError
from archbudget.space import grid as grids
from support.random_spaces import random_space

MOST = 2**63 - 1


def is_within(cost: int, bound: Any) -> bool:
    low, high = bound if isinstance(bound, tuple) else (None, bound)
    return (0 if low is None else low) <= cost <= (MOST if high is None else high)


def expected(space: ab.Space, bounds: dict[str, list[Any]]) -> list[int]:
    """The numbers, each by looking at every network."""
    costs = space.evaluate(space[:])
    columns = [costs[metric].tolist() for metric in bounds]
    return [
        sum(all(map(is_within, row, cell)) for row in zip(*columns, strict=True))
        for cell in itertools.product(*bounds.values())
    ]


def random_bounds(rng: random.Random, space: ab.Space) -> dict[str, list[Any]]:
    """Bounds of some metrics, in any order, some of them twice, beyond what there is, or with lower ends."""
    bounds = {}
    for metric in rng.sample(list(space.metrics), rng.randint(1, 3)):
        low, high = space.range(metric)
        ends = [max(1, rng.randint(low - 2, high + 2)) for _ in range(rng.randint(1, 6))]
        some: list[Any] = [*ends, rng.choice(ends), MOST, 1, max(low, 1), max(high, 1)]
        some += [(a, b) if a <= b else (b, a) for a, b in itertools.pairwise(ends)]
        some += [(None, ends[0]), (ends[0], None)]
        rng.shuffle(some)
        bounds[metric] = some[: rng.randint(1, 8)]
    return bounds


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("few", [0, grids.FEW], ids=["counted", "gone through"])
def test_each_number_is_that_of_the_networks_within_its_bounds(
    seed: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grids, "FEW", few)
    rng = random.Random(seed)
    space = random_space(seed).space
    for _ in range(3):
        bounds = random_bounds(rng, space)
        grid = space.count_grid(**bounds)
        assert grid.shape == tuple(map(len, bounds.values()))
        assert np.asarray(grid).ravel().tolist() == expected(space, bounds)
        assert grid.exact
        assert {type(count) for count in np.asarray(grid).flat} == {int}
        for budget, count in zip(grid.budgets(), np.asarray(grid).flat, strict=True):
            assert space.within(budget).count() == count


def test_a_grid_of_a_large_space_has_the_counts_and_bounds_of_its_budgets() -> None:
    space = ab.Space([layers.Input((4,)), *(layers.Dense(ab.Int(f"units{number}", 1, 60)) for number in range(4))])
    assert space.size > grids.FEW
    bounds = {"params": [1, 500, 3000, 10**6], "macs": [2800, (400, 2000), 10**6]}
    for memory in (1 << 18, 1 << 30):
        grid = space.count_grid(memory=memory, **bounds)  # type: ignore[arg-type]
        for budget, count in zip(grid.budgets(), np.asarray(grid).flat, strict=True):
            single = space.within(budget, memory=memory).bounds()
            assert count in (single, single.lower) or (isinstance(count, int) and count in single)
        assert grid.exact == (memory > 1 << 18)
        assert [grid[0, 0], grid[3, 2]] == [0, space.size]
    table = space.count_grid(memory=1 << 18, **bounds).to_pandas()  # type: ignore[arg-type]
    assert (table["lower"] < table["upper"]).any()
    assert table["share"].tolist() == [lower / space.size for lower in table["lower"]]


def test_a_budget_that_always_or_never_holds_costs_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grids, "FEW", 0)
    monkeypatch.setattr(grids, "FeasibleSet", None)
    space = ab.spaces.lenet()
    grid = space.count_grid(params=[10, 60_000, MOST], macs=[10, MOST])
    assert np.asarray(grid).tolist() == [[0, 0], [0, 5811], [0, space.size]]


def test_a_grid_is_an_array_and_a_table() -> None:
    space = ab.spaces.lenet()
    grid = space.count_grid(macs=[10**6, 5 * 10**6], params=[20_000, 60_000, (1, None)])
    assert grid.metrics == ("macs", "params")
    assert grid.ranges == {"macs": ((0, 10**6), (0, 5 * 10**6)), "params": ((0, 20_000), (0, 60_000), (1, MOST))}
    assert [list(row) for row in grid] == [[grid[i, j] for j in range(3)] for i in range(2)]
    assert len(grid) == 2
    assert repr(grid) == "<CountGrid of 2 macs x 3 params in a space of 73,728 networks>"
    with pytest.raises(ValueError, match="read-only"):
        grid[0][0] = 1
    assert grid[-1, 1:].tolist() == [grid[1, 1], grid[1, 2]]
    with pytest.raises(IndexError, match=r"there is no \(2, 0\) in a grid of the shape \(2, 3\)"):
        grid[2, 0]
    for key in ("params", (0, 0, 0), True, [0], 0.5):
        with pytest.raises(SpaceError, match="a grid of 2 metrics is indexed by"):
            grid[key]
    table = grid.to_pandas()
    assert table["macs"].tolist() == [10**6] * 3 + [5 * 10**6] * 3
    assert table["params"].tolist() == [20_000, 60_000, MOST] * 2
    assert table["lower"].tolist() == table["upper"].tolist() == [count for row in grid for count in row]
    assert grid == space.count_grid(macs=[10**6, 5 * 10**6], params=[20_000, 60_000, (1, None)])
    assert grid != space.count_grid(params=[20_000])


def test_custom_metrics_have_axes_too() -> None:
    price = ab.Metric("price", lambda record: 2 * (record.params or 0))
    space = ab.spaces.lenet().with_metrics([price])
    assert (
        np.asarray(space.count_grid(price=[120_000, 40_000])).tolist()
        == np.asarray(ab.spaces.lenet().count_grid(params=[60_000, 20_000])).tolist()
    )


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "a grid has bounds of at least one metric"),
    "unknown": ({"parms": [1]}, "did you mean params"),
    "a number": ({"params": 5}, "params: a grid needs a list of bounds, not 5"),
    "text": ({"params": "60k"}, "params: a grid needs a list of bounds, not '60k'"),
    "no bounds": ({"params": []}, "params: a grid needs at least one bound"),
    "no bound": ({"params": [1, "2"]}, "params: a bound must be an integer, not '2'"),
    "nothing fits": ({"params": [0]}, "the upper bound must be at least 1"),
    "too many": ({"params": range(1, 2000), "macs": range(1, 2000)}, "at most 1,000,000 budgets, not 3,996,001"),
    "without end": ({"params": itertools.count(1)}, "at most 1,000,000 budgets"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_grid_is_refused(what: str, lenet: ab.Space) -> None:
    bounds, message = WRONG[what]
    with pytest.raises(ArchbudgetError, match=message) as caught:
        lenet.count_grid(**bounds)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ArchbudgetError if what == "unknown" else BudgetError)


def test_grids_can_be_sent_and_copied(lenet: ab.Space) -> None:
    rounded = lenet.count_grid(params=[50_000, 60_000], macs=[2_000_000, 5_000_000], memory=1 << 12)
    for grid in (lenet.count_grid(params=[20_000, 60_000]), rounded):
        for other in (pickle.loads(pickle.dumps(grid)), copy.copy(grid), copy.deepcopy(grid)):
            assert other == grid
            assert (other.size, other.shape, list(other.budgets())) == (grid.size, grid.shape, list(grid.budgets()))
