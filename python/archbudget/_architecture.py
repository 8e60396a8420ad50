"""One candidate: a network with every decision taken."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from archbudget._budget import METRICS
from archbudget._expressions import Expression
from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from archbudget import _core
    from archbudget._expressions import Scalar
    from archbudget._space import Space

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Formula:
    """A count and where it comes from."""

    text: str
    """The formula, such as `(5*5*32 + 1) * 64`."""
    value: int
    """What it comes to."""
    numbers: tuple[tuple[int, str], ...]
    """Each number in it, with what it stands for."""


@dataclass(frozen=True)
class LayerRecord:
    """One layer of a network: what flows in and out, and what it costs."""

    name: str
    type: str
    """The name of the layer in `keras.layers`."""
    arguments: dict[str, Any]
    """The hyperparameters that touch shape or cost, by value. A layer inside is a dict of its own, with its `type`."""
    input_shapes: tuple[Shape, ...]
    """The batch axis is not counted."""
    output_shape: Shape
    """The batch axis is not counted."""
    params: int
    trainable_params: int
    macs: int
    weight_bytes: int
    peak_activation_bytes: int
    """The bytes of the activations alive while it runs."""
    reused: bool
    """Whether an earlier use of the same layer counted its weights."""
    trainable_formula: Formula
    non_trainable_formula: Formula
    macs_formula: Formula
    inputs: tuple[int, ...]
    """The tensors it reads, by their number in the program."""
    output: int
    """The tensor it writes, by its number in the program."""

    @property
    def non_trainable_params(self) -> int:
        """The weights that training does not change."""
        return self.params - self.trainable_params


class Architecture(Mapping[str, "Scalar"]):
    """One network of a space: a read-only mapping from the names of its active decisions to their values.

    Made by [`Space.architecture`][archbudget.Space.architecture], `Space.suggest` and `Candidates[i]`.
    """

    def __init__(self, space: Space, indices: tuple[int, ...], trace: _core.Trace) -> None:
        self.space = space
        """The space that it is a network of."""
        self.indices = tuple(index if active else 0 for index, active in zip(indices, trace.active, strict=True))
        """For each decision of the space the index of its value; 0 where the decision is inactive."""
        self._trace = trace
        decisions = zip(space.decisions.values(), self.indices, trace.active, strict=True)
        names = iter(space.decisions)
        self._values = {
            name: decision.values[index]
            for name, (decision, index, active) in zip(names, decisions, strict=True)
            if active
        }

    def __getitem__(self, name: str) -> Scalar:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Architecture):
            return self.space is other.space and self.indices == other.indices
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.indices)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.items())
        return f"<Architecture {values}: {self.params:,} params, {self.macs:,} macs>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (self.space, self.indices))

    @property
    def costs(self) -> dict[str, int]:
        """The value of each metric."""
        return dict(zip(METRICS, self._trace.cost, strict=True))

    @property
    def params(self) -> int:
        """The weights: what `keras.Model.count_params()` returns."""
        return self._trace.cost[0]

    @property
    def trainable_params(self) -> int:
        """The trained weights: what `sum(p.numel() for p in torch_model.parameters())` returns."""
        return self._trace.cost[1]

    @property
    def macs(self) -> int:
        """The multiply-accumulates for one input."""
        return self._trace.cost[2]

    @property
    def weight_bytes(self) -> int:
        """The bytes of the weights."""
        return self._trace.cost[3]

    @property
    def peak_activation_bytes(self) -> int:
        """The bytes of the activations alive at once, at their most."""
        return self._trace.cost[4]

    @cached_property
    def layers(self) -> tuple[LayerRecord, ...]:
        """One record for each layer, in the order in which they are applied."""
        return tuple(self._record(trace) for trace in self._trace.layers)

    def _record(self, trace: _core.LayerTrace) -> LayerRecord:
        def formula(parts: tuple[str, int, list[tuple[int, str]]]) -> Formula:
            return Formula(parts[0], parts[1], tuple(parts[2]))

        use = self.space._uses[trace.layer]
        return LayerRecord(
            name=use.name,
            type=use.layer.kind,
            arguments=_frozen(trace.args),
            input_shapes=tuple(tuple(shape) for shape in trace.input_shapes),
            output_shape=tuple(trace.output_shape),
            **dict(zip(METRICS, trace.cost, strict=True)),
            reused=trace.reused,
            trainable_formula=formula(trace.trainable),
            non_trainable_formula=formula(trace.non_trainable),
            macs_formula=formula(trace.macs),
            inputs=tuple(trace.inputs),
            output=trace.output,
        )

    def layer(self, name: str) -> LayerRecord:
        """The record of a layer.

        Raises:
            SpaceError: If no layer of this network has the name.
        """
        for record in self.layers:
            if record.name == name:
                return record
        known = ", ".join(record.name for record in self.layers)
        raise SpaceError(f"no layer of this network is named {name!r}; the layers are {known}")

    def summary(self) -> str:
        """The table that Keras users know: each layer with its output shape, its weights and its MACs."""
        from archbudget._summary import summary

        return summary(self)

    def explain(self, layer: str | None = None) -> str:
        """Where the weights of a layer come from, or of every layer.

        Args:
            layer: The name of a layer; without it each layer is explained.

        Raises:
            SpaceError: If no layer of this network has the name.
        """
        from archbudget._explain import explain

        records = self.layers if layer is None else (self.layer(layer),)
        return "\n\n".join(explain(self, record) for record in records)

    def producer(self, tensor: int) -> LayerRecord | None:
        """The layer that wrote a tensor, however often it was handed on."""
        aliases = {target: source for source, target in self._trace.aliases}
        while tensor in aliases:
            tensor = aliases[tensor]
        return next((record for record in reversed(self.layers) if record.output == tensor), None)

    def setting(self, record: LayerRecord, argument: str) -> str | None:
        """The decision, or the expression over decisions, that sets an argument of a layer; `None` for a constant.

        Decisions are named as in the space. An argument of a layer inside stands behind its place, as `layer.units`.
        """
        use = next(use for use in self.space._uses if use.name == record.name)
        given: Any = use.layer
        for part in re.findall(r"\w+", argument):
            if isinstance(given, (list, tuple)):
                given = given[int(part)] if part.isdigit() else given
            else:
                given = given.arguments().get(part)
        return given.text(use.names) if isinstance(given, Expression) else None

    def to_keras(self) -> Any:
        """The real, trainable model: a functional `keras.Model`, built and uncompiled.

        Raises:
            ImportError: If Keras is not installed (`pip install archbudget[keras]`).
        """
        from archbudget._keras import build

        return build(self)

    def chosen_in(self, layer: int) -> dict[str, Scalar]:
        """The values of the decisions that a layer reads, by the names that they have inside of it."""
        names = self.space._uses[layer].names
        return {own: self._values[name] for own, name in names.items() if name in self._values}


def _frozen(value: Any) -> Any:
    """A value of an argument: lists as tuples."""
    if isinstance(value, dict):
        return {name: _frozen(each) for name, each in value.items()}
    return tuple(_frozen(each) for each in value) if isinstance(value, list) else value


def _restore(space: Space, indices: tuple[int, ...]) -> Architecture:
    return space._architecture(indices)
