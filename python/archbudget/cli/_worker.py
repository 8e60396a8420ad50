"""A process that works on a search: `python -m archbudget.cli._worker`, its job as JSON in the first line of stdin.

It ends with whoever started it: stdin is closed then. What goes wrong is reported as JSON on stdout.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from typing import Any


def main() -> int:
    """Runs the job; the exit code is 0 when it is done."""
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGTERM, _interrupt)
    report, sys.stdout = sys.stdout, sys.stderr  # What the objective prints goes to the log.

    from archbudget.cli import describe
    from archbudget.cli._job import Job, quiet

    try:
        quiet()
        Job(**job).run()
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        traceback.print_exc()
        print(json.dumps({"error": describe(error)}), file=report, flush=True)
        return 2
    return 0


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # The thread that waits for stdin shall not hold the interpreter up.
