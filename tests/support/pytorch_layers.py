"""What the real PyTorch says of one layer that is written with the arguments of archbudget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

RECURRENT = {"SimpleRNN": "RNN", "LSTM": "LSTM", "GRU": "GRU"}
BY_AXIS = ("ChannelShuffle", "InstanceNormalization", "LocalResponseNormalization")
"""The layers whose channels are where their `axis` says."""
ANY_AXES = ("EmbeddingBag", "GLU", "MultiHeadAttention", "RMSNormalization", *RECURRENT)
"""The layers that have no channels that PyTorch would want first."""
REFUSALS = (AssertionError, IndexError, RuntimeError, TypeError, ValueError)
"""What PyTorch raises for arguments and inputs that it does not take."""


def describe(kind: str, arguments: dict[str, Any], shapes: list[list[int]]) -> dict[str, Any] | None:
    """The output shape of a layer, its weights and its multiply-accumulates; `None` if PyTorch refuses it.

    The multiply-accumulates are half of what `FlopCounterMode` says.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    if kind in RECURRENT and len(shapes[0]) != 2:
        return None  # PyTorch would take the batch for the steps.
    channels = channel_axis(kind, arguments, len(shapes[0]))
    if channels is not None and not 0 <= channels < len(shapes[0]):
        return None  # There is no such axis beside the batch.
    counter = FlopCounterMode(display=False)
    # A batch of one has no statistics, and PyTorch says so.
    batch = 2 if kind == "BatchNormalization" else 1
    try:
        with torch.device("meta"), torch.no_grad(), counter:
            layer = module(kind, arguments, shapes)
            if kind == "InstanceNormalization":
                layer.eval()  # In training PyTorch takes no single value, whose statistics it may have.
            dtype = torch.long if kind == "EmbeddingBag" else None
            inputs = [torch.zeros(batch, *_first(shape, channels), dtype=dtype) for shape in shapes]
            found = call(kind, layer, inputs, arguments)
    except REFUSALS:
        return None
    output = list(found.shape[1:])
    if channels is not None:
        output.insert(len(output) - 1 if channels == len(shapes[0]) - 1 else channels, output.pop(0))
    if 0 in output:
        return None  # Refused wherever there are values.
    assert counter.get_total_flops() % 2 == 0
    return {
        "output": output,
        "trainable": sum(weight.numel() for weight in layer.parameters()),
        "non_trainable": sum(
            weight.numel() for name, weight in layer.named_buffers() if not name.endswith("num_batches_tracked")
        ),
        "macs": counter.get_total_flops() // 2,
    }


def channel_axis(kind: str, arguments: dict[str, Any], rank: int) -> int | None:
    """The axis beside the batch that PyTorch wants first; `None` where it takes all of them as they are."""
    if kind in ANY_AXES:
        return None
    if kind in BY_AXIS:
        axis: int = arguments.get("axis", -1)
        return axis + rank if axis < 0 else axis - 1
    return 0 if arguments.get("data_format") == "channels_first" else rank - 1


def _first(shape: list[int], channels: int | None) -> list[int]:
    """A shape as PyTorch has it."""
    if channels is None:
        return shape
    return [shape[channels], *shape[:channels], *shape[channels + 1 :]]


def call(kind: str, layer: Any, inputs: list[Any], arguments: dict[str, Any]) -> Any:
    """What the real layer makes of inputs that have their channels where it wants them."""
    if kind == "MultiHeadAttention":
        query, *others = inputs
        value = others[0] if others else query
        return layer(query, others[1] if len(others) > 1 else value, value)[0]
    if kind in RECURRENT:
        # A state of PyTorch begins with an axis for its layers and directions, of ours only where there are several.
        steps, *states = inputs
        states = [state.unsqueeze(0) if state.dim() == 2 else state.movedim(1, 0).contiguous() for state in states]
        found = layer(steps, *([tuple(states)] if kind == "LSTM" and states else states))
        return found[0] if arguments.get("return_sequences") else found[0][:, -1]
    return layer(*inputs)


