"""Wrappers: layers around other layers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch users write it
from torch import nn

from archbudget.export.torch._given import Blank
from archbudget.export.torch._layout import chain
from archbudget.export.torch._recurrent import State, refuse_stateful, split

if TYPE_CHECKING:
    from collections.abc import Callable

    from archbudget.export.torch._given import Filled, Given, Shape


class TimeDistributed(nn.Module):
    """A module at each position of the first axis behind the batch, all of them at once."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def there(self, mask: torch.Tensor) -> torch.Tensor:
        """What a mask says is there, to its layer."""
        there: torch.Tensor = getattr(self.layer, "there", torch.Tensor.bool)(mask)
        return there

    def forward(self, x: torch.Tensor, *mask: torch.Tensor) -> torch.Tensor:
        each: torch.Tensor = self.layer(x.flatten(0, 1), *(each.flatten(0, 1) for each in mask))
        return each.unflatten(0, x.shape[:2])


def _time_distributed(given: Given) -> nn.Module:
    return TimeDistributed(given.make(given.inside("layer", given.inputs[0][1:])))


class Bidirectional(nn.Module):
    """Two recurrent layers that walk in opposite directions: their outputs joined, and their states."""

    def __init__(
        self, forward_layer: nn.Module, backward_layer: nn.Module, merge_mode: str | None, return_sequences: bool
    ) -> None:
        super().__init__()
        self.forward_layer = forward_layer
        self.backward_layer = backward_layer
        self.merge_mode = merge_mode
        self.return_sequences = return_sequences

    def forward(self, x: torch.Tensor, *others: torch.Tensor) -> torch.Tensor | State:
        begun, mask = split(others)
        count: Any = self.forward_layer.states
        first, *states = _several(self.forward_layer(x, *begun[:count], *mask))
        second, *back = _several(self.backward_layer(x, *begun[count:], *mask))
        if self.return_sequences:
            second = second.flip(1)
        made = (*self.joined(first, second), *states, *back)
        return made if len(made) > 1 else made[0]

    def joined(self, first: torch.Tensor, second: torch.Tensor) -> State:
        """Both outputs as one, unless they stay apart."""
        if self.merge_mode is None:
            return first, second
        if self.merge_mode == "concat":
            return (torch.cat([first, second], -1),)
        if self.merge_mode == "mul":
            return (first * second,)
        return ((first + second) / (2 if self.merge_mode == "ave" else 1),)

    def extra_repr(self) -> str:
        return f"merge_mode={self.merge_mode!r}"


def _several(made: torch.Tensor | State) -> State:
    return (made,) if isinstance(made, torch.Tensor) else made


def _bidirectional(given: Given) -> nn.Module:
    forward = given.inside("layer", given.inputs[0])
    if given.told["backward_layer"] is None:
        backward = replace(forward, told={**forward.told, "go_backwards": not forward.told["go_backwards"]})
    else:
        backward = given.inside("backward_layer", given.inputs[0])
    whole = forward["return_sequences"]
    # Keras puts zeros where a sequence is masked, with any arguments of the layers.
    made = [
        given.make(replace(each, told={**each.told, "zero_output_for_mask": whole})) for each in (forward, backward)
    ]
    if hasattr(made[1], "zero_output_for_mask"):
        # A layer backward that is used elsewhere, too, is changed by this in Keras.
        made[1].zero_output_for_mask = whole
    return Bidirectional(made[0], made[1], given["merge_mode"], whole)


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
    last = len(given.told["layers"]) - 1
    for number in range(last + 1):
        inner = given.inside("layers", shape, number)
        modules.append(given.make(inner))
        if number == last:
            break
        with torch.device("meta"):
            blank = given.make(replace(inner, weights=Blank())).eval()
            shape = tuple(blank(torch.empty(1, *shape)).shape[1:])
    return nn.Sequential(*modules)


class Walk(nn.Module):
    """Recurrent layers on top of each other, which hand on all of their outputs and their last states.

    It gives the outputs of the last one, or the last step; and the states of all, if asked for.
    """

    def __init__(
        self,
        cells: nn.Sequential,
        *,
        return_sequences: bool,
        return_state: bool,
        go_backwards: bool,
        zero_output_for_mask: bool,
    ) -> None:
        super().__init__()
        self.cells = cells
        self.states = sum(int(cell.states) for cell in cells)
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.zero_output_for_mask = zero_output_for_mask

    def forward(self, x: torch.Tensor, *others: torch.Tensor) -> torch.Tensor | State:
        begun, mask = split(others)
        if self.go_backwards:
            x, mask = x.flip(1), tuple(each.flip(1) for each in mask)
        lasts: list[torch.Tensor] = []
        for cell in self.cells:
            x, *last = cell(x, *begun[len(lasts) :][: cell.states if begun else 0], *mask)
            lasts += last
        if mask and self.zero_output_for_mask:
            x = torch.where(mask[0][..., None], x, 0)
        output = x if self.return_sequences else x[:, -1]
        return (output, *lasts) if self.return_state else output

    def extra_repr(self) -> str:
        return f"return_sequences={self.return_sequences}, go_backwards={self.go_backwards}"


LAYER_OF_A_CELL: dict[str, Any] = {
    "num_layers": 1,
    "bidirectional": False,
    "two_biases": False,
    "return_sequences": True,
    "return_state": True,
    "go_backwards": False,
    "stateful": False,
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
    refuse_stateful(given)
    features = given.inputs[0][-1]
    layers: list[nn.Module] = []
    for told, counted in _cells(given.told["cell"], given.counted["cell"]):
        inner = given.holding(told, {**counted, **LAYER_OF_A_CELL}, (given.inputs[0][0], features))
        layers.append(given.make(replace(inner, kind=inner.kind.removesuffix("Cell"))))
        features = counted["units"]
    return Walk(
        chain(**{f"cell_{number}": layer for number, layer in enumerate(layers)}),
        return_sequences=given["return_sequences"],
        return_state=given["return_state"],
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
