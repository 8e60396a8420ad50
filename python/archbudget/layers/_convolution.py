"""Convolutions."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar

from archbudget.layers._arguments import Flag, IntsLike, Padding, Text, check_lora
from archbudget.layers._base import layer_class
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


@layer_class
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
        """The hyperparameters that touch shape or cost; Keras takes the word of padding in either case."""
        return lower_padding(super().normalized())


@layer_class
class Conv1D(_Conv):
    """A convolution over sequences: `(k * channels / groups + bias) * filters` weights.

    Input shape: `(steps, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_steps, filters)`.
    Weights: `(k * channels / groups + bias) * filters`.
    MACs: `k * channels / groups * filters` at each output position.
    A side of the output is `(side + margins - dilation * (kernel - 1) - 1) // stride + 1` (Dumoulin and Visin, 2016);
    `"same"` gives `side / stride`, rounded up.
    With `lora_rank` the two matrices are trained and the kernel is not (Hu et al., 2022); their product is multiplied
    out in each call.

    Args:
        filters: The number of output channels, at least 1.
        kernel_size: The size of the kernel: an integer, at least 1.
        strides: The distance between positions of the kernel: an integer, at least 1. Default: `1`.
        padding: What is put around the input: `"valid"`, `"same"` or `"causal"` as in Keras; or integers as in PyTorch:
            one, or for each axis one or a pair (before, after). With integers strides and dilation may both exceed 1.
            Default: `"valid"`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        dilation_rate: The distance between the values that the kernel reads: an integer, at least 1. Default: `1`.
        groups: The groups of channels that are convolved by themselves, a divisor of the channels and of `filters`.
            Default: `1`.
        activation: The function of each output value, by its name or as a function; `None` for none. It changes no
            count. Default: `None`.
        use_bias: Whether a bias is added, which costs weights and no multiply-accumulates. Default: `True`.
        kernel_initializer: How the kernel is initialised. Kept for Keras. Default: `"glorot_uniform"`.
        bias_initializer: How the bias is initialised. Kept for Keras. Default: `"zeros"`.
        kernel_regularizer: The penalty on the kernel while training. Kept for Keras. Default: `None`.
        bias_regularizer: The penalty on the bias while training. Kept for Keras. Default: `None`.
        activity_regularizer: The penalty on the output while training. Kept for Keras. Default: `None`.
        kernel_constraint: What the kernel is projected to after each step of training; not together with `lora_rank`.
            Kept for Keras. Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        lora_rank: The rank of two low-rank matrices that are trained in place of the kernel, which is frozen then;
            `None` or 0 for none. Default: `None`.
        lora_alpha: The scale of their product. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        padding_mode: What stands in margins of integers, or of `"same"`, as in PyTorch: `"zeros"`, `"reflect"`,
            `"replicate"` or `"circular"`. Default: `"zeros"`.
    """


@layer_class
class Conv2D(_Conv):
    """A convolution over images: `(k_h * k_w * channels / groups + bias) * filters` weights.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_height, new_width, filters)`.
    Weights: `(k_h * k_w * channels / groups + bias) * filters`.
    MACs: `k_h * k_w * channels / groups * filters` at each output position.
    A side of the output is `(side + margins - dilation * (kernel - 1) - 1) // stride + 1` (Dumoulin and Visin, 2016);
    `"same"` gives `side / stride`, rounded up.
    With `lora_rank` the two matrices are trained and the kernel is not (Hu et al., 2022); their product is multiplied
    out in each call.

    Args:
        filters: The number of output channels, at least 1.
        kernel_size: The size of the kernel: an integer, or one for each of two axes, at least 1.
        strides: The distance between positions of the kernel: an integer, or one for each of two axes, at least 1.
            Default: `1`.
        padding: What is put around the input: `"valid"` or `"same"` as in Keras; or integers as in PyTorch: one, or for
            each axis one or a pair (before, after). With integers strides and dilation may both exceed 1.
            Default: `"valid"`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        dilation_rate: The distance between the values that the kernel reads: an integer, or one for each of two axes,
            at least 1. Default: `1`.
        groups: The groups of channels that are convolved by themselves, a divisor of the channels and of `filters`.
            Default: `1`.
        activation: The function of each output value, by its name or as a function; `None` for none. It changes no
            count. Default: `None`.
        use_bias: Whether a bias is added, which costs weights and no multiply-accumulates. Default: `True`.
        kernel_initializer: How the kernel is initialised. Kept for Keras. Default: `"glorot_uniform"`.
        bias_initializer: How the bias is initialised. Kept for Keras. Default: `"zeros"`.
        kernel_regularizer: The penalty on the kernel while training. Kept for Keras. Default: `None`.
        bias_regularizer: The penalty on the bias while training. Kept for Keras. Default: `None`.
        activity_regularizer: The penalty on the output while training. Kept for Keras. Default: `None`.
        kernel_constraint: What the kernel is projected to after each step of training; not together with `lora_rank`.
            Kept for Keras. Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        lora_rank: The rank of two low-rank matrices that are trained in place of the kernel, which is frozen then;
            `None` or 0 for none. Default: `None`.
        lora_alpha: The scale of their product. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        padding_mode: What stands in margins of integers, or of `"same"`, as in PyTorch: `"zeros"`, `"reflect"`,
            `"replicate"` or `"circular"`. Default: `"zeros"`.
    """


@layer_class
class Conv3D(_Conv):
    """A convolution over volumes: `(k_d * k_h * k_w * channels / groups + bias) * filters` weights.

    Input shape: `(depth, height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_depth, new_height, new_width, filters)`.
    Weights: `(k_d * k_h * k_w * channels / groups + bias) * filters`.
    MACs: `k_d * k_h * k_w * channels / groups * filters` at each output position.
    A side of the output is `(side + margins - dilation * (kernel - 1) - 1) // stride + 1` (Dumoulin and Visin, 2016);
    `"same"` gives `side / stride`, rounded up.
    With `lora_rank` the two matrices are trained and the kernel is not (Hu et al., 2022); their product is multiplied
    out in each call.

    Args:
        filters: The number of output channels, at least 1.
        kernel_size: The size of the kernel: an integer, or one for each of three axes, at least 1.
        strides: The distance between positions of the kernel: an integer, or one for each of three axes, at least 1.
            Default: `1`.
        padding: What is put around the input: `"valid"` or `"same"` as in Keras; or integers as in PyTorch: one, or for
            each axis one or a pair (before, after). With integers strides and dilation may both exceed 1.
            Default: `"valid"`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        dilation_rate: The distance between the values that the kernel reads: an integer, or one for each of three axes,
            at least 1. Default: `1`.
        groups: The groups of channels that are convolved by themselves, a divisor of the channels and of `filters`.
            Default: `1`.
        activation: The function of each output value, by its name or as a function; `None` for none. It changes no
            count. Default: `None`.
        use_bias: Whether a bias is added, which costs weights and no multiply-accumulates. Default: `True`.
        kernel_initializer: How the kernel is initialised. Kept for Keras. Default: `"glorot_uniform"`.
        bias_initializer: How the bias is initialised. Kept for Keras. Default: `"zeros"`.
        kernel_regularizer: The penalty on the kernel while training. Kept for Keras. Default: `None`.
        bias_regularizer: The penalty on the bias while training. Kept for Keras. Default: `None`.
        activity_regularizer: The penalty on the output while training. Kept for Keras. Default: `None`.
        kernel_constraint: What the kernel is projected to after each step of training; not together with `lora_rank`.
            Kept for Keras. Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        lora_rank: The rank of two low-rank matrices that are trained in place of the kernel, which is frozen then;
            `None` or 0 for none. Default: `None`.
        lora_alpha: The scale of their product. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        padding_mode: What stands in margins of integers, or of `"same"`, as in PyTorch: `"zeros"`, `"reflect"`,
            `"replicate"` or `"circular"`. Default: `"zeros"`.
    """


class _Transposed(Padded):
    """What the transposed convolutions have in common."""

    PYTORCH: ClassVar[Mapping[str, object]] = {"groups": 1}

    def normalized(self) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost; Keras takes the word of padding in either case."""
        return lower_padding(super().normalized())

    def keras_arguments(self, counted: Any, chosen: Any) -> dict[str, Any]:
        """The arguments of the real layer: `None` stands for the output padding of all axes."""
        real = super().keras_arguments(counted, chosen)
        if "output_padding" in real and set(real["output_padding"]) == {None}:
            del real["output_padding"]
        return real


