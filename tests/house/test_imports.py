"""Imports only go down the floors of the house, in Python and in Rust; lazy and type-only ones count."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from floors import PYTHON, Room, table

from support.python_imports import circles, python_imports

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python/archbudget"


def climbing(arrows: dict[str, set[str]], floors: list[list[Room]]) -> list[str]:
    """The arrows from one room to another that do not go down."""
    level = {room.name: number for number, row in enumerate(floors) for room in row}
    found = []
    for file, targets in arrows.items():
        here = file.partition("/")[0]
        there = {target: target.partition("/")[0] for target in targets}
        found += [
            f"{file} -> {target}" for target, room in there.items() if room != here and level[room] <= level[here]
        ]
    return sorted(found)


def test_every_room_of_the_package_stands_on_a_floor() -> None:
    rooms = {file.partition("/")[0] for file in python_imports(PACKAGE)}
    named = [room.name for row in PYTHON for room in row]
    assert sorted(named) == sorted(rooms)


def test_imports_of_python_go_down() -> None:
    arrows = python_imports(PACKAGE)
    assert sum(map(len, arrows.values())) > 400
    assert climbing(arrows, PYTHON) == []


def test_no_files_of_the_package_go_in_circles() -> None:
    assert circles(python_imports(PACKAGE)) == []


def test_the_table_of_rooms_is_up_to_date() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert table() in text, "print it anew: python tests/house/floors.py"


def test_imports_of_every_kind_are_seen(tmp_path: Path) -> None:
    package = tmp_path / "house"
    (package / "room").mkdir(parents=True)
    sources = {
        "__init__": "from house.room import one",
        "low": "",
        "high": """
            import house.low
            from typing import TYPE_CHECKING
            if TYPE_CHECKING:
                from house.room.one import thing
            def later():
                from house import room
        """,
        "room/__init__": "from house.room.one import thing",
        "room/one": "from house import low\nfrom house.high import something\nimport json",
    }
    for file, source in sources.items():
        (package / f"{file}.py").write_text(textwrap.dedent(source))
    arrows = python_imports(package)
    assert arrows == {
        "__init__": {"room/one"},
        "low": set(),
        "high": {"low", "room/one", "room/__init__"},
        "room/__init__": {"room/one"},
        "room/one": {"low", "high"},
    }
    assert circles(arrows) == [["high", "room/__init__", "room/one"]]
    floors = [[Room("__init__", "")], [Room("high", "")], [Room("room", "")], [Room("low", "")]]
    assert climbing(arrows, floors) == ["room/one -> high"]


def test_relative_imports_are_refused(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("from . import two")
    with pytest.raises(AssertionError, match="a relative import"):
        python_imports(tmp_path)
