"""Attention between the patches of an image that sees how far apart they are.

Shaw, Uszkoreit and Vaswani, Self-attention with relative position representations, arXiv 1803.02155, in two dimensions
as AutoFormer's authors have it: a table of rows and one of columns, for keys and for values, shared by all heads. What
is looked up for a query and a key is added to the key, and to the value.
"""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING, Any

from archbudget.errors import InvalidArchitectureError
from archbudget.layers import Counts, custom
from archbudget.spaces._relative_attention._tables import lookups, table_rows

if TYPE_CHECKING:
    from collections.abc import Sequence


__all__ = ["RelativeAttention", "lookups", "table_rows"]


def _keras(**arguments: Any) -> Any:
    from archbudget.spaces._relative_attention._keras import RelativeAttention as Real

    return Real(**arguments)


def _torch(input_shape: Sequence[int], **arguments: Any) -> Any:
    from archbudget.spaces._relative_attention._torch import RelativeAttention as Real

    return Real(input_shape[-1], **arguments)


@custom(keras=_keras, torch=_torch)
def RelativeAttention(  # noqa: N802
    input_shape: Sequence[int], num_heads: int, head_dim: int = 64, max_distance: int = 14
) -> Counts:
    """Attention of (tokens, features) to itself with relative positions; the first token is the class token.

    Scores and values are two products each: with the tokens, and with the rows of the tables for each pair of them.
    Both count in the MACs, as they are matrix products in PyTorch; looking up and adding does not.
    """
    if len(input_shape) != 2:
        raise InvalidArchitectureError(f"the input must be (tokens, features), not {tuple(input_shape)}")
    tokens, features = input_shape
    if isqrt(tokens - 1) ** 2 != tokens - 1:
        raise InvalidArchitectureError(f"the tokens must be one and those of a square image, not {tokens}")
    inner, tables = num_heads * head_dim, 4 * table_rows(max_distance) * head_dim
    return Counts(
        output_shape=input_shape,
        trainable_params=(features + 1) * 3 * inner + tables + (inner + 1) * features,
        macs=tokens * 4 * features * inner + 2 * 2 * tokens * tokens * inner,
    )
