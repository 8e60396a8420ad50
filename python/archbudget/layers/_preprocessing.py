"""The layers of Keras 3 that prepare images, sound and categories.

Their output shape follows from their input shape and their arguments; those that learn a vocabulary from data, or need
TensorFlow to run, are left out. What they do to images at random they do while training only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from archbudget._expressions import Decision
from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.layers._base import Layer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archbudget._expressions import IntLike
    from archbudget.layers._arguments import Flag, Text

    Factors = Mapping[str, tuple[float, float]]
    Words = Mapping[str, tuple[str, ...]]

__all__ = [
    "AugMix",
    "AutoContrast",
    "CategoryEncoding",
    "CenterCrop",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "CutMix",
    "Discretization",
    "MaxNumBoundingBoxes",
    "MelSpectrogram",
    "MixUp",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "Resizing",
    "STFTSpectrogram",
    "Solarization",
]

INTERPOLATED = {"interpolation": ("nearest", "bilinear")}
MOVED = {**INTERPOLATED, "fill_mode": ("reflect", "wrap", "constant", "nearest")}


class _Image(Layer):
    """A layer that leaves the shape of an image as it is."""

    FACTORS: ClassVar[Factors] = {}
    """The least and the largest value of numbers, or of pairs of them."""
    WORDS: ClassVar[Words] = {}
    """The values of words."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, (low, high) in self.FACTORS.items():
            for value in _values(getattr(self, name)):
                pair = value if isinstance(value, (list, tuple)) else (value, value)
                numbers = all(isinstance(each, (int, float)) for each in pair)
                if value is not None and not (len(pair) == 2 and numbers and low <= min(pair) and max(pair) <= high):
                    raise SpaceError(
                        f"{self.kind}: {name} must be a number from {low} to {high}, or two of them, not {show(value)}"
                    )
        for name, words in self.WORDS.items():
            for value in _values(getattr(self, name)):
                if not _is_one_of(words, value):
                    raise SpaceError(f"{self.kind}: {name} must be one of {list(words)}, not {show(value)}")


def _values(given: Any) -> Sequence[Any]:
    return given.values if isinstance(given, Decision) else (given,)


def _is_one_of(words: Sequence[str | None], value: Any) -> bool:
    return (value is None or isinstance(value, str)) and value in words


@dataclass(frozen=True, eq=False, repr=False)
class AugMix(_Image):
    """Chains of random changes, mixed with the image."""

    value_range: Any = (0, 255)
    num_chains: Any = 3
    chain_depth: Any = 3
    factor: Any = 0.3
    alpha: Any = 1.0
    all_ops: Any = True
    interpolation: Any = "bilinear"
    seed: int | None = None
    data_format: Text | None = None

    FACTORS: ClassVar[Factors] = {"factor": (0, 1)}


@dataclass(frozen=True, eq=False, repr=False)
class AutoContrast(_Image):
    """An image with its values spread over the whole range."""

    value_range: Any = (0, 255)


@dataclass(frozen=True, eq=False, repr=False)
class ContrastLimitedAdaptiveHistogramEqualization(_Image):
    """An image with the contrast of each of its tiles spread."""

    value_range: Any = (0, 255)
    clip_limit: Any = 4.0
    tile_grid_size: Any = (8, 8)
    data_format: Text | None = None


@dataclass(frozen=True, eq=False, repr=False)
class CutMix(_Image):
    """Images with patches of others, while training."""

    factor: Any = 1.0
    seed: int | None = None
    data_format: Text | None = None

    FACTORS: ClassVar[Factors] = {"factor": (0, 1)}


@dataclass(frozen=True, eq=False, repr=False)
class MaxNumBoundingBoxes(_Image):
    """An image as it is; bounding boxes beside it are cut or padded to a number."""

    max_number: Any
    fill_value: Any = -1


@dataclass(frozen=True, eq=False, repr=False)
class MixUp(_Image):
    """Weighted sums of images, while training."""

    alpha: Any = 0.2
    data_format: Text | None = None
    seed: int | None = None


