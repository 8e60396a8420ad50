"""Spaces, sets, batches and distributions as HTML, for notebooks: nothing here takes longer than a blink, or raises."""

from __future__ import annotations

from bisect import bisect_right
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from archbudget._markup import Markup, bar, division, histogram, html, paragraph, table
from archbudget._message import grouped, show
from archbudget.errors import ArchbudgetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from archbudget._expressions import Decision

T = TypeVar("T")

BINS = 60
"""The most columns of a picture."""
MOST_ROWS = 100
"""The most decisions that are shown."""
MOST_VALUES = 12
"""The most values of one decision that have bars."""
FEW_ARCS = 5_000
"""The ranges of spaces of at most this many arcs are looked for where they are shown."""
FEW_NETWORKS = 10**6
"""Spaces of at most this many combinations are shown with a picture."""
FEW_COMBINATIONS = 10**8
"""Sets are counted where they are shown if their spaces have, beside few arcs, at most this many combinations."""


def shown(function: Callable[[T], str]) -> Callable[[T], str]:
    """A `_repr_html_` that shows the `repr` where it fails: what is displayed must not raise."""

    @wraps(function)
    def displayed(own: T) -> str:
        try:
            return function(own)
        except ArchbudgetError:
            return division(paragraph(repr(own)))

    return displayed


def space_html(
    heading: str, decisions: Mapping[str, Decision], ranges: Mapping[str, tuple[int, int]], picture: Markup | None
) -> str:
    """A space: its decisions, and the range of each metric where it is known, with a picture of one of them."""
    rows = [(name, show(each), f"{len(each.values):,}") for name, each in list(decisions.items())[:MOST_ROWS]]
    metrics = [(metric, f"{low:,}", f"{high:,}") for metric, (low, high) in ranges.items()]
    return division(
        paragraph(heading),
        table(("decision", "values", "number"), rows, left=2) if rows else None,
        _more(len(decisions) - MOST_ROWS, "decisions"),
        table(("metric", "smallest", "largest"), metrics) if metrics else None,
        None if picture is None else paragraph("how params are distributed:", picture),
    )


def set_html(heading: str, count: str, shares: Mapping[str, Mapping[Any, float]]) -> str:
    """A set: how many networks it has, and how often each value occurs among them, where that is known."""
    rows: list[tuple[Markup | str, ...]] = []
    for name, own in list(shares.items())[:MOST_ROWS]:
        rows += [
            (name if not place else "", str(value), bar(share))
            for place, (value, share) in enumerate(list(own.items())[:MOST_VALUES])
        ]
        if len(own) > MOST_VALUES:
            rows.append(("", f"{len(own) - MOST_VALUES:,} more values", ""))
    return division(
        paragraph(heading),
        paragraph(count) if count else None,
        table(("decision", "value", "share of the networks that fit"), rows, left=3) if rows else None,
        _more(len(shares) - MOST_ROWS, "decisions"),
    )


def batch_html(heading: str, columns: Mapping[str, Sequence[Any]], rows: int, left: int) -> str:
    """The first rows of a batch."""
    cells = [tuple(str(column[row]) for column in columns.values()) for row in range(rows)]
    return division(paragraph(heading), table(tuple(columns), cells, left=0), _more(left, "candidates"))


def distribution_picture(heading: str, values: Sequence[int], counts: Sequence[int], ends: tuple[str, str]) -> Markup:
    """A picture of a distribution.

    Args:
        heading: What it is.
        values: The values, ascending, as the engine counts them.
        counts: The number of networks that have each.
        ends: The smallest and the largest value that a network may have, as texts.
    """
    low, high = values[0], values[-1]
    bins = min(BINS, high - low + 1)
    # In integers: counts may have hundreds of digits, and values 63 bits.
    edges = [low + (high - low + 1) * place // bins for place in range(1, bins)]
    sums = [0] * bins
    for value, count in zip(values, counts, strict=True):
        sums[bisect_right(edges, value)] += count
    most = max(sums)
    heights = [10_000 * each // most / 10_000 for each in sums]
    return histogram(heights, *ends, heading)


def number_text(count: int, what: str) -> str:
    """A number of things."""
    return f"{grouped(count)} {what}"


def _more(left: int, what: str) -> Markup | None:
    return paragraph(html(f"{left:,} more {what}")) if left > 0 else None


def few_arcs(stages: Iterable[tuple[int, int, int, bool]]) -> bool:
    """Whether a diagram is so small that counting it takes no time worth mentioning."""
    return sum(arcs for _, _, arcs, _ in stages) <= FEW_ARCS
