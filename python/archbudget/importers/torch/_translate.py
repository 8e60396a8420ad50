"""A graph of operations of ATen as a space."""

from __future__ import annotations

import operator
import re
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import fx
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from archbudget.errors import SpaceError
from archbudget.importers._recorded import Recording, Step, Weight, for_one_input, rearranged, transposed
from archbudget.importers._refusals import Refusals
from archbudget.importers.torch._operations import (
    CREATING,
    LAYERS,
    PASSING,
    PRODUCTS,
    REARRANGING,
    WITHOUT_PRODUCTS,
    Call,
    Read,
)
from archbudget.importers.torch._trace import SWITCHES
from archbudget.layers import Embedding, Layer, ReversibleEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from archbudget.importers.torch._trace import Traced
    from archbudget.space.space import Space

Shape = tuple[int, ...]
NO_EFFECT = (*SWITCHES, "_assert", "assert_", "sym_", "item", "_local_scalar_dense", "is_nonzero")
RESHAPING = frozenset(
    [
        "_unsafe_view",
        "flatten",
        "ravel",
        "reshape",
        "reshape_as",
        "squeeze",
        "unflatten",
        "unsqueeze",
        "view",
        "view_as",
    ]
)
MULTIPLIED_BY_TABLE = frozenset(["linear"])


class Constant(NamedTuple):
    """What does not depend on the inputs: the weights that it is made of, and the products that it takes."""

    weights: dict[Any, Weight]
    products: dict[str, int]


