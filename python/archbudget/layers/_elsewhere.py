"""What is asked for under another name, or is no layer here: the answers to unknown names."""

from __future__ import annotations

from archbudget._message import nearest

VOCABULARY = "learns a vocabulary from data before its output shape is known"
TENSORFLOW = "needs TensorFlow to run"
FOREIGN = "wraps a model of another framework, whose weights its arguments do not tell"
BASE = "is not a layer itself"

UNCOUNTED = {
    **dict.fromkeys(["IntegerLookup", "StringLookup", "TextVectorization"], VOCABULARY),
    **dict.fromkeys(["HashedCrossing", "Hashing"], TENSORFLOW),
    **dict.fromkeys(["FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"], FOREIGN),
    **dict.fromkeys(["InputSpec", "Wrapper"], BASE),
    "Equalization": "returns the symbolic tensor itself, so that Keras sees a cycle in any model with it",
    "InputLayer": "is what Input makes; use Input",
    "Lambda": "runs any function; `layers.custom` makes a layer from a rule",
    "RandomCrop": "crops in training only, so that its output has another shape afterwards; use CenterCrop",
}
"""The classes of Keras that archbudget lacks, and why."""

OTHER_NAMES = {
    "Linear": "Dense",
    "LazyLinear": "Dense",
    "MultiheadAttention": "MultiHeadAttention",
    "GroupNorm": "GroupNormalization",
    "LayerNorm": "LayerNormalization",
    "LayerNorm2d": "LayerNormalization",
    "RMSNorm": "RMSNormalization",
    "StochasticDepth": "layers.transformers.DropPath",
    "DropPath": "layers.transformers.DropPath",
    "LayerScale": "layers.transformers.LayerScale",
    "ClassToken": "layers.transformers.ClassToken",
    "PositionEmbedding": "layers.transformers.PositionEmbedding",
    "Upsample": "UpSampling2D",
    **{
        f"{theirs}{n}d": ours.format(n=n)
        for n in (1, 2, 3)
        for theirs, ours in {
            "AdaptiveAvgPool": "AdaptiveAveragePooling{n}D",
            "AdaptiveMaxPool": "AdaptiveMaxPooling{n}D",
            "AvgPool": "AveragePooling{n}D",
            "BatchNorm": "BatchNormalization",
            "Conv": "Conv{n}D",
            "ConvTranspose": "Conv{n}DTranspose",
            "Dropout": "SpatialDropout{n}D",
            "MaxPool": "MaxPooling{n}D",
            "ZeroPad": "ZeroPadding{n}D",
        }.items()
    },
    **{
        name: f'Activation("{name.lower()}")'
        for name in ("CELU", "GELU", "Mish", "SELU", "SiLU", "Sigmoid", "Softplus", "Softsign", "Swish", "Tanh")
    },
    "Choice": "archbudget.Choice",
    "Int": "archbudget.Int",
    "Concat": "Concatenate",
    "Model": "archbudget.Space",
    "ModuleList": "Sequential",
    "LayerChoice": "OneOf",
    "ValueChoice": "archbudget.Choice",
}
"""What PyTorch, and other libraries for spaces, call what is here."""


def answer(name: str, known: list[str]) -> str:
    """What to do instead of an unknown name of `archbudget.layers`."""
    if name in UNCOUNTED:
        return f"Keras' {name} {UNCOUNTED[name]}"
    if name in OTHER_NAMES:
        return f"use {OTHER_NAMES[name]}"
    near = nearest(name, known)
    return "layers.custom makes a layer of a function" if near is None else f"did you mean {near}?"
