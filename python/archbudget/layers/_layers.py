"""The layers of Keras 3: names, order of arguments and defaults are Keras' own.

Arguments that touch neither shape nor cost are kept for `Architecture.to_keras`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Union

import numpy as np

from archbudget._expressions import Decision, Expression, IntLike
from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.layers._base import ENGINE_PARAMETERS, Layer, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archbudget._expressions import Scalar

IntsLike = Union[IntLike, "Sequence[IntLike]"]
FactorLike = Union[float, Decision]
"""A number above 0 that need be no integer."""
FactorsLike = Union[FactorLike, "Sequence[IntLike | FactorLike]"]
Text = Union[str, Decision]
Flag = Union[bool, Decision]
Any_ = Any
Padding = Union[str, IntLike, "Sequence[IntLike | Sequence[IntLike]]"]
"""A word of Keras, or integers as in PyTorch."""

SIDES = 7
"""The most sides that a tensor has beside the batch."""


@dataclass(frozen=True, eq=False, repr=False)
class Input(Layer):
    """Where a network starts.

    Args:
        shape: The sides of the tensor, the batch not counted.
        batch_size: Kept for Keras.
        dtype: Kept for Keras.
    """

    shape: Sequence[IntLike]
    batch_size: int | None = None
    dtype: str | None = None

    STEM: ClassVar[str] = "input_layer"

    def __post_init__(self) -> None:
        if isinstance(self.shape, (str, bytes)):
            raise SpaceError(f"Input: shape must be a tuple of integers, not {show(self.shape)}")
        try:
            object.__setattr__(self, "shape", tuple(islice(self.shape, SIDES + 2)))
        except Exception:  # It may do anything where it is gone through.
            raise SpaceError(f"Input: shape must be a tuple of integers, not {show(self.shape)}") from None
        if any(side is None for side in self.shape):
            raise SpaceError(
                f"Input: shape={show(self.shape)} has an unknown side; every side but the batch must be known to count "
                "MACs"
            )
        super().__post_init__()


class _Padded(Layer):
    """A window that slides over an image.

    Its padding is a word of Keras; or, as in PyTorch, an integer for all axes or one for each; or, for convolutions
    that are not transposed, a pair (before, after) for each axis.
    """

    padding: Padding

    def normalized(self) -> dict[str, Any_]:
        """The hyperparameters that touch shape or cost: padding as a word, or as integers in `explicit_padding`."""
        given = super().normalized()
        padding = self.padding
        if isinstance(padding, Decision) and any(isinstance(value, str) for value in padding.values):
            integers = [value for value in padding.values if not isinstance(value, str)]
            if integers:
                self._check_sides(integers)
                given["padding"] = padding.replaced(lambda value: value if isinstance(value, str) else "valid")
                given["explicit_padding"] = padding.replaced(lambda value: None if isinstance(value, str) else value)
        elif not isinstance(padding, str):
            given["padding"] = "valid"
            given["explicit_padding"] = self._explicit(padding)
        return given

    def _explicit(self, padding: Any_) -> Any_:
        """Integers as the engine takes them: one, or in a list as many as it has for all axes."""
        if not isinstance(padding, (list, tuple)):
            self._check_sides([padding])
            return padding
        axes, ends = self._ends()
        if len(padding) != axes:
            raise self._wrong_padding()
        sides: list[Any_] = []
        for side in padding:
            pair = isinstance(side, (list, tuple)) and len(side) == ends == 2
            sides += side if pair else [side] * ends
        self._check_sides(sides)
        return sides

    def _ends(self) -> tuple[int, int]:
        """The axes that the window slides along, and the integers that the engine takes for each of them."""
        known = ENGINE_PARAMETERS[self.kind]
        axes = known["strides"].arity or 1
        return axes, (known["explicit_padding"].arity or 1) // axes

    def _check_sides(self, sides: Sequence[object]) -> None:
        """Refuses what is neither an integer from 0 on nor an expression."""
        for side in sides:
            for value in side.values if isinstance(side, Decision) else (side,):
                if isinstance(value, Expression):
                    continue
                if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
                    raise self._wrong_padding()

    def _wrong_padding(self) -> SpaceError:
        axes, ends = self._ends()
        words = ", ".join(repr(word) for word in ENGINE_PARAMETERS[self.kind]["padding"].words)
        pairs = " or a pair (before, after)" if ends == 2 else ""
        return SpaceError(
            f"{self.kind}: padding must be one of {words}, an integer >= 0, or a tuple of {axes} with an integer{pairs}"
            f" for each axis, not {show(self.padding)}"
        )

    def beyond_keras(self, counted: Mapping[str, Any_], chosen: Mapping[str, Scalar]) -> str | None:
        """Padding as integers, or another option that Keras has not."""
        sides = counted["explicit_padding"]
        if None in sides:
            return super().beyond_keras(counted, chosen)
        if len(set(sides)) == 1:
            return f"padding={sides[0]}"
        if self._ends()[1] == 2:
            sides = list(zip(sides[::2], sides[1::2], strict=True))
        return f"padding={tuple(sides)}"


@dataclass(frozen=True, eq=False, repr=False)
class _Conv(_Padded):
    filters: IntLike
    kernel_size: IntsLike
    strides: IntsLike = 1
    padding: Padding = "valid"
    data_format: Text | None = None
    dilation_rate: IntsLike = 1
    groups: IntLike = 1
    activation: Any_ = None
    use_bias: Flag = True
    kernel_initializer: Any_ = "glorot_uniform"
    bias_initializer: Any_ = "zeros"
    kernel_regularizer: Any_ = None
    bias_regularizer: Any_ = None
    activity_regularizer: Any_ = None
    kernel_constraint: Any_ = None
    bias_constraint: Any_ = None
    lora_rank: IntLike | None = None
    lora_alpha: float | None = None
    padding_mode: Text = field(default="zeros", kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"padding_mode": "zeros"}

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_lora(self)

    def normalized(self) -> dict[str, Any_]:
        """The hyperparameters that touch shape or cost; Keras takes the padding of a convolution in any case."""
        return lower_padding(super().normalized())


def lower_padding(given: dict[str, Any_]) -> dict[str, Any_]:
    """The same with the padding in lower case."""
    if isinstance(given["padding"], str):
        given["padding"] = given["padding"].lower()
    return given


def _check_lora(layer: _Conv | Dense | EinsumDense | Embedding, weights: str = "kernel") -> None:
    if layer.lora_rank not in (None, 0) and getattr(layer, f"{weights}_constraint") is not None:
        raise SpaceError(f"{layer.kind}: lora_rank cannot be combined with {weights}_constraint")


def check_numbers(layer: Layer, *names: str, most: float | None = None, optional: bool = False) -> None:
    """Refuses arguments, and values of decisions, that are not numbers from 0 on."""
    for name in names:
        given = getattr(layer, name)
        for value in given.values if isinstance(given, Decision) else (given,):
            if value is None and optional:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= (most or math.inf):
                what = "of at least 0" if most is None else f"from 0 to {most}"
                raise SpaceError(f"{layer.kind}: {name} must be a number {what}, not {show(value)}")


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


class _Transposed(_Padded):
    """What the transposed convolutions have in common."""

    PYTORCH: ClassVar[Mapping[str, object]] = {"groups": 1}

    def normalized(self) -> dict[str, Any_]:
        """The hyperparameters that touch shape or cost; Keras takes the padding of a convolution in any case."""
        return lower_padding(super().normalized())

    def keras_arguments(self, counted: Any_, chosen: Any_) -> dict[str, Any_]:
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
    activation: Any_ = None
    use_bias: Flag = True
    kernel_initializer: Any_ = "glorot_uniform"
    bias_initializer: Any_ = "zeros"
    kernel_regularizer: Any_ = None
    bias_regularizer: Any_ = None
    activity_regularizer: Any_ = None
    kernel_constraint: Any_ = None
    bias_constraint: Any_ = None
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
    activation: Any_ = None
    use_bias: Flag = True
    kernel_initializer: Any_ = "glorot_uniform"
    bias_initializer: Any_ = "zeros"
    kernel_regularizer: Any_ = None
    bias_regularizer: Any_ = None
    activity_regularizer: Any_ = None
    kernel_constraint: Any_ = None
    bias_constraint: Any_ = None
    groups: IntLike = field(default=1, kw_only=True)


@dataclass(frozen=True, eq=False, repr=False)
class _DepthwiseConv(_Padded):
    kernel_size: IntsLike
    strides: IntsLike = 1
    padding: Padding = "valid"
    depth_multiplier: IntLike = 1
    data_format: Text | None = None
    dilation_rate: IntsLike = 1
    activation: Any_ = None
    use_bias: Flag = True
    depthwise_initializer: Any_ = "glorot_uniform"
    bias_initializer: Any_ = "zeros"
    depthwise_regularizer: Any_ = None
    bias_regularizer: Any_ = None
    activity_regularizer: Any_ = None
    depthwise_constraint: Any_ = None
    bias_constraint: Any_ = None
    padding_mode: Text = field(default="zeros", kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"padding_mode": "zeros"}

    def normalized(self) -> dict[str, Any_]:
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
class _SeparableConv(_Padded):
    filters: IntLike
    kernel_size: IntsLike
    strides: IntsLike = 1
    padding: Padding = "valid"
    data_format: Text | None = None
    dilation_rate: IntsLike = 1
    depth_multiplier: IntLike = 1
    activation: Any_ = None
    use_bias: Flag = True
    depthwise_initializer: Any_ = "glorot_uniform"
    pointwise_initializer: Any_ = "glorot_uniform"
    bias_initializer: Any_ = "zeros"
    depthwise_regularizer: Any_ = None
    pointwise_regularizer: Any_ = None
    bias_regularizer: Any_ = None
    activity_regularizer: Any_ = None
    depthwise_constraint: Any_ = None
    pointwise_constraint: Any_ = None
    bias_constraint: Any_ = None
    padding_mode: Text = field(default="zeros", kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"padding_mode": "zeros"}

    def normalized(self) -> dict[str, Any_]:
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


@dataclass(frozen=True, eq=False, repr=False)
class Dense(Layer):
    """A matrix on the last axis of a tensor of any rank: `(features + bias) * units` weights."""

    units: IntLike
    activation: Any_ = None
    use_bias: Flag = True
    kernel_initializer: Any_ = "glorot_uniform"
    bias_initializer: Any_ = "zeros"
    kernel_regularizer: Any_ = None
    bias_regularizer: Any_ = None
    activity_regularizer: Any_ = None
    kernel_constraint: Any_ = None
    bias_constraint: Any_ = None
    lora_rank: IntLike | None = None
    lora_alpha: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_lora(self)


@dataclass(frozen=True, eq=False, repr=False)
class EinsumDense(Layer):
    """A kernel on some axes of a tensor, such as `abc,cd->abd` or `...x,xy->...y`.

    Each side of the output shape must be known, as `None` would leave it open in Keras too. Axes of the input that
    stand neither in the kernel nor in the output are summed up before they are multiplied.
    """

    equation: str
    output_shape: Any_
    activation: Any_ = None
    bias_axes: str | None = None
    kernel_initializer: Any_ = "glorot_uniform"
    bias_initializer: Any_ = "zeros"
    kernel_regularizer: Any_ = None
    bias_regularizer: Any_ = None
    kernel_constraint: Any_ = None
    bias_constraint: Any_ = None
    lora_rank: IntLike | None = None
    lora_alpha: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_lora(self)

    def normalized(self) -> dict[str, Any_]:
        """The hyperparameters that touch shape or cost: which axis is which, and which ones the bias has."""
        given = super().normalized()
        elided, source, weights, target = self.terms()
        bias = self.bias_axes
        if bias is not None and not (isinstance(bias, str) and bias and set(bias) <= set(target)):
            raise SpaceError(
                f"EinsumDense: bias_axes must be None or axes of the output beside the batch, not {show(bias)}"
            )
        sides = self.output_shape if isinstance(self.output_shape, (list, tuple)) else (self.output_shape,)
        if len(sides) != len(target):
            raise SpaceError(
                f"EinsumDense: output_shape must have a side for each of the axes {show(target)}, not "
                f"{show(self.output_shape)}"
            )
        inputs = [target.find(axis) for axis in source]
        kernel = [source.index(axis) if axis in source else SIDES + target.index(axis) for axis in weights]
        given["equation"] = [elided, *_padded(inputs, SIDES, None), *_padded(kernel, 2 * SIDES, None)]
        given["bias_axes"] = _padded([axis in (bias or "") for axis in target], SIDES, False)
        given["output_shape"] = list(sides)
        return given

    def terms(self) -> tuple[int, str, str, str]:
        """The axes of the input, the kernel and the output that the equation names, without the batch.

        Before them where those are that it does not name: nowhere (0), before the others (1) or behind them (2).
        """
        plain = str(self.equation).replace("...", "0")
        forms = (
            "([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]+)",
            "0([a-zA-Z]+),([a-zA-Z]+)->0([a-zA-Z]+)",
            "([a-zA-Z]{2,})0,([a-zA-Z]+)->([a-zA-Z]+)0",
        )
        for elided, form in enumerate(forms):
            if found := re.fullmatch(form, plain):
                source, weights, target = found.groups()
                if elided != 1:
                    batch, source, rest, target = source[0], source[1:], target[0], target[1:]
                    if rest != batch or batch in source + weights + target:
                        break
                once = all(len(set(axes)) == len(axes) <= SIDES for axes in (source, target))
                known = set(weights) <= set(source + target) and set(target) <= set(source + weights)
                if once and known and len(set(weights)) == len(weights):
                    return elided, source, weights, target
        raise SpaceError(
            "EinsumDense: equation must be like 'abc,cd->abd' or '...x,xy->...y': each axis once in a term, the batch "
            "first in both tensors or within '...', each axis of the kernel or of the output in another term; not "
            f"{show(self.equation)}"
        )

    def keras_arguments(self, counted: Any_, chosen: Any_) -> dict[str, Any_]:
        """The arguments of the real layer: equation and bias as they were given."""
        told = {"equation": self.equation, "bias_axes": self.bias_axes, "output_shape": tuple(counted["output_shape"])}
        return super().keras_arguments({**counted, **told}, chosen)


def _padded(codes: list[Any_], length: int, fill: Any_) -> list[Any_]:
    return codes + [fill] * (length - len(codes))


@dataclass(frozen=True, eq=False, repr=False)
class Embedding(Layer):
    """A row of a table for each integer of the input: `input_dim * output_dim` weights."""

    input_dim: IntLike
    output_dim: IntLike
    embeddings_initializer: Any_ = "uniform"
    embeddings_regularizer: Any_ = None
    embeddings_constraint: Any_ = None
    mask_zero: bool = False
    weights: Any_ = None
    lora_rank: IntLike | None = None
    lora_alpha: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_lora(self, "embeddings")


@dataclass(frozen=True, eq=False, repr=False)
class _Pooling(_Padded):
    pool_size: IntsLike
    strides: IntsLike | None = None
    padding: Padding = "valid"
    data_format: Text | None = None
    ceil_mode: Flag = field(default=False, kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"ceil_mode": False}


@dataclass(frozen=True, eq=False, repr=False)
class _AveragePooling(_Pooling):
    count_include_pad: Flag = field(default=True, kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"ceil_mode": False, "count_include_pad": True}

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.count_include_pad
        for value in given.values if isinstance(given, Decision) else (given,):
            if not isinstance(value, bool):
                raise SpaceError(f"{self.kind}: count_include_pad must be True or False, not {show(value)}")


@dataclass(frozen=True, eq=False, repr=False)
class _MaxPooling(_Pooling):
    pool_size: IntsLike = 2
    dilation: IntsLike = field(default=1, kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"ceil_mode": False, "dilation": 1}


@dataclass(frozen=True, eq=False, repr=False)
class MaxPooling1D(_MaxPooling):
    """The largest value of each window.

    As in PyTorch, `padding` may be integers: one, or one for each axis, of at most half of the window; with
    `ceil_mode` a last window may reach beyond the end, if it starts inside the input or the padding before it; and
    `dilation` is the distance of the values that a window takes.
    """


@dataclass(frozen=True, eq=False, repr=False)
class MaxPooling2D(_MaxPooling):
    """The largest value of each window.

    As in PyTorch, `padding` may be integers: one, or one for each axis, of at most half of the window; with
    `ceil_mode` a last window may reach beyond the end, if it starts inside the input or the padding before it; and
    `dilation` is the distance of the values that a window takes.
    """


@dataclass(frozen=True, eq=False, repr=False)
class MaxPooling3D(_MaxPooling):
    """The largest value of each window.

    As in PyTorch, `padding` may be integers: one, or one for each axis, of at most half of the window; with
    `ceil_mode` a last window may reach beyond the end, if it starts inside the input or the padding before it; and
    `dilation` is the distance of the values that a window takes.
    """


@dataclass(frozen=True, eq=False, repr=False)
class AveragePooling1D(_AveragePooling):
    """The mean of each window.

    As in PyTorch, `padding` may be integers: one, or one for each axis, of at most half of the window; and with
    `ceil_mode` a last window may reach beyond the end, if it starts inside the input or the padding before it.
    `count_include_pad` touches neither shape nor cost, and counts only where `padding` is integers.
    """


@dataclass(frozen=True, eq=False, repr=False)
class AveragePooling2D(_AveragePooling):
    """The mean of each window.

    As in PyTorch, `padding` may be integers: one, or one for each axis, of at most half of the window; and with
    `ceil_mode` a last window may reach beyond the end, if it starts inside the input or the padding before it.
    `count_include_pad` touches neither shape nor cost, and counts only where `padding` is integers.
    """


@dataclass(frozen=True, eq=False, repr=False)
class AveragePooling3D(_AveragePooling):
    """The mean of each window.

    As in PyTorch, `padding` may be integers: one, or one for each axis, of at most half of the window; and with
    `ceil_mode` a last window may reach beyond the end, if it starts inside the input or the padding before it.
    `count_include_pad` touches neither shape nor cost, and counts only where `padding` is integers.
    """


@dataclass(frozen=True, eq=False, repr=False)
class _GlobalPooling(Layer):
    data_format: Text | None = None
    keepdims: Flag = False


@dataclass(frozen=True, eq=False, repr=False)
class GlobalMaxPooling1D(_GlobalPooling):
    """The largest value of each channel."""


@dataclass(frozen=True, eq=False, repr=False)
class GlobalMaxPooling2D(_GlobalPooling):
    """The largest value of each channel."""


@dataclass(frozen=True, eq=False, repr=False)
class GlobalMaxPooling3D(_GlobalPooling):
    """The largest value of each channel."""


@dataclass(frozen=True, eq=False, repr=False)
class GlobalAveragePooling1D(_GlobalPooling):
    """The mean of each channel."""


@dataclass(frozen=True, eq=False, repr=False)
class GlobalAveragePooling2D(_GlobalPooling):
    """The mean of each channel."""


@dataclass(frozen=True, eq=False, repr=False)
class GlobalAveragePooling3D(_GlobalPooling):
    """The mean of each channel."""


@dataclass(frozen=True, eq=False, repr=False)
class _AdaptivePooling(Layer):
    output_size: IntsLike
    data_format: Text | None = None


@dataclass(frozen=True, eq=False, repr=False)
class AdaptiveMaxPooling1D(_AdaptivePooling):
    """The largest value of each part, in as many parts as the output has positions."""


@dataclass(frozen=True, eq=False, repr=False)
class AdaptiveMaxPooling2D(_AdaptivePooling):
    """The largest value of each part, in as many parts as the output has positions."""


@dataclass(frozen=True, eq=False, repr=False)
class AdaptiveMaxPooling3D(_AdaptivePooling):
    """The largest value of each part, in as many parts as the output has positions."""


@dataclass(frozen=True, eq=False, repr=False)
class AdaptiveAveragePooling1D(_AdaptivePooling):
    """The mean of each part, in as many parts as the output has positions."""


@dataclass(frozen=True, eq=False, repr=False)
class AdaptiveAveragePooling2D(_AdaptivePooling):
    """The mean of each part, in as many parts as the output has positions."""


@dataclass(frozen=True, eq=False, repr=False)
class AdaptiveAveragePooling3D(_AdaptivePooling):
    """The mean of each part, in as many parts as the output has positions."""


@dataclass(frozen=True, eq=False, repr=False)
class Flatten(Layer):
    """All values in one row."""

    data_format: Text | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Dropout(Layer):
    """Removes activations while training, not weights; so it costs nothing."""

    rate: Any_
    noise_shape: Any_ = None
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "rate", most=1)


@dataclass(frozen=True, eq=False, repr=False)
class _SpatialDropout(Layer):
    rate: Any_

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "rate", most=1)
        if not self.trainable:
            raise SpaceError(f"{self.kind}: Keras takes no argument trainable here")


@dataclass(frozen=True, eq=False, repr=False)
class SpatialDropout1D(_SpatialDropout):
    """Removes whole channels while training."""

    seed: int | None = None
    dtype: Any_ = None


@dataclass(frozen=True, eq=False, repr=False)
class SpatialDropout2D(_SpatialDropout):
    """Removes whole channels while training."""

    data_format: Text | None = None
    seed: int | None = None
    dtype: Any_ = None


@dataclass(frozen=True, eq=False, repr=False)
class SpatialDropout3D(_SpatialDropout):
    """Removes whole channels while training."""

    data_format: Text | None = None
    seed: int | None = None
    dtype: Any_ = None


@dataclass(frozen=True, eq=False, repr=False)
class AlphaDropout(Layer):
    """Replaces activations while training, keeping mean and variance."""

    rate: Any_
    noise_shape: Any_ = None
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "rate", most=1)


@dataclass(frozen=True, eq=False, repr=False)
class GaussianDropout(Layer):
    """Scales activations at random while training."""

    rate: Any_
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "rate", most=1)


@dataclass(frozen=True, eq=False, repr=False)
class GaussianNoise(Layer):
    """Shifts activations at random while training."""

    stddev: Any_
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "stddev", most=1)


@dataclass(frozen=True, eq=False, repr=False)
class ActivityRegularization(Layer):
    """Adds a term to the loss."""

    l1: Any_ = 0.0
    l2: Any_ = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "l1", "l2", optional=True)


@dataclass(frozen=True, eq=False, repr=False)
class Identity(Layer):
    """Its input."""


@dataclass(frozen=True, eq=False, repr=False)
class Masking(Layer):
    """Marks the steps that later layers skip; every step is counted all the same."""

    mask_value: Any_ = 0.0


@dataclass(frozen=True, eq=False, repr=False)
class Rescaling(Layer):
    """`x * scale + offset`, by fixed numbers."""

    scale: Any_
    offset: Any_ = 0.0


@dataclass(frozen=True, eq=False, repr=False)
class Activation(Layer):
    """A fixed function of each value."""

    activation: Any_


@dataclass(frozen=True, eq=False, repr=False)
class ReLU(Layer):
    """`max(x, 0)`, with Keras' variants."""

    max_value: Any_ = None
    negative_slope: Any_ = 0.0
    threshold: Any_ = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "max_value", optional=True)
        check_numbers(self, "negative_slope", "threshold")


