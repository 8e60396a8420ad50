"""The layers of Keras 3: names, order of arguments and defaults are Keras' own.

Arguments that touch neither shape nor cost are kept for `Architecture.to_keras`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Union

from archbudget._expressions import Decision, IntLike
from archbudget.errors import SpaceError
from archbudget.layers._base import Layer

if TYPE_CHECKING:
    from collections.abc import Sequence

IntsLike = Union[IntLike, "Sequence[IntLike]"]
Text = Union[str, Decision]
Flag = Union[bool, Decision]
Any_ = Any


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

    def __post_init__(self) -> None:
        if isinstance(self.shape, (str, bytes)) or not hasattr(self.shape, "__iter__"):
            raise SpaceError(f"Input: shape must be a tuple of integers, not {self.shape!r}")
        object.__setattr__(self, "shape", tuple(self.shape))
        if any(side is None for side in self.shape):
            raise SpaceError(
                f"Input: shape={self.shape!r} has an unknown side; every side but the batch must be known to count MACs"
            )
        super().__post_init__()


@dataclass(frozen=True, eq=False, repr=False)
class _Conv(Layer):
    filters: IntLike
    kernel_size: IntsLike
    strides: IntsLike = 1
    padding: Text = "valid"
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

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_lora(self)

    def normalized(self) -> dict[str, Any_]:
        """The hyperparameters that touch shape or cost; Keras takes the padding of a convolution in any case."""
        return _lower_padding(super().normalized())


def _lower_padding(given: dict[str, Any_]) -> dict[str, Any_]:
    if isinstance(given["padding"], str):
        given["padding"] = given["padding"].lower()
    return given


def _check_lora(layer: _Conv | Dense) -> None:
    if layer.lora_rank is not None and layer.lora_rank != 0 and layer.kernel_constraint is not None:
        raise SpaceError(f"{layer.kind}: lora_rank cannot be combined with kernel_constraint")


@dataclass(frozen=True, eq=False, repr=False)
class Conv1D(_Conv):
    """A convolution over sequences: `(k * channels / groups + bias) * filters` weights."""


@dataclass(frozen=True, eq=False, repr=False)
class Conv2D(_Conv):
    """A convolution over images: `(k_h * k_w * channels / groups + bias) * filters` weights."""


@dataclass(frozen=True, eq=False, repr=False)
class Conv3D(_Conv):
    """A convolution over volumes: `(k_d * k_h * k_w * channels / groups + bias) * filters` weights."""


class _Transposed(Layer):
    """What the transposed convolutions have in common."""

    def normalized(self) -> dict[str, Any_]:
        """The hyperparameters that touch shape or cost; Keras takes the padding of a convolution in any case."""
        return _lower_padding(super().normalized())

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
    padding: Text = "valid"
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


@dataclass(frozen=True, eq=False, repr=False)
class Conv1DTranspose(_ConvTranspose):
    """A transposed convolution over sequences: `(k * channels + bias) * filters` weights."""


@dataclass(frozen=True, eq=False, repr=False)
class Conv2DTranspose(_ConvTranspose):
    """A transposed convolution over images: `(k_h * k_w * channels + bias) * filters` weights."""


@dataclass(frozen=True, eq=False, repr=False)
class Conv3DTranspose(_Transposed):
    """A transposed convolution over volumes: `(k_d * k_h * k_w * channels + bias) * filters` weights."""

    filters: IntLike
    kernel_size: IntsLike
    strides: IntsLike = 1
    padding: Text = "valid"
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


@dataclass(frozen=True, eq=False, repr=False)
class _DepthwiseConv(Layer):
    kernel_size: IntsLike
    strides: IntsLike = 1
    padding: Text = "valid"
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

    def normalized(self) -> dict[str, Any_]:
        """The hyperparameters that touch shape or cost; Keras takes the padding of a convolution in any case."""
        return _lower_padding(super().normalized())


@dataclass(frozen=True, eq=False, repr=False)
class DepthwiseConv1D(_DepthwiseConv):
    """A convolution of each channel by itself: `(k + bias) * channels * depth_multiplier` weights."""


@dataclass(frozen=True, eq=False, repr=False)
class DepthwiseConv2D(_DepthwiseConv):
    """A convolution of each channel by itself: `(k_h * k_w + bias) * channels * depth_multiplier` weights."""


@dataclass(frozen=True, eq=False, repr=False)
class _SeparableConv(Layer):
    filters: IntLike
    kernel_size: IntsLike
    strides: IntsLike = 1
    padding: Text = "valid"
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

    def normalized(self) -> dict[str, Any_]:
        """The hyperparameters that touch shape or cost; Keras takes the padding of a convolution in any case."""
        return _lower_padding(super().normalized())


@dataclass(frozen=True, eq=False, repr=False)
class SeparableConv1D(_SeparableConv):
    """A depthwise convolution and a pointwise one, with one bias at the end."""


@dataclass(frozen=True, eq=False, repr=False)
class SeparableConv2D(_SeparableConv):
    """A depthwise convolution and a pointwise one, with one bias at the end."""


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
class _Pooling(Layer):
    pool_size: IntsLike
    strides: IntsLike | None = None
    padding: Text = "valid"
    data_format: Text | None = None


@dataclass(frozen=True, eq=False, repr=False)
class _MaxPooling(_Pooling):
    pool_size: IntsLike = 2


@dataclass(frozen=True, eq=False, repr=False)
class MaxPooling1D(_MaxPooling):
    """The largest value of each window."""


@dataclass(frozen=True, eq=False, repr=False)
class MaxPooling2D(_MaxPooling):
    """The largest value of each window."""


@dataclass(frozen=True, eq=False, repr=False)
class MaxPooling3D(_MaxPooling):
    """The largest value of each window."""


@dataclass(frozen=True, eq=False, repr=False)
class AveragePooling1D(_Pooling):
    """The mean of each window."""


@dataclass(frozen=True, eq=False, repr=False)
class AveragePooling2D(_Pooling):
    """The mean of each window."""


@dataclass(frozen=True, eq=False, repr=False)
class AveragePooling3D(_Pooling):
    """The mean of each window."""


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
        rates = self.rate.values if isinstance(self.rate, Decision) else (self.rate,)
        for rate in rates:
            if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate <= 1:
                raise SpaceError(f"Dropout: rate must be a number from 0 to 1, not {rate!r}")


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
        for name in ("max_value", "negative_slope", "threshold"):
            given = getattr(self, name)
            for value in given.values if isinstance(given, Decision) else (given,):
                if name == "max_value" and value is None:
                    continue
                if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
                    raise SpaceError(f"ReLU: {name} must be a number of at least 0, not {value!r}")


@dataclass(frozen=True, eq=False, repr=False)
class BatchNormalization(Layer):
    """Gamma and beta, which are trained, and a moving mean and variance, which are not: 4 weights a channel."""

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
                    f"{self.kind}: {self.ARGUMENT} must be an integer or {what}, not {getattr(self, self.ARGUMENT)!r}"
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
    """Zeros around an image."""

    padding: Any_ = (1, 1)
    data_format: Text | None = None

    AXES = 2
    ARGUMENT = "padding"


@dataclass(frozen=True, eq=False, repr=False)
class ZeroPadding3D(_Margins):
    """Zeros around a volume."""

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


@dataclass(frozen=True, eq=False, repr=False)
class UpSampling1D(Layer):
    """Each step of a sequence, several times."""

    size: IntLike = 2


@dataclass(frozen=True, eq=False, repr=False)
class UpSampling2D(Layer):
    """An image, enlarged."""

    size: IntsLike = 2
    data_format: Text | None = None
    interpolation: Text = "nearest"


@dataclass(frozen=True, eq=False, repr=False)
class UpSampling3D(Layer):
    """A volume, enlarged."""

    size: IntsLike = 2
    data_format: Text | None = None


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
class Multiply(Layer):
    """The product of its inputs."""

    MERGES = True


@dataclass(frozen=True, eq=False, repr=False)
class Concatenate(Layer):
    """Its inputs side by side."""

    axis: int = -1

    MERGES = True
