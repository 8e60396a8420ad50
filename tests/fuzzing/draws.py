"""Random spaces of every block, wrapper and custom part, and what is asked of them."""

from __future__ import annotations

import zlib
from random import Random
from typing import TYPE_CHECKING, Any

import archbudget as ab
from archbudget import layers
from archbudget.errors import InvalidArchitectureError, SpaceError
from archbudget.metrics import distinct_layers
from archbudget.metrics._latency import described
from support import graph_spaces
from support.random_parts import draw_condition, restrict
from support.random_spaces import METRICS, Draw, draw_space

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_COMBINATIONS = 200
LITTLE = 1 << 16
"""So many bytes of memory are little."""


@layers.custom
def Widen(input_shape: tuple[int, ...], width: int, factor: int = 1) -> layers.Counts:  # noqa: N802
    """Makes the last axis as long as it is told, but not 0 or 5."""
    if width in (0, 5):
        raise InvalidArchitectureError(f"{width} is not what it takes")
    channels = input_shape[-1]
    return layers.Counts((*input_shape[:-1], width), channels * width * factor, width, channels * width)


@layers.custom(in_place=True)
def Scale(input_shape: tuple[int, ...], *, each: bool = True) -> layers.Counts:  # noqa: N802
    """Scales each channel, or all of them alike."""
    return layers.Counts(input_shape, input_shape[-1] if each else 1)


class Noted:
    """What a metric says of a layer: any number below a span, by all that the record tells."""

    def __init__(self, salt: int, span: int) -> None:
        self.salt, self.span = salt, span

    def __call__(self, layer: ab.LayerRecord) -> int:
        facts = (self.salt, layer.type, layer.arguments, layer.input_shapes, layer.output_shape, layer.weight_bits)
        noise = zlib.crc32(repr((facts, layer.other_arguments, layer.reused)).encode())
        return 0 if layer.type in ("Input", "Add") else noise * 2654435761 % self.span


class Everything(Draw):
    """Draws from every block, wrapper and layer."""

    CUSTOM = True
    """Whether layers of our own are among them."""

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self.before: dict[int, list[Any]] = {}
        """The blocks that were drawn, by the axes of their inputs: some stand at several places."""

    def layer(self, axes: int) -> layers.Layer:
        rng = self.rng
        draw = rng.random()
        if draw > 0.5:
            return super().layer(axes)
        bits = self.choice([4, 8], "bits") if rng.random() < 0.1 else None
        trainable = rng.random() < 0.8
        if draw < 0.1 and not self.CUSTOM:
            return layers.Dense(self.size([1, 2, 4]), trainable=trainable, weight_bits=bits)
        if draw < 0.05:
            return Widen(self.size([1, 2, 4]), rng.choice([1, 3]), weight_bits=bits)
        if draw < 0.1:
            return Scale(each=self.either([True, False], "each"), trainable=trainable)
        if draw < 0.15:
            return layers.SpectralNormalization(layers.Dense(self.size([1, 2, 4])))
        if draw < 0.2:
            return layers.LayerNormalization(center=self.either([True, False], "center"), trainable=trainable)
        if draw < 0.25:
            return layers.PReLU(trainable=trainable)
        if axes == 0:
            units = self.size([1, 2, 4])
            if draw < 0.3:
                return layers.TimeDistributed(layers.Dense(units, use_bias=self.either([True, False], "bias")))
            if draw < 0.35:
                return layers.Bidirectional(layers.LSTM(units, return_sequences=True))
            if draw < 0.4:
                return layers.GRU(units, return_sequences=True, reset_after=self.either([True, False], "reset"))
            if draw < 0.45:
                return layers.Conv1D(units, self.size([1, 2, 3]), padding="same", weight_bits=bits)
            return layers.Dense(units, trainable=trainable, weight_bits=bits, lora_rank=rng.choice([None, 1]))
        if draw < 0.3:
            return layers.Pipeline([layers.RandomFlip(), layers.Rescaling(0.5)])
        if draw < 0.35:
            return layers.Conv2DTranspose(self.size([1, 2]), self.size([1, 2, 3]), strides=rng.choice([1, 2]))
        if draw < 0.4:
            return layers.AveragePooling2D(self.size([1, 2]), padding=self.either(["valid", "same"], "padding"))
        if draw < 0.45:
            return layers.ZeroPadding2D(rng.choice([0, 1, (1, 2)]))
        strides = self.size([1, 2])
        return layers.Conv2D(self.size([1, 2, 4]), 3, strides, "same", trainable=trainable, weight_bits=bits)

    def block(self, axes: int, depth: int) -> Any:
        before = self.before.setdefault(axes, [])
        if before and self.rng.random() < 0.15:
            return self.rng.choice(before)
        block = self._new_block(axes, depth)
        before.append(block)
        return block

    def _new_block(self, axes: int, depth: int) -> Any:
        rng = self.rng
        draw = rng.random()
        if depth == 0 or draw > 0.3:
            return super().block(axes, depth)
        numbers = [decision for decision in self.decisions if decision.is_integer]
        if draw < 0.05 and numbers:
            one, two = rng.choice(numbers), rng.choice(numbers)
            return layers.Require(rng.choice([one <= two + 1, ab.either(one < two, ab.equal(one, two)), one >= 1]))
        if draw < 0.12:
            values = self.choice(["a", "b", 3], "branch")
            blocks: list[Any] = [[], self.block(axes, depth - 1), layers.Dense(2)]
            rng.shuffle(blocks)
            return layers.OneOf(values, dict(zip(values.values, blocks, strict=True)))
        if draw < 0.18:
            least = rng.randint(0, 1)
            return layers.Repeat(ab.Int(f"depth{rng.randrange(10**6)}", least, least + 2), self.layer(axes))
        if draw < 0.22 and numbers:
            times = ab.minimum(ab.maximum(rng.choice(numbers), 0), 2)
            return layers.Repeat(times, self.layer(axes))
        if draw < 0.26:
            inner = self.layer(axes)
            return layers.Repeat(2, [inner, self.layer(axes)], shared=[inner])
        return layers.Residual([self.layer(axes), self.layer(axes)], self.layer(axes) if rng.random() < 0.5 else None)


