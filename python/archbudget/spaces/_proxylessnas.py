"""ProxylessNAS: every block of a mobile network chooses its kernel and expansion, or is omitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget import layers
from archbudget._guard import guarded
from archbudget.space.space import Space
from archbudget.spaces._mobile import convolution, inverted_residual, make_divisible

if TYPE_CHECKING:
    from archbudget._expressions import IntLike
    from archbudget.layers._structure import BlockLike

STAGES = ((24, 4, 2), (40, 4, 2), (80, 4, 2), (96, 4, 1), (192, 4, 2), (320, 1, 1))
"""The width, the number of blocks, and the strides of the first block, of each stage."""


@guarded
def proxylessnas(width: float = 1.0, resolution: IntLike = 224, num_classes: int = 1000) -> Space:
    """21 inverted residual blocks on ImageNet: 2.2e17 networks.

    Cai, Zhu and Han, ProxylessNAS, arXiv 1812.00332. The decisions are `block_1, ..., block_21` with the values
    `3x3_MBConv3, ..., 7x7_MBConv6`, and `Zero`, which omits the block, if the shape stays.

    Args:
        width: What all widths are multiplied by, before they are rounded to multiples of 8; below 1 the last
            stays 1280.
        resolution: The sides of the images, or a decision.
        num_classes: The units of the classifier.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.proxylessnas()
        >>> space.size, space.range("params")
        (221502229807900608, (2164584, 5152008))
    """
    stem, before = make_divisible(32 * width), make_divisible(16 * width)
    first = inverted_residual(stem, before, 3, 1, strides=1, activation="relu6", skip=False)
    body: list[BlockLike] = []
    for base, number, strides in STAGES:
        after = make_divisible(base * width)
        for index in range(number):
            body.append(_block(len(body) + 1, before, after, strides if index == 0 else 1))
            before = after
    return Space(
        [
            layers.Input((resolution, resolution, 3)),
            *convolution(stem, 3, strides=2, activation="relu6"),
            first,
            *body,
            *convolution(make_divisible(1280 * max(width, 1)), 1, activation="relu6"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(num_classes),
        ]
    )


def _block(number: int, before: int, width: int, strides: int) -> BlockLike:
    stays = strides == 1 and before == width
    operations: dict[str, BlockLike] = {
        f"{kernel}x{kernel}_MBConv{expand}": inverted_residual(
            before, width, kernel, expand, strides=strides, activation="relu6", skip=stays
        )
        for expand in (3, 6)
        for kernel in (3, 5, 7)
    }
    if stays:
        operations["Zero"] = []
    return layers.OneOf(f"block_{number}", operations)
