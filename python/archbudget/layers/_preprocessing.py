"""The layers of Keras 3 that prepare images, sound and categories.

Their output shape follows from their input shape and their arguments; those that learn a vocabulary from data, or need
TensorFlow to run, are left out. What they do to images at random they do while training only.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar

from archbudget._expressions import possible
from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.layers._base import Layer, layer_class

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
            for value in possible(getattr(self, name)):
                pair = value if isinstance(value, (list, tuple)) else (value, value)
                numbers = all(isinstance(each, (int, float)) for each in pair)
                if value is not None and not (len(pair) == 2 and numbers and low <= min(pair) and max(pair) <= high):
                    raise SpaceError(
                        f"{self.kind}: {name} must be a number from {low} to {high}, or two of them, not {show(value)}"
                    )
        for name, words in self.WORDS.items():
            for value in possible(getattr(self, name)):
                if not _is_one_of(words, value):
                    raise SpaceError(f"{self.kind}: {name} must be one of {list(words)}, not {show(value)}")


def _is_one_of(words: Sequence[str | None], value: Any) -> bool:
    return (value is None or isinstance(value, str)) and value in words


@layer_class
class AugMix(_Image):
    """Chains of random changes, mixed with the image.

    Input shape: `(height, width, channels)`, of 1 or 3 channels, with the channels first if `data_format` says so.
    Output shape: the same.
    It has no weights and no MACs.
    After Hendrycks et al. (2020).

    Args:
        value_range: The least and the largest value of an image. Kept for Keras. Default: `(0, 255)`.
        num_chains: How many chains are mixed. Kept for Keras. Default: `3`.
        chain_depth: How many changes a chain has. Kept for Keras. Default: `3`.
        factor: How strong the changes are: a number from 0 to 1, or the least and the largest one. It changes no count.
            Default: `0.3`.
        alpha: How evenly the chains are mixed. Kept for Keras. Default: `1.0`.
        all_ops: Whether changes of brightness, contrast and colour are among them. Kept for Keras. Default: `True`.
        interpolation: How values between those of the input are found, which changes no count. Default: `"bilinear"`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

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


@layer_class
class AutoContrast(_Image):
    """An image with its values spread over the whole range.

    Input shape: `(height, width, channels)`.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        value_range: The least and the largest value of an image. Kept for Keras. Default: `(0, 255)`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    value_range: Any = (0, 255)


@layer_class
class ContrastLimitedAdaptiveHistogramEqualization(_Image):
    """An image with the contrast of each of its tiles spread.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the same.
    It has no weights and no MACs.
    After Zuiderveld (1994).

    Args:
        value_range: The least and the largest value of an image. Kept for Keras. Default: `(0, 255)`.
        clip_limit: The bound of the contrast. Kept for Keras. Default: `4.0`.
        tile_grid_size: How many tiles there are along each side. Kept for Keras. Default: `(8, 8)`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    value_range: Any = (0, 255)
    clip_limit: Any = 4.0
    tile_grid_size: Any = (8, 8)
    data_format: Text | None = None


@layer_class
class CutMix(_Image):
    """Images with patches of others, while training.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the same.
    It has no weights and no MACs.
    After Yun et al. (2019).

    Args:
        factor: How large a patch is: a number from 0 to 1, or the least and the largest one. It changes no count.
            Default: `1.0`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    factor: Any = 1.0
    seed: int | None = None
    data_format: Text | None = None

    FACTORS: ClassVar[Factors] = {"factor": (0, 1)}


@layer_class
class MaxNumBoundingBoxes(_Image):
    """An image as it is; bounding boxes beside it are cut or padded to a number.

    Input shape: `(height, width, channels)`.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        max_number: How many boxes there are. Kept for Keras.
        fill_value: What stands for boxes that are missing. Kept for Keras. Default: `-1`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    max_number: Any
    fill_value: Any = -1


