"""Sets, spaces and batches as the containers that people of Python expect."""

from __future__ import annotations

import itertools
import pickle
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import (
    CountOverflowError,
    InexactError,
    InfeasibleBudgetError,
    LimitError,
    OutOfRangeError,
    SpaceError,
)
from support.random_spaces import SEEDS, random_space
from support.small_diagrams import little

if TYPE_CHECKING:
    from collections.abc import Callable

LENET_BUDGET = ab.Budget(params=60_000)


@pytest.fixture(scope="module")
def lenet() -> ab.Space:
    return ab.spaces.lenet()


def row_of(*widths: tuple[int, int]) -> ab.Space:
    """Dense layers, each with a range of widths."""
    return ab.Space([layers.Input((2,)), *(layers.Dense(ab.Int(f"u{i}", *ends)) for i, ends in enumerate(widths))])


def key(network: Any) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, repr(value)) for name, value in network.items()))


@pytest.mark.parametrize("seed", SEEDS[:12])
def test_a_space_is_the_container_of_its_networks(seed: int) -> None:
    known = random_space(seed)
    space = known.space
    assert len(space) == space.size == len(known.networks)
    assert bool(space)
    members = list(space)
    assert len(members) == len(space)
    assert {key(arch) for arch in members} == {key(network) for network in known.networks}
    for number in {0, len(members) // 2, len(members) - 1}:
        assert space[number] == members[number]
        assert space[number - len(members)] == members[number]
        assert members[number] in space
        assert dict(members[number]) in space
    for part in (slice(1, 3), slice(None), slice(-2, None), slice(None, None, 3), slice(None, None, -1), slice(3, 1)):
        assert list(space[part]) == members[part]


def test_a_set_is_the_container_of_what_fits(lenet: ab.Space) -> None:
    fits = lenet.within(LENET_BUDGET)
    assert len(fits) == fits.count() == 5811
    assert fits[17] == fits.candidates(17, 18)[0]
    assert [fits.rank(arch) for arch in fits[-3:]] == [5808, 5809, 5810]
    assert fits[::1000].indices.tolist() == fits.candidates().indices[::1000].tolist()
    assert bool(fits)
    empty = lenet.within(ab.Budget(params=10))
    assert not empty
    assert len(empty) == 0
    assert list(empty) == list(empty[:]) == []
    with pytest.raises(OutOfRangeError, match="no network 0 of 0"):
        empty[0]


def test_what_is_too_large_for_len_says_what_is_not() -> None:
    space = row_of(*[(1, 64)] * 12)
    assert space.size == 64**12 > sys.maxsize
    assert bool(space)
    with pytest.raises(CountOverflowError, match="size can"):
        len(space)
    with pytest.raises(OverflowError):
        list(space)
    first = list(itertools.islice(space, 3))
    assert first == [space[0], space[1], space[2]]
    assert dict(space[-1]) == {f"u{i}": 64 for i in range(12)}
    assert dict(space[64**11]) == {"u0": 2, **{f"u{i}": 1 for i in range(1, 12)}}
    assert len(space[10**20 : 10**20 + 5]) == 5
    with pytest.raises(OutOfRangeError, match="no network"):
        space[64**12]


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda some: some["f1"], "by their ranks, an integer or a slice, not by 'f1'; decisions are in"),
        (lambda some: some[1.0], "not by 1.0"),
        (lambda some: some[True], "not by True"),
        (lambda some: some[10**9], "no network 1000000000"),
        (lambda some: "f1" in some, "an Architecture, or a mapping from decisions to values, not 'f1'"),
        (lambda some: 3 in some, "an Architecture, or a mapping"),
        (lambda some: np.asarray(some), "not an array"),
        (lambda some: np.array(some, dtype=float), "not an array"),
        (lambda some: some.sample(3, replace=1), "replace must be True or False, not 1"),
        (lambda some: some.sample(10**6, replace=False), "1,000,000 different networks are asked for"),
    ],
)
@pytest.mark.parametrize("inside", [True, False])
def test_what_is_not_meant_is_answered(lenet: ab.Space, ask: Callable[[Any], Any], message: str, inside: bool) -> None:
    with pytest.raises(SpaceError, match=message) as raised:
        ask(lenet.within(LENET_BUDGET) if inside else lenet)
    assert "\n" not in str(raised.value)


