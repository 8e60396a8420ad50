"""The difference between two networks, layer by layer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from archbudget.network import show_shapes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archbudget._records import LayerRecord
    from archbudget.space.architecture import Architecture

MOST_ALIGNED = 4_000
"""So many layers, which two networks have between their equal ends, are aligned in their order; more go by names."""


@dataclass(frozen=True)
class Change:
    """A layer that two networks do not have alike."""

    before: LayerRecord | None
    """The layer in the base; `None` if it is new."""
    after: LayerRecord | None
    """The layer in the network that is checked; `None` if it is gone."""

    @property
    def kind(self) -> str:
        """`added`, `removed` or `changed`."""
        return "added" if self.before is None else "removed" if self.after is None else "changed"

    @property
    def name(self) -> str:
        """The name of the layer; of one that was renamed both."""
        names = dict.fromkeys(each.name for each in (self.before, self.after) if each is not None)
        return " -> ".join(names)

    @property
    def type(self) -> str:
        """The type of the layer, both where it changed."""
        types = dict.fromkeys(each.type for each in (self.before, self.after) if each is not None)
        return " -> ".join(types)

    @property
    def shapes(self) -> str:
        """The output shape, both where it changed."""
        shapes = dict.fromkeys(
            show_shapes(each.output_shapes) for each in (self.before, self.after) if each is not None
        )
        return " -> ".join(shapes)

    def of(self, metric: str) -> tuple[int | None, int | None]:
        """What the layer has of a metric before and after; 0 where it is not there, `None` where it is unknown."""
        before, after = (0 if each is None else getattr(each, metric) for each in (self.before, self.after))
        return before, after

    def to_dict(self) -> dict[str, Any]:
        """The change for JSON."""

        def one(record: LayerRecord | None) -> dict[str, Any] | None:
            if record is None:
                return None
            return {
                "name": record.name,
                "type": record.type,
                "output_shapes": [list(shape) for shape in record.output_shapes],
                "params": record.params,
                "macs": record.macs,
                "activation_bytes": record.peak_activation_bytes,
            }

        return {"change": self.kind, "before": one(self.before), "after": one(self.after)}


@dataclass(frozen=True)
class Comparison:
    """The difference between a network and a base."""

    base: str
    """What the base is called."""
    totals: dict[str, tuple[int | None, int | None]]
    """The value of each metric in the base and in the network; `None` where it is unknown."""
    changes: tuple[Change, ...]
    """The layers that are not alike, in their order."""
    unchanged: int
    """How many layers are."""

    @property
    def heading(self) -> str:
        """The difference in one line."""
        kinds = [change.kind for change in self.changes]
        counts = [f"{kinds.count(kind):,} {kind}" for kind in ("added", "removed", "changed") if kind in kinds]
        return f"compared with {self.base}: {', '.join(counts) or 'no layer differs'}, {self.unchanged:,} unchanged"

    def to_dict(self) -> dict[str, Any]:
        """The difference for JSON."""
        return {
            "base": self.base,
            "totals": {metric: {"before": one, "after": two} for metric, (one, two) in self.totals.items()},
            "layers": [change.to_dict() for change in self.changes],
            "unchanged": self.unchanged,
        }


def compared(base: str, before: Architecture, after: Architecture) -> Comparison:
    """The difference between two networks.

    Layers are alike where they have the same type, shapes and counts, in the same order, and the same name but for a
    number at its end, which Keras counts up in each process. Between layers that are alike, those of the same name are
    one layer that changed, and then those of the same type and of the same name but for its number.
    """
    metrics = dict.fromkeys([*before.costs, *after.costs])
    changes, unchanged = [], 0
    for one, two in _aligned(before.layers, after.layers):
        if one is not None and two is not None and _signature(one) == _signature(two):
            unchanged += 1
        else:
            changes.append(Change(one, two))
    return Comparison(
        base,
        {metric: (before.costs.get(metric), after.costs.get(metric)) for metric in metrics},
        tuple(changes),
        unchanged,
    )


def _stem(record: LayerRecord) -> str:
    return re.sub(r"_\d+$", "", record.name)


def _signature(record: LayerRecord) -> tuple[Any, ...]:
    """What two layers have in common that are alike."""
    return (
        _stem(record),
        record.type,
        record.input_shapes,
        record.output_shapes,
        record.params,
        record.trainable_params,
        record.macs,
        record.weight_bytes,
        record.reused,
    )


Pair = tuple["LayerRecord | None", "LayerRecord | None"]


def _aligned(before: Sequence[LayerRecord], after: Sequence[LayerRecord]) -> Iterator[Pair]:
    """Each layer of two networks once, with the one that it became, in order."""
    one, two = ([_signature(each) for each in records] for records in (before, after))
    start = 0
    while start < min(len(one), len(two)) and one[start] == two[start]:
        start += 1
    end = 0
    while end < min(len(one), len(two)) - start and one[-1 - end] == two[-1 - end]:
        end += 1
    yield from zip(before[:start], after[:start], strict=True)
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    if len(old) + len(new) > MOST_ALIGNED:
        yield from _paired(old, new)
    else:
        matcher = SequenceMatcher(None, one[start : len(one) - end], two[start : len(two) - end], autojunk=False)
        for tag, low, high, low_after, high_after in matcher.get_opcodes():
            if tag == "equal":
                yield from zip(old[low:high], new[low_after:high_after], strict=True)
            else:
                yield from _paired(old[low:high], new[low_after:high_after])
    yield from zip(before[len(before) - end :], after[len(after) - end :], strict=True)


def _paired(before: Sequence[LayerRecord], after: Sequence[LayerRecord]) -> Iterator[Pair]:
    """Layers between two that are alike: first by their names, then by their types and the stems of their names."""
    partner: dict[int, int] = {}
    left = set(range(len(before)))
    for key in (lambda each: (each.name, each.type), lambda each: (_stem(each), each.type)):
        places: dict[Any, list[int]] = {}
        for place in sorted(left, reverse=True):
            places.setdefault(key(before[place]), []).append(place)
        for number, record in enumerate(after):
            found = places.get(key(record))
            if number not in partner and found:
                partner[number] = found.pop()
                left.discard(partner[number])
    # Those that are gone stand in front of the first layer behind them that is still there.
    ahead = [len(before)] * (len(after) + 1)
    for number in reversed(range(len(after))):
        ahead[number] = partner.get(number, ahead[number + 1])
    gone = sorted(left, reverse=True)
    for number, record in enumerate(after):
        while gone and gone[-1] < ahead[number]:
            yield before[gone.pop()], None
        yield (before[partner[number]] if number in partner else None), record
    yield from ((before[place], None) for place in reversed(gone))
