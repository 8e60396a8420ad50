"""A module as a graph of operations of ATen: from `torch.export`, and from running it once where that fails."""

from __future__ import annotations

import contextlib
import io
import logging
import operator
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import fx
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from archbudget._message import cut, one_line
from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass
class Traced:
    """A graph, and what its placeholders and attributes are."""

    nodes: list[fx.Node]
    inputs: list[fx.Node]
    """The inputs of the network, in order."""
    outputs: list[fx.Node]
    state: dict[fx.Node, str] = field(default_factory=dict)
    """The parameters and buffers among the nodes, by their paths in the module."""
    products: int = 0
    """The multiply-accumulates that there are at least, as PyTorch counted while the module ran."""


@contextlib.contextmanager
def at_inference(module: torch.nn.Module) -> Iterator[None]:
    """A module at inference, and without the fused kernels that hide its layers; afterwards it is as it was."""
    training = {part: part.training for part in module.modules()}
    fast = torch.backends.mha.get_fastpath_enabled()
    quiet = logging.root.manager.disable
    try:
        for part in training:
            part.training = False
        torch.backends.mha.set_fastpath_enabled(False)
        logging.disable(logging.CRITICAL)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(quiet)
        torch.backends.mha.set_fastpath_enabled(fast)
        for part, was in training.items():
            part.training = was


def exported(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Traced:
    """The graph of `torch.export`.

    Raises:
        Exception: Whatever it raises where it cannot export a module.
    """
    with contextlib.redirect_stderr(io.StringIO()):  # It prints the graph so far where it fails.
        program = torch.export.export(module, args, kwargs, strict=False)
    kinds = torch.export.graph_signature
    nodes = list(program.graph.nodes)
    named = {node.name: node for node in nodes}
    given, state = [], {}
    for spec in program.graph_signature.input_specs:
        node = named.get(getattr(spec.arg, "name", ""))
        if node is None:
            continue
        if spec.kind is kinds.InputKind.USER_INPUT:
            given.append(node)
        elif spec.kind in (kinds.InputKind.PARAMETER, kinds.InputKind.BUFFER):
            state[node] = str(spec.target)
    made = [
        named[spec.arg.name]
        for spec in program.graph_signature.output_specs
        if spec.kind is kinds.OutputKind.USER_OUTPUT and getattr(spec.arg, "name", None) in named
    ]
    return Traced([node for node in nodes if node.op == "call_function"], given, made, state)


Way = Callable[[torch.nn.Module, tuple[Any, ...], dict[str, Any]], Traced]
"""A way to trace a module that is called with some arguments."""
SWITCHES = ("_enter_autocast", "_exit_autocast", "_set_grad_enabled")
"""What a graph calls beside operations, without an effect on what is counted."""


def is_plain(traced: Traced) -> bool:
    """Whether a graph has operations and known sides alone, not graphs within it or sides that values decide."""
    plain = all(
        isinstance(node.target, torch._ops.OpOverload)
        or node.target is operator.getitem
        or node.op == "get_attr"
        or getattr(node.target, "__name__", "").startswith(("sym_", *SWITCHES))
        or getattr(node.target, "__module__", "") in ("_operator", "math")
        for node in traced.nodes
    )
    return plain and _leads_somewhere(traced) and not any(_is_open(node) for node in traced.nodes)


def _leads_somewhere(traced: Traced) -> bool:
    """Whether an output depends on an input: a graph may lose that where functions are transformed."""
    reached = set(traced.inputs)
    for node in traced.nodes:
        if not reached.isdisjoint(node.all_input_nodes):
            reached.add(node)
    return not reached.isdisjoint(traced.outputs)


def _is_open(node: fx.Node) -> bool:
    return any(type(side) is not int for value in _tensors(node.meta.get("val")) for side in value.shape)


def _tensors(value: Any) -> list[torch.Tensor]:
    several = value if isinstance(value, (list, tuple)) else [value]
    return [each for each in several if isinstance(each, torch.Tensor)]


class _Products(TorchDispatchMode):  # type: ignore[misc]
    """Counts multiply-accumulates where operations arrive in the end, whatever transforms them before.

    A graph of `make_fx` may lack what `torch.func` transforms; so it is held against this number.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs an operation, and counts it."""
        del types
        made = func(*args, **(kwargs or {}))
        count = flop_registry.get(func.overloadpacket)
        if count is not None:
            self.total += count(*args, **(kwargs or {}), out_val=made) // 2
        return made


def followed(
    module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], mode: str = "real", *, whole: bool = True
) -> Traced:
    """The graph of one run; with values it goes where these lead, for modules that look at them.

    Args:
        module: The module.
        args: What it is called with.
        kwargs: The same by keyword.
        mode: `"real"` with values, `"fake"` without.
        whole: Whether operations stay whole that PyTorch makes of others.

    Raises:
        SpaceError: If its output is no tensor.
    """
    from torch.fx.experimental.proxy_tensor import make_fx
    from torch.utils import _pytree as pytree

    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    leaves, spec = pytree.tree_flatten((args, kwargs))

    def run(values: dict[str, torch.Tensor], *given: torch.Tensor) -> list[torch.Tensor]:
        own, named = pytree.tree_unflatten(given, spec)
        made = torch.func.functional_call(module, values, own, named)
        return [each for each in pytree.tree_leaves(made) if isinstance(each, torch.Tensor)]

    with contextlib.nullcontext() if mode == "real" else FakeTensorMode(allow_non_fake_inputs=True) as fake:
        own = state if fake is None else {name: fake.from_tensor(value) for name, value in state.items()}
        given = [
            each if fake is None or not isinstance(each, torch.Tensor) else fake.from_tensor(each) for each in leaves
        ]
        with _Products() as counter:
            run(own, *given)
    follow = make_fx(run, tracing_mode=mode, pre_dispatch=whole, _error_on_data_dependent_ops=mode == "fake")
    graph = follow(state, *leaves).graph
    nodes = list(graph.nodes)
    places = [node for node in nodes if node.op == "placeholder"]
    output = next(node for node in nodes if node.op == "output")
    made = [each for each in pytree.tree_leaves(output.args) if isinstance(each, fx.Node)]
    if not made:
        raise SpaceError("its output is no tensor")
    return Traced(
        [node for node in nodes if node.op in ("call_function", "get_attr")],
        places[len(state) :],
        made,
        dict(zip(places, state, strict=False)),
        counter.total,
    )


