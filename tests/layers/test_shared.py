"""Layers that are used again: on what Keras takes too, and on nothing else."""

from __future__ import annotations

import itertools
import math
from random import Random
from typing import Any

import keras
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError, InvalidArchitectureError, SpaceError
from archbudget.program.writer import snake_case
from support import nested_layers
from support.keras_layers import IMAGES, MERGING, describe, is_used_again, weight_shapes
from support.layer_records import KINDS, PYTORCH_KINDS, count, one_layer_network, used_twice
from support.random_layers import other_shapes, random_case
from support.random_pytorch_layers import DRAWN, random_pytorch_case

LENIENT = {
    "RMSNormalization": "its scale stretches from the last axis on, whichever axes it normalises along",
    "TimeDistributed": "it does not look at what its layer asks for",
    "Normalization": "its mean and variance stretch to other numbers of axes, not always along the same axes",
}
"""The layers that Keras uses on more than it can be sure of; here they are refused."""


@pytest.mark.keras
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in (*IMAGES, "Input")])
def test_a_layer_is_used_again_where_keras_does(kind: str) -> None:
    rng = Random(f"shared {kind}")
    disagreements = []
    pairs = 0
    for _ in range(400):
        arguments, first = random_case(rng, kind)
        before = describe(kind, arguments, first)
        if before is None or not is_used_again(kind, arguments, first, first, before):
            continue
        second = other_shapes(rng, first)
        alone = describe(kind, arguments, second)
        if alone is None or count(kind, arguments, second) is None:
            continue
        again = is_used_again(kind, arguments, first, second, alone)
        same = weight_shapes(kind, arguments, first) == weight_shapes(kind, arguments, second)
        try:
            uses = [layer for layer in used_twice(kind, arguments, first, second).architecture().layers if layer.inputs]
        except InvalidArchitectureError as error:
            uses = []
            assert "it is shared, and each use of it must have the same " in str(error)
        # Where the shapes of the weights differ, Keras sometimes stretches them along an axis of 1.
        if bool(uses) != (again and same) and not (kind in LENIENT and again):
            disagreements.append(f"{kind}(**{arguments}) on {first} and {second}: {not uses=}, {again=}, {same=}")
        if uses:
            assert [layer.reused for layer in uses] == [False, True]
            assert uses[0].params == before["trainable"] + before["non_trainable"]
            assert uses[1].params == 0
        pairs += 1
        if pairs == (30 if weight_shapes(kind, arguments, first) or kind in MERGING else 3):
            break
    assert pairs >= 3
    assert not disagreements


@pytest.mark.torch
@pytest.mark.parametrize("kind", DRAWN)
def test_a_layer_with_options_of_pytorch_is_used_again_where_its_module_is(kind: str) -> None:
    torch = pytest.importorskip("torch")
    rng = Random(f"shared options {kind}")

    def run(network: Any, shapes: list[list[int]]) -> list[tuple[int, ...]]:
        with torch.no_grad():
            made = network.eval()(*[torch.zeros(3, *shape) for shape in shapes])
        return [tuple(each.shape[1:]) for each in (made if isinstance(made, tuple) else (made,))]

    accepted = refused = 0
    for _ in range(300):
        arguments, first = random_pytorch_case(rng, kind)
        second = other_shapes(rng, first)
        try:
            alone = [one_layer_network(kind, arguments, shapes) for shapes in (first, second)]
            modules = [arch.to_torch() for arch in alone]
        except ArchbudgetError:
            continue
        outputs = [arch.layers[-1].output_shape for arch in alone]
        weights = [[each.shape for each in network.state_dict().values()] for network in modules]
        try:
            run(modules[0], first)
        except ValueError:
            continue  # PyTorch takes no statistics of a single value.
        try:
            arch = used_twice(kind, arguments, first, second).architecture()
        except InvalidArchitectureError as error:
            assert "it is shared, and each use of it must have the same " in str(error)
            refused += 1
            if kind in PYTORCH_KINDS and weights[0]:
                try:
                    fits = run(modules[0], second) == [outputs[1]]
                except (RuntimeError, ValueError):
                    fits = False
                assert not fits or weights[0] != weights[1], (arguments, first, second)
            continue
        assert weights[0] == weights[1], (arguments, first, second)
        assert run(arch.to_torch(), [*first, *second]) == outputs, (arguments, first, second)
        accepted += first != second
        if accepted == 10:
            break
    assert accepted > 0


