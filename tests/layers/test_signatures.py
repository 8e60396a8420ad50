"""The arguments of every layer are those of Keras: names, order and defaults."""

from __future__ import annotations

import inspect
from typing import Any

import keras
import pytest

from archbudget import layers
from support.layer_records import CELLS, KINDS

pytestmark = pytest.mark.keras

MISSING = {
    "quantization_config": "quantised layers are not counted",
    "gptq_unpacked_column_size": "quantised layers are not counted",
    "batch_size": "every count is for one input",
    "batch_shape": "every count is for one input",
    "sparse": "a sparse tensor has no known size",
    "ragged": "a ragged tensor has no known size",
    "tensor": "a description holds no tensors",
    "optional": "an input that may be left out has no shape",
}
"""The arguments of Keras that are left out on purpose, and why."""

NEWER = {"lora_rank", "lora_alpha", "renorm", "renorm_clipping", "renorm_momentum", "sliding_window", "use_gate"}
"""The arguments that the oldest supported Keras does not have."""

OWN = {"weight_bits": "what a weight takes is no matter of Keras"}
"""The arguments that Keras does not have, and why."""


def parameters(callable_: Any) -> dict[str, inspect.Parameter]:
    variadic = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    signature = inspect.signature(callable_).parameters
    return {
        name: each
        for name, each in signature.items()
        if each.kind not in variadic and name not in ("name", "trainable")
    }


def same_default(ours: Any, theirs: Any) -> bool:
    """Whether two defaults mean the same: Keras writes some as an integer and some as a tuple of equal integers."""
    if isinstance(theirs, tuple) and isinstance(ours, int):
        return all(same_default(ours, side) for side in theirs)
    if isinstance(ours, tuple) and isinstance(theirs, int):
        return all(same_default(side, theirs) for side in ours)
    return bool(ours == theirs and type(ours) is type(theirs)) or ours is theirs


@pytest.mark.parametrize("kind", KINDS + CELLS)
def test_arguments_have_the_names_and_defaults_of_keras(kind: str) -> None:
    ours, theirs = parameters(getattr(layers, kind)), parameters(getattr(keras.layers, kind))
    assert set(theirs) - set(ours) <= set(MISSING)
    layer = getattr(layers, kind)
    assert set(ours) - set(theirs) <= {*NEWER, *layer.PYTORCH, *layer.CALL, *OWN}
    for name in ours.keys() & theirs.keys():
        assert same_default(ours[name].default, theirs[name].default) or name == "shape", name


@pytest.mark.parametrize("kind", KINDS + CELLS)
def test_positional_arguments_mean_what_they_mean_in_keras(kind: str) -> None:
    ours, theirs = parameters(getattr(layers, kind)), parameters(getattr(keras.layers, kind))
    positional = [name for name, each in ours.items() if each.kind is each.POSITIONAL_OR_KEYWORD]
    known = [name for name in positional if name in theirs or name not in NEWER]
    assert known == list(theirs)[: len(known)]


@pytest.mark.parametrize("kind", KINDS + CELLS)
def test_options_of_pytorch_are_given_by_name_and_off_by_default(kind: str) -> None:
    layer = getattr(layers, kind)
    ours, theirs = parameters(layer), parameters(getattr(keras.layers, kind))
    assert not set(layer.PYTORCH) & set(theirs)
    for name, value in layer.PYTORCH.items():
        assert ours[name].kind is ours[name].KEYWORD_ONLY
        assert ours[name].default is value


@pytest.mark.parametrize("kind", [kind for kind in KINDS if getattr(layers, kind).CALL])
def test_options_of_calls_are_those_of_keras_and_off_by_default(kind: str) -> None:
    layer, real = getattr(layers, kind), getattr(keras.layers, kind)
    ours, called = parameters(layer), parameters(real.call)
    assert not set(layer.CALL) & set(parameters(real))
    for name in layer.CALL:
        assert ours[name].kind is ours[name].KEYWORD_ONLY
        assert ours[name].default is called[name].default is False


@pytest.mark.parametrize("kind", KINDS + CELLS)
def test_every_layer_takes_a_name(kind: str) -> None:
    name = inspect.signature(getattr(layers, kind)).parameters["name"]
    assert name.kind is name.KEYWORD_ONLY
    assert name.default is None
