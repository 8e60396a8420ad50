"""Normalisation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from archbudget.errors import SpaceError
from archbudget.layers._arguments import SIDES, Axes, Flag, IntsLike, check_number
from archbudget.layers._base import Layer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archbudget._expressions import IntLike

__all__ = [
    "BatchNormalization",
    "GroupNormalization",
    "InstanceNormalization",
    "LayerNormalization",
    "LocalResponseNormalization",
    "Normalization",
    "RMSNormalization",
    "UnitNormalization",
]


@dataclass(frozen=True, eq=False, repr=False)
class BatchNormalization(Layer):
    """Gamma and beta, which are trained, and a moving mean and variance, which are not: 4 weights a channel.

    `track_running_stats=False` is PyTorch's: there is no moving mean and variance; those of the batch are always taken.
    """

    axis: int = -1
    momentum: Any = 0.99
    epsilon: Any = 1e-3
    center: Flag = True
    scale: Flag = True
    beta_initializer: Any = "zeros"
    gamma_initializer: Any = "ones"
    moving_mean_initializer: Any = "zeros"
    moving_variance_initializer: Any = "ones"
    beta_regularizer: Any = None
    gamma_regularizer: Any = None
    beta_constraint: Any = None
    gamma_constraint: Any = None
    renorm: Flag = False
    renorm_clipping: Any = None
    renorm_momentum: Any = 0.99
    synchronized: bool = False
    track_running_stats: Flag = field(default=True, kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"track_running_stats": True}


@dataclass(frozen=True, eq=False, repr=False)
class LayerNormalization(Axes):
    """A gamma and a beta for each position of the axes that are normalised."""

    axis: IntsLike = -1
    epsilon: Any = 1e-3
    center: Flag = True
    scale: Flag = True
    beta_initializer: Any = "zeros"
    gamma_initializer: Any = "ones"
    beta_regularizer: Any = None
    gamma_regularizer: Any = None
    beta_constraint: Any = None
    gamma_constraint: Any = None


@dataclass(frozen=True, eq=False, repr=False)
class RMSNormalization(Axes):
    """A scale for each position of the axes that are normalised; none with PyTorch's `elementwise_affine=False`."""

    axis: IntsLike = -1
    epsilon: Any = 1e-6
    elementwise_affine: Flag = field(default=True, kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"elementwise_affine": True}


@dataclass(frozen=True, eq=False, repr=False)
class GroupNormalization(Layer):
    """A gamma and a beta for each channel; the channels are normalised in groups."""

    groups: IntLike = 32
    axis: int = -1
    epsilon: Any = 1e-3
    center: Flag = True
    scale: Flag = True
    beta_initializer: Any = "zeros"
    gamma_initializer: Any = "ones"
    beta_regularizer: Any = None
    gamma_regularizer: Any = None
    beta_constraint: Any = None
    gamma_constraint: Any = None


@dataclass(frozen=True, eq=False, repr=False)
class UnitNormalization(Axes):
    """The input, divided by its length along an axis."""

    axis: IntsLike = -1


@dataclass(frozen=True, eq=False, repr=False)
class Normalization(Axes):
    """The input, less a mean and divided by a deviation; both are given, or kept as weights that are not trained."""

    axis: IntsLike | None = -1
    mean: Any = None
    variance: Any = None
    invert: bool = False

    def __post_init__(self) -> None:
        if (self.mean is None) != (self.variance is None):
            raise SpaceError("Normalization: mean and variance must be given both, or neither of them")
        if self.mean is not None:
            sides = np.shape(self.mean)
            axes = len(self.axis) if isinstance(self.axis, (list, tuple)) else 0 if self.axis is None else 1
            if sides != np.shape(self.variance):
                raise SpaceError(
                    "Normalization: mean and variance must have the same shape, not "
                    f"{sides} and {np.shape(self.variance)}"
                )
            if len(sides) > axes:
                raise SpaceError(f"Normalization: a mean of shape {sides} has more axes than are kept, {axes}")
        super().__post_init__()

    def normalized(self) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost: of the mean its shape."""
        given = super().normalized()
        if self.mean is not None:
            sides = np.shape(self.mean)
            given["mean"] = [1] * (SIDES + 1 - len(sides)) + list(sides)
        return given

    def keras_arguments(self, counted: Any, chosen: Any) -> dict[str, Any]:
        """The arguments of the real layer: the mean as it was given."""
        return super().keras_arguments({**counted, "mean": self.mean}, chosen)


@dataclass(frozen=True, eq=False, repr=False)
class InstanceNormalization(Layer):
    """Each channel of each input, less its mean and divided by its deviation.

    Args:
        axis: The axis of the channels.
        momentum: How much of a moving statistic stays, as in Keras: 1 less the `momentum` of PyTorch.
        epsilon: What is added to a variance.
        affine: Whether there are a gamma and a beta for each channel.
        track_running_stats: Whether there are a moving mean and variance, which are not trained.
    """

    axis: int = -1
    momentum: Any = 0.9
    epsilon: Any = 1e-5
    affine: Flag = False
    track_running_stats: Flag = False

    IN_KERAS = False


@dataclass(frozen=True, eq=False, repr=False)
class LocalResponseNormalization(Layer):
    """Each value, divided by a power of the mean square of so many channels around it."""

    size: IntLike
    alpha: Any = 1e-4
    beta: Any = 0.75
    k: Any = 1.0
    axis: int = -1

    IN_KERAS = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("alpha", "beta", "k"):
            check_number(self, name)
