"""Arrays of candidates: a column of values or of indices for each decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from archbudget._message import listed, one_line, show
from archbudget.errors import CountOverflowError, SpaceError
from archbudget.space.table import ABSENT, columns_by_decision

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from archbudget._expressions import Decision
    from archbudget.space.table import Table

Indices = npt.NDArray[Any]


def index_dtype(decisions: Mapping[str, Decision]) -> np.dtype[Any]:
    """The narrowest unsigned integer type that holds the indices of a space."""
    largest = max((len(decision.values) for decision in decisions.values()), default=1) - 1
    return np.min_scalar_type(largest)


def empty_columns(decisions: Mapping[str, Decision], n: int) -> Indices:
    """A (D, n) array for the indices of `n` candidates, a contiguous row for each decision.

    Raises:
        SpaceError: If `n` is not an integer of at least 0, or more than an array can hold.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
        raise SpaceError(f"n must be an integer of at least 0, not {show(n)}")
    try:
        # Not zeros: numpy backs an empty array with huge pages, and every index is written afterwards.
        return np.empty((len(decisions), n), index_dtype(decisions))
    except (ValueError, OverflowError):
        raise SpaceError(f"n={n} candidates are more than an array can hold") from None


def value_array(values: tuple[object, ...]) -> npt.NDArray[Any]:
    """Values as an array of their common type; of objects where the types differ."""
    types = {type(value) for value in values}
    if len(types) == 1 and types <= {int, float, bool}:
        return np.array(values)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def as_array(values: Any, what: str, axes: int) -> npt.NDArray[Any]:
    """Values as an array; an array is not copied.

    Raises:
        SpaceError: If they are rows of different lengths, or lists nested more deeply than there are axes.
    """
    if _depth(values, axes + 1) > axes and _items(values, FEW) > FEW:
        raise SpaceError(f"{what} must be an array; the lists are nested more deeply")
    try:
        return np.asarray(values)
    except Exception as error:  # An object may do anything when it is converted.
        raise SpaceError(f"{what} must be an array: {one_line(error)}") from None


FEW = 500
"""The most items of lists that numpy may go through to find their shape."""


def _depth(values: object, most: int) -> int:
    """How deeply lists are nested, at most `most`."""
    if not most or not isinstance(values, (list, tuple)):
        return 0
    return 1 + max((_depth(each, most - 1) for each in values), default=0)


def _items(values: object, most: int) -> int:
    """The number of items in nested lists, counted until there are more than `most`.

    A list that occurs several times counts each time, as numpy goes through it each time.
    """
    if not isinstance(values, (list, tuple)):
        return 1
    number = 1
    for each in values:
        number += _items(each, most - number)
        if number > most:
            break
    return number


def refuse_masked(values: Any, what: str) -> None:
    """Refuses an array with masked items, or rows of such: what is under a mask is no index.

    Raises:
        SpaceError: If an item is masked.
    """
    rows = values if isinstance(values, (list, tuple)) else (values,)
    if any(isinstance(row, np.ma.MaskedArray) and np.ma.is_masked(row) for row in rows):
        raise SpaceError(f"{what} cannot be masked: what is under a mask is no index")


def check_domains(decisions: Mapping[str, Decision], indices: Indices, where: Where) -> None:
    """Refuses indices outside their domains.

    Raises:
        SpaceError: With the first such row of the first such column.
    """
    for column, (name, decision) in enumerate(decisions.items()):
        values, size = indices[:, column], len(decision.values)
        if len(values) and int(values.max()) >= size:
            row = int(np.argmax(values >= size))
            raise SpaceError(
                f"{where(row)}: index {int(values[row])} is not in the domain of decision '{name}', which has {size} "
                "values"
            )


Where = Callable[[int], str]
"""What a row of a table is called in messages."""


def as_row(row: int) -> str:
    """The row of a table that has no other name."""
    return f"row {row}"


def check_indices(decisions: Mapping[str, Decision], indices: Any, where: Where = as_row) -> Indices:
    """Indices as an (N, D) array of uint8, uint16 or uint32; such an array is not copied, and no range is checked.

    Raises:
        SpaceError: If the shape or the type is wrong, or an index is negative.
    """
    columns = len(decisions)
    if isinstance(indices, (list, tuple)) and not indices:
        return np.zeros((0, columns), dtype=np.uint8)
    refuse_masked(indices, "indices")
    array = as_array(indices, "indices", 2)
    if array.ndim != 2 or array.shape[1] != columns:
        raise SpaceError(
            f"indices must have the shape (N, {columns}), a column for each decision ({listed(decisions)}), "
            f"not {array.shape}"
        )
    if array.dtype in (np.uint8, np.uint16, np.uint32):
        return (
            array
            if array.flags.aligned and array.dtype.isnative
            else np.array(array, dtype=array.dtype.newbyteorder("="))
        )
    if array.size == 0 and not isinstance(indices, np.ndarray):
        return np.zeros(array.shape, dtype=np.uint8)
    if array.dtype.kind not in "iu":
        raise SpaceError(
            f"indices must be integers, not {array.dtype}; to give values, use a table, such as a dict of columns"
        )
    if array.size:
        least, most = int(array.min()), int(array.max())
        if least < 0 or most >= 2**32:
            bad = least if least < 0 else most
            row, column = (int(place[0]) for place in np.nonzero(array == bad))
            name = list(decisions)[column]
            size = len(decisions[name].values)
            raise SpaceError(
                f"{where(row)}: index {bad} is not in the domain of decision '{name}', which has {size} values"
            )
    return array.astype(np.uint32)


