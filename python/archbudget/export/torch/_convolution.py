"""Convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from archbudget.export.torch._activation import activation
from archbudget.export.torch._dense import Lora
from archbudget.export.torch._layout import Cropping, Margins, channels_first, surround

if TYPE_CHECKING:
    from collections.abc import Callable

    from archbudget.export.torch._given import Given, Shape

CONVOLUTIONS: tuple[Any, ...] = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED: tuple[Any, ...] = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def kernel_order(axes: int) -> tuple[int, ...]:
    """The axes of a kernel of Keras, which are positions, input and output, in the order of PyTorch."""
    return (axes + 1, axes, *range(axes))


def convolution(
    channels: int,
    filters: int,
    size: tuple[int, ...],
    *,
    strides: tuple[int, ...],
    dilation: tuple[int, ...],
    padding: str | Shape,
    padding_mode: str = "zeros",
    groups: int = 1,
    bias: bool,
) -> tuple[nn.Module | None, nn.Module]:
    """What adds the margins, where the convolution does not do it itself, and the convolution.

    Its padding is a word, or what is before and after each axis in turn.
    """
    axes = len(size)
    own: str | Shape = (0,) * axes
    margins = None
    if isinstance(padding, tuple):
        before, after = padding[::2], padding[1::2]
        # PyTorch adds the same margin at both ends.
        if before == after:
            own = before
        else:
            margins = surround(padding_mode, tuple(zip(before, after, strict=True)))
    elif padding != "valid" and padding_mode != "zeros":
        own = padding
    elif padding != "valid":
        missing = tuple(rate * (side - 1) for side, rate in zip(size, dilation, strict=True))
        if padding == "same" and set(strides) == {1} and not any(each % 2 for each in missing):
            own = tuple(each // 2 for each in missing)
        else:
            margins = Margins(size, strides, dilation, padding)
    conv = CONVOLUTIONS[axes - 1](
        channels,
        filters,
        size,
        stride=strides,
        padding=own,
        dilation=dilation,
        groups=groups,
        bias=bias,
        padding_mode="zeros" if margins else padding_mode,
    )
    return margins, conv


def window(given: Given) -> dict[str, Any]:
    """The window of any layer that convolves, as `convolution` takes it."""
    return {
        "size": given["kernel_size"],
        "strides": given["strides"],
        "dilation": given["dilation_rate"],
        "padding": given.explicit_padding or given["padding"],
    }


def _padded_window(given: Given) -> dict[str, Any]:
    """The window of a convolution, and what it is padded with."""
    return {**window(given), "padding_mode": given["padding_mode"]}


def fill_bias(given: Given, module: Any) -> None:
    """Sets the bias of a module, if it has one."""
    if module.bias is not None:
        given.fill(module.bias, "bias", "bias_initializer")


def _conv(given: Given) -> nn.Module:
    size, groups, filters = given["kernel_size"], given["groups"], given["filters"]
    pad, conv = convolution(given.channels, filters, **_padded_window(given), groups=groups, bias=given["use_bias"])
    shape = (*size, given.channels // groups, filters)
    given.fill(conv.weight, "kernel", "kernel_initializer", shape, kernel_order(len(size)))
    fill_bias(given, conv)
    if given["lora_rank"]:
        conv = Lora.of(given, conv, "kernel", shape, kernel_order(len(size)))
    return channels_first(given.channels_last, activation=activation(given), pad=pad, conv=conv)


def _depthwise_order(axes: int) -> tuple[int, ...]:
    """A kernel of Keras has its input and its multiplier behind the positions; PyTorch has both as its output."""
    return (axes, axes + 1, *range(axes))


def _depthwise(given: Given) -> nn.Module:
    size, multiplier = given["kernel_size"], given["depth_multiplier"]
    channels = given.channels
    pad, conv = convolution(
        channels, channels * multiplier, **_padded_window(given), groups=channels, bias=given["use_bias"]
    )
    # Keras calls it kernel, but its arguments depthwise.
    shape = (*size, channels, multiplier)
    given.fill(conv.weight, "kernel", "depthwise_initializer", shape, _depthwise_order(len(size)))
    fill_bias(given, conv)
    return channels_first(given.channels_last, activation=activation(given), pad=pad, conv=conv)


def _separable(given: Given) -> nn.Module:
    size, multiplier, filters = given["kernel_size"], given["depth_multiplier"], given["filters"]
    channels, axes = given.channels, len(given["kernel_size"])
    pad, depthwise = convolution(channels, channels * multiplier, **_padded_window(given), groups=channels, bias=False)
    pointwise = CONVOLUTIONS[axes - 1](channels * multiplier, filters, 1, bias=given["use_bias"])
    shape = (*size, channels, multiplier)
    given.fill(depthwise.weight, "depthwise_kernel", "depthwise_initializer", shape, _depthwise_order(axes))
    shape = (*[1] * axes, channels * multiplier, filters)
    given.fill(pointwise.weight, "pointwise_kernel", "pointwise_initializer", shape, kernel_order(axes))
    fill_bias(given, pointwise)
    return channels_first(
        given.channels_last, activation=activation(given), pad=pad, depthwise=depthwise, pointwise=pointwise
    )


def _margins(size: int, stride: int, dilation: int, padding: str, output_padding: int | None) -> tuple[int, int]:
    """What Keras takes away before and after the positions that a transposed convolution reaches; it may be below 0."""
    reach = dilation * (size - 1) + 1
    if padding == "valid":
        added = max(stride - reach, 0) if output_padding is None else output_padding
        return 0, -added
    left = stride + reach - 2 if output_padding is None else reach + reach % 2 - 2 + output_padding
    # The output is that of a convolution over the input with zeros between its items and these margins around it.
    before = min((left + 1) // 2, reach - 1)
    return reach - 1 - before, reach - 1 - (left - before)


def _transposed(given: Given) -> nn.Module:
    size, strides, dilation, filters = (given[name] for name in ("kernel_size", "strides", "dilation_rate", "filters"))
    axes = len(size)
    crop = None
    if given.explicit_padding:
        both = given.explicit_padding
        more = tuple(added or 0 for added in given["output_padding"])
    else:
        taken = [
            _margins(side, stride, rate, given["padding"], added)
            for side, stride, rate, added in zip(size, strides, dilation, given["output_padding"], strict=True)
        ]
        both = tuple(max(min(pair), 0) for pair in taken)
        more = tuple(max(-after, 0) for _, after in taken)
        rest = tuple((before - each, max(after, 0) - each) for (before, after), each in zip(taken, both, strict=True))
        crop = Cropping(rest) if any(map(any, rest)) else None
    conv = TRANSPOSED[axes - 1](
        given.channels,
        filters,
        size,
        stride=strides,
        padding=both,
        output_padding=more,
        groups=given["groups"],
        dilation=dilation,
        bias=given["use_bias"],
    )
    shape = (*size, filters // given["groups"], given.channels)
    given.fill(conv.weight, "kernel", "kernel_initializer", shape, kernel_order(axes))
    fill_bias(given, conv)
    return channels_first(given.channels_last, activation=activation(given), conv=conv, crop=crop)


BUILDERS: dict[str, Callable[[Given], nn.Module]] = {
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D"), _conv),
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), _transposed),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _separable),
}
