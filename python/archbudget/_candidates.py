"""Batches of candidates, and what they cost."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Union, overload

import numpy as np
import numpy.typing as npt

from archbudget._atomic import atomic
from archbudget._guard import guards
from archbudget._message import listed, one_line, show
from archbudget._regular import path_of, reading
from archbudget.errors import ArchbudgetError, OutOfRangeError, SpaceError, UnknownNameError

if TYPE_CHECKING:
    import os

    from archbudget._architecture import Architecture
    from archbudget._expressions import Decision
    from archbudget._space import Space

Indices = npt.NDArray[Any]


def index_dtype(space: Space) -> np.dtype[Any]:
    """The narrowest unsigned integers that hold the indices of a space."""
    largest = max((len(decision.values) for decision in space.decisions.values()), default=1) - 1
    return np.min_scalar_type(largest)


@guards()
class Candidates:
    """A batch of candidates: an (N, D) array of indices into the domains of a space.

    Args:
        space: The space.
        indices: An (N, D) array of unsigned or signed integers, columns in the order of `space.decisions`. Arrays of
            uint8, uint16 and uint32 are kept as they are, in any layout, and set read-only as this batch shows them.

    Raises:
        SpaceError: If the array has another number of columns, is not of integers, or an index is outside its domain.
    """

    def __init__(self, space: Space, indices: npt.ArrayLike) -> None:
        from archbudget._space import require_space

        require_space(space, "Candidates")
        self.space = space
        """The space that the indices count in."""
        array = check_indices(space, indices)
        sizes = [len(decision.values) for decision in space.decisions.values()]
        for column, (name, size) in enumerate(zip(space.decisions, sizes, strict=True)):
            values = array[:, column]
            if len(values) and int(values.max()) >= size:
                row = int(np.argmax(values >= size))
                raise SpaceError(
                    f"row {row}: index {int(values[row])} is not in the domain of decision '{name}', which has {size} "
                    "values"
                )
        self._indices = array.view()
        self._indices.flags.writeable = False

    @property
    def indices(self) -> Indices:
        """(N, D) indices, read-only; 0 where a decision that was drawn here is inactive."""
        return self._indices

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, key: int) -> Architecture: ...

    @overload
    def __getitem__(self, key: slice | npt.NDArray[Any] | list[int] | list[bool]) -> Candidates: ...

    def __getitem__(self, key: Any) -> Architecture | Candidates:
        """One candidate as an `Architecture`, or some of them as `Candidates`."""
        if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
            if not -len(self) <= key < len(self):
                raise OutOfRangeError(f"there is no candidate {show(key)} in a batch of {len(self):,}")
            return self.space._architecture(tuple(int(index) for index in self._indices[key]))
        if not isinstance(key, slice):
            key = as_array(None if isinstance(key, tuple) else key, "what indexes a batch", 1)
            if key.ndim != 1 or (key.dtype.kind not in "iub" and key.size):
                raise SpaceError(
                    f"a batch is indexed by an integer, a slice, or 1-D integers or flags, not {show(key)}"
                )
            if key.size == 0:
                key = slice(0, 0)
        return unchecked(self.space, self._indices[key])

    def __reduce__(self) -> tuple[Any, ...]:
        return (Candidates, (self.space, np.asarray(self._indices)))

    def __iter__(self) -> Iterator[Architecture]:
        for row in range(len(self)):
            yield self[row]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Candidates):
            return self.space is other.space and np.array_equal(self._indices, other._indices)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self):,} Candidates of {len(self.space.decisions)} decisions>"

    def values(self) -> dict[str, npt.NDArray[Any]]:
        """The values: a column of N for each decision, also where it is inactive. O(N * D)."""
        return {
            name: value_array(decision.values)[self._indices[:, column]]
            for column, (name, decision) in enumerate(self.space.decisions.items())
        }

    def to_pandas(self) -> Any:
        """The values as a `pandas.DataFrame`."""
        pd = pandas_module()
        return pd.DataFrame({name: pd.Series(column, dtype=column.dtype) for name, column in self.values().items()})

    def save(self, file: str | os.PathLike[str]) -> None:
        """Writes the batch to an NPZ file, with the names and values of the decisions.

        The file is written whole or not at all.
        """
        with atomic(file) as part, part.open("wb") as stream:
            np.savez_compressed(
                stream,
                indices=self._indices,
                decisions=np.array(list(self.space.decisions)),
                values=np.array([_shown(decision) for decision in self.space.decisions.values()]),
            )

    @classmethod
    def load(cls, file: str | os.PathLike[str], space: Space) -> Candidates:
        """Reads a batch that `save` wrote.

        Nothing but numbers and text is read of the file, and no more than it says that it holds.

        Raises:
            SpaceError: If the file holds no candidates, or those of a space with other decisions; or if the indices
                take more than 256 MiB, and 250 times as much as in the file.
            FileNotFoundError: If there is no such file.
        """
        from archbudget._space import require_space

        require_space(space, "Candidates.load")
        path = path_of(file)
        names, values = list(space.decisions), [_shown(decision) for decision in space.decisions.values()]
        most = max(MOST_TEXT, 4 * len(values) * max(map(len, values), default=0))
        try:
            with reading(path) as stream, zipfile.ZipFile(stream) as archive:
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


def _shown(decision: Decision) -> str:
    """The values of a decision as a file keeps them."""
    return repr(list(decision.values))


MOST_TEXT = 1 << 24
"""The most bytes of the names and values of decisions in a file, unless those of the space take more."""
LARGE, RATIO = 1 << 28, 250
"""Arrays of more bytes are not taken that are so many times as large as in the file."""


def _header(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and the type of an array in a file, which has just the bytes that these say.

    Raises:
        ValueError: If it has not.
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


def _text(archive: zipfile.ZipFile, name: str, most: int) -> list[str]:
    """A row of text in a file; what is no such row, or too long to be that of a space, is none."""
    shape, dtype = _header(archive, name)
    if len(shape) != 1 or (dtype.kind != "U" and shape != (0,)):
        raise ValueError(f"{name} are no row of text")
    if math.prod(shape) * dtype.itemsize > most:
        raise ValueError(f"{name} take more than {most:,} bytes")
    return [str(each) for each in _array(archive, name)]


def _indices(archive: zipfile.ZipFile, columns: int) -> Indices:
    """The indices in a file."""
    shape, dtype = _header(archive, "indices")
    if dtype.kind not in "iu" or len(shape) != 2 or shape[1] != columns:
        raise ValueError(f"the indices are not integers of the shape (N, {columns}) but {dtype} of {show(shape)}")
    return _array(archive, "indices")


def _array(archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    with archive.open(f"{name}.npy") as member:
        found: npt.NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
    return found


def unchecked(space: Space, indices: Indices) -> Candidates:
    """A batch of indices that are known to be good."""
    candidates = object.__new__(Candidates)
    candidates.space = space
    candidates._indices = indices.view()
    candidates._indices.flags.writeable = False
    return candidates


def empty_columns(space: Space, n: int) -> Indices:
    """A (D, n) array for the indices of `n` candidates, a contiguous row for each decision.

    Raises:
        SpaceError: If `n` is not an integer of at least 0, or more than an array can hold.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
        raise SpaceError(f"n must be an integer of at least 0, not {show(n)}")
    try:
        # Not zeros: numpy backs what is empty with huge pages, and who fills it writes every index.
        return np.empty((len(space.decisions), n), index_dtype(space))
    except (ValueError, OverflowError):
        raise SpaceError(f"n={n} candidates are more than an array can hold") from None


