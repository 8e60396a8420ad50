"""Runs pages whose blocks of code make figures, and puts these below the blocks.

It is the run of the tests (`tests/support/pages.py`), so a page whose blocks print something else than it shows is not
built. Figures are plotly's, and its script is a file of the site. `figures.js` gives them the colours of the page.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from plotly.offline import get_plotlyjs

from archbudget.reporting.page import figure_markup
from support.pages import FIGURE, run

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT, LIBRARY = "figures.js", "plotly.js"
"""Scripts of the site."""


def draw(folder: Path) -> None:
    """Puts figures into the pages of a folder, in the place of their marks, and beside them the library that draws."""
    (folder / LIBRARY).write_text(get_plotlyjs(), encoding="utf-8")
    for path in sorted(folder.rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        if FIGURE in text:
            page = path.relative_to(folder)
            path.write_text(with_figures(page.as_posix(), text, "../" * (len(page.parts) - 1)), encoding="utf-8")


def with_figures(page: str, text: str, up: str) -> str:
    """A page with its figures; `up` leads from it to the scripts.

    Raises:
        AssertionError: If its blocks print something else than is shown.
    """
    figures: list[Any] = []
    with tempfile.TemporaryDirectory() as aside, contextlib.chdir(aside):
        sys.path.insert(0, aside)  # Where the files of the page are.
        try:
            run(page, text, figures.append)
        finally:
            sys.path.remove(aside)
    first, *parts = text.split(FIGURE)
    assert len(parts) == len(figures), f"{page} has {FIGURE} where no block of code stands above it"
    library = f'<script src="{up}{LIBRARY}"></script>\n\n'
    shown = [f"{figure_markup(each, None).html}{part}" for each, part in zip(figures, parts, strict=True)]
    return f'{first}{library}{"".join(shown)}\n\n<script src="{up}{SCRIPT}"></script>\n'
