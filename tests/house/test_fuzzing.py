"""The drivers of `make fuzz`: they find nothing here, and what is wrong on purpose."""

from __future__ import annotations

import ctypes
import os
import pickle
import re
import resource
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

import archbudget as ab
from archbudget.errors import ArchbudgetError
from fuzzing import answers, chains, draws, files, frameworks, watched
from fuzzing.__main__ import drive, noted
from support.random_spaces import METRICS

if TYPE_CHECKING:
    from collections.abc import Callable


LEAST: dict[str, dict[str, int]] = {
    "spaces": {"spaces": 80, "budgets": 400, "budgets with little memory": 100, "exact sets": 200},
    "chains": {"spaces": 4, "budgets": 20, "exact sets": 5},
    "real": {"layers": 20, "networks": 35, "shared layers": 20},
    "files": {f"{kind} files": 8 for kind in ("csv", "npz", "parquet", "space", "table")}
    | {"files that were read": 20, "files that were refused": 40},
    "models": {f"{kind} models read": 10 for kind in ("keras", "json", "text", "h5", "huggingface")}
    | {f"{kind} models refused": 80 for kind in ("keras", "json", "text", "h5", "huggingface")},
}
"""How much each driver asks about in a round, at least."""


@pytest.mark.parametrize("driver", LEAST)
def test_a_driver_finds_nothing(driver: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert drive(driver, 7, 0, rounds=1) == 0, capsys.readouterr().out
    said = capsys.readouterr().out
    assert said.startswith(f"{driver}: ")
    counted = {what: int(number.replace(",", "")) for number, what in re.findall(r"(\d[\d,]*) ([^,\n]+)", said)}
    for what, least in LEAST[driver].items():
        assert counted[what] >= least, said


def test_a_failure_is_shrunk_and_can_be_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = ab.FeasibleSet.bounds
    monkeypatch.setattr(ab.FeasibleSet, "bounds", lambda fits: right(fits) * 0)
    assert drive("chains", 7, 0, rounds=1) == 1
    said = capsys.readouterr().out
    assert "stages=(" in said
    assert "again: make fuzz FUZZ='--driver chains --seed 7 --rounds 1'" in said


def spoiled(what: str, change: Callable[[Any], Any]) -> Any:
    """A method whose answer is changed."""
    right = getattr(ab.FeasibleSet, what)
    return lambda fits, *args, **named: change(right(fits, *args, **named))


WRONG: dict[str, Callable[[Any], Any]] = {
    "count": lambda count: 1 if count == 0 else count,
    "bounds": lambda bounds: bounds + 1,
    "is_empty": lambda empty: not empty,
    "fraction": lambda share: share / 2 + 0.1,
    "sample": lambda drawn: drawn.space.sample(len(drawn), seed=1),
    "marginals": lambda shares: ab.Marginals(
        {name: dict.fromkeys(own, 0.5) for name, own in shares.items()}, exact=True
    ),
    "prune": lambda space: space.with_domains({name: d.values[:1] for name, d in space.decisions.items()}),
    "rank": lambda rank: rank + 1,
    "allowed": lambda found: found and (found[0], [not each for each in found[1]]),
    "shares": lambda found: found and (found[0], [1.0 for _ in found[1]]),
    "smallest": lambda arch: arch.space.sample(1, seed=3)[0],
    "fix": lambda part: part.space.within(ab.Budget(params=1)),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_answer_is_noticed(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ab.FeasibleSet, what, spoiled(what, WRONG[what]))
    with pytest.raises((AssertionError, ArchbudgetError, StopIteration, IndexError, KeyError)):
        check_some()


def check_some() -> None:
    """Asks about a budget of each of some spaces."""
    for number in range(60):
        rng = Random(number)
        space = draws.small_space(rng)
        if space is not None:
            known = answers.enumerate_networks(space)
            costs = {metric: known.cost(metric).tolist() for metric in METRICS}
            answers.check_budget(known, draws.any_budget(rng, costs), 1 << 30, rng)


def test_the_slow_count_is_that_of_all_networks() -> None:
    chain = chains.Chain(4, (chains.Conv((3, 5, 9), (1, 3), normalized=True), *[chains.Skip((1, 3))] * 3))
    counts = chain.space.evaluate(known := chain.space.sample(3000, seed=0))
    rows = {tuple(row): number for number, row in enumerate(known.indices.tolist())}
    assert len(rows) == chain.space.size == 6 * 27
    for bound in (3_000, 9_000):
        budget = ab.Budget(params=(500, bound), custom={"nanoseconds": 1_200_000})
        fits = (counts["params"] >= 500) & (counts["params"] <= bound) & (counts["nanoseconds"] <= 1_200_000)
        expected = int(fits[list(rows.values())].sum())
        assert chain.count(budget) == (expected, expected)


def test_a_coarse_count_is_an_interval_around_the_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = chains.Chain(4, tuple([chains.Conv(tuple(range(8, 40)), (1, 3), normalized=False)] * 3))
    budget = ab.Budget(params=20_000)
    monkeypatch.setattr(chains, "MOST_STEPS", 10_000_000)
    exact = chain.count(budget)
    assert exact[0] == exact[1] > 0
    monkeypatch.setattr(chains, "MOST_STEPS", 4_000)
    lower, upper = chain.count(budget)
    assert lower < exact[0] < upper < 3 * lower


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("raise ValueError('foreign')", "--debug shows where"),
        ("import os; os.kill(os.getpid(), 11)", "it ended with -11"),
        ("import os; os.write(2, b'error: ' + b'x' * 3000 + bytes([10])); os._exit(2)", "characters"),
        ("print('x', file=__import__('sys').stderr); raise ab.errors.SpaceError('y')", "not one line"),
        ("bytearray(4 << 30)", "MemoryError"),
    ],
)
def test_an_end_that_is_not_promised_is_noticed(body: str, what: str, tmp_path: Path) -> None:
    (tmp_path / f"wrong_{abs(hash(body))}.py").write_text(f"import archbudget as ab\ndef space():\n    {body}\n")
    with pytest.raises(AssertionError, match=what):
        files.run(["describe", f"wrong_{abs(hash(body))}:space"], tmp_path)


