"""Draws the decision diagrams of `docs/concepts/diagram.md`, from the diagram of the space on that page.

`make derived` runs it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import archbudget as ab
from archbudget import layers
from archbudget.space.family import compiled

FOLDER = Path(__file__).parents[2] / "docs/concepts"
BOUND = 1_250
"""The budget of the second picture, in params."""

LEFT, TOP, COLUMN, ROW = 70, 40, 190, 110
ALONG = 0.4
"""How far along its curve a label stands."""
STYLE = """\
<style>
text { font: 13px sans-serif; fill: #444; text-anchor: middle }
.title { font-weight: bold }
.node { fill: #fff; stroke: #1a6fb0; stroke-width: 2 }
.arc { fill: none; stroke: #1a6fb0; stroke-width: 1.5 }
.out { stroke: #bbb; stroke-dasharray: 4 4 }
.label { paint-order: stroke; stroke: #fff; stroke-width: 9px; stroke-linejoin: round }
.faint { fill: #999 }
.paper { fill: #fff }
</style>
"""


class Arc(NamedTuple):
    """A choice: from a node to the next one, with the value that is taken and the params that it costs."""

    start: int
    end: int
    value: object
    params: int


def space() -> ab.Space:
    """The space of the page."""
    return ab.Space(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(ab.Choice("filters", [4, 8]), ab.Choice("kernel", [1, 3]), padding="same"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(ab.Choice("units", [64, 128])),
            layers.Dense(10),
        ]
    )


class Diagram:
    """Columns of nodes, the arcs between them, and the numbers at the nodes."""

    def __init__(self, space: ab.Space) -> None:
        stages = space.describe().stages
        names = [stage.decision for stage in stages]
        self.columns = [column for column, stage in enumerate(stages) for _ in range(stage.nodes)] + [len(stages)]
        self.titles = [*names, "complete"]
        diagram = compiled(space).diagram
        params = diagram.metrics().index("params")
        self.arcs = [
            Arc(start, end, space.decisions[names[self.columns[start]]].values[value], cost[params])
            for start, end, value, cost in diagram.arcs(100)
            if end is not None
        ]

    def ways(self) -> list[int]:
        """The networks that each node can still become, by one pass from the last column to the first."""
        ways = [0] * (len(self.columns) - 1) + [1]
        for arc in reversed(self.arcs):
            ways[arc.start] += ways[arc.end]
        return ways

    def inside(self, bound: int) -> set[Arc]:
        """The choices of at least one network with at most this many params."""
        last = len(self.columns) - 1
        before, after = [0] * len(self.columns), [10**9] * last + [0]
        for arc in reversed(self.arcs):
            after[arc.start] = min(after[arc.start], arc.params + after[arc.end])
        before[1:] = [10**9] * last
        for arc in self.arcs:
            before[arc.end] = min(before[arc.end], before[arc.start] + arc.params)
        return {arc for arc in self.arcs if before[arc.start] + arc.params + after[arc.end] <= bound}

    def svg(self, bound: int | None = None) -> str:
        """The picture: numbers in the nodes are ways on, and with a bound what exceeds it is dashed."""
        rows = [self.columns[:node].count(column) for node, column in enumerate(self.columns)]
        most = max(self.columns.count(column) for column in set(self.columns))
        places = [
            (LEFT + COLUMN * column, TOP + ROW * (row + (most - self.columns.count(column)) / 2) + 20)
            for column, row in zip(self.columns, rows, strict=True)
        ]
        inside = set(self.arcs) if bound is None else self.inside(bound)
        width, height = 2 * LEFT + COLUMN * (len(self.titles) - 1), TOP + ROW * most
        lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">', STYLE]
        lines.append(f'<rect class="paper" width="{width}" height="{height}"/>')
        for column, title in enumerate(self.titles):
            lines.append(f'<text class="title" x="{LEFT + COLUMN * column}" y="24">{title}</text>')
        labels = []
        for arc in self.arcs:
            (x, y), (to_x, to_y) = places[arc.start], places[arc.end]
            beside = [other for other in self.arcs if (other.start, other.end) == (arc.start, arc.end)]
            bend = (beside.index(arc) - (len(beside) - 1) / 2) * 64
            middle = ((x + to_x) / 2, (y + to_y) / 2 + bend)
            kind = "arc" if arc in inside else "arc out"
            lines.append(f'<path class="{kind}" d="M{x} {y:g} Q{middle[0]:g} {middle[1]:g} {to_x} {to_y:g}"/>')
            # A point of the curve, nearer to where it begins: what ends in one node meets at its end.
            early, bent, late = (1 - ALONG) ** 2, 2 * ALONG * (1 - ALONG), ALONG**2
            at = (early * x + bent * middle[0] + late * to_x, early * y + bent * middle[1] + late * to_y + 4)
            kind = "label" if arc in inside else "label faint"
            labels.append(f'<text class="{kind}" x="{at[0]:g}" y="{at[1]:g}">{arc.value}: +{arc.params:,}</text>')
        lines += labels
        for (x, y), ways in zip(places, self.ways(), strict=True):
            lines.append(f'<circle class="node" cx="{x}" cy="{y:g}" r="16"/><text x="{x}" y="{y + 5:g}">{ways}</text>')
        return "\n".join([*lines, "</svg>", ""])


def figures() -> dict[str, str]:
    """Each file, and what is in it."""
    diagram = Diagram(space())
    return {"diagram-all.svg": diagram.svg(), "diagram-fits.svg": diagram.svg(BOUND)}


if __name__ == "__main__":
    for name, text in figures().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
