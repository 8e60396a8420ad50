"""Layers put together: in a row, one of several, several times, around a skip connection, on chosen inputs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import comb, prod
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from archbudget._expressions import MOST_VALUES, Choice, Decision, Expression, Int, Slots, as_condition
from archbudget._message import hint, show
from archbudget._nested import FrozenDict
from archbudget.errors import SpaceError
from archbudget.layers._base import IN_A_GRAPH, Block, Layer, Repetition, require_steps
from archbudget.layers._merging import Add

if TYPE_CHECKING:
    from collections.abc import Set

    import numpy.typing as npt

    from archbudget._expressions import IntLike, Scalar, Scope
    from archbudget.layers._base import Guard, Nested, Ranges, Sink, TensorLike

__all__ = ["InputChoice", "OneOf", "Repeat", "Require", "Residual", "Sequential"]

BlockLike = Union[Block, Sequence["BlockLike"]]
"""A block, or blocks in a row."""

Box = tuple["Ranges", ...]
"""For each axis the indices that are taken along it."""

MOST_BRANCHES = 8192
"""The most values of a choice of inputs, as each is a branch of the program, and distinct from all others."""


def as_block(value: object, known: dict[int, Block] | None = None) -> Block:
    """A block; a list stands for its blocks in a row.

    Args:
        value: The block, or a list of blocks and lists.
        known: The blocks of lists around it, by their identities: a list that occurs several times is read once.

    Raises:
        SpaceError: For anything else, and for lists that are nested too deeply.
    """
    if isinstance(value, Block):
        return value
    if not isinstance(value, (list, tuple)):
        empty = "; no layer is an empty list, []" if value is None else ""
        raise SpaceError(f"a building block is a layer or a list of layers, not {show(value)}{empty}")
    known = {} if known is None else known
    if id(value) not in known:
        try:
            known[id(value)] = Sequential([as_block(each, known) for each in value])
        except RecursionError:
            raise SpaceError("the blocks of a space are nested too deeply, or without end") from None
    return known[id(value)]


class Sequential(Block):
    """Blocks in a row; without any it hands on its input.

    Args:
        blocks: The blocks, from input to output.
    """

    def __init__(self, blocks: Sequence[BlockLike]) -> None:
        known: dict[int, Block] = {}
        self.blocks = tuple(as_block(block, known) for block in blocks)
        self.steps = max(1, sum(block.steps for block in self.blocks))

    def parts(self) -> Sequence[Block]:
        """The blocks."""
        return self.blocks

    @property
    def nested(self) -> Nested:
        """How the tensors that the last block makes are nested."""
        return self.blocks[-1].nested if self.blocks else None

    def write_all(self, writer: Sink, inputs: Sequence[int], guard: Guard) -> tuple[int, ...]:
        """Writes the blocks one after the other."""
        named: dict[str, int] = {}
        for position, block in enumerate(self.blocks):
            if isinstance(block, InputChoice):
                inputs = block.among(named, inputs if position == 0 else None)
            elif position and len(inputs) > 1 and not (isinstance(block, Layer) and block.MERGES):
                raise SpaceError(
                    f"{show(self.blocks[position - 1])} makes {len(inputs)} tensors, but {show(block)} behind it in a "
                    f"list takes one; {IN_A_GRAPH}"
                )
            inputs = block.write_all(writer, inputs, guard)
            if isinstance(block, Layer) and block.name is not None:
                named[block.name] = inputs[0]
        if not self.blocks and len(inputs) != 1:
            raise SpaceError(f"a row of no layers hands on one tensor, but {len(inputs)} were given")
        return tuple(inputs)

    def __repr__(self) -> str:
        return f"Sequential({show(list(self.blocks))})"


class Residual(Block):
    """`x + body(x)`: the output of the body has the shape of its input, or one that broadcasts with it, as in `Add`.

    With another `merge` it is `x * body(x)`, as in squeeze and excitation (`Multiply`), or both side by side
    (`Concatenate`).

    Args:
        body: What is added to the input: a block, or a list of blocks in a row.
        shortcut: What the input goes through instead of being added as it is, such as a 1x1 convolution. Default:
            `None`.
        merge: The layer, or block, that makes one tensor of the input and the output of the body, in this order;
            `None` for `Add`. Default: `None`.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> block = ab.Residual([layers.Conv2D(4, 3, padding="same"), layers.ReLU()])
        >>> [each.type for each in ab.Space([layers.Input((8, 8, 4)), block]).architecture().layers]
        ['Input', 'Conv2D', 'ReLU', 'Add']
    """

    def __init__(self, body: BlockLike, shortcut: BlockLike | None = None, *, merge: BlockLike | None = None) -> None:
        self.body = as_block(body)
        self.shortcut = as_block([] if shortcut is None else shortcut)
        self.merge = Add() if merge is None else as_block(merge)
        self.steps = self.body.steps + self.shortcut.steps + self.merge.steps

    def parts(self) -> Sequence[Block]:
        """The body, the shortcut and what merges them."""
        return (self.body, self.shortcut, self.merge)

    def write(self, writer: Sink, inputs: Sequence[int], guard: Guard) -> int:
        """Writes the body, the shortcut and what merges them."""
        body = self.body.write(writer, inputs, guard)
        shortcut = self.shortcut.write(writer, inputs, guard)
        return self.merge.write(writer, (shortcut, body), guard)

    def __repr__(self) -> str:
        return f"Residual({show(self.body)})"


class Part(Block):
    """A part of a graph as one block: calls of blocks between one tensor that flows in and one that flows out.

    Args:
        calls: The calls in their order; each is a block and the tensors that it reads. A tensor is the number of the
            call that makes it and its place among those that the call makes; (-1, 0) is the one that flows in.
        result: The tensor that flows out.
    """

    def __init__(self, calls: Sequence[tuple[Block, Sequence[tuple[int, int]]]], result: tuple[int, int]) -> None:
        self.calls = tuple((block, tuple(inputs)) for block, inputs in calls)
        self.result = result
        self.steps = max(1, sum(block.steps for block, _ in self.calls))

    def parts(self) -> Sequence[Block]:
        """The blocks that are called."""
        return tuple(block for block, _ in self.calls)

    def write(self, writer: Sink, inputs: Sequence[int], guard: Guard) -> int:
        """Writes the calls."""
        written: list[tuple[int, ...]] = [tuple(inputs)]
        for block, read in self.calls:
            sources = [written[call + 1][place] for call, place in read]
            written.append(tuple(block.write_all(writer, sources, guard)))
        return written[self.result[0] + 1][self.result[1]]

    def __repr__(self) -> str:
        return f"Part({show([block for block, _ in self.calls])})"


class OneOf(Block):
    """One of several blocks, by a decision.

    Args:
        name: The name of the decision, or the decision itself.
        blocks: The blocks by the values of the decision; or a list, where the value is the name of a layer, or its type
            and position.

    Raises:
        SpaceError: If there is no block, or the blocks are not one for each value of a given decision.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> pool = ab.OneOf("pool", {"max": [layers.MaxPooling2D(2)], "none": []})
        >>> space = ab.Space([layers.Input((8, 8, 1)), pool, layers.Flatten(), layers.Dense(10)])
        >>> [space.architecture(pool=pool).params for pool in ("max", "none")]
        [170, 650]
    """

    def __init__(self, name: str | Decision, blocks: Mapping[Any, BlockLike] | Sequence[BlockLike]) -> None:
        if isinstance(blocks, (list, tuple)):
            known: dict[Any, BlockLike] = {}
            for position, block in enumerate(blocks):
                if (label := _label(block, position)) in known:
                    raise SpaceError(f"two blocks of OneOf are named {show(label)}")
                known[label] = block
            blocks = known
        if not isinstance(blocks, Mapping):
            raise SpaceError(f"OneOf needs a list of blocks, or a mapping from values to blocks, not {show(blocks)}")
        if isinstance(name, Expression) and not isinstance(name, Decision):
            raise SpaceError(
                f"OneOf takes a decision, or the name of a new one, not the expression {show(name)}: give each value "
                "of a decision its block"
            )
        self.decision = name if isinstance(name, Decision) else Choice(name, blocks)
        if set(self.decision.values) != set(blocks):
            raise SpaceError(
                f"OneOf needs a block for each value of decision '{self.decision.name}', which are "
                f"{show(list(self.decision.values))}; given {show(list(blocks))}"
            )
        self.blocks = FrozenDict({label: as_block(block) for label, block in blocks.items()})
        self.steps = max(1, sum(block.steps for block in self.blocks.values()))

    def parts(self) -> Sequence[Block]:
        """The blocks, in the order of their values."""
        return tuple(self.blocks.values())

    def all_decisions(self) -> Iterator[Decision]:
        """The decision that takes one of them."""
        yield self.decision

    def write(self, writer: Sink, inputs: Sequence[int], guard: Guard) -> int:
        """Writes each block that may be taken behind a guard, and a tensor where they meet."""
        return _branch(writer, self.decision, guard, lambda value, own: self.blocks[value].write(writer, inputs, own))

    def __repr__(self) -> str:
        return f"OneOf({self.decision.name!r}, {show(list(self.blocks))})"


def _branch(writer: Sink, decision: Decision, guard: Guard, write: Callable[[Scalar, Guard], int], /) -> int:
    """Writes something behind a guard for each value of a decision, and a tensor where they meet."""
    values = writer.values(decision)
    meeting = writer.tensor()
    writer.read(decision, guard)
    for index, value in enumerate(values):
        own = [*guard, writer.atom(decision, ((index, index + 1),))]
        writer.alias(write(value, own), meeting, own)
    return meeting


def _label(block: object, position: int) -> str:
    if isinstance(block, Layer) and block.name is not None:
        return block.name
    kind = block.kind if isinstance(block, Layer) else "Sequential" if isinstance(block, list) else type(block).__name__
    return f"{position}_{kind}"


class InputChoice(Block):
    """One of several tensors, or some of them merged, by a decision: a node that picks what it reads.

    It only chooses what is read: layers whose tensor is not chosen still exist, and count. (A Keras model cannot have
    them: `to_keras` omits layers that lead to no output.)

    A choice of one tensor has the values 0, 1, ..., its position among the tensors. Any other choice has labels such as
    `"0+2"`, first those of the fewest tensors, those of equally many in the order of their positions:
    `"0"`, `"1"`, `"2"`, `"0+1"`, `"0+2"`, `"1+2"`, `"0+1+2"`.

    Args:
        name: The name of the decision, or the decision itself, over exactly these values.
        n_chosen: How many tensors are read: a number, or the least and the most, or `None` for any but none. Default:
            `1`.
        merge: The layer, or block, that makes one tensor of several; `None` for `Add`. A tensor that is chosen alone is
            handed on as it is, so what is to come in any case stands behind the choice. Default: `None`.
        inputs: In a list of layers, the names of the layers before it in the same list whose tensors it chooses among.
            Without them it is called on a list of tensors. Default: `None`.

    Raises:
        SpaceError: If `n_chosen` or `inputs` is none of these; and when a space is made, if there are fewer tensors,
            more than 8,192 ways to choose, or a given decision has other values.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> image = layers.Input((32, 32, 3))
        >>> narrow = layers.Conv2D(8, 1, padding="same")(image)
        >>> wide = layers.Conv2D(8, 5, padding="same")(narrow)
        >>> source = ab.Int("source", 0, 1)
        >>> x = layers.InputChoice(source)([narrow, wide])
        >>> x = layers.Conv2D(16, 3, strides=(source < 1) + 1)(x)
        >>> joint = layers.InputChoice("last", n_chosen=None, merge=layers.Concatenate())([narrow, wide])
        >>> space = ab.Space(inputs=image, outputs=[x, joint])
        >>> space.decisions["last"]
        Choice('last', ['0', '1', '0+1'])
        >>> space.size
        6
    """

    INTERNAL = ("alone", "among", "given", "least", "most")

    def __init__(
        self,
        name: str | Decision,
        n_chosen: int | Sequence[int] | None = 1,
        merge: BlockLike | None = None,
        *,
        inputs: Sequence[str] | None = None,
    ) -> None:
        self.given = name
        self.name = name.name if isinstance(name, Decision) else Choice(name, [0]).name
        ends = (n_chosen, n_chosen) if isinstance(n_chosen, int) else (1, None) if n_chosen is None else n_chosen
        if not _is_range(ends):
            raise SpaceError(
                f"InputChoice '{self.name}': n_chosen must be a number from 1 on, the least and the most, or None, not "
                f"{show(n_chosen)}"
            )
        self.least: int = ends[0]
        self.most: int | None = ends[1]
        self.alone = n_chosen == 1
        self.merge = None if merge is None else as_block(merge)
        if inputs is not None and (
            not isinstance(inputs, (list, tuple)) or not inputs or not all(isinstance(each, str) for each in inputs)
        ):
            raise SpaceError(f"InputChoice '{self.name}': inputs must be names of layers, not {show(inputs)}")
        self.inputs = None if inputs is None else tuple(inputs)

    def __call__(self, inputs: TensorLike | Sequence[TensorLike]) -> Any:
        """The tensor that is chosen among these, in a graph that is being described."""
        if self.inputs is not None or not isinstance(inputs, (list, tuple)) or not inputs:
            alone = "an empty one" if isinstance(inputs, (list, tuple)) else "a tensor by itself"
            given = alone if self.inputs is None else "tensors beside the names of its inputs"
            raise SpaceError(f"InputChoice '{self.name}' takes a list of at least one tensor, not {given}")
        return super().__call__(inputs)

    def among(self, named: Mapping[str, int], flowing: Sequence[int] | None) -> Sequence[int]:
        """The tensors to choose among in a row of layers.

        Args:
            named: The tensors of the layers before it, by name.
            flowing: The tensors that flow into the row, if it stands first.

        Raises:
            SpaceError: If it names what is no layer before it, or names nothing and does not stand first.
        """
        if self.inputs is None:
            if flowing is None:
                raise SpaceError(
                    f"InputChoice '{self.name}' stands in a list and needs inputs: names of layers before it"
                )
            return flowing
        for name in self.inputs:
            if name not in named:
                raise SpaceError(
                    f"InputChoice '{self.name}': no layer before it in its list is named {show(name)}"
                    f"{hint(name, named)}"
                )
        return [named[name] for name in self.inputs]

    def parts(self) -> Sequence[Block]:
        """What merges several tensors, if it is given."""
        return () if self.merge is None else (self.merge,)

    def all_decisions(self) -> Iterator[Decision]:
        """The decision; without its values, where these follow from the tensors."""
        yield self.given if isinstance(self.given, Decision) else Choice(self.given, [0])

    def write(self, writer: Sink, inputs: Sequence[int], guard: Guard) -> int:
        """Writes what merges each choice behind a guard, and a tensor where they meet."""
        choices = self._choices(len(inputs))
        if not isinstance(self.given, Decision):
            decision: Decision = Int(self.given, 0, len(inputs) - 1) if self.alone else Choice(self.given, choices)
        else:
            decision = self.given
            if self.alone:
                decision.require_integers("it says which tensor is read")
            if set(decision.values) != set(choices):
                raise SpaceError(
                    f"InputChoice among {len(inputs)} tensors needs the values {show(list(choices))}; decision "
                    f"'{self.name}' has {show(list(decision.values))}"
                )
        merge = Add() if self.merge is None else self.merge

        def write(value: Scalar, own: Guard) -> int:
            chosen = [inputs[position] for position in choices[value]]
            return chosen[0] if len(chosen) == 1 else merge.write(writer, chosen, own)

        return _branch(writer, decision, guard, write)

    def _choices(self, count: int) -> dict[Scalar, tuple[int, ...]]:
        """The positions that each value of the decision stands for."""
        most = count if self.most is None else self.most
        if most > count:
            raise SpaceError(f"InputChoice '{self.name}' chooses {show(most)} tensors among {count}")
        sizes = range(self.least, most + 1)
        number = 0
        for size in sizes:
            number += comb(count, size)
            if number > MOST_BRANCHES:
                # The number of all ways is large where the tensors are many.
                ways = f"{sum(comb(count, each) for each in sizes):,}" if count <= 64 else f"over {MOST_BRANCHES:,}"
                raise SpaceError(
                    f"InputChoice '{self.name}' can choose among {count} tensors in {ways} ways; at most "
                    f"{MOST_BRANCHES:,} are supported"
                )
        chosen = [each for size in sizes for each in combinations(range(count), size)]
        return {each[0] if self.alone else "+".join(map(str, each)): each for each in chosen}

    def __repr__(self) -> str:
        return f"InputChoice({self.name!r})"


def _is_range(ends: object) -> bool:
    """Whether it is two numbers from 1 on, the second not below the first; it may be open."""
    if not isinstance(ends, (list, tuple)) or len(ends) != 2:
        return False
    least, most = ends
    if not all(isinstance(end, int) and not isinstance(end, bool) for end in (least, least if most is None else most)):
        return False
    return least >= 1 and (most is None or least <= most)


class Repeat(Block):
    """A block several times in a row, as often as a decision says.

    Each repetition takes its own decisions: one named `width` becomes `width_1`, `width_2`, ... Layers are new in each
    repetition, even if a function gives the same objects, or another `Repeat` has them too. What is in `shared` is the
    same everywhere: decisions keep their name, layers their weights.

    Args:
        times: How often: an integer, a decision over integers, or an expression over decisions, such as
            `depth.map(...)` or `base * multiplier`; never below 0.
        block: The block; or a function from the number of the repetition, counted from 1, to a block, whose decisions
            are taken as they are.
        shared: Decisions, names of decisions, or layers, that all repetitions share. A shared layer has one name, one
            set of weights, and shares the decisions that it reads. Default: `()`.

    Raises:
        SpaceError: If `times` is none of these, or below 0 for some values of its decisions, or more layers come of it
            than a space may have (65,536).

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> depth = ab.Choice("depth", [1.0, 1.4, 2.2])
        >>> again = layers.Dense(8, name="again")
        >>> space = ab.Space([
        ...     layers.Input((8,)),
        ...     layers.Repeat(depth.map(lambda value: round(2 * value)), layers.Dense(8)),
        ...     layers.Repeat(3, [again, layers.BatchNormalization()], shared=[again]),
        ... ])
        >>> space.evaluate({"depth": [1.0, 1.4, 2.2]})["params"].tolist()
        [312, 384, 456]
        >>> space.layer_names[-4:]
        ('again', 'batch_normalization', 'batch_normalization_1', 'batch_normalization_2')
    """

    INTERNAL = ("given", "most")

    def __init__(
        self,
        times: IntLike,
        block: BlockLike | Callable[[int], BlockLike],
        *,
        shared: Sequence[Decision | str | Layer] = (),
    ) -> None:
        if isinstance(times, Decision):
            times.require_integers("it says how often a block is repeated")
        elif not isinstance(times, Expression) and (isinstance(times, bool) or not isinstance(times, int)):
            raise SpaceError(
                f"Repeat: times must be an integer, a decision or an expression over them, not {show(times)}"
            )
        self.times = times
        counts = _counts(times, Slots())
        least, most = int(counts.min()), int(counts.max())
        self.most = most
        """The most repetitions."""
        if least < 0:
            raise SpaceError(f"Repeat: a block cannot be repeated {show(least)} times")
        # A space can be called, to say that it cannot; it is a collection.
        self.block = block if callable(block) and not isinstance(block, (Block, Collection)) else as_block(block)
        self.steps = require_steps(most * (self.block.steps if isinstance(self.block, Block) else 1), "a Repeat")
        if not isinstance(shared, (list, tuple, set, frozenset)) or not all(
            isinstance(each, (Decision, str, Layer)) for each in shared
        ):
            raise SpaceError(f"Repeat: shared must be a list of decisions, names of them or layers, not {show(shared)}")
        self.given = tuple(each.name if isinstance(each, Decision) else each for each in shared)
        """The layers, and decisions by their names, that are shared as such."""
        given = [each for each in shared if isinstance(each, Layer)]
        read = [decision.name for each in given for decision in each.all_decisions()]
        held = [member.layer for each in given for member in each.members() if member.layer is not None]
        self.shared = frozenset([*self.given, *read, *held])
        if self.given and isinstance(self.block, Block):
            found, known = _within(self.block)
            if known and (message := self._untied(found)) is not None:
                raise SpaceError(message)

    def _untied(self, found: Set[str | Layer]) -> str | None:
        """What is said of the first shared name or layer that the block does not have."""
        for each in self.given:
            if isinstance(each, str) and each not in found:
                names = sorted(name for name in found if isinstance(name, str))
                return f"Repeat: no decision of the block is named {show(each)}, which is shared{hint(each, names)}"
            if each not in found:
                return f"Repeat: {show(each)} is shared, but is no layer of the block"
        return None

    def parts(self) -> Sequence[Block] | None:
        """The block; `None` where a function makes it."""
        return (self.block,) if isinstance(self.block, Block) else None

    def all_decisions(self) -> Iterator[Decision]:
        """The decisions that say how often."""
        yield from _decisions(self.times)

    def write(self, writer: Sink, inputs: Sequence[int], guard: Guard) -> int:
        """Writes each repetition behind guards, and a tensor behind each that may be left out."""
        if len(inputs) != 1:
            raise SpaceError(f"Repeat hands one tensor on from block to block, but {len(inputs)} were given")
        (tensor,) = inputs
        decisions = _decisions(self.times)
        for decision in decisions:
            writer.read(decision, guard)
        counts = _counts(self.times, writer)

        def guards(boxes: list[Box]) -> list[Guard]:
            """The guard once for each way in which a condition on the decisions may hold."""
            whole = [((0, size),) for size in counts.shape]
            return [
                [
                    *guard,
                    *(
                        writer.atom(decision, ranges)
                        for decision, ranges, every in zip(decisions, box, whole, strict=True)
                        if ranges != every
                    ),
                ]
                for box in boxes
            ]

        found: set[str | Layer] = set()
        for number, (at_least, fewer) in enumerate(_thresholds(counts), 1):
            taken, skipped = guards(at_least), guards(fewer)
            if isinstance(self.block, Block):
                block, suffix = self.block, f"_{number}"
            else:
                block, suffix = as_block(self.block(number)), ""
            with writer.repetition(Repetition(self, number, suffix, self.shared, found)):
                made = [(block.write(writer, (tensor,), own), own) for own in taken]
            if not skipped and len(made) == 1:
                tensor = made[0][0]
                continue
            meeting = writer.tensor()
            for source, own in [*made, *((tensor, own) for own in skipped)]:
                writer.alias(source, meeting, own)
            tensor = meeting
        if counts.max() and (message := self._untied(found)) is not None:
            writer.untied(message)
        return tensor

    def __getstate__(self) -> dict[str, Any]:
        """What pickle and copy take along: the blocks that a function gives, in place of the function."""
        if isinstance(self.block, Block):
            return dict(vars(self))
        most = int(_counts(self.times, Slots()).max())
        return {**vars(self), "block": _Numbered(tuple(as_block(self.block(number + 1)) for number in range(most)))}

    def __repr__(self) -> str:
        return f"Repeat({self.times!r}, {show(self.block)})"


def _within(block: Block) -> tuple[set[str | Layer], bool]:
    """The layers of a block and the names of its decisions, and whether these are all."""
    found: set[str | Layer] = set()
    seen: set[int] = set()
    waiting, known = [block], True
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        found.update(decision.name for decision in each.all_decisions())
        if isinstance(each, Layer):
            found.update([each, *(member.layer for member in each.members() if member.layer is not None)])
        parts = each.parts()
        known = known and parts is not None
        waiting.extend(parts or ())
    return found, known


def names_within(block: Block) -> list[str] | None:
    """The names of the decisions of a block; `None` where only writing it tells."""
    found, known = _within(block)
    return sorted(name for name in found if isinstance(name, str)) if known else None


@dataclass(frozen=True)
class _Numbered:
    """The blocks of the repetitions that a function gave, as a function."""

    blocks: tuple[Block, ...]

    def __call__(self, number: int) -> Block:
        return self.blocks[number - 1]


def _decisions(times: IntLike) -> list[Decision]:
    """The decisions that a number of repetitions reads, each once."""
    return list({each.name: each for each in times.decisions()}.values()) if isinstance(times, Expression) else []


def _counts(times: IntLike, scope: Scope) -> npt.NDArray[np.int64]:
    """How often a block may be repeated: an axis for each decision that it depends on."""
    if not isinstance(times, Expression):
        return np.array(times)
    domains = {decision.name: scope.values(decision) for decision in _decisions(times)}
    size = prod(map(len, domains.values()))
    if size > MOST_VALUES:
        raise SpaceError(
            f"Repeat: {show(times)} has {size:,} combinations of values; at most {MOST_VALUES:,} are supported"
        )
    counts = [int(times.at(dict(zip(domains, values, strict=True)))) for values in product(*domains.values())]  # type: ignore[arg-type]
    return np.array(counts).reshape([len(values) for values in domains.values()])


def _thresholds(counts: npt.NDArray[np.int64]) -> Iterator[tuple[list[Box], list[Box]]]:
    """For each number up to the largest where the counts reach it, and where they do not."""
    if counts.ndim != 1:
        for number in range(1, int(counts.max()) + 1):
            yield _boxes(counts >= number), _boxes(counts < number)
        return
    # Along one axis each count is compared with its neighbours alone, however many numbers there are.
    edges: list[list[int]] = [[] for _ in range(int(counts.max()) + 1)]
    before = 0
    for index, count in enumerate([*counts.tolist(), 0]):
        for number in range(min(before, count) + 1, max(before, count) + 1):
            edges[number].append(index)
        before = count
    for ends in edges[1:]:
        yield [(_pairs(ends),)], [(between,)] if (between := _pairs([0, *ends, len(counts)])) else []


def _pairs(ends: Sequence[int]) -> Ranges:
    """Ranges, without those that are empty."""
    return tuple((start, stop) for start, stop in zip(ends[::2], ends[1::2], strict=True) if start < stop)


def _boxes(holds: npt.NDArray[np.bool_]) -> list[Box]:
    """Boxes that do not overlap, and together cover all where a condition holds, and nothing else."""
    if holds.ndim == 0:
        return [()] if holds else []
    rows, width = holds.tobytes(), holds[0].size
    alike: dict[bytes, list[int]] = {}
    for index in range(len(holds)):
        alike.setdefault(rows[index * width : (index + 1) * width], []).append(index)
    boxes = []
    for indices in alike.values():
        here = np.zeros(len(holds) + 2, dtype=bool)
        here[np.array(indices) + 1] = True
        ranges = _pairs(np.flatnonzero(here[1:] != here[:-1]).tolist())
        boxes += [(ranges, *others) for others in _boxes(holds[indices[0]])]
    return boxes


class Require(Block):
    """A condition between decisions that a network must meet; it hands on its input.

    It takes the decisions that it reads where it stands, as a layer does: within a `Repeat` those of the repetition, in
    a branch of a `OneOf` only in networks that take the branch. What decisions of different parts must meet together
    is said with `Space(constraints=...)`.

    Args:
        condition: The condition, such as `width1 <= width2`, `a == b`, `(a <= 3) | (b > 1)`. It may read the sides of
            its input: `channels(0) == side`.

    Raises:
        SpaceError: If it is not a condition, or reads neither a decision nor its input.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> side = ab.Int("side", 60, 80)
        >>> times = ab.Int("times", 1, 3)
        >>> space = ab.Space([
        ...     layers.Input((side, side, 1)),
        ...     layers.Repeat(times, layers.MaxPooling2D(2, padding="same")),
        ...     layers.Repeat(times, layers.UpSampling2D(2)),
        ...     layers.Require(ab.channels(0) == side),
        ... ])
        >>> space.size
        20
    """

    def __init__(self, condition: Expression) -> None:
        self.condition = as_condition(condition, reads_input=True)

    def parts(self) -> Sequence[Block]:
        """None."""
        return ()

    def all_decisions(self) -> Iterator[Decision]:
        """The decisions of the condition."""
        yield from self.condition.decisions()

    def write(self, writer: Sink, inputs: Sequence[int], guard: Guard) -> int:
        """Writes the condition, and hands on the input."""
        if len(inputs) != 1:
            raise SpaceError(f"Require hands on one tensor, but {len(inputs)} were given")
        writer.require(self.condition, guard, inputs[0])
        return inputs[0]

    def __repr__(self) -> str:
        return f"Require({self.condition!r})"
