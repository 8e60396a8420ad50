"""Custom metrics: against plain sums over the layers of every network, and everything around the functions."""

from __future__ import annotations

import itertools
import os
import pickle
import re
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import (
    ArchbudgetError,
    BudgetError,
    CountOverflowError,
    InvalidArchitectureError,
    LimitError,
    MissingEntryError,
    SpaceError,
)
from archbudget.metrics import distinct_layers
from archbudget.metrics._latency import described
from archbudget.program import writer
from archbudget.space.architecture import architecture_at
from support.random_spaces import MOST_COMBINATIONS, Draw, Enumeration, draw_space, enumerate_networks
from support.small_diagrams import SmallProgram

if TYPE_CHECKING:
    from collections.abc import Callable

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs fork and signals")
SEEDS = range(80)


def number(text: object) -> int:
    """A small number that depends on all of a text, the same in every process."""
    return sum(position * ord(letter) for position, letter in enumerate(repr(text), start=1)) % 97


def price(layer: ab.LayerRecord) -> int:
    """Depends on what a layer is given, also on what touches neither shape nor cost."""
    return number((layer.type, layer.arguments, layer.other_arguments, layer.input_shapes, layer.output_shape))


def fresh_bits(layer: ab.LayerRecord) -> int:
    """Depends on weights, their bits and whether they are shared."""
    return 1 if layer.reused else layer.params * layer.weight_bits


def widest(layer: ab.LayerRecord) -> int:
    """The largest counts."""
    return max(layer.output_shape, default=1) * 8 + len(layer.other_arguments)


def busiest(layer: ab.LayerRecord) -> int:
    """Looks at the built-in costs."""
    return layer.macs + layer.peak_activation_bytes + number(layer.macs_formula.text)


FUNCTIONS: dict[str, tuple[Callable[[ab.LayerRecord], int], Callable[[list[int]], int]]] = {
    "price": (price, sum),
    "fresh_bits": (fresh_bits, sum),
    "widest": (widest, max),
    "busiest": (busiest, max),
}


def own_metrics() -> list[ab.Metric]:
    return [
        ab.Metric(name, function, combine="max" if join is max else "sum")
        for name, (function, join) in FUNCTIONS.items()
    ]


class MixedDraw(Draw):
    """Draws layers of various bits, too."""

    def layer(self, axes: int) -> layers.Layer:
        made = super().layer(axes)
        draw = self.rng.random()
        if draw < 0.5:
            return made
        sizes = [decision for decision in self.decisions if decision.is_integer and min(decision.values) > 0]
        if draw < 0.6 and sizes:
            return replace(made, weight_bits=self.rng.choice([self.rng.choice(sizes), self.rng.choice(sizes) * 2 + 1]))
        return replace(made, weight_bits=self.rng.choice([3, self.choice([2, 5], "bits")]))


@cache
def measured(seed: int) -> Enumeration:
    """A small random space with metrics of its own, and all of its networks."""
    for attempt in range(1000):
        try:
            space = draw_space(Random(seed * 1000 + attempt), MixedDraw)
        except InvalidArchitectureError:
            continue
        if 8 <= space.combinations <= MOST_COMBINATIONS:
            return enumerate_networks(space.with_metrics(own_metrics()), seed)
    raise AssertionError(f"no small space follows from seed {seed}")


def random_budget(rng: Random, known: Enumeration) -> ab.Budget:
    """Bounds on metrics of the space's own, and now and then on a built-in one beside them."""
    bounds: dict[str, Any] = {}
    names = rng.sample([*FUNCTIONS], rng.choice([1, 1, 2])) + rng.choice([[], [], ["weight_bytes"], ["macs"]])
    for metric in names:
        costs = known.cost(metric).tolist()
        ends = sorted(max(0, rng.choice(costs) + rng.choice([-1, 0, 1])) for _ in range(2))
        high = max(1, ends[1])
        bounds[metric] = rng.choice([high, high, (ends[0], high), (ends[0], None)])
    return ab.Budget.of(bounds)


def fitting(known: Enumeration, budget: ab.Budget) -> list[dict[str, Any]]:
    """The distinct networks that fit, one by one."""
    fits = np.ones(len(known.first), dtype=bool)
    for metric, (low, high) in budget.items():
        fits &= (low <= known.cost(metric)) & (known.cost(metric) <= high)
    return [network for network, fit in zip(known.networks, fits, strict=True) if fit]


def as_set(networks: Any) -> set[frozenset[tuple[str, Any]]]:
    return {frozenset(dict(network).items()) for network in networks}


def dense_space(**more: Any) -> ab.Space:
    """A space of 4 networks: the least that says something."""
    rate = ab.Choice("activation", ["relu", "tanh"])
    return ab.Space([layers.Input((3,)), layers.Dense(ab.Choice("units", [2, 4]), activation=rate)], **more)


# What is counted.


