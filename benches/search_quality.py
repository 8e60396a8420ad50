"""The quality of searches that stay inside a budget: `python benches/search_quality.py [--part 1|2|3|4]`.

1. A synthetic score on a space of 4.7 million networks of which 1 % fit, its optimum known by evaluating every one.
2. The study of optuna/optuna issue 2969: does the suggested depth collapse?
3. Training on the digits inside 3,000 parameters, with the same number of trained networks for each method.
4. The 6,561 trained networks of NAS-Bench-Macro, if `--table` names the file of its authors,
   nas-bench-macro_cifar10.json of github.com/xiusu/NAS-Bench-Macro.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import json
import multiprocessing
import os
import platform
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence  # noqa: TC003 - the types of the module are made of them
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

# Each seed has one thread: the seeds run side by side.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402
import optuna  # noqa: E402
from optuna.samplers import (  # noqa: E402
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIIISampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

import archbudget as ab  # noqa: E402
from archbudget import layers  # noqa: E402

Result = dict[str, Any]
Study = tuple[str, list[str], list[list[str]], dict[str, list[Result]]]
"""A title, the head and the rows of a table, and the result of each seed of each method."""

INSIDE, CONSTRAINED, PRUNED, INDIFFERENT = "inside", "set_constraint", "pruning", "own constraints"
"""What a method does with networks outside the budget; the first never meets one, the last asks for itself."""


QUIET = {"warn_independent_sampling": False}
BASES: dict[str, Callable[[int], BaseSampler]] = {
    "uniform": lambda seed: RandomSampler(seed=seed),
    "TPE": lambda seed: TPESampler(seed=seed),
    "TPE univariate": lambda seed: TPESampler(seed=seed, multivariate=False),
    "TPE group": lambda seed: TPESampler(seed=seed, multivariate=True, group=True),
    "NSGA-II": lambda seed: NSGAIISampler(seed=seed),
    "NSGA-III": lambda seed: NSGAIIISampler(seed=seed),
    "CMA-ES": lambda seed: CmaEsSampler(seed=seed, **QUIET),
    "QMC": lambda seed: QMCSampler(seed=seed, scramble=True, **QUIET),
    "GP": lambda seed: GPSampler(seed=seed, **QUIET),
}
"""Each base sampler, by the name that the tables show."""


def sampler_of(method: str, space: ab.Space, budget: ab.Budget, seed: int) -> tuple[BaseSampler, str]:
    """The sampler of a method, and what it does with networks outside the budget."""
    base, _, way = method.partition(" + ")
    if base.startswith("BudgetSampler"):
        name, _, fill = base.removeprefix("BudgetSampler(").removesuffix(")").partition(", fill=")
        filled = {"fill": None if fill == "None" else float(fill)} if fill else {}
        return ab.BudgetSampler(space, budget, BASES[name](seed), **filled), INSIDE
    if base == CTPE:
        return c_tpe(space.constraint(budget), seed), INDIFFERENT
    return BASES[base](seed), way


CTPE = "c-TPE"
REGISTRY = os.environ.get("OPTUNAHUB_REGISTRY")
"""A folder with a copy of OptunaHub's registry, for machines that do not reach it."""


def c_tpe(constraint: ab.Constraint, seed: int) -> BaseSampler:
    """c-TPE of Watanabe and Hutter, IJCAI 2023, by the first author, from OptunaHub."""
    import optunahub

    package = "samplers/ctpe"
    module = (
        optunahub.load_local_module(package, registry_root=REGISTRY) if REGISTRY else optunahub.load_module(package)
    )
    sampler: BaseSampler = module.cTPESampler(constraints_func=constraint, seed=seed)
    return sampler


# 1. The synthetic score -----------------------------------------------------------------------------------------------

SYNTHETIC_BUDGET = 325_000
GP_TRIALS = 80
"""A GP takes seconds for what the others do in milliseconds, and needs fewer trials."""
SYNTHETIC = (
    "BudgetSampler(TPE)",
    "BudgetSampler(TPE, fill=None)",
    "BudgetSampler(TPE univariate)",
    "BudgetSampler(TPE group)",
    *(["BudgetSampler(GP)"] if importlib.util.find_spec("torch") else []),
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
    """From 0 to 1: capacity has diminishing returns; the best kernel, pooling and head depend on it."""
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


def search(
    method: str, space: ab.Space, budget: ab.Budget, trials: int, seed: int, score: Callable[[ab.Architecture], float]
) -> tuple[optuna.Study, list[float]]:
    """One study of a method, and the scores of its trials inside the budget."""
    quieten()
    constraint = space.constraint(budget)
    sampler, way = sampler_of(method, space, budget, seed)
    inside = []

    def objective(trial: optuna.Trial) -> float:
        arch = space.suggest(trial)
        fits = not budget.violations(arch.costs)
        if way == PRUNED and not fits:
            raise optuna.TrialPruned
        if way == CONSTRAINED:
            constraint(trial)
        value = score(arch)
        if fits:
            inside.append(value)
        return value

    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=trials)
    return study, inside


