"""Searches in one call: what they count, what they refuse, and what happens when processes and trials are lost."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from optuna.storages import InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

import archbudget as ab
from archbudget import layers
from archbudget.errors import SearchError, SpaceError
from archbudget.search.running import Clock, process

if TYPE_CHECKING:
    from collections.abc import Callable

GUARD = 300
"""Seconds after which something hangs, on a busy machine too."""

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs fork and signals")
BUDGET = ab.Budget(params=6_000)
SAMPLER = {"sampler": "random", "seed": 0}
ELSEWHERE = "elsewhere/1/2/3"
"""A process of another host."""


@pytest.fixture(scope="module")
def space() -> ab.Space:
    return ab.Space([layers.Input((4,)), *[layers.Dense(ab.Int(f"u{i}", 1, 64)) for i in range(4)]])


def storages(folder: Path) -> dict[str, Callable[[], Any]]:
    """How each kind of storage is opened, by another process too."""
    return {
        "sqlite": lambda: f"sqlite:///{folder / 'search.db'}",
        "journal": lambda: JournalStorage(JournalFileBackend(str(folder / "journal.log"))),
    }


def states(study: optuna.Study) -> list[str]:
    return [trial.state.name for trial in study.trials]


def search(space: ab.Space, objective: Any, n_trials: int | None = 4, **options: Any) -> optuna.Study:
    return ab.search(
        space, objective, BUDGET, n_trials, **(options if "sampler" in options else {**SAMPLER, **options})
    )


def failing_search(space: ab.Space, objective: Any, n_trials: int = 4, **options: Any) -> tuple[str, optuna.Study]:
    """The message of a search that cannot go on, and its study."""
    storage = InMemoryStorage()
    with pytest.raises(SearchError) as caught:
        search(space, objective, n_trials, storage=storage, study_name="x", **options)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    return str(caught.value), optuna.load_study(study_name="x", storage=storage)


# Values


@pytest.mark.parametrize(
    ("returned", "value"),
    [
        (1, 1.0),
        (-0.5, -0.5),
        (np.float32(0.25), 0.25),
        (np.int8(-3), -3.0),
        (np.array(2.5), 2.5),
        (np.array([2.5]), 2.5),
        (np.array([[2.5]], dtype=np.float16), 2.5),
        ([7], 7.0),
        ((7.0,), 7.0),
        (Fraction(1, 4), 0.25),
        (math.inf, math.inf),
        (-math.inf, -math.inf),
        (10**300, 1e300),
    ],
)
@pytest.mark.parametrize("storage", [None, "sqlite"])
def test_numbers_are_taken(
    returned: object, value: float, storage: str | None, space: ab.Space, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}" if storage else None
    study = search(space, lambda _: returned, 1, storage=url)
    assert [trial.value for trial in study.trials] == [value]


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (None, "None, which is not a number"),
        ("abc", "'abc', which is not a number"),
        ("0.5", "'0.5', which is not a number"),
        (b"1", "b'1', which is not a number"),
        (True, "True, which is not a number"),
        (np.bool_(True), "True"),
        (1j, "1j, which is not a number"),
        (np.complex64(1), "which is not a number"),
        pytest.param(10**400, "<an integer of 1,329 bits>, which is too large for a float", id="large"),
        pytest.param(10**9_000, "<an integer of 29,898 bits>, which is too large for a float", id="huge"),
        (Fraction(10**400, 3), "which is too large for a float"),
        ([], "[], which is not a number"),
        ([0.5, 0.5], "[0.5, 0.5], which is not a number"),
        (np.zeros(3), "array([0., 0., 0.]), which is not a number"),
        (np.zeros((2, 2)), "array([[0., 0.], [0., 0.]]), which is not a number"),
        (np.zeros(0), "which is not a number"),
        ({0.5}, "{0.5}, which is not a number"),
        ({"accuracy": 0.5}, "{'accuracy': 0.5}, which is not a number"),
        (["a"], "['a'], which is not a number"),
        pytest.param("x" * 10**6, "xxx', which is not a number", id="long"),
        (object, "<class 'object'>, which is not a number"),
    ],
)
def test_anything_but_a_number_is_one_line(returned: object, said: str, space: ab.Space) -> None:
    message, study = failing_search(space, lambda _: returned)
    assert message.startswith("the objective failed in trial 0: it returned ")
    assert said in message
    assert states(study) == ["FAIL"]


@pytest.mark.parametrize("returned", [None, 0.5, [0.5], [1, 2, 3], (1, "x"), "ab", np.zeros((1, 2)), [0.5, None]])
def test_several_objectives_need_as_many_numbers(returned: object, space: ab.Space) -> None:
    message, _ = failing_search(space, lambda _: returned, directions=["maximize", "minimize"])
    assert message.startswith("the objective failed in trial 0: it returned ")
    assert message.endswith(", which are not 2 numbers")


@pytest.mark.parametrize("returned", [(1, 2.5), [np.float32(1), np.array([2.5])], np.array([1, 2.5])])
def test_several_objectives_are_taken(returned: Any, space: ab.Space) -> None:
    study = search(space, lambda _: returned, 2, directions=["maximize", "minimize"])
    assert [trial.values for trial in study.trials] == [[1.0, 2.5]] * 2


def test_nan_fails_the_trial_which_counts(space: ab.Space) -> None:
    study = search(space, lambda _, trial: float("nan") if trial.number % 2 else 1.0, 6)
    assert states(study) == ["COMPLETE", "FAIL"] * 3
    assert study.trials[1].user_attrs["archbudget:failed"] == "the objective returned nan"


# Failures in a row, and the end of a search


@pytest.mark.parametrize("n_jobs", [1, 3])
@pytest.mark.parametrize("kind", ["nan", "raised", "number", "exit"])
def test_a_search_does_not_fail_for_ever(kind: str, n_jobs: int, space: ab.Space) -> None:
    def objective(_: ab.Architecture) -> Any:
        if kind == "raised":
            raise ValueError("bad luck")
        if kind == "exit":
            sys.exit()
        return math.nan if kind == "nan" else "x"

    message, study = failing_search(space, objective, 50, catch=(Exception,), max_consecutive_failures=6, n_jobs=n_jobs)
    assert message.startswith("6 trials in a row failed, the last one, trial ")
    assert {"nan": "returned nan", "raised": "bad luck", "number": "it returned 'x'", "exit": "sys.exit(None)"}[
        kind
    ] in message
    assert 6 <= len(study.trials) <= 5 + n_jobs


@pytest.mark.parametrize("n_jobs", [1, 3])
@pytest.mark.parametrize("told", [TrialState.FAIL, TrialState.COMPLETE])
def test_an_objective_that_tells_its_trial_itself_ends_the_search(
    told: TrialState, n_jobs: int, space: ab.Space
) -> None:
    def objective(trial: optuna.Trial) -> float:
        trial.study.tell(trial, None if told == TrialState.FAIL else 1.0, state=told)
        return 1.0

    if told == TrialState.COMPLETE:
        with pytest.raises(ValueError, match="Cannot tell a COMPLETE trial"):
            search(space, objective, 50, n_jobs=n_jobs)
        return
    message, study = failing_search(space, objective, 50, max_consecutive_failures=6, n_jobs=n_jobs)
    assert message.startswith("6 trials in a row failed, the last one, trial ")
    assert "it was failed by another process, or by the objective itself" in message
    assert 6 <= len(study.trials) <= 5 + n_jobs


@pytest.mark.parametrize("value", [1.0, math.nan])
def test_an_error_of_the_base_sampler_after_a_trial_is_raised(value: float, space: ab.Space) -> None:
    class Broken(optuna.samplers.RandomSampler):
        def after_trial(self, *_: Any) -> None:
            raise ValueError("no luck")

    with pytest.raises(ValueError, match="no luck"):
        search(space, lambda _: value, 3, sampler=Broken())


def test_a_success_ends_a_row_of_failures(space: ab.Space) -> None:
    study = search(space, lambda _, trial: math.nan if trial.number % 3 else 1.0, 12, max_consecutive_failures=3)
    assert len(study.trials) == 12


@pytest.mark.parametrize("n_jobs", [1, 2, 4])
@pytest.mark.parametrize("n_trials", [1, 2, 3])
def test_an_error_of_the_objective_ends_the_search(n_jobs: int, n_trials: int, space: ab.Space) -> None:
    def objective(_: ab.Architecture) -> float:
        raise ZeroDivisionError("of its own")

    with pytest.raises(ZeroDivisionError, match="of its own"):
        search(space, objective, n_trials, n_jobs=n_jobs)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize(
    ("leave", "said"),
    [
        (lambda: sys.exit(0), "it called sys.exit(0)"),
        (lambda: sys.exit("text"), "it called sys.exit('text')"),
        (lambda: ThreadPoolExecutor(1).submit(sys.exit, 3).result(), "it called sys.exit(3)"),
    ],
)
def test_an_exit_is_an_error(leave: Callable[[], Any], said: str, n_jobs: int, space: ab.Space) -> None:
    message, study = failing_search(space, lambda _: leave(), n_jobs=n_jobs)
    assert message.endswith(said)
    assert "RUNNING" not in states(study)


def test_a_callback_may_stop_the_search(space: ab.Space) -> None:
    def stop(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if trial.number == 2:
            study.stop()

    assert len(search(space, lambda _: 1.0, 50, callbacks=[stop]).trials) == 3


def test_the_time_ends_a_search(space: ab.Space) -> None:
    study = search(space, lambda _: time.sleep(0.01) or 1.0, None, timeout=0.5)
    assert set(states(study)) == {"COMPLETE"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_tries": 0}, "max_tries must be an integer of at least 1, not 0"),
        ({"max_consecutive_failures": 1.5}, "max_consecutive_failures must be an integer of at least 1, not 1.5"),
        ({"grace_period": 0}, "grace_period must be a number of seconds above 0, not 0"),
        ({"grace_period": math.nan}, "grace_period must be a number of seconds above 0, not nan"),
        ({"grace_period": "x"}, "grace_period must be a number of seconds above 0, not 'x'"),
    ],
)
def test_limits_are_checked(options: dict[str, Any], said: str, space: ab.Space) -> None:
    with pytest.raises(SpaceError, match=f"^{said}$"):
        search(space, lambda _: 1.0, **options)


# Interrupts


@pytest.mark.parametrize("when", ["objective", "proposal"])
@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_an_interrupted_trial_is_put_back(when: str, kind: str, space: ab.Space, tmp_path: Path) -> None:
    storage = storages(tmp_path)[kind]

    class Interrupted(optuna.samplers.RandomSampler):
        def sample_independent(self, study: Any, trial: Any, name: str, distribution: Any) -> Any:
            if when == "proposal" and trial.number == 2 and name == "own":
                raise KeyboardInterrupt
            return super().sample_independent(study, trial, name, distribution)

    def objective(_: ab.Architecture, trial: optuna.Trial) -> float:
        trial.set_user_attr("note", "kept")
        trial.suggest_float("own", 0, 1)
        if when == "objective" and trial.number == 2:
            raise KeyboardInterrupt
        return 1.0

    with pytest.raises(KeyboardInterrupt):
        search(space, objective, 4, storage=storage(), study_name="x", sampler=Interrupted(seed=0))
    study = optuna.load_study(study_name="x", storage=storage())
    assert states(study) == ["COMPLETE", "COMPLETE", "FAIL", "WAITING"]
    stopped, again = study.trials[2:]
    assert again.system_attrs["fixed_params"] == stopped.params
    assert len(stopped.params) == (5 if when == "objective" else 4)
    assert again.user_attrs["note"] == "kept"
    study = search(space, lambda _: 1.0, 4, storage=storage(), study_name="x")
    assert states(study) == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert study.trials[3].params == {name: value for name, value in stopped.params.items() if name != "own"}


def test_enqueued_values_are_not_lost_by_an_interrupt(space: ab.Space, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'x.db'}"
    search(space, len, 0, storage=storage, study_name="x")
    study = optuna.load_study(study_name="x", storage=storage)
    study.enqueue_trial({"u0": 3}, user_attrs={"memo": "mine"})

    class Interrupting(optuna.samplers.RandomSampler):
        def before_trial(self, *_: Any) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(space, len, 4, storage=storage, study_name="x", sampler=Interrupting())
    assert states(study) == ["FAIL", "WAITING"]
    assert study.trials[1].system_attrs["fixed_params"] == {"u0": 3}
    assert study.trials[1].user_attrs["memo"] == "mine"


@POSIX
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ctrl_c_ends_a_search_of_its_own_process(n_jobs: int, space: ab.Space, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'x.db'}"

    def objective(_: ab.Architecture, trial: optuna.Trial) -> float:
        if trial.number == 2:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)
        return 1.0

    with pytest.raises(KeyboardInterrupt):
        search(space, objective, 400, storage=storage, study_name="x", n_jobs=n_jobs)
    study = optuna.load_study(study_name="x", storage=storage)
    assert "RUNNING" not in states(study)
    assert states(study).count("COMPLETE") >= 2
    assert len(study.trials) < 10


@POSIX
@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_ctrl_c_at_any_moment_leaves_the_storage_free(kind: str, space: ab.Space, tmp_path: Path) -> None:
    storage = storages(tmp_path)[kind]
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    search(space, lambda _: 1.0, 1, storage=storage(), study_name="x")  # Whatever is imported is.
    for number in range(8):
        timer = threading.Timer(0.3 + 0.017 * number, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            search(space, lambda _: 1.0, 10**6, timeout=GUARD, storage=storage(), study_name="x")
        study = optuna.load_study(study_name="x", storage=storage())
        assert "RUNNING" not in states(study)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@POSIX
def test_an_objective_that_ends_at_ctrl_c_is_told_and_the_search_ends(space: ab.Space) -> None:
    def objective(_: ab.Architecture, trial: optuna.Trial) -> float:
        if trial.number == 1:
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(GUARD)
            except KeyboardInterrupt:
                return 0.5
        return 1.0

    storage = InMemoryStorage()
    with pytest.raises(KeyboardInterrupt):
        search(space, objective, 9, storage=storage, study_name="x")
    study = optuna.load_study(study_name="x", storage=storage)
    assert [trial.value for trial in study.trials] == [1.0, 0.5]
    assert len(search(space, objective, 4, storage=storage, study_name="x").trials) == 4


def test_a_value_that_could_not_be_told_at_once_is_told_later(space: ab.Space, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'x.db'}"

    interrupted = threading.Event()

    class Interrupted(RDBStorage):
        def set_trial_state_values(self, trial_id: int, state: TrialState, values: Any = None) -> bool:
            if state == TrialState.COMPLETE and not interrupted.is_set():
                interrupted.set()
                raise KeyboardInterrupt
            return super().set_trial_state_values(trial_id, state, values)

    with pytest.raises(KeyboardInterrupt):
        search(space, lambda _: 0.75, 4, storage=Interrupted(storage), study_name="x")
    study = optuna.load_study(study_name="x", storage=storage)
    assert [(trial.state, trial.value) for trial in study.trials] == [(TrialState.COMPLETE, 0.75)]


def test_an_error_while_a_trial_is_proposed_leaves_none_running(space: ab.Space) -> None:
    class Broken(optuna.samplers.RandomSampler):
        def before_trial(self, _: Any, trial: Any) -> None:
            if trial.number == 1:
                raise RuntimeError("a sampler with a fault")

    storage = InMemoryStorage()
    with pytest.raises(RuntimeError, match="a sampler with a fault"):
        search(space, lambda _: 1.0, storage=storage, study_name="x", sampler=Broken())
    assert states(optuna.load_study(study_name="x", storage=storage)) == ["COMPLETE", "FAIL"]


# Lost trials


def begin(study: optuna.Study, process: str | None, **params: int) -> int:
    """A trial that a process began, or none that says so, and left running; returns its number."""
    trial_id = study._storage.create_new_trial(study._study_id)
    if process is not None:
        study._storage.set_trial_user_attr(trial_id, "archbudget:process", process)
    for name, value in params.items():
        distribution = optuna.distributions.IntDistribution(1, 64)
        study._storage.set_trial_param(trial_id, name, distribution.to_internal_repr(value), distribution)
    return study._storage.get_trial(trial_id).number


@pytest.mark.parametrize("kind", ["sqlite", "journal", "memory"])
def test_trials_left_running_are_replaced(kind: str, space: ab.Space, tmp_path: Path) -> None:
    memory = InMemoryStorage()
    storage = {**storages(tmp_path), "memory": lambda: memory}[kind]
    options = {"study_name": "x", "grace_period": 2}
    study = search(space, lambda _: 1.0, 3, storage=storage(), **options)
    begin(study, None)
    begin(study, ELSEWHERE)
    begin(study, ELSEWHERE, u0=5, u1=6, u2=7, u3=8)
    done = search(space, lambda _: 1.0, 30, storage=storage(), **options)
    assert states(done).count("COMPLETE") == 30
    silent, proposing, trained = done.trials[3:6]
    # Nobody can know whether a trial lives that Optuna made beside the search.
    assert silent.state == TrialState.RUNNING
    assert proposing.state == trained.state == TrialState.FAIL
    for trial in (proposing, trained):
        assert trial.user_attrs["archbudget:lost"] == "its process gave no sign of life for 2 s"
    again = [trial for trial in done.trials if trial.user_attrs.get("archbudget:retry_of") == trained.number]
    assert [trial.params for trial in again] == [{"u0": 5, "u1": 6, "u2": 7, "u3": 8}]


SCRIPT = """
import json, os, signal, sys, time
import archbudget as ab
from archbudget import layers

