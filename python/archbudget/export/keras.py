"""Real Keras models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archbudget._extras import imported
from archbudget.errors import SpaceError
from archbudget.layers._base import resolve

if TYPE_CHECKING:
    from archbudget.network import Network


def build(network: Network) -> Any:
    """The functional model of a network; each layer is applied as the engine applied it.

    Raises:
        SpaceError: If a layer, or an option of it, is one that Keras has not; nothing is built then.
        MissingPackageError: If Keras or the backend that `KERAS_BACKEND` names is not installed.
    """
    for call in network.calls:
        missing = call.layer.beyond_keras(call.args, call.chosen)
        if missing is not None:
            raise SpaceError(
                f"layer '{call.name}' ({call.layer.kind}): Keras has no {missing}, only PyTorch has; use to_torch()"
            )
    keras = imported("keras", "to_keras")
    tensors: dict[int, Any] = {}
    layers: dict[str, Any] = {}
    for call in network.calls:
        real = call.layer.keras_arguments(call.counted, call.chosen)
        if call.layer.kind == "Input":
            real["shape"] = tuple(call.args["shape"])
            real.pop("trainable", None)
            tensors[call.outputs[0]] = keras.Input(**real, name=call.name)
            continue
        if call.weights not in layers:
            layers[call.weights] = call.layer.make_keras(keras, {**real, "name": call.weights})
            if not resolve(call.layer.trainable, call.chosen):
                layers[call.weights].trainable = False
        sources = [tensors[tensor] for tensor in call.inputs]
        data = len(sources) - len(call.layer.masks)
        masks = call.layer.mask_keras(dict(zip(call.layer.masks, sources[data:], strict=True)))
        options = {**call.options, **masks}
        made = keras.tree.flatten(call.layer.call_keras(layers[call.weights], sources[:data], options))
        tensors.update(zip(call.outputs, made, strict=True))
    inputs, outputs = ([tensors[tensor] for tensor in ends] for ends in (network.inputs, network.outputs))
    return keras.Model(inputs[0] if len(inputs) == 1 else inputs, outputs[0] if len(outputs) == 1 else outputs)
