"""`archbudget check`: models from files, their tables, and the difference to another one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

import archbudget as ab
from archbudget import layers
from archbudget.cli import main

keras = pytest.importorskip("keras")


def model(filters: int = 8, *, norm: bool = False) -> Any:
    blocks = [keras.layers.Conv2D(filters, 3, activation="relu", name="conv")]
    blocks += [keras.layers.BatchNormalization(name="norm")] if norm else []
    blocks += [keras.layers.Flatten(name="flat"), keras.layers.Dense(10, name="head")]
    return keras.Sequential([keras.Input((8, 8, 1), name="image"), *blocks], name="small")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    model().save("model.keras")
    Path("model.json").write_text(model().to_json())
    model(4, norm=True).save("base.keras")
    return tmp_path


def check(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["check", *arguments])
    shown = capsys.readouterr()
    assert (code == 2) == bool(shown.err)
    return code, shown.out


@pytest.mark.usefixtures("folder")
def test_the_table_and_the_conclusion(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = check(capsys, "model.keras", "--params", "2k", "--macs", "10k")
    assert code == 1
    rows = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert re.search(r"conv +Conv2D +\(None, 6, 6, 8\) +80 +2,592 ", rows["conv"])
    assert re.search(r"head .* 2,890 .* 97\.3 % #{19}$", rows["head"])
    assert re.search(r"total +2,970 +5,472 ", rows["total"])
    assert text.splitlines()[-5:] == [
        "params: 2,970 is 970 over 2,000 (48.5 % of the bound)",
        "macs: 5,472 is 4,528 below 10,000 (45.3 % of the bound)",
        "most params: head 2,890 (97.3 %), conv 80 (2.69 %)",
        (
            "0.74 times all widths but those of the outputs would fit, each a multiple of 4: params 1,490, macs 2,736 "
            "(conv.filters 8 -> 4)"
        ),
        "model.keras: outside the budget: params 2,970 > 2,000",
    ]
    assert check(capsys, "model.json", "--params", "3k")[0] == 0


@pytest.mark.usefixtures("folder")
def test_types_of_weights_and_activations(capsys: pytest.CaptureFixture[str]) -> None:
    assert check(capsys, "model.keras", "--weight-bytes", "2970")[0] == 1
    assert check(capsys, "model.keras", "--weight-bytes", "2970", "--weights", "int8")[0] == 0
    assert check(capsys, "model.keras", "--peak-activation-bytes", "1k")[0] == 1
    assert check(capsys, "model.keras", "--peak-activation-bytes", "1k", "--activations", "int8")[0] == 0


@pytest.mark.usefixtures("folder")
def test_the_difference_to_another_model(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = check(capsys, "model.keras", "--compare", "base.keras")
    assert code == 0
    assert "compared with base.keras: 1 removed, 3 changed, 1 unchanged" in text
    assert re.search(r"removed +norm +BatchNormalization +\(None, 6, 6, 4\) +16 ", text)
    assert re.search(r"changed +conv +Conv2D +\(None, 6, 6, 4\) -> \(None, 6, 6, 8\) +40 -> 80 ", text)
    assert re.search(r"params +1,506 +2,970 +\+1,464 \(\+97\.2 %\)", text)
    assert text.endswith("model.keras: no budget is given\n")
    code, text = check(capsys, "base.keras", "--compare", "base.keras", "--params", "1k")
    assert code == 1
    assert "no layer differs, 5 unchanged" in text


@pytest.mark.usefixtures("folder")
def test_the_verdict_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = check(capsys, "model.keras", "--params", "2k", "--compare", "base.keras", "--json")
    data = json.loads(text)
    assert (code, data["fits"], data["costs"]["params"]) == (1, False, 2970)
    assert data["violations"] == {"params": 2970}
    assert [layer["name"] for layer in data["layers"]] == ["image", "conv", "flat", "head"]
    assert [layer["change"] for layer in data["compare"]["layers"]] == ["changed", "removed", "changed", "changed"]


@pytest.mark.usefixtures("folder")
def test_several_models_must_all_be_inside(capsys: pytest.CaptureFixture[str]) -> None:
    both = ("base.keras", "model.keras")
    code, text = check(capsys, *both, "--params", "2k")
    assert code == 1
    assert "base.keras: inside the budget: params 1,506" in text
    assert text.endswith("model.keras: outside the budget: params 2,970 > 2,000\n")
    assert check(capsys, *both, "--params", "3k")[0] == 0
    _, text = check(capsys, *both, "--params", "2k", "--json")
    assert [each["fits"] for each in json.loads(text)["models"]] == [True, False]


@pytest.mark.usefixtures("folder")
def test_markdown_for_a_pull_request(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = check(capsys, "model.keras", "--params", "2k", "--compare", "base.keras", "--markdown")
    assert code == 1
    assert text.startswith("### model.keras: outside the budget\n")
    assert "| params | 2,970 | at most 2,000 | missed by 970 |" in text
    assert "| removed | norm | BatchNormalization |" in text
    assert "<details><summary>4 layers</summary>" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) - 1 for line in tables} == {4, 7}


def test_names_of_a_file_are_no_markup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "[red]|<b>`*"
    config = {"units": 2, "batch_input_shape": [None, 3], "name": name}
    text = json.dumps({"class_name": "Sequential", "config": [{"class_name": "Dense", "config": config}]})
    Path("model.json").write_text(text)
    code, text = check(capsys, "model.json", "--params", "9")
    assert code == 0
    assert name in text
    _, text = check(capsys, "model.json", "--params", "7", "--markdown")
    assert r"\[red\]\|&lt;b&gt;\`\*" in text
    assert "<b>" not in text


def test_a_long_model_fits_into_a_comment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    ab.Space([layers.Input((4,)), *[layers.Dense(4) for _ in range(400)]]).save("space.yaml")
    ab.Space([layers.Input((5,)), *[layers.Dense(5) for _ in range(300)]]).save("base.yaml")
    code, text = check(capsys, "space.yaml", "--params", "9", "--compare", "base.yaml", "--markdown")
    assert code == 1
    assert "301 more layers are not shown." in text
    assert len(text) < 65_536


ROOT = Path(__file__).parents[2]


def test_the_page_shows_what_comes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs/checking.md").read_text(encoding="utf-8")
    mnist = [
        layers.Input((28, 28, 1)), layers.Conv2D(32, 5), layers.MaxPooling2D(), layers.Conv2D(64, 5),
        layers.MaxPooling2D(), layers.Flatten(), layers.Dense(128), layers.Dense(10),
    ]  # fmt: skip
    ab.Space(mnist).architecture().to_keras().save("model.keras")
    (command,) = re.findall(r"```sh\narchbudget check (.*)\n", page)
    (shown,) = re.findall(r"```text\n(.*?)```", page, flags=re.DOTALL)
    code, text = check(capsys, *command.split())
    assert code == 1
    assert text.endswith(shown)


def test_the_hook_and_the_action_call_the_command(folder: Path, tmp_path: Path) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hook["entry"] == "archbudget check"
    assert re.search(hook["files"], "models/model.keras")
    (step,) = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]
    (folder / "bin").mkdir()
    (folder / "bin/archbudget").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m archbudget "$@"\n')
    (folder / "bin/archbudget").chmod(0o755)
    for bound, code in (("2k", 1), ("3k", 0), ("x", 2)):
        environment = {
            **os.environ,
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "MODEL": "model.keras",
            "ARGUMENTS": f"--params {bound}",
            "COMPARE": "base.keras",
            "RUNNER_TEMP": str(tmp_path),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        }
        done = subprocess.run(["bash", "-eo", "pipefail", "-c", step["run"]], env=environment, capture_output=True)
        assert done.returncode == code
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert summary.count("### model.keras: ") == 2
    assert "compared with base.keras" in summary


@pytest.mark.parametrize("file", ["model.keras", "model.json", "space.yaml", "config.json"])
def test_mutated_files_are_checked_or_refused_in_one_line(
    file: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "config.json").write_text('{"model_type": "gpt2", "n_layer": 1, "n_embd": 24, "n_positions": 8}')
    ab.Space([layers.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3)]).save("space.yaml")
    whole = (folder / file).read_bytes()
    rng = Random(3)
    codes = []
    for _ in range(60):
        content = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            start = rng.randrange(len(content))
            content[start : start + rng.randrange(3)] = rng.randbytes(rng.randrange(3)) if rng.random() < 0.7 else b""
        (folder / f"mutated_{file}").write_bytes(content)
        codes.append(main(["check", f"mutated_{file}", "--params", "1k", "--no-code"]))
        shown = capsys.readouterr()
        assert codes[-1] in (0, 1, 2)
        assert shown.err.count("\n") == (codes[-1] == 2)
        assert len(shown.err) < 2_100
    assert codes.count(2) > 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model.keras"], "check needs a budget"),
        (["nowhere.keras", "--params", "1k"], "nowhere.keras: No such file"),
        (["model.keras", "--compare", "nowhere.json"], "nowhere.json: No such file"),
        (["broken.keras", "--params", "1k"], "broken.keras cannot be read as a .keras archive"),
        (["model.keras", "--params", "1k", "--weights", "int9"], "weights must be the name of a type, not 'int9'"),
        (["model.keras", "--params", "1k", "--input-shape", "a,b"], "--input-shape: 'a,b' is not a shape"),
        (["model.keras", "--params", "1k", "--json", "--markdown"], "exclude each other"),
        (["open.json", "--macs", "1k"], "open.json: macs is unknown, as a side of 'image' is"),
        (["model.keras", "--custom", "latency=3"], "unknown metric 'latency'"),
        (["model.keras", "--params", "1k", "--set", "units=3"], "unknown decisions"),
    ],
)
def test_what_cannot_be_checked_is_an_error_of_one_line(
    arguments: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (folder / "model.keras").read_bytes()
    sides = keras.Sequential([keras.Input((None, None, 1), name="image"), keras.layers.Conv2D(2, 3)])
    (folder / "open.json").write_text(sides.to_json())
    (folder / "broken.keras").write_bytes(whole[: len(whole) // 2])
    assert main(["check", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
