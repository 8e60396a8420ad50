"""A whole search in one call."""

from __future__ import annotations

import contextlib
import inspect
import json
import time
import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np
import optuna
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from archbudget._budget import Budget
from archbudget._expressions import as_written
from archbudget._sampler import BudgetSampler
from archbudget._space import require_space
from archbudget.errors import BudgetError, SpaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from archbudget._architecture import Architecture
    from archbudget._space import Space

SAMPLERS = ("tpe", "random", "nsgaii", "nsgaiii", "cmaes", "gp", "qmc")
"""The base samplers that a search knows by name."""

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
"""What a search counts as a finished trial."""

Direction = Literal["minimize", "maximize"]

CAUGHT = "archbudget:caught"
"""The user attribute of a trial that failed and is not tried again: by an exception to be caught, or by nan."""

HEARTBEAT = 10
"""Seconds between the signs of life of a running trial; after six that are missing it counts as lost."""


def search(
    space: Space,
    objective: Callable[..., float | Sequence[float]],
    budget: Budget,
    n_trials: int | None = 100,
    *,
    timeout: float | None = None,
    sampler: str | BaseSampler | None = None,
    seed: int | None = None,
    storage: str | optuna.storages.BaseStorage | None = None,
    study_name: str | None = None,
    direction: Direction = "maximize",
    directions: Sequence[Direction] | None = None,
    pruner: optuna.pruners.BasePruner | None = None,
    n_jobs: int = 1,
    catch: Iterable[type[Exception]] = (),
    callbacks: Sequence[Callable[[optuna.Study, optuna.trial.FrozenTrial], None]] = (),
    show_progress_bar: bool = False,
) -> optuna.Study:
    """Searches a space for the best network inside a budget; every trial is inside of it.

    With a storage the search can be stopped at any moment, even killed, and is taken up by the same call: finished
    trials are kept, and a trial that was running is tried again. Several processes may work on one study.

    Args:
        space: The space.
        objective: What is maximised: a function of the `Architecture`. A parameter named `trial` gets the Optuna trial,
            so `objective(arch)`, `objective(arch, trial)` and `objective(trial)` all work.
        budget: The budget.
        n_trials: The number of finished trials that the study shall have, those that it has already included; `None`
            for no limit but `timeout`.
        timeout: The most seconds.
        sampler: The sampler that proposes values: a name (tpe, random, nsgaii, nsgaiii, cmaes, gp, qmc) or an Optuna
            sampler; TPE by default. It is wrapped in a [`BudgetSampler`][archbudget.BudgetSampler].
        seed: The seed of a sampler that is given by name.
        storage: Where Optuna keeps the study, such as `sqlite:///search.db`; in memory by default.
        study_name: Its name in the storage; needed to take it up again.
        direction: `"maximize"` or `"minimize"`.
        directions: One for each of several objectives, instead of `direction`.
        pruner: The pruner of the study.
        n_jobs: The number of threads that work at once.
        catch: Exceptions of the objective that fail the trial and not the search.
        callbacks: Called with the study and each finished trial.
        show_progress_bar: Whether Optuna shows its progress.

    Returns:
        The study. The parameters of `study.best_trial` give the network: `space.architecture(...)`; its totals are the
        user attributes `params`, `macs`, ... of each trial.

    Raises:
        InfeasibleBudgetError: At once, if no network of the space fits.
        SpaceError: If the study in the storage is of another space or budget, or an argument is not one.
    """
    require_space(space, "a search")
    if not isinstance(budget, Budget):
        raise BudgetError(f"a search needs a Budget, not {budget!r}")
    if n_trials is not None and (isinstance(n_trials, bool) or not isinstance(n_trials, int) or n_trials < 0):
        raise SpaceError(f"n_trials must be None or an integer of at least 0, not {n_trials!r}")
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or n_jobs < -1 or n_jobs == 0:
        raise SpaceError(f"n_jobs must be an integer of at least 1, or -1 for all processors, not {n_jobs!r}")
    if n_trials is None and timeout is None:
        raise SpaceError("a search needs an end: n_trials, timeout or both")
    if study_name is not None and storage is None:
        raise SpaceError("study_name needs a storage to keep the study in")
    call = _caller(objective)
    space.within(budget).require_some()
    study = optuna.create_study(
        storage=_storage(storage),
        study_name=study_name,
        direction=None if directions is not None else direction,
        directions=directions,
        pruner=pruner,
        load_if_exists=True,
    )
    _recognize(study, space, budget)
    # A study that is taken up again goes on with other random numbers.
    begun = len(study.get_trials(deepcopy=False))
    study.sampler = BudgetSampler(space, budget, base_sampler(sampler, None if seed is None else seed + begun))

    caught = tuple(catch)

    def run(trial: optuna.Trial) -> float | Sequence[float]:
        arch = space.suggest(trial)
        for metric, value in arch.costs.items():
            trial.set_user_attr(metric, value)
        try:
            values = call(arch, trial)
        except caught as error:
            trial.set_user_attr(CAUGHT, repr(error))
            raise
        if not _is_number(values):
            raise SpaceError(f"the objective must return a number (or several), not {values!r}")
        if np.isnan(values).any():
            trial.set_user_attr(CAUGHT, "it returned nan")
        return values

    end = None if timeout is None else time.monotonic() + timeout

    def missing() -> int | None:
        """How many trials are to be begun, those left out that are running, here or elsewhere."""
        if n_trials is None:
            return None
        return n_trials - finished(study) - len(study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))

    def stop(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        del trial
        left = missing()
        if left is not None and left <= 0:
            study.stop()

    while True:
        keeps_time = _fail_stale(study)
        left = missing()
        rest = None if end is None else end - time.monotonic()
        if rest is not None and rest <= 0:
            break
        if left is None or left > 0:
            study.optimize(
                run,
                n_trials=left,
                timeout=rest,
                n_jobs=n_jobs,
                catch=caught,
                callbacks=[*callbacks, stop],
                show_progress_bar=show_progress_bar,
            )
            if left is None:
                break
        elif keeps_time and n_trials is not None and finished(study) < n_trials:
            time.sleep(1)  # Another process works on the last trials, or was killed: its signs of life will tell.
        else:
            break
    return study


def finished(study: optuna.Study) -> int:
    """The trials of a search that count: completed, pruned, or failed and not to be tried again."""
    trials = study.get_trials(deepcopy=False)
    return sum(trial.state in FINISHED or CAUGHT in trial.user_attrs for trial in trials)


def base_sampler(sampler: str | BaseSampler | None, seed: int | None) -> BaseSampler:
    """A sampler by its name.

    Raises:
        SpaceError: If the name is unknown.
    """
    if isinstance(sampler, BaseSampler):
        return sampler
    name = "tpe" if sampler is None else sampler
    makers: dict[str, Callable[[], BaseSampler]] = {
        "tpe": lambda: optuna.samplers.TPESampler(seed=seed),
        "random": lambda: optuna.samplers.RandomSampler(seed=seed),
        "nsgaii": lambda: optuna.samplers.NSGAIISampler(seed=seed),
        "nsgaiii": lambda: optuna.samplers.NSGAIIISampler(seed=seed),
        "cmaes": lambda: optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False),
        "gp": lambda: optuna.samplers.GPSampler(seed=seed, warn_independent_sampling=False),
        "qmc": lambda: optuna.samplers.QMCSampler(seed=seed, warn_independent_sampling=False),
    }
    if name not in makers:
        raise SpaceError(f"unknown sampler {name!r}; there are {', '.join(makers)}, or give an Optuna sampler")
    return makers[name]()


