"""Layers of archbudget for the operations of `keras.ops` between layers, and for those of TensorFlow in Keras 2."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from archbudget import layers
from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.importers import operations
from archbudget.importers._layers import Elementwise
from archbudget.layers._base import Tensor

if TYPE_CHECKING:
    from archbudget.layers import Layer


class Constant(NamedTuple):
    """An array among the arguments of a call."""

    shape: tuple[int, ...]


class Operation:
    """A call of an operation of a model.

    Args:
        kind: The name of its class in Keras 3.
        name: Its name in the space.
        config: Its configuration.
        ranks: The number of axes of its inputs, the batch counted, as far as the configuration says it.
        has_unknown: Whether sides of the model are unknown.
        layers: The layers of an earlier use of the same call, in a model that is called several times; they are used
            again.
    """

    def __init__(
        self,
        kind: str,
        name: str | None,
        config: Mapping[str, Any],
        ranks: Mapping[Tensor, int],
        layers: list[Layer],
        *,
        has_unknown: bool = False,
    ) -> None:
        self.kind = kind
        self.name = name
        self.config = config
        self.ranks = ranks
        self.has_unknown = has_unknown
        self._layers = layers
        self._used = 0

    def on(self, made: Layer, tensors: Any) -> Any:
        """The tensor that its next layer makes."""
        if self._used == len(self._layers):
            self._layers.append(made)
        self._used += 1
        return self._layers[self._used - 1](tensors)

    def apply(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """What it makes of its arguments.

        Raises:
            SpaceError: If archbudget has no such operation, or not of these arguments.
        """
        return self.maker()(self, Arguments(args, {**self.config, **kwargs}))

    def maker(self) -> Maker:
        """What makes layers of it.

        Raises:
            SpaceError: If archbudget has no such operation.
        """
        if self.kind not in MAKERS:
            raise SpaceError("archbudget has no such operation")
        return MAKERS[self.kind]


class Arguments:
    """The arguments of an operation, by position, or by name in its configuration or its call."""

    def __init__(self, args: Sequence[Any], named: Mapping[str, Any]) -> None:
        self._args = list(args)
        self._named = named

    def get(self, position: int | None, *names: str, default: Any = None) -> Any:
        """An argument; the default where it is not given."""
        if position is not None and position < len(self._args):
            return self._args[position]
        return next((self._named[name] for name in names if name in self._named), default)

    def tensor(self, position: int = 0, *names: str) -> Tensor:
        """An argument that must be a tensor.

        Raises:
            SpaceError: If it is not.
        """
        given = self.get(position, *(names or ("x", "inputs", "x1", "a", "input", "features", "array", "tensor")))
        if not isinstance(given, Tensor):
            raise SpaceError(f"its argument {position + 1} must be a tensor, not {show(given)}")
        return given


def is_number(given: Any) -> bool:
    """Whether an argument is a single number."""
    return isinstance(given, (int, float)) or (isinstance(given, Constant) and given.shape == ())


def _unary(operation: Operation, args: Arguments) -> Any:
    """A function of each value."""
    return operation.on(Elementwise(operation.kind, name=operation.name), args.tensor())


def _activation(word: str) -> Maker:
    return lambda operation, args: operation.on(layers.Activation(word, name=operation.name), args.tensor())


def _identity(operation: Operation, args: Arguments) -> Any:
    return operation.on(layers.Identity(name=operation.name), args.tensor())


def _softmax(operation: Operation, args: Arguments) -> Any:
    return operation.on(layers.Softmax(args.get(1, "axis", default=-1), name=operation.name), args.tensor())


def _pair(args: Arguments) -> tuple[Any, Any]:
    return args.get(0, "x1", "x", "a"), args.get(1, "x2", "y", "b")


def _both(operation: Operation, args: Arguments) -> Any:
    """A function of two values: of two tensors, or of a tensor and a constant."""
    pair = _pair(args)
    tensors = [each for each in pair if isinstance(each, Tensor)]
    others = [each for each in pair if not isinstance(each, Tensor)]
    merge = {"Add": layers.Add, "Subtract": layers.Subtract, "Multiply": layers.Multiply}.get(operation.kind)
    merge = merge or {"Maximum": layers.Maximum, "Minimum": layers.Minimum}.get(operation.kind)
    if len(tensors) == 2:
        ranks = [operation.ranks.get(each) for each in tensors]
        if ranks[0] != ranks[1]:
            raise SpaceError(
                f"it broadcasts tensors of {ranks[0]} and {ranks[1]} axes, which joins inputs of the batch"
            )
        if merge is not None and ranks[0] is not None:
            return operation.on(merge(name=operation.name), tensors)
        return operation.on(operations.Broadcast(operation.kind, name=operation.name), tensors)
    if not tensors or not all(is_number(each) or isinstance(each, Constant) for each in others):
        raise SpaceError(f"its arguments must be tensors, numbers and arrays, not {show(pair)}")
    first, number = isinstance(pair[0], Tensor), others[0]
    scaled = _scaled(operation.kind, number, first) if isinstance(number, (int, float)) else None
    if scaled is not None:
        return operation.on(layers.Rescaling(*scaled, name=operation.name), tensors[0])
    shapes = [list(each.shape) for each in others if isinstance(each, Constant)]
    return operation.on(operations.Broadcast(operation.kind, shapes or None, name=operation.name), tensors)


def _scaled(kind: str, number: float, first: bool) -> tuple[float, float] | None:
    """The scale and the offset that an operation with a number comes to; `first` says that the tensor stands first."""
    if kind == "Add":
        return 1.0, float(number)
    if kind == "Subtract":
        return (1.0, -float(number)) if first else (-1.0, float(number))
    if kind == "Multiply":
        return float(number), 0.0
    if kind in ("Divide", "TrueDivide") and first and number:
        return 1 / number, 0.0
    return None


def _where(operation: Operation, args: Arguments) -> Any:
    given = [args.get(0, "condition"), args.get(1, "x1", "x"), args.get(2, "x2", "y")]
    tensors = [each for each in given if isinstance(each, Tensor)]
    if not tensors or not all(isinstance(each, (Tensor, Constant)) or is_number(each) for each in given):
        raise SpaceError(f"its arguments must be tensors, numbers and arrays, not {show(given)}")
    if len({operation.ranks.get(each) for each in tensors}) > 1:
        raise SpaceError("it broadcasts tensors of different ranks, which joins inputs of the batch")
    shapes = [list(each.shape) for each in given if isinstance(each, Constant)]
    return operation.on(operations.Broadcast(operation.kind, shapes or None, name=operation.name), tensors)


def _reduce(operation: Operation, args: Arguments) -> Any:
    axis = args.get(1, "axis")
    if axis is None:
        raise SpaceError("without an axis it joins all inputs of the batch")
    keepdims = bool(args.get(2, "keepdims", default=False))
    return operation.on(operations.Reduce(operation.kind, axis, keepdims, name=operation.name), args.tensor())


def _reshape(operation: Operation, args: Arguments) -> Any:
    shape = args.get(1, "newshape", "shape", "new_shape")
    if not isinstance(shape, (list, tuple)) or not shape:
        raise SpaceError(f"its new shape must be a tuple of integers, not {show(shape)}")
    if shape[0] not in (-1, None):
        raise SpaceError(f"its new shape {show(shape)} fixes the size of the batch")
    sides = [-1 if side is None else side for side in shape[1:]]
    if operation.has_unknown:
        return operation.on(operations.Reshape(sides, name=operation.name), args.tensor())
    return operation.on(layers.Reshape(sides, name=operation.name), args.tensor())


def _permuted(operation: Operation, tensor: Tensor, axes: Sequence[int]) -> Any:
    if not axes or axes[0] != 0:
        raise SpaceError(f"the order {show(list(axes))} moves the batch")
    return operation.on(layers.Permute(list(axes[1:]), name=operation.name), tensor)


def _rank(operation: Operation, tensor: Tensor) -> int:
    rank = operation.ranks.get(tensor)
    if rank is None:
        raise SpaceError("the configuration does not say how many axes its input has")
    return rank


def _axis(axis: Any, rank: int) -> int:
    if isinstance(axis, bool) or not isinstance(axis, int) or not -rank <= axis < rank:
        raise SpaceError(f"a tensor of {rank} axes, the batch counted, has no axis {show(axis)}")
    return axis % rank


def _transpose(operation: Operation, args: Arguments) -> Any:
    tensor, axes = args.tensor(), args.get(1, "axes", "perm")
    if not isinstance(axes, (list, tuple)) or not all(isinstance(axis, int) for axis in axes):
        raise SpaceError(f"the order {show(axes)} moves the batch")
    return _permuted(operation, tensor, [axis % len(axes) for axis in axes])


def _swap(operation: Operation, args: Arguments) -> Any:
    tensor = args.tensor()
    rank = _rank(operation, tensor)
    order = list(range(rank))
    one, other = (_axis(args.get(place, name), rank) for place, name in ((1, "axis1"), (2, "axis2")))
    order[one], order[other] = order[other], order[one]
    return _permuted(operation, tensor, order)


def _move(operation: Operation, args: Arguments) -> Any:
    tensor = args.tensor()
    rank = _rank(operation, tensor)
    pairs = [args.get(place, name) for place, name in ((1, "source"), (2, "destination"))]
    sources, targets = (
        [_axis(axis, rank) for axis in (each if isinstance(each, (list, tuple)) else [each])] for each in pairs
    )
    if len(set(sources)) < len(sources) or len(set(targets)) < len(targets) or len(sources) != len(targets):
        raise SpaceError(f"it moves the axes {show(sources)} to {show(targets)}")
    order = [axis for axis in range(rank) if axis not in sources]
    for target, source in sorted(zip(targets, sources, strict=True)):
        order.insert(target, source)
    return _permuted(operation, tensor, order)


def _expand(operation: Operation, args: Arguments) -> Any:
    return operation.on(operations.ExpandDims(args.get(1, "axis"), name=operation.name), args.tensor())


def _squeeze(operation: Operation, args: Arguments) -> Any:
    axis = args.get(1, "axis")
    if axis is None:
        raise SpaceError("without an axis it may drop that of the batch")
    return operation.on(operations.Squeeze(axis, name=operation.name), args.tensor())


def _tensors(args: Arguments) -> list[Tensor]:
    given = args.get(0, "xs", "arrays", "x", "values")
    if not isinstance(given, (list, tuple)) or not all(isinstance(each, Tensor) for each in given):
        raise SpaceError(f"it takes a list of tensors, not {show(given)}")
    return list(given)


def _concatenate(operation: Operation, args: Arguments) -> Any:
    tensors, axis = _tensors(args), args.get(1, "axis", default=0)
    return operation.on(layers.Concatenate(axis, name=operation.name), tensors)


def _stack(operation: Operation, args: Arguments) -> Any:
    return operation.on(operations.Stack(args.get(1, "axis", default=0), name=operation.name), _tensors(args))


def _key(given: Any) -> list[Any]:
    """A key as `GetItem` takes it."""
    keys: list[Any] = []
    for each in given if isinstance(given, (list, tuple)) else [given]:
        if isinstance(each, slice):
            keys.append([each.start, each.stop, each.step])
        elif each is ...:
            keys.append("...")
        elif each is None or (isinstance(each, int) and not isinstance(each, bool)):
            keys.append(each)
        else:
            raise SpaceError(f"its key {show(each)} is neither an integer nor a slice")
    if not all(each is None or isinstance(each, int) for key in keys if isinstance(key, list) for each in key):
        raise SpaceError(f"its key {show(keys)} depends on a tensor")
    return keys


def _get_item(operation: Operation, args: Arguments) -> Any:
    key = _key(args.get(1, "key", "slice_spec"))
    return operation.on(operations.GetItem(key, name=operation.name), args.tensor())


def _split(operation: Operation, args: Arguments) -> Any:
    """The parts, each by a layer of its own, of which the first has the name of the operation."""
    tensor, into = args.tensor(), args.get(1, "indices_or_sections", "num_or_size_splits")
    axis = args.get(2, "axis", default=0)
    many = into if isinstance(into, int) else len(into) + 1 if isinstance(into, (list, tuple)) else 0
    if not 1 <= many <= MOST_PARTS:
        raise SpaceError(f"it splits at {show(into)}; from 1 to {MOST_PARTS:,} parts are read")
    made = []
    for part in range(many):
        name = f"{operation.name}[{part}]" if part and operation.name else operation.name
        made.append(operation.on(operations.Split(into, axis, part, name=name), tensor))
    return tuple(made)


MOST_PARTS = 1 << 10
"""The most parts into which a tensor is split."""


def _matmul(operation: Operation, args: Arguments) -> Any:
    pair = _pair(args)
    if all(isinstance(each, Tensor) for each in pair):
        return operation.on(operations.Matmul(name=operation.name), list(pair))
    tensors = [each for each in pair if isinstance(each, Tensor)]
    constants = [each for each in pair if isinstance(each, Constant)]
    if len(tensors) != 1 or len(constants) != 1:
        raise SpaceError(f"it multiplies {show(pair)}")
    made = operations.Matmul(list(constants[0].shape), isinstance(pair[1], Tensor), name=operation.name)
    return made(tensors)


def _einsum(operation: Operation, args: Arguments) -> Any:
    equation = operation.config.get("subscripts", operation.config.get("equation"))
    tensors = [args.get(place) for place in range(3)]
    given = [each for each in tensors if each is not None]
    if not isinstance(equation, str) or not all(isinstance(each, Tensor) for each in given):
        raise SpaceError(f"it takes an equation and tensors, not {show(equation)} and {show(given)}")
    return operation.on(operations.Einsum(equation, name=operation.name), given)


def _pad(operation: Operation, args: Arguments) -> Any:
    width = args.get(1, "pad_width", "paddings")
    return operation.on(operations.Pad(width, name=operation.name), args.tensor())


Maker = Callable[[Operation, Arguments], Any]

ACTIVATIONS = {
    **{
        kind: kind.lower()
        for kind in ("Celu", "Elu", "Gelu", "Glu", "Mish", "Relu", "Relu6", "Selu", "Sigmoid", "Silu", "Softplus")
    },
    **{kind: kind.lower() for kind in ("Softsign", "Sparsemax", "Squareplus", "Tanh")},
    "Exp": "exponential",
    "HardShrink": "hard_shrink",
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
    "HardTanh": "hard_tanh",
    "LeakyRelu": "leaky_relu",
    "LogSigmoid": "log_sigmoid",
    "LogSoftmax": "log_softmax",
    "SoftShrink": "soft_shrink",
    "SparsePlus": "sparse_plus",
    "SparseSigmoid": "sparse_sigmoid",
    "TanhShrink": "tanh_shrink",
}
del ACTIVATIONS["Glu"]  # It halves an axis.

MAKERS: dict[str, Maker] = {
    **{kind: _activation(word) for kind, word in ACTIVATIONS.items()},
    **dict.fromkeys(
        [
            *("Absolute", "Abs", "Arccos", "Arcsin", "Arctan", "Cbrt", "Ceil", "Clip", "Cos", "Cosh"),
            *("Erf", "Erfinv", "Expm1", "Floor", "Isfinite", "Isinf", "Isnan", "Log", "Log10", "Log1p", "Log2"),
            *("LogicalNot", "NanToNum", "Negative", "Normalize", "OnesLike", "Reciprocal", "Rint", "Round", "Rsqrt"),
            *("Sign", "Sin", "Sinh", "Sqrt", "Square", "Tan", "Trunc", "ZerosLike", "Threshold"),
        ],
        _unary,
    ),
    **dict.fromkeys(["Cast", "Copy", "StopGradient", "Identity", "Real", "Conj", "Conjugate"], _identity),
    "Softmax": _softmax,
    **dict.fromkeys(
        [
            *(
                "Add",
                "Subtract",
                "Multiply",
                "Maximum",
                "Minimum",
                "Divide",
                "TrueDivide",
                "DivideNoNan",
                "FloorDivide",
            ),
            *("Mod", "Power", "Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual", "LogicalAnd"),
            *("LogicalOr", "LogicalXor", "Arctan2", "Logaddexp", "SquaredDifference", "BitwiseAnd", "BitwiseOr"),
        ],
        _both,
    ),
    "Where": _where,
    **dict.fromkeys(
        [
            "All",
            "Amax",
            "Amin",
            "Any",
            "CountNonzero",
            "Logsumexp",
            "Max",
            "Mean",
            "Median",
            "Min",
            "Prod",
            "Std",
            "Sum",
            "Var",
        ],
        _reduce,
    ),
    **dict.fromkeys(["Argmax", "Argmin"], _reduce),
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Swapaxes": _swap,
    "SwapAxes": _swap,
    "Moveaxis": _move,
    "ExpandDims": _expand,
    "Squeeze": _squeeze,
    "Concatenate": _concatenate,
    "Stack": _stack,
    "GetItem": _get_item,
    "Split": _split,
    "Matmul": _matmul,
    "Einsum": _einsum,
    "Pad": _pad,
}
"""How each operation of `keras.ops` becomes layers, by the name of its class."""

AT_EACH_STEP = frozenset(kind for kind, maker in MAKERS.items() if maker in (_unary, _identity, _both, _where)) | {
    *ACTIVATIONS
}
"""The operations that are the same with more axes in front."""

TENSORFLOW = {
    "__operators__.add": "Add",
    "__operators__.getitem": "GetItem",
    "cast": "Cast",
    "concat": "Concatenate",
    "einsum": "Einsum",
    "expand_dims": "ExpandDims",
    "identity": "Identity",
    "linalg.matmul": "Matmul",
    "math.add": "Add",
    "math.divide": "Divide",
    "math.maximum": "Maximum",
    "math.minimum": "Minimum",
    "math.multiply": "Multiply",
    "math.pow": "Power",
    "math.reduce_max": "Max",
    "math.reduce_mean": "Mean",
    "math.reduce_sum": "Sum",
    "math.sqrt": "Sqrt",
    "math.square": "Square",
    "math.subtract": "Subtract",
    "math.truediv": "TrueDivide",
    "nn.gelu": "Gelu",
    "nn.relu": "Relu",
    "nn.relu6": "Relu6",
    "nn.sigmoid": "Sigmoid",
    "math.sigmoid": "Sigmoid",
    "nn.silu": "Silu",
    "nn.softmax": "Softmax",
    "reshape": "Reshape",
    "squeeze": "Squeeze",
    "stop_gradient": "StopGradient",
    "math.tanh": "Tanh",
    "transpose": "Transpose",
}
"""The operations of Keras 3 for the functions of TensorFlow that models of Keras 2 call between layers."""
