"""Memory of large results, kept for the next ones.

The system clears each page of a new array before it can be written, which takes longer than to count candidates into
it. So the memory of a result that nobody reads any more, not even through a view, is kept for the next result.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from archbudget._guard import guarded

LEAST = 1 << 20
"""The least bytes of memory that is kept: the heap keeps what is smaller."""

MOST = 1 << 27
"""The most bytes that are kept."""

Memory = npt.NDArray[np.uint8]


class Lender:
    """What lends memory to arrays, and has it back once they are gone.

    Arrays may go at any time and in any thread, even while the same thread is in here, and a process may be forked
    meanwhile: so nothing waits for the lock. Who finds it taken does without what is kept.
    """

    def __init__(self) -> None:
        self._kept: list[Memory] = []
        self._lock = threading.Lock()

    def array(self, rows: int, dtype: type[np.generic]) -> npt.NDArray[Any]:
        """A new array of one axis with any content."""
        size = rows * np.dtype(dtype).itemsize
        if not LEAST <= size <= MOST:
            return np.empty(rows, dtype)
        memory = self._take(size)
        if memory is None:
            memory = np.empty(size, np.uint8)
        return np.asarray(_Loan(self, memory, rows, np.dtype(dtype).str))

    def _take(self, size: int) -> Memory | None:
        """Kept memory that is large enough, and not twice as large, if there is some."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            kept = self._kept
            places = [place for place, memory in enumerate(kept) if size <= memory.nbytes < 2 * size]
            best = min(places, key=lambda place: kept[place].nbytes, default=None)
            return None if best is None else kept.pop(best)
        finally:
            self._lock.release()

    def give_back(self, memory: Memory) -> None:
        """Keeps memory; the system has back what was given back first, where all is more than `MOST`."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            kept = self._kept
            kept.append(memory)
            while sum(one.nbytes for one in kept) > MOST:
                del kept[0]
        finally:
            self._lock.release()

    def release(self) -> int:
        """Gives all back to the system, and returns the number of bytes."""
        kept, self._kept = self._kept, []  # Who holds the lock works on the old list, which goes.
        return sum(memory.nbytes for memory in kept)


class _Loan:
    """What an array and all its views hold on to while one of them is there."""

    __slots__ = ("__array_interface__", "_lender", "_memory")

    def __init__(self, lender: Lender, memory: Memory, rows: int, typestr: str) -> None:
        self._lender, self._memory = lender, memory
        self.__array_interface__ = {
            "shape": (rows,),
            "typestr": typestr,
            "data": memory.__array_interface__["data"],
            "version": 3,
        }

    def __del__(self) -> None:
        self._lender.give_back(self._memory)


_LENDER = Lender()


def new_array(rows: int, dtype: type[np.generic]) -> npt.NDArray[Any]:
    """A new array of one axis with any content, in kept memory where there is some."""
    return _LENDER.array(rows, dtype)


@guarded
def release_memory() -> int:
    """Gives the memory that is kept for new results back to the system, and returns the number of its bytes.

    The system clears memory before it is written first, which takes longer than to count. So totals, flags and masks of
    1 to 128 MiB that `Space.evaluate` and masks return are written into the memory of earlier ones, once these and all
    their views are gone. At most 128 MiB are kept. Safe to call from several threads.

    Example:
        >>> import archbudget as ab
        >>> kept = ab.release_memory()
        >>> ab.release_memory()
        0
    """
    return _LENDER.release()
