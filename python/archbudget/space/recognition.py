"""What tells spaces apart in files and studies that outlive a process, beside the names of decisions and layers."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np

from archbudget.space.evaluation import evaluate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archbudget.space.family import Family

PROBES = 1000
"""How many candidates are counted."""


def digest_of_counts(space: Family, metrics: Sequence[str]) -> str:
    """A digest of the counts of some candidates, the same in every process and on every machine.

    Their indices are those of a fixed recurrence (Knuth's MMIX), so that no generator has to stay as it is. O(PROBES *
    D) and an evaluation.
    """
    sizes = [len(decision.values) for decision in space.decisions.values()]
    state = 1
    indices = np.zeros((PROBES, len(sizes)), np.uint32)
    for row in range(PROBES):
        for column, size in enumerate(sizes):
            state = (6364136223846793005 * state + 1442695040888963407) % 2**64
            indices[row, column] = (state >> 33) % size
    counts = evaluate(space, indices, metrics)
    digest = hashlib.sha256(json.dumps(list(counts)).encode())
    for counted in (*counts.values(), counts.valid):
        digest.update(counted.astype("<i8").tobytes())
    return digest.hexdigest()
