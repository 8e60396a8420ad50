"""Graphs of ONNX as spaces: weights, products and shapes, quantised operators, and files that are not well formed."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import archbudget as ab
from archbudget.errors import ArchbudgetError, FileError, SpaceError, TranslationError
from support.onnx_graphs import branch_of, constant, model_of, weight

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

FLOAT = TensorProto.FLOAT


def network(opset: int = 17, batch: Any = "batch") -> Any:
    """A convolution, a residual sum, a pooling and a head."""
    nodes = [
        helper.make_node("Conv", ["x", "stem.weight", "stem.bias"], ["a"], "/stem/Conv", pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["a", "g", "b", "m", "v"], ["n"], "/norm/BatchNormalization"),
        helper.make_node("Relu", ["n"], ["r"], "/Relu"),
        helper.make_node("Conv", ["r", "deep.weight"], ["d"], "/deep/Conv", group=4, auto_pad="SAME_UPPER"),
        helper.make_node("Add", ["r", "d"], ["s"], "/Add"),
        helper.make_node("MaxPool", ["s"], ["p"], "/MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["p"], ["q"], "/Global"),
        helper.make_node("Flatten", ["q"], ["f"], "/Flatten"),
        helper.make_node("Gemm", ["f", "head.weight", "head.bias"], ["y"], "/head/Gemm", transB=1),
    ]
    weights = [weight("stem.weight", 4, 3, 3, 3), weight("stem.bias", 4), *(weight(name, 4) for name in "gbmv")]
    weights += [weight("deep.weight", 4, 1, 3, 3), weight("head.weight", 5, 4), weight("head.bias", 5)]
    return model_of(nodes, weights, (batch, 3, 8, 8), opset=opset)


@pytest.mark.parametrize("opset", range(11, min(onnx.defs.onnx_opset_version(), 24) + 1))
def test_a_network_of_each_version(opset: int) -> None:
    arch = ab.from_onnx(network(opset)).architecture()
    assert arch.params == 4 * 27 + 4 + 16 + 36 + 25
    assert arch.params - arch.trainable_params == 8
    assert arch.macs == 64 * 4 * 27 + 64 * 36 + 20
    assert [(layer.name, layer.type) for layer in arch.layers] == [
        ("x", "Input"),
        ("stem", "Conv2D"),
        ("norm.BatchNormalization", "BatchNormalization"),
        ("Relu", "ReLU"),
        ("deep", "Conv2D"),
        ("Add", "Add"),
        ("MaxPool", "MaxPooling2D"),
        ("Global", "GlobalAveragePooling2D"),
        ("Flatten", "Flatten"),
        ("head", "Dense"),
    ]
    assert arch.layers[-1].output_shape == (5,)


def test_a_file_an_object_and_a_file_with_weights_elsewhere(tmp_path: Path) -> None:
    model = network()
    expected = ab.from_onnx(model).architecture()
    onnx.save(model, tmp_path / "model.onnx")
    for tensor in model.graph.initializer:
        if tensor.name == "stem.weight":
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="../../../etc/passwd")
    (tmp_path / "outside.onnx").write_bytes(model.SerializeToString())
    for file in ("model.onnx", "outside.onnx"):
        arch = ab.from_onnx(tmp_path / file).architecture()
        assert (arch.params, arch.macs) == (expected.params, expected.macs)


def test_shared_weights_count_once_and_unused_ones_too() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["a"], "first", pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["a", "w", "b"], ["c"], "second", pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["c", "w"], ["y"], "third", pads=[1, 1, 1, 1]),
    ]
    model = model_of(nodes, [weight("w", 3, 3, 3, 3), weight("b", 3), weight("aside.weight", 7, 2)])
    arch = ab.from_onnx(model).architecture()
    assert arch.params == 81 + 3 + 14
    assert arch.macs == 3 * 81 * 64
    assert [layer.type for layer in arch.layers] == ["Input", "Conv2D", "Conv2D", "Operation", "Unused"]


def test_shapes_that_the_graph_computes() -> None:
    """x.view(x.shape[0], -1, 2 * 8), as exporters write it."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"], axis=0),
        helper.make_node("Unsqueeze", ["n", "axes"], ["u"]),
        helper.make_node("Mul", ["two", "eight"], ["m"]),
        helper.make_node("Concat", ["u", "minus", "m"], ["t"], axis=0),
        helper.make_node("Reshape", ["x", "t"], ["r"]),
        helper.make_node("MatMul", ["r", "w"], ["y"], "product"),
    ]
    small = {"zero": 0, "axes": [0], "two": [2], "eight": [8], "minus": [-1]}
    constants = [numpy_helper.from_array(np.array(value, dtype=np.int64), name) for name, value in small.items()]
    arch = ab.from_onnx(model_of(nodes, [*constants, weight("w", 16, 10)], ("n", 3, 8, 8))).architecture()
    assert [layer.output_shape for layer in arch.layers] == [(3, 8, 8), (12, 16), (12, 10)]
    assert (arch.params, arch.macs) == (160, 12 * 160)


