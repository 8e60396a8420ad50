"""What figures have in common: colours, titles, and how numbers are written."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from archbudget._budget import MOST
from archbudget._message import show
from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

INSIDE, OUTSIDE, LINE = "#2563a8", "#c3c9d1", "#c0392b"
ARC, TEXT = "#8a949f", "#444444"
NEVER, RARE, FREQUENT = "#e6e8eb", (219, 232, 246), (23, 74, 128)
"""A value that never occurs is grey; any other one has a blue between these two."""


def require(source: object, types: tuple[type, ...], what: str, takes: str) -> None:
    """Refuses a value that cannot be drawn."""
    if not isinstance(source, types):
        raise SpaceError(f"{what} can be drawn of {takes}, not of {show(source)}")


def mark(figure: Figure, low: int, high: int, text: str) -> None:
    """Draws the bounds of a budget."""
    ends = [end for end, left_open in ((low, 0), (high, MOST)) if end != left_open]
    for end in ends:
        figure.add_vline(x=end, line={"color": LINE, "width": 1.5, "dash": "dash"})
    x = math.log10(ends[-1]) if figure.layout.xaxis.type == "log" else ends[-1]
    figure.add_annotation(x=x, y=1, yref="paper", yanchor="bottom", text=text, showarrow=False, font={"color": LINE})


def layout(title: str, subtitle: str = "") -> dict[str, Any]:
    return {
        "title": {"text": title, "subtitle": {"text": subtitle}, "x": 0.02, "xanchor": "left"},
        "template": "plotly_white",
        "font": {"family": "Helvetica, Arial, sans-serif", "size": 14},
        "margin": {"t": 100},
    }


def title_of(metric: str) -> str:
    return {"macs": "MACs"}.get(metric, metric.replace("_", " "))


def range_text(low: int, high: int) -> str:
    if low == 0:
        return f"<= {high:,}"
    return f">= {low:,}" if high == MOST else f"{low:,} to {high:,}"


def percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def short(number: int) -> str:
    return f"{number:,}" if number < 10**12 else f"{number:.3g}"