@layer_class
class MixUp(_Image):
    """Weighted sums of images, while training.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the same.
    It has no weights and no MACs.
    After Zhang et al. (2018).

    Args:
        alpha: How evenly two images are mixed. Kept for Keras. Default: `0.2`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    alpha: Any = 0.2
    data_format: Text | None = None
    seed: int | None = None


@layer_class
class RandAugment(_Image):
    """Random changes of random strength, while training.

    Input shape: `(height, width, channels)`, of 1 or 3 channels, with the channels first if `data_format` says so.
    Output shape: the same.
    It has no weights and no MACs.
    After Cubuk et al. (2020).

    Args:
        value_range: The least and the largest value of an image. Kept for Keras. Default: `(0, 255)`.
        num_ops: How many changes are made. Kept for Keras. Default: `2`.
        factor: How strong the changes are: a number from 0 to 1, or the least and the largest one. It changes no count.
            Default: `0.5`.
        interpolation: How values between those of the input are found, which changes no count. Default: `"bilinear"`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    value_range: Any = (0, 255)
    num_ops: Any = 2
    factor: Any = 0.5
    interpolation: Any = "bilinear"
    seed: int | None = None
    data_format: Text | None = None

    FACTORS: ClassVar[Factors] = {"factor": (0, 1)}


@layer_class
class RandomBrightness(_Image):
    """Brighter or darker images, while training.

    Input shape: `(height, width, channels)`.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        factor: How much brighter an image becomes: a number from -1 to 1, or the least and the largest one. It changes
            no count.
        value_range: The least and the largest value of an image. Kept for Keras. Default: `(0, 255)`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    factor: Any
    value_range: Any = (0, 255)
    seed: int | None = None

    FACTORS: ClassVar[Factors] = {"factor": (-1, 1)}


@layer_class
class RandomColorDegeneration(_Image):
    """Images with weaker colours, while training.

    Input shape: `(height, width, 3)`, with the channels first if `data_format` says so.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        factor: How much of the colour is lost: a number from -1 to 1, or the least and the largest one. It changes no
            count.
        value_range: The least and the largest value of an image. Kept for Keras. Default: `(0, 255)`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    factor: Any
    value_range: Any = (0, 255)
    data_format: Text | None = None
    seed: int | None = None

    FACTORS: ClassVar[Factors] = {"factor": (-1, 1)}


@layer_class
class RandomColorJitter(_Image):
    """Images of other brightness, contrast, saturation and hue, while training.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        value_range: The least and the largest value of an image. Kept for Keras. Default: `(0, 255)`.
        brightness_factor: How much brighter an image becomes; `None` for no change: a number from -1 to 1, or the least
            and the largest one. It changes no count. Default: `None`.
        contrast_factor: How much the contrast changes; `None` for no change: a number from 0 to 1, or the least and the
            largest one. It changes no count. Default: `None`.
        saturation_factor: How much the saturation changes; `None` for no change: a number from -1 to 1, or the least
            and the largest one. It changes no count. Default: `None`.
        hue_factor: How much the hue changes; `None` for no change: a number from 0 to 1, or the least and the largest
            one. It changes no count. Default: `None`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

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


@layer_class
class RandomContrast(_Image):
    """Images of other contrast, while training.

    Input shape: `(height, width, channels)`.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        factor: How much the contrast changes: a number from 0 to 1, or the least and the largest one. It changes no
            count.
        value_range: The least and the largest value of an image. Kept for Keras. Default: `(0, 255)`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    factor: Any
    value_range: Any = (0, 255)
    seed: int | None = None

    FACTORS: ClassVar[Factors] = {"factor": (0, 1)}


@layer_class
class RandomElasticTransform(_Image):
    """Images bent at random, while training.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        factor: How likely an image is bent: a number from 0 to 1, or the least and the largest one. It changes no
            count. Default: `1.0`.
        scale: How much it is bent: a number from 0 to 1, or the least and the largest one. It changes no count.
            Default: `1.0`.
        interpolation: How values between those of the input are found, which changes no count. Default: `"bilinear"`.
        fill_mode: What is outside the image, which changes no count. Default: `"reflect"`.
        fill_value: The value of the places that are filled. Kept for Keras. Default: `0.0`.
        value_range: The least and the largest value of an image. Kept for Keras. Default: `(0, 255)`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

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


@layer_class
class RandomErasing(_Image):
    """Images with a patch erased, while training.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the same.
    It has no weights and no MACs.
    After Zhong et al. (2020).

    Args:
        factor: How likely an image has a patch erased: a number from 0 to 1, or the least and the largest one. It
            changes no count. Default: `1.0`.
        scale: How large the patch is: a number from 0 to 1, or the least and the largest one. It changes no count.
            Default: `(0.02, 0.33)`.
        fill_value: The value of the patch; `None` for noise. Kept for Keras. Default: `None`.
        value_range: The least and the largest value of an image. Kept for Keras. Default: `(0, 255)`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    factor: Any = 1.0
    scale: Any = (0.02, 0.33)
    fill_value: Any = None
    value_range: Any = (0, 255)
    seed: int | None = None
    data_format: Text | None = None

    FACTORS: ClassVar[Factors] = {"factor": (0, 1), "scale": (0, 1)}


