"""Blocks that several families share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget.layers import Add, Concatenate, Multiply, Residual
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


def gated(gate: BlockLike) -> Block:
    """`x * gate(x)`: squeeze and excitation."""
    return Residual(gate, merge=Multiply())


def beside(body: BlockLike) -> Block:
    """The input and the output of the body, concatenated."""
    return Residual(body, merge=Concatenate())
