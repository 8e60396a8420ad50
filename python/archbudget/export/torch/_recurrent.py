"""Recurrent layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch users write it
from torch import nn

from archbudget.export.torch._activation import activation
from archbudget.export.torch._convolution import convolution, kernel_order, window
from archbudget.export.torch._given import drawn
from archbudget.export.torch._layout import chain

if TYPE_CHECKING:
    from collections.abc import Callable

    from archbudget.export.torch._given import Given, Shape

State = tuple[torch.Tensor, ...]


def split(others: tuple[torch.Tensor, ...]) -> tuple[State, tuple[torch.Tensor, ...]]:
    """What stands behind a sequence: the states to begin with, and a mask, each if there is any."""
    masked = bool(others) and others[-1].dtype == torch.bool
    return others[: len(others) - masked], others[len(others) - masked :]


def suffixes(num_layers: int, bidirectional: bool) -> list[tuple[str, ...]]:
    """What PyTorch's names of weights end with: for each layer those of its directions."""
    return [(f"_l{layer}", f"_l{layer}_reverse")[: 1 + bidirectional] for layer in range(num_layers)]


def dropped(x: torch.Tensor, rate: float, training: bool) -> torch.Tensor:
    """The input with the same values dropped at each step, which are along axis 1."""
    if not training or rate == 0:
        return x
    return x * F.dropout(torch.ones_like(x[:, :1]), rate)


class Matrices(NamedTuple):
    """What one direction of one layer does to its state."""

    weight: torch.Tensor
    bias: torch.Tensor | None
    projection: torch.Tensor | None


class Steps(nn.Module):
    """Recurrent layers step by step, where PyTorch's own do not do; their weights have the same names.

    A step that is masked leaves everything as it was.

    Args:
        features: How many features a step has.
        units: How many units each layer has.
        gates: How many matrices it has.
        biases: How many biases: none, one for the input, or one for the state too.
        activation: What becomes of the state.
        recurrent_activation: What opens the gates.
        recurrent_dropout: The share of the state that the matrices do not see, the same at each step.
        num_layers: How many layers there are on top of each other.
        bidirectional: Whether each of them goes in both directions.
        dropout: The share that is dropped between them.
        proj_size: The size of the state, if it is projected.
    """

    STATES: ClassVar[int] = 1
    """The number of states: the last output, and any others."""

    def __init__(
        self,
        features: int,
        units: int,
        gates: int,
        biases: int,
        activation: nn.Module | None,
        recurrent_activation: nn.Module | None,
        recurrent_dropout: float,
        *,
        num_layers: int,
        bidirectional: bool,
        dropout: float,
        proj_size: int = 0,
    ) -> None:
        super().__init__()
        self.features = features
        self.units = units
        self.gates = gates
        self.biases = biases
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self.state = proj_size or units
        self.suffixes = suffixes(num_layers, bidirectional)
        for ends in self.suffixes:
            for end in ends:
                shapes = {
                    "weight_ih": (gates * units, features),
                    "weight_hh": (gates * units, self.state),
                    "bias_ih": (gates * units,) if biases > 0 else None,
                    "bias_hh": (gates * units,) if biases > 1 else None,
                    "weight_hr": (proj_size, units) if proj_size else None,
                }
                for name, shape in shapes.items():
                    self.register_parameter(name + end, shape and nn.Parameter(torch.empty(shape)))
            features = len(ends) * self.state
        self.activation = activation or nn.Identity()
        self.recurrent_activation = recurrent_activation or nn.Identity()
        self.recurrent_dropout = recurrent_dropout
        self.dropout = dropout

    def step(self, x: torch.Tensor, h: torch.Tensor, state: State, own: Matrices) -> State:
        """The state after a step.

        Args:
            x: The products of the input with its matrices.
            h: The output before, some values of which may be dropped.
            state: The last output, and any other states.
            own: The matrices.
        """
        raise NotImplementedError

    def walk(self, x: torch.Tensor, state: State, mask: torch.Tensor | None, end: str) -> tuple[torch.Tensor, State]:
        """The outputs of one direction of one layer, and its last state."""
        own = Matrices(*(getattr(self, name + end) for name in ("weight_hh", "bias_hh", "weight_hr")))
        products = F.linear(x, getattr(self, f"weight_ih{end}"), getattr(self, f"bias_ih{end}"))
        kept = F.dropout(torch.ones_like(state[0]), self.recurrent_dropout, self.training)
        outputs: list[torch.Tensor] = []
        for number, each in enumerate(products.unbind(1)):
            after = self.step(each, state[0] * kept, state, own)
            if mask is None:
                state = after
            else:
                here = mask[:, number, None]
                state = tuple(torch.where(here, new, old) for new, old in zip(after, state, strict=True))
            outputs.append(state[0])
        return torch.stack(outputs, 1), state

    def forward(
        self, x: torch.Tensor, hx: State | torch.Tensor | None = None, mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, State | torch.Tensor]:
        """What `forward` of PyTorch's own layers is, with a mask."""
        begun: State = (hx,) if isinstance(hx, torch.Tensor) else hx or ()
        sizes = (self.state, self.units)
        lasts: list[State] = []
        for number, ends in enumerate(self.suffixes):
            if number:
                x = F.dropout(x, self.dropout, self.training)
            outputs: list[torch.Tensor] = []
            for end in ends:
                given = tuple(each[len(lasts)] for each in begun)
                zeros = tuple(x.new_zeros(x.shape[0], size) for size in sizes[len(given) :])
                back = len(outputs) > 0
                steps = [x, mask] if not back else [x.flip(1), mask if mask is None else mask.flip(1)]
                made, last = self.walk(steps[0], (*given, *zeros), steps[1], end)
                outputs.append(made.flip(1) if back else made)
                lasts.append(last)
            x = torch.cat(outputs, -1)
        stacked = tuple(torch.stack(each) for each in zip(*lasts, strict=True))[: self.STATES]
        return x, stacked if self.STATES > 1 else stacked[0]

    def extra_repr(self) -> str:
        return f"{self.features}, {self.units}, num_layers={len(self.suffixes)}"


