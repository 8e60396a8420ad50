"""The networks that AutoFormer's authors found are in its space, with their counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archbudget as ab
from archbudget import spaces
from archbudget.errors import InvalidArchitectureError, SpaceError
from archbudget.spaces._relative_attention import RelativeAttention, lookups

FOUND = {
    "tiny": (
        192,
        [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 3, 3],
        [3.5, 3.5, 3.0, 3.5, 3.0, 3.0, 4.0, 4.0, 3.5, 4.0, 3.5, 4.0, 3.5],
    ),
    "small": (
        384,
        [6, 6, 5, 7, 5, 5, 5, 6, 6, 7, 7, 6, 7],
        [3.0, 3.5, 3.0, 3.5, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 3.5, 4.0],
    ),
    "base": (
        576,
        [9, 9, 9, 9, 9, 10, 9, 9, 10, 9, 10, 9, 9, 10],
        [3.5, 3.5, 4.0, 3.5, 4.0, 3.5, 3.5, 3.0, 4.0, 4.0, 3.0, 4.0, 3.0, 3.5],
    ),
}
"""The embedding dimension, the heads and the ratios of AutoFormer-T, -S and -B."""


def found(supernet: str) -> ab.Architecture:
    dim, heads, ratios = FOUND[supernet]
    values = {f"num_heads_{block}": number for block, number in enumerate(heads, 1)}
    values |= {f"mlp_ratio_{block}": ratio for block, ratio in enumerate(ratios, 1)}
    return spaces.autoformer(supernet).architecture(values, embed_dim=dim, depth=len(heads))


@pytest.mark.parametrize("supernet", FOUND)
def test_a_network_by_hand(supernet: str) -> None:
    dim, heads, ratios = FOUND[supernet]
    tokens = 14 * 14 + 1
    params = (16 * 16 * 3 + 1) * dim + (1 + tokens) * dim + 2 * dim + (dim + 1) * 1000
    macs = 14 * 14 * 16 * 16 * 3 * dim + dim * 1000
    for number, ratio in zip(heads, ratios, strict=True):
        inner, hidden = 64 * number, int(ratio * dim)
        params += 2 * 2 * dim + 3 * (dim + 1) * inner + (inner + 1) * dim + (dim + 1) * hidden + (hidden + 1) * dim
        params += 2 * 2 * (2 * 14 + 2) * 64  # For keys and for values, by rows and by columns.
        macs += tokens * (4 * dim * inner + 2 * dim * hidden) + 2 * 2 * tokens * tokens * inner
    arch = found(supernet)
    assert (arch.params, arch.macs) == (params, macs)


@pytest.mark.parametrize(("supernet", "params"), [("tiny", 5_867_944), ("small", 22_891_432), ("base", 53_691_688)])
def test_a_network_has_the_published_parameters(supernet: str, params: int) -> None:
    # The authors' page has 5.8 (rounded down), 22.9 and 53.7 million; the paper says 5.7 of the first.
    arch = found(supernet)
    assert arch.params == arch.trainable_params == params


def test_relative_positions_reach_no_farther_than_their_tables() -> None:
    near, far = (spaces.autoformer(resolution=side).range("params") for side in (224, 448))
    positions = 28 * 28 - 14 * 14  # Only those of the position embedding are more.
    assert [high - low for low, high in zip(near, far, strict=True)] == [positions * 192, positions * 240]


@pytest.mark.parametrize(
    ("supernet", "heads", "depths"), [("tiny", 2, (12, 13, 14)), ("small", 3, (12, 13, 14)), ("base", 3, (14, 15, 16))]
)
def test_the_size(supernet: str, heads: int, depths: tuple[int, ...]) -> None:
    assert spaces.autoformer(supernet).size == 3 * sum((heads * 3) ** depth for depth in depths)


def test_random_networks_are_what_keras_builds() -> None:
    pytest.importorskip("keras")
    for arch in spaces.autoformer(num_classes=10).sample(3, seed=0):
        assert arch.to_keras().count_params() == arch.params, dict(arch)


def test_the_class_token_and_the_positions_do_not_depend_on_the_image() -> None:
    keras = pytest.importorskip("keras")
    model = spaces.autoformer(resolution=32, num_classes=10).sample(1, seed=0)[0].to_keras()
    tokens = keras.Model(model.inputs, [layer.output for layer in model.layers if layer.name.startswith("embedding")])
    one, other = (tokens(np.full((1, 32, 32, 3), value, np.float32)) for value in (-3.0, 7.0))
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)


def test_another_supernet_is_refused() -> None:
    with pytest.raises(SpaceError, match="supernet must be one of tiny, small, base, not 'large'"):
        spaces.autoformer("large")


# The attention with relative positions.


def test_lookups_are_the_distances_in_rows_and_columns() -> None:
    side, most = 4, 2
    rows, columns = lookups(side * side + 1, most)
    for table, part in ((rows, 0), (columns, 1)):
        assert table.shape == (17, 17)
        assert not table[0].any()
        assert not table[:, 0].any()
        for query in range(side * side):
            for key in range(side * side):
                distance = divmod(key, side)[part] - divmod(query, side)[part]
                assert table[query + 1, key + 1] == max(-most, min(most, distance)) + most + 1


def test_attention_in_keras_is_that_of_its_formula(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    heads, size, tokens = 2, 3, 5
    space = ab.Space([ab.layers.Input((tokens, 6)), RelativeAttention(heads, size, max_distance=1)])
    model = space.architecture().to_keras()
    assert model.count_params() == space.architecture().params
    noise = np.random.default_rng(0)
    model.set_weights([noise.normal(size=weight.shape) for weight in model.get_weights()])
    weights = {weight.path.split("/", 1)[1]: np.asarray(weight) for weight in model.weights}
    x = noise.normal(size=(2, tokens, 6)).astype(np.float32)
    found = np.asarray(model(x))
    rows, columns = lookups(tokens, 1)
    for batch in range(2):
        qkv = (x[batch] @ weights["qkv/kernel"] + weights["qkv/bias"]).reshape(tokens, 3, heads, size)
        seen = np.zeros((tokens, heads, size))
        for head in range(heads):
            for query in range(tokens):
                of, at = rows[query], columns[query]
                keys = qkv[:, 1, head] + weights["key_rows"][of] + weights["key_columns"][at]
                values = qkv[:, 2, head] + weights["value_rows"][of] + weights["value_columns"][at]
                scores = np.exp(keys @ qkv[query, 0, head] / np.sqrt(size))
                seen[query, head] = scores / scores.sum() @ values
        expected = seen.reshape(tokens, -1) @ weights["proj/kernel"] + weights["proj/bias"]
        np.testing.assert_allclose(found[batch], expected, rtol=1e-4, atol=1e-5)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(found, np.asarray(keras.models.load_model(tmp_path / "model.keras")(x)))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((6, 6), "tokens must be one and those of a square image, not 6"),
        ((5, 2, 6), r"must be .tokens, features., not .5, 2, 6."),
    ],
)
def test_tokens_that_are_not_a_square_image_are_refused(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        ab.Space([ab.layers.Input(shape), RelativeAttention(2)])
