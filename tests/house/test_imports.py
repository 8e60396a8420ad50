"""Imports only go down the floors of the house, in Python and in Rust; lazy and type-only ones count."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest
from floors import PYTHON, RUST, Room, table

from support.python_imports import circles, python_imports
from support.rust_imports import rust_imports

ROOT = Path(__file__).parents[2]


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


@dataclass(frozen=True)
class House:
    """One half of the house: its files, what they name, and the floors of its rooms."""

    arrows: dict[str, set[str]]
    floors: list[list[Room]]
    least: int
    """It has at least this many arrows, or the walk went past them."""


@pytest.fixture(scope="module", params=["Python", "Rust"])
def half(request: pytest.FixtureRequest) -> House:
    if request.param == "Python":
        return House(python_imports(ROOT / "python/archbudget"), PYTHON, 500)
    return House(rust_imports(ROOT / "src"), RUST, 300)


def test_every_room_is_on_a_floor(half: House) -> None:
    rooms = {file.partition("/")[0] for file in half.arrows}
    assert sorted(room.name for row in half.floors for room in row) == sorted(rooms)


def test_imports_go_down(half: House) -> None:
    assert sum(map(len, half.arrows.values())) > half.least
    assert climbing(half.arrows, half.floors) == []


def test_no_files_go_in_circles(half: House) -> None:
    assert circles(half.arrows) == []


def test_the_table_of_rooms_is_up_to_date(half: House) -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert table(half.floors) in text, "print it anew: python tests/house/floors.py"


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
