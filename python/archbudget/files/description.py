"""The content of a space file for a space that was described in Python."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import MISSING, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from archbudget._expressions import Decision, Expression, tied
from archbudget._guard import has
from archbudget._message import show
from archbudget._nested import leaves as values_in
from archbudget.errors import SpaceError
from archbudget.files.expression import escaped, reference, text_of
from archbudget.files.model import FLOWS_IN, PYTHON
from archbudget.files.reference import made_with, reference_to
from archbudget.files.writer import domain_of
from archbudget.layers import Block, CustomLayer, InputChoice, Layer, OneOf, Repeat, Require, Residual
from archbudget.layers._base import leaves
from archbudget.layers._structure import Part, Sequential, as_block
from archbudget.metrics import LatencyTable
from archbudget.metrics._language import LanguageRule
from archbudget.program.writer import snake_case
from archbudget.space.family import definition

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from archbudget.layers._base import Tensor
    from archbudget.metrics import Metric
    from archbudget.space.family import Family

IMPORTABLE = "define it at the top of a module that can be imported"

BYTES = 4
"""The bytes of a weight, and of a value, that a file need not state."""


def content_of(space: Family) -> dict[str, Any]:
    """The content of a space file that describes a space, in plain values.

    Raises:
        SpaceError: If the space has what a file cannot hold, with its name.
    """
    return _Description(space).content()


class _Description:
    """Writes the blocks of one space, and collects the decisions and the shared blocks that they name."""

    def __init__(self, space: Family) -> None:
        self.given = definition(space)
        self.decisions: dict[str, Decision] = {}
        """The declared decisions, by their names in the file."""
        self.shared: dict[str, Any] = {}
        """The entries of the blocks that stand at several places, by their names in the file."""
        self.keys: dict[int, str] = {}
        """Their names, by the identities of the blocks."""
        self.numbered: dict[int, list[Block]] = {}
        """For each `Repeat` of a function the block of each repetition."""
        self.named: set[str] = set()
        """The names of all decisions."""
        self.tied: set[str] = set()
        """The names of decisions that repetitions share."""
        self.uses: Counter[int] = Counter()
        """How often each block is named."""

    def content(self) -> dict[str, Any]:
        given = self.given
        tensors = [] if given["outputs"] is None else _behind(given["inputs"], given["outputs"])
        row: Sequence[Block] = given["layers"] or ()
        for block in row or [tensor.block for tensor in tensors]:
            self._count(block)
        if row:
            described: dict[str, Any] = {"layers": [self._entry(block) for block in row]}
        else:
            described = self._graph(tensors)
        constraints = [self._text(each, _in_space) for each in given["constraints"]]
        parts: dict[str, Any] = {
            "decisions": {key: self._decision(key, each) for key, each in self.decisions.items()},
            "shared": self.shared,
            **described,
            "constraints": constraints,
            "metrics": {metric.name: self._metric(metric) for metric in given["metrics"]},
            "domains": {name: list(values) for name, values in given["domains"].items()},
        }
        for name in ("bytes_per_weight", "bytes_per_activation"):
            if given[name] != BYTES:
                parts[name] = given[name]
        content = {key: part for key, part in ({"name": given["name"], **parts}).items() if part}
        return content if given["in_place"] else {**content, "in_place": False}

    def _children(self, block: Block) -> Iterator[Block]:
        """The blocks that an entry names inside of it."""
        if isinstance(block, Repeat):
            if block.parts() is None and id(block) not in self.numbered:
                made: Any = block.block
                self.numbered[id(block)] = [as_block(made(number)) for number in range(1, block.most + 1)]
            yield from self.numbered.get(id(block)) or block.parts() or ()
            yield from (each for each in block.given if isinstance(each, Layer))
            self.tied.update(each for each in block.given if isinstance(each, str))
        elif isinstance(block, Residual):
            yield from (block.body, block.shortcut, block.merge)
        else:
            yield from _blocks_in(block) if _is_made_in_python(block) else block.parts() or ()
            yield from block.inside() if isinstance(block, Layer) and block.weights_of is block else ()

    def _count(self, block: Block) -> None:
        """Counts how often blocks with layers are named; what is inside of one counts once."""
        if isinstance(block, Require) or (isinstance(block, Sequential) and not block.blocks):
            return
        self.uses[id(block)] += 1
        if self.uses[id(block)] == 1:
            self.named.update(decision.name for decision in block.all_decisions())
            for each in self._children(block):
                self._count(each)

    def _row(self, block: Block) -> list[Any]:
        """A block as a list of entries."""
        if isinstance(block, Sequential) and self.uses[id(block)] < 2:
            return [self._entry(each) for each in block.blocks]
        return [self._entry(block)]

    def _entry(self, block: Block) -> Any:
        """A block as an entry of a list; one that stands at several places by its name."""
        if self.uses[id(block)] < 2:
            return self._made(block)
        if id(block) not in self.keys:
            made = self._made(block)
            self.keys[id(block)] = key = self._shared_name(block)
            self.shared[key] = made
        return {"Shared": self.keys[id(block)]}

    def _shared_name(self, block: Block) -> str:
        stem = (block.name or snake_case(block.kind)) if isinstance(block, Layer) else snake_case(type(block).__name__)
        taken = {*self.shared, *self.decisions, *self.named, *self.tied}
        return next(name for name in _numbered(stem) if name not in taken)

    def _made(self, block: Block) -> Any:
        if isinstance(block, Layer):
            return self._layer(block) if block.weights_of is block else {"Call": self._call(block)}
        if isinstance(block, Sequential):
            return {"Sequential": [self._entry(each) for each in block.blocks]}
        if isinstance(block, Residual):
            parts = {name: self._row(getattr(block, name)) for name in ("body", "shortcut", "merge")}
            if parts["merge"] == ["Add"]:
                del parts["merge"]
            if not parts["shortcut"]:
                del parts["shortcut"]
            return {"Residual": parts if len(parts) > 1 else parts["body"]}
        if isinstance(block, OneOf):
            decision = block.decision
            named = tuple(block.blocks) == decision.values and decision.name not in self.tied
            name = escaped(decision.name) if named and not self._is_declared(decision) else self._text(decision)
            return {"OneOf": {"name": name, "blocks": {label: self._row(each) for label, each in block.blocks.items()}}}
        if isinstance(block, InputChoice):
            return {"InputChoice": self._choice(block)}
        if isinstance(block, Repeat):
            return {"Repeat": self._repeat(block)}
        if isinstance(block, Require):
            return {"Require": self._text(block.condition)}
        if isinstance(block, Part):
            return {"Part": self._part(block)}
        return self._python(block, f"the block {show(block)}")

    def _named(self, found: object, what: str) -> str:
        """An object of Python as `module:attribute`."""
        try:
            return reference_to(found)
        except SpaceError as error:
            raise SpaceError(f"a space file cannot hold {what}: {error}; {IMPORTABLE}") from None

    def _python(self, made: object, what: str) -> Any:
        """An object of a class of Python: the class as `module:attribute`, and its arguments."""
        try:
            kind, arguments = made_with(made)
        except SpaceError as error:
            raise SpaceError(f"a space file cannot hold {what}: {error}") from None
        return {kind: {name: self._value(value, f"{what}: {name}") for name, value in arguments.items()}}

    def _metric(self, metric: Metric) -> Any:
        """The entry of a custom metric."""
        if type(metric) is LatencyTable:
            entries = [{**said, "value": value} for said, value in metric.entries()]
            described: dict[str, Any] = {"entries": entries}
            if metric.combine != "sum":
                described["combine"] = metric.combine
            if metric.resolution is not None:
                is_fraction = isinstance(metric.resolution, Fraction)
                described["resolution"] = str(metric.resolution) if is_fraction else metric.resolution
            return described
        if isinstance(metric.function, LanguageRule):
            given = {each.name: getattr(metric.function, each.name) for each in fields(metric.function)}
            del given["name"]  # It is the key already.
            return {f"archbudget.metrics:{metric.function.MAKER}": self._value(given, metric.name)}
        module = getattr(metric.function, "__module__", None)
        for name, each in vars(sys.modules.get(str(module), object)).items():
            if each is metric and module != "__main__":
                return f"{module}:{name}"
        ((kind, arguments),) = self._python(metric, f"the custom metric '{metric.name}'").items()
        return {kind: {name: value for name, value in arguments.items() if name != "name"}}  # It is the key already.

    def _call(self, layer: Layer) -> dict[str, Any]:
        options = {
            name: self._value(value, f"the argument {layer.kind}: {name}")
            for name, value in layer.called_with().items()
        }
        return {"layer": self._entry(layer.weights_of), **options}

    def _choice(self, block: InputChoice) -> dict[str, Any]:
        decision = block.given
        parts: dict[str, Any] = {"name": self._text(decision) if isinstance(decision, Decision) else escaped(decision)}
        if block.inputs is not None:
            parts["inputs"] = list(block.inputs)
        if not block.alone:
            parts["n_chosen"] = [block.least, block.most]
        if block.merge is not None:
            parts["merge"] = self._row(block.merge)
        return parts

    def _repeat(self, block: Repeat) -> dict[str, Any]:
        times = self._text(block.times) if isinstance(block.times, Expression) else int(block.times)
        parts: dict[str, Any] = {"times": times}
        if id(block) in self.numbered:
            parts["blocks"] = [self._row(each) for each in self.numbered[id(block)]]
        else:
            (only,) = block.parts() or ()
            parts["block"] = self._row(only)
        shared = [self._tied(each) if isinstance(each, str) else self._entry(each)["Shared"] for each in block.given]
        if shared:
            parts["shared"] = shared
        return parts

    def _part(self, part: Part) -> dict[str, Any]:
        """The calls of a part of a graph by their names, and the tensor that flows out."""
        names: list[str] = []

        def read(tensor: tuple[int, int]) -> str:
            call, place = tensor
            if call < 0:
                return FLOWS_IN
            return f"{names[call]}[{place}]" if leaves(part.calls[call][0].nested) > 1 else names[call]

        nodes: dict[str, Any] = {}
        for block, inputs in part.calls:
            sources = [read(each) for each in inputs]
            names.append(_node_name(block, {FLOWS_IN, *nodes}))
            nodes[names[-1]] = self._node(block, sources)
        return {"graph": nodes, "output": read(part.result)}

    def _node(self, block: Block, read: Sequence[str]) -> dict[str, Any]:
        """A block of a graph, and the tensors that it reads."""
        entry = self._entry(block)
        node: dict[str, Any] = entry if isinstance(entry, dict) else {entry: None}
        several = len(read) != 1 or isinstance(block, InputChoice) or (isinstance(block, Layer) and block.MERGES)
        return {**node, "of": list(read) if several else read[0]} if read else node

    def _tied(self, name: str) -> str:
        """The name of a decision that repetitions share: in the file, if it is declared there."""
        declared = next((key for key, each in self.decisions.items() if each.name == name), None)
        return name if declared is None else reference(declared)

    def _layer(self, layer: Layer) -> Any:
        if isinstance(layer, CustomLayer):
            own = {"name": None, "trainable": True, "weight_bits": None}
            every = {**layer.given, **{name: getattr(layer, name) for name in own}}
            given = {name: value for name, value in every.items() if name not in own or value is not own[name]}
            kind = self._named(type(layer), f"the custom layer {show(layer)}")
        else:
            kind = layer.kind
            given = {
                each.name: getattr(layer, each.name)
                for each in fields(layer)
                if each.default is MISSING or not _same(getattr(layer, each.name), each.default)
            }
        if not given:
            return kind
        what = f"the argument {layer.kind}{'' if layer.name is None else f' {show(layer.name)}'}"
        held = type(layer).LAYERS
        return {
            kind: {
                name: self._held(value) if name in held else self._value(value, f"{what}: {name}")
                for name, value in given.items()
            }
        }

    def _held(self, value: Any) -> Any:
        """Layers inside of a layer."""
        if isinstance(value, (list, tuple)):
            return [self._held(each) for each in value]
        return self._entry(value) if isinstance(value, Layer) else value

    def _value(self, value: Any, what: str) -> Any:
        """An argument of a layer.

        Args:
            value: The argument.
            what: The layer and the name of the argument, for errors.
        """
        if isinstance(value, Expression):
            return self._text(value)
        if value is None or type(value) in (bool, int, float):
            return value
        if type(value) is str:
            return escaped(value)
        if isinstance(value, (list, tuple)):
            return [self._value(each, what) for each in value]
        if isinstance(value, dict) and all(type(key) is str for key in value):
            return {key: self._value(each, what) for key, each in value.items()}
        if isinstance(value, Block):
            return {"Sequential": self._row(value)}
        if has(value, "__qualname__"):
            return {PYTHON: self._named(value, f"{what}={show(value)}")}
        raise SpaceError(
            f"a space file cannot hold {what}={show(value)}, a {type(value).__name__} of Python; where "
            "Keras has a word for it, give the word"
        )

    def _text(self, expression: Expression, refer: Any = None) -> str:
        return text_of(expression, refer or self._declared)

    def _is_declared(self, decision: Decision) -> bool:
        return any(tied(each, decision) for each in self.decisions.values())

    def _declared(self, decision: Decision) -> str:
        """The name of a decision in the file; the first use declares it."""
        for key in _numbered(decision.name):
            if (key in self.tied or key in self.shared) and key != decision.name:
                continue
            if key not in self.decisions:
                self.decisions[key] = decision
            if tied(self.decisions[key], decision):
                return key
        raise AssertionError("there is always another name")

    def _decision(self, key: str, decision: Decision) -> Any:
        described = domain_of(decision)
        if key == decision.name:
            return described
        return {"name": decision.name, **(described if isinstance(described, dict) else {"values": described})}

    def _graph(self, tensors: Sequence[Tensor]) -> dict[str, Any]:
        """The nodes of a graph by their names, and its outputs."""
        names: dict[Tensor, str] = {}
        nodes: dict[str, Any] = {}
        for tensor in tensors:
            names[tensor] = _node_name(tensor.block, nodes)
            nodes[names[tensor]] = self._node(tensor.block, [self._output(names, each) for each in tensor.inputs])
        inputs, outputs = ([self._output(names, each) for each in self.given[part]] for part in ("inputs", "outputs"))
        found: dict[str, Any] = {"graph": nodes, "outputs": outputs if len(outputs) > 1 else outputs[0]}
        if inputs != [names[tensor] for tensor in tensors if not tensor.inputs]:
            found["inputs"] = inputs
        return found

    def _output(self, names: dict[Tensor, str], tensor: Tensor) -> str:
        name = names[tensor.made_with or tensor]
        return f"{name}[{tensor.place}]" if leaves(tensor.block.nested) > 1 else name


def _behind(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Tensor]:
    """The tensors of a graph in the order in which they were made, of several of one call the first."""
    found = dict.fromkeys(inputs)
    waiting = list(outputs)
    while waiting:
        tensor = waiting.pop()
        first = tensor.made_with or tensor
        if first not in found:
            found[first] = None
            waiting.extend(first.inputs)
    return sorted(found, key=lambda tensor: tensor.number)


def _node_name(block: Block, taken: Collection[str]) -> str:
    """The name of a node of a graph: that of its layer, or its kind in snake case."""
    kind = block.kind if isinstance(block, Layer) else type(block).__name__
    stem = (block.name if isinstance(block, Layer) else None) or snake_case(kind)
    return next(each for each in _numbered(stem) if each not in taken)


def _numbered(stem: str) -> Iterator[str]:
    """A name, and then the same with numbers."""
    yield stem
    number = 1
    while True:
        yield f"{stem}_{number}"
        number += 1


def _in_space(decision: Decision) -> str:
    """The name of a decision in a constraint, which has those of the space."""
    return decision.name


def _same(value: Any, default: Any) -> bool:
    plain = type(value) is type(default) and isinstance(value, (bool, int, float, str))
    return value is default or (plain and value == default)


def _is_made_in_python(block: Block) -> bool:
    """Whether a block is of a class that files know by `module:attribute` only."""
    return not isinstance(block, (Layer, Sequential, Residual, OneOf, InputChoice, Repeat, Require, Part))


def _blocks_in(block: Block) -> Iterator[Block]:
    """The blocks among the arguments of a block that is made in Python."""
    try:
        _, arguments = made_with(block)
    except SpaceError:  # Writing it says so.
        return
    yield from (each for each in values_in(arguments) if isinstance(each, Block))
