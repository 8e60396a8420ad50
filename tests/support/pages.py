"""The blocks of code of a page, run one after the other as a reader would.

- Python blocks share their names. What they print is the `text` block below them, and nothing else is printed.
- A block with a title is a file of that name: `title="space.yaml"`. `yaml` without one is a space file, which is read.
- Lines of `sh` blocks that call `archbudget` or `python` are run; others only tell how to install something.
- A Python block whose last line gives a figure of plotly has `<!-- figure -->` below it, where the site shows it.
- `<!-- needs: torch -->` at the top of a page names packages without which it cannot run.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from archbudget import files
from archbudget.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FIGURE = "<!-- figure -->"
"""Stands below a block of code where the figure that it makes is shown."""
TOLD = ("pip install ", "make ", "git ", "export ")
"""What a line of a shell may begin with that is told and not run."""


class Block(NamedTuple):
    """A block of code of a page."""

    line: int
    language: str
    title: str
    code: str
    has_figure: bool = False


def blocks(text: str) -> list[Block]:
    """All of them, in their order; where a line includes a script of `docs/`, it is that."""
    text = re.sub(
        r'^--8<-- "([\w/]+\.py)"$', lambda name: (DOCS / name[1]).read_text("utf-8"), text, flags=re.MULTILINE
    )
    fence = r'^ *```(\w+)(?: +title="([^"]+)")?[^\n]*\n(.*?)^ *```$'
    found = re.finditer(rf"{fence}(\s+{FIGURE}$)?", text, flags=re.DOTALL | re.MULTILINE)
    return [
        Block(text.count("\n", 0, each.start()) + 1, each[1], each[2] or "", textwrap.dedent(each[3]), bool(each[4]))
        for each in found
    ]


def needs(text: str) -> list[str]:
    """The packages that a page names."""
    found = re.search(r"<!-- needs: ([\w, ]+) -->", text)
    return found[1].replace(",", " ").split() if found else []


def cell(code: str, where: str, names: dict[str, Any]) -> tuple[str, Any]:
    """What Python code prints, and what its last line gives."""
    tree = ast.parse(code, where)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(tree, where, "exec"), names)
        value = None if last is None else eval(compile(ast.Expression(last.value), where, "eval"), names)
    return out.getvalue(), value


def is_figure(value: object) -> bool:
    """Whether it is a figure of plotly, which need not be installed."""
    return type(value).__module__.startswith("plotly.")


def run(page: str, text: str, show: Callable[[Any], None] | None = None) -> int:
    """Runs a page in the current folder, and says how many outputs were compared.

    Args:
        page: The name of the page.
        text: Its text.
        show: Takes each figure, in the order of the marks.

    Raises:
        AssertionError: If something else is printed than is shown, or a figure has no mark, or a mark no figure.
    """
    module = ModuleType("__main__")
    printed, compared = "", 0
    for line, language, title, code, has_figure in blocks(text):
        if language == "text":
            # A line of dots stands for any number of lines.
            assert _matches(code, printed), f"{page}:{line} shows\n{code}\nbut this is printed:\n{printed}"
            printed, compared = "", compared + 1
            continue
        assert not printed.strip(), f"before {page}:{line} this is printed and not shown:\n{printed}"
        if title:
            Path(title).write_text(code, encoding="utf-8")
            # Another page may have made, and imported, a module of this name.
            sys.modules.pop(Path(title).stem, None)
        elif language == "python":
            printed, value = cell("\n" * line + code, page, module.__dict__)
            assert has_figure == is_figure(value), f"{page}:{line} makes a figure, or has {FIGURE} below it: not both"
            if has_figure and show is not None:
                show(value)
        elif language == "yaml":
            assert files.parse(code).space.size > 0
        elif language == "sh":
            printed = "".join(_told(f"{page}:{line}", each) for each in code.replace("\\\n", " ").splitlines())
        else:
            raise AssertionError(f"{page}:{line} has a block of {language}, which nobody runs")
    assert not printed.strip(), f"at the end of {page} this is printed and not shown:\n{printed}"
    return compared


def _matches(shown: str, printed: str) -> bool:
    pattern = "".join("(?:.*\n)*" if each == "...\n" else re.escape(each) for each in shown.splitlines(keepends=True))
    strip = re.compile(r" +$", re.MULTILINE)
    return re.fullmatch(pattern, strip.sub("", printed)) is not None


def _told(where: str, line: str) -> str:
    arguments = shlex.split(line, comments=True)
    if not arguments or line.startswith(TOLD):
        return ""
    if arguments[0] == "python":
        done = subprocess.run([sys.executable, *arguments[1:]], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{where}: {line}\n{done.stderr}"
        return done.stdout
    assert arguments[0] == "archbudget", f"{where}: {line} is not run"
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = main(arguments[1:])
    # A check that finds a model too large ends with 1.
    assert code == 0 or (code == 1 and arguments[1] == "check"), f"{where}: {line}\n{err.getvalue()}"
    return out.getvalue()
