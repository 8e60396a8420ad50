"""Expressions over decisions in space files: `$width * 8`, `$padding != 'same' or $kernel < 5`."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from archbudget._expressions import (
    Binary,
    Coded,
    Decision,
    Expression,
    Incoming,
    Mapped,
    Slots,
    Takes,
    both,
    channels,
    compared,
    either,
    maximum,
    minimum,
    round_to,
)
from archbudget._message import hint, show
from archbudget.errors import SpaceError
from archbudget.files.places import MisplacedError, made_at

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from archbudget._expressions import Scalar
    from archbudget.files.places import KeyPath

MOST_CHARACTERS = 10_000
"""The most characters of an expression."""

_TOKEN = re.compile(
    r"""'(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" | \$\{(?P<quoted>(?:[^}\\]|\\.)*)\} | \$(?P<plain>\w+)""", re.X | re.S
)
"""A text, which stays as it is, or the name of a decision."""
_STANDS_FOR = "_decision_"
"""What stands for a name of a decision in Python, behind it its number."""


@dataclass
class Names:
    """The decisions that expressions may read."""

    decisions: Mapping[str, Decision] = field(default_factory=dict)
    unused: dict[str, Decision] = field(default_factory=dict)
    """Those that no expression has read."""


def is_expression(text: str) -> bool:
    """Whether a text is an expression: it has a `$` that is not doubled."""
    return "$" in text.replace("$$", "")


def plain(text: str) -> str:
    """The text that is meant by one that is no expression."""
    return text.replace("$$", "$")


def escaped(text: str) -> str:
    """A text in a file, where it is no expression."""
    return text.replace("$", "$$")


def read_expression(text: str, at: KeyPath, names: Names) -> Any:
    """The expression of a text.

    Raises:
        MisplacedError: If the text is not an expression, or reads anything but decisions.
    """
    if len(text) > MOST_CHARACTERS:
        raise MisplacedError(at, f"an expression has at most {MOST_CHARACTERS:,} characters, not {len(text):,}")
    read: list[str] = []

    def stand_in(found: re.Match[str]) -> str:
        if found["quoted"] is None and found["plain"] is None:
            return found[0]
        read.append(found["plain"] or re.sub(r"\\(.)", r"\1", found["quoted"], flags=re.S))
        return f"{_STANDS_FOR}{len(read) - 1}"

    try:
        tree = ast.parse(_TOKEN.sub(stand_in, text.strip()), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise MisplacedError(at, f"{show(text)} is not an expression over decisions") from None
    return made_at(at, lambda: _Evaluation(text, at, names, read).of(tree.body))


class _Evaluation:
    """The value of the tree of an expression."""

    OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
        ast.Add: lambda a, b: a + b,
        ast.Sub: lambda a, b: a - b,
        ast.Mult: lambda a, b: a * b,
        ast.FloorDiv: lambda a, b: a // b,
        ast.Mod: lambda a, b: a % b,
        ast.Pow: lambda a, b: a**b,
        ast.BitAnd: lambda a, b: a & b,
        ast.BitOr: lambda a, b: a | b,
        ast.BitXor: lambda a, b: a ^ b,
        ast.Div: lambda a, b: a / b,
    }
    COMPARISONS: Mapping[type[ast.cmpop], str] = {
        ast.LtE: "<=",
        ast.Lt: "<",
        ast.GtE: ">=",
        ast.Gt: ">",
        ast.Eq: "==",
        ast.NotEq: "!=",
    }
    FUNCTIONS: Mapping[str, Callable[..., Any]] = {"min": minimum, "max": maximum, "round_to": round_to, "abs": abs}

    def __init__(self, text: str, at: KeyPath, names: Names, read: list[str]) -> None:
        self.text, self.at, self.names, self.read = text, at, names, read

    def of(self, node: ast.expr) -> Any:
        """The value of a part of the tree."""
        if isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
            return node.value
        if isinstance(node, ast.UnaryOp):
            return self._signed(node)
        if isinstance(node, ast.Name) and node.id.startswith(_STANDS_FOR):
            return self._named(self.read[int(node.id.removeprefix(_STANDS_FOR))])
        if isinstance(node, ast.Compare) and all(type(each) in self.COMPARISONS for each in node.ops):
            sides = [self._side(side) for side in (node.left, *node.comparators)]
            pairs = zip(node.ops, pairwise(sides), strict=True)
            return reduce(both, [compared(self.COMPARISONS[type(each)], *pair) for each, pair in pairs])
        if isinstance(node, ast.BoolOp):
            return reduce(both if isinstance(node.op, ast.And) else either, map(self.of, node.values))
        if isinstance(node, ast.BinOp) and type(node.op) in self.OPERATORS:
            return self.OPERATORS[type(node.op)](self.of(node.left), self.of(node.right))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self._called(node, node.func.id)
        raise self._refusal()

    def _refusal(self) -> MisplacedError:
        return MisplacedError(
            self.at,
            f"{show(self.text)} uses more than + - * // % **, min, max, abs, round_to, map and conditions over "
            "decisions and integers",
        )

    def _signed(self, node: ast.UnaryOp) -> Any:
        value = self.of(node.operand)
        if isinstance(node.op, (ast.Not, ast.Invert)):
            if not isinstance(value, Expression):
                raise self._refusal()
            return ~value
        return -value if isinstance(node.op, ast.USub) else +value

    def _named(self, name: str) -> Expression:
        if name in self.names.decisions:
            self.names.unused.pop(name, None)
            return self.names.decisions[name]
        if name == "channels":
            return channels()
        raise MisplacedError(self.at, f"unknown decision ${name}{hint(name, self.names.decisions)}")

    def _side(self, node: ast.expr) -> Any:
        """A side of a comparison: a decision may be compared with any value, such as 'same'."""
        value = _literal(node)
        return self.of(node) if value is None else value[0]

    def _called(self, node: ast.Call, function: str) -> Any:
        if function.startswith(_STANDS_FOR) and self.read[int(function.removeprefix(_STANDS_FOR))] == "channels":
            return channels(*map(self.of, node.args))
        if function == "map" and len(node.args) == 2 and isinstance(node.args[1], ast.Dict):
            return self._mapped(self.of(node.args[0]), node.args[1])
        if function not in self.FUNCTIONS:
            raise self._refusal()
        return self.FUNCTIONS[function](*map(self.of, node.args))

    def _mapped(self, decision: object, table: ast.Dict) -> Expression:
        """What a table has for each value of a decision."""
        if not isinstance(decision, Decision):
            raise self._refusal()
        found: dict[int, Scalar] = {}
        for key, value in zip(table.keys, table.values, strict=True):
            known, given = (None if each is None else _literal(each) for each in (key, value))
            if known is None or given is None:
                raise self._refusal()
            found[decision.index(known[0])] = given[0]
        for index, each in enumerate(decision.values):
            if index not in found:
                raise MisplacedError(self.at, f"map({decision.name}, ...) has nothing for the value {show(each)}")
        values = iter(range(len(decision.values)))
        return decision.map(lambda _: found[next(values)])


