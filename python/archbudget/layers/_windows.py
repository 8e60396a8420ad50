"""What convolutions and poolings have in common: a window that slides over an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from archbudget._expressions import Decision, Expression, Mapped, Scalar, possible
from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.layers._base import ENGINE_PARAMETERS, Layer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archbudget.layers._arguments import Padding


class Padded(Layer):
    """A window that slides over an image.

    Its padding is a word of Keras; or, as in PyTorch, an integer for all axes or one for each; or, for convolutions
    that are not transposed, a pair (before, after) for each axis.
    """

    padding: Padding

    def normalized(self) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost: padding as a word, or as integers in `explicit_padding`."""
        given = super().normalized()
        padding = self.padding
        if isinstance(padding, (Decision, Mapped)) and any(isinstance(value, str) for value in padding.possible):
            integers = [value for value in padding.possible if not isinstance(value, str)]
            if integers:
                self._check_sides(integers)
                given["padding"] = padding.replaced(lambda value: value if isinstance(value, str) else "valid")
                given["explicit_padding"] = padding.replaced(lambda value: None if isinstance(value, str) else value)
        elif not isinstance(padding, str):
            given["padding"] = "valid"
            given["explicit_padding"] = self._explicit(padding)
        return given

    def _explicit(self, padding: Any) -> Any:
        """Integers as the engine takes them: one, or in a list as many as it has for all axes."""
        if not isinstance(padding, (list, tuple)):
            self._check_sides([padding])
            return padding
        axes, ends = self._ends()
        if len(padding) != axes:
            raise self._wrong_padding()
        sides: list[Any] = []
        for side in padding:
            pair = isinstance(side, (list, tuple)) and len(side) == ends == 2
            sides += side if pair else [side] * ends
        self._check_sides(sides)
        return sides

    def _ends(self) -> tuple[int, int]:
        """The axes that the window slides along, and the integers that the engine takes for each of them."""
        known = ENGINE_PARAMETERS[self.kind]
        axes = known["strides"].arity or 1
        return axes, (known["explicit_padding"].arity or 1) // axes

    def _check_sides(self, sides: Sequence[object]) -> None:
        """Refuses what is neither an integer from 0 on nor an expression."""
        for side in sides:
            for value in possible(side):
                if isinstance(value, Expression):
                    continue
                if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
                    raise self._wrong_padding()

    def _wrong_padding(self) -> SpaceError:
        axes, ends = self._ends()
        words = ", ".join(repr(word) for word in ENGINE_PARAMETERS[self.kind]["padding"].words)
        pairs = " or a pair (before, after)" if ends == 2 else ""
        return SpaceError(
            f"{self.kind}: padding must be one of {words}, an integer >= 0, or a tuple of {axes} with an integer{pairs}"
            f" for each axis, not {show(self.padding)}"
        )

    def beyond_keras(self, counted: Mapping[str, Any], chosen: Mapping[str, Scalar]) -> str | None:
        """Padding as integers, or another option that Keras has not."""
        sides = counted["explicit_padding"]
        if None in sides:
            return super().beyond_keras(counted, chosen)
        if len(set(sides)) == 1:
            return f"padding={sides[0]}"
        if self._ends()[1] == 2:
            sides = list(zip(sides[::2], sides[1::2], strict=True))
        return f"padding={tuple(sides)}"


def lower_padding(given: dict[str, Any]) -> dict[str, Any]:
    """The same with the padding in lower case."""
    if isinstance(given["padding"], str):
        given["padding"] = given["padding"].lower()
    return given
