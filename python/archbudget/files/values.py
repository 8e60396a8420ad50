"""The values of decisions as text, on the command line and in CSV files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from archbudget._message import nearest, show
from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from archbudget._expressions import Decision, Scalar


class Texts(dict[str, int]):
    """The index of the value that a text means, for one decision.

    A text is read as a number, truth value or null before it is read as a string; a string that looks like one of these
    is written in double quotes, as in JSON.

    Args:
        decision: The decision.
    """

    def __init__(self, decision: Decision) -> None:
        super().__init__()
        self._decision = decision
        by_type = sorted(enumerate(decision.values), key=lambda pair: isinstance(pair[1], str))
        for index, value in by_type:
            for text in _spellings(value):
                self.setdefault(text, index)
        self.written = [
            next(text for text in _spellings(value) if self[text] == index)
            for index, value in enumerate(decision.values)
        ]
        """The text of each value, by its index."""

    def __missing__(self, text: str) -> int:
        for read in _READERS:
            try:
                index = self._decision.index(read(text))
            except (ValueError, OverflowError):
                continue
            self[text] = index
            return index
        meant = nearest(text, (each for each in self.written if not each[:1].isdigit()))
        asked = "" if meant is None else f"; did you mean {meant}?"
        raise SpaceError(
            f"{show(text)} is not a value of decision '{self._decision.name}', which is {show(self._decision)}{asked}"
        )


_READERS: tuple[Callable[[str], Scalar], ...] = (int, float)


def _spellings(value: Scalar) -> Iterator[str]:
    """The spellings of a value; the first one that no other value has is used."""
    yield str(value)
    yield json.dumps(value)
