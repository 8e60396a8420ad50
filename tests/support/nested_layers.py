"""Layers that are shared between others: each as a layer of archbudget, and as the real one of Keras beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from archbudget import layers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

SHAPE = (3, 5, 4)
"""What every one of these takes and gives."""
STEP = SHAPE[1:]

Pair = tuple[layers.Layer, Any]
"""A layer of archbudget, and the real one, neither of them used yet."""


def pool(rng: Random) -> list[Pair]:
    """Layers of which many hold the same ones: each takes and gives `SHAPE`."""
    leaves = [pair("Dense", rng, units=4), pair("Dense", rng, units=4, use_bias=False), pair("LayerNormalization", rng)]
    cells = [pair("GRUCell", rng, units=4), pair("LSTMCell", rng, units=4)]
    inside: list[Pair] = [*leaves]
    backward = pair("LSTM", rng, units=4, return_sequences=True, go_backwards=True)
    inside.append(pair("LSTM", rng, units=4, return_sequences=True))
    inside += [walk(rng.choices(cells, k=rng.randint(2, 3))) for _ in range(3)]
    inside += [walk([cell]) for cell in cells]
    inside.append(around("Bidirectional", rng.choice(inside[3:]), merge_mode="sum"))
    inside.append(backward)
    forward = pair("GRU", rng, units=4, return_sequences=True)
    inside.append(
        (
            layers.Bidirectional(forward[0], "ave", backward_layer=backward[0]),
            keras.layers.Bidirectional(forward[1], "ave", backward_layer=backward[1]),
        )
    )
    normalised = [around("SpectralNormalization", each) for each in leaves[:2]]
    normalised.append(around("SpectralNormalization", rng.choice(normalised)))
    inside += normalised
    steps = [around("TimeDistributed", each) for each in [*inside, *leaves]]
    twice = [around("TimeDistributed", around("TimeDistributed", each)) for each in [*leaves, *normalised]]
    whole = [*leaves, *normalised, *steps, *twice]
    for _ in range(4):
        held = [rng.choice(whole) for _ in range(rng.randint(1, 3))]
        whole.append((layers.Pipeline([each for each, _ in held]), keras.layers.Pipeline([each for _, each in held])))
    return whole


def pair(kind: str, rng: Random, **arguments: Any) -> Pair:
    """A layer that holds no other one, one in four of them frozen."""
    trainable = rng.random() > 0.25
    made = getattr(layers, kind)(**arguments, trainable=trainable)
    return made, getattr(keras.layers, kind)(**arguments, trainable=trainable)


def around(kind: str, held: Pair, **arguments: Any) -> Pair:
    """A layer around another one."""
    return getattr(layers, kind)(held[0], **arguments), getattr(keras.layers, kind)(held[1], **arguments)


def walk(cells: Sequence[Pair]) -> Pair:
    """An `RNN` of one cell, or of several."""
    own, real = [each for each, _ in cells], [each for _, each in cells]
    return (
        layers.RNN(own if len(own) > 1 else own[0], return_sequences=True),
        keras.layers.RNN(real if len(real) > 1 else real[0], return_sequences=True),
    )
