"""Single layers, as archbudget counts them."""

from __future__ import annotations

from typing import Any

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError
from archbudget.layers._base import leaves, nest
from archbudget.layers._recurrent import WithStates
from support.keras_layers import BASES, CELLS, CLASSES, MERGING, make

ALL_KINDS = sorted(
    name for name, each in CLASSES.items() if issubclass(each, layers.Layer) and each not in BASES and name not in CELLS
)
"""The public layers, by name."""
KINDS = [name for name in ALL_KINDS if CLASSES[name].IN_KERAS]
"""Those of Keras."""
PYTORCH_KINDS = [name for name in ALL_KINDS if not CLASSES[name].IN_KERAS]
"""Those that only PyTorch has."""


def one_layer(kind: str, arguments: dict[str, Any], shapes: list[list[int]]) -> ab.LayerRecord:
    """The record of a layer that is applied to inputs of these shapes."""
    return one_layer_network(kind, arguments, shapes).layers[-1]


def count(kind: str, arguments: dict[str, Any], shapes: list[list[int]]) -> dict[str, Any] | None:
    """What archbudget says of a layer; `None` if it refuses it."""
    try:
        record = one_layer(kind, arguments, shapes)
    except ArchbudgetError:
        return None
    extra = [list(shape) for shape in record.output_shapes[1:]]
    return {
        "output": list(record.output_shape),
        **({"extra": extra} if extra else {}),
        "trainable": record.trainable_params,
        "non_trainable": record.non_trainable_params,
        "macs": record.macs,
    }


def one_layer_network(kind: str, arguments: dict[str, Any], shapes: list[list[int]]) -> ab.Architecture:
    """A network of inputs of these shapes and a layer."""
    layer = make(layers, kind, arguments)
    if kind == "Input":
        return ab.Space([layer]).architecture()
    inputs = [layers.Input(shape) for shape in shapes]
    return ab.Space(inputs=inputs, outputs=called(layer, inputs)).architecture()


def called(layer: layers.Layer, inputs: list[Any]) -> Any:
    """What a layer makes of tensors; behind a sequence stand the states that a recurrent layer begins with."""
    if isinstance(layer, WithStates) and len(inputs) > 1:
        sequence, *states = inputs
        fit = leaves(layer.states) == len(states)
        return layer(sequence, initial_state=nest(layer.states, iter(states)) if fit else states)
    return layer(inputs if layer.kind in MERGING or len(inputs) > 1 else inputs[0])


def used_twice(kind: str, arguments: dict[str, Any], first: list[list[int]], second: list[list[int]]) -> ab.Space:
    """A network of inputs of two kinds and a layer that is used on both."""
    layer = make(layers, kind, arguments)
    inputs = [[layers.Input(shape) for shape in shapes] for shapes in (first, second)]
    outputs = [called(layer, each) for each in inputs]
    return ab.Space(inputs=[*inputs[0], *inputs[1]], outputs=outputs)
