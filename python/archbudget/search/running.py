"""Running trials: which process works on each, whether it is alive, and what happens to lost trials.

All of this is stored in the user attributes of the trials, which every storage has. A process of this host can be
inspected: its trial is lost when the process is gone. Besides, each process increments a number in each of its trials,
and a trial is lost when nothing in it has changed for a *grace period*. The observer measures that period, so that the
clocks of hosts and databases do not matter.
"""

from __future__ import annotations

import contextlib
import os
import platform
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from archbudget.space.trials import BEAT, FAILED, LOST, PREFIX, PROCESS, RETRY_OF

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterator

    import optuna

GONE, ALIVE = "gone", "alive"
"""States of processes of this host."""

PATIENCE = 10
"""A process of this host that exists and is not stopped has this many grace periods.

Code that holds the GIL keeps it from giving signs of life.
"""

STEP = 2.0
"""Up to this many seconds between two looks at the trials do not mean that this process was stopped."""

BEATS = 4
"""A process gives this many signs of life in a grace period."""


@dataclass(frozen=True)
class Limits:
    """The limits at which a search gives up a trial, or itself."""

    grace_period: float = 60.0
    max_tries: int = 2
    max_consecutive_failures: int = 20


def is_finished(trial: optuna.trial.FrozenTrial) -> bool:
    """Whether a trial counts: completed, pruned, or failed and not to be tried again."""
    done = trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
    return done or (trial.state == TrialState.FAIL and FAILED in trial.user_attrs)


def finished(study: optuna.Study) -> int:
    """The number of trials of a study that count."""
    return sum(map(is_finished, study.get_trials(deepcopy=False)))


