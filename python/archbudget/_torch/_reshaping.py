"""Layers that arrange values anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch users write it
from torch import nn

from archbudget._torch._layout import Cropping, Move, chain, channels_first

if TYPE_CHECKING:
    from collections.abc import Callable

    from archbudget._torch._given import Given

ZEROS: tuple[Any, ...] = (nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d)


class Flatten(nn.Module):
    """All values in one row; a number becomes a row of one."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
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
    """An image, enlarged."""

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
    first = given.inputs[0] and str(given["data_format"] or "").lower() == "channels_first"
    return chain(to_channels_last=Move(1, -1), flatten=Flatten()) if first else Flatten()


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
    size = given["size"]
    size = size if isinstance(size, tuple) else (size,)
    interpolation = given["interpolation"] if given.kind == "UpSampling2D" else "nearest"
    if interpolation not in ("nearest", "bilinear", "bicubic"):
        raise given.refusal("interpolation", "it has nearest, bilinear and bicubic")
    last = given.kind == "UpSampling1D" or given.channels_last
    enlarged = Repeat(size) if interpolation == "nearest" else Resize(size, interpolation)
    return channels_first(last, enlarged=enlarged)


BUILDERS: dict[str, Callable[[Given], nn.Module]] = {
    **dict.fromkeys(("Cropping1D", "Cropping2D", "Cropping3D"), _cropping),
    "Flatten": _flatten,
    "Permute": lambda given: Permute(given["dims"]),
    "RepeatVector": lambda given: RepeatVector(given["n"]),
    "Reshape": lambda given: Reshape(given["target_shape"]),
    **dict.fromkeys(("UpSampling1D", "UpSampling2D", "UpSampling3D"), _up_sampling),
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"), _padding),
}
