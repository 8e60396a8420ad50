"""Batches of candidates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union, overload

import numpy as np
import numpy.typing as npt

from archbudget._atomic import atomic
from archbudget._extras import imported
from archbudget._guard import guards
from archbudget._message import one_line, show
from archbudget._nested import SetOnce
from archbudget._regular import path_of, reading
from archbudget.errors import ArchbudgetError, InvalidArchitectureError, OutOfRangeError, SpaceError
from archbudget.space import html
from archbudget.space.architecture import Architecture, architecture_at, network_in
from archbudget.space.columns import (
    Indices,
    as_array,
    as_row,
    check_domains,
    check_indices,
    empty_columns,
    index_columns,
    refuse_masked,
    value_array,
    values_of,
)
from archbudget.space.family import compiled, require_family
from archbudget.space.table import in_memory, row_of, table_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator
    from zipfile import ZipFile

    from archbudget._expressions import Decision
    from archbudget.space.columns import Values, Where
    from archbudget.space.family import Family
    from archbudget.space.table import Table


FIRST = 10
"""So many candidates are shown in notebooks."""


@guards()
class Candidates(SetOnce):
    """A batch of candidates: an (N, D) array of indices into the domains of a space.

    To make one takes O(N * D), as every index is checked, and copies only where the type of the array must change. A
    batch is read-only: it is safe to use from several threads, as long as nobody writes to the array behind it. Its
    methods hold the GIL, except where numpy or a file releases it. To Python and pandas it is a sequence of networks,
    to NumPy an array of indices.

    Args:
        space: The space.
        indices: An (N, D) array of unsigned or signed integers, columns in the order of `space.decisions`. Arrays of
            uint8, uint16 and uint32 are kept as they are, in any layout, and set read-only as this batch shows them. Or
            a table, whose columns are values by name; see [`Space.evaluate`][archbudget.Space.evaluate].

    Raises:
        SpaceError: If the array has another number of columns, is not of integers, or an index is outside its domain;
            or a table as for `Space.evaluate`.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.lenet()
        >>> batch = space.sample(3, seed=0)
        >>> len(batch), batch.indices.shape
        (3, (3, 5))
        >>> batch.values()["k1"].tolist()
        [5, 3, 5]
    """

    def __init__(self, space: Family, indices: CandidatesLike) -> None:
        require_family(space, "Candidates")
        self.space = space
        """The space whose domains the indices refer to."""
        array = indices_of(space, indices)
        check_domains(space.decisions, array, as_row)
        self._indices = array.view()
        self._indices.flags.writeable = False

    @property
    def indices(self) -> Indices:
        """(N, D) indices, read-only. In a batch that archbudget drew, they are 0 where a decision is inactive."""
        return self._indices

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, key: int) -> Architecture: ...

    @overload
    def __getitem__(self, key: slice | npt.NDArray[Any] | list[int] | list[bool]) -> Candidates: ...

    def __getitem__(self, key: Any) -> Architecture | Candidates:
        """One candidate as an `Architecture`, in O(layers), or some of them as `Candidates`; a slice is a view.

        Raises:
            OutOfRangeError: If there is no such candidate.
            SpaceError: If the key is neither an integer, nor a slice, nor 1-D integers or flags.
            InvalidArchitectureError: If the one candidate cannot be built.
        """
        if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
            if not -len(self) <= key < len(self):
                raise OutOfRangeError(f"there is no candidate {show(key)} in a batch of {len(self):,}")
            return architecture_at(self.space, (int(index) for index in self._indices[key]))
        if not isinstance(key, slice):
            refuse_masked(key, "what indexes a batch")
            key = as_array(None if isinstance(key, tuple) else key, "what indexes a batch", 1)
            if key.ndim != 1 or (key.dtype.kind not in "iub" and key.size):
                raise SpaceError(
                    f"a batch is indexed by an integer, a slice, or 1-D integers or flags, not {show(key)}"
                )
            if key.dtype.kind == "b" and len(key) not in (0, len(self)):
                raise SpaceError(f"{len(key):,} flags are given for a batch of {len(self):,}: one is needed for each")
            if key.dtype.kind in "iu" and key.size and not -len(self) <= key.min() <= key.max() < len(self):
                wrong = key.min() if key.min() < -len(self) else key.max()
                raise OutOfRangeError(f"there is no candidate {wrong} in a batch of {len(self):,}")
            if key.size == 0:
                key = slice(0, 0)
        return unchecked(self.space, self._indices[key])

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Indices:
        """The indices, for `np.asarray(candidates)`; without a copy where NumPy needs none."""
        return np.array(self._indices, dtype=dtype, copy=copy)

    def __contains__(self, arch: object) -> bool:
        """Whether a network is one of the batch. O(N * D).

        Raises:
            SpaceError: If it is neither an Architecture nor a mapping from decisions to values, or the mapping has
                names that `Space.architecture` refuses.
        """
        own = network_in(self.space, arch)
        if own is None:
            return False
        active = [column for column, name in enumerate(self.space.decisions) if name in own]
        return bool((self._indices[:, active] == np.array(own.indices)[active]).all(axis=1).any())

    def __reduce__(self) -> tuple[Any, ...]:
        return (Candidates, (self.space, np.asarray(self._indices)))

    def __iter__(self) -> Iterator[Architecture]:
        for row in range(len(self)):
            yield self[row]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Candidates):
            return np.array_equal(self._indices, other._indices) and self.space == other.space
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self):,} Candidates of {len(self.space.decisions)} decisions>"

    @html.shown
    def _repr_html_(self) -> str:
        """The first candidates with their counts, for notebooks; what is inactive, or cannot be built, has none."""
        columns: dict[str, list[Any]] = {name: [] for name in (*self.space.decisions, *self.space.metrics)}
        rows = min(len(self), FIRST)
        for row in range(rows):
            try:
                arch = self[row]
                cells = {**arch, **{metric: f"{cost:,}" for metric, cost in arch.costs.items()}}
            except InvalidArchitectureError:
                indices = zip(self.space.decisions.items(), self._indices[row], strict=True)
                cells = {name: decision.values[index] for (name, decision), index in indices}
                cells |= dict.fromkeys(self.space.metrics, "cannot be built")
            for name, column in columns.items():
                column.append(cells.get(name, ""))
        return html.batch_html(repr(self)[1:-1], columns, rows, len(self) - rows)

    def values(self) -> dict[str, npt.NDArray[Any]]:
        """The values: for each decision a column of N, with a value also where the decision is inactive. O(N * D).

        Columns are int64, float64 or bool where all values of a decision have that type, and of objects otherwise.
        """
        return {
            name: value_array(decision.values)[self._indices[:, column]]
            for column, (name, decision) in enumerate(self.space.decisions.items())
        }

    def to_pandas(self) -> Any:
        """The values as a `pandas.DataFrame` with a column for each decision. O(N * D).

        Raises:
            MissingPackageError: If pandas is not installed (`pip install pandas`).
        """
        pd = imported("pandas", "to_pandas")
        columns = {name: pd.Series(column, dtype=column.dtype) for name, column in self.values().items()}
        return pd.DataFrame(columns, index=pd.RangeIndex(len(self)))

    def save(self, file: str | os.PathLike[str]) -> None:
        """Writes the batch to a compressed NPZ file, with the names and values of the decisions. O(N * D).

        The file is written whole or not at all.

        Raises:
            FileError: If the file cannot be written.
        """
        with atomic(file) as part, part.open("wb") as stream:
            np.savez_compressed(
                stream,
                indices=self._indices,
                decisions=np.array(list(self.space.decisions)),
                values=np.array([_shown(decision) for decision in self.space.decisions.values()]),
            )

    @classmethod
    def load(cls, file: str | os.PathLike[str], space: Family) -> Candidates:
        """Reads a batch that `save` wrote. O(N * D).

        Only numbers and text are read from the file, and no more bytes than its headers state: no code is run.

        Raises:
            SpaceError: If the file holds no candidates, or candidates of a space with other decisions; or if the
                indices take more than 256 MiB, and more than 250 times as much as in the file.
            FileNotFoundError: If there is no such file.
        """
        require_family(space, "Candidates.load")
        from zipfile import ZipFile

        path = path_of(file)
        names, values = list(space.decisions), [_shown(decision) for decision in space.decisions.values()]
        most = max(MOST_TEXT, 4 * len(values) * max(map(len, values), default=0))
        try:
            with reading(path) as stream, ZipFile(stream) as archive:
                stored = [_text(archive, member, most) for member in ("decisions", "values")]
                if stored != [names, values]:
                    raise SpaceError(
                        f"{path} holds candidates of another space: its decisions are {show(stored[0])} with the "
                        f"values {show(stored[1])}, those of this space {show(names)} with {show(values)}"
                    )
                indices = _indices(archive, len(names))
        except ArchbudgetError:
            raise
        except Exception as error:  # A damaged archive fails in more ways than its readers say.
            raise SpaceError(f"{path} holds no candidates: {type(error).__name__}: {one_line(error)}") from None
        try:
            return cls(space, indices)
        except SpaceError as error:
            raise SpaceError(f"{path}: {error}") from None


Sequence.register(Candidates)  # So pandas.DataFrame(candidates) has values by name, not the array of indices.

CandidatesLike = Union[Candidates, "Mapping[str, Any]", "Iterable[Mapping[str, Any]]", npt.ArrayLike]
"""A batch of candidates: `Candidates`; or a table, with a column of N values for each decision; or (N, D) indices.

