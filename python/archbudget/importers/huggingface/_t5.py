"""T5: an encoder, and a decoder that reads what it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archbudget import layers
from archbudget.importers._layers import RelativePositionBias
from archbudget.importers.huggingface._blocks import FUNCTIONS, Heads, activate, add, dense, gated

if TYPE_CHECKING:
    from archbudget.importers.huggingface._config import Config


class _Sizes(NamedTuple):
    hidden: int
    units: int
    heads: Heads
    buckets: int
    function: str
    gated: bool


def t5(config: Config, head: str, positions: tuple[int, int] | None) -> tuple[list[Any], Any]:
    """The inputs and the output of T5.

    Args:
        config: The configuration.
        head: `"base"`, `"ConditionalGeneration"`, or `"Encoder"` for the encoder alone.
        positions: The length of what the encoder reads, and of what the decoder reads.
    """
    hidden = config.size("d_model", "hidden_size", default=512)
    size = config.size("d_kv", "head_dim", default=64)
    units = config.size("d_ff", default=2048)
    blocks = config.layers("num_layers", "num_hidden_layers", default=6)
    behind = config.layers("num_decoder_layers", default=blocks)
    number = config.size("num_heads", "num_attention_heads", default=8)
    buckets = config.size("relative_attention_num_buckets", default=32)
    vocabulary = config.size("vocab_size", default=32_128)
    config.get("relative_attention_max_distance")
    # Older files state a length, though a model with relative positions has none.
    config.get("n_positions", "max_position_embeddings")
    length, target = positions or (None, None)
    kind = config.word("feed_forward_proj", default="relu")
    gate, _, function = kind.rpartition("-")
    if gate not in ("", "gated") or function not in FUNCTIONS:
        raise config.error(f"feed_forward_proj={kind!r:.100} is not known here; it is a function, or gated-function")
    for name, meant in (("dense_act_fn", None), ("is_gated_act", bool(gate))):
        stated = config.get(name)
        if meant is not None and stated not in (None, meant):
            raise config.error(f"{name}={stated!r:.100} does not agree with feed_forward_proj={kind!r}")
    tied = config.flag("tie_word_embeddings", True)
    heads = Heads.__new__(Heads)
    heads.query, heads.key, heads.size = number, number, size
    sizes = _Sizes(hidden, units, heads, buckets, function, bool(gate))

    table = layers.ReversibleEmbedding(vocabulary, hidden, name="shared")
    tokens = layers.Input((length,), name="input_ids")
    encoded = _stack(table(tokens), None, sizes, blocks, "encoder")
    if head == "Encoder":
        return [tokens], encoded
    before = layers.Input((target,), name="decoder_input_ids")
    x = _stack(table(before), encoded, sizes, behind, "decoder")
    inputs = [tokens, before]
    if head == "base":
        return inputs, x
    if tied:
        if config.flag("scale_decoder_outputs", True):
            x = layers.Rescaling(hidden**-0.5, name="decoder.scale")(x)
        return inputs, table(x, reverse=True)
    return inputs, dense(x, vocabulary, "lm_head", use_bias=False)


def _stack(x: Any, encoded: Any, sizes: _Sizes, blocks: int, name: str) -> Any:
    """The blocks of the encoder, or those of the decoder."""
    bias = RelativePositionBias(
        sizes.heads.query, sizes.buckets, name=f"{name}.block.0.layer.0.SelfAttention.relative_attention_bias"
    )([x, x])
    for block in range(blocks):
        at = f"{name}.block.{block}.layer"
        x = _attend(x, None, sizes, f"{at}.0", "SelfAttention", bias)
        if encoded is not None:
            x = _attend(x, encoded, sizes, f"{at}.1", "EncDecAttention", None)
        at = f"{at}.{1 if encoded is None else 2}"
        y = layers.RMSNormalization(name=f"{at}.layer_norm")(x)
        inner = f"{at}.DenseReluDense"
        if sizes.gated:
            first, second = (dense(y, sizes.units, f"{inner}.wi_{part}", use_bias=False) for part in (0, 1))
            y = gated(first, second, sizes.function, inner)
        else:
            y = activate(dense(y, sizes.units, f"{inner}.wi", use_bias=False), sizes.function, f"{inner}.act")
        x = add(x, dense(y, sizes.hidden, f"{inner}.wo", use_bias=False), f"{at}.sum")
    return layers.RMSNormalization(name=f"{name}.final_layer_norm")(x)


def _attend(x: Any, encoded: Any, sizes: _Sizes, at: str, part: str, bias: Any) -> Any:
    """Attention to the sequence itself, or to what the encoder gave."""
    y = layers.RMSNormalization(name=f"{at}.layer_norm")(x)
    source = y if encoded is None else encoded
    width = sizes.heads.query * sizes.heads.size
    q = dense(y, width, f"{at}.{part}.q", use_bias=False)
    k = dense(source, width, f"{at}.{part}.k", use_bias=False)
    v = dense(source, width, f"{at}.{part}.v", use_bias=False)
    y = sizes.heads.products([q, k, v], f"{at}.{part}.products", bias)
    return add(x, dense(y, sizes.hidden, f"{at}.{part}.o", use_bias=False), f"{at}.sum")
