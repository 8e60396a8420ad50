"""Following a function that describes networks: each path that Python can take through it, once.

The function runs again and again. What it is suggested is a symbol; where Python needs its value, the run takes the
next way on that was not taken yet. So runs go through a tree from left to right, and what was returned on both sides of
a fork is joined as soon as both are known: memory holds one path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

from archbudget._expressions import MOST_VALUES, Decision, Expression, require_few, require_name
from archbudget._message import one_line, show
from archbudget._nested import PLAIN, leaves
from archbudget.errors import ArchbudgetError, InvalidArchitectureError, LimitError, SpaceError
from archbudget.layers._base import Block, Layer, Tensor, as_tensor, flat
from archbudget.layers._structure import Sequential
from archbudget.space import description
from archbudget.space.architecture import Architecture, architecture_of
from archbudget.space.family import SETTINGS, Family, definition
from archbudget.space.joining import Box, Joined, Keys, branches_of, joined, row_of, simplified
from archbudget.space.rebuilding import tensors_to
from archbudget.space.suggested import FOLLOWER, Parameter, Spec, Suggested, Symbol
from archbudget.space.turns import Asked, Turn

if TYPE_CHECKING:
    from archbudget.layers._base import Tensor as TensorOf

S = TypeVar("S", bound=Family)

MOST_PATHS = 10_000
"""The most paths of a function that are followed."""

MOST_STEPS = 100_000
"""This often something may be suggested, or its value needed, on one path."""


class Answers(Protocol):
    """What a function is suggested."""

    def ask(self, name: str, values: Sequence[Any] | None, spec: Spec) -> Any:
        """The answer to one question; `values` is `None` where there are endless ones."""
        ...


class Question:
    """What a function is given in the place of a trial of Optuna, or of the hyperparameters of KerasTuner.

    Args:
        answers: What answers.
        number: The number of the trial, which no network may depend on.
    """

    datetime_start = None

    def __init__(self, answers: Answers, number: int = 0) -> None:
        self.number = number
        self._answers = answers
        self._known: dict[str, Any] = {}
        self._scopes: list[str] = []
        self._inactive = 0
        self.user_attrs: dict[str, Any] = {}
        self.system_attrs: dict[str, Any] = {}

    # Optuna's trial.

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> Any:
        """As a trial does."""
        low, high, step = (_plain(each) for each in (low, high, step))
        from optuna.distributions import IntDistribution

        distribution = IntDistribution(low, high, log=log, step=step)
        spec = Spec("int", distribution.low, distribution.high, distribution.step, distribution.log)
        values = range(spec.low, spec.high + 1, spec.step)
        return self._ask(name, values if len(values) <= MOST_VALUES else None, spec)

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False) -> Any:
        """As a trial does."""
        low, high, step = (_plain(each) for each in (low, high, step))
        from optuna.distributions import FloatDistribution

        distribution = FloatDistribution(low, high, log=log, step=step)
        spec = Spec("float", distribution.low, distribution.high, distribution.step, distribution.log)
        if spec.low == spec.high:
            return self._ask(name, [spec.low], spec)
        if spec.step is None:
            return self._ask(name, None, spec)
        count = round((spec.high - spec.low) / spec.step) + 1
        values = [float(spec.low + spec.step * index) for index in range(count)] if count <= MOST_VALUES else None
        return self._ask(name, values, spec)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """As a trial does."""
        values = [_plain(each) for each in choices]
        seen: set[Any] = set()
        for value in values:
            if not (value is None or isinstance(value, (bool, int, float, str))):
                raise SpaceError(
                    f"suggest_categorical({name!r}) has the choice {show(value)}; a choice is an int, float, str, bool "
                    "or None, also in the storages of Optuna: name it by text, and look it up in a dict"
                )
            if value in seen:
                raise SpaceError(f"suggest_categorical({name!r}) has the choice {show(value)} twice")
            seen.add(value)
        return self._ask(name, values, Spec("categorical"))

    @property
    def params(self) -> dict[str, Any]:
        """All that was suggested so far."""
        return dict(self._known)

    def set_user_attr(self, key: str, value: Any) -> None:
        """Keeps an attribute as long as the function runs."""
        self.user_attrs[key] = value

    def set_system_attr(self, key: str, value: Any) -> None:
        """Keeps an attribute as long as the function runs."""
        self.system_attrs[key] = value

    def report(self, value: float, step: int) -> None:
        """Nothing is kept."""

    def should_prune(self) -> bool:
        """Never."""
        return False

    def set_constraint(self, key: str, value: Any) -> None:
        """Nothing is kept."""

    # KerasTuner's hyperparameters.

    def Int(  # noqa: N802
        self,
        name: str,
        min_value: int,
        max_value: int,
        step: int | None = None,
        sampling: str | None = None,
        default: int | None = None,
        parent_name: str | None = None,
        parent_values: Any = None,
    ) -> Any:
        """As KerasTuner's."""
        low, high, step = (_plain(each) for each in (min_value, max_value, step))
        default = low if default is None else default
        _require_sampling(name, sampling, step)
        with self._under(parent_name, parent_values):
            if self._inactive:
                return default
            full = self._full(name)
            if sampling == "log" and step is not None:
                return self.suggest_categorical(full, [int(each) for each in _scale(low, high, step)])
            return self.suggest_int(full, low, high, step=1 if step is None else step, log=sampling == "log")

    def Float(  # noqa: N802
        self,
        name: str,
        min_value: float,
        max_value: float,
        step: float | None = None,
        sampling: str | None = None,
        default: float | None = None,
        parent_name: str | None = None,
        parent_values: Any = None,
    ) -> Any:
        """As KerasTuner's."""
        low, high, step = (_plain(each) for each in (min_value, max_value, step))
        default = low if default is None else default
        _require_sampling(name, sampling, step)
        with self._under(parent_name, parent_values):
            if self._inactive:
                return default
            full = self._full(name)
            if sampling == "log" and step is not None:
                return self.suggest_categorical(full, list(_scale(low, high, step)))
            return self.suggest_float(full, low, high, step=step, log=sampling == "log")

    def Choice(  # noqa: N802
        self,
        name: str,
        values: Sequence[Any],
        ordered: bool | None = None,
        default: Any = None,
        parent_name: str | None = None,
        parent_values: Any = None,
    ) -> Any:
        """As KerasTuner's."""
        del ordered
        with self._under(parent_name, parent_values):
            if self._inactive:
                return values[0] if default is None else default
            return self.suggest_categorical(self._full(name), values)

    def Boolean(  # noqa: N802
        self, name: str, default: bool = False, parent_name: str | None = None, parent_values: Any = None
    ) -> Any:
        """As KerasTuner's."""
        with self._under(parent_name, parent_values):
            return default if self._inactive else self.suggest_categorical(self._full(name), [True, False])

    def Fixed(self, name: str, value: Any, parent_name: str | None = None, parent_values: Any = None) -> Any:  # noqa: N802
        """As KerasTuner's: the value."""
        with self._under(parent_name, parent_values):
            if not self._inactive:
                self._known.setdefault(self._full(name), value)
        return value

    @contextmanager
    def name_scope(self, name: str) -> Iterator[None]:
        """As KerasTuner's."""
        self._scopes.append(_name_of(name))
        try:
            yield
        finally:
            self._scopes.pop()

    @contextmanager
    def conditional_scope(self, parent_name: str, parent_values: Any) -> Iterator[None]:
        """As KerasTuner's: what is asked for inside has its default where the parent has another value."""
        with self._under(parent_name, parent_values):
            yield

    @contextmanager
    def _under(self, parent: str | None, values: Any) -> Iterator[None]:
        inactive = False
        if parent is not None:
            wanted = values if isinstance(values, (list, tuple)) else [values]
            full = self._full(parent)
            if full not in self._known and parent not in self._known:
                if not self._inactive:
                    raise SpaceError(f"hyperparameter {show(parent)} is a parent, but was not asked for before")
                inactive = True
            else:
                known = self._known[full] if full in self._known else self._known[parent]
                inactive = not any(bool(known == each) for each in wanted)
        self._inactive += inactive
        try:
            yield
        finally:
            self._inactive -= inactive

    def get(self, name: str) -> Any:
        """The value of a hyperparameter that was asked for before."""
        full = self._full(name)
        if full not in self._known:
            raise SpaceError(f"{show(name)} was not asked for before")
        return self._known[full]

    @property
    def values(self) -> dict[str, Any]:
        """All that was asked for so far."""
        return dict(self._known)

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def _full(self, name: str) -> str:
        return "/".join([*self._scopes, _name_of(name)])

    def _ask(self, name: Any, values: Sequence[Any] | None, spec: Spec) -> Any:
        name = _name_of(name)
        self._known[name] = self._answers.ask(name, values, spec)
        return self._known[name]

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        raise SpaceError(
            f"the function asks for {show(name)}, which is not known before the search: it is followed by suggest_int, "
            "suggest_categorical, suggest_float of a trial, or Int, Choice, Boolean, Fixed, Float of KerasTuner"
        )


