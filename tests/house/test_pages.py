"""Every block of code in `docs/` runs, and prints what is shown below it."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import archbudget as ab
from support.pages import DOCS, ROOT, blocks, needs, run

ELSEWHERE = {
    "checking.md": "tests/cli/test_check.py",
    "custom.md": "tests/house/test_docs.py",
    "definitions.md": "tests/house/test_definitions.py",
    "exporting.md": "tests/export/test_code_keras.py",
    "importing.md": "tests/importers/test_huggingface.py",
    "space-files.md": "tests/house/test_docs.py",
}
"""Pages with tests of their own, which know more about them."""

PAGES = {path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))}
RUN = [
    page
    for page, text in PAGES.items()
    if page not in ELSEWHERE and any(each.language != "text" for each in blocks(text))
]


@pytest.mark.parametrize("page", RUN)
def test_the_blocks_run_and_print_what_is_shown(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in needs(PAGES[page]):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    before = set(sys.modules)
    root, own = logging.getLogger(), logging.getLogger("archbudget")
    levels = root.level, own.level
    monkeypatch.setattr(root, "handlers", [])  # As in a program of its own.
    try:
        shown = sum(each.language == "text" for each in blocks(PAGES[page]))
        assert run(page, PAGES[page]) == shown
    finally:
        root.setLevel(levels[0])
        own.setLevel(levels[1])
        for name in set(sys.modules) - before:
            if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]  # A file of the page.


@pytest.mark.parametrize("page", ELSEWHERE)
def test_pages_that_are_run_elsewhere_are(page: str) -> None:
    assert page in PAGES
    assert f"docs/{page}" in (ROOT / ELSEWHERE[page]).read_text(encoding="utf-8")


PAGE = """\
```python title="three.py"
three = 3
```

```python
from three import three
print(three, "  ")
print(4)
```

```text
{shown}
```

```sh
pip install archbudget  # told
archbudget spaces --json --help
```

```text
...
```
"""


def test_what_is_printed_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert run("page", PAGE.format(shown="3\n4")) == 2
    assert run("page", PAGE.format(shown="...\n4")) == 2
    with pytest.raises(AssertionError, match="page:11 shows"):
        run("page", PAGE.format(shown="3\n5"))
    with pytest.raises(AssertionError, match="printed and not shown"):
        run("page", "```python\nprint(1)\n```\n```python\n2\n```\n")
    with pytest.raises(AssertionError, match="at the end of page"):
        run("page", "```python\nprint(1)\n```\n")
    with pytest.raises(AssertionError, match="is not run"):
        run("page", "```sh\nrm file\n```\n")
    with pytest.raises(AssertionError, match="nobody runs"):
        run("page", "```c\nint x;\n```\n")
    with pytest.raises(ZeroDivisionError):
        run("page", "```python\n1 / 0\n```\n")
    assert needs("<!-- needs: torch, onnx -->\n# Page") == ["torch", "onnx"]
    assert not needs("# Page")


FIGURE = """\
```python
from plotly.graph_objects import Figure
print("drawn")
Figure(layout_title_text="Shown")
```

<!-- figure -->

```text
drawn
```
"""


def test_figures_have_marks_and_marks_have_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("plotly")
    monkeypatch.chdir(tmp_path)
    shown: list[Any] = []
    assert run("page", FIGURE, shown.append) == 1
    assert [each.layout.title.text for each in shown] == ["Shown"]
    with pytest.raises(AssertionError, match="page:1 makes a figure"):
        run("page", FIGURE.replace("<!-- figure -->", ""))
    with pytest.raises(AssertionError, match="page:1 makes a figure"):
        run("page", FIGURE.replace("Figure(layout", "figure = Figure(layout"))


def test_what_is_plotted_is_shown() -> None:
    drawn = re.compile(r"plot\.(?!save|kind_of)\w+\(")
    found = [each for text in PAGES.values() for each in blocks(text) if each.language == "python"]
    assert [each.code for each in found if drawn.search(each.code) and not each.has_figure] == []
    assert {each for block in found if block.has_figure for each in re.findall(r"plot\.(\w+)", block.code)} == {
        *ab.plot.__all__
    } - {"save", "kind_of", "ALONE", "FORMATS"}


def test_numbers_of_benchmarks_have_their_commands() -> None:
    """Pages with measurements name what measures them."""
    for page in ("benchmarks.md", "search-quality.md", "tools.md", "spaces.md"):
        assert re.search(r"`(python benches/\w+\.py|make bench|archbudget spaces --markdown)", PAGES[page]), page
