"""Values that nobody means: what every public function is given once for each of its arguments."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

import archbudget as ab
from archbudget import layers


class Silent:
    """What cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no\nname")

    __str__ = __repr__


def refuse(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("not\nme")


class Hostile:
    """What does nothing that it is asked for."""

    __repr__ = __str__ = __eq__ = __hash__ = __len__ = __iter__ = __bool__ = __index__ = __int__ = __float__ = refuse
    __contains__ = __getitem__ = __lt__ = __gt__ = __le__ = __ge__ = __array__ = __fspath__ = __call__ = refuse


class HostileInt(int):
    __repr__ = __str__ = __eq__ = __hash__ = __index__ = __int__ = __lt__ = __gt__ = __le__ = __ge__ = refuse


class HostileText(str):
    __repr__ = __str__ = __eq__ = __hash__ = __len__ = __iter__ = refuse


class HostileList(list[Any]):
    __repr__ = __str__ = __eq__ = __len__ = __iter__ = __bool__ = __getitem__ = refuse


class HostileDict(dict[Any, Any]):
    __repr__ = __str__ = __eq__ = __len__ = __iter__ = __bool__ = __getitem__ = keys = items = values = get = refuse


class HostileAttributes:
    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError(name)


class Talkative:
    def __repr__(self) -> str:
        return "word\n" * 10**6


def nested(depth: int, width: int) -> list[Any]:
    """Lists within lists: deep ones, or, of width 2, such as double with each level and cannot be gone through."""
    made: list[Any] = [1]
    for _ in range(depth):
        made = [made] * width
    return made


def endless() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


def objects(value: object) -> Any:
    made = np.empty(1, dtype=object)
    made[0] = value
    return made


NUMBERS: dict[str, Callable[[], Any]] = {
    str(number): lambda number=number: number  # type: ignore[misc]
    for number in (0, 1, -1, 3, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63), -(2**64), 10**30, -(10**30), 2**200)
} | {
    "10^400": lambda: 10**400,
    "10^5000": lambda: 10**5000,
    "-10^5000": lambda: -(10**5000),
    "True": lambda: True,
    "0.0": lambda: 0.0,
    "1.5": lambda: 1.5,
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "-inf": lambda: -float("inf"),
    "1j": lambda: 1j,
    "a number of numpy": lambda: np.int64(3),
    "a fraction of numpy": lambda: np.float64(2.5),
}

TEXTS: dict[str, Callable[[], Any]] = {
    "no text": lambda: "",
    "a word": lambda: "word",
    "a metric": lambda: "params",
    "1G": lambda: "1G",
    "a million characters": lambda: "x" * 10**6,
    "a NUL": lambda: "a\0b",
    "two lines": lambda: "a\nb",
    "a surrogate": lambda: "\ud800",
    "bytes": lambda: b"word",
}

CONTAINERS: dict[str, Callable[[], Any]] = {
    "[]": list,
    "()": tuple,
    "{}": dict,
    "set()": set,
    "[1]": lambda: [1],
    "[[]]": lambda: [[]],
    "[None]": lambda: [None],
    "100,000 items": lambda: list(range(10**5)),
    "long items": lambda: ["x" * 1000] * 1000,
    "{'a': 1}": lambda: {"a": 1},
    "100,000 keys": lambda: {str(number): number for number in range(10**5)},
    "deep lists": lambda: nested(500, 1),
    "doubling lists": lambda: nested(60, 2),
    "a list in itself": endless,
    "10^12 values": lambda: range(10**12),
    "10^30 values": lambda: range(10**30),
    "values without end": itertools.count,
    "a broken generator": lambda: (1 // 0 for _ in range(3)),
    "an array": lambda: np.array([1, 2]),
    "a scalar array": lambda: np.array(3),
    "three axes": lambda: np.zeros((2, 2, 2), np.uint8),
    "no rows": lambda: np.zeros((0, 3)),
    "an array of nan": lambda: np.array([np.nan]),
    "an array of text": lambda: np.array(["a\ud800"]),
    "an array of dates": lambda: np.array(["2020-01-01"], dtype="M8[D]"),
    "an array of 64 bits": lambda: np.array([2**63], np.uint64),
    "an array of records": lambda: np.zeros(2, dtype=[("a", "i4")]),
    "an array of objects": lambda: objects(Silent()),
    "a million rows": lambda: np.broadcast_to(np.uint8(0), (10**6, 4)),
}

OBJECTS: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "an object": object,
    "a type": lambda: int,
    "len": lambda: len,
    "a function that fails": lambda: lambda *_, **__: 1 // 0,
    "a function of nothing": lambda: lambda: None,
    "a function that gives text": lambda: lambda _: "text",
    "silent": Silent,
    "hostile": Hostile,
    "talkative": Talkative,
    "a hostile int": lambda: HostileInt(3),
    "a hostile str": lambda: HostileText("word"),
    "a hostile list": lambda: HostileList([1]),
    "a hostile dict": lambda: HostileDict({"a": 1}),
    "hostile attributes": HostileAttributes,
    "[hostile]": lambda: [Hostile()],
    "(hostile,)": lambda: (Hostile(),),
    "{'a': hostile}": lambda: {"a": Hostile()},
    "a decision": lambda: ab.Choice("c", [1, 2]),
    "a decision over words": lambda: ab.Choice("words", ["a", "b"]),
    "an expression": lambda: ab.Choice("c", [1, 2]) * 2,
    "a layer": lambda: layers.Dense(3),
    "a space": lambda: ab.Space([layers.Input((3,))]),
    "a budget": lambda: ab.Budget(params=10),
}

AWKWARD = NUMBERS | TEXTS | CONTAINERS | OBJECTS


def awkward() -> Iterator[tuple[str, Any]]:
    """Each value, by what it is, made anew."""
    for what, make in AWKWARD.items():
        yield what, make()