@dataclass(frozen=True, eq=False, repr=False)
class LeakyReLU(Layer):
    """`max(x, negative_slope * x)`."""

    negative_slope: Any_ = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "negative_slope")


@dataclass(frozen=True, eq=False, repr=False)
class ELU(Layer):
    """`x`, or `alpha * (exp(x) - 1)` below 0."""

    alpha: Any_ = 1.0


@dataclass(frozen=True, eq=False, repr=False)
class _Axes(Layer):
    """A layer that takes one axis or several."""

    AXES: ClassVar[str] = "axis"

    def normalized(self) -> dict[str, Any_]:
        """The hyperparameters that touch shape or cost; axes in a list."""
        given = super().normalized()
        axes = given[self.AXES]
        given[self.AXES] = axes if isinstance(axes, (list, tuple)) else [axes]
        return given

    def keras_arguments(self, counted: Any_, chosen: Any_) -> dict[str, Any_]:
        """The arguments of the real layer; one axis as a number where it was given so."""
        axes = tuple(counted[self.AXES])
        given = getattr(self, self.AXES)
        return super().keras_arguments(
            {**counted, self.AXES: axes if isinstance(given, (list, tuple)) else axes[0]}, chosen
        )


@dataclass(frozen=True, eq=False, repr=False)
class PReLU(_Axes):
    """`max(x, alpha * x)` with a weight `alpha` for each value, or for all along the shared axes."""

    alpha_initializer: Any_ = "Zeros"
    alpha_regularizer: Any_ = None
    alpha_constraint: Any_ = None
    shared_axes: IntsLike | None = None

    AXES = "shared_axes"


