"""What figures have in common: colours, titles, and how numbers are written."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from archbudget._budget import MOST, is_open, text_of
from archbudget._message import show
from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plotly.graph_objects import Figure

    from archbudget._budget import Budget

INSIDE, OUTSIDE, LINE = "#2563a8", "#c3c9d1", "#c0392b"
ARC, TEXT = "#8a949f", "#444444"
NEVER, RARE, FREQUENT = "#e6e8eb", (219, 232, 246), (23, 74, 128)
"""A value that never occurs is grey; any other one has a blue between these two."""

FAR, MARGIN = 3, 0.05
"""A bound is far away beyond this many lengths, or largest values, of what is shown; a share of an axis is margin."""


def require(source: object, types: tuple[type, ...], what: str, takes: str) -> None:
    """Refuses a value that cannot be drawn."""
    if not isinstance(source, types):
        raise SpaceError(f"{what} can be drawn of {takes}, not of {show(source)}")


def mark(figure: Figure, metric: str, ends: tuple[Any, Any], text: str, values: Sequence[float]) -> None:
    """Draws the bounds of a budget, and extends the axis to them; a bound that is very far away is in the text alone.

    Args:
        figure: The figure.
        metric: The metric of the axis.
        ends: Its bounds.
        text: What is written above the bounds.
        values: What the figure shows on this axis.
    """
    low, high = ends
    drawn = [*([] if is_open(metric, low) else [low]), *([] if high == MOST else [high])]
    is_log = figure.layout.xaxis.type == "log"
    at = {end: math.log10(max(end, 1)) if is_log else float(end) for end in (*drawn, *values)}
    first, last = (at[of(values)] if len(values) else at[of(drawn)] for of in (min, max))
    room = FAR * max(last - first, 1 / FAR if is_log else abs(last))
    near = [end for end in drawn if first - room <= at[end] <= last + room]
    first, last = min([first, *map(at.__getitem__, near)]), max([last, *map(at.__getitem__, near)])
    margin = MARGIN * (last - first or 1)
    figure.update_xaxes(range=[first - margin, last + margin])
    for end in drawn:
        figure.add_vline(x=float(end), line={"color": LINE, "width": 1.5, "dash": "dash"})
    x = at[near[-1]] if near else last if at[drawn[-1]] > last else first
    figure.add_annotation(x=x, y=1, yref="paper", yanchor="bottom", text=text, showarrow=False, font={"color": LINE})


def bounds_text(budget: Budget | None) -> str:
    """All bounds of a budget, for the line under a title."""
    return "" if budget is None else f"budget: {budget.describe()}"


def layout(title: str, subtitle: str = "", *, name: str | None = None) -> dict[str, Any]:
    if not (name is None or isinstance(name, str)):
        raise SpaceError(f"the name of what is drawn must be text, not {show(name)}")
    return {
        "title": {
            "text": f"{name}: {title}" if name else title,
            "subtitle": {"text": subtitle},
            "x": 0.02,
            "xanchor": "left",
        },
        "template": "plotly_white",
        "font": {"family": "Helvetica, Arial, sans-serif", "size": 14},
        "margin": {"t": 100},
    }


def range_text(metric: str, low: Any, high: Any) -> str:
    if is_open(metric, low):
        return f"<= {text_of(high)}"
    return f">= {text_of(low)}" if high == MOST else f"{text_of(low)} to {text_of(high)}"


def percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def short(number: int) -> str:
    return f"{number:,}" if number < 10**12 else f"{number:.3g}"
