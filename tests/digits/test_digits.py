"""The default search: its data, its space and its objective."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import archbudget as ab
from archbudget import digits, files


def test_the_data_are_split_once_and_for_all() -> None:
    pytest.importorskip("sklearn")
    parts = digits.data()
    assert [len(part.images) for part in parts] == [1078, 359, 360]
    assert all(part.images.shape[1:] == (8, 8, 1) and part.images.max() <= 1 for part in parts)
    rows = np.concatenate([part.images.reshape(len(part.images), -1) for part in parts])
    assert len(rows) == 1797


def test_the_budget_matters() -> None:
    loaded = files.read(digits.SPACE_FILE)
    assert loaded.budget == ab.Budget(params=5000)
    assert loaded.objective == "archbudget.digits:accuracy"
    assert loaded.space.size > 10_000
    assert 0.01 < loaded.space.within(loaded.budget).fraction() < 0.3


TRAIN = """
import sys
import keras, optuna
from archbudget import files, digits

loaded = files.read(digits.SPACE_FILE)
study = optuna.create_study(direction="maximize")
study.set_user_attr(digits.EPOCHS_KEY, 1)
study.set_user_attr(digits.MODELS_KEY, sys.argv[1])
trial = study.ask()
arch = loaded.space.suggest(trial)
score = digits.accuracy(arch, trial)
assert 0 <= score <= 1 and 0 <= trial.user_attrs["test_accuracy"] <= 1
assert keras.models.load_model(f"{sys.argv[1]}/trial_0.keras").count_params() == arch.params
print("trained")
"""


def test_a_network_is_trained_and_kept(tmp_path: Path) -> None:
    for package in ("sklearn", "keras", "jax"):
        pytest.importorskip(package)
    # Only one backend fits into a process, and this one has another.
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, str(tmp_path)], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.stdout.strip() == "trained", done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["trial_0.keras"]
