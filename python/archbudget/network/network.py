"""A network as exporters and texts read it: its layers at work, with every second name of a tensor resolved."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from archbudget._budget import BUILT_IN
from archbudget._expressions import Expression
from archbudget._message import listed, show
from archbudget._records import layer_record
from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archbudget._core import Trace
    from archbudget._expressions import Scalar
    from archbudget._records import LayerRecord, Use
    from archbudget.layers import Layer


@dataclass(frozen=True)
class Call:
    """One layer at work."""

    use: Use
    """The layer as a part of its space."""
    record: LayerRecord
    """What flows in and out, and what it costs."""
    args: Mapping[str, Any]
    """The hyperparameters that touch shape or cost, as the engine gives them."""
    chosen: Mapping[str, Scalar]
    """The values of the decisions that the layer reads, by the names that they have inside of it."""
    inputs: tuple[int, ...]
    """The tensors that it reads, each by the number with which a call wrote it."""
    outputs: tuple[int, ...]
    """The tensors that it writes."""

    @property
    def layer(self) -> Layer:
        """The layer; calls with one layer share its weights."""
        return self.use.layer

    @property
    def name(self) -> str:
        """The name of the layer in its space, which no other layer has."""
        return self.use.name

    @cached_property
    def counted(self) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost, as the layer records them."""
        return self.layer.recorded(self.args, self.use.values)

    def text(self, expression: Expression) -> str:
        """An expression of the layer, with decisions named as in the space."""
        return expression.text(self.use.names)

    def setting(self, argument: str) -> str | None:
        """The decision, or the expression over decisions, that sets an argument; `None` for a constant.

        Decisions are named as in the space. An argument of a layer inside stands behind its place, as `layer.units`.
        """
        given: Any = self.layer
        for part in re.findall(r"\w+", argument):
            if isinstance(given, (list, tuple)):
                given = given[int(part)] if part.isdigit() else given
            else:
                given = given.arguments().get(part)
        return self.text(given) if isinstance(given, Expression) else None


class Network:
    """One network of a space.

    Args:
        trace: What the engine says of it.
        uses: The layers of the space, by their positions.
        outputs: The tensors that the space returns.
        metrics: What is counted, in the order of the costs.
        values: The values of the active decisions, by their names in the space.
    """

    def __init__(
        self,
        trace: Trace,
        uses: Sequence[Use],
        outputs: Sequence[int],
        metrics: Sequence[str],
        values: Mapping[str, Scalar],
    ) -> None:
        self.metrics = tuple(metrics)
        self.costs = dict(zip(metrics, trace.cost, strict=True))
        """The value of each metric."""
        self._sources = {target: source for source, target in trace.aliases}
        made = []
        for each in trace.layers:
            use = uses[each.layer]
            chosen = {own: values[name] for own, name in use.names.items() if name in values}
            record = layer_record(use, each, metrics, chosen)
            inputs = tuple(self.source(tensor) for tensor in record.inputs)
            made.append(Call(use, record, each.args, chosen, inputs, record.outputs))
        self.calls = tuple(made)
        """The layers in the order in which they are applied."""
        self.inputs = tuple(call.outputs[0] for call in made if call.layer.kind == "Input")
        """The tensors with which the network begins."""
        self.outputs = tuple(self.source(tensor) for tensor in outputs)
        """The tensors that it returns."""
        self._writers = {tensor: call for call in made for tensor in call.outputs}

    @property
    def custom(self) -> tuple[str, ...]:
        """The metrics beside the built-in ones."""
        return tuple(metric for metric in self.metrics if metric not in BUILT_IN)

    def source(self, tensor: int) -> int:
        """The number with which a tensor was written, however often it was handed on under other ones."""
        while tensor in self._sources:
            tensor = self._sources[tensor]
        return tensor

    def producer(self, tensor: int) -> Call | None:
        """The call that wrote a tensor."""
        return self._writers.get(self.source(tensor))

    def call(self, name: str) -> Call:
        """The first call of a layer.

        Raises:
            SpaceError: If no layer of this network has the name.
        """
        for call in self.calls:
            if call.name == name:
                return call
        known = listed(call.name for call in self.calls)
        raise SpaceError(f"no layer of this network is named {show(name)}; the layers are {known}")
