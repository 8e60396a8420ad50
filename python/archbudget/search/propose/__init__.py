"""How each of Optuna's samplers proposes candidates of a feasible set."""

from __future__ import annotations

from archbudget.search.propose.choose import proposer_for
from archbudget.search.propose.inside import Inside
from archbudget.search.propose.narrow import ask_narrowed
from archbudget.search.propose.proposer import Proposer, Question
from archbudget.search.propose.start import Start
from archbudget.search.propose.tried import Tried

__all__ = ["Inside", "Proposer", "Question", "Start", "Tried", "ask_narrowed", "proposer_for"]
