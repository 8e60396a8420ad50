"""Metrics of one's own: functions of a layer, and tables of measurements.

A metric is asked once for each distinct layer that a space meets (by all that the record of it says), while the space
is compiled, so that it may be slow: candidates are then counted as fast as by the built-in metrics.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from math import prod
from operator import index
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from archbudget._architecture import LayerRecord, layer_record
from archbudget._atomic import atomic
from archbudget._budget import BUILT_IN, MOST
from archbudget._guard import guarded, guards
from archbudget._message import listed, one_line, show
from archbudget._nested import SetOnce
from archbudget._regular import path_of, read_text
from archbudget.errors import ArchbudgetError, CountOverflowError, MissingEntryError, MissingFileError, SpaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from archbudget import _core
    from archbudget._expressions import Decision
    from archbudget._program import Use
    from archbudget._space import Space

__all__ = ["LatencyTable", "Metric", "distinct_layers", "output_size", "weighted_layers"]


@guards()
class Metric(SetOnce):
    """A quantity that is counted for every network beside the built-in ones.

    Args:
        name: Its name, an identifier; budgets and arrays call it so.
        function: What one layer has of it: a function from a [`LayerRecord`][archbudget.LayerRecord] to an integer of
            at least 0. It must always give the same for the same record. The record does not tell which tensors the
            layer is connected to, and its `custom` is empty. Where the number is not whole, choose a smaller unit:
            microseconds rather than milliseconds.
        combine: Whether the values of the layers of a network add up (`"sum"`), or the largest counts (`"max"`).

    Raises:
        SpaceError: If the name is not an identifier or one of a built-in metric, or the function cannot be called.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> convolutions = ab.Metric("convolutions", lambda layer: int(layer.type == "Conv2D"))
        >>> space = ab.Space(
        ...     [
        ...         layers.Input((28, 28, 1)),
        ...         layers.Repeat(ab.Int("depth", 1, 4), layers.Conv2D(ab.Choice("filters", [8, 16]), 3)),
        ...     ],
        ...     metrics=[convolutions],
        ... )
        >>> space.within(ab.Budget(custom={"convolutions": 2})).count()
        6
    """

    def __init__(
        self, name: str, function: Callable[[LayerRecord], int], *, combine: Literal["sum", "max"] = "sum"
    ) -> None:
        if not isinstance(name, str) or not name.isidentifier():
            raise SpaceError(f"a metric needs a name that is an identifier, not {show(name)}")
        if name in BUILT_IN or name == "valid":
            raise SpaceError(f"a metric cannot be named '{name}': that is built in")
        if not callable(function):
            raise SpaceError(f"metric '{name}' needs a function of a layer record, not {show(function)}")
        if combine not in ("sum", "max"):
            raise SpaceError(f"metric '{name}': combine must be 'sum' or 'max', not {show(combine)}")
        self.name = name
        self.function = function
        self.combine = combine

    def check(self, uses: Sequence[Use], *, whole: bool) -> None:
        """Looks at the layers of a space before they are counted.

        Args:
            uses: The layers.
            whole: Whether all values of all decisions are left; if not, layers may be gone.
        """

    def __repr__(self) -> str:
        return f"<Metric {self.name} ({self.combine})>"


def weighted_layers(name: str = "weighted_layers") -> Metric:
    """The number of layers with weights; one that is used several times is one."""
    return Metric(name, _has_weights)


def _has_weights(layer: LayerRecord) -> int:
    return int(layer.params > 0)


def output_size(layer: str, axis: int | None = None, *, name: str | None = None) -> Metric:
    """The size of the output of a layer: the number of its elements, or one of its sides; 0 where it is left out.

    Of several outputs the elements add up, and a side is that of the first.

    Args:
        layer: The name of the layer in the space: one that it was given, such as `features`, or `features_2` in the
            second repetition of a `Repeat`. Automatic names change when a part of the space is gone.
        axis: The side that is meant, the batch not counted; `None` for the number of elements.
        name: The name of the metric; by default `output_size`.

    A space without such a layer is refused with a [`SpaceError`][archbudget.errors.SpaceError].
    """
    return _OutputSize(layer, axis, "output_size" if name is None else name)


@guards()
class _OutputSize(Metric):
    def __init__(self, layer: str, axis: int | None, name: str) -> None:
        if not isinstance(layer, str):
            raise SpaceError(f"output_size needs the name of a layer, not {show(layer)}")
        if axis is not None and (isinstance(axis, bool) or not isinstance(axis, int)):
            raise SpaceError(f"output_size needs an axis that is an integer or None, not {show(axis)}")
        super().__init__(name, self.size_of, combine="max")
        self.layer = layer
        self.axis = axis

    def check(self, uses: Sequence[Use], *, whole: bool) -> None:
        """Refuses a space without the layer, and one that names it by itself."""
        found = next((use for use in uses if use.name == self.layer), None)
        if found is None and whole:
            known = listed(use.name for use in uses)
            raise SpaceError(f"metric '{self.name}': no layer is named '{self.layer}'; the layers are {known}")
        if found is not None and found.layer.name is None:
            raise SpaceError(
                f"metric '{self.name}': the name '{self.layer}' is automatic, and may be another layer's in a part of "
                f"the space; give the layer a name: {found.layer.kind}(..., name='{self.layer}')"
            )

    def size_of(self, layer: LayerRecord) -> int:
        """What it is of one layer."""
        if layer.name != self.layer:
            return 0
        if self.axis is not None:
            if not -len(layer.output_shape) <= self.axis < len(layer.output_shape):
                raise SpaceError(f"layer '{self.layer}' has no axis {self.axis}; its output is {layer.output_shape}")
            return layer.output_shape[self.axis]
        return sum(prod(shape) for shape in layer.output_shapes)


class Measure:
    """Asks metrics for the layers of a program, and looks at what they give.

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
        """What entries tables had no value for, so far; `None` to raise at once."""

    def __call__(self, trace: _core.LayerTrace) -> list[int]:
        """The value of each metric for a layer."""
        use = self._uses[trace.layer]
        read = [decision.name for decision in use.layer.other_decisions()]
        names = [use.names[own] for own in read]
        taken = [self._decisions[name].values[index] for name, index in zip(names, trace.notes, strict=True)]
        record = layer_record(use, trace, BUILT_IN, dict(zip(read, taken, strict=True)), connected=False)
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
            raise type(error)(f"{what}: {one_line(error)}") from error
        except Exception as error:
            raise SpaceError(f"{what}: its function failed: {type(error).__name__}: {one_line(error)}") from error
        try:
            whole = index(value)
        except TypeError:
            hint = "; choose a unit in which it is whole" if isinstance(value, float) else ""
            raise SpaceError(f"{what} must be an integer, not {show(value)}{hint}") from None
        if whole < 0:
            raise SpaceError(f"{what} must be at least 0, not {whole}")
        if whole >= MOST:
            raise CountOverflowError(f"{what} must be below 2^63 - 1, not {whole}")
        return whole

    def settle(self) -> None:
        """Refuses a program for which tables have no value somewhere; from now on they are refused at once.

        Raises:
            MissingEntryError: With all that is missing.
        """
        missing, self.missing = list(dict.fromkeys(self.missing or ())), None
        if len(missing) == 1:
            raise MissingEntryError(missing[0])
        if missing:
            shown = "; ".join(missing[:SHOWN]) + ("; ..." if len(missing) > SHOWN else "")
            raise MissingEntryError(f"{len(missing)} entries are missing: {shown}")


