"""The one walk over nested lists, tuples and dicts, and frozen copies of them."""

from __future__ import annotations

from types import MethodType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from archbudget._face import Faced

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

PLAIN = frozenset((type(None), bool, int, float, str))
"""The types of most values: they hold no others, and never change."""


def items(value: object) -> Collection[Any] | None:
    """The items of a list or a tuple, or the values of a dict; `None` for anything else."""
    if isinstance(value, (list, tuple)):
        return value
    return value.values() if isinstance(value, dict) else None


def leaves(value: object) -> Iterator[Any]:
    """The values that are neither lists nor tuples nor dicts, in order."""
    inside = items(value)
    if inside is None:
        yield value
    else:
        for item in inside:
            yield from leaves(item)


def mapped(change: Callable[[Any], Any], value: Any) -> Any:
    """New lists, tuples and dicts with each leaf changed, in order."""
    if isinstance(value, list):
        return [mapped(change, item) for item in value]
    if isinstance(value, tuple):
        return tuple(mapped(change, item) for item in value)
    if isinstance(value, dict):
        return {key: mapped(change, item) for key, item in value.items()}
    return change(value)


class SetOnce(metaclass=Faced):
    """An object whose attributes are set once and never change."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in self.__dict__:
            self.__delattr__(name)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a {type(self).__name__} cannot be changed ({name}): make a new one")


class FrozenDict(dict[Any, Any]):
    """A dict that never changes."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("it is part of a layer, a block or a record, and cannot be changed: make a new one")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[FrozenDict], tuple[dict[Any, Any]]]:
        return type(self), (dict(self),)


def fixed(value: dict[str, Any]) -> FrozenDict:
    """A copy of a dict that never changes, nor do the dicts in it."""
    return FrozenDict({key: fixed(item) if isinstance(item, dict) else item for key, item in value.items()})


def frozen(value: Any) -> Any:
    """An equal value that never changes: lists become tuples, dicts and arrays read-only, numpy's numbers Python's."""
    if isinstance(value, (list, tuple)):
        return tuple(frozen(item) for item in value)
    if isinstance(value, dict):
        return FrozenDict({key: frozen(item) for key, item in value.items()})
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        value = value.copy()
        value.flags.writeable = False
    return frozenset(value) if isinstance(value, set) else value


class Opaque:
    """A foreign object in a comparison: equal to another one of its type where these say so, whatever else they do.

    Objects of a class that does not say when they are equal, such as a `functools.partial`, are if they are made up of
    equal parts: those that pickle would write.
    """

    def __init__(self, value: object) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        try:
            return isinstance(other, Opaque) and _same(self._value, other._value)
        except Exception:  # An object may do anything where it is compared.
            return False

    def __hash__(self) -> int:
        return hash(type(self._value))


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, np.ndarray):
        return (one.dtype, one.shape) == (other.dtype, other.shape) and _same(one.tolist(), other.tolist())
    says: Any = type(one).__eq__
    if says not in (object.__eq__, MethodType.__eq__):
        try:
            return bool(one == other) or bool(one != one and other != other)
        except Exception:
            if not getattr(one, "__dict__", None):
                raise
    return type(one) is not object and _same(one.__reduce_ex__(4), other.__reduce_ex__(4))
