"""A budget as a test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError, BudgetError

SPACE = ab.Space([layers.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10)], name="linear")


def failure(model: object, budget: ab.Budget, **options: str) -> str:
    with pytest.raises(AssertionError) as caught:
        ab.assert_within(model, budget, **options)  # type: ignore[arg-type]
    return str(caught.value)


def test_a_model_within_its_budget_passes() -> None:
    assert ab.assert_within(SPACE, ab.Budget(params=7_850)) is None  # type: ignore[func-returns-value]
    assert ab.assert_within(SPACE, ab.Budget(weight_bytes=7_850), weights="int8") is None  # type: ignore[func-returns-value]


def test_a_failure_says_what_by_how_much_and_where() -> None:
    assert failure(SPACE, ab.Budget(params=5_000)).splitlines()[:3] == [
        "linear is outside the budget: params 7,850 > 5,000",
        "params: 7,850 is 2,850 over 5,000 (57 % of the bound)",
        "most params: dense 7,850 (100 %)",
    ]
    assert "weight_bytes 31,400 > 7,850" in failure(SPACE, ab.Budget(weight_bytes=7_850))
    assert "params 7,850 < 8,000" in failure(SPACE, ab.Budget(params=(8_000, None)))


def test_a_model_of_keras() -> None:
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="head")], name="mine")
    ab.assert_within(model, ab.Budget(params=15))
    assert "mine is outside the budget: params 15 > 14" in failure(model, ab.Budget(params=14))


@pytest.mark.parametrize("model", [3, None, "nowhere.keras", [], object()])
def test_what_is_no_model_is_an_error_and_no_failure(model: object) -> None:
    with pytest.raises(ArchbudgetError):
        ab.assert_within(model, ab.Budget(params=5))


def test_what_is_no_budget_is_an_error() -> None:
    with pytest.raises(BudgetError, match="assert_within needs a Budget"):
        ab.assert_within(SPACE, 5_000)  # type: ignore[arg-type]


def test_pytest_shows_the_failure_at_the_line_of_the_test(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "import archbudget as ab\nfrom archbudget import layers\n"
        "def test_budget():\n"
        "    ab.assert_within(ab.Space([layers.Input((3,)), layers.Dense(5)], name='net'), ab.Budget(params=19))\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "E       AssertionError: net is outside the budget: params 20 > 19" in done.stdout
    assert "assertion.py" not in done.stdout
