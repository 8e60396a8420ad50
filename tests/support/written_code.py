"""Networks that source text builds, held against those that exporters build."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from support.network_inputs import inputs_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import archbudget as ab

MOST_MACS = 1_000_000
"""What a network may take to be run in a test."""


def run(text: str) -> Any:
    """The model that a text builds."""
    found: dict[str, Any] = {}
    exec(compile(text, "network.py", "exec"), found)
    return found["model"]


def formatted(texts: Sequence[str], folder: Path, width: int) -> str:
    """What `ruff format` would change in texts; nothing if they are as it leaves them."""
    for number, text in enumerate(texts):
        (folder / f"text_{number}.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--no-cache", "--diff"]
    done = subprocess.run(
        [*command, "--line-length", str(width), str(folder)], capture_output=True, text=True, check=False
    )
    return done.stdout + ("" if done.returncode in (0, 1) else done.stderr)


def assert_builds_the_same_in_keras(arch: ab.Architecture, seed: int = 0) -> str:
    """The text of a network builds what `to_keras` builds: weights, shapes and, where it is small, outputs."""
    text, expected = arch.to_code("keras"), arch.to_keras()
    model = run(text)
    assert model.count_params() == expected.count_params(), text
    for weights in ("trainable_weights", "non_trainable_weights"):
        shapes = [[tuple(each.shape) for each in getattr(of, weights)] for of in (model, expected)]
        assert shapes[0] == shapes[1], text
    assert [each.shape for each in model.outputs] == [each.shape for each in expected.outputs]
    assert [_described(each) for each in model.layers] == [_described(each) for each in expected.layers], text
    assert _wired(model) == _wired(expected), text
    if arch.macs <= MOST_MACS:
        rng = np.random.default_rng(seed)
        weights = [
            each if each.dtype.kind != "f" else abs(rng.normal(0.5, 0.2, each.shape)) for each in expected.get_weights()
        ]
        for each in (model, expected):
            each.set_weights(weights)
        inputs = inputs_of(arch, rng)
        try:
            right = _outputs(expected, inputs)
        except Exception:  # Not every layer runs on every backend, and on any values.
            return text
        for found, true in zip(_outputs(model, inputs), right, strict=True):
            np.testing.assert_array_equal(found, true)
    return text


def _wired(model: Any) -> Any:
    """Which tensors each call of a layer reads, by the positions of the layers."""
    places = {layer.name: place for place, layer in enumerate(model.layers)}

    def plain(given: Any) -> Any:
        if isinstance(given, dict):
            return {key: plain(each) for key, each in given.items()}
        if isinstance(given, (list, tuple)):
            return [plain(each) for each in given]
        return f"layer {places[given]}" if isinstance(given, str) and given in places else given

    return plain([each["inbound_nodes"] for each in model.get_config()["layers"]])


def _outputs(model: Any, inputs: list[np.ndarray]) -> list[np.ndarray]:
    made = model(inputs[0] if len(inputs) == 1 else inputs, training=False)
    return [np.asarray(each) for each in keras.tree.flatten(made)]


def _described(layer: Any) -> Any:
    """The configuration of a layer without names, of which Keras gives some itself."""

    def plain(given: Any) -> Any:
        if isinstance(given, dict):
            return {key: plain(each) for key, each in given.items() if key not in ("name", "build_config")}
        return [plain(each) for each in given] if isinstance(given, (list, tuple)) else given

    return type(layer).__name__, plain(layer.get_config())
