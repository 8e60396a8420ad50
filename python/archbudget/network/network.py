"""A network in the form that exporters and texts read: its calls of layers, with all aliases of tensors resolved."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from archbudget._budget import BUILT_IN, SIDED
from archbudget._expressions import Expression
from archbudget._message import listed, with_nearest
from archbudget._records import layer_record, unknown
from archbudget._unit import PLAIN
from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archbudget._core import Trace
    from archbudget._expressions import Scalar
    from archbudget._records import LayerRecord, Use
    from archbudget._unit import Unit
    from archbudget.layers import Layer


@dataclass(frozen=True)
class Call:
    """One call of a layer."""

    use: Use
    """The layer as a part of its space."""
    record: LayerRecord
    """The arguments, shapes and costs of the call."""
    args: Mapping[str, Any]
    """The hyperparameters that touch shape or cost, in the form that the engine returns."""
    chosen: Mapping[str, Scalar]
    """The values of the decisions that the layer reads, by their names in the layer."""
    inputs: tuple[int, ...]
    """The tensors that the call reads, each by the number with which a call wrote it."""
    outputs: tuple[int, ...]
    """The tensors that the call writes."""

    @property
    def layer(self) -> Layer:
        """The layer; calls of one layer share its weights."""
        return self.use.layer

    @property
    def name(self) -> str:
        """The name of the layer in its space, which no other layer has."""
        return self.use.name

    @property
    def weights(self) -> str:
        """The name of the layer that has its weights: calls of one layer with other options share them."""
        return self.use.weights

    @cached_property
    def options(self) -> dict[str, Any]:
        """The options of the call, such as `use_causal_mask`, without those that are off."""
        return self.layer.call_options(self.counted, self.chosen)

    @cached_property
    def counted(self) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost, in the form of the record."""
        return self.layer.recorded(self.args, self.use.values)

    def text(self, expression: Expression) -> str:
        """The text of an expression of the layer, with decisions named as in the space."""
        return expression.text(self.use.names)

    def setting(self, argument: str) -> str | None:
        """The decision, or the expression over decisions, that sets an argument; `None` for a constant.

        Decisions are named as in the space. An argument of an inner layer has a path, such as `layer.units`.
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
        trace: The network as the engine traced it.
        uses: The layers of the space, by their positions.
        outputs: The output tensors of the space.
        metrics: The names of the metrics, in the order of the costs.
        values: The values of the active decisions, by their names in the space.
        units: The units of the metrics that have some.
    """

    def __init__(
        self,
        trace: Trace,
        uses: Sequence[Use],
        outputs: Sequence[int],
        metrics: Sequence[str],
        values: Mapping[str, Scalar],
        units: Mapping[str, Unit],
    ) -> None:
        self.metrics = tuple(metrics)
        hidden = unknown(uses)
        self.costs = {
            metric: units.get(metric, PLAIN).number(cost)
            for metric, cost in zip(metrics, trace.cost, strict=True)
            if not (hidden and metric in SIDED)
        }
        """The value of each metric that is known."""
        self._sources = {target: source for source, target in trace.aliases}
        made = []
        for each in trace.layers:
            use = uses[each.layer]
            chosen = use.chosen(values)
            record = layer_record(use, each, metrics, chosen, sided=not hidden, units=units)
            inputs = tuple(self.source(tensor) for tensor in record.inputs)
            made.append(Call(use, record, each.args, chosen, inputs, record.outputs))
        self.calls = tuple(made)
        """The layers in the order in which they are applied."""
        self.inputs = tuple(call.outputs[0] for call in made if call.layer.kind == "Input")
        """The input tensors."""
        self.outputs = tuple(self.source(tensor) for tensor in outputs)
        """The output tensors."""
        self._writers = {tensor: call for call in made for tensor in call.outputs}

    @property
    def custom(self) -> tuple[str, ...]:
        """The custom metrics."""
        return tuple(metric for metric in self.metrics if metric not in BUILT_IN)

    @cached_property
    def unread(self) -> tuple[Call, ...]:
        """The calls of layers that lead to no output, which real models of Keras do not have."""
        needed = set(self.outputs)
        left = []
        for call in reversed(self.calls):
            if call.layer.kind == "Input" or not needed.isdisjoint(call.outputs):
                needed.update(call.inputs)
            else:
                left.append(call)
        return tuple(reversed(left))

    def source(self, tensor: int) -> int:
        """The number with which a tensor was written, through all of its aliases."""
        while tensor in self._sources:
            tensor = self._sources[tensor]
        return tensor

    def producer(self, tensor: int) -> Call | None:
        """The call that wrote a tensor; `None` for an unknown number."""
        return self._writers.get(self.source(tensor))

    def call(self, name: str) -> Call:
        """The first call of a layer.

        Raises:
            SpaceError: If no layer of this network has the name.
        """
        for call in self.calls:
            if call.name == name:
                return call
        names = [call.name for call in self.calls]
        raise SpaceError(
            f"no layer of this network is named {with_nearest(name, names)}; the layers are {listed(names)}"
        )
