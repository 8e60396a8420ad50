"""The best networks within budgets, against all networks and against an integer program."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_matrix

import archbudget as ab
from archbudget import layers
from archbudget._core import MEMORY
from archbudget.space.family import compiled

METRICS = ["params", "macs", "peak_activation_bytes", "score", "busiest"]


def drawn_metric(name: str, seed: int, most: int, combine: str = "sum") -> ab.Metric:
    """A metric whose values are drawn, and the same for each record."""
    drawn = random.Random(seed)
    known: dict[object, int] = {}

    def value(layer: ab.LayerRecord) -> int:
        return known.setdefault((layer.name, layer.output_shape, layer.params), drawn.randint(0, most))

    return ab.Metric(name, value, combine=combine)


def drawn_space(draw: random.Random) -> ab.Space:
    """A small space of convolutions: plain, one of several, or repeated."""

    def convolution(tag: str) -> layers.Conv2D:
        filters = sorted(draw.sample(range(1, 20), draw.randint(1, 3)))
        return layers.Conv2D(
            ab.Choice(f"f{tag}", filters), ab.Choice(f"k{tag}", draw.sample([1, 3, 5], 2)), padding="same"
        )

    parts: list[object] = [layers.Input((8, 8, 3))]
    for place in range(draw.randint(1, 3)):
        own: object = convolution(f"{place}")
        kind = draw.randrange(3)
        if kind == 1:
            own = layers.OneOf(f"op{place}", [own, layers.MaxPooling2D(2), layers.Activation("relu")])
        elif kind == 2:
            own = layers.Repeat(ab.Int(f"d{place}", draw.randint(0, 1), 2), own)
        parts.append(own)
    most = draw.choice([1, 10, 1000, 10**9])
    metrics = [
        drawn_metric("score", draw.randrange(10**6), most),
        drawn_metric("busiest", draw.randrange(10**6), most, "max"),
    ]
    return ab.Space([*parts, layers.GlobalAveragePooling2D(), layers.Dense(3)], metrics=metrics)


class Everything:
    """All networks of a space, in the order of their ranks, and what they come to."""

    def __init__(self, space: ab.Space) -> None:
        self.space = space
        self.rows = space.within(ab.Budget(params=10**15)).candidates().indices
        counts = space.evaluate(self.rows)
        self.values = {metric: np.asarray(counts[metric]).astype(np.int64) for metric in METRICS}

    def drawn_budget(self, draw: random.Random) -> tuple[ab.Budget, np.ndarray]:
        """A budget of one to four metrics, some of them ranges, and the rows that keep it."""
        bounds = {}
        for metric in draw.sample(METRICS, draw.randint(1, 4)):
            values = np.sort(self.values[metric])
            high = max(int(values[int(len(values) * draw.choice([0.02, 0.1, 0.5, 0.9]))]), 1)
            low = min(high, int(values[int(len(values) * draw.random() / 2)])) if draw.random() < 0.4 else 0
            bounds[metric] = (low, high)
        keeps = np.ones(len(self.rows), bool)
        for metric, (low, high) in bounds.items():
            keeps &= (low <= self.values[metric]) & (self.values[metric] <= high)
        custom = {metric: bounds.pop(metric) for metric in ("score", "busiest") if metric in bounds}
        return ab.Budget(**bounds, custom=custom), np.flatnonzero(keeps)


@given(st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_the_best_are_those_of_all_networks(seed: int) -> None:
    draw = random.Random(seed)
    space = drawn_space(draw)
    every = Everything(space)
    for _ in range(3):
        budget, kept = every.drawn_budget(draw)
        fits = space.within(budget, memory=draw.choice([MEMORY, MEMORY, 1 << 12]))
        assert fits.is_empty() == (not len(kept))
        if not len(kept):
            with pytest.raises(ab.errors.InfeasibleBudgetError):
                fits.best("params", k=2)
            continue
        metric, k = draw.choice(METRICS), draw.choice([1, 2, 5, 100])
        values = every.values[metric][kept]
        ordered = kept[np.argsort(-values, kind="stable")]
        assert list(fits.largest(metric).indices) == list(every.rows[ordered[0]])
        assert np.array_equal(fits.best(metric, k).indices, every.rows[ordered[:k]])
        ordered = kept[np.argsort(values, kind="stable")]
        assert list(fits.smallest(metric).indices) == list(every.rows[ordered[0]])
        assert np.array_equal(fits.best(metric, k, smallest=True).indices, every.rows[ordered[:k]])
        near = int(draw.choice(list(every.values[metric])))
        assert fits.closest(metric, near).costs[metric] == min(values, key=lambda value: (abs(value - near), value))


@given(st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_a_front_is_that_of_all_networks(seed: int) -> None:
    draw = random.Random(seed)
    every = Everything(drawn_space(draw))
    budget, kept = every.drawn_budget(draw)
    fits = every.space.within(budget)
    metrics = draw.sample(METRICS, draw.choice([2, 2, 3]))
    if not len(kept):
        with pytest.raises(ab.errors.InfeasibleBudgetError):
            fits.pareto(*metrics)
        return
    turned = draw.sample(metrics, draw.choice([0, 0, 1]))
    signs = {metric: -1 if (metric in ("score", "busiest")) != (metric in turned) else 1 for metric in metrics}
    options = {
        "largest": [metric for metric in turned if signs[metric] < 0],
        "smallest": [metric for metric in turned if signs[metric] > 0],
    }
    points: dict[tuple[int, ...], int] = {}
    for row in kept:
        points.setdefault(tuple(signs[metric] * int(every.values[metric][row]) for metric in metrics), row)
    values = np.array(list(points))
    whole = {
        point: row
        for point, row in points.items()
        if not np.any(np.all(values <= point, axis=1) & np.any(values < point, axis=1))
    }
    expected = [every.rows[whole[point]] for point in sorted(whole)]
    assert np.array_equal(fits.pareto(*metrics, **options).indices, expected)
    epsilon = draw.choice([0.01, 0.1, 0.5])
    cover = fits.pareto(*metrics, epsilon=epsilon, **options)
    counts = every.space.evaluate(cover)
    given = [tuple(signs[metric] * int(counts[metric][place]) for metric in metrics) for place in range(len(cover))]
    assert len(set(given)) == len(given)
    assert set(given) <= set(whole)
    share = Fraction(epsilon)
    for point in points:
        assert any(all(a <= b + share * abs(b) for a, b in zip(found, point, strict=True)) for found in given)


def test_a_front_refuses_what_makes_none() -> None:
    fits = ab.spaces.lenet().within(ab.Budget(params=60_000))
    for metrics in ([], ["params"], ["params", "params"]):
        with pytest.raises(ab.errors.BudgetError, match="two or more different metrics"):
            fits.pareto(*metrics)
    for epsilon in (-0.1, 1, float("nan"), "0.1", True):
        with pytest.raises(ab.errors.BudgetError, match="epsilon must be a number from 0 to below 1"):
            fits.pareto("params", "macs", epsilon=epsilon)
    with pytest.raises(ab.errors.BudgetError, match="largest: 'trainable_params' is no metric of the front"):
        fits.pareto("params", "macs", largest=["trainable_params"])
    with pytest.raises(ab.errors.BudgetError, match="'macs' is both in largest and in smallest"):
        fits.pareto("params", "macs", largest=["macs"], smallest=["macs"])
    with pytest.raises(ab.errors.BudgetError, match="smallest must be a sequence of metrics"):
        fits.pareto("params", "macs", smallest="params")
    with pytest.raises(ab.errors.BudgetError, match="flops"):
        fits.pareto("params", "flops")


def test_a_huge_front_is_covered() -> None:
    space, budget = scored(ab.spaces.ofa_mobilenet_v3(), 0), ab.Budget(params=5_000_000, macs=230_000_000)
    fits = space.within(budget)
    cover = fits.pareto("params", "score", epsilon=0.02)
    counts = space.evaluate(cover)
    assert budget.count(cover) == len(cover)
    assert np.all(np.diff(counts["params"]) > 0)
    assert np.all(np.diff(counts["score"]) > 0)
    assert counts["score"][-1] >= 0.98 * fits.largest("score").costs["score"]
    assert counts["params"][0] == fits.smallest("params").params


def by_integer_program(space: ab.Space, budget: ab.Budget, metric: str) -> int | None:
    """The largest value of a metric, as HiGHS finds it on the flows through the diagram."""
    diagram = compiled(space).diagram
    names, arcs = diagram.metrics(), diagram.arcs(1 << 20)
    source = arcs[0][0]
    live = [arc for arc in arcs if arc[1] is not None]
    costs = np.array([arc[3] for arc in live], dtype=float)
    terminal = max(arc[1] for arc in live)
    tails, heads = [arc[0] for arc in live], [arc[1] for arc in live]
    place = np.arange(len(live))
    rows, columns = np.concatenate([tails, heads]), np.concatenate([place, place])
    signs = np.concatenate([np.ones(len(live)), -np.ones(len(live))])
    flow = np.zeros(terminal + 1)
    flow[source], flow[terminal] = 1, -1
    constraints = [LinearConstraint(coo_matrix((signs, (rows, columns)), (terminal + 1, len(live))), flow, flow)]
    upper = np.ones(len(live))
    # What precedes the first decision is in no arc: it is what a network has beyond its arcs.
    row = space.sample(1, seed=0)
    walked, node = dict.fromkeys(names, 0), source
    starts: dict[int, dict[int, int]] = {}
    for position, arc in enumerate(live):
        starts.setdefault(arc[0], {})[arc[2]] = position
    order = _decisions(diagram)
    while node != terminal:
        position = starts[node][int(row.indices[0][order[node]])]
        for name, cost in zip(names, live[position][3], strict=True):
            walked[name] += cost
        node = live[position][1]
    base = {name: row[0].costs[name] - walked[name] for name in names}
    for name, (low, high) in budget.items():
        own = costs[:, names.index(name)]
        if name == "peak_activation_bytes":
            upper[own > high] = 0
            continue
        constraints.append(LinearConstraint(own[None, :], low - base[name], high - base[name]))
    objective = costs[:, names.index(metric)]
    found = milp(
        -objective,
        constraints=constraints,
        integrality=np.ones(len(live)),
        bounds=Bounds(0, upper),
        options={"mip_rel_gap": 0},
    )
    return None if found.x is None else round(objective @ np.round(found.x)) + base[metric]


def _decisions(diagram: Any) -> list[int]:
    """The decision of each node."""
    return [decision for decision, nodes, _, _ in diagram.stages() for _ in range(nodes)]


def scored(space: ab.Space, seed: int) -> ab.Space:
    """The space with a drawn score for each layer that has weights, width and kernel."""
    drawn = random.Random(seed)
    known: dict[object, int] = {}

    def score(layer: ab.LayerRecord) -> int:
        if not layer.params:
            return 0
        return known.setdefault((layer.name, layer.output_shape, layer.params), drawn.randint(0, 1000))

    return space.with_metrics([ab.Metric("score", score)])


@pytest.mark.parametrize(
    "name", ["vgg", "resnet", "nas_bench_201", "ofa_mobilenet_v3", "ofa_proxyless", "ofa_resnet50", "mcunet"]
)
def test_the_largest_is_that_of_an_integer_program(name: str) -> None:
    space = scored(getattr(ab.spaces, name)(), 1)
    counts = space.evaluate(space.sample(2000, seed=0))
    for share in (0.01, 0.1, 0.5):
        metrics = ("params", "macs", "peak_activation_bytes")
        budget = ab.Budget(**{metric: int(np.quantile(counts[metric], share)) for metric in metrics})
        expected = by_integer_program(space, budget, "score")
        fits = space.within(budget)
        if expected is None:
            assert fits.is_empty()
        else:
            assert fits.largest("score").costs["score"] == expected


@pytest.mark.parametrize(
    "bounds", [{"params": 5_000_000, "macs": 230_000_000}, {"params": 5_500_000, "macs": 300_000_000}]
)
def test_two_tight_bounds_of_a_large_space(bounds: dict[str, int]) -> None:
    space, budget = scored(ab.spaces.ofa_mobilenet_v3(), 0), ab.Budget(**bounds)
    fits = space.within(budget)
    largest = fits.largest("score")
    assert largest in fits
    assert largest.costs["score"] == by_integer_program(space, budget, "score")
    best = fits.best("score", k=200)
    values = space.evaluate(best)["score"]
    assert values[0] == largest.costs["score"]
    assert np.all(np.diff(values) <= 0)
    assert len({tuple(row) for row in best.indices.tolist()}) == 200
    assert budget.count(best) == 200


def test_a_space_without_decisions_has_one_network() -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(3)])
    fits = space.within(ab.Budget(params=20))
    assert fits.best("params", k=5).indices.shape == (1, 0)
    assert len(fits.pareto("params", "macs")) == 1
    with pytest.raises(ab.errors.InfeasibleBudgetError):
        space.within(ab.Budget(params=2)).pareto("params", "macs")


def test_best_and_fronts_keep_what_is_fixed() -> None:
    space, budget = ab.spaces.lenet(), ab.Budget(params=60_000, macs=5_000_000)
    fits = space.within(budget).fix(f1=8)
    members = fits.candidates()
    macs = np.asarray(space.evaluate(members)["macs"]).astype(np.int64)
    order = np.argsort(-macs, kind="stable")[:50]
    assert np.array_equal(fits.best("macs", k=50).indices, members.indices[order])
    assert all(arch["f1"] == 8 for arch in fits.pareto("macs", "params", largest=["params"]))


def test_best_refuses_what_is_no_number() -> None:
    fits = ab.spaces.lenet().within(ab.Budget(params=60_000))
    for k in (0, -1, 1.5, True, "3"):
        with pytest.raises(ab.errors.BudgetError, match="k must be an integer of at least 1"):
            fits.best("params", k)
    with pytest.raises(ab.errors.BudgetError, match="smallest must be True or False"):
        fits.best("params", smallest=1)
    with pytest.raises(ab.errors.BudgetError, match="flops"):
        fits.best("flops")
