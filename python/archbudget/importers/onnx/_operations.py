"""The operators of ONNX: which have multiply-accumulates and how many, which have none, and what layer each one is."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from archbudget import layers
from archbudget.importers._recorded import einsum_macs, keras_axis, rearranged, sides_of, transposed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Make = Callable[..., layers.Layer]

Shape = tuple[int, ...]


class Call(NamedTuple):
    """One operator as it stands in a graph."""

    inputs: list[Shape | None]
    """The shapes of its inputs, the batch counted; `None` for one that is left out."""
    is_data: list[bool]
    """Which of them depend on an input of the network."""
    output: Shape
    """The shape of what it makes, the batch counted."""
    attributes: Mapping[str, Any]
    values: list[Any]
    """The values of inputs that are small constants, as arrays; `None` for others."""

    def shape(self, place: int) -> Shape:
        """The shape of an input that must be there."""
        shape = self.inputs[place]
        assert shape is not None
        return shape

    def has(self, place: int) -> bool:
        """Whether an input is given."""
        return place < len(self.inputs) and self.inputs[place] is not None

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute; its default where it is not given."""
        return self.attributes.get(name, default)


# fmt: off
ELEMENTWISE = frozenset([
    "Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "BitShift", "BitwiseAnd", "BitwiseNot",
    "BitwiseOr", "BitwiseXor", "Ceil", "Celu", "Clip", "Cos", "Cosh", "Div", "Elu", "Equal", "Erf", "Exp", "Floor",
    "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "IsInf", "IsNaN", "LeakyRelu", "Less",
    "LessOrEqual", "Log", "Max", "Mean", "Min", "Mish", "Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pow", "Reciprocal",
    "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Sub", "Sum",
    "Swish", "Tan", "Tanh", "ThresholdedRelu", "Where", "Xor",
])
"""Functions of the values at one place."""
IN_PLACE = frozenset([
    "BatchNormalization", "Flatten", "GroupNormalization", "InstanceNormalization", "LayerNormalization", "LogSoftmax",
    "LpNormalization", "MeanVarianceNormalization", "RMSNormalization", "Reshape", "Softmax", "Squeeze", "Transpose",
    "Unsqueeze", "DepthToSpace", "SpaceToDepth", "SimplifiedLayerNormalization",
])
"""What rearranges, or works in place as the layers that are like it do."""
WITHOUT_PRODUCTS = ELEMENTWISE | IN_PLACE | frozenset([
    "ArgMax", "ArgMin", "AveragePool", "CenterCropPad", "Col2Im", "Compress", "Concat", "CumProd", "CumSum", "DFT",
    "Expand", "EyeLike", "Gather", "GatherElements", "GatherND", "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool",
    "GridSample", "Hardmax", "LRN", "LpPool", "MaxPool", "MaxRoiPool", "MaxUnpool", "OneHot", "Pad", "ReduceL1",
    "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum",
    "ReduceSumSquare", "Resize", "ReverseSequence", "RoiAlign", "RotaryEmbedding", "ScatterElements", "ScatterND",
    "Slice", "Split", "STFT", "Tile", "TopK", "Trilu", "Upsample", "DynamicQuantizeLinear", "TensorScatter",
    "QLinearAdd", "QLinearMul", "QLinearSigmoid", "QLinearLeakyRelu", "QLinearGlobalAveragePool",
])
"""What has no multiply-accumulates by the definitions of archbudget."""
PASSING = frozenset([
    "Cast", "CastLike", "DequantizeLinear", "Dropout", "Identity", "QuantizeLinear",
])
"""What gives the values that it reads, maybe of another type."""
FOLDED = frozenset([
    "Add", "And", "Cast", "Ceil", "Concat", "ConstantOfShape", "Div", "Equal", "Expand", "Floor", "Gather", "Greater",
    "Identity", "Less", "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or", "Range", "ReduceProd", "Reshape", "Shape",
    "Size", "Slice", "Squeeze", "Sub", "Transpose", "Unsqueeze", "Where",
])
"""What is computed where all that it reads is a small constant: shapes are computed so."""
WEIGHT_PLACES: dict[str, tuple[int, ...]] = {
    "BatchNormalization": (1, 2, 3, 4),
    "Conv": (1, 2),
    "ConvInteger": (1,),
    "ConvTranspose": (1, 2),
    "GRU": (1, 2, 3),
    "Gather": (0,),
    "Gemm": (1, 2),
    "GroupNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "LSTM": (1, 2, 3, 7),
    "LayerNormalization": (1, 2),
    "MatMul": (0, 1),
    "MatMulInteger": (0, 1),
    "PRelu": (1,),
    "QLinearConv": (3, 8),
    "QLinearMatMul": (0, 3),
    "RMSNormalization": (1,),
    "RNN": (1, 2, 3),
}
"""Which inputs of an operator are weights where they are constants, of any type."""
SETTINGS: dict[str, tuple[int, ...]] = {
    "ConvInteger": (2, 3),
    "DequantizeLinear": (1, 2),
    "MatMulInteger": (2, 3),
    "QLinearAdd": (1, 2, 4, 5, 6, 7),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearGlobalAveragePool": (1, 2, 3, 4),
    "QLinearLeakyRelu": (1, 2, 3, 4),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "QLinearMul": (1, 2, 4, 5, 6, 7),
    "QLinearSigmoid": (1, 2, 3, 4),
    "QuantizeLinear": (1, 2),
    "Clip": (1, 2),
    "OneHot": (2,),
    "Pad": (2,),
    "Pow": (1,),
    "Resize": (1, 2, 3),
    "Upsample": (1,),
}
"""Which inputs are scales, zero points and bounds, which are no weights."""
# fmt: on


