"""`Bounds`: a number that is known within two others, in every place where a number is written."""

from __future__ import annotations

import copy
import operator
import pickle
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import archbudget as ab
from archbudget.errors import InexactError, LimitError, SpaceError

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = st.integers(-20, 20)


@st.composite
def bounds_and_number(draw: st.DrawFn) -> tuple[ab.Bounds[int], int]:
    """Bounds, and the number that they are about."""
    lower, number, upper = sorted(draw(NUMBERS) for _ in range(3))
    return ab.Bounds(lower, upper), number


PAIRS = bounds_and_number()


@given(PAIRS, PAIRS, st.sampled_from([operator.add, operator.sub, operator.mul, operator.truediv]))
def test_the_result_of_an_operation_is_within_the_bounds_of_the_result(
    left: tuple[ab.Bounds[int], int], right: tuple[ab.Bounds[int], int], operation: Callable[[Any, Any], Any]
) -> None:
    for one, other in ((left[0], right[0]), (left[0], right[1]), (left[1], right[0])):
        if operation is operator.truediv and 0 in (other if isinstance(other, ab.Bounds) else [other]):
            with pytest.raises(ZeroDivisionError):
                operation(one, other)
            continue
        result = operation(one, other)
        exact = Fraction(left[1]) / right[1] if operation is operator.truediv else operation(left[1], right[1])
        assert float(exact) in result
        # And there are no closer ones.
        ends = [operation(x, y) for x in ends_of(one) for y in ends_of(other)]
        assert (result.lower, result.upper) == (min(ends), max(ends))


def ends_of(value: Any) -> tuple[int, int]:
    return (value.lower, value.upper) if isinstance(value, ab.Bounds) else (value, value)


@given(PAIRS, PAIRS, st.sampled_from([operator.lt, operator.le, operator.gt, operator.ge]))
def test_a_comparison_answers_for_certain_or_says_that_it_cannot(
    left: tuple[ab.Bounds[int], int], right: tuple[ab.Bounds[int], int], compare: Callable[[Any, Any], bool]
) -> None:
    for one, other in ((left[0], right[0]), (left[0], right[1]), (left[1], right[0])):
        possible = {
            compare(x, y)
            for x in range(ends_of(one)[0], ends_of(one)[1] + 1)
            for y in range(ends_of(other)[0], ends_of(other)[1] + 1)
        }
        if len(possible) == 1:
            assert compare(one, other) == compare(left[1], right[1])
        else:
            with pytest.raises(InexactError, match=r"between .* is not certain") as raised:
                compare(one, other)
            assert isinstance(raised.value, LimitError)


@given(PAIRS)
def test_a_number_that_is_known_is_that_number(pair: tuple[ab.Bounds[int], int]) -> None:
    bounds, number = pair
    assert number in bounds
    assert bounds.exact == (bounds.lower == bounds.upper) == (bounds == number)
    assert -number in -bounds
    if bounds.exact:
        assert (int(bounds), float(bounds), bool(bounds)) == (number, float(number), bool(number))
        assert hash(bounds) == hash(number)
        assert f"{bounds:,}" == f"{number:,}"
    else:
        for ask in (int, float):
            with pytest.raises(InexactError) as raised:
                ask(bounds)
            assert raised.value.data == {"lower": bounds.lower, "upper": bounds.upper}
    for again in (pickle.loads(pickle.dumps(bounds)), copy.deepcopy(bounds)):
        assert again == bounds
        assert hash(again) == hash(bounds)


def test_truth_is_told_where_it_is_certain() -> None:
    assert ab.Bounds(3, 8)
    assert ab.Bounds(-3, -1)
    assert not ab.Bounds(0, 0)
    with pytest.raises(InexactError, match=r"between 0 and 8: whether it is 0"):
        bool(ab.Bounds(0, 8))


@pytest.mark.parametrize(
    ("bounds", "spec", "text"),
    [
        (ab.Bounds(12_000, 12_100), ",", "between 12,000 and 12,100"),
        (ab.Bounds(12_000, 12_100), "", "between 12,000 and 12,100"),
        (ab.Bounds(12_000, 12_000), "", "12,000"),
        (ab.Bounds(12_000, 12_100), ".2e", "between 1.20e+04 and 1.21e+04"),
        (ab.Bounds(0.0784, 0.0791), ".1%", "between 7.8% and 7.9%"),
        (ab.Bounds(0.0784, 0.0791), ".0%", "8%"),
        (ab.Bounds(5783, 5783) / 73_728, ".1%", "7.8%"),
    ],
)
def test_bounds_are_formatted_as_numbers_are(bounds: ab.Bounds[float], spec: str, text: str) -> None:
    assert format(bounds, spec) == text


def test_bounds_of_one_number_add_up() -> None:
    parts = [ab.Bounds(1, 2), ab.Bounds(10, 20), ab.Bounds(100, 200)]
    assert sum(parts) == ab.Bounds(111, 222)
    assert max(parts) is parts[2]
    assert sorted([parts[2], parts[0], parts[1]]) == parts
    assert {ab.Bounds(1, 2): "a"}[ab.Bounds(1, 2)] == "a"
    assert ab.Bounds(1, 2) != ab.Bounds(1, 3)
    assert ab.Bounds(1, 2) != "between 1 and 2"


def test_numbers_of_numpy_are_numbers() -> None:
    bounds = ab.Bounds(np.int64(2**62), np.int64(2**62 + 1))
    assert type(bounds.lower) is int
    for scaled in (bounds * np.int64(4), np.int64(4) * bounds):
        assert scaled == ab.Bounds(2**64, 2**64 + 4)
    assert np.float64(0.5) + ab.Bounds(1, 2) == ab.Bounds(1.5, 2.5)
    assert np.int64(5) > ab.Bounds(1, 2)
    assert np.int64(2) in ab.Bounds(1, 2)


@pytest.mark.parametrize("other", ["5", None, [5], 5j, np.array([5])])
def test_nothing_but_numbers_is_combined_with_bounds(other: Any) -> None:
    for operation in (operator.add, operator.sub, operator.mul, operator.truediv, operator.lt, operator.ge):
        for pair in ((ab.Bounds(1, 2), other), (other, ab.Bounds(1, 2))):
            with pytest.raises(TypeError):
                operation(*pair)
    assert other not in ab.Bounds(1, 9)


@pytest.mark.parametrize(
    ("ends", "message"), [((5, 3), "lower exceeds upper"), (("1", 3), "lower.*'1'"), ((1, float("nan")), "upper.*nan")]
)
def test_bounds_that_are_none_are_refused(ends: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        ab.Bounds(*ends)
