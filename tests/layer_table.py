"""Prints `docs/layers.md`: every class of `keras.layers`, and whether archbudget knows it.

`python tests/layer_table.py > docs/layers.md`
"""

from __future__ import annotations

import inspect
import os
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "numpy")

import keras

from archbudget import layers
from layer_records import KINDS

IMAGES = "prepares or augments images before training"
CATEGORIES = "turns text or categories into numbers by a vocabulary, before a network"
AUDIO = "turns sound into a spectrogram, before a network"
FOREIGN = "wraps a model of another framework, whose weights its arguments do not tell"
CELL = "is one step of a recurrent layer; use the layer"
BASE = "is no layer by itself"

REASONS = {
    **dict.fromkeys(
        [
            "AugMix",
            "AutoContrast",
            "CenterCrop",
            "ContrastLimitedAdaptiveHistogramEqualization",
            "CutMix",
            "Equalization",
            "MaxNumBoundingBoxes",
            "MixUp",
            "Pipeline",
            "RandAugment",
            "RandomBrightness",
            "RandomColorDegeneration",
            "RandomColorJitter",
            "RandomContrast",
            "RandomCrop",
            "RandomElasticTransform",
            "RandomErasing",
            "RandomFlip",
            "RandomGaussianBlur",
            "RandomGrayscale",
            "RandomHue",
            "RandomInvert",
            "RandomPerspective",
            "RandomPosterization",
            "RandomRotation",
            "RandomSaturation",
            "RandomSharpness",
            "RandomShear",
            "RandomTranslation",
            "RandomZoom",
            "Resizing",
            "Solarization",
        ],
        IMAGES,
    ),
    **dict.fromkeys(
        [
            "CategoryEncoding",
            "Discretization",
            "HashedCrossing",
            "Hashing",
            "IntegerLookup",
            "StringLookup",
            "TextVectorization",
        ],
        CATEGORIES,
    ),
    **dict.fromkeys(["MelSpectrogram", "STFTSpectrogram"], AUDIO),
    **dict.fromkeys(["FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"], FOREIGN),
    **dict.fromkeys(["GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells"], CELL),
    **dict.fromkeys(["InputSpec", "Layer", "Wrapper"], BASE),
    "Bidirectional": "takes a layer as its argument; a rule here takes numbers",
    "InputLayer": "is what Input makes; use Input",
    "Lambda": "runs any function",
    "RNN": "takes a cell as its argument; use SimpleRNN, LSTM or GRU",
    "ReversibleEmbedding": "is two layers in one, by how it is called; use Embedding and Dense",
    "SpectralNormalization": "takes a layer as its argument; a rule here takes numbers",
    "TimeDistributed": "takes a layer as its argument; use Dense or 1D layers, which work at each step",
}
"""The classes of Keras that are left out, and why."""


def classes() -> dict[str, Any]:
    """The classes of `keras.layers` by name, and the function `Input`."""
    found = {name: each for name, each in vars(keras.layers).items() if inspect.isclass(each)}
    return dict(sorted({**found, "Input": keras.layers.Input}.items()))


def described(name: str) -> str:
    """The first sentence of the documentation of a layer of archbudget."""
    return (inspect.getdoc(getattr(layers, name)) or "").partition("\n")[0]


def table() -> str:
    """The text of `docs/layers.md`."""
    counted, refused = [], []
    for name, each in classes().items():
        own = each.__name__
        if name in KINDS:
            counted.append(f"| `{name}` | {described(name)} |")
        elif own != name and own in KINDS:
            counted.append(f"| `{name}` | Another name of `{own}`, which is the one to use. |")
        elif name in REASONS:
            refused.append(f"| `{name}` | It {REASONS[name]}. |")
        else:
            raise SystemExit(f"{name} is neither a layer of archbudget nor in REASONS: tests/layer_table.py")
    return "\n".join(
        [
            "# The layers of Keras",
            "",
            "Made by `python tests/layer_table.py > docs/layers.md`. Names, arguments, shapes, weights and refusals",
            f"are those of Keras {keras.__version__}; the tests hold each layer against it.",
            "",
            f"## Counted: {len(counted)}",
            "",
            "| layer | what it is |",
            "|---|---|",
            *counted,
            "",
            "Some arguments that Keras takes are refused: `return_state`, since a layer here has one output, and",
            "`stateful`, which needs the size of a batch. Attention layers do not stretch axes of 1.",
            "",
            f"## Not counted: {len(refused)}",
            "",
            "| layer | why not |",
            "|---|---|",
            *refused,
            "",
        ]
    )


if __name__ == "__main__":
    print(table(), end="")
