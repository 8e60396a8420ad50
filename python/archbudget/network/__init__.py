"""One network: its calls in order, and what is said of them in words."""

from archbudget.network.explain import explain
from archbudget.network.network import Call, Network
from archbudget.network.summary import show_shape, show_shapes, summary, table, totals

__all__ = ["Call", "Network", "explain", "show_shape", "show_shapes", "summary", "table", "totals"]
