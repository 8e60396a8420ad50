"""One study and several commands, as of several machines, on a real PostgreSQL and through Optuna's proxy."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from optuna.trial import TrialState

import archbudget as ab
from archbudget.errors import ArchbudgetError
from archbudget.search.run import open_study
from archbudget.search.running import finished, is_finished
from archbudget.search.storage import open_storage
from archbudget.space.trials import PROCESS
from support import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")

MODULE = """
import time
import archbudget as ab
from archbudget import layers

def made(width):
    return ab.Space([layers.Input((width,)), *[layers.Dense(ab.Int(f"u{i}", 1, 64)) for i in range(4)]])

space = made(4)
other = made(5)

def value(arch):
    time.sleep(0.15)
    return -arch.params
"""
TRIALS = 40
BUDGET = ab.Budget(params=3000)
DEADLINE = 240


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of a new PostgreSQL server."""
    pytest.importorskip("psycopg")
    if (why := postgres.missing()) is not None:
        pytest.skip(why)
    with postgres.server() as url:
        yield url


@pytest.fixture
def proxy(database: str) -> Iterator[str]:
    """The URL of a proxy in front of it."""
    pytest.importorskip("grpc")
    port = postgres.free_port()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen([sys.executable, "-c", PROXY, database, str(port)], env=environment)
    try:
        yield f"grpc://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


