"""An Optuna sampler that keeps every trial inside a budget."""

from __future__ import annotations

import inspect
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.samplers import BaseSampler, BruteForceSampler, GridSampler, TPESampler
from optuna.trial import TrialState

from archbudget._budget import FILL, refuse_loose_bounds
from archbudget._guard import answering, guards
from archbudget._message import listed, show
from archbudget.errors import ArchbudgetError, SpaceError
from archbudget.search.propose import Inside, Question, Start, Tried, ask_narrowed, proposer_for
from archbudget.space.columns import is_gap
from archbudget.space.family import compiled
from archbudget.space.space import require_space
from archbudget.space.trials import MISNAMED, ORDER, REFUSED, misnamed, new_names, unwrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from archbudget._budget import Budget
    from archbudget.space.space import Space

MOST_PARTS = 4
"""The candidates with fixed values are cached for this many sets of values."""

_logger = optuna.logging.get_logger(__name__)


@guards(only=["__init__"])  # Its other methods raise the exceptions of storages.
class BudgetSampler(BaseSampler):
    """Keeps every trial of a study inside a budget, with any sampler that proposes the values.

    Each trial gets a whole candidate that fits. Networks that fill their budget tend to be better, so a search looks
    there first: a base sampler that learns starts with networks that use at least the share `fill` of the budget,
    spread evenly over the values of each decision, and so over depths, too. Then TPE and GP propose among them as long
    as the best network so far is one; each tenth of their trials looks anywhere inside the budget. Base samplers
    propose in their own ways:

    - TPE draws from its density of the good trials, given that a candidate fits and was not tried yet, and takes the
      one with the best ratio;
    - NSGA-II and NSGA-III have their children repaired;
    - CMA-ES and QMC move in a cube in which each point is a candidate that fits;
    - GP maximizes its acquisition function over candidates that fit;
    - `RandomSampler` draws exactly uniformly among all candidates that fit, whatever `fill` is;
    - any other sampler is asked decision by decision, with only the values that still have a completion.

    Give `fill=0` where the best networks need not be large: where small ones win because there are few data, or where
    the objective is the cost itself. With several objectives trials look anywhere in any case, as small networks are
    wanted, too. With `fill=None` a search starts with exactly uniform draws.

    The distributions stored in the study stay complete and static, and parameters that are not in the space go to the
    base sampler unchanged. Values that were enqueued, or fixed by a `PartialFixedSampler`, are kept; if they cannot
    fit, or one is no value of its decision, `Space.suggest` prunes the trial before anything is trained, and a warning
    says why. A name that is nearly that of a decision is an error of `Space.suggest`. A name that turns out to be
    neither a decision nor a parameter of the objective is an error once the trial is told, or a warning if the
    objective has other parameters of its own, as it may ask for this one in other trials.

    Making a sampler asks whether the feasible set is empty; the first trial counts it, and what fills the budget; each
    further one takes about as long as a proposal of the base sampler. The sampler keeps no state of a trial: threads
    and processes may share a study. Its methods hold the GIL, except while they count, draw and evaluate.

    Args:
        space: The space.
        budget: The budget.
        base: The sampler that proposes values; `TPESampler(seed=seed)` by default. If it has a seed, all is
            reproducible.
        seed: The seed of the default sampler; one that is given as `base` has its own.
        fill: The share of the budget, from 0 to 1, that networks use among which a search looks first. Of several
            bounds that exclude networks each counts in turn. Where no network uses so much of a bound, it is the share
            of the most that is used. Where the sets are not counted exactly, trials look anywhere, and start uniformly.

    Raises:
        BudgetError: If it is not a budget, or bounds a metric that the space does not have.
        InfeasibleBudgetError: If no network of the space fits.
        SpaceError: If `space` is not a space, or `base` not an Optuna sampler; or if `base` is a `GridSampler` or
            `BruteForceSampler`, which go through values that they take from no proposal, or another `BudgetSampler`;
            or if there is a `seed` beside a `base`, or `fill` is no share.

    Example:
        >>> import archbudget as ab
        >>> import optuna
        >>> space, budget = ab.spaces.lenet(), ab.Budget(params=60_000)
        >>> study = optuna.create_study(sampler=ab.BudgetSampler(space, budget, seed=0))
        >>> study.optimize(lambda trial: space.suggest(trial).macs, n_trials=20)
        >>> all(trial.user_attrs["params"] <= 60_000 for trial in study.trials)
        True
    """

    @answering(refuse_loose_bounds)
    def __init__(
        self,
        space: Space,
        budget: Budget,
        base: BaseSampler | None = None,
        *,
        seed: int | None = None,
        fill: float | None = FILL,
    ) -> None:
        require_space(space, "BudgetSampler")
        if base is not None and not isinstance(base, BaseSampler):
            raise SpaceError(f"base must be an Optuna sampler, not {show(base)}")
        check_seed(seed, base)
        check_fill(fill)
        self.space = space
        self.budget = budget
        self.base: BaseSampler = TPESampler(seed=seed) if base is None else base
        learner, _ = unwrapped(self.base)
        _refuse_base(learner)
        fits = space.within(budget)
        fits.require_some()
        self.fill = None if fill is None else float(fill)
        self._inside = Inside(fits, self.fill)
        self._parts: dict[tuple[Any, ...], Inside] = {}
        self._proposer = proposer_for(learner)
        if self._proposer is None:
            _logger.info(
                f"fallback: {type(learner).__name__} is none of the samplers that are asked for whole networks: it is "
                "asked decision by decision, for the values that can be completed"
            )
        self._random = _Random(learner)
        self._start = None if fill is None else Start(self._random.key)
        self._tried = Tried()

    def __repr__(self) -> str:
        return f"<BudgetSampler {self.budget.describe()}, base {type(self.base).__name__}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_remade, (self.space, self.budget, self.base, self.fill))

    def reseed_rng(self) -> None:
        """Makes the random numbers of another thread or process differ; called by Optuna."""
        self.base.reseed_rng()
        self._random.reseed()

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Checks the values that are fixed for the trial; called by Optuna."""
        fixed = self._fixed(study, trial)
        wrong = misnamed(study, fixed, self.space.decisions)
        if wrong:
            _set_attr(study, trial, MISNAMED, wrong)
        reason = self._refusal(self._of_decisions(fixed))
        if reason is not None:
            _set_attr(study, trial, REFUSED, reason)
            _logger.warning(f"Trial {trial.number} will be pruned, for the values that are fixed for it: {reason}")
        if not compiled(self.space).diagram.is_asked_alike(list(self.budget)):
            _set_attr(study, trial, ORDER, list(self.budget))
        self.base.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All decisions of the space, and the parameters that the base sampler draws with them; called by Optuna."""
        decisions = self._inside.distributions
        if self._proposer is None or REFUSED in trial.user_attrs:
            joint = self.base.infer_relative_search_space(study, trial)
            return {name: distribution for name, distribution in joint.items() if name not in decisions}
        _, settled = unwrapped(self.base)
        own = self._proposer.own(study, trial, self._inside)
        own = {name: each for name, each in own.items() if name not in settled}
        return {**own, **{name: each for name, each in decisions.items() if not each.single()}}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A whole candidate that fits, and the parameters that the base sampler draws with it; called by Optuna."""
        decisions = self._inside.distributions
        own = {name: each for name, each in search_space.items() if decisions.get(name) != each}
        # Where a name has another meaning than in the space, the trial asks for no network.
        is_other = len(own) == len(search_space) or not own.keys().isdisjoint(decisions)
        if self._proposer is None or REFUSED in trial.user_attrs or is_other:
            return self.base.sample_relative(study, trial, own)
        inside = self._part(self._of_decisions(self._fixed(study, trial)))
        rng, tried = self._random.of(trial), self._tried.of(study, trial, inside)
        proposed = self._proposer.propose(Question(study, trial, inside, own, rng, self._start, tried))
        return {name: value for name, value in proposed.items() if name in search_space}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """One value; for a decision of the space one that has a completion that fits. Called by Optuna."""
        is_decision = self._inside.distributions.get(param_name) == param_distribution
        if not is_decision or REFUSED in trial.user_attrs:
            return self.base.sample_independent(study, trial, param_name, param_distribution)
        allowed = self._allowed(study, trial, param_name)
        return ask_narrowed(self.base, study, trial, param_name, param_distribution, allowed)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Tells the base sampler that a trial has ended; called by Optuna."""
        self.base.after_trial(study, trial, state, values)
        if state == TrialState.COMPLETE:
            self._refuse_ignored(study, trial)

    def _refuse_ignored(self, study: Study, trial: FrozenTrial) -> None:
        """Says which fixed values a trial has not taken, as neither the space nor the objective has such names.

        Raises:
            SpaceError: If the objective has no parameters of its own, and never had one of that name.
        """
        decisions = self.space.decisions
        ignored = [name for name in self._fixed(study, trial) if name not in trial.params and name not in decisions]
        if not ignored:
            return
        message = (
            f"trial {trial.number} ignored the fixed value of {listed(map(show, ignored))}: no decision of the space "
            f"and no parameter of the objective has that name; the decisions are {listed(decisions) or 'none'}"
        )
        if trial.params and trial.params.keys() <= decisions.keys() and new_names(study, ignored):
            raise SpaceError(message)
        _logger.warning(message)

    def _fixed(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        """The values that are fixed for the trial."""
        _, outer = unwrapped(study.sampler)
        _, inner = unwrapped(self.base)
        return {**inner, **outer, **trial.system_attrs.get("fixed_params", {})}

    def _of_decisions(self, fixed: dict[str, Any]) -> dict[str, Any]:
        """Those of decisions; a gap of one fixes nothing."""
        decisions = self.space.decisions
        return {
            name: value for name, value in fixed.items() if name in decisions and not is_gap(decisions[name], value)
        }

    def _part(self, fixed: dict[str, Any]) -> Inside:
        """The candidates that have the fixed values."""
        if not fixed:
            return self._inside
        key = tuple(sorted((name, type(value).__name__, repr(value)) for name, value in fixed.items()))
        part = self._parts.get(key)
        if part is None:
            part = self._inside.fix(fixed)
            if len(self._parts) >= MOST_PARTS:
                self._parts.clear()
            self._parts[key] = part
        return part

    def _refusal(self, fixed: dict[str, Any]) -> str | None:
        """Why no candidate with these values fits, or exists."""
        if not fixed:
            return None
        try:
            if not self._part(fixed).fits.is_empty():
                return None
        except ArchbudgetError as error:
            return str(error)
        given = ", ".join(f"{name}={show(value)}" for name, value in fixed.items())
        try:
            arch = self.space.architecture(fixed)
        except ArchbudgetError:
            return f"no network with {given} fits {self.budget.describe()}"
        found = ", ".join(f"{metric} {value:,}" for metric, value in self.budget.violations(arch.costs).items())
        return f"the network with {given} has {found}; the budget is {self.budget.describe()}"

    def _allowed(self, study: Study, trial: FrozenTrial, name: str) -> list[Any]:
        """The values of a decision that have a completion, given the values that the trial has taken."""
        taken = self.space.indices_of(
            {taken: value for taken, value in trial.params.items() if taken in self._inside.positions}
        )
        fits = self._part(self._of_decisions(self._fixed(study, trial))).fits
        prefix: list[int] = []
        while (found := fits.allowed(prefix)) is not None:
            asked, allowed = found
            if asked == name:
                return [value for value, fits in zip(self.space.decisions[name].values, allowed, strict=True) if fits]
            index = taken[self._inside.positions[asked]]
            if index is None:
                raise SpaceError(f"decision '{name}' was asked for before '{asked}'; let space.suggest(trial) ask")
            prefix.append(index)
        raise SpaceError(f"decision '{name}' was asked for where it is not active; let space.suggest(trial) ask")


def _remade(space: Space, budget: Budget, base: BaseSampler, fill: float | None) -> BudgetSampler:
    return BudgetSampler(space, budget, base, fill=fill)


def check_fill(fill: object) -> None:
    """Refuses what is no share of a budget.

    Raises:
        SpaceError: With what it must be.
    """
    is_number = isinstance(fill, (int, float, np.integer, np.floating)) and not isinstance(fill, bool)
    if not (fill is None or (is_number and 0 <= fill <= 1)):  # type: ignore[operator]
        raise SpaceError(
            f"fill must be None or a number from 0 to 1, the share of the budget that is used, not {show(fill)}"
        )


def check_seed(seed: object, sampler: object) -> None:
    """Refuses what is no seed, and a seed beside a sampler object, which has its own.

    Raises:
        SpaceError: With what it must be, or with the call that takes it.
    """
    if seed is None:
        return
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise SpaceError(f"seed must be None or an integer of at least 0, not {show(seed)}")
    if isinstance(sampler, BaseSampler):
        learner, _ = unwrapped(sampler)
        _refuse_base(learner)
        kind = type(learner).__name__
        takes = "seed" in inspect.signature(type(learner)).parameters
        advice = f"give it to {kind}(seed={seed})" if takes else f"{kind} has none"
        raise SpaceError(f"seed={seed} is not for a sampler that is given as an object; {advice}")


def _refuse_base(learner: BaseSampler) -> None:
    """Refuses base samplers that would not be asked for the values of a trial, or not be heard.

    Raises:
        SpaceError: With the reason.
    """
    reasons: dict[type[BaseSampler], str] = {
        GridSampler: "goes through the points of its own grid, inside the budget or not; study.enqueue_trial takes the "
        "points that you want",
        BruteForceSampler: "goes through the values that trials ask for, inside the budget or not; "
        "space.within(budget).candidates() lists all networks that fit, for study.enqueue_trial",
        BudgetSampler: "is inside another budget already; join the bounds in one Budget",
    }
    for kind, reason in reasons.items():
        if isinstance(learner, kind):
            raise SpaceError(f"BudgetSampler cannot have {show(learner)} as its base: it {reason}")


def _set_attr(study: Study, trial: FrozenTrial, key: str, value: Any) -> None:
    study._storage.set_trial_user_attr(trial._trial_id, key, value)
    trial.user_attrs[key] = value


class _Random:
    """Random numbers for each trial: reproducible where the base sampler has a seed."""

    def __init__(self, base: BaseSampler) -> None:
        self._lock = threading.Lock()
        # The next number that a base sampler would draw from its seed; without a seed it has no generator yet.
        rng = getattr(base, "_rng", None) or getattr(base, "_cma_rng", None)
        state = getattr(rng, "_rng", None)
        seed = base.__dict__.get("_seed") if state is None else int(state.randint(2**31 - 1))
        self._sequence = np.random.SeedSequence(seed)
        self.key = int(self._sequence.generate_state(1)[0])
        """A number that the seed determines, and that stays when it is forgotten."""

    def of(self, trial: FrozenTrial) -> np.random.Generator:
        """Fresh random numbers; the number of the trial makes workers with the same seed differ."""
        with self._lock:
            (child,) = self._sequence.spawn(1)
        return np.random.default_rng([*child.generate_state(4).tolist(), trial.number])

    def reseed(self) -> None:
        """Forgets the seed."""
        with self._lock:
            self._sequence = np.random.SeedSequence()