space = ab.Space([layers.Input((4,)), *[layers.Dense(ab.Int(f"u{i}", 1, 64)) for i in range(4)]])
options = json.loads(sys.argv[1])
naps = options.pop("naps", [])

def value(arch):
    with open("begun", "a") as file:
        file.write(json.dumps(dict(arch)) + "\\n")
    time.sleep(naps.pop() if naps else 0)
    return 1.0

def deadly(arch):
    value(arch)
    with open("begun") as file:
        if json.loads(file.readline()) == dict(arch):
            os.kill(os.getpid(), signal.SIGKILL)
    return 1.0

def forking(arch):
    child = os.fork()
    if child == 0:
        if arch["u0"] % 2:
            sys.exit(3)
        return 2.0
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == (3 if arch["u0"] % 2 else 0)
    return 1.0

ab.search(space, globals()[options.pop("objective")], ab.Budget(params=6_000), storage="sqlite:///x.db", study_name="x",
          sampler="random", seed=0, **options)
print("done")
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., subprocess.Popen[str]]:
    """Starts a search in a process of its own, with its study `x` in `x.db`."""
    monkeypatch.chdir(tmp_path)

    def start(objective: str, **options: Any) -> subprocess.Popen[str]:
        arguments = [sys.executable, "-c", SCRIPT, json.dumps({"objective": objective, **options})]
        return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return start