@pytest.mark.parametrize(
    ("kind", "arguments", "first", "second", "message"),
    [
        ("BatchNormalization", {}, [[8]], [[4, 8]], r"channels of its input: [2, 8] on input shape (None, 8), where"),
        ("BatchNormalization", {}, [[4, 8]], [[4, 6]], r"(None, 4, 8), where it was built, and [3, 6] here"),
        ("BatchNormalization", {"center": False, "scale": False}, [[8]], [[4, 8]], r"number of axes and channels"),
        ("PReLU", {}, [[6, 1, 4]], [[3, 1, 8]], r"[4, 6, 1, 4] on input shape (None, 6, 1, 4), where it was"),
        ("PReLU", {"shared_axes": [1]}, [[6, 1, 4]], [[6, 2, 2]], r"(1 along shared_axes): [4, 1, 1, 4] on"),
        (
            "MultiHeadAttention",
            {"num_heads": 2, "key_dim": 2},
            [[4, 3], [4, 5]],
            [[4, 5], [4, 3]],
            r"query, value and key: [3, 3, 5, 5] on input shapes (None, 4, 3), (None, 4, 5), where",
        ),
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 2}, [[4, 3]], [[2, 4, 3]], r"number of axes and features"),
        ("GroupNormalization", {"groups": 2}, [[8]], [[4, 8]], r"number of axes and channels of its input"),
        ("GroupNormalization", {"groups": 2, "axis": 1}, [[4, 6]], [[6, 4]], r"[3, 4] on input shape (None, 4, 6)"),
        ("LayerNormalization", {"axis": [1, 2]}, [[2, 6]], [[6, 2]], r"sides along its axes: [2, 6] on input shape"),
        ("LayerNormalization", {"axis": [-2, -1]}, [[3, 4]], [[5, 2, 6]], r"sides along its axes: [3, 4] on"),
        ("RMSNormalization", {"axis": [1, 2]}, [[2, 6]], [[6, 2]], r"first of them on: [-2, -1, 2, 6] on input shape"),
        ("RMSNormalization", {"axis": 3}, [[5, 3, 3]], [[5, 3, 4]], r"first of them on: [-1, 3] on input shape"),
        ("Normalization", {"axis": [1, 2]}, [[2, 6]], [[3, 4]], r"sides that are kept apart: [3, 2, 6] on input shape"),
        ("EinsumDense", {"equation": "abc,bcd->ad", "output_shape": 3}, [[2, 6]], [[6, 2]], r"sides of its kernel: "),
        ("ConvLSTM2D", {"filters": 2, "kernel_size": 1}, [[3, 4, 5, 2]], [[3, 5, 4, 2]], r"sides of a step: [4, 5, 2]"),
        (
            "LSTM",
            {"units": 3},
            [[5, 2]],
            [[2, 5]],
            r"features of a step: [2] on input shape (None, 5, 2), where it was",
        ),
        ("RNN", {"cell": {"GRUCell": {"units": 3}}}, [[5, 2]], [[2, 5]], r"features of a step: [2] on input shape"),
        ("AdditiveAttention", {}, [[4, 3], [4, 3]], [[3, 4], [3, 4]], r"features of the query: [3] on input shapes"),
        (
            "SpectralNormalization",
            {"layer": {"Embedding": {"input_dim": 9, "output_dim": 2}}},
            [[5]],
            [[6]],
            r"last side of its input, and what its layer is built for: [5] on input shape (None, 5), where it was",
        ),
        (
            "TimeDistributed",
            {"layer": {"PReLU": {}}},
            [[3, 6, 1]],
            [[3, 2, 3]],
            r"sides of its input (1 along shared_axes): [3, 6, 1] on",
        ),
        (
            "Bidirectional",
            {"layer": {"LSTM": {"units": 2}}, "backward_layer": {"GRU": {"units": 2, "go_backwards": True}}},
            [[5, 2]],
            [[2, 5]],
            r"features of a step: [2, 2] on input shape (None, 5, 2), where it was built, and [5, 5] here",
        ),
        (
            "Pipeline",
            {"layers": [{"Flatten": {}}, {"PReLU": {}}]},
            [[6, 2]],
            [[6, 3]],
            r"numbers that its layers are built for: [2, 12] on input shape (None, 6, 2), where it was built",
        ),
        (
            "Add",
            {},
            [[3], [3]],
            [[2, 3], [3]],
            r"number of axes in all inputs, as on input shapes (None, 3), (None, 3)",
        ),
    ],
)
def test_an_input_that_a_shared_layer_was_not_built_for_is_refused(
    kind: str, arguments: dict[str, Any], first: list[list[int]], second: list[list[int]], message: str
) -> None:
    for shapes in (first, second):
        used_twice(kind, arguments, shapes, shapes)
    with pytest.raises(InvalidArchitectureError) as caught:
        used_twice(kind, arguments, first, second)
    text = str(caught.value)
    stem = getattr(layers, kind).STEM or snake_case(kind)
    shapes_here = ", ".join(str((None, *shape)) for shape in second)
    assert text.startswith(f"layer '{stem}' ({kind}) cannot be built on input shape")
    assert shapes_here in text
    assert "it is shared, and each use of it must have the same " in text
    assert message in text
    assert "\n" not in text


