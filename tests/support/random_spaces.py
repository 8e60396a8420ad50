"""Small random spaces, and all their networks counted one by one.

The spaces use every way of making a choice: in hyperparameters, tied and shared, in expressions, in `Repeat` and
`OneOf`, and in arguments that cost nothing. Many have combinations that cannot be built.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

import archbudget as ab
from archbudget import layers
from archbudget.errors import InvalidArchitectureError
from support.random_parts import read_by

if TYPE_CHECKING:
    import numpy.typing as npt

METRICS = ("params", "trainable_params", "macs", "weight_bytes", "peak_activation_bytes")
MOST_COMBINATIONS = 1500
SEEDS = range(240)


class Draw:
    """Draws a description; each decision gets a name of its own, or is one that was drawn before."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.decisions: list[ab.Choice] = []

    def choice(self, values: list[Any], stem: str) -> ab.Choice:
        """A new decision."""
        decision = ab.Choice(f"{stem}{len(self.decisions)}", values)
        self.decisions.append(decision)
        return decision

    def size(self, values: list[int]) -> Any:
        """A number, a decision, or an expression over decisions and the channels of the input."""
        rng = self.rng
        draw = rng.random()
        sizes = [decision for decision in self.decisions if decision.is_integer]
        if draw < 0.3:
            return rng.choice(values)
        if draw < 0.7 or not sizes:
            return self.choice(rng.sample(values, rng.randint(1, min(3, len(values)))), "size")
        tied = rng.choice(sizes)
        expressions = [
            tied * 2,
            tied + 1,
            ab.round_to(tied * 3, 4),
            ab.channels() * tied,
            ab.minimum(tied + 1, 4),
            ab.maximum(ab.channels() - 2, tied),
            (tied + 5) // 2,
            (tied >= 2) + 1,
        ]
        return rng.choice([tied, *expressions] if min(tied.values) > 0 else expressions)

    def either(self, values: list[Any], stem: str) -> Any:
        """A value, or a decision over all of them."""
        return self.choice(values, stem) if self.rng.random() < 0.3 else self.rng.choice(values)

    def layer(self, axes: int) -> layers.Layer:
        """A layer for an image of so many spatial axes, or for features."""
        rng = self.rng
        draw = rng.random()
        if draw < 0.1:
            return layers.Dropout(self.either([0.1, 0.5], "rate"))
        if draw < 0.2:
            return layers.Activation(self.either(["relu", "tanh"], "activation"))
        if draw < 0.3:
            return layers.BatchNormalization(center=self.either([True, False], "center"), renorm=rng.random() < 0.3)
        if axes == 0 or draw < 0.45:
            return layers.Dense(self.size([1, 2, 4, 7]), use_bias=self.either([True, False], "bias"))
        padding = self.either(["valid", "same"], "padding")
        if draw < 0.55:
            return layers.MaxPooling2D(self.size([1, 2, 3]), padding=padding)
        if draw < 0.65:
            return layers.DepthwiseConv2D(self.size([1, 2, 3]), padding=padding, depth_multiplier=self.size([1, 2]))
        if draw < 0.75:
            return layers.SeparableConv2D(self.size([1, 4]), (self.size([1, 3]), 2), padding=padding)
        return layers.Conv2D(self.size([1, 2, 4]), self.size([1, 3, 5]), padding=padding)

    def block(self, axes: int, depth: int) -> Any:
        """A layer, or layers put together."""
        rng = self.rng
        draw = rng.random()
        if depth == 0 or draw < 0.5:
            return self.layer(axes)
        if draw < 0.6:
            return [self.block(axes, depth - 1) for _ in range(rng.randint(0, 2))]
        if draw < 0.75:
            body = [self.block(axes, depth - 1)]
            return layers.Residual(body, rng.choice([None, None, self.layer(axes)]))
        if draw < 0.88:
            blocks = [self.block(axes, depth - 1) for _ in range(rng.randint(1, 3))]
            if rng.random() < 0.4:
                blocks.append([])
            if rng.random() < 0.3:
                # The same object in two branches: one layer with shared weights.
                blocks.append([self.layer(axes), blocks[0]])
            return layers.OneOf(f"op{rng.randrange(10**6)}", blocks)
        times = self.choice(rng.choice([[0, 1], [0, 2], [1, 2], [2, 0, 1]]), "times") if rng.random() < 0.7 else 2
        known = len(self.decisions)
        block = self.block(axes, depth - 1)
        own = [decision.name for decision in self.decisions[known:]]
        return layers.Repeat(times, block, shared=[name for name in read_by(block, own) if rng.random() < 0.5])


