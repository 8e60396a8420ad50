"""Searches on the command line whose objectives, workers, signals and disks do the worst that they can."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from optuna.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs fork and signals")

GUARD = 300
"""Seconds after which something hangs, on a busy machine too."""

MODULE = """
import ctypes, fcntl, json, multiprocessing, os, re, signal, subprocess, sys, threading, time
from concurrent.futures import ProcessPoolExecutor
import archbudget as ab
from archbudget import layers

space = ab.Space([layers.Input((4,)), *[layers.Dense(ab.Int(f"u{i}", 1, 64)) for i in range(4)]])

def begin(arch):
    # The networks that were asked for before, each once, in their order.
    mine = json.dumps(dict(arch))
    with open("begun", "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known = file.read().splitlines()
        file.write(mine + "\\n")
    return list(dict.fromkeys([*known, mine])).index(mine)

def value(arch):
    begin(arch)
    time.sleep(float(os.environ.get("NAP", "0")))
    return -arch.params

def kinds(arch, *names):
    # What the first networks are given, each one its own: the same when they are tried again.
    place = begin(arch)
    return names[place] if place < len(names) else None

# Objectives that start processes, or write and read where they should not.

def square(x):
    return x * x

def pool(method):
    with multiprocessing.get_context(method).Pool(2) as workers:
        assert workers.map(square, range(4)) == [0, 1, 4, 9]

def executor():
    with ProcessPoolExecutor(2) as workers:
        assert list(workers.map(square, range(4))) == [0, 1, 4, 9]

def fork(leave):
    child = os.fork()
    if child == 0:
        return leave()
    assert os.waitpid(child, 0)[1] == 0

def leave():
    return "child"

def print_much():
    subprocess.run([sys.executable, "-c", "print('x' * 300_000)"], check=True)
    print("y" * 300_000)
    os.write(1, b"z" * 300_000)

def print_in_c():
    libc = ctypes.CDLL(None)
    for _ in range(3_000):
        libc.puts(b"c" * 100)
    libc.fflush(None)

def read():
    assert subprocess.run([sys.executable, "-c", "import sys; sys.exit(len(sys.stdin.read()))"]).returncode == 0
    assert sys.stdin.read() == ""

def loader():
    try:
        import torch
        from torch.utils.data import DataLoader, TensorDataset
    except ImportError:
        return
    batches = DataLoader(TensorDataset(torch.arange(64.0)), batch_size=8, num_workers=2)
    assert sum(float(batch.sum()) for batch, in batches) == 2016.0

def exit_in_a_thread():
    thread = threading.Thread(target=sys.exit)
    thread.start()
    thread.join()

BUSY = {
    "fork": lambda: fork(lambda: os._exit(0)),
    "fork and exit": lambda: fork(sys.exit),
    "fork and leave": lambda: fork(leave),
    "pool": lambda: pool("fork"),
    "spawned pool": lambda: pool("spawn"),
    "executor": executor,
    "print much": print_much,
    "print in C": print_in_c,
    "read": read,
    "loader": loader,
    "exit in a thread": exit_in_a_thread,
}

def busy(arch, trial):
    kind = kinds(arch, *BUSY)
    trial.set_user_attr("kind", kind)
    BUSY[kind]()
    return -arch.params

# Objectives that end their process, or never end.

DEADLY = {
    "SIGSEGV": lambda: ctypes.string_at(0),
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "exit code 0": lambda: os._exit(0),
    "exit code 3": lambda: os._exit(3),
}

def deadly(arch, trial):
    kind = kinds(arch, *DEADLY)
    if kind:
        DEADLY[kind]()
    return -arch.params

def always(arch):
    begin(arch)
    os.kill(os.getpid(), signal.SIGKILL)

def once(arch):
    first = not os.path.exists("begun")
    begin(arch)
    if first:
        # It has all descriptors of its parent, and does not belong to its group.
        child = subprocess.Popen(["sleep", "1000"], close_fds=False, start_new_session=True)
        with open("child", "w") as file:
            file.write(str(child.pid))
        forked = os.fork()
        if forked == 0:
            os.setsid()
            time.sleep(1000)
        with open("child", "a") as file:
            file.write(f" {forked}")
        os.write(1, b'hello {"error": \\n{"other": 1}\\n')
        os.kill(os.getpid(), signal.SIGKILL)
    return -arch.params

HANGING = {
    "sleep": lambda: time.sleep(10_000),
    "no threads": lambda: re.match("(a+)+$", "a" * 60 + "b"),
}

def hanging(arch):
    kind = kinds(arch, *HANGING)
    if kind:
        HANGING[kind]()
    return -arch.params

def holding(arch):
    if kinds(arch, "first"):
        HANGING["no threads"]()
    return -arch.params

def stubborn(arch):
    begin(arch)
    while True:
        try:
            time.sleep(1000)
        except KeyboardInterrupt:
            pass

def leaves(arch):
    sys.exit(0)

# Objectives that fill a disk.

def full(arch, trial):
    if trial.number == 3 and not os.path.exists("roomy"):
        fill(trial.study)
    return -arch.params

def fill(study):
    with open(f"{study.user_attrs['archbudget:models']}/ballast", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(512))
        except OSError:
            pass

def saved(arch, trial):
    time.sleep(0.3)
    with open(f"{trial.study.user_attrs['archbudget:models']}/trial_{trial.number}.keras", "w") as file:
        file.write(json.dumps(trial.params))
    return -arch.params
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "faulty.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(objective: str, trials: int, *options: str) -> list[str]:
    words = ["search", "faulty:space", "--objective", f"faulty:{objective}", "--params", "6k", "--trials", str(trials)]
    return [sys.executable, "-m", "archbudget", *words, "--sampler", "random", "--seed", "0", *options]


def run(objective: str, trials: int, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(objective, trials, *options),
        capture_output=True,
        text=True,
        timeout=GUARD,
        env={**os.environ, **environment},
    )


@contextlib.contextmanager
def started(objective: str, trials: int, *options: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command(objective, trials, *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ends(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What a search prints until it ends."""
    return process.communicate(timeout=GUARD)


def wait_until(condition: Callable[[], Any]) -> Any:
    """What a condition comes to, as soon as that is something."""
    end = time.monotonic() + GUARD
    while not (found := condition()):
        assert time.monotonic() < end, "this never happens"
        time.sleep(0.05)
    return found


def trials(storage: str = "sqlite:///out/search.db", *states: TrialState) -> list[optuna.trial.FrozenTrial]:
    """The trials of the study, once there is one; without those that were withdrawn before they had any value."""
    try:
        study = optuna.load_study(study_name="faulty:space", storage=storage)
        found = study.get_trials(states=states or None)
        return [t for t in found if t.state != TrialState.WAITING or t.system_attrs.get("fixed_params")]
    except Exception:  # The database is being made.
        return []


def running() -> list[optuna.trial.FrozenTrial]:
    """The trials whose objective has begun."""
    running = trials("sqlite:///out/search.db", TrialState.RUNNING)
    return [trial for trial in running if {"archbudget:process", "archbudget:models"} <= trial.user_attrs.keys()]


def begun() -> list[dict[str, int]]:
    """The networks for which the objective was asked."""
    return [json.loads(line) for line in Path("begun").read_text().splitlines()]


def pid_of(trial: optuna.trial.FrozenTrial) -> int:
    return int(trial.user_attrs["archbudget:process"].split("/")[-2])


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_objectives_may_start_processes_and_print_and_read() -> None:
    shown = run("busy", 11, "--workers", "2")
    assert shown.returncode == 0, shown.stderr
    found = trials()
    assert {trial.state for trial in found} == {TrialState.COMPLETE}
    kinds = {trial.user_attrs["kind"] for trial in found}
    assert {"fork", "pool", "executor", "print much", "loader"} <= kinds
    assert len(kinds) == len(found) == 11
    logs = "".join(log.read_text() for log in Path("out").glob("worker-*.log"))
    assert all(letter * 100 in logs for letter in "xyzc")
    assert "Traceback" not in logs.replace("Exception in thread", "")


def test_a_network_that_ends_its_process_is_tried_twice_and_the_search_goes_on() -> None:
    shown = run("deadly", 8, "--workers", "2")
    assert shown.returncode == 0, shown.stderr
    tries = [list(group) for _, group in itertools.groupby(sorted(map(str, begun())))]
    assert sorted(map(len, tries)) == [1] * 4 + [2] * 4
    found = trials()
    complete = [trial for trial in found if trial.state == TrialState.COMPLETE]
    assert len(complete) == 4
    failed = [trial for trial in found if "archbudget:failed" in trial.user_attrs]
    reasons = sorted(trial.user_attrs["archbudget:failed"] for trial in failed)
    assert reasons == [
        "its process ended with exit code 0, 2 times in all",
        "its process ended with exit code 3, 2 times in all",
        "its process was killed by SIGKILL, as if out of memory, 2 times in all",
        "its process was killed by SIGSEGV, 2 times in all",
    ]
    assert shown.stdout.count("it is tried again") == 4
    assert re.search(r"^Trial \d+ failed: its process .*, 2 times in all$", shown.stdout, re.MULTILINE)
    assert "1 more trials failed." in shown.stdout
    # The log says where it was.
    assert any("Segmentation fault" in log.read_text() for log in Path("out").glob("worker-*.log"))


def test_a_search_whose_trials_all_fail_says_so() -> None:
    shown = run("always", 2, "--max-tries", "1")
    assert shown.returncode == 2
    assert re.match(r"error: each of the 2 trials failed, the last one, trial \d: its process was ki", shown.stderr)
    assert shown.stderr.count("\n") == 1
    assert len(begun()) == 2
    shown = run("always", 40, "--max-consecutive-failures", "3")
    assert shown.returncode == 2
    assert re.match(
        r"error: 3 workers were lost in a row, the last one in trial \d+: its process was killed by SIGKILL, as if out "
        r"of memory; see out/worker-\d.log",
        shown.stderr,
    )
    assert 3 <= len(begun()) - 2 <= 4


def test_children_that_outlive_a_killed_worker_hold_nothing_up(folder: Path) -> None:
    # Whatever is printed before the worker has its pipes does not matter.
    (folder / "early").mkdir()
    (folder / "early/sitecustomize.py").write_text("import os; os.write(1, b'{\\n' * 100_000)")
    try:
        shown = run("once", 3, "--workers", "1", PYTHONPATH="early")
        assert shown.returncode == 0, shown.stderr
        assert len([trial for trial in trials() if trial.state == TrialState.COMPLETE]) == 3
        assert begun()[0] == begun()[1]
        assert all(map(is_alive, map(int, Path("child").read_text().split())))
    finally:
        for child in Path("child").read_text().split():
            os.kill(int(child), signal.SIGKILL)


def test_a_hung_objective_is_ended_in_time() -> None:
    shown = run("hanging", 5, "--workers", "2", "--trial-timeout", "8")
    assert shown.returncode == 0, shown.stderr
    found = trials()
    assert sorted(trial.state.name for trial in found) == ["COMPLETE"] * 3 + ["FAIL"] * 2
    assert len(begun()) == 5
    reason = "it took longer than --trial-timeout 8 s"
    assert [trial.user_attrs.get("archbudget:failed") for trial in found].count(reason) == 2
    assert shown.stdout.count(f"failed: {reason}") == 4
    # The log says where it was.
    logs = "".join(log.read_text() for log in Path("out").glob("worker-*.log"))
    assert logs.count("in hanging") == 2


def test_a_worker_that_holds_the_interpreter_is_ended_too() -> None:
    shown = run("holding", 3, "--workers", "1", "--grace-period", "1", "--max-tries", "1")
    assert shown.returncode == 0, shown.stderr
    assert "failed: its process gave no sign of life for 10 s" in shown.stdout
    assert [trial.state.name for trial in trials()] == ["FAIL", "COMPLETE", "COMPLETE"]


def test_leaving_the_process_in_order_is_an_error_too() -> None:
    shown = run("leaves", 4)
    assert shown.returncode == 2
    assert re.match(r"error: the objective faulty:leaves failed in trial \d: it called sys\.exit\(0\)", shown.stderr)
    assert shown.stderr.count("\n") == 1


@pytest.mark.parametrize("twice", [False, True])
def test_ctrl_c_puts_the_running_trials_back(twice: bool) -> None:
    with started("stubborn" if twice else "value", 40, "--workers", "2", NAP="1000") as process:
        before = wait_until(lambda: len(found := running()) == 2 and found)
        process.send_signal(signal.SIGINT)
        if twice:
            time.sleep(1)
            process.send_signal(signal.SIGINT)
        out, err = ends(process)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "Interrupted with 0 of 40 trials done" in out
    assert not any(map(is_alive, map(pid_of, before)))
    after = trials()
    assert not [trial for trial in after if trial.state == TrialState.RUNNING]
    assert not [trial for trial in after if "archbudget:lost" in trial.user_attrs]
    queue = [trial.system_attrs["fixed_params"] for trial in after if trial.state == TrialState.WAITING]
    assert sorted(map(str, queue)) == sorted(str(trial.params) for trial in before)
    if twice:
        return
    shown = run("value", 2, "--workers", "2")
    assert shown.returncode == 0, shown.stderr
    done = [trial.params for trial in trials() if trial.state == TrialState.COMPLETE]
    assert all(params in done for params in queue)


def test_workers_end_with_the_main_process_and_put_their_trials_back() -> None:
    with started("value", 40, "--workers", "2", NAP="1000") as process:
        before = wait_until(lambda: len(found := running()) == 2 and found)
        process.send_signal(signal.SIGKILL)
        wait_until(lambda: not any(map(is_alive, map(pid_of, before))))
    queue = trials("sqlite:///out/search.db", TrialState.WAITING)
    assert sorted(str(t.system_attrs["fixed_params"]) for t in queue) == sorted(str(t.params) for t in before)
    assert not [trial for trial in trials() if "archbudget:lost" in trial.user_attrs]


def test_killed_workers_are_replaced() -> None:
    with started("value", 6, "--workers", "2", NAP="1") as process:
        killed: set[int] = set()
        while len(killed) < 3:
            (pid, *_) = wait_until(lambda: {pid_of(trial) for trial in running()} - killed)
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        out, err = ends(process)
    assert process.returncode == 0, err
    assert "killed by SIGKILL" in out
    assert len(trials("sqlite:///out/search.db", TrialState.COMPLETE)) >= 5


def test_a_worker_that_was_paused_goes_on_with_the_next_trial() -> None:
    with started("value", 12, "--workers", "2", "--grace-period", "4", NAP="1") as process:
        paused = wait_until(running)[0]
        pid = pid_of(paused)
        os.kill(pid, signal.SIGSTOP)
        try:
            number = paused.number
            wait_until(lambda: trials()[number].state.is_finished())
            assert trials()[number].user_attrs["archbudget:lost"] == "its process gave no sign of life for 4 s"
        finally:
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: [t for t in trials() if t.number > number and pid_of_any(t) == pid])
        out, err = ends(process)
    assert process.returncode == 0, err
    assert len(trials("sqlite:///out/search.db", TrialState.COMPLETE)) == 12
    assert out.count("lost: its process gave no sign of life for 4 s; it is tried again") == 1


def pid_of_any(trial: optuna.trial.FrozenTrial) -> int | None:
    return pid_of(trial) if "archbudget:process" in trial.user_attrs else None


def test_a_worker_that_stays_paused_does_not_delay_the_end() -> None:
    with started("value", 4, "--workers", "2", "--grace-period", "4", NAP="0.5") as process:
        pid = pid_of(wait_until(running)[0])
        os.kill(pid, signal.SIGSTOP)
        _, err = ends(process)
    assert process.returncode == 0, err
    assert not is_alive(pid)
    assert len(trials("sqlite:///out/search.db", TrialState.COMPLETE)) == 4


def test_trials_left_running_do_not_block() -> None:
    assert run("value", 1).returncode == 0
    study = optuna.load_study(study_name="faulty:space", storage="sqlite:///out/search.db")
    # A process creates a trial, may have signed it, and is killed.
    own = trials()[0].user_attrs["archbudget:process"]
    for signature in (None, own, f"elsewhere/{own.partition('/')[2]}"):
        lost = study._storage.create_new_trial(study._study_id)
        if signature is not None:
            study._storage.set_trial_user_attr(lost, "archbudget:process", signature)
    shown = run("value", 3, "--grace-period", "3")
    assert shown.returncode == 0, shown.stderr
    assert len(trials("sqlite:///out/search.db", TrialState.COMPLETE)) == 3
    assert [(trial.state.name, trial.user_attrs.get("archbudget:lost")) for trial in trials()[1:4]] == [
        ("RUNNING", None),
        ("FAIL", "its process ended"),
        ("FAIL", "its process gave no sign of life for 3 s"),
    ]


# Storages


def test_a_database_in_memory_is_refused() -> None:
    shown = run("value", 2, "--workers", "2", "--storage", "sqlite://")
    assert shown.returncode == 2
    assert shown.stderr == (
        "error: --storage sqlite:// keeps the study in memory, where worker processes do not see it; "
        "give a file, such as sqlite:///search.db\n"
    )


def test_a_folder_may_have_any_name(folder: Path) -> None:
    out = "a?b=1&uri=true/50%/%41#{x} é"
    shown = run("saved", 2, "--out", out)
    assert shown.returncode == 0, shown.stderr
    assert {file.name for file in (folder / out).iterdir()} >= {"search.db", "best.keras", "models"}
    assert {file.name for file in folder.iterdir()} <= {"__pycache__", "a?b=1&uri=true", "faulty.py"}
    shown = run("saved", 3, "--out", out)
    assert shown.returncode == 0, shown.stderr
    assert "2 of 3 trials done, continuing" in shown.stdout


def test_searches_with_different_folders_share_a_study() -> None:
    storage = ["--storage", "sqlite:///shared.db", "--workers", "1"]
    with started("saved", 8, "--out", "a", *storage) as one, started("saved", 8, "--out", "b", *storage) as other:
        results = [ends(process) for process in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), results
    found = trials("sqlite:///shared.db", TrialState.COMPLETE)
    assert len(found) >= 8
    by_number = {trial.number: trial for trial in trials("sqlite:///shared.db")}
    folders = set()
    for file in Path().rglob("trial_*.keras"):
        trial = by_number[int(re.findall(r"\d+", file.name)[0])]
        assert json.loads(file.read_text()) == trial.params
        assert str(file.parent.resolve()) == trial.user_attrs["archbudget:models"]
        folders.add(file.parts[0])
    best = max(found, key=lambda trial: trial.value)
    for out in ("a", "b"):
        assert json.loads(Path(out, "best.keras").read_text()) == best.params


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of half a megabyte."""
    disk = folder / "out"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", disk], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"needs the right to mount: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_is_named_and_nothing_is_lost(small_disk: Path) -> None:
    shown = run("full", 8, "--workers", "2")
    assert shown.returncode == 2
    assert re.match(r"error: the storage sqlite:///out/search.db: database or disk is full", shown.stderr)
    assert shown.stderr.count("\n") == 1
    (ballast,) = small_disk.rglob("ballast")
    ballast.unlink()
    before = {t.number: t.value for t in trials("sqlite:///out/search.db", TrialState.COMPLETE)}
    assert len(before) >= 2
    Path("roomy").touch()
    shown = run("full", 8, "--workers", "2")
    assert shown.returncode == 0, shown.stderr
    after = {t.number: t.value for t in trials("sqlite:///out/search.db", TrialState.COMPLETE)}
    assert len(after) >= 8
    assert before.items() <= after.items()


def test_a_database_that_cannot_be_written_is_named(small_disk: Path) -> None:
    assert run("value", 1).returncode == 0
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    shown = run("value", 2, "--out", "elsewhere", "--storage", "sqlite:///out/search.db")
    assert shown.returncode == 2
    assert shown.stderr == ("error: the storage sqlite:///out/search.db: attempt to write a readonly database\n")
    shown = run("value", 2, "--out", "elsewhere", "--storage", "sqlite:///nowhere/search.db")
    assert shown.returncode == 2
    assert shown.stderr == "error: the storage sqlite:///nowhere/search.db: unable to open database file\n"
