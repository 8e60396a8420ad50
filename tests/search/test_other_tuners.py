"""The recipes of `docs/how-to/other-tuners.md` run as they stand there, and every network that they try fits."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/how-to/other-tuners.md").read_text(encoding="utf-8")
RECIPES = {
    section.splitlines()[0]: textwrap.dedent("".join(re.findall(r"^(?:    .*)?\n", section, flags=re.MULTILINE)))
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
}
"""The indented code of each section, by its title."""

NEEDS = {
    "nevergrad": "nevergrad",
    "DEAP": "deap",
    "hyperopt": "hyperopt",
    "Ray Tune": "ray",
    "Ax": "ax",
    "SMAC": "smac",
}


def test_every_recipe_is_run() -> None:
    assert list(RECIPES) == list(NEEDS)
    for code in RECIPES.values():
        compile(code, "recipe", "exec")


@pytest.mark.parametrize("title", NEEDS)
def test_all_that_a_recipe_tries_fits(title: str, tmp_path: Path) -> None:
    if find_spec(NEEDS[title]) is None:
        pytest.skip(f"{NEEDS[title]} is not installed")
    (tmp_path / "recipe.py").write_text(RECIPES[title])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    found = subprocess.run(
        [sys.executable, "recipe.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert found.returncode == 0, found.stderr
    tried, fit = map(int, found.stdout.splitlines()[-1].split())
    assert tried == fit >= 10