@pytest.mark.parametrize("seed", SEEDS)
def test_totals_are_the_plain_sums_over_the_layers_of_every_network(seed: int) -> None:
    known = measured(seed)
    space = known.space
    assert space.metrics[5:] == tuple(FUNCTIONS)
    counts = space.evaluate(known.indices, threads=2)
    for row in np.flatnonzero(known.valid):
        arch = architecture_at(space, tuple(known.indices[row].tolist()))
        for name, (function, join) in FUNCTIONS.items():
            values = [function(layer) for layer in arch.layers]
            assert [layer.custom[name] for layer in arch.layers] == values
            assert arch.costs[name] == counts[name][row] == join(values)
        weights = [-(-layer.params * layer.weight_bits // 8) for layer in arch.layers]
        assert [layer.weight_bytes for layer in arch.layers] == weights
        assert arch.weight_bytes == counts["weight_bytes"][row] == sum(weights)
    np.testing.assert_array_equal(counts.valid, known.valid)
    for name in FUNCTIONS:
        assert (counts[name][~counts.valid] == 2**63 - 1).all()
        assert space.range(name) == (known.cost(name).min(), known.cost(name).max())


@pytest.mark.parametrize("seed", SEEDS)
def test_metrics_change_nothing_else(seed: int) -> None:
    known = measured(seed)
    plain = ab.Space(**{**known.space._definition, "metrics": ()})
    assert plain.size == known.space.size == len(known.first)
    assert set(plain.decisions) == set(known.space.decisions)
    counts = plain.evaluate(ab.Candidates(known.space, known.indices).values())
    for metric in plain.metrics:
        np.testing.assert_array_equal(counts[metric][known.valid], known.costs[metric][known.valid])


@pytest.mark.parametrize("seed", SEEDS)
def test_budgets_of_custom_metrics_hold_the_networks_that_fit(seed: int) -> None:
    known = measured(seed)
    space, rng = known.space, Random(seed)
    for _ in range(4):
        budget = random_budget(rng, known)
        networks = fitting(known, budget)
        fits = space.within(budget)
        assert fits.count() == len(networks), budget
        if not networks:
            continue
        assert as_set(fits.candidates()) == as_set(networks)
        assert as_set(fits.sample(50, seed=1)) <= as_set(networks)
        part = fits.prune()
        assert part.metrics == space.metrics
        for name, decision in part.decisions.items():
            occurring = {network[name] for network in networks if name in network}
            assert set(decision.values) == occurring
        again = part.within(budget)
        assert as_set(again.candidates()) == as_set(networks)
        shares = fits.marginals()
        for name in space.decisions:
            for value in space.decisions[name].values:
                share = sum(network.get(name, object()) == value for network in networks) / len(networks)
                assert shares[name][value] == pytest.approx(share)


def test_most_random_budgets_keep_some_networks() -> None:
    kept = 0
    for seed in SEEDS:
        known, rng = measured(seed), Random(seed)
        kept += sum(len(fitting(known, random_budget(rng, known))) > 0 for _ in range(4))
    assert kept > 0.7 * 4 * len(SEEDS)


@pytest.mark.parametrize("seed", SEEDS)
def test_extremes_and_distributions_of_custom_metrics(seed: int) -> None:
    known = measured(seed)
    space, rng = known.space, Random(seed)
    budget = random_budget(rng, known)
    fits = space.within(budget)
    inside = np.ones(len(known.first), dtype=bool)
    for metric, (low, high) in budget.items():
        inside &= (low <= known.cost(metric)) & (known.cost(metric) <= high)
    for name in FUNCTIONS:
        values, counts = np.unique(known.cost(name), return_counts=True)
        found = space.distribution(name)
        assert (list(found.values), list(found.counts)) == (values.tolist(), counts.tolist())
        if inside.any():
            costs = known.cost(name)[inside]
            assert fits.largest(name).costs[name] == costs.max()
            assert fits.smallest(name).costs[name] == costs.min()
            target = int(rng.choice(known.cost(name).tolist()))
            assert abs(fits.closest(name, target).costs[name] - target) == abs(costs - target).min()


@pytest.mark.parametrize("seed", range(12))
def test_layers_of_candidates_have_their_own_values(seed: int) -> None:
    known = measured(seed)
    space = known.space
    rows = known.indices[known.valid][:200]
    counts = space.evaluate(rows, ["price", "widest"], per_layer=True, threads=2)
    assert counts.layers is not None
    for row, indices in enumerate(rows):
        arch = architecture_at(space, tuple(indices.tolist()))
        for metric, join in (("price", sum), ("widest", max)):
            expected = dict.fromkeys(space.layer_names, 0)
            for layer in arch.layers:
                expected[layer.name] = join([expected[layer.name], layer.custom[metric]])
            assert counts.layers[metric][row].tolist() == list(expected.values())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_metric_can_be_asked_for_by_itself(name: str) -> None:
    known = measured(3)
    counts = known.space.evaluate(known.indices, [name])
    assert list(counts) == [name]
    np.testing.assert_array_equal(counts[name][known.valid], known.costs[name][known.valid])
    assert list(counts.to_pandas().columns) == [name, "valid"]
    assert list(known.space.evaluate(known.indices).to_pandas().columns) == [*known.space.metrics, "valid"]


@pytest.mark.parametrize("limits", [{"stored": 4}, {"stored": 4, "visited": 4}])
@pytest.mark.parametrize("seed", range(30))
def test_implicit_and_open_diagrams_count_the_same(
    seed: int, limits: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = measured(seed)
    monkeypatch.setattr(SmallProgram, "limits", limits, raising=False)
    monkeypatch.setattr(writer, "Program", SmallProgram)
    space = ab.Space(**known.space._definition)
    expected = known.space.evaluate(known.indices)
    for threads in (1, 2):
        counts = space.evaluate(known.indices, threads=threads)
        for metric in space.metrics:
            np.testing.assert_array_equal(counts[metric], expected[metric])
    assert architecture_at(space, tuple(known.indices[known.first[0]].tolist())).costs == {
        metric: known.cost(metric)[0] for metric in space.metrics
    }
    if "visited" not in limits:
        budget = random_budget(Random(seed), known)
        assert space.within(budget).count() == len(fitting(known, budget))


# Mixed precision.


def test_bits_may_be_decided_layer_by_layer() -> None:
    first, second = ab.Choice("b1", [2, 4, 8]), ab.Choice("b2", [3, 8])
    space = ab.Space(
        [
            layers.Input((5, 5, 1)),
            layers.Conv2D(3, 3, weight_bits=first),
            layers.Flatten(),
            layers.Dense(7, weight_bits=second),
            layers.Dense(2),
        ],
        bytes_per_weight=2,
    )
    assert space.size == 6
    conv, dense, head = 3 * 9 + 3, 27 * 7 + 7, 7 * 2 + 2
    expected = {(b1, b2): -(-conv * b1 // 8) - (-dense * b2 // 8) + head * 2 for b1 in (2, 4, 8) for b2 in (3, 8)}
    for (b1, b2), weight_bytes in expected.items():
        arch = space.architecture(b1=b1, b2=b2)
        assert arch.weight_bytes == weight_bytes
        assert arch.params == conv + dense + head
        assert [layer.weight_bits for layer in arch.layers if layer.params] == [b1, b2, 16]
    counts = space.evaluate({"b1": [b1 for b1, _ in expected], "b2": [b2 for _, b2 in expected]})
    assert counts["weight_bytes"].tolist() == list(expected.values())
    bound = sorted(expected.values())[2]
    assert space.within(ab.Budget(weight_bytes=bound)).count() == 3


def test_tied_bits_and_shared_layers() -> None:
    bits = ab.Choice("bits", [1, 4])
    dense = layers.Dense(4, use_bias=False, weight_bits=bits)
    space = ab.Space([layers.Input((4,)), dense, dense, layers.Dense(3, use_bias=False, weight_bits=bits * 2)])
    for value in (1, 4):
        arch = space.architecture(bits=value)
        assert [layer.weight_bytes for layer in arch.layers] == [0, 16 * value // 8, 0, -(-12 * value * 2 // 8)]
        assert [layer.weight_bits for layer in arch.layers][1:] == [value, value, 2 * value]
        assert [layer.reused for layer in arch.layers] == [False, False, True, False]


def test_bits_in_repetitions_are_decided_for_each() -> None:
    block = layers.Dense(4, weight_bits=ab.Choice("bits", [2, 8]))
    space = ab.Space([layers.Input((4,)), layers.Repeat(2, block)])
    assert list(space.decisions) == ["bits_1", "bits_2"]
    assert space.architecture(bits_1=2, bits_2=8).weight_bytes == 5 + 20
    part = space.within(ab.Budget(weight_bytes=10)).prune()
    assert {name: decision.values for name, decision in part.decisions.items()} == {"bits_1": (2,), "bits_2": (2,)}


def test_networks_that_differ_in_bits_only_are_different_networks() -> None:
    space = ab.Space([layers.Input((4,)), layers.Activation("relu", weight_bits=ab.Choice("bits", [2, 8]))])
    assert space.size == 2


@pytest.mark.parametrize("bits", [0, -1, 1.5, True, "8", 2**63, ab.Choice("b", [0, 8]), ab.Choice("b", ["a", "b"])])
def test_bits_are_whole(bits: Any) -> None:
    with pytest.raises(ArchbudgetError, match=r"weight_bits|integers"):
        layers.Dense(3, weight_bits=bits)


def test_expressions_that_leave_no_bit_make_a_network_invalid() -> None:
    bits = ab.Int("bits", 1, 3)
    space = ab.Space([layers.Input((4,)), layers.Dense(2, weight_bits=bits - 1)])
    assert space.size == 2
    with pytest.raises(InvalidArchitectureError, match="gives 0 where weight_bits"):
        space.architecture(bits=1)


def test_bits_are_shown() -> None:
    bits = ab.Choice("bits", [2, 4])
    space = ab.Space([layers.Input((4,)), layers.Dense(2, weight_bits=bits * 2), layers.Dense(1)])
    arch = space.architecture(bits=2)
    assert "weight bytes: 10 * 4 bits = 5, set by (bits * 2)" in arch.explain("dense")
    assert "weight bytes" not in arch.explain("dense_1")
    assert re.search(r"Bits.*\n.*\n.*input_layer.*│ +│\n.*dense .*│ +4 │\n.*dense_1 .*│ +32 │", arch.summary())
    assert "Bits" not in dense_space().architecture(units=2, activation="relu").summary()


# How often a function is asked, and of what.


def test_functions_are_asked_once_for_each_distinct_layer() -> None:
    asked: list[ab.LayerRecord] = []

    def count(layer: ab.LayerRecord) -> int:
        asked.append(layer)
        return 1

    space = ab.Space(
        [
            layers.Input((6, 6, 1)),
            layers.Conv2D(ab.Choice("f1", [2, 3]), ab.Choice("k1", [1, 3])),
            layers.Conv2D(ab.Choice("f2", [2, 3]), 1, activation=ab.Choice("a", ["relu", "tanh"])),
        ],
        metrics=[ab.Metric("layers", count)],
    )
    keys = {
        (each.name, repr(each.arguments), repr(each.other_arguments), each.input_shapes, each.output_shape)
        for each in asked
    }
    assert len(asked) == len(keys) == 1 + 4 + 4 * 4
    assert all(each.custom == {} and each.inputs == () for each in asked)
    for _ in range(2):
        space.evaluate(space.sample(1000, seed=0))
        space.within(ab.Budget(custom={"layers": 3})).count()
        space.architecture(f1=2, k1=1, f2=2, a="relu").layers  # noqa: B018
    assert len(asked) == 21


def test_a_record_has_the_arguments_that_touch_no_shape() -> None:
    seen: set[str] = set()

    def look(layer: ab.LayerRecord) -> int:
        seen.add(repr(layer.other_arguments))
        return int(layer.other_arguments.get("activation") == "tanh")

    activation = ab.Choice("activation", ["tanh", None])
    space = ab.Space(
        [layers.Input((3,)), layers.Repeat(2, layers.Dense(3, activation=activation), shared=["activation"])],
        metrics=[ab.Metric("tanhs", look)],
    )
    assert seen == {"{}", "{'activation': 'tanh'}"}
    assert space.architecture(activation="tanh").costs["tanhs"] == 2
    part = space.with_domains({"activation": [None]})
    assert part.range("tanhs") == (0, 0)


def test_decisions_that_no_network_reads_stay_unread() -> None:
    """A metric makes no decision active, and a network stays one network."""
    rate = ab.Choice("rate", [0.1, 0.5])
    body = [layers.Input((3,)), layers.OneOf("op", {"drop": layers.Dropout(rate), "none": []}), layers.Dense(2)]
    assert ab.Space(body).size == ab.Space(body, metrics=own_metrics()).size == 3


# What a function may return.


@pytest.mark.parametrize("value", [7, True, np.int64(7), np.uint8(7), 2**62])
def test_whole_numbers_of_any_kind_are_counted(value: Any) -> None:
    space = dense_space(metrics=[ab.Metric("m", lambda layer: value if layer.type == "Dense" else 0)])
    assert space.range("m") == (int(value), int(value))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-1, "must be at least 0, not -1"),
        (0.5, "must be an integer, not 0.5; give the metric a resolution, such as 1e-6"),
        (np.float32(2), "must be an integer, not"),
        (None, "must be an integer, not None"),
        ("3", "must be an integer, not '3'"),
        ([1], r"must be an integer, not \[1\]"),
    ],
)
def test_other_values_are_refused(value: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=f"^metric 'm' of layer 'dense' .Dense. {message}"):
        dense_space(metrics=[ab.Metric("m", lambda layer: value if layer.type == "Dense" else 0)])


@pytest.mark.parametrize("combine", ["sum", "max"])
@pytest.mark.parametrize("value", [2**63 - 1, 2**63, 10**40])
def test_numbers_too_large_are_refused(value: int, combine: Any) -> None:
    with pytest.raises(CountOverflowError, match=rf"^metric 'm' of .* must be below 2\^63 - 1, not {value}$"):
        dense_space(metrics=[ab.Metric("m", lambda _: value, combine=combine)])


@pytest.mark.parametrize("error", [ValueError, SpaceError])
def test_an_error_of_a_metric_is_one_line(error: type[Exception]) -> None:
    def broken(_: ab.LayerRecord) -> int:
        raise error("one\ntwo")

    with pytest.raises(SpaceError, match=r"^metric 'm' of layer 'input_layer' .*: one two$"):
        dense_space(metrics=[ab.Metric("m", broken)])


def test_sums_too_large_are_refused() -> None:
    with pytest.raises(CountOverflowError, match=r"2\^63"):
        dense_space(metrics=[ab.Metric("m", lambda _: 2**62)])
    assert dense_space(metrics=[ab.Metric("m", lambda _: 2**62, combine="max")]).range("m") == (2**62, 2**62)


def test_an_error_of_a_function_names_the_layer() -> None:
    def fail(layer: ab.LayerRecord) -> int:
        return {}[layer.type]  # type: ignore[no-any-return]

    with pytest.raises(
        SpaceError, match="metric 'm' of layer 'input_layer' .Input.: its function failed: KeyError: 'I"
    ):
        dense_space(metrics=[ab.Metric("m", fail)])

    def refuse(layer: ab.LayerRecord) -> int:
        raise LimitError(f"not {layer.name}")

    with pytest.raises(LimitError, match="^metric 'm' of layer 'input_layer' .Input.: not input_layer$") as caught:
        dense_space(metrics=[ab.Metric("m", refuse)])
    assert isinstance(caught.value.__cause__, LimitError)


def test_a_function_that_fails_later_fails_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """In an open diagram functions are asked by the threads that count."""
    monkeypatch.setattr(SmallProgram, "limits", {"stored": 1, "visited": 1}, raising=False)
    monkeypatch.setattr(writer, "Program", SmallProgram)

    def fail(layer: ab.LayerRecord) -> int:
        if layer.name == "dense_1" and layer.output_shape == (4,):
            raise RuntimeError("no luck")
        return 1

    units = [ab.Choice(name, [2, 4]) for name in "ab"]
    space = ab.Space([layers.Input((3,)), *map(layers.Dense, units)], metrics=[ab.Metric("m", fail)])
    assert space.evaluate({"a": [2], "b": [2]})["m"].tolist() == [3]
    for threads in (1, 2):
        with pytest.raises(SpaceError, match="its function failed: RuntimeError: no luck"):
            space.evaluate({"a": [2, 4] * 5000, "b": [2, 4] * 5000}, threads=threads)
        with pytest.raises(SpaceError, match="its function failed: RuntimeError: no luck"):
            space.evaluate({"a": [2, 4] * 5000, "b": [2, 4] * 5000}, per_layer=True, threads=threads)
    with pytest.raises(SpaceError, match="no luck"):
        space.architecture(a=2, b=4)
    with pytest.raises(SpaceError, match="no luck"):
        space.sample(1000, seed=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ab.Metric("two words", len), "a name that is an identifier, not 'two words'"),
        (lambda: ab.Metric(3, len), "a name that is an identifier, not 3"),  # type: ignore[arg-type]
        (lambda: ab.Metric("params", len), "cannot be named 'params': that is built in"),
        (lambda: ab.Metric("valid", len), "cannot be named 'valid': that is built in"),
        (lambda: ab.Metric("m", 3), "metric 'm' needs a function of a layer record, not 3"),  # type: ignore[arg-type]
        (lambda: ab.Metric("m", len, combine="min"), "combine must be 'sum' or 'max', not 'min'"),  # type: ignore[arg-type]
        (lambda: dense_space(metrics="latency"), "metrics must be a sequence of Metric, not 'latency'"),
        (lambda: dense_space(metrics=[price]), "one is <function price"),
        (lambda: dense_space(metrics=3), "metrics must be a sequence of Metric, not 3"),
        (lambda: dense_space(metrics=[ab.Metric("m", price)] * 2), "two metrics are named 'm'"),
        (lambda: dense_space(metrics=own_metrics()).with_metrics(own_metrics()), "two metrics are named 'price'"),
    ],
)
def test_anything_but_a_metric_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        make()


def test_an_error_names_the_unknown_metric_and_all_metrics() -> None:
    space = dense_space(metrics=[ab.Metric("price", price)])
    budget = ab.Budget(custom={"latency": 3})
    for call in (
        lambda: space.within(budget),
        lambda: space.constraint(budget),
        lambda: ab.BudgetSampler(space, budget),
        lambda: space.distribution("latency"),
        lambda: space.within(ab.Budget(params=30)).largest("latency"),
    ):
        with pytest.raises(BudgetError, match="unknown metric 'latency'; the metrics are params, .*, price"):
            call()
    for call in (lambda: space.evaluate(space.sample(1), ["latency"]), lambda: space.range("latency")):
        with pytest.raises(SpaceError, match="unknown metric 'latency'; the metrics are params, .*, price"):
            call()


# Threads, processes, signals.


def test_spaces_with_metrics_are_pickled() -> None:
    known = measured(5)
    again = pickle.loads(pickle.dumps(known.space))
    assert again.metrics == known.space.metrics
    for metric in FUNCTIONS:
        np.testing.assert_array_equal(
            again.evaluate(known.indices)[metric][known.valid], known.costs[metric][known.valid]
        )
    arch = architecture_at(known.space, tuple(known.indices[known.first[0]].tolist()))
    assert pickle.loads(pickle.dumps(arch)).costs == arch.costs


def test_threads_ask_functions_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    known = measured(7)
    monkeypatch.setattr(SmallProgram, "limits", {"stored": 1, "visited": 1}, raising=False)
    monkeypatch.setattr(writer, "Program", SmallProgram)
    asking = threading.Lock()

    def guarded(layer: ab.LayerRecord) -> int:
        with asking:  # It waits for another thread that asks.
            return price(layer)

    plain = ab.Space(**{**known.space._definition, "metrics": ()})
    space = plain.with_metrics([ab.Metric("price", guarded)])
    rows = np.repeat(known.indices, 20, axis=0)
    with ThreadPoolExecutor(4) as pool:
        for counts in pool.map(lambda _: space.evaluate(rows, ["price"], threads=2), range(8)):
            np.testing.assert_array_equal(
                counts["price"][counts.valid], np.repeat(known.costs["price"], 20)[counts.valid]
            )


@POSIX
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_asks_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    known = measured(9)
    monkeypatch.setattr(SmallProgram, "limits", {"stored": 1, "visited": 1}, raising=False)
    monkeypatch.setattr(writer, "Program", SmallProgram)
    space = ab.Space(**known.space._definition)
    known.space.evaluate(known.indices, threads=2)
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(30)
            counts = space.evaluate(known.indices, ["price"], threads=2)
            os.write(sink, str(int(counts["price"][counts.valid].sum())).encode())
        finally:
            os._exit(0)
    os.close(sink)
    os.waitpid(child, 0)
    assert os.read(source, 100) == str(int(known.costs["price"].sum())).encode()
    os.close(source)


INTERRUPTED = """
    import signal, sys, threading, time
    import archbudget as ab
    from archbudget import layers
    from archbudget.program import writer

    def slow(layer):
        if threading.current_thread() is threading.main_thread() and {itself}:
            signal.raise_signal(signal.SIGINT)
        elif layer.arguments.get("units") == 4:
            print("asked", flush=True)
            time.sleep(0.2)
        return 1

    def wide(name):
        return layers.Dense(ab.Int(name, 1, 40))

    try:
        {before}
        ab.Space([layers.Input((3,)), wide("a"), wide("b"), wide("c")], metrics=[ab.Metric("m", slow)])
    except KeyboardInterrupt:
        print("interrupted")
"""


@POSIX
def test_an_interrupt_within_a_function_comes_out() -> None:
    script = textwrap.dedent(INTERRUPTED).format(itself="layer.type == 'Dense'", before="pass")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines()[-1] == "interrupted", done.stderr


@POSIX
def test_ctrl_c_ends_a_space_with_a_slow_function() -> None:
    script = textwrap.dedent(INTERRUPTED).format(itself="False", before="pass")
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("asked")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert out.splitlines()[-1] == "interrupted"
    assert process.returncode == 0


OPEN_INTERRUPTED = """
    import time
    import numpy as np
    import archbudget as ab
    from archbudget import layers
    from archbudget.program import writer

    made = writer.Program
    class Small:
        def __init__(self, **settings):
            self.program = made(**settings)
        def __getattr__(self, name):
            return getattr(self.program, name)
        def compile(self):
            return self.program.compile(stored=1, visited=1)
    writer.Program = Small

    def slow(layer):
        if layer.arguments.get("units", 1) > 2:
            print("asked", flush=True)
            time.sleep(0.05)
        return 1

    wide = [layers.Dense(ab.Int(name, 1, 4000)) for name in "ab"]
    space = ab.Space([layers.Input((3,)), *wide], metrics=[ab.Metric("m", slow)])
    rng = np.random.default_rng(0)
    try:
        {work}
    except KeyboardInterrupt:
        print("interrupted")
"""


@POSIX
@pytest.mark.parametrize(
    "work",
    [
        "space.evaluate({name: rng.integers(3, 4000, 100_000) for name in 'ab'}, threads=2)",
        "space.evaluate({name: rng.integers(3, 4000, 100_000) for name in 'ab'}, per_layer=True, threads=2)",
        "space.sample(100_000, seed=0)",
    ],
)
def test_ctrl_c_ends_threads_that_ask_a_slow_function(work: str) -> None:
    script = textwrap.dedent(OPEN_INTERRUPTED).replace("{work}", work)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("asked")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert out.splitlines()[-1] == "interrupted"


# Optuna.


def test_every_trial_is_inside_a_budget_of_a_custom_metric() -> None:
    convolutions = ab.Metric("convolutions", lambda layer: int(layer.type == "Conv2D"))
    space = ab.Space(
        [
            layers.Input((12, 12, 1)),
            layers.Repeat(ab.Int("depth", 1, 5), layers.Conv2D(ab.Choice("filters", [2, 4]), 3, padding="same")),
        ],
        metrics=[convolutions],
    )
    budget = ab.Budget(params=400, custom={"convolutions": (2, 3)})
    study = ab.search(space, lambda arch: arch.params, budget, 30, seed=1)
    assert all(2 <= trial.user_attrs["convolutions"] <= 3 for trial in study.trials)
    best = space.best(study)
    assert best.params <= 400
    sampler = ab.BudgetSampler(space, budget, optuna.samplers.RandomSampler(seed=0))
    again = optuna.create_study(sampler=sampler)
    again.optimize(lambda trial: space.suggest(trial).params, 20)
    networks = [space.architecture(trial.params) for trial in again.trials]
    assert all(not budget.violations(arch.costs) for arch in networks)
    constraint = space.constraint(budget)
    batch = space.sample(500, seed=0)
    counts = space.evaluate(batch)
    inside = (counts["params"] <= 400) & (counts["convolutions"] >= 2) & (counts["convolutions"] <= 3)
    np.testing.assert_array_equal((constraint(batch) <= 0).all(axis=1), inside)


# What is shown.


def test_custom_metrics_are_shown_with_a_network() -> None:
    space = dense_space(metrics=[ab.Metric("latency_us", lambda layer: 1500 * (layer.type == "Dense"))])
    arch = space.architecture(units=2, activation="tanh")
    summary = arch.summary()
    assert re.search(r"MACs +│ latency_us │", summary)
    assert re.search(r"dense .* 1,500 │", summary)
    assert summary.endswith(" latency_us: 1,500")
    assert arch.explain("dense").endswith("\nlatency_us: 1,500")
    assert "latency" not in arch.explain("input_layer")
    assert arch.costs["latency_us"] == 1500


def test_plots_show_custom_metrics() -> None:
    space = dense_space(metrics=[ab.Metric("outputs", widest, combine="max")])
    budget = ab.Budget(custom={"outputs": 26})
    assert ab.plot.distribution(space, budget).layout.xaxis.title.text == "outputs"
    assert ab.plot.distribution(space.sample(20, seed=0), metric="outputs").layout.xaxis.title.text == "outputs"
    assert ab.plot.marginals(space.within(budget)).data
    assert "outputs" in str(ab.plot.diagram(space).to_dict())
    study = ab.search(space, lambda arch: arch.params, budget, 5, seed=0)
    assert ab.plot.history(study, budget).layout.xaxis.title.text == "outputs"
    with pytest.raises(SpaceError, match="unknown metric 'm'; the metrics are params, .*, outputs"):
        ab.plot.distribution(space, metric="m")


# Metrics that are at hand.


def test_layers_with_weights_are_counted() -> None:
    shared = layers.Dense(4)
    space = ab.Space(
        [layers.Input((4,)), shared, layers.ReLU(), layers.Repeat(ab.Int("depth", 0, 2), layers.Dense(4)), shared],
        metrics=[ab.metrics.weighted_layers(), ab.metrics.weighted_layers("again")],
    )
    for depth in range(3):
        assert space.architecture(depth=depth).costs["weighted_layers"] == 1 + depth
    assert space.range("again") == (1, 3)
    assert pickle.loads(pickle.dumps(space)).range("again") == (1, 3)


def test_the_size_of_an_output_is_a_metric() -> None:
    filters, there = ab.Choice("filters", [2, 5]), ab.Choice("there", [0, 1])
    conv = layers.Conv2D(filters, 3, name="features")
    size = ab.metrics.output_size
    space = ab.Space(
        [layers.Input((8, 9, 1)), layers.Repeat(there, conv, shared=["filters"])],
        metrics=[size("features_1"), size("features_1", -1, name="channels"), size("features_1", 0, name="height")],
    )
    costs = space.architecture(there=1, filters=5).costs
    assert (costs["output_size"], costs["channels"], costs["height"]) == (6 * 7 * 5, 5, 6)
    assert space.architecture(there=0).costs["output_size"] == 0
    assert space.within(ab.Budget(custom={"channels": (1, 3)})).count() == 1
    with pytest.raises(SpaceError, match=r"layer 'features_1' has no axis 3; its output is \(6, 7, 2\)"):
        ab.Space([layers.Input((8, 9, 1)), layers.Conv2D(2, 3, name="features_1")], metrics=[size("features_1", 3)])
    with pytest.raises(SpaceError, match="needs the name of a layer"):
        size(3)  # type: ignore[arg-type]


def test_the_layer_whose_output_is_measured_is_there() -> None:
    with pytest.raises(
        SpaceError, match=r"'output_size': no layer is named 'dens' \(did you mean dense\?\); the layers"
    ):
        dense_space(metrics=[ab.metrics.output_size("dens")])
    with pytest.raises(SpaceError, match=r"the name 'dense' is automatic.*Dense\(\.\.\., name='dense'\)"):
        dense_space(metrics=[ab.metrics.output_size("dense")])
    there = ab.Choice("there", [0, 1])
    body = [layers.Input((4,)), layers.Repeat(there, layers.Dense(3, name="a")), layers.Dense(2)]
    space = ab.Space(body, metrics=[ab.metrics.output_size("a_1")])
    assert space.range("output_size") == (0, 3)
    assert space.with_domains({"there": [0]}).range("output_size") == (0, 0)


def test_distinct_layers_are_each_there_once() -> None:
    space = ab.Space(
        [
            layers.Input((8, 8, 3)),
            layers.Repeat(ab.Int("depth", 1, 3), layers.Conv2D(ab.Choice("f", [3, 6]), 3, padding="same")),
            layers.Dropout(ab.Choice("rate", [0.1, 0.2])),
            layers.Dense(2, weight_bits=ab.Choice("bits", [4, 8])),
        ]
    )
    found = ab.metrics.distinct_layers(space)
    assert [layer.type for layer in found].count("Conv2D") == 4  # From 3 or 6 channels to 3 or 6.
    assert [layer.type for layer in found].count("Dropout") == 4
    assert [layer.type for layer in found].count("Dense") == 4
    assert len(found) == 12
    occurring = {
        (layer.type, repr(layer.arguments), repr(layer.other_arguments), layer.weight_bits, layer.input_shapes)
        for arch in space.within(ab.Budget(params=10**9)).candidates()
        for layer in arch.layers
        if layer.type != "Input"
    }
    assert len(occurring) == 12


def test_distinct_layers_do_not_ask_the_metrics_of_the_space() -> None:
    asked = []
    space = dense_space(metrics=[ab.Metric("m", lambda layer: asked.append(layer) or 1)])  # type: ignore[func-returns-value]
    before = len(asked)
    assert len(ab.metrics.distinct_layers(space)) == 4
    assert len(asked) == before


# Latency tables.


def convolutions(**more: Any) -> ab.Space:
    """A space of 8 networks with layers of several kinds."""
    return ab.Space(
        [
            layers.Input((6, 6, 1)),
            layers.Conv2D(ab.Choice("filters", [2, 4]), ab.Choice("kernel", [1, 3]), padding="same"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(3, activation=ab.Choice("activation", ["relu", None])),
        ],
        **more,
    )


ENTRIES: list[tuple[dict[str, str], int]] = [
    ({"type": "Conv2D"}, 10),
    ({"type": "Conv2D", "kernel_size": "3x3"}, 30),
    ({"type": "Conv2D", "kernel_size": "3x3", "filters": "4"}, 50),
    ({"type": "BatchNormalization", "input_shape": "6x6x4"}, 4),
    ({"type": "BatchNormalization"}, 2),
    ({"type": "Flatten"}, 0),
    ({"type": "Dense", "activation": "relu"}, 9),
    ({"type": "Dense", "activation": ""}, 7),
]


def test_the_entry_with_the_most_cells_counts() -> None:
    space = convolutions(metrics=[ab.LatencyTable("us", ENTRIES)])
    for arch in space.within(ab.Budget(params=10**6)).candidates():
        conv = {(2, 1): 10, (4, 1): 10, (2, 3): 30, (4, 3): 50}[arch["filters"], arch["kernel"]]  # type: ignore[index]
        norm = 4 if arch["filters"] == 4 else 2
        dense = 9 if arch["activation"] == "relu" else 7
        assert arch.costs["us"] == conv + norm + dense
    assert space.within(ab.Budget(custom={"us": 25})).count() == 4
    largest = convolutions(metrics=[ab.LatencyTable("us", ENTRIES, combine="max")])
    assert largest.range("us") == (9, 50) or largest.range("us") == (10, 50)


def test_numbers_of_measurements_may_be_of_numpy() -> None:
    table = ab.LatencyTable("us", [({"type": kind}, np.int64(3)) for kind in ("Dense", "Flatten")])
    assert ab.Space([layers.Input((2, 2)), layers.Flatten(), layers.Dense(1)], metrics=[table]).range("us") == (6, 6)


def test_missing_entries_are_all_named() -> None:
    entries = [entry for entry in ENTRIES if entry[0]["type"] != "BatchNormalization"]
    with pytest.raises(MissingEntryError) as caught:
        convolutions(metrics=[ab.LatencyTable("us", entries)])
    assert str(caught.value) == (
        "2 entries are missing: the latency table 'us' has no entry for type=BatchNormalization, input_shape=6x6x2, "
        "output_shape=6x6x2; the latency table 'us' has no entry for type=BatchNormalization, input_shape=6x6x4, "
        "output_shape=6x6x4"
    )
    some = [({"type": "BatchNormalization", "input_shape": "6x6x4"}, 1)]
    with pytest.raises(
        MissingEntryError,
        match=r"^the latency table 'us' has no entry for .*input_shape=6x6x2.* \(the nearest says input_shape=6x6x4\)$",
    ):
        convolutions(metrics=[ab.LatencyTable("us", [*entries, *some])])
    with pytest.raises(MissingEntryError, match=r"^2[0-9] entries are missing: .*; \.\.\.$"):
        ab.Space(
            [layers.Input((4,)), layers.Dense(ab.Int("units", 1, 25))], metrics=[ab.LatencyTable("us", ENTRIES[:6])]
        )


def test_an_entry_that_is_missing_later_fails_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SmallProgram, "limits", {"stored": 1, "visited": 1}, raising=False)
    monkeypatch.setattr(writer, "Program", SmallProgram)
    units = [ab.Choice(name, [2, 4]) for name in "ab"]
    table = ab.LatencyTable("us", [({"type": "Dense", "input_shape": shape}, 1) for shape in "32"])
    space = ab.Space([layers.Input((3,)), *map(layers.Dense, units)], metrics=[table])
    assert space.evaluate({"a": [2], "b": [4]})["us"].tolist() == [2]
    with pytest.raises(MissingEntryError, match="type=Dense, input_shape=4, output_shape=2"):
        space.evaluate({"a": [4], "b": [2]})


def test_entries_that_fit_equally_well_must_agree() -> None:
    entries: list[tuple[dict[str, str], int]] = [
        ({"type": "Dense", "units": "2"}, 5),
        ({"type": "Dense", "input_shape": "3"}, 6),
        ({"type": "Dense"}, 1),
    ]
    with pytest.raises(
        SpaceError, match="several entries of the latency table fit: 6 by its .* and 5 by its|5 by .* and 6"
    ):
        dense_space(metrics=[ab.LatencyTable("us", entries)])
    entries[1] = ({"type": "Dense", "input_shape": "3"}, 5)
    assert dense_space(metrics=[ab.LatencyTable("us", entries)]).range("us") == (5, 5)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([({"type": "A"}, 1), ({"units": "3"}, 1)], "entry 2 of the latency table 'us' does not say which type"),
        ([({"type": " "}, 1)], "entry 1 of the latency table 'us' does not say which type"),
        ({"A": 3}, "an entry of a latency table is a mapping of what it says, and a value; not 'A'"),
        ([({"type": "A"},)], "an entry of a latency table is a mapping of what it says, and a value"),
        (None, "a latency table needs a sequence of entries, not None"),
        ([({"type": "A", 3: "4"}, 5)], "an entry of a latency table is a mapping of what it says, and a value"),
        ([("A", 3)], "an entry of a latency table is a mapping of what it says, and a value"),
        ([({"type": "A"}, 1.5)], "must have an integer of at least 0 and below .*, not 1.5"),
        ([({"type": "A"}, -1)], "must have an integer of at least 0 and below .*, not -1"),
        ([({"type": "A"}, True)], "must have an integer of at least 0 and below .*, not True"),
        ([({"type": "A"}, 2**63)], "must have an integer of at least 0 and below .*, not 9223372036854775808"),
        (
            [({"type": "A", "k": "3x3"}, 1), ({"k": "3x3", "type": "A"}, 2)],
            "entry 2 of the latency table 'us' contradicts an earlier one: 2 and 1 for type=A, k=3x3|for k=3x3, type=A",
        ),
    ],
)
def test_tables_with_missing_or_contradicting_cells_are_refused(entries: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        ab.LatencyTable("us", entries)


def test_custom_layers_have_entries() -> None:
    @layers.custom
    def Scale(input_shape: tuple[int, ...], by: Any, type: str = "a") -> layers.Counts:  # noqa: A002, ARG001, N802
        return layers.Counts(input_shape)

    table = ab.LatencyTable("us", [({"type": "Scale", "by": "2x3"}, 5), ({"type": "Scale", "by": "0.5"}, 7)])
    space = ab.Space(
        [layers.Input((3,)), Scale([2, ab.Choice("a", [3])]), Scale(ab.Choice("b", [0.5]))], metrics=[table]
    )
    assert space.range("us") == (12, 12)


def test_a_template_is_filled_and_read(tmp_path: Path) -> None:
    space = convolutions()
    file = tmp_path / "latency.csv"
    assert ab.LatencyTable.write_template(space, file, column="ms") == 12
    lines = file.read_text().splitlines()
    assert len(lines) == 13
    heading = lines[0].split(",")
    assert heading[:3] == ["type", "input_shape", "output_shape"]
    assert heading[-1] == "ms"
    with pytest.raises(SpaceError, match=r"latency.csv:2: the ms is missing; a layer that costs nothing has 0"):
        ab.LatencyTable.read_csv(file, "us", column="ms")
    rng = Random(0)
    values = [rng.randrange(5000) for _ in lines[1:]]
    # A spreadsheet adds a mark of the order of bytes, ends lines in its own way, and writes flags in capitals.
    filled = [f"{line}{value // 1000}.{value % 1000:03}" for line, value in zip(lines[1:], values, strict=True)]
    text = "\r\n".join([lines[0], *filled, ""]).replace("True", "TRUE").replace("False", "FALSE")
    file.write_text(text, encoding="utf-8-sig", newline="")
    table = ab.LatencyTable.read_csv(file, "us", column="ms", decimals=3)
    measured_space = space.with_metrics([table])
    known: dict[tuple[object, ...], int] = {}
    for layer, value in zip(ab.metrics.distinct_layers(space), values, strict=True):
        known[layer.type, repr(layer.arguments), repr(layer.other_arguments), layer.input_shapes] = value
    for arch in measured_space.within(ab.Budget(params=10**6)).candidates():
        keys = [
            (layer.type, repr(layer.arguments), repr(layer.other_arguments), layer.input_shapes)
            for layer in arch.layers[1:]
        ]
        assert arch.costs["us"] == sum(known[key] for key in keys)
    bound = int(np.median(measured_space.evaluate(measured_space.sample(100, seed=0))["us"]))
    fits = measured_space.within(ab.Budget(custom={"us": bound}))
    assert all(arch.costs["us"] <= bound for arch in fits.candidates())
    assert pickle.loads(pickle.dumps(measured_space)).range("us") == measured_space.range("us")
    assert ab.LatencyTable.write_template(measured_space, tmp_path / "again.csv", column="ms") == 12


def test_a_template_is_filled_by_a_function(tmp_path: Path) -> None:
    file = tmp_path / "latency.csv"
    space = convolutions()
    rows = ab.LatencyTable.write_template(space, file, column="ms", measure=lambda layer: f"{layer.macs / 1000:.3f}")
    assert rows == 12
    table = ab.LatencyTable.read_csv(file, "us", column="ms", decimals=3)
    counts = space.with_metrics([table]).evaluate(space.sample(50, seed=0))
    np.testing.assert_array_equal(counts["us"], counts["macs"])

    def broken(layer: ab.LayerRecord) -> object:
        raise RuntimeError(layer.type)

    before = file.read_text()
    with pytest.raises(RuntimeError, match="Conv2D"):
        ab.LatencyTable.write_template(space, file, column="ms", measure=broken)
    assert file.read_text() == before


def test_a_column_that_describes_layers_cannot_hold_values(tmp_path: Path) -> None:
    for column in ("type", "filters", "weight_bits"):
        with pytest.raises(SpaceError, match=f"cannot be named '{column}'"):
            ab.LatencyTable.write_template(convolutions(), tmp_path / "latency.csv", column=column)


@pytest.mark.parametrize("column", ["", " ", None, 3])
def test_the_column_of_the_values_needs_a_name(tmp_path: Path, column: Any) -> None:
    with pytest.raises(SpaceError, match="^the column of the values needs a name, not "):
        ab.LatencyTable.write_template(convolutions(), tmp_path / "latency.csv", column=column)
    assert not any(tmp_path.iterdir())


@layers.custom
def Own(input_shape: tuple[int, ...], sizes: Any) -> layers.Counts:  # noqa: ARG001, N802
    return layers.Counts(input_shape)


def test_a_table_tells_what_stands_inside_of_layers(tmp_path: Path) -> None:
    act = ab.Choice("act", ["relu", "tanh"])
    space = ab.Space(
        [
            layers.Input((4, 8)),
            layers.TimeDistributed(layers.Dense(ab.Choice("units", [2, 4]), activation=act, trainable=False)),
            layers.Pipeline([layers.Dense(3, "relu"), layers.ReLU()]),
            layers.Bidirectional(layers.LSTM(2), backward_layer=layers.LSTM(2, go_backwards=True, dropout=0.5)),
            layers.Reshape((4, 1)),
            layers.RNN([layers.LSTMCell(3, dropout=0.5), layers.GRUCell(ab.Int("low", 1, 2))]),
            Own({"a": [1, 2], "b": ab.Choice("word", ["x y", "z"])}),
        ]
    )
    file = tmp_path / "latency.csv"
    numbers = itertools.count(1)
    rows = ab.LatencyTable.write_template(space, file, column="ms", measure=lambda _: next(numbers))
    text = file.read_text(encoding="utf-8")
    for cell in (
        '"Dense(units=2,use_bias=True,trainable=False,activation=tanh)"',
        '"Dense(units=3,use_bias=True,activation=relu);ReLU()"',
        "StackedRNNCells(cells=LSTMCell(units=3,use_bias=True,dropout=0.5);GRUCell(units=2,use_bias=True,reset_after=",
        "\"{'a':[1,2],'b':'xy'}\"",
    ):
        assert cell in text
    timed = space.with_metrics([ab.LatencyTable.read_csv(file, "ms")])
    assert rows == 4 + 2 + 1 + 1 + 2 + 4
    networks = [timed.architecture(arch) for arch in space.sample(200, seed=0)]
    assert len({arch.layer("time_distributed").custom["ms"] for arch in networks}) == 4
    assert len({arch.layer("rnn").custom["ms"] for arch in networks}) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r":1: a latency table has one column 'type'; its columns are \[\]"),
        ("kind,us\nDense,3", r":1: a latency table has one column 'type'; its columns are \['kind', 'us'\]"),
        ("type,ms\nDense,3", r":1: a latency table has one column 'us'; its columns are \['type', 'ms'\]"),
        ("type,us,us\nDense,3,4", ":1: a latency table has one column 'us'"),
        ("type,us\nDense,3\nFlatten,x", ":3: the us must be a number, not 'x'"),
        ('type,us\nDense,"1,5"', ":2: the us must be a number, not '1,5'"),
        ("type,us\nDense,nan", ":2: the us must be a number, not 'nan'"),
        ("type,us\nDense,inf", ":2: the us must be a number, not 'inf'"),
        ("type,us\nDense,", ":2: the us is missing"),
        ("type,us\nDense,-1", r":2: the us must be at least 0 and below 2\^63 - 1, not -1"),
        ("type,us\nDense,-0.001", ":2: the us must be at least 0"),
        ("type,us\nDense,1e30", ":2: the us must be at least 0 and below"),
        ("type,us\nDense,1e999999999", ":2: the us must be at least 0 and below"),
        (
            "type,us\nDense,1e-999999999",
            ":2: the us must be an integer after moving the decimal point by decimals=2, not",
        ),
        (
            "type,us\nDense,1.234",
            ":2: the us must be an integer after moving the decimal point by decimals=2, not 1.234",
        ),
        ("type,us\nDense,3,4", ":2: the row has not as many cells as the heading"),
        ("type,units,us\nDense,3\n", ":2: the row has not as many cells as the heading"),
        ("type,us\n,3", ":2: the row does not say which type of layer it is for"),
        ("type,us\n\nDense,3\n\nDense,4", ":5: the row contradicts an earlier one: 400 and 300 for type=Dense"),
        ('type,us\nDense,3\n"Den', ":3: not valid CSV"),
    ],
)
def test_files_that_are_not_tables_are_refused_with_the_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "latency.csv"
    file.write_text(text)
    with pytest.raises(SpaceError, match=re.escape(str(file)) + message):
        ab.LatencyTable.read_csv(file, "us", decimals=2)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match=r"nowhere.csv cannot be read: .*No such file"):
        ab.LatencyTable.read_csv(tmp_path / "nowhere.csv", "us")
    (tmp_path / "latin.csv").write_bytes("type,us\nDénse,3".encode("latin-1"))
    with pytest.raises(SpaceError, match=r"latin.csv cannot be read: .*utf-8"):
        ab.LatencyTable.read_csv(tmp_path / "latin.csv", "us")
    for decimals in (-1, 1.5, True):
        with pytest.raises(SpaceError, match="decimals must be an integer of at least 0"):
            ab.LatencyTable.read_csv(tmp_path / "latin.csv", "us", decimals=decimals)  # type: ignore[arg-type]