PROXY = """
import sys
from optuna.storages import run_grpc_proxy_server
from archbudget.search.storage import open_storage
run_grpc_proxy_server(open_storage(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "toy.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("toy", None)
    return tmp_path


def machine(number: int, storage: str, name: str, *more: str) -> subprocess.Popen[str]:
    """A command that joins a study, as one would type it on each machine."""
    command = ["search", "toy:space", "--objective", "toy:value", "--params", "3k", "--trials", str(TRIALS)]
    command += ["--storage", storage, "--study-name", name, "--workers", "2", "--out", f"out{number}", *more]
    return subprocess.Popen(
        [sys.executable, "-m", "archbudget", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([".", *filter(None, sys.path)])},
    )


def study_of(storage: str, name: str) -> optuna.Study:
    return optuna.load_study(study_name=name, storage=open_storage(storage))


def told(trial: optuna.trial.FrozenTrial) -> tuple[Any, ...]:
    return trial.number, trial.state, trial.values, trial.params


@pytest.mark.parametrize("way", ["database", "proxy"])
def test_two_machines_work_on_one_study_through_killed_workers(way: str, request: pytest.FixtureRequest) -> None:
    storage, name = request.getfixturevalue(way), f"shared through a {way}"
    import toy

    study = open_study(
        toy.space, BUDGET, storage=storage, study_name=name, directions=["maximize"], objective="toy:value"
    )
    machines = [machine(number, storage, name) for number in range(2)]
    before: dict[int, tuple[Any, ...]] = {}
    killed: set[str] = set()
    until = time.monotonic() + DEADLINE
    try:
        while len(killed) < 2:
            assert time.monotonic() < until
            assert all(each.poll() is None for each in machines), [each.communicate()[0] for each in machines]
            trials = study.get_trials(deepcopy=False)
            running = [trial.user_attrs for trial in trials if trial.state == TrialState.RUNNING]
            working = {attributes[PROCESS] for attributes in running if PROCESS in attributes}
            if sum(map(is_finished, trials)) >= 5 * (len(killed) + 1) and len(working - killed) >= 2:
                before |= {trial.number: told(trial) for trial in trials if trial.state == TrialState.COMPLETE}
                victim = min(working - killed)
                os.kill(int(victim.split("/")[-2]), signal.SIGKILL)
                killed.add(victim)
            time.sleep(0.02)
        shown = [each.communicate(timeout=DEADLINE)[0] for each in machines]
    finally:
        for each in machines:
            each.kill()
    assert [each.returncode for each in machines] == [0, 0], shown
    trials = study_of(storage, name).get_trials()
    assert [trial.number for trial in trials] == list(range(len(trials)))
    assert finished(study) >= TRIALS
    after = {trial.number: told(trial) for trial in trials}
    assert {number: after[number] for number in before} == before
    for trial in trials:
        if trial.state == TrialState.WAITING:  # It was begun when there were enough, and put back.
            assert (trial.user_attrs.get(PROCESS), trial.values) == (None, None)
            continue
        assert trial.state in (TrialState.COMPLETE, TrialState.FAIL), trial
        if trial.state == TrialState.COMPLETE:
            arch = toy.space.from_trial(trial)
            assert arch.params <= 3000
            assert trial.value == -arch.params
    lost = [trial.user_attrs.get(PROCESS) for trial in trials if trial.state == TrialState.FAIL]
    assert set(lost) <= killed  # A trial may have ended at the moment of the kill.
    workers = {trial.user_attrs.get(PROCESS) for trial in trials} - {None}
    assert killed < workers
    assert len(workers) >= 4


@pytest.mark.parametrize("way", ["database", "proxy"])
def test_another_budget_or_space_cannot_join(way: str, request: pytest.FixtureRequest) -> None:
    storage, name = request.getfixturevalue(way), f"refused through a {way}"
    import toy

    options: dict[str, Any] = {"storage": storage, "study_name": name, "directions": ["maximize"]}
    open_study(toy.space, BUDGET, **options)
    open_study(toy.space, BUDGET, **options)
    for space, budget, message in (
        (toy.space, ab.Budget(params=2999), "belongs to another budget: it has params <= 3,000, not params <= 2,999"),
        (toy.other, BUDGET, "belongs to another space"),
    ):
        with pytest.raises(ArchbudgetError, match=message):
            open_study(space, budget, **options)


def test_a_journal_is_shared_by_the_processes_of_a_host() -> None:
    import toy

    storage = "journal:///trials.log"
    machines = [machine(number, storage, "journal") for number in range(2)]
    shown = [each.communicate(timeout=DEADLINE)[0] for each in machines]
    assert [each.returncode for each in machines] == [0, 0], shown
    trials = study_of(storage, "journal").get_trials()
    assert [trial.number for trial in trials] == list(range(len(trials)))
    assert sum(map(is_finished, trials)) >= TRIALS
    assert all(toy.space.from_trial(trial).params <= 3000 for trial in trials if trial.state == TrialState.COMPLETE)


def test_storages_that_are_not_there_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import toy

    from archbudget.search import storage as storages

    monkeypatch.setattr(storages, "PROXY_WAIT", 1)
    for url, message in (
        ("journal:///nowhere/trials.log", "the storage journal:///nowhere/trials.log: .*No such file"),
        ("journal://host/trials.log", "a journal is given as journal:///file.log"),
        ("journal:///", "a journal is given as journal:///file.log"),
    ):
        with pytest.raises(ArchbudgetError, match=message) as caught:
            open_study(toy.space, BUDGET, storage=url, study_name="x", directions=["maximize"])
        assert "\n" not in str(caught.value)
    pytest.importorskip("grpc")
    for url, message in (
        (f"grpc://127.0.0.1:{postgres.free_port()}", "no proxy answers within 1 s"),
        ("grpc://127.0.0.1:port", "a proxy is given as grpc://host:port"),
        ("grpc://127.0.0.1:1/path", "a proxy is given as grpc://host:port"),
        ("grpc://", "a proxy is given as grpc://host:port"),
    ):
        with pytest.raises(ArchbudgetError, match=message):
            open_study(toy.space, BUDGET, storage=url, study_name="x", directions=["maximize"])
    pytest.importorskip("psycopg")
    url = f"postgresql://me:secret@127.0.0.1:{postgres.free_port()}/x"
    with pytest.raises(
        ArchbudgetError, match=r"the storage postgresql://me:\*\*\*@127.0.0.1:\d+/x: .*refused"
    ) as refused:
        open_study(toy.space, BUDGET, storage=url, study_name="x", directions=["maximize"])
    assert "secret" not in str(refused.value)
