"""The summary of a network, in the form that Keras users know."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from archbudget._message import listed

if TYPE_CHECKING:
    from rich.table import Table

    from archbudget.network.network import Network


UNKNOWN = "unknown"
"""Stands in tables where a number depends on a side that is unknown."""


def _known(count: int | None) -> str:
    return UNKNOWN if count is None else f"{count:,}"


def show_shape(shape: tuple[int, ...]) -> str:
    """A shape with the batch axis, as Keras prints it."""
    return f"(None, {', '.join(str(side) for side in shape)})" if shape else "(None,)"


def show_shapes(shapes: tuple[tuple[int, ...], ...]) -> str:
    """The shapes of the outputs of a layer, as a list if there are several, as Keras prints them."""
    shown = ", ".join(map(show_shape, shapes))
    return shown if len(shapes) == 1 else f"[{shown}]"


def table(network: Network) -> Table:
    """The layers of a network as a table for the terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SQUARE, header_style="bold")
    table.add_column("Layer (type)")
    table.add_column("Output Shape")
    table.add_column("Param #", justify="right")
    table.add_column("MACs", justify="right")
    records = [call.record for call in network.calls]
    mixed = len({record.weight_bits for record in records if record.params}) > 1
    if mixed:
        table.add_column("Bits", justify="right")
    for metric in network.custom:
        table.add_column(metric, justify="right")
    for record in records:
        again = " (reused)" if record.reused else ""
        table.add_row(
            Text(f"{record.name} ({record.type}){again}"),  # A name is no markup.
            show_shapes(record.output_shapes),
            f"{record.params:,}",
            _known(record.macs),
            *([f"{record.weight_bits}" if record.params else ""] if mixed else []),
            *(f"{record.custom[metric]:,}" for metric in network.custom),
        )
    return table


def summary(network: Network) -> str:
    """The layers of a network and its totals, as plain text."""
    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, width=100, color_system=None)
    console.print(table(network))
    for line in totals(network):
        console.print(f" {line}", highlight=False, markup=False, soft_wrap=True)
    return out.getvalue().rstrip("\n")


def totals(network: Network) -> list[str]:
    """The lines below the table."""
    costs = network.costs
    return [
        *_unread(network),
        f"Total params: {costs['params']:,} ({_bytes(costs['weight_bytes'])})",
        f"Trainable params: {costs['trainable_params']:,}",
        f"Non-trainable params: {costs['params'] - costs['trainable_params']:,}",
        f"MACs: {_known(costs.get('macs'))}",
        f"Peak activations: {_bytes(costs['peak_activation_bytes']) if 'macs' in costs else UNKNOWN}",
        *(f"{metric}: {costs[metric]:,}" for metric in network.custom),
    ]


def _unread(network: Network) -> list[str]:
    """The line of the layers that lead to no output, if there are any.

    A layer that shares the weights of one inside of it may count some that the real model has after all.
    """
    unread = network.unread
    read = [call for call in network.calls if call not in unread]
    places = {place for call in read for place in (call.use.place, *call.use.inside.values())}
    gone = [call for call in unread if call.use.place not in places]
    if not gone:
        return []
    partly = any(not places.isdisjoint(call.use.inside.values()) for call in gone)
    params = sum(call.record.params for call in gone)
    names = listed(dict.fromkeys(call.weights for call in gone))
    counted = f"{'at most ' if partly and params else ''}{params:,} params"
    return [f"Lead to no output, so counted but left out by to_keras(): {names} ({counted})"]


def _bytes(count: float) -> str:
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if count < 1024 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.2f} {unit}"
        count /= 1024
    raise AssertionError("the last unit returns")
