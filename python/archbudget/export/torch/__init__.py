"""Real PyTorch modules: one file for each family of layers, one builder for each layer.

A builder takes a [`Given`][archbudget.export.torch._given.Given], one layer of a network with every decision taken, and
returns its module. The module takes and returns tensors in the layout of the space: the batch, then the shape that
archbudget counts. It consists of modules of `torch.nn` as PyTorch users know them, channels first, between views that
move the channels if the space has them last.
"""

from __future__ import annotations

import keyword
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from archbudget._message import one_line, show
from archbudget._records import unknown_sides
from archbudget.errors import ArchbudgetError, SpaceError
from archbudget.export.torch import (
    _activation,
    _attention,
    _convolution,
    _dense,
    _masks,
    _merging,
    _normalization,
    _pooling,
    _recurrent,
    _regularization,
    _reshaping,
    _wrappers,
)
from archbudget.export.torch._given import Blank, Custom, Given, Shared, Weights
from archbudget.export.torch._module import Call
from archbudget.export.torch._module import Network as Module
from archbudget.layers._base import Layer, resolve
from archbudget.layers._custom import CustomLayer

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from archbudget._expressions import Scalar
    from archbudget._records import Place
    from archbudget.network import Network

__all__ = ["build", "build_with_customs", "make"]

BUILDERS: dict[str, Callable[[Given], Any]] = {
    **_activation.BUILDERS,
    **_attention.BUILDERS,
    **_convolution.BUILDERS,
    **_dense.BUILDERS,
    **_masks.BUILDERS,
    **_merging.BUILDERS,
    **_normalization.BUILDERS,
    **_pooling.BUILDERS,
    **_recurrent.BUILDERS,
    **_regularization.BUILDERS,
    **_reshaping.BUILDERS,
    **_wrappers.BUILDERS,
}
"""The builder of each layer but `Input`; a layer without one, such as those that prepare data, is refused."""


def build(network: Network, weights: Weights | None = None) -> Module:
    """The module of a network; each layer is applied as the engine applied it.

    Args:
        network: The network.
        weights: The source of the weights; by default the initializers of the layers draw them.
    """
    return build_with_customs(network, weights)[0]


def build_with_customs(network: Network, weights: Weights | None = None) -> tuple[Module, Mapping[Any, Custom]]:
    """The same module, and what made the modules of its custom layers."""
    if unknown := unknown_sides([call.use for call in network.calls]):
        raise SpaceError(f"to_torch makes modules for shapes that are known; MACs and shapes are unknown, {unknown}")
    weights = weights or Weights()
    shared = Shared()
    applied: list[_masks.Applied] = []
    names: dict[str, str] = {}
    given: dict[str, Given] = {}
    for call in network.calls:
        if call.layer.kind == "Input":
            continue
        if call.weights not in names:
            name = names[call.weights] = _attribute(call.weights, given)
            given[name] = Given(
                call.weights,
                call.layer.kind,
                _told(call.layer, call.chosen, call.use.inside),
                call.counted,
                weights,
                make,
                shared,
                call.use.place,
                custom=type(call.layer) if isinstance(call.layer, CustomLayer) else None,
            )
        name = names[call.weights]
        shapes = call.record.input_shapes
        given[name].uses.append(shapes[: len(shapes) - len(call.layer.masks)])
        given[name].options |= call.options.keys()
        applied.append(_masks.Applied(name, call.inputs, call.outputs, call.options, call.layer.masks))
    outputs = list(network.outputs)
    for each in given.values():
        each.refuse_what_touches_the_loss()
        if each.custom is not None and each.custom.TORCH is None:
            raise SpaceError(
                f"layer '{each.name}' ({each.kind}) does not know its real module; give @layers.custom(torch=...)"
            )
    applied, made = _masks.follow(_needed(applied, outputs), given, lambda name: _attribute(name, given))
    for call in network.calls:
        if call.weights in names and given[names[call.weights]].masked:
            shared.masked |= {call.use.place, *call.use.inside.values()}
    for each in given.values():
        each.masked = each.masked or each.place in shared.masked
    with torch.no_grad(), torch.device("meta"):
        # Refusals come before anything takes memory or time.
        for each in given.values():
            if each.custom is None:
                _refuse_what_fails(replace(each, weights=Blank()))
    with torch.no_grad():
        modules = {name: make(each) for name, each in given.items()}
    module = Module({**modules, **made}, network.inputs, _released(applied, outputs), outputs)
    return module, shared.customs


