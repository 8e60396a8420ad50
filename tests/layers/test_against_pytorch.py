"""Random layers of PyTorch, and of Keras with options of PyTorch, against the real PyTorch."""

from __future__ import annotations

import os
from random import Random
from typing import Any

import pytest

from archbudget import layers
from support.layer_records import ALL_KINDS, CLASSES, count
from support.pytorch_layers import describe
from support.random_pytorch_layers import DRAWN, random_pytorch_case

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch

TRIES = int(os.environ.get("PYTORCH_TRIES", "200"))
"""How many cases of each layer are drawn."""


def test_every_layer_or_option_of_pytorch_can_be_drawn() -> None:
    of_pytorch = {kind for kind in ALL_KINDS if CLASSES[kind].PYTORCH or not CLASSES[kind].IN_KERAS}
    padded = {kind for kind in ALL_KINDS if "explicit_padding" in layers._base.ENGINE_PARAMETERS[kind]}
    assert of_pytorch | padded == set(DRAWN)


@pytest.mark.parametrize("kind", DRAWN)
def test_random_layers_are_counted_or_refused_as_by_pytorch(kind: str) -> None:
    rng = Random(f"pytorch {kind}")
    disagreements, accepted = [], 0
    for _ in range(TRIES):
        arguments, shapes = random_pytorch_case(rng, kind)
        expected, counted = describe(kind, arguments, shapes), count(kind, arguments, shapes)
        accepted += expected is not None
        if counted != expected:
            disagreements.append(f"{kind}(**{arguments}) on {shapes}: {counted}, but PyTorch says {expected}")
    assert not disagreements
    assert accepted > TRIES / 5


@pytest.mark.parametrize(
    ("kind", "arguments", "shapes"),
    [
        ("AveragePooling3D", {"pool_size": 3, "strides": 1, "padding": 1}, [[2, 4, 4, 2]]),
        ("Conv1D", {"filters": 2, "kernel_size": 3, "padding": [[2, 0]]}, [[1, 2]]),
        ("Conv2D", {"filters": 2, "kernel_size": 3, "padding": 0}, [[2, 3, 2]]),
        ("Conv2DTranspose", {"filters": 2, "kernel_size": 1, "strides": 3, "padding": 0}, [[4, 4, 2]]),
        ("Conv2DTranspose", {"filters": 2, "kernel_size": 2, "padding": 1}, [[1, 1, 2]]),
        ("LSTM", {"units": 3, "two_biases": True, "proj_size": 3}, [[4, 2]]),
        ("LSTM", {"units": 3, "use_bias": False, "proj_size": 2, "num_layers": 3, "bidirectional": True}, [[4, 2]]),
        ("MaxPooling1D", {"pool_size": 3, "strides": 2, "ceil_mode": True}, [[2, 1]]),
        ("MaxPooling2D", {"pool_size": 2, "strides": 5, "padding": 1, "ceil_mode": True}, [[8, 9, 1]]),
        ("MaxPooling2D", {"pool_size": 2, "strides": 2, "padding": 1, "ceil_mode": True}, [[3, 4, 1]]),
        ("MaxPooling2D", {"pool_size": 3, "padding": 2}, [[8, 8, 1]]),
        ("MaxPooling2D", {"pool_size": [3, 4], "padding": [1, 2]}, [[8, 8, 1]]),
        ("MaxPooling2D", {"pool_size": 5, "strides": 1, "ceil_mode": True}, [[4, 4, 1]]),
        ("MaxPooling3D", {"pool_size": 3, "strides": 1, "padding": 1}, [[2, 4, 4, 2]]),
    ],
)
def test_a_rare_case_is_counted_or_refused_as_by_pytorch(
    kind: str, arguments: dict[str, Any], shapes: list[list[int]]
) -> None:
    assert count(kind, arguments, shapes) == describe(kind, arguments, shapes)


def test_one_bias_is_what_the_second_one_of_pytorch_leaves() -> None:
    for kind, gates in (("SimpleRNN", 1), ("LSTM", 4)):
        arguments = {"units": 5, "num_layers": 3, "bidirectional": True}
        both = describe(kind, arguments | {"two_biases": True}, [[7, 3]])
        one = count(kind, arguments, [[7, 3]])
        assert one is not None
        assert both is not None
        assert both.pop("trainable") - one.pop("trainable") == 3 * 2 * gates * 5
        assert one == both