class SimpleRNNSteps(Steps):
    """A dense layer at each step."""

    def step(self, x: torch.Tensor, h: torch.Tensor, state: State, own: Matrices) -> State:
        return (self.activation(x + F.linear(h, own.weight, own.bias)), *state[1:])


class LSTMSteps(Steps):
    """A long short-term memory."""

    STATES = 2

    def step(self, x: torch.Tensor, h: torch.Tensor, state: State, own: Matrices) -> State:
        i, f, c, o = (x + F.linear(h, own.weight, own.bias)).chunk(4, 1)
        carry = self.recurrent_activation(f) * state[1] + self.recurrent_activation(i) * self.activation(c)
        output = self.recurrent_activation(o) * self.activation(carry)
        return output if own.projection is None else F.linear(output, own.projection), carry


class GRUSteps(Steps):
    """A gated recurrent unit that is reset after the product with the matrix."""

    def step(self, x: torch.Tensor, h: torch.Tensor, state: State, own: Matrices) -> State:
        x_r, x_z, x_n = x.chunk(3, 1)
        h_r, h_z, h_n = F.linear(h, own.weight, own.bias).chunk(3, 1)
        z = self.recurrent_activation(x_z + h_z)
        n = self.activation(x_n + self.recurrent_activation(x_r + h_r) * h_n)
        return (z * state[0] + (1 - z) * n, *state[1:])


class GRUResetBeforeSteps(Steps):
    """A gated recurrent unit that is reset before the product with the matrix."""

    def step(self, x: torch.Tensor, h: torch.Tensor, state: State, own: Matrices) -> State:
        x_r, x_z, x_n = x.chunk(3, 1)
        gates, new = own.weight.split([2 * self.units, self.units])
        h_r, h_z = F.linear(h, gates).chunk(2, 1)
        z = self.recurrent_activation(x_z + h_z)
        n = self.activation(x_n + F.linear(self.recurrent_activation(x_r + h_r) * h, new))
        return (z * state[0] + (1 - z) * n, *state[1:])


