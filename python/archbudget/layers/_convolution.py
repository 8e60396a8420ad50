"""Convolutions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from archbudget.layers._arguments import Flag, IntsLike, Padding, Text, check_lora
from archbudget.layers._windows import Padded, lower_padding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archbudget._expressions import IntLike

__all__ = [
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "SeparableConv1D",
    "SeparableConv2D",
]


@dataclass(frozen=True, eq=False, repr=False)
class _Conv(Padded):
    filters: IntLike
    kernel_size: IntsLike
    strides: IntsLike = 1
    padding: Padding = "valid"
    data_format: Text | None = None
    dilation_rate: IntsLike = 1
    groups: IntLike = 1
    activation: Any = None
    use_bias: Flag = True
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None
    lora_rank: IntLike | None = None
    lora_alpha: float | None = None
    padding_mode: Text = field(default="zeros", kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"padding_mode": "zeros"}

    def __post_init__(self) -> None:
        super().__post_init__()
        check_lora(self)

    def normalized(self) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost; Keras takes the padding of a convolution in any case."""
        return lower_padding(super().normalized())


@dataclass(frozen=True, eq=False, repr=False)
class Conv1D(_Conv):
    """A convolution over sequences: `(k * channels / groups + bias) * filters` weights.

    `padding` may be integers, as in PyTorch: one, or for each axis one or a pair (before, after). Then, as in PyTorch,
    strides and dilation may both be larger than 1. `padding_mode` is what stands in these margins: `"zeros"`,
    `"reflect"`, `"replicate"` or `"circular"`.
    """


@dataclass(frozen=True, eq=False, repr=False)
class Conv2D(_Conv):
    """A convolution over images: `(k_h * k_w * channels / groups + bias) * filters` weights.

    `padding` may be integers, as in PyTorch: one, or for each axis one or a pair (before, after). Then, as in PyTorch,
    strides and dilation may both be larger than 1. `padding_mode` is what stands in these margins: `"zeros"`,
    `"reflect"`, `"replicate"` or `"circular"`.
    """


@dataclass(frozen=True, eq=False, repr=False)
class Conv3D(_Conv):
    """A convolution over volumes: `(k_d * k_h * k_w * channels / groups + bias) * filters` weights.

    `padding` may be integers, as in PyTorch: one, or for each axis one or a pair (before, after). Then, as in PyTorch,
    strides and dilation may both be larger than 1. `padding_mode` is what stands in these margins: `"zeros"`,
    `"reflect"`, `"replicate"` or `"circular"`.
    """


