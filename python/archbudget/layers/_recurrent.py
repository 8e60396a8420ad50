"""The layers of Keras 3 that walk along a sequence.

What they cost is counted for the number of steps in the shape of their input, whatever is masked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archbudget.errors import SpaceError
from archbudget.layers._base import Layer
from archbudget.layers._layers import lower_padding

if TYPE_CHECKING:
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
    """A dense layer at each step, on the step and the output before it: `(features + units + bias) * units` weights."""

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


@dataclass(frozen=True, eq=False, repr=False)
class LSTM(_Recurrent):
    """A long short-term memory: `(features + units + bias) * 4 * units` weights."""

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


@dataclass(frozen=True, eq=False, repr=False)
class GRU(_Recurrent):
    """A gated recurrent unit: `(features + units + bias) * 3 * units` weights, with two biases if `reset_after`."""

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