CONVOLUTIONS = {"Conv": (1, 2), "ConvInteger": (1, None), "ConvTranspose": (1, 2), "QLinearConv": (3, 8)}
"""Where the kernel and the bias of each convolution stand."""
OF_CHANNELS = {"BatchNormalization": (1, 2, 3, 4), "InstanceNormalization": (1, 2)}
"""Which inputs have a number for each channel."""
GATES = {"GRU": 3, "LSTM": 4, "RNN": 1}


def fault_of(kind: str, call: Call) -> str | None:
    """What of the weights of an operator does not go with its input, where the inference of shapes does not look."""
    if kind in CONVOLUTIONS:
        place, bias = CONVOLUTIONS[kind]
        channels, weight, groups = call.shape(0)[1], call.shape(place), call.get("group", 1)
        filters = weight[1] * groups if kind == "ConvTranspose" else weight[0]
        wanted = weight[0] if kind == "ConvTranspose" else weight[1] * groups
        if channels != wanted or groups < 1 or weight[0] % groups:
            return f"a kernel of {weight} in {groups} groups does not go with {channels} channels"
        if bias is not None and call.has(bias) and call.shape(bias) != (filters,):
            return f"a bias of {call.shape(bias)} does not go with {filters} filters"
    if kind in OF_CHANNELS:
        channels = call.shape(0)[1] if len(call.shape(0)) > 1 else 1
        for place in OF_CHANNELS[kind]:
            if call.shape(place) != (channels,):
                return f"weights of {call.shape(place)} do not go with {channels} channels"
    if kind in GATES:
        (directions, rows, features), recurrent = call.shape(1), call.shape(2)
        hidden = rows // GATES[kind]
        if features != call.shape(0)[-1] or recurrent != (directions, rows, hidden) or rows % GATES[kind]:
            return f"weights of {call.shape(1)} and {recurrent} do not go with an input of {call.shape(0)}"
    return None


def _conv(call: Call, place: int = 1) -> int:
    return prod(call.output) * prod(call.shape(place)[1:])


def _conv_transpose(call: Call) -> int:
    return prod(call.shape(0)) * prod(call.shape(1)[1:])


def _gemm(call: Call) -> int:
    first = call.shape(0)
    return prod(call.output) * (first[0] if call.get("transA") else first[1])


def _recurrent(call: Call) -> int:
    steps, batch = call.shape(0)[:2]
    return steps * batch * (prod(call.shape(1)) + prod(call.shape(2)))


