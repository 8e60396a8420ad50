"""The distinct layers of a space: what a table of measurements must hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from archbudget._guard import guarded, has
from archbudget._message import show
from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from archbudget._records import LayerRecord


class Layered(Protocol):
    """What has distinct layers: a space."""

    def distinct_layers(self) -> list[LayerRecord]:
        """Each distinct layer, once; inputs are left out."""
        ...


@guarded
def distinct_layers(space: Layered) -> list[LayerRecord]:
    """Each distinct layer of a space, once: what a table of measurements must hold. Inputs are left out.

    Two layers are distinct if they differ in type, hyperparameters, bits, or the shapes of inputs or output; where they
    stand does not matter. Layers of networks that a later layer refuses are among them: metrics are asked for these
    too. The space is compiled anew for it.

    Raises:
        SpaceError: If it is no space.
        LimitError: If the space is too wide to look at every arc.
    """
    if not has(space, "distinct_layers"):
        raise SpaceError(f"distinct_layers needs a Space, not {show(space)}")
    return space.distinct_layers()


class Collector:
    """A metric that only remembers the layers that it is asked for."""

    def __init__(self) -> None:
        self.found: dict[object, LayerRecord] = {}

    def __call__(self, layer: LayerRecord) -> int:
        if layer.type != "Input":
            key = (layer.type, layer.weight_bits, layer.input_shapes, layer.output_shapes)
            arguments = repr(arguments_of(layer.arguments, layer.other_arguments))
            self.found.setdefault((*key, arguments), layer)
        return 0


def arguments_of(counted: Any, others: Any) -> Any:
    """The arguments of a layer, and of those inside of it, of both kinds; without what a table cannot hold.

    Args:
        counted: Those that touch shape or cost; or a tuple of the same, of several layers.
        others: Those that touch neither.
    """
    if isinstance(counted, tuple):
        return tuple(arguments_of(*each) for each in zip(counted, others, strict=True)) if others else counted
    if isinstance(others, tuple):  # Cells that were given as a list are counted as one.
        others = {"cells": others}
    plain = (bool, int, float, str, type(None))
    inside = {name: arguments_of(counted[name], value) for name, value in others.items() if name in counted}
    return {**counted, **{name: value for name, value in others.items() if isinstance(value, plain)}, **inside}
