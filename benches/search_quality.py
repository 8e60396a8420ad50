"""How good the searches are that stay inside a budget: `python benches/search_quality.py [--part 1|2|3]`.

1. A synthetic score on a space of 4.7 million networks of which 1 % fit, its optimum known by evaluating every one.
2. The study of optuna/optuna issue 2969: does the suggested depth collapse?
3. Training on the digits inside 3,000 parameters, with the same number of trained networks for each method.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import json
import os
import platform
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("KERAS_BACKEND", "jax")
# One thread each: the seeds run side by side.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
import optuna
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIISampler,
    NSGAIIISampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from rich.console import Console
from rich.table import Table

import archbudget as ab
from archbudget import layers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    Methods = dict[str, Callable[[ab.Space, ab.Budget, int], tuple[BaseSampler, str]]]

INSIDE, CONSTRAINED, PRUNED = "inside", "set_constraint", "pruning"


def bases(seed: int) -> dict[str, Callable[[], BaseSampler]]:
    """Each base sampler, by the name that the tables show."""
    quiet = {"seed": seed, "warn_independent_sampling": False}
    return {
        "uniform": lambda: RandomSampler(seed=seed),
        "TPE": lambda: TPESampler(seed=seed),
        "TPE univariate": lambda: TPESampler(seed=seed, multivariate=False),
        "TPE group": lambda: TPESampler(seed=seed, multivariate=True, group=True),
        "NSGA-II": lambda: NSGAIISampler(seed=seed),
        "NSGA-III": lambda: NSGAIIISampler(seed=seed),
        "CMA-ES": lambda: CmaEsSampler(**quiet),
        "QMC": lambda: QMCSampler(scramble=True, **quiet),
        "GP": lambda: GPSampler(**quiet),
    }


def sampler_of(method: str, space: ab.Space, budget: ab.Budget, seed: int) -> tuple[BaseSampler, str]:
    """The sampler of a method, and what it does with networks outside of the budget."""
    base, _, way = method.partition(" + ")
    if base.startswith("BudgetSampler"):
        name = base.removeprefix("BudgetSampler(").removesuffix(")")
        return ab.BudgetSampler(space, budget, bases(seed)[name]()), INSIDE
    return bases(seed)[base](), way


# 1. The synthetic score -----------------------------------------------------------------------------------------------

SYNTHETIC_BUDGET = 325_000
SYNTHETIC = (
    "BudgetSampler(TPE)",
    "BudgetSampler(TPE univariate)",
    "BudgetSampler(TPE group)",
    "BudgetSampler(CMA-ES)",
    "BudgetSampler(NSGA-II)",
    "BudgetSampler(NSGA-III)",
    "BudgetSampler(QMC)",
    "BudgetSampler(uniform)",
    "TPE + set_constraint",
    "TPE + pruning",
    "NSGA-II + set_constraint",
)


@functools.cache
def synthetic_space() -> ab.Space:
    """4,718,592 networks: a chain of convolutions, poolings and dense layers."""
    width, kernel = ab.Int("width", 8, 512, step=8), ab.Choice("kernel", [1, 3, 5, 7])
    units = ab.Int("units", 16, 2048, step=16)
    convolution = layers.Conv2D(width, kernel, padding="same", activation="relu")
    return ab.Space(
        [
            layers.Input((32, 32, 3)),
            layers.Repeat(ab.Int("depth", 1, 12), convolution, shared=["width", "kernel"]),
            layers.Repeat(ab.Int("poolings", 0, 3), layers.MaxPooling2D(2)),
            layers.Flatten(),
            layers.Repeat(ab.Int("hidden", 1, 3), layers.Dense(units, activation="relu"), shared=["units"]),
            layers.Dense(10),
        ]
    )


def synthetic_score(values: dict[str, Any]) -> Any:
    """From 0 to 1: more capacity is better with less and less return; the best kernel, pooling and head depend on it."""
    depth, width, units = values["depth"], np.log2(values["width"] / 8) / 6, np.log2(values["units"] / 16) / 7
    reach = 1 + depth * (values["kernel"] - 1)
    features = 1 - np.exp(-3 * (0.15 + width) * (depth / 12) ** 0.6)
    view = np.exp(-0.5 * (np.log2(reach / 24) / 1.2) ** 2)
    pooling = np.exp(-0.5 * (values["poolings"] - 1 - depth / 6) ** 2)
    head = (1 - np.exp(-2.5 * (units + 0.1))) * np.exp(-0.3 * (values["hidden"] - 1 - units) ** 2)
    return 0.4 * features + 0.25 * view + 0.15 * pooling + 0.2 * head


@functools.cache
def synthetic_truth() -> tuple[float, float]:
    """The greatest score within the budget, and the share of networks within it; every network is evaluated."""
    space = synthetic_space()
    sizes = [len(decision.values) for decision in space.decisions.values()]
    best, fitting = -np.inf, 0
    for start in range(0, space.combinations, 2**20):
        numbers = np.arange(start, min(start + 2**20, space.combinations))
        rows = np.stack(np.unravel_index(numbers, sizes), axis=1).astype(np.uint8)
        fits = space.evaluate(rows, ["params"])["params"] <= SYNTHETIC_BUDGET
        fitting += int(fits.sum())
        best = max(best, float(synthetic_score(ab.Candidates(space, rows[fits]).values()).max(initial=-np.inf)))
    return best, fitting / space.size


def synthetic_run(method: str, trials: int, seed: int) -> dict[str, Any]:
    """One study: the gap to the optimum in per cent, and how many trials were inside the budget."""
    quieten()
    space, budget = synthetic_space(), ab.Budget(params=SYNTHETIC_BUDGET)
    constraint = space.constraint(budget)
    sampler, way = sampler_of(method, space, budget, seed)
    found = []

    def objective(trial: optuna.Trial) -> float:
        arch = space.suggest(trial)
        fits = budget.allows(arch.costs) if hasattr(budget, "allows") else not budget.violations(arch.costs)
        if way == PRUNED and not fits:
            raise optuna.TrialPruned
        if way == CONSTRAINED:
            constraint(trial)
        value = float(synthetic_score(dict(arch)))
        if fits:
            found.append(value)
        return value

    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=trials)
    best = synthetic_truth()[0]
    return {"gap": 100 * (1 - max(found) / best) if found else None, "inside": len(found)}


def quieten() -> None:
    """Only the tables are shown."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)


if __name__ == "__main__":
    import sys, time

    print(synthetic_truth())
    methods = sys.argv[2:] or SYNTHETIC
    seeds = int(sys.argv[1])
    with ProcessPoolExecutor(2) as pool:
        for m in methods:
            t = time.time()
            tr = 80 if "GP" in m else 200
            res = list(pool.map(functools.partial(synthetic_run, m, tr), range(seeds)))
            gaps = np.array([r["gap"] if r["gap"] is not None else 100 for r in res])
            print(
                f"{m:32s} median {np.median(gaps):6.3f}  q {np.quantile(gaps, 0.25):.3f} {np.quantile(gaps, 0.75):.3f} max {gaps.max():.2f} inside {np.median([r['inside'] for r in res])}  {time.time() - t:.1f}s",
                flush=True,
            )
