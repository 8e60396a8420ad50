"""With `--json` an error is an object, too, with its data beside its message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archbudget._budget import BUILT_IN
from archbudget.cli import main

SPACE = """
layers:
  - Input: [8, 8, 3]
  - Conv2D: {filters: $filters, kernel_size: 3}
  - Flatten
  - Dense: 10
decisions:
  filters: [4, 8]
"""


def failed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The error that a command prints, which stands on the other stream in one line, too."""
    assert main([*arguments, "--json"]) == 2
    out, err = capsys.readouterr()
    error: dict[str, Any] = json.loads(out)["error"]
    assert err == f"error: {error['message']}\n"
    return error


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "space.yaml"
    path.write_text(SPACE)
    return str(path)


def test_a_budget_that_nothing_fits(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    error = failed(capsys, "prune", file, "--params", "100")
    assert error["type"] == "InfeasibleBudgetError"
    # (3*3*3 + 1) * 4 + (6*6*4 + 1) * 10
    assert (error["metric"], error["bound"], error["smallest"]) == ("params", [0, 100], 1562)


def test_a_bound_that_is_an_empty_range(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    error = failed(capsys, "count", file, "--macs", "9:3")
    assert error["type"] == "BudgetError"
    assert (error["metric"], error["bound"], error["smallest"]) == ("macs", [9, 3], None)


def test_a_bound_in_a_file(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(file).write_text(f"{SPACE}budget: {{params: [.nan, 5]}}\n")
    error = failed(capsys, "count", file)
    assert error["type"] == "SpaceError"
    assert (error["metric"], error["bound"]) == ("params", ["nan", 5])


def test_an_error_with_a_message_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert failed(capsys, "count", "nowhere.yaml").keys() == {"type", "message"}


def test_without_json_there_is_one_line(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prune", file, "--params", "100"]) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("metric", BUILT_IN)
@pytest.mark.parametrize("command", ["count", "check", "sample", "prune", "search"])
def test_each_metric_has_an_option_of_its_own(
    command: str, metric: str, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = {"check": ["--set", "filters=4"], "search": ["--objective", "nothing:here"]}.get(command, [])
    error = failed(capsys, command, file, *arguments, f"--{metric.replace('_', '-')}", "9:3")
    assert (error["metric"], error["bound"]) == (metric, [9, 3])
