"""Which channels of a model are one: each has a number, and those that are added to each other are joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Union

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Numbers = npt.NDArray[np.int64]
Axis = Union[Numbers, None]
"""The channel that each place of an axis belongs to; `None` for an axis that keeps all of its places."""
Label = tuple[Axis, ...]
"""The axes of a tensor but that of the batch, or of a weight."""

MOST_ELEMENTS = 50_000_000
"""The largest tensor that is followed through a reshaping."""


class Held(NamedTuple):
    """Channels that must stay."""

    numbers: Numbers
    why: str


class Channels:
    """The channels of a model, in classes of those that stay or go together."""

    def __init__(self) -> None:
        self._parents: list[int] = []
        self.held: list[Held] = []

    def __len__(self) -> int:
        return len(self._parents)

    def new(self, count: int) -> Numbers:
        """New channels, each of its own class."""
        first = len(self._parents)
        self._parents.extend(range(first, first + count))
        return np.arange(first, first + count, dtype=np.int64)

    def hold(self, label: Iterable[Axis], why: str) -> None:
        """Notes that the channels of some axes must stay."""
        self.held += [Held(axis, why) for axis in label if axis is not None]

    def join(self, one: Numbers, other: Numbers) -> None:
        """Makes channels of two axes one, place by place."""
        for first, second in zip(one.tolist(), other.tolist(), strict=True):
            a, b = self._root(first), self._root(second)
            self._parents[max(a, b)] = min(a, b)

    def joined(self, one: Axis, other: Axis, why: str) -> Axis:
        """The axis that two equal ones become; what cannot lose places keeps the other from it, too."""
        if one is None or other is None:
            self.hold([one, other], why)
            return None
        self.join(one, other)
        return one

    def merged(self, labels: Sequence[Label], shapes: Sequence[Sequence[int | None]], why: str) -> Label:
        """The axes of what an elementwise operation makes, which repeats sides of 1."""
        rank = max(map(len, labels))
        made: list[Axis] = []
        for place in range(-rank, 0):
            wide: list[Axis] = []
            for label, shape in zip(labels, shapes, strict=True):
                if len(label) < -place:
                    continue
                if shape[place] == 1:
                    self.hold([label[place]], why)
                else:
                    wide.append(label[place])
            axis = wide[0] if wide else None
            for each in wide[1:]:
                axis = self.joined(axis, each, why)
            made.append(axis)
        return tuple(made)

    def _root(self, number: int) -> int:
        parents = self._parents
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    def classes(self) -> Numbers:
        """The class of each channel."""
        return np.fromiter((self._root(each) for each in range(len(self._parents))), np.int64, len(self._parents))


def concatenated(
    channels: Channels, labels: Sequence[Label], shapes: Sequence[Sequence[int | None]], axis: int
) -> Axis:
    """The axis along which tensors are concatenated."""
    if all(label[axis] is None for label in labels):
        return None
    parts: list[Numbers] = []
    for label, shape in zip(labels, shapes, strict=True):
        found, side = label[axis], shape[axis]
        if found is None:
            assert side is not None
            found = channels.new(side)
            channels.hold([found], "they are no channels of a layer that can lose some")
        parts.append(found)
    return np.concatenate(parts)


def reshaped(label: Label, shape: Sequence[int | None], made: Sequence[int | None]) -> Label | None:
    """The axes of a tensor that is written in another shape; `None` where its channels are no axis of that."""
    places = [place for place, axis in enumerate(label) if axis is not None]
    if not places:
        return (None,) * len(made)
    known = [side for side in shape if side is not None]
    if len(places) > 1 or len(known) < len(shape) or None in made or np.prod(known, dtype=float) > MOST_ELEMENTS:
        return None
    sides = [side for side in made if side is not None]
    numbers = label[places[0]]
    assert numbers is not None
    along = [-1 if place == places[0] else 1 for place in range(len(shape))]
    elements = np.broadcast_to(numbers.reshape(along), known).reshape(sides)
    for place in range(len(sides)):
        first = elements[tuple(slice(None) if each == place else slice(0, 1) for each in range(len(sides)))]
        if np.array_equal(np.broadcast_to(first, elements.shape), elements):
            return tuple(first.reshape(-1).copy() if each == place else None for each in range(len(sides)))
    return None
