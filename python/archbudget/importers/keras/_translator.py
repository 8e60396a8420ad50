"""Tensors of archbudget from the graph of a model of Keras."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from archbudget import layers
from archbudget._message import listed, show
from archbudget.errors import SpaceError
from archbudget.importers._refusals import Beside, Refusals, require_side
from archbudget.importers.keras._graph import Entry, Graph, Reference, Unknown
from archbudget.importers.keras._layer import Configured, Custom, Layers, identity, plain_name
from archbudget.importers.keras._operation import AT_EACH_STEP, TENSORFLOW, Operation
from archbudget.layers import CustomLayer, Layer
from archbudget.layers._base import Tensor, as_tensor, flat
from archbudget.layers._recurrent import WithStates

UNKNOWN = object()
"""What stands for the tensors of a part that cannot be translated."""

POSITIONS: Mapping[str, tuple[str, ...]] = {
    "MultiHeadAttention": ("query", "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask"),
    "GroupQueryAttention": ("query", "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask"),
    "Attention": ("inputs", "mask", "training"),
    "AdditiveAttention": ("inputs", "mask", "training"),
    "Softmax": ("inputs", "mask"),
    "BatchNormalization": ("inputs", "training", "mask"),
    "ReversibleEmbedding": ("inputs", "reverse"),
    **dict.fromkeys(
        ["SimpleRNN", "LSTM", "GRU", "RNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Bidirectional"],
        ("inputs", "initial_state", "mask", "training"),
    ),
}
"""The arguments of calls by position, where there are more than the inputs."""

WITH_MORE_AXES = ("Add", "Average", "DropPath", "LayerScale", "Maximum", "Minimum", "Multiply", "Subtract")
"""The layers that are the same with more axes in front, and that `TimeDistributed` does not take."""

FIRST = ("inputs", "sequences", "sequence", "x", "input", "data", "images", "hidden_states")
"""What the first argument of a call is named."""


class Translator:
    """Makes a space of a model.

    Args:
        custom: What makes layers of custom classes.
        refusals: Where what cannot be translated is noted.
        frozen: Whether the whole model is frozen.
        is_old: Whether Keras 1 or 2 made it, whose frozen models and wrappers freeze what is inside of them.
        strict: Whether layers that archbudget does not know are refused.
    """

    def __init__(self, custom: Custom, refusals: Refusals, *, frozen: bool, is_old: bool, strict: bool) -> None:
        self._layers = Layers(custom, is_old=is_old, strict=strict)
        self._frozen: set[int] = set()
        """The entries that are frozen with a model around them."""
        self._all_frozen = frozen
        self._is_old = is_old
        self._has_unknown = False
        self._steps = 0
        """How many `TimeDistributed` stand around the model that is being translated."""
        self._refusals = refusals
        self._made: dict[int, Layer | None] = {}
        """The layer of each entry, by the identity of the entry."""
        self._operations: dict[tuple[object, int], list[Layer]] = {}
        """The layers of each call of an operation."""
        self._tensors: dict[Tensor, None] = {}
        """What layers made."""
        self._read: set[Tensor] = set()
        """What layers read of it."""
        self._ranks: dict[Tensor, int] = {}
        self._in_steps: set[int] = set()
        """The entries of models with a `TimeDistributed` around them."""
        self.names: dict[int, str] = {}
        """The names in the space, by the identity of the entries."""

    def name_all(self, graph: Graph) -> None:
        """Gives each layer its name: its own, or where several have that, with the models around it in front."""
        found = list(_layers_of(graph, ()))
        self._in_steps = set(_within_steps(graph, inside=False))
        owners: dict[str, set[object]] = {}
        for entry, _ in found:
            name = plain_name(entry.given.name)
            if name is not None:
                owners.setdefault(name, set()).add(identity(entry.given, entry.live) or id(entry))
        for entry, around in found:
            name = plain_name(entry.given.name) or ""
            if name and around and (len(owners[name]) > 1 or id(entry) in self._in_steps):
                name = ".".join([*around, name])
            self.names[id(entry)] = name
        self._freeze(graph, self._all_frozen)

    def _freeze(self, graph: Graph, frozen: bool) -> None:
        """Notes the layers that are frozen with a model around them."""
        for entry in graph.entries.values():
            own = self._is_old and any(
                config.get("trainable", True) is False for config in _configurations(entry.given.config, entry.steps)
            )
            if entry.model is not None:
                self._freeze(entry.model, frozen or own)
            elif frozen:
                self._frozen.add(id(entry))

    def inputs(self, graph: Graph, shapes: Mapping[str, tuple[Any, ...]]) -> list[Any]:
        """The inputs of a model, by the shapes of some of them without the batch."""
        made = []
        for each in graph.inputs:
            entry = graph.entries[each.layer]
            name = plain_name(entry.given.name)
            shape = shapes.get(each.layer)
            with self._refusals.part(entry.given.name, "InputLayer"):
                declared = graph.input_shapes.get(each.layer)
                sides = _sides(declared, shape, entry.given.name)
                self._has_unknown |= None in sides
                size = declared[0] if isinstance(declared, (list, tuple)) and declared else None
                dtype = entry.given.config.get("dtype")
                made.append(
                    layers.Input(
                        sides,
                        batch_size=size if isinstance(size, int) and not isinstance(size, bool) else None,
                        dtype=dtype if isinstance(dtype, str) else None,
                        name=name,
                    )
                )
                continue
            made.append(UNKNOWN)
        return made

    def outputs(self, graph: Graph, inputs: list[Any]) -> list[Any]:
        """The tensors that a model makes of its inputs."""
        made: dict[tuple[str, int], list[Any]] = {}
        for each, tensor in zip(graph.inputs, inputs, strict=True):
            made[each.layer, each.call] = [_as_tensor(tensor)]
        for name, number in graph.order:
            entry = graph.entries[name]
            if (name, number) in made:
                continue
            made[name, number] = self._called(entry, number, made)
        return [self._tensor(each, made) for each in graph.outputs]

    def with_unread(self, outputs: list[Any]) -> list[Any]:
        """The outputs of the whole model, the first with the tensors beside it that nothing reads."""
        # Of the tensors that one layer makes, one is enough.
        made = {tensor.made_with or tensor: tensor for tensor in self._tensors}
        read = {tensor.made_with or tensor for tensor in (*self._read, *outputs) if isinstance(tensor, Tensor)}
        beside = [tensor for leading, tensor in made.items() if leading not in read]
        return [Beside()([outputs[0], *beside]), *outputs[1:]] if beside else outputs

    def _tensor(self, each: Reference, made: Mapping[tuple[str, int], list[Any]]) -> Any:
        """A tensor that was made."""
        found = made.get((each.layer, each.call))
        if found is None:
            raise SpaceError(f"call {each.call} of layer {show(each.layer)} is read, which there is not")
        if found == [UNKNOWN]:
            return UNKNOWN
        if not 0 <= each.place < len(found):
            raise SpaceError(f"layer {show(each.layer)} makes {len(found)} tensors, but number {each.place} is read")
        tensor = found[each.place]
        if each.rank is not None and isinstance(tensor, Tensor):
            self._ranks[tensor] = each.rank
        return tensor

    def _filled(self, given: Any, made: Mapping[tuple[str, int], list[Any]]) -> Any:
        """An argument of a call, with tensors in place of references."""
        if isinstance(given, Reference):
            return _as_tensor(self._tensor(given, made))
        if type(given) is list:
            return [self._filled(each, made) for each in given]
        if type(given) is dict:
            return {name: self._filled(each, made) for name, each in given.items()}
        return given

    def _called(self, entry: Entry, number: int, made: Mapping[tuple[str, int], list[Any]]) -> list[Any]:
        """The tensors of a call."""
        call = entry.calls[number]
        args = [self._filled(each, made) for each in call.args]
        kwargs = {name: self._filled(each, made) for name, each in call.kwargs.items() if each is not None}
        if entry.model is not None:
            return self._within(entry, args, kwargs)
        tensors = self._of(entry, number, args, kwargs)
        self._read.update(each for each in _flat([*args, *kwargs.values()]) if isinstance(each, Tensor))
        self._tensors.update(dict.fromkeys(each for each in tensors if isinstance(each, Tensor)))
        return tensors

    def _of(self, entry: Entry, number: int, args: list[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """The tensors of a call of a layer or an operation."""
        given = entry.given
        untranslated = any(each is UNKNOWN for each in _flat([*args, *kwargs.values()]))
        with self._refusals.part(given.name, given.kind):
            operation = _operation(given)
            if operation is not None:
                if self._steps and operation not in AT_EACH_STEP:
                    raise SpaceError(
                        "it is in a model within a TimeDistributed, where archbudget knows no such operation"
                    )
                if untranslated:
                    Operation(operation, None, {}, {}, []).maker()
                    return [UNKNOWN]
                name = self.names.get(id(entry)) or None
                if number and name is not None:
                    name = f"{name}_{number}"
                earlier = self._operations.setdefault((identity(given, entry.live) or id(entry), number), [])
                applied = Operation(operation, name, given.config, self._ranks, earlier, has_unknown=self._has_unknown)
                return flat(applied.apply(args, kwargs))
            layer = self._layer(entry)
            if layer is None or untranslated:
                return [UNKNOWN]
            return flat(_apply(layer, args, dict(kwargs)))
        return [UNKNOWN]

    def _layer(self, entry: Entry) -> Layer | None:
        """The layer of an entry, which all of its calls share; `None` where it was refused."""
        if id(entry) not in self._made:
            self._made[id(entry)] = None
            name = self.names.get(id(entry)) or None
            frozen = id(entry) in self._frozen
            if self._steps:
                inner = self._layers.of(entry.given, plain_name(entry.given.name), entry.live, frozen=frozen)
                self._made[id(entry)] = _at_each_step(inner, self._steps, name)
            else:
                self._made[id(entry)] = self._layers.of(entry.given, name, entry.live, frozen=frozen)
        return self._made[id(entry)]

    def _within(self, entry: Entry, args: list[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """The tensors of a model within the model, which are those of its layers."""
        graph = entry.model
        assert graph is not None
        given = [*args, *(value for name, value in kwargs.items() if name not in ("training", "mask"))]
        tensors = [_as_tensor(each) for each in _flat(given)]
        if len(tensors) != len(graph.inputs) or not all(
            isinstance(each, Tensor) or each is UNKNOWN for each in tensors
        ):
            self._refusals.add(
                entry.given.name,
                entry.given.kind,
                f"it is called on {len(tensors)} values, and has {len(graph.inputs)} inputs",
            )
            return [UNKNOWN]
        self._steps += entry.steps
        made = self.outputs(graph, tensors)
        self._steps -= entry.steps
        return made


def _layers_of(graph: Graph, around: tuple[str, ...]) -> Iterator[tuple[Entry, tuple[str, ...]]]:
    """The layers of a model and of those within it, each with the names of the models around it; no inner inputs."""
    for name, entry in graph.entries.items():
        if entry.model is not None:
            yield from _layers_of(entry.model, (*around, plain_name(entry.given.name) or name))
        elif entry.given.kind != "InputLayer" or not around:
            yield entry, around


def _within_steps(graph: Graph, *, inside: bool) -> Iterator[int]:
    """The identities of the entries of a model that have a `TimeDistributed` around them, or are in one that has."""
    for entry in graph.entries.values():
        if inside:
            yield id(entry)
        if entry.model is not None:
            yield from _within_steps(entry.model, inside=inside or entry.steps > 0)


def _configurations(config: Any, steps: int) -> Iterator[Mapping[str, Any]]:
    """The configurations of several `TimeDistributed`, and of the model in them."""
    yield config
    for _ in range(steps):
        config = config["layer"]["config"]
        if isinstance(config, Mapping):
            yield config


def _at_each_step(layer: Layer, steps: int, name: str | None) -> Layer:
    """A layer of a model within `TimeDistributed`: such a model is each of its layers at each step.

    Raises:
        SpaceError: If it reads several tensors, and is not the same with more axes in front.
    """
    if layer.kind in WITH_MORE_AXES:
        return replace(layer, name=name)
    if isinstance(layer, layers.Concatenate):
        axis: Any = layer.axis
        return replace(layer, name=name, axis=axis + steps if axis > 0 else axis)
    if layer.MERGES or layer.kind.endswith("Attention"):
        raise SpaceError("it reads several tensors in a model within a TimeDistributed; archbudget reads one there")
    for left in reversed(range(steps)):
        layer = layers.TimeDistributed(layer, name=None if left else name)
    return layer


def _operation(given: Configured) -> str | None:
    """The class in Keras 3 of an operation; `None` for a layer."""
    if given.kind in ("TFOpLambda", "SlicingOpLambda") and given.is_builtin:
        function = given.config.get("function")
        known = TENSORFLOW.get(function) if isinstance(function, str) else None
        if known is None:
            raise SpaceError(f"it calls {show(function)} of TensorFlow, which archbudget does not know")
        return known
    return given.kind if given.module is not None and given.module.startswith("keras.src.ops.") else None


def _flat(given: Any) -> Iterator[Any]:
    """The values in lists and dicts."""
    if type(given) in (list, tuple):
        for each in given:
            yield from _flat(each)
    elif type(given) is dict:
        for name in sorted(given):
            yield from _flat(given[name])
    else:
        yield given


def _as_tensor(given: Any) -> Any:
    """The tensor that an input stands for."""
    return as_tensor(given) if isinstance(given, Layer) else given


def _apply(layer: Layer, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """The tensors that a layer makes of the arguments of its call in Keras."""
    names = POSITIONS.get(layer.kind, ("inputs", "training"))
    if len(args) > len(names):
        raise SpaceError(f"its call has {len(args)} arguments; {', '.join(names)} are read")
    named = dict(zip(names, args, strict=False))
    for name, value in kwargs.items():
        named[names[0] if name in FIRST and name not in names else name] = value
    named = {name: value for name, value in named.items() if value is not None and not isinstance(value, Unknown)}
    if names[0] not in named:
        raise SpaceError("its call has no inputs")
    inputs = named.pop(names[0])
    if isinstance(inputs, dict):
        inputs = [inputs[name] for name in sorted(inputs)]
    if isinstance(layer, WithStates):
        return _recur(layer, inputs, named)
    for name, value in named.items():
        if name in ("value", "key") and not isinstance(value, Tensor):
            raise SpaceError(f"its call has {name}={show(value)}, which is no tensor")
    several = inputs if isinstance(inputs, list) else [inputs]
    if not all(isinstance(each, Tensor) for each in several):
        raise SpaceError(f"it is called on {show(inputs)}, and not on tensors of the model alone")
    if isinstance(inputs, list) and len(inputs) == 1 and not layer.MERGES:
        inputs = inputs[0]
    if not isinstance(inputs, list) and layer.MERGES:
        inputs = [inputs]
    if isinstance(inputs, list) and not layer.MERGES and layer.kind not in ("Attention", "AdditiveAttention"):
        raise SpaceError(f"it is called on {len(inputs)} tensors, and takes one")
    return layer(inputs, **_options(layer, named))


def _options(layer: Layer, named: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a call: masks change no count, so one that archbudget does not take is left out."""
    kept = {}
    for name, value in named.items():
        is_mask = name == "mask" or name.endswith("_mask")
        if is_mask and name != "use_causal_mask":
            several = value if isinstance(value, list) else [value]
            tensors = all(each is None or isinstance(each, Tensor) for each in several)
            takes = name in layer.MASKS or (name == "mask" and layer.kind in ("Attention", "AdditiveAttention"))
            if takes and tensors:
                kept[name] = value
        elif name != "training" or (isinstance(value, bool) and not isinstance(layer, CustomLayer)):
            kept[name] = value
    return kept


