"""Families of networks that several tests count."""

from __future__ import annotations

import archbudget as ab
from archbudget import layers


def lenet_family() -> ab.Space:
    """The family of networks for MNIST that the documentation begins with."""
    return ab.Space(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(ab.Choice("f1", range(8, 129, 8)), ab.Choice("k1", [3, 5, 7]), activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(ab.Choice("f2", range(8, 129, 8)), ab.Choice("k2", [3, 5, 7]), activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(ab.Int("units", 16, 512, step=16), activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
