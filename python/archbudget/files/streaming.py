"""Counting more candidates than memory holds: chunk by chunk, into a file that appears when all are counted."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from archbudget._progress import counting, require_progress
from archbudget._regular import path_of
from archbudget.files import candidates as files
from archbudget.space.candidates import Candidates
from archbudget.space.outputs import VALID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archbudget._progress import ProgressLike
    from archbudget.space.candidates import CandidatesLike
    from archbudget.space.space import Space


class Counted(NamedTuple):
    """How many candidates were counted."""

    candidates: int
    valid: int
    """How many of them can be built."""


def evaluate_to_file(
    space: Space,
    source: str | os.PathLike[str] | CandidatesLike | Iterator[CandidatesLike],
    target: str,
    metrics: Sequence[str],
    *,
    lines: bool = False,
    progress: ProgressLike = None,
) -> Counted:
    """Counts candidates chunk by chunk into a file, or to standard output; see `Space.evaluate_to_file`."""
    files.format_of(target)
    require_progress(progress)
    number, batches = _batches(space, source)
    counted = valid = 0
    with (
        counting("evaluate", number, False if target == "-" else progress) as report,
        files.writing(target, [*metrics, VALID], lines=lines) as write,
    ):
        for batch in batches:
            counts = space.evaluate(batch, metrics)
            write({**counts, VALID: counts.valid})
            counted, valid = counted + len(counts.valid), valid + int(counts.valid.sum())
            report(counted)
    return Counted(counted, valid)


def _batches(space: Space, source: Any) -> tuple[int | None, Iterator[CandidatesLike]]:
    """How many candidates a source has, where that is known, and its batches."""
    if isinstance(source, (str, bytes, os.PathLike)):
        file = path_of(source)
        return files.number_in(space, file), files.read(space, file)
    if isinstance(source, Candidates) or (isinstance(source, np.ndarray) and source.ndim == 2):
        return len(source), (source[at : at + files.CHUNK] for at in range(0, max(len(source), 1), files.CHUNK))
    if isinstance(source, Iterator) and not isinstance(source, Mapping):
        return None, _at_least_one(space, source)
    return None, iter([source])


def _at_least_one(space: Space, batches: Iterator[CandidatesLike]) -> Iterator[CandidatesLike]:
    """The batches; of none an empty one, so that the file has its columns."""
    none = True
    for batch in batches:
        none = False
        yield batch
    if none:
        yield space.sample(0, seed=0)