def test_quantised_weights_have_their_bits() -> None:
    quantised = [
        helper.make_node("QuantizeLinear", ["x", "sx", "zx"], ["qx"]),
        helper.make_node("DequantizeLinear", ["qx", "sx", "zx"], ["dx"]),
        helper.make_node("DequantizeLinear", ["w", "sw", "zw"], ["dw"]),
        helper.make_node("DequantizeLinear", ["b", "sb"], ["db"]),
        helper.make_node("Conv", ["dx", "dw", "db"], ["y"], "conv"),
    ]
    scales = [
        weight("sx"),
        weight("zx", kind=np.uint8),
        weight("sw", 4),
        weight("zw", 4, kind=np.int8),
        weight("sb", 4),
    ]
    model = model_of(quantised, [*scales, weight("w", 4, 3, 3, 3, kind=np.int8), weight("b", 4, kind=np.int32)])
    arch = ab.from_onnx(model).architecture()
    assert (arch.params, arch.macs) == (108 + 4, 36 * 108)
    assert arch.weight_bytes == 108 + 16
    assert [(layer.name, layer.weight_bits) for layer in arch.layers if layer.params] == [
        ("conv", 8),
        ("conv.bias", 32),
    ]


def test_operators_on_quantised_values() -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node(
            "QLinearConv", ["q", "s", "z", "w", "s", "zw", "s", "z", "b"], ["c"], "conv", pads=[1, 1, 1, 1]
        ),
        helper.make_node("QLinearAdd", ["c", "s", "z", "c", "s", "z", "s", "z"], ["a"], "add", domain="com.microsoft"),
        helper.make_node("Reshape", ["a", "t"], ["r"]),
        helper.make_node("QLinearMatMul", ["r", "s", "z", "m", "s", "zw", "s", "z"], ["p"], "product"),
        helper.make_node("DequantizeLinear", ["p", "s", "z"], ["y"]),
    ]
    scales = [weight("s"), weight("z", kind=np.uint8), weight("zw", kind=np.int8)]
    shape = numpy_helper.from_array(np.array([1, -1], dtype=np.int64), "t")
    own = [weight("w", 2, 3, 3, 3, kind=np.int8), weight("b", 2, kind=np.int32), weight("m", 128, 10, kind=np.int8)]
    arch = ab.from_onnx(model_of(nodes, [*scales, shape, *own])).architecture()
    assert (arch.params, arch.macs) == (54 + 2 + 1280, 64 * 54 + 1280)
    assert arch.weight_bytes == 54 + 8 + 1280


def test_half_precision() -> None:
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], "conv")]
    model = model_of(nodes, [weight("w", 4, 3, 3, 3, kind=np.float16)], kind=TensorProto.FLOAT16)
    arch = ab.from_onnx(model).architecture()
    assert (arch.params, arch.weight_bytes) == (108, 216)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("directions", [1, 2])
