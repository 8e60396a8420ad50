"""The layers of Keras 3, and those that only PyTorch has, as descriptions.

They have names, arguments and defaults, and decisions wherever an argument is. A layer here holds no weights and
computes nothing. Used in a list or called on a tensor it becomes part of a [`Space`][archbudget.Space].

Where an argument is an integer, a number, a flag or a word, it may be a decision; an integer may be an expression over
decisions, too. Shapes are written without the batch. An argument that is *kept for Keras* touches neither shape nor
cost: `to_keras` passes it on, and `to_torch` where PyTorch has it. MACs are multiply-accumulates for one input.

Making a layer checks its arguments once, in time proportional to their size, and holds the GIL. Layers, blocks and
tensors never change, so they are safe to use from several threads, and in several spaces.

`layers.transformers` has more that Keras itself lacks: class tokens, learned positions, `LayerScale`, `DropPath`.
"""

from typing import TYPE_CHECKING

from archbudget.layers import (
    _activation,
    _attention,
    _base,
    _cell,
    _convolution,
    _custom,
    _dense,
    _embedding,
    _identity,
    _input,
    _merging,
    _normalization,
    _pooling,
    _preprocessing,
    _recurrent,
    _regularization,
    _reshaping,
    _structure,
    _wrappers,
)
from archbudget.layers import (
    transformers as transformers,
)
from archbudget.layers._activation import *
from archbudget.layers._attention import *
from archbudget.layers._base import *
from archbudget.layers._cell import *
from archbudget.layers._convolution import *
from archbudget.layers._custom import *
from archbudget.layers._dense import *
from archbudget.layers._elsewhere import answer
from archbudget.layers._embedding import *
from archbudget.layers._identity import *
from archbudget.layers._input import *
from archbudget.layers._merging import *
from archbudget.layers._normalization import *
from archbudget.layers._pooling import *
from archbudget.layers._preprocessing import *
from archbudget.layers._recurrent import *
from archbudget.layers._regularization import *
from archbudget.layers._reshaping import *
from archbudget.layers._structure import *
from archbudget.layers._wrappers import *

__all__ = sorted(
    [
        *_activation.__all__,
        *_attention.__all__,
        *_base.__all__,
        *_cell.__all__,
        *_convolution.__all__,
        *_custom.__all__,
        *_dense.__all__,
        *_embedding.__all__,
        *_identity.__all__,
        *_input.__all__,
        *_merging.__all__,
        *_normalization.__all__,
        *_pooling.__all__,
        *_preprocessing.__all__,
        *_recurrent.__all__,
        *_regularization.__all__,
        *_reshaping.__all__,
        *_structure.__all__,
        *_wrappers.__all__,
        "transformers",
    ]
)


if not TYPE_CHECKING:  # So that type checkers know which names there are.

    def __getattr__(name: str) -> object:
        """Answers a name of Keras or PyTorch that is another one here, or none."""
        if name.startswith("_"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        raise AttributeError(f"archbudget.layers has no {name}: {answer(name, __all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
