"""Normalisations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch users write it
from torch import nn

from archbudget.export.torch._layout import Move, by_channel, chain

if TYPE_CHECKING:
    from collections.abc import Callable

    from archbudget.export.torch._given import Given, Shape


class _Frozen(nn.Module):
    """Statistics that never move: a layer that is not trained normalises with them in training too, as in Keras."""

    def train(self, mode: bool = True) -> Any:  # noqa: ARG002 - it is never trained.
        return super().train(False)


class FrozenBatchNorm1d(_Frozen, nn.BatchNorm1d):
    """With statistics that never move."""


class FrozenBatchNorm2d(_Frozen, nn.BatchNorm2d):
    """With statistics that never move."""


class FrozenBatchNorm3d(_Frozen, nn.BatchNorm3d):
    """With statistics that never move."""


class FrozenInstanceNorm1d(_Frozen, nn.InstanceNorm1d):
    """With statistics that never move."""


class FrozenInstanceNorm2d(_Frozen, nn.InstanceNorm2d):
    """With statistics that never move."""


class FrozenInstanceNorm3d(_Frozen, nn.InstanceNorm3d):
    """With statistics that never move."""


NORMS: dict[tuple[int, bool], Any] = {
    (1, True): nn.BatchNorm1d,
    (2, True): nn.BatchNorm1d,
    (3, True): nn.BatchNorm2d,
    (4, True): nn.BatchNorm3d,
    (1, False): FrozenBatchNorm1d,
    (2, False): FrozenBatchNorm1d,
    (3, False): FrozenBatchNorm2d,
    (4, False): FrozenBatchNorm3d,
}
"""The normalization of tensors by their number of axes beside the batch, for trained and frozen statistics."""

INSTANCES: dict[tuple[int, bool], Any] = {
    (2, True): nn.InstanceNorm1d,
    (3, True): nn.InstanceNorm2d,
    (4, True): nn.InstanceNorm3d,
    (2, False): FrozenInstanceNorm1d,
    (3, False): FrozenInstanceNorm2d,
    (4, False): FrozenInstanceNorm3d,
}
"""The same of each input by itself."""


class Flat(nn.Module):
    """A normalisation of sequences, for tensors with more axes behind their channels than PyTorch has one for."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat: torch.Tensor = self.norm(x.flatten(2))
        return flat.reshape(x.shape)


