"""Text as HTML and Markdown, and small pictures in SVG. Names come from anywhere, so everything is escaped."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from archbudget._message import cut, line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BAR_WIDTH, BAR_HEIGHT = 120, 10
"""The size of a bar, in pixels."""
PICTURE_WIDTH, PICTURE_HEIGHT = 360, 90
"""The size of a histogram, in pixels."""
COLOR = "#4c78a8"
LONGEST = 200
"""The most characters of one text."""


class Markup(NamedTuple):
    """A piece of HTML, which stays as it is."""

    html: str


def html(text: object, longest: int = LONGEST) -> Markup:
    """A text as HTML, on one line of at most so many characters."""
    return Markup(escape(line(cut(str(text), longest))))


def code(text: object, longest: int = LONGEST) -> Markup:
    """A text as code."""
    return Markup(f"<code>{html(text, longest).html}</code>")


def bar(share: float | None) -> Markup:
    """A bar for a share from 0 to 1, with the share beside it; nothing for one that is unknown."""
    if share is None:
        return html("unknown")
    width = round(BAR_WIDTH * min(max(share, 0), 1), 1)
    return Markup(
        f'<svg width="{BAR_WIDTH}" height="{BAR_HEIGHT}" role="img" aria-label="{100 * share:.1f} %">'
        f'<rect width="{width:g}" height="{BAR_HEIGHT}" fill="{COLOR}"/></svg> {100 * share:.1f} %'
    )


def histogram(heights: Sequence[float], low: object, high: object, title: object) -> Markup:
    """A picture of a distribution: a column for each height, and what stands at both ends of the axis."""
    most, width = max(heights), PICTURE_WIDTH / len(heights)
    columns = "".join(
        f'<rect x="{place * width:.2f}" y="{PICTURE_HEIGHT * (1 - height / most):.2f}" width="{width * 0.95:.2f}" '
        f'height="{PICTURE_HEIGHT * height / most:.2f}"/>'
        for place, height in enumerate(heights)
        if height
    )
    return Markup(
        f'<svg width="{PICTURE_WIDTH}" height="{PICTURE_HEIGHT + 18}" role="img" aria-label="{html(title).html}">'
        f'<g fill="{COLOR}">{columns}</g><g font-size="11" fill="currentColor">'
        f'<text x="0" y="{PICTURE_HEIGHT + 14}">{html(low).html}</text>'
        f'<text x="{PICTURE_WIDTH}" y="{PICTURE_HEIGHT + 14}" text-anchor="end">{html(high).html}</text></g></svg>'
    )


def table(titles: Sequence[str], rows: Iterable[Sequence[Markup | str]], *, left: int = 1) -> Markup:
    """A table whose first columns are aligned to the left, and all others to the right."""

    def cell(tag: str, place: int, content: Markup | str) -> str:
        inside = content.html if isinstance(content, Markup) else html(content).html
        side = "left" if place < left else "right"
        return f'<{tag} style="text-align: {side}">{inside}</{tag}>'

    head = "".join(cell("th", place, title) for place, title in enumerate(titles))
    body = "".join(f"<tr>{''.join(cell('td', place, each) for place, each in enumerate(row))}</tr>" for row in rows)
    return Markup(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def paragraph(*parts: Markup | str) -> Markup:
    """Pieces in a row."""
    return Markup(f"<p>{' '.join(each.html if isinstance(each, Markup) else html(each).html for each in parts)}</p>")


def division(*parts: Markup | None) -> str:
    """Pieces below each other, as one element."""
    return f"<div>{''.join(part.html for part in parts if part is not None)}</div>"


def markdown(text: str) -> str:
    """A text that Markdown shows as it is."""
    shown = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", line(text))
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def markdown_code(text: str) -> str:
    """A text as code in Markdown."""
    shown = line(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    space = " " if shown[:1] == "`" or shown[-1:] == "`" else ""
    return f"{fence}{space}{shown}{space}{fence}"
