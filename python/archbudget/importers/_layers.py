"""Layers of imported networks that neither Keras nor `torch.nn` has as one.

They count exactly, and have no real layers: what an importer read exists already where it came from, so `to_keras` and
`to_torch` refuse a network with one of them.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from archbudget.errors import InvalidArchitectureError
from archbudget.layers import Counts, custom

if TYPE_CHECKING:
    from collections.abc import Sequence

Shape = tuple[int, ...]


@custom(in_place=True)
def Elementwise(input_shape: Shape, function: str) -> Counts:  # noqa: N802
    """A fixed function of each value, by its name."""
    del function
    return Counts(output_shape=input_shape)


@custom(in_place=True)
def RotaryEmbedding(input_shape: Shape) -> Counts:  # noqa: N802
    """Queries or keys, turned by an angle that depends on their position: no weights, and no matrix product.

    Su et al., RoFormer, arXiv 2104.09864.
    """
    return Counts(output_shape=input_shape)


@custom
def GatedActivation(input_shape: Shape, function: str) -> Counts:  # noqa: N802
    """The function of one half of the features, times the other half: SwiGLU, GeGLU where one matrix makes both.

    Shazeer, arXiv 2002.05202.
    """
    del function
    if not input_shape or input_shape[-1] % 2:
        raise InvalidArchitectureError(f"it needs an even number of features, not an input of {input_shape}")
    return Counts(output_shape=(*input_shape[:-1], input_shape[-1] // 2))


@custom
def AttentionProducts(input_shapes: Sequence[Shape], num_heads: int, num_key_value_heads: int) -> Counts:  # noqa: N802
    """Softmax of the products of queries and keys, times the values: attention without its projections.

    Its inputs are the queries `(positions, num_heads * size)`, the keys `(steps, num_key_value_heads * size)` and the
    values; or one tensor that has all three side by side. Behind them may stand a bias of the scores,
    `(num_heads, positions, steps)`, which is added. All scores are counted, also those that a mask or a window hides.
    """
    if num_heads < 1 or num_key_value_heads < 1 or num_heads % num_key_value_heads:
        raise InvalidArchitectureError(
            f"{num_heads} heads of the queries cannot share {num_key_value_heads} heads of keys and values"
        )
    if any(len(shape) != 2 for shape in input_shapes[:3]):
        raise InvalidArchitectureError(f"it needs inputs of (positions, features), not {tuple(input_shapes)}")
    if len(input_shapes) == 1:
        positions, features = input_shapes[0]
        size, rest = divmod(features, num_heads + 2 * num_key_value_heads)
        if rest:
            raise InvalidArchitectureError(f"{features} features are no queries, keys and values of these heads")
        fused = (positions, size * num_key_value_heads)
        input_shapes = [(positions, size * num_heads), fused, fused]
    query, key, value, *bias = input_shapes
    size, rest = divmod(query[1], num_heads)
    of_values, rest_of_values = divmod(value[1], num_key_value_heads)
    if rest or rest_of_values or key[1] != size * num_key_value_heads or key[0] != value[0]:
        raise InvalidArchitectureError(f"queries {query}, keys {key} and values {value} do not go together")
    scores = (num_heads, query[0], key[0])
    if any(tuple(shape) != scores for shape in bias):
        raise InvalidArchitectureError(f"a bias of the scores has the shape {scores}, not {tuple(bias[0])}")
    return Counts(output_shape=(query[0], num_heads * of_values), macs=prod(scores) * (size + of_values))


@custom
def OnePosition(input_shape: Shape, place: str = "first") -> Counts:  # noqa: N802
    """The features of the first position, such as a token for the class, or those of the last one."""
    del place
    if len(input_shape) != 2:
        raise InvalidArchitectureError(f"it needs an input of (positions, features), not {input_shape}")
    return Counts(output_shape=input_shape[1:])


@custom
def RelativePositionBias(input_shapes: Sequence[Shape], num_heads: int, num_buckets: int) -> Counts:  # noqa: N802
    """A learned number for each head and each distance of two positions: `num_buckets * num_heads` weights.

    Its inputs are what the queries and the keys are made of. Raffel et al., T5, arXiv 1910.10683.
    """
    query, key = input_shapes
    return Counts(
        output_shape=(num_heads, query[0], key[0]),
        trainable_params=num_buckets * num_heads,
        weight_shapes=[(num_buckets, num_heads)],
    )


@custom
def TopKExperts(  # noqa: N802
    input_shapes: Sequence[Shape], num_experts: int, experts_per_token: int, intermediate_size: int, function: str
) -> Counts:
    """A mixture of experts: for each token the `experts_per_token` best of `num_experts` gated networks.

    Its inputs are the tokens `(positions, features)` and the scores of the router `(positions, num_experts)`. The
    weights of all experts count, and the multiply-accumulates of those that are chosen for a token. Shazeer et al.,
    arXiv 1701.06538; Jiang et al., Mixtral, arXiv 2401.04088.
    """
    del function
    (positions, features), scores = input_shapes
    if experts_per_token > num_experts:
        raise InvalidArchitectureError(f"a token cannot have {experts_per_token} of {num_experts} experts")
    if tuple(scores) != (positions, num_experts):
        raise InvalidArchitectureError(f"the router gives {(positions, num_experts)} scores, not {tuple(scores)}")
    expert = 3 * features * intermediate_size
    return Counts(
        output_shape=(positions, features),
        trainable_params=num_experts * expert,
        macs=positions * experts_per_token * expert,
        weight_shapes=[
            (num_experts, 2 * intermediate_size, features),
            (num_experts, features, intermediate_size),
        ],
    )