def test_a_sum_that_has_stretched_its_inputs_takes_all_others() -> None:
    """Keras looks once whether axes are missing."""
    assert used_twice("Add", {}, [[2, 3], [3]], [[3], [3]]).architecture().params == 0


def test_candidates_that_use_a_layer_on_what_it_was_not_built_for_are_invalid() -> None:
    x = layers.Input((4, 6))
    norm = layers.LayerNormalization([1, 2])
    first = norm(layers.Dense(ab.Choice("first", [3, 4, 6]))(x))
    second = norm(layers.Reshape((ab.Choice("rows", [2, 3, 4]), -1))(first))
    space = ab.Space(inputs=x, outputs=second)
    valid = [dict(arch) for arch in (space.sample(200, seed=0))]
    fits = [{"first": first, "rows": 4} for first in (3, 4, 6)]
    assert all(each in valid for each in fits)
    assert all(each in fits for each in valid)
    assert space.size == 3
    assert space.within(ab.Budget(params=2 * 4 * 4 + 7 * 4)).count() == 2
    with pytest.raises(InvalidArchitectureError, match=r"\[4, 3\] on input shape \(None, 4, 3\), where it was built"):
        space.architecture(first=3, rows=2)
    table = {"first": [3, 3, 4, 6], "rows": [4, 3, 2, 4]}
    assert space.evaluate(table).valid.tolist() == [True, False, False, True]


