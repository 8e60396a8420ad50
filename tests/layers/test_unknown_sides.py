"""Unknown sides: weights are counted as by Keras, what depends on a side is unknown until it is given."""

from __future__ import annotations

import math
import pickle
from random import Random
from typing import Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import BudgetError, InvalidArchitectureError, SpaceError
from support.keras_layers import CELLS, call, describe, make
from support.layer_records import KINDS, count
from support.random_layers import random_case

FINER = {
    **dict.fromkeys(("GroupQueryAttention", "MultiHeadAttention"), "inputs must agree"),
    **dict.fromkeys(("Bidirectional", "GRU", "LSTM", "RNN", "SimpleRNN"), "states are as many as units"),
    **dict.fromkeys(("STFTSpectrogram",), "a window must fit a signal"),
    "EinsumDense": "a side that its output_shape leaves open is the input's",
    "Input": "it has no input",
}
"""The layers of which a side follows from others where Keras says it is unknown, or the other way round, and why."""


def symbolic(kind: str, arguments: dict[str, Any], shapes: list[list[int | None]]) -> dict[str, Any] | None:
    """What Keras says of a layer on symbolic tensors; `None` if it refuses it."""
    import keras

    try:
        layer = make(keras.layers, kind, arguments)
        made = keras.tree.flatten(call(kind, layer, [keras.Input(tuple(shape)) for shape in shapes]))
    except Exception:
        return None  # Keras refuses with errors of many types, some of them by accident.
    return {
        "output": [list(each.shape[1:]) for each in made],
        "trainable": sum(math.prod(weight.shape) for weight in layer.trainable_weights),
        "non_trainable": sum(math.prod(weight.shape) for weight in layer.non_trainable_weights),
    }


@pytest.mark.keras
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in FINER and kind not in CELLS])
def test_random_layers_with_unknown_sides_are_counted_or_refused_as_by_keras(kind: str) -> None:
    rng = Random(f"unknown {kind}")
    disagreements, tried = [], 0
    while tried < 12:
        arguments, shapes = random_case(rng, kind)
        if not any(shapes) or describe(kind, arguments, shapes) is None:
            continue
        open_shapes: list[Any] = [[None if rng.random() < 0.4 else side for side in shape] for shape in shapes]
        expected, counted = symbolic(kind, arguments, open_shapes), count(kind, arguments, open_shapes)
        if counted is not None:
            counted = {
                "output": [counted["output"], *counted.get("extra", [])],
                **{name: counted[name] for name in ("trainable", "non_trainable")},
            }
        tried += 1
        if counted != expected:
            disagreements.append(f"{kind}(**{arguments}) on {open_shapes}: {counted}, but Keras says {expected}")
    assert not disagreements


@pytest.mark.keras
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in CELLS and kind != "Input"])
def test_what_is_refused_and_keras_describes_runs_with_no_number(kind: str) -> None:
    """Keras describes some layers on open sides that it never runs, such as images of four colours to be made grey."""
    rng = Random(f"refused {kind}")
    for _ in range(15):
        arguments, shapes = random_case(rng, kind)
        open_shapes: list[Any] = [[None if rng.random() < 0.4 else side for side in shape] for shape in shapes]
        if not any(None in shape for shape in open_shapes) or count(kind, arguments, open_shapes) is not None:
            continue
        if symbolic(kind, arguments, open_shapes) is None:
            continue
        for number in (1, 2, 3, 4, 6, 12):
            known = [[number if side is None else side for side in shape] for shape in open_shapes]
            assert describe(kind, arguments, known) is None, (arguments, open_shapes, number)
        mixed = [[rng.choice([1, 2, 3, 5, 8]) if side is None else side for side in shape] for shape in open_shapes]
        assert describe(kind, arguments, mixed) is None, (arguments, open_shapes, mixed)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in CELLS and kind != "Input"])
def test_what_is_known_of_an_unknown_side_holds_for_each_number(kind: str) -> None:
    """A side, weight or MAC that is said to be known is the same where a number stands for what is unknown."""
    rng = Random(f"known {kind}")
    tried = 0
    for _ in range(400):
        arguments, shapes = random_case(rng, kind)
        whole = count(kind, arguments, shapes)
        if whole is None or not any(shapes):
            continue
        open_shapes: list[Any] = [[None if rng.random() < 0.4 else side for side in shape] for shape in shapes]
        known = count(kind, arguments, open_shapes)
        if known is None:
            continue
        tried += 1
        for name in ("trainable", "non_trainable", "macs"):
            assert known[name] is None or known[name] == whole[name], (arguments, open_shapes, shapes)
        pairs = [(known["output"], whole["output"]), *zip(known.get("extra", []), whole.get("extra", []), strict=True)]
        for one, other in pairs:
            assert len(one) == len(other)
            assert all(side is None or side == sure for side, sure in zip(one, other, strict=True))
        if tried == 12:
            break


