"""Layers that move values, or repeat them, and compute nothing."""

from __future__ import annotations

import math
from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from archbudget._expressions import Decision, Expression, IntLike, Mapped, Scalar, possible
from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.layers._arguments import FactorLike, FactorsLike, IntsLike, Text, check_number
from archbudget.layers._base import ENGINE_PARAMETERS, Layer, layer_class, resolve

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


@layer_class
class Flatten(Layer):
    """All values in one row.

    Input shape: any, `(...)`.
    Output shape: `(n)`, the product of all sides.
    It has no weights and no MACs.

    Args:
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

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


@layer_class
class ZeroPadding1D(_Margins):
    """Zeros before and after a sequence.

    Input shape: `(steps, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_steps, channels)`, each side with its margins.
    It has no weights and no MACs.

    Args:
        padding: The zeros at both ends of each axis: an integer for both ends, or a pair (before, after). Default: `1`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    padding: Any = 1
    data_format: Text | None = None

    AXES = 1
    ARGUMENT = "padding"


@layer_class
class ZeroPadding2D(_Margins):
    """Zeros around an image.

    Negative numbers are refused: Keras describes what -1 would give, but most of its backends do not run it.
    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_height, new_width, channels)`, each side with its margins.
    It has no weights and no MACs.

    Args:
        padding: The zeros at both ends of each axis: an integer, one for each axis, or a pair (before, after) for each
            axis. Default: `(1, 1)`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    padding: Any = (1, 1)
    data_format: Text | None = None

    AXES = 2
    ARGUMENT = "padding"


@layer_class
class ZeroPadding3D(_Margins):
    """Zeros around a volume.

    Negative numbers are refused: Keras describes what -1 would give, but most of its backends do not run it.
    Input shape: `(depth, height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_depth, new_height, new_width, channels)`, each side with its margins.
    It has no weights and no MACs.

    Args:
        padding: The zeros at both ends of each axis: an integer, one for each axis, or a pair (before, after) for each
            axis. Default: `((1, 1), (1, 1), (1, 1))`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    padding: Any = ((1, 1), (1, 1), (1, 1))
    data_format: Text | None = None

    AXES = 3
    ARGUMENT = "padding"


