"""Tables: whatever has named columns, and which of them hold the values of decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from archbudget._extras import imported
from archbudget._guard import has
from archbudget._message import listed, show, with_nearest
from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from collections.abc import Collection


class _Absent:
    """The cell of a row that does not have a column: a gap, also where `None` is a value of the decision."""

    def __repr__(self) -> str:
        return "no value"


ABSENT = _Absent()


class Table(NamedTuple):
    """Columns by name."""

    columns: Mapping[Any, Any]
    """Each column in any form that numpy, or `list`, can read. Names are text, or tuples of it."""
    rows: int | None
    """The number of rows, where the columns need not say it."""


MOST_ROWS = 1 << 20
"""An iterable gives at most this many rows; more are given in parts, or as columns."""


def in_memory(given: Any) -> Any:
    """A batch that can be read more than once: the items of a generator, a `map`, a `deque` or the like as a list.

    A column of objects, such as a `pandas.Series` of dicts, is a list of its cells. All others are returned unchanged.

    Raises:
        SpaceError: If there are more than `MOST_ROWS`, or the batch is a set, whose items have no order.
    """
    if isinstance(given, Set):
        raise SpaceError(f"a batch has an order, and {show(given)} has none; give a list")
    if isinstance(given, (Mapping, list, tuple, str, bytes, bytearray, memoryview, np.ndarray)):
        return given
    if has(given, "dtype") and given.dtype == object and row_of(given) is not None and has(given, "tolist"):
        cells = given.tolist()
        return cells if cells and row_of(cells[0]) is not None else given
    is_array = any(
        has(given, name) for name in ("__array__", "__array_interface__", "__arrow_c_stream__", "__dlpack__")
    )
    if is_array or has(given, "collect") or _names(given) is not None or not isinstance(given, Iterable):
        return given
    if row_of(given) is not None:
        return given
    rows = list(islice(given, MOST_ROWS + 1))
    if len(rows) > MOST_ROWS:
        raise SpaceError(
            f"an iterable gives at most {MOST_ROWS:,} rows at once; give more of them in parts, "
            "list(itertools.islice(rows, 1_000_000)), or as columns"
        )
    return rows


def table_of(given: Any) -> Table | None:
    """A batch as a table, if its columns have names; otherwise `None`. It copies no column.

    Such are a mapping from names to columns; a structured array; a data frame of pandas, polars or another package with
    `columns`; a table or batch of pyarrow, or what exports an Arrow stream; and a list of rows, each of which has names
    (see `row_of`).

    Raises:
        SpaceError: If a column occurs twice, or only some of the rows have names.
    """
    if isinstance(given, Mapping):
        return Table(given, None)
    if isinstance(given, np.ndarray):
        if given.dtype.names is not None:
            return Table({name: given[name] for name in given.dtype.names}, given.size)
        if given.dtype != object or given.ndim != 1:
            return None
        given = given.tolist()
    if isinstance(given, (list, tuple)):
        return _table_of_rows(given)
    if has(given, "collect") and not has(given, "shape"):
        raise SpaceError(f"{type(given).__name__} holds no values yet; collect it first")
    names = _names(given)
    if names is None:
        if not has(given, "__arrow_c_stream__") or has(given, "dtype") or has(given, "type"):
            return None  # It is no table, but perhaps a column of one.
        given = imported("pyarrow", "an Arrow table").table(given)
        names = given.column_names
    repeated = {show(name) for position, name in enumerate(names) if name in names[:position]}
    if repeated:
        raise SpaceError(f"repeated columns in the table: {listed(sorted(repeated))}")
    rows = len(given) if has(given, "__len__") else None
    return Table({name: given[name] for name in names}, rows)


def row_of(given: object) -> dict[Any, Any] | None:
    """One row by the names of its columns, if it has names; otherwise `None`.

    Such are a mapping, as an `Architecture` is one; a named tuple; a row of a structured array; and what has `keys`, as
    a row of a data frame of pandas has.
    """
    if isinstance(given, (dict, Mapping)):  # A dict is known without asking what else may be a mapping.
        return dict(given)
    if isinstance(given, np.void):
        return None if given.dtype.names is None else {name: given[name] for name in given.dtype.names}
    if isinstance(given, tuple):
        fields = getattr(given, "_fields", None)
        return None if fields is None else dict(zip(fields, given, strict=True))
    if isinstance(given, (list, str, bytes, np.ndarray)) or _names(given) is not None:
        return None
    if not has(given, "keys") or not has(given, "__getitem__"):
        return None
    return dict(given)  # type: ignore[call-overload,no-any-return]


def _table_of_rows(given: Collection[object]) -> Table | None:
    rows = []
    for number, each in enumerate(given):
        row = row_of(each)
        if row is None and not number:
            return None
        if row is None:
            raise SpaceError(f"row {number}: {show(each)} has no names, but the first row has")
        rows.append(row)
    if not rows:
        return None
    names = dict.fromkeys(name for row in rows for name in row)
    return Table({name: [row.get(name, ABSENT) for row in rows] for name in names}, len(rows))


def _names(given: object) -> list[Any] | None:
    """The names of the columns of a data frame or of an Arrow table."""
    for attribute in ("column_names", "columns"):
        names = getattr(given, attribute, None) if has(given, attribute) else None
        if isinstance(names, Iterable) and not isinstance(names, str) and has(given, "__getitem__"):
            return list(names)
    return None


PREFIX = "params_"
"""The names of the parameters in a table of trials begin with this."""

OF_TRIALS = ("number", "value", "state", "duration")
OF_TRIALS_FROM = ("values_", "datetime_", "user_attrs_", "system_attrs_", "intermediate_values_")
"""The names of the other columns of a table of trials, and what they begin with."""

INDICES = ("", "Unnamed: 0", "index", "Index")
"""The names of the column, or the field, into which pandas writes the index of a data frame."""


def columns_by_decision(decisions: Collection[str], metrics: Collection[str], columns: Iterable[Any]) -> dict[str, Any]:
    """The name of the column of each decision in a table; decisions without a column are left out.

    In a table of Optuna's trials (`study.trials_dataframe()`) the column of `units` is `params_units`, and all columns
    that are not those of a decision are passed over. In any other table those named like a metric, `valid`, the
    columns of Optuna's trials, and the index of a data frame are.

    Args:
        decisions: The names of the decisions.
        metrics: The names of the metrics.
        columns: The names of the columns.

    Raises:
        SpaceError: If there are other columns, or two columns for one decision, or no column for any.
    """
    found, unknown = _sorted(decisions, metrics, columns)
    if unknown or (decisions and not found):
        problem = "no column is named like a decision"
        if unknown:
            problem = f"unknown columns {listed(with_nearest(name, decisions) for name in unknown)}"
            if not any(isinstance(name, str) for name in unknown):
                problem += " (indices are given as an array without names)"
        raise SpaceError(f"{problem}; this space has {listed(decisions) or 'no decisions'}")
    return found


def values_by_decision(row: Mapping[Any, Any], decisions: Collection[str], metrics: Collection[str]) -> dict[Any, Any]:
    """A row of a table by its decisions, without what may stand beside them, as in a table; unknown names stay.

    Raises:
        SpaceError: If it has two values for one decision.
    """
    if not [name for name in row if name not in decisions]:
        return dict(row)
    found, unknown = _sorted(decisions, metrics, row)
    return {**{name: row[column] for name, column in found.items()}, **{name: row.get(name) for name in unknown}}


def _sorted(
    decisions: Collection[str], metrics: Collection[str], columns: Iterable[Any]
) -> tuple[dict[str, Any], list[Any]]:
    """The column of each decision that has one, and the columns that may not stand beside them."""
    found: dict[str, Any] = {}
    others: list[Any] = []
    is_of_trials = False
    for column in columns:
        name = "_".join(filter(None, map(str, column))) if isinstance(column, tuple) else column
        decision = name
        if name not in decisions and isinstance(name, str) and name.removeprefix(PREFIX) in decisions:
            decision = name.removeprefix(PREFIX)
            is_of_trials = True
        if decision not in decisions:
            others.append(name)
        elif decision in found:
            raise SpaceError(f"two columns hold decision '{decision}': {listed([found[decision], column])}")
        else:
            found[decision] = column
    return found, [] if is_of_trials else [name for name in others if not _is_known(name, metrics)]


def _is_known(name: object, metrics: Collection[str]) -> bool:
    """Whether a column that is not named like a decision may stand beside those that are."""
    if not isinstance(name, str):
        return False
    return name in (*metrics, "valid", *OF_TRIALS, *INDICES) or name.startswith((*OF_TRIALS_FROM, "__index_level_"))
