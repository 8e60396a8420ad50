"""Metrics of language models: experts that work, caches, tokens, and weights in the formats of quantisation.

They are exact sums over layers, and know attention by the types of its layers: `SelfAttention` and `LatentAttention` of
`archbudget.layers.transformers`, `MultiHeadAttention` and `GroupQueryAttention` of Keras, and the attention of networks
that `from_huggingface` reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from archbudget._expressions import builtin
from archbudget._guard import guarded
from archbudget._message import listed, show, with_nearest
from archbudget.errors import SpaceError
from archbudget.metrics._metric import Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from archbudget._records import LayerRecord


class _Attention(NamedTuple):
    """What is asked about the attention of a layer on its own input."""

    kept: int
    """The numbers that are kept of a position for later ones."""
    pairs: int
    """The multiply-accumulates of one position that sees another one."""
    window: int | None = None
    """How many positions one sees; `None` for all."""


def _heads(layer: LayerRecord) -> _Attention:
    """Multi-head attention of Keras."""
    given = layer.arguments
    size = given["num_heads"] * (given["key_dim"] + (given.get("value_dim") or given["key_dim"]))
    return _Attention(size, size)


def _grouped(layer: LayerRecord) -> _Attention:
    """Attention of Keras whose heads share keys and values."""
    given = layer.arguments
    size = 2 * given["head_dim"]
    window = layer.other_arguments.get("sliding_window", given.get("sliding_window"))
    return _Attention(given["num_key_value_heads"] * size, given["num_query_heads"] * size, window)


def _causal(layer: LayerRecord) -> _Attention:
    """`SelfAttention` of `archbudget.layers.transformers`."""
    given, heads = layer.arguments, layer.arguments["num_heads"]
    size = 2 * (given.get("head_dim") or layer.input_shapes[0][-1] // heads)
    shared = given.get("num_key_value_heads") or heads
    return _Attention(shared * size, heads * size, given.get("sliding_window"))


def _latent(layer: LayerRecord) -> _Attention:
    """`LatentAttention` of `archbudget.layers.transformers`."""
    given = layer.arguments
    key = given["qk_nope_head_dim"] + given["qk_rope_head_dim"]
    kept = given["kv_lora_rank"] + given["qk_rope_head_dim"]
    return _Attention(kept, given["num_heads"] * (key + given["v_head_dim"]))


def _products(layer: LayerRecord) -> _Attention:
    """The attention of imported networks, whose projections are layers of their own."""
    given = layer.arguments
    heads, shared = given["num_heads"], given["num_key_value_heads"]
    query = layer.output_shape[-1]
    return _Attention(2 * (query // heads) * shared, 2 * query)


_ATTENTION: Mapping[str, Callable[[LayerRecord], _Attention]] = {
    "AttentionProducts": _products,
    "GroupQueryAttention": _grouped,
    "LatentAttention": _latent,
    "MultiHeadAttention": _heads,
    "SelfAttention": _causal,
}


def _keeps_positions(layer: LayerRecord) -> bool:
    """Whether the positions of a sequence, the first axis, stay what they are, or are gone behind the layer.

    A vector has no positions: what stands behind the whole sequence does not grow with it.
    """
    before = max((len(shape) for shape in layer.input_shapes), default=0)
    after = len(layer.output_shape)
    if before == 0 or layer.type == "InputChoice":
        return True
    first = max(shape[0] for shape in layer.input_shapes if len(shape) == before)
    if layer.type == "Permute":
        return bool(layer.arguments["dims"][0] == 1)
    if layer.type == "EinsumDense":
        return before < 2 or _einsum_keeps_positions(layer)
    if before == 1:
        made = after > 1 and layer.type in ("RepeatVector", "Reshape")
        return not made and (after < 2 or layer.output_shape[0] == first)
    if after > 1:
        return layer.output_shape[0] == first and not layer.arguments.get("keepdims", False)
    return after == 0 or (
        layer.type not in ("Flatten", "Reshape") and layer.arguments.get("data_format") != "channels_first"
    )


def _einsum_keeps_positions(layer: LayerRecord) -> bool:
    """Whether the first axis goes through an `EinsumDense` as it is, or is one that its equation does not name."""
    elided, *axes = layer.arguments["equation"]
    sides = len(axes) // 3  # Those of the input, and twice as many of the kernel.
    read, kernel = axes[:sides], axes[sides:]
    named = sum(axis is not None for axis in read)
    return (elided == 1 and len(layer.input_shapes[0]) > named) or (read[0] == 0 and 0 not in kernel)


def _attention(layer: LayerRecord, metric: str) -> _Attention | None:
    """The attention of a layer; `None` if it has none.

    Raises:
        SpaceError: If it looks at another sequence than its own, or the positions behind it are others than before it.
    """
    if not _keeps_positions(layer):
        raise SpaceError(
            f"{metric}: layer '{layer.name}' ({layer.type}) makes other positions of those of its input, so that "
            "what stands behind it cannot be counted for another length"
        )
    told = _ATTENTION.get(layer.type)
    if told is None:
        return None
    sides = {shape[0] for shape in layer.input_shapes if len(shape) == 2}
    if len(sides) != 1:
        raise SpaceError(f"{metric}: layer '{layer.name}' looks at a sequence of another length than its own")
    return told(layer)


@guarded
def kv_cache_bytes(context: int, batch: int = 1, bits: int = 16, *, name: str = "kv_cache_bytes") -> Metric:
    """The metric of the bytes of the keys and values that are kept while text is generated.

    Each layer of attention keeps, for each position, keys and values of its heads that have their own:
    `2 * num_key_value_heads * head_dim` numbers; of latent attention `kv_lora_rank + qk_rope_head_dim` (DeepSeek-V2,
    arXiv 2405.04434). A layer with a sliding window keeps at most so many positions. (Windows in the configuration
    that `from_huggingface` reads are not known here: such a model is counted as if each position saw all, which is an
    upper bound.) Exact, for caches that hold nothing else; runtimes that reserve pages keep up to a page a sequence
    more.

    Args:
        context: The positions of each sequence.
        batch: The sequences.
        bits: The bits of a number; the bytes of a layer are rounded up.
        name: The name of the metric.

    Raises:
        SpaceError: If a number is not an integer of at least 1; while a space is compiled, if attention looks at
            another sequence than its own, or a layer makes other positions of those of its input, as a pooling does.

    Example:
        >>> import archbudget as ab
        >>> llama = ab.from_huggingface({"model_type": "llama"}, sequence_length=1)
        >>> cache = ab.metrics.kv_cache_bytes(context=4096)
        >>> llama.with_metrics([cache]).architecture().costs["kv_cache_bytes"]
        2147483648
    """
    context, batch, bits = _whole(name, context=context, batch=batch, bits=bits)

    return Metric(name, _Cache(name, context, batch, bits))


@guarded
def prefill_macs(context: int, *, name: str = "prefill_macs") -> Metric:
    """The metric of the multiply-accumulates that it takes to read a text of so many tokens at once.

    It is the `macs` of the same network with an input of `context` tokens, so that one space answers for all lengths.
    All scores are counted, also those that a causal mask or a window hides.

    Args:
        context: The number of tokens.
        name: The name of the metric.

    Raises:
        SpaceError: If `context` is not an integer of at least 1; while a space is compiled, if a layer mixes positions
            in another way than attention does, or makes other positions of them, as a pooling does.

    Example:
        >>> import archbudget as ab
        >>> short = ab.from_huggingface({"model_type": "gpt2"}, sequence_length=8)
        >>> long = ab.from_huggingface({"model_type": "gpt2"}, sequence_length=512)
        >>> counted = short.with_metrics([ab.metrics.prefill_macs(512)]).architecture().costs["prefill_macs"]
        >>> counted == long.architecture().macs
        True
    """
    (context,) = _whole(name, context=context)
    return Metric(name, _Prefill(name, context))


@guarded
def decode_macs(context: int, *, name: str = "decode_macs") -> Metric:
    """The metric of the multiply-accumulates of one more token, behind `context - 1` whose keys and values are kept.

    Everything is done for one position, and it sees `context` positions; in a window, but for those of
    `from_huggingface`, at most so many. Latent attention
    is counted as it is written, with keys and values made of what is kept for the new position only.

    Args:
        context: The positions that the token sees, itself among them.
        name: The name of the metric.

    Raises:
        SpaceError: As for `prefill_macs`.

    Example:
        >>> import archbudget as ab
        >>> space = ab.from_huggingface({"model_type": "gpt2"}, sequence_length=8)
        >>> space.with_metrics([ab.metrics.decode_macs(1)]).architecture().costs["decode_macs"]
        123550464
    """
    (context,) = _whole(name, context=context)
    return Metric(name, _Decode(name, context))


def _macs(layer: LayerRecord, metric: str, positions: int, seen: int) -> int:
    """The multiply-accumulates of a layer on so many new positions, of which each sees some."""
    found = _attention(layer, metric)
    if not layer.macs:
        return 0
    if max(map(len, layer.input_shapes), default=0) < 2:
        return int(layer.macs)  # Behind the sequence, such as a classifier.
    tokens = layer.input_shapes[0][0]
    pairs = 0 if found is None else found.pairs
    alone, rest = divmod(layer.macs - pairs * tokens * tokens, tokens)
    if rest or alone < 0 or (found is None and layer.type not in _BY_POSITION):
        raise SpaceError(
            f"{metric}: layer '{layer.name}' ({layer.type}) is not known to work position by position; it can be "
            f"counted where it is one of {listed(sorted({*_BY_POSITION, *_ATTENTION}))}"
        )
    window = None if found is None else found.window
    return positions * (int(alone) + pairs * (seen if window is None or positions > 1 else min(seen, window)))


_BY_POSITION = frozenset(
    {"Dense", "EinsumDense", "MixtureOfExperts", "ReversibleEmbedding", "TopKExperts", "TimeDistributed"}
)
"""Layers with multiply-accumulates that do the same at each position of a sequence."""


_UNITS = {"MixtureOfExperts": "units", "TopKExperts": "intermediate_size"}
"""What layers of experts call the hidden units of one."""


def _units(layer: LayerRecord) -> tuple[int, int]:
    """The hidden units of an expert, and the columns of its first matrix, twice as many where it is gated."""
    units = layer.arguments[_UNITS[layer.type]]
    return units, (2 if layer.arguments.get("gated", True) else 1) * units


@guarded
def active_params(*, name: str = "active_params") -> Metric:
    """The metric of the weights that work on one token: all but those of experts that it does not take.

    Example:
        >>> import archbudget as ab
        >>> mixtral = ab.from_huggingface({"model_type": "mixtral"}, sequence_length=1)
        >>> mixtral.with_metrics([ab.metrics.active_params()]).architecture().costs["active_params"]
        12879925248
    """
    return Metric(name, _Active(name))


FORMATS: Mapping[str, tuple[int, int]] = {
    "float32": (1, 4),
    "float16": (1, 2),
    "bfloat16": (1, 2),
    "int8": (1, 1),
    "q8_0": (32, 34),
    "q4_0": (32, 18),
    "q4_1": (32, 20),
    "q5_0": (32, 22),
    "q5_1": (32, 24),
    "q2_k": (256, 84),
    "q3_k": (256, 110),
    "q4_k": (256, 144),
    "q5_k": (256, 176),
    "q6_k": (256, 210),
    "iq4_nl": (32, 18),
    "mxfp4": (32, 17),
}
"""The weights and the bytes of a block of each format; the blocks of GGUF are those of ggml's `ggml-common.h`."""