class Translator:
    """Writes a graph down as a recording.

    Args:
        module: The module.
        traced: Its graph.
        strict: Whether operations are refused whose multiply-accumulates are not known.
    """

    def __init__(self, module: torch.nn.Module, traced: Traced, *, strict: bool = True) -> None:
        self._strict = strict
        self._unknown: set[fx.Node] = set()
        self._module = module
        self._traced = traced
        name = f"the module {type(module).__name__}"
        self._recording = Recording(name)
        self._refusals = Refusals(name)
        self._constants: dict[fx.Node, Constant] = {}
        self._taken: set[str] = set()
        self._products = 0
        self._tables: dict[Any, Any] = {}
        self._state = dict(_state_of(module))
        self._by_key = {weight.key: weight for weight in self._state.values()}
        self._sizes = {path: tuple(value.shape) for path, value in _named_state(module)}
        self._paths = dict(module.named_modules())

    def space(self) -> Space:
        """The space of the network.

        Raises:
            TranslationError: If operations of it are not known.
        """
        for node in self._traced.inputs:
            value = node.meta.get("val")
            if isinstance(value, torch.Tensor):
                self._recording.input(node.name, _plain(node.name), for_one_input(tuple(value.shape)))
        for node, path in self._traced.state.items():
            weight = self._state.get(path)
            self._constants[node] = Constant({} if weight is None else {weight.key: weight}, {})
        self._find_tables()
        for node in self._traced.nodes:
            self._node(node)
        self._refusals.check("Only its known operations can be counted")
        if self._products < self._traced.products:
            raise SpaceError(
                f"the module {type(self._module).__name__} computes with functions that PyTorch does not show, such as "
                "torch.vmap: its graph lacks multiply-accumulates"
            )
        outputs = [node for node in self._traced.outputs if node.name in self._recording]
        if not outputs:
            self._refusals.add("output", "module", "no output of it depends on an input")
            self._refusals.check()
        made = {key: macs for each in self._constants.values() for key, macs in each.products.items()}
        lost = {key: macs for key, macs in made.items() if key not in self._taken}
        for name, macs in lost.items():  # Products of weights that nothing reads are computed all the same.
            self._recording.add(Step(name, "constant", [], ("constant", name), (1,), macs))
        return self._recording.space([node.name for node in outputs], self._state.values(), type(self._module).__name__)

    def _find_tables(self) -> None:
        """Which weights are tables that are looked up in, and matrices that are multiplied with, too."""
        looked_up: set[Any] = set()
        multiplied: set[Any] = set()
        for node in self._traced.nodes:
            name = _name_of(node)
            args = [each for each in node.args if isinstance(each, fx.Node)]
            if name == "embedding" and args and args[0] in self._traced.state:
                looked_up.update(self._constants[args[0]].weights)
            if name in MULTIPLIED_BY_TABLE and len(args) > 1 and args[1] in self._traced.state:
                multiplied.update(self._constants[args[1]].weights)
        self._tied = looked_up & multiplied

    def _node(self, node: fx.Node) -> None:
        """One node of the graph."""
        name = _name_of(node)
        if node.op == "get_attr" or name.startswith(NO_EFFECT):
            self._constants[node] = Constant({}, {})
            return
        read = node.all_input_nodes
        data = [each for each in read if each.name in self._recording]
        parts = [each for each in read if each in self._constants]
        constant = Constant(
            {key: weight for each in parts for key, weight in self._constants[each].weights.items()},
            {key: macs for each in parts for key, macs in self._constants[each].products.items()},
        )
        if node.target is operator.getitem:
            self._item(node, read[0], constant)
            return
        if _is_empty(node):  # What no value reaches, such as an expert that no token goes to.
            self._constants[node] = constant
            return
        call = _call(node, self._read)
        if call is None:
            self._refusals.add(self._path(node) or node.name, str(node.target), "the sides of its output are not known")
            self._constants[node] = constant
            return
        macs = self._macs(node, name, call)
        self._products += macs
        if node in self._unknown and (self._strict or not data):
            why = "its multiply-accumulates are not known"
            self._refusals.add(self._path(node) or node.name, str(node.target), why)
        if name in CREATING:
            self._constants[node] = Constant({}, {})
            return
        if not data:
            products = {node.name: macs} if macs else {}
            self._constants[node] = Constant(constant.weights, {**constant.products, **products})
            return
        shape = for_one_input(call.output)
        if len(read) == 1 and (name in PASSING or (name in RESHAPING and shape == self._recording.shape(data[0].name))):
            self._recording.alias(node.name, data[0].name)
            return
        several = isinstance(node.meta.get("val"), (list, tuple))
        makes = _first_used(node) if several else node
        if makes is None:
            return
        if several:
            shape = for_one_input(tuple(makes.meta["val"].shape))
        before = {key: macs for key, macs in constant.products.items() if key not in self._taken}
        self._taken.update(before)
        weights = [self._by_key[each] for each in self._ordered(node, constant)]
        step = Step(
            name=self._named(node, name),
            operation=name,
            reads=[each.name for each in _data_first(node, data)],
            makes=makes.name,
            shape=shape,
            macs=macs + sum(before.values()),
            weights=weights,
            in_place=self._in_place(node, name, data, call.output),
            known=node not in self._unknown,
        )
        step.layer = None if before or not step.known else self._layer(node, name, call, data, shape, step)
        self._recording.add(step)

    def _item(self, node: fx.Node, source: fx.Node, constant: Constant) -> None:
        """One of several tensors that an operation makes."""
        if node.name in self._recording:
            return
        reads = [each.name for each in source.all_input_nodes if each.name in self._recording]
        if not reads or not node.users or not isinstance(node.meta.get("val"), torch.Tensor) or _is_empty(node):
            self._constants[node] = constant
            return
        shape = for_one_input(tuple(node.meta["val"].shape))
        name = self._named(source, _name_of(source), part=True)
        self._recording.add(Step(name, _name_of(source), reads, node.name, shape))

    def _read(self, given: fx.Node) -> Any:
        """What an argument of an operation is."""
        value = given.meta.get("val")
        if isinstance(value, torch.Tensor):
            return Read(tuple(value.shape), given.name in self._recording)
        path = self._traced.state.get(given)
        return Read(self._sizes[path], False) if path is not None else value

    def _macs(self, node: fx.Node, name: str, call: Call) -> int:
        """The multiply-accumulates of an operation; an unknown one is noted."""
        macs = _macs_of(node, name, call)
        if macs is not None:
            return macs
        macs = inside(node)
        if macs is None:
            self._unknown.add(node)
        return macs or 0

    def _layer(self, node: fx.Node, name: str, call: Call, data: list[fx.Node], shape: Shape, step: Step) -> Any:
        """What makes the layer that a step may be, if there is one."""
        if name in RESHAPING:
            return rearranged(tuple(data[0].meta["val"].shape), call.output, shape)
        if name in ("permute", "transpose", "t", "swapaxes", "movedim"):
            return transposed(tuple(data[0].meta["val"].shape), _order(name, call))
        if name == "scaled_dot_product_attention":
            query, key, value = (each.name if isinstance(each, fx.Node) else None for each in node.args[:3])
            step.reads = [query, value, key]
        if name in ("embedding", "linear") and len(step.weights) == 1 and step.weights[0].key in self._tied:
            rows, columns = call.get("weight").shape
            if name == "linear":
                step.options = {"reverse": True}

            def made(**settings: Any) -> Layer:
                return ReversibleEmbedding(rows, columns, **settings)

            return made
        build = LAYERS.get(name)
        made_of = None if build is None else build(call, name)
        if made_of is Embedding:
            return None
        return made_of

    def _ordered(self, node: fx.Node, constant: Constant) -> list[Any]:
        """The weights of an operation: first those that are its arguments, in their order."""
        direct = [
            key
            for each in _nodes_in([node.args, list(node.kwargs.values())])
            if each in self._constants
            for key in self._constants[each].weights
        ]
        return list(dict.fromkeys([*direct, *constant.weights]))

    def _path(self, node: fx.Node) -> str:
        """The path of the module that an operation belongs to."""
        stack = list((node.meta.get("nn_module_stack") or {}).values())
        return str(stack[-1][0]).removeprefix("L['self'].") if stack else ""

    def _named(self, node: fx.Node, name: str, part: bool = False) -> str:
        """What the layer of an operation is called: as its module, or by its operation in it."""
        path = self._path(node)
        module = self._paths.get(path)
        weights = [each for each in _nodes_in([node.args, list(node.kwargs.values())]) if each in self._traced.state]
        if part or module is None:
            weights = []
        own = set() if module is None else {id(each) for each in module.parameters(recurse=False)}
        for each in weights:
            read = {weight.key for weight in self._constants[each].weights.values()}
            if path and read & own:
                return path
        owners = [self._traced.state[each].rpartition(".")[0] for each in weights]
        if owners and owners[0]:
            return owners[0]
        if module is not None and path and not own and not any(True for _ in module.children()):
            return path
        return f"{path}.{name}" if path else name

    def _in_place(self, node: fx.Node, name: str, data: list[fx.Node], output: Shape) -> bool:
        """Whether an operation only works element by element, or rearranges as many values as it makes."""
        largest = max(prod(tuple(each.meta["val"].shape)) for each in data if hasattr(each.meta.get("val"), "shape"))
        fits = largest >= prod(output)
        return fits and (_is_elementwise(node) or (largest == prod(output) and name in RESHAPING | _MOVING))


