"""The arenas of a batch of candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from archbudget._progress import counting
from archbudget.errors import InvalidArchitectureError, SpaceError
from archbudget.space.architecture import architecture_at
from archbudget.space.candidates import indices_of
from archbudget.space.evaluation import Evaluation
from archbudget.tflite import arena, check

if TYPE_CHECKING:
    from archbudget.space.candidates import CandidatesLike
    from archbudget.space.family import Family

PARTS = ("tensors", "scratch", "structures", "planning", "at_least")
"""What is told of an arena beside its total."""


def arenas(space: Family, candidates: CandidatesLike, runtime: str, kernels: str) -> Evaluation:
    """The arena of each candidate; see `Space.arena`."""
    check(runtime, kernels)
    rows = indices_of(space, candidates)
    distinct, places = np.unique(rows, axis=0, return_inverse=True)
    places = places.reshape(-1)  # Versions of NumPy differ in its shape.
    columns = {name: np.full(len(distinct), np.iinfo(np.int64).max, np.int64) for name in ("arena_bytes", *PARTS)}
    valid = np.zeros(len(distinct), np.bool_)
    with counting("plan arenas", len(distinct)) as report:
        for row, indices in enumerate(distinct):
            report(row)
            try:
                arch = architecture_at(space, indices)
            except InvalidArchitectureError:
                continue
            try:
                found = arena(arch.network, runtime, kernels)
            except SpaceError as error:
                first = int(np.flatnonzero(places == row)[0])
                raise SpaceError(f"candidate {first}: {error}") from None
            valid[row] = True
            columns["arena_bytes"][row] = found.total
            for name in PARTS:
                columns[name][row] = getattr(found, name)
        report(len(distinct))
    totals = {name: column[places] for name, column in columns.items()}
    return Evaluation(totals, valid[places], rows=len(rows))
