"""Layers that make one tensor of several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget.layers._base import Layer, Operand, layer_class

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


@layer_class
class Add(Layer):
    """The sum of its inputs.

    Input shape: tensors of one shape, or of shapes that broadcast.
    Output shape: the shape that they broadcast to.
    It has no weights and no MACs.

    Args:
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    MERGES = True


@layer_class
class Subtract(Layer):
    """Its first input less the second.

    Input shape: two tensors of one shape, or of shapes that broadcast.
    Output shape: the shape that they broadcast to.
    It has no weights and no MACs.

    Args:
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    MERGES = True


@layer_class
class Multiply(Layer):
    """The product of its inputs.

    Input shape: tensors of one shape, or of shapes that broadcast.
    Output shape: the shape that they broadcast to.
    It has no weights and no MACs.

    Args:
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    MERGES = True


@layer_class
class Average(Layer):
    """The mean of its inputs, value by value.

    Input shape: tensors of one shape, or of shapes that broadcast.
    Output shape: the shape that they broadcast to.
    It has no weights and no MACs.

    Args:
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    MERGES = True


@layer_class
class Maximum(Layer):
    """The largest of its inputs, value by value.

    Input shape: tensors of one shape, or of shapes that broadcast.
    Output shape: the shape that they broadcast to.
    It has no weights and no MACs.

    Args:
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    MERGES = True


@layer_class
class Minimum(Layer):
    """The smallest of its inputs, value by value.

    Input shape: tensors of one shape, or of shapes that broadcast.
    Output shape: the shape that they broadcast to.
    It has no weights and no MACs.

    Args:
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    MERGES = True


@layer_class
class Concatenate(Layer):
    """Its inputs side by side.

    Input shape: tensors of equal sides, but along `axis`.
    Output shape: the same, with the sum of the sides along `axis`.
    It has no weights and no MACs.

    Args:
        axis: The axis along which they are joined; the batch is axis 0, and -1 the last axis. Default: `-1`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    axis: int = -1

    MERGES = True


@layer_class
class Dot(Layer):
    """The product of two inputs along an axis of each.

    Input shape: two tensors whose sides along `axes` are equal.
    Output shape: the other sides of the first one, then those of the second; `(1)` if there are none.
    MACs: the side along the axes, times the other sides of both.

    Args:
        axes: The axis of the product: an integer for both tensors, or one for each; the batch is axis 0.
        normalize: Whether both are divided by their length first. Kept for Keras. Default: `False`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    axes: IntsLike
    normalize: bool = False

    MERGES = True


Operand.OPERATORS.update({"+": Add, "-": Subtract, "*": Multiply})
