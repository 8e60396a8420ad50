"""Studies as optuna-dashboard shows them: it is started, and asked as a browser asks it."""

from __future__ import annotations

import json
import threading
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import optuna
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.cli import main
from archbudget.search import noting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

dashboard = pytest.importorskip("optuna_dashboard")

SPACE = ab.Space([layers.Input((8,)), layers.Dense(ab.Int("units", 1, 64)), layers.Dense(3)], name="dense")
BUDGET = ab.Budget(params=500)


class Silent(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(url: str) -> Iterator[str]:
    """The address of a dashboard of a storage."""
    with make_server("127.0.0.1", 0, dashboard.wsgi(optuna.storages.RDBStorage(url)), handler_class=Silent) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def asked(address: str) -> Any:
    with urllib.request.urlopen(address) as answer:
        return json.load(answer)


def test_the_dashboard_shows_costs_budget_and_note(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/search.db"
    study = ab.search(SPACE, lambda arch: arch.params, BUDGET, 4, seed=0, storage=url, study_name="dense")
    with served(url) as address:
        with urllib.request.urlopen(f"{address}/dashboard") as page:
            assert b"<html" in page.read()
        (summary,) = asked(f"{address}/api/studies")["study_summaries"]
        assert summary["study_name"] == "dense"
        shown = asked(f"{address}/api/studies/{summary['study_id']}?after=0")
    attributes = {each["key"]: each["value"] for each in shown["user_attrs"]}
    assert attributes["archbudget:budget"] == "params <= 500"
    assert len(shown["trials"]) == 4
    for trial, told in zip(study.get_trials(), shown["trials"], strict=True):
        own = {each["key"]: each["value"] for each in told["user_attrs"]}
        arch = SPACE.from_trial(trial)
        assert (own["params"], own["macs"]) == (str(arch.params), str(arch.macs))
        assert own["params"] == str(trial.user_attrs["params"])
        assert int(own["params"]) <= 500
    note = shown["note"]["body"]
    assert note.startswith(f"{noting.OURS}: 4 trials of dense")
    assert f"Trial {study.best_trial.number}: {study.best_value:.6g}" in note
    assert SPACE.best(study).summary() in note


def test_a_study_of_another_sampler_is_shown_as_well(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/search.db"
    constraint = SPACE.constraint(BUDGET)
    study = optuna.create_study(storage=url, sampler=optuna.samplers.RandomSampler(seed=0))

    def objective(trial: optuna.Trial) -> float:
        arch = SPACE.suggest(trial)
        constraint(trial)
        return arch.params

    study.optimize(objective, n_trials=5)
    with served(url) as address:
        shown = asked(f"{address}/api/studies/1?after=0")
    assert [told["state"] for told in shown["trials"]] == ["Complete"] * 5
    for trial in study.get_trials():
        assert all(value <= 0 for value in trial.constraints.values()) == (trial.user_attrs["params"] <= 500)


def test_a_note_follows_the_search_and_one_of_ones_own_stays(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/search.db"

    def go_on(trials: int) -> optuna.Study:
        return ab.search(SPACE, lambda arch: arch.params, BUDGET, trials, seed=0, storage=url, study_name="dense")

    assert "1 trials" in dashboard.get_note(go_on(1))
    study = go_on(3)
    assert "3 trials" in dashboard.get_note(study)
    dashboard.save_note(study, "mine")
    assert dashboard.get_note(go_on(4)) == "mine"


def test_a_front_and_a_search_without_trials_have_notes() -> None:
    both = ab.search(SPACE, lambda arch: (arch.params, -arch.macs), BUDGET, 6, seed=0, directions=["maximize"] * 2)
    assert f"{len(both.best_trials)} trials are on the Pareto front" in noting.text_of(both, SPACE, BUDGET)
    for directions in (["maximize"], ["maximize", "minimize"]):
        study = optuna.create_study(directions=directions)
        assert "No trial is complete" in noting.text_of(study, SPACE, BUDGET)


def test_the_command_writes_the_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    SPACE.save("space.yaml")
    (tmp_path / "score.py").write_text("def params(arch):\n    return arch.params\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    given = ["space.yaml", "--params", "500", "--objective", "score:params", "--trials", "2", "--workers", "1"]
    assert main(["search", *given]) == 0
    study = optuna.load_study(study_name="dense", storage="sqlite:///out/search.db")
    assert dashboard.get_note(study).startswith(f"{noting.OURS}: 2 trials of dense")
