"""Tables with a row for each integer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archbudget.layers._arguments import Flag, Text, check_lora, check_words
from archbudget.layers._base import Layer

if TYPE_CHECKING:
    from archbudget._expressions import IntLike

__all__ = ["Embedding", "EmbeddingBag", "ReversibleEmbedding"]


@dataclass(frozen=True, eq=False, repr=False)
class Embedding(Layer):
    """A row of a table for each integer of the input: `input_dim * output_dim` weights."""

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


@dataclass(frozen=True, eq=False, repr=False)
class EmbeddingBag(Layer):
    """The rows of a table for all integers of a sequence, as one row: `input_dim * output_dim` weights.

    Args:
        input_dim: The rows of the table, `num_embeddings` of PyTorch.
        output_dim: Its columns, `embedding_dim`.
        mode: What becomes of the rows: `"mean"`, `"sum"` or `"max"`.
        embeddings_initializer: Where its values begin.
    """

    input_dim: IntLike
    output_dim: IntLike
    mode: Text = "mean"
    embeddings_initializer: Any = "uniform"

    IN_KERAS = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_words(self, "mode", "mean", "sum", "max")


@dataclass(frozen=True, eq=False, repr=False)
class ReversibleEmbedding(Layer):
    """An `Embedding`, called forward; with weights of its own for the way back, unless they are tied."""

    input_dim: IntLike
    output_dim: IntLike
    tie_weights: Flag = True
    embeddings_initializer: Any = "uniform"
    embeddings_regularizer: Any = None
    embeddings_constraint: Any = None
    mask_zero: Any = False
    reverse_dtype: Any = None
    logit_soft_cap: Any = None