@pytest.fixture(scope="module")
def space() -> ab.Space:
    return ab.Space(
        [
            layers.Input((None, None, 3), name="image"),
            layers.Conv2D(ab.Int("filters", 1, 8), 3, strides=2),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10),
        ]
    )


def test_weights_are_known_and_the_rest_is_unknown(space: ab.Space) -> None:
    arch = space.architecture(filters=4)
    assert (arch.params, arch.trainable_params, arch.weight_bytes) == (112 + 16 + 50, 112 + 8 + 50, 178 * 4)
    assert arch.macs is None
    assert arch.peak_activation_bytes is None
    assert list(arch.costs) == ["params", "trainable_params", "weight_bytes"] == list(space.metrics)
    assert [record.macs for record in arch.layers] == [0, None, 0, 0, 40]
    assert [record.output_shape for record in arch.layers][1] == (None, None, 4)
    assert "MACs: unknown" in arch.summary()
    assert "(None, None, None, 4)" in arch.summary()
    assert "macs: unknown, as they depend on a side of its input that is unknown" in arch.explain("conv2d")
    assert "(3*3*3 + 1) * 4 = 112" in arch.explain("conv2d")
    assert "unknown macs" in repr(arch)


def test_candidates_are_counted_without_what_is_unknown(space: ab.Space) -> None:
    counts = space.evaluate({"filters": [1, 4]}, per_layer=True)
    assert list(counts) == ["params", "trainable_params", "weight_bytes"]
    assert counts["params"].tolist() == [28 + 4 + 20, 178]
    assert counts.layers is not None
    assert counts.layers.shapes[0].tolist() == [[-1, -1, 3], [-1, -1, 1], [-1, -1, 1], [1, 0, 0], [10, 0, 0]]
    assert space.range("params") == (52, 346)


@pytest.mark.parametrize("metric", ["macs", "peak_activation_bytes"])
def test_a_question_about_what_is_unknown_is_refused_with_the_way_out(space: ab.Space, metric: str) -> None:
    said = rf"{metric} is unknown, as a side of 'image' is, \(None, None, 3\): give its shape, space.with_sides\("
    with pytest.raises(BudgetError, match=said):
        space.within(ab.Budget(**{metric: 1000}))
    with pytest.raises(BudgetError, match=said):
        space.constraint(ab.Budget(**{metric: 1000}))
    with pytest.raises(SpaceError, match=said):
        space.evaluate({"filters": [1]}, metrics=[metric])
    with pytest.raises(SpaceError, match=said):
        space.range(metric)


def test_sides_are_given_later_also_by_decisions(space: ab.Space) -> None:
    written = ab.Space(
        [
            layers.Input((ab.Int("side", 3, 5), 8, 3), name="image"),
            layers.Conv2D(ab.Int("filters", 1, 8), 3, strides=2),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10),
        ]
    )
    given = space.with_sides({"image": (ab.Int("side", 3, 5), 8, 3)})
    assert given == written
    assert space.with_sides((ab.Int("side", 3, 5), 8, 3)) == written
    assert given.range("macs") == written.range("macs")
    assert given.with_sides((None, None, 3)) == space
    with pytest.raises(SpaceError, match=r"no input is named 'imag' \(did you mean image\?\)"):
        space.with_sides({"imag": (8, 8, 3)})
    with pytest.raises(SpaceError, match="Input: shape must be"):
        space.with_sides((0, 8, 3))


def test_layers_that_are_shared_stay_shared_where_sides_are_given() -> None:
    tokens = layers.Input((None, 8))
    dense, attention = layers.Dense(8), layers.MultiHeadAttention(2, 4)
    x = layers.Repeat(ab.Int("depth", 1, 3), layers.Dense(8))(dense(tokens))
    sequence, state = layers.GRU(4, return_sequences=True, return_state=True)(x)
    first, second = attention([x, x], use_causal_mask=True), attention([x, x])
    last = layers.TimeDistributed(dense)(x)
    space = ab.Space(inputs=tokens, outputs=[sequence, state, first, second, last])
    given = space.with_sides((10, 8))
    assert given.range("params") == space.range("params")
    assert given.size == space.size == 3
    assert given.range("macs")[1] > given.range("macs")[0] > 0
    assert given.with_sides((None, 8)) == space


