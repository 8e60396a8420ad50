"""Once-for-All's ResNet-50, with elastic depth, expansion and width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget import layers
from archbudget._expressions import Choice, Expression, channels, round_to
from archbudget._guard import guarded
from archbudget.space.space import Space
from archbudget.spaces._mobile import convolution, make_divisible

if TYPE_CHECKING:
    from archbudget._expressions import IntLike
    from archbudget.layers._structure import BlockLike

STAGES = ((256, 2, 1), (512, 2, 2), (1024, 4, 2), (2048, 2, 2))
"""The width, the least number of blocks, and the strides of each stage."""

ELASTIC = 2
"""How many blocks a stage may have beyond the least."""


@guarded
def ofa_resnet50(resolution: IntLike = 224, num_classes: int = 1000) -> Space:
    """ResNet-50 with an average-pooling shortcut and elastic depth, expansion and width: 2.5e12 networks.

    Cai, Gan, Wang, Zhang and Han, Once-for-All, arXiv 1908.09791, as their code has it. The decisions are
    `depth_1, ..., depth_4`, how many blocks each stage has beyond 2, 2, 4, 2; `depth_0`, 2 where the stem has its extra
    block and 0 where not; `expand_1, ..., expand_18`, the bottleneck of each block; `width_0` and `width_1`, the
    multipliers of the stem, and `width_2, ..., width_5`, those of the stages.

    Args:
        resolution: The sides of the images, or a decision.
        num_classes: The units of the classifier.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.ofa_resnet50()
        >>> space.size, space.range("params")
        (2458914796962, (6562096, 48173128))
    """
    stem = _share(0).map(lambda share: make_divisible(make_divisible(64 * share) // 2))
    extra = layers.Residual(convolution(channels(), 3, activation="relu"))
    body: list[BlockLike] = []
    before = 0
    for number, (width, least, strides) in enumerate(STAGES, 1):
        body += _stage(number, before, width, least, strides)
        before += least + ELASTIC
    return Space(
        [
            layers.Input((resolution, resolution, 3)),
            *convolution(stem, 3, strides=2, activation="relu"),
            layers.OneOf(Choice("depth_0", [0, ELASTIC]), {0: [], ELASTIC: extra}),
            *convolution(_width(1, 64), 3, activation="relu"),
            layers.MaxPooling2D(3, strides=2, padding="same"),
            *body,
            layers.GlobalAveragePooling2D(),
            layers.Dense(num_classes),
        ]
    )


def _share(number: int) -> Choice:
    return Choice(f"width_{number}", [0.65, 0.8, 1.0])


def _width(number: int, width: int) -> Expression:
    return _share(number).map(lambda share: make_divisible(width * share))


def _stage(number: int, before: int, width: int, least: int, strides: int) -> list[BlockLike]:
    """A stage whose blocks are numbered from `before` + 1 on."""
    elastic = _width(number + 1, width)

    def block(index: int) -> BlockLike:
        first = index == 1
        shortcut = [*_pooling(strides), *convolution(elastic, 1)] if first else []
        bottleneck = _bottleneck(before + index, elastic, strides if first else 1)
        return [layers.Residual(bottleneck, shortcut), layers.ReLU()]

    return [
        *(block(index) for index in range(1, least + 1)),
        layers.Repeat(Choice(f"depth_{number}", range(ELASTIC + 1)), lambda index: block(least + index)),
    ]


def _pooling(strides: int) -> list[BlockLike]:
    return [layers.AveragePooling2D(strides, padding="same")] if strides > 1 else []


def _bottleneck(number: int, width: Expression, strides: int) -> list[BlockLike]:
    percent = Choice(f"expand_{number}", [0.2, 0.25, 0.35]).map(lambda share: round(100 * share))
    hidden = round_to((width * percent + 50) // 100, 8)
    return [
        *convolution(hidden, 1, activation="relu"),
        *convolution(hidden, 3, strides=strides, activation="relu"),
        *convolution(width, 1),
    ]
