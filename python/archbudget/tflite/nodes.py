"""Layers as nodes of TensorFlow's graph, before anything is fused.

A layer that is not in `LOWERED`, or an argument beyond what is known of it, is refused: what the converter makes of it
was not measured.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from archbudget._message import listed, show
from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from archbudget.network import Call, Network

    Shape = tuple[int, ...]


@dataclass(frozen=True)
class Constant:
    """A tensor whose values are in the file."""

    shape: tuple[int, ...]
    item: int
    """The bytes of a value."""
    channels: int
    """How many scales and zero points it has; 0 where it is not quantised."""

    @property
    def size(self) -> int:
        """The bytes of its values."""
        return prod(self.shape) * self.item


class Geometry(NamedTuple):
    """The window of a convolution or a pooling."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    margins: bool
    """Whether margins are put around the input."""


@dataclass(frozen=True)
class Node:
    """An operator, or what will become a part of one."""

    kind: str
    """The name of TensorFlow Lite's operator; `NORM` for normalisation that is not folded yet."""
    layer: str
    """The layer that it comes from."""
    scope: str
    """The name of the layer in TensorFlow's graph."""
    inputs: tuple[int, ...]
    """The computed tensors that it reads."""
    output: int
    """The tensor that it writes."""
    constants: tuple[Constant, ...] = ()
    """The constant tensors that it reads."""
    activation: str | None = None
    """The activation that it applies to what it writes."""
    parts: tuple[tuple[str, str, str], ...] = ()
    """What it does, each by the name of an operator, the scope of its layer, and the type of that."""
    biased: bool = True
    """Whether a convolution has a bias before normalisation is folded into it."""
    hoisted: bool = False
    """Whether it is done before reshapes that stood before it."""
    geometry: Geometry | None = None
    """Of a convolution or a pooling."""
    normalised: bool = False
    """Whether it ends in normalisation that the next operator may take over."""
    squeezes: bool = False
    """Whether it is a reshape that takes the axis away that a convolution over a sequence was given."""