@layer_class
class Cropping1D(_Margins):
    """A sequence without its ends.

    Input shape: `(steps, channels)`.
    Output shape: `(new_steps, channels)`, each side without its margins.
    It has no weights and no MACs.

    Args:
        cropping: What is cut off at both ends of each axis: an integer for both ends, or a pair (before, after).
            Default: `(1, 1)`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    cropping: Any = (1, 1)

    AXES = 1
    ARGUMENT = "cropping"


@layer_class
class Cropping2D(_Margins):
    """An image without its margins.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_height, new_width, channels)`, each side without its margins.
    It has no weights and no MACs.

    Args:
        cropping: What is cut off at both ends of each axis: an integer, one for each axis, or a pair (before, after)
            for each axis. Default: `((0, 0), (0, 0))`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    cropping: Any = ((0, 0), (0, 0))
    data_format: Text | None = None

    AXES = 2
    ARGUMENT = "cropping"


@layer_class
class Cropping3D(_Margins):
    """A volume without its margins.

    Input shape: `(depth, height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_depth, new_height, new_width, channels)`, each side without its margins.
    It has no weights and no MACs.

    Args:
        cropping: What is cut off at both ends of each axis: an integer, one for each axis, or a pair (before, after)
            for each axis. Default: `((1, 1), (1, 1), (1, 1))`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

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
        for value in possible(given):
            if isinstance(value, (float, np.floating)) and not 0 < value < math.inf:
                raise SpaceError(f"{self.kind}: size must be an integer >= 1 or another number > 0, not {show(value)}")
        if isinstance(given, (Decision, Mapped)) and any(isinstance(value, float) for value in given.possible):
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


@layer_class
class UpSampling1D(_UpSampling):
    """Each step of a sequence, several times.

    Input shape: `(steps, channels)`.
    Output shape: `(new_steps, channels)`, each side times its `size`.
    It has no weights and no MACs.

    Args:
        size: How many times as large a side becomes: an integer, at least 1. As in PyTorch it may be another number
            above 0, whose product with the side is rounded down. Default: `2`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        output_size: As in PyTorch: the sides of the output in place of `size`: an integer; `None` if `size` is given.
            Default: `None`.
        interpolation: As in PyTorch: `"nearest"` or `"linear"`. It changes no count. Default: `"nearest"`.
    """

    size: IntLike | FactorLike = 2
    output_size: IntLike | None = field(default=None, kw_only=True)
    interpolation: Text = field(default="nearest", kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"output_size": None, "interpolation": "nearest"}


@layer_class
class UpSampling2D(_UpSampling):
    """An image, enlarged.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_height, new_width, channels)`, each side times its `size`.
    It has no weights and no MACs.

    Args:
        size: How many times as large a side becomes: an integer, or one for each of two axes, at least 1. As in PyTorch
            it may be another number above 0, whose product with the side is rounded down. Default: `2`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        interpolation: `"nearest"`, `"bilinear"` or another word of Keras. It changes no count. Default: `"nearest"`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        output_size: As in PyTorch: the sides of the output in place of `size`: an integer, or one for each of two axes;
            `None` if `size` is given. Default: `None`.
    """

    size: IntsLike | FactorsLike = 2
    data_format: Text | None = None
    interpolation: Text = "nearest"
    output_size: IntsLike | None = field(default=None, kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"output_size": None}


@layer_class
class UpSampling3D(_UpSampling):
    """A volume, enlarged.

    Input shape: `(depth, height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_depth, new_height, new_width, channels)`, each side times its `size`.
    It has no weights and no MACs.

    Args:
        size: How many times as large a side becomes: an integer, or one for each of three axes, at least 1. As in
            PyTorch it may be another number above 0, whose product with the side is rounded down. Default: `2`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        output_size: As in PyTorch: the sides of the output in place of `size`: an integer, or one for each of three
            axes; `None` if `size` is given. Default: `None`.
        interpolation: As in PyTorch: `"nearest"` or `"trilinear"`. It changes no count. Default: `"nearest"`.
    """

    size: IntsLike | FactorsLike = 2
    data_format: Text | None = None
    output_size: IntsLike | None = field(default=None, kw_only=True)
    interpolation: Text = field(default="nearest", kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"output_size": None, "interpolation": "nearest"}


@layer_class
class Reshape(Layer):
    """The same values in another shape; one side may be -1, which is what the others leave.

    Input shape: any, `(...)`.
    Output shape: `target_shape`.
    It has no weights and no MACs.

    Args:
        target_shape: The sides of the output, the batch not counted; one of them may be -1.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    target_shape: Sequence[IntLike]


@layer_class
class Permute(Layer):
    """The axes in another order; the batch stays where it is, and the others are counted from 1.

    Input shape: any, `(...)`.
    Output shape: its sides in the order of `dims`.
    It has no weights and no MACs.

    Args:
        dims: The axes of the input in the order of the output, each once, counted from 1.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    dims: Sequence[IntLike]


@layer_class
class RepeatVector(Layer):
    """A vector, `n` times.

    Input shape: `(features)`.
    Output shape: `(n, features)`.
    It has no weights and no MACs.

    Args:
        n: How often the vector is repeated, at least 1.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    n: IntLike


@layer_class
class _Surrounded(_Margins):
    """Margins; what is negative cuts off."""

    padding: Any
    data_format: Text | None = None

    IN_KERAS = False
    ARGUMENT = "padding"


@layer_class
class _ConstantPadding(_Margins):
    padding: Any
    value: Any = 0.0
    data_format: Text | None = None

    IN_KERAS = False
    ARGUMENT = "padding"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number(self, "value")


