"""`FeasibleSet`: every answer against all networks of small spaces, and against known families."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import BudgetError, InfeasibleBudgetError, LimitError, SpaceError
from random_spaces import METRICS, SEEDS, Enumeration, random_space

MOST = 2**63 - 1


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


@pytest.mark.parametrize("seed", SEEDS)
def test_counts_are_those_of_all_networks(seed: int) -> None:
    known = random_space(seed)
    rng = Random(seed)
    for _ in range(8):
        budget = random_budget(rng, known)
        fits = known.space.within(budget)
        networks = fitting(known, budget)
        assert fits.count() == len(networks), budget
        assert fits.is_empty() == (not networks), budget
        assert fits.fraction() == pytest.approx(len(networks) / len(known.first))


@pytest.mark.parametrize("seed", SEEDS)
def test_allowed_choices_are_those_of_all_networks(seed: int) -> None:
    known = random_space(seed)
    space, rng = known.space, Random(seed)
    for _ in range(4):
        fits = space.within(budget := random_budget(rng, known))
        networks = fitting(known, budget)
        prefix: list[int] = []
        chosen: dict[str, Any] = {}
        while (found := fits.allowed(prefix)) is not None:
            name, allowed = found
            values = space.decisions[name].values
            expected = [
                any(name in network and {**network, **chosen, name: value} == network for network in networks)
                for value in values
            ]
            assert allowed == expected, (budget, chosen, name)
            # Mostly a way that can be completed, and now and then one that leaves the budget or cannot be built.
            good = [index for index, fit in enumerate(allowed) if fit]
            index = rng.choice(good) if good and rng.random() < 0.8 else rng.randrange(len(values))
            prefix.append(index)
            chosen[name] = values[index]


@pytest.mark.parametrize("seed", SEEDS[::2])
def test_fixing_decisions_keeps_the_networks_that_agree(seed: int) -> None:
    known = random_space(seed)
    rng = Random(seed)
    for _ in range(4):
        budget = random_budget(rng, known)
        fixed = {
            name: rng.choice(decision.values) for name, decision in known.space.decisions.items() if rng.random() < 0.4
        }
        part = known.space.within(budget).fix(fixed)
        expected = [
            network
            for network in fitting(known, budget)
            if all(name not in network or network[name] == value for name, value in fixed.items())
        ]
        assert part.count() == len(expected), (budget, fixed)
        assert part.is_empty() == (not expected), (budget, fixed)


@pytest.mark.parametrize(("params", "count"), [(100_000, 11_675), (8_000, 61), (MOST, 73_728), (1, 0)])
def test_the_lenet_family_is_counted(lenet: ab.Space, params: int, count: int) -> None:
    fits = lenet.within(ab.Budget(params=params))
    assert fits.count() == count
    assert fits.is_empty() == (count == 0)
    assert fits.fraction() == count / 73_728


def test_two_bounds_on_the_lenet_family_are_counted(lenet: ab.Space) -> None:
    indices = np.stack(np.meshgrid(*[range(len(each.values)) for each in lenet.decisions.values()], indexing="ij"), -1)
    counts = lenet.evaluate(indices.reshape(-1, 5))
    for budget in (
        ab.Budget(params=60_000, macs=5_000_000),
        ab.Budget(params=(20_000, 60_000), macs=(1_000_000, 2_000_000)),
        ab.Budget(peak_activation_bytes=90_000, params=50_000),
        ab.Budget(weight_bytes=(None, 400_000), trainable_params=(90_000, None)),
    ):
        fits = np.ones(73_728, dtype=bool)
        for metric, (low, high) in budget.items():
            fits &= (low <= counts[metric]) & (counts[metric] <= high)
        assert lenet.within(budget).count() == fits.sum() > 0


def test_a_space_of_more_than_64_bits_is_counted_exactly() -> None:
    space = ab.Space(
        [layers.Input((1,)), layers.Repeat(40, layers.Dense(ab.Choice("units", [1, 2, 3, 4]), use_bias=False))]
    )
    assert space.size == 4**40
    # By hand: how many chains of layers end in so many units and have so many weights.
    ways = {(1, 0): 1}
    for _ in range(40):
        after: dict[tuple[int, int], int] = {}
        for (units, params), count in ways.items():
            for wide in (1, 2, 3, 4):
                key = (wide, params + units * wide)
                after[key] = after.get(key, 0) + count
        ways = after
    for bound in (60, 200, 250, 400):
        expected = sum(count for (_, params), count in ways.items() if params <= bound)
        assert space.within(ab.Budget(params=bound)).count() == expected
    assert space.within(ab.Budget(params=(250, 250))).count() == sum(
        count for (_, params), count in ways.items() if params == 250
    )


def test_a_budget_that_nothing_fits_says_what_there_is(lenet: ab.Space) -> None:
    fits = lenet.within(ab.Budget(params=100, macs=5_000_000))
    assert fits.is_empty()
    smallest, largest = lenet.range("params")
    with pytest.raises(InfeasibleBudgetError, match=rf"params <= 100.*{smallest:,} to {largest:,}"):
        fits.require_some()
    assert isinstance(lenet.within(ab.Budget(params=10**6)).require_some(), type(None))


def test_bounds_that_can_only_be_kept_one_by_one_leave_nothing(lenet: ab.Space) -> None:
    low_params, _ = lenet.range("params")
    _, high_macs = lenet.range("macs")
    fits = lenet.within(ab.Budget(params=low_params, macs=(high_macs, None)))
    assert fits.is_empty()
    assert fits.count() == 0


def test_a_space_without_decisions_fits_or_does_not() -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(3)])
    for bound, count in ((15, 1), (14, 0), ((16, None), 0), ((15, 15), 1)):
        fits = space.within(ab.Budget(params=bound))
        assert fits.count() == count
        assert fits.is_empty() == (count == 0)
        assert fits.allowed([]) is None


@pytest.mark.parametrize(
    ("prefix", "message"),
    [([3], r"3.*'k1'.*3 values"), ([0, 99], "99.*'f1'"), ([0, 0, 0, 0, 0, 0], "more indices"), ([2**32 - 1], "'k1'")],
)
def test_bad_prefixes_are_refused(lenet: ab.Space, prefix: list[int], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        lenet.within(ab.Budget(params=10**6)).allowed(prefix)


@pytest.mark.parametrize("prefix", [[-1], [2**32], [2**70], [0.0], ["0"], [None]])
def test_prefixes_that_hold_no_indices_are_refused(lenet: ab.Space, prefix: list[Any]) -> None:
    with pytest.raises((SpaceError, TypeError, OverflowError)):
        lenet.within(ab.Budget(params=10**6)).allowed(prefix)


@pytest.mark.parametrize(("values", "message"), [({"f3": 8}, "'f3'"), ({"f1": 9}, "9 is not a value.*'f1'")])
def test_bad_values_cannot_be_fixed(lenet: ab.Space, values: dict[str, Any], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        lenet.within(ab.Budget(params=10**6)).fix(values)


@pytest.mark.parametrize("budget", [None, 100_000, {"params": 100_000}, "params"])
def test_what_is_no_budget_is_refused(lenet: ab.Space, budget: Any) -> None:
    with pytest.raises(BudgetError, match="needs a Budget"):
        lenet.within(budget)


def test_a_space_too_wide_to_be_counted_says_so() -> None:
    space = ab.Space([layers.Input((4,)), *(layers.Dense(ab.Int(name, 1, 2**16)) for name in "ab")])
    for ask in (lambda: space.size, lambda: space.within(ab.Budget(params=100)), lambda: space.range("macs")):
        with pytest.raises(LimitError, match=r"'b'.*65536"):
            ask()


def test_the_repr_says_the_budget(lenet: ab.Space) -> None:
    assert repr(lenet.within(ab.Budget(params=(10, 60_000)))) == "<FeasibleSet params 10 to 60,000>"
