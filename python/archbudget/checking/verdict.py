"""A network against a budget: which bounds it meets, by how much, and which layers weigh most."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from archbudget._budget import BUILT_IN, MOST, Budget, is_open, require_metrics, text_of
from archbudget._message import line
from archbudget.checking.advice import Advice, narrower
from archbudget.errors import BudgetError
from archbudget.network import show_shapes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archbudget._records import LayerRecord
    from archbudget.checking.model import Checked
    from archbudget.space.architecture import Architecture

HEAVIEST = 3
"""So many of the heaviest layers are named."""

PEAK = "peak_activation_bytes"
"""The metric that is no sum over the layers, but the largest of them."""


def percent(part: float, total: float) -> str:
    """A share of a total as text: three digits, or more where it is many times the total."""
    share = 100 * part / total
    return f"{share:.3g} %" if share < 999.5 else f"{share:,.0f} %"


def range_text(metric: str, low: Any, high: Any) -> str:
    """The two ends of a bound of a metric in a few words."""
    if is_open(metric, low):
        return f"at most {text_of(high)}"
    return f"at least {text_of(low)}" if high == MOST else f"{text_of(low)} to {text_of(high)}"


@dataclass(frozen=True)
class BoundCheck:
    """One bound, and what a network has of its metric."""

    metric: str
    value: Any
    low: Any
    high: Any

    @property
    def met(self) -> bool:
        """Whether the value is within the bound."""
        return bool(self.low <= self.value <= self.high)

    @property
    def limit(self) -> Any:
        """The end of the range that is missed; where none is, the upper one, or the lower one where that is open."""
        if self.value < self.low or (self.met and self.high == MOST):
            return self.low
        return self.high

    @property
    def fault(self) -> str:
        """How the bound is missed, in short."""
        return f"{self.metric} {self.value:,} {'>' if self.value > self.high else '<'} {self.limit:,}"

    @property
    def text(self) -> str:
        """By how much it is met or missed, as a sentence."""
        gap = abs(self.value - self.limit)
        share = f" ({percent(gap, self.limit)} of the bound)" if self.limit > 0 else ""
        if not self.met:
            side = "over" if self.value > self.high else "under"
            return f"{self.metric}: {self.value:,} is {gap:,} {side} {self.limit:,}{share}"
        room = "above" if self.limit == self.low else "below"
        return (
            f"{self.metric}: {self.value:,} is {gap:,} {room} {self.limit:,}{share}"
            if gap
            else (f"{self.metric}: {self.value:,} is exactly the bound")
        )

    def to_dict(self) -> dict[str, Any]:
        """The bound for JSON."""
        return {
            "metric": self.metric,
            "value": self.value,
            "low": None if self.low == -MOST else self.low,
            "high": None if self.high == MOST else self.high,
            "met": self.met,
            "gap": abs(self.value - self.limit),
        }


@dataclass(frozen=True)
class Row:
    """A layer in the table of a check."""

    name: str
    type: str
    shapes: str
    params: int
    macs: int | None
    activation_bytes: int | None
    """The bytes of the activations alive while it runs."""
    share: float | None
    """Its share of the total of the metric that weighs most, from 0 to 1; of a peak, how near it comes to it."""
    reused: bool

    def to_dict(self) -> dict[str, Any]:
        """The layer for JSON."""
        return dict(vars(self))


@dataclass(frozen=True)
class Verdict:
    """What a check found."""

    name: str
    arch: Architecture
    budget: Budget | None

    @cached_property
    def bounds(self) -> tuple[BoundCheck, ...]:
        """Each bound of the budget."""
        costs = self.arch.costs
        return tuple(BoundCheck(metric, costs[metric], *ends) for metric, ends in (self.budget or {}).items())

    @property
    def missed(self) -> tuple[BoundCheck, ...]:
        """The bounds that are missed."""
        return tuple(bound for bound in self.bounds if not bound.met)

    @property
    def fits(self) -> bool:
        """Whether every bound is met."""
        return not self.missed

    @property
    def headline(self) -> str:
        """The verdict in one line."""
        if self.budget is None:
            return "no budget is given"
        if self.missed:
            return f"outside the budget: {', '.join(bound.fault for bound in self.missed)}"
        costs = ", ".join(f"{bound.metric} {bound.value:,}" for bound in self.bounds)
        return f"inside the budget: {costs}; {self.budget.describe()}"

    @cached_property
    def weighed(self) -> str:
        """The metric of the shares: of the bounds the one that is missed by the largest factor, or nearest to it."""
        upper = [bound for bound in self.bounds if 0 < bound.high < MOST and bound.metric in self._metrics]
        return max(upper, key=lambda bound: bound.value / bound.high).metric if upper else "params"

    @property
    def _metrics(self) -> tuple[str, ...]:
        return self.arch.space.metrics

    def of_layer(self, record: LayerRecord, metric: str) -> int | None:
        """What a layer has of a metric; `None` if it is unknown."""
        found: int | None = record.custom[metric] if metric in record.custom else getattr(record, metric)
        return found

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Each layer, in the order in which the layers are applied."""
        total = self.arch.costs.get(self.weighed)
        made = []
        for record in self.arch.layers:
            own = self.of_layer(record, self.weighed)
            made.append(
                Row(
                    record.name,
                    record.type,
                    show_shapes(record.output_shapes),
                    record.params,
                    record.macs,
                    record.peak_activation_bytes,
                    None if own is None or not total else max(own / total, 0.0),
                    record.reused,
                )
            )
        return tuple(made)

    def heaviest(self, metric: str, most: int = HEAVIEST) -> list[tuple[str, int]]:
        """The layers that weigh most in a metric, with what they have of it, the heaviest first.

        A layer that is applied several times counts with all of its calls; of a peak with the largest one.
        """
        found: dict[str, int] = {}
        for record in self.arch.layers:
            own = self.of_layer(record, metric) or 0
            before = found.get(record.name, 0)
            found[record.name] = max(before, own) if metric == PEAK else before + own
        heavy = sorted(found.items(), key=lambda item: -item[1])[:most]
        return [(name, own) for name, own in heavy if own]

    def heaviest_text(self, metric: str) -> str:
        """The same as text."""
        total = self.arch.costs[metric]
        heavy = self.heaviest(metric)
        shares = [f" ({percent(own, total)})" if total > 0 else "" for _, own in heavy]
        shown = ", ".join(f"{line(name)} {own:,}{share}" for (name, own), share in zip(heavy, shares, strict=True))
        return f"most {metric}: {shown}"

    @property
    def exceeded(self) -> list[str]:
        """The metrics whose upper bound is exceeded."""
        return [bound.metric for bound in self.missed if bound.value > bound.high]

    @cached_property
    def advice(self) -> Advice | None:
        """What would meet the budget; `None` where no upper bound is exceeded, or nothing can be said."""
        return narrower(self.arch, self.budget) if self.budget is not None and self.exceeded else None

    @property
    def lines(self) -> list[str]:
        """How far each bound is met or missed, the heaviest layers for those that are exceeded, and what would fit."""
        heaviest = [self.heaviest_text(metric) for metric in self.exceeded]
        return [*(bound.text for bound in self.bounds), *heaviest, *([self.advice.text] if self.advice else [])]

    def to_dict(self) -> dict[str, Any]:
        """The verdict for JSON."""
        return {
            "name": self.name,
            "fits": self.fits,
            "values": dict(self.arch),
            "costs": {metric: self.arch.costs.get(metric) for metric in dict.fromkeys([*BUILT_IN, *self.arch.costs])},
            "budget": {metric: list(ends) for metric, ends in (self.budget or {}).items()},
            "violations": {bound.metric: bound.value for bound in self.missed},
            "bounds": [bound.to_dict() for bound in self.bounds],
            "heaviest": {metric: [list(each) for each in self.heaviest(metric)] for metric in self.exceeded},
            "advice": None if self.advice is None else self.advice.to_dict(),
            "shares_of": self.weighed,
            "layers": [row.to_dict() for row in self.rows],
        }


def verdict(checked: Checked, budget: Mapping[str, Any] | None) -> Verdict:
    """Checks a network against a budget.

    Raises:
        BudgetError: If it bounds a metric that the network does not have, or that is unknown.
    """
    if budget is not None and not isinstance(budget, Budget):
        raise BudgetError("a check takes a Budget")
    if budget is not None:
        require_metrics(checked.arch.space.metrics, budget)
    return Verdict(checked.name, checked.arch, budget)
