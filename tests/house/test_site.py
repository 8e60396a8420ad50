"""What looks at the built site finds each kind of fault; the site has every page and every public name."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import archbudget as ab
from archbudget import layers
from support import diagram_figures, layer_reference, reference_pages
from support.pages import DOCS, ROOT, blocks

SITE = DOCS / "site"
REFERENCE = {
    path.relative_to(DOCS / "reference").as_posix(): path.read_text(encoding="utf-8")
    for path in (DOCS / "reference").rglob("*.md")
}
"""The pages of the reference."""


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SITE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def check() -> ModuleType:
    return _module("check")


@pytest.fixture(scope="module")
def build(check: ModuleType) -> ModuleType:
    beside = {"check": check, **{name: _module(name) for name in ("figures", "notebook")}}
    sys.modules.update(beside)
    try:
        return _module("build")
    finally:
        for name in beside:
            del sys.modules[name]


HTML = """<!doctype html>
<html><head><title>{title}</title><link rel="stylesheet" href="{up}style.css"></head>
<body><h1 id="top">{title}</h1><p>{body}</p><p><code>a[b](c) **d** {{{{ e }}}}</code></p></body></html>
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two pages that are in order."""
    (tmp_path / "more").mkdir()
    (tmp_path / "style.css").write_text("")
    (tmp_path / "index.html").write_text(
        HTML.format(title="First", up="", body='<a href="more/second.html#top">on</a> <a href="https://a.org">out</a>')
    )
    (tmp_path / "more/second.html").write_text(
        HTML.format(title="Second", up="../", body='<a href="../index.html">b</a>')
    )
    items = [{"location": each, "title": each, "text": "words"} for each in ("index.html", "more/second.html#top")]
    (tmp_path / "search.json").write_text(json.dumps({"items": items}))
    return tmp_path


def test_a_site_in_order_has_no_fault(check: ModuleType, site: Path) -> None:
    assert list(check.faults(site, ["top"])) == []
    assert check.main([str(site)]) == 0


def _replaced(path: str, old: str, new: str) -> Callable[[Path], None]:
    def change(site: Path) -> None:
        text = (site / path).read_text()
        assert old in text
        (site / path).write_text(text.replace(old, new))

    return change


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "no page": (lambda site: (site / "more/second.html").unlink(), "index.html: more/second.html#top leads nowhere"),
    "no heading": (_replaced("index.html", "#top", "#bottom"), "more/second.html#bottom leads to no heading there"),
    "outside": (_replaced("index.html", "https://a.org", "../../etc"), "../../etc leads out of the site"),
    "no scheme": (_replaced("index.html", "https://a.org", "http://a.org"), "http://a.org is a link of another kind"),
    "no style": (lambda site: (site / "style.css").unlink(), "more/second.html: ../style.css leads nowhere"),
    "fetched": (_replaced("index.html", "style.css", "https://cdn.org/a.css"), "https://cdn.org/a.css is fetched"),
    "fetched, of any scheme": (_replaced("index.html", "style.css", "//cdn.org/a.css"), "//cdn.org/a.css is fetched"),
    "directive": (_replaced("index.html", "out<", "\n::: archbudget.Space<"), "a directive was not rendered"),
    "include": (_replaced("index.html", "out<", '--8<-- "a.md"<'), "an include was not rendered"),
    "include in code": (_replaced("index.html", "<code>", '<code>--8<-- "a.py" '), "an include was not rendered"),
    "fence": (_replaced("index.html", "out<", "```python<"), "a fence was not rendered"),
    "link": (_replaced("index.html", "out<", "[Space][archbudget.Space]<"), "a link was not rendered"),
    "inline link": (_replaced("index.html", "out<", "[Space](space.md)<"), "a link was not rendered"),
    "admonition": (_replaced("index.html", "out<", "\n!!! note<"), "an admonition was not rendered"),
    "table": (_replaced("index.html", "out<", "\n| a | b |\n<"), "a row of a table was not rendered"),
    "heading": (_replaced("index.html", "out<", "\n## More<"), "a heading was not rendered"),
    "template": (_replaced("index.html", "out<", "{{ a }}<"), "a template was not rendered"),
    "bold": (_replaced("index.html", "out<", "**a<"), "bold text was not rendered"),
    "reference": (_replaced("index.html", "out<", '<autoref identifier="a.B">B</autoref><'), "the reference to a.B"),
    "twice": (_replaced("index.html", "<p>", '<p id="top">'), "two things are called #top"),
    "no title": (_replaced("index.html", "<title>First", "<title>"), "index.html: it has no title"),
    "two headings": (_replaced("index.html", "<p>", "<h1>b</h1><p>"), "first headings"),
    "lonely": (_replaced("index.html", 'href="more/second.html#top"', ""), "more/second.html: no page leads here"),
    "no index": (lambda site: (site / "search.json").unlink(), "the search has no index: FileNotFoundError"),
    "broken index": (lambda site: (site / "search.json").write_text("{}"), "the search has no index: KeyError"),
    "unknown page": (_replaced("search.json", "more/", "other/"), "the search does not know more/second.html"),
    "no first page": (lambda site: (site / "index.html").unlink(), "there is no index.html"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_fault_is_found(name: str, check: ModuleType, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change, expected = BROKEN[name]
    change(site)
    assert any(expected in fault for fault in check.faults(site)), list(check.faults(site))
    assert check.main([str(site)]) == 1
    assert expected in capsys.readouterr().out


def test_names_without_a_place_are_found(check: ModuleType, site: Path) -> None:
    assert list(check.faults(site, ["top", "archbudget.Space"])) == ["archbudget.Space is on no page"]


def test_it_runs_as_a_program(site: Path) -> None:
    (site / "style.css").unlink()
    done = subprocess.run([sys.executable, SITE / "check.py", site], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.endswith(f"2 faults in {site}\n")


CONFIGURATION = (SITE / "zensical.toml").read_text(encoding="utf-8")


def test_every_page_is_in_the_navigation() -> None:
    notebooks = {path.relative_to(DOCS).with_suffix(".md").as_posix() for path in DOCS.rglob("*.ipynb")}
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} | notebooks | {"changelog.md"}
    named = re.findall(r'"([\w/-]+\.md)"', CONFIGURATION)
    assert sorted(named) == sorted(pages)


def test_the_reference_has_every_public_name(build: ModuleType) -> None:
    pages = "\n".join(path.read_text(encoding="utf-8") for path in (DOCS / "reference").rglob("*.md"))
    shown = re.findall(r"^::: ([\w.]+)$", pages, flags=re.MULTILINE)
    names = build.public_names()
    assert {"archbudget.Space", "archbudget.errors.LimitError", "archbudget.plot.pareto"} <= set(names)
    assert len(names) > len(ab.__all__)
    assert sorted({*shown} - {each for each in shown if each.startswith("archbudget.layers.")}) == sorted(names)
    assert len(set(shown)) == len(shown)


def test_the_reference_has_every_layer() -> None:
    shown = [
        name for text in REFERENCE.values() for name in re.findall(r"^::: archbudget\.layers\.([\w.]+)$", text, re.M)
    ]
    known = {*layers.__all__, *(f"transformers.{name}" for name in layers.transformers.__all__)}
    assert sorted(shown) == sorted(known - set(ab.__all__) - {"transformers"})


@pytest.mark.parametrize("page", [f"layers/{name}.md" for name in layer_reference.FAMILIES] + ["layers.md"])
def test_every_layer_has_an_example_below_it(page: str) -> None:
    """What `test_pages.py` runs; `Cell` is what cells derive from, and the docstring of `custom` has its own."""
    _, *parts = re.split(r"^::: archbudget\.layers\.", REFERENCE[page], flags=re.MULTILINE)
    without = [part.split()[0] for part in parts if "```python" not in part]
    assert set(without) <= {"Cell", "custom"}
    assert len(parts) > 1
    for part in parts if page.startswith("layers/") else []:
        assert part.split()[0] in ("Cell", *re.findall(r"\w+", part.partition("```python")[2]))


@pytest.mark.parametrize("name", layer_reference.pages())
def test_the_pages_of_layers_are_up_to_date(name: str) -> None:
    assert REFERENCE[f"layers/{name}"] == layer_reference.pages()[name], "make derived writes it"


@pytest.mark.parametrize(
    "module", ["archbudget", "archbudget.errors", "archbudget.metrics", "archbudget.plot", "archbudget.spaces"]
)
def test_every_public_name_has_an_example(module: str) -> None:
    """In its docstring, which `test_docs.py` runs; constants have none."""
    home = importlib.import_module(module)
    named = {name: getattr(home, name) for name in home.__all__}
    without = {name for name, made in named.items() if callable(made) and ">>> " not in (inspect.getdoc(made) or "")}
    assert not without
    assert sum(map(callable, named.values())) > 5


def test_the_table_of_names_is_up_to_date() -> None:
    assert (DOCS / "reference/index.md").read_text(encoding="utf-8") == reference_pages.index(), (
        "make derived writes it"
    )


def test_the_figures_are_those_of_the_space_on_the_page() -> None:
    page = (DOCS / "concepts/diagram.md").read_text(encoding="utf-8")
    code = next(each.code for each in blocks(page) if each.language == "python")
    names: dict[str, Any] = {}
    exec(code.replace("print(space.describe())", ""), names)
    assert names["space"] == diagram_figures.space()
    for name, text in diagram_figures.figures().items():
        assert f"]({name})" in page
        assert (DOCS / "concepts" / name).read_text(encoding="utf-8") == text, "make derived writes it"


def test_the_figure_of_a_budget_is_that_of_all_networks() -> None:
    """The arcs that are not dashed are those of the networks that fit, and the numbers in the nodes those of all."""
    diagram, space = diagram_figures.Diagram(diagram_figures.space()), diagram_figures.space()
    fits = list(space.within(ab.Budget(params=diagram_figures.BOUND)))
    assert 0 < len(fits) < space.size == diagram.ways()[0]
    taken = {(name, value) for arch in fits for name, value in arch.items()}
    inside = diagram.inside(diagram_figures.BOUND)
    assert {(diagram.titles[diagram.columns[arc.start]], arc.value) for arc in inside} == taken
    assert 0 < len(inside) < len(diagram.arcs)


def test_the_list_for_language_models_has_a_sentence_for_each_page(build: ModuleType, tmp_path: Path) -> None:
    build.stage(tmp_path / "docs")
    (tmp_path / "docs/site/reference").mkdir(parents=True)
    for path in (tmp_path / "docs/docs").rglob("*.md"):
        (tmp_path / "docs/site" / path.relative_to(tmp_path / "docs/docs")).parent.mkdir(parents=True, exist_ok=True)
    if sys.version_info < (3, 11):
        pytest.skip("the site is built with Python 3.11 or newer")
    build.write_llms(tmp_path / "docs")
    text = (tmp_path / "docs/site/llms.txt").read_text(encoding="utf-8")
    entries = re.findall(r"^- \[[^\]]+\]\(([\w/-]+\.md)\): \S.*\S$", text, flags=re.MULTILINE)
    assert sorted(entries) == sorted(re.findall(r'"([\w/-]+\.md)"', CONFIGURATION))
    for entry in entries:
        assert (tmp_path / "docs/site" / entry).is_file()


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.ipynb")), ids=lambda path: path.stem)
def test_the_notebooks_are_kept_without_outputs_and_run(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert all(not cell["outputs"] for cell in cells if cell["cell_type"] == "code")
    text = _module("notebook").as_markdown(path)
    assert text.startswith("# ")
    assert "<div>" in text
    assert "<table" in text


def test_a_notebook_shows_what_its_cells_print_and_give(tmp_path: Path) -> None:
    def written(*cells: str) -> Path:
        made = [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
        path = tmp_path / "a.ipynb"
        path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": ["# A"]}, *made]}))
        return path

    as_markdown = _module("notebook").as_markdown
    assert as_markdown(written("x = 2\nprint(x)", "x + 1")) == (
        "# A\n\n```python\nx = 2\nprint(x)\n```\n\n```text\n2\n```\n\n```python\nx + 1\n```\n\n```text\n3\n```\n"
    )
    table = "class T:\n    def _repr_html_(self):\n        return '<p>\\n\\na</p>'\nT()"
    assert as_markdown(written(table)).endswith("```\n\n<div><p> a</p></div>\n")
    with pytest.raises(ZeroDivisionError):
        as_markdown(written("1 / 0"))


def test_figures_stand_below_the_code_that_makes_them(tmp_path: Path) -> None:
    if sys.version_info < (3, 11):
        pytest.skip("the site is built with Python 3.11 or newer")
    figures = _module("figures")
    page = (
        '# A\n\n```python title="two.py"\ntwo = 2\n```\n\n```python\nfrom two import two\n'
        'from plotly.graph_objects import Figure\nFigure([{"y": [1, two]}], {"title": {"text": "Two"}})\n'
        "```\n\n<!-- figure -->\n\nBelow.\n"
    )
    (tmp_path / "more").mkdir()
    (tmp_path / "more/page.md").write_text(page)
    (tmp_path / "other.md").write_text("# B\n")
    before = Path.cwd(), [*sys.path]
    figures.draw(tmp_path)
    del sys.modules["two"]
    assert before == (Path.cwd(), sys.path)
    text = (tmp_path / "more/page.md").read_text()
    code, _, below = text.partition("<figure>")
    assert code == page.partition("<!--")[0] + '<script src="../plotly.js"></script>\n\n'
    assert re.search(
        r'^<div role="img" aria-label="Two">.*\[1,2\].*<figcaption>Two</figcaption></figure>\n\nBelow', below, re.S
    )
    assert text.endswith('<script src="../figures.js"></script>\n')
    assert (tmp_path / "other.md").read_text() == "# B\n"
    assert "Plotly" in (tmp_path / "plotly.js").read_text(encoding="utf-8")
    with pytest.raises(AssertionError, match="no block of code"):
        figures.with_figures("page", "# A\n\n<!-- figure -->\n", "")


def test_links_of_the_readme_lead_somewhere() -> None:
    """Those to files; `make docs` looks at those between pages."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(links) > 10
    assert not [link for link in links if not (ROOT / link).exists()]


def test_what_builds_the_site_is_pinned() -> None:
    pins = dict(re.findall(r"^([\w-]+)==([\w.]+)", (ROOT / "requirements-docs.txt").read_text(), flags=re.MULTILINE))
    assert {"zensical", "mkdocstrings", "mkdocstrings-python"} <= set(pins)
    others = re.findall(r"^([\w-]+)==([\w.]+)(?! *;)$", (ROOT / "requirements.txt").read_text(), flags=re.MULTILINE)
    both = {name: version for name, version in others if name in pins}
    assert {"pygments", "pyyaml"} <= set(both)
    assert both == {name: pins[name] for name in both}, "one environment has both"
