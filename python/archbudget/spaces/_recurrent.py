"""Language models of recurrent layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget import layers
from archbudget._expressions import Int
from archbudget._guard import guarded
from archbudget.space.space import Space

if TYPE_CHECKING:
    from archbudget.layers._arguments import Flag
    from archbudget.layers._structure import BlockLike


@guarded
def recurrent(
    vocabulary: int = 10_000, steps: int = 35, *, bidirectional: Flag = False, two_biases: Flag = False
) -> Space:
    """Language models that predict the next word, with LSTMs or GRUs: 50,275,800 networks.

    After Zaremba, Sutskever and Vinyals, Recurrent neural network regularization, arXiv 1409.2329, whose medium and
    large networks are in it: two LSTMs, with all widths 650 and 1500. The decisions are the width of the `embedding`;
    the `cell`, `lstm` or `gru`; the `depth`, which is how many layers there are; and their `units_1, ..., units_4`.

    With `two_biases` the layers are those of `torch.nn`, weight for weight.

    Args:
        vocabulary: How many words there are.
        steps: How many words are read; the MACs are those of all steps.
        bidirectional: Whether each layer walks in both directions and puts both outputs side by side, or a decision:
            for labelling words, as the next one would be known. Keras has no such layers; PyTorch has.
        two_biases: Whether an LSTM has the two bias vectors of PyTorch's, where Keras' and the paper's has one, or a
            decision. A GRU has two in both.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.recurrent()
        >>> space.size, space.range("params")
        (50275800, (1025300, 102034000))
    """

    def layer(kind: str, number: int) -> list[BlockLike]:
        units = Int(f"units_{number}", 50, 1500, step=50)
        made: BlockLike
        if kind == "lstm":
            made = layers.LSTM(units, return_sequences=True, bidirectional=bidirectional, two_biases=two_biases)
        else:
            made = layers.GRU(units, return_sequences=True, bidirectional=bidirectional)
        return [made, layers.Dropout(0.5)]

    def stack(kind: str) -> BlockLike:
        return layers.Repeat(Int("depth", 1, 4), lambda number: layer(kind, number))

    return Space(
        [
            layers.Input((steps,)),
            layers.Embedding(vocabulary, Int("embedding", 50, 1500, step=50)),
            layers.Dropout(0.5),
            layers.OneOf("cell", {kind: stack(kind) for kind in ("lstm", "gru")}),
            layers.Dense(vocabulary),
        ]
    )