@layer_class
class RandomFlip(_Image):
    """Images flipped at random, while training.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        mode: `"horizontal"`, `"vertical"` or `"horizontal_and_vertical"`. It changes no count.
            Default: `"horizontal_and_vertical"`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    mode: Any = "horizontal_and_vertical"
    seed: int | None = None
    data_format: Text | None = None


@layer_class
class RandomGaussianBlur(_Image):
    """Images blurred at random, while training.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        factor: How likely an image is blurred: a number from 0 to 1, or the least and the largest one. It changes no
            count. Default: `1.0`.
        kernel_size: The size of the blur. It changes no count. Default: `3`.
        sigma: How strong the blur is: a number from 0 to 1, or the least and the largest one. It changes no count.
            Default: `1.0`.
        value_range: The least and the largest value of an image. Kept for Keras. Default: `(0, 255)`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    factor: Any = 1.0
    kernel_size: Any = 3
    sigma: Any = 1.0
    value_range: Any = (0, 255)
    data_format: Text | None = None
    seed: int | None = None

    FACTORS: ClassVar[Factors] = {"factor": (0, 1), "sigma": (0, 1)}


@layer_class
class RandomGrayscale(_Image):
    """Images turned grey at random, while training.

    Input shape: `(height, width, channels)`, of 1 or 3 channels, with the channels first if `data_format` says so.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        factor: How likely an image turns grey: a number from 0 to 1, or the least and the largest one. It changes no
            count. Default: `0.5`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    factor: Any = 0.5
    data_format: Text | None = None
    seed: int | None = None

    FACTORS: ClassVar[Factors] = {"factor": (0, 1)}


@layer_class
class RandomHue(_Image):
    """Images of other hue, while training.

    Input shape: `(height, width, 3)`, with the channels first if `data_format` says so.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        factor: How much the hue changes: a number from 0 to 1, or the least and the largest one. It changes no count.
        value_range: The least and the largest value of an image. Kept for Keras. Default: `(0, 255)`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    factor: Any
    value_range: Any = (0, 255)
    data_format: Text | None = None
    seed: int | None = None

    FACTORS: ClassVar[Factors] = {"factor": (0, 1)}


@layer_class
class RandomInvert(_Image):
    """Images inverted at random, while training.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        factor: How likely an image is inverted: a number from 0 to 1, or the least and the largest one. It changes no
            count. Default: `1.0`.
        value_range: The least and the largest value of an image. Kept for Keras. Default: `(0, 255)`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    factor: Any = 1.0
    value_range: Any = (0, 255)
    seed: int | None = None
    data_format: Text | None = None

    FACTORS: ClassVar[Factors] = {"factor": (0, 1)}


@layer_class
class RandomPerspective(_Image):
    """Images seen from elsewhere, while training.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        factor: How likely an image is seen from elsewhere: a number from 0 to 1, or the least and the largest one. It
            changes no count. Default: `1.0`.
        scale: How far away that is. Kept for Keras. Default: `1.0`.
        interpolation: How values between those of the input are found, which changes no count. Default: `"bilinear"`.
        fill_value: The value of the places that are filled. Kept for Keras. Default: `0.0`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    factor: Any = 1.0
    scale: Any = 1.0
    interpolation: Any = "bilinear"
    fill_value: Any = 0.0
    seed: int | None = None
    data_format: Text | None = None

    FACTORS: ClassVar[Factors] = {"factor": (0, 1)}
    WORDS: ClassVar[Words] = INTERPOLATED


