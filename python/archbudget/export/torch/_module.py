"""The module of a whole network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Call(NamedTuple):
    """One call of a module."""

    module: str
    """The name of its module."""
    inputs: tuple[int, ...]
    """The tensors it reads, by number."""
    outputs: tuple[int, ...]
    """The tensors it writes, by number; of several the module returns a tuple."""
    released: tuple[int, ...]
    """The tensors that nothing needs after it."""
    options: Mapping[str, Any]
    """The options of the call; with `training` the module works as in training, or not, whatever the network does."""
    masks: tuple[str, ...] = ()
    """The names of the masks that the call gives, which are the last of its inputs."""


class Network(nn.Module):
    """A network of a space: one module a layer, under the name of the layer, applied in the order of the space.

    It takes the inputs of the space as positional arguments, each of shape `(batch, *shape)`, and returns its output,
    or a tuple of its outputs.
    """

    RESERVED: ClassVar[frozenset[str]] = frozenset([*dir(nn.Module()), "_calls", "_inputs", "_outputs", "RESERVED"])
    """The names that no layer can have."""

    def __init__(
        self, modules: Mapping[str, nn.Module], inputs: Sequence[int], calls: Sequence[Call], outputs: Sequence[int]
    ) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
        self._inputs = tuple(inputs)
        self._calls = tuple(calls)
        self._outputs = tuple(outputs)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """The output of the network, or its outputs."""
        if len(inputs) != len(self._inputs):
            raise TypeError(f"this network takes {len(self._inputs)} tensors, not {len(inputs)}")
        tensors = dict(zip(self._inputs, inputs, strict=True))
        for call in self._calls:
            given = [tensors[number] for number in call.inputs]
            data = len(given) - len(call.masks)
            there = getattr(getattr(self, call.module), "there", torch.Tensor.bool)
            masks = {name: there(mask) for name, mask in zip(call.masks, given[data:], strict=True)}
            # A mask of steps stands behind the states of a recurrent layer, as those that come with a tensor do.
            steps = [masks.pop(name) for name in call.masks if name == "mask"]
            made = _call(getattr(self, call.module), [*given[:data], *steps], **masks, **call.options)
            tensors.update(zip(call.outputs, made if len(call.outputs) > 1 else (made,), strict=True))
            for number in call.released:
                del tensors[number]
        outputs = tuple(tensors[number] for number in self._outputs)
        return outputs if len(outputs) > 1 else outputs[0]


class Graph(NamedTuple):
    """What a network applies to what."""

    inputs: tuple[int, ...]
    """The input tensors, by number."""
    calls: tuple[Call, ...]
    """The calls in order."""
    outputs: tuple[int, ...]
    """The output tensors."""


def graph_of(network: Network) -> Graph:
    """What a network applies to what."""
    return Graph(network._inputs, network._calls, network._outputs)


def _call(module: nn.Module, tensors: Sequence[torch.Tensor], *, training: bool | None = None, **options: Any) -> Any:
    """What a module makes of tensors; its modes are as before afterwards."""
    if training is None:
        return module(*tensors, **options)
    before = [(each, each.training) for each in module.modules()]
    module.train(training)
    try:
        return module(*tensors, **options)
    finally:
        for each, mode in before:
            each.training = mode
