"""The graph of a model, as a configuration of any version of Keras has it: layers, their calls, and what each reads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import chain
from typing import Any, NamedTuple

from archbudget._message import listed, show
from archbudget.errors import SpaceError
from archbudget.importers._refusals import MOST_DEPTH, require_layers
from archbudget.importers.keras._layer import Configured, configured
from archbudget.importers.keras._operation import Constant

MODELS = ("Functional", "Model", "Sequential")
"""The classes of models in a configuration."""


class Reference(NamedTuple):
    """A tensor that a layer makes."""

    layer: str
    call: int
    """Which call of the layer makes it, from 0 on."""
    place: int
    """Which of the tensors of that call it is."""
    rank: int | None
    """The number of its axes, the batch counted, if the configuration says it."""


class Unknown(NamedTuple):
    """An argument of a call that is not read."""

    what: str


@dataclass
class Call:
    """One call of a layer."""

    args: list[Any]
    kwargs: dict[str, Any]

    def references(self) -> Iterator[Reference]:
        """The tensors that it reads."""
        # Neither of them is a plain tuple of values, though both are tuples.
        yield from _found(self.args)
        yield from _found(list(self.kwargs.values()))


def _found(given: Any) -> Iterator[Reference]:
    waiting = deque([given])
    while waiting:
        each = waiting.popleft()
        if isinstance(each, Reference):
            yield each
        elif isinstance(each, (list, tuple)):
            waiting.extend(each)
        elif isinstance(each, Mapping):
            waiting.extend(each.values())


@dataclass
class Entry:
    """A layer, an operation or a model within a model."""

    given: Configured
    live: Any
    calls: list[Call] = field(default_factory=list)
    model: Graph | None = None
    """What it is made of, if it is a model, or several `TimeDistributed` around one."""
    steps: int = 0
    """How many `TimeDistributed` stand around the model."""


@dataclass
class Graph:
    """A model: what it is made of, its inputs and its outputs."""

    name: str
    entries: dict[str, Entry]
    inputs: list[Reference]
    outputs: list[Reference]
    input_shapes: dict[str, Any]
    """The shapes of its inputs with their batch, as the configuration has them; nothing where it does not say."""
    order: list[tuple[str, int]] = field(default_factory=list)
    """Its calls, each behind those that it reads."""


class Reader:
    """Reads the configuration of a model, and of those within it.

    Args:
        what: What the model is called in messages.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.count = 0

    def graph(self, given: Configured, live: Any, depth: int = 0) -> Graph:
        """The graph of a model.

        Raises:
            SpaceError: If the configuration is not well formed, or larger than what is read.
        """
        if depth > MOST_DEPTH:
            raise SpaceError(f"{self.what} has models within models, more than {MOST_DEPTH} deep")
        entries = given.config.get("layers")
        if not isinstance(entries, list):
            raise SpaceError(f"model {show(given.name)} has no list of layers")
        self.count = require_layers(self.count + len(entries), self.what)
        held = getattr(live, "operations", None) or getattr(live, "layers", None) or ()
        alive = {each.name: each for each in held}
        if given.kind == "Sequential" or "input_layers" not in given.config:
            return self._row(given, entries, alive, depth)
        graph = Graph(given.name, {}, [], [], {})
        raw: dict[str, list[Any]] = {}
        for each in entries:
            entry = self._entry(each, alive, depth)
            if entry.given.name in graph.entries:
                raise SpaceError(f"model {show(given.name)} has two layers of the name {show(entry.given.name)}")
            graph.entries[entry.given.name] = entry
            nodes = each.get("inbound_nodes", [])
            raw[entry.given.name] = nodes if isinstance(nodes, list) else []
            if entry.given.kind == "InputLayer":
                graph.input_shapes[entry.given.name] = _batch_shape(entry.given)
        for name, nodes in raw.items():
            graph.entries[name].calls = [_call(node, graph.entries) for node in nodes]
        graph.inputs = list(_ends(given.config["input_layers"], f"the inputs of model {show(given.name)}"))
        graph.outputs = list(_ends(given.config.get("output_layers"), f"the outputs of model {show(given.name)}"))
        _number_calls(graph, is_new=any(isinstance(node, Mapping) for nodes in raw.values() for node in nodes))
        graph.order = _ordered(graph)
        return graph

    def _entry(self, each: Any, alive: Mapping[str, Any], depth: int) -> Entry:
        given = configured(each, f"a layer of {self.what}")
        live = alive.get(given.name)
        entry = Entry(given, live)
        inner = given
        while inner.kind == "TimeDistributed" and inner.is_builtin and isinstance(inner.config.get("layer"), Mapping):
            inner, live = (
                configured(inner.config["layer"], f"the layer of {show(given.name)}"),
                getattr(live, "layer", None),
            )
            entry.steps += 1
        if is_graph(inner):
            entry.model = self.graph(inner, live, depth + 1)
        return entry

    def _row(self, given: Configured, entries: list[Any], alive: Mapping[str, Any], depth: int) -> Graph:
        """The graph of a `Sequential`, whose input may be a layer, or be said by its first one, or by nothing."""
        graph = Graph(given.name, {}, [], [], {})
        before: Reference | None = None
        for number, each in enumerate(entries):
            entry = self._entry(each, alive, depth)
            own = entry.given
            name = own.name or f"{own.kind} {number}"
            if name in graph.entries:
                raise SpaceError(f"model {show(given.name)} has two layers of the name {show(name)}")
            if before is None and own.kind == "Merge" and isinstance(own.config.get("layers"), list):
                before = self._merged(graph, name, entry, depth)
                continue
            if before is None and own.kind != "InputLayer":
                shape = (
                    _batch_shape(own) or given.config.get("build_input_shape") or given.config.get("batch_input_shape")
                )
                if shape is None and entry.model is not None:
                    shape = next(iter(entry.model.input_shapes.values()), None)
                source = INPUT
                while source in graph.entries or source == name:
                    source += "_"
                config = {"batch_shape": shape, "dtype": own.config.get("input_dtype", own.config.get("dtype"))}
                graph.entries[source] = Entry(
                    Configured(f"{name}_input", "InputLayer", config, shared=given.shared), None
                )
                graph.input_shapes[source] = shape
                before = Reference(source, 0, 0, None)
                graph.inputs = [before]
            graph.entries[name] = entry
            if before is None:
                graph.input_shapes[name] = _batch_shape(own)
                graph.inputs = [Reference(name, 0, 0, None)]
            else:
                entry.calls = [Call([before], {})]
                graph.order.append((name, 0))
            before = Reference(name, 0, 0, None)
        if before is None:
            raise SpaceError(f"model {show(given.name)} has no layers")
        graph.outputs = [before]
        return graph

    def _merged(self, graph: Graph, name: str, merge: Entry, depth: int) -> Reference:
        """The models in front of a `Sequential` of Keras 1, whose first layer merges what they make."""
        made: list[Reference] = []
        for number, each in enumerate(merge.given.config["layers"], 1):
            given = configured(each, f"a branch of {show(name)}")
            if not is_graph(given):
                raise SpaceError(f"{show(name)} merges a {given.kind}, and not models alone")
            own = given.name or f"{name}_{number}"
            if own in graph.entries:
                raise SpaceError(f"{show(name)} merges two models of the name {show(own)}")
            inner = self.graph(given, None, depth + 1)
            sources = []
            for source in inner.inputs:
                outer = f"{own}/{source.layer}"
                graph.entries[outer] = inner.entries[source.layer]
                graph.input_shapes[outer] = inner.input_shapes.get(source.layer)
                sources.append(Reference(outer, 0, 0, None))
            graph.inputs += sources
            graph.entries[own] = Entry(given, None, [Call(list(sources), {})], inner)
            graph.order.append((own, 0))
            made += [Reference(own, 0, place, None) for place in range(len(inner.outputs))]
        merge.calls = [Call([made], {})]
        graph.entries[name] = merge
        graph.order.append((name, 0))
        return Reference(name, 0, 0, None)


