"""The space of DARTS: two cells, one of which halves the image, again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget import layers
from archbudget._expressions import Int
from archbudget._guard import guarded
from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.layers import Add, Concatenate
from archbudget.layers._base import Block
from archbudget.layers._structure import Sequential, as_block
from archbudget.space.space import Space

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archbudget._expressions import IntLike
    from archbudget.layers._base import Guard, Sink, TensorLike
    from archbudget.layers._structure import BlockLike

NODES = (2, 3, 4, 5)
"""The nodes of a cell; 0 and 1 are the outputs of the two cells before it."""
MOST_CELLS = 200


@guarded
def darts(
    num_classes: int = 10,
    image_size: int = 32,
    *,
    width: int = 36,
    cells: int = 20,
    imagenet_stem: bool = False,
) -> Space:
    """Two cells of four nodes with two edges each, seven operations on an edge, in 20 places: 1.1e18 networks.

    Liu, Simonyan and Yang, DARTS, arXiv 1806.09055: the networks that the authors train after their search, without the
    auxiliary classifier. The decisions are those of a genotype: `normal_2_input_0, normal_2_input_1, normal_2_op_0,
    normal_2_op_1, ..., reduce_5_op_1`, for each node the two states that it reads, the earlier one first, and what it
    does with each. The operation `none` is not among them, as no genotype holds it.

    Their networks for ImageNet are `darts(1000, 224, width=48, cells=14, imagenet_stem=True)`.

    Args:
        num_classes: The units of the classifier.
        image_size: The sides of the images.
        width: The filters of the first cell; its output has four times as many.
        cells: How many cells, at most 200; those after one and two thirds halve the image.
        imagenet_stem: Whether three convolutions of stride 2 stand before the cells, as for ImageNet.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.darts()
        >>> space.size, space.range("params")
        (1076746950455072400, (1377262, 5206510))
    """
    if isinstance(cells, bool) or not isinstance(cells, int) or not 1 <= cells <= MOST_CELLS:
        raise SpaceError(f"darts: cells must be an integer from 1 to {MOST_CELLS}, not {show(cells)}")
    image = layers.Input((image_size, image_size, 3))
    if imagenet_stem:
        before = _chain(image, [*_normalized(width // 2, 2), layers.ReLU(), *_normalized(width, 2)])
        flowing = _chain(before, [layers.ReLU(), *_normalized(width, 2)])
    else:
        before = flowing = _chain(image, _normalized(3 * width, 1))
    halves = imagenet_stem  # Whether the last state has half the sides of the one before.
    for number in range(cells):
        reduces = number in {cells // 3, 2 * cells // 3}
        if reduces:
            width *= 2
        cell = DartsCell("reduce" if reduces else "normal", width, halves=halves)
        before, flowing, halves = flowing, cell([before, flowing]), reduces
    output = _chain(flowing, [layers.GlobalAveragePooling2D(), layers.Dense(num_classes)])
    return Space(inputs=image, outputs=output)


def _chain(tensor: TensorLike, blocks: Sequence[BlockLike]) -> layers.Tensor:
    chained: layers.Tensor = Sequential(blocks)(tensor)
    return chained


def _normalized(filters: int, strides: int) -> list[BlockLike]:
    return [
        layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False),
        layers.BatchNormalization(),
    ]


class DartsCell(Block):
    """A cell: the outputs of the two cells before it as states, a state for each node, and all of these side by side.

    Args:
        kind: `normal`, or `reduce` for one that halves the image.
        width: The filters of each state.
        halves: Whether the cell before it halved the image.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> cell = ab.spaces.DartsCell("normal", 16, halves=False)
        >>> type(cell).__name__
        'DartsCell'
    """

    def __init__(self, kind: str, width: int, *, halves: bool) -> None:
        self.kind, self.width, self.halves = kind, width, halves
        self.before = as_block(_factorized(width) if halves else _pointwise(width))
        self.flowing = as_block(_pointwise(width))
        self.nodes = [
            [
                _Edge(f"{kind}_{node}", which, range(which, node - 1 + which), width, halves=kind == "reduce")
                for which in (0, 1)
            ]
            for node in NODES
        ]

    def write(self, writer: Sink, inputs: Sequence[int], guard: Guard) -> int:
        """Writes what the nodes read, and then node after node."""
        for first, second in self.nodes:
            writer.require(first.source < second.source, guard)
        states = [self.before.write(writer, inputs[:1], guard), self.flowing.write(writer, inputs[1:], guard)]
        for edges in self.nodes:
            brought = [edge.write(writer, states, guard) for edge in edges]
            states.append(Add().write(writer, brought, guard))
        return Concatenate().write(writer, states[2:], guard)


class _Edge(Block):
    """One of several states, and what is done with it.

    Args:
        node: The name of the node that it leads to.
        which: Which of the two edges of the node it is.
        states: The states it may come from.
        width: The filters of each state.
        halves: Whether it halves the image if it comes from another cell.
    """

    def __init__(self, node: str, which: int, states: range, width: int, *, halves: bool) -> None:
        self.source = Int(f"{node}_input_{which}", states[0], states[-1])
        self.choice = layers.OneOf(self.source, {state: _State(state) for state in states})
        strides = (self.source < 2) + 1 if halves else 1
        skip: BlockLike = []
        if halves:
            skip = layers.OneOf(self.source, {state: _factorized(width) if state < 2 else [] for state in states})
        self.operation = layers.OneOf(f"{node}_op_{which}", _operations(width, strides, skip))

    def write(self, writer: Sink, inputs: Sequence[int], guard: Guard) -> int:
        """Writes the choice of a state, and the operations."""
        return self.operation.write(writer, [self.choice.write(writer, inputs, guard)], guard)


class _State(Block):
    """One of the states that flow into it."""

    def __init__(self, number: int) -> None:
        self.number = number

    def write(self, writer: Sink, inputs: Sequence[int], guard: Guard) -> int:
        """Hands the state on."""
        del writer, guard
        return inputs[self.number]


def _operations(width: int, strides: IntLike, skip: BlockLike) -> dict[str, BlockLike]:
    def separable(kernel: int) -> BlockLike:
        return [*_depthwise(width, kernel, strides), *_depthwise(width, kernel, 1)]

    def dilated(kernel: int) -> BlockLike:
        if isinstance(strides, int) and strides == 1:
            return _depthwise(width, kernel, 1, dilation=2)
        # Keras has no dilated convolution with strides; where the image is halved, it reads every second pixel only.
        first, *rest = _depthwise(width, kernel, 1, dilation=3 - strides)
        return [first, layers.AveragePooling2D(1, strides=strides), *rest]

    return {
        "max_pool_3x3": layers.MaxPooling2D(3, strides=strides, padding="same"),
        "avg_pool_3x3": layers.AveragePooling2D(3, strides=strides, padding="same"),
        "skip_connect": skip,
        "sep_conv_3x3": separable(3),
        "sep_conv_5x5": separable(5),
        "dil_conv_3x3": dilated(3),
        "dil_conv_5x5": dilated(5),
    }


def _depthwise(width: int, kernel: int, strides: IntLike, dilation: IntLike = 1) -> list[BlockLike]:
    return [
        layers.ReLU(),
        layers.DepthwiseConv2D(kernel, strides=strides, padding="same", dilation_rate=dilation, use_bias=False),
        layers.Conv2D(width, 1, use_bias=False),
        layers.BatchNormalization(),
    ]


def _pointwise(width: int) -> BlockLike:
    return [layers.ReLU(), layers.Conv2D(width, 1, use_bias=False), layers.BatchNormalization()]


def _factorized(width: int) -> BlockLike:
    """Two convolutions of stride 2 side by side, the second one pixel further."""
    return [layers.ReLU(), _Beside(width), layers.BatchNormalization()]


class _Beside(Block):
    def __init__(self, width: int) -> None:
        self.even = layers.Conv2D(width // 2, 1, strides=2, use_bias=False)
        self.odd = as_block(
            [layers.Cropping2D(((1, 0), (1, 0))), layers.Conv2D(width - width // 2, 1, strides=2, use_bias=False)]
        )

    def write(self, writer: Sink, inputs: Sequence[int], guard: Guard) -> int:
        """Writes both, and the concatenation."""
        halves = [self.even.write(writer, inputs, guard), self.odd.write(writer, inputs, guard)]
        return Concatenate().write(writer, halves, guard)
