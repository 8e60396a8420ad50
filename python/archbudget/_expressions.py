"""Hyperparameters as expressions over decisions and tensors.

Decisions and expressions never change, so they are safe to use from several threads. An operation on an expression
makes a new one in constant time, and holds the GIL.
"""

from __future__ import annotations

import operator as operators
from collections.abc import KeysView
from collections.abc import Mapping as MappingABC
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol, Union
from unicodedata import category

import numpy as np

from archbudget import _nested as nested
from archbudget._face import Faced
from archbudget._guard import METHODS, answering, guarded, guards
from archbudget._message import grouped, nearest, one_line, show
from archbudget.errors import ArchbudgetError, CountOverflowError, SpaceError, UnknownArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set

Scalar = Union[int, float, str, bool, None]
"""A value of a decision."""

Lowered = Union[int, float, str, bool, None, list[Any], tuple[Any, ...]]
"""A hyperparameter in the form that the engine takes."""


class Scope(Protocol):
    """The decisions of the program that an expression becomes part of."""

    def position(self, decision: Decision) -> int:
        """The position of a decision in the program."""
        ...

    def values(self, decision: Decision) -> tuple[Scalar, ...]:
        """The values of a decision in the program."""
        ...


DEPTH, TERMS = 200, 10_000
"""The most levels of nested expressions, and the most terms of an expression, where each use counts."""


class Expression(metaclass=Faced):
    """An integer that depends on decisions; operators and comparisons make new expressions.

    `+ - * // % ** abs round` give numbers, `== != < <= > >=` conditions, and `& | ^ ~` join these.
    """

    INTERNAL: ClassVar[tuple[str, ...]] = (
        *("at", "decisions", "depth", "is_condition", "left", "lower", "operator", "parameters", "possible"),
        "reads_input",
        *("replaced", "require_integers", "right", "terms", "text", "values_in"),
    )

    depth: int = 1
    """The levels of nested expressions, including this one."""
    terms: int = 1
    """The number of expressions in it, including itself, where each use counts."""

    __array_ufunc__ = None  # So numpy refuses an array beside an operator, instead of going through it.

    def lower(self, scope: Scope) -> Lowered:
        """The expression in the form that the engine takes. O(terms)."""
        raise NotImplementedError

    def decisions(self) -> Iterator[Decision]:
        """The decisions that the expression reads, once for each use. O(terms)."""
        raise NotImplementedError

    def at(self, taken: Mapping[str, Scalar]) -> Scalar:
        """The value of the expression, given the values of its decisions by name. O(terms).

        Raises:
            SpaceError: If it reads a tensor, or divides by a number that is not positive.
        """
        raise NotImplementedError

    def parameters(self) -> Iterator[Any]:
        """The parameters of a search that it reads beside decisions, each with a `name`, once for each use."""
        return iter(())

    def text(self, names: Mapping[str, str]) -> str:
        """The expression as text. O(terms).

        Args:
            names: The names of its decisions in a space, by their own names.
        """
        del names
        return repr(self)

    @property
    def is_condition(self) -> bool:
        """Whether it is 1 or 0, for true and false."""
        return False

    @property
    def reads_input(self) -> bool:
        """Whether it reads a side of a tensor. O(terms)."""
        return False

    @property
    def possible(self) -> tuple[Any, ...]:
        """The values that it may have, where they can be listed; otherwise only itself."""
        return (False, True) if self.is_condition else (self,)

    def require_integers(self, because: str, *, flags: bool = False) -> None:
        """Refuses an expression that is not a number, or a condition.

        Raises:
            SpaceError: With the reason.
        """

    def __add__(self, other: IntLike) -> Expression:
        return Binary("add", self, other)

    def __radd__(self, other: IntLike) -> Expression:
        return Binary("add", other, self)

    def __sub__(self, other: IntLike) -> Expression:
        return Binary("subtract", self, other)

    def __rsub__(self, other: IntLike) -> Expression:
        return Binary("subtract", other, self)

    def __mul__(self, other: IntLike) -> Expression:
        return Binary("multiply", self, other)

    def __rmul__(self, other: IntLike) -> Expression:
        return Binary("multiply", other, self)

    def __floordiv__(self, other: IntLike) -> Expression:
        return Binary("floor_divide", self, other)

    def __rfloordiv__(self, other: IntLike) -> Expression:
        return Binary("floor_divide", other, self)

    def __mod__(self, other: IntLike) -> Expression:
        return Binary("modulo", self, other)

    def __rmod__(self, other: IntLike) -> Expression:
        return Binary("modulo", other, self)

    def __pow__(self, other: IntLike) -> Expression:
        return Binary("power", self, other)

    def __rpow__(self, other: IntLike) -> Expression:
        return Binary("power", other, self)

    def __neg__(self) -> Expression:
        return Binary("subtract", 0, self)

    def __pos__(self) -> Expression:
        self.require_integers("its sign is asked for", flags=True)
        return self

    def __abs__(self) -> Expression:
        return Binary("maximum", self, -self)

    def __round__(self, digits: int | None = None) -> Expression:
        if digits is not None and _integer(digits) < 0:
            raise SpaceError(f"round({show(self)}, {show(digits)}): write (... + 5) // 10 * 10 to round to tens")
        return +self  # It is an integer.

    def __trunc__(self) -> Expression:
        return +self

    def __floor__(self) -> Expression:
        return +self

    def __ceil__(self) -> Expression:
        return +self

    def __lt__(self, other: object) -> Expression:
        return compared("<", self, other)

    def __gt__(self, other: object) -> Expression:
        return compared(">", self, other)

    def __le__(self, other: object) -> Expression:
        return compared("<=", self, other)

    def __ge__(self, other: object) -> Expression:
        return compared(">=", self, other)

    def __eq__(self, other: object) -> Expression:  # type: ignore[override]
        return compared("==", self, other)

    def __ne__(self, other: object) -> Expression:  # type: ignore[override]
        return compared("!=", self, other)

    __hash__ = object.__hash__
    """Expressions build conditions where they are compared; sets and dicts tell them apart by identity."""

    def __and__(self, other: object) -> Expression:
        return Binary("both", *_conditions("&", self, other))

    def __rand__(self, other: object) -> Expression:
        return Binary("both", *_conditions("&", other, self))

    def __or__(self, other: object) -> Expression:
        return Binary("either", *_conditions("|", self, other))

    def __ror__(self, other: object) -> Expression:
        return Binary("either", *_conditions("|", other, self))

    def __xor__(self, other: object) -> Expression:
        return Binary("different", *_conditions("^", self, other))

    def __rxor__(self, other: object) -> Expression:
        return Binary("different", *_conditions("^", other, self))

    def __invert__(self) -> Expression:
        (condition,) = _conditions("~", self)
        return Binary("equal", condition, 0)

    def __truediv__(self, other: object) -> NoReturn:
        _refuse("/", self, other)

    def __rtruediv__(self, other: object) -> NoReturn:
        _refuse("/", other, self)

    def __divmod__(self, other: object) -> NoReturn:
        _refuse("divmod", self, other)

    def __rdivmod__(self, other: object) -> NoReturn:
        _refuse("divmod", other, self)

    def __lshift__(self, other: object) -> NoReturn:
        _refuse("<<", self, other)

    def __rlshift__(self, other: object) -> NoReturn:
        _refuse("<<", other, self)

    def __rshift__(self, other: object) -> NoReturn:
        _refuse(">>", self, other)

    def __rrshift__(self, other: object) -> NoReturn:
        _refuse(">>", other, self)

    def __matmul__(self, other: object) -> NoReturn:
        _refuse("@", self, other)

    def __rmatmul__(self, other: object) -> NoReturn:
        _refuse("@", other, self)

    __iter__ = None
    """It is one number, and has no items; the values of a decision are in its `values`."""

    def __bool__(self) -> bool:
        raise SpaceError(
            f"{show(self)} is not known before the decisions are taken, so it has no truth value; use OneOf or Repeat "
            "to branch on a decision, both (&), either (|) and ~ to join conditions, minimum and maximum for min and "
            "max, and `is` to ask whether two decisions are the same object"
        )

    def __index__(self) -> int:
        raise SpaceError(f"{show(self)} is not a number before the decisions are taken")

    def __float__(self) -> float:
        raise SpaceError(f"{show(self)} is not a number before the decisions are taken")

    def __format__(self, spec: str) -> str:
        if type(spec) is not str or spec:
            raise SpaceError(
                f"{show(self)} is not a number before the decisions are taken; it has no format {show(spec)}"
            )
        return str(self)


