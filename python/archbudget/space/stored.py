"""Spaces and batches in files: what reads and writes files stands above spaces, and is handed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from archbudget._progress import ProgressLike
    from archbudget.space.family import Family


@dataclass(frozen=True)
class Format:
    """The functions that read and write files; `code` says whether the Python that a space file names may be run."""

    read: Callable[[Path, bool], Family]
    """The space of a file, by its path and `code`."""
    parse: Callable[[str, bool], Family]
    """The space of a text, and `code`."""
    text: Callable[[Family], str]
    """The text of a space."""
    evaluate: Callable[[Any, Any, str, list[str], ProgressLike], int]
    """Counts candidates of a space into a file, of these metrics, and tells how far it is; how many there were."""
    enumerate: Callable[..., int]
    """Writes the candidates of a set, or of a file, into a folder; how many there are. See `FeasibleSet.write_parquet`.
    """


_formats: list[Format] = []


def store_with(form: Format) -> None:
    """Sets what reads and writes files."""
    _formats[:] = [form]


def stored() -> Format:
    """What reads and writes files."""
    return _formats[0]
