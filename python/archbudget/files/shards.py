"""Shards of a folder of candidates: each a Parquet file with the candidates of a range of ranks and their counts."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from archbudget._atomic import atomic
from archbudget._extras import imported
from archbudget._message import one_line, show
from archbudget.errors import SpaceError
from archbudget.files.candidates import read_rows
from archbudget.space.family import compiled
from archbudget.space.outputs import VALID

if TYPE_CHECKING:
    from archbudget.space.candidates import Candidates
    from archbudget.space.feasible import FeasibleSet
    from archbudget.space.space import Space

KEY = b"archbudget"
"""The key of what a shard says about itself, as JSON, in the metadata of its schema."""

ROWS, BYTES = 1 << 17, 1 << 26
"""The most candidates, and bytes of their values and counts, that a process holds at once: a row group of a shard."""

NOWHERE = os.devnull
"""The folder in whose place everything is computed and encoded, but nothing is kept."""

Check = Callable[[], None]
"""A function that is called often, and raises an exception where the work is to end."""


class Range(NamedTuple):
    """A range of ranks, or of rows of a file of candidates."""

    start: int
    stop: int
    """The first rank behind the range."""


@dataclass(frozen=True)
class Job:
    """What all shards of a folder have in common, in a form that is sent to other processes."""

    folder: str
    space: Space
    fits: FeasibleSet[Space] | None
    """The set whose members are written, in the order of their ranks; if there is none, a file is read."""
    source: str | None
    """The file of candidates, if there is no set."""
    metrics: tuple[str, ...]
    total: int
    """The number of candidates of all shards."""
    shard: int
    """The number of candidates of a shard; the last one has what is left."""
    header: str
    """What each shard says about itself beside its ranks: JSON of a mapping."""

    @property
    def number(self) -> int:
        """The number of shards; of no candidates one that is empty, so that the folder has its columns."""
        return -(-max(self.total, 1) // self.shard)

    def ranges(self) -> Iterator[Range]:
        """The ranges of the shards."""
        for start in range(0, max(self.total, 1), self.shard):
            yield Range(start, min(start + self.shard, self.total))

    def name(self, ranks: Range) -> str:
        """The name of a shard: its range, so that names sort as ranks do."""
        digits = len(str(self.total))
        return f"{ranks.start:0{digits}}-{ranks.stop:0{digits}}.parquet"

    def range_of(self, name: str) -> Range | None:
        """The range of the shard of a name; `None` if no shard has it."""
        text = name.partition("-")[0]
        start = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(self.total)) else -1
        found = Range(start, min(start + self.shard, self.total))
        is_first = start == 0 or (0 < start < self.total and start % self.shard == 0)
        return found if is_first and self.name(found) == name else None

    @property
    def is_kept(self) -> bool:
        """Whether anything is written at all."""
        return self.folder != NOWHERE

    def path(self, ranks: Range) -> Path:
        """The file of a shard."""
        return Path(self.folder, self.name(ranks)) if self.is_kept else Path(NOWHERE)

    def write(self, ranks: Range, check: Check, threads: int | None) -> None:
        """Writes a shard, which appears when it is complete.

        Raises:
            ArchbudgetError: If the file cannot be written, or the candidates cannot be read.
        """
        pq = imported("pyarrow.parquet", "a Parquet file")
        said = {**json.loads(self.header), "ranks": list(ranks)}
        schema = self.schema.with_metadata({KEY: json.dumps(said).encode()})
        decisions = list(self.space.decisions)
        options: dict[str, Any] = {
            "compression": "zstd",
            "use_dictionary": decisions,
            "column_encoding": {name: "DELTA_BINARY_PACKED" for name in self.metrics if self._is_whole(name)},
        }
        with (
            atomic(self.path(ranks), sweep=False) as part,
            part.open("wb") as stream,
            pq.ParquetWriter(stream, schema, **options) as writer,
        ):
            for batch in self._batches(ranks, threads):
                check()
                writer.write_table(self._table(batch, schema, threads))

    def _batches(self, ranks: Range, threads: int | None) -> Iterator[Candidates]:
        """The candidates of a range, some at a time."""
        rows = max(1, min(ROWS, BYTES // (8 * len(self.schema.names) or 1)))
        for start in range(ranks.start, max(ranks.stop, ranks.start + 1), rows):
            stop = min(start + rows, ranks.stop)
            if self.fits is not None:
                yield self.fits.candidates(start, stop, threads=threads)
            elif self.source is not None:
                yield from read_rows(self.space, self.source, start, stop)

    def _is_whole(self, metric: str) -> bool:
        """Whether the values of a metric are integers."""
        return compiled(self.space).unit(metric).is_whole

    def _table(self, batch: Candidates, schema: Any, threads: int | None) -> Any:
        """The values and counts of some candidates; the counts of those that cannot be built are null."""
        pa = imported("pyarrow", "a Parquet file")
        columns = [
            values.take(pa.array(batch.indices[:, column])) for column, values in enumerate(self._values.values())
        ]
        counts = self.space.evaluate(batch, self.metrics, threads=threads)
        wrong = None if self.fits is not None else ~counts.valid
        columns += [pa.array(counts[metric], mask=wrong) for metric in self.metrics]
        if wrong is not None:
            columns.append(pa.array(counts.valid))
        return pa.table(columns, schema=schema)

    @cached_property
    def _values(self) -> dict[str, Any]:
        """The values of each decision, as an array of pyarrow.

        Raises:
            SpaceError: If a column cannot hold the values of a decision.
        """
        pa = imported("pyarrow", "a Parquet file")
        found = {}
        for name, decision in self.space.decisions.items():
            try:
                found[name] = pa.array(list(decision.values))
            except (pa.ArrowException, OverflowError, TypeError) as error:
                raise SpaceError(
                    f"Parquet cannot hold the values of decision '{name}' in one column: {one_line(error)}"
                ) from None
        return found

    @cached_property
    def schema(self) -> Any:
        """The columns: the decisions, the metrics, and in the place of ranks whether each candidate can be built."""
        pa = imported("pyarrow", "a Parquet file")
        counts = {metric: pa.int64() if self._is_whole(metric) else pa.float64() for metric in self.metrics}
        flags = {} if self.fits is not None else {VALID: pa.bool_()}
        twice = [name for name in self._values if name in counts or name in flags]
        if twice:
            raise SpaceError(
                f"the decision {show(twice[0])} and a column of counts have the same name: leave the metric out, with "
                "metrics, or give the decision another name"
            )
        return pa.schema({**{name: values.type for name, values in self._values.items()}, **counts, **flags})
