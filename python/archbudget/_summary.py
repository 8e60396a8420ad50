"""The summary of a network, as Keras users know it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from archbudget._budget import BUILT_IN

if TYPE_CHECKING:
    from rich.table import Table

    from archbudget._architecture import Architecture


def show_shape(shape: tuple[int, ...]) -> str:
    """A shape with the batch axis, as Keras prints it."""
    return f"(None, {', '.join(str(side) for side in shape)})" if shape else "(None,)"


def show_shapes(shapes: tuple[tuple[int, ...], ...]) -> str:
    """The shapes of the outputs of a layer, several of them in a list, as Keras prints them."""
    shown = ", ".join(map(show_shape, shapes))
    return shown if len(shapes) == 1 else f"[{shown}]"


def table(arch: Architecture) -> Table:
    """The layers of a network as a table for the terminal."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SQUARE, header_style="bold")
    table.add_column("Layer (type)")
    table.add_column("Output Shape")
    table.add_column("Param #", justify="right")
    table.add_column("MACs", justify="right")
    mixed = len({record.weight_bits for record in arch.layers if record.params}) > 1
    if mixed:
        table.add_column("Bits", justify="right")
    own = arch.space.metrics[len(BUILT_IN) :]
    for metric in own:
        table.add_column(metric, justify="right")
    for record in arch.layers:
        again = " (reused)" if record.reused else ""
        table.add_row(
            f"{record.name} ({record.type}){again}",
            show_shapes(record.output_shapes),
            f"{record.params:,}",
            f"{record.macs:,}",
            *([f"{record.weight_bits}" if record.params else ""] if mixed else []),
            *(f"{record.custom[metric]:,}" for metric in own),
        )
    return table


def summary(arch: Architecture) -> str:
    """The layers of a network and its totals, as plain text."""
    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, width=100, color_system=None)
    console.print(table(arch))
    for line in totals(arch):
        console.print(f" {line}", highlight=False)
    return out.getvalue().rstrip("\n")


def totals(arch: Architecture) -> list[str]:
    """The lines below the table."""
    return [
        f"Total params: {arch.params:,} ({_bytes(arch.weight_bytes)})",
        f"Trainable params: {arch.trainable_params:,}",
        f"Non-trainable params: {arch.params - arch.trainable_params:,}",
        f"MACs: {arch.macs:,}",
        f"Peak activations: {_bytes(arch.peak_activation_bytes)}",
        *(f"{metric}: {arch.costs[metric]:,}" for metric in arch.space.metrics[len(BUILT_IN) :]),
    ]


def _bytes(count: float) -> str:
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if count < 1024 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.2f} {unit}"
        count /= 1024
    raise AssertionError("the last unit returns")
