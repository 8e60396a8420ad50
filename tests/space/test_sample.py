"""`Space.sample`: uniform over the distinct networks, reproducible, whatever the number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

import archbudget as ab
from archbudget import layers
from archbudget.errors import LimitError, SpaceError
from support.random_spaces import SEEDS, random_space

SIGNIFICANCE = 1e-5
"""A correct sampler fails one of the chi-square tests below with a chance of at most 0.2 %; the seeds are fixed."""


@pytest.mark.parametrize("seed", SEEDS)
def test_only_distinct_networks_are_drawn(seed: int) -> None:
    known = random_space(seed)
    candidates = known.space.sample(300, seed=seed)
    networks = {known.space.architecture(values).indices for values in known.networks}
    assert {tuple(row) for row in candidates.indices.tolist()} <= networks
    assert known.space.evaluate(candidates).valid.all()


@pytest.mark.parametrize("seed", [seed for seed in SEEDS[:100] if len(random_space(seed).first) >= 2])
def test_every_network_is_drawn_equally_often(seed: int) -> None:
    known = random_space(seed)
    networks = len(known.first)
    candidates = known.space.sample(100 * networks, seed=1)
    _, counts = np.unique(candidates.indices, axis=0, return_counts=True)
    assert len(counts) == networks
    assert stats.chisquare(counts).pvalue > SIGNIFICANCE


def test_dead_and_inactive_choices_do_not_bend_the_draw() -> None:
    space = ab.Space(
        [
            layers.Input((6, 6, 1)),
            # A kernel of 7 does not fit, one of 5 leaves two positions, and only some depths fit what is left.
            layers.Conv2D(ab.Choice("filters", [1, 2]), ab.Choice("kernel", [3, 5, 7])),
            layers.Repeat(ab.Int("depth", 0, 3), layers.Conv2D(ab.Int("width", 1, 2), 2)),
            layers.OneOf("head", {"flat": [], "dense": layers.Dense(ab.Int("units", 1, 5))}),
        ]
    )
    candidates = space.sample(60_000, seed=0)
    _, counts = np.unique(candidates.indices, axis=0, return_counts=True)
    # filters, times the widths of each depth that fits the kernel, times one flat head or a dense one of five sizes.
    assert space.size == len(counts) == 2 * ((1 + 2 + 4 + 8) + (1 + 2)) * 6
    assert stats.chisquare(counts).pvalue > SIGNIFICANCE
    depth = candidates.values()["depth"]
    assert abs(np.mean(depth == 3) - 8 / 18) < 0.01


def test_the_draw_is_uniform_beyond_64_bits() -> None:
    space = ab.Space(
        [
            layers.Input((4,)),
            layers.Repeat(20, layers.Dense(ab.Int("units", 1, 31))),
            layers.Dense(ab.Choice("last", [1, 2])),
        ]
    )
    assert space.size == 2 * 31**20
    candidates = space.sample(50_000, seed=3)
    for column in candidates.indices.T:
        counts = np.bincount(column)
        assert stats.chisquare(counts).pvalue > SIGNIFICANCE


def test_the_draw_is_uniform_where_a_space_is_too_wide_to_be_counted() -> None:
    space = ab.Space(
        [
            layers.Input((3,)),
            layers.Dense(ab.Int("a", 1, 2**14)),
            layers.Dense(ab.Int("b", 1, 2**14)),
            layers.OneOf("head", {"none": [], "dense": layers.Dense(ab.Int("c", 1, 3))}),
        ]
    )
    with pytest.raises(LimitError):
        _ = space.size
    candidates = space.sample(20_000, seed=0)
    # One network without a head to three with one.
    pairs, counts = np.unique(candidates.indices[:, 2:], axis=0, return_counts=True)
    assert pairs.tolist() == [[0, 0], [1, 0], [1, 1], [1, 2]]
    assert stats.chisquare(counts).pvalue > SIGNIFICANCE
    for column in candidates.indices[:, :2].T:
        assert stats.kstest(column / 2**14, "uniform").pvalue > SIGNIFICANCE


def test_the_same_seed_gives_the_same_draw(lenet: ab.Space) -> None:
    first, again = lenet.sample(10_000, seed=7), lenet.sample(10_000, seed=7)
    assert first == again
    assert first != lenet.sample(10_000, seed=8)
    assert lenet.sample(10_000, seed=np.uint64(7)) == first


def test_a_longer_draw_begins_with_a_shorter_one(lenet: ab.Space) -> None:
    assert lenet.sample(10_000, seed=7)[:5000] == lenet.sample(5000, seed=7)


def test_without_a_seed_each_draw_is_fresh(lenet: ab.Space) -> None:
    assert lenet.sample(100) != lenet.sample(100)


def test_the_draw_does_not_depend_on_threads(lenet: ab.Space) -> None:
    rows = 40_000
    expected = lenet.sample(rows, seed=5).indices
    for threads in (1, 2, 5):
        drawn = np.zeros((expected.shape[1], rows), expected.dtype)
        lenet._compiled.diagram.sample(drawn, 5, threads=threads)
        np.testing.assert_array_equal(drawn.T, expected)


@pytest.mark.parametrize(
    ("values", "dtype"), [(256, np.uint8), (257, np.uint16), (65_536, np.uint16), (65_537, np.uint32)]
)
def test_indices_are_as_narrow_as_the_domains_allow(values: int, dtype: Any) -> None:
    space = ab.Space([layers.Input((2,)), layers.Dense(ab.Int("units", 1, values))])
    candidates = space.sample(20_000, seed=0)
    assert candidates.indices.dtype == dtype
    assert candidates.indices.flags.f_contiguous
    assert candidates.indices.max() > 0.99 * values - 1
    assert candidates.values()["units"].min() >= 1


@pytest.mark.parametrize("n", [-1, 1.0, True, "3", None, 2.5])
def test_bad_numbers_of_candidates_are_refused(lenet: ab.Space, n: Any) -> None:
    with pytest.raises(SpaceError, match="n must be an integer"):
        lenet.sample(n)


@pytest.mark.parametrize("n", [10**15, 2**62, 2**63, 2**64, 10**30])
def test_more_candidates_than_memory_holds_are_refused(lenet: ab.Space, n: int) -> None:
    with pytest.raises((MemoryError, SpaceError)):
        lenet.sample(n, seed=0)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, True, "0"])
def test_bad_seeds_are_refused(lenet: ab.Space, seed: Any) -> None:
    with pytest.raises(SpaceError, match="seed"):
        lenet.sample(1, seed=seed)


def test_no_candidates_are_an_empty_batch(lenet: ab.Space) -> None:
    candidates = lenet.sample(0, seed=0)
    assert len(candidates) == 0
    assert candidates.indices.shape == (0, 5)
