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
from archbudget.layers._elsewhere import UNCOUNTED
from support.layer_records import CELLS, CLASSES, KINDS, PYTORCH_KINDS

PAGE = Path(__file__).parents[2] / "docs/layers.md"

REASONS = {**UNCOUNTED, "Layer": "is not a layer itself"}
"""The classes of Keras that archbudget lacks, and why."""

PYTORCH_NOTES = """\
- Poolings accept integers as `padding`, and so do convolutions, including depthwise, separable and transposed ones:
  one integer, or one for each axis; convolutions that are not transposed also accept a pair (before, after) for an
  axis. Words and integers may be values of one decision.
- With integers PyTorch's rules apply: a pooling pads at most half of its window, strides and dilation may both
  exceed 1, and a transposed convolution has
  `(side - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1` positions, even if the stride
  exceeds the kernel, for which Keras' `valid` has more.
- With `ceil_mode` a last window may reach beyond the end, if it starts inside the input or the padding before it. The
  windows of a `MaxPooling` may have a `dilation`; neither works with Keras' `same`.
- With a `padding_mode` other than `"zeros"` the input of a convolution must be large enough to fill its margins:
  `"reflect"` needs an axis longer than each margin, `"circular"` one as long. `same` then needs strides of 1.
- `groups` of a transposed convolution divide its filters and the channels of its input.
- `size` of an up-sampling may be a number that is not an integer: its product with a side, of floating-point numbers as
  in PyTorch, is rounded down. `output_size` is the alternative: the sides of the output.
- With `add_bias_kv` an attention has one more key and value, which are weights; with `add_zero_attn` one of zeros. Each
  is one more position in the scores. PyTorch's `embed_dim` is `num_heads * key_dim`; its `kdim` and `vdim` are the
  features of the inputs.
- Recurrent layers are PyTorch's with `batch_first=True`. With `return_sequences` they return `output`, without it
  `output[:, -1]`, the last output of the last layer. PyTorch's `bias=True` is `use_bias=True, two_biases=True`; a
  `GRU` has two biases by Keras' default, `reset_after=True`. With several layers `dropout` is between them.
- PyTorch's `num_batches_tracked` is not counted.
- `to_keras()` refuses networks with these options in one line, before anything is built.
"""


