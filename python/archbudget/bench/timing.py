"""Measuring what several calls take, in turns, so that a busy machine slows all of them."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Contestants = Mapping[str, Callable[[], object]]


def in_turns(contestants: Contestants, turns: int, limit: float | None = None) -> dict[str, list[float]]:
    """The seconds of each call of each contestant, after one call that warms up.

    Args:
        contestants: The calls by their names.
        turns: How often each is called.
        limit: Seconds after which no further turn begins; the first one is always taken.
    """
    begun = time.perf_counter()
    for contestant in contestants.values():
        contestant()
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(turns):
        if turn and limit is not None and time.perf_counter() - begun > limit:
            break
        for name, contestant in contestants.items():
            start = time.perf_counter()
            contestant()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def medians(contestants: Contestants, turns: int, limit: float | None = None) -> dict[str, float]:
    """The median seconds of each contestant; see `in_turns`."""
    return {name: statistics.median(times) for name, times in in_turns(contestants, turns, limit).items()}
