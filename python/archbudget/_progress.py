"""How far long calls are: one protocol for all of them, and a bar where a person waits."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Union

from archbudget._core import tell
from archbudget._message import show
from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from typing_extensions import Self

DELAY = 1.0
"""The seconds before a bar appears."""

OFTEN = 0.2
"""The seconds between two pictures of a bar in a notebook."""

TASKS = {
    "compile": "compiling the space",
    "sums": "listing sums",
    "count": "counting",
    "round": "counting within bounds",
    "marginals": "counting values",
    "distribution": "counting values",
    "evaluate": "evaluating candidates",
    "sample": "drawing candidates",
    "members": "listing candidates",
    "grid": "counting budgets",
    "budgets": "counting budgets",
    "enumerate": "writing candidates",
    "search": "trials",
}
"""What calls may be at, by the name that `Progress` has for it, and what a bar says of it."""

COUNTED = ("evaluate", "sample", "members", "budgets", "enumerate", "search")
"""The tasks whose units are things that users know; of the others a bar shows the share that is done."""


class Progress(NamedTuple):
    """How far a long call is; what the function that is given as `progress=` is called with.

    All calls that may take long (a space is compiled, counted, drawn from, evaluated, enumerated, searched) tell it in
    the same way. `progress=` is a function of one `Progress`, `True` for a bar in a terminal (on standard error) or a
    notebook, or `False` for nothing. `None`, the default, is a bar in notebooks and silence elsewhere. A bar appears
    after one second, and is gone when the call ends; in files and pipes there is none.

    A call may be at several tasks, one after the other; one of them may end before its total is reached, where another
    way is taken. While a task goes on, `done` never falls. A function is called a few times a second, and once more at
    the end, never twice at once, but maybe from another thread; what is known already is told nobody. What the function
    raises ends the call: errors of archbudget and interrupts as they are, others as the cause of a `SpaceError`.

    Example:
        >>> import archbudget as ab
        >>> told = []
        >>> ab.spaces.lenet().within(ab.Budget(params=60_000)).count(progress=told.append)
        5811
        >>> told[-1].task, told[-1].done == told[-1].total
        ('count', True)
    """

    task: str
    """What is done: compile, sums, count, round, marginals, distribution, evaluate, sample, members, grid, budgets,
    enumerate or search."""
    done: int
    """How many units of the task are done: candidates, trials, budgets; or steps of an algorithm."""
    total: int | None
    """How many units the task has; `None` where that is not known."""


ProgressLike = Union[bool, Callable[[Progress], object], None]
"""Who is told how far a call is: a function of a `Progress`; `True` for a bar where a person waits; `False` for nobody;
`None` for what is usual there, a bar in notebooks."""

Told = Callable[[str, int, "int | None", "bool | None"], None]
"""What the engine tells: a task, how much of it is done, its total, and at the end of the work whether it succeeded."""


class _Function:
    """Tells a function of the user's."""

    def __init__(self, function: Callable[[Progress], object]) -> None:
        self._function = function
        self._lock = threading.RLock()

    def __call__(self, task: str, done: int, total: int | None, ended: bool | None) -> None:
        if ended is not False:
            with self._lock:
                self._function(Progress(task, done, total))


