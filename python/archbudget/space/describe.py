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
"""The columns of the table that are aligned to the left; all others hold numbers that are compared."""


class Stage(NamedTuple):
    """A decision where the networks of a space meet it; one decision may have several stages on different paths."""

    decision: str
    """The name of the decision."""
    values: int
    """How many values it has."""
    nodes: int
    """How many states there are that the rest of a network can tell apart."""
    arcs: int
    """One for each node and value, those included that lead to no network."""
    stored: bool
    """Whether the arcs are kept; if not, they are found again each time that they are asked for."""


@dataclass(frozen=True)
class Description:
    """What the decision diagram of a space looks like; as text it is a table of the stages and their totals."""

    decisions: int
    """How many decisions the space has."""
    layers: int
    """How many layers its networks are made of."""
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
        """All of it, for machines."""
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
