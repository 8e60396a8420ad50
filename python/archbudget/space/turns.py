"""What a function asks a trial for, in its order: a tree that forks where the function does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Union

from archbudget.space.suggested import Parameter, Suggested

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from optuna.trial import BaseTrial

    from archbudget._expressions import Decision

Asked = Union[Suggested, Parameter]


@dataclass(frozen=True, eq=False)
class Turn:
    """What is asked for until the function forks, returns, or wants no network."""

    asks: tuple[Asked, ...]
    fork: Suggested | None = None
    """The value by which it forks; `None` at the end of a path."""
    ways: tuple[tuple[frozenset[int], Turn], ...] = ()
    """For each way on the values that lead to it."""
    unwanted: str | None = None
    """Why no network is wanted, at the end of such a path."""

    def way(self, index: int) -> Turn:
        """The way on with a value."""
        return next(turn for values, turn in self.ways if index in values)

    def walked(self, ask: Callable[[Asked], int | None]) -> Turn:
        """Asks for all on one path, and returns its end.

        Args:
            ask: A function that asks for a value, and returns its index if it is a decision.
        """
        turn, taken = self, {}
        while True:
            for each in turn.asks:
                taken[each.name] = ask(each)
            if turn.fork is None:
                return turn
            index = taken[turn.fork.name]
            assert index is not None
            turn = turn.way(index)

    def paths(self) -> Iterator[dict[str, frozenset[int]]]:
        """For each path the values that lead to it, of the decisions that it forks by."""
        waiting: list[tuple[Turn, dict[str, frozenset[int]]]] = [(self, {})]
        while waiting:
            turn, left = waiting.pop()
            if turn.fork is None:
                yield left
                continue
            for values, way in reversed(turn.ways):
                own = values & left.get(turn.fork.name, values)
                if own:
                    waiting.append((way, {**left, turn.fork.name: own}))


def asked_of(trial: BaseTrial, turns: Turn, decisions: Mapping[str, Decision]) -> tuple[dict[str, int], str | None]:
    """Asks a trial for all that the function would ask for, in its order.

    Args:
        trial: The trial.
        turns: What it is asked for.
        decisions: The decisions of the space, which may have fewer values left.

    Returns:
        The indices of the values of decisions of the space, and why no network is wanted, if none is.
    """
    taken: dict[str, int] = {}

    def ask(each: Asked) -> int | None:
        if isinstance(each, Parameter):
            each.spec.ask(trial, each.name, ())
            return None
        own = decisions.get(each.name)
        if not isinstance(own, Suggested):
            return each.index(each.spec.ask(trial, each.name, each.values))
        value = own.spec.ask(trial, own.name, own.values)
        taken[own.name] = own.index(value)
        return each.index(own.values[taken[own.name]])

    return taken, turns.walked(ask).unwanted


def parameters_of(turns: Turn, decisions: Mapping[str, Any]) -> set[str]:
    """The names of all that the function asks for beside the decisions of the space."""
    found: set[str] = set()
    seen: set[int] = set()
    waiting = [turns]
    while waiting:
        turn = waiting.pop()
        if id(turn) not in seen:
            seen.add(id(turn))
            found.update(each.name for each in turn.asks if each.name not in decisions)
            waiting.extend(way for _, way in turn.ways)
    return found
