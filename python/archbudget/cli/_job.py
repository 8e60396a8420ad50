"""What the processes of a search do: propose a network, train it, store what came of it."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import platform
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archbudget import _spacefile
from archbudget._budget import Budget
from archbudget._search import _caller, _retry, base_sampler, search
from archbudget.errors import ArchbudgetError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import optuna
    from optuna.samplers import BaseSampler

    from archbudget._search import Direction

PROCESS = "archbudget:process"
"""The user attribute of a trial that says which process works on it."""


class ObjectiveError(ArchbudgetError):
    """The objective raised an exception."""


@dataclass(frozen=True)
class Job:
    """A search, in words that can be sent to another process."""

    space: str
    objective: str
    budget: dict[str, tuple[int, int]]
    storage: str
    study_name: str
    direction: Direction
    trials: int
    timeout: float | None
    sampler: str | None
    seed: int | None

    def open(self) -> optuna.Study:
        """The study, made if there is none; nothing is trained.

        Raises:
            ArchbudgetError: If it belongs to another space or budget, or no network fits.
        """
        return self._search(lambda _: 0.0, 0, ())

    def run(self, callbacks: Sequence[Callable[[optuna.Study, optuna.trial.FrozenTrial], None]] = ()) -> None:
        """Works on the study until it has its trials.

        Raises:
            ObjectiveError: If the objective raises anything, or returns anything but a number.
        """
        import optuna

        call = _caller(function(self.objective))

        def objective(arch: Any, trial: optuna.Trial) -> float:
            failed = f"the objective {self.objective} failed in trial {trial.number}"
            try:
                value = call(arch, trial)
            except (optuna.TrialPruned, ImportError):
                raise
            except Exception as error:
                raise ObjectiveError(f"{failed}: {type(error).__name__}: {error}") from error
            try:
                number = float(value)  # type: ignore[arg-type]
            except (TypeError, ValueError):
                raise ObjectiveError(f"{failed}: it returned {value!r}, which is not a number") from None
            if not math.isfinite(number):
                raise optuna.TrialPruned(f"the objective returned {number}")  # Training diverged: a finished trial.
            return number

        self._search(objective, self.trials, callbacks)

    def _search(
        self,
        objective: Callable[..., float | Sequence[float]],
        trials: int,
        callbacks: Sequence[Callable[[optuna.Study, optuna.trial.FrozenTrial], None]],
    ) -> optuna.Study:
        sampler = base_sampler(self.sampler, self.seed)
        if trials:
            _sign(sampler)
        return search(
            _spacefile.load(self.space).space,
            objective,
            Budget.of(self.budget),
            trials,
            timeout=self.timeout if trials else None,
            sampler=sampler,
            storage=self.storage,
            study_name=self.study_name,
            direction=self.direction,
            callbacks=callbacks,
        )


def _sign(sampler: BaseSampler) -> None:
    """Has each trial say which process works on it, before anything else is written about it.

    The sampler keeps its type: what it can do beside proposing values is asked of that.
    """
    me, before_trial = process(), sampler.before_trial

    def signed(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        study._storage.set_trial_user_attr(trial._trial_id, PROCESS, me)
        before_trial(study, trial)

    sampler.before_trial = signed  # type: ignore[method-assign]


def seed_of(seed: int | None, worker: int, begun: int) -> int | None:
    """The seed of one process: workers draw other numbers than each other, and than before an interruption."""
    if seed is None or worker == begun == 0:
        return seed
    return int(np.random.SeedSequence([seed, worker, begun]).generate_state(1)[0])


def function(reference: str) -> Callable[..., Any]:
    """The function that `module:function` names.

    Raises:
        ArchbudgetError: If there is none.
    """
    found = _spacefile.load_attribute(reference)
    if not callable(found):
        raise ArchbudgetError(f"{reference} is not a function, but of type {type(found).__name__}")
    return found  # type: ignore[no-any-return]


def quiet() -> None:
    """Leaves Optuna to say what is wrong, and not what goes well; failed trials are reported by the search itself."""
    import optuna

    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    warnings.filterwarnings("ignore", category=FutureWarning, module="optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("optuna.study._optimize").setLevel(logging.ERROR)


def process() -> str:
    """This process, on this machine, as long as it lives."""
    return f"{platform.node()}/{_namespace()}/{os.getpid()}/{_birth(os.getpid())}"


def recover(study: optuna.Study) -> int:
    """Puts trials back into the queue whose process on this machine is gone; those elsewhere show by their heartbeat.

    Returns:
        How many there were.
    """
    from optuna.trial import TrialState

    count = 0
    here = f"{platform.node()}/{_namespace()}"
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        place, _, rest = str(trial.user_attrs.get(PROCESS, "")).partition("/")
        space, _, rest = rest.partition("/")
        pid, _, birth = rest.partition("/")
        if f"{place}/{space}" != here or not pid.isdigit() or _birth(int(pid)) == birth:
            continue
        with contextlib.suppress(ValueError):  # Someone else was faster.
            study.tell(trial.number, state=TrialState.FAIL)
            _retry(study, trial)
            count += 1
    return count


def _namespace() -> str:
    """Where process numbers count: containers have their own."""
    try:
        return os.readlink("/proc/self/ns/pid").strip("pid:[]")  # noqa: PTH115
    except OSError:
        return ""


def _birth(pid: int) -> str:
    """When a process began, as numbers are given again; empty if that cannot be known, `gone` if there is none."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "gone"
    except OSError:
        return ""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "gone" if fields[0] == "Z" else fields[19]
