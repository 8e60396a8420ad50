"""How far long calls are: the numbers that they tell, and the bar that appears where a person waits."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import groupby, pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import _progress, layers
from archbudget._core import tell
from archbudget.errors import SpaceError

WIDE = 100
"""The values of each decision of `space`."""


def dense(number: int, values: int, **options: Any) -> ab.Space:
    parts = [layers.Dense(ab.Int(f"units{place}", 1, values)) for place in range(number)]
    return ab.Space([layers.Input((4,)), *parts], **options)


@pytest.fixture(scope="module")
def space() -> ab.Space:
    return dense(4, WIDE)


def checked(told: list[ab.Progress]) -> list[ab.Progress]:
    """What was told, if it can be true: within a task nothing falls, and nothing is beyond the total."""
    for _, run in groupby(told, lambda each: (each.task, each.total)):
        readings = list(run)
        assert all(one.done <= other.done for one, other in pairwise(readings))
        assert all(each.total is None or 0 <= each.done <= each.total for each in readings)
    return told


CALLS: dict[str, tuple[Callable[[ab.Space, Any, Path], object], int | None]] = {
    "count": (lambda space, told, _: space.within(ab.Budget(params=15_000)).count(progress=told), None),
    "marginals": (lambda space, told, _: space.within(ab.Budget(params=15_000)).marginals(progress=told), None),
    "round": (
        lambda space, told, _: space.within(ab.Budget(params=15_000, macs=14_000), memory=1 << 20).bounds(
            progress=told
        ),
        None,
    ),
    "sample": (lambda space, told, _: space.sample(5_000, seed=0, progress=told), 5_000),
    "members": (lambda space, told, _: space.within(ab.Budget(params=3_000)).candidates(0, 700, progress=told), 700),
    "distribution": (lambda space, told, _: space.distribution("params", progress=told), None),
    "evaluate": (lambda space, told, _: space.evaluate(space.sample(3_000, seed=0), progress=told), 3_000),
    "budgets": (lambda space, told, _: space.count_grid(params=[1_000, 2_000], progress=told), 2),
    "enumerate": (
        lambda space, told, folder: space.within(ab.Budget(params=500)).write_parquet(
            folder / "out", shard=500, workers=1, progress=told
        ),
        None,
    ),
    "search": (
        lambda space, told, _: ab.search(
            space, lambda arch: arch.macs, ab.Budget(params=9_000), n_trials=7, sampler="random", progress=told
        ),
        7,
    ),
}


@pytest.mark.parametrize("task", CALLS)
def test_a_call_tells_what_it_does_and_ends_with_the_whole(task: str, space: ab.Space, tmp_path: Path) -> None:
    call, total = CALLS[task]
    told: list[ab.Progress] = []
    call(space, told.append, tmp_path)
    last = checked(told)[-1]
    assert last.task == task
    assert task == "round" or last.done == last.total
    assert total is None or last.total == total
    assert last.done > 0
    assert tell(None) is None


def test_compiling_tells_what_it_looked_at() -> None:
    told: list[ab.Progress] = []
    space = dense(3, 20, progress=told.append)
    assert [each.task for each in checked(told)] == ["compile"] * len(told)
    assert told[-1].total is None
    assert space.size == 20**3


def test_a_long_call_tells_on_the_way(space: ab.Space) -> None:
    candidates = space.sample(3_000_000, seed=0).indices
    told: list[ab.Progress] = []
    counts = space.evaluate(candidates, progress=told.append, threads=1)
    while len(told) < 3:  # A faster machine needs more candidates.
        candidates = np.concatenate([candidates, candidates])
        told.clear()
        counts = space.evaluate(candidates, progress=told.append, threads=1)
    assert 0 < checked(told)[0].done < told[-1].done == len(counts.valid)


def test_what_a_function_raises_ends_the_call(space: ab.Space) -> None:
    def refuse(progress: ab.Progress) -> None:
        raise ValueError(progress.task)

    with pytest.raises(SpaceError, match="ValueError: sample") as caught:
        space.sample(10, progress=refuse)
    assert isinstance(caught.value.__cause__, ValueError)
    assert tell(None) is None
    assert len(space.sample(10)) == 10


def test_a_function_may_call_the_library(space: ab.Space) -> None:
    told: list[str] = []

    def look(progress: ab.Progress) -> None:
        told.append(progress.task)
        space.sample(3, seed=0)

    space.distribution("macs", progress=look)
    assert set(told) == {"distribution"}


def test_threads_are_told_of_their_own_calls(space: ab.Space) -> None:
    told: dict[int, list[ab.Progress]] = {n: [] for n in (100, 200, 300)}
    threads = [
        threading.Thread(target=lambda n=n: space.sample(n, seed=0, progress=told[n].append))  # type: ignore[misc]
        for n in told
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {n: checked(own)[-1].total for n, own in told.items()} == {n: n for n in told}


@pytest.mark.parametrize("wrong", [1, "bar", [], 0.5])
def test_what_cannot_be_told_is_refused(wrong: Any, space: ab.Space, tmp_path: Path) -> None:
    for call, _ in CALLS.values():
        with pytest.raises(SpaceError, match="progress must be True or False, None, or a function"):
            call(space, wrong, tmp_path)
    with pytest.raises(SpaceError, match="progress must be"):
        dense(1, 2, progress=wrong)
    assert list(tmp_path.iterdir()) == []


SLOW = """
import time
from pathlib import Path
import archbudget as ab
from archbudget import layers