@layer_class
class RandomPosterization(_Image):
    """Images of fewer bits, while training.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        factor: How many bits a value keeps: a number from 1 to 8, or the least and the largest one. It changes no
            count.
        value_range: The least and the largest value of an image. Kept for Keras. Default: `(0, 255)`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    factor: Any
    value_range: Any = (0, 255)
    data_format: Text | None = None
    seed: int | None = None

    FACTORS: ClassVar[Factors] = {"factor": (1, 8)}


@layer_class
class RandomRotation(_Image):
    """Images turned at random, while training.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        factor: How far an image is turned, as a share of a full turn: a number from -1 to 1, or the least and the
            largest one. It changes no count.
        fill_mode: What is outside the image, which changes no count. Default: `"reflect"`.
        interpolation: How values between those of the input are found, which changes no count. Default: `"bilinear"`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        fill_value: The value of the places that are filled. Kept for Keras. Default: `0.0`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    factor: Any
    fill_mode: Any = "reflect"
    interpolation: Any = "bilinear"
    seed: int | None = None
    fill_value: Any = 0.0
    data_format: Text | None = None

    FACTORS: ClassVar[Factors] = {"factor": (-1, 1)}
    WORDS: ClassVar[Words] = {**INTERPOLATED, "fill_mode": ("wrap", "reflect", "constant", "mirror", "nearest")}


@layer_class
class RandomSaturation(_Image):
    """Images of other saturation, while training.

    Input shape: `(height, width, 3)`, with the channels first if `data_format` says so.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        factor: How much the saturation changes: a number from -1 to 1, or the least and the largest one. It changes no
            count.
        value_range: The least and the largest value of an image. Kept for Keras. Default: `(0, 255)`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    factor: Any
    value_range: Any = (0, 255)
    data_format: Text | None = None
    seed: int | None = None

    FACTORS: ClassVar[Factors] = {"factor": (-1, 1)}


@layer_class
class RandomSharpness(_Image):
    """Images of other sharpness, while training.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        factor: How much the sharpness changes: a number from 0 to 1, or the least and the largest one. It changes no
            count.
        value_range: The least and the largest value of an image. Kept for Keras. Default: `(0, 255)`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    factor: Any
    value_range: Any = (0, 255)
    data_format: Text | None = None
    seed: int | None = None

    FACTORS: ClassVar[Factors] = {"factor": (0, 1)}


@layer_class
class RandomShear(_Image):
    """Images sheared at random, while training.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        x_factor: How far an image is sheared sideways: a number from 0 to 1, or the least and the largest one. It
            changes no count. Default: `0.0`.
        y_factor: How far an image is sheared up and down: a number from 0 to 1, or the least and the largest one. It
            changes no count. Default: `0.0`.
        interpolation: How values between those of the input are found, which changes no count. Default: `"bilinear"`.
        fill_mode: What is outside the image, which changes no count. Default: `"reflect"`.
        fill_value: The value of the places that are filled. Kept for Keras. Default: `0.0`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    x_factor: Any = 0.0
    y_factor: Any = 0.0
    interpolation: Any = "bilinear"
    fill_mode: Any = "reflect"
    fill_value: Any = 0.0
    data_format: Text | None = None
    seed: int | None = None

    FACTORS: ClassVar[Factors] = {"x_factor": (0, 1), "y_factor": (0, 1)}
    WORDS: ClassVar[Words] = {**INTERPOLATED, "fill_mode": ("wrap", "reflect", "constant", "mirror", "nearest")}


@layer_class
class RandomTranslation(_Image):
    """Images moved at random, while training.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        height_factor: How far an image is moved up or down, as a share of its height: a number from -1 to 1, or the
            least and the largest one. It changes no count.
        width_factor: How far an image is moved sideways, as a share of its width: a number from -1 to 1, or the least
            and the largest one. It changes no count.
        fill_mode: What is outside the image, which changes no count. Default: `"reflect"`.
        interpolation: How values between those of the input are found, which changes no count. Default: `"bilinear"`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        fill_value: The value of the places that are filled. Kept for Keras. Default: `0.0`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    height_factor: Any
    width_factor: Any
    fill_mode: Any = "reflect"
    interpolation: Any = "bilinear"
    seed: int | None = None
    fill_value: Any = 0.0
    data_format: Text | None = None

    FACTORS: ClassVar[Factors] = {"height_factor": (-1, 1), "width_factor": (-1, 1)}
    WORDS: ClassVar[Words] = {**INTERPOLATED, "fill_mode": ("wrap", "reflect", "constant", "mirror", "nearest")}


