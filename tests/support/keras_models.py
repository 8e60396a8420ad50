"""What Keras says of its models, layer by layer, and where archbudget says something else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import prod
from typing import Any

import keras

import archbudget as ab


def counts(model: Any) -> tuple[int, int]:
    """The weights of a model, and those that are trained."""
    return model.count_params(), sum(prod(weight.shape) for weight in model.trainable_weights)


def layers_of(model: Any, *, inner: bool = False) -> Iterator[Any]:
    """The layers and operations of a model and of those within it, without the inputs of these."""
    for each in model.operations if hasattr(model, "operations") else model.layers:
        if isinstance(each, keras.Model):
            yield from layers_of(each, inner=True)
        elif not (inner and isinstance(each, keras.layers.InputLayer)):
            yield each


def innermost(layer: Any) -> Any:
    """What stands within several `TimeDistributed`: a layer, or a model, whose layers are then at each step."""
    while isinstance(layer, keras.layers.TimeDistributed):
        layer = layer.layer
    return layer


def differences(model: Any, arch: ab.Architecture) -> list[str]:
    """Where a network differs from a model: in all weights, or in a layer of which no other one has the name."""
    found = []
    if (arch.params, arch.trainable_params) != counts(model):
        found.append(f"{model.name}: {(arch.params, arch.trainable_params)}, Keras {counts(model)}")
    real = {id(each): each for each in layers_of(model)}
    names = Counter(each.name for each in real.values())
    records: dict[str, list[ab.LayerRecord]] = {}
    for record in arch.layers:
        records.setdefault(record.name, []).append(record)
    for each in real.values():
        if names[each.name] > 1 or len(each._inbound_nodes) > 1 or isinstance(innermost(each), keras.Model):
            continue
        if each.name not in records:
            found.append(f"{each.name} is missing")
            continue
        record = records[each.name][0]
        weights = each.count_params() if isinstance(each, keras.layers.Layer) else 0
        shapes = [tuple(tensor.shape[1:]) for tensor in each._inbound_nodes[0].output_tensors]
        fits = len(record.output_shape) == len(shapes[0]) and all(
            side in (None, own) for side, own in zip(shapes[0], record.output_shape, strict=True)
        )
        if record.params != weights or not fits:
            found.append(f"{each.name}: {record.params} in {record.output_shape}, Keras {weights} in {shapes}")
    return found
