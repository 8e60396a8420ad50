"""`out` of `Space.evaluate`, and masks and counts of what fits: held against new arrays and one-by-one comparisons."""

from __future__ import annotations

import re
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import BudgetError, SpaceError
from support.random_budgets import random_budget
from support.random_spaces import METRICS, SEEDS, random_space

if TYPE_CHECKING:
    from collections.abc import Callable

BOTH = {np.dtype(np.int64): 2**63 - 1, np.dtype(np.uint32): 2**32 - 1}


@pytest.mark.parametrize("seed", SEEDS[::2])
def test_totals_go_into_the_arrays_that_are_given(seed: int) -> None:
    known, rng = random_space(seed), Random(seed)
    rows = len(known.indices)
    types = [rng.choice(list(BOTH)) for _ in METRICS]
    out: dict[str, Any] = {metric: np.zeros(rows, own) for metric, own in zip(METRICS, types, strict=True)}
    out["valid"] = np.zeros(rows, np.bool_)
    counts = known.space.evaluate(known.indices, METRICS, out=out)
    np.testing.assert_array_equal(counts.valid, known.valid)
    assert counts.valid is out["valid"]
    for metric in METRICS:
        assert counts[metric] is out[metric]
        invalid = BOTH[out[metric].dtype]
        np.testing.assert_array_equal(counts[metric], np.where(known.valid, known.costs[metric], invalid))


def test_metrics_without_an_array_get_a_new_one_and_those_of_out_are_the_default(lenet: ab.Space) -> None:
    drawn = lenet.sample(3_000, seed=0)
    reference = lenet.evaluate(drawn)
    array = np.empty(3_000, np.uint32)
    mixed = lenet.evaluate(drawn, ["macs", "params"], out={"params": array})
    assert mixed["params"] is array
    assert mixed["macs"].dtype == np.int64
    named = lenet.evaluate(drawn, out={"params": array})
    assert list(named) == ["params"]
    for counts in (mixed, named):
        for metric in counts:
            np.testing.assert_array_equal(counts[metric], reference[metric])
    flags = np.zeros(3_000, np.bool_)
    assert lenet.evaluate(drawn, out={"valid": flags}).valid is flags
    assert flags.all()


def test_an_evaluation_can_be_written_again() -> None:
    space = ab.Space([layers.Input((4, 4, 1)), layers.Conv2D(ab.Int("filters", 1, 9), ab.Choice("kernel", [3, 5]))])
    some, others = (np.random.default_rng(seed).integers([9, 2], size=(50, 2)) for seed in (1, 2))
    first = space.evaluate(some, ["params", "macs"])
    params = first["params"]
    again = space.evaluate(others, out=first)
    assert again["params"] is params
    assert again == space.evaluate(others, ["params", "macs"])
    with pytest.raises(SpaceError, match=r"with 49 items, not of the shape \(50,\)"):
        space.evaluate(others[:49], out=first)


def test_valid_is_made_where_every_candidate_can_be_built(lenet: ab.Space) -> None:
    counts = lenet.evaluate(lenet.sample(7, seed=0), ["params"])
    assert counts.valid.tolist() == [True] * 7
    assert counts.valid is counts.valid
    assert len(counts.to_pandas()) == 7


def read_only(n: int) -> np.ndarray:
    array = np.empty(n, np.int64)
    array.flags.writeable = False
    return array