@dataclass(frozen=True, eq=False, repr=False)
class Softmax(_Axes):
    """`exp(x)`, divided by its sum along an axis."""

    axis: IntsLike = -1


@dataclass(frozen=True, eq=False, repr=False)
class BatchNormalization(Layer):
    """Gamma and beta, which are trained, and a moving mean and variance, which are not: 4 weights a channel.

    `track_running_stats=False` is PyTorch's: there is no moving mean and variance; those of the batch are always taken.
    """

    axis: int = -1
    momentum: Any_ = 0.99
    epsilon: Any_ = 1e-3
    center: Flag = True
    scale: Flag = True
    beta_initializer: Any_ = "zeros"
    gamma_initializer: Any_ = "ones"
    moving_mean_initializer: Any_ = "zeros"
    moving_variance_initializer: Any_ = "ones"
    beta_regularizer: Any_ = None
    gamma_regularizer: Any_ = None
    beta_constraint: Any_ = None
    gamma_constraint: Any_ = None
    renorm: Flag = False
    renorm_clipping: Any_ = None
    renorm_momentum: Any_ = 0.99
    synchronized: bool = False
    track_running_stats: Flag = field(default=True, kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"track_running_stats": True}


@dataclass(frozen=True, eq=False, repr=False)
class LayerNormalization(_Axes):
    """A gamma and a beta for each position of the axes that are normalised."""

    axis: IntsLike = -1
    epsilon: Any_ = 1e-3
    center: Flag = True
    scale: Flag = True
    beta_initializer: Any_ = "zeros"
    gamma_initializer: Any_ = "ones"
    beta_regularizer: Any_ = None
    gamma_regularizer: Any_ = None
    beta_constraint: Any_ = None
    gamma_constraint: Any_ = None


