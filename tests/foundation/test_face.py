"""`dir()` and `help()` show the public face of every public class, and nothing else."""

from __future__ import annotations

import inspect
import pydoc
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pytest

import archbudget as ab
from archbudget import errors, layers, metrics

WIDTH = ab.Int("width", 1, 3)
SPACE = ab.Space([layers.Input((4,)), layers.Dense(WIDTH)])
FITS = SPACE.within(ab.Budget(params=10))
BATCH = SPACE.sample(3, seed=0)
COUNTS = SPACE.evaluate(BATCH, per_layer=True)
ARCH = SPACE.architecture(width=1)
MAPPING = {"get", "items", "keys", "values"}
METRIC = {"combine", "function", "name", "resolution"}

FACES: dict[str, tuple[Any, set[str]]] = {
    "Architecture": (
        ARCH,
        MAPPING
        | {
            "arena",
            "arena_bytes",
            "costs",
            "explain",
            "flash_bytes",
            "flops",
            "from_dict",
            "indices",
            "layer",
            "layers",
            "macs",
            "parameters",
            "params",
            "peak_activation_bytes",
        }
        | {
            "space",
            "summary",
            "to_code",
            "to_dict",
            "to_keras",
            "to_onnx",
            "to_torch",
            "trainable_params",
            "weight_bytes",
        },
    ),
    "Arena": (ab.Arena(1, 0, 1, 1, 1), {"at_least", "planning", "scratch", "structures", "tensors", "total"}),
    "Bounds": (ab.Bounds(1, 2), {"exact", "lower", "ratio", "upper"}),
    "Budget": (ab.Budget(params=1), MAPPING | {"count", "describe", "mask", "of", "violations"}),
    "Candidates": (BATCH, {"indices", "load", "save", "space", "to_pandas", "values"}),
    "Choice": (ab.Choice("word", ["a", "b"]), {"index", "map", "name", "step", "values"}),
    "Constraint": (SPACE.constraint(ab.Budget(params=1)), {"budget", "count", "mask", "names", "space"}),
    "CountGrid": (
        SPACE.count_grid(params=[1]),
        {"budgets", "exact", "metrics", "ranges", "shape", "size", "to_pandas"},
    ),
    "Description": (
        SPACE.describe(),
        {"arcs", "combinations", "decisions", "heading", "layers", "memory", "nodes", "rows", "size", "stages"}
        | {"to_dict", "totals"},
    ),
    "Distribution": (
        SPACE.distribution("params"),
        {"cdf", "counts", "error", "exact", "metric", "quantile", "to_pandas", "total", "values"},
    ),
    "Evaluation": (COUNTS, MAPPING | {"layers", "to_pandas", "valid"}),
    "FeasibleSet": (
        FITS,
        {"acceptance", "allowed", "at", "best", "bounds", "budget", "candidates", "chunks", "closest", "count"}
        | {"exact", "fix", "fixed", "fraction", "is_empty", "largest", "marginals", "memory", "pareto", "prune", "rank"}
        | {"points", "sample", "shares", "smallest", "space", "write_parquet"},
    ),
    "Formula": (ARCH.layers[1].macs_formula, {"named", "names", "numbers", "text", "value"}),
    "InputChoice": (ab.InputChoice("c", inputs=["a", "b"]), {"inputs", "merge", "name"}),
    "Int": (WIDTH, {"index", "map", "name", "step", "values"}),
    "LatencyTable": (
        ab.LatencyTable("t", [({"type": "Dense"}, 1)]),
        METRIC | {"entries", "read_csv", "write_template"},
    ),
    "LayerEvaluation": (COUNTS.layers, {"costs", "names", "shapes"}),
    "Marginals": (
        FITS.marginals(),
        MAPPING | {"clear", "copy", "exact", "fromkeys", "pop", "popitem", "setdefault", "update"},
    ),
    "Metric": (ab.Metric("m", len), METRIC),  # type: ignore[arg-type]
    "OneOf": (ab.OneOf("o", {"a": []}), {"blocks", "decision"}),
    "Optional": (ab.optional("a"), {"layers", "matches", "name"}),
    "Repeat": (ab.Repeat(2, []), {"block", "shared", "times"}),
    "Require": (ab.Require(WIDTH < 2), {"condition"}),
    "Residual": (ab.Residual([]), {"body", "merge", "shortcut"}),
    "Scale": (ab.scale(1, 2), {"divisor", "high", "low", "multipliers", "name", "rounded", "step", "widths"}),
    "Space": (
        SPACE,
        {
            "architecture",
            "arena",
            "best",
            "combinations",
            "constraint",
            "constraints",
            "decisions",
            "describe",
            "domains",
        }
        | {
            "count_grid",
            "from_function",
            "distinct_layers",
            "distribution",
            "evaluate",
            "evaluate_to_file",
            "from_trial",
            "from_yaml",
            "layer_names",
            "load",
            "metrics",
        }
        | {"name", "range", "sample", "save", "size", "suggest", "to_yaml", "with_constraints", "with_domains"}
        | {"evaluate_to_file", "vary", "with_metrics", "with_name", "with_sides", "within", "write_parquet"},
    ),
    "expression": (WIDTH + 1, set()),
    "tensor": (layers.ReLU()(layers.Input((3,))), {"block", "inputs"}),
    "layers.Sequential": (layers.Sequential([]), {"blocks"}),
    "metrics.OutputSize": (metrics.output_size("a"), METRIC | {"axis", "layer"}),
}


