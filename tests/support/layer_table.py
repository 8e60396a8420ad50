"""Writes `docs/layers.md`: every class of `keras.layers`, and whether archbudget knows it.

`make derived` runs it.
"""

from __future__ import annotations

import inspect
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "numpy")
sys.path.insert(0, str(Path(__file__).parents[1]))

import keras

from archbudget import layers
from archbudget.layers._base import ENGINE_PARAMETERS
from support.layer_records import CELLS, CLASSES, KINDS, PYTORCH_KINDS

PAGE = Path(__file__).parents[2] / "docs/layers.md"

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

PYTORCH_NOTES = """\
- Integers as `padding` are taken by poolings and by convolutions, depthwise, separable and transposed ones too:
  one, or one for each axis; by convolutions that are not transposed also a pair (before, after) for an axis. Words
  and integers may be values of one decision.
- With integers PyTorch's rules bind: a pooling pads at most half of its window, strides and dilation may both
  exceed 1, and a transposed convolution makes
  `(side - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1` positions, also where the stride
  exceeds the kernel, for which Keras' `valid` gives more.
- With `ceil_mode` a last window may reach beyond the end, if it starts inside the input or the padding before it. The
  windows of a `MaxPooling` may have a `dilation`; Keras' `same` goes with neither of both.
- With a `padding_mode` other than `"zeros"` the margins of a convolution must be filled by its input: `"reflect"` needs
  an axis longer than each margin, `"circular"` one as long. `same` then needs strides of 1.
- `groups` of a transposed convolution divide its filters and the channels of its input.
- `size` of an up-sampling may be a number that is no integer: its product with a side, of floating-point numbers as in
  PyTorch, is rounded down. `output_size` gives the sides of the output in place of it.
- With `add_bias_kv` an attention has a key and a value more, which are weights; with `add_zero_attn` one of zeros. Each
  is one more position in the scores. PyTorch's `embed_dim` is `num_heads * key_dim`; its `kdim` and `vdim` are the
  features of the inputs.
- Recurrent layers are PyTorch's with `batch_first=True`. With `return_sequences` they give `output`, without it
  `output[:, -1]`, the last output of the last layer. PyTorch's `bias=True` is `use_bias=True, two_biases=True`; a
  `GRU` has two biases by Keras' default, `reset_after=True`. With several layers `dropout` is between them.
- PyTorch's `num_batches_tracked` is not counted.
- `to_keras()` refuses networks with these options in one line, before anything is built.
"""


NOTES = """\
Some arguments that Keras takes are refused:

- sparse outputs, which have no known size;
- negative numbers of `ZeroPadding2D` and `3D`, which most backends do not run;
- `MultiHeadAttention` along the batch, whose multiply-accumulates are not those of one input;
- states to begin with that are not as many as those of the layer, and of their shapes: Keras notices when it runs;
- an axis that stands twice in a term of an equation of `EinsumDense`, and sides of its output that are `None`;
- whatever Keras describes otherwise than it makes it: two layers of different widths in both directions, several axes
  before those that an equation names, which it takes in the reverse order, steps of a `MelSpectrogram` that it does not
  reach.

Attention layers do not stretch axes of 1.

A recurrent layer with `return_state=True` makes several tensors, and takes states to begin with, as in Keras; those of
a stack of cells are nested as Keras nests them. `Bidirectional` with `merge_mode=None` makes two, and its states:

```python
_, h, c = layers.LSTM(units, return_state=True)(source)
decoded = layers.LSTM(units, return_sequences=True)(target, initial_state=[h, c])
```

A list of layers hands on one tensor: what makes several stands in a graph (`Space(inputs=..., outputs=...)`), or at the
end of a list, or before a layer that merges. So a space file, which is a list, has it at its end; graphs are written in
Python. With options of PyTorch a state has an axis for the layers and directions, `(num_layers * directions, units)`,
if there are several. `stateful=True` counts alike, and needs the same `batch_size` in each `Input`.

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


def options(name: str) -> str:
    """The options of PyTorch that a layer of Keras has here."""
    padded = "explicit_padding" in ENGINE_PARAMETERS[name]
    given = ["`padding` of integers"] if padded else []
    if "scale_factor" in ENGINE_PARAMETERS[name]:
        given.append("`size` that is no integer")
    return ", ".join([*given, *(f"`{option}={value!r}`" for option, value in CLASSES[name].PYTORCH.items())])


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
            raise SystemExit(f"{name} is neither a layer of archbudget nor in REASONS: tests/support/layer_table.py")
    return "\n".join(
        [
            "# The layers of Keras",
            "",
            "Made by `make derived`. Names, arguments, shapes, weights and refusals are those of Keras",
            f"{keras.__version__}; the tests hold each layer against it.",
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
            "[pytorch.md](pytorch.md#the-modules-of-torchnn) has each module of `torch.nn` beside what it is here.",
            "",
            "| layer | options, each with the value that makes it the layer of Keras |",
            "|---|---|",
            *(f"| `{name}` | {options(name)} |" for name in KINDS if options(name)),
            "",
            *PYTORCH_NOTES.splitlines(),
            "",
            f"## Layers that only PyTorch has: {len(PYTORCH_KINDS)}",
            "",
            "Their arguments have the names that Keras gives to such arguments (`pool_size`, `strides`, `axis`,",
            "`data_format`), and otherwise PyTorch's. `to_keras()` refuses them, too.",
            "",
            "| layer | what it is |",
            "|---|---|",
            *(f"| `{name}` | {described(name)} |" for name in PYTORCH_KINDS),
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
    PAGE.write_text(table(), encoding="utf-8")
