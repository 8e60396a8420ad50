"""Layers around other layers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch users write it
from torch import nn

from archbudget._torch._given import Blank
from archbudget._torch._layout import chain

if TYPE_CHECKING:
    from collections.abc import Callable

    from archbudget._torch._given import Filled, Given, Shape


class TimeDistributed(nn.Module):
    """A module at each position of the first axis behind the batch, all of them at once."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        each: torch.Tensor = self.layer(x.flatten(0, 1))
        return each.unflatten(0, x.shape[:2])


def _time_distributed(given: Given) -> nn.Module:
    return TimeDistributed(given.make(given.inside("layer", given.inputs[0][1:])))


class Bidirectional(nn.Module):
    """Two recurrent layers that walk in opposite directions, and their outputs joined."""

    def __init__(
        self, forward_layer: nn.Module, backward_layer: nn.Module, merge_mode: str, return_sequences: bool
    ) -> None:
        super().__init__()
        self.forward_layer = forward_layer
        self.backward_layer = backward_layer
        self.merge_mode = merge_mode
        self.return_sequences = return_sequences

    def forward(self, x: torch.Tensor, *mask: torch.Tensor) -> torch.Tensor:
        first: torch.Tensor = self.forward_layer(x, *mask)
        second: torch.Tensor = self.backward_layer(x, *mask)
        if self.return_sequences:
            second = second.flip(1)
        if self.merge_mode == "concat":
            return torch.cat([first, second], -1)
        if self.merge_mode == "mul":
            return first * second
        return (first + second) / (2 if self.merge_mode == "ave" else 1)

    def extra_repr(self) -> str:
        return f"merge_mode={self.merge_mode!r}"


def _bidirectional(given: Given) -> nn.Module:
    forward = given.inside("layer", given.inputs[0])
    if given.told["backward_layer"] is None:
        backward = replace(forward, told={**forward.told, "go_backwards": not forward.told["go_backwards"]})
    else:
        backward = given.inside("backward_layer", given.inputs[0])
    return Bidirectional(given.make(forward), given.make(backward), given["merge_mode"], forward["return_sequences"])


class SpectralNormalization(nn.Module):
    """A module whose weight is divided by its spectral norm before each step of training.

    Args:
        layer: The module.
        weight: The name of the weight in it.
        filled: Where the axes of Keras are in it; the last one has the columns of the matrix.
        vector_u: As many values as the matrix has columns, from which its first singular vector is approached.
        power_iterations: How often, in each step.
    """

    def __init__(
        self, layer: nn.Module, weight: str, filled: Filled, vector_u: torch.Tensor, power_iterations: int
    ) -> None:
        super().__init__()
        self.layer = layer
        self.weight = weight
        self.shape = filled.shape
        self.order = filled.order
        self.power_iterations = power_iterations
        self.register_buffer("vector_u", vector_u)

    def normalize(self) -> None:
        """Divides the weight, unless it is 0."""
        weight = self.layer.get_parameter(self.weight)
        if not weight.any():
            return
        kernel = weight.reshape([self.shape[axis] for axis in self.order])
        matrix = kernel.permute([self.order.index(axis) for axis in range(kernel.dim())]).reshape(-1, self.shape[-1])
        u = self.vector_u
        for _ in range(self.power_iterations):
            v = F.normalize(u @ matrix.T, dim=1)
            u = F.normalize(v @ matrix, dim=1)
        self.vector_u.copy_(u)
        # What autograd has kept of the weight stays as it was.
        weight.data = weight / (v @ matrix @ u.T).squeeze()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            with torch.no_grad():
                self.normalize()
        output: torch.Tensor = self.layer(x)
        return output

    def extra_repr(self) -> str:
        return f"{self.weight!r}, power_iterations={self.power_iterations}"


def _drawn_u(shape: Shape, **_: Any) -> torch.Tensor:
    return nn.init.trunc_normal_(torch.empty(shape), 0, 0.02, -0.04, 0.04)