INPUT = "input"
"""What the input of a `Sequential` is called that has no layer for it."""


def is_graph(given: Configured) -> bool:
    """Whether a configuration is that of a model with layers, whatever its class is called."""
    return isinstance(given.config.get("layers"), list) and (
        (given.kind in MODELS and given.is_builtin) or "input_layers" in given.config
    )


def _batch_shape(given: Configured) -> Any:
    """The shape of an input with its batch, as a layer says it."""
    for name in ("batch_shape", "batch_input_shape"):
        if given.config.get(name) is not None:
            return given.config[name]
    return None


def _call(node: Any, entries: Mapping[str, Entry]) -> Call:
    """A call, in the form of Keras 3 or of earlier versions."""
    if isinstance(node, Mapping) and isinstance(node.get("args"), list) and isinstance(node.get("kwargs", {}), Mapping):
        return Call(_decoded(node["args"]), {name: _decoded(each) for name, each in node.get("kwargs", {}).items()})
    if _is_old(node, entries):
        node = [node]
    kwargs: dict[str, Any] = {}

    def decoded(given: Any) -> Any:
        if _is_old(given, entries):
            if len(given) > 3 and isinstance(given[3], Mapping):
                kwargs.update({name: _old_argument(each, entries) for name, each in given[3].items()})
            return _old_argument(given[:3], entries)
        if isinstance(given, list):
            return [decoded(each) for each in given]
        if isinstance(given, Mapping):
            return {name: decoded(each) for name, each in given.items()}
        raise SpaceError(f"a call reads {show(given)}, which is no tensor of the model")

    if not isinstance(node, list):
        raise SpaceError(f"a call must be a list of tensors, not {show(node)}")
    tensors = [decoded(each) for each in node]
    return Call([tensors[0] if len(tensors) == 1 else tensors], kwargs)


