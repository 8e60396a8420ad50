"""Arenas of networks, held against what TensorFlow's converter and TensorFlow Lite Micro made of them."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.digits import SPACE_FILE
from archbudget.errors import SpaceError
from archbudget.tflite import converted
from archbudget.tflite.memory import KERNELS

ROOT = Path(__file__).parents[2]
MEASURED: dict[str, Any] = json.loads(Path(__file__).with_name("measured.json").read_text())
"""What `benches/microcontroller.py --write` kept, with the versions of what measured it."""
NETWORKS = [(name, number) for name, rows in MEASURED["spaces"].items() for number in range(len(rows))]


def space_of(name: str) -> ab.Space:
    return ab.Space.load(SPACE_FILE) if name == "digits" else getattr(ab.spaces, name)()


SPACES = {name: space_of(name) for name in MEASURED["spaces"]}


@pytest.mark.parametrize(("name", "number"), NETWORKS)
def test_operators_are_those_of_the_converter(name: str, number: int) -> None:
    row = MEASURED["spaces"][name][number]
    graph = converted(SPACES[name].architecture(row["values"]).network)
    found = [
        [node.kind, [list(graph.shapes[tensor]) for tensor in node.inputs], list(graph.shapes[node.output])]
        for node in graph.operators
    ]
    assert found == row["operators"]


@pytest.mark.parametrize(("name", "number"), NETWORKS)
def test_the_arena_is_that_of_the_interpreter(name: str, number: int) -> None:
    row = MEASURED["spaces"][name][number]
    found = SPACES[name].architecture(row["values"]).arena()
    assert found.tensors + found.scratch == row["head"]
    assert 0 <= found.structures - row["tail"] <= 16
    assert found.total >= row["total"]


@pytest.mark.parametrize(("name", "number"), NETWORKS)
def test_the_size_is_that_of_the_file(name: str, number: int) -> None:
    row = MEASURED["spaces"][name][number]
    arch = SPACES[name].architecture(row["values"])
    assert arch.flash_bytes(weights="int8") == pytest.approx(row["size"], rel=0.02)
    assert arch.flash_bytes(names=False) < arch.flash_bytes()


def test_normalization_that_is_folded_gives_a_bias() -> None:
    def size(*blocks: Any) -> int:
        return ab.Space([layers.Input((8, 8, 16)), *blocks]).architecture().flash_bytes(names=False)

    convolution = layers.Conv2D(64, 3, use_bias=False)
    dense = layers.Dense(64, use_bias=False)
    # The converter gives a convolution a bias in any case, and a dense layer one of 4 bytes, with 12 for its scale.
    assert size(convolution, layers.BatchNormalization()) == size(convolution)
    flat = [layers.GlobalAveragePooling2D(), dense]
    assert 64 * 16 < size(*flat, layers.BatchNormalization()) - size(*flat) < 64 * 16 + 100
    # A weight takes a byte: 64 * 9 * 16 more filters' weights, and 2 * 12 + 4 for each filter.
    wide = layers.Conv2D(128, 3, use_bias=False)
    assert size(wide) - size(convolution) == 64 * (9 * 16 + 2 * 12 + 4)


def test_other_weights_are_refused() -> None:
    arch = SPACES["digits"].sample(1, seed=0)[0]
    with pytest.raises(SpaceError, match="weights must be 'int8'"):
        arch.flash_bytes("float32")
    with pytest.raises(SpaceError, match="names must be True or False"):
        arch.flash_bytes(names=1)  # type: ignore[arg-type]


def test_a_batch_has_the_arena_of_each_network() -> None:
    space = SPACES["ds_cnn"]
    batch = space.sample(5, seed=7)
    found = space.arena(batch, kernels="cmsis_nn_dsp")
    parts = [arch.arena(kernels="cmsis_nn_dsp") for arch in batch]
    assert found["arena_bytes"].tolist() == [each.total for each in parts]
    assert found["tensors"].tolist() == [each.tensors for each in parts]
    assert found["scratch"].tolist() == [each.scratch for each in parts]
    assert found.valid.all()


def test_equal_candidates_and_none_at_all() -> None:
    space = SPACES["ds_cnn"]
    small, large = ({"width": width, "stride": 2, "depth": 1, "kernel_1": 3} for width in (16, 64))
    found = space.arena([large, small, large])["tensors"].tolist()
    assert found == [16000, 4000, 16000]
    assert len(space.arena(space.sample(0, seed=0))["tensors"]) == 0


def test_what_is_done_twice_is_done_once() -> None:
    sums = [layers.Add()([X, SIDE]), layers.Add()([SIDE, X]), layers.ReLU()(X), layers.ReLU()(X)]
    graph = converted(ab.Space(inputs=X, outputs=layers.Concatenate()(sums)).architecture().network)
    assert [node.kind for node in graph.operators] == ["CONV_2D", "ADD", "RELU", "CONCATENATION"]


def test_a_candidate_that_cannot_be_built_has_no_arena() -> None:
    space = ab.Space([layers.Input((4, 4, 1)), layers.Conv2D(2, ab.Choice("kernel", [3, 5]))])
    found = space.arena(np.array([[0], [1]]))
    assert found.valid.tolist() == [True, False]
    assert found["arena_bytes"][1] == 2**63 - 1


@pytest.mark.parametrize("kernels", KERNELS)
def test_planning_counts_where_tensors_take_less(kernels: str) -> None:
    found = ab.Space([layers.Input((8,)), layers.Dense(1)]).architecture().arena(kernels=kernels)
    assert found.tensors + found.scratch < found.planning
    assert found.total == found.structures + found.planning


def test_scratch_is_planned_beside_the_tensors() -> None:
    arch = ab.Space([layers.Input((2, 2, 512)), layers.GlobalAveragePooling2D()]).architecture()
    assert arch.arena().tensors == 2560
    assert arch.arena().scratch == 2080  # A sum for each channel, and two lists of axes: the interpreter has 4640.


def test_scratch_of_cmsis_nn() -> None:
    def scratch(*blocks: Any, kernels: str, shape: tuple[int, ...] = (8, 8, 6)) -> int:
        return ab.Space([layers.Input(shape), *blocks]).architecture().arena(kernels=kernels).scratch

    # 2 columns of 3*3*6 = 54 values, rounded up to 56, in 16 bits.
    assert scratch(layers.Conv2D(4, 3), kernels="cmsis_nn_dsp") == 224
    # 4 columns of 54 values, rounded up to 64, in 8 bits.
    assert scratch(layers.Conv2D(4, 3), kernels="cmsis_nn_mve") == 256
    assert scratch(layers.Conv2D(4, 1), kernels="cmsis_nn_mve") == 0
    assert scratch(layers.DepthwiseConv2D(3), kernels="cmsis_nn_dsp") == aligned(2 * 6 * 9)
    assert scratch(layers.DepthwiseConv2D(3), kernels="cmsis_nn_mve") == aligned(4 * 124 * 9)
    assert scratch(layers.AveragePooling2D(2), kernels="cmsis_nn_dsp") == aligned(4 * 6)
    assert scratch(layers.Dense(5), kernels="cmsis_nn_mve", shape=(10,)) == aligned(4 * 5)


def aligned(size: int) -> int:
    return -(-size // 16) * 16


X = layers.Input((8, 8, 3))
Y = layers.Conv2D(4, 3)(X)
SIDE = layers.Conv2D(3, 1)(X)
SHARED = layers.Conv2D(3, 3, padding="same")


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (ab.Space([X, layers.Conv2D(4, 3, dilation_rate=2)]), "dilation_rate"),
        (ab.Space([layers.Input((8, 8, 4)), layers.Conv2D(4, 3, groups=2)]), "groups"),
        (ab.Space([X, layers.Conv2D(4, 3, data_format="channels_first")]), "data_format"),
        (ab.Space([X, layers.Conv2D(4, 3, activation="elu")]), "elu"),
        (ab.Space([X, layers.ReLU(max_value=2)]), "max_value"),
        (ab.Space([layers.Input((8, 3)), layers.LSTM(4)]), "LSTM"),
        (ab.Space([layers.Input((8, 3)), layers.Dense(4)]), "Dense over more than one axis"),
        (ab.Space([layers.Input((None, 8, 3)), layers.Conv2D(4, 3)]), "unknown"),
        (ab.Space([layers.Input((8,)), layers.Dense(4), layers.BatchNormalization(), layers.Dense(4)]), "right behind"),
        (ab.Space(inputs=X, outputs=[Y, layers.ReLU()(Y)]), "one output"),
        (ab.Space(inputs=X, outputs=SHARED(SHARED(X))), "used several times"),
        (ab.Space(inputs=X, outputs=layers.Concatenate(axis=1)([Y, Y])), "axis"),
        (
            ab.Space(inputs=X, outputs=layers.Add()([Y, layers.GlobalAveragePooling2D(keepdims=True)(Y)])),
            "merge of these shapes",
        ),
        (ab.Space([X, layers.Dropout(0.5)]), "without operators"),
        (ab.Space([X, layers.Conv2D(4, 3, activation="relu"), layers.ReLU()]), "ReLU behind another one"),
        (ab.Space(inputs=X, outputs=layers.Concatenate()([Y, layers.Activation("sigmoid")(Y)])), "scales of their own"),
        (
            ab.Space(inputs=X, outputs=layers.Concatenate()([Y, layers.Concatenate()([Y, layers.ReLU()(Y)])])),
            "scales of their own",
        ),
    ],
)
def test_what_was_not_measured_is_refused(space: ab.Space, said: str) -> None:
    with pytest.raises(SpaceError, match=said):
        space.architecture().arena_bytes()


def test_other_runtimes_and_kernels_are_refused() -> None:
    arch = SPACES["digits"].sample(1, seed=0)[0]
    with pytest.raises(SpaceError, match="runtime must be 'tflm'"):
        arch.arena_bytes("tvm")
    with pytest.raises(SpaceError, match="cmsis_nn_mve"):
        arch.arena_bytes(kernels="xtensa")


def test_networks_are_measured_anew() -> None:
    missing = [name for name in ("tensorflow", "tflite_micro") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"what is measured needs {' and '.join(missing)}, which are not installed")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["python", os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "benches/microcontroller.py", "ds_cnn", "digits", "--networks", "2", "--seed", "99"]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=True)
    assert run.stdout.count("operators are the expected ones: {True: 2}") == 2
    assert run.stdout.count("more in the head: {0: 2}") == 2