@layer_class
class ConstantPadding1D(_ConstantPadding):
    """A value before and after a sequence; a negative margin cuts off.

    Input shape: `(steps, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_steps, channels)`, each side with its margins.
    It has no weights and no MACs.
    `torch.nn.ConstantPad1d`.

    Args:
        padding: What is added at both ends of each axis: an integer for both ends, or a pair (before, after).
        value: The value of the margins, a number. It changes no count. Default: `0.0`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    AXES = 1


@layer_class
class ConstantPadding2D(_ConstantPadding):
    """A value around an image; a negative margin cuts off.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_height, new_width, channels)`, each side with its margins.
    It has no weights and no MACs.
    `torch.nn.ConstantPad2d`.

    Args:
        padding: What is added at both ends of each axis: an integer, one for each axis, or a pair (before, after) for
            each axis.
        value: The value of the margins, a number. It changes no count. Default: `0.0`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    AXES = 2


@layer_class
class ConstantPadding3D(_ConstantPadding):
    """A value around a volume; a negative margin cuts off.

    Input shape: `(depth, height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_depth, new_height, new_width, channels)`, each side with its margins.
    It has no weights and no MACs.
    `torch.nn.ConstantPad3d`.

    Args:
        padding: What is added at both ends of each axis: an integer, one for each axis, or a pair (before, after) for
            each axis.
        value: The value of the margins, a number. It changes no count. Default: `0.0`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    AXES = 3


@layer_class
class ReflectionPadding1D(_Surrounded):
    """A sequence and, before and after it, its mirror image without the value at the edge.

    Input shape: `(steps, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_steps, channels)`, each side with its margins.
    It has no weights and no MACs.
    `torch.nn.ReflectionPad1d`.

    Args:
        padding: What is added at both ends of each axis: an integer for both ends, or a pair (before, after); what is
            negative cuts off.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    AXES = 1


@layer_class
class ReflectionPadding2D(_Surrounded):
    """An image and, around it, its mirror image without the values at the edge.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_height, new_width, channels)`, each side with its margins.
    It has no weights and no MACs.
    `torch.nn.ReflectionPad2d`.

    Args:
        padding: What is added at both ends of each axis: an integer, one for each axis, or a pair (before, after) for
            each axis; what is negative cuts off.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    AXES = 2


@layer_class
class ReflectionPadding3D(_Surrounded):
    """A volume and, around it, its mirror image without the values at the edge.

    Input shape: `(depth, height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_depth, new_height, new_width, channels)`, each side with its margins.
    It has no weights and no MACs.
    `torch.nn.ReflectionPad3d`.

    Args:
        padding: What is added at both ends of each axis: an integer, one for each axis, or a pair (before, after) for
            each axis; what is negative cuts off.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    AXES = 3


@layer_class
class ReplicationPadding1D(_Surrounded):
    """A sequence and, before and after it, the value at its edge.

    Input shape: `(steps, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_steps, channels)`, each side with its margins.
    It has no weights and no MACs.
    `torch.nn.ReplicationPad1d`.

    Args:
        padding: What is added at both ends of each axis: an integer for both ends, or a pair (before, after); what is
            negative cuts off.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    AXES = 1


@layer_class
class ReplicationPadding2D(_Surrounded):
    """An image and, around it, the values at its edge.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_height, new_width, channels)`, each side with its margins.
    It has no weights and no MACs.
    `torch.nn.ReplicationPad2d`.

    Args:
        padding: What is added at both ends of each axis: an integer, one for each axis, or a pair (before, after) for
            each axis; what is negative cuts off.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    AXES = 2


@layer_class
class ReplicationPadding3D(_Surrounded):
    """A volume and, around it, the values at its edge.

    Input shape: `(depth, height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_depth, new_height, new_width, channels)`, each side with its margins.
    It has no weights and no MACs.
    `torch.nn.ReplicationPad3d`.

    Args:
        padding: What is added at both ends of each axis: an integer, one for each axis, or a pair (before, after) for
            each axis; what is negative cuts off.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    AXES = 3


