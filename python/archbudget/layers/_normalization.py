"""Normalisation."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from archbudget.errors import SpaceError
from archbudget.layers._arguments import SIDES, Axes, Flag, IntsLike, check_number
from archbudget.layers._base import Layer, layer_class

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


@layer_class
class BatchNormalization(Layer):
    """Gamma and beta, which are trained, and a moving mean and variance, which are not: 4 weights a channel.

    Input shape: `(..., channels)`, with the channels along `axis`.
    Output shape: the same.
    Weights: `channels` for each of gamma and beta, which are trained, and for each of the moving statistics, which are
    not.
    MACs: none.
    Called with a `mask`, it takes the statistics of what is there while training.
    After Ioffe and Szegedy (2015). PyTorch's `num_batches_tracked` is not counted.

    Args:
        axis: The axis of the channels; the batch is axis 0, and -1 the last axis. Default: `-1`.
        momentum: How much of a moving statistic stays at each step of training. It changes no count. Default: `0.99`.
        epsilon: What is added to a variance, so that nothing is divided by 0. It changes no count. Default: `0.001`.
        center: Whether there is a beta, which is added: a trained weight for each channel. Default: `True`.
        scale: Whether there is a gamma, which multiplies: a trained weight for each channel. Default: `True`.
        beta_initializer: How beta is initialised. Kept for Keras. Default: `"zeros"`.
        gamma_initializer: How gamma is initialised. Kept for Keras. Default: `"ones"`.
        moving_mean_initializer: How the moving mean is initialised. Kept for Keras. Default: `"zeros"`.
        moving_variance_initializer: How the moving variance is initialised. Kept for Keras. Default: `"ones"`.
        beta_regularizer: The penalty on beta while training. Kept for Keras. Default: `None`.
        gamma_regularizer: The penalty on gamma while training. Kept for Keras. Default: `None`.
        beta_constraint: What beta is projected to after each step of training. Kept for Keras. Default: `None`.
        gamma_constraint: What gamma is projected to after each step of training. Kept for Keras. Default: `None`.
        renorm: Whether batch renormalisation is used (Ioffe, 2017), with three more statistics for each channel, which
            are not trained. Default: `False`.
        renorm_clipping: The bounds of its corrections. Kept for Keras. Default: `None`.
        renorm_momentum: The momentum of its statistics. Kept for Keras. Default: `0.99`.
        synchronized: Whether devices share their statistics. Kept for Keras. Default: `False`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        track_running_stats: As in PyTorch: whether there are a moving mean and variance; without them those of the
            batch are always taken. Default: `True`.
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
    MASKS: ClassVar[tuple[str, ...]] = ("mask",)


@layer_class
class LayerNormalization(Axes):
    """A gamma and a beta for each position of the axes that are normalised.

    Input shape: any, `(...)`.
    Output shape: the same.
    Weights: the product of the sides along `axis`, for each of gamma and beta.
    MACs: none.
    After Ba et al. (2016).

    Args:
        axis: The axis that is normalised along, or several; the batch is axis 0, and -1 the last axis. Default: `-1`.
        epsilon: What is added to a variance, so that nothing is divided by 0. It changes no count. Default: `0.001`.
        center: Whether there is a beta, which is added: a trained weight for each place. Default: `True`.
        scale: Whether there is a gamma, which multiplies: a trained weight for each place. Default: `True`.
        beta_initializer: How beta is initialised. Kept for Keras. Default: `"zeros"`.
        gamma_initializer: How gamma is initialised. Kept for Keras. Default: `"ones"`.
        beta_regularizer: The penalty on beta while training. Kept for Keras. Default: `None`.
        gamma_regularizer: The penalty on gamma while training. Kept for Keras. Default: `None`.
        beta_constraint: What beta is projected to after each step of training. Kept for Keras. Default: `None`.
        gamma_constraint: What gamma is projected to after each step of training. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

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


@layer_class
class RMSNormalization(Axes):
    """A scale for each position of the axes that are normalised; none with PyTorch's `elementwise_affine=False`.

    Input shape: any, `(...)`.
    Output shape: the same.
    Weights: the product of the sides along `axis`.
    MACs: none.
    After Zhang and Sennrich (2019).

    Args:
        axis: The axis that is normalised along, or several; the batch is axis 0, and -1 the last axis. With a scale
            they must be the last ones. Default: `-1`.
        epsilon: What is added to a variance, so that nothing is divided by 0. It changes no count. Default: `1e-06`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        elementwise_affine: As in PyTorch: whether there is a scale. Default: `True`.
    """

    axis: IntsLike = -1
    epsilon: Any = 1e-6
    elementwise_affine: Flag = field(default=True, kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"elementwise_affine": True}


@layer_class
class GroupNormalization(Layer):
    """A gamma and a beta for each channel; the channels are normalised in groups.

    Input shape: `(..., channels)`, with the channels along `axis`.
    Output shape: the same.
    Weights: `channels` for each of gamma and beta.
    MACs: none.
    After Wu and He (2018).

    Args:
        groups: The number of groups, a divisor of the channels; -1 for one of each channel. Default: `32`.
        axis: The axis of the channels; the batch is axis 0, and -1 the last axis. Default: `-1`.
        epsilon: What is added to a variance, so that nothing is divided by 0. It changes no count. Default: `0.001`.
        center: Whether there is a beta, which is added: a trained weight for each place. Default: `True`.
        scale: Whether there is a gamma, which multiplies: a trained weight for each place. Default: `True`.
        beta_initializer: How beta is initialised. Kept for Keras. Default: `"zeros"`.
        gamma_initializer: How gamma is initialised. Kept for Keras. Default: `"ones"`.
        beta_regularizer: The penalty on beta while training. Kept for Keras. Default: `None`.
        gamma_regularizer: The penalty on gamma while training. Kept for Keras. Default: `None`.
        beta_constraint: What beta is projected to after each step of training. Kept for Keras. Default: `None`.
        gamma_constraint: What gamma is projected to after each step of training. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

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


