"""The distinct layers of a space, which a table of measurements must hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from archbudget._guard import guarded, has
from archbudget._message import show
from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from archbudget._records import LayerRecord


class Layered(Protocol):
    """A space, which has distinct layers."""

    def distinct_layers(self) -> list[LayerRecord]:
        """Each distinct layer once, without inputs."""
        ...


@guarded
def distinct_layers(space: Layered) -> list[LayerRecord]:
    """Each distinct layer of a space once, without inputs: the layers that a table of measurements must hold.

    Two layers are distinct if they differ in type, hyperparameters, bits, or the shapes of inputs or outputs; their
    position in the network does not matter. Layers of networks that a later layer refuses are included, as metrics are
    asked for them, too. It compiles the space once more, which releases the GIL except while it collects layers.

    Raises:
        SpaceError: If it is not a space.
        LimitError: If the space is too wide to look at every arc.

    Example:
        >>> import archbudget as ab
        >>> records = list(ab.metrics.distinct_layers(ab.spaces.lenet()))
        >>> sum(record.type == "Conv2D" for record in records)
        2352
    """
    if not has(space, "distinct_layers"):
        raise SpaceError(f"distinct_layers needs a Space, not {show(space)}")
    return space.distinct_layers()


class Collector:
    """A function of a metric that only remembers the layers it is called with."""

    def __init__(self) -> None:
        self.found: dict[object, LayerRecord] = {}

    def __call__(self, layer: LayerRecord) -> int:
        if layer.type != "Input":
            key = (layer.type, layer.weight_bits, layer.input_shapes, layer.output_shapes)
            arguments = repr(arguments_of(layer.arguments, layer.other_arguments))
            self.found.setdefault((*key, arguments), layer)
        return 0


def arguments_of(counted: Any, others: Any) -> Any:
    """All arguments of a layer and of its inner layers, without those that a table cannot hold.

    Args:
        counted: The arguments that touch shape or cost; or a tuple of such dicts, for several layers.
        others: The arguments that touch neither.
    """
    if isinstance(counted, tuple):
        return tuple(arguments_of(*each) for each in zip(counted, others, strict=True)) if others else counted
    if isinstance(others, tuple):  # Cells given as a list are counted as one cell.
        others = {"cells": others}
    plain = (bool, int, float, str, type(None))
    inside = {name: arguments_of(counted[name], value) for name, value in others.items() if name in counted}
    return {**counted, **{name: value for name, value in others.items() if isinstance(value, plain)}, **inside}