def _caller(
    objective: Callable[..., float | Sequence[float]],
) -> Callable[[Architecture, optuna.Trial], float | Sequence[float]]:
    """The objective as a function of an architecture and a trial."""
    if not callable(objective):
        raise SpaceError(f"the objective must be a function, not {objective!r}")
    try:
        parameters = inspect.signature(objective).parameters.values()
    except (TypeError, ValueError):
        return lambda arch, _: objective(arch)
    names = [parameter.name for parameter in parameters if parameter.kind not in (parameter.VAR_KEYWORD,)]
    if "trial" not in names:
        return lambda arch, _: objective(arch)
    if len(names) == 1:
        return lambda _, trial: objective(trial)
    return lambda arch, trial: objective(arch, trial=trial)


def _is_number(values: object) -> bool:
    try:
        return np.asarray(values, dtype=np.float64).ndim <= 1 and not isinstance(values, (str, bool))
    except (TypeError, ValueError):
        return False


def _storage(storage: str | optuna.storages.BaseStorage | None) -> optuna.storages.BaseStorage | None:
    """A storage that notices trials whose process is gone, and tries them again."""
    if not isinstance(storage, str) or storage.startswith("redis"):
        return storage  # type: ignore[return-value]
    with _quiet():
        return optuna.storages.RDBStorage(
            storage,
            heartbeat_interval=HEARTBEAT,
            grace_period=6 * HEARTBEAT,
            heartbeat_stale_trial_callback=_retry,
            engine_kwargs={"connect_args": {"timeout": 60}} if storage.startswith("sqlite") else None,
        )


def _retry(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
    """Puts the values of a trial that was lost back into the queue."""
    study.enqueue_trial(trial.params, user_attrs={"archbudget:retry_of": trial.number})


def _fail_stale(study: optuna.Study) -> bool:
    """Fails the trials whose process is gone; returns whether the storage can tell."""
    from optuna.storages._heartbeat import is_heartbeat_enabled

    if not is_heartbeat_enabled(study._storage):
        return False
    with _quiet():
        optuna.storages.fail_stale_trials(study)
    return True


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Optuna calls its heartbeats experimental each time that they are used."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def _recognize(study: optuna.Study, space: Space, budget: Budget) -> None:
    """Refuses a study that belongs to another space or budget.

    Raises:
        SpaceError: With what differs.
    """
    own = {
        "archbudget:space": json.dumps(
            {
                "decisions": {name: list(decision.values) for name, decision in space.decisions.items()},
                "layers": list(space.layer_names),
                **({"constraints": [as_written(each, {}) for each in space.constraints]} if space.constraints else {}),
            }
        ),
        "archbudget:budget": budget.describe(),
    }
    for key, value in own.items():
        known = study.user_attrs.get(key)
        if known is None:
            if study.get_trials(deepcopy=False, states=FINISHED):
                raise SpaceError(f"study '{study.study_name}' was not made by a search; take another study_name")
            study.set_user_attr(key, value)
        elif known != value:
            what = key.removeprefix("archbudget:")
            shown = f": it has {known}, not {value}" if what == "budget" else ""
            raise SpaceError(
                f"study '{study.study_name}' belongs to another {what}{shown}; take another study_name or storage"
            )
