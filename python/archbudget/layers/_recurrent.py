"""The layers of Keras 3 that walk along a sequence.

What they cost is counted for the number of steps in the shape of their input, whatever is masked.

`SimpleRNN`, `LSTM` and `GRU` have options of PyTorch, too. With them they are `torch.nn.RNN`, `LSTM` and `GRU` with
`batch_first=True`: `units` is `hidden_size`, and with `return_sequences` the output is the output of the last layer,
`(steps, directions * units)`; without it, the last step of that, `output[:, -1]`.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar

from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.layers._base import Block, Layer, layer_class, leaves, nest
from archbudget.layers._windows import lower_padding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archbudget._expressions import IntLike
    from archbudget.layers._arguments import Flag, IntsLike, Text
    from archbudget.layers._base import Nested, TensorLike

__all__ = ["GRU", "LSTM", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "SimpleRNN"]


class WithStates(Layer):
    """A layer that keeps states from step to step: it may begin with given ones, and hand on its last ones."""

    INTERNAL = ("hands_on", "outputs", "states")

    MASKS: ClassVar[tuple[str, ...]] = ("mask",)

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
        self,
        inputs: TensorLike | Sequence[TensorLike],
        initial_state: TensorLike | Sequence[Any] | None = None,
        **options: Any,
    ) -> Any:
        """The tensor that the layer makes of a sequence, or a tuple of it and the last states.

        Args:
            inputs: The sequence.
            initial_state: The states to begin with, as the layer would hand them on: `[h, c]` for an `LSTM`.
            options: The options of the call, as for other layers; among them the `mask` of the steps, which is a
                tensor.
        """
        tensors = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        if len(tensors) != 1:
            raise SpaceError(
                f"{show(self)} takes one sequence, and states as initial_state=[...]; it is called on {len(tensors)} "
                "tensors"
            )
        return super().__call__([*tensors, *self._begun(initial_state)], **options)

    def on(self, inputs: TensorLike | Sequence[TensorLike]) -> Any:
        """The tensors that a call makes of a sequence, and of any states and masks behind it."""
        tensors = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        states = tensors[1 : len(tensors) - len(self.masks)]
        if not states:
            return super().on(inputs)
        if len(states) != leaves(self.states):
            raise SpaceError(
                f"{show(self)} takes one sequence, and behind it none or all of its {leaves(self.states)} states; it "
                f"is called on {len(states)} of them"
            )
        self._begun(nest(self.states, iter(states)))
        return Block.__call__(self, inputs)

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

    def call_keras(self, real: Any, tensors: list[Any], options: Mapping[str, Any]) -> Any:
        """What the real layer makes of a real sequence, and of real states to begin with if there are any."""
        sequence, *states = tensors
        begun = {"initial_state": nest(self.states, iter(states))} if states else {}
        return real(sequence, **begun, **options)


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


@layer_class
class SimpleRNN(Recurrent):
    """A dense layer at each step, on the step and the output before it: `(features + units + bias) * units` weights.

    Input shape: `(steps, features)`, and states to begin with as `initial_state`.
    Output shape: `(units)`, or `(steps, units)` with `return_sequences`; with `return_state` the last states behind it.
    Weights: `(features + units + bias) * units`.
    MACs: `(features + units) * units` at each step.
    Steps that are masked are counted, too.

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
        activity_regularizer: The penalty on the output while training. Kept for Keras. Default: `None`.
        kernel_constraint: What the kernel is projected to after each step of training. Kept for Keras. Default: `None`.
        recurrent_constraint: What the matrix on the state is projected to after each step of training. Kept for Keras.
            Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        dropout: The share of the input that is dropped while training, or with `num_layers` of what stands between the
            layers. Kept for Keras. Default: `0.0`.
        recurrent_dropout: The share of the state that is dropped while training. Kept for Keras. Default: `0.0`.
        return_sequences: Whether the output has every step, or the last one alone. Default: `False`.
        return_state: Whether the last states are outputs, too; `True` or `False`, and no decision. Default: `False`.
        go_backwards: Whether it walks from the last step to the first, which changes no count. Default: `False`.
        stateful: Whether the states are kept from batch to batch, which changes no count; each `Input` needs a
            `batch_size` then. Default: `False`.
        unroll: Whether the steps are written out one by one. Kept for Keras. Default: `False`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        num_layers: As in PyTorch: how many layers stand on top of each other, each of `units`. Without
            `return_sequences` the output is the last one of the last layer. Default: `1`.
        bidirectional: As in PyTorch: whether each layer walks in both directions, with weights for each, and joins both
            outputs. Without `return_sequences` the output is still that of the last step, which is all that the
            backward direction has seen by then. Default: `False`.
        two_biases: As in PyTorch: whether there are two bias vectors, `bias_ih` and `bias_hh`, where Keras has one;
            `bias=True` there is `use_bias=True, two_biases=True` here. Default: `False`.
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


