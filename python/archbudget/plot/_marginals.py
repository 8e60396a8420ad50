"""How often each value of each decision occurs, as a heat map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from archbudget._extras import imported
from archbudget._guard import guarded
from archbudget.plot._style import FREQUENT, NEVER, RARE, layout, percent, require
from archbudget.space.feasible import FeasibleSet, Marginals

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

CELLS = 64
"""The most cells in a row of a heat map; neighbouring values share a cell where there are more."""


@guarded
def marginals(source: FeasibleSet | Marginals, *, name: str | None = None) -> Figure:
    """A heat map of how often each value of each decision occurs among the networks that fit a budget.

    A row is a decision, its cells are its values in their order, each with its share of the networks. A cell is the
    darker, the more frequent its value is, compared with the most frequent value of the decision; a value that never
    occurs is grey. It costs as much as `FeasibleSet.marginals`.

    Args:
        source: A feasible set, or the marginals of one.
        name: The name of the space, for the title; by default its own, where the source is a set.

    Raises:
        SpaceError: If the source is something else.
        InfeasibleBudgetError: If nothing fits.
        MissingPackageError: If plotly is not installed.

    Example:
        >>> import archbudget as ab
        >>> figure = ab.plot.marginals(ab.spaces.lenet().within(ab.Budget(params=60_000)))
        >>> len(figure.data) > 0
        True
    """
    require(source, (FeasibleSet, Mapping), "marginals", "a FeasibleSet or its Marginals")
    go = imported("plotly.graph_objects", "a plot")

    shares: Mapping[str, Mapping[Any, float]]
    if isinstance(source, FeasibleSet):
        shares, what = source.marginals(), source.budget.describe()
        name = source.space.name if name is None else name
    else:
        shares, what = source, "the budget"
    cells = [cell for name, row in shares.items() for cell in _cells(name, row)]
    figure = go.Figure(
        go.Bar(
            orientation="h",
            y=[cell.decision for cell in cells],
            base=[cell.start for cell in cells],
            x=[cell.width for cell in cells],
            width=0.9,
            marker={"color": [_shade(cell.relative) for cell in cells], "line": {"width": 1.5, "color": "white"}},
            text=[cell.label for cell in cells],
            texttemplate="%{text}<br>%{customdata}",
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            customdata=[percent(cell.share) for cell in cells],
            hovertemplate="%{y} = %{text}<br>%{customdata} of the networks<extra></extra>",
        )
    )
    subtitle = "the darker, the more networks have it; grey: none has it"
    if not getattr(shares, "exact", True):
        subtitle += "; rounded"
    figure.update_layout(
        **layout(f"values in the networks that fit {what}", subtitle, name=name),
        height=150 + 48 * max(len(shares), 3),
        barmode="overlay",
        uniformtext={"minsize": 9, "mode": "hide"},
        plot_bgcolor="white",
    )
    figure.update_xaxes(range=[0, 1], showgrid=False, showticklabels=False, zeroline=False)
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category", automargin=True, ticksuffix="  ")
    return figure


class _Cell(NamedTuple):
    """A value of a decision, or neighbouring values, in a row that is 1 wide."""

    decision: str
    label: str
    start: float
    width: float
    share: float
    relative: float
    """The share, where that of the most frequent cell of the row is 1."""


def _cells(decision: str, row: Mapping[Any, float]) -> list[_Cell]:
    values, shares = list(row), list(row.values())
    step = -(-len(values) // CELLS)
    starts = range(0, len(values), step)
    sums = [sum(shares[start : start + step]) for start in starts]
    cells = []
    for number, (start, share) in enumerate(zip(starts, sums, strict=True)):
        part = values[start : start + step]
        label = str(part[0]) if len(part) == 1 else f"{part[0]}..{part[-1]}"
        relative = share / max(sums) if share else 0.0
        cells.append(_Cell(decision, label, number / len(sums), 1 / len(sums), share, relative))
    return cells


def _shade(relative: float) -> str:
    if not relative:
        return NEVER
    mixed = (round(rare + (frequent - rare) * relative) for rare, frequent in zip(RARE, FREQUENT, strict=True))
    return f"rgb({', '.join(map(str, mixed))})"
