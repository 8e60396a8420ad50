"""TC-ResNet: convolutions along time that spot keywords."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget import layers
from archbudget._expressions import Choice, Int
from archbudget._guard import guarded
from archbudget.space.space import Space

if TYPE_CHECKING:
    from archbudget._expressions import IntLike
    from archbudget.layers._structure import BlockLike


@guarded
def tc_resnet(num_classes: int = 12, frames: int = 98) -> Space:
    """Keyword spotting on frames of 40 coefficients, which are channels: 1.7e11 networks, among them TC-ResNet8 and 14.

    After Choi, Seo, Shin, Byun, Kersner, Kim, Kim and Ha, Temporal convolution for real-time keyword spotting on mobile
    devices, arXiv 1904.03814. The decisions are the filters of the first convolution, `width_0`, and of each stage,
    `width_1, width_2, width_3`; how many blocks a stage has, `depth_1, depth_2, depth_3`; and for block B of stage S
    `kernel_S_B`, inactive where B exceeds the depth. TC-ResNet8 has widths 16, 24, 32 and 48, depths of 1 and kernels
    of 9; TC-ResNet14 depths of 2. The first block of a stage halves the frames, with any width.

    Args:
        num_classes: The units of the classifier.
        frames: How many there are in a clip.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.tc_resnet()
        >>> space.size, space.range("params")
        (165862880064, (2720, 1541760))
    """
    return Space(
        [
            layers.Input((frames, 40)),
            *_convolution(_width(0), 3),
            *(_stage(number) for number in (1, 2, 3)),
            layers.GlobalAveragePooling1D(),
            layers.Dropout(0.5),
            layers.Dense(num_classes, use_bias=False),
        ]
    )


def _width(stage: int) -> Int:
    return Int(f"width_{stage}", 8, 96, step=4)


def _stage(number: int) -> BlockLike:
    width = _width(number)

    def block(index: int) -> BlockLike:
        kernel, strides = Choice(f"kernel_{number}_{index}", [3, 5, 7, 9]), 2 if index == 1 else 1
        body = [*_convolution(width, kernel, strides=strides), *_convolution(width, kernel, activation=None)]
        shortcut = _convolution(width, 1, strides=strides) if index == 1 else []
        return [layers.Residual(body, shortcut), layers.ReLU()]

    return layers.Repeat(Int(f"depth_{number}", 1, 3), block)


def _convolution(
    width: IntLike, kernel: IntLike, *, strides: int = 1, activation: str | None = "relu"
) -> list[BlockLike]:
    """A convolution without bias, normalised."""
    return [
        layers.Conv1D(width, kernel, strides=strides, padding="same", use_bias=False),
        layers.BatchNormalization(),
        *([] if activation is None else [layers.Activation(activation)]),
    ]
