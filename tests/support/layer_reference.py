"""Writes the pages of `docs/reference/layers/`: every public layer with its docstring and an example.

The examples are the shortest of the test vectors. `make derived` runs it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("KERAS_BACKEND", "numpy")
sys.path.insert(0, str(Path(__file__).parents[1]))

import archbudget as ab
from archbudget import layers
from support.keras_layers import MERGING, make
from support.layer_records import one_layer_network

FOLDER = Path(__file__).parents[2] / "docs/reference/layers"
VECTORS = Path(__file__).parents[1] / "vectors"

FAMILIES = {
    "basic": ("Dense, embedding, input", ["_input", "_dense", "_embedding", "_identity"]),
    "convolution": ("Convolutions", ["_convolution"]),
    "pooling": ("Poolings", ["_pooling"]),
    "normalization": ("Normalization", ["_normalization"]),
    "activation": ("Activations", ["_activation"]),
    "recurrent": ("Recurrent layers and cells", ["_recurrent", "_cell"]),
    "attention": ("Attention", ["_attention"]),
    "merging": ("Layers that merge", ["_merging"]),
    "reshaping": ("Layers that move or repeat values", ["_reshaping"]),
    "wrappers": ("Layers around others", ["_wrappers"]),
    "regularization": ("Layers that act while training", ["_regularization"]),
    "preprocessing": ("Images, sound, categories", ["_preprocessing"]),
}
"""The pages: their titles, and the files whose layers they have."""


class Example(NamedTuple):
    """A layer on inputs of some shapes."""

    call: str
    shapes: list[list[int]]
    arch: ab.Architecture


def pages() -> dict[str, str]:
    """The text of each page, by the name of its file."""
    return {f"{name}.md": _page(title, files) for name, (title, files) in FAMILIES.items()}


def _page(title: str, files: list[str]) -> str:
    lines = [f"# {title}", "", "<!-- Made by `make derived`. -->", ""]
    names = [each for file in files for each in layers.__all__ if _file_of(each) == file]
    lines += [
        f"{len(names)} names of `archbudget.layers`. Below each stands an example, as `explain` prints it.",
        "",
        "```python",
        "import archbudget as ab",
        "from archbudget import layers",
        "```",
        "",
    ]
    for name in names:
        lines += [f"::: archbudget.layers.{name}", ""]
        if name != "Cell":
            lines += _block(example(name))
    return "\n".join(lines)


def _file_of(name: str) -> str:
    return str(getattr(getattr(layers, name), "__module__", "")).rpartition(".")[2]


def example(name: str) -> Example:
    """The shortest example among the vectors of a layer; of a cell that of an `RNN` around it."""
    is_cell = issubclass(getattr(layers, name), layers.Cell)
    found = []
    for file in (VECTORS / f"{'RNN' if is_cell else name}.json", VECTORS / f"pytorch/{name}.json"):
        for case in json.loads(file.read_text(encoding="utf-8")) if file.is_file() else ():
            arguments = case["args"]
            is_counted = "trainable" in case
            if is_counted and (not is_cell or (isinstance(arguments["cell"], dict) and name in arguments["cell"])):
                call = repr(make(layers, "RNN" if is_cell else name, arguments))
                found.append((len(case["inputs"]), len(call), call, arguments, case["inputs"]))
    *_, call, arguments, shapes = min(found, key=lambda each: each[:3])
    arch = one_layer_network("RNN" if is_cell else name, arguments, shapes)
    return Example(re.sub(r"\b([A-Z]\w+)\(", r"layers.\1(", call.replace("'", '"')), shapes, arch)


def _block(shown: Example) -> list[str]:
    layer = shown.arch.layers[-1].name
    if shown.arch.layers[-1].type == "Input":
        made = [f"arch = ab.Space([{shown.call}]).architecture()"]
    elif len(shown.shapes) == 1 and shown.arch.layers[-1].type not in MERGING:
        made = [
            f"space = ab.Space([layers.Input({_tuple(shown.shapes[0])}), {shown.call}])",
            "arch = space.architecture()",
        ]
    else:
        made = [
            f"inputs = [{', '.join(f'layers.Input({_tuple(shape)})' for shape in shown.shapes)}]",
            f"arch = ab.Space(inputs=inputs, outputs={shown.call}(inputs)).architecture()",
        ]
    code = [*made, f'print(arch.explain("{layer}"))']
    return ["```python", *code, "```", "", "```text", *shown.arch.explain(layer).splitlines(), "```", ""]


def _tuple(shape: list[int]) -> str:
    return repr(tuple(shape))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