def study_of_script() -> optuna.Study:
    return optuna.load_study(study_name="x", storage="sqlite:///x.db")


def test_a_clock_ignores_the_time_of_a_pause() -> None:
    clock = Clock(0.05)
    time.sleep(0.5)
    assert clock.read() == 0.05
    time.sleep(0.001)
    assert 0.05 < clock.read() <= 0.1


@POSIX
def test_a_process_of_this_host_has_more_patience(space: ab.Space, tmp_path: Path) -> None:
    options = {"storage": f"sqlite:///{tmp_path / 'x.db'}", "study_name": "x", "grace_period": 0.5}
    study = search(space, lambda _: 1.0, 0, **options)
    with subprocess.Popen(["sleep", "1000"]) as alive:
        try:
            begin(study, process(alive.pid), u0=1, u1=2, u2=3, u3=4)
            begin(study, process(), u0=5, u1=6, u2=7, u3=8)
            study = search(space, lambda _: 1.0, 4, **options)
        finally:
            alive.kill()
    lost = [trial.user_attrs.get("archbudget:lost") for trial in study.trials[:2]]
    # A process that is there may be in code that lets no thread of it write.
    assert lost == [f"its process gave no sign of life for {seconds} s" for seconds in ("5", "0.5")]
    assert states(study).count("COMPLETE") == 4