MOST_BYTES = 1 << 26
"""The most bytes of a table."""

CELLS = (str, bool, int, float, np.generic, type(None))
"""What an entry may say of a layer, by itself or several in a row; text in the first place."""

SHOWN = 20
"""So many missing entries are named."""

DIGITS = 20
"""No number of so many digits is below 2^63."""


@guarded
def distinct_layers(space: Space) -> list[LayerRecord]:
    """Each distinct layer of a space, once: what a table of measurements must hold. Inputs are left out.

    Two layers are distinct if they differ in type, hyperparameters, bits, or the shapes of inputs or output; where they
    stand does not matter. Layers of networks that a later layer refuses are among them: metrics are asked for these
    too. The space is compiled anew for it.

    Raises:
        SpaceError: If it is no space.
        LimitError: If the space is too wide to look at every arc.
    """
    from archbudget._space import require_space

    require_space(space, "distinct_layers")
    collector = _Collector()
    space._measured_by(Metric("distinct", collector)).range("params")
    return list(collector.found.values())


class _Collector:
    """A metric that only remembers the layers that it is asked for."""

    def __init__(self) -> None:
        self.found: dict[object, LayerRecord] = {}

    def __call__(self, layer: LayerRecord) -> int:
        if layer.type != "Input":
            key = (layer.type, layer.weight_bits, layer.input_shapes, layer.output_shapes)
            arguments = repr(_arguments(layer.arguments, layer.other_arguments))
            self.found.setdefault((*key, arguments), layer)
        return 0


