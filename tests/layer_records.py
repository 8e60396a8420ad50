"""Single layers, as archbudget counts them."""

from __future__ import annotations

from typing import Any

import archbudget as ab
from archbudget import layers
from keras_layers import MERGING

KINDS = sorted(
    name
    for name in layers.__all__
    if isinstance(getattr(layers, name), type)
    and issubclass(getattr(layers, name), layers.Layer)
    and name not in ("Layer", "CustomLayer")
)
"""The public layers, by name."""


def one_layer(kind: str, arguments: dict[str, Any], shapes: list[list[int]]) -> ab.LayerRecord:
    """The record of a layer that is applied to inputs of these shapes."""
    return one_layer_network(kind, arguments, shapes).layers[-1]


def one_layer_network(kind: str, arguments: dict[str, Any], shapes: list[list[int]]) -> ab.Architecture:
    """A network of inputs of these shapes and a layer."""
    layer = getattr(layers, kind)(**arguments)
    if kind == "Input":
        return ab.Space([layer]).architecture()
    inputs = [layers.Input(shape) for shape in shapes]
    output = layer(inputs if kind in MERGING or len(inputs) > 1 else inputs[0])
    return ab.Space(inputs=inputs, outputs=output).architecture()