class MaskedBatchNorm(nn.Module):
    """A batch normalisation along an axis, by the statistics of what a mask says is there; a place has all channels.

    Args:
        norm: The normalisation of channels along axis 1.
        axis: The axis of the channels.
    """

    def __init__(self, norm: Any, axis: int) -> None:
        super().__init__()
        self.norm = norm
        self.axis = axis

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        first = x.movedim(self.axis, 1)
        norm = self.norm
        if mask is None or not (norm.training or norm.running_mean is None):
            flat = first.flatten(2) if first.dim() > 5 else first
            made: torch.Tensor = norm(flat).reshape(first.shape)
        else:
            there = mask.unsqueeze(-1).expand(x.shape).movedim(self.axis, 1)
            mean, variance = self.moments(first, there)
            if norm.running_mean is not None:
                norm.running_mean.lerp_(mean.detach(), norm.momentum)
                norm.running_var.lerp_(variance.detach(), norm.momentum)
            made = F.batch_norm(first, mean, variance, norm.weight, norm.bias, eps=norm.eps)
        return made.movedim(1, self.axis)

    @staticmethod
    def moments(x: torch.Tensor, there: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The mean and the variance of each channel, where a very small number keeps Keras from dividing by 0."""
        axes = (0, *range(2, x.dim()))
        shape = [1, -1, *[1] * (x.dim() - 2)]
        weights = there.sum(axes) + 1e-7
        mean = torch.where(there, x, 0).sum(axes) / weights
        return mean, torch.where(there, x - mean.reshape(shape), 0).square().sum(axes) / weights

    def extra_repr(self) -> str:
        return f"axis={self.axis}"


def _fill_affine(given: Given, norm: Any, order: list[int] | None = None, shape: Shape | None = None) -> None:
    """Sets gamma and beta, or takes them away."""
    for parameter, wanted, name in (("weight", "scale", "gamma"), ("bias", "center", "beta")):
        if given[wanted]:
            given.fill(getattr(norm, parameter), name, f"{name}_initializer", shape, order)
        else:
            norm.register_parameter(parameter, None)


def _batch(given: Given) -> nn.Module:
    if given["renorm"]:
        raise given.refusal("renorm", "its batch normalisation has none")
    if given["synchronized"]:
        raise given.refusal("synchronized", "use nn.SyncBatchNorm.convert_sync_batchnorm on the module")
    axis, rank = given["axis"], len(given.inputs[0])
    norm = NORMS[rank if rank <= 4 else 2, given["trainable"]](
        given.inputs[0][axis - 1 if axis > 0 else axis],
        eps=given["epsilon"],
        momentum=1 - given["momentum"],
        track_running_stats=given["track_running_stats"],
    )
    _fill_affine(given, norm)
    if given["track_running_stats"]:
        given.fill(norm.running_mean, "moving_mean", "moving_mean_initializer")
        given.fill(norm.running_var, "moving_variance", "moving_variance_initializer")
    if given.masked:
        return MaskedBatchNorm(norm, axis)
    return by_channel(axis, norm=norm if rank <= 4 else Flat(norm))


def _instance(given: Given) -> nn.Module:
    axis, rank = given["axis"], len(given.inputs[0])
    norm = INSTANCES[rank, given["trainable"]](
        given.inputs[0][axis - 1 if axis > 0 else axis],
        eps=given["epsilon"],
        momentum=1 - given["momentum"],
        affine=given["affine"],
        track_running_stats=given["track_running_stats"],
    )
    if given["affine"]:
        given.fill(norm.weight, "gamma", "ones")
        given.fill(norm.bias, "beta", "zeros")
    if given["track_running_stats"]:
        given.fill(norm.running_mean, "moving_mean", "zeros")
        given.fill(norm.running_var, "moving_variance", "ones")
    return by_channel(axis, norm=norm)


def _local_response(given: Given) -> nn.Module:
    norm = nn.LocalResponseNorm(given["size"], given["alpha"], given["beta"], given["k"])
    return by_channel(given["axis"], norm=norm)


def _group(given: Given) -> nn.Module:
    axis = given["axis"]
    channels = given.inputs[0][axis - 1 if axis > 0 else axis]
    groups = channels if given["groups"] == -1 else given["groups"]
    norm = nn.GroupNorm(groups, channels, eps=given["epsilon"])
    _fill_affine(given, norm)
    return by_channel(axis, norm=norm)


def _axes(given: Given) -> tuple[int, ...]:
    """The axes of a normalisation, counted from the last, in the order in which Keras has their weights."""
    rank = len(given.inputs[0]) + 1
    axes = given["axis"]
    # Keras sorts them as they were given.
    return tuple(axis % rank - rank for axis in (sorted(axes) if len(axes) > 1 else axes))


def _over(axes: tuple[int, ...], norm: nn.Module) -> nn.Module:
    """A normalisation over the last axes, for any axes."""
    last = tuple(range(-len(axes), 0))
    here = axes == last
    return chain(to_last=None if here else Move(axes, last), norm=norm, back=None if here else Move(last, axes))


class Standardization(nn.Module):
    """A layer normalisation over the last axes without weights: it takes any sides, as that of Keras does."""

    def __init__(self, axes: int, eps: float) -> None:
        super().__init__()
        self.axes = axes
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(x, x.shape[-self.axes :], eps=self.eps)

    def extra_repr(self) -> str:
        return f"{self.axes}, eps={self.eps}"


def _layer(given: Given) -> nn.Module:
    axes = _axes(given)
    norm: nn.Module
    if given["center"] or given["scale"]:
        norm = nn.LayerNorm([given.inputs[0][axis] for axis in axes], eps=given["epsilon"])
        _fill_affine(given, norm)
    else:
        norm = Standardization(len(axes), given["epsilon"])
    # Axes that are counted from the first one are others from the last where it is used on another number of axes.
    return _over(axes if max(given["axis"]) < 0 else tuple(sorted(given["axis"])), norm)


def _rms(given: Given) -> nn.Module:
    axes = _axes(given)
    affine = given["elementwise_affine"]
    norm = nn.RMSNorm([given.inputs[0][axis] for axis in axes], eps=given["epsilon"], elementwise_affine=affine)
    if affine:
        given.fill(norm.weight, "scale", "ones")
    return _over(axes, norm)


class UnitNormalization(nn.Module):
    """The input, divided by its length along some axes."""

    def __init__(self, axes: tuple[int, ...]) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.normalize(x, dim=self.axes)

    def extra_repr(self) -> str:
        return f"{self.axes}"


class Normalization(nn.Module):
    """The input, less a mean and divided by a deviation.

    Args:
        shape: The shape that mean and variance have beside the input.
        mean: The mean.
        variance: The variance.
        invert: Whether it does the opposite.
        given: Whether both are arguments, not weights.
    """

    def __init__(self, shape: Shape, mean: torch.Tensor, variance: torch.Tensor, *, invert: bool, given: bool) -> None:
        super().__init__()
        self.shape = shape
        self.invert = invert
        self.given = given
        self.register_buffer("mean", mean, persistent=not given)
        self.register_buffer("variance", variance, persistent=not given)
        if not given:
            self.register_buffer("count", torch.zeros((), dtype=torch.long))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = self.mean.reshape(self.shape)
        deviation = self.variance.reshape(self.shape).sqrt().clamp(min=1e-7)
        return mean + x * deviation if self.invert else (x - mean) / deviation

    def extra_repr(self) -> str:
        return f"{self.shape}, invert={self.invert}"


def _normalization(given: Given) -> nn.Module:
    sides = given.inputs[0]
    kept = sorted(axis % (len(sides) + 1) for axis in given["axis"] if axis is not None)
    mean, variance = given.told["mean"], given.told["variance"]
    if mean is None:
        shape = tuple(sides[axis - 1] for axis in kept)
        at = [sides[axis - 1] if axis in kept else 1 for axis in range(1, len(sides) + 1)]
        values = (given.value("mean", shape, "zeros"), given.value("variance", shape, "ones"))
        return Normalization((1, *at), *(each.clone() for each in values), invert=given["invert"], given=False)
    own = np.shape(mean)
    at = [1] * (len(sides) + 1)
    for side, axis in zip(reversed(own), reversed(kept), strict=False):
        at[axis] = side
    dtype = torch.get_default_dtype()
    values = tuple(torch.tensor(np.array(each), dtype=dtype) for each in (mean, variance))
    return Normalization(tuple(at), *values, invert=given["invert"], given=True)


BUILDERS: dict[str, Callable[[Given], nn.Module]] = {
    "BatchNormalization": _batch,
    "GroupNormalization": _group,
    "InstanceNormalization": _instance,
    "LayerNormalization": _layer,
    "LocalResponseNormalization": _local_response,
    "Normalization": _normalization,
    "RMSNormalization": _rms,
    "UnitNormalization": lambda given: UnitNormalization(given["axis"]),
}