def _name_of(name: Any) -> str:
    """The name of what is asked for."""
    return require_name(str(name) if isinstance(name, Symbol) else name, "what is suggested needs a name,")


def _plain(value: Any) -> Any:
    """A value that Python needs."""
    if isinstance(value, Symbol):
        follower = FOLLOWER.get()
        assert follower is not None
        return follower.follow(value)
    return value.item() if hasattr(value, "item") and not isinstance(value, (str, bytes)) else value


def _require_sampling(name: str, sampling: Any, step: Any) -> None:
    if sampling not in (None, "linear", "log", "reverse_log") or (sampling == "reverse_log" and step is not None):
        raise SpaceError(f"hyperparameter {show(name)} has sampling={sampling!r}, which cannot be followed; see 'log'")


def _scale(low: Any, high: Any, step: Any) -> Iterator[Any]:
    value = low
    while value <= high:
        yield value
        value = value * step


@dataclass
class Frame:
    """A part of the path that is followed now, up to a fork."""

    asks: list[Asked] = field(default_factory=list)
    fork: Suggested | None = None
    groups: tuple[tuple[int, ...], ...] = ()
    taken: int = 0
    """The way that is followed."""
    found: Found | None = None
    """What was found on the ways before it, joined."""
    values: frozenset[int] = frozenset()
    """The values of these ways."""
    ways: list[tuple[frozenset[int], Turn]] = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """What some paths have come to."""

    row: Joined
    asked: dict[str, list[Box]]
    """When each value is asked for, from here on."""
    unwanted: dict[str, list[Box]]
    """When no network is wanted, by the reason."""
    turn: Turn


