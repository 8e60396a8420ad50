"""The search of a space under Optuna, which is loaded when a search begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget._budget import FILL, refuse_loose_bounds
from archbudget._guard import answered, answering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import optuna
    from optuna.samplers import BaseSampler

    from archbudget._budget import Budget
    from archbudget._progress import ProgressLike
    from archbudget.search.objective import Direction
    from archbudget.search.run import Callback
    from archbudget.space.space import Space

__all__ = ["search"]


@answered
@answering(refuse_loose_bounds)
def search(
    space: Space,
    objective: Callable[..., float | Sequence[float]],
    budget: Budget,
    n_trials: int | None = 100,
    *,
    timeout: float | None = None,
    sampler: str | BaseSampler | None = None,
    seed: int | None = None,
    fill: float | None = FILL,
    storage: str | optuna.storages.BaseStorage | None = None,
    study_name: str | None = None,
    direction: Direction | None = None,
    directions: Sequence[Direction] | None = None,
    pruner: optuna.pruners.BasePruner | None = None,
    n_jobs: int = 1,
    catch: Iterable[type[Exception]] | type[Exception] = (),
    callbacks: Sequence[Callback] | None = None,
    show_progress_bar: bool = False,
    progress: ProgressLike = None,
    max_tries: int = 2,
    max_consecutive_failures: int = 20,
    grace_period: float = 60.0,
) -> optuna.Study:
    """Searches a space for the best network inside a budget; every trial is inside the budget.

    With a storage the search can be stopped at any moment, even killed, and the same call resumes it: finished trials
    are kept, and a trial that was running is tried again. Several processes may work on one study, also on several
    hosts. A finished trial is one that was completed or pruned, or that failed and is not tried again: it returned nan,
    raised an exception that `catch` names, or was lost with its process `max_tries` times.

    A trial whose process is gone, or gives no sign of life for the grace period, is failed and tried again, in any
    storage. Running trials that Optuna makes beside a search (`study.optimize`) give no signs of life: they are left
    alone, and the search stops waiting for them after the grace period.

    An objective that hangs cannot be ended from within its own process: `archbudget search --trial-timeout` does that.

    A search costs one count of the feasible set, and for each trial what the objective, the sampler and the storage
    take, beside about a millisecond. It may be called from several threads, with a storage even for one study. With
    `n_jobs` above 1 the objective is called from several threads; Ctrl-C ends a search in the main thread.

    Args:
        space: The space.
        objective: The function to optimize, of the `Architecture`. A parameter named `trial` gets the Optuna trial, so
            `objective(arch)`, `objective(arch, trial)` and `objective(trial)` all work. It returns a number, or with
            `directions` one number for each direction.
        budget: The budget.
        n_trials: The number of finished trials that the study has at the end, including those that it has already;
            `None` for no limit but `timeout`.
        timeout: The time limit in seconds; no trial begins after it.
        sampler: The sampler that proposes values: a name (tpe, random, nsgaii, nsgaiii, cmaes, gp, qmc) or an Optuna
            sampler; TPE by default. It is wrapped in a [`BudgetSampler`][archbudget.BudgetSampler].
        seed: The seed of a sampler that is given by name; a sampler object has its own.
        fill: Where to look first: at networks that use at least this share of the budget; 0 for anywhere. See
            [`BudgetSampler`][archbudget.BudgetSampler].
        storage: Where Optuna keeps the study, such as `sqlite:///search.db`; in memory by default.
        study_name: The name of the study in the storage; needed to resume it.
        direction: `"maximize"`, which is the default, or `"minimize"`.
        directions: One direction for each of several objectives, instead of `direction`.
        pruner: The pruner of the study.
        n_jobs: The number of threads that run trials; -1 for as many as there are processors.
        catch: Exceptions of the objective that fail the trial, but not the search.
        callbacks: Functions that are called with the study and each ended trial; `study.stop()` ends the search.
        show_progress_bar: Whether Optuna shows its progress.
        progress: Who is told how many trials have finished; see [`Progress`][archbudget.Progress].
        max_tries: How often the same values are tried in total, if the process of the trial is lost each time.
        max_consecutive_failures: The search gives up after this many failed trials in a row, whatever made them fail:
            an exception that `catch` names, nan, a lost process.
        grace_period: A running trial counts as lost after this many seconds without a sign of life; the same in all
            processes that share a study.

    Returns:
        The study. `space.best(study)` is the best network, or with several objectives `space.from_trial(trial)` of each
        trial of `study.best_trials`; the totals of each network are the user attributes `params`, `macs`, ... of its
        trial.

    Raises:
        InfeasibleBudgetError: At once, if no network of the space fits.
        SpaceError: If the study in the storage belongs to another space or budget, or an argument is invalid.
        SearchError: If the objective does not return such numbers, or calls `sys.exit`; if too many trials in a row
            fail; if the database of the storage fails.

    Example:
        >>> import archbudget as ab
        >>> space, budget = ab.spaces.lenet(), ab.Budget(params=60_000)
        >>> study = ab.search(space, lambda arch: arch.macs, budget, n_trials=20, seed=0, direction="minimize")
        >>> space.best(study) in space.within(budget)
        True
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
        fill=fill,
        storage=storage,
        study_name=study_name,
        direction=direction,
        directions=directions,
        pruner=pruner,
        n_jobs=n_jobs,
        catch=catch,
        callbacks=callbacks,
        show_progress_bar=show_progress_bar,
        progress=progress,
        max_tries=max_tries,
        max_consecutive_failures=max_consecutive_failures,
        grace_period=grace_period,
    )