def trace(
    module: torch.nn.Module, attempts: Sequence[Callable[[], tuple[tuple[Any, ...], dict[str, Any]]]], examples: bool
) -> Traced:
    """The graph of a module.

    Args:
        module: The module.
        attempts: What makes the arguments of the call; each is tried if those before it fail.
        examples: Whether these are examples with values, which a module may look at.

    Raises:
        SpaceError: If it cannot be traced; with what PyTorch says of it.
    """
    said: list[BaseException] = []
    least: Traced | None = None
    ways: list[Way] = [exported, partial(followed, mode="fake"), partial(followed, mode="fake", whole=False)]
    for way in [*ways, followed] if examples else ways:
        for attempt in attempts:
            args, kwargs = attempt()
            try:
                traced = way(module, args, kwargs)
            except Exception as error:  # A module may raise anything.
                said.append(error)
                continue
            if is_plain(traced):
                return traced
            least = least or traced
    # What is in it that is no operation is named where it is translated.
    if least is not None and not any(_is_open(node) for node in least.nodes):
        return least
    if least is not None:
        said.insert(0, SpaceError("the sides of its tensors depend on values"))
    reasons = dict.fromkeys(f"{type(error).__name__}: {cut(one_line(error), 300)}" for error in said)
    raise SpaceError(
        f"the module {type(module).__name__} cannot be followed by torch.export: {'; or '.join(reasons)}"
        f"{'' if examples else '. Where it looks at values, give tensors as examples'}"
    ) from said[0]
