"""The operations of ATen: which have multiply-accumulates and how many, which have none, and what layer each one is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from typing import Any, NamedTuple

from archbudget import layers
from archbudget.importers._recorded import einsum_macs, keras_axis, sides_of

Shape = tuple[int, ...]


class Read(NamedTuple):
    """What an argument of an operation is."""

    shape: Shape
    """Its shape, the batch counted."""
    is_data: bool
    """Whether it depends on an input of the network."""


class Call(NamedTuple):
    """One operation as it was recorded.

    Tensors among the arguments are `Read`s, other values are themselves.
    """

    arguments: Mapping[str, Any]
    output: Shape
    """The shape of what it makes, the batch counted."""

    def get(self, name: str, default: Any = None) -> Any:
        """An argument; its default where it was not given."""
        return self.arguments.get(name, default)

    def shape(self, name: str) -> Shape:
        """The shape of a tensor among the arguments."""
        read: Read = self.arguments[name]
        return read.shape


# fmt: off
REARRANGING = frozenset([
    "_pad_circular", "_to_copy", "_unsafe_view", "adjoint", "alias", "as_strided", "atleast_1d", "atleast_2d",
    "atleast_3d", "bernoulli", "broadcast_tensors", "broadcast_to", "cat", "channel_shuffle", "chunk", "clone",
    "col2im", "column_stack", "complex", "concat", "concatenate", "constant_pad_nd", "contiguous", "copy", "copy_",
    "detach", "diag", "diag_embed", "diagonal", "dsplit", "dstack", "expand", "expand_as", "fill", "flatten",
    "flip", "fliplr", "flipud", "gather", "hsplit", "hstack", "im2col", "imag", "index", "index_add", "index_copy",
    "index_fill", "index_put", "index_select", "lift_fresh_copy", "mH", "mT", "masked_fill", "masked_scatter",
    "meshgrid", "moveaxis", "movedim", "movedim_", "narrow", "numpy_T", "one_hot", "pad", "permute",
    "pixel_shuffle", "pixel_unshuffle", "positive", "ravel", "real", "reflection_pad1d", "reflection_pad2d",
    "reflection_pad3d", "repeat", "repeat_interleave", "replication_pad1d", "replication_pad2d",
    "replication_pad3d", "reshape", "reshape_as", "resolve_conj", "resolve_neg", "roll", "rot90", "scatter",
    "scatter_add", "scatter_reduce", "select", "select_scatter", "slice", "slice_scatter", "split",
    "split_with_sizes", "squeeze", "stack", "swapaxes", "swapdims", "t", "take", "take_along_dim", "tensor_split",
    "tile", "to", "transpose", "tril", "triu", "type_as", "unbind", "unflatten", "unfold", "unsafe_chunk",
    "unsafe_split", "unsqueeze", "unsqueeze_copy", "view", "view_as", "view_as_complex", "view_as_real", "vsplit",
    "vstack", "where", "zero",
])
"""What moves values; it is in place where it has as many values as it reads."""
WITHOUT_PRODUCTS = frozenset([
    "__and__", "__lshift__", "__or__", "__rshift__", "__xor__", "cross", "diff", "ger", "multinomial", "outer",
    "cdist", "pairwise_distance", "pdist", "trapezoid",
    "_embedding_bag", "_fused_rms_norm", "_native_batch_norm_legit_no_training", "_upsample_bicubic2d_aa",
    "_upsample_bilinear2d_aa", "_upsample_nearest_exact1d", "_upsample_nearest_exact2d",
    "_upsample_nearest_exact3d", "_weight_norm", "_weight_norm_interface", "adaptive_avg_pool1d",
    "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
    "adaptive_max_pool3d", "all", "alpha_dropout", "amax", "amin", "aminmax", "any", "argmax", "argmin", "argsort",
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "batch_norm", "bincount", "bucketize", "celu", "channels_last",
    "cosine_similarity", "count_nonzero", "cummax", "cummin", "cumprod", "cumsum", "dropout", "elu", "embedding",
    "embedding_bag", "embedding_renorm", "fake_quantize_per_channel_affine", "fake_quantize_per_tensor_affine",
    "feature_alpha_dropout", "feature_dropout", "fft_fft", "fft_fft2", "fft_fftn", "fft_fftshift", "fft_hfft",
    "fft_ifft", "fft_ifft2", "fft_ifftn", "fft_ifftshift", "fft_ihfft", "fft_irfft", "fft_irfft2", "fft_irfftn",
    "fft_rfft", "fft_rfft2", "fft_rfftn", "fractional_max_pool2d", "fractional_max_pool3d", "frobenius_norm",
    "gelu", "glu", "grid_sampler", "grid_sampler_2d", "grid_sampler_3d", "group_norm", "hardshrink", "hardsigmoid",
    "hardswish", "hardtanh", "histc", "instance_norm", "isin", "istft", "kthvalue", "layer_norm", "leaky_relu",
    "linalg_vector_norm", "local_response_norm", "log_sigmoid", "log_softmax", "logcumsumexp", "logit",
    "logsumexp", "max", "max_pool1d", "max_pool1d_with_indices", "max_pool2d", "max_pool2d_with_indices",
    "max_pool3d", "max_pool3d_with_indices", "max_unpool2d", "max_unpool3d", "mean", "median", "min", "mish",
    "mode", "nanmean", "nansum", "native_batch_norm", "native_dropout", "native_group_norm", "native_layer_norm",
    "norm", "normalize", "prelu", "prod", "relu", "relu6", "renorm", "rms_norm", "rrelu", "searchsorted", "selu",
    "sigmoid", "silu", "softmax", "softmin", "softplus", "softshrink", "sort", "std", "std_mean", "stft", "sum",
    "tanh", "threshold", "topk", "upsample_bicubic2d", "upsample_bilinear2d", "upsample_linear1d",
    "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "upsample_trilinear3d", "var", "var_mean",
])
"""What has no multiply-accumulates by the definitions of archbudget, and is no function of each value alone."""
CREATING = frozenset([
    "arange", "bartlett_window", "blackman_window", "empty", "empty_like", "empty_strided", "eye", "full",
    "full_like", "hamming_window", "hann_window", "kaiser_window", "linspace", "logspace", "new_empty",
    "new_empty_strided", "new_full", "new_ones", "new_zeros", "ones", "ones_like", "rand", "rand_like", "randint",
    "randn", "randn_like", "randperm", "scalar_tensor", "tensor", "tril_indices", "triu_indices", "zeros",
    "zeros_like",
])
"""What makes values of none."""
PASSING = frozenset([
    "_to_copy", "alias", "bool", "clone", "contiguous", "detach", "double", "float", "half", "int", "lift_fresh",
    "lift_fresh_copy", "long", "requires_grad_", "resolve_conj", "resolve_neg", "to", "type", "type_as",
])
"""What gives the values that it reads, maybe of another type."""
# fmt: on


def _convolution(call: Call) -> int:
    """Each value of the output is a sum over the kernel."""
    return prod(call.output) * prod(call.shape("weight")[1:])


def _transposed(call: Call) -> int:
    """Each value of the input is multiplied with the kernel."""
    return prod(call.shape("input")) * prod(call.shape("weight")[1:])


def _any_convolution(call: Call) -> int:
    return _transposed(call) if call.get("transposed") else _convolution(call)


def _linear(call: Call) -> int:
    return prod(call.shape("input")) * prod(call.shape("weight")[:-1])


def _product(first: str) -> Callable[[Call], int]:
    """A product of matrices: each value of the output is a sum over the last axis of the first factor."""

    def macs(call: Call) -> int:
        return prod(call.output) * call.shape(first)[-1]

    return macs


def _tensordot(call: Call) -> int:
    """A product of matrices, whose sums go along several axes."""
    axes: list[int] = call.get("dims_self")
    return prod(call.output) * prod(call.shape("self")[axis] for axis in axes)


def _summed_batches(call: Call) -> int:
    return prod(call.shape("batch1")) * call.shape("batch2")[-1]


def _attention(call: Call) -> int:
    query, key, value = (call.shape(name) for name in ("query", "key", "value"))
    return prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def _recurrent(call: Call) -> int:
    """Each matrix at each step."""
    steps = prod(call.shape("input")[:-1])
    matrices: list[Shape] = [weight.shape for weight in call.get("params") if len(weight.shape) == 2]
    return steps * sum(map(prod, matrices))


def _cell(call: Call) -> int:
    rows = prod(call.shape("input")[:-1])
    return rows * sum(prod(call.shape(name)) for name in ("w_ih", "w_hh"))


def _bilinear(call: Call) -> int:
    """For each value of the output a product of the first input with a matrix, and of that with the second input."""
    _, first, second = call.shape("weight")
    return prod(call.output) * (first + 1) * second


def _einsum(call: Call) -> int | None:
    return einsum_macs(call.get("equation"), [each.shape for each in call.get("tensors")])


PRODUCTS: dict[str, Callable[[Call], int | None]] = {
    **dict.fromkeys(["conv1d", "conv2d", "conv3d"], _convolution),
    **dict.fromkeys(["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"], _transposed),
    "convolution": _any_convolution,
    "_convolution": _any_convolution,
    "torchvision.deform_conv2d": _convolution,
    "linear": _linear,
    "bilinear": _bilinear,
    **dict.fromkeys(["mm", "bmm"], _product("self")),
    "mv": _product("self"),
    "dot": _product("self"),
    "vdot": _product("self"),
    "inner": _product("self"),
    "matmul": _product("self"),
    "tensordot": _tensordot,
    "addmm": _product("mat1"),
    "addmv": _product("mat"),
    "baddbmm": _product("batch1"),
    "addbmm": _summed_batches,
    "einsum": _einsum,
    **dict.fromkeys(
        [
            "scaled_dot_product_attention",
            "_scaled_dot_product_efficient_attention",
            "_scaled_dot_product_flash_attention",
            "_scaled_dot_product_flash_attention_for_cpu",
        ],
        _attention,
    ),
    **dict.fromkeys(["lstm", "gru", "rnn_tanh", "rnn_relu"], _recurrent),
    **dict.fromkeys(["lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"], _cell),
}
"""The multiply-accumulates of what multiplies matrices."""


WORDS = {
    "hardsigmoid": "hard_sigmoid",
    "hardswish": "hard_swish",
    "log_sigmoid": "log_sigmoid",
    "mish": "mish",
    "selu": "selu",
    "sigmoid": "sigmoid",
    "silu": "silu",
    "softplus": "softplus",
    "softsign": "softsign",
    "tanh": "tanh",
}
"""Functions that Keras has with the same values, by their names in ATen."""
MERGES: dict[str, Callable[..., layers.Layer]] = {
    "add": layers.Add,
    "maximum": layers.Maximum,
    "minimum": layers.Minimum,
    "mul": layers.Multiply,
    "multiply": layers.Multiply,
    "sub": layers.Subtract,
    "subtract": layers.Subtract,
}

Make = Callable[..., layers.Layer]


def _conv(call: Call, name: str) -> Make | None:
    rank = int(name[4])
    padding = call.get("padding", 0)
    if isinstance(padding, str):
        return None
    return partial(
        (layers.Conv1D, layers.Conv2D, layers.Conv3D)[rank - 1],
        call.shape("weight")[0],
        sides_of(call.shape("weight")[2:], rank),
        strides=sides_of(call.get("stride", 1), rank),
        padding=sides_of(padding, rank),
        data_format="channels_first",
        dilation_rate=sides_of(call.get("dilation", 1), rank),
        groups=call.get("groups", 1),
        use_bias=call.get("bias") is not None,
    )


def _conv_transpose(call: Call, name: str) -> Make | None:
    rank = int(name[-2])
    groups = call.get("groups", 1)
    return partial(
        (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)[rank - 1],
        call.shape("weight")[1] * groups,
        sides_of(call.shape("weight")[2:], rank),
        strides=sides_of(call.get("stride", 1), rank),
        padding=sides_of(call.get("padding", 0), rank),
        output_padding=sides_of(call.get("output_padding", 0), rank),
        data_format="channels_first",
        dilation_rate=sides_of(call.get("dilation", 1), rank),
        groups=groups,
        use_bias=call.get("bias") is not None,
    )


def _dense(call: Call, _: str) -> Make | None:
    return partial(layers.Dense, call.shape("weight")[0], use_bias=call.get("bias") is not None)


def _scaled(kind: Callable[..., layers.Layer], call: Call, axis: Any, **more: Any) -> Make:
    """A normalisation that may have a scale, and a centre besides."""
    own = {"center": call.get("bias") is not None, "scale": call.get("weight") is not None}
    return partial(kind, axis=axis, epsilon=call.get("eps", 1e-5), **own, **more)


def _channels(call: Call) -> int:
    return keras_axis(1, call.shape("input"))


def _last_axes(call: Call) -> Any:
    axes = [axis - len(call.get("normalized_shape")) for axis in range(len(call.get("normalized_shape")))]
    return axes[0] if len(axes) == 1 else axes


def _batch_norm(call: Call, _: str) -> Make | None:
    if call.get("running_mean") is None:
        return None
    return _scaled(layers.BatchNormalization, call, _channels(call), momentum=1 - call.get("momentum", 0.1))


def _layer_norm(call: Call, _: str) -> Make | None:
    return _scaled(layers.LayerNormalization, call, _last_axes(call))


def _group_norm(call: Call, _: str) -> Make | None:
    return _scaled(layers.GroupNormalization, call, _channels(call), groups=call.get("num_groups"))


def _instance_norm(call: Call, _: str) -> Make | None:
    return partial(
        layers.InstanceNormalization,
        axis=_channels(call),
        epsilon=call.get("eps", 1e-5),
        affine=call.get("weight") is not None,
        track_running_stats=call.get("running_mean") is not None,
    )


def _rms_norm(call: Call, _: str) -> Make | None:
    return partial(
        layers.RMSNormalization,
        axis=_last_axes(call),
        epsilon=call.get("eps") or 1e-6,
        elementwise_affine=call.get("weight") is not None,
    )


def _embedding(call: Call, _: str) -> Make | None:
    rows, columns = call.shape("weight")
    return partial(layers.Embedding, rows, columns)


def _pool(call: Call, name: str) -> Make | None:
    rank = int(name.partition("_with")[0][-2])
    kind = "Max" if name.startswith("max") else "Average"
    options: dict[str, Any] = {}
    if kind == "Max":
        options["dilation"] = sides_of(call.get("dilation", 1), rank)
    elif call.get("divisor_override") is not None:
        return None
    else:
        options["count_include_pad"] = call.get("count_include_pad", True)
    size = sides_of(call.get("kernel_size"), rank)
    return partial(
        getattr(layers, f"{kind}Pooling{rank}D"),
        size,
        strides=sides_of(call.get("stride"), rank) if call.get("stride") else size,
        padding=sides_of(call.get("padding", 0), rank),
        data_format="channels_first",
        ceil_mode=call.get("ceil_mode", False),
        **options,
    )


def _adaptive(call: Call, name: str) -> Make | None:
    rank = int(name[-2])
    kind = "Max" if "max" in name else "Average"
    size = sides_of(call.output[-rank:], rank)
    return partial(getattr(layers, f"Adaptive{kind}Pooling{rank}D"), size, data_format="channels_first")


def _mean(call: Call, _: str) -> Make | None:
    """The mean of an image, or of the steps of a sequence."""
    shape, axes = call.shape("self"), call.get("dim")
    if not axes or shape[0] != 1:
        return None
    gone = sorted(axis % len(shape) for axis in (axes if isinstance(axes, (list, tuple)) else [axes]))
    keeps = {"keepdims": call.get("keepdim", False)}
    rank = len(shape) - 2
    if rank not in (1, 2, 3):
        return None
    kind = (layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D)[rank - 1]
    if gone == list(range(2, len(shape))):
        return partial(kind, data_format="channels_first", **keeps)
    return partial(kind, data_format="channels_last", **keeps) if gone == list(range(1, len(shape) - 1)) else None


def _softmax(call: Call, _: str) -> Make | None:
    shape = call.shape("self")
    if not shape or (shape[0] == 1 and call.get("dim") % len(shape) == 0):
        return None
    return partial(layers.Softmax, axis=keras_axis(call.get("dim"), shape))


def _cat(call: Call, _: str) -> Make | None:
    tensors = call.get("tensors")
    axis = call.get("dim", 0) % len(call.output)
    if any(not each.is_data or not each.shape or each.shape[0] != 1 for each in tensors) or axis == 0:
        return None
    return partial(layers.Concatenate, axis=axis)


def _merge(call: Call, name: str) -> Make | None:
    both = [call.get("self"), call.get("other")]
    return MERGES[name] if all(isinstance(each, Read) and each.is_data for each in both) else None


def _prelu(call: Call, _: str) -> Make | None:
    shape, channels = call.shape("self"), prod(call.shape("weight"))
    if shape[0] != 1:
        return None
    shared = [axis for axis in range(1, len(shape)) if axis != 1 or channels == 1]
    return partial(layers.PReLU, shared_axes=shared or None)


def _clip(call: Call, _: str) -> Make | None:
    least, most = call.get("min_val", -1), call.get("max_val", 1)
    return partial(layers.ReLU, max_value=float(most)) if least == 0 and most > 0 else None


def _gelu(call: Call, _: str) -> Make | None:
    return partial(layers.Activation, "gelu") if call.get("approximate", "none") == "none" else None


def _elu(call: Call, _: str) -> Make | None:
    usual = call.get("scale", 1) == 1 and call.get("input_scale", 1) == 1
    return partial(layers.ELU, alpha=float(call.get("alpha", 1.0))) if usual else None


def _attend(call: Call, _: str) -> Make | None:
    named = [call.get(name) for name in ("query", "key", "value")]
    if call.get("attn_mask") is not None or call.get("enable_gqa") or not all(each.is_data for each in named):
        return None
    return partial(layers.Attention, use_causal_mask=bool(call.get("is_causal", False)))


def _glu(call: Call, _: str) -> Make | None:
    shape = call.shape("self")
    axis = call.get("dim", -1) % len(shape)
    return None if shape[0] == 1 and axis == 0 else partial(layers.GLU, axis=keras_axis(axis, shape))


LAYERS: dict[str, Callable[[Call, str], Make | None]] = {
    **dict.fromkeys(["conv1d", "conv2d", "conv3d"], _conv),
    **dict.fromkeys(["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"], _conv_transpose),
    "linear": _dense,
    "batch_norm": _batch_norm,
    "instance_norm": _instance_norm,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "group_norm": _group_norm,
    "embedding": _embedding,
    **{f"{kind}_pool{rank}d": _pool for kind in ("max", "avg") for rank in (1, 2, 3)},
    **{f"max_pool{rank}d_with_indices": _pool for rank in (1, 2, 3)},
    **{f"adaptive_{kind}_pool{rank}d": _adaptive for kind in ("max", "avg") for rank in (1, 2, 3)},
    "mean": _mean,
    "softmax": _softmax,
    "cat": _cat,
    **dict.fromkeys(MERGES, _merge),
    "prelu": _prelu,
    "relu": lambda *_: layers.ReLU,
    "relu6": lambda *_: partial(layers.ReLU, max_value=6.0),
    "hardtanh": _clip,
    "leaky_relu": lambda call, _: partial(layers.LeakyReLU, negative_slope=float(call.get("negative_slope", 0.01))),
    "elu": _elu,
    "gelu": _gelu,
    **{name: lambda _, name: partial(layers.Activation, WORDS[name]) for name in WORDS},
    "dropout": lambda call, _: partial(layers.Dropout, call.get("p", 0.5)),
    "glu": _glu,
    "scaled_dot_product_attention": _attend,
}
"""The layer that an operation may be, if its arguments are such; whether it is one is tried."""
