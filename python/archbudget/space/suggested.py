"""What a function that describes networks is suggested, and what it computes of that: values that are not known yet.

While a function is followed, such a value is handed to layers as it is; where Python needs it, the follower is asked.
At all other times a suggested decision is like any other decision.
"""

from __future__ import annotations

import math
import operator as operators
from contextvars import ContextVar
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol, cast

import numpy as np

from archbudget._expressions import Binary, Choice, Decision, Expression, compared
from archbudget._message import one_line, show
from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.trial import BaseTrial

    from archbudget._expressions import Lowered, Scalar, Scope

    Left = Callable[[Decision], Sequence[int]]
    """For a decision the indices of the values that are left."""


class Follower(Protocol):
    """What follows a function along one path."""

    def follow(self, value: Expression, how: str = "") -> Any:
        """The value on this path, of those that are left."""
        ...

    def left(self, decision: Decision) -> Sequence[int]:
        """The indices of the values of a decision that this path may have."""
        ...


FOLLOWER: ContextVar[Follower | None] = ContextVar("archbudget_follower", default=None)
"""What follows the function that runs now, if any."""

LISTED = 4096
"""The most values of a computed value that are listed, to look whether a layer takes them."""

PLAIN = (bool, int, float, np.generic)


def _followed(value: Symbol, how: str = "") -> Any:
    """The value on the path that is followed.

    Raises:
        SpaceError: If no function is followed: the value was kept for later.
    """
    follower = FOLLOWER.get()
    if follower is None:
        raise SpaceError(
            f"{show(value)} was suggested to a function that has returned, so its value is not known: compute with it "
            "inside of the function"
        )
    return follower.follow(value, how)


def _joined(name: str, left: Any, right: Any) -> Any:
    """What an operator makes of two sides, one of which is not known yet."""
    follower = FOLLOWER.get()
    own, other = (left, right) if isinstance(left, Symbol) else (right, left)
    if follower is None or (isinstance(other, Expression) and not isinstance(other, Symbol)):
        return NotImplemented
    comparison = name in ("eq", "ne") and (other is None or isinstance(other, str))
    if isinstance(other, (Symbol, *PLAIN)) or comparison:
        plain = [side.item() if isinstance(side, np.generic) else side for side in (left, right)]
        return Computed(name, tuple(plain))
    value = follower.follow(own, "count" if isinstance(other, (list, tuple)) else "")
    return FUNCTIONS[name](*((value, other) if own is left else (other, value)))


