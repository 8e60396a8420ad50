"""VGG: stages of 3x3 convolutions with pooling in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget import layers
from archbudget._expressions import Choice, Int
from archbudget._guard import guarded
from archbudget.space.space import Space

if TYPE_CHECKING:
    from archbudget._expressions import IntLike

STAGES = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
"""The width and the most convolutions of each stage."""


@guarded
def vgg(resolution: IntLike = 224, num_classes: int = 1000) -> Space:
    """VGG-11, -13, -16 and -19, and what lies between and below them: 1,048,576 networks.

    After Simonyan and Zisserman, Very deep convolutional networks, arXiv 1409.1556. The decisions are the convolutions
    `depth_1, ..., depth_5` and the filters `width_1, ..., width_5` of each stage, a quarter of VGG's own to all of
    them, and the `units` of both hidden dense layers.

    Args:
        resolution: The sides of the images, or a decision.
        num_classes: The units of the last layer.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.vgg()
        >>> space.size, space.range("params")
        (1048576, (4232456, 143667240))
    """
    units = Choice("units", [512, 1024, 2048, 4096])
    return Space(
        [
            layers.Input((resolution, resolution, 3)),
            *(_stage(number, width, most) for number, (width, most) in enumerate(STAGES, 1)),
            layers.Flatten(),
            layers.Dense(units, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(units, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(num_classes),
        ]
    )


def _stage(number: int, width: int, most: int) -> layers.Sequential:
    filters = Choice(f"width_{number}", [width // 4, width // 2, 3 * width // 4, width])
    return layers.Sequential(
        [
            layers.Repeat(
                Int(f"depth_{number}", 1, most),
                lambda _: layers.Conv2D(filters, 3, padding="same", activation="relu"),
            ),
            layers.MaxPooling2D(2),
        ]
    )
