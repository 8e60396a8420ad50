"""Equal things hash, print and pickle alike, and a study of one is taken up with the other."""

from __future__ import annotations

import copy
import dataclasses
import functools
import pickle
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import SpaceError


@layers.custom
def Twice(input_shape: tuple[int, ...], table: Any = None) -> layers.Counts:  # noqa: ARG001, N802
    return layers.Counts(input_shape, macs=2 * input_shape[-1])


def one(layer: ab.LayerRecord) -> int:
    return int(bool(layer.params))


def row(**changes: Any) -> ab.Space:
    """A space with a bit of everything; changes go to its parts."""
    given: dict[str, Any] = {"units": [4, 8], "kernel": 3, "activation": "relu", "ratio": 2, "bits": None, **changes}
    units = ab.Choice("units", given["units"])
    convolution = layers.Conv2D(units, given["kernel"], activation=given["activation"], weight_bits=given["bits"])
    body = layers.OneOf("body", {"a": layers.Dense(units), "b": [layers.Dense(given["ratio"]), layers.Dense(units)]})
    return ab.Space(
        [
            layers.Input((8, 8, 3)),
            convolution,
            Twice(table=given.get("table")),
            layers.Repeat(ab.Int("depth", 0, given.get("depth", 2)), layers.Dense(ab.Int("width", 1, 3))),
            body,
        ],
        bytes_per_weight=given.get("bytes", 4),
        domains=given.get("domains"),
        constraints=given.get("constraints", [ab.Int("depth", 0, given.get("depth", 2)) < 3]),
        metrics=[ab.Metric("weighted", given.get("function", one))],
    )


def graph(**changes: Any) -> ab.Space:
    """The same as a graph with two outputs."""
    source = layers.Input((8,), name="source")
    shared = layers.Dense(ab.Choice("units", changes.get("units", [4, 8])), name="shared")
    first = shared(source)
    second = layers.Dense(8)(source) if changes.get("apart") else shared(source)
    outputs = [second, first] if changes.get("turned") else [first, second]
    return ab.Space(inputs=source, outputs=outputs)


