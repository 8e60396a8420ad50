"""What all importers share."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from archbudget.errors import SpaceError, TranslationError
from archbudget.importers._refusals import (
    LARGEST_SIDE,
    MOST_BYTES,
    MOST_LAYERS,
    Refusals,
    parse_json,
    require_layers,
    require_shape,
)


def test_everything_that_cannot_be_translated_is_one_error() -> None:
    refusals = Refusals("the model 'm'")
    refusals.check()
    assert not refusals
    refusals.add("a", "Lambda", "runs any function")
    refusals.add("b", "Mystery", "is unknown")
    refusals.add("c", "Lambda", "runs any function")
    refusals.add("a", "Lambda", "runs any function")
    with refusals.part("d", "Dense"):
        raise SpaceError("units must be an integer")
    with pytest.raises(TranslationError) as caught:
        refusals.check("Try something else")
    assert str(caught.value) == (
        "the model 'm' has 4 parts that archbudget cannot translate: 'a', 'c' (Lambda): runs any function; 'b' "
        "(Mystery): is unknown; 'd' (Dense): units must be an integer. Try something else"
    )
    assert [part[:2] for part in caught.value.parts] == [
        ("a", "Lambda"),
        ("b", "Mystery"),
        ("c", "Lambda"),
        ("d", "Dense"),
    ]
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.data) == (str(caught.value), caught.value.data)


def test_the_error_has_all_parts_where_the_message_has_no_room() -> None:
    refusals = Refusals("m")
    for number in range(5_000):
        refusals.add(f"layer_{number}" * 50, f"Kind{number % 100}", "why " * 500)
    with pytest.raises(TranslationError) as caught:
        refusals.check("The hint")
    assert len(str(caught.value)) <= 2_000
    assert str(caught.value).endswith(". The hint")
    assert len(caught.value.parts) == 5_000


@pytest.mark.parametrize("shape", [7, "ab", None, [True], [0], [-1], [2.0], ["3"], [None], [LARGEST_SIDE + 1], [2**40]])
def test_shapes_that_are_none(shape: Any) -> None:
    with pytest.raises(SpaceError):
        require_shape(shape, "the shape")
    assert require_shape([3, LARGEST_SIDE], "the shape") == (3, LARGEST_SIDE)


def test_too_many_layers() -> None:
    assert require_layers(MOST_LAYERS, "m") == MOST_LAYERS
    with pytest.raises(SpaceError, match="layers or more; at most 65,536 are read"):
        require_layers(MOST_LAYERS + 1, "m")


@pytest.mark.parametrize("text", ["", "{", "[1,", "\x00", b"\xff\xfe", "nul", "[" * 100_000, '{"a":' * 100_000])
def test_texts_that_are_no_json(text: Any) -> None:
    with pytest.raises(SpaceError, match=r"^config\.json is "):
        parse_json(text, "config.json")
    assert parse_json(b'{"a": [1]}', "config.json") == {"a": [1]}


def test_a_text_that_is_too_long() -> None:
    with pytest.raises(SpaceError, match=f"at most {MOST_BYTES:,} are read"):
        parse_json(" " * (MOST_BYTES + 1), "config.json")
