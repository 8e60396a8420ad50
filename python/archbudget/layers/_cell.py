"""The cells that `RNN` walks with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from archbudget.errors import SpaceError
from archbudget.layers._base import Guard, Layer, Nested, Sink, Tensor, TensorLike

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archbudget._expressions import IntLike
    from archbudget.layers._arguments import Flag

__all__ = ["Cell", "GRUCell", "LSTMCell", "SimpleRNNCell"]


class Cell(Layer):
    """One step of a recurrent layer, which `RNN` takes."""

    def __call__(self, inputs: TensorLike | Sequence[TensorLike]) -> Tensor:
        """Refuses: a cell is no layer by itself."""
        del inputs
        self._refuse()

    def write_all(self, writer: Sink, inputs: Sequence[int], guard: Guard) -> tuple[int, ...]:
        """Refuses: a cell is no layer by itself."""
        del writer, inputs, guard
        self._refuse()

    @property
    def state(self) -> Nested:
        """How its states are nested; one by itself is the last output."""
        return None

    def _refuse(self) -> NoReturn:
        raise SpaceError(f"{self.kind} is one step of a recurrent layer, and no layer by itself; put it into an RNN")


@dataclass(frozen=True, eq=False, repr=False)
class SimpleRNNCell(Cell):
    """A step of a `SimpleRNN`: `(features + units + bias) * units` weights."""

    units: IntLike
    activation: Any = "tanh"
    use_bias: Flag = True
    kernel_initializer: Any = "glorot_uniform"
    recurrent_initializer: Any = "orthogonal"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    recurrent_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    recurrent_constraint: Any = None
    bias_constraint: Any = None
    dropout: Any = 0.0
    recurrent_dropout: Any = 0.0
    seed: int | None = None


@dataclass(frozen=True, eq=False, repr=False)
class LSTMCell(Cell):
    """A step of an `LSTM`: `(features + units + bias) * 4 * units` weights."""

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
    kernel_constraint: Any = None
    recurrent_constraint: Any = None
    bias_constraint: Any = None
    dropout: Any = 0.0
    recurrent_dropout: Any = 0.0
    seed: int | None = None

    @property
    def state(self) -> Nested:
        """The last output, and the carry."""
        return (None, None)


@dataclass(frozen=True, eq=False, repr=False)
class GRUCell(Cell):
    """A step of a `GRU`: `(features + units + bias) * 3 * units` weights, with two biases if `reset_after`."""

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
    kernel_constraint: Any = None
    recurrent_constraint: Any = None
    bias_constraint: Any = None
    dropout: Any = 0.0
    recurrent_dropout: Any = 0.0
    reset_after: Flag = True
    seed: int | None = None