class Recurrent(nn.Module):
    """Recurrent layers: all outputs of the last one, or that of the last step; and the last states, if asked for.

    It takes a sequence, behind it the states to begin with, and a mask. A state has the batch first, and no axis for
    the layers and directions where there is one of them.
    """

    def __init__(
        self,
        rnn: nn.Module,
        dropout: float,
        *,
        return_sequences: bool,
        return_state: bool,
        go_backwards: bool,
        zero_output_for_mask: bool,
    ) -> None:
        super().__init__()
        self.rnn = rnn
        self.states = 2 if isinstance(rnn, (nn.LSTM, LSTMSteps)) else 1
        self.dropout = dropout
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.zero_output_for_mask = zero_output_for_mask

    def forward(self, x: torch.Tensor, *others: torch.Tensor) -> torch.Tensor | State:
        states, mask = split(others)
        x = dropped(x, self.dropout, self.training)
        if self.go_backwards:
            x, mask = x.flip(1), tuple(each.flip(1) for each in mask)
        begun = tuple(each.unsqueeze(0) if each.dim() == 2 else each.transpose(0, 1).contiguous() for each in states)
        outputs, last = self.rnn(x, (begun if len(begun) > 1 else begun[0]) if begun else None, *mask)
        if mask and self.zero_output_for_mask:
            outputs = torch.where(mask[0][..., None], outputs, 0)
        output: torch.Tensor = outputs if self.return_sequences else outputs[:, -1]
        if not self.return_state:
            return output
        lasts = (last,) if isinstance(last, torch.Tensor) else last
        return (output, *(each[0] if len(each) == 1 else each.transpose(0, 1) for each in lasts))

    def extra_repr(self) -> str:
        return f"return_sequences={self.return_sequences}, go_backwards={self.go_backwards}"


def _fill(given: Given, rnn: Any, gates: tuple[int, ...]) -> None:
    """Sets the weights.

    Args:
        given: The layer.
        rnn: Its module.
        gates: The gates of Keras in the order of PyTorch.
    """
    count, units = len(gates), given["units"]

    def fill(parameter: torch.Tensor, value: torch.Tensor) -> None:
        ordered = torch.cat([value.chunk(count, -1)[gate] for gate in gates], -1)
        parameter.copy_(ordered.T if ordered.dim() > 1 else ordered)

    for end in (end for ends in suffixes(given["num_layers"], given["bidirectional"]) for end in ends):
        for name, own, initializer in (
            ("weight_ih", "kernel", "kernel_initializer"),
            ("weight_hh", "recurrent_kernel", "recurrent_initializer"),
        ):
            parameter = getattr(rnn, name + end)
            fill(parameter, given.value(own, (parameter.shape[1], count * units), initializer))
        for name, value in zip(("bias_ih", "bias_hh"), _biases(given, count * units), strict=False):
            fill(getattr(rnn, name + end), value)
        if given.counted.get("proj_size"):
            projection = getattr(rnn, f"weight_hr{end}")
            given.fill(projection, "projection", "kernel_initializer", (units, given["proj_size"]), (1, 0))


def _bias_count(given: Given) -> int:
    if not given["use_bias"]:
        return 0
    return 1 + int(given["reset_after" if given.kind == "GRU" else "two_biases"])


def _biases(given: Given, width: int) -> list[torch.Tensor]:
    """The first values of the biases, as many as there are."""
    count = _bias_count(given)
    if given.kind == "GRU" and count == 2:
        return [*given.value("bias", (2, width), "bias_initializer")]
    names = ("bias", "recurrent_bias")[:count]
    return [
        lstm_bias(given, given["units"])
        if given.kind == "LSTM" and name == "bias"
        else given.value(name, (width,), "bias_initializer")
        for name in names
    ]


def lstm_bias(given: Given, units: int) -> torch.Tensor:
    """The initial bias of an LSTM, whose forget gate may begin open."""
    initializer = given["bias_initializer"]

    def opened(_: Shape, **__: Any) -> torch.Tensor:
        parts = ((units, initializer), (units, "ones"), (2 * units, initializer))
        return torch.cat([drawn(given, "bias", (size,), each) for size, each in parts])

    return given.value("bias", (4 * units,), opened if given["unit_forget_bias"] else initializer)


