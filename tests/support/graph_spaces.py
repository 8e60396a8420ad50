"""Small random graphs of layers, each described twice: as a space, and as the plain network of one candidate.

The graphs have several inputs and outputs, nodes that pick what they read, and blocks within blocks: branches,
repetitions whose number follows from decisions, skip connections, cells. Decisions are tied across them, and layers are
shared. A plain network has no decision: it is wired by hand, of layers alone, by the definition of each block.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import archbudget as ab
from archbudget import layers
from support.peaks import alive, steps_of
from support.random_parts import read_by

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from archbudget.layers import Tensor


@dataclass
class Plain:
    """The network of one candidate, while it is wired."""

    values: dict[str, Any]
    taken: dict[str, Any] = field(default_factory=dict)
    """The decisions that it has looked at."""
    made: list[Tensor] = field(default_factory=list)
    """Every tensor but the inputs: all of them become outputs, so that no layer is left out."""
    around: list[tuple[Any, str, frozenset[Any]]] = field(default_factory=list)
    """The repetitions around what is wired: which they are, the suffix of names, and what they share."""
    known: dict[Any, layers.Layer] = field(default_factory=dict)

    def take(self, name: str) -> Any:
        own = name + "".join(suffix for _, suffix, shared in self.around if name not in shared)
        self.taken[own] = self.values[own]
        return self.values[own]

    def apply(self, layer: layers.Layer, tensors: Any) -> Tensor:
        self.made.append(layer(tensors))
        return self.made[-1]


@dataclass(frozen=True, eq=False)
class Number:
    """An integer that follows from decisions."""

    decisions: tuple[ab.Choice, ...]
    function: Callable[..., Any]

    def open(self) -> Any:
        return self.function(*self.decisions)

    def plain(self, plain: Plain) -> int:
        return int(self.function(*(plain.take(decision.name) for decision in self.decisions)))


class Node:
    """A block, as it is described and as it is wired. Used twice it is the same block, with the same layers."""

    @cached_property
    def block(self) -> Any:
        """The block, or blocks in a row."""
        raise NotImplementedError

    def wire(self, plain: Plain, tensor: Tensor) -> Tensor:
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Single(Node):
    """A layer; each argument is a value, a decision or a number."""

    make: Callable[..., layers.Layer]
    arguments: dict[str, Any]
    name: str | None = None

    @cached_property
    def block(self) -> layers.Layer:
        given = {key: each.open() if isinstance(each, Number) else each for key, each in self.arguments.items()}
        return self.make(**given, name=self.name)

    def wire(self, plain: Plain, tensor: Tensor) -> Tensor:
        key = (self, tuple(which for which, _, shared in plain.around if self not in shared))
        arguments = {
            name: each.plain(plain)
            if isinstance(each, Number)
            else plain.take(each.name)
            if isinstance(each, ab.Choice)
            else each
            for name, each in self.arguments.items()
        }
        if key not in plain.known:
            plain.known[key] = self.make(**arguments)
        return plain.apply(plain.known[key], tensor)


@dataclass(frozen=True, eq=False)
class Row(Node):
    """Blocks in a row."""

    nodes: Sequence[Node]

    @cached_property
    def block(self) -> Any:
        return [node.block for node in self.nodes]

    def wire(self, plain: Plain, tensor: Tensor) -> Tensor:
        for node in self.nodes:
            tensor = node.wire(plain, tensor)
        return tensor


@dataclass(frozen=True, eq=False)
class Skip(Node):
    """A skip connection."""

    body: Node
    shortcut: Node | None

    @cached_property
    def block(self) -> Any:
        return layers.Residual(self.body.block, None if self.shortcut is None else self.shortcut.block)

    def wire(self, plain: Plain, tensor: Tensor) -> Tensor:
        body = self.body.wire(plain, tensor)
        return plain.apply(layers.Add(), [self.shortcut.wire(plain, tensor) if self.shortcut else tensor, body])


@dataclass(frozen=True, eq=False)
class Branches(Node):
    """One of several blocks."""

    decision: ab.Choice
    nodes: dict[Any, Node]

    @cached_property
    def block(self) -> Any:
        return layers.OneOf(self.decision, {value: node.block for value, node in self.nodes.items()})

    def wire(self, plain: Plain, tensor: Tensor) -> Tensor:
        return self.nodes[plain.take(self.decision.name)].wire(plain, tensor)


@dataclass(frozen=True, eq=False)
class Times(Node):
    """A block several times."""

    number: Number
    node: Node
    shared: frozenset[str]
    same: Single | None
    """A layer that all repetitions share."""
    numbered: bool
    """Whether decisions get the number of the repetition."""

    @cached_property
    def block(self) -> Any:
        block = self.node.block
        shared = [*sorted(self.shared), *([] if self.same is None else [self.same.block])]
        return layers.Repeat(self.number.open(), block if self.numbered else partial(always, block), shared=shared)

    def wire(self, plain: Plain, tensor: Tensor) -> Tensor:
        read: set[Any] = set(self.shared)
        if self.same is not None:
            read |= {self.same, *(decision.name for decision in self.same.block.all_decisions())}
        for number in range(1, self.number.plain(plain) + 1):
            plain.around.append(((self, number), f"_{number}" if self.numbered else "", frozenset(read)))
            tensor = self.node.wire(plain, tensor)
            plain.around.pop()
        return tensor


@dataclass(frozen=True, eq=False)
class Pick:
    """A choice among tensors."""

    decision: ab.Choice
    n_chosen: Any
    after: Single | None
    """What follows where several tensors are put side by side; without it they are added up."""

    def open(self, inputs: list[str] | None = None) -> layers.InputChoice:
        merge = None if self.after is None else [layers.Concatenate(), self.after.block]
        return layers.InputChoice(self.decision, self.n_chosen, merge, inputs=inputs)

    def wire(self, plain: Plain, tensors: Sequence[Tensor]) -> Tensor:
        chosen = [tensors[int(each)] for each in str(plain.take(self.decision.name)).split("+")]
        if len(chosen) == 1:
            return chosen[0]
        if self.after is None:
            return plain.apply(layers.Add(), chosen)
        return self.after.wire(plain, plain.apply(layers.Concatenate(), chosen))


@dataclass(frozen=True, eq=False)
class Cell(Node):
    """A row of named layers, each of which reads what is picked among those before it."""

    start: Single
    nodes: Sequence[tuple[Pick, Single]]
    last: Pick

    @cached_property
    def block(self) -> Any:
        names = [self.start.name or ""]
        row: list[Any] = [self.start.block]
        for pick, node in self.nodes:
            row += [pick.open(list(names)), node.block]
            names.append(node.name or "")
        return [*row, self.last.open(names)]

    def wire(self, plain: Plain, tensor: Tensor) -> Tensor:
        tensors = [self.start.wire(plain, tensor)]
        for pick, node in self.nodes:
            tensors.append(node.wire(plain, pick.wire(plain, tensors)))
        return self.last.wire(plain, tensors)


@dataclass(frozen=True)
class Graph:
    """Inputs, and nodes that read earlier tensors: a block reads one, a pick or a merging layer several."""

    widths: Sequence[int]
    nodes: Sequence[tuple[Node | Pick | type[layers.Layer], Sequence[int]]]
    outputs: Sequence[int]

    def space(self) -> ab.Space:
        """The space."""
        inputs = [layers.Input((width,)) for width in self.widths]
        tensors: list[Any] = list(inputs)
        for node, sources in self.nodes:
            read = [tensors[source] for source in sources]
            if isinstance(node, Node):
                block = layers.Sequential(node.block) if isinstance(node.block, list) else node.block
                tensors.append(block(read[0]))
            else:
                tensors.append((node.open() if isinstance(node, Pick) else node())(read))
        return ab.Space(inputs=inputs, outputs=[tensors[output] for output in self.outputs])

    def network(self, values: dict[str, Any]) -> tuple[ab.Architecture, list[int], dict[str, Any]]:
        """The network of a candidate, the values alive while each of its layers runs, and the decisions that it took.

        Raises:
            InvalidArchitectureError: If it cannot be built.
        """
        reached = set(self.outputs)
        for position in reversed(range(len(self.nodes))):
            if len(self.widths) + position in reached:
                reached.update(self.nodes[position][1])
        plain = Plain(values)
        inputs = [layers.Input((width,)) for width in self.widths]
        tensors: list[Any] = list(inputs)
        for position, (node, sources) in enumerate(self.nodes):
            read = [tensors[source] for source in sources]
            if len(self.widths) + position not in reached:
                tensors.append(None)
            elif isinstance(node, Node):
                tensors.append(node.wire(plain, read[0]))
            else:
                tensors.append(node.wire(plain, read) if isinstance(node, Pick) else plain.apply(node(), read))
        every = [*inputs, *plain.made]
        network = ab.Space(inputs=inputs, outputs=every)
        # The network keeps every tensor to its end; the candidate only its outputs.
        number = dict(zip(every, network._compiled.outputs, strict=True))
        arch = network.architecture()
        steps, _ = steps_of(arch)
        return arch, alive(steps, {number[tensors[output]] for output in self.outputs}), plain.taken


class Draw:
    """Draws a graph; a decision gets a name of its own, or is one that was drawn before."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.decisions: list[ab.Choice] = []
        self.names = 0
        self.singles: list[Single] = []

    def decision(self, values: Sequence[Any], stem: str) -> ab.Choice:
        """A new decision, or one over the same values."""
        tied = [decision for decision in self.decisions if decision.values == tuple(values)]
        if tied and self.rng.random() < 0.4:
            return self.rng.choice(tied)
        self.decisions.append(ab.Choice(f"{stem}{len(self.decisions)}", values))
        return self.decisions[-1]

    def number(self, values: list[int], stem: str, most: int) -> Number:
        """An integer from 0 to `most`."""
        rng = self.rng
        integers = [decision for decision in self.decisions if decision.is_integer and min(decision.values) >= 0]
        draw = rng.random()
        if draw < 0.3:
            value = rng.choice(values)
            return Number((), lambda: value)
        if draw < 0.6 or len(integers) < 2:
            return Number((self.decision(values, stem),), lambda value: value)
        first, second = rng.sample(integers, 2)
        functions: list[Callable[..., Any]] = [
            lambda one: one % most if isinstance(one, int) else one.map(lambda value: value % most),
            lambda one, two: smaller(one + two, most),
            lambda one, two: smaller(one * two, most),
            lambda one, two: (one < two) + 1,
        ]
        function = rng.choice(functions)
        return Number((first, second)[: function.__code__.co_argcount], function)

    def single(self) -> Single:
        """A layer."""
        rng = self.rng
        if self.singles and rng.random() < 0.25:
            return rng.choice(self.singles)
        draw = rng.random()
        if draw < 0.15:
            made = Single(layers.Dropout, {"rate": self.decision([0.1, 0.5], "rate") if rng.random() < 0.4 else 0.1})
        elif draw < 0.3:
            made = Single(layers.BatchNormalization, {"trainable": rng.random() < 0.7})
        else:
            made = Single(layers.Dense, {"units": self.units(), "use_bias": rng.random() < 0.5})
        self.singles.append(made)
        return made

    def units(self) -> Number:
        inner = self.number([2, 3], "units", 2)
        return Number(inner.decisions, lambda *values: larger(inner.function(*values), 1))

    def named(self, make: Callable[..., layers.Layer], **arguments: Any) -> Single:
        """A layer with a name of its own."""
        self.names += 1
        return Single(make, arguments, f"layer{self.names}")

    def pick(self, count: int) -> Pick:
        """A choice among so many tensors."""
        n_chosen = self.rng.choice([1, 1, 1, min(2, count), (1, min(2, count)), None])
        if n_chosen == 1:
            values: list[Any] = list(range(count))
        else:
            least, most = (
                (1, count) if n_chosen is None else n_chosen if isinstance(n_chosen, tuple) else (n_chosen,) * 2
            )
            sizes = range(least, most + 1)
            sets = [each for size in sizes for each in itertools.combinations(range(count), size)]
            values = ["+".join(map(str, each)) for each in sets]
        after = Single(layers.Dense, {"units": self.units()}) if self.rng.random() < 0.4 else None
        return Pick(self.decision(values, "in"), n_chosen, after)

    def node(self, depth: int) -> Node:
        """A block."""
        rng = self.rng
        draw = rng.random()
        if depth == 0 or draw < 0.2:
            return self.single()
        if draw < 0.3:
            return Row([self.node(depth - 1) for _ in range(rng.randint(0, 2))])
        if draw < 0.45:
            return Skip(self.node(depth - 1), self.single() if rng.random() < 0.4 else None)
        if draw < 0.65:
            decision = self.decision(rng.choice([["a", "b"], [2, 3]]), "op")
            nodes: list[Node] = [self.node(depth - 1), Row([]) if rng.random() < 0.4 else self.node(depth - 1)]
            if rng.random() < 0.4:
                nodes[1] = Row([self.single(), nodes[0]])
            return Branches(decision, dict(zip(decision.values, nodes, strict=True)))
        if draw < 0.8:
            nodes_before = [
                (self.pick(count), self.named(layers.Dense, units=self.units()))
                for count in range(1, rng.randint(2, 3))
            ]
            return Cell(self.named(layers.Identity), nodes_before, self.pick(len(nodes_before) + 1))
        number = self.number(rng.choice([[0, 1], [1, 2], [2, 0]]), "times", 2)
        if rng.random() < 0.3:
            return Times(number, self.single(), frozenset(), None, numbered=False)
        known = len(self.decisions)
        inner, same = self.node(depth - 1), self.single() if rng.random() < 0.3 else None
        own = [decision.name for decision in self.decisions[known:]]
        body = inner if same is None else Row([inner, same])
        shared = frozenset(name for name in read_by(body.block, own) if rng.random() < 0.5)
        return Times(number, body, shared, same, numbered=True)

    def graph(self) -> Graph:
        """A graph."""
        rng = self.rng
        widths = [rng.choice([2, 3]) for _ in range(rng.randint(1, 2))]
        nodes: list[tuple[Any, list[int]]] = []
        used: list[Node] = []
        for position in range(len(widths), len(widths) + rng.randint(2, 5)):
            draw = rng.random()
            if position > 1 and draw < 0.35:
                sources = [rng.randrange(position) for _ in range(rng.randint(2, 3))]
                nodes.append((self.pick(len(sources)), sources))
            elif position > 1 and draw < 0.45:
                nodes.append(
                    (rng.choice([layers.Add, layers.Concatenate]), [rng.randrange(position) for _ in range(2)])
                )
            else:
                node = rng.choice(used) if used and rng.random() < 0.25 else self.node(3)
                used.append(node)
                nodes.append((node, [rng.randrange(max(0, position - 2), position)]))
        last = len(widths) + len(nodes) - 1
        outputs = [last, *rng.choices(range(last + 1), k=rng.randint(0, 3))]
        rng.shuffle(outputs)
        return Graph(widths, nodes, outputs)


def always(block: Any, number: int) -> Any:
    del number
    return block


def smaller(one: Any, two: Any) -> Any:
    return min(one, two) if isinstance(one, int) and isinstance(two, int) else ab.minimum(one, two)


def larger(one: Any, two: Any) -> Any:
    return max(one, two) if isinstance(one, int) and isinstance(two, int) else ab.maximum(one, two)
