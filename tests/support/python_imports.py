"""Which file of a package imports which: every import counts, lazy and type-only ones too."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def python_imports(package: Path) -> dict[str, set[str]]:
    """For each file of a package the other files of it that it names.

    Files go by their paths in the package without the suffix, such as `space/family`; an extension or a stub counts as
    a file. A name that a package hands on is an import of its `__init__`.
    """
    files = {
        path.relative_to(package).with_suffix("").as_posix()
        for suffix in ("*.py", "*.pyi")
        for path in package.rglob(suffix)
    }
    found: dict[str, set[str]] = {}
    for file in sorted(files):
        path = package / f"{file}.py"
        named = _named(path, package.name) if path.exists() else iter(())
        found[file] = {target for name in named for target in _files(name, files)} - {file}
    return found


def _named(path: Path, package: str) -> Iterator[str]:
    """The modules and attributes that a file names, below the package."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.removeprefix(f"{package}.") for name in names if name.partition(".")[0] == package)


def _files(name: str, files: set[str]) -> Iterator[str]:
    """The file that a dotted name stands for: the longest part of it that is one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        path = "/".join(parts[:length])
        if path in files:
            yield path
            return
        if f"{path}/__init__" in files:
            yield f"{path}/__init__"
            return
    yield "__init__"


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """The circles: groups of files, each of which leads to all others of its group. O(files + arrows)."""
    # Tarjan, Depth-first search and linear graph algorithms, 1972.
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(file: str) -> None:
        number[file] = lowest[file] = len(number)
        stack.append(file)
        for target in sorted(arrows.get(file, ())):
            if target not in number:
                visit(target)
            if target in stack:
                lowest[file] = min(lowest[file], lowest[target])
        if lowest[file] == number[file]:
            group = stack[stack.index(file) :]
            del stack[stack.index(file) :]
            if len(group) > 1:
                found.append(sorted(group))

    for file in arrows:
        if file not in number:
            visit(file)
    return found
