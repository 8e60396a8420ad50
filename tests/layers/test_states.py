"""States that recurrent layers hand on and begin with: random graphs against Keras, peaks, real models, refusals."""

from __future__ import annotations

import itertools
import pickle
from random import Random
from typing import Any

import keras
import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import InvalidArchitectureError, SpaceError
from archbudget.metrics._latency import described
from support.peaks import activation_bytes
from support.random_spaces import METRICS, enumerate_networks
from support.state_graphs import Graph

SEQUENCE, OTHER = layers.Input((5, 3)), layers.Input((4, 2))
STATE = layers.Dense(4)(layers.Input((3,)))


def seq2seq(units: Any, decoder: Any, kind: Any = layers.LSTM, **options: Any) -> ab.Space:
    """An encoder whose states a decoder begins with."""
    source, target = layers.Input((7, 5)), layers.Input((6, 3))
    _, *states = kind(units, return_state=True, **options)(source)
    decoded, *_ = kind(decoder, return_sequences=True, return_state=True, **options)(target, initial_state=states)
    return ab.Space(inputs=[source, target], outputs=layers.Dense(10, activation="softmax")(decoded))


def keras_seq2seq(units: int, kind: str) -> keras.Model:
    """The same network, written in Keras."""
    make = getattr(keras.layers, kind)
    source, target = keras.Input((7, 5)), keras.Input((6, 3))
    _, *states = make(units, return_state=True)(source)
    decoded, *_ = make(units, return_sequences=True, return_state=True)(target, initial_state=states)
    return keras.Model([source, target], keras.layers.Dense(10, activation="softmax")(decoded))


@pytest.mark.keras
@pytest.mark.parametrize("kind", [layers.SimpleRNN, layers.GRU, layers.LSTM])
def test_an_encoder_and_a_decoder_share_the_size_of_their_states(kind: Any) -> None:
    units = ab.Choice("units", [4, 8, 16])
    space = seq2seq(units, units, kind)
    assert space.size == 3
    for value in units.values:
        arch = space.architecture(units=value)
        real = keras_seq2seq(value, kind.__name__)
        made = arch.to_keras()
        assert arch.params == real.count_params() == made.count_params()
        assert made.output_shape == real.output_shape
        assert [layer.name for layer in made.layers] == [record.name for record in arch.layers]
        feeds = [np.ones((2, 7, 5)), np.ones((2, 6, 3))]
        for one, other in zip(made.weights, real.weights, strict=True):
            one.assign(other)
        np.testing.assert_allclose(made(feeds), real(feeds), rtol=1e-6)


def test_states_of_another_size_make_a_network_invalid() -> None:
    space = seq2seq(ab.Choice("encoder", [4, 8]), ab.Choice("decoder", [4, 8, 16]))
    assert (space.size, space.combinations) == (2, 6)
    with pytest.raises(InvalidArchitectureError) as caught:
        space.architecture(encoder=4, decoder=8)
    assert str(caught.value).startswith(
        "layer 'lstm_1' (LSTM) cannot be built on input shapes (None, 6, 3), (None, 4), (None, 4): state 1 of its "
        "initial_state must be as large as its own; on axis 1 that has 8, this one 4"
    )
    rank = layers.Reshape((2, 2))(STATE)
    with pytest.raises(InvalidArchitectureError, match="state 2 of its initial_state must have 1 axes beside the batc"):
        ab.Space(
            inputs=[SEQUENCE, *sources(STATE)], outputs=layers.LSTM(4)(SEQUENCE, initial_state=[STATE, rank])
        ).architecture()


def sources(tensor: layers.Tensor) -> list[layers.Tensor]:
    """The inputs that lead to a tensor."""
    return [each for source in tensor.inputs for each in sources(source)] if tensor.inputs else [tensor]


def test_each_tensor_is_alive_as_long_as_it_is_read() -> None:
    x = layers.Input((10, 10))
    y, h, c = layers.LSTM(30, return_sequences=True, return_state=True)(x)
    wide = layers.Dense(200)(layers.GlobalAveragePooling1D()(y))
    both = layers.Concatenate()([layers.Dense(1)(wide), c])
    del h
    arch = ab.Space(inputs=x, outputs=both).architecture()
    # x, then x with the output and both states, of which h is never read; then c waits to the end.
    values = [100, 100 + 300 + 30 + 30, 300 + 30 + 30, 30 + 30 + 200, 30 + 200 + 1, 30 + 1 + 31]
    assert [record.peak_activation_bytes for record in arch.layers] == [4 * number for number in values]
    alone = ab.Space(inputs=x, outputs=layers.LSTM(30)(x)).architecture()
    assert alone.peak_activation_bytes == 4 * (100 + 30)


