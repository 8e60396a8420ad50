"""The work of the processes of a search: propose a network, train it, store the result."""

from __future__ import annotations

import logging
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna

from archbudget import files
from archbudget._budget import Budget
from archbudget.errors import ArchbudgetError, SearchError
from archbudget.search.objective import Objective
from archbudget.search.run import Run, base_sampler, open_study
from archbudget.search.running import Limits
from archbudget.search.storage import storage_errors
from archbudget.space.trials import DIVERGED, MODELS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archbudget.search.objective import Direction
    from archbudget.space.architecture import Architecture
    from archbudget.space.space import Space

GRACE = 5.0
"""Seconds that a process has to put its trial in order."""


@dataclass(frozen=True)
class Job:
    """A search, in a form that can be sent to another process."""

    space: str
    code: bool
    objective: str
    budget: dict[str, tuple[int, int]]
    storage: str
    study_name: str
    directions: Sequence[Direction]
    trials: int
    timeout: float | None
    sampler: str | None
    seed: int | None
    fill: float
    models: str
    grace_period: float
    max_tries: int
    max_consecutive_failures: int

    @property
    def limits(self) -> Limits:
        """The limits at which the search gives up."""
        return Limits(self.grace_period, self.max_tries, self.max_consecutive_failures)

    def open(self, space: Space) -> optuna.Study:
        """The study, made if there is none.

        Raises:
            ArchbudgetError: If it belongs to another space, budget or objective, its storage fails, or no network fits.
        """
        return open_study(
            space,
            Budget.of(self.budget),
            storage=self.storage,
            study_name=self.study_name,
            directions=self.directions,
            objective=self.objective,
        )

    def run(self) -> None:
        """Works on the study until it has its trials; the parent process handles lost trials.

        Raises:
            SearchError: If the objective raises an exception, or returns anything but a number; if the storage fails.
        """
        space = files.load(self.space, code=self.code).space
        opened = self.open(space)
        study = _Seen(opened.study_name, opened._storage)
        study.models = self.models
        run = Run(
            study,
            space,
            Budget.of(self.budget),
            _Trained(self),
            n_trials=self.trials,
            timeout=self.timeout,
            base=base_sampler(self.sampler, self.seed),
            fill=self.fill,
            limits=self.limits,
            mends=False,
        )
        with storage_errors(self.storage):
            run.work()
        if run.failure is not None:
            raise run.failure


class _Seen(optuna.Study):
    """A study as an objective sees it: with the folder for the models of its search.

    Several searches may work on one study, each with another folder.
    """

    models = ""

    @property
    def user_attrs(self) -> dict[str, Any]:
        """The attributes of the study, with the folder for models."""
        return {**super().user_attrs, MODELS: self.models}


class _Trained(Objective):
    """The objective of a job; an exception ends the search in one line, and a trial that diverges is pruned."""

    def __init__(self, job: Job) -> None:
        super().__init__(function(job.objective), f"the objective {job.objective}")
        self._models = job.models

    def __call__(self, arch: Architecture, trial: optuna.Trial) -> list[float]:
        trial.set_user_attr(MODELS, self._models)
        try:
            values = super().__call__(arch, trial)
        except (optuna.TrialPruned, optuna.exceptions.OptunaError, ImportError, SearchError):
            raise
        except Exception as error:
            raise SearchError(f"{self.name} failed in trial {trial.number}: {type(error).__name__}: {error}") from error
        diverged = [value for value in values if not math.isfinite(value)]
        if diverged:  # Such a trial is finished.
            reason = f"{self.name} returned {diverged[0]}"
            trial.set_user_attr(DIVERGED, reason)
            raise optuna.TrialPruned(reason)
        return values


def seed_of(seed: int | None, worker: int, begun: int) -> int | None:
    """The seed of one process: workers draw different numbers, also after an interruption."""
    if seed is None or worker == begun == 0:
        return seed
    return int(np.random.SeedSequence([seed, worker, begun]).generate_state(1)[0])


def function(reference: str) -> Callable[..., Any]:
    """The function that `module:function` names.

    Raises:
        ArchbudgetError: If there is none.
    """
    found = files.load_attribute(reference)
    if not callable(found):
        raise ArchbudgetError(f"{reference} is not a function, but of type {type(found).__name__}")
    return found  # type: ignore[no-any-return]


def quiet() -> None:
    """Makes Optuna print problems only, except failed trials, which the search itself reports."""
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    warnings.filterwarnings("ignore", category=FutureWarning, module="optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("optuna.study._optimize").setLevel(logging.ERROR)
