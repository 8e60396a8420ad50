"""Networks that a function returned on its paths, joined into one block: what they have in common is written once.

A path is a row of calls. Where a path forks by the values of a decision, the rows of both sides are aligned, as the
lines of two texts are: calls of the same layer in the same order become one call, whose inputs are chosen by the
decision where they differ; all others stay, behind the values that lead to them. Alignment is monotone, so a call is
joined with one call of the other side at most, and rows stay in the order in which the function made them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple, Union

from archbudget._expressions import Decision, Expression
from archbudget._message import show
from archbudget._nested import PLAIN, items, leaves
from archbudget.errors import SpaceError
from archbudget.layers import CustomLayer
from archbudget.layers._base import Block, Layer
from archbudget.layers._structure import InputChoice, OneOf, Part, Residual, Sequential
from archbudget.program import comparable
from archbudget.space.rebuilding import Rebuilding, with_arguments
from archbudget.space.suggested import Computed, Parameter, Suggested, Symbol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from archbudget.layers._base import Guard, Nested, Sink, Tensor

Box = tuple[tuple[str, frozenset[int]], ...]
"""Conditions that hold together: decisions by name, in the order in which they are asked for, and their values."""

Left = Mapping[str, Sequence[int]]
"""For each decision that was suggested the indices of the values that are left."""


@dataclass(eq=False)
class Node:
    """A call of a block, or where a decision chooses among values."""

    key: int
    inputs: tuple[Value, ...]
    block: Block | None
    """The block; `None` for a choice."""
    chosen: tuple[str, tuple[frozenset[int], ...]] | None = None
    """The decision of a choice, and the values that lead to each of its inputs."""
    owners: tuple[tuple[Layer, object], ...] = ()
    """The layers in the block whose weights other calls have, too, and what tells each of them from others."""
    domain: dict[str, set[int]] = field(default_factory=dict)
    """The values that the decisions of the block may have here."""


class Value(NamedTuple):
    """One of the tensors that a node makes."""

    node: Node
    place: int


class Row(NamedTuple):
    """The calls of some paths."""

    nodes: list[Node]
    inputs: tuple[Node, ...]
    outputs: tuple[Value, ...]


Joined = Union[Row, None]
"""The calls of some paths, or `None` where no network is wanted."""


class Keys:
    """Numbers for what is equal, and what layers with shared weights have in common on all paths."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self.owners: dict[object, Layer] = {}
        """The first layer of each that is used more than once."""
        self.domains: dict[object, dict[str, set[int]]] = {}
        """The values that its decisions may have."""

    def number(self, key: Any) -> int:
        """A number, the same for the same key."""
        return self._numbers.setdefault(key, len(self._numbers))


class _Key:
    """What an argument or a block is, in a form that can be hashed, and is equal for the same description."""

    def __init__(self, left: Left, owners: Mapping[int, object]) -> None:
        self._left = left
        self._owners = owners

    def of(self, value: Any) -> Any:
        """The key of a value."""
        if type(value) in PLAIN:
            return (type(value), value)
        if isinstance(value, Computed):
            return (value.key(), value.pinned(lambda decision: self._left[decision.name]))
        if isinstance(value, Symbol):
            return value.key()
        if isinstance(value, CustomLayer):
            return self._custom(value)
        if isinstance(value, Layer):
            given = (*value.arguments().items(), ("weight_bits", value.weight_bits))
            parts = tuple((name, self.of(each)) for name, each in given)
            own = self._owners.get(id(value.weights_of))
            return (type(value), value.name, value.masks, value.training_mode, own, parts)
        if isinstance(value, Block):
            return (type(value), tuple((name, self.of(each)) for name, each in vars(value).items()))
        if isinstance(value, Decision):
            return ("own", value.name, tuple(map(self.of, value.values)))
        if isinstance(value, Expression):
            parts = tuple(self.of(each) for each in vars(value).values())
            return (type(value), parts)
        if isinstance(value, Mapping):
            return ("mapping", tuple((self.of(key), self.of(each)) for key, each in value.items()))
        if isinstance(value, (list, tuple)):
            return ("row", tuple(map(self.of, value)))
        if isinstance(value, (set, frozenset)):
            return ("set", frozenset(map(self.of, value)))
        if isinstance(value, FunctionType):
            cells = tuple(self.of(cell.cell_contents) for cell in value.__closure__ or ())
            return ("function", value.__code__, self.of(value.__defaults__), cells)
        return comparable(value)

    def _custom(self, value: Any) -> Any:
        given = tuple((name, self.of(each)) for name, each in value.given.items())
        own = self._owners.get(id(value.weights_of))
        return (value.kind, type(value).RULE, value.name, value.trainable, self.of(value.weight_bits), own, given)


