"""Layers put together: in a row, one of several, several times, around a skip connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

from archbudget._expressions import Choice, Decision, Unbound, as_condition
from archbudget.errors import SpaceError
from archbudget.layers._base import Block, Layer
from archbudget.layers._layers import Add

if TYPE_CHECKING:
    from archbudget._expressions import Expression, Scope
    from archbudget._program import Guard, Writer

BlockLike = Union[Block, Sequence["BlockLike"]]
"""A block, or blocks in a row."""


def as_block(value: object) -> Block:
    """A block; a list stands for its blocks in a row.

    Raises:
        SpaceError: For anything else.
    """
    if isinstance(value, Block):
        return value
    if isinstance(value, (list, tuple)):
        return Sequential(value)
    raise SpaceError(f"a building block is a layer or a list of layers, not {value!r}")


class Sequential(Block):
    """Blocks in a row; without any it hands on its input.

    Args:
        blocks: The blocks, from input to output.
    """

    def __init__(self, blocks: Sequence[BlockLike]) -> None:
        self.blocks = tuple(as_block(block) for block in blocks)

    def write(self, writer: Writer, inputs: Sequence[int], guard: Guard) -> int:
        """Writes the blocks one after the other."""
        for block in self.blocks:
            inputs = (block.write(writer, inputs, guard),)
        if len(inputs) != 1:
            raise SpaceError(f"a row of no layers hands on one tensor, but {len(inputs)} were given")
        return inputs[0]

    def __repr__(self) -> str:
        return f"Sequential({list(self.blocks)!r})"


class Residual(Block):
    """`x + body(x)`: the output of the body must have the shape of its input.

    Args:
        body: What is added to the input.
        shortcut: What the input goes through instead of being added as it is, such as a 1x1 convolution.
    """

    def __init__(self, body: BlockLike, shortcut: BlockLike | None = None) -> None:
        self.body = as_block(body)
        self.shortcut = as_block([] if shortcut is None else shortcut)
        self.add = Add()

    def write(self, writer: Writer, inputs: Sequence[int], guard: Guard) -> int:
        """Writes the body, the shortcut and their sum."""
        body = self.body.write(writer, inputs, guard)
        shortcut = self.shortcut.write(writer, inputs, guard)
        return writer.apply(self.add, (shortcut, body), guard, always_new=True)

    def __repr__(self) -> str:
        return f"Residual({self.body!r})"


class OneOf(Block):
    """One of several blocks, by a decision.

    Args:
        name: The name of the decision, or the decision itself.
        blocks: The blocks by the values of the decision; or a list, where the value is the name of a layer, or its type
            and position.

    Raises:
        SpaceError: If there is no block, or the blocks are not one for each value of a given decision.
    """

    def __init__(self, name: str | Decision, blocks: Mapping[Any, BlockLike] | Sequence[BlockLike]) -> None:
        if not isinstance(blocks, Mapping):
            labels = [_label(block, position) for position, block in enumerate(blocks)]
            twice = next((label for label in labels if labels.count(label) > 1), None)
            if twice is not None:
                raise SpaceError(f"two blocks of OneOf are named {twice!r}")
            blocks = dict(zip(labels, blocks, strict=True))
        self.decision = name if isinstance(name, Decision) else Choice(name, blocks)
        if set(self.decision.values) != set(blocks):
            raise SpaceError(
                f"OneOf needs a block for each value of decision '{self.decision.name}', which are "
                f"{list(self.decision.values)!r}; given {list(blocks)!r}"
            )
        self.blocks = {label: as_block(block) for label, block in blocks.items()}

    def write(self, writer: Writer, inputs: Sequence[int], guard: Guard) -> int:
        """Writes each block that may be taken behind a guard, and a tensor where they meet."""
        values = writer.values(self.decision)
        meeting = writer.tensor()
        writer.read(self.decision, guard)
        for index, value in enumerate(values):
            own = [*guard, writer.atom(self.decision, [other == index for other in range(len(values))])]
            writer.alias(self.blocks[value].write(writer, inputs, own), meeting, own)
        return meeting

    def __repr__(self) -> str:
        return f"OneOf({self.decision.name!r}, {list(self.blocks)!r})"


def _label(block: object, position: int) -> str:
    if isinstance(block, Layer) and block.name is not None:
        return block.name
    kind = block.kind if isinstance(block, Layer) else "Sequential" if isinstance(block, list) else type(block).__name__
    return f"{position}_{kind}"


class Repeat(Block):
    """A block several times in a row, as often as a decision says.

    Each repetition takes its own decisions: one named `width` becomes `width_1`, `width_2`, ... Decisions in `shared`
    keep their name, and so are the same everywhere. Layers are new in each repetition.

    Args:
        times: How often: an integer, or a decision over integers of at least 0.
        block: The block; or a function from the number of the repetition, counted from 1, to a block, whose decisions
            are taken as they are.
        shared: Decisions, or names of decisions, that all repetitions share.
    """

    def __init__(
        self,
        times: int | Decision,
        block: BlockLike | Callable[[int], BlockLike],
        *,
        shared: Sequence[Decision | str] = (),
    ) -> None:
        if isinstance(times, Decision):
            times.require_integers("it says how often a block is repeated")
        elif isinstance(times, bool) or not isinstance(times, int):
            raise SpaceError(f"Repeat: times must be an integer or a decision, not {times!r}")
        self.times = times
        least = min(_counts(times, Unbound()))
        if least < 0:
            raise SpaceError(f"Repeat: a block cannot be repeated {least} times")
        self.block = block if callable(block) and not isinstance(block, Block) else as_block(block)
        self.shared = frozenset(each.name if isinstance(each, Decision) else each for each in shared)

    def write(self, writer: Writer, inputs: Sequence[int], guard: Guard) -> int:
        """Writes each repetition behind a guard, and a tensor behind each that may be left out."""
        if len(inputs) != 1:
            raise SpaceError(f"Repeat hands one tensor on from block to block, but {len(inputs)} were given")
        (tensor,) = inputs
        if isinstance(self.times, Decision):
            writer.read(self.times, guard)
        counts = _counts(self.times, writer)
        for number in range(1, max(counts) + 1):
            if isinstance(self.block, Block):
                block, suffix = self.block, f"_{number}"
            else:
                block, suffix = as_block(self.block(number)), ""
            with writer.repetition(suffix, self.shared):
                if number <= min(counts):
                    tensor = block.write(writer, (tensor,), guard)
                    continue
                if not isinstance(self.times, Decision):
                    raise AssertionError("a fixed number of repetitions is the least and the most")
                taken = [count >= number for count in counts]
                own = [*guard, writer.outer_atom(self.times, taken)]
                meeting = writer.tensor()
                writer.alias(block.write(writer, (tensor,), own), meeting, own)
                skipped = [*guard, writer.outer_atom(self.times, [not flag for flag in taken])]
                writer.alias(tensor, meeting, skipped)
                tensor = meeting
        return tensor

    def __repr__(self) -> str:
        return f"Repeat({self.times!r}, {self.block!r})"


class Require(Block):
    """A condition between decisions that a network must meet; it hands on its input.

    It takes the decisions that it reads where it stands, as a layer does: within a `Repeat` those of the repetition, in
    a branch of a `OneOf` only in networks that take the branch. What decisions of different parts must meet together
    is said with `Space(constraints=...)`.

    Args:
        condition: The condition, such as `width1 <= width2`, `equal(a, b)`, `either(a <= 3, b > 1)`.

    Raises:
        SpaceError: If it is not a condition, or reads no decision.
    """

    def __init__(self, condition: Expression) -> None:
        self.condition = as_condition(condition)

    def write(self, writer: Writer, inputs: Sequence[int], guard: Guard) -> int:
        """Writes the condition, and hands on the input."""
        if len(inputs) != 1:
            raise SpaceError(f"Require hands on one tensor, but {len(inputs)} were given")
        writer.require(self.condition, guard)
        return inputs[0]

    def __repr__(self) -> str:
        return f"Require({self.condition!r})"


def _counts(times: int | Decision, scope: Scope) -> tuple[int, ...]:
    """How often a block may be repeated."""
    values = scope.values(times) if isinstance(times, Decision) else (times,)
    return tuple(count for count in values if isinstance(count, int))
