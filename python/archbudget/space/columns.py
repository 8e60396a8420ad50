"""Arrays of candidates: a column of values or of indices for each decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from archbudget._message import listed, one_line, show
from archbudget.errors import CountOverflowError, SpaceError
from archbudget.space.description import check_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archbudget._expressions import Decision

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


def check_indices(decisions: Mapping[str, Decision], indices: npt.ArrayLike) -> Indices:
    """Indices as an (N, D) array of uint8, uint16 or uint32; such an array is not copied, and no range is checked.

    Raises:
        SpaceError: If the shape or the type is wrong, or an index is negative.
    """
    array = as_array(indices, "indices", 2)
    columns = len(decisions)
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
        raise SpaceError(f"indices must be integers, not {array.dtype}; to give values, use a dict of columns")
    if array.size:
        least, most = int(array.min()), int(array.max())
        if least < 0 or most >= 2**32:
            bad = least if least < 0 else most
            row, column = (int(place[0]) for place in np.nonzero(array == bad))
            name = list(decisions)[column]
            size = len(decisions[name].values)
            raise SpaceError(
                f"row {row}: index {bad} is not in the domain of decision '{name}', which has {size} values"
            )
    return array.astype(np.uint32)


def value_column(decision: Decision, column: npt.ArrayLike) -> Any:
    """A column of values in the form that the engine takes: int64 values with their domain, or indices."""
    what = f"the column of decision '{decision.name}'"
    if not decision.is_integer and isinstance(column, (list, tuple)):
        # numpy would turn True beside "yes" into text.
        array = np.empty(len(column), dtype=object)
        array[:] = column
    else:
        array = as_array(column, what, 1)
    if array.ndim != 1:
        raise SpaceError(f"the column of decision '{decision.name}' must have one axis, not the shape {array.shape}")
    if len(array) == 0:
        return np.zeros(0, dtype=np.uint8)
    if decision.is_integer:
        if array.dtype.kind not in "iu":
            raise SpaceError(
                f"the column of decision '{decision.name}' must hold integers, not {array.dtype}"
                + (" (it holds nan)" if array.dtype.kind == "f" and np.isnan(array).any() else "")
            )
        if array.dtype == np.uint64 and int(array.max()) >= 2**63:
            raise CountOverflowError(
                f"the column of decision '{decision.name}' holds {int(array.max())}, which does not fit into 63 bits"
            )
        if array.dtype != np.int64 or not array.flags.aligned or not array.dtype.isnative:
            array = array.astype(np.int64)
        return (array, list(decision.values))
    if array.dtype.kind == "f":
        unique, inverse = np.unique(array, return_inverse=True)
        return np.array([decision.index(value) for value in unique.tolist()], dtype=np.uint32)[inverse]
    indices = np.empty(len(array), dtype=np.uint32)
    for row, value in enumerate(array.tolist()):
        try:
            indices[row] = decision.index(value)
        except SpaceError as error:
            raise SpaceError(f"row {row}: {error}") from None
    return indices


def value_columns(decisions: Mapping[str, Decision], columns: Mapping[str, npt.ArrayLike]) -> tuple[list[Any], int]:
    """For each decision a column of values in the form that the engine takes, and the number of rows.

    Raises:
        SpaceError: If a column is missing, unknown, of a different length than the others, or holds no values.
    """
    check_names(decisions, columns, "columns")
    missing = [name for name in decisions if name not in columns]
    if missing:
        raise SpaceError(f"the columns of decisions are missing: {listed(missing)}")
    prepared = [value_column(decision, columns[name]) for name, decision in decisions.items()]
    lengths = {len(column[0] if isinstance(column, tuple) else column) for column in prepared}
    if len(lengths) > 1:
        shown = {name: len(np.asarray(columns[name])) for name in decisions}
        raise SpaceError(f"the columns must have one length, not {shown}")
    return prepared, lengths.pop() if lengths else 0


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
