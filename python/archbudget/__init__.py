"""Exact budget arithmetic for neural-architecture search spaces.

Describe a family of networks once, in the vocabulary of Keras; then count millions of candidates a second, ask how many
fit a budget, and search under Optuna with every trial inside of it. Start with [`Space`][archbudget.Space].
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# NumPy comes first: loaded in the midst of the modules below, all takes a third longer (benches/imports.py).
import numpy as _numpy  # noqa: F401

from archbudget import errors, layers, metrics
from archbudget._budget import Budget
from archbudget._core import VERSION
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
from archbudget._message import nearest
from archbudget._progress import Progress, watch_notebook
from archbudget._records import Formula, LayerRecord
from archbudget.layers import InputChoice, OneOf, Repeat, Require, Residual
from archbudget.metrics import LatencyTable, Metric
from archbudget.search import search
from archbudget.space.architecture import Architecture
from archbudget.space.bounds import Bounds
from archbudget.space.candidates import Candidates
from archbudget.space.constraint import Constraint
from archbudget.space.describe import Description, Stage
from archbudget.space.distribution import Distribution
from archbudget.space.evaluation import Evaluation, LayerEvaluation
from archbudget.space.feasible import FeasibleSet, Marginals
from archbudget.space.grid import CountGrid
from archbudget.space.kept import release_memory
from archbudget.space.ladder import ladder
from archbudget.space.removing import Optional, optional
from archbudget.space.space import Space
from archbudget.space.stored import Format, store_with
from archbudget.space.varying import Scale, scale
from archbudget.tflite import Arena

__version__ = VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from archbudget import plot, spaces
    from archbudget._progress import ProgressLike
    from archbudget.checking.assertion import assert_within
    from archbudget.importers.huggingface import from_huggingface
    from archbudget.importers.keras import from_keras
    from archbudget.importers.onnx import from_onnx
    from archbudget.importers.torch import from_torch
    from archbudget.pruning import channel_importance, prune_channels
    from archbudget.reporting import report
    from archbudget.search.oracle import BudgetOracle, BudgetTuner
    from archbudget.search.sampler import BudgetSampler
    from archbudget.space.family import Family

__all__ = [
    "Architecture",
    "Arena",
    "Bounds",
    "Budget",
    "BudgetOracle",
    "BudgetSampler",
    "BudgetTuner",
    "Candidates",
    "Choice",
    "Constraint",
    "CountGrid",
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
    "Optional",
    "Progress",
    "Repeat",
    "Require",
    "Residual",
    "Scale",
    "Space",
    "Stage",
    "__version__",
    "assert_within",
    "both",
    "channel_importance",
    "channels",
    "different",
    "either",
    "equal",
    "errors",
    "from_huggingface",
    "from_keras",
    "from_onnx",
    "from_torch",
    "ladder",
    "layers",
    "maximum",
    "metrics",
    "minimum",
    "optional",
    "plot",
    "prune_channels",
    "release_memory",
    "report",
    "round_to",
    "scale",
    "search",
    "spaces",
]


def _read(path: Path, code: bool) -> Space:
    """The space of a file; what reads files is loaded when the first one is read."""
    from archbudget import files

    return files.read(path, code=code).space


def _parse(text: str, code: bool) -> Space:
    """The space of a text, in the same way."""
    from archbudget import files

    return files.parse(text, code=code).space


def _text(space: Family) -> str:
    """The text of a space, in the same way."""
    from archbudget import files

    return files.text_of_space(space)


def _evaluate(space: Any, source: Any, target: str, metrics: list[str], progress: ProgressLike) -> int:
    """Counts candidates into a file, in the same way."""
    from archbudget.files.streaming import evaluate_to_file

    return evaluate_to_file(space, source, target, metrics, progress=progress).candidates


def _enumerate(space: Any, fits: Any, budget: Any, file: str | None, *options: Any, **named: Any) -> int:
    """Writes candidates into a folder, in the same way."""
    from archbudget.files.enumeration import Source, write_parquet

    return write_parquet(Source(space, fits, budget, file), *options, **named)


watch_notebook()
store_with(Format(_read, _parse, _text, _evaluate, _enumerate))


NUMBERS = 'a space has whole numbers and words: Choice("rate", [0.1, 0.2]) has values of any kind'
OTHER_NAMES = {
    **dict.fromkeys(["Float", "Real", "Uniform", "FloatDistribution", "LogUniform"], NUMBERS),
    **dict.fromkeys(["Categorical", "CategoricalDistribution", "ValueChoice", "Ordinal"], "use Choice"),
    **dict.fromkeys(["Integer", "IntDistribution", "IntUniform", "Range"], "use Int"),
    **dict.fromkeys(["Bool", "Boolean", "Flag"], 'use Choice("flag", [True, False])'),
    "LayerChoice": "use OneOf",
    "Model": "use Space",
    "SearchSpace": "use Space",
    "load": "use Space.load",
}
"""What other libraries call what is here."""


LATER = {
    "BudgetSampler": "search.sampler",
    "assert_within": "checking.assertion",
    "from_huggingface": "importers.huggingface",
    "from_keras": "importers.keras",
    "from_onnx": "importers.onnx",
    "from_torch": "importers.torch",
    "channel_importance": "pruning",
    "prune_channels": "pruning",
    "report": "reporting",
}
"""What is loaded when it is first asked for, and the module that it is in."""


if not TYPE_CHECKING:  # So that type checkers know which names there are.

    def __getattr__(name: str) -> object:
        """What is loaded when it is first asked for: counting needs neither Optuna nor the shelf nor plots."""
        if name in ("plot", "spaces"):
            return import_module(f"archbudget.{name}")
        if name in LATER:
            globals()[name] = getattr(import_module(f"archbudget.{LATER[name]}"), name)
            return globals()[name]
        if name in ("BudgetOracle", "BudgetTuner"):  # They are classes of KerasTuner's, which need not be there.
            return getattr(import_module("archbudget.search.oracle"), name)
        if name.startswith("_"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        known = OTHER_NAMES.get(name)
        if known is None and name in layers.__all__:
            known = f"use archbudget.layers.{name}"
        if known is None:
            near = nearest(name, __all__)
            known = "dir(archbudget) has its names" if near is None else f"did you mean {near}?"
        raise AttributeError(f"archbudget has no {name}: {known}")


def __dir__() -> list[str]:
    return sorted(__all__)