@layer_class
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


@layer_class
class Conv1DTranspose(_ConvTranspose):
    """A transposed convolution over sequences: `(k * channels / groups + bias) * filters` weights.

    Input shape: `(steps, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_steps, filters)`.
    Weights: `(k * channels / groups + bias) * filters`.
    MACs: `k * channels / groups * filters` at each input position.
    With integers as `padding` a side of the output is
    `(side - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1`, as in PyTorch.

    Args:
        filters: The number of output channels, at least 1.
        kernel_size: The size of the kernel: an integer, at least 1.
        strides: The distance between positions of the kernel: an integer, at least 1. Default: `1`.
        padding: What is put around the input: `"valid"` or `"same"` as in Keras; or integers as in PyTorch: one, or one
            for each axis. With integers strides and dilation may both exceed 1. Default: `"valid"`.
        output_padding: What is added to each side of the output: an integer; `None` lets Keras find it. With integers
            as `padding` it is smaller than the stride or the dilation. Default: `None`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        dilation_rate: The distance between the values that the kernel reads: an integer, at least 1. Default: `1`.
        activation: The function of each output value, by its name or as a function; `None` for none. It changes no
            count. Default: `None`.
        use_bias: Whether a bias is added, which costs weights and no multiply-accumulates. Default: `True`.
        kernel_initializer: How the kernel is initialised. Kept for Keras. Default: `"glorot_uniform"`.
        bias_initializer: How the bias is initialised. Kept for Keras. Default: `"zeros"`.
        kernel_regularizer: The penalty on the kernel while training. Kept for Keras. Default: `None`.
        bias_regularizer: The penalty on the bias while training. Kept for Keras. Default: `None`.
        activity_regularizer: The penalty on the output while training. Kept for Keras. Default: `None`.
        kernel_constraint: What the kernel is projected to after each step of training; not together with `lora_rank`.
            Kept for Keras. Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        groups: As in PyTorch: the groups of channels that are convolved by themselves, a divisor of the channels and of
            `filters`. Default: `1`.
    """


