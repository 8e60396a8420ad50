"""Budgets: the range of values that each metric may have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, DecimalException
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol, Union

import numpy as np

from archbudget._core import metrics as built_in_metrics
from archbudget._guard import answering, guards, has
from archbudget._message import hint, line, listed, show, with_nearest
from archbudget._unit import MOST as MOST
from archbudget._unit import rational
from archbudget.errors import BudgetError, UnknownNameError

if TYPE_CHECKING:
    import numpy.typing as npt

    class Candidates(Protocol):
        """A batch that knows its space, which stands above budgets."""

        space: Any

        @property
        def indices(self) -> npt.NDArray[Any]: ...


BUILT_IN: tuple[str, ...] = tuple(name for name, _ in built_in_metrics())
"""The metrics that are counted for every network."""

TITLES = {"macs": "MACs"}
"""The titles of those built-in metrics whose names are more than words with underscores between them."""

FLOPS = {"flop", "flops", "mflops", "gflops"}
"""Words for twice the number of `macs`."""

MEANT: dict[str, str] = {
    **dict.fromkeys([*FLOPS, "madds", "mult_adds", "multiply_adds", "mults", "ops", "compute"], "macs"),
    **dict.fromkeys(["n_params", "num_params", "parameters", "num_parameters", "weights", "size"], "params"),
    **dict.fromkeys(["flash", "rom", "storage", "bytes", "model_size", "max_model_size"], "weight_bytes"),
    **dict.fromkeys(["memory", "peak", "peak_memory", "ram", "sram", "activations"], "peak_activation_bytes"),
}
"""What other tools call the metrics."""

BoundLike = Union[int, "tuple[int | None, int | None]"]
"""An upper bound, or a range (low, high), both included; `None` leaves an end open."""

CustomBoundLike = Union[float, Decimal, Fraction, "tuple[Any, Any]"]
"""A bound of a custom metric, whose values may be fractions, and negative."""


def least_of(metric: str) -> int:
    """The lower end of a bound of a metric that has none: built-in metrics are at least 0."""
    return 0 if metric in BUILT_IN else -MOST


def is_open(metric: str, low: Any) -> bool:
    """Whether the lower end of a bound of a metric is none."""
    return bool(low == least_of(metric))


def text_of(value: Any) -> str:
    """A value of a metric as text."""
    return f"{float(value) if isinstance(value, Fraction) else value:,}"


def title_of(metric: str) -> str:
    """What a metric is called in tables and figures; a custom one by its name."""
    return TITLES.get(metric, metric.replace("_", " ")) if metric in BUILT_IN else line(metric)


def _refuse_bounds(args: Sequence[object], named: Mapping[str, object]) -> None:
    """Answers a bound without a name, or of no metric, that `Budget(...)` is given.

    Raises:
        BudgetError: With the right spelling.
    """
    for given in args[1:]:
        right = "Budget.of(...)" if isinstance(given, Mapping) else f"Budget(params={show(given)})"
        raise BudgetError(f"a budget bounds metrics by their names, such as {right}, not by {show(given)}")
    for name, bound in named.items():
        if name.casefold() in MEANT:
            why = " (1 MAC is 2 FLOPs)" if name.casefold() in FLOPS else ""
            raise BudgetError(
                f"a budget has no {show(name)}: give {_spelled(name, bound)}{why}", metric=name, bound=bound
            )
        if name not in (*BUILT_IN, "custom"):
            own = f"; a custom metric is bounded by custom={{{show(name)}: {show(bound)}}}"
            raise BudgetError(f"a budget has no {show(name)}{hint(name, BUILT_IN)}{own}", metric=name, bound=bound)


@guards()
class Budget(Mapping[str, "tuple[Any, Any]"]):
    """The bounds of metrics: a mapping from each bounded metric to its range (low, high), both ends included.

    A budget never changes, so it is safe to use from several threads; its methods take O(bounds). Each bound is an
    integer, the upper bound, or a range (low, high) in which `None` leaves an end open. An open end is 2^63 - 1, or 0,
    or of a custom metric 1 - 2^63, as its values may be negative.

    Args:
        params: The bound of the number of weights.
        trainable_params: The bound of the number of trained weights.
        macs: The bound of the multiply-accumulates for one input.
        weight_bytes: The bound of the bytes of weights.
        peak_activation_bytes: The bound of the most bytes of activations alive at once.
        custom: The bounds of custom metrics, by their names, in their units: any numbers. A space without these metrics
            refuses the budget.

    Raises:
        BudgetError: If nothing is bounded, an upper bound is not positive, or a range is empty; or if a bound has no
            name, or one that is not that of a metric.

    Example:
        >>> Budget(params=60_000, macs=(1_000_000, 5_000_000))
        Budget(params=60000, macs=(1000000, 5000000))
    """

    @answering(_refuse_bounds)
    def __init__(
        self,
        *,
        params: BoundLike | None = None,
        trainable_params: BoundLike | None = None,
        macs: BoundLike | None = None,
        weight_bytes: BoundLike | None = None,
        peak_activation_bytes: BoundLike | None = None,
        custom: Mapping[str, CustomBoundLike | None] | None = None,
    ) -> None:
        given: dict[str, Any] = {
            "params": params,
            "trainable_params": trainable_params,
            "macs": macs,
            "weight_bytes": weight_bytes,
            "peak_activation_bytes": peak_activation_bytes,
        }
        if custom is not None and not isinstance(custom, Mapping):
            raise BudgetError(f"custom must be a mapping from names of metrics to bounds, not {show(custom)}")
        for metric in custom or {}:
            if not isinstance(metric, str) or metric in given:
                raise BudgetError(f"custom bounds custom metrics by their names, not {show(metric)}")
        # In a fixed order, so that equal budgets hash and print alike.
        given |= dict(sorted((custom or {}).items()))
        self._bounds = {metric: _range(metric, bound) for metric, bound in given.items() if bound is not None}
        if not self._bounds:
            raise BudgetError(f"a budget bounds at least one metric: {', '.join(BUILT_IN)}")

    @classmethod
    def of(cls, bounds: Mapping[str, Any]) -> Budget:
        """The budget with these bounds, by the names of built-in or custom metrics.

        Raises:
            BudgetError: As for `Budget(...)`.
        """
        if not isinstance(bounds, Mapping):
            raise BudgetError(f"a budget is made of a mapping from metrics to bounds, not of {show(bounds)}")
        built_in = {metric: bound for metric, bound in bounds.items() if metric in BUILT_IN}
        return cls(**built_in, custom={metric: bound for metric, bound in bounds.items() if metric not in BUILT_IN})

    def __getitem__(self, metric: str) -> tuple[Any, Any]:
        if metric not in self._bounds:
            raise UnknownNameError(f"{show(metric)} is not bounded{hint(metric, self)}")
        return self._bounds[metric]

    def __iter__(self) -> Iterator[str]:
        return iter(self._bounds)

    def __len__(self) -> int:
        return len(self._bounds)

    def __hash__(self) -> int:
        return hash(tuple(self._bounds.items()))

    def __repr__(self) -> str:
        shown = [f"{metric}={self._show(metric)}" for metric in self if metric in BUILT_IN]
        custom = ", ".join(f"{metric!r}: {self._show(metric)}" for metric in self if metric not in BUILT_IN)
        return f"Budget({', '.join([*shown, f'custom={{{custom}}}'] if custom else shown)})"

    def _show(self, metric: str) -> str:
        low, high = self[metric]
        if is_open(metric, low):
            return str(high)
        return f"({low}, {'None' if high == MOST else high})"

    def describe(self) -> str:
        """The budget as text: `params <= 60,000, macs 1,000,000 to 5,000,000`."""
        texts = []
        for metric, (low, high) in self.items():
            if is_open(metric, low):
                texts.append(f"{metric} <= {text_of(high)}")
            elif high == MOST:
                texts.append(f"{metric} >= {text_of(low)}")
            else:
                texts.append(f"{metric} {text_of(low)} to {text_of(high)}")
        return ", ".join(texts)

    def violations(self, cost: Mapping[str, Any]) -> dict[str, Any]:
        """The metrics whose value is outside its range, with that value; empty where the costs fit.

        Args:
            cost: The value of each metric, such as `arch.costs`.

        Raises:
            BudgetError: If `cost` is not a mapping, or lacks a bounded metric.
        """
        if not isinstance(cost, Mapping):
            raise BudgetError(f"costs are a mapping from metrics to values, not {show(cost)}")
        require_metrics(Metrics(cost), self)
        return {metric: cost[metric] for metric, (low, high) in self.items() if not low <= cost[metric] <= high}

    def mask(
        self,
        candidates: Candidates,
        *,
        out: npt.NDArray[np.bool_] | None = None,
        threads: int | None = None,
    ) -> npt.NDArray[np.bool_]:
        """Which of some candidates fit the budget: (N,) bool, False where a candidate cannot be built.

        No total is written: faster than to evaluate and to compare. O(N * D); releases the GIL. As
        [`Constraint.mask`][archbudget.Constraint.mask], which takes tables and arrays of indices, too.

        Args:
            candidates: `Candidates`, which know their space.
            out: A contiguous array of N flags that is written and returned, in place of a new one.
            threads: The number of threads, as for `Space.evaluate`.

        Raises:
            BudgetError: If they are no `Candidates`, or their space lacks a bounded metric.
            SpaceError: As for `Space.evaluate`.

        Example:
            >>> import archbudget as ab
            >>> drawn = ab.spaces.lenet().sample(1_000, seed=0)
            >>> budget = ab.Budget(params=60_000)
            >>> len(drawn[budget.mask(drawn)]) == budget.count(drawn)
            True
        """
        mask: npt.NDArray[np.bool_] = _constraint_of(self, candidates, "mask").mask(
            candidates, out=out, threads=threads
        )
        return mask

    def count(self, candidates: Candidates, *, threads: int | None = None) -> int:
        """The number of candidates that can be built and fit the budget. As `mask`, and writes nothing.

        Raises:
            BudgetError: As for `mask`.
        """
        return int(_constraint_of(self, candidates, "count").count(candidates, threads=threads))


def _constraint_of(budget: Budget, candidates: object, what: str) -> Any:
    """The constraint of a budget in the space that candidates know.

    Raises:
        BudgetError: If they know none.
    """
    space = getattr(candidates, "space", None) if has(candidates, "indices") else None
    if not has(space, "constraint"):
        raise BudgetError(
            f"budget.{what} takes Candidates, which know their space, not {show(candidates)}; for a table or indices "
            f"use space.constraint(budget).{what}(candidates)"
        )
    return space.constraint(budget)  # type: ignore[union-attr]


FILL = 0.9
"""The share of the budget that networks use among which a search looks first."""

FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
FACTORS |= {f"{prefix}i": 1024**power for power, prefix in enumerate("kmgt", 1)}
"""The factors of a number by what stands behind it, as 64Ki is 65,536."""
COUNTED = ("params", "trainable_params", "macs")
"""The metrics that are not bytes."""


def number(text: str, what: str, *, bytes_too: bool = False, fractions: bool = False) -> Any:
    """A whole number as people write it: `5000`, `5_000`, `5k`, `1.5M`, `5e6`; of bytes also `64KiB`.

    Args:
        text: The text.
        what: What the number is of, for errors.
        bytes_too: Whether it may be bytes, with a B behind it.
        fractions: Whether it need not be whole.

    Raises:
        BudgetError: If it is not one.
    """
    match = re.fullmatch(r"(.*?)([kmgt]?i?)(b?)", text.strip().replace("_", ""), re.IGNORECASE | re.DOTALL)
    digits, prefix, unit = match.groups() if match else (text, "", "")
    if unit and bytes_too and prefix and not prefix.lower().endswith("i"):
        raise BudgetError(
            f"{what}: {show(text)} may be powers of 1000 or of 1024: write {digits}{prefix} for the first, "
            f"{digits}{prefix}iB for the second"
        )
    try:
        value = Decimal(digits) * FACTORS[prefix.lower()]
    except (DecimalException, KeyError):
        value = Decimal("nan")
    whole = value.is_finite() and value == value.to_integral_value()
    if not value.is_finite() or abs(value) > 10**24 or not (whole or fractions) or (unit and not bytes_too):
        examples = "5000, 5k, 1.5M or 64KiB" if bytes_too else "5000, 5k or 1.5M"
        kind = "a number" if fractions else "a whole number"
        raise BudgetError(f"{what}: {show(text)} is not {kind}; write it like {examples}")
    return int(value) if whole else float(value)


def bound_of(metric: str, text: str, what: str) -> tuple[Any, Any]:
    """The bound of a metric as people write it: a number, the upper bound, or a range `LOW:HIGH` with an open end.

    Raises:
        BudgetError: If an end is not a number.
    """
    low, colon, high = text.partition(":")

    def end(part: str) -> Any:
        return number(part, what, bytes_too=metric not in COUNTED, fractions=metric not in BUILT_IN)

    if not colon:
        return (None, end(text))
    return (end(low) if low.strip() else None, end(high) if high.strip() else None)


SIDED: tuple[str, ...] = ("macs", "peak_activation_bytes")
"""The built-in metrics that depend on every side of the inputs."""


class Metrics(tuple[str, ...]):
    """The names of the metrics of a space, and why others are unknown.

    Args:
        names: The names of all metrics.
        unknown: Why the metrics of `SIDED` are unknown, as a clause; empty if they are known.
    """

    unknown: str

    def __new__(cls, names: Iterable[str], unknown: str = "") -> Metrics:
        made = super().__new__(cls, [name for name in names if not (unknown and name in SIDED)])
        made.unknown = unknown
        return made

    def __reduce__(self) -> tuple[object, ...]:
        return (tuple, (tuple(self),))

    def say(self, name: object) -> str:
        """What is said of a metric that is none of them."""
        if self.unknown and name in SIDED:
            return f"{name} is unknown, {self.unknown}"
        return f"unknown metric {meant(name, self)}; the metrics are {listed(self)}"


def require_metrics(metrics: Metrics, names: Iterable[object]) -> None:
    """Refuses a name that is not that of a metric of a space.

    Raises:
        BudgetError: With the metric that was probably meant, and the metrics of the space.
    """
    for metric in names:
        if metric not in metrics:
            name = metric if isinstance(metric, str) else None
            raise BudgetError(metrics.say(metric), metric=name)


def meant(name: object, metrics: Sequence[str]) -> str:
    """The name of an unknown metric as an error shows it: with the metric that was probably meant, if there is one."""
    word = name.casefold() if isinstance(name, str) else ""
    if MEANT.get(word) not in metrics:
        return with_nearest(name, metrics)
    return f"{show(name)} (did you mean {MEANT[word]}?{' 1 MAC is 2 FLOPs' if word in FLOPS else ''})"


def require_budget(value: object, what: str) -> None:
    """Refuses what is not a budget.

    Raises:
        BudgetError: With what needs one, and how it is written.
    """
    if not isinstance(value, Budget):
        is_bound = type(value) is int and value > 0
        example = "Budget.of(...)" if isinstance(value, Mapping) else f"Budget(params={value if is_bound else 60_000})"
        raise BudgetError(f"{what} needs a Budget, such as ab.{example}, not {show(value)}")


def refuse_loose_bounds(args: Sequence[object], named: Mapping[str, object]) -> None:
    """Answers bounds that a function is given in place of a budget.

    Raises:
        BudgetError: With the right spelling.
    """
    del args
    bounds = {name: bound for name, bound in named.items() if name in BUILT_IN or name.casefold() in MEANT}
    if bounds:
        said = listed(f"{name}={show(bound)}" for name, bound in bounds.items())
        right = listed(_spelled(name, bound) for name, bound in bounds.items())
        raise BudgetError(f"bounds are given as a budget, ab.Budget({right}), not as {said}")


def _spelled(name: str, bound: object) -> str:
    """A bound as it is written in `Budget(...)`."""
    metric = name if name in BUILT_IN else MEANT[name.casefold()]
    if name.casefold() not in FLOPS:
        return f"{metric}={show(bound)}"
    # 1 MAC is 2 FLOPs.
    return f"macs={int(bound) // 2}" if isinstance(bound, (int, float)) and bound < MOST else "macs=FLOPs // 2"


def _range(metric: str, bound: object) -> tuple[int, int]:
    if isinstance(bound, (tuple, list)):
        if len(bound) != 2:
            raise BudgetError(f"{metric}: a range is (low, high), not {show(bound)}", metric=metric, bound=bound)
        low, high = bound
        if low is None and high is None:
            raise BudgetError(f"{metric}: a range needs an end, not (None, None)", metric=metric, bound=bound)
    else:
        low, high = None, bound
    end = _whole if metric in BUILT_IN else _number
    low = least_of(metric) if low is None else end(metric, low, bound)
    high = MOST if high is None else end(metric, high, bound)
    if high < 1 and metric in BUILT_IN:
        raise BudgetError(f"{metric}: the upper bound must be at least 1, not {show(high)}", metric=metric, bound=bound)
    if low < 0 and metric in BUILT_IN:
        raise BudgetError(f"{metric}: the lower bound must be at least 0, not {show(low)}", metric=metric, bound=bound)
    if low > high:
        raise BudgetError(
            f"{metric}: the range ({show(low)}, {show(high)}) is empty: low exceeds high", metric=metric, bound=bound
        )
    return low, high


def _number(metric: str, end: object, bound: object) -> Any:
    """An end of a bound of a custom metric: an integer where it is one."""
    found = None if isinstance(end, (bool, np.bool_)) else rational(end)
    if found is None:
        raise BudgetError(f"{metric}: a bound must be a finite number, not {show(end)}", metric=metric, bound=bound)
    if abs(found) > MOST:
        raise BudgetError(
            f"{metric}: a bound must be from 1 - 2^63 to 2^63 - 1, not {show(end)}", metric=metric, bound=bound
        )
    if found.denominator == 1:
        return int(found)
    return end if isinstance(end, Fraction) else float(found)


def _whole(metric: str, end: object, bound: object) -> int:
    if isinstance(end, float) and end.is_integer():  # People write five million as 5e6.
        end = int(end)
    if isinstance(end, bool) or not isinstance(end, (int, np.integer)):
        raise BudgetError(f"{metric}: a bound must be an integer, not {show(end)}", metric=metric, bound=bound)
    if end > MOST:
        raise BudgetError(f"{metric}: a bound must be at most 2^63 - 1, not {show(end)}", metric=metric, bound=bound)
    return int(end)
