"""The budgets that keep five per cent of published spaces."""

import archbudget as ab

for name in ("nas_bench_201", "proxylessnas", "ds_cnn", "resnet"):
    space = getattr(ab.spaces, name)()
    budget = ab.Budget(params=space.distribution("params").quantile(0.05))
    kept = space.within(budget).bounds() / space.size
    print(f"{name:14} {budget.describe():21} keeps {kept.upper:.1%} of {space.size:.1e} networks")
