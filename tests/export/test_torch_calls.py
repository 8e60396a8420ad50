"""Options of calls in real PyTorch modules, held against Keras."""

from __future__ import annotations

from typing import Any

import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import SpaceError

torch = pytest.importorskip("torch")

from support.torch_networks import assert_same  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.keras]

ATTENTION = {
    "MultiHeadAttention": lambda: layers.MultiHeadAttention(2, 4, value_dim=3),
    "MultiHeadAttention, near": lambda: layers.MultiHeadAttention(2, 4, sliding_window=2, use_gate=True),
    "MultiHeadAttention, near, with dropout": lambda: layers.MultiHeadAttention(2, 4, dropout=0.5, sliding_window=2),
    "GroupQueryAttention, near, with dropout": lambda: layers.GroupQueryAttention(4, 4, 2, 0.5, sliding_window=2),
    "GroupQueryAttention": lambda: layers.GroupQueryAttention(4, 4, 2),
    "Attention": lambda: layers.Attention(use_scale=True),
    "Attention, sums": lambda: layers.Attention(score_mode="concat"),
    "AdditiveAttention": layers.AdditiveAttention,
}


@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("sides", [(5, 5), (3, 5), (5, 3)])
@pytest.mark.parametrize("kind", ATTENTION)
def test_attention_with_options_is_that_of_keras(kind: str, sides: tuple[int, int], causal: bool, scores: bool) -> None:
    query, value = layers.Input((sides[0], 8)), layers.Input((sides[1], 8))
    made = ATTENTION[kind]()([query, value], use_causal_mask=causal, return_attention_scores=scores)
    outputs = list(made) if scores else made
    assert_same(ab.Space(inputs=[query, value], outputs=outputs).architecture())


@pytest.mark.parametrize("kind", ATTENTION)
def test_a_causal_mask_joins_the_mask_of_a_sequence(kind: str) -> None:
    tokens = layers.Input((6,))
    x = layers.Embedding(3, 8, mask_zero=True)(tokens)
    y = ATTENTION[kind]()([x, x], use_causal_mask=True)
    assert_same(ab.Space(inputs=tokens, outputs=y).architecture())


@pytest.mark.parametrize("cap", [None, 2.0])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_the_way_back_of_an_embedding_is_that_of_keras(tied: bool, cap: float | None, masked: bool) -> None:
    tokens = layers.Input((5,))
    table = layers.ReversibleEmbedding(7, 4, tie_weights=tied, mask_zero=masked, logit_soft_cap=cap)
    x = layers.MultiHeadAttention(2, 3)(table(tokens), use_causal_mask=True)
    network = assert_same(ab.Space(inputs=tokens, outputs=table(x, reverse=True)).architecture())
    assert next(name for name, _ in network.named_children()) == "reversible_embedding"


def test_a_reversible_embedding_is_a_head_with_tied_weights() -> None:
    tokens = layers.Input((5,))
    table = layers.ReversibleEmbedding(7, 4)
    arch = ab.Space(inputs=tokens, outputs=table(layers.Dense(4)(table(tokens)), reverse=True)).architecture()
    embedding, body, head = torch.nn.Embedding(7, 4), torch.nn.Linear(4, 4), torch.nn.Linear(4, 7, bias=False)
    head.weight = embedding.weight
    tied = torch.nn.Sequential(embedding, body, head)
    assert arch.params == sum(each.numel() for each in tied.parameters()) == 28 + 20
    network = arch.to_torch()
    for mine, own in zip(network.parameters(), tied.parameters(), strict=True):
        own.data.copy_(mine.data)
    given = torch.tensor([[0, 1, 2, 6, 3]])
    torch.testing.assert_close(network(given), tied(given))


def test_one_layer_with_other_options_is_one_module() -> None:
    x = layers.Input((5, 8))
    attention: Any = layers.MultiHeadAttention(2, 4)
    y = attention(attention(x), use_causal_mask=True)
    network = assert_same(ab.Space(inputs=x, outputs=[y, attention(y)]).architecture())
    assert [name for name, _ in network.named_children()] == ["multi_head_attention"]


def test_a_causal_mask_over_several_axes_is_refused() -> None:
    x = layers.Input((3, 4, 8))
    arch = ab.Space(inputs=x, outputs=layers.MultiHeadAttention(2, 4)(x, use_causal_mask=True)).architecture()
    with pytest.raises(SpaceError, match="use_causal_mask=True has no equivalent in PyTorch"):
        arch.to_torch()