@layer_class
class LSTM(_LongShortTerm):
    """A long short-term memory: `(features + units + bias) * 4 * units` weights.

    Input shape: `(steps, features)`, and states to begin with as `initial_state`.
    Output shape: `(units)`, or `(steps, units)` with `return_sequences`; with `return_state` the last states behind it.
    Weights: `(features + units + bias) * 4 * units`.
    MACs: `(features + units) * 4 * units` at each step.
    After Hochreiter and Schmidhuber (1997). Steps that are masked are counted, too.

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
        activity_regularizer: The penalty on the output while training. Kept for Keras. Default: `None`.
        kernel_constraint: What the kernel is projected to after each step of training. Kept for Keras. Default: `None`.
        recurrent_constraint: What the matrix on the state is projected to after each step of training. Kept for Keras.
            Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        dropout: The share of the input that is dropped while training, or with `num_layers` of what stands between the
            layers. Kept for Keras. Default: `0.0`.
        recurrent_dropout: The share of the state that is dropped while training. Kept for Keras. Default: `0.0`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        return_sequences: Whether the output has every step, or the last one alone. Default: `False`.
        return_state: Whether the last states are outputs, too; `True` or `False`, and no decision. Default: `False`.
        go_backwards: Whether it walks from the last step to the first, which changes no count. Default: `False`.
        stateful: Whether the states are kept from batch to batch, which changes no count; each `Input` needs a
            `batch_size` then. Default: `False`.
        unroll: Whether the steps are written out one by one. Kept for Keras. Default: `False`.
        use_cudnn: Whether cuDNN is used. Kept for Keras. Default: `"auto"`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        num_layers: As in PyTorch: how many layers stand on top of each other, each of `units`. Without
            `return_sequences` the output is the last one of the last layer. Default: `1`.
        bidirectional: As in PyTorch: whether each layer walks in both directions, with weights for each, and joins both
            outputs. Without `return_sequences` the output is still that of the last step, which is all that the
            backward direction has seen by then. Default: `False`.
        two_biases: As in PyTorch: whether there are two bias vectors, `bias_ih` and `bias_hh`, where Keras has one;
            `bias=True` there is `use_bias=True, two_biases=True` here. Default: `False`.
        proj_size: As in PyTorch: the size that outputs and states are projected to, by `units * proj_size` weights more
            in each layer and direction; less than `units`, and 0 for no projection. Default: `0`.
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


@layer_class
class GRU(Recurrent):
    """A gated recurrent unit: `(features + units + bias) * 3 * units` weights, with two biases if `reset_after`.

    Input shape: `(steps, features)`, and states to begin with as `initial_state`.
    Output shape: `(units)`, or `(steps, units)` with `return_sequences`; with `return_state` the last states behind it.
    Weights: `(features + units + bias) * 3 * units`, where `bias` counts 2 with `reset_after`.
    MACs: `(features + units) * 3 * units` at each step.
    After Cho et al. (2014). Steps that are masked are counted, too.

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
        activity_regularizer: The penalty on the output while training. Kept for Keras. Default: `None`.
        kernel_constraint: What the kernel is projected to after each step of training. Kept for Keras. Default: `None`.
        recurrent_constraint: What the matrix on the state is projected to after each step of training. Kept for Keras.
            Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        dropout: The share of the input that is dropped while training, or with `num_layers` of what stands between the
            layers. Kept for Keras. Default: `0.0`.
        recurrent_dropout: The share of the state that is dropped while training. Kept for Keras. Default: `0.0`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        return_sequences: Whether the output has every step, or the last one alone. Default: `False`.
        return_state: Whether the last states are outputs, too; `True` or `False`, and no decision. Default: `False`.
        go_backwards: Whether it walks from the last step to the first, which changes no count. Default: `False`.
        stateful: Whether the states are kept from batch to batch, which changes no count; each `Input` needs a
            `batch_size` then. Default: `False`.
        unroll: Whether the steps are written out one by one. Kept for Keras. Default: `False`.
        reset_after: Whether the reset gate acts behind the product with the state, which gives a second bias; with it
            the layer is PyTorch's. Default: `True`.
        use_cudnn: Whether cuDNN is used. Kept for Keras. Default: `"auto"`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        num_layers: As in PyTorch: how many layers stand on top of each other, each of `units`. Without
            `return_sequences` the output is the last one of the last layer. Default: `1`.
        bidirectional: As in PyTorch: whether each layer walks in both directions, with weights for each, and joins both
            outputs. Without `return_sequences` the output is still that of the last step, which is all that the
            backward direction has seen by then. Default: `False`.
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