def run_synthetic(trials: int, method: str, seed: int) -> Result:
    """The gap to the optimum in per cent, and how many trials were inside the budget."""
    budget = ab.Budget(params=SYNTHETIC_BUDGET)
    trials = min(trials, GP_TRIALS) if "GP" in method else trials
    _, inside = search(method, synthetic_space(), budget, trials, seed, lambda arch: float(synthetic_score(dict(arch))))
    best = synthetic_truth()[0]
    return {"trials": trials, "inside": len(inside), "gap": 100 * (1 - max(inside) / best) if inside else None}


def synthetic(seeds: int, trials: int) -> Study:
    """Part 1."""
    best, share = synthetic_truth()
    results = gather(functools.partial(run_synthetic, trials), SYNTHETIC, seeds)
    rows = []
    for method, runs in results.items():
        gaps = np.array([100.0 if run["gap"] is None else run["gap"] for run in runs])
        rows.append(
            [
                method,
                str(runs[0]["trials"]),
                f"{np.median([run['inside'] for run in runs]):g}",
                f"{np.median(gaps):.2f} %",
                f"{np.quantile(gaps, 0.25):.2f} to {np.quantile(gaps, 0.75):.2f} %",
                f"{gaps.max():.2f} %",
                f"{(gaps <= 1).sum()} of {len(gaps)}",
                str(sum(run["gap"] is None for run in runs)),
            ]
        )
    title = f"1. gap to the known optimum {best:.4f}; {100 * share:.2f} % of 4,718,592 networks fit; {seeds} seeds"
    head = ["method", "trials", "inside", "median gap", "quartiles", "worst", "within 1 %", "found nothing"]
    return title, head, rows, results


# 2. Issue 2969 --------------------------------------------------------------------------------------------------------


@functools.cache
def layered_space() -> ab.Space:
    """1 to 10 dense layers, each with its own width."""
    return ab.Space(
        [
            layers.Input((64,)),
            layers.Repeat(
                ab.Int("depth", 1, 10),
                lambda number: layers.Dense(ab.Int(f"width{number}", 16, 512, step=16), activation="relu"),
            ),
            layers.Dropout(ab.Choice("rate", [0.0, 0.1, 0.2, 0.5])),
            layers.Dense(10),
        ]
    )


LAYERED_BUDGET = 50_000
LAYERED = (
    "BudgetSampler(TPE)",
    "BudgetSampler(TPE, fill=None)",
    "BudgetSampler(TPE univariate)",
    "BudgetSampler(TPE group)",
    "BudgetSampler(uniform)",
    "TPE + set_constraint",
    "TPE + pruning",
    "TPE univariate + pruning",
)
LAST = 50


def layered_score(arch: ab.Architecture) -> float:
    """At most 1, reached by seven layers of the same width within the budget, the widest that fit."""
    depth = int(arch["depth"])
    widths = np.log2([float(arch[f"width{number}"]) for number in range(1, depth + 1)])
    evenness = float(np.abs(np.diff(widths)).mean()) / 5 if depth > 1 else 0.0
    return 0.6 * (1 - ((depth - 7) / 6) ** 2) + 0.2 * (1 - evenness) + 0.2 * (float(widths.mean()) - 4) / 5


def run_layered(trials: int, method: str, seed: int) -> Result:
    """The depths that were suggested in the last trials, and the best score inside the budget."""
    budget = ab.Budget(params=LAYERED_BUDGET)
    study, inside = search(method, layered_space(), budget, trials, seed, layered_score)
    depths = [trial.params["depth"] for trial in study.trials[-LAST:]]
    return {"inside": len(inside), "depth": float(np.mean(depths)), "score": max(inside, default=None)}


def layered(seeds: int, trials: int) -> Study:
    """Part 2."""
    results = gather(functools.partial(run_layered, trials), LAYERED, seeds)
    rows = []
    for method, runs in results.items():
        depths = np.array([run["depth"] for run in runs])
        scores = np.array([run["score"] for run in runs if run["score"] is not None])
        rows.append(
            [
                method,
                f"{np.median([run['inside'] for run in runs]):g}",
                f"{np.median(depths):.1f}",
                f"{depths.min():.1f} to {depths.max():.1f}",
                f"{np.median(scores):.3f}" if len(scores) else "-",
                f"{scores.min():.3f} to {scores.max():.3f}" if len(scores) else "-",
            ]
        )
    space = layered_space()
    share = space.within(ab.Budget(params=LAYERED_BUDGET)).bounds() / space.size
    title = f"2. depth from 1 to 10, the best at 7; {share:.1e} of the networks fit; {trials} trials, {seeds} seeds"
    head = ["method", "inside", f"mean depth of the last {LAST}", "range", "best score", "range"]
    return title, head, rows, results