IntLike = Union[int, Expression]
"""An integer, a decision over integers, or an expression."""


@guards(only=METHODS)
@dataclass(frozen=True, eq=False, repr=False)
class Binary(Expression):
    """Two expressions joined by an operator of the engine."""

    operator: str
    left: IntLike
    right: IntLike
    depth: int = field(init=False)
    terms: int = field(init=False)

    def __post_init__(self) -> None:
        within = [side for side in self._sides if isinstance(side, Expression)]
        depth = 1 + max((side.depth for side in within), default=0)
        terms = 1 + sum(side.terms for side in within)
        if depth > DEPTH:
            raise SpaceError(
                f"an expression may be nested at most {DEPTH} deep; a sum of many terms is less deep as a sum of sums"
            )
        if terms > TERMS:
            raise SpaceError(f"an expression may be made up of at most {TERMS:,} expressions; this one has {terms:,}")
        object.__setattr__(self, "depth", depth)
        object.__setattr__(self, "terms", terms)
        for name, side in (("left", self.left), ("right", self.right)):
            if isinstance(side, Expression):
                side.require_integers(f"it is used in {show(self)}", flags=True)
            else:
                object.__setattr__(self, name, _integer(side))

    @property
    def is_condition(self) -> bool:
        """Whether it is 1 or 0, for true and false."""
        return self.operator in CONDITIONS

    @property
    def reads_input(self) -> bool:
        """Whether a side reads a side of a tensor."""
        return any(isinstance(side, Expression) and side.reads_input for side in self._sides)

    def lower(self, scope: Scope) -> Lowered:
        """The expression in the form that the engine takes."""
        return (self.operator, lower(self.left, scope), lower(self.right, scope))

    def decisions(self) -> Iterator[Decision]:
        """The decisions that the expression reads, once for each use."""
        for side in (self.left, self.right):
            if isinstance(side, Expression):
                yield from side.decisions()

    def at(self, taken: Mapping[str, Scalar]) -> Scalar:
        """The value of the expression."""
        left, right = (int(side.at(taken)) if isinstance(side, Expression) else side for side in self._sides)  # type: ignore[arg-type]
        if self.operator in ("floor_divide", "modulo", "round_to") and right <= 0:
            raise SpaceError(f"{show(self)} divides {show(left)} by {show(right)}, which is not positive")
        if self.operator == "power" and right < 0:
            raise SpaceError(f"{show(self)} raises {show(left)} to {show(right)}, which is negative")
        if self.operator == "power" and left.bit_length() * right > MOST_POWER:
            raise CountOverflowError(f"{show(self)} raises {show(left)} to {show(right)}, which is beyond 63 bits")
        value = OPERATORS[self.operator](left, right)
        return value != 0 if self.is_condition else value

    def text(self, names: Mapping[str, str]) -> str:
        """The expression as text, with the names of its decisions in a space."""
        return self._joined(*(side.text(names) if isinstance(side, Expression) else show(side) for side in self._sides))

    def __repr__(self) -> str:
        return self._joined(*(repr(side) if isinstance(side, Expression) else show(side) for side in self._sides))

    @property
    def _sides(self) -> tuple[IntLike, IntLike]:
        return (self.left, self.right)

    def _joined(self, left: str, right: str) -> str:
        sign = SIGNS.get(self.operator)
        return f"({left} {sign} {right})" if sign else f"{self.operator}({left}, {right})"


