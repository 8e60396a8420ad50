"""The objective of a search: how it is called, and what it may return."""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from archbudget._message import show
from archbudget.errors import SearchError, SpaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import optuna

    from archbudget.space.architecture import Architecture


Direction = Literal["minimize", "maximize"]


class Objective:
    """The function that a search optimizes.

    Args:
        function: A function of the `Architecture`. A parameter named `trial` gets the Optuna trial, so
            `objective(arch)`, `objective(arch, trial)` and `objective(trial)` all work.
        name: Its name in messages.

    Raises:
        SpaceError: If it is not a function.
    """

    def __init__(self, function: Callable[..., float | Sequence[float]], name: str = "the objective") -> None:
        self._call = _caller(function)
        self.name = name

    def __call__(self, arch: Architecture, trial: optuna.Trial) -> list[float]:
        """The values of a network, one for each direction of the study.

        A process that the objective has forked ends where it leaves the objective; otherwise it would continue the
        search beside its parent.

        Raises:
            SearchError: If the objective calls `sys.exit`, or does not return such numbers.
        """
        process = os.getpid()
        try:
            returned = self._call(arch, trial)
        except BaseException as error:
            if os.getpid() != process:
                _end_child(error)
            if isinstance(error, SystemExit):
                raise self._failure(trial, f"called sys.exit({show(error.code)})") from error
            raise
        if os.getpid() != process:
            _end_child(None)
        try:
            return numbers(returned, len(trial.study.directions))
        except ValueError as error:
            raise self._failure(trial, str(error)) from error.__cause__

    def _failure(self, trial: optuna.Trial, what: str) -> SearchError:
        return SearchError(f"{self.name} failed in trial {trial.number}: it {what}")


def numbers(returned: object, count: int) -> list[float]:
    """The result of an objective as floats, from numbers, arrays with one element, and rows of these.

    Raises:
        ValueError: If there are not `count` numbers, or a float cannot hold one; the message is a clause.
    """
    is_row = isinstance(returned, (list, tuple)) or getattr(returned, "ndim", None) == 1
    row: list[Any] = list(returned) if is_row else [returned]  # type: ignore[call-overload]
    cause: Exception | None = None
    if len(row) == count:
        try:
            return [_number(value) for value in row]
        except Exception as error:  # The type of a value may raise anything.
            cause = error
    which = "which is not a number" if count == 1 else f"which are not {count} numbers"
    if isinstance(cause, OverflowError):
        which = "which is too large for a float"
    raise ValueError(f"returned {show(returned)}, {which}") from cause


def _number(value: Any) -> float:
    if isinstance(value, (str, bytes, bytearray, bool, np.bool_)):
        raise TypeError(f"not a number: {type(value).__name__}")
    return float(value.item() if hasattr(value, "item") else value)


def _caller(
    function: Callable[..., float | Sequence[float]],
) -> Callable[[Architecture, optuna.Trial], float | Sequence[float]]:
    """The objective as a function of an architecture and a trial."""
    if not callable(function):
        raise SpaceError(f"the objective must be a function, not {show(function)}")
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return lambda arch, _: function(arch)
    names = [parameter.name for parameter in parameters if parameter.kind not in (parameter.VAR_KEYWORD,)]
    if "trial" not in names:
        return lambda arch, _: function(arch)
    if len(names) == 1:
        return lambda _, trial: function(trial)
    return lambda arch, trial: function(arch, trial=trial)


def _end_child(error: BaseException | None) -> None:
    """Ends a forked process as the interpreter would end it."""
    code: object = 0
    if isinstance(error, SystemExit):
        code = error.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
    elif error is not None:
        traceback.print_exception(error)
        code = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code & 0xFF if isinstance(code, int) else int(code is not None))


def reference_to(function: object) -> str | None:
    """A function as `module:function`, if it has a name there that stays; a lambda or a script's function has none."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or module == "__main__" or "<" in name:
        return None
    return f"{module}:{name}"
