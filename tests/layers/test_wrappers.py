"""Layers around other layers: decisions inside, names, explanations, real models, refusals."""

from __future__ import annotations

import itertools
import pickle
from typing import Any

import keras
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError, InvalidArchitectureError, SpaceError


def family() -> ab.Space:
    units = ab.Choice("units", [3, 5])
    return ab.Space(
        [
            layers.Input((6, 5, 4)),
            layers.TimeDistributed(layers.Dense(ab.channels() * 2, ab.Choice("activation", ["relu", "tanh"]))),
            layers.TimeDistributed(
                layers.Bidirectional(layers.LSTM(units), merge_mode=ab.Choice("merge", ["concat", "sum"]))
            ),
            layers.RNN([layers.LSTMCell(units), layers.GRUCell(4)], return_sequences=True),
            layers.SpectralNormalization(layers.Conv1D(7, ab.Choice("kernel", [2, 3]), trainable=False)),
            layers.Bidirectional(
                layers.GRU(4, return_sequences=ab.Choice("whole", [False, True])),
                backward_layer=layers.LSTM(4, go_backwards=True),
            ),
            layers.Pipeline([layers.Dense(3), layers.ReLU(), layers.Dense(units)]),
            layers.Dense(2),
        ]
    )


def test_every_candidate_costs_what_its_keras_model_does() -> None:
    space = family()
    assert list(space.decisions) == ["activation", "merge", "units", "kernel", "whole"]
    assert space.size == 2**4
    built = 0
    for values in itertools.product(*(decision.values for decision in space.decisions.values())):
        chosen = dict(zip(space.decisions, values, strict=True))
        if chosen["whole"]:
            # The layer backward returns the last step only.
            with pytest.raises(InvalidArchitectureError, match="its two layers must have the same output shape"):
                space.architecture(chosen)
            continue
        arch = space.architecture(chosen)
        model = arch.to_keras()
        assert model.count_params() == arch.params
        assert sum(weight.numpy().size for weight in model.trainable_weights) == arch.trainable_params
        assert [layer.output.shape[1:] for layer in model.layers] == [record.output_shape for record in arch.layers]
        assert model.get_layer("time_distributed").layer.activation.__name__ == chosen["activation"]
        built += 1
    assert built == 2**4


def test_a_space_with_layers_inside_is_pickled_and_shown() -> None:
    space = family()
    again = pickle.loads(pickle.dumps(space))
    assert (again.size, list(again.decisions)) == (space.size, list(space.decisions))
    layer = layers.Bidirectional(layers.LSTM(ab.Choice("units", [3, 5]), name="inside"), merge_mode="sum")
    assert repr(layer) == "Bidirectional(layer=LSTM(units=Choice('units', [3, 5]), name='inside'), merge_mode='sum')"


def test_names_are_those_of_keras() -> None:
    def network(source: Any) -> list[Any]:
        return [
            source.TimeDistributed(source.Dense(3)),
            source.TimeDistributed(source.TimeDistributed(source.Dense(2, name="named"))),
            source.TimeDistributed(source.Bidirectional(source.LSTM(3))),
            source.SpectralNormalization(source.Dense(3)),
            source.Bidirectional(source.RNN([source.LSTMCell(3), source.GRUCell(2)], return_sequences=True)),
            source.LSTM(2),
            source.Dense(2),
        ]

    keras.backend.clear_session()
    expected = [layer.name for layer in network(keras.layers)]
    arch = ab.Space([layers.Input((2, 3, 4, 5)), *network(layers)][:2]).architecture()
    assert arch.layers[-1].name == "time_distributed"
    deep = ab.Space([layers.Input((2, 5, 4)), *network(layers)[:1], *network(layers)[2:]]).architecture()
    assert [record.name for record in deep.layers[1:]] == [
        "time_distributed",
        "time_distributed_1",
        "spectral_normalization",
        "bidirectional_1",
        "lstm_1",
        "dense_2",
    ]
    assert expected[-2:] == ["lstm_1", "dense_2"]


