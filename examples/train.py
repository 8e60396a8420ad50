"""An objective for `archbudget search examples/space.yaml --objective train:accuracy`, run in this folder.

It trains a network on the handwritten digits that ship with scikit-learn, brought to 28 x 28 pixels. It needs
`pip install '.[digits]'` (Keras on JAX, scikit-learn).
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import optuna

    import archbudget as ab

EPOCHS = 5


@cache
def data() -> tuple[Any, Any, Any, Any]:
    """Images of 28x28x1 from 0 to 1 to train and to choose by, and their digits."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = np.kron(digits.images / 16.0, np.ones((3, 3))).astype("float32")
    images = np.pad(images, ((0, 0), (2, 2), (2, 2)))[..., None]
    parts: tuple[Any, Any, Any, Any] = tuple(
        train_test_split(images, digits.target, test_size=0.25, random_state=0, stratify=digits.target)
    )
    return parts


def accuracy(arch: ab.Architecture, trial: optuna.trial.Trial) -> float:
    """The accuracy of a network on images that it was not trained on."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    keras.utils.set_random_seed(trial.number)
    train, valid, train_digits, valid_digits = data()
    model = arch.to_keras()
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    model.fit(train, train_digits, batch_size=32, epochs=EPOCHS, verbose=0)
    return float((model.predict(valid, verbose=0).argmax(axis=1) == valid_digits).mean())
