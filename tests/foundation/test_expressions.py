"""Decisions, and hyperparameters as expressions over them."""

from __future__ import annotations

import copy
import itertools
import math
import operator
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import archbudget as ab
from archbudget import layers
from archbudget.errors import (
    ArchbudgetError,
    CountOverflowError,
    InvalidArchitectureError,
    SpaceError,
    UnknownArgumentError,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def make_divisible(value: float, divisor: int) -> int:
    """`_make_divisible` of the MobileNet reference code."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def units(expression: Any, **values: Any) -> int:
    """What a dense layer gets whose units are an expression."""
    read = getattr(expression, "decisions", list)()
    decisions = [layers.Activation(decision.map(lambda _: "relu")) for decision in read]
    space = ab.Space([layers.Input((6,)), *decisions, layers.Dense(expression)])
    return (
        space.architecture({name: value for name, value in values.items() if name in space.decisions})
        .layers[-1]
        .output_shape[0]
    )


A, B = ab.Choice("a", [1, 7, 12, 30]), ab.Choice("b", [2, 3, 8])
EXPRESSIONS: list[tuple[Any, Callable[[int, int], int]]] = [
    (A + B, operator.add),
    (A + 3, lambda a, _: a + 3),
    (3 + A, lambda a, _: a + 3),
    (A - B + 10, lambda a, b: a - b + 10),
    (100 - A, lambda a, _: 100 - a),
    (A * B, operator.mul),
    (2 * A, lambda a, _: 2 * a),
    ((A + 9) // B, lambda a, b: (a + 9) // b),
    (100 // B, lambda _, b: 100 // b),
    ((A - 40) // B + 50, lambda a, b: (a - 40) // b + 50),
    (ab.minimum(A, B), min),
    (ab.maximum(A, B), max),
    (ab.maximum(A, 9), lambda a, _: max(a, 9)),
    (ab.round_to(A * B, 8), lambda a, b: make_divisible(a * b, 8)),
    (ab.round_to(A * B), lambda a, b: make_divisible(a * b, 8)),
    (ab.round_to(A * 5, B), lambda a, b: make_divisible(a * 5, b)),
    ((A <= 7) + 1, lambda a, _: (a <= 7) + 1),
    ((A >= B) * 4 + 1, lambda a, b: (a >= b) * 4 + 1),
    ((A == B) * 4 + 1, lambda a, b: (a == b) * 4 + 1),
    ((A == 7) + 1, lambda a, _: (a == 7) + 1),
    ((A != B) * B + 1, lambda a, b: (a != b) * b + 1),
    ((A != 7) + 1, lambda a, _: (a != 7) + 1),
    ((A > 7.5) + 1, lambda a, _: (a > 7.5) + 1),
    ((B < 6.5) + 1, lambda _, b: (b < 6.5) + 1),
    (A * 2.0, lambda a, _: 2 * a),
    (A % B + 1, lambda a, b: a % b + 1),
    ((A - 40) % B + 1, lambda a, b: (a - 40) % b + 1),
    (100 % B + 1, lambda _, b: 100 % b + 1),
    (A**2, lambda a, _: a**2),
    (2**B, lambda _, b: 2**b),
    (-A + 50, lambda a, _: 50 - a),
    (+A, lambda a, _: a),
    (abs(A - 10) + 1, lambda a, _: abs(a - 10) + 1),
    (round(A), lambda a, _: a),
    (math.floor(A) + math.ceil(B) + math.trunc(A), lambda a, b: 2 * a + b),
    (((A > 7) & (B < 8)) + 1, lambda a, b: (a > 7 and b < 8) + 1),
    (((A > 7) | (B == 8)) + 1, lambda a, b: (a > 7 or b == 8) + 1),
    (((A > 7) ^ (B == 8)) + 1, lambda a, b: ((a > 7) != (b == 8)) + 1),
    (~(A > 7) + 1, lambda a, _: (a <= 7) + 1),
    (ab.minimum(A, B, 4, A + 1), lambda a, b: min(a, b, 4)),
    (ab.maximum(A, B, 4), lambda a, b: max(a, b, 4)),
    (ab.both(A > 1, A < 20, B != 3) + 1, lambda a, b: (1 < a < 20 and b != 3) + 1),
    (ab.either(A == 1, A == 30, B == 3) + 1, lambda a, b: (a in (1, 30) or b == 3) + 1),
    (A.map(lambda a: a > 7) + 1, lambda a, _: (a > 7) + 1),
    (ab.channels() * A, lambda a, _: 6 * a),
    (ab.channels(0) + A, lambda a, _: 6 + a),
    (ab.round_to(ab.channels() * A // B, 4), lambda a, b: make_divisible(6 * a // b, 4)),
]


@pytest.mark.parametrize(
    ("expression", "function"), EXPRESSIONS, ids=[repr(expression) for expression, _ in EXPRESSIONS]
)
def test_expressions_are_computed_as_in_python(expression: Any, function: Callable[[int, int], int]) -> None:
    for a, b in itertools.product(A.values, B.values):
        assert units(expression, a=a, b=b) == function(a, b)


@given(st.integers(-(10**6), 10**6), st.integers(1, 1000))
def test_rounding_is_that_of_mobilenet(value: int, divisor: int) -> None:
    assert units(ab.round_to(ab.Choice("a", [value]), divisor), a=value) == make_divisible(value, divisor)


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_division_rounds_down_as_in_python(value: int, divisor: int) -> None:
    shift = 10**12 + 1
    assert units(ab.Choice("a", [value]) // divisor + shift, a=value) == value // divisor + shift


LARGE = st.integers(-(2**63) + 1, 2**63 - 1)
OPERATORS: dict[str, tuple[Callable[..., Any], Callable[[int, int], int]]] = {
    "add": (operator.add, operator.add),
    "subtract": (operator.sub, operator.sub),
    "multiply": (operator.mul, operator.mul),
    "divide": (operator.floordiv, operator.floordiv),
    "minimum": (ab.minimum, min),
    "maximum": (ab.maximum, max),
    "round": (ab.round_to, lambda a, b: make_divisible_exactly(a, b)),
    "at most": (operator.le, lambda a, b: int(a <= b)),
    "modulo": (operator.mod, operator.mod),
    "equal": (operator.eq, lambda a, b: int(a == b)),
}


def make_divisible_exactly(value: int, divisor: int) -> int:
    """`make_divisible` without floats."""
    rounded = max(divisor, (value + divisor // 2) // divisor * divisor)
    return rounded + divisor if 10 * rounded < 9 * value else rounded


@pytest.mark.parametrize("name", OPERATORS)
@given(left=LARGE, right=LARGE)
def test_large_numbers_are_exact_or_overflow(name: str, left: int, right: int) -> None:
    ours, theirs = OPERATORS[name]
    try:
        expected = theirs(left, right) if name not in ("divide", "round", "modulo") or right > 0 else None
    except ZeroDivisionError:
        expected = None
    expression = ab.minimum(ab.maximum(ours(ab.Choice("a", [left]), ab.Choice("b", [right])), 1), 5)
    if expected is None:
        with pytest.raises(InvalidArchitectureError, match="not positive"):
            units(expression, a=left, b=right)
        return
    try:
        counted = units(expression, a=left, b=right)
    except CountOverflowError:
        middle = left + right // 2 if name == "round" else expected
        assert not -(2**63) <= expected < 2**63 or not -(2**63) <= middle < 2**63
    else:
        assert counted == min(max(expected, 1), 5)


@pytest.mark.parametrize("value", [-(2**63) + 1, -(2**63) + 2, -(2**62), -7])
@pytest.mark.parametrize("divisor", [3, 8, 1000, 2**62])
def test_rounding_a_very_negative_number_gives_the_divisor_or_overflows(value: int, divisor: int) -> None:
    expression = ab.minimum(ab.round_to(ab.Choice("a", [value]), divisor), 10**6)
    try:
        assert units(expression, a=value) == min(divisor, 10**6)
    except CountOverflowError:
        assert value < -(2**62)


@pytest.mark.parametrize("divisor", [0, -1, ab.Choice("b", [0, -3])])
def test_divisors_that_are_not_positive_cannot_be_built(divisor: Any) -> None:
    for expression in (ab.Choice("a", [8]) // divisor, ab.round_to(ab.Choice("a", [8]), divisor)):
        with pytest.raises(InvalidArchitectureError, match=r"8 .*which is not positive"):
            units(expression, a=8)


def test_an_expression_that_a_layer_cannot_take_is_a_dead_choice() -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(ab.Int("a", 0, 3) - 1)])
    assert space.size == 2
    assert space.architecture(a=2).params == 5
    with pytest.raises(InvalidArchitectureError, match=r"'dense'.*-1"):
        space.architecture(a=0)


def test_channels_are_those_of_the_input_of_the_layer() -> None:
    expand = ab.Choice("expand", [1, 4])
    space = ab.Space(
        [
            layers.Input((8, 8, 3)),
            layers.Conv2D(ab.channels() * expand, 1, use_bias=False),
            layers.Conv2D(ab.round_to(ab.channels() * 2, 8), 1, use_bias=False),
            layers.DepthwiseConv2D(3, use_bias=False),
        ]
    )
    assert [layer.params for layer in space.architecture(expand=4).layers[1:]] == [3 * 12, 12 * 24, 9 * 24]
    first = ab.Space(
        [
            layers.Input((3, 8, 8)),
            layers.Conv2D(ab.channels(axis=0) * 2, 1, data_format="channels_first", use_bias=False),
        ]
    )
    assert first.architecture().params == 18


@pytest.mark.parametrize("axis", [1, -2, 7, 2**40])
def test_channels_of_a_missing_axis_cannot_be_built(axis: int) -> None:
    with pytest.raises(InvalidArchitectureError, match=f"axis {axis}"):
        ab.Space([layers.Input((4,)), layers.Dense(ab.channels(axis))])


@pytest.mark.parametrize("axis", ["last", None, 1.0, True, 2**80])
def test_axes_that_are_not_integers_are_refused(axis: Any) -> None:
    with pytest.raises(SpaceError, match="axis"):
        layers.Dense(ab.channels(axis))


def test_the_same_decision_ties_its_uses() -> None:
    width = ab.Choice("width", [2, 4])
    again = ab.Choice("width", (2, 4))
    space = ab.Space([layers.Input((3,)), layers.Dense(width), layers.Dense(width * 2), layers.Dense(again)])
    assert list(space.decisions) == ["width"]
    assert space.architecture(width=4).params == 16 + 5 * 8 + 9 * 4


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ab.Choice("x", [1, 2]), ab.Choice("x", [2, 1])),
        (ab.Choice("x", [1, 2]), ab.Int("x", 1, 3)),
        (ab.Choice("x", [1]), ab.Choice("x", [True])),
        (ab.Choice("x", [1, 2]), ab.Choice("x", [1.5, 2.5])),
    ],
)
def test_one_name_for_two_domains_is_refused(one: ab.Choice, other: ab.Choice) -> None:
    with pytest.raises(SpaceError, match=r"two decisions are named 'x'.*Choice|Int"):
        ab.Space([layers.Input((3,)), layers.Dense(one), layers.Activation(other.map(lambda _: "relu"))])


def test_an_int_is_the_choice_of_its_values() -> None:
    assert ab.Int("x", 16, 512, step=16).values == tuple(range(16, 513, 16))
    assert ab.Int("x", 1, 9, step=4).values == (1, 5, 9)
    assert ab.Int("x", -3, -3).values == (-3,)
    space = ab.Space([layers.Input((3,)), layers.Dense(ab.Int("x", 1, 2)), layers.Dense(ab.Choice("x", [1, 2]))])
    assert list(space.decisions) == ["x"]


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ([1, 2, 3], 1),
        ([8, 16, 24], 8),
        ([3, 2, 1], None),
        ([1, 2, 4], None),
        ([5], None),
        ([1.0, 2.0], None),
        ([False, True], None),
    ],
)
def test_the_step_of_a_progression_is_known(values: list[Any], step: int | None) -> None:
    assert ab.Choice("x", values).step == step


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "no values"),
        ([1, 2, 1], "the value 1 twice"),
        (["a", "a"], "the value 'a' twice"),
        ([None, None], "the value None twice"),
        ([1, np.int64(1)], "the value 1 twice"),
        ([[1], [2]], r"the value \[1\]"),
        ([1, object()], "the value <object"),
        ([1 + 2j], "the value"),
        ([b"a"], "the value b'a'"),
        ([float("nan")], "nan"),
        ("relu", "a sequence of values, not 'relu'"),
        (5, "a sequence of values, not 5"),
        (None, "a sequence of values, not None"),
    ],
)
def test_bad_values_of_a_decision_are_refused(values: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=f"decision 'x'.*{message}"):
        ab.Choice("x", values)


@pytest.mark.parametrize("values", [[1, 1.0], [0.5, 0.0, 0], [3.0, True, 3]])
def test_a_choice_has_no_number_twice(values: list[Any]) -> None:
    with pytest.raises(SpaceError, match=f"decision 'x' has the value {values[-1]} twice"):
        ab.Choice("x", values)


def test_truth_values_and_numbers_are_told_apart() -> None:
    decision = ab.Choice("x", [1, True, 0.0, False, "1"])
    assert [decision.index(value) for value in decision.values] == [0, 1, 2, 3, 4]
    assert [decision.index(value) for value in (1.0, np.bool_(True), 0, np.False_)] == [0, 1, 2, 3]


def test_an_integer_is_its_float_and_a_truth_value_is_no_number() -> None:
    numbers, flags = ab.Choice("x", [1, 0.0, 2.5, "1"]), ab.Choice("y", [True, False])
    for one, zero in ((1, 0), (1.0, 0.0), (np.int8(1), np.float32(0)), (np.float64(1), np.uint64(0))):
        assert (numbers.index(one), numbers.index(zero)) == (0, 1)
        for number in (one, zero):
            with pytest.raises(SpaceError, match="is not a value of decision 'y'"):
                flags.index(number)
    assert (flags.index(np.bool_(True)), flags.index(False)) == (0, 1)
    for wrong in (
        True,
        False,
        np.bool_(True),
        1.5,
        "0",
        2**53 + 1,
        np.datetime64(1, "ns"),
        np.timedelta64(1, "ns"),
        1j,
    ):
        with pytest.raises(SpaceError, match="is not a value of decision 'x'"):
            numbers.index(wrong)
    assert ab.Choice("x", [2**53 + 1]).index(2**53 + 1) == 0
    with pytest.raises(SpaceError, match="is not a value"):
        ab.Choice("x", [2**53 + 1]).index(float(2**53))


@pytest.mark.parametrize("value", [2**63, -(2**63), 10**30])
def test_values_beyond_63_bits_overflow(value: int) -> None:
    with pytest.raises(CountOverflowError, match=f"'x'.*{value}"):
        ab.Choice("x", [1, value])


@pytest.mark.parametrize("name", ["", None, 3, b"x", ("x",)])
def test_bad_names_are_refused(name: Any) -> None:
    with pytest.raises(SpaceError, match="needs a name"):
        ab.Choice(name, [1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"low": 3, "high": 2}, "low=3 exceeds high=2"),
        ({"low": 1, "high": 2, "step": 0}, "step must be at least 1, not 0"),
        ({"low": 1, "high": 2, "step": -1}, "step must be at least 1, not -1"),
        ({"low": 1.0, "high": 2}, "low must be an integer, not 1.0"),
        ({"low": 1, "high": "2"}, "high must be an integer, not '2'"),
        ({"low": True, "high": 2}, "low must be an integer, not True"),
        ({"low": 1, "high": 2, "step": None}, "step must be an integer, not None"),
        ({"low": 1, "high": 2**40}, "at most 1,048,576"),
        ({"low": 0, "high": 2**70, "step": 2**60}, "63 bits"),
    ],
)
def test_bad_ranges_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArchbudgetError, match=f"decision 'x'.*{message}"):
        ab.Int("x", **arguments)


def test_the_largest_domain_is_a_decision() -> None:
    assert len(ab.Int("x", 1, 2**20).values) == 2**20
    with pytest.raises(SpaceError, match="at most 1,048,576"):
        ab.Choice("x", range(10**12))


@pytest.mark.parametrize(
    "other", [1.5, "2", None, True, [1], ab.Choice("y", [1.5]), ab.Choice("y", ["a"]), ab.Choice("y", [True, 1])]
)
def test_expressions_are_made_of_integers(other: Any) -> None:
    for build in (lambda: ab.Int("x", 1, 2) + other, lambda: other * ab.Int("x", 1, 2), lambda: ab.minimum(other, 3)):
        with pytest.raises((SpaceError, TypeError)):
            build()


def test_an_expression_has_no_truth_and_is_no_number() -> None:
    expression = ab.Int("x", 1, 2) <= 1
    with pytest.raises(SpaceError, match="OneOf or Repeat"):
        bool(expression)
    with pytest.raises(SpaceError, match="not a number"):
        range(expression)  # type: ignore[arg-type]


def test_decisions_can_neither_be_changed_nor_lose_their_identity() -> None:
    width = ab.Int("width", 1, 3)
    with pytest.raises(AttributeError):
        width.name = "height"
    for twin in (copy.copy(width), copy.deepcopy(width), pickle.loads(pickle.dumps(width))):
        assert (twin.name, twin.values, twin.step) == (width.name, width.values, width.step)
    pair = pickle.loads(pickle.dumps([width, width]))
    assert pair[0] is pair[1]


def test_reprs_are_expressions() -> None:
    width = ab.Int("width", 8, 32, step=8)
    assert repr(width) == "Int('width', 8, 32, step=8)"
    assert repr(ab.Choice("kind", ["a", None])) == "Choice('kind', ['a', None])"
    assert repr(ab.Choice("many", range(20))) == "Choice('many', [0, 1, 2, 3, 4, 5, 6, 7, ...])"
    assert repr(ab.round_to(ab.channels() * 2)) == "round_to((channels() * 2), 8)"
    assert repr(pickle.loads(pickle.dumps(width))) == repr(width)


def test_every_argument_may_be_a_decision() -> None:
    space = ab.Space(
        [
            layers.Input((ab.Choice("side", [8, 9]), 8, 1)),
            layers.Conv2D(
                ab.Int("filters", 1, 2),
                (ab.Choice("kernel", [1, 3]), 3),
                padding=ab.Choice("padding", ["valid", "same"]),
                use_bias=ab.Choice("bias", [True, False]),
                lora_rank=ab.Choice("rank", [None, 2]),
                data_format=ab.Choice("format", ["channels_last", "channels_first"]),
            ),
            layers.BatchNormalization(axis=-1, scale=ab.Choice("scale", [True, False])),
        ]
    )
    # Read channels first, the one channel is a side of 1: only a kernel of 3 that is padded fits it.
    assert space.combinations == 2**7 * 2
    assert space.size == 2 * (2 * 2 * 2 * 2 * 2 * 2) + 2 * (2 * 2 * 2 * 2 * 2)
    values = {
        "side": 9,
        "filters": 2,
        "kernel": 3,
        "padding": "same",
        "bias": False,
        "rank": 2,
        "format": "channels_last",
        "scale": False,
    }
    arch = space.architecture(values)
    assert arch.layers[1].output_shape == (9, 8, 2)
    assert arch.to_keras().count_params() == arch.params


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: layers.Dense(ab.Choice("x", [4, 0])), "units.*0"),
        (lambda: layers.Dense(ab.Choice("x", [4, 2.5])), r"units.*2\.5"),
        (lambda: layers.Dense(ab.Choice("x", ["4"])), "units.*'4'"),
        (lambda: layers.Dense(4, use_bias=ab.Choice("x", [0, 1])), "use_bias.*0"),
        (lambda: layers.Conv2D(4, 3, padding=ab.Choice("x", ["valid", "full"])), "padding.*'full'"),
        (lambda: layers.Dropout(ab.Choice("x", [0.5, 1.5])), r"rate.*1\.5"),
    ],
)
def test_a_decision_over_values_that_an_argument_never_takes_is_refused(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        build()


SHARE = ab.Choice("share", [0.25, 0.5, True, None, "all"])
TABLE = {0.25: 4, 0.5: 8, True: 16, None: 24, "all": 32}


def test_a_decision_over_anything_is_mapped_to_integers() -> None:
    for value, expected in TABLE.items():
        assert units(SHARE.map(TABLE.__getitem__), share=value) == expected
        assert units(ab.round_to(SHARE.map(TABLE.__getitem__) * 3 + 1, 8), share=value) == make_divisible(
            3 * expected + 1, 8
        )


def test_mapped_decisions_stay_tied_and_survive_restriction_and_pickling() -> None:
    share = ab.Choice("share", [0.25, 0.5, 1.0])
    body = [layers.Dense(share.map(lambda value: round(8 * value))), layers.Dropout(share)]
    space = ab.Space([layers.Input((6,)), layers.Repeat(2, body)])
    assert list(space.decisions) == ["share_1", "share_2"]
    for same in (space, pickle.loads(pickle.dumps(space)), space.with_domains({"share_2": [0.5, 1.0]})):
        arch = same.architecture(share_1=0.5, share_2=1.0)
        assert [record.output_shape for record in arch.layers if record.type == "Dense"] == [(4,), (8,)]
        assert arch.to_keras().count_params() == arch.params == 28 + 40
    assert "map(share_1)" in arch.explain("dense")


@pytest.mark.parametrize("given", [[4], {}, object(), 3j])
def test_a_map_to_what_no_argument_takes_is_refused(given: Any) -> None:
    with pytest.raises(SpaceError, match="'share'.*must return an int, float, bool, str or None"):
        SHARE.map(lambda _: given)


@pytest.mark.parametrize("number", [0.5, "4", None])
def test_a_map_to_anything_but_integers_is_no_part_of_an_expression(number: Any) -> None:
    with pytest.raises(SpaceError, match=r"map\(share, .*must give integers"):
        SHARE.map(lambda _: number) + 1
    with pytest.raises(SpaceError, match="must be an integer"):
        layers.Dense(SHARE.map(lambda _: number))


def test_a_mapped_decision_says_what_it_is() -> None:
    assert repr(ab.Choice("share", [0.5, 1.0]).map(lambda value: round(4 * value))) == "map(share, {0.5: 2, 1.0: 4})"


def test_expressions_are_nested_at_most_200_levels_deep() -> None:
    choice = ab.Choice("size", [1, 2])
    deep = choice + 0
    while deep.depth < 198:
        deep = deep + choice
    condition = choice <= deep - choice
    assert condition.depth == 200
    space = ab.Space([layers.Input((3,)), layers.Dense(deep)], constraints=[condition])
    arch = pickle.loads(pickle.dumps(space)).architecture(size=2)
    assert arch.layers[-1].output_shape == (2 * 197,)
    assert repr(deep) in repr(condition)
    with pytest.raises(SpaceError, match="^an expression may be nested at most 200 deep; "):
        ab.both(condition, condition)


FLAGS = ab.Choice("norm", ["batch", "none"])


def test_comparisons_build_conditions_for_flags() -> None:
    for bias in (FLAGS == "none", FLAGS == "none", FLAGS != "batch", ab.equal("none", FLAGS), FLAGS.map("none".__eq__)):
        space = ab.Space([layers.Input((8, 8, 3)), layers.Conv2D(64, 3, use_bias=bias)])
        assert space.evaluate({"norm": ["batch", "none"]})["params"].tolist() == [1728, 1792]
        assert space.architecture(norm="none").to_keras().count_params() == 1792
        assert space.architecture(norm="none").layers[-1].arguments["use_bias"] is True


def test_comparisons_build_conditions_for_numbers() -> None:
    a = ab.Int("a", 1, 3)
    space = ab.Space([layers.Input((9, 9, 3)), layers.Conv2D(4, 3, strides=(a == 2) + 1)])
    assert [space.architecture(a=value).layers[-1].output_shape[0] for value in (1, 2, 3)] == [7, 4, 7]


def test_words_are_mapped() -> None:
    k = ab.Choice("k", [1, 3])
    conv = layers.Conv2D(
        4, k, padding=k.map({1: "valid", 3: "same"}.get), activation=k.map({1: "relu", 3: None}.get), name="c"
    )
    space = ab.Space([layers.Input((9, 9, 3)), conv])
    for value, padding, activation in ((1, "valid", "relu"), (3, "same", "linear")):
        real = space.architecture(k=value).to_keras().layers[-1].get_config()
        assert (real["padding"], real["activation"]) == (padding, activation)
        assert space.architecture(k=value).layers[-1].output_shape == (9, 9, 4)
    with pytest.raises(SpaceError, match=r"padding must be one of .*not 'sane'"):
        layers.Conv2D(4, k, padding=k.map({1: "valid", 3: "sane"}.get))


@pytest.mark.parametrize("given", [ab.channels(), A + 1, A == B])
def test_a_number_is_no_word(given: Any) -> None:
    with pytest.raises(SpaceError, match="data_format must be a word.*not an expression over integers"):
        layers.DepthwiseConv2D(3, data_format=given)


def test_decisions_over_any_values_are_compared_with_each_other() -> None:
    a, b = ab.Choice("a", [0.5, 1, "x", None]), ab.Choice("b", [1.0, True, "x", 0.5])
    for condition, function in ((a == b, operator.eq), (a != b, operator.ne)):
        for left, right in itertools.product(a.values, b.values):
            known = function((left is True, left), (right is True, right))
            assert condition.at({"a": left, "b": right}) == known, (left, right)
    a, b = ab.Choice("a", [0.5, 3, 1.5]), ab.Choice("b", [1, 0.25, 3.0])
    for function in (operator.lt, operator.le, operator.gt, operator.ge):
        for left, right in itertools.product(a.values, b.values):
            assert function(a, b).at({"a": left, "b": right}) == function(left, right)
    with pytest.raises(SpaceError, match="must have numbers as values"):
        ab.Choice("w", ["x"]) < a  # noqa: B015


def test_a_comparison_has_no_truth_value() -> None:
    a, b = ab.Int("a", 1, 3), ab.Int("b", 1, 3)
    for ask in (lambda: bool(a == b), lambda: a in (1, 2), lambda: min(a, b), lambda: a == b == 1):
        with pytest.raises(SpaceError, match="has no truth value"):
            ask()
    assert len({a, b, a}) == 2
    assert {a: 1, b: 2}[b] == 2
    with pytest.raises(SpaceError, match="'batc' is not a value of decision 'norm'"):
        FLAGS == "batc"  # noqa: B015


@pytest.mark.parametrize(
    ("build", "instead"),
    [
        (lambda a: a / 2, "write // for the quotient"),
        (lambda a: 2 / a, "write // for the quotient"),
        (lambda a: a * 0.5, r"width \* 3 // 4"),
        (lambda a: a & 3, "joins conditions"),
        (lambda a: (a > 1) | True, "joins conditions"),
        (lambda a: ~a, "joins conditions"),
        (lambda a: a << 1, r"2 \*\* n"),
        (lambda a: 1 >> a, "// 2"),
        (lambda a: divmod(a, 2), "% for the rest"),
        (lambda a: a @ a, r"\* for the product"),
        (lambda a: round(a, -1), "to round to tens"),
        (lambda a: float(a), "not a number before"),
        (lambda a: f"{a:>3}", "not a number before"),
    ],
)
def test_operators_that_are_not_there_name_what_is(build: Callable[[Any], Any], instead: str) -> None:
    with pytest.raises(SpaceError, match=instead):
        build(ab.Int("a", 1, 3))
    with pytest.raises(TypeError):
        list(ab.Int("a", 1, 3))


@pytest.mark.parametrize("values", [{1, 2}, frozenset(["a", "b"]), {1: 0}.items() & {(1, 0)}])
def test_values_need_an_order(values: Any) -> None:
    with pytest.raises(SpaceError, match="needs its values in an order"):
        ab.Choice("a", values)
    assert ab.Choice("a", {2: "x", 1: "y"}.keys()).values == (2, 1)


def test_steps_reach_the_upper_end() -> None:
    for high in (1, 4, 7, 10):
        assert ab.Int("u", 1, high, step=3).values[-1] == high
    with pytest.raises(SpaceError, match="steps of 3 from 1 do not reach high=9; write high=7 or high=10"):
        ab.Int("u", 1, 9, step=3)
    with pytest.raises(SpaceError, match="steps of 5 from -3 do not reach high=1; write high=-3 or high=2"):
        ab.Int("u", -3, 1, step=5)


def test_an_int_has_no_log() -> None:
    with pytest.raises(UnknownArgumentError, match=r"an Int has no log: .*Choice\('u', \[1, 2, 4, 8\]\)") as caught:
        ab.Int("u", 1, 9, log=True)  # type: ignore[call-arg]
    assert "low" not in str(caught.value)


def test_a_mapping_maps_like_a_function() -> None:
    kernel = ab.Choice("k", [1, 3, "x"])
    one = ab.Space([layers.Input((8,)), layers.Dense(kernel.map({3.0: 5, "x": 2, 1: 4}))])
    assert one == ab.Space([layers.Input((8,)), layers.Dense(kernel.map({1: 4, 3: 5, "x": 2}.get))])
    assert one.architecture(k=3).params == 45
    for entries, message in (
        ({1: 4, 3: 5}, "decision 'k': map has nothing for its value 'x'"),
        ({1: 4, 3: 5, "x": 2, "y": 1}, "'y' is not a value of decision 'k'"),
        ({1: 4, 3: 5, "x": []}, "map must return an int, float, bool, str or None, not"),
    ):
        with pytest.raises(SpaceError, match=message):
            kernel.map(entries)


WORDS, ODD_NUMBERS = ab.Choice("norm", ["batch", "none"]), ab.Choice("k", [1, 3, 5])


@pytest.mark.parametrize(
    ("compare", "message"),
    [
        (lambda: WORDS == ODD_NUMBERS, "decisions 'norm' and 'k' have no value in common"),
        (lambda: ODD_NUMBERS != WORDS, "decisions 'k' and 'norm' have no value in common"),
        (lambda: ab.Choice("n", ["btach"]) == WORDS, "decisions 'n' and 'norm' have no value in common"),
    ],
)
def test_a_comparison_that_never_holds_is_refused(compare: Callable[[], Any], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        compare()


def test_a_condition_may_become_constant_where_values_are_taken_away() -> None:
    space = ab.Space([layers.Input((8,)), layers.Dense(ODD_NUMBERS), layers.Dense(4, use_bias=ODD_NUMBERS == 5)])
    left = space.with_constraints([(ODD_NUMBERS == 5) | (ODD_NUMBERS == 3)]).with_domains({"k": [1, 3]})
    assert left.size == 1
    assert ab.Space.from_yaml(left.to_yaml()) == left
