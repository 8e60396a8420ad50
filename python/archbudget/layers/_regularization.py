"""Layers that act while a network is trained, and otherwise hand on their input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archbudget.errors import SpaceError
from archbudget.layers._arguments import Text, check_numbers
from archbudget.layers._base import Layer

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


@dataclass(frozen=True, eq=False, repr=False)
class Dropout(Layer):
    """Removes activations while training, not weights; so it costs nothing."""

    rate: Any
    noise_shape: Any = None
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "rate", most=1)


@dataclass(frozen=True, eq=False, repr=False)
class _SpatialDropout(Layer):
    rate: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "rate", most=1)
        if not self.trainable:
            raise SpaceError(f"{self.kind}: Keras takes no argument trainable here")


@dataclass(frozen=True, eq=False, repr=False)
class SpatialDropout1D(_SpatialDropout):
    """Removes whole channels while training."""

    seed: int | None = None
    dtype: Any = None


@dataclass(frozen=True, eq=False, repr=False)
class SpatialDropout2D(_SpatialDropout):
    """Removes whole channels while training."""

    data_format: Text | None = None
    seed: int | None = None
    dtype: Any = None


@dataclass(frozen=True, eq=False, repr=False)
class SpatialDropout3D(_SpatialDropout):
    """Removes whole channels while training."""

    data_format: Text | None = None
    seed: int | None = None
    dtype: Any = None


@dataclass(frozen=True, eq=False, repr=False)
class AlphaDropout(Layer):
    """Replaces activations while training, keeping mean and variance."""

    rate: Any
    noise_shape: Any = None
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "rate", most=1)


@dataclass(frozen=True, eq=False, repr=False)
class GaussianDropout(Layer):
    """Scales activations at random while training."""

    rate: Any
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "rate", most=1)


@dataclass(frozen=True, eq=False, repr=False)
class GaussianNoise(Layer):
    """Shifts activations at random while training."""

    stddev: Any
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "stddev", most=1)


@dataclass(frozen=True, eq=False, repr=False)
class ActivityRegularization(Layer):
    """Adds a term to the loss."""

    l1: Any = 0.0
    l2: Any = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "l1", "l2", optional=True)
