"""Reports of the error that ended a process."""

from __future__ import annotations

import math

from archbudget._extras import installed_by
from archbudget._message import LONGEST, cut, line, one_line, show
from archbudget._nested import mapped
from archbudget.errors import ArchbudgetError


def describe(error: Exception) -> str:
    """An error in one line, with the remedy where it is known."""
    usage = getattr(error, "format_message", None)
    if usage is not None:
        return cut(" ".join(line(usage()).split()), LONGEST)
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        return f"{package} is not installed: pip install {installed_by(package)}"
    if isinstance(error, ArchbudgetError):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return cut(line(f"{error.filename}: {error.strerror}"), LONGEST)
    if isinstance(error, (OSError, ImportError)):
        return one_line(error)
    return f"{type(error).__name__}: {one_line(error)} (--debug shows where)"


def report(error: Exception) -> dict[str, object]:
    """An error for machines: its type, its message, and its data and those of its causes."""
    data: dict[str, object] = {}
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ArchbudgetError):
            data = {**cause.data, **data}
        cause = cause.__cause__
    return {"error": {"type": type(error).__name__, "message": describe(error), **mapped(_plain, data)}}


def _plain(value: object) -> object:
    """A value in a form that JSON has."""
    if isinstance(value, float) and not math.isfinite(value):
        return show(value)
    return value if isinstance(value, (str, int, float, type(None))) else show(value)