A table is a mapping from names to columns; a data frame of pandas or polars, or a table of pyarrow; a structured array;
or a list, or another iterable, of `Architecture`s, dicts, or other rows with names.
"""


def columns_of(space: Family, given: CandidatesLike) -> tuple[list[Any], int]:
    """For each decision a column in the form that the engine takes, in place where it can be, and the number of rows.

    Raises:
        SpaceError: If it is no batch of the space, or a candidate has no value where its network reads a decision.
    """
    given = _batch(given)
    table = _table(given)
    if table is None:
        return index_columns(_given_indices(space, given))
    values = values_of(space.decisions, space.metrics, table, in_place=True)
    return _without_gaps(space, values, as_row), values.rows


def indices_of(space: Family, given: CandidatesLike, where: Where = as_row) -> Indices:
    """The (N, D) indices of a batch; those of a table are made, and are 0 where it has no value.

    Raises:
        SpaceError: As for `columns_of`.
    """
    given = _batch(given)
    table = _table(given)
    if table is None:
        return _given_indices(space, given)
    return closed(space, values_of(space.decisions, space.metrics, table, where=where), where)


def closed(space: Family, values: Values, where: Where) -> Indices:
    """The (N, D) indices of candidates whose columns hold indices; those of gaps are 0.

    Raises:
        SpaceError: If a candidate has no value where its network reads a decision.
    """
    indices = empty_columns(space.decisions, values.rows)
    for row, column in enumerate(_without_gaps(space, values, where)):
        indices[row] = column
    return indices.T


def _batch(given: Any) -> Any:
    """A batch that can be read more than once.

    Raises:
        SpaceError: If it is one network, and not a batch of them.
    """
    if isinstance(given, Candidates):
        return given
    if isinstance(given, Architecture):
        raise SpaceError(
            "one architecture is not a batch; its totals are arch.params, arch.macs, ...; [arch] is a batch of one"
        )
    given = in_memory(given)
    is_row = not isinstance(given, Mapping) and row_of(given) is not None
    if is_row and all(isinstance(cell, (str, bytes)) or np.ndim(cell) == 0 for cell in given):
        raise SpaceError("one row is not a batch; its network is space.architecture(row), and [row] is a batch of one")
    return given


def _table(given: object) -> Table | None:
    return None if isinstance(given, Candidates) else table_of(given)


def _given_indices(space: Family, given: CandidatesLike) -> Indices:
    """The indices of a batch that is no table."""
    if not isinstance(given, Candidates):
        return check_indices(space.decisions, given)
    if given.space is not space and _domains(given.space) != _domains(space):
        raise SpaceError("these candidates belong to a space with other decisions")
    return given.indices


def _without_gaps(space: Family, values: Values, where: Where) -> list[Any]:
    """The columns, if no network reads a decision where it has no value.

    Raises:
        SpaceError: With the first row that has no value, and the decision.
    """
    if any(gaps is not None for gaps in values.gaps):
        found = compiled(space).diagram.first_gap(values.columns, values.gaps)
        if found is not None:
            row, position = found
            name = list(space.decisions)[position]
            if name in values.absent:
                raise SpaceError(f"{where(row)}: a column is missing, for decision '{name}', which this network reads")
            raise SpaceError(f"{where(row)}: decision '{name}' has no value, but this network reads it")
    return values.columns


def _domains(space: Family) -> list[tuple[str, tuple[object, ...]]]:
    """The meaning of the columns of a batch: the decisions in their order, each with its values."""
    return [(name, tuple(decision.keys)) for name, decision in space.decisions.items()]


def unchecked(space: Family, indices: Indices) -> Candidates:
    """A batch of indices that are known to be valid."""
    candidates = object.__new__(Candidates)
    candidates.space = space
    candidates._indices = indices.view()
    candidates._indices.flags.writeable = False
    return candidates


def _shown(decision: Decision) -> str:
    """The values of a decision as text, as a file stores them."""
    return repr(list(decision.values))


MOST_TEXT = 1 << 24
"""The names and values of decisions in a file take at most this many bytes, unless those of the space take more."""
LARGE, RATIO = 1 << 28, 250
"""An array of more than `LARGE` bytes is refused if it is more than `RATIO` times as large as in the file."""


def _header(archive: ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and the type of an array in a file, checked against the number of bytes there.

    Raises:
        ValueError: If these differ, or the array holds Python objects, or is much larger than in the file.
    """
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as member:
        read = np.lib.format.read_array_header_1_0
        if np.lib.format.read_magic(member) != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, _, dtype = read(member)
        if dtype.hasobject:
            raise ValueError(f"{name} are Python objects")
        takes, holds = math.prod(shape) * dtype.itemsize, info.file_size - member.tell()
        if takes != holds:
            raise ValueError(f"{name} of the shape {show(shape)} take {show(takes)} bytes, but there are {holds:,}")
    if takes > LARGE and takes > RATIO * info.compress_size:
        raise ValueError(f"{name} take {takes:,} bytes, more than {RATIO} times as many as in the file")
    return shape, dtype


def _text(archive: ZipFile, name: str, most: int) -> list[str]:
    """A row of text in a file.

    Raises:
        ValueError: If it is no such row, or too long to belong to a space.
    """
    shape, dtype = _header(archive, name)
    if len(shape) != 1 or (dtype.kind != "U" and shape != (0,)):
        raise ValueError(f"{name} are no row of text")
    if math.prod(shape) * dtype.itemsize > most:
        raise ValueError(f"{name} take more than {most:,} bytes")
    return [str(each) for each in _array(archive, name)]


def _indices(archive: ZipFile, columns: int) -> Indices:
    """The indices in a file.

    Raises:
        ValueError: If they are not integers of the right shape.
    """
    shape, dtype = _header(archive, "indices")
    if dtype.kind not in "iu" or len(shape) != 2 or shape[1] != columns:
        raise ValueError(f"the indices are not integers of the shape (N, {columns}) but {dtype} of {show(shape)}")
    return _array(archive, "indices")


def _array(archive: ZipFile, name: str) -> npt.NDArray[Any]:
    with archive.open(f"{name}.npy") as member:
        found: npt.NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
    return found
