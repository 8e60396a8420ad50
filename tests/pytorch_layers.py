"""What the real PyTorch says of one layer that is written with the arguments of archbudget."""

from __future__ import annotations

from typing import Any

RECURRENT = {"SimpleRNN": "RNN", "LSTM": "LSTM", "GRU": "GRU"}


def describe(kind: str, arguments: dict[str, Any], shapes: list[list[int]]) -> dict[str, Any] | None:
    """The output shape of a layer, its weights and its multiply-accumulates; `None` if PyTorch refuses it.

    The multiply-accumulates are half of what `FlopCounterMode` says.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    (shape,) = shapes
    if kind in RECURRENT and len(shape) != 2:
        return None  # PyTorch would take the batch for the steps.
    last = channels_last(kind, arguments)
    shape = [shape[-1], *shape[:-1]] if last else shape
    counter = FlopCounterMode(display=False)
    # A batch of one has no statistics, and PyTorch says so.
    batch = 2 if kind == "BatchNormalization" else 1
    try:
        with torch.device("meta"), torch.no_grad(), counter:
            layer = module(kind, arguments, shape)
            found = layer(torch.zeros(batch, *shape))
    except (RuntimeError, ValueError):
        return None
    if kind in RECURRENT:
        output = list(found[0].shape[1:] if arguments.get("return_sequences") else found[0][:, -1].shape[1:])
    else:
        output = list(found.shape[1:])
        output = [*output[1:], output[0]] if last else output
    if 0 in output:
        return None  # Refused wherever there are values.
    return {
        "output": output,
        "trainable": sum(weight.numel() for weight in layer.parameters()),
        "non_trainable": sum(
            weight.numel() for name, weight in layer.named_buffers() if not name.endswith("num_batches_tracked")
        ),
        "macs": counter.get_total_flops() // 2,
    }


def channels_last(kind: str, arguments: dict[str, Any]) -> bool:
    """Whether a layer has its channels where PyTorch has them not."""
    return kind not in RECURRENT and arguments.get("data_format") != "channels_first"


def module(kind: str, arguments: dict[str, Any], shape: list[int]) -> Any:
    """The real layer, for an input of a shape as PyTorch has it."""
    from torch import nn

    given = {name: tuple(value) if isinstance(value, list) else value for name, value in arguments.items()}
    axes = len(shape) - 1
    if kind in RECURRENT:
        assert given.get("two_biases", kind == "GRU") or not given.get("use_bias", True), (
            "PyTorch has two biases or none"
        )
        options = ("num_layers", "bidirectional", "proj_size")
        return getattr(nn, RECURRENT[kind])(
            shape[-1],
            given["units"],
            bias=given.get("use_bias", True),
            batch_first=True,
            **{name: given[name] for name in options if name in given},
        )
    if kind == "BatchNormalization":
        assert given.get("center", True) == given.get("scale", True), "PyTorch has both or none"
        return getattr(nn, f"BatchNorm{max(axes, 1)}d")(
            shape[0], affine=given.get("scale", True), track_running_stats=given.get("track_running_stats", True)
        )
    if kind.endswith(f"Pooling{axes}D"):
        options = ("padding", "ceil_mode", "count_include_pad")
        size = given.get("pool_size", 2)
        return getattr(nn, f"{kind[:3].replace('Ave', 'Avg')}Pool{axes}d")(
            size, given.get("strides") or size, **{name: given[name] for name in options if name in given}
        )
    return _convolution(kind, given, shape[0], axes)


def _convolution(kind: str, given: dict[str, Any], channels: int, axes: int) -> Any:
    from torch import nn

    conv = getattr(nn, f"Conv{axes}d")
    padding = given.get("padding", 0)
    pairs = isinstance(padding, tuple) and any(isinstance(side, (list, tuple)) for side in padding)
    slide = {
        "stride": given.get("strides", 1),
        "padding": 0 if pairs else padding,
        "dilation": given.get("dilation_rate", 1),
    }
    bias = given.get("use_bias", True)
    size = given["kernel_size"]
    if kind.endswith("Transpose"):
        made = getattr(nn, f"ConvTranspose{axes}d")(
            channels, given["filters"], size, bias=bias, output_padding=given.get("output_padding") or 0, **slide
        )
    elif kind.startswith("Conv"):
        made = conv(channels, given["filters"], size, groups=given.get("groups", 1), bias=bias, **slide)
    else:
        separable = kind.startswith("Separable")
        width = channels * given.get("depth_multiplier", 1)
        made = conv(channels, width, size, groups=channels, bias=bias and not separable, **slide)
        if separable:
            made = nn.Sequential(made, conv(width, given["filters"], 1, bias=bias))
    if pairs:
        both = [side if isinstance(side, (list, tuple)) else (side, side) for side in padding]
        # PyTorch names the ends of the last axis first.
        around = tuple(end for side in reversed(both) for end in side)
        made = nn.Sequential(getattr(nn, f"ConstantPad{axes}d")(around, 0.0), made)
    return made
