"""A graph of ONNX as a space: one operator after the other, with the shapes that `onnx` infers for it."""

from __future__ import annotations

from contextlib import suppress
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from archbudget._guard import reworded
from archbudget._message import listed, one_line, show
from archbudget.errors import ArchbudgetError, SpaceError
from archbudget.importers._recorded import Recording, Step, Weight, for_one_input
from archbudget.importers._refusals import LARGEST_SIDE, Refusals, require_layers, require_shape, require_side
from archbudget.importers.onnx._operations import (
    ELEMENTWISE,
    FOLDED,
    IN_PLACE,
    LAYERS,
    PASSING,
    PRODUCTS,
    SETTINGS,
    WEIGHT_PLACES,
    WITHOUT_PRODUCTS,
    Call,
    fault_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archbudget.space.space import Space

Shape = tuple[int, ...]

OLDEST = 11
"""The oldest version of the operators that is read."""
SMALL = 4096
"""Constants of at most this many values are looked at: shapes are computed of them."""
QUANTISED = {"QLinearAdd", "QLinearMul", "QLinearSigmoid", "QLinearLeakyRelu", "QLinearGlobalAveragePool"}
"""Operators of com.microsoft whose shapes are those of the operators of ONNX."""
DOMAINS = ("", "ai.onnx")


def _bits() -> dict[int, int]:
    """The bits of a number of each type of tensors, where it is known."""
    kinds = onnx.TensorProto
    named = {
        4: ["INT4", "UINT4", "FLOAT4E2M1"],
        2: ["INT2", "UINT2"],
        8: ["INT8", "UINT8", "FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "FLOAT8E8M0"],
        16: ["FLOAT16", "BFLOAT16", "INT16", "UINT16"],
        32: ["FLOAT", "INT32", "UINT32"],
        64: ["DOUBLE", "INT64", "UINT64"],
    }
    return {getattr(kinds, name): bits for bits, names in named.items() for name in names if hasattr(kinds, name)}


BITS = _bits()
FLOATS = frozenset(
    getattr(onnx.TensorProto, name)
    for name in ("FLOAT", "FLOAT16", "BFLOAT16", "DOUBLE")
    if hasattr(onnx.TensorProto, name)
)


class Constant(NamedTuple):
    """A tensor that does not depend on the inputs."""

    shape: Shape
    kind: int
    value: onnx.TensorProto | None
    """Its values, where they are few and in the file."""
    weights: tuple[Weight, ...]
    """The weights that it is made of, or may be."""
    is_weight: bool
    """Whether it is one wherever it is read: a floating-point initialiser with an axis."""


OpenSide = str | tuple[str, int]
"""What a side is called that is open: its name in the graph, or its input and its axis."""


class Recorded(NamedTuple):
    """A graph that was written down."""

    recording: Recording
    outputs: list[str]
    unused: list[Weight]
    name: str | None


TRIALS = ((960, 1_001, True), (64, 77, True), (960, 1_001, False), (64, 77, False))
"""What stands for open sides, until a graph takes it: a number that steps divide, or one below the lengths of usual
tables; one that they do not divide; and whether sides of different names get different numbers, in no common ratio."""


def translated(model: onnx.ModelProto, source: str, shapes: dict[str, Shape], *, strict: bool = True) -> Space:
    """The space of a graph.

    A graph with open sides is written down twice, with other numbers in their place: what differs is unknown. It is
    tried with a third number that steps do not divide, which not every graph takes: a rest may be 0 with both others.

    Args:
        model: The model; it is not changed.
        source: What it is called in messages.
        shapes: The shapes of inputs without the batch, by their names, in place of those in the model.
        strict: Whether operators are refused whose multiply-accumulates are not known.

    Raises:
        TranslationError: If operators of it are not known.
        SpaceError: If the graph is not well formed, or cannot be followed without the number of an open side.
    """
    found = open_sides(model, shapes)
    if not found:
        recorded = Translator(model, source, shapes, strict=strict).recorded()
        return recorded.recording.space(recorded.outputs, recorded.unused, recorded.name)
    failed: ArchbudgetError | None = None
    for number, odd, apart in TRIALS:
        try:
            tried = [
                Translator(model, source, shapes, strict=strict, stands=stands).recorded()
                for stands in (
                    {side: number * (1 + at * apart) for at, side in enumerate(found)},
                    {side: number * (3 + 2 * at * apart) for at, side in enumerate(found)},
                )
            ]
            with suppress(ArchbudgetError):
                stands = {side: odd + 2 * at * apart for at, side in enumerate(found)}
                tried.append(Translator(model, source, shapes, strict=strict, stands=stands).recorded())
            first, *others = tried
            both = first.recording
            for other in others:
                if first.outputs != other.outputs:
                    raise SpaceError(f"{source}: what its outputs are depends on a side that is unknown")
                both = both.merged(other.recording)
            return both.space(first.outputs, first.unused, first.name)
        except ArchbudgetError as error:
            failed = failed or error
    assert failed is not None
    name = next(each.name for each in model.graph.input if _open(each, shapes))
    raise reworded(failed, f'{failed}. It has open sides: give input_shapes={{"{name}": (...)}}, without the batch')


def open_sides(model: onnx.ModelProto, shapes: Mapping[str, Shape]) -> list[OpenSide]:
    """The sides of inputs that the graph leaves open, the batch not counted, and that are not given."""
    own = {tensor.name for tensor in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in own]
    return list(dict.fromkeys(side for each in inputs for side in _open(each, shapes)))


def _open(given: onnx.ValueInfoProto, shapes: Mapping[str, Shape]) -> list[OpenSide]:
    sides = [] if given.name in shapes else _sides(given)[1:]
    return [side or (given.name, axis) for axis, side in enumerate(sides, 1) if not isinstance(side, int)]


def _sides(given: onnx.ValueInfoProto) -> list[int | str | None]:
    """The sides of an input: numbers, names, or neither."""
    dims = given.type.tensor_type.shape.dim
    return [side.dim_value if side.HasField("dim_value") else (side.dim_param or None) for side in dims]


def _made_in(graph: onnx.GraphProto) -> list[str]:
    """The names of the tensors that a graph makes."""
    return [each.name for each in graph.initializer] + [name for each in graph.node for name in each.output if name]


def _renamed(node: onnx.NodeProto, names: Mapping[str, str]) -> onnx.NodeProto:
    """A copy of an operator that reads and makes tensors under other names, also in graphs within it."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = [names.get(name, name) for name in node.input]
    copy.output[:] = [names.get(name, name) for name in node.output]
    for attribute in copy.attribute:
        for graph in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
            own = set(_made_in(graph))
            others = {name: new for name, new in names.items() if name not in own}
            inside = [_renamed(each, others) for each in graph.node]
            del graph.node[:]
            graph.node.extend(inside)
            for output in graph.output:
                output.name = others.get(output.name, output.name)
    return copy


class Translator:
    """Writes a graph down as a recording.

    Args:
        model: The model; it is not changed.
        source: What it is called in messages.
        shapes: The shapes of inputs without the batch, by their names, in place of those in the model.
        strict: Whether operators are refused whose multiply-accumulates are not known.
        stands: The number in the place of each side that is open, by what `open_sides` calls it.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        source: str,
        shapes: dict[str, Shape],
        *,
        strict: bool = True,
        stands: Mapping[OpenSide, int] | None = None,
    ) -> None:
        self._strict = strict
        self._stands = {} if stands is None else stands
        self._source = source
        self._graph = model.graph
        self._model = model
        self._versions = {each.domain: each.version for each in model.opset_import}
        self._recording = Recording(source)
        self._refusals = Refusals(source)
        self._constants: dict[str, Constant] = {}
        self._types: dict[str, onnx.TypeProto] = {}
        self._given = shapes
        self._given_values: set[str] = set()
        """The constants that stand in the file, and do not depend on a side."""
        self._nodes: list[onnx.NodeProto] = []
        """The operators that were looked at, those of graphs within the graph too."""

    def recorded(self) -> Recorded:
        """The network as it is written down.

        Raises:
            TranslationError: If operators of it are not known.
            SpaceError: If the graph is not well formed.
        """
        version = max((self._versions.get(domain, 0) for domain in DOMAINS), default=0)
        if version < OLDEST:
            raise SpaceError(
                f"{self._source}: operators of version {OLDEST} or newer are read, not {version or 'none'}"
            )
        require_layers(len(self._graph.node), self._source)
        if self._graph.sparse_initializer:
            self._refusals.add("initializer", "sparse", "sparse weights are not read")
        for tensor in self._graph.initializer:
            self._constant(tensor.name, tensor, True)
        self._inputs()
        for node in self._graph.node:
            self._node(node)
        self._refusals.check("Only its known operators can be counted")
        outputs = [each.name for each in self._graph.output if each.name in self._recording]
        if not outputs:
            raise SpaceError(f"{self._source}: no output of it depends on an input")
        unused = [weight for each in self._constants.values() if each.is_weight for weight in each.weights]
        settings = self._settings()
        left = [weight for weight in unused if weight.key not in settings]
        return Recorded(self._recording, outputs, left, self._graph.name if _is_name(self._graph.name) else None)

    def _settings(self) -> set[Any]:
        """Scales and zero points, which are no weights."""
        return {
            node.input[place]
            for node in self._nodes
            for place in SETTINGS.get(node.op_type, ())
            if place < len(node.input)
        }

    def _constant(self, name: str, tensor: onnx.TensorProto, initial: bool) -> None:
        """A tensor of the file."""
        self._given_values.add(name)
        try:
            shape = require_shape(tuple(tensor.dims), f"the shape of {name!r}") if all(tensor.dims) else (0,)
        except ArchbudgetError as error:
            self._refusals.add(name, "initializer", str(error))
            self._types[name] = onnx.TypeProto()
            return
        size = prod(shape)
        outside = tensor.data_location == onnx.TensorProto.EXTERNAL or len(tensor.external_data) > 0
        value = tensor if 0 <= size <= SMALL and not outside else None
        bits = BITS.get(tensor.data_type)
        weights: tuple[Weight, ...] = ()
        if size and bits is not None:
            weights = (Weight(name, name, size, True, None if bits == 32 else bits),)
        self._constants[name] = Constant(
            shape, tensor.data_type, value, weights, initial and tensor.data_type in FLOATS and len(tensor.dims) > 0
        )
        self._types[name] = helper.make_tensor_type_proto(tensor.data_type, list(tensor.dims))

    def _inputs(self) -> None:
        """The inputs of the graph, with a batch of one."""
        inputs = [each for each in self._graph.input if each.name not in self._constants]
        unknown = [name for name in self._given if name not in {each.name for each in inputs}]
        if unknown:
            names = listed(each.name for each in inputs)
            raise SpaceError(f"{self._source}: there is no input {show(unknown[0])}; there are {names or 'none'}")
        for each in inputs:
            kind = each.type.tensor_type
            if not each.type.HasField("tensor_type"):
                self._refusals.add(each.name, "input", "it is no tensor")
                continue
            shape = self._shape_of_input(each.name, _sides(each), kind.HasField("shape"))
            self._types[each.name] = helper.make_tensor_type_proto(kind.elem_type, list(shape))
            self._recording.input(each.name, each.name, for_one_input(shape))

    def _shape_of_input(self, name: str, sides: list[int | str | None], has_shape: bool) -> Shape:
        if name in self._given:
            return (1, *self._given[name])
        hint = f'give input_shapes={{"{name}": (...)}}, without the batch'
        if not has_shape or not sides:
            raise SpaceError(f"{self._source}: input {name!r} has no shape; {hint}")
        batch, *others = sides
        if isinstance(batch, int) and batch != 1:
            raise SpaceError(
                f"{self._source}: input {name!r} has the shape {tuple(sides)}, a batch of {batch}; networks are read "
                "with an open batch, or one of 1"
            )
        known = [
            side if isinstance(side, int) else self._stands[side or (name, axis)] for axis, side in enumerate(others, 1)
        ]
        return require_shape((1, *known), f"the shape of input {name!r}")

    def _node(self, node: onnx.NodeProto) -> None:
        """One operator."""
        self._nodes.append(node)
        kind = node.op_type
        title = node.name or (node.output[0] if node.output else kind)
        for name in node.input:
            if name and name not in self._constants and name not in self._types:
                raise SpaceError(
                    f"{self._source}: {kind} {show(title)} reads {show(name)}, which nothing before it makes: the "
                    "graph is cyclic, or not in order"
                )
        for name in node.output:
            if name and (name in self._types or name in self._constants):
                raise SpaceError(f"{self._source}: {show(name)} is made twice")
        try:
            self._translate(node, kind, title)
        except ArchbudgetError as error:
            self._refuse(node, title, str(error))
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:  # Attributes of other types, or none.
            self._refuse(node, title, f"it is not well formed: {type(error).__name__}: {one_line(error)}")
        for name in node.output:  # What could not be translated is known by its name, so that others are looked at.
            if name and name not in self._types:
                self._types[name] = onnx.TypeProto()

    def _refuse(self, node: onnx.NodeProto, title: str, why: str) -> None:
        kind = f"{node.domain}.{node.op_type}" if node.domain not in DOMAINS else node.op_type
        self._refusals.add(title, kind, why)

    def _translate(self, node: onnx.NodeProto, kind: str, title: str) -> None:
        if any(not self._types[name].HasField("tensor_type") for name in node.input if name):
            return  # It reads what was refused before.
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        attributes = {key: each.decode() if isinstance(each, bytes) else each for key, each in attributes.items()}
        if kind == "Constant" and "value" in attributes:
            self._constant(node.output[0], attributes["value"], False)
            return
        if kind == "If" and node.domain in DOMAINS:
            self._branch(node, title, attributes)
            return
        quantised = node.domain == "com.microsoft" and kind in QUANTISED
        if node.domain not in DOMAINS and not quantised:
            raise SpaceError(f"operators of {node.domain} are not known")
        if any(isinstance(each, onnx.GraphProto) for each in attributes.values()):
            raise SpaceError("graphs within the graph are not followed, but for an If whose condition is known")
        shapes = self._infer_quantised(node, kind) if quantised else self._infer(node)
        data = [name for name in node.input if name in self._recording]
        if not data or kind in ("Shape", "Size"):
            self._fold(node, kind, shapes)
            return
        made = [name for name in node.output if name]
        if not made or any(shapes.get(name) is None for name in made):
            raise SpaceError("the shape of its output is not known")
        if kind in PASSING and len(data) == 1 and node.input[0] == data[0]:
            self._recording.alias(made[0], data[0])
            for other in made[1:]:
                self._types.pop(other, None)
            return
        call = Call(
            [self._shape(name) if name else None for name in node.input],
            [name in data for name in node.input if name],
            shapes[made[0]],  # type: ignore[arg-type]
            attributes,
            [self._value(name) for name in node.input],
        )
        fault = fault_of(kind, call)
        if fault is not None:
            raise SpaceError(fault)
        macs = self._macs(kind, call)
        if macs is None and self._strict:
            raise SpaceError("its multiply-accumulates are not known")
        self._record(node, kind, title, call, data, macs)
        for other in made[1:]:
            step = Step(f"{_plain(title)}.output", kind, list(data), other, for_one_input(shapes[other] or ()))
            self._recording.add(step)

    def _branch(self, node: onnx.NodeProto, title: str, attributes: Mapping[str, Any]) -> None:
        """An `If` whose condition is known: the operators of the branch that is taken, in its place."""
        condition = self._value(node.input[0])
        open_ended = self._stands and node.input[0] not in self._given_values
        if condition is None or condition.size != 1 or open_ended:
            raise SpaceError("its condition is known only when the network runs, which may take either branch")
        graph = attributes["then_branch" if condition.item() else "else_branch"]
        whole = isinstance(graph, onnx.GraphProto) and not (graph.input or graph.sparse_initializer)
        if not whole or len(graph.output) != len(node.output):
            raise SpaceError("its branch is not well formed")
        require_layers(len(self._nodes) + len(graph.node), self._source)
        names = {name: f"{title}.{name}" for name in _made_in(graph)}
        for tensor in graph.initializer:
            self._constant(names[tensor.name], tensor, True)
        for each in graph.node:
            inside = _renamed(each, names)
            inside.name = f"{title}.{each.name or each.output[0]}"
            self._node(inside)
        for name, output in zip(node.output, graph.output, strict=True):
            inner = names.get(output.name, output.name)
            self._types[name] = self._types[inner]
            if inner in self._recording:
                self._recording.alias(name, inner)
            elif inner in self._constants:
                self._constants[name] = self._constants[inner]

    def _record(
        self, node: onnx.NodeProto, kind: str, title: str, call: Call, data: list[str], macs: int | None
    ) -> None:
        """Writes an operator down, and its bias by itself where that has other bits."""
        weights = self._weights(node, kind)
        output = for_one_input(call.output)
        shape = for_one_input(call.shape(0)) if call.has(0) else ()
        plain = kind in ("Reshape", "Flatten", "Squeeze", "Unsqueeze") and len(data) == 1 and shape == output
        if plain:
            self._recording.alias(node.output[0], data[0])
            return
        name = self._name(title, weights)
        largest = max(prod(self._shape(each)) for each in data)
        fits = largest >= prod(output)
        step = Step(
            name=name,
            operation=kind,
            reads=list(data),
            makes=node.output[0],
            shape=output,
            macs=macs or 0,
            known=macs is not None,
            weights=weights,
            in_place=fits and (kind in ELEMENTWISE or (kind in IN_PLACE and largest == prod(output))),
        )
        build = LAYERS.get(kind)
        bits = {weight.bits for weight in weights}
        place = {"Conv": 2, "ConvTranspose": 2, "Gemm": 2, "QLinearConv": 8}.get(kind)
        if len(bits) > 1 and place is not None and len(weights) == 2 and call.has(place):
            others = [None if at == place else each for at, each in enumerate(call.inputs)]
            bare = Call(others, call.is_data, call.output, call.attributes, call.values)
            step.layer = None if build is None else build(bare, kind)
            step.makes, step.weights = (node.output[0], "without bias"), weights[:1]
            self._recording.add(step)
            bias = Step(f"{name}.bias", "Add", [step.makes], node.output[0], output, 0, weights[1:], in_place=True)
            self._recording.add(bias)
            return
        if len(bits) > 1:
            raise SpaceError("its weights have different types, so that they have no bits in common")
        step.layer = None if build is None else build(call, kind)
        self._recording.add(step)

    def _weights(self, node: onnx.NodeProto, kind: str) -> list[Weight]:
        """The weights among the inputs of an operator."""
        weights: list[Weight] = []
        for place, name in enumerate(node.input):
            constant = self._constants.get(name)
            if constant is None or place in SETTINGS.get(kind, ()):
                continue
            if constant.is_weight or place in WEIGHT_PLACES.get(kind, ()):
                moving = kind == "BatchNormalization" and place > 2
                weights.extend(
                    Weight(weight.key, weight.name, weight.size, not moving, weight.bits) for weight in constant.weights
                )
        return list({weight.key: weight for weight in weights}.values())

    def _macs(self, kind: str, call: Call) -> int | None:
        """The multiply-accumulates of an operator, if they are known."""
        if kind in PRODUCTS:
            return PRODUCTS[kind](call)
        return 0 if kind in WITHOUT_PRODUCTS or kind in PASSING else None

    def _infer(self, node: onnx.NodeProto) -> dict[str, Shape | None]:
        """The shapes of what an operator makes; `None` where a side is not known."""
        version = max(self._versions.get(domain, 0) for domain in DOMAINS)
        try:
            schema = onnx.defs.get_schema(node.op_type, version, "")
            made = shape_inference.infer_node_outputs(
                schema,
                node,
                {name: self._types[name] for name in node.input if name},
                {name: value for name in node.input if name and (value := self._tensor(name)) is not None},
                opset_imports=list(self._model.opset_import),
                ir_version=self._model.ir_version,
            )
        except Exception as error:  # It says in many ways that an operator is not well formed.
            raise SpaceError(one_line(error)) from None
        shapes: dict[str, Shape | None] = {}
        for name, kind in made.items():
            self._types[name] = kind
            sides = [side.dim_value if side.HasField("dim_value") else None for side in kind.tensor_type.shape.dim]
            known = kind.tensor_type.HasField("shape") and all(side is not None for side in sides)
            shapes[name] = tuple(side for side in sides if side is not None) if known else None
            for side in shapes[name] or ():
                if side > LARGEST_SIDE:
                    require_side(side, f"a side of {show(name)}")
        return shapes

    def _infer_quantised(self, node: onnx.NodeProto, kind: str) -> dict[str, Shape | None]:
        """The shapes of quantised operators that ONNX does not have itself."""
        read = self._shape(node.input[0])
        if kind in ("QLinearAdd", "QLinearMul"):
            read = tuple(np.broadcast_shapes(read, self._shape(node.input[3])))
        elif kind == "QLinearGlobalAveragePool":
            read = (*read[:2], *(1 for _ in read[2:]))
        kind_of = self._types[node.input[0]].tensor_type.elem_type
        self._types[node.output[0]] = helper.make_tensor_type_proto(kind_of, list(read))
        return {node.output[0]: read}

    def _fold(self, node: onnx.NodeProto, kind: str, shapes: dict[str, Shape | None]) -> None:
        """What does not depend on the values of an input: a shape, a weight in another type."""
        first = node.input[0] if node.input else ""
        constant = self._constants.get(first)
        if kind in PASSING and constant is not None:
            made = shapes.get(node.output[0]) or constant.shape
            value = self._evaluated(node, made) if kind in FOLDED and constant.value is not None else None
            # A quantised weight is one wherever it is read, and keeps its bits.
            quantised = kind == "DequantizeLinear"
            self._constants[node.output[0]] = Constant(
                made, constant.kind, value, constant.weights, constant.is_weight or quantised
            )
            return
        for name in node.output:
            if not name:
                continue
            shape = shapes.get(name)
            if kind == "Constant":
                shape = shape if shape is not None else ()
            parts = [self._constants[given] for given in node.input if given in self._constants]
            weights = {weight.key: weight for each in parts if each.is_weight for weight in each.weights}
            if kind in PRODUCTS and weights:
                raise SpaceError("it multiplies weights with each other, which is not followed")
            value = self._evaluated(node, shape) if kind in FOLDED or kind == "Constant" else None
            if shape is None and value is None:
                raise SpaceError("the shape of its output is not known")
            self._constants[name] = Constant(shape or (), 0, value, tuple(weights.values()), bool(weights))
            if value is not None:
                self._types[name] = helper.make_tensor_type_proto(value.data_type, list(value.dims))

    def _evaluated(self, node: onnx.NodeProto, shape: Shape | None) -> onnx.TensorProto | None:
        """The small constant that an operator makes of small constants."""
        if shape is None or len(node.output) != 1 or not 0 <= prod(shape) <= SMALL:
            return None
        if node.op_type in ("Shape", "Size"):
            read = self._types[node.input[0]].tensor_type.shape.dim
            sides = [side.dim_value for side in read if side.HasField("dim_value")]
            if len(sides) < len(read):
                return None
            if node.op_type == "Size":
                return numpy_helper.from_array(np.asarray(prod(sides), dtype=np.int64))
            bounds = {each.name: each.i for each in node.attribute}
            part = sides[slice(bounds.get("start", 0), bounds.get("end"))]
            return numpy_helper.from_array(np.asarray(part, dtype=np.int64))
        values = [self._tensor(name) for name in node.input if name]
        if any(value is None for value in values) or _reads_files(node):
            return None
        try:
            names = [name for name in node.input if name]
            graph = helper.make_graph(
                [node],
                "constant",
                [onnx.ValueInfoProto(name=name, type=self._types[name]) for name in dict.fromkeys(names)],
                [onnx.ValueInfoProto(name=node.output[0], type=self._types[node.output[0]])],
            )
            model = helper.make_model(graph, opset_imports=list(self._model.opset_import))
            given = {name: numpy_helper.to_array(self._tensor(name)) for name in names}
            (made,) = ReferenceEvaluator(model).run(None, given)
            return numpy_helper.from_array(np.asarray(made))
        except Exception:  # Values that do not go together; then the shape is all that is known.
            return None

    def _tensor(self, name: str) -> onnx.TensorProto | None:
        constant = self._constants.get(name)
        return None if constant is None else constant.value

    def _value(self, name: str) -> Any:
        tensor = self._tensor(name)
        if tensor is None:
            return None
        try:
            return numpy_helper.to_array(tensor)
        except Exception:  # The bytes of a tensor need not be as many as its shape says.
            return None

    def _shape(self, name: str) -> Shape:
        """The shape of a tensor, the batch counted."""
        if name in self._constants:
            return self._constants[name].shape
        sides = [side.dim_value for side in self._types[name].tensor_type.shape.dim]
        return require_shape(tuple(sides), f"the shape of {name!r}")

    def _name(self, title: str, weights: list[Weight]) -> str:
        """What the layer of an operator is called: as the module whose weights it reads, or as it is called itself."""
        for weight in weights:
            owner, _, kind = weight.name.rpartition(".")
            if owner and kind in ("weight", "kernel", "bias", "gamma"):
                return owner
        return _plain(title)


def _reads_files(node: onnx.NodeProto) -> bool:
    """Whether a value among the attributes of an operator is in another file, which `onnx` would open."""
    sparse = [part for each in node.attribute for part in (each.sparse_tensor, *each.sparse_tensors)]
    tensors = [tensor for each in node.attribute for tensor in (each.t, *each.tensors)]
    tensors += [tensor for each in sparse for tensor in (each.values, each.indices)]
    return any(each.data_location == onnx.TensorProto.EXTERNAL or each.external_data for each in tensors)


def _plain(title: str) -> str:
    return title.strip("/").replace("/", ".") or "layer"


def _is_name(name: object) -> bool:
    """Whether a graph has a name that can be shown: protobuf gives bytes where a text is none."""
    return isinstance(name, str) and 0 < len(name) < 200 and name.isprintable()