def test_equal_rows_count_once(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("type,us\nDense,3\nDense,3.0\n")
    assert dense_space(metrics=[ab.LatencyTable.read_csv(tmp_path / "t.csv", "us")]).range("us") == (3, 3)


def test_a_table_is_not_asked_about_networks_that_cannot_be_built() -> None:
    # The condition is known before the second repetition: no network has its layers after 4 channels.
    channels, rate = ab.Choice("channels", [1, 4]), ab.Choice("rate", [0.1, 0.5])
    body = layers.Repeat(2, [layers.SeparableConv2D(channels, 2), layers.Dropout(rate)], shared=["channels"])
    make = partial(ab.Space, [layers.Input((4, 4, 1)), body, layers.Require(channels <= 2), layers.Flatten()])
    entries = [(described(layer), 1) for layer in distinct_layers(make())]
    space = make(metrics=[ab.LatencyTable("latency", entries)])
    rows = np.indices([len(decision.values) for decision in space.decisions.values()]).reshape(3, -1).T
    counts = space.evaluate(rows, per_layer=True)
    assert counts.layers is not None
    assert counts.valid.sum() == space.size == 4
    assert (counts.layers["latency"][counts.valid].sum(axis=1) == counts["latency"][counts.valid]).all()
    assert not counts.layers["latency"][~counts.valid].any()
    assert not counts.layers.shapes[~counts.valid].any()


def test_a_template_has_no_column_named_like_a_built_in_metric(tmp_path: Path) -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(3)])
    with pytest.raises(SpaceError, match="cannot be named 'macs': that is a built-in metric"):
        ab.metrics.LatencyTable.write_template(space, tmp_path / "table.csv", column="macs")
    assert not list(tmp_path.iterdir())
