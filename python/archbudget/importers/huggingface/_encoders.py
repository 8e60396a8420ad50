"""Encoders: BERT, RoBERTa, DistilBERT and ViT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archbudget import layers
from archbudget.importers.huggingface._blocks import FUNCTIONS, Heads, activate, add, dense, one_position
from archbudget.importers.huggingface._decoders import table_of
from archbudget.layers.transformers import Bias, ClassToken, PositionEmbedding

if TYPE_CHECKING:
    from archbudget.importers.huggingface._config import Config


class _Names(NamedTuple):
    """What the parts of a block are called."""

    query: str
    key: str
    value: str
    output: str
    norm: str
    inner: str
    outer: str
    norm_behind: str


_BERT = _Names(
    *("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"),
    *("attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm"),
)
_DISTILBERT = _Names(
    *("attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin"),
    *("sa_layer_norm", "ffn.lin1", "ffn.lin2", "output_layer_norm"),
)


def _norm(x: Any, name: str) -> Any:
    return layers.LayerNormalization(name=name)(x)


def _block(x: Any, heads: Heads, units: int, function: str, name: str, parts: _Names) -> Any:
    """A block that normalises behind each sum."""
    hidden = heads.query * heads.size
    q, k, v = (dense(x, hidden, f"{name}.{part}") for part in (parts.query, parts.key, parts.value))
    y = dense(heads.products([q, k, v], f"{name}.attention.products"), hidden, f"{name}.{parts.output}")
    x = _norm(add(x, y, f"{name}.attention.sum"), f"{name}.{parts.norm}")
    y = activate(dense(x, units, f"{name}.{parts.inner}"), function, f"{name}.activation")
    y = dense(y, hidden, f"{name}.{parts.outer}")
    return _norm(add(x, y, f"{name}.sum"), f"{name}.{parts.norm_behind}")


def bert(config: Config, head: str, positions: int | None) -> tuple[list[Any], Any]:
    """The inputs and outputs of BERT."""
    return _bert(config, head, positions, "bert", 30_522, padding=None)


def roberta(config: Config, head: str, positions: int | None) -> tuple[list[Any], Any]:
    """The inputs and outputs of RoBERTa: positions are counted from behind the index of the padding."""
    padding = config.get("pad_token_id")
    padding = 1 if padding is None else padding
    if isinstance(padding, bool) or not isinstance(padding, int) or padding < 0:
        raise config.error(f"pad_token_id must be an integer of at least 0, not {padding!r:.100}")
    return _bert(config, head, positions, "roberta", 50_265, padding)


def _bert(
    config: Config, head: str, positions: int | None, model: str, vocabulary: int, padding: int | None
) -> tuple[list[Any], Any]:
    hidden = config.size("hidden_size", default=768)
    vocabulary = config.size("vocab_size", default=vocabulary)
    units = config.size("intermediate_size", default=3072)
    blocks = config.layers("num_hidden_layers", default=12)
    kinds = config.size("type_vocab_size", default=2)
    function = config.word("hidden_act", default="gelu", known=FUNCTIONS)
    rows = config.size("max_position_embeddings", default=512)
    heads = Heads(config, hidden, default_heads=12, shared=False)
    words = head in ("MaskedLM", "PreTraining")
    if not config.flag("tie_word_embeddings", True) and words:
        raise config.error(
            "tie_word_embeddings=false is not supported with a head for words: releases of transformers differ in its "
            "biases"
        )
    config.only("add_cross_attention", False)
    config.only("position_embedding_type", "absolute")
    config.only("pruned_heads", {})
    most = rows if padding is None else rows - padding - 1
    if most < 1:
        raise config.error(f"max_position_embeddings={rows} leaves no position behind pad_token_id={padding}")
    length = most if positions is None else positions
    if length > most:
        raise config.error(f"sequence_length={length:,} is more than the {most:,} positions of this model")

    base = "" if head == "base" else f"{model}."
    tokens = layers.Input((length,), name="input_ids")
    segments = layers.Input((length,), name="token_type_ids")
    table = table_of(vocabulary, hidden, words, f"{base}embeddings.word_embeddings")
    x = add(
        table(tokens),
        layers.Embedding(kinds, hidden, name=f"{base}embeddings.token_type_embeddings")(segments),
        f"{base}embeddings.segments",
    )
    x = add(x, PositionEmbedding(rows, name=f"{base}embeddings.position_embeddings")(x), f"{base}embeddings.positions")
    x = _norm(x, f"{base}embeddings.LayerNorm")
    for block in range(blocks):
        x = _block(x, heads, units, function, f"{base}encoder.layer.{block}", _BERT)
    inputs = [tokens, segments]

    if head in ("base", "PreTraining") or (head == "SequenceClassification" and padding is None):
        pooled = dense(one_position(x, f"{base}pooler"), hidden, f"{base}pooler.dense")
        pooled = layers.Activation("tanh", name=f"{base}pooler.activation")(pooled)
        if head == "base":
            return inputs, [x, pooled]
        if head == "SequenceClassification":
            return inputs, dense(pooled, config.labels(), "classifier")
        scores = _bert_words(x, hidden, function, table)
        return inputs, [scores, dense(pooled, 2, "cls.seq_relationship")]
    if head == "SequenceClassification":
        y = dense(one_position(x, "classifier"), hidden, "classifier.dense")
        y = layers.Activation("tanh", name="classifier.activation")(y)
        return inputs, dense(y, config.labels(), "classifier.out_proj")
    if head == "MaskedLM" and padding is None:
        return inputs, _bert_words(x, hidden, function, table)
    if head == "MaskedLM":
        y = layers.Activation("gelu", name="lm_head.activation")(dense(x, hidden, "lm_head.dense"))
        y = _norm(y, "lm_head.layer_norm")
        return inputs, Bias(name="lm_head")(table(y, reverse=True))
    if head == "TokenClassification":
        return inputs, dense(x, config.labels(), "classifier")
    return inputs, dense(x, config.labels(), "qa_outputs")


def _bert_words(x: Any, hidden: int, function: str, table: Any) -> Any:
    y = activate(dense(x, hidden, "cls.predictions.transform.dense"), function, "cls.predictions.transform.act")
    y = _norm(y, "cls.predictions.transform.LayerNorm")
    return Bias(name="cls.predictions")(table(y, reverse=True))


def distilbert(config: Config, head: str, positions: int | None) -> tuple[list[Any], Any]:
    """The input and the output of DistilBERT."""
    hidden = config.size("dim", "hidden_size", default=768)
    vocabulary = config.size("vocab_size", default=30_522)
    units = config.size("hidden_dim", default=3072)
    blocks = config.layers("n_layers", "num_hidden_layers", default=6)
    function = config.word("activation", default="gelu", known=FUNCTIONS)
    rows = config.size("max_position_embeddings", default=512)
    heads = Heads(config, hidden, default_heads=12, shared=False)
    tied = config.flag("tie_word_embeddings", True) and head == "MaskedLM"
    config.only("sinusoidal_pos_embds", False, True)
    config.only("pruned_heads", {})
    length = rows if positions is None else positions
    if length > rows:
        raise config.error(f"sequence_length={length:,} is more than the {rows:,} positions of this model")

    base = "" if head == "base" else "distilbert."
    tokens = layers.Input((length,), name="input_ids")
    table = table_of(vocabulary, hidden, tied, f"{base}embeddings.word_embeddings")
    x = table(tokens)
    x = add(x, PositionEmbedding(rows, name=f"{base}embeddings.position_embeddings")(x), f"{base}embeddings.positions")
    x = _norm(x, f"{base}embeddings.LayerNorm")
    for block in range(blocks):
        x = _block(x, heads, units, function, f"{base}transformer.layer.{block}", _DISTILBERT)
    if head == "base":
        return [tokens], x
    if head == "MaskedLM":
        y = activate(dense(x, hidden, "vocab_transform"), function, "vocab_activation")
        y = _norm(y, "vocab_layer_norm")
        if tied:
            return [tokens], Bias(name="vocab_projector")(table(y, reverse=True))
        return [tokens], dense(y, vocabulary, "vocab_projector")
    if head == "SequenceClassification":
        y = dense(one_position(x, "pre_classifier"), hidden, "pre_classifier")
        y = layers.Activation("relu", name="pre_classifier.activation")(y)
        return [tokens], dense(y, config.labels(), "classifier")
    if head == "TokenClassification":
        return [tokens], dense(x, config.labels(), "classifier")
    if config.labels() != 2:
        raise config.error(f"a model that answers questions has 2 labels, not {config.labels()}")
    return [tokens], dense(x, 2, "qa_outputs")


def vit(config: Config, head: str, positions: int | None) -> tuple[list[Any], Any]:
    """The input and the output of ViT."""
    if positions is not None:
        raise config.error("sequence_length is for models of text; image_size and patch_size tell that of ViT")
    hidden = config.size("hidden_size", default=768)
    units = config.size("intermediate_size", default=3072)
    blocks = config.layers("num_hidden_layers", default=12)
    function = config.word("hidden_act", default="gelu", known=FUNCTIONS)
    use_bias = config.flag("qkv_bias", True)
    image, patch = config.pair("image_size", 224), config.pair("patch_size", 16)
    channels = config.size("num_channels", default=3)
    pooled = config.size("pooler_output_size", default=hidden)
    pooler = config.word("pooler_act", default="tanh", known=FUNCTIONS)
    heads = Heads(config, hidden, default_heads=12, shared=False)
    config.only("pruned_heads", {})
    rows, columns = image[0] // patch[0], image[1] // patch[1]
    if not (rows and columns):
        raise config.error(f"an image of {image} has no patch of {patch}")
    patches = rows * columns

    base = "" if head == "base" else "vit."
    pixels = layers.Input((channels, *image), name="pixel_values")
    at = f"{base}embeddings"
    x = layers.Conv2D(
        hidden, patch, strides=patch, data_format="channels_first", name=f"{at}.patch_embeddings.projection"
    )(pixels)
    x = layers.Reshape((hidden, patches), name=f"{at}.flatten")(x)
    x = layers.Permute((2, 1), name=f"{at}.transpose")(x)
    x = ClassToken(name=f"{at}.cls_token")(x)
    x = add(x, PositionEmbedding(patches + 1, name=f"{at}.position_embeddings")(x), f"{at}.sum")
    for block in range(blocks):
        name = f"{base}layers.{block}"
        y = _norm(x, f"{name}.layernorm_before")
        q, k, v = (dense(y, hidden, f"{name}.attention.{part}_proj", use_bias) for part in "qkv")
        y = dense(heads.products([q, k, v], f"{name}.attention.products"), hidden, f"{name}.attention.o_proj")
        x = add(x, y, f"{name}.attention.sum")
        y = dense(_norm(x, f"{name}.layernorm_after"), units, f"{name}.mlp.fc1")
        y = dense(activate(y, function, f"{name}.mlp.activation_fn"), hidden, f"{name}.mlp.fc2")
        x = add(x, y, f"{name}.mlp.sum")
    x = _norm(x, f"{base}layernorm")
    if head == "base":
        y = dense(one_position(x, "pooler"), pooled, "pooler.dense")
        return [pixels], [x, activate(y, pooler, "pooler.activation")]
    y = one_position(x, "classifier")
    return [pixels], dense(y, config.labels(), "classifier")
