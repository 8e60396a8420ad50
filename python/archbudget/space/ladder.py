"""Ladders: networks of one space for a row of sizes."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Literal

from archbudget._budget import Budget
from archbudget._expressions import builtin
from archbudget._guard import guarded
from archbudget._message import show
from archbudget.errors import BudgetError
from archbudget.space.family import compiled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from archbudget.space.architecture import Architecture
    from archbudget.space.space import Space

RUNGS = 10_000
"""The most sizes of a ladder."""

LARGEST = 2.0**62


@guarded
def ladder(
    space: Space,
    *,
    tolerance: float = 0.05,
    score: str | None = None,
    prefer: Literal["largest", "smallest"] = "largest",
    budget: Budget | None = None,
    **targets: Iterable[float],
) -> list[Architecture]:
    """For each size of a row the network of a space that comes closest to it, or the best one near it.

    It counts exactly, and builds and enumerates no network. A ladder of one shape, such as a width of 64 for each
    block, is that of a space with this condition, `layers.Require(width == 64 * depth)`, or of one whose width is an
    expression of the depth.

    Args:
        space: The space.
        tolerance: How far a network may be from its size, as a share of it, from 0 to below 1.
        score: The metric that tells which of the networks within the tolerance is taken; without one, that of the size
            itself: the closest network.
        prefer: Whether the largest or the smallest score is the best.
        budget: What all networks must keep beside.
        targets: One metric and its sizes: `params=[10e6, 30e6, 100e6]`.

    Returns:
        A network for each size, in their order.

    Raises:
        BudgetError: If not one metric is given, a size or the tolerance is no such number, or nothing of the space is
            within the tolerance of a size.
        LimitError: As for `FeasibleSet.largest`.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.transformer()
        >>> [arch.params for arch in ab.ladder(space, params=[20e6, 50e6, 100e6])]
        [19998976, 50049408, 100086528]
    """
    if not callable(getattr(space, "within", None)):
        raise BudgetError(f"a ladder is made of a Space, not of {show(space)}")
    if len(targets) != 1:
        raise BudgetError(f"a ladder needs the sizes of one metric, such as params=[10e6, 30e6], not of {len(targets)}")
    ((metric, given),) = targets.items()
    share = builtin(tolerance)
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share < 1:
        raise BudgetError(f"tolerance must be a number from 0 to below 1, not {show(tolerance)}")
    if prefer not in ("largest", "smallest"):
        raise BudgetError(f"prefer must be 'largest' or 'smallest', not {show(prefer)}")
    if budget is not None and not isinstance(budget, Budget):
        raise BudgetError(f"budget must be a Budget, not {show(budget)}")
    if not hasattr(given, "__iter__") or isinstance(given, (str, bytes)):
        raise BudgetError(f"{metric}: a ladder needs a list of sizes, not {show(given)}")
    sizes: list[float] = []
    for size in given:
        number = builtin(size)
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 < number < LARGEST:
            raise BudgetError(f"{metric}: a size must be a number above 0, not {show(size)}")
        if len(sizes) == RUNGS:
            raise BudgetError(f"a ladder has at most {RUNGS:,} sizes")
        sizes.append(number)
    return [_rung(space, metric, size, share, score, prefer, budget) for size in sizes]


def _rung(
    space: Space, metric: str, size: float, tolerance: float, score: str | None, prefer: str, budget: Budget | None
) -> Architecture:
    """The network of one size."""
    away = Fraction(size) * Fraction(repr(tolerance))  # 0.05 is five hundredths, which a float is not.
    low, high = size - away, size + away
    if compiled(space).unit(metric).is_whole:
        low, high = ceil(low), floor(high)
    bounds = dict(budget or {})
    least, most = bounds.get(metric, (low, high))
    bounds[metric] = max(low, least), min(high, most)
    fits = space.within(Budget.of(bounds)) if bounds[metric][0] <= bounds[metric][1] else None
    if fits is None or fits.is_empty():
        near = _nearest(space, metric, size)
        raise BudgetError(f"no network has {metric} within {tolerance:.2%} of {size:,.10g}{near}")
    if score is None:
        return fits.closest(metric, size)
    return fits.largest(score) if prefer == "largest" else fits.smallest(score)


def _nearest(space: Space, metric: str, size: float) -> str:
    """What the space has instead."""
    low, high = space.range(metric)
    if not low <= size <= high:
        return f": the space has {low:,} to {high:,}"
    near = space.within(Budget.of({metric: (low, high)})).closest(metric, size).costs[metric]
    return f": the nearest has {near:,}"
