"""How diagrams grow where many widths and choices wait: `python benches/growth.py`.

Each row compiles a space in a separate process, counts the networks of at most the middle of its range of params,
exactly or within bounds, and finds the range of its peaks, which may need a diagram of its own. Where that takes too
much work, peaks can only be counted candidate by candidate.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import archbudget as ab
from apart import main
from archbudget import layers

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = {
    **{
        f"unet, {widths} widths, {depth} halvings": ("unet", widths, depth)
        for widths, depth in [(8, 4), (16, 4), (16, 5), (32, 5), (64, 6)]
    },
    **{f"densenet, 8 growths, {blocks} layers, joined": ("joined", 8, blocks) for blocks in (4, 8, 32)},
    **{f"densenet, 8 growths, {blocks} layers, apart": ("apart", 8, blocks) for blocks in (4, 8, 32)},
    **{f"cell of {nodes} nodes of two inputs and operations each": ("cell", 5, nodes) for nodes in (4, 5, 8)},
}


def densenet(growths: int, blocks: int, *, joined: bool) -> ab.Space:
    """Convolutions that each read all before them, each with its own growth rate (arXiv 1608.06993).

    Args:
        growths: How many growth rates a layer can have.
        blocks: How many layers.
        joined: Whether each layer adds to one tensor of all before it, so that only its channels are alive; otherwise
            each reads the outputs of all before it, whose widths are then alive one by one.
    """
    image = layers.Input((32, 32, 16))
    before: list[layers.Tensor] = [layers.Identity()(image)]
    for number in range(1, blocks + 1):
        growth = ab.Choice(f"growth_{number}", [4 * part for part in range(1, growths + 1)])
        source = before[0] if len(before) == 1 else layers.Concatenate()(before)
        made = layers.Conv2D(growth, 3, padding="same")(source)
        before = [layers.Concatenate()([source, made])] if joined else [*before, made]
    return ab.Space(inputs=image, outputs=layers.Dense(10)(layers.Concatenate()(before)))


def cell(operations: int, nodes: int) -> ab.Space:
    """A cell whose nodes each add two operations on any two tensors before them, as in NASNet (arXiv 1707.07012)."""
    image = layers.Input((16, 16, 8))
    tensors: list[layers.Tensor] = [layers.Conv2D(8, 1)(image), layers.Conv2D(8, 1)(image)]

    def operation(name: str) -> layers.Tensor:
        kinds = [
            layers.SeparableConv2D(8, 3, padding="same"),
            layers.SeparableConv2D(8, 5, padding="same"),
            layers.MaxPooling2D(3, strides=1, padding="same"),
            layers.AveragePooling2D(3, strides=1, padding="same"),
            layers.Identity(),
        ]
        return layers.OneOf(f"op_{name}", kinds[:operations])(layers.InputChoice(f"from_{name}")(tensors))

    for node in range(1, nodes + 1):
        read = [operation(f"{node}a"), operation(f"{node}b")]
        tensors.append(layers.Add()(read))
    pooled = layers.GlobalAveragePooling2D()(layers.Concatenate()(tensors[2:]))
    return ab.Space(inputs=image, outputs=layers.Dense(10)(pooled))


def timed(ask: Callable[[], object]) -> str:
    """The seconds that a question takes; nothing where it takes too much."""
    start = time.perf_counter()
    try:
        ask()
    except ab.errors.LimitError:
        return f"given up in {time.perf_counter() - start:.1f} s"
    return f"{time.perf_counter() - start:.3f} s"


def measure(family: str, choices: int, deep: int) -> dict[str, object]:
    """The time and memory of a space."""
    make = {
        "unet": lambda: ab.spaces.unet(widths=choices, most_depth=deep),
        "cell": lambda: cell(choices, deep),
        "joined": lambda: densenet(choices, deep, joined=True),
        "apart": lambda: densenet(choices, deep, joined=False),
    }[family]
    start = time.perf_counter()
    space = make()
    seconds = time.perf_counter() - start
    nodes = space.describe().nodes
    middle = sum(space.range("params")) // 2
    counted = timed(lambda: space.within(ab.Budget(params=middle)).bounds())
    peaks = timed(lambda: space.range("peak_activation_bytes"))
    peak = next(line for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines() if "VmHWM" in line)
    return {
        "networks": f"{space.size:.3g}" if space.size >= 10**12 else f"{space.size:,}",
        "nodes": f"{nodes:,}",
        "compiled in": f"{seconds:.3f} s",
        "params <= the middle": counted,
        "peaks": peaks,
        "memory": f"{int(peak.split()[1]) // 1024:,} MiB",
    }


if __name__ == "__main__":
    main(__file__, __doc__, "Diagrams where many widths and choices wait", ROWS, lambda row: measure(*ROWS[row]))