def _attention(call: Call) -> int | None:
    """Attention of four axes; that of three has its heads as attributes. Earlier keys and values stand in front."""
    query, key, value = (call.shape(place) for place in range(3))
    steps = key[-2] + (call.shape(4)[-2] if call.has(4) else 0)
    if len(query) == 4:
        return prod(query[:-1]) * steps * (query[-1] + value[-1])
    heads, shared = call.get("q_num_heads"), call.get("kv_num_heads")
    if not heads or not shared:
        return None
    width: int = query[-1] + value[-1] * heads // shared
    return prod(query[:-1]) * steps * width


def _einsum(call: Call) -> int | None:
    shapes = [shape for shape in call.inputs if shape is not None]
    return einsum_macs(call.get("equation", ""), shapes)


PRODUCTS: dict[str, Callable[[Call], int | None]] = {
    "Attention": _attention,
    "Conv": _conv,
    "ConvInteger": _conv,
    "ConvTranspose": _conv_transpose,
    "Einsum": _einsum,
    "GRU": _recurrent,
    "Gemm": _gemm,
    "LSTM": _recurrent,
    "MatMul": lambda call: prod(call.output) * call.shape(0)[-1],
    "MatMulInteger": lambda call: prod(call.output) * call.shape(0)[-1],
    "QLinearConv": lambda call: _conv(call, 3),
    "QLinearMatMul": lambda call: prod(call.output) * call.shape(0)[-1],
    "RNN": _recurrent,
}
"""The multiply-accumulates of what multiplies matrices."""

WORDS = {
    "HardSwish": "hard_swish",
    "Mish": "mish",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
}
MERGES: dict[str, Callable[..., layers.Layer]] = {
    "Add": layers.Add,
    "Max": layers.Maximum,
    "Mean": layers.Average,
    "Min": layers.Minimum,
    "Mul": layers.Multiply,
    "Sub": layers.Subtract,
    "Sum": layers.Add,
}


def _padding(call: Call, rank: int) -> Any:
    """The margins of each axis: one number, or one before and one after."""
    automatic = call.get("auto_pad", "NOTSET")
    if automatic == "SAME_UPPER":
        return "same"
    if automatic == "VALID":
        return "valid"
    pads = call.get("pads", [0] * 2 * rank)
    pairs = list(zip(pads[:rank], pads[rank:], strict=True))
    if all(before == after for before, after in pairs):
        return sides_of([before for before, _ in pairs], rank)
    return tuple(pairs)


def _make_conv(call: Call, place: int = 1, bias: int = 2) -> Make | None:
    weight = call.shape(place)
    rank = len(weight) - 2
    if rank not in (1, 2, 3):
        return None
    return partial(
        (layers.Conv1D, layers.Conv2D, layers.Conv3D)[rank - 1],
        weight[0],
        sides_of(weight[2:], rank),
        strides=sides_of(call.get("strides", [1] * rank), rank),
        padding=_padding(call, rank),
        data_format="channels_first",
        dilation_rate=sides_of(call.get("dilations", [1] * rank), rank),
        groups=call.get("group", 1),
        use_bias=call.has(bias),
    )


def _make_transposed(call: Call) -> Make | None:
    weight, groups = call.shape(1), call.get("group", 1)
    rank = len(weight) - 2
    padding = _padding(call, rank)
    if (
        rank not in (1, 2, 3)
        or call.get("output_shape")
        or (isinstance(padding, tuple) and isinstance(padding[0], tuple))
    ):
        return None
    return partial(
        (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)[rank - 1],
        weight[1] * groups,
        sides_of(weight[2:], rank),
        strides=sides_of(call.get("strides", [1] * rank), rank),
        padding=padding,
        output_padding=sides_of(call.get("output_padding", [0] * rank), rank),
        data_format="channels_first",
        dilation_rate=sides_of(call.get("dilations", [1] * rank), rank),
        groups=groups,
        use_bias=call.has(2),
    )


