"""What a trial of Optuna says of a network: the names of attributes, the distributions of decisions, what is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.distributions import CategoricalDistribution, IntDistribution
    from optuna.trial import BaseTrial

    from archbudget._expressions import Decision

PREFIX = "archbudget:"
"""What the names of our own attributes begin with."""

PROCESS = "archbudget:process"
"""The user attribute of a trial that says which process works on it."""

BEAT = "archbudget:beat"
"""The user attribute of a running trial that counts up as long as its process lives."""

RETRY_OF = "archbudget:retry_of"
"""The user attribute of a trial that is an earlier one again: the number of that one."""

LOST = "archbudget:lost"
"""The user attribute of a trial whose process was lost: why. Each of them was a try."""

FAILED = "archbudget:failed"
"""The user attribute of a trial that failed and is not tried again, as it says; such a trial is finished."""

REFUSED = "archbudget:refused"
"""The user attribute of a trial whose fixed values cannot fit the budget: why."""

SPACE, BUDGET = "archbudget:space", "archbudget:budget"
"""The user attributes of a study that say which space and budget it is of."""

MODELS = "archbudget:models"
"""The user attribute of a study, and of a trial, that says where its models are kept."""


def distribution_of(decision: Decision) -> IntDistribution | CategoricalDistribution:
    """The distribution with which a trial is asked for a decision; it never changes."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if decision.step is not None:
        low, high = decision.values[0], decision.values[-1]
        return IntDistribution(low, high, step=decision.step)  # type: ignore[arg-type]
    return CategoricalDistribution(decision.values)


def suggest(trial: BaseTrial, name: str, decision: Decision) -> int:
    """The index of the value that a trial takes for a decision."""
    if decision.step is not None:
        low, high = decision.values[0], decision.values[-1]
        value: Any = trial.suggest_int(name, low, high, step=decision.step)  # type: ignore[arg-type]
        return int((value - low) // decision.step)
    value = trial.suggest_categorical(name, decision.values)
    return decision.index(value)


def refuse(trial: BaseTrial) -> None:
    """Prunes a trial whose fixed values cannot fit the budget of its sampler.

    Raises:
        optuna.TrialPruned: With the reason.
    """
    reason = trial.user_attrs.get(REFUSED)
    if reason is not None:
        from optuna import TrialPruned

        raise TrialPruned(reason)
