"""Public functions accept any argument, or refuse it in one line.

Functions check their arguments themselves, and say what is wrong. The guard is for what they cannot foresee: an object
may raise anything when it is compared, hashed, iterated or converted to a number.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import wraps
from inspect import signature
from types import FunctionType
from typing import Any, ParamSpec, TypeVar

from archbudget._message import hint, one_line, show
from archbudget.errors import ArchbudgetError, OutOfMemoryError, SpaceError, UnknownArgumentError

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[..., Any])
Error = TypeVar("Error", bound=ArchbudgetError)


CONSTRUCTORS = ("__init__", "__post_init__")
METHODS = (*CONSTRUCTORS, "__call__", "__getitem__", "__contains__")
"""The methods with underscores that are guarded."""


def guarded(function: Callable[P, T]) -> Callable[P, T]:
    """A function that raises errors of archbudget instead of foreign exceptions.

    A wrong call stays Python's error, but an unknown keyword is answered with the nearest one.
    """

    @wraps(function)
    def guard(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except (ArchbudgetError, ImportError):
            raise
        except MemoryError as error:
            raise OutOfMemoryError(f"{_name(function, args)}: there is not enough memory: {one_line(error)}") from error
        except Exception as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is None:
                _refuse_unknown(function, args, kwargs)
                raise  # The arguments do not match the signature, so the function has not begun.
            what = f"{type(error).__name__}: {one_line(error)}"
            raise SpaceError(f"{_name(function, args)} cannot take what it was given: {what}") from error

    return guard


Answer = Callable[[Sequence[object], Mapping[str, object]], None]
"""It refuses positional arguments, or keywords that a function does not have, in its own words; or it leaves that to
Python."""


def answering(answer: Answer) -> Callable[[F], F]:
    """A guarded or answered function that has words of its own for arguments which it does not have."""

    def made(function: F) -> F:
        function.answer = answer  # type: ignore[attr-defined]
        return function

    return made


def answered(function: Callable[P, T]) -> Callable[P, T]:
    """A function that passes on the exceptions of others, but answers an unknown keyword with the nearest one."""

    @wraps(function)
    def answer(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is None:
                _refuse_unknown(function, args, kwargs)
            raise

    return answer


def guards(*, only: Collection[str] | None = None, but: Collection[str] = ()) -> Callable[[C], C]:
    """Guards the public methods of a class: only some, or all but those that pass on the exceptions of others."""

    def made(cls: C) -> C:
        for name, given in list(vars(cls).items()):
            wanted = name in METHODS or not name.startswith("_") if only is None else name in only
            if not wanted or name in but:
                continue
            if isinstance(given, (classmethod, staticmethod)):
                setattr(cls, name, type(given)(guarded(given.__func__)))
            elif isinstance(given, FunctionType):
                setattr(cls, name, guarded(given))
        return cls

    return made


def reworded(error: Error, message: str) -> Error:
    """The same error with its data and another message."""
    made = type(error)(message)
    vars(made).update(vars(error))
    return made


def has(value: object, name: str) -> bool:
    """Whether a value has an attribute; one that raises has none."""
    try:
        return hasattr(value, name)
    except Exception:
        return False


def attribute(value: object, name: str) -> Any:
    """An attribute, asked for once; None where there is none, or it raises."""
    try:
        return getattr(value, name, None)
    except Exception:
        return None


def _refuse_unknown(function: Callable[..., object], args: tuple[object, ...], named: Mapping[str, object]) -> None:
    """Refuses keywords that a function does not have, with its own answer to them if it has one.

    Raises:
        UnknownArgumentError: With the first one.
    """
    parameters = signature(function).parameters.values()
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return
    takes = [each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    known = [name for name in takes if name not in ("self", "cls")]
    unknown = {name: value for name, value in named.items() if name not in known}
    answer: Answer | None = getattr(function, "answer", None)
    if answer is not None:
        answer(args, unknown)
    for name in unknown:
        raise UnknownArgumentError(f"{_name(function, args)}: unknown argument {show(name)}{hint(name, known)}")


def _name(function: Callable[..., object], args: tuple[object, ...]) -> str:
    """The name of a function for its users: a method goes by the class of its object."""
    if function.__name__ in CONSTRUCTORS:
        return type(args[0]).__name__
    owner, _, name = function.__qualname__.rpartition(".")
    if args and any(each.__name__ == owner for each in type(args[0]).__mro__):
        return f"{type(args[0]).__name__}.{name}"
    return function.__qualname__