@POSIX
@pytest.mark.parametrize("max_tries", [1, 2])
def test_a_network_that_ends_the_process_is_tried_max_tries_times(
    max_tries: int, script: Callable[..., subprocess.Popen[str]]
) -> None:
    codes = []
    while not codes or codes[-1]:
        process = script("deadly", n_trials=4, max_tries=max_tries)
        _, err = process.communicate(timeout=GUARD)
        codes.append(process.returncode)
        assert codes[-1] in (0, -signal.SIGKILL), err
    assert codes == [-signal.SIGKILL] * max_tries + [0]
    study = study_of_script()
    lost = [trial for trial in study.trials if trial.state == TrialState.FAIL]
    assert [trial.user_attrs["archbudget:lost"] for trial in lost] == ["its process ended"] * max_tries
    assert [trial.params for trial in lost] == [lost[0].params] * max_tries
    said = "its process ended" if max_tries == 1 else "its process ended, 2 times in all"
    assert [trial.user_attrs.get("archbudget:failed") for trial in lost] == [None] * (max_tries - 1) + [said]
    assert states(study).count("COMPLETE") == 3


@POSIX
def test_a_process_that_was_paused_goes_on(script: Callable[..., subprocess.Popen[str]], space: ab.Space) -> None:
    process = script("value", n_trials=6, grace_period=3, naps=[2])
    try:
        end = time.monotonic() + GUARD
        while not Path("begun").exists():
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGSTOP)
        options = {"storage": "sqlite:///x.db", "study_name": "x", "grace_period": 3}
        assert states(search(space, lambda _: 1.0, 4, **options)) == ["FAIL", *["COMPLETE"] * 4]
        process.send_signal(signal.SIGCONT)
        out, err = process.communicate(timeout=GUARD)
    finally:
        process.kill()
    assert (process.returncode, out) == (0, "done\n"), err
    assert "Trial 0 was given up by another process while this one gave no sign of life." in err
    assert states(study_of_script()) == ["FAIL", *["COMPLETE"] * 6]


