"""A whole search: threads and processes, which may be stopped at any moment, run trials until a study has enough."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from archbudget._budget import BUILT_IN, FILL, require_budget
from archbudget._extras import imported
from archbudget._message import show
from archbudget._progress import counting, require_progress
from archbudget.errors import SearchError, SpaceError
from archbudget.search.interrupt import interrupts
from archbudget.search.noting import note_down
from archbudget.search.objective import Direction, Objective, reference_to
from archbudget.search.running import Heart, Limits, Watch, finished, is_finished, is_own, lose, put_back, release
from archbudget.search.sampler import BudgetSampler, check_fill, check_seed
from archbudget.search.storage import open_storage, storage_errors
from archbudget.space.recognition import digest_of_counts
from archbudget.space.space import require_space
from archbudget.space.trials import BUDGET, COUNTS, FAILED, LOST, OBJECTIVE, PREFIX, SPACE, written

if TYPE_CHECKING:
    from collections.abc import Callable

    from archbudget._budget import Budget
    from archbudget._progress import ProgressLike
    from archbudget.space.space import Space

    Callback = Callable[[optuna.Study, optuna.trial.FrozenTrial], None]

SAMPLERS = ("tpe", "random", "nsgaii", "nsgaiii", "cmaes", "gp", "qmc")
"""The base samplers that a search knows by name."""

NEEDED = {"cmaes": ("cmaes",), "gp": ("scipy", "torch"), "qmc": ("scipy",)}
"""The packages that base samplers need beside Optuna."""

WANTED = {"pruner": "an Optuna pruner", "storage": "an Optuna storage or its URL"}
"""What some arguments of a search are."""

PAUSE = 1.0
"""Seconds between two looks at trials of other processes."""

_logger = optuna.logging.get_logger(__name__)


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
    """Searches a space; see [`search`][archbudget.search]."""
    require_space(space, "a search")
    require_budget(budget, "a search")
    if n_trials is not None:
        _require_integer("n_trials", n_trials, 0, "None or an integer")
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or n_jobs < -1 or n_jobs == 0:
        raise SpaceError(f"n_jobs must be an integer of at least 1, or -1 for all processors, not {show(n_jobs)}")
    is_number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if not (timeout is None or (is_number and timeout >= 0)):
        raise SpaceError(f"timeout must be None or a number of seconds of at least 0, not {show(timeout)}")
    check_seed(seed, sampler)
    check_fill(fill)
    sought = _directions(direction, directions)
    caught = (catch,) if isinstance(catch, type) else tuple(catch) if isinstance(catch, Iterable) else (catch,)
    if not all(isinstance(each, type) and issubclass(each, Exception) for each in caught):
        raise SpaceError(f"catch must be exception types, such as (ValueError,), not {show(catch)}")
    told = () if callbacks is None else tuple(callbacks) if isinstance(callbacks, Iterable) else (callbacks,)
    if not all(map(callable, told)) or callable(callbacks):
        raise SpaceError(f"callbacks must be a list of functions of a study and a trial, not {show(callbacks)}")
    for name, given, kind in (("pruner", pruner, BasePruner), ("storage", storage, (str, BaseStorage))):
        if given is not None and not isinstance(given, kind):
            raise SpaceError(f"{name} must be None or {WANTED[name]}, not {show(given)}")
    if n_trials is None and timeout is None:
        raise SpaceError("a search needs an end: n_trials, timeout or both")
    if study_name is not None and storage is None:
        raise SpaceError("study_name needs a storage to keep the study in")
    require_progress(progress)
    called = Objective(objective)
    patience = limits(grace_period, max_tries, max_consecutive_failures)
    with interrupts.patient():
        study = open_study(
            space,
            budget,
            storage=storage,
            study_name=study_name,
            directions=sought,
            objective=reference_to(objective),
            pruner=pruner,
        )
        # A resumed study continues with other random numbers.
        begun = len(study.get_trials(deepcopy=False))
        run = Run(
            study,
            space,
            budget,
            called,
            n_trials=n_trials,
            timeout=timeout,
            base=base_sampler(sampler, None if seed is None else seed + begun),
            fill=fill,
            limits=patience,
            catch=caught,
        )
        # Optuna's bar and ours would be one over the other.
        shown = False if show_progress_bar and progress is None else progress
        with storage_errors(storage), counting("search", n_trials, shown) as report:
            report(_counted(study, n_trials))
            told = (*told, lambda study, _: report(_counted(study, n_trials)))
            run.work(n_jobs=n_jobs, callbacks=told, show_progress_bar=show_progress_bar)
            note_down(study, space, budget)
    if run.failure is not None:
        raise run.failure
    return study


def _counted(study: optuna.Study, most: int | None) -> int:
    """The finished trials of a study, among those that a search is to have at its end."""
    return finished(study) if most is None else min(finished(study), most)


def _directions(direction: Direction | None, directions: Sequence[Direction] | None) -> Sequence[Direction]:
    """The direction of each objective.

    Raises:
        SpaceError: If both arguments are given, or one is not a direction.
    """
    if direction is not None and directions is not None:
        raise SpaceError(
            f"direction={show(direction)} and directions={show(directions)} exclude each other: give direction for one "
            "objective, directions for several"
        )
    if directions is None:
        directions = ["maximize" if direction is None else direction]
    if isinstance(directions, str) or not isinstance(directions, Sequence) or not directions:
        raise SpaceError(f"directions must be a list with one direction for each objective, not {show(directions)}")
    for each in directions:
        if each not in ("minimize", "maximize"):
            raise SpaceError(f"a direction is 'minimize' or 'maximize', not {show(each)}")
    return directions


def limits(grace_period: float, max_tries: int, max_consecutive_failures: int) -> Limits:
    """The limits at which a search gives up.

    Raises:
        SpaceError: If one of them is not a sensible number.
    """
    _require_integer("max_tries", max_tries, 1)
    _require_integer("max_consecutive_failures", max_consecutive_failures, 1)
    is_number = isinstance(grace_period, (int, float)) and not isinstance(grace_period, bool)
    if not is_number or not 0 < grace_period < math.inf:
        raise SpaceError(f"grace_period must be a number of seconds above 0, not {show(grace_period)}")
    return Limits(grace_period, max_tries, max_consecutive_failures)


def open_study(
    space: Space,
    budget: Budget,
    *,
    storage: str | optuna.storages.BaseStorage | None,
    study_name: str | None,
    directions: Sequence[Direction],
    objective: str | None = None,
    pruner: optuna.pruners.BasePruner | None = None,
) -> optuna.Study:
    """The study of a search, made if there is none.

    Raises:
        InfeasibleBudgetError: If no network of the space fits.
        SpaceError: If it belongs to another space, budget or objective.
        SearchError: If the database of the storage fails.
    """
    space.within(budget).require_some()
    with storage_errors(storage):
        study = optuna.create_study(
            storage=open_storage(storage),
            study_name=study_name,
            directions=directions,
            pruner=pruner,
            load_if_exists=True,
        )
        _recognize(study, space, budget, directions, objective)
    return study


class Run:
    """The work of one process for a study, until the study has its trials.

    Args:
        study: The study.
        space: The space.
        budget: The budget.
        objective: The objective.
        n_trials: How many finished trials the study has at the end; `None` for no limit.
        timeout: The time limit in seconds; `None` for no limit.
        base: The sampler that proposes values.
        fill: The share of the budget that is used where it looks first.
        limits: The limits at which it gives up.
        catch: Exceptions of the objective that fail the trial, but not the search.
        mends: Whether it fails lost trials; if not, another process does.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        budget: Budget,
        objective: Objective,
        *,
        n_trials: int | None,
        timeout: float | None,
        base: BaseSampler,
        fill: float | None,
        limits: Limits,
        catch: tuple[type[Exception], ...] = (),
        mends: bool = True,
    ) -> None:
        self.failure: BaseException | None = None
        self._study = study
        self._space = space
        self._sampler = BudgetSampler(space, budget, base, fill=fill)
        self._ask = objective
        self._n_trials = n_trials
        self._end = None if timeout is None else time.monotonic() + timeout
        self._limits = limits
        self._caught = catch
        self._mends = mends
        self._heart = Heart(study, limits.grace_period)
        self._watch = Watch(limits.grace_period)
        self._lock = threading.Lock()
        self._failures = 0
        self._enough = False
        self._interrupted = False

    def work(self, *, n_jobs: int = 1, callbacks: Sequence[Callback] = (), show_progress_bar: bool = False) -> None:
        """Runs trials until the study has enough, the time is up, or a callback stops it.

        Afterwards, `failure` is the exception of the objective, if there was one.
        """
        options: dict[str, Any] = {"n_jobs": n_jobs, "show_progress_bar": show_progress_bar}
        options["callbacks"] = [self._told, *callbacks, self._stop_if_enough]
        self._study.sampler = self._sampler
        propose = self._sampler.before_trial

        def signed(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
            self._heart.begin(trial)
            if (left := self._missing(trial)) is not None and left <= 0:
                self._heart.withdraw(trial)
                raise WithdrawnError
            propose(study, trial)

        # The sampler keeps its type, as Optuna looks there for what it can do beside proposing values.
        self._sampler.before_trial = signed  # type: ignore[method-assign]
        with self._heart:
            try:
                while self._goes_on(options):
                    pass
            finally:
                del self._sampler.before_trial
                self._leave_nothing_running()

    def _goes_on(self, options: dict[str, Any]) -> bool:
        """Runs the missing trials, or waits a little for those of other processes; whether there may be more."""
        left = self._missing()
        rest = None if self._end is None else self._end - time.monotonic()
        if rest is not None and rest <= 0:
            return False
        if left is None or left > 0:
            return self._optimize(left, rest, options)
        if self._n_trials is None or finished(self._study) >= self._n_trials:
            return False
        time.sleep(PAUSE if rest is None else min(PAUSE, rest))
        return True

    def _optimize(self, left: int | None, rest: float | None, options: dict[str, Any]) -> bool:
        self._enough = False
        error: BaseException | None = None
        try:
            self._study.optimize(self._objective, n_trials=left, timeout=rest, catch=self._caught, **options)
        except WithdrawnError:
            pass
        except Exception as raised:
            error = _behind(raised)
        if self._interrupted:
            raise KeyboardInterrupt from error
        if self.failure is not None:  # With threads, Optuna forgets the exception of the last one.
            return False
        if error is not None:
            if self._was_taken(error):
                return self.failure is None
            raise error
        return left is not None and (self._enough or not self._study._stop_flag)

    def _objective(self, trial: optuna.Trial) -> list[float]:
        try:
            arch = self._space.suggest(trial)
            interrupts.check()
            values = self._ask(arch, trial)
        except KeyboardInterrupt:
            self._interrupted = True
            self._heart.open[trial._trial_id].stopped = True
            raise
        except (optuna.TrialPruned, optuna.exceptions.StorageInternalError):
            raise
        except Exception as error:
            if isinstance(error, UpdateFinishedTrialError) and self._has_ended(trial._trial_id):
                raise
            if isinstance(error, self._caught):
                trial.set_user_attr(FAILED, f"{type(error).__name__}: {error}")
            else:
                self.failure = self.failure or error
            raise
        if any(map(math.isnan, values)):
            trial.set_user_attr(FAILED, f"{self._ask.name} returned nan")
        self._heart.open[trial._trial_id].values = values
        return values

    def _told(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        del study
        self._heart.open.pop(trial._trial_id, None)
        if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
            with self._lock:
                self._failures = 0
        else:
            self._count_failure(trial.number, trial.user_attrs.get(FAILED, "it failed"))

    def _count_failure(self, number: int, reason: str) -> None:
        """Gives the search up after too many failed trials in a row."""
        with self._lock:
            self._failures += 1
            if self._failures >= self._limits.max_consecutive_failures and self.failure is None:
                self.failure = SearchError(
                    f"{self._failures} trials in a row failed, the last one, trial {number}: {reason} "
                    "(max_consecutive_failures)"
                )

    def _stop_if_enough(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        del trial
        left = self._missing()
        if self.failure is not None or (left is not None and left <= 0):
            self._enough = True
            study.stop()

    def _missing(self, begun: optuna.trial.FrozenTrial | None = None) -> int | None:
        """The number of trials still to begin, without those that run here or elsewhere; fails lost trials.

        For a trial that has just begun, only trials that continue anyway count as running: earlier ones, and later ones
        that have values already. So if several processes begin the last trial at once, one of them continues.
        """
        interrupts.check()
        with self._lock:
            alive = 0
            for trial, reason in self._watch.look(self._study):
                if begun is not None and not _is_ahead(trial, begun):
                    continue
                if reason is None or trial._trial_id in self._heart.open:
                    alive += 1
                elif not is_own(trial):
                    continue
                elif self._mends:
                    fate = lose(self._study, trial, reason, self._limits.max_tries)
                    if fate is not None:
                        _logger.warning(f"Trial {trial.number} was lost: {fate}.")
                else:
                    alive += 1
            return None if self._n_trials is None else self._n_trials - finished(self._study) - alive

    def _was_taken(self, error: BaseException) -> bool:
        """Whether an error means that trials of this process were failed meanwhile, so that they can no longer be told.

        Other processes do that to a process that was stopped or suspended for longer than the grace period. As an
        objective can do it, too, each of them counts as a failure: the search does not go on with it for ever.
        """
        if not isinstance(error, (ValueError, UpdateFinishedTrialError)):
            return False
        taken = [trial for trial_id in list(self._heart.open) if _is_failed_by_others(trial := self._stored(trial_id))]
        for trial in taken:
            del self._heart.open[trial._trial_id]
            reason = (
                "was given up by another process while this one gave no sign of life"
                if LOST in trial.user_attrs
                else "was failed by another process, or by the objective itself"
            )
            _logger.warning(f"Trial {trial.number} {reason}.")
            self._count_failure(trial.number, f"it {reason}")
        return bool(taken)

    def _has_ended(self, trial_id: int) -> bool:
        return self._stored(trial_id).state.is_finished()

    def _stored(self, trial_id: int) -> optuna.trial.FrozenTrial:
        return self._study._storage.get_trial(trial_id)

    def _leave_nothing_running(self) -> None:
        """Tells the values of the trials that this process has begun, and puts the others back into the queue."""
        for trial_id, work in self._heart.open.items():
            try:
                trial = self._stored(trial_id)
                if trial.state == TrialState.RUNNING and work.values is not None:
                    self._study.tell(work.number, work.values)
                elif trial.state == TrialState.RUNNING:
                    release(self._study, trial)
                elif trial.state == TrialState.FAIL and work.stopped and LOST not in trial.user_attrs:
                    put_back(self._study, trial)
            except Exception as error:  # The exception that ended the search matters more than this one.
                _logger.warning(f"Trial {work.number} is left running: {error}")


def _is_ahead(running: optuna.trial.FrozenTrial, begun: optuna.trial.FrozenTrial) -> bool:
    """Whether a running trial continues in any case, compared with one that has just begun."""
    return running.number < begun.number or (running.number > begun.number and bool(running.params))


def _is_failed_by_others(trial: optuna.trial.FrozenTrial) -> bool:
    """Whether a trial of this process failed without it: a trial that it fails itself has the reason of that alone."""
    return trial.state == TrialState.FAIL and (LOST in trial.user_attrs or FAILED not in trial.user_attrs)


class WithdrawnError(Exception):
    """A trial has begun that is one too many; it waits for the next search that needs one."""


def _behind(error: Exception) -> BaseException:
    """The original error, as Optuna itself fails when it reports on a trial that it could not tell."""
    stumbled = isinstance(error, UnboundLocalError) or error.args == ("Should not reach.",)
    return error.__context__ if stumbled and error.__context__ is not None else error


def base_sampler(sampler: str | BaseSampler | None, seed: int | None) -> BaseSampler:
    """A sampler by its name.

    Raises:
        SpaceError: If the name is unknown.
        MissingPackageError: If the sampler needs a package that is not installed.
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
        raise SpaceError(f"unknown sampler {show(name)}; there are {', '.join(makers)}, or give an Optuna sampler")
    for module in NEEDED.get(name, ()):
        imported(module, f"the sampler {name}")
    return makers[name]()


def _require_integer(name: str, value: object, least: int, what: str = "an integer") -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SpaceError(f"{name} must be {what} of at least {least}, not {show(value)}")


def _recognize(
    study: optuna.Study, space: Space, budget: Budget, directions: Sequence[Direction], objective: str | None
) -> None:
    """Refuses a study that belongs to another space, budget or objective, or has other directions.

    Spaces are compared by the names and values of decisions, the names of layers and what some candidates count; so a
    custom metric that the budget does not bound may differ. An objective that has no name in a module is taken for the
    same.

    Raises:
        SpaceError: With what differs.
    """
    theirs, ours = (
        [str(getattr(each, "name", each)).lower() for each in some] for some in (study.directions, directions)
    )
    if theirs != ours:
        raise SpaceError(
            f"study '{study.study_name}' belongs to another direction: it has {', '.join(theirs)}, not "
            f"{', '.join(ours)}; take another study_name or storage"
        )
    counted = [metric for metric in space.metrics if metric in BUILT_IN or metric in budget]
    ours_by_key = {
        SPACE: written(space),
        BUDGET: budget.describe(),
        COUNTS: digest_of_counts(space, counted),
        **({} if objective is None else {OBJECTIVE: objective}),
    }
    for key, value in ours_by_key.items():
        stored = study.user_attrs.get(key)
        if stored is None:
            if key in (SPACE, BUDGET) and any(map(is_finished, study.get_trials(deepcopy=False))):
                raise SpaceError(f"study '{study.study_name}' was not made by a search; take another study_name")
            study.set_user_attr(key, value)
        elif stored != value:
            what = (SPACE if key == COUNTS else key).removeprefix(PREFIX)
            shown = f": it has {stored}, not {value}" if key in (BUDGET, OBJECTIVE) else ""
            raise SpaceError(
                f"study '{study.study_name}' belongs to another {what}{shown}; take another study_name or storage"
            )
