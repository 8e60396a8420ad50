"""Random layers and random networks against the real Keras."""

from __future__ import annotations

from random import Random
from typing import Any

import keras
import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError
from support.keras_layers import WRAPPERS, describe, make
from support.layer_records import KINDS, count, one_layer, one_layer_network
from support.random_layers import draw_by_parameters, random_case

pytestmark = pytest.mark.keras

REFINED = {
    **dict.fromkeys(WRAPPERS, "its layers are no numbers"),
    "Activation": "it takes words of which the engine knows nothing",
    "Concatenate": "Keras takes any axis for a single tensor",
    "Discretization": "of its two arguments one must be given",
    "EinsumDense": "its equation is no number",
    "GroupQueryAttention": "Keras takes 0 heads",
    "Input": "Keras takes sides of 0",
    "MaxNumBoundingBoxes": "it takes numbers of which the engine knows nothing",
    "MultiHeadAttention": "Keras takes outputs of more axes",
    "RandomElasticTransform": "Keras takes images of more than a few values",
    "RandomPerspective": "Keras takes images of more than a row",
}
"""The layers that are drawn by an entry of their own alone, and why."""


@pytest.mark.parametrize("kind", KINDS)
def test_random_layers_are_counted_or_refused_as_by_keras(kind: str) -> None:
    rng = Random(f"random {kind}")
    disagreements, accepted = [], 0
    for _ in range(100):
        arguments, shapes = random_case(rng, kind)
        expected, counted = describe(kind, arguments, shapes), count(kind, arguments, shapes)
        accepted += expected is not None
        if counted != expected:
            disagreements.append(f"{kind}(**{arguments}) on {shapes}: {counted}, but Keras says {expected}")
    assert not disagreements
    assert accepted > 0


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in REFINED])
def test_layers_that_are_drawn_by_their_parameters_are_counted_as_by_keras(kind: str) -> None:
    rng = Random(f"parameters {kind}")
    disagreements, accepted = [], 0
    for _ in range(60):
        arguments, shapes = draw_by_parameters(rng, kind)
        expected, counted = describe(kind, arguments, shapes), count(kind, arguments, shapes)
        accepted += expected is not None
        if counted != expected:
            disagreements.append(f"{kind}(**{arguments}) on {shapes}: {counted}, but Keras says {expected}")
    assert not disagreements
    assert accepted > 0


