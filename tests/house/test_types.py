"""What people write passes `mypy --strict`: the idioms of every day, and the pages of the documentation."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import archbudget as ab

ROOT = Path(__file__).parents[2]
IDIOMS = Path(__file__).with_name("idioms.py")
PAGES = ("README.md", "docs/custom.md", "docs/definitions.md", "docs/spaces.md")
NAMES = "import optuna\nimport archbudget as ab\nfrom archbudget import layers\naccuracy = 0.5\n"
"""What the pages have already, or leave out."""
FOREIGN = re.compile(r"^(import|from) (keras|torch)\b|@layer_class|_shape\(rng", re.MULTILINE)
"""Blocks that are not of users of archbudget alone."""
UNTYPED = ("--allow-untyped-defs", "--allow-untyped-calls", "--allow-untyped-decorators")


def complaints(file: Path, cache: Path, *options: str) -> list[str]:
    """What mypy finds in a file of a user, who has archbudget installed."""
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports", "silent", "--no-error-summary"]
    done = subprocess.run(
        [*command, "--cache-dir", str(cache), *options, str(file)],
        capture_output=True,
        text=True,
        cwd=file.parent,
        env={"MYPYPATH": str(Path(ab.__file__).parents[1]), "PATH": ""},
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mypy")


def test_the_idioms_of_every_day_have_the_right_types(cache: Path) -> None:
    assert complaints(IDIOMS, cache) == []


def test_the_idioms_of_every_day_run() -> None:
    names = runpy.run_path(str(IDIOMS))
    assert names["double"] == 64
    assert names["number"] == names["space"].size == len(names["totals"]) // 2
    assert names["said"].startswith(f"{names['number']:,} of {names['number']:,}: 100.0%, {names['number']:,}, 100.0%")
    assert len(names["winners"]) == 2
    assert names["winner"] in names["space"]


def test_the_pages_have_the_right_types(cache: Path, tmp_path: Path) -> None:
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        blocks = [textwrap.dedent(code) for code in re.findall(r"^ *```python\n(.*?)^ *```$", text, re.S | re.M)]
        blocks = [code for code in blocks if not FOREIGN.search(code)]
        assert blocks, page
        file = tmp_path / f"{Path(page).stem.lower()}_page.py"
        file.write_text(NAMES + "\n".join(blocks), encoding="utf-8")
        assert complaints(file, cache, *UNTYPED) == [], page


def test_a_wrong_type_is_found(cache: Path, tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    file.write_text(
        f"{NAMES}space = ab.Space([layers.Input((8,)), layers.Dense(3)])\n"
        "fits = space.within(5)\nnumber: str = fits.count()\nab.Budget(flops=5)\n",
        encoding="utf-8",
    )
    found = complaints(file, cache, *UNTYPED)
    assert [int(line.split(":")[1]) for line in found if "error" in line] == [6, 7, 8]
