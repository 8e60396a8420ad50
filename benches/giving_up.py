"""How long compiling goes on before it gives up: `python benches/giving_up.py`.

Each row compiles, in a separate process, a space whose diagram is beyond what is looked at (2 * 10^8 steps, conditions,
tensors and decisions), so that it is open from some stage on. `compiled in` is the processor time until the space is
there, with that in which its description is written; `refused in` that until `size` says that it is not counted.
"""

from __future__ import annotations

import time

import archbudget as ab
from apart import main
from archbudget import layers


def repeated(number: int) -> ab.Space:
    """Up to this many convolutions, each with a width of its own."""
    block = layers.Conv2D(ab.Choice("filters", [8, 16, 32]), 3, padding="same")
    return ab.Space([layers.Input((8, 8, 3)), ab.Repeat(ab.Int("depth", 0, number), block)])


def nested(number: int) -> ab.Space:
    """Up to this many groups of up to four convolutions."""
    block = layers.Conv2D(ab.Choice("filters", [8, 16]), 3, padding="same")
    inner = ab.Repeat(ab.Int("inner", 0, 4), block)
    return ab.Space([layers.Input((8, 8, 3)), ab.Repeat(ab.Int("outer", 0, number), inner)])


def two_depths(number: int) -> ab.Space:
    """Convolutions whose number is the sum of two decisions, each up to this."""
    block = layers.Conv2D(ab.Choice("filters", [8, 16]), 3, padding="same")
    depth = ab.Int("depth", 0, number) + ab.Int("more", 0, number)
    return ab.Space([layers.Input((8, 8, 3)), ab.Repeat(depth, block)])


ROWS = {
    "Repeat of up to 5,000 convolutions": (repeated, 5000),
    "Repeat of up to 1,000 Repeats": (nested, 1000),
    "Repeat of two depths of up to 150": (two_depths, 150),
}


def measure(row: str) -> dict[str, str]:
    """The seconds of a row."""
    make, number = ROWS[row]
    start = time.process_time()
    space = make(number)
    compiled = time.process_time() - start
    start = time.process_time()
    try:
        size = f"{space.size:,}"
    except ab.errors.LimitError:
        size = "refused"
    refused = time.process_time() - start
    return {"size": size, "compiled in": f"{compiled:.2f} s", "refused in": f"{refused:.3f} s"}


if __name__ == "__main__":
    main(__file__, __doc__, "Diagrams beyond what is looked at", ROWS, measure)
