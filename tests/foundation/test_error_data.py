"""Errors carry what they are about; it survives pickling, and a place that is put before the message."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

import archbudget as ab
from archbudget import layers
from archbudget._guard import reworded
from archbudget.errors import BudgetError, InfeasibleBudgetError, SpaceError

SMALL = ab.Space([layers.Input((4,)), layers.Dense(ab.Int("units", 1, 9))])


@pytest.mark.parametrize(
    ("given", "metric"),
    [
        ({"params": 0}, "params"),
        ({"macs": (9, 3)}, "macs"),
        ({"weight_bytes": "much"}, "weight_bytes"),
        ({"params": (1, 2, 3)}, "params"),
        ({"params": (None, None)}, "params"),
        ({"custom": {"latency": (1, -1)}}, "latency"),
        ({"trainable_params": (-4, 5)}, "trainable_params"),
        ({"peak_activation_bytes": 2**63}, "peak_activation_bytes"),
        ({"params": (True, 5)}, "params"),
    ],
)
def test_a_bound_that_is_not_sensible_is_refused(given: dict[str, Any], metric: str) -> None:
    with pytest.raises(BudgetError) as caught:
        ab.Budget(**given)
    bounds = {**given, **given.get("custom", {})}
    assert caught.value.data == {"metric": metric, "bound": bounds[metric], "smallest": None}


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(BudgetError) as caught:
        SMALL.within(ab.Budget(custom={"latency": 5}))
    assert caught.value.metric == "latency"
    with pytest.raises(BudgetError) as caught:
        ab.Budget()
    assert caught.value.data == {"metric": None, "bound": None, "smallest": None}


@pytest.mark.parametrize(
    ("budget", "metric", "bound", "smallest"),
    [
        (ab.Budget(params=4), "params", (0, 4), 5),
        (ab.Budget(macs=100, params=4), "params", (0, 4), 5),
        (ab.Budget(params=100, macs=(50, None)), "macs", (50, 2**63 - 1), 4),
        # Each can be kept, but not both: 5 params are 4 MACs, and 10 are 8.
        (ab.Budget(params=5, macs=(8, None)), "params", (0, 5), 5),
    ],
)
def test_a_budget_that_nothing_fits(budget: ab.Budget, metric: str, bound: object, smallest: int) -> None:
    with pytest.raises(InfeasibleBudgetError) as caught:
        SMALL.within(budget).require_some()
    assert caught.value.data == {"metric": metric, "bound": bound, "smallest": smallest}
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.data) == (str(caught.value), caught.value.data)


def test_another_message_keeps_the_data() -> None:
    error = reworded(BudgetError("small", metric="params", bound=3, smallest=5), "here: small")
    assert (type(error), str(error), error.metric, error.bound, error.smallest) == (
        BudgetError,
        "here: small",
        "params",
        3,
        5,
    )
    assert SpaceError("no more than that").data == {}


@pytest.mark.parametrize("bound", [lambda: 1, [9, 3], object(), [lambda: 1, 3], 1 + 2j])
def test_a_bound_is_kept_so_that_the_error_can_be_pickled(bound: Any) -> None:
    with pytest.raises(BudgetError) as caught:
        ab.Budget(params=bound)
    kept = caught.value.bound
    if isinstance(bound, list):
        bound.clear()
    assert caught.value.bound == kept
    assert pickle.loads(pickle.dumps(caught.value)).data == caught.value.data
