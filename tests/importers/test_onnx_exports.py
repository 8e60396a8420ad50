"""What frameworks export as ONNX is what archbudget reads of the original: weights and multiply-accumulates."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("torch")

from support.onnx_exports import EXPORTERS, differences, network

pytestmark = pytest.mark.torch

BENCH = Path(__file__).parents[2] / "benches/import_onnx.py"


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("name", ["densenet121", "mnasnet0_5", "regnet_y_400mf", "swin_t"])
def test_networks_of_torchvision(name: str, exporter: str, tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    original, export = network("torchvision", name)
    export(exporter, tmp_path / "model.onnx")
    arch, found = differences(original, tmp_path / "model.onnx")
    assert not found
    assert arch.macs == original.macs


@pytest.mark.keras
def test_networks_of_keras() -> None:
    """In a process of its own, as the backend of Keras is another one there."""
    pytest.importorskip("keras")
    names = ["MobileNet", "MobileNetV3Small"]
    ran = subprocess.run(
        [sys.executable, str(BENCH), "keras", *names],
        env={**os.environ, "KERAS_BACKEND": "torch"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.splitlines()[-1] == "0 of 4 files differ"