def _refuse_steps(name: str) -> NoReturn:
    raise SpaceError(
        f"the function does not come to an end: on one path it asks for decisions or needs their values more than "
        f"{MOST_STEPS:,} times, the last time {show(name)}"
    )


class Run:
    """One run of a function: it answers by symbols, and takes the next way where Python needs a value."""

    def __init__(self, frames: list[Frame], following: Following) -> None:
        self._frames = frames
        self._following = following
        self._depth = 0
        self._place = 0
        self._left: dict[str, Sequence[int]] = {}
        self._asked: dict[str, Asked] = {}
        self._steps = 0
        self.error: ArchbudgetError | None = None

    def _step(self, name: str) -> None:
        """Notes that something was suggested, or its value needed."""
        self._steps += 1
        if self._steps > MOST_STEPS:
            self._fail(lambda: _refuse_steps(name))

    def ask(self, name: str, values: Sequence[Any] | None, spec: Spec) -> Any:
        """A symbol, the same for the same name."""
        self._step(name)
        given = self._following.symbol(name, values, spec)
        if name in self._asked:
            return self._special(self._asked[name])
        frame = self._frames[self._depth]
        if self._depth < len(self._frames) - 1 or self._place < len(frame.asks):
            if self._place >= len(frame.asks) or frame.asks[self._place] is not given:
                self._refuse_change(f"asks for {show(name)}")
        else:
            frame.asks.append(given)
        self._place += 1
        self._asked[name] = given
        if isinstance(given, Suggested):
            self._left[name] = range(len(given.values))
        return self._special(given)

    def _special(self, given: Asked) -> Any:
        """`None`, True and False as they are, where they are followed at once."""
        if not self._following.eager or not isinstance(given, Suggested):
            return given
        special = [index for index, value in enumerate(given.values) if value is None or isinstance(value, bool)]
        left = self.left(given)
        if len(left) > 1 and special:
            rest = tuple(index for index in left if index not in special)
            self._fork(given, (*((index,) for index in special), *([rest] if rest else [])), "")
            left = self.left(given)
        return given.values[left[0]] if len(left) == 1 and left[0] in special else given

    def left(self, decision: Decision) -> Sequence[int]:
        """The indices of the values that are left."""
        return self._left.get(decision.name, range(len(decision.values)))

    @property
    def all_left(self) -> Mapping[str, Sequence[int]]:
        """The same for all decisions."""
        return self._left

    def follow(self, value: Expression, how: str = "") -> Any:
        """The value on this path."""
        parameters = list(value.parameters()) if isinstance(value, Symbol) else []
        for parameter in parameters:
            self._fail(parameter.refuse)
        decisions = {each.name: each for each in value.decisions() if isinstance(each, Suggested)}
        self._step(next(iter(decisions), ""))
        while True:
            several = [each for each in decisions.values() if len(self.left(each)) > 1]
            several.sort(key=lambda each: len(self.left(each)))
            known = {name: each.values[self.left(each)[0]] for name, each in decisions.items()}
            if not several:
                return value.at(known)
            own = several[0]
            if len(several) > 1:
                self._fork(own, tuple((index,) for index in self.left(own)), how)
                continue
            groups: dict[Any, list[int]] = {}
            for index in self.left(own):
                try:
                    made = value.at({**known, own.name: own.values[index]})
                    key = (type(made), made)
                    hash(key)
                except Exception as error:  # It is raised again where the path is followed.
                    key = ("raises", index, type(error))  # type: ignore[assignment]
                groups.setdefault(key, []).append(index)
            if len(groups) == 1:
                return value.at(known)
            self._fork(own, tuple(map(tuple, groups.values())), how)

    def _fork(self, decision: Suggested, groups: tuple[tuple[int, ...], ...], how: str) -> None:
        following, frame = self._following, self._frames[self._depth]
        if len(groups) > MOST_PATHS:
            self._fail(lambda: following.refuse_paths(decision.name, how))
        if self._depth == len(self._frames) - 1:
            frame.fork, frame.groups = decision, groups
            self._frames.append(Frame())
            following.count(decision.name, how)
        elif frame.fork is not decision or frame.groups != groups or self._place != len(frame.asks):
            self._refuse_change(f"needs the value of {show(decision.name)}")
        self._left[decision.name] = frame.groups[frame.taken]
        self._depth += 1
        self._place = 0

    def end(self) -> None:
        """Looks whether the run has come as far as the one before."""
        if self._depth < len(self._frames) - 1 or self._place < len(self._frames[-1].asks):
            self._refuse_change("returns earlier")

    def _refuse_change(self, what: str) -> NoReturn:
        def refuse() -> NoReturn:
            raise SpaceError(
                f"the function {what} where it did something else before with the same values; it may depend on "
                "nothing but what it is suggested: no random numbers, nothing kept from call to call, such as a list "
                "as a default argument"
            )

        self._fail(refuse)
        raise AssertionError

    def _fail(self, refuse: Callable[[], Any]) -> None:
        try:
            refuse()
        except ArchbudgetError as error:
            self.error = error  # The function may catch it.
            raise


