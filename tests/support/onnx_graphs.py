"""What small graphs of ONNX are made of; `onnx` need not be installed to import this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


def weight(name: str, *sides: int, kind: Any = np.float32) -> Any:
    """A tensor of ones."""
    from onnx import numpy_helper

    return numpy_helper.from_array(np.ones(sides, dtype=kind), name)


def constant(name: str, value: Any, kind: Any = np.int64) -> Any:
    """A tensor of these values."""
    from onnx import numpy_helper

    return numpy_helper.from_array(np.array(value, dtype=kind), name)


def model_of(
    nodes: Sequence[Any],
    weights: Sequence[Any],
    shape: Any = (1, 3, 8, 8),
    opset: int = 17,
    kind: int = 1,
    functions: Sequence[Any] = (),
) -> Any:
    """The model of an input `x` of this shape and type, these operators, and the first output of the last one."""
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)],
        weights,
    )
    imports = [helper.make_opsetid(*each) for each in (("", opset), ("com.microsoft", 1), ("own", 1))]
    return helper.make_model(graph, opset_imports=imports, ir_version=8, functions=functions)


def branch_of(nodes: Sequence[Any], weights: Sequence[Any]) -> Any:
    """A graph within a graph, without inputs, whose output is the first one of the last operator."""
    from onnx import TensorProto, helper

    output = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)
    return helper.make_graph(nodes, "branch", [], [output], weights)