def _arguments(counted: Any, others: Any) -> Any:
    """The arguments of a layer, and of those inside of it, of both kinds; without what a table cannot hold.

    Args:
        counted: Those that touch shape or cost; or a tuple of the same, of several layers.
        others: Those that touch neither.
    """
    if isinstance(counted, tuple):
        return tuple(_arguments(*each) for each in zip(counted, others, strict=True)) if others else counted
    if isinstance(others, tuple):  # Cells that were given as a list are counted as one.
        others = {"cells": others}
    plain = (bool, int, float, str, type(None))
    inside = {name: _arguments(counted[name], value) for name, value in others.items() if name in counted}
    return {**counted, **{name: value for name, value in others.items() if isinstance(value, plain)}, **inside}


@guards(but=("write_template",))  # What the function that measures raises is the caller's.
class LatencyTable(Metric):
    """A metric from measurements: a value for each distinct layer.

    Args:
        name: The name of the metric.
        entries: For each entry what it says of a layer, and the value. A layer is described by `type`, `input_shape`
            (`28x28x1`, the batch not counted; several are joined by `;`), `output_shape` (likewise), `weight_bits`, and
            the names of its hyperparameters, all as text (`3x3`, `same`, `True`; a layer inside of another one is
            `Dense(units=3,use_bias=True)`, several are joined by `;`). What an entry leaves out does not matter to it.
            Where several fit a layer, the one that says most counts.
        combine: As of [`Metric`][archbudget.Metric]. Layers that run one after the other add up.

    Raises:
        SpaceError: If an entry has no type, two entries say the same but differ in value, or a value is not an integer
            from 0 to 2^63 - 2.

    Inputs need no entry. A layer that costs nothing needs one that says so, such as `Dropout,,,0`; a space with layers
    that no entry fits is refused with a [`MissingEntryError`][archbudget.errors.MissingEntryError] that names them.
    """

    def __init__(
        self,
        name: str,
        entries: Sequence[tuple[Mapping[str, str], int]],
        *,
        combine: Literal["sum", "max"] = "sum",
    ) -> None:
        super().__init__(name, self.look_up, combine=combine)
        if not isinstance(entries, Iterable):
            raise SpaceError(f"a latency table needs a sequence of entries, not {show(entries)}")
        self._build(
            (f"entry {number} of the latency table '{name}'", *_pair(entry))
            for number, entry in enumerate(entries, start=1)
        )

    def _build(self, entries: Iterable[tuple[str, Mapping[str, str], int]]) -> None:
        """Takes the entries, each with its place for errors."""
        self._known: dict[tuple[str, ...], dict[tuple[str, ...], int]] = {}
        """The values by what entries say of a layer, for each set of things that entries say."""
        for place, given, value in entries:
            said = {column: _cell(text) for column, text in given.items() if _cell(text)}
            if "type" not in said:
                raise SpaceError(f"{place} does not say which type of layer it is for")
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value < MOST:
                raise SpaceError(f"{place} must have an integer of at least 0 and below 2^63 - 1, not {show(value)}")
            columns = tuple(sorted(said))
            row = tuple(said[column] for column in columns)
            before = self._known.setdefault(columns, {}).setdefault(row, int(value))
            if before != value:
                raise SpaceError(f"{place} contradicts an earlier one: {value} and {before} for {_said(said)}")
        self._patterns = sorted(self._known, key=len, reverse=True)

    def look_up(self, layer: LayerRecord) -> int:
        """The value of a layer.

        Raises:
            MissingEntryError: If no entry fits it.
            SpaceError: If several that say equally much fit it, and do not agree.
        """
        if layer.type == "Input":
            return 0
        facts = described(layer)
        found: dict[int, tuple[str, ...]] = {}
        for columns in self._patterns:
            if found and len(columns) < len(next(iter(found.values()))):
                break
            value = self._known[columns].get(tuple(facts.get(column, "") for column in columns))
            if value is not None:
                found[value] = columns
        if len(found) > 1:
            ways = " and ".join(f"{value} by its {', '.join(columns)}" for value, columns in found.items())
            raise SpaceError(f"several entries of the latency table fit: {ways}")
        if not found:
            told = {column for columns in self._known for column in columns} | {"type", "input_shape", "output_shape"}
            shown = {column: text for column, text in facts.items() if column in told}
            raise MissingEntryError(
                f"the latency table '{self.name}' has no entry for {_said(shown)}{self._nearest(facts)}"
            )
        return next(iter(found))

    def _nearest(self, facts: Mapping[str, str]) -> str:
        """What the entry says, in a few words, that is off by the least."""
        off = [
            {column: text for column, text in zip(columns, row, strict=True) if facts.get(column, "") != text}
            for columns, rows in self._known.items()
            for row in rows
        ]
        near = min((each for each in off if "type" not in each), key=len, default=None)
        return "" if near is None else f" (the nearest says {_said(near)})"

    @classmethod
    def read_csv(
        cls,
        file: str | Path,
        name: str,
        *,
        column: str | None = None,
        decimals: int = 0,
        combine: Literal["sum", "max"] = "sum",
    ) -> LatencyTable:
        """Reads a table: a heading, and a row for each entry; an empty cell does not matter to its entry.

        Args:
            file: A CSV file in UTF-8, such as [`write_template`][archbudget.LatencyTable.write_template] makes; at most
                64 MiB.
            name: The name of the metric.
            column: The column of the values; by default the one that is named like the metric.
            decimals: By how many digits the decimal point is moved to the right, so that values become integers: 3 for
                a column in milliseconds and a metric in microseconds.
            combine: As of [`Metric`][archbudget.Metric].

        Raises:
            SpaceError: If the file cannot be read, is too large, or is not such a table; with the line.
        """
        column = name if column is None else column
        if isinstance(decimals, bool) or not isinstance(decimals, int) or decimals < 0:
            raise SpaceError(f"decimals must be an integer of at least 0, not {show(decimals)}")
        file = path_of(file)
        try:
            text = read_text(file, MOST_BYTES)
        except MissingFileError:
            raise MissingFileError(f"{file} cannot be read: No such file or directory") from None
        rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        entries = []
        try:
            heading = list(rows.fieldnames or ())
            for needed in ("type", column):
                if heading.count(needed) != 1:
                    raise SpaceError(
                        f"{file}:1: a latency table has one column {show(needed)}; its columns are {show(heading)}"
                    )
            for row in rows:
                place = f"{file}:{rows.line_num}"
                entries.append((f"{place}: the row", *_entry(row, column, decimals, place)))
        except csv.Error as error:
            raise SpaceError(f"{file}:{rows.line_num + 1}: not valid CSV: {error}") from None
        table = cls.__new__(cls)
        Metric.__init__(table, name, table.look_up, combine=combine)
        table._build(entries)
        return table

    @staticmethod
    def write_template(
        space: Space, file: str | Path, *, column: str, measure: Callable[[LayerRecord], object] | None = None
    ) -> int:
        """Writes a table for a space: a row for each distinct layer to be measured.

        Args:
            space: The space.
            file: The CSV file to write, whole or not at all.
            column: The name of the column of the values.
            measure: What fills this column: a function from a [`LayerRecord`][archbudget.LayerRecord] to the number to
                write. Without it the cells are empty, to be filled where the layers are measured.

        Returns:
            The number of rows.

        Raises:
            LimitError: If the space is too wide to look at every arc.
            SpaceError: If the column has no name, or is named like one that describes layers. What `measure` raises
                comes out as it is.
        """
        found, names = _template(space, column)
        if measure is not None and not callable(measure):
            raise SpaceError(f"measure must be a function of a layer record, not {show(measure)}")
        values = [""] * len(found) if measure is None else [measure(layer) for layer in found.values()]
        _write_rows(
            file, [*names, column], [{**dict(row), column: value} for row, value in zip(found, values, strict=True)]
        )
        return len(found)


