"""Whatever an argument is given, it is taken or refused in one line."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError
from support.layer_records import ALL_KINDS
from support.usual_layers import applied, usual


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


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_odd_arguments_are_taken_or_refused_in_one_line(kind: str) -> None:
    layer, shapes = usual(kind)
    taken = refused = 0
    for name in (each.name for each in fields(layer)):
        for odd in ODD:
            try:
                applied(replace(layer, **{name: odd}), shapes)
                taken += 1
            except ArchbudgetError as error:
                assert "\n" not in str(error)
                refused += 1
    # Each layer takes a flag or a name; none takes all that is odd.
    assert taken > 0
    assert refused > len(ODD)
