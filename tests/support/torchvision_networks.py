"""Networks of torchvision in layers of archbudget: channels first, and in the order of their weights."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import archbudget as ab
from archbudget import layers

if TYPE_CHECKING:
    from collections.abc import Callable

    from archbudget.layers import Block, Tensor

CLASSES = 10
FIRST: dict[str, Any] = {"data_format": "channels_first"}

max_pool: Callable[..., Any] = partial(layers.MaxPooling2D, **FIRST)
average_pool: Callable[..., Any] = partial(layers.AveragePooling2D, **FIRST)
global_pool: Callable[..., Any] = partial(layers.GlobalAveragePooling2D, **FIRST)
norm: Callable[..., Any] = partial(layers.BatchNormalization, axis=1, momentum=0.9, epsilon=1e-5)


def conv(filters: int, size: Any = 1, stride: int = 1, padding: Any = 0, *, bias: bool = False, **more: Any) -> Block:
    return layers.Conv2D(filters, size, stride, padding, use_bias=bias, **FIRST, **more)


def depthwise(size: int, stride: int) -> Block:
    return layers.DepthwiseConv2D(size, stride, size // 2, use_bias=False, **FIRST)


def run(x: Tensor, *blocks: Block) -> Tensor:
    return layers.Sequential(list(blocks))(x)


def activated(*blocks: Block, activation: str | None = "relu", epsilon: float = 1e-5) -> list[Block]:
    """A convolution, its normalisation and an activation."""
    return [*blocks, norm(epsilon=epsilon), *([] if activation is None else [layers.Activation(activation)])]


def concatenated(*tensors: Tensor) -> Tensor:
    return layers.Concatenate(axis=1)(list(tensors))


def head(x: Tensor) -> Tensor:
    return run(x, global_pool(), layers.Dropout(0.2), layers.Dense(CLASSES))


def excited(x: Tensor, width: int, squeezed: int, activation: str, gate: str) -> Tensor:
    """Squeeze and excitation."""
    scale = run(
        x,
        global_pool(keepdims=True),
        conv(squeezed, bias=True),
        layers.Activation(activation),
        conv(width, bias=True),
        layers.Activation(gate),
    )
    return layers.Multiply()([scale, x])


def alexnet(x: Tensor) -> Tensor:
    for filters, size, stride, padding, pooled in (
        (64, 11, 4, 2, True),
        (192, 5, 1, 2, True),
        (384, 3, 1, 1, False),
        (256, 3, 1, 1, False),
        (256, 3, 1, 1, True),
    ):
        x = run(x, conv(filters, size, stride, padding, bias=True, activation="relu"))
        x = run(x, max_pool(3, 2)) if pooled else x
    x = run(x, layers.AdaptiveAveragePooling2D(6, **FIRST), layers.Flatten())
    wide = [layers.Dense(4096, activation="relu") for _ in range(2)]
    return run(x, layers.Dropout(0.5), wide[0], layers.Dropout(0.5), wide[1], layers.Dense(CLASSES))


def vgg11_bn(x: Tensor) -> Tensor:
    for widths in ((64,), (128,), (256, 256), (512, 512), (512, 512)):
        for width in widths:
            x = run(x, *activated(conv(width, 3, 1, 1, bias=True)))
        x = run(x, max_pool(2, 2))
    x = run(x, layers.AdaptiveAveragePooling2D(7, **FIRST), layers.Flatten())
    for _ in range(2):
        x = run(x, layers.Dense(4096, activation="relu"), layers.Dropout(0.5))
    return run(x, layers.Dense(CLASSES))


def resnet18(x: Tensor) -> Tensor:
    return _resnet(x, (2, 2, 2, 2), 1, lambda width: [(width, 3, 1), (width, 3, 1)])


def resnext50_32x4d(x: Tensor) -> Tensor:
    return _resnet(x, (3, 4, 6, 3), 4, lambda width: [(2 * width, 1, 1), (2 * width, 3, 32), (4 * width, 1, 1)])


def _resnet(x: Tensor, depths: tuple[int, ...], factor: int, bottleneck: Callable[[int], list[Any]]) -> Tensor:
    x = run(x, *activated(conv(64, 7, 2, 3)), max_pool(3, 2, 1))
    before = 64
    for stage, depth in enumerate(depths):
        width = 64 * 2**stage
        convolutions = bottleneck(width)
        for block in range(depth):
            stride = 2 if stage and not block else 1
            y = x
            for number, (filters, size, groups) in enumerate(convolutions):
                step = stride if size == 3 and not any(each[1] == 3 for each in convolutions[:number]) else 1
                last = number == len(convolutions) - 1
                both = activated(
                    conv(filters, size, step, size // 2, groups=groups), activation=None if last else "relu"
                )
                y = run(y, *both)
            shortcut = x
            if before != factor * width or stride == 2:
                shortcut = run(x, conv(factor * width, 1, stride), norm())
            x = run(layers.Add()([y, shortcut]), layers.ReLU())
            before = factor * width
    return head(x)


def densenet121(x: Tensor) -> Tensor:
    x = run(x, *activated(conv(64, 7, 2, 3)), max_pool(3, 2, 1))
    width = 64
    for block, depth in enumerate((6, 12, 24, 16)):
        for _ in range(depth):
            new = run(x, norm(), layers.ReLU(), *activated(conv(128)), conv(32, 3, 1, 1))
            x = concatenated(x, new)
        width += 32 * depth
        if block < 3:
            width //= 2
            x = run(x, norm(), layers.ReLU(), conv(width), average_pool(2, 2))
    return run(x, norm(), layers.ReLU(), global_pool(), layers.Dense(CLASSES))


def squeezenet1_1(x: Tensor) -> Tensor:
    lit = partial(conv, bias=True, activation="relu")
    x = run(x, lit(64, 3, 2))
    for stage in (((16, 64), (16, 64)), ((32, 128), (32, 128)), ((48, 192), (48, 192), (64, 256), (64, 256))):
        x = run(x, max_pool(3, 2, ceil_mode=True))
        for squeezed, expanded in stage:
            x = run(x, lit(squeezed))
            x = concatenated(run(x, lit(expanded)), run(x, lit(expanded, 3, 1, 1)))
    return run(x, layers.Dropout(0.5), lit(CLASSES), global_pool())


def _inverted(
    x: Tensor,
    before: int,
    wide: int,
    filters: int,
    size: int,
    stride: int,
    activation: str,
    excite: Callable[[Tensor], Tensor] | None = None,
    epsilon: float = 1e-5,
) -> Tensor:
    """An inverted residual: wider, depthwise, and back."""
    both = partial(activated, epsilon=epsilon)
    y = x if wide == before else run(x, *both(conv(wide), activation=activation))
    y = run(y, *both(depthwise(size, stride), activation=activation))
    y = y if excite is None else excite(y)
    y = run(y, *both(conv(filters), activation=None))
    return layers.Add()([y, x]) if stride == 1 and filters == before else y


def mobilenet_v2(x: Tensor) -> Tensor:
    x = run(x, *activated(conv(32, 3, 2, 1), activation="relu6"))
    before = 32
    for factor, filters, depth, stride in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):
        for block in range(depth):
            x = _inverted(x, before, factor * before, filters, 3, 1 if block else stride, "relu6")
            before = filters
    return head(run(x, *activated(conv(1280), activation="relu6")))


def mnasnet1_0(x: Tensor) -> Tensor:
    x = run(x, *activated(conv(32, 3, 2, 1)), *activated(depthwise(3, 1)), *activated(conv(16), activation=None))
    before = 16
    for filters, size, stride, factor, depth in (
        (24, 3, 2, 3, 3),
        (40, 5, 2, 3, 3),
        (80, 5, 2, 6, 3),
        (96, 3, 1, 6, 2),
        (192, 5, 2, 6, 4),
        (320, 3, 1, 6, 1),
    ):
        for block in range(depth):
            y = _inverted(x, before, factor * before, filters, size, 1 if block else stride, "relu")
            x, before = y, filters
    return head(run(x, *activated(conv(1280))))


def mobilenet_v3_small(x: Tensor) -> Tensor:
    x = run(x, *activated(conv(16, 3, 2, 1), activation="hard_swish", epsilon=1e-3))
    before = 16
    for size, wide, filters, squeezed, activation, stride in (
        (3, 16, 16, 8, "relu", 2),
        (3, 72, 24, None, "relu", 2),
        (3, 88, 24, None, "relu", 1),
        (5, 96, 40, 24, "hard_swish", 2),
        (5, 240, 40, 64, "hard_swish", 1),
        (5, 240, 40, 64, "hard_swish", 1),
        (5, 120, 48, 32, "hard_swish", 1),
        (5, 144, 48, 40, "hard_swish", 1),
        (5, 288, 96, 72, "hard_swish", 2),
        (5, 576, 96, 144, "hard_swish", 1),
        (5, 576, 96, 144, "hard_swish", 1),
    ):
        excite = squeezed and partial(excited, width=wide, squeezed=squeezed, activation="relu", gate="hard_sigmoid")
        x = _inverted(x, before, wide, filters, size, stride, activation, excite or None, 1e-3)
        before = filters
    x = run(x, *activated(conv(576), activation="hard_swish", epsilon=1e-3), global_pool())
    return run(x, layers.Dense(1024, activation="hard_swish"), layers.Dropout(0.2), layers.Dense(CLASSES))


def efficientnet_b0(x: Tensor) -> Tensor:
    x = run(x, *activated(conv(32, 3, 2, 1), activation="silu"))
    before = 32
    for factor, size, stride, filters, depth in (
        (1, 3, 1, 16, 1),
        (6, 3, 2, 24, 2),
        (6, 5, 2, 40, 2),
        (6, 3, 2, 80, 3),
        (6, 5, 1, 112, 3),
        (6, 5, 2, 192, 4),
        (6, 3, 1, 320, 1),
    ):
        for block in range(depth):
            wide = factor * before
            excite = partial(excited, width=wide, squeezed=before // 4, activation="silu", gate="sigmoid")
            x = _inverted(x, before, wide, filters, size, 1 if block else stride, "silu", excite)
            before = filters
    return head(run(x, *activated(conv(1280), activation="silu")))


def regnet_y_400mf(x: Tensor) -> Tensor:
    x = run(x, *activated(conv(32, 3, 2, 1)))
    before = 32
    for width, depth in ((48, 1), (104, 3), (208, 6), (440, 6)):
        for block in range(depth):
            stride = 1 if block else 2
            shortcut = x if block else run(x, *activated(conv(width, 1, stride), activation=None))
            y = run(x, *activated(conv(width)), *activated(conv(width, 3, stride, 1, groups=width // 8)))
            y = excited(y, width, round(before / 4), "relu", "sigmoid")
            y = run(y, *activated(conv(width), activation=None))
            x, before = run(layers.Add()([shortcut, y]), layers.ReLU()), width
    return run(x, global_pool(), layers.Dense(CLASSES))


def _branch(x: Tensor, *convolutions: Any) -> Tensor:
    """Convolutions in a row, as in the Inception networks."""
    for filters, size, *more in convolutions:
        x = run(x, *activated(conv(filters, size, *more), epsilon=1e-3))
    return x


def googlenet(x: Tensor) -> Tensor:
    x = run(_branch(x, (64, 7, 2, 3)), max_pool(3, 2, ceil_mode=True))
    x = run(_branch(x, (64, 1), (192, 3, 1, 1)), max_pool(3, 2, ceil_mode=True))
    for first, reduced3, full3, reduced5, full5, pooled, size in (
        (64, 96, 128, 16, 32, 32, None),
        (128, 128, 192, 32, 96, 64, 3),
        (192, 96, 208, 16, 48, 64, None),
        (160, 112, 224, 24, 64, 64, None),
        (128, 128, 256, 24, 64, 64, None),
        (112, 144, 288, 32, 64, 64, None),
        (256, 160, 320, 32, 128, 128, 2),
        (256, 160, 320, 32, 128, 128, None),
        (384, 192, 384, 48, 128, 128, None),
    ):
        x = concatenated(
            _branch(x, (first, 1)),
            _branch(x, (reduced3, 1), (full3, 3, 1, 1)),
            _branch(x, (reduced5, 1), (full5, 3, 1, 1)),
            _branch(run(x, max_pool(3, 1, 1, ceil_mode=True)), (pooled, 1)),
        )
        x = x if size is None else run(x, max_pool(size, 2, ceil_mode=True))
    return head(x)


def inception_v3(x: Tensor) -> Tensor:
    def pooled(filters: int) -> Tensor:
        return _branch(run(x, average_pool(3, 1, 1)), (filters, 1))

    flat, tall = ((1, 7), 1, (0, 3)), ((7, 1), 1, (3, 0))
    x = run(_branch(x, (32, 3, 2), (32, 3), (64, 3, 1, 1)), max_pool(3, 2))
    x = run(_branch(x, (80, 1), (192, 3)), max_pool(3, 2))
    for filters in (32, 64, 64):
        x = concatenated(
            _branch(x, (64, 1)),
            _branch(x, (48, 1), (64, 5, 1, 2)),
            _branch(x, (64, 1), (96, 3, 1, 1), (96, 3, 1, 1)),
            pooled(filters),
        )
    x = concatenated(_branch(x, (384, 3, 2)), _branch(x, (64, 1), (96, 3, 1, 1), (96, 3, 2)), run(x, max_pool(3, 2)))
    for n in (128, 160, 160, 192):
        x = concatenated(
            _branch(x, (192, 1)),
            _branch(x, (n, 1), (n, *flat), (192, *tall)),
            _branch(x, (n, 1), (n, *tall), (n, *flat), (n, *tall), (192, *flat)),
            pooled(192),
        )
    x = concatenated(
        _branch(x, (192, 1), (320, 3, 2)),
        _branch(x, (192, 1), (192, *flat), (192, *tall), (192, 3, 2)),
        run(x, max_pool(3, 2)),
    )
    for _ in range(2):
        first, second = _branch(x, (320, 1)), _branch(x, (384, 1))
        second = concatenated(_branch(second, (384, (1, 3), 1, (0, 1))), _branch(second, (384, (3, 1), 1, (1, 0))))
        third = _branch(x, (448, 1), (384, 3, 1, 1))
        third = concatenated(_branch(third, (384, (1, 3), 1, (0, 1))), _branch(third, (384, (3, 1), 1, (1, 0))))
        x = concatenated(first, second, third, pooled(192))
    return head(x)


NETWORKS: dict[str, Callable[[Tensor], Tensor]] = {
    make.__name__: make
    for make in (
        alexnet,
        densenet121,
        efficientnet_b0,
        googlenet,
        inception_v3,
        mnasnet1_0,
        mobilenet_v2,
        mobilenet_v3_small,
        regnet_y_400mf,
        resnet18,
        resnext50_32x4d,
        squeezenet1_1,
        vgg11_bn,
    )
}
"""By their names in `torchvision.models`."""


def network(name: str, height: int, width: int) -> ab.Architecture:
    """A network for colour images of a size."""
    image = layers.Input((3, height, width))
    return ab.Space(inputs=image, outputs=NETWORKS[name](layers.Identity()(image))).architecture()
