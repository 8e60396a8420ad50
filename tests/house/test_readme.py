"""What the README shows is what comes out."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import archbudget as ab
from archbudget.cli import main

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
EXAMPLES = Path(__file__).parents[2] / "examples"
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_the_question_that_it_began_with_is_answered_as_shown() -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(BLOCKS[0], {})
    assert f"```text\n{out.getvalue()}```" in README


def test_the_numbers_beside_the_calls_are_those_that_are_returned() -> None:
    space_block = BLOCKS[1].split("budget =")[0]
    names: dict[str, object] = {"ab": ab, "layers": ab.layers}
    exec(space_block, names)
    space = names["space"]
    assert isinstance(space, ab.Space)
    arch = space.architecture(f1=32, k1=5, f2=64, k2=5, units=128)
    fits = space.within(ab.Budget(params=60_000, macs=5_000_000)).count()
    for line in (f"# {space.size} distinct", f"# {fits}: exact", f"# {(arch.params, arch.macs)}"):
        assert line in BLOCKS[1]


def test_the_answers_about_what_fits_are_those_that_are_returned() -> None:
    names: dict[str, object] = {"ab": ab, "layers": ab.layers}
    exec(BLOCKS[1].split("space.size")[0], names)
    block = BLOCKS[2]
    shown = 0
    for line in block.splitlines():
        code, _, answer = line.partition("#")
        if code.startswith(("fits =", "small =")):
            exec(code, names)
        elif re.match(r" [\d{I]", answer):
            value = eval(code, names)
            if isinstance(value, dict):
                value = {key: round(share, 3) for key, share in value.items()}
            value = round(value, 4) if isinstance(value, float) else value
            assert answer.strip().startswith(repr(value)), line
            shown += 1
    assert shown == 7


def test_the_commands_run_on_the_file_that_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in EXAMPLES.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    (file,) = re.findall(r"```yaml\n(decisions:.*?)```", README, flags=re.DOTALL)
    assert Path("space.yaml").read_text(encoding="utf-8") == file
    names: dict[str, Any] = {"ab": ab, "layers": ab.layers}
    exec(BLOCKS[1].split("budget =")[0], names)
    assert ab.Space.load("space.yaml").size == names["space"].size
    (commands,) = re.findall(r"```sh\n(archbudget count.*?)```", README, flags=re.DOTALL)
    ran = []
    for line in commands.splitlines():
        program, command, *arguments = shlex.split(line, comments=True)
        assert program == "archbudget"
        if command == "search":  # It trains for minutes; the test below trains once.
            Path("train.py").write_text('def accuracy(arch): return arch["f1"] / arch.params\n')
        # The network of the example has 184,586 params.
        assert main([command, *arguments]) == (1 if command == "check" else 0), (line, capsys.readouterr().err)
        ran.append(command)
    assert len(ran) == 11
    made = {path.name for path in tmp_path.iterdir()}
    assert made >= {"sizes.html", "fits.csv", "pruned.yaml", "costs.parquet", "networks", "latency.csv", "trials.html"}


ONE_TRAINING = """
import optuna, archbudget as ab, train
train.EPOCHS = 1
space = ab.Space.load("space.yaml")
arch = space.architecture(f1=8, k1=5, f2=8, k2=5, units=16)
study = optuna.create_study(direction="maximize")
study.optimize(lambda trial: train.accuracy(arch, trial), n_trials=1)
print(study.best_value)
"""


def test_the_objective_of_the_commands_trains() -> None:
    pytest.importorskip("jax")
    pytest.importorskip("sklearn")
    command, environment = [sys.executable, "-c", ONE_TRAINING], {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run(command, cwd=EXAMPLES, env=environment, capture_output=True, text=True, check=True)
    assert float(done.stdout) > 0.2
