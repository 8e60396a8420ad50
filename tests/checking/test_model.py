"""A model in any form is one network."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import archbudget as ab
from archbudget import layers
from archbudget.checking import BITS, ReadOptions, network_of_model, read_shapes
from archbudget.errors import ArchbudgetError, SpaceError

LINEAR = ab.Space([layers.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10)], name="linear")
CHOICE = ab.Space([layers.Input((8,)), layers.Dense(ab.Int("units", 1, 4))], name="choice")
LLAMA = {
    "model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "vocab_size": 100,
    "num_attention_heads": 4, "max_position_embeddings": 16,
}  # fmt: skip
JSON = """{"class_name": "Sequential", "config": {"name": "tiny", "layers": [
    {"class_name": "Dense", "config": {"output_dim": 10, "batch_input_shape": [null, 784]}}
]}}"""


def read(model: object, **options: Any) -> ab.Architecture:
    return network_of_model(model, ReadOptions(**options)).arch


def test_spaces_and_networks_are_themselves() -> None:
    arch = LINEAR.architecture()
    assert read(arch) is arch
    assert read(LINEAR) == arch
    assert read(lambda: LINEAR) == arch
    assert network_of_model(LINEAR, ReadOptions()).name == "linear"
    assert read(CHOICE.architecture(units=2)).params == 18


def test_a_space_with_decisions_needs_their_values() -> None:
    with pytest.raises(SpaceError, match="choice is a space with 1 decisions, not one network.*'units'"):
        read(CHOICE)
    assert read(CHOICE, values=lambda _: {"units": 3}).params == 27
    with pytest.raises(SpaceError, match="whose decisions are taken"):
        read(CHOICE.architecture(units=2), values=lambda _: {"units": 3})


def test_files_are_read_by_what_is_in_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.json").write_text(JSON)
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    LINEAR.save(tmp_path / "space.yaml")
    (tmp_path / "own_models.py").write_text(
        "import archbudget as ab\nfrom archbudget import layers\n"
        "def tiny():\n    return ab.Space([layers.Input((3,)), layers.Dense(5)])\nSPACE = tiny()\nNUMBER = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("own_models", None)
    llama = ab.from_huggingface(LLAMA).architecture()
    assert read("model.json").params == read(tmp_path / "model.json").params == 7_850
    assert read("config.json").params == read(str(tmp_path)).params == llama.params
    assert read("space.yaml") == LINEAR.architecture()
    assert read("own_models:tiny").params == read("own_models:SPACE").params == 20
    with pytest.raises(SpaceError, match="own_models:NUMBER must be a model of Keras"):
        read("own_models:NUMBER")
    with pytest.raises(SpaceError, match="would be imported and called"):
        read("own_models:tiny", code=False)


def test_the_input_of_a_transformer_is_a_sequence(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    file = tmp_path / "config.json"
    for shape in ((8,), [8], [(8,)], {"input_ids": (8,)}):
        assert read(file, input_shape=shape).macs == ab.from_huggingface(LLAMA, 8).architecture().macs
    with pytest.raises(SpaceError, match=r"its shape is \(length,\), not \(8, 3\)"):
        read(file, input_shape=(8, 3))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.keras", None, "none.keras: No such file"),
        ("none.json", None, "none.json: No such file"),
        ("none.yaml", None, "there is no file none.yaml"),
        ("none", None, "there is no file none; a model is given as .keras"),
        ("model.bin", b"abc", "model.bin: what kind of model it is cannot be told from its name"),
        ("model.json", b"", "model.json is not JSON"),
        ("model.json", b'{"layers": {}', "model.json is not JSON"),
        ("model.json", b"[" * 100_000, "model.json is nested deeper than what is read"),
        ("model.json", b'{"a": 1}', "neither a model of Keras, which has a class_name, nor"),
        ("model.json", b'{"class_name": "Sequential"}', "config"),
        ("model.json", b"\xff\xfe", "model.json is not JSON"),
        ("config.json", b'{"model_type": "unheard of"}', "model_type='unheard of' is not known"),
        ("model.keras", b"PK\x03\x04" + bytes(100), "cannot be read as a .keras archive"),
        ("model.keras", b"\x80\x05pickle", "neither a .keras archive, nor HDF5, nor JSON"),
        ("space.yaml", b"layers: [", "space.yaml:2: not valid YAML"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(
    name: str, content: bytes | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ArchbudgetError) as caught:
        read(name)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_graph_of_onnx(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("x", ["batch", 3, "side", 8]), ("y", None))
    ]
    weight = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, (4, 3, 1, 1), [0.0] * 12)
    node = onnx.helper.make_node("Conv", ["x", "w"], ["y"], name="conv")
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [ends[0]], [ends[1]], [weight]))
    onnx.save(model, tmp_path / "model.onnx")
    for given in (model, tmp_path / "model.onnx"):
        for shape in ({"x": (3, 8, 8)}, (3, 8, 8), [(3, 8, 8)]):
            arch = read(given, input_shape=shape)
            assert (arch.params, arch.macs) == (12, 64 * 12)
    (tmp_path / "broken.onnx").write_bytes(b"\xff" * 50)
    with pytest.raises(SpaceError, match="broken.onnx is no graph of ONNX"):
        read(tmp_path / "broken.onnx")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "model.json")
    with pytest.raises(ArchbudgetError, match="a named pipe"):
        read(tmp_path / "model.json")


@pytest.mark.parametrize("kind", [kind for kind, bits in BITS.items() if bits % 8 == 0])
def test_types_set_the_bytes(kind: str) -> None:
    for model in (LINEAR, LINEAR.architecture()):
        arch = read(model, weights=kind, activations=kind)
        assert arch.weight_bytes == 7_850 * BITS[kind] // 8
        assert arch.peak_activation_bytes == LINEAR.architecture().peak_activation_bytes // 4 * BITS[kind] // 8


def test_unknown_types_are_refused() -> None:
    with pytest.raises(SpaceError, match="weights must be the name of a type, not 'int7'; did you mean int"):
        read(LINEAR, weights="int7")
    with pytest.raises(SpaceError, match="activations: 'int4' has 4 bits, which are no whole bytes"):
        read(LINEAR, activations="int4")


def test_shapes_as_they_are_typed() -> None:
    assert read_shapes([], "--input-shape") is None
    assert read_shapes(["32,32,3"], "--input-shape") == (32, 32, 3)
    assert read_shapes(["(128,)"], "--input-shape") == (128,)
    assert read_shapes(["32x32x3", "10"], "--input-shape") == [(32, 32, 3), (10,)]
    assert read_shapes(["a=32,32", "b=1"], "--input-shape") == {"a": (32, 32), "b": (1,)}
    for wrong in (["a"], [""], ["=3"], ["3,,3"], ["-1"], ["1.5"], ["a=3", "4"], ["a=3", "a=4"]):
        with pytest.raises(SpaceError, match="--input-shape"):
            read_shapes(wrong, "--input-shape")


OPEN = ab.Space([layers.Input((None, None, 3), name="image"), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()])


def test_unknown_sides_are_given_to_spaces_and_models() -> None:
    assert read(OPEN).macs is None
    for shape in ((8, 8, 3), {"image": (8, 8, 3)}):
        assert read(OPEN, input_shape=shape).macs == 36 * 27 * 4
    with pytest.raises(SpaceError, match="the model is one network, whose shapes are known"):
        read(OPEN.architecture(), input_shape=(8, 8, 3))


@layers.custom
def Gate(input_shape: tuple[int, ...]) -> layers.Counts:  # noqa: N802
    return layers.Counts(input_shape, trainable_params=5)


@pytest.mark.parametrize(("kind", "bits"), [("int4", 4), ("int2", 2), ("int1", 1)])
def test_weights_of_less_than_a_byte_are_rounded_up_by_layer(kind: str, bits: int) -> None:
    blocks = [
        layers.Dense(3),
        layers.Dense(5, weight_bits=16),
        Gate(),
        layers.TimeDistributed(layers.Dense(3, use_bias=False)),
        layers.Residual(layers.Repeat(2, layers.Dense(3))),
    ]
    arch = read(ab.Space([layers.Input((4, 6)), *blocks]), weights=kind)
    counts = [record.params for record in arch.layers if record.params]
    assert counts == [21, 20, 5, 15, 12, 12]
    assert arch.weight_bytes == sum(-(-count * (16 if count == 20 else bits) // 8) for count in counts)


class TestKeras:
    """Real models, and the files that Keras writes of them."""

    def test_each_form_of_a_model(self, tmp_path: Path) -> None:
        keras = pytest.importorskip("keras")
        model = keras.Sequential(
            [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(2)],
            name="small",
        )
        model.save(tmp_path / "model.keras")
        (tmp_path / "model.json").write_text(model.to_json())
        forms = [model, lambda: model, tmp_path / "model.keras", str(tmp_path / "model.json")]
        for form in forms:
            arch = read(form)
            assert arch.params == model.count_params() == 402
            assert [record.name for record in arch.layers][1:] == [layer.name for layer in model.layers]
        assert network_of_model(model, ReadOptions()).name == "small"

    def test_a_shape_is_passed_on(self) -> None:
        keras = pytest.importorskip("keras")
        model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(4, 3)])
        assert read(model, input_shape=(8, 8, 3)).macs == 36 * 27 * 4


@pytest.mark.torch
def test_a_module_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU())
    for shape in ((3, 8, 8), [(3, 8, 8)], {"image": (3, 8, 8)}):
        assert read(module, input_shape=shape).params == 224
    with pytest.raises(SpaceError, match="is a module of PyTorch: give its input_shape"):
        read(module)
