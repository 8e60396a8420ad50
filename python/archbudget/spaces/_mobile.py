"""Inverted residual blocks, which the mobile families share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget import layers
from archbudget._expressions import Expression
from archbudget.spaces._blocks import gated

if TYPE_CHECKING:
    from archbudget._expressions import IntLike
    from archbudget.layers._structure import BlockLike


def make_divisible(width: float) -> int:
    """A width as a multiple of 8, never below nine tenths of what it should be; of MobileNet's authors."""
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width else rounded


def convolution(width: IntLike, kernel: int, *, strides: int = 1, activation: str | None = None) -> list[BlockLike]:
    """A convolution without bias, normalised."""
    return [
        layers.Conv2D(width, kernel, strides=strides, padding="same", use_bias=False),
        layers.BatchNormalization(),
        *([] if activation is None else [layers.Activation(activation)]),
    ]


def inverted_residual(
    before: IntLike,
    width: IntLike,
    kernel: IntLike,
    expand: IntLike,
    *,
    strides: int,
    activation: str,
    skip: bool,
    excitation: BlockLike | None = None,
) -> BlockLike:
    """1x1 expansion, depthwise convolution, squeeze and excitation if wanted, 1x1 projection; each normalised.

    Args:
        before: The channels of the input, a multiple of 8.
        width: The channels of the output.
        kernel: The sides of the depthwise convolution.
        expand: By how much the channels are expanded; 1, as a plain number, leaves the expansion out.
        strides: Those of the depthwise convolution.
        activation: That of the first two convolutions.
        skip: Whether the input is added.
        excitation: What stands between the depthwise convolution and the projection.
    """
    expanded = isinstance(expand, Expression) or expand != 1
    body = [
        *(convolution(before * expand, 1, activation=activation) if expanded else []),
        layers.DepthwiseConv2D(kernel, strides=strides, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.Activation(activation),
        *([] if excitation is None else [excitation]),
        *convolution(width, 1),
    ]
    return layers.Residual(body) if skip else body


def squeeze_and_excitation(channels: IntLike, squeezed: IntLike, activation: str, gate: str) -> BlockLike:
    """A factor for each channel, computed from the means of all of them by two dense layers."""
    return gated(
        [
            layers.GlobalAveragePooling2D(keepdims=True),
            layers.Conv2D(squeezed, 1, activation=activation),
            layers.Conv2D(channels, 1, activation=gate),
        ]
    )
