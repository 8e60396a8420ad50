"""How many networks fit which budgets, as a heat map."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from archbudget._budget import BUILT_IN, MOST, Budget, is_open, text_of, title_of
from archbudget._extras import imported
from archbudget._guard import guarded
from archbudget._message import show
from archbudget.errors import BudgetError, SpaceError
from archbudget.plot._style import FREQUENT, LINE, NEVER, RARE, bounds_text, layout, percent, require, short
from archbudget.space.bounds import Bounds
from archbudget.space.description import check_metrics
from archbudget.space.grid import CountGrid
from archbudget.space.space import Space

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plotly.graph_objects import Figure

STEPS = 10
"""The bounds of each metric, where a space is given."""

FINE = 16
"""A grid of at most this many cells on each side has its shares written into them."""


@guarded
def budgets(
    source: Space | CountGrid,
    budget: Budget | None = None,
    *,
    metrics: Sequence[str] = ("params", "macs"),
    name: str | None = None,
) -> Figure:
    """A heat map of how many networks fit which budgets: upper bounds of one metric across, of another one up.

    A cell is the darker, the more networks fit, on a logarithmic scale; it is grey where none does. It has the number,
    or its bounds, when it is pointed at.

    Args:
        source: A grid of two metrics, from [`Space.count_grid`][archbudget.Space.count_grid]; or a space, of which the
            budgets are counted that keep a tenth of it, two tenths, ... by each metric alone.
            That costs what a grid of some 100 budgets does.
        budget: A budget, whose upper bounds of the two metrics are marked.
        metrics: The two metrics, where a space is given.
        name: The name of the space, for the title; by default its own, where a space is given.

    Raises:
        SpaceError: If the source is something else, or there is no such metric.
        BudgetError: If a grid has not two metrics, or a range in it has a lower bound.
        LimitError: If the space is too wide to be counted.
        MissingPackageError: If plotly is not installed.

    Example:
        >>> import archbudget as ab
        >>> grid = ab.spaces.lenet().count_grid(params=[20_000, 60_000], macs=[1_000_000, 5_000_000])
        >>> len(ab.plot.budgets(grid).data) > 0
        True
    """
    require(source, (Space, CountGrid), "budgets", "a Space or a CountGrid")
    go = imported("plotly.graph_objects", "a plot")

    if not (budget is None or isinstance(budget, Budget)):
        raise SpaceError(f"the budget of a heat map must be a Budget, not {show(budget)}")
    grid = _grid(source, metrics, budget or {}) if isinstance(source, Space) else source
    if isinstance(source, Space) and name is None:
        name = source.name
    if len(grid.metrics) != 2:
        raise BudgetError(f"a heat map has two metrics, and this grid {len(grid.metrics)}: {', '.join(grid.metrics)}")
    for metric, ranges in grid.ranges.items():
        if not all(is_open(metric, low) for low, _ in ranges):
            raise BudgetError(f"a heat map has upper bounds, and the {metric} of this grid have lower ones, too")
    across, up = grid.metrics
    # Ascending, each once, whatever the order of the grid is.
    columns, rows = (
        sorted({high: place for place, (_, high) in reversed(list(enumerate(ranges)))}.items())
        for ranges in grid.ranges.values()
    )
    counts = [[grid[column, row] for _, column in columns] for _, row in rows]
    shares = [[_share(count, grid.size) for count in line] for line in counts]
    least = min((share for line in shares for share in line if share), default=1.0)
    is_fine = max(len(columns), len(rows)) <= FINE
    figure = go.Figure(
        go.Heatmap(
            x=[_bound(high) for high, _ in columns],
            y=[_bound(high) for high, _ in rows],
            z=[[math.log10(share) if share else None for share in line] for line in shares],
            zmin=math.log10(least) if least < 1 else -1,
            zmax=0,
            text=[[percent(share) if share else "0" for share in line] for line in shares],
            texttemplate="%{text}" if is_fine else None,
            customdata=[
                [[f"{count:,}", percent(share)] for count, share in zip(*line, strict=True)]
                for line in zip(counts, shares, strict=True)
            ],
            hovertemplate=(
                f"{title_of(across)} <= %{{x}}<br>{title_of(up)} <= %{{y}}<br>%{{customdata[0]}} networks, "
                "%{customdata[1]}<extra></extra>"
            ),
            colorscale=[[0, _rgb(RARE)], [1, _rgb(FREQUENT)]],
            colorbar={"title": {"text": "share"}, "tickprefix": "10^", "dtick": 1},
            xgap=1,
            ygap=1,
        )
    )
    inexact = "" if grid.exact else "; rounded"
    figure.update_layout(
        **layout(f"networks of {short(grid.size)} that fit", f"upper bounds of both metrics{inexact}", name=name),
        xaxis_title=f"{title_of(across)}, at most",
        yaxis_title=f"{title_of(up)}, at most",
        plot_bgcolor=NEVER,
        height=max(420, 160 + 32 * len(rows)),
    )
    figure.update_xaxes(type="category", showgrid=False)
    figure.update_yaxes(type="category", showgrid=False, automargin=True)
    if budget is not None:
        figure.update_layout(title_subtitle_text=f"{figure.layout.title.subtitle.text}; {bounds_text(budget)}")
        for metric, ends, line in ((across, columns, figure.add_vline), (up, rows, figure.add_hline)):
            high = budget.get(metric, (0, MOST))[1]
            if high != MOST:
                # Behind the last bound that it reaches: cells are one apart, and 0 is in the middle of the first.
                at = sum(end <= high for end, _ in ends) - 0.5
                line(at, line={"color": LINE, "width": 1.5, "dash": "dash"})
    return figure


def _grid(space: Space, metrics: Sequence[str], budget: Mapping[str, tuple[int, int]]) -> CountGrid:
    """The grid of the quantiles of two metrics, and the upper bounds of a budget."""
    if isinstance(metrics, str) or len(metrics) != 2 or metrics[0] == metrics[1]:
        raise SpaceError(f"a heat map has two different metrics, not {show(metrics)}")
    check_metrics(space.metrics, metrics)
    bounds: dict[str, Any] = {}
    for metric in metrics:
        distribution = space.distribution(metric)
        ends = {distribution.quantile(step / STEPS) for step in range(1, STEPS + 1)}
        ends = {max(1, end) for end in ends} if metric in BUILT_IN else ends
        high = budget.get(metric, (0, MOST))[1]
        ends |= set() if high == MOST else {high}
        bounds[metric] = sorted(ends)
    return space.count_grid(**bounds)


def _share(count: Any, size: int) -> float:
    """A number of networks, or the middle of its bounds, of all; the integers may be beyond what a float holds."""
    twice: int = count.lower + count.upper if isinstance(count, Bounds) else 2 * count
    return twice / (2 * size)


def _bound(high: Any) -> str:
    return "any" if high == MOST else text_of(high)


def _rgb(color: tuple[int, int, int]) -> str:
    return f"rgb({', '.join(map(str, color))})"
