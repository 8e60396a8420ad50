"""Layers that PyTorch has and Keras has not.

Their arguments have the names that Keras gives to arguments of the same meaning (`pool_size`, `strides`, `axis`,
`data_format`, `epsilon`), and otherwise those of PyTorch. As in Keras the channels are last unless `data_format` or
`axis` says otherwise. `to_keras` refuses them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Union

from archbudget._expressions import Decision
from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.layers._base import Layer
from archbudget.layers._layers import FactorsLike, IntsLike, _Margins

if TYPE_CHECKING:
    from archbudget._expressions import IntLike
    from archbudget.layers._layers import Flag, Text

Words = Union[str, Decision]


def _check_words(layer: Layer, name: str, *words: str) -> None:
    """Refuses what is not one of these words, also as a value of a decision."""
    given = getattr(layer, name)
    for value in given.values if isinstance(given, Decision) else (given,):
        if not isinstance(value, str) or value not in words:
            raise SpaceError(f"{layer.kind}: {name} must be one of {', '.join(map(repr, words))}, not {show(value)}")


def _check_number(layer: Layer, name: str, *, zero: bool = True) -> None:
    """Refuses what is not a number, also as a value of a decision."""
    given = getattr(layer, name)
    for value in given.values if isinstance(given, Decision) else (given,):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or (value == 0 and not zero):
            raise SpaceError(
                f"{layer.kind}: {name} must be a number{'' if zero else ' other than 0'}, not {show(value)}"
            )


@dataclass(frozen=True, eq=False, repr=False)
class EmbeddingBag(Layer):
    """The rows of a table for all integers of a sequence, as one row: `input_dim * output_dim` weights.

    Args:
        input_dim: The rows of the table, `num_embeddings` of PyTorch.
        output_dim: Its columns, `embedding_dim`.
        mode: What becomes of the rows: `"mean"`, `"sum"` or `"max"`.
        embeddings_initializer: Where its values begin.
    """

    input_dim: IntLike
    output_dim: IntLike
    mode: Text = "mean"
    embeddings_initializer: Any = "uniform"

    IN_KERAS = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_words(self, "mode", "mean", "sum", "max")


@dataclass(frozen=True, eq=False, repr=False)
class GLU(Layer):
    """One half of the values along an axis, each times the sigmoid of one of the other half."""

    axis: int = -1

    IN_KERAS = False


@dataclass(frozen=True, eq=False, repr=False)
class InstanceNormalization(Layer):
    """Each channel of each input, less its mean and divided by its deviation.

    Args:
        axis: The axis of the channels.
        momentum: How much of a moving statistic stays, as in Keras: 1 less the `momentum` of PyTorch.
        epsilon: What is added to a variance.
        affine: Whether there are a gamma and a beta for each channel.
        track_running_stats: Whether there are a moving mean and variance, which are not trained.
    """

    axis: int = -1
    momentum: Any = 0.9
    epsilon: Any = 1e-5
    affine: Flag = False
    track_running_stats: Flag = False

    IN_KERAS = False


@dataclass(frozen=True, eq=False, repr=False)
class LocalResponseNormalization(Layer):
    """Each value, divided by a power of the mean square of so many channels around it."""

    size: IntLike
    alpha: Any = 1e-4
    beta: Any = 0.75
    k: Any = 1.0
    axis: int = -1

    IN_KERAS = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("alpha", "beta", "k"):
            _check_number(self, name)


@dataclass(frozen=True, eq=False, repr=False)
class _LPPooling(Layer):
    norm_type: Any
    pool_size: IntsLike
    strides: IntsLike | None = None
    data_format: Text | None = None
    ceil_mode: Flag = False

    IN_KERAS = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_number(self, "norm_type", zero=False)


@dataclass(frozen=True, eq=False, repr=False)
class LPPooling1D(_LPPooling):
    """The `norm_type`-th root of the sum of the powers of each window."""


@dataclass(frozen=True, eq=False, repr=False)
class LPPooling2D(_LPPooling):
    """The `norm_type`-th root of the sum of the powers of each window."""


@dataclass(frozen=True, eq=False, repr=False)
class LPPooling3D(_LPPooling):
    """The `norm_type`-th root of the sum of the powers of each window."""


@dataclass(frozen=True, eq=False, repr=False)
class _FractionalMaxPooling(Layer):
    pool_size: IntsLike
    output_size: IntsLike | None = None
    output_ratio: FactorsLike | None = None
    data_format: Text | None = None

    IN_KERAS = False


@dataclass(frozen=True, eq=False, repr=False)
class FractionalMaxPooling2D(_FractionalMaxPooling):
    """The largest value of windows at random positions, as many as make an output of a size, or of a share below 1."""


@dataclass(frozen=True, eq=False, repr=False)
class FractionalMaxPooling3D(_FractionalMaxPooling):
    """The largest value of windows at random positions, as many as make an output of a size, or of a share below 1."""


@dataclass(frozen=True, eq=False, repr=False)
class _Surrounded(_Margins):
    """Margins; what is negative cuts off."""

    padding: Any
    data_format: Text | None = None

    IN_KERAS = False
    ARGUMENT = "padding"


@dataclass(frozen=True, eq=False, repr=False)
class _ConstantPadding(_Margins):
    padding: Any
    value: Any = 0.0
    data_format: Text | None = None

    IN_KERAS = False
    ARGUMENT = "padding"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_number(self, "value")


@dataclass(frozen=True, eq=False, repr=False)
class ConstantPadding1D(_ConstantPadding):
    """A value before and after a sequence; a negative margin cuts off."""

    AXES = 1


@dataclass(frozen=True, eq=False, repr=False)
class ConstantPadding2D(_ConstantPadding):
    """A value around an image; a negative margin cuts off."""

    AXES = 2


@dataclass(frozen=True, eq=False, repr=False)
class ConstantPadding3D(_ConstantPadding):
    """A value around a volume; a negative margin cuts off."""

    AXES = 3


@dataclass(frozen=True, eq=False, repr=False)
class ReflectionPadding1D(_Surrounded):
    """A sequence and, before and after it, its mirror image without the value at the edge."""

    AXES = 1


@dataclass(frozen=True, eq=False, repr=False)
class ReflectionPadding2D(_Surrounded):
    """An image and, around it, its mirror image without the values at the edge."""

    AXES = 2


@dataclass(frozen=True, eq=False, repr=False)
class ReflectionPadding3D(_Surrounded):
    """A volume and, around it, its mirror image without the values at the edge."""

    AXES = 3


@dataclass(frozen=True, eq=False, repr=False)
class ReplicationPadding1D(_Surrounded):
    """A sequence and, before and after it, the value at its edge."""

    AXES = 1


@dataclass(frozen=True, eq=False, repr=False)
class ReplicationPadding2D(_Surrounded):
    """An image and, around it, the values at its edge."""

    AXES = 2


@dataclass(frozen=True, eq=False, repr=False)
class ReplicationPadding3D(_Surrounded):
    """A volume and, around it, the values at its edge."""

    AXES = 3


@dataclass(frozen=True, eq=False, repr=False)
class CircularPadding1D(_Surrounded):
    """A sequence and, before and after it, its other end."""

    AXES = 1


@dataclass(frozen=True, eq=False, repr=False)
class CircularPadding2D(_Surrounded):
    """An image and, around it, its other end."""

    AXES = 2


@dataclass(frozen=True, eq=False, repr=False)
class CircularPadding3D(_Surrounded):
    """A volume and, around it, its other end."""

    AXES = 3


@dataclass(frozen=True, eq=False, repr=False)
class PixelShuffle(Layer):
    """An image with a square of its channels at each position, as an image so many times as large."""

    upscale_factor: IntLike
    data_format: Text | None = None

    IN_KERAS = False


@dataclass(frozen=True, eq=False, repr=False)
class PixelUnshuffle(Layer):
    """An image with squares of its positions as channels, the opposite of `PixelShuffle`."""

    downscale_factor: IntLike
    data_format: Text | None = None

    IN_KERAS = False


@dataclass(frozen=True, eq=False, repr=False)
class ChannelShuffle(Layer):
    """The channels of all groups in turn."""

    groups: IntLike
    axis: int = -1

    IN_KERAS = False


@dataclass(frozen=True, eq=False, repr=False)
class Unfold(Layer):
    """What a window covers at each of its positions, as a sequence of `(positions, values * channels)`."""

    kernel_size: IntsLike
    strides: IntsLike = 1
    padding: IntsLike = 0
    data_format: Text | None = None
    dilation_rate: IntsLike = 1

    IN_KERAS = False


@dataclass(frozen=True, eq=False, repr=False)
class Fold(Layer):
    """An image of a size, the sum of windows that a sequence of `(positions, values * channels)` holds."""

    output_size: IntsLike
    kernel_size: IntsLike
    strides: IntsLike = 1
    padding: IntsLike = 0
    data_format: Text | None = None
    dilation_rate: IntsLike = 1

    IN_KERAS = False
