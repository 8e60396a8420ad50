"""A process that works on a search: `python -m archbudget.workers.worker`.

The first line that it reads from the pipe at file descriptor 0 is its job as JSON; the end of that pipe means that its
parent is gone. The last line that it writes to the pipe at file descriptor 1 is its report as JSON: `done`, or the
`error` in one line. A process that ends without a report was lost.

Both pipes are moved at once to descriptors that an objective and its children do not use: these read nothing, and all
that they write goes to the log.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import signal
import sys
import threading
import time
import traceback
from typing import Any

from archbudget.search.interrupt import interrupts
from archbudget.workers.failure import describe
from archbudget.workers.job import GRACE, Job, quiet


def main() -> int:
    """Runs the job; the exit code is 0 when it is done."""
    orders, report = _pipes()
    sys.stdout = sys.stderr  # So that the log is in order.
    faulthandler.enable()  # The log gets the traceback of a process that crashed,
    if hasattr(faulthandler, "register"):
        faulthandler.register(signal.SIGUSR1)  # or ran out of time.
    job = json.loads(_line(orders))
    threading.Thread(target=_end_with_parent, args=(orders,), daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupts.handle)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forget_interrupt)

    try:
        quiet()
        Job(**job).run()
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        _tell(report, error=describe(error))
        with contextlib.suppress(OSError):  # The disk with the log may be full.
            traceback.print_exc()
        return 2
    _tell(report, done=True)
    return 0


def _pipes() -> tuple[int, int]:
    """The two pipes, at file descriptors that no child process with another program inherits."""
    orders, report = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return orders, report


def _line(pipe: int) -> bytes:
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(pipe, 1)):
        line += byte
    return line


def _tell(report: int, **what: Any) -> None:
    with contextlib.suppress(OSError):  # The parent may be gone.
        os.write(report, f"\n{json.dumps(what)}\n".encode())


def _end_with_parent(orders: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(orders, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
            os.killpg(os.getpid(), signal.SIGKILL)
        os._exit(1)


def _forget_interrupt() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(main())