_MOVING = frozenset(
    [
        *("permute", "transpose", "t", "swapaxes", "swapdims", "movedim", "moveaxis", "mT", "mH", "pixel_shuffle"),
        *("pixel_unshuffle", "channel_shuffle", "batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"),
        *("softmax", "log_softmax", "dropout"),
    ]
)
"""What works in place although it is no function of each value, as the layers that are like it do."""


def _macs_of(node: fx.Node, name: str, call: Call) -> int | None:
    """The multiply-accumulates of an operation, if a table has them."""
    if name in PRODUCTS:
        return PRODUCTS[name](call)
    without = name in REARRANGING or name in WITHOUT_PRODUCTS or name in CREATING or name in PASSING
    return 0 if without or _is_elementwise(node) or getattr(node.target, "is_view", False) else None


def inside(node: fx.Node) -> int | None:
    """The multiply-accumulates of what PyTorch makes an operation of that no table has; `None` if it makes nothing."""
    from torch.fx.experimental.proxy_tensor import make_fx
    from torch.utils import _pytree as pytree

    if not isinstance(node.target, torch._ops.OpOverload):
        return None
    leaves, spec = pytree.tree_flatten((node.args, node.kwargs))
    places = [place for place, each in enumerate(leaves) if isinstance(each, fx.Node)]
    values = [leaves[place].meta.get("val") for place in places]
    if not all(isinstance(value, torch.Tensor) for value in values):
        return None

    def run(*tensors: torch.Tensor) -> Any:
        given = list(leaves)
        for place, tensor in zip(places, tensors, strict=True):
            given[place] = tensor
        args, kwargs = pytree.tree_unflatten(given, spec)
        return node.target(*args, **kwargs)

    try:
        made = [torch.empty(tuple(value.shape), dtype=value.dtype, device="meta") for value in values]
        graph = make_fx(run)(*made).graph
    except Exception:  # An operation need not know what it makes of tensors without values.
        return None
    total = 0
    for each in graph.nodes:
        if each.op != "call_function" or each.target is operator.getitem:
            continue
        call = None if each.target is node.target else _call(each, _read_of)
        macs = None if call is None else _macs_of(each, _name_of(each), call)
        if macs is None:
            return None
        total += macs
    return total


