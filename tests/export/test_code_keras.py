"""Source text in Keras: it builds the network of `to_keras`, by itself, in the form that formatters leave."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import keras
import numpy as np
import pytest

import archbudget as ab
from archbudget import layers, spaces
from archbudget.errors import ArchbudgetError, SpaceError
from support import nested_layers
from support.layer_records import KINDS, one_layer_network
from support.random_layers import random_case
from support.random_spaces import draw_space
from support.state_graphs import Graph
from support.written_code import assert_builds_the_same_in_keras, formatted, run

pytestmark = pytest.mark.keras

NEVER_FROZEN = ("Discretization", "Input", "Pipeline", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
"""The layers to which Keras gives no argument `trainable`."""


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_is_written(kind: str, tmp_path: Path) -> None:
    rng = Random(f"written {kind}")
    texts: list[str] = []
    for number in range(60):
        arguments, shapes = random_case(rng, kind)
        frozen = {} if kind in NEVER_FROZEN or number % 3 else {"trainable": False}
        try:
            arch = one_layer_network(kind, {**arguments, **frozen}, shapes)
        except ArchbudgetError:
            continue
        texts.append(assert_builds_the_same_in_keras(arch, seed=number))
        if len(texts) == 4:
            break
    assert len(texts) == 4
    assert formatted(texts, tmp_path, 88) == ""


@pytest.mark.parametrize("name", spaces.SHELF)
def test_every_space_of_the_shelf_is_written(name: str, tmp_path: Path) -> None:
    space = spaces.SHELF[name].make()
    small = min(space.sample(20, seed=3), key=lambda arch: arch.macs)
    text = assert_builds_the_same_in_keras(small)
    for width in (88, 100, 120):
        assert formatted([text], tmp_path, width) == ""
    assert max(map(len, text.splitlines())) <= 88


def test_random_networks_are_written(tmp_path: Path) -> None:
    texts = []
    for seed in range(60):
        try:
            space = draw_space(Random(seed))
        except ArchbudgetError:
            continue
        try:
            texts += [assert_builds_the_same_in_keras(arch, seed) for arch in space.sample(2, seed=seed)]
        except SpaceError as error:
            assert "Keras has no" in str(error)
    assert len(texts) > 60
    assert sum("    for " in text for text in texts) > 1
    assert formatted(texts, tmp_path, 88) == formatted(texts, tmp_path, 120) == ""


@pytest.mark.parametrize("seed", range(4))
def test_layers_that_hold_the_same_ones_share_them(seed: int) -> None:
    rng = Random(f"shared {seed}")
    blocks = [layer for layer, _ in rng.choices(nested_layers.pool(rng), k=8)]
    x = source = layers.Input(nested_layers.SHAPE)
    for block in blocks:
        x = block(x)
    arch = ab.Space(inputs=source, outputs=x).architecture()
    text = assert_builds_the_same_in_keras(arch, seed)
    assert len(re.findall(r"^    \w+ = layers", text, flags=re.MULTILINE)) > len(blocks)  # They are named beside calls.


def test_states_go_from_layer_to_layer() -> None:
    written = 0
    for seed in range(40):
        try:
            space = Graph(Random(f"states {seed}")).space()
        except ArchbudgetError:
            continue
        for arch in space.sample(2, seed=seed):
            assert_builds_the_same_in_keras(arch, seed)
            written += 1
    assert written > 20


def test_masks_and_options_of_calls_are_written() -> None:
    x, mask = layers.Input((6, 4)), layers.Input((6,))
    attention = layers.MultiHeadAttention(2, 3, trainable=False)
    y = attention(x, x, use_causal_mask=True)
    z = layers.Attention()([y, x], mask=[None, mask])
    state = layers.LSTM(4, return_state=True, return_sequences=True)(z, mask=mask, training=False)
    arch = ab.Space(inputs=[x, mask], outputs=[attention(state[0], x), state[1]]).architecture()
    text = assert_builds_the_same_in_keras(arch)
    assert "multi_head_attention.trainable = False" in text


def test_layers_that_repeat_become_a_loop() -> None:
    blocks = [
        layers.Input((32, 32, 3)),
        layers.Conv2D(8, 3, padding="same", name="stem"),
        *(
            layers.Residual(
                [
                    layers.Conv2D(width, 3, padding="same", name=f"block_{number}_wide"),
                    layers.Conv2D(8, 1, name=f"block_{number}_narrow"),
                ]
            )
            for number, width in enumerate([16, 24, 48, 16], 1)
        ),
        layers.Flatten(name="flatten"),
        layers.Dense(10, name="logits"),
    ]
    arch = ab.Space(blocks).architecture()
    text = assert_builds_the_same_in_keras(arch)
    assert "    for i, filters in enumerate([16, 24, 48, 16], 1):\n" in text
    assert 'name=f"block_{i}_wide"' in text
    assert text.count("layers.Conv2D(") == 3
    named = {call.name for call in arch.network.calls if call.layer.name is not None}
    assert named <= {layer.name for layer in run(text).layers}


def test_names_are_kept_where_layers_were_named() -> None:
    space = ab.Space([layers.Input((4,), name="given"), layers.Dense(3, name="dense_1"), layers.Dense(2)])
    arch = space.architecture()
    model = run(arch.to_code("keras"))
    assert [layer.name for layer in model.layers] == [call.name for call in arch.network.calls]
    assert "name=" not in ab.Space([layers.Input((4,)), layers.Dense(3)]).architecture().to_code()


def test_the_page_shows_what_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs/exporting.md").read_text(encoding="utf-8")
    code, shown = re.findall(r"^```(?:python|text)\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    exec(compile(code, "docs/exporting.md", "exec"), {})
    assert capsys.readouterr().out.rstrip() == shown.rstrip()


def test_sides_that_are_unknown_are_written_so() -> None:
    row = [layers.Input((None, 3)), layers.Conv1D(4, 3), layers.GlobalAveragePooling1D(), layers.Dense(2)]
    arch = ab.Space(row).architecture()
    text = arch.to_code("keras")
    assert text.startswith('"""A network of 50 weights."""\n')
    assert "keras.Input(shape=(None, 3))" in text
    assert run(text).output_shape == arch.to_keras().output_shape == (None, 2)


def test_it_runs_without_archbudget(lenet: ab.Space) -> None:
    text = lenet.sample(1, seed=0)[0].to_code("keras")
    check = "import sys; assert not any('archbudget' in name for name in sys.modules); print(model.count_params())"
    done = subprocess.run([sys.executable, "-c", text + check], capture_output=True, text=True, check=True)
    assert int(done.stdout) == lenet.sample(1, seed=0)[0].params


def test_what_keras_has_is_written_by_its_name() -> None:
    dense = layers.Dense(
        3,
        activation=keras.activations.gelu,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.5, seed=3),
        kernel_regularizer=keras.regularizers.L2(0.25),
        bias_initializer={"class_name": "Constant", "config": {"value": 0.5}},
    )
    normalization = layers.Normalization(mean=np.arange(3.0), variance=[1.0, 2.0, 3.0])
    text = assert_builds_the_same_in_keras(ab.Space([layers.Input((4,)), dense, normalization]).architecture())
    assert "activation=keras.activations.gelu," in text
    assert "kernel_initializer=keras.initializers.RandomNormal(stddev=0.5, seed=3)," in text


def test_what_a_model_of_keras_has_is_written_as_in_keras() -> None:
    model = keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), alpha=0.35, classes=3)
    fans = keras.initializers.VarianceScaling(2.0, "fan_out")
    dense = keras.layers.Dense(4, kernel_initializer=fans, kernel_regularizer="l2", activation="relu")
    for each in (model, keras.Sequential([keras.Input((5,)), dense])):
        text = assert_builds_the_same_in_keras(ab.from_keras(each).architecture())
        assert "class_name" not in text
    assert "keras.initializers.VarianceScaling(\n" in text
    assert "keras.regularizers.L2(l2=0.01)" in text


def test_what_is_no_text_is_refused_at_once() -> None:
    @layers.custom
    def Mine(input_shape: tuple[int, ...]) -> layers.Counts:  # noqa: N802
        return layers.Counts(output_shape=input_shape)

    def double(x: object) -> object:
        return x

    row = [layers.Input((4, 4)), layers.Dense(3, activation=double), layers.TimeDistributed(layers.Dense(2))]
    with pytest.raises(SpaceError, match=r"layer 'dense' \(Dense\): activation=.*double.*to_keras\(\) builds"):
        ab.Space(row).architecture().to_code("keras")
    with pytest.raises(SpaceError, match=r"'mine' \(Mine\): it does not know its.*; layer 'mine_1'.*; layer 'dense'"):
        ab.Space([*row, Mine(), Mine()]).architecture().to_code("keras")
    with pytest.raises(SpaceError, match="Keras has no GLU, only PyTorch has"):
        ab.Space([layers.Input((4,)), layers.GLU()]).architecture().to_code("keras")
    for wrong in ("kears", 3, None):
        with pytest.raises(SpaceError, match="to_code writes for 'keras'"):
            ab.Space(row).architecture().to_code(wrong)  # type: ignore[arg-type, unused-ignore]


class Scaled(keras.layers.Layer):
    """A custom layer at the top of a module."""

    def __init__(self, by: int, bias: bool = False, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.by, self.bias = by, bias

    def build(self, input_shape: Any) -> None:
        self.weight = self.add_weight((input_shape[-1] * self.by,), "normal")

    def call(self, x: Any) -> Any:
        return x * keras.ops.sum(self.weight) + self.bias

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "by": self.by, "bias": self.bias}


def _makes_another(by: int, **arguments: Any) -> Scaled:
    return Scaled(by=2 * by, **arguments)


def _passes_on(**arguments: Any) -> Scaled:
    return Scaled(**arguments)


def rule(input_shape: tuple[int, ...], by: int = 1) -> layers.Counts:
    return layers.Counts(input_shape, trainable_params=by * input_shape[-1])


@pytest.mark.parametrize("maker", [Scaled, _passes_on])
def test_custom_layers_are_imported(maker: Any) -> None:
    scaled = layers.custom(keras=maker)(rule)
    again = scaled(3, name="again")
    frozen = scaled(2, trainable=False)
    arch = ab.Space([layers.Input((4,)), again, layers.Dense(4), again, frozen, layers.Dense(2)]).architecture()
    text = assert_builds_the_same_in_keras(arch)
    assert f"import {__name__}\n" in text
    assert f"again = {__name__}.Scaled(by=3, name=" in text.replace("\n        ", "").replace(",    )", ")")


def test_a_custom_layer_that_is_made_otherwise_is_refused() -> None:
    local = layers.custom(keras=lambda **arguments: Scaled(**arguments))(rule)  # Its class is there, made alike.
    assert "Scaled(by=3" in ab.Space([layers.Input((4,)), local(3)]).architecture().to_code("keras")
    other = layers.custom(keras=_makes_another)(rule)
    with pytest.raises(SpaceError, match=r"'rule' \(rule\): what makes its real layer cannot be imported; .*to_keras"):
        ab.Space([layers.Input((4,)), other(3)]).architecture().to_code("keras")


def test_what_keras_knows_in_one_process_is_refused() -> None:
    @keras.saving.register_keras_serializable("here")
    def halved(x: object) -> object:
        return x

    arch = ab.Space([layers.Input((4,)), layers.Dense(3, activation="here>halved")]).architecture()
    with pytest.raises(SpaceError, match="is a name that Keras knows in this process only"):
        arch.to_code("keras")
