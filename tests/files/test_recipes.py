"""The recipes of `docs/scaling.md` run as they stand there, and write or make every network once."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest

import archbudget as ab

PAGE = (Path(__file__).parents[2] / "docs/scaling.md").read_text(encoding="utf-8")
SECTIONS = re.split(r"^##+ ", PAGE, flags=re.MULTILINE)
RECIPES = {
    section.splitlines()[0]: textwrap.dedent("".join(re.findall(r"^(?:    .*)?\n", section, flags=re.MULTILINE)))
    for section in SECTIONS[[each.startswith("Recipes\n") for each in SECTIONS].index(True) + 1 :]
    if re.search(r"^    import archbudget", section, flags=re.MULTILINE)
}
"""The indented code of each section, by its title."""

NEEDS = {"Dask": "distributed", "MPI": "mpi4py", "Ray": "ray", "Ray Data": "ray", "Spark": "pyspark"}
COMMANDS = {"MPI": ["mpiexec", "-n", "3", sys.executable, "-m", "mpi4py.futures"]}


def test_every_recipe_is_run() -> None:
    assert list(RECIPES) == list(NEEDS)
    for code in RECIPES.values():
        compile(code, "recipe", "exec")


@pytest.mark.parametrize("title", NEEDS)
def test_a_recipe_makes_every_network_once(title: str, tmp_path: Path) -> None:
    if find_spec(NEEDS[title]) is None:
        pytest.skip(f"{NEEDS[title]} is not installed")
    if title == "Spark" and shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    command = COMMANDS.get(title, [sys.executable])
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]}")
    (tmp_path / "recipe.py").write_text(RECIPES[title])
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYSPARK_PYTHON": sys.executable,
    }
    found = subprocess.run(
        [*command, "recipe.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines()[-1] == "5811", found.stderr
    if "write_parquet" in RECIPES[title]:
        ds = pytest.importorskip("pyarrow.dataset")
        fits = ab.spaces.lenet().within(ab.Budget(params=60_000))
        counts = fits.space.evaluate(fits.candidates(), ["params"])["params"]
        assert ds.dataset(tmp_path / "networks").to_table()["params"].to_pylist() == counts.tolist()