def test_a_record_lists_all_outputs_of_a_layer() -> None:
    units = ab.Choice("units", [4, 8])
    arch = seq2seq(units, units).architecture(units=8)
    record = arch.layer("lstm")
    assert (record.output_shape, record.output_shapes) == ((8,), ((8,), (8,), (8,)))
    assert record.output == record.outputs[0]
    assert arch.layer("lstm_1").inputs[1:] == record.outputs[1:]
    assert record.other_arguments == {"return_state": True}
    assert "[(None, 8), (None, 8), (None, 8)]" in arch.summary()
    assert arch.explain("lstm").startswith("lstm (LSTM): (None, 7, 5) -> [(None, 8), (None, 8), (None, 8)]")
    assert arch.explain("lstm_1").startswith(
        "lstm_1 (LSTM): (None, 6, 3), (None, 8), (None, 8) -> [(None, 6, 8), (None, 8), (None, 8)]"
    )
    assert arch.producer(record.outputs[2]) == record


def test_channels_that_come_from_a_state_are_explained() -> None:
    _, state = layers.Bidirectional(layers.SimpleRNN(3, return_state=True), "sum")(SEQUENCE)[:2]
    arch = ab.Space(inputs=SEQUENCE, outputs=layers.Dense(2)(layers.ReLU()(state))).architecture()
    assert "  3: features of the input, which come from bidirectional (None, 3) through re_lu" in arch.explain("dense")


def test_metrics_see_all_outputs_of_a_layer() -> None:
    space = ab.Space(
        inputs=SEQUENCE,
        outputs=layers.LSTM(ab.Choice("units", [2, 4]), return_state=True, name="encoder")(SEQUENCE),
        metrics=[ab.metrics.output_size("encoder"), ab.Metric("made", lambda layer: len(layer.output_shapes))],
    )
    assert space.architecture(units=4).costs["output_size"] == 12
    assert space.range("made") == (1 + 3, 1 + 3)
    (record, *_) = ab.metrics.distinct_layers(space)
    assert described(record)["output_shape"] == "2;2;2"


def test_spaces_with_states_are_pickled() -> None:
    units = ab.Choice("units", [4, 8])
    space = pickle.loads(pickle.dumps(seq2seq(units, units)))
    assert space.size == 2
    arch = pickle.loads(pickle.dumps(space.architecture(units=8)))
    assert arch.layer("lstm").output_shapes == ((8,), (8,), (8,))


def test_a_list_ends_with_a_layer_that_makes_several_tensors() -> None:
    for layer, count in [
        (layers.LSTM(4, return_state=True), 3),
        (layers.Bidirectional(layers.GRU(4, return_state=True), None), 4),
        (layers.Pipeline([layers.Dense(2), layers.GRU(4, return_state=True)]), 2),
    ]:
        model = ab.Space([layers.Input((5, 3)), layer]).architecture().to_keras()
        assert len(model.outputs) == count
    # As in Keras, what merges a list takes all of them.
    row = ab.Space([layers.Input((5, 3)), layers.GRU(4, return_state=True), layers.Add()]).architecture()
    assert row.layers[-1].input_shapes == ((4,), (4,))


def test_tensors_are_nested_as_in_keras() -> None:
    cells = [layers.LSTMCell(4), layers.GRUCell(6), layers.StackedRNNCells([layers.GRUCell(2), layers.GRUCell(3)])]
    made = layers.RNN(cells, return_state=True)(SEQUENCE)
    assert [isinstance(each, tuple) and len(each) for each in made] == [False, 2, False, 2]
    space = ab.Space(inputs=SEQUENCE, outputs=made)
    real = [each.shape[1:] for each in space.architecture().to_keras().outputs]
    assert real == [(3,), (4,), (4,), (6,), (2,), (3,)] == list(space.architecture().layers[-1].output_shapes)
    again = layers.Bidirectional(layers.RNN([layers.LSTMCell(4), layers.GRUCell(6)]))(
        SEQUENCE, initial_state=[made[1], made[2], made[1], made[2]]
    )
    assert ab.Space(inputs=SEQUENCE, outputs=again).architecture().to_keras().output_shape == (None, 12)


