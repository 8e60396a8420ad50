"""Layers that make one tensor of several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archbudget.layers._base import Layer

if TYPE_CHECKING:
    from archbudget.layers._arguments import IntsLike

__all__ = [
    "Add",
    "Average",
    "Concatenate",
    "Dot",
    "Maximum",
    "Minimum",
    "Multiply",
    "Subtract",
]


@dataclass(frozen=True, eq=False, repr=False)
class Add(Layer):
    """The sum of its inputs."""

    MERGES = True


@dataclass(frozen=True, eq=False, repr=False)
class Subtract(Layer):
    """Its first input less the second."""

    MERGES = True


@dataclass(frozen=True, eq=False, repr=False)
class Multiply(Layer):
    """The product of its inputs."""

    MERGES = True


@dataclass(frozen=True, eq=False, repr=False)
class Average(Layer):
    """The mean of its inputs, value by value."""

    MERGES = True


@dataclass(frozen=True, eq=False, repr=False)
class Maximum(Layer):
    """The largest of its inputs, value by value."""

    MERGES = True


@dataclass(frozen=True, eq=False, repr=False)
class Minimum(Layer):
    """The smallest of its inputs, value by value."""

    MERGES = True


@dataclass(frozen=True, eq=False, repr=False)
class Concatenate(Layer):
    """Its inputs side by side."""

    axis: int = -1

    MERGES = True


@dataclass(frozen=True, eq=False, repr=False)
class Dot(Layer):
    """The product of two inputs along an axis of each."""

    axes: IntsLike
    normalize: bool = False

    MERGES = True