NEVER_FROZEN = ("Discretization", "Pipeline", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
"""The layers to which Keras gives no argument `trainable`."""


@pytest.mark.parametrize(
    ("kind", "trainable"),
    [
        (kind, each)
        for kind in KINDS
        for each in (True, False)
        if kind != "Input" and (each or kind not in NEVER_FROZEN)
    ],
)
def test_every_layer_is_made_in_keras(kind: str, trainable: bool) -> None:
    rng = Random(f"made {kind}")
    built = 0
    for _ in range(40):
        arguments, shapes = random_case(rng, kind)
        try:
            arch = one_layer_network(kind, arguments if trainable else {**arguments, "trainable": False}, shapes)
        except ArchbudgetError:
            continue
        made = arch.to_keras()
        assert [each.shape[1:] for each in made.outputs] == list(arch.layers[-1].output_shapes)
        assert made.count_params() == arch.params
        assert trained(made) == arch.trainable_params
        built += 1
        if built == 5:
            break
    assert built == 5


def trained(model: keras.Model) -> int:
    """How many numbers training changes."""
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def test_frozen_attention_is_frozen_inside_of_others_and_by_decisions() -> None:
    """Attention makes its inner layers when it is built, and Keras does not freeze these."""
    attention = layers.MultiHeadAttention(2, 3, trainable=ab.Choice("trained", [True, False]))
    grouped = layers.GroupQueryAttention(2, 4, 2, trainable=False)
    x = layers.Input((6, 5))
    y = attention(x, x, use_causal_mask=True)
    space = ab.Space(inputs=x, outputs=layers.Dense(2)(grouped(y, y) + attention(y, y)))
    for weights, row in ((155, {"trained": True}), (12, {"trained": False})):
        arch = space.architecture(row)
        assert trained(arch.to_keras()) == arch.trainable_params == weights


@pytest.mark.parametrize(
    ("kind", "arguments", "shapes"),
    [
        ("Add", {}, [[3, 4]]),
        ("Concatenate", {}, [[3, 4]]),
        ("Concatenate", {"axis": -1}, [[4], [4]]),
        ("Conv1D", {"filters": 3, "kernel_size": 2, "padding": "causal", "dilation_rate": 3}, [[4, 2]]),
        ("Conv1D", {"filters": 4, "kernel_size": 2, "data_format": "CHANNELS_FIRST"}, [[2, 9]]),
        ("Conv2D", {"filters": 3, "kernel_size": 2, "padding": "causal"}, [[4, 4, 2]]),
        ("Conv2D", {"filters": 3, "kernel_size": 2, "lora_rank": 0}, [[4, 4, 2]]),
        ("Conv2D", {"filters": 3, "kernel_size": 2, "lora_rank": 2, "kernel_constraint": "non_neg"}, [[4, 4, 2]]),
        ("Conv2D", {"filters": 3, "kernel_size": (2, 2, 2)}, [[4, 4, 2]]),
        ("Dense", {"units": 3, "lora_rank": 0}, [[4]]),
        ("Dense", {"units": 3, "lora_rank": 2, "kernel_constraint": "non_neg"}, [[4]]),
        ("Dense", {"units": 0}, [[4]]),
        ("Flatten", {}, [[]]),
        ("MaxPooling2D", {"pool_size": 2, "padding": "SAME"}, [[5, 5, 2]]),
        ("MaxPooling2D", {"pool_size": 9, "padding": "same"}, [[5, 5, 2]]),
        ("ZeroPadding1D", {"padding": (0, 0)}, [[5, 2]]),
        ("ZeroPadding2D", {"padding": (1, (2, 3))}, [[5, 5, 2]]),
        ("Conv2DTranspose", {"filters": 3, "kernel_size": 2, "padding": "causal"}, [[4, 4, 2]]),
        ("Conv2DTranspose", {"filters": 3, "kernel_size": 3, "output_padding": (None, 0)}, [[4, 4, 2]]),
        ("Dot", {"axes": (1, 1, 1)}, [[3], [3]]),
        ("EinsumDense", {"equation": "ab,bc->ac", "output_shape": 3, "bias_axes": "a"}, [[4]]),
        ("EinsumDense", {"equation": "ab,bc->ac", "output_shape": 3, "bias_axes": ""}, [[4]]),
        ("EinsumDense", {"equation": "ab,bc,cd->ad", "output_shape": 3}, [[4]]),
        ("EinsumDense", {"equation": "abc,cd->abd", "output_shape": [None, 3], "bias_axes": "b"}, [[5, 4]]),
        ("Embedding", {"input_dim": 5, "output_dim": 2, "lora_rank": 2, "embeddings_constraint": "non_neg"}, [[3]]),
        ("GaussianNoise", {"stddev": 2}, [[3]]),
        ("LayerNormalization", {"axis": 0}, [[3]]),
        ("LayerNormalization", {"axis": 0, "center": False, "scale": False}, [[3]]),
        ("Normalization", {"mean": [1, 2, 3]}, [[3]]),
        ("Normalization", {"mean": [1, 2, 3], "variance": [1, 2]}, [[3]]),
        ("Normalization", {"mean": [[1, 2, 3]], "variance": [[1, 2, 3]]}, [[3]]),
        ("Normalization", {"mean": 1.5, "variance": 2}, [[3]]),
        ("Normalization", {"mean": [1], "variance": [2]}, [[3]]),
        ("PReLU", {"shared_axes": [0]}, [[3, 4]]),
        ("PReLU", {"shared_axes": [-2]}, [[3, 4]]),
        ("Reshape", {"target_shape": 6}, [[6]]),
        ("Reshape", {"target_shape": ()}, [[1, 1]]),
        ("SpatialDropout2D", {"rate": 1.5}, [[4, 4, 2]]),
        ("SpatialDropout1D", {"rate": 0.5, "trainable": False}, [[4, 2]]),
        ("UpSampling1D", {"size": (2,)}, [[5, 2]]),
        ("LSTM", {"units": 2, "stateful": True}, [[5, 3]]),
        ("GroupQueryAttention", {"head_dim": 2, "num_query_heads": 4, "num_key_value_heads": 3}, [[5, 3]]),
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 2}, [[1, 1]]),
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 2}, [[3]]),
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 2, "dropout": 1.5}, [[5, 3]]),
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 2, "sliding_window": 0}, [[5, 3]]),
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 2, "sliding_window": 2}, [[5, 3]]),
        ("ReLU", {"max_value": -1}, [[5]]),
        ("ReLU", {"negative_slope": -1}, [[5]]),
    ],
)
def test_a_rare_case_is_counted_or_refused_as_by_keras(
    kind: str, arguments: dict[str, Any], shapes: list[list[int]]
) -> None:
    assert count(kind, arguments, shapes) == describe(kind, arguments, shapes)


