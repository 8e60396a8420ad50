"""Tables with a row for each integer."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar

from archbudget.layers._arguments import Flag, Text, check_lora, check_words
from archbudget.layers._base import Layer, layer_class

if TYPE_CHECKING:
    from archbudget._expressions import IntLike

__all__ = ["Embedding", "EmbeddingBag", "ReversibleEmbedding"]


@layer_class
class Embedding(Layer):
    """A row of a table for each integer of the input: `input_dim * output_dim` weights.

    Input shape: any, `(...)`, of integers.
    Output shape: `(..., output_dim)`.
    Weights: `input_dim * output_dim`.
    MACs: none, as a row is looked up; with `lora_rank` the product of its two matrices.

    Args:
        input_dim: The number of rows, which the integers of the input are below; at least 1.
        output_dim: The length of a row, at least 1.
        embeddings_initializer: How the table is initialised. Kept for Keras. Default: `"uniform"`.
        embeddings_regularizer: The penalty on the table while training. Kept for Keras. Default: `None`.
        embeddings_constraint: What the table is projected to after each step of training; not together with
            `lora_rank`. Kept for Keras. Default: `None`.
        mask_zero: Whether 0 marks the steps that later layers skip, which changes no count. Default: `False`.
        weights: The table to begin with. Kept for Keras. Default: `None`.
        lora_rank: The rank of two low-rank matrices that are trained in place of the table, which is frozen then;
            `None` or 0 for none. Default: `None`.
        lora_alpha: The scale of their product. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    input_dim: IntLike
    output_dim: IntLike
    embeddings_initializer: Any = "uniform"
    embeddings_regularizer: Any = None
    embeddings_constraint: Any = None
    mask_zero: bool = False
    weights: Any = None
    lora_rank: IntLike | None = None
    lora_alpha: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_lora(self, "embeddings")


@layer_class
class EmbeddingBag(Layer):
    """The rows of a table for all integers of a sequence, as one row: `input_dim * output_dim` weights.

    Input shape: `(steps)`, of integers.
    Output shape: `(output_dim)`.
    Weights: `input_dim * output_dim`.
    MACs: none, as rows are looked up.
    `torch.nn.EmbeddingBag`.

    Args:
        input_dim: The number of rows, `num_embeddings` in PyTorch; at least 1.
        output_dim: The length of a row, `embedding_dim` in PyTorch; at least 1.
        mode: What the rows are joined to: `"mean"`, `"sum"` or `"max"`. It changes no count. Default: `"mean"`.
        embeddings_initializer: How the table is initialised. Kept for Keras. Default: `"uniform"`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    input_dim: IntLike
    output_dim: IntLike
    mode: Text = "mean"
    embeddings_initializer: Any = "uniform"

    IN_KERAS = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_words(self, "mode", "mean", "sum", "max")


@layer_class
class ReversibleEmbedding(Layer):
    """An `Embedding`; called with `reverse=True` the product with its table, which makes logits of a decoder's output.

    Input shape: any, `(...)`, of integers; with `reverse` `(..., output_dim)`.
    Output shape: `(..., output_dim)`; with `reverse` `(..., input_dim)`.
    Weights: `input_dim * output_dim`, twice if they are not tied.
    MACs: none, as a row is looked up; with `reverse` `output_dim * input_dim` at each position.

    Args:
        input_dim: The number of rows, which the integers of the input are below; at least 1.
        output_dim: The length of a row, at least 1.
        tie_weights: Whether the way back uses the same table, or one of its own. Default: `True`.
        embeddings_initializer: How the table is initialised. Kept for Keras. Default: `"uniform"`.
        embeddings_regularizer: The penalty on the table while training. Kept for Keras. Default: `None`.
        embeddings_constraint: What the table is projected to after each step of training. Kept for Keras.
            Default: `None`.
        mask_zero: Whether 0 marks the steps that later layers skip, which changes no count. Default: `False`.
        reverse_dtype: The type of the values on the way back. Kept for Keras. Default: `None`.
        logit_soft_cap: The bound of what the way back gives. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        reverse: As an argument of the call in Keras: whether it goes back, from rows to a value for each word, with the
            same weights as its other calls. Default: `False`.
    """

    input_dim: IntLike
    output_dim: IntLike
    tie_weights: Flag = True
    embeddings_initializer: Any = "uniform"
    embeddings_regularizer: Any = None
    embeddings_constraint: Any = None
    mask_zero: Any = False
    reverse_dtype: Any = None
    logit_soft_cap: Any = None
    reverse: Flag = field(default=False, kw_only=True)

    CALL: ClassVar[tuple[str, ...]] = ("reverse",)
