"""Each package says which names are its own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "python/archbudget"
PACKAGES = sorted(PACKAGE.rglob("__init__.py"))


@pytest.mark.parametrize("file", PACKAGES, ids=lambda file: file.parent.relative_to(PACKAGE.parent).as_posix())
def test_each_package_lists_its_names(file: Path) -> None:
    listed: list[str] | None = None
    bound: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            bound |= {target.id for target in targets if isinstance(target, ast.Name)}
            if "__all__" in bound and listed is None:  # A computed one has the names that are there.
                listed = [ast.literal_eval(each) for each in getattr(node.value, "elts", [])]
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            bound.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            bound |= {(each.asname or each.name).partition(".")[0] for each in node.names}
    assert listed is not None, f"{file} has no __all__"
    assert set(listed) <= bound
