"""The command line, most of it through real processes."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import os
import platform
import re
import shlex
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from typer.testing import CliRunner

import archbudget as ab
from archbudget import files
from archbudget.cli import app, main
from support.random_spaces import METRICS, enumerate_networks

if TYPE_CHECKING:
    from collections.abc import Callable

MODULE = """
import os, time
import archbudget as ab
from archbudget import layers

space = ab.Space([
    layers.Input((8, 8, 1)),
    layers.Conv2D(ab.Choice("filters", [2, 4, 8]), ab.Choice("kernel", [1, 3])),
    layers.Repeat(ab.Int("depth", 0, 1), layers.Dense(ab.Choice("width", [4, 6]))),
    layers.Flatten(),
    layers.Dense(10),
])
units = ab.Choice("units", [1, 3, 7, 17, 29, 53, 97, 131, 197, 263, 389, 511])
rough = ab.Space([layers.Input((4,)), layers.Repeat(6, layers.Dense(units))])
strings = ab.Space([
    layers.Input((8, 8, 1)),
    layers.Conv2D(4, 3, padding=ab.Choice("padding", ["valid", "same"]), use_bias=ab.Choice("bias", [True, False])),
])

def accuracy(arch, trial):
    time.sleep(float(os.environ.get("NAP", "0.01")))
    print("training")
    folder = trial.study.user_attrs.get("archbudget:models")
    if folder:
        with open(f"{folder}/trial_{trial.number}.keras", "w") as file:
            file.write(f"model {trial.number}")
    trial.set_user_attr("test_accuracy", arch.params / 2e4)
    return arch.params / 1e4

def broken(arch):
    raise RuntimeError("out of\\nluck")
