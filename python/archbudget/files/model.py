"""The content that a space file may have, and the layers that it may name."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, RootModel, StrictBool, StrictFloat, StrictInt, StrictStr

from archbudget import layers
from archbudget.layers import Cell, CustomLayer, Layer

Value = Union[StrictBool, StrictInt, StrictFloat, StrictStr, None]

PYTHON = "Python"
"""The key of an argument that is an object of Python, as `module:attribute`."""

FLOWS_IN = "input"
"""The name of the tensor that flows into a part of a graph."""

STRUCTURES = ("Call", "InputChoice", "OneOf", "Part", "Repeat", "Require", "Residual", "Sequential", "Shared")
"""The blocks that are not layers."""


class Range(BaseModel):
    """Integers from low to high, both included."""

    model_config = ConfigDict(extra="forbid")

    low: StrictInt
    high: StrictInt
    step: StrictInt = 1
    name: StrictStr | None = Field(None, description="The name of the decision, where another one has it here.")


class Values(BaseModel):
    """A list of values, for a decision with another name."""

    model_config = ConfigDict(extra="forbid")

    values: list[Value]
    name: StrictStr | None = Field(None, description="The name of the decision, where another one has it here.")


Number = Union[StrictInt, StrictFloat, StrictStr]
"""A number, also as people write it: 60k, 1.5M, 64KiB."""
Bound = Union[Number, Annotated[list[Union[Number, None]], Field(min_length=2, max_length=2)]]


class Bounds(BaseModel):
    """The bounds of metrics: an upper bound, or [low, high] with null for an open end."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Bound | None]

    params: Bound | None = None
    trainable_params: Bound | None = None
    macs: Bound | None = None
    weight_bytes: Bound | None = None
    peak_activation_bytes: Bound | None = None


class Table(BaseModel):
    """A latency table as a metric."""

    model_config = ConfigDict(extra="forbid")

    table: StrictStr | None = Field(None, description="The CSV file, relative to this one.")
    entries: list[dict[str, Any]] | None = Field(
        None, description="The entries instead of a file: mappings from what they say of layers, and a value."
    )
    column: StrictStr | None = Field(None, description="The column of the values; by default the name of the metric.")
    decimals: StrictInt = Field(0, description="The decimal point is moved to the right by this many digits.")
    combine: Literal["sum", "max"] = Field("sum", description="How the values of the layers are combined.")
    resolution: Union[StrictInt, StrictFloat, StrictStr, None] = Field(
        None,
        description="What values are multiples of, such as 1e-6 or 1/3: they may be fractions then, and negative.",
    )


class Made(RootModel[dict[Annotated[str, Field(pattern=r"^[\w.]+:[\w.]+$")], Any]]):
    """A metric that a class or function of Python makes: `module:attribute` and its arguments; it gets the name."""

    root: dict[Annotated[str, Field(pattern=r"^[\w.]+:[\w.]+$")], Any] = Field(min_length=1, max_length=1)


class SpaceFile(BaseModel):
    """A space of networks, and the search in it; it may name Python that is imported and called."""

    model_config = ConfigDict(extra="forbid", title="archbudget space")

    name: StrictStr | None = Field(None, description="The name of the space; by default that of the file.")
    objective: StrictStr | None = Field(
        None,
        description="The function that a search optimizes, as module:function, which the search imports and calls.",
    )
    budget: Bounds | None = Field(None, description="The budget of a search.")
    bytes_per_weight: StrictInt = Field(4, description="The bytes of a weight in weight_bytes.")
    bytes_per_activation: StrictInt = Field(4, description="The bytes of a value in peak_activation_bytes.")
    in_place: StrictBool = Field(
        True, description="Whether layers that work element by element write over an input in peak_activation_bytes."
    )
    space: StrictStr | None = Field(
        None,
        description="Another space instead of layers: a file, relative to this one; or module:attribute, which is "
        "imported and called, and refused with --no-code.",
    )
    decisions: dict[str, Union[Range, Values, list[Value]]] = Field(
        default_factory=dict, description="The open decisions by name: a list of values, or a range of integers."
    )
    layers: list[Any] | None = Field(None, min_length=1, description="The layers in a row, an Input first.")
    shared: dict[str, Any] = Field(
        default_factory=dict,
        description="Layers or blocks that stand at several places with one set of weights, by the names that "
        "`Shared` and `shared` of Repeat give.",
    )
    graph: dict[str, Any] | None = Field(
        None,
        min_length=1,
        description="Instead of layers in a row: tensors by name, each a layer or block and, in `of`, what it reads.",
    )
    inputs: StrictStr | list[StrictStr] | None = Field(
        None, description="The inputs of the graph in their order; by default each Input in it."
    )
    outputs: StrictStr | list[StrictStr] | None = Field(None, description="The outputs of the graph.")
    constraints: list[StrictStr] = Field(
        default_factory=list, description="Conditions between decisions, such as $width_1 <= $width_2."
    )
    metrics: dict[str, Union[Table, Made, StrictStr]] = Field(
        default_factory=dict,
        description="Custom metrics by name: a latency table; or a Metric as module:attribute, or as the class or "
        "function that makes it with its arguments, which is imported and called, and refused with --no-code.",
    )
    domains: dict[str, Union[Range, list[Value]]] = Field(
        default_factory=dict, description="The only values of some decisions to keep, by their names in the space."
    )


def layer_classes() -> dict[str, type[Layer]]:
    """The layers by name."""
    found = {name: getattr(layers, name) for name in layers.__all__}
    return {
        name: each
        for name, each in found.items()
        if isinstance(each, type) and issubclass(each, Layer) and each not in (Layer, Cell, CustomLayer)
    }


def required(layer: type[Layer]) -> list[str]:
    """The required arguments of a layer."""
    return [each.name for each in fields(layer) if each.default is MISSING]
