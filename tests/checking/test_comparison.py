"""The difference between two networks."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

import archbudget as ab
from archbudget import layers
from archbudget.checking import compared
from archbudget.checking import comparison as module


def network(*blocks: Any) -> ab.Architecture:
    return ab.Space([layers.Input((16,)), *blocks]).architecture()


def kinds(before: ab.Architecture, after: ab.Architecture) -> list[tuple[str, str]]:
    return [(change.kind, change.name) for change in compared("base", before, after).changes]


def test_a_network_is_like_itself() -> None:
    arch = network(layers.Dense(8), layers.ReLU(), layers.Dense(4))
    found = compared("base", arch, arch)
    assert (found.changes, found.unchanged) == ((), 4)
    assert found.heading == "compared with base: no layer differs, 4 unchanged"
    assert found.totals["params"] == (172, 172)


def test_layers_that_are_added_removed_and_changed() -> None:
    before = network(layers.Dense(8, name="a"), layers.ReLU(name="r"), layers.Dense(4, name="b"))
    after = network(layers.Dense(8, name="a"), layers.BatchNormalization(name="n"), layers.Dense(5, name="b"))
    found = compared("base", before, after)
    assert kinds(before, after) == [("removed", "r"), ("added", "n"), ("changed", "b")]
    assert kinds(after, before) == [("removed", "n"), ("added", "r"), ("changed", "b")]
    assert found.changes[2].of("params") == (36, 45)
    assert found.changes[1].of("params") == (0, 32)
    assert found.to_dict()["layers"][2]["before"]["params"] == 36
    assert found.to_dict()["totals"]["params"] == {"before": 172, "after": 213}


def test_numbers_that_keras_counts_up_are_no_difference() -> None:
    before = network(layers.Dense(8, name="dense"), layers.Dense(8, name="dense_1"))
    after = network(layers.Dense(8, name="dense_7"), layers.Dense(8, name="dense_8"))
    assert kinds(before, after) == []
    assert kinds(before, network(layers.Dense(9, name="dense_7"), layers.Dense(8, name="dense_8"))) == [
        ("changed", "dense -> dense_7"),
        ("changed", "dense_1 -> dense_8"),  # It has another input.
    ]


@pytest.mark.parametrize("most", [4_000, 0], ids=["aligned", "by names"])
def test_each_layer_of_random_networks_is_told_once(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ALIGNED", most)
    rng = Random(1)
    for _ in range(200):
        both = [
            network(
                *(
                    layers.Dense(rng.choice([8, 16]), name=f"{rng.choice('ab')}{place}_{rng.randrange(9)}")
                    for place in range(rng.randrange(1, 8))
                )
            )
            for _ in range(2)
        ]
        found = compared("base", *both)
        pairs = list(module._aligned(both[0].layers, both[1].layers))
        told = [one.name for one, _ in pairs if one is not None]
        assert sorted(told) == sorted(record.name for record in both[0].layers)
        assert [two for _, two in pairs if two is not None] == list(both[1].layers)
        gained = sum((change.of("params")[1] or 0) - (change.of("params")[0] or 0) for change in found.changes)
        assert gained == both[1].params - both[0].params
        assert found.unchanged + len(found.changes) == len(pairs)
