"""Reading regular files of limited size.

A pipe or a device may never end or never begin, so it is refused before anything is read from it.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

from archbudget._message import one_line, show
from archbudget.errors import FileError, FolderError, MissingFileError, SpaceError

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_LINE = 1 << 20
"""The most characters of a line of a table."""

KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISSOCK, "a socket"),
)


def path_of(file: object) -> str:
    """A path as text.

    Raises:
        SpaceError: If it is not a path.
    """
    try:
        return os.fsdecode(file)  # type: ignore[arg-type]
    except Exception:  # A value may raise anything.
        raise SpaceError(f"a file is given by its path, not by {show(file)}") from None


def kind_of(mode: int) -> str:
    """The kind of a file that is neither a regular file nor a folder, by its mode."""
    return next((name for test, name in KINDS if test(mode)), "no regular file")


@contextmanager
def reading(file: str | os.PathLike[str], most: int | None = None) -> Iterator[BinaryIO]:
    """Opens a regular file to read bytes.

    Args:
        file: Its path.
        most: The most bytes that it may have; any number by default.

    Raises:
        MissingFileError: If there is no such file.
        FolderError: If it is a folder.
        FileError: If it is a pipe or a device, too large, or cannot be read.
    """
    path = path_of(file)
    try:
        # Opening a device may have an effect; reading its status has none.
        _require_regular(path, Path(path).stat())
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise MissingFileError(f"{path}: No such file or directory") from None
    except FileError:
        raise
    except (OSError, ValueError) as error:  # A path with a NUL is a ValueError.
        raise _unreadable(path, error) from None
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(descriptor)
        _require_regular(path, found)
        if most is not None and found.st_size > most:
            raise FileError(f"{path} has {found.st_size:,} bytes; at most {most:,} are read")
        try:
            yield stream
        except FileError:
            raise
        except (OSError, UnicodeDecodeError) as error:
            raise _unreadable(path, error) from error


def read_text(file: str | os.PathLike[str], most: int) -> str:
    """The text of a regular file in UTF-8.

    Raises:
        FileError: As in `reading`, and if the file is not such text.
    """
    with reading(file, most) as stream:
        content = stream.read(most + 1)  # A file may grow, and some report a size of 0.
        if len(content) > most:
            raise FileError(f"{path_of(file)} has more than {most:,} bytes, the most that are read")
        return content.decode("utf-8-sig")


def lines(stream: TextIO, name: str) -> Iterator[str]:
    """The lines of a table, one at a time.

    Raises:
        SpaceError: If a line is too long for memory.
    """
    number = 0
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise SpaceError(f"{name}:{number}: the line has more than {LONGEST_LINE:,} characters")
        yield line


def _unreadable(path: str, error: Exception) -> FileError:
    return FileError(f"{path} cannot be read: {getattr(error, 'strerror', None) or one_line(error)}")


def _require_regular(path: str, found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise FolderError(f"{path} cannot be read: it is a folder")
    if not stat.S_ISREG(found.st_mode):
        raise FileError(f"{path} cannot be read: it is {kind_of(found.st_mode)}, not a regular file")