def test_a_stateful_layer_needs_the_size_of_a_batch() -> None:
    layer = layers.LSTM(4, stateful=True)
    with pytest.raises(SpaceError, match=r"layer 'lstm' \(LSTM\): with stateful=True each Input needs the same "):
        ab.Space([layers.Input((5, 3)), layer])
    for stateful in (layer, layers.Bidirectional(layers.GRU(4, stateful=True))):
        arch = ab.Space([layers.Input((5, 3), batch_size=2), stateful, layers.Dense(2)]).architecture()
        model = arch.to_keras()
        assert model.count_params() == arch.params
        assert model.output_shape == (2, 2)


STACK = [layers.LSTMCell(4), layers.GRUCell(6)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: ab.Space([layers.Input((5, 3)), layers.LSTM(4, return_state=True), layers.Dense(2)]),
            "LSTM(units=4, return_state=True) makes 3 tensors, but Dense(units=2) behind it in a list takes one; call",
        ),
        (
            lambda: ab.Space([layers.Input((5, 3)), layers.GRU(4, return_state=True), layers.GRU(4)]),
            "GRU(units=4, return_state=True) makes 2 tensors, but GRU(units=4) behind it in a list takes one",
        ),
        (
            lambda: ab.Space([layers.Input((5, 3)), layers.Bidirectional(layers.GRU(4), None), layers.Flatten()]),
            "makes 2 tensors, but Flatten() behind it in a list takes one",
        ),
        (
            lambda: ab.Space([layers.Input((5, 3)), layers.OneOf("op", [layers.GRU(4, return_state=True), []])]),
            "GRU(units=4, return_state=True) makes 2 tensors where one is handed on",
        ),
        (
            lambda: ab.Space([layers.Input((5, 3)), layers.Repeat(2, [layers.GRU(4, return_state=True)])]),
            "makes 2 tensors where one is handed on; call it on tensors, in a graph",
        ),
        (
            lambda: layers.TimeDistributed(layers.GRU(4, return_state=True)),
            "GRU(units=4, return_state=True) makes 2 tensors; a layer inside another layer makes one",
        ),
        (
            lambda: layers.Pipeline([layers.GRU(4, return_state=True), layers.Dense(2)]),
            "makes 2 tensors; a layer inside another layer makes one",
        ),
        (lambda: layers.TimeDistributed(layers.GRU(4, stateful=True)), "cannot be stateful"),
        (lambda: layers.LSTM(4, return_state=1), "LSTM: return_state must be True or False, not 1"),
        (
            lambda: layers.GRU(4, return_state=ab.Choice("state", [True, False])),
            "GRU: return_state must be True or False, not Choice('state', [True, False])",
        ),
        (
            lambda: layers.LSTM(4)([SEQUENCE, STATE, STATE]),
            "takes one sequence, and states as initial_state=[...]; it is called on 3 tensors",
        ),
        (
            lambda: layers.LSTM(4)(SEQUENCE, initial_state=STATE),
            "initial_state must be [a tensor, a tensor], as many as it has states, not <tensor of Dense(units=4)>",
        ),
        (
            lambda: layers.LSTM(4)(SEQUENCE, initial_state=[STATE] * 3),
            "not [<tensor of Dense(units=4)>, <tensor of",
        ),
        (lambda: layers.GRU(4)(SEQUENCE, initial_state=[]), "must be [a tensor], as many as it has states, not []"),
        (lambda: layers.GRU(4)(SEQUENCE, initial_state=[[STATE]]), "must be [a tensor], as many as it has states, not"),
        (lambda: layers.GRU(4)(SEQUENCE, initial_state=[3]), "a layer is called on tensors or on an Input, not on 3"),
        (
            lambda: layers.RNN(STACK)(SEQUENCE, initial_state=[STATE, STATE, STATE]),
            "initial_state must be [[a tensor, a tensor], a tensor], as many as it has states",
        ),
        (
            lambda: layers.RNN([layers.StackedRNNCells(STACK), layers.GRUCell(2)], return_state=True),
            "must not hold an LSTMCell or a stack, whose states Keras cannot describe",
        ),
        (
            lambda: layers.Bidirectional(layers.LSTM(4), merge_mode=ab.Choice("merge", ["sum", None])),
            "merge_mode=None makes two tensors, and cannot be a value of Choice('merge', ['sum', None])",
        ),
        (
            lambda: layers.Bidirectional(
                layers.LSTM(4, return_state=True), backward_layer=layers.LSTM(4, go_backwards=True)
            ),
            "its two layers must have the same return_state, not True and False",
        ),
        (
            lambda: layers.Bidirectional(
                layers.LSTM(4, return_state=True),
                backward_layer=layers.GRU(4, return_state=True, go_backwards=True),
            ),
            "must have the same states; they have [a tensor, a tensor] and [a tensor]",
        ),
        (
            lambda: layers.Bidirectional(layers.LSTM(4), backward_layer=layers.GRU(4, go_backwards=True))(
                SEQUENCE, initial_state=[STATE, STATE, STATE]
            ),
            "gives half of the initial_state, rounded down, to the layer forward; its two layers have 2 and 1 states",
        ),
        (lambda: layers.Dense(4)(layers.LSTM(4, return_state=True)(SEQUENCE)).block, ""),
    ],
)
def test_layers_for_one_tensor_refuse_several(make: Any, message: str) -> None:
    if not message:
        # The engine says how many a layer takes.
        with pytest.raises(SpaceError, match=r"layer 'dense' \(Dense\) takes one input; given 3"):
            ab.Space(inputs=SEQUENCE, outputs=layers.Dense(4)(layers.LSTM(4, return_state=True)(SEQUENCE)))
        return
    with pytest.raises(SpaceError) as caught:
        make()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def runs(model: keras.Model) -> list[tuple[int, ...]] | None:
    """The shapes that a model of Keras makes, if it runs; its symbolic ones do not tell."""
    try:
        made = model([np.zeros((2, *each.shape[1:])) for each in model.inputs])
    except Exception:
        # Keras notices only here that states do not fit, with errors of many types.
        return None
    return [tuple(each.shape[1:]) for each in keras.tree.flatten(made)]


