"""Loops in place of statements that repeat."""

from __future__ import annotations

import keyword
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archbudget.export.code._text import STEP, WIDTH, Made, Node, Raw, Row, Value, in_line, lines, replaced, values_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LONGEST = 120
"""The most statements that one loop repeats."""
COLUMNS = 6
"""The most values that vary in a loop; with more of them it is harder to read than what it stands for."""


@dataclass(frozen=True)
class Statement:
    """A statement: an expression, and the text in front of it."""

    before: str
    """The name that it sets, such as `x = `."""
    node: Node

    @property
    def key(self) -> tuple[str, ...]:
        """What statements have in common that differ in plain values only."""
        values = list(values_of(self.node))
        blank = in_line(replaced(self.node, iter([Raw("_")] * len(values))))
        return (self.before, blank, *(each.label for each in values))

    def lines(self, indent: str) -> list[str]:
        """Its text."""
        return lines(self.node, indent, self.before)


def written(statements: Sequence[Statement], indent: str, taken: set[str]) -> list[str]:
    """The lines of statements, those that repeat in loops.

    Args:
        statements: The statements in order.
        indent: What each line begins with.
        taken: The names that the text has already.
    """
    made: list[str] = []
    for start, loop in _parts(statements):
        if loop is None:
            made += statements[start].lines(indent)
        else:
            made += loop.lines(indent, taken)
    return made


def _parts(statements: Sequence[Statement]) -> Iterator[tuple[int, Loop | None]]:
    """Statements by their positions, and loops, so that the text has as few lines as possible."""
    numbers: dict[tuple[str, ...], int] = {}
    keys = [numbers.setdefault(each.key, len(numbers)) for each in statements]
    count = len(keys)
    best: list[tuple[float, int, Loop | None]] = [(0.0, 0, None)] * (count + 1)
    # For each period, how many statements from here on are like the one that stands a period later.
    alike = [0] * (LONGEST + 1)
    for start in reversed(range(count)):
        found: tuple[float, int, Loop | None] = (1 + best[start + 1][0], start + 1, None)
        for period in range(1, min(LONGEST, count - start - 1) + 1):
            alike[period] = alike[period] + 1 if keys[start] == keys[start + period] else 0
            times = alike[period] // period + 1
            if times < 2 or period + 1 + best[start + period * times][0] >= found[0]:
                continue
            loop = Loop.of(statements[start : start + period * times], period)
            if loop is not None:
                after = start + period * loop.times
                if loop.cost + best[after][0] < found[0]:
                    found = (loop.cost + best[after][0], after, loop)
        best[start] = found
    start = 0
    while start < count:
        _, after, loop = best[start]
        yield start, loop
        start = after


