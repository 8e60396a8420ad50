"""Language models that read from left to right: GPT-2, Llama and its relatives, Phi."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt
from typing import TYPE_CHECKING, Any

from archbudget import layers
from archbudget.importers.huggingface._blocks import (
    FUNCTIONS,
    Heads,
    activate,
    add,
    dense,
    experts,
    gated_network,
    one_position,
    rotated,
)
from archbudget.layers.transformers import Bias, PositionEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable

    from archbudget.importers.huggingface._config import Config


@dataclass(frozen=True)
class Decoder:
    """What tells the relatives of Llama apart; sizes are the defaults of their classes in transformers."""

    vocabulary: int
    hidden: int
    intermediate: int
    blocks: int
    heads: int
    positions: int
    key_heads: int | None = None
    head: int | None = None
    """The size of a head; `None` for the share of a head in the features."""
    function: str = "silu"
    function_names: tuple[str, ...] = ("hidden_act",)
    tied: bool = False
    query_bias: Callable[[Config], bool] = field(default=lambda _: False)
    """Whether the projections of queries, keys and values have biases."""
    output_bias: Callable[[Config], bool] = field(default=lambda _: False)
    """Whether the projection of the output has one."""
    network_bias: Callable[[Config], bool] = field(default=lambda _: False)
    """Whether the matrices of the feed-forward network have them."""
    head_norms: bool = False
    """Whether queries and keys are normalised, each head by itself."""
    four_norms: bool = False
    """Whether attention and the feed-forward network are normalised behind, too."""
    fused: bool = False
    """Whether one matrix makes queries, keys and values, and one both halves of the feed-forward network."""
    scaled: bool = False
    """Whether the rows of the embedding are multiplied by the root of their length."""
    mixture: Callable[[Config, int], Callable[[Any, int, str, str], Any] | None] = field(default=lambda *_: None)
    """What stands in the place of the feed-forward network of a block, if anything does."""


def _flag(name: str, default: bool) -> Callable[[Config], bool]:
    return lambda config: config.flag(name, default)


def _always(_: Config) -> bool:
    return True


def _mixtral(config: Config, block: int) -> Callable[[Any, int, str, str], Any] | None:
    """Experts in each block."""
    del block
    number = config.size("num_local_experts", "num_experts", default=8)
    chosen = config.size("num_experts_per_tok", default=2, most=number)
    units = config.size("intermediate_size", default=14336)
    return lambda x, _, function, name: experts(x, number, chosen, units, function, name)


def _sparse(config: Config, block: int, number: int, chosen: int, units: int) -> tuple[int, int, int] | None:
    """The experts of a block of Qwen, their number, the chosen ones and their size; `None` in a dense block."""
    step = config.size("decoder_sparse_step", default=1)
    if config.get("num_experts", "num_local_experts") == 0:
        return None
    number = config.size("num_experts", "num_local_experts", default=number)
    chosen = config.size("num_experts_per_tok", default=chosen)
    units = config.size("moe_intermediate_size", default=units)
    if block in config.numbers("mlp_only_layers") or (block + 1) % step:
        return None
    if chosen > number:
        raise config.error(f"num_experts_per_tok={chosen} of {number} experts cannot be chosen")
    return number, chosen, units


def _qwen2_moe(config: Config, block: int) -> Callable[[Any, int, str, str], Any] | None:
    """Experts, and one more for every token, whose share another matrix tells."""
    shared = config.size("shared_expert_intermediate_size", default=5632)
    sparse = _sparse(config, block, 60, 4, 1408)
    if sparse is None:
        return None

    def made(x: Any, hidden: int, function: str, name: str) -> Any:
        chosen = experts(x, *sparse, function, name)
        always = gated_network(x, hidden, shared, function, f"{name}.shared_expert")
        share = layers.Activation("sigmoid", name=f"{name}.share")(dense(x, 1, f"{name}.shared_expert_gate", False))
        return add(chosen, layers.Multiply(name=f"{name}.shared")([share, always]), f"{name}.sum")

    return made


def _qwen3_moe(config: Config, block: int) -> Callable[[Any, int, str, str], Any] | None:
    sparse = _sparse(config, block, 128, 8, 768)
    return None if sparse is None else lambda x, _, function, name: experts(x, *sparse, function, name)


_attention_bias = _flag("attention_bias", False)
_gemma = {
    "head": 256,
    "function": "gelu_pytorch_tanh",
    "tied": True,
    "scaled": True,
    "query_bias": _attention_bias,
    "output_bias": _attention_bias,
}
_gemma_functions = ("hidden_activation",)

DECODERS = {
    "llama": Decoder(
        32_000, 4096, 11_008, 32, 32, 2048,
        query_bias=_attention_bias, output_bias=_attention_bias, network_bias=_flag("mlp_bias", False),
    ),
    "mistral": Decoder(32_000, 4096, 14_336, 32, 32, 131_072, key_heads=8),
    "mixtral": Decoder(32_000, 4096, 14_336, 32, 32, 131_072, key_heads=8, mixture=_mixtral),
    "qwen2": Decoder(151_936, 4096, 22_016, 32, 32, 32_768, key_heads=32, query_bias=_always),
    "qwen2_moe": Decoder(
        151_936, 2048, 5632, 24, 16, 32_768,
        key_heads=16, query_bias=_flag("qkv_bias", True), mixture=_qwen2_moe,
    ),
    "qwen3": Decoder(
        151_936, 4096, 22_016, 32, 32, 32_768,
        key_heads=32, head=128, head_norms=True, query_bias=_attention_bias, output_bias=_attention_bias,
    ),
    "qwen3_moe": Decoder(
        151_936, 2048, 6144, 24, 32, 32_768,
        key_heads=4, head_norms=True, query_bias=_attention_bias, output_bias=_attention_bias, mixture=_qwen3_moe,
    ),
    "gemma": Decoder(256_000, 3072, 24_576, 28, 16, 8192, key_heads=16, **_gemma),  # type: ignore[arg-type]
    "gemma2": Decoder(
        256_000, 2304, 9216, 26, 8, 8192,
        key_heads=4, four_norms=True, function_names=_gemma_functions, **_gemma,  # type: ignore[arg-type]
    ),
    "gemma3_text": Decoder(
        262_208, 2304, 9216, 26, 8, 131_072,
        key_heads=4, four_norms=True, head_norms=True, function_names=_gemma_functions,
        **_gemma,  # type: ignore[arg-type]
    ),
    "phi3": Decoder(32_064, 3072, 8192, 32, 32, 4096, fused=True),
}  # fmt: skip
"""The relatives of Llama by their `model_type`, with vocabulary, features, units, blocks, heads and positions."""


def head_of(config: Config, x: Any, head: str, vocabulary: int, table: Any, use_bias: bool) -> Any:
    """What stands behind the last block of a language model.

    Args:
        config: The configuration.
        x: The features of all positions.
        head: `"base"`, `"CausalLM"`, `"SequenceClassification"` or `"TokenClassification"`.
        vocabulary: How many words.
        table: The embedding, if its weights are those of the head.
        use_bias: Whether a head for words has a bias.
    """
    if head == "base":
        return x
    if head == "CausalLM":
        if table is None:
            return dense(x, vocabulary, "lm_head", use_bias)
        words = table(x, reverse=True)
        return Bias(name="lm_head")(words) if use_bias else words
    scores = dense(x, config.labels(), "score", use_bias=head == "TokenClassification")
    return one_position(scores, "pooled_logits", "last") if head == "SequenceClassification" else scores


def table_of(vocabulary: int, hidden: int, tied: bool, name: str) -> Any:
    """An embedding of words, whose way back may be a head."""
    return (layers.ReversibleEmbedding if tied else layers.Embedding)(vocabulary, hidden, name=name)


def llama(config: Config, kind: Decoder, head: str, positions: int | None) -> tuple[list[Any], Any]:
    """The input and the output of Llama or a relative."""
    hidden = config.size("hidden_size", default=kind.hidden)
    vocabulary = config.size("vocab_size", default=kind.vocabulary)
    units = config.size("intermediate_size", default=kind.intermediate)
    blocks = config.layers("num_hidden_layers", default=kind.blocks)
    function = config.word(*kind.function_names, default=kind.function, known=FUNCTIONS)
    heads = Heads(config, hidden, default_heads=kind.heads, default=kind.head, default_shared=kind.key_heads)
    tied = config.flag("tie_word_embeddings", kind.tied) and head == "CausalLM"
    config.size("max_position_embeddings", default=kind.positions)
    query_bias, output_bias, network_bias = (
        each(config) for each in (kind.query_bias, kind.output_bias, kind.network_bias)
    )
    _check_types(config, blocks)

    base = "" if head == "base" else "model."
    tokens = layers.Input((positions,), name="input_ids")
    table = table_of(vocabulary, hidden, tied, f"{base}embed_tokens")
    x = table(tokens)
    if kind.scaled:
        x = layers.Rescaling(sqrt(hidden), name=f"{base}embed_scale")(x)
    for block in range(blocks):
        name = f"{base}layers.{block}"
        at = f"{name}.self_attn"
        before = layers.RMSNormalization(name=f"{name}.input_layernorm")(x)
        if kind.fused:
            qkv = dense(before, (heads.query + 2 * heads.key) * heads.size, f"{at}.qkv_proj", query_bias)
            attended = heads.products([rotated(qkv, f"{at}.rotary")], f"{at}.attention")
        else:
            q = dense(before, heads.query * heads.size, f"{at}.q_proj", query_bias)
            k = dense(before, heads.key * heads.size, f"{at}.k_proj", query_bias)
            v = dense(before, heads.key * heads.size, f"{at}.v_proj", query_bias)
            if kind.head_norms:
                q = heads.normalized(q, heads.query, layers.RMSNormalization(name=f"{at}.q_norm"))
                k = heads.normalized(k, heads.key, layers.RMSNormalization(name=f"{at}.k_norm"))
            q, k = rotated(q, f"{at}.q_rotary"), rotated(k, f"{at}.k_rotary")
            attended = heads.products([q, k, v], f"{at}.attention")
        y = dense(attended, hidden, f"{at}.o_proj", output_bias)
        if kind.four_norms:
            y = layers.RMSNormalization(name=f"{name}.post_attention_layernorm")(y)
        x = add(x, y, f"{name}.attention_sum")
        between = "pre_feedforward_layernorm" if kind.four_norms else "post_attention_layernorm"
        y = layers.RMSNormalization(name=f"{name}.{between}")(x)
        mixture = kind.mixture(config, block)
        if mixture is not None:
            y = mixture(y, hidden, function, f"{name}.mlp")
        else:
            y = gated_network(y, hidden, units, function, f"{name}.mlp", network_bias, kind.fused)
        if kind.four_norms:
            y = layers.RMSNormalization(name=f"{name}.post_feedforward_layernorm")(y)
        x = add(x, y, f"{name}.mlp_sum")
    x = layers.RMSNormalization(name=f"{base}norm")(x)
    return [tokens], head_of(config, x, head, vocabulary, table if tied else None, use_bias=False)


def _check_types(config: Config, blocks: int) -> None:
    """Refuses kinds of attention whose counts are others, such as linear attention."""
    types = config.get("layer_types")
    if types is None:
        return
    if not isinstance(types, (list, tuple)) or len(types) != blocks:
        raise config.error(f"layer_types must name a kind of attention for each of the {blocks} blocks")
    for each in types:
        if each not in ("full_attention", "sliding_attention"):
            raise config.error(f"layer_types has {each!r:.100}; full_attention and sliding_attention are counted")


def phi(config: Config, head: str, positions: int | None) -> tuple[list[Any], Any]:
    """The input and the output of Phi: attention and the feed-forward network stand side by side."""
    hidden = config.size("hidden_size", default=2048)
    vocabulary = config.size("vocab_size", default=51_200)
    units = config.size("intermediate_size", default=8192)
    blocks = config.layers("num_hidden_layers", default=24)
    function = config.word("hidden_act", default="gelu_new", known=FUNCTIONS)
    heads = Heads(config, hidden, default_heads=32)
    head_norms = config.flag("qk_layernorm", False)
    tied = config.flag("tie_word_embeddings", False) and head == "CausalLM"
    config.size("max_position_embeddings", default=2048)
    if head_norms and heads.size * heads.query != hidden:
        raise config.error(f"qk_layernorm needs heads of hidden_size / num_attention_heads, not head_dim={heads.size}")

    base = "" if head == "base" else "model."
    tokens = layers.Input((positions,), name="input_ids")
    table = table_of(vocabulary, hidden, tied, f"{base}embed_tokens")
    x = table(tokens)
    for block in range(blocks):
        name = f"{base}layers.{block}"
        at = f"{name}.self_attn"
        before = layers.LayerNormalization(name=f"{name}.input_layernorm")(x)
        q, k, v = (
            dense(before, number * heads.size, f"{at}.{part}_proj")
            for part, number in (("q", heads.query), ("k", heads.key), ("v", heads.key))
        )
        if head_norms:
            q = heads.normalized(q, heads.query, layers.LayerNormalization(name=f"{at}.q_layernorm"))
            k = heads.normalized(k, heads.key, layers.LayerNormalization(name=f"{at}.k_layernorm"))
        q, k = rotated(q, f"{at}.q_rotary"), rotated(k, f"{at}.k_rotary")
        y = dense(heads.products([q, k, v], f"{at}.attention"), hidden, f"{at}.dense")
        z = activate(dense(before, units, f"{name}.mlp.fc1"), function, f"{name}.mlp.activation_fn")
        z = dense(z, hidden, f"{name}.mlp.fc2")
        x = layers.Add(name=f"{name}.sum")([y, z, x])
    x = layers.LayerNormalization(name=f"{base}final_layernorm")(x)
    return [tokens], head_of(config, x, head, vocabulary, table if tied else None, use_bias=True)


def gpt2(config: Config, head: str, positions: int | None) -> tuple[list[Any], Any]:
    """The input and the output of GPT-2."""
    hidden = config.size("n_embd", "hidden_size", default=768)
    vocabulary = config.size("vocab_size", default=50_257)
    units = config.size("n_inner", default=4 * hidden)
    blocks = config.layers("n_layer", "num_hidden_layers", default=12)
    function = config.word("activation_function", default="gelu_new", known=FUNCTIONS)
    heads = Heads(config, hidden, default_heads=12, shared=False)
    most = config.size("n_positions", "max_position_embeddings", default=1024)
    tied = config.flag("tie_word_embeddings", True) and head == "CausalLM"
    config.only("add_cross_attention", False)
    for unused in ("n_ctx", "summary_type", "summary_use_proj", "summary_proj_to_labels", "summary_first_dropout"):
        config.get(unused)
    for unused in ("summary_activation", "scale_attn_weights"):
        config.get(unused)

    base = "" if head == "base" else "transformer."
    length = most if positions is None else positions
    tokens = layers.Input((length,), name="input_ids")
    table = table_of(vocabulary, hidden, tied, f"{base}wte")
    x = table(tokens)
    x = add(x, PositionEmbedding(most, name=f"{base}wpe")(x), f"{base}embedding")
    for block in range(blocks):
        name = f"{base}h.{block}"
        y = dense(layers.LayerNormalization(name=f"{name}.ln_1")(x), 3 * hidden, f"{name}.attn.c_attn")
        y = dense(heads.products([y], f"{name}.attn.attention"), hidden, f"{name}.attn.c_proj")
        x = add(x, y, f"{name}.attn.sum")
        y = dense(layers.LayerNormalization(name=f"{name}.ln_2")(x), units, f"{name}.mlp.c_fc")
        y = dense(activate(y, function, f"{name}.mlp.act"), hidden, f"{name}.mlp.c_proj")
        x = add(x, y, f"{name}.mlp.sum")
    x = layers.LayerNormalization(name=f"{base}ln_f")(x)
    return [tokens], head_of(config, x, head, vocabulary, table if tied else None, use_bias=False)