@layer_class
class RandomZoom(_Image):
    """Images zoomed at random, while training.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        height_factor: How far an image is zoomed up and down: a number from -1 to 1, or the least and the largest one.
            It changes no count.
        width_factor: How far an image is zoomed sideways; `None` for the same as `height_factor`: a number from -1 to
            1, or the least and the largest one. It changes no count. Default: `None`.
        fill_mode: What is outside the image, which changes no count. Default: `"reflect"`.
        interpolation: How values between those of the input are found, which changes no count. Default: `"bilinear"`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        fill_value: The value of the places that are filled. Kept for Keras. Default: `0.0`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    height_factor: Any
    width_factor: Any = None
    fill_mode: Any = "reflect"
    interpolation: Any = "bilinear"
    seed: int | None = None
    fill_value: Any = 0.0
    data_format: Text | None = None

    FACTORS: ClassVar[Factors] = {"height_factor": (-1, 1), "width_factor": (-1, 1)}
    WORDS: ClassVar[Words] = {**INTERPOLATED, "fill_mode": ("wrap", "reflect", "constant", "mirror", "nearest")}


@layer_class
class Solarization(_Image):
    """Images with their bright values inverted.

    Input shape: `(height, width, channels)`.
    Output shape: the same.
    It has no weights and no MACs.

    Args:
        addition_factor: What is added first: a number from 0 to 1, or the least and the largest one. It changes no
            count. Default: `0.0`.
        threshold_factor: From where on values are inverted: a number from 0 to 1, or the least and the largest one. It
            changes no count. Default: `0.0`.
        value_range: The least and the largest value of an image. Kept for Keras. Default: `(0, 255)`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    addition_factor: Any = 0.0
    threshold_factor: Any = 0.0
    value_range: Any = (0, 255)
    seed: int | None = None

    FACTORS: ClassVar[Factors] = {"addition_factor": (0, 1), "threshold_factor": (0, 1)}


@layer_class
class CenterCrop(Layer):
    """The middle of an image; a smaller image is enlarged.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(height, width, channels)`, of the given sides.
    It has no weights and no MACs.

    Args:
        height: The height of the output, at least 1.
        width: The width of the output, at least 1.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    height: IntLike
    width: IntLike
    data_format: Text | None = None


@layer_class
class Resizing(Layer):
    """An image in another size.

    Input shape: `(height, width, channels)`, with the channels first if `data_format` says so.
    Output shape: `(height, width, channels)`, of the given sides.
    It has no weights and no MACs.

    Args:
        height: The height of the output, at least 1.
        width: The width of the output, at least 1.
        interpolation: How values between those of the input are found, which changes no count. Default: `"bilinear"`.
        crop_to_aspect_ratio: Whether an image is cropped rather than stretched. It changes no count. Default: `False`.
        pad_to_aspect_ratio: Whether an image is padded rather than stretched. It changes no count. Default: `False`.
        fill_mode: What is outside the image, which changes no count. Default: `"constant"`.
        fill_value: The value of the places that are filled. Kept for Keras. Default: `0.0`.
        antialias: Whether smaller images are smoothed first. Kept for Keras. Default: `False`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    height: IntLike
    width: IntLike
    interpolation: Any = "bilinear"
    crop_to_aspect_ratio: Any = False
    pad_to_aspect_ratio: Any = False
    fill_mode: Any = "constant"
    fill_value: Any = 0.0
    antialias: Any = False
    data_format: Text | None = None