MAKERS: dict[str, Callable[[], Any]] = {
    "Space": row,
    "Space, a graph": graph,
    "Space, a shelf": ab.spaces.lenet,
    "Space, a part": lambda: row().with_domains({"units": [4]}),
    "Budget": lambda: ab.Budget(params=60_000, macs=(1, None), custom={"y": 9, "x": (2, 5)}),
    "Budget, in another order": lambda: ab.Budget.of({"x": (2, 5), "y": 9, "macs": (1, None), "params": 60_000}),
    "Architecture": lambda: row().architecture(units=4, depth=1, width_1=2, body="b"),
    "Candidates": lambda: row().sample(20, seed=0),
    "Choice": lambda: ab.Choice("a", [1, 2.5, True, "1", None]),
    "Int": lambda: ab.Int("a", 1, 10, step=3),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_equal_values_compare_hash_and_pickle_alike(make: Callable[[], Any]) -> None:
    first, second = make(), make()
    loaded = pickle.loads(pickle.dumps(first))
    for other in (second, loaded, pickle.loads(pickle.dumps(loaded))):
        assert repr(other) == repr(first)
        if make is not graph:  # Its tensors are numbered in the order in which a process makes them.
            assert pickle.dumps(pickle.loads(pickle.dumps(other))) == pickle.dumps(loaded)
        if not isinstance(first, ab.Choice):  # A decision is the same by its object, or by its name and its values.
            assert other == first
        if isinstance(first, ab.Candidates):
            with pytest.raises(TypeError):
                hash(other)
        elif not isinstance(first, ab.Choice):
            assert hash(other) == hash(first)


class Start:
    """An object of a user's, which does not say when it is equal."""

    def __init__(self, *parts: object) -> None:
        self.parts = parts

    def __call__(self, layer: ab.LayerRecord) -> int:
        return layer.params * len(self.parts)


class Stateless:
    """The same without any state."""


@dataclasses.dataclass
class WithArray:
    """An object whose comparison fails, as those of arrays are no truth values."""

    array: np.ndarray[Any, Any]


def scaled(layer: ab.LayerRecord, factor: int) -> int:
    return factor * layer.params


def dense(**arguments: Any) -> ab.Space:
    return ab.Space([layers.Input((4,)), layers.Dense(ab.Int("units", 1, 4), **arguments)])


def measured(function: Callable[[ab.LayerRecord], int]) -> ab.Space:
    return dense().with_metrics([ab.Metric("measured", function)])


def numbered(number: int) -> layers.BlockLike:
    return layers.Dense(ab.Int(f"own_{number}", 1, 2 + number))


SENT: dict[str, Callable[[], Any]] = {
    **{f"Space, {name}": of for name, of in MAKERS.items() if not isinstance(of(), ab.Choice)},
    "an object": lambda: dense(kernel_initializer=Start(1, [2.0, {"a": np.arange(3)}])),
    "an object without state": lambda: dense(kernel_initializer=Stateless()),
    "an object with an array": lambda: dense(kernel_initializer=WithArray(np.arange(3))),
    "an initializer of Keras": lambda: dense(kernel_initializer=initializer(1)),
    "a partial": lambda: measured(functools.partial(scaled, factor=3)),
    "a method": lambda: measured(Start(1).__call__),
    "a callable": lambda: measured(Start(1)),
    "a function": lambda: measured(one),
    "a function of numbers": lambda: ab.Space(
        [layers.Input((4,)), layers.Repeat(ab.Int("depth", 0, 3), lambda number: numbered(number))]
    ),
    "a Metric": lambda: ab.Metric("measured", functools.partial(scaled, factor=3)),
    "a FeasibleSet": lambda: dense().within(ab.Budget(params=9)),
    "a Constraint": lambda: dense().constraint(ab.Budget(params=9)),
    "an Evaluation": lambda: dense().evaluate(dense().sample(9, seed=0), per_layer=True),
    "a Distribution": lambda: dense().distribution("params"),
    "Marginals": lambda: dense().within(ab.Budget(params=9)).marginals(),
}


@functools.cache
def initializer(seed: int) -> Any:
    return pytest.importorskip("keras").initializers.HeNormal(seed=seed)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
@pytest.mark.parametrize("make", SENT.values(), ids=SENT)
def test_what_is_copied_or_sent_equals_the_original(make: Callable[[], Any], copied: Callable[[Any], Any]) -> None:
    first = make()
    other = copied(first)
    assert other == first
    assert (other != first) is False
    assert other != "something else"
    if type(first).__hash__ is not None:
        assert hash(other) == hash(first)
    if isinstance(first, ab.Space):
        arch = first.sample(1, seed=0)[0]
        assert copied(arch) == arch == other.architecture(arch)
        assert hash(copied(arch)) == hash(arch)
        assert copied(first.sample(5, seed=0)) == other.sample(5, seed=0)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (lambda: dense(kernel_initializer=Start(1)), lambda: dense(kernel_initializer=Start(2))),
        (lambda: dense(kernel_initializer=Start([1])), lambda: dense(kernel_initializer=Start([1, 2]))),
        (
            lambda: dense(kernel_initializer=Start(np.arange(3))),
            lambda: dense(kernel_initializer=Start(np.arange(3.0))),
        ),
        (lambda: dense(kernel_initializer=Start({})), lambda: dense(kernel_initializer=Stateless())),
        (lambda: measured(functools.partial(scaled, factor=3)), lambda: measured(functools.partial(scaled, factor=4))),
        (lambda: measured(Start(1).__call__), lambda: measured(Start(2).__call__)),
        (lambda: dense().within(ab.Budget(params=9)), lambda: dense().within(ab.Budget(params=8))),
        (lambda: dense().within(ab.Budget(params=9)), lambda: measured(one).within(ab.Budget(params=9))),
        (
            lambda: dense().within(ab.Budget(params=9)),
            lambda: dense().within(ab.Budget(params=9)).fix({"units": 1}),
        ),
        (lambda: dense().constraint(ab.Budget(params=9)), lambda: dense().constraint(ab.Budget(params=8))),
        (lambda: dense().evaluate([[0], [1]]), lambda: dense().evaluate([[0], [2]])),
        (lambda: dense().evaluate([[0]]), lambda: dense().evaluate([[0]], per_layer=True)),
        (lambda: dense().evaluate([[0]], ["params"]), lambda: dense().evaluate([[0]], ["macs"])),
        (lambda: dense().distribution("params"), lambda: dense().distribution("macs")),
    ],
)
def test_what_differs_is_not_equal(first: Callable[[], Any], second: Callable[[], Any]) -> None:
    assert first() == first()
    assert first() != second()


