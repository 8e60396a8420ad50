"""Pooling."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch users write it
from torch import nn

from archbudget.export.torch._layout import Margins, channels_first

if TYPE_CHECKING:
    from collections.abc import Callable

    from archbudget.export.torch._given import Given

MAXIMA: tuple[Any, ...] = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
MEANS: tuple[Any, ...] = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
POWERS: tuple[Any, ...] = (nn.LPPool1d, nn.LPPool2d, nn.LPPool3d)
FRACTIONAL: tuple[Any, ...] = (nn.FractionalMaxPool2d, nn.FractionalMaxPool3d)
ADAPTIVE: dict[str, tuple[Any, ...]] = {
    "Max": (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
    "Average": (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
}


class AverageInside(nn.Module):
    """The mean of each window over the values that are in the input, none of its margins."""

    def __init__(self, margins: Margins, pool: nn.Module) -> None:
        super().__init__()
        self.margins = margins
        self.pool = pool

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        around = self.margins.around(x)
        if not any(around):
            means: torch.Tensor = self.pool(x)
            return means
        share = self.pool(F.pad(torch.ones_like(x[:1, :1]), around))
        inside: torch.Tensor = self.pool(F.pad(x, around)) / share
        return inside


def _windows(given: Given) -> tuple[tuple[int, ...], tuple[int, ...], Callable[[float], Margins]]:
    """The windows, their steps, and what adds margins with a value."""
    size = given["pool_size"]
    strides = tuple(own if step is None else step for step, own in zip(given["strides"], size, strict=True))

    def margins(value: float) -> Margins:
        return Margins(size, strides, (1,) * len(size), "same", value)

    return size, strides, margins


def _max(given: Given) -> nn.Module:
    size, strides, margins = _windows(given)
    pad = margins(-math.inf) if given["padding"] == "same" else None
    pool = MAXIMA[len(size) - 1](
        size, strides, given.explicit_padding or 0, dilation=given["dilation"], ceil_mode=given["ceil_mode"]
    )
    return channels_first(given.channels_last, pad=pad, pool=pool)


def _average(given: Given) -> nn.Module:
    size, strides, margins = _windows(given)
    pool = MEANS[len(size) - 1](
        size,
        strides,
        given.explicit_padding or 0,
        ceil_mode=given["ceil_mode"],
        count_include_pad=given["count_include_pad"],
    )
    if given["padding"] == "same":
        pool = AverageInside(margins(0), pool)
    return channels_first(given.channels_last, pool=pool)


def _powers(given: Given) -> nn.Module:
    size, strides, _ = _windows(given)
    # The pooling of sequences takes no tuples.
    windows = (size[0], strides[0]) if len(size) == 1 else (size, strides)
    pool = POWERS[len(size) - 1](given["norm_type"], *windows, ceil_mode=given["ceil_mode"])
    return channels_first(given.channels_last, pool=pool)


def _fractional(given: Given) -> nn.Module:
    size, output_size, output_ratio = (given[name] for name in ("pool_size", "output_size", "output_ratio"))
    wanted = {"output_ratio": output_ratio} if None in output_size else {"output_size": output_size}
    return channels_first(given.channels_last, pool=FRACTIONAL[len(size) - 2](size, **wanted))


class GlobalPooling(nn.Module):
    """The mean or the maximum over some axes; of a masked sequence the mean of the steps that are there."""

    def __init__(self, axes: tuple[int, ...], *, mean: bool, keepdims: bool) -> None:
        super().__init__()
        self.axes = axes
        self.mean = mean
        self.keepdims = keepdims

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        if mask is not None:
            mask = mask.unsqueeze(-1 if self.axes == (1,) else 1)
            return torch.where(mask, x, 0).sum(self.axes, self.keepdims) / mask.sum(self.axes, self.keepdims)
        return x.mean(self.axes, self.keepdims) if self.mean else x.amax(self.axes, self.keepdims)

    def extra_repr(self) -> str:
        return f"{'mean' if self.mean else 'max'} over {self.axes}, keepdims={self.keepdims}"


def _global(given: Given) -> nn.Module:
    first = 1 if given.channels_last else 2
    axes = tuple(range(first, first + len(given.inputs[0]) - 1))
    return GlobalPooling(axes, mean="Average" in given.kind, keepdims=given["keepdims"])


def _adaptive(given: Given) -> nn.Module:
    size = given["output_size"]
    kind = "Average" if "Average" in given.kind else "Max"
    return channels_first(given.channels_last, pool=ADAPTIVE[kind][len(size) - 1](size))


BUILDERS: dict[str, Callable[[Given], nn.Module]] = {
    **{f"MaxPooling{n}D": _max for n in (1, 2, 3)},
    **{f"AveragePooling{n}D": _average for n in (1, 2, 3)},
    **{f"LPPooling{n}D": _powers for n in (1, 2, 3)},
    **{f"FractionalMaxPooling{n}D": _fractional for n in (2, 3)},
    **{f"Global{kind}Pooling{n}D": _global for kind in ("Average", "Max") for n in (1, 2, 3)},
    **{f"Adaptive{kind}Pooling{n}D": _adaptive for kind in ("Average", "Max") for n in (1, 2, 3)},
}
