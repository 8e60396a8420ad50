"""Reads what frameworks export as ONNX, and compares weights and multiply-accumulates with reading the original.

`python benches/import_onnx.py torchvision` exports the classification networks of torchvision by both exporters of
PyTorch, `python benches/import_onnx.py keras` the models of keras.applications on PyTorch as their backend. With names
behind it, such as `keras MobileNet Xception`, it exports only these. It needs onnx, onnxscript and PyTorch, and takes
about an hour for all of them, as they are written with their weights.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.onnx_exports import EXPORTERS, differences, network, networks


def main(zoo: str, names: list[str]) -> int:
    """Prints a line for each file, and returns how many differ."""
    wrong = files = 0
    for name in names or networks(zoo):
        for exporter in EXPORTERS:
            start = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                try:
                    original, export = network(zoo, name)
                    export(exporter, Path(folder) / "model.onnx")
                    arch, found = differences(original, Path(folder) / "model.onnx")
                    said = f"{arch.params:,} parameters, {arch.macs:,} MACs: {'; '.join(found) or 'equal'}"
                except Exception as error:  # One network that cannot be exported does not end the others.
                    found, said = [repr(error)], f"{type(error).__name__}: {str(error).strip()[:300]}"
            files += 1
            wrong += bool(found)
            print(f"{name} by {exporter} ({time.perf_counter() - start:.0f} s): {said}", flush=True)
    print(f"{wrong} of {files} files differ")
    return wrong


if __name__ == "__main__":
    if sys.argv[1:2] == ["keras"]:
        os.environ.setdefault("KERAS_BACKEND", "torch")
    sys.exit(main(sys.argv[1], sys.argv[2:]) > 0)
