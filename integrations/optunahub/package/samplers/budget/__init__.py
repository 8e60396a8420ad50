"""The sampler of archbudget for OptunaHub."""

from archbudget import BudgetSampler

__all__ = ["BudgetSampler"]