class _Transposed(Padded):
    """What the transposed convolutions have in common."""

    PYTORCH: ClassVar[Mapping[str, object]] = {"groups": 1}

    def normalized(self) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost; Keras takes the padding of a convolution in any case."""
        return lower_padding(super().normalized())

    def keras_arguments(self, counted: Any, chosen: Any) -> dict[str, Any]:
        """The arguments of the real layer: `None` stands for the output padding of all axes."""
        real = super().keras_arguments(counted, chosen)
        if "output_padding" in real and set(real["output_padding"]) == {None}:
            del real["output_padding"]
        return real


@dataclass(frozen=True, eq=False, repr=False)
class _ConvTranspose(_Transposed):
    filters: IntLike
    kernel_size: IntsLike
    strides: IntsLike = 1
    padding: Padding = "valid"
    output_padding: IntsLike | None = None
    data_format: Text | None = None
    dilation_rate: IntsLike = 1
    activation: Any = None
    use_bias: Flag = True
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None
    groups: IntLike = field(default=1, kw_only=True)


@dataclass(frozen=True, eq=False, repr=False)
class Conv1DTranspose(_ConvTranspose):
    """A transposed convolution over sequences: `(k * channels / groups + bias) * filters` weights.

    `padding` may be integers, as in PyTorch: one, or one for each axis. Then a side of the output is
    `(side - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1`, and PyTorch's rules bind:
    strides and dilation may both be larger than 1, and `output_padding` must be smaller than one of them. `groups` is
    PyTorch's, too, and goes with any padding.
    """


@dataclass(frozen=True, eq=False, repr=False)
class Conv2DTranspose(_ConvTranspose):
    """A transposed convolution over images: `(k_h * k_w * channels / groups + bias) * filters` weights.

    `padding` may be integers, as in PyTorch: one, or one for each axis. Then a side of the output is
    `(side - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1`, and PyTorch's rules bind:
    strides and dilation may both be larger than 1, and `output_padding` must be smaller than one of them. `groups` is
    PyTorch's, too, and goes with any padding.
    """


@dataclass(frozen=True, eq=False, repr=False)
class Conv3DTranspose(_Transposed):
    """A transposed convolution over volumes: `(k_d * k_h * k_w * channels / groups + bias) * filters` weights.

    `padding` may be integers, as in PyTorch: one, or one for each axis. Then a side of the output is
    `(side - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1`, and PyTorch's rules bind:
    strides and dilation may both be larger than 1, and `output_padding` must be smaller than one of them. `groups` is
    PyTorch's, too, and goes with any padding.
    """

    filters: IntLike
    kernel_size: IntsLike
    strides: IntsLike = 1
    padding: Padding = "valid"
    data_format: Text | None = None
    output_padding: IntsLike | None = None
    dilation_rate: IntsLike = 1
    activation: Any = None
    use_bias: Flag = True
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None
    groups: IntLike = field(default=1, kw_only=True)


@dataclass(frozen=True, eq=False, repr=False)
class _DepthwiseConv(Padded):
    kernel_size: IntsLike
    strides: IntsLike = 1
    padding: Padding = "valid"
    depth_multiplier: IntLike = 1
    data_format: Text | None = None
    dilation_rate: IntsLike = 1
    activation: Any = None
    use_bias: Flag = True
    depthwise_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    depthwise_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    depthwise_constraint: Any = None
    bias_constraint: Any = None
    padding_mode: Text = field(default="zeros", kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"padding_mode": "zeros"}

    def normalized(self) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost; Keras takes the padding of a convolution in any case."""
        return lower_padding(super().normalized())


@dataclass(frozen=True, eq=False, repr=False)
class DepthwiseConv1D(_DepthwiseConv):
    """A convolution of each channel by itself: `(k + bias) * channels * depth_multiplier` weights.

    `padding` may be integers, as in PyTorch: one, or for each axis one or a pair (before, after). `padding_mode` is
    what stands in these margins: `"zeros"`, `"reflect"`, `"replicate"` or `"circular"`.
    """


@dataclass(frozen=True, eq=False, repr=False)
class DepthwiseConv2D(_DepthwiseConv):
    """A convolution of each channel by itself: `(k_h * k_w + bias) * channels * depth_multiplier` weights.

    `padding` may be integers, as in PyTorch: one, or for each axis one or a pair (before, after). `padding_mode` is
    what stands in these margins: `"zeros"`, `"reflect"`, `"replicate"` or `"circular"`.
    """


@dataclass(frozen=True, eq=False, repr=False)
class _SeparableConv(Padded):
    filters: IntLike
    kernel_size: IntsLike
    strides: IntsLike = 1
    padding: Padding = "valid"
    data_format: Text | None = None
    dilation_rate: IntsLike = 1
    depth_multiplier: IntLike = 1
    activation: Any = None
    use_bias: Flag = True
    depthwise_initializer: Any = "glorot_uniform"
    pointwise_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    depthwise_regularizer: Any = None
    pointwise_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    depthwise_constraint: Any = None
    pointwise_constraint: Any = None
    bias_constraint: Any = None
    padding_mode: Text = field(default="zeros", kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"padding_mode": "zeros"}

    def normalized(self) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost; Keras takes the padding of a convolution in any case."""
        return lower_padding(super().normalized())


@dataclass(frozen=True, eq=False, repr=False)
class SeparableConv1D(_SeparableConv):
    """A depthwise convolution and a pointwise one, with one bias at the end.

    `padding` may be integers, as in PyTorch: one, or for each axis one or a pair (before, after). `padding_mode` is
    what stands in these margins: `"zeros"`, `"reflect"`, `"replicate"` or `"circular"`.
    """


@dataclass(frozen=True, eq=False, repr=False)
class SeparableConv2D(_SeparableConv):
    """A depthwise convolution and a pointwise one, with one bias at the end.

    `padding` may be integers, as in PyTorch: one, or for each axis one or a pair (before, after). `padding_mode` is
    what stands in these margins: `"zeros"`, `"reflect"`, `"replicate"` or `"circular"`.
    """
