"""Searching a space under Optuna. Nothing of Optuna is loaded before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import optuna
    from optuna.samplers import BaseSampler

    from archbudget._budget import Budget
    from archbudget.space.space import Space

    Callback = Callable[[optuna.Study, optuna.trial.FrozenTrial], None]

Direction = Literal["minimize", "maximize"]


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
    callbacks: Sequence[Callback] = (),
    show_progress_bar: bool = False,
    max_tries: int = 2,
    max_consecutive_failures: int = 20,
    grace_period: float = 60.0,
) -> optuna.Study:
    """Searches a space for the best network inside a budget; every trial is inside of it.

    With a storage the search can be stopped at any moment, even killed, and is taken up by the same call: finished
    trials are kept, and a trial that was running is tried again. Several processes may work on one study, on several
    hosts too. A finished trial is one that was completed or pruned, or that failed and is not tried again: it returned
    nan, raised what `catch` names, or was lost with its process `max_tries` times.

    A trial whose process is gone, or gives no sign of life for the grace period, is failed and tried again, in any
    storage. Only of running trials that Optuna makes beside a search (`study.optimize`) it is not known whether they
    live: they are left alone, and after the grace period no longer waited for.

    An objective that hangs cannot be ended from within its own process: `archbudget search --trial-timeout` does that.

    Args:
        space: The space.
        objective: What is maximised: a function of the `Architecture`. A parameter named `trial` gets the Optuna trial,
            so `objective(arch)`, `objective(arch, trial)` and `objective(trial)` all work. It returns a number, or with
            `directions` one for each.
        budget: The budget.
        n_trials: The number of finished trials that the study shall have, those that it has already included; `None`
            for no limit but `timeout`.
        timeout: The most seconds; no trial is begun after them.
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
        callbacks: Called with the study and each finished trial; `study.stop()` in one ends the search.
        show_progress_bar: Whether Optuna shows its progress.
        max_tries: How often a trial is tried in all whose process is lost each time.
        max_consecutive_failures: After how many failed trials in a row the search gives up.
        grace_period: After how many seconds without a sign of life a running trial counts as lost; the same in all
            processes that share a study.

    Returns:
        The study. The parameters of `study.best_trial` give the network: `space.architecture(...)`; its totals are the
        user attributes `params`, `macs`, ... of each trial.

    Raises:
        InfeasibleBudgetError: At once, if no network of the space fits.
        SpaceError: If the study in the storage is of another space or budget, or an argument is not one.
        SearchError: If the objective returns no such number, or calls `sys.exit`; if too many trials in a row fail; if
            the database of the storage fails.
    """
    from archbudget.search import run

    return run.search(
        space,
        objective,
        budget,
        n_trials,
        timeout=timeout,
        sampler=sampler,
        seed=seed,
        storage=storage,
        study_name=study_name,
        direction=direction,
        directions=directions,
        pruner=pruner,
        n_jobs=n_jobs,
        catch=catch,
        callbacks=callbacks,
        show_progress_bar=show_progress_bar,
        max_tries=max_tries,
        max_consecutive_failures=max_consecutive_failures,
        grace_period=grace_period,
    )
