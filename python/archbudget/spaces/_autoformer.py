"""AutoFormer: vision transformers whose blocks differ in heads and width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget import layers
from archbudget._expressions import Choice, Int
from archbudget._guard import guarded
from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.space.space import Space
from archbudget.spaces._relative_attention import RelativeAttention

if TYPE_CHECKING:
    from archbudget._expressions import IntLike
    from archbudget.layers._structure import BlockLike

SUPERNETS = {
    "tiny": ((192, 216, 240), (3, 4), (12, 14)),
    "small": ((320, 384, 448), (5, 7), (12, 14)),
    "base": ((528, 576, 624), (8, 10), (14, 16)),
}
"""The embedding dimensions, the least and most heads, and the least and most blocks of each supernet."""


@guarded
def autoformer(supernet: str = "tiny", resolution: IntLike = 224, num_classes: int = 1000) -> Space:
    """Vision transformers on patches of 16 x 16: 2.8e11 networks, 7.7e13 of `small`, 6.2e15 of `base`.

    Chen, Peng, Fu and Ling, AutoFormer, arXiv 2107.00651. The decisions are `embed_dim`, `depth`, and for block B
    `num_heads_B`, each head 64 wide, and `mlp_ratio_B`, which is 3, 3.5 or 4 as in the authors' networks; some of
    their configurations of tiny omit 3.

    Class token and position embedding are in the network, as embeddings of a constant zero. Attention is a custom
    layer, `RelativeAttention`, since Keras' has no relative positions. They are 4 tables of 30 rows of 64 in each
    block, for distances up to 14 patches, and so `7680 * depth` parameters; and each of attention's two products occurs
    twice. Its MACs are those of all four, as in PyTorch's `FlopCounterMode`.

    Args:
        supernet: `tiny`, `small` or `base`.
        resolution: The sides of the images, or a decision.
        num_classes: The units of the classifier.

    Raises:
        SpaceError: If there is no such supernet.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.autoformer()
        >>> space.size, space.range("params")
        (280804921344, (4922536, 10517272))
    """
    if supernet not in SUPERNETS:
        raise SpaceError(f"autoformer: supernet must be one of {', '.join(SUPERNETS)}, not {show(supernet)}")
    dimensions, heads, depths = SUPERNETS[supernet]
    dim, patches = Choice("embed_dim", dimensions), (resolution // 16) * (resolution // 16)
    image = layers.Input((resolution, resolution, 3))
    zero = layers.Sequential(
        [
            layers.GlobalMaxPooling2D(),
            layers.Reshape((3, 1)),
            layers.GlobalMaxPooling1D(),
            layers.ReLU(max_value=0),
        ]
    )(image)
    token = _weights(1, dim)(zero)
    embedded = layers.Sequential([layers.Conv2D(dim, 16, strides=16), layers.Reshape((patches, dim))])(image)
    tokens = layers.Concatenate(axis=1)([token, embedded])
    blocks = layers.Sequential(
        [
            layers.Repeat(Int("depth", *depths), lambda number: _block(number, dim, heads)),
            layers.LayerNormalization(epsilon=1e-5),
            layers.Cropping1D((1, 0)),
            layers.GlobalAveragePooling1D(),
            layers.Dense(num_classes),
        ]
    )
    return Space(inputs=image, outputs=blocks(layers.Add()([tokens, _weights(patches + 1, dim)(zero)])))


def _weights(rows: IntLike, columns: IntLike) -> layers.Sequential:
    """A matrix of weights, as the embedding of a zero."""
    return layers.Sequential([layers.Embedding(1, rows * columns), layers.Reshape((rows, columns))])


def _block(number: int, dim: Choice, heads: tuple[int, int]) -> list[BlockLike]:
    ratio = Choice(f"mlp_ratio_{number}", [3.0, 3.5, 4.0])
    return [
        layers.Residual(
            [
                layers.LayerNormalization(epsilon=1e-5),
                RelativeAttention(Int(f"num_heads_{number}", *heads)),
            ]
        ),
        layers.Residual(
            [
                layers.LayerNormalization(epsilon=1e-5),
                layers.Dense(dim * ratio.map(lambda value: int(2 * value)) // 2, activation="gelu"),
                layers.Dense(dim),
            ]
        ),
    ]
