"""The cells that `RNN` walks with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from archbudget.errors import SpaceError
from archbudget.layers._base import Guard, Layer, Nested, Sink, TensorLike, layer_class

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archbudget._expressions import IntLike
    from archbudget.layers._arguments import Flag

__all__ = ["Cell", "GRUCell", "LSTMCell", "SimpleRNNCell"]


class Cell(Layer):
    """One step of a recurrent layer, which `RNN` takes."""

    INTERNAL = ("state",)

    def __call__(self, inputs: TensorLike | Sequence[TensorLike], **options: Any) -> Any:
        """Refuses: a cell is no layer by itself."""
        del inputs, options
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


@layer_class
class SimpleRNNCell(Cell):
    """A step of a `SimpleRNN`: `(features + units + bias) * units` weights.

    Input shape: `(features)` of a step.
    Output shape: `(units)`.
    Weights: `(features + units + bias) * units`.
    MACs: `(features + units) * units` at each step.
    It is no layer by itself: `RNN` and `StackedRNNCells` take it.

    Args:
        units: The size of the output and of each state, at least 1.
        activation: The function of the output, by its name or as a function. It changes no count. Default: `"tanh"`.
        use_bias: Whether a bias is added, which costs weights and no multiply-accumulates. Default: `True`.
        kernel_initializer: How the kernel is initialised. Kept for Keras. Default: `"glorot_uniform"`.
        recurrent_initializer: How the matrix on the state is initialised. Kept for Keras. Default: `"orthogonal"`.
        bias_initializer: How the bias is initialised. Kept for Keras. Default: `"zeros"`.
        kernel_regularizer: The penalty on the kernel while training. Kept for Keras. Default: `None`.
        recurrent_regularizer: The penalty on the matrix on the state while training. Kept for Keras. Default: `None`.
        bias_regularizer: The penalty on the bias while training. Kept for Keras. Default: `None`.
        kernel_constraint: What the kernel is projected to after each step of training. Kept for Keras. Default: `None`.
        recurrent_constraint: What the matrix on the state is projected to after each step of training. Kept for Keras.
            Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        dropout: The share of the input that is dropped while training. Kept for Keras. Default: `0.0`.
        recurrent_dropout: The share of the state that is dropped while training. Kept for Keras. Default: `0.0`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
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
    kernel_constraint: Any = None
    recurrent_constraint: Any = None
    bias_constraint: Any = None
    dropout: Any = 0.0
    recurrent_dropout: Any = 0.0
    seed: int | None = None


@layer_class
class LSTMCell(Cell):
    """A step of an `LSTM`: `(features + units + bias) * 4 * units` weights.

    Input shape: `(features)` of a step.
    Output shape: `(units)`.
    Weights: `(features + units + bias) * 4 * units`.
    MACs: `(features + units) * 4 * units` at each step.
    It is no layer by itself: `RNN` and `StackedRNNCells` take it.

    Args:
        units: The size of the output and of each state, at least 1.
        activation: The function of the output, by its name or as a function. It changes no count. Default: `"tanh"`.
        recurrent_activation: The function of the gates, by its name or as a function. It changes no count.
            Default: `"sigmoid"`.
        use_bias: Whether a bias is added, which costs weights and no multiply-accumulates. Default: `True`.
        kernel_initializer: How the kernel is initialised. Kept for Keras. Default: `"glorot_uniform"`.
        recurrent_initializer: How the matrix on the state is initialised. Kept for Keras. Default: `"orthogonal"`.
        bias_initializer: How the bias is initialised. Kept for Keras. Default: `"zeros"`.
        unit_forget_bias: Whether the bias of the forget gate begins at 1. Kept for Keras. Default: `True`.
        kernel_regularizer: The penalty on the kernel while training. Kept for Keras. Default: `None`.
        recurrent_regularizer: The penalty on the matrix on the state while training. Kept for Keras. Default: `None`.
        bias_regularizer: The penalty on the bias while training. Kept for Keras. Default: `None`.
        kernel_constraint: What the kernel is projected to after each step of training. Kept for Keras. Default: `None`.
        recurrent_constraint: What the matrix on the state is projected to after each step of training. Kept for Keras.
            Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        dropout: The share of the input that is dropped while training. Kept for Keras. Default: `0.0`.
        recurrent_dropout: The share of the state that is dropped while training. Kept for Keras. Default: `0.0`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
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


@layer_class
class GRUCell(Cell):
    """A step of a `GRU`: `(features + units + bias) * 3 * units` weights, with two biases if `reset_after`.

    Input shape: `(features)` of a step.
    Output shape: `(units)`.
    Weights: `(features + units + bias) * 3 * units`, where `bias` counts 2 with `reset_after`.
    MACs: `(features + units) * 3 * units` at each step.
    It is no layer by itself: `RNN` and `StackedRNNCells` take it.

    Args:
        units: The size of the output and of each state, at least 1.
        activation: The function of the output, by its name or as a function. It changes no count. Default: `"tanh"`.
        recurrent_activation: The function of the gates, by its name or as a function. It changes no count.
            Default: `"sigmoid"`.
        use_bias: Whether a bias is added, which costs weights and no multiply-accumulates. Default: `True`.
        kernel_initializer: How the kernel is initialised. Kept for Keras. Default: `"glorot_uniform"`.
        recurrent_initializer: How the matrix on the state is initialised. Kept for Keras. Default: `"orthogonal"`.
        bias_initializer: How the bias is initialised. Kept for Keras. Default: `"zeros"`.
        kernel_regularizer: The penalty on the kernel while training. Kept for Keras. Default: `None`.
        recurrent_regularizer: The penalty on the matrix on the state while training. Kept for Keras. Default: `None`.
        bias_regularizer: The penalty on the bias while training. Kept for Keras. Default: `None`.
        kernel_constraint: What the kernel is projected to after each step of training. Kept for Keras. Default: `None`.
        recurrent_constraint: What the matrix on the state is projected to after each step of training. Kept for Keras.
            Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        dropout: The share of the input that is dropped while training. Kept for Keras. Default: `0.0`.
        recurrent_dropout: The share of the state that is dropped while training. Kept for Keras. Default: `0.0`.
        reset_after: Whether the reset gate acts behind the product with the state, which gives a second bias.
            Default: `True`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
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
    kernel_constraint: Any = None
    recurrent_constraint: Any = None
    bias_constraint: Any = None
    dropout: Any = 0.0
    recurrent_dropout: Any = 0.0
    reset_after: Flag = True
    seed: int | None = None
