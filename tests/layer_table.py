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
from layer_records import CELLS, KINDS

VOCABULARY = "learns a vocabulary from data before its output shape is known"
TENSORFLOW = "needs TensorFlow to run"
FOREIGN = "wraps a model of another framework, whose weights its arguments do not tell"
BASE = "is no layer by itself"

REASONS = {
    **dict.fromkeys(["IntegerLookup", "StringLookup", "TextVectorization"], VOCABULARY),
    **dict.fromkeys(["HashedCrossing", "Hashing"], TENSORFLOW),
    **dict.fromkeys(["FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"], FOREIGN),
    **dict.fromkeys(["InputSpec", "Layer", "Wrapper"], BASE),
    "Equalization": "hands on the symbolic tensor itself, so that Keras takes any model with it for a cycle",
    "InputLayer": "is what Input makes; use Input",
    "Lambda": "runs any function; `layers.custom` makes a layer of a rule",
    "RandomCrop": "crops while training only, so that its output has another shape afterwards; use CenterCrop",
}
"""The classes of Keras that are left out, and why."""

PYTORCH = [
    ("nn.Conv2d(3, 8, 5, padding=2)", "Conv2D(8, 5, padding=2)"),
    ("nn.Conv2d(3, 8, (5, 3), stride=2, padding=(2, 0))", "Conv2D(8, (5, 3), strides=2, padding=(2, 0))"),
    (
        "nn.Sequential(nn.ZeroPad2d((1, 2, 0, 0)), nn.Conv2d(3, 8, 3))",
        "Conv2D(8, 3, padding=((0, 0), (1, 2)))",
    ),
    (
        "nn.ConvTranspose2d(3, 8, 3, stride=2, padding=1, output_padding=1)",
        "Conv2DTranspose(8, 3, strides=2, padding=1, output_padding=1)",
    ),
    ("nn.MaxPool2d(3, 2, padding=1, ceil_mode=True)", "MaxPooling2D(3, 2, padding=1, ceil_mode=True)"),
    (
        "nn.AvgPool2d(3, 2, padding=1, count_include_pad=False)",
        "AveragePooling2D(3, 2, padding=1, count_include_pad=False)",
    ),
    (
        "nn.BatchNorm2d(3, affine=False, track_running_stats=False)",
        "BatchNormalization(center=False, scale=False, track_running_stats=False)",
    ),
    ("nn.InstanceNorm2d(3, affine=True)", "GroupNormalization(groups=-1)"),
    (
        "nn.LSTM(16, 32, num_layers=2, bidirectional=True, proj_size=8)",
        "LSTM(32, return_sequences=True, two_biases=True, num_layers=2, bidirectional=True, proj_size=8)",
    ),
    ("nn.GRU(16, 32, num_layers=2)", "GRU(32, return_sequences=True, num_layers=2)"),
    ("nn.RNN(16, 32)", "SimpleRNN(32, return_sequences=True, two_biases=True)"),
]
"""Modules of PyTorch, and what they are here."""

PYTORCH_NOTES = """\
- Integers as `padding` are taken by poolings and by convolutions, depthwise, separable and transposed ones too:
  one, or one for each axis; by convolutions that are not transposed also a pair (before, after) for an axis. Words
  and integers may be values of one decision.
- With integers PyTorch's rules bind: a pooling pads at most half of its window, strides and dilation may both
  exceed 1, and a transposed convolution makes
  `(side - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1` positions, also where the stride
  exceeds the kernel, for which Keras' `valid` gives more.
- With `ceil_mode` a last window may reach beyond the end, if it starts inside the input or the padding before it.
- Recurrent layers are PyTorch's with `batch_first=True`. With `return_sequences` they give `output`, without it
  `output[:, -1]`, the last output of the last layer. PyTorch's `bias=True` is `use_bias=True, two_biases=True`; a
  `GRU` has two biases by Keras' default, `reset_after=True`. With several layers `dropout` is between them.
- PyTorch's `num_batches_tracked` is not counted.
- `to_keras()` refuses networks with these options in one line, before anything is built.
"""


NOTES = """\
Some arguments that Keras takes are refused:

- `return_state`, and `merge_mode=None` of `Bidirectional`: a layer here has one output;
- `stateful`, which needs the size of a batch; sparse outputs, which have no known size;
- an axis that stands twice in a term of an equation of `EinsumDense`, and sides of its output that are `None`;
- whatever Keras describes otherwise than it makes it: two layers of different widths in both directions, several axes
  before those that an equation names, which it takes in the reverse order, steps of a `MelSpectrogram` that it does not
  reach.

Attention layers do not stretch axes of 1.

Layers around others take any layer that Keras lets them take, also one around others in turn (at most 32 deep); but
`TimeDistributed` takes no `Pipeline`, and cells stand only in an `RNN` or `StackedRNNCells`. A layer inside of
another one is counted with it and shares no weights with any other; `trainable=False` freezes it wherever it stands,
and `to_keras` sees to it that Keras does so, too. In `LayerRecord.arguments` it is a dict of its own, with its
`type`. Layers that change images at random do it while training, and hand them on otherwise. `ReversibleEmbedding` is
called forward."""
"""What is refused of the layers that are counted."""


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
        if name in KINDS + CELLS:
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
            *NOTES.splitlines(),
            "",
            "## Options of PyTorch",
            "",
            "What PyTorch's layers can and Keras' cannot are options here, given by name and counted as PyTorch",
            "counts: the tests hold them against it. Each may be a decision or an expression: `padding=kernel // 2`.",
            "",
            "| PyTorch | here |",
            "|---|---|",
            *(f"| `{theirs}` | `{ours}` |" for theirs, ours in PYTORCH),
            "",
            *PYTORCH_NOTES.splitlines(),
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
