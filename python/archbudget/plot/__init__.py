"""Plots of the costs of a space, of the networks that fit a budget, of a search, and of the diagram of a small space.

Each function returns a `plotly.graph_objects.Figure`; `save` writes one. plotly is loaded when a plot is made, and a
`MissingPackageError` says where it is not installed: `pip install plotly`. The functions share no state, so
they are safe to call from several threads. Questions to a space release the GIL; making a figure holds it.
"""

from archbudget.plot._budgets import budgets
from archbudget.plot._diagram import diagram
from archbudget.plot._distribution import distribution
from archbudget.plot._history import history
from archbudget.plot._marginals import marginals
from archbudget.plot._pareto import pareto
from archbudget.plot._saving import ALONE, FORMATS, kind_of, save

__all__ = [
    "ALONE",
    "FORMATS",
    "budgets",
    "diagram",
    "distribution",
    "history",
    "kind_of",
    "marginals",
    "pareto",
    "save",
]


def __dir__() -> list[str]:
    return sorted(__all__)
