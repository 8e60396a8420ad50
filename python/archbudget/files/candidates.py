"""Batches of candidates in files: CSV, NPZ and Parquet, read in chunks and written whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections import Counter
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

import numpy as np

from archbudget._atomic import atomic
from archbudget._extras import imported
from archbudget._message import listed, one_line, show
from archbudget._regular import lines, reading
from archbudget.errors import ArchbudgetError, SpaceError
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


def format_of(target: str) -> str:
    """The format of a file by its name: `csv`, `npz` or `parquet`; `-` is CSV.

    Raises:
        ArchbudgetError: If the name has another ending.
    """
    ending = "csv" if target == "-" else Path(target).suffix.lower().removeprefix(".")
    if ending not in ("csv", "npz", "parquet"):
        raise ArchbudgetError(f"{target}: the name must end in .csv, .npz or .parquet, or be - for CSV")
    return ending


def read(space: Space, source: str) -> Iterator[Candidates]:
    """The candidates of a file, in batches of at most `CHUNK`; at least one batch, which may be empty.

    Raises:
        ArchbudgetError: If the file is not valid; the message names the line.
    """
    form = format_of(source)
    if form == "npz":
        stored = Candidates.load(source, space)
        for start in range(0, max(len(stored), 1), CHUNK):
            yield stored[start : start + CHUNK]
    elif form == "parquet":
        yield from _read_parquet(space, source)
    elif source == "-":
        yield from _read_csv(space, sys.stdin, "stdin")
    else:
        with reading(source) as binary, io.TextIOWrapper(binary, encoding="utf-8-sig", newline="") as stream:
            yield from _read_csv(space, stream, source)


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


def _read_parquet(space: Space, source: str) -> Iterator[Candidates]:
    pa, pq = imported("pyarrow", "a Parquet file"), imported("pyarrow.parquet", "a Parquet file")

    try:
        with reading(source) as stream, pq.ParquetFile(stream) as file:
            start = 0
            for batch in file.iter_batches(CHUNK) if file.metadata.num_rows else [file.schema_arrow.empty_table()]:
                yield unchecked(space, indices_of(space, batch, partial(_row, start)))
                start += batch.num_rows
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
            chunks: list[Columns] = []
            yield chunks.append
            arrays: dict[str, Any] = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in names}
            with part.open("wb") as binary:
                np.savez_compressed(binary, **arrays)
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
