"""Public functions accept any value of any argument, or refuse it in one line."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import optuna
import pytest

import archbudget as ab
from archbudget import bench, errors, layers, metrics, plot, spaces
from archbudget._guard import guarded, guards
from archbudget.errors import ArchbudgetError, LimitError, SpaceError
from support.awkward import HostileInt, awkward

Call = Callable[[Any], object]

SPACE = ab.Space(
    [
        layers.Input((8, 8, 1)),
        layers.Conv2D(ab.Choice("filters", [2, 3, 4]), ab.Choice("kernel", [1, 3])),
        layers.Flatten(),
        layers.Dense(ab.Int("units", 1, 4), activation=ab.Choice("activation", ["relu", "tanh"])),
    ]
)
BUDGET = ab.Budget(params=600)
FITS = SPACE.within(BUDGET)
BATCH = SPACE.sample(5, seed=0)
COUNTS = SPACE.evaluate(BATCH, per_layer=True)
SHARES = SPACE.distribution("params")
GRID = SPACE.count_grid(params=[300, 600], macs=[1000, 10_000])
VALUES: dict[str, Any] = {"filters": 2, "kernel": 1, "units": 1, "activation": "relu"}
ARCH = SPACE.architecture(VALUES)
CONSTRAINT = SPACE.constraint(BUDGET)
NUMBER, WORD = ab.Int("n", 1, 3), ab.Choice("word", ["a", "b"])
INPUT, DENSE = layers.Input((3,)), layers.Dense(3)


def row(*blocks: Any, **arguments: Any) -> ab.Space:
    return ab.Space([INPUT, *blocks], **arguments)


def rule(input_shape: Any, given: Any = 1) -> Any:
    del input_shape
    return given


Own = layers.custom(rule)


def own(returned: Any) -> ab.Space:
    """A space of a layer whose function gives something."""

    def gives(input_shape: Any) -> Any:
        del input_shape
        return returned

    return row(layers.custom(gives)())


@cache
def keras_model() -> Any:
    """A model of Keras with weights."""
    keras = pytest.importorskip("keras")
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, name="made"), keras.layers.Dense(2)])


def is_hashable(value: Any) -> bool:
    """Whether a value may be the key of a dict."""
    try:
        hash(value)
    except Exception:
        return False
    return True


def within_budget(model: Any, budget: Any, **options: Any) -> None:
    """Asks for a budget; that a model exceeds it is no error."""
    with suppress(AssertionError):
        ab.assert_within(model, budget, **options)


def number_of(value: Any) -> Any:
    """A number of things that the tests have the time and the memory for."""
    is_large = isinstance(value, int) and not isinstance(value, HostileInt) and 10**6 < value < 2**45
    return -1 if is_large else value


BOUNDS: list[Call] = [
    lambda v: ab.Budget(params=v),
    lambda v: ab.Budget(macs=(v, v)),
    lambda v: ab.Budget(weight_bytes=(0, v)),
    lambda v: ab.Budget(trainable_params=[v]),  # type: ignore[arg-type]
    lambda v: ab.Budget(peak_activation_bytes=(v, None)),
    lambda v: ab.Budget(custom=v),
    lambda v: ab.Budget(custom={"own": v}),
    lambda v: ab.Budget(params=3, custom={"own": (v, 3)}),
]

SMALL: dict[str, Any] = {"width": 8, "depth": 1, "heads": 2, "kv_heads": 1, "units": 8, "vocabulary": 9, "context": 4}


CALLS: dict[str, list[Call]] = {
    "Choice": [
        lambda v: ab.Choice(v, [1, 2]),
        lambda v: ab.Choice("a", v),
        lambda v: ab.Choice("a", [v]),
        lambda v: ab.Choice("a", [1, v, "b"]),
    ],
    "Choice.index": [NUMBER.index, WORD.index],
    "Choice.map": [NUMBER.map, lambda v: NUMBER.map(lambda _: v)],
    "Int": [
        lambda v: ab.Int(v, 1, 2),
        lambda v: ab.Int("a", v, 5),
        lambda v: ab.Int("a", 1, v),
        lambda v: ab.Int("a", 1, 5, step=v),
        lambda v: ab.Int("a", v, v),
    ],
    "Int.index": [NUMBER.index],
    "Int.map": [NUMBER.map],
    "operators": [
        lambda v: NUMBER + v,
        lambda v: v + NUMBER,
        lambda v: NUMBER - v,
        lambda v: v - NUMBER,
        lambda v: NUMBER * v,
        lambda v: NUMBER // v,
        lambda v: v // NUMBER,
        NUMBER.__lt__,
        NUMBER.__le__,
        NUMBER.__gt__,
        NUMBER.__ge__,
        NUMBER.__eq__,
        NUMBER.__ne__,
        NUMBER.__pow__,
        NUMBER.__rpow__,
        NUMBER.__mod__,
        NUMBER.__rmod__,
        NUMBER.__truediv__,
        NUMBER.__round__,
        (NUMBER < 2).__and__,
        (NUMBER < 2).__ror__,
        (NUMBER < 2).__xor__,
        NUMBER.__format__,
        lambda v: row(layers.Dense(NUMBER + v)),
        (NUMBER + 1).at,
        NUMBER.at,
    ],
    **{
        function.__name__: [
            lambda v, f=function: f(NUMBER, v),  # type: ignore[misc]
            lambda v, f=function: f(v, NUMBER),  # type: ignore[misc]
            lambda v, f=function: f(v, v),  # type: ignore[misc]
            lambda v, f=function: f(WORD, v),  # type: ignore[misc]
        ]
        for function in (ab.both, ab.either, ab.equal, ab.different, ab.maximum, ab.minimum, ab.round_to)
    },
    "channels": [ab.channels, lambda v: row(layers.Dense(ab.channels(v)))],
    "Budget": BOUNDS,
    "Budget.of": [ab.Budget.of, lambda v: ab.Budget.of({"params": v}), lambda v: ab.Budget.of({"own": v})],
    "Budget.violations": [BUDGET.violations, lambda v: BUDGET.violations({"params": v})],
    "Budget.__getitem__": [BUDGET.__getitem__],
    "Budget.mask": [
        BUDGET.mask,
        BUDGET.count,
        lambda v: BUDGET.mask(SPACE.sample(3, 0), out=v),
        lambda v: BUDGET.mask(SPACE.sample(3, 0), threads=v),
    ],
    "Space": [
        lambda v: ab.Space(v),
        lambda v: ab.Space([v]),
        lambda v: row(v),
        lambda v: row([DENSE, v]),
        lambda v: ab.Space(inputs=v, outputs=v),
        lambda v: ab.Space(inputs=INPUT, outputs=v),
        lambda v: ab.Space(inputs=v, outputs=DENSE(INPUT)),
        lambda v: ab.Space(inputs=[INPUT, v], outputs=[DENSE(INPUT), v]),
        lambda v: row(bytes_per_weight=v),
        lambda v: row(bytes_per_activation=v),
        lambda v: row(layers.Dense(NUMBER), domains=v),
        lambda v: row(layers.Dense(NUMBER), domains={"n": v}),
        lambda v: row(layers.Dense(NUMBER), domains={"n": [v]}),
        lambda v: row(layers.Dense(NUMBER), constraints=v),
        lambda v: row(layers.Dense(NUMBER), constraints=[v]),
        lambda v: row(layers.Dense(NUMBER), constraints=[NUMBER.__le__(v)]),
        lambda v: row(layers.Dense(NUMBER), metrics=v),
        lambda v: row(layers.Dense(NUMBER), metrics=[v]),
    ],
    "Space.from_yaml": [ab.Space.from_yaml, lambda v: ab.Space.from_yaml("{layers: [Input: [8]]}", code=v)],
    "Space.with_name": [SPACE.with_name, lambda v: row(DENSE, name=v)],
    "Space.load": [ab.Space.load, lambda v: ab.Space.load("none.yaml", code=v)],
    "Space.save": [SPACE.save],
    "Architecture.from_dict": [
        ab.Architecture.from_dict,
        lambda v: ab.Architecture.from_dict({"space": v, "values": {}, "costs": {}}),
        lambda v: ab.Architecture.from_dict({"space": "layers: [Input: [8]]", "values": v, "costs": {}}),
        lambda v: ab.Architecture.from_dict({"space": "layers: [Input: [8]]", "values": {}, "costs": v}),
        lambda v: ab.Architecture.from_dict({"space": "space: os:path", "values": {}, "costs": {}}, code=v),
    ],
    "Space.with_domains": [SPACE.with_domains, lambda v: SPACE.with_domains({"filters": v})],
    "Space.with_constraints": [SPACE.with_constraints, lambda v: SPACE.with_constraints([v])],
    "Space.with_metrics": [SPACE.with_metrics, lambda v: SPACE.with_metrics([v])],
    "Space.range": [SPACE.range],
    "Space.distribution": [
        SPACE.distribution,
        lambda v: SPACE.distribution("params", memory=v),
        lambda v: SPACE.distribution("params", progress=v),
    ],
    "Space.sample": [
        lambda v: SPACE.sample(number_of(v)),
        lambda v: SPACE.sample(3, v),
        lambda v: SPACE.sample(3, progress=v),
    ],
    "Space.evaluate_to_file": [
        lambda v: SPACE.evaluate_to_file(v, "counts.csv"),
        lambda v: SPACE.evaluate_to_file(iter([v]), "counts.npz"),
        lambda v: SPACE.evaluate_to_file(BATCH, v),
        lambda v: SPACE.evaluate_to_file(BATCH, "counts.csv", v),
        lambda v: SPACE.evaluate_to_file(BATCH, "counts.csv", progress=v),
    ],
    "Space.write_parquet": [
        lambda v: SPACE.write_parquet(v, workers=1),
        lambda v: SPACE.write_parquet("all", v, workers=1),
        lambda v: SPACE.write_parquet("of a file", candidates=v),
        lambda v: SPACE.write_parquet("all", workers=1, shard=v),
    ],
    "Space.arena": [
        SPACE.arena,
        lambda v: SPACE.arena(BATCH, v),
        lambda v: SPACE.arena(BATCH, kernels=v),
        lambda v: SPACE.arena(BATCH, progress=v),
    ],
    "Space.evaluate": [
        SPACE.evaluate,
        lambda v: SPACE.evaluate(SPACE.sample(3, 0), out=v),
        lambda v: SPACE.evaluate(SPACE.sample(3, 0), out={"params": v}),
        lambda v: SPACE.evaluate([v]),
        lambda v: SPACE.evaluate([[v] * 4]),
        lambda v: SPACE.evaluate({**VALUES, "filters": v}),
        lambda v: SPACE.evaluate({name: [value] for name, value in {**VALUES, "filters": v}.items()}),
        lambda v: SPACE.evaluate({name: [value] for name, value in {**VALUES, "activation": v}.items()}),
        lambda v: SPACE.evaluate({**{name: [value] for name, value in VALUES.items()}, "activation": v}),
        lambda v: SPACE.evaluate(BATCH, v),
        lambda v: SPACE.evaluate(BATCH, [v]),
        lambda v: SPACE.evaluate(BATCH, per_layer=v),
        lambda v: SPACE.evaluate(BATCH, threads=v),
        lambda v: SPACE.evaluate(BATCH, progress=v),
    ],
    "Space.architecture": [
        SPACE.architecture,
        lambda v: SPACE.architecture({"filters": v}),
        lambda v: SPACE.architecture(**{**VALUES, "units": v}),
        lambda v: SPACE.architecture(**{**VALUES, "activation": v}),
        lambda v: SPACE.architecture(other=v),
    ],
    "Space.constraint": [SPACE.constraint],
    "Space.within": [SPACE.within, lambda v: SPACE.within(BUDGET, memory=v).count()],
    "Space.suggest": [SPACE.suggest],
    "Space.from_trial": [SPACE.from_trial, lambda v: SPACE.from_trial(trial_of({"filters": v}))],
    "Space.best": [SPACE.best],
    "Space.indices_of": [SPACE.indices_of, lambda v: SPACE.indices_of({"filters": v})],
    "Candidates": [
        lambda v: ab.Candidates(v, BATCH.indices),
        lambda v: ab.Candidates(SPACE, v),
        lambda v: ab.Candidates(SPACE, [v]),
        lambda v: ab.Candidates(SPACE, [[v] * 4]),
    ],
    "Candidates.__getitem__": [BATCH.__getitem__, lambda v: BATCH[v:v], lambda v: BATCH[[v]]],
    "Candidates.save": [BATCH.save],
    "Candidates.load": [lambda v: ab.Candidates.load(v, SPACE), lambda v: ab.Candidates.load("none.npz", v)],
    "Evaluation.__getitem__": [COUNTS.__getitem__],
    "LayerEvaluation.__getitem__": [COUNTS.layers.__getitem__ if COUNTS.layers else len],
    "FeasibleSet": [
        lambda v: ab.FeasibleSet(v, BUDGET),
        lambda v: ab.FeasibleSet(SPACE, v),
        lambda v: ab.FeasibleSet(SPACE, BUDGET, memory=v),
    ],
    "FeasibleSet.count": [lambda v: SPACE.within(BUDGET).count(progress=v)],
    "FeasibleSet.bounds": [lambda v: SPACE.within(BUDGET).bounds(progress=v)],
    "FeasibleSet.marginals": [lambda v: SPACE.within(BUDGET).marginals(progress=v)],
    "FeasibleSet.sample": [
        lambda v: FITS.sample(number_of(v)),
        lambda v: FITS.sample(3, v),
        lambda v: FITS.sample(3, progress=v),
    ],
    "FeasibleSet.candidates": [
        FITS.candidates,
        lambda v: FITS.candidates(0, v),
        lambda v: FITS.candidates(v, v),
        lambda v: FITS.candidates(threads=v),
        lambda v: FITS.candidates(progress=v),
    ],
    "FeasibleSet.write_parquet": [
        lambda v: FITS.write_parquet(v, workers=1),
        lambda v: FITS.write_parquet("fits", v, workers=1),
        lambda v: FITS.write_parquet("fits", executor=v),
        lambda v: FITS.write_parquet("fits", workers=None if isinstance(v, int) else v),
        lambda v: FITS.write_parquet("fits", workers=1, progress=v),
    ],
    "FeasibleSet.chunks": [lambda v: list(FITS.chunks(v))],
    "FeasibleSet.rank": [FITS.rank, lambda v: FITS.rank({**VALUES, "units": v})],
    "FeasibleSet.__contains__": [FITS.__contains__, lambda v: {**VALUES, "units": v} in FITS],
    "FeasibleSet.largest": [FITS.largest],
    "FeasibleSet.smallest": [FITS.smallest],
    "FeasibleSet.best": [FITS.best, lambda v: FITS.best("params", v), lambda v: FITS.best("params", smallest=v)],
    "FeasibleSet.pareto": [
        FITS.pareto,
        lambda v: FITS.pareto("params", v),
        lambda v: FITS.pareto("params", "macs", epsilon=v),
        lambda v: FITS.pareto("params", "macs", largest=v),
        lambda v: FITS.pareto("params", "macs", smallest=v),
    ],
    "FeasibleSet.closest": [lambda v: FITS.closest(v, 3), lambda v: FITS.closest("params", v)],
    "FeasibleSet.fix": [FITS.fix, lambda v: FITS.fix({"filters": v})],
    "FeasibleSet.allowed": [
        FITS.allowed,
        lambda v: FITS.allowed([v]),
        lambda v: FITS.allowed({"filters": v}),
        lambda v: FITS.allowed({}, v),
    ],
    "FeasibleSet.at": [FITS.at, lambda v: FITS.at([v]), lambda v: FITS.at([[v] * 2])],
    "FeasibleSet.points": [FITS.points],
    "FeasibleSet.shares": [FITS.shares, lambda v: FITS.shares([v])],
    "Space.from_function": [
        ab.Space.from_function,
        lambda v: ab.Space.from_function(lambda _: v),
        lambda v: ab.Space.from_function(lambda trial: [layers.Input((8,)), layers.Dense(trial.suggest_int(v, 1, 2))]),
    ],
    "Space.count_grid": [
        lambda v: SPACE.count_grid(params=v),
        lambda v: SPACE.count_grid(params=[v], macs=[1000]),
        lambda v: SPACE.count_grid(params=[600], memory=v),
    ],
    "CountGrid.__getitem__": [GRID.__getitem__],
    "Distribution.quantile": [SHARES.quantile],
    "Distribution.cdf": [SHARES.cdf],
    "Constraint": [lambda v: ab.Constraint(v, BUDGET), lambda v: ab.Constraint(SPACE, v)],
    "Constraint.__call__": [CONSTRAINT.__call__],
    "Constraint.mask": [
        CONSTRAINT.mask,
        CONSTRAINT.count,
        lambda v: CONSTRAINT.mask(SPACE.sample(3, 0), out=v),
        lambda v: CONSTRAINT.count(SPACE.sample(3, 0), threads=v),
    ],
    "Architecture.__getitem__": [ARCH.__getitem__],
    "Architecture.layer": [ARCH.layer],
    "Architecture.arena": [ARCH.arena, lambda v: ARCH.arena(kernels=v)],
    "Architecture.flash_bytes": [ARCH.flash_bytes, lambda v: ARCH.flash_bytes(names=v)],
    "Architecture.arena_bytes": [ARCH.arena_bytes, lambda v: ARCH.arena_bytes(kernels=v)],
    "Architecture.to_code": [ARCH.to_code],
    "Architecture.to_onnx": [ARCH.to_onnx],
    "Optional": [
        lambda v: SPACE.vary(ab.Optional(v, "taken")),
        lambda v: SPACE.vary(ab.Optional("dense", v)),
    ],
    "Optional.matches": [ab.optional("dense").matches],
    "Scale": [
        lambda v: ab.scale(v, 2),
        lambda v: ab.scale(1, v),
        lambda v: ab.scale(1, 2, divisor=v),
        lambda v: ab.scale(1, 2, name=v),
        lambda v: ab.scale(1, 2, step=v),
    ],
    "Scale.rounded": [ab.scale(1, 2).rounded],
    "Scale.widths": [ab.scale(1, 2).widths],
    "scale": [lambda v: ab.scale(v, v), lambda v: ab.scale(1, 2, name=v)],
    "optional": [ab.optional, lambda v: ab.optional("dense", name=v)],
    "Space.vary": [
        SPACE.vary,
        lambda v: SPACE.vary({"*.units": v}),
        lambda v: SPACE.vary({"*.use_bias": v}),
    ],
    "Space.with_sides": [
        SPACE.with_sides,
        lambda v: SPACE.with_sides({"input_layer": v}),
        lambda v: SPACE.with_sides([v]),
    ],
    "Architecture.flops": [ARCH.flops],
    "Architecture.explain": [ARCH.explain, lambda v: ARCH.explain(format=v)],
    "Metric": [
        lambda v: ab.Metric(v, len),  # type: ignore[arg-type]
        lambda v: ab.Metric("m", v),
        lambda v: ab.Metric("m", len, combine=v),  # type: ignore[arg-type]
        lambda v: row(metrics=[ab.Metric("m", lambda _: v)]),
        lambda v: row(metrics=[ab.Metric("m", v)] if callable(v) else []),
    ],
    "metrics.output_size": [
        metrics.output_size,
        lambda v: row(metrics=[metrics.output_size("a", v)]),
        lambda v: metrics.output_size("a", name=v),
    ],
    "metrics.has_weights": [metrics.has_weights],
    "metrics.weighted_layers": [metrics.weighted_layers],
    "metrics.distinct_layers": [metrics.distinct_layers],
    "LatencyTable": [
        lambda v: ab.LatencyTable(v, []),
        lambda v: ab.LatencyTable("t", v),
        lambda v: ab.LatencyTable("t", [v]),
        lambda v: ab.LatencyTable("t", [(v, 1)]),
        lambda v: ab.LatencyTable("t", [({"type": "Dense"}, v)]),
        lambda v: ab.LatencyTable("t", [({"type": v}, 1)]),
        lambda v: ab.LatencyTable("t", [({"type": "Dense", "units": v}, 1)]),
        lambda v: ab.LatencyTable("t", [], combine=v),
    ],
    "LatencyTable.read_csv": [
        lambda v: ab.LatencyTable.read_csv(v, "t"),
        lambda v: ab.LatencyTable.read_csv("table.csv", v),
        lambda v: ab.LatencyTable.read_csv("table.csv", "t", column=v),
        lambda v: ab.LatencyTable.read_csv("table.csv", "t", decimals=v),
        lambda v: ab.LatencyTable.read_csv("table.csv", "t", combine=v),
    ],
    "LatencyTable.write_template": [
        lambda v: ab.LatencyTable.write_template(v, "template.csv", column="t"),
        lambda v: ab.LatencyTable.write_template(SPACE, v, column="t"),
        lambda v: ab.LatencyTable.write_template(SPACE, "template.csv", column=v),
        # What a function raises that is called is its own.
        lambda v: ab.LatencyTable.write_template(SPACE, "template.csv", column="t", measure=None if callable(v) else v),
    ],
    "OneOf": [
        lambda v: layers.OneOf(v, [DENSE]),
        lambda v: layers.OneOf("op", v),
        lambda v: layers.OneOf("op", [v]),
        lambda v: layers.OneOf("op", {"a": v}),
    ],
    "Repeat": [
        lambda v: layers.Repeat(v, DENSE),
        lambda v: layers.Repeat(2, v),
        lambda v: layers.Repeat(2, DENSE, shared=v),
        lambda v: layers.Repeat(2, DENSE, shared=[v]),
        lambda v: layers.Repeat(NUMBER * v, DENSE),
        lambda v: row(layers.Repeat(2, lambda _: v)),
    ],
    "Residual": [layers.Residual, lambda v: layers.Residual(DENSE, v), lambda v: row(layers.Residual(v))],
    "InputChoice": [
        layers.InputChoice,
        lambda v: layers.InputChoice("i", v),
        lambda v: layers.InputChoice("i", (v, v)),
        lambda v: layers.InputChoice("i", merge=v),
        lambda v: layers.InputChoice("i", inputs=v),
        lambda v: layers.InputChoice("i", inputs=[v]),
        lambda v: layers.InputChoice("i")(v),
        lambda v: layers.InputChoice("i")([v]),
    ],
    "Require": [layers.Require],
    "layers.Sequential": [layers.Sequential, lambda v: layers.Sequential([v])],
    "a layer": [DENSE, lambda v: DENSE([v]), layers.Add(), lambda v: layers.Add()([INPUT, v])],
    "layers.custom": [
        layers.custom,
        lambda v: layers.custom(keras=v)(rule),
        lambda v: layers.custom(torch=v)(rule),
        lambda v: layers.custom(in_place=v)(rule),
        lambda v: Own(v),
        lambda v: row(Own(given=v)),
        lambda v: Own(name=v),
        lambda v: Own(trainable=v),
        lambda v: Own(weight_bits=v),
        own,
        lambda v: own(layers.Counts(v)),
        lambda v: own(layers.Counts((3,), v, v, v)),
    ],
    "assert_within": [
        # What a function raises that is called is its own.
        lambda v: within_budget(None if callable(v) else v, BUDGET),
        lambda v: within_budget(ARCH, v),
        lambda v: within_budget(SPACE.architecture(VALUES), ab.Budget(params=10**9), weights=v),
        lambda v: within_budget(SPACE.architecture(VALUES), ab.Budget(params=10**9), activations=v),
        lambda v: within_budget(row(DENSE), ab.Budget(params=10**9), input_shape=v),
    ],
    "report": [
        lambda v: ab.report(None if callable(v) else v, "report.html"),
        lambda v: ab.report(ARCH, v),
        lambda v: ab.report(ARCH, "report.html", budget=v),
        lambda v: ab.report(ARCH, "report.html", space=v),
        lambda v: ab.report(ARCH, "report.html", input_shape=v),
        lambda v: ab.report(ARCH, "report.html", title=v),
        lambda v: ab.report(ARCH, "report.html", command=v),
    ],
    "prune_channels": [
        lambda v: ab.prune_channels(v, {}),
        lambda v: ab.prune_channels(keras_model(), v),
        lambda v: ab.prune_channels(keras_model(), {"made": v}),
        lambda v: ab.prune_channels(keras_model(), {v: [0]} if is_hashable(v) else {}),
        lambda v: ab.prune_channels(keras_model(), ARCH, v),
        lambda v: ab.prune_channels(keras_model(), ab.from_keras(keras_model()).architecture(), {"made": v}),
        lambda v: ab.prune_channels(keras_model(), {}, strict=v),
    ],
    "channel_importance": [
        ab.channel_importance,
        lambda v: ab.channel_importance(keras_model(), v),
        lambda v: ab.channel_importance(keras_model(), {"made": v}),
        lambda v: ab.channel_importance(keras_model(), name=v),
        lambda v: ab.channel_importance(keras_model(), strict=v),
    ],
    "BudgetOracle": [
        lambda v: ab.BudgetOracle(v, BUDGET),
        lambda v: ab.BudgetOracle(SPACE, v),
        lambda v: ab.BudgetOracle(SPACE, BUDGET, v),
        lambda v: ab.BudgetOracle(SPACE, BUDGET, "val_loss", v),
        lambda v: ab.BudgetOracle(SPACE, BUDGET, "val_loss", base=v),
        lambda v: ab.BudgetOracle(SPACE, BUDGET, "val_loss", fill=v),
    ],
    "BudgetTuner": [
        lambda v: ab.BudgetTuner(space=v, budget=BUDGET, compile=len),
        lambda v: ab.BudgetTuner(space=SPACE, budget=v, compile=len),
        lambda v: ab.BudgetTuner(space=SPACE, budget=BUDGET, compile=v),
        lambda v: ab.BudgetTuner(v, space=SPACE, budget=BUDGET),
    ],
    "BudgetSampler": [
        lambda v: ab.BudgetSampler(v, BUDGET),
        lambda v: ab.BudgetSampler(SPACE, v),
        lambda v: ab.BudgetSampler(SPACE, BUDGET, v),
    ],
    "plot.distribution": [
        plot.distribution,
        lambda v: plot.distribution(SPACE, v),
        lambda v: plot.distribution(SPACE, metric=v),
    ],
    "plot.marginals": [plot.marginals],
    "plot.history": [lambda v: plot.history(v, BUDGET)],
    "plot.budgets": [
        plot.budgets,
        lambda v: plot.budgets(SPACE, v),
        lambda v: plot.budgets(SPACE, metrics=v),
        lambda v: plot.budgets(GRID, name=v),
    ],
    "plot.pareto": [plot.pareto, lambda v: plot.pareto(v, BUDGET)],
    "ladder": [
        lambda v: ab.ladder(v, params=[9]),
        lambda v: ab.ladder(SPACE, params=v),
        lambda v: ab.ladder(SPACE, params=[v]),
        lambda v: ab.ladder(SPACE, params=[9], tolerance=v),
        lambda v: ab.ladder(SPACE, params=[9], tolerance=0.9, score=v),
        lambda v: ab.ladder(SPACE, params=[9], prefer=v),
        lambda v: ab.ladder(SPACE, params=[9], budget=v),
    ],
    "metrics.kv_cache_bytes": [
        ab.metrics.kv_cache_bytes,
        lambda v: ab.metrics.kv_cache_bytes(1, v),
        lambda v: ab.metrics.kv_cache_bytes(1, 1, v),
        lambda v: ab.metrics.kv_cache_bytes(1, name=v),
    ],
    "metrics.prefill_macs": [ab.metrics.prefill_macs, lambda v: ab.metrics.prefill_macs(1, name=v)],
    "metrics.decode_macs": [ab.metrics.decode_macs, lambda v: ab.metrics.decode_macs(1, name=v)],
    "metrics.active_params": [lambda v: ab.metrics.active_params(name=v)],
    "metrics.quantized_bytes": [
        ab.metrics.quantized_bytes,
        lambda v: ab.metrics.quantized_bytes((v, v, v)),
        lambda v: ab.metrics.quantized_bytes("q4_0", other_bits=v),
        lambda v: ab.metrics.quantized_bytes("q4_0", name=v),
    ],
    "spaces.transformer": [
        lambda v: spaces.transformer(**{**SMALL, "width": number_of(v)}),
        lambda v: spaces.transformer(**{**SMALL, "heads": number_of(v)}),
        lambda v: spaces.transformer(**{**SMALL, "norm": v}),
        lambda v: spaces.transformer(**{**SMALL, "positions": v}),
        lambda v: spaces.transformer(**{**SMALL, "head_dim": number_of(v)}),
        lambda v: spaces.transformer(**{**SMALL, "window": v}),
        lambda v: spaces.transformer(**{**SMALL, "experts": v}),
        lambda v: spaces.transformer(**{**SMALL, "kv_heads": None, "latent": v}),
    ],
    "from_huggingface": [
        ab.from_huggingface,
        lambda v: ab.from_huggingface({"model_type": v}),
        lambda v: ab.from_huggingface({"model_type": "gpt2", "n_embd": v, "n_layer": 1}, 4),
        lambda v: ab.from_huggingface({"model_type": "gpt2", "n_layer": 1}, number_of(v)),
        lambda v: ab.from_huggingface({"model_type": "gpt2", "n_layer": 1}, 4, architecture=v),
        lambda v: ab.from_huggingface({"model_type": "gpt2", "n_layer": 1, "quantization_config": v}, 4),
    ],
    "from_keras": [
        ab.from_keras,
        lambda v: ab.from_keras({"class_name": v, "config": {}}),
        lambda v: ab.from_keras({"class_name": "Sequential", "config": v}),
        lambda v: ab.from_keras([{"class_name": "Dense", "config": {"units": v, "batch_input_shape": [None, 3]}}]),
        lambda v: ab.from_keras([{"class_name": "Dense", "config": {"units": 3, "batch_input_shape": v}}]),
        lambda v: ab.from_keras([{"class_name": "Dense", "config": {"units": 3}}], input_shape=v),
        lambda v: ab.from_keras([{"class_name": "Dense", "config": {"units": 3}}], input_shape=(number_of(v),)),
        lambda v: ab.from_keras([{"class_name": "Dense", "config": {"units": 3}}], (3,), strict=v),
        lambda v: ab.from_keras([{"class_name": "Own", "config": {}}], (3,), custom=v),
        lambda v: ab.from_keras([{"class_name": "Own", "config": {}}], (3,), custom={"Own": v}),
        lambda v: ab.from_keras([{"class_name": "Own", "config": {}}], (3,), custom={"Own": lambda _: v}),
    ],
    "from_onnx": [ab.from_onnx, lambda v: ab.from_onnx("model.onnx", v), lambda v: ab.from_onnx(v, input_shapes=v)],
    "from_torch": [lambda v: ab.from_torch(v, (3,)), lambda v: ab.from_torch(v, v), lambda v: ab.from_torch(3, v)],
    "plot.diagram": [plot.diagram],
    "plot.save": [lambda v: plot.save(v, "plot.json"), lambda v: plot.save(None, v)],
    "plot.kind_of": [plot.kind_of],
    "bench.measure": [
        lambda v: bench.measure(v, rows=1, repeats=1),
        lambda v: bench.measure(SPACE, v, 1, 1),
        lambda v: bench.measure(SPACE, None, number_of(v), 1),
        lambda v: bench.measure(SPACE, None, 1, number_of(v)),
        lambda v: bench.measure(SPACE, BUDGET, 1, 1, v),
    ],
    "bench.run": [lambda v: bench.run(number_of(v), 1, []), lambda v: bench.run(10, number_of(v), [])],
    **{
        f"spaces.{make.__name__}.{name}": [lambda v, name=name, make=make: make(**{name: v})]  # type: ignore[misc]
        for make in (spaces.lenet, spaces.nas_bench_201, spaces.recurrent, spaces.tc_resnet)
        for name in inspect.signature(make).parameters
    },
    "errors": [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ArchbudgetError)],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "table.csv").write_text("type,t\nDense,1\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.usefixtures("folder", "hang_guard")
def test_any_argument_is_accepted_or_refused_in_one_line(name: str) -> None:
    refused = 0
    for number, call in enumerate(CALLS[name]):
        answered = 0
        for what, value in awkward():
            try:
                call(value)
                answered += 1
            except ArchbudgetError as error:
                answered += 1
                refused += 1
                message = str(error)
                assert len(message) <= 2000, (number, what)
                assert message.isprintable(), (number, what, message[:200])
            except Exception as error:
                # A call with other arguments than the function has is Python's own, and never reaches it.
                frames = traceback.extract_tb(error.__traceback__)
                assert isinstance(error, TypeError), (number, what, type(error))
                assert Path(frames[-1].filename).name in ("test_guard.py", "_guard.py"), (number, what, frames[-1])
        assert answered >= 80, (number, "it was hardly ever reached")
    # An exception is made of anything; each other function refuses something.
    assert refused > 0 or name == "errors"


NOT_GIVEN_ANYTHING = {
    "Candidates.to_pandas",
    "Candidates.values",
    "Evaluation",  # Made by Space.evaluate.
    "LayerEvaluation",
    "CountGrid",  # Made by Space.count_grid.
    "Distribution",  # Made by Space.distribution.
    "Architecture",  # Made by Space.architecture; these take records of it.
    "Architecture.producer",
    "Architecture.setting",
    "Architecture.text",
    "Architecture.use_of",
    "Architecture.chosen_in",
    "BudgetOracle.end_trial",  # KerasTuner gives these what they take.
    "BudgetOracle.populate_space",
    "BudgetOracle.set_state",
    "BudgetSampler.before_trial",  # Optuna gives these what they take.
    "BudgetSampler.infer_relative_search_space",
    "BudgetSampler.sample_relative",
    "BudgetSampler.sample_independent",
    "BudgetSampler.after_trial",
    "Metric.check",  # Asked by a space.
    "LatencyTable.check",
    "LatencyTable.look_up",
    "Arena",
    "Bounds",
    "Marginals",
    "Description",
    "Stage",
    "Formula",
    "LayerRecord",
    "Progress",
    "search",  # Tested on its own.
    "release_memory",
}
OF_BLOCKS = {"among", "on", "write", "write_all"}
OF_DECISIONS = {"lower", "narrowed", "replaced", "values_in", "require_integers", "text", "at"}


def trial_of(params: dict[str, Any]) -> optuna.trial.FixedTrial:
    """A trial that took any values."""
    trial = optuna.trial.FixedTrial({})
    trial._suggested_params = params
    return trial


def takes_something(function: Any) -> bool:
    try:
        return bool([name for name in inspect.signature(function).parameters if name not in ("self", "cls")])
    except (TypeError, ValueError):
        return False


def public() -> list[str]:
    """The functions and methods that take arguments, of all that the package names."""
    found = []
    for name in ab.__all__:
        given = getattr(ab, name)
        if isinstance(given, type):
            found.append(name)
            methods = [(each, getattr(given, each)) for each in dir(given) if not each.startswith("_")]
            hidden = {"Choice": OF_DECISIONS, "Int": OF_DECISIONS}.get(name, OF_BLOCKS)
            found += [f"{name}.{each}" for each, method in methods if takes_something(method) and each not in hidden]
        elif callable(given):
            found.append(name)
    for module in (metrics, plot):
        names = (each for each, value in vars(module).items() if inspect.isfunction(value))
        own = (
            each
            for each in names
            if not each.startswith("_") and vars(module)[each].__module__.startswith(module.__name__)
        )
        found += [f"{module.__name__.rpartition('.')[2]}.{each}" for each in own]
    samplers = (ab.BudgetSampler, ab.BudgetOracle, ab.BudgetTuner)
    inherited = {each for kind in (dict, Mapping, tuple, *(made.__base__ for made in samplers)) for each in dir(kind)}
    return [each for each in found if each.rpartition(".")[2] not in inherited or each.rpartition(".")[0] == "plot"]


def test_every_public_function_is_asked() -> None:
    missing = set(public()) - set(CALLS) - NOT_GIVEN_ANYTHING - {"metrics.described"}
    assert not missing


def test_a_guarded_function_is_what_it_was() -> None:
    def function(given: int, *, other: int = 2) -> float:
        """Divides."""
        return given / other

    guarded_one = guarded(function)
    assert guarded_one(3) == 1.5
    assert guarded_one.__doc__ == "Divides."
    assert inspect.signature(guarded_one) == inspect.signature(function)
    with pytest.raises(
        SpaceError, match="function cannot take what it was given: ZeroDivisionError: division"
    ) as caught:
        guarded_one(3, other=0)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(TypeError, match="unknown argument 'wrong'; there are given, other"):
        guarded_one(3, wrong=0)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        guarded_one()  # type: ignore[call-arg]


@pytest.mark.parametrize("error", [LimitError("ours"), ImportError("keras"), KeyboardInterrupt()])
def test_errors_of_archbudget_and_missing_packages_pass(error: BaseException) -> None:
    def function() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        guarded(function)()
    assert caught.value is error


def test_a_lack_of_memory_is_an_error_of_archbudget_too() -> None:
    def function() -> None:
        raise MemoryError

    with pytest.raises(LimitError, match="there is not enough memory") as caught:
        guarded(function)()
    assert isinstance(caught.value, MemoryError)


def test_a_class_is_guarded_but_for_some_methods() -> None:
    @guards(but=["passed"])
    class Thing:
        def __init__(self, given: int) -> None:
            self.value = 1 // given

        def method(self) -> int:
            return 1 // (self.value - self.value)

        def passed(self) -> int:
            return 1 // (self.value - self.value)

        @classmethod
        def made(cls, given: int) -> Thing:
            return cls(1 // given)

        @staticmethod
        def still(given: int) -> int:
            return 1 // given

    for call in (lambda: Thing(0), Thing(1).method, lambda: Thing.made(0), lambda: Thing.still(0)):
        with pytest.raises(SpaceError, match="cannot take what it was given: ZeroDivisionError"):
            call()
    with pytest.raises(ZeroDivisionError):
        Thing(1).passed()


def test_all_calls_are_of_something() -> None:
    assert sum(map(len, CALLS.values())) > 200
    assert all(map(callable, chain(*CALLS.values())))