def module(kind: str, arguments: dict[str, Any], shapes: list[list[int]]) -> Any:
    """The real layer, for inputs of shapes as archbudget has them."""
    given = {name: _tuples(value) for name, value in arguments.items()}
    first = _first(shapes[0], channel_axis(kind, arguments, len(shapes[0])))
    if kind == "MultiHeadAttention":
        return _attention(given, shapes)
    name = kind
    for end in ("1D", "2D", "3D"):
        name = name.replace(end, "")
    return MODULES[name](kind, given, first)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _some(given: dict[str, Any], **names: str) -> dict[str, Any]:
    """Some of the arguments, if they are given, by what PyTorch calls them."""
    return {theirs: given[ours] for theirs, ours in names.items() if ours in given}


def _axes(kind: str) -> int:
    """The axes that a layer says in its name."""
    return next(n for n in (1, 2, 3) if f"{n}D" in kind)


def _nn(name: str) -> Any:
    from torch import nn

    return getattr(nn, name)


def _recurrent(kind: str, given: dict[str, Any], shape: list[int]) -> Any:
    assert given.get("two_biases", kind == "GRU") or not given.get("use_bias", True), "PyTorch has two biases or none"
    options = _some(given, num_layers="num_layers", bidirectional="bidirectional", proj_size="proj_size")
    return _nn(RECURRENT[kind])(
        shape[-1], given["units"], bias=given.get("use_bias", True), batch_first=True, **options
    )


def _batch_normalization(_: str, given: dict[str, Any], shape: list[int]) -> Any:
    assert given.get("center", True) == given.get("scale", True), "PyTorch has both or none"
    return _nn(f"BatchNorm{max(len(shape) - 1, 1)}d")(
        shape[0], affine=given.get("scale", True), track_running_stats=given.get("track_running_stats", True)
    )


def _instance_normalization(_: str, given: dict[str, Any], shape: list[int]) -> Any:
    if not 2 <= len(shape) <= 4:
        raise ValueError("PyTorch takes what is no batch of images for a single image")
    return _nn(f"InstanceNorm{len(shape) - 1}d")(
        shape[0], **_some(given, affine="affine", track_running_stats="track_running_stats")
    )


def _rms_normalization(_: str, given: dict[str, Any], shape: list[int]) -> Any:
    axes = given.get("axis", -1)
    axes = sorted(axes if isinstance(axes, tuple) else (axes,))
    assert axes == list(range(-len(axes), 0)), "PyTorch has the last axes"
    return _nn("RMSNorm")(shape[axes[0] :], **_some(given, elementwise_affine="elementwise_affine"))


def _pooling(kind: str, given: dict[str, Any], _: list[int]) -> Any:
    name = f"{'Max' if kind.startswith('Max') else 'Avg'}Pool{_axes(kind)}d"
    options = ("padding", "ceil_mode", "count_include_pad", "dilation")
    size = given.get("pool_size", 2)
    return _nn(name)(size, given.get("strides") or size, **{each: given[each] for each in options if each in given})


def _lp_pooling(kind: str, given: dict[str, Any], _: list[int]) -> Any:
    options = _some(given, stride="strides", ceil_mode="ceil_mode")
    return _nn(f"LPPool{_axes(kind)}d")(given["norm_type"], given["pool_size"], **options)


def _fractional_pooling(kind: str, given: dict[str, Any], _: list[int]) -> Any:
    options = _some(given, output_size="output_size", output_ratio="output_ratio")
    return _nn(f"FractionalMaxPool{_axes(kind)}d")(given["pool_size"], **options)


def _pairs(padding: Any, axes: int) -> tuple[int, ...]:
    """Margins as PyTorch names them: before and after the last axis first."""
    sides = padding if isinstance(padding, tuple) else (padding,) * axes
    if axes == 1 and isinstance(padding, tuple):
        sides = (padding,)
    both = [side if isinstance(side, tuple) else (side, side) for side in sides]
    return tuple(end for side in reversed(both) for end in side)


def _padding(kind: str, given: dict[str, Any], _: list[int]) -> Any:
    axes = _axes(kind)
    value = (given.get("value", 0.0),) if kind.startswith("Constant") else ()
    return _nn(f"{kind.partition('Padding')[0]}Pad{axes}d")(_pairs(given["padding"], axes), *value)


def _up_sampling(_: str, given: dict[str, Any], __: list[int]) -> Any:
    if given.get("output_size") is not None:
        return _nn("Upsample")(given["output_size"])
    return _nn("Upsample")(scale_factor=given.get("size", 2))