def test_recurrent_operators(kind: str, directions: int) -> None:
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    direction = "forward" if directions == 1 else "bidirectional"
    node = helper.make_node(kind, ["x", "w", "r", "b"], ["y"], "cell", hidden_size=6, direction=direction)
    weights = [weight("w", directions, gates * 6, 5), weight("r", directions, gates * 6, 6)]
    model = model_of([node], [*weights, weight("b", directions, 2 * gates * 6)], (7, 1, 5))
    with pytest.raises(SpaceError, match="a batch of 7"):
        ab.from_onnx(model)
    turned = [helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]), node]
    turned[1].input[0] = "t"
    model = model_of(turned, list(model.graph.initializer), (1, 7, 5))
    arch = ab.from_onnx(model).architecture()
    assert arch.params == directions * gates * 6 * (5 + 6 + 2)
    assert arch.macs == 7 * directions * gates * 6 * (5 + 6)


def test_open_sides_are_unknown_until_they_are_given() -> None:
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], "conv")]
    model = model_of(nodes, [weight("w", 4, 3, 3, 3)], ("n", 3, "h", "w"))
    space = ab.from_onnx(model)
    arch = space.architecture()
    assert (arch.params, arch.macs, arch.peak_activation_bytes) == (108, None, None)
    assert arch.layers[-1].output_shape == (4, None, None)
    arch = ab.from_onnx(model, input_shapes={"x": (3, 10, 12)}).architecture()
    assert arch.layers[-1].output_shape == (4, 8, 10)
    assert space.with_sides((3, 10, 12)).architecture().macs == arch.macs
    for given in ((3, 10, 12), [(3, 10, 12)]):
        assert ab.from_onnx(model, input_shapes=given).architecture().macs == arch.macs
    with pytest.raises(SpaceError, match="the graph has 1 inputs, not 2"):
        ab.from_onnx(model, input_shapes=[(3, 10, 12), (3,)])
    with pytest.raises(SpaceError, match="there is no input 'z'; there are x"):
        ab.from_onnx(model, input_shapes={"z": (3, 10, 12)})


@pytest.mark.skipif(onnx.defs.onnx_opset_version() < 23, reason="this onnx has no Attention")
@pytest.mark.parametrize("earlier", [0, 3])
@pytest.mark.parametrize("axes", [3, 4])
def test_attention_looks_at_earlier_keys_too(earlier: int, axes: int) -> None:
    heads, steps, size = 2, 5, 4
    shape = (1, heads, steps, size) if axes == 4 else (1, steps, heads * size)
    past = [weight("pk", 1, heads, earlier, size), weight("pv", 1, heads, earlier, size)] if earlier else []
    node = helper.make_node(
        "Attention",
        ["x", "x", "x", *(["", "pk", "pv"] if earlier else [])],
        ["y", *(["k", "v"] if earlier else [])],
        "attention",
        **({"q_num_heads": heads, "kv_num_heads": heads} if axes == 3 else {}),
    )
    arch = ab.from_onnx(model_of([node], past, shape, opset=23)).architecture()
    assert arch.macs == 2 * heads * steps * (steps + earlier) * size


