"""The blocks of `docs/custom.md` run one after the other, and print what stands below them; so do the docstrings."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import re
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import archbudget as ab
from archbudget import files
from archbudget._expressions import IntLike
from archbudget.layers import Layer
from archbudget.layers._base import layer_class

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/custom.md").read_text(encoding="utf-8")
BLOCKS = [
    (language, textwrap.dedent(code))
    for language, code in re.findall(r"^ *```(\w+)\n(.*?)^ *```$", TEXT, flags=re.DOTALL | re.MULTILINE)
]
INSIDE = re.compile(r"class RepeatVector|_shape\(rng")
"""The parts of archbudget that the page shows."""


def test_the_blocks_print_the_output_below_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("keras")
    monkeypatch.chdir(tmp_path)
    modules = {"my_layers": ModuleType("my_layers"), "my_space": ModuleType("my_space")}
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    names: dict[str, Any] = modules["my_space"].__dict__
    printed, shown = "", 0
    for language, code in BLOCKS:
        if language == "python" and not INSIDE.search(code):
            assert not printed, f"this is printed and not shown:\n{printed}"
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(code, "docs/custom.md", "exec"), names)
            printed = out.getvalue()
        elif language == "text":
            assert code == printed
            printed, shown = "", shown + 1
        elif language == "yaml":
            Path("space.yaml").write_text(code)
            loaded = files.load("space.yaml")
            assert loaded.budget is not None
            assert loaded.space.within(loaded.budget).budget == loaded.budget
    assert not printed
    assert shown == 5


def test_the_quoted_parts_of_archbudget_are_up_to_date() -> None:
    """The rule, the dataclass and the entry of the tests."""
    rust, *others = [code for language, code in BLOCKS if language == "rust" or INSIDE.search(code)]
    python, entry = others
    assert rust in (ROOT / "src/layers/reshaping.rs").read_text(encoding="utf-8")
    assert "Kind::of::<reshaping::RepeatVector>()," in (ROOT / "src/layers/mod.rs").read_text(encoding="utf-8")
    assert python in (ROOT / "python/archbudget/layers/_reshaping.py").read_text(encoding="utf-8")
    assert entry.strip("{}\n") in (ROOT / "tests/support/random_layers.py").read_text(encoding="utf-8")
    names: dict[str, Any] = {"layer_class": layer_class, "Layer": Layer, "IntLike": IntLike}
    exec(python, names)
    assert repr(names["RepeatVector"](3)) == "RepeatVector(n=3)"


MODULES = sorted(
    path for path in Path(ab.__file__).parent.rglob("*.py") if "    >>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_the_examples_of_docstrings_come_out_as_shown(path: Path) -> None:
    parts = path.relative_to(Path(ab.__file__).parents[1]).with_suffix("").parts
    results = doctest.testmod(importlib.import_module(".".join(parts)))
    assert results.attempted > 0
    assert results.failed == 0


SPACE_FILES = re.findall(
    r"^```yaml\n(.*?)^```$", (ROOT / "docs/space-files.md").read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
)


@pytest.mark.parametrize("text", SPACE_FILES, ids=range(len(SPACE_FILES)))
def test_each_file_of_the_page_on_space_files_is_read_and_written(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own, metrics = ModuleType("my_layers"), ModuleType("my_metrics")
    exec(
        "from archbudget import layers\n@layers.custom\ndef SqueezeExcite(input_shape, ratio=4):\n"
        "    return layers.Counts(input_shape, trainable_params=input_shape[-1] // ratio)",
        own.__dict__,
    )
    exec(
        "import archbudget as ab\nconvolutions = ab.Metric('convolutions', lambda layer: int(layer.type == 'Conv2D'))\n"
        "def bytes_moved(layer):\n    return layer.weight_bytes",
        metrics.__dict__,
    )
    for module in (own, metrics):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    loaded = files.parse(text)
    assert loaded.space.size > 0
    assert files.parse(loaded.space.to_yaml()).space == loaded.space
    if loaded.budget is not None:
        assert loaded.space.within(loaded.budget).bounds().upper >= 0


def test_the_page_on_space_files_has_every_key_and_block() -> None:
    page = "\n".join(SPACE_FILES)
    for name in (*files.model.SpaceFile.model_fields, *files.model.STRUCTURES):
        assert re.search(rf"\b{name}:", page), name
    assert len(SPACE_FILES) == 15
