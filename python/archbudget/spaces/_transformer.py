"""Language models: decoders of any width, depth, heads and experts, and presets of published ones."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from archbudget import layers
from archbudget._expressions import Choice, Int, builtin
from archbudget._guard import guarded
from archbudget._message import listed, show, with_nearest
from archbudget.errors import SpaceError
from archbudget.layers import transformers
from archbudget.layers._structure import Part, Require
from archbudget.space.space import Space

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archbudget._expressions import Expression, IntLike
    from archbudget.layers._structure import BlockLike

POSITIONS = ("rotary", "learned", "none")
NORMS = ("rms", "layer")


@guarded
def transformer(
    width: IntLike | None = None,
    depth: IntLike | None = None,
    heads: IntLike | None = None,
    kv_heads: IntLike | None = None,
    units: IntLike | Expression | None = None,
    *,
    vocabulary: IntLike = 32_000,
    context: IntLike = 1024,
    head_dim: IntLike | None = None,
    gated: bool = True,
    activation: str = "silu",
    tied: bool = True,
    positions: str = "rotary",
    norm: str = "rms",
    use_bias: bool = False,
    query_bias: bool | None = None,
    head_norms: bool = False,
    four_norms: bool = False,
    window: int | None = None,
    experts: IntLike | None = None,
    experts_per_token: IntLike = 2,
    shared_experts: IntLike = 0,
    latent: Mapping[str, Any] | None = None,
) -> Space:
    """Language models that read from left to right: decoders of GPT-2, Llama, Mixtral, DeepSeek and their relatives.

    After Vaswani et al., Attention is all you need, arXiv 1706.03762, and the papers of the published models. All
    blocks are alike: attention and a feed-forward network, each behind a norm and beside a residual connection. Any
    size may be a number, a decision or an expression. By default the decisions are `width`, `depth`, `heads`,
    `kv_heads` and `ratio`, with `units = width * ratio`; where decisions stand, the heads divide the width, and the
    heads of keys and values those of the queries.

    Args:
        width: The features of a position.
        depth: The number of blocks.
        heads: The heads of attention.
        kv_heads: The heads that have keys and values of their own; by default a decision, or `heads` where those are
            given.
        units: The hidden units of the feed-forward network, or of an expert.
        vocabulary: The number of words.
        context: The number of tokens that MACs and activations are counted for, and of learned positions. The metrics
            `kv_cache_bytes`, `prefill_macs` and `decode_macs` take their own.
        head_dim: The features of a head; by default `width / heads`.
        gated: Whether the feed-forward network has a third matrix, as SwiGLU has (Shazeer, arXiv 2002.05202).
        activation: Its function; it changes no count.
        tied: Whether the last matrix is the embedding of the words.
        positions: `"rotary"`, `"learned"` or `"none"`.
        norm: `"rms"`, or `"layer"`, which has two weights a feature.
        use_bias: Whether all matrices have biases, but for the last one and those of experts.
        query_bias: Whether queries, keys and values have them; by default as `use_bias`.
        head_norms: Whether queries and keys are normalised, each head by itself.
        four_norms: Whether attention and the feed-forward network are normalised behind, too.
        window: How many positions each one sees; it changes no count but that of the cache.
        experts: The number of experts in the place of each feed-forward network; `None` for none.
        experts_per_token: How many of them a token takes.
        shared_experts: How many more every token takes.
        latent: The arguments of `LatentAttention` beside `num_heads`, for attention of that kind.

    Raises:
        SpaceError: If an argument is not one of these, or no network can be built.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.transformer()
        >>> space.size, space.within(ab.Budget(params=(95_000_000, 105_000_000))).count()
        (2520, 61)
        >>> ab.spaces.transformer(**ab.spaces.TRANSFORMERS["llama_3_2_1b"]).architecture().params
        1235814400
    """
    sizes: list[Any] = [
        builtin(each)
        for each in (
            width, depth, heads, kv_heads, units, vocabulary, context, head_dim, experts, experts_per_token,
            shared_experts,
        )
    ]  # fmt: skip
    width, depth, heads, kv_heads, units, vocabulary, context, head_dim, experts, experts_per_token, shared_experts = (
        sizes
    )
    _known("positions", positions, POSITIONS)
    _known("norm", norm, NORMS)
    if latent is not None and (kv_heads is not None or head_dim is not None or head_norms or positions == "learned"):
        raise SpaceError("transformer: latent has heads and positions of its own, so kv_heads, head_dim, head_norms "
                         "and learned positions cannot be given beside it")  # fmt: skip
    if kv_heads is None and latent is None:
        kv_heads = Choice("kv_heads", [1, 2, 4, 8]) if heads is None else heads
    width = Choice("width", [256, 384, 512, 768, 1024, 1536, 2048]) if width is None else width
    depth = Int("depth", 4, 32, step=4) if depth is None else depth
    heads = Choice("heads", [4, 8, 16, 32]) if heads is None else heads
    if units is None:
        units = width * Choice("ratio", [2, 3, 4])

    def normalized() -> layers.Layer:
        return layers.RMSNormalization() if norm == "rms" else layers.LayerNormalization()

    def attention() -> layers.Layer:
        if latent is not None:
            return transformers.LatentAttention(num_heads=heads, **latent)
        return transformers.SelfAttention(
            num_heads=heads,
            num_key_value_heads=kv_heads,
            head_dim=head_dim,
            query_bias=use_bias if query_bias is None else query_bias,
            output_bias=use_bias,
            head_norms=head_norms,
            rotary=positions == "rotary",
            sliding_window=window,
        )

    def network() -> list[BlockLike]:
        if experts is not None:
            return [
                transformers.MixtureOfExperts(
                    num_experts=experts,
                    experts_per_token=experts_per_token,
                    units=units,
                    gated=gated,
                    shared_experts=shared_experts,
                    activation=activation,
                )
            ]
        first = layers.Dense(units, activation=activation, use_bias=use_bias)
        last = layers.Dense(width, use_bias=use_bias)
        if not gated:
            return [first, last]
        calls = [
            (first, [(-1, 0)]),
            (layers.Dense(units, use_bias=use_bias), [(-1, 0)]),
            (layers.Multiply(), [(0, 0), (1, 0)]),
            (last, [(2, 0)]),
        ]
        return [Part(calls, (3, 0))]

    def block(_: int) -> list[BlockLike]:
        behind = [normalized()] if four_norms else []
        return [
            layers.Residual([normalized(), attention(), *behind]),
            layers.Residual([normalized(), *network(), *([normalized()] if four_norms else [])]),
        ]

    tokens = layers.Input((context,), name="tokens")
    table = (layers.ReversibleEmbedding if tied else layers.Embedding)(vocabulary, width)
    x = table(tokens)
    if positions == "learned":
        x = layers.Add()([x, transformers.PositionEmbedding(context)(x)])
    conditions = _conditions(width, heads, kv_heads, head_dim, latent)
    x = layers.Sequential([*conditions, layers.Repeat(depth, block), normalized()])(x)
    words = table(x, reverse=True) if tied else layers.Dense(vocabulary, use_bias=False)(x)
    return Space(inputs=tokens, outputs=words, name="transformer")


def _known(name: str, given: object, words: tuple[str, ...]) -> None:
    if given not in words:
        shown = with_nearest(given, words) if isinstance(given, str) else show(given)
        raise SpaceError(f"transformer: {name} must be one of {listed(words)}, not {shown}")


def _conditions(width: Any, heads: Any, kv_heads: Any, head_dim: Any, latent: Any) -> list[BlockLike]:
    """What the sizes must meet together, where they are decisions; numbers are looked at by the layers."""
    if latent is not None:
        return []
    pairs = [(heads, kv_heads)] if kv_heads is not heads else []
    if head_dim is None:
        pairs.append((width, heads))
    return [Require(one % other == 0) for one, other in pairs if not (isinstance(one, int) and isinstance(other, int))]


def _qwen3(width: int, depth: int, heads: int, units: int, *, tied: bool = True) -> dict[str, Any]:
    return {
        "width": width, "depth": depth, "heads": heads, "kv_heads": 8, "units": units, "head_dim": 128,
        "vocabulary": 151_936, "head_norms": True, "tied": tied,
    }  # fmt: skip


def _gpt2(width: int, depth: int, heads: int) -> dict[str, Any]:
    return {
        "width": width, "depth": depth, "heads": heads, "units": 4 * width, "vocabulary": 50_257, "gated": False,
        "activation": "gelu", "positions": "learned", "norm": "layer", "use_bias": True,
    }  # fmt: skip


TRANSFORMERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "gpt2": _gpt2(768, 12, 12),
        "gpt2_medium": _gpt2(1024, 24, 16),
        "gpt2_large": _gpt2(1280, 36, 20),
        "gpt2_xl": _gpt2(1600, 48, 25),
        "llama_2_7b": {
            "width": 4096, "depth": 32, "heads": 32, "units": 11_008, "vocabulary": 32_000, "tied": False,
        },
        "llama_3_8b": {
            "width": 4096, "depth": 32, "heads": 32, "kv_heads": 8, "units": 14_336, "vocabulary": 128_256,
            "tied": False,
        },
        "llama_3_2_1b": {
            "width": 2048, "depth": 16, "heads": 32, "kv_heads": 8, "units": 8192, "vocabulary": 128_256,
        },
        "mistral_7b": {
            "width": 4096, "depth": 32, "heads": 32, "kv_heads": 8, "units": 14_336, "vocabulary": 32_000,
            "tied": False, "window": 4096,
        },
        "mixtral_8x7b": {
            "width": 4096, "depth": 32, "heads": 32, "kv_heads": 8, "units": 14_336, "vocabulary": 32_000,
            "tied": False, "experts": 8, "experts_per_token": 2,
        },
        "qwen2_0_5b": {
            "width": 896, "depth": 24, "heads": 14, "kv_heads": 2, "units": 4864, "vocabulary": 151_936,
            "query_bias": True,
        },
        "qwen3_0_6b": _qwen3(1024, 28, 16, 3072),
        "qwen3_8b": _qwen3(4096, 36, 32, 12_288, tied=False),
        "qwen3_30b_a3b": {
            **_qwen3(2048, 48, 32, 768, tied=False), "kv_heads": 4, "experts": 128, "experts_per_token": 8,
        },
        "gemma_2b": {
            "width": 2048, "depth": 18, "heads": 8, "kv_heads": 1, "units": 16_384, "vocabulary": 256_000,
            "head_dim": 256, "activation": "gelu",
        },
        "gemma_2_2b": {
            "width": 2304, "depth": 26, "heads": 8, "kv_heads": 4, "units": 9216, "vocabulary": 256_000,
            "head_dim": 256, "activation": "gelu", "four_norms": True,
        },
    }
)  # fmt: skip
"""The arguments of [`transformer`][archbudget.spaces.transformer] for published models, by their names."""
