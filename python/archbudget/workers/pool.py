"""The worker processes of a search."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from optuna.trial import TrialState

from archbudget._machine import cores
from archbudget.errors import SearchError
from archbudget.search.interrupt import interrupts
from archbudget.search.running import ALIVE, Clock, Watch, finished, is_own, lose, process, release, running, state_of
from archbudget.space.trials import PROCESS
from archbudget.workers.job import GRACE, Job, seed_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import optuna

PAUSE = 0.3
"""Seconds between two looks at the workers and the study."""


class Pool:
    """Processes that work on one study until it has its trials; lost processes are replaced.

    Args:
        job: The job of the processes.
        study: The study that they work on.
        count: The number of processes.
        logs: The folder for their output.
        trial_timeout: The time limit of a trial in seconds, including its proposal; `None` for no limit.
    """

    def __init__(self, job: Job, study: optuna.Study, count: int, logs: Path, trial_timeout: float | None) -> None:
        self._job = job
        self._study = study
        self._count = count
        self._logs = [logs / f"worker-{number}.log" for number in range(count)]
        self._trial_timeout = trial_timeout
        self._end = None if job.timeout is None else time.monotonic() + job.timeout
        self._workers: list[_Worker] = []
        self._watch = Watch(job.grace_period)
        self._clock = Clock(GRACE)
        self._begun: dict[int, float] = {}
        self._losses = 0
        self._succeeded = self._successes()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(self) -> Iterator[None]:
        """Yields several times a second, until the study has its trials or the time is up.

        Raises:
            SearchError: If a worker reports an error, or too many are lost in a row.
        """
        for number, log in enumerate(self._logs):
            log.write_bytes(b"")
            self._start(number)
        enough: float | None = None
        while self._workers:
            self._end_overdue()
            for worker in list(self._workers):
                if worker.has_ended():
                    self._workers.remove(worker)
                    if not worker.is_done():
                        self._replace(worker, f"its process {worker.end()}")
            self._mend()
            interrupts.check()
            yield
            now = self._clock.read()
            if finished(self._study) >= self._job.trials:
                # A stopped worker, for example, does not notice this.
                enough = now if enough is None else enough
                if now - enough > GRACE:
                    return
            time.sleep(PAUSE)

    def stop(self) -> None:
        """Ends all workers, at once if this is interrupted, and puts their trials back into the queue."""
        with contextlib.suppress(KeyboardInterrupt):
            for worker in self._workers:
                worker.ask_to_end()
            end = time.monotonic() + GRACE
            for worker in self._workers:
                worker.wait(end - time.monotonic())
        for worker in self._workers:
            worker.kill()
        if self._workers:
            with contextlib.suppress(Exception):  # A failing storage is the error that ended the search.
                for trial in running(self._study, *(worker.process for worker in self._workers)):
                    release(self._study, trial)
        self._workers.clear()

    def _start(self, number: int) -> None:
        begun = len(self._study.get_trials(deepcopy=False))
        rest = None if self._end is None else max(0.0, self._end - time.monotonic())
        job = dataclasses.replace(self._job, seed=seed_of(self._job.seed, number, begun), timeout=rest)
        threads = str(max(1, cores() // self._count))
        self._workers.append(_Worker(job, number, self._logs[number], threads))

    def _replace(self, worker: _Worker, reason: str, *, again: bool = True) -> None:
        """Fails the trial of a lost worker, and starts another worker if trials are missing.

        Raises:
            SearchError: If too many workers were lost since a trial was last completed or pruned.
        """
        where = "before its first trial"
        for trial in running(self._study, worker.process):
            where = f"in trial {trial.number}"
            lose(self._study, trial, reason, self._job.max_tries, again=again)
        succeeded = self._successes()
        self._losses = 1 if succeeded > self._succeeded else self._losses + 1
        self._succeeded = succeeded
        if self._losses >= self._job.max_consecutive_failures:
            raise SearchError(
                f"{self._losses} workers were lost in a row, the last one {where}: {reason}; see {worker.log} "
                "(--max-consecutive-failures)"
            )
        in_time = self._end is None or time.monotonic() < self._end
        if in_time and finished(self._study) < self._job.trials:
            self._start(worker.number)

    def _end_overdue(self) -> None:
        """Ends the workers whose trials take too long."""
        if self._trial_timeout is None:
            return
        now = self._clock.read()
        for worker in list(self._workers):
            trials = running(self._study, worker.process)
            late = [t.number for t in trials if now - self._begun.setdefault(t.number, now) > self._trial_timeout]
            if late:
                worker.say_where()
                worker.kill()
                self._workers.remove(worker)
                for trial in running(self._study, worker.process):
                    if trial.number not in late:
                        release(self._study, trial)  # It began another one at the last moment.
                self._replace(worker, f"it took longer than --trial-timeout {self._trial_timeout:g} s", again=False)

    def _mend(self) -> None:
        """Fails the lost trials of other processes, and of workers that give no sign of life."""
        workers = {worker.process: worker for worker in self._workers}
        for trial, reason in self._watch.look(self._study, workers):
            worker = workers.get(trial.user_attrs.get(PROCESS, ""))
            if reason is None or not is_own(trial):
                continue
            if worker is not None and state_of(worker.process) == ALIVE:
                # It hangs in code that holds the GIL. A stopped worker is left, as it may continue.
                worker.say_where()
                worker.kill()
                self._workers.remove(worker)
                self._replace(worker, reason)
            else:
                lose(self._study, trial, reason, self._job.max_tries)

    def _successes(self) -> int:
        states = (TrialState.COMPLETE, TrialState.PRUNED)
        return len(self._study.get_trials(deepcopy=False, states=states))


class _Worker:
    """A process that works on a job, in a new interpreter, as JAX does not survive a fork."""

    def __init__(self, job: Job, number: int, log: Path, threads: str) -> None:
        self.number = number
        self.log = log
        with log.open("ab") as stderr:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "archbudget.workers.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, **os.environ},
                bufsize=0,
                start_new_session=True,  # Ctrl-C goes to the parent, which ends its workers in order.
            )
        self.process = process(self._child.pid)
        self._heard = b""
        self._deadline: float | None = None
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._orders, self._answers = self._child.stdin, self._child.stdout
        os.set_blocking(self._answers.fileno(), False)
        with contextlib.suppress(BrokenPipeError):  # `has_ended` notices its end.
            self._orders.write(json.dumps(dataclasses.asdict(job)).encode() + b"\n")

    def has_ended(self) -> bool:
        """Whether it has ended; one that is done, but does not end in time, is killed.

        Raises:
            SearchError: If it reported an error.
        """
        # In this order, so that a report before its end is read. Its children may keep the pipe open after its end.
        has_ended = self._child.poll() is not None
        report = self._report()
        if "error" in report:
            raise SearchError(f"{report['error']} (log: {self.log})")
        if "done" in report and self._deadline is None:
            self._deadline = time.monotonic() + GRACE
        if has_ended and "done" in report:
            self._close()
        elif has_ended or (self._deadline is not None and time.monotonic() > self._deadline):
            self.kill()
        return self._child.returncode is not None

    def is_done(self) -> bool:
        """Whether it reported that it is done, even if it ended badly afterwards."""
        return "done" in self._report()

    def end(self) -> str:
        """How it ended, as a clause."""
        code = self._child.returncode
        if code >= 0:
            return f"ended with exit code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"was killed by {name}" + (", as if out of memory" if name == "SIGKILL" else "")

    def ask_to_end(self) -> None:
        """Interrupts it; it puts its trial back into the queue."""
        if self._child.poll() is None:
            self._child.terminate()

    def wait(self, seconds: float) -> None:
        """Waits for its end, at most `seconds`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(max(0.0, seconds))

    def say_where(self) -> None:
        """Makes it write its traceback to the log."""
        if hasattr(signal, "SIGUSR1"):
            self._child.send_signal(signal.SIGUSR1)
            time.sleep(PAUSE)

    def kill(self) -> None:
        """Kills it, and the processes that it has started."""
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, signal.SIGKILL)
        self._child.kill()
        self._child.wait()
        self._close()

    def _close(self) -> None:
        for pipe in (self._orders, self._answers):
            pipe.close()

    def _report(self) -> dict[str, Any]:
        """Its report so far: nothing, that it is done, or an error. Other lines in the pipe are ignored."""
        with contextlib.suppress(BlockingIOError, ValueError):
            while heard := os.read(self._answers.fileno(), 2**16):
                self._heard += heard
        for line in reversed(self._heard.splitlines()):
            with contextlib.suppress(ValueError):
                report = json.loads(line)
                if isinstance(report, dict):
                    return report
        return {}
