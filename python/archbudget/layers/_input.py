"""Where a network begins."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, ClassVar

from archbudget._expressions import Decision
from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.layers._arguments import SIDES
from archbudget.layers._base import Layer, Operand, layer_class

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archbudget._expressions import IntLike

__all__ = ["Input"]


@layer_class
class Input(Operand, Layer):
    """Where a network starts.

    Output shape: `shape`.
    It has no weights and no MACs.

    Args:
        shape: The sides of the tensor, the batch not counted: at most 7 integers, decisions or expressions; `None` for
            a side that is unknown. No weights may depend on it, and MACs and peak activations are unknown until
            `space.with_sides` gives it.
        batch_size: The size of a batch, which layers with `stateful=True` need. No count depends on it.
            Default: `None`.
        dtype: The type of the values. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    shape: Sequence[IntLike | None]
    batch_size: int | None = None
    dtype: str | None = None

    STEM: ClassVar[str] = "input_layer"

    def __post_init__(self) -> None:
        if isinstance(self.shape, (str, bytes)):
            raise SpaceError(f"Input: shape must be a tuple of integers, not {show(self.shape)}")
        try:
            object.__setattr__(self, "shape", tuple(islice(self.shape, SIDES + 2)))
        except Exception:  # It may do anything where it is gone through.
            raise SpaceError(f"Input: shape must be a tuple of integers, not {show(self.shape)}") from None
        for side in self.shape:
            if isinstance(side, Decision) and None in side.values:
                raise SpaceError(f"Input: shape={show(self.shape)}: a side is a number or None, not by a decision")
        super().__post_init__()