class _Bar:
    """A bar for calls that take longer than a second, in a terminal or a notebook."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._begun: float | None = None
        self._shown: _Terminal | _Notebook | None = None

    def __call__(self, task: str, done: int, total: int | None, ended: bool | None) -> None:
        with self._lock:
            if ended is not None:
                self._close()
                return
            now = time.monotonic()
            if self._begun is None:
                self._begun = now
            if self._shown is None and now - self._begun >= DELAY:
                self._shown = _Notebook() if in_notebook() else _Terminal()
            if self._shown is not None:
                self._shown.update(task, done, total)

    def _close(self) -> None:
        self._begun = None
        if self._shown is not None:
            self._shown.close()
            self._shown = None


def _columns() -> tuple[Any, ...]:
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

    return (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[amount]}"), TimeElapsedColumn())


def _amount(task: str, done: int, total: int | None) -> str:
    """How much is done, in a few words."""
    if task in COUNTED:
        return f"{done:,}" if total is None else f"{done:,} of {total:,}"
    return "" if not total else f"{100 * done // total} %"


class _Terminal:
    """A bar in a terminal, which is standard error."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import Progress as Bar

        self._bar = Bar(*_columns(), console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("", total=None, amount="")
        self._bar.start()

    def update(self, task: str, done: int, total: int | None) -> None:
        amount = _amount(task, done, total)
        self._bar.update(self._task, description=TASKS[task], completed=done, total=total, amount=amount)

    def close(self) -> None:
        self._bar.stop()


class _Notebook:
    """A bar in the output of a cell; what is drawn is text, so that no widgets need to be installed."""

    def __init__(self) -> None:
        display = import_module("IPython.display").display
        self._begun = time.monotonic()
        self._drawn = 0.0
        self._handle = display({"text/plain": ""}, raw=True, display_id=True)

    def update(self, task: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self._drawn < OFTEN:
            return
        self._drawn = now
        filled = "" if not total else f"{'#' * (30 * done // total):.<30} "
        seconds = now - self._begun + DELAY
        text = f"{TASKS[task]} {filled}{_amount(task, done, total)} {seconds:.0f} s"
        self._handle.update({"text/plain": " ".join(text.split())}, raw=True)

    def close(self) -> None:
        self._handle.update({"text/plain": ""}, raw=True)


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook."""
    made = sys.modules.get("IPython")
    shell = None if made is None else made.get_ipython()
    return type(shell).__name__ == "ZMQInteractiveShell"


def require_progress(progress: object) -> None:
    """Refuses what cannot be told how far a call is.

    Raises:
        SpaceError: If it is neither a function nor a flag, nor `None`.
    """
    if not (progress is None or isinstance(progress, bool) or callable(progress)):
        raise SpaceError(f"progress must be True or False, None, or a function of a Progress, not {show(progress)}")


def _told_by(progress: ProgressLike) -> Told | None:
    """Whom the engine tells; refuses as `require_progress` does."""
    require_progress(progress)
    if callable(progress):
        return _Function(progress)
    return _Bar() if progress and (in_notebook() or _is_terminal()) else None


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


class reporting:  # noqa: N801  # It reads as a statement.
    """While it is entered, work of the engine that this thread begins tells its progress; `None` changes nothing.

    Raises:
        SpaceError: If it is no progress.
    """

    def __init__(self, progress: ProgressLike = None) -> None:
        self._changes = progress is not None
        self._told = _told_by(progress) if self._changes else None
        self._outer: Any = None

    def __enter__(self) -> Self:
        if self._changes:
            self._outer = tell(self._told)
        return self

    def __exit__(self, *_: object) -> None:
        if self._changes:
            tell(self._outer)


@contextmanager
def counting(task: str, total: int | None, progress: ProgressLike = None) -> Iterator[Callable[[int], None]]:
    """A function that is told how many units of a task are done; meanwhile the engine tells nobody.

    Raises:
        SpaceError: If it is no progress.
    """
    own = None if progress is None else _told_by(progress)
    outer = tell(None)
    told = outer if progress is None else own
    known, succeeded = 0, False
    lock = threading.RLock()

    def report(done: int) -> None:
        nonlocal known
        with lock:
            known = max(known, done)
            if told is not None:
                told(task, known, total, None)

    try:
        yield report
        succeeded = True
    finally:
        try:
            if told is not None:
                told(task, known, total, succeeded)
        finally:
            tell(outer)


def watch_notebook() -> None:
    """Shows a bar for all long work that this thread begins, if this is the kernel of a notebook."""
    if in_notebook():
        tell(_Bar())
