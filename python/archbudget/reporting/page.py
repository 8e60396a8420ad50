"""A page of HTML that is complete in itself: its style, its script, and the order of its sections."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from archbudget._core import VERSION
from archbudget._extras import imported
from archbudget._markup import Markup, code, html

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HEIGHT = 420
"""The height of a figure, in pixels, where it has none of its own."""

STYLE = """
:root { color-scheme: light dark; --text: #1d2329; --soft: #56606b; --back: #ffffff; --line: #d8dde3; --good: #1a7f37;
  --bad: #b42318; --mark: #2563a8; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ec; --soft: #a3adb8; --back: #14181d; --line: #39424c;
  --good: #57c26e; --bad: #ff8a80; --mark: #7fb2ea; } }
@media print { :root { color-scheme: light; --text: #000; --soft: #444; --back: #fff; --line: #bbb; --good: #1a7f37;
  --bad: #b42318; --mark: #2563a8; } nav { display: none; }
  figure, tr { break-inside: avoid; } h2 { break-after: avoid; } .scroll { overflow: visible !important; }
  .scroll th, .scroll td { white-space: normal !important; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 16px/1.5 system-ui, -apple-system, "Segoe UI",
  Helvetica, Arial, sans-serif; }
header, main, footer { max-width: 1200px; margin: 0 auto; padding: 0 16px; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 24px 0 8px; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 36px 0 8px; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 0; padding: 8px 0;
  border-bottom: 1px solid var(--line); }
a { color: var(--mark); }
:focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 8px 0; font-size: 0.92rem; }
.scroll th, .scroll td { white-space: nowrap; }
th, td { padding: 3px 12px 3px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 600; }
td svg { vertical-align: middle; }
p, li { overflow-wrap: anywhere; }
figure { margin: 16px 0; }
figcaption { color: var(--soft); overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--mark); }
code { font-size: 0.92em; overflow-wrap: anywhere; }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
footer { margin-top: 40px; padding-bottom: 24px; color: var(--soft); border-top: 1px solid var(--line); }
"""

SCRIPT = """
const dark = window.matchMedia("(prefers-color-scheme: dark)");
function paint(printing) {
  const style = getComputedStyle(document.documentElement);
  const text = printing ? "#000000" : style.getPropertyValue("--text").trim();
  const line = printing ? "#bbbbbb" : style.getPropertyValue("--line").trim();
  for (const plot of document.querySelectorAll(".js-plotly-plot")) {
    const change = { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", "font.color": text };
    for (const axis of Object.keys(plot._fullLayout || {}).filter(name => /^[xy]axis\\d*$/.test(name)))
      for (const what of ["grid", "zeroline", "line"]) change[axis + "." + what + "color"] = line;
    Plotly.relayout(plot, change);
  }
}
if (window.Plotly) {
  paint(false);
  dark.addEventListener("change", () => paint(false));
  window.addEventListener("beforeprint", () => paint(true));
  window.addEventListener("afterprint", () => paint(false));
}
const opened = [];
window.addEventListener("beforeprint", () => {
  for (const each of document.querySelectorAll("details:not([open])")) { each.open = true; opened.push(each); }
});
window.addEventListener("afterprint", () => { while (opened.length) opened.pop().open = false; });
"""

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:; font-src data:"
)
"""What a browser lets the page do: nothing from elsewhere."""


class Section(NamedTuple):
    """A part of a page under a heading."""

    title: str
    parts: tuple[Markup, ...]
    has_figure: bool = False


@dataclass(frozen=True)
class Page:
    """A whole page."""

    title: str
    sections: tuple[Section, ...]
    command: str | None

    def html(self) -> str:
        """The text of the file."""
        anchors = _anchors([section.title for section in self.sections])
        links = "".join(
            f'<li><a href="#{anchor}">{html(section.title).html}</a></li>'
            for anchor, section in zip(anchors, self.sections, strict=True)
        )
        body = "".join(
            f'<section aria-labelledby="{anchor}"><h2 id="{anchor}">{html(section.title).html}</h2>'
            f"{''.join(part.html for part in section.parts)}</section>"
            for anchor, section in zip(anchors, self.sections, strict=True)
        )
        library = ""
        if any(section.has_figure for section in self.sections):
            library = f"<script>{imported('plotly.offline', 'a report').get_plotlyjs()}</script>"
        made = f"<p>Made by archbudget {VERSION}.</p>"
        if self.command is not None:
            made = f"<p>Made by archbudget {VERSION} with the command</p><p>{code(self.command).html}</p>"
        title = html(self.title).html
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<link rel="icon" href="data:,"><title>{title}</title><style>{STYLE}</style>{library}</head>\n'
            f'<body><header><h1>{title}</h1><nav aria-label="Sections"><ul>{links}</ul></nav></header>\n'
            f"<main>{body}</main>\n<footer>{made}</footer><script>{SCRIPT}</script></body></html>\n"
        )


def _anchors(titles: list[str]) -> list[str]:
    """A name for each section that occurs once."""
    return [f"{place + 1}-{re.sub('[^a-z0-9]+', '-', title.lower()).strip('-')}" for place, title in enumerate(titles)]


def figure_markup(figure: Figure, numbers: Markup | None) -> Markup:
    """A figure with its title as a caption, and the numbers that it shows behind a fold.

    Args:
        figure: The figure; its title and colours change.
        numbers: A table of what it shows, for those who do not see it.
    """
    heading = figure.layout.title
    said = [text for text in (heading.text, heading.subtitle.text) if text]
    height = figure.layout.height or HEIGHT
    figure.update_layout(title=None, margin={"t": 40, "l": 10, "r": 10, "b": 10}, autosize=True, height=height)
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
    drawn = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        default_height=f"{height}px",
        config={"responsive": True, "displayModeBar": False},
    )
    caption = "; ".join(html(text).html for text in said)
    folded = "" if numbers is None else fold("The numbers of the figure", numbers).html
    shown = f'<div role="img" aria-label="{caption}">{drawn}</div><figcaption>{caption}</figcaption>'
    return Markup(f"<figure>{shown}{folded}</figure>")


def fold(title: str, content: Markup) -> Markup:
    """What is shown when one asks for it."""
    return Markup(f"<details><summary>{html(title).html}</summary>{scroll(title, content).html}</details>")


def scroll(title: str, content: Markup) -> Markup:
    """What may be wider than the page, and is then moved by itself, also with the keyboard."""
    return Markup(
        f'<div class="scroll" role="region" tabindex="0" aria-label="{html(title).html}">{content.html}</div>'
    )


def verdict_markup(text: str, *, good: bool) -> Markup:
    """A sentence that is good or bad news; the word says so beside the colour."""
    return Markup(f'<p class="{"good" if good else "bad"}">{html(text).html}</p>')


def items(texts: list[str]) -> Markup:
    """A list of sentences."""
    return Markup(f"<ul>{''.join(f'<li>{html(text).html}</li>' for text in texts)}</ul>" if texts else "")
