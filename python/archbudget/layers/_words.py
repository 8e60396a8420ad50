"""The words that Keras knows for functions: activations, initializers, regularizers and constraints.

They are those of `keras.activations.get` and its like in Keras 3.15, without the ones that need further arguments.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# fmt: off
ACTIVATIONS = frozenset([
    "celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish",
    "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid",
    "silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax",
    "squareplus", "swish", "tanh", "tanh_shrink",
])
INITIALIZERS = frozenset([
    "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "identity", "lecun_normal", "lecun_uniform",
    "normal", "one", "ones", "orthogonal", "random_normal", "random_uniform", "stft", "truncated_normal", "uniform",
    "variance_scaling", "zero", "zeros", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity",
    "IdentityInitializer", "LecunNormal", "LecunUniform", "Ones", "Orthogonal", "OrthogonalInitializer",
    "RandomNormal", "RandomUniform", "STFT", "STFTInitializer", "TruncatedNormal", "VarianceScaling", "Zeros",
])
REGULARIZERS = frozenset([
    "l1", "l1l2", "l2", "orthogonal_regularizer", "L1", "L1L2", "L2", "OrthogonalRegularizer",
])
CONSTRAINTS = frozenset([
    "max_norm", "min_max_norm", "non_neg", "unit_norm", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm",
])
# fmt: on

BY_ARGUMENT = {
    "activation": ACTIVATIONS,
    "initializer": INITIALIZERS,
    "regularizer": REGULARIZERS,
    "constraint": CONSTRAINTS,
}
"""The words by the last part of the name of an argument, such as `kernel_initializer`."""


WITH_ARGUMENTS = frozenset(["Constant", "constant", "function", "threshold"])
"""What Keras has only with arguments, in a configuration: `{"class_name": "Constant", "config": {"value": 1}}`."""

_FILLS = ("constant", "nearest", "reflect", "wrap")
# fmt: off
_WINDOWS = (
    "bart", "barthann", "bartlett", "bkh", "black", "blackharr", "blackman", "blackmanharris", "blk", "bman", "bmn",
    "bohman", "box", "boxcar", "brt", "brthan", "bth", "cosine", "exponential", "flat", "flattop", "flt", "halfcosine",
    "ham", "hamm", "hamming", "han", "hann", "lanczos", "nut", "nutl", "nuttall", "ones", "par", "parz", "parzen",
    "poisson", "rect", "rectangular", "sinc", "taylor", "taylorwin", "tri", "triang", "triangle", "tuk", "tukey",
)
"""Those of `scipy.signal.get_window` without the ones that need further arguments."""
# fmt: on
_AFFINE = ("bilinear", "nearest")
_RESIZED = ("bicubic", "bilinear", "lanczos3", "lanczos5", "nearest")
_CUDNN = ("auto", True, False)
OPTIONS: Mapping[tuple[str, str], tuple[str | bool | None, ...]] = {
    **{(kind, "use_cudnn"): _CUDNN for kind in ("GRU", "LSTM")},
    ("Resizing", "interpolation"): _RESIZED,
    ("UpSampling2D", "interpolation"): (*map(str.upper, _RESIZED), *_RESIZED),
    **{
        (kind, "interpolation"): _AFFINE
        for kind in (
            *("AugMix", "RandAugment", "RandomElasticTransform", "RandomPerspective", "RandomRotation"),
            *("RandomShear", "RandomTranslation", "RandomZoom"),
        )
    },
    **{(kind, "fill_mode"): _FILLS for kind in ("RandomRotation", "RandomShear", "RandomTranslation", "RandomZoom")},
    ("Resizing", "fill_mode"): ("constant",),
    ("RandomElasticTransform", "fill_mode"): (*_FILLS, "mirror"),
    ("RandomFlip", "mode"): ("horizontal", "horizontal_and_vertical", "vertical"),
    ("MelSpectrogram", "window"): ("hamming", "hann", None),
    ("STFTSpectrogram", "window"): (*_WINDOWS, None),
}
"""What Keras takes for an argument that changes no count, by the layer and the argument."""


def is_registered(word: str) -> bool:
    """Whether Keras is loaded, and its user gave it an object of this name."""
    keras = sys.modules.get("keras")
    return keras is not None and keras.saving.get_registered_object(word) is not None
