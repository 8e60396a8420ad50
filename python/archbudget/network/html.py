"""A network as HTML, for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget._markup import Markup, bar, division, html, paragraph, table
from archbudget.network.summary import UNKNOWN, show_shapes, totals

if TYPE_CHECKING:
    from archbudget.network.network import Network

MOST_ROWS = 200
"""The most layers that are shown in a notebook."""


def network_html(network: Network, values: str, most: int = MOST_ROWS) -> str:
    """The layers of a network and its totals, with a bar for the share of the weights that each layer has.

    Args:
        network: The network.
        values: The values of its decisions, as text.
        most: The most layers that are shown.
    """
    params = network.costs["params"]
    rows: list[tuple[Markup | str, ...]] = []
    for call in network.calls[:most]:
        record = call.record
        again = " (reused)" if record.reused else ""
        rows.append(
            (
                f"{record.name} ({record.type}){again}",
                show_shapes(record.output_shapes),
                f"{record.params:,}",
                UNKNOWN if record.macs is None else f"{record.macs:,}",
                *(f"{record.custom[metric]:,}" for metric in network.custom),
                bar(record.params / params if params else 0),
            )
        )
    left = len(network.calls) - most
    titles = ("Layer (type)", "Output shape", "Params", "MACs", *network.custom, "Share of params")
    return division(
        paragraph(html(values)) if values else None,
        table(titles, rows, left=2),
        paragraph(f"{left:,} more layers") if left > 0 else None,
        *(paragraph(text) for text in totals(network)),
    )
