"""NAS-Bench-201 and the size space of NATS-Bench: small cells on small images, every network trained by the authors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget import layers
from archbudget._expressions import Choice, channels
from archbudget._guard import guarded
from archbudget.space.space import Space
from archbudget.spaces._blocks import Cell

if TYPE_CHECKING:
    from archbudget._expressions import IntLike
    from archbudget.layers._structure import BlockLike


@guarded
def nas_bench_201(num_classes: int = 10, image_size: int = 32) -> Space:
    """One cell of six edges, one of five operations on each, in 15 places: 15,625 networks.

    Dong and Yang, NAS-Bench-201, arXiv 2001.00326. The decisions are `edge_0_1, edge_0_2, edge_1_2, edge_0_3, edge_1_3,
    edge_2_3`. As in the authors' networks, what an edge of zeros cuts off keeps its weights and is computed.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.nas_bench_201()
        >>> space.size, space.range("params")
        (15625, (73850, 1538810))
    """

    def stage() -> list[BlockLike]:
        return [NasBench201Cell() for _ in range(5)]

    return Space(
        [
            layers.Input((image_size, image_size, 3)),
            *_stem(16),
            *stage(),
            _reduction(32),
            *stage(),
            _reduction(64),
            *stage(),
            *_head(num_classes),
        ]
    )


@guarded
def nats_bench_size(num_classes: int = 10, image_size: int = 32) -> Space:
    """Five layers of 8 to 64 channels in steps of 8, with one fixed cell: 32,768 networks.

    Dong, Liu, Musial and Gabrys, NATS-Bench, arXiv 2009.00437. The decisions are `c0, ..., c4`.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.nats_bench_size()
        >>> space.size, space.range("params")
        (32768, (12050, 716362))
    """
    c0, c1, c2, c3, c4 = (Choice(f"c{number}", range(8, 65, 8)) for number in range(5))
    return Space(
        [
            layers.Input((image_size, image_size, 3)),
            *_stem(c0),
            NatsBenchCell(c0, c0),
            _reduction(c1),
            NatsBenchCell(c1, c2),
            _reduction(c3),
            NatsBenchCell(c3, c4),
            *_head(num_classes),
        ]
    )


class NasBench201Cell(Cell):
    """The cell of NAS-Bench-201: four nodes, and on each of six edges one of five operations.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> space = ab.Space([layers.Input((32, 32, 16)), ab.spaces.NasBench201Cell()])
        >>> space.size
        15625
    """

    def __init__(self) -> None:
        super().__init__(4, _operation)


class NatsBenchCell(Cell):
    """The fixed cell of the size space of NATS-Bench: 3x3 convolutions on all edges but the one around the others.

    Args:
        before: The channels of its input.
        width: The channels of its nodes; if it is the same decision, the edge around the others has no layers.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> before, width = ab.Choice("before", [8, 16]), ab.Choice("width", [8, 16])
        >>> cell = ab.spaces.NatsBenchCell(before, width)
        >>> ab.Space([layers.Input((32, 32, 3)), layers.Conv2D(before, 3, padding="same"), cell]).size
        4
    """

    def __init__(self, before: Choice, width: Choice) -> None:
        self.before, self.width = before, width

        def edge(source: int, target: int) -> BlockLike:
            return _skip(before, width) if (source, target) == (0, 3) else _convolution(width, 3)

        super().__init__(4, edge)


def _operation(source: int, target: int) -> BlockLike:
    return layers.OneOf(
        f"edge_{source}_{target}",
        {
            "none": layers.ReLU(max_value=0),  # Zeros in the shape of the input.
            "skip_connect": [],
            "nor_conv_1x1": _convolution(channels(), 1),
            "nor_conv_3x3": _convolution(channels(), 3),
            "avg_pool_3x3": layers.AveragePooling2D(3, strides=1, padding="same"),
        },
    )


def _skip(before: Choice, width: Choice) -> BlockLike:
    """The input as it is, or by a 1x1 convolution where it has another width."""
    if before is width:
        return []
    fitted = [layers.Conv2D(width, 1, use_bias=False), layers.BatchNormalization()]
    return layers.OneOf(
        before,
        {
            old: layers.OneOf(width, {new: [] if new == old else fitted for new in width.values})
            for old in before.values
        },
    )


def _stem(width: IntLike) -> list[BlockLike]:
    return [layers.Conv2D(width, 3, padding="same", use_bias=False), layers.BatchNormalization()]


def _convolution(width: IntLike, kernel: int, strides: int = 1) -> list[BlockLike]:
    return [
        layers.ReLU(),
        layers.Conv2D(width, kernel, strides=strides, padding="same", use_bias=False),
        layers.BatchNormalization(),
    ]


def _reduction(width: IntLike) -> BlockLike:
    """Two convolutions, the first of stride 2, around pooling and a 1x1 convolution without normalisation."""
    return layers.Residual(
        [*_convolution(width, 3, strides=2), *_convolution(width, 3)],
        [layers.AveragePooling2D(2), layers.Conv2D(width, 1, use_bias=False)],
    )


def _head(num_classes: int) -> list[BlockLike]:
    return [
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.GlobalAveragePooling2D(),
        layers.Dense(num_classes),
    ]