@dataclass(frozen=True, eq=False, repr=False)
class RandAugment(_Image):
    """Random changes of random strength, while training."""

    value_range: Any = (0, 255)
    num_ops: Any = 2
    factor: Any = 0.5
    interpolation: Any = "bilinear"
    seed: int | None = None
    data_format: Text | None = None

    FACTORS: ClassVar[Factors] = {"factor": (0, 1)}


@dataclass(frozen=True, eq=False, repr=False)
class RandomBrightness(_Image):
    """Brighter or darker images, while training."""

    factor: Any
    value_range: Any = (0, 255)
    seed: int | None = None

    FACTORS: ClassVar[Factors] = {"factor": (-1, 1)}


@dataclass(frozen=True, eq=False, repr=False)
class RandomColorDegeneration(_Image):
    """Images with weaker colours, while training."""

    factor: Any
    value_range: Any = (0, 255)
    data_format: Text | None = None
    seed: int | None = None

    FACTORS: ClassVar[Factors] = {"factor": (-1, 1)}


@dataclass(frozen=True, eq=False, repr=False)
class RandomColorJitter(_Image):
    """Images of other brightness, contrast, saturation and hue, while training."""

    value_range: Any = (0, 255)
    brightness_factor: Any = None
    contrast_factor: Any = None
    saturation_factor: Any = None
    hue_factor: Any = None
    seed: int | None = None
    data_format: Text | None = None

    FACTORS: ClassVar[Factors] = {
        "brightness_factor": (-1, 1),
        "contrast_factor": (0, 1),
        "saturation_factor": (-1, 1),
        "hue_factor": (0, 1),
    }


@dataclass(frozen=True, eq=False, repr=False)
class RandomContrast(_Image):
    """Images of other contrast, while training."""

    factor: Any
    value_range: Any = (0, 255)
    seed: int | None = None

    FACTORS: ClassVar[Factors] = {"factor": (0, 1)}


@dataclass(frozen=True, eq=False, repr=False)
class RandomElasticTransform(_Image):
    """Images bent at random, while training."""

    factor: Any = 1.0
    scale: Any = 1.0
    interpolation: Any = "bilinear"
    fill_mode: Any = "reflect"
    fill_value: Any = 0.0
    value_range: Any = (0, 255)
    seed: int | None = None
    data_format: Text | None = None

    FACTORS: ClassVar[Factors] = {"factor": (0, 1), "scale": (0, 1)}
    WORDS: ClassVar[Words] = {**MOVED, "fill_mode": ("wrap", "reflect", "constant", "mirror", "nearest")}


@dataclass(frozen=True, eq=False, repr=False)
class RandomErasing(_Image):
    """Images with a patch erased, while training."""

    factor: Any = 1.0
    scale: Any = (0.02, 0.33)
    fill_value: Any = None
    value_range: Any = (0, 255)
    seed: int | None = None
    data_format: Text | None = None

    FACTORS: ClassVar[Factors] = {"factor": (0, 1), "scale": (0, 1)}


@dataclass(frozen=True, eq=False, repr=False)
class RandomFlip(_Image):
    """Images flipped at random, while training."""

    mode: Any = "horizontal_and_vertical"
    seed: int | None = None
    data_format: Text | None = None


@dataclass(frozen=True, eq=False, repr=False)
class RandomGaussianBlur(_Image):
    """Images blurred at random, while training."""

    factor: Any = 1.0
    kernel_size: Any = 3
    sigma: Any = 1.0
    value_range: Any = (0, 255)
    data_format: Text | None = None
    seed: int | None = None

    FACTORS: ClassVar[Factors] = {"factor": (0, 1), "sigma": (0, 1)}


@dataclass(frozen=True, eq=False, repr=False)
class RandomGrayscale(_Image):
    """Images turned grey at random, while training."""

    factor: Any = 0.5
    data_format: Text | None = None
    seed: int | None = None

    FACTORS: ClassVar[Factors] = {"factor": (0, 1)}


@dataclass(frozen=True, eq=False, repr=False)
class RandomHue(_Image):
    """Images of other hue, while training."""

    factor: Any
    value_range: Any = (0, 255)
    data_format: Text | None = None
    seed: int | None = None

    FACTORS: ClassVar[Factors] = {"factor": (0, 1)}