class Following:
    """Follows a function.

    Args:
        build: The function.
        eager: Whether `None`, True and False are followed where they are suggested, as `is` cannot be.
    """

    def __init__(self, build: Callable[[Any], Any], *, eager: bool = False) -> None:
        self._build = build
        self.eager = eager
        self._symbols: dict[str, Asked] = {}
        self._specs: dict[str, tuple[Any, Spec]] = {}
        self._keys = Keys()
        self._forks: Counter[str] = Counter()
        self._how: dict[str, str] = {}
        self._turns: dict[Any, Turn] = {}
        self._sizes: dict[str, int] = {}
        self._settings: dict[str, Any] | None = None
        self.paths = 0

    def symbol(self, name: str, values: Sequence[Any] | None, spec: Spec) -> Asked:
        """The symbol of a name.

        Raises:
            SpaceError: If the name was asked for otherwise.
        """
        own = (None if values is None else tuple(values), spec)
        known = self._specs.get(name)
        if known is None:
            self._specs[name] = own
            self._symbols[name] = Parameter(name, spec) if values is None else Suggested(name, values, spec)
            self._sizes[name] = 0 if values is None else len(values)
        elif known != own:
            raise SpaceError(
                f"{show(name)} is asked for in two ways: {_said(known[1], known[0])}, and {_said(spec, own[0])}; give "
                "each a name of its own, or the same values to both"
            )
        return self._symbols[name]

    def count(self, name: str, how: str) -> None:
        """Notes that a decision forks a path."""
        self._forks[name] += 1
        if how:
            self._how[name] = how

    def refuse_paths(self, name: str, how: str) -> NoReturn:
        """Refuses a function of too many paths.

        Raises:
            LimitError: Always.
        """
        if how == "count":
            instead = f"layers.Repeat(number, [...]) takes the number {show(name)} as it was suggested"
        else:
            instead = f"layers.OneOf({name!r}, {{value: [...], ...}}) has the decision itself"
        raise LimitError(
            f"the function has more than {MOST_PATHS:,} paths, most of them as Python needs the value of {show(name)}; "
            f"without paths of their own, {instead}, and layers take a suggested value as an argument"
        )

    def found(self) -> tuple[Found, dict[str, Any]]:
        """What all paths have come to, and the settings of the spaces that the function returns."""
        frames = [Frame()]
        while True:
            result = self._run(frames)
            self.paths += 1
            found = result
            while True:
                frame = frames.pop()
                if frame.fork is None:
                    found = self._with_asks(found, frame.asks)
                else:
                    values = frozenset(frame.groups[frame.taken])
                    self._join(frame, values, found)
                    if frame.taken + 1 < len(frame.groups):
                        frame.taken += 1
                        frames += [frame, Frame()]
                        break
                    assert frame.found is not None
                    found = self._with_asks(self._forked(frame), frame.asks)
                if not frames:
                    return found, self._settings or {}
            if self.paths >= MOST_PATHS:
                name = max(self._forks, key=lambda each: (self._forks[each] * self._sizes[each], each))
                self.refuse_paths(name, self._how.get(name, ""))

    def _run(self, frames: list[Frame]) -> Found:
        from optuna import TrialPruned

        run = Run(frames, self)
        token = FOLLOWER.set(run)
        try:
            row = None
            reason = None
            try:
                returned = self._build(Question(run))
                run.end()
                inputs, outputs, settings = network_of(returned)
                if self._settings is None:
                    self._settings = settings
                elif self._settings != settings:
                    raise SpaceError("the function returns spaces with other settings, metrics or constraints")
                row = row_of(inputs, tensors_to([*inputs, *outputs]), outputs, run.all_left, self._keys)
            except TrialPruned as pruned:
                reason = one_line(pruned) or "the function prunes the trial"
            except InvalidArchitectureError as error:
                reason = one_line(error)
            except ArchbudgetError:
                raise
            except Exception as error:
                where = self._where(run)
                raise SpaceError(
                    f"the function raises {type(error).__name__}: {one_line(error)}{where}; raise optuna.TrialPruned "
                    "where no network is wanted"
                ) from error
            if run.error is not None:
                raise run.error
            if reason is not None:
                run.end()
                return Found(None, {}, {reason: [()]}, self._turn((), None, (), reason))
            return Found(row, {}, {}, self._turn((), None, (), None))
        finally:
            FOLLOWER.reset(token)

    def _where(self, run: Run) -> str:
        fixed = [
            f"{name}={self._symbols[name].values[left[0]]!r}" for name, left in run.all_left.items() if len(left) == 1
        ]
        return f" with {', '.join(fixed[:8])}" if fixed else ""

    def _join(self, frame: Frame, values: frozenset[int], found: Found) -> None:
        """Joins what was found on one way with what was found on those before."""
        assert frame.fork is not None
        name = frame.fork.name
        frame.ways.append((values, found.turn))
        asked = {each: _behind(name, values, boxes) for each, boxes in found.asked.items()}
        unwanted = {each: _behind(name, values, boxes) for each, boxes in found.unwanted.items()}
        if frame.found is None:
            frame.found = Found(found.row, asked, unwanted, found.turn)
        else:
            row = joined(name, (frame.values, frame.found.row), (values, found.row), self._keys)
            for before, more in ((frame.found.asked, asked), (frame.found.unwanted, unwanted)):
                for each, boxes in more.items():
                    before.setdefault(each, []).extend(boxes)
            frame.found = Found(row, frame.found.asked, frame.found.unwanted, found.turn)
        frame.values |= values

    def _forked(self, frame: Frame) -> Found:
        assert frame.found is not None
        asked = {each: simplified(boxes, self._sizes) for each, boxes in frame.found.asked.items()}
        unwanted = {each: simplified(boxes, self._sizes) for each, boxes in frame.found.unwanted.items()}
        return Found(frame.found.row, asked, unwanted, self._turn((), frame.fork, tuple(frame.ways), None))

    def _with_asks(self, found: Found, asks: Sequence[Asked]) -> Found:
        here: dict[str, list[Box]] = {each.name: [()] for each in asks}
        asked = {**found.asked, **here}
        turn = found.turn
        return Found(
            found.row, asked, found.unwanted, self._turn((*asks, *turn.asks), turn.fork, turn.ways, turn.unwanted)
        )

    def _turn(
        self,
        asks: tuple[Asked, ...],
        fork: Suggested | None,
        ways: tuple[tuple[frozenset[int], Turn], ...],
        unwanted: str | None,
    ) -> Turn:
        """A turn, one for all that are equal; a fork whose ways are one is none."""
        joined_ways: dict[Turn, frozenset[int]] = {}
        for values, way in ways:
            joined_ways[way] = joined_ways.get(way, frozenset()) | values
        if fork is not None and len(joined_ways) == 1:
            (only,) = joined_ways
            return self._turn((*asks, *only.asks), only.fork, only.ways, only.unwanted)
        plain = tuple((values, way) for way, values in joined_ways.items())
        key = (tuple(map(id, asks)), id(fork), tuple((values, id(way)) for values, way in plain), unwanted)
        if key not in self._turns:
            self._turns[key] = Turn(asks, fork, plain, unwanted)
        return self._turns[key]

    def definition(self) -> tuple[dict[str, Any], Turn]:
        """The definition of the space of all networks that the function returns."""
        found, settings = self.found()
        if found.row is None:
            reasons = ", ".join(sorted(found.unwanted))
            raise InvalidArchitectureError(f"the function wants no network at all: {reasons}")
        decisions = {name: each for name, each in self._symbols.items() if isinstance(each, Suggested)}
        inputs, block = branches_of(
            found.row, decisions, lambda name: found.asked.get(name, []), found.unwanted, self._keys, found.turn
        )
        sources = [as_tensor(each) for each in inputs]
        made = block(sources)
        return {**settings, "inputs": sources, "outputs": made}, found.turn