@layer_class
class Conv2DTranspose(_ConvTranspose):
    """A transposed convolution over images: `(k_h * k_w * channels / groups + bias) * filters` weights.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_height, new_width, filters)`.
    Weights: `(k_h * k_w * channels / groups + bias) * filters`.
    MACs: `k_h * k_w * channels / groups * filters` at each input position.
    With integers as `padding` a side of the output is
    `(side - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1`, as in PyTorch.

    Args:
        filters: The number of output channels, at least 1.
        kernel_size: The size of the kernel: an integer, or one for each of two axes, at least 1.
        strides: The distance between positions of the kernel: an integer, or one for each of two axes, at least 1.
            Default: `1`.
        padding: What is put around the input: `"valid"` or `"same"` as in Keras; or integers as in PyTorch: one, or one
            for each axis. With integers strides and dilation may both exceed 1. Default: `"valid"`.
        output_padding: What is added to each side of the output: an integer, or one for each of two axes; `None` lets
            Keras find it. With integers as `padding` it is smaller than the stride or the dilation. Default: `None`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        dilation_rate: The distance between the values that the kernel reads: an integer, or one for each of two axes,
            at least 1. Default: `1`.
        activation: The function of each output value, by its name or as a function; `None` for none. It changes no
            count. Default: `None`.
        use_bias: Whether a bias is added, which costs weights and no multiply-accumulates. Default: `True`.
        kernel_initializer: How the kernel is initialised. Kept for Keras. Default: `"glorot_uniform"`.
        bias_initializer: How the bias is initialised. Kept for Keras. Default: `"zeros"`.
        kernel_regularizer: The penalty on the kernel while training. Kept for Keras. Default: `None`.
        bias_regularizer: The penalty on the bias while training. Kept for Keras. Default: `None`.
        activity_regularizer: The penalty on the output while training. Kept for Keras. Default: `None`.
        kernel_constraint: What the kernel is projected to after each step of training; not together with `lora_rank`.
            Kept for Keras. Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        groups: As in PyTorch: the groups of channels that are convolved by themselves, a divisor of the channels and of
            `filters`. Default: `1`.
    """