class Values(NamedTuple):
    """Candidates by the values of their decisions."""

    columns: list[Any]
    """For each decision a column as the engine takes it: indices, or a pair of int64 values and their domain."""
    gaps: list[npt.NDArray[np.bool_] | None]
    """For each decision which candidates have no value, where their column has any index; `None` if all have one."""
    rows: int
    """The number of candidates."""
    absent: Collection[str]
    """The decisions without a column."""


GAP = -1
"""The index of a cell without a value."""


def is_missing(value: object) -> bool:
    """Whether a cell holds no value: None, NaN, NA, NaT, or one that is masked or absent."""
    if value is None or value is ABSENT or value is np.ma.masked or type(value).__name__ in ("NAType", "NaTType"):
        return True
    try:
        return bool(value != value)
    except Exception:  # A value may raise anything when it is compared.
        return False


def missing_index(decision: Decision) -> int:
    """The index of a cell without a value: that of `None`, if it is a value of the decision, and otherwise `GAP`.

    A table cannot tell both apart: pandas reads and writes `None` as NaN, and Arrow as null.
    """
    return decision.index(None) if None in decision.values else GAP


def index_of(decision: Decision, value: object) -> int:
    """The index of a value; for a gap as `missing_index`. An empty text is a gap, too, as it is in a CSV file.

    Raises:
        SpaceError: If it is neither a value of the decision nor a gap.
    """
    if type(value) in (int, bool) or (type(value) is str and value):
        return decision.index(value)  # Most values are one.
    if value is ABSENT:
        return GAP
    return missing_index(decision) if _is_blank(decision, value) else decision.index(value)


def _is_blank(decision: Decision, value: object) -> bool:
    return is_missing(value) or (value == "" and "" not in decision.values)


def is_gap(decision: Decision, value: object) -> bool:
    """Whether a value says that a decision has none, and is itself no value of the decision."""
    return _is_blank(decision, value) and index_of(decision, value) == GAP


class _Lookup(dict[tuple[type, Any], int]):
    """The index of each cell, by its type and its value."""

    def __init__(self, decision: Decision) -> None:
        super().__init__()
        self._decision = decision

    def __missing__(self, key: tuple[type, Any]) -> int:
        _, value = key
        if is_missing(value):  # It may have no hash, and NaN equals nothing.
            return index_of(self._decision, value)
        self[key] = index = index_of(self._decision, value)
        return index


def _looked_up(decision: Decision, cells: Sequence[Any], where: Where) -> npt.NDArray[np.int64]:
    """The indices of cells of any type."""
    lookup = _Lookup(decision)
    try:
        return np.fromiter((lookup[type(cell), cell] for cell in cells), np.int64, len(cells))
    except Exception:  # A cell may raise anything when it is hashed.
        indices = np.empty(len(cells), np.int64)
    for row, cell in enumerate(cells):
        if isinstance(cell, (list, tuple, np.ndarray)) and not is_missing(cell):
            raise SpaceError(f"{where(row)}: the column of decision '{decision.name}' must have one axis")
        try:
            indices[row] = lookup.__missing__((type(cell), cell))
        except SpaceError as error:
            raise SpaceError(f"{where(row)}: {error}") from None
    return indices


def _looked_up_once(decision: Decision, array: npt.NDArray[Any], where: Where) -> npt.NDArray[np.int64]:
    """The indices of an array of numbers or flags; each distinct one is looked up once."""
    unique = np.unique(array)
    lookup = _Lookup(decision)
    indices = np.empty(len(unique), np.int64)
    wrong: dict[int, SpaceError] = {}
    for number, value in enumerate(unique.tolist()):
        try:
            indices[number] = lookup[type(value), value]
        except SpaceError as error:
            wrong[number] = error
    places = np.searchsorted(unique, array)
    if wrong:
        row = int(np.argmax(np.isin(places, list(wrong))))
        raise SpaceError(f"{where(row)}: {wrong[int(places[row])]}")
    found: npt.NDArray[np.int64] = indices[places]
    return found


