"""Random functions that describe networks, and all networks that one returns, found one by one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import optuna

from archbudget import layers


class Trying:
    """A trial that takes given choices, and the first one behind them; it notes what else there was."""

    def __init__(self, plan: list[int]) -> None:
        self.plan = plan
        self.params: dict[str, Any] = {}
        self.taken: list[tuple[int, int]] = []

    def _take(self, name: str, values: list[Any]) -> Any:
        if name not in self.params:
            index = self.plan[len(self.taken)] if len(self.taken) < len(self.plan) else 0
            self.taken.append((index, len(values)))
            self.params[name] = values[index]
        return self.params[name]

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        del log
        return self._take(name, list(range(low, high + 1, step)))

    def suggest_categorical(self, name: str, choices: list[Any]) -> Any:
        return self._take(name, list(choices))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        del high, step, log
        return self._take(name, [low])


def every(build: Callable[[Any], Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """All assignments of a function, with what it returns for each; `None` where it prunes the trial."""
    plan: list[int] | None = []
    while plan is not None:
        trial = Trying(plan)
        try:
            made = build(trial)
        except optuna.TrialPruned:
            made = None
        yield trial.params, made
        taken = trial.taken
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken = taken[:-1]
        plan = [index for index, _ in taken[:-1]] + [taken[-1][0] + 1] if taken else None


def random_function(seed: int) -> Callable[[Any], Any]:
    """A function of a random script: questions, loops, conditions, arithmetic, residual connections."""
    source = random.Random(seed)
    names = iter(range(1000))
    script = _block(source, names, depth=0, known=[])
    graph = source.random() < 0.4

    def build(trial: Any) -> Any:
        state = _State(trial, graph)
        state.run(script)
        return state.end()

    build.script = script  # type: ignore[attr-defined]
    return build


def _block(source: random.Random, names: Iterator[int], depth: int, known: list[str]) -> list[Any]:
    rows: list[Any] = []
    known = list(known)
    for _ in range(source.randint(1, 3 if depth else 4)):
        kinds = ["ask", "layer", "layer", "weights"]
        if depth < 2 and known:
            kinds += ["if", "for", "pick", "if"]
        if known:
            kinds += ["format", "residual", "minimum"]
            if source.random() < 0.15:
                kinds.append("prune")
        kind = source.choice(kinds)
        if kind in ("ask", "layer", "weights"):
            name = f"p{next(names)}"
            how = source.choice(["int", "int", "words", "numbers", "flag", "float", "rate"])
            rows.append(("ask", name, how, source.randint(1, 3), source.randint(1, 2), source.random() < 0.3))
            known.append(name)
            if kind != "ask":
                rows.append(
                    (
                        kind,
                        source.choice(known),
                        source.choice(["as is", "twice", "ratio", "floor", "sum", "part"]),
                        source.choice(known),
                    )
                )
        elif kind in ("if", "for", "pick"):
            rows.append(
                (
                    kind,
                    source.choice(known),
                    source.randint(1, 3),
                    _block(source, names, depth + 1, known),
                    _block(source, names, depth + 1, known),
                )
            )
        else:
            rows.append((kind, source.choice(known), source.randint(1, 3)))
    return rows


class _State:
    def __init__(self, trial: Any, graph: bool) -> None:
        self.trial = trial
        self.graph = graph
        self.known: dict[str, Any] = {}
        self.loops: tuple[int, ...] = ()
        source = layers.Input((6,))
        self.rows: list[Any] = [source]
        self.tensor: Any = source
        self.shared = layers.Dense(6)
        self.words: set[str] = set()
        self.floats: set[str] = set()

    def add(self, block: Any) -> None:
        if self.graph:
            self.tensor = block(self.tensor)
        else:
            self.rows.append(block)

    def number(self, name: str) -> Any:
        """A number of a name that may be none."""
        value = self.known.get(name, 2)
        if name in self.words:
            return {"a": 2, "b": 3}[value]
        return round(value * 4) if name in self.floats else value

    def run(self, script: list[Any]) -> None:
        for kind, name, *rest in script:
            getattr(self, f"do_{kind}")(name, *rest)

    def do_ask(self, name: str, how: str, low: int, count: int, numbered: bool) -> None:
        full = name + "".join(f"_{i}" for i in self.loops) if numbered else name
        trial = self.trial
        if how == "int":
            value = trial.suggest_int(full, low, low + 2 * count, step=2 if count == 2 else 1)
        elif how == "words":
            value = trial.suggest_categorical(full, ["a", "b"])
        elif how == "numbers":
            value = trial.suggest_categorical(full, [4, 2, 8][: count + 1])
        elif how == "flag":
            value = trial.suggest_categorical(full, [False, True])
        elif how == "float":
            value = trial.suggest_categorical(full, [0.5, 1.0])
        else:
            rate = trial.suggest_float(full, 0.0, 0.4)
            self.add(layers.Dropout(rate if low > 1 else 1 - rate))
            value = low
        self.known[name] = value
        self.words |= {name} if how == "words" else set()
        self.floats |= {name} if how == "float" else set()

    def do_layer(self, name: str, how: str, other: str) -> None:
        self.add(layers.Dense(self.size(name, how, other), activation="relu"))

    def do_weights(self, name: str, how: str, other: str) -> None:
        del how, other
        value = self.known.get(name)
        if name.endswith("1"):
            self.add(layers.BatchNormalization())
        elif name.endswith("2"):
            self.add(layers.Dense(6))
            self.add(self.shared)
        else:
            self.add(layers.Dense(5, use_bias=value == 2, name=None))

    def size(self, name: str, how: str, other: str) -> Any:
        value, more = self.number(name), self.number(other)
        if how == "twice":
            return value * 2 + 1
        if how == "ratio":
            return round(value * 3 / 2) + 1
        if how == "floor":
            return 17 // (value + 1) + 1
        if how == "sum":
            return value + more + 1
        if how == "part":
            return int(8 * more) + 1
        return value + 1

    def do_if(self, name: str, limit: int, then: list[Any], otherwise: list[Any]) -> None:
        value = self.number(name)
        self.run(then if value > limit else otherwise)

    def do_for(self, name: str, limit: int, body: list[Any], after: list[Any]) -> None:
        del limit
        times = self.number(name)
        for index in range(min(int(times), 3)):
            self.loops = (*self.loops, index)
            self.run(body)
            self.loops = self.loops[:-1]
        self.run(after)

    def do_pick(self, name: str, limit: int, one: list[Any], other: list[Any]) -> None:
        value = self.known.get(name, 1)
        self.run({"a": one, limit: one, True: other}.get(value, other))

    def do_format(self, name: str, limit: int) -> None:
        del limit
        value = f"{self.known.get(name, 0)}"
        self.add(layers.Activation("relu" if value in ("1", "a", "True") else "tanh"))

    def do_residual(self, name: str, limit: int) -> None:
        width = 4 + limit
        self.add(layers.Dense(width))
        if self.graph:
            before = self.tensor
            self.tensor = layers.Add()([before, layers.Dense(width, use_bias=self.known.get(name) == 1)(before)])
        elif self.known.get(name) == 2:
            self.add(layers.Residual([layers.Dense(width)]))
        else:
            self.add(layers.Residual([layers.Dense(3), layers.Dense(width)]))

    def do_minimum(self, name: str, limit: int) -> None:
        self.add(layers.Dense(min(self.number(name), limit) + 1))

    def do_prune(self, name: str, limit: int) -> None:
        if self.number(name) == limit:
            raise optuna.TrialPruned("not wanted")

    def end(self) -> Any:
        self.add(layers.Dense(2))
        return self.tensor if self.graph else self.rows