def upsampled() -> Any:
    """What a convolution halves is made as large as the input was, by sides that the graph computes."""
    nodes = [
        helper.make_node("Conv", ["x", "stem"], ["a"], "conv", strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Slice", ["s", "two", "four", "zero"], ["sides"]),
        helper.make_node("Shape", ["a"], ["own"]),
        helper.make_node("Slice", ["own", "zero", "two", "zero"], ["channels"]),
        helper.make_node("Concat", ["channels", "sides"], ["size"], axis=0),
        helper.make_node("Resize", ["a", "", "", "size"], ["large"]),
        helper.make_node("Conv", ["large", "head"], ["y"], "last"),
    ]
    constants = [constant("two", [2]), constant("four", [4]), constant("zero", [0])]
    return model_of(nodes, [weight("stem", 4, 3, 3, 3), weight("head", 5, 4, 1, 1), *constants], ("n", 3, "h", "w"))


def attending() -> Any:
    """Attention with a table of positions that is as long as 512."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Slice", ["s", "one", "two", "zero"], ["steps"]),
        helper.make_node("Slice", ["positions", "zero", "steps", "one"], ["p"]),
        helper.make_node("Add", ["x", "p"], ["e"]),
        helper.make_node("MatMul", ["e", "w"], ["q"], "query"),
        helper.make_node("Transpose", ["q"], ["k"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "k"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["weights"]),
        helper.make_node("MatMul", ["weights", "q"], ["y"]),
    ]
    constants = [constant("one", [1]), constant("two", [2]), constant("zero", [0])]
    return model_of(nodes, [weight("positions", 1, 512, 8), weight("w", 8, 8), *constants], ("n", "steps", 8))


def heads() -> Any:
    """A sum over unknown sides, and a part that does not depend on them."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[2, 3], keepdims=0),
        helper.make_node("Gemm", ["m", "w"], ["y"], "head", transB=1),
        helper.make_node("Relu", ["x"], ["lost"], "aside"),
    ]
    return model_of(nodes, [weight("w", 5, 3)], ("n", 3, None, None))