@layer_class
class Conv3DTranspose(_Transposed):
    """A transposed convolution over volumes: `(k_d * k_h * k_w * channels / groups + bias) * filters` weights.

    Input shape: `(depth, height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_depth, new_height, new_width, filters)`.
    Weights: `(k_d * k_h * k_w * channels / groups + bias) * filters`.
    MACs: `k_d * k_h * k_w * channels / groups * filters` at each input position.
    With integers as `padding` a side of the output is
    `(side - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1`, as in PyTorch.

    Args:
        filters: The number of output channels, at least 1.
        kernel_size: The size of the kernel: an integer, or one for each of three axes, at least 1.
        strides: The distance between positions of the kernel: an integer, or one for each of three axes, at least 1.
            Default: `1`.
        padding: What is put around the input: `"valid"` or `"same"` as in Keras; or integers as in PyTorch: one, or one
            for each axis. With integers strides and dilation may both exceed 1. Default: `"valid"`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        output_padding: What is added to each side of the output: an integer, or one for each of three axes; `None` lets
            Keras find it. With integers as `padding` it is smaller than the stride or the dilation. Default: `None`.
        dilation_rate: The distance between the values that the kernel reads: an integer, or one for each of three axes,
            at least 1. Default: `1`.
        activation: The function of each output value, by its name or as a function; `None` for none. It changes no
            count. Default: `None`.
        use_bias: Whether a bias is added, which costs weights and no multiply-accumulates. Default: `True`.
        kernel_initializer: How the kernel is initialised. Kept for Keras. Default: `"glorot_uniform"`.
        bias_initializer: How the bias is initialised. Kept for Keras. Default: `"zeros"`.
        kernel_regularizer: The penalty on the kernel while training. Kept for Keras. Default: `None`.
        bias_regularizer: The penalty on the bias while training. Kept for Keras. Default: `None`.
        activity_regularizer: The penalty on the output while training. Kept for Keras. Default: `None`.
        kernel_constraint: What the kernel is projected to after each step of training; not together with `lora_rank`.
            Kept for Keras. Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        groups: As in PyTorch: the groups of channels that are convolved by themselves, a divisor of the channels and of
            `filters`. Default: `1`.
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


@layer_class
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
        """The hyperparameters that touch shape or cost; Keras takes the word of padding in either case."""
        return lower_padding(super().normalized())


@layer_class
class DepthwiseConv1D(_DepthwiseConv):
    """A convolution of each channel by itself: `(k + bias) * channels * depth_multiplier` weights.

    Input shape: `(steps, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_steps, channels * depth_multiplier)`.
    Weights: `(k + bias) * channels * depth_multiplier`.
    MACs: `k * channels * depth_multiplier` at each output position.

    Args:
        kernel_size: The size of the kernel: an integer, at least 1.
        strides: The distance between positions of the kernel: an integer, at least 1. Default: `1`.
        padding: What is put around the input: `"valid"` or `"same"` as in Keras; or integers as in PyTorch: one, or for
            each axis one or a pair (before, after). With integers strides and dilation may both exceed 1.
            Default: `"valid"`.
        depth_multiplier: How many outputs each channel has, at least 1. Default: `1`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        dilation_rate: The distance between the values that the kernel reads: an integer, at least 1. Default: `1`.
        activation: The function of each output value, by its name or as a function; `None` for none. It changes no
            count. Default: `None`.
        use_bias: Whether a bias is added, which costs weights and no multiply-accumulates. Default: `True`.
        depthwise_initializer: How the depthwise kernel is initialised. Kept for Keras. Default: `"glorot_uniform"`.
        bias_initializer: How the bias is initialised. Kept for Keras. Default: `"zeros"`.
        depthwise_regularizer: The penalty on the depthwise kernel while training. Kept for Keras. Default: `None`.
        bias_regularizer: The penalty on the bias while training. Kept for Keras. Default: `None`.
        activity_regularizer: The penalty on the output while training. Kept for Keras. Default: `None`.
        depthwise_constraint: What the depthwise kernel is projected to after each step of training. Kept for Keras.
            Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        padding_mode: What stands in margins of integers, or of `"same"`, as in PyTorch: `"zeros"`, `"reflect"`,
            `"replicate"` or `"circular"`. Default: `"zeros"`.
    """


@layer_class
class DepthwiseConv2D(_DepthwiseConv):
    """A convolution of each channel by itself: `(k_h * k_w + bias) * channels * depth_multiplier` weights.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_height, new_width, channels * depth_multiplier)`.
    Weights: `(k_h * k_w + bias) * channels * depth_multiplier`.
    MACs: `k_h * k_w * channels * depth_multiplier` at each output position.

    Args:
        kernel_size: The size of the kernel: an integer, or one for each of two axes, at least 1.
        strides: The distance between positions of the kernel: an integer, or one for each of two axes, at least 1.
            Default: `1`.
        padding: What is put around the input: `"valid"` or `"same"` as in Keras; or integers as in PyTorch: one, or for
            each axis one or a pair (before, after). With integers strides and dilation may both exceed 1.
            Default: `"valid"`.
        depth_multiplier: How many outputs each channel has, at least 1. Default: `1`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        dilation_rate: The distance between the values that the kernel reads: an integer, or one for each of two axes,
            at least 1. Default: `1`.
        activation: The function of each output value, by its name or as a function; `None` for none. It changes no
            count. Default: `None`.
        use_bias: Whether a bias is added, which costs weights and no multiply-accumulates. Default: `True`.
        depthwise_initializer: How the depthwise kernel is initialised. Kept for Keras. Default: `"glorot_uniform"`.
        bias_initializer: How the bias is initialised. Kept for Keras. Default: `"zeros"`.
        depthwise_regularizer: The penalty on the depthwise kernel while training. Kept for Keras. Default: `None`.
        bias_regularizer: The penalty on the bias while training. Kept for Keras. Default: `None`.
        activity_regularizer: The penalty on the output while training. Kept for Keras. Default: `None`.
        depthwise_constraint: What the depthwise kernel is projected to after each step of training. Kept for Keras.
            Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        padding_mode: What stands in margins of integers, or of `"same"`, as in PyTorch: `"zeros"`, `"reflect"`,
            `"replicate"` or `"circular"`. Default: `"zeros"`.
    """


@layer_class
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
        """The hyperparameters that touch shape or cost; Keras takes the word of padding in either case."""
        return lower_padding(super().normalized())


@layer_class
class SeparableConv1D(_SeparableConv):
    """A depthwise convolution and a pointwise one, with one bias at the end.

    Input shape: `(steps, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_steps, filters)`.
    Weights: `k * channels * depth_multiplier + (channels * depth_multiplier + bias) * filters`.
    MACs: `(k + filters) * channels * depth_multiplier` at each output position.
    After Chollet (2017).

    Args:
        filters: The number of output channels, at least 1.
        kernel_size: The size of the kernel: an integer, at least 1.
        strides: The distance between positions of the depthwise kernel: an integer, at least 1. Default: `1`.
        padding: What is put around the input: `"valid"` or `"same"` as in Keras; or integers as in PyTorch: one, or for
            each axis one or a pair (before, after). With integers strides and dilation may both exceed 1.
            Default: `"valid"`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        dilation_rate: The distance between the values that the depthwise kernel reads: an integer, at least 1.
            Default: `1`.
        depth_multiplier: How many outputs each channel has, at least 1. Default: `1`.
        activation: The function of each output value, by its name or as a function; `None` for none. It changes no
            count. Default: `None`.
        use_bias: Whether a bias is added, which costs weights and no multiply-accumulates. Default: `True`.
        depthwise_initializer: How the depthwise kernel is initialised. Kept for Keras. Default: `"glorot_uniform"`.
        pointwise_initializer: How the pointwise kernel is initialised. Kept for Keras. Default: `"glorot_uniform"`.
        bias_initializer: How the bias is initialised. Kept for Keras. Default: `"zeros"`.
        depthwise_regularizer: The penalty on the depthwise kernel while training. Kept for Keras. Default: `None`.
        pointwise_regularizer: The penalty on the pointwise kernel while training. Kept for Keras. Default: `None`.
        bias_regularizer: The penalty on the bias while training. Kept for Keras. Default: `None`.
        activity_regularizer: The penalty on the output while training. Kept for Keras. Default: `None`.
        depthwise_constraint: What the depthwise kernel is projected to after each step of training. Kept for Keras.
            Default: `None`.
        pointwise_constraint: What the pointwise kernel is projected to after each step of training. Kept for Keras.
            Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        padding_mode: What stands in margins of integers, or of `"same"`, as in PyTorch: `"zeros"`, `"reflect"`,
            `"replicate"` or `"circular"`. Default: `"zeros"`.
    """


@layer_class
class SeparableConv2D(_SeparableConv):
    """A depthwise convolution and a pointwise one, with one bias at the end.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_height, new_width, filters)`.
    Weights: `k_h * k_w * channels * depth_multiplier + (channels * depth_multiplier + bias) * filters`.
    MACs: `(k_h * k_w + filters) * channels * depth_multiplier` at each output position.
    After Chollet (2017).

    Args:
        filters: The number of output channels, at least 1.
        kernel_size: The size of the kernel: an integer, or one for each of two axes, at least 1.
        strides: The distance between positions of the depthwise kernel: an integer, or one for each of two axes, at
            least 1. Default: `1`.
        padding: What is put around the input: `"valid"` or `"same"` as in Keras; or integers as in PyTorch: one, or for
            each axis one or a pair (before, after). With integers strides and dilation may both exceed 1.
            Default: `"valid"`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        dilation_rate: The distance between the values that the depthwise kernel reads: an integer, or one for each of
            two axes, at least 1. Default: `1`.
        depth_multiplier: How many outputs each channel has, at least 1. Default: `1`.
        activation: The function of each output value, by its name or as a function; `None` for none. It changes no
            count. Default: `None`.
        use_bias: Whether a bias is added, which costs weights and no multiply-accumulates. Default: `True`.
        depthwise_initializer: How the depthwise kernel is initialised. Kept for Keras. Default: `"glorot_uniform"`.
        pointwise_initializer: How the pointwise kernel is initialised. Kept for Keras. Default: `"glorot_uniform"`.
        bias_initializer: How the bias is initialised. Kept for Keras. Default: `"zeros"`.
        depthwise_regularizer: The penalty on the depthwise kernel while training. Kept for Keras. Default: `None`.
        pointwise_regularizer: The penalty on the pointwise kernel while training. Kept for Keras. Default: `None`.
        bias_regularizer: The penalty on the bias while training. Kept for Keras. Default: `None`.
        activity_regularizer: The penalty on the output while training. Kept for Keras. Default: `None`.
        depthwise_constraint: What the depthwise kernel is projected to after each step of training. Kept for Keras.
            Default: `None`.
        pointwise_constraint: What the pointwise kernel is projected to after each step of training. Kept for Keras.
            Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        padding_mode: What stands in margins of integers, or of `"same"`, as in PyTorch: `"zeros"`, `"reflect"`,
            `"replicate"` or `"circular"`. Default: `"zeros"`.
    """
