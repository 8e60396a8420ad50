"""What arguments of layers may be, and checks of them that several families share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Union

from archbudget._expressions import Expression, IntLike, possible
from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.layers._base import Layer

if TYPE_CHECKING:
    from collections.abc import Sequence

IntsLike = Union[IntLike, "Sequence[IntLike]"]
FactorLike = Union[float, Expression]
"""A number above 0 that need be no integer."""
FactorsLike = Union[FactorLike, "Sequence[IntLike | FactorLike]"]
Text = Union[str, Expression]
Flag = Union[bool, Expression]
Padding = Union[str, IntLike, "Sequence[IntLike | Sequence[IntLike]]"]
"""A word of Keras, or integers as in PyTorch."""
SIDES = 7
"""The most sides that a tensor has beside the batch."""


def check_lora(layer: Any, weights: str = "kernel") -> None:
    """Refuses a layer with LoRA and a constraint of its weights, as Keras does."""
    if (
        any(rank not in (None, 0) for rank in possible(layer.lora_rank))
        and getattr(layer, f"{weights}_constraint") is not None
    ):
        raise SpaceError(f"{layer.kind}: lora_rank cannot be combined with {weights}_constraint")


def check_numbers(layer: Layer, *names: str, most: float | None = None, optional: bool = False) -> None:
    """Refuses arguments, and values of decisions, that are not numbers from 0 on."""
    for name in names:
        given = getattr(layer, name)
        for value in possible(given):
            if value is None and optional:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= (most or math.inf):
                what = "of at least 0" if most is None else f"from 0 to {most}"
                raise SpaceError(f"{layer.kind}: {name} must be a number {what}, not {show(value)}")


class Axes(Layer):
    """A layer that takes one axis or several."""

    AXES: ClassVar[str] = "axis"

    def normalized(self) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost; axes in a list."""
        given = super().normalized()
        axes = given[self.AXES]
        given[self.AXES] = axes if isinstance(axes, (list, tuple)) else [axes]
        return given

    def keras_arguments(self, counted: Any, chosen: Any) -> dict[str, Any]:
        """The arguments of the real layer; one axis as a number where it was given so."""
        axes = tuple(counted[self.AXES])
        given = getattr(self, self.AXES)
        return super().keras_arguments(
            {**counted, self.AXES: axes if isinstance(given, (list, tuple)) else axes[0]}, chosen
        )


def check_words(layer: Layer, name: str, *words: str) -> None:
    """Refuses what is not one of these words, also as a value of a decision."""
    given = getattr(layer, name)
    for value in possible(given):
        if not isinstance(value, str) or value not in words:
            raise SpaceError(f"{layer.kind}: {name} must be one of {', '.join(map(repr, words))}, not {show(value)}")


def check_number(layer: Layer, name: str, *, zero: bool = True) -> None:
    """Refuses what is not a number, also as a value of a decision."""
    given = getattr(layer, name)
    for value in possible(given):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or (value == 0 and not zero):
            raise SpaceError(
                f"{layer.kind}: {name} must be a number{'' if zero else ' other than 0'}, not {show(value)}"
            )
