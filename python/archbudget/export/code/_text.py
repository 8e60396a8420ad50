"""Source text of Python as `ruff format` and Black leave it, at 88 columns and at more.

What does not fit in a line has one item on each, with a comma behind the last one: a formatter keeps such brackets
open, however long its lines may be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WIDTH = 88
"""The longest line."""
STEP = "    "


def heading(costs: Mapping[str, int]) -> str:
    """The first line of a text; where a side of an input is unknown, the multiply-accumulates are, too."""
    macs = f", with {costs['macs']:,} multiply-accumulates" if "macs" in costs else ""
    return f'"""A network of {costs["params"]:,} weights{macs}."""'


@dataclass(frozen=True)
class Raw:
    """Text that stands as it is: a name, or the reference to something."""

    text: str


@dataclass(frozen=True)
class Value:
    """A plain value: a number, a word, `None`, or lists, tuples and dicts of them."""

    label: str
    """What it is called where it varies."""
    value: Any


@dataclass(frozen=True)
class Row:
    """A list, or a tuple."""

    items: Sequence[Node]
    brackets: str = "[]"


@dataclass(frozen=True)
class Made:
    """A call: of a name, or of what another call makes."""

    of: Node
    args: Sequence[Node] = ()
    named: dict[str, Node] = field(default_factory=dict)


@dataclass(frozen=True)
class Own:
    """An attribute of `self`, by its name, which may vary."""

    name: Value | Raw


@dataclass(frozen=True)
class Set:
    """A module that becomes an attribute of `self`."""

    name: Value | Raw
    module: Node


Node = Union[Raw, Value, Row, Made, Own, Set]


def values_of(node: Node) -> Iterator[Value]:
    """The plain values of an expression, in the order of its text."""
    if isinstance(node, Value):
        yield node
    elif isinstance(node, Row):
        for item in node.items:
            yield from values_of(item)
    elif isinstance(node, Made):
        for part in (node.of, *node.args, *node.named.values()):
            yield from values_of(part)
    elif isinstance(node, Own):
        yield from values_of(node.name)
    elif isinstance(node, Set):
        yield from values_of(node.name)
        yield from values_of(node.module)


def replaced(node: Node, values: Iterator[Node]) -> Node:
    """The expression with its plain values replaced, in the order of its text."""
    if isinstance(node, Value):
        return next(values)
    if isinstance(node, Row):
        return Row([replaced(item, values) for item in node.items], node.brackets)
    if isinstance(node, Made):
        of = replaced(node.of, values)
        args = [replaced(arg, values) for arg in node.args]
        return Made(of, args, {name: replaced(each, values) for name, each in node.named.items()})
    if isinstance(node, Own):
        return Own(_named(node.name, values))
    if isinstance(node, Set):
        return Set(_named(node.name, values), replaced(node.module, values))
    return node


def _named(name: Value | Raw, values: Iterator[Node]) -> Value | Raw:
    """The name of an attribute, replaced."""
    made = replaced(name, values)
    assert isinstance(made, (Value, Raw))
    return made


def literal(value: Any) -> str:
    """A plain value as a literal."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{literal(key)}: {literal(each)}' for key, each in value.items())}}}"
    return repr(value)


def quoted(text: str) -> str:
    """A text in double quotes, unless it has such and no single ones."""
    shown = repr(text)
    if shown[0] == '"' or '"' in text:
        return shown
    inside = shown[1:-1].replace("\\'", "'")
    return f'"{inside}"'


def in_line(node: Node) -> str:
    """An expression in one line."""
    if isinstance(node, Raw):
        return node.text
    if isinstance(node, Value):
        return literal(node.value)
    if isinstance(node, Row):
        alone = "," if node.brackets == "()" and len(node.items) == 1 else ""
        return f"{node.brackets[0]}{', '.join(map(in_line, node.items))}{alone}{node.brackets[1]}"
    if isinstance(node, Own):
        name = node.name
        return f"self.{name.value}" if isinstance(name, Value) else f"getattr(self, {name.text})"
    if isinstance(node, Set):
        before, module = _setting(node)
        return before + in_line(module)
    return f"{in_line(node.of)}({', '.join(text for _, text in _arguments(node))})"


def _setting(node: Set) -> tuple[str, Node]:
    """What makes a module an attribute: an assignment, or a call where its name varies."""
    if isinstance(node.name, Value):
        return f"self.{node.name.value} = ", node.module
    return "", Made(Raw("self.add_module"), [node.name, node.module])


def _arguments(node: Made) -> list[tuple[str, str]]:
    """The arguments of a call, each as what stands in front of it and as the whole."""
    named = [(f"{name}=", f"{name}={in_line(each)}") for name, each in node.named.items()]
    return [*(("", in_line(arg)) for arg in node.args), *named]


def lines(node: Node, indent: str = "", before: str = "", after: str = "") -> list[str]:
    """An expression in as many lines as it needs.

    Args:
        node: The expression.
        indent: What its lines begin with.
        before: What stands in front of it in its first line.
        after: What stands behind it in its last line.
    """
    whole = f"{indent}{before}{in_line(node)}{after}"
    if len(whole) <= WIDTH or isinstance(node, Raw):
        return [whole]
    if isinstance(node, Own):
        return [whole]
    if isinstance(node, Set):
        more, module = _setting(node)
        return lines(module, indent, before + more, after)
    if isinstance(node, Value):
        return _value_lines(node.value, indent, before, after)
    if isinstance(node, Row):
        return _opened([("", item) for item in node.items], indent, before + node.brackets[0], node.brackets[1] + after)
    parts = [*(("", arg) for arg in node.args), *((f"{name}=", each) for name, each in node.named.items())]
    if not parts:
        return [whole]
    if isinstance(node.of, Made):
        call = f"({', '.join(text for _, text in _arguments(node))}){after}"
        if len(indent + call) + 1 <= WIDTH and (node.of.args or node.of.named):
            return _split(node.of, indent, before, call)
        head = lines(node.of, indent, before, "(")
        return [*head[:-1], *_opened(parts, indent, head[-1][len(indent) :], f"){after}")]
    return _opened(parts, indent, f"{before}{in_line(node.of)}(", f"){after}")


def _split(node: Made, indent: str, before: str, after: str) -> list[str]:
    """A call with each argument in a line of its own."""
    parts = [*(("", arg) for arg in node.args), *((f"{name}=", each) for name, each in node.named.items())]
    return _opened(parts, indent, f"{before}{in_line(node.of)}(", f"){after}")


def _opened(parts: Sequence[tuple[str, Node]], indent: str, first: str, last: str) -> list[str]:
    """Brackets with each item in a line of its own."""
    inside = [line for name, each in parts for line in lines(each, indent + STEP, name, ",")]
    return [f"{indent}{first}", *inside, f"{indent}{last}"]


def _value_lines(value: Any, indent: str, before: str, after: str) -> list[str]:
    """A plain value that is too long for a line; a text stays in one."""
    if isinstance(value, (list, tuple)) and value:
        start, end = "[]" if isinstance(value, list) else "()"
        return _opened([("", Value("", each)) for each in value], indent, before + start, end + after)
    if isinstance(value, dict) and value:
        pairs = [(f"{literal(key)}: ", Value("", each)) for key, each in value.items()]
        return _opened(pairs, indent, f"{before}{{", f"}}{after}")
    return [f"{indent}{before}{literal(value)}{after}"]
