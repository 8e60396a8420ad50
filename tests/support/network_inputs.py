"""Inputs of networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import archbudget as ab


def _tables(arguments: Any) -> Iterator[int]:
    """The numbers of rows of the tables of a layer, and of those inside of it."""
    if isinstance(arguments, tuple):
        for each in arguments:
            yield from _tables(each)
    elif isinstance(arguments, dict):
        if "input_dim" in arguments:
            yield arguments["input_dim"]
        yield from _tables(tuple(arguments.values()))


def inputs_of(arch: ab.Architecture, rng: np.random.Generator, batch: int = 2) -> list[np.ndarray]:
    """Random inputs; integers where a table is looked up."""
    wide = [size for record in arch.layers for size in _tables(record.arguments)]
    made = []
    for record in arch.layers:
        if record.type == "Input":
            shape = (batch, *record.output_shape)
            made.append(rng.integers(0, min(wide), shape) if wide else rng.normal(0, 1, shape).astype(np.float32))
    return made