@dataclass(frozen=True, eq=False, repr=False)
class RMSNormalization(_Axes):
    """A scale for each position of the axes that are normalised; none with PyTorch's `elementwise_affine=False`."""

    axis: IntsLike = -1
    epsilon: Any_ = 1e-6
    elementwise_affine: Flag = field(default=True, kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"elementwise_affine": True}


@dataclass(frozen=True, eq=False, repr=False)
class GroupNormalization(Layer):
    """A gamma and a beta for each channel; the channels are normalised in groups."""

    groups: IntLike = 32
    axis: int = -1
    epsilon: Any_ = 1e-3
    center: Flag = True
    scale: Flag = True
    beta_initializer: Any_ = "zeros"
    gamma_initializer: Any_ = "ones"
    beta_regularizer: Any_ = None
    gamma_regularizer: Any_ = None
    beta_constraint: Any_ = None
    gamma_constraint: Any_ = None


@dataclass(frozen=True, eq=False, repr=False)
class UnitNormalization(_Axes):
    """The input, divided by its length along an axis."""

    axis: IntsLike = -1


@dataclass(frozen=True, eq=False, repr=False)
class Normalization(_Axes):
    """The input, less a mean and divided by a deviation; both are given, or kept as weights that are not trained."""

    axis: IntsLike | None = -1
    mean: Any_ = None
    variance: Any_ = None
    invert: bool = False

    def __post_init__(self) -> None:
        if (self.mean is None) != (self.variance is None):
            raise SpaceError("Normalization: mean and variance must be given both, or neither of them")
        if self.mean is not None:
            sides = np.shape(self.mean)
            axes = len(self.axis) if isinstance(self.axis, (list, tuple)) else 0 if self.axis is None else 1
            if sides != np.shape(self.variance):
                raise SpaceError(
                    "Normalization: mean and variance must have the same shape, not "
                    f"{sides} and {np.shape(self.variance)}"
                )
            if len(sides) > axes:
                raise SpaceError(f"Normalization: a mean of shape {sides} has more axes than are kept, {axes}")
        super().__post_init__()

    def normalized(self) -> dict[str, Any_]:
        """The hyperparameters that touch shape or cost: of the mean its shape."""
        given = super().normalized()
        if self.mean is not None:
            sides = np.shape(self.mean)
            given["mean"] = [1] * (SIDES + 1 - len(sides)) + list(sides)
        return given

    def keras_arguments(self, counted: Any_, chosen: Any_) -> dict[str, Any_]:
        """The arguments of the real layer: the mean as it was given."""
        return super().keras_arguments({**counted, "mean": self.mean}, chosen)


