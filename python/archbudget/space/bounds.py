"""A number that is known within bounds."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from archbudget._guard import guards
from archbudget._message import grouped, show
from archbudget.errors import InexactError, SpaceError

if TYPE_CHECKING:
    from collections.abc import Callable

N_co = TypeVar("N_co", bound=float, covariant=True)


@guards(only=["__post_init__"])
@dataclass(frozen=True, eq=False)
class Bounds(Generic[N_co]):
    """A number that certainly lies between two others, both included; it is known exactly where these are equal.

    It stands for that number wherever a number is written, and says nothing about it that is not certain:

    - `f"{bounds:,}"` formats both ends, "between 1,000 and 1,010"; or one number, where both ends come out alike.
    - `+`, `-`, `*` and `/`, with numbers and with other bounds, give the bounds of the result. (Bounds of one number
      count as those of two: `bounds - bounds` is not 0.)
    - `<`, `<=`, `>` and `>=` answer where each number within the bounds gives the same answer. So do `bool`, `int` and
      `float`. Otherwise they raise an [`InexactError`][archbudget.errors.InexactError].
    - `==` asks whether bounds are the same bounds; a number `n` has the bounds `(n, n)`.
    - `n in bounds` tells whether the number may be `n`.

    All of it takes no time. Bounds never change, so they are safe to use from several threads.

    Raises:
        SpaceError: If an end is not a number, or `lower` exceeds `upper`.

    Example:
        >>> bounds = Bounds(1000, 1010)
        >>> f"{bounds:,} of 20,000: {bounds / 20_000:.2%}"
        'between 1,000 and 1,010 of 20,000: between 5.00% and 5.05%'
        >>> bounds < 5000
        True
    """

    lower: N_co
    """The number is at least this."""
    upper: N_co
    """The number is at most this."""

    __array_ufunc__ = None
    """The operators of NumPy's numbers leave it to these bounds."""

    def __post_init__(self) -> None:
        for name in ("lower", "upper"):
            end = _number(getattr(self, name))
            if end is None or end != end:
                raise SpaceError(f"{name} must be a number, not {show(getattr(self, name))}")
            object.__setattr__(self, name, end)
        if self.lower > self.upper:
            raise SpaceError(f"the bounds ({show(self.lower)}, {show(self.upper)}) are empty: lower exceeds upper")

    @property
    def exact(self) -> bool:
        """Whether the number is known: both ends are equal."""
        return self.lower == self.upper

    @property
    def ratio(self) -> float:
        """`upper / lower`: 1.01 says that the number is known to within one per cent."""
        if self.lower:
            return self.upper / self.lower
        return 1.0 if not self.upper else float("inf")

    def __str__(self) -> str:
        return _between(grouped(self.lower), grouped(self.upper))

    def __format__(self, spec: str) -> str:
        return _between(format(self.lower, spec), format(self.upper, spec)) if spec else str(self)

    def __eq__(self, other: object) -> bool:
        ends = _ends(other)
        return NotImplemented if ends is None else (self.lower, self.upper) == ends

    def __hash__(self) -> int:
        return hash(self.lower) if self.exact else hash((self.lower, self.upper))

    def __contains__(self, number: object) -> bool:
        value = _number(number)
        return value is not None and self.lower <= value <= self.upper

    def __lt__(self, other: float | Bounds[float]) -> bool:
        return self._certain(operator.lt, "less than", other)

    def __le__(self, other: float | Bounds[float]) -> bool:
        return self._certain(operator.le, "at most", other)

    def __gt__(self, other: float | Bounds[float]) -> bool:
        return self._certain(operator.gt, "greater than", other)

    def __ge__(self, other: float | Bounds[float]) -> bool:
        return self._certain(operator.ge, "at least", other)

    def _certain(self, compare: Callable[[Any, Any], bool], words: str, other: object) -> bool:
        """The answer of a comparison.

        Raises:
            InexactError: If it depends on where the numbers are within their bounds.
        """
        ends = _ends(other)
        if ends is None:
            return NotImplemented  # type: ignore[no-any-return]
        answer: bool = compare(self.lower, ends[1])
        if compare(self.upper, ends[0]) != answer:
            raise self._inexact(f"whether it is {words} {_between(*map(grouped, ends))}")
        return answer

    def _inexact(self, question: str) -> InexactError:
        return InexactError(
            f"the number is {self}: {question} is not certain; ask the bounds, .lower and .upper",
            lower=self.lower,
            upper=self.upper,
        )

    def __bool__(self) -> bool:
        if self.exact or 0 not in self:
            return bool(self.lower)
        raise self._inexact("whether it is 0")

    def __int__(self) -> int:
        return int(self._known())

    def __float__(self) -> float:
        return float(self._known())

    def _known(self) -> N_co:
        if self.exact:
            return self.lower
        raise self._inexact("which number it is")

    def __neg__(self) -> Bounds[N_co]:
        return Bounds(-self.upper, -self.lower)  # type: ignore[arg-type]  # The negative of an int is one.

    @overload
    def __add__(self: Bounds[int], other: int | Bounds[int]) -> Bounds[int]: ...

    @overload
    def __add__(self, other: float | Bounds[float]) -> Bounds[float]: ...

    def __add__(self, other: object) -> Any:
        return _combined(operator.add, self, other)

    __radd__ = __add__

    @overload
    def __sub__(self: Bounds[int], other: int | Bounds[int]) -> Bounds[int]: ...

    @overload
    def __sub__(self, other: float | Bounds[float]) -> Bounds[float]: ...

    def __sub__(self, other: object) -> Any:
        return _combined(operator.sub, self, other)

    @overload
    def __rsub__(self: Bounds[int], other: int) -> Bounds[int]: ...

    @overload
    def __rsub__(self, other: float) -> Bounds[float]: ...

    def __rsub__(self, other: object) -> Any:
        return _combined(operator.sub, other, self)

    @overload
    def __mul__(self: Bounds[int], other: int | Bounds[int]) -> Bounds[int]: ...

    @overload
    def __mul__(self, other: float | Bounds[float]) -> Bounds[float]: ...

    def __mul__(self, other: object) -> Any:
        return _combined(operator.mul, self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: float | Bounds[float]) -> Bounds[float]:
        return _quotient(self, other)

    def __rtruediv__(self, other: float) -> Bounds[float]:
        return _quotient(other, self)


def _number(value: object) -> Any:
    """A real number as Python has it; `None` for anything else."""
    if not isinstance(value, Real):
        return None
    return value.item() if hasattr(value, "item") else value


def _ends(value: object) -> tuple[Any, Any] | None:
    """The ends of bounds, or a number twice; `None` for anything else."""
    if isinstance(value, Bounds):
        return value.lower, value.upper
    number = _number(value)
    return None if number is None else (number, number)


def _combined(operation: Callable[[Any, Any], Any], left: object, right: object) -> Bounds[Any]:
    """The bounds of a result that grows or falls with either number, so that its extremes are those of the ends."""
    ends = _ends(left), _ends(right)
    if ends[0] is None or ends[1] is None:
        return NotImplemented  # type: ignore[no-any-return]
    results = [operation(one, other) for one in ends[0] for other in ends[1]]
    return Bounds(min(results), max(results))


def _quotient(left: object, right: object) -> Bounds[float]:
    if isinstance(right, Bounds) and 0 in right:
        raise ZeroDivisionError(f"division by a number that may be 0: it is {right}")
    return _combined(operator.truediv, left, right)


def _between(lower: str, upper: str) -> str:
    return lower if lower == upper else f"between {lower} and {upper}"