class Real(Everything):
    """Draws only what there is in Keras."""

    CUSTOM = False


def any_space(rng: Random, kind: type[Draw] = Everything) -> ab.Space | None:
    """A random space of any size; nothing where no network can be built, or one name was drawn for two decisions."""
    try:
        return graph_spaces.Draw(rng).graph().space() if rng.random() < 0.3 else draw_space(rng, kind)
    except InvalidArchitectureError:
        return None
    except SpaceError as error:
        if str(error).startswith("two decisions are named"):
            return None
        raise


def small_space(rng: Random) -> ab.Space | None:
    """A small random space with parts of its own; nothing where none was drawn."""
    space = any_space(rng)
    if space is None or not 2 <= space.combinations <= MOST_COMBINATIONS:
        return None
    try:
        if rng.random() < 0.2:
            decisions = list(space.decisions.values())
            space = space.with_constraints([draw_condition(rng, decisions).expression])
        if rng.random() < 0.2:
            space = space.with_domains(restrict(rng, space))
    except InvalidArchitectureError:
        return None
    return space.with_metrics(any_metrics(rng, space)) if rng.random() < 0.5 else space


def any_metrics(rng: Random, space: ab.Space) -> list[ab.Metric]:
    """A sum, a maximum, and a table."""
    span = rng.choice([3, 50, 10**6, 1 << 40])
    metrics = [
        ab.Metric("noted", Noted(1, span)),
        ab.Metric("worst", Noted(2, span), combine="max"),
    ]
    if rng.random() < 0.3:
        said = {tuple(described(layer).items()) for layer in distinct_layers(space)}
        entries = [(dict(each), zlib.crc32(repr(each).encode()) % span) for each in sorted(said)]
        metrics.append(ab.LatencyTable("latency", entries))
    return metrics


def any_budget(rng: Random, costs: dict[str, Sequence[int]]) -> ab.Budget:
    """Bounds of one metric to three, near the costs that occur."""
    bounds: dict[str, Any] = {}
    for metric in rng.sample(list(costs), rng.choice([1, 1, 2, 3])):
        ends = sorted(max(0, int(rng.choice(costs[metric])) + rng.choice([-1, 0, 0, 0, 1])) for _ in range(2))
        high = max(1, ends[1])
        bounds[metric] = rng.choice([high, high, (ends[0], high), (ends[0], None)])
    own = {metric: bounds.pop(metric) for metric in list(bounds) if metric not in METRICS}
    return ab.Budget(**bounds, custom=own or None)


def any_memory(rng: Random) -> int:
    """Bytes to answer within: little in a third of the draws."""
    draw = rng.random()
    if draw < 0.34:
        return rng.choice([1, 100, 600, 1500, 4000, LITTLE])
    return rng.choice([1 << 18, 1 << 22]) if draw < 0.5 else 1 << 30
