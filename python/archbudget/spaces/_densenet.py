"""DenseNet: each layer reads the outputs of all layers before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget import layers
from archbudget._expressions import Choice, Int, channels
from archbudget._guard import guarded
from archbudget.space.space import Space
from archbudget.spaces._blocks import beside
from archbudget.spaces._mobile import convolution

if TYPE_CHECKING:
    from archbudget._expressions import IntLike
    from archbudget.layers._structure import BlockLike

DEPTHS = ((2, 6, 2), (4, 12, 4), (8, 64, 4), (8, 48, 8))
"""The least and most layers of each block, and how many there are from one depth to the next."""


@guarded
def densenet(resolution: IntLike = 224, num_classes: int = 1000) -> Space:
    """DenseNet-121, -161, -169, -201 and -264, and what lies between and below them: 506,250 networks.

    Huang, Liu, van der Maaten and Weinberger, Densely connected convolutional networks, arXiv 1608.06993, with
    bottlenecks, and halved channels between the blocks. The decisions are the layers of each block, `depth_1, ...,
    depth_4`, and what each of its layers adds to the channels, `growth_1, ..., growth_4`; in the paper's networks all
    four are equal: 48 in DenseNet-161, and 32 in the others.

    Each layer adds its output to one tensor, so only the channels of this one are ever kept, and the diagram is small.

    Args:
        resolution: The sides of the images, or a decision.
        num_classes: The units of the last layer.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.densenet()
        >>> space.size, space.range("params")
        (506250, (388240, 73284424))
    """
    growths = [Choice(f"growth_{number}", [12, 24, 32, 40, 48]) for number in range(1, len(DEPTHS) + 1)]
    body: list[BlockLike] = []
    for number, (growth, depths) in enumerate(zip(growths, DEPTHS, strict=True), 1):
        if body:
            body += [*_normalized(), layers.Conv2D(channels() // 2, 1, use_bias=False), layers.AveragePooling2D(2)]
        body.append(_block(number, growth, depths))
    return Space(
        [
            layers.Input((resolution, resolution, 3)),
            *convolution(2 * growths[0], 7, strides=2, activation="relu"),
            layers.MaxPooling2D(3, strides=2, padding="same"),
            *body,
            *_normalized(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(num_classes),
        ]
    )


def _block(number: int, growth: Choice, depths: tuple[int, int, int]) -> BlockLike:
    def layer(_: int) -> BlockLike:
        bottleneck = convolution(4 * growth, 1, activation="relu")
        return beside([*_normalized(), *bottleneck, layers.Conv2D(growth, 3, padding="same", use_bias=False)])

    least, most, step = depths
    return layers.Repeat(Int(f"depth_{number}", least, most, step=step), layer)


def _normalized() -> list[BlockLike]:
    return [layers.BatchNormalization(), layers.ReLU()]
