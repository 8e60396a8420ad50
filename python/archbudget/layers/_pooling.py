"""Poolings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from archbudget._expressions import Decision
from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.layers._arguments import FactorsLike, Flag, IntsLike, Padding, Text, check_number
from archbudget.layers._base import Layer
from archbudget.layers._windows import Padded

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AdaptiveAveragePooling1D",
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "FractionalMaxPooling2D",
    "FractionalMaxPooling3D",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "LPPooling1D",
    "LPPooling2D",
    "LPPooling3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
]


@dataclass(frozen=True, eq=False, repr=False)
class _Pooling(Padded):
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
class _LPPooling(Layer):
    norm_type: Any
    pool_size: IntsLike
    strides: IntsLike | None = None
    data_format: Text | None = None
    ceil_mode: Flag = False

    IN_KERAS = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number(self, "norm_type", zero=False)


@dataclass(frozen=True, eq=False, repr=False)
class LPPooling1D(_LPPooling):
    """The `norm_type`-th root of the sum of the powers of each window."""


@dataclass(frozen=True, eq=False, repr=False)
class LPPooling2D(_LPPooling):
    """The `norm_type`-th root of the sum of the powers of each window."""


@dataclass(frozen=True, eq=False, repr=False)
class LPPooling3D(_LPPooling):
    """The `norm_type`-th root of the sum of the powers of each window."""


@dataclass(frozen=True, eq=False, repr=False)
class _FractionalMaxPooling(Layer):
    pool_size: IntsLike
    output_size: IntsLike | None = None
    output_ratio: FactorsLike | None = None
    data_format: Text | None = None

    IN_KERAS = False


@dataclass(frozen=True, eq=False, repr=False)
class FractionalMaxPooling2D(_FractionalMaxPooling):
    """The largest value of windows at random positions, as many as make an output of a size, or of a share below 1."""


@dataclass(frozen=True, eq=False, repr=False)
class FractionalMaxPooling3D(_FractionalMaxPooling):
    """The largest value of windows at random positions, as many as make an output of a size, or of a share below 1."""
