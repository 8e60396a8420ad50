"""Points of the unit cube as candidates of a set, and back: each decision at a quantile of its completions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from archbudget._message import show
from archbudget.errors import SpaceError

Shares = Callable[[Sequence[int]], "tuple[str, list[float]] | None"]
"""The decision that follows some taken ones, and the share of the completions for each of its values."""

LEAST = 2.0**-40
"""The least share of an axis that a value with a completion has, so that a float lies inside of it."""


def as_points(given: Any, axes: int) -> npt.NDArray[np.float64]:
    """Points as an array of a row each.

    Raises:
        SpaceError: If they are none of the unit cube.
    """
    wrong = SpaceError(
        f"points have a coordinate for each of the {axes} decisions of the space, in the order of its decisions: an "
        f"array of floats with a row for each, not {show(given)}"
    )
    if isinstance(given, (list, tuple)):
        # numpy would follow lists without end.
        rows = [given] if given and not isinstance(given[0], (list, tuple, np.ndarray)) else given
        for row in rows:
            if not isinstance(row, (list, tuple, np.ndarray)) or len(row) != axes:
                raise wrong
            if not all(isinstance(each, (int, float, np.floating, np.integer)) for each in row):
                raise wrong
        given = np.array(rows, dtype=np.float64).reshape(len(rows), axes)
    try:
        points = np.array(given, dtype=np.float64, ndmin=2)
    except (TypeError, ValueError, OverflowError):
        raise wrong from None
    if points.ndim != 2 or points.shape[1] != axes:
        raise wrong
    outside = ~((points >= 0) & (points <= 1))
    if outside.any():
        row, column = (int(each) for each in np.argwhere(outside)[0])
        raise SpaceError(f"a point lies in the unit cube, but row {row} has {points[row, column]} in column {column}")
    return points


def rows_at(points: npt.NDArray[np.float64], positions: dict[str, int], shares: Shares) -> npt.NDArray[np.uint32]:
    """The indices of the candidate at each point; 0 where a decision is inactive."""
    rows = np.zeros(points.shape, np.uint32)

    def take(name: str, found: Sequence[float], here: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        position = positions[name]
        taken: npt.NDArray[Any] = np.searchsorted(_ends(found), points[here, position], side="right")
        taken = np.minimum(taken, int(np.flatnonzero(found)[-1]))
        rows[here, position] = taken
        return taken

    _walk(len(points), shares, take)
    return rows


def points_of(rows: npt.NDArray[Any], positions: dict[str, int], shares: Shares) -> npt.NDArray[np.float64]:
    """The middle of all points at which each candidate is; 0.5 on the axes of inactive decisions.

    Raises:
        SpaceError: If one does not fit, with its row.
    """
    points = np.full(rows.shape, 0.5)

    def take(name: str, found: Sequence[float], here: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        position = positions[name]
        taken: npt.NDArray[Any] = rows[here, position]
        outside = here[np.array(found)[taken] == 0]
        if len(outside):
            raise SpaceError(f"candidate {int(outside.min())} is not in the set, so it lies at no point of the cube")
        ends = np.concatenate([[0.0], _ends(found)])
        points[here, position] = (ends[taken] + ends[taken + 1]) / 2
        return taken

    _walk(len(rows), shares, take)
    return points


def _walk(
    number: int,
    shares: Shares,
    take: Callable[[str, Sequence[float], npt.NDArray[np.intp]], npt.NDArray[Any]],
) -> None:
    """Goes from decision to decision with so many candidates, together as long as they have the same values.

    Args:
        number: How many there are.
        shares: The next decision behind some values, and the share of each of its values.
        take: The indices that some of them take, given the decision, its shares, and which they are.
    """
    waiting: list[tuple[list[int], npt.NDArray[np.intp]]] = [([], np.arange(number))] if number else []
    while waiting:
        prefix, here = waiting.pop()
        found = shares(prefix)
        if found is None:
            continue
        taken = take(*found, here)
        waiting.extend(([*prefix, int(index)], here[taken == index]) for index in np.unique(taken))


def _ends(shares: Sequence[float]) -> npt.NDArray[np.float64]:
    """Where the part of each value ends on its axis."""
    widths = np.array(shares)
    ends: npt.NDArray[np.float64] = np.cumsum(np.where(widths > 0, np.maximum(widths, LEAST), 0.0))
    ends /= ends[-1]
    return ends