def test_hyperparameters_that_follow_from_the_input_are_those_of_the_first_use() -> None:
    x = layers.Input((6, 6, 3))
    pool = layers.MaxPooling2D(ab.channels(0) // 2)
    again = pool(pool(x))
    with pytest.raises(InvalidArchitectureError, match=r"same hyperparameters, and what it is built for: \[3, 3, "):
        ab.Space(inputs=x, outputs=again)
    wide = layers.Dense(ab.channels() * 2)
    with pytest.raises(InvalidArchitectureError, match="same hyperparameters, and what it is built for"):
        ab.Space([layers.Input((3,)), wide, wide])
    same = layers.Dense(ab.channels())
    assert ab.Space([layers.Input((3,)), same, same]).architecture().params == 12


@pytest.mark.parametrize("where", ["own", "repeat", "branch"])
def test_the_first_use_is_the_one_that_the_network_takes(where: str) -> None:
    norm = layers.BatchNormalization()
    op = ab.Choice("op", ["flat", "deep"])
    if where == "repeat":
        depth = ab.Int("depth", 1, 2)
        block = [norm, layers.Reshape((1, -1))]
        space = ab.Space([layers.Input((8,)), layers.Repeat(depth, block, shared=[norm])])
        # The second repetition sees one axis more.
        assert space.size == 1
        return
    reshape = layers.OneOf(op, {"flat": layers.Reshape((8,)), "deep": layers.Reshape((1, 8))})
    first = [norm] if where == "own" else [layers.OneOf("use", {"none": [], "norm": norm})]
    space = ab.Space([layers.Input((8,)), *first, reshape, norm])
    # Without a first use the second one is the first.
    assert space.size == (1 if where == "own" else 3)


def scale(input_shape: tuple[int, ...], stated: bool) -> layers.Counts:
    """A number for each row and column of the input."""
    rows, columns = input_shape[-2:]
    weights = [(rows,), (columns,)] if stated else None
    return layers.Counts(input_shape, rows, columns, weight_shapes=weights)


def test_a_custom_layer_is_compared_by_its_stated_weight_shapes() -> None:
    own = layers.custom(scale)

    def space(stated: bool, *shapes: tuple[int, ...]) -> ab.Space:
        layer = own(stated)
        inputs = [layers.Input(shape) for shape in shapes]
        return ab.Space(inputs=inputs, outputs=[layer(each) for each in inputs])

    for stated in (True, False):
        arch = space(stated, (3, 5), (3, 5)).architecture()
        assert (arch.params, arch.trainable_params) == (8, 3)
        # As many weights, but others.
        with pytest.raises(InvalidArchitectureError, match=r"'scale'.*on input shape \(None, 5, 3\): it is shared"):
            space(stated, (3, 5), (5, 3))
    assert space(True, (3, 5), (7, 3, 5)).architecture().params == 8
    with pytest.raises(InvalidArchitectureError, match="shapes of its weights .*: \\[1, 3, 1, 5\\] on input shape"):
        space(True, (3, 5), (5, 3))
    with pytest.raises(
        InvalidArchitectureError, match="same shapes of its inputs .* as its Counts state no weight_sha"
    ):
        space(False, (3, 5), (7, 3, 5))


def test_a_custom_layer_without_weights_accepts_any_input_again() -> None:
    @layers.custom
    def same(input_shape: tuple[int, ...]) -> layers.Counts:
        return layers.Counts(input_shape)

    layer = same()
    inputs = [layers.Input((3,)), layers.Input((4, 5))]
    assert ab.Space(inputs=inputs, outputs=[layer(each) for each in inputs]).architecture().params == 0


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([(3,), (4,)], "its weight_shapes hold 7 numbers, but its weights are 3 trained and 5 others"),
        ([(3, 0)], "sides are at least 1"),
        ([3.5], "a shape and costs are integers"),
        (8, "a shape and costs are integers"),
        ([(2.0, 4)], "a shape and costs are integers"),
    ],
)
def test_weight_shapes_that_are_not_shapes_are_refused(weights: Any, message: str) -> None:
    @layers.custom
    def odd(input_shape: tuple[int, ...]) -> layers.Counts:
        return layers.Counts(input_shape, 3, 5, weight_shapes=weights)

    with pytest.raises(SpaceError, match=message):
        ab.Space([layers.Input((3,)), odd()])


