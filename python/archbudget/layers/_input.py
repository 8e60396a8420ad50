"""Where a network begins."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, ClassVar

from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.layers._arguments import SIDES
from archbudget.layers._base import Layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archbudget._expressions import IntLike

__all__ = ["Input"]


@dataclass(frozen=True, eq=False, repr=False)
class Input(Layer):
    """Where a network starts.

    Args:
        shape: The sides of the tensor, the batch not counted.
        batch_size: Kept for Keras.
        dtype: Kept for Keras.
    """

    shape: Sequence[IntLike]
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
        if any(side is None for side in self.shape):
            raise SpaceError(
                f"Input: shape={show(self.shape)} has an unknown side; every side but the batch must be known to count "
                "MACs"
            )
        super().__post_init__()