def _read_of(node: fx.Node) -> Any:
    value = node.meta.get("val")
    return Read(tuple(value.shape), True) if isinstance(value, torch.Tensor) else value


def _call(node: fx.Node, read: Callable[[fx.Node], Any]) -> Call | None:
    """The arguments of an operation by their names, and the shape of its output."""
    value = node.meta.get("val")
    first = next(iter(value), None) if isinstance(value, (list, tuple)) else value
    if not isinstance(first, torch.Tensor):
        return Call({}, ()) if isinstance(value, (int, float, bool)) or value is None else None
    shape = _shape(first)
    schema = getattr(node.target, "_schema", None)
    if shape is None:
        return None
    arguments: dict[str, Any] = {}
    if schema is not None:
        names = [each.name for each in schema.arguments]
        given = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
        arguments = {key: _argument(each, read) for key, each in given.items()}
    return Call(arguments, shape)


def _argument(given: Any, read: Callable[[fx.Node], Any]) -> Any:
    if isinstance(given, fx.Node):
        return read(given)
    if isinstance(given, (list, tuple)):
        return [_argument(each, read) for each in given]
    return given


def _is_empty(node: fx.Node) -> bool:
    """Whether all that an operation makes has no values."""
    value = node.meta.get("val")
    made = [each for each in (value if isinstance(value, (list, tuple)) else [value]) if isinstance(each, torch.Tensor)]
    return bool(made) and all(any(type(side) is int and side == 0 for side in each.shape) for each in made)


def _named_state(module: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)


def _state_of(module: torch.nn.Module) -> Iterator[tuple[str, Weight]]:
    """The weights of a module by their paths: parameters, and buffers of numbers that are saved with it."""
    for path, weight in module.named_parameters(remove_duplicate=False):
        yield path, Weight(id(weight), path, weight.numel(), weight.requires_grad, _bits(weight))
    saved = module.state_dict(keep_vars=True)
    for path, value in module.named_buffers(remove_duplicate=False):
        if path in saved and value.is_floating_point():
            yield path, Weight(id(value), path, value.numel(), False, _bits(value))


def require_plain_state(module: torch.nn.Module) -> None:
    """Refuses weights that are in no list of parameters and would count as nothing.

    Raises:
        TranslationError: With the names of all of them.
    """
    refusals = Refusals(f"the module {type(module).__name__}")
    for name, value in module.state_dict(keep_vars=True).items():
        if isinstance(value, torch.Tensor) and value.is_quantized:
            refusals.add(name, "state", "quantised tensors are not read; export it to ONNX, which from_onnx reads")
        elif is_traceable_wrapper_subclass(value):
            refusals.add(name, type(value).__name__, "tensors made of others are not read; give it plain ones")
        elif not isinstance(value, torch.Tensor) and _holds_weights(value):
            refusals.add(name, "state", "packed weights are not read; export it to ONNX, which from_onnx reads")
    refusals.check()


