"""The data of errors."""

import copy
import pickle

import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import InvalidArchitectureError

FIELDS = ("layer", "kind", "input_shapes", "rule", "arguments")


def refused(*blocks: layers.Block, **chosen: object) -> InvalidArchitectureError:
    """Why a network of these blocks cannot be built; without decisions, why the space cannot be made."""
    with pytest.raises(InvalidArchitectureError) as caught:
        ab.Space(list(blocks)).architecture(chosen)
    return caught.value


def test_an_error_has_the_refusing_layer_as_data() -> None:
    size = ab.Choice("size", [1, 5])
    words = ab.Choice("words", ["valid", "same"])
    conv = layers.Conv2D(8, size, padding=words, use_bias=False, name="conv")
    error = refused(layers.Input((3, 3, 2)), conv, size=5, words="valid")
    assert error.layer == "conv"
    assert error.kind == "Conv2D"
    assert error.input_shapes == ((3, 3, 2),)
    assert error.rule is not None
    assert error.arguments is not None
    assert error.arguments["filters"] == 8
    assert error.arguments["kernel_size"] == (5, 5)
    assert error.arguments["padding"] == "valid"
    assert error.arguments["use_bias"] is False
    message = str(error)
    assert message.startswith("layer 'conv' (Conv2D) cannot be built on input shape (None, 3, 3, 2): " + error.rule)


@pytest.mark.parametrize(
    ("layer", "takes", "refuses"),
    [
        (layers.Conv2D(4, 3, strides=(2, 1), padding="same", groups=2), (8, 8, 2), (8, 8, 3)),
        (layers.Conv2D(4, 3, padding=2), (8, 8, 2), (8, 2)),
        (layers.Conv2D(4, 3, padding=((1, 0), (2, 1))), (8, 8, 2), (8, 2)),
        (layers.MaxPooling2D(2, strides=None, padding=1), (8, 8, 2), (8, 2)),
        (layers.TimeDistributed(layers.Conv1D(4, 3, padding=((1, 2),))), (5, 8, 2), (8, 2)),
        (layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)]), (8, 2), (8,)),
        (layers.GroupNormalization(groups=2, scale=False), (8, 4), (8, 3)),
        (layers.Reshape((4, 2)), (8,), (9,)),
    ],
)
def test_arguments_are_those_of_the_record_of_the_layer(
    layer: layers.Layer, takes: tuple[int, ...], refuses: tuple[int, ...]
) -> None:
    record = ab.Space([layers.Input(takes), layer]).architecture({}).layers[1]
    error = refused(layers.Input(refuses), layer)
    assert error.arguments == record.arguments
    assert error.input_shapes == (refuses,)


def test_a_layer_of_several_inputs_has_all_of_their_shapes() -> None:
    error = refused(layers.Input((4, 4, 2)), layers.Residual([layers.Conv2D(3, 3, padding="same")]))
    assert (error.kind, error.input_shapes) == ("Add", ((4, 4, 2), (4, 4, 3)))


def test_arguments_of_a_layer_inside_are_a_dict() -> None:
    error = refused(layers.Input((5, 4)), layers.Bidirectional(layers.LSTM(3)), layers.Bidirectional(layers.LSTM(3)))
    assert error.arguments is not None
    assert error.arguments["layer"]["type"] == "LSTM"
    assert error.arguments["layer"]["units"] == 3
    assert error.arguments["merge_mode"] == "concat"


def test_a_condition_has_its_text_as_the_rule() -> None:
    width = ab.Int("width", 1, 4)
    error = refused(layers.Input((4,)), layers.Dense(width), layers.Require(width > 2), width=1)
    assert (error.layer, error.kind, error.input_shapes, error.arguments) == (None, None, None, None)
    assert error.rule is not None
    assert f"the constraint {error.rule} is not met" in str(error)
    assert "width" in error.rule


def test_a_space_without_networks_says_why_as_data() -> None:
    width = ab.Choice("width", [2, 3])
    error = refused(layers.Input((4,)), layers.Dense(width), layers.Conv2D(3, 3, name="conv"))
    assert (error.layer, error.kind) == ("conv", "Conv2D")


def test_a_custom_layer_has_no_arguments_of_the_engine() -> None:
    @layers.custom
    def halves(input_shape: tuple[int, ...], by: int = 2) -> layers.Counts:
        if input_shape[-1] % by:
            raise InvalidArchitectureError(f"{input_shape[-1]} features cannot be divided by {by}")
        return layers.Counts(output_shape=(input_shape[-1] // by,))

    error = refused(layers.Input((5,)), halves(name="half"))
    assert (error.layer, error.kind, error.input_shapes) == ("half", "halves", ((5,),))
    assert error.rule is not None
    assert error.rule.startswith("5 features cannot be divided by 2")
    assert error.arguments is None


def test_an_error_with_a_message_alone_has_no_data() -> None:
    error = InvalidArchitectureError("too wide")
    assert str(error) == "too wide"
    assert [getattr(error, name) for name in FIELDS] == [None] * len(FIELDS)


@pytest.mark.parametrize("same", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_data_is_pickled_with_the_error(same: object) -> None:
    assert callable(same)
    error = refused(layers.Input((3, 3, 2)), layers.Conv2D(8, 5, name="conv"))
    again = same(error)
    assert type(again) is InvalidArchitectureError
    assert str(again) == str(error)
    for name in FIELDS:
        assert getattr(again, name) == getattr(error, name) is not None
