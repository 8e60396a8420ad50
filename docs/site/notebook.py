"""Runs a notebook and writes it as Markdown: the cells in their order, with what they print and show.

It needs no Jupyter: a cell is Python, and what its last line gives is shown by its `_repr_html_`, as notebooks do.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from support.pages import cell

if TYPE_CHECKING:
    from pathlib import Path


def as_markdown(path: Path) -> str:
    """The text of a page.

    Raises:
        Exception: Whatever a cell raises.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    parts = []
    for number, each in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"], 1):
        source = "".join(each["source"])
        if each["cell_type"] == "markdown":
            parts.append(source)
        else:
            parts.append(f"```python\n{source}\n```")
            printed, shown = cell(source, f"{path.name}, cell {number}", names)
            if printed:
                parts.append(f"```text\n{printed.rstrip()}\n```")
            if shown is not None:
                parts.append(_shown(shown))
    return "\n\n".join(parts) + "\n"


def _shown(value: Any) -> str:
    html = value._repr_html_() if hasattr(value, "_repr_html_") else None
    if html is None:
        return f"```text\n{value!r}\n```"
    # An empty line would end the HTML for Markdown.
    return "<div>" + re.sub(r"\s*\n\s*", " ", html) + "</div>"
