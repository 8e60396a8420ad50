"""Positions in a space file, and errors at them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, TypeVar, Union

from archbudget._expressions import MOST_NAME
from archbudget._message import listed as show_names
from archbudget.errors import ArchbudgetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")
KeyPath = tuple[Union[str, int], ...]
"""A position in a space file: keys of mappings and positions in lists, from the top."""


class MisplacedError(Exception):
    """Something is wrong at a position in a file."""

    def __init__(self, at: KeyPath, message: str) -> None:
        super().__init__(message)
        self.at = at


def made_at(at: KeyPath, make: Callable[[], T]) -> T:
    """The result of a function that reads a position in a file.

    Raises:
        MisplacedError: If the function fails.
    """
    try:
        return make()
    except (ArchbudgetError, TypeError, ArithmeticError) as error:
        raise MisplacedError(at, str(error)) from error


def hint(name: object, valid: Iterable[object], *, listed: bool = True) -> str:
    """A hint for an unknown name: the nearest valid name, or all of them."""
    names = [str(each) for each in valid]
    near = difflib.get_close_matches(str(name), names, n=1) if len(str(name)) <= MOST_NAME else []
    if near:
        return f"; did you mean {near[0]}?"
    return f"; there are {show_names(names) or 'none'}" if listed else ""
