"""The formulas of every layer, with names and with numbers, come to what the engine counts."""

from __future__ import annotations

import ast
import json
import keyword
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from random import Random
from typing import Any

import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError
from support.keras_layers import CELLS
from support.layer_records import ALL_KINDS, one_layer
from support.random_layers import random_case

VECTORS = Path(__file__).parents[1] / "vectors"


def evaluated(text: str, names: dict[str, int]) -> int:
    """The value of a formula, computed with fractions so that `ceil` and `floor` are exact."""

    def value(node: ast.AST) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return Fraction(names[node.id])
        if isinstance(node, ast.Call):
            assert isinstance(node.func, ast.Name)
            (inside,) = node.args
            return {"ceil": ceil, "floor": floor}[node.func.id](value(inside))
        assert isinstance(node, ast.BinOp)
        left, right = value(node.left), value(node.right)
        if isinstance(right, float):
            left = float(left)  # A share of a side is a product of doubles.
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.FloorDiv):
            return left // right
        assert isinstance(node.op, ast.Div)
        return Fraction(left) / Fraction(right)

    result = value(ast.parse(text, mode="eval").body)
    assert result == int(result)
    return int(result)


def check(record: ab.LayerRecord) -> int:
    """Each formula of a layer is worth what it stands for, and its names mean one number each; how many there are."""
    known: dict[str, int] = {}
    assert len(record.output_shape_formula) == len(record.output_shape)
    wanted = [
        (record.trainable_formula, record.trainable_params),
        (record.non_trainable_formula, record.non_trainable_params),
        (record.macs_formula, record.macs),
        *zip(record.output_shape_formula, record.output_shape, strict=True),
    ]
    for formula, count in wanted:
        names = dict(formula.names)
        assert len(names) == len(formula.names), formula
        for name, number in names.items():
            assert name.isidentifier(), name
            assert not keyword.iskeyword(name), name
            assert name not in ("ceil", "floor")
            assert known.setdefault(name, number) == number, (record.type, name)
        assert formula.value == count, (record.type, formula)
        assert evaluated(formula.text, {}) == count, (record.type, formula)
        assert evaluated(formula.named, names) == count, (record.type, formula)
        used = {node.id for node in ast.walk(ast.parse(formula.named)) if isinstance(node, ast.Name)}
        assert used - {"ceil", "floor"} == set(names)
    return len(wanted)


def vectors(kind: str) -> list[dict[str, Any]]:
    paths = (VECTORS / f"{kind}.json", VECTORS / f"pytorch/{kind}.json")
    known = [case for path in paths if path.exists() for case in json.loads(path.read_text(encoding="utf-8"))]
    return [case for case in known if not case.get("error", False)]


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_every_layer_has_formulas_with_names_that_come_to_its_numbers(kind: str) -> None:
    cases = vectors(kind)
    assert cases
    named = 0
    for case in cases:
        record = one_layer(kind, case["args"], case["inputs"])
        assert check(record) == 3 + len(case["output"])
        named += any(side.names for side in record.output_shape_formula)
    # An output of one value, as Dot has it, has a side without a name.
    assert named >= len(cases) / 2 or all(case["output"] in ([], [1]) for case in cases)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_formulas_of_drawn_layers_come_to_their_numbers(kind: str) -> None:
    rng, taken = Random(f"formulas of {kind}"), 0
    for _ in range(150):
        arguments, shapes = random_case(rng, kind)
        try:
            record = one_layer(kind, arguments, shapes)
        except ArchbudgetError:
            continue
        assert check(record) >= 3
        taken += 1
    assert taken


def test_cells_have_formulas_inside_of_what_walks_with_them() -> None:
    for kind in CELLS:
        cell = getattr(layers, kind)
        made = cell([layers.GRUCell(3), layers.LSTMCell(4)]) if kind == "StackedRNNCells" else cell(4)
        assert check(ab.Space([layers.Input((5, 6)), layers.RNN(made)]).architecture().layers[-1]) == 4


def test_the_formulas_of_a_convolution_are_those_of_a_textbook() -> None:
    arch = ab.Space(
        [layers.Input((28, 30, 32)), layers.Conv2D(64, 5, strides=(2, 1), name="conv"), layers.Flatten(name="flat")]
    ).architecture()
    text = arch.explain("conv")
    assert (
        "params: (kernel_height * kernel_width * input_channels + 1) * filters = (5*5*32 + 1) * 64 = 51,264\n" in text
    )
    assert (
        "macs: output_height * output_width * kernel_height * kernel_width * input_channels * filters = "
        "12*26*5*5*32*64 = 15,974,400" in text
    )
    assert (
        "output shape: (None, (input_height - kernel_height) // stride_height + 1, input_width - kernel_width + 1, "
        "filters) = (None, (28 - 5) // 2 + 1, 30 - 5 + 1, 64) = (None, 12, 26, 64)" in text
    )
    assert (
        "output shape: (None, input_axis_1 * input_axis_2 * input_axis_3) = (None, 12*26*64) = (None, 19968)"
        in arch.explain("flat")
    )


def test_sides_that_are_unknown_have_formulas_with_names() -> None:
    space = ab.Space([layers.Input((None, None, 3)), layers.Conv2D(8, 3, strides=2, padding="same", name="conv")])
    record = space.architecture().layer("conv")
    assert [side.value for side in record.output_shape_formula] == [None, None, 8]
    assert (
        "output shape: (None, ceil(input_height / stride_height), ceil(input_width / stride_width), filters) = "
        "(None, None, None, 8)" in space.architecture().explain("conv")
    )
    joined = [layers.Input((None, 3)), layers.Input((None, 4))]
    space = ab.Space(inputs=joined, outputs=layers.Concatenate(name="join")(joined))
    assert (
        "output shape: (None, inputs_0_axis_1, inputs_0_axis_2 + inputs_1_axis_2) = (None, None, 7)"
        in space.architecture().explain("join")
    )


def test_a_custom_layer_has_the_shape_that_its_function_says() -> None:
    @layers.custom
    def halved(input_shape: tuple[int, ...]) -> layers.Counts:
        return layers.Counts((input_shape[0] // 2,), trainable_params=3, macs=5)

    arch = ab.Space([layers.Input((8,)), halved(name="own")]).architecture()
    assert check(arch.layer("own")) == 4
    assert arch.explain("own").endswith("\noutput shape: (None, 4)")
