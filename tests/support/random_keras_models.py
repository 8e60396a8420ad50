"""Random models of Keras: nested, with shared layers, frozen in parts, with operations between the layers."""

from __future__ import annotations

from random import Random
from typing import Any

import keras

SHAPE = (4, 6)
"""What all tensors are, beside the batch."""


def random_model(rng: Random) -> Any:
    """A model of tensors of one shape; some of its layers and models are used again, also in other models within it."""
    pool: list[Any] = []
    model = _graph(rng, pool, rng.randint(0, 3))
    frozen = [each for each in pool if rng.random() < 0.2]
    for each in frozen:
        each.trainable = False
    for each in pool:
        if rng.random() < 0.1:
            each.trainable = True
    if rng.random() < 0.05:
        model.trainable = False
    return model


def _graph(rng: Random, pool: list[Any], depth: int) -> Any:
    """A functional model of one or two inputs and outputs."""
    inputs = [keras.Input(SHAPE) for _ in range(rng.choice([1, 1, 1, 2]))]
    tensors = list(inputs)
    for _ in range(rng.randint(2, 7)):
        tensors.extend(_step(rng, pool, tensors, depth))
    outputs = [tensors[-1]]
    if rng.random() < 0.3:
        outputs.append(rng.choice(tensors[len(inputs) :]))
    # Every input is read, so that the model may stand in another one.
    for each in inputs:
        outputs[0] = keras.layers.Add()([outputs[0], keras.layers.Identity()(each)])
    made = keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs if len(outputs) > 1 else outputs[0])
    pool.append(made)
    return made


def _row(rng: Random, pool: list[Any]) -> Any:
    """A `Sequential`, whose input may be known, or not before it is called."""
    held = [_single(rng) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.2 and any(isinstance(each, keras.layers.Dense) for each in pool):
        held.append(rng.choice([each for each in pool if isinstance(each, keras.layers.Dense)]))
        held = list({id(each): each for each in held}.values())
    pool.extend(each for each in held if each not in pool)
    made = keras.Sequential([*([keras.Input(SHAPE)] if rng.random() < 0.5 else []), *held])
    pool.append(made)
    return made


def _step(rng: Random, pool: list[Any], tensors: list[Any], depth: int) -> list[Any]:
    """The tensors that one more layer, operation or model makes."""
    x, y = rng.choice(tensors), rng.choice(tensors)
    drawn = rng.random()
    if drawn < 0.2:
        return [_operation(rng, x, y)]
    if drawn < 0.35:
        merge = rng.choice(["Add", "Multiply", "Average", "Maximum", "Minimum", "Subtract"])
        return [getattr(keras.layers, merge)()([x, y])]
    if drawn < 0.6 and pool:
        return _called(rng, rng.choice(pool), x, y)
    if drawn < 0.8 and depth > 0:
        made = _graph(rng, pool, depth - 1) if rng.random() < 0.6 else _row(rng, pool)
        return _called(rng, made, x, y)
    made = _single(rng)
    pool.append(made)
    return _called(rng, made, x, y)


def _called(rng: Random, made: Any, x: Any, y: Any) -> list[Any]:
    """What a layer or a model makes of tensors."""
    if isinstance(made, keras.layers.MultiHeadAttention):
        return [made(x, y, use_causal_mask=True) if rng.random() < 0.3 else made(x, y)]
    several = isinstance(made, keras.Model) and not isinstance(made, keras.Sequential) and len(made.inputs) > 1
    return list(keras.tree.flatten(made([x, y] if several else x)))


def _operation(rng: Random, x: Any, y: Any) -> Any:
    """An operation between layers."""
    made = [
        lambda: x + y,
        lambda: x * y - 1,
        lambda: 2.0 - x / 4,
        lambda: keras.ops.relu(x),
        lambda: keras.ops.matmul(keras.ops.softmax(keras.ops.matmul(x, keras.ops.transpose(y, (0, 2, 1)))), x),
        lambda: x - keras.ops.mean(x, axis=-1, keepdims=True),
        lambda: keras.ops.reshape(keras.ops.reshape(x, (-1, 24)), (-1, *SHAPE)),
        lambda: keras.ops.concatenate([x[:, :1], y[:, 1:]], axis=1),
        lambda: keras.ops.stack(keras.ops.split(x, 2, axis=2)[::-1], axis=2)[:, :, 0, :] @ keras.ops.ones((3, 6)),
        lambda: keras.ops.squeeze(keras.ops.expand_dims(x, 1), 1),
        lambda: keras.ops.swapaxes(keras.ops.swapaxes(x, 1, 2), 1, 2),
        lambda: keras.ops.einsum("bij,bkj->bikj", x, y)[:, 0],
        lambda: keras.ops.maximum(x, y) ** 2,
        lambda: keras.ops.where(x > 0, y, 0.0),
    ]
    return rng.choice(made)()


def _single(rng: Random) -> Any:
    """A layer that makes tensors of the shape that it takes; one in six is frozen by its constructor."""
    trainable = rng.random() > 1 / 6
    kinds = keras.layers
    made = [
        lambda: kinds.Dense(6, use_bias=rng.random() < 0.5, trainable=trainable),
        lambda: kinds.Dense(6, activation=rng.choice(["relu", "gelu", None]), trainable=trainable),
        lambda: kinds.Conv1D(6, rng.randint(1, 3), padding="same", groups=rng.choice([1, 2]), trainable=trainable),
        lambda: kinds.SeparableConv1D(6, 3, padding="same", trainable=trainable),
        lambda: kinds.LayerNormalization(trainable=trainable),
        lambda: kinds.BatchNormalization(trainable=trainable),
        lambda: kinds.UnitNormalization(),
        lambda: kinds.PReLU(trainable=trainable),
        lambda: kinds.Dropout(0.5),
        lambda: kinds.Activation("tanh"),
        lambda: kinds.LSTM(6, return_sequences=True, trainable=trainable),
        lambda: kinds.GRU(6, return_sequences=True, reset_after=rng.random() < 0.5, trainable=trainable),
        lambda: kinds.RNN([kinds.LSTMCell(5), kinds.GRUCell(6)], return_sequences=True, trainable=trainable),
        lambda: kinds.Bidirectional(kinds.SimpleRNN(6, return_sequences=True), "sum", trainable=trainable),
        lambda: kinds.TimeDistributed(kinds.Dense(6, trainable=rng.random() < 0.8), trainable=trainable),
        lambda: kinds.TimeDistributed(_at_each_step(rng), trainable=trainable),
        lambda: kinds.SpectralNormalization(kinds.Dense(6), trainable=trainable),
        lambda: kinds.MultiHeadAttention(2, 3, trainable=trainable),
        lambda: kinds.EinsumDense("abc,cd->abd", output_shape=(None, 6), bias_axes="d", trainable=trainable),
    ]
    return rng.choice(made)()


def _at_each_step(rng: Random) -> Any:
    """A model of vectors of six numbers, for `TimeDistributed`: a row, or a graph with a sum."""
    kinds = keras.layers
    dense = kinds.Dense(6, trainable=rng.random() < 0.8)
    row = keras.Sequential([keras.Input((6,)), dense, kinds.BatchNormalization(), kinds.ReLU()])
    if rng.random() < 0.5:
        return row
    x = keras.Input((6,))
    y = kinds.Concatenate()([row(x), kinds.Add()([x, dense(x)]) * 2.0])
    return keras.Model(x, kinds.Dense(6)(y), trainable=rng.random() < 0.8)