class _Margins(Layer):
    """Something at both ends of each axis: an integer, an integer for each axis, or a pair for each axis."""

    AXES: ClassVar[int]
    ARGUMENT: ClassVar[str]

    def normalized(self) -> dict[str, Any_]:
        """The margins as (before, after) of each axis, in one list."""
        given = super().normalized()
        margins, axes = getattr(self, self.ARGUMENT), self.AXES
        if isinstance(margins, (list, tuple)):
            if axes == 1:
                margins = (margins,)
            each = [side if isinstance(side, (list, tuple)) else (side, side) for side in margins]
            if len(each) != axes or any(len(side) != 2 for side in each):
                what = "a pair" if axes == 1 else f"{axes} integers or {axes} pairs of them"
                raise SpaceError(
                    f"{self.kind}: {self.ARGUMENT} must be an integer or {what}, not "
                    f"{show(getattr(self, self.ARGUMENT))}"
                )
            given[self.ARGUMENT] = [around for side in each for around in side]
        return given

    def keras_arguments(self, counted: Any_, chosen: Any_) -> dict[str, Any_]:
        """The margins as Keras takes them: a pair for each axis."""
        flat = counted[self.ARGUMENT]
        pairs = tuple((flat[i], flat[i + 1]) for i in range(0, len(flat), 2))
        margins = pairs[0] if self.AXES == 1 else pairs
        return super().keras_arguments({**counted, self.ARGUMENT: margins}, chosen)


