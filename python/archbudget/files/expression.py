"""Expressions over decisions in space files: `$width * 8`, `$padding != 'same' or $kernel < 5`."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from archbudget._expressions import (
    Decision,
    both,
    channels,
    different,
    either,
    equal,
    maximum,
    minimum,
    round_to,
)
from archbudget._message import hint, show
from archbudget.files.places import MisplacedError, made_at

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from archbudget._expressions import Expression
    from archbudget.files.places import KeyPath

MOST_CHARACTERS = 10_000
"""The most characters of an expression."""


@dataclass
class Names:
    """The decisions that expressions may read."""

    decisions: Mapping[str, Decision] = field(default_factory=dict)
    unused: dict[str, Decision] = field(default_factory=dict)
    """Those that no expression has read."""


def read_expression(text: str, at: KeyPath, names: Names) -> Any:
    """The expression of a text.

    Raises:
        MisplacedError: If the text is not an expression, or reads anything but decisions.
    """
    if len(text) > MOST_CHARACTERS:
        raise MisplacedError(at, f"an expression has at most {MOST_CHARACTERS:,} characters, not {len(text):,}")
    try:
        tree = ast.parse(re.sub(r"\$(\w+)", r"_decision_\1", text.strip()), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise MisplacedError(at, f"{show(text)} is not an expression over decisions") from None
    return made_at(at, lambda: _evaluate(tree.body, text, at, names))


def _evaluate(node: ast.expr, text: str, at: KeyPath, names: Names) -> Any:
    operators: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
        ast.Add: lambda a, b: a + b,
        ast.Sub: lambda a, b: a - b,
        ast.Mult: lambda a, b: a * b,
        ast.FloorDiv: lambda a, b: a // b,
    }
    comparisons: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
        ast.LtE: lambda a, b: a <= b,
        ast.Lt: lambda a, b: a < b,
        ast.GtE: lambda a, b: a >= b,
        ast.Gt: lambda a, b: a > b,
        ast.Eq: lambda a, b: _either_way(equal, a, b),
        ast.NotEq: lambda a, b: _either_way(different, a, b),
    }
    functions: dict[str, Callable[..., Any]] = {"min": minimum, "max": maximum, "round_to": round_to}
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        return -_evaluate(node.operand, text, at, names)
    if isinstance(node, ast.Name) and node.id.startswith("_decision_"):
        name = node.id.removeprefix("_decision_")
        if name in names.decisions:
            names.unused.pop(name, None)
            return names.decisions[name]
        if name == "channels":
            return channels()
        raise MisplacedError(at, f"unknown decision ${name}{hint(name, names.decisions)}")
    if isinstance(node, ast.Compare) and all(type(each) in comparisons for each in node.ops):
        # A decision may be compared with any value, such as 'same'.
        sides = [
            side.value if isinstance(side, ast.Constant) else _evaluate(side, text, at, names)
            for side in (node.left, *node.comparators)
        ]
        pairs = zip(node.ops, pairwise(sides), strict=True)
        return reduce(both, [comparisons[type(each)](*pair) for each, pair in pairs])
    if isinstance(node, ast.BoolOp):
        join = both if isinstance(node.op, ast.And) else either
        return reduce(join, [_evaluate(value, text, at, names) for value in node.values])
    if isinstance(node, ast.BinOp) and type(node.op) in operators:
        left, right = (_evaluate(side, text, at, names) for side in (node.left, node.right))
        return operators[type(node.op)](left, right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions:
        return functions[node.func.id](*(_evaluate(arg, text, at, names) for arg in node.args))
    raise MisplacedError(
        at,
        f"{show(text)} uses more than + - * //, min, max, round_to and conditions over decisions and integers",
    )


def _either_way(compare: Callable[[Any, Any], Expression], left: Any, right: Any) -> Expression:
    """A comparison with the decision on the left."""
    return compare(left, right) if isinstance(left, Decision) else compare(right, left)
