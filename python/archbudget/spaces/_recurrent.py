"""Language models of recurrent layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget import layers
from archbudget._expressions import Int
from archbudget._space import Space

if TYPE_CHECKING:
    from archbudget.layers._structure import BlockLike


def recurrent(vocabulary: int = 10_000, steps: int = 35) -> Space:
    """Language models that foretell the next word, with LSTMs or GRUs: 50,275,800 networks.

    After Zaremba, Sutskever and Vinyals, Recurrent neural network regularization, arXiv 1409.2329, whose medium and
    large networks are in it: two LSTMs, with all widths 650 and 1500. GRUs are Keras' own, with two biases. The
    decisions are the width of the `embedding`; the `cell`, `lstm` or `gru`; the `depth`, which is how many layers
    there are; and their `units_1, ..., units_4`.

    Args:
        vocabulary: How many words there are.
        steps: How many words are read; the MACs are those of all steps.
    """

    def stack(kind: type[layers.LSTM | layers.GRU]) -> BlockLike:
        def layer(number: int) -> BlockLike:
            return [kind(Int(f"units_{number}", 50, 1500, step=50), return_sequences=True), layers.Dropout(0.5)]

        return layers.Repeat(Int("depth", 1, 4), layer)

    return Space(
        [
            layers.Input((steps,)),
            layers.Embedding(vocabulary, Int("embedding", 50, 1500, step=50)),
            layers.Dropout(0.5),
            layers.OneOf("cell", {"lstm": stack(layers.LSTM), "gru": stack(layers.GRU)}),
            layers.Dense(vocabulary),
        ]
    )
