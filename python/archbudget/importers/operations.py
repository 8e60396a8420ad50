"""Operations between layers, such as those of `keras.ops`, as custom layers: they have shapes and MACs, no weights.

They are layers like any other custom layer. Axes are counted with the batch, which is axis 0 and stays what it is: an
operation that would move or join inputs of a batch is refused.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from archbudget._message import show
from archbudget.errors import InvalidArchitectureError
from archbudget.layers import Counts, custom

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Broadcast",
    "Einsum",
    "ExpandDims",
    "GetItem",
    "Matmul",
    "Pad",
    "Reduce",
    "Reshape",
    "Split",
    "Squeeze",
    "Stack",
    "Unknown",
]

Shape = tuple[int, ...]


def __dir__() -> list[str]:
    return sorted(__all__)


def _axis(axis: Any, rank: int, *, batch: bool = False) -> int:
    """An axis counted from the front, of a tensor of a rank, both with the batch.

    Raises:
        InvalidArchitectureError: If there is no such axis, or it is that of the batch and may not be.
    """
    if isinstance(axis, bool) or not isinstance(axis, int) or not -rank <= axis < rank:
        raise InvalidArchitectureError(f"a tensor of {rank} axes, the batch counted, has no axis {show(axis)}")
    if axis % rank == 0 and not batch:
        raise InvalidArchitectureError(f"axis {axis} is that of the batch")
    return axis % rank


def _axes(given: Any, rank: int) -> list[int]:
    """Several axes, none of them that of the batch."""
    return [_axis(axis, rank) for axis in (given if isinstance(given, (list, tuple)) else (given,))]


def broadcast(shapes: Sequence[Sequence[int]]) -> Shape:
    """The shape that shapes of one rank broadcast to.

    Raises:
        InvalidArchitectureError: If they do not.
    """
    if len({len(shape) for shape in shapes}) > 1:
        raise InvalidArchitectureError(f"tensors of different ranks, {show(list(map(tuple, shapes)))}, meet")
    sides = []
    for each in zip(*shapes, strict=True):
        larger = {side for side in each if side != 1}
        if len(larger) > 1:
            raise InvalidArchitectureError(f"the shapes {show(list(map(tuple, shapes)))} do not broadcast")
        sides.append(larger.pop() if larger else 1)
    return tuple(sides)


def beside(constant: Sequence[int], rank: int) -> Shape:
    """The shape of a constant beside a tensor of a rank, which the batch adds to: ones in front, and no batch.

    Raises:
        InvalidArchitectureError: If it would change the batch.
    """
    sides = tuple(constant)
    if len(sides) > rank:
        if len(sides) > rank + 1 or sides[0] != 1:
            raise InvalidArchitectureError(f"a constant of shape {sides} changes the batch")
        sides = sides[1:]
    return (1,) * (rank - len(sides)) + sides


@custom(in_place=True)
def Broadcast(  # noqa: N802
    input_shapes: Sequence[Shape], operation: str, constants: Sequence[Sequence[int]] | None = None
) -> Counts:
    """A fixed function of the values of several tensors, and of constants, at one place, as numpy broadcasts them.

    `operation` is its name, which changes no count; `constants` are the shapes of the constants.
    """
    del operation
    rank = max(map(len, input_shapes))
    return Counts(output_shape=broadcast([*input_shapes, *(beside(constant, rank) for constant in constants or ())]))


@custom
def Reduce(input_shape: Shape, operation: str, axis: Any, keepdims: bool = False) -> Counts:  # noqa: N802
    """One number for all values along an axis, or along several, such as their mean; they are gone, or have side 1."""
    del operation
    gone = _axes(axis, len(input_shape) + 1)
    sides = [1 if place in gone else side for place, side in enumerate(input_shape, 1) if keepdims or place not in gone]
    return Counts(output_shape=sides)


@custom(in_place=True)
def Reshape(input_shape: Shape, sides: Sequence[int]) -> Counts:  # noqa: N802
    """The values of each input in another shape, one side of which may be -1, for what is left.

    `layers.Reshape` is the same, but takes it that an unknown side fits; here one that may not is refused, as values of
    several inputs would come together.
    """
    held, fixed = prod(input_shape), prod(side for side in sides if side != -1)
    if list(sides).count(-1) > 1 or not fixed or held % fixed or (-1 not in sides and held != fixed):
        raise InvalidArchitectureError(f"its values do not fill the shape {show(tuple(sides))}")
    return Counts(output_shape=[held // fixed if side == -1 else side for side in sides])


@custom(in_place=True)
def ExpandDims(input_shape: Shape, axis: int) -> Counts:  # noqa: N802
    """Its input with one axis of side 1 more."""
    sides = list(input_shape)
    sides.insert(_axis(axis, len(sides) + 2) - 1, 1)
    return Counts(output_shape=sides)


@custom(in_place=True)
def Squeeze(input_shape: Shape, axis: Any) -> Counts:  # noqa: N802
    """Its input without axes of side 1."""
    gone = _axes(axis, len(input_shape) + 1)
    if any(input_shape[place - 1] != 1 for place in gone):
        raise InvalidArchitectureError(f"the axes {show(axis)} of {input_shape} are not all of side 1")
    return Counts(output_shape=[side for place, side in enumerate(input_shape, 1) if place not in gone])


@custom
def Stack(input_shapes: Sequence[Shape], axis: int = 0) -> Counts:  # noqa: N802
    """Tensors of one shape behind each other, along a new axis."""
    if len(set(input_shapes)) > 1:
        raise InvalidArchitectureError(f"tensors of different shapes, {show(list(input_shapes))}, cannot be stacked")
    sides = list(input_shapes[0])
    sides.insert(_axis(axis, len(sides) + 2) - 1, len(input_shapes))
    return Counts(output_shape=sides)


@custom
def GetItem(input_shape: Shape, key: Sequence[Any]) -> Counts:  # noqa: N802
    """A part of a tensor, as `x[:, 0]`: `key` has for each axis from the batch on what stands in the brackets.

    That is an integer, `[start, stop, step]` for a slice, `"..."` or `None` for a new axis.
    """
    left = [-1, *input_shape]
    taken = sum(each is not None and each != "..." for each in key)
    if sum(each == "..." for each in key) > 1 or taken > len(left):
        raise InvalidArchitectureError(f"the key {show(key)} has more axes than a tensor of {input_shape} in a batch")
    entries: list[Any] = []
    for each in key:
        entries += [[None, None, None]] * (len(left) - taken) if each == "..." else [each]
    sides = []
    for entry in entries:
        if entry is None:
            sides.append(1)
            continue
        side = left.pop(0)
        if side == -1:
            if entry not in ([None, None, None], (None, None, None)) or sides:
                raise InvalidArchitectureError(f"the key {show(key)} takes a part of the batch")
            sides.append(side)
        elif isinstance(entry, int):
            if not -side <= entry < side:
                raise InvalidArchitectureError(f"there is no position {entry} along an axis of {side}")
        else:
            sides.append(len(range(*slice(*entry).indices(side))))
    if 0 in sides:
        raise InvalidArchitectureError(f"the key {show(key)} takes nothing of {input_shape}")
    return Counts(output_shape=(sides + left)[1:])


@custom
def Split(input_shape: Shape, into: Any, axis: int, part: int = 0) -> Counts:  # noqa: N802
    """One part of a tensor along an axis: of `into` equal ones, or of those between the positions `into`."""
    place = _axis(axis, len(input_shape) + 1) - 1
    side = input_shape[place]
    if isinstance(into, int):
        if into < 1 or side % into:
            raise InvalidArchitectureError(f"a side of {side} has no {show(into)} equal parts")
        length = side // into
    else:
        bounds = [0, *(min(bound, side) for bound in into), side]
        length = bounds[part + 1] - bounds[part]
    if length < 1:
        raise InvalidArchitectureError(f"part {part} of a side of {side}, split at {show(into)}, is empty")
    return Counts(output_shape=[*input_shape[:place], length, *input_shape[place + 1 :]])


@custom
def Pad(input_shape: Shape, pad_width: Sequence[Sequence[int]]) -> Counts:  # noqa: N802
    """Its input with more values at the ends of its axes: a pair for each axis, the batch counted."""
    if len(pad_width) != len(input_shape) + 1 or tuple(pad_width[0]) != (0, 0):
        raise InvalidArchitectureError(f"pad_width={show(pad_width)} must have (0, 0) and a pair for each other axis")
    return Counts(output_shape=[side + sum(pair) for side, pair in zip(input_shape, pad_width[1:], strict=True)])


@custom
def Matmul(input_shapes: Sequence[Shape], constant: Sequence[int] | None = None, first: bool = False) -> Counts:  # noqa: N802
    """The product of matrices, the last two axes of two tensors, or of a tensor and a constant matrix of a shape.

    The tensor is the second factor with `first`. MACs: each value of the product takes as many as a row is long.
    """
    if constant is not None:
        if len(constant) != 2 or len(input_shapes[0]) < 2:
            raise InvalidArchitectureError(f"a product of {input_shapes[0]} and a constant of {show(constant)}")
        fixed = (*(1,) * (len(input_shapes[0]) - 2), *constant)
        factors = [fixed, input_shapes[0]] if first else [input_shapes[0], fixed]
    else:
        factors = list(input_shapes)
    if len(factors) != 2 or any(len(each) < 2 for each in factors):
        raise InvalidArchitectureError(f"a product takes two matrices for each input of the batch, not {show(factors)}")
    one, other = factors
    if one[-1] != other[-2]:
        raise InvalidArchitectureError(f"a row of {one[-1]} and a column of {other[-2]} have no product")
    output = (*broadcast([one[:-2], other[:-2]]), one[-2], other[-1])
    return Counts(output_shape=output, macs=prod(output) * one[-1])


@custom
def Einsum(input_shapes: Sequence[Shape], equation: str) -> Counts:  # noqa: N802
    """The sum of products that an equation names, such as `"bij,bjk->bik"`, where the first letter is the batch.

    MACs: the product of the sides of all letters of the output and of those that both tensors have, where one of these
    is summed; none where nothing is summed.
    """
    left, arrow, output = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    letters = "".join(terms) + output
    fits = len(terms) == len(input_shapes) <= 2 and all(
        len(term) == len(shape) + 1 for term, shape in zip(terms, input_shapes, strict=False)
    )
    if not arrow or not letters.isalpha() or not fits or any(len(set(term)) < len(term) for term in (*terms, output)):
        raise InvalidArchitectureError(f"the equation {show(equation)} is none for {show(list(input_shapes))}")
    batch = output[:1]
    if any(term[0] != batch for term in terms):
        raise InvalidArchitectureError(f"the equation {show(equation)} does not keep the batch in front")
    sides: dict[str, int] = {}
    for term, shape in zip(terms, input_shapes, strict=True):
        for letter, side in zip(term[1:], shape, strict=True):
            if sides.setdefault(letter, side) != side:
                raise InvalidArchitectureError(f"the letter {letter} stands for {sides[letter]} and {side}")
    if not set(output[1:]) <= sides.keys():
        raise InvalidArchitectureError(f"the equation {show(equation)} has letters that no tensor has")
    both = set(terms[0][1:]) & set(terms[-1][1:]) if len(terms) == 2 else set()
    summed = both - set(output)
    macs = prod(sides[letter] for letter in {*output[1:], *summed}) if summed else 0
    return Counts(output_shape=[sides[letter] for letter in output[1:]], macs=macs)


@custom
def Unknown(  # noqa: N802
    input_shapes: Sequence[Shape],
    kind: str,
    on: Sequence[Sequence[int | None]],
    output_shape: Sequence[int],
    trainable_params: int = 0,
    non_trainable_params: int = 0,
) -> Counts:
    """A layer of a framework that archbudget does not know: its weights and its output are those of the real one.

    Its multiply-accumulates are unknown, and with them those of the space; `kind` is what the framework calls it, and
    `on` the shapes of the inputs for which this is known.
    """
    del kind
    alike = len(input_shapes) == len(on) and all(
        len(given) == len(known) and all(side in (None, own) for own, side in zip(given, known, strict=True))
        for given, known in zip(input_shapes, on, strict=True)
    )
    if not alike:
        shapes = ", ".join(show(tuple(each)) for each in on)
        raise InvalidArchitectureError(f"its weights and its output are known on inputs of the shapes {shapes} only")
    return Counts(
        output_shape=output_shape, trainable_params=trainable_params, non_trainable_params=non_trainable_params
    )


Unknown.KNOWS_MACS, Unknown.IS_FIXED = False, True
