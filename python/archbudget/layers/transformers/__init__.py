"""Layers of transformers and of ConvNeXt that Keras itself lacks: custom layers that are ready to be used.

They have the names and arguments of KerasHub and timm, and are like any custom layer: any argument may be a decision,
space files name them as `archbudget.layers.transformers:LayerScale`, and `to_keras` and `to_torch` build them. Keras
loads a saved model with them once `archbudget.layers.transformers.keras_layers()` was called.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from archbudget._message import show
from archbudget.errors import InvalidArchitectureError
from archbudget.layers._custom import Counts, custom
from archbudget.layers._elsewhere import answer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "Bias",
    "ClassToken",
    "DropPath",
    "LatentAttention",
    "LayerScale",
    "MixtureOfExperts",
    "PositionEmbedding",
    "SelfAttention",
    "keras_layers",
]


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


def _sizes(**given: object) -> None:
    """Refuses a size that is no integer of at least 1; `None` is one that is not given."""
    for name, size in given.items():
        if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
            raise InvalidArchitectureError(f"{name} must be an integer of at least 1, not {show(size)}")


@custom(keras=_in_keras("SelfAttention"), torch=_in_torch("SelfAttention"))
def SelfAttention(  # noqa: N802
    input_shape: Sequence[int],
    num_heads: int,
    num_key_value_heads: int | None = None,
    head_dim: int | None = None,
    query_bias: bool = False,
    output_bias: bool = False,
    head_norms: bool = False,
    rotary: bool = True,
    sliding_window: int | None = None,
) -> Counts:
    """Causal attention of a language model: each position sees itself and those before it.

    `num_key_value_heads` of its heads have keys and values of their own, which the others share (Ainslie et al.,
    grouped queries, arXiv 2305.13245); `None` for all. A head has `head_dim` features, or its share of the input's.
    `query_bias` gives the projections of queries, keys and values a bias, `output_bias` that of the output;
    `head_norms` normalises queries and keys, each head by itself, with weights that all heads share (Qwen 3, Gemma 3);
    `rotary` turns them by their positions (Su et al., arXiv 2104.09864), which costs nothing; a `sliding_window` is how
    many positions each one sees, and changes no count but that of the cache.

    Weights: with `Q = num_heads * head_dim` and `S = num_key_value_heads * head_dim`,
    `features * (Q + 2 * S) + Q * features`, the biases, and `2 * head_dim` for the norms of heads. MACs: these
    products at each position, and `2 * Q * tokens^2` for scores and weighted values: all are counted, also those that
    are hidden.
    """
    tokens, features = _tokens(input_shape)
    shared = num_heads if num_key_value_heads is None else num_key_value_heads
    _sizes(num_heads=num_heads, num_key_value_heads=shared, head_dim=head_dim, sliding_window=sliding_window)
    if num_heads % shared:
        raise InvalidArchitectureError(f"{num_heads} heads cannot share {shared} heads of keys and values")
    if head_dim is None:
        if features % num_heads:
            raise InvalidArchitectureError(f"{features} features cannot be divided by {num_heads} heads")
        head_dim = features // num_heads
    if rotary and head_dim % 2:
        raise InvalidArchitectureError(f"rotary positions need heads of an even size, not {head_dim}")
    query, key = num_heads * head_dim, shared * head_dim
    kernels = [(features, query), (features, key), (features, key), (query, features)]
    weights: list[tuple[int, ...]] = list(kernels)
    weights += [(query,), (key,), (key,)] if query_bias else []
    weights += [(features,)] if output_bias else []
    weights += [(head_dim,), (head_dim,)] if head_norms else []
    products = sum(rows * columns for rows, columns in kernels)
    return Counts(
        output_shape=input_shape,
        trainable_params=sum(prod(shape) for shape in weights),
        macs=tokens * products + 2 * query * tokens * tokens,
        weight_shapes=weights,
    )


@custom(keras=_in_keras("LatentAttention"), torch=_in_torch("LatentAttention"))
def LatentAttention(  # noqa: N802
    input_shape: Sequence[int],
    num_heads: int,
    kv_lora_rank: int,
    qk_nope_head_dim: int,
    qk_rope_head_dim: int,
    v_head_dim: int,
    q_lora_rank: int | None = None,
) -> Counts:
    """Causal attention whose keys and values are made of few features, which alone are kept for later tokens.

    Multi-head latent attention of DeepSeek-V2 (arXiv 2405.04434, section 2.1), whose names the arguments have. A first
    matrix makes `kv_lora_rank` features of each position, which are normalised, and `qk_rope_head_dim` more, which are
    turned by the position and shared by all heads; a second one makes keys and values of the former. With
    `q_lora_rank` the queries are made in two steps, too.

    Weights, with `K = qk_nope_head_dim + qk_rope_head_dim`: for the queries `features * heads * K`, or
    `features * q_lora_rank + q_lora_rank + q_lora_rank * heads * K`; `features * (kv_lora_rank + qk_rope_head_dim)`,
    `kv_lora_rank`, `kv_lora_rank * heads * (qk_nope_head_dim + v_head_dim)`, and `heads * v_head_dim * features`. MACs:
    the products at each position, and `heads * (K + v_head_dim) * tokens^2`; all scores are counted.
    """
    tokens, features = _tokens(input_shape)
    _sizes(num_heads=num_heads, kv_lora_rank=kv_lora_rank, qk_nope_head_dim=qk_nope_head_dim)
    _sizes(qk_rope_head_dim=qk_rope_head_dim, v_head_dim=v_head_dim, q_lora_rank=q_lora_rank)
    if qk_rope_head_dim % 2:
        raise InvalidArchitectureError(f"qk_rope_head_dim must be even, not {qk_rope_head_dim}")
    key = qk_nope_head_dim + qk_rope_head_dim
    if q_lora_rank is None:
        kernels, norms = [(features, num_heads * key)], []
    else:
        kernels, norms = [(features, q_lora_rank), (q_lora_rank, num_heads * key)], [(q_lora_rank,)]
    kernels += [
        (features, kv_lora_rank + qk_rope_head_dim),
        (kv_lora_rank, num_heads * (qk_nope_head_dim + v_head_dim)),
        (num_heads * v_head_dim, features),
    ]
    weights: list[tuple[int, ...]] = [*kernels, *norms, (kv_lora_rank,)]
    products = sum(rows * columns for rows, columns in kernels)
    return Counts(
        output_shape=input_shape,
        trainable_params=sum(prod(shape) for shape in weights),
        macs=tokens * products + num_heads * (key + v_head_dim) * tokens * tokens,
        weight_shapes=weights,
    )


@custom(keras=_in_keras("MixtureOfExperts"), torch=_in_torch("MixtureOfExperts"))
def MixtureOfExperts(  # noqa: N802
    input_shape: Sequence[int],
    num_experts: int,
    experts_per_token: int,
    units: int,
    gated: bool = True,
    shared_experts: int = 0,
    activation: str = "silu",
) -> Counts:
    """A router, and feed-forward networks of which each token takes the `experts_per_token` that it says.

    Shazeer et al., arXiv 1701.06538; Jiang et al., Mixtral, arXiv 2401.04088; `shared_experts` are taken by every token
    (DeepSeekMoE, arXiv 2401.06066). An expert has `units` hidden units and no biases: three matrices where it is
    `gated`, as in SwiGLU, two where not. `activation` changes no count.

    Weights: `features * num_experts` for the router, and
    `(num_experts + shared_experts) * matrices * features * units`. MACs: at each position those of the router, of the
    experts that it takes, and of the shared ones.
    """
    tokens, features = _tokens(input_shape)
    _sizes(num_experts=num_experts, experts_per_token=experts_per_token, units=units)
    if isinstance(shared_experts, bool) or not isinstance(shared_experts, int) or shared_experts < 0:
        raise InvalidArchitectureError(f"shared_experts must be an integer of at least 0, not {show(shared_experts)}")
    if experts_per_token > num_experts:
        raise InvalidArchitectureError(f"a token cannot have {experts_per_token} of {num_experts} experts")
    if not isinstance(activation, str):
        raise InvalidArchitectureError(f"activation must be the name of a function, not {show(activation)}")
    inner = (2 if gated else 1) * units
    expert = features * (inner + units)
    shapes = [(num_experts, features, inner), (num_experts, units, features)]
    if shared_experts:
        shapes += [(shared_experts, features, inner), (shared_experts, units, features)]
    return Counts(
        output_shape=input_shape,
        trainable_params=features * num_experts + (num_experts + shared_experts) * expert,
        macs=tokens * (features * num_experts + (experts_per_token + shared_experts) * expert),
        weight_shapes=[(features, num_experts), *shapes],
    )
