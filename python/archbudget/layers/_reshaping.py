"""Layers that move values, or repeat them, and compute nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from archbudget._expressions import Decision, Expression, IntLike, Scalar
from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.layers._arguments import FactorLike, FactorsLike, IntsLike, Text, check_number
from archbudget.layers._base import ENGINE_PARAMETERS, Layer, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "ChannelShuffle",
    "CircularPadding1D",
    "CircularPadding2D",
    "CircularPadding3D",
    "ConstantPadding1D",
    "ConstantPadding2D",
    "ConstantPadding3D",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "Flatten",
    "Fold",
    "Permute",
    "PixelShuffle",
    "PixelUnshuffle",
    "ReflectionPadding1D",
    "ReflectionPadding2D",
    "ReflectionPadding3D",
    "RepeatVector",
    "ReplicationPadding1D",
    "ReplicationPadding2D",
    "ReplicationPadding3D",
    "Reshape",
    "Unfold",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
]


@dataclass(frozen=True, eq=False, repr=False)
class Flatten(Layer):
    """All values in one row."""

    data_format: Text | None = None


class _Margins(Layer):
    """Something at both ends of each axis: an integer, an integer for each axis, or a pair for each axis."""

    AXES: ClassVar[int]
    ARGUMENT: ClassVar[str]

    def normalized(self) -> dict[str, Any]:
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

    def keras_arguments(self, counted: Any, chosen: Any) -> dict[str, Any]:
        """The margins as Keras takes them: a pair for each axis."""
        flat = counted[self.ARGUMENT]
        pairs = tuple((flat[i], flat[i + 1]) for i in range(0, len(flat), 2))
        margins = pairs[0] if self.AXES == 1 else pairs
        return super().keras_arguments({**counted, self.ARGUMENT: margins}, chosen)


@dataclass(frozen=True, eq=False, repr=False)
class ZeroPadding1D(_Margins):
    """Zeros before and after a sequence."""

    padding: Any = 1
    data_format: Text | None = None

    AXES = 1
    ARGUMENT = "padding"


@dataclass(frozen=True, eq=False, repr=False)
class ZeroPadding2D(_Margins):
    """Zeros around an image.

    Negative numbers are refused: Keras describes what -1 would give, but most of its backends do not run it.
    """

    padding: Any = (1, 1)
    data_format: Text | None = None

    AXES = 2
    ARGUMENT = "padding"


@dataclass(frozen=True, eq=False, repr=False)
class ZeroPadding3D(_Margins):
    """Zeros around a volume.

    Negative numbers are refused: Keras describes what -1 would give, but most of its backends do not run it.
    """

    padding: Any = ((1, 1), (1, 1), (1, 1))
    data_format: Text | None = None

    AXES = 3
    ARGUMENT = "padding"


@dataclass(frozen=True, eq=False, repr=False)
class Cropping1D(_Margins):
    """A sequence without its ends."""

    cropping: Any = (1, 1)

    AXES = 1
    ARGUMENT = "cropping"


@dataclass(frozen=True, eq=False, repr=False)
class Cropping2D(_Margins):
    """An image without its margins."""

    cropping: Any = ((0, 0), (0, 0))
    data_format: Text | None = None

    AXES = 2
    ARGUMENT = "cropping"


@dataclass(frozen=True, eq=False, repr=False)
class Cropping3D(_Margins):
    """A volume without its margins."""

    cropping: Any = ((1, 1), (1, 1), (1, 1))
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

    def normalized(self) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost: a size that is no integer as `scale_factor`."""
        given = super().normalized()
        if isinstance(self.size, (list, tuple)) and ENGINE_PARAMETERS[self.kind]["size"].arity != 1:
            each = [self._factor(factor) for factor in self.size]
            given["size"], given["scale_factor"] = ([pair[at] for pair in each] for at in (0, 1))
        elif not isinstance(self.size, (list, tuple)):
            given["size"], given["scale_factor"] = self._factor(self.size)
        return given

    def _factor(self, given: Any) -> tuple[Any, Any]:
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

    def recorded(self, counted: Mapping[str, Any], values: Sequence[tuple[Scalar, ...]]) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost; a size that is no integer as it was given."""
        known = super().recorded(counted, values)
        size, factors = known["size"], known.pop("scale_factor")
        if isinstance(size, tuple):
            known["size"] = tuple(own if by is None else by for own, by in zip(size, factors, strict=True))
        elif factors is not None:
            known["size"] = factors
        return known

    def beyond_keras(self, counted: Mapping[str, Any], chosen: Mapping[str, Scalar]) -> str | None:
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
class _Surrounded(_Margins):
    """Margins; what is negative cuts off."""

    padding: Any
    data_format: Text | None = None

    IN_KERAS = False
    ARGUMENT = "padding"


@dataclass(frozen=True, eq=False, repr=False)
class _ConstantPadding(_Margins):
    padding: Any
    value: Any = 0.0
    data_format: Text | None = None

    IN_KERAS = False
    ARGUMENT = "padding"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number(self, "value")


@dataclass(frozen=True, eq=False, repr=False)
class ConstantPadding1D(_ConstantPadding):
    """A value before and after a sequence; a negative margin cuts off."""

    AXES = 1


@dataclass(frozen=True, eq=False, repr=False)
class ConstantPadding2D(_ConstantPadding):
    """A value around an image; a negative margin cuts off."""

    AXES = 2


@dataclass(frozen=True, eq=False, repr=False)
class ConstantPadding3D(_ConstantPadding):
    """A value around a volume; a negative margin cuts off."""

    AXES = 3


@dataclass(frozen=True, eq=False, repr=False)
class ReflectionPadding1D(_Surrounded):
    """A sequence and, before and after it, its mirror image without the value at the edge."""

    AXES = 1


@dataclass(frozen=True, eq=False, repr=False)
class ReflectionPadding2D(_Surrounded):
    """An image and, around it, its mirror image without the values at the edge."""

    AXES = 2


@dataclass(frozen=True, eq=False, repr=False)
class ReflectionPadding3D(_Surrounded):
    """A volume and, around it, its mirror image without the values at the edge."""

    AXES = 3


@dataclass(frozen=True, eq=False, repr=False)
class ReplicationPadding1D(_Surrounded):
    """A sequence and, before and after it, the value at its edge."""

    AXES = 1


@dataclass(frozen=True, eq=False, repr=False)
class ReplicationPadding2D(_Surrounded):
    """An image and, around it, the values at its edge."""

    AXES = 2


@dataclass(frozen=True, eq=False, repr=False)
class ReplicationPadding3D(_Surrounded):
    """A volume and, around it, the values at its edge."""

    AXES = 3


@dataclass(frozen=True, eq=False, repr=False)
class CircularPadding1D(_Surrounded):
    """A sequence and, before and after it, its other end."""

    AXES = 1


@dataclass(frozen=True, eq=False, repr=False)
class CircularPadding2D(_Surrounded):
    """An image and, around it, its other end."""

    AXES = 2


@dataclass(frozen=True, eq=False, repr=False)
class CircularPadding3D(_Surrounded):
    """A volume and, around it, its other end."""

    AXES = 3


@dataclass(frozen=True, eq=False, repr=False)
class PixelShuffle(Layer):
    """An image with a square of its channels at each position, as an image so many times as large."""

    upscale_factor: IntLike
    data_format: Text | None = None

    IN_KERAS = False


@dataclass(frozen=True, eq=False, repr=False)
class PixelUnshuffle(Layer):
    """An image with squares of its positions as channels, the opposite of `PixelShuffle`."""

    downscale_factor: IntLike
    data_format: Text | None = None

    IN_KERAS = False


@dataclass(frozen=True, eq=False, repr=False)
class ChannelShuffle(Layer):
    """The channels of all groups in turn."""

    groups: IntLike
    axis: int = -1

    IN_KERAS = False


@dataclass(frozen=True, eq=False, repr=False)
class Unfold(Layer):
    """What a window covers at each of its positions, as a sequence of `(positions, values * channels)`."""

    kernel_size: IntsLike
    strides: IntsLike = 1
    padding: IntsLike = 0
    data_format: Text | None = None
    dilation_rate: IntsLike = 1

    IN_KERAS = False


@dataclass(frozen=True, eq=False, repr=False)
class Fold(Layer):
    """An image of a size, the sum of windows that a sequence of `(positions, values * channels)` holds."""

    output_size: IntsLike
    kernel_size: IntsLike
    strides: IntsLike = 1
    padding: IntsLike = 0
    data_format: Text | None = None
    dilation_rate: IntsLike = 1

    IN_KERAS = False