def _column_array(decision: Decision, column: Any) -> npt.NDArray[Any]:
    """A column as an array of one axis.

    Raises:
        SpaceError: If it has another number of axes.
    """
    what = f"the column of decision '{decision.name}'"
    array = as_array(column, what, 1)
    if array.ndim != 1:
        row = "" if array.ndim else "; one network by its values is space.architecture(values), and [values] a batch"
        raise SpaceError(f"{what} must have one axis, not the shape {array.shape}{row}")
    return array


def value_indices(decision: Decision, column: Any, where: Where = as_row) -> npt.NDArray[np.int64]:
    """The index of each value of a column, `GAP` where it has none.

    Numbers are looked up at some 20 million a second, cells of other types at some 5 million.

    Raises:
        SpaceError: If the column has more than one axis, or a cell is neither a value of the decision nor missing.
    """
    if isinstance(column, (list, tuple)):
        return _looked_up(decision, column, where)  # numpy would turn True beside 2 into 1.
    array = _column_array(decision, column)
    mask = np.ma.getmaskarray(column) if isinstance(column, np.ma.MaskedArray) else None
    if array.dtype.kind in "mM":
        mask = np.isnat(array)
        if not mask.all():
            raise SpaceError(f"the column of decision '{decision.name}' must hold values of it, not {array.dtype}")
    if mask is not None and mask.any():
        indices = np.full(len(array), missing_index(decision))
        kept = np.flatnonzero(~mask)
        indices[kept] = value_indices(decision, array[kept], lambda row: where(int(kept[row])))
        return indices
    if array.dtype.kind in "biuf":
        return _looked_up_once(decision, array, where)
    return _looked_up(decision, array.tolist(), where)


def value_column(decision: Decision, column: Any, where: Where = as_row) -> Any:
    """A column of values: int64 values and their domain, if the engine can look them up; otherwise as `value_indices`.

    Raises:
        SpaceError: As `value_indices`.
        CountOverflowError: If an integer does not fit into 63 bits.
    """
    is_array = not isinstance(column, (list, tuple, np.ma.MaskedArray))
    if decision.is_integer and is_array and (array := _column_array(decision, column)).dtype.kind in "iu":
        if array.dtype == np.uint64 and array.size and int(array.max()) >= 2**63:
            raise CountOverflowError(
                f"the column of decision '{decision.name}' holds {int(array.max())}, which does not fit into 63 bits"
            )
        if array.dtype != np.int64 or not array.flags.aligned or not array.dtype.isnative:
            array = array.astype(np.int64)
        return (array, list(decision.values))
    return value_indices(decision, column, where)


def values_of(
    decisions: Mapping[str, Decision],
    metrics: Collection[str],
    table: Table,
    *,
    where: Where = as_row,
    in_place: bool = False,
) -> Values:
    """The columns of decisions in a table.

    Args:
        decisions: The decisions.
        metrics: The names of the metrics, which columns that are no decisions may have.
        table: The table.
        where: What its rows are called in messages.
        in_place: Whether the columns may be those of the table, for the engine to look up.

    Raises:
        SpaceError: If a column is unknown, of a different length than the others, or has a cell that is no value.
    """
    names = columns_by_decision(decisions, metrics, table.columns)
    given = {name: table.columns[column] for name, column in names.items()}
    made = {name: (value_column if in_place else value_indices)(decisions[name], given[name], where) for name in given}
    lengths = {name: len(column[0] if isinstance(column, tuple) else column) for name, column in made.items()}
    if len(set(lengths.values())) > 1:
        raise SpaceError(f"the columns must have one length, not {show(lengths)}")
    return gathered(decisions, made, next(iter(lengths.values()), table.rows or 0))


def gathered(decisions: Mapping[str, Decision], columns: Mapping[str, Any], rows: int) -> Values:
    """Candidates from columns of `rows` cells, each as from `value_indices` or `value_column`."""
    made, gaps = [], []
    for name, decision in decisions.items():
        column = columns.get(name)
        gap = None
        if column is None:
            column, gap = np.zeros(rows, np.uint8), np.ones(rows, np.bool_)
        elif not isinstance(column, tuple):
            found = column == GAP
            gap = found if found.any() else None
            column = np.where(found, 0, column).astype(np.min_scalar_type(len(decision.values) - 1))
        made.append(column)
        gaps.append(gap)
    return Values(made, gaps, rows, decisions.keys() - columns.keys())


def index_columns(indices: Indices) -> tuple[list[Any], int]:
    """The columns of an (N, D) array, and the number of rows."""
    return [indices[:, column] for column in range(indices.shape[1])], len(indices)


def fresh_seed(seed: int | None) -> int:
    """The given seed, or a fresh one of 64 bits.

    Raises:
        SpaceError: If it is not an integer from 0 to 2^64 - 1.
    """
    if seed is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
        raise SpaceError(f"seed must be None or an integer from 0 to 2^64 - 1, not {show(seed)}")
    return int(seed)
