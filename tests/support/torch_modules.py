"""Modules of PyTorch, read as layers of archbudget, and random stacks of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError
from support.pytorch_layers import REFUSALS

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

FIRST: Any = {"data_format": "channels_first"}
PADS = {"Constant": "Constant", "Zero": "Constant", "Reflection": "Reflection", "Replication": "Replication"}
PADS |= {"Circular": "Circular"}


def layers_of(module: nn.Module, shape: tuple[int, ...]) -> list[layers.Layer]:
    """A module that has no modules inside, as layers in a row with the channels first.

    Args:
        module: The module.
        shape: What it is given, the batch not counted.
    """
    kind = type(module).__name__
    name, axes = (kind[:-2], int(kind[-2])) if kind[-1] == "d" and kind[-2].isdigit() else (kind, 0)
    return READERS[name](module, axes, shape)


def _layer(name: str, axes: int) -> Any:
    return getattr(layers, name.format(f"{axes}D"))


def _convolution(module: Any, axes: int, _: tuple[int, ...]) -> list[layers.Layer]:
    transposed = module.transposed
    own = {"output_padding": module.output_padding} if transposed else {"padding_mode": module.padding_mode}
    return [
        _layer("Conv{}Transpose" if transposed else "Conv{}", axes)(
            module.out_channels,
            module.kernel_size,
            strides=module.stride,
            padding=module.padding,
            dilation_rate=module.dilation,
            groups=module.groups,
            use_bias=module.bias is not None,
            **own,
            **FIRST,
        )
    ]


def _batch_norm(module: Any, _: int, __: tuple[int, ...]) -> list[layers.Layer]:
    return [
        layers.BatchNormalization(
            axis=1,
            epsilon=module.eps,
            center=module.affine,
            scale=module.affine,
            track_running_stats=module.track_running_stats,
        )
    ]


def _instance_norm(module: Any, _: int, __: tuple[int, ...]) -> list[layers.Layer]:
    own = {"affine": module.affine, "track_running_stats": module.track_running_stats}
    return [layers.InstanceNormalization(axis=1, epsilon=module.eps, **own)]


def _max_pool(module: Any, axes: int, _: tuple[int, ...]) -> list[layers.Layer]:
    return [
        _layer("MaxPooling{}", axes)(
            module.kernel_size,
            module.stride,
            padding=module.padding,
            dilation=module.dilation,
            ceil_mode=module.ceil_mode,
            **FIRST,
        )
    ]


def _average_pool(module: Any, axes: int, _: tuple[int, ...]) -> list[layers.Layer]:
    own = {"ceil_mode": module.ceil_mode, "count_include_pad": module.count_include_pad}
    return [_layer("AveragePooling{}", axes)(module.kernel_size, module.stride, padding=module.padding, **own, **FIRST)]


def _power_pool(module: Any, axes: int, _: tuple[int, ...]) -> list[layers.Layer]:
    return [
        _layer("LPPooling{}", axes)(
            module.norm_type, module.kernel_size, module.stride, ceil_mode=module.ceil_mode, **FIRST
        )
    ]


def _adaptive(name: str) -> Any:
    def read(module: Any, axes: int, shape: tuple[int, ...]) -> list[layers.Layer]:
        given = module.output_size
        sides = given if isinstance(given, tuple) else (given,) * axes
        size = [side if own is None else own for own, side in zip(sides, shape[1:], strict=True)]
        return [_layer(name, axes)(size, **FIRST)]

    return read


def _margins(mode: str) -> Any:
    def read(module: Any, axes: int, _: tuple[int, ...]) -> list[layers.Layer]:
        flat = module.padding
        # PyTorch names the last axis first.
        pairs = [flat[2 * axis : 2 * axis + 2] for axis in reversed(range(axes))]
        return [_layer(f"{mode}Padding{{}}", axes)(pairs if axes > 1 else pairs[0], **FIRST)]

    return read


def _up_sampling(module: Any, _: int, shape: tuple[int, ...]) -> list[layers.Layer]:
    axes = len(shape) - 1
    # Keras' sequences have their channels last.
    more = {} if axes == 1 else FIRST
    size, factor = (
        each[0] if axes == 1 and isinstance(each, tuple) else each for each in (module.size, module.scale_factor)
    )
    made = _layer("UpSampling{}", axes)(**({"output_size": size} if size is not None else {"size": factor}), **more)
    return [layers.Permute((2, 1)), made, layers.Permute((2, 1))] if axes == 1 else [made]


def _dropout(module: Any, axes: int, _: tuple[int, ...]) -> list[layers.Layer]:
    del axes
    return [layers.Dropout(module.p)]


def _layer_norm(module: Any, _: int, __: tuple[int, ...]) -> list[layers.Layer]:
    axes = list(range(-len(module.normalized_shape), 0))
    return [
        layers.LayerNormalization(axes, module.eps, center=module.bias is not None, scale=module.weight is not None)
    ]


def _rms_norm(module: Any, _: int, __: tuple[int, ...]) -> list[layers.Layer]:
    axes = list(range(-len(module.normalized_shape), 0))
    return [layers.RMSNormalization(axes, elementwise_affine=module.elementwise_affine)]


def _recurrent(name: str) -> Any:
    def read(module: Any, _: int, __: tuple[int, ...]) -> list[layers.Layer]:
        own: dict[str, Any] = {"proj_size": module.proj_size} if name == "LSTM" else {}
        if name != "GRU":
            own["two_biases"] = module.bias
        return [
            getattr(layers, name)(
                module.hidden_size,
                use_bias=module.bias,
                return_sequences=True,
                num_layers=module.num_layers,
                bidirectional=module.bidirectional,
                **own,
            )
        ]

    return read


def _attention(module: Any, _: int, __: tuple[int, ...]) -> list[layers.Layer]:
    return [
        layers.MultiHeadAttention(
            module.num_heads,
            module.head_dim,
            use_bias=module.in_proj_bias is not None,
            add_bias_kv=module.bias_k is not None,
            add_zero_attn=module.add_zero_attn,
        )
    ]


def _prelu(module: Any, _: int, shape: tuple[int, ...]) -> list[layers.Layer]:
    first = 2 if module.num_parameters > 1 else 1
    return [layers.PReLU(shared_axes=list(range(first, len(shape) + 1)))]


def _flatten(module: Any, _: int, shape: tuple[int, ...]) -> list[layers.Layer]:
    rank = len(shape) + 1
    start, end = module.start_dim % rank - 1, module.end_dim % rank
    return [layers.Reshape((*shape[:start], math.prod(shape[start:end]), *shape[end:]))]


def _value_by_value(make: Callable[[Any], layers.Layer]) -> Any:
    return lambda module, _, __: [make(module)]


def _window(module: Any) -> dict[str, Any]:
    names = {"kernel_size": "kernel_size", "strides": "stride", "padding": "padding", "dilation_rate": "dilation"}
    return {ours: getattr(module, theirs) for ours, theirs in names.items()} | FIRST


READERS: dict[str, Callable[[Any, int, tuple[int, ...]], list[layers.Layer]]] = {
    "Conv": _convolution,
    "ConvTranspose": _convolution,
    "BatchNorm": _batch_norm,
    "InstanceNorm": _instance_norm,
    "MaxPool": _max_pool,
    "AvgPool": _average_pool,
    "LPPool": _power_pool,
    "AdaptiveAvgPool": _adaptive("AdaptiveAveragePooling{}"),
    "AdaptiveMaxPool": _adaptive("AdaptiveMaxPooling{}"),
    **{f"{theirs}Pad": _margins(ours) for theirs, ours in PADS.items()},
    "Upsample": _up_sampling,
    "Dropout": _dropout,
    "LayerNorm": _layer_norm,
    "RMSNorm": _rms_norm,
    "RNN": _recurrent("SimpleRNN"),
    "LSTM": _recurrent("LSTM"),
    "GRU": _recurrent("GRU"),
    "MultiheadAttention": _attention,
    "PReLU": _prelu,
    "Flatten": _flatten,
    "Linear": _value_by_value(lambda module: layers.Dense(module.out_features, use_bias=module.bias is not None)),
    "NonDynamicallyQuantizableLinear": _value_by_value(lambda module: layers.Dense(module.out_features)),
    "GroupNorm": _value_by_value(
        lambda module: layers.GroupNormalization(
            module.num_groups, 1, module.eps, center=module.affine, scale=module.affine
        )
    ),
    "LocalResponseNorm": _value_by_value(lambda module: layers.LocalResponseNormalization(module.size, axis=1)),
    "GLU": _value_by_value(lambda module: layers.GLU(module.dim)),
    "PixelShuffle": _value_by_value(lambda module: layers.PixelShuffle(module.upscale_factor, **FIRST)),
    "PixelUnshuffle": _value_by_value(lambda module: layers.PixelUnshuffle(module.downscale_factor, **FIRST)),
    "ChannelShuffle": _value_by_value(lambda module: layers.ChannelShuffle(module.groups, axis=1)),
    "Unfold": _value_by_value(lambda module: layers.Unfold(**_window(module))),
    "Fold": _value_by_value(lambda module: layers.Fold(module.output_size, **_window(module))),
    "Softmax": _value_by_value(lambda module: layers.Softmax(module.dim)),
    "Embedding": _value_by_value(lambda module: layers.Embedding(module.num_embeddings, module.embedding_dim)),
    "EmbeddingBag": _value_by_value(
        lambda module: layers.EmbeddingBag(module.num_embeddings, module.embedding_dim, module.mode)
    ),
    "LeakyReLU": _value_by_value(lambda module: layers.LeakyReLU(module.negative_slope)),
    **{
        name: _value_by_value(lambda _, own=own: layers.Activation(own))
        for name, own in {
            "ReLU": "relu",
            "ReLU6": "relu6",
            "Hardswish": "hard_silu",
            "Hardsigmoid": "hard_sigmoid",
            "SiLU": "silu",
            "GELU": "gelu",
            "Sigmoid": "sigmoid",
            "Tanh": "tanh",
            "ELU": "elu",
        }.items()
    },
    "Identity": _value_by_value(lambda _: layers.Identity()),
}
"""For each module, without its axes, what reads it: of the module, its axes and the shape of what it is given."""


def random_module(rng: Random, shape: tuple[int, ...]) -> nn.Module:
    """A module for an input of this shape, channels first; now and then PyTorch refuses it there.

    Raises:
        ValueError: Or what else PyTorch raises for arguments that it does not take.
    """
    axes = len(shape) - 1
    if axes == 0:
        return rng.choice(VECTORS)(rng, shape)
    if axes > 3:
        return nn.Flatten(rng.randint(1, 2))
    choices = (
        [_random_image] * 12 + [_random_any] * 3 + [_random_sequence] * 4 * (axes == 1) + [_random_square] * (axes == 2)
    )
    return rng.choice(choices)(rng, shape)


def _pick(rng: Random, axes: int, least: int, most: int) -> Any:
    return (
        rng.randint(least, most)
        if axes == 1 or rng.random() < 0.6
        else tuple(rng.randint(least, most) for _ in range(axes))
    )


def _random_image(rng: Random, shape: tuple[int, ...]) -> nn.Module:
    axes, channels = len(shape) - 1, shape[0]
    kind = rng.choice(IMAGES)
    make = getattr(nn, f"{kind}{axes}d")
    flip = lambda: rng.random() < 0.5  # noqa: E731 - it is said once.
    if kind.startswith("Conv"):
        groups = rng.choice([1, 1, 2, channels])
        slide = {
            "stride": _pick(rng, axes, 1, 2),
            "padding": _pick(rng, axes, 0, 3),
            "dilation": _pick(rng, axes, 1, 2),
            "groups": groups,
            "bias": flip(),
        }
        width = groups * rng.randint(1, 4)
        if kind == "Conv":
            mode = rng.choice(["zeros", "zeros", "reflect", "replicate", "circular"])
            return make(channels, width, _pick(rng, axes, 1, 4), padding_mode=mode, **slide)
        return make(channels, width, _pick(rng, axes, 1, 4), output_padding=_pick(rng, axes, 0, 1), **slide)
    if kind in ("BatchNorm", "InstanceNorm"):
        return make(channels, affine=flip(), track_running_stats=flip())
    if kind == "MaxPool":
        size = _pick(rng, axes, 1, 4)
        return make(size, rng.choice([None, 1, 2]), _pick(rng, axes, 0, 1), _pick(rng, axes, 1, 2), ceil_mode=flip())
    if kind == "AvgPool":
        return make(_pick(rng, axes, 1, 3), rng.choice([None, 1, 2]), _pick(rng, axes, 0, 1), flip(), flip())
    if kind == "LPPool":
        return make(2, _pick(rng, axes, 1, 3), rng.choice([None, 1, 2]), flip())
    if kind.startswith("Adaptive"):
        return make(_pick(rng, axes, 1, 6))
    around = tuple(rng.randint(-1, 3) for _ in range(2 * axes))
    return make(around, 0.5) if kind == "ConstantPad" else make(around)


IMAGES = ("Conv", "Conv", "ConvTranspose", "BatchNorm", "InstanceNorm", "MaxPool", "AvgPool", "LPPool")
IMAGES += ("AdaptiveAvgPool", "AdaptiveMaxPool", "ConstantPad", "ReflectionPad", "ReplicationPad", "CircularPad")


def _random_any(rng: Random, shape: tuple[int, ...]) -> nn.Module:
    channels, axes = shape[0], len(shape) - 1
    return rng.choice(
        [
            lambda: nn.GLU(rng.choice([*range(-axes - 1, 0), *range(1, axes + 2)])),
            lambda: nn.GroupNorm(rng.choice([1, 2, channels]), channels, affine=rng.random() < 0.5),
            lambda: nn.LayerNorm(shape[rng.randint(0, axes) :], bias=rng.random() < 0.5),
            lambda: nn.RMSNorm(shape[rng.randint(0, axes) :], elementwise_affine=rng.random() < 0.5),
            lambda: nn.PReLU(rng.choice([1, channels])),
            lambda: nn.Upsample(rng.randint(1, 8)),
            lambda: nn.Upsample(scale_factor=rng.choice([0.3, 0.5, 2 / 3, 1.5, 2.0])),
            lambda: nn.Upsample(scale_factor=tuple(rng.choice([0.7, 1.3, 2.0]) for _ in range(axes))),
            lambda: nn.ChannelShuffle(rng.randint(1, 3)),
            lambda: nn.LocalResponseNorm(rng.randint(1, 5)),
            lambda: nn.Linear(shape[-1], rng.randint(1, 6)),
            lambda: nn.Flatten(rng.randint(1, axes + 1)),
            nn.SiLU,
            lambda: nn.Dropout(0.3),
        ]
    )()


def _random_square(rng: Random, shape: tuple[int, ...]) -> nn.Module:
    del shape
    return rng.choice(
        [
            lambda: nn.PixelShuffle(rng.randint(1, 3)),
            lambda: nn.PixelUnshuffle(rng.randint(1, 3)),
            lambda: nn.Unfold(_pick(rng, 2, 1, 3), padding=rng.randint(0, 1), stride=rng.randint(1, 2)),
        ]
    )()


def _random_sequence(rng: Random, shape: tuple[int, ...]) -> nn.Module:
    features = shape[-1]
    more: Any = {"num_layers": rng.randint(1, 2), "bidirectional": rng.random() < 0.5, "batch_first": True}
    heads = rng.choice([each for each in (1, 2, 3) if features % each == 0])
    return rng.choice(
        [
            lambda: nn.RNN(features, rng.randint(1, 4), bias=rng.random() < 0.5, **more),
            lambda: nn.GRU(features, rng.randint(1, 4), bias=rng.random() < 0.5, **more),
            lambda: nn.LSTM(features, rng.randint(3, 5), proj_size=rng.randint(0, 2), **more),
            lambda: nn.MultiheadAttention(
                features,
                heads,
                bias=rng.random() < 0.5,
                add_bias_kv=rng.random() < 0.5,
                add_zero_attn=rng.random() < 0.5,
                batch_first=True,
            ),
        ]
    )()


VECTORS: list[Callable[[Random, tuple[int, ...]], nn.Module]] = [
    lambda rng, shape: nn.Linear(shape[0], rng.randint(1, 12), bias=rng.random() < 0.5),
    lambda rng, shape: nn.BatchNorm1d(shape[0], affine=rng.random() < 0.5),
    lambda _, __: nn.GLU(),
    lambda _, shape: nn.LayerNorm(shape),
    lambda _, shape: nn.PReLU(shape[0]),
    lambda _, __: nn.GELU(),
]
"""What makes modules for rows of features."""

LARGEST = 20_000
"""The most values of a tensor between two modules."""

Totals = tuple[tuple[int, ...], int, int, int]


def measured(module: Any, shape: tuple[int, ...]) -> Totals | None:
    """Output shape, weights, trained weights and multiply-accumulates by PyTorch; `None` where it refuses the input."""
    words = isinstance(module, (nn.Embedding, nn.EmbeddingBag))
    try:
        with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
            # A batch of one has no statistics.
            x = torch.zeros(2, *shape, dtype=torch.long if words else None)
            # In training there is no normalising single values, of which the statistics may be known.
            module.train(not isinstance(module, nn.modules.instancenorm._InstanceNorm))
            found = module(x, x, x) if isinstance(module, nn.MultiheadAttention) else module(x)
    except REFUSALS:
        return None
    found = found[0] if isinstance(found, tuple) else found
    trained = sum(weight.numel() for weight in module.parameters())
    moving = sum(value.numel() for name, value in module.named_buffers() if not name.endswith("num_batches_tracked"))
    assert counter.get_total_flops() % 4 == 0
    return tuple(found.shape[1:]), trained + moving, trained, counter.get_total_flops() // 4


def counted(shape: tuple[int, ...], row: list[layers.Layer]) -> Totals | None:
    """The same by archbudget."""
    try:
        arch = ab.Space([layers.Input(shape), *row]).architecture()
    except ArchbudgetError:
        return None
    return arch.layers[-1].output_shape, arch.params, arch.trainable_params, arch.macs


def drawn(rng: Random, shape: tuple[int, ...]) -> Any:
    """A module with arguments that PyTorch takes."""
    while True:
        try:
            with torch.device("meta"):
                return random_module(rng, shape)
        except REFUSALS:
            continue


def check_stack(rng: Random) -> tuple[int, int]:
    """A random stack is counted as by PyTorch, module by module and in all, and refused where PyTorch refuses it.

    Returns:
        How many modules it has, and how many more PyTorch refused.
    """
    axes = rng.randint(0, 3)
    shape = first = (rng.randint(1, 8), *(rng.randint(1, 9) for _ in range(axes)))
    row: list[layers.Layer] = []
    total = [0, 0, 0]
    modules = refused = 0
    for _ in range(rng.randint(1, 12)):
        module = drawn(rng, shape)
        own = layers_of(module, shape)
        expected = measured(module, shape)
        if expected is not None and 0 in expected[0]:
            expected = None  # Refused wherever there are values.
        found = counted(shape, own)
        assert found == expected, f"{module} on {shape}: {found}, but PyTorch says {expected}"
        if expected is None or torch.Size(expected[0]).numel() > LARGEST:
            refused += 1
            continue
        shape, *cost = expected
        total = [before + more for before, more in zip(total, cost, strict=True)]
        row += own
        modules += 1
    if row:
        found = counted(first, row)
        assert found == (shape, *total), f"{row} on {first}: {found}, but PyTorch says {(shape, *total)}"
    return modules, refused