@dataclass(frozen=True, eq=False, repr=False)
class ZeroPadding1D(_Margins):
    """Zeros before and after a sequence."""

    padding: Any_ = 1
    data_format: Text | None = None

    AXES = 1
    ARGUMENT = "padding"


@dataclass(frozen=True, eq=False, repr=False)
class ZeroPadding2D(_Margins):
    """Zeros around an image.

    Negative numbers are refused: Keras describes what -1 would give, but most of its backends do not run it.
    """

    padding: Any_ = (1, 1)
    data_format: Text | None = None

    AXES = 2
    ARGUMENT = "padding"


@dataclass(frozen=True, eq=False, repr=False)
class ZeroPadding3D(_Margins):
    """Zeros around a volume.

    Negative numbers are refused: Keras describes what -1 would give, but most of its backends do not run it.
    """

    padding: Any_ = ((1, 1), (1, 1), (1, 1))
    data_format: Text | None = None

    AXES = 3
    ARGUMENT = "padding"


@dataclass(frozen=True, eq=False, repr=False)
class Cropping1D(_Margins):
    """A sequence without its ends."""

    cropping: Any_ = (1, 1)

    AXES = 1
    ARGUMENT = "cropping"


@dataclass(frozen=True, eq=False, repr=False)
class Cropping2D(_Margins):
    """An image without its margins."""

    cropping: Any_ = ((0, 0), (0, 0))
    data_format: Text | None = None

    AXES = 2
    ARGUMENT = "cropping"


