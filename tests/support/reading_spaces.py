"""Small random spaces whose layers read many earlier ones: side by side, or as decisions say; some weights are tied.

In them much waits beside each layer, widths return far behind their first use, and the branches of a decision each ask
for decisions that a layer behind them reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import archbudget as ab
from archbudget import layers

if TYPE_CHECKING:
    from random import Random

    from archbudget.layers import Tensor


def draw_reading_space(rng: Random) -> ab.Space:
    """A space of a few hundred combinations at most, of images whose layers keep the sides."""
    decisions: list[ab.Choice] = []

    def width() -> ab.Choice | int:
        if decisions and rng.random() < 0.4:
            return rng.choice(decisions)
        if len(decisions) < 3 and rng.random() < 0.8:
            decisions.append(ab.Choice(f"w{len(decisions)}", sorted(rng.sample([1, 2, 3, 4, 6], rng.randint(2, 3)))))
            return decisions[-1]
        return rng.randint(1, 4)

    def layer() -> layers.Layer:
        draw = rng.random()
        if draw < 0.6:
            return layers.Conv2D(width(), rng.choice([1, 3]), padding="same")
        if draw < 0.75:
            return layers.DepthwiseConv2D(3, padding="same")
        return layers.BatchNormalization() if draw < 0.9 else layers.ReLU()

    image = layers.Input((4, 4, rng.randint(1, 3)))
    before: list[Tensor] = [layer()(image)]
    picks = 0
    for _ in range(rng.randint(2, 4)):
        read = [*before] if rng.random() < 0.5 else rng.sample(before, rng.randint(1, len(before)))
        draw = rng.random()
        if draw < 0.55 or picks == 2:
            source = read[0] if len(read) == 1 else layers.Concatenate(axis=rng.choice([-1, 3]))(read)
        elif draw < 0.8:
            picks += 1
            chosen = rng.choice([1, None]) if len(read) < 4 else 1
            source = layers.InputChoice(f"in{picks}", chosen, layers.Concatenate())(read)
        else:
            picks += 1
            branches = {"a": [layer(), layer()], "b": [layer()], "c": []}
            source = layers.OneOf(f"branch{picks}", branches)(read[-1])
        before.append(layer()(source))
    outputs = [layers.Concatenate()(before)] if rng.random() < 0.5 else rng.sample(before, rng.randint(1, 2))
    return ab.Space(inputs=image, outputs=[layers.Conv2D(width(), 1)(outputs[0]), *outputs[1:]])