def test_what_is_no_network_of_a_space_is_not_in_it(lenet: ab.Space) -> None:
    fits = lenet.within(LENET_BUDGET)
    large = lenet.architecture(f1=128, k1=7, f2=128, k2=7, units=512)
    assert large in lenet
    assert large not in fits
    assert {**large, "units": 17} not in lenet
    assert {"f1": 8} not in lenet
    assert ab.spaces.vgg()[0] not in lenet
    batch = lenet.sample(50, seed=0)
    assert batch[3] in batch
    assert dict(batch[3]) in batch
    assert {**batch[3], "units": 17} not in batch
    assert large not in batch
    with pytest.raises(SpaceError, match="an Architecture"):
        assert 3 in batch


def test_indices_of_inactive_decisions_do_not_matter_in_a_batch() -> None:
    space = ab.Space([layers.Input((4,)), layers.Repeat(ab.Int("depth", 1, 2), layers.Dense(ab.Int("u", 1, 3)))])
    batch = ab.Candidates(space, [[0, 1, 2], [1, 0, 0]])
    assert {"depth": 1, "u_1": 2} in batch
    assert {"depth": 1, "u_1": 1} not in batch
    assert {"depth": 2, "u_1": 2, "u_2": 3} not in batch


def test_a_batch_is_an_array_of_its_indices(lenet: ab.Space) -> None:
    batch = lenet.sample(20, seed=0)
    array = np.asarray(batch)
    assert array is batch.indices or np.shares_memory(array, batch.indices)
    assert not array.flags.writeable
    copied = np.array(batch)
    assert copied.flags.writeable
    assert not np.shares_memory(copied, batch.indices)
    assert copied.tolist() == batch.indices.tolist()
    wide = np.asarray(batch, dtype=np.int64)
    assert wide.dtype == np.int64
    assert wide.tolist() == batch.indices.tolist()
    assert np.concatenate([batch, batch]).shape == (40, 5)
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        assert np.shares_memory(np.asarray(batch, copy=False), batch.indices)
        with pytest.raises(ValueError, match="copy"):
            np.asarray(batch, dtype=np.int64, copy=False)


# Draws without replacement.


@pytest.mark.parametrize("n", [1, 2, 100, 2905, 2906, 5810, 5811])
def test_draws_without_replacement_are_different_networks_that_fit(lenet: ab.Space, n: int) -> None:
    fits = lenet.within(LENET_BUDGET)
    drawn = fits.sample(n, seed=3, replace=False)
    assert len(np.unique(drawn.indices, axis=0)) == len(drawn) == n
    assert (lenet.evaluate(drawn)["params"] <= 60_000).all()
    assert fits.sample(n, seed=3, replace=False) == drawn
    assert drawn.indices.flags.f_contiguous
    if n > 2:
        assert fits.sample(n, seed=4, replace=False) != drawn