@pytest.mark.parametrize(
    "blocks",
    [
        [layers.Input((None,)), layers.Dense(3)],
        [layers.Input((None, None, 3)), layers.Flatten(), layers.Dense(3)],
        [layers.Input((8, None)), layers.LSTM(3)],
        [layers.Input((8, 8, None)), layers.BatchNormalization()],
        [layers.Input((None, 8)), layers.PReLU()],
    ],
)
def test_weights_that_depend_on_an_unknown_side_are_refused(blocks: list[Any]) -> None:
    with pytest.raises(InvalidArchitectureError, match="its weights depend on a side that is unknown"):
        ab.Space(blocks)


def test_a_condition_on_an_unknown_side_is_refused() -> None:
    with pytest.raises(InvalidArchitectureError, match="reads axis 0 of a tensor, whose side there is unknown"):
        ab.Space([layers.Input((None, 8)), layers.Require(ab.channels(0) == 8), layers.LSTM(3)])
    with pytest.raises(SpaceError, match="a side is a number or None, not by a decision"):
        ab.Space([layers.Input((ab.Choice("side", [None, 8]),)), layers.Dense(3)])


def test_a_custom_metric_reads_what_is_known(space: ab.Space) -> None:
    weights = ab.Metric("weights", lambda record: record.params)
    assert space.with_metrics([weights]).architecture(filters=4).costs["weights"] == 178
    with pytest.raises(SpaceError, match="metric 'double' of layer 'conv2d' .*: its function failed: TypeError"):
        space.with_metrics([ab.Metric("double", lambda record: 2 * record.macs)])


def test_a_space_with_unknown_sides_is_kept_in_files_and_pickles(space: ab.Space) -> None:
    assert ab.Space.from_yaml(space.to_yaml()) == space
    assert pickle.loads(pickle.dumps(space)) == space


def test_trials_carry_what_is_known(space: ab.Space) -> None:
    study = ab.search(space, lambda arch: arch.params, ab.Budget(params=200), 3)
    assert {"params", "weight_bytes"} <= study.trials[0].user_attrs.keys()
    assert "macs" not in study.trials[0].user_attrs


def test_real_models_have_unknown_sides_too(space: ab.Space) -> None:
    pytest.importorskip("keras")
    arch = space.architecture(filters=4)
    model = arch.to_keras()
    assert model.input_shape == (None, None, None, 3)
    assert model.count_params() == arch.params
    assert np.asarray(model(np.zeros((1, 9, 7, 3), "float32"))).shape == (1, 10)


@pytest.mark.torch
def test_modules_are_made_for_known_sides(space: ab.Space) -> None:
    pytest.importorskip("torch")
    with pytest.raises(SpaceError, match="to_torch makes modules for shapes that are known"):
        space.architecture(filters=4).to_torch()


def test_sides_that_keras_needs_to_know_are_refused_and_others_follow() -> None:
    def shape(layer: Any, *sides: tuple[int | None, ...]) -> tuple[int | None, ...]:
        inputs = [layers.Input(each) for each in sides]
        return (
            ab.Space(inputs=inputs, outputs=layer(inputs if len(inputs) > 1 else inputs[0]))
            .architecture()
            .layers[-1]
            .output_shape
        )

    refused = [
        (layers.ConvLSTM2D(2, 3), (5, None, 8, 3)),
        (layers.Bidirectional(layers.ConvLSTM1D(2, 3)), (5, None, 3)),
        (layers.TimeDistributed(layers.ConvLSTM1D(2, 3)), (4, 5, None, 3)),
        (layers.Normalization(axis=1, mean=0.0, variance=1.0), (None, 3)),
        (layers.STFTSpectrogram(), (1000, None)),
    ]
    for layer, sides in refused:
        with pytest.raises(InvalidArchitectureError, match="must know .*; give their numbers? in Input"):
            shape(layer, sides)
    with pytest.raises(InvalidArchitectureError, match="must know both sides that are multiplied, or neither"):
        shape(layers.Dot(1), (None, 4), (3, 4))
    with pytest.raises(InvalidArchitectureError, match="target_shape has a side of 0"):
        shape(layers.Reshape((0, 4)), (None, 4))
    assert shape(layers.ConvLSTM2D(2, 3), (None, 8, 8, 3)) == (6, 6, 2)
    assert shape(layers.RandomHue(0.5), (8, 8, None)) == (8, 8, None)
    assert shape(layers.Attention(), (3, None), (4, 2)) == (3, 2)
    assert shape(layers.Dot(1), (None, 4), (None, 5)) == (4, 5)
    mel = ab.Space([layers.Input((None,)), layers.MelSpectrogram(sequence_stride=9)]).architecture()
    assert (mel.layers[-1].output_shape, mel.macs) == ((128, None), None)
    assert "unknown" in mel.explain("mel_spectrogram")
