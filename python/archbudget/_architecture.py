"""One candidate: a network with every decision taken."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from archbudget._budget import BUILT_IN
from archbudget._expressions import Expression
from archbudget._guard import guards
from archbudget._message import listed, show
from archbudget._nested import fixed
from archbudget.errors import SpaceError, UnknownNameError

if TYPE_CHECKING:
    from archbudget import _core
    from archbudget._expressions import Scalar
    from archbudget._program import Use
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
    """The hyperparameters that touch shape or cost, by value. A layer inside of another one is a dict of its own, with
    its `type`."""
    input_shapes: tuple[Shape, ...]
    """The batch axis is not counted."""
    output_shape: Shape
    """The batch axis is not counted. Of several outputs that of the first."""
    output_shapes: tuple[Shape, ...]
    """Those of all outputs: a layer with `return_state=True` has its states behind its output."""
    other_arguments: dict[str, Any]
    """The arguments that touch neither shape nor cost, by value, without those at their default: an activation, say."""
    weight_bits: int
    """What one of its weights takes."""
    params: int
    trainable_params: int
    macs: int
    weight_bytes: int
    peak_activation_bytes: int
    """The bytes of the activations alive while it runs: what it reads and makes, what later layers read, and the
    outputs made so far."""
    custom: dict[str, int]
    """The value of each metric of the space's own."""
    reused: bool
    """Whether an earlier use of the same layer counted its weights."""
    trainable_formula: Formula
    non_trainable_formula: Formula
    macs_formula: Formula
    inputs: tuple[int, ...]
    """The tensors it reads, by their number in the program."""
    output: int
    """The tensor it writes, by its number in the program; the first of several."""
    outputs: tuple[int, ...]
    """All tensors it writes."""

    @property
    def non_trainable_params(self) -> int:
        """The weights that training does not change."""
        return self.params - self.trainable_params


def layer_record(
    use: Use, trace: _core.LayerTrace, metrics: Sequence[str], chosen: Mapping[str, Scalar], *, connected: bool = True
) -> LayerRecord:
    """The record of a layer.

    Args:
        use: The layer.
        trace: What the engine says of it.
        metrics: The metrics that it has values of.
        chosen: The values of the decisions that it reads, by the names that they have inside of it.
        connected: Whether the record says which tensors it reads and writes.
    """

    def formula(parts: tuple[str, int, list[tuple[int, str]]]) -> Formula:
        return Formula(parts[0], parts[1], tuple(parts[2]))

    cost = dict(zip(metrics, trace.cost, strict=True))
    return LayerRecord(
        name=use.name,
        type=use.layer.kind,
        arguments=fixed(_set(use.layer.recorded(trace.args, use.values))),
        input_shapes=tuple(tuple(shape) for shape in trace.input_shapes),
        output_shape=tuple(trace.output_shape),
        output_shapes=(tuple(trace.output_shape), *(tuple(shape) for _, shape in trace.extra)),
        other_arguments=fixed(use.layer.other_arguments(chosen)),
        weight_bits=trace.bits,
        **{metric: cost.pop(metric) for metric in BUILT_IN},
        custom=fixed(cost),
        reused=trace.reused,
        trainable_formula=formula(trace.trainable),
        non_trainable_formula=formula(trace.non_trainable),
        macs_formula=formula(trace.macs),
        inputs=tuple(trace.inputs) if connected else (),
        output=trace.output if connected else -1,
        outputs=(trace.output, *(tensor for tensor, _ in trace.extra)) if connected else (),
    )


def _set(arguments: dict[str, Any]) -> dict[str, Any]:
    """Hyperparameters as the layer takes them: `None` where nothing is set, integers where `padding` is so."""

    def one(value: Any) -> Any:
        if isinstance(value, dict):
            return _set(value)
        if not isinstance(value, tuple):
            return value
        return None if value and all(each is None for each in value) else tuple(one(each) for each in value)

    given = {name: one(value) for name, value in arguments.items()}
    explicit = given.pop("explicit_padding", None)
    if explicit is not None:
        axes = len(given["kernel_size"] if "kernel_size" in given else given["pool_size"])
        given["padding"] = explicit if len(explicit) == axes else tuple(zip(explicit[::2], explicit[1::2], strict=True))
    return given


@guards(but=["to_keras", "to_torch"])
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
        if name not in self._values:
            raise UnknownNameError(f"{show(name)} is no active decision; there are {listed(self) or 'none'}")
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
        return dict(zip(self.space.metrics, self._trace.cost, strict=True))

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
        return tuple(
            layer_record(self.space._uses[trace.layer], trace, self.space.metrics, self.chosen_in(trace.layer))
            for trace in self._trace.layers
        )

    def layer(self, name: str) -> LayerRecord:
        """The record of a layer.

        Raises:
            SpaceError: If no layer of this network has the name.
        """
        for record in self.layers:
            if record.name == name:
                return record
        known = listed(record.name for record in self.layers)
        raise SpaceError(f"no layer of this network is named {show(name)}; the layers are {known}")

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
        return next((record for record in reversed(self.layers) if tensor in record.outputs), None)

    def setting(self, record: LayerRecord, argument: str) -> str | None:
        """The decision, or the expression over decisions, that sets an argument of a layer; `None` for a constant.

        Decisions are named as in the space. An argument of a layer inside stands behind its place, as `layer.units`.
        """
        given: Any = self.use_of(record).layer
        for part in re.findall(r"\w+", argument):
            if isinstance(given, (list, tuple)):
                given = given[int(part)] if part.isdigit() else given
            else:
                given = given.arguments().get(part)
        return self.text(record, given) if isinstance(given, Expression) else None

    def text(self, record: LayerRecord, expression: Expression) -> str:
        """An expression of a layer, with decisions named as in the space."""
        return expression.text(self.use_of(record).names)

    def use_of(self, record: LayerRecord) -> Use:
        """The layer that a record is of, as a part of its space."""
        return next(use for use in self.space._uses if use.name == record.name)

    def to_keras(self) -> Any:
        """The real, trainable model: a functional `keras.Model`, built and uncompiled.

        Raises:
            ImportError: If Keras is not installed (`pip install archbudget[keras]`).
            SpaceError: If a layer has an option that only PyTorch has, such as an integer as `padding`.
        """
        from archbudget._keras import build

        return build(self)

    def to_torch(self) -> Any:
        """The real, trainable module: an `nn.Module` with one module for each layer, under the name of the layer.

        It takes the inputs of the space as positional arguments, each of shape `(batch, *shape)` in the layout that
        the space describes (channels last, unless `data_format` says otherwise), and returns the output, or a tuple of
        the outputs. `sum(p.numel() for p in model.parameters() if p.requires_grad)` is `trainable_params`; weights that
        are not trained are parameters that need no gradient, or buffers. Weights start as the initializers of the
        layers say. Seeds are those of PyTorch: `torch.manual_seed`.

        Raises:
            ImportError: If PyTorch is not installed (`pip install archbudget[torch]`).
            SpaceError: If a layer or an argument has no equivalent in PyTorch, such as a regularizer.
        """
        from archbudget._torch import build

        return build(self)

    def chosen_in(self, layer: int) -> dict[str, Scalar]:
        """The values of the decisions that a layer reads, by the names that they have inside of it."""
        names = self.space._uses[layer].names
        return {own: self._values[name] for own, name in names.items() if name in self._values}


def _restore(space: Space, indices: tuple[int, ...]) -> Architecture:
    return space._architecture(indices)