def slow(record):
    time.sleep(0.05)
    return record.params

parts = [layers.Dense(ab.Int(f"units{place}", 1, 5)) for place in range(3)]
space = ab.Space(
    [layers.Input((4,)), *parts], metrics=[ab.Metric("slow", slow)], progress=PROGRESS
)
print("compiled")
"""
"""A space whose metric takes some seconds."""


posix = pytest.mark.skipif(os.name != "posix", reason="a terminal of POSIX")


def on_terminal(command: list[str], folder: Path) -> tuple[str, str]:
    """What a command writes to standard error, a terminal, and to standard output, a pipe."""
    leader, follower = os.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=follower, env=environment) as process:
        os.close(follower)
        seen = b""
        while True:
            try:
                part = os.read(leader, 4096)
            except OSError:  # The other end is closed.
                break
            if not part:
                break
            seen += part
        assert process.stdout is not None
        out = process.stdout.read()
    os.close(leader)
    assert process.returncode == 0, seen
    return seen.decode(), out.decode()


@posix
@pytest.mark.parametrize(("progress", "shows"), [("True", True), ("None", False), ("False", False)])
def test_a_bar_is_on_a_terminal_alone_and_if_it_is_asked_for(progress: str, shows: bool, tmp_path: Path) -> None:
    script = SLOW.replace("PROGRESS", progress)
    seen, printed = on_terminal([sys.executable, "-c", script], tmp_path)
    assert ("compiling the space" in seen) == shows
    assert printed == "compiled\n"
    piped = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (piped.stdout, piped.stderr) == ("compiled\n", "")


@posix
def test_loops_over_chunks_have_a_bar_with_their_numbers(tmp_path: Path) -> None:
    script = """
import time
import archbudget as ab

space = ab.spaces.lenet()

def batches():
    for seed in range(10):
        time.sleep(0.25)
        yield space.sample(1000, seed=seed)

print(space.evaluate_to_file(batches(), "out.npz", ["params"], progress=True))
"""
    seen, printed = on_terminal([sys.executable, "-c", script], tmp_path)
    assert "evaluating candidates" in seen
    assert "8,000" in seen
    assert printed == "10000\n"


@posix
def test_the_command_line_has_a_bar_after_a_second(tmp_path: Path) -> None:
    (tmp_path / "slow_space.py").write_text(SLOW.replace("PROGRESS", "None").replace('print("compiled")', ""))
    command = [sys.executable, "-m", "archbudget", "count", "slow_space:space", "--params", "60"]
    seen, printed = on_terminal(command, tmp_path)
    assert "compiling the space" in seen
    assert "compiling" not in printed
    quick, _ = on_terminal(
        [sys.executable, "-m", "archbudget", "count", "archbudget.spaces:lenet", "--params", "60k"], tmp_path
    )
    assert quick == ""
    piped = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (piped.stdout, piped.stderr) == (printed, "")


class Handle:
    """An output of a cell."""

    def __init__(self) -> None:
        self.drawn: list[str] = []

    def update(self, data: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.drawn.append(data["text/plain"])


def test_a_notebook_has_a_bar_that_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    handle = Handle()
    kernel = type("ZMQInteractiveShell", (), {})()
    modules: dict[str, Any] = {"IPython": ModuleType("IPython"), "IPython.display": ModuleType("IPython.display")}
    modules["IPython"].get_ipython = lambda: kernel
    modules["IPython.display"].display = lambda *_, **__: handle
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(_progress, "DELAY", 0.0)
    monkeypatch.setattr(_progress, "OFTEN", 0.0)
    assert _progress.in_notebook()
    _progress.watch_notebook()
    try:
        dense(4, 2 * WIDE).distribution("params")  # Longer than from one look at the clock to the next.
    finally:
        tell(None)
    assert any(drawn.startswith("counting values") and "%" in drawn for drawn in handle.drawn)
    assert handle.drawn[-1] == ""


def test_no_bar_appears_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(_progress, "in_notebook", lambda: True)
    shown: list[Any] = []
    monkeypatch.setattr(
        _progress, "_Notebook", lambda: shown.append("bar") or SimpleNamespace(update=print, close=print)
    )
    bar = _progress._Bar()
    bar("count", 1, 10, None)
    clock.now = 0.9
    bar("count", 2, 10, None)
    bar("count", 10, 10, True)
    clock.now = 1.1
    bar("count", 1, 10, None)
    assert shown == []
    clock.now = 2.2
    bar("count", 2, 10, None)
    assert shown == ["bar"]


def test_the_library_says_what_it_decided(caplog: pytest.LogCaptureFixture, space: ab.Space, tmp_path: Path) -> None:
    caplog.set_level(logging.INFO, "archbudget")
    space.within(ab.Budget(params=15_000, macs=14_000), memory=1 << 20).bounds()
    dense(2, 3000)
    dense(30, 20, metrics=[ab.Metric("most", lambda record: record.params, combine="max")])
    sets = space.within(ab.Budget(params=100))
    sets.write_parquet(tmp_path / "out", workers=1)
    sets.write_parquet(tmp_path / "out", workers=1)
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert "rounded: an exact count of what fits" in said
    assert "implicit: the 9,000,000 arcs of decision 'units1'" in said
    assert "1 of 1 shards are there already" in said
    assert {record.name.partition(".")[0] for record in caplog.records} == {"archbudget"}
    assert {record.levelname for record in caplog.records} == {"INFO"}
