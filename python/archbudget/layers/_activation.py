"""Activations."""

from __future__ import annotations

from typing import Any, ClassVar

from archbudget.layers._arguments import Axes, IntsLike, check_numbers
from archbudget.layers._base import Layer, layer_class

__all__ = [
    "ELU",
    "GLU",
    "Activation",
    "LeakyReLU",
    "PReLU",
    "ReLU",
    "Softmax",
]


@layer_class
class Activation(Layer):
    """A fixed function of each value.

    Input shape: any, `(...)`.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        activation: The function, by its name, such as `"relu"`, or as a function; a decision over names is a choice of
            activations. It changes no count.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    activation: Any


@layer_class
class ReLU(Layer):
    """`max(x, 0)`, with Keras' variants.

    Input shape: any, `(...)`.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        max_value: The largest value, at least 0; `None` for no bound. It changes no count. Default: `None`.
        negative_slope: The slope below `threshold`, at least 0. It changes no count. Default: `0.0`.
        threshold: Where the slope of 1 begins, at least 0. It changes no count. Default: `0.0`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    max_value: Any = None
    negative_slope: Any = 0.0
    threshold: Any = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "max_value", optional=True)
        check_numbers(self, "negative_slope", "threshold")


@layer_class
class LeakyReLU(Layer):
    """`max(x, negative_slope * x)`.

    Input shape: any, `(...)`.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        negative_slope: The slope below 0, at least 0. It changes no count. Default: `0.3`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    negative_slope: Any = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "negative_slope")


@layer_class
class ELU(Layer):
    """`x`, or `alpha * (exp(x) - 1)` below 0.

    Input shape: any, `(...)`.
    Output shape: the same.
    It has no weights and no MACs.
    After Clevert et al. (2016).

    Args:
        alpha: What the function comes near to far below 0, negated. It changes no count. Default: `1.0`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    alpha: Any = 1.0


@layer_class
class PReLU(Axes):
    """`max(x, alpha * x)` with a weight `alpha` for each value, or for all along the shared axes.

    Input shape: any, `(...)`.
    Output shape: the same.
    Weights: the product of the sides that are not shared.
    MACs: none.
    After He et al. (2015).

    Args:
        alpha_initializer: How alpha is initialised. Kept for Keras. Default: `"Zeros"`.
        alpha_regularizer: The penalty on alpha while training. Kept for Keras. Default: `None`.
        alpha_constraint: What alpha is projected to after each step of training. Kept for Keras. Default: `None`.
        shared_axes: The axes along which one alpha is used, counted from 1, as an integer or several; `None` for an
            alpha of each value. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    alpha_initializer: Any = "Zeros"
    alpha_regularizer: Any = None
    alpha_constraint: Any = None
    shared_axes: IntsLike | None = None

    AXES = "shared_axes"


@layer_class
class Softmax(Axes):
    """`exp(x)`, divided by its sum along an axis; called with a `mask`, over the values that are there.

    Input shape: any, `(...)`.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        axis: The axis of the sum, or several; the batch is axis 0, and -1 the last axis. Default: `-1`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    axis: IntsLike = -1

    MASKS: ClassVar[tuple[str, ...]] = ("mask",)


@layer_class
class GLU(Layer):
    """One half of the values along an axis, each times the sigmoid of one of the other half.

    Input shape: `(..., 2 * n, ...)`.
    Output shape: `(..., n, ...)`, half as long along `axis`.
    It has no weights and no MACs.
    `torch.nn.GLU`, after Dauphin et al. (2017).

    Args:
        axis: The axis that is halved, which must be even; the batch is axis 0, and -1 the last axis. Default: `-1`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    axis: int = -1

    IN_KERAS = False
