"""Random graphs of recurrent layers that hand states to each other, in archbudget and in Keras."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

import archbudget as ab
from archbudget import layers

if TYPE_CHECKING:
    from random import Random

Arguments = dict[str, Any]


@dataclass
class Node:
    """A layer of a random graph: what it is, and the tensors that it reads."""

    kind: str
    arguments: Arguments
    """Decisions among them, and layers inside as `(kind, arguments)`."""
    reads: list[int]
    begins: list[int]
    """The states that it begins with."""


class Graph:
    """A random graph of recurrent layers that hand states to each other; rarely to one that they do not fit."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.decisions = [ab.Choice("a", [2, 3]), ab.Choice("b", [2, 4]), ab.Choice("c", [False, True])]
        self.nodes = [
            Node("Input", {"shape": [rng.randint(2, 4), rng.randint(1, 3)]}, [], []),
            Node("Input", {"shape": [rng.choice([2, 3, 4])]}, [], []),
        ]
        self.sequences, self.states = [0], [1]
        """The tensors of each kind, by number."""
        self.count = 2
        for _ in range(rng.randint(2, 5)):
            self._layer()
        self.outputs = [self.count - 1, *rng.sample(range(2, self.count), min(2, self.count - 2))]

    def _units(self) -> Any:
        return self.rng.choice([2, 3, 4, *self.decisions[:2], self.decisions[0]])

    def _cell(self, units: Any) -> tuple[str, Arguments]:
        kind = self.rng.choice(["SimpleRNNCell", "LSTMCell", "GRUCell"])
        return kind, {"units": units, "use_bias": self.rng.choice([True, False, self.decisions[2]])}

    def _layer(self) -> None:
        rng = self.rng
        draw = rng.random()
        if draw < 0.15:
            self._add(Node("Dense", {"units": self._units()}, [rng.choice(self.states)], []), [False])
            return
        if draw < 0.3:
            some = [rng.choice(self.states) for _ in range(2)]
            self._add(Node("Concatenate", {}, some, []), [False])
            return
        whole, hands_on = rng.random() < 0.5, rng.random() < 0.7
        flags = {"return_sequences": whole, "return_state": hands_on}
        kind = rng.choice(["SimpleRNN", "GRU", "LSTM", "LSTM", "RNN"])
        units = self._units()
        if kind == "RNN":
            cells = [self._cell(units) for _ in range(rng.randint(1, 3))]
            single = len(cells) == 1
            sizes = [2 if cell == "LSTMCell" else 1 for cell, _ in cells]
            arguments: Arguments = {"cell": cells[0] if single else cells, **flags}
        else:
            sizes = [2 if kind == "LSTM" else 1]
            arguments = {"units": units, "use_bias": rng.choice([True, self.decisions[2]]), **flags}
        count, first = sum(sizes), 1
        if rng.random() < 0.3:
            merge = rng.choice(["concat", "sum", None])
            arguments = {"layer": (kind, arguments), "merge_mode": merge}
            kind, count, first = "Bidirectional", 2 * count, 1 if merge else 2
        begins = [rng.choice(self.states) for _ in range(count)] if rng.random() < 0.5 else []
        if begins and rng.random() < 0.7:
            begins = begins[:1] * count
        node = Node(kind, arguments, [rng.choice(self.sequences)], begins)
        self._add(node, [whole] * first + [False] * (count if hands_on else 0))

    def _add(self, node: Node, are_sequences: list[bool]) -> None:
        self.nodes.append(node)
        for sequence in are_sequences:
            (self.sequences if sequence else self.states).append(self.count)
            self.count += 1

    def wire(self, source: Any, values: dict[str, Any] | None = None) -> tuple[list[Any], list[Any]]:
        """The inputs and outputs of the graph, of layers of Keras or of archbudget; with decisions taken, if given."""

        def taken(given: Any) -> Any:
            if isinstance(given, ab.Choice):
                return given if values is None else values[given.name]
            if isinstance(given, tuple):
                return getattr(source, given[0])(**{name: taken(each) for name, each in given[1].items()})
            return [taken(each) for each in given] if isinstance(given, list) else given

        tensors: list[Any] = []
        for node in self.nodes:
            arguments = {name: taken(given) for name, given in node.arguments.items()}
            layer = getattr(source, node.kind)(**arguments)
            if node.kind == "Input":
                tensors.append(layer)
                continue
            read = [tensors[number] for number in node.reads]
            begins = iter([tensors[number] for number in node.begins])
            begun = {"initial_state": nested(node, begins)} if node.begins else {}
            tensors += keras.tree.flatten(layer(read if node.kind == "Concatenate" else read[0], **begun))
        assert len(tensors) == self.count
        return tensors[:2], [tensors[number] for number in self.outputs]

    def space(self, values: dict[str, Any] | None = None) -> ab.Space:
        """The graph as a space, or as the plain network of a candidate."""
        inputs, outputs = self.wire(layers, values)
        return ab.Space(inputs=inputs, outputs=outputs)


def nested(node: Node, states: Any) -> list[Any]:
    """States as the layer takes them: those of each cell of a stack by themselves."""
    ways = 2 if node.kind == "Bidirectional" else 1
    kind, arguments = node.arguments["layer"] if ways == 2 else (node.kind, node.arguments)
    cells = arguments["cell"] if kind == "RNN" else None
    made: list[Any] = []
    for _ in range(ways):
        if isinstance(cells, list):
            made += [[next(states), next(states)] if cell == "LSTMCell" else next(states) for cell, _ in cells]
        else:
            two = "LSTM" in (kind if cells is None else cells[0])
            made += [next(states), next(states)] if two else [next(states)]
    return made