def _public(value: object) -> set[str]:
    return {name for name in dir(value) if not name.startswith("_")}


@pytest.mark.parametrize("name", FACES)
def test_dir_shows_the_public_face(name: str) -> None:
    made, face = FACES[name]
    assert _public(made) == face
    assert _public(type(made)) <= face


def test_every_public_class_is_looked_at() -> None:
    """Those that are made by hand; of layers every class is asked below."""
    classes = {name for name in ab.__all__ if inspect.isclass(getattr(ab, name))}
    assert classes - set(FACES) == {
        "BudgetOracle",
        "BudgetSampler",
        "BudgetTuner",
        "LayerRecord",
        "Progress",
        "Stage",
    }, "samplers have the names of Optuna and KerasTuner, records fields"
    assert _public(ARCH.layers[1]) == {each.name for each in fields(ab.LayerRecord)} | {"non_trainable_params"}


LAYERS = sorted(
    name for name in layers.__all__ if inspect.isclass(each := getattr(layers, name)) and issubclass(each, layers.Layer)
)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_shows_its_arguments(name: str) -> None:
    layer = getattr(layers, name)
    given = {each.name for each in fields(layer)}
    own = {"given"} if layer is layers.CustomLayer else set()
    assert _public(layer) <= given | own
    if not issubclass(layer, layers.CustomLayer):
        arguments = set(inspect.signature(layer).parameters)
        assert given <= arguments, "an argument that dir() would show, but nobody can give"


def test_objects_show_what_they_were_given() -> None:
    assert {"units", "activation", "name", "trainable", "weight_bits"} <= _public(layers.Dense(3))
    assert _public(layers.transformers.LayerScale()) == {"given", "name", "trainable", "weight_bits"}


@pytest.mark.parametrize(
    "made", [ab.Int, ab.OneOf, layers.Dense, layers.LSTM, ab.Architecture, ab.Space, ab.FeasibleSet]
)
def test_help_shows_the_same(made: type) -> None:
    text = pydoc.plain(pydoc.render_doc(made))
    hidden = {name for each in made.__mro__ for name in vars(each).get("INTERNAL", ())}
    assert hidden
    for name in hidden - set(dir(Mapping)):
        assert f"\n |  {name}(" not in text, name
        assert f"\n |  {name}\n" not in text, name
    assert "INTERNAL" not in text
    assert made.__doc__ is not None
    assert made.__doc__.split("\n")[0] in text


def test_modules_show_what_users_import() -> None:
    for module in (ab, layers, metrics, errors, ab.spaces, layers.transformers):
        assert dir(module) == sorted(module.__all__)
