"""Whatever an argument is given, it is taken or refused in one line."""

from __future__ import annotations

import contextlib
from dataclasses import fields, replace
from random import Random

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError
from support.keras_layers import make
from support.layer_records import ALL_KINDS
from support.random_pytorch_layers import random_any_case


class Unequal:
    """What can neither be compared nor hashed."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError


ODD = [
    None,
    True,
    0,
    -1,
    2**62,
    2**70,
    1.5,
    float("nan"),
    "",
    "word",
    b"word",
    (),
    [[]],
    [None],
    [1] * 9,
    {},
    {1},
    1j,
    object(),
    Unequal(),
    len,
    range(3),
    np.int64(3),
    np.array(3),
    np.array([1, 2]),
    layers.Dense,
    layers.Dense(3),
    ab.Choice("flag", [False, True]),
    ab.Choice("word", ["a", "b"]),
    ab.Choice("large", [2**62]),
    ab.Choice("size", [-1, 0, 2]),
    ab.channels() * 2**62,
]


def usual(kind: str) -> tuple[layers.Layer, list[list[int]]]:
    """A layer that can be built, and the shapes of its inputs."""
    rng = Random(f"odd {kind}")
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


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_odd_arguments_are_taken_or_refused_in_one_line(kind: str) -> None:
    layer, shapes = usual(kind)
    for name in (each.name for each in fields(layer)):
        for odd in ODD:
            try:
                applied(replace(layer, **{name: odd}), shapes)
            except ArchbudgetError as error:
                assert "\n" not in str(error)