def test_a_name_inside_is_kept() -> None:
    space = ab.Space([layers.Input((5, 4)), layers.TimeDistributed(layers.Dense(3, name="inside"), name="outside")])
    model = space.architecture().to_keras()
    assert model.get_layer("outside").layer.name == "inside"


def test_repetitions_have_separate_layers_and_decisions() -> None:
    block = layers.TimeDistributed(layers.Dense(ab.Choice("units", [2, 3])))
    space = ab.Space([layers.Input((5, 4)), layers.Repeat(ab.Int("times", 1, 2), block)])
    assert list(space.decisions) == ["times", "units_1", "units_2"]
    assert space.architecture(times=2, units_1=2, units_2=3).params == 10 + 9


def test_explanations_show_what_is_inside() -> None:
    arch = family().architecture(activation="relu", merge="concat", units=5, kernel=2, whole=False)
    assert arch.explain("time_distributed").splitlines()[1:] == [
        "params: (layer_input_features + 1) * layer_units = (4 + 1) * 8 = 40",
        "  4: features of the input, which come from input_layer (None, 6, 5, 4)",
        "  1: bias of each unit",
        "  8: units, set by (channels() * 2)",
        "macs: steps * layer_input_positions * layer_input_features * layer_units = 6*5*4*8 = 960",
        "output shape: (None, steps, layer_input_axis_1, layer_units) = (None, 6, 5, 8)",
    ]
    assert arch.explain("time_distributed_1").splitlines()[1:] == [
        (
            "params: 2 * (layer_layer_step_features + layer_layer_previous_state_units + 1) * 4 * layer_layer_units = "
            "2 * (8 + 5 + 1) * 4 * 5 = 560"
        ),
        "  2: directions",
        "  8: features of a step",
        "  5: units of the previous state",
        "  1: bias of each gate",
        "  4: gates",
        "  5: units, set by units",
        (
            "macs: steps * 2 * layer_layer_steps * (layer_layer_step_features + layer_layer_previous_state_units) "
            "* 4 * layer_layer_units = 6 * 2 * 5 * (8 + 5) * 4 * 5 = 15,600"
        ),
        "output shape: (None, steps, 2 * layer_layer_units) = (None, 6, 2*5) = (None, 6, 10)",
    ]
    assert "  5: units of cells[0], set by units" in arch.explain("rnn").splitlines()
    assert "  4: units of backward_layer" in arch.explain("bidirectional_1").splitlines()
    normalized = arch.explain("spectral_normalization")
    assert "  7: vector u, as long as the last side of the kernel" in normalized.splitlines()
    assert "  2: kernel_size, set by kernel" in normalized.splitlines()


def test_channels_of_an_image_inside_are_traced_to_their_origin() -> None:
    space = ab.Space(
        [
            layers.Input((5, 3, 8, 8)),
            layers.TimeDistributed(layers.Conv2D(4, 3, data_format="channels_first", activation="relu")),
            layers.TimeDistributed(layers.Conv2D(2, 3, data_format="channels_first")),
        ]
    )
    assert "  4: channels of the input, which come from time_distributed (None, 5, 4, 6, 6)" in (
        space.architecture().explain("time_distributed_1").splitlines()
    )


def test_a_layer_without_weights_inside_is_explained() -> None:
    space = ab.Space([layers.Input((5, 4, 3)), layers.TimeDistributed(layers.Flatten())])
    arch = space.architecture()
    assert "it applies its layer at each step, and that has no weights" in arch.explain("time_distributed").lower()
    assert arch.peak_activation_bytes == 4 * 60


