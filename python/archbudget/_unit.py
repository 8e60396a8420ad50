"""The units in which metrics are counted: the engine adds integers, and users see numbers."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import ceil, floor, isfinite
from numbers import Rational
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from archbudget._message import show
from archbudget.errors import CountOverflowError, SpaceError

if TYPE_CHECKING:
    import numpy.typing as npt

MOST = 2**63 - 1
"""The largest number of the engine, which no total reaches."""

FAR = 2**61
"""Values of layers are fewer resolutions from 0 than this, and so are sums of which some are negative."""

EXACT = 2**53
"""Up to this number all integers are floats."""

LONGEST = 400
"""Decimals are read with fewer digits in front of or behind the decimal point, which is more than floats have."""

Number = Union[int, float, Decimal, Fraction]


def rational(value: object) -> Fraction | None:
    """A finite number as it is written, so that 0.1 is a tenth; `None` for anything else."""
    if isinstance(value, Rational):
        return Fraction(value)
    if isinstance(value, Decimal):
        return Fraction(value) if value.is_finite() and abs(value.adjusted()) < LONGEST else None
    if isinstance(value, (str, bytes, complex)):
        return None
    if not isinstance(value, float):
        try:
            value = float(value)  # type: ignore[arg-type]  # NumPy's numbers and tensors of one element.
        except (TypeError, ValueError, OverflowError):
            return None
    return Fraction(repr(float(value))) if isfinite(value) else None


class Unit:
    """What the engine's integers of a metric stand for.

    Without a resolution they are the values themselves, of at least 0. With one, a value is an integer number of
    resolutions of either sign. Where the largest value of a network counts, the engine begins at 0: so values of a
    metric with a resolution are moved up there, and 0 is less than each of them.

    Args:
        resolution: The resolution; `None` for integers of at least 0.
        largest: Whether the largest value of a network counts, and not the sum.
    """

    def __init__(self, resolution: Fraction | None = None, *, largest: bool = False) -> None:
        self.resolution = resolution
        self.is_whole = resolution is None or resolution == 1
        """Whether values are integers."""
        self._step = Fraction(1) if resolution is None else resolution
        self._shift = FAR if resolution is not None and largest else 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Unit):
            return NotImplemented
        return (self.resolution, self._shift) == (other.resolution, other._shift)

    def __hash__(self) -> int:
        return hash((self.resolution, self._shift))

    @property
    def signed(self) -> bool:
        """Whether values may be negative."""
        return self.resolution is not None

    def raw(self, value: object, what: str) -> int:
        """The engine's integer of a value, which is rounded to the resolution, halves to the even number of them.

        Raises:
            SpaceError: If it is not a finite number.
            CountOverflowError: If it is too far from 0.
        """
        found = rational(value)
        if found is None:
            raise SpaceError(f"{what} must be a finite number, not {show(value)}")
        steps = round(found / self._step)
        if abs(steps) >= FAR:
            raise CountOverflowError(
                f"{what} must be less than 2^61 times its resolution of {self.given} from 0, not {show(value)}"
            )
        return steps + self._shift

    @property
    def given(self) -> Any:
        """The resolution as it is written: an integer, a float, or a fraction that is neither."""
        if self.resolution is None:
            return None
        if self.resolution.denominator == 1:
            return int(self.resolution)
        near = float(self.resolution)
        return near if rational(near) == self.resolution else self.resolution

    def exact(self, raw: int) -> int | Fraction:
        """The value of an engine's integer, without any rounding."""
        steps = raw - self._shift
        return steps if self.is_whole else steps * self._step

    def number(self, raw: int) -> Any:
        """The value of an engine's integer: an integer, or the float that is nearest to it."""
        steps = raw - self._shift
        return steps if self.is_whole else steps * self._step.numerator / self._step.denominator

    def steps(self, raw: int) -> int:
        """The number of resolutions that an engine's integer stands for."""
        return raw - self._shift

    def of_steps(self, steps: int) -> int:
        """The engine's integer of a number of resolutions."""
        return self._within(steps)

    def gap(self, raw: int) -> Any:
        """The difference of two values by that of their integers."""
        return self.number(raw + self._shift)

    @property
    def step(self) -> float:
        """The resolution as a float."""
        return self._step.numerator / self._step.denominator

    def numbers(self, raw: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """The values of many of the engine's integers, `number` of each; a number that no total reaches is infinite."""
        if self.is_whole and not self._shift:
            return raw
        beyond = raw == MOST
        steps = np.where(beyond, 0, raw - self._shift)
        if self.is_whole:
            return np.where(beyond, MOST, steps)
        times, parts = self._step.numerator, self._step.denominator
        if times <= EXACT and int(float(parts)) == parts:
            found = steps * float(times) / float(parts)
            far = np.flatnonzero(np.abs(steps) > EXACT // times)
        else:
            found, far = np.empty(steps.shape), np.arange(steps.size)
        for place in far:
            found.flat[place] = self.number(int(steps.flat[place]) + self._shift)
        found[beyond] = np.inf
        return found

    def least(self, low: Number) -> int:
        """The engine's integer from which on values are at least a bound; they are compared as users see them."""
        if low <= -MOST:
            return -MOST
        if low >= MOST:
            return MOST
        steps = ceil(rational(low) / self._step)  # type: ignore[operator]
        while isinstance(low, float) and abs(steps) < FAR and self.number(steps - 1 + self._shift) >= low:
            steps -= 1
        return self._within(steps)

    def most(self, high: Number) -> int:
        """The engine's integer up to which values are at most a bound."""
        if high >= MOST:
            return MOST
        if high <= -MOST:
            return -MOST
        steps = floor(rational(high) / self._step)  # type: ignore[operator]
        while isinstance(high, float) and abs(steps) < FAR and self.number(steps + 1 + self._shift) <= high:
            steps += 1
        return self._within(steps)

    def _within(self, steps: int) -> int:
        return max(-MOST, min(steps + self._shift, MOST))


PLAIN = Unit()
"""Integers of at least 0."""


def unit_of(resolution: object, what: str, *, largest: bool) -> Unit:
    """The unit of a metric with a resolution, or of one without.

    Raises:
        SpaceError: If it is not a positive number.
    """
    if resolution is None:
        return PLAIN
    found = None if isinstance(resolution, (bool, np.bool_)) else rational(resolution)
    if found is None or found <= 0:
        raise SpaceError(f"{what}: a resolution is a positive number, such as 1e-6, not {show(resolution)}")
    return Unit(found, largest=largest)
