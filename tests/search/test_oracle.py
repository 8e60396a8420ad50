"""KerasTuner inside a budget, with real models and real, tiny training."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import MissingPackageError, SpaceError

BUDGET = ab.Budget(params=400)
X = np.random.default_rng(0).random((32, 8)).astype("float32")
Y = X.sum(1, keepdims=True)


def network(hp: Any, kind: Any) -> list[Any]:
    rows = [kind.Input((8,))]
    units = [hp.Int(f"units_{index}", 4, 64, step=4) for index in range(hp.Int("depth", 1, 3))]
    return [*rows, *(kind.Dense(each, activation="relu") for each in units), kind.Dense(1)]


SPACE = ab.Space.from_function(lambda hp: network(hp, layers))


@pytest.fixture
def keras() -> Any:
    pytest.importorskip("keras_tuner", reason="KerasTuner is not installed")
    keras = pytest.importorskip("keras")
    if keras.backend.backend() == "numpy":
        pytest.skip("Keras trains nothing on numpy")
    return keras


def tuner(keras: Any, folder: Path, trials: int, build: Any = None, **options: Any) -> Any:
    def built(hp: Any) -> Any:
        model = keras.Sequential(network(hp, keras.layers))
        model.compile(keras.optimizers.SGD(hp.Float("rate", 1e-4, 1e-2, sampling="log")), "mse")
        return model

    return ab.BudgetTuner(
        build or built,
        space=SPACE,
        budget=BUDGET,
        objective="val_loss",
        max_trials=trials,
        seed=None if "base" in options else 0,
        directory=folder,
        project_name="project",
        **options,
    )


def searched(made: Any) -> Any:
    made.search(X, Y, epochs=1, validation_split=0.5, verbose=0)
    return made


def test_every_model_fits_and_a_search_goes_on_where_it_was(keras: Any, tmp_path: Path) -> None:
    first = searched(tuner(keras, tmp_path, 3))
    trials = first.oracle.study.trials
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 3
    assert all("rate" in trial.params for trial in trials)
    assert all(trial.user_attrs["params"] <= 400 for trial in trials)
    scores = [first.oracle.trials[key].score for key in first.oracle.start_order]
    assert [trial.value for trial in trials] == scores
    # As another process would.
    second = tuner(keras, tmp_path, 5)
    assert [trial.params for trial in second.oracle.study.trials] == [trial.params for trial in trials]
    searched(second)
    assert len(second.oracle.study.trials) == 5
    assert all(model.count_params() <= 400 for model in second.get_best_models(3))


def test_a_failed_trial_is_told_and_retried(keras: Any, tmp_path: Path) -> None:
    class Failing(ab.BudgetTuner):  # type: ignore[misc,name-defined]
        runs = 0

        def run_trial(self, trial: Any, *args: Any, **named: Any) -> Any:
            Failing.runs += 1
            if Failing.runs == 2:
                raise RuntimeError("lost")
            return super().run_trial(trial, *args, **named)

    def compiled(model: Any, hp: Any) -> None:
        model.compile(keras.optimizers.SGD(hp.Float("rate", 1e-4, 1e-2)), "mse")

    made = Failing(
        space=SPACE, budget=BUDGET, compile=compiled, objective="val_loss", max_trials=3, directory=tmp_path, seed=1
    )
    searched(made)
    assert [trial.state.name for trial in made.oracle.study.trials] == ["COMPLETE", "FAIL", "COMPLETE"]


def test_models_of_another_function_are_refused(keras: Any, tmp_path: Path) -> None:
    def wider(hp: Any) -> Any:
        model = keras.Sequential([*network(hp, keras.layers), keras.layers.Dense(2)])
        model.compile("sgd", "mse")
        return model

    with pytest.raises(ValueError, match=r"build\(hp\) makes a model of .* weights where the space counts"):
        tuner(keras, tmp_path, 2, wider)


def test_samplers_of_optuna_are_taken(keras: Any, tmp_path: Path) -> None:
    made = searched(tuner(keras, tmp_path, 2, base=optuna.samplers.RandomSampler(seed=3)))
    assert len(made.oracle.trials) == 2
    with pytest.raises(SpaceError, match="needs a Space"):
        ab.BudgetOracle(3, BUDGET)
    with pytest.raises(SpaceError, match="a hypermodel, or a function"):
        ab.BudgetTuner(space=SPACE, budget=BUDGET)


WORKER = """
import sys