@pytest.mark.parametrize("name", ab.spaces.SHELF)
def test_every_space_of_the_shelf_can_be_sent(name: str) -> None:
    space = ab.spaces.SHELF[name].make()
    assert pickle.loads(pickle.dumps(space)) == space


def test_a_network_equals_the_mapping_that_it_is() -> None:
    arch = row().architecture(units=4, depth=1, width_1=2, body="b")
    for mapping in (dict(arch), types.MappingProxyType(dict(arch)), dict(reversed(list(arch.items())))):
        assert arch == mapping
        assert mapping == arch
        assert (arch != mapping) is False
    assert arch == {**arch, "units": 4.0}
    for other in ({**arch, "units": 8}, {**arch, "width_2": 1}, {}, dict(list(arch.items())[1:]), 4, "units"):
        assert arch != other
        assert other != arch


def test_budgets_do_not_know_the_order_of_their_bounds() -> None:
    first, second = MAKERS["Budget"](), MAKERS["Budget, in another order"]()
    assert (first, hash(first), repr(first), first.describe()) == (
        second,
        hash(second),
        repr(second),
        second.describe(),
    )
    assert pickle.dumps(first) == pickle.dumps(second)


@pytest.mark.parametrize("decision", [ab.Choice("a", [2, 4]), ab.Int("a", 2, 4, step=2)], ids=repr)
def test_decisions_of_one_name_and_values_are_tied(decision: ab.Choice) -> None:
    loaded = pickle.loads(pickle.dumps(decision))
    other = ab.Choice("a", [2, 4])
    space = ab.Space([layers.Input((3,)), *(layers.Dense(each) for each in (decision, loaded, other))])
    assert list(space.decisions) == ["a"]
    assert space.size == 2


CHANGES: dict[str, dict[str, Any]] = {
    "values": {"units": [4, 9]},
    "their order": {"units": [8, 4]},
    "a constant": {"kernel": 5},
    "an argument that costs nothing": {"activation": "tanh"},
    "a layer in a branch": {"ratio": 3},
    "bits": {"bits": 8},
    "a number of repetitions": {"depth": 3},
    "bytes": {"bytes": 1},
    "domains": {"domains": {"units": [4]}},
    "constraints": {"constraints": [ab.Int("depth", 0, 2) < 2]},
    "no constraints": {"constraints": []},
    "a metric": {"function": lambda _: 1},
    "an array": {"table": np.arange(3)},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_spaces_that_differ_in_something_are_not_equal(change: dict[str, Any]) -> None:
    assert row(**change) != row()
    assert row(**change) == row(**change)


WIDTH = ab.Int("width", 1, 20)
LABEL = ab.Choice("label", list("abcdefghijkl"))


class Narrow(layers.Dense):
    @property
    def kind(self) -> str:
        return "Dense"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (WIDTH.map(lambda value: value), WIDTH.map(lambda value: value if value < 9 else 2 * value)),
        (ab.round_to(WIDTH.map(lambda value: value) + 1, 2), ab.round_to(WIDTH.map(lambda value: 2 * value) + 1, 2)),
        (ab.equal(LABEL, "a") + 1, ab.equal(LABEL, "b") + 1),
        (ab.equal(LABEL, "a") + 1, ab.different(LABEL, "a") + 1),
        (WIDTH, WIDTH + 0),
        (ab.channels(), ab.channels(0)),
        (WIDTH * 2, WIDTH * 3),
        (WIDTH - 1 + 2, WIDTH + 1),
    ],
)
def test_expressions_are_compared_whole(one: Any, other: Any) -> None:
    first, second = (ab.Space([layers.Input((8,)), layers.Dense(each)]) for each in (one, other))
    assert first != second
    assert len({first, second, ab.Space([layers.Input((8,)), layers.Dense(one)])}) == 2
    assert pickle.loads(pickle.dumps(first)) == first