def test_what_a_reader_does_beside_reading_is_noticed(tmp_path: Path) -> None:
    (own := tmp_path / "model").write_text("1 + 1")
    (other := tmp_path / "other").write_text("")
    with watched.watched(str(own)):
        assert own.read_text() == "1 + 1"
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    harm: dict[str, Callable[[], object]] = {
        "open": other.read_text,
        "compile": lambda: compile(own.read_text(), "model", "eval"),
        "exec": lambda: eval("1 + 1"),
        "os.system": lambda: os.system("true"),
        "subprocess.Popen": lambda: subprocess.run(["true"], check=True),
        "pickle.find_class": lambda: pickle.loads(pickle.dumps(Path)),
        # More than the process ever had: another test may have taken much before.
        "MiB of memory": lambda: bytes(b"x" * (most + 2 * watched.MEMORY)),
    }
    if sys.platform == "linux":  # Nobody tells elsewhere what code in C opens.
        harm["open 'other'"] = lambda: ctypes.CDLL(None).open(os.fsencode(other), 0)
    for what, do in harm.items():
        with pytest.raises(AssertionError, match=what), watched.watched(str(own)):
            do()


def test_a_shared_layer_that_keras_refuses_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frameworks, "TWICE", ["Dense"])
    right = frameworks.make

    def forgiving(namespace: Any, kind: str, arguments: dict[str, Any]) -> Any:
        layer = right(namespace, kind, arguments)
        # A layer of ours that is a new one each time has weights for each input.
        return layer if namespace is not frameworks.layers else lambda tensor: right(namespace, kind, arguments)(tensor)

    monkeypatch.setattr(frameworks, "make", forgiving)
    with pytest.raises(AssertionError, match="Keras"):
        share_some()


def test_a_layer_that_keras_never_runs_says_nothing_of_a_second_use() -> None:
    """Keras builds it, but stretches its scale from the last axis on."""
    assert not frameworks.runs_alone("RMSNormalization", {"axis": 1}, [4, 3])
    assert frameworks.runs_alone("RMSNormalization", {"axis": -1}, [4, 3])
    assert frameworks.runs_alone("Dense", {"units": 3}, [4])


def share_some() -> None:
    """Draws shared layers."""
    for number in range(200):
        frameworks.check_shared(Random(number))


def test_an_error_names_the_case() -> None:
    with pytest.raises(AssertionError, match=r"ZeroDivisionError: .*\n.*\n.*the case"), noted("the case"):
        Counter(a=1 // 0)