MOST_POWER = 1 << 12
"""The most bits that a power is worked out with outside of the engine."""

SIGNS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "floor_divide": "//",
    "modulo": "%",
    "power": "**",
    "less": "<",
    "at_most": "<=",
}
"""The operators that are written between their sides."""

CONDITIONS = frozenset(["less", "at_most", "equal", "different", "both", "either"])
"""The operators that say whether something holds."""


def _rounded(value: int, divisor: int) -> int:
    nearest = max((value + divisor // 2) // divisor * divisor, divisor)
    return nearest + divisor if nearest * 10 < value * 9 else nearest


OPERATORS: Mapping[str, Callable[[int, int], int]] = {
    "add": operators.add,
    "subtract": operators.sub,
    "multiply": operators.mul,
    "floor_divide": operators.floordiv,
    "modulo": operators.mod,
    "power": operators.pow,
    "minimum": min,
    "maximum": max,
    "round_to": _rounded,
    "at_most": lambda left, right: int(left <= right),
    "less": lambda left, right: int(left < right),
    "equal": lambda left, right: int(left == right),
    "different": lambda left, right: int(left != right),
    "both": lambda left, right: int(left != 0 and right != 0),
    "either": lambda left, right: int(left != 0 or right != 0),
}
"""The functions of the engine's operators."""


def builtin(value: object) -> object:
    """A number of numpy, or of a class derived from Python's, as one of Python; anything else as it is."""
    if isinstance(value, np.generic):
        return value.item()
    if type(value) in (bool, int, float):
        return value
    if isinstance(value, int):
        return int.__index__(value)
    return float.__float__(value) if isinstance(value, float) else value


def _integer(value: object) -> int:
    """A plain integer in an expression; 8.0 is 8."""
    value = builtin(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        because = ""
        if isinstance(value, float):
            because = "; multiply and divide by integers, as in width * 3 // 4, or use decision.map(function)"
        raise SpaceError(f"an expression is made of integers and decisions, not {show(value)}{because}")
    return value


def _conditions(sign: str, *sides: object) -> tuple[Expression, ...]:
    """The sides of a sign that joins conditions."""
    for side in sides:
        if not isinstance(side, Expression) or not side.is_condition:
            raise SpaceError(
                f"{sign} joins conditions such as (width > 8), not {show(side)}; put each comparison into parentheses"
            )
    return sides  # type: ignore[return-value]


def _refuse(sign: str, left: object, right: object) -> NoReturn:
    instead = {
        "/": "write // for the quotient rounded down, or decision.map(function) for another number",
        "divmod": "write // for the quotient and % for the rest",
        "<<": "write * 2 ** n",
        ">>": "write // 2 ** n",
        "@": "write * for the product",
    }[sign]
    raise SpaceError(f"{show(left)} {sign} {show(right)}: expressions are integers; {instead}")


@dataclass(frozen=True, eq=False, repr=False)
class Mapped(Expression):
    """A number, or another hyperparameter, for each value of a decision."""

    decision: Decision
    table: Mapping[object, Scalar]

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", nested.FrozenDict(self.table))

    @property
    def is_condition(self) -> bool:
        """Whether it is 1 or 0, for true and false."""
        return all(isinstance(value, bool) for value in self.table.values())

    def require_integers(self, because: str, *, flags: bool = False) -> None:
        """Refuses a table of anything but integers, or but flags where these stand for 1 and 0.

        Raises:
            SpaceError: With the reason.
        """
        _require_integers(f"{show(self)} must give integers", self.table.values(), because, flags=flags)

    @property
    def possible(self) -> tuple[Any, ...]:
        """The values of the table."""
        return tuple(self.table.values())

    def values_in(self, scope: Scope) -> tuple[Scalar, ...]:
        """What it is for each value of the decision in a program."""
        return tuple(self.table[_key(value)] for value in scope.values(self.decision))

    def replaced(self, function: Callable[[Any], Scalar]) -> Mapped:
        """The table with a function applied to its values."""
        return Mapped(self.decision, {key: function(value) for key, value in self.table.items()})

    def lower(self, scope: Scope) -> Lowered:
        """The expression in the form that the engine takes."""
        return ("mapped", scope.position(self.decision), list(self.values_in(scope)))

    def decisions(self) -> Iterator[Decision]:
        """The decision."""
        yield self.decision

    def at(self, taken: Mapping[str, Scalar]) -> Scalar:
        """The value of the expression."""
        return self.table[_key(self.decision.at(taken))]

    def text(self, names: Mapping[str, str]) -> str:
        """The expression as text, with the name of its decision in a space."""
        return f"map({self.decision.text(names)})"

    def __repr__(self) -> str:
        values = ", ".join(f"{value!r}: {self.table[_key(value)]!r}" for value in self.decision.values[:8])
        return f"map({self.decision.name}, {{{values}{', ...' if len(self.table) > 8 else ''}}})"


@dataclass(frozen=True, eq=False, repr=False)
class Takes(Mapped):
    """A condition on the value of a decision: whether it is one value, or above or below a number."""

    sign: str
    value: Scalar

    def text(self, names: Mapping[str, str]) -> str:
        """The condition as text, with the name of its decision in a space."""
        return self._joined(self.decision.text(names))

    def __repr__(self) -> str:
        return self._joined(repr(self.decision))

    def _joined(self, decision: str) -> str:
        if self.sign in ("==", "!="):
            return f"{'equal' if self.sign == '==' else 'different'}({decision}, {self.value!r})"
        return f"({decision} {self.sign} {self.value!r})"


@dataclass(frozen=True, eq=False, repr=False)
class Coded(Mapped):
    """The number of the value of a decision, among the values that it is compared with."""

    def text(self, names: Mapping[str, str]) -> str:
        """The name of the decision in a space."""
        return self.decision.text(names)

    def __repr__(self) -> str:
        return repr(self.decision)


@dataclass(frozen=True, eq=False, repr=False)
class Incoming(Expression):
    """A side of the input of the layer that uses it."""

    axis: int

    @property
    def reads_input(self) -> bool:
        """It does."""
        return True

    def lower(self, scope: Scope) -> Lowered:
        """The expression in the form that the engine takes."""
        del scope
        return ("incoming", self.axis, None)

    def decisions(self) -> Iterator[Decision]:
        """No decisions."""
        return iter(())

    def at(self, taken: Mapping[str, Scalar]) -> Scalar:
        """Refuses, as there is no tensor.

        Raises:
            SpaceError: Always.
        """
        del taken
        raise SpaceError(f"{show(self)} reads the input of a layer, but stands beside no layer")

    def __repr__(self) -> str:
        return "channels()" if self.axis == -1 else f"channels(axis={self.axis})"


@guarded
def channels(axis: int = -1) -> Expression:
    """The channels of the input of the layer that uses the expression.

    Args:
        axis: The axis of the channels, without the batch axis: -1, the last one, for `channels_last`, and 0 for
            `channels_first`.

    Raises:
        SpaceError: If `axis` is not an integer below 2^63.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> double = layers.Conv2D(ab.channels() * 2, 1)
        >>> ab.Space([layers.Input((8, 8, 3)), double]).architecture().layers[-1].output_shape
        (8, 8, 6)
    """
    if isinstance(axis, bool) or not isinstance(axis, (int, np.integer)):
        raise SpaceError(f"channels: axis must be an integer, not {show(axis)}")
    if not -(2**63) < axis < 2**63:
        raise SpaceError(f"channels: axis={show(axis)} is no axis of any tensor")
    return Incoming(int(axis))


@guarded
def minimum(left: IntLike, right: IntLike, *others: IntLike) -> Expression:
    """The smallest of two or more expressions.

    Raises:
        SpaceError: If a side is not an integer or an expression.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> width = ab.Choice("width", [16, 64])
        >>> space = ab.Space([layers.Input((4,)), layers.Dense(ab.minimum(width * 2, 100))])
        >>> [space.architecture(width=width).layers[-1].output_shape for width in (16, 64)]
        [(32,), (100,)]
    """
    return _joined("minimum", left, right, *others)


@guarded
def maximum(left: IntLike, right: IntLike, *others: IntLike) -> Expression:
    """The largest of two or more expressions.

    Raises:
        SpaceError: If a side is not an integer or an expression.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> width = ab.Choice("width", [16, 64])
        >>> space = ab.Space([layers.Input((4,)), layers.Dense(ab.maximum(width, 32))])
        >>> [space.architecture(width=width).layers[-1].output_shape for width in (16, 64)]
        [(32,), (64,)]
    """
    return _joined("maximum", left, right, *others)


@guarded
def equal(left: IntLike | Scalar, right: IntLike | Scalar) -> Expression:
    """1 where both are equal, otherwise 0: the condition `left == right`.

    Args:
        left: An integer, an expression, or a decision.
        right: The same. One of them may be a value of the other, which is a decision then, of any type; two decisions
            may be compared whatever their values are.

    Raises:
        SpaceError: If a side is neither an integer nor an expression, nor a value of the decision on the other side.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> norm = ab.Choice("norm", ["none", "batch"])
        >>> space = ab.Space([layers.Input((4,)), layers.Dense(8, use_bias=ab.equal(norm, "none"))])
        >>> [space.architecture(norm=norm).params for norm in ("none", "batch")]
        [40, 32]
    """
    return compared("==", left, right)


@guarded
def different(left: IntLike | Scalar, right: IntLike | Scalar) -> Expression:
    """1 where both are different, otherwise 0: the condition `left != right`.

    Args:
        left: An integer, an expression, or a decision.
        right: The same. One of them may be a value of the other, which is a decision then, of any type; two decisions
            may be compared whatever their values are.

    Raises:
        SpaceError: If a side is neither an integer nor an expression, nor a value of the decision on the other side.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> norm = ab.Choice("norm", ["none", "batch"])
        >>> space = ab.Space([layers.Input((4,)), layers.Dense(8, use_bias=ab.different(norm, "batch"))])
        >>> [space.architecture(norm=norm).params for norm in ("none", "batch")]
        [40, 32]
    """
    return compared("!=", left, right)


MIRRORED = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
"""The sign of a comparison with its sides exchanged."""

COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operators.eq,
    "!=": operators.ne,
    "<": operators.lt,
    ">": operators.gt,
    "<=": operators.le,
    ">=": operators.ge,
}


@guarded
def compared(sign: str, left: object, right: object) -> Expression:
    """The condition that a comparison holds.

    Raises:
        SpaceError: If the sides cannot be compared.
    """
    if not isinstance(left, Expression) and isinstance(right, Expression):
        left, right, sign = right, left, MIRRORED[sign]
    if isinstance(left, Decision) and not isinstance(right, Expression):
        right = builtin(right)
        if not (left.is_integer and _is_number(right) and right == int(right)):  # type: ignore[call-overload]
            return _taken(sign, left, right)
    if isinstance(left, Decision) and isinstance(right, Decision) and not (left.is_integer and right.is_integer):
        left, right = _coded(sign, left, right)
    if sign in ("==", "!="):
        return Binary("equal" if sign == "==" else "different", left, right)  # type: ignore[arg-type]
    if sign in (">", ">="):
        left, right = right, left
    return Binary("less" if sign in ("<", ">") else "at_most", left, right)  # type: ignore[arg-type]


def _is_number(value: object) -> bool:
    """Whether it is a finite number, which True is not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf")


def _taken(sign: str, decision: Decision, value: object) -> Expression:
    """The comparison of a decision with a value."""
    if sign in ("==", "!="):
        taken = decision.values[decision.index(value)]
        table = {_key(each): (_key(each) == _key(taken)) == (sign == "==") for each in decision.values}
        return Takes(decision, table, sign, taken)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value != value:
        raise SpaceError(f"decision '{decision.name}' is compared with {show(value)} by {sign}, which is no number")
    table = {_key(each): COMPARE[sign](each, value) for each in _numbers(decision, f"{sign} {show(value)}")}
    return Takes(decision, table, sign, value)


def _coded(sign: str, left: Decision, right: Decision) -> tuple[Expression, Expression]:
    """Numbers for the values of two decisions that compare as the values do."""
    values = (*left.values, *right.values)
    if sign in ("==", "!="):
        if left.keys.isdisjoint(right.keys) and not all(map(_is_number, values)):
            raise SpaceError(
                f"decisions '{left.name}' and '{right.name}' have no value in common, so {sign} decides nothing: "
                f"{show(left)} and {show(right)}"
            )
        codes = {key: number for number, key in enumerate(dict.fromkeys(map(_kind, values)))}
    else:
        for decision in (left, right):
            _numbers(decision, f"compared by {sign}")
        codes = {_kind(value): number for number, value in enumerate(sorted(values))}
    first, second = ({_key(each): codes[_kind(each)] for each in side.values} for side in (left, right))
    return Coded(left, first), Coded(right, second)


def _kind(value: Scalar) -> object:
    """What equal values have in common: 1 and 1.0 are equal, True is another value."""
    return (bool if isinstance(value, bool) else None, value)


def _numbers(decision: Decision, because: str) -> tuple[Scalar, ...]:
    """The values of a decision over numbers."""
    for value in decision.values:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise SpaceError(f"decision '{decision.name}' must have numbers as values ({because}), not {show(value)}")
    return decision.values


@guarded
def both(left: IntLike, right: IntLike, *others: IntLike) -> Expression:
    """1 where all conditions hold, otherwise 0; a condition holds where it is not 0. `left & right` is the same.

    Raises:
        SpaceError: If a side is not an integer or an expression.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> a, b = ab.Int("a", 1, 4), ab.Int("b", 1, 4)
        >>> ab.Space([layers.Input((4,)), layers.Dense(a), layers.Dense(b)], constraints=[ab.both(a < b, b < 4)]).size
        3
    """
    return _joined("both", left, right, *others)


@guarded
def either(left: IntLike, right: IntLike, *others: IntLike) -> Expression:
    """1 where at least one of some conditions holds, otherwise 0; a condition holds where it is not 0.

    `left | right` is the same.

    Raises:
        SpaceError: If a side is not an integer or an expression.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> a, b = ab.Int("a", 1, 4), ab.Int("b", 1, 4)
        >>> rows = [layers.Input((4,)), layers.Dense(a), layers.Dense(b)]
        >>> ab.Space(rows, constraints=[ab.either(a == 1, b == 1)]).size
        7
    """
    return _joined("either", left, right, *others)


def _joined(operator: str, *sides: IntLike) -> Expression:
    """Two or more sides joined by an operator for which their order and grouping do not matter."""
    if len(sides) == 2:
        return Binary(operator, *sides)
    middle = (len(sides) + 1) // 2
    halves = (part[0] if len(part) == 1 else _joined(operator, *part) for part in (sides[:middle], sides[middle:]))
    return Binary(operator, *halves)


def as_condition(value: object, *, reads_input: bool = False) -> Expression:
    """The condition of a constraint, which may read the sides of a tensor or not.

    Raises:
        SpaceError: If it is not an expression, reads no decision, or is a number other than 0 and 1.
    """
    if not isinstance(value, Expression):
        raise SpaceError(f"a constraint is a condition over decisions such as width1 <= width2, not {show(value)}")
    if not (reads_input and value.reads_input) and not any(True for _ in value.decisions()):
        raise SpaceError(f"the constraint {show(value)} reads no decision")
    value.require_integers("it is used as a condition", flags=True)
    if not _holds_or_not(value):
        written = as_written(value, {})
        raise SpaceError(f"the constraint {written} is a number, not a condition; compare it, as in {written} <= 8")
    return value


def _holds_or_not(value: object) -> bool:
    """Whether a value is made of conditions, and of numbers that are 1 or 0, alone, so that it says what holds."""
    if not isinstance(value, Expression):
        return value in (0, 1)
    if value.is_condition:
        return True
    if isinstance(value, Binary):
        if value.operator == "modulo":
            return isinstance(value.right, int) and value.right in (1, 2)
        joins = value.operator in ("add", "multiply", "minimum", "maximum")
        return joins and _holds_or_not(value.left) and _holds_or_not(value.right)
    return all(not isinstance(each, Expression) and each in (0, 1) for each in value.possible)


def as_written(condition: Expression, names: Mapping[str, str]) -> str:
    """A condition as text without outer parentheses, with the names of its decisions in a space."""
    text = condition.text(names)
    return text[1:-1] if text.startswith("(") else text


@guarded
def round_to(value: IntLike, divisor: IntLike = 8) -> Expression:
    """The multiple of `divisor` nearest to `value`, at least `divisor`, and never below nine tenths of `value`.

    This is `make_divisible` of the MobileNet papers.

    Raises:
        SpaceError: If a side is not an integer or an expression.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> width = ab.Choice("width", [20, 30])
        >>> space = ab.Space([layers.Input((4,)), layers.Dense(ab.round_to(width * 3, 8))])
        >>> [space.architecture(width=width).layers[-1].output_shape for width in (20, 30)]
        [(64,), (88,)]
    """
    return Binary("round_to", value, divisor)


@guards(only=(*METHODS, "map"))
class Decision(Expression):
    """An open choice. Using the same object twice, or the same name with the same values, ties the uses.

    A decision never changes, so it is safe to use from several threads.
    """

    INTERNAL: ClassVar[tuple[str, ...]] = ("is_integer", "is_one", "keys", "narrowed")

    is_one: ClassVar[bool] = False
    """Whether it is the same decision in each repetition."""

    name: str

    @property
    def values(self) -> tuple[Any, ...]:
        """The values, in the order of their indices."""
        raise NotImplementedError

    def index(self, value: object) -> int:
        """The index of a value. O(1). An integer may be given as a float, and the reverse; a truth value is no number.

        Raises:
            SpaceError: If it is not one of the values.
        """
        try:
            # Most values are an integer.
            return self._indices[(float, value) if type(value) is int else _key(value)]
        except Exception:  # A value may raise anything when it is compared.
            words = (each for each in self.values if isinstance(each, str))
            meant = nearest(value, words) if isinstance(value, str) else None
            asked = "" if meant is None else f"; did you mean {meant}?"
            raise SpaceError(
                f"{show(value)} is not a value of decision '{self.name}', which is {show(self)}{asked}"
            ) from None

    @property
    def keys(self) -> Set[object]:
        """The keys that distinguish its values: 1 is 1.0, and True is neither."""
        return self._indices.keys()

    _indices: dict[object, int]

    def map(self, function: Callable[[Any], Scalar] | Mapping[Any, Scalar]) -> Expression:
        """What a function returns for the taken value: an integer for any use in shapes, a flag, a word or `None`.

        Args:
            function: A function of a value; it is called once for each value, and not kept. Or a mapping, such as
                `{1: "valid", 3: "same"}`, with an entry for each value and no others.

        Raises:
            SpaceError: If it returns anything but an int, float, bool, str or `None`, or fails, or a mapping lacks a
                value, or has what is none.

        Example:
            >>> import archbudget as ab
            >>> from archbudget import layers
            >>> share = ab.Choice("share", [0.25, 0.5, 1.0])
            >>> space = ab.Space([layers.Input((8,)), layers.Dense(share.map(lambda value: round(64 * value)))])
            >>> space.architecture(share=0.5).params
            288
        """
        table: dict[object, Scalar] = {}
        take = self._entry_of(function) if isinstance(function, MappingABC) else function
        for value in self.values:
            try:
                given = take(value)
            except ArchbudgetError:
                raise
            except Exception as error:
                raise SpaceError(
                    f"decision '{self.name}': map failed for {show(value)}: {type(error).__name__}: {one_line(error)}"
                ) from error
            if isinstance(given, np.generic):
                given = given.item()
            if given is not None and not isinstance(given, (bool, int, float, str)):
                raise SpaceError(
                    f"decision '{self.name}': map must return an int, float, bool, str or None, not {show(given)} for "
                    f"{show(value)}"
                )
            table[_key(value)] = given
        return Mapped(self, table)

    def _entry_of(self, entries: Mapping[Any, Scalar]) -> Callable[[Any], Scalar]:
        """What a mapping has for a value."""
        found = {self.index(key): entries[key] for key in entries}
        for index, value in enumerate(self.values):
            if index not in found:
                raise SpaceError(f"decision '{self.name}': map has nothing for its value {show(value)}")
        return lambda value: found[self.index(value)]

    def require_integers(self, because: str, *, flags: bool = False) -> None:
        """Refuses a decision over anything but integers, or but flags where these stand for 1 and 0.

        Raises:
            SpaceError: With the reason.
        """
        _require_integers(f"decision '{self.name}' must have integer values", self.values, because, flags=flags)

    @property
    def possible(self) -> tuple[Any, ...]:
        """The values."""
        return self.values

    def values_in(self, scope: Scope) -> tuple[Scalar, ...]:
        """Its values in a program."""
        return scope.values(self)

    def replaced(self, function: Callable[[Any], Scalar]) -> Mapped:
        """The hyperparameter that a function returns for the taken value, such as a word or `None`."""
        return Mapped(self, {_key(value): function(value) for value in self.values})

    @property
    def is_condition(self) -> bool:
        """Whether it is a decision over flags."""
        return all(isinstance(value, bool) for value in self.values)

    @property
    def is_integer(self) -> bool:
        """Whether all its values are integers."""
        return all(isinstance(value, int) and not isinstance(value, bool) for value in self.values)

    @property
    def step(self) -> int | None:
        """The distance of its values, if they are integers in an ascending arithmetic progression; otherwise `None`."""
        values = self.values
        if len(values) < 2 or not self.is_integer:
            return None
        step = values[1] - values[0]
        if step > 0 and values == tuple(range(values[0], values[-1] + 1, step)):
            return int(step)
        return None

    def narrowed(self, name: str, values: Iterable[object] | None = None) -> Choice:
        """The decision with another name, and with some of its values, in their order; with all of them by default.

        An `Int` stays one if the remaining values are consecutive.

        Raises:
            SpaceError: If a value is not among those of the decision.
        """
        if values is not None and name != self.name:
            return self.narrowed(name).narrowed(name, values)
        kept = range(len(self.values)) if values is None else sorted({self.index(value) for value in values})
        left = [self.values[index] for index in kept]
        if isinstance(self, Int) and kept[-1] - kept[0] == len(kept) - 1:
            return _int(name, left[0], left[-1], self.step or 1)
        return Choice(name, left)

    def lower(self, scope: Scope) -> Lowered:
        """The decision in the form that the engine takes."""
        return ("decision", scope.position(self), scope.values(self))

    def decisions(self) -> Iterator[Decision]:
        """The decision itself."""
        yield self

    def at(self, taken: Mapping[str, Scalar]) -> Scalar:
        """The taken value."""
        try:
            return taken[self.name]
        except Exception:  # A mapping may raise anything.
            raise SpaceError(f"no value is given for decision '{self.name}'") from None

    def text(self, names: Mapping[str, str]) -> str:
        """The name of the decision in a space."""
        return names.get(self.name, self.name)

    def _set(self, name: str, values: Iterable[object]) -> None:
        try:
            given = tuple(islice(values, MOST_VALUES + 1))
        except Exception as error:  # An iterable may raise anything.
            raise SpaceError(
                f"decision '{name}': its values cannot be read: {type(error).__name__}: {one_line(error)}"
            ) from error
        if not given:
            raise SpaceError(f"decision '{name}' has no values; it needs at least one")
        if len(given) > MOST_VALUES:
            raise SpaceError(f"decision '{name}' has more than {MOST_VALUES:,} values, the most that are supported")
        plain = tuple(_plain(name, value) for value in given)
        indices = {_key(value): index for index, value in reversed(list(enumerate(plain)))}
        if len(indices) < len(plain):
            twice = next(value for index, value in enumerate(plain) if indices[_key(value)] != index)
            raise SpaceError(f"decision '{name}' has the value {show(twice)} twice")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "_values", plain)
        object.__setattr__(self, "_indices", indices)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a decision cannot be changed ({name})")

    def __reduce__(self) -> tuple[Any, ...]:
        return (Choice, (self.name, self.values))


def _require_integers(what: str, values: Iterable[Scalar], because: str, *, flags: bool) -> None:
    """Refuses values that are not all integers, nor all flags where these stand for 1 and 0."""
    given = tuple(values)
    if flags and all(isinstance(value, bool) for value in given):
        return
    for value in given:
        if isinstance(value, bool) or not isinstance(value, int):
            raise SpaceError(f"{what} ({because}), not {show(value)}")


MOST_VALUES = 1 << 20

MOST_NAME = 256
"""The most characters of a name."""


def require_name(name: object, start: str) -> str:
    """The name, if every file and every message can hold it.

    Args:
        name: The name.
        start: The start of the message.

    Raises:
        SpaceError: If it is not a str, or empty, too long, or of characters that cannot be written.
    """
    if not isinstance(name, str) or not name:
        raise SpaceError(f"{start} a non-empty str, not {show(name)}")
    if len(name) > MOST_NAME:
        raise SpaceError(f"{start} a str of at most {MOST_NAME} characters, not {show(name)}")
    if any(category(each) in ("Cc", "Cs") for each in name):
        raise SpaceError(f"{start} a str without control characters and lone surrogates, not {show(name)}")
    return name


def _unboxed(value: object) -> object:
    """A number, a flag or a text of numpy as one of Python; anything else as it is."""
    return value.item() if isinstance(value, np.generic) and value.dtype.kind in "biufU" else value


def _key(value: object) -> object:
    """The key of a value, equal for the same values: 1 is 1.0, and True is neither; numpy's numbers are Python's."""
    kind = type(value)
    if kind is int or kind is str:  # As nearly always.
        return (float if kind is int else kind, value)
    value = _unboxed(value)
    kind = type(value)
    return (float if kind is int else kind, value)


def _plain(name: str, value: object) -> Scalar:
    value = _unboxed(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if any("\ud800" <= each <= "\udfff" for each in value):
            raise SpaceError(f"decision '{name}' has the value {show(value)}, which holds a lone surrogate")
        return value
    if isinstance(value, int):
        if not -(2**63) < value < 2**63:
            raise CountOverflowError(
                f"decision '{name}': {show(value)} does not fit into 63 bits, the range counted exactly"
            )
        return value
    if isinstance(value, float):
        if value != value:
            raise SpaceError(f"decision '{name}' has the value nan, which is not equal to itself")
        return value
    raise SpaceError(
        f"decision '{name}' has the value {show(value)}; a value is an int, float, str, bool or None (OneOf chooses "
        "among layers, and each side of a tuple may be a decision)"
    )


@guards(only=METHODS)
class Choice(Decision):
    """A decision for one of several values.

    Args:
        name: The name, unique in a space among decisions with other values.
        values: The values, at least one, all different. Wherever the choice touches a shape or a cost, they must be
            integers, or arguments that the layer knows.

    Raises:
        SpaceError: If there are no values, two are equal (1 is 1.0, and True is neither), or one is not an int, float,
            str, bool or None.
        CountOverflowError: If an integer does not fit into 63 bits.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> kernel = ab.Choice("kernel", [3, 5, 7])
        >>> ab.Space([layers.Input((8, 8, 1)), layers.Conv2D(4, kernel)]).size
        3
    """

    def __init__(self, name: str, values: Iterable[object]) -> None:
        require_name(name, "a decision needs a name,")
        try:
            iterator = iter(() if isinstance(values, (str, bytes)) else values)
        except Exception:  # An iterable may raise anything.
            iterator = None
        if isinstance(values, AbstractSet) and not isinstance(values, KeysView):
            raise SpaceError(
                f"decision '{name}' needs its values in an order, and {show(values)} has none: another process may see "
                "another one; give a list, such as sorted(values)"
            )
        if iterator is None or isinstance(values, (str, bytes)):
            raise SpaceError(f"decision '{name}' needs a sequence of values, not {show(values)}")
        if isinstance(values, range) and (size := _size(values)) > MOST_VALUES:
            raise SpaceError(f"decision '{name}' has {grouped(size)} values; at most {MOST_VALUES:,} are supported")
        self._set(name, iterator)

    @property
    def values(self) -> tuple[Any, ...]:
        """The values, in the order of their indices."""
        return self._values

    _values: tuple[Scalar, ...]

    def __repr__(self) -> str:
        values = ", ".join(repr(value) for value in self.values[:8])
        return f"Choice({self.name!r}, [{values}{', ...' if len(self.values) > 8 else ''}])"


def _refuse_log(args: Sequence[object], named: Mapping[str, object]) -> None:
    """Answers the option of Optuna that an `Int` does not have.

    Raises:
        UnknownArgumentError: With what to do instead.
    """
    if "log" in named:
        name = show(args[1] if len(args) > 1 else "units")
        raise UnknownArgumentError(
            f"an Int has no log: its values are steps apart; Choice({name}, [1, 2, 4, 8]) has the values of a scale"
        )


@guards(only=METHODS)
class Int(Choice):
    """A decision for an integer from `low` to `high`, both included.

    Args:
        name: The name, unique in a space among decisions with other values.
        low: The smallest value.
        high: The largest value, which steps from `low` must reach.
        step: The distance between values.

    Raises:
        SpaceError: If `low` exceeds `high`, `step` is not positive, or does not reach `high`, or an argument is not an
            integer.
        CountOverflowError: If a value does not fit into 63 bits.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> units = ab.Int("units", 16, 64, step=16)
        >>> list(units.values)
        [16, 32, 48, 64]
        >>> ab.Space([layers.Input((8,)), layers.Dense(units)]).range("params")
        (144, 576)
    """

    @answering(_refuse_log)
    def __init__(self, name: str, low: int, high: int, *, step: int = 1) -> None:
        require_name(name, "a decision needs a name,")
        for what, given in (("low", low), ("high", high), ("step", step)):
            if isinstance(given, bool) or not isinstance(given, (int, np.integer)):
                raise SpaceError(f"decision '{name}': {what} must be an integer, not {show(given)}")
        if step < 1:
            raise SpaceError(f"decision '{name}': step must be at least 1, not {show(step)}")
        if low > high:
            raise SpaceError(f"decision '{name}': low={show(low)} exceeds high={show(high)}")
        if beyond := (int(high) - int(low)) % int(step):
            last = int(high) - beyond
            raise SpaceError(
                f"decision '{name}': steps of {show(step)} from {show(low)} do not reach high={show(high)}; write "
                f"high={show(last)} or high={show(last + int(step))}"
            )
        super().__init__(name, range(int(low), int(high) + 1, int(step)))

    def __reduce__(self) -> tuple[Any, ...]:
        return (_int, (self.name, self.values[0], self.values[-1], self.step or 1))

    def __repr__(self) -> str:
        low, high = self.values[0], self.values[-1]
        step = f", step={self.step}" if (self.step or 1) > 1 else ""
        return f"Int({self.name!r}, {low}, {high}{step})"


def _size(values: range) -> int:
    """The number of values; `len` fails beyond 2^63."""
    return max(0, (values.stop - values.start + values.step + (-1 if values.step > 0 else 1)) // values.step)


def _int(name: str, low: int, high: int, step: int) -> Int:
    return Int(name, low, high, step=step)


def lower(value: object, scope: Scope) -> Lowered:
    """A hyperparameter in the form that the engine takes."""
    if isinstance(value, Expression):
        return value.lower(scope)
    if isinstance(value, (list, tuple)):
        return [lower(item, scope) for item in value]
    return value  # type: ignore[return-value]


MOST_ITEMS = 100_000
"""The most items of a hyperparameter, including those of nested lists."""


def require_few(value: object, what: str) -> None:
    """Refuses a hyperparameter of endless lists, or of more items than can be processed.

    Raises:
        SpaceError: If it is one.
    """
    waiting, number = [value], 0
    while waiting:
        each = waiting.pop()
        items = nested.items(each) or ()
        number += len(items)
        if number > MOST_ITEMS:
            raise SpaceError(f"{what} has more than {MOST_ITEMS:,} items, with the lists within it: {show(value)}")
        waiting.extend(items)


def possible(value: object) -> tuple[Any, ...]:
    """The values that a hyperparameter may have; an expression whose values cannot be listed stands for itself."""
    return value.possible if isinstance(value, Expression) else (value,)


def tied(first: Decision, second: Decision) -> bool:
    """Whether two decisions are one: they have one name and the same values."""
    return first is second or (
        first.name == second.name and first.keys == second.keys and first.values == second.values
    )


def decisions_in(value: object) -> Iterator[Decision]:
    """The decisions that a hyperparameter reads, once for each use."""
    for leaf in nested.leaves(value):
        if isinstance(leaf, Expression):
            yield from leaf.decisions()


def parameters_in(value: object) -> Iterator[Any]:
    """The parameters of a search that a hyperparameter reads, once for each use."""
    for leaf in nested.leaves(value):
        if isinstance(leaf, Expression):
            yield from leaf.parameters()


class Slots:
    """A scope without a program: decisions are numbered by their first use, and have all of their values."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        """The decisions, by their numbers; tied ones are one."""
        self._numbers: dict[str, list[int]] = {}
        """The numbers of the decisions of a name: several only where their values differ, which no space has."""

    def position(self, decision: Decision) -> int:
        """The number of a decision."""
        numbers = self._numbers.setdefault(decision.name, [])
        for number in numbers:
            if tied(self.decisions[number], decision):
                return number
        numbers.append(len(self.decisions))
        self.decisions.append(decision)
        return numbers[-1]

    def values(self, decision: Decision) -> tuple[Scalar, ...]:
        """All values of a decision."""
        return decision.values