@pytest.mark.keras
@pytest.mark.parametrize("seed", range(30))
def test_each_candidate_of_a_graph_with_states_is_its_plain_network_and_that_of_keras(seed: int) -> None:
    valid: list[dict[str, Any]] = []
    for attempt in itertools.count():
        graph = Graph(Random(1000 * seed + attempt))
        try:
            space = graph.space()
        except InvalidArchitectureError:
            continue
        if space.decisions:
            break
    known = enumerate_networks(space)
    found = space.evaluate(known.indices)
    assert (found.valid == known.valid).all()
    for metric in METRICS:
        assert (found[metric][known.valid] == known.costs[metric][known.valid]).all()
    for row, each in enumerate(itertools.product(*(decision.values for decision in space.decisions.values()))):
        values = {"a": 2, "b": 2, "c": True, **dict(zip(space.decisions, each, strict=True))}
        keras.backend.clear_session()
        inputs, outputs = graph.wire(keras.layers, values)
        model = keras.Model(inputs, outputs)
        real = runs(model)
        try:
            arch = graph.space(values).architecture()
        except InvalidArchitectureError:
            assert not known.valid[row]
            # No state here has a side of 1, which the backend would stretch.
            assert real is None
            continue
        assert known.valid[row]
        assert real is not None
        own = space.architecture(dict(zip(space.decisions, each, strict=True)))
        assert own.costs == arch.costs == {metric: known.costs[metric][row] for metric in METRICS}
        assert [record.output_shapes for record in own.layers] == [record.output_shapes for record in arch.layers]
        assert [record.peak_activation_bytes for record in own.layers] == activation_bytes(own)
        shapes = dict(pair for record in own.layers for pair in zip(record.outputs, record.output_shapes, strict=True))
        assert [shapes[output] for output in own.space._compiled.outputs] == real
        made = own.to_keras()
        assert made.count_params() == model.count_params() == own.params
        valid.append(values)
    assert valid