@dataclass(frozen=True, eq=False, repr=False)
class Cropping3D(_Margins):
    """A volume without its margins."""

    cropping: Any_ = ((1, 1), (1, 1), (1, 1))
    data_format: Text | None = None

    AXES = 3
    ARGUMENT = "cropping"


class _UpSampling(Layer):
    """An input, enlarged.

    As in PyTorch its `size` may be a number that is no integer; or it is given by `output_size` in place of `size`.
    """

    size: IntsLike | FactorsLike
    output_size: IntsLike | None
    interpolation: Text

    def __post_init__(self) -> None:
        super().__post_init__()
        sides = self.output_size if isinstance(self.output_size, (list, tuple)) else (self.output_size,)
        factors = self.size if isinstance(self.size, (list, tuple)) else (self.size,)
        fixed = not any(isinstance(side, Expression) or side is None for side in sides)
        if fixed and any(isinstance(factor, Expression) or factor != 2 for factor in factors):
            raise SpaceError(
                f"{self.kind}: size or output_size must be given, not both, as {show(self.size)} and "
                f"{show(self.output_size)}"
            )

    def normalized(self) -> dict[str, Any_]:
        """The hyperparameters that touch shape or cost: a size that is no integer as `scale_factor`."""
        given = super().normalized()
        if isinstance(self.size, (list, tuple)) and ENGINE_PARAMETERS[self.kind]["size"].arity != 1:
            each = [self._factor(factor) for factor in self.size]
            given["size"], given["scale_factor"] = ([pair[at] for pair in each] for at in (0, 1))
        elif not isinstance(self.size, (list, tuple)):
            given["size"], given["scale_factor"] = self._factor(self.size)
        return given

    def _factor(self, given: Any_) -> tuple[Any_, Any_]:
        """A factor as an integer and, where it is none, as a number."""
        for value in given.values if isinstance(given, Decision) else (given,):
            if isinstance(value, (float, np.floating)) and not 0 < value < math.inf:
                raise SpaceError(f"{self.kind}: size must be an integer >= 1 or another number > 0, not {show(value)}")
        if isinstance(given, Decision) and any(isinstance(value, float) for value in given.values):
            return (
                given.replaced(lambda value: 1 if isinstance(value, float) else value),
                given.replaced(lambda value: value if isinstance(value, float) else None),
            )
        return (1, float(given)) if isinstance(given, (float, np.floating)) else (given, None)

    def recorded(self, counted: Mapping[str, Any_], values: Sequence[tuple[Scalar, ...]]) -> dict[str, Any_]:
        """The hyperparameters that touch shape or cost; a size that is no integer as it was given."""
        known = super().recorded(counted, values)
        size, factors = known["size"], known.pop("scale_factor")
        if isinstance(size, tuple):
            known["size"] = tuple(own if by is None else by for own, by in zip(size, factors, strict=True))
        elif factors is not None:
            known["size"] = factors
        return known

    def beyond_keras(self, counted: Mapping[str, Any_], chosen: Mapping[str, Scalar]) -> str | None:
        """A size that is no integer, a size of the output, or an interpolation that Keras has not here."""
        known = self.recorded(counted, ())
        size = known["size"] if isinstance(known["size"], tuple) else (known["size"],)
        if any(isinstance(factor, float) for factor in size):
            return f"size={known['size']!r}"
        sides = known["output_size"] if isinstance(known["output_size"], tuple) else (known["output_size"],)
        if any(side is not None for side in sides):
            return f"output_size={known['output_size']!r}"
        interpolation = resolve(self.interpolation, chosen)
        if "interpolation" in self.PYTORCH and interpolation != "nearest":
            return f"interpolation={interpolation!r}"
        return None