class Symbol(Expression):
    """A value that is not known while a function is followed; Python's operators compute with it as with the value."""

    INTERNAL: ClassVar[tuple[str, ...]] = ("key", "parameters", "settled")

    def key(self) -> tuple[Any, ...]:
        """What it is computed of, in a form that is equal for equal computations."""
        raise NotImplementedError

    def parameters(self) -> Iterator[Parameter]:
        """The parameters of the search that it reads, once for each use."""
        return iter(())

    def settled(self, left: Left) -> Any:
        """An expression without symbols but decisions, for those values of its decisions that are left."""
        raise NotImplementedError

    def _binary(self, name: str, left: Any, right: Any) -> Any:
        made = _joined(name, left, right)
        if made is not NotImplemented:
            return made
        plain = getattr(Expression, f"__{'r' if left is not self else ''}{name.rstrip('_')}__")
        return plain(self, right if left is self else left)

    def __add__(self, other: Any) -> Any:
        return self._binary("add", self, other)

    def __radd__(self, other: Any) -> Any:
        return self._binary("add", other, self)

    def __sub__(self, other: Any) -> Any:
        return self._binary("sub", self, other)

    def __rsub__(self, other: Any) -> Any:
        return self._binary("sub", other, self)

    def __mul__(self, other: Any) -> Any:
        return self._binary("mul", self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._binary("mul", other, self)

    def __floordiv__(self, other: Any) -> Any:
        return self._binary("floordiv", self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._binary("floordiv", other, self)

    def __mod__(self, other: Any) -> Any:
        return self._binary("mod", self, other)

    def __rmod__(self, other: Any) -> Any:
        return self._binary("mod", other, self)

    def __pow__(self, other: Any) -> Any:
        return self._binary("pow", self, other)

    def __rpow__(self, other: Any) -> Any:
        return self._binary("pow", other, self)

    def __truediv__(self, other: Any) -> Any:
        return self._binary("truediv", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._binary("truediv", other, self)

    def __lshift__(self, other: Any) -> Any:
        return self._binary("lshift", self, other)

    def __rlshift__(self, other: Any) -> Any:
        return self._binary("lshift", other, self)

    def __rshift__(self, other: Any) -> Any:
        return self._binary("rshift", self, other)

    def __rrshift__(self, other: Any) -> Any:
        return self._binary("rshift", other, self)

    def __and__(self, other: Any) -> Any:
        return self._binary("and_", self, other)

    def __rand__(self, other: Any) -> Any:
        return self._binary("and_", other, self)

    def __or__(self, other: Any) -> Any:
        return self._binary("or_", self, other)

    def __ror__(self, other: Any) -> Any:
        return self._binary("or_", other, self)

    def __xor__(self, other: Any) -> Any:
        return self._binary("xor", self, other)

    def __rxor__(self, other: Any) -> Any:
        return self._binary("xor", other, self)

    def __lt__(self, other: Any) -> Any:
        return self._binary("lt", self, other)

    def __le__(self, other: Any) -> Any:
        return self._binary("le", self, other)

    def __gt__(self, other: Any) -> Any:
        return self._binary("gt", self, other)

    def __ge__(self, other: Any) -> Any:
        return self._binary("ge", self, other)

    def __eq__(self, other: Any) -> Any:
        return self._binary("eq", self, other)

    def __ne__(self, other: Any) -> Any:
        return self._binary("ne", self, other)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def _unary(self, name: str, plain: Callable[[Expression], Any]) -> Any:
        return plain(self) if FOLLOWER.get() is None else Computed(name, (self,))

    def __neg__(self) -> Any:
        return self._unary("neg", Expression.__neg__)

    def __pos__(self) -> Any:
        return self._unary("pos", Expression.__pos__)

    def __abs__(self) -> Any:
        return self._unary("abs", Expression.__abs__)

    def __invert__(self) -> Any:
        return self._unary("invert", Expression.__invert__)

    def __trunc__(self) -> Any:
        return self._unary("trunc", Expression.__trunc__)

    def __floor__(self) -> Any:
        return self._unary("floor", Expression.__floor__)

    def __ceil__(self) -> Any:
        return self._unary("ceil", Expression.__ceil__)

    def __round__(self, digits: Any = None) -> Any:
        if FOLLOWER.get() is None:
            return Expression.__round__(self, digits)
        return Computed("round", (self,) if digits is None else (self, digits))

    def __hash__(self) -> int:
        # Where no function is followed, expressions are told apart by identity.
        return object.__hash__(self) if FOLLOWER.get() is None else hash(_followed(self))

    def __bool__(self) -> bool:
        if FOLLOWER.get() is None:
            return super().__bool__()
        return bool(_followed(Computed("truth", (self,))))

    def __index__(self) -> int:
        if FOLLOWER.get() is None:
            return super().__index__()
        return operators.index(_followed(self, "count"))

    def __int__(self) -> int:
        return int(_followed(Computed("int", (self,)), "count"))

    def __float__(self) -> float:
        if FOLLOWER.get() is None:
            return super().__float__()
        return float(_followed(self))

    def __complex__(self) -> complex:
        return complex(_followed(self))

    def __str__(self) -> str:
        return repr(self) if FOLLOWER.get() is None else str(_followed(self))

    def __format__(self, spec: str) -> str:
        return super().__format__(spec) if FOLLOWER.get() is None else format(_followed(self), spec)

    def __contains__(self, item: Any) -> bool:
        return item in _followed(self)

    def __getitem__(self, item: Any) -> Any:
        return _followed(self)[item]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or FOLLOWER.get() is None:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(_followed(self), name)


@dataclass(frozen=True)
class Spec:
    """How a value is asked for: the kind, and its range where it has one."""

    kind: str
    """`int`, `float` or `categorical`."""
    low: Any = None
    high: Any = None
    step: Any = None
    log: bool = False

    def distribution(self, values: Sequence[Any]) -> IntDistribution | FloatDistribution | CategoricalDistribution:
        """The distribution of Optuna."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.kind == "int":
            return IntDistribution(self.low, self.high, log=self.log, step=self.step)
        if self.kind == "float":
            return FloatDistribution(self.low, self.high, log=self.log, step=self.step)
        return CategoricalDistribution(tuple(values))

    def ask(self, trial: BaseTrial, name: str, values: Sequence[Any]) -> Any:
        """What a trial takes."""
        if self.kind == "int":
            return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)
        if self.kind == "float":
            return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)
        return trial.suggest_categorical(name, tuple(values))


_ENDS = (operators.attrgetter("low"), operators.attrgetter("high"))


class Suggested(Symbol, Choice):
    """A decision that a function was suggested: it is asked for as the function asks, and is the same everywhere.

    Args:
        name: The name.
        values: The values.
        spec: How a trial is asked for it.
    """

    INTERNAL: ClassVar[tuple[str, ...]] = ("is_one", "key", "parameters", "settled", "spec")

    is_one = True
    """A value that was suggested once is one value, however often the layers that read it are repeated."""

    def __init__(self, name: str, values: Iterable[object], spec: Spec) -> None:
        super().__init__(name, values)
        object.__setattr__(self, "spec", spec)

    spec: Spec

    def index(self, value: object) -> int:
        """The index of a value; of a float with steps, that of the nearest one, as samplers round."""
        if self.spec.kind == "float" and isinstance(value, float) and value not in self.values:
            nearest = min(range(len(self.values)), key=lambda index: abs(self.values[index] - value))
            if abs(self.values[nearest] - value) <= 1e-8 * max(1.0, abs(value)):
                return nearest
        return super().index(value)

    def narrowed(self, name: str, values: Iterable[object] | None = None) -> Suggested:
        """The decision with another name, and with some of its values, in their order; with all of them by default."""
        kept = range(len(self.values)) if values is None else sorted({self.index(value) for value in values})
        left = [self.values[index] for index in kept]
        if len(left) == len(self.values):
            return Suggested(name, left, self.spec)
        return Suggested(name, left, _narrowed(self.spec, left))

    def key(self) -> tuple[Any, ...]:
        """Its name."""
        return ("decision", self.name)

    @property
    def possible(self) -> tuple[Any, ...]:
        """The values; those that are left on the path that is followed."""
        follower = FOLLOWER.get()
        left = range(len(self.values)) if follower is None else follower.left(self)
        return tuple(self.values[index] for index in left)

    def settled(self, left: Left) -> Expression:
        """Itself, or where values are gone a table in which any of the others stands for these."""
        indices = left(self)
        if len(indices) == len(self.values):
            return self
        return _table(self, indices, lambda value: value)

    def lower(self, scope: Scope) -> Lowered:
        """The decision in the form that the engine takes, with the values that are left on the path."""
        follower = FOLLOWER.get()
        settled = self if follower is None else self.settled(follower.left)
        return Choice.lower(self, scope) if settled is self else settled.lower(scope)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Suggested, (self.name, self.values, self.spec))

    __str__ = Symbol.__str__


def _narrowed(spec: Spec, values: Sequence[Any]) -> Spec:
    """How a trial is asked for some of the values."""
    if spec.kind == "categorical":
        return spec
    if spec.log:
        consecutive = values[-1] - values[0] == len(values) - 1
        return replace(spec, low=values[0], high=values[-1]) if consecutive else Spec("categorical")
    steps = {round((after - before) / spec.step) for before, after in pairwise(values)}
    if len(steps) > 1:
        return Spec("categorical")
    return replace(spec, low=values[0], high=values[-1], step=spec.step * (steps.pop() if steps else 1))


@dataclass(frozen=True, eq=False, repr=False)
class Parameter(Symbol):
    """A parameter of the search that no count depends on: a number of any size, such as a rate.

    Args:
        name: The name.
        spec: How a trial is asked for it.
    """

    INTERNAL: ClassVar[tuple[str, ...]] = ("key", "name", "parameters", "refuse", "settled", "spec")

    name: str
    spec: Spec

    def key(self) -> tuple[Any, ...]:
        """Its name."""
        return ("parameter", self.name)

    def lower(self, scope: Scope) -> Lowered:
        """Refuses, as no count may depend on it.

        Raises:
            SpaceError: Always.
        """
        del scope
        self.refuse()

    def refuse(self) -> NoReturn:
        """Refuses that a network depends on it.

        Raises:
            SpaceError: Always.
        """
        call = f"suggest_{self.spec.kind}({self.name!r}, {self.spec.low}, {self.spec.high})"
        raise SpaceError(f"{call} {_FINITE}")

    def decisions(self) -> Iterator[Decision]:
        """No decisions."""
        return iter(())

    def parameters(self) -> Iterator[Parameter]:
        """Itself."""
        yield self

    def at(self, taken: Mapping[str, Scalar]) -> Scalar:
        """The taken value.

        Raises:
            SpaceError: If the network was made without it.
        """
        if self.name not in taken:
            raise SpaceError(
                f"a layer reads {show(self.name)}, a parameter of the search, which this network was made without: "
                "space.suggest(trial) and space.from_trial(trial) give it, and counts do not need it"
            )
        return taken[self.name]

    @property
    def possible(self) -> tuple[Any, ...]:
        """The ends of its range."""
        return (self.spec.low, self.spec.high)

    def settled(self, left: Left) -> Expression:
        """Itself."""
        del left
        return self

    def __repr__(self) -> str:
        return f"Parameter({self.name!r}, {self.spec.low}, {self.spec.high})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (Parameter, (self.name, self.spec))

    __str__ = Symbol.__str__
    __hash__ = Symbol.__hash__


_FINITE = (
    "has endless values, and the network depends on which it is: suggest_int, suggest_categorical, or suggest_float "
    "with a step"
)


@dataclass(frozen=True, eq=False, repr=False)
class Computed(Symbol):
    """What Python computes of suggested values, by its own rules."""

    name: str
    """The name of the function."""
    sides: tuple[Any, ...]

    def key(self) -> tuple[Any, ...]:
        """The function, and the keys of its sides."""
        keys = (side.key() if isinstance(side, Symbol) else (type(side), side) for side in self.sides)
        return (self.name, *keys)

    def decisions(self) -> Iterator[Decision]:
        """The decisions that it reads, once for each use."""
        for side in self.sides:
            if isinstance(side, Symbol):
                yield from side.decisions()

    def parameters(self) -> Iterator[Parameter]:
        """The parameters that it reads, once for each use."""
        for side in self.sides:
            if isinstance(side, Symbol):
                yield from side.parameters()

    def at(self, taken: Mapping[str, Scalar]) -> Any:
        """The value, as Python computes it."""
        sides = [side.at(taken) if isinstance(side, Symbol) else side for side in self.sides]
        return FUNCTIONS[self.name](*sides)

    @property
    def possible(self) -> tuple[Any, ...]:
        """The values, where there are few, with parameters at the ends of their ranges; otherwise only itself."""
        follower = FOLLOWER.get()
        decisions = {each.name: each for each in self.decisions()}
        left = [range(len(each.values)) if follower is None else follower.left(each) for each in decisions.values()]
        if math.prod(map(len, left)) > LISTED:
            return (self,)
        parameters = {each.name: each.spec for each in self.parameters()}
        ends = [{name: end(spec) for name, spec in parameters.items()} for end in _ENDS] if parameters else [{}]
        found = {}
        for indices in product(*left):
            chosen = {name: each.values[index] for (name, each), index in zip(decisions.items(), indices, strict=True)}
            for more in ends:
                value = self.at({**chosen, **more})
                found[type(value), value] = value
        return tuple(found.values())

    @property
    def is_condition(self) -> bool:
        """Whether it is 1 or 0, for true and false."""
        return all(isinstance(value, bool) for value in self.possible)

    def require_integers(self, because: str, *, flags: bool = False) -> None:
        """Refuses what is computed if it is no integer.

        Raises:
            SpaceError: With the reason.
        """
        values = [value for value in self.possible if value is not self]
        if flags and all(isinstance(value, bool) for value in values):
            return
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int):
                raise SpaceError(f"what is computed of suggested values must be an integer ({because}), not {value!r}")

    def replaced(self, function: Callable[[Any], Scalar]) -> Any:
        """What a function makes of it, for the taken values."""
        raise SpaceError(f"{show(self)} cannot be given here; compute a word by suggest_categorical, not {function!r}")

    def settled(self, left: Left) -> Expression:
        """A table or an arithmetic expression, for the values that are left.

        Raises:
            SpaceError: If it reads a parameter, or depends on several decisions in a way that no expression says.
        """
        for parameter in self.parameters():
            parameter.refuse()
        decisions = list({each.name: each for each in self.decisions()}.values())
        several = [each for each in decisions if len(left(each)) > 1]
        if len(decisions) > 1 and (made := _arithmetic(self)) is not None:
            return cast("Expression", made)
        if len(several) > 1:
            raise SpaceError(
                f"{show(self)} depends on {' and '.join(each.name for each in several)} in a way that is no arithmetic "
                "of integers; int(...) or round(...) of it makes one"
            )
        own = (several or decisions)[0]
        known = {each.name: each.values[left(each)[0]] for each in decisions if each is not own}
        return _table(own, left(own), lambda value: self.at({**known, own.name: value}))

    def pinned(self, left: Left) -> tuple[Any, ...]:
        """The decisions that had to be followed for it to be settled, each with its value: part of what it is."""
        decisions = list({each.name: each for each in self.decisions()}.values())
        if len(decisions) < 2 or _arithmetic(self) is not None:
            return ()
        return tuple((each.name, left(each)[0]) for each in decisions if len(left(each)) == 1)

    def lower(self, scope: Scope) -> Lowered:
        """What it is in the form that the engine takes; where that is no arithmetic, decisions are followed."""
        follower = FOLLOWER.get()
        if follower is None:
            return self.settled(lambda decision: range(len(decision.values))).lower(scope)
        decisions = list({each.name: each for each in self.decisions()}.values())
        if len(decisions) > 1 and _arithmetic(self) is None:
            for each in sorted(decisions, key=lambda each: len(follower.left(each)))[:-1]:
                follower.follow(each)
        return self.settled(follower.left).lower(scope)

    def text(self, names: Mapping[str, str]) -> str:
        """What is computed, with the names of its decisions in a space."""
        sides = [side.text(names) if isinstance(side, Symbol) else show(side) for side in self.sides]
        return f"{self.name.rstrip('_')}({', '.join(sides)})"

    def __repr__(self) -> str:
        sides = ", ".join(side.name if isinstance(side, (Suggested, Parameter)) else repr(side) for side in self.sides)
        return f"{self.name.rstrip('_')}({sides})"

    __str__ = Symbol.__str__
    __hash__ = Symbol.__hash__


def _table(decision: Decision, left: Sequence[int], function: Callable[[Any], Any]) -> Expression:
    """A value for each of those of a decision; that of the first one left stands for those that are gone."""
    found: dict[int, Any] = {}
    for index in left:
        given = decision.values[index]
        made = function(given)
        made = made.item() if isinstance(made, np.generic) else made
        if made is not None and not isinstance(made, (bool, int, float, str)):
            raise SpaceError(f"a layer takes an int, float, bool, str or None here, not {show(made)}")
        found[index] = made
    first = found[left[0]]
    return decision.map(lambda value: found.get(decision.index(value), first))


def _arithmetic(value: Any) -> Any:
    """The expression of the engine that comes to the same as what is computed; `None` if there is none."""
    if isinstance(value, Suggested):
        return value if value.is_integer else None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, Computed):
        return None
    sides = [_arithmetic(side) for side in value.sides]
    if any(side is None for side in sides):
        return None
    if value.name in _BINARY:
        if value.name in ("floordiv", "mod") and not _is_positive(value.sides[1]):
            return None
        if any(isinstance(side, Expression) and side.is_condition for side in sides):
            return None
        return Binary(_BINARY[value.name], *sides)
    if value.name in _SIGNS:
        return compared(_SIGNS[value.name], *sides)
    return None


def _is_positive(value: Any) -> bool:
    if isinstance(value, Suggested):
        return all(each > 0 for each in value.values)
    return isinstance(value, int) and value > 0


_BINARY = {"add": "add", "sub": "subtract", "mul": "multiply", "floordiv": "floor_divide", "mod": "modulo"}
_SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{
        name: getattr(operators, name)
        for name in (
            *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift", "and_", "or_", "xor"),
            *("lt", "le", "gt", "ge", "eq", "ne", "neg", "pos", "abs", "invert", "truth"),
        )
    },
    "trunc": math.trunc,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": round,
    "int": int,
}
"""The functions of what is computed."""


def failure(error: Exception) -> str:
    """An exception of the function in one line."""
    return f"{type(error).__name__}: {one_line(error)}"
