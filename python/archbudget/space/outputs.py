"""Arrays of the caller that counts are written to: `out` of `Space.evaluate` and of masks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from archbudget._message import hint, listed, show
from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

VALID = "valid"
"""The name of the flags among outputs."""


def column_arrays(columns: Sequence[Any]) -> list[npt.NDArray[Any]]:
    """The arrays that the engine reads."""
    return [column[0] if isinstance(column, tuple) else column for column in columns]


def check_array(name: str, array: object, rows: int, types: Sequence[str]) -> npt.NDArray[Any]:
    """Refuses what the engine cannot write a result into.

    Raises:
        SpaceError: If it is not a writable, contiguous array of one of these types and of `rows` items.
    """
    right = f"a writable, contiguous array of {' or '.join(types)} with {rows:,} items"
    if not isinstance(array, np.ndarray) or isinstance(array, np.ma.MaskedArray):
        raise SpaceError(f"{name} must be {right}, not {show(array)}")
    if array.dtype.name not in types or not array.dtype.isnative:
        raise SpaceError(f"{name} must be {right}, not of {array.dtype}")
    if array.shape != (rows,):
        raise SpaceError(f"{name} must be {right}, not of the shape {array.shape}")
    if not array.flags.writeable:
        raise SpaceError(f"{name} must be {right}, and this one is read-only")
    if not array.flags.c_contiguous or not array.flags.aligned:
        raise SpaceError(f"{name} must be {right}: its items must stand side by side, aligned")
    return array


def check_apart(outputs: Mapping[str, npt.NDArray[Any]], columns: Sequence[Any]) -> None:
    """Refuses outputs that share memory with one another or with the candidates.

    Raises:
        SpaceError: With the two.
    """
    before: dict[str, npt.NDArray[Any]] = {}
    for name, array in outputs.items():
        if any(np.may_share_memory(array, column) for column in column_arrays(columns)):
            raise SpaceError(
                f"{name} shares memory with the candidates, which would be written over while they are read"
            )
        for other, earlier in before.items():
            if np.may_share_memory(array, earlier):
                raise SpaceError(f"{name} shares memory with {other}: each needs an array of its own")
        before[name] = array


def names_of(out: object) -> list[str]:
    """The metrics that outputs are given for.

    Raises:
        SpaceError: If the outputs are not a mapping from names of metrics.
    """
    if not isinstance(out, Mapping):
        raise SpaceError(
            'out must be a mapping from metrics to arrays, such as {"params": np.empty(n, np.int64)}, or an Evaluation'
            f", not {show(out)}"
        )
    return [name for name in out if name != VALID]


def check_names(out: Mapping[str, object], metrics: Sequence[str]) -> None:
    """Refuses an output of a metric that is not counted, and metrics that are counted twice into one.

    Raises:
        SpaceError: With the name.
    """
    for name in names_of(out):
        if name not in metrics:
            raise SpaceError(
                f"out has {show(name)}, which is not counted{hint(name, metrics)}; the metrics are {listed(metrics)}"
            )
