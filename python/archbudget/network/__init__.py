"""One network: its calls in order, and texts about them."""

from archbudget.network.explain import explain, explained
from archbudget.network.flops import flops
from archbudget.network.html import network_html
from archbudget.network.network import Call, Network
from archbudget.network.summary import show_shape, show_shapes, summary, table, totals

__all__ = [
    "Call",
    "Network",
    "explain",
    "explained",
    "flops",
    "network_html",
    "show_shape",
    "show_shapes",
    "summary",
    "table",
    "totals",
]
