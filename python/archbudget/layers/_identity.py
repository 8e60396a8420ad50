"""Layers that hand on what they are given."""

from __future__ import annotations

from typing import Any

from archbudget.layers._base import Layer, layer_class

__all__ = ["Identity", "Masking", "Rescaling"]


@layer_class
class Identity(Layer):
    """Its input.

    Input shape: any, `(...)`.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """


@layer_class
class Masking(Layer):
    """Marks the steps that later layers skip; every step is counted all the same.

    Input shape: `(steps, ...)`.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        mask_value: The value that marks a step: one that has it everywhere is skipped. It changes no count.
            Default: `0.0`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    mask_value: Any = 0.0


@layer_class
class Rescaling(Layer):
    """`x * scale + offset`, by fixed numbers.

    Input shape: any, `(...)`.
    Output shape: the same.
    It has no weights and no MACs. Its two numbers are no weights.

    Args:
        scale: What the input is multiplied by. It changes no count.
        offset: What is added. It changes no count. Default: `0.0`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    scale: Any
    offset: Any = 0.0
