"""U-Net: an encoder, a decoder, and a connection between them on every level."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget import layers
from archbudget._expressions import Choice, Int
from archbudget._guard import guarded
from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.space.space import Space
from archbudget.spaces._blocks import beside

if TYPE_CHECKING:
    from archbudget._expressions import IntLike
    from archbudget.layers._structure import BlockLike


@guarded
def unet(
    resolution: IntLike = 512, num_classes: int = 2, *, channels: int = 1, widths: int = 8, most_depth: int = 4
) -> Space:
    """Image segmentation with a width for each level: 37,376 networks, among them U-Net.

    Ronneberger, Fischer and Brox, U-Net, arXiv 1505.04597, with padding, so that the output has the sides of the image.
    The decisions are the `depth`, which is how often the sides are halved, and the filters `width_1, ..., width_5` of
    each level, from an eighth of U-Net's own to all of them; encoder and decoder have the same.

    A level of the decoder is counted with that of the encoder, so the diagram remembers one width at a time; for peaks
    it also remembers how much waits in the levels above.

    Args:
        resolution: The sides of the images, or a decision; a multiple of 2 to the power of the depth.
        num_classes: The channels of the output.
        channels: Those of the images.
        widths: How many widths a level can have, at most 64.
        most_depth: The largest depth, from 2 to 16.

    Raises:
        SpaceError: If there are fewer or more.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.unet()
        >>> space.size, space.range("params")
        (37376, (29330, 31030658))
    """
    for name, given, least, most in (("widths", widths, 1, 64), ("most_depth", most_depth, 2, 16)):
        if isinstance(given, bool) or not isinstance(given, int) or not least <= given <= most:
            raise SpaceError(f"unet: {name} must be an integer from {least} to {most}, not {show(given)}")

    def level(number: int, depth: int) -> list[BlockLike]:
        most = 64 * 2 ** (number - 1)
        width = Choice(f"width_{number}", [most * part // widths for part in range(1, widths + 1)])
        if number > depth:
            return [*_convolutions(width), layers.Dropout(0.5)]
        below = [layers.MaxPooling2D(2), *level(number + 1, depth), layers.Conv2DTranspose(width, 2, strides=2)]
        return [*_convolutions(width), beside(below), *_convolutions(width)]

    depth = Int("depth", 2, most_depth)
    return Space(
        [
            layers.Input((resolution, resolution, channels)),
            layers.OneOf(depth, {each: level(1, each) for each in range(2, most_depth + 1)}),
            layers.Conv2D(num_classes, 1),
        ]
    )


def _convolutions(width: IntLike) -> list[BlockLike]:
    return [layers.Conv2D(width, 3, padding="same", activation="relu") for _ in range(2)]