def running(study: optuna.Study, *processes: str) -> list[optuna.trial.FrozenTrial]:
    """The running trials of a study; with `processes` only theirs."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return [trial for trial in trials if not processes or trial.user_attrs.get(PROCESS) in processes]


@dataclass
class Work:
    """A trial that this process has begun and not yet told the study about."""

    number: int
    values: list[float] | None = None
    stopped: bool = False


class Heart:
    """Signs the trials that this process begins, and gives signs of life for them.

    Args:
        study: The study.
        grace_period: A trial counts as lost after this many seconds without a sign of life.
    """

    def __init__(self, study: optuna.Study, grace_period: float) -> None:
        self.open: dict[int, Work] = {}
        self._study = study
        self._interval = grace_period / BEATS
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="archbudget-heart", daemon=True)

    def __enter__(self) -> Heart:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(self._interval)

    def begin(self, trial: optuna.trial.FrozenTrial) -> None:
        """Signs a trial, before anything else is written about it."""
        self.open[trial._trial_id] = Work(trial.number)
        self._study._storage.set_trial_user_attr(trial._trial_id, PROCESS, process())

    def withdraw(self, trial: optuna.trial.FrozenTrial) -> None:
        """Puts a trial without values back in the queue, for the next process that needs one."""
        storage = self._study._storage
        storage.set_trial_user_attr(trial._trial_id, PROCESS, None)
        storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
        del self.open[trial._trial_id]

    def _beat(self) -> None:
        storage, beat = self._study._storage, 0
        while not self._end.wait(self._interval):
            beat += 1
            for trial_id in list(self.open):
                # A storage that cannot be reached now may be there for the next beat.
                with contextlib.suppress(Exception):
                    storage.set_trial_user_attr(trial_id, BEAT, beat)
        storage.remove_session()


class Clock:
    """A clock that counts seconds, except those during which this process was stopped or suspended.

    Args:
        step: The most seconds that it counts between two readings.
    """

    def __init__(self, step: float) -> None:
        self._step = step
        self._last = time.monotonic()
        self._seconds = 0.0

    def read(self) -> float:
        """The seconds that have passed."""
        now = time.monotonic()
        self._seconds += min(now - self._last, self._step)
        self._last = now
        return self._seconds


class Watch:
    """Watches the running trials of a study.

    Args:
        grace_period: A trial counts as lost after this many seconds without a sign of life.
    """

    def __init__(self, grace_period: float) -> None:
        self._grace_period = grace_period
        self._clock = Clock(max(grace_period / BEATS, STEP))
        self._me = process()
        self._seen: dict[int, tuple[object, float]] = {}

    def look(
        self, study: optuna.Study, children: Collection[str] = ()
    ) -> Iterator[tuple[optuna.trial.FrozenTrial, str | None]]:
        """Each running trial, with the reason if it is lost and `None` otherwise.

        Args:
            study: The study.
            children: Processes whose end the caller notices itself.
        """
        now = self._clock.read()
        for trial in running(study):
            sizes = len(trial.user_attrs), len(trial.params), len(trial.intermediate_values)
            sign = (trial.user_attrs.get(BEAT), sizes)
            last = self._seen.get(trial.number)
            if last is None or last[0] != sign:
                last = self._seen[trial.number] = (sign, now)
            worker = trial.user_attrs.get(PROCESS)
            state = "" if worker is None else state_of(worker)
            patience = self._grace_period * (PATIENCE if state == ALIVE and worker != self._me else 1)
            reason = None
            if state == GONE and worker not in children:
                reason = "its process ended"
            elif state != GONE and now - last[1] > patience:
                reason = f"its process gave no sign of life for {patience:g} s"
            yield trial, reason


def is_own(trial: optuna.trial.FrozenTrial) -> bool:
    """Whether a search has made a trial; those that Optuna makes beside a search give no signs of life."""
    return PROCESS in trial.user_attrs or RETRY_OF in trial.user_attrs


def lose(
    study: optuna.Study, trial: optuna.trial.FrozenTrial, reason: str, max_tries: int, *, again: bool = True
) -> str | None:
    """Fails a running trial whose process is lost, and tries it again.

    Args:
        study: The study.
        trial: The trial.
        reason: Why it is lost, as a clause.
        max_tries: How often the same values are tried in total.
        again: Whether they may be tried again.

    Returns:
        What happened to it, as a clause; `None` if it has finished meanwhile, or another process was faster.
    """
    params = _values(trial)
    lost = [t for t in study.get_trials(deepcopy=False, states=(TrialState.FAIL,)) if LOST in t.user_attrs]
    tries = 1 + sum(_values(earlier) == params for earlier in lost)
    # A trial without values was lost while its process proposed them: it says nothing against any values.
    ends = bool(params) and (not again or tries >= max_tries)
    said = reason if tries == 1 else f"{reason}, {tries} times in all"
    try:
        study._storage.set_trial_user_attr(trial._trial_id, LOST, reason)
        if ends:
            study._storage.set_trial_user_attr(trial._trial_id, FAILED, said)
        if not study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL):
            return None
    except UpdateFinishedTrialError:
        return None
    if ends:
        return f"{said}; it is not tried again"
    put_back(study, trial)
    return f"{said}; it is tried again"


def release(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
    """Ends a running trial that was stopped on purpose, and puts its values back into the queue."""
    try:
        if study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL):
            put_back(study, trial)
    except UpdateFinishedTrialError:
        pass


def best(study: optuna.Study, count: int, among: Container[int] | None = None) -> list[optuna.trial.FrozenTrial]:
    """The best completed trials of a study, or among some trials, the best first.

    With several objectives these are all of the Pareto front, the best in the first objective first.
    """
    from optuna.study import StudyDirection

    several = len(study.directions) > 1
    sign = -1.0 if study.directions[0] == StudyDirection.MAXIMIZE else 1.0
    complete = study.best_trials if several else study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    chosen = [trial for trial in complete if among is None or trial.number in among]
    return sorted(chosen, key=lambda trial: (sign * trial.values[0], trial.number))[: None if several else count]


def put_back(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
    """Puts the values of a trial that has ended back into the queue, unless that was done before."""
    params = _values(trial)
    retries = (other.user_attrs.get(RETRY_OF) for other in study.get_trials(deepcopy=False))
    if params and trial.number not in retries:
        told = {key: value for key, value in trial.user_attrs.items() if not key.startswith(PREFIX)}
        study.enqueue_trial(params, user_attrs={**told, RETRY_OF: trial.number})


def _values(trial: optuna.trial.FrozenTrial) -> dict[str, object]:
    """The values of a trial, including those enqueued for it that it has not taken."""
    return {**trial.system_attrs.get("fixed_params", {}), **trial.params}


def process(pid: int | None = None) -> str:
    """The identity of a process of this host, this one by default; no later process has the same one."""
    pid = os.getpid() if pid is None else pid
    return f"{_host()}/{pid}/{_look(pid)[1]}"


def state_of(process: str) -> str:
    """Whether a process is gone or alive; empty if it is stopped, on another host, or cannot be inspected."""
    host, pid, birth = process.rsplit("/", 2)
    if host != _host():
        return ""
    state, found = _look(int(pid))
    return GONE if state == ALIVE and found != birth else state


def _host() -> str:
    """The scope of process numbers: a host since its last boot, and a container there."""
    boot = namespace = ""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        namespace = os.readlink("/proc/self/ns/pid").strip("pid:[]")  # noqa: PTH115
    return f"{platform.node()}/{boot}/{namespace}"


def _look(pid: int) -> tuple[str, str]:
    """The state of a process of this host, and its start time, as process numbers are reused."""
    if os.name != "posix":
        return "", ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return GONE, ""
    except OSError:
        return "", ""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return "", ""
    states = {"Z": GONE, "X": GONE, "T": "", "t": ""}
    return states.get(fields[0], ALIVE), fields[19]
