"""Interrupts that wait until a storage has done what it does, and a trial is begun or told.

An exception in the middle of a transaction would keep it open, as it refers to where it was raised: the database stays
locked for everybody, this process included, which is about to put its trials in order. A trial that is just being begun
would be unknown there.
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
"""Where the code of storages is."""

TELL = str(Path(optuna.study.__file__).parent / "_tell.py")
"""Where a trial is told."""


class Interrupts:
    """What is known of the interrupts of this process: there is one main thread, and one of these."""

    def __init__(self) -> None:
        self._asked = False
        self._waits = False
        self._is_again = False

    @contextlib.contextmanager
    def patient(self) -> Iterator[None]:
        """Has Ctrl-C wait for storages, where it does what it does by default.

        Raises:
            KeyboardInterrupt: If one still waits at the end.
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
        """A handler of signals that interrupts this process, a little later where that would do harm.

        Raises:
            KeyboardInterrupt: Where it does not.
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
        """Interrupts the main thread if that was asked for.

        Raises:
            KeyboardInterrupt: If it was.
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
