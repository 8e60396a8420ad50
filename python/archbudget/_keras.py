"""Real Keras models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from archbudget._architecture import Architecture


def build(arch: Architecture) -> Any:
    """The functional model of a network; each layer is applied as the engine applied it.

    Raises:
        SpaceError: If a layer, or an option of it, is one that Keras has not; nothing is built then.
    """
    for trace in arch._trace.layers:
        use = arch.space._uses[trace.layer]
        missing = use.layer.beyond_keras(trace.args, arch.chosen_in(trace.layer))
        if missing is not None:
            raise SpaceError(
                f"layer '{use.name}' ({use.layer.kind}): Keras has no {missing}, only PyTorch has; use to_torch()"
            )
    try:
        import keras
    except ImportError as error:
        raise ImportError(
            "to_keras needs Keras and the backend that KERAS_BACKEND names: pip install archbudget[keras] jax "
            f"({error})"
        ) from error

    tensors: dict[int, Any] = {}
    layers: dict[int, Any] = {}
    inputs: list[Any] = []
    aliases = {target: source for source, target in arch._trace.aliases}

    def find(tensor: int) -> Any:
        while tensor in aliases:
            tensor = aliases[tensor]
        return tensors[tensor]

    for trace in arch._trace.layers:
        use = arch.space._uses[trace.layer]
        counted = use.layer.recorded(trace.args, use.values)
        real = use.layer.keras_arguments(counted, arch.chosen_in(trace.layer))
        if use.layer.kind == "Input":
            real["shape"] = tuple(trace.args["shape"])
            real.pop("trainable", None)
            tensors[trace.output] = keras.Input(**real, name=use.name)
            inputs.append(tensors[trace.output])
            continue
        if trace.layer not in layers:
            layers[trace.layer] = use.layer.make_keras(keras, {**real, "name": use.name})
        sources = [find(tensor) for tensor in trace.inputs]
        made = keras.tree.flatten(use.layer.call_keras(layers[trace.layer], sources))
        tensors.update(zip([trace.output, *(tensor for tensor, _ in trace.extra)], made, strict=True))
    outputs = [find(tensor) for tensor in arch.space._outputs]
    return keras.Model(inputs[0] if len(inputs) == 1 else inputs, outputs[0] if len(outputs) == 1 else outputs)
