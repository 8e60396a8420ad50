"""By how much bounds are met or missed, and which layers weigh most."""

from __future__ import annotations

import pytest

import archbudget as ab
from archbudget import layers
from archbudget.checking import BoundCheck, ReadOptions, Verdict, network_of_model, verdict
from archbudget.errors import BudgetError

SPACE = ab.Space(
    [layers.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(10, name="head")], name="net"
)


def found(**bounds: int | tuple[int | None, int | None]) -> Verdict:
    return verdict(network_of_model(SPACE, ReadOptions()), ab.Budget(**bounds))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (150, 0, 100, "m: 150 is 50 over 100 (50 % of the bound)"),
        (1_300, 0, 100, "m: 1,300 is 1,200 over 100 (1,200 % of the bound)"),
        (75, 0, 100, "m: 75 is 25 below 100 (25 % of the bound)"),
        (100, 0, 100, "m: 100 is exactly the bound"),
        (75, 100, 200, "m: 75 is 25 under 100 (25 % of the bound)"),
        (150, 100, 2**63 - 1, "m: 150 is 50 above 100 (50 % of the bound)"),
    ],
)
def test_a_bound_in_words(value: int, low: int, high: int, text: str) -> None:
    bound = BoundCheck("m", value, low, high)
    assert bound.text == text
    assert bound.met == (low <= value <= high)


def test_every_bound_is_judged() -> None:
    result = found(params=1_000, macs=10**6, peak_activation_bytes=(None, 500))
    assert not result.fits
    assert [bound.metric for bound in result.missed] == ["params", "peak_activation_bytes"]
    assert result.headline == "outside the budget: params 1,490 > 1,000, peak_activation_bytes 832 > 500"
    assert result.weighed == "peak_activation_bytes"
    assert result.lines == [
        "params: 1,490 is 490 over 1,000 (49 % of the bound)",
        "macs: 2,736 is 997,264 below 1,000,000 (99.7 % of the bound)",
        "peak_activation_bytes: 832 is 332 over 500 (66.4 % of the bound)",
        "most params: head 1,450 (97.3 %), conv2d 40 (2.68 %)",
        "most peak_activation_bytes: conv2d 832 (100 %), head 616 (74 %), flatten 576 (69.2 %)",
        (
            "0.37 times all widths but those of the outputs would fit: params 380, macs 684, peak_activation_bytes 400 "
            "(conv2d.filters 4 -> 1)"
        ),
    ]
    assert found(params=2_000).headline == "inside the budget: params 1,490; params <= 2,000"


def test_shares_are_of_what_is_missed_most() -> None:
    result = found(params=2_000, macs=10)
    assert result.weighed == "macs"
    assert [row.share for row in result.rows] == pytest.approx([0, 1296 / 2736, 0, 1440 / 2736])
    assert sum(row.share or 0 for row in found(params=9).rows) == pytest.approx(1)
    assert verdict(network_of_model(SPACE, ReadOptions()), None).weighed == "params"


def test_a_shared_layer_counts_all_of_its_calls() -> None:
    dense = layers.Dense(16, name="twice")
    space = ab.Space([layers.Input((16,)), dense, dense])
    result = verdict(network_of_model(space, ReadOptions()), ab.Budget(macs=1))
    assert result.heaviest("macs") == [("twice", 512)]
    assert [row.reused for row in result.rows] == [False, False, True]


def test_the_verdict_for_machines() -> None:
    data = found(params=1_000).to_dict()
    assert data["bounds"] == [{"metric": "params", "value": 1490, "low": 0, "high": 1000, "met": False, "gap": 490}]
    assert data["heaviest"] == {"params": [["head", 1450], ["conv2d", 40]]}
    assert data["layers"][1]["shapes"] == "(None, 6, 6, 4)"


def test_metrics_that_are_not_there_are_refused() -> None:
    with pytest.raises(BudgetError, match="unknown metric 'latency'"):
        found(custom={"latency": 3})  # type: ignore[arg-type]


def test_what_is_unknown_is_shown_so_and_refused_in_a_budget() -> None:
    space = ab.Space([layers.Input((None, None, 3)), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()])
    checked = network_of_model(space, ReadOptions())
    result = verdict(checked, ab.Budget(params=100))
    assert [(row.params, row.macs, row.activation_bytes) for row in result.rows] == [
        (0, 0, None),
        (112, None, None),
        (0, 0, None),
    ]
    assert result.to_dict()["costs"]["macs"] is None
    assert verdict(checked, None).rows[1].share == 1
    with pytest.raises(BudgetError, match="macs is unknown, as a side of 'input_layer' is.*with_sides"):
        verdict(checked, ab.Budget(macs=100))
