"""Graphs of ONNX as spaces without decisions."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from archbudget._extras import imported
from archbudget._guard import guarded
from archbudget._message import one_line, show
from archbudget._regular import path_of, reading
from archbudget.errors import SpaceError
from archbudget.importers._common import require_shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archbudget.space.space import Space

__all__ = ["from_onnx"]

LARGEST_FILE = (1 << 31) - 1
"""The most bytes of a file: those of a message of protobuf."""


@guarded
def from_onnx(
    model: str | os.PathLike[str] | Any,
    strict: bool = True,
    *,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
) -> Space:
    """A graph of ONNX as a space without decisions.

    Weights are the floating-point initialisers that have an axis, each once however often it is read, and constants of
    any type that an operator multiplies with. Weights of another type than float32 have its bits; of what is quantised,
    scales and zero points are no weights. No values are read but those of small constants, which tell shapes; external
    data is never opened. It takes time proportional to the number of operators.

    Args:
        model: The path of a file, or an `onnx.ModelProto`, which is not changed.
        strict: Must be `True`: what cannot be translated is refused.
        input_shapes: The shapes of inputs without the batch, by their names, where the graph leaves sides open.

    Raises:
        TranslationError: If operators of the graph are not known, with the names and types of all of them.
        SpaceError: If the file is no graph of ONNX, or not well formed, or its inputs have open sides.
        FileError: If the file cannot be read.
        MissingPackageError: If onnx is not installed.

    Example:
        >>> import archbudget as ab
        >>> ab.from_onnx("model.onnx").architecture().params  # doctest: +SKIP
        11689512
    """
    onnx = imported("onnx", "from_onnx")
    if strict is not True:
        raise SpaceError("strict=False is not supported yet: what cannot be translated is refused")
    if input_shapes is not None and not isinstance(input_shapes, dict):
        raise SpaceError(f"input_shapes are shapes by the names of inputs, in a dict, not {show(input_shapes)}")
    shapes = {
        str(name): require_shape(shape, f"the shape of input {show(name)}")
        for name, shape in (input_shapes or {}).items()
    }
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
    from archbudget.importers.onnx._translate import Translator

    if model.functions:
        from onnx import inliner

        try:
            model = inliner.inline_local_functions(model)
        except Exception as error:
            raise SpaceError(f"{source}: its functions cannot be followed: {one_line(error)}") from None
    return Translator(model, source, shapes).space()
