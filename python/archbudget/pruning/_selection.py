"""Which channels are kept: by the widths of a network and the importance of each channel, or as it is said."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from archbudget._message import hint, listed, show
from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from archbudget.pruning._channels import Numbers
    from archbudget.pruning._plan import Kept, Plan
    from archbudget.pruning._walk import Walk

Scores = npt.NDArray[np.float64]


class Part(NamedTuple):
    """Channels among which each may be kept in the place of another one."""

    classes: Numbers
    """Their classes, the most important first, and those that must stay before all others."""
    held: int
    """How many must stay."""


class Owner(NamedTuple):
    """A layer whose width says how many channels of some parts are kept, of each equally many."""

    plan: Plan
    parts: list[int]


class Gain(NamedTuple):
    """What the widths of a layer come to."""

    width: str
    """The argument of the layer."""
    total: Scores
    """The sum of the importances that a width keeps; NaN for one that the layer cannot have."""
    why: str
    """Why some channels must stay, if any must."""


class Selection:
    """The channels of a model with their importances.

    Args:
        walk: The model.
        importances: Numbers by the names of layers, one for each channel that the layer gives; by default the sum of
            the absolute weights that make it.
    """

    def __init__(self, walk: Walk, importances: Any) -> None:
        self.walk = walk
        self.what = walk.what
        self.classes = walk.channels.classes()
        self.by_name = {plan.name: plan for plan in walk.plans.values()}
        self.makers = [plan for plan in walk.plans.values() if plan.width is not None and plan.channels is not None]
        """The layers with a width."""
        self.why: dict[int, str] = {}
        """Why a class must stay."""
        for numbers, why in walk.channels.held:
            for each in np.unique(self.classes[numbers]).tolist():
                self.why.setdefault(each, why)
        self.scores, self.is_scored = self._scores(importances)
        self.parts: list[Part] = []
        self.part_of = np.full(len(self.classes), -1)
        """The part of each class."""
        self.owners: list[Owner] = []
        self._divide()

    def _scores(self, importances: Any) -> tuple[Scores, Kept]:
        """The importance of each class, summed over the layers that have it, and whether any layer said one."""
        scores, said = np.zeros(len(self.classes)), np.zeros(len(self.classes), bool)
        if importances is None:
            importances = {plan.name: magnitude(plan) for plan in self.makers}
        if not isinstance(importances, Mapping):
            raise SpaceError(
                f"{self.what}: importances must be a mapping from the names of layers to arrays, not "
                f"{show(importances)}"
            )
        for name, given in importances.items():
            channels = self._channels(name)
            try:
                numbers = np.asarray(row(given, len(channels)), dtype=np.float64)
            except (TypeError, ValueError, OverflowError):
                numbers = np.empty(0)
            if numbers.shape != channels.shape or not np.isfinite(numbers).all():
                raise SpaceError(
                    f"{self.what}: importances of layer {show(name)} must be {len(channels)} finite numbers, one for "
                    f"each channel that it gives, not {show(given)}"
                )
            np.add.at(scores, self.classes[channels], numbers)
            said[self.classes[channels]] = True
        return scores, said

    def _channels(self, name: object) -> Numbers:
        """The channels that a layer gives.

        Raises:
            SpaceError: If there is no such layer.
        """
        plan = self.by_name.get(name) if isinstance(name, str) else None
        if plan is None or plan.channels is None:
            names = [each for each, plan in self.by_name.items() if plan.channels is not None]
            known = hint(name, names) if isinstance(name, str) else ""
            raise SpaceError(f"{self.what}: no layer {show(name)} gives channels that may be left out{known}")
        return plan.channels

    def _divide(self) -> None:
        """Finds the parts, and whose width says how many channels of each are kept."""
        grouped = [np.unique(block) for plan in self.walk.plans.values() for block in self._blocks(plan)]
        places: dict[int, list[int]] = {}
        sets = [np.unique(self._of(plan)) for plan in self.makers] + grouped
        for number, members in enumerate(sets):
            for each in members.tolist():
                places.setdefault(each, []).append(number)
        by_place: dict[tuple[int, ...], list[int]] = {}
        for each, found in places.items():
            by_place.setdefault(tuple(found), []).append(each)
        number_of: dict[int, int] = {}
        for members_of in by_place.values():
            number_of.update(dict.fromkeys(members_of, len(self.parts)))
            self.part_of[members_of] = len(self.parts)
            members_of.sort(key=lambda each: (each not in self.why, -self.scores[each], each))
            held = sum(each in self.why for each in members_of)
            self.parts.append(Part(np.array(members_of, np.int64), held))
        even = [
            {frozenset(number_of[each] for each in self.classes[block].tolist()) for block in plan.blocks()}
            for plan in self.walk.plans.values()
            if plan.groups > 1
        ]
        for plan in self.makers:
            channels = self._of(plan)
            parts = sorted({number_of[each] for each in channels.tolist()})
            is_simple = len(np.unique(channels)) == len(channels)
            is_even = any(all(frozenset([each]) in blocks for each in parts) for blocks in even)
            if is_simple and (len(parts) == 1 or is_even):
                self.owners.append(Owner(plan, parts))

    def _blocks(self, plan: Plan) -> list[Numbers]:
        return [self.classes[block] for block in plan.blocks()]

    def by_widths(self, widths: Mapping[str, int]) -> Kept:
        """The most important channels, as many as layers have.

        Args:
            widths: The width of each layer that has one, by its name.

        Raises:
            SpaceError: If they cannot be chosen.
        """
        counts = self._counts(widths)
        kept = np.zeros(len(self.classes), bool)
        for part, count in zip(self.parts, counts, strict=True):
            if count < part.held:
                why = self.why[int(part.classes[count])]
                raise SpaceError(f"{self.what}: {self._titles(part)} cannot lose channels: {why}")
            if 0 < count < len(part.classes) and not self.is_scored[part.classes].any():
                raise SpaceError(f"{self.what}: importances say nothing of the channels of {self._titles(part)}")
            kept[part.classes[:count]] = True
        return self._checked(kept[self.classes])

    def _counts(self, widths: Mapping[str, int]) -> list[int]:
        """How many channels of each part are kept: the only solution of what the widths and the groups say.

        Raises:
            SpaceError: If there is none, or several.
        """
        rows: list[npt.NDArray[np.int64]] = []
        sums: list[int] = []
        for plan in self.makers:
            rows.append(self._row(self._of(plan)))
            sums.append(widths[plan.name])
            if widths[plan.name] > int(rows[-1] @ [len(part.classes) for part in self.parts]):
                raise SpaceError(
                    f"{self.what}: {plan.title} has {len(self._of(plan))} channels, and cannot have {widths[plan.name]}"
                )
        for plan in self.walk.plans.values():
            blocks = [self._row(block) for block in self._blocks(plan)]
            for start in range(0, len(blocks), plan.groups):
                rows += [blocks[start] - other for other in blocks[start + 1 : start + plan.groups]]
        sums += [0] * (len(rows) - len(sums))
        for number, part in enumerate(self.parts):
            if part.held == len(part.classes):
                rows.append((np.arange(len(self.parts)) == number).astype(np.int64))
                sums.append(part.held)
        if not rows:
            return []
        table = np.array(rows)
        solved, _, rank, _ = np.linalg.lstsq(table.astype(float), np.array(sums, float), rcond=None)
        counts = np.rint(solved).astype(np.int64)
        sizes = np.array([len(part.classes) for part in self.parts])
        if rank < len(self.parts) or (table @ counts != sums).any() or (counts < 0).any() or (counts > sizes).any():
            titles = [plan.title for plan in self.makers if widths[plan.name] < len(self._of(plan))]
            raise SpaceError(
                f"{self.what}: the widths do not say how many channels are kept where layers share some of them, or "
                f"where each of several groups keeps equally many: say which are kept, {{'layer': channels}}; of "
                f"{listed(titles)}"
            )
        return [int(each) for each in counts]

    def _row(self, classes: Numbers) -> npt.NDArray[np.int64]:
        """How often the channels of each part are among some."""
        found = np.bincount(self.part_of[classes], minlength=len(self.parts))
        sizes = np.array([len(part.classes) for part in self.parts])
        return np.asarray(found // sizes, np.int64)

    def _of(self, plan: Plan) -> Numbers:
        """The classes of the channels that a layer gives."""
        assert plan.channels is not None
        return self.classes[plan.channels]

    def _titles(self, part: Part) -> str:
        """The layers that give the channels of a part."""
        return listed(plan.title for plan in self.makers if np.isin(part.classes, self._of(plan)).any())

    def by_names(self, given: Mapping[Any, Any]) -> Kept:
        """The channels that are said, by the names of layers; layers that are not named follow, or keep all.

        Raises:
            SpaceError: If they contradict each other, or are none.
        """
        kept = np.ones(len(self.classes), bool)
        said = np.zeros(len(self.classes), bool)
        for name, which in given.items():
            channels = self._channels(name)
            own = np.zeros(len(channels), bool)
            own[self._places(name, which, len(channels))] = True
            classes = self.classes[channels]
            first: dict[int, bool] = {}
            for each, stays in zip(classes.tolist(), own.tolist(), strict=True):
                before = bool(kept[each]) if said[each] else first.setdefault(each, stays)
                if before != stays:
                    raise SpaceError(
                        f"{self.what}: layer {show(name)} and others have the same channels, as they are added to each "
                        "other or belong to one group: they must keep the same ones; name one of them alone"
                    )
            kept[classes], said[classes] = own, True
        return self._checked(kept[self.classes])

    def _places(self, name: Any, which: Any, count: int) -> npt.NDArray[np.int64]:
        try:
            found = np.asarray(row(which, count))
            if found.dtype == bool and found.shape == (count,):
                found = np.flatnonzero(found)
            whole = found.astype(np.int64) if found.dtype.kind in "iu" else np.empty(0, np.int64)
            is_right = found.ndim == 1 and found.dtype.kind in "iu" and len(found) > 0
            is_right = is_right and whole.min() >= 0 and whole.max() < count and len(set(whole.tolist())) == len(whole)
        except (TypeError, ValueError, OverflowError):
            is_right = False
        if not is_right:
            raise SpaceError(
                f"{self.what}: layer {show(name)} must keep some of its channels 0 to {count - 1}, each named once, or "
                f"an array of {count} truth values, not {show(which)}"
            )
        return whole

    def _checked(self, kept: Kept) -> Kept:
        """The kept channels, if layers can do without the others."""
        for numbers, why in self.walk.channels.held:
            lost = numbers[~kept[numbers]]
            if lost.size:
                names = [plan.title for plan in self.makers if np.isin(self.classes[lost], self._of(plan)).any()]
                raise SpaceError(f"{self.what}: {listed(names)} cannot lose channels: {why}")
        for plan in self.walk.plans.values():
            if plan.channels is not None and plan.channels.size and not kept[plan.channels].any():
                raise SpaceError(f"{self.what}: {plan.title} would keep no channel")
            sizes = [int(kept[block].sum()) for block in plan.blocks()]
            halves = [sizes[start : start + plan.groups] for start in range(0, len(sizes), plan.groups)]
            if any(len(set(half)) > 1 or 0 in half for half in halves):
                raise SpaceError(
                    f"{self.what}: {plan.title} has {plan.groups} groups, which must keep equally many channels, "
                    "and at least one"
                )
        return kept

    def gains(self) -> dict[str, Gain]:
        """What each width of an owner comes to: the sum of the importances that it keeps, by the name of the layer.

        A part counts once, for the first layer whose width says how many of it are kept.
        """
        found: dict[str, Gain] = {}
        counted: set[int] = set()
        for plan, parts in self.owners:
            new = [each for each in parts if each not in counted]
            if not new:
                continue
            counted.update(new)
            size = len(self.parts[parts[0]].classes)
            sums = np.zeros(size + 1)
            for each in new:
                sums += np.concatenate([[0.0], np.cumsum(self.scores[self.parts[each].classes])])
            sums[: max(self.parts[each].held for each in parts)] = np.nan
            gains = np.full(size * len(parts) + 1, np.nan)
            for each in range(len(gains)):  # Others than the multiples belong to networks that are refused.
                gains[each] = sums[each // len(parts)]
            why = next(
                (self.why[each] for part in parts for each in self.parts[part].classes.tolist() if each in self.why), ""
            )
            assert plan.width is not None
            found[plan.name] = Gain(plan.width, gains, why)
        for plan in self.makers:
            left = [each for each in np.unique(self.part_of[self._of(plan)]).tolist() if each not in counted]
            if left and plan.name not in found:
                counted.update(left)
                gains = np.full(len(self._of(plan)) + 1, np.nan)
                gains[-1] = sum(float(self.scores[self.parts[each].classes].sum()) for each in left)
                assert plan.width is not None
                found[plan.name] = Gain(
                    plan.width, gains, "what is kept of them depends on the widths of several layers"
                )
        return found


def row(given: Any, most: int) -> list[Any]:
    """The numbers of a list or an array of one axis.

    Raises:
        TypeError: If it is none, or longer than it may be; an endless one is not gone through.
    """
    if hasattr(type(given), "__array__"):  # That of any framework.
        given = np.asarray(given)
    if len(given) > most:
        raise TypeError
    found = list(islice(iter(given), most + 1))
    if not all(isinstance(each, (int, float, np.generic)) for each in found):
        raise TypeError
    return found


def magnitude(plan: Plan) -> Scores:
    """The sum of the absolute weights that make each channel of a layer."""
    assert plan.kernel is not None
    weight, label = plan.weights[plan.kernel]
    place = next(place for place, axis in enumerate(label) if axis is plan.channels)
    value = np.abs(np.asarray(weight.numpy(), dtype=np.float64))
    return np.asarray(value.sum(axis=tuple(each for each in range(value.ndim) if each != place)))
