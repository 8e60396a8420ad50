"""The worker processes of a search."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from archbudget.cli._job import Job, seed_of
from archbudget.errors import ArchbudgetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GRACE = 5.0
"""Seconds that a worker gets to leave its trial in order."""


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class WorkerError(ArchbudgetError):
    """A worker failed; its message."""


class Pool:
    """Processes that work on one study; fresh interpreters, as JAX does not survive a fork.

    Args:
        job: What they do.
        count: How many.
        begun: How many trials the study already has.
        logs: The folder for what they print.
    """

    def __init__(self, job: Job, count: int, begun: int, logs: Path) -> None:
        self._processes: list[subprocess.Popen[str]] = []
        self._logs = [logs / f"worker-{number}.log" for number in range(count)]
        threads = str(max(1, cores() // count))
        environment = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, **os.environ}
        for number, log in enumerate(self._logs):
            with log.open("w", encoding="utf-8") as stderr:
                process = subprocess.Popen(
                    [sys.executable, "-m", "archbudget.cli._worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    env=environment,
                    text=True,
                    start_new_session=True,  # Ctrl-C is for the parent, which stops them in order.
                )
            self._processes.append(process)
            own = dataclasses.replace(job, seed=seed_of(job.seed, number, begun))
            assert process.stdin is not None
            process.stdin.write(json.dumps(dataclasses.asdict(own)) + "\n")
            process.stdin.flush()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def watch(self, pause: float) -> Iterator[bool]:
        """Yields every `pause` seconds until all are done: whether one was killed since.

        Raises:
            WorkerError: If one reports an error, or none is left that was not killed.
        """
        waiting = dict(enumerate(self._processes))
        killed: list[int] = []
        while waiting:
            before = len(killed)
            for number, process in list(waiting.items()):
                if process.poll() is not None:
                    del waiting[number]
                    if process.returncode != 0:
                        self._judge(number, process)
                        killed.append(number)
            yield len(killed) > before
            if waiting:
                time.sleep(pause)
        if len(killed) == len(self._processes):
            code = self._processes[killed[0]].returncode
            cause = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            raise WorkerError(f"each worker was lost; the first {cause}, see {self._logs[killed[0]]}")

    def _judge(self, number: int, process: subprocess.Popen[str]) -> None:
        """Raises what a worker reported, if it lived to report anything."""
        assert process.stdout is not None
        report = process.stdout.read()
        if report.strip():
            raise WorkerError(f"{json.loads(report.splitlines()[-1])['error']} (log: {self._logs[number]})")

    def stop(self) -> None:
        """Ends them all; a running trial is given up."""
        for process in self._processes:
            if process.poll() is None:
                process.terminate()
        end = time.monotonic() + GRACE
        for process in self._processes:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
