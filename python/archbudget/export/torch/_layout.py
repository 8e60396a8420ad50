"""Modules that move axes and add margins, and what puts modules in a row."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch users write it
from torch import nn

CONSTANT: tuple[Any, ...] = (nn.ConstantPad1d, nn.ConstantPad2d, nn.ConstantPad3d)
PADS: dict[str, tuple[Any, ...]] = {
    "reflect": (nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReflectionPad3d),
    "replicate": (nn.ReplicationPad1d, nn.ReplicationPad2d, nn.ReplicationPad3d),
    "circular": (nn.CircularPad1d, nn.CircularPad2d, nn.CircularPad3d),
}
"""What adds margins of a kind, by the `padding_mode` that a convolution calls it."""


class Move(nn.Module):
    """A view with an axis, or several of them, elsewhere."""

    def __init__(self, source: int | tuple[int, ...], target: int | tuple[int, ...]) -> None:
        super().__init__()
        self.source = source
        self.target = target

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.movedim(x, self.source, self.target)

    def extra_repr(self) -> str:
        return f"{self.source} -> {self.target}"


def chain(**parts: nn.Module | None) -> nn.Sequential:
    """Modules in a row, by name; `None` stands for nothing to do."""
    return nn.Sequential(OrderedDict((name, part) for name, part in parts.items() if part is not None))


def channels_first(channels_last: bool, *, activation: nn.Module | None = None, **parts: nn.Module | None) -> nn.Module:
    """Modules in a row that take their channels first, in the layout of the space; an activation follows behind."""
    before = Move(-1, 1) if channels_last else None
    after = Move(1, -1) if channels_last else None
    return chain(to_channels_first=before, **parts, to_channels_last=after, activation=activation)


def by_channel(axis: int, **parts: nn.Module) -> nn.Module:
    """Modules in a row that take their channels first, for channels along any axis."""
    before, after = (None, None) if axis == 1 else (Move(axis, 1), Move(1, axis))
    return chain(to_channels_first=before, **parts, to_channels_last=after)


def surround(mode: str, pairs: tuple[tuple[int, int], ...], value: float = 0.0) -> Any:
    """What adds margins, which are (before, after) for each axis behind the channels."""
    # PyTorch names the last axis first.
    around = tuple(side for pair in reversed(pairs) for side in pair)
    if mode == "zeros":
        return CONSTANT[len(pairs) - 1](around, value)
    return PADS[mode][len(pairs) - 1](around)


class Cropping(nn.Module):
    """An image without its margins, which are (before, after) for each axis behind the channels."""

    def __init__(self, margins: tuple[tuple[int, int], ...]) -> None:
        super().__init__()
        self.margins = margins

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for axis, (before, after) in enumerate(self.margins, start=2):
            x = x.narrow(axis, before, x.shape[axis] - before - after)
        return x

    def extra_repr(self) -> str:
        return f"{self.margins}"


class Margins(nn.Module):
    """The margins that make a window fit, with a value in them.

    Args:
        kernel_size: The window along each axis, behind the channels.
        strides: Its steps.
        dilation_rate: The distance of its points.
        padding: `same` shares what is missing between both ends, as TensorFlow does, the last one gets an odd rest;
            `causal` has all of it before the first position.
        value: What the margins hold.
    """

    def __init__(
        self,
        kernel_size: tuple[int, ...],
        strides: tuple[int, ...],
        dilation_rate: tuple[int, ...],
        padding: str,
        value: float = 0.0,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.strides = strides
        self.dilation_rate = dilation_rate
        self.padding = padding
        self.value = value

    def around(self, x: torch.Tensor) -> list[int]:
        """The margins as `torch.nn.functional.pad` takes them: those of the last axis first."""
        margins: list[int] = []
        axes = zip(x.shape[2:], self.kernel_size, self.strides, self.dilation_rate, strict=True)
        for side, size, stride, dilation in reversed(list(axes)):
            reach = dilation * (size - 1) + 1
            if self.padding == "causal":
                margins += [reach - 1, 0]
                continue
            missing = max((-(-side // stride) - 1) * stride + reach - side, 0)
            margins += [missing // 2, missing - missing // 2]
        return margins

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.pad(x, self.around(x), value=self.value)

    def extra_repr(self) -> str:
        return f"{self.padding!r}, kernel_size={self.kernel_size}, strides={self.strides}"
