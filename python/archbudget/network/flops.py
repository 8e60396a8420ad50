"""FLOPs by the conventions of other tools: what each of them calls so."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from archbudget._message import listed, with_nearest
from archbudget.errors import SpaceError
from archbudget.layers import CustomLayer

if TYPE_CHECKING:
    from collections.abc import Callable

    from archbudget._records import LayerRecord
    from archbudget.network.network import Call, Network

CONVENTIONS = {
    "2macs": "two for each multiply-accumulate, a product and a sum: torch's FlopCounterMode",
    "macs": "one for each multiply-accumulate: papers on mobile networks",
    "fvcore": "one for each multiply-accumulate, and what fvcore adds for normalizations and some other layers",
}
"""What FLOPs are by the name of each convention."""


def flops(network: Network, convention: object) -> int:
    """The FLOPs of a network by a convention.

    Raises:
        SpaceError: If there is no such convention, the multiply-accumulates are unknown, or the tool counts a layer in
            a way that the layer does not determine.
    """
    if not isinstance(convention, str) or convention not in CONVENTIONS:
        given = with_nearest(convention, CONVENTIONS)
        raise SpaceError(f"flops: convention must be one of {listed(CONVENTIONS)}, not {given}")
    for call in network.calls:
        if call.record.macs is None:
            raise SpaceError(
                f"flops are unknown, as the macs of '{call.name}' ({call.record.type}) are: they depend on a side "
                "that is unknown, or archbudget has no such layer"
            )
    if convention == "fvcore":
        return sum(_by_fvcore(call) for call in network.calls)
    macs = sum(call.record.macs for call in network.calls)
    return 2 * macs if convention == "2macs" else macs


def _by_fvcore(call: Call) -> int:
    record = call.record
    count = None if isinstance(call.layer, CustomLayer) else FVCORE.get(record.type)
    found = None if count is None else count(record)
    if found is None:
        raise SpaceError(
            f"flops: what fvcore counts of '{record.name}' ({record.type}) depends on how it is written in PyTorch, if "
            "it counts it at all; the conventions '2macs' and 'macs' take every layer"
        )
    return found


def _nothing(_: LayerRecord) -> int:
    return 0


def _products(record: LayerRecord) -> int | None:
    return None if record.arguments.get("lora_rank") else record.macs


def _batch(record: LayerRecord) -> int | None:
    """2 for each value of a normalization at rest, 1 without weights (`batchnorm_flop_jit`)."""
    given = record.arguments
    if given["center"] != given["scale"] or given["renorm"] or not given["track_running_stats"]:
        return None
    return prod(record.output_shape) * (2 if given["center"] else 1)


def _norm(record: LayerRecord) -> int | None:
    """5 for each value, 4 without weights (`norm_flop_counter`)."""
    given = record.arguments
    has_weights = given["affine"] if "affine" in given else given["center"]
    if not 1 <= len(record.output_shape) <= 4 or given.get("scale", has_weights) != has_weights:
        return None
    return prod(record.output_shape) * (5 if has_weights else 4)


def _average(record: LayerRecord) -> int:
    """1 for each value of the input (`elementwise_flop_counter(1, 0)`)."""
    return prod(record.input_shapes[0])


FVCORE: dict[str, Callable[[LayerRecord], int | None]] = {
    **dict.fromkeys(
        (
            *(f"{kind}{n}D" for kind in ("Conv", "DepthwiseConv", "SeparableConv") for n in (1, 2)),
            *("Conv3D", *(f"Conv{n}DTranspose" for n in (1, 2, 3)), "Dense"),
        ),
        _products,
    ),
    **dict.fromkeys(
        (
            *("Input", "Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax", "GLU", "Identity", "Rescaling"),
            *("Flatten", "Reshape", "Permute", "RepeatVector", "PixelShuffle", "PixelUnshuffle", "ChannelShuffle"),
            *("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Embedding"),
            *("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise", "ActivityRegularization"),
            *(
                f"{kind}{n}D"
                for kind in (
                    *("SpatialDropout", "MaxPooling", "AveragePooling", "GlobalMaxPooling", "GlobalAveragePooling"),
                    *("AdaptiveMaxPooling", "ZeroPadding", "Cropping"),
                )
                for n in (1, 2, 3)
            ),
        ),
        _nothing,
    ),
    "BatchNormalization": _batch,
    **dict.fromkeys(("LayerNormalization", "GroupNormalization", "InstanceNormalization"), _norm),
    "AdaptiveAveragePooling2D": _average,
}
"""What fvcore 0.1.5 counts of a layer at rest as `to_torch` builds it, or `from_torch` read it, by the kind of the
layer; `None` where that cannot be told."""
