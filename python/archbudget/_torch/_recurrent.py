"""Layers that walk along a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch users write it
from torch import nn

from archbudget._torch._activation import activation
from archbudget._torch._convolution import convolution, kernel_order, window
from archbudget._torch._given import drawn
from archbudget._torch._layout import Move, chain

if TYPE_CHECKING:
    from collections.abc import Callable

    from archbudget._torch._given import Given, Shape

State = tuple[torch.Tensor, ...]


def dropped(x: torch.Tensor, rate: float, training: bool) -> torch.Tensor:
    """The input with the same values dropped at each step, which are along axis 1."""
    if not training or rate == 0:
        return x
    return x * F.dropout(torch.ones_like(x[:, :1]), rate)


class Steps(nn.Module):
    """A recurrent layer step by step, where PyTorch's own does not do; its weights have the same names.

    A step that is masked leaves everything as it was.

    Args:
        gates: How many matrices it has.
        biases: How many biases: none, one for the input, or one for the state too.
    """

    def __init__(
        self,
        features: int,
        units: int,
        gates: int,
        biases: int,
        activation: nn.Module | None,
        recurrent_activation: nn.Module | None,
        recurrent_dropout: float,
    ) -> None:
        super().__init__()
        self.units = units
        self.weight_ih_l0 = nn.Parameter(torch.empty(gates * units, features))
        self.weight_hh_l0 = nn.Parameter(torch.empty(gates * units, units))
        self.bias_ih_l0 = nn.Parameter(torch.empty(gates * units)) if biases > 0 else None
        self.bias_hh_l0 = nn.Parameter(torch.empty(gates * units)) if biases > 1 else None
        self.activation = activation or nn.Identity()
        self.recurrent_activation = recurrent_activation or nn.Identity()
        self.recurrent_dropout = recurrent_dropout

    def step(self, x: torch.Tensor, h: torch.Tensor, state: State) -> State:
        """The state after a step.

        Args:
            x: The products of the input with its matrices.
            h: The output before, some values of which may be dropped.
            state: The output before, and whatever else is kept.
        """
        raise NotImplementedError

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> tuple[torch.Tensor, State]:
        zero = x.new_zeros(x.shape[0], self.units)
        state: State = (zero, zero)
        kept = F.dropout(torch.ones_like(zero), self.recurrent_dropout, self.training)
        outputs: list[torch.Tensor] = []
        for number, each in enumerate(F.linear(x, self.weight_ih_l0, self.bias_ih_l0).unbind(1)):
            after = self.step(each, state[0] * kept, state)
            if mask is None:
                state = after
            else:
                here = mask[:, number, None]
                state = tuple(torch.where(here, new, old) for new, old in zip(after, state, strict=True))
            outputs.append(state[0])
        return torch.stack(outputs, 1), state

    def extra_repr(self) -> str:
        return f"{self.weight_ih_l0.shape[1]}, {self.units}"


class SimpleRNNSteps(Steps):
    """A dense layer at each step."""

    def step(self, x: torch.Tensor, h: torch.Tensor, state: State) -> State:
        return (self.activation(x + F.linear(h, self.weight_hh_l0)), *state[1:])


class LSTMSteps(Steps):
    """A long short-term memory."""

    def step(self, x: torch.Tensor, h: torch.Tensor, state: State) -> State:
        i, f, c, o = (x + F.linear(h, self.weight_hh_l0)).chunk(4, 1)
        carry = self.recurrent_activation(f) * state[1] + self.recurrent_activation(i) * self.activation(c)
        return self.recurrent_activation(o) * self.activation(carry), carry


class GRUSteps(Steps):
    """A gated recurrent unit that is reset after the product with the matrix."""

    def step(self, x: torch.Tensor, h: torch.Tensor, state: State) -> State:
        x_r, x_z, x_n = x.chunk(3, 1)
        h_r, h_z, h_n = F.linear(h, self.weight_hh_l0, self.bias_hh_l0).chunk(3, 1)
        z = self.recurrent_activation(x_z + h_z)
        n = self.activation(x_n + self.recurrent_activation(x_r + h_r) * h_n)
        return (z * state[0] + (1 - z) * n, *state[1:])


class GRUResetBeforeSteps(Steps):
    """A gated recurrent unit that is reset before the product with the matrix."""

    def step(self, x: torch.Tensor, h: torch.Tensor, state: State) -> State:
        x_r, x_z, x_n = x.chunk(3, 1)
        gates, new = self.weight_hh_l0.split([2 * self.units, self.units])
        h_r, h_z = F.linear(h, gates).chunk(2, 1)
        z = self.recurrent_activation(x_z + h_z)
        n = self.activation(x_n + F.linear(self.recurrent_activation(x_r + h_r) * h, new))
        return (z * state[0] + (1 - z) * n, *state[1:])


class Recurrent(nn.Module):
    """A recurrent layer of one direction: all of its outputs, or the last one."""

    def __init__(self, rnn: nn.Module, dropout: float, return_sequences: bool, go_backwards: bool) -> None:
        super().__init__()
        self.rnn = rnn
        self.dropout = dropout
        self.return_sequences = return_sequences
        self.go_backwards = go_backwards

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        x = dropped(x, self.dropout, self.training)
        sequences = [x] if mask is None else [x, mask]
        outputs: torch.Tensor = self.rnn(*(each.flip(1) if self.go_backwards else each for each in sequences))[0]
        return outputs if self.return_sequences else outputs[:, -1]

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

    def fill(parameter: torch.Tensor, name: str, initializer: str, *sides: int) -> None:
        value = given.value(name, (*sides, count * units), initializer)
        ordered = torch.cat([value.chunk(count, -1)[gate] for gate in gates], -1)
        parameter.copy_(ordered.T if sides else ordered)

    fill(rnn.weight_ih_l0, "kernel", "kernel_initializer", given.inputs[0][-1])
    fill(rnn.weight_hh_l0, "recurrent_kernel", "recurrent_initializer", units)
    if not given["use_bias"]:
        return
    if given.kind == "GRU" and given["reset_after"]:
        both = given.value("bias", (2, count * units), "bias_initializer")
        for parameter, value in zip((rnn.bias_ih_l0, rnn.bias_hh_l0), both, strict=True):
            parameter.copy_(torch.cat([value.chunk(count)[gate] for gate in gates]))
    elif given.kind == "LSTM":
        rnn.bias_ih_l0.copy_(lstm_bias(given, units))
    else:
        fill(rnn.bias_ih_l0, "bias", "bias_initializer")


def lstm_bias(given: Given, units: int) -> torch.Tensor:
    """The first bias of an LSTM: the gate that forgets may begin open."""
    initializer = given["bias_initializer"]

    def opened(_: Shape, **__: Any) -> torch.Tensor:
        parts = ((units, initializer), (units, "ones"), (2 * units, initializer))
        return torch.cat([drawn(given, "bias", (size,), each) for size, each in parts])

    return given.value("bias", (4 * units,), opened if given["unit_forget_bias"] else initializer)


def _with_one_bias(rnn: Any) -> Any:
    """The same without the second bias, which Keras does not have: it stays 0 and is no weight."""
    if rnn.bias:
        zeros = torch.zeros_like(rnn.bias_hh_l0)
        del rnn.bias_hh_l0
        rnn.register_buffer("bias_hh_l0", zeros, persistent=False)
        rnn._init_flat_weights()
    return rnn


def _outer(given: Given, rnn: Any, gates: tuple[int, ...]) -> nn.Module:
    _fill(given, rnn, gates)
    return Recurrent(rnn, given["dropout"], given["return_sequences"], bool(given["go_backwards"]))


def _steps(given: Given, steps: type[Steps], gates: int, biases: int, recurrent: str | None) -> Steps:
    return steps(
        given.inputs[0][-1],
        given["units"],
        gates,
        biases if given["use_bias"] else 0,
        activation(given),
        activation(given, recurrent) if recurrent else None,
        given["recurrent_dropout"],
    )


def _own(given: Given, **activations: str) -> bool:
    """Whether PyTorch has a layer of its own: only with these activations, and without masks."""
    same = all(isinstance(activation(given, name), getattr(nn, known)) for name, known in activations.items())
    return same and given["recurrent_dropout"] == 0 and not given.masked


def _sizes(given: Given) -> dict[str, Any]:
    return {
        "input_size": given.inputs[0][-1],
        "hidden_size": given["units"],
        "bias": given["use_bias"],
        "batch_first": True,
    }


def _simple_rnn(given: Given) -> nn.Module:
    for name in ("tanh", "relu"):
        if _own(given, activation={"tanh": "Tanh", "relu": "ReLU"}[name]):
            return _outer(given, _with_one_bias(nn.RNN(**_sizes(given), nonlinearity=name)), (0,))
    return _outer(given, _steps(given, SimpleRNNSteps, 1, 1, None), (0,))


def _lstm(given: Given) -> nn.Module:
    if _own(given, activation="Tanh", recurrent_activation="Sigmoid"):
        return _outer(given, _with_one_bias(nn.LSTM(**_sizes(given))), (0, 1, 2, 3))
    return _outer(given, _steps(given, LSTMSteps, 4, 1, "recurrent_activation"), (0, 1, 2, 3))


def _gru(given: Given) -> nn.Module:
    # Keras has the gates that update, reset and renew; PyTorch has the first two the other way round.
    gates = (1, 0, 2)
    if not given["reset_after"]:
        return _outer(given, _steps(given, GRUResetBeforeSteps, 3, 1, "recurrent_activation"), gates)
    if _own(given, activation="Tanh", recurrent_activation="Sigmoid"):
        return _outer(given, nn.GRU(**_sizes(given)), gates)
    return _outer(given, _steps(given, GRUSteps, 3, 2, "recurrent_activation"), gates)


class ConvLSTM(nn.Module):
    """An LSTM whose matrices are convolutions; channels first."""

    def __init__(
        self,
        pad: nn.Module | None,
        conv: nn.Module,
        recurrent: nn.Module,
        activation: nn.Module | None,
        recurrent_activation: nn.Module | None,
        dropout: float,
        recurrent_dropout: float,
        return_sequences: bool,
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
        self.return_sequences = return_sequences
        self.go_backwards = go_backwards

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = dropped(x, self.dropout, self.training)
        if self.go_backwards:
            x = x.flip(1)
        products = self.conv(self.pad(x.flatten(0, 1))).unflatten(0, x.shape[:2])
        h = carry = torch.zeros_like(products[:, 0].chunk(4, 1)[0])
        kept = F.dropout(torch.ones_like(h), self.recurrent_dropout, self.training)
        outputs: list[torch.Tensor] = []
        for product in products.unbind(1):
            i, f, c, o = (product + self.recurrent(h * kept)).chunk(4, 1)
            carry = self.recurrent_activation(f) * carry + self.recurrent_activation(i) * self.activation(c)
            h = self.recurrent_activation(o) * self.activation(carry)
            outputs.append(h)
        return torch.stack(outputs, 1) if self.return_sequences else h

    def extra_repr(self) -> str:
        return f"return_sequences={self.return_sequences}, go_backwards={self.go_backwards}"


def _conv_lstm(given: Given) -> nn.Module:
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
    module = ConvLSTM(
        pad,
        conv,
        recurrent if around is None else chain(pad=around, conv=recurrent),
        activation(given),
        activation(given, "recurrent_activation"),
        given["dropout"],
        given["recurrent_dropout"],
        given["return_sequences"],
        bool(given["go_backwards"]),
    )
    return chain(
        to_channels_first=Move(-1, 2) if last else None,
        cell=module,
        to_channels_last=Move(2 if given["return_sequences"] else 1, -1) if last else None,
    )


BUILDERS: dict[str, Callable[[Given], nn.Module]] = {
    **dict.fromkeys(("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), _conv_lstm),
    "GRU": _gru,
    "LSTM": _lstm,
    "SimpleRNN": _simple_rnn,
}
