"""The arguments of a space, a budget or a metric cannot change it afterwards."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGE = layers.Input((12, 12, 3))
SEQUENCE = layers.Input((6, 4))


def answers(space: ab.Space) -> Any:
    """What is asked of a space, and of those that are made of it again."""
    found = []
    for each in (space, space.with_domains({}), pickle.loads(pickle.dumps(space))):
        candidates = each.sample(20, seed=1)
        counts = each.evaluate(candidates)
        found.append((each.size, {metric: counts[metric].tolist() for metric in each.metrics}))
    assert found[0] == found[1] == found[2]
    return found[0]


def row(*blocks: Any, source: layers.Layer = IMAGE) -> ab.Space:
    return ab.Space([source, *blocks])


def change_all(value: Any) -> int:
    """Changes all lists, dicts and arrays within a value; how many there were."""
    if isinstance(value, np.ndarray):
        value[...] = 7
        return 1
    inside = (
        list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, (list, tuple)) else []
    )
    changed = sum(change_all(each) for each in inside)
    if isinstance(value, list):
        number = next((at for at, each in enumerate(value) if isinstance(each, int)), None)
        if number is None:
            value.append(layers.Dense(50))
        else:
            value[number] = 50
        return changed + 1
    if isinstance(value, dict):
        value["another"] = 50
        for key in list(value):
            if isinstance(value[key], int):
                value[key] = 50
        return changed + 1
    return changed


@layers.custom
def padded(input_shape: Any, sizes: Any, table: Any = None) -> layers.Counts:
    return layers.Counts(input_shape, macs=sum(sum(size) for size in sizes) + sum((table or {}).get("a", [0])))


def conv(filters: Any = 4) -> layers.Layer:
    return layers.Conv2D(filters, 3, padding="same")


GIVEN: dict[str, tuple[Callable[[], Any], Callable[[Any], ab.Space]]] = {
    "a list in a tuple": (lambda: ([1, 1], [1, 1]), lambda pad: row(layers.ZeroPadding2D(pad), layers.Conv2D(2, 3))),
    "a list in a list": (lambda: [[1, 1], [2, 1]], lambda pad: row(layers.ZeroPadding2D(pad), layers.Conv2D(2, 3))),
    "a kernel": (lambda: [3, 2], lambda size: row(layers.Conv2D(4, size, padding="same"))),
    "a shape": (lambda: [12, 36], lambda shape: row(layers.Reshape(shape), layers.Dense(3))),
    "an input": (lambda: [7, 3], lambda shape: row(layers.Dense(3), source=layers.Input(shape))),
    "axes": (lambda: [2, 3], lambda axes: row(layers.LayerNormalization(axis=axes))),
    "a dict of an initializer": (
        lambda: {"class_name": "Constant", "config": {"value": 2}},
        lambda given: row(layers.Dense(3, kernel_initializer=given)),
    ),
    "an array": (
        lambda: np.array([1.0, 2.0, 3.0]),
        lambda mean: row(layers.Normalization(mean=mean, variance=mean)),
    ),
    "a custom layer": (
        lambda: {"sizes": [[1, 2], (3, [4])], "table": {"a": [5]}},
        lambda given: row(padded([[1, 2], given["sizes"][0]], table=given["table"])),
    ),
    "cells": (
        lambda: [layers.LSTMCell(3), layers.LSTMCell(4)],
        lambda cells: row(layers.RNN(cells), source=SEQUENCE),
    ),
    "blocks": (lambda: [IMAGE, conv(), [conv(5), [conv(6)]]], lambda blocks: ab.Space(blocks)),
    "a residual": (lambda: [conv(), conv(3)], lambda body: row(layers.Residual(body))),
    "a repetition": (lambda: [conv(), [conv()]], lambda block: row(layers.Repeat(ab.Int("d", 0, 3), block))),
    "what is shared": (
        lambda: ["f"],
        lambda shared: row(layers.Repeat(3, conv(ab.Choice("f", [2, 3])), shared=shared)),
    ),
    "a list of branches": (lambda: [conv(), layers.MaxPooling2D()], lambda blocks: row(layers.OneOf("o", blocks))),
    "a dict of branches": (
        lambda: {"a": [conv()], "b": [conv(9), conv()]},
        lambda blocks: row(layers.OneOf("o", blocks)),
    ),
    "values": (lambda: [2, 3, 4], lambda values: row(conv(ab.Choice("f", values)))),
    "a map": (lambda: {1: 8, 2: 16}, lambda table: row(conv(ab.Choice("f", [1, 2]).map(table.get)))),
    "domains": (
        lambda: {"f": [2, 3]},
        lambda domains: ab.Space([IMAGE, conv(ab.Choice("f", [2, 3, 4]))], domains=domains),
    ),
    "constraints": (
        lambda: [ab.Choice("f", [2, 3, 4]) < 4],
        lambda constraints: ab.Space([IMAGE, conv(ab.Choice("f", [2, 3, 4]))], constraints=constraints[:]),
    ),
    "metrics": (
        lambda: [ab.metrics.weighted_layers()],
        lambda metrics: ab.Space([IMAGE, conv(ab.Choice("f", [2, 3, 4]))], metrics=metrics),
    ),
    "a table of latencies": (
        lambda: [({"type": "Conv2D"}, 5), ({"type": "Flatten"}, 1)],
        lambda table: ab.Space(
            [IMAGE, conv(ab.Choice("f", [2, 3, 4])), layers.Flatten()],
            metrics=[ab.LatencyTable("latency", table)],
        ),
    ),
    "choices of inputs": (
        lambda: ["one", "two"],
        lambda names: row(
            layers.Conv2D(3, 1, name="one"),
            layers.Conv2D(3, 3, padding="same", name="two"),
            layers.InputChoice("i", inputs=names),
            layers.Conv2D(2, 1),
        ),
    ),
}


@pytest.mark.parametrize("what", GIVEN)
def test_a_space_does_not_change_with_its_arguments(what: str) -> None:
    given, make = GIVEN[what]
    mine = given()
    space = make(mine)
    expected = answers(make(given()))
    assert answers(space) == expected
    assert change_all(mine) > 0
    assert answers(space) == expected


def test_tensors_of_a_graph_are_those_of_its_making() -> None:
    first, second = layers.Input((4,)), layers.Input((5,))
    inputs, read = [first, second], [first, second]
    joined = layers.Concatenate()(read)
    outputs = [layers.Dense(3)(joined)]
    space = ab.Space(inputs=inputs, outputs=outputs)
    expected = answers(space)
    for each in (inputs, read, outputs):
        each.clear()
    assert answers(space) == expected


def test_hyperparameters_blocks_and_metrics_cannot_be_changed() -> None:
    dense = layers.Dense(3, kernel_initializer={"class_name": "Constant", "config": {"value": [2]}})
    repeat = layers.Repeat(3, conv())
    branches = layers.OneOf("o", {"a": conv(), "b": conv(2)})
    metric = ab.metrics.weighted_layers()
    for owner, name in ((dense, "units"), (repeat, "times"), (branches, "blocks"), (metric, "combine")):
        with pytest.raises(AttributeError):
            setattr(owner, name, 2)
        with pytest.raises(AttributeError):
            delattr(owner, name)
    initializer = dense.arguments()["kernel_initializer"]
    for change in (
        lambda: initializer.update(a=1),
        lambda: initializer["config"].clear(),
        lambda: branches.blocks.pop("a"),
        lambda: initializer.__setitem__("a", 1),
        lambda: initializer["config"].setdefault("a", 1),
    ):
        with pytest.raises(TypeError, match="cannot be changed: make a new one"):
            change()
    assert initializer == {"class_name": "Constant", "config": {"value": (2,)}}
    assert pickle.loads(pickle.dumps(initializer)) == initializer


def test_a_budget_does_not_change_with_its_bounds() -> None:
    custom = {"x": [1, 5]}
    bounds = [10, 20]
    budget = ab.Budget(params=bounds, custom=custom)
    custom["x"][0] = 3
    custom["y"] = [1, 2]
    bounds[0] = 15
    assert budget == {"params": (10, 20), "x": (1, 5)}


def test_equal_budgets_hash_print_and_pickle_alike() -> None:
    one = ab.Budget(params=5, custom={"x": 100, "y": 9})
    other = ab.Budget.of({"y": 9, "params": 5, "x": (None, 100)})
    assert one == other
    assert hash(one) == hash(other)
    assert repr(one) == repr(other)
    assert one.describe() == other.describe()
    assert list(one) == list(other)
    assert hash(pickle.loads(pickle.dumps(one))) == hash(other)


def test_a_metric_cannot_change_what_the_next_one_is_told() -> None:
    def clear(layer: ab.LayerRecord) -> int:
        layer.arguments.clear()
        return 1

    space = ab.Space([IMAGE, conv(ab.Choice("f", [2, 3]))])
    with pytest.raises(ab.errors.SpaceError, match="its function failed: TypeError: .* cannot be changed"):
        space.with_metrics([ab.Metric("cleared", clear)])
    record = space.architecture(f=2).layers[1]
    for mapping in (record.arguments, record.other_arguments, record.custom):
        with pytest.raises(TypeError, match="cannot be changed"):
            mapping["filters"] = 99


@layers.custom
def Listed(input_shape: tuple[int, ...], options: Any, chosen: Any = frozenset()) -> layers.Counts:  # noqa: N802
    numbers = options["list"] if isinstance(options, dict) else options
    return layers.Counts(input_shape, macs=sum(numbers) + sum(chosen))


def test_a_custom_layer_hands_out_copies() -> None:
    chosen = {1, 2}
    layer = Listed({"list": [1, 2, 3]}, chosen)
    space = ab.Space([layers.Input((4,)), layers.Dense(ab.Int("units", 1, 3)), layer])
    before = space.range("macs")
    chosen.add(50)
    layer.given["options"]["list"].append(50)
    layer.arguments()["options"]["list"].append(50)
    assert layer.given["options"] == {"list": [1, 2, 3]}
    with pytest.raises(TypeError, match="cannot be changed"):
        layer.given["options"] = 1
    assert space.with_domains({"units": [1, 2, 3]}).range("macs") == before == (4 + 9, 12 + 9)


def test_answers_cannot_be_given_other_spaces_or_budgets() -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(ab.Int("units", 1, 3))])
    budget = ab.Budget(params=12)
    for answer, names in (
        (space.within(budget), ("space", "budget", "memory")),
        (space.within(budget).fix({"units": 1}), ("space", "budget")),
        (space.architecture(units=2), ("space", "indices")),
        (space.sample(3), ("space",)),
        (ab.Candidates(space, [[0]]), ("space",)),
        (space.constraint(budget), ("space", "budget")),
    ):
        for name in names:
            with pytest.raises(AttributeError, match=f"cannot be changed .{name}."):
                setattr(answer, name, None)
            with pytest.raises(AttributeError, match=f"cannot be changed .{name}."):
                delattr(answer, name)