def row_of(
    inputs: Sequence[Tensor], tensors: Sequence[Tensor], outputs: Sequence[Tensor], left: Left, keys: Keys
) -> Row:
    """The calls of one network.

    Args:
        inputs: Its inputs.
        tensors: All its tensors, in the order in which they were made.
        outputs: Its outputs.
        left: The values that are left on its path.
        keys: The numbers of all paths.
    """
    calls: list[tuple[Block, tuple[tuple[int, int], ...]]] = []
    made: dict[Tensor, list[tuple[int, int]]] = {}

    def emit(block: Block, sources: Sequence[tuple[int, int]], /) -> list[tuple[int, int]]:
        if isinstance(block, Sequential) and not any(isinstance(each, InputChoice) for each in block.blocks):
            given: Sequence[tuple[int, int]] = sources
            for each in block.blocks:
                if len(given) > 1 and not isinstance(each, Layer):
                    break
                given = emit(each, given)
            else:
                return list(given)
        if isinstance(block, Residual):
            body, shortcut = emit(block.body, sources), emit(block.shortcut, sources)
            return emit(block.merge, [shortcut[0], body[0]])
        if isinstance(block, Part):
            written: list[Sequence[tuple[int, int]]] = [sources]
            for each, read in block.calls:
                written.append(emit(each, [written[call + 1][place] for call, place in read]))
            return [written[block.result[0] + 1][block.result[1]]]
        calls.append((block, tuple(sources)))
        return [(len(calls) - 1, place) for place in range(_width(block.nested))]

    for tensor in tensors:
        if tensor.made_with is None:
            sources = [made[each.made_with or each][each.place] for each in tensor.inputs]
            made[tensor] = emit(tensor.block, sources)

    met: dict[int, list[int]] = {}
    within = [list(_layers(block)) for block, _ in calls]
    for call, layers in enumerate(within):
        for layer in layers:
            met.setdefault(id(layer.weights_of), []).append(call)
    several = {owner for owner, where in met.items() if len(where) > 1}
    plain = _Key(left, {})
    tags: dict[int, object] = {}
    counts: dict[Any, int] = {}
    for layers in within:
        for layer in layers:
            owner = layer.weights_of
            if id(owner) in several and id(owner) not in tags:
                key = plain.of(owner) if not isinstance(owner, CustomLayer) else (owner.kind, owner.name)
                counts[key] = counts.get(key, 0) + 1
                tag = tags[id(owner)] = (keys.number(("shared", key)), counts[key])
                keys.owners.setdefault(tag, owner)
                _widen(keys.domains.setdefault(tag, {}), owner, left)
    key = _Key(left, tags)
    nodes: list[Node] = []
    for (block, given), layers in zip(calls, within, strict=True):
        read = tuple(Value(nodes[call], place) for call, place in given)
        number = keys.number(key.of(block))
        owners = tuple(
            {
                id(each.weights_of): (each.weights_of, tags[id(each.weights_of)])
                for each in layers
                if id(each.weights_of) in tags
            }.values()
        )
        node = Node(number, read, block, owners=owners)
        _widen(node.domain, block, left)
        nodes.append(node)
    first = tuple(nodes[made[each][0][0]] for each in inputs)
    last = tuple(
        Value(nodes[call], place) for call, place in (made[each.made_with or each][each.place] for each in outputs)
    )
    return _reached(Row(nodes, first, last))