@pytest.mark.keras
@pytest.mark.parametrize("seed", range(12))
def test_weights_of_layers_inside_others_exist_once_as_in_keras(seed: int) -> None:
    shared = alike = 0
    for turn in range(4):
        # Of each layer Keras has another one for each network.
        networks = [nested_layers.pool(Random(f"{seed} {turn}")) for _ in range(8)]
        rng = Random(f"nested {seed} {turn}")
        places = [rng.sample(range(len(networks[0])), 2) for _ in range(3)]
        blocks = [
            layers.OneOf(f"op{number}", {"a": networks[0][first][0], "b": networks[0][second][0]})
            for number, (first, second) in enumerate(places)
        ]
        space = ab.Space([layers.Input(nested_layers.SHAPE), *blocks])
        columns = list(itertools.product("ab", repeat=3))
        table = {f"op{number}": [column[number] for column in columns] for number in range(3)}
        counted = space.evaluate(table)
        for row, (column, pool) in enumerate(zip(columns, networks, strict=True)):
            taken = [pool[pair["ab".index(value)]][1] for pair, value in zip(places, column, strict=True)]
            source = x = keras.Input(nested_layers.SHAPE)
            for layer in taken:
                x = layer(x)
            real = keras.Model(source, x)
            trained = sum(math.prod(weight.shape) for weight in real.trainable_weights)
            assert counted.valid[row]
            assert counted["params"][row] == real.count_params()
            assert counted["trainable_params"][row] == trained
            arch = space.architecture(dict(zip(table, column, strict=True)))
            assert (arch.params, arch.trainable_params) == (real.count_params(), trained)
            assert sum(layer.params for layer in arch.layers) == arch.params
            for layer in arch.layers:
                formulas = layer.trainable_formula.value + layer.non_trainable_formula.value
                assert layer.reused or formulas == layer.params
                shared += layer.reused or layer.reused_inside
            alike += not any(layer.reused or layer.reused_inside for layer in arch.layers)
            if row == seed % 8:
                made = arch.to_keras()
                assert made.count_params() == arch.params
                assert sum(math.prod(weight.shape) for weight in made.trainable_weights) == trained
    assert shared > 8
    assert alike > 0


def row(*blocks: Any, shape: tuple[int, ...] = (5, 4)) -> ab.Architecture:
    """The only network of a space of layers in a row."""
    return ab.Space([layers.Input(shape), *blocks]).architecture()


def test_a_layer_inside_and_outside_is_counted_by_the_first_use() -> None:
    dense = layers.Dense(4)
    for blocks, params, reused in (
        ([layers.TimeDistributed(dense), dense], [20, 0], [False, True]),
        ([dense, layers.TimeDistributed(dense)], [20, 0], [False, True]),
        ([dense, layers.SpectralNormalization(dense)], [20, 4], [False, False]),
        ([layers.SpectralNormalization(dense), dense], [24, 0], [False, True]),
        ([layers.Pipeline([dense, layers.TimeDistributed(dense), dense])], [20], [False]),
    ):
        arch = row(*blocks)
        assert [layer.params for layer in arch.layers[1:]] == params
        assert [layer.reused for layer in arch.layers[1:]] == reused
        assert arch.macs == 80 * sum(3 if layer.type == "Pipeline" else 1 for layer in arch.layers[1:])
        assert "dense" in [layer.name for layer in arch.layers] or arch.layers[-1].type == "Pipeline"


def test_what_a_layer_around_others_counts_is_explained() -> None:
    dense = layers.Dense(4)
    arch = row(dense, layers.SpectralNormalization(dense), layers.TimeDistributed(dense))
    text = arch.explain("spectral_normalization")
    assert "non-trainable params: vector_u = 4\n" in text
    assert "without the weights of a layer inside, which an earlier use already counted" in text
    assert "params: 0, because an earlier use of the same layer already counted its weights" in arch.explain(
        "time_distributed"
    )


def test_cells_in_several_stacks_have_one_set_of_weights() -> None:
    cell = layers.GRUCell(4)
    assert row(layers.RNN([cell, cell])).params == row(layers.RNN(cell)).params == 120
    assert row(layers.RNN([cell, layers.GRUCell(4)], return_sequences=True), layers.RNN(cell)).params == 240


