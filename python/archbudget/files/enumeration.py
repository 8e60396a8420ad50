"""Writing all candidates of a set, a space or a file with their counts into a folder, by any executor."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import pickle
import signal
import threading
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ThreadPoolExecutor, wait
from concurrent.futures.process import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from archbudget._core import VERSION
from archbudget._extras import imported
from archbudget._machine import cores
from archbudget._message import one_line, show
from archbudget._progress import counting, require_progress
from archbudget._regular import path_of
from archbudget.errors import ArchbudgetError, SpaceError
from archbudget.files import candidates as files
from archbudget.files import folder as folders
from archbudget.files.shards import Job, Range

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from archbudget._budget import Budget
    from archbudget._progress import ProgressLike
    from archbudget.files.shards import Check
    from archbudget.space.feasible import FeasibleSet
    from archbudget.space.space import Space

    Submit = Callable[[Range], Future[None]]

_logger = logging.getLogger(__name__)

AHEAD = 2048
"""How many shards an executor is given before the first of them is done; more than it has workers."""

MOST_WORKERS = 1024
"""The most processes that are started on one machine."""


@dataclass(frozen=True)
class Source:
    """The candidates that are written."""

    space: Space
    fits: FeasibleSet[Space] | None
    """The set that has them; if there is none, they are in a file."""
    budget: Budget | None
    """The budget of the set, if it is not the whole space."""
    file: str | None = None


def write_parquet(
    source: Source,
    directory: str | os.PathLike[str],
    metrics: list[str],
    *,
    executor: Executor | None,
    workers: int | None,
    shard: int,
    progress: ProgressLike,
) -> int:
    """Writes candidates and their counts into a folder; see `FeasibleSet.write_parquet`. Returns their number."""
    imported("pyarrow.parquet", "write_parquet")
    _check_options(executor, workers, shard)
    require_progress(progress)
    if not source.space.decisions:
        raise SpaceError("the space has no decisions, and so a table of its candidates no columns")
    job = _job(source, os.path.abspath(path_of(directory)), metrics, int(shard))  # noqa: PTH100  # As it is written.
    found = folders.prepared(job) if job.is_kept else {}
    done = sum(ranks.stop - ranks.start for ranks in found)
    if found:
        _logger.info("%s: %s of %s shards are there already", job.folder, f"{len(found):,}", f"{job.number:,}")
    todo = (ranks for ranks in job.ranges() if ranks not in found)
    with counting("enumerate", job.total, progress) as report:
        report(done)
        for ranks in _written(job, todo, job.number - len(found), executor, workers):
            done += ranks.stop - ranks.start
            report(done)
    if job.is_kept:
        folders.complete(job)
    return job.total


def _check_options(executor: object, workers: object, shard: object) -> None:
    """Refuses options before anything is done.

    Raises:
        SpaceError: With the first that is wrong.
    """
    if executor is not None and not isinstance(executor, Executor):
        raise SpaceError(
            f"executor must be a concurrent.futures.Executor, such as Dask's client.get_executor(), not "
            f"{show(executor)}"
        )
    for name, number in (("shard", shard), ("workers", workers)):
        if (name, number) != ("workers", None) and (
            isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < 1
        ):
            raise SpaceError(f"{name} must be an integer of at least 1, not {show(number)}")
    if workers is not None and executor is not None:
        raise SpaceError("workers is the number of processes on this machine, and an executor has its own: give one")


def _job(source: Source, directory: str, metrics: list[str], shard: int) -> Job:
    """What is to be done.

    Raises:
        ArchbudgetError: If the candidates have no ranks, or cannot be written.
    """
    file = None if source.file is None else os.path.abspath(source.file)  # noqa: PTH100
    if file is not None:
        files.format_of(file, files.ADDRESSED)
        total = files.number_in(source.space, file) or 0
    else:
        assert source.fits is not None
        source.fits.candidates(0, 0)  # Says what to do where there are no ranks.
        total = source.fits.count()
    header = folders.header(
        source.space,
        budget=source.budget,
        fixed={} if source.fits is None else source.fits.fixed,
        source=file,
        metrics=metrics,
        total=total,
    )
    job = Job(directory, source.space, source.fits, file, tuple(metrics), total, shard, json.dumps(header))
    _ = job.schema  # Refuses what no file can hold.
    return job


def _written(
    job: Job, todo: Iterator[Range], number: int, executor: Executor | None, workers: int | None
) -> Iterator[Range]:
    """Writes shards, and yields the range of each that is done, in any order."""
    workers = min(number, MOST_WORKERS, cores() if workers is None else int(workers))
    if executor is None and workers <= 1:
        threads = 1 if number > 1 else None
        for ranks in todo:
            job.write(ranks, _go_on, threads)
            yield ranks
        return
    if isinstance(executor, ThreadPoolExecutor):
        stop = threading.Event()
        check = _Stopped(stop)
        yield from _gathered(lambda ranks: executor.submit(job.write, ranks, check, 1), todo, AHEAD, stop.set)
    elif executor is not None:
        sent = _pickled(job)
        yield from _gathered(lambda ranks: executor.submit(write_sent, VERSION, sent, ranks), todo, AHEAD, _go_on)
    else:
        # This process is one of them: it has counted the set already, and has little else to do.
        with _processes(job, workers - 1) as (pool, stop_all):
            submit: Submit = lambda ranks: pool.submit(_write_own, ranks)  # noqa: E731
            write = partial(job.write, check=_go_on, threads=1)
            yield from _gathered(submit, todo, 2 * (workers - 1), stop_all, write)


def _go_on() -> None:
    """Lets work go on; in the process that was started, Ctrl-C ends it by itself."""


class _StoppedError(Exception):
    """Work was ended by another thread or process, which knows why."""


class _Stopped:
    """A check that ends the work when an event is set."""

    def __init__(self, event: Any) -> None:
        self._event = event

    def __call__(self) -> None:
        if self._event.is_set():
            raise _StoppedError


def _gathered(
    submit: Submit,
    todo: Iterator[Range],
    ahead: int,
    stop: Callable[[], None],
    write: Callable[[Range], None] | None = None,
) -> Iterator[Range]:
    """Has an executor write shards, some ahead, and yields the range of each that is done.

    Args:
        submit: Gives a shard to the executor.
        todo: The ranges of the shards.
        ahead: How many shards the executor is given before the first of them is done.
        stop: Ends the work of the executor.
        write: Writes a shard here while the executor writes others; if there is none, this process waits.

    Raises:
        ArchbudgetError: If a shard cannot be written, or a worker is lost; what waits is withdrawn then.
    """
    pending: dict[Future[None], Range] = {}
    try:
        while True:
            for ranks in islice(todo, ahead - len(pending)):
                pending[submit(ranks)] = ranks
            own = None if write is None else next(todo, None)
            if write is not None and own is not None:
                write(own)
                yield own
            elif not pending:
                return
            for future in wait(pending, 0 if own else None, FIRST_COMPLETED).done:
                future.result()
                yield pending.pop(future)
    except BrokenExecutor as error:
        raise ArchbudgetError(
            f"a worker process ended: {one_line(error)}; shards that are complete stay, and the same call goes on with "
            'the others (a script needs `if __name__ == "__main__":` around it, as workers import it)'
        ) from error
    finally:
        stop()
        for future in pending:
            future.cancel()


def _pickled(job: Job) -> bytes:
    """A job in the form that is sent to workers.

    Raises:
        SpaceError: If it cannot be sent.
    """
    try:
        return pickle.dumps(job)
    except Exception as error:  # What is pickled may raise anything.
        raise SpaceError(
            f"the space cannot be sent to other processes ({one_line(error)}): define its functions in a module, or "
            "give executor=concurrent.futures.ThreadPoolExecutor()"
        ) from error


@lru_cache(maxsize=4)
def _restored(sent: bytes) -> Job:
    """The job that was sent; unpickled once in a process, which also counts its set once."""
    job: Job = pickle.loads(sent)
    return job


_restoring = threading.Lock()


def write_sent(version: str, sent: bytes, ranks: Range) -> None:
    """Writes a shard in a process of an executor, which may be on another machine.

    Raises:
        ArchbudgetError: If another version of archbudget is installed there, or the shard cannot be written.
    """
    if version != VERSION:
        raise ArchbudgetError(f"a worker has archbudget {VERSION}, and the candidates are those of {version}")
    with _restoring:
        job = _restored(sent)
    job.write(Range(*ranks), _go_on, 1)


_own: list[tuple[Job, Check]] = []
"""The job of this process, where it is one of `_processes`, and what ends its work."""


def _begin(sent: bytes, stop: Any) -> None:
    """Makes a process ready; it ends when the process that started it does, and leaves Ctrl-C to that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _own[:] = [(_restored(sent), _Stopped(stop))]


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _write_own(ranks: Range) -> None:
    job, check = _own[0]
    job.write(ranks, check, 1)


@contextmanager
def _processes(job: Job, workers: int) -> Iterator[tuple[Executor, Callable[[], None]]]:
    """Processes that have the job, and a function that ends their work; at the end they are gone."""
    context = multiprocessing.get_context("spawn")  # Threads of the engine do not survive a fork.
    stop = context.Event()
    pool = ProcessPoolExecutor(workers, context, _begin, (_pickled(job), stop))
    try:
        yield pool, stop.set
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
