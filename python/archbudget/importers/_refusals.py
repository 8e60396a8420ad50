"""What all importers share: one error for everything that cannot be translated, and the limits of what is read.

A model file comes from anywhere. So what it says is measured before it is followed: its bytes, its nesting, the number
of its layers, the sides of its shapes.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from archbudget._message import cut, line, listed, show
from archbudget.errors import ArchbudgetError, SpaceError, TranslationError
from archbudget.layers._base import MOST_STEPS, Block

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archbudget.layers._base import Guard, Sink

MOST_LAYERS = MOST_STEPS
"""The most layers, or operations, of a model; a space has no more."""
MOST_BYTES = 1 << 26
"""The most bytes of a text that describes a model, without its weights."""
MOST_DEPTH = 32
"""The most levels of models within models."""
LARGEST_SIDE = 2**31 - 1
"""The largest side of a shape: frameworks count positions along one with 32 bits."""


class Refusals:
    """What of one model cannot be translated, gathered while it is read, so that one error names all of it.

    An importer goes on behind a part that it cannot translate, as far as it can, and calls `check` before it makes a
    space.

    Args:
        model: What the model is called in the message, such as `the Keras model 'mnist'`.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._parts: dict[tuple[str, str, str], None] = {}

    def __bool__(self) -> bool:
        return bool(self._parts)

    def add(self, name: object, kind: object, why: object) -> None:
        """Notes a part that cannot be translated; one that is used again is noted once.

        Args:
            name: Its name in the model.
            kind: Its type there.
            why: Why not, and what to do instead.
        """
        self._parts[_text(name), _text(kind), _text(why)] = None

    @contextmanager
    def part(self, name: object, kind: object) -> Iterator[None]:
        """In its context errors of archbudget are reasons why a part cannot be translated."""
        try:
            yield
        except ArchbudgetError as error:
            self.add(name, kind, str(error))

    def check(self, hint: str = "") -> None:
        """Raises one error for all that was noted, if anything was.

        Args:
            hint: What helps against it, at the end of the message.

        Raises:
            TranslationError: With the name and the type of each part; those of one type and one reason stand together.
        """
        if not self._parts:
            return
        together: dict[tuple[str, str], list[str]] = {}
        for name, kind, why in self._parts:
            together.setdefault((kind, why), []).append(repr(name))
        shown = "; ".join(f"{listed(names)} ({kind}): {why}" for (kind, why), names in together.items())
        count = len(self._parts)
        what = f"{self._model} has {count:,} part{'s' if count > 1 else ''} that archbudget cannot translate: "
        room = 1_900 - len(what) - len(hint)
        raise TranslationError(what + cut(shown, room) + (f". {hint}" if hint else ""), parts=tuple(self._parts))


class Beside(Block):
    """Its first tensor; the others lead to no output, but belong to the model with the layers that make them.

    A space has the layers that lead to its outputs. Frameworks count those as well whose tensors nobody reads.
    """

    def parts(self) -> tuple[()]:
        """None."""
        return ()

    def write(self, writer: Sink, inputs: Sequence[int], guard: Guard) -> int:
        """Writes nothing."""
        del writer, guard
        return inputs[0]

    def __repr__(self) -> str:
        return "what leads to no output"


def _text(given: object) -> str:
    """A name or a reason in a message; what a file says may be of any type and length."""
    return line(cut(given, 600)) if type(given) is str else show(given)


def require_layers(count: int, model: str) -> int:
    """The number of layers of a model.

    Raises:
        SpaceError: If there are more than a space may have.
    """
    if count > MOST_LAYERS:
        raise SpaceError(f"{model} has {count:,} layers or more; at most {MOST_LAYERS:,} are read")
    return count


def require_side(side: object, what: str) -> int:
    """A side of a shape.

    Raises:
        SpaceError: If it is not an integer from 1 to `LARGEST_SIDE`.
    """
    if isinstance(side, bool) or not isinstance(side, int) or not 1 <= side <= LARGEST_SIDE:
        raise SpaceError(f"{what} must be an integer from 1 to {LARGEST_SIDE:,}, not {show(side)}")
    return side


def require_shape(shape: object, what: str) -> tuple[int, ...]:
    """The sides of a shape.

    Raises:
        SpaceError: If it is not a list or tuple of sides.
    """
    if not isinstance(shape, (list, tuple)):
        raise SpaceError(f"{what} must be a tuple of sides, not {show(shape)}")
    return tuple(require_side(side, f"a side of {what}") for side in shape)


def parse_json(text: str | bytes, what: str) -> Any:
    """The content of a JSON text.

    Args:
        text: The text; bytes are UTF-8.
        what: Where it stands, at the start of messages.

    Raises:
        SpaceError: If it is no JSON, or longer or deeper than what is read.
    """
    if len(text) > MOST_BYTES:
        raise SpaceError(f"{what} has {len(text):,} bytes; at most {MOST_BYTES:,} are read")
    try:
        return json.loads(text)
    except RecursionError:
        raise SpaceError(f"{what} is nested deeper than what is read") from None
    except ValueError as error:  # Of JSON, and of UTF-8.
        raise SpaceError(f"{what} is not JSON: {line(str(error))}") from None