@guarded
def quantized_bytes(
    format: str | tuple[int, int, int],  # noqa: A002  # The field's word.
    *,
    other_bits: int = 32,
    name: str = "quantized_bytes",
) -> Metric:
    """The metric of the bytes of weights whose matrices are stored in blocks of quantised numbers.

    Matrices of `Dense`, embeddings, attention and experts are stored row by row, a row for each output (for each word
    of an embedding), each row in whole blocks. Biases, the weights of norms, and all weights of other layers have
    `other_bits` each. llama.cpp stores a row whose length is no multiple of the block in another format; here it is
    rounded up to blocks. The header of a file is not counted.

    Args:
        format: `float32`, `float16`, `bfloat16`, `int8`, one of the formats of GGUF such as `q4_0` or `q4_k`, or
            `(bits, group, scale_bits)`: groups of numbers with a scale (and a zero point, in its bits) each, as in GPTQ
            and AWQ.
        other_bits: The bits of each other weight.
        name: The name of the metric.

    Raises:
        SpaceError: If there is no such format, or a number is not an integer of at least 1.

    Example:
        >>> import archbudget as ab
        >>> llama = ab.from_huggingface({"model_type": "llama"}, sequence_length=1)
        >>> sized = llama.with_metrics([ab.metrics.quantized_bytes("q4_0")]).architecture()
        >>> round(sized.costs["quantized_bytes"] * 8 / sized.params, 2)
        4.5
    """
    if isinstance(format, (tuple, list)) and len(format) == 3:
        bits, group, scale = format
        bits, group = _whole(name, bits=bits, group=group)
        (scale,) = _whole(name, least=0, scale_bits=scale)
        format = (bits, group, scale)  # noqa: A001
    elif not isinstance(format, str) or format not in FORMATS:
        shown = with_nearest(format, FORMATS) if isinstance(format, str) else show(format)
        raise SpaceError(f"{name}: format must be (bits, group, scale_bits) or one of {listed(FORMATS)}, not {shown}")
    (other_bits,) = _whole(name, other_bits=other_bits)
    return Metric(name, _Stored(name, format, other_bits))


