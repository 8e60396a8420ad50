"""Masks that calls give as tensors, in real PyTorch modules, held against Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import SpaceError

torch = pytest.importorskip("torch")

from support.network_inputs import inputs_of  # noqa: E402
from support.torch_networks import assert_same, twins  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.keras]

HEADS = {
    "MultiHeadAttention": lambda: layers.MultiHeadAttention(2, 4, value_dim=3),
    "MultiHeadAttention, near": lambda: layers.MultiHeadAttention(2, 4, sliding_window=2, use_gate=True),
    "MultiHeadAttention, with dropout": lambda: layers.MultiHeadAttention(2, 4, dropout=0.5),
    "GroupQueryAttention": lambda: layers.GroupQueryAttention(4, 2, 1),
    "GroupQueryAttention, with dropout": lambda: layers.GroupQueryAttention(4, 2, 1, 0.5),
}
SCORES = {
    "Attention": lambda: layers.Attention(use_scale=True),
    "Attention, sums": lambda: layers.Attention(score_mode="concat"),
    "AdditiveAttention": layers.AdditiveAttention,
}
RECURRENT: dict[str, Any] = {
    "SimpleRNN": lambda **options: layers.SimpleRNN(4, **options),
    "GRU": lambda **options: layers.GRU(4, **options),
    "LSTM": lambda **options: layers.LSTM(4, **options),
    "LSTM, backwards": lambda **options: layers.LSTM(4, go_backwards=True, **options),
    "a stack": lambda **options: layers.RNN([layers.LSTMCell(3), layers.GRUCell(4)], **options),
    "both ways": lambda **options: layers.Bidirectional(layers.LSTM(4, **options)),
    "both ways, apart": lambda **options: layers.Bidirectional(layers.GRU(4, **options), None),
}


def some(*shape: int) -> tuple[layers.Input, Any]:
    """An input, and a mask of ones and zeros, some half of each."""
    source = layers.Input(shape)
    return source, layers.ReLU(max_value=1)(layers.Rescaling(1e6)(source))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shape", [(3, 5), (1, 5), (3, 1), (2, 3, 5), (1, 3, 5)])
@pytest.mark.parametrize("kind", HEADS)
def test_an_attention_mask_is_that_of_keras(kind: str, shape: tuple[int, ...], causal: bool) -> None:
    query, value = layers.Input((3, 8)), layers.Input((5, 8))
    source, mask = some(*shape)
    made = HEADS[kind]()(query, value, attention_mask=mask, use_causal_mask=causal)
    assert_same(ab.Space(inputs=[query, value, source], outputs=made).architecture())


@pytest.mark.parametrize("names", [["value_mask"], ["key_mask", "attention_mask"], ["value_mask", "key_mask"]])
@pytest.mark.parametrize("kind", HEADS)
def test_masks_of_value_and_key_are_those_of_keras(kind: str, names: list[str]) -> None:
    query, value, key = layers.Input((3, 8)), layers.Input((5, 8)), layers.Input((5, 6))
    shapes = {"value_mask": (5,), "key_mask": (5,), "attention_mask": (3, 5)}
    masks = {name: some(*shapes[name]) for name in names}
    made = HEADS[kind]()(query, value, key, **{name: mask for name, (_, mask) in masks.items()})
    sources = [query, value, key, *(source for source, _ in masks.values())]
    assert_same(ab.Space(inputs=sources, outputs=made).architecture())


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("given", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("kind", SCORES)
def test_masks_of_attention_without_projections_are_those_of_keras(
    kind: str, given: tuple[bool, bool], causal: bool
) -> None:
    query, value = layers.Input((3, 8)), layers.Input((5, 8))
    masks = [some(side) if there else (None, None) for side, there in zip((3, 5), given, strict=True)]
    made = SCORES[kind]()([query, value], mask=[mask for _, mask in masks], use_causal_mask=causal)
    sources = [query, value, *(source for source, _ in masks if source is not None)]
    assert_same(ab.Space(inputs=sources, outputs=made).architecture())


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("kind", RECURRENT)
def test_a_mask_of_steps_is_that_of_keras(kind: str, whole: bool) -> None:
    x = layers.Input((6, 3))
    source, mask = some(6)
    made = RECURRENT[kind](return_sequences=whole)(x, mask=mask)
    assert_same(ab.Space(inputs=[x, source], outputs=made).architecture())


@pytest.mark.parametrize("whole", [False, True])
def test_a_mask_of_steps_stands_beside_states(whole: bool) -> None:
    x, h = layers.Input((6, 3)), layers.Input((4,))
    source, mask = some(6)
    made = layers.GRU(4, return_sequences=whole)(x, initial_state=h, mask=mask)
    assert_same(ab.Space(inputs=[x, h, source], outputs=made).architecture())


def test_calls_with_and_without_a_mask_are_calls_of_one_module() -> None:
    x = layers.Input((6, 4))
    source, mask = some(6)
    walk = layers.LSTM(4, return_sequences=True)
    network = assert_same(ab.Space(inputs=[x, source], outputs=[walk(x), walk(x, mask=mask)]).architecture())
    assert [name for name, _ in network.named_children()] == ["rescaling", "re_lu", "lstm"]


@pytest.mark.parametrize("layer", [layers.GRU(4), layers.MultiHeadAttention(2, 4)])
def test_two_masks_of_one_tensor_are_refused(layer: Any) -> None:
    tokens, mask = layers.Input((6,)), layers.Input((6,))
    x = layers.Embedding(7, 4, mask_zero=True)(tokens)
    named = {"mask": mask} if isinstance(layer, layers.GRU) else {"key_mask": mask}
    arch = ab.Space(inputs=[tokens, mask], outputs=layer(x, **named)).architecture()
    with pytest.raises(SpaceError, match="is called with .*mask, and its input has a mask already"):
        arch.to_torch()


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_mean_of_the_steps_that_are_there_is_that_of_keras(data_format: str, keepdims: bool) -> None:
    x = layers.Input((6, 4))
    source, mask = some(6 if data_format == "channels_last" else 4)
    made = layers.GlobalAveragePooling1D(data_format=data_format, keepdims=keepdims)(x, mask=mask)
    assert_same(ab.Space(inputs=[x, source], outputs=made).architecture())


@pytest.mark.parametrize(("axis", "shape"), [(-1, (4, 5)), (1, (4, 1)), ((-2, -1), (1, 5)), ((1, 2), (1, 1))])
def test_a_softmax_over_the_values_that_are_there_is_that_of_keras(axis: Any, shape: tuple[int, ...]) -> None:
    x = layers.Input((4, 5))
    source, mask = some(*shape)
    assert_same(ab.Space(inputs=[x, source], outputs=layers.Softmax(axis)(x, mask=mask)).architecture())


def test_a_mask_of_a_softmax_is_there_above_one_half() -> None:
    x, mask = layers.Input((4, 5)), layers.Input((4, 5))
    arch = ab.Space(inputs=[x, mask], outputs=layers.Softmax()(x, mask=layers.Activation("sigmoid")(mask)))
    assert_same(arch.architecture())


@pytest.mark.parametrize("axis", [1, 2, -1])
@pytest.mark.parametrize("options", [{}, {"center": False}, {"scale": False}, {"trainable": False}])
@pytest.mark.parametrize(
    ("shape", "sides"), [((4, 5), (4,)), ((4, 5), (1,)), ((4, 5, 3), (4, 5)), ((2, 3, 4, 2, 3), (2, 1, 4, 2))]
)
def test_statistics_of_what_is_there_are_those_of_keras(
    shape: tuple[int, ...], sides: tuple[int, ...], options: Any, axis: int
) -> None:
    x = layers.Input(shape)
    source, mask = some(*sides)
    layer = layers.BatchNormalization(axis, momentum=0.7, **options)
    arch = ab.Space(inputs=[x, source], outputs=layer(x, mask=mask)).architecture()
    assert_same(arch)
    rng = np.random.default_rng(0)
    model, network = twins(arch, rng)
    inputs = inputs_of(arch, rng, batch=6)
    expected = np.asarray(model(inputs, training=True))
    found = network.train()(*[torch.tensor(each) for each in inputs])
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=2e-3, atol=2e-4)
    # So are the moving statistics, with which it normalises now.
    expected = np.asarray(model(inputs, training=False))
    found = network.eval()(*[torch.tensor(each) for each in inputs])
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("options", [{}, {"return_sequences": True}, {"go_backwards": True, "return_state": True}])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_a_mask_of_convolutional_steps_is_that_of_keras(axes: int, options: Any, begun: bool) -> None:
    sides = (4, 3, 5)[:axes]
    x = layers.Input((6, *sides, 2))
    source, mask = some(6)
    states = [layers.Input((*sides, 3)) for _ in range(2 * begun)]
    layer = getattr(layers, f"ConvLSTM{axes}D")(3, 3, padding="same", **options)
    made = layer(x, initial_state=states or None, mask=mask)
    outputs = list(made) if isinstance(made, tuple) else made
    assert_same(ab.Space(inputs=[x, *states, source], outputs=outputs).architecture())


@pytest.mark.parametrize(
    ("layer", "shape", "sides"),
    [
        (lambda: layers.LSTM(4), (5, 6, 3), (5, 6)),
        (lambda: layers.Bidirectional(layers.GRU(4, return_sequences=True)), (5, 6, 3), (5, 6)),
        (lambda: layers.RNN([layers.LSTMCell(3), layers.GRUCell(4)]), (5, 6, 3), (5, 6)),
        (lambda: layers.ConvLSTM1D(2, 3), (5, 6, 4, 3), (5, 6)),
        (layers.Softmax, (5, 6, 3), (5, 1, 3)),
        (layers.BatchNormalization, (5, 6, 3), (5, 6)),
        (lambda: layers.TimeDistributed(layers.LSTM(4)), (5, 2, 6, 3), (5, 2, 6)),
    ],
)
def test_a_mask_at_each_step_is_that_of_keras(layer: Any, shape: tuple[int, ...], sides: tuple[int, ...]) -> None:
    x = layers.Input(shape)
    source, mask = some(*sides)
    made = layers.TimeDistributed(layer())(x, mask=mask)
    assert_same(ab.Space(inputs=[x, source], outputs=made).architecture())


@pytest.mark.parametrize("names", [["query_mask"], ["query_mask", "value_mask"], ["query_mask", "attention_mask"]])
@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in HEADS if kind.startswith("Group")])
def test_a_query_mask_is_that_of_keras(kind: str, scores: bool, names: list[str]) -> None:
    query, value = layers.Input((3, 8)), layers.Input((5, 8))
    shapes = {"query_mask": (3,), "value_mask": (5,), "attention_mask": (3, 5)}
    masks = {name: some(*shapes[name]) for name in names}
    named = {name: mask for name, (_, mask) in masks.items()}
    made = HEADS[kind]()(query, value, **named, return_attention_scores=scores)
    sources = [query, value, *(source for source, _ in masks.values())]
    assert_same(ab.Space(inputs=sources, outputs=list(made) if scores else made).architecture())


def test_calls_with_and_without_a_mask_are_one_module() -> None:
    x = layers.Input((4, 5))
    source, mask = some(4)
    layer = layers.BatchNormalization()
    network = assert_same(ab.Space(inputs=[x, source], outputs=[layer(x), layer(x, mask=mask)]).architecture())
    assert len(list(network.parameters())) == 2
