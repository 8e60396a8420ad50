"""The cost of a trial of BudgetSampler compared with one of its base sampler alone: `python benches/overhead.py`.

For each base sampler two studies of the same space take 200 trials each; then both go on, in turn, and the medians of
the further trials are compared. The objective takes next to no time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from pathlib import Path

import optuna

import archbudget as ab
from search_quality import BASES, layered_space, machine, show, synthetic_space

SPACES = {
    "6 decisions, 1 % fit": (synthetic_space, ab.Budget(params=325_000)),
    "12 decisions, 10 of them conditional": (layered_space, ab.Budget(params=50_000)),
}
METHODS = ("TPE", "TPE univariate", "TPE group", "NSGA-II", "CMA-ES", "QMC", "uniform")


def measure(
    method: str, space: ab.Space, budget: ab.Budget, trials: int, further: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Seconds of a trial, and how many decisions it takes: of the base sampler alone, and inside the budget."""
    samplers = [BASES[method](0), ab.BudgetSampler(space, budget, BASES[method](0))]
    studies = [optuna.create_study(direction="maximize", sampler=sampler) for sampler in samplers]
    seconds: list[list[float]] = [[], []]
    decisions: list[list[int]] = [[], []]
    for number in range(trials + further):
        for study, taken, asked in zip(studies, seconds, decisions, strict=True):
            start = time.perf_counter()
            trial = study.ask()
            arch = space.suggest(trial)
            study.tell(trial, float(arch.params % 1000))
            if number >= trials:
                taken.append(time.perf_counter() - start)
                asked.append(len(arch))
    alone, inside = zip(map(statistics.median, seconds), map(statistics.mean, decisions), strict=True)
    return alone, inside


def main() -> None:
    """Prints a line for each base sampler and space."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200, help="trials before the clock starts (200)")
    parser.add_argument("--further", type=int, default=60, help="trials that are timed (60)")
    parser.add_argument("--json", type=Path, help="a file for the numbers")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    rows, numbers = [], []
    for what, (make, budget) in SPACES.items():
        space = make()
        for method in METHODS:
            alone, inside = measure(method, space, budget, given.trials, given.further)
            times = [f"{seconds * 1e3:.2f} ms" for seconds, _ in (alone, inside)]
            asked = [f"{decisions:.1f}" for _, decisions in (alone, inside)]
            rows.append([what, method, *times, f"{inside[0] / alone[0]:.2f}", *asked])
            numbers.append({"space": what, "base": method, "alone": alone, "inside": inside})
    head = ["space", "base sampler", "alone", "inside", "ratio", "decisions alone", "inside"]
    print(machine())
    show((f"a trial after {given.trials} trials", head, rows, {}), markdown=given.markdown)
    if given.json:
        given.json.write_text(json.dumps(numbers, indent=1))


if __name__ == "__main__":
    main()
