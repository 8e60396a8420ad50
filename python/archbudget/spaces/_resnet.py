"""ResNet: stages of basic or bottleneck blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget import layers
from archbudget._expressions import Int
from archbudget._guard import guarded
from archbudget.space.space import Space
from archbudget.spaces._mobile import convolution

if TYPE_CHECKING:
    from collections.abc import Callable

    from archbudget._expressions import IntLike
    from archbudget.layers._structure import BlockLike

STAGES = ((64, 3, 1), (128, 8, 2), (256, 36, 2), (512, 3, 2))
"""The width, the most blocks, and the strides of each stage."""


@guarded
def resnet(resolution: IntLike = 224, num_classes: int = 1000) -> Space:
    """ResNet-18, -34, -50, -101 and -152, and all depths between them: 1,960 networks.

    He, Zhang, Ren and Sun, Deep residual learning, arXiv 1512.03385; a bottleneck has its stride in the 3x3
    convolution, as is usual since. The decisions are `block`, `basic` or `bottleneck`, and `depth_1, ..., depth_4`.

    Args:
        resolution: The sides of the images, or a decision.
        num_classes: The units of the last layer.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.resnet()
        >>> space.size, space.range("params")
        (1960, (11699112, 60344232))
    """
    return Space(
        [
            layers.Input((resolution, resolution, 3)),
            *convolution(64, 7, strides=2, activation="relu"),
            layers.MaxPooling2D(3, strides=2, padding="same"),
            layers.OneOf("block", {"basic": _body(_basic, 1), "bottleneck": _body(_bottleneck, 4)}),
            layers.GlobalAveragePooling2D(),
            layers.Dense(num_classes),
        ]
    )


def _body(convolutions: Callable[[int, int], list[BlockLike]], expansion: int) -> list[BlockLike]:
    """The stages of one kind of block, whose output is wider than its convolutions by a factor."""

    def stage(number: int, width: int, most: int, strides: int) -> BlockLike:
        def block(index: int) -> BlockLike:
            step = strides if index == 1 else 1
            # A basic block of the first stage finds its own width already.
            fits = index > 1 or (strides == 1 and expansion == 1)
            shortcut = [] if fits else convolution(width * expansion, 1, strides=step)
            return [layers.Residual(convolutions(width, step), shortcut), layers.ReLU()]

        return layers.Repeat(Int(f"depth_{number}", 2, most), block)

    return [stage(number, *each) for number, each in enumerate(STAGES, 1)]


def _basic(width: int, strides: int) -> list[BlockLike]:
    return [*convolution(width, 3, strides=strides, activation="relu"), *convolution(width, 3)]


def _bottleneck(width: int, strides: int) -> list[BlockLike]:
    return [
        *convolution(width, 1, activation="relu"),
        *convolution(width, 3, strides=strides, activation="relu"),
        *convolution(4 * width, 1),
    ]
