"""The counts of instructions: what is compared, and that the numbers are those of the kernels there are."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def script() -> Any:
    spec = importlib.util.spec_from_file_location("instructions", ROOT / "benches/instructions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_over_five_per_cent_more_is_too_many() -> None:
    compared = script().compared
    kept = {"a": 1000, "b": 1000, "c": 1000}
    lines, over = compared({"a": 1050, "b": 1051, "c": 500}, kept)
    assert over == ["b"]
    assert [line.split() for line in lines] == [
        ["a", "1,050", "+5.0%"],
        ["b", "1,051", "+5.1%"],
        ["c", "500", "-50.0%"],
    ]
    assert compared({"d": 1}, kept)[1] == ["d"]  # A kernel that nobody has counted yet.


def test_the_lines_of_callgrind_are_read() -> None:
    text = """\
37,338,873 (23.02%)  benches/instructions.rs:instructions::counted_sample [/target/instructions-41]
 2,721,054 ( 1.68%)  library/core/src/slice/index.rs:instructions::counted_sample
 1,239,188 ( 0.76%)  benches/instructions.rs:instructions::counted_those_that_fit [/target/instructions-41]
 9,999,999 ( 0.76%)  src/diagram/sample.rs:archbudget::sample
"""
    found = script().COUNTED.findall(text)
    assert found == [("37,338,873", "sample"), ("2,721,054", "sample"), ("1,239,188", "those_that_fit")]


def test_every_kernel_has_a_number() -> None:
    source = (ROOT / "benches/instructions.rs").read_text(encoding="utf-8")
    kernels = {name.replace("_", " ") for name in re.findall(r"^fn counted_(\w+)\(", source, flags=re.MULTILINE)}
    kept = json.loads((ROOT / "benches/instructions.json").read_text(encoding="utf-8"))["instructions"]
    assert len(kernels) == 5
    assert {tuple(name.split(": ")) for name in kept} >= {("baseline", kernel) for kernel in kernels}
    assert all(number > 100_000 for number in kept.values())