def test_layers_of_another_class_are_others() -> None:
    assert ab.Space([layers.Input((8,)), Narrow(3)]) != ab.Space([layers.Input((8,)), layers.Dense(3)])
    assert ab.Space([layers.Input((8,)), layers.Dense(3, trainable=False)]) != ab.Space(
        [layers.Input((8,)), layers.Dense(3)]
    )


class Own(ab.Space):
    """A space of a user's class, which is made in another way."""

    def __init__(self) -> None:
        super().__init__([layers.Input((3,)), layers.Dense(ab.Int("units", 1, 9))], metrics=[ab.Metric("one", one)])


def test_a_part_of_a_space_of_another_class_is_a_plain_space() -> None:
    own = Own()
    parts = [
        own.with_domains({"units": [2]}),
        own.with_metrics([ab.metrics.weighted_layers()]),
        own.with_constraints([own.decisions["units"] < 5]),
        own.within(ab.Budget(params=12)).prune(),
        pickle.loads(pickle.dumps(own)),
        copy.deepcopy(own),
    ]
    assert [type(part) for part in parts] == [ab.Space] * 6
    assert [part.size for part in parts] == [1, 9, 4, 3, 9, 9]
    assert len(own.distinct_layers()) == 9


def test_arrays_are_compared_by_their_values() -> None:
    assert row(table=np.arange(3)) == row(table=np.arange(3))
    assert row(table=[np.arange(3)]) != row(table=[np.arange(3.0)])