def rests() -> Any:
    """A tensor with one row more than the rest of an open side by 32."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Slice", ["s", "two", "three", "zero"], ["high"]),
        helper.make_node("Mod", ["high", "step"], ["rest"]),
        helper.make_node("Add", ["rest", "one"], ["rows"]),
        helper.make_node("Slice", ["x", "zero", "rows", "two"], ["y"], "part"),
    ]
    small = {"zero": 0, "one": 1, "two": 2, "three": 3, "step": 32}
    return model_of(nodes, [constant(name, [value]) for name, value in small.items()], ("n", 3, "h", "w"))


@pytest.mark.parametrize(
    ("model", "shapes"),
    [
        (rests, [(3, 64, 5), (3, 65, 5), (3, 95, 960)]),
        (upsampled, [(3, 32, 48), (3, 21, 5), (3, 960, 1)]),
        (attending, [(7, 8), (64, 8), (512, 8)]),
        (heads, [(3, 4, 5), (3, 1, 1)]),
        (network, [(3, 8, 8)]),
    ],
)
def test_what_is_known_of_open_sides_holds_for_each_number(model: Any, shapes: list[Any]) -> None:
    whole = model()
    arch = ab.from_onnx(whole).architecture()
    for shape in shapes:
        given = ab.from_onnx(whole, input_shapes=[shape]).architecture()
        assert (given.params, given.trainable_params) == (arch.params, arch.trainable_params)
        assert len(given.layers) == len(arch.layers)
        for one, other in zip(arch.layers, given.layers, strict=True):
            assert one.macs in (None, other.macs)
            assert all(side in (None, own) for side, own in zip(one.output_shape, other.output_shape, strict=True))


def test_a_record_of_unknown_sides_is_not_taken_for_known_ones() -> None:
    space = ab.from_onnx(upsampled())
    for side in (32, 5_040, 10_080, 20_160):
        with pytest.raises(SpaceError, match="'large' is known only as it was recorded for unknown sides"):
            space.with_sides((3, side, side))


def test_a_weight_that_an_open_side_decides_is_refused() -> None:
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("Gemm", ["f", "w"], ["y"], "head", transB=1),
    ]
    model = model_of(nodes, [weight("w", 10, 192)], ("n", 3, "h", "w"))
    with pytest.raises(TranslationError, match=r"Gemm.*It has open sides: give input_shapes=\{\"x\": "):
        ab.from_onnx(model)
    assert ab.from_onnx(model, input_shapes=(3, 8, 8)).architecture().params == 1920


def test_a_file_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    onnx.save(network(), file)
    arch = ab.from_onnx(file).architecture()
    assert ab.assert_within(str(file), ab.Budget(params=arch.params)) is None
    with pytest.raises(AssertionError, match="stem"):
        ab.assert_within(str(file), ab.Budget(params=arch.params - 1))


def test_all_that_is_not_known_is_named_at_once() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], "fine"),
        helper.make_node("Own", ["a"], ["b"], "mine", domain="com.example"),
        helper.make_node("Det", ["x"], ["c"], "volume"),
        helper.make_node("NonZero", ["x"], ["d"], "where"),
        helper.make_node("Add", ["b", "x"], ["y"], "after"),
    ]
    with pytest.raises(TranslationError) as caught:
        ab.from_onnx(model_of(nodes, []))
    assert {(name, kind) for name, kind, _ in caught.value.parts} == {
        ("mine", "com.example.Own"),
        ("volume", "Det"),
        ("where", "NonZero"),
    }


def test_values_in_other_files_are_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`onnx` opens them when it computes with a constant that is an attribute."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sides.bin").write_bytes(np.array([192], dtype=np.int64).tobytes())
    size = numpy_helper.from_array(np.array([192], dtype=np.int64), "size")
    nodes = [
        helper.make_node("ConstantOfShape", ["one"], ["sides"], value=size),
        helper.make_node("Reshape", ["x", "sides"], ["y"]),
    ]
    one = numpy_helper.from_array(np.array([1], dtype=np.int64), "one")
    assert ab.from_onnx(model_of(nodes, [one])).architecture().layers[-1].output_shape == (192,)
    size.ClearField("raw_data")
    size.data_location = TensorProto.EXTERNAL
    size.external_data.add(key="location", value="sides.bin")
    nodes[0] = helper.make_node("ConstantOfShape", ["one"], ["sides"], value=size)
    with pytest.raises(TranslationError, match="the shape of its output is not known"):
        ab.from_onnx(model_of(nodes, [one]))


def function_of(name: str, kind: str, domain: str = "own") -> Any:
    """A function that calls another one twice."""
    inner = [helper.make_node(kind, ["i"], ["h"], domain=domain), helper.make_node(kind, ["h"], ["o"], domain=domain)]
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["i"], ["o"], inner, imports)


def test_a_name_that_is_no_text() -> None:
    content = network().SerializeToString()
    for name in (b"stem.weight", b"/deep/Conv", b"Gemm", b"auto_pad"):
        model = onnx.ModelProto()
        model.ParseFromString(content.replace(name, b"\xff" * len(name)))
        with pytest.raises(SpaceError, match=r"a name in it is no text"):
            ab.from_onnx(model)


@pytest.mark.parametrize("depth", [3, 40, 400])
def test_functions_that_double_each_other(depth: int) -> None:
    functions = [function_of("F0", "Relu", ""), *(function_of(f"F{at}", f"F{at - 1}") for at in range(1, depth))]
    model = model_of([helper.make_node(f"F{depth - 1}", ["x"], ["y"], domain="own")], [])
    model.opset_import.add(domain="own", version=1)
    model.functions.extend(functions)
    if depth == 3:
        assert len(ab.from_onnx(model).architecture().layers) == 1 + 8
    else:
        with pytest.raises(SpaceError, match="layers or more; at most 65,536 are read"):
            ab.from_onnx(model)
    model.functions[0].node[0].op_type, model.functions[0].node[0].domain = f"F{depth - 1}", "own"
    with pytest.raises(SpaceError, match="calls itself"):
        ab.from_onnx(model)


def changed(change: Any) -> Any:
    model = network()
    change(model)
    return model


def _cycle(model: Any) -> None:
    model.graph.node[0].input[0] = "y"


def _huge(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 2**40


def _huge_weight(model: Any) -> None:
    model.graph.initializer[0].dims[0] = 2**40


def _huge_constant(model: Any) -> None:
    side = numpy_helper.from_array(np.array([2**40, 2**20], dtype=np.int64), "side")
    model.graph.initializer.append(side)
    model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["side"], ["large"], "large"))


def _negative(model: Any) -> None:
    model.graph.initializer[0].dims[0] = -4


def _twice(model: Any) -> None:
    model.graph.node[2].output[0] = "a"


def _old(model: Any) -> None:
    model.opset_import[0].version = 9


def _no_operators(model: Any) -> None:
    del model.graph.node[:]


def _graph_inside(model: Any) -> None:
    model.graph.node.append(helper.make_node("If", ["y"], ["z"], then_branch=model.graph, else_branch=model.graph))


def _wrong_shapes(model: Any) -> None:
    model.graph.initializer[0].dims[1] = 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_cycle, "the graph is cyclic, or not in order"),
        (_huge, "must be an integer from 1 to 2,147,483,647"),
        (_huge_weight, "must be an integer from 1 to 2,147,483,647"),
        (_huge_constant, "must be an integer from 1 to 2,147,483,647"),
        (_negative, "must be an integer from 1"),
        (_twice, "'a' is made twice"),
        (_old, "operators of version 11 or newer are read, not 9"),
        (_no_operators, "it has no operators"),
        (_graph_inside, "its condition is known only when the network runs"),
        (_wrong_shapes, "does not go with 3 channels"),
    ],
)
def test_a_graph_that_is_not_well_formed_is_one_line(change: Any, message: str) -> None:
    with pytest.raises(ArchbudgetError) as caught:
        ab.from_onnx(changed(change))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", [None, 3, b"", "no/such/file.onnx", {}])
def test_what_is_no_graph_is_refused(given: Any) -> None:
    with pytest.raises(SpaceError):
        ab.from_onnx(given)


def test_broken_files_are_one_line(tmp_path: Path) -> None:
    """Any bytes are read, or refused in one line; nothing large is allocated."""
    whole = network().SerializeToString()
    rng = Random(0)
    file = tmp_path / "model.onnx"
    refused = 0
    for number in range(400):
        content = bytearray(whole)
        if number % 4 == 0:
            content = content[: rng.randrange(len(content))]
        else:
            for _ in range(rng.randint(1, 6)):
                content[rng.randrange(len(content))] = rng.randrange(256)
        file.write_bytes(bytes(content))
        try:
            ab.from_onnx(file).architecture()
        except ArchbudgetError as error:
            refused += 1
            assert "\n" not in str(error)
            assert len(str(error)) <= 2000
    assert refused > 100
    file.write_bytes(b"")
    with pytest.raises(SpaceError, match="is no graph of ONNX"):
        ab.from_onnx(file)
    with pytest.raises(FileError):
        ab.from_onnx(tmp_path)


EXPORTED = ("resnet18", "mobilenet_v3_small", "efficientnet_b0", "shufflenet_v2_x0_5", "vit_b_16", "convnext_tiny")


@pytest.mark.torch
@pytest.mark.parametrize("name", EXPORTED)
def test_what_pytorch_exports_multiplies_as_the_module_does(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    models = pytest.importorskip("torchvision.models")
    module = models.get_model(name).eval()
    with torch.no_grad():  # Equal weights would become one.
        for value in module.state_dict().values():
            if value.is_floating_point():
                value.uniform_(0.5, 1.5)
    file = tmp_path / "model.onnx"
    torch.onnx.export(module, (torch.zeros(1, 3, 224, 224),), file, dynamo=False, opset_version=17)
    arch = ab.from_onnx(file).architecture()
    expected = ab.from_torch(module, (3, 224, 224)).architecture()
    assert arch.macs == expected.macs
    # Batch normalisation becomes part of the convolution before it: of four numbers a channel one is left, its bias.
    folded = sum(3 * layer.output_shape[0] for layer in expected.layers if layer.type == "BatchNormalization")
    assert abs(arch.params - (expected.params - folded)) < 0.01 * expected.params


def test_an_unknown_operator_keeps_its_shape_and_its_macs_are_unknown() -> None:
    nodes = [
        helper.make_node("Det", ["x"], ["d"], "volume"),
        helper.make_node("Mul", ["d", "scale"], ["y"], "after"),
    ]
    model = model_of(nodes, [weight("scale", 5)], shape=[1, 5, 3, 3])
    with pytest.raises(TranslationError, match="'volume' .Det.: its multiply-accumulates are not known"):
        ab.from_onnx(model)
    arch = ab.from_onnx(model, strict=False).architecture()
    assert (arch.params, arch.macs) == (5, None)
    assert [record.output_shape for record in arch.layers] == [(5, 3, 3), (5,), (5,)]


def chosen(node: str, condition: list[Any], constants: list[Any], shape: Any = (1, 4)) -> Any:
    """A graph that takes one of two products: by 5 or by 7 columns."""
    branches = {
        f"{name}_branch": branch_of(
            [helper.make_node("MatMul", ["x", "w"], ["out"])], [weight("w", shape[-1], columns)]
        )
        for name, columns in (("then", 5), ("else", 7))
    }
    nodes = [
        *condition,
        helper.make_node("If", [node], ["made"], **branches),
        helper.make_node("Relu", ["made"], ["y"]),
    ]
    return model_of(nodes, constants, shape)


def test_a_branch_whose_condition_is_known_is_read() -> None:
    for value, columns in ((True, 5), (False, 7)):
        arch = ab.from_onnx(chosen("yes", [], [constant("yes", value, kind=bool)])).architecture()
        assert (arch.params, arch.macs) == (4 * columns, 4 * columns)
        assert arch.layers[-1].output_shape == (columns,)
    asks = [
        helper.make_node("Shape", ["x"], ["sides"]),
        helper.make_node("Gather", ["sides", "last"], ["side"]),
        helper.make_node("Equal", ["side", "four"], ["is_four"]),
    ]
    constants = [constant("last", -1), constant("four", 4)]
    assert ab.from_onnx(chosen("is_four", asks, constants)).architecture().params == 4 * 5
    assert ab.from_onnx(chosen("is_four", asks, constants, (1, 3))).architecture().params == 3 * 7
    first = [asks[0], helper.make_node("Gather", ["sides", "one"], ["side"]), asks[2]]
    model = chosen("is_four", first, [constant("one", 1), constant("four", 4)], (1, "n", 3))
    with pytest.raises(TranslationError, match=r"\(If\): its condition is known only when .* It has open sides"):
        ab.from_onnx(model)
    assert ab.from_onnx(model, input_shapes={"x": (4, 3)}).architecture().params == 3 * 5
    assert ab.from_onnx(model, input_shapes={"x": (6, 3)}).architecture().params == 3 * 7


def test_branches_within_branches_read_what_is_around_them() -> None:
    def product(read: str, *sides: int) -> Any:
        return branch_of([helper.make_node("MatMul", [read, "w"], ["out"])], [weight("w", *sides)])

    inside = [
        helper.make_node("MatMul", ["x", "w"], ["wide"]),
        helper.make_node("If", ["yes"], ["z"], then_branch=product("wide", 5, 2), else_branch=product("wide", 5, 3)),
    ]
    outer = branch_of(inside, [weight("w", 4, 5)])
    node = helper.make_node("If", ["yes"], ["y"], then_branch=outer, else_branch=product("x", 4, 9))
    arch = ab.from_onnx(model_of([node], [constant("yes", True, kind=bool)], (1, 4))).architecture()
    assert (arch.params, arch.macs) == (4 * 5 + 5 * 2, 4 * 5 + 5 * 2)
