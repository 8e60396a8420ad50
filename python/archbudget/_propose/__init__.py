"""How each of Optuna's samplers is made to propose candidates of a feasible set."""

from __future__ import annotations

from archbudget._propose._choose import proposer_for
from archbudget._propose._inside import Inside
from archbudget._propose._narrow import ask_narrowed
from archbudget._propose._proposer import Proposer, Question

__all__ = ["Inside", "Proposer", "Question", "ask_narrowed", "proposer_for"]
