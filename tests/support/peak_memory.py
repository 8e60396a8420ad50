"""The most memory that a process has had, for scripts that tests start."""

from __future__ import annotations

import resource
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_bytes() -> int:
    """The peak of the resident memory of this process, in bytes."""
    if STATUS.exists():
        # Not `ru_maxrss`: there a process begins with the peak of the one that started it.
        fields = dict(line.split(":", 1) for line in STATUS.read_text(encoding="ascii").splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