def test_keras_takes_a_copy_of_the_layer_of_a_bidirectional_one() -> None:
    lstm = layers.LSTM(4, return_sequences=True)
    back = layers.LSTM(4, return_sequences=True, go_backwards=True)
    both = row(layers.Bidirectional(lstm, "sum"), lstm)
    assert both.params == both.to_keras().count_params() == 3 * 144
    both = row(layers.Bidirectional(lstm, "sum", backward_layer=back), lstm, back)
    assert both.params == both.to_keras().count_params() == 3 * 144


def test_a_repetition_shares_a_layer_inside() -> None:
    dense = layers.Dense(ab.Choice("units", [4, 6]))
    around = layers.TimeDistributed(dense)
    depth = ab.Int("depth", 1, 3)
    shared = ab.Space([layers.Input((5, 4)), layers.Repeat(depth, around, shared=[dense])])
    assert [shared.architecture(depth=number, units=4).params for number in (1, 2, 3)] == [20, 20, 20]
    assert shared.architecture(depth=1, units=6).params == 30
    # Six features are not the four that it was built for.
    assert shared.size == 4
    apart = ab.Space([layers.Input((5, 4)), layers.Repeat(3, [around, dense])])
    assert apart.architecture(units_1=4, units_2=4, units_3=4).params == 60
    held = ab.Space([layers.Input((5, 4)), layers.Repeat(3, [around, dense], shared=[around])])
    assert held.architecture(units=4).params == 20


def test_what_layers_around_a_shared_one_say_of_its_weights_must_agree() -> None:
    dense, frozen, coarse = layers.Dense(4), layers.Dense(4, trainable=False), layers.Dense(4, weight_bits=3)
    trained = ab.Choice("trained", [True, False])
    for around, what in (
        (layers.TimeDistributed(dense, trainable=False), "trainable"),
        (layers.TimeDistributed(dense, trainable=trained), "trainable"),
        (layers.TimeDistributed(dense, weight_bits=8), "weight_bits"),
    ):
        with pytest.raises(SpaceError, match=f"differ in their {what}; give {what} to the Dense itself"):
            row(around, dense)
    assert row(layers.TimeDistributed(frozen, trainable=False), frozen).trainable_params == 0
    for network in ([coarse, layers.TimeDistributed(coarse)], [layers.TimeDistributed(coarse, weight_bits=8), coarse]):
        arch = row(*network)
        assert (arch.params, arch.weight_bytes) == (20, 8)


def test_a_layer_inside_has_weight_bits_of_its_own() -> None:
    bits = ab.Choice("bits", [2, 5])
    dense = layers.Dense(4, weight_bits=bits)
    space = ab.Space([layers.Input((5, 4)), layers.SpectralNormalization(dense, weight_bits=8), layers.Dense(2)])
    assert space.evaluate({"bits": [2, 5]})["weight_bytes"].tolist() == [5 + 4 + 40, 13 + 4 + 40]
    text = space.architecture(bits=5).explain("spectral_normalization")
    assert "weight bytes: 17, of layers with weight_bits of their own" in text


def test_whether_a_layer_inside_is_trained_is_a_decision() -> None:
    trained = ab.Choice("trained", [True, False])
    units = ab.Choice("units", [3, 5])
    space = ab.Space(
        [
            layers.Input((5, 4)),
            layers.TimeDistributed(layers.Dense(units, trainable=trained)),
            layers.RNN([layers.LSTMCell(3, trainable=units == 5), layers.GRUCell(2)]),
        ]
    )
    assert space.size == 4
    for candidate in space.sample(30, seed=0):
        arch = space.architecture(candidate)
        model = arch.to_keras()
        assert model.count_params() == arch.params
        assert sum(math.prod(weight.shape) for weight in model.trainable_weights) == arch.trainable_params
    assert {space.architecture(trained=value, units=3).trainable_params for value in (True, False)} == {
        15 + 42,
        42,
    }