# 3. Training ----------------------------------------------------------------------------------------------------------

TRAINED_BUDGET = 3_000
TRAINED = (
    "BudgetSampler(TPE)",
    "BudgetSampler(TPE, fill=None)",
    "BudgetSampler(uniform)",
    "TPE + set_constraint",
    "TPE + pruning",
)
EPOCHS = 10
MOST_ASKED = 50
"""A method may propose this many networks for each one to train."""


def run_trained(networks: int, method: str, seed: int) -> Result:
    """Trains this many networks inside the budget; networks that do not fit are never trained."""
    quieten()
    from archbudget import digits, files

    space, budget = files.read(digits.SPACE_FILE).space, ab.Budget(params=TRAINED_BUDGET)
    constraint = space.constraint(budget)
    sampler, way = sampler_of(method, space, budget, seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.set_user_attr(digits.EPOCHS_KEY, EPOCHS)
    trained: list[tuple[float, float]] = []

    def objective(trial: optuna.Trial) -> float:
        arch = space.suggest(trial)
        fits = not budget.violations(arch.costs)
        if way == PRUNED and not fits:
            raise optuna.TrialPruned
        if way == CONSTRAINED:
            constraint(trial)
            if not fits:
                return 0.0  # TPE does not look at it.
        valid = digits.accuracy(arch, trial)
        trained.append((valid, trial.user_attrs["test_accuracy"]))
        if len(trained) == networks:
            study.stop()
        return valid

    study.optimize(objective, n_trials=MOST_ASKED * networks)
    valid, test = max(trained, default=(0.0, 0.0))
    return {"asked": len(study.trials), "trained": len(trained), "valid": valid, "test": test}


def trained(seeds: int, networks: int) -> Study:
    """Part 3."""
    with tempfile.TemporaryDirectory() as directory:
        # Most of the time would be spent on compiling the same small operations again.
        os.environ |= {"JAX_COMPILATION_CACHE_DIR": directory, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
        results = gather(functools.partial(run_trained, networks), TRAINED, seeds)
    rows = []
    for method, runs in results.items():
        valid, test = (100 * np.array([run[part] for run in runs]) for part in ("valid", "test"))
        rows.append(
            [
                method,
                f"{np.median([run['asked'] for run in runs]):g}",
                f"{np.median(valid):.1f} %",
                f"{valid.min():.1f} to {valid.max():.1f} %",
                f"{np.median(test):.1f} %",
                f"{test.min():.1f} to {test.max():.1f} %",
            ]
        )
    title = f"3. digits inside 3,000 parameters: {networks} networks trained for {EPOCHS} epochs each, {seeds} seeds"
    head = ["method", "trials", "best validation accuracy", "range", "its test accuracy", "range"]
    return title, head, rows, results


# 4. NAS-Bench-Macro ---------------------------------------------------------------------------------------------------

QUANTILES = (0.02, 0.1, 0.3)
AFTER = (10, 20, 60)
"""The regret is told after this many trained networks."""
MACRO = (
    "BudgetSampler(TPE)",
    "BudgetSampler(TPE, fill=0)",
    "BudgetSampler(TPE, fill=None)",
    "BudgetSampler(uniform)",
    *(["BudgetSampler(GP)"] if importlib.util.find_spec("torch") else []),
    *([CTPE] if importlib.util.find_spec("optunahub") else []),
    *(["GP + set_constraint"] if importlib.util.find_spec("torch") else []),
    "TPE + set_constraint",
    "TPE + pruning",
)
MACRO_ASKED = 10
"""A method may propose this many networks for each one to train."""


@functools.cache
def macro_table(file: Path) -> dict[tuple[str, ...], tuple[float, int]]:
    """The mean accuracy of three trainings and the MACs of each network, by its operations."""
    names = ("Identity", "MB3_K3", "MB6_K5")
    table = json.loads(file.read_text())
    return {tuple(names[int(digit)] for digit in key): (row["mean_acc"], row["flops"]) for key, row in table.items()}


def macro_budget(file: Path, quantile: float) -> tuple[ab.Budget, float]:
    """The budget that a share of the networks keeps, and the greatest accuracy within it."""
    accuracies, macs = map(np.array, zip(*macro_table(file).values(), strict=True))
    bound = int(np.quantile(macs, quantile))
    return ab.Budget(macs=bound), float(accuracies[macs <= bound].max())


def run_macro(file: Path, quantile: float, networks: int, method: str, seed: int) -> Result:
    """The regret after each trained network; one outside the budget is not trained, and counts as nothing."""
    quieten()
    space, (budget, best), table = ab.spaces.nas_bench_macro(), macro_budget(file, quantile), macro_table(file)
    constraint = space.constraint(budget)
    sampler, way = sampler_of(method, space, budget, seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    trained: list[float] = []

    def objective(trial: optuna.Trial) -> float:
        arch = space.suggest(trial)
        fits = not budget.violations(arch.costs)
        if way == PRUNED and not fits:
            raise optuna.TrialPruned
        if way == CONSTRAINED:
            constraint(trial)
        if not fits:
            return 0.0  # Samplers with constraints do not look at it.
        accuracy = table[tuple(str(value) for value in arch.values())][0]
        trained.append(accuracy)
        if len(trained) == networks:
            study.stop()
        return accuracy

    study.optimize(objective, n_trials=MACRO_ASKED * networks)
    found = np.maximum.accumulate([0.0, *trained])
    regret = [float(best - found[min(number, len(trained))]) for number in AFTER if number <= networks]
    return {"asked": len(study.trials), "regret": regret}


def macro(file: Path, seeds: int, networks: int) -> Study:
    """Part 4."""
    results, rows = {}, []
    for quantile in QUANTILES:
        run = functools.partial(run_macro, file, quantile, networks)
        for method, runs in gather(run, MACRO, seeds).items():
            results[f"{quantile:.0%} {method}"] = runs
            regrets = np.array([each["regret"] for each in runs])
            errors = regrets.std(axis=0, ddof=1) / np.sqrt(len(runs))
            asked = f"{np.median([each['asked'] for each in runs]):g}"
            means = [f"{mean:.2f} +- {error:.2f}" for mean, error in zip(regrets.mean(axis=0), errors, strict=True)]
            rows.append([f"{quantile:.0%}", method, asked, *means])
    title = f"4. regret in points of accuracy on NAS-Bench-Macro, mean and standard error; {seeds} seeds"
    head = ["MACs quantile", "method", "trials", *(f"after {number}" for number in AFTER if number <= networks)]
    return title, head, rows, results


# ----------------------------------------------------------------------------------------------------------------------


def quieten() -> None:
    """Only the tables are shown."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)


ONLY: list[str] = []
"""The methods that are run; all of them where it is empty."""


def gather(run: Callable[[str, int], Result], methods: Sequence[str], seeds: int) -> dict[str, list[Result]]:
    """The results of each method for each seed, two at a time."""
    methods = [method for method in methods if not ONLY or method in ONLY]
    # JAX and torch do not take it well to be forked.
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        started = {method: [pool.submit(run, method, seed) for seed in range(seeds)] for method in methods}
        return {method: [each.result() for each in runs] for method, runs in started.items()}


def show(study: Study, *, markdown: bool) -> None:
    """Prints a table."""
    title, head, rows, _ = study
    if markdown:
        print(f"\n{title}\n")
        for row in [head, ["---"] * len(head), *rows]:
            print(f"| {' | '.join(row)} |")
        return
    table = Table(*head, title=title)
    for row in rows:
        table.add_row(*row)
    Console(width=150).print(table)


def machine() -> str:
    """The machine and the versions of the measurements."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("optuna", "numpy"))
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {packages}"


PARTS: dict[int, tuple[Callable[[int, int], Study], int, int]] = {
    1: (synthetic, 20, 200),
    2: (layered, 20, 200),
    3: (trained, 5, 20),
}
"""Each part with its number of seeds and of trials; of the third, of networks that are trained."""


def main() -> None:
    """Runs the parts and prints their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", type=int, choices=[*PARTS, 4], action="append", help="a part; all by default")
    parser.add_argument("--seeds", type=int, help="studies for each method (20, 20, 5 and 20)")
    parser.add_argument(
        "--trials", type=int, help="trials of a study; of parts 3 and 4 networks that are trained (200, 200, 20, 60)"
    )
    parser.add_argument("--method", action="append", help="a method, as the tables call it; all by default")
    parser.add_argument("--table", type=Path, help="the table of NAS-Bench-Macro; part 4 needs it")
    parser.add_argument("--json", type=Path, help="a file for the result of each study")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    given = parser.parse_args()
    ONLY.extend(given.method or ())
    parts = dict(PARTS)
    if given.table:
        parts[4] = functools.partial(macro, given.table), 20, 60
    elif 4 in (given.part or ()):
        parser.error("part 4 needs --table")
    kept: dict[str, Any] = {"machine": machine()}
    print(machine())
    for number in given.part or parts:
        part, seeds, trials = parts[number]
        start = time.monotonic()
        study = part(given.seeds or seeds, given.trials or trials)
        show(study, markdown=given.markdown)
        print(f"{time.monotonic() - start:.0f} s")
        kept[str(number)] = study[3]
        if given.json:
            given.json.write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
