"""No class asks another one for its private fields."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from pathlib import Path

import optuna

PACKAGE = Path(__file__).parents[2] / "python/archbudget"


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def defined(tree: ast.Module) -> set[str]:
    """The private names that the classes of a file define."""
    found = set()
    for each in ast.walk(tree):
        if isinstance(each, ast.ClassDef):
            for node in ast.walk(each):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    found.add(node.name)
                elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                    found.add(node.attr)
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    found.add(node.id)
    return set(filter(is_private, found))


def asked(tree: ast.Module) -> Iterator[ast.Attribute]:
    """The private attributes that a file reads of anything but the object, or the class, that is at work."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            value = node.value.func if isinstance(node.value, ast.Call) else node.value
            if not (isinstance(value, ast.Name) and value.id in ("self", "cls", "super")):
                yield node


def foreign(sources: dict[str, str]) -> list[str]:
    """Where a file asks for a private field of a class of another file; those of other libraries, and what stands in
    for a study of Optuna, are not looked at."""
    trees = {file: ast.parse(source) for file, source in sources.items()}
    owners = {file: defined(tree) for file, tree in trees.items()}
    every = set().union(*owners.values())
    return [
        f"{file}:{node.lineno}: {node.attr}"
        for file, tree in trees.items()
        for node in asked(tree)
        if node.attr in every - owners[file] and not hasattr(optuna.Study, node.attr)
    ]


def test_no_class_is_asked_for_its_private_fields_from_another_file() -> None:
    sources = {str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    assert len(sources) > 100
    assert foreign(sources) == []


def test_a_private_field_that_is_asked_for_is_found() -> None:
    one = """
        class One:
            _shared = 1
            def __init__(self): self._field = 0
            def alike(self, other): return self._field == other._field
    """
    two = """
        def look(one, study):
            return one._field, one._shared, study._storage
    """
    sources = {"one.py": textwrap.dedent(one), "two.py": textwrap.dedent(two)}
    assert foreign(sources) == ["two.py:3: _field", "two.py:3: _shared"]
