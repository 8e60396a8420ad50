"""The lines that a description writes, so that two descriptions can be compared."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from archbudget._core import Arguments
from archbudget._expressions import Decision, Expression
from archbudget._nested import Opaque, mapped
from archbudget.layers import CustomLayer, Layer

if TYPE_CHECKING:
    from archbudget._core import Program


class Transcript:
    """The calls of a program of the engine, in their order."""

    def __init__(self) -> None:
        self.lines: list[tuple[object, ...]] = []
        """The name of each call, and its arguments."""

    def of(self, program: Program) -> Any:
        """The program, with its calls recorded."""
        return _Written(program, self.lines)


class _Written:
    def __init__(self, program: Program, lines: list[tuple[object, ...]]) -> None:
        self._program = program
        self._lines = lines

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._program, name)

        def call(*args: Any, **named: Any) -> Any:
            # Layers are compared separately, as their arguments and functions are objects of the engine.
            shown = [
                value for value in (*args, *named.values()) if not (isinstance(value, Arguments) or callable(value))
            ]
            self._lines.append((name, *shown))
            return method(*args, **named)

        return call


def comparable(value: Any) -> object:
    """A layer, a decision or an argument in a form that is equal for equal descriptions."""
    if isinstance(value, Layer):
        rule = type(value).RULE if isinstance(value, CustomLayer) else type(value)
        given = {**value.arguments(), "weight_bits": value.weight_bits, "training": value.training_mode}
        return (value.kind, rule, value.name, value.masks, mapped(comparable, given))
    if isinstance(value, Decision):
        return ("decision", value.name, tuple(map(comparable, value.values)))
    if isinstance(value, Expression):
        # All that it is made of: its text leaves out what is long.
        parts = (getattr(value, each.name) for each in fields(value)) if is_dataclass(value) else (value,)
        return (type(value), *(mapped(comparable, part) for part in parts))
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    return Opaque(value)
