"""Blocks that several families share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget.layers import Add, Concatenate, Multiply
from archbudget.layers._base import Block
from archbudget.layers._structure import as_block

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archbudget.layers._base import Guard, Sink
    from archbudget.layers._structure import BlockLike


class Cell(Block):
    """Nodes in an order, each the sum of the edges from earlier nodes; the first is the input.

    Args:
        nodes: The number of nodes, including the input.
        edge: The block from a node to a later one, by their numbers; `None` where there is no edge.
    """

    def __init__(self, nodes: int, edge: Callable[[int, int], BlockLike | None]) -> None:
        self.edges: list[list[tuple[int, Block]]] = [[]]
        for target in range(1, nodes):
            blocks = [(source, edge(source, target)) for source in range(target)]
            self.edges.append([(source, as_block(block)) for source, block in blocks if block is not None])

    def write(self, writer: Sink, inputs: Sequence[int], guard: Guard) -> int:
        """Writes edge after edge, and the sum of each node."""
        nodes = list(inputs)
        for edges in self.edges[1:]:
            brought = [block.write(writer, (nodes[source],), guard) for source, block in edges]
            nodes.append(brought[0] if len(brought) == 1 else Add().write(writer, brought, guard))
        return nodes[-1]


class Gated(Block):
    """`x * gate(x)`: squeeze and excitation.

    Args:
        gate: What makes the factors.
    """

    def __init__(self, gate: BlockLike) -> None:
        self.gate = as_block(gate)

    def write(self, writer: Sink, inputs: Sequence[int], guard: Guard) -> int:
        """Writes the gate and the product."""
        factors = self.gate.write(writer, inputs, guard)
        return Multiply().write(writer, (*inputs, factors), guard)


class Beside(Block):
    """The input and the output of the body, concatenated.

    Args:
        body: What makes the second part of the channels.
    """

    def __init__(self, body: BlockLike) -> None:
        self.body = as_block(body)

    def write(self, writer: Sink, inputs: Sequence[int], guard: Guard) -> int:
        """Writes the body and the concatenation."""
        body = self.body.write(writer, inputs, guard)
        return Concatenate().write(writer, (*inputs, body), guard)
