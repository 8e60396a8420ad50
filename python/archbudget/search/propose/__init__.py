"""How each of Optuna's samplers proposes candidates of a feasible set."""

from __future__ import annotations

from archbudget.search.propose.choose import proposer_for
from archbudget.search.propose.inside import Inside
from archbudget.search.propose.narrow import ask_narrowed
from archbudget.search.propose.proposer import Proposer, Question

__all__ = ["Inside", "Proposer", "Question", "ask_narrowed", "proposer_for"]
