"""NAS-Bench-Macro: a chain of eight blocks on small images, every network trained by the authors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget import layers
from archbudget._guard import guarded
from archbudget.space.space import Space
from archbudget.spaces._mobile import convolution, inverted_residual

if TYPE_CHECKING:
    from archbudget.layers._structure import BlockLike

STEM = 32
STAGES = ((64, 2), (128, 3), (256, 3))
"""The width and the number of blocks of each stage, whose first block has stride 2."""
LAST = 1280
BLOCKS = {"MB3_K3": (3, 3), "MB6_K5": (5, 6)}
"""The kernel and the expansion of each block beside `Identity`."""


@guarded
def nas_bench_macro(num_classes: int = 10, image_size: int = 32) -> Space:
    """Eight blocks in three stages, each an identity or one of two inverted residual blocks: 6,561 networks.

    Su, Huang, Li, You, Wang, Qian, Zhang and Xu, Prioritized Architecture Sampling with Monto-Carlo Tree Search, arXiv
    2103.11922. The decisions are `op_1, ..., op_8` with the values `Identity`, `MB3_K3` and `MB6_K5`, which are the
    digits 0, 1 and 2 in the keys of the authors' table. An identity that begins a stage is a 1x1 convolution of
    stride 2, as in their code.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.nas_bench_macro()
        >>> space.size, space.range("trainable_params")
        (6561, (387882, 2932586))
    """
    before = STEM
    body: list[BlockLike] = []
    for width, number in STAGES:
        for index in range(number):
            body.append(_block(f"op_{len(body) + 1}", before, width, 2 if index == 0 else 1))
            before = width
    return Space(
        [
            layers.Input((image_size, image_size, 3)),
            *convolution(STEM, 3, activation="relu"),
            *body,
            *convolution(LAST, 1, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(num_classes),
        ]
    )


def _block(name: str, before: int, width: int, strides: int) -> BlockLike:
    """One block; where the shape changes, an identity fits it by a 1x1 convolution."""
    stays = strides == 1 and before == width
    blocks: dict[str, BlockLike] = {"Identity": [] if stays else convolution(width, 1, strides=strides)}
    for block, (kernel, expand) in BLOCKS.items():
        blocks[block] = inverted_residual(before, width, kernel, expand, strides=strides, activation="relu", skip=stays)
    return layers.OneOf(name, blocks)
