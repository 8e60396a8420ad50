"""Activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archbudget.layers._arguments import Axes, IntsLike, check_numbers
from archbudget.layers._base import Layer

__all__ = [
    "ELU",
    "GLU",
    "Activation",
    "LeakyReLU",
    "PReLU",
    "ReLU",
    "Softmax",
]


@dataclass(frozen=True, eq=False, repr=False)
class Activation(Layer):
    """A fixed function of each value."""

    activation: Any


@dataclass(frozen=True, eq=False, repr=False)
class ReLU(Layer):
    """`max(x, 0)`, with Keras' variants."""

    max_value: Any = None
    negative_slope: Any = 0.0
    threshold: Any = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "max_value", optional=True)
        check_numbers(self, "negative_slope", "threshold")


@dataclass(frozen=True, eq=False, repr=False)
class LeakyReLU(Layer):
    """`max(x, negative_slope * x)`."""

    negative_slope: Any = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "negative_slope")


@dataclass(frozen=True, eq=False, repr=False)
class ELU(Layer):
    """`x`, or `alpha * (exp(x) - 1)` below 0."""

    alpha: Any = 1.0


@dataclass(frozen=True, eq=False, repr=False)
class PReLU(Axes):
    """`max(x, alpha * x)` with a weight `alpha` for each value, or for all along the shared axes."""

    alpha_initializer: Any = "Zeros"
    alpha_regularizer: Any = None
    alpha_constraint: Any = None
    shared_axes: IntsLike | None = None

    AXES = "shared_axes"


@dataclass(frozen=True, eq=False, repr=False)
class Softmax(Axes):
    """`exp(x)`, divided by its sum along an axis."""

    axis: IntsLike = -1


@dataclass(frozen=True, eq=False, repr=False)
class GLU(Layer):
    """One half of the values along an axis, each times the sigmoid of one of the other half."""

    axis: int = -1

    IN_KERAS = False
