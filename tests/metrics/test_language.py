"""Metrics of language models: by formulas that are written out here, and by networks of other lengths."""

from __future__ import annotations

import copy
import itertools
import pickle
from typing import Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers, metrics
from archbudget.errors import SpaceError
from archbudget.layers import transformers

WIDTH, HEADS, KEY_HEADS, UNITS = 24, 6, 2, 40


def network(tokens: int = 5, **changes: Any) -> ab.Space:
    given = {
        "width": WIDTH, "depth": 3, "heads": HEADS, "kv_heads": KEY_HEADS, "units": UNITS, "vocabulary": 50,
        "context": tokens, **changes,
    }  # fmt: skip
    return ab.spaces.transformer(**given)


def cost(space: ab.Space, metric: ab.Metric) -> int:
    return space.with_metrics([metric]).architecture().costs[metric.name]


def keras_attention(tokens: int) -> ab.Space:
    return ab.Space(
        [
            layers.Input((tokens, WIDTH)),
            layers.Residual(layers.MultiHeadAttention(4, 6, value_dim=5)),
            layers.Residual(layers.GroupQueryAttention(6, 4, 2)),
            layers.Dense(7),
        ]
    )


LATENT = {"kv_lora_rank": 10, "qk_nope_head_dim": 4, "qk_rope_head_dim": 2, "v_head_dim": 5, "q_lora_rank": 8}
CASES: list[tuple[str, Any]] = [
    ("shared heads", network),
    ("learned positions", lambda tokens: network(tokens, positions="learned", norm="layer", use_bias=True)),
    ("experts", lambda tokens: network(tokens, experts=4, experts_per_token=2, shared_experts=1)),
    ("latent", lambda tokens: network(tokens, kv_heads=None, latent=LATENT)),
    ("keras", keras_attention),
    ("llama", lambda tokens: ab.from_huggingface({**LLAMA, "model_type": "llama"}, sequence_length=tokens)),
    ("mixtral", lambda tokens: ab.from_huggingface({**LLAMA, "model_type": "mixtral"}, sequence_length=tokens)),
    ("gpt2", lambda tokens: ab.from_huggingface({**GPT2, "model_type": "gpt2"}, sequence_length=tokens)),
]
LLAMA = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 60,
}  # fmt: skip
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 60, "n_positions": 64}
MAKERS = [make for _, make in CASES]


@pytest.mark.parametrize("make", MAKERS, ids=[name for name, _ in CASES])
@pytest.mark.parametrize("context", [1, 7, 40])
def test_reading_costs_what_a_network_of_that_length_does(make: Any, context: int) -> None:
    assert cost(make(5), metrics.prefill_macs(context)) == make(context).architecture().macs


@pytest.mark.parametrize("make", MAKERS, ids=[name for name, _ in CASES])
def test_one_token_at_a_time_costs_what_a_triangle_does(make: Any) -> None:
    """The tokens one after the other see 1, 2, ..., 9 positions; at once all nine see nine."""
    alone = [cost(make(5), metrics.decode_macs(context)) for context in range(1, 10)]
    at_once = cost(make(5), metrics.prefill_macs(9))
    each = alone[1] - alone[0]
    assert [b - a for a, b in itertools.pairwise(alone)] == [each] * 8
    assert at_once - sum(alone) == each * (81 - 45)


def test_the_cache_has_the_heads_of_keys_and_values() -> None:
    head = WIDTH // HEADS
    assert cost(network(), metrics.kv_cache_bytes(100)) == 3 * 2 * KEY_HEADS * head * 100 * 2
    assert cost(network(window=30), metrics.kv_cache_bytes(100)) == 3 * 2 * KEY_HEADS * head * 30 * 2
    assert cost(network(), metrics.kv_cache_bytes(100, batch=3, bits=8)) == 3 * 2 * KEY_HEADS * head * 100 * 3
    assert cost(network(), metrics.kv_cache_bytes(1, bits=1)) == 3 * 2  # 16 bits are two bytes.
    assert cost(network(kv_heads=None, latent=LATENT), metrics.kv_cache_bytes(100)) == 3 * (10 + 2) * 100 * 2
    assert cost(keras_attention(5), metrics.kv_cache_bytes(10)) == (4 * (6 + 5) + 2 * 2 * 6) * 10 * 2


