"""Builds the site of the documentation into target/docs/site: `make docs`.

That is `python docs/site/build.py [FOLDER]` with `tests` on the path, where that is which runs pages. Pages are copied
beside the configuration, so that nothing is written into the checkout. Nothing is fetched. Warnings fail the build, and
so does what `check.py` finds in it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import check
import figures
import notebook

HERE = Path(__file__).parent
DOCS = HERE.parent
ROOT = DOCS.parent
FOLDER = ROOT / "target/docs"


def stage(folder: Path) -> None:
    """Puts together what the site is built of."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(DOCS, folder / "docs", ignore=shutil.ignore_patterns("site", "__pycache__"))
    shutil.copyfile(ROOT / "CHANGELOG.md", folder / "docs/changelog.md")
    for path in (folder / "docs").rglob("*.ipynb"):
        path.with_suffix(".md").write_text(notebook.as_markdown(path), encoding="utf-8")
    shutil.copyfile(HERE / figures.SCRIPT, folder / "docs" / figures.SCRIPT)
    figures.draw(folder / "docs")
    for name in ("zensical.toml", "public.py"):
        shutil.copyfile(HERE / name, folder / name)


def build(folder: Path) -> None:
    """Makes HTML of it; a warning is an error."""
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    warned = [line for line in done.stdout.splitlines() if line.startswith("griffe: ")]
    if done.returncode or warned or not (folder / "site").is_dir():
        raise SystemExit(done.stdout)


def write_llms(folder: Path) -> None:
    """Writes llms.txt, a list of the pages with a sentence each, and the Markdown of each beside its HTML."""
    site = folder / "site"
    lines = ["# archbudget", "", f"> {_sentence((folder / 'docs/index.md').read_text(encoding='utf-8'))}", ""]
    for title, pages in _navigation(folder):
        lines += [f"## {title}", ""]
        for name, path in pages:
            source = DOCS / path  # Without figures; what is made for the site has no other.
            text = (source if source.is_file() else folder / "docs" / path).read_text(encoding="utf-8")
            (site / path).write_text(text, encoding="utf-8")
            lines.append(f"- [{name}]({path}): {_sentence(text)}")
        lines.append("")
    (site / "llms.txt").write_text("\n".join(lines), encoding="utf-8")


def _navigation(folder: Path) -> list[tuple[str, list[tuple[str, str]]]]:
    """The sections of the site with their pages, as titles and paths; pages without a section stand first."""
    import tomllib  # Not in Python 3.10, and neither is what builds the site.

    project = tomllib.loads((folder / "zensical.toml").read_text(encoding="utf-8"))["project"]
    alone: list[tuple[str, str]] = []
    sections = []
    for entry in project["nav"]:
        ((title, what),) = entry.items()
        if isinstance(what, str):
            alone.append((title, what))
        else:
            sections.append((title, [pair for page in what for pair in page.items()]))
    return [("Begin here", alone), *sections]


def _sentence(text: str) -> str:
    """The first sentence of the first paragraph of a page, without links."""
    prose = re.sub(r"^```.*?^```$|<!--.*?-->", "", text, flags=re.DOTALL | re.MULTILINE)
    for paragraph in prose.split("\n\n"):
        plain = re.sub(r"\[([^\]]*)\](\([^)]*\)|\[[^\]]*\])", r"\1", " ".join(paragraph.split()))
        if plain and plain[0] not in "#|-:<!>" and plain[-1] != ":":
            return re.split(r"(?<=[.?]) ", plain)[0]
    raise SystemExit(f"a page without a paragraph: {text[:60]!r}")


def public_names() -> list[str]:
    """Everything that `from archbudget import ...` is for."""
    import archbudget as ab

    modules = {"errors": ab.errors, "metrics": ab.metrics, "plot": ab.plot, "spaces": ab.spaces}
    top = set(ab.__all__) - {"__version__", "layers", *modules}
    below = [f"{name}.{each}" for name, module in modules.items() for each in module.__all__ if each not in top]
    return [f"archbudget.{name}" for name in [*sorted(top), *below]]


def main(arguments: list[str]) -> int:
    """Builds and looks at what was built."""
    if sys.version_info < (3, 11):
        raise SystemExit("the site is built with Python 3.11 or newer: make docs PYTHON=python3.11, without .venv")
    folder = Path(arguments[0]) if arguments else FOLDER
    stage(folder)
    build(folder)
    write_llms(folder)
    found = list(check.faults(folder / "site", public_names()))
    for fault in found:
        print(fault)
    site = folder / "site"
    pages = len(list(site.rglob("*.html")))
    print(f"{pages} pages, {len(found)} faults; python -m http.server -d {site} shows them")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
