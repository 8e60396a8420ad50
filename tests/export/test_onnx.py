"""Files of ONNX: run by onnxruntime they have the outputs of the module, for batches of any size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import MissingFileError, SpaceError
from support.network_inputs import inputs_of

if TYPE_CHECKING:
    from pathlib import Path

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
runtime = pytest.importorskip("onnxruntime")


def _several() -> ab.Space:
    tokens, image = layers.Input((6,), name="tokens"), layers.Input((8, 8, 3), name="image")
    x = layers.GRU(4)(layers.Embedding(20, 5)(tokens))
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu")(image))
    return ab.Space(inputs=[tokens, image], outputs=[layers.Add()([x, y]), y])


NETWORKS = {
    "lenet": lambda: ab.spaces.lenet().sample(1, seed=0)[0],
    "nas_bench_201": lambda: ab.spaces.nas_bench_201(image_size=8).sample(1, seed=0)[0],
    "several": lambda: _several().architecture(),
    "attention": lambda: ab.Space(
        inputs=(x := layers.Input((6, 8))),
        outputs=layers.LayerNormalization()(layers.MultiHeadAttention(2, 4)(x, x) + x),
    ).architecture(),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_has_the_weights_and_the_outputs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    arch = NETWORKS[name]()
    module = arch.to_torch().eval()
    monkeypatch.setattr("archbudget.export.torch.build", lambda *_: module)
    arch.to_onnx(tmp_path / "network.onnx")
    assert [each.name for each in tmp_path.iterdir()] == ["network.onnx"]
    assert capfd.readouterr().out == ""
    session = runtime.InferenceSession(tmp_path / "network.onnx")
    named = [call.name for call in arch.network.calls if call.layer.kind == "Input"]
    assert [each.name for each in session.get_inputs()] == named
    for batch in (1, 5):
        inputs = inputs_of(arch, np.random.default_rng(batch), batch)
        if name == "several":
            inputs = [inputs[0], np.random.default_rng(batch).normal(size=(batch, 8, 8, 3))]
        inputs = [each if each.dtype == np.int64 else each.astype(np.float32) for each in inputs]
        found = session.run(None, dict(zip(named, inputs, strict=True)))
        with torch.no_grad():
            expected = module(*map(torch.tensor, inputs))
        for one, other in zip(found, expected if len(found) > 1 else [expected], strict=True):
            np.testing.assert_allclose(one, other.numpy(), rtol=1e-4, atol=1e-5)


def test_what_no_framework_exports_is_refused_with_the_reasons(tmp_path: Path) -> None:
    target = tmp_path / "network.onnx"
    target.write_bytes(b"before")
    arch = ab.Space([layers.Input((4, 4, 3)), layers.RandomFlip()]).architecture()
    with pytest.raises(SpaceError, match=r"no framework writes this network as ONNX: PyTorch: .*RandomFlip.*; Keras: "):
        arch.to_onnx(target)
    assert target.read_bytes() == b"before"
    with pytest.raises(MissingFileError):
        arch.to_onnx(tmp_path / "nowhere" / "network.onnx")