@dataclass(frozen=True, eq=False, repr=False)
class UpSampling1D(_UpSampling):
    """Each step of a sequence, several times.

    As in PyTorch, `size` may be a number that is no integer, whose product with the steps is rounded down;
    `output_size` gives the steps themselves in place of it; and `interpolation` may be `"linear"`.
    """

    size: IntLike | FactorLike = 2
    output_size: IntLike | None = field(default=None, kw_only=True)
    interpolation: Text = field(default="nearest", kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"output_size": None, "interpolation": "nearest"}


@dataclass(frozen=True, eq=False, repr=False)
class UpSampling2D(_UpSampling):
    """An image, enlarged.

    As in PyTorch, `size` may be a number that is no integer, whose product with a side is rounded down; or
    `output_size` gives the sides themselves in place of it.
    """

    size: IntsLike | FactorsLike = 2
    data_format: Text | None = None
    interpolation: Text = "nearest"
    output_size: IntsLike | None = field(default=None, kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"output_size": None}


@dataclass(frozen=True, eq=False, repr=False)
class UpSampling3D(_UpSampling):
    """A volume, enlarged.

    As in PyTorch, `size` may be a number that is no integer, whose product with a side is rounded down;
    `output_size` gives the sides themselves in place of it; and `interpolation` may be `"trilinear"`.
    """

    size: IntsLike | FactorsLike = 2
    data_format: Text | None = None
    output_size: IntsLike | None = field(default=None, kw_only=True)
    interpolation: Text = field(default="nearest", kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"output_size": None, "interpolation": "nearest"}


@dataclass(frozen=True, eq=False, repr=False)
class Reshape(Layer):
    """The same values in another shape; one side may be -1, which is what the others leave."""

    target_shape: Sequence[IntLike]


@dataclass(frozen=True, eq=False, repr=False)
class Permute(Layer):
    """The axes in another order; the batch stays where it is, and the others are counted from 1."""

    dims: Sequence[IntLike]


@dataclass(frozen=True, eq=False, repr=False)
class RepeatVector(Layer):
    """A vector, `n` times."""

    n: IntLike


@dataclass(frozen=True, eq=False, repr=False)
class Add(Layer):
    """The sum of its inputs."""

    MERGES = True


@dataclass(frozen=True, eq=False, repr=False)
class Subtract(Layer):
    """Its first input less the second."""

    MERGES = True


@dataclass(frozen=True, eq=False, repr=False)
class Multiply(Layer):
    """The product of its inputs."""

    MERGES = True


@dataclass(frozen=True, eq=False, repr=False)
class Average(Layer):
    """The mean of its inputs, value by value."""

    MERGES = True


@dataclass(frozen=True, eq=False, repr=False)
class Maximum(Layer):
    """The largest of its inputs, value by value."""

    MERGES = True


@dataclass(frozen=True, eq=False, repr=False)
class Minimum(Layer):
    """The smallest of its inputs, value by value."""

    MERGES = True


@dataclass(frozen=True, eq=False, repr=False)
class Concatenate(Layer):
    """Its inputs side by side."""

    axis: int = -1

    MERGES = True


@dataclass(frozen=True, eq=False, repr=False)
class Dot(Layer):
    """The product of two inputs along an axis of each."""

    axes: IntsLike
    normalize: bool = False

    MERGES = True
