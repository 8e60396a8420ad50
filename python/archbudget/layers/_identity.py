"""Layers that hand on what they are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archbudget.layers._base import Layer

__all__ = ["Identity", "Masking", "Rescaling"]


@dataclass(frozen=True, eq=False, repr=False)
class Identity(Layer):
    """Its input."""


@dataclass(frozen=True, eq=False, repr=False)
class Masking(Layer):
    """Marks the steps that later layers skip; every step is counted all the same."""

    mask_value: Any = 0.0


@dataclass(frozen=True, eq=False, repr=False)
class Rescaling(Layer):
    """`x * scale + offset`, by fixed numbers."""

    scale: Any
    offset: Any = 0.0