def single_bias(rnn: Any) -> Any:
    """A recurrent layer of PyTorch whose second biases stay 0, and are no weights."""
    for end in (end for ends in suffixes(rnn.num_layers, rnn.bidirectional) for end in ends):
        zeros = torch.zeros_like(getattr(rnn, f"bias_hh{end}"))
        delattr(rnn, f"bias_hh{end}")
        rnn.register_buffer(f"bias_hh{end}", zeros, persistent=False)
    rnn._init_flat_weights()
    return rnn


def _stack(given: Given) -> dict[str, Any]:
    """The options of PyTorch, as its own layers and those that go step by step take them."""
    options = {name: given[name] for name in ("num_layers", "bidirectional", "proj_size") if name in given.counted}
    # The dropout of PyTorch is between layers.
    return {**options, "dropout": given["dropout"] if given["num_layers"] > 1 else 0.0}


def refuse_stateful(given: Given) -> None:
    """Refuses a stateful layer, which begins each batch with the states of the one before."""
    if given["stateful"]:
        raise given.refusal("stateful", "a module keeps nothing from batch to batch")


def _outer(given: Given, rnn: Any, gates: tuple[int, ...]) -> nn.Module:
    refuse_stateful(given)
    _fill(given, rnn, gates)
    dropout = given["dropout"] if given["num_layers"] == 1 else 0.0
    return Recurrent(
        rnn,
        dropout,
        return_sequences=given["return_sequences"],
        return_state=given["return_state"],
        go_backwards=bool(given["go_backwards"]),
        zero_output_for_mask=bool(given.told.get("zero_output_for_mask")),
    )


def _steps(given: Given, steps: type[Steps], gates: int, recurrent: str | None) -> Steps:
    return steps(
        given.inputs[0][-1],
        given["units"],
        gates,
        _bias_count(given),
        activation(given),
        activation(given, recurrent) if recurrent else None,
        given["recurrent_dropout"],
        **_stack(given),
    )


def _own(given: Given, **activations: str) -> bool:
    """Whether PyTorch's own layer computes the same: only with these activations, and without masks."""
    same = all(isinstance(activation(given, name), getattr(nn, module)) for name, module in activations.items())
    return same and given["recurrent_dropout"] == 0 and not given.masked


def _made(given: Given, module: Any, **options: Any) -> Any:
    """A recurrent layer of PyTorch."""
    made = module(
        given.inputs[0][-1], given["units"], bias=given["use_bias"], batch_first=True, **_stack(given), **options
    )
    return single_bias(made) if _bias_count(given) == 1 else made


def _simple_rnn(given: Given) -> nn.Module:
    for name in ("tanh", "relu"):
        if _own(given, activation={"tanh": "Tanh", "relu": "ReLU"}[name]):
            return _outer(given, _made(given, nn.RNN, nonlinearity=name), (0,))
    return _outer(given, _steps(given, SimpleRNNSteps, 1, None), (0,))


def _lstm(given: Given) -> nn.Module:
    if _own(given, activation="Tanh", recurrent_activation="Sigmoid"):
        return _outer(given, _made(given, nn.LSTM), (0, 1, 2, 3))
    return _outer(given, _steps(given, LSTMSteps, 4, "recurrent_activation"), (0, 1, 2, 3))


def _gru(given: Given) -> nn.Module:
    # Keras has the gates that update, reset and renew; PyTorch has the first two the other way round.
    gates = (1, 0, 2)
    if not given["reset_after"]:
        return _outer(given, _steps(given, GRUResetBeforeSteps, 3, "recurrent_activation"), gates)
    if _own(given, activation="Tanh", recurrent_activation="Sigmoid"):
        return _outer(given, _made(given, nn.GRU), gates)
    return _outer(given, _steps(given, GRUSteps, 3, "recurrent_activation"), gates)


