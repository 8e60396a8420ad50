"""Looks at a site as it was built: `python docs/site/check.py FOLDER` prints every fault, and fails if there is one.

Every link leads to a page and a heading that exist, nothing is fetched from elsewhere, no Markdown or directive was
left as it was written, every page is reached from the first one and has a title, and the search knows every page.
"""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

UNRENDERED = {
    "a directive": re.compile(r"^\s*:::\s", re.MULTILINE),
    "a fence": re.compile(r"```|~~~"),
    "a link": re.compile(r"\]\(|\]\["),
    "an admonition": re.compile(r"^\s*(!!!|\?\?\?)", re.MULTILINE),
    "a heading": re.compile(r"^#{1,6} ", re.MULTILINE),
    "a row of a table": re.compile(r"^\|.*\|\s*$|\|\s*:?-{2,}:?\s*\|", re.MULTILINE),
    "a template": re.compile(r"\{\{|\}\}|\{%|%\}"),
    "bold text": re.compile(r"\*\*"),
}
"""What Markdown and its extensions leave in the text where they did not understand it; code is not looked at."""

LITERAL = {"code", "pre", "script", "style", "svg", "textarea"}
CODE = "\N{WHITE SQUARE}"
"""Stands for code in the text, so that what is before it and what follows are not joined."""

LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("link", "href"), ("image", "href")}
"""What a browser fetches by itself."""

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Page(HTMLParser):
    """What one page has: links, anchors, titles, and the text that is not code."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.repeated: list[str] = []
        self.unresolved: list[str] = []
        self.headings = 0
        self.title = ""
        self.words: list[str] = []
        self.written: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keeps what the tag names."""
        given = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self._open.append(tag)
        if anchor := given.get("id", ""):
            (self.repeated.append if anchor in self.anchors else self.anchors.add)(anchor)
        if tag == "a" and "name" in given:
            self.anchors.add(given["name"])
        if tag == "autoref" or "data-autorefs-identifier" in given:
            self.unresolved.append(given.get("identifier", "") or given.get("data-autorefs-identifier", ""))
        for name in ("href", "src"):
            if name not in given or (tag, given.get("rel")) == ("link", "canonical"):
                continue
            (self.loaded if (tag, name) in LOADED else self.links).append(given[name])
        if tag == "h1":
            self.headings += 1

    def handle_endtag(self, tag: str) -> None:
        """Closes the tag, and what was left open inside of it."""
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        """Keeps the text, and apart that which is not code."""
        self.written.append(data)
        if "title" in self._open and "svg" not in self._open:
            self.title += data
        if not LITERAL.intersection(self._open):
            self.words.append(data)
        elif not self.words or self.words[-1] != CODE:
            self.words.append(CODE)

    @property
    def text(self) -> str:
        """The text that is not code."""
        return "".join(self.words)


def faults(folder: Path, names: Iterable[str] = ()) -> Iterator[str]:
    """Everything that is wrong with the site in a folder, one line each.

    Args:
        folder: Where the site was built.
        names: Anchors that some page must have, such as those of the public names.
    """
    root = folder.resolve()
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(root.rglob("*.html"))}
    if root / "index.html" not in pages:
        yield f"{folder}: there is no index.html"
        return
    reached: dict[Path, set[Path]] = {}
    for path, page in pages.items():
        where = path.relative_to(root).as_posix()
        yield from (f"{where}: {fault}" for fault in _faults_of_text(page))
        reached[path] = set()
        for link in page.links:
            target, fault = _followed(root, path, link, pages)
            if fault:
                yield f"{where}: {fault}"
            elif target is not None:
                reached[path].add(target)
        for link in page.loaded:
            if urlsplit(link).scheme not in ("", "data") or link.startswith("//"):
                yield f"{where}: {link} is fetched from elsewhere"
            elif fault := _followed(root, path, link, pages)[1]:
                yield f"{where}: {fault}"
    yield from _faults_of_reach(root, reached)
    yield from _faults_of_search(root, pages)
    anchors = {anchor for page in pages.values() for anchor in page.anchors}
    yield from (f"{name} is on no page" for name in names if name not in anchors)


def _faults_of_text(page: Page) -> Iterator[str]:
    if not page.title.strip():
        yield "it has no title"
    if page.headings != 1:
        yield f"it has {page.headings} first headings"
    yield from (f"two things are called #{anchor}" for anchor in page.repeated)
    yield from (f"the reference to {name} leads nowhere" for name in page.unresolved)
    # Includes stand in code, too.
    if "-8<-" in "".join(page.written):
        yield "an include was not rendered"
    for what, pattern in UNRENDERED.items():
        if found := pattern.search(page.text):
            around = page.text[max(0, found.start() - 30) : found.end() + 30]
            yield f"{what} was not rendered: {' '.join(around.split())}"


def _followed(root: Path, path: Path, link: str, pages: dict[Path, Page]) -> tuple[Path | None, str]:
    """Where a link leads, if to a file of the site, and what is wrong with it."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None, "" if parts.scheme in ("https", "mailto", "data") else f"{link} is a link of another kind"
    to = unquote(parts.path)
    target = path if not to else ((root / to.lstrip("/")) if to.startswith("/") else (path.parent / to)).resolve()
    if target.is_dir():
        target /= "index.html"
    if not target.is_relative_to(root):
        return None, f"{link} leads out of the site"
    if not target.is_file():
        return None, f"{link} leads nowhere"
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
        return None, f"{link} leads to no heading there"
    return target, ""


def _faults_of_reach(root: Path, reached: dict[Path, set[Path]]) -> Iterator[str]:
    seen: set[Path] = set()
    waiting = [root / "index.html"]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting.extend(reached.get(path, ()))
    for path in sorted(set(reached) - seen):
        if path.name != "404.html":
            yield f"{path.relative_to(root).as_posix()}: no page leads here"


def _faults_of_search(root: Path, pages: dict[Path, Page]) -> Iterator[str]:
    try:
        items = json.loads((root / "search.json").read_text(encoding="utf-8"))["items"]
        found = {urlsplit(item["location"]).path: item["text"] + item["title"] for item in items}
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield f"search.json: the search has no index: {type(error).__name__}: {error}"
        return
    for path in pages:
        where = path.relative_to(root).as_posix()
        if path.name != "404.html" and not found.get(where, "").strip():
            yield f"search.json: the search does not know {where}"


def main(arguments: list[str]) -> int:
    """Prints the faults of a folder."""
    if len(arguments) != 1:
        print("usage: python docs/site/check.py FOLDER", file=sys.stderr)
        return 2
    found = list(faults(Path(arguments[0])))
    for fault in found:
        print(fault)
    print(f"{len(found)} faults in {arguments[0]}")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
