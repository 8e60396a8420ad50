"""What the real Keras says of one layer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

MERGING = ("Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract")
"""The layers that are called on a list of tensors."""


def describe(kind: str, arguments: dict[str, Any], shapes: list[list[int]]) -> dict[str, Any] | None:
    """The output shape of a layer, its weights and its multiply-accumulates; `None` if Keras refuses it.

    The multiply-accumulates follow from the weights that Keras made: each item of a kernel is used once at each
    position of the output, or of the input where the convolution is transposed.
    """
    import keras

    try:
        inputs = [keras.Input(tuple(shape)) for shape in shapes]
        if kind == "Input":
            shape = keras.Input(**arguments).shape[1:]
            return {"output": list(shape), "trainable": 0, "non_trainable": 0, "macs": 0}
        made = dict(arguments)
        if isinstance(made.get("axis"), list):
            made["axis"] = tuple(made["axis"])
        layer = getattr(keras.layers, kind)(**made)
        output = layer(inputs if kind in MERGING else inputs[0]).shape[1:]
        if kind == "Softmax":
            # Its axis is looked at only when it is fed.
            layer(np.zeros((2, *[side + 1 for side in shapes[0]])))
    except Exception:
        # Keras refuses with errors of many types, some of them by accident.
        return None
    if 0 in output or (kind.startswith("Adaptive") and len(output) != len(shapes[0])):
        # Keras describes a tensor without values, or one pooled over axes that it does not have; no network can use it.
        return None
    return {
        "output": list(output),
        "trainable": sum(math.prod(weight.shape) for weight in layer.trainable_weights),
        "non_trainable": sum(math.prod(weight.shape) for weight in layer.non_trainable_weights),
        "macs": _macs(kind, layer, shapes, list(output)),
    }


def _macs(kind: str, layer: Any, shapes: list[list[int]], output: list[int]) -> int:
    kernels = sum(math.prod(weight.shape) for weight in layer.weights if weight.name.endswith("kernel"))
    if kind in ("SimpleRNN", "LSTM", "GRU"):
        return shapes[0][0] * kernels
    if kind.startswith("ConvLSTM") and not layer.return_sequences:
        output = [shapes[0][0], *output]
    swept = shapes[0] if kind.endswith("Transpose") else output
    first = 1 if kind.startswith("ConvLSTM") else 0
    channels = first if getattr(layer, "data_format", None) == "channels_first" else -1
    return math.prod(swept) // swept[channels] * kernels if kernels else 0
