"""Batches of candidates in files: CSV, NPY, NPZ and Parquet, read in chunks and written whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, TextIO
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from archbudget._atomic import atomic
from archbudget._extras import imported
from archbudget._message import listed, one_line, show
from archbudget._regular import lines, reading
from archbudget.errors import ArchbudgetError, SpaceError
from archbudget.files import array
from archbudget.files.values import Texts
from archbudget.space.candidates import Candidates, closed, indices_of, unchecked
from archbudget.space.columns import as_row, gathered, missing_index
from archbudget.space.table import columns_by_decision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from archbudget.space.space import Space

    Columns = Mapping[str, Sequence[Any] | npt.NDArray[Any]]
    Write = Callable[[Columns], None]

CHUNK = 100_000
"""The most candidates that are in memory at once."""

MISSING = ("", "nan", "NaN", "NA", "<NA>", "None", "null")
"""The texts of a cell without a value, unless they are values of its decision."""


READ, WRITTEN = ("csv", "npy", "npz", "parquet"), ("csv", "npz", "parquet")
"""The formats of files that are read, and of those that are written."""

ADDRESSED = ("npy", "parquet")
"""The formats of files in which rows are found without reading those before them."""


def format_of(file: str, formats: Sequence[str] = WRITTEN) -> str:
    """The format of a file by its name, one of `formats`; `-` is CSV.

    Raises:
        ArchbudgetError: If the name has another ending.
    """
    ending = "csv" if file == "-" else Path(file).suffix.lower().removeprefix(".")
    if ending not in formats:
        first = ", ".join(f".{form}" for form in formats[:-1])
        instead = ", or be - for CSV" if "csv" in formats else ""
        raise ArchbudgetError(f"{file}: the name must end in {first} or .{formats[-1]}{instead}")
    return ending


def number_in(space: Space, source: str) -> int | None:
    """How many candidates a file has; `None` where that is known only when it has been read.

    Raises:
        ArchbudgetError: If the file is not valid.
    """
    form = format_of(source, READ)
    if form == "npy":
        return array.number(space, source)
    if form == "parquet":
        with _parquet_file(source) as file:
            return int(file.metadata.num_rows)
    return None


def read(space: Space, source: str) -> Iterator[Candidates]:
    """The candidates of a file, in batches of at most `CHUNK`; at least one batch, which may be empty.

    Of all formats but NPZ, which is read whole, no more than a batch, or a page of a Parquet file, is in memory.

    Raises:
        ArchbudgetError: If the file is not valid; the message names the line.
    """
    form = format_of(source, READ)
    if form == "npz":
        stored = Candidates.load(source, space)
        for start in range(0, max(len(stored), 1), CHUNK):
            yield stored[start : start + CHUNK]
    elif form == "npy":
        for indices in array.chunks(space, source, CHUNK):
            yield unchecked(space, indices)
    elif form == "parquet":
        yield from _read_parquet(space, source)
    elif source == "-":
        yield from _read_csv(space, sys.stdin, "stdin")
    else:
        with reading(source) as binary, io.TextIOWrapper(binary, encoding="utf-8-sig", newline="") as stream:
            yield from _read_csv(space, stream, source)


def read_rows(space: Space, source: str, start: int, stop: int) -> Iterator[Candidates]:
    """Some rows of a file, without those before them, in batches; at least one, which may be empty.

    Raises:
        ArchbudgetError: If the file is not valid, or its format is not one of `ADDRESSED`.
    """
    if format_of(source, ADDRESSED) == "npy":
        for indices in array.chunks(space, source, CHUNK, start, stop):
            yield unchecked(space, indices)
    else:
        yield from _read_parquet(space, source, start, stop)


def _read_csv(space: Space, stream: TextIO, name: str) -> Iterator[Candidates]:
    reader = csv.reader(lines(stream, name))
    try:
        header = [title.strip() for title in next(reader, [])]
        places = _places(space, header, f"{name}:1")
        texts = {decision: Texts(space.decisions[decision]) for decision in places}
        for decision, indices_by_text in texts.items():
            for text in MISSING:
                indices_by_text.setdefault(text, missing_index(space.decisions[decision]))
        numbered = ((reader.line_num, row) for row in reader if row)
        first = True
        while (rows := list(islice(numbered, CHUNK))) or first:
            first = False
            for line, row in rows:
                if len(row) != len(header):
                    raise SpaceError(f"{name}:{line}: {len(row)} cells, where the header has {len(header)}")
            columns = {}
            for decision, place in places.items():
                indices_by_text = texts[decision]
                try:
                    columns[decision] = np.array([indices_by_text[row[place]] for _, row in rows], np.int64)
                except SpaceError:
                    _raise_first_fault(indices_by_text, place, rows, name)
                    raise
            where = partial(_line, name, [line for line, _ in rows])
            yield unchecked(space, closed(space, gathered(space.decisions, columns, len(rows)), where))
    except UnicodeDecodeError as error:
        raise SpaceError(f"{name}: not UTF-8 text: {error.reason} at byte {error.start}") from None
    except csv.Error as error:
        raise SpaceError(f"{name}:{reader.line_num}: not valid CSV: {error}") from None


def _line(name: str, numbers: list[int], row: int) -> str:
    return f"{name}:{numbers[row]}"


def _places(space: Space, header: list[str], where: str) -> dict[str, int]:
    """The position of the column of each decision that has one.

    Raises:
        SpaceError: With the wrong columns.
    """
    if not header:
        raise SpaceError(f"{where}: there is no header; the columns are the decisions: {listed(space.decisions)}")
    repeated = [title for title, number in Counter(header).items() if number > 1]
    if repeated:
        raise SpaceError(f"{where}: repeated columns {listed(map(show, repeated))}")
    try:
        titles = columns_by_decision(space.decisions, space.metrics, header)
    except SpaceError as error:
        raise SpaceError(f"{where}: {error}") from None
    return {decision: header.index(title) for decision, title in titles.items()}


def _raise_first_fault(indices_by_text: Texts, position: int, rows: list[tuple[int, list[str]]], name: str) -> None:
    """Finds the line of the first wrong value of a column.

    Raises:
        SpaceError: With that line.
    """
    for line, row in rows:
        try:
            indices_by_text[row[position]]
        except SpaceError as error:
            raise SpaceError(f"{name}:{line}: {error}") from None


def _read_parquet(space: Space, source: str, start: int = 0, stop: int | None = None) -> Iterator[Candidates]:
    with _parquet_file(source) as file:
        last = file.metadata.num_rows if stop is None else stop
        rows = _parquet_batches(file, start, last) if start < last else [(0, file.schema_arrow.empty_table())]
        for first, batch in rows:
            yield unchecked(space, indices_of(space, batch, partial(_row, first)))


def _parquet_batches(file: Any, start: int, stop: int) -> Iterator[tuple[int, Any]]:
    """The batches of some rows of a file, each behind the number of its first row.

    One row group is read after the other: read at once, the file would keep what it has read of each.
    """
    first = 0
    for group in range(file.num_row_groups):
        after = first + file.metadata.row_group(group).num_rows
        if start < after and first < stop:
            for batch in file.iter_batches(CHUNK, row_groups=[group]):
                begin, end = max(start - first, 0), min(stop - first, batch.num_rows)
                if begin < end:
                    yield first + begin, batch.slice(begin, end - begin)
                first += batch.num_rows
        first = after


@contextmanager
def _parquet_file(source: str) -> Iterator[Any]:
    """An open Parquet file; what is wrong with it is an error that names it.

    Raises:
        SpaceError: With what is wrong.
    """
    pa, pq = imported("pyarrow", "a Parquet file"), imported("pyarrow.parquet", "a Parquet file")

    try:
        with reading(source) as stream, pq.ParquetFile(stream) as file:
            yield file
    except (pa.ArrowException, OSError, MemoryError, UnicodeDecodeError) as error:
        if isinstance(error, ArchbudgetError):
            raise
        raise SpaceError(f"{source}: not a readable Parquet file: {one_line(error)}") from None
    except SpaceError as error:
        raise SpaceError(f"{source}: {error}") from None


def _row(start: int, row: int) -> str:
    return as_row(start + row)


@contextmanager
def writing(target: str, names: Sequence[str], *, lines: bool = False) -> Iterator[Write]:
    """A function that writes columns to a target, chunk by chunk; a file appears when everything is written.

    Args:
        target: The file, whose name gives its format; `-` is standard output.
        names: The columns.
        lines: Whether standard output gets a line of JSON for each row, instead of CSV.
    """
    form = format_of(target)
    if target == "-":
        yield _json_lines(sys.stdout, names) if lines else _csv(sys.stdout, names)
        return
    with atomic(target) as part:
        if form == "csv":
            with part.open("w", encoding="utf-8", newline="") as stream:
                yield _csv(stream, names)
        elif form == "npz":
            with _npz(part, names) as write:
                yield write
        else:
            with part.open("wb") as binary, _parquet(binary) as write:
                yield write


def _csv(stream: TextIO, names: Sequence[str]) -> Write:
    writer = csv.writer(stream, lineterminator="\n")
    header = [names]  # Written with the first chunk, so that a refused input prints nothing.

    def write(columns: Columns) -> None:
        if header:
            writer.writerow(header.pop())
        writer.writerows(zip(*(_list(columns[name]) for name in names), strict=True))

    return write


def _json_lines(stream: TextIO, names: Sequence[str]) -> Write:
    def write(columns: Columns) -> None:
        for row in zip(*(_list(columns[name]) for name in names), strict=True):
            stream.write(json.dumps(dict(zip(names, row, strict=True))) + "\n")

    return write


@contextmanager
def _npz(part: Path, names: Sequence[str]) -> Iterator[Write]:
    """Writes an archive of arrays, which takes them in turn: until then each column is in a file without a name."""
    with ExitStack() as stack:
        spools = {name: stack.enter_context(_nameless(part.parent)) for name in names}
        types: dict[str, np.dtype[Any]] = {}
        rows = 0

        def write(columns: Columns) -> None:
            nonlocal rows
            for name, spool in spools.items():
                column = np.ascontiguousarray(columns[name])
                types[name] = column.dtype
                spool.write(column.data)
            rows += len(column)

        yield write
        with part.open("wb") as binary, ZipFile(binary, "w", ZIP_DEFLATED) as archive:
            for name, spool in spools.items():
                spool.seek(0)
                header = {"descr": types[name].str, "fortran_order": False, "shape": (rows,)}
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array_header_1_0(member, header)
                    shutil.copyfileobj(spool, member, 1 << 20)


def _nameless(folder: Path) -> IO[bytes]:
    """An open file without a name, in a folder, or, where nothing can be written there, as in `/dev`, anywhere."""
    try:
        return tempfile.TemporaryFile(dir=folder)
    except OSError:
        return tempfile.TemporaryFile()


def _list(column: Sequence[Any] | npt.NDArray[Any]) -> Sequence[Any]:
    return column.tolist() if isinstance(column, np.ndarray) else column


@contextmanager
def _parquet(stream: BinaryIO) -> Iterator[Write]:
    pa, pq = imported("pyarrow", "a Parquet file"), imported("pyarrow.parquet", "a Parquet file")

    writer: Any = None

    def write(columns: Columns) -> None:
        nonlocal writer
        try:
            made = pa.table({name: pa.array(column) for name, column in columns.items()})
        except pa.ArrowException as error:
            raise ArchbudgetError(
                f"Parquet cannot hold a column with values of several types: {one_line(error)}"
            ) from None
        if writer is None:
            writer = pq.ParquetWriter(stream, made.schema)
        writer.write_table(made)

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()


def write_candidates(candidates: Candidates, target: str, *, lines: bool = False) -> None:
    """Writes the values of candidates to a file, or to standard output."""
    if format_of(target) == "npz":
        candidates.save(target)
        return
    decisions = candidates.space.decisions
    as_text = format_of(target) == "csv" and not lines
    written = {name: np.array(Texts(decision).written, object) for name, decision in decisions.items()}
    with writing(target, list(decisions), lines=lines) as write:
        for start in range(0, max(len(candidates), 1), CHUNK):
            chunk = candidates[start : start + CHUNK]
            if as_text:
                write({name: written[name][chunk.indices[:, column]] for column, name in enumerate(decisions)})
            else:
                write(chunk.values())