def _said(spec: Spec, values: Any) -> str:
    if spec.kind == "categorical":
        return f"suggest_categorical({show(list(values))})"
    more = "".join(
        f", {name}={value}" for name, value in (("step", spec.step), ("log", spec.log)) if value not in (None, False, 1)
    )
    return f"suggest_{spec.kind}({spec.low}, {spec.high}{more})"


def _behind(name: str, values: frozenset[int], boxes: Sequence[Box]) -> list[Box]:
    """Boxes behind some values of a decision."""
    made = []
    for box in boxes:
        own = dict(box).get(name, values) & values
        if own:
            made.append(((name, own), *((each, some) for each, some in box if each != name)))
    return made


def network_of(returned: Any) -> tuple[list[TensorOf], list[TensorOf], dict[str, Any]]:
    """The inputs and outputs of what a function returned, and the settings of a space.

    Raises:
        SpaceError: If it is no network.
    """
    if isinstance(returned, Family):
        given = definition(returned)
        settings = {name: given[name] for name in (*SETTINGS, "domains", "constraints", "metrics", "name")}
        if given["layers"] is not None:
            return *_in_a_row(given["layers"]), settings
        return list(given["inputs"]), list(given["outputs"]), settings
    if isinstance(returned, Sequential):
        returned = list(returned.blocks)
    if isinstance(returned, Mapping) and set(returned) == {"inputs", "outputs"}:
        returned = (returned["inputs"], returned["outputs"])
    if isinstance(returned, (list, tuple)):
        require_few(returned, "what the function returns")
        parts = list(leaves(returned))
        if any(isinstance(each, Tensor) for each in parts):
            if len(returned) == 2 and all(_is_input(each) for each in leaves(returned[0])):
                sources = returned[0] if isinstance(returned[0], (list, tuple)) else [returned[0]]
                return *description.graph(None, list(sources), returned[1]), {}
            return *_from_outputs([as_tensor(each) for each in parts]), {}
        if all(isinstance(each, Block) for each in parts) and parts:
            return *_in_a_row(list(returned)), {}
    if isinstance(returned, Tensor):
        return *_from_outputs([returned]), {}
    raise SpaceError(
        "the function must return a network: a list of layers, the first an Input; the output of layers that were "
        f"called on tensors, or (inputs, outputs); or a Space; not {show(returned)}"
    )