def _recur(layer: WithStates, inputs: Any, named: dict[str, Any]) -> Any:
    """The tensors that a recurrent layer makes of a sequence and of states, which may stand behind it."""
    if isinstance(inputs, list) and inputs:
        inputs, *states = inputs
        if states:
            named.setdefault("initial_state", states)
    begun = named.pop("initial_state", None)
    options = _options(layer, named)
    if options.get("training") is False:
        del options["training"]  # Keras writes it everywhere.
    return layer(inputs, initial_state=begun, **options)


def _sides(declared: Any, given: tuple[Any, ...] | None, name: str) -> tuple[int | None, ...]:
    """The sides of an input without the batch; `None` for one that is not known.

    Raises:
        SpaceError: If there are none, or one is given otherwise than the model has it.
    """
    if declared is None:
        if given is None:
            raise SpaceError("the model does not say what shape its input has: give input_shape=")
        return given
    if not isinstance(declared, (list, tuple)) or not declared:
        raise SpaceError(f"its shape must be a list of sides behind the batch, not {show(declared)}")
    sides = tuple(declared[1:])
    if given is not None:
        fits = len(given) == len(sides) and all(
            own is None or other is None or own == other for own, other in zip(sides, given, strict=True)
        )
        if not fits:
            raise SpaceError(f"input_shape={show(given)} does not fit the model, which has {show(sides)} there")
        sides = tuple(own if other is None else other for own, other in zip(sides, given, strict=True))
    what = f"a side of the input {show(name)}"
    return tuple(None if side is None else require_side(side, what) for side in sides)


