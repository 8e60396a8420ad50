"""A search with two objectives, inside a budget: its Pareto front."""

import math

import optuna

import archbudget as ab

optuna.logging.set_verbosity(optuna.logging.WARNING)
space, budget = ab.spaces.lenet(), ab.Budget(params=60_000, macs=5_000_000)


def objectives(arch):
    """Stands for an accuracy and a latency."""
    return math.log(arch.macs) + arch["k1"] / 10, arch.peak_activation_bytes


study = ab.search(space, objectives, budget, n_trials=50, seed=0, directions=["maximize", "minimize"])
front = [space.from_trial(trial) for trial in study.best_trials]
print(len(study.trials), "trials; all of the front fit:", all(arch in space.within(budget) for arch in front))
