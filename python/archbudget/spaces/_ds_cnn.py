"""DS-CNN: depthwise separable convolutions that spot keywords on microcontrollers."""

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
def ds_cnn(num_classes: int = 12, *, deployed: bool = False) -> Space:
    """Keyword spotting on 49 frames of 10 coefficients: 16,632 networks, among them DS-CNN S, M and L.

    Zhang, Suda, Lai and Chandra, Hello Edge, arXiv 1711.07128. The decisions are `width`, the filters of every layer;
    `stride` of the first convolution along the coefficients, where 1 leaves halving both sides to the next layer;
    `depth`, the depthwise separable convolutions; and their `kernel_1, ..., kernel_6`. S is 64 wide with stride 2 and
    depth 4, M 172 with 1 and 4, L 276 with 1 and 5.

    Args:
        num_classes: The units of the classifier.
        deployed: The network as it runs on the device: its normalisation is part of the convolutions, and weights and
            activations take a byte each. The paper's memory is `weight_bytes` + `peak_activation_bytes` of this one.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.ds_cnn()
        >>> space.size, space.range("params")
        (16632, (1484, 530760))
    """
    width, stride = Int("width", 16, 276, step=4), Choice("stride", [1, 2])

    def normalized(convolution: BlockLike) -> list[BlockLike]:
        return [convolution, *([] if deployed else [layers.BatchNormalization()]), layers.ReLU()]

    def block(index: int) -> list[BlockLike]:
        kernel, strides = Choice(f"kernel_{index}", [3, 5]), _rest(stride) if index == 1 else 1
        return [
            *normalized(layers.DepthwiseConv2D(kernel, strides=strides, padding="same")),
            *normalized(layers.Conv2D(width, 1)),
        ]

    size = 1 if deployed else 4
    return Space(
        [
            layers.Input((49, 10, 1)),
            *normalized(layers.Conv2D(width, (10, 4), strides=(2, stride), padding="same")),
            layers.Repeat(Int("depth", 1, 6), block),
            layers.GlobalAveragePooling2D(),
            layers.Dense(num_classes),
        ],
        bytes_per_weight=size,
        bytes_per_activation=size,
    )


def _rest(stride: Choice) -> IntLike:
    """The stride of the second layer: 2 where the first has 1, and 1 where it has 2."""
    return 3 - stride