class ConvLSTM(nn.Module):
    """An LSTM whose matrices are convolutions. Behind its sequence it takes the states to begin with, and a mask."""

    states = 2

    def __init__(
        self,
        pad: nn.Module | None,
        conv: nn.Module,
        recurrent: nn.Module,
        activation: nn.Module | None,
        recurrent_activation: nn.Module | None,
        dropout: float,
        recurrent_dropout: float,
        channels_last: bool,
        return_sequences: bool,
        return_state: bool,
        go_backwards: bool,
    ) -> None:
        super().__init__()
        self.pad = pad or nn.Identity()
        self.conv = conv
        self.recurrent = recurrent
        self.activation = activation or nn.Identity()
        self.recurrent_activation = recurrent_activation or nn.Identity()
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.channels_last = channels_last
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards

    def forward(self, x: torch.Tensor, *others: torch.Tensor) -> torch.Tensor | State:
        states, mask = split(others)
        x = dropped(x, self.dropout, self.training)
        if self.go_backwards:
            x, mask = x.flip(1), tuple(each.flip(1) for each in mask)
        if self.channels_last:
            x, states = x.movedim(-1, 2), tuple(each.movedim(-1, 1) for each in states)
        products = self.conv(self.pad(x.flatten(0, 1))).unflatten(0, x.shape[:2])
        h, carry = states or [torch.zeros_like(products[:, 0].chunk(4, 1)[0])] * 2
        kept = F.dropout(torch.ones_like(h), self.recurrent_dropout, self.training)
        outputs: list[torch.Tensor] = []
        # As in Keras a masked step repeats the output before it, which is 0 where there is none.
        output = torch.zeros_like(h)
        for number, product in enumerate(products.unbind(1)):
            i, f, c, o = (product + self.recurrent(h * kept)).chunk(4, 1)
            after = self.recurrent_activation(f) * carry + self.recurrent_activation(i) * self.activation(c)
            step = (self.recurrent_activation(o) * self.activation(after), after)
            if not mask:
                (h, carry), output = step, step[0]
            else:
                here = mask[0][:, number].reshape(-1, *[1] * (h.dim() - 1))
                h, carry, output = (
                    torch.where(here, new, old) for new, old in zip((*step, step[0]), (h, carry, output), strict=True)
                )
            outputs.append(output)
        made = (torch.stack(outputs, 1) if self.return_sequences else output, h, carry)
        if self.channels_last:
            made = tuple(each.movedim(2 - x.dim(), -1) for each in made)
        return made if self.return_state else made[0]

    def extra_repr(self) -> str:
        return f"return_sequences={self.return_sequences}, go_backwards={self.go_backwards}"


def _conv_lstm(given: Given) -> nn.Module:
    refuse_stateful(given)
    filters, size, last = given["filters"], given["kernel_size"], given.channels_last
    axes = len(size)
    channels = given.inputs[0][-1 if last else 1]
    ones = (1,) * axes
    pad, conv = convolution(channels, 4 * filters, **window(given), bias=given["use_bias"])
    around, recurrent = convolution(filters, 4 * filters, size, strides=ones, dilation=ones, padding="same", bias=False)
    given.fill(conv.weight, "kernel", "kernel_initializer", (*size, channels, 4 * filters), kernel_order(axes))
    shape = (*size, filters, 4 * filters)
    given.fill(recurrent.weight, "recurrent_kernel", "recurrent_initializer", shape, kernel_order(axes))
    if given["use_bias"]:
        conv.bias.copy_(lstm_bias(given, filters))
    return ConvLSTM(
        pad,
        conv,
        recurrent if around is None else chain(pad=around, conv=recurrent),
        activation(given),
        activation(given, "recurrent_activation"),
        given["dropout"],
        given["recurrent_dropout"],
        last,
        given["return_sequences"],
        given["return_state"],
        bool(given["go_backwards"]),
    )


BUILDERS: dict[str, Callable[[Given], nn.Module]] = {
    **dict.fromkeys(("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), _conv_lstm),
    "GRU": _gru,
    "LSTM": _lstm,
    "SimpleRNN": _simple_rnn,
}