def random_network(rng: Random) -> list[layers.Layer]:
    """An image network: convolutions and poolings, then dense layers; most of them can be built."""
    network: list[layers.Layer] = [layers.Input((rng.randint(12, 28), rng.randint(12, 28), rng.randint(1, 4)))]
    for _ in range(rng.randint(1, 4)):
        draw = rng.randrange(4)
        padding = rng.choice(["valid", "same"])
        use_bias = rng.random() < 0.5
        if draw == 0:
            network.append(layers.Conv2D(rng.randint(1, 12), rng.randint(1, 4), padding=padding, use_bias=use_bias))
        elif draw == 1:
            network.append(layers.SeparableConv2D(rng.randint(1, 12), 3, rng.randint(1, 2), padding))
        elif draw == 2:
            network.append(layers.DepthwiseConv2D(3, padding=padding, depth_multiplier=rng.randint(1, 3)))
        else:
            network.append(layers.MaxPooling2D(2, padding=padding))
        network += rng.choice([[], [layers.BatchNormalization()], [layers.ReLU()], [layers.Activation("gelu")]])
    network.append(rng.choice([layers.Flatten(), layers.GlobalAveragePooling2D(), layers.GlobalMaxPooling2D()]))
    for _ in range(rng.randint(0, 2)):
        network += [layers.Dense(rng.randint(1, 32), "relu", rng.random() < 0.8), layers.Dropout(0.5)]
    return [*network, layers.Dense(10, activation="softmax")]


def sequential(network: list[layers.Layer]) -> keras.Sequential:
    """The same network, written in Keras."""
    keras.backend.clear_session()
    made = []
    for layer in network:
        given = {
            name: value
            for name, value in layer.arguments().items()
            if name not in layer.PYTORCH and (layer.kind != "Input" or name == "shape")
        }
        made.append(getattr(keras.layers, layer.kind)(**given))
    return keras.Sequential(made)


@pytest.mark.parametrize("seed", range(30))
def test_a_random_network_is_counted_as_by_keras(seed: int) -> None:
    network = random_network(Random(seed))
    try:
        real = sequential(network)
    except ValueError:
        with pytest.raises(ArchbudgetError):
            ab.Space(network)
        return
    arch = ab.Space(network).architecture()
    assert arch.params == real.count_params()
    assert arch.trainable_params == trained(real)
    assert [(layer.name, layer.output_shape, layer.params) for layer in arch.layers[1:]] == [
        (layer.name, layer.output.shape[1:], layer.count_params()) for layer in real.layers
    ]

    made = arch.to_keras()
    assert made.count_params() == arch.params
    assert [layer.get_config() for layer in made.layers[1:]] == [layer.get_config() for layer in real.layers]


def test_the_names_of_repeated_layers_are_those_of_keras() -> None:
    kinds = ["Dense", "ReLU", "Dense", "BatchNormalization", "ReLU", "Dense"]
    network = [layers.Input((4,))]
    network += [layers.Dense(3) if kind == "Dense" else getattr(layers, kind)() for kind in kinds]
    expected = [layer.name for layer in sequential(network).layers]
    assert [layer.name for layer in ab.Space(network).architecture().layers][1:] == expected


@pytest.mark.parametrize("kind", KINDS)
def test_automatic_names_are_those_of_keras(kind: str) -> None:
    arguments, shapes = next(
        (arguments, shapes)
        for arguments, shapes in (random_case(Random(seed), kind) for seed in range(100))
        if describe(kind, arguments, shapes) is not None
    )
    keras.backend.clear_session()
    made = make(keras.layers, kind, arguments)
    expected = made._keras_history.operation.name if kind == "Input" else made.name
    assert one_layer(kind, arguments, shapes).name == expected
