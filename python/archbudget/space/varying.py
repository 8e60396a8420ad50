"""Making a model searchable: decisions in the place of arguments of its layers, with what depends on them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Union

from archbudget._expressions import Choice, Expression, builtin, channels, require_name
from archbudget._face import Faced
from archbudget._guard import guarded, guards
from archbudget._message import hint, listed, show
from archbudget.errors import InvalidArchitectureError, SpaceError
from archbudget.layers._base import Layer
from archbudget.layers._custom import CustomLayer
from archbudget.space.family import compiled, definition
from archbudget.space.rebuilding import Rebuilding, with_arguments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from archbudget._records import Use
    from archbudget.space.architecture import Architecture
    from archbudget.space.family import Family

__all__ = ["Scale", "scale"]

CHANGE = "one change: {pattern: what stands there}, as in {'conv2d*.filters': ab.scale(0.5, 2)}, or ab.optional(layer)"
"""What `vary` takes."""
MOST_TOGETHER = 2
"""How often what follows an argument is looked for among what follows another one."""
MOST_WIDTHS = 4_096
"""The most values of one argument that is scaled."""

Factor = Union[int, float]


@guards()
@dataclass(frozen=True)
class Scale(metaclass=Faced):
    """Multiples of what an argument is; made by `scale`.

    Example:
        >>> import archbudget as ab
        >>> multiples = ab.scale(0.25, 1.5, divisor=8)
        >>> type(multiples).__name__, multiples.divisor
        ('Scale', 8)
    """

    low: Factor
    high: Factor
    divisor: int
    step: Factor
    name: str | None

    def rounded(self, number: Factor) -> int:
        """The multiple of the divisor nearest to a number, and at least the divisor."""
        return max(1, int(number / self.divisor + 0.5)) * self.divisor

    def widths(self, number: int) -> list[int]:
        """The values that an argument may have: multiples of the divisor in the range, and the number itself.

        Raises:
            SpaceError: If there are too many.
        """
        first = max(1, -int(-self.low * number // self.divisor))
        last = int(self.high * number // self.divisor)
        if last - first >= MOST_WIDTHS:
            raise SpaceError(
                f"scale: {number} times {self.low} to {self.high} has {last - first + 1:,} values; at most "
                f"{MOST_WIDTHS:,} are supported: give a larger divisor"
            )
        return sorted({number, *(each * self.divisor for each in range(first, last + 1))})

    def multipliers(self) -> list[float]:
        """The values of the decision by which all arguments are scaled alike, with 1 among them if it is in the range.

        Raises:
            SpaceError: If there are too many.
        """
        count = int((self.high - self.low) / self.step + 1e-9) + 1
        if count > MOST_WIDTHS:
            raise SpaceError(f"scale: {count:,} multipliers; at most {MOST_WIDTHS:,} are supported: give a larger step")
        found = {round(self.low + number * self.step, 9) for number in range(count)}
        return sorted({float(each) for each in found | ({1.0} if self.low <= 1 <= self.high else set())})


@guarded
def scale(low: float, high: float, *, divisor: int = 1, name: str | None = None, step: float = 0.01) -> Scale:
    """Multiples of what an argument is, for `Space.vary`.

    Without a name each argument has a decision of its own, over the multiples of `divisor` from `low` to `high` times
    the present number, and the present number. With a name all arguments are scaled by one decision of that name, a
    multiplier: each is the multiple of `divisor` nearest to its product with the multiplier, and at least `divisor`.

    Args:
        low: The smallest factor, above 0.
        high: The largest factor.
        divisor: What all new numbers are divisible by.
        name: The name of the decision that scales all arguments alike.
        step: The difference between two multipliers of that decision.

    Raises:
        SpaceError: If a number is not what it must be.

    Example:
        >>> import archbudget as ab
        >>> ab.scale(0.25, 1.5, divisor=8).widths(32)
        [8, 16, 24, 32, 40, 48]
    """
    low, high, divisor, step = (builtin(each) for each in (low, high, divisor, step))  # type: ignore[assignment]
    for what, number in (("low", low), ("high", high), ("step", step)):
        is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
        if not is_number or not 0 < number < 1e6:
            raise SpaceError(f"scale: {what} must be a number above 0, not {show(number)}")
    if low > high:
        raise SpaceError(f"scale: low must not be above high, and {low} is above {high}")
    if isinstance(divisor, bool) or not isinstance(divisor, int) or divisor < 1:
        raise SpaceError(f"scale: divisor must be an integer of at least 1, not {show(divisor)}")
    return Scale(low, high, divisor, step, None if name is None else require_name(name, "scale: name must be"))


@dataclass(frozen=True)
class Slot:
    """An argument of a layer, or an item of it."""

    layer: Layer
    argument: str
    item: int | None = None

    @property
    def value(self) -> Any:
        """What it is now."""
        given = self.layer.arguments()[self.argument]
        return given if self.item is None else given[self.item]

    @property
    def is_number(self) -> bool:
        """Whether it is a plain integer above 1, which may be the width of something."""
        return isinstance(self.value, int) and not isinstance(self.value, bool) and self.value > 1

    @property
    def is_spatial(self) -> bool:
        """Whether it says nothing of a width; what an argument of a custom layer says is not known."""
        return self.argument in SPATIAL and not isinstance(self.layer, CustomLayer)


Refused = tuple[int, InvalidArchitectureError]
"""The place of the first layer that refuses, and how."""
New = dict[Slot, Any]
"""What stands in the place of some arguments."""


def rebuilt(definition: Mapping[str, Any], new: New) -> dict[str, Any]:
    """The arguments of a space in which some arguments of layers are others."""
    by_layer: dict[Layer, dict[str, Any]] = {}
    for slot, value in new.items():
        arguments = by_layer.setdefault(slot.layer, {})
        if slot.item is None:
            arguments[slot.argument] = value
        else:
            items = list(arguments.get(slot.argument, slot.layer.arguments()[slot.argument]))
            items[slot.item] = value
            arguments[slot.argument] = tuple(items)

    def change(layer: Layer, described: Layer) -> Layer:
        return with_arguments(layer, by_layer[described]) if described in by_layer else layer

    return Rebuilding(change).definition(definition)


class Model:
    """The layers of a space, as `vary` reads them.

    Args:
        uses: The layers of the space.
    """

    def __init__(self, uses: Iterable[Use]) -> None:
        self.names: dict[Layer, list[str]] = {}
        self.slots: dict[str, list[Slot]] = {}
        """The arguments that have a path, by it: `conv2d.filters`, `bidirectional.layer.units`."""
        self.owners: dict[Slot, str] = {}
        """The first path of each."""
        for use in uses:
            owner = use.layer.weights_of
            self.names.setdefault(owner, []).append(use.weights)
            self._enter(use.weights, owner)

    def _enter(self, path: str, layer: Layer) -> None:
        for argument, given in layer.arguments().items():
            if argument in layer.LAYERS:
                several = given if isinstance(given, tuple) else (given,)
                for number, inside in enumerate(several):
                    if isinstance(inside, Layer):
                        place = f"{argument}[{number}]" if isinstance(given, tuple) else argument
                        self._enter(f"{path}.{place}", inside)
                continue
            if argument == "trainable":
                continue
            self._add(f"{path}.{argument}", Slot(layer, argument))
            if isinstance(given, tuple):
                for item in range(len(given)):
                    self._add(f"{path}.{argument}[{item}]", Slot(layer, argument, item))

    def _add(self, path: str, slot: Slot) -> None:
        self.slots.setdefault(path, []).append(slot)
        self.owners.setdefault(slot, path)

    def matching(self, pattern: object) -> list[Slot]:
        """The arguments that a pattern names, each once.

        Raises:
            SpaceError: If it names none, or only some uses of a layer that is used under several names.
        """
        if not isinstance(pattern, str) or "." not in pattern:
            raise SpaceError(
                f"vary takes patterns such as 'conv2d*.filters', the name of a layer and of its argument, not "
                f"{show(pattern)}"
            )
        plain = pattern.replace("[", "[[]")
        found = {path: slots for path, slots in self.slots.items() if fnmatchcase(path, plain)}
        if not found:
            near = [path for path in self.slots if path.rpartition(".")[2] == pattern.rpartition(".")[2]]
            raise SpaceError(
                f"vary: no layer has an argument that matches {show(pattern)}"
                f"{hint(pattern, list(self.slots)) or (f'; there are {listed(near)}' if near else '')}"
            )
        chosen = dict.fromkeys(slot for slots in found.values() for slot in slots)
        for slot in chosen:
            paths = [path for path, slots in self.slots.items() if slot in slots]
            left = [path for path in paths if path not in found]
            if left:
                raise SpaceError(
                    f"vary: {show(pattern)} matches {paths[0] if paths[0] in found else paths[-1]}, but {left[0]} is "
                    "the same argument of the same layer: give a pattern that matches both"
                )
        return list(chosen)


SPATIAL = {
    *("kernel_size", "strides", "pool_size", "dilation_rate", "padding", "output_padding", "explicit_padding", "size"),
    *("cropping", "height", "width", "axis", "dims", "axes", "num_heads", "seed"),
}
"""The arguments that are no widths, so that they never follow one."""


class Ties:
    """Which arguments must change together: found by doubling some of them, and looking which layer refuses.

    Layers are applied in order. A network in which one width is doubled fails at the first layer that needs another one
    to be doubled, too; an argument that belongs to it lets the network go on, at least to a later layer. Where it needs
    several at once, the first of them makes an earlier layer refuse, or the same one with other shapes, and what
    follows is found in the same way.

    Args:
        space: The space.
        arch: A network of it.
        model: Its layers.
        follows: What depends on channels that flow in.
        make: Makes a space of a definition.
    """

    def __init__(
        self, space: Family, arch: Architecture, model: Model, follows: New, make: Callable[[dict[str, Any]], Any]
    ) -> None:
        self._definition = definition(space)
        self._values = dict(arch)
        self._model = model
        self._follows = follows
        self._make = make

    def closure(self, roots: list[Slot], others: list[Slot]) -> list[Slot]:
        """The roots, and those of the others that must change with them.

        Raises:
            SpaceError: If a layer refuses whatever changes with them.
        """
        probes = {slot: f"probe{number}" for number, slot in enumerate([*roots, *others])}
        doubled = {slot: Choice(name, [slot.value, 2 * slot.value]) for slot, name in probes.items()}
        space = self._make(rebuilt(self._definition, {**self._follows, **doubled}))
        order = {name: place for place, name in enumerate(space.layer_names)}
        stands = {slot: self._place(slot, order) for slot in others}
        names = {
            slot: [each for each in space.decisions if re.fullmatch(rf"{name}(_\d+)*", each)]
            for slot, name in probes.items()
        }

        def refusing(chosen: list[Slot]) -> Refused | None:
            """The place of the first layer that refuses, and how."""
            values = {
                each: slot.value * (2 if slot in chosen else 1) for slot, every in names.items() for each in every
            }
            try:
                space.architecture({**self._values, **values})
            except InvalidArchitectureError as error:
                return order.get(error.layer or "", -1), error
            return None

        def past(chosen: list[Slot], now: Refused, depth: int = 0) -> list[Slot] | None:
            """What is chosen, and what lets the network go on past the layer that refuses: the nearest that do.

            Of several sides of one shape, channels are the one that is as wide as what is chosen, or else the last.
            """
            place, error = now
            near = [slot for slot in others if slot not in chosen and stands[slot] <= place]
            half = []
            for slot in sorted(
                near, key=lambda each: (-stands[each], each.value != chosen[0].value, -(each.item or 0))
            ):
                later = refusing([*chosen, slot])
                if later is None or later[0] > place:
                    return [*chosen, slot]
                if later[0] < place or str(later[1]) != str(error):
                    half.append(slot)
            for slot in half if depth < MOST_TOGETHER else ():
                more: list[Slot] | None = [*chosen, slot]
                while more is not None and (refused := refusing(more)) is not None and refused[0] <= place:
                    more = past(more, refused, depth + 1)
                if more is not None:
                    return more
            return None

        found = list(roots)
        while (refused := refusing(found)) is not None:
            error = refused[1]
            more = past(found, refused)
            if more is None:
                root = self._model.owners[roots[0]]
                raise SpaceError(
                    f"vary: {root} cannot change by itself: with twice its value layer '{error.layer}' ({error.kind}) "
                    f"refuses, and no other argument follows: {error}"
                )
            found = more
        return found

    def _place(self, slot: Slot, order: Mapping[str, int]) -> int:
        """Where the layer of an argument is applied first."""
        names = self._model.names.get(slot.layer) or [self._model.owners[slot].partition(".")[0]]
        return min(order.get(name, -1) for name in names)


def varied(
    space: Family, arch: Architecture, changes: Mapping[str, Any], make: Callable[[dict[str, Any]], Any]
) -> dict[str, Any]:
    """The definition of a space whose layers have decisions in the place of arguments; see `Space.vary`."""
    if not isinstance(changes, Mapping):
        raise SpaceError(f"vary takes a mapping from patterns to what stands there, not {show(changes)}")
    if not changes:
        raise SpaceError(f"vary takes at least {CHANGE}, not {show(changes)}")
    model = Model(compiled(space).uses)
    new: New = {}
    scaled: dict[Slot, Scale] = {}
    patterns: dict[Slot, str] = {}
    for pattern, given in changes.items():
        for slot in model.matching(pattern):
            path = model.owners[slot]
            if slot in patterns:
                raise SpaceError(f"vary: {path} matches both {show(patterns[slot])} and {show(pattern)}")
            patterns[slot] = pattern
            if isinstance(slot.value, Expression):
                raise SpaceError(f"vary: {path} is set by {show(slot.value)} already; with_domains narrows a decision")
            if isinstance(given, Scale):
                if not isinstance(slot.value, int) or isinstance(slot.value, bool) or slot.value < 1:
                    raise SpaceError(f"vary: {path} is {show(slot.value)}, which scale cannot multiply")
                scaled[slot] = given
            elif isinstance(given, (list, set, frozenset, range, dict)):
                raise SpaceError(
                    f"vary: {show(pattern)}: values to choose from are a decision, ab.Choice(name, {show(given)}), "
                    "which all matching arguments share"
                )
            else:
                new[slot] = given
        _require_choice(pattern, [slot for slot in scaled if patterns[slot] == pattern], scaled, model)
    if scaled:
        follows = _channels(model, arch, new)
        scaled = {slot: each for slot, each in scaled.items() if slot not in follows}
        new.update(follows)
        _scale(model, Ties(space, arch, model, follows, make), new, scaled)
    return rebuilt(definition(space), new)


def _multiples(given: Scale, number: int) -> dict[float, int]:
    """What an argument is at each multiplier: itself at 1, and else what it is rounded to."""
    return {each: number if each == 1 else given.rounded(number * each) for each in given.multipliers()}


def _require_choice(pattern: str, slots: list[Slot], scaled: Mapping[Slot, Scale], model: Model) -> None:
    """Refuses a scale that leaves each argument that its pattern matches a single value."""

    def values(slot: Slot) -> Iterable[int]:
        given = scaled[slot]
        return given.widths(slot.value) if given.name is None else _multiples(given, slot.value).values()

    if not slots or any(len(set(values(slot))) > 1 for slot in slots):
        return
    path, number, given = model.owners[slots[0]], slots[0].value, scaled[slots[0]]
    also = f", and so do {len(slots) - 1} more that {show(pattern)} matches" if len(slots) > 1 else ""
    raise SpaceError(
        f"vary: {path}, which is {number}, has a single value at {given.low} to {given.high} times as much in "
        f"multiples of {given.divisor}{also}: give a wider range or a smaller divisor"
    )


def _channels(model: Model, arch: Architecture, new: New) -> New:
    """The groups of depthwise convolutions, and their filters, as the channels that flow in."""
    follows: New = {}
    for record in arch.layers:
        groups, filters = record.arguments.get("groups", 1), record.arguments.get("filters")
        axis = 0 if record.arguments.get("data_format") == "channels_first" else -1
        slots = model.slots.get(f"{record.name}.groups"), model.slots.get(f"{record.name}.filters")
        if groups == 1 or filters is None or slots[0] is None or slots[1] is None:
            continue
        grouped, made = slots[0][0], slots[1][0]
        plain = not any(isinstance(slot.value, Expression) or slot in new for slot in (grouped, made))
        if plain and groups == record.input_shapes[0][axis] and filters % groups == 0:
            follows[grouped] = channels(axis)
            follows[made] = channels(axis) if filters == groups else channels(axis) * (filters // groups)
    return follows


def _scale(model: Model, ties: Ties, new: New, scaled: dict[Slot, Scale]) -> None:
    """Puts decisions in the place of arguments that are scaled, the same one where they must be equal."""
    free = [
        slot
        for slot in model.owners
        if slot.is_number
        and slot.layer.kind != "Input"
        and not slot.is_spatial
        and slot not in new
        and slot not in scaled
    ]
    together: dict[str, list[Slot]] = {}
    for slot, each in scaled.items():
        if each.name is not None:
            together.setdefault(each.name, []).append(slot)
    for name, slots in together.items():
        one = scaled[slots[0]]
        if any(scaled[slot] != one for slot in slots):
            raise SpaceError(f"vary: two scales have the name {name} and differ")
        multiplier = Choice(name, one.multipliers())
        spatial = all(slot.is_spatial for slot in slots)
        for slot in slots if spatial else ties.closure(slots, free):
            base = slot if slot in scaled else _base(slot, slots, model)
            new[slot] = _times(multiplier.map(_multiples(one, base.value)), slot, base)
    alone = [slot for slot, each in scaled.items() if each.name is None]
    while alone:
        root = alone[0]
        others = [slot for slot in [*alone[1:], *free] if slot not in new and slot.value % root.value == 0]
        tied = [root] if root.is_spatial else ties.closure([root], others)
        path = re.sub(r"\W+", "_", model.owners[root]).strip("_")
        decision = Choice(path, scaled[root].widths(root.value))
        for slot in tied:
            new[slot] = _times(decision, slot, root)
        alone = [slot for slot in alone if slot not in tied]


def _base(slot: Slot, slots: list[Slot], model: Model) -> Slot:
    """The scaled argument that another one follows: the largest of which it is a multiple."""
    bases = [each for each in slots if slot.value % each.value == 0]
    if not bases:
        raise SpaceError(f"vary: {model.owners[slot]} must follow arguments that are scaled, and is no multiple of one")
    return max(bases, key=lambda each: each.value)


def _times(width: Expression, slot: Slot, base: Slot) -> Expression:
    factor = slot.value // base.value
    return width if factor == 1 else width * factor
