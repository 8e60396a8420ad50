"""Any sampler on a feasible set, through its public interface: it is asked decision by decision for values that fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from archbudget.search.propose.view import View

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial


def ask_narrowed(
    base: BaseSampler, study: Study, trial: FrozenTrial, name: str, distribution: BaseDistribution, allowed: list[Any]
) -> Any:
    """The value that a sampler proposes for a decision of which only some values are allowed.

    Args:
        base: The sampler.
        study: The study.
        trial: The trial.
        name: The decision.
        distribution: Its full distribution.
        allowed: The allowed values, at least one.
    """
    if len(allowed) == 1:
        return allowed[0]
    narrowed: BaseDistribution
    if isinstance(distribution, IntDistribution):
        low, high = min(allowed), max(allowed)
        narrowed = IntDistribution(low, high, log=distribution.log, step=distribution.step)

        def keep(value: Any) -> bool:
            return bool(low <= value <= high)

    else:
        narrowed = CategoricalDistribution(allowed)
        typed = {(type(value), value) for value in allowed}

        def keep(value: Any) -> bool:
            return (type(value), value) in typed

    def within(trial: FrozenTrial) -> tuple[dict[str, Any], dict[str, BaseDistribution]] | None:
        if name in trial.params and not keep(trial.params[name]):
            return None
        return trial.params, trial.distributions

    value = base.sample_independent(View(study, within), trial, name, narrowed)  # type: ignore[arg-type]
    if value in allowed:
        return value
    # The range from low to high may have holes: take the nearest allowed value.
    return min(allowed, key=lambda other: abs(other - value))