def _width(nested: Nested) -> int:
    return 1 if nested is None else sum(map(_width, nested))


def _layers(block: Block) -> Iterator[Layer]:
    """The layers of a block, each as often as it is used, with those inside of others."""
    if isinstance(block, Layer):
        yield block
        for member in block.members():
            if member.layer is not None:
                yield member.layer
        return
    if isinstance(block, (OneOf, InputChoice)) and any(isinstance(each, Suggested) for each in block.all_decisions()):
        raise SpaceError(
            f"{show(block)} has a decision of its own, which is given by name, not as a suggested value: "
            f"OneOf('name', {{...}}); for a suggested value Python chooses, as in {{...}}[value]"
        )
    parts = block.parts()
    if parts is None:
        raise SpaceError(
            f"{show(block)} takes a function, which a followed function cannot hold: give Repeat a block, or write a "
            "loop over range(...)"
        )
    for part in parts:
        yield from _layers(part)


def symbols(block: Block) -> Iterator[Symbol]:
    """The symbols that a block reads, once for each use."""
    values: Iterable[Any]
    if isinstance(block, Layer):
        given = block.given if isinstance(block, CustomLayer) else block.arguments()
        values = (*given.values(), block.weight_bits, block.trainable)
    else:
        values = vars(block).values()
    for value in values:
        if type(value) not in PLAIN:
            yield from _symbols_in(value)


def _symbols_in(value: Any) -> Iterator[Symbol]:
    for leaf in leaves(value):
        if isinstance(leaf, Symbol):
            yield leaf
        elif isinstance(leaf, Block):
            yield from symbols(leaf)
        elif isinstance(leaf, Expression):
            for part in vars(leaf).values():
                yield from _symbols_in(part)


def _widen(domain: dict[str, set[int]], block: Block, left: Left) -> None:
    for symbol in symbols(block):
        for decision in symbol.decisions():
            if decision.name in left:
                domain.setdefault(decision.name, set()).update(left[decision.name])


def _reached(row: Row) -> Row:
    """A row without the nodes that lead to no output."""
    needed = {id(node) for node in row.inputs}
    needed.update(id(value.node) for value in row.outputs)
    kept = []
    for node in reversed(row.nodes):
        if id(node) in needed:
            needed.update(id(value.node) for value in node.inputs)
            kept.append(node)
    return Row(kept[::-1], row.inputs, row.outputs)


MOST_CELLS = 1 << 16
"""The most pairs that are looked at to align the middle of two rows."""