CONSTANT = "_CONSTANT_VALUE"


def _is_old(given: Any, entries: Mapping[str, Entry]) -> bool:
    """Whether this is a tensor as Keras 1 and 2 write it."""
    return (
        isinstance(given, list)
        and len(given) in (3, 4)
        and isinstance(given[0], str)
        and (given[0] in entries or given[0] == CONSTANT)
        and isinstance(given[1], int)
    )


def _old_argument(given: Any, entries: Mapping[str, Entry]) -> Any:
    if _is_old(given, entries):
        name, call, place = given[:3]
        if name == CONSTANT:
            return place
        if not isinstance(place, int):
            raise SpaceError(f"a call reads {show(given)}, which is no tensor of the model")
        return Reference(name, call, place, None)
    if isinstance(given, list):
        return [_old_argument(each, entries) for each in given]
    if isinstance(given, Mapping):
        if set(given) == {"start", "stop", "step"}:
            return slice(*(_old_argument(given[name], entries) for name in ("start", "stop", "step")))
        return {name: _old_argument(each, entries) for name, each in given.items()}
    return given


def _decoded(given: Any) -> Any:
    """An argument in the form of Keras 3."""
    if isinstance(given, list):
        return [_decoded(each) for each in given]
    if not isinstance(given, Mapping):
        return given
    kind, config = given.get("class_name"), given.get("config")
    if kind is None or config is None:
        return {name: _decoded(each) for name, each in given.items()}
    if kind == "__keras_tensor__" and isinstance(config, Mapping):
        history, shape = config.get("keras_history"), config.get("shape")
        rank = len(shape) if isinstance(shape, list) else None
        if history is None:
            return Unknown("a tensor of no layer")
        if not (isinstance(history, list) and len(history) == 3 and isinstance(history[0], str)):
            raise SpaceError(f"a call reads {show(history)}, which is no tensor of the model")
        if not all(isinstance(each, int) and each >= 0 for each in history[1:]):
            raise SpaceError(f"a call reads {show(history)}, which is no tensor of the model")
        return Reference(history[0], history[1], history[2], rank)
    if kind in ("__tensor__", "__numpy__") and isinstance(config, Mapping):
        shape = _shape_of(config.get("value"))
        return config["value"] if shape == () else Constant(shape)
    if kind == "__slice__" and isinstance(config, Mapping):
        return slice(*(_decoded(config.get(name)) for name in ("start", "stop", "step")))
    if kind == "__ellipsis__":
        return ...
    return Unknown(f"an object of {show(kind)}")


def _shape_of(value: Any) -> tuple[int, ...]:
    """The shape of an array that is written as nested lists."""
    shape: list[int] = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value or len(shape) > 8:
            raise SpaceError(f"a call reads an array of {len(shape)} or more axes, or without values")
        value = value[0]
    return tuple(shape)


def _ends(given: Any, what: str) -> Iterator[Reference]:
    """The inputs or outputs of a model, however they are nested, in order."""
    if isinstance(given, (list, tuple)):
        if len(given) == 3 and isinstance(given[0], str):
            name, call, place = given
            if not (isinstance(call, int) and isinstance(place, int)):
                raise SpaceError(f"{what} name {show(given)}, which is no tensor of it")
            yield Reference(name, call, place, None)
            return
        for each in given:
            yield from _ends(each, what)
    elif isinstance(given, Mapping):
        for name in sorted(given):
            yield from _ends(given[name], what)
    else:
        raise SpaceError(f"{what} must be a list of tensors, not {show(given)}")


