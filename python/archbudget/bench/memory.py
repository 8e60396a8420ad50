"""What the memory of the machine allows, and how much of it this process has taken."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archbudget._machine import cores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

BLOCK = 1 << 19
"""Candidates whose columns are read before their outputs are written."""

STATUS = Path("/proc/self/status")
RESET = Path("/proc/self/clear_refs")


def floor(columns: Sequence[npt.NDArray[Any]], threads: int | None = None) -> Callable[..., None]:
    """A function that reads columns and fills the outputs that it is given, and does nothing else; on all cores.

    Columns are read as words of 64 bits, all but the last few bytes of each, by the fastest loops of NumPy.
    """
    words = [np.ascontiguousarray(column).view(np.uint8) for column in columns]
    words = [column[: len(column) // 8 * 8].view(np.uint64) for column in words]
    number = threads or cores()
    pool = ThreadPoolExecutor(number)

    def fill(*outputs: npt.NDArray[Any]) -> None:
        rows = len(outputs[0])

        def part(place: int) -> None:
            first, last = place * rows // number, (place + 1) * rows // number
            for start in range(first, last, BLOCK):
                end = min(start + BLOCK, last)
                for column in words:
                    np.bitwise_xor.reduce(column[start * len(column) // rows : end * len(column) // rows])
                for output in outputs:
                    output[start:end] = 0

        for _ in pool.map(part, range(number)):
            pass

    return fill


def resident(field: str = "VmHWM") -> int | None:
    """The bytes of memory that this process holds: `VmRSS` now, `VmHWM` at most; `None` where no system says so."""
    if STATUS.exists():
        fields = dict(line.split(":", 1) for line in STATUS.read_text(encoding="ascii").splitlines())
        return int(fields[field].split()[0]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * (1 if sys.platform == "darwin" else 1024)


def taken(call: Callable[[], object]) -> int | None:
    """The bytes that a call takes at most, beside what the process holds before it; `None` where Linux does not say."""
    try:
        RESET.write_text("5", encoding="ascii")  # The peak begins again at what is held now.
    except OSError:
        return None
    before = resident("VmRSS")
    call()
    most = resident()
    return None if before is None or most is None else max(0, most - before)
