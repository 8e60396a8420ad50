"""A layer is added by the three files that `CONTRIBUTING.md` names, and by nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
KIND = "MaxoutDense"
"""The layer of `CONTRIBUTING.md`."""
FAMILY = "dense"
PLACES = ("python", "tests", "tests/layers", "tests/vectors")
"""Where the modules are that are imported."""
GENERAL = ("against_keras", "docstrings", "formulas", "odd_arguments", "shared", "signatures", "vectors")
"""The tests that go through every layer."""


def test_a_rule_a_dataclass_and_vectors_make_a_layer(tmp_path: Path) -> None:
    copy = tmp_path / "archbudget"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "*.so", "dist", "out", "target"))
    section = (copy / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Adding a layer")[1].split("\n## ")[0]
    rule, dataclass = (
        dedent(*re.findall(rf" *```{language}\n(.*?)```", section, re.DOTALL)) for language in ("rust", "python")
    )

    edit(copy / f"src/layers/{FAMILY}.rs", r"\Z", f"\n{rule}")
    edit(list_of_kinds(copy), rf"Kind::of::<({FAMILY}::)?Dense>\(\),", rf"\g<0> Kind::of::<\g<1>{KIND}>(),")
    edit(copy / f"python/archbudget/layers/_{FAMILY}.py", r"\Z", f"\n\n{dataclass}")
    edit(copy / f"python/archbudget/layers/_{FAMILY}.py", r"(__all__ = \[.*)\]", rf'\g<1>, "{KIND}"]')

    environment = {
        **os.environ,
        "CARGO_INCREMENTAL": "0",
        "CARGO_PROFILE_DEV_DEBUG": "0",
        "CARGO_TARGET_DIR": str(ROOT / "target/adding"),
        "KERAS_BACKEND": "numpy",
        "PYTHONPATH": os.pathsep.join(str(copy / place) for place in PLACES),
    }

    def run(*command: str) -> None:
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}\n{done.stderr}"

    python = sys.executable
    wheels = tmp_path / "wheels"
    run(python, "-m", "maturin", "build", "--quiet", "--locked", "--profile", "dev", "--out", str(wheels))
    (wheel,) = wheels.iterdir()
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(copy / "python")

    run(python, "-c", f"import sys, added_layer, generate; sys.argv[1:] = ['{KIND}']; generate.main()")
    assert (copy / f"tests/vectors/{KIND}.json").exists()
    (copy / ".venv").mkdir()
    (copy / ".venv/.demo").touch()
    (copy / ".venv/.installed").touch()
    run("make", "derived", f"BIN={Path(python).parent}")
    tests = [f"tests/layers/test_{name}.py" for name in GENERAL]
    run(python, "-m", "pytest", "-q", "tests/layers/added_layer.py", *tests, "-k", f"{KIND} or added_layer")


def list_of_kinds(copy: Path) -> Path:
    """Where the kinds of a family are listed."""
    own, every = (copy / f"src/layers/{name}.rs" for name in (FAMILY, "mod"))
    return own if "Kind::of::<Dense>()" in own.read_text(encoding="utf-8") else every


def edit(path: Path, pattern: str, replacement: str) -> None:
    """Replaces what occurs once in a file."""
    text = path.read_text(encoding="utf-8")
    if pattern == r"\Z":
        text += replacement
    else:
        text, count = re.subn(pattern, replacement, text)
        assert count == 1, f"{pattern} in {path}"
    path.write_text(text, encoding="utf-8")
