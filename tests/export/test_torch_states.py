"""States of recurrent layers in real PyTorch modules, held against Keras and against PyTorch's own layers."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import InvalidArchitectureError, SpaceError
from support.state_graphs import Graph

torch = pytest.importorskip("torch")

from support.torch_networks import assert_same  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.keras]

KINDS: dict[str, Any] = {
    "SimpleRNN": lambda **options: layers.SimpleRNN(4, **options),
    "GRU": lambda **options: layers.GRU(4, **options),
    "GRU, reset before": lambda **options: layers.GRU(4, reset_after=False, **options),
    "LSTM": lambda **options: layers.LSTM(4, **options),
    "LSTM, step by step": lambda **options: layers.LSTM(4, activation="relu", **options),
    "LSTM, backwards": lambda **options: layers.LSTM(4, go_backwards=True, **options),
    "a cell": lambda **options: layers.RNN(layers.LSTMCell(4), **options),
    "a stack": lambda **options: layers.RNN([layers.LSTMCell(3), layers.GRUCell(4)], **options),
    "a stack, backwards": lambda **options: layers.RNN(
        [layers.GRUCell(3), layers.SimpleRNNCell(2), layers.LSTMCell(4)], go_backwards=True, **options
    ),
    "both ways": lambda **options: layers.Bidirectional(layers.LSTM(4, **options)),
    "both ways, apart": lambda **options: layers.Bidirectional(layers.GRU(4, **options), None),
    "a stack both ways": lambda **options: layers.Bidirectional(
        layers.RNN([layers.LSTMCell(3), layers.GRUCell(4)], **options), "mul"
    ),
    "two layers": lambda **options: layers.Bidirectional(
        layers.LSTM(4, **options), "ave", backward_layer=layers.LSTM(4, go_backwards=True, **options)
    ),
}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_decoder_begins_with_the_states_of_an_encoder_as_in_keras(kind: str, whole: bool, masked: bool) -> None:
    source, target = (layers.Input((7,) if masked else (7, 5)), layers.Input((6,) if masked else (6, 3)))
    encoded, decoded = source, target
    if masked:
        encoded, decoded = (
            layers.Embedding(3, 5, mask_zero=True)(source),
            layers.Embedding(3, 3, mask_zero=True)(target),
        )
    encoder, decoder = (KINDS[kind](return_sequences=whole, return_state=True) for _ in range(2))
    made = encoder(encoded)
    outputs = decoder(decoded, initial_state=made[len(encoder.outputs) :])
    behind = KINDS[kind](return_sequences=whole)(outputs[0]) if whole else outputs[0]
    assert_same(ab.Space(inputs=[source, target], outputs=[made, outputs, behind]).architecture())


@pytest.mark.parametrize("options", [{}, {"padding": "same"}, {"strides": 2, "data_format": "channels_first"}])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_images_are_states_as_in_keras(axes: int, options: dict[str, Any]) -> None:
    kind = getattr(layers, f"ConvLSTM{axes}D")
    source, target = layers.Input((3, *[4] * axes, 4)), layers.Input((2, *[4] * axes, 4))
    made = kind(2, 2, return_state=True, **options)(source)
    outputs = kind(2, 2, return_sequences=True, return_state=True, **options)(target, initial_state=made[1:])
    assert_same(ab.Space(inputs=[source, target], outputs=[made, outputs]).architecture())


@pytest.mark.parametrize("seed", range(25))
def test_random_graphs_with_states_compute_what_those_of_keras_do(seed: int) -> None:
    built = 0
    for attempt in range(100):
        graph = Graph(Random(10_000 + 100 * seed + attempt))
        try:
            arch = next(iter(graph.space().sample(1, seed=seed)))
        except InvalidArchitectureError:
            continue
        assert_same(arch, seed)
        built += 1
        if built == 3:
            break
    assert built == 3


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("merge_mode", ["concat", None])
@pytest.mark.parametrize("layer", [layers.LSTM(4), layers.RNN(layers.GRUCell(4), zero_output_for_mask=True)])
@pytest.mark.parametrize("whole", [False, True])
def test_bidirectional_makes_zeros_where_a_sequence_is_masked(
    layer: Any, whole: bool, merge_mode: str | None, masked: bool
) -> None:
    inner = type(layer)(**{**{name: getattr(layer, name) for name in _given(layer)}, "return_sequences": whole})
    row = [layers.Input((7,)), layers.Embedding(3, 5, mask_zero=masked), layers.Bidirectional(inner, merge_mode)]
    assert_same(ab.Space(row).architecture())


def _given(layer: Any) -> list[str]:
    return ["cell", "zero_output_for_mask"] if isinstance(layer, layers.RNN) else ["units"]


@pytest.mark.parametrize(
    ("layer", "own"),
    [
        (layers.LSTM(4, return_state=True, two_biases=True, num_layers=2), torch.nn.LSTM(3, 4, 2)),
        (
            layers.LSTM(4, return_state=True, two_biases=True, bidirectional=True, return_sequences=True, proj_size=2),
            torch.nn.LSTM(3, 4, bidirectional=True, proj_size=2),
        ),
        (layers.LSTM(4, return_state=True, two_biases=True, proj_size=2), torch.nn.LSTM(3, 4, proj_size=2)),
        (layers.GRU(4, return_state=True, num_layers=2, bidirectional=True), torch.nn.GRU(3, 4, 2, bidirectional=True)),
        (layers.SimpleRNN(4, return_state=True, two_biases=True, num_layers=3), torch.nn.RNN(3, 4, 3)),
    ],
    ids=repr,
)
def test_states_of_several_layers_and_directions_are_those_of_pytorch(layer: Any, own: Any) -> None:
    source, target = layers.Input((5, 3)), layers.Input((4, 3))
    made = layer(source)
    again = layer(target, initial_state=made[1:])
    arch = ab.Space(inputs=[source, target], outputs=[made, again]).architecture()
    network = arch.to_torch()
    module = next(iter(network.children())).rnn
    module.load_state_dict(own.state_dict())
    one, two = torch.randn(2, 5, 3), torch.randn(2, 4, 3)
    own.batch_first = True
    with torch.no_grad():
        found = network(one, two)
        first, begun = own(one)
        second, last = own(two, begun)

    def states(given: Any) -> list[Any]:
        given = given if isinstance(given, tuple) else (given,)
        return [each[0] if len(each) == 1 else each.movedim(0, 1) for each in given]

    shown = slice(None) if layer.return_sequences else -1
    expected = [first[:, shown], *states(begun), second[:, shown], *states(last)]
    for real, ours in zip(expected, found, strict=True):
        torch.testing.assert_close(ours, real)
    record = arch.layers[-1]
    assert record.output_shapes == tuple(tuple(each.shape[1:]) for each in expected[len(expected) // 2 :])


def test_layers_that_go_step_by_step_have_the_states_of_those_that_do_not() -> None:
    source = layers.Input((5, 3))
    # Dropout of the state is what PyTorch's own layers have not; at inference it does nothing.
    layer = layers.LSTM(
        4, num_layers=2, bidirectional=True, two_biases=True, return_state=True, recurrent_dropout=0.5, proj_size=3
    )
    made = layer(source)
    network = ab.Space(inputs=source, outputs=[made, layer(source, initial_state=made[1:])]).architecture().to_torch()
    own = torch.nn.LSTM(3, 4, 2, bidirectional=True, proj_size=3, batch_first=True)
    assert not isinstance(network.lstm.rnn, torch.nn.LSTM)
    own.load_state_dict(network.lstm.rnn.state_dict())
    x = torch.randn(2, 5, 3)
    with torch.no_grad():
        found = network.eval()(x)
        outputs, states = own(x)
        again, last = own(x, states)
    for ours, real in zip(found, [outputs[:, -1], *states, again[:, -1], *last], strict=True):
        torch.testing.assert_close(ours, real if real.dim() == 2 else real.movedim(0, 1))


def test_a_stateful_layer_is_refused() -> None:
    arch = ab.Space([layers.Input((5, 3), batch_size=2), layers.GRU(4, stateful=True)]).architecture()
    with pytest.raises(SpaceError, match=r"stateful=True has no equivalent in PyTorch: a module keeps nothing from ba"):
        arch.to_torch()


@pytest.mark.parametrize(
    ("shape", "axes", "dropout"),
    [
        ((6,), -1, 0.0),
        ((5, 6), -1, 0.1),
        ((5, 6), -1, 0.0),
        ((5, 6), (1, 2), 0.1),
        ((3, 4, 6), -1, 0.0),
        ((3, 4, 6), (3, 1), 0.0),
        ((3, 4, 6), (1, 2, 3), 0.0),
        ((2, 3, 2, 6), (2, 4), 0.0),
    ],
)
@pytest.mark.parametrize("use_gate", [False, True])
def test_heads_attend_to_each_other_as_in_keras(shape: Any, axes: Any, dropout: float, use_gate: bool) -> None:
    layer = layers.MultiHeadAttention(3, 4, 5, attention_axes=axes, dropout=dropout, use_gate=use_gate)
    assert_same(ab.Space([layers.Input(shape), layer]).architecture())


def test_a_window_is_along_steps() -> None:
    layer = layers.MultiHeadAttention(3, 4, attention_axes=2, dropout=0.1, sliding_window=2)
    with pytest.raises(SpaceError, match="sliding_window=2 has no equivalent in PyTorch"):
        ab.Space([layers.Input((5, 6)), layer]).architecture().to_torch()
    masked = [layers.Input((5,)), layers.Embedding(4, 6, mask_zero=True)]
    with pytest.raises(SpaceError, match="attention_axes=2 has no equivalent in PyTorch: a mask is followed along"):
        ab.Space([*masked, layers.MultiHeadAttention(3, 4, attention_axes=2, dropout=0.1)]).architecture().to_torch()
