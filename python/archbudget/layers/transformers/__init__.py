"""Layers of transformers and of ConvNeXt that Keras itself lacks: custom layers that are ready to be used.

They have the names and arguments of KerasHub and timm, and are like any custom layer: any argument may be a decision,
space files name them as `archbudget.layers.transformers:LayerScale`, and `to_keras` and `to_torch` build them. Keras
loads a saved model with them once `archbudget.layers.transformers.keras_layers()` was called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archbudget._message import show
from archbudget.errors import InvalidArchitectureError
from archbudget.layers._custom import Counts, custom
from archbudget.layers._elsewhere import answer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Bias", "ClassToken", "DropPath", "LayerScale", "PositionEmbedding", "keras_layers"]


def __dir__() -> list[str]:
    return sorted(__all__)


if not TYPE_CHECKING:  # So that type checkers know which names there are.

    def __getattr__(name: str) -> object:
        """Answers a name of another library, or none."""
        if name.startswith("_"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        raise AttributeError(f"archbudget.layers.transformers has no {name}: {answer(name, __all__)}")


def keras_layers() -> dict[str, type]:
    """The real layers of Keras by their names, which Keras knows afterwards, as `custom_objects` of a saved model.

    Raises:
        MissingPackageError: If Keras is not installed.
    """
    from archbudget._extras import imported

    imported("keras", "a layer of Keras")
    from archbudget.layers.transformers import _keras

    return {name: getattr(_keras, name) for name in __all__ if name != "keras_layers"}


def _in_keras(name: str) -> Callable[..., Any]:
    """What makes the real layer of Keras."""
    return lambda **arguments: keras_layers()[name](**arguments)


def _in_torch(name: str) -> Callable[..., Any]:
    """What makes the real module of PyTorch."""

    def make(input_shape: Sequence[int], **arguments: Any) -> Any:
        from archbudget.layers.transformers import _torch

        return getattr(_torch, name)(tuple(input_shape), **arguments)

    return make


def _tokens(input_shape: Sequence[int]) -> tuple[int, int]:
    """The sides of a sequence of tokens."""
    if len(input_shape) != 2:
        raise InvalidArchitectureError(f"it needs an input of (tokens, features), not {tuple(input_shape)}")
    return input_shape[0], input_shape[1]


@custom(keras=_in_keras("PositionEmbedding"), torch=_in_torch("PositionEmbedding"))
def PositionEmbedding(input_shape: Sequence[int], sequence_length: int) -> Counts:  # noqa: N802
    """A learned vector for each position, in the shape of its input; what it is added to is the input again.

    As KerasHub's: `x + PositionEmbedding(197)(x)`, or `Residual(PositionEmbedding(197))` in a list of layers. A shorter
    input gets the first positions, a longer one is refused. Weights: `sequence_length * features`.
    """
    if isinstance(sequence_length, bool) or not isinstance(sequence_length, int) or sequence_length < 1:
        raise InvalidArchitectureError(f"sequence_length must be an integer of at least 1, not {show(sequence_length)}")
    tokens, features = _tokens(input_shape)
    if tokens > sequence_length:
        raise InvalidArchitectureError(f"an input of {tokens} tokens is longer than sequence_length={sequence_length}")
    return Counts(
        output_shape=input_shape,
        trainable_params=sequence_length * features,
        weight_shapes=[(sequence_length, features)],
    )


@custom(keras=_in_keras("ClassToken"), torch=_in_torch("ClassToken"))
def ClassToken(input_shape: Sequence[int]) -> Counts:  # noqa: N802
    """Its input of `(tokens, features)` behind a learned token, which gathers what a classifier reads.

    Weights: `features`.
    """
    tokens, features = _tokens(input_shape)
    return Counts(output_shape=(tokens + 1, features), trainable_params=features, weight_shapes=[(1, features)])


@custom(in_place=True, keras=_in_keras("LayerScale"), torch=_in_torch("LayerScale"))
def LayerScale(input_shape: Sequence[int], init_values: float = 1e-5) -> Counts:  # noqa: N802
    """A learned factor for each feature, the last axis of its input; `init_values` is what they begin with.

    Touvron et al., CaiT, arXiv 2103.17239, and ConvNeXt. Weights: `features`.
    """
    if isinstance(init_values, bool) or not isinstance(init_values, (int, float)):
        raise InvalidArchitectureError(f"init_values must be a number, not {show(init_values)}")
    if not input_shape:
        raise InvalidArchitectureError("it needs an input of at least one axis beside the batch")
    return Counts(output_shape=input_shape, trainable_params=input_shape[-1], weight_shapes=[(input_shape[-1],)])


@custom(in_place=True, keras=_in_keras("Bias"), torch=_in_torch("Bias"))
def Bias(input_shape: Sequence[int]) -> Counts:  # noqa: N802
    """A learned number that is added to each feature, the last axis of its input.

    Behind `table(x, reverse=True)` of a `ReversibleEmbedding` it is the bias of a tied head. Weights: `features`.
    """
    if not input_shape:
        raise InvalidArchitectureError("it needs an input of at least one axis beside the batch")
    return Counts(output_shape=input_shape, trainable_params=input_shape[-1], weight_shapes=[(input_shape[-1],)])


@custom(in_place=True, keras=_in_keras("DropPath"), torch=_in_torch("DropPath"))
def DropPath(input_shape: Sequence[int], rate: float = 0.5) -> Counts:  # noqa: N802
    """Stochastic depth: while training the branch of a share `rate` of the inputs is zero, and others are scaled.

    Huang et al., arXiv 1603.09382. It has no weights and no MACs; at inference it hands on its input.
    """
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate < 1:
        raise InvalidArchitectureError(f"rate must be a number from 0 to below 1, not {show(rate)}")
    return Counts(output_shape=input_shape)
