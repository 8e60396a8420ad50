"""Draws without replacement."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from archbudget._message import grouped, show
from archbudget.errors import LimitError, SpaceError
from archbudget.space.columns import fresh_seed

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from archbudget.space.columns import Indices

FUTILE = 1 << 20
"""Where the number of networks is not known, so many draws without a new one end the search for one."""


def require_flag(replace: object) -> None:
    """Refuses a `replace` that is neither True nor False.

    Raises:
        SpaceError: With what was given.
    """
    if not isinstance(replace, bool):
        raise SpaceError(f"replace must be True or False, not {show(replace)}")


def distinct(draw: Callable[[int, int], Indices], n: int, total: int | None, seed: int | None) -> Indices:
    """Different rows in the order in which independent draws bring them, which makes them uniform without replacement.

    It takes some `total * log(total / (total - n))` draws, about `n` where that is a small part.

    Args:
        draw: A function of a number and a seed, which draws so many rows uniformly.
        n: The number of rows.
        total: How many different rows there are at least; `None` if that is not known.
        seed: The seed.

    Raises:
        LimitError: If a million draws bring no new row, where `total` is not known.
    """
    seeds = np.random.default_rng(fresh_seed(seed))
    rows = draw(0, 0)
    futile = 0
    while len(rows) < n:
        left = n - len(rows)
        ratio = 1.0 if total is None else total / max(total - n + left / 2, 1)
        # Some more than are expected to do, so that a second round is rarely needed, and is small.
        more = draw(
            min(math.ceil(left * ratio + 3 * math.sqrt(left)), FUTILE), int(seeds.integers(2**64, dtype=np.uint64))
        )
        known, rows = len(rows), _first_ones(np.concatenate([rows, more]))
        futile = 0 if len(rows) > known else futile + len(more)
        if total is None and futile >= FUTILE:
            raise LimitError(f"{grouped(futile)} draws in a row brought no network but the {grouped(known)} before")
    return rows[:n]


def _first_ones(rows: Indices) -> Indices:
    """The rows without repetitions, each where it comes first."""
    packed: npt.NDArray[np.void] = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.itemsize * rows.shape[1])))
    _, first = np.unique(packed[:, 0], return_index=True)
    return rows[np.sort(first)]