@guarded
def _template(space: Space, column: str) -> tuple[dict[tuple[tuple[str, str], ...], LayerRecord], list[str]]:
    """The distinct layers of a space by what a table says of them, and the columns that say it."""
    if not isinstance(column, str) or not column.strip():
        raise SpaceError(f"the column of the values needs a name, not {show(column)}")
    found: dict[tuple[tuple[str, str], ...], LayerRecord] = {}
    for layer in distinct_layers(space):
        found.setdefault(tuple(described(layer).items()), layer)
    first = ["type", "input_shape", "output_shape"]
    names = list(dict.fromkeys([*first, *(name for row in found for name, _ in row)]))
    if column in names:
        raise SpaceError(f"the column of the values cannot be named '{column}': that describes layers")
    return found, names


@guarded
def _write_rows(file: str | Path, names: list[str], rows: list[dict[str, object]]) -> None:
    with atomic(file) as part, part.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, names, restval="")
        writer.writeheader()
        writer.writerows(rows)


def _pair(entry: object) -> tuple[Mapping[str, str], int]:
    """An entry: what it says, and its value."""
    if isinstance(entry, (tuple, list)) and len(entry) == 2 and isinstance(entry[0], Mapping):
        said, value = entry
        cells = [each for text in said.values() for each in (text if isinstance(text, (tuple, list)) else [text])]
        if all(isinstance(name, str) for name in said) and all(isinstance(each, CELLS) for each in cells):
            return said, value
    raise SpaceError(f"an entry of a latency table is a mapping of what it says, and a value; not {show(entry)}")


