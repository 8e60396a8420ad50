"""The record of one layer of a network, which users read, and with which metrics are called."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Union

from archbudget._budget import BUILT_IN
from archbudget._message import show
from archbudget._nested import fixed
from archbudget._unit import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from archbudget._core import LayerTrace
    from archbudget._expressions import Scalar
    from archbudget._unit import Unit
    from archbudget.layers import Layer

NO_UNITS: Mapping[str, Unit] = MappingProxyType({})

Shape = tuple[Union[int, Any], ...]
"""The sides of a tensor; `None` for one that is unknown."""

_Parts = tuple[str, int, list[tuple[int, str]], str, list[tuple[str, int]]]
"""A formula in the form of the engine."""

Place = tuple[int, int]
"""A layer by its position in a program, and the number of a layer inside of it, or 0."""


@dataclass(frozen=True)
class Use:
    """A layer as a part of a program."""

    layer: Layer
    name: str
    names: dict[str, str]
    """The name in the space of each decision that the layer reads, by its name in the layer."""
    values: tuple[tuple[Scalar, ...], ...] = ()
    """The values of decisions that the layer needs for its record."""
    weights: str = ""
    """The name of the layer that has its weights, which is mostly its own."""
    place: Place = (0, 0)
    """Where its weights were described first."""
    inside: dict[Layer, Place] = field(default_factory=dict)
    """The same for the layers inside of it, but for those of which Keras takes a copy."""

    def chosen(self, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """The values of the decisions that the layer reads, by their own names; those of inactive ones are not there.

        Args:
            values: The values of the active decisions of a network, by their names in the space.
        """
        return {own: values[name] for own, name in self.names.items() if name in values}


@dataclass(frozen=True)
class Formula:
    """A count, or a side of a shape, and the formula behind it. It never changes.

    Example:
        >>> import archbudget as ab
        >>> layer = ab.spaces.lenet().architecture(f1=32, k1=5, f2=64, k2=5, units=128).layer("conv2d_1")
        >>> layer.macs_formula.text, layer.macs_formula.value
        ('8*8*5*5*32*64', 3276800)
    """

    text: str
    """The formula, such as `(5*5*32 + 1) * 64`; where a side of an input is unknown, that with names."""
    value: int | Any
    """The value of the formula; `None` where it depends on a side that is unknown."""
    numbers: tuple[tuple[int, str], ...]
    """Each number in the formula, with its meaning; none where a side of an input is unknown."""
    named: str = ""
    """The formula with names, such as `(kernel_height * kernel_width * input_channels + 1) * filters`: an
    expression of Python with `//`, and with `ceil` and `floor`, which take fractions here. Numbers that are no sizes,
    such as the 1 of a bias, stay as they are."""
    names: tuple[tuple[str, int], ...] = ()
    """The value of each name; none where a side of an input is unknown."""


@dataclass(frozen=True)
class LayerRecord:
    """One layer of a network: its arguments, its shapes and its costs. A record never changes: any thread may read it.

    Shapes do not have the batch axis.

    Example:
        >>> import archbudget as ab
        >>> layer = ab.spaces.lenet().architecture(f1=32, k1=5, f2=64, k2=5, units=128).layer("conv2d_1")
        >>> layer.type, layer.output_shape, layer.params
        ('Conv2D', (8, 8, 64), 51264)
    """

    name: str
    """The name of the layer in the space."""
    type: str
    """The name of the layer in `keras.layers` or `archbudget.layers`, or that of the function of a custom layer."""
    arguments: dict[str, Any]
    """The hyperparameters that touch shape or cost, by name. An inner layer is a nested dict with its `type`."""
    input_shapes: tuple[Shape, ...]
    """The shape of each input."""
    output_shape: Shape
    """The shape of the output; with several outputs, of the first."""
    output_shapes: tuple[Shape, ...]
    """The shape of each output: a layer with `return_state=True` has its states after its output."""
    other_arguments: dict[str, Any]
    """The arguments that touch neither shape nor cost, such as an activation, by name, without defaults."""
    weight_bits: int
    """The bits of each of its weights."""
    params: int
    """The number of its weights; 0 if `reused`."""
    trainable_params: int
    """The number of its trained weights; 0 if `reused`."""
    macs: int | Any
    """Its multiply-accumulates for one input; `None` where they depend on a side that is unknown."""
    weight_bytes: int
    """The bytes of its weights; 0 if `reused`."""
    peak_activation_bytes: int | Any
    """The bytes of the activations alive while it runs: its inputs and outputs, the tensors that later layers read, and
    the outputs of the network made so far; `None` where a side of an input of the network is unknown."""
    custom: dict[str, Any]
    """The value of each custom metric of the space, by name."""
    reused: bool
    """Whether an earlier use of the same layer counted its weights."""
    reused_inside: bool
    """Whether an earlier use counted those of a layer inside of it."""
    trainable_formula: Formula
    """The formula of `trainable_params`."""
    non_trainable_formula: Formula
    """The formula of `non_trainable_params`."""
    macs_formula: Formula | Any
    """The formula of `macs`, `None` if they are unknown."""
    output_shape_formula: tuple[Formula, ...]
    """The formula of each side of `output_shape`."""
    inputs: tuple[int, ...]
    """The tensors that it reads, by their numbers in the program."""
    output: int
    """The tensor that it writes, by its number in the program; the first of several."""
    outputs: tuple[int, ...]
    """All tensors that it writes."""

    @property
    def non_trainable_params(self) -> int:
        """The number of weights that training does not change."""
        return self.params - self.trainable_params


def layer_record(
    use: Use,
    trace: LayerTrace,
    metrics: Sequence[str],
    chosen: Mapping[str, Scalar],
    *,
    connected: bool = True,
    sided: bool = True,
    units: Mapping[str, Unit] = NO_UNITS,
) -> LayerRecord:
    """The record of a layer.

    Args:
        use: The layer.
        trace: The layer as the engine traced it.
        metrics: The metrics whose values the trace has.
        chosen: The values of the decisions that the layer reads, by their names in the layer.
        connected: Whether the record has the tensors that the layer reads and writes.
        sided: Whether the sides of all inputs of the network are known.
        units: The units of the metrics that have some.
    """

    def formula(parts: _Parts) -> Formula:
        text, value, numbers, named, names = parts
        return Formula(text, value, tuple(numbers), named, tuple(dict.fromkeys(names)))

    def side(parts: _Parts, known: int | None) -> Formula:
        if all(None not in shape for shape in (trace.output_shape, *trace.input_shapes)):
            return formula(parts)
        named = parts[3]  # Numbers stand in the place of what is unknown.
        return Formula(named if known is None else str(known), known, (), named)

    cost: dict[str, Any] = dict(zip(metrics, trace.cost, strict=True))
    knows = trace.macs is not None and use.layer.KNOWS_MACS
    if not knows:
        cost["macs"] = None
    if not sided:
        cost["peak_activation_bytes"] = None
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
        custom=fixed({metric: units.get(metric, PLAIN).number(value) for metric, value in cost.items()}),
        reused=trace.reused,
        reused_inside=trace.reused_inside,
        trainable_formula=formula(trace.trainable),
        non_trainable_formula=formula(trace.non_trainable),
        macs_formula=formula(trace.macs) if knows and trace.macs is not None else None,
        output_shape_formula=tuple(map(side, trace.sides, trace.output_shape)),
        inputs=tuple(trace.inputs) if connected else (),
        output=trace.output if connected else -1,
        outputs=(trace.output, *(tensor for tensor, _ in trace.extra)) if connected else (),
    )


def _set(arguments: dict[str, Any]) -> dict[str, Any]:
    """Hyperparameters as the layer takes them: `None` where nothing is set, integers where `padding` has integers."""

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


def unknown(uses: Sequence[Use]) -> str:
    """Why MACs and peaks of a space are unknown, as a clause; empty if they are known."""
    for use in uses:
        if not use.layer.KNOWS_MACS:
            return f"as those of '{use.name}' are, which archbudget does not know"
    return unknown_sides(uses)


def unknown_sides(uses: Iterable[Use]) -> str:
    """Why MACs and peaks are unknown, as a clause; empty if every side of every input is known."""
    for use in uses:
        if use.layer.kind != "Input":
            break  # Inputs are described first.
        sides = use.layer.arguments()["shape"]
        if any(side is None for side in sides):
            shape = ", ".join(show(side) for side in sides)
            return f"as a side of '{use.name}' is, ({shape}): give its shape, space.with_sides({{{use.name!r}: (...)}})"
    return ""
