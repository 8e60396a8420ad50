"""Random parts of a space: some values of its decisions, or the networks that meet a condition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import archbudget as ab
from archbudget import layers
from archbudget.space.description import described

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from random import Random

    from archbudget._expressions import Decision, Expression


def read_by(block: Any, names: Sequence[str]) -> list[str]:
    """Those of the names that are decisions of a block."""
    found = described([layers.Input((4,)), layers.Repeat(1, block)])
    return [name for name in names if any(each.startswith(f"{name}_") for each in found)]


def restrict(rng: Random, space: ab.Space) -> dict[str, list[Any]]:
    """Some values of some decisions, in any order."""
    domains = {}
    for name, decision in space.decisions.items():
        if rng.random() < 0.6:
            domains[name] = rng.sample(decision.values, rng.randint(1, len(decision.values)))
    return domains


class Condition(NamedTuple):
    """A constraint, and what it means."""

    expression: Expression
    reads: frozenset[str]
    holds: Callable[[Mapping[str, Any]], bool]

    def allows(self, network: Mapping[str, Any]) -> bool:
        return not self.reads <= set(network) or self.holds(network)


def same(left: Any, right: Any) -> bool:
    """Whether two values are one: 1 and True are two."""
    return (type(left), left) == (type(right), right)


def draw_condition(rng: Random, decisions: list[Decision], depth: int = 1) -> Condition:
    """A random condition over some of these decisions."""
    if depth and rng.random() < 0.3:
        one, two = (draw_condition(rng, decisions, depth - 1) for _ in range(2))
        if rng.random() < 0.5:
            return Condition(
                ab.both(one.expression, two.expression), one.reads | two.reads, lambda n: one.holds(n) and two.holds(n)
            )
        return Condition(
            ab.either(one.expression, two.expression), one.reads | two.reads, lambda n: one.holds(n) or two.holds(n)
        )
    first = rng.choice(decisions)
    a = first.name
    if not first.is_integer or rng.random() < 0.2:
        value = rng.choice(first.values)
        if rng.random() < 0.5:
            return Condition(ab.equal(first, value), frozenset({a}), lambda n: same(n[a], value))
        return Condition(ab.different(first, value), frozenset({a}), lambda n: not same(n[a], value))
    second: Any = rng.choice([decision for decision in decisions if decision.is_integer])
    b, shift = second.name, rng.randint(-1, 1)
    expression, holds = rng.choice(
        [
            (first + shift <= second, lambda n: n[a] + shift <= n[b]),
            (first < second + shift, lambda n: n[a] < n[b] + shift),
            (first > second * shift, lambda n: n[a] > n[b] * shift),
            (first >= second - shift, lambda n: n[a] >= n[b] - shift),
            (ab.equal(first, second + shift), lambda n: n[a] == n[b] + shift),
            (ab.different(first, second), lambda n: n[a] != n[b]),
        ]
    )
    return Condition(expression, frozenset({a, b}), holds)
