"""Exact budget arithmetic for neural-architecture search spaces.

Describe a family of networks once, in the vocabulary of Keras; then count millions of candidates a second, ask how many
fit a budget, and search under Optuna with every trial inside of it. Start with [`Space`][archbudget.Space].
"""

from archbudget import _core, errors, layers, metrics, plot, spaces
from archbudget._architecture import Architecture, Formula, LayerRecord
from archbudget._budget import Budget
from archbudget._candidates import Candidates, Evaluation, LayerEvaluation
from archbudget._constraint import Constraint
from archbudget._describe import Description, Stage
from archbudget._distribution import Distribution
from archbudget._expressions import (
    Choice,
    Int,
    both,
    channels,
    different,
    either,
    equal,
    maximum,
    minimum,
    round_to,
)
from archbudget._feasible import Bounds, FeasibleSet, Marginals
from archbudget._sampler import BudgetSampler
from archbudget._search import search
from archbudget._space import Space
from archbudget.layers import InputChoice, OneOf, Repeat, Require, Residual
from archbudget.metrics import LatencyTable, Metric

__version__ = _core.VERSION

__all__ = [
    "Architecture",
    "Bounds",
    "Budget",
    "BudgetSampler",
    "Candidates",
    "Choice",
    "Constraint",
    "Description",
    "Distribution",
    "Evaluation",
    "FeasibleSet",
    "Formula",
    "InputChoice",
    "Int",
    "LatencyTable",
    "LayerEvaluation",
    "LayerRecord",
    "Marginals",
    "Metric",
    "OneOf",
    "Repeat",
    "Require",
    "Residual",
    "Space",
    "Stage",
    "__version__",
    "both",
    "channels",
    "different",
    "either",
    "equal",
    "errors",
    "layers",
    "maximum",
    "metrics",
    "minimum",
    "plot",
    "round_to",
    "search",
    "spaces",
]