class _Nodes:
    """The nodes of a network while they are made."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.nodes: list[Node] = []
        self.shapes: dict[int, Shape] = {}
        self._tensors: dict[int, int] = {}
        self._used: Counter[str] = Counter(call.name for call in network.calls)

    def tensor(self, shape: Sequence[int]) -> int:
        """A new tensor."""
        number = len(self.shapes)
        self.shapes[number] = (1, *shape)
        return number

    def scope(self, call: Call) -> str:
        """The name that TensorFlow gives to a call: a number is added until it is another one than before."""
        made = f"{call.weights}_{self._used[call.weights]}"
        self._used[call.weights] += 1
        self._used[made] += 1
        return made

    def add(self, call: Call, scope: str, kind: str, inputs: Sequence[int], shape: Sequence[int], **more: Any) -> int:
        """Adds a node, and returns what it writes."""
        output = self.tensor(shape)
        self.nodes.append(
            Node(kind, call.name, scope, tuple(inputs), output, parts=((kind, scope, call.record.type),), **more)
        )
        return output

    def call(self, call: Call) -> None:
        """Adds the nodes of a call of a layer."""
        sources = [self._tensors[tensor] for tensor in call.inputs]
        if call.options or call.layer.masks:
            raise SpaceError(f"layer '{call.name}': the conversion of calls with options is not known")
        if call.record.reused:
            raise SpaceError(f"layer '{call.name}': the conversion of a layer that is used several times is not known")
        made = LOWERED[call.record.type](self, call, self.scope(call), sources)
        self._tensors[call.outputs[0]] = made

    def input(self, call: Call) -> None:
        """Adds the input of the network."""
        self._tensors[call.outputs[0]] = self.tensor(call.record.output_shape)

    def named(self, tensors: Sequence[int]) -> tuple[int, ...]:
        """The tensors of the graph for those of the network."""
        return tuple(self._tensors[tensor] for tensor in tensors)


def nodes_of(network: Network) -> tuple[list[Node], dict[int, Shape], tuple[int, ...], tuple[int, ...]]:
    """The nodes of a network, the shapes of their tensors, and which of these are its input and output.

    Raises:
        SpaceError: If the conversion is not known.
    """
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise SpaceError(
            f"the arena and the file are known of networks with one input and one output; this one has "
            f"{len(network.inputs)} and {len(network.outputs)}"
        )
    unread = {id(call) for call in network.unread}
    writing = _Nodes(network)
    for call in network.calls:
        if id(call) in unread:
            continue
        for shape in (*call.record.input_shapes, *call.record.output_shapes):
            if any(side is None for side in shape):
                raise SpaceError(f"layer '{call.name}': sides are unknown; give the shape of the input by with_sides")
        if call.record.type == "Input":
            writing.input(call)
        elif call.record.type in LOWERED and len(call.outputs) == 1:
            writing.call(call)
        else:
            raise SpaceError(
                f"layer '{call.name}' ({call.record.type}): what TensorFlow's converter makes of it is not known; "
                f"known are {listed(sorted(LOWERED))}"
            )
    if not writing.nodes:
        raise SpaceError("a network without operators is not converted")
    return writing.nodes, writing.shapes, writing.named(network.inputs), writing.named(network.outputs)


def _only(call: Call, **known: Any) -> None:
    """Refuses arguments whose conversion is not known."""
    given = {**call.record.other_arguments, **call.record.arguments}
    for name, values in known.items():
        if given.get(name) not in (None, *values):
            raise SpaceError(
                f"layer '{call.name}' ({call.record.type}): what TensorFlow's converter makes of {name}="
                f"{show(given[name])} is not known; known is {listed([show(value) for value in values])}"
            )


def _activated(nodes: _Nodes, call: Call, scope: str, tensor: int, given: object) -> int:
    """The nodes of an activation, by its name."""
    if given is None or given == "linear":
        return tensor
    if not isinstance(given, str) or given not in ACTIVATIONS:
        raise SpaceError(
            f"layer '{call.name}': what TensorFlow's converter makes of the activation {show(given)} is not known; "
            f"known are {listed(sorted(ACTIVATIONS))}"
        )
    return nodes.add(call, scope, ACTIVATIONS[given], [tensor], nodes.shapes[tensor][1:])


ACTIVATIONS: Mapping[str, str] = {
    "hard_silu": "HARD_SWISH",
    "hard_swish": "HARD_SWISH",
    "relu": "RELU",
    "relu6": "RELU6",
    "sigmoid": "LOGISTIC",
    "softmax": "SOFTMAX",
    "tanh": "TANH",
}
"""The operator of each activation."""


def _plain(call: Call) -> None:
    _only(
        call,
        data_format=["channels_last"],
        dilation_rate=[(1, 1), (1,)],
        groups=[1],
        padding=["same", "valid"],
        padding_mode=["zeros"],
    )
    if call.record.arguments.get("lora_rank"):
        raise SpaceError(f"layer '{call.name}': what TensorFlow's converter makes of lora_rank is not known")


def _bias(width: int) -> tuple[Constant, ...]:
    return (Constant((width,), 4, width),)


def _convolution(nodes: _Nodes, call: Call, scope: str, sources: Sequence[int]) -> int:
    _plain(call)
    given = call.record.arguments
    width, channels = given["filters"], call.record.input_shapes[0][-1]
    kernel, strides = (_two(given[name]) for name in ("kernel_size", "strides"))
    constants = (Constant((width, *kernel, channels), 1, width), *_bias(width))
    geometry = Geometry(kernel, strides, given["padding"] == "same")
    source, shape = sources[0], call.record.output_shape
    long = call.record.type == "Conv1D"
    if long:
        sides = (Constant((4,), 4, 0),)
        source = nodes.add(call, scope, "RESHAPE", [source], (1, *nodes.shapes[source][1:]), constants=sides)
        shape = (1, *shape)
    biased = bool(given["use_bias"])
    made = nodes.add(call, scope, "CONV_2D", [source], shape, constants=constants, geometry=geometry, biased=biased)
    if long:
        sides = (Constant((3,), 4, 0),)
        made = nodes.add(call, scope, "RESHAPE", [made], shape[1:], constants=sides, squeezes=True)
    return _activated(nodes, call, scope, made, call.record.other_arguments.get("activation"))


def _two(sides: Sequence[int]) -> tuple[int, int]:
    return (1, sides[0]) if len(sides) == 1 else (sides[0], sides[1])


def _depthwise(nodes: _Nodes, call: Call, scope: str, sources: Sequence[int]) -> int:
    _plain(call)
    given = call.record.arguments
    width = call.record.output_shape[-1]
    kernel, strides = given["kernel_size"], given["strides"]
    made = nodes.add(
        call,
        scope,
        "DEPTHWISE_CONV_2D",
        sources,
        call.record.output_shape,
        constants=(Constant((1, *kernel, width), 1, width), *_bias(width)),
        geometry=Geometry(_two(kernel), _two(strides), given["padding"] == "same"),
        biased=bool(given["use_bias"]),
    )
    return _activated(nodes, call, scope, made, call.record.other_arguments.get("activation"))


def _dense(nodes: _Nodes, call: Call, scope: str, sources: Sequence[int]) -> int:
    if len(call.record.input_shapes[0]) != 1 or call.record.arguments.get("lora_rank"):
        raise SpaceError(
            f"layer '{call.name}': the conversion of a Dense over more than one axis, or with lora_rank, is not known"
        )
    units = call.record.arguments["units"]
    constants: tuple[Constant, ...] = (Constant((units, call.record.input_shapes[0][0]), 1, units),)
    if call.record.arguments["use_bias"]:
        constants += _bias(units)
    made = nodes.add(call, scope, "FULLY_CONNECTED", sources, (units,), constants=constants)
    return _activated(nodes, call, scope, made, call.record.other_arguments.get("activation"))


def _norm(nodes: _Nodes, call: Call, scope: str, sources: Sequence[int]) -> int:
    axis, rank = call.record.arguments["axis"], len(call.record.output_shape)
    if axis not in (-1, rank) or not call.record.arguments.get("track_running_stats", True):
        raise SpaceError(f"layer '{call.name}': the conversion of a normalization with these arguments is not known")
    return nodes.add(call, scope, "NORM", sources, call.record.output_shape)


def _pool(kind: str) -> Lowering:
    def lower(nodes: _Nodes, call: Call, scope: str, sources: Sequence[int]) -> int:
        _only(
            call,
            data_format=["channels_last"],
            padding=["same", "valid"],
            ceil_mode=[False],
            dilation=[(1, 1)],
        )
        given = call.record.arguments
        size = _two(given["pool_size"])
        geometry = Geometry(size, _two(given["strides"] or size), given["padding"] == "same")
        return nodes.add(call, scope, kind, sources, call.record.output_shape, geometry=geometry)

    return lower


def _reduce(kind: str) -> Lowering:
    def lower(nodes: _Nodes, call: Call, scope: str, sources: Sequence[int]) -> int:
        _only(call, data_format=["channels_last"])
        rank = len(call.record.input_shapes[0]) - 1
        constants = (Constant((rank,) if rank > 1 else (), 4, 0),)
        return nodes.add(call, scope, kind, sources, call.record.output_shape, constants=constants)

    return lower


def _reshape(nodes: _Nodes, call: Call, scope: str, sources: Sequence[int]) -> int:
    _only(call, data_format=["channels_last"])
    shape = call.record.output_shape
    if nodes.shapes[sources[0]] == (1, *shape):
        return sources[0]
    return nodes.add(call, scope, "RESHAPE", sources, shape, constants=(Constant((len(shape) + 1,), 4, 0),))


def _merge(kind: str) -> Lowering:
    def lower(nodes: _Nodes, call: Call, scope: str, sources: Sequence[int]) -> int:
        made = sources[0]
        for other in sources[1:]:
            sides = zip(nodes.shapes[made][1:], nodes.shapes[other][1:], strict=False)
            made = nodes.add(call, scope, kind, [made, other], [max(pair) for pair in sides])
        return made

    return lower


def _concatenate(nodes: _Nodes, call: Call, scope: str, sources: Sequence[int]) -> int:
    _only(call, axis=[-1, len(call.record.output_shape)])
    return nodes.add(call, scope, "CONCATENATION", sources, call.record.output_shape)


def _activation(nodes: _Nodes, call: Call, scope: str, sources: Sequence[int]) -> int:
    given = {**call.record.arguments, **call.record.other_arguments}
    return _activated(nodes, call, scope, sources[0], given["activation"])


def _relu(nodes: _Nodes, call: Call, scope: str, sources: Sequence[int]) -> int:
    given = {**call.record.arguments, **call.record.other_arguments}
    _only(call, negative_slope=[0, 0.0], threshold=[0, 0.0], max_value=[6, 6.0])
    return _activated(nodes, call, scope, sources[0], "relu6" if given.get("max_value") is not None else "relu")


def _softmax(nodes: _Nodes, call: Call, scope: str, sources: Sequence[int]) -> int:
    rank = len(call.record.output_shape)
    _only(call, axis=[-1, rank, (-1,), (rank,)])
    return _activated(nodes, call, scope, sources[0], "softmax")


def _nothing(nodes: _Nodes, call: Call, scope: str, sources: Sequence[int]) -> int:
    del nodes, call, scope
    return sources[0]


if TYPE_CHECKING:
    Lowering = Callable[[_Nodes, Call, str, Sequence[int]], int]

LOWERED: Mapping[str, Lowering] = {
    "Activation": _activation,
    "ActivityRegularization": _nothing,
    "Add": _merge("ADD"),
    "AlphaDropout": _nothing,
    "AveragePooling2D": _pool("AVERAGE_POOL_2D"),
    "BatchNormalization": _norm,
    "Concatenate": _concatenate,
    "Conv1D": _convolution,
    "Conv2D": _convolution,
    "Dense": _dense,
    "DepthwiseConv2D": _depthwise,
    "Dropout": _nothing,
    "Flatten": _reshape,
    "GaussianDropout": _nothing,
    "GaussianNoise": _nothing,
    "GlobalAveragePooling1D": _reduce("MEAN"),
    "GlobalAveragePooling2D": _reduce("MEAN"),
    "GlobalMaxPooling2D": _reduce("REDUCE_MAX"),
    "Identity": _nothing,
    "MaxPooling2D": _pool("MAX_POOL_2D"),
    "Multiply": _merge("MUL"),
    "ReLU": _relu,
    "Reshape": _reshape,
    "Softmax": _softmax,
    "SpatialDropout1D": _nothing,
    "SpatialDropout2D": _nothing,
}
"""The layers whose conversion is known."""
