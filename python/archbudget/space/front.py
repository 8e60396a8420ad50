"""The front of several metrics, all of them better the smaller they are."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from archbudget._message import grouped
from archbudget.errors import LimitError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from fractions import Fraction

MOST_POINTS = 10_000
"""The most points of a front."""

Zone = tuple[int | None, ...]
"""A part of the space of values: below each of these, which bound nothing where they are None."""

Point = tuple[int, ...]
"""The value of each metric."""


def front(
    least: Callable[[int, Sequence[int | None]], tuple[int, list[int]] | None], metrics: int, epsilon: Fraction
) -> list[tuple[Point, list[int]]]:
    """The points that no other one improves on, each with its network; with an epsilon, some that cover all others.

    What is not covered yet is a union of zones (Klamroth, Lacour and Vanderpooten, On the representation of the search
    region in multi-objective optimization, 2015). In a zone the least value of the first metric is looked for, then
    that of the second among those, and so on: no network improves on what is found, as zones reach down without end.
    Then each zone loses what the point covers.

    Args:
        least: The least value of a metric, by its position, and its network, below some values; None if there is none.
        metrics: How many metrics there are.
        epsilon: The share of a value by which a point may be worse than what it covers.

    Raises:
        LimitError: If there are too many points.
    """
    zones: list[Zone] = [(None,) * metrics]
    found: list[tuple[Point, list[int]]] = []
    while zones:
        zone = zones.pop()
        point: list[int] = []
        for metric in range(metrics):
            # What was found already is kept: below the next number.
            below = [value + 1 for value in point] + list(zone[metric:])
            best = least(metric, below)
            if best is None:
                break
            point.append(best[0])
            network = best[1]
        if len(point) < metrics:
            continue
        if len(found) == MOST_POINTS:
            raise LimitError(
                f"the front has more than {grouped(MOST_POINTS)} points; give an epsilon, or a smaller budget"
            )
        found.append((tuple(point), network))
        covered = [_covered(value, epsilon) for value in point]
        # No network of the zone is below the first value.
        parts = _parts(zone, covered)[1:]
        for other in zones:
            parts += _parts(other, covered) if _holds(other, covered) else [other]
        zones = _largest(parts)
    return found


def _covered(value: int, epsilon: Fraction) -> int:
    """The least value that is covered by this one: it is at most that share of it smaller."""
    return ceil(value / (1 + epsilon if value > 0 else 1 - epsilon))


def _holds(zone: Zone, point: Sequence[int]) -> bool:
    return all(bound is None or value < bound for bound, value in zip(zone, point, strict=True))


def _parts(zone: Zone, point: Sequence[int]) -> list[Zone]:
    """What a zone is without all that is nowhere below a point."""
    return [(*zone[:place], value, *zone[place + 1 :]) for place, value in enumerate(point)]


def _largest(zones: list[Zone]) -> list[Zone]:
    """The zones that lie in no other one."""
    kept: list[Zone] = []
    for zone in dict.fromkeys(zones):
        if not any(_within(zone, other) for other in kept):
            kept = [other for other in kept if not _within(other, zone)]
            kept.append(zone)
    return kept


def _within(zone: Zone, other: Zone) -> bool:
    pairs = zip(zone, other, strict=True)
    return all(most is None or (bound is not None and bound <= most) for bound, most in pairs)
