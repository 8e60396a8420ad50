"""EfficientNet: one network, scaled in width, depth and resolution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from archbudget import layers
from archbudget._expressions import Choice
from archbudget._guard import guarded
from archbudget.space.space import Space
from archbudget.spaces._mobile import convolution, inverted_residual, make_divisible, squeeze_and_excitation

if TYPE_CHECKING:
    from archbudget._expressions import Expression
    from archbudget.layers._structure import BlockLike

STAGES = (
    (16, 1, 3, 1, 1),
    (24, 2, 3, 2, 6),
    (40, 2, 5, 2, 6),
    (80, 3, 3, 2, 6),
    (112, 3, 5, 1, 6),
    (192, 4, 5, 2, 6),
    (320, 1, 3, 1, 6),
)
"""The width, the number of blocks, the kernel, the strides of the first block and the expansion of each stage of B0."""

DEPTHS = (1.0, 1.1, 1.2, 1.4, 1.8, 2.2, 2.6, 3.1)
"""What the numbers of blocks are multiplied by, before they are rounded up."""


@guarded
def efficientnet(num_classes: int = 1000) -> Space:
    """EfficientNet-B0 to -B7 and all other combinations of their scales: 448 networks.

    Tan and Le, EfficientNet, arXiv 1905.11946. The decisions are the coefficients `width` and `depth`, and the
    `resolution`; B0 to B7 are (1.0, 1.0, 224), (1.0, 1.1, 240), (1.1, 1.2, 260), (1.2, 1.4, 300), (1.4, 1.8, 380),
    (1.6, 2.2, 456), (1.8, 2.6, 528) and (2.0, 3.1, 600).

    Args:
        num_classes: The units of the classifier.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.efficientnet()
        >>> space.size, space.range("params")
        (448, (5330564, 66658680))
    """
    coefficient = Choice("width", [1.0, 1.1, 1.2, 1.4, 1.6, 1.8, 2.0])
    depth = Choice("depth", DEPTHS)
    resolution = Choice("resolution", [224, 240, 260, 300, 380, 456, 528, 600])

    def scaled(width: int) -> Expression:
        return coefficient.map(lambda value: make_divisible(width * value))

    before = scaled(32)
    body: list[BlockLike] = []
    for width, number, kernel, strides, expand in STAGES:
        body.append(_block(before, scaled(width), kernel, expand, strides, skip=False))
        before = scaled(width)
        more = {
            value: [_block(before, before, kernel, expand, 1, skip=True) for _ in range(1, math.ceil(number * value))]
            for value in DEPTHS
        }
        body.append(layers.OneOf(depth, more))
    return Space(
        [
            layers.Input((resolution, resolution, 3)),
            *convolution(scaled(32), 3, strides=2, activation="silu"),
            *body,
            *convolution(scaled(1280), 1, activation="silu"),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.2),
            layers.Dense(num_classes),
        ]
    )


def _block(before: Expression, width: Expression, kernel: int, expand: int, strides: int, *, skip: bool) -> BlockLike:
    excitation = squeeze_and_excitation(before * expand, before // 4, "silu", "sigmoid")
    return inverted_residual(
        before, width, kernel, expand, strides=strides, activation="silu", skip=skip, excitation=excitation
    )
