"""Random budgets, and the networks that fit them, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import archbudget as ab
from support.random_spaces import METRICS, Enumeration

if TYPE_CHECKING:
    from random import Random


def random_budget(rng: Random, known: Enumeration) -> ab.Budget:
    """Upper bounds and ranges near the costs that occur, for one metric or several."""
    bounds: dict[str, Any] = {}
    for metric in rng.sample(METRICS, rng.choice([1, 1, 2, 2, 3])):
        costs = known.cost(metric).tolist()
        ends = sorted(max(0, rng.choice(costs) + rng.choice([-1, 0, 0, 1])) for _ in range(2))
        high = max(1, ends[1])
        bounds[metric] = rng.choice([high, high, (ends[0], high), (ends[0], None)])
    return ab.Budget(**bounds)


def fitting(known: Enumeration, budget: ab.Budget) -> list[dict[str, Any]]:
    """The distinct networks that fit, one by one."""
    fits = np.ones(len(known.first), dtype=bool)
    for metric, (low, high) in budget.items():
        fits &= (low <= known.cost(metric)) & (known.cost(metric) <= high)
    return [network for network, fit in zip(known.networks, fits, strict=True) if fit]