@layer_class
class CircularPadding1D(_Surrounded):
    """A sequence and, before and after it, its other end.

    Input shape: `(steps, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_steps, channels)`, each side with its margins.
    It has no weights and no MACs.
    `torch.nn.CircularPad1d`.

    Args:
        padding: What is added at both ends of each axis: an integer for both ends, or a pair (before, after); what is
            negative cuts off.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    AXES = 1


@layer_class
class CircularPadding2D(_Surrounded):
    """An image and, around it, its other end.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_height, new_width, channels)`, each side with its margins.
    It has no weights and no MACs.
    `torch.nn.CircularPad2d`.

    Args:
        padding: What is added at both ends of each axis: an integer, one for each axis, or a pair (before, after) for
            each axis; what is negative cuts off.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    AXES = 2


@layer_class
class CircularPadding3D(_Surrounded):
    """A volume and, around it, its other end.

    Input shape: `(depth, height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_depth, new_height, new_width, channels)`, each side with its margins.
    It has no weights and no MACs.
    `torch.nn.CircularPad3d`.

    Args:
        padding: What is added at both ends of each axis: an integer, one for each axis, or a pair (before, after) for
            each axis; what is negative cuts off.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    AXES = 3


@layer_class
class PixelShuffle(Layer):
    """Channels of an image as square patches of positions, so that it is larger.

    Input shape: `(height, width, channels * r * r)`, with the channels first if `data_format` says so.
    Output shape: `(height * r, width * r, channels)`, where `r` is `upscale_factor`.
    It has no weights and no MACs.
    `torch.nn.PixelShuffle`, after Shi et al. (2016).

    Args:
        upscale_factor: How many times as large each side becomes, at least 1; its square divides the channels.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    upscale_factor: IntLike
    data_format: Text | None = None

    IN_KERAS = False


@layer_class
class PixelUnshuffle(Layer):
    """Square patches of an image as channels of one position, the opposite of `PixelShuffle`.

    Input shape: `(height * r, width * r, channels)`, with the channels first if `data_format` says so.
    Output shape: `(height, width, channels * r * r)`, where `r` is `downscale_factor`.
    It has no weights and no MACs.
    `torch.nn.PixelUnshuffle`.

    Args:
        downscale_factor: How many times as small each side becomes, at least 1, and a divisor of both.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    downscale_factor: IntLike
    data_format: Text | None = None

    IN_KERAS = False


@layer_class
class ChannelShuffle(Layer):
    """The channels of all groups in turn.

    Input shape: `(..., channels)`, with the channels along `axis`.
    Output shape: the same.
    It has no weights and no MACs.
    `torch.nn.ChannelShuffle`, after Zhang et al. (2018).

    Args:
        groups: The number of groups, a divisor of the channels.
        axis: The axis of the channels; the batch is axis 0, and -1 the last axis. Default: `-1`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    groups: IntLike
    axis: int = -1

    IN_KERAS = False


@layer_class
class Unfold(Layer):
    """What a window covers at each of its positions, as a sequence of `(positions, values * channels)`.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(positions, k_h * k_w * channels)`.
    It has no weights and no MACs.
    `torch.nn.Unfold`.

    Args:
        kernel_size: The size of the window: an integer, or one for each of two axes, at least 1.
        strides: The distance between windows: an integer, or one for each of two axes, at least 1. Default: `1`.
        padding: The zeros at both ends of each axis: an integer, or one for each of two axes. Default: `0`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        dilation_rate: The distance between the values of a window: an integer, or one for each of two axes, at least 1.
            Default: `1`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    kernel_size: IntsLike
    strides: IntsLike = 1
    padding: IntsLike = 0
    data_format: Text | None = None
    dilation_rate: IntsLike = 1

    IN_KERAS = False


@layer_class
class Fold(Layer):
    """An image of a size, the sum of windows that a sequence of `(positions, values * channels)` holds.

    Input shape: `(positions, k_h * k_w * channels)`, with the channels first if `data_format` says so.
    Output shape: `(height, width, channels)`, of `output_size`.
    It has no weights and no MACs.
    `torch.nn.Fold`.

    Args:
        output_size: The sides of the image: an integer, or one for each of two axes, at least 1.
        kernel_size: The size of the window: an integer, or one for each of two axes, at least 1.
        strides: The distance between windows: an integer, or one for each of two axes, at least 1. Default: `1`.
        padding: The zeros at both ends of each axis: an integer, or one for each of two axes. Default: `0`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        dilation_rate: The distance between the values of a window: an integer, or one for each of two axes, at least 1.
            Default: `1`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    output_size: IntsLike
    kernel_size: IntsLike
    strides: IntsLike = 1
    padding: IntsLike = 0
    data_format: Text | None = None
    dilation_rate: IntsLike = 1

    IN_KERAS = False