@POSIX
def test_a_forked_child_does_not_go_on_with_the_search(script: Callable[..., subprocess.Popen[str]]) -> None:
    process = script("forking", n_trials=6)
    out, err = process.communicate(timeout=GUARD)
    assert (process.returncode, out) == (0, "done\n"), err
    assert [(trial.state, trial.value) for trial in study_of_script().trials] == [(TrialState.COMPLETE, 1.0)] * 6


@pytest.mark.parametrize("n_jobs", [1, 3])
@pytest.mark.parametrize("where", ["returns", "raises", "reports", "interrupted"])
def test_a_trial_that_another_process_failed_does_not_end_the_search(where: str, n_jobs: int, space: ab.Space) -> None:
    storage = InMemoryStorage()

    def objective(_: ab.Architecture, trial: optuna.Trial) -> float:
        if trial.number in (1, 4):
            storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
            if where == "raises":
                raise RuntimeError("bad luck")
            if where == "interrupted":
                raise KeyboardInterrupt
            if where == "reports":
                trial.report(1.0, 1)
        return 1.0

    if where in ("raises", "interrupted"):
        with pytest.raises(RuntimeError if where == "raises" else KeyboardInterrupt):
            search(space, objective, 8, storage=storage, study_name="x", n_jobs=n_jobs)
        return
    study = search(space, objective, 8, storage=storage, study_name="x", n_jobs=n_jobs)
    assert states(study).count("COMPLETE") == 8
    assert [trial.number for trial in study.trials if trial.state == TrialState.FAIL] == [1, 4]


