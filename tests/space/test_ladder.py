"""Ladders, beside brute force."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import BudgetError


def space() -> ab.Space:
    a, b = ab.Int("a", 1, 40), ab.Int("b", 1, 40)
    return ab.Space([layers.Input((7,)), layers.Dense(a), layers.Dense(b), layers.Dense(3)])


@pytest.mark.parametrize("tolerance", [0.0, 0.02, 0.3])
def test_each_rung_is_the_closest_network(tolerance: float) -> None:
    family = space()
    counted = family.evaluate(family[:])["params"]
    for size in (40, 77.5, 300, 1000, 1999):
        distances = abs(counted - size)
        if distances.min() > tolerance * size:
            with pytest.raises(BudgetError, match="the nearest has|the space has"):
                ab.ladder(family, params=[size], tolerance=tolerance)
            continue
        (found,) = ab.ladder(family, params=[size], tolerance=tolerance)
        assert abs(found.params - size) == distances.min()


@pytest.mark.parametrize("prefer", ["largest", "smallest"])
def test_a_score_chooses_within_the_tolerance(prefer: Any) -> None:
    widest = ab.metrics.output_size("first", 0, name="first_width")
    a, b = ab.Int("a", 1, 40), ab.Int("b", 1, 40)
    family = ab.Space(
        [layers.Input((7,)), layers.Dense(a, name="first"), layers.Dense(b), layers.Dense(3)], metrics=[widest]
    )
    counted = family.evaluate(family[:], ["params", "macs", "first_width"])
    sizes = [100, 500, 1500]
    budget = ab.Budget(macs=(0, 1400))
    found = ab.ladder(family, params=sizes, tolerance=0.1, score="first_width", prefer=prefer, budget=budget)
    for size, arch in zip(sizes, found, strict=True):
        inside = (abs(counted["params"] - size) <= 0.1 * size) & (counted["macs"] <= 1400)
        assert abs(arch.params - size) <= 0.1 * size
        assert arch.macs <= 1400
        scores = counted["first_width"][inside]
        assert arch.costs["first_width"] == (scores.max() if prefer == "largest" else scores.min())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "the sizes of one metric"),
        ({"params": [10], "macs": [10]}, "the sizes of one metric"),
        ({"params": [0]}, "a size must be a number above 0, not 0"),
        ({"params": ["1M"]}, "a size must be a number above 0, not '1M'"),
        ({"params": [float("nan")]}, "a size must be a number above 0"),
        ({"params": [100], "tolerance": 1}, "tolerance must be a number from 0 to below 1, not 1"),
        ({"params": [100], "prefer": "best"}, "prefer must be 'largest' or 'smallest', not 'best'"),
        ({"params": [100], "budget": 5}, "budget must be a Budget, not 5"),
        ({"params": [10**9]}, r"no network has params within 5\.00% of 1,000,000,000: the space has 16 to"),
        ({"parameters": [100]}, "parameters"),
        ({"params": [100], "score": "accuracy"}, "accuracy"),
    ],
)
def test_bad_input_is_one_line(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BudgetError, match=message) as caught:
        ab.ladder(space(), **given)
    assert "\n" not in str(caught.value)


def test_a_tolerance_is_the_number_that_is_written() -> None:
    """1 + 0.15 times 100 is less than 115 in binary numbers."""
    units = ab.Choice("units", [115])
    space = ab.Space([layers.Input((1,)), layers.Dense(units, use_bias=False)])
    assert [arch.params for arch in ab.ladder(space, params=[100], tolerance=0.15)] == [115]
    assert [arch.params for arch in ab.ladder(space, params=[np.uint8(100)], tolerance=np.float64(0.15))] == [115]