class Refuses:
    """An object that cannot be compared."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    __hash__ = None  # type: ignore[assignment]


class Answers(Refuses):
    """An object whose comparison is no truth value."""

    def __eq__(self, other: object) -> Any:
        return np.array([1, 2])


@pytest.mark.parametrize("make", [Refuses, Answers, object, lambda: lambda: 1])
def test_foreign_objects_are_compared_whatever_they_do(make: Callable[[], object]) -> None:
    value = make()
    assert row(table=value) == row(table=value)
    assert row(table=value) != row(table=make())
    assert row(activation=value) == row(activation=value)
    assert row(function=lambda _: 1) != row(function=lambda _: 1)


def test_nan_is_what_it_is() -> None:
    assert row(table=float("nan")) == row(table=float("nan"))
    assert row(table=float("nan")) != row(table=1.0)


def test_graphs_that_differ_are_not_equal() -> None:
    assert graph() == graph()
    for change in ({"apart": True}, {"units": [4, 9]}):
        assert graph(**change) != graph()
    # Both uses of a shared layer make the same, but they are two tensors.
    assert graph(turned=True) != graph()


def test_a_space_equals_nothing_else() -> None:
    assert row() != "a space"
    assert row() != row().sample(1)


def test_networks_and_batches_of_other_spaces_are_others() -> None:
    values = {"units": 4, "depth": 0, "body": "a"}
    assert row().architecture(values) != row(kernel=5).architecture(values)
    assert row().sample(5, seed=1) != row(kernel=5).sample(5, seed=1)
    narrow = row().sample(5, seed=1)
    assert narrow == ab.Candidates(row(), narrow.indices.astype(np.uint32))


def test_a_study_is_resumed_with_an_equal_space_and_budget() -> None:
    storage = optuna.storages.InMemoryStorage()

    def search(space: ab.Space, budget: ab.Budget, trials: int) -> optuna.Study:
        return ab.search(space, lambda arch: arch.params, budget, trials, storage=storage, study_name="one", seed=0)

    search(row(), ab.Budget(params=10**6, custom={"weighted": 9}), 2)
    loaded = pickle.loads(pickle.dumps(row()))
    study = search(loaded, ab.Budget.of({"weighted": 9, "params": 1e6}), 4)
    assert len(study.trials) == 4
    with pytest.raises(SpaceError, match="belongs to another budget"):
        search(loaded, ab.Budget(params=10**6), 5)
    with pytest.raises(SpaceError, match="belongs to another space"):
        search(row(units=[4, 9]), ab.Budget(params=10**6, custom={"weighted": 9}), 5)


def shared_kernel(kernel: Callable[[], ab.Choice]) -> dict[str, ab.Space]:
    """Spaces whose decision is named several times."""
    image, sequence = layers.Input((8, 8, 3)), layers.Input((8, 3))
    dense = layers.Dense(4)
    one, three = kernel().map({1: 2, 3: 4}.get), kernel().map({1: "relu", 3: "tanh"}.get)
    return {
        "flag": ab.Space([image, layers.Conv2D(kernel(), 3, use_bias=kernel() == 1)]),
        "map": ab.Space([image, layers.Conv2D(one, kernel(), activation=three, weight_bits=kernel())]),
        "branches": ab.Space(
            [image, layers.OneOf("way", [layers.Conv2D(4, kernel()), layers.Conv2D(kernel(), kernel(), kernel())])]
        ),
        "structure": ab.Space(
            [image, layers.OneOf(kernel(), {1: [], 3: layers.Conv2D(kernel(), 1, trainable=kernel() == 1)})]
        ),
        "repetitions": ab.Space(
            [image, layers.Repeat(kernel(), layers.Conv2D(kernel(), kernel(), padding="same"))],
            constraints=[kernel() < 3],
        ),
        "conditions": ab.Space([image, layers.Require((kernel() < 2) | (kernel() == 3)), layers.Conv2D(kernel(), 1)]),
        "wrappers": ab.Space(
            [
                sequence,
                layers.TimeDistributed(dense, trainable=kernel() == 1),
                layers.Dense(3),
                layers.TimeDistributed(dense, trainable=kernel() == 1),
                layers.Bidirectional(layers.LSTM(kernel(), use_bias=kernel() == 1)),
            ]
        ),
        "custom": ab.Space([image, Twice((kernel(), kernel() * 2))]),
    }


@pytest.mark.parametrize("name", list(shared_kernel(lambda: ab.Choice("k", [1, 3]))))
def test_decisions_of_one_name_and_domain_are_one(name: str) -> None:
    only = ab.Choice("k", [1, 3])
    first, second = shared_kernel(lambda: only)[name], shared_kernel(lambda: ab.Choice("k", [1, 3]))[name]
    assert first == second
    assert hash(first) == hash(second)
    assert first.size == second.size
    if name != "custom":  # Its function is no attribute under its own name, as pytest imports this file in its own way.
        assert first.to_yaml() == second.to_yaml()
        assert ab.Space.from_yaml(second.to_yaml()) == second


def test_mappings_of_decisions_are_compared_by_names_and_values() -> None:
    def of(*values: int, name: str = "units") -> ab.Space:
        return ab.Space([layers.Input((4,)), layers.Dense(ab.Choice(name, list(values)))])

    space = of(1, 3)
    assert space.decisions == of(1, 3).decisions == pickle.loads(pickle.dumps(space)).decisions
    assert space.decisions == dict(space.decisions)
    for other in (of(1, 2), of(1, 3, 5), of(1, 3, name="width"), of(1)):
        assert space.decisions != other.decisions
    assert space.decisions != {"units": [1, 3]}
    assert space.decisions != 3
