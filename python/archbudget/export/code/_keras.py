"""Source text that builds a network in Keras.

The exporter of real models does the work: it is handed what looks like Keras, and notes which layers are made and what
they are called on. Names of tensors are used again as soon as nothing needs the tensor, so that parts of a network that
repeat are the same text.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np

from archbudget import layers
from archbudget._message import show
from archbudget._nested import leaves
from archbudget.errors import SpaceError
from archbudget.export.code._loops import Statement, free_name, tensor_names, written
from archbudget.export.code._text import STEP, Made, Node, Raw, Row, Value, heading
from archbudget.export.keras import applied, refuse_what_keras_has_not
from archbudget.layers._base import nest
from archbudget.layers._recurrent import WithStates
from archbudget.layers._words import BY_ARGUMENT, WITH_ARGUMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from archbudget.network import Call, Network

RESERVED = ("build_model", "inputs", "keras", "layers", "model")
"""The names that the text has in any case."""


def write(network: Network) -> str:
    """The source text of a network in Keras.

    Raises:
        SpaceError: If it has layers or arguments that cannot be written, with all of them.
    """
    refuse_what_keras_has_not(network)
    noted = _Notes()
    applied(network, noted, noted.unpacked)
    writer = _Writer(network, noted)
    text = writer.text()
    problems = dict.fromkeys([*noted.problems, *writer.problems])
    if problems:
        built = "" if noted.lacks_real else "; to_keras() builds such layers"
        raise SpaceError(f"to_code cannot write {'; '.join(problems)}{built}")
    return text


def imported(maker: Any) -> tuple[str, str] | None:
    """The module of a class or function, and its name there; `None` if it cannot be imported by them."""
    module, name = getattr(maker, "__module__", None), getattr(maker, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or module == "__main__":
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return (module, name) if found is maker else None


def _imported_real(maker: Any, real: Mapping[str, Any]) -> tuple[str, str] | None:
    """The same of what makes a custom layer: the maker, or the class that it makes one of by the same arguments.

    A maker with an underscore is not for others, and a submodule may have taken its name.
    """
    found = imported(maker)
    if found is not None and not found[1].rpartition(".")[2].startswith("_"):
        return found
    made = maker(**real)
    found = imported(type(made))
    if found is None:
        return None
    try:
        alike = type(made)(**real).get_config() == made.get_config()
    except Exception:  # Whatever a class of a user raises, it is not made so.
        return None
    return found if alike else None


class _Tensor:
    """A tensor of the model."""


@dataclass(eq=False)
class _Layer:
    """A layer as it is made."""

    kind: str
    real: Mapping[str, Any]
    trainable: bool = True
    module: str = ""
    """The module that has what makes a custom layer, whose name there is `kind`."""

    def __call__(self, *args: Any, **named: Any) -> _Called:
        return _Called(self, args, named)

    @property
    def inner(self) -> list[_Layer]:
        """The layers among its arguments."""
        return [each for each in leaves(list(self.real.values())) if isinstance(each, _Layer)]

    @property
    def all(self) -> Iterator[_Layer]:
        """The layers inside of it, those inside of others first, and itself."""
        for each in self.inner:
            yield from each.all
        yield self

    @property
    def is_frozen_late(self) -> bool:
        """Whether Keras freezes it only as a whole, when all layers inside of it are made."""
        made_late = bool(self.module) or issubclass(
            getattr(layers, self.kind), (layers.GroupQueryAttention, layers.MultiHeadAttention, WithStates)
        )
        return not self.trainable and (made_late or bool(self.inner))


@dataclass(eq=False)
class _Called:
    """A call of a layer."""

    layer: _Layer
    args: Sequence[Any]
    named: Mapping[str, Any]
    nested: Any = None
    outputs: list[_Tensor] = field(default_factory=list)

    @property
    def inputs(self) -> list[_Tensor]:
        """The tensors that it reads."""
        return [each for each in leaves([*self.args, *self.named.values()]) if isinstance(each, _Tensor)]


class _Notes:
    """What looks like Keras: it has `Input`, `Model` and `layers`."""

    def __init__(self) -> None:
        self.inputs: list[tuple[_Tensor, Mapping[str, Any]]] = []
        self.calls: list[_Called] = []
        self.problems: list[str] = []
        self.lacks_real = False
        """Whether `to_keras` cannot make a layer either."""
        self.ends: tuple[list[_Tensor], list[_Tensor]] = ([], [])
        self.layers = self

    def __getattr__(self, kind: str) -> Any:
        return lambda **real: _Layer(kind, real)

    def made_by(self, maker: Any, real: Mapping[str, Any], kind: str) -> _Layer:
        """A custom layer, by the class or function that makes the real one."""
        found = None if maker is None else _imported_real(maker, real)
        if found is None:
            self.lacks_real = self.lacks_real or maker is None
            why = (
                "it does not know its real layer; give @layers.custom(keras=...)"
                if maker is None
                else "what makes its real layer cannot be imported; define it at the top of a module"
            )
            self.problems.append(f"layer '{real['name']}' ({kind}): {why}")
        module, name = found or ("nowhere", kind)
        return _Layer(name, real, module=module)

    def Input(self, **real: Any) -> _Tensor:  # noqa: N802 - as in Keras
        """A tensor that the model is given."""
        self.inputs.append((_Tensor(), real))
        return self.inputs[-1][0]

    def Model(self, inputs: Any, outputs: Any) -> None:  # noqa: N802 - as in Keras
        """The ends of the model."""
        self.ends = (list(leaves(inputs)), list(leaves(outputs)))

    def unpacked(self, made: _Called, call: Call) -> list[_Tensor]:
        """The tensors that a call makes."""
        made.outputs = [_Tensor() for _ in call.outputs]
        made.nested = call.layer.nested
        self.calls.append(made)
        return made.outputs


class _Writer:
    """Writes the statements."""

    def __init__(self, network: Network, noted: _Notes) -> None:
        self.network = network
        self.noted = noted
        self.problems: list[str] = []
        self.calls = _needed(noted.calls, noted.ends[1])
        uses = Counter(each for call in self.calls for each in [call.layer, *call.layer.inner])
        uses.update(inner for layer in list(uses) for each in layer.inner for inner in each.inner)
        self.made = [layer for call in self.calls for layer in call.layer.all]
        """All layers that are made."""
        self.modules = {layer.module for layer in self.made if layer.module}
        """The modules of custom layers."""
        self.kept = {layer for layer, count in uses.items() if count > 1 or layer.is_frozen_late}
        """The layers that have a name in the text."""
        self.automatic = _automatic_names(network)
        self.variables: dict[_Layer, str] = {}
        self.tensors: dict[_Tensor, str] = {}
        self.taken = {*RESERVED, *(each.partition(".")[0] for each in self.modules)}

    def text(self) -> str:
        """The whole text."""
        inputs = list(self._inputs())
        body = self._body()
        statements = written([*inputs, *body], STEP, self.taken | set(self.tensors.values()))
        ends = [self._node("", each if len(each) > 1 else each[0], "the model") for each in self.noted.ends]
        model = Made(Raw("keras.Model"), ends)
        late = [f"{STEP}{name}.trainable = False" for layer, name in self.variables.items() if layer.is_frozen_late]
        last = Statement("model = " if late else "return ", model)
        return "\n".join(
            [
                heading(self.network.costs),
                "",
                *sorted({"import keras", *(f"import {each}" for each in self.modules)}),
                *(["from keras import layers"] if any(not each.module for each in self.made) else []),
                "",
                "",
                "def build_model() -> keras.Model:",
                *statements,
                *last.lines(STEP),
                *([*late, f"{STEP}return model"] if late else []),
                "",
                "",
                "model = build_model()",
                "",
            ]
        )

    def _inputs(self) -> Iterator[Statement]:
        for tensor, real in self.noted.inputs:
            name = real["name"]
            if len(self.noted.inputs) == 1:
                self.tensors[tensor] = "inputs"
            else:
                own = f"inputs_{len(self.tensors) + 1}" if name in self.automatic else name
                self.tensors[tensor] = free_name(own, self.taken)
                self.taken.add(self.tensors[tensor])
            yield Statement(f"{self.tensors[tensor]} = ", self._made("keras.Input", real, "Input"))

    def _body(self) -> list[Statement]:
        statements: list[Statement] = []
        last = {tensor: number for number, call in enumerate(self.calls) for tensor in call.inputs}
        last |= dict.fromkeys(self.noted.ends[1], len(self.calls))
        given = {tensor for tensor, _ in self.noted.inputs}
        alive: set[str] = set()
        for number, call in enumerate(self.calls):
            for layer in call.layer.all:
                if layer in self.kept and layer not in self.variables:
                    node = self._layer(layer)
                    self.variables[layer] = free_name(
                        layer.real.get("name") or layer.kind.lower().replace(".", "_"), {*self.taken, "x", "y", "z"}
                    )
                    self.taken.add(self.variables[layer])
                    statements.append(Statement(f"{self.variables[layer]} = ", node))
            what = f"layer '{call.layer.real.get('name')}' ({call.layer.kind})"
            node = Made(
                self._node("", call.layer, what),
                [self._node("", each, what) for each in call.args],
                {name: self._node(name, each, what) for name, each in call.named.items()},
            )
            alive -= {self.tensors[each] for each in call.inputs if last[each] == number and each not in given}
            for tensor in call.outputs:
                self.tensors[tensor] = next(
                    each for each in tensor_names() if each not in alive and each not in self.taken
                )
                alive.add(self.tensors[tensor])
            names = nest(call.nested, iter([Raw(self.tensors[each]) for each in call.outputs]))
            statements.append(Statement(f"{target(names)} = ", node))
            alive -= {self.tensors[each] for each in call.outputs if each not in last}
        return statements

    def _layer(self, layer: _Layer) -> Node:
        if layer.module:
            return self._made(f"{layer.module}.{layer.kind}", layer.real, layer.kind, always_named=True)
        return self._made(f"layers.{layer.kind}", layer.real, layer.kind)

    def _made(self, of: str, real: Mapping[str, Any], kind: str, *, always_named: bool = False) -> Node:
        """What makes a layer, with its name at the end, if it was given one."""
        named = {name: each for name, each in real.items() if name not in ("name", "trainable")}
        if "trainable" in real:
            named["trainable"] = real["trainable"]
        if "name" in real and (always_named or real["name"] not in self.automatic):
            named["name"] = real["name"]
        what = f"layer '{real['name']}' ({kind})" if "name" in real else f"a layer inside of others ({kind})"
        return Made(Raw(of), (), {name: self._node(name, each, what) for name, each in named.items()})

    def _node(self, label: str, given: Any, what: str) -> Node:
        """An argument."""
        if isinstance(given, _Tensor):
            return Raw(self.tensors[given])
        if isinstance(given, _Layer):
            return Raw(self.variables[given]) if given in self.variables else self._layer(given)
        if any(isinstance(each, (_Tensor, _Layer)) for each in leaves(given)) and not isinstance(given, dict):
            return Row([self._node(label, each, what) for each in given], "[]")
        try:
            return _written(label, given)
        except SpaceError as error:
            self.problems.append(f"{what}: {label}={error}")
            return Raw("...")


def target(nested: Any) -> str:
    """Names that several tensors are assigned to."""
    if isinstance(nested, Raw):
        return nested.text
    inside = [
        f"({target(each)})" if isinstance(each, (list, tuple)) and len(each) > 1 else target(each) for each in nested
    ]
    return f"({inside[0]},)" if len(inside) == 1 else ", ".join(inside)


def _needed(calls: Sequence[_Called], outputs: Sequence[_Tensor]) -> list[_Called]:
    """The calls that lead to an output."""
    needed = set(outputs)
    kept = []
    for call in reversed(calls):
        if not needed.isdisjoint(call.outputs):
            needed.update(call.inputs)
            kept.append(call)
    return kept[::-1]


def _automatic_names(network: Network) -> set[str]:
    """The names that Keras may give by itself: those that no layer was given, unless one was given a name like them."""
    automatic: set[str] = set()
    given: set[str] = set()
    for call in network.calls:
        (automatic if call.layer.weights_of.name is None else given).add(call.weights)
    stems = {re.sub(r"_\d+$", "", name) for name in automatic}
    return set() if any(re.sub(r"_\d+$", "", name) in stems for name in given) else automatic


def _written(label: str, given: Any) -> Node:
    """An argument that is neither a layer nor a tensor.

    Raises:
        SpaceError: If it is none of the plain values, and nothing that Keras has under a name.
    """
    words = BY_ARGUMENT.get(label.rpartition("_")[2])
    if words is not None:
        word = given.get("class_name") if isinstance(given, dict) else given
        own = isinstance(given, dict) and (
            given.get("registered_name") is not None or not str(given.get("module") or "keras").startswith("keras")
        )
        if own or (isinstance(word, str) and word not in words and word not in WITH_ARGUMENTS):
            raise SpaceError(f"{show(given)} is a name that Keras knows in this process only")
    plain = _plain(given)
    if words is not None and isinstance(plain, dict) and str(plain.get("module")).startswith("keras."):
        config = plain.get("config")
        if isinstance(config, dict) and not any(isinstance(each, dict) for each in config.values()):
            named: dict[str, Node] = {
                name: Value(name, each) for name, each in config.items() if each is not None or name != "seed"
            }
            return Made(Raw(f"{plain['module']}.{word}"), (), named)
    if plain is not _OTHER:
        return Value(label, plain)
    if isinstance(getattr(given, "__qualname__", None), str):
        return Raw(_reference(given))
    of = _reference(type(given))
    if not hasattr(given, "get_config"):
        raise SpaceError(f"{show(given)} has no configuration")
    defaults = {name: each.default for name, each in signature(type(given)).parameters.items()}
    config = {name: _plain(value) for name, value in given.get_config().items()}
    if not config.keys() <= defaults.keys() or any(value is _OTHER for value in config.values()):
        raise SpaceError(f"{show(given)} is made of more than plain values")
    other = {name: config[name] for name in defaults if name in config and config[name] != defaults[name]}
    return Made(Raw(of), (), {name: Value(name, value) for name, value in other.items()})


_OTHER = object()


def _plain(given: Any) -> Any:
    """A value as plain numbers, words, lists, tuples and dicts; `_OTHER` if it is more."""
    if isinstance(given, (np.ndarray, np.generic)):
        return _plain(given.tolist())
    if given is None or isinstance(given, (bool, int, float, str)):
        return given if type(given) in (type(None), bool, int, float, str) else _OTHER
    if isinstance(given, (list, tuple)):
        items = [_plain(each) for each in given]
        if any(each is _OTHER for each in items):
            return _OTHER
        return tuple(items) if isinstance(given, tuple) else items
    if isinstance(given, dict) and all(type(key) in (str, int) for key in given):
        pairs = {key: _plain(each) for key, each in given.items()}
        return _OTHER if any(each is _OTHER for each in pairs.values()) else pairs
    return _OTHER


def _reference(found: Any) -> str:
    """What Keras has, by the public name under which it has it.

    Raises:
        SpaceError: If it is not of Keras.
    """
    parts = [part for part in str(getattr(found, "__module__", "")).split(".") if part != "src"]
    if parts[0] == "keras":
        for length in range(len(parts), 0, -1):
            module = sys.modules.get(".".join(parts[:length]))
            name = str(getattr(found, "__qualname__", ""))
            if getattr(module, name, None) is found:
                return f"{'.'.join(parts[:length])}.{name}"
    raise SpaceError(f"{show(found)} is a function or an object of Python")
