"""Parts of a model that may be left out: one decision, taken or not, in the place of some of its layers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby
from typing import TYPE_CHECKING, Any

from archbudget._expressions import Choice, require_name
from archbudget._face import Faced
from archbudget._guard import guarded, guards
from archbudget._message import hint, listed, show
from archbudget.errors import SpaceError
from archbudget.layers._base import Block, Layer, Tensor
from archbudget.layers._structure import OneOf, Part, Sequential
from archbudget.space.family import compiled, definition
from archbudget.space.rebuilding import tensors_to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archbudget.space.architecture import Architecture
    from archbudget.space.family import Family

__all__ = ["Optional", "optional"]


@guards()
@dataclass(frozen=True)
class Optional(metaclass=Faced):
    """Layers that may be left out; made by `optional`.

    Example:
        >>> import archbudget as ab
        >>> part = ab.optional("stage3/block2")
        >>> type(part).__name__, part.layers
        ('Optional', 'stage3/block2')
    """

    layers: str
    name: str

    def matches(self, layer: str) -> bool:
        """Whether a layer is among them, by its name."""
        wanted = self.layers.replace("/", "_")
        if re.search(r"[*?\\[]", wanted):
            return fnmatchcase(layer, wanted)
        return layer == wanted or layer.startswith((f"{wanted}_", f"{wanted}."))


@guarded
def optional(layers: str, *, name: str | None = None) -> Optional:
    """A part of a model that may be left out, for `Space.vary`.

    The layers are taken together or not at all, by one decision with the values True and False. They must have one
    tensor that flows in and one that flows out, of the same shape: a residual block, or layers in a row.

    Args:
        layers: What their names begin with, such as `"stage3/block2"` (a slash is an underscore, as in imported
            models), or a pattern with the wildcards of shells, such as `"block_2_*"`.
        name: The name of the decision; by default `layers`.

    Raises:
        SpaceError: If one is no text.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> image = layers.Input((8, 8, 4))
        >>> x = layers.Conv2D(4, 3, padding="same", name="block_1_conv")(image)
        >>> x = layers.Add(name="block_1_add")([image, x])
        >>> space = ab.Space(inputs=image, outputs=layers.GlobalAveragePooling2D()(x)).vary(ab.optional("block_1"))
        >>> [arch.params for arch in (space.architecture(block_1=True), space.architecture(block_1=False))]
        [148, 0]
    """
    what = require_name(layers, "optional: layers must be")
    default = re.sub(r"\W+", "_", what).strip("_")
    return Optional(what, require_name(default if name is None else name, "optional: name must be"))


def inner_first(space: Family, changes: Sequence[Any]) -> list[Any]:
    """Changes of a space, where of parts that may be left out the smaller ones come first, which others may hold."""
    parts = [each for each in changes if isinstance(each, Optional)]
    names = _names(space)
    ordered = iter(sorted(parts, key=lambda part: len(_chosen(names, part))))
    return [next(ordered) if isinstance(each, Optional) else each for each in changes]


def _names(space: Family) -> dict[Layer, list[str]]:
    """The layers of a space, with the names under which each is used."""
    names: dict[Layer, list[str]] = {}
    for use in compiled(space).uses:
        names.setdefault(use.layer.weights_of, []).append(use.weights)
    return names


def _chosen(names: dict[Layer, list[str]], part: Optional) -> set[Layer]:
    """The layers of a part."""
    return {layer for layer, every in names.items() if all(map(part.matches, every))}


def without(space: Family, arch: Architecture, part: Optional) -> dict[str, Any]:
    """The definition of a space in which some layers may be left out; see `Space.vary`."""
    names = _names(space)
    chosen = _chosen(names, part)
    if not chosen:
        known = [name for every in names.values() for name in every]
        raise SpaceError(f"optional: no layer's name begins with {show(part.layers)}{hint(part.layers, known)}")
    if part.name in space.decisions:
        raise SpaceError(f"optional: the space has a decision '{part.name}'; give another name")
    for layer in chosen:
        if layer.kind == "Input":
            raise SpaceError(f"optional: {names[layer][0]} is an Input, which cannot be left out")
    parts = definition(space)
    if parts["layers"] is not None:
        return {**parts, "layers": _row(parts["layers"], chosen, part, arch)}
    return _graph(dict(parts), chosen, part, arch)


def _choice(part: Optional, block: Block) -> OneOf:
    return OneOf(Choice(part.name, [True, False]), {True: block, False: []})


def _held(block: Block) -> set[Layer]:
    """The layers that a block is made of."""
    if isinstance(block, Layer):
        return {block.weights_of}
    return set().union(*map(_held, block.parts() or ()))


def _is_within(block: Block, chosen: set[Layer]) -> bool:
    """Whether a block is made of chosen layers alone."""
    held = _held(block)
    return bool(held) and held <= chosen


def _check_whole(blocks: Sequence[Block], chosen: set[Layer], part: Optional) -> None:
    """Refuses layers of which some are in none of these blocks, or that may be left out already."""
    if set().union(*map(_held, blocks)) != chosen:
        raise SpaceError(
            f"optional: the layers of {show(part.layers)} cannot be left out: some are parts of larger blocks, or of "
            "layers that may be left out already; vary by what is inside first"
        )
    for block in blocks:
        if isinstance(block, OneOf) and set(block.blocks) == {True, False} and _held(block) == chosen:
            raise SpaceError(
                f"optional: the layers of {show(part.layers)} are left out by decision '{block.decision.name}' already"
            )


def _row(blocks: Sequence[Block], chosen: set[Layer], part: Optional, arch: Architecture) -> list[Block]:
    """Blocks in a row, where those that are next to each other become one that may be left out."""
    runs = [(taken, list(run)) for taken, run in groupby(blocks, lambda block: _is_within(block, chosen))]
    found = [run for taken, run in runs if taken]
    if len(found) != 1:
        what = f"{len(found)} parts of the row" if found else "no whole blocks of the row"
        raise SpaceError(f"optional: the layers of {show(part.layers)} are {what}; they must stand side by side")
    _check_whole(found[0], chosen, part)
    made: list[Block] = []
    for taken, run in runs:
        made += [_choice(part, Sequential(run))] if taken else run
    _check_shapes(chosen, part, arch)
    return made


def _graph(parts: dict[str, Any], chosen: set[Layer], part: Optional, arch: Architecture) -> dict[str, Any]:
    """A graph, where the calls between the one tensor that flows in and the one that flows out may be left out."""
    ordered = tensors_to([*parts["inputs"], *parts["outputs"]])
    inside = {tensor for tensor in ordered if _is_within(tensor.block, chosen)}
    _check_whole([tensor.block for tensor in inside], chosen, part)
    entries = dict.fromkeys(source for tensor in ordered if tensor in inside for source in tensor.inputs)
    entries = {source: None for source in entries if source not in inside}
    read = [source for tensor in ordered if tensor not in inside for source in tensor.inputs]
    exits = {tensor: None for tensor in [*read, *parts["outputs"]] if tensor in inside}
    if len(entries) != 1 or len(exits) != 1:
        raise SpaceError(
            f"optional: the layers of {show(part.layers)} cannot be left out: {len(entries)} tensors flow in and "
            f"{len(exits)} out; one must flow in, and one out"
        )
    (entry,), (leaving,) = entries, exits
    _check_shapes(chosen, part, arch)
    numbers: dict[Tensor, int] = {}
    for tensor in ordered:
        if tensor in inside and tensor.made_with is None:
            numbers[tensor] = len(numbers)

    def place(tensor: Tensor) -> tuple[int, int]:
        return (-1, 0) if tensor is entry else (numbers[tensor.made_with or tensor], tensor.place)

    calls = [(tensor.block, [place(source) for source in tensor.inputs]) for tensor in numbers]
    block = _choice(part, Part(calls, place(leaving)))
    made: dict[Tensor, Tensor] = {}
    for tensor in ordered:
        if tensor is leaving:
            made[tensor] = Tensor(block, (made[entry],))
        elif tensor not in inside:
            first = None if tensor.made_with is None else made[tensor.made_with]
            made[tensor] = Tensor(tensor.block, tuple(made[each] for each in tensor.inputs), first, tensor.place)
    ends = {name: tuple(made[each] for each in parts[name]) for name in ("inputs", "outputs")}
    return {**parts, **ends}


def _check_shapes(chosen: set[Layer], part: Optional, arch: Architecture) -> None:
    """Refuses layers whose output has another shape than their input, in a network of the space."""
    calls = [call for call in arch.network.calls if call.layer.weights_of in chosen]
    made = {tensor for call in calls for tensor in call.outputs}
    shapes = {
        shape
        for call in calls
        for tensor, shape in zip(call.inputs, call.record.input_shapes, strict=True)
        if tensor not in made
    }
    read = {tensor for call in arch.network.calls if call not in calls for tensor in call.inputs}
    left = {tensor for tensor in made if tensor in read or tensor in arch.network.outputs}
    given = {
        shape
        for call in calls
        for tensor, shape in zip(call.outputs, call.record.output_shapes, strict=True)
        if tensor in left
    }
    if len(shapes | given) > 1:
        flows_in, flows_out = (listed(map(str, sorted(each, key=str))) for each in (shapes, given))
        raise SpaceError(
            f"optional: the layers of {show(part.layers)} cannot be left out: {flows_in} flows in, {flows_out} out"
        )