def test_errors_like_those_of_optuna_are_not_taken_for_them(space: ab.Space) -> None:
    def callback(*_: Any) -> None:
        raise ValueError("Cannot tell a FAIL trial.")

    with pytest.raises(ValueError, match="Cannot tell a FAIL trial"):
        search(space, lambda _: 1.0, callbacks=[callback])

    def nested(_: ab.Architecture) -> float:
        other = optuna.create_study()
        trial = other.ask()
        other.tell(trial, 1.0)
        trial.report(1.0, 1)
        return 1.0

    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        search(space, nested)


def test_a_long_trial_gives_signs_of_life(space: ab.Space) -> None:
    options: dict[str, Any] = {"storage": InMemoryStorage(), "study_name": "x", "grace_period": 4}
    study = search(space, lambda _: 1.0, 0, **options)

    def slow(_: ab.Architecture) -> float:
        while study.trials[0].user_attrs.get("archbudget:beat", 0) < 6:  # A beat is a second.
            time.sleep(0.1)
        return 1.0

    with ThreadPoolExecutor(1) as thread:
        other = thread.submit(search, space, slow, 1, **options)
        while not study.trials:
            time.sleep(0.05)
        assert search(space, lambda _: 2.0, 2, **options).trials[0].value == 1.0
        other.result()
    assert sorted(trial.value for trial in study.trials) == [1.0, 2.0]


# Storages


@pytest.mark.parametrize("n_jobs", [1, 3])
@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&cache=shared&uri=true"]
)
def test_a_database_in_memory_is_a_storage_in_memory(url: str, n_jobs: int, space: ab.Space) -> None:
    study = search(space, lambda _: 1.0, 6, storage=url, study_name="x", n_jobs=n_jobs)
    assert states(study) == ["COMPLETE"] * 6


