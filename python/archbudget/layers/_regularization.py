"""Layers that act while a network is trained, and otherwise hand on their input."""

from __future__ import annotations

from typing import Any

from archbudget.errors import SpaceError
from archbudget.layers._arguments import Text, check_numbers
from archbudget.layers._base import Layer, layer_class

__all__ = [
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
]


@layer_class
class Dropout(Layer):
    """Removes activations while training, not weights; so it costs nothing.

    Input shape: any, `(...)`.
    Output shape: the same.
    It has no weights and no MACs.
    After Srivastava et al. (2014).

    Args:
        rate: The share of the values that is dropped, from 0 to 1. It changes no count.
        noise_shape: The shape of the mask, where several values share one. Kept for Keras. Default: `None`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    rate: Any
    noise_shape: Any = None
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "rate", most=1)


@layer_class
class _SpatialDropout(Layer):
    rate: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "rate", most=1)
        if self.trainable is not True:
            raise SpaceError(f"{self.kind}: Keras takes no argument trainable here")


@layer_class
class SpatialDropout1D(_SpatialDropout):
    """Removes whole channels while training.

    Input shape: `(steps, channels)`.
    Output shape: the same.
    It acts while training only, and has no weights and no MACs.
    After Tompson et al. (2015).

    Args:
        rate: The share of the channels that is dropped, from 0 to 1. It changes no count.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        dtype: The type of its values. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Must be `True`: Keras takes no such argument here. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    seed: int | None = None
    dtype: Any = None


@layer_class
class SpatialDropout2D(_SpatialDropout):
    """Removes whole channels while training.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the same.
    It acts while training only, and has no weights and no MACs.
    After Tompson et al. (2015).

    Args:
        rate: The share of the channels that is dropped, from 0 to 1. It changes no count.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        dtype: The type of its values. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Must be `True`: Keras takes no such argument here. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    data_format: Text | None = None
    seed: int | None = None
    dtype: Any = None


@layer_class
class SpatialDropout3D(_SpatialDropout):
    """Removes whole channels while training.

    Input shape: `(depth, height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the same.
    It acts while training only, and has no weights and no MACs.
    After Tompson et al. (2015).

    Args:
        rate: The share of the channels that is dropped, from 0 to 1. It changes no count.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        dtype: The type of its values. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Must be `True`: Keras takes no such argument here. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    data_format: Text | None = None
    seed: int | None = None
    dtype: Any = None


@layer_class
class AlphaDropout(Layer):
    """Replaces activations while training, keeping mean and variance.

    Input shape: any, `(...)`.
    Output shape: the same.
    It acts while training only, and has no weights and no MACs.
    After Klambauer et al. (2017).

    Args:
        rate: The share of the values that is dropped, from 0 to 1. It changes no count.
        noise_shape: The shape of the mask, where several values share one. Kept for Keras. Default: `None`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    rate: Any
    noise_shape: Any = None
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "rate", most=1)


@layer_class
class GaussianDropout(Layer):
    """Scales activations at random while training.

    Input shape: any, `(...)`.
    Output shape: the same.
    It acts while training only, and has no weights and no MACs.
    After Srivastava et al. (2014).

    Args:
        rate: The rate of a dropout that makes as much noise, from 0 to 1. It changes no count.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    rate: Any
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "rate", most=1)


@layer_class
class GaussianNoise(Layer):
    """Shifts activations at random while training.

    Input shape: any, `(...)`.
    Output shape: the same.
    It acts while training only, and has no weights and no MACs.

    Args:
        stddev: The standard deviation of the noise, from 0 to 1. It changes no count.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    stddev: Any
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "stddev", most=1)


@layer_class
class ActivityRegularization(Layer):
    """Adds a term to the loss.

    Input shape: any, `(...)`.
    Output shape: the same.
    It acts while training only, and has no weights and no MACs.

    Args:
        l1: The factor of the sum of absolute values, at least 0; `None` for none. It changes no count. Default: `0.0`.
        l2: The factor of the sum of squares, at least 0; `None` for none. It changes no count. Default: `0.0`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    l1: Any = 0.0
    l2: Any = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "l1", "l2", optional=True)