def _in_a_row(blocks: Sequence[Any]) -> tuple[list[TensorOf], list[TensorOf]]:
    """A list of layers as a graph."""
    description.graph(blocks, None, None)  # It refuses what is none.
    first, *rest = blocks
    source = as_tensor(first)
    return [source], flat(Sequential(rest)(source)) if rest else [source]


def _is_input(value: Any) -> bool:
    block = value.block if isinstance(value, Tensor) and not value.inputs else value
    return isinstance(block, Layer) and block.kind == "Input"


def _from_outputs(outputs: list[TensorOf]) -> tuple[list[TensorOf], list[TensorOf]]:
    sources = [each for each in tensors_to(outputs) if not each.inputs]
    return description.graph(None, sources, outputs)


class Given:
    """Answers by given values, and notes what was asked for."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self.asked: list[str] = []

    def ask(self, name: str, values: Sequence[Any] | None, spec: Spec) -> Any:
        """The given value.

        Raises:
            SpaceError: If none is given.
        """
        del values, spec
        if name not in self._values:
            raise SpaceError(f"the function asks for {show(name)} with known values alone")
        if name not in self.asked:
            self.asked.append(name)
        return self._values[name]


CHECKED = 200
"""The most paths on which what was followed is compared with what the function returns for known values."""


LATER_TRIAL = 10_007
"""The number of the first trial with known values."""


MOST_LOOKED_AT = 5_000
"""After this many layers no further path is compared."""


def followed(build: Callable[[Any], Any], make: Callable[..., S]) -> S:
    """The space of all networks that a function returns, compared with what it returns for known values.

    Args:
        build: The function.
        make: What makes a space of its definition.

    Raises:
        SpaceError: If the function cannot be followed.
        LimitError: If it has too many paths.
    """
    if not callable(build) or isinstance(build, (Block, Collection)):
        raise SpaceError(f"from_function takes a function of a trial, build(trial), not {show(build)}")
    wrong = ""
    for eager in (False, True):
        made, turns = Following(build, eager=eager).definition()
        space = make(**made)
        wrong = _difference(build, space, turns)
        if not wrong:
            return space
    raise SpaceError(
        f"the function returns another network for known values than for values that are open, {wrong}; it may depend "
        "on nothing but what it is suggested (no random numbers, nothing kept from call to call), which == compares, "
        "and not `is`, isinstance or type"
    )


def _difference(build: Callable[[Any], Any], space: Family, turns: Turn) -> str:
    """The first values for which a function and its space differ, in words; empty if none is found."""
    from optuna import TrialPruned

    random = Random(0)
    paths = list(islice(turns.paths(), MOST_PATHS))
    looked_at = 0
    compared = random.sample(paths, min(len(paths), CHECKED)) + random.choices(paths, k=CHECKED // 4)
    for number, path in enumerate(compared, LATER_TRIAL):
        values: dict[str, Any] = {}

        def ask(each: Asked, path: Mapping[str, frozenset[int]] = path, values: dict[str, Any] = values) -> int | None:
            if isinstance(each, Parameter):
                low, high = each.spec.low, each.spec.high
                values[each.name] = random.choice([low, high, (low + high) / 2 if each.spec.kind == "float" else low])
                return None
            index = random.choice(sorted(path.get(each.name, range(len(each.values)))))
            values[each.name] = each.values[index]
            return index

        end = turns.walked(ask)
        given = Given(values)
        shown = ", ".join(f"{name}={value!r}" for name, value in [*values.items()][:12]) or "without any"
        try:
            inputs, outputs, settings = network_of(build(Question(given, number)))
            alone = Family(inputs=inputs, outputs=outputs, **settings)
        except (TrialPruned, InvalidArchitectureError):
            if end.unwanted is None and _built(space, values) is not None:
                return f"as with {shown} it wants none"
            continue
        except SpaceError as error:
            return f"as with {shown}: {one_line(error)}"
        if given.asked != list(values):
            return f"as with {shown} it asks for {', '.join(given.asked) or 'nothing'}"
        if any(isinstance(each, Suggested) for each in alone.decisions.values()):
            return f"as with {shown} it returns layers that it kept from an earlier call"
        for more in _samples(alone, random):
            own = _built(space, {**values, **more})
            looked_at += 0 if own is None else len(own.layers)
            if end.unwanted is not None or own is None or _counts(own) != _counts(architecture_of(alone, more)):
                return f"as with {shown}"
        if looked_at > MOST_LOOKED_AT:
            break
    return ""


def _samples(space: Family, random: Random) -> list[dict[str, Any]]:
    """Some values of the decisions that the function has beside those that it was suggested; none where it has none."""
    if not space.decisions:
        return [{}]
    drawn = [{name: random.choice(each.values) for name, each in space.decisions.items()} for _ in range(CHECKED // 10)]
    return [values for values in drawn if _built(space, values) is not None]


def _built(space: Family, values: Mapping[str, Any]) -> Architecture | None:
    """The network of a space with some values; `None` if it cannot be built."""
    known = {name: value for name, value in values.items() if name in space.decisions}
    others = {name: value for name, value in values.items() if name not in space.decisions}
    try:
        return architecture_of(space, known).with_parameters(others)
    except InvalidArchitectureError:
        return None


def _counts(arch: Architecture) -> tuple[Any, ...]:
    """What is compared: the totals, and each layer."""
    rows = []
    for each in arch.layers:
        others = {name: value for name, value in each.other_arguments.items() if type(value) in PLAIN}
        counts = (each.params, each.trainable_params, each.macs, each.weight_bytes, each.reused)
        rows.append(repr((each.type, each.arguments, others, each.input_shapes, each.output_shapes, counts)))
    return arch.costs, sorted(rows)