def _refuse_what_fails(given: Given) -> None:
    """Refuses an argument that PyTorch, or a builder, cannot use, as arguments that are not counted may be anything."""
    try:
        make(given)
    except ArchbudgetError:
        raise
    except Exception as error:
        raise SpaceError(
            f"layer '{given.name}' ({given.kind}) cannot be built in PyTorch: {type(error).__name__}: {one_line(error)}"
        ) from error


def make(given: Given) -> Any:
    """The module of a layer: one for all uses of it, inside of other layers and by itself."""
    blank = isinstance(given.weights, Blank)
    if given.place in given.shared.made and not blank:
        made, filled = given.shared.made[given.place]
        given.filled.update(filled)
        return made
    if given.custom is None and given.kind not in BUILDERS:
        raise SpaceError(
            f"layer '{given.name}' ({given.kind}) is not built in PyTorch: it is counted, and built in Keras"
        )
    made = BUILDERS[given.kind](given) if given.custom is None else _custom(given)
    if not given.told["trainable"]:
        made.requires_grad_(False)
    if given.place is not None and not blank:
        given.shared.made[given.place] = (made, given.filled)
    return made


def _told(given: Any, chosen: Mapping[str, Scalar], places: Mapping[Layer, Place]) -> Any:
    """The arguments of a layer with decisions taken; an inner layer is a nested dict with its `type` and its place."""
    if isinstance(given, Layer):
        own = {
            name: _told(each, chosen, {} if name in given.COPIED else places)
            for name, each in given.arguments().items()
        }
        return {"type": given.kind, "place": places.get(given), **own}
    if isinstance(given, (list, tuple)) and any(isinstance(each, Layer) for each in given):
        return [_told(each, chosen, places) for each in given]
    return resolve(given, chosen)


def _custom(given: Given) -> Any:
    """The module of a custom layer."""
    assert given.custom is not None
    assert given.custom.TORCH is not None
    custom = Custom(given.custom.TORCH, given.inputs if given.custom.MERGES else given.inputs[0], given.counted)
    made = custom.maker(custom.inputs, **custom.arguments)
    if isinstance(made, torch.nn.Module):
        given.shared.customs[made] = custom
        return made
    raise SpaceError(
        f"layer '{given.name}' ({given.kind}): what torch= names must return a torch.nn.Module, not {show(made)}"
    )


def _needed(applied: list[_masks.Applied], outputs: list[int]) -> list[_masks.Applied]:
    """The applied layers without those that lead to no output, which only have weights."""
    needed = set(outputs)
    kept: list[_masks.Applied] = []
    for each in reversed(applied):
        if not needed.isdisjoint(each.outputs):
            needed |= set(each.inputs)
            kept.append(each)
    return kept[::-1]


def _attribute(name: str, taken: Container[str]) -> str:
    """The name of the module of a layer: that of the layer, changed where it cannot be an attribute of a module."""
    valid = re.sub(r"\W", "_", name)
    if valid[0].isdigit() or keyword.iskeyword(valid) or valid in Module.RESERVED:
        valid = f"_{valid}" if valid[0].isdigit() else f"{valid}_"
    number, free = 1, valid
    while free in taken:
        number += 1
        free = f"{valid}_{number}"
    return free


def _released(applied: list[_masks.Applied], outputs: list[int]) -> list[Call]:
    """The calls, each with the tensors that nothing needs after it."""
    needed = set(outputs)
    released: list[Call] = []
    for each in reversed(applied):
        unneeded = tuple({*each.inputs, *each.outputs} - needed)
        released.append(Call(each.module, each.inputs, each.outputs, unneeded, each.options, each.masks))
        needed |= set(each.inputs)
    return released[::-1]