@dataclass(frozen=True)
class LanguageRule:
    """What a metric counts of a layer: a function that pickle writes, and space files by the arguments of its maker."""

    MAKER: ClassVar[str]
    """The function of `archbudget.metrics` whose arguments the fields are."""
    name: str
    """The name of the metric."""


@dataclass(frozen=True)
class _Cache(LanguageRule):
    MAKER = "kv_cache_bytes"
    context: int
    batch: int
    bits: int

    def __call__(self, layer: LayerRecord) -> int:
        found = _attention(layer, self.name)
        if found is None:
            return 0
        positions = self.context if found.window is None else min(self.context, found.window)
        return -(-self.batch * positions * found.kept * self.bits // 8)


@dataclass(frozen=True)
class _Prefill(LanguageRule):
    MAKER = "prefill_macs"
    context: int

    def __call__(self, layer: LayerRecord) -> int:
        return _macs(layer, self.name, self.context, self.context)


@dataclass(frozen=True)
class _Decode(LanguageRule):
    MAKER = "decode_macs"
    context: int

    def __call__(self, layer: LayerRecord) -> int:
        return _macs(layer, self.name, 1, self.context)


@dataclass(frozen=True)
class _Active(LanguageRule):
    MAKER = "active_params"

    def __call__(self, layer: LayerRecord) -> int:
        if layer.type not in _UNITS or layer.reused:
            return layer.params
        given = layer.arguments
        units, inner = _units(layer)
        expert = layer.input_shapes[0][-1] * (inner + units)
        return int(layer.params - (given["num_experts"] - given["experts_per_token"]) * expert)


@dataclass(frozen=True)
class _Stored(LanguageRule):
    MAKER = "quantized_bytes"
    format: str | tuple[int, int, int]
    other_bits: int

    def __call__(self, layer: LayerRecord) -> int:
        if layer.params == 0:
            return 0
        if isinstance(self.format, str):
            block, block_bytes = FORMATS[self.format]
            block_bits = 8 * block_bytes
        else:
            bits, block, scale = self.format
            block_bits = block * bits + scale
        rows = _rows(layer)
        inside = sum(number * length for number, length in rows)
        stored = sum(number * -(-length // block) * block_bits for number, length in rows)
        return -(-(stored + (layer.params - inside) * self.other_bits) // 8)


def _rows(layer: LayerRecord) -> list[tuple[int, int]]:
    """The matrices of a layer: the number of rows, and the weights of each."""
    given = layer.arguments
    features = layer.input_shapes[0][-1] if layer.input_shapes and layer.input_shapes[0] else 0
    if layer.type == "Dense":
        return [(given["units"], features)]
    if layer.type in ("Embedding", "ReversibleEmbedding"):
        tied = given.get("tie_weights", True) or layer.type == "Embedding"
        return [(given["input_dim"], given["output_dim"])] * (1 if tied else 2)
    if layer.type == "SelfAttention":
        found = _causal(layer)
        query = found.pairs // 2
        return [(query + found.kept, features), (features, query)]
    if layer.type == "LatentAttention":
        heads, rank = given["num_heads"], given["kv_lora_rank"]
        query = heads * (given["qk_nope_head_dim"] + given["qk_rope_head_dim"])
        first = given.get("q_lora_rank")
        return [
            *([(query, features)] if first is None else [(first, features), (query, first)]),
            (rank + given["qk_rope_head_dim"], features),
            (heads * (given["qk_nope_head_dim"] + given["v_head_dim"]), rank),
            (features, heads * given["v_head_dim"]),
        ]
    if layer.type in _UNITS:
        units, inner = _units(layer)
        number = given["num_experts"] + given.get("shared_experts", 0)
        router = [(given["num_experts"], features)] if layer.type == "MixtureOfExperts" else []
        return [*router, (number * inner, features), (number * features, units)]
    if layer.type == "MultiHeadAttention":
        heads, key = given["num_heads"], given["key_dim"]
        value = given.get("value_dim") or key
        if len({shape[-1] for shape in layer.input_shapes}) == 1 and prod(layer.output_shape[1:]) == features:
            return [(heads * (2 * key + value), features), (features, heads * value)]
    if layer.type == "GroupQueryAttention" and len({shape[-1] for shape in layer.input_shapes}) == 1:
        query, key = (given[each] * given["head_dim"] for each in ("num_query_heads", "num_key_value_heads"))
        gate = query if given.get("use_gate") else 0
        return [(query + gate + 2 * key, features), (features, query)]
    return []


def _whole(metric: str, least: int = 1, **given: object) -> list[int]:
    """Integers of Python of at least so much; refuses what is none."""
    found = []
    for name, value in given.items():
        number = builtin(value)
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise SpaceError(f"{metric}: {name} must be an integer of at least {least}, not {show(value)}")
        found.append(number)
    return found
