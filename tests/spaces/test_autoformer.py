"""The networks that AutoFormer's authors found are in its space, with their counts less the relative positions."""

from __future__ import annotations

import numpy as np
import pytest

import archbudget as ab
from archbudget import spaces
from archbudget.errors import SpaceError

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
        macs += tokens * (4 * dim * inner + 2 * dim * hidden) + 2 * tokens * tokens * inner
    arch = found(supernet)
    assert (arch.params, arch.macs) == (params, macs)


@pytest.mark.parametrize(("supernet", "params"), [("tiny", 5_867_944), ("small", 22_891_432), ("base", 53_691_688)])
def test_a_network_with_relative_positions_has_the_published_parameters(supernet: str, params: int) -> None:
    # The authors' page has 5.8 (rounded down), 22.9 and 53.7 million; the paper says 5.7 of the first.
    arch = found(supernet)
    assert arch.params + 4 * (2 * 14 + 2) * 64 * arch["depth"] == params


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
