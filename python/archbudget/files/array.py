"""Indices in an `.npy` file, read in chunks: the file may be larger than memory, and its pages are never mapped."""

from __future__ import annotations

import math
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from archbudget._message import one_line, show
from archbudget._regular import reading
from archbudget.errors import SpaceError
from archbudget.space.columns import as_row, check_domains, check_indices

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from archbudget.space.columns import Indices
    from archbudget.space.space import Space


class Stored(NamedTuple):
    """An array in an open file."""

    stream: BinaryIO
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    by_columns: bool
    """Whether the items of a column stand side by side, and not those of a row."""
    start: int
    """The position of the first item."""

    def rows(self, first: int, last: int) -> npt.NDArray[Any]:
        """Some rows.

        Raises:
            ValueError: If the file has become shorter.
        """
        rows, columns = self.shape
        found = np.empty((last - first, columns), self.dtype, order="F" if self.by_columns else "C")
        if self.by_columns:
            for column in range(columns):
                self._fill(found[:, column], column * rows + first)
        else:
            self._fill(found, first * columns)
        return found

    def _fill(self, array: npt.NDArray[Any], item: int) -> None:
        """Reads items, from one on, into a contiguous array."""
        if not array.size:
            return
        self.stream.seek(self.start + item * self.dtype.itemsize)
        if self.stream.readinto(array.view(np.uint8).data) != array.nbytes:  # type: ignore[attr-defined]
            raise ValueError("the file has become shorter while it was read")


def number(space: Space, source: str) -> int:
    """The number of candidates in a file.

    Raises:
        SpaceError: If the file has no indices of the space.
    """
    with _opened(space, source) as stored:
        return stored.shape[0]


def chunks(space: Space, source: str, size: int, start: int = 0, stop: int | None = None) -> Iterator[Indices]:
    """The indices in a file, in chunks of at most `size` rows; at least one chunk, which may be empty.

    Only the rows from `start` to `stop`, without `stop`, are read; by default all.

    Raises:
        SpaceError: If the file has no indices of the space, with the first row that is wrong.
    """
    with _opened(space, source) as stored:
        last = stored.shape[0] if stop is None else stop
        for first in range(start, max(last, start + 1), size):

            def where(row: int, first: int = first) -> str:
                return as_row(first + row)

            found = check_indices(space.decisions, stored.rows(first, min(first + size, last)), where)
            check_domains(space.decisions, found, where)
            yield found


@contextmanager
def _opened(space: Space, source: str) -> Iterator[Stored]:
    """The array in a file, whose header fits the space and the size of the file."""
    with reading(source) as stream:
        try:
            yield _header(stream, len(space.decisions), list(space.decisions))
        except (ValueError, SpaceError) as error:
            raise SpaceError(f"{source}: {one_line(error)}") from None


def _header(stream: BinaryIO, columns: int, names: list[str]) -> Stored:
    """What the header of a file says.

    Raises:
        ValueError: If it is no header, or that of another array, or the size of the file does not go with it.
    """
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_columns, dtype = read(stream)
    except Exception as error:  # A damaged header fails in more ways than its reader says.
        raise ValueError(f"not an array in NumPy's format (.npy): {one_line(error)}") from None
    if dtype.kind not in "iu":
        raise ValueError(
            f"the array must hold indices, which are integers, not {show(str(dtype))}; values go into CSV or Parquet"
        )
    if len(shape) != 2 or shape[1] != columns:
        raise ValueError(
            f"the indices must have the shape (N, {columns}), a column for each decision ({', '.join(names)}), "
            f"not {show(shape)}"
        )
    start = stream.tell()
    takes, holds = math.prod(shape) * dtype.itemsize, os.fstat(stream.fileno()).st_size - start
    if takes != holds:
        few = "it is cut off" if holds < takes else "there is more behind it"
        raise ValueError(
            f"an array of {dtype} of the shape {show(shape)} takes {show(takes)} bytes, but there are {holds:,}: {few}"
        )
    return Stored(stream, shape, dtype, by_columns, start)