def test_experts_that_a_token_does_not_take_are_not_active() -> None:
    expert = 3 * WIDTH * UNITS
    space = network(experts=8, experts_per_token=3, shared_experts=2)
    assert cost(space, metrics.active_params()) == space.architecture().params - 3 * 5 * expert
    assert cost(network(), metrics.active_params()) == network().architecture().params
    flat = network(experts=8, experts_per_token=3, gated=False)
    assert cost(flat, metrics.active_params()) == flat.architecture().params - 3 * 5 * 2 * WIDTH * UNITS


@pytest.mark.parametrize("make", MAKERS, ids=[name for name, _ in CASES])
def test_a_format_without_blocks_has_its_bytes_for_each_weight(make: Any) -> None:
    params = make(5).architecture().params
    assert cost(make(5), metrics.quantized_bytes("float32")) == 4 * params
    assert cost(make(5), metrics.quantized_bytes("float16", other_bits=16)) == 2 * params


def test_rows_are_stored_in_whole_blocks() -> None:
    space = ab.Space([layers.Input((40,)), layers.Dense(6)])
    assert cost(space, metrics.quantized_bytes("q4_0")) == 6 * 2 * 18 + 6 * 4  # 40 weights are two blocks of 32.
    assert cost(space, metrics.quantized_bytes("q4_k")) == 6 * 144 + 6 * 4
    assert cost(space, metrics.quantized_bytes((4, 8, 16))) == 6 * 5 * (8 * 4 + 16) // 8 + 6 * 4
    inner = network(experts=4)
    matrices = 50 * 24 + 3 * ((24 + 16) * 24 + 24 * 24 + 4 * 24 + 4 * (2 * 40 * 24 + 24 * 40))
    arch = inner.architecture()
    assert cost(inner, metrics.quantized_bytes("int8")) == matrices + 4 * (arch.params - matrices)


def test_they_are_bounds_like_the_built_in_ones() -> None:
    space = ab.spaces.transformer(
        width=ab.Choice("width", [16, 24, 32]), depth=ab.Int("depth", 1, 3), heads=ab.Choice("heads", [2, 4]),
        kv_heads=ab.Choice("kv_heads", [1, 2]), units=64, vocabulary=50, context=8,
    ).with_metrics([metrics.kv_cache_bytes(100), metrics.decode_macs(100)])  # fmt: skip
    counted = space.evaluate(space[:], ["kv_cache_bytes", "decode_macs"])
    budget = ab.Budget(custom={"kv_cache_bytes": 12_000, "decode_macs": 30_000})
    inside = (counted["kv_cache_bytes"] <= 12_000) & (counted["decode_macs"] <= 30_000)
    assert 0 < space.within(budget).count() == inside.sum() < len(inside)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int64])
