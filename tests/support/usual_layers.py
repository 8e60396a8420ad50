"""A layer of each kind that can be built, to be given other arguments."""

from __future__ import annotations

import contextlib
from random import Random

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError
from support.keras_layers import make
from support.random_pytorch_layers import random_any_case


def usual(kind: str) -> tuple[layers.Layer, list[list[int]]]:
    """A layer that can be built, and the shapes of its inputs."""
    rng = Random(f"usual {kind}")
    while True:
        arguments, shapes = random_any_case(rng, kind)
        with contextlib.suppress(ArchbudgetError):
            layer: layers.Layer = make(layers, kind, arguments)
            applied(layer, shapes)
            return layer, shapes


def applied(layer: layers.Layer, shapes: list[list[int]]) -> ab.Space:
    """The space of a layer by itself."""
    if isinstance(layer, layers.Input):
        return ab.Space([layer])
    inputs = [layers.Input(shape) for shape in shapes]
    return ab.Space(inputs=inputs, outputs=layer(inputs if layer.MERGES or len(inputs) > 1 else inputs[0]))