"""

SEARCH = ["search", "toy:space", "--objective", "toy:accuracy", "--params", "3k"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "toy.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("toy", None)
    return tmp_path


@pytest.fixture
def space(folder: Path) -> ab.Space:  # noqa: ARG001
    import toy

    return toy.space


def run(*arguments: str, stdin: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "archbudget", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "archbudget", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def finished_trials(name: str = "toy:space") -> list[int]:
    study = optuna.load_study(study_name=name, storage="sqlite:///out/search.db")
    return [trial.number for trial in study.trials if trial.state == optuna.trial.TrialState.COMPLETE]


def wait_for(trials: int, process: subprocess.Popen[str]) -> None:
    """Reads the output of a search until it has reported some trials."""
    assert process.stdout is not None
    seen = 0
    while seen < trials:
        line = process.stdout.readline()
        assert line, process.stderr and process.stderr.read()
        seen += line.startswith("trial ")


# Published spaces


def test_spaces_lists_the_shelf() -> None:
    rows = json.loads(run("spaces", "--json").stdout)["spaces"]
    assert [row["name"] for row in rows] == list(ab.spaces.SHELF)
    assert all(row["seconds"] < 10 for row in rows)
    (row,) = [row for row in rows if row["name"] == "nats_bench_size"]
    assert (row["size"], row["decisions"], row["published_size"]) == (32_768, 5, "32,768")
    space = ab.spaces.nats_bench_size()
    for metric in ("params", "macs"):
        assert tuple(row["ranges"][metric].values()) == space.range(metric)
    counted = json.loads(run("count", row["space"], "--params", "20k", "--json").stdout)
    assert (counted["size"], counted["count"]) == (32_768, space.within(ab.Budget(params=20_000)).count())


def test_spaces_prints_tables() -> None:
    for arguments in ([], ["--markdown"]):
        text = run("spaces", *arguments).stdout
        assert all(name in text for name in ab.spaces.SHELF)
        assert "21,758,655,492,572,485,851" in text
        assert "73,306" not in text  # That is the number without moving statistics.


# The diagram


def test_describe(space: ab.Space, capsys: pytest.CaptureFixture[str]) -> None:
    found = space.describe()
    assert main(["describe", "toy:space"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"toy:space: {found.heading}"
    assert lines[-1] == found.totals
    rows = [line.split() for line in lines if " stored " in line]
    assert [row[1] for row in rows] == [stage.decision for stage in found.stages]
    assert main(["describe", "toy:space", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data == {"name": "toy:space", **found.to_dict()}
    assert data["size"] == space.size


# Help and errors


def test_help_teaches_with_an_example_in_each_command() -> None:
    runner = CliRunner()
    text = runner.invoke(app, ["--help"]).stdout
    assert "--install-completion" in text
    commands = [
        "search",
        "evaluate",
        "enumerate",
        "explain",
        "count",
        "describe",
        "check",
        "sample",
        "prune",
        "template",
        "spaces",
        "bench",
        "schema",
    ]
    for command in commands:
        assert command in text
        shown = runner.invoke(app, [command, "--help"])
        assert shown.exit_code == 0
        assert f"Example: archbudget {command}" in shown.stdout


def test_version() -> None:
    first, python, *packages = run("--version").stdout.splitlines()
    assert first == f"archbudget {ab.__version__}"
    assert platform.python_version() in python
    assert f"numpy {np.__version__}" in packages[0]
    assert ("plotly" in packages[0]) == (importlib.util.find_spec("plotly") is not None)


def test_shell_completion() -> None:
    shown = run(_ARCHBUDGET_COMPLETE="complete_bash", COMP_WORDS="archbudget se", COMP_CWORD="1")
    assert shown.stdout.split() == ["search"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope"], "No such command 'nope'"),
        (["count"], "Missing argument"),
        (["count", "toy:space", "--nope"], "No such option"),
        (["count", "nowhere:space"], "nowhere"),
        (["count", "toy:nothing"], "nothing"),
        (["count", "missing.yaml"], "missing.yaml"),
        (["count", "toy:space", "--params", "5x"], "--params: '5x' is not a whole number"),
        (["count", "toy:space", "--params", "1e999999999"], "is not a whole number"),
        (["count", "toy:space", "--params", "nan"], "is not a whole number"),
        (["count", "toy:space", "--params", "0"], "the upper bound must be at least 1"),
        (["count", "toy:space", "--macs", "5:2"], "low exceeds high"),
        (["count", "toy:space", "--params", ":"], "needs an end"),
        (["count", "toy:space", "--params", "9223372036854775808"], "at most 2^63 - 1"),
        (["count", "toy:space", "--params", "99", "--memory", "0"], "--memory: a count needs at least 1 byte"),
        (["count", "toy:space", "--params", "99", "--memory", "much"], "--memory: 'much' is not a whole number"),
        (["count", "toy:space", "--plot", "a.txt"], "a.txt: the name of a plot must end in one of .html, .json"),
        (["count", "toy:space", "--plot", "nowhere/a.html"], "there is no folder nowhere"),
        (["sample", "toy:space", "--params", "30"], "no network of the space fits the budget (params <= 30)"),
        (["prune", "toy:space", "--params", "30"], "no network of the space fits the budget (params <= 30)"),
        (["prune", "toy:space"], "prune needs a budget"),
        (["prune", "toy:space", "--params", "1k", "-o", "a.json"], "a.json: the name of a space file must end in"),
        (["prune", "toy:space", "--params", "1k", "-o", "nowhere/a.yaml"], "there is no folder nowhere"),
        ([*SEARCH, "--plot", "a.gif"], "a.gif: the name of a plot"),
        (["check", "toy:space", "--set", "filters=2", "--set", "kernel=1", "--set", "depth=0"], "needs a budget"),
        (["check", "toy:space", "--params", "5k", "--set", "filters=2"], "no value is given for decision 'kernel'"),
        (["check", "toy:space", "--params", "5k", "--set", "filters=3"], "'3' is not a value of decision 'filters'"),
        (["check", "toy:space", "--params", "5k", "--set", "filter=2"], "unknown decisions"),
        (["check", "toy:space", "--params", "5k", "--set", "filters"], "NAME=VALUE"),
        (["check", "toy:space", "--params", "5k", "--set", "depth=0", "--set", "depth=1"], "twice"),
        (["count", "toy:space", "--custom", "q=1", "--custom", "q=2"], "--custom bounds 'q' twice"),
        (["explain", "toy:space", "nope"], "no layer of this network is named 'nope'"),
        (["explain", "toy:space", "--sample", "-1"], "seed"),
        (["sample", "toy:space", "-n", "-1"], "n must be"),
        (["sample", "toy:space", "-o", "a.txt"], "must end in .csv"),
        (["sample", "toy:space", "-o", "nowhere/a.csv"], "there is no folder nowhere"),
        (["sample", "toy:space", "-o", "nowhere/a.npz"], "there is no folder nowhere"),
        (["evaluate", "toy:space", "-i", "missing.csv"], "missing.csv: No such file"),
        (["evaluate", "toy:space", "-i", "-", "--metrics", "weight"], "unknown 'weight'"),
        (["bench", "--peer", "abacus"], "unknown peers abacus"),
        (["bench", "--rows", "0"], "rows must be at least 1"),
        (["bench", "toy:space", "--peer", "numpy"], "--peer counts the LeNet family by hand"),
        (["bench", "--params", "5k"], "those of a SPACE, and none is given"),
        (["bench", "toy:space", "--memory", "1M"], "there is none: give --params"),
        (["search", "toy:space", "--params", "3k"], "needs an objective"),
        (["search", "toy:space", "--objective", "toy:accuracy"], "needs a budget"),
        ([*SEARCH[:2], "--params", "3k", "--objective", "toy:nothing"], "nothing"),
        ([*SEARCH[:2], "--params", "3k", "--objective", "toy:MODULE:x"], "MODULE:x"),
        ([*SEARCH, "--sampler", "dice"], "unknown sampler 'dice'"),
        ([*SEARCH, "--trials", "0"], "--trials"),
        ([*SEARCH, "--storage", "nonsense"], "nonsense"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_an_error_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1
    assert message in shown.err


@pytest.mark.usefixtures("folder")
def test_debug_shows_the_traceback() -> None:
    shown = run("count", "toy:nothing", "--debug")
    assert shown.returncode == 2
    assert "Traceback" in shown.stderr
    assert shown.stderr.splitlines()[-1].startswith("error: ")


@pytest.mark.usefixtures("folder")
def test_a_missing_package_is_named_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["sample", "toy:space", "-o", "a.parquet"]) == 2
    assert capsys.readouterr().err == "error: pyarrow is not installed: pip install pyarrow\n"
    assert not list(Path().glob("*.parquet*"))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "command",
    [
        ["sample", "toy:space", "-n", "200k"],
        ["count", "toy:space", "--params", "3k"],
        ["prune", "toy:space", "--params", "3k"],
        ["explain", "toy:space", "--sample", "0"],
        ["describe", "toy:space"],
        ["check", "toy:space", "--set", "filters=2", "--set", "kernel=1", "--set", "depth=0", "--params", "60k"],
        ["schema"],
        ["--help"],
        ["count", "--help"],
        [*SEARCH, "--trials", "2"],
    ],
    ids=" ".join,
)
def test_a_reader_that_goes_is_no_error(command: list[str]) -> None:
    """As with `| head`, whose end may come before the first line is written."""
    for lines in (0, 1):
        process = start(*command)
        assert process.stdout is not None
        assert process.stderr is not None
        for _ in range(lines):
            process.stdout.readline()
        process.stdout.close()
        error = process.stderr.read()
        assert process.wait(60) == 0, error
        assert "Traceback" not in error
        assert "Broken" not in error


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["count", "toy:space", "--memory", "1G"], "--memory is that of a count inside a budget, and there is none"),
        (["sample", "toy:space", "--memory", "1G"], "--memory is that of a count inside a budget, and there is none"),
        (["spaces", "--markdown", "--json"], "--markdown and --json exclude each other"),
        (["bench", "--markdown", "--json"], "--markdown and --json exclude each other"),
        (
            ["enumerate", "toy:space", "-o", "out", "-i", "a.npy", "--params", "3k"],
            "a budget does, too: give one of them",
        ),
        (["enumerate", "toy:space", "-o", "out", "--scheduler", "a:1", "--workers", "2"], "has workers of its own"),
        (["enumerate", "toy:space", "-o", "out", "--memory", "1G"], "--memory is that of a count inside a budget"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
@pytest.mark.usefixtures("folder")
def test_an_option_that_would_be_ignored_is_refused(
    command: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command) == 2
    assert said in capsys.readouterr().err


# Narrow terminals

NUMBER = re.compile(r"\d[\d,.]*")


def on_a_terminal(columns: int, *arguments: str) -> str:
    """What a command prints on a terminal."""
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "archbudget", *arguments],
        stdin=follower,
        stdout=follower,
        stderr=subprocess.STDOUT,
        env={**os.environ, "COLUMNS": str(columns), "TERM": "xterm"},
    )
    os.close(follower)
    printed = b""
    try:
        while part := os.read(leader, 2**16):
            printed += part
    except OSError:  # The end of a terminal is an error on Linux.
        pass
    os.close(leader)
    assert process.wait(60) == 0, printed
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", printed.decode()).replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize("columns", [40, 60])
@pytest.mark.parametrize(
    "command",
    [
        ["count", "toy:space", "--params", "3k"],
        ["count", "archbudget.spaces:ofa_mobilenet_v3", "--params", "6M"],
        ["describe", "toy:space"],
        ["prune", "toy:space", "--params", "3k", "-o", "pruned.yaml"],
        ["sample", "toy:space", "-n", "100", "--seed", "0", "-o", "drawn.csv"],
        ["explain", "toy:space", "--sample", "0"],
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("folder")
def test_a_narrow_terminal_loses_no_digit(command: list[str], columns: int) -> None:
    piped = run(*command, COLUMNS=str(columns))
    assert piped.returncode == 0, piped.stderr
    shown = on_a_terminal(columns, *command)
    assert NUMBER.findall(shown) == NUMBER.findall(piped.stdout)
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown + piped.stdout


@pytest.mark.usefixtures("folder")
def test_a_narrow_terminal_shows_the_whole_result_of_a_search() -> None:
    shown = on_a_terminal(40, *SEARCH, "--trials", "20", "--workers", "1", "--seed", "0")
    assert "(20 of 20, best 0." in shown
    (block,) = re.findall(r"^trial: (\d+)\n  params +([\d,]+)\n  MACs +[\d,]+\n  value +(0\.\d{4})\n", shown, re.M)[:1]
    study = optuna.load_study(study_name="toy:space", storage="sqlite:///out/search.db")
    assert study.best_value == pytest.approx(float(block[2]))
    assert f"{study.trials[int(block[0])].user_attrs['params']:,}" == block[1]
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown


# Commands that answer at once


def test_count(space: ab.Space, capsys: pytest.CaptureFixture[str]) -> None:
    fitting = space.within(ab.Budget(params=2000)).count()
    assert main(["count", "toy:space", "--params", "2k"]) == 0
    text = capsys.readouterr().out
    assert f"{fitting} of {space.size} networks" in text
    assert "params <= 2,000" in text
    assert main(["count", "toy:space", "--params", "0.002M", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["size"], data["exact"], data["count"]) == (space.size, True, fitting)
    low, high = space.range("macs")
    assert data["ranges"]["macs"] == {"smallest": low, "largest": high}


def test_count_prints_the_ranges_of_the_metrics_inside_the_budget(
    space: ab.Space, capsys: pytest.CaptureFixture[str]
) -> None:
    known = enumerate_networks(space)
    inside = known.cost("params") <= 2000
    assert main(["count", "toy:space", "--params", "2k", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert set(data["inside"]) == set(METRICS)
    for metric in METRICS:
        costs = known.cost(metric)[inside]
        assert data["inside"][metric] == {"smallest": costs.min(), "largest": costs.max()}
    assert main(["count", "toy:space", "--params", "2k"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("MACs"))
    ends = [*space.range("macs"), *data["inside"]["macs"].values()]
    assert row.split() == ["MACs", *(f"{end:,}" for end in ends)]


def test_count_of_nothing_has_no_inside(space: ab.Space, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["count", "toy:space", "--params", "30", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["exact"], data["count"], data["percent"]) == (True, 0, 0)
    assert "inside" not in data
    assert main(["count", "toy:space", "--params", "30"]) == 0
    assert f"0 of {space.size} networks (0 %) fit params <= 30" in capsys.readouterr().out


def test_enumerate(space: ab.Space, capsys: pytest.CaptureFixture[str]) -> None:
    ds = pytest.importorskip("pyarrow.dataset")
    fits = space.within(ab.Budget(params=3000))
    command = ["enumerate", "toy:space", "--params", "3k", "-o", "out", "--metrics", "params,macs", "--shard", "5"]
    for _ in range(2):
        assert main([*command, "--workers", "1"]) == 0
        assert capsys.readouterr().out == f"out: {fits.count()} candidates\n"
    counts = space.evaluate(fits.candidates())
    for metric in ("params", "macs"):
        assert ds.dataset("out").to_table()[metric].to_pylist() == counts[metric].tolist()
    assert main(["enumerate", "toy:space", "-o", "all", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == {"output": "all", "candidates": space.size, "metrics": list(space.metrics)}
    np.save("some.npy", space.sample(20, seed=0).indices)
    assert main(["enumerate", "toy:space", "-o", "some", "--input", "some.npy"]) == 0
    assert capsys.readouterr().out == "some: 20 candidates\n"
    assert main(["enumerate", "toy:space", "-o", "out", "--params", "2k"]) == 2
    assert "belongs to another budget: it has {'params': [0, 3000]}" in capsys.readouterr().err


def test_enumerate_needs_the_budget_of_a_file_unless_all_is_asked_for(
    space: ab.Space, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyarrow")
    Path("space.yaml").write_text("budget: {params: 3000}\nspace: toy:space\n")
    assert main(["enumerate", "space.yaml", "-o", "fits", "--json"]) == 0
    assert main(["enumerate", "space.yaml", "-o", "all", "--json", "--all"]) == 0
    fits, every = (json.loads(line)["candidates"] for line in _documents(capsys.readouterr().out))
    assert (fits, every) == (space.within(ab.Budget(params=3000)).count(), space.size)


def _documents(text: str) -> list[str]:
    """The JSON documents that stand one behind the other."""
    return [each + "}" for each in text.split("\n}") if each.strip()]


@pytest.mark.usefixtures("folder")
def test_count_has_certified_bounds_where_the_memory_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    import toy

    budget = ["--params", "100k", "--macs", "98k"]
    expected = toy.rough.within(ab.Budget(params=100_000, macs=98_000)).count()
    assert main(["count", "toy:rough", *budget, "--memory", "24k", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["exact"] is False
    assert "count" not in data
    assert data["lower"] <= expected <= data["upper"]
    assert main(["count", "toy:rough", *budget, "--memory", "24k"]) == 0
    assert f"between {data['lower']:,} and {data['upper']:,} of 2,985,984 networks" in capsys.readouterr().out
    assert main(["count", "toy:rough", *budget, "--memory", "1G", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["count"] == expected
    assert main(["sample", "toy:rough", *budget, "--memory", "24k", "-n", "500", "-o", "a.npz", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert 0 < data["acceptance"] <= 1
    assert data["metrics"]["params"]["largest"] <= 100_000


def test_count_says_what_is_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "open.yaml"
    file.write_text("layers: [Input: {shape: [null, 3]}, LSTM: 4, Dense: 2]\n")
    assert main(["count", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-2:] for line in lines if line.strip().startswith(("macs", "MACs", "peak"))] == [
        ["unknown", "unknown"],
        ["unknown", "unknown"],
    ]
    assert main(["count", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ranges"]["macs"] == {"smallest": None, "largest": None}


def test_count_without_a_budget(space: ab.Space, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["count", "toy:space", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["size"] == space.size
    assert not {"count", "exact", "inside", "budget"} & set(data)


@pytest.mark.parametrize(
    ("bound", "expected"),
    [("5_000", (0, 5000)), ("5k", (0, 5000)), ("1.5M:2G", (1_500_000, 2 * 10**9)), ("2k:", (2000, 2**63 - 1)),
     (":2k", (0, 2000)), ("5e3", (0, 5000))],
)  # fmt: skip
@pytest.mark.usefixtures("folder")
def test_bounds_are_read_as_people_write_them(
    bound: str, expected: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["count", "toy:space", "--weight-bytes", bound, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["budget"] == {"weight_bytes": list(expected)}


def test_the_command_line_overrides_the_bounds_of_the_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "space.yaml").write_text(
        "budget: {params: 200, macs: 1000}\ndecisions: {units: [2, 4]}\n"
        "layers:\n  - Input: [8, 8, 1]\n  - Flatten\n  - Dense: $units\n"
    )
    assert main(["count", "space.yaml", "--params", "100:300", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["budget"] == {"params": [100, 300], "macs": [0, 1000]}


@pytest.mark.parametrize(
    ("bounds", "code", "line"),
    [
        (["--params", "2k"], 0, "toy:space: inside the budget: params 750; params <= 2,000"),
        (["--params", "700"], 1, "toy:space: outside the budget: params 750 > 700"),
        (["--params", "2k:3k"], 1, "toy:space: outside the budget: params 750 < 2,000"),
        (["--params", "700", "--macs", "1k"], 1, "toy:space: outside the budget: params 750 > 700, macs 1,368 > 1,000"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_check(bounds: list[str], code: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["--set", "filters=2", "--set", "kernel=3", "--set", "depth=0"]
    assert main(["check", "toy:space", *settings, *bounds]) == code
    assert capsys.readouterr().out.splitlines()[-1] == line


@pytest.mark.usefixtures("folder")
def test_check_guards_a_pipeline() -> None:
    settings = ["--set", "filters=2", "--set", "kernel=3", "--set", "depth=0"]
    shown = run("check", "toy:space", *settings, "--params", "700")
    assert (shown.returncode, shown.stderr) == (1, "")


@pytest.mark.usefixtures("folder")
def test_check_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["check", "toy:strings", "--set", "padding=same", "--set", "bias=false", "--params", "3", "--json"]) == 1
    )
    data = json.loads(capsys.readouterr().out)
    assert data["values"] == {"padding": "same", "bias": False}
    assert data["fits"] is False
    assert data["violations"] == {"params": 36}


def test_explain(space: ab.Space, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["--set", "filters=4", "--set", "kernel=3", "--set", "depth=0"]
    assert main(["explain", "toy:space", "conv2d", *settings]) == 0
    text = capsys.readouterr().out
    arch = space.architecture(filters=4, kernel=3, depth=0)
    assert arch.summary() in text
    assert "(3*3*1 + 1) * 4 = 40" in text
    assert main(["explain", "toy:space", *settings, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["values"] == dict(arch)
    assert data["costs"] == arch.costs
    assert [layer["name"] for layer in data["layers"]] == [record.name for record in arch.layers]


def test_explain_a_random_network(space: ab.Space, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "toy:space", "--sample", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["values"] == dict(space.sample(1, 3)[0])
    assert main(["explain", "toy:space", "--sample", "3", "--set", "filters=8", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["values"] == {**space.sample(1, 3)[0], "filters": 8}


@pytest.mark.usefixtures("folder")
def test_bench(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", "--rows", "1k", "--repeats", "1", "--peer", "numpy"]
    assert main([*arguments, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in data["results"]] == ["archbudget", "numpy"]
    assert "numpy" in data["environment"]
    assert main([*arguments, "--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "|---|--:|--:|--:|--:|"
    assert lines[3].startswith("| numpy | 1,000 |")
    assert main(arguments) == 0
    assert "candidates/s" in capsys.readouterr().out


def test_bench_of_a_space(space: ab.Space, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", "toy:space", "--rows", "1k", "--repeats", "1"]
    assert main([*arguments, "--params", "3k", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["name"] == "toy:space"
    assert data["rows"] == 1000
    assert data["budget"] == {"params": [0, 3000]}
    assert {"numpy", "cpu"} <= data["environment"].keys()
    works = [row["work"] for row in data["measurements"]]
    assert "samples inside the budget" in works
    assert main([*arguments, "--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "toy:space: 1,000 candidates a batch, budget: that half of the batch fits"
    shown = [line.split("|")[1].strip() for line in lines if line.startswith("| ")]
    assert shown == ["work", *(work for work in works if work != "samples inside the budget")]
    assert main(arguments) == 0
    assert "compiled in" in capsys.readouterr().out
    assert space.decisions


def test_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out), dict)


# Samples inside a budget

SMALL = """
budget: {params: 200}
decisions: {units: {low: 1, high: 9}}
layers: [{Input: [8, 8, 1]}, Flatten, {Dense: $units}]
"""


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_sample_inside_a_budget(space: ab.Space, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["sample", "toy:space", "-n", "300", "--seed", "4", "--params", "2k"]
    assert main([*arguments, "-o", "a.npz"]) == 0
    text = capsys.readouterr().out
    assert "a.npz: 300 candidates that fit params <= 2,000; acceptance rate 100 %" in text
    assert "median" in text
    drawn = ab.Candidates.load("a.npz", space)
    known = enumerate_networks(space)
    fitting = {frozenset(known.networks[row].items()) for row in np.flatnonzero(known.cost("params") <= 2000)}
    assert {frozenset(arch.items()) for arch in drawn} == fitting
    assert main([*arguments, "-o", "b.npz", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    np.testing.assert_array_equal(np.load(folder / "b.npz")["indices"], drawn.indices)
    assert (data["candidates"], data["acceptance"], data["budget"]) == (300, 1.0, {"params": [0, 2000]})
    costs = np.sort(space.evaluate(drawn)["macs"])
    assert data["metrics"]["macs"] == {"smallest": costs[0], "median": costs[150], "largest": costs[-1]}


@pytest.mark.usefixtures("folder")
def test_sample_takes_the_budget_of_the_file_unless_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("small.yaml").write_text(SMALL)
    for options, units in [
        ([], {1, 2, 3}),
        (["--all"], set(range(1, 10))),
        (["--params", "300"], {1, 2, 3, 4}),
        (["--all", "--macs", "128"], {1, 2}),
    ]:
        assert main(["sample", "small.yaml", "-n", "200", "--seed", "0", *options]) == 0
        shown = capsys.readouterr()
        assert {int(row["units"]) for row in rows_of(shown.out)} == units
        assert ("200 candidates that fit" in shown.err) == (options != ["--all"])


def test_sample_without_a_budget_says_no_acceptance(space: ab.Space, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", "toy:space", "-n", "20", "--seed", "5", "-o", "a.npz", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert not {"acceptance", "budget"} & set(data)
    assert data["metrics"]["params"]["largest"] == space.evaluate(space.sample(20, 5))["params"].max()


# Prune


def test_prune_writes_a_space_without_the_values_that_never_fit(
    space: ab.Space, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prune", "toy:space", "--params", "1_300", "-o", "part.yaml", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    known = enumerate_networks(space)
    fitting = [known.networks[row] for row in np.flatnonzero(known.cost("params") <= 1300)]
    for name, decision in space.decisions.items():
        kept = {network[name] for network in fitting if name in network}
        assert data["decisions"][name] == {
            "before": list(decision.values),
            "after": [value for value in decision.values if value in kept],
        }
    part = files.load("part.yaml")
    assert part.budget == ab.Budget(params=1300)
    assert data["size"] == {"before": space.size, "after": part.space.size}
    assert part.space.size < space.size
    assert part.space.within(ab.Budget(params=1300)).count() == len(fitting)
    for command in (["count"], ["sample", "-n", "3"], ["prune"]):
        assert main([command[0], "part.yaml", *command[1:]]) == 0


@pytest.mark.usefixtures("folder")
def test_prune_prints_the_file_and_the_table_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    Path("small.yaml").write_text(SMALL)
    assert main(["prune", "small.yaml"]) == 0
    shown = capsys.readouterr()
    Path("part.yaml").write_text(shown.out)
    assert shown.out.startswith("budget: {params: 200}\ndecisions:\n  units: {low: 1, high: 9}\n")
    assert files.load("part.yaml").space.decisions["units"].values == (1, 2, 3)
    assert re.search(r"^ units +1\.\.9 +1, 2, 3 +3 of 9 *$", shown.err, re.MULTILINE)
    assert "9 networks before, 3 after; params <= 200" in shown.err
    assert main(["prune", "small.yaml", "--params", "150", "-o", "part.yaml"]) == 0
    assert "part.yaml: 9 networks before, 2 after; params <= 150" in capsys.readouterr().out
    assert files.load("part.yaml").budget == ab.Budget(params=150)


@pytest.mark.usefixtures("folder")
def test_prune_says_what_no_network_reads(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prune", "toy:space", "--params", "760", "-o", "part.yaml"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^ width_1 +4, 6 +never read +0 of 2 *$", text, re.MULTILINE)
    assert "width_1" not in files.load("part.yaml").space.decisions


# Plots


def trace(file: str) -> dict[str, Any]:
    """The first trace of a plot that was written as JSON."""
    return json.loads(Path(file).read_text())["data"][0]


@pytest.mark.parametrize("command", ["count", "sample", "prune"])
def test_a_plot_beside_the_answer(command: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = [] if command == "count" else ["-o", "out.yaml" if command == "prune" else "out.csv"]
    for file in ("plot.html", "plot.json"):
        assert main([command, "toy:space", "--params", "2k", *output, "--plot", file, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["plot"] == file
    html = (folder / "plot.html").read_text()
    assert "params" in html.rpartition("Plotly.newPlot")[2]
    assert '<script src="' not in html
    drawn = trace("plot.json")
    if command == "prune":
        assert {"filters", "kernel", "depth", "width_1"} == set(drawn["y"])
    else:
        assert sum(int(count) for _, count in drawn["customdata"]) == (18 if command == "count" else 10)
    assert not list(folder.glob(".*.part"))


@pytest.mark.usefixtures("folder")
def test_a_plot_of_a_search(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SEARCH, "--trials", "5", "--workers", "1", "--plot", "plot.json", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["plot"] == "plot.json"
    drawn = trace("plot.json")
    study = optuna.load_study(study_name="toy:space", storage="sqlite:///out/search.db")
    assert drawn["customdata"] == [trial.number for trial in study.trials]
    assert drawn["y"] == [trial.value for trial in study.trials]


@pytest.mark.parametrize(("name", "remedy"), [("plotly", "plotly"), ("kaleido", "kaleido")])
@pytest.mark.usefixtures("folder")
def test_a_missing_package_of_a_plot_is_named_before_the_work(
    name: str, remedy: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    assert main([*SEARCH, "--plot", "plot.png"]) == 2
    assert capsys.readouterr().err == f"error: {name} is not installed: pip install {remedy}\n"
    assert not Path("out").exists()


# Spaces that may not run anything

READERS = [
    ["evaluate", "SPACE", "-i", "in.csv"],
    ["explain", "SPACE"],
    ["count", "SPACE"],
    ["describe", "SPACE"],
    ["check", "SPACE", "--params", "3k"],
    ["sample", "SPACE"],
    ["prune", "SPACE", "--params", "3k"],
    ["template", "SPACE", "-o", "latency.csv"],
]


@pytest.mark.parametrize("command", READERS, ids=[command[0] for command in READERS])
def test_no_code_runs_where_it_is_refused(command: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "code_that_runs.py").write_text("raise SystemExit('it ran')")
    (folder / "layer.yaml").write_text("layers:\n- Input: [8]\n- code_that_runs:Layer")
    (folder / "space.yaml").write_text("space: code_that_runs:SPACE")
    for reference, place in (
        ("code_that_runs:SPACE", ""),
        ("layer.yaml", "layer.yaml:3: layers[1]: "),
        ("space.yaml", "space.yaml:1: space: "),
    ):
        given = [reference if word == "SPACE" else word for word in command]
        assert main([*given, "--no-code"]) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        name = "code_that_runs:Layer" if "layer" in reference else "code_that_runs:SPACE"
        assert (
            shown.err == f"error: {place}'{name}' would be imported and called, which --no-code (code=False) refuses\n"
        )
    assert "code_that_runs" not in sys.modules


def test_a_search_without_code_takes_no_objective_of_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "code_that_runs.py").write_text("raise SystemExit('it ran')")
    (folder / "layer.yaml").write_text("layers:\n- Input: [8]\n- code_that_runs:Layer")
    assert main(["search", "layer.yaml", "--params", "3k", "--objective", "toy:accuracy", "--no-code"]) == 2
    assert "layer.yaml:3: layers[1]: 'code_that_runs:Layer' would be" in capsys.readouterr().err
    (folder / "space.yaml").write_text(
        "objective: code_that_runs:objective\nbudget: {params: 30}\ndecisions: {u: [1, 2]}\n"
        "layers:\n- Input: [8]\n- Dense: $u"
    )
    assert main(["search", "space.yaml", "--no-code"]) == 2
    assert capsys.readouterr().err == (
        "error: space.yaml: objective: 'code_that_runs:objective' would be imported and called, which --no-code "
        "(code=False) refuses; give --objective\n"
    )
    assert main(["search", "space.yaml", "--no-code", "--objective", "toy:accuracy", "--trials", "2"]) == 0
    assert "code_that_runs" not in sys.modules


def test_a_file_that_only_describes_is_counted_without_code(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "space.yaml").write_text("objective: a:b\ndecisions: {u: [1, 2]}\nlayers:\n- Input: [8]\n- Dense: $u")
    assert main(["count", "space.yaml", "--no-code"]) == 0
    assert "2 networks" in capsys.readouterr().out


# Candidates in files


@pytest.mark.parametrize("given", ["csv", "npz", "parquet"])
@pytest.mark.parametrize("wanted", ["csv", "npz", "parquet"])
@pytest.mark.parametrize("name", ["space", "strings"])
def test_evaluate_all_formats(
    given: str,
    wanted: str,
    name: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import toy

    from archbudget.files import candidates

    monkeypatch.setattr(candidates, "CHUNK", 7)
    chosen: ab.Space = getattr(toy, name)
    assert main(["sample", f"toy:{name}", "-n", "20", "--seed", "5", "-o", f"in.{given}"]) == 0
    evaluate = ["evaluate", f"toy:{name}", "-i", f"in.{given}", "-o", f"out.{wanted}"]
    assert main([*evaluate, "--metrics", "macs,params"]) == 0
    assert f"out.{wanted}: 20 candidates" in capsys.readouterr().out
    counts = chosen.evaluate(chosen.sample(20, 5))
    if wanted == "csv":
        rows = list(csv.DictReader(io.StringIO((folder / "out.csv").read_text())))
        found = {"params": [int(row["params"]) for row in rows], "macs": [int(row["macs"]) for row in rows]}
        assert [row["valid"] for row in rows] == ["True"] * 20
        assert list(rows[0]) == ["macs", "params", "valid"]
    elif wanted == "npz":
        stored = np.load(folder / "out.npz")
        found = {"params": stored["params"].tolist(), "macs": stored["macs"].tolist()}
        assert stored["valid"].dtype == bool
    else:
        import pyarrow.parquet as pq

        found = pq.read_table(folder / "out.parquet").select(["params", "macs"]).to_pydict()
    assert found == {"params": counts["params"].tolist(), "macs": counts["macs"].tolist()}
    assert sorted(entry.name for entry in folder.iterdir()) == sorted(
        {f"in.{given}", f"out.{wanted}", "toy.py"} | _caches(folder)
    )


def _caches(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir() if entry.name == "__pycache__"}


def test_evaluate_in_a_pipe(space: ab.Space) -> None:
    drawn = run("sample", "toy:space", "-n", "4", "--seed", "1")
    shown = run("evaluate", "toy:space", "--input", "-", stdin=drawn.stdout)
    rows = list(csv.DictReader(io.StringIO(shown.stdout)))
    assert [int(row["params"]) for row in rows] == space.evaluate(space.sample(4, 1))["params"].tolist()
    shown = run("evaluate", "toy:space", "--input", "-", "--json", stdin=drawn.stdout)
    assert [json.loads(line)["params"] for line in shown.stdout.splitlines()] == [int(row["params"]) for row in rows]


@pytest.mark.parametrize("kind", ["csv", "npz", "parquet"])
def test_no_candidates_are_not_an_error(kind: str, folder: Path) -> None:
    assert main(["sample", "toy:space", "-n", "0", "-o", f"in.{kind}"]) == 0
    assert main(["evaluate", "toy:space", "-i", f"in.{kind}", "-o", f"out.{kind}"]) == 0
    assert (folder / f"out.{kind}").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "in.csv:1: there is no header"),
        (
            "filters,kernel,depth\n2,1,1\n",
            "in.csv:2: a column is missing, for decision 'WIDTH', which this network reads",
        ),
        ("filters,kernel,depth,WIDTH,size\n", "in.csv:1: unknown columns"),
        ("filters,filters,kernel,depth,WIDTH\n", "in.csv:1: repeated columns 'filters'"),
        ("filters,kernel,depth,WIDTH\n2,1,0,4\n2,1,0\n", "in.csv:3: 3 cells, where the header has 4"),
        ("filters,kernel,depth,WIDTH\n2,1,0,4\n\n3,1,0,4\n", "in.csv:4: '3' is not a value of decision 'filters'"),
        ("filters,kernel,depth,WIDTH\nnan,1,0,4\n", "in.csv:2: decision 'filters' has no value"),
        ("filters,kernel,depth,WIDTH\n2.5,1,0,4\n", "in.csv:2: '2.5' is not a value"),
        ("filters,kernel,depth,WIDTH\n2,1,1,\n", "in.csv:2: decision 'WIDTH' has no value, but this network reads it"),
        ("filters,kernel,depth,WIDTH\n,1,1,4\n", "in.csv:2: decision 'filters' has no value"),
    ],
)
def test_a_bad_table_is_refused_with_its_line(
    text: str, message: str, space: ab.Space, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    width = list(space.decisions)[-1]
    (folder / "in.csv").write_text(text.replace("WIDTH", width))
    (folder / "out.csv").write_text("before")
    before = sorted(entry.name for entry in folder.iterdir())
    assert main(["evaluate", "toy:space", "-i", "in.csv", "-o", "out.csv"]) == 2
    assert message.replace("WIDTH", width) in capsys.readouterr().err
    assert (folder / "out.csv").read_text() == "before"
    assert sorted(entry.name for entry in folder.iterdir()) == before


def test_a_cell_may_be_empty_where_the_network_does_not_read_it(
    space: ab.Space, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    width = list(space.decisions)[-1]
    (folder / "in.csv").write_text(f"{width},depth,filters,kernel\n,0,2.0,1\n6,1,4,3\n")
    assert main(["evaluate", "toy:space", "-i", "in.csv", "--metrics", "params"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    expected = [space.architecture(filters=2, kernel=1, depth=0), space.architecture({"filters": 4, "kernel": 3,
                "depth": 1, width: 6})]  # fmt: skip
    assert [int(row["params"]) for row in rows] == [arch.params for arch in expected]


def test_parquet_from_pandas_with_gaps(space: ab.Space, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import pandas as pd

    width = list(space.decisions)[-1]
    frame = pd.DataFrame({"filters": [2, 4], "kernel": [1, 3], "depth": [0, 1], width: [None, 6.0]})
    frame.to_parquet(folder / "in.parquet")
    assert main(["evaluate", "toy:space", "-i", "in.parquet", "--metrics", "params", "--json"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["params"] == space.architecture({"filters": 4, "kernel": 3, "depth": 1, width: 6}).params
    frame.assign(filters=[2, 5]).to_parquet(folder / "in.parquet")
    assert main(["evaluate", "toy:space", "-i", "in.parquet"]) == 2
    assert "in.parquet: row 1: 5 is not a value of decision 'filters'" in capsys.readouterr().err


def parquet(width: str | None = None, **columns: Any) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    stream = io.BytesIO()
    pq.write_table(pa.table(columns | ({} if width is None else {width: [4]})), stream)
    return stream.getvalue()


HEAD = b"filters,kernel,depth,WIDTH\n"
ROW = b"2,1,0,4\n"
ODD_TABLES: dict[str, tuple[str, Callable[[str], bytes], str]] = {
    "a line without an end": (
        "in.csv",
        lambda _: HEAD + b"x" * (1 << 21),
        "in.csv:2: the line has more than 1,048,576",
    ),
    "a cell without an end": (
        "in.csv",
        lambda _: HEAD + b'"' + b"x\n" * 10**6,
        "in.csv:65538: not valid CSV: field larger",
    ),
    "a long cell": (
        "in.csv",
        lambda _: HEAD + b"x" * 200_000,
        "in.csv:2: not valid CSV: field larger than field limit",
    ),
    "many columns": (
        "in.csv",
        lambda _: ",".join(map(str, range(150_000))).encode(),
        "in.csv:1: unknown columns '0', '1'",
    ),
    "a long title": ("in.csv", lambda _: b"x" * 100_000, "in.csv:1: unknown columns 'xxx"),
    "many digits": ("in.csv", lambda _: HEAD + b"9" * 100_000 + b",1,0,4", "in.csv:2: '999"),
    "an infinite number": ("in.csv", lambda _: HEAD + b"1e999,1,0,4", "in.csv:2: '1e999' is not a value of"),
    "a NUL": ("in.csv", lambda _: HEAD + b"\0,1,0,4", "in.csv:2: "),
    "a color": ("in.csv", lambda _: HEAD + b"\x1b[31m,1,0,4", r"in.csv:2: '\x1b[31m' is not a value of"),
    "UTF-16": (
        "in.csv",
        lambda _: (HEAD + ROW).decode().encode("utf-16"),
        "in.csv: not UTF-8 text: invalid start byte",
    ),
    "Latin-1": ("in.csv", lambda _: HEAD + b"\xe9,1,0,4", "in.csv: not UTF-8 text: invalid continuation byte"),
    "no Parquet": ("in.parquet", lambda _: b"PAR1" + b"x" * 100, "in.parquet: not a readable Parquet file: "),
    "half a Parquet": ("in.parquet", lambda _: parquet(filters=[2])[:100], "in.parquet: not a readable Parquet file: "),
    "an empty Parquet": ("in.parquet", lambda _: b"", "in.parquet: not a readable Parquet file: "),
    "other columns": (
        "in.parquet",
        lambda _: parquet(filters=[2]),
        "row 0: a column is missing, for decision 'kernel'",
    ),
    "lists": (
        "in.parquet",
        lambda width: parquet(width, filters=[[2]], kernel=[1], depth=[0]),
        "row 0: the column of decision 'filters' must have one axis",
    ),
    "records": (
        "in.parquet",
        lambda width: parquet(width, filters=[{"a": 1}], kernel=[1], depth=[0]),
        "row 0: {'a': 1} is not a value of decision 'filters'",
    ),
    "bytes": (
        "in.parquet",
        lambda width: parquet(width, filters=[b"\xff"], kernel=[1], depth=[0]),
        "row 0: b'\\xff' is not",
    ),
    "long text": (
        "in.parquet",
        lambda width: parquet(width, filters=["x" * 10**7], kernel=[1], depth=[0]),
        "row 0: 'xxx",
    ),
    "large numbers": (
        "in.parquet",
        lambda width: parquet(width, filters=np.array([2**64 - 1], np.uint64), kernel=[1], depth=[0]),
        "row 0: 18446744073709551615 is not a value",
    ),
    "JSON": ("in.json", lambda _: b"[]", "in.json: the name must end in .csv, .npy, .npz or .parquet"),
}


@pytest.mark.parametrize("what", ODD_TABLES)
@pytest.mark.usefixtures("hang_guard")
def test_anything_but_a_table_is_one_line(
    what: str, space: ab.Space, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, content, message = ODD_TABLES[what]
    width = list(space.decisions)[-1]
    (folder / name).write_bytes(content(width).replace(b"WIDTH", width.encode()))
    assert main(["evaluate", "toy:space", "-i", name]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"error: {name}")
    assert message in shown.err
    assert len(shown.err) <= 2020
    assert shown.err.removesuffix("\n").isprintable()


def test_a_damaged_table_is_one_line_or_harmless(
    space: ab.Space, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in ("parquet", "npz"):
        assert main(["sample", "toy:space", "-n", "20", "-o", f"good.{kind}"]) == 0
        whole = (folder / f"good.{kind}").read_bytes()
        random = Random(kind)
        for _ in range(100):
            damaged = bytearray(whole[: random.randrange(len(whole)) if random.random() < 0.2 else None])
            for _ in range(random.randrange(1, 6)):
                damaged[random.randrange(len(damaged))] = random.randrange(256)
            (folder / f"in.{kind}").write_bytes(damaged)
            capsys.readouterr()
            code = main(["evaluate", "toy:space", "-i", f"in.{kind}"])
            error = capsys.readouterr().err
            assert code == 0 or (code == 2 and error.startswith(f"error: in.{kind}") and error.count("\n") == 1), error
    assert len(space.decisions) == 4


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices are those of POSIX")
@pytest.mark.parametrize("kind", ["csv", "npy", "npz", "parquet"])
@pytest.mark.usefixtures("hang_guard", "space")
def test_a_table_is_a_regular_file(kind: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(folder / f"pipe.{kind}")
    (folder / f"device.{kind}").symlink_to("/dev/zero")
    (folder / f"folder.{kind}").mkdir()
    for name, what in (("pipe", "a named pipe"), ("device", "a character device"), ("folder", "a folder")):
        assert main(["evaluate", "toy:space", "-i", f"{name}.{kind}"]) == 2
        assert f"error: {name}.{kind} cannot be read: it is {what}" in capsys.readouterr().err


@pytest.mark.usefixtures("space")
def test_an_endless_standard_input_is_one_line() -> None:
    with Path("/dev/zero").open("rb") as zeros:
        found = subprocess.run(
            [sys.executable, "-m", "archbudget", "evaluate", "toy:space", "-i", "-"],
            stdin=zeros,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == "error: stdin:1: the line has more than 1,048,576 characters\n"


@pytest.mark.skipif(os.name != "posix", reason="a shell of POSIX closes them")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.usefixtures("space")
def test_a_closed_stream_discards_its_output(closed: str, folder: Path) -> None:
    words = shlex.join([sys.executable, "-m", "archbudget", *WRITERS["sampled.csv"], "sampled.csv"])
    found = subprocess.run(["sh", "-c", f"{words} {closed}"], capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stderr) == (0, "")
    assert main(["sample", "toy:space", "-n", "20", "--seed", "1", "-o", "expected.csv"]) == 0
    assert (folder / "sampled.csv").read_text() == (folder / "expected.csv").read_text()


WRITERS = {
    "sampled.csv": ["sample", "toy:space", "-n", "20", "--seed", "1", "-o"],
    "sampled.npz": ["sample", "toy:space", "-n", "20", "--seed", "1", "-o"],
    "sampled.parquet": ["sample", "toy:space", "-n", "20", "--seed", "1", "-o"],
    "counts.csv": ["evaluate", "toy:space", "-i", "in.csv", "-o"],
    "counts.npz": ["evaluate", "toy:space", "-i", "in.csv", "-o"],
    "counts.parquet": ["evaluate", "toy:space", "-i", "in.csv", "-o"],
    "latency.csv": ["template", "toy:space", "-o"],
    "pruned.yaml": ["prune", "toy:space", "--params", "3k", "-o"],
    "plot.html": ["count", "toy:space", "--plot"],
    "plot.json": ["count", "toy:space", "--plot"],
}


@pytest.mark.skipif(os.name != "posix", reason="links, pipes and modes are those of POSIX")
@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.usefixtures("hang_guard", "space")
def test_every_output_goes_where_it_is_led(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", "toy:space", "-n", "5", "-o", "in.csv"]) == 0
    aside = folder / "aside"
    aside.mkdir()
    file, link, pipe = aside / name, folder / f"link{Path(name).suffix}", folder / f"pipe{Path(name).suffix}"
    file.write_text("old")
    file.chmod(0o600)
    link.symlink_to(file)
    assert main([*WRITERS[name], link.name]) == 0
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    written = file.read_bytes()
    assert len(written) > 20

    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert main([*WRITERS[name], pipe.name]) == 0
    reader.join(60)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    if name.endswith((".npz", ".html")):  # These tell when, or as which one, they were made.
        assert abs(len(read[0]) - len(written)) < 1000
    else:
        assert read[0] == written

    capsys.readouterr()
    for target, message in (
        (f"none/{name}", "there is no folder none"),
        (f"folder{Path(name).suffix}", "this is a folder"),
    ):
        (folder / f"folder{Path(name).suffix}").mkdir(exist_ok=True)
        assert main([*WRITERS[name], target]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert f"error: {target}: {message}" in error
    assert not list(folder.rglob(".archbudget-*"))


@pytest.mark.parametrize("name", ["in.parquet", "in.npz"])
@pytest.mark.usefixtures("folder")
def test_invalid_files_of_candidates_are_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(name).write_text("nonsense")
    assert main(["evaluate", "toy:space", "-i", name]) == 2
    error = capsys.readouterr().err
    assert name in error
    assert error.count("\n") == 1


# Search


def test_search_resumes_and_keeps_the_best_models(
    space: ab.Space, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    enumerated = (space.within(ab.Budget(params=3000)).count(), space.size)
    assert main([*SEARCH, "--trials", "6", "--workers", "1", "--seed", "0"]) == 0
    text = capsys.readouterr().out
    assert len(re.findall(r"^trial \d+: 0\.\d{4}, [\d,]+ params, ", text, re.MULTILINE)) == 6
    count, size = enumerated
    assert text.startswith(f"{count} of {size} networks (")
    assert "test accuracy" in text
    assert "Total params" in text
    assert main([*SEARCH, "--trials", "9", "--workers", "1", "--seed", "0"]) == 0
    assert "6 of 9 trials done, continuing" in capsys.readouterr().out
    assert main([*SEARCH, "--trials", "9", "--json"]) == 0
    shown = capsys.readouterr()
    data = json.loads(shown.out)
    assert data["trials"] == 9
    assert (data["space"]["exact"], data["space"]["count"]) == (True, count)
    assert data["model"] == "out/best.keras"
    assert [entry["value"] for entry in data["best"]] == sorted((e["value"] for e in data["best"]), reverse=True)
    assert all(entry["costs"]["params"] <= 3000 for entry in data["best"])
    winner = data["best"][0]["trial"]
    assert (folder / "out/best.keras").read_text() == f"model {winner}"
    kept = {int(re.findall(r"\d+", file.name)[0]) for file in (folder / "out/models").rglob("*.keras")}
    assert kept == {entry["trial"] for entry in data["best"]}


OBJECTIVES = ["--direction", "maximize", "--direction", "minimize"]


@pytest.mark.usefixtures("folder")
def test_search_with_several_objectives_ends_in_a_pareto_front(capsys: pytest.CaptureFixture[str]) -> None:
    Path("two.py").write_text(
        "def values(arch):\n    return arch.params / 1e4, arch.macs\n\n"
        "def diverged(arch):\n    return 1.0, float('nan')\n\ndef one(arch):\n    return 1.0\n"
    )
    arguments = ["search", "toy:space", "--params", "3k", "--workers", "1", "--seed", "0", *OBJECTIVES]
    command = [*arguments, "--objective", "two:values", "--trials", "9"]
    assert main([*command, "--plot", "front.json"]) == 0
    text = capsys.readouterr().out
    study = optuna.load_study(study_name="toy:space", storage="sqlite:///out/search.db")
    front = sorted(study.best_trials, key=lambda trial: (-trial.values[0], trial.number))
    assert f"{len(front)} of 9 trials are on the Pareto front" in text
    assert "value 0 (maximize)   value 1 (minimize)" in text
    assert f"(9 of 9, {len(front)} on the Pareto front)" in text
    drawn = json.loads(Path("front.json").read_text())["data"][1]
    assert sorted(drawn["customdata"]) == sorted(trial.number for trial in front)
    assert main([*command, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [entry["values"] for entry in data["best"]] == [trial.values for trial in front]
    assert data["model"] is None
    assert main([*arguments, "--objective", "two:diverged", "--trials", "1", "--study-name", "x"]) == 2
    assert "the objective two:diverged returned nan" in capsys.readouterr().err
    assert main([*arguments, "--objective", "two:one", "--trials", "1", "--study-name", "y"]) == 2
    assert "it returned 1.0, which are not 2 numbers" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_a_search_that_has_more_trials_than_it_is_asked_for_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SEARCH, "--trials", "3", "--workers", "1"]) == 0
    capsys.readouterr()
    assert main([*SEARCH, "--trials", "2"]) == 0
    assert "3 trials are done already in study 'toy:space'; give more --trials to go on" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_search_with_two_workers() -> None:
    shown = run(*SEARCH, "--trials", "8", "--workers", "2", "--json", "--epochs", "3", NAP="0.3")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["trials"] >= 8
    assert "Traceback" not in shown.stderr
    assert "training" not in shown.stderr
    study = optuna.load_study(study_name="toy:space", storage="sqlite:///out/search.db")
    assert len({trial.user_attrs["archbudget:process"] for trial in study.trials}) == 2
    assert study.user_attrs["archbudget:epochs"] == 3


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.usefixtures("folder")
def test_no_finished_trial_is_lost_by_a_kill(workers: str) -> None:
    process = start(*SEARCH, "--trials", "9", "--workers", workers, NAP="0.2")
    wait_for(3, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    time.sleep(0.5)  # Workers follow.
    before = finished_trials()
    time.sleep(0.7)
    assert finished_trials() == before
    assert len(before) >= 3
    begun = time.monotonic()
    shown = run(*SEARCH, "--trials", "9", "--workers", workers, NAP="0.05")
    assert time.monotonic() - begun < 30
    assert shown.returncode == 0, shown.stderr
    assert f"{len(before)} of 9 trials done, continuing" in shown.stdout
    assert set(before) <= set(finished_trials())
    assert len(finished_trials()) >= 9


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.usefixtures("folder")
def test_interrupt_shows_what_was_found(workers: str) -> None:
    process = start(*SEARCH, "--trials", "99", "--workers", workers, NAP="0.2")
    wait_for(2, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "Total params" in out
    assert "the same command goes on from here" in out


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.usefixtures("folder")
def test_a_failing_objective_is_one_line(workers: str) -> None:
    shown = run("search", "toy:space", "--objective", "toy:broken", "--params", "3k", "--workers", workers)
    assert shown.returncode == 2
    assert re.match(r"error: the objective toy:broken failed in trial \d: RuntimeError: out of luck", shown.stderr)
    assert shown.stderr.count("\n") == 1


@pytest.mark.usefixtures("folder")
def test_a_diverged_training_is_a_finished_trial(capsys: pytest.CaptureFixture[str]) -> None:
    Path("odd.py").write_text("def nan(arch):\n    return float('nan')\n\ndef none(arch):\n    pass\n")
    arguments = ["search", "toy:space", "--params", "3k", "--trials", "2", "--workers", "1", "--objective"]
    assert main([*arguments, "odd:nan"]) == 2
    text, error = capsys.readouterr()
    assert "trial 1: pruned: the objective odd:nan returned nan, " in text
    assert "No trial has been completed" in text
    assert (
        "each of the 2 trials failed or was pruned, the last one, trial 1: the objective odd:nan returned nan" in error
    )
    assert main([*arguments, "odd:none", "--study-name", "none"]) == 2
    assert "it returned None, which is not a number" in capsys.readouterr().err


def test_a_budget_that_nothing_fits_is_refused_at_once(folder: Path) -> None:
    shown = run("search", "toy:space", "--objective", "toy:accuracy", "--params", "30")
    assert shown.returncode == 2
    assert "no network of the space fits the budget (params <= 30)" in shown.stderr
    assert not (folder / "out").exists()


@pytest.mark.usefixtures("folder")
def test_a_study_of_another_budget_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SEARCH, "--trials", "1", "--workers", "1"]) == 0
    capsys.readouterr()
    assert main([*SEARCH, "--trials", "1", "--workers", "1", "--macs", "1M"]) == 2
    assert "belongs to another budget" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_search_without_a_saved_model_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    Path("plain.py").write_text("def value(arch):\n    return -arch.params\n")
    arguments = ["search", "toy:space", "--objective", "plain:value", "--params", "3k", "--trials", "2"]
    assert main([*arguments, "--workers", "1", "--direction", "maximize", "--storage", "sqlite:///own.db"]) == 0
    assert "There is no model of trial" in capsys.readouterr().out
    assert Path("own.db").exists()
    assert not Path("out/best.keras").exists()


@pytest.mark.usefixtures("folder")
def test_timeout_ends_a_search() -> None:
    begun = time.monotonic()
    shown = run(*SEARCH, "--trials", "500", "--workers", "1", "--timeout", "1")
    assert time.monotonic() - begun < 20
    assert shown.returncode == 0


# Custom metrics

OWN = """
import archbudget as ab

