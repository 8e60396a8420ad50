"""How long exact counts take, compilation apart: `python benches/feasible.py`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

import archbudget as ab
from archbudget import bench, layers

if TYPE_CHECKING:
    from collections.abc import Callable


def mobilenet_v3_like() -> ab.Space:
    """5 stages of 2 to 4 blocks, kernel 3, 5 or 7, expansion 3, 4 or 6: 2.18e19 networks."""

    def stage(number: int, width: int, stride: int) -> ab.Repeat:
        def block(index: int) -> list[layers.Layer]:
            expand = ab.Choice(f"expand_{number}_{index}", [3, 4, 6])
            kernel = ab.Choice(f"kernel_{number}_{index}", [3, 5, 7])
            strides = stride if index == 1 else 1
            return [
                layers.Conv2D(ab.channels() * expand, 1, use_bias=False),
                layers.BatchNormalization(),
                layers.DepthwiseConv2D(kernel, strides=strides, padding="same", use_bias=False),
                layers.BatchNormalization(),
                layers.Conv2D(width, 1, use_bias=False),
                layers.BatchNormalization(),
            ]

        return ab.Repeat(ab.Int(f"depth_{number}", 2, 4), block)

    stages = zip((24, 40, 80, 112, 160), (2, 2, 2, 1, 2), strict=True)
    return ab.Space(
        [
            layers.Input((224, 224, 3)),
            layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            *(stage(number, width, stride) for number, (width, stride) in enumerate(stages, 1)),
            layers.Conv2D(960, 1, use_bias=False),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1000),
        ]
    )


def twelve_convolutions() -> ab.Space:
    """12 convolutions of 32 widths each: 1.15e18 networks."""
    convolutions = [layers.Conv2D(ab.Choice(f"w{i}", range(8, 257, 8)), 3, padding="same") for i in range(12)]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(10)]
    return ab.Space([layers.Input((32, 32, 3)), *convolutions, *head])


def main() -> None:
    """Prints a line for each space: its size, the budget, what fits, and seconds."""
    cases: list[tuple[str, Callable[[], ab.Space], int | None]] = [
        ("LeNet family", bench.lenet, 100_000),
        ("LeNet family", bench.lenet, 8_000),
        ("MobileNetV3-like, median", mobilenet_v3_like, None),
        ("12 convolutions", twelve_convolutions, 100_000),
    ]
    for name, make, params in cases:
        start = time.perf_counter()
        space = make()
        compiled = time.perf_counter() - start
        if params is None:
            params = int(np.median(space.evaluate(space.sample(100_000, seed=0), ["params"])["params"]))
        start = time.perf_counter()
        count = space.within(ab.Budget(params=params)).count()
        seconds = time.perf_counter() - start
        print(
            f"{name}: {space.size:,} networks, compiled in {compiled:.3f} s; "
            f"{count:,} with params <= {params:,}, counted in {seconds:.3f} s"
        )


if __name__ == "__main__":
    main()