def test_records_hold_the_arguments_of_the_layers_inside() -> None:
    arch = family().architecture(activation="relu", merge="sum", units=3, kernel=2, whole=False)
    outer = arch.layer("time_distributed_1").arguments["layer"]
    assert (outer["type"], outer["merge_mode"]) == ("Bidirectional", "sum")
    assert (outer["layer"]["type"], outer["layer"]["units"]) == ("LSTM", 3)
    assert arch.layer("rnn").arguments["cell"]["cells"] == (
        {"type": "LSTMCell", "units": 3, "use_bias": True},
        {"type": "GRUCell", "units": 4, "use_bias": True, "reset_after": True},
    )
    assert arch.layer("time_distributed").other_arguments == {"layer": {"activation": "relu"}}
    assert arch.layer("rnn").other_arguments == {}


def test_frozen_inner_layers_are_frozen_in_keras() -> None:
    """Keras itself freezes what is inside of a frozen layer only where it is set afterwards."""
    for layer in (
        layers.TimeDistributed(layers.Dense(3), trainable=False),
        layers.TimeDistributed(layers.TimeDistributed(layers.Dense(3), trainable=False)),
        layers.TimeDistributed(layers.RNN([layers.LSTMCell(3), layers.LSTMCell(2, trainable=False)])),
        layers.TimeDistributed(layers.Bidirectional(layers.RNN(layers.LSTMCell(3), trainable=False))),
    ):
        arch = ab.Space([layers.Input((2, 5, 4)), layer, layers.Dense(2)]).architecture()
        model = arch.to_keras()
        assert sum(weight.numpy().size for weight in model.trainable_weights) == arch.trainable_params


@layers.custom
def Own(input_shape: tuple[int, ...]) -> layers.Counts:  # noqa: N802
    return layers.Counts(input_shape)


def nested(depth: int) -> layers.Layer:
    """A layer inside of so many others."""
    layer: layers.Layer = layers.Dense(3)
    for _ in range(depth):
        layer = layers.Pipeline([layer])
    return layer


