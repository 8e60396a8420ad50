"""What Keras 1 and 2 called the layers of Keras 3, and their arguments."""

from __future__ import annotations

from typing import Any

from archbudget._message import show
from archbudget.errors import SpaceError

_DIMENSIONS = (1, 2, 3)

OTHER_NAMES = {
    **{f"Convolution{n}D": f"Conv{n}D" for n in _DIMENSIONS},
    **{f"Convolution{n}DTranspose": f"Conv{n}DTranspose" for n in _DIMENSIONS},
    **{f"AtrousConvolution{n}D": f"Conv{n}D" for n in _DIMENSIONS},
    **{f"AtrousConv{n}D": f"Conv{n}D" for n in _DIMENSIONS},
    **{f"SeparableConvolution{n}D": f"SeparableConv{n}D" for n in _DIMENSIONS},
    **{
        f"{short}Pool{n}D": f"{long}Pooling{n}D"
        for n in _DIMENSIONS
        for short, long in (("Max", "Max"), ("Avg", "Average"))
    },
    **{
        f"Global{short}Pool{n}D": f"Global{long}Pooling{n}D"
        for n in _DIMENSIONS
        for short, long in (("Max", "Max"), ("Avg", "Average"))
    },
    **dict.fromkeys(["BatchNormalizationV1", "BatchNormalizationV2", "SyncBatchNormalization"], "BatchNormalization"),
    "CuDNNGRU": "GRU",
    "CuDNNLSTM": "LSTM",
    "ThresholdedReLU": "ReLU",
    "TimeDistributedDense": "Dense",
}
"""Other names of layers of Keras 3, in all versions."""

_EVERYWHERE = {
    "nb_filter": "filters",
    "bias": "use_bias",
    "init": "kernel_initializer",
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "W_regularizer": "kernel_regularizer",
    "U_regularizer": "recurrent_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "beta_init": "beta_initializer",
    "gamma_init": "gamma_initializer",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "border_mode": "padding",
    "subsample": "strides",
    "subsample_length": "strides",
    "filter_length": "kernel_size",
    "atrous_rate": "dilation_rate",
    "pool_length": "pool_size",
    "stride": "strides",
}
_OF_A_LAYER: dict[str, dict[str, str]] = {
    **{kind: {"output_dim": "units"} for kind in ("Dense", "SimpleRNN", "GRU", "LSTM")},
    "Embedding": {
        "init": "embeddings_initializer",
        "W_regularizer": "embeddings_regularizer",
        "W_constraint": "embeddings_constraint",
    },
    "PReLU": {"init": "alpha_initializer"},
    "LeakyReLU": {"alpha": "negative_slope"},
    "ReLU": {"theta": "threshold"},
    **{
        kind: {"p": "rate"}
        for kind in ("Dropout", "GaussianDropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
    },
    "GaussianNoise": {"sigma": "stddev"},
    "UpSampling1D": {"length": "size"},
    "SeparableConv1D": {},
    "SeparableConv2D": {},
    "DepthwiseConv2D": {},
}
"""The arguments of layers that had other names, by the names of the layers in Keras 3."""

_KERNEL = (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3"), ("len_dim1", "len_dim2", "len_dim3"))
_ORDERS = {"tf": "channels_last", "th": "channels_first"}

MERGES = {
    "sum": "Add",
    "mul": "Multiply",
    "ave": "Average",
    "max": "Maximum",
    "min": "Minimum",
    "concat": "Concatenate",
    "dot": "Dot",
    "cos": "Dot",
}
"""The layers of Keras 3 for the modes of the `Merge` of Keras 1."""


def modern(kind: str, config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name of a layer in Keras 3, and its configuration with the names of the arguments there.

    Raises:
        SpaceError: If Keras 3 has no such layer, or none that does the same.
    """
    if kind == "Merge":
        return _merge(config)
    given = dict(config)
    if kind == "Deconvolution2D":
        raise SpaceError("a Deconvolution2D of Keras 1 states its output_shape; use Conv2DTranspose of Keras 2 or 3")
    known = OTHER_NAMES.get(kind, kind)
    if kind == "CuDNNGRU":
        given["reset_after"] = True
    elif kind == "CuDNNLSTM":
        given["two_biases"] = True
    elif kind == "TimeDistributedDense":
        given.pop("input_length", None)
    for names in _KERNEL:
        if names[0] in given:
            given["kernel_size"] = [given.pop(name, None) for name in names]
    if "dim_ordering" in given:
        order = given.pop("dim_ordering")
        if order not in ("tf", "th"):
            raise SpaceError(f"dim_ordering must be 'tf' or 'th', not {show(order)}")
        given["data_format"] = _ORDERS[order]
    if "forget_bias_init" in given:
        given["unit_forget_bias"] = given.pop("forget_bias_init") == "one"
    if known == "ReLU" and kind == "ThresholdedReLU":
        given.setdefault("theta", 1.0)
    for old, new in {**_EVERYWHERE, **_OF_A_LAYER.get(known, {})}.items():
        if old in given and new not in given:
            given[new] = given.pop(old)
    if known == "GRU" and "reset_after" not in given:
        given["reset_after"] = False  # Keras 3 writes it; older versions that do not write it do not have it.
    axis = given.get("axis")
    if known == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        given["axis"] = axis[0]  # So Keras 2 writes it.
    if known == "BatchNormalization" and given.get("mode", 0) not in (0, 1, 2):
        raise SpaceError(f"mode must be 0, 1 or 2, not {show(given['mode'])}")
    if known == "Embedding" and isinstance(given.get("dropout"), (int, float)):
        given.pop("dropout")
    return known, given


def _merge(config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The layer of Keras 3 that a `Merge` of Keras 1 is."""
    mode = config.get("mode", "sum")
    if not isinstance(mode, str) or mode not in MERGES or config.get("mode_type", "raw") != "raw":
        raise SpaceError(f"a Merge by {show(mode)} has no layer in Keras 3")
    given: dict[str, Any] = {"name": config.get("name"), "trainable": config.get("trainable", True)}
    if mode == "concat":
        given["axis"] = config.get("concat_axis", -1)
    elif mode in ("dot", "cos"):
        axes = config.get("dot_axes", -1)
        given["axes"], given["normalize"] = axes, mode == "cos"
    return MERGES[mode], given
