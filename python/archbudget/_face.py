"""What `dir()` and `help()` show of a class: its public face.

Names that other rooms use, but no user, are without an underscore, as those with one belong to one file. A class names
them in `INTERNAL`; this holds for its subclasses, too. Constants of a class are internal, as well.
"""

from __future__ import annotations

from abc import ABCMeta
from typing import Any


def _shown(cls: type, names: list[str]) -> list[str]:
    """Names of a class, or of an object of it, without internal ones."""
    hidden = frozenset[str]().union(*(vars(each).get("INTERNAL", ()) for each in cls.__mro__))
    return [name for name in names if not (name in hidden or name.isupper())]


class Faced(type):
    """The type of classes that show their public face only."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        """A class whose objects show theirs, too."""
        if not any(isinstance(base, Faced) for base in bases):
            namespace = {**namespace, "__dir__": _dir_of_object}
        return super().__new__(mcs, name, bases, namespace, **options)

    def __dir__(cls) -> list[str]:
        return _shown(cls, list(super().__dir__()))


class FacedABC(Faced, ABCMeta):
    """The same for classes that are collections."""


def _dir_of_object(self: object) -> list[str]:
    return _shown(type(self), list(object.__dir__(self)))
