"""Budgets: what they take, what they refuse, how they are shown."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError, BudgetError

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 2**63 - 1
METRICS = ["params", "trainable_params", "macs", "weight_bytes", "peak_activation_bytes"]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        (60_000, (0, 60_000)),
        (5e6, (0, 5_000_000)),
        (np.int32(7), (0, 7)),
        (np.float64(7), (0, 7)),
        ((10, 20), (10, 20)),
        ([10, 20], (10, 20)),
        ((None, 20), (0, 20)),
        ((10, None), (10, MOST)),
        ((7, 7), (7, 7)),
        ((0, 1), (0, 1)),
        (1, (0, 1)),
        (MOST, (0, MOST)),
        ((MOST, MOST), (MOST, MOST)),
    ],
)
def test_bounds_become_ranges(metric: str, bound: Any, expected: tuple[int, int]) -> None:
    budget = ab.Budget(**{metric: bound})
    assert dict(budget) == {metric: expected}
    assert all(type(end) is int for end in budget[metric])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("bound", "message"),
    [
        (0, "upper bound must be at least 1, not 0"),
        (-5, "upper bound must be at least 1, not -5"),
        ((0, 0), "upper bound must be at least 1, not 0"),
        ((5, 3), r"the range \(5, 3\) is empty"),
        ((-1, 3), "lower bound must be at least 0, not -1"),
        ((None, None), "a range needs an end"),
        ((1, 2, 3), r"a range is \(low, high\), not \(1, 2, 3\)"),
        ((1,), r"a range is \(low, high\)"),
        (1.5, "must be an integer, not 1.5"),
        (float("nan"), "must be an integer, not nan"),
        (float("inf"), "must be an integer, not inf"),
        ((0, float("nan")), "must be an integer, not nan"),
        (True, "must be an integer, not True"),
        (np.True_, "must be an integer"),
        ((False, 3), "must be an integer, not False"),
        ("60k", "must be an integer, not '60k'"),
        ({1, 2}, "must be an integer"),
        (2**63, "at most 2.63 - 1, not 9223372036854775808"),
        (1e30, "at most 2.63 - 1"),
        ((2**63, None), "at most 2.63 - 1"),
        (ab.Int("x", 1, 2), "must be an integer"),
    ],
)
def test_bad_bounds_are_refused(metric: str, bound: Any, message: str) -> None:
    with pytest.raises(BudgetError, match=f"^{metric}: .*{message}"):
        ab.Budget(**{metric: bound})


def test_a_budget_bounds_something() -> None:
    for empty in (ab.Budget, lambda: ab.Budget(params=None)):
        with pytest.raises(BudgetError, match="at least one metric: params"):
            empty()


SPACE = ab.Space([layers.Input((4,)), layers.Dense(ab.Int("units", 1, 9))])


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: ab.Budget(flops=9), r"no 'flops': give macs=4 \(1 MAC is 2 FLOPs\)"),
        (lambda: ab.Budget(flops=1e9), r"give macs=500000000 "),
        (lambda: ab.Budget(FLOPs=(1, 9)), r"give macs=FLOPs // 2"),
        (lambda: ab.Budget(parameters=5), r"no 'parameters': give params=5$"),
        (lambda: ab.Budget(memory="32k"), r"give peak_activation_bytes='32k'"),
        (lambda: ab.Budget(flash=10**5), r"give weight_bytes=100000"),
        (lambda: ab.Budget(parms=5), r"no 'parms'; did you mean params\?"),
        (lambda: ab.Budget(latency=5), r"there are params, .*custom=\{'latency': 5\}"),
        (lambda: ab.Budget(5), r"by their names, such as Budget\(params=5\), not by 5"),
        (lambda: ab.Budget({"params": 5}), r"such as Budget.of\(...\), not by \{'params': 5\}"),
        (lambda: SPACE.within(5), r"such as ab.Budget\(params=5\), not 5"),
        (lambda: SPACE.within({"params": 5}), r"such as ab.Budget.of\(...\)"),
        (lambda: SPACE.within("60k"), r"such as ab.Budget\(params=60000\), not '60k'"),
        (lambda: SPACE.within(params=5), r"as a budget, ab.Budget\(params=5\), not as params=5"),
        (lambda: SPACE.within(flops=10, params=5), r"ab.Budget\(macs=5, params=5\), not as flops=10, params=5"),
        (lambda: SPACE.constraint(macs=5), r"as a budget, ab.Budget\(macs=5\)"),
        (lambda: ab.FeasibleSet(SPACE, ram=5), r"as a budget, ab.Budget\(peak_activation_bytes=5\)"),
        (lambda: ab.BudgetSampler(SPACE, params=5), r"as a budget, ab.Budget\(params=5\)"),
        (lambda: ab.BudgetSampler(SPACE, 5), r"such as ab.Budget\(params=5\)"),
        (lambda: ab.search(SPACE, len, 5), r"such as ab.Budget\(params=5\)"),
        (lambda: ab.search(SPACE, len, params=5), r"as a budget, ab.Budget\(params=5\)"),
        (lambda: SPACE.within(ab.Budget.of({"flops": 5})), r"'flops' \(did you mean macs\? 1 MAC is 2 FLOPs\)"),
        (lambda: SPACE.within(ab.Budget(params=5)).largest("mac"), r"'mac' \(did you mean macs\?\)"),
        (lambda: SPACE.distribution("weights"), r"'weights' \(did you mean params\?\); the metrics are params"),
    ],
)
def test_bounds_are_answered_with_the_right_spelling(ask: Callable[[], Any], message: str) -> None:
    with pytest.raises(BudgetError, match=message) as raised:
        ask()
    assert "\n" not in str(raised.value)


def test_metrics_that_are_counted_are_meant_whatever_their_names() -> None:
    flops = ab.Metric("flops", lambda layer: 2 * layer.macs)
    space = SPACE.with_metrics([flops])
    assert space.within(ab.Budget(custom={"flops": 16})).count() == 2


def test_other_arguments_stay_errors_of_python() -> None:
    for ask in (lambda: SPACE.within(ab.Budget(params=5), memory=9, metric=3), lambda: SPACE.within()):  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            ask()


def test_a_budget_error_is_a_value_error() -> None:
    assert issubclass(BudgetError, ArchbudgetError)
    assert issubclass(ArchbudgetError, ValueError)


def test_a_budget_is_a_mapping_that_can_be_a_key() -> None:
    budget = ab.Budget(params=60_000, macs=(1_000_000, 5_000_000))
    assert list(budget) == ["params", "macs"]
    assert len(budget) == 2
    assert budget["macs"] == (1_000_000, 5_000_000)
    with pytest.raises(KeyError):
        budget["weight_bytes"]
    twin = ab.Budget(macs=(1_000_000, 5_000_000), params=60_000)
    assert budget == twin
    assert hash(budget) == hash(twin)
    assert budget != ab.Budget(params=60_000)
    assert pickle.loads(pickle.dumps(budget)) == budget


def test_a_budget_is_shown_as_it_was_given() -> None:
    budget = ab.Budget(params=60_000, macs=(1_000_000, 5_000_000), weight_bytes=(3, None))
    assert repr(budget) == "Budget(params=60000, macs=(1000000, 5000000), weight_bytes=(3, None))"
    assert eval(repr(budget), {"Budget": ab.Budget}) == budget
    assert budget.describe() == "params <= 60,000, macs 1,000,000 to 5,000,000, weight_bytes >= 3"


def test_violations_are_the_metrics_outside_their_ranges() -> None:
    budget = ab.Budget(params=60_000, macs=(1_000_000, 5_000_000))
    assert budget.violations({"params": 60_000, "macs": 1_000_000}) == {}
    assert budget.violations({"params": 60_001, "macs": 999_999}) == {"params": 60_001, "macs": 999_999}
    assert budget.violations({"params": 1, "macs": 5_000_001, "weight_bytes": 4}) == {"macs": 5_000_001}


# Custom metrics.


def test_custom_metrics_are_bounded_by_name() -> None:
    budget = ab.Budget(params=60_000, custom={"latency_us": (None, 5e3), "convolutions": (2, None), "left_out": None})
    assert dict(budget) == {"params": (0, 60_000), "latency_us": (-MOST, 5000), "convolutions": (2, MOST)}
    assert repr(budget) == "Budget(params=60000, custom={'convolutions': (2, None), 'latency_us': 5000})"
    assert eval(repr(budget), {"Budget": ab.Budget}) == budget
    assert repr(ab.Budget(custom={"m": 3})) == "Budget(custom={'m': 3})"
    assert budget.describe() == "params <= 60,000, convolutions >= 2, latency_us <= 5,000"
    assert budget.violations({"params": 1, "latency_us": 5001, "convolutions": 2}) == {"latency_us": 5001}
    assert pickle.loads(pickle.dumps(budget)) == budget
    assert hash(budget) == hash(ab.Budget.of(dict(budget)))
    assert ab.Budget.of(dict(budget)) == budget
    assert ab.Budget.of({"macs": 3}) == ab.Budget(macs=3)


@pytest.mark.parametrize(
    ("custom", "message"),
    [
        ({"params": 3}, "custom bounds custom metrics by their names, not 'params'"),
        ({3: 3}, "custom bounds custom metrics by their names, not 3"),
        ([("m", 3)], r"custom must be a mapping from names of metrics to bounds, not \[\('m', 3\)\]"),
        ({"m": (1, 0.5)}, r"^m: the range \(1, 0.5\) is empty"),
        ({"m": float("nan")}, "^m: a bound must be a finite number, not nan"),
        ({}, "at least one metric"),
        ({"m": None}, "at least one metric"),
    ],
)
def test_bad_bounds_of_custom_metrics_are_refused(custom: Any, message: str) -> None:
    with pytest.raises(BudgetError, match=message):
        ab.Budget(custom=custom)
