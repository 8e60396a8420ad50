"""Tables of measurements as a metric."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from archbudget._atomic import atomic
from archbudget._budget import MOST
from archbudget._guard import guarded, guards
from archbudget._message import show
from archbudget._regular import path_of, read_text
from archbudget.errors import MissingEntryError, MissingFileError, SpaceError
from archbudget.metrics._distinct import Layered, arguments_of, distinct_layers
from archbudget.metrics._metric import Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from archbudget._records import LayerRecord

MOST_BYTES = 1 << 26
"""The most bytes of a table."""

CELLS = (str, bool, int, float, np.generic, type(None))
"""What an entry may say of a layer, by itself or several in a row; text in the first place."""

DIGITS = 20
"""No number of so many digits is below 2^63."""


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

    def _parts(self) -> tuple[object, ...]:
        return (self.name, self.combine, self._known)

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
        space: Layered, file: str | Path, *, column: str, measure: Callable[[LayerRecord], object] | None = None
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
def _template(space: Layered, column: str) -> tuple[dict[tuple[tuple[str, str], ...], LayerRecord], list[str]]:
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
    arguments = arguments_of(layer.arguments, layer.other_arguments)
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
