"""Spaces in which many widths are alive: what is true of them does not depend on how much of a diagram is stored."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers, spaces
from archbudget.errors import LimitError
from support.small_diagrams import little

METRICS = ("params", "trainable_params", "macs", "weight_bytes", "peak_activation_bytes")


def u_net() -> ab.Space:
    return spaces.unet(resolution=16, widths=3, most_depth=3)


def dense(*, joined: bool) -> ab.Space:
    """Convolutions that each read the outputs of all before them: from one tensor, or one by one."""
    image = layers.Input((6, 6, 3))
    before: list[layers.Tensor] = [layers.Identity()(image)]
    for number in range(1, 5):
        growth = ab.Choice(f"growth_{number}", [2, 3, 5, 8])
        source = before[0] if len(before) == 1 else layers.Concatenate()(before)
        made = layers.Conv2D(growth, 3, padding="same")(source)
        before = [layers.Concatenate()([source, made])] if joined else [*before, made]
    output = before[0] if joined else layers.Concatenate()(before)
    return ab.Space(inputs=image, outputs=layers.Dense(10)(output))


MAKE = {
    "unet": u_net,
    "densenet, joined": lambda: dense(joined=True),
    "densenet, apart": lambda: dense(joined=False),
}


def rows(space: ab.Space) -> np.ndarray[Any, np.dtype[np.uint8]]:
    domains = [range(len(decision.values)) for decision in space.decisions.values()]
    return np.array(list(itertools.product(*domains)), dtype=np.uint8)


def assert_drawn_alike(drawn: ab.Candidates, others: ab.Candidates) -> None:
    """Draws of two diagrams of one space, whose seeds draw other networks: their totals have the same means."""
    counts, other = (each.space.evaluate(each) for each in (drawn, others))
    assert counts.valid.all()
    for metric in METRICS:
        error = np.hypot(counts[metric].std(), other[metric].std()) / np.sqrt(len(drawn))
        assert abs(counts[metric].mean() - other[metric].mean()) <= 5 * error, metric


@pytest.mark.parametrize("make", MAKE)
@pytest.mark.parametrize("limits", [{"stored": 8}, {"stored": 8, "visited": 8}, {"nodes": 2}])
def test_every_candidate_counts_the_same(make: str, limits: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    space, known = little(MAKE[make], monkeypatch, **limits), MAKE[make]()
    assert all(stage.stored for stage in known.describe().stages)
    assert not all(stage.stored for stage in space.describe().stages)
    indices = rows(known)
    found, expected = space.evaluate(indices), known.evaluate(indices)
    assert list(space.decisions) == list(known.decisions)
    np.testing.assert_array_equal(found.valid, expected.valid)
    for metric in METRICS:
        np.testing.assert_array_equal(found[metric], expected[metric])


@pytest.mark.parametrize("make", MAKE)
def test_an_implicit_diagram_answers_every_question(make: str, monkeypatch: pytest.MonkeyPatch) -> None:
    space, known = little(MAKE[make], monkeypatch, stored=8), MAKE[make]()
    assert space.size == known.size
    assert [space.range(metric) for metric in METRICS] == [known.range(metric) for metric in METRICS]
    assert_drawn_alike(space.sample(2000, seed=0), known.sample(2000, seed=1))
    budget = ab.Budget(params=int(np.mean(known.range("params"))), macs=int(np.mean(known.range("macs"))))
    fits, expected = space.within(budget), known.within(budget)
    assert 0 < fits.count() == expected.count() < known.size
    assert_drawn_alike(fits.sample(2000, seed=0), expected.sample(2000, seed=1))
    assert all(network in expected for network in fits.sample(20, seed=2))
    assert fits.marginals() == expected.marginals()


@pytest.mark.parametrize("make", MAKE)
def test_open_diagrams_are_sampled_and_counted_one_by_one(make: str, monkeypatch: pytest.MonkeyPatch) -> None:
    space, known = little(MAKE[make], monkeypatch, stored=8, visited=8), MAKE[make]()
    for ask in (lambda: space.range("params"), lambda: space.within(ab.Budget(params=10**9))):
        with pytest.raises(LimitError):
            ask()
    if make == "unet":
        with pytest.raises(LimitError):
            _ = space.size
    else:
        # Every combination of growths is a network.
        assert space.size == known.size
    drawn = space.sample(2000, seed=0)
    indices = np.unique(drawn.indices, axis=0)
    assert len(indices) > min(known.size, 2000) / 2
    counts = space.evaluate(drawn, ["macs"])
    assert counts.valid.all()
    np.testing.assert_array_equal(counts["macs"], known.evaluate(drawn.indices, ["macs"])["macs"])