@pytest.mark.parametrize("seed", SEEDS[:12])
def test_all_networks_of_a_space_are_drawn_without_replacement(seed: int) -> None:
    known = random_space(seed)
    for n in (len(known.networks), max(len(known.networks) // 3, 1)):
        drawn = known.space.sample(n, seed=seed, replace=False)
        keys = {key(arch) for arch in drawn}
        assert len(keys) == n
        assert keys <= {key(network) for network in known.networks}


@pytest.mark.parametrize("networks", [4, 5])
def test_draws_without_replacement_are_uniform(networks: int) -> None:
    """Both ways, the permutation of all and the rejection of repetitions, bring each pair in each order alike."""
    from scipy.stats import chisquare

    space = row_of((1, 7))
    fits = space.within(ab.Budget(params=3 * networks))
    assert fits.count() == networks
    pairs = list(itertools.permutations(range(networks), 2))
    counts = dict.fromkeys(pairs, 0)
    for seed in range(100 * len(pairs)):
        first, second = fits.sample(2, seed=seed, replace=False).indices[:, 0].tolist()
        counts[first, second] += 1
    assert chisquare(list(counts.values())).pvalue > 1e-4


def test_draws_without_replacement_from_huge_sets_are_fast() -> None:
    space = row_of(*[(1, 64)] * 12)
    fits = space.within(ab.Budget(params=10_000))
    for drawn in (space.sample(20_000, seed=0, replace=False), fits.sample(20_000, seed=0, replace=False)):
        assert len(np.unique(drawn.indices, axis=0)) == 20_000


def test_rounded_sets_are_drawn_from_without_replacement_as_far_as_is_certain() -> None:
    space = ab.Space(
        [layers.Input((16,)), *(layers.Dense(ab.Choice(f"u{i}", range(3, 40, 3))) for i in range(4)), layers.Dense(3)]
    )
    budget = ab.Budget(params=2500, macs=(900, 2300))
    right = space.within(budget).count()
    fits = space.within(budget, memory=1 << 16)
    bounds = fits.bounds()
    assert not bounds.exact
    assert right in bounds
    drawn = fits.sample(min(bounds.lower, 2000), seed=0, replace=False)
    assert len(np.unique(drawn.indices, axis=0)) == len(drawn)
    assert all(arch in fits for arch in drawn[:50])
    with pytest.raises(InexactError, match="not known"):
        fits.sample(bounds.upper, replace=False)
    with pytest.raises(SpaceError, match="different networks"):
        fits.sample(bounds.upper + 1, replace=False)
    for ask in (lambda: len(fits), lambda: fits[0], lambda: fits[:2], lambda: list(fits)):
        with pytest.raises(InexactError):
            ask()


def test_spaces_that_are_too_wide_to_be_counted_are_drawn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    def make() -> ab.Space:
        return row_of((1, 40), (1, 40), (1, 40))

    space = little(make, monkeypatch, stored=8, visited=8)
    assert repr(space) == "<Space of 64,000 networks: 3 decisions, 4 layers>"
    assert bool(space)
    drawn = space.sample(3000, seed=0, replace=False)
    assert len(np.unique(drawn.indices, axis=0)) == 3000
    assert drawn[0] in space
    with pytest.raises(SpaceError, match="64,001 different networks are asked for, of 64,000"):
        space.sample(64_001, replace=False)
    assert space.size == len(space) == 64_000
    for ask in (lambda: space.range("params"), lambda: space[0], lambda: next(iter(space))):
        with pytest.raises(LimitError):
            ask()


def test_nothing_is_drawn_from_nothing_without_replacement(lenet: ab.Space) -> None:
    empty = lenet.within(ab.Budget(params=10))
    assert len(empty.sample(0, replace=False)) == 0
    with pytest.raises(InfeasibleBudgetError):
        empty.sample(1, replace=False)


def test_a_space_without_decisions_has_one_network() -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(3)])
    assert len(space) == 1
    assert [dict(arch) for arch in space] == [{}]
    assert len(space.sample(1, replace=False)) == 1
    assert space[0] in space
    with pytest.raises(SpaceError, match="2 different networks are asked for, and 1 fit"):
        space.sample(2, replace=False)


# Parts of sets.


def test_a_part_with_fixed_values_stays_that_part_everywhere(lenet: ab.Space) -> None:
    fits = lenet.within(LENET_BUDGET)
    part = fits.fix({"f1": 8})
    other = lenet.architecture(f1=16, k1=3, f2=8, k2=3, units=16)
    assert other in fits
    assert other not in part
    with pytest.raises(SpaceError, match=r"the network has f1=16, outside the set \(params <= 60,000 with f1=8\)"):
        part.rank(other)
    assert part.closest("params", other.params)["f1"] == 8
    for again in (pickle.loads(pickle.dumps(part)), part.fix({"f1": 8}), part.fix({})):
        assert again.count() == part.count() == sum(arch["f1"] == 8 for arch in fits)
        assert dict(again.fixed) == {"f1": 8}
        assert repr(again) == "<FeasibleSet params <= 60,000 with f1=8>"
    both = part.fix({"k1": 5})
    assert both.count() == sum(arch["f1"] == 8 and arch["k1"] == 5 for arch in fits) < part.count()
    assert both.largest("params").params == max(arch.params for arch in fits if arch["f1"] == 8 and arch["k1"] == 5)
    with pytest.raises(SpaceError, match="'f1' is fixed at 8, not at 16"):
        part.fix({"f1": 16})


