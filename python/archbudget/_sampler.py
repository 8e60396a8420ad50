"""An Optuna sampler that keeps every trial inside a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler, TPESampler

from archbudget._feasible import FeasibleSet
from archbudget.errors import ArchbudgetError, SpaceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.study import Study
    from optuna.trial import FrozenTrial, TrialState

    from archbudget._budget import Budget
    from archbudget._space import Space

REFUSED = "archbudget:refused"
"""The user attribute of a trial whose enqueued values cannot fit the budget: why."""

_logger = optuna.logging.get_logger(__name__)


class BudgetSampler(BaseSampler):
    """Keeps every trial of a study inside a budget, whatever sampler proposes the values.

    Each decision of the space is asked of the base sampler on those of its values that can still be completed to a
    network inside the budget. The distributions stored in the study stay full and static, and parameters that are not
    in the space go to the base sampler as they are. Values that were enqueued are kept; if they cannot fit, the trial
    is pruned by `Space.suggest` before anything is trained, and a warning says why.

    Args:
        space: The space.
        budget: The budget.
        base: The sampler that proposes values; `TPESampler()` by default.

    Raises:
        InfeasibleBudgetError: If no network of the space fits.
    """

    def __init__(self, space: Space, budget: Budget, base: BaseSampler | None = None) -> None:
        if base is not None and not isinstance(base, BaseSampler):
            raise SpaceError(f"base must be an Optuna sampler, not {base!r}")
        self.space = space
        self.budget = budget
        self.base: BaseSampler = TPESampler() if base is None else base
        self._feasible = FeasibleSet(space, budget)
        self._feasible.require_some()

    def __repr__(self) -> str:
        return f"<BudgetSampler {self.budget.describe()}, base {type(self.base).__name__}>"

    def reseed_rng(self) -> None:
        """Takes fresh random numbers, for another process."""
        self.base.reseed_rng()

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Checks the values that were enqueued for the trial."""
        fixed = self._fixed(trial)
        if fixed is not None:
            try:
                reason = self._refusal(fixed)
            except ArchbudgetError as error:
                reason = str(error)
            if reason is not None:
                study._storage.set_trial_user_attr(trial._trial_id, REFUSED, reason)
                trial.user_attrs[REFUSED] = reason
                _logger.warning(f"Trial {trial.number} was enqueued outside of the budget and will be pruned: {reason}")
        self.base.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """What the base sampler draws together, without the decisions of the space."""
        joint = self.base.infer_relative_search_space(study, trial)
        return {name: distribution for name, distribution in joint.items() if name not in self.space.decisions}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """What the base sampler draws together."""
        return self.base.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """One value; of a decision of the space, one that can still be completed."""
        if param_name not in self.space.decisions or REFUSED in trial.user_attrs:
            return self.base.sample_independent(study, trial, param_name, param_distribution)
        allowed = self._allowed(trial, param_name)
        if len(allowed) == 1:
            return allowed[0]
        narrowed, view = _narrow(study, param_name, param_distribution, allowed)
        if narrowed is None:
            return self.base.sample_independent(study, trial, param_name, param_distribution)
        value = self.base.sample_independent(view, trial, param_name, narrowed)
        if value in allowed:
            return value
        # A hull has holes: take the nearest value that is allowed.
        return min(allowed, key=lambda other: abs(other - value))

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Tells the base sampler that a trial has ended."""
        self.base.after_trial(study, trial, state, values)

    def _fixed(self, trial: FrozenTrial) -> dict[str, Any] | None:
        """The decisions of the space whose values were enqueued; `None` where there are none."""
        fixed = trial.system_attrs.get("fixed_params", {})
        return {name: value for name, value in fixed.items() if name in self.space.decisions} or None

    def _refusal(self, fixed: dict[str, Any]) -> str | None:
        """Why no candidate with these values fits."""
        if not self._feasible.fix(fixed).is_empty():
            return None
        given = ", ".join(f"{name}={value!r}" for name, value in fixed.items())
        try:
            arch = self.space.architecture(fixed)
        except ArchbudgetError:
            return f"no network with {given} fits {self.budget.describe()}"
        found = ", ".join(f"{metric} {value:,}" for metric, value in self.budget.violations(arch.costs).items())
        return f"the network with {given} has {found}; the budget is {self.budget.describe()}"

    def _allowed(self, trial: FrozenTrial, name: str) -> list[Any]:
        """The values of a decision that can still be completed, given the values that the trial has taken."""
        space = self.space
        taken = space.indices_of(trial.params)
        walk = space._diagram.walk()
        names = list(space.decisions)
        prefix: list[int] = []
        while (position := walk.open) is not None and names[position] != name:
            index = taken[position]
            if index is None:
                raise SpaceError(
                    f"decision '{name}' was asked for before '{names[position]}'; let space.suggest(trial) ask"
                )
            walk.choose(index)
            prefix.append(index)
        fixed = self._fixed(trial)
        found = (self._feasible if fixed is None else self._feasible.fix(fixed)).allowed(prefix)
        if found is None:
            return []
        return [value for value, fits in zip(space.decisions[name].values, found[1], strict=True) if fits]


def refuse(trial: optuna.trial.BaseTrial) -> None:
    """Prunes a trial whose enqueued values cannot fit the budget of its sampler.

    Raises:
        optuna.TrialPruned: With the reason.
    """
    reason = trial.user_attrs.get(REFUSED)
    if reason is not None:
        raise optuna.TrialPruned(reason)


def _narrow(
    study: Study, name: str, distribution: BaseDistribution, allowed: list[Any]
) -> tuple[BaseDistribution | None, Study]:
    """A distribution over the allowed values, or their hull; and the study as far as it lies within it."""
    if isinstance(distribution, IntDistribution) and allowed:
        low, high = min(allowed), max(allowed)
        return IntDistribution(low, high, log=distribution.log, step=distribution.step), _View.of(
            study, name, low, high
        )
    if isinstance(distribution, CategoricalDistribution) and allowed:
        return CategoricalDistribution(allowed), _View.of(study, name, *allowed, exact=True)
    return None, study


class _View:
    """A study as a sampler sees it that knows only some values of a parameter: trials with others are left out."""

    def __init__(self, study: Study, name: str, keep: Any) -> None:
        self._study = study
        self._name = name
        self._keep = keep

    @classmethod
    def of(cls, study: Study, name: str, *values: Any, exact: bool = False) -> Any:
        """A view of the trials whose value is one of these, or between the first and the last of them."""
        if exact:
            known = {(type(value), value) for value in values}
            return cls(study, name, lambda value: (type(value), value) in known)
        return cls(study, name, lambda value: values[0] <= value <= values[-1])

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._study, attribute)

    def _get_trials(self, *args: Any, **kwargs: Any) -> list[FrozenTrial]:
        return self._filter(self._study._get_trials(*args, **kwargs))

    def get_trials(self, *args: Any, **kwargs: Any) -> list[FrozenTrial]:
        """The trials that are seen."""
        return self._filter(self._study.get_trials(*args, **kwargs))

    @property
    def trials(self) -> list[FrozenTrial]:
        """The trials that are seen."""
        return self._filter(self._study.trials)

    def _filter(self, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        name, keep = self._name, self._keep
        return [trial for trial in trials if name not in trial.params or keep(trial.params[name])]
