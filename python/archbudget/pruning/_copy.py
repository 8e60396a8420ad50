"""The model with the kept channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archbudget.errors import SpaceError
from archbudget.pruning._rules import kept_of

if TYPE_CHECKING:
    from archbudget.pruning._plan import Kept
    from archbudget.pruning._walk import Walk


class Copy:
    """Makes a model anew with some of its channels.

    Args:
        walk: The model.
        kept: Whether each channel is kept.
    """

    def __init__(self, walk: Walk, kept: Kept) -> None:
        self._walk = walk
        self._keras = walk.keras
        self._kept = kept
        self._made: dict[int, Any] = {}

    def model(self) -> Any:
        """The new model, with the weights of the old one."""
        made = self._model(self._walk.model)
        for number, plan in self._walk.plans.items():
            if not isinstance(plan.layer, self._keras.layers.Layer):
                continue
            weights = plan.layer.get_weights() if plan.is_copied else plan.cut(self._kept)
            new = self._made[number]
            if [value.shape for value in weights] != [tuple(each.shape) for each in new.weights]:
                raise SpaceError(f"{self._walk.what}: the new {plan.title} does not have the shapes of its weights")
            new.set_weights(weights)
        return made

    def _model(self, model: Any) -> Any:
        graph = self._walk.graph(model)
        labels = iter(self._walk.inputs[id(model)])

        def source(tensor: Any) -> Any:
            shape = tensor.shape[1:]
            sides = [kept_of(axis, self._kept, side) for axis, side in zip(next(labels), shape, strict=True)]
            name = tensor._keras_history.operation.name
            return self._keras.Input(batch_shape=(tensor.shape[0], *sides), dtype=tensor.dtype, name=name)

        if isinstance(model, self._keras.Sequential):
            made = self._keras.Sequential([source(graph.inputs[0]), *map(self._layer, model.layers)], name=model.name)
        else:
            inputs = self._keras.tree.map_structure(source, model.input)
            outputs = model._run_through_graph(inputs, operation_fn=self._layer)
            made = self._keras.Model(inputs, outputs, name=model.name)
        if not model.trainable:
            made.trainable = False
        return made

    def _layer(self, layer: Any) -> Any:
        """The new layer, the same one for all calls; operations hold nothing, and stay."""
        if id(layer) in self._made:
            return self._made[id(layer)]
        if id(layer) in self._walk.inputs:
            made = self._model(layer)
        elif not isinstance(layer, self._keras.layers.Layer):
            made = layer
        else:
            plan = self._walk.plans.get(id(layer))
            changes = plan.changes(self._kept) if plan is not None and plan.changes is not None else {}
            made = type(layer).from_config({**layer.get_config(), **changes})
        self._made[id(layer)] = made
        return made
