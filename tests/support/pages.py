"""The blocks of code of a page, run one after the other as a reader would.

- Python blocks share their names. What they print is the `text` block below them, and nothing else is printed.
- A block with a title is a file of that name: `title="space.yaml"`. `yaml` without one is a space file, which is read.
- Lines of `sh` blocks that call `archbudget` or `python` are run; others only tell how to install something.
- `<!-- needs: torch -->` at the top of a page names packages without which it cannot run.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from archbudget import files
from archbudget.cli import main

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TOLD = ("pip install ", "make ", "git ", "export ")
"""What a line of a shell may begin with that is told and not run."""


class Block(NamedTuple):
    """A block of code of a page."""

    line: int
    language: str
    title: str
    code: str


def blocks(text: str) -> list[Block]:
    """All of them, in their order; where a line includes a script of `docs/`, it is that."""
    text = re.sub(
        r'^--8<-- "([\w/]+\.py)"$', lambda name: (DOCS / name[1]).read_text("utf-8"), text, flags=re.MULTILINE
    )
    found = re.finditer(r'^ *```(\w+)(?: +title="([^"]+)")?[^\n]*\n(.*?)^ *```$', text, flags=re.DOTALL | re.MULTILINE)
    return [
        Block(text.count("\n", 0, each.start()) + 1, each[1], each[2] or "", textwrap.dedent(each[3])) for each in found
    ]


def needs(text: str) -> list[str]:
    """The packages that a page names."""
    found = re.search(r"<!-- needs: ([\w, ]+) -->", text)
    return found[1].replace(",", " ").split() if found else []


def run(page: str, text: str) -> int:
    """Runs a page in the current folder, and says how many outputs were compared.

    Raises:
        AssertionError: If something else is printed than is shown.
    """
    module = ModuleType("__main__")
    printed, compared = "", 0
    for line, language, title, code in blocks(text):
        if language == "text":
            # A line of dots stands for any number of lines.
            assert _matches(code, printed), f"{page}:{line} shows\n{code}\nbut this is printed:\n{printed}"
            printed, compared = "", compared + 1
            continue
        assert not printed.strip(), f"before {page}:{line} this is printed and not shown:\n{printed}"
        if title:
            Path(title).write_text(code, encoding="utf-8")
        elif language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile("\n" * line + code, page, "exec"), module.__dict__)
            printed = out.getvalue()
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
