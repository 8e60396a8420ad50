"""The words for activations, initializers, regularizers and constraints."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import SpaceError
from archbudget.layers._words import ACTIVATIONS, CONSTRAINTS, INITIALIZERS, OPTIONS, REGULARIZERS

WITH_ARGUMENTS = {"threshold", "constant", "initializer", "regularizer", "constraint"}
"""What Keras finds by its word, but cannot use without arguments, or is only a base class."""


@pytest.mark.keras
@pytest.mark.parametrize(
    ("room", "words"),
    [
        ("activations", ACTIVATIONS),
        ("initializers", INITIALIZERS),
        ("regularizers", REGULARIZERS),
        ("constraints", CONSTRAINTS),
    ],
)
def test_the_words_are_those_of_keras(room: str, words: frozenset[str]) -> None:
    keras = pytest.importorskip("keras")
    module = getattr(keras.src, room)
    known = {each for each in module.ALL_OBJECTS_DICT if isinstance(each, str)}
    assert {each for each in known if each.lower() not in WITH_ARGUMENTS} == words
    assert all(getattr(keras, room).get(word) is not None for word in words)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: layers.Dense(4, activation="rellu"),
            r"Dense: activation='rellu' is no word .*did you mean relu",
        ),
        (lambda: layers.Conv2D(4, 3, kernel_initializer="he"), "Conv2D: kernel_initializer='he' is no word"),
        (lambda: layers.Dense(4, bias_regularizer="l3"), "bias_regularizer='l3' is no word"),
        (lambda: layers.Dense(4, kernel_constraint="maxnorm"), "kernel_constraint='maxnorm' .*did you mean MaxNorm"),
        (
            lambda: layers.LSTM(4, recurrent_activation="sigmoyd"),
            "recurrent_activation='sigmoyd' .*did you mean sigmoid",
        ),
        (lambda: layers.Activation(ab.Choice("a", ["relu", "gelo"])), "activation='gelo' .*did you mean gelu"),
        (lambda: layers.TimeDistributed(layers.Dense(4, activation="tan")), "activation='tan' .*did you mean tanh"),
        (
            lambda: layers.Dense(4, activation=ab.Choice("b", [True, False]).map(lambda b: "relu" if b else "none")),
            "activation='none' is no word",
        ),
    ],
)
def test_an_unknown_word_is_refused_when_the_layer_is_made(make: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        make()


def test_functions_objects_and_registered_words_are_taken() -> None:
    keras = pytest.importorskip("keras")

    @keras.saving.register_keras_serializable(package="tests")
    class Tenths(keras.initializers.Initializer):  # type: ignore[misc]
        def __call__(self, shape: Any, dtype: Any = None) -> Any:
            return keras.ops.full(shape, 0.1, dtype)

    layer = layers.Dense(
        4,
        activation=keras.activations.relu,
        kernel_initializer="tests>Tenths",
        kernel_regularizer=keras.regularizers.L2(),
    )
    made = ab.Space([layers.Input((3,)), layer]).architecture().to_keras()
    np.testing.assert_allclose(keras.ops.convert_to_numpy(made.layers[-1].kernel), 0.1)


@pytest.mark.parametrize("given", [0, 0.5, True, ab.Choice("number", [0.5, 1.5])])
@pytest.mark.parametrize(
    "make",
    [
        layers.Activation,
        lambda given: layers.Dense(2, kernel_initializer=given),
        lambda given: layers.LSTM(2, recurrent_activation=given),
        lambda given: layers.Dense(2, bias_constraint=given),
    ],
)
def test_a_number_is_no_word(make: Any, given: Any) -> None:
    with pytest.raises(SpaceError, match="must be a word of Keras or a function, not the number"):
        make(given)


@pytest.mark.keras
@pytest.mark.parametrize(("kind", "argument"), OPTIONS)
def test_the_options_are_those_of_keras(kind: str, argument: str) -> None:
    """Each that is taken runs in Keras (cuDNN where there is one), and no other."""
    keras = pytest.importorskip("keras")
    needed = {"GRU": (3,), "LSTM": (3,), "Resizing": (8, 8), "RandomShear": (0.2, 0.2), "RandomZoom": (0.2,)}
    needed |= {"RandomTranslation": (0.2, 0.2), "RandomRotation": (0.2,)}
    named = {"value_range": (0, 255)} if kind in ("AugMix", "RandAugment") else {}
    shapes: dict[str, tuple[int, ...]] = {
        "GRU": (8, 4),
        "LSTM": (8, 4),
        "MelSpectrogram": (600,),
        "STFTSpectrogram": (600, 1),
    }
    shape = shapes.get(kind, (8, 8, 3))
    known = OPTIONS[kind, argument]
    for option in (*known, "area", "kaiser", "edge", "diagonal", "yes", 3):
        arguments = (*needed.get(kind, ()),)
        if option not in known:
            with pytest.raises(SpaceError, match=f"{kind}: {argument} must be one of "):
                getattr(layers, kind)(*arguments, **named, **{argument: option})
            if kind == "RandomFlip":
                continue  # Keras takes any word, and turns nothing then.

            def run(option: Any = option, arguments: Any = arguments) -> None:
                made = getattr(keras.layers, kind)(*arguments, **named, **{argument: option})
                made(np.ones((2, *shape), "float32"))

            with pytest.raises((ValueError, TypeError, NotImplementedError, KeyError, AttributeError)):
                run()
        elif option is not True:
            x = layers.Input(shape)
            layer = getattr(layers, kind)(*arguments, **named, **{argument: option})
            model = ab.Space(inputs=x, outputs=layer(x)).architecture().to_keras()
            assert model(np.ones((2, *shape), "float32")) is not None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Dense(4, activation=["relu"]), r"not \['relu'\]; a decision over words is a Choice"),
        (lambda: layers.Dense(4, kernel_initializer={"class_name": "HeNorm", "config": {}}), "did you mean HeNormal"),
        (lambda: layers.Dense(4, kernel_regularizer={"l2": 0.1}), "must be a word of Keras, a function or a conf"),
        (lambda: layers.RandomFlip("horizntal"), r"RandomFlip: mode must be .*; did you mean horizontal\?"),
        (lambda: layers.RandomFlip(ab.Choice("m", ["vertical", "x"])), "RandomFlip: mode must be one of .*, not 'x'"),
        (lambda: layers.UpSampling2D(interpolation="bicubik"), r"did you mean bicubic\?"),
        (lambda: layers.LSTM(3, use_cudnn=1), "LSTM: use_cudnn must be one of 'auto', True, False, not 1"),
    ],
)
def test_an_argument_that_keras_cannot_use_is_refused_when_the_layer_is_made(make: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        make()


@pytest.mark.keras
def test_configurations_of_keras_are_taken() -> None:
    keras = pytest.importorskip("keras")
    for made in (keras.initializers.Constant(0.5), keras.initializers.HeNormal(), "zeros"):
        config = keras.initializers.serialize(keras.initializers.get(made))
        layer = layers.Dense(4, kernel_initializer=config)
        assert ab.Space([layers.Input((3,)), layer]).architecture().to_keras().count_params() == 16