REFUSED: dict[str, tuple[Callable[[int], Any], str]] = {
    "a list": (lambda n: [0] * n, "must be a writable, contiguous array of int64 or uint32 with 40 items, not [0, 0"),
    "floats": (lambda n: np.empty(n), "not of float64"),
    "int32": (lambda n: np.empty(n, np.int32), "not of int32"),
    "big-endian": (lambda n: np.empty(n, ">i8"), "not of >i8"),
    "too short": (lambda n: np.empty(n - 1, np.int64), "not of the shape (39,)"),
    "two axes": (lambda n: np.empty((n, 1), np.int64), "not of the shape (40, 1)"),
    "every other item": (lambda n: np.empty(2 * n, np.int64)[::2], "must stand side by side"),
    "backwards": (lambda n: np.empty(n, np.int64)[::-1], "must stand side by side"),
    "masked": (lambda n: np.ma.zeros(n, np.int64), "not masked_array"),
    "read-only": (read_only, "this one is read-only"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_arrays_that_cannot_be_written_are_refused_before_anything_is(lenet: ab.Space, what: str) -> None:
    make, message = REFUSED[what]
    drawn = lenet.sample(40, seed=0)
    untouched = np.zeros(40, np.int64)
    with pytest.raises(SpaceError, match=re.escape(message)):
        lenet.evaluate(drawn, ["macs", "params"], out={"macs": untouched, "params": make(40)})
    assert not untouched.any()


def test_outputs_that_share_memory_are_refused(lenet: ab.Space) -> None:
    memory = np.zeros(60, np.int64)
    with pytest.raises(SpaceError, match=r"out\['macs'\] shares memory with out\['params'\]"):
        lenet.evaluate(lenet.sample(40, seed=0), out={"params": memory[:40], "macs": memory[20:]})
    values = lenet.sample(40, seed=0).values()
    with pytest.raises(SpaceError, match=r"out\['params'\] shares memory with the candidates"):
        lenet.evaluate(values, out={"params": values["f1"]})
    flags = np.zeros((40, 5), np.uint8, order="F")
    with pytest.raises(SpaceError, match=r"out\['valid'\] shares memory with the candidates"):
        lenet.evaluate(flags, out={"valid": flags[:, 2].view(np.bool_)})
    with pytest.raises(SpaceError, match="out shares memory with the candidates"):
        lenet.constraint(ab.Budget(params=1)).mask(flags, out=flags[:, 2].view(np.bool_))


def test_names_of_outputs_are_those_of_counted_metrics(lenet: ab.Space) -> None:
    drawn, array = lenet.sample(4, seed=0), np.zeros(4, np.int64)
    with pytest.raises(SpaceError, match="'paramz'"):
        lenet.evaluate(drawn, out={"paramz": array})
    with pytest.raises(SpaceError, match="out has 'macs', which is not counted"):
        lenet.evaluate(drawn, ["params"], out={"macs": array})
    for wrong in (array, [array], 3, "params"):
        with pytest.raises(SpaceError, match="out must be a mapping from metrics to arrays"):
            lenet.evaluate(drawn, ["params"], out=wrong)  # type: ignore[arg-type]


def test_uint32_takes_totals_below_its_largest_number() -> None:
    def space(units: int) -> ab.Space:
        return ab.Space([layers.Input((1,)), layers.Dense(ab.Choice("units", [1, units]), use_bias=False)])

    most = 2**32 - 2
    indices = np.array([[1], [0]])
    array = np.zeros(2, np.uint32)
    assert space(most).evaluate(indices, out={"params": array})["params"].tolist() == [most, 1]
    wide = space(most + 1)
    with pytest.raises(SpaceError, match=r"must be of int64: .* reach 4,294,967,295"):
        wide.evaluate(indices, out={"params": array})
    assert wide.evaluate(indices, ["params"])["params"].tolist() == [most + 1, 1]
    open_space = ab.Space([layers.Input((1,)), *(layers.Dense(ab.Int(name, 1, 2**16)) for name in "ab")])
    with pytest.raises(SpaceError, match="have no known bound"):
        open_space.evaluate(np.zeros((2, 2), np.uint16), out={"params": array})


def test_a_row_outside_its_domain_is_named(lenet: ab.Space) -> None:
    indices = np.array(lenet.sample(300_000, seed=0).indices)
    indices[290_001, 2] = 99
    budget = ab.Budget(params=60_000)
    for ask in (
        lambda: lenet.evaluate(indices, out={"params": np.empty(300_000, np.uint32)}),
        lambda: lenet.constraint(budget).mask(indices),
        lambda: lenet.constraint(budget).count(indices),
        lambda: lenet.constraint(budget)(indices),
    ):
        with pytest.raises(SpaceError, match="row 290001: index 99 is not in the domain of decision 'f2'"):
            ask()


@pytest.mark.parametrize("seed", SEEDS)
def test_what_fits_is_what_breaks_no_bound(seed: int) -> None:
    known, rng = random_space(seed), Random(seed)
    drawn = ab.Candidates(known.space, known.indices)
    for _ in range(4):
        budget = random_budget(rng, known)
        fits = [
            valid and not budget.violations({metric: int(known.costs[metric][row]) for metric in METRICS})
            for row, valid in enumerate(known.valid.tolist())
        ]
        constraint = known.space.constraint(budget)
        assert budget.mask(drawn).tolist() == fits
        assert budget.count(drawn) == constraint.count(known.indices, threads=1) == sum(fits)
        out = np.empty(len(fits), np.bool_)
        assert constraint.mask(known.indices, out=out) is out
        assert out.tolist() == fits


def test_multiples_and_custom_metrics_are_bounded_exactly() -> None:
    space = ab.Space(
        [layers.Input((8,)), layers.Dense(ab.Int("units", 1, 99))],
        bytes_per_weight=3,
        metrics=[ab.metrics.weighted_layers()],
    )
    every = ab.Candidates(space, np.arange(99)[:, None])
    cost = space.evaluate(every)["weight_bytes"]
    for low, high in ((80, 81), (82, 107), (81, 108), (0, 26), (1, 27), (2**40, 2**41)):
        budget = ab.Budget(weight_bytes=(low, high))
        assert budget.mask(every).tolist() == ((low <= cost) & (cost <= high)).tolist()
    assert ab.Budget(custom={"weighted_layers": 1}).count(every) == 99
    assert ab.Budget(custom={"weighted_layers": (2, None)}).count(every) == 0


def test_a_budget_asks_for_candidates_that_know_their_space(lenet: ab.Space) -> None:
    budget, drawn = ab.Budget(params=60_000), lenet.sample(9, seed=0)
    for batch in (drawn.values(), drawn.indices, list(drawn), 3, lenet):
        with pytest.raises(BudgetError, match=r"takes Candidates, .* space.constraint\(budget\).mask\(candidates\)"):
            budget.mask(batch)  # type: ignore[arg-type]
    with pytest.raises(BudgetError, match=r"space.constraint\(budget\).count\(candidates\)"):
        budget.count(drawn.indices)  # type: ignore[arg-type]
    with pytest.raises(SpaceError, match="one architecture is not a batch"):
        budget.mask(drawn[0])  # type: ignore[arg-type]
    with pytest.raises(BudgetError, match="unknown metric 'joules'"):
        ab.Budget(custom={"joules": 3}).count(drawn)
    constraint = lenet.constraint(budget)
    for given in (drawn.values(), drawn.to_pandas(), list(drawn)):
        assert constraint.mask(given).tolist() == budget.mask(drawn).tolist()


def test_masks_of_another_size_are_refused(lenet: ab.Space) -> None:
    constraint, drawn = lenet.constraint(ab.Budget(params=60_000)), lenet.sample(9, seed=0)
    for out in (np.empty(8, np.bool_), np.empty(9, np.uint8), np.empty(18, np.bool_)[::2], [False] * 9):
        with pytest.raises(SpaceError, match="out must be a writable, contiguous array of bool with 9 items"):
            constraint.mask(drawn, out=out)
    assert constraint.mask(drawn[:0]).shape == (0,)
    assert constraint.count(drawn[:0]) == 0
