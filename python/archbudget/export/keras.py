"""Real Keras models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archbudget._extras import imported
from archbudget.errors import SpaceError
from archbudget.layers._base import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from archbudget._records import Place
    from archbudget.layers import Layer
    from archbudget.network import Call, Network


def build(network: Network) -> Any:
    """The functional model of a network; each layer is applied as the engine applied it.

    Raises:
        SpaceError: If a layer, or an option of it, is one that Keras has not; nothing is built then.
        MissingPackageError: If Keras or the backend that `KERAS_BACKEND` names is not installed.
    """
    refuse_what_keras_has_not(network)
    keras = imported("keras", "to_keras")
    return applied(network, keras, lambda made, _: keras.tree.flatten(made))


def refuse_what_keras_has_not(network: Network) -> None:
    """Refuses a layer, or an option of one, that only PyTorch has."""
    for call in network.calls:
        missing = call.layer.beyond_keras(call.args, call.chosen)
        if missing is not None:
            raise SpaceError(
                f"layer '{call.name}' ({call.layer.kind}): Keras has no {missing}, only PyTorch has; use to_torch()"
            )


def applied(network: Network, keras: Any, unpacked: Callable[[Any, Call], Sequence[Any]]) -> Any:
    """The model of a network, by the layers of Keras or by what stands for them.

    Args:
        network: The network.
        keras: Keras, or what has its `Input`, `Model` and `layers`.
        unpacked: The tensors that a call makes, from what the layer returned.
    """
    tensors: dict[int, Any] = {}
    layers = _Layers(keras, network)
    for call in network.calls:
        if call.layer.kind == "Input":
            real = call.layer.keras_arguments(call.counted, call.chosen)
            real["shape"] = tuple(call.args["shape"])
            real.pop("trainable", None)
            tensors[call.outputs[0]] = keras.Input(**real, name=call.name)
            continue
        layer = layers.of(call, call.layer, call.counted, call.use.place)
        sources = [tensors[tensor] for tensor in call.inputs]
        data = len(sources) - len(call.layer.masks)
        masks = call.layer.mask_keras(dict(zip(call.layer.masks, sources[data:], strict=True)))
        options = {**call.options, **masks}
        made = call.layer.call_keras(layer, sources[:data], options)
        tensors.update(zip(call.outputs, unpacked(made, call), strict=True))
    layers.freeze()
    inputs, outputs = ([tensors[tensor] for tensor in ends] for ends in (network.inputs, network.outputs))
    return keras.Model(inputs[0] if len(inputs) == 1 else inputs, outputs[0] if len(outputs) == 1 else outputs)


class _Layers:
    """The real layers of a network: one for all uses of a layer, those inside of others among them."""

    def __init__(self, keras: Any, network: Network) -> None:
        self._keras = keras
        self._names = {call.use.place: call.weights for call in network.calls}
        masked = [call.use for call in network.calls if call.layer.masks]
        self._masked = {place for use in masked for place in (use.place, *use.inside.values())}
        self._made: dict[Place, Any] = {}
        self._frozen: list[Any] = []

    def of(self, call: Call, layer: Layer, counted: Mapping[str, Any], place: Place | None) -> Any:
        """The real layer.

        Args:
            call: The call that uses it first, itself or inside of another one.
            layer: The layer.
            counted: Its hyperparameters that touch shape or cost.
            place: The place of its weights; `None` if it is to be copied.
        """
        if place in self._made:
            return self._made[place]
        inside = {name: self._inside(call, getattr(layer, name), counted.get(name)) for name in layer.LAYERS}
        real = layer.keras_arguments({**counted, **inside}, call.chosen)
        if place in self._masked:
            real |= layer.KERAS_IF_MASKED
        name = layer.name if place is None else self._names.get(place, layer.name)
        made = layer.make_keras(self._keras, real if name is None else {**real, "name": name})
        if not resolve(layer.trainable, call.chosen):
            made.trainable = False
            self._frozen.append(made)
        if place is not None:
            self._made[place] = made
        return made

    def freeze(self) -> None:
        """Freezes again what is frozen: layers such as attention make those inside of them when they are built."""
        for each in self._frozen:
            each.trainable = False

    def _inside(self, call: Call, given: Any, counted: Any) -> Any:
        """The real layers of an argument that is a layer, or a list of them."""
        if isinstance(given, (list, tuple)):
            each = counted["cells"] if isinstance(counted, dict) else counted
            return [self._inside(call, *pair) for pair in zip(given, each, strict=True)]
        return None if given is None else self.of(call, given, counted, call.use.inside.get(given))
