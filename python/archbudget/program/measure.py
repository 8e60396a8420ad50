"""The values of custom metrics for the layers of a program."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING

from archbudget._budget import BUILT_IN, MOST
from archbudget._guard import reworded
from archbudget._message import one_line, show
from archbudget._records import layer_record, unknown_sides
from archbudget.errors import ArchbudgetError, CountOverflowError, MissingEntryError, SpaceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archbudget._core import LayerTrace
    from archbudget._expressions import Decision
    from archbudget._records import LayerRecord, Use
    from archbudget.metrics import Metric

SHOWN = 20
"""The most missing entries that are named."""


class Measure:
    """Calls metrics for the layers of a program, and checks their values. Threads may call it at the same time.

    Args:
        metrics: The metrics.
        uses: The layers of the program by position; it may still grow.
        decisions: The decisions of the program by name; it may still grow.
    """

    def __init__(self, metrics: Sequence[Metric], uses: Sequence[Use], decisions: Mapping[str, Decision]) -> None:
        self._metrics = tuple(metrics)
        self._uses = uses
        self._decisions = decisions
        self.missing: list[str] | None = []
        """The messages about missing entries of tables, so far; `None` to raise each at once."""

    def __call__(self, trace: LayerTrace) -> list[int]:
        """The value of each metric for a layer."""
        use = self._uses[trace.layer]
        read = [decision.name for decision in use.layer.other_decisions()]
        names = [use.names[own] for own in read]
        taken = [self._decisions[name].values[index] for name, index in zip(names, trace.notes, strict=True)]
        chosen = dict(zip(read, taken, strict=True))
        sided = not unknown_sides(self._uses)
        record = layer_record(use, trace, BUILT_IN, chosen, connected=False, sided=sided)
        return [self._value(metric, record) for metric in self._metrics]

    def _value(self, metric: Metric, record: LayerRecord) -> int:
        what = f"metric '{metric.name}' of layer '{record.name}' ({record.type})"
        try:
            value = metric.function(record)
        except MissingEntryError as error:
            if self.missing is None:
                raise
            self.missing.append(str(error))
            return 0
        except ArchbudgetError as error:
            raise reworded(error, f"{what}: {one_line(error)}") from error
        except Exception as error:
            raise SpaceError(f"{what}: its function failed: {type(error).__name__}: {one_line(error)}") from error
        if metric.unit.signed:
            return metric.unit.raw(value, what)
        try:
            whole = index(value)
        except TypeError:
            hint = "; give the metric a resolution, such as 1e-6" if isinstance(value, float) else ""
            raise SpaceError(f"{what} must be an integer, not {show(value)}{hint}") from None
        if whole < 0:
            raise SpaceError(f"{what} must be at least 0, not {whole}; give the metric a resolution, such as 1")
        if whole >= MOST:
            raise CountOverflowError(f"{what} must be below 2^63 - 1, not {whole}")
        return whole

    def settle(self) -> None:
        """Refuses a program with layers that tables have no entry for; later missing entries are raised at once.

        Raises:
            MissingEntryError: With all missing entries.
        """
        missing, self.missing = list(dict.fromkeys(self.missing or ())), None
        if len(missing) == 1:
            raise MissingEntryError(missing[0])
        if missing:
            shown = "; ".join(missing[:SHOWN]) + ("; ..." if len(missing) > SHOWN else "")
            raise MissingEntryError(f"{len(missing)} entries are missing: {shown}")
