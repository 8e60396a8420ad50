"""The search that `archbudget search` runs by default: classifiers of handwritten digits inside 5,000 parameters.

The data are the 1,797 real 8x8 images that ship with scikit-learn (E. Alpaydin and C. Kaynak, "Optical Recognition of
Handwritten Digits", UCI Machine Learning Repository, 1998): 1,078 to train, 359 to choose by (validation), and 360 that
the search never sees (test); the split is fixed and stratified.
"""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from archbudget._atomic import atomic
from archbudget._extras import imported
from archbudget.space.trials import MODELS

if TYPE_CHECKING:
    import numpy.typing as npt
    import optuna

    from archbudget.space.architecture import Architecture

__all__ = ["SPACE_FILE", "Part", "accuracy", "data", "fit"]

SPACE_FILE = Path(__file__).with_name("space.yaml")
"""The space, its budget and its objective."""

EPOCHS = 20
BATCH = 22
"""It divides the number of images to train with, so that one step is compiled for all of them."""
LEARNING_RATE = 5e-3

EPOCHS_KEY = "archbudget:epochs"
"""The user attribute of a study with the number of epochs for which a network is trained."""
MODELS_KEY = MODELS
"""The user attribute of a study with the directory of the trained models, and of a trial with that of its model."""


class Part(NamedTuple):
    """Images of 8x8x1 float32 values from 0 to 1, and their digits."""

    images: npt.NDArray[np.float32]
    digits: npt.NDArray[np.int64]


@cache
def data() -> tuple[Part, Part, Part]:
    """The data for training, validation and testing.

    Raises:
        MissingPackageError: If scikit-learn is not installed.
    """
    split = imported("sklearn.model_selection", "the search of the digits").train_test_split
    digits = imported("sklearn.datasets", "the search of the digits").load_digits()
    images = (digits.images / 16.0).astype("float32")[..., None]
    train_x, rest_x, train_y, rest_y = split(
        images, digits.target, test_size=0.4, random_state=0, stratify=digits.target
    )
    valid_x, test_x, valid_y, test_y = split(rest_x, rest_y, test_size=0.5, random_state=0, stratify=rest_y)
    return Part(train_x, train_y), Part(valid_x, valid_y), Part(test_x, test_y)


def accuracy(arch: Architecture, trial: optuna.trial.Trial) -> float:
    """Trains a network and returns its accuracy on the validation data, from 0 to 1.

    The accuracy on the test data and the seconds of training become user attributes of the trial. If the study names a
    directory for models, the trained model is written there as `trial_<number>.keras`, whole or not at all.

    Raises:
        MissingPackageError: If Keras, JAX or scikit-learn is not installed.
    """
    os.environ.setdefault("KERAS_BACKEND", "jax")
    # Small networks gain nothing from more threads, and other trials may need the other cores.
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    start = time.monotonic()
    train, valid, test = data()
    keras = imported("keras", "the search of the digits")
    attributes = trial.study.user_attrs
    keras.utils.set_random_seed(trial.number)
    model = arch.to_keras()
    fit(model, train, int(attributes.get(EPOCHS_KEY, EPOCHS)))
    score, test_score = _scores(model, valid, test)
    trial.set_user_attr("test_accuracy", test_score)
    trial.set_user_attr("seconds", round(time.monotonic() - start, 2))
    if MODELS_KEY in attributes:
        directory = Path(attributes[MODELS_KEY])
        directory.mkdir(parents=True, exist_ok=True)
        with atomic(directory / f"trial_{trial.number}.keras") as part:
            model.save(part)
    keras.backend.clear_session()
    return score


def fit(model: Any, train: Part, epochs: int) -> None:
    """Trains a model with Adam; the learning rate follows a cosine."""
    keras = imported("keras", "the search of the digits")
    steps = -(-len(train.images) // BATCH)
    schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, epochs * steps)
    model.compile(
        optimizer=keras.optimizers.Adam(schedule),
        loss="sparse_categorical_crossentropy",
        steps_per_execution=steps,
    )
    model.fit(train.images, train.digits, batch_size=BATCH, epochs=epochs, verbose=0)


def _scores(model: Any, *parts: Part) -> list[float]:
    """The accuracy on each part; the model is asked about all of them at once, so that it is compiled once."""
    images = np.concatenate([part.images for part in parts])
    right = model.predict(images, batch_size=len(images), verbose=0).argmax(axis=1)
    ends = np.cumsum([len(part.images) for part in parts])[:-1]
    found = np.split(right, ends)
    return [float((predicted == part.digits).mean()) for predicted, part in zip(found, parts, strict=True)]
