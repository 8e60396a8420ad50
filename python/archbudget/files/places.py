"""Positions in a space file, and errors at them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, Union

from archbudget.errors import ArchbudgetError

if TYPE_CHECKING:
    from collections.abc import Callable

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