NOTES = """\
Some arguments that Keras accepts are refused:

- sparse outputs, which have no known size;
- negative numbers of `ZeroPadding2D` and `3D`, which most backends do not run;
- `MultiHeadAttention` along the batch, whose multiply-accumulates are not those of one input;
- initial states of another number or other shapes than those of the layer: Keras notices when it runs;
- an axis that occurs twice in a term of an equation of `EinsumDense`;
- layers whose shapes Keras states wrongly: two layers of different widths in both directions, several axes before those
  that an equation names, which it takes in the reverse order, and steps of a `MelSpectrogram` that it does not reach.

Attention layers do not broadcast axes of 1.

A recurrent layer with `return_state=True` makes several tensors, and accepts initial states, as in Keras; those of a
stack of cells are nested as in Keras. `Bidirectional` with `merge_mode=None` makes two tensors, and its states:

```python
import archbudget as ab
from archbudget import layers

units = ab.Int("units", 16, 64, step=16)
source, target = layers.Input((20, 8)), layers.Input((30, 8))
_, h, c = layers.LSTM(units, return_state=True)(source)
decoded = layers.LSTM(units, return_sequences=True)(target, initial_state=[h, c])
print(ab.Space(inputs=[source, target], outputs=decoded).architecture(units=32).params)  # two LSTMs of 5,248
```

```text
10496
```

A list of layers passes on one tensor: a layer that makes several is used in a graph (`Space(inputs=..., outputs=...)`),
or at the end of a list, or before a layer that merges. So a space file, which is a list, can have it at its end; graphs
are written in Python. With options of PyTorch a state has an axis for the layers and directions,
`(num_layers * directions, units)`, if there are several. `stateful=True` changes no count, and needs the same
`batch_size` in each `Input`.

Wrappers accept any layer that Keras lets them wrap, including other wrappers (at most 32 levels); but
`TimeDistributed` accepts no `Pipeline`, and cells can only be in an `RNN` or `StackedRNNCells`. A layer inside another
layer is counted with it; `trainable=False`, or a decision, freezes it in any position, and `to_keras` makes Keras do
so, too. It may have `weight_bits` of its own, and takes those of the layer around it otherwise. In
`LayerRecord.arguments` it is a nested dict with its `type`. Layers that change images at random do so in training
only.

The same object inside several layers, or inside and by itself, is one layer, as in Keras: its weights are counted by
the first use, what a wrapper adds (the vector of a `SpectralNormalization`) by the wrapper, and both exports make one
layer of it. Only of the `layer` of a `Bidirectional` Keras takes a copy, whose weights are its own; a `backward_layer`
is no copy. The layers around a shared one must say the same of its weights (`trainable`, `weight_bits`); what they do
not agree on is given to the shared layer itself.

```python
x = layers.Input((20, 10, 64))
word, cell = layers.Dense(64), layers.GRUCell(64)
y = word(layers.TimeDistributed(layers.RNN([cell, cell]))(layers.TimeDistributed(word)(x)))
print(ab.Space(inputs=x, outputs=y).architecture().params)  # one Dense, one cell: 4,160 + 24,960
```

```text
29120
```

## Options of calls

Keras takes some options where a layer is called: `layer(x, use_causal_mask=True)`. They are given there, or as
arguments of the layer, in lists of layers and space files, too: `MultiHeadAttention(8, 64, use_causal_mask=True)`.
Calls of one layer with different options share its weights; in records they have names such as
`multi_head_attention(use_causal_mask=True)`.

- `use_causal_mask` (attention layers): a position sees only itself and those before it. Counts stay the same. It may be
  a decision.
- `return_attention_scores` (attention layers): the scores are a second output, so that the call returns a tuple.
- `reverse` (`ReversibleEmbedding`): the product with the table, which makes a value for each word: the tied head of a
  language model. A bias behind it is `layers.transformers.Bias`.
- `training` (all layers, in calls only): the layer works as in training, or as at inference, whatever the network does.
- `initial_state` (recurrent layers, in calls only): the states to begin with.

- Masks, which are tensors of the graph. They have no weights and change no MACs, but are inputs, which the peak counts.
  Values that are not 0 are positions that are there; where a mask is no tensor of its own, it comes from `Masking` and
  `Embedding(mask_zero=True)`.
  - `attention_mask` (`MultiHeadAttention`, `GroupQueryAttention`): for each position of the query which of the value it
    sees, `(query, value)` or `(heads, query, value)`; a side may be 1. `value_mask` and `key_mask`: which positions of
    the value there are, `(value,)`. `query_mask` (`GroupQueryAttention`): which of the query, `(query,)`; Keras
    ignores that of `MultiHeadAttention`, so that it is refused there.
  - `mask=[query_mask, value_mask]` (`Attention`, `AdditiveAttention`): either may be `None`.
  - `mask` (`SimpleRNN`, `LSTM`, `GRU`, `RNN`, `Bidirectional`, `ConvLSTM1D` to `3D`, `GlobalAveragePooling1D`): which
    steps there are, `(steps,)`. Keras follows that of a `ConvLSTM` on all of its backends only with `unroll=True`,
    which `to_keras` then sets; around one, a `Bidirectional` takes none.
  - `mask` (`Softmax`): which values there are, with as many axes as the input; a side may be 1. Keras takes what is
    larger than 0.5 for there.
  - `mask` (`BatchNormalization`): whose values the statistics are taken of while training, without the last axis of
    the input; a side may be 1.
  - `mask` (`TimeDistributed`): at each step the mask of its layer, `(steps, ...)`; a layer that takes none is refused.

```python
tokens, there = layers.Input((20,)), layers.Input((20,))
x = layers.Embedding(1_000, 64)(tokens)
x = layers.MultiHeadAttention(8, 64)(x, attention_mask=layers.Reshape((1, 20))(there), use_causal_mask=True)
x = layers.Bidirectional(layers.LSTM(32))(x, mask=there)
print(ab.Space(inputs=[tokens, there], outputs=x).architecture().params)
```

```text
221504
```"""
"""The arguments and uses of counted layers that are refused."""


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
            f"{keras.__version__}; the tests compare each layer with it.",
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
            "Options that PyTorch has and Keras lacks are given by name and counted as in PyTorch: the tests compare",
            "them with it. Each may be a decision or an expression: `padding=kernel // 2`.",
            "[pytorch.md](pytorch.md#the-modules-of-torchnn) has each module of `torch.nn` beside its equivalent.",
            "",
            "| layer | options, each with the value that makes it the layer of Keras |",
            "|---|---|",
            *(f"| `{name}` | {options(name)} |" for name in KINDS if options(name)),
            "",
            *PYTORCH_NOTES.splitlines(),
            "",
            f"## Layers that only PyTorch has: {len(PYTORCH_KINDS)}",
            "",
            "Their arguments have Keras' names for such arguments (`pool_size`, `strides`, `axis`, `data_format`), and",
            "otherwise PyTorch's. `to_keras()` refuses them, too.",
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