# Texts.


def test_a_space_shows_its_size(lenet: ab.Space) -> None:
    assert repr(lenet) == "<Space of 73,728 networks: 5 decisions, 10 layers>"
    assert repr(object.__new__(ab.Space)) == "<Space that is not made yet>"


def test_a_wide_space_is_not_counted_to_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    space = row_of((1, 300), (1, 300))
    counted = []
    count = type(space).size.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(ab.Space, "size", property(lambda space: counted.append(space) or count(space)))
    assert repr(space) == "<Space of at most 90,000 networks: 2 decisions, 3 layers>"
    assert not counted
    assert space.size == 90_000
    assert repr(space) == "<Space of 90,000 networks: 2 decisions, 3 layers>"


@pytest.mark.parametrize("block", [layers.Residual, lambda some: layers.Repeat(2, some), ab.Space])
def test_a_space_is_not_taken_for_a_list_of_layers(block: Callable[[Any], Any]) -> None:
    space = row_of(*[(1, 64)] * 12)
    with pytest.raises(SpaceError):
        block(space)


@pytest.mark.parametrize("module", [ab, ab.layers, ab.metrics, ab.spaces, ab.plot, ab.errors])
def test_dir_shows_the_public_face(module: Any) -> None:
    assert dir(module) == sorted(module.__all__)
    assert all(getattr(module, name) is not None for name in dir(module))
    assert not [name for name in dir(module) if name.startswith("_") and name != "__version__"]
    assert "annotations" not in dir(module)


def test_every_error_is_in_the_public_face() -> None:
    kinds = {
        name
        for name, each in vars(ab.errors).items()
        if isinstance(each, type) and each.__module__ == ab.errors.__name__
    }
    assert kinds == set(ab.errors.__all__)


def test_a_data_frame_of_a_batch_has_values_by_name() -> None:
    pd = pytest.importorskip("pandas")
    space = ab.Space(
        [
            layers.Input((4,)),
            ab.Repeat(ab.Int("depth", 0, 2), layers.Dense(ab.Choice("width", [3, 9]))),
            layers.Dense(2, activation=ab.Choice("activation", ["relu", "tanh"])),
        ]
    )
    batch = space.sample(50, seed=0)
    frame = pd.DataFrame(batch)
    assert set(frame.columns) == set(space.decisions)
    for row, arch in enumerate(batch):
        assert {name: value for name, value in frame.loc[row].items() if not pd.isna(value)} == dict(arch)
    np.testing.assert_array_equal(space.evaluate(frame)["params"], space.evaluate(batch)["params"])
    np.testing.assert_array_equal(np.asarray(batch), batch.indices)
    full = batch[space.evaluate(batch)["params"] == space.range("params")[1]]
    assert len(full)
    pd.testing.assert_frame_equal(pd.DataFrame(full)[list(space.decisions)], full.to_pandas(), check_dtype=False)


def test_spaces_are_not_called_and_tensors_not_sliced() -> None:
    image = layers.Input((3, 4))
    tensor = layers.ReLU()(image)
    for call, message in (
        (lambda: row_of((1, 2))(tensor), r"a space is a family of whole networks, and no layer: layers.Sequential"),
        (lambda: tensor[:, 0], r"a tensor of the graph has no items, .*Cropping1D\(\(0, n - 1\)\) and Flatten\(\)"),
        (lambda: layers.Input((3,))[0], "a tensor of the graph has no items"),
        (lambda: list(tensor), "a tensor of the graph is one tensor"),
        (lambda: dict([tensor]), "a tensor of the graph is one tensor"),
    ):
        with pytest.raises(SpaceError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
    first = layers.Flatten()(layers.Cropping1D((0, 2))(tensor))
    assert ab.Space(inputs=image, outputs=first).architecture().layers[-1].output_shape == (4,)
