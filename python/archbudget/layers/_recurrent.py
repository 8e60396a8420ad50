"""The layers of Keras 3 that walk along a sequence.

What they cost is counted for the number of steps in the shape of their input, whatever is masked.

`SimpleRNN`, `LSTM` and `GRU` have options of PyTorch, too. With them they are `torch.nn.RNN`, `LSTM` and `GRU` with
`batch_first=True`: `units` is `hidden_size`, and with `return_sequences` the output is the output of the last layer,
`(steps, directions * units)`; without it, the last step of that, `output[:, -1]`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.layers._base import Layer, nest
from archbudget.layers._windows import lower_padding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archbudget._expressions import IntLike
    from archbudget.layers._arguments import Flag, IntsLike, Text
    from archbudget.layers._base import Nested, TensorLike

__all__ = ["GRU", "LSTM", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "SimpleRNN"]


class WithStates(Layer):
    """A layer that keeps states from step to step: it may begin with given ones, and hand on its last ones."""

    @property
    def states(self) -> tuple[Nested, ...]:
        """How its states are nested."""
        raise NotImplementedError

    @property
    def outputs(self) -> tuple[Nested, ...]:
        """What it makes beside its states."""
        return (None,)

    @property
    def hands_on(self) -> bool:
        """Whether it hands its last states on."""
        raise NotImplementedError

    @property
    def nested(self) -> Nested:
        """How the tensors that it makes are nested: its output, and the last states if it hands them on."""
        made = (*self.outputs, *(self.states if self.hands_on else ()))
        return made if len(made) > 1 else None

    def __call__(
        self, inputs: TensorLike | Sequence[TensorLike], initial_state: TensorLike | Sequence[Any] | None = None
    ) -> Any:
        """The tensor that the layer makes of a sequence, or a tuple of it and the last states.

        Args:
            inputs: The sequence.
            initial_state: The states to begin with, as the layer would hand them on: `[h, c]` for an `LSTM`.
        """
        tensors = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        if len(tensors) != 1:
            raise SpaceError(
                f"{show(self)} takes one sequence, and states as initial_state=[...]; it is called on {len(tensors)} "
                "tensors"
            )
        return super().__call__([*tensors, *self._begun(initial_state)])

    def _begun(self, given: Any) -> list[Any]:
        """The states to begin with, if there are any."""
        if given is None:
            return []
        several = given if isinstance(given, (list, tuple)) else [given]
        found = _states(self.states, several)
        if found is None:
            raise SpaceError(
                f"{show(self)}: initial_state must be {said(self.states)}, as many as it has states, not {show(given)}"
            )
        return found

    def call_keras(self, real: Any, tensors: list[Any]) -> Any:
        """What the real layer makes of a real sequence, and of real states to begin with if there are any."""
        sequence, *states = tensors
        return real(sequence, initial_state=nest(self.states, iter(states))) if states else real(sequence)


def _states(nested: Nested, given: Any) -> list[Any] | None:
    """What lists and tuples hold that are nested so; nothing if they are not."""
    several = isinstance(given, (list, tuple))
    if nested is None:
        return None if several else [given]
    if not several or len(given) != len(nested):
        return None
    found = [_states(*each) for each in zip(nested, given, strict=True)]
    return None if None in found else [state for each in found if each for state in each]


def said(nested: Nested) -> str:
    """Nested tensors, for errors."""
    return "a tensor" if nested is None else f"[{', '.join(map(said, nested))}]"


class Recurrent(WithStates):
    """A recurrent layer by itself."""

    return_state: bool
    stateful: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("return_state", "stateful"):
            if not isinstance(getattr(self, name), bool):
                raise SpaceError(f"{self.kind}: {name} must be True or False, not {show(getattr(self, name))}")

    @property
    def states(self) -> tuple[Nested, ...]:
        """One state, which is the last output."""
        return (None,)

    @property
    def hands_on(self) -> bool:
        """Whether it hands its last states on."""
        return self.return_state

    @property
    def needs_batch_size(self) -> bool:
        """Whether it keeps its states from batch to batch."""
        return self.stateful


class _LongShortTerm(Recurrent):
    """A recurrent layer with two states."""

    @property
    def states(self) -> tuple[Nested, ...]:
        """The last output, and the carry."""
        return (None, None)


@dataclass(frozen=True, eq=False, repr=False)
class SimpleRNN(Recurrent):
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
class LSTM(_LongShortTerm):
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
class GRU(Recurrent):
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
class _ConvLSTM(_LongShortTerm):
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
