"""Spaces as texts: what reads and writes space files stands above spaces, and is handed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from archbudget.space.family import Family


@dataclass(frozen=True)
class Format:
    """The functions that read and write space files; `code` says whether the Python that they name may be run."""

    read: Callable[[Path, bool], Family]
    """The space of a file, by its path and `code`."""
    parse: Callable[[str, bool], Family]
    """The space of a text, and `code`."""
    text: Callable[[Family], str]
    """The text of a space."""


_formats: list[Format] = []


def store_with(form: Format) -> None:
    """Sets what reads and writes space files."""
    _formats[:] = [form]


def stored() -> Format:
    """What reads and writes space files."""
    return _formats[0]