def _spectral_normalization(given: Given) -> nn.Module:
    inner = given.inside("layer", given.inputs[0])
    if inner.counted.get("lora_rank"):
        raise inner.refusal("lora_rank", "Keras cannot train its product within a SpectralNormalization")
    layer = given.make(inner)
    filled = inner.filled["embeddings" if "embeddings" in inner.filled else "kernel"]
    given.filled["kernel"] = filled
    (name,) = (name for name, each in layer.named_parameters() if each is filled.parameter)
    vector_u = given.value("vector_u", (1, filled.shape[-1]), _drawn_u).clone()
    return SpectralNormalization(layer, name, filled, vector_u, given["power_iterations"])


def _pipeline(given: Given) -> nn.Module:
    shape = given.inputs[0]
    modules: list[nn.Module] = []
    for number in range(len(given.told["layers"])):
        inner = given.inside("layers", shape, number)
        modules.append(given.make(inner))
        with torch.device("meta"):
            blank = given.make(replace(inner, weights=Blank())).eval()
            shape = tuple(blank(torch.empty(1, *shape)).shape[1:])
    return nn.Sequential(*modules)


class Walk(nn.Module):
    """Recurrent layers on top of each other that give all of their outputs: those of the last one, or the last step."""

    def __init__(
        self, cells: nn.Module, *, return_sequences: bool, go_backwards: bool, zero_output_for_mask: bool
    ) -> None:
        super().__init__()
        self.cells = cells
        self.return_sequences = return_sequences
        self.go_backwards = go_backwards
        self.zero_output_for_mask = zero_output_for_mask

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        if self.go_backwards:
            x, mask = x.flip(1), mask if mask is None else mask.flip(1)
        for cell in self.cells.children():
            x = cell(x) if mask is None else cell(x, mask)
        if mask is not None and self.zero_output_for_mask:
            x = torch.where(mask[..., None], x, 0)
        return x if self.return_sequences else x[:, -1]

    def extra_repr(self) -> str:
        return f"return_sequences={self.return_sequences}, go_backwards={self.go_backwards}"


LAYER_OF_A_CELL: dict[str, Any] = {
    "num_layers": 1,
    "bidirectional": False,
    "two_biases": False,
    "return_sequences": True,
    "go_backwards": False,
}
"""What a recurrent layer has beside the arguments of its cell, if it does the same."""


def _cells(told: Any, counted: Any) -> list[tuple[Any, Any]]:
    """The cells of a stack from the lowest, as they were given and as they are counted."""
    if counted["type"] != "StackedRNNCells":
        return [(told, counted)]
    frozen = {} if isinstance(told, (list, tuple)) or told["trainable"] else {"trainable": False}
    inside = told if isinstance(told, (list, tuple)) else told["cells"]
    pairs = zip(inside, counted["cells"], strict=True)
    return [({**low, **frozen}, own) for each, counts in pairs for low, own in _cells(each, counts)]


def _rnn(given: Given) -> nn.Module:
    features = given.inputs[0][-1]
    layers: list[nn.Module] = []
    for told, counted in _cells(given.told["cell"], given.counted["cell"]):
        inner = given.holding(told, {**counted, **LAYER_OF_A_CELL}, (given.inputs[0][0], features))
        layers.append(given.make(replace(inner, kind=inner.kind.removesuffix("Cell"))))
        features = counted["units"]
    return Walk(
        chain(**{f"cell_{number}": layer for number, layer in enumerate(layers)}),
        return_sequences=given["return_sequences"],
        go_backwards=bool(given["go_backwards"]),
        zero_output_for_mask=bool(given["zero_output_for_mask"]),
    )


BUILDERS: dict[str, Callable[[Given], nn.Module]] = {
    "Bidirectional": _bidirectional,
    "Pipeline": _pipeline,
    "RNN": _rnn,
    "SpectralNormalization": _spectral_normalization,
    "TimeDistributed": _time_distributed,
}
