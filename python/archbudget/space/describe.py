"""What the decision diagram of a space looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from archbudget._message import grouped
from archbudget.errors import LimitError
from archbudget.space.family import compiled

if TYPE_CHECKING:
    from archbudget.space.family import Family


TEXTS = 3
"""This many columns of the table are aligned to the left; the others hold numbers."""


class Stage(NamedTuple):
    """A decision at the point where networks reach it; one decision may have several stages on different paths.

    Example:
        >>> import archbudget as ab
        >>> first = ab.spaces.lenet().describe().stages[0]
        >>> first.decision, first.nodes
        ('k1', 1)
    """

    decision: str
    """The name of the decision."""
    values: int
    """How many values it has."""
    nodes: int
    """How many states the rest of a network can tell apart."""
    arcs: int
    """One for each node and value, including those that lead to no network."""
    stored: bool
    """Whether the arcs are stored; if not, they are computed each time they are needed."""


@dataclass(frozen=True)
class Description:
    """What the decision diagram of a space looks like; printed, it is a table of the stages and their totals.

    It holds numbers only and never changes; its methods take O(stages).

    Example:
        >>> import archbudget as ab
        >>> described = ab.spaces.lenet().describe()
        >>> described.size, len(described.stages), described.heading
        (73728, 5, '73,728 networks of 73,728 combinations; 5 decisions, 10 layers')
    """

    decisions: int
    """How many decisions the space has."""
    layers: int
    """How many layers the description has."""
    combinations: int
    """How many combinations of values there are."""
    size: int | None
    """How many distinct networks can be built; `None` where the diagram is too wide to count them."""
    stages: tuple[Stage, ...]
    """The stages in their order."""
    memory: int
    """The bytes that nodes and arcs take."""

    @property
    def nodes(self) -> int:
        """How many nodes all stages have."""
        return sum(stage.nodes for stage in self.stages)

    @property
    def arcs(self) -> int:
        """How many arcs all stages have."""
        return sum(stage.arcs for stage in self.stages)

    @property
    def heading(self) -> str:
        """The space in one line."""
        size = "too many networks to be counted" if self.size is None else f"{_number(self.size, 'network')}"
        return (
            f"{size} of {_number(self.combinations, 'combination')}; {_number(self.decisions, 'decision')}, "
            f"{_number(self.layers, 'layer')}"
        )

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The table of the stages, beginning with its titles."""
        cells = [
            (
                str(number),
                each.decision,
                "stored" if each.stored else "implicit",
                *(f"{count:,}" for count in each[1:4]),
            )
            for number, each in enumerate(self.stages)
        ]
        return [("stage", "decision", "arcs are", "values", "nodes", "arcs"), *cells]

    @property
    def totals(self) -> str:
        """The totals in one line."""
        return (
            f"{_number(len(self.stages), 'stage')}, {_number(self.nodes, 'node')}, {_number(self.arcs, 'arc')}, "
            f"{_number(self.memory, 'byte')}"
        )

    def to_dict(self) -> dict[str, Any]:
        """The whole description as a dict of numbers, texts and lists, ready for JSON."""
        return {
            "size": self.size,
            "combinations": self.combinations,
            "decisions": self.decisions,
            "layers": self.layers,
            "nodes": self.nodes,
            "arcs": self.arcs,
            "memory": self.memory,
            "stages": [stage._asdict() for stage in self.stages],
        }

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(*self.rows, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if column < TEXTS else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in self.rows
        ]
        return "\n".join([self.heading, *lines, self.totals])


def describe(space: Family) -> Description:
    """What the decision diagram of a space looks like."""
    names = list(space.decisions)
    diagram = compiled(space).diagram
    stages = [
        Stage(names[decision], len(space.decisions[names[decision]].values), nodes, arcs, stored)
        for decision, nodes, arcs, stored in diagram.stages()
    ]
    try:
        size = space.size
    except LimitError:
        size = None
    return Description(
        decisions=len(names),
        layers=len(space.layer_names),
        combinations=space.combinations,
        size=size,
        stages=tuple(stages),
        memory=diagram.memory(),
    )


def _number(count: int, what: str) -> str:
    return f"{grouped(count)} {what}{'' if count == 1 else 's'}"
