"""Layers around other layers as real modules, against Keras."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import SpaceError

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from support import nested_layers  # noqa: E402
from support.torch_networks import assert_same, counts, twins  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.keras]


def row(*blocks: Any) -> ab.Architecture:
    """The only network of a space of layers in a row."""
    return ab.Space(list(blocks)).architecture()


@pytest.mark.parametrize(
    ("shape", "layer"),
    [
        ((3, 8, 7, 2), layers.TimeDistributed(layers.Conv2D(4, 3, padding="same", strides=2, activation="relu"))),
        ((3, 5, 4), layers.TimeDistributed(layers.Bidirectional(layers.LSTM(3)))),
        ((3, 5, 2), layers.TimeDistributed(layers.TimeDistributed(layers.Embedding(9, 4)))),
        ((3, 5, 4), layers.TimeDistributed(layers.BatchNormalization(trainable=False))),
        ((5, 4), layers.Bidirectional(layers.GRU(3, reset_after=False), merge_mode="ave")),
        ((5, 4), layers.Bidirectional(layers.LSTM(3, return_sequences=True))),
        ((5, 4), layers.Bidirectional(layers.LSTM(3), "mul", backward_layer=layers.GRU(3, go_backwards=True))),
        (
            (3, 5, 4, 2),
            layers.Bidirectional(layers.ConvLSTM2D(2, 2, return_sequences=True, data_format="channels_first")),
        ),
        ((5, 4), layers.Bidirectional(layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)], return_sequences=True))),
        ((5, 4), layers.RNN(layers.SimpleRNNCell(3, "relu", use_bias=False), go_backwards=True)),
        (
            (5, 4),
            layers.RNN(
                layers.StackedRNNCells(
                    [
                        layers.GRUCell(3, reset_after=False),
                        layers.StackedRNNCells([layers.LSTMCell(2), layers.LSTMCell(4, unit_forget_bias=False)]),
                    ]
                )
            ),
        ),
        ((5, 4), layers.RNN([layers.LSTMCell(3), layers.SimpleRNNCell(2)], trainable=False)),
        ((8, 7, 2), layers.SpectralNormalization(layers.DepthwiseConv2D(3, depth_multiplier=2))),
        ((8, 7, 2), layers.SpectralNormalization(layers.SpectralNormalization(layers.Conv2DTranspose(3, 2)))),
        ((5, 4), layers.SpectralNormalization(layers.EinsumDense("abc,dce->abde", (5, 2, 3), bias_axes="e"))),
        ((5, 4), layers.Pipeline([layers.Flatten(), layers.RepeatVector(3), layers.LSTM(4), layers.Dense(2)])),
        ((5, 4), layers.Pipeline([layers.Conv1D(3, 2), layers.EinsumDense("...x,xy->...y", 6), layers.Dense(2)])),
    ],
    ids=repr,
)
def test_a_layer_around_others_computes_what_that_of_keras_does(shape: tuple[int, ...], layer: Any) -> None:
    network = assert_same(row(layers.Input(shape), layer))
    copy.deepcopy(network).load_state_dict(network.state_dict())


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
def test_masks_are_followed_into_layers_that_hold_recurrent_ones(sequences: bool, zero: bool) -> None:
    cells = [layers.LSTMCell(3), layers.GRUCell(4)]
    for seed, held in enumerate(
        [
            layers.Bidirectional(layers.LSTM(3, return_sequences=sequences)),
            layers.Bidirectional(layers.GRU(3, return_sequences=sequences), merge_mode="sum"),
            layers.RNN(cells, return_sequences=sequences, go_backwards=sequences, zero_output_for_mask=zero),
        ]
    ):
        after = [layers.GlobalAveragePooling1D()] if sequences else []
        assert_same(row(layers.Input((9,)), layers.Embedding(3, 4, mask_zero=True), held, *after), seed)


@pytest.mark.parametrize(
    "layer",
    [
        layers.Dense(5),
        layers.Conv1D(5, 2),
        layers.Conv1DTranspose(5, 2),
        layers.DepthwiseConv1D(2, depth_multiplier=3),
        layers.EinsumDense("abc,dce->abde", (6, 2, 3)),
    ],
    ids=repr,
)
@pytest.mark.parametrize("iterations", [1, 3])
def test_a_kernel_is_normalised_in_training_as_in_keras(layer: layers.Layer, iterations: int) -> None:
    arch = row(layers.Input((6, 4)), layers.SpectralNormalization(layer, iterations))
    model, network = twins(arch, np.random.default_rng(0))
    network.train()
    x = np.random.default_rng(1).normal(0, 1, (2, 6, 4)).astype(np.float32)
    for _ in range(3):
        np.testing.assert_allclose(
            network(torch.tensor(x)).detach().numpy(), np.asarray(model(x, training=True)), rtol=1e-4, atol=1e-4
        )
    kernel = network.spectral_normalization.layer.get_parameter(network.spectral_normalization.weight)
    assert kernel.requires_grad
    (network(torch.tensor(x)) + network(torch.tensor(x))).square().sum().backward()
    assert kernel.grad.abs().sum() > 0


def test_a_kernel_of_zeros_stays_as_it_is() -> None:
    layer = layers.SpectralNormalization(layers.Dense(3, kernel_initializer="zeros"))
    network = row(layers.Input((4,)), layer).to_torch().train()
    assert network(torch.ones(2, 4)).tolist() == [[0.0] * 3] * 2


def test_decisions_inside_are_taken() -> None:
    units = ab.Choice("units", [3, 5])
    space = ab.Space(
        [
            layers.Input((6, 5, 4)),
            layers.TimeDistributed(layers.Dense(ab.channels() * 2, ab.Choice("activation", ["relu", "tanh"]))),
            layers.TimeDistributed(layers.Bidirectional(layers.LSTM(units), ab.Choice("merge", ["concat", "sum"]))),
            layers.RNN([layers.LSTMCell(units), layers.GRUCell(4)], return_sequences=True),
            layers.SpectralNormalization(layers.Conv1D(7, ab.Choice("kernel", [2, 3]), trainable=False)),
            layers.Pipeline([layers.Dense(3), layers.ReLU(), layers.Dense(units)]),
        ]
    )
    for arch in space.sample(6, seed=0):
        network = assert_same(arch)
        assert type(network.time_distributed.layer.activation) is {"relu": nn.ReLU, "tanh": nn.Tanh}[arch["activation"]]


def test_options_of_pytorch_are_taken_inside() -> None:
    arch = row(
        layers.Input((3, 9, 8, 2)),
        layers.TimeDistributed(layers.Conv2D(4, 3, padding=(1, 0))),
        layers.TimeDistributed(layers.MaxPooling2D(3, 2, padding=1, ceil_mode=True)),
        layers.TimeDistributed(layers.Flatten()),
        layers.Bidirectional(layers.LSTM(3, two_biases=True, num_layers=2, proj_size=2)),
    )
    network = arch.to_torch()
    assert network.time_distributed.layer.conv.padding == (1, 0)
    assert type(network.bidirectional.forward_layer.rnn) is nn.LSTM
    assert counts(network) == {"params": arch.params, "trainable_params": arch.trainable_params}
    assert network(torch.zeros(2, 3, 9, 8, 2)).shape == (2, *arch.layers[-1].output_shape)


def test_frozen_inner_layers_need_no_gradient() -> None:
    arch = row(
        layers.Input((5, 4)),
        layers.TimeDistributed(layers.Dense(3, trainable=False)),
        layers.Bidirectional(layers.GRU(3), trainable=False),
    )
    network = arch.to_torch()
    assert not any(each.requires_grad for each in network.parameters())
    assert counts(network) == {"params": arch.params, "trainable_params": 0}


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            layers.TimeDistributed(layers.Dense(3, kernel_regularizer="l2")),
            r"^layer 'time_distributed' \(Dense\): kernel_regularizer='l2' has no equivalent in PyTorch",
        ),
        (layers.TimeDistributed(layers.Dense(3, "glu")), r"\(Dense\): activation='glu' has no equivalent"),
        (layers.RNN([layers.LSTMCell(3, bias_constraint="non_neg"), layers.GRUCell(2)]), "bias_constraint='non_neg'"),
        (layers.SpectralNormalization(layers.Dense(3, lora_rank=2)), r"\(Dense\): lora_rank=2 has no equivalent"),
        (layers.SpectralNormalization(layers.Embedding(3, 4, mask_zero=True)), "follow the mask that begins with Emb"),
    ],
)
def test_inner_layers_without_an_equivalent_in_pytorch_are_refused(layer: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        row(layers.Input((5, 4)), layer).to_torch()


@pytest.mark.parametrize(
    "layer", [layers.TimeDistributed(layers.Dense(3)), layers.Bidirectional(layers.ConvLSTM1D(2, 2))]
)
def test_an_unsupported_mask_of_an_inner_layer_is_refused(layer: Any) -> None:
    with pytest.raises(SpaceError, match="gets a mask, which to_torch follows only into Bidirectional, "):
        row(layers.Input((5, 4, 3)), layers.Masking(), layer).to_torch()


@pytest.mark.parametrize(
    ("shape", "layer"),
    [
        ((3, 6, 6, 4), layers.TimeDistributed(layers.GLU(2))),
        ((3, 6, 6, 4), layers.TimeDistributed(layers.InstanceNormalization(affine=True, track_running_stats=True))),
        ((3, 6, 6, 4), layers.TimeDistributed(layers.MaxPooling2D(2, 1, dilation=2))),
        ((3, 6, 6, 4), layers.TimeDistributed(layers.PixelShuffle(2))),
        ((3, 6, 6, 4), layers.TimeDistributed(layers.ReflectionPadding2D(1))),
        ((3, 6, 6, 4), layers.TimeDistributed(layers.UpSampling2D((1.5, 2)))),
        ((3, 5), layers.TimeDistributed(layers.EmbeddingBag(9, 4))),
        ((5,), layers.SpectralNormalization(layers.EmbeddingBag(9, 4))),
        ((6, 6, 4), layers.SpectralNormalization(layers.Conv2DTranspose(6, 3, 2, groups=2))),
        ((6, 6, 4), layers.SpectralNormalization(layers.Conv2D(6, 3, padding=1, padding_mode="reflect"))),
    ],
    ids=repr,
)
def test_layers_of_pytorch_can_be_inside_other_layers(shape: tuple[int, ...], layer: layers.Layer) -> None:
    arch = row(layers.Input(shape), layer)
    made = arch.to_torch()
    assert counts(made) == {"params": arch.params, "trainable_params": arch.trainable_params}
    assert made(torch.randint(0, 9, (2, *shape)).float()).shape == (2, *arch.layers[-1].output_shape)
    with pytest.raises(SpaceError, match="only PyTorch has"):
        arch.to_keras()


@pytest.mark.parametrize("seed", range(30))
def test_a_layer_inside_others_is_one_module(seed: int) -> None:
    rng = Random(f"one module {seed}")
    pool = [layer for layer, _ in nested_layers.pool(rng)]
    arch = row(layers.Input(nested_layers.SHAPE), *rng.choices(pool, k=5))
    assert_same(arch, seed)
    network = arch.to_torch()
    assert counts(network) == {"params": arch.params, "trainable_params": arch.trainable_params}


@pytest.mark.parametrize(
    "around",
    [
        layers.TimeDistributed,
        layers.SpectralNormalization,
        lambda layer: layers.Pipeline([layers.ReLU(), layer]),
        lambda layer: layers.TimeDistributed(layers.SpectralNormalization(layer)),
    ],
)
@pytest.mark.parametrize("first", [False, True])
def test_a_change_of_a_layer_is_one_inside_others(around: Any, first: bool) -> None:
    dense, x = layers.Dense(4), layers.Input((3, 5, 4))
    calls = [dense, around(dense)]
    arch = ab.Space(inputs=x, outputs=[layer(x) for layer in (calls if first else calls[::-1])]).architecture()
    given = np.random.default_rng(0).normal(0, 1, (2, 3, 5, 4)).astype(np.float32)
    network, model = arch.to_torch().eval(), arch.to_keras()
    before = [each.detach().numpy() for each in network(torch.tensor(given))]
    real_before = [np.array(each) for each in model(given)]
    with torch.no_grad():
        network.dense.get_parameter(next(iter(dict(network.dense.named_parameters())))).add_(1.0)
    kernel = model.get_layer("dense").kernel
    kernel.assign(np.array(kernel) + 1.0)
    after = [each.detach().numpy() for each in network(torch.tensor(given))]
    real_after = [np.array(each) for each in model(given)]
    for old, new in zip([*before, *real_before], [*after, *real_after], strict=True):
        assert np.abs(old - new).max() > 0.1


def test_a_layer_inside_is_masked_where_another_use_is() -> None:
    lstm = layers.LSTM(4, return_sequences=True, go_backwards=True)
    forward = layers.LSTM(4, return_sequences=True)
    for seed, held in enumerate([lstm, layers.Bidirectional(forward, "sum", backward_layer=lstm)]):
        tokens = layers.Input((6,))
        plain = lstm(layers.Embedding(3, 4)(tokens))
        masked = held(layers.Embedding(3, 4, mask_zero=True)(tokens))
        assert_same(ab.Space(inputs=tokens, outputs=[plain, masked]).architecture(), seed)
