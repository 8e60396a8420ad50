"""A module as a graph of operations of ATen: from `torch.export`, and from running it once where that fails."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import fx

from archbudget._message import cut, one_line
from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


@dataclass
class Traced:
    """A graph, and what its placeholders and attributes are."""

    nodes: list[fx.Node]
    inputs: list[fx.Node]
    """The inputs of the network, in order."""
    outputs: list[fx.Node]
    state: dict[fx.Node, str] = field(default_factory=dict)
    """The parameters and buffers among the nodes, by their paths in the module."""


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


def followed(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Traced:
    """The graph of one run with values, which goes where these lead: for modules that look at their values.

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

    follow = make_fx(run, tracing_mode="real", pre_dispatch=True, _error_on_data_dependent_ops=False)
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
    for way in (exported, followed) if examples else (exported,):
        for attempt in attempts:
            args, kwargs = attempt()
            try:
                return way(module, args, kwargs)
            except Exception as error:  # A module may raise anything.
                said.append(error)
    reasons = dict.fromkeys(f"{type(error).__name__}: {cut(one_line(error), 300)}" for error in said)
    raise SpaceError(
        f"the module {type(module).__name__} cannot be followed by torch.export: {'; or '.join(reasons)}"
        f"{'' if examples else '. Where it looks at values, give tensors as examples'}"
    ) from said[0]
