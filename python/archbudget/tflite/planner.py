"""The greedy planner of TensorFlow Lite Micro."""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

ALIGNMENT = 16
"""Each buffer is rounded up to a multiple of so many bytes."""


class Buffer(NamedTuple):
    """A piece of memory that is asked for."""

    size: int
    """Its bytes; the planner rounds them up."""
    first: int
    """The first step at which it is needed."""
    last: int
    """The last one."""


def aligned(size: int) -> int:
    """Bytes rounded up."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def offsets(buffers: Sequence[Buffer]) -> list[int]:
    """Where the planner puts each buffer.

    The largest buffer comes first, and of equal ones the last: `GreedyMemoryPlanner` fills its list from the end before
    it sorts it. Each is put at the lowest gap between those that are needed at the same time.
    """
    sizes = [aligned(buffer.size) for buffer in buffers]
    order = sorted(range(len(buffers)), key=lambda index: (-sizes[index], -index))
    found = [0] * len(buffers)
    placed: list[tuple[int, int, int]] = []
    """The offset of each buffer that has a place, and its number, in the order in which the planner meets them."""
    for place, index in enumerate(order):
        offset = 0
        for start, _, other in placed:
            if buffers[other].first > buffers[index].last or buffers[index].first > buffers[other].last:
                continue
            if start - offset >= sizes[index]:
                break
            offset = max(offset, start + sizes[other])
        found[index] = offset
        insort(placed, (offset, place, index))
    return found


def planned(buffers: Sequence[Buffer]) -> int:
    """The bytes that the planner needs for buffers."""
    starts = offsets(buffers)
    return max((start + aligned(buffer.size) for start, buffer in zip(starts, buffers, strict=True)), default=0)


def alive(buffers: Sequence[Buffer]) -> int:
    """The most bytes that are needed at one step: no planner can do with less."""
    steps = range(max((buffer.last for buffer in buffers), default=0) + 1)
    return max(sum(aligned(each.size) for each in buffers if each.first <= step <= each.last) for step in steps)
