"""Small graphs of ONNX, and mutations of their fields; `onnx` need not be installed to import this."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from support.onnx_graphs import branch_of, constant, model_of, weight

if TYPE_CHECKING:
    from random import Random

NUMBERS = [0, -1, 1, 2, 3, 4, 7, 8, 16, 255, 4096, 2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1, -(2**63)]
REALS = [0.0, -1.0, 1.0, 1.5, 1e30, float("nan"), float("inf")]
TEXTS = ["", "x", "y", "a", "é", "a\nb", "a" * 3000, "NOTSET", "SAME_LOWER", "bij,bjk->bik", "...i->i", "com.example"]
OUTSIDE = "weights.bin"
"""A file that is there, beside the graph."""
PATHS = ["../../../etc/passwd", "/etc/passwd", "/dev/zero", OUTSIDE, OUTSIDE, OUTSIDE, "", "\x00"]


@cache
def seeds() -> list[bytes]:
    """The graphs that are mutated."""
    made = [_image(8, 8), _image("h", None), _attention(5), _attention("steps"), _shapes()]
    return [each.SerializeToString() for each in (*made, _cell(), _quantised(), _function(), _branches())]


def _image(*sides: Any) -> Any:
    from onnx import helper

    nodes = [
        helper.make_node("Conv", ["x", "stem.weight", "stem.bias"], ["a"], "/stem/Conv", pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["a", "g", "b", "m", "v"], ["n"], "/norm"),
        helper.make_node("Relu", ["n"], ["r"], "/Relu"),
        helper.make_node("Conv", ["r", "deep.weight"], ["d"], "/deep/Conv", group=4, auto_pad="SAME_UPPER"),
        helper.make_node("Add", ["r", "d"], ["s"], "/Add"),
        helper.make_node("MaxPool", ["s"], ["p"], "/MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("ConvTranspose", ["p", "up.weight"], ["u"], "/up", strides=[2, 2], output_padding=[1, 1]),
        helper.make_node("Concat", ["u", "u"], ["c"], "/cat", axis=1),
        helper.make_node("GlobalAveragePool", ["c"], ["q"], "/Global"),
        helper.make_node("Flatten", ["q"], ["f"], "/Flatten"),
        helper.make_node("Gemm", ["f", "head.weight", "head.bias"], ["y"], "/head/Gemm", transB=1),
    ]
    weights = [weight("stem.weight", 4, 3, 3, 3), weight("stem.bias", 4), *(weight(name, 4) for name in "gbmv")]
    weights += [weight("deep.weight", 4, 1, 3, 3), weight("up.weight", 4, 2, 3, 3)]
    return model_of(nodes, [*weights, weight("head.weight", 5, 4), weight("head.bias", 5)], ("n", 3, *sides))


def _attention(steps: Any) -> Any:
    from onnx import helper

    nodes = [
        helper.make_node("LayerNormalization", ["x", "scale"], ["n"], "norm"),
        helper.make_node("MatMul", ["n", "w"], ["q"], "query"),
        helper.make_node("Reshape", ["q", "heads"], ["r"], "split"),
        helper.make_node("Transpose", ["r"], ["t"], "turn", perm=[0, 2, 1, 3]),
        helper.make_node("Transpose", ["r"], ["k"], "turn_keys", perm=[0, 2, 3, 1]),
        helper.make_node("MatMul", ["t", "k"], ["s"], "scores"),
        helper.make_node("Softmax", ["s"], ["p"], "softmax", axis=-1),
        helper.make_node("Einsum", ["p", "t"], ["o"], "sum", equation="bhij,bhjk->bhik"),
        helper.make_node("ReduceMean", ["o"], ["y"], "mean", axes=[1, 2], keepdims=0),
    ]
    return model_of(nodes, [weight("scale", 8), weight("w", 8, 8), constant("heads", [0, 0, 2, 4])], ("n", steps, 8))


def _shapes() -> Any:
    """Shapes that are computed, and what makes large tensors of small ones."""
    from onnx import helper, numpy_helper

    one = numpy_helper.from_array(np.ones(1, dtype=np.float32), "one")
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"], axis=0),
        helper.make_node("Unsqueeze", ["n", "axes"], ["u"]),
        helper.make_node("Mul", ["two", "eight"], ["m"]),
        helper.make_node("Concat", ["u", "minus", "m"], ["t"], axis=0),
        helper.make_node("Reshape", ["x", "t"], ["r"]),
        helper.make_node("ConstantOfShape", ["m"], ["filled"], value=one),
        helper.make_node("Expand", ["filled", "m"], ["wide"]),
        helper.make_node("Range", ["zero", "count", "step"], ["range"]),
        helper.make_node("Tile", ["r", "times"], ["tiled"]),
        helper.make_node("Slice", ["tiled", "axes", "two", "axes"], ["part"]),
        helper.make_node("Resize", ["part", "", "scales"], ["large"], mode="nearest"),
        helper.make_node("Pad", ["large", "pads"], ["padded"]),
        helper.make_node("MatMul", ["padded", "w"], ["y"], "product"),
    ]
    own = {"zero": 0, "axes": [0], "two": [2], "eight": [8], "minus": [-1], "count": 4, "step": 1, "times": [1, 1, 1]}
    constants = [constant(name, value) for name, value in own.items()]
    constants += [constant("pads", [0] * 6), weight("scales", 3), weight("w", 16, 4)]
    return model_of(nodes, constants, ("n", 3, 8, 8))


def _cell() -> Any:
    from onnx import helper

    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        helper.make_node("LSTM", ["t", "w", "r", "b"], ["o", "h"], "cell", hidden_size=3, direction="bidirectional"),
        helper.make_node("Squeeze", ["h", "axis"], ["f"]),
        helper.make_node("Split", ["o"], ["first", "second"], axis=1),
        helper.make_node("Mul", ["first", "second"], ["y"]),
    ]
    weights = [weight("w", 2, 12, 4), weight("r", 2, 12, 3), weight("b", 2, 24), constant("axis", [1])]
    return model_of(nodes, weights, (1, 6, 4))


def _quantised() -> Any:
    from onnx import helper

    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("QLinearConv", ["q", "s", "z", "w", "s", "zw", "s", "z", "b"], ["c"], "conv", pads=[1] * 4),
        helper.make_node("QLinearAdd", ["c", "s", "z", "c", "s", "z", "s", "z"], ["a"], "add", domain="com.microsoft"),
        helper.make_node("DequantizeLinear", ["a", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["v", "s"], ["dv"]),
        helper.make_node("Conv", ["d", "dv"], ["y"], "second"),
    ]
    weights = [weight("s"), weight("z", kind=np.uint8), weight("zw", kind=np.int8)]
    weights += [weight("w", 2, 3, 3, 3, kind=np.int8), weight("b", 2, kind=np.int32)]
    return model_of(nodes, [*weights, weight("v", 4, 2, 1, 1, kind=np.int8)], (1, 3, 6, 6))


def _branches() -> Any:
    """Graphs within the graph, one in the other, of which one is taken."""
    from onnx import helper

    wide = branch_of([helper.make_node("MatMul", ["a", "w"], ["b"])], [weight("w", 5, 7)])
    inner = helper.make_node("If", ["yes"], ["c"], then_branch=wide, else_branch=wide)
    outer = branch_of([helper.make_node("MatMul", ["x", "w"], ["a"]), inner], [weight("w", 4, 5)])
    nodes = [
        helper.make_node("Not", ["yes"], ["no"]),
        helper.make_node("If", ["no"], ["y"], then_branch=wide, else_branch=outer),
    ]
    return model_of(nodes, [constant("yes", True, kind=bool)], (1, 4))


def _function() -> Any:
    """Functions of the file that call each other."""
    from onnx import helper

    imports = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]

    def calls(name: str, kind: str, domain: str) -> Any:
        inner = [
            helper.make_node(kind, ["i"], ["h"], "one", domain=domain),
            helper.make_node(kind, ["h"], ["o"], "two", domain=domain),
        ]
        return helper.make_function("own", name, ["i"], ["o"], inner, imports)

    functions = [calls("Second", "First", "own"), calls("First", "Relu", "")]
    nodes = [
        helper.make_node("Second", ["x"], ["a"], "call", domain="own"),
        helper.make_node("Dropout", ["a"], ["y"], "out"),
    ]
    return model_of(nodes, [weight("unused", 3, 2)], (1, 4), functions=functions)


def mutated(rng: Random, content: bytes) -> bytes:
    """A graph with some fields changed, left out, doubled, or filled with others."""
    import onnx

    model = onnx.ModelProto.FromString(content)
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        found: list[tuple[Any, Any]] = []
        _fields(model, found)
        _change(rng, *rng.choice(found), found)
    return bytes(model.SerializeToString())


def _fields(message: Any, found: list[tuple[Any, Any]]) -> None:
    """Every field that is set, with the message that has it."""
    for descriptor, value in message.ListFields():
        found.append((message, descriptor))
        if descriptor.type == descriptor.TYPE_MESSAGE:
            for each in value if _is_repeated(descriptor) else (value,):
                _fields(each, found)


def _is_repeated(descriptor: Any) -> bool:
    own = getattr(descriptor, "is_repeated", None)
    return bool(own) if own is not None else descriptor.label == descriptor.LABEL_REPEATED


def _change(rng: Random, message: Any, descriptor: Any, found: list[tuple[Any, Any]]) -> None:
    name, kind = descriptor.name, type(message).__name__
    if kind == "TensorProto" and rng.random() < 0.3:
        message.ClearField("raw_data")
        message.data_location = 1
        message.external_data.add(key="location", value=rng.choice(PATHS))
        return
    if _is_repeated(descriptor):
        values = getattr(message, name)
        place, drawn = rng.randrange(len(values)), rng.random()
        if drawn < 0.25:
            del values[place]
        elif drawn < 0.5:
            more = values[place]
            values.extend([more] * rng.choice([1, 1, 1, 40]))
        elif drawn < 0.6 and len(values) > 1:
            order = list(values)
            rng.shuffle(order)
            del values[:]
            values.extend(order)
        elif descriptor.type == descriptor.TYPE_MESSAGE:
            values[place].CopyFrom(_other(rng, type(values[place]), found) or values[place])
        else:
            values[place] = _value(rng, descriptor, found)
    elif rng.random() < 0.2:
        message.ClearField(name)
    elif descriptor.type == descriptor.TYPE_MESSAGE:
        own = getattr(message, name)
        own.CopyFrom(_other(rng, type(own), found) or own)
    else:
        setattr(message, name, _value(rng, descriptor, found))


def _other(rng: Random, kind: Any, found: list[tuple[Any, Any]]) -> Any:
    """Another message of the same type."""
    alike = []
    for message, descriptor in found:
        if descriptor.type == descriptor.TYPE_MESSAGE and descriptor.message_type is kind.DESCRIPTOR:
            value = getattr(message, descriptor.name)
            alike += list(value) if _is_repeated(descriptor) else [value]
    if not alike:
        return None
    copy = kind()  # One may hold the other, where a graph is within a graph.
    copy.CopyFrom(rng.choice(alike))
    return copy


def _value(rng: Random, descriptor: Any, found: list[tuple[Any, Any]]) -> Any:
    """An odd value of the type of a field, or one of another field of this type."""
    if rng.random() < 0.4:
        alike = [
            each for each in found if each[1].type == descriptor.type and each[1].enum_type == descriptor.enum_type
        ]
        message, other = rng.choice(alike)
        value = getattr(message, other.name)
        return rng.choice(list(value)) if _is_repeated(other) else value
    kind = descriptor.cpp_type
    if kind in (descriptor.CPPTYPE_DOUBLE, descriptor.CPPTYPE_FLOAT):
        return rng.choice(REALS)
    if kind == descriptor.CPPTYPE_STRING:
        text = rng.choice(TEXTS)
        return text.encode() if descriptor.type == descriptor.TYPE_BYTES else text
    if kind == descriptor.CPPTYPE_ENUM:
        return rng.choice(descriptor.enum_type.values).number
    value = rng.choice(NUMBERS)
    return value if kind == descriptor.CPPTYPE_INT64 else max(-(2**31), min(value, 2**31 - 1))