import archbudget as ab
from tests.search.test_oracle import searched, tuner

import keras
from pathlib import Path

searched(tuner(keras, Path(sys.argv[1]), 4))
"""


def test_a_chief_and_its_workers_share_one_search(keras: Any, tmp_path: Path) -> None:
    assert keras is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), *sys.path])),
        "KERASTUNER_ORACLE_IP": "127.0.0.1",
        "KERASTUNER_ORACLE_PORT": str(port),
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path)],
            env={**environment, "KERASTUNER_TUNER_ID": name},
            stdout=subprocess.DEVNULL,
        )
        for name in ("chief", "worker_0", "worker_1")
    ]
    assert [each.wait(timeout=300) for each in started] == [0, 0, 0]
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "project" / "archbudget.log"))
    study = optuna.load_study(study_name="archbudget", storage=optuna.storages.JournalStorage(backend))
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 4
    assert all(trial.user_attrs["params"] <= 400 for trial in study.trials)


def test_a_search_begins_with_networks_that_fill_the_budget(keras: Any, tmp_path: Path) -> None:
    assert keras is not None
    first = tuner(keras, tmp_path, 8, fill=1)
    most = SPACE.within(BUDGET).largest("params").params
    for number in range(3):
        values = first.oracle.populate_space(str(number))["values"]
        assert SPACE.architecture({name: values[name] for name in SPACE.decisions if name in values}).params == most
    with pytest.raises(SpaceError, match="fill must be None or a number from 0 to 1"):
        tuner(keras, tmp_path, 8, fill=2)


def test_without_keras_tuner_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "keras_tuner"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "archbudget.search.oracle", raising=False)
    monkeypatch.setitem(sys.modules, "keras_tuner", None)
    assert {"BudgetOracle", "BudgetTuner"} <= set(dir(ab))
    with pytest.raises(MissingPackageError, match="BudgetOracle needs KerasTuner: pip install keras-tuner"):
        ab.BudgetOracle(SPACE, BUDGET)
    with pytest.raises(MissingPackageError, match="BudgetTuner needs KerasTuner: pip install keras-tuner"):
        ab.BudgetTuner(space=SPACE, budget=BUDGET, compile=len)


def test_a_number_of_trials_is_a_number(keras: Any) -> None:  # noqa: ARG001
    """KerasTuner takes 0 for no end, ends at once with -1, and fails in the first trial with text."""
    for wrong in (0, -1, 1.5, True, "3", float("nan")):
        with pytest.raises(SpaceError, match="max_trials must be None or an integer of at least 1"):
            ab.BudgetOracle(SPACE, BUDGET, "val_loss", wrong)  # type: ignore[arg-type]
    assert ab.BudgetOracle(SPACE, BUDGET, "val_loss", np.int64(3)).max_trials == 3  # type: ignore[arg-type]
    assert ab.BudgetOracle(SPACE, BUDGET, "val_loss", None).max_trials is None


def test_on_a_backend_that_trains() -> None:
    """The suite has Keras on numpy, on which the tests above are skipped: here they run on JAX."""
    for package in ("keras_tuner", "jax"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    if os.environ.get("KERAS_BACKEND") != "numpy":
        pytest.skip("the tests above ran")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    found = subprocess.run(
        command, cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True, timeout=900
    )
    assert found.returncode == 0, found.stdout[-2000:]
    assert re.search(r"\b[5-9] passed, 1 skipped", found.stdout), found.stdout[-2000:]
