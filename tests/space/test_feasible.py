"""`FeasibleSet`: every answer against all networks of small spaces, and against known families."""

from __future__ import annotations

import pickle
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import (
    ArchbudgetError,
    BudgetError,
    InexactError,
    InfeasibleBudgetError,
    InvalidArchitectureError,
    LimitError,
    SpaceError,
)
from support.random_budgets import fitting, random_budget
from support.random_spaces import METRICS, SEEDS, Enumeration, draw_wide_space, random_space

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

MOST = 2**63 - 1


@pytest.mark.parametrize("seed", SEEDS)
def test_counts_are_those_of_all_networks(seed: int) -> None:
    known = random_space(seed)
    rng = Random(seed)
    for _ in range(8):
        budget = random_budget(rng, known)
        fits = known.space.within(budget)
        networks = fitting(known, budget)
        assert fits.count() == len(networks), budget
        assert fits.bounds() == len(networks), budget
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


def in_order(known: Enumeration, networks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Networks in the order of their choices, taken as the space asks for them."""

    def key(network: dict[str, Any]) -> list[int]:
        walk = known.space._compiled.diagram.walk([])
        names = list(known.space.decisions)
        taken = []
        while (position := walk.open) is not None:
            taken.append(known.space.decisions[names[position]].index(network[names[position]]))
            walk.choose(taken[-1])
        return taken

    return sorted(networks, key=key)


@pytest.mark.parametrize("seed", SEEDS)
def test_ranks_number_the_networks_that_fit(seed: int) -> None:
    known = random_space(seed)
    rng = Random(seed)
    for _ in range(3):
        fits = known.space.within(random_budget(rng, known))
        networks = in_order(known, fitting(known, fits.budget))
        assert [dict(arch) for arch in fits] == networks
        assert [fits.rank(network) for network in networks] == list(range(len(networks)))
        cut = sorted(rng.randint(0, len(networks)) for _ in range(2))
        assert [dict(arch) for arch in fits.candidates(*cut)] == networks[slice(*cut)]
        assert sum(len(chunk) for chunk in fits.chunks(7)) == len(networks)
        for network in known.networks[:50]:
            assert (network in fits) == (network in networks)


@pytest.mark.parametrize("start", range(1000, 3000, 100))
def test_members_are_the_networks_that_fit_in_many_spaces(start: int) -> None:
    """2,000 more spaces, each with an upper bound, a range, and several bounds at once."""
    for seed in range(start, start + 100):
        known = random_space.__wrapped__(seed)
        rng = Random(seed)
        for _ in range(4):
            fits = known.space.within(random_budget(rng, known))
            networks = fitting(known, fits.budget)
            assert fits.count() == len(networks), (seed, fits)
            members = [dict(arch) for arch in fits]
            assert len(members) == len(networks)
            assert {tuple(sorted(each.items())) for each in members} == {
                tuple(sorted(each.items())) for each in networks
            }, (seed, fits)


@pytest.mark.parametrize("seed", SEEDS)
def test_marginals_are_the_shares_of_the_networks(seed: int) -> None:
    known = random_space(seed)
    rng = Random(seed)
    for _ in range(3):
        fits = known.space.within(random_budget(rng, known))
        networks = fitting(known, fits.budget)
        if not networks:
            with pytest.raises(InfeasibleBudgetError):
                fits.marginals()
            continue
        marginals = fits.marginals()
        assert marginals.exact
        assert list(marginals) == list(known.space.decisions)
        for name, decision in known.space.decisions.items():
            expected = {
                value: sum(name in network and same(network[name], value) for network in networks) / len(networks)
                for value in decision.values
            }
            assert marginals[name] == expected


def same(a: object, b: object) -> bool:
    """Whether two values of a decision are one: True is not 1."""
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("seed", SEEDS)
def test_a_pruned_space_keeps_what_fits_and_nothing_useless(seed: int) -> None:
    known = random_space(seed)
    rng = Random(seed)
    for _ in range(3):
        fits = known.space.within(random_budget(rng, known))
        networks = fitting(known, fits.budget)
        if not networks:
            with pytest.raises(InfeasibleBudgetError):
                fits.prune()
            continue
        pruned = fits.prune()
        left = pruned.within(fits.budget)
        assert left.count() == len(networks)
        assert sorted(repr(sorted(arch.items())) for arch in left) == sorted(
            repr(sorted(each.items())) for each in networks
        )
        for name, decision in pruned.decisions.items():
            for value in decision.values:
                used = any(name in network and same(network[name], value) for network in networks)
                # Structure may ask for a decision in networks that do not fit only; then it has one value.
                assert used or len(decision.values) == 1, (name, value)


@pytest.mark.parametrize("seed", SEEDS)
def test_extremes_are_those_of_all_networks(seed: int) -> None:
    known = random_space(seed)
    rng = Random(seed)
    for _ in range(3):
        fits = known.space.within(random_budget(rng, known))
        keeps = np.ones(len(known.first), dtype=bool)
        for metric, (low, high) in fits.budget.items():
            keeps &= (low <= known.cost(metric)) & (known.cost(metric) <= high)
        metric = rng.choice(METRICS)
        costs = known.cost(metric)[keeps]
        if not len(costs):
            for ask in (fits.largest, fits.smallest):
                with pytest.raises(InfeasibleBudgetError):
                    ask(metric)
            continue
        largest, smallest = fits.largest(metric), fits.smallest(metric)
        assert (smallest.costs[metric], largest.costs[metric]) == (costs.min(), costs.max())
        assert largest in fits
        assert smallest in fits
        wanted = rng.randint(int(costs.min()) - 2, int(costs.max()) + 2) + rng.choice([0, 0.5])
        closest = fits.closest(metric, wanted)
        assert closest in fits
        assert abs(closest.costs[metric] - wanted) == np.abs(costs - wanted).min()


@pytest.mark.parametrize("seed", SEEDS)
def test_rounded_sets_bound_the_count_and_hold_only_what_fits(seed: int) -> None:
    known = random_space(seed)
    rng = Random(seed)
    for _ in range(3):
        budget = random_budget(rng, known)
        exact = known.space.within(budget)
        fits = known.space.within(budget, memory=rng.choice([600, 1500, 4000]))
        try:
            bounds = fits.bounds()
        except LimitError:  # The choices alone take more.
            assert fits.memory < 4000
            continue
        networks = fitting(known, budget)
        assert len(networks) in bounds
        assert fits.is_empty() == (not networks)
        if not networks:
            continue
        drawn = fits.sample(64, seed=1)
        assert all(dict(arch) in networks for arch in drawn[:16])
        assert 0 < fits.acceptance <= 1
        assert fits.prune().decisions.keys() == exact.prune().decisions.keys()
        metric = rng.choice(METRICS)
        assert fits.largest(metric).costs[metric] == exact.largest(metric).costs[metric]
        prefix: list[int] = []
        while (found := exact.allowed(prefix)) is not None:
            assert fits.allowed(prefix) == found
            prefix.append(rng.choice([index for index, fit in enumerate(found[1]) if fit]))


def every_row(space: ab.Space) -> npt.NDArray[np.uint8]:
    """The indices of all combinations of values."""
    columns = [np.arange(len(decision.values), dtype=np.uint8) for decision in space.decisions.values()]
    return np.stack([column.ravel() for column in np.meshgrid(*columns, indexing="ij")], axis=1)


WIDE_SEEDS = range(20)


def draw_wide_part(seed: int) -> ab.Space:
    """A random space of tens of thousands of networks, of which a table is rounded where memory is short."""
    for attempt in range(1000):
        rng = Random(seed * 1000 + attempt)
        try:
            whole = draw_wide_space(rng)
            some = {name: rng.sample(each.values, min(len(each.values), 12)) for name, each in whole.decisions.items()}
            space = whole.with_domains(some)
        except InvalidArchitectureError:
            continue
        # Each combination is a network of its own, so that the rows that fit are those to count.
        if 5_000 <= space.combinations <= 200_000 and space.size == space.combinations:
            return space
    raise AssertionError(f"no wide space follows from seed {seed}")


@pytest.mark.parametrize("seed", WIDE_SEEDS)
def test_rounded_sets_of_wide_spaces_bound_the_count_and_hold_only_what_fits(seed: int) -> None:
    space, rng = draw_wide_part(seed), Random(seed)
    rows = every_row(space)
    counts = space.evaluate(rows)
    rounded = 0
    for _ in range(200):
        bounds: dict[str, Any] = {}
        for metric in rng.sample(METRICS, rng.choice([1, 2])):
            low, high = sorted(int(rng.choice(counts[metric])) for _ in range(2))
            bounds[metric] = rng.choice([max(high, 1), (low, max(high, 1)), (low, None)])
        budget = ab.Budget(**bounds)
        keeps = np.ones(len(rows), dtype=bool)
        for metric, (low, high) in budget.items():
            keeps &= (low <= counts[metric]) & (counts[metric] <= high)
        exact = space.within(budget)
        assert exact.count() == keeps.sum()
        fits = space.within(budget, memory=rng.choice([1 << 13, 1 << 14, 1 << 15]))
        try:
            bounds = fits.bounds()
        except LimitError:  # The choices alone take more.
            continue
        assert fits.is_empty() == (not keeps.any())
        assert keeps.sum() in bounds
        if fits.exact:
            continue
        rounded += 1
        drawn = space.evaluate(fits.sample(64, seed=1))
        for metric, (low, high) in budget.items():
            assert low <= drawn[metric].min() <= drawn[metric].max() <= high
        assert 0 < fits.acceptance <= 1
        metric = rng.choice(METRICS)
        assert fits.largest(metric).costs[metric] == counts[metric][keeps].max()
        assert fits.smallest(metric).costs[metric] == counts[metric][keeps].min()
        assert fits.prune().decisions.keys() == exact.prune().decisions.keys()
        prefix: list[int] = []
        while (found := exact.allowed(prefix)) is not None:
            assert fits.allowed(prefix) == found
            prefix.append(rng.choice([index for index, fit in enumerate(found[1]) if fit]))
        if rounded == 3:
            break
    assert rounded == 3


def chain_of_dense() -> ab.Space:
    """923,521 networks, with a state for each width."""
    widths = [*range(3, 90, 3), 101, 107]
    dense = [layers.Dense(ab.Choice(f"width{i}", widths)) for i in range(4)]
    return ab.Space([layers.Input((7,)), *dense, layers.Dense(3)])


def chain_of_convolutions() -> ab.Space:
    """65,536 networks in which weights and MACs are not in proportion."""
    body: list[Any] = [layers.Input((9, 9, 2))]
    for i in range(4):
        filters = ab.Choice(f"filters{i}", [3, 5, 8, 11, 17, 23, 31, 40])
        kernel = ab.Choice(f"kernel{i}", [1, 3])
        body += [
            layers.Conv2D(filters, kernel, padding="same", strides=2 if i == 1 else 1),
            layers.BatchNormalization(),
        ]
    return ab.Space([*body, layers.GlobalAveragePooling2D(), layers.Dense(3)])


SHARES: list[dict[str, tuple[float | None, float | None]]] = [
    {"params": (None, 0.3)},
    {"params": (0.3, 0.5)},
    {"macs": (0.9, None)},
    {"params": (None, 0.4), "macs": (None, 0.5)},
    {"params": (0.2, 0.6), "macs": (0.3, 0.5)},
    {"params": (None, 0.5), "macs": (None, 0.5), "trainable_params": (0.1, 0.55)},
    {"params": (None, 0.5), "macs": (0.2, None), "peak_activation_bytes": (0.3, 0.8)},
]
"""For each metric the shares of all networks that lie below the ends of its range."""


@pytest.mark.parametrize("make", [chain_of_dense, chain_of_convolutions])
def test_bounds_hold_where_memory_is_short(make: Callable[[], ab.Space]) -> None:
    space = make()
    rows = every_row(space)
    counts = space.evaluate(rows)
    rounded = 0
    for shares in SHARES:
        bounds = {
            metric: tuple(None if share is None else int(np.quantile(counts[metric], share)) for share in ends)
            for metric, ends in shares.items()
        }
        budget = ab.Budget(**bounds)  # type: ignore[arg-type]
        fits = np.ones(len(rows), dtype=bool)
        for metric, (low, high) in budget.items():
            fits &= (low <= counts[metric]) & (counts[metric] <= high)
        expected = int(fits.sum())
        marginals = {
            name: np.bincount(rows[fits, column], minlength=len(decision.values)) / expected
            for column, (name, decision) in enumerate(space.decisions.items())
        }
        assert space.within(budget).count() == expected
        for memory in (1 << 17, 1 << 18, 1 << 20):
            known = space.within(budget, memory=memory)
            count = known.bounds()
            drawn = space.evaluate(known.sample(2000, seed=1))
            assert all(
                drawn[metric].min() >= low and drawn[metric].max() <= high for metric, (low, high) in budget.items()
            )
            found = known.marginals()
            error = max(np.abs(list(found[name].values()) - own).max() for name, own in marginals.items())
            if known.exact:
                assert count == expected
                assert error < 1e-12
                assert known.acceptance == 1
                continue
            rounded += 1
            assert expected in count
            assert not found.exact
            # A share of the superset is off by no more than its excess.
            superset = known._core.marginals()[1]
            assert error <= 1 - expected / superset + 1e-9
            # Not far below that of the rounded superset, or of the set that keeps one of the bounds.
            assert 1 / 32 < known.acceptance <= 1
            assert not count.exact
            for ask, instead in (
                (known.count, r"bounds\(\)"),
                (known.fraction, r"bounds\(\) / space.size"),
                (lambda known=known: known.candidates(0, 1), r"sample\(\)"),
                (lambda known=known: known.rank(known.sample(1)[0]), r"sample\(\)"),
                (lambda known=known: next(iter(known)), r"sample\(\)"),
            ):
                with pytest.raises(
                    InexactError, match=f"exact.*: the count is between .*{instead}.*more memory"
                ) as raised:
                    ask()
                assert ab.Bounds(raised.value.lower, raised.value.upper) == count
    assert rounded >= 5


def chi_square_p(counts: list[int], expected: float) -> float:
    """The chance of counts at least as uneven as these, if all are equally likely."""
    from scipy.stats import chisquare

    return float(chisquare(counts, [expected] * len(counts)).pvalue)


def convolutions(filters: range, number: int, kernels: list[int]) -> ab.Space:
    """Square convolutions of free widths, one after the other."""
    body = [
        layers.Conv2D(
            ab.Choice(f"filters{i}", filters),
            ab.Choice(f"kernel{i}", kernels) if len(kernels) > 1 else kernels[0],
            padding="same",
        )
        for i in range(number)
    ]
    return ab.Space([layers.Input((16, 16, 1)), *body, layers.GlobalAveragePooling2D(), layers.Dense(10)])


@pytest.mark.parametrize(
    ("make", "budget", "memories", "right"),
    [
        (lambda: convolutions(range(8, 129, 8), 6, [3]), {"params": 200_000}, [2**17, 2**18, 2**30], 8_507_363),
        (
            lambda: convolutions(range(8, 65, 8), 12, [1, 3]),
            {"params": 100_000},
            [2**bits for bits in range(15, 25)],
            230_908_866_373_678,
        ),
        (ab.spaces.tc_resnet, {"macs": 3_820_104}, [12_000_000, 2**30], 19_158_008_242),
        (ab.spaces.autoformer, {"params": 6_595_957}, [2**17, 2**18, 2**30], 66_206_849_137),
        (ab.spaces.ds_cnn, {"peak_activation_bytes": 64_266}, [21_529, 2**30], 2772),
        (
            ab.spaces.tc_resnet,
            {"params": (9_011, None), "trainable_params": (6_025, 33_725)},
            [12_935_654, 2**25],
            None,
        ),
    ],
    ids=["six", "twelve", "tc_resnet", "autoformer", "peak", "two_ranges"],
)
def test_large_sets_have_their_members_with_any_memory(
    make: Callable[[], ab.Space], budget: dict[str, Any], memories: list[int], right: int | None
) -> None:
    space = make()
    for memory in memories:
        fits = space.within(ab.Budget(**budget), memory=memory)
        bounds = fits.bounds()
        if right is not None:
            assert right in bounds, memory
        assert not fits.is_empty()
        assert all(arch in fits for arch in fits.sample(8, seed=memory))
        shares = fits.marginals()
        assert all(sum(own.values()) <= 1 + 1e-9 for own in shares.values())
        try:
            assert fits.smallest(next(iter(budget))) in fits
        except LimitError:  # Two ranges at once, and a rounded table.
            assert not fits.exact
            assert len(budget) > 1
        if memory == memories[-1]:
            pruned = fits.prune()
            assert all(shares[name][value] for name, kept in pruned.decisions.items() for value in kept.values)


def test_a_set_of_1e28_networks_is_not_empty() -> None:
    """Sixty blocks that are skipped, or cost some nanoseconds that no two of them share."""
    rng = Random(0)
    kernels = (1, 3, 5, 7)
    nanoseconds = {f"block{i}_{k}": rng.randrange(10**5, 10**7) for i in range(60) for k in kernels}
    latency = ab.Metric("latency", lambda layer: nanoseconds.get(layer.name, 0))
    blocks = [
        layers.OneOf(
            f"op{i}",
            [[], *[layers.Residual(layers.Conv2D(4, k, padding="same", name=f"block{i}_{k}")) for k in kernels]],
        )
        for i in range(60)
    ]
    space = ab.Space([layers.Input((8, 8, 4)), *blocks], metrics=[latency])
    bound = 80_000_000
    fits = space.within(ab.Budget(custom={"latency": bound}))

    def number(unit: int, up: int) -> float:
        """How many networks fit, if every block takes a multiple of a unit, and `up` is added before it is rounded."""
        ways = np.zeros(bound // unit + 1)
        ways[0] = 1
        for i in range(60):
            before = ways.copy()
            for k in kernels:
                steps = (nanoseconds[f"block{i}_{k}"] + up) // unit
                if steps < len(ways):
                    ways[steps:] += before[: len(before) - steps]
        return float(ways.sum())

    least, most = number(1000, 999), number(1000, 0)
    count = fits.bounds()
    assert not count.exact
    assert least > 1e28
    assert count.lower <= most * (1 + 1e-9)
    assert count.upper >= least * (1 - 1e-9)
    assert count.ratio < 1.02
    assert not fits.is_empty()
    assert space.architecture({f"op{i}": "0_Sequential" for i in range(60)}) in fits
    assert fits.smallest("latency").costs["latency"] == 0
    assert all(arch in fits for arch in fits.sample(8, seed=0))
    assert 0 < fits.marginals()["op0"]["0_Sequential"] < 1


@pytest.mark.parametrize("memory", [2**30, 1500])
@pytest.mark.parametrize("seed", SEEDS[:60:2])
def test_samples_are_uniform(seed: int, memory: int) -> None:
    """At a significance of 10^-5 for each of 60 fixed seeds."""
    known = random_space(seed)
    rng = Random(seed)
    budgets = (random_budget(rng, known) for _ in range(100))
    budget = next(budget for budget in budgets if len(fitting(known, budget)) >= 2)
    networks = fitting(known, budget)
    fits = known.space.within(budget, memory=memory)
    each = 40
    drawn = fits.sample(each * len(networks), seed=seed)
    places = {tuple(known.space.architecture(network).indices): place for place, network in enumerate(networks)}
    counts = [0] * len(networks)
    for row in drawn.indices:
        counts[places[tuple(int(index) for index in row)]] += 1
    assert chi_square_p(counts, each) > 1e-5


@pytest.mark.parametrize("seed", SEEDS)
def test_distributions_count_every_network(seed: int) -> None:
    known = random_space(seed)
    for metric in METRICS:
        found = known.space.distribution(metric)
        values, counts = np.unique(known.cost(metric), return_counts=True)
        assert found.exact
        assert found.values.tolist() == values.tolist()
        assert found.counts == counts.tolist()
        assert found.total == known.space.size == len(known.first)
        for q in (0, 0.05, 0.5, 1):
            bound = found.quantile(q)
            assert (known.cost(metric) <= bound).mean() >= q
            assert bound == values[0] or (known.cost(metric) < bound).mean() < q
        assert found.cdf(int(values[0]) - 1) == 0
        assert found.cdf(float(values[len(values) // 2])) == (known.cost(metric) <= values[len(values) // 2]).mean()


def test_a_distribution_of_too_many_values_bounds_the_counts() -> None:
    widths = [4, 9, 21, 38, 50, 67, 81, 100, 119, 131, 150, 167, 190, 211, 230, 256]
    body = [layers.Conv2D(ab.Choice(f"width{i}", widths), 3, padding="same") for i in range(12)]
    space = ab.Space([layers.Input((32, 32, 3)), *body, layers.GlobalAveragePooling2D(), layers.Dense(10)])
    found = space.distribution("params")
    assert not found.exact
    assert found.total == space.size == 16**12
    smallest, largest = space.range("params")
    assert found.values[0] <= smallest <= found.values[0] + found.error
    assert found.values[-1] <= largest <= found.values[-1] + found.error
    for bound in (30_000, 100_000, 200_000):
        count = space.within(ab.Budget(params=bound)).count()
        assert isinstance(count, int)
        assert found.cdf(bound) <= count / space.size <= found.cdf(bound + found.error)
        # What a quantile keeps for certain.
        assert found.quantile(count / space.size) >= bound - found.error


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


@pytest.mark.parametrize("depth", [40, 70])
def test_a_space_of_more_than_64_and_128_bits_is_counted_exactly(depth: int) -> None:
    space = ab.Space(
        [layers.Input((1,)), layers.Repeat(depth, layers.Dense(ab.Choice("units", [1, 2, 3, 4]), use_bias=False))]
    )
    assert space.size == 4**depth
    # By hand: how many chains end in so many units and have so many weights, and how many of them begin with 2.
    ways = {(1, 0): (1, 0)}
    for layer in range(depth):
        after: dict[tuple[int, int], tuple[int, int]] = {}
        for (units, params), (count, with_two) in ways.items():
            for wide in (1, 2, 3, 4):
                before = after.get((wide, params + units * wide), (0, 0))
                two = (count if wide == 2 else 0) if layer == 0 else with_two
                after[wide, params + units * wide] = (before[0] + count, before[1] + two)
        ways = after

    def expected(low: int, high: int) -> tuple[int, int]:
        kept = [counts for (_, params), counts in ways.items() if low <= params <= high]
        return sum(count for count, _ in kept), sum(two for _, two in kept)

    for low, high in ((0, 60), (0, 200), (0, 5 * depth), (0, 10 * depth), (250, 250), (200, 7 * depth)):
        fits = space.within(ab.Budget(params=(low, high)))
        count, with_two = expected(low, high)
        assert fits.count() == count
        if not count:
            continue
        assert fits.marginals()["units_1"][2] == with_two / count
        for rank in (0, count // 3, count - 1):
            (arch,) = fits.candidates(rank, rank + 1)
            assert low <= arch.params <= high
            assert fits.rank(arch) == rank
        drawn = space.evaluate(fits.sample(500, seed=0), ["params"])["params"]
        assert low <= drawn.min() <= drawn.max() <= high


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


@pytest.mark.parametrize("prefix", [[-1], [2**32], [2**70], [0.0], ["0"], [None], 3, "k1"])
def test_prefixes_that_hold_no_indices_are_refused(lenet: ab.Space, prefix: Any) -> None:
    fits = lenet.within(ab.Budget(params=10**6))
    for ask in (fits.allowed, fits.shares):
        with pytest.raises(SpaceError, match="a sequence of indices"):
            ask(prefix)


@pytest.mark.parametrize("values", [None, 3, "k1"])
def test_values_are_fixed_by_a_mapping(lenet: ab.Space, values: Any) -> None:
    with pytest.raises(SpaceError, match="^values are fixed by a mapping from decisions to values, not by "):
        lenet.within(ab.Budget(params=10**6)).fix(values)


def test_choices_are_asked_for_by_name_too(lenet: ab.Space) -> None:
    fits = lenet.within(ab.Budget(params=8_000))
    assert fits.allowed({"k1": 3}) == fits.allowed([0]) == fits.allowed({"k1": 3, "f1": 8}, "f1")
    with pytest.raises(SpaceError, match="not 'k2' that is asked for, but 'f1'"):
        fits.allowed({"k1": 3}, "k2")
    with pytest.raises(SpaceError, match="'zz'"):
        fits.allowed({"k1": 3}, "zz")


@pytest.mark.parametrize("seed", SEEDS[::3])
def test_shares_are_those_of_the_completions(seed: int) -> None:
    known = random_space(seed)
    rng = Random(seed)
    fits = known.space.within(random_budget(rng, known))
    networks = fitting(known, fits.budget)
    prefix: list[int] = []
    while networks and (found := fits.shares(prefix)) is not None:
        name, shares = found
        values = known.space.decisions[name].values
        counts = [sum(name in each and same(each[name], value) for each in networks) for value in values]
        assert shares == pytest.approx([count / len(networks) for count in counts])
        index = rng.choice([index for index, count in enumerate(counts) if count])
        prefix.append(index)
        networks = [each for each in networks if same(each[name], values[index])]


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda fits: fits.sample(-1), "n must be"),
        (lambda fits: fits.sample(1, seed=-1), "seed"),
        (lambda fits: fits.candidates(5, 1), "from 5 to 1"),
        (lambda fits: fits.candidates(0, 10**30), "5,811"),
        (lambda fits: fits.candidates(0.5), "start"),
        (lambda fits: fits.chunks(0), "size"),
        (lambda fits: fits.rank({"f1": 128, "k1": 7, "f2": 128, "k2": 7, "units": 512}), r"outside.*params <= 60,000"),
        (lambda fits: fits.rank({}), "no value is given"),
        (lambda fits: fits.rank(3), "an Architecture, or a mapping"),
        (lambda fits: fits.largest("flops"), "'flops'.*params"),
        (lambda fits: fits.closest("params", "many"), "'many'"),
        (lambda fits: fits.closest("params", float("nan")), "nan"),
        (lambda fits: fits.space.distribution("flops"), "'flops'"),
        (lambda fits: fits.space.distribution("params").quantile(2), "from 0 to 1"),
        (lambda fits: fits.space.distribution("params").cdf("all"), "'all'"),
        (lambda fits: fits.space.within(fits.budget, memory=0), "memory"),
        (lambda fits: fits.space.within(fits.budget, memory=10).count(), "memory"),
    ],
)
def test_bad_questions_get_one_line(lenet: ab.Space, ask: Callable[[ab.FeasibleSet], Any], message: str) -> None:
    with pytest.raises(ArchbudgetError, match=message) as raised:
        ask(lenet.within(ab.Budget(params=60_000)))
    assert "\n" not in str(raised.value)


def test_nothing_is_drawn_from_an_empty_set(lenet: ab.Space) -> None:
    fits = lenet.within(ab.Budget(params=10))
    assert len(fits.sample(0)) == len(fits.candidates()) == 0
    assert list(fits.chunks()) == []
    for ask in (lambda: fits.sample(1), lambda: fits.closest("macs", 3), fits.prune):
        with pytest.raises(InfeasibleBudgetError, match="3,218"):
            ask()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32, np.uint64, np.int16, np.int64, np.float32])
def test_numbers_of_numpy_are_what_they_stand_for(lenet: ab.Space, kind: type[np.generic]) -> None:
    """An unsigned one has no numbers below 0: a difference of two would be a huge one."""
    fits = lenet.within(ab.Budget(params=60_000))
    spread = lenet.distribution("params")
    for value in (200, 30_000, 50_125, 59_999):
        if not np.issubdtype(kind, np.floating) and value > np.iinfo(kind).max:
            continue
        assert fits.closest("params", kind(value)) == fits.closest("params", value)
        assert spread.cdf(kind(value)) == spread.cdf(value)


def test_the_ends_of_a_set_are_closest_to_infinity(lenet: ab.Space) -> None:
    fits = lenet.within(ab.Budget(params=60_000))
    for wanted, end in ((float("inf"), fits.largest), (float("-inf"), fits.smallest), (-5, fits.smallest)):
        assert fits.closest("params", wanted).params == end("params").params


def test_a_set_survives_pickling_and_samples_are_reproducible(lenet: ab.Space) -> None:
    fits = lenet.within(ab.Budget(params=60_000, macs=5_000_000))
    again = pickle.loads(pickle.dumps(fits))
    assert again.count() == fits.count()
    first, second = (each.sample(10_000, seed=5).indices for each in (fits, again))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, fits.sample(10_000, seed=6).indices)


@pytest.mark.parametrize(("values", "message"), [({"f3": 8}, "'f3'"), ({"f1": 9}, "9 is not a value.*'f1'")])
def test_bad_values_cannot_be_fixed(lenet: ab.Space, values: dict[str, Any], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        lenet.within(ab.Budget(params=10**6)).fix(values)


@pytest.mark.parametrize("budget", [None, 100_000, {"params": 100_000}, "params"])
def test_anything_but_a_budget_is_refused(lenet: ab.Space, budget: Any) -> None:
    with pytest.raises(BudgetError, match="needs a Budget"):
        lenet.within(budget)


def test_a_space_too_wide_to_be_counted_says_so() -> None:
    space = ab.Space([layers.Input((4,)), *(layers.Dense(ab.Int(name, 1, 2**16)) for name in "ab")])
    for ask in (lambda: space.size, lambda: space.within(ab.Budget(params=100)), lambda: space.range("macs")):
        with pytest.raises(LimitError, match=r"'b'.*65536"):
            ask()


def test_the_repr_says_the_budget(lenet: ab.Space) -> None:
    assert repr(lenet.within(ab.Budget(params=(10, 60_000)))) == "<FeasibleSet params 10 to 60,000>"
