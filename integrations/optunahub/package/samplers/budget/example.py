"""A search inside a budget."""

import optuna
import optunahub

import archbudget as ab

space = ab.spaces.lenet()
module = optunahub.load_module(package="samplers/budget")
sampler = module.BudgetSampler(space, ab.Budget(params=60_000), seed=0)
study = optuna.create_study(direction="maximize", sampler=sampler)
study.optimize(lambda trial: space.suggest(trial).macs, n_trials=20)
print(max(trial.user_attrs["params"] for trial in study.trials))