def test_sizes_of_numpy_are_what_they_stand_for(kind: type[np.signedinteger]) -> None:
    sizes = {"width": 120, "depth": 2, "heads": 4, "kv_heads": 2, "units": 100, "vocabulary": 90, "context": 7}
    made = ab.spaces.transformer(**sizes)
    assert ab.spaces.transformer(**{name: kind(size) for name, size in sizes.items()}) == made
    assert cost(made, metrics.kv_cache_bytes(kind(120), kind(3), kind(16))) == cost(
        made, metrics.kv_cache_bytes(120, 3, 16)
    )
    assert cost(made, metrics.quantized_bytes((kind(4), kind(120), kind(16)))) == cost(
        made, metrics.quantized_bytes((4, 120, 16))
    )
    assert ab.scale(kind(1), kind(2), divisor=kind(8)).widths(120) == ab.scale(1, 2, divisor=8).widths(120)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: metrics.kv_cache_bytes(0), "context must be an integer of at least 1, not 0"),
        (lambda: metrics.kv_cache_bytes(1.5), r"context must be an integer of at least 1, not 1\.5"),
        (lambda: metrics.kv_cache_bytes(5, bits=0), "bits must be an integer of at least 1, not 0"),
        (lambda: metrics.decode_macs("8"), "context must be an integer of at least 1, not '8'"),
        (lambda: metrics.quantized_bytes("q4"), "format must be .* not 'q4'"),
        (lambda: metrics.quantized_bytes((4, 0, 16)), "group must be an integer of at least 1, not 0"),
        (lambda: metrics.quantized_bytes(4), r"format must be .* not 4"),
    ],
)
def test_bad_input_is_one_line(make: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


OTHER_POSITIONS: list[tuple[str, Any]] = [
    ("a convolution without padding", lambda: [layers.Conv1D(6, 3)]),
    ("a convolution with strides", lambda: [layers.Conv1D(6, 3, strides=2, padding="same")]),
    ("a transposed convolution", lambda: [layers.Conv1DTranspose(6, 3, strides=2)]),
    ("the last state", lambda: [layers.LSTM(6)]),
    ("the last states of both ways", lambda: [layers.Bidirectional(layers.GRU(6))]),
    ("a long vector", lambda: [layers.Flatten(), layers.Dense(6)]),
    ("a reshaped vector", lambda: [layers.Reshape((-1,)), layers.Dense(6)]),
    ("channels as positions", lambda: [layers.Permute((2, 1)), layers.Dense(6)]),
    ("an equation of positions", lambda: [layers.EinsumDense("abc,bd->adc", (8, 8))]),
    ("an equation that moves positions", lambda: [layers.EinsumDense("abc,cd->adb", (8, 8))]),
    ("parts of positions", lambda: [layers.Reshape((-1, 4)), layers.Dense(6)]),
    ("pooling", lambda: [layers.MaxPooling1D(2), layers.Dense(6)]),
    ("a mean of channels", lambda: [layers.GlobalAveragePooling1D(data_format="channels_first"), layers.Dense(6)]),
    ("a mean that is a position", lambda: [layers.GlobalAveragePooling1D(keepdims=True), layers.Dense(6)]),
    ("a row more", lambda: [layers.ZeroPadding1D((1, 0)), layers.Dense(6)]),
    ("a row less", lambda: [layers.Cropping1D((1, 0)), layers.Dense(6)]),
    ("rows twice", lambda: [layers.UpSampling1D(2), layers.Dense(6)]),
    ("rows of a vector", lambda: [layers.GlobalMaxPooling1D(), layers.RepeatVector(8), layers.Dense(6)]),
    ("a vector that is divided", lambda: [layers.GlobalMaxPooling1D(), layers.Reshape((8, 1)), layers.Dense(6)]),
    ("attention behind a pooling", lambda: [layers.MaxPooling1D(2), layers.MultiHeadAttention(2, 4)]),
]


@pytest.mark.parametrize("make", [make for _, make in OTHER_POSITIONS], ids=[name for name, _ in OTHER_POSITIONS])
@pytest.mark.parametrize("metric", [metrics.prefill_macs, metrics.decode_macs])
def test_networks_whose_positions_change_are_refused(make: Any, metric: Any) -> None:
    """What they cost at another length is no multiple of what they cost at this one."""
    with pytest.raises(SpaceError, match=r"makes other positions|not known to work position by position"):
        cost(ab.Space([layers.Input((8, 8)), *make()]), metric(64))


def test_caches_of_other_positions_are_refused() -> None:
    pooled = ab.Space([layers.Input((8, 8)), layers.MaxPooling1D(2), layers.MultiHeadAttention(2, 4)])
    with pytest.raises(SpaceError, match=r"layer 'max_pooling1d' \(MaxPooling1D\) makes other positions"):
        cost(pooled, metrics.kv_cache_bytes(64))


KEPT_POSITIONS: list[tuple[str, Any]] = [
    ("a mean", lambda _: [layers.Dense(6), layers.GlobalAveragePooling1D(), layers.Dense(3)]),
    ("heads", lambda _: [layers.Reshape((-1, 2, 4)), layers.Dense(6), layers.Permute((1, 3, 2)), layers.Dense(3)]),
    ("an equation", lambda tokens: [layers.EinsumDense("abc,cd->abd", (tokens, 4)), layers.Dense(6)]),
    ("an equation of the last axis", lambda _: [layers.EinsumDense("...x,xy->...y", (4,)), layers.Dense(6)]),
    ("layers at each position", lambda _: [layers.Reshape((-1, 4, 2)), layers.TimeDistributed(layers.LSTM(3))]),
]


@pytest.mark.parametrize("make", [make for _, make in KEPT_POSITIONS], ids=[name for name, _ in KEPT_POSITIONS])
@pytest.mark.parametrize("tokens", [1, 8])
def test_networks_whose_positions_stay_cost_what_longer_ones_do(make: Any, tokens: int) -> None:
    space = ab.Space([layers.Input((tokens, 8)), *make(tokens)])
    longer = ab.Space([layers.Input((64, 8)), *make(64)])
    assert cost(space, metrics.prefill_macs(64)) == longer.architecture().macs


def test_layers_that_mix_positions_are_refused() -> None:
    mixing = ab.Space([layers.Input((8, 4)), layers.Conv1D(6, 3, padding="same")])
    with pytest.raises(SpaceError, match=r"layer 'conv1d' \(Conv1D\) is not known to work position by position"):
        cost(mixing, metrics.decode_macs(8))
    query, value = layers.Input((8, 4)), layers.Input((6, 4))
    cross = ab.Space(inputs=[query, value], outputs=layers.MultiHeadAttention(2, 2)(query, value))
    with pytest.raises(SpaceError, match="looks at a sequence of another length"):
        cost(cross, metrics.kv_cache_bytes(8))


def test_layers_of_transformers_say_their_shapes() -> None:
    space = ab.Space([layers.Input((5, WIDTH)), transformers.SelfAttention(HEADS, head_norms=True)])
    assert space.architecture().params == 4 * WIDTH * WIDTH + 2 * (WIDTH // HEADS)


MADE = [
    metrics.kv_cache_bytes(100, batch=3, bits=8, name="cache"),
    metrics.prefill_macs(100),
    metrics.decode_macs(100),
    metrics.active_params(),
    metrics.quantized_bytes("q4_0"),
    metrics.quantized_bytes((4, 32, 16), other_bits=16),
]


@pytest.mark.parametrize("metric", MADE, ids=repr)
def test_a_space_with_them_can_be_sent_and_saved(metric: ab.Metric) -> None:
    """Workers on other machines are sent a space by pickle, and a search compares the one that it is given."""
    space = network(depth=ab.Int("depth", 1, 3), experts=4).with_metrics([metric])
    wanted = space.evaluate(space[:])[metric.name].tolist()
    for other in (pickle.loads(pickle.dumps(space)), copy.deepcopy(space), ab.Space.from_yaml(space.to_yaml())):
        assert other == space
        assert other.evaluate(other[:])[metric.name].tolist() == wanted


def test_equal_metrics_count_the_same() -> None:
    assert metrics.kv_cache_bytes(100) == metrics.kv_cache_bytes(100)
    assert metrics.kv_cache_bytes(100) != metrics.kv_cache_bytes(101)
    assert metrics.prefill_macs(100, name="macs_of") != metrics.decode_macs(100, name="macs_of")
