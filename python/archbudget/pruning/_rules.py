"""What each kind of layer does with channels. A layer, or a case of one, that has no rule is copied, and so is held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from archbudget.pruning._channels import Axis, Channels, Label, Numbers, concatenated, reshaped

if TYPE_CHECKING:
    from archbudget.pruning._plan import Kept, Plan

Shape = Sequence[Union[int, None]]


class NoRuleError(Exception):
    """A case of a layer that is copied as it is."""


@dataclass
class Call:
    """One call of a layer."""

    channels: Channels
    plan: Plan
    labels: list[Label]
    """The axes of its inputs."""
    shapes: list[Shape]
    """Their shapes without the batch."""
    output: Shape
    """The shape of its output without the batch."""
    is_strict: bool
    """Whether channels that a layer weighs against each other are held."""

    @property
    def layer(self) -> Any:
        """The layer."""
        return self.plan.layer

    @property
    def label(self) -> Label:
        """The axes of the only input."""
        if len(self.labels) != 1:
            raise NoRuleError
        return self.labels[0]

    def new(self, count: int) -> Numbers:
        """The channels that the layer makes, which are the same in each of its calls."""
        if self.plan.channels is None:
            self.plan.channels = self.channels.new(count)
        return self.plan.channels

    def read(self, label: Label) -> Label:
        """The axes by which the layer's weights are cut, which are the same in each of its calls."""
        why = f"{self.plan.title} reads them in one call, and in another one what cannot lose any"
        if not self.plan.reads:
            self.plan.reads.append(label)
        else:
            (before,) = self.plan.reads
            made = [self.channels.joined(one, other, why) for one, other in zip(before, label, strict=True)]
            self.plan.reads[0] = tuple(made)
        return self.plan.reads[0]

    def weigh(self, weights: dict[str, Label]) -> None:
        """Says the axes of the weights, by their names."""
        held = {id(weight) for weight in self.layer.weights}
        found = [(getattr(self.layer, name, None), label) for name, label in weights.items()]
        self.plan.weights = [(weight, label) for weight, label in found if id(weight) in held]
        if {id(weight) for weight, _ in self.plan.weights} != held:
            raise NoRuleError  # It has others, as an adapter of low rank.

    def hold(self, label: Sequence[Axis], why: str) -> None:
        """Notes that channels must stay."""
        self.channels.hold(label, f"{self.plan.title} {why}")

    def activate(self, label: Label) -> Label:
        """The axes behind the activation of the layer."""
        function = getattr(self.layer, "activation", None)
        name = getattr(function, "__name__", type(function).__name__)
        if function is None or name in ELEMENTWISE:
            return label
        if name not in ("softmax", "log_softmax"):
            raise NoRuleError
        if self.is_strict:
            self.hold(label[-1:], f"weighs all channels against each other ({name})")
        return label


Rule = Callable[[Call], Label]

ELEMENTWISE = {
    *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "swish", "mish", "sigmoid"),
    *("hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "tanh", "softplus", "softsign", "exponential"),
    *("log_sigmoid", "hard_shrink", "soft_shrink", "tanh_shrink", "threshold", "squareplus", "sparse_plus"),
}
"""The activations of Keras that look at one value."""


def kept_of(axis: Axis, kept: Kept, side: int) -> int:
    """How many places of an axis are left."""
    return side if axis is None else int(kept[axis].sum())


def _same(call: Call) -> Label:
    return call.label


def _activation(call: Call) -> Label:
    return call.activate(call.label)


def _dropout(call: Call) -> Label:
    if getattr(call.layer, "noise_shape", None) is not None:
        raise NoRuleError
    return call.label


def _rescaling(call: Call) -> Label:
    if np.ndim(call.layer.scale) or np.ndim(call.layer.offset):
        raise NoRuleError
    return call.label


def _softmax(call: Call) -> Label:
    axes = _axes(call.layer.axis, call.label)
    if call.is_strict:
        call.hold([call.label[axis] for axis in axes], "weighs all channels against each other")
    return call.label


def _axes(given: Any, label: Label) -> list[int]:
    """Axes of a layer, as those of a label, which has no batch."""
    several = given if isinstance(given, (list, tuple)) else [given]
    if any(axis == 0 for axis in several):
        raise NoRuleError
    return [axis - 1 if axis > 0 else len(label) + axis for axis in several]


def _prelu(call: Call) -> Label:
    label = call.read(call.label)
    shared = _axes(call.layer.shared_axes, label) if call.layer.shared_axes else []
    call.weigh({"alpha": tuple(None if place in shared else axis for place, axis in enumerate(label))})
    return label


def _channel_axis(layer: Any, label: Label) -> int:
    return 0 if layer.data_format == "channels_first" else len(label) - 1


