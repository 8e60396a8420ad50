"""The family of LeNet: two convolutions, two dense layers."""

from __future__ import annotations

from archbudget import layers
from archbudget._expressions import Choice, Int
from archbudget._guard import guarded
from archbudget.space.space import Space


@guarded
def lenet(num_classes: int = 10, image_size: int = 28) -> Space:
    """Two convolutions with pooling and a hidden dense layer on gray images: 73,728 networks.

    After LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, 1998, as it is
    built today: ReLU, max pooling, dropout. The decisions are `f1, k1, f2, k2, units`.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.lenet()
        >>> space.size, space.range("params")
        (73728, (3218, 1794954))
    """
    return Space(
        [
            layers.Input((image_size, image_size, 1)),
            layers.Conv2D(Choice("f1", range(8, 129, 8)), Choice("k1", [3, 5, 7]), activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(Choice("f2", range(8, 129, 8)), Choice("k2", [3, 5, 7]), activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(Int("units", 16, 512, step=16), activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(num_classes, activation="softmax"),
        ]
    )