def _literal(node: ast.expr) -> tuple[Scalar] | None:
    """A plain value, alone in a tuple; `None` for anything else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _literal(node.operand)
        number = inner is not None and isinstance(inner[0], (int, float)) and not isinstance(inner[0], bool)
        return (-inner[0],) if number else None  # type: ignore[index,operator]
    if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, (bool, int, float, str))):
        return (node.value,)
    return None


_LEVELS = {
    "either": ("or", 1),
    "both": ("and", 2),
    "less": ("<", 4),
    "at_most": ("<=", 4),
    "equal": ("==", 4),
    "different": ("!=", 4),
    "add": ("+", 6),
    "subtract": ("-", 6),
    "multiply": ("*", 7),
    "floor_divide": ("//", 7),
    "modulo": ("%", 7),
    "power": ("**", 9),
}
"""How operators are written, and how strongly they bind."""
_NOT, _COMPARED, _XOR, _ATOM = 3, 4, 5, 10
_CALLED = {"minimum": "min", "maximum": "max", "round_to": "round_to"}


def text_of(expression: Expression, refer: Callable[[Decision], str]) -> str:
    """The text of an expression, from which `read_expression` makes an equal one.

    Args:
        expression: The expression.
        refer: The name of a decision in the file.

    Raises:
        SpaceError: If there is no text for a part of it.
    """
    return _text(expression, refer, 0)


def _text(value: Any, refer: Callable[[Decision], str], least: int) -> str:
    """The text of an expression or a number, in parentheses where it binds less than it must."""
    text, level = _joined(value, refer)
    return text if level >= least else f"({text})"


def _joined(value: Any, refer: Callable[[Decision], str]) -> tuple[str, int]:
    if not isinstance(value, Expression):
        return str(value), _ATOM if value >= 0 else 0
    if isinstance(value, Decision):
        return reference(refer(value)), _ATOM
    if isinstance(value, Takes):
        return f"{reference(refer(value.decision))} {value.sign} {_written(value.value)}", _COMPARED
    if isinstance(value, Mapped) and not isinstance(value, Coded):
        pairs = zip(value.decision.values, value.values_in(Slots()), strict=True)
        table = ", ".join(f"{_written(key)}: {_written(each)}" for key, each in pairs)
        return f"map({reference(refer(value.decision))}, {{{table}}})", _ATOM
    if isinstance(value, Incoming):
        return f"$channels({'' if value.axis == -1 else value.axis})", _ATOM
    if isinstance(value, Binary):
        return _binary(value, refer)
    raise SpaceError(f"a space file has no text for {show(value)}")


def _binary(value: Binary, refer: Callable[[Decision], str]) -> tuple[str, int]:
    left, right = value.left, value.right
    if value.operator in _CALLED:
        return f"{_CALLED[value.operator]}({_text(left, refer, 0)}, {_text(right, refer, 0)})", _ATOM
    coded = [side.decision for side in (left, right) if isinstance(side, Coded)]
    if len(coded) == 2:
        return f"{reference(refer(coded[0]))} {_LEVELS[value.operator][0]} {reference(refer(coded[1]))}", _COMPARED
    flags = [isinstance(side, Expression) and side.is_condition for side in (left, right)]
    if value.operator == "equal" and flags[0] and isinstance(right, int) and right == 0:
        return f"not {_text(left, refer, _NOT)}", _NOT
    if value.operator == "different" and all(flags):
        return f"{_text(left, refer, _XOR)} ^ {_text(right, refer, _XOR + 1)}", _XOR
    if value.operator not in _LEVELS:
        raise SpaceError(f"a space file has no text for {show(value)}")
    sign, level = _LEVELS[value.operator]
    chained = level not in (_COMPARED, _LEVELS["power"][1])  # Comparisons do not chain, and ** groups to the right.
    return f"{_text(left, refer, level + (not chained))} {sign} {_text(right, refer, level + 1)}", level


def _written(value: Scalar) -> str:
    """A plain value."""
    return repr(value).replace("inf", "1e999") if isinstance(value, float) else repr(value)


def reference(name: str) -> str:
    """A decision in an expression."""
    if re.fullmatch(r"\w+", name):
        return f"${name}"
    return "${" + re.sub(r"([\\}])", r"\\\1", name) + "}"