@dataclass(frozen=True, eq=False, repr=False)
class RandomInvert(_Image):
    """Images inverted at random, while training."""

    factor: Any = 1.0
    value_range: Any = (0, 255)
    seed: int | None = None
    data_format: Text | None = None

    FACTORS: ClassVar[Factors] = {"factor": (0, 1)}


@dataclass(frozen=True, eq=False, repr=False)
class RandomPerspective(_Image):
    """Images seen from elsewhere, while training."""

    factor: Any = 1.0
    scale: Any = 1.0
    interpolation: Any = "bilinear"
    fill_value: Any = 0.0
    seed: int | None = None
    data_format: Text | None = None

    FACTORS: ClassVar[Factors] = {"factor": (0, 1)}
    WORDS: ClassVar[Words] = INTERPOLATED


@dataclass(frozen=True, eq=False, repr=False)
class RandomPosterization(_Image):
    """Images of fewer bits, while training."""

    factor: Any
    value_range: Any = (0, 255)
    data_format: Text | None = None
    seed: int | None = None

    FACTORS: ClassVar[Factors] = {"factor": (1, 8)}


@dataclass(frozen=True, eq=False, repr=False)
class RandomRotation(_Image):
    """Images turned at random, while training."""

    factor: Any
    fill_mode: Any = "reflect"
    interpolation: Any = "bilinear"
    seed: int | None = None
    fill_value: Any = 0.0
    data_format: Text | None = None

    FACTORS: ClassVar[Factors] = {"factor": (-1, 1)}
    WORDS: ClassVar[Words] = {**INTERPOLATED, "fill_mode": ("wrap", "reflect", "constant", "mirror", "nearest")}


@dataclass(frozen=True, eq=False, repr=False)
class RandomSaturation(_Image):
    """Images of other saturation, while training."""

    factor: Any
    value_range: Any = (0, 255)
    data_format: Text | None = None
    seed: int | None = None

    FACTORS: ClassVar[Factors] = {"factor": (-1, 1)}


@dataclass(frozen=True, eq=False, repr=False)
class RandomSharpness(_Image):
    """Images of other sharpness, while training."""

    factor: Any
    value_range: Any = (0, 255)
    data_format: Text | None = None
    seed: int | None = None

    FACTORS: ClassVar[Factors] = {"factor": (0, 1)}


@dataclass(frozen=True, eq=False, repr=False)
class RandomShear(_Image):
    """Images sheared at random, while training."""

    x_factor: Any = 0.0
    y_factor: Any = 0.0
    interpolation: Any = "bilinear"
    fill_mode: Any = "reflect"
    fill_value: Any = 0.0
    data_format: Text | None = None
    seed: int | None = None

    FACTORS: ClassVar[Factors] = {"x_factor": (0, 1), "y_factor": (0, 1)}
    WORDS: ClassVar[Words] = {**INTERPOLATED, "fill_mode": ("wrap", "reflect", "constant", "mirror", "nearest")}


@dataclass(frozen=True, eq=False, repr=False)
class RandomTranslation(_Image):
    """Images moved at random, while training."""

    height_factor: Any
    width_factor: Any
    fill_mode: Any = "reflect"
    interpolation: Any = "bilinear"
    seed: int | None = None
    fill_value: Any = 0.0
    data_format: Text | None = None

    FACTORS: ClassVar[Factors] = {"height_factor": (-1, 1), "width_factor": (-1, 1)}
    WORDS: ClassVar[Words] = {**INTERPOLATED, "fill_mode": ("wrap", "reflect", "constant", "mirror", "nearest")}


@dataclass(frozen=True, eq=False, repr=False)
class RandomZoom(_Image):
    """Images zoomed at random, while training."""

    height_factor: Any
    width_factor: Any = None
    fill_mode: Any = "reflect"
    interpolation: Any = "bilinear"
    seed: int | None = None
    fill_value: Any = 0.0
    data_format: Text | None = None

    FACTORS: ClassVar[Factors] = {"height_factor": (-1, 1), "width_factor": (-1, 1)}
    WORDS: ClassVar[Words] = {**INTERPOLATED, "fill_mode": ("wrap", "reflect", "constant", "mirror", "nearest")}


