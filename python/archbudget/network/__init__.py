"""One network: its calls in order, and texts about them."""

from archbudget.network.explain import explain
from archbudget.network.network import Call, Network
from archbudget.network.summary import show_shape, show_shapes, summary, table, totals

__all__ = ["Call", "Network", "explain", "show_shape", "show_shapes", "summary", "table", "totals"]