@layer_class
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

    # In a loop, the backends of JAX and NumPy lay the batch of a mask along the last but one axis of the state.
    KERAS_IF_MASKED: ClassVar[Mapping[str, object]] = {"unroll": True}

    def normalized(self) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost; Keras takes the padding of a convolution in any case."""
        return lower_padding(super().normalized())


@layer_class
class ConvLSTM1D(_ConvLSTM):
    """An LSTM whose matrices are convolutions: `(kernel * (channels + filters) + bias) * 4 * filters` weights.

    Input shape: `(steps, side, channels)`, with the channels first if `data_format` says so; states to begin with as
    `initial_state`.
    Output shape: `(new_side, filters)`, with the steps before it with `return_sequences`; with `return_state` the last
    states behind it.
    Weights: `(k * (channels + filters) + bias) * 4 * filters`.
    MACs: `k * (channels + filters) * 4 * filters` at each output position of each step.
    After Shi et al. (2015). Steps that are masked are counted, too.

    Args:
        filters: The number of output channels, at least 1.
        kernel_size: The size of both kernels: an integer, at least 1.
        strides: The distance between positions of the kernel on the input: an integer, at least 1. Default: `1`.
        padding: What is put around the input: `"valid"` or `"same"`. Default: `"valid"`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        dilation_rate: The distance between the values that the kernel reads: an integer, at least 1. Default: `1`.
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
        activity_regularizer: The penalty on the output while training. Kept for Keras. Default: `None`.
        kernel_constraint: What the kernel is projected to after each step of training. Kept for Keras. Default: `None`.
        recurrent_constraint: What the matrix on the state is projected to after each step of training. Kept for Keras.
            Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        dropout: The share of the input that is dropped while training. Kept for Keras. Default: `0.0`.
        recurrent_dropout: The share of the state that is dropped while training. Kept for Keras. Default: `0.0`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        return_sequences: Whether the output has every step, or the last one alone. Default: `False`.
        return_state: Whether the last states are outputs, too; `True` or `False`, and no decision. Default: `False`.
        go_backwards: Whether it walks from the last step to the first, which changes no count. Default: `False`.
        stateful: Whether the states are kept from batch to batch, which changes no count; each `Input` needs a
            `batch_size` then. Default: `False`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """


@layer_class
class ConvLSTM2D(_ConvLSTM):
    """An LSTM whose matrices are convolutions: `(kernel * (channels + filters) + bias) * 4 * filters` weights.

    Input shape: `(steps, height, width, channels)`, with the channels first if `data_format` says so; states to begin
    with as `initial_state`.
    Output shape: `(new_height, new_width, filters)`, with the steps before it with `return_sequences`; with
    `return_state` the last states behind it.
    Weights: `(k_h * k_w * (channels + filters) + bias) * 4 * filters`.
    MACs: `k_h * k_w * (channels + filters) * 4 * filters` at each output position of each step.
    After Shi et al. (2015). Steps that are masked are counted, too.

    Args:
        filters: The number of output channels, at least 1.
        kernel_size: The size of both kernels: an integer, or one for each of two axes, at least 1.
        strides: The distance between positions of the kernel on the input: an integer, or one for each of two axes, at
            least 1. Default: `1`.
        padding: What is put around the input: `"valid"` or `"same"`. Default: `"valid"`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        dilation_rate: The distance between the values that the kernel reads: an integer, or one for each of two axes,
            at least 1. Default: `1`.
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
        activity_regularizer: The penalty on the output while training. Kept for Keras. Default: `None`.
        kernel_constraint: What the kernel is projected to after each step of training. Kept for Keras. Default: `None`.
        recurrent_constraint: What the matrix on the state is projected to after each step of training. Kept for Keras.
            Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        dropout: The share of the input that is dropped while training. Kept for Keras. Default: `0.0`.
        recurrent_dropout: The share of the state that is dropped while training. Kept for Keras. Default: `0.0`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        return_sequences: Whether the output has every step, or the last one alone. Default: `False`.
        return_state: Whether the last states are outputs, too; `True` or `False`, and no decision. Default: `False`.
        go_backwards: Whether it walks from the last step to the first, which changes no count. Default: `False`.
        stateful: Whether the states are kept from batch to batch, which changes no count; each `Input` needs a
            `batch_size` then. Default: `False`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """


@layer_class
class ConvLSTM3D(_ConvLSTM):
    """An LSTM whose matrices are convolutions: `(kernel * (channels + filters) + bias) * 4 * filters` weights.

    Input shape: `(steps, depth, height, width, channels)`, with the channels first if `data_format` says so; states to
    begin with as `initial_state`.
    Output shape: `(new_depth, new_height, new_width, filters)`, with the steps before it with `return_sequences`; with
    `return_state` the last states behind it.
    Weights: `(k_d * k_h * k_w * (channels + filters) + bias) * 4 * filters`.
    MACs: `k_d * k_h * k_w * (channels + filters) * 4 * filters` at each output position of each step.
    After Shi et al. (2015). Steps that are masked are counted, too.

    Args:
        filters: The number of output channels, at least 1.
        kernel_size: The size of both kernels: an integer, or one for each of three axes, at least 1.
        strides: The distance between positions of the kernel on the input: an integer, or one for each of three axes,
            at least 1. Default: `1`.
        padding: What is put around the input: `"valid"` or `"same"`. Default: `"valid"`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        dilation_rate: The distance between the values that the kernel reads: an integer, or one for each of three axes,
            at least 1. Default: `1`.
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
        activity_regularizer: The penalty on the output while training. Kept for Keras. Default: `None`.
        kernel_constraint: What the kernel is projected to after each step of training. Kept for Keras. Default: `None`.
        recurrent_constraint: What the matrix on the state is projected to after each step of training. Kept for Keras.
            Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        dropout: The share of the input that is dropped while training. Kept for Keras. Default: `0.0`.
        recurrent_dropout: The share of the state that is dropped while training. Kept for Keras. Default: `0.0`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        return_sequences: Whether the output has every step, or the last one alone. Default: `False`.
        return_state: Whether the last states are outputs, too; `True` or `False`, and no decision. Default: `False`.
        go_backwards: Whether it walks from the last step to the first, which changes no count. Default: `False`.
        stateful: Whether the states are kept from batch to batch, which changes no count; each `Input` needs a
            `batch_size` then. Default: `False`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """
