"""Once-for-All: sub-networks of one trained network, with elastic depth, kernel and expansion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget import layers
from archbudget._expressions import Choice, Int, round_to
from archbudget._guard import guarded
from archbudget.space.space import Space
from archbudget.spaces._mobile import convolution, inverted_residual, make_divisible, squeeze_and_excitation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archbudget._expressions import IntLike
    from archbudget.layers._structure import BlockLike

MOBILENET_STAGES = (
    (24, 2, "relu", False),
    (40, 2, "relu", True),
    (80, 2, "hard_silu", False),
    (112, 1, "hard_silu", True),
    (160, 2, "hard_silu", True),
)
"""The width, the strides of the first block, the activation, and whether there is squeeze and excitation."""

PROXYLESS_STAGES = ((24, 2), (40, 2), (80, 2), (96, 1), (192, 2))
"""The width and the strides of the first block of each stage with elastic depth."""


@guarded
def ofa_mobilenet_v3(width: float = 1.0, resolution: IntLike = 224, num_classes: int = 1000) -> Space:
    """MobileNetV3 with elastic depth, kernel and expansion: 2.2e19 networks.

    Cai, Gan, Wang, Zhang and Han, Once-for-All, arXiv 1908.09791. The decisions are `depth_1, ..., depth_5`, and for
    block B of stage S `kernel_S_B` and `expand_S_B`, inactive where B exceeds the depth.

    Args:
        width: What all widths are multiplied by, before they are rounded to multiples of 8.
        resolution: The sides of the images, or a decision: `ab.Int("resolution", 128, 224, step=4)` in the paper.
        num_classes: The units of the classifier.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.ofa_mobilenet_v3()
        >>> space.size, space.range("params")
        (21758655492572485851, (3422728, 7706584))
    """
    stem = before = make_divisible(16 * width)
    body: list[BlockLike] = [inverted_residual(stem, before, 3, 1, strides=1, activation="relu", skip=True)]
    for number, (base, strides, activation, squeeze) in enumerate(MOBILENET_STAGES, 1):
        after = make_divisible(base * width)
        body.append(_stage(number, before, after, strides, activation, squeeze=squeeze))
        before = after
    return Space(
        [
            layers.Input((resolution, resolution, 3)),
            *convolution(stem, 3, strides=2, activation="hard_silu"),
            *body,
            *convolution(make_divisible(960 * width), 1, activation="hard_silu"),
            layers.GlobalAveragePooling2D(keepdims=True),
            layers.Conv2D(make_divisible(1280 * width), 1, use_bias=False, activation="hard_silu"),
            layers.Flatten(),
            layers.Dense(num_classes),
        ]
    )


@guarded
def ofa_proxyless(width: float = 1.3, resolution: IntLike = 224, num_classes: int = 1000) -> Space:
    """ProxylessNAS' network with elastic depth, kernel and expansion: 2.0e20 networks.

    Cai, Gan, Wang, Zhang and Han, Once-for-All, arXiv 1908.09791. The decisions are those of `ofa_mobilenet_v3`, and
    `kernel_6_1` and `expand_6_1` of a sixth stage of one block.

    Args:
        width: What all widths are multiplied by, before they are rounded to multiples of 8.
        resolution: The sides of the images, or a decision.
        num_classes: The units of the classifier.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.ofa_proxyless()
        >>> space.size, space.range("params")
        (195827899433152372659, (3739392, 8006072))
    """
    mix = convolution(make_divisible(1280 * width), 1, activation="relu6")
    return _proxyless(width, resolution, mix, num_classes)


@guarded
def mcunet(width: float = 0.5, resolution: IntLike = 96, num_classes: int = 1000) -> Space:
    """Networks for microcontrollers: the choices of `ofa_proxyless`, narrow and without its last convolution.

    Lin, Chen, Lin, Cohn, Gan and Han, MCUNet, arXiv 2007.10319. There the width multiplier and the resolution are
    searched first, for each device: one space of this kind for each pair.

    Args:
        width: What all widths are multiplied by, before they are rounded to multiples of 8.
        resolution: The sides of the images, or a decision.
        num_classes: The units of the classifier.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.mcunet()
        >>> space.size, space.range("params")
        (195827899433152372659, (383392, 1201784))
    """
    return _proxyless(width, resolution, [], num_classes)


def _proxyless(width: float, resolution: IntLike, mix: Sequence[BlockLike], num_classes: int) -> Space:
    stem, before = make_divisible(32 * width), make_divisible(16 * width)
    body: list[BlockLike] = [
        inverted_residual(stem, before, 3, 1, strides=1, activation="relu6", skip=False),
    ]
    for number, (base, strides) in enumerate(PROXYLESS_STAGES, 1):
        after = make_divisible(base * width)
        body.append(_stage(number, before, after, strides, "relu6"))
        before = after
    return Space(
        [
            layers.Input((resolution, resolution, 3)),
            *convolution(stem, 3, strides=2, activation="relu6"),
            *body,
            _block(6, 1, before, make_divisible(320 * width), 1, "relu6"),
            *mix,
            layers.GlobalAveragePooling2D(),
            layers.Dense(num_classes),
        ]
    )


def _stage(number: int, before: int, width: int, strides: int, activation: str, *, squeeze: bool = False) -> BlockLike:
    def block(index: int) -> BlockLike:
        own = (before, width, strides) if index == 1 else (width, width, 1)
        return _block(number, index, *own, activation, squeeze=squeeze)

    return layers.Repeat(Int(f"depth_{number}", 2, 4), block)


def _block(
    stage: int, index: int, before: int, width: int, strides: int, activation: str, *, squeeze: bool = False
) -> BlockLike:
    kernel, expand = Choice(f"kernel_{stage}_{index}", [3, 5, 7]), Choice(f"expand_{stage}_{index}", [3, 4, 6])
    hidden = before * expand
    excitation = squeeze_and_excitation(hidden, round_to(hidden // 4), "relu", "hard_sigmoid") if squeeze else None
    return inverted_residual(
        before,
        width,
        kernel,
        expand,
        strides=strides,
        activation=activation,
        skip=strides == 1 and before == width,
        excitation=excitation,
    )
