"""Follows the channels of a model from layer to layer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.importers.keras import plain_name
from archbudget.pruning._channels import Channels, Label
from archbudget.pruning._plan import Plan
from archbudget.pruning._rules import OPERATIONS, RULES, Call, NoRuleError, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator


class Walk:
    """The layers of a model with their channels.

    Args:
        model: A functional model of Keras, or a `Sequential`, with its weights.
        what: The function that was called, for messages.
        is_strict: Whether channels that a layer weighs against each other must stay.

    Raises:
        SpaceError: If it is no such model.
    """

    def __init__(self, model: Any, what: str, is_strict: bool) -> None:
        keras = sys.modules.get("keras")
        if keras is None or not isinstance(model, keras.Model):
            raise SpaceError(f"{what} takes a model of Keras, not {show(model)}")
        self.keras: Any = keras
        self.model = model
        self.what = what
        self.is_strict = is_strict
        self.channels = Channels()
        self.plans: dict[int, Plan] = {}
        """The layers by their identity."""
        self.inputs: dict[int, list[Label]] = {}
        """The axes of the inputs of each model, by its identity."""
        self._names = self._named(model)
        self._follow(model, [(None,) * len(each.shape[1:]) for each in self.graph(model).inputs])

    def is_model(self, layer: Any) -> bool:
        """Whether a layer is a model that is gone through."""
        if not isinstance(layer, self.keras.Model) or not type(layer).call.__module__.startswith("keras."):
            return False  # A model with a `call` of its own does not compute what its graph says.
        is_graph = getattr(layer, "_nodes_by_depth", None) is not None
        return is_graph or isinstance(layer, self.keras.Sequential)

    def graph(self, model: Any) -> Any:
        """The functional model that a model is."""
        graph = getattr(model, "_functional", None) if isinstance(model, self.keras.Sequential) else model
        if graph is None or not self.is_model(model):
            raise SpaceError(
                f"{self.what} takes functional models and Sequential ones that have their weights; the model "
                f"{show(model.name)} has no graph of layers"
            )
        return graph

    def _named(self, model: Any) -> dict[int, str]:
        """The names of layers as `from_keras` gives them, by the identity of the layers."""
        found = list(self._layers(model, ()))
        owners: dict[str, set[int]] = {}
        for layer, _ in found:
            owners.setdefault(plain_name(layer.name) or "", set()).add(id(layer))
        names: dict[int, str] = {}
        for layer, around in found:
            name = plain_name(layer.name) or ""
            names.setdefault(id(layer), ".".join([*around, name]) if len(owners[name]) > 1 and around else name)
        return names

    def _layers(self, model: Any, around: tuple[str, ...]) -> Iterator[tuple[Any, tuple[str, ...]]]:
        for layer in self.graph(model).operations:
            yield layer, around
            if self.is_model(layer):
                yield from self._layers(layer, (*around, plain_name(layer.name) or ""))

    def _follow(self, model: Any, labels: list[Label]) -> list[Label]:
        """The axes of the outputs of a model, by those of its inputs."""
        graph = self.graph(model)
        why = f"the model {show(model.name)} reads them in one call, and in another one what cannot lose any"
        before = self.inputs.setdefault(id(model), labels)
        labels = [
            tuple(self.channels.joined(one, other, why) for one, other in zip(*pair, strict=True))
            for pair in zip(before, labels, strict=True)
        ]
        self.inputs[id(model)] = labels
        found = {id(tensor): label for tensor, label in zip(graph.inputs, labels, strict=True)}
        for depth in sorted(graph._nodes_by_depth, reverse=True):
            for node in graph._nodes_by_depth[depth]:
                if any(id(each) not in found for each in node.outputs):
                    made = self._call(node, [found[id(each)] for each in node.arguments.keras_tensors])
                    found.update((id(each), label) for each, label in zip(node.outputs, made, strict=True))
        return [found[id(each)] for each in graph.outputs]

    def _call(self, node: Any, labels: list[Label]) -> list[Label]:
        layer = node.operation
        flat = self.keras.tree.flatten
        is_layer = isinstance(layer, self.keras.layers.Layer)
        extra = flat(node.arguments.kwargs)
        if self.is_model(layer) and not any(isinstance(each, self.keras.KerasTensor) for each in extra):
            return self._follow(layer, labels)
        plan = self.plans.setdefault(id(layer), Plan(layer, self._names.get(id(layer), layer.name)))
        given = flat(node.arguments.args)
        shapes: list[Shape] = [tuple(each.shape[1:]) for each in node.arguments.keras_tensors]
        rule = (RULES if is_layer else OPERATIONS).get(type(layer).__name__)
        is_own = type(layer).__module__.startswith("keras.")
        is_plain = all(
            isinstance(each, self.keras.KerasTensor) or (not is_layer and isinstance(each, (int, float)))
            for each in given
        ) and not any(isinstance(each, self.keras.KerasTensor) for each in extra)
        outputs: list[Shape] = [tuple(each.shape[1:]) for each in node.outputs]
        if rule is not None and is_own and is_plain and len(outputs) == 1 and not plan.is_copied:
            call = Call(self.channels, plan, labels, shapes, outputs[0], self.is_strict)
            try:
                return [rule(call)]
            except NoRuleError:
                pass
        self._copy(plan, labels)
        return [(None,) * len(shape) for shape in outputs]

    def _copy(self, plan: Plan, labels: list[Label]) -> None:
        """Copies a layer as it is, so that all channels that it reads or gives stay."""
        why = f"{plan.title} is copied as it is"
        for label in [*labels, *plan.reads, (plan.channels,)]:
            self.channels.hold(label, why)
        plan.is_copied = True
        plan.weights, plan.changes, plan.width, plan.kernel, plan.groups = [], None, None, None, 1
