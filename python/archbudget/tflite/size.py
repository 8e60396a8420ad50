"""The size of the file of a converted network: weights, quantisation, fixed costs of what is described, and names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.tflite.graph import FOLDS, converted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archbudget.network import Network
    from archbudget.tflite.graph import Graph
    from archbudget.tflite.nodes import Node

ALIGNMENT = 16
"""The values of a constant begin at a multiple of so many bytes."""

CHANNEL = 12
"""The bytes of a scale (float32) and a zero point (int64)."""


def flash(network: Network, weights: str = "int8", names: bool = True) -> int:
    """The bytes of the file of a network.

    Raises:
        SpaceError: If the weights are others, `names` is no flag, or the conversion is not known.
    """
    if weights != "int8":
        raise SpaceError(f"weights must be 'int8', not {show(weights)}")
    if not isinstance(names, bool):
        raise SpaceError(f"names must be True or False, not {show(names)}")
    graph = converted(network)
    size = FILE + sum(OPERATOR[node.kind] for node in graph.operators)
    size += CODE * len({node.kind for node in graph.operators})
    for constant in graph.constants:
        size += -(-constant.size // ALIGNMENT) * ALIGNMENT + CHANNEL * constant.channels
        size += CONSTANT[min(constant.channels, 2)]
    return round(size) + (named(graph) if names else 0)


FILE = 531.6
"""The bytes of a file without operators. This and what follows are least squares over 357 converted networks."""

CODE = 34.5
"""Those of a kind of operator."""

CONSTANT = (147.0, 76.4, 65.5)
"""Those of a constant beside its values: of one that is not quantised, as a whole, and by channels."""

OPERATOR: Mapping[str, float] = {
    "ADD": 112.3,
    "AVERAGE_POOL_2D": 146.9,
    "CONCATENATION": 122.2,
    "CONV_2D": 199.2,
    "DEPTHWISE_CONV_2D": 184.2,
    "FULLY_CONNECTED": 164.6,
    "HARD_SWISH": 102.6,
    "LOGISTIC": 117.4,
    "MAX_POOL_2D": 151.4,
    "MEAN": 42.4,
    "MUL": 137.8,
    "REDUCE_MAX": 11.6,
    "RELU": 125.2,
    "RELU6": 102.0,
    "RESHAPE": 40.1,
    "SOFTMAX": 116.5,
    "TANH": 102.0,
}
"""Those of an operator, with the tensor that it writes."""


TITLES = 236
"""The bytes of the names of what is no tensor."""


def named(graph: Graph) -> int:
    """The bytes of names: TensorFlow puts that of a tensor together from those of all layers behind one operator."""
    made: dict[int, dict[str, None]] = {}
    lengths = [1]
    last = set(graph.outputs)
    for node in graph.operators:
        own = _of(node)
        if node.hoisted:
            for tensor in node.inputs:
                own.update(made.get(tensor, {}))
        made[node.output] = own
        if node.kind in FOLDS:
            lengths.append(_length(_weight(node)))
            if len(node.constants) > 1:
                bias = [name for name in own if not name.endswith("/MatMul")]
                lengths.append(_length(dict.fromkeys(bias)) if bias else 16)
        elif node.constants:
            lengths.append(_length(own) + (18 if node.kind in ("MEAN", "REDUCE_MAX") else 0))
        lengths.append(len("Identity") if node.output in last else _length(own) + 1)
    return TITLES + sum((length + 4) // 4 * 4 - 4 for length in lengths)


def _length(names: dict[str, None]) -> int:
    return sum(map(len, names)) + max(len(names) - 1, 0)


def _at(scope: str, *operations: str) -> dict[str, None]:
    return dict.fromkeys(f"functional_1/{scope}/{operation}" for operation in operations)


_CALLED: Mapping[str, tuple[str, ...]] = {
    "ADD": ("Add",),
    "AVERAGE_POOL_2D": ("AvgPool",),
    "CONCATENATION": ("concat",),
    "HARD_SWISH": ("mul", "Relu6", "add", "truediv"),
    "LOGISTIC": ("Sigmoid",),
    "MAX_POOL_2D": ("MaxPool2d",),
    "MEAN": ("Mean",),
    "MUL": ("mul",),
    "NORM": ("batchnorm/mul_1",),
    "REDUCE_MAX": ("Max",),
    "RELU": ("Relu",),
    "RELU6": ("Relu6",),
    "RESHAPE": ("Reshape",),
    "SHIFT": ("batchnorm/add_1",),
    "SOFTMAX": ("Softmax",),
    "TANH": ("Tanh",),
}
"""What TensorFlow calls an operation of a layer."""


def _of(node: Node) -> dict[str, None]:
    """The names behind what an operator writes."""
    found: dict[str, None] = {}
    scaled = any(kind == "NORM" for kind, _, _ in node.parts)
    for kind, scope, layer in node.parts:
        if kind == "FULLY_CONNECTED":
            found |= _at(scope, "MatMul", *(["BiasAdd"] if len(node.constants) > 1 else []))
        elif kind == "NORM" and node.kind in FOLDS:
            plain = node.kind == "CONV_2D" and layer != "Conv1D" and not node.biased and not _long(node)
            found |= _at(scope, *_FOLDED[:: 3 if plain else 1])
        elif kind in FOLDS:
            inner = "convolution" if kind == "CONV_2D" else "depthwise"
            found |= _at(scope, inner, *(["convolution/Squeeze"] if _long(node) and (scaled or node.biased) else []))
            found |= _at(scope, "BiasAdd", "Squeeze") if node.biased else {}
        else:
            found |= _at(scope, *_CALLED[kind])
    return found


_FOLDED = ("batchnorm/add_1", "batchnorm/mul_1", "batchnorm/mul", "batchnorm/sub")


def _long(node: Node) -> bool:
    """Whether it is a convolution over a sequence."""
    return node.parts[0][2] == "Conv1D"


def _weight(node: Node) -> dict[str, None]:
    """The names behind the weights of an operator."""
    kind, scope, _ = node.parts[0]
    if kind == "FULLY_CONNECTED":
        return _at(scope, "MatMul")
    found = _at(scope, "convolution" if kind == "CONV_2D" else "depthwise")
    norms = [scope for kind, scope, _ in node.parts if kind == "NORM"]
    if norms and (kind == "DEPTHWISE_CONV_2D" or _long(node)):
        found |= _at(scope, *(["convolution/Squeeze"] if _long(node) else []))
        found |= _at(scope, "BiasAdd", "Squeeze") if node.biased else {}
        found |= _at(norms[0], "batchnorm/mul_1", "batchnorm/mul")
    return found