@layer_class
class UnitNormalization(Axes):
    """The input, divided by its length along an axis.

    Input shape: any, `(...)`.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        axis: The axis that is normalised along, or several; the batch is axis 0, and -1 the last axis. Default: `-1`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    axis: IntsLike = -1


@layer_class
class Normalization(Axes):
    """The input, less a mean and divided by a deviation; both are given, or kept as weights that are not trained.

    Input shape: any, `(...)`.
    Output shape: the same.
    Weights: none if `mean` and `variance` are given; otherwise the product of the sides along `axis`, twice, and a
    counter, none of them trained.
    MACs: none.

    Args:
        axis: The axes whose places have statistics of their own: an integer, several, or `None` for one mean and
            variance of all values. Default: `-1`.
        mean: The mean, a number or nested numbers; given together with `variance`. Default: `None`.
        variance: The variance, of the shape of `mean`. It changes no count. Default: `None`.
        invert: Whether it undoes a normalisation. Kept for Keras. Default: `False`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

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


@layer_class
class InstanceNormalization(Layer):
    """Each channel of each input, less its mean and divided by its deviation.

    Input shape: `(..., channels)`, with the channels along `axis`.
    Output shape: the same.
    Weights: `channels` for each of gamma and beta with `affine`, and for each of the moving statistics, which are not
    trained, with `track_running_stats`.
    MACs: none.
    `torch.nn.InstanceNorm1d`, `2d` and `3d`, after Ulyanov et al. (2016).

    Args:
        axis: The axis of the channels; the batch is axis 0, and -1 the last axis. Default: `-1`.
        momentum: How much of a moving statistic stays, as in Keras: 1 less the `momentum` of PyTorch. It changes no
            count. Default: `0.9`.
        epsilon: What is added to a variance, so that nothing is divided by 0. It changes no count. Default: `1e-05`.
        affine: Whether there are a gamma and a beta for each channel. Default: `False`.
        track_running_stats: Whether there are a moving mean and variance, which are not trained. Default: `False`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    axis: int = -1
    momentum: Any = 0.9
    epsilon: Any = 1e-5
    affine: Flag = False
    track_running_stats: Flag = False

    IN_KERAS = False


@layer_class
class LocalResponseNormalization(Layer):
    """Each value, divided by a power of the mean square of the channels around it.

    Input shape: `(..., channels)`, with the channels along `axis`.
    Output shape: the same.
    It has no weights and no MACs.
    `torch.nn.LocalResponseNorm`, after Krizhevsky et al. (2012).

    Args:
        size: How many channels the mean is taken of, at least 1.
        alpha: The factor of the mean square. It changes no count. Default: `0.0001`.
        beta: The exponent. It changes no count. Default: `0.75`.
        k: What is added to the mean square. It changes no count. Default: `1.0`.
        axis: The axis of the channels; the batch is axis 0, and -1 the last axis. Default: `-1`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

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