def _make_gemm(call: Call) -> Make | None:
    if call.get("transA") or not call.is_data[0] or call.is_data[1]:
        return None
    return partial(layers.Dense, call.output[-1], use_bias=call.has(2))


def _make_matmul(call: Call, second: int = 1) -> Make | None:
    if not call.is_data[0] or call.is_data[second] or len(call.shape(second)) != 2:
        return None
    return partial(layers.Dense, call.output[-1], use_bias=False)


def _make_batch_norm(call: Call) -> Make | None:
    momentum, epsilon = call.get("momentum", 0.9), call.get("epsilon", 1e-5)
    return partial(layers.BatchNormalization, axis=keras_axis(1, call.shape(0)), momentum=momentum, epsilon=epsilon)


def _make_layer_norm(call: Call) -> Make | None:
    rank = len(call.shape(0))
    axes = [axis - rank for axis in range(call.get("axis", -1) % rank, rank)]
    return partial(
        layers.LayerNormalization,
        axis=axes[0] if len(axes) == 1 else axes,
        epsilon=call.get("epsilon", 1e-5),
        center=call.has(2),
        scale=call.has(1),
    )


def _make_instance_norm(call: Call) -> Make | None:
    return partial(
        layers.InstanceNormalization,
        axis=keras_axis(1, call.shape(0)),
        epsilon=call.get("epsilon", 1e-5),
        affine=True,
    )


def _make_group_norm(call: Call) -> Make | None:
    groups = call.get("num_groups")
    return partial(
        layers.GroupNormalization, groups, axis=keras_axis(1, call.shape(0)), epsilon=call.get("epsilon", 1e-5)
    )


def _make_pool(call: Call, kind: str) -> Make | None:
    size = call.get("kernel_shape")
    rank = len(size)
    padding = _padding(call, rank)
    if rank not in (1, 2, 3) or (isinstance(padding, tuple) and isinstance(padding[0], tuple)):
        return None
    options: dict[str, Any] = {}
    if kind == "Max":
        options["dilation"] = sides_of(call.get("dilations", [1] * rank), rank)
    elif any(step != 1 for step in call.get("dilations", [1])):
        return None
    else:
        options["count_include_pad"] = bool(call.get("count_include_pad", 0))
    return partial(
        getattr(layers, f"{kind}Pooling{rank}D"),
        sides_of(size, rank),
        strides=sides_of(call.get("strides", [1] * rank), rank),
        padding=padding,
        data_format="channels_first",
        ceil_mode=bool(call.get("ceil_mode", 0)),
        **options,
    )


def _make_global(call: Call, kind: str) -> Make | None:
    rank = len(call.shape(0)) - 2
    if rank not in (1, 2, 3):
        return None
    return partial(getattr(layers, f"Global{kind}Pooling{rank}D"), data_format="channels_first", keepdims=True)


def _make_mean(call: Call) -> Make | None:
    """The mean of an image, or of the steps of a sequence."""
    axes = call.get("axes")
    if axes is None and call.has(1):
        axes = None if call.values[1] is None else call.values[1].tolist()
    shape = call.shape(0)
    rank = len(shape) - 2
    if not axes or shape[0] != 1 or rank not in (1, 2, 3):
        return None
    gone = sorted(axis % len(shape) for axis in axes)
    kind = (layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D)[rank - 1]
    keeps = bool(call.get("keepdims", 1))
    if gone == list(range(2, len(shape))):
        return partial(kind, data_format="channels_first", keepdims=keeps)
    return partial(kind, data_format="channels_last", keepdims=keeps) if gone == list(range(1, rank + 1)) else None


def _make_merge(call: Call, kind: str) -> Make | None:
    return MERGES[kind] if len(call.inputs) > 1 and all(call.is_data) else None


def _make_concat(call: Call) -> Make | None:
    axis = call.get("axis") % len(call.output)
    every = all(call.is_data) and all(shape and shape[0] == 1 for shape in call.inputs)
    return partial(layers.Concatenate, axis=axis) if every and axis else None