def _entry(row: dict[str | None, Any], column: str, decimals: int, place: str) -> tuple[dict[str, str], int]:
    """An entry from a row of a file."""
    if None in row or any(cell is None for cell in row.values()):
        raise SpaceError(f"{place}: the row has not as many cells as the heading")
    given = row[column].strip()
    if not given:
        raise SpaceError(f"{place}: the {column} is missing; a layer that costs nothing has 0")
    try:
        value = Decimal(given)
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite():
        raise SpaceError(f"{place}: the {column} must be a number, not {show(given)}")
    try:
        whole = int(value.scaleb(decimals)) if value.adjusted() + decimals < DIGITS else MOST
        exact = Decimal(whole).scaleb(-decimals) == value
    except InvalidOperation:  # The decimals are far beyond what a number has.
        whole, exact = MOST, True
    if not 0 <= whole < MOST or value < 0:
        raise SpaceError(f"{place}: the {column} must be at least 0 and below 2^63 - 1, not {given}")
    if not exact:
        raise SpaceError(
            f"{place}: the {column} must be an integer after moving the decimal point by decimals={decimals}, not "
            f"{given}"
        )
    return {str(name): cell for name, cell in row.items() if name != column}, whole


def described(layer: LayerRecord) -> dict[str, str]:
    """A layer as a table says it: its type, its shapes and its hyperparameters, by their names."""
    facts = {
        "type": layer.type,
        "input_shape": ";".join(_text(shape) for shape in layer.input_shapes),
        "output_shape": ";".join(_text(shape) for shape in layer.output_shapes),
        "weight_bits": str(layer.weight_bits),
    }
    arguments = _arguments(layer.arguments, layer.other_arguments)
    others = {name: _text(value) for name, value in arguments.items() if value is not None and name not in facts}
    return {**facts, **others}


def _text(value: object) -> str:
    """A value as a cell has it: `3x3` for several numbers, `Dense(units=3);ReLU()` for layers."""
    if isinstance(value, (tuple, list)):
        return (";" if any(isinstance(item, dict) for item in value) else "x").join(_text(item) for item in value)
    if isinstance(value, dict) and "type" in value:
        given = {name: each for name, each in value.items() if name != "type" and each is not None}
        return f"{value['type']}({','.join(f'{name}={_text(each)}' for name, each in given.items())})"
    return str(value).replace(" ", "")


def _cell(text: object) -> str:
    """A cell as layers are described: a spreadsheet writes TRUE for True."""
    return {"TRUE": "True", "FALSE": "False"}.get(made := _text(text), made)


def _said(said: Mapping[str, str]) -> str:
    """What is said of a layer, for errors."""
    return ", ".join(f"{column}={text}" for column, text in said.items())
