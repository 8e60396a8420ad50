"""Values in messages: short and on one line, for any value."""

from __future__ import annotations

import difflib
import re
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 2000
"""The most characters of a message."""

VALUE, NAMES = 200, 400
"""The most characters of one value, and of names in a row."""

ITEMS, DEPTH = 12, 3
"""The most items of a list that are shown, and the most levels of nested lists."""

BRACKETS: dict[type, str] = {list: "[]", tuple: "()", set: "{}", dict: "{}"}

BITS = 400
"""Integers of at most this many bits are written out; others have more digits than anybody reads."""


def show(value: object) -> str:
    """A value as Python prints it; a long one is shortened, and one that cannot be printed is shown by its type."""
    return line(cut(_text(value, DEPTH), VALUE))


MOST_BITS = 1_000
"""Integers of at most this many bits have some 300 digits, which are all written. Python refuses more than 4,300."""


def grouped(count: float) -> str:
    """A number with commas between thousands; for one with hundreds of digits only its magnitude."""
    bits = count.bit_length() if isinstance(count, int) else 0
    return f"{count:,}" if bits <= MOST_BITS else f"{'-' if count < 0 else ''}(2^{bits - 1} to 2^{bits})"


def listed(names: Iterable[object]) -> str:
    """Names separated by commas, as many as there is room for."""
    shown: list[str] = []
    rest, room = 0, NAMES
    for name in names:
        text = line(cut(str(name), VALUE))
        room -= len(text) + 2
        if room >= 0:
            shown.append(text)
        else:
            rest += 1
    return ", ".join(shown) + (f", ... ({rest:,} more)" if rest else "")


FEW_NAMES, LONG_NAME = 10_000, 256
"""The most names among which the nearest one is looked for, and the most characters of one."""


def nearest(name: object, names: Iterable[object]) -> str | None:
    """The name that was probably meant by an unknown one; `None` if none is near."""
    # A subclass of `str` may do anything where it is printed: its characters count.
    given = str.__str__(name) if isinstance(name, str) else str(name) if type(name) in (int, float) else ""
    if not 0 < len(given) <= LONG_NAME:
        return None
    known = {each.casefold(): each for each in map(str, islice(names, FEW_NAMES))}
    near = difflib.get_close_matches(given.casefold(), known, n=1) if given not in known.values() else []
    return line(known[near[0]]) if near else None


def hint(name: object, names: Iterable[object]) -> str:
    """What an error says behind an unknown name: the nearest name, or all of them where none is near."""
    known = list(names)
    near = nearest(name, known)
    return f"; there are {listed(known) or 'none'}" if near is None else f"; did you mean {near}?"


def with_nearest(name: object, names: Iterable[object]) -> str:
    """One of several unknown names as an error shows it: with the nearest name, if there is one."""
    near = nearest(name, names)
    return show(name) if near is None else f"{show(name)} (did you mean {near}?)"


def cut(text: str, most: int) -> str:
    """A text, without its middle if it has more than `most` characters."""
    if len(text) <= most:
        return text
    gap = f" ... ({len(text):,} characters) ... "
    room = max(most - len(gap), 0)
    return f"{text[: room - room // 3]}{gap}{text[len(text) - room // 3 :]}"


def line(text: str) -> str:
    """A text on one line, with escapes for characters that a terminal does not print."""
    if text.isascii() and text.isprintable():
        return text
    text = re.sub(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*", " ", text).strip()
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def one_line(error: BaseException) -> str:
    """The message of a foreign exception, on one line."""
    try:
        text = str(error)
    except Exception:  # A value may raise anything.
        text = "its message cannot be shown"
    return " ".join(line(cut(text, LONGEST // 2)).split())


def _text(value: object, depth: int) -> str:
    of = type(value)
    if of is int:
        return _integer(value)  # type: ignore[arg-type]
    if of in (str, bytes):
        return _string(value)
    brackets = BRACKETS.get(of)
    try:
        return repr(value) if brackets is None or not value else _items(value, of, brackets, depth)
    except Exception:  # A value may raise anything.
        return f"<{of.__name__}>"


def _integer(value: int) -> str:
    if value.bit_length() <= BITS:
        return repr(value)
    return f"<{'a negative' if value < 0 else 'an'} integer of {value.bit_length():,} bits>"


def _string(value: Any) -> str:
    """The text of a string; of a long one only the ends are read."""
    if len(value) <= VALUE:
        return repr(value)
    ends = repr(value[: VALUE // 2])[:-1], repr(value[-VALUE // 4 :]).lstrip("b")[1:]
    return f" ... ({len(value):,} characters) ... ".join(ends)


def _items(value: Any, of: type, brackets: str, depth: int) -> str:
    if not depth:
        return f"{brackets[0]}...{brackets[1]}"
    shown: list[str] = []
    for item in value.items() if of is dict else value:
        if len(shown) == ITEMS:
            shown.append(f"... ({len(value) - ITEMS:,} more)")
            break
        parts = item if of is dict else (item,)
        shown.append(": ".join(cut(_text(part, depth - 1), VALUE // 2) for part in parts))
    comma = "," if of is tuple and len(shown) == 1 else ""
    return f"{brackets[0]}{', '.join(shown)}{comma}{brackets[1]}"