def _around(call: Call, label: Label, made: Axis) -> Label:
    """The axes of what a layer gives that slides over all axes but that of the channels."""
    place = _channel_axis(call.layer, label)
    call.hold([axis for at, axis in enumerate(label) if at != place], "slides over them")
    return tuple(made if at == place else None for at in range(len(label)))


def _slides(call: Call) -> Label:
    """Pooling, padding, cropping and upsampling."""
    label = call.label
    return _around(call, label, label[_channel_axis(call.layer, label)])


def _pad(call: Call) -> Label:
    """Layers that have channels as their last axis, and no format."""
    if hasattr(call.layer, "data_format"):
        return _slides(call)
    call.hold(call.label[:-1], "slides over them")
    return (*(None for _ in call.label[:-1]), call.label[-1])


def _global_pool(call: Call) -> Label:
    label = _slides(call)
    if call.layer.keepdims:
        return label
    return (label[_channel_axis(call.layer, label)],)


def _convolution(call: Call) -> Label:
    layer, label = call.layer, call.label
    place, rank = _channel_axis(layer, label), len(label) - 1
    spatial = (None,) * rank
    (read,) = call.read((label[place],))
    groups = layer.groups
    if groups == 1:
        call.plan.width, call.plan.kernel = "filters", 0
        made = call.new(layer.filters)
        call.weigh({"kernel": (*spatial, read, made), "bias": (made,)})
        call.plan.changes = lambda kept: {"filters": kept_of(made, kept, layer.filters)}
    elif groups == call.shapes[0][place] and read is not None:
        made = np.repeat(read, layer.filters // groups)
        call.plan.channels = made
        call.weigh({"kernel": (*spatial, None, made), "bias": (made,)})
        call.plan.changes = lambda kept: {
            "filters": kept_of(made, kept, layer.filters),
            "groups": kept_of(read, kept, groups),
        }
    else:
        call.plan.width, call.plan.kernel, call.plan.groups = "filters", 0, groups
        made = call.new(layer.filters)
        call.weigh({"kernel": (*spatial, None, made), "bias": (made,)})
        call.plan.changes = lambda kept: {"filters": kept_of(made, kept, layer.filters)}
    return call.activate(_around(call, label, made))


def _transposed_convolution(call: Call) -> Label:
    layer, label = call.layer, call.label
    (read,) = call.read((label[_channel_axis(layer, label)],))
    made = call.new(layer.filters)
    call.weigh({"kernel": (*(None,) * (len(label) - 1), made, read), "bias": (made,)})
    call.plan.width, call.plan.kernel = "filters", 0
    call.plan.changes = lambda kept: {"filters": kept_of(made, kept, layer.filters)}
    return call.activate(_around(call, label, made))


def _repeated(read: Axis, times: int) -> Axis:
    return None if read is None else np.repeat(read, times)


def _depthwise_convolution(call: Call) -> Label:
    layer, label = call.layer, call.label
    (read,) = call.read((label[_channel_axis(layer, label)],))
    made = _repeated(read, layer.depth_multiplier)
    call.plan.channels = made
    # It is called `kernel` from Keras 3.0 on, which says `depthwise_kernel` of separable ones alone.
    call.weigh({"kernel": (*(None,) * (len(label) - 1), read, None), "bias": (made,)})
    return call.activate(_around(call, label, made))


def _separable_convolution(call: Call) -> Label:
    layer, label = call.layer, call.label
    spatial = (None,) * (len(label) - 1)
    (read,) = call.read((label[_channel_axis(layer, label)],))
    made = call.new(layer.filters)
    middle = _repeated(read, layer.depth_multiplier)
    call.weigh(
        {
            "depthwise_kernel": (*spatial, read, None),
            "pointwise_kernel": (*spatial, middle, made),
            "bias": (made,),
        }
    )
    call.plan.width, call.plan.kernel = "filters", 1
    call.plan.changes = lambda kept: {"filters": kept_of(made, kept, layer.filters)}
    return call.activate(_around(call, label, made))


def _dense(call: Call) -> Label:
    layer, label = call.layer, call.label
    (read,) = call.read(label[-1:])
    made = call.new(layer.units)
    call.weigh({"kernel": (read, made), "bias": (made,)})
    call.plan.width, call.plan.kernel = "units", 0
    call.plan.changes = lambda kept: {"units": kept_of(made, kept, layer.units)}
    return call.activate((*label[:-1], made))


def _embedding(call: Call) -> Label:
    made = call.new(call.layer.output_dim)
    call.weigh({"embeddings": (None, made)})
    call.plan.width, call.plan.kernel = "output_dim", 0
    call.plan.changes = lambda kept: {"output_dim": kept_of(made, kept, call.layer.output_dim)}
    return (*call.label, made)


def _batch_normalization(call: Call) -> Label:
    label = call.label
    (place,) = _axes(call.layer.axis, label)
    (axis,) = call.read((label[place],))
    call.plan.channels = axis
    call.weigh(dict.fromkeys(["gamma", "beta", "moving_mean", "moving_variance"], (axis,)))
    return tuple(axis if at == place else each for at, each in enumerate(label))


def _layer_normalization(call: Call) -> Label:
    label = call.label
    axes = tuple(label[place] for place in sorted(_axes(call.layer.axis, label)))
    axes = call.read(axes)
    if call.is_strict:
        call.hold(axes, "takes the mean and the variance over all channels")
    if len(axes) == 1:
        call.plan.channels = axes[0]
    call.weigh(dict.fromkeys(["gamma", "beta", "scale"], axes))
    return label


def _merge(call: Call) -> Label:
    return call.channels.merged(call.labels, call.shapes, f"{call.plan.title} repeats them")


def _concatenate(call: Call) -> Label:
    rank = len(call.labels[0])
    (place,) = _axes(call.layer.axis, call.labels[0])
    made: list[Axis] = []
    for at in range(rank):
        axes = [label[at] for label in call.labels]
        if at == place:
            made.append(concatenated(call.channels, call.labels, call.shapes, at))
            continue
        axis = axes[0]
        for each in axes[1:]:
            axis = call.channels.joined(axis, each, f"{call.plan.title} puts them beside what cannot lose any")
        made.append(axis)
    return tuple(made)


def _flatten(call: Call) -> Label:
    label, shape = call.label, call.shapes[0]
    if call.layer.data_format == "channels_first" and len(label) > 1:
        label, shape = (*label[1:], label[0]), (*shape[1:], shape[0])
    return _or_none(reshaped(label, shape, call.output))


def _or_none(label: Label | None) -> Label:
    if label is None:
        raise NoRuleError
    return label


def _reshape(call: Call) -> Label:
    label = _or_none(reshaped(call.label, call.shapes[0], call.output))
    sides = [side for side in call.output if side is not None]
    if len(sides) == len(call.output) and any(axis is not None for axis in label):
        call.plan.changes = lambda kept: {
            "target_shape": [kept_of(axis, kept, side) for axis, side in zip(label, sides, strict=True)]
        }
        call.read(label)
    return label


def _permute(call: Call) -> Label:
    return tuple(call.label[axis - 1] for axis in call.layer.dims)


def _repeat(call: Call) -> Label:
    return (None, *call.label)


def _numbered(name: str, *dimensions: int) -> list[str]:
    return [f"{name}{dimension}D" for dimension in dimensions or (1, 2, 3)]


RULES: dict[str, Rule] = {
    **dict.fromkeys(["Identity", "ReLU", "LeakyReLU", "ELU", "ActivityRegularization", "GaussianNoise"], _same),
    **dict.fromkeys(["GaussianDropout", *_numbered("SpatialDropout")], _same),
    **dict.fromkeys(["Dropout", "AlphaDropout"], _dropout),
    "Activation": _activation,
    "Rescaling": _rescaling,
    "Softmax": _softmax,
    "PReLU": _prelu,
    **dict.fromkeys(_numbered("Conv"), _convolution),
    **dict.fromkeys([f"{name}Transpose" for name in _numbered("Conv")], _transposed_convolution),
    **dict.fromkeys(_numbered("DepthwiseConv", 1, 2), _depthwise_convolution),
    **dict.fromkeys(_numbered("SeparableConv", 1, 2), _separable_convolution),
    "Dense": _dense,
    "Embedding": _embedding,
    "BatchNormalization": _batch_normalization,
    **dict.fromkeys(["LayerNormalization", "RMSNormalization"], _layer_normalization),
    **dict.fromkeys([*_numbered("MaxPooling"), *_numbered("AveragePooling")], _slides),
    **dict.fromkeys([*_numbered("GlobalMaxPooling"), *_numbered("GlobalAveragePooling")], _global_pool),
    **dict.fromkeys([*_numbered("ZeroPadding"), *_numbered("Cropping"), *_numbered("UpSampling")], _pad),
    **dict.fromkeys(["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"], _merge),
    "Concatenate": _concatenate,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "RepeatVector": _repeat,
}
"""The rules of layers, by the names of their classes in Keras."""

OPERATIONS: dict[str, Rule] = {
    **dict.fromkeys(["Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Maximum", "Minimum"], _merge),
    **dict.fromkeys(["Relu", "Relu6", "Sigmoid", "Silu", "Gelu", "Elu", "Selu", "Tanh", "Softplus", "Softsign"], _same),
    **dict.fromkeys(["HardSigmoid", "HardSilu", "LeakyRelu", "Negative", "Absolute", "Square", "Exp"], _same),
}
"""The same for operations, such as `x + y`."""
