"""The operators and tensors of a network as TensorFlow's converter writes it for int8: what is fused is one operator.

The steps are those of the converter. Layers become nodes (`nodes.py`); nodes stand in the order of a depth-first search
that takes names as the converter's importer does; then normalisation and activations are fused into the operators
before them. Every rule here was held against converted files by `benches/microcontroller.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING

from archbudget.errors import SpaceError
from archbudget.tflite.nodes import Constant, Node, nodes_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archbudget.network import Network

FUSES = frozenset({"ADD", "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D", "MUL"})
"""Operators that apply ReLU and ReLU6 to what they write."""

MOVES = frozenset({"ADD", "FULLY_CONNECTED", "MUL", "RESHAPE"})
"""Operators that read what is before a reshape, where they can."""

FIXED = frozenset({"LOGISTIC", "SOFTMAX", "TANH"})
"""Operators whose output has a scale that does not depend on data."""

PASSES = frozenset({"AVERAGE_POOL_2D", "MAX_POOL_2D", "REDUCE_MAX", "RESHAPE"})
"""Operators whose output has the scale of what they read."""

FOLDS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
"""Operators into whose weights normalisation is folded."""


@dataclass(frozen=True)
class Graph:
    """The converted network."""

    operators: tuple[Node, ...]
    """The operators in the order in which they run."""
    shapes: Mapping[int, tuple[int, ...]]
    """The shape of each tensor that is computed, and of the input, with the batch axis."""
    inputs: tuple[int, ...]
    """The input of the network."""
    outputs: tuple[int, ...]
    """The output of the network."""

    def tensors(self) -> list[int]:
        """The tensors that are computed, with the input first, in the order of the file."""
        return [*self.inputs, *(node.output for node in self.operators)]

    def size(self, tensor: int) -> int:
        """The bytes of a tensor in int8."""
        return prod(self.shapes[tensor])

    @property
    def constants(self) -> list[Constant]:
        """The tensors whose values are in the file; equal shapes and axes are one tensor."""
        found: dict[object, Constant] = {}
        for number, node in enumerate(self.operators):
            for place, constant in enumerate(node.constants):
                shape = self.shapes[node.output] if node.kind == "RESHAPE" else constant.shape
                found[(number, place) if constant.channels else (node.kind == "RESHAPE", shape)] = constant
        return list(found.values())


def converted(network: Network) -> Graph:
    """The graph of a network.

    Raises:
        SpaceError: If a layer is not among those whose conversion is known, or the network has several inputs or
            outputs.
    """
    draft = _Draft(network)
    draft.fold_normalisation()
    draft.simplify()
    return draft.graph()


@dataclass
class _Draft:
    """The nodes while they are fused."""

    network: Network
    nodes: list[Node] = field(init=False)

    def __post_init__(self) -> None:
        made, self.shapes, self.inputs, self.outputs = nodes_of(self.network)
        self.nodes = in_order(made, self.inputs)
        self._next = max(self.shapes) + 1

    def graph(self) -> Graph:
        joined: set[int] = set()
        for node in self.nodes:
            before = [each for each in self.nodes if each.output in node.inputs]
            if node.kind in ("RELU", "RELU6") and any(each.activation or "RELU" in each.kind for each in before):
                raise SpaceError(f"layer '{node.layer}': the conversion of a ReLU behind another one is not known")
            if node.kind == "CONCATENATION":
                if any(self._scale_is_fixed(tensor) for tensor in node.inputs) or not joined.isdisjoint(node.inputs):
                    raise SpaceError(
                        f"layer '{node.layer}': the conversion of a Concatenate whose inputs have scales of their own "
                        "is not known, as of a sigmoid, or of what another Concatenate reads"
                    )
                joined.update(node.inputs)
            if len(node.inputs) == 2 and not self._merges(node):
                raise SpaceError(f"layer '{node.layer}': the conversion of a merge of these shapes is not known")
            if node.kind == "FULLY_CONNECTED" and self._scaled(node.inputs[0]):
                raise SpaceError(
                    f"layer '{node.layer}' (Dense): a Dense right behind a normalization has no known conversion; "
                    "it is where an activation stands between them"
                )
        return Graph(tuple(self.nodes), self.shapes, self.inputs, self.outputs)

    def _scale_is_fixed(self, tensor: int) -> bool:
        """Whether a tensor has a scale that is not chosen for it."""
        writer = next((each for each in self.nodes if each.output == tensor), None)
        while writer is not None and writer.kind in PASSES:
            source = writer.inputs[0]
            writer = next((each for each in self.nodes if each.output == source), None)
        return writer is not None and writer.kind in FIXED

    def _merges(self, node: Node) -> bool:
        """Whether it is known how tensors of these shapes are merged."""
        one, other = (self.shapes[tensor] for tensor in node.inputs)
        gate = node.kind == "MUL" and one[-1] == other[-1] and all(side == 1 for side in other[:-1])
        return node.kind == "CONCATENATION" or one == other or gate

    def _scaled(self, tensor: int) -> bool:
        """Whether the last thing that was done to a tensor of one axis is normalization."""
        writer = next((each for each in self.nodes if each.output == tensor), None)
        return writer is not None and writer.normalised and writer.activation is None

    def _readers(self) -> dict[int, int]:
        count: dict[int, int] = dict.fromkeys(self.outputs, 1)
        for node in self.nodes:
            for tensor in node.inputs:
                count[tensor] = count.get(tensor, 0) + 1
        return count

    def _new(self, shape: tuple[int, ...]) -> int:
        self.shapes[self._next] = shape
        self._next += 1
        return self._next - 1

    def _before(self, node: Node, readers: Mapping[int, int]) -> Node | None:
        """The operator that a node may be fused into: what wrote its input for it alone, behind a squeezed axis."""
        writers = {each.output: each for each in self.nodes}
        found = writers.get(node.inputs[0])
        while found is not None and found.kind == "RESHAPE" and found.squeezes and readers[found.output] == 1:
            found = writers.get(found.inputs[0])
        if found is None or readers[found.output] != 1 or readers[node.inputs[0]] != 1:
            return None
        return found

    def _fuse(self, node: Node, into: Node, **changes: object) -> None:
        """Takes a node out; what read it reads its input, and the operator that does its work changes."""
        self.nodes[self.nodes.index(into)] = replace(into, **changes, parts=(*into.parts, *node.parts))  # type: ignore[arg-type]
        self.nodes.remove(node)
        self._rename(node.output, node.inputs[0])

    def _rename(self, old: int, new: int) -> None:
        for index, each in enumerate(self.nodes):
            if old in each.inputs:
                inputs = tuple(new if tensor == old else tensor for tensor in each.inputs)
                self.nodes[index] = replace(each, inputs=inputs)
        self.outputs = tuple(new if tensor == old else tensor for tensor in self.outputs)

    def fold_normalisation(self) -> None:
        """Folds normalisation into the weights before it; elsewhere it is a product and a sum."""
        for node in [each for each in self.nodes if each.kind == "NORM"]:
            node = next(each for each in self.nodes if each.output == node.output)
            into = self._before(node, self._readers())
            if into is not None and into.kind in FOLDS and into.activation is None:
                self._fuse(node, into, constants=_with_bias(into), normalised=into.kind == "FULLY_CONNECTED")
                continue
            shape = self.shapes[node.output]
            between = self._new(shape)
            constants = (Constant(shape[-1:], 1, 1),)
            shift = tuple(("SHIFT", scope, layer) for _, scope, layer in node.parts)
            at = self.nodes.index(node)
            self.nodes[at : at + 1] = [
                replace(node, kind="MUL", output=between, constants=constants),
                replace(node, kind="ADD", inputs=(between,), constants=constants, parts=shift, normalised=True),
            ]

    def simplify(self) -> None:
        """Fuses activations and moves reshapes until nothing changes."""
        before: list[Node] = []
        while self.nodes != before:
            before = list(self.nodes)
            self.share()
            self.fuse_activations()
            self.hoist_reshapes()

    def share(self) -> None:
        """Makes one operator of those without weights that do the same to the same tensors."""
        found: dict[object, int] = {}
        for old in [each.output for each in self.nodes]:
            node = next(each for each in self.nodes if each.output == old)
            if node.kind in FOLDS or node.kind == "NORM" or (node.kind in ("ADD", "MUL") and node.constants):
                continue
            inputs = tuple(sorted(node.inputs)) if node.kind in ("ADD", "MUL") else node.inputs
            key = (node.kind, inputs, self.shapes[old], node.activation, node.geometry)
            if key in found:
                self.nodes.remove(node)
                self._rename(old, found[key])
            else:
                found[key] = old

    def hoist_reshapes(self) -> None:
        """Adds before a reshape where both sides have the same one, and makes one of two reshapes in a row."""
        for old in [each.output for each in self.nodes if each.kind in MOVES]:
            node = next(each for each in self.nodes if each.output == old)
            writers = {each.output: each for each in self.nodes}
            if node.kind == "FULLY_CONNECTED":
                before = writers.get(node.inputs[0])
                inner = node.constants[0].shape[-1]
                if before is not None and before.kind == "RESHAPE" and self.shapes[before.inputs[0]][-1] == inner:
                    self.nodes[self.nodes.index(node)] = replace(node, inputs=before.inputs)
                continue
            sides = [writers[tensor] for tensor in node.inputs if tensor in writers]
            if len(sides) != len(node.inputs) or any(side.kind != "RESHAPE" for side in sides):
                continue
            sources = tuple(side.inputs[0] for side in sides)
            at = self.nodes.index(node)
            if node.kind == "RESHAPE" and self.shapes[sources[0]] == self.shapes[node.output]:
                del self.nodes[at]
                self._rename(node.output, sources[0])
            elif node.kind == "RESHAPE":
                self.nodes[at] = replace(node, inputs=sources)
            elif len({self.shapes[source] for source in sources}) == 1 and len(sources) + bool(node.constants) == 2:
                added = self._new(self.shapes[sources[0]])
                self.nodes[at : at + 1] = [
                    replace(node, inputs=sources, output=added, hoisted=True),
                    replace(sides[0], inputs=(added,), output=node.output, layer=node.layer, parts=()),
                ]
        read = {*self.outputs, *(tensor for node in self.nodes for tensor in node.inputs)}
        self.nodes = [node for node in self.nodes if node.kind != "RESHAPE" or node.output in read]

    def fuse_activations(self) -> None:
        """Lets operators apply the activation behind them."""
        for node in [each for each in self.nodes if each.kind in ("RELU", "RELU6")]:
            node = next(each for each in self.nodes if each.output == node.output)
            into = self._before(node, self._readers())
            if into is not None and into.kind in FUSES and into.activation is None:
                self._fuse(node, into, activation=node.kind)


def _with_bias(node: Node) -> tuple[Constant, ...]:
    """The constants of an operator that has a bias."""
    kernel = node.constants[0]
    return (kernel, Constant((kernel.channels,), 4, kernel.channels))


def in_order(nodes: Sequence[Node], inputs: Sequence[int]) -> list[Node]:
    """Nodes in the order of the converter's importer: the reverse of a post-order, names from the last to the first.

    Args:
        nodes: The nodes, in any order in which each stands behind those that it reads.
        inputs: The tensors that the network reads.
    """
    readers: dict[int, list[int]] = {}
    for index, node in enumerate(nodes):
        for tensor in node.inputs:
            readers.setdefault(tensor, []).append(index)
    left: list[Node] = []
    seen: set[int] = set()
    stack = [(index, False) for tensor in inputs for index in _by_name(nodes, readers.get(tensor, ()))]
    while stack:
        index, done = stack.pop()
        if done:
            left.append(nodes[index])
            continue
        if index in seen:
            continue
        seen.add(index)
        stack.append((index, True))
        stack.extend(
            (each, False) for each in _by_name(nodes, readers.get(nodes[index].output, ())) if each not in seen
        )
    return left[::-1]


def _by_name(nodes: Sequence[Node], indices: Sequence[int]) -> list[int]:
    return sorted(indices, key=lambda index: (nodes[index].scope + "/", index))
