"""What is said of one layer of a network: the record that users read, and that metrics are asked about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archbudget._budget import BUILT_IN
from archbudget._nested import fixed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archbudget._core import LayerTrace
    from archbudget._expressions import Scalar
    from archbudget.layers import Layer

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Use:
    """A layer as a part of a program."""

    layer: Layer
    name: str
    names: dict[str, str]
    """The name in the space of each decision that the layer reads, by its own name."""
    values: tuple[tuple[Scalar, ...], ...] = ()
    """What the layer needs to know of the values of its decisions to be recorded."""


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
    use: Use, trace: LayerTrace, metrics: Sequence[str], chosen: Mapping[str, Scalar], *, connected: bool = True
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
