"""A description with some of its layers in another form; all else stays, also what is shared."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING, Any

from archbudget._nested import FrozenDict
from archbudget.errors import SpaceError
from archbudget.layers._base import Block, Layer, Tensor
from archbudget.layers._custom import CustomLayer
from archbudget.layers._structure import Repeat

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Change = Callable[[Layer, Layer], Layer]
"""The layer that stands in the place of another one: the same object where nothing is to change. The second layer is
the one that was described; the first one is that, or a copy in which layers inside have changed."""


def with_arguments(layer: Layer, arguments: Mapping[str, Any]) -> Layer:
    """A layer like another one, but for some arguments; it has weights of its own."""
    if isinstance(layer, CustomLayer):
        own = {"name": layer.name, "trainable": layer.trainable, "weight_bits": layer.weight_bits}
        return type(layer)(**{**layer.given, **own, **arguments})
    made = copy(layer)
    state = made.__dict__
    for kept in ("_made", "_lowered", "_called"):
        state.pop(kept, None)
    state.update(arguments)
    made.__post_init__()
    return made


def tensors_to(ends: Iterable[Tensor]) -> list[Tensor]:
    """All tensors that lead to these, with them, in the order in which they were made: that of layers and decisions."""
    found: set[Tensor] = set()
    waiting = list(ends)
    while waiting:
        tensor = waiting.pop()
        if tensor not in found:
            found.add(tensor)
            waiting.extend(tensor.inputs if tensor.made_with is None else (*tensor.inputs, tensor.made_with))
    return sorted(found, key=lambda tensor: tensor.number)


class Rebuilding:
    """Makes blocks and graphs anew in which layers are changed. A block that has none of them stays the same object.

    Args:
        change: The change of a layer, which is asked once for each layer that has weights of its own. A layer that
            holds others is asked with what becomes of these.
    """

    def __init__(self, change: Change) -> None:
        self._change = change
        self._blocks: dict[Block, Block] = {}

    def block(self, block: Block) -> Block:
        """What becomes of a block."""
        if block not in self._blocks:
            self._blocks[block] = self._layer(block) if isinstance(block, Layer) else self._parts(block)
        return self._blocks[block]

    def definition(self, definition: Mapping[str, Any]) -> dict[str, Any]:
        """What becomes of the arguments of a space."""
        if definition["layers"] is not None:
            return {**definition, "layers": [self.block(each) for each in definition["layers"]]}
        inputs, outputs = definition["inputs"], definition["outputs"]
        made = self._tensors([*inputs, *outputs])
        changed = any(made[each] is not each and self.block(each.block) is not each.block for each in inputs)
        for tensor in made if changed else ():
            if isinstance(tensor.block, Layer) and not tensor.block.takes_other_sides():
                raise SpaceError(
                    f"the inputs cannot change, as '{tensor.block.name}' is known only as it was recorded for unknown "
                    "sides: give the shapes of the inputs to the importer"
                )
        return {
            **definition,
            "inputs": tuple(made[each] for each in inputs),
            "outputs": tuple(made[each] for each in outputs),
        }

    def _tensors(self, ends: Sequence[Tensor]) -> dict[Tensor, Tensor]:
        made: dict[Tensor, Tensor] = {}
        for tensor in tensors_to(ends):
            inputs = tuple(made[each] for each in tensor.inputs)
            first = None if tensor.made_with is None else made[tensor.made_with]
            made[tensor] = Tensor(self.block(tensor.block), inputs, first, tensor.place)
        return made

    def _layer(self, layer: Layer) -> Layer:
        if layer.weights_of is not layer:
            owner = self.block(layer.weights_of)
            assert isinstance(owner, Layer)
            options = layer.called_with()
            masks = options.pop("masks", ())
            return layer if owner is layer.weights_of else owner.called(options, masks)
        described = layer
        held = {name: self._value(getattr(layer, name)) for name in layer.LAYERS}
        if any(held[name] is not getattr(layer, name) for name in held):
            layer = with_arguments(layer, held)
        return self._change(layer, described)

    def _parts(self, block: Block) -> Block:
        state = {name: self._value(value) for name, value in vars(block).items()}
        if isinstance(block, Repeat) and not isinstance(block.block, Block):
            made = block.block
            state["block"] = lambda number: self._value(made(number))
        elif all(state[name] is value for name, value in vars(block).items()):
            return block
        other = object.__new__(type(block))
        vars(other).update(state)
        return other

    def _value(self, value: Any) -> Any:
        """An attribute of a block; the same object where it has no layer that changes."""
        if isinstance(value, Block):
            return self.block(value)
        if isinstance(value, dict):
            items = {key: self._value(item) for key, item in value.items()}
            same = all(items[key] is item for key, item in value.items())
            return value if same else FrozenDict(items)
        if isinstance(value, (list, tuple, frozenset)):
            every = [self._value(item) for item in value]
            same = all(one is other for one, other in zip(every, value, strict=True))
            return value if same else type(value)(every)
        return value