@layer_class
class STFTSpectrogram(Layer):
    """A spectrogram by two convolutions, whose kernels may be trained.

    Input shape: `(samples, channels)`, with the channels first if `data_format` says so.
    Output shape: `(frames, frequencies * channels)`, where `frequencies` is `fft_length // 2 + 1`, twice that for two
    values of each; `(frames, frequencies, channels)` with `expand_dims`.
    Weights: `kernels * frame_length * (fft_length // 2 + 1)`, with 2 kernels, or 1 for `"real"` and `"imag"`.
    MACs: the weights, for each frame and channel.

    Args:
        mode: What is given of each frequency: `"log"`, `"magnitude"`, `"psd"`, `"real"`, `"imag"`, `"angle"` or
            `"stft"`, which has two values. Default: `"log"`.
        frame_length: The samples of a frame, at least 1. Default: `256`.
        frame_step: The distance between frames, from 1 to `frame_length`; `None` for half of it. Default: `None`.
        fft_length: The length of the transform, at least `frame_length`; `None` for the next power of two.
            Default: `None`.
        window: The window, by its name. Kept for Keras. Default: `"hann"`.
        periodic: Whether the window is periodic. Kept for Keras. Default: `False`.
        scaling: `"density"`, `"spectrum"` or `None`. It changes no count. Default: `"density"`.
        padding: What is put around the samples: `"valid"` or `"same"`. Default: `"valid"`.
        expand_dims: Whether the frequencies have an axis of their own. Default: `False`.
        data_format: Where the channels stand: `"channels_last"`, which `None` means here, or `"channels_first"`.
            Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

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
        if not all(_is_one_of((None, "density", "spectrum"), value) for value in possible(self.scaling)):
            raise SpaceError(
                f"STFTSpectrogram: scaling must be None, 'density' or 'spectrum', not {show(self.scaling)}"
            )


@layer_class
class MelSpectrogram(Layer):
    """A spectrogram in mel bins, by a Fourier transform and a fixed matrix; only the matrix counts as MACs.

    Input shape: `(samples)`.
    Output shape: `(num_mel_bins, steps)`.
    MACs: `steps * (fft_length // 2 + 1) * num_mel_bins`.

    Args:
        fft_length: The length of the transform, at least 1. Default: `2048`.
        sequence_stride: The distance between steps, at least 1. Default: `512`.
        sequence_length: The samples of a step, at most `fft_length`; `None` for `fft_length`. Default: `None`.
        window: The window, by its name. Kept for Keras. Default: `"hann"`.
        sampling_rate: The samples of a second. Kept for Keras. Default: `16000`.
        num_mel_bins: The number of bins, at least 1. Default: `128`.
        min_freq: The lowest frequency. Kept for Keras. Default: `20.0`.
        max_freq: The highest frequency; `None` for half of `sampling_rate`. Kept for Keras. Default: `None`.
        power_to_db: Whether the result is in decibels. Kept for Keras. Default: `True`.
        top_db: The range of decibels. Kept for Keras. Default: `80.0`.
        mag_exp: The exponent of the magnitudes. Kept for Keras. Default: `2.0`.
        min_power: The least power. Kept for Keras. Default: `1e-10`.
        ref_power: The power of 0 decibels. Kept for Keras. Default: `1.0`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

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


@layer_class
class CategoryEncoding(Layer):
    """Integers as vectors of as many values as there are categories.

    Input shape: `(n)`; with `"one_hot"` any, `(...)`.
    Output shape: `(num_tokens)`; with `"one_hot"` `(..., num_tokens)`, without a last axis of 1 before it.
    It has no weights and no MACs.

    Args:
        num_tokens: The number of categories, which must be given; at least 1. Default: `None`.
        output_mode: `"multi_hot"`, `"one_hot"` or `"count"`. Default: `"multi_hot"`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    num_tokens: IntLike | None = None
    output_mode: Text = "multi_hot"

    def normalized(self) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost; Keras has an older name of a mode, too."""
        given = super().normalized()
        if _is_one_of(("binary",), self.output_mode):
            given["output_mode"] = "multi_hot"
        return given


@layer_class
class Discretization(Layer):
    """Numbers as the bins that they fall into, as integers or as vectors.

    Input shape: any, `(...)`.
    Output shape: the same with `"int"`; `(..., bins)` with `"one_hot"`; otherwise `(bins, ...)`, the bins in place of
    its first side.
    It has no weights and no MACs.

    Args:
        bin_boundaries: The numbers between the bins; either these or `num_bins` are given. Default: `None`.
        num_bins: The number of bins, where Keras finds the boundaries in data; at least 1. Default: `None`.
        epsilon: How exactly it finds them. Kept for Keras. Default: `0.01`.
        output_mode: `"int"`, `"one_hot"`, `"multi_hot"` or `"count"`. Default: `"int"`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Must be `True`: Keras takes no such argument here. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        dtype: The type of its values. Kept for Keras. Default: `None`.
    """

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
        if self.trainable is not True:
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