def test_a_study_of_another_direction_is_refused(space: ab.Space) -> None:
    storage = InMemoryStorage()
    search(space, lambda _: 1.0, 1, storage=storage, study_name="x")
    with pytest.raises(SpaceError, match="study 'x' belongs to another direction: it has maximize, not minimize"):
        search(space, lambda _: 1.0, 2, storage=storage, study_name="x", direction="minimize")
    with pytest.raises(SpaceError, match="it has maximize, not minimize, maximize"):
        search(space, lambda _: 1.0, 2, storage=storage, study_name="x", directions=["minimize", "maximize"])


def test_a_database_stays_the_same_where_the_objective_changes_the_folder(
    space: ab.Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()

    def objective(_: ab.Architecture) -> float:
        os.chdir(tmp_path / "elsewhere")
        return 1.0

    search(space, objective, 3, storage="sqlite:///x.db", study_name="x", n_jobs=2)
    assert [file.name for file in tmp_path.rglob("*.db")] == ["x.db"]
    study = optuna.load_study(study_name="x", storage=f"sqlite:///{tmp_path / 'x.db'}")
    assert states(study) == ["COMPLETE"] * 3


@POSIX
def test_searches_that_begin_at_once_share_a_new_database(script: Callable[..., subprocess.Popen[str]]) -> None:
    processes = [script("value", n_trials=12, naps=[0.5]) for _ in range(3)]
    results = [process.communicate(timeout=GUARD) for process in processes]
    assert [process.returncode for process in processes] == [0] * 3, results
    found = states(study_of_script())
    assert found.count("COMPLETE") == 12
    # Those that were one more than asked wait.
    assert set(found) <= {"COMPLETE", "WAITING"}
    assert len(found) <= 14


def test_a_storage_that_fails_is_named(space: ab.Space, tmp_path: Path) -> None:
    with pytest.raises(SearchError, match=r"^the storage sqlite:////no/where.db: unable to open database file$"):
        search(space, lambda _: 1.0, storage="sqlite:////no/where.db")
    file = tmp_path / "x.db"
    search(space, lambda _: 1.0, 1, storage=f"sqlite:///{file}", study_name="x")
    url = f"sqlite:///file:{file}?mode=ro&uri=true"
    with pytest.raises(SearchError, match="attempt to write a readonly database$"):
        search(space, lambda _: 1.0, 2, storage=url, study_name="x")


def test_a_storage_that_fails_on_the_way_is_named(space: ab.Space, tmp_path: Path) -> None:
    import sqlite3

    file = tmp_path / "x.db"

    def objective(_: ab.Architecture, trial: optuna.Trial) -> float:
        if trial.number == 2:
            with sqlite3.connect(file) as database:
                database.execute(
                    "CREATE TRIGGER no BEFORE UPDATE ON trials BEGIN SELECT RAISE(ABORT, 'it is full'); END"
                )
        return 1.0

    with pytest.raises(SearchError, match=r"^the storage sqlite:///.*x.db: it is full$"):
        search(space, objective, 9, storage=f"sqlite:///{file}", study_name="x")
    study = optuna.load_study(study_name="x", storage=f"sqlite:///{file}")
    assert states(study) == ["COMPLETE", "COMPLETE", "RUNNING"]
    with sqlite3.connect(file) as database:
        database.execute("DROP TRIGGER no")


def test_a_grpc_proxy_is_a_storage_too(space: ab.Space, tmp_path: Path) -> None:
    pytest.importorskip("grpc")
    import socket

    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    serve = f"""
        import optuna
        storage = optuna.storages.get_storage("sqlite:///{tmp_path / "x.db"}")
        optuna.storages.run_grpc_proxy_server(storage, host="localhost", port={port})
    """
    server = subprocess.Popen([sys.executable, "-c", textwrap.dedent(serve)], stderr=subprocess.DEVNULL)
    try:
        storage = optuna.storages.GrpcStorageProxy(port=port)
        storage.wait_server_ready(GUARD)
        options = {"study_name": "x", "grace_period": 2, "storage": storage}
        study = search(space, lambda _: 1.0, 3, **options)
        begin(study, ELSEWHERE, u0=5, u1=6, u2=7, u3=8)
        study = search(space, lambda _: 1.0, 20, **options)
        assert states(study) == [*["COMPLETE"] * 3, "FAIL", *["COMPLETE"] * 17]
    finally:
        server.kill()
        server.wait()


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_of_two_searches_that_begin_the_last_trial_at_once_one_withdraws(
    kind: str, space: ab.Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = storages(tmp_path)[kind]
    search(space, lambda arch: -arch.params, 3, storage=opened(), study_name="s")
    both, met, ask = threading.Barrier(2), threading.local(), optuna.Study.ask

    def together(study: optuna.Study, *args: Any, **options: Any) -> optuna.Trial:
        if not hasattr(met, "once"):  # Each has found one trial missing, and has begun none.
            met.once = both.wait(GUARD)
        return ask(study, *args, **options)

    with monkeypatch.context() as patched, ThreadPoolExecutor(2) as threads:
        patched.setattr(optuna.Study, "ask", together)
        others = [
            threads.submit(search, space, lambda arch: -arch.params, 4, storage=opened(), study_name="s", seed=seed)
            for seed in (1, 2)
        ]
        studies = [other.result(GUARD) for other in others]
    assert all(states(study).count("COMPLETE") == 4 for study in studies)
    assert set(states(studies[0])) <= {"COMPLETE", "WAITING"}
    # What was withdrawn is begun before a new one is.
    again = search(space, lambda arch: -arch.params, 5, storage=opened(), study_name="s", seed=3)
    assert states(again) == ["COMPLETE"] * 5


# Arguments that would be ignored, or are none


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"direction": "maximize", "directions": ["maximize"]},
            "direction='maximize' and directions=['maximize'] exclude",
        ),
        ({"direction": "minimize", "directions": ["maximize", "minimize"]}, "exclude each other"),
        ({"directions": "maximize"}, "directions must be a list with one direction for each objective, not 'maximize'"),
        ({"directions": []}, "directions must be a list with one direction for each objective, not []"),
        ({"sampler": optuna.samplers.TPESampler(), "seed": 3}, "give it to TPESampler(seed=3)"),
        ({"timeout": -1}, "timeout must be None or a number of seconds of at least 0, not -1"),
        ({"catch": "ValueError"}, "catch must be exception types, such as (ValueError,), not 'ValueError'"),
        ({"catch": [3]}, "catch must be exception types"),
        ({"catch": KeyboardInterrupt}, "catch must be exception types"),
        ({"callbacks": print}, "callbacks must be a list of functions of a study and a trial, not "),
        ({"callbacks": [3]}, "callbacks must be a list of functions of a study and a trial, not [3]"),
        ({"pruner": "median"}, "pruner must be None or an Optuna pruner, not 'median'"),
        ({"storage": 3}, "storage must be None or an Optuna storage or its URL, not 3"),
    ],
)
def test_arguments_that_do_not_go_together_or_are_none_are_refused(
    options: dict[str, Any], said: str, space: ab.Space
) -> None:
    with pytest.raises(SpaceError) as caught:
        ab.search(space, lambda _: pytest.fail("it began"), BUDGET, 2, **options)
    assert said in str(caught.value)


def test_one_exception_type_is_caught_as_several_are(space: ab.Space) -> None:
    def objective(_: ab.Architecture) -> float:
        raise RuntimeError("bad luck")

    assert states(search(space, objective, 2, catch=RuntimeError)) == ["FAIL"] * 2


def test_a_study_keeps_its_objective(space: ab.Space, tmp_path: Path) -> None:
    budget = ab.Budget(params=space.range("params")[1])
    storage = f"sqlite:///{tmp_path}/study.db"
    for objective in (math.prod, math.prod, lambda _: 1.0):  # What has no name in a module may be the same.
        ab.search(space, objective, budget, 0, storage=storage, study_name="x")
    with pytest.raises(SpaceError, match="belongs to another objective: it has math:prod, not math:fsum; take another"):
        ab.search(space, math.fsum, budget, 0, storage=storage, study_name="x")
    ab.search(space, math.fsum, budget, 0, storage=storage, study_name="y")


def test_a_storage_that_is_no_url_is_answered_with_one(space: ab.Space) -> None:
    with pytest.raises(SearchError, match="a storage is given as a URL, such as sqlite:///x.db, not 'x.db'"):
        ab.search(space, len, ab.Budget(params=10**9), 1, storage="x.db")
