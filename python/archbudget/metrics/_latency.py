"""Tables of measurements as a metric."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import fields
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from archbudget import layers
from archbudget._atomic import atomic
from archbudget._budget import BUILT_IN, MOST
from archbudget._guard import guarded, guards
from archbudget._message import hint, nearest, show
from archbudget._regular import path_of, read_text
from archbudget._unit import rational
from archbudget.errors import MissingEntryError, MissingFileError, SpaceError
from archbudget.layers._base import ENGINE_PARAMETERS
from archbudget.metrics._distinct import Layered, arguments_of, distinct_layers
from archbudget.metrics._metric import Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from archbudget._records import LayerRecord, Use
    from archbudget._unit import Number

MOST_BYTES = 1 << 26
"""The most bytes of a table."""

CELLS = (str, bool, int, float, np.generic, type(None))
"""The types of the values of an entry, alone or in a sequence; usually text."""

DIGITS = 20
"""No number of this many digits is below 2^63."""

LONGEST = 300
"""The most digits in front of or behind the decimal point that floats have."""


@guards(but=("write_template",))  # The exceptions of the function that measures are the caller's.
class LatencyTable(Metric):
    """A custom metric from measurements: a value for each distinct layer.

    Making one takes O(entries). A table never changes, so it is safe to use from several threads; it is asked while a
    space is compiled, and holds the GIL.

    Args:
        name: The name of the metric.
        entries: Pairs of a description of layers, a mapping, and their value. The keys of a description are `type`,
            `input_shape` (`28x28x1`, without the batch axis; several are joined by `;`), `output_shape` (in the same
            form), `weight_bits`, and the names of hyperparameters. All values are text: `3x3`, `same`, `True`, or
            `Dense(units=3,use_bias=True)` for an inner layer, where several are joined by `;`. An entry fits layers
            with any value of the keys that it omits. Where several entries fit a layer, the one with most keys counts.
        combine: As in [`Metric`][archbudget.Metric]. `"sum"` is right for layers that run one after the other.
        resolution: As in [`Metric`][archbudget.Metric]: with one, values may be fractions, and negative, as those of
            scores are.

    Raises:
        SpaceError: If an entry has no type, or a key that its type of layer does not have, two equal descriptions have
            different values, or a value is not an integer from 0 to 2^63 - 2, or with a resolution no finite number.

    Inputs need no entry. A layer that costs nothing needs an entry with the value 0, such as `Dropout,,,0`; a space
    with layers that no entry fits is refused with a [`MissingEntryError`][archbudget.errors.MissingEntryError] that
    names the layer.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> space = ab.Space([layers.Input((4,)), layers.Dense(ab.Choice("units", [8, 16]))])
        >>> entries = [({"type": "Input"}, 0), ({"type": "Dense", "units": 8}, 5), ({"type": "Dense", "units": 16}, 7)]
        >>> timed = space.with_metrics([ab.LatencyTable("latency_us", entries)])
        >>> timed.range("latency_us")
        (5, 7)
    """

    INTERNAL = ("look_up",)

    def __init__(
        self,
        name: str,
        entries: Sequence[tuple[Mapping[str, str], Any]],
        *,
        combine: Literal["sum", "max"] = "sum",
        resolution: Number | None = None,
    ) -> None:
        super().__init__(name, self.look_up, combine=combine, resolution=resolution)
        if not isinstance(entries, Iterable):
            raise SpaceError(f"a latency table needs a sequence of entries, not {show(entries)}")
        self._build(
            (f"entry {number} of the latency table '{name}'", *_pair(entry))
            for number, entry in enumerate(entries, start=1)
        )

    def _build(self, entries: Iterable[tuple[str, Mapping[str, str], Any]]) -> None:
        """Sets the entries, each with its position for errors."""
        self._values: dict[tuple[str, ...], dict[tuple[str, ...], Any]] = {}
        """For each set of keys that some entries have, their values by the values of these keys."""
        self._keys: dict[str, dict[str, str]] = {}
        """For each type of layer the keys that its entries have, each with the position of one of them."""
        for position, given, value in entries:
            said = {column: _cell(text) for column, text in given.items() if _cell(text)}
            if "type" not in said:
                raise SpaceError(f"{position} does not say which type of layer it is for")
            kind = said["type"]
            self._keys.setdefault(kind, {}).update((column, position) for column in said)
            if kind in ENGINE_PARAMETERS:
                arguments = [each.name for each in fields(getattr(layers, kind))]
                _check_keys(kind, self._keys[kind], [*arguments, *ENGINE_PARAMETERS[kind]])
            number = self._number(position, value)
            columns = tuple(sorted(said))
            row = tuple(said[column] for column in columns)
            before = self._values.setdefault(columns, {}).setdefault(row, number)
            if before != number:
                raise SpaceError(f"{position} contradicts an earlier one: {value} and {before} for {_shown(said)}")
        self._patterns = sorted(self._values, key=len, reverse=True)

    def _number(self, position: str, value: object) -> Any:
        """The value of an entry."""
        if self.unit.signed:
            found = None if isinstance(value, (bool, np.bool_)) else rational(value)
            if found is None:
                raise SpaceError(f"{position} must have a finite number, not {show(value)}")
            return int(found) if found.denominator == 1 else float(found)
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value < MOST:
            hint = "; a table with a resolution has any numbers" if rational(value) is not None else ""
            raise SpaceError(
                f"{position} must have an integer of at least 0 and below 2^63 - 1, not {show(value)}{hint}"
            )
        return int(value)

    def _parts(self) -> tuple[object, ...]:
        return (self.name, self.combine, self.unit, self._values)

    def entries(self) -> Iterator[tuple[dict[str, str], Any]]:
        """The entries, as they can be given to another table."""
        for columns, rows in self._values.items():
            for row, value in rows.items():
                yield dict(zip(columns, row, strict=True)), value

    def check(self, uses: Sequence[Use], *, whole: bool) -> None:
        """Refuses an entry for a custom layer of a space with a key that is none of its hyperparameters."""
        del whole
        for use in uses:
            if use.layer.kind in self._keys and use.layer.kind not in ENGINE_PARAMETERS:
                _check_keys(use.layer.kind, self._keys[use.layer.kind], use.layer.arguments())

    def look_up(self, layer: LayerRecord) -> Any:
        """The value of a layer, in O(sets of keys that entries have).

        Raises:
            MissingEntryError: If no entry fits the layer.
            SpaceError: If several entries with equally many keys fit the layer, but differ in value.
        """
        if layer.type == "Input":
            return 0
        facts = described(layer)
        found: dict[Any, tuple[str, ...]] = {}
        for columns in self._patterns:
            if found and len(columns) < len(next(iter(found.values()))):
                break
            value = self._values[columns].get(tuple(facts.get(column, "") for column in columns))
            if value is not None:
                found[value] = columns
        if len(found) > 1:
            values = " and ".join(f"{value} by its {', '.join(columns)}" for value, columns in found.items())
            raise SpaceError(f"several entries of the latency table fit: {values}")
        if not found:
            told = {column for columns in self._values for column in columns} | {"type", "input_shape", "output_shape"}
            shown = {column: text for column, text in facts.items() if column in told}
            raise MissingEntryError(
                f"the latency table '{self.name}' has no entry for {_shown(shown)}{self._nearest(facts)}"
            )
        return next(iter(found))

    def _nearest(self, facts: Mapping[str, str]) -> str:
        """The differences of the entry that differs least, as text."""
        off = [
            {column: text for column, text in zip(columns, row, strict=True) if facts.get(column, "") != text}
            for columns, rows in self._values.items()
            for row in rows
        ]
        near = min((each for each in off if "type" not in each), key=len, default=None)
        if near is None:
            meant = nearest(facts["type"], self._keys)
            return "" if meant is None else f"; did you mean {meant}?"
        return f" (the nearest says {_shown(near)})"

    @classmethod
    def read_csv(
        cls,
        file: str | Path,
        name: str,
        *,
        column: str | None = None,
        decimals: int = 0,
        combine: Literal["sum", "max"] = "sum",
        resolution: Number | None = None,
    ) -> LatencyTable:
        """Reads a table from a file: a heading, and a row for each entry, which fits any value where a cell is empty.

        Args:
            file: A CSV file in UTF-8, such as [`write_template`][archbudget.LatencyTable.write_template] makes; at most
                64 MiB.
            name: The name of the metric.
            column: The column of the values; by default the column with the name of the metric.
            decimals: The decimal point is moved to the right by this many digits, so that values become integers: 3 for
                a column in milliseconds and a metric in microseconds.
            combine: As in [`Metric`][archbudget.Metric].
            resolution: As in [`Metric`][archbudget.Metric]; values need not be integers then, and `decimals` changes
                their unit only.

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
                line = f"{file}:{rows.line_num}"
                entries.append(
                    (f"{line}: the row", *_entry(row, column, decimals, line, any_number=resolution is not None))
                )
        except csv.Error as error:
            raise SpaceError(f"{file}:{rows.line_num + 1}: not valid CSV: {error}") from None
        table = cls.__new__(cls)
        Metric.__init__(table, name, table.look_up, combine=combine, resolution=resolution)
        table._build(entries)
        return table

    @staticmethod
    def write_template(
        space: Layered, file: str | Path, *, column: str, measure: Callable[[LayerRecord], object] | None = None
    ) -> int:
        """Writes a table for a space: a row for each distinct layer. As slow as `distinct_layers` and the measurements.

        Args:
            space: The space.
            file: The CSV file to write, whole or not at all.
            column: The name of the column of the values.
            measure: A function from a [`LayerRecord`][archbudget.LayerRecord] to the number to write. By default the
                column is empty, to be filled where the layers are measured.

        Returns:
            The number of rows.

        Raises:
            LimitError: If the space is too wide to look at every arc.
            SpaceError: If the column has no name, or that of a built-in metric or of one that describes layers.
                Exceptions of `measure` are raised unchanged.
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
    """The distinct layers of a space by their descriptions in a table, and the columns of these descriptions."""
    if not isinstance(column, str) or not column.strip():
        raise SpaceError(f"the column of the values needs a name, not {show(column)}")
    if column in BUILT_IN:
        raise SpaceError(f"the column of the values cannot be named '{column}': that is a built-in metric")
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


SAID = ("type", "input_shape", "output_shape", "weight_bits")
"""The keys of an entry that any layer has."""


def _check_keys(kind: str, keys: Mapping[str, str], arguments: Iterable[str]) -> None:
    """Refuses the keys of entries that a type of layer does not have, as no layer would ever fit them.

    Args:
        kind: The type of layer.
        keys: The keys, each with the position of an entry that has it.
        arguments: The hyperparameters of the layer.

    Raises:
        SpaceError: With the first key, and the nearest one.
    """
    known = [*SAID, *arguments]
    for key, position in keys.items():
        if key not in known:
            raise SpaceError(f"{position}: {show(key)} is no hyperparameter of {kind}{hint(key, known)}")


def _pair(entry: object) -> tuple[Mapping[str, str], Any]:
    """An entry: its description of layers, and its value."""
    if isinstance(entry, (tuple, list)) and len(entry) == 2 and isinstance(entry[0], Mapping):
        said, value = entry
        cells = [each for text in said.values() for each in (text if isinstance(text, (tuple, list)) else [text])]
        if all(isinstance(name, str) for name in said) and all(isinstance(each, CELLS) for each in cells):
            return said, value
    raise SpaceError(f"an entry of a latency table is a mapping of what it says, and a value; not {show(entry)}")


def _entry(
    row: dict[str | None, Any], column: str, decimals: int, line: str, *, any_number: bool
) -> tuple[dict[str, str], Any]:
    """An entry from a row of a file; `line` is the file and the line for errors."""
    if None in row or any(cell is None for cell in row.values()):
        raise SpaceError(f"{line}: the row has not as many cells as the heading")
    given = row[column].strip()
    if not given:
        raise SpaceError(f"{line}: the {column} is missing; a layer that costs nothing has 0")
    try:
        value = Decimal(given)
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite():
        raise SpaceError(f"{line}: the {column} must be a number, not {show(given)}")
    said = {str(name): cell for name, cell in row.items() if name != column}
    if any_number:
        if value and abs(value.adjusted()) + decimals > LONGEST:
            raise SpaceError(f"{line}: the {column} must have fewer than {LONGEST} digits, not {show(given)}")
        return said, Fraction(value) * 10**decimals
    try:
        whole = int(value.scaleb(decimals)) if value.adjusted() + decimals < DIGITS else MOST
        exact = Decimal(whole).scaleb(-decimals) == value
    except InvalidOperation:  # The decimals are far beyond what a number has.
        whole, exact = MOST, True
    if not 0 <= whole < MOST or value < 0:
        raise SpaceError(f"{line}: the {column} must be at least 0 and below 2^63 - 1, not {given}")
    if not exact:
        raise SpaceError(
            f"{line}: the {column} must be an integer after moving the decimal point by decimals={decimals}, not "
            f"{given}"
        )
    return said, whole


def described(layer: LayerRecord) -> dict[str, str]:
    """The description of a layer in a table: its type, its shapes and its hyperparameters, by their names."""
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
    """A value as the text of a cell: `3x3` for several numbers, `Dense(units=3);ReLU()` for layers."""
    if isinstance(value, (tuple, list)):
        return (";" if any(isinstance(item, dict) for item in value) else "x").join(_text(item) for item in value)
    if isinstance(value, dict) and "type" in value:
        given = {name: each for name, each in value.items() if name != "type" and each is not None}
        return f"{value['type']}({','.join(f'{name}={_text(each)}' for name, each in given.items())})"
    return str(value).replace(" ", "")


def _cell(text: object) -> str:
    """A cell as the text of a description; a spreadsheet writes TRUE for True."""
    return {"TRUE": "True", "FALSE": "False"}.get(made := _text(text), made)


def _shown(described: Mapping[str, str]) -> str:
    """A description of a layer, for errors."""
    return ", ".join(f"{column}={text}" for column, text in described.items())
