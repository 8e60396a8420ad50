"""Layers that act in training only, and those that do almost nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from archbudget.export.torch._layout import channels_first

if TYPE_CHECKING:
    from collections.abc import Callable

    from archbudget.export.torch._given import Given

SPATIAL: tuple[Any, ...] = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


class NoiseShape(nn.Module):
    """A dropout whose noise has its own shape: 1 where values are dropped together, `None` for the input's side."""

    def __init__(self, dropout: nn.Module, shape: tuple[int | None, ...]) -> None:
        super().__init__()
        self.dropout = dropout
        self.shape = shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shape = [side if own is None else own for side, own in zip(x.shape, self.shape, strict=True)]
        kept: torch.Tensor = self.dropout(x.new_ones(shape))
        return x * kept

    def extra_repr(self) -> str:
        return f"{self.shape}"


class GaussianNoise(nn.Module):
    """Shifts activations at random while training."""

    def __init__(self, stddev: float) -> None:
        super().__init__()
        self.stddev = stddev

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.stddev * torch.randn_like(x) if self.training else x

    def extra_repr(self) -> str:
        return f"{self.stddev}"


class GaussianDropout(nn.Module):
    """Scales activations at random while training."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.rate == 0:
            return x
        return x * (1 + math.sqrt(self.rate / (1 - self.rate)) * torch.randn_like(x))

    def extra_repr(self) -> str:
        return f"{self.rate}"


class Rescaling(nn.Module):
    """`x * scale + offset`, by fixed numbers."""

    def __init__(self, scale: torch.Tensor, offset: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("offset", offset, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale + self.offset


def _dropout(given: Given) -> nn.Module:
    dropout = nn.Dropout(given["rate"])
    return dropout if given["noise_shape"] is None else NoiseShape(dropout, tuple(given["noise_shape"]))


def _alpha_dropout(given: Given) -> nn.Module:
    if given["noise_shape"] is not None:
        raise given.refusal("noise_shape", "nn.AlphaDropout drops each value by itself")
    return nn.AlphaDropout(given["rate"])


def _gaussian_dropout(given: Given) -> nn.Module:
    if given["rate"] == 1:
        raise given.refusal("rate", "its noise would be infinite")
    return GaussianDropout(given["rate"])


def _spatial_dropout(given: Given) -> nn.Module:
    if given["dtype"] is not None:
        raise given.refusal("dtype", "modules compute in the type of their input")
    axes = int(given.kind[-2])
    # Keras' sequences have their channels last, with any global setting.
    last = axes == 1 or str(given["data_format"] or "channels_last").lower() == "channels_last"
    return channels_first(last, dropout=SPATIAL[axes - 1](given["rate"]))


def _activity(given: Given) -> nn.Module:
    for argument in ("l1", "l2"):
        if given[argument]:
            raise given.refusal(argument, "a module adds nothing to the loss")
    return nn.Identity()


def _rescaling(given: Given) -> nn.Module:
    dtype = torch.get_default_dtype()
    return Rescaling(*(torch.tensor(np.array(given[name]), dtype=dtype) for name in ("scale", "offset")))


BUILDERS: dict[str, Callable[[Given], nn.Module]] = {
    "ActivityRegularization": _activity,
    "AlphaDropout": _alpha_dropout,
    "Dropout": _dropout,
    "GaussianDropout": _gaussian_dropout,
    "GaussianNoise": lambda given: GaussianNoise(given["stddev"]),
    "Identity": lambda _: nn.Identity(),
    "Rescaling": _rescaling,
    **dict.fromkeys(("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"), _spatial_dropout),
}
