"""Poolings."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar

from archbudget._expressions import possible
from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.layers._arguments import FactorsLike, Flag, IntsLike, Padding, Text, check_number
from archbudget.layers._base import Layer, layer_class
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


@layer_class
class _Pooling(Padded):
    pool_size: IntsLike
    strides: IntsLike | None = None
    padding: Padding = "valid"
    data_format: Text | None = None
    ceil_mode: Flag = field(default=False, kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"ceil_mode": False}


@layer_class
class _AveragePooling(_Pooling):
    count_include_pad: Flag = field(default=True, kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"ceil_mode": False, "count_include_pad": True}

    def __post_init__(self) -> None:
        super().__post_init__()
        for value in possible(self.count_include_pad):
            if not isinstance(value, bool):
                raise SpaceError(f"{self.kind}: count_include_pad must be True or False, not {show(value)}")


@layer_class
class _MaxPooling(_Pooling):
    pool_size: IntsLike = 2
    dilation: IntsLike = field(default=1, kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"ceil_mode": False, "dilation": 1}


@layer_class
class MaxPooling1D(_MaxPooling):
    """The largest value of each window.

    Input shape: `(steps, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_steps, channels)`.
    It has no weights and no MACs.

    Args:
        pool_size: The size of the window: an integer, at least 1. Default: `2`.
        strides: The distance between windows: an integer, at least 1; `None` for `pool_size`. Default: `None`.
        padding: What is put around the input: `"valid"` or `"same"` as in Keras; or integers as in PyTorch: one, or one
            for each axis, of at most half of the window. Default: `"valid"`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        ceil_mode: As in PyTorch: whether a last window may reach beyond the end, if it starts inside the input or the
            padding before it. Default: `False`.
        dilation: As in PyTorch: the distance between the values that a window takes: an integer, at least 1.
            Default: `1`.
    """


@layer_class
class MaxPooling2D(_MaxPooling):
    """The largest value of each window.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_height, new_width, channels)`.
    It has no weights and no MACs.

    Args:
        pool_size: The size of the window: an integer, or one for each of two axes, at least 1. Default: `2`.
        strides: The distance between windows: an integer, or one for each of two axes, at least 1; `None` for
            `pool_size`. Default: `None`.
        padding: What is put around the input: `"valid"` or `"same"` as in Keras; or integers as in PyTorch: one, or one
            for each axis, of at most half of the window. Default: `"valid"`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        ceil_mode: As in PyTorch: whether a last window may reach beyond the end, if it starts inside the input or the
            padding before it. Default: `False`.
        dilation: As in PyTorch: the distance between the values that a window takes: an integer, or one for each of two
            axes, at least 1. Default: `1`.
    """


@layer_class
class MaxPooling3D(_MaxPooling):
    """The largest value of each window.

    Input shape: `(depth, height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_depth, new_height, new_width, channels)`.
    It has no weights and no MACs.

    Args:
        pool_size: The size of the window: an integer, or one for each of three axes, at least 1. Default: `2`.
        strides: The distance between windows: an integer, or one for each of three axes, at least 1; `None` for
            `pool_size`. Default: `None`.
        padding: What is put around the input: `"valid"` or `"same"` as in Keras; or integers as in PyTorch: one, or one
            for each axis, of at most half of the window. Default: `"valid"`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        ceil_mode: As in PyTorch: whether a last window may reach beyond the end, if it starts inside the input or the
            padding before it. Default: `False`.
        dilation: As in PyTorch: the distance between the values that a window takes: an integer, or one for each of
            three axes, at least 1. Default: `1`.
    """


@layer_class
class AveragePooling1D(_AveragePooling):
    """The mean of each window.

    Input shape: `(steps, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_steps, channels)`.
    It has no weights and no MACs.

    Args:
        pool_size: The size of the window: an integer, at least 1.
        strides: The distance between windows: an integer, at least 1; `None` for `pool_size`. Default: `None`.
        padding: What is put around the input: `"valid"` or `"same"` as in Keras; or integers as in PyTorch: one, or one
            for each axis, of at most half of the window. Default: `"valid"`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        ceil_mode: As in PyTorch: whether a last window may reach beyond the end, if it starts inside the input or the
            padding before it. Default: `False`.
        count_include_pad: As in PyTorch: whether zeros that are put around the input count in the mean. It touches
            neither shape nor cost. Default: `True`.
    """


@layer_class
class AveragePooling2D(_AveragePooling):
    """The mean of each window.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_height, new_width, channels)`.
    It has no weights and no MACs.

    Args:
        pool_size: The size of the window: an integer, or one for each of two axes, at least 1.
        strides: The distance between windows: an integer, or one for each of two axes, at least 1; `None` for
            `pool_size`. Default: `None`.
        padding: What is put around the input: `"valid"` or `"same"` as in Keras; or integers as in PyTorch: one, or one
            for each axis, of at most half of the window. Default: `"valid"`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        ceil_mode: As in PyTorch: whether a last window may reach beyond the end, if it starts inside the input or the
            padding before it. Default: `False`.
        count_include_pad: As in PyTorch: whether zeros that are put around the input count in the mean. It touches
            neither shape nor cost. Default: `True`.
    """


@layer_class
class AveragePooling3D(_AveragePooling):
    """The mean of each window.

    Input shape: `(depth, height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_depth, new_height, new_width, channels)`.
    It has no weights and no MACs.

    Args:
        pool_size: The size of the window: an integer, or one for each of three axes, at least 1.
        strides: The distance between windows: an integer, or one for each of three axes, at least 1; `None` for
            `pool_size`. Default: `None`.
        padding: What is put around the input: `"valid"` or `"same"` as in Keras; or integers as in PyTorch: one, or one
            for each axis, of at most half of the window. Default: `"valid"`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        ceil_mode: As in PyTorch: whether a last window may reach beyond the end, if it starts inside the input or the
            padding before it. Default: `False`.
        count_include_pad: As in PyTorch: whether zeros that are put around the input count in the mean. It touches
            neither shape nor cost. Default: `True`.
    """


@layer_class
class _GlobalPooling(Layer):
    data_format: Text | None = None
    keepdims: Flag = False


@layer_class
class GlobalMaxPooling1D(_GlobalPooling):
    """The largest value of each channel.

    Input shape: `(steps, channels)`, with the channels first if `data_format` says so.
    Output shape: `(channels)`, or with sides of 1 for the positions with `keepdims`.
    It has no weights and no MACs.

    Args:
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        keepdims: Whether the axes of the positions stay, with sides of 1. Default: `False`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """


@layer_class
class GlobalMaxPooling2D(_GlobalPooling):
    """The largest value of each channel.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(channels)`, or with sides of 1 for the positions with `keepdims`.
    It has no weights and no MACs.

    Args:
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        keepdims: Whether the axes of the positions stay, with sides of 1. Default: `False`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """


@layer_class
class GlobalMaxPooling3D(_GlobalPooling):
    """The largest value of each channel.

    Input shape: `(depth, height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(channels)`, or with sides of 1 for the positions with `keepdims`.
    It has no weights and no MACs.

    Args:
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        keepdims: Whether the axes of the positions stay, with sides of 1. Default: `False`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """


@layer_class
class GlobalAveragePooling1D(_GlobalPooling):
    """The mean of each channel; called with a `mask`, of the steps that are there.

    Input shape: `(steps, channels)`, with the channels first if `data_format` says so.
    Output shape: `(channels)`, or with sides of 1 for the positions with `keepdims`.
    It has no weights and no MACs.

    Args:
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        keepdims: Whether the axes of the positions stay, with sides of 1. Default: `False`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    MASKS: ClassVar[tuple[str, ...]] = ("mask",)


@layer_class
class GlobalAveragePooling2D(_GlobalPooling):
    """The mean of each channel.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(channels)`, or with sides of 1 for the positions with `keepdims`.
    It has no weights and no MACs.

    Args:
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        keepdims: Whether the axes of the positions stay, with sides of 1. Default: `False`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """


@layer_class
class GlobalAveragePooling3D(_GlobalPooling):
    """The mean of each channel.

    Input shape: `(depth, height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(channels)`, or with sides of 1 for the positions with `keepdims`.
    It has no weights and no MACs.

    Args:
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        keepdims: Whether the axes of the positions stay, with sides of 1. Default: `False`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """


@layer_class
class _AdaptivePooling(Layer):
    output_size: IntsLike
    data_format: Text | None = None


@layer_class
class AdaptiveMaxPooling1D(_AdaptivePooling):
    """The largest value of each part, in as many parts as the output has positions.

    Input shape: `(steps, channels)`, with the channels first if `data_format` says so.
    Output shape: the positions of `output_size`, and the channels.
    It has no weights and no MACs.

    Args:
        output_size: The sides of the output: an integer, at least 1.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """


@layer_class
class AdaptiveMaxPooling2D(_AdaptivePooling):
    """The largest value of each part, in as many parts as the output has positions.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the positions of `output_size`, and the channels.
    It has no weights and no MACs.

    Args:
        output_size: The sides of the output: an integer, or one for each of two axes, at least 1.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """


@layer_class
class AdaptiveMaxPooling3D(_AdaptivePooling):
    """The largest value of each part, in as many parts as the output has positions.

    Input shape: `(depth, height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the positions of `output_size`, and the channels.
    It has no weights and no MACs.

    Args:
        output_size: The sides of the output: an integer, or one for each of three axes, at least 1.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """


@layer_class
class AdaptiveAveragePooling1D(_AdaptivePooling):
    """The mean of each part, in as many parts as the output has positions.

    Input shape: `(steps, channels)`, with the channels first if `data_format` says so.
    Output shape: the positions of `output_size`, and the channels.
    It has no weights and no MACs.

    Args:
        output_size: The sides of the output: an integer, at least 1.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """


@layer_class
class AdaptiveAveragePooling2D(_AdaptivePooling):
    """The mean of each part, in as many parts as the output has positions.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the positions of `output_size`, and the channels.
    It has no weights and no MACs.

    Args:
        output_size: The sides of the output: an integer, or one for each of two axes, at least 1.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """


@layer_class
class AdaptiveAveragePooling3D(_AdaptivePooling):
    """The mean of each part, in as many parts as the output has positions.

    Input shape: `(depth, height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the positions of `output_size`, and the channels.
    It has no weights and no MACs.

    Args:
        output_size: The sides of the output: an integer, or one for each of three axes, at least 1.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """


@layer_class
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


@layer_class
class LPPooling1D(_LPPooling):
    """The `norm_type`-th root of the sum of the powers of each window.

    Input shape: `(steps, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_steps, channels)`.
    It has no weights and no MACs.
    `torch.nn.LPPool1d`.

    Args:
        norm_type: The exponent, a number other than 0. It changes no count.
        pool_size: The size of the window: an integer, at least 1.
        strides: The distance between windows: an integer, at least 1; `None` for `pool_size`. Default: `None`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        ceil_mode: As in PyTorch: whether a last window may reach beyond the end, if it starts inside the input or the
            padding before it. Default: `False`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """


@layer_class
class LPPooling2D(_LPPooling):
    """The `norm_type`-th root of the sum of the powers of each window.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_height, new_width, channels)`.
    It has no weights and no MACs.
    `torch.nn.LPPool2d`.

    Args:
        norm_type: The exponent, a number other than 0. It changes no count.
        pool_size: The size of the window: an integer, or one for each of two axes, at least 1.
        strides: The distance between windows: an integer, or one for each of two axes, at least 1; `None` for
            `pool_size`. Default: `None`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        ceil_mode: As in PyTorch: whether a last window may reach beyond the end, if it starts inside the input or the
            padding before it. Default: `False`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """


@layer_class
class LPPooling3D(_LPPooling):
    """The `norm_type`-th root of the sum of the powers of each window.

    Input shape: `(depth, height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(new_depth, new_height, new_width, channels)`.
    It has no weights and no MACs.
    `torch.nn.LPPool3d`.

    Args:
        norm_type: The exponent, a number other than 0. It changes no count.
        pool_size: The size of the window: an integer, or one for each of three axes, at least 1.
        strides: The distance between windows: an integer, or one for each of three axes, at least 1; `None` for
            `pool_size`. Default: `None`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        ceil_mode: As in PyTorch: whether a last window may reach beyond the end, if it starts inside the input or the
            padding before it. Default: `False`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """


@layer_class
class _FractionalMaxPooling(Layer):
    pool_size: IntsLike
    output_size: IntsLike | None = None
    output_ratio: FactorsLike | None = None
    data_format: Text | None = None

    IN_KERAS = False


@layer_class
class FractionalMaxPooling2D(_FractionalMaxPooling):
    """The largest value of windows at random positions, as many as make an output of a size, or of a share below 1.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the positions of `output_size`, or of `output_ratio` times the input, rounded down, and the channels.
    It has no weights and no MACs.
    `torch.nn.FractionalMaxPool2d`, after Graham (2014).

    Args:
        pool_size: The size of a window: an integer, or one for each of two axes, at least 1.
        output_size: The sides of the output: an integer, or one for each of two axes, at least 1; either this or
            `output_ratio` is given. Default: `None`.
        output_ratio: The share of each side that is left, above 0 and below 1: a number, or one for each axis.
            Default: `None`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """


@layer_class
class FractionalMaxPooling3D(_FractionalMaxPooling):
    """The largest value of windows at random positions, as many as make an output of a size, or of a share below 1.

    Input shape: `(depth, height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the positions of `output_size`, or of `output_ratio` times the input, rounded down, and the channels.
    It has no weights and no MACs.
    `torch.nn.FractionalMaxPool3d`, after Graham (2014).

    Args:
        pool_size: The size of a window: an integer, or one for each of three axes, at least 1.
        output_size: The sides of the output: an integer, or one for each of three axes, at least 1; either this or
            `output_ratio` is given. Default: `None`.
        output_ratio: The share of each side that is left, above 0 and below 1: a number, or one for each axis.
            Default: `None`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """
