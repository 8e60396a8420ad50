"""Models of Keras as spaces: their weights, shapes and names are Keras' own."""

from __future__ import annotations

import itertools
import json
import math
import pickle
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

import archbudget as ab
from archbudget import layers
from archbudget.errors import InvalidArchitectureError, SpaceError, TranslationError

keras = pytest.importorskip("keras")

from support.keras_models import counts, differences  # noqa: E402
from support.layer_records import KINDS, one_layer_network  # noqa: E402
from support.random_keras_models import random_model  # noqa: E402

MODELS = Path(__file__).parent / "models"
VECTORS = Path(__file__).parents[1] / "vectors"


def read(model: Any, **arguments: Any) -> ab.Architecture:
    """The network of a model, the same as an object, as text, as a dict and as a whole."""
    arch = ab.from_keras(model, **arguments).architecture()
    text = model.to_json()
    for configuration in (text, json.loads(text), model.get_config()):
        again = ab.from_keras(configuration, **arguments).architecture()
        assert [record.output_shape for record in again.layers] == [record.output_shape for record in arch.layers]
        assert (again.params, again.macs) == (arch.params, arch.macs)
    assert not differences(model, arch)
    return arch


def test_the_question_of_the_second_convolution_from_the_json_of_keras_1() -> None:
    arch = ab.from_keras(MODELS / "mnist_cnn_keras_1.1.1.json").architecture()
    assert arch.layer("convolution2d_2").params == 51_264
    assert "(5*5*32 + 1) * 64 = 51,264" in str(arch.explain("convolution2d_2"))
    assert [record.output_shape for record in arch.layers] == [
        (28, 28, 1),
        (24, 24, 32),
        (12, 12, 32),
        (8, 8, 64),
        (4, 4, 64),
        (4, 4, 64),
        (1024,),
        (128,),
        (128,),
        (10,),
    ]
    assert arch.params == 832 + 51_264 + 1_025 * 128 + 129 * 10


def test_a_shared_model_of_keras_1() -> None:
    arch = ab.from_keras(MODELS / "shared_encoder_keras_1.1.1.json").architecture()
    assert (arch.params, arch.trainable_params) == (1_600 + 4 * 32 + 33, 1_600 + 2 * 32 + 33)
    assert [record.name for record in arch.layers if record.reused] == ["lstm_1"]


def test_operations_and_nested_models_of_keras_2() -> None:
    arch = ab.from_keras(MODELS / "operations_keras_2.15.json").architecture()
    weights = {record.name: record.params for record in arch.layers if record.params}
    assert weights == {
        "conv2d": 224,
        "depthwise_conv2d": 80,
        "stage1_conv": 584,  # It was stage1/conv, which Keras 3 refuses.
        "bn": 32,
        "multi_head_attention": 4 * 8 * 9,
        "lstm": 280,
        "lstm_1": 220,
        "dense": 60,
    }
    assert arch.trainable_params == arch.params - 584 - 16
    assert [record.name for record in arch.layers if record.reused] == ["stage1_conv", "bn"]
    assert arch.layer("tf.__operators__.getitem").output_shape == (16, 8)


def test_frozen_models_and_wrappers_of_keras_2_freeze_what_is_inside() -> None:
    dense = {"class_name": "Dense", "config": {"name": "dense", "units": 3, "trainable": True}}
    config = {"layer": dense, "trainable": False, "name": "steps", "batch_input_shape": [None, 4, 5]}
    wrapper = {"class_name": "TimeDistributed", "config": config}
    inner = {"class_name": "Sequential", "config": {"name": "inner", "trainable": False, "layers": [dense]}}
    for frozen in (wrapper, inner):
        first = {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [None, 4, 5]}}
        model = {"class_name": "Sequential", "config": {"name": "model", "layers": [first, frozen]}}
        trained = {
            version: ab.from_keras({**model, "keras_version": version}).architecture().trainable_params
            for version in ("2.15.0", "3.15.0")
        }
        assert trained == {"2.15.0": 0, "3.15.0": 18}


def test_operations_between_layers() -> None:
    x, m = keras.Input((4, 6), name="a"), keras.Input((4,), name="m", dtype="bool")
    y = keras.layers.Dense(6)(x)
    first, second = keras.ops.split(keras.ops.concatenate([x, y], axis=1), 2, axis=1)
    _, h, c = keras.layers.LSTM(3, return_sequences=True, return_state=True)(first)
    last = keras.layers.LSTM(3)(second, initial_state=[h, c])
    attended = keras.layers.MultiHeadAttention(2, 3)(x, y, use_causal_mask=True)
    looked_up = keras.layers.Attention()([x, y], mask=[m, m])
    product = keras.ops.matmul(x, keras.ops.transpose(y, (0, 2, 1)))
    mean = keras.ops.mean(product, axis=-1) * 2 + 1
    pairs = keras.ops.einsum("abc,adc->abd", x, y)
    inverse = 1.0 / keras.ops.sqrt(keras.ops.abs(x))
    model = keras.Model({"a": x, "m": m}, {"o": [x[:, 0], last], "p": [attended, looked_up, mean, pairs, inverse]})
    arch = read(model)
    assert arch.layer(product._keras_history[0].name).macs == 4 * 4 * 6
    assert arch.layer(pairs._keras_history[0].name).macs == 4 * 4 * 6


def test_models_within_models_that_share_layers() -> None:
    inner = keras.Sequential([keras.Input((6,)), keras.layers.Dense(6, name="dense")], name="inner")
    source = keras.Input((6,))
    outer = keras.Model(source, inner(source) + inner(source * 2), name="outer")
    x = keras.Input((6,))
    model = keras.Model(x, [inner(outer(x)), outer(inner(x))])
    arch = ab.from_keras(model).architecture()
    assert (arch.params, arch.trainable_params) == counts(model) == (42, 42)
    assert sum(record.name == "dense" for record in arch.layers) == 6
    # A text does not say that both are one: Keras makes two of them, too.
    loaded = keras.models.model_from_json(model.to_json())
    assert ab.from_keras(model.to_json()).architecture().params == counts(loaded)[0] == 84


@pytest.mark.parametrize("name", ["MobileNetV3Small", "ConvNeXtTiny", "EfficientNetB0", "InceptionResNetV2"])
def test_models_of_keras_applications(name: str) -> None:
    model = getattr(keras.applications, name)(weights=None, input_shape=(96, 96, 3))
    assert not differences(model, ab.from_keras(model.to_json()).architecture())


def test_everything_that_cannot_be_translated_is_named_at_once() -> None:
    @keras.saving.register_keras_serializable("tests")
    class Mystery(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x

    model = keras.Sequential(
        [
            keras.Input((4,)),
            Mystery(name="first"),
            keras.layers.Lambda(lambda x: x * 2, name="second"),
            keras.layers.Dense(2),
            Mystery(name="third"),
        ]
    )
    with pytest.raises(TranslationError) as caught:
        ab.from_keras(model)
    assert [part[:2] for part in caught.value.parts] == [
        ("first", "Mystery"),
        ("second", "Lambda"),
        ("third", "Mystery"),
    ]
    custom = {"tests>Mystery": lambda _: layers.Identity(), "Lambda": lambda _: layers.Identity()}
    arch = ab.from_keras(model, custom=custom).architecture()
    assert (arch.params, [record.name for record in arch.layers][1:3]) == (10, ["first", "second"])


def test_unknown_sides_are_unknown_until_they_are_given() -> None:
    model = keras.Sequential(
        [keras.Input((None, None, 3), name="image"), keras.layers.Conv2D(4, 3), keras.layers.GlobalMaxPooling2D()]
    )
    space = ab.from_keras(model)
    arch = space.architecture()
    assert (arch.params, arch.macs) == (112, None)
    assert not differences(model, arch)
    assert space.with_sides({"image": (8, 9, 3)}).architecture().macs == 6 * 7 * 4 * 27
    assert ab.from_keras(model, input_shape=(8, None, 3)).architecture().layers[1].output_shape == (6, None, 4)
    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(4, 3)])
    assert ab.from_keras(model, input_shape=(8, 9, 3)).architecture().layers[-1].output_shape == (6, 7, 4)
    with pytest.raises(SpaceError, match="does not fit the model"):
        ab.from_keras(model, input_shape=(8, 9, 4))


def test_a_subclassed_model_is_called_on_symbolic_tensors() -> None:
    class Twice(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(4)

        def call(self, x: Any) -> Any:
            return self.dense(self.dense(x)) + x

    with pytest.raises(SpaceError, match="give input_shape="):
        ab.from_keras(Twice())
    assert ab.from_keras(Twice(), input_shape=(4,)).architecture().params == 20


@pytest.mark.parametrize("suffix", ["keras", "json", "h5"])
def test_files(tmp_path: Path, suffix: str) -> None:
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization()])
    path = tmp_path / f"model.{suffix}"
    if suffix == "json":
        path.write_text(model.to_json())
    else:
        model.save(path)
    arch = ab.from_keras(path).architecture()
    assert (arch.params, arch.trainable_params) == counts(model)


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None, database=None)
def test_random_models(seed: int) -> None:
    try:
        model = random_model(Random(seed))
    except ValueError:  # Keras takes a `MultiHeadAttention` in no row, and a `PReLU` on no open side.
        reject()
    assert not differences(model, ab.from_keras(model).architecture())
    arch = ab.from_keras(model.to_json()).architecture()
    loaded = keras.models.model_from_json(model.to_json())
    assert (arch.params, arch.trainable_params) == counts(loaded)


@pytest.mark.parametrize("kind", KINDS)
def test_layers_go_to_keras_and_come_back(kind: str) -> None:
    read = 0
    for vector in json.loads((VECTORS / f"{kind}.json").read_text(encoding="utf-8")):
        if vector.get("error") or read == 4:
            continue
        arch = one_layer_network(kind, vector["args"], vector["inputs"])
        model = arch.to_keras()
        for source in (model, model.to_json()):
            assert facts(ab.from_keras(source).architecture()) == facts(arch)
        read += 1
    assert read


def facts(arch: ab.Architecture) -> list[Any]:
    """What is known of each layer of a network."""
    return [
        (each.name, each.type, each.output_shapes, each.params, each.trainable_params, each.macs, each.reused)
        for each in arch.layers
    ]


SHELF: dict[str, Any] = {
    "darts": lambda: ab.spaces.darts(),
    "ds_cnn": lambda: ab.spaces.ds_cnn(),
    "efficientnet": lambda: ab.spaces.efficientnet(),
    "lenet": lambda: ab.spaces.lenet(),
    "nas_bench_201": lambda: ab.spaces.nas_bench_201(),
    "ofa_mobilenet_v3": lambda: ab.spaces.ofa_mobilenet_v3(),
    "recurrent": lambda: ab.spaces.recurrent(5, 6),
    "resnet": lambda: ab.spaces.resnet(),
    "tc_resnet": lambda: ab.spaces.tc_resnet(),
    "unet": lambda: ab.spaces.unet(),
    "vgg": lambda: ab.spaces.vgg(),
}


@pytest.mark.parametrize("name", SHELF)
def test_networks_of_the_shelf_go_to_keras_and_come_back(name: str) -> None:
    arch = SHELF[name]().sample(1, seed=0)[0]
    again = ab.from_keras(arch.to_keras()).architecture()
    assert (again.params, again.trainable_params, again.macs) == (arch.params, arch.trainable_params, arch.macs)
    assert sorted(facts(again), key=str) == sorted(facts(arch), key=str)


def test_layers_of_transformers_come_back() -> None:
    transformers = ab.layers.transformers
    x = ab.layers.Input((8, 6))
    y = transformers.ClassToken()(x)
    y = y + transformers.PositionEmbedding(9)(y)
    y = transformers.Bias()(transformers.LayerScale(0.1)(transformers.DropPath(0.2)(y)))
    arch = ab.Space(inputs=x, outputs=y).architecture()
    assert facts(ab.from_keras(arch.to_keras().to_json()).architecture()) == facts(arch)


def test_a_sequential_of_keras_1_that_merges_models() -> None:
    branches = [
        {
            "class_name": "Sequential",
            "config": [
                {
                    "class_name": "Dense",
                    "config": {"name": f"dense_{number}", "output_dim": 4, "batch_input_shape": [None, side]},
                }
            ],
        }
        for number, side in ((1, 3), (2, 5))
    ]
    merge = {"name": "merge_1", "mode": "concat", "mode_type": "raw", "concat_axis": -1, "layers": branches}
    last = {"class_name": "Dense", "config": {"name": "dense_3", "output_dim": 1}}
    model = {"class_name": "Sequential", "config": [{"class_name": "Merge", "config": merge}, last]}
    arch = ab.from_keras(model).architecture()
    assert [(each.name, each.output_shape, each.params) for each in arch.layers] == [
        ("dense_1_input", (3,), 0),
        ("dense_2_input", (5,), 0),
        ("dense_1", (4,), 16),
        ("dense_2", (4,), 24),
        ("merge_1", (8,), 0),
        ("dense_3", (1,), 9),
    ]


def test_a_model_without_an_input_takes_the_one_that_is_given() -> None:
    model = keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(2)])
    assert ab.from_keras(model, input_shape=(4,)).architecture().params == 5 * 3 + 4 * 2
    with pytest.raises(SpaceError, match="does not say what shape its input has: give input_shape="):
        ab.from_keras(model)


@pytest.mark.parametrize("file", sorted(MODELS.glob("*.json")), ids=lambda file: file.stem)
def test_what_was_read_is_written_and_sent(file: Path) -> None:
    space = ab.from_keras(file)
    for again in (ab.Space.from_yaml(space.to_yaml()), pickle.loads(pickle.dumps(space))):
        assert facts(again.architecture()) == facts(space.architecture())


def test_a_model_that_was_read_can_be_varied() -> None:
    model = keras.applications.MobileNetV2(weights=None, input_shape=(96, 96, 3))
    space = ab.from_keras(model).vary({"*_expand.filters": ab.scale(0.5, 1.0, divisor=8)})
    assert space.architecture(space.within(ab.Budget(params=3_000_000)).smallest("params")).params < 3_000_000
    assert space.range("params")[1] == model.count_params()


def test_a_model_at_each_step_is_each_of_its_layers_at_each_step() -> None:
    kinds = keras.layers
    image = keras.Input((8, 8, 1))
    steps = [kinds.Conv2D(4, 3), kinds.BatchNormalization(), kinds.Flatten(), kinds.Dense(3)]
    row = keras.Sequential([image, *steps])
    padded = kinds.Conv2D(1, 3, padding="same", name="padded")(image)
    joined = kinds.Concatenate(axis=1)([padded * keras.ops.sigmoid(padded), kinds.Add()([image, padded])])
    graph = keras.Model(image, kinds.LayerNormalization()(joined))
    for length in (5, None):
        for inner, around in itertools.product((row, graph), (1, 2)):
            layer = inner
            for _ in range(around):
                layer = kinds.TimeDistributed(layer, name="steps")
            x = keras.Input((*([2] * (around - 1)), length, 8, 8, 1))
            model = keras.Model(x, layer(x))
            for form in (model, model.to_json()):
                arch = ab.from_keras(form).architecture()
                assert arch.params == model.count_params()
                assert arch.trainable_params == sum(math.prod(w.shape) for w in model.trainable_weights)
                assert arch.layers[-1].output_shape == model.output_shape[1:]
                assert all(record.name.startswith("steps.") for record in arch.layers[1:])
    wrapped = keras.Sequential([keras.Input((5, 8, 8, 1)), *map(kinds.TimeDistributed, steps)])
    inside = keras.Sequential([keras.Input((5, 8, 8, 1)), kinds.TimeDistributed(row)])
    assert ab.from_keras(inside).architecture().macs == ab.from_keras(wrapped).architecture().macs


def test_what_a_model_at_each_step_cannot_have_is_refused() -> None:
    x = keras.Input((4, 6))
    y = keras.layers.Attention()([x, x])
    inner = keras.Model(x, keras.ops.sum(y, axis=-1))
    model = keras.Sequential([keras.Input((3, 4, 6)), keras.layers.TimeDistributed(inner)])
    with pytest.raises(TranslationError, match="has 2 parts") as caught:
        ab.from_keras(model)
    assert [kind for _, kind, _ in caught.value.parts] == ["Attention", "Sum"]
    assert "it reads several tensors in a model within a TimeDistributed" in str(caught.value)


EINSUMS = [
    ("abc,cd->abd", (None, 8), (None, 16), "d"),
    ("abc,cd->abd", (None, 8), (7, 16), None),
    ("abc,cde->abde", (None, 2, 8), (None, 16), "de"),
    ("abc,bd->adc", (3, None), (7, None), "d"),
    ("abc,d->abcd", (None, None, 3), (None, 9), None),
    ("...ab,bc->...ac", (None, 4), (2, None, 5), "c"),
    ("abc,cd->abd", (None, 8), (7, 16), "b"),
    ("abc,bc->abc", (None, None), (7, 16), None),
    ("abc,bd->adc", (3, None), (None, 16), None),
    ("abc,bd->adc", (None, None), (7, 16), None),
    ("abc,cd->abd", (7, 8), (None, 16), None),
]


@pytest.mark.parametrize(("equation", "sides", "shape", "bias"), EINSUMS)
def test_sides_that_an_equation_leaves_open(equation: str, sides: Any, shape: Any, bias: Any) -> None:
    x = keras.Input(shape)
    made = ab.layers.EinsumDense(equation, sides, bias_axes=bias)
    try:
        model = keras.Model(x, keras.layers.EinsumDense(equation, sides, bias_axes=bias)(x))
    except ValueError:
        with pytest.raises(InvalidArchitectureError):
            ab.Space([ab.layers.Input(shape), made]).architecture()
        return
    own = ab.Space([ab.layers.Input(shape), made]).architecture()
    for arch in (own, ab.from_keras(model).architecture(), ab.from_keras(own.to_keras()).architecture()):
        assert arch.params == model.count_params()
        output = model(keras.ops.zeros([2, *(side or 11 for side in shape)])).shape[1:]
        known = arch.layers[-1].output_shape
        assert known == tuple(None if side == 11 else side for side in output)
        assert (arch.macs is None) == (None in shape)
