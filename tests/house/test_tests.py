"""Tests stand in the folder of what they test, use all of `support`, and none can pass without an assertion."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

import archbudget as ab

TESTS = Path(__file__).parents[1]
PACKAGE = Path(ab.__file__).parent
ROOMS = {path.stem for path in PACKAGE.iterdir() if (path.is_dir() or path.suffix == ".py") and path.stem[0] != "_"}
BESIDES = {"foundation", "house"}
"""Folders for what has no room: the single files at the bottom of the package, and the repository as a whole."""
FILES = sorted(TESTS.rglob("test_*.py"))
SUPPORT = sorted(path for path in (TESTS / "support").glob("*.py") if path.name != "__init__.py")
HELPERS = {"assert_allclose", "assert_array_equal", "assert_close", "assert_same", "check_inside"}
"""Functions that assert for a test."""


@cache
def functions_of(path: Path) -> list[ast.FunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")]


def is_assertion(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        return name in ("pytest.raises", "pytest.fail") or name.split(".")[-1] in HELPERS
    return isinstance(node, ast.Assert)


def asserts(*nodes: ast.AST) -> bool:
    return any(is_assertion(inner) for node in nodes for inner in ast.walk(node))


def passes_over(node: ast.AST) -> bool:
    """Whether this swallows an error, and looks at nothing."""
    if isinstance(node, ast.With):
        return any("suppress(" in ast.unparse(item) for item in node.items)
    return (
        isinstance(node, ast.ExceptHandler)
        and isinstance(node.body[-1], ast.Pass | ast.Continue | ast.Return)
        and not asserts(*node.body)
    )


def test_every_test_is_in_the_folder_of_its_room() -> None:
    assert len(FILES) > 60
    for path in FILES:
        assert path.parent.parent == TESTS, path
        assert path.parent.name in ROOMS | BESIDES, path


def test_no_two_files_of_tests_have_one_name() -> None:
    """Folders of tests are no packages, so pytest tells files apart by their names alone."""
    assert [name for name, number in Counter(path.name for path in FILES).items() if number > 1] == []


def test_every_file_of_support_is_used() -> None:
    users = [*TESTS.rglob("*.py"), TESTS.parent / "Makefile"]
    texts = {path: path.read_text(encoding="utf-8") for path in users}
    assert len(SUPPORT) > 20
    for path in SUPPORT:
        used = re.compile(
            rf"from support\.{path.stem} import|from support import .*\b{path.stem}\b|support\.{path.stem}\b"
        )
        assert any(used.search(text) for user, text in texts.items() if user != path), path


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_test_ends_without_an_assertion(path: Path) -> None:
    assert functions_of(path)
    assert [test.name for test in functions_of(path) if not asserts(*test.body)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_tests_that_ignore_errors_assert_the_rest(path: Path) -> None:
    """Behind the loops and the handlers: that a loop was not empty, that enough was built."""
    for test in functions_of(path):
        if any(passes_over(node) for node in ast.walk(test)):
            behind = [
                each for each in test.body if not isinstance(each, ast.For | ast.While | ast.Try | ast.FunctionDef)
            ]
            assert asserts(*behind), test.name
