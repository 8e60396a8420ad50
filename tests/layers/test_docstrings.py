"""Every argument of every layer and block is described: in order, with its default, and nothing else is."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from archbudget import layers
from archbudget.layers._base import ENGINE_PARAMETERS

DESCRIBED = [
    name
    for name, each in vars(layers).items()
    if name in layers.__all__
    and (
        inspect.isfunction(each) or each is layers.Counts or (inspect.isclass(each) and issubclass(each, layers.Block))
    )
    and each not in (layers.Block, layers.Cell, layers.CustomLayer)
]
"""What a user calls with arguments; a custom layer has those of its function."""
REAL = [
    name
    for name in DESCRIBED
    if inspect.isclass(getattr(layers, name))
    and issubclass(getattr(layers, name), layers.Layer)
    and name not in ("Input", "Layer")
]
"""The layers that read a tensor."""
COUNTED = {
    "bin_boundaries": "the engine is told how many there are",
    "return_state": "it makes further outputs",
}
"""Arguments that the engine does not know, but what follows from them."""
COMMON = re.compile(r"name|weight_bits|data_format|seed|dtype|use_cudnn|unroll|\w+_(initializer|regularizer)")
"""Arguments that mean the same in every layer."""


def arguments(name: str) -> dict[str, str]:
    """The arguments in the docstring of a layer, each with its description."""
    text = inspect.getdoc(getattr(layers, name)) or ""
    section = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    found: dict[str, str] = {}
    for line in section[1].splitlines() if section else []:
        if begin := re.match(r"    (\w+): (.*)", line):
            found[begin[1]] = begin[2]
        elif line.strip():
            found[list(found)[-1]] += f" {line.strip()}"
    return found


def shown(default: Any) -> str:
    return f'"{default}"' if isinstance(default, str) else repr(default)


@pytest.mark.parametrize("name", DESCRIBED)
def test_every_argument_is_described_in_order_with_its_default(name: str) -> None:
    described = arguments(name)
    taken = inspect.signature(getattr(layers, name)).parameters
    assert list(described) == list(taken)
    for argument, parameter in taken.items():
        text = described[argument]
        assert text[0].isupper() or text[0] == "`", argument
        if parameter.default is parameter.empty:
            assert "Default:" not in text, argument
        else:
            assert text.endswith(f" Default: `{shown(parameter.default)}`."), argument


@pytest.mark.parametrize("name", REAL)
def test_every_layer_says_its_shapes_and_costs(name: str) -> None:
    lines = (inspect.getdoc(getattr(layers, name)) or "").split("\nArgs:")[0].splitlines()
    begun = [line.split(":")[0] for line in lines if re.match(r"(Input shape|Output shape|Weights|MACs): ", line)]
    assert begun[:2] == ["Input shape", "Output shape"]
    assert begun[2:] in (["Weights", "MACs"], ["MACs"]) or "no MACs" in " ".join(lines)


def test_arguments_common_to_all_layers_are_described_alike() -> None:
    said: dict[str, set[str]] = {}
    for name in REAL:
        for argument, text in arguments(name).items():
            if COMMON.fullmatch(argument):
                said.setdefault(argument, set()).add(text.split(" Default: ")[0])
    assert {argument: texts for argument, texts in said.items() if len(texts) > 1} == {}
    assert len(said) > 20


@pytest.mark.parametrize("name", REAL)
def test_layers_that_change_no_count_say_so(name: str) -> None:
    layer = getattr(layers, name)
    counted = {*ENGINE_PARAMETERS[name], *layer.LAYERS, *COUNTED, "name", "trainable", "weight_bits"}
    for argument, text in arguments(name).items():
        if "Kept for Keras." in text:
            assert argument not in counted, argument
        elif argument not in counted:
            assert re.search(r"changes no count|touches neither shape nor cost", text), f"{argument}: {text}"
