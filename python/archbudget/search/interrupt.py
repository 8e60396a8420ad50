"""Interrupts that wait until a storage has finished its transaction, and a trial has begun or been told.

An exception in the middle of a transaction would keep it open, as the traceback refers to it: the database would stay
locked for everybody, also for this process, which is about to put its trials in order. A trial that is just beginning
would be unknown to the storage.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import optuna

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

PAUSE = 0.05
"""Seconds until an interrupt is tried again."""

STORAGES = str(Path(optuna.storages.__file__).parent)
"""The folder of the code of storages."""

TELL = str(Path(optuna.study.__file__).parent / "_tell.py")
"""The file of the code that tells a trial."""


class Interrupts:
    """The state of the interrupts of this process, which has one main thread and one instance of this class."""

    def __init__(self) -> None:
        self._asked = False
        self._waits = False
        self._is_again = False

    @contextlib.contextmanager
    def patient(self) -> Iterator[None]:
        """Makes Ctrl-C wait for storages, unless the program has a handler of its own.

        Raises:
            KeyboardInterrupt: If an interrupt still waits at the end.
        """
        is_main = threading.current_thread() is threading.main_thread()
        if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return
        signal.signal(signal.SIGINT, self.handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            still_waits = self._waits
            self._asked = self._waits = False
        if still_waits:
            raise KeyboardInterrupt

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Handles a signal: interrupts this process, a little later where that would do harm.

        Raises:
            KeyboardInterrupt: Where it does no harm.
        """
        is_again, self._is_again = self._is_again, False
        if is_again and not self._waits:
            return
        self._asked = self._waits = True
        if not _is_busy(frame):
            self._waits = False
            raise KeyboardInterrupt
        again = threading.Timer(PAUSE, self._again, (number,))
        again.daemon = True
        again.start()

    def check(self) -> None:
        """Interrupts the main thread if an interrupt is pending.

        Raises:
            KeyboardInterrupt: If it is.
        """
        if self._asked and threading.current_thread() is threading.main_thread():
            self._waits = False
            raise KeyboardInterrupt

    def _again(self, number: int) -> None:
        if not self._waits:
            return
        self._is_again = True
        if hasattr(signal, "pthread_kill"):  # Wakes the main thread up where it sleeps.
            signal.pthread_kill(threading.main_thread().ident or 0, number)
        else:
            signal.raise_signal(number)


def _is_busy(frame: FrameType | None) -> bool:
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith((STORAGES, TELL)) or code is optuna.Study.ask.__code__:
            return True
        frame = frame.f_back
    return False


interrupts = Interrupts()
