"""Storages: what two processes do to one of them at the same moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from optuna.storages import RDBStorage, get_storage
from optuna.trial import TrialState

import archbudget as ab
from archbudget import layers
from archbudget.search.storage import open_storage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WAYS: list[Callable[[str], Any]] = [str, RDBStorage, get_storage]


@pytest.mark.parametrize("way", WAYS)
def test_one_process_alone_takes_a_waiting_trial(tmp_path: Path, way: Callable[[str], Any]) -> None:
    from sqlalchemy import event

    url = f"sqlite:///{tmp_path / 'x.db'}"
    first, second = open_storage(way(url)), open_storage(way(url))
    assert isinstance(first, optuna.storages.BaseStorage)
    assert isinstance(second, optuna.storages.BaseStorage)
    study = optuna.create_study(storage=first, study_name="x")
    study.enqueue_trial({"x": 1})
    study.enqueue_trial({"x": 2})
    engine = getattr(first, "_backend", first).engine
    has_read, other_tried = threading.Event(), threading.Event()

    def pause(*_: Any) -> None:
        if not has_read.is_set():
            has_read.set()
            other_tried.wait(1)  # Not longer, as the other one waits for this one where it is locked out.

    (trial,) = [trial for trial in study.trials if trial.number == 0]
    event.listen(engine, "after_cursor_execute", pause)
    with ThreadPoolExecutor(1) as thread:
        taken = thread.submit(first.set_trial_state_values, trial._trial_id, TrialState.RUNNING)
        assert has_read.wait(60)
        also = second.set_trial_state_values(trial._trial_id, TrialState.RUNNING)
        other_tried.set()
        assert [taken.result(), also] == [True, False]
    assert second.set_trial_state_values(study.trials[1]._trial_id, TrialState.RUNNING)


def test_an_enqueued_trial_is_evaluated_once_by_many_threads(tmp_path: Path) -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(ab.Int("units", 1, 64)), layers.Dense(1)])
    url = f"sqlite:///{tmp_path / 'x.db'}"
    study = optuna.create_study(storage=url, study_name="x", direction="maximize")
    for units in range(1, 41):
        study.enqueue_trial({"units": units})
    seen: list[int] = []

    def objective(arch: ab.Architecture) -> float:
        seen.append(arch["units"])
        return float(arch["units"])

    with ThreadPoolExecutor(4) as threads:
        options: dict[str, Any] = {"storage": url, "study_name": "x"}
        list(threads.map(lambda _: ab.search(space, objective, ab.Budget(params=10_000), 40, **options), range(4)))
    assert sorted(seen) == list(range(1, 41))
    complete = study.get_trials(states=[TrialState.COMPLETE])
    assert [trial.value for trial in complete] == [trial.params["units"] for trial in complete]
