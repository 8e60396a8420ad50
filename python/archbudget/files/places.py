"""Where something stands in a file, and what is wrong there."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, TypeVar, Union

from archbudget._expressions import MOST_NAME
from archbudget._message import listed as show_names
from archbudget.errors import ArchbudgetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")
Place = tuple[Union[str, int], ...]
"""Where something stands in a file: keys and positions, from the top."""


class MisplacedError(Exception):
    """Something is wrong at a place in a file."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


def made_at(place: Place, make: Callable[[], T]) -> T:
    """What a function makes of what stands at a place.

    Raises:
        MisplacedError: If it cannot.
    """
    try:
        return make()
    except (ArchbudgetError, TypeError, ArithmeticError) as error:
        raise MisplacedError(place, str(error)) from error


def hint(name: object, known: Iterable[object], *, listed: bool = True) -> str:
    """What may be meant by a name that is unknown: the nearest of those that are known, or all of them."""
    names = [str(each) for each in known]
    near = difflib.get_close_matches(str(name), names, n=1) if len(str(name)) <= MOST_NAME else []
    if near:
        return f"; did you mean {near[0]}?"
    return f"; there are {show_names(names) or 'none'}" if listed else ""
