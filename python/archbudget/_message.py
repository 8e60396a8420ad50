"""How messages show what was given: on one line and short, whatever it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 2000
"""The most characters of a message."""

VALUE, NAMES = 200, 400
"""The most characters of one value, and of names in a row."""

ITEMS, DEPTH = 12, 3
"""The most items of a list that are shown, and how deep lists are shown within each other."""

BRACKETS: dict[type, str] = {list: "[]", tuple: "()", set: "{}", dict: "{}"}

BITS = 400
"""Integers of so many bits are written out; others have more digits than anybody reads."""


def show(value: object) -> str:
    """A value as Python writes it; what is long is cut, and what cannot be written goes by its type."""
    return line(cut(_text(value, DEPTH), VALUE))


MOST_BITS = 1_000
"""So many bits are some 300 digits: all of them are written. Python refuses more than 4,300 digits."""


def grouped(count: float) -> str:
    """A number with its thousands apart; of what has hundreds of digits only how large it is."""
    bits = count.bit_length() if isinstance(count, int) else 0
    return f"{count:,}" if bits <= MOST_BITS else f"{'-' if count < 0 else ''}(2^{bits - 1} to 2^{bits})"


def listed(names: Iterable[object]) -> str:
    """Names in a row, as many as there is room for."""
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


def cut(text: str, most: int) -> str:
    """A text without its middle, if it is longer than so many characters."""
    if len(text) <= most:
        return text
    gap = f" ... ({len(text):,} characters) ... "
    room = max(most - len(gap), 0)
    return f"{text[: room - room // 3]}{gap}{text[len(text) - room // 3 :]}"


def line(text: str) -> str:
    """A text on one line, without what a terminal would not print."""
    if text.isascii() and text.isprintable():
        return text
    text = re.sub(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*", " ", text).strip()
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def one_line(error: BaseException) -> str:
    """The message of an exception that comes from elsewhere, for one line."""
    try:
        text = str(error)
    except Exception:  # It may do anything.
        text = "its message cannot be shown"
    return " ".join(line(cut(text, LONGEST // 2)).split())


def _text(value: object, depth: int) -> str:
    kind = type(value)
    if kind is int:
        return _integer(value)  # type: ignore[arg-type]
    if kind in (str, bytes):
        return _string(value)
    brackets = BRACKETS.get(kind)
    try:
        return repr(value) if brackets is None or not value else _items(value, kind, brackets, depth)
    except Exception:  # It may do anything.
        return f"<{kind.__name__}>"


def _integer(value: int) -> str:
    if value.bit_length() <= BITS:
        return repr(value)
    return f"<{'a negative' if value < 0 else 'an'} integer of {value.bit_length():,} bits>"


def _string(value: Any) -> str:
    """The text of a string, the ends of which alone are looked at where it is long."""
    if len(value) <= VALUE:
        return repr(value)
    ends = repr(value[: VALUE // 2])[:-1], repr(value[-VALUE // 4 :]).lstrip("b")[1:]
    return f" ... ({len(value):,} characters) ... ".join(ends)


def _items(value: Any, kind: type, brackets: str, depth: int) -> str:
    if not depth:
        return f"{brackets[0]}...{brackets[1]}"
    shown: list[str] = []
    for item in value.items() if kind is dict else value:
        if len(shown) == ITEMS:
            shown.append(f"... ({len(value) - ITEMS:,} more)")
            break
        parts = item if kind is dict else (item,)
        shown.append(": ".join(cut(_text(part, depth - 1), VALUE // 2) for part in parts))
    comma = "," if kind is tuple and len(shown) == 1 else ""
    return f"{brackets[0]}{', '.join(shown)}{comma}{brackets[1]}"