def _holds_weights(value: Any) -> bool:
    """Whether a value of a state dict that is no tensor has some inside, such as packed weights."""
    if isinstance(value, (list, tuple)):
        return any(isinstance(each, torch.Tensor) or _holds_weights(each) for each in value)
    return isinstance(value, torch.ScriptObject)


def _bits(value: torch.Tensor) -> int | None:
    """The bits of one of its numbers, where they are others than the usual ones."""
    bits = 8 * value.element_size()
    return None if bits == 32 else bits


def _name_of(node: fx.Node) -> str:
    """The name of an operation of ATen without the mark of those that write over their input."""
    target = node.target
    packet = getattr(target, "overloadpacket", None)
    if packet is None:
        return getattr(target, "__name__", str(target))
    if target.namespace != "aten":
        return f"{target.namespace}.{packet.__name__}"
    name = str(packet.__name__)
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


def _is_elementwise(node: fx.Node) -> bool:
    target = node.target
    if _name_of(node) in ("dropout", "alpha_dropout", "feature_dropout", "masked_fill", "where"):
        return True
    return getattr(target, "namespace", "") == "aten" and torch.Tag.pointwise in getattr(target, "tags", ())


def _shape(value: torch.Tensor) -> Shape | None:
    """The sides of a tensor, if all of them are known and at least 1."""
    sides = tuple(value.shape)
    return sides if all(type(side) is int and side > 0 for side in sides) else None


def _plain(name: str) -> str:
    """The name of an input: that of its argument, where the graph has one."""
    return "input" if re.fullmatch(r"arg\d+_\d+|args_\d+", name) else name


def _nodes_in(given: Any) -> Iterator[fx.Node]:
    if isinstance(given, fx.Node):
        yield given
    elif isinstance(given, (list, tuple)):
        for each in given:
            yield from _nodes_in(each)


def _data_first(node: fx.Node, data: list[fx.Node]) -> list[fx.Node]:
    """The tensors that an operation reads, in the order of its arguments, each as often as it stands there."""
    wanted = set(data)
    return [each for each in _nodes_in([node.args, list(node.kwargs.values())]) if each in wanted]


def _first_used(node: fx.Node) -> fx.Node | None:
    """The first of the tensors of an operation that anything reads."""
    items = [each for each in node.users if each.target is operator.getitem]
    items = [
        each for each in items if each.users and isinstance(each.meta.get("val"), torch.Tensor) and not _is_empty(each)
    ]
    return min(items, key=lambda each: each.args[1]) if items else None


def _order(name: str, call: Call) -> list[int]:
    """Where each axis of the output comes from."""
    read = next(each for each in call.arguments.values() if isinstance(each, Read))
    rank = len(read.shape)
    if name == "permute":
        return [axis % rank for axis in call.get("dims")]
    order = list(range(rank))
    if name == "movedim":
        return order if len(call.output) != rank else _moved(call, rank)
    first, second = (
        (0, 1) if name == "t" else (call.get("dim0", call.get("axis0")), call.get("dim1", call.get("axis1")))
    )
    if rank > 1:
        first, second = first % rank, second % rank
        order[first], order[second] = order[second], order[first]
    return order


def _moved(call: Call, rank: int) -> list[int]:
    def several(given: Any) -> list[int]:
        return [axis % rank for axis in (given if isinstance(given, (list, tuple)) else [given])]

    source, target = several(call.get("source")), several(call.get("destination"))
    order = [axis for axis in range(rank) if axis not in source]
    for place, axis in sorted(zip(target, source, strict=True)):
        order.insert(place, axis)
    return order