def test_layers_are_nested() -> None:
    arch = ab.Space([layers.Input((4,)), nested(32)]).architecture()
    assert arch.params == 15
    assert arch.to_keras().count_params() == 15


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.TimeDistributed(3), "TimeDistributed: layer must be a layer, not 3"),
        (lambda: layers.TimeDistributed(layers.Add()), "must be a layer of one input; Add takes several"),
        (lambda: layers.TimeDistributed(layers.Input((3,))), "must be a layer of one input; Input takes none"),
        (lambda: layers.TimeDistributed(layers.LSTMCell(3)), "LSTMCell is one step of a recurrent layer; put it into"),
        (lambda: layers.TimeDistributed(layers.Pipeline([layers.ReLU()])), "must not be a Pipeline"),
        (lambda: layers.TimeDistributed(layers.Repeat(2, layers.ReLU())), "layer must be a layer, not Repeat"),
        (lambda: layers.Bidirectional(layers.Dense(3)), "layer must be a recurrent layer .*, not Dense"),
        (
            lambda: layers.Bidirectional(layers.LSTM(3), merge_mode="max"),
            "merge_mode must be None or one of .*, not 'max'",
        ),
        (lambda: layers.Bidirectional(layers.LSTM(3, go_backwards=True)), "one must have go_backwards=True"),
        (
            lambda: layers.Bidirectional(layers.LSTM(3), backward_layer=layers.LSTM(3)),
            "one must have go_backwards=True and the other one False, not False and False",
        ),
        (lambda: layers.SpectralNormalization(layers.LSTM(3)), "must have a kernel or embeddings .*; LSTM has none"),
        (lambda: layers.SpectralNormalization(layers.Dense(3), 0), "power_iterations must be an integer >= 1, not 0"),
        (lambda: layers.RNN(layers.Dense(3)), "cell must be a cell .*, not Dense"),
        (lambda: layers.RNN([]), r"cell must be a list of cells, not \[\]"),
        (lambda: layers.RNN([layers.LSTMCell(3)]), "Keras cannot run a stack of a single LSTMCell"),
        (
            lambda: layers.RNN([layers.LSTMCell(3), layers.GRUCell(ab.channels())]),
            r"channels\(\) is known only in the first of its cells",
        ),
        (lambda: layers.Pipeline([]), "layers must be a list of layers"),
        (lambda: nested(33), "Pipeline: layers may be nested at most 32 deep"),
        (lambda: layers.TimeDistributed(Own()), "TimeDistributed: Own is a custom layer, which cannot be inside"),
        (lambda: layers.LSTMCell(3)(layers.Input((4,))), "is one step of a recurrent layer, and no layer by itself"),
        (lambda: ab.Space([layers.Input((4,)), layers.GRUCell(3)]), "GRUCell is one step of a recurrent layer"),
    ],
)
def test_layers_that_cannot_be_inside_others_are_refused(make: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        make()


def test_a_refusal_names_the_layer_inside() -> None:
    layer = layers.TimeDistributed(layers.TimeDistributed(layers.Conv1D(3, ab.Choice("kernel", [2, 4]))))
    space = ab.Space([layers.Input((2, 6, 3, 1)), layer])
    with pytest.raises(InvalidArchitectureError) as caught:
        space.architecture(kernel=4)
    text = str(caught.value)
    assert "layer 'time_distributed_1' (TimeDistributed) cannot be built on input shape (None, 2, 6, 3, 1)" in text
    assert "its TimeDistributed cannot be built on input shape (None, 6, 3, 1)" in text
    assert "its Conv1D cannot be built on input shape (None, 3, 1): with padding='valid' its window of 4" in text
    assert "Arguments: layer=TimeDistributed(layer=Conv1D(filters=3, kernel_size=(4)," in text


def test_channels_inside_are_those_that_the_layer_inside_sees() -> None:
    first = layers.Conv1D(ab.channels(0), 1, data_format="channels_first")
    space = ab.Space([layers.Input((7, 2, 5)), layers.TimeDistributed(first)])
    assert space.architecture().layers[-1].output_shape == (7, 2, 5)
    beyond = layers.TimeDistributed(layers.Dense(ab.channels(-2)))
    with pytest.raises(ArchbudgetError, match="reads axis -2 of a tensor with 1 axes"):
        ab.Space([layers.Input((7, 2)), beyond])


def test_an_inner_layer_has_the_name_that_it_has_by_itself() -> None:
    dense, cell = layers.Dense(4), layers.LSTMCell(4, name="cell")
    blocks = [layers.TimeDistributed(dense), layers.RNN(cell, return_sequences=True), dense, layers.Dense(2)]
    arch = ab.Space([layers.Input((5, 4)), *blocks]).architecture()
    assert [layer.name for layer in arch.layers[1:]] == ["time_distributed", "rnn", "dense", "dense_1"]
    model = arch.to_keras()
    assert [layer.name for layer in model.layers[1:]] == ["time_distributed", "rnn", "dense", "dense_1"]
    assert model.get_layer("time_distributed").layer is model.get_layer("dense")
    assert model.get_layer("rnn").cell.name == "cell"


def test_an_inner_layer_is_used_on_what_it_was_built_for() -> None:
    norm = layers.LayerNormalization()
    with pytest.raises(InvalidArchitectureError) as caught:
        ab.Space([layers.Input((5, 4)), layers.TimeDistributed(norm), layers.Permute((2, 1)), layers.Pipeline([norm])])
    text = str(caught.value)
    assert "layer 'pipeline' (Pipeline) cannot be built on input shape (None, 4, 5): its LayerNormalization" in text
    assert "on input shape (None, 4, 5): it is shared, and each use of it must have the same sides" in text
    assert "[4] on input shape (None, 4), where it was built, and [5] here" in text


def test_a_layer_around_another_one_is_shared_as_any_layer() -> None:
    layer = layers.TimeDistributed(layers.Dense(4))
    arch = ab.Space([layers.Input((5, 4)), layer, layer]).architecture()
    assert (arch.params, arch.layers[-1].reused) == (20, True)
