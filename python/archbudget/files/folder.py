"""A folder of shards: what is in it already, whether that belongs to it, and its manifest."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archbudget._atomic import atomic, sweep_parts
from archbudget._core import VERSION
from archbudget._extras import imported
from archbudget._message import grouped, one_line, show
from archbudget._regular import read_text
from archbudget.errors import ArchbudgetError, FileError, MissingFileError, SpaceError
from archbudget.files.shards import KEY
from archbudget.space.recognition import digest_of_counts
from archbudget.space.trials import written

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archbudget._budget import Budget
    from archbudget._expressions import Scalar
    from archbudget.files.shards import Job, Range
    from archbudget.space.space import Space

MANIFEST = "_manifest.json"
"""The file that a complete folder has; pyarrow leaves names that begin with `_` or `.` out of a dataset."""

MOST = 1 << 30
"""The most bytes of a manifest."""

OWN = {
    "archbudget": "version of archbudget",
    "candidates": "file of candidates",
    "budget": "budget",
    "fixed": "choice of fixed values",
    "metrics": "choice of metrics",
    "decisions": "space",
    "space": "space",
    "counts": "space",
    "total": "number of candidates",
}
"""What must be the same in all shards of a folder, and what differs where it is not."""


def header(
    space: Space,
    *,
    budget: Budget | None,
    fixed: Mapping[str, Scalar],
    source: str | None,
    metrics: Sequence[str],
    total: int,
) -> dict[str, Any]:
    """What each shard of a folder says about itself, beside its ranks."""
    pa = imported("pyarrow", "a Parquet file")
    file = None if source is None else Path(source).stat()
    return {
        "archbudget": VERSION,
        "pyarrow": pa.__version__,
        "python": platform.python_version(),
        "name": space.name,
        "space": _text(space),
        "decisions": written(space),
        "counts": digest_of_counts(space, space.metrics),
        "budget": None if budget is None else {metric: list(bounds) for metric, bounds in budget.items()},
        "fixed": dict(fixed),
        "candidates": None if file is None else {"bytes": file.st_size, "modified": file.st_mtime_ns},
        "metrics": list(metrics),
        "total": total,
    }


def _text(space: Space) -> str | None:
    """The text of a space file, without the name of the space; `None` if no file can express it."""
    try:
        return space.with_name(None).to_yaml()
    except SpaceError:
        return None


def prepared(job: Job) -> dict[Range, int]:
    """Makes the folder if there is none; the sizes of the shards that it has already.

    Raises:
        ArchbudgetError: If it is no folder, or something in it does not belong to it; nothing is changed then.
    """
    folder = Path(job.folder)
    if not folder.is_dir():
        if os.path.lexists(folder):
            raise FileError(f"{folder} is a file, and the candidates go into a folder")
        if not folder.parent.is_dir():
            raise MissingFileError(f"{folder}: there is no folder {folder.parent}")
        try:
            folder.mkdir()
        except OSError as error:
            raise FileError(f"{folder} cannot be made: {error.strerror}") from None
    found: dict[Range, int] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith((".", "_")):
                    continue
                ranks = job.range_of(entry.name)
                if ranks is None:
                    raise SpaceError(_foreign(job, folder, entry.name))
                found[ranks] = entry.stat().st_size
    except OSError as error:
        if isinstance(error, ArchbudgetError):
            raise
        raise FileError(f"{folder} cannot be read: {error.strerror}") from None
    if not _is_listed(job, found):
        for ranks in found:
            _check(job, ranks)
        with contextlib.suppress(FileNotFoundError):
            (folder / MANIFEST).unlink()  # It says that the folder is complete.
    sweep_parts(folder)
    return found


def _foreign(job: Job, folder: Path, name: str) -> str:
    """What is wrong with a file that is no shard of a folder."""
    said = _said(folder / name) if name.endswith(".parquet") else None
    if said is not None:
        _compare(job, folder / name, said)
    return (
        f"{folder} has {show(name)}, which is none of the {grouped(job.number)} shards of up to "
        f"{grouped(job.shard)} candidates: give the same shard as before, or write into another folder"
    )


def _is_listed(job: Job, found: Mapping[Range, int]) -> bool:
    """Whether the manifest says that the folder is complete, and it still is.

    Raises:
        SpaceError: If it is the manifest of another folder.
    """
    file = Path(job.folder, MANIFEST)
    if not file.exists():
        return False
    try:
        said = json.loads(read_text(file, MOST))
        files = dict(said["files"])
    except ArchbudgetError:
        raise
    except Exception as error:
        raise SpaceError(f"{file} is no manifest of archbudget: {one_line(error)}; remove it") from None
    _compare(job, file, said)
    return files == {job.name(ranks): size for ranks, size in found.items()} and len(files) == job.number


def _check(job: Job, ranks: Range) -> None:
    """Refuses a shard that does not belong to the others.

    Raises:
        SpaceError: With what differs.
    """
    path = job.path(ranks)
    said = _said(path)
    if said is None:
        raise SpaceError(f"{path} was not written by archbudget: write into another folder")
    _compare(job, path, said)
    if said.get("ranks") != list(ranks) or said.get("rows") != ranks.stop - ranks.start:
        raise SpaceError(f"{path} has not the candidates that its name says; remove it, and it is written again")


def _said(path: Path) -> dict[str, Any] | None:
    """What a shard says about itself, and how many `rows` it has; `None` if archbudget has not written it.

    Raises:
        SpaceError: If it is no readable file of Parquet.
    """
    pa, pq = imported("pyarrow", "a Parquet file"), imported("pyarrow.parquet", "a Parquet file")
    try:
        with pq.ParquetFile(path) as file:
            text = (file.schema_arrow.metadata or {}).get(KEY)
            return None if text is None else {**json.loads(text), "rows": file.metadata.num_rows}
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        raise SpaceError(
            f"{path} is no readable shard: {one_line(error)}; remove it, and it is written again"
        ) from None


def _compare(job: Job, path: Path, said: Mapping[str, Any]) -> None:
    """Refuses what belongs to other candidates or counts.

    Raises:
        SpaceError: With what differs.
    """
    ours = json.loads(job.header)
    for key, what in OWN.items():
        if said.get(key) != ours[key]:
            shown = f": it has {show(said.get(key))}, not {show(ours[key])}" if key in SHOWN else ""
            raise SpaceError(f"{path} belongs to another {what}{shown}; write into another folder")


SHOWN = ("archbudget", "budget", "fixed", "metrics", "total")
"""What is short enough to be shown where it differs."""


def complete(job: Job) -> None:
    """Writes the manifest of a folder that has all its shards.

    Raises:
        FileError: If a shard is missing, since some process wrote it elsewhere.
    """
    file = Path(job.folder, MANIFEST)
    if file.exists():
        return  # Nothing was missing.
    files = {}
    for ranks in job.ranges():
        try:
            files[job.name(ranks)] = job.path(ranks).stat().st_size
        except OSError:
            raise FileError(
                f"{job.path(ranks)} is missing, though it was written: do all workers see the same folder, under the "
                "same path?"
            ) from None
    said = {**json.loads(job.header), "shard": job.shard, "files": files}
    with atomic(file, sweep=False) as part:
        part.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
