"""Measurements: what they say of a space, and that all peers count the same."""

from __future__ import annotations

import time

import numpy as np
import pytest

import archbudget as ab
from archbudget import bench, layers
from archbudget.bench import lenet as by_hand
from archbudget.bench.memory import floor, taken
from archbudget.bench.timing import in_turns, medians
from archbudget.errors import InfeasibleBudgetError, SpaceError


def test_code_by_hand_counts_what_the_space_counts() -> None:
    space = ab.spaces.lenet()
    drawn = space.sample(500, seed=0)
    columns = list(drawn.indices.T)
    totals = space.evaluate(drawn, ["params"])["params"]
    assert np.array_equal(by_hand.by_numpy(columns), totals)
    assert [by_hand.params(*values) for values in by_hand.values_of(columns)] == totals.tolist()
    pytest.importorskip("keras")
    few = by_hand.values_of(columns)[:3]
    assert [by_hand.keras_network(*values).count_params() for values in few] == totals[:3].tolist()


def test_the_loop_of_numba_counts_what_the_space_counts() -> None:
    pytest.importorskip("numba")
    space = ab.spaces.lenet()
    drawn, out = space.sample(500, seed=0), np.zeros(500, np.int64)
    by_hand.numba_loop()(*drawn.indices.T, out)
    assert np.array_equal(out, space.evaluate(drawn, ["params"])["params"])


def test_pytorch_counts_what_the_space_counts() -> None:
    pytest.importorskip("torch")
    space = ab.spaces.lenet()
    drawn = space.sample(3, seed=0)
    totals = space.evaluate(drawn, ["params"])["params"].tolist()
    assert [by_hand.torch_params(values) for values in by_hand.values_of(list(drawn.indices.T))] == totals


@pytest.mark.parametrize("rows", [1, 7, 8, 100_003])
def test_the_floor_fills_all_of_each_output(rows: int) -> None:
    columns = [np.ones(rows, np.uint8), np.ones(rows, np.uint16)]
    outputs = [np.ones(rows, np.int64), np.ones(rows, np.uint32)]
    floor(columns)(*outputs)
    assert not any(output.any() for output in outputs)


def test_memory_that_a_call_takes_and_gives_back_is_seen() -> None:
    found = taken(lambda: np.ones(5_000_000, np.int64).sum())
    if found is None:
        pytest.skip("this system does not say it")
    assert 30e6 < found < 80e6


def test_contestants_take_turns_until_the_limit() -> None:
    order: list[str] = []
    calls = {"a": lambda: order.append("a"), "b": lambda: order.append("b")}
    seconds = in_turns(calls, 3)
    assert order == ["a", "b"] * 4  # The first call of each warms up.
    assert [len(times) for times in seconds.values()] == [3, 3]
    assert all(median >= 0 for median in medians(calls, 3).values())
    slow = {"slow": lambda: time.sleep(0.02)}
    assert len(in_turns(slow, 100, 0.03)["slow"]) == 1


def test_every_part_of_a_space_is_measured(lenet: ab.Space) -> None:
    found = bench.measure(lenet, ab.Budget(params=60_000), rows=1000, repeats=1)
    works = [row["work"] for row in found["measurements"]]
    for words in ("rows", "int64", "values", "all metrics", "mask", "count", "memory", "one core", "samples", "layers"):
        assert any(words in work for work in works), words
    assert found["rows"] == 1000
    assert found["budget"] == {"params": [0, 60_000]}
    assert found["not_measured"] == {}
    assert found["compile_seconds"] > 0
    assert found["feasible_seconds"] > 0
    assert found["memory"]["batch"] == 1000 * (5 + 8 * len(lenet.metrics))
    rates = {row["work"]: row["per_second"] for row in found["measurements"]}
    for row in found["measurements"]:
        assert row["per_second"] == pytest.approx(row["number"] / row["median_seconds"])
        if row["beside"] is not None:
            assert row["ratio"] == pytest.approx(rates[row["work"]] / rates[row["beside"]])


def test_without_rows_the_batch_is_as_large_as_is_counted_soon() -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(ab.Int("units", 1, 9))])
    found = bench.measure(space, repeats=1)
    assert found["rows"] >= 256
    assert found["budget"] is None
    assert found["feasible_seconds"] is None
    assert not any("inside" in row["work"] for row in found["measurements"])


def test_an_open_diagram_is_measured_too() -> None:
    wide = [layers.Dense(ab.Int(f"units_{number}", 1, 100_000)) for number in range(3)]
    space = ab.Space([layers.Input((4,)), *wide])
    with pytest.raises(ab.errors.LimitError):
        _ = space.size
    found = bench.measure(space, rows=20, repeats=1)
    assert len(found["measurements"]) > 10


def test_what_cannot_be_measured_is_refused(lenet: ab.Space) -> None:
    with pytest.raises(SpaceError, match="no decisions"):
        bench.measure(ab.Space([layers.Input((4,)), layers.Dense(3)]))
    with pytest.raises(InfeasibleBudgetError):
        bench.measure(lenet, ab.Budget(params=1), rows=10, repeats=1)
    for numbers in ({"rows": 0}, {"repeats": 0}, {"repeats": 10**9}):
        with pytest.raises(SpaceError, match="must be at"):
            bench.measure(lenet, **numbers)  # type: ignore[arg-type]
