"""The tables of relative positions, which the layer has in Keras and in PyTorch."""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def table_rows(max_distance: int) -> int:
    """The rows of a table: one for each distance up to the largest, in both directions, and one for the class token."""
    return 2 * max_distance + 2


def lookups(tokens: int, max_distance: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which row of a table stands for each query and key, by the rows of the image and by its columns.

    Args:
        tokens: The class token and the patches of a square image, row by row.
        max_distance: Farther is as far as this.

    Returns:
        Two (tokens, tokens) arrays; 0 wherever the class token is one of both.
    """
    side = isqrt(tokens - 1)
    places = np.arange(side * side)

    def rows(along: NDArray[np.int64]) -> NDArray[np.int64]:
        distances = np.clip(along[None, :] - along[:, None], -max_distance, max_distance)
        return np.pad(distances + max_distance + 1, (1, 0))

    return rows(places // side), rows(places % side)
