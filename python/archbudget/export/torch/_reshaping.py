"""Layers that rearrange values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch users write it
from torch import nn

from archbudget.export.torch._layout import Cropping, by_channel, channels_first, surround

if TYPE_CHECKING:
    from collections.abc import Callable

    from archbudget.export.torch._given import Given

ZEROS: tuple[Any, ...] = (nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d)
MODES = {"Constant": "zeros", "Reflection": "reflect", "Replication": "replicate", "Circular": "circular"}
"""What the layers that add margins are called as `padding_mode` of a convolution."""
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
"""The interpolation by the number of axes."""


class Flatten(nn.Module):
    """All values in one row, the channels behind the positions; a number becomes a row of one."""

    def __init__(self, channels_first: bool) -> None:
        super().__init__()
        self.channels_first = channels_first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.channels_first and x.dim() > 1:
            x = x.movedim(1, -1)
        return x.reshape(x.shape[0], -1) if x.dim() > 1 else x.unsqueeze(1)


class Reshape(nn.Module):
    """The same values in another shape."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(x.shape[:1] + self.shape)

    def extra_repr(self) -> str:
        return f"{self.shape}"


class Permute(nn.Module):
    """The axes in another order."""

    def __init__(self, dims: tuple[int, ...]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, *self.dims)

    def extra_repr(self) -> str:
        return f"{self.dims}"


class RepeatVector(nn.Module):
    """A vector, several times."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.unsqueeze(1).repeat(1, self.n, 1)

    def extra_repr(self) -> str:
        return f"{self.n}"


class Repeat(nn.Module):
    """Each value several times, along each axis behind the channels."""

    def __init__(self, size: tuple[int, ...]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for axis, times in enumerate(self.size, start=2):
            x = x.repeat_interleave(times, axis) if times != 1 else x
        return x

    def extra_repr(self) -> str:
        return f"{self.size}"


class Resize(nn.Module):
    """An image, enlarged by integers."""

    def __init__(self, size: tuple[int, ...], interpolation: str) -> None:
        super().__init__()
        self.size = size
        self.interpolation = interpolation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size = [side * times for side, times in zip(x.shape[2:], self.size, strict=True)]
        # What is enlarged has no aliases, but PyTorch has Keras' bicubic kernel only where it looks after them.
        return F.interpolate(x, size, mode=self.interpolation, antialias=self.interpolation == "bicubic")

    def extra_repr(self) -> str:
        return f"{self.size}, {self.interpolation!r}"


def _flatten(given: Given) -> nn.Module:
    return Flatten(str(given["data_format"] or "").lower() == "channels_first")


def _padding(given: Given) -> nn.Module:
    # The last axis first.
    pairs = _pairs(given["padding"])
    around = tuple(side for pair in reversed(pairs) for side in pair)
    return channels_first(given.channels_last, pad=ZEROS[len(pairs) - 1](around))


def _pairs(flat: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    return tuple(zip(flat[::2], flat[1::2], strict=True))


def _cropping(given: Given) -> nn.Module:
    last = given.kind == "Cropping1D" or given.channels_last
    return channels_first(last, crop=Cropping(_pairs(given["cropping"])))


def _up_sampling(given: Given) -> nn.Module:
    size, output_size, interpolation = (given[name] for name in ("size", "output_size", "interpolation"))
    size, output_size = (each if isinstance(each, tuple) else (each,) for each in (size, output_size))
    axes = len(size)
    words = ["nearest", LINEAR[axes], *(["bicubic"] if axes == 2 else [])]
    if interpolation not in words:
        raise given.refusal("interpolation", f"it has {', '.join(words[:-1])} and {words[-1]}")
    last = given.kind == "UpSampling1D" or given.channels_last
    enlarged: nn.Module
    if None not in output_size:
        enlarged = nn.Upsample(output_size, mode=interpolation)
    elif any(isinstance(factor, float) for factor in size):
        enlarged = nn.Upsample(scale_factor=tuple(map(float, size)), mode=interpolation)
    else:
        enlarged = Repeat(size) if interpolation == "nearest" else Resize(size, interpolation)
    return channels_first(last, enlarged=enlarged)


def _surround(given: Given) -> nn.Module:
    mode = MODES[given.kind.partition("Padding")[0]]
    value = given["value"] if mode == "zeros" else 0.0
    return channels_first(given.channels_last, pad=surround(mode, _pairs(given["padding"]), value))


def _window(given: Given) -> dict[str, Any]:
    """The window of a layer, as PyTorch calls its arguments."""
    names = {"kernel_size": "kernel_size", "strides": "stride", "padding": "padding", "dilation_rate": "dilation"}
    return {theirs: given[ours] for ours, theirs in names.items()}


def _unfold(given: Given) -> nn.Module:
    return channels_first(given.channels_last, unfold=nn.Unfold(**_window(given)))


def _fold(given: Given) -> nn.Module:
    return channels_first(given.channels_last, fold=nn.Fold(given["output_size"], **_window(given)))


BUILDERS: dict[str, Callable[[Given], nn.Module]] = {
    "ChannelShuffle": lambda given: by_channel(given["axis"], shuffle=nn.ChannelShuffle(given["groups"])),
    **dict.fromkeys(("Cropping1D", "Cropping2D", "Cropping3D"), _cropping),
    "Fold": _fold,
    "Flatten": _flatten,
    **{f"{kind}Padding{n}D": _surround for kind in MODES for n in (1, 2, 3)},
    "Permute": lambda given: Permute(given["dims"]),
    "PixelShuffle": lambda given: channels_first(given.channels_last, shuffle=nn.PixelShuffle(given["upscale_factor"])),
    "PixelUnshuffle": lambda given: channels_first(
        given.channels_last, unshuffle=nn.PixelUnshuffle(given["downscale_factor"])
    ),
    "RepeatVector": lambda given: RepeatVector(given["n"]),
    "Reshape": lambda given: Reshape(given["target_shape"]),
    "Unfold": _unfold,
    **dict.fromkeys(("UpSampling1D", "UpSampling2D", "UpSampling3D"), _up_sampling),
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"), _padding),
}
