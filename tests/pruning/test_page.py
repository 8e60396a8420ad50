"""The steps of `docs/how-to/prune.md` run as they stand there, with real training, and end within the budget."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/how-to/prune.md").read_text(encoding="utf-8")


def test_the_steps_run_and_the_pruned_model_classifies_digits(tmp_path: Path) -> None:
    for package in ("keras", "jax", "sklearn"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    code = textwrap.dedent("".join(re.findall(r"^(?: {4}.*)?\n", PAGE, flags=re.MULTILINE)))
    (tmp_path / "page.py").write_text(code, encoding="utf-8")
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    found = subprocess.run(
        [sys.executable, "page.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900
    )
    assert found.returncode == 0, found.stderr
    params, violations, accuracy = found.stdout.split()[-3:]
    assert 0 < int(params) < 3_000
    assert violations == "{}"
    assert float(accuracy) > 0.8