def _window(given: dict[str, Any]) -> dict[str, Any]:
    return _some(given, kernel_size="kernel_size", stride="strides", padding="padding", dilation="dilation_rate")


def _attention(given: dict[str, Any], shapes: list[list[int]]) -> Any:
    query, *others = shapes
    value = others[0] if others else query
    key = others[1] if len(others) > 1 else value
    assert query[-1] == given["num_heads"] * given["key_dim"], "PyTorch shares the features among the heads"
    return _nn("MultiheadAttention")(
        query[-1],
        given["num_heads"],
        kdim=key[-1],
        vdim=value[-1],
        batch_first=True,
        **_some(given, bias="use_bias", add_bias_kv="add_bias_kv", add_zero_attn="add_zero_attn"),
    )


def _convolution(kind: str, given: dict[str, Any], shape: list[int]) -> Any:
    from torch import nn

    channels, axes = shape[0], _axes(kind)
    conv = _nn(f"Conv{axes}d")
    padding = given.get("padding", 0)
    pairs = isinstance(padding, tuple) and any(isinstance(side, tuple) for side in padding)
    slide = {
        "stride": given.get("strides", 1),
        "padding": 0 if pairs else padding,
        "dilation": given.get("dilation_rate", 1),
    }
    mode = given.get("padding_mode", "zeros")
    bias = given.get("use_bias", True)
    size = given["kernel_size"]
    if kind.endswith("Transpose"):
        made = _nn(f"ConvTranspose{axes}d")(
            channels,
            given["filters"],
            size,
            bias=bias,
            groups=given.get("groups", 1),
            output_padding=given.get("output_padding") or 0,
            **slide,
        )
    elif kind.startswith("Conv"):
        made = conv(
            channels, given["filters"], size, groups=given.get("groups", 1), bias=bias, padding_mode=mode, **slide
        )
    else:
        separable = kind.startswith("Separable")
        width = channels * given.get("depth_multiplier", 1)
        made = conv(channels, width, size, groups=channels, bias=bias and not separable, padding_mode=mode, **slide)
        if separable:
            made = nn.Sequential(made, conv(width, given["filters"], 1, bias=bias))
    if pairs:
        pads = {"zeros": "Constant", "reflect": "Reflection", "replicate": "Replication", "circular": "Circular"}
        around = _pairs(padding if axes > 1 else padding[0], axes)
        pad = _nn(f"{pads[mode]}Pad{axes}d")(around, *([0.0] if mode == "zeros" else []))
        made = nn.Sequential(pad, made)
    return made


MODULES: dict[str, Callable[[str, dict[str, Any], list[int]], Any]] = {
    **dict.fromkeys(("Conv", "ConvTranspose", "DepthwiseConv", "SeparableConv"), _convolution),
    **dict.fromkeys(("MaxPooling", "AveragePooling"), _pooling),
    **dict.fromkeys(RECURRENT, _recurrent),
    **{f"{kind}Padding": _padding for kind in ("Constant", "Reflection", "Replication", "Circular")},
    "BatchNormalization": _batch_normalization,
    "ChannelShuffle": lambda _, given, __: _nn("ChannelShuffle")(given["groups"]),
    "EmbeddingBag": lambda _, given, __: _nn("EmbeddingBag")(
        given["input_dim"], given["output_dim"], mode=given.get("mode", "mean")
    ),
    "Fold": lambda _, given, __: _nn("Fold")(given["output_size"], **_window(given)),
    "FractionalMaxPooling": _fractional_pooling,
    "GLU": lambda _, given, __: _nn("GLU")(given.get("axis", -1)),
    "InstanceNormalization": _instance_normalization,
    "LPPooling": _lp_pooling,
    "LocalResponseNormalization": lambda _, given, __: _nn("LocalResponseNorm")(given["size"]),
    "PixelShuffle": lambda _, given, __: _nn("PixelShuffle")(given["upscale_factor"]),
    "PixelUnshuffle": lambda _, given, __: _nn("PixelUnshuffle")(given["downscale_factor"]),
    "RMSNormalization": _rms_normalization,
    "Unfold": lambda _, given, __: _nn("Unfold")(**_window(given)),
    "UpSampling": _up_sampling,
}
"""For each layer, without its axes, what makes that of PyTorch, of its name, its arguments and its input."""