def draw_space(rng: Random, kind: type[Draw] = Draw) -> ab.Space:
    """A random space, of any size.

    Raises:
        InvalidArchitectureError: If none of its networks can be built.
    """
    draw = kind(rng)
    axes = 0 if rng.random() < 0.3 else 2
    shape = (
        [rng.randint(4, 7), rng.randint(4, 7), rng.randint(1, 2)] if axes else [rng.randint(1, 4), rng.randint(1, 4)]
    )
    source = layers.Input(shape)
    bytes_per_weight = rng.choice([1, 4])
    if rng.random() < 0.3:
        stem = layers.Sequential([draw.block(axes, 1)])(source)
        left = layers.Sequential([draw.block(axes, 1)])(stem)
        again = draw.layer(axes)
        right = again(again(stem)) if rng.random() < 0.5 else again(left)
        joint = rng.choice([layers.Add(), layers.Multiply(), layers.Concatenate()])([left, right])
        several = [[joint, right], [joint, stem, stem], [source, joint], [right, layers.ReLU()(stem), joint]]
        outputs = several[int(10 * draw)] if (draw := rng.random()) < 0.4 else joint
        return ab.Space(inputs=source, outputs=outputs, bytes_per_weight=bytes_per_weight)
    body: list[Any] = [source, *(draw.block(axes, 2) for _ in range(rng.randint(1, 3)))]
    if axes:
        body.append(
            rng.choice(
                [layers.Flatten(), layers.GlobalMaxPooling2D(), layers.GlobalAveragePooling2D("channels_last", True)]
            )
        )
        body += [draw.layer(0) for _ in range(rng.randint(0, 2))]
    return ab.Space(body, bytes_per_weight=bytes_per_weight)


def draw_wide_space(rng: Random) -> ab.Space:
    """A random space with wide choices too: its tables do not fit into one.

    Raises:
        InvalidArchitectureError: If none of its networks can be built.
    """
    draw = Draw(rng)
    body: list[Any] = [layers.Input((rng.randint(4, 7), rng.randint(4, 7), rng.randint(1, 2)))]
    for number in range(rng.randint(3, 5)):
        wide = ab.Int(f"wide{number}", 1, rng.randint(50, 200))
        body += [draw.block(2, 2), rng.choice([layers.Conv2D(wide, 1), layers.Dense(wide)])]
    return ab.Space([*body, layers.Flatten(), layers.Dense(ab.Int("last", 1, 100))])


@dataclass(frozen=True)
class Enumeration:
    """A space with every combination of indices, counted one by one."""

    seed: int
    space: ab.Space
    indices: npt.NDArray[np.uint32]
    """A row for each combination."""
    valid: npt.NDArray[np.bool_]
    """Whether the network of each row can be built."""
    costs: dict[str, npt.NDArray[np.int64]]
    """For each metric the totals; 0 where the network cannot be built."""
    first: npt.NDArray[np.int64]
    """The rows that are distinct networks: the first one of each."""
    active: list[dict[str, Any]]
    """For each row its active decisions, by value; empty where the network cannot be built."""

    @property
    def networks(self) -> list[dict[str, Any]]:
        """The distinct networks, by the values of their active decisions."""
        return [self.active[row] for row in self.first]

    def cost(self, metric: str) -> npt.NDArray[np.int64]:
        """The totals of the distinct networks."""
        return self.costs[metric][self.first]


def enumerate_networks(space: ab.Space, seed: int = -1) -> Enumeration:
    """Counts every combination by itself, with `Space.architecture`."""
    domains = [decision.values for decision in space.decisions.values()]
    rows = list(itertools.product(*[range(len(values)) for values in domains]))
    valid, costs, active, first, known = [], [], [], [], set()
    for number, row in enumerate(rows):
        values = {name: values[index] for name, values, index in zip(space.decisions, domains, row, strict=True)}
        try:
            arch = space.architecture(values)
        except InvalidArchitectureError:
            valid.append(False)
            costs.append((0,) * len(space.metrics))
            active.append({})
            continue
        valid.append(True)
        costs.append(tuple(arch.costs[metric] for metric in space.metrics))
        active.append(dict(arch))
        if arch.indices not in known and (key := frozenset(arch.items())) not in known:
            known |= {key}
            first.append(number)
    return Enumeration(
        seed=seed,
        space=space,
        indices=np.array(rows, dtype=np.uint32).reshape(len(rows), len(domains)),
        valid=np.array(valid),
        costs=dict(zip(space.metrics, np.array(costs, dtype=np.int64).T, strict=True)),
        first=np.array(first, dtype=np.int64),
        active=active,
    )


@cache
def random_space(seed: int) -> Enumeration:
    """The first small space with a network among those that follow from a seed, with all its networks."""
    for attempt in range(1000):
        try:
            space = draw_space(Random(seed * 1000 + attempt))
        except InvalidArchitectureError:
            continue
        if 8 <= space.combinations <= MOST_COMBINATIONS:
            return enumerate_networks(space, seed)
    raise AssertionError(f"no small space follows from seed {seed}")