def _make_softmax(call: Call) -> Make | None:
    shape = call.shape(0)
    axis = call.get("axis", -1) % len(shape)
    return partial(layers.Softmax, axis=keras_axis(axis, shape)) if shape[0] != 1 or axis else None


def _make_clip(call: Call) -> Make | None:
    values = [call.get("min"), call.get("max")]
    for place in (1, 2):
        if call.has(place) and call.values[place] is not None and call.values[place].size == 1:
            values[place - 1] = float(call.values[place].reshape(-1)[0])
    least, most = values
    return partial(layers.ReLU, max_value=float(most)) if least == 0 and most is not None and most > 0 else None


def _make_prelu(call: Call) -> Make | None:
    shape, slopes = call.shape(0), call.shape(1)
    if shape[0] != 1 or call.is_data[1]:
        return None
    aligned = (1,) * (len(shape) - len(slopes)) + tuple(slopes)
    shared = [axis for axis in range(1, len(shape)) if aligned[axis] == 1]
    return partial(layers.PReLU, shared_axes=shared or None)


def _make_gather(call: Call) -> Make | None:
    table = call.shape(0)
    if call.is_data[0] or len(table) != 2 or call.get("axis", 0) != 0:
        return None
    return partial(layers.Embedding, *table)


def _make_gelu(call: Call) -> Make | None:
    return partial(layers.Activation, "gelu") if call.get("approximate", "none") == "none" else None


LAYERS: dict[str, Callable[[Call, str], Make | None]] = {
    "AveragePool": lambda call, _: _make_pool(call, "Average"),
    "BatchNormalization": lambda call, _: _make_batch_norm(call),
    "Clip": lambda call, _: _make_clip(call),
    "Concat": lambda call, _: _make_concat(call),
    "Conv": lambda call, _: _make_conv(call),
    "ConvInteger": lambda call, _: _make_conv(call, bias=9),
    "ConvTranspose": lambda call, _: _make_transposed(call),
    "Elu": lambda call, _: partial(layers.ELU, alpha=float(call.get("alpha", 1.0))),
    "Flatten": lambda call, _: layers.Flatten if call.get("axis", 1) == 1 else None,
    "Gather": lambda call, _: _make_gather(call),
    "Gelu": lambda call, _: _make_gelu(call),
    "Gemm": lambda call, _: _make_gemm(call),
    "GlobalAveragePool": lambda call, _: _make_global(call, "Average"),
    "GlobalMaxPool": lambda call, _: _make_global(call, "Max"),
    "GroupNormalization": lambda call, _: _make_group_norm(call),
    "InstanceNormalization": lambda call, _: _make_instance_norm(call),
    "LayerNormalization": lambda call, _: _make_layer_norm(call),
    "LeakyRelu": lambda call, _: partial(layers.LeakyReLU, negative_slope=float(call.get("alpha", 0.01))),
    "MatMul": lambda call, _: _make_matmul(call),
    "MatMulInteger": lambda call, _: _make_matmul(call),
    "MaxPool": lambda call, _: _make_pool(call, "Max"),
    "PRelu": lambda call, _: _make_prelu(call),
    "QLinearConv": lambda call, _: _make_conv(call, 3, 8),
    "QLinearMatMul": lambda call, _: _make_matmul(call, 3),
    "ReduceMean": lambda call, _: _make_mean(call),
    "Relu": lambda *_: layers.ReLU,
    "Softmax": lambda call, _: _make_softmax(call),
    **{kind: lambda call, kind: _make_merge(call, kind) for kind in MERGES},
    **{kind: lambda _, kind: partial(layers.Activation, WORDS[kind]) for kind in WORDS},
    **{
        kind: lambda call, _: rearranged(call.shape(0), call.output, _ours(call.output))
        for kind in ("Reshape", "Squeeze", "Unsqueeze")
    },
    "Transpose": lambda call, _: transposed(call.shape(0), call.get("perm") or list(range(len(call.shape(0))))[::-1]),
}
"""The layer that an operator may be, if its arguments are such; whether it is one is tried."""


def _ours(shape: Shape) -> Shape:
    return shape[1:] if shape and shape[0] == 1 else shape
