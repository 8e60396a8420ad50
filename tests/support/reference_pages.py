"""Writes `docs/reference/index.md`: every public name with the first sentence of its docstring.

`make derived` runs it.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import archbudget as ab

FOLDER = Path(__file__).parents[2] / "docs/reference"

PAGES = {
    "Spaces": "space",
    "Decisions and blocks": "decisions",
    "Budgets and what fits": "budgets",
    "Networks": "networks",
    "Searching": "searching",
    "Metrics": "metrics",
    "Figures": "plot",
    "Reports": "report",
    "Published spaces": "spaces",
    "Errors": "errors",
}
"""The pages of the reference, by their titles."""

CONSTANTS = {
    "archbudget.plot.ALONE": "The formats that plotly writes without another package.",
    "archbudget.plot.FORMATS": "All formats of figures.",
    "archbudget.spaces.TRANSFORMERS": "The arguments of `transformer` for published models, by their names.",
    "archbudget.spaces.SHELF": "The published spaces by name, with functions, papers and published sizes.",
}
"""What has no docstring while it runs."""


def index() -> str:
    """The text of `docs/reference/index.md`."""
    lines = [
        "# All names",
        "",
        "<!-- Made by `make derived`. -->",
        "",
        "`import archbudget as ab` has these names; `from archbudget import layers` has the [layers](layers.md).",
        "",
    ]
    for title, page in PAGES.items():
        text = (FOLDER / f"{page}.md").read_text(encoding="utf-8")
        lines += [f"## [{title}]({page}.md)", "", "| name | what it is |", "|---|---|"]
        for path in re.findall(r"^::: ([\w.]+)$", text, flags=re.MULTILINE):
            lines.append(f"| [`{path.replace('archbudget', 'ab')}`][{path}] | {_sentence(path)} |")
        lines.append("")
    return "\n".join(lines)


def _sentence(path: str) -> str:
    if path in CONSTANTS:
        return CONSTANTS[path]
    made: object = ab
    for name in path.split(".")[1:]:
        made = getattr(made, name)
    text = inspect.getdoc(made)
    assert text, path
    first = re.split(r"(?<=[.:]) ", " ".join(text.split("\n\n")[0].split()))[0]
    return re.sub(r"\[([^\]]*)\]\[[^\]]*\]", r"\1", first).rstrip(":.").replace("|", "\\|") + "."


if __name__ == "__main__":
    (FOLDER / "index.md").write_text(index(), encoding="utf-8")