def value_array(values: tuple[object, ...]) -> npt.NDArray[Any]:
    """Values as an array of their own type; of objects where they are mixed."""
    kinds = {type(value) for value in values}
    if len(kinds) == 1 and kinds <= {int, float, bool}:
        return np.array(values)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def pandas_module() -> Any:
    """The module `pandas`, or what to install."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError("to_pandas needs pandas: pip install archbudget[pandas]") from error
    return pandas


def as_array(values: Any, what: str, axes: int) -> npt.NDArray[Any]:
    """Values as an array, not copied if they are one.

    Raises:
        SpaceError: If they are rows of unlike lengths, or lists that are nested more deeply than there are axes.
    """
    if _depth(values, axes + 1) > axes and _items(values, FEW) > FEW:
        raise SpaceError(f"{what} must be an array; the lists are nested more deeply")
    try:
        return np.asarray(values)
    except Exception as error:  # An object may do anything where it is made an array.
        raise SpaceError(f"{what} must be an array: {one_line(error)}") from None


FEW = 500
"""The most items of lists that numpy may go through to say which shape they have."""


def _depth(values: object, most: int) -> int:
    """How deeply lists are nested, as far as it matters."""
    if not most or not isinstance(values, (list, tuple)):
        return 0
    return 1 + max((_depth(each, most - 1) for each in values), default=0)


def _items(values: object, most: int) -> int:
    """How many items lists come to, as far as it matters: numpy goes through a list as often as it stands there."""
    if not isinstance(values, (list, tuple)):
        return 1
    number = 1
    for each in values:
        number += _items(each, most - number)
        if number > most:
            break
    return number


def check_indices(space: Space, indices: npt.ArrayLike) -> Indices:
    """Indices as an (N, D) array of uint8, uint16 or uint32, not copied if it is one; ranges are not checked.

    Raises:
        SpaceError: If the shape or the type is another, or an index is negative.
    """
    array = as_array(indices, "indices", 2)
    columns = len(space.decisions)
    if array.ndim != 2 or array.shape[1] != columns:
        raise SpaceError(
            f"indices must have the shape (N, {columns}), a column for each decision ({listed(space.decisions)}), "
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
            name = list(space.decisions)[column]
            size = len(space.decisions[name].values)
            raise SpaceError(
                f"row {row}: index {bad} is not in the domain of decision '{name}', which has {size} values"
            )
    return array.astype(np.uint32)


@guards()
@dataclass(frozen=True)
class LayerEvaluation:
    """What each layer of each candidate costs, and its output shape; nothing but 0 where it cannot be built."""

    names: tuple[str, ...]
    """The L layers of the space, by name."""
    costs: dict[str, npt.NDArray[np.int64]]
    """For each metric (N, L) costs; 0 where a layer is not in the network."""
    shapes: npt.NDArray[np.int64]
    """(N, L, rank) sides of the output of each layer, of the first one where it has several, the batch not counted; 0
    where a layer is not in the network, and behind the last axis."""

    def __getitem__(self, metric: str) -> npt.NDArray[np.int64]:
        if metric not in self.costs:
            raise UnknownNameError(f"{show(metric)} was not evaluated; there are {listed(self.costs)}")
        return self.costs[metric]


@guards()
class Evaluation(Mapping[str, "npt.NDArray[np.int64]"]):
    """What N candidates cost: a mapping from each metric to (N,) int64 totals.

    A candidate that cannot be built has `valid` False and the total 2^63 - 1, which no budget allows.
    """

    def __init__(
        self,
        totals: dict[str, npt.NDArray[np.int64]],
        valid: npt.NDArray[np.bool_],
        layers: LayerEvaluation | None = None,
    ) -> None:
        self._totals = totals
        self.valid = valid
        """(N,) whether each candidate can be built."""
        self.layers = layers
        """What each layer costs, if it was asked for (`per_layer=True`)."""

    def __getitem__(self, metric: str) -> npt.NDArray[np.int64]:
        try:
            return self._totals[metric]
        except KeyError:
            raise UnknownNameError(f"{show(metric)} was not evaluated; there are {listed(self._totals)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._totals)

    def __len__(self) -> int:
        return len(self._totals)

    def __repr__(self) -> str:
        return f"<Evaluation of {len(self.valid):,} candidates: {', '.join(self)}>"

    def to_pandas(self) -> Any:
        """The totals and `valid` as a `pandas.DataFrame`."""
        pd = pandas_module()
        return pd.DataFrame({**self._totals, "valid": self.valid})


CandidatesLike = Union[Candidates, "Mapping[str, npt.ArrayLike]", npt.ArrayLike]
"""A batch of candidates; or a column of N values for each decision, by its name; or (N, D) indices."""
