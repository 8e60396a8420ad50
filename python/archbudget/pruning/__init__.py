"""Trained models of Keras with fewer channels: what each width keeps of their importance, and the narrower models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from archbudget._guard import guarded
from archbudget._message import listed, show
from archbudget.errors import SpaceError
from archbudget.importers.keras import from_keras
from archbudget.metrics import Metric
from archbudget.pruning._copy import Copy
from archbudget.pruning._selection import Gain, Selection
from archbudget.pruning._walk import Walk
from archbudget.space.architecture import Architecture

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from archbudget._records import LayerRecord

__all__ = ["channel_importance", "prune_channels"]

DIGITS = 9
"""So many digits of the importance of a whole model are counted."""


@guarded
def prune_channels(
    model: Any,
    kept: Architecture | Mapping[str, Sequence[int] | npt.NDArray[Any]],
    importances: Mapping[str, npt.ArrayLike] | None = None,
    *,
    strict: bool = True,
) -> Any:
    """A narrower copy of a trained model of Keras, with the weights of the channels that it keeps.

    Channels that are added to each other, multiplied or compared are one: all layers that give them keep the same ones.
    The channels of a depthwise convolution and of a normalization are those that flow in, a `Flatten` has each channel
    at each place, a concatenation those of its parts, one behind the other. A grouped convolution keeps equally many
    channels of each group. So the new model computes what the old one would if no layer read the channels that are left
    out. Layers that are not known here (attention, recurrent layers, own layers, functions) are copied as they are, and
    no channel that they read is left out.

    The model does not change; the new one is not compiled. It takes time proportional to the weights, holds the GIL,
    and is safe to call from several threads.

    Args:
        model: A functional model of Keras 3, or a `Sequential` that has its weights; models may be parts of it.
        kept: A network of a space that was made by `from_keras(model)` and `vary`, whose widths say how many channels
            each layer keeps; or the channels themselves, by the names of layers, as numbers from 0 or as truth values.
            Layers that are not named follow those that they are added to, or keep all.
        importances: With a network: numbers by the names of layers, one for each channel that the layer gives. They
            are summed over the layers that share a channel, and the largest sums are kept. By default it is the sum of
            the absolute weights that make a channel.
        strict: Whether channels are kept that a layer weighs against all others: layer normalization, softmax. If not,
            they are left out like others, and statistics are those of the channels that are left.

    Raises:
        SpaceError: If it is no such model, a layer that must keep its channels would lose some, or the network is not
            the model with other widths.

    Example:
        >>> import archbudget as ab
        >>> from keras import Input, Sequential, layers  # doctest: +SKIP
        >>> model = Sequential([Input((8,)), layers.Dense(16), layers.Dense(3)])  # doctest: +SKIP
        >>> space = ab.from_keras(model).vary({"dense.units": ab.scale(0.25, 1)})  # doctest: +SKIP
        >>> arch = space.within(ab.Budget(params=100)).largest("params")  # doctest: +SKIP
        >>> ab.prune_channels(model, arch).count_params()  # doctest: +SKIP
        99
    """
    if not isinstance(strict, bool):
        raise SpaceError(f"prune_channels: strict must be True or False, not {show(strict)}")
    walk = Walk(model, "prune_channels", strict)
    if isinstance(kept, Architecture):
        return _pruned_to(walk, kept, importances)
    if not isinstance(kept, Mapping):
        raise SpaceError(
            "prune_channels takes a network of a space, or the channels that are kept by the names of layers, not "
            f"{show(kept)}"
        )
    if importances is not None:
        raise SpaceError("prune_channels takes importances with a network; kept channels that are named need none")
    selection = Selection(walk, {})
    return Copy(walk, selection.by_names(kept)).model()


def _pruned_to(walk: Walk, arch: Architecture, importances: Any) -> Any:
    """The model with the widths of a network."""
    selection = Selection(walk, importances)
    records = {record.name: record for record in arch.layers}
    widths: dict[str, int] = {}
    for plan in selection.makers:
        record = records.get(plan.name)
        if record is None or record.type != type(plan.layer).__name__:
            raise SpaceError(
                f"prune_channels: the network has no {plan.title}, so it is not the model with other widths"
            )
        assert plan.width is not None
        widths[plan.name] = record.arguments[plan.width]
    made = Copy(walk, selection.by_widths(widths)).model()
    _compare(arch, from_keras(made, strict=False).architecture())
    return made


def _compare(arch: Architecture, made: Architecture) -> None:
    """Refuses a network that differs in more than its widths.

    Raises:
        SpaceError: With the first layers that differ.
    """
    found = {record.name: record for record in made.layers}
    wanted = {record.name: record for record in arch.layers}
    names = [name for name in {**wanted, **found} if _said(wanted.get(name)) != _said(found.get(name))]
    if names:
        raise SpaceError(
            f"prune_channels: the network is not the model with other widths: {listed(names)} differ in more than that"
        )


def _said(record: LayerRecord | None) -> object:
    """What a record says of a layer, as far as both networks have it."""
    if record is None:
        return None
    return (
        record.type,
        record.arguments,
        record.other_arguments,
        record.input_shapes,
        record.output_shapes,
        record.params,
    )


@guarded
def channel_importance(
    model: Any,
    importances: Mapping[str, npt.ArrayLike] | None = None,
    *,
    name: str = "importance",
    strict: bool = True,
) -> Metric:
    """The metric that sums the importances of the channels that a trained model keeps at the widths of a network.

    It is for spaces made by `from_keras(model)` and `vary`: `fits.largest("importance")` is the network that keeps
    most, and `prune_channels` with the same importances the model. The value of a layer of width w is the sum of its w
    largest importances, to nine digits of that of the whole model; channels that layers share count once.

    Args:
        model: As for `prune_channels`.
        importances: As for `prune_channels`. Where layers are compared, it matters how numbers of different layers
            compare: a loss that a channel is estimated to save does (Taylor), and so do magnitudes that are divided by
            the mean of their layer.
        name: The name of the metric.
        strict: As for `prune_channels`.

    Raises:
        SpaceError: As for `prune_channels`, or if the name is that of another metric.

    Example:
        >>> import archbudget as ab
        >>> from keras import Input, Sequential, layers  # doctest: +SKIP
        >>> model = Sequential([Input((8,)), layers.Dense(16), layers.Dense(3)])  # doctest: +SKIP
        >>> space = ab.from_keras(model).vary({"dense.units": ab.scale(0.25, 1)})  # doctest: +SKIP
        >>> space = space.with_metrics([ab.channel_importance(model)])  # doctest: +SKIP
        >>> space.within(ab.Budget(params=100)).largest("importance")["dense"]  # doctest: +SKIP
        8
    """
    if not isinstance(strict, bool):
        raise SpaceError(f"channel_importance: strict must be True or False, not {show(strict)}")
    selection = Selection(Walk(model, "channel_importance", strict), importances)
    gains = selection.gains()
    most = sum(float(np.nanmax(np.abs(each.total))) for each in gains.values()) or 1.0
    return Metric(name, partial(_gain, gains=gains), resolution=10.0 ** (math.ceil(math.log10(most)) - DIGITS))


def _gain(record: LayerRecord, *, gains: Mapping[str, Gain]) -> float:
    """The importance that a layer keeps.

    Raises:
        SpaceError: If it has a width that a pruned model cannot have.
    """
    gain = gains.get(record.name)
    if gain is None or record.reused:
        return 0.0
    width = record.arguments[gain.width]
    if width >= len(gain.total) or np.isnan(gain.total[width]):
        because = f": {gain.why}" if gain.why else ""
        raise SpaceError(
            f"channel_importance: layer {show(record.name)} has {len(gain.total) - 1} channels and cannot have {width}"
            f"{because}"
        )
    return float(gain.total[width])
