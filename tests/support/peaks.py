"""The peak of the activations, straight from its definition."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import archbudget as ab

MERGES = {"Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"}
"""The layers that combine several tensors element by element."""

IN_PLACE = MERGES | {"Activation", "BatchNormalization", "Dropout", "Flatten", "Identity", "ReLU"}
"""The layers of random spaces that rearrange or work element by element."""


@dataclass(frozen=True)
class Step:
    """A layer: the tensors that it reads, those that it writes and how many values they have."""

    reads: tuple[int, ...]
    writes: tuple[int, ...]
    sizes: tuple[int, ...]
    in_place: bool

    @property
    def values(self) -> int:
        """How many values it writes."""
        return sum(self.sizes)


def alive(steps: Sequence[Step], outputs: Collection[int]) -> list[int]:
    """How many values are alive while each layer runs: what it reads, what is needed after it, and what it writes.

    A layer that works in place writes over one of its inputs that nothing needs after it, if that is large enough.
    """
    sizes: dict[int, int] = {}
    found = []
    for number, step in enumerate(steps):
        later = {tensor for other in steps[number + 1 :] for tensor in other.reads} | set(outputs)
        there = {tensor for tensor in sizes if tensor in later or tensor in step.reads}
        dying = [sizes[tensor] for tensor in step.reads if tensor not in later]
        written_over = step.in_place and max(dying, default=0) >= step.values
        found.append(sum(sizes[tensor] for tensor in there) + (0 if written_over else step.values))
        sizes |= dict(zip(step.writes, step.sizes, strict=True))
    return found


def steps_of(arch: ab.Architecture, in_place: Collection[str] = IN_PLACE) -> tuple[list[Step], set[int]]:
    """The layers of a network and its outputs, each tensor by one name."""
    names = {target: source for source, target in arch._trace.aliases}

    def find(tensors: Iterable[int]) -> tuple[int, ...]:
        found = []
        for tensor in tensors:
            while tensor in names:
                tensor = names[tensor]
            found.append(tensor)
        return tuple(found)

    steps = [
        Step(find(layer.inputs), layer.outputs, tuple(map(math.prod, layer.output_shapes)), layer.type in in_place)
        for layer in arch.layers
    ]
    return steps, set(find(arch.space._compiled.outputs))


def activation_bytes(arch: ab.Architecture, in_place: Collection[str] = IN_PLACE) -> list[int]:
    """The bytes of the tensors alive while each layer of a network runs, 4 for each value."""
    return [4 * values for values in alive(*steps_of(arch, in_place))]
