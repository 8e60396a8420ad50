"""The decision diagram of a small space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archbudget._budget import title_of
from archbudget._extras import imported
from archbudget._guard import guarded
from archbudget.errors import LimitError
from archbudget.plot._style import ARC, INSIDE, LINE, NEVER, TEXT, layout, require, short
from archbudget.space.family import compiled
from archbudget.space.space import Space

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plotly.graph_objects import Figure

    from archbudget.space.describe import Stage

MOST_NODES, MOST_ARCS = 200, 2000
"""The largest diagram that is drawn."""
LABELS = 60
"""The most lines of a diagram that are labelled; otherwise their values are only shown under the pointer."""
LABELS_AT = (0.25, 0.5)
"""The positions along the lines of a node of the first and the last label, which differ so that labels do not meet."""
SHOWN = 12
"""The most choices of a line that are listed under the pointer."""
CURVE = 24
"""The number of pieces of a curved line."""
TALLEST = 1500
"""The most pixels that the nodes of a column take."""


@guarded
def diagram(space: Space, *, name: str | None = None) -> Figure:
    """The decision diagram of a small space: a column for each stage, a point for each node, a line for each choice.

    Choices that lead from one node to the same next one share a line; their costs are shown under the pointer. A path
    from left to right is a network. Choices that cannot be built are dotted and end in a cross. O(arcs).

    Args:
        space: A space whose diagram has at most 200 nodes and 2,000 arcs.
        name: The name of the space, for the title; by default its own.

    Raises:
        LimitError: If the diagram is larger.
        SpaceError: If it is not a space.
        MissingPackageError: If plotly is not installed.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> space = ab.Space([layers.Input((4,)), layers.Dense(ab.Choice("units", [8, 16]))])
        >>> figure = ab.plot.diagram(space)
        >>> len(figure.data) > 0
        True
    """
    require(space, (Space,), "a diagram", "a Space")
    go = imported("plotly.graph_objects", "a plot")

    described = space.describe()
    if described.nodes > MOST_NODES or described.arcs > MOST_ARCS:
        raise LimitError(
            f"the diagram has {described.nodes:,} nodes and {described.arcs:,} arcs, and a picture shows at most "
            f"{MOST_NODES:,} and {MOST_ARCS:,}: space.describe() lists its stages"
        )
    drawing = _Drawing(space, described.stages)
    figure = go.Figure()
    for is_dead in (False, True):
        lines = [line for line in drawing.lines if line.is_dead == is_dead]
        color = LINE if is_dead else ARC
        figure.add_trace(
            go.Scatter(
                x=[x for line in lines for x in (*(x for x, _ in line.points), None)],
                y=[y for line in lines for y in (*(y for _, y in line.points), None)],
                mode="lines",
                line={"color": color, "width": 1.2, "dash": "dot" if is_dead else "solid"},
                hoverinfo="skip",
            )
        )
        figure.add_trace(
            go.Scatter(
                x=[line.label_at[0] for line in lines],
                y=[line.label_at[1] for line in lines],
                mode="markers+text" if len(drawing.lines) <= LABELS else "markers",
                text=[f" {line.label} " for line in lines],
                textposition="middle right" if is_dead else "top center",
                textfont={"size": 11, "color": LINE if is_dead else TEXT},
                marker={
                    "symbol": "x-thin" if is_dead else "circle",
                    "size": 7 if is_dead else 3,
                    "color": color,
                    "line": {"width": 1.5 if is_dead else 0, "color": color},
                },
                customdata=[line.hover for line in lines],
                hovertemplate="%{customdata}<extra></extra>",
            )
        )
    figure.add_trace(
        go.Scatter(
            x=[x for x, _ in drawing.positions],
            y=[y for _, y in drawing.positions],
            mode="markers",
            marker={
                "size": 14,
                "color": [INSIDE if count else NEVER for count in drawing.networks],
                "line": {"width": 1.5, "color": "white"},
            },
            customdata=drawing.hovers,
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    size = f"{short(space.size)} network{'' if space.size == 1 else 's'}"
    has_dead = any(line.is_dead for line in drawing.lines)
    figure.update_layout(
        **layout(
            f"{size}, each a path from left to right",
            f"{described.totals.rpartition(', ')[0]}{'; dotted: what cannot be built' if has_dead else ''}",
            name=space.name if name is None else name,
        ),
        height=260 + min(42 * drawing.tallest, TALLEST),
        showlegend=False,
        plot_bgcolor="white",
        hoverlabel={"align": "left"},
    )
    titles = [*(stage.decision for stage in described.stages), "complete"]
    figure.update_xaxes(
        tickvals=list(range(len(titles))),
        ticktext=titles,
        range=[-0.4, len(titles) - 0.6],
        showgrid=False,
        zeroline=False,
        side="bottom",
    )
    figure.update_yaxes(visible=False)
    return figure


class _Line(NamedTuple):
    """The choices of a node that lead to the same next node, or that cannot be built."""

    points: list[tuple[float, float]]
    label: str
    label_at: tuple[float, float]
    hover: str
    is_dead: bool


class _Drawing:
    """The positions of the nodes and arcs of a diagram. The last node is the complete network."""

    def __init__(self, space: Space, stages: Sequence[Stage]) -> None:
        arcs, metrics = compiled(space).diagram.arcs(MOST_ARCS), compiled(space).diagram.metrics()
        columns = [column for column, stage in enumerate(stages) for _ in range(stage.nodes)] + [len(stages)]
        self.tallest = max((stage.nodes for stage in stages), default=1)
        self.networks = [0] * (len(columns) - 1) + [1]
        """The number of completions of each node."""
        for start, end, _, _ in reversed(arcs):
            self.networks[start] += 0 if end is None else self.networks[end]
        before: list[list[int]] = [[] for _ in columns]
        for start, end, _, _ in arcs:
            if end is not None:
                before[end].append(start)
        heights: list[float] = []
        first = 0
        for size in [*(stage.nodes for stage in stages), 1]:
            # Each node is placed near those that lead to it.
            nodes = range(first, first + size)
            wanted = {node: sum(heights[each] for each in before[node]) / max(len(before[node]), 1) for node in nodes}
            order = {node: rank for rank, node in enumerate(sorted(nodes, key=lambda node: (-wanted[node], node)))}
            heights += [(size - 1) / 2 - order[node] for node in nodes]
            first += size
        self.positions = [(float(column), height) for column, height in zip(columns, heights, strict=True)]
        decisions = [space.decisions[stage.decision] for stage in stages]
        self.hovers = [
            f"node {node}: {stages[columns[node]].decision}<br>{self.networks[node]:,} ways on"
            for node in range(len(columns) - 1)
        ] + ["the network is complete"]
        joined: dict[tuple[int, int | None], list[tuple[int, list[int]]]] = {}
        for start, end, value, cost in arcs:
            joined.setdefault((start, end), []).append((value, cost))
        self.lines = []
        alive = [sum(end is not None for begin, end in joined if begin == start) for start in range(len(columns))]
        drawn = [0] * len(columns)
        for (start, end), choices in joined.items():
            share = drawn[start] / max(alive[start] - 1, 1)
            drawn[start] += end is not None
            points = self._points(start, end)
            decision, name = decisions[columns[start]], stages[columns[start]].decision
            rows = [
                f"{name} = {decision.values[value]}: {'cannot be built' if end is None else _costs(metrics, cost)}"
                for value, cost in choices[:SHOWN]
            ]
            more = [f"... and {len(choices) - SHOWN:,} more"] if len(choices) > SHOWN else []
            self.lines.append(
                _Line(
                    points,
                    label=_values([value for value, _ in choices], decision.values),
                    label_at=points[-1] if end is None else _along(points, share),
                    hover="<br>".join([*rows, *more]),
                    is_dead=end is None,
                )
            )

    def _points(self, start: int, end: int | None) -> list[tuple[float, float]]:
        x, y = self.positions[start]
        if end is None:
            return [(x, y), (x + 0.25, y - 0.4)]
        to_x, to_y = self.positions[end]
        if to_x - x <= 1:
            return [(x, y), (to_x, to_y)]
        # It passes other columns, so it is curved to avoid their nodes.
        bend = 0.5 + 0.5 * self.tallest * (to_x - x - 1) / (to_x - x)
        steps = [step / CURVE for step in range(CURVE + 1)]
        return [(x + t * (to_x - x), y + t * (to_y - y) + 4 * t * (1 - t) * bend) for t in steps]


def _along(points: Sequence[tuple[float, float]], share: float) -> tuple[float, float]:
    """The position of the label of a line, by the share of the lines of its node that come before it."""
    low, high = LABELS_AT
    part = low + share * (high - low)
    if len(points) > 2:
        return points[round(part * (len(points) - 1))]
    (x, y), (to_x, to_y) = points
    return x + part * (to_x - x), y + part * (to_y - y)


def _values(indices: Sequence[int], values: Sequence[Any]) -> str:
    """Values by their ascending indices, as a short text."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    texts = [
        f"{values[run[0]]}..{values[run[-1]]}" if len(run) > 3 else ", ".join(str(values[index]) for index in run)
        for run in runs
    ]
    return ", ".join(texts if len(texts) <= 4 else [*texts[:3], "..."])


def _costs(metrics: Sequence[str], cost: Sequence[int]) -> str:
    return ", ".join(f"{title_of(metric)} {each:,}" for metric, each in zip(metrics, cost, strict=True))