def _number_calls(graph: Graph, *, is_new: bool) -> None:
    """Numbers the calls of models within a model from 0 on.

    Such a model has a call of its own, by which it was made. Keras 3 counts it among the outputs alone, and not for a
    `Sequential`; Keras 1 and 2 count it everywhere, or nowhere. As each call that is kept leads to an output, the
    numbers in use say which.
    """
    nested = {name for name, entry in graph.entries.items() if entry.model is not None and not entry.steps}
    read: dict[str, set[int]] = {name: set() for name in nested}
    returned: dict[str, set[int]] = {name: set() for name in nested}
    calls = [call for entry in graph.entries.values() for call in entry.calls] if nested else []
    for each in chain(graph.outputs, *(call.references() for call in calls)):
        if each.layer in nested and not is_new:
            read[each.layer].add(each.call)
    for each in graph.outputs:
        if each.layer in nested:
            returned[each.layer].add(each.call)
    if is_new:
        ends = {
            name: int(graph.entries[name].given.kind != "Sequential" and min(returned[name], default=0) > 0)
            for name in nested
        }
    else:
        ends = {name: int(max(read[name], default=0) == len(graph.entries[name].calls)) for name in nested}
        for call in calls:
            call.args, call.kwargs = _renumbered(call.args, ends), _renumbered(call.kwargs, ends)
    graph.outputs = _renumbered(graph.outputs, ends)


def _renumbered(given: Any, less: Mapping[str, int]) -> Any:
    if isinstance(given, Reference):
        return Reference(given.layer, given.call - less.get(given.layer, 0), given.place, given.rank)
    if isinstance(given, list):
        return [_renumbered(each, less) for each in given]
    if isinstance(given, dict):
        return {name: _renumbered(each, less) for name, each in given.items()}
    return given


def _ordered(graph: Graph) -> list[tuple[str, int]]:
    """The calls of a model, each behind those that it reads, and otherwise as they are written.

    Raises:
        SpaceError: If a call reads what nothing makes, or the calls go in circles.
    """
    made = {each.layer for each in graph.inputs}
    for each in graph.inputs:
        if each.layer not in graph.entries:
            raise SpaceError(f"model {show(graph.name)} has no input {show(each.layer)}")
    waiting: dict[tuple[str, int], int] = {}
    readers: dict[tuple[str, int], list[tuple[str, int]]] = {}
    position = {name: number for number, name in enumerate(graph.entries)}
    ready: list[tuple[int, str, int]] = []
    for name, entry in graph.entries.items():
        for number, call in enumerate(entry.calls):
            sources = {(each.layer, each.call) for each in call.references() if each.layer not in made}
            for source, index in sources:
                if source not in graph.entries or not 0 <= index < len(graph.entries[source].calls):
                    raise SpaceError(f"layer {show(name)} reads call {index} of {show(source)}, which there is not")
                readers.setdefault((source, index), []).append((name, number))
            waiting[name, number] = len(sources)
            if not sources:
                heappush(ready, (position[name], name, number))
    order = []
    while ready:
        _, name, number = heappop(ready)
        order.append((name, number))
        for reader in readers.get(order[-1], ()):
            waiting[reader] -= 1
            if not waiting[reader]:
                heappush(ready, (position[reader[0]], *reader))
    if len(order) < len(waiting):
        stuck = listed(repr(name) for name in dict.fromkeys(name for (name, _), left in waiting.items() if left))
        raise SpaceError(f"the layers of model {show(graph.name)} go in circles: {stuck}")
    if not graph.inputs or not graph.outputs:
        raise SpaceError(f"model {show(graph.name)} has no {'outputs' if graph.inputs else 'inputs'}")
    for each in graph.outputs:
        known = each.layer in made or each.layer in graph.entries
        if not known or (each.layer not in made and not 0 <= each.call < len(graph.entries[each.layer].calls)):
            raise SpaceError(f"model {show(graph.name)} has no tensor {show(list(each[:3]))}, which it should return")
    # A model of Keras is what leads to its outputs.
    leading = {(each.layer, each.call) for each in graph.outputs}
    for name, number in reversed(order):
        if (name, number) in leading:
            leading.update((each.layer, each.call) for each in graph.entries[name].calls[number].references())
    return [each for each in order if each in leading]