@dataclass(frozen=True, eq=False, repr=False)
class Solarization(_Image):
    """Images with their bright values inverted."""

    addition_factor: Any = 0.0
    threshold_factor: Any = 0.0
    value_range: Any = (0, 255)
    seed: int | None = None

    FACTORS: ClassVar[Factors] = {"addition_factor": (0, 1), "threshold_factor": (0, 1)}


@dataclass(frozen=True, eq=False, repr=False)
class CenterCrop(Layer):
    """The middle of an image; a smaller image is enlarged."""

    height: IntLike
    width: IntLike
    data_format: Text | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Resizing(Layer):
    """An image in another size."""

    height: IntLike
    width: IntLike
    interpolation: Any = "bilinear"
    crop_to_aspect_ratio: Any = False
    pad_to_aspect_ratio: Any = False
    fill_mode: Any = "constant"
    fill_value: Any = 0.0
    antialias: Any = False
    data_format: Text | None = None


@dataclass(frozen=True, eq=False, repr=False)
class STFTSpectrogram(Layer):
    """A spectrogram by two convolutions, whose kernels may be trained."""

    mode: Text = "log"
    frame_length: IntLike = 256
    frame_step: IntLike | None = None
    fft_length: IntLike | None = None
    window: Any = "hann"
    periodic: Any = False
    scaling: Any = "density"
    padding: Text = "valid"
    expand_dims: Flag = False
    data_format: Text | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(_is_one_of((None, "density", "spectrum"), value) for value in _values(self.scaling)):
            raise SpaceError(
                f"STFTSpectrogram: scaling must be None, 'density' or 'spectrum', not {show(self.scaling)}"
            )


@dataclass(frozen=True, eq=False, repr=False)
class MelSpectrogram(Layer):
    """A spectrogram in mel bins, by a Fourier transform and a fixed matrix; only the matrix counts as MACs."""

    fft_length: IntLike = 2048
    sequence_stride: IntLike = 512
    sequence_length: IntLike | None = None
    window: Any = "hann"
    sampling_rate: Any = 16000
    num_mel_bins: IntLike = 128
    min_freq: Any = 20.0
    max_freq: Any = None
    power_to_db: Any = True
    top_db: Any = 80.0
    mag_exp: Any = 2.0
    min_power: Any = 1e-10
    ref_power: Any = 1.0


@dataclass(frozen=True, eq=False, repr=False)
class CategoryEncoding(Layer):
    """Integers as vectors of as many values as there are categories."""

    num_tokens: IntLike | None = None
    output_mode: Text = "multi_hot"

    def normalized(self) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost; Keras has an older name of a mode, too."""
        given = super().normalized()
        if _is_one_of(("binary",), self.output_mode):
            given["output_mode"] = "multi_hot"
        return given


@dataclass(frozen=True, eq=False, repr=False)
class Discretization(Layer):
    """Numbers as the bins that they fall into, as integers or as vectors."""

    bin_boundaries: Sequence[float] | None = None
    num_bins: IntLike | None = None
    epsilon: Any = 0.01
    output_mode: Text = "int"
    dtype: Any = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if (self.bin_boundaries is None) == (self.num_bins is None):
            raise SpaceError("Discretization: either bin_boundaries or num_bins must be given")
        bins: Any = self.bin_boundaries
        numbers = isinstance(bins, (list, tuple)) and all(isinstance(each, (int, float)) for each in bins)
        if bins is not None and not numbers:
            raise SpaceError(f"Discretization: bin_boundaries must be a list of numbers, not {show(bins)}")
        if self.trainable is False:
            raise SpaceError("Discretization: Keras takes no argument trainable here")
        super().__post_init__()

    def normalized(self) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost: how many bins there are."""
        given = super().normalized()
        if self.bin_boundaries is not None:
            given["num_bins"] = len(self.bin_boundaries) + 1
        return given

    def keras_arguments(self, counted: Any, chosen: Any) -> dict[str, Any]:
        """The arguments of the real layer: bins by their number, or by their boundaries."""
        real = super().keras_arguments(counted, chosen)
        if self.bin_boundaries is not None:
            real["bin_boundaries"] = list(self.bin_boundaries)
        return real