def _aligned(first: Sequence[int], second: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of positions of equal keys, both ascending."""
    # What follows a fork is mostly the same on both sides, so the ends are looked at first.
    least = min(len(first), len(second))
    end = 0
    while end < least and first[-1 - end] == second[-1 - end]:
        end += 1
    start = 0
    while start < least - end and first[start] == second[start]:
        start += 1
    one, other = first[start : len(first) - end], second[start : len(second) - end]
    pairs = [(index, index) for index in range(start)]
    if one and other and len(one) * len(other) <= MOST_CELLS and not set(one).isdisjoint(other):
        longest = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
        for i in range(len(one) - 1, -1, -1):
            for j in range(len(other) - 1, -1, -1):
                longest[i][j] = (
                    longest[i + 1][j + 1] + 1 if one[i] == other[j] else max(longest[i + 1][j], longest[i][j + 1])
                )
        i = j = 0
        while i < len(one) and j < len(other):
            if one[i] == other[j]:
                pairs.append((start + i, start + j))
                i, j = i + 1, j + 1
            elif longest[i + 1][j] >= longest[i][j + 1]:
                i += 1
            else:
                j += 1
    pairs += [(len(first) - back, len(second) - back) for back in range(end, 0, -1)]
    return pairs


def joined(name: str, one: tuple[frozenset[int], Joined], other: tuple[frozenset[int], Joined], keys: Keys) -> Joined:
    """The calls of both sides of a fork.

    Args:
        name: The decision.
        one: Its values that lead to one side, and the calls there.
        other: The same of the other side.
        keys: The numbers of all paths.

    Raises:
        SpaceError: If the sides differ in the number of inputs or outputs.
    """
    (values, first), (others, second) = one, other
    if first is None or second is None:
        return first or second
    for what, count, other_count in (
        ("inputs", len(first.inputs), len(second.inputs)),
        ("outputs", len(first.outputs), len(second.outputs)),
    ):
        if count != other_count:
            raise SpaceError(
                f"the function returns networks with {count} and {other_count} {what}, as {show(name)} is; a space has "
                f"the same number of {what} everywhere"
            )
    made: list[Node] = []
    mapped: tuple[dict[Node, Node], dict[Node, Node]] = ({}, {})
    gates: dict[tuple[Any, ...], Value] = {}

    def value(side: int, given: Value) -> Value:
        return Value(mapped[side][given.node], given.place)

    def gate(left: Value, right: Value) -> Value:
        if left == right:
            return left
        if (known := gates.get((left, right))) is not None:
            return known
        parts: dict[Value, frozenset[int]] = {}
        for mine, under in ((left, values), (right, others)):
            chosen = mine.node.chosen
            inner = chosen is not None and chosen[0] == name and frozenset().union(*chosen[1]) <= under
            within = zip(mine.node.inputs, chosen[1], strict=True) if inner and chosen is not None else [(mine, under)]
            for each, own in within:
                parts[each] = parts.get(each, frozenset()) | own
        sets = tuple(parts.values())
        node = Node(keys.number(("choice", name, sets)), tuple(parts), None, (name, sets))
        made.append(node)
        gates[left, right] = Value(node, 0)
        return gates[left, right]

    def keep(side: int, node: Node) -> None:
        inputs = tuple(value(side, each) for each in node.inputs)
        if inputs == node.inputs:
            mapped[side][node] = node
        else:
            mapped[side][node] = Node(node.key, inputs, node.block, node.chosen, node.owners, node.domain)
        made.append(mapped[side][node])

    i = j = 0
    pairs = _aligned([node.key for node in first.nodes], [node.key for node in second.nodes])
    for here, there in [*pairs, (len(first.nodes), len(second.nodes))]:
        for index in range(i, here):
            keep(0, first.nodes[index])
        for index in range(j, there):
            keep(1, second.nodes[index])
        i, j = here + 1, there + 1
        if here == len(first.nodes):
            break
        mine, its = first.nodes[here], second.nodes[there]
        inputs = tuple(
            gate(value(0, left), value(1, right)) for left, right in zip(mine.inputs, its.inputs, strict=True)
        )
        domain = {key: set(found) for key, found in mine.domain.items()}
        for key, found in its.domain.items():
            domain.setdefault(key, set()).update(found)
        node = Node(mine.key, inputs, mine.block, mine.chosen, mine.owners, domain)
        mapped[0][mine] = mapped[1][its] = node
        made.append(node)
    outputs = tuple(
        gate(value(0, left), value(1, right)) for left, right in zip(first.outputs, second.outputs, strict=True)
    )
    starts = tuple(mapped[0][node] for node in first.inputs)
    if any(mapped[1][node] is not start for node, start in zip(second.inputs, starts, strict=True)):
        raise SpaceError(
            f"the function returns networks with other inputs as {show(name)} is; a space has one Input for all, whose "
            "sides may be suggested values, as in Input((side, side, 3))"
        )
    return _reached(Row(made, starts, outputs))


def simplified(boxes: Iterable[Box], sizes: Mapping[str, int]) -> list[Box]:
    """Boxes that cover the same, fewer where they fit together."""
    found = list(dict.fromkeys(boxes))
    while True:
        if () in found:
            return [()]
        changed = False
        longest = max(map(len, found), default=0)
        for position in reversed(range(longest)):
            groups: dict[tuple[Any, ...], frozenset[int]] = {}
            rest: list[Box] = []
            for box in found:
                if position < len(box):
                    key = (box[:position], box[position][0], box[position + 1 :])
                    groups[key] = groups.get(key, frozenset()) | box[position][1]
                else:
                    rest.append(box)
            after = list(
                dict.fromkeys(
                    [
                        *rest,
                        *(
                            (*before, *behind) if len(own) == sizes[name] else (*before, (name, own), *behind)
                            for (before, name, behind), own in groups.items()
                        ),
                    ]
                )
            )
            if len(after) != len(found) or sum(map(len, after)) != sum(map(len, found)):
                changed = True
            found = after
        if len(found) <= 64:
            kept = [
                box
                for number, box in enumerate(found)
                if not any(
                    _covers(each, box) and (not _covers(box, each) or other < number)
                    for other, each in enumerate(found)
                    if other != number
                )
            ]
            changed = changed or len(kept) != len(found)
            found = kept
        if not changed:
            return found


def _covers(outer: Box, inner: Box) -> bool:
    known = dict(inner)
    return all(name in known and known[name] <= own for name, own in outer)


def disjoint(boxes: Iterable[Box], sizes: Mapping[str, int]) -> list[Box]:
    """Boxes that cover the same and do not overlap."""
    found: list[Box] = []
    for box in boxes:
        pieces = [box]
        for earlier in found:
            pieces = [each for piece in pieces for each in _without(piece, earlier, sizes)]
        found += pieces
    return found


def _without(box: Box, other: Box, sizes: Mapping[str, int]) -> list[Box]:
    """What is left of a box without another one."""
    known = dict(box)
    if any(name in known and known[name].isdisjoint(own) for name, own in other):
        return [box]
    pieces: list[Box] = []
    for name, own in other:
        every = known.get(name, frozenset(range(sizes[name])))
        if outside := every - own:
            pieces.append(_with(box, name, outside))
        box = _with(box, name, every & own)
    return pieces


def _with(box: Box, name: str, values: frozenset[int]) -> Box:
    """A box whose decision has these values, in its place or behind the others."""
    if any(each == name for each, _ in box):
        return tuple((each, values if each == name else own) for each, own in box)
    return (*box, (name, values))


def narrowed(box: Box, name: str, values: frozenset[int]) -> Box | None:
    """A box in which a decision also has one of these values; `None` if nothing is left."""
    known = dict(box)
    left = known.get(name, values) & values
    return _with(box, name, left) if left else None


class Branches(Block):
    """All networks that a function returns: a row of calls, each behind the values that lead to it.

    Args:
        calls: The calls in their order: a block, the tensors that it reads, and when it is taken; or, with the name of
            a decision in the place of the block, where that chooses among tensors: for each the values that lead to it.
            A tensor is the number of a call and its place; the inputs have the numbers below 0, from -1 down.
        outputs: The tensors of the outputs.
        decisions: The decisions that were suggested, by name, in the order in which they are asked for.
        asked: For each of them when it is asked for.
        unwanted: When no network is wanted, and why.
        turns: What a trial is asked for.
    """

    def __init__(
        self,
        calls: Sequence[tuple[Any, Any, tuple[Box, ...]]],
        outputs: Sequence[tuple[int, int]],
        decisions: Mapping[str, Suggested],
        asked: Mapping[str, tuple[Box, ...]],
        unwanted: Sequence[tuple[tuple[Box, ...], str]],
        turns: Any,
    ) -> None:
        self.calls = tuple(calls)
        self.outputs = tuple(outputs)
        self.suggested = dict(decisions)
        self.asked = dict(asked)
        self.unwanted = tuple(unwanted)
        self.turns = turns
        self.steps = max(1, sum(call[0].steps for call in self.calls if isinstance(call[0], Block)))

    def parts(self) -> Sequence[Block]:
        """The blocks that are called."""
        return tuple(block for block, _, _ in self.calls if isinstance(block, Block))

    def all_decisions(self) -> Iterator[Decision]:
        """The decisions that were suggested."""
        yield from self.suggested.values()

    @property
    def nested(self) -> Nested:
        """The outputs."""
        return None if len(self.outputs) == 1 else (None,) * len(self.outputs)

    def write_all(self, writer: Sink, inputs: Sequence[int], guard: Guard) -> tuple[int, ...]:
        """Writes each call where it is taken, and each decision where the first one reads it."""
        return _Writing(self, writer, inputs, guard).tensors()

    def __repr__(self) -> str:
        return f"Branches({show(list(self.parts()))})"


class _Writing:
    """Writing the branches of a function."""

    def __init__(self, branches: Branches, writer: Sink, inputs: Sequence[int], guard: Guard) -> None:
        self._branches = branches
        self._writer = writer
        self._guard = guard
        self._written: dict[int, tuple[int, ...]] = {-1 - number: (tensor,) for number, tensor in enumerate(inputs)}
        self._read: set[str] = set()
        self._waiting = list(branches.unwanted)
        self._kept: dict[str, dict[int, int] | None] = {}

    def tensors(self) -> tuple[int, ...]:
        """Writes all, and returns the outputs."""
        branches, writer = self._branches, self._writer
        for name, decision in branches.suggested.items():
            if self._guards(branches.asked[name]):
                writer.kept(decision)  # In the order in which they are asked for.
        for number, (block, given, boxes) in enumerate(branches.calls):
            guards = self._guards(boxes)
            if not guards:
                continue
            for box in boxes:
                self._take(name for name, _ in box)
            if isinstance(block, str):
                self._take([block])
                self._written[number] = (self._choose(block, given, boxes),)
                continue
            self._take(self._names(block))
            sources = [self._written[call][place] for call, place in given]
            made = [block.write_all(writer, sources, own) for own in guards]
            if len(made) > 1:
                meeting = tuple(writer.tensor() for _ in made[0])
                for tensors, own in zip(made, guards, strict=True):
                    for source, target in zip(tensors, meeting, strict=True):
                        writer.alias(source, target, own)
                made = [meeting]
            self._written[number] = tuple(made[0])
        self._take(branches.suggested)
        return tuple(self._written[call][place] for call, place in branches.outputs)

    def _names(self, block: Block) -> Iterator[str]:
        for symbol in symbols(block):
            for decision in symbol.decisions():
                yield decision.name

    def _choose(self, name: str, given: Any, boxes: Sequence[Box]) -> int:
        writer = self._writer
        meeting = writer.tensor()
        for values, (call, place) in given:
            for box in boxes:
                own = narrowed(box, name, frozenset(values))
                for each in self._guards([own]) if own is not None else ():
                    writer.alias(self._written[call][place], meeting, each)
        return meeting

    def _take(self, names: Iterable[str]) -> None:
        """Reads decisions where they are asked for, and those on which that depends before."""
        branches = self._branches
        for name in names:
            if name in self._read or name not in branches.suggested:
                continue
            self._read.add(name)
            for box in branches.asked[name]:
                self._take(each for each, _ in box)
            for own in self._guards(branches.asked[name]):
                self._writer.read(branches.suggested[name], own)
        if self._waiting:
            ready = [each for each in self._waiting if all(n in self._read for box in each[0] for n, _ in box)]
            self._waiting = [each for each in self._waiting if each not in ready]
            for boxes, reason in ready:
                for own in self._guards(boxes):
                    text = f"that the function prunes no trial ({reason})"
                    self._writer.program.require(own, 0, None, text, asks=True)

    def _guards(self, boxes: Iterable[Box]) -> list[Guard]:
        """The guards of boxes, without those that no value which is kept leads to."""
        found: list[Guard] = []
        for box in boxes:
            guard: Guard | None = list(self._guard)
            for name, values in box:
                decision = self._branches.suggested[name]
                if name not in self._kept:
                    kept = self._writer.kept(decision)
                    self._kept[name] = None if kept is None else {index: place for place, index in enumerate(kept)}
                places = self._kept[name]
                indices = sorted(values if places is None else (places[each] for each in values if each in places))
                if not indices:
                    guard = None
                    break
                if places is not None and len(indices) == len(places):
                    continue
                assert guard is not None
                guard.append(self._writer.atom(decision, _ranges(indices)))
            if guard is not None:
                found.append(guard)
        return found


def _ranges(indices: Sequence[int]) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for index in indices:
        if found and found[-1][1] == index:
            found[-1] = (found[-1][0], index + 1)
        else:
            found.append((index, index + 1))
    return tuple(found)


class Settling(Rebuilding):
    """Makes blocks anew in which symbols are expressions, for the values that are left of their decisions.

    Args:
        domain: The values that are left.
        replaced: What stands in the place of decisions that are none of the space.
        shared: What became of layers that other calls have, too.
        name: The name of the layer, where another one has the one that it was given.
    """

    def __init__(
        self,
        domain: Mapping[str, Iterable[int]],
        replaced: Mapping[str, Parameter],
        shared: Mapping[Layer, Layer],
    ) -> None:
        super().__init__(self._settle)
        self._domain = {name: sorted(values) for name, values in domain.items()}
        self._replaced = replaced
        for layer, made in shared.items():
            self._blocks[layer] = made

    def _left(self, decision: Decision) -> Sequence[int]:
        return self._domain.get(decision.name, range(len(decision.values)))

    def _settle(self, layer: Layer, _: Layer) -> Layer:
        from archbudget.layers._base import ENGINE_PARAMETERS

        given = layer.given if isinstance(layer, CustomLayer) else layer.arguments()
        counted = given if isinstance(layer, CustomLayer) else ENGINE_PARAMETERS[layer.kind]
        changes = {}
        for name, value in (*given.items(), ("weight_bits", layer.weight_bits), ("trainable", layer.trainable)):
            if not any(isinstance(leaf, Expression) for leaf in leaves(value)):
                continue
            is_counted = name in counted or name in ("weight_bits", "trainable", "padding")
            # Also where it stays what it is: it was lowered with the values that were left on one path.
            changes[name] = self._expressions(value, is_counted)
        return with_arguments(layer, changes) if changes else layer

    def _expressions(self, value: Any, counted: bool) -> Any:
        if isinstance(value, Symbol):
            return self._symbol(value, counted)
        inside = items(value)
        if inside is None or isinstance(value, dict):
            return value
        made = [self._expressions(each, counted) for each in inside]
        same = all(one is each for one, each in zip(made, inside, strict=True))
        return value if same else type(value)(made)

    def _symbol(self, value: Symbol, counted: bool) -> Any:
        if not counted:
            if isinstance(value, Suggested):
                return self._replaced.get(value.name, value)
            if isinstance(value, Computed):
                if self._replaced:
                    value = _replacing(value, self._replaced)
                if any(True for _ in value.parameters()):
                    return value
                names = {each.name for each in value.decisions()}
                if len(names) > 1:
                    return value
        return value.settled(self._left)

    def _value(self, value: Any) -> Any:
        if isinstance(value, Symbol) and not isinstance(value, Suggested):
            return value.settled(self._left)
        return super()._value(value)


def _replacing(value: Computed, replaced: Mapping[str, Parameter]) -> Computed:
    sides = tuple(
        _replacing(side, replaced)
        if isinstance(side, Computed)
        else replaced.get(side.name, side)
        if isinstance(side, Suggested)
        else side
        for side in value.sides
    )
    return Computed(value.name, sides)


def branches_of(
    row: Row,
    decisions: Mapping[str, Suggested],
    asked_in: Callable[[str], list[Box]],
    unwanted: Mapping[str, list[Box]],
    keys: Keys,
    turns: Any,
) -> tuple[tuple[Block, ...], Branches]:
    """The inputs of the joined paths, and the block of all that stands between them and the outputs."""
    sizes = {name: len(each.values) for name, each in decisions.items()}
    starts = {id(node): -1 - number for number, node in enumerate(row.inputs)}
    boxes: dict[int, list[Box]] = {id(value.node): [()] for value in row.outputs}
    for node in reversed(row.nodes):
        own = boxes[id(node)] = [()] if id(node) in starts else simplified(boxes.get(id(node), ()), sizes)
        if node.chosen is None:
            for value in node.inputs:
                boxes.setdefault(id(value.node), []).extend(own)
            continue
        name, sets = node.chosen
        for value, values in zip(node.inputs, sets, strict=True):
            inside = [narrowed(box, name, values) for box in own]
            boxes.setdefault(id(value.node), []).extend(box for box in inside if box is not None)
    for node in row.nodes:
        if isinstance(node.block, Layer) and node.block.kind == "Input" and id(node) not in starts:
            raise SpaceError(f"{show(node.block)} leads to the outputs, but is not among the inputs")

    # What a choice depends on, or a counted argument, is a decision of the space; floats that no count reads are none.
    needed: set[str] = set()
    floats: dict[str, Suggested] = {}
    for node in row.nodes:
        if node.chosen is not None:
            needed.add(node.chosen[0])
            continue
        assert node.block is not None
        for symbol, counted in _read_by(node.block):
            for decision in symbol.decisions():
                if isinstance(decision, Suggested) and decision.spec.kind == "float" and not counted:
                    floats[decision.name] = decision
                elif isinstance(decision, Suggested):
                    needed.add(decision.name)
    for each in boxes.values():
        needed.update(name for box in each for name, _ in box)
    dead = {reason: disjoint(simplified(found, sizes), sizes) for reason, found in unwanted.items()}
    needed.update(name for found in dead.values() for box in found for name, _ in box)
    asked: dict[str, tuple[Box, ...]] = {}
    while waiting := [name for name in needed if name not in asked]:
        for name in waiting:
            asked[name] = tuple(disjoint(simplified(asked_in(name), sizes), sizes))
            needed.update(each for box in asked[name] for each, _ in box)
    replaced = {name: Parameter(name, each.spec) for name, each in floats.items() if name not in needed}

    shared = {tag: Settling(keys.domains[tag], replaced, {}).block(owner) for tag, owner in keys.owners.items()}
    numbers: dict[int, int] = dict(starts)
    calls: list[tuple[Any, Any, tuple[Box, ...]]] = []
    inputs: list[Block] = []
    taken: dict[str, Layer] = {}
    for node in row.nodes:
        if id(node) in starts:
            continue
        own_boxes = tuple(disjoint(boxes[id(node)], sizes))
        read = tuple((numbers[id(value.node)], value.place) for value in node.inputs)
        numbers[id(node)] = len(calls)
        if node.chosen is not None:
            name, sets = node.chosen
            calls.append((name, tuple(zip(sets, read, strict=True)), own_boxes))
            continue
        assert node.block is not None
        block = Settling(node.domain, replaced, {layer: shared[tag] for layer, tag in node.owners}).block(node.block)  # type: ignore[misc]
        calls.append((_renamed(block, taken), read, own_boxes))
    for node in row.inputs:
        assert node.block is not None
        inputs.append(Settling(node.domain, replaced, {}).block(node.block))
    outputs = [(numbers[id(value.node)], value.place) for value in row.outputs]
    kept = {name: each for name, each in decisions.items() if name in needed}
    waiting_for = [(tuple(found), reason) for reason, found in dead.items()]
    return tuple(inputs), Branches(calls, outputs, kept, asked, waiting_for, turns)


def _read_by(block: Block) -> Iterator[tuple[Symbol, bool]]:
    """The symbols that a block reads, and whether a count depends on each."""
    from archbudget.layers._base import ENGINE_PARAMETERS

    if isinstance(block, Layer) and not isinstance(block, CustomLayer) and not block.LAYERS:
        known = ENGINE_PARAMETERS[block.kind]
        for name, value in (*block.arguments().items(), ("weight_bits", block.weight_bits)):
            counted = name in known or name in ("weight_bits", "trainable", "padding")
            yield from ((symbol, counted) for symbol in _symbols_in(value))
    else:
        yield from ((symbol, True) for symbol in symbols(block))


def _renamed(block: Block, taken: dict[str, Layer]) -> Block:
    """A layer under another name where one that other values lead to has its own."""
    if not isinstance(block, Layer) or block.name is None or block.weights_of is not block:
        return block
    if taken.setdefault(block.name, block) is block:
        return block
    number = 2
    while (name := f"{block.name}_{number}") in taken:
        number += 1
    taken[name] = with_arguments(block, {"name": name})
    return taken[name]
