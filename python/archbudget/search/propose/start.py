"""Where a search begins: networks that fill the budget, spread evenly over the values of each decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    from archbudget.search.propose.inside import Inside, Key, Rows

STRATA = 10
"""This many trials in a row take each decision from as many parts of its values: a Latin hypercube."""
TRIES = 20
"""A network that was tried already is drawn again, at most this often; from the middle on in any part."""


class Start:
    """The rows with which a search begins.

    Draws that are uniform over networks nearly all have those structures that have the most networks, such as the
    greatest depth. Here each decision takes each of its values that can still be completed equally often, and ten
    trials are a Latin hypercube. The number of a trial says which of its rows it takes, so that workers with the same
    seed divide them.

    Args:
        seed: The seed of the hypercubes.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def row(self, inside: Inside, number: int, tried: Collection[Key], rng: np.random.Generator) -> Rows:
        """The row of a trial, if possible a new one. O(D + values).

        Args:
            inside: The candidates to draw from.
            number: The number of the trial.
            tried: The keys of the networks that were tried.
            rng: The random numbers of the trial.
        """
        block, column = divmod(number, STRATA)
        cube = np.tile(np.arange(STRATA), (len(inside.names), 1))
        parts = np.random.default_rng([self._seed, block]).permuted(cube, axis=1)[:, column]
        for attempt in range(TRIES):
            levels = rng.random(len(inside.names))
            if attempt < TRIES // 2:
                levels = (parts + levels) / STRATA

            def choose(position: int, allowed: list[bool], levels: np.ndarray = levels) -> int:
                good = np.flatnonzero(allowed)
                return int(good[int(levels[position] * len(good))])

            row = inside.walk(choose)
            if inside.key(row) not in tried:
                break
        return row
