"""Masks: which steps of a sequence later layers skip.

In Keras a mask belongs to a tensor. Here it is a separate tensor, which a module computes where the mask begins, and
which the layers that act on it read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from archbudget._message import listed
from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from archbudget.export.torch._given import Given

READS = ("Bidirectional", "GRU", "GlobalAveragePooling1D", "LSTM", "RNN", "SimpleRNN")
"""The layers that skip masked steps."""
ATTENDS = ("AdditiveAttention", "Attention", "GroupQueryAttention", "MultiHeadAttention")
"""The layers that attend to unmasked steps, if all of their inputs have masks. The query's mask is the output's."""
MERGES = ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract")
"""The layers whose output has a mask if all of their inputs have one."""
KEEPS = (
    "Activation",
    "ActivityRegularization",
    "AlphaDropout",
    "Dense",
    "Dropout",
    "ELU",
    "GaussianDropout",
    "GaussianNoise",
    "GroupNormalization",
    "Identity",
    "LayerNormalization",
    "LeakyReLU",
    "Normalization",
    "PReLU",
    "ReLU",
    "Rescaling",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "UnitNormalization",
)
"""The layers whose output has the mask of their input."""
OTHERS = (
    "BatchNormalization",
    "Concatenate",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "Softmax",
    "TimeDistributed",
)
"""The layers that act on a mask in Keras in ways that are not supported here. Layers that are not listed drop it."""


class Applied(NamedTuple):
    """One call of a module."""

    module: str
    """Its name."""
    inputs: tuple[int, ...]
    """The tensors that it reads, by number."""
    outputs: tuple[int, ...]
    """The tensors that it writes."""
    options: Mapping[str, Any]
    """The options of the call."""
    masks: tuple[str, ...] = ()
    """The names of the masks that the call gives, which are the last of its inputs."""


class Mask(nn.Module):
    """The mask of a sequence: true in steps that are not a certain value, or whose features are not all that value."""

    def __init__(self, value: float, features: bool) -> None:
        super().__init__()
        self.value = value
        self.features = features

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        differs = x != self.value
        return differs.any(-1) if self.features else differs

    def extra_repr(self) -> str:
        return f"{self.value}"


class Masking(nn.Module):
    """The input, with 0 in masked steps."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.where((x != self.value).any(-1, keepdim=True), x, 0)

    def extra_repr(self) -> str:
        return f"{self.value}"


def _begins(layer: Given) -> Mask | None:
    """The module of the mask that begins with a layer, if one does."""
    if layer.custom is not None:
        return None
    if layer.kind == "Masking":
        return Mask(layer["mask_value"], features=True)
    if layer.kind in ("Embedding", "ReversibleEmbedding") and layer["mask_zero"]:
        return Mask(0, features=False)
    return None


def follow(
    applied: Sequence[Applied], given: Mapping[str, Given], name: Callable[[str], str]
) -> tuple[list[Applied], dict[str, nn.Module]]:
    """The applied layers, with modules that compute masks, and with masks as inputs of the layers that act on them.

    Args:
        applied: The applied layers; `given` of those that read a mask is marked.
        given: The layers, by the names of their modules.
        name: A function that makes a free name from another.

    Raises:
        SpaceError: If a layer would act on a mask in a way that is not supported.
    """
    masks: dict[int, int] = {}
    followed: list[Applied] = []
    modules: dict[str, nn.Module] = {}
    names: dict[str, str] = {}
    for module, inputs, outputs, options, named in applied:
        layer, output = given[module], outputs[0]
        # A custom layer drops masks, even if it has the name of another layer.
        kind = layer.kind if layer.custom is None else None
        if kind == "Bidirectional" and layer.told["layer"]["type"] in OTHERS:
            kind = layer.told["layer"]["type"]
        own = [masks[number] for number in inputs[: len(inputs) - len(named)] if number in masks]
        begins = None if options.get("reverse") else _begins(layer)
        if named and own:
            raise SpaceError(
                f"layer '{layer.name}' ({layer.kind}) is called with {listed(named)}, and its input has a "
                "mask already; to_torch follows the one or the other"
            )
        if named:
            layer.masked = True
        elif begins is not None:
            if module not in names:
                names[module] = name(f"{module}_mask")
                modules[names[module]] = begins
            # Tensors of the network have numbers from 0 on.
            masks[output] = -1 - len(followed)
            followed.append(Applied(names[module], inputs, (masks[output],), {}))
        elif kind in READS:
            if inputs[0] in masks:
                mask = masks[inputs[0]]
                if layer.counted.get("layer", layer.counted).get("return_sequences"):
                    both = "merge_mode" in layer.counted and layer.counted["merge_mode"] is None
                    masks.update(dict.fromkeys(outputs[: 1 + both], mask))
                # Keras does not pass the mask to a layer with initial states.
                if len(inputs) == 1:
                    layer.masked = True
                    inputs = (*inputs, mask)
        elif own and kind in ATTENDS and len(own) == len(inputs) and len(layer.inputs[0]) == 2:
            layer.masked = True
            inputs = (*inputs, *own)
            masks[output] = own[0]
        elif own and kind in (*ATTENDS, *OTHERS):
            raise SpaceError(
                f"layer '{layer.name}' ({layer.kind}) gets a mask, which to_torch follows only into "
                f"{', '.join(READS)} and into attention between sequences that are all masked"
            )
        elif own and kind in MERGES and len(own) == len(inputs):
            if len(set(own)) > 1:
                raise SpaceError(
                    f"layer '{layer.name}' ({layer.kind}) gets different masks, which to_torch does not join"
                )
            masks[output] = own[0]
        elif own and kind in KEEPS:
            masks[output] = own[0]
        followed.append(Applied(module, inputs, outputs, options, named))
    read = {number for each in followed for number in each.inputs}
    followed = [each for each in followed if each.outputs[0] >= 0 or each.outputs[0] in read]
    left = {each.module for each in followed}
    return followed, {module: mask for module, mask in modules.items() if module in left}


BUILDERS: dict[str, Callable[[Given], nn.Module]] = {"Masking": lambda given: Masking(given["mask_value"])}
