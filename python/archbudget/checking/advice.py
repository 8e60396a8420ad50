"""What would meet a budget that is exceeded: the largest multiplier of all widths with which a network fits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archbudget._message import line, listed, show
from archbudget.errors import ArchbudgetError
from archbudget.layers import CustomLayer, Layer
from archbudget.space.space import Space
from archbudget.space.varying import scale

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archbudget._budget import Budget
    from archbudget.network import Call
    from archbudget.space.architecture import Architecture

WIDTHS = ("filters", "units")
"""The arguments that are widths of layers."""
SMALLEST, STEP = 0.05, 0.01
"""The smallest multiplier that is tried, and the difference between two."""
DIVISORS = (8, 4, 2, 1)
"""What widths are divisible by: the first with which something fits, of those that divide all present ones and are at
most half of each."""
MOST_LAYERS = 5_000
"""Networks of more layers are not varied, which takes minutes."""
SHOWN = 4
"""So many widths are named."""


@dataclass(frozen=True)
class Advice:
    """The largest multiplier of the widths whose network fits a budget, or why there is none."""

    multiplier: float | None = None
    """The multiplier; `None` if none fits."""
    costs: dict[str, int] = field(default_factory=dict)
    """What the narrower network has of each metric of the budget; without a multiplier, what the narrowest has."""
    widths: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    """The widths that change, by the paths of their arguments: before and after."""
    divisor: int = 1
    """The number that divides all widths."""
    reason: str = ""
    """Why no multiplier was looked for."""
    kept: tuple[str, ...] = ()
    """The kinds of custom layers whose arguments stay as they are."""

    @property
    def text(self) -> str:
        """The advice as a sentence."""
        if self.reason:
            return f"no multiplier of all widths was looked for: {self.reason}"
        costs = ", ".join(f"{metric} {cost:,}" for metric, cost in self.costs.items())
        if self.multiplier is None:
            return f"no multiplier of all widths fits: with {SMALLEST} it has {costs}"
        named = [f"{line(path)} {_shown(before)} -> {_shown(after)}" for path, (before, after) in self.widths.items()]
        more = f", {len(named) - SHOWN:,} more" if len(named) > SHOWN else ""
        kept = f" and of custom layers ({listed(self.kept)})" if self.kept else ""
        multiples = f", each a multiple of {self.divisor}" if self.divisor > 1 else ""
        return (
            f"{self.multiplier:g} times all widths but those of the outputs{kept} would fit{multiples}: {costs} "
            f"({', '.join(named[:SHOWN])}{more})"
        )

    def to_dict(self) -> dict[str, Any]:
        """The advice for JSON."""
        return {
            "width_multiplier": self.multiplier,
            "costs": self.costs,
            "widths": {path: list(ends) for path, ends in self.widths.items()},
            "reason": self.reason or None,
            "custom_layers_kept": list(self.kept),
        }


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else show(value)


def narrower(arch: Architecture, budget: Budget) -> Advice | None:
    """What would make a network fit whose budget is exceeded; `None` where its widths are not plain numbers.

    The narrower networks are one space with one decision, whose networks are counted like any others.
    """
    space = arch.space
    if not isinstance(space, Space) or space.decisions:
        return None
    if len(arch.layers) > MOST_LAYERS:
        return Advice(reason=f"the network has more than {MOST_LAYERS:,} layers")
    fixed = dict.fromkeys(call.name for call in arch.network.calls if call.layer.IS_FIXED)
    if fixed:
        return Advice(reason=f"the weights of {listed(fixed)} are as they were read, whatever flows in")
    kept = {call.weights for call in _last(arch)}
    found = {
        path: width
        for call in arch.network.calls
        if call.weights not in kept
        for path, width in _widths(call.weights, call.layer.weights_of)
        if width > 1
    }
    if not found:
        return Advice(reason="it has no width but those of its outputs")
    advice = Advice()
    for divisor in DIVISORS:
        if all(width % divisor == 0 and width >= 2 * divisor for width in found.values()):
            advice = _largest(arch, space, budget, found, divisor)
            if advice.multiplier is not None or advice.reason:
                break
    return advice


def _largest(arch: Architecture, space: Space, budget: Budget, found: dict[str, int], divisor: int) -> Advice:
    """The largest multiplier of some widths, which stay multiples of a number."""
    try:
        multiplier = scale(SMALLEST, 1, divisor=divisor, name="width", step=STEP)
        varied = space.vary(dict.fromkeys(found, multiplier))
        values = varied.decisions["width"].values
        mask = varied.constraint(budget).mask({"width": list(values)})
        fitting = [value for value, fits in zip(values, mask, strict=True) if fits]
        chosen = varied.architecture(width=max(fitting) if fitting else min(values))
        if _shapes(chosen) != _shapes(arch):
            return Advice(reason="the shapes of its outputs would change")
    except ArchbudgetError as error:
        return Advice(reason=str(error))
    costs = {metric: chosen.costs[metric] for metric in budget}
    if not fitting:
        return Advice(costs=costs)
    after = {path: width for call in chosen.network.calls for path, width in _recorded(call)}
    widths = {path: (width, after[path]) for path, width in found.items() if after.get(path, width) != width}
    kept: dict[str, None] = {}
    for before, now in zip(arch.network.calls, chosen.network.calls, strict=True):
        if isinstance(before.layer, CustomLayer):
            # An argument of a custom layer changes only where a layer refuses the network otherwise.
            changed = {
                f"{before.weights}.{argument}": (given, now.record.arguments[argument])
                for argument, given in before.record.arguments.items()
                if now.record.arguments[argument] != given
            }
            widths.update(changed)
            if not changed and before.record.arguments:
                kept[before.layer.kind] = None
    return Advice(float(max(fitting)), costs, widths, divisor, kept=tuple(kept))


def _last(arch: Architecture) -> Iterator[Call]:
    """The calls whose widths are those of the outputs: behind them no other layer has a width."""
    network = arch.network
    seen: set[int] = set()
    waiting = list(network.outputs)
    while waiting:
        tensor = waiting.pop()
        if tensor in seen:
            continue
        seen.add(tensor)
        call = network.producer(tensor)
        if call is None:
            continue
        if any(True for _ in _widths(call.weights, call.layer.weights_of)):
            yield call
        else:
            waiting.extend(call.inputs)


def _widths(path: str, layer: Layer) -> Iterator[tuple[str, int]]:
    """The widths of a layer, and of those inside of it, by the paths of their arguments."""
    for argument, given in layer.arguments().items():
        if argument in layer.LAYERS:
            for number, inside in enumerate(given if isinstance(given, tuple) else (given,)):
                if isinstance(inside, Layer):
                    place = f"{argument}[{number}]" if isinstance(given, tuple) else argument
                    yield from _widths(f"{path}.{place}", inside)
        elif argument in WIDTHS and isinstance(given, int) and not isinstance(given, bool):
            yield f"{path}.{argument}", given


def _recorded(call: Call) -> Iterator[tuple[str, int]]:
    """The widths that a call of a varied network has, by the same paths."""

    def within(path: str, arguments: Any) -> Iterator[tuple[str, int]]:
        for argument, given in arguments.items():
            if isinstance(given, dict):
                yield from within(f"{path}.{argument}", given)
            elif isinstance(given, tuple) and any(isinstance(each, dict) for each in given):
                for number, each in enumerate(given):
                    yield from within(f"{path}.{argument}[{number}]", each)
            elif argument in WIDTHS and isinstance(given, int):
                yield f"{path}.{argument}", given

    return within(call.weights, call.record.arguments)


def _shapes(arch: Architecture) -> list[Any]:
    network = arch.network
    return [call.record.output_shapes for tensor in network.outputs if (call := network.producer(tensor)) is not None]