def shapes_by_input(graph: Graph, given: Any) -> dict[str, tuple[Any, ...]]:
    """The shapes that a caller gives for the inputs of a model, by the names of the inputs.

    Raises:
        SpaceError: If there are not as many as inputs, or they are none.
    """
    names = [each.layer for each in graph.inputs]
    if given is None:
        return {}
    if isinstance(given, Mapping):
        known = {graph.entries[name].given.name: name for name in names}
        unknown = [name for name in given if name not in known]
        if unknown:
            raise SpaceError(f"input_shape names {show(unknown[0])}; the inputs are {listed(map(repr, known))}")
        return {known[name]: _shape(shape) for name, shape in given.items()}
    if not isinstance(given, (list, tuple)):
        raise SpaceError(f"input_shape must be a tuple of sides without the batch, not {show(given)}")
    several = list(given) if given and all(isinstance(each, (list, tuple)) for each in given) else [given]
    if len(several) != len(names):
        raise SpaceError(f"input_shape has {len(several)} shapes; the model has {len(names)} inputs")
    return {name: _shape(shape) for name, shape in zip(names, several, strict=True)}


def _shape(given: Any) -> tuple[Any, ...]:
    if not isinstance(given, (list, tuple)):
        raise SpaceError(f"input_shape must be a tuple of sides without the batch, not {show(given)}")
    return tuple(None if side is None else require_side(side, "a side of input_shape") for side in given)
