"""How a metric is distributed, as a histogram."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from archbudget._budget import MOST, Budget, Metrics, least_of, title_of
from archbudget._extras import imported
from archbudget._guard import guarded
from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.plot._style import (
    INSIDE,
    OUTSIDE,
    bounds_text,
    layout,
    mark,
    percent,
    range_text,
    require,
    short,
)
from archbudget.space.candidates import Candidates
from archbudget.space.description import check_metrics
from archbudget.space.distribution import Distribution
from archbudget.space.evaluation import evaluate
from archbudget.space.space import Space

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plotly.graph_objects import Figure

BARS = 120
"""The number of bars of a histogram, beside one or two that a budget adds."""


@guarded
def distribution(
    source: Space | Distribution | Candidates,
    budget: Budget | None = None,
    *,
    metric: str | None = None,
    name: str | None = None,
) -> Figure:
    """A histogram of a metric over the networks of a space, or over candidates.

    It costs as much as `Space.distribution` for a space, and O(N * D) for N candidates.

    Args:
        source: A space, a distribution of it, or candidates.
        budget: A budget; bars within its bounds of the metric are highlighted, and all its bounds are under the title.
        metric: The name of the metric; by default that of the distribution, the first one of the budget, or params.
        name: The name of the space, for the title; by default its own, where the source leads to it.

    Raises:
        SpaceError: If the source is something else, or has no candidates; if the metric is unknown, or another one than
            that of the distribution.
        LimitError: If the space is too wide to be counted.
        MissingPackageError: If plotly is not installed.

    Example:
        >>> import archbudget as ab
        >>> figure = ab.plot.distribution(ab.spaces.lenet(), ab.Budget(params=60_000))
        >>> len(figure.data) > 0
        True
    """
    require(source, (Space, Distribution, Candidates), "a distribution", "a Space, a Distribution or Candidates")
    go = imported("plotly.graph_objects", "a plot")

    if not (budget is None or isinstance(budget, Budget)):
        raise SpaceError(f"the budget of a distribution must be a Budget, not {show(budget)}")
    if isinstance(source, Distribution):
        metrics = Metrics([source.metric])
        metric = source.metric if metric is None else metric
    else:
        metrics = source.metrics if isinstance(source, Space) else source.space.metrics
        metric = next(iter(budget or ()), "params") if metric is None else metric
        check_metrics(metrics, budget or ())
    check_metrics(metrics, [metric])
    title = title_of(metric)
    if name is None and not isinstance(source, Distribution):
        name = source.name if isinstance(source, Space) else source.space.name
    exact, what = True, "networks"
    if isinstance(source, Candidates):
        costs = evaluate(source.space, source, [metric])
        values, numbers = np.unique(costs[metric][costs.valid], return_counts=True)
        counts, what = numbers.tolist(), "candidates"
    else:
        found = source.distribution(metric) if isinstance(source, Space) else source
        values, counts, exact = found.values, found.counts, found.exact
    if len(values) == 0:
        raise SpaceError("there are no networks to show the distribution of")
    total = sum(counts)
    everything = (least_of(metric), MOST)
    low, high = everything if budget is None or metric not in budget else budget[metric]
    is_whole = values.dtype == np.int64
    bars = (_bars if is_whole else _fine_bars)(values, counts, low, high)
    figure = go.Figure(
        go.Bar(
            x=[bar.low for bar in bars],
            y=[100 * bar.networks / total for bar in bars],
            width=[bar.high - bar.low for bar in bars],
            offset=0,
            marker={"color": [INSIDE if low <= bar.low <= high else OUTSIDE for bar in bars], "line": {"width": 0}},
            customdata=[
                (_interval(bar) if is_whole else f"{bar.low:,.6g} to {bar.high:,.6g}", f"{bar.networks:,}")
                for bar in bars
            ],
            hovertemplate=f"{title} %{{customdata[0]}}<br>%{{customdata[1]}} {what}<br>%{{y:.3g}} %<extra></extra>",
        )
    )
    figure.update_layout(
        **layout(f"{title} of {short(total)} {what}{'' if exact else ', rounded'}", bounds_text(budget), name=name),
        xaxis_title=title,
        yaxis_title=f"% of the {what}",
        bargap=0,
    )
    figure.update_xaxes(type="log" if _is_wide(values) else "linear", exponentformat="SI")
    if (low, high) != everything:
        inside = sum(bar.networks for bar in bars if low <= bar.low <= high)
        text = f"{range_text(metric, low, high)}: {percent(inside / total)}"
        mark(figure, metric, (low, high), text, [bars[0].low, bars[-1].high])
    return figure


class _Bar(NamedTuple):
    """The number of networks in an interval of costs."""

    low: Any
    high: Any
    """The first cost after the interval."""
    networks: int


def _bars(values: npt.NDArray[np.int64], counts: Sequence[int], low: int, high: int) -> list[_Bar]:
    """The bars of a histogram that are not empty; each is completely inside or outside the bounds."""
    first, end = int(values[0]), int(values[-1]) + 1
    scale = math.log if _is_wide(values) else float
    edges = {end}
    parts = [first, *(bound for bound in (low, high + 1) if first < bound < end), end]
    for start, stop in pairwise(parts):
        number = max(1, round(BARS * (scale(stop) - scale(start)) / (scale(end) - scale(first))))
        for step in range(number):
            ahead = (
                start * (stop / start) ** (step / number) - start
                if scale is math.log
                else (stop - start) * step // number
            )
            edges.add(min(start + round(ahead), stop - 1))
    ordered = sorted(edges)
    starts = np.searchsorted(values, np.array(ordered[:-1], dtype=np.int64)).tolist()
    exact = np.array(counts, dtype=object)  # They may have any number of digits.
    return [
        _Bar(left, right, int(exact[begin:stop].sum()))
        for (left, right), (begin, stop) in zip(pairwise(ordered), pairwise([*starts, len(values)]), strict=True)
        if stop > begin
    ]


def _interval(bar: _Bar) -> str:
    """The integers of a bar as text."""
    return f"{bar.low:,}" if bar.high - bar.low == 1 else f"{bar.low:,} to {bar.high - 1:,}"


def _fine_bars(values: npt.NDArray[np.float64], counts: Sequence[int], low: Any, high: Any) -> list[_Bar]:
    """The same for values that are no integers, or may be negative."""
    first, end = float(values[0]), float(np.nextafter(values[-1], np.inf))
    inner = (float(low), float(np.nextafter(float(high), np.inf)))
    edges = {first, end, *(edge for edge in inner if first < edge < end), *np.linspace(first, end, BARS).tolist()}
    ordered = np.array(sorted(edges))
    places = np.searchsorted(values, ordered).tolist()
    exact = np.array(counts, dtype=object)
    pairs = zip(pairwise(ordered.tolist()), pairwise(places), strict=True)
    return [_Bar(left, right, int(exact[begin:stop].sum())) for (left, right), (begin, stop) in pairs if stop > begin]


def _is_wide(values: npt.NDArray[np.int64]) -> bool:
    """Whether a logarithmic axis shows costs better."""
    return bool(values[0] > 0 and values[-1] // values[0] >= 50)