@dataclass(frozen=True)
class Loop:
    """Statements that repeat, with values that vary."""

    body: Sequence[Statement]
    columns: Sequence[tuple[Value, ...]]
    """Each plain value of the statements, in each repetition."""
    times: int

    @classmethod
    def of(cls, statements: Sequence[Statement], period: int) -> Loop | None:
        """The longest loop of statements that repeat with a period; `None` if there is none to read easily."""
        times = len(statements) // period
        rows = [
            [value for each in statements[start : start + period] for value in values_of(each.node)]
            for start in range(0, period * times, period)
        ]
        columns = list(zip(*rows, strict=True))
        for column in columns:
            if column[0].label == "name":
                times = min(times, _numbered(column))
        kept = [column[:times] for column in columns]
        loop = cls(statements[:period], kept, times)
        return loop if times > 1 and len(loop.varying) <= COLUMNS else None

    @property
    def varying(self) -> dict[tuple[str, ...], tuple[Value, ...]]:
        """The columns whose values vary, other than names; equal ones with one label once."""
        found = {}
        for column in self.columns:
            shown = tuple(map(in_line, column))
            if column[0].label != "name" and len(set(shown)) > 1:
                found[(column[0].label, *shown)] = column
        return found

    @property
    def cost(self) -> float:
        """About how many lines it takes, and how hard these are to read."""
        varying = len(self.varying)
        return len(self.body) + 1.5 + varying * (0.4 + 0.1 * self.times)

    def lines(self, indent: str, taken: set[str]) -> list[str]:
        """The text."""
        varying = self.varying
        variables: dict[tuple[str, ...], str] = {}
        for each in varying:
            variables[each] = free_name(each[0], {*taken, *variables.values()})
        steps = [step for column in self.columns for step in _steps(column)]
        index = free_name("i", {*taken, *variables.values()}) if steps else ""
        ones = Counter(first for first, step in steps if step == 1)
        start = ones.most_common(1)[0][0] if ones else 0
        inside = self._inside(variables, index, start)
        every = [tuple(row) for row in zip(*varying.values(), strict=True)]
        names = list(variables.values())
        head: Node
        if not every:
            ends = [start, start + self.times] if start else [self.times]
            head = Made(Raw("range"), [Raw(str(end)) for end in ends])
            target = index or "_"
        else:
            single = len(names) == 1
            head = Row([row[0] if single else Row(row, "()") for row in every])
            target = names[0] if single else ", ".join(names)
            if index:
                target = f"{index}, {target}" if single else f"{index}, ({target})"
        made = []
        more = [Raw(str(start))] if start else []
        enumerated: Node = Made(Raw("enumerate"), [head, *more]) if index and every else head
        if every and len(f"{indent}for {target} in {in_line(enumerated)}:") > WIDTH:
            table = free_name("rows", taken)
            made += lines(head, indent, f"{table} = ")
            enumerated = Made(Raw("enumerate"), [Raw(table), *more]) if index else Raw(table)
        made += lines(enumerated, indent, f"for {target} in ", ":")
        return [*made, *(line for each in inside for line in each.lines(indent + STEP))]

    def _inside(self, variables: dict[tuple[str, ...], str], index: str, start: int) -> list[Statement]:
        """The statements, with what varies by its name."""
        columns = iter(self.columns)

        def values(statement: Statement) -> Iterator[Node]:
            for value in values_of(statement.node):
                column = next(columns)
                if value.label == "name":
                    yield Raw(_formatted(column, index, start))
                    continue
                known = variables.get((value.label, *map(in_line, column)))
                yield value if known is None else Raw(known)

        return [replace(each, node=replaced(each.node, values(each))) for each in self.body]


def tensor_names() -> Iterator[str]:
    """The names of tensors, in the order in which they are taken."""
    yield from ("x", "y", "z")
    number = 1
    while True:
        yield f"x{number}"
        number += 1


def free_name(label: str, taken: set[str]) -> str:
    """A name that is not taken, as much like a label as may be."""
    stem = re.sub(r"\W|^(?=\d)", "_", label) or "value"
    stem = f"{stem}_" if keyword.iskeyword(stem) else stem
    number, name = 1, stem
    while name in taken:
        number += 1
        name = f"{stem}_{number}"
    return name


def _pieces(name: Any) -> list[str]:
    """A name, cut where its numbers begin and end."""
    return re.split(r"(?<!\d)(0|[1-9]\d*)(?!\d)", str(name))


def _numbered(column: Sequence[Value]) -> int:
    """How many names from the first on are one name with numbers that grow evenly."""
    pieces = [_pieces(each.value) for each in column]
    count = 1
    while count < len(column):
        one, other, first = pieces[count - 1], pieces[count], pieces[0]
        if len(one) != len(other) or one[::2] != other[::2]:
            break
        steps = [int(b) - int(a) for a, b in zip(one[1::2], other[1::2], strict=True)]
        if count == 1:
            known = steps
        even = steps == known and all(step >= 0 for step in steps)
        if not even or (any(steps) and first[::2] != other[::2]):
            break
        count += 1
    return count


def _steps(column: Sequence[Value]) -> list[tuple[int, int]]:
    """The first number and the step of each number of names that grows."""
    if column[0].label != "name":
        return []
    one, other = (_pieces(each.value)[1::2] for each in column[:2])
    return [(int(a), int(b) - int(a)) for a, b in zip(one, other, strict=True) if a != b]


def _formatted(column: Sequence[Value], index: str, start: int) -> str:
    """Names as a text with the number of the repetition in it."""
    if not _steps(column):
        return in_line(column[0])
    one, other = (_pieces(each.value) for each in column[:2])
    made = []
    for place, (a, b) in enumerate(zip(one, other, strict=True)):
        if a == b:
            made.append(in_line(Value("", a))[1:-1].replace("{", "{{").replace("}", "}}"))
            continue
        step = int(b) - int(a)
        assert place % 2
        offset = int(a) - step * start
        times = index if step == 1 else f"{step} * {index}"
        sign = "+" if offset > 0 else "-"
        made.append(f"{{{times}{f' {sign} {abs(offset)}' if offset else ''}}}")
    return f'f"{"".join(made)}"'
