"""Graphs of ONNX as spaces without decisions."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from archbudget._extras import imported
from archbudget._guard import guarded
from archbudget._message import one_line, show
from archbudget._regular import path_of, reading
from archbudget.errors import SpaceError
from archbudget.importers._refusals import require_layers, require_shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from archbudget.space.space import Space

__all__ = ["from_onnx"]

LARGEST_FILE = (1 << 31) - 1
"""The most bytes of a file: those of a message of protobuf."""


@guarded
def from_onnx(
    model: str | os.PathLike[str] | Any,
    strict: bool = True,
    *,
    input_shapes: Mapping[str, Sequence[int]] | Sequence[Any] | None = None,
) -> Space:
    """A graph of ONNX as a space without decisions.

    Weights are the floating-point initialisers that have an axis, each once however often it is read, and constants of
    any type that an operator multiplies with. Weights of another type than float32 have its bits; of what is quantised,
    scales and zero points are no weights. No values are read but those of small constants, which tell shapes; external
    data is never opened. It takes time proportional to the number of operators.

    Args:
        model: The path of a file, or an `onnx.ModelProto`, which is not changed.
        strict: Whether operators are refused whose multiply-accumulates are not known. If not, those keep their weights
            and shapes whose output ONNX describes; MACs and peak activations of the space are unknown then.
        input_shapes: The shapes of inputs without the batch, where the graph leaves sides open: by their names, in the
            order of the inputs, or of the only input. Without them such sides are unknown, and so are the MACs and
            activations that depend on them; weights are counted.

    Raises:
        TranslationError: If operators of the graph are not known, with the names and types of all of them.
        SpaceError: If the file is no graph of ONNX, or not well formed, or cannot be followed without the number of
            an open side.
        FileError: If the file cannot be read.
        MissingPackageError: If onnx is not installed.

    Example:
        >>> import archbudget as ab
        >>> ab.from_onnx("model.onnx").architecture().params  # doctest: +SKIP
        11689512
    """
    onnx = imported("onnx", "from_onnx")
    if not isinstance(strict, bool):
        raise SpaceError(f"strict must be True or False, not {show(strict)}")
    source = "the graph"
    if isinstance(model, (str, os.PathLike)):
        source = path_of(model)
        with reading(model, LARGEST_FILE) as stream:
            content = stream.read()
        model = onnx.ModelProto()
        try:
            model.ParseFromString(content)
        except Exception as error:  # Protobuf has several errors of its own.
            raise SpaceError(f"{source} is no graph of ONNX: {one_line(error)}") from None
    if not isinstance(model, onnx.ModelProto):
        raise SpaceError(f"from_onnx reads a file or an onnx.ModelProto, not {show(model)}")
    if not (model.HasField("graph") and model.graph.node and model.opset_import):
        raise SpaceError(f"{source} is no graph of ONNX: it has no operators")
    from archbudget.importers.onnx._translate import translated

    if model.functions:
        from onnx import inliner

        _require_few_operators(model, source)
        try:
            model = inliner.inline_local_functions(model)
        except Exception as error:
            raise SpaceError(f"{source}: its functions cannot be followed: {one_line(error)}") from None
    _require_texts(model, source)
    return translated(model, source, _shapes(model, source, input_shapes), strict=strict)


def _require_few_operators(model: Any, source: str) -> None:
    """Counts the operators that there are when functions of a file have been put where they are called.

    Raises:
        SpaceError: If a function calls itself, or there are more than a space may have.
    """
    functions = {_function_of(each): each for each in model.functions}
    calls = {name: [each for each in _calls(own.node) if each in functions] for name, own in functions.items()}
    sizes: dict[Any, int] = {}
    waiting, entered = list(functions), set()
    while waiting:
        name = waiting[-1]
        missing = [each for each in calls[name] if each not in sizes]
        if name in sizes or not missing:
            own = len(list(_calls(functions[name].node)))
            sizes.setdefault(name, own + sum(sizes[each] for each in calls[name]))
            waiting.pop()
        elif name in entered:
            raise SpaceError(f"{source}: its function {show(name[1])} calls itself")
        else:
            entered.add(name)
            waiting += missing
    require_layers(sum(1 + sizes.get(each, 0) for each in _calls(model.graph.node)), source)


def _require_texts(model: Any, source: str) -> None:
    """Looks at the names in a graph: protobuf gives bytes where one is no UTF-8.

    Raises:
        SpaceError: If a name is no text.
    """
    graph = model.graph
    names = [each.name for each in (*graph.input, *graph.output, *graph.initializer)]
    for node in graph.node:
        names += [
            node.name,
            node.op_type,
            node.domain,
            *node.input,
            *node.output,
            *(each.name for each in node.attribute),
        ]
    for name in names:
        if not isinstance(name, str):
            raise SpaceError(f"{source}: a name in it is no text, {show(name)}")


def _function_of(given: Any) -> tuple[str, str, str]:
    """What a function is called by."""
    return given.domain, given.name, getattr(given, "overload", "")


def _calls(nodes: Any) -> Iterator[tuple[str, str, str]]:
    """What operators call, also those of graphs within them."""
    waiting = [nodes]
    while waiting:
        for node in waiting.pop():
            yield node.domain, node.op_type, getattr(node, "overload", "")
            for each in node.attribute:
                waiting += [graph.node for graph in (each.g, *each.graphs) if graph.node]


def _shapes(model: Any, source: str, given: Any) -> dict[str, tuple[int, ...]]:
    """The shapes of inputs by their names."""
    if given is None:
        return {}
    own = {tensor.name for tensor in model.graph.initializer}
    names = [each.name for each in model.graph.input if each.name not in own]
    if isinstance(given, (list, tuple)):
        several = [given] if all(isinstance(side, int) for side in given) else list(given)
        if len(several) != len(names):
            raise SpaceError(f"{source} has {len(names):,} inputs, not {len(several):,}: {show(given)}")
        given = dict(zip(names, several, strict=True))
    if not isinstance(given, dict):
        raise SpaceError(f"input_shapes are shapes by the names of inputs, or in their order, not {show(given)}")
    return {str(name): require_shape(shape, f"the shape of input {show(name)}") for name, shape in given.items()}