convolutions = ab.Metric("convolutions", lambda layer: int(layer.type == "Conv2D"))
"""
OWN_SPACE = """
decisions: {filters: [2, 4], depth: {low: 1, high: 3}}
layers:
- Input: [8, 8, 1]
- Repeat: {times: $depth, block: [{Conv2D: {filters: $filters, kernel_size: 1}}], shared: [filters]}
metrics:
  latency_us: {table: latency.csv}
  convolutions: own:convolutions
"""


@pytest.fixture
def own(folder: Path) -> ab.Space:
    (folder / "own.py").write_text(OWN)
    sys.modules.pop("own", None)
    (folder / "own.yaml").write_text(OWN_SPACE)
    (folder / "latency.csv").write_text("type,filters,latency_us\nConv2D,2,100\nConv2D,4,1000\n")
    return files.load("own.yaml").space


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_custom_metrics_are_counted_and_bounded(own: ab.Space, capsys: pytest.CaptureFixture[str]) -> None:
    bounds = ["--custom", "latency_us=2k", "--custom", "convolutions=2:"]
    data = answer(capsys, "count", "own.yaml", *bounds)
    assert (data["size"], data["count"]) == (6, 3)
    assert data["budget"] == {"latency_us": [1 - 2**63, 2000], "convolutions": [2, 2**63 - 1]}
    assert data["ranges"]["latency_us"] == {"smallest": 100, "largest": 3000}
    assert data["inside"]["convolutions"] == {"smallest": 2, "largest": 3}
    assert main(["count", "own.yaml", *bounds, "--plot", "sizes.html"]) == 0
    text = capsys.readouterr().out
    assert "3 of 6 networks (50 %) fit convolutions >= 2, latency_us <= 2,000" in text
    assert re.search(r"latency_us +100 +3,000 +200 +2,000", text)
    assert answer(capsys, "describe", "own.yaml")["size"] == own.size


def test_custom_metrics_of_one_network(own: ab.Space, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ARG001
    settings = ["--set", "filters=4", "--set", "depth=2"]
    assert main(["check", "own.yaml", *settings, "--custom", "latency_us=1999"]) == 1
    assert capsys.readouterr().out.endswith("outside the budget: latency_us 2,000 > 1,999\n")
    assert main(["check", "own.yaml", *settings, "--custom", "latency_us=2000"]) == 0
    assert capsys.readouterr().out.endswith("inside the budget: latency_us 2,000; latency_us <= 2,000\n")
    data = answer(capsys, "check", "own.yaml", *settings, "--custom", "convolutions=2")
    assert data["costs"]["latency_us"] == 2000
    assert main(["explain", "own.yaml", *settings]) == 0
    text = capsys.readouterr().out
    assert "latency_us: 2,000" in text
    assert "\nlatency_us: 1,000\nconvolutions: 1\n" in text
    data = answer(capsys, "explain", "own.yaml", "conv2d", *settings)
    assert data["costs"]["convolutions"] == 2
    assert data["layers"][0]["custom"] == {"latency_us": 1000, "convolutions": 1}
    assert data["layers"][0]["weight_bits"] == 32


def test_custom_metrics_of_many_networks(own: ab.Space, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", "own.yaml", "-n", "50", "--custom", "latency_us=500", "-o", "fits.csv"]) == 0
    text = capsys.readouterr().out
    assert "50 candidates that fit latency_us <= 500" in text
    assert re.search(r"convolutions +1 +\d +3", text)
    data = answer(capsys, "sample", "own.yaml", "--custom", "latency_us=500", "-o", "some.npz")
    assert data["metrics"]["latency_us"]["largest"] <= 500
    assert main(["evaluate", "own.yaml", "-i", "fits.csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(rows[0]) == [*own.metrics, "valid"]
    assert all(int(row["latency_us"]) == 100 * int(row["convolutions"]) for row in rows)
    assert main(["evaluate", "own.yaml", "-i", "fits.csv", "--metrics", "latency_us"]) == 0
    assert capsys.readouterr().out.startswith("latency_us,valid\n")
    assert main(["evaluate", "own.yaml", "-i", "fits.csv", "--metrics", "latency"]) == 2
    assert "unknown 'latency' (did you mean latency_us?); there are params, " in capsys.readouterr().err


def test_custom_metrics_bound_a_part(own: ab.Space, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ARG001
    data = answer(capsys, "prune", "own.yaml", "--custom", "latency_us=300", "-o", "part.yaml")
    assert data["decisions"]["filters"] == {"before": [2, 4], "after": [2]}
    again = files.load("part.yaml")
    assert again.budget == ab.Budget(custom={"latency_us": 300})
    assert answer(capsys, "count", "part.yaml")["count"] == 3


def test_a_search_inside_a_budget_of_custom_metrics(own: ab.Space, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["search", "own.yaml", "--objective", "toy:accuracy", "--trials", "6", "--workers", "1"]
    bounds = ["--custom", "latency_us=2000", "--custom", "convolutions=2:3"]
    assert main([*command, *bounds, "--plot", "trials.html"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"trial +params +MACs +convolutions +latency_us +value", text)
    data = answer(capsys, *command, *bounds)
    for trial in data["best"]:
        assert trial["costs"]["latency_us"] <= 2000
        assert trial["user_attrs"].keys().isdisjoint(own.metrics)
    study = optuna.load_study(study_name="own", storage="sqlite:///out/search.db")
    assert all(2 <= trial.user_attrs["convolutions"] <= 3 for trial in study.trials if trial.state.is_finished())


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        (
            ["--custom", "latency_us"],
            "--custom bounds a custom metric, as NAME=N or NAME=LOW:HIGH, not 'lat",
        ),
        (["--custom", "params=3"], "--custom bounds a custom metric, as NAME=N"),
        (["--custom", "latency_us=x"], "--custom latency_us: 'x' is not a number"),
        (["--custom", "latency_us=3:1"], "latency_us: the range (3, 1) is empty"),
        (["--custom", "latency=3"], "unknown metric 'latency' (did you mean latency_us?); the metrics are params, "),
    ],
)
@pytest.mark.parametrize("command", ["count", "check", "sample", "prune"])
def test_bad_bounds_of_custom_metrics(
    own: ab.Space,  # noqa: ARG001
    command: str,
    bounds: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = ["--set", "filters=4", "--set", "depth=2"] if command == "check" else []
    assert main([command, "own.yaml", *settings, *bounds]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_template_is_written_before_there_is_a_table(
    own: ab.Space, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "latency.csv").unlink()
    assert main(["template", "own.yaml", "--column", "latency_us", "-o", "latency.csv"]) == 0
    assert capsys.readouterr().out == "latency.csv: 4 layers to be measured\n"
    assert main(["count", "own.yaml"]) == 2
    assert "latency.csv:2: the latency_us is missing" in capsys.readouterr().err
    lines = (folder / "latency.csv").read_text().splitlines()
    (folder / "latency.csv").write_text("\n".join([lines[0], *(f"{line}7" for line in lines[1:])]))
    assert files.load("own.yaml").space.range("latency_us") == (7, 21)
    assert answer(capsys, "template", "own.yaml", "-o", "b.csv") == {"output": "b.csv", "rows": 4}
    assert own.size == 6


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("count toy:space --params 60k --params 70k", "--params"),
        ("sample toy:space -n 2 --number 3", "--number"),
        ("spaces --json --json", "--json"),
        ("search toy:space --params 60k --trials 3 --trials 4", "--trials"),
    ],
)
def test_an_option_that_is_given_twice_is_refused(words: str, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 2
    assert f"error: {option} is given twice" in capsys.readouterr().err


def test_a_table_of_candidates_without_decisions_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one.yaml").write_text("layers: [Input: [4], Dense: 3]")
    Path("one.csv").write_text("\n\n")
    for words in ("sample one.yaml -n 2", "sample one.yaml -n 2 -o two.csv", "evaluate one.yaml --input one.csv"):
        assert main(words.split()) == 2
        assert "error: the space has no decisions" in capsys.readouterr().err
    assert not Path("two.csv").exists()
    assert main(["sample", "one.yaml", "-n", "2", "-o", "two.npz"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "one.yaml", "--input", "two.npz"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert main(["search", "one.yaml", "--params", "60k", "--objective", "m:f", "--storage", "x.db"]) == 2
    assert "such as sqlite:///x.db" in capsys.readouterr().err


def test_a_study_is_not_continued_with_another_objective(folder: Path) -> None:
    (folder / "goals.py").write_text("def one(arch): return 1.0\ndef two(arch): return 2.0\n")
    words = "search toy:space --params 60k --trials 1 --workers 1 --objective"
    assert run(*words.split(), "goals:one").returncode == 0
    refused = run(*words.split(), "goals:two")
    assert refused.returncode == 2
    assert "belongs to another objective: it has goals:one, not goals:two; take another study_name" in refused.stderr
