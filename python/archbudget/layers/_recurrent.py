"""The layers of Keras 3 that walk along a sequence.

What they cost is counted for the number of steps in the shape of their input, whatever is masked.

`SimpleRNN`, `LSTM` and `GRU` have options of PyTorch, too. With them they are `torch.nn.RNN`, `LSTM` and `GRU` with
`batch_first=True`: `units` is `hidden_size`, and with `return_sequences` the output is the output of the last layer,
`(steps, directions * units)`; without it, the last step of that, `output[:, -1]`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from archbudget.errors import SpaceError
from archbudget.layers._base import Layer
from archbudget.layers._layers import lower_padding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archbudget._expressions import IntLike
    from archbudget.layers._layers import Flag, IntsLike, Text


class _Recurrent(Layer):
    """A layer that keeps a state from step to step."""

    return_state: bool
    stateful: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.return_state is not False:
            raise SpaceError(f"{self.kind}: return_state must be False: a layer of a space has one output")
        if self.stateful is not False:
            raise SpaceError(f"{self.kind}: stateful must be False: Keras needs the size of a batch for it")


@dataclass(frozen=True, eq=False, repr=False)
class SimpleRNN(_Recurrent):
    """A dense layer at each step, on the step and the output before it: `(features + units + bias) * units` weights.

    Args:
        num_layers: PyTorch's: so many layers, one on top of the other, of as many units each. Without
            `return_sequences` the output is the last one of the last layer. `dropout` is then between them.
        bidirectional: PyTorch's: each layer goes through the steps in both directions, with weights for each, and puts
            both outputs side by side. Without `return_sequences` the output is still that of the last step, which is
            all that the backward direction has seen by then.
        two_biases: Whether there are two bias vectors where Keras has one: `bias_ih` and `bias_hh` of PyTorch, whose
            `bias=True` is `use_bias=True, two_biases=True`.
    """

    units: IntLike
    activation: Any = "tanh"
    use_bias: Flag = True
    kernel_initializer: Any = "glorot_uniform"
    recurrent_initializer: Any = "orthogonal"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    recurrent_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    recurrent_constraint: Any = None
    bias_constraint: Any = None
    dropout: Any = 0.0
    recurrent_dropout: Any = 0.0
    return_sequences: Flag = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False
    unroll: bool = False
    seed: int | None = None
    num_layers: IntLike = field(default=1, kw_only=True)
    bidirectional: Flag = field(default=False, kw_only=True)
    two_biases: Flag = field(default=False, kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"num_layers": 1, "bidirectional": False, "two_biases": False}


@dataclass(frozen=True, eq=False, repr=False)
class LSTM(_Recurrent):
    """A long short-term memory: `(features + units + bias) * 4 * units` weights.

    Args:
        num_layers: PyTorch's: so many layers, one on top of the other, of as many units each. Without
            `return_sequences` the output is the last one of the last layer. `dropout` is then between them.
        bidirectional: PyTorch's: each layer goes through the steps in both directions, with weights for each, and puts
            both outputs side by side. Without `return_sequences` the output is still that of the last step, which is
            all that the backward direction has seen by then.
        two_biases: Whether there are two bias vectors where Keras has one: `bias_ih` and `bias_hh` of PyTorch, whose
            `bias=True` is `use_bias=True, two_biases=True`.
        proj_size: PyTorch's: outputs and states are projected to this size by `units * proj_size` weights more in each
            layer and direction; less than `units`, and 0 for no projection.
    """

    units: IntLike
    activation: Any = "tanh"
    recurrent_activation: Any = "sigmoid"
    use_bias: Flag = True
    kernel_initializer: Any = "glorot_uniform"
    recurrent_initializer: Any = "orthogonal"
    bias_initializer: Any = "zeros"
    unit_forget_bias: bool = True
    kernel_regularizer: Any = None
    recurrent_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    recurrent_constraint: Any = None
    bias_constraint: Any = None
    dropout: Any = 0.0
    recurrent_dropout: Any = 0.0
    seed: int | None = None
    return_sequences: Flag = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False
    unroll: bool = False
    use_cudnn: Any = "auto"
    num_layers: IntLike = field(default=1, kw_only=True)
    bidirectional: Flag = field(default=False, kw_only=True)
    two_biases: Flag = field(default=False, kw_only=True)
    proj_size: IntLike = field(default=0, kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {
        "num_layers": 1,
        "bidirectional": False,
        "two_biases": False,
        "proj_size": 0,
    }


@dataclass(frozen=True, eq=False, repr=False)
class GRU(_Recurrent):
    """A gated recurrent unit: `(features + units + bias) * 3 * units` weights, with two biases if `reset_after`.

    Args:
        num_layers: PyTorch's: so many layers, one on top of the other, of as many units each. Without
            `return_sequences` the output is the last one of the last layer. `dropout` is then between them.
        bidirectional: PyTorch's: each layer goes through the steps in both directions, with weights for each, and puts
            both outputs side by side. Without `return_sequences` the output is still that of the last step, which is
            all that the backward direction has seen by then.
        reset_after: Keras' own default, with which the layer is PyTorch's: two bias vectors, as PyTorch's `bias=True`.
    """

    units: IntLike
    activation: Any = "tanh"
    recurrent_activation: Any = "sigmoid"
    use_bias: Flag = True
    kernel_initializer: Any = "glorot_uniform"
    recurrent_initializer: Any = "orthogonal"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    recurrent_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    recurrent_constraint: Any = None
    bias_constraint: Any = None
    dropout: Any = 0.0
    recurrent_dropout: Any = 0.0
    seed: int | None = None
    return_sequences: Flag = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False
    unroll: bool = False
    reset_after: Flag = True
    use_cudnn: Any = "auto"
    num_layers: IntLike = field(default=1, kw_only=True)
    bidirectional: Flag = field(default=False, kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"num_layers": 1, "bidirectional": False}


@dataclass(frozen=True, eq=False, repr=False)
class _ConvLSTM(_Recurrent):
    filters: IntLike
    kernel_size: IntsLike
    strides: IntsLike = 1
    padding: Text = "valid"
    data_format: Text | None = None
    dilation_rate: IntsLike = 1
    activation: Any = "tanh"
    recurrent_activation: Any = "sigmoid"
    use_bias: Flag = True
    kernel_initializer: Any = "glorot_uniform"
    recurrent_initializer: Any = "orthogonal"
    bias_initializer: Any = "zeros"
    unit_forget_bias: bool = True
    kernel_regularizer: Any = None
    recurrent_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    recurrent_constraint: Any = None
    bias_constraint: Any = None
    dropout: Any = 0.0
    recurrent_dropout: Any = 0.0
    seed: int | None = None
    return_sequences: Flag = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False

    def normalized(self) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost; Keras takes the padding of a convolution in any case."""
        return lower_padding(super().normalized())


@dataclass(frozen=True, eq=False, repr=False)
class ConvLSTM1D(_ConvLSTM):
    """An LSTM whose matrices are convolutions: `(kernel * (channels + filters) + bias) * 4 * filters` weights."""


@dataclass(frozen=True, eq=False, repr=False)
class ConvLSTM2D(_ConvLSTM):
    """An LSTM whose matrices are convolutions: `(kernel * (channels + filters) + bias) * 4 * filters` weights."""


@dataclass(frozen=True, eq=False, repr=False)
class ConvLSTM3D(_ConvLSTM):
    """An LSTM whose matrices are convolutions: `(kernel * (channels + filters) + bias) * 4 * filters` weights."""
