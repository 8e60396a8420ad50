"""Batches larger than memory: in chunks, in a memory that does not grow, into a file that is whole or not there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError, FileError, SpaceError
from archbudget.files import candidates as files

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 50


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(files, "CHUNK", 7)
    return tmp_path


def counted(file: str) -> dict[str, list[int]]:
    with np.load(file) as stored:
        return {name: stored[name].tolist() for name in stored.files}


def expected(space: ab.Space, drawn: ab.Candidates) -> dict[str, list[int]]:
    counts = space.evaluate(drawn)
    return {**{name: column.tolist() for name, column in counts.items()}, "valid": counts.valid.tolist()}


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "int64": lambda indices: indices.astype(np.int64),
    "big endian": lambda indices: indices.astype(">u2"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_indices_of_an_array_are_counted_in_chunks(layout: str, lenet: ab.Space) -> None:
    drawn = lenet.sample(ROWS, seed=0)
    np.save("in.npy", LAYOUTS[layout](drawn.indices))
    assert lenet.evaluate_to_file("in.npy", "out.npz") == ROWS
    assert counted("out.npz") == expected(lenet, drawn)
    mapped = np.load("in.npy", mmap_mode="r")
    assert lenet.evaluate_to_file(mapped, "mapped.npz") == ROWS
    assert counted("mapped.npz") == counted("out.npz")


def test_every_kind_of_source_gives_the_same_file(lenet: ab.Space) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    drawn = lenet.sample(ROWS, seed=0)
    for name in ("in.csv", "in.npz", "in.parquet"):
        files.write_candidates(drawn, name)
    sources: dict[str, Any] = {
        "CSV": "in.csv",
        "NPZ": Path("in.npz"),
        "Parquet": "in.parquet",
        "batches": (drawn[start : start + 13] for start in range(0, ROWS, 13)),
        "batches of Parquet": pq.ParquetFile("in.parquet").iter_batches(11),
        "frames": iter([drawn[:20].to_pandas(), drawn[20:].to_pandas()]),
        "candidates": drawn,
        "a table": drawn.values(),
        "indices": drawn.indices,
    }
    for what, source in sources.items():
        assert lenet.evaluate_to_file(source, "out.npz") == ROWS, what
        assert counted("out.npz") == expected(lenet, drawn), what


@pytest.mark.parametrize("ending", ["csv", "npz", "parquet"])
def test_a_file_of_no_candidates_has_its_columns(ending: str, lenet: ab.Space) -> None:
    pytest.importorskip("pyarrow")
    np.save("in.npy", np.zeros((0, 5), np.uint8))
    sources: list[Any] = ["in.npy", iter([]), lenet.sample(0, seed=0), np.zeros((0, 5), np.uint8)]
    for source in sources:
        assert lenet.evaluate_to_file(source, f"out.{ending}", ["macs"]) == 0
        if ending == "csv":
            assert Path("out.csv").read_text() == "macs,valid\n"
        elif ending == "npz":
            assert counted("out.npz") == {"macs": [], "valid": []}
        else:
            import pyarrow.parquet as pq

            assert pq.read_table("out.parquet").to_pydict() == {"macs": [], "valid": []}


def test_candidates_that_cannot_be_built_are_marked() -> None:
    kernel = ab.Choice("kernel", [1, 9])
    space = ab.Space([layers.Input((8, 8, 1)), layers.Conv2D(2, kernel)])
    np.save("in.npy", np.array([[0], [1], [0]] * 10, np.uint8))
    assert space.evaluate_to_file("in.npy", "out.npz", ["params"]) == 30
    assert counted("out.npz")["valid"] == [True, False, True] * 10


def _saved(array: Any) -> None:
    np.save("in.npy", array, allow_pickle=True)


def _cut(number: int) -> None:
    _saved(np.zeros((9, 5), np.uint8))
    whole = Path("in.npy").read_bytes()
    Path("in.npy").write_bytes(whole[:number] if number < 0 else whole + b"x" * number)


def _one_wrong() -> None:
    indices = np.zeros((20, 5), np.uint8)
    indices[17, 3] = 3
    _saved(indices)


def _one_negative() -> None:
    indices = np.zeros((20, 5), np.int8)
    indices[18, 1] = -1
    _saved(indices)


WRONG: dict[str, tuple[Callable[[], None], str]] = {
    "floats": (lambda: _saved(np.zeros((9, 5))), "must hold indices, which are integers, not 'float64'"),
    "flags": (lambda: _saved(np.zeros((9, 5), bool)), "not 'bool'"),
    "objects": (lambda: _saved(np.zeros((9, 5), object)), "not 'object'"),
    "records": (lambda: _saved(np.zeros(9, [("f1", "i4")])), "which are integers"),
    "one axis": (lambda: _saved(np.zeros(5, np.uint8)), r"shape \(N, 5\), a column for each .*, not \(5,\)"),
    "too few columns": (lambda: _saved(np.zeros((9, 4), np.uint8)), r"\(f1, k1, f2, k2, units\), not \(9, 4\)"),
    "columns first": (lambda: _saved(np.zeros((5, 9), np.uint8)), r"not \(5, 9\)"),
    "cut off": (lambda: _cut(-3), r"takes 45 bytes, but there are 42: it is cut off"),
    "more behind it": (lambda: _cut(4), r"takes 45 bytes, but there are 49: there is more behind it"),
    "cut in the header": (lambda: _cut(-100), "not an array in NumPy's format"),
    "empty": (lambda: Path("in.npy").write_bytes(b"") and None, "not an array in NumPy's format"),
    "text": (lambda: Path("in.npy").write_text("f1,k1\n") and None, "not an array in NumPy's format"),
    "outside a domain": (_one_wrong, "row 17: index 3 is not in the domain of decision 'k2', which has 3 values"),
    "negative": (_one_negative, "row 18: index -1 is not in the domain of decision 'k1'"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_array_is_one_clear_error_and_leaves_no_file(what: str, lenet: ab.Space, folder: Path) -> None:
    make, message = WRONG[what]
    make()
    with pytest.raises(SpaceError, match=message) as caught:
        lenet.evaluate_to_file("in.npy", "out.csv")
    assert re.match(r"in\.npy: ", str(caught.value))
    assert str(caught.value).count("\n") == 0
    assert sorted(path.name for path in folder.iterdir()) == ["in.npy"]


def test_a_file_that_becomes_shorter_is_an_error(lenet: ab.Space) -> None:
    np.save("in.npy", np.zeros((10_000, 5), np.uint8))  # More than a stream buffers.
    batches = files.read(lenet, "in.npy")
    assert len(next(batches)) == 7
    os.truncate("in.npy", 150)
    with pytest.raises(SpaceError, match=r"in\.npy: the file has become shorter while it was read"):
        list(batches)


def test_what_is_no_file_of_candidates_is_refused(lenet: ab.Space, folder: Path) -> None:
    with pytest.raises(ArchbudgetError, match=r"in\.txt: the name must end in \.csv, \.npy, \.npz or \.parquet"):
        lenet.evaluate_to_file("in.txt", "out.csv")
    with pytest.raises(ArchbudgetError, match=r"out\.npy: the name must end in \.csv, \.npz or \.parquet"):
        lenet.evaluate_to_file(lenet.sample(3), "out.npy")
    with pytest.raises(FileError, match=r"in\.npy: No such file"):
        lenet.evaluate_to_file("in.npy", "out.csv")
    with pytest.raises(SpaceError, match="shape"):
        lenet.evaluate_to_file(np.zeros((3, 2), np.uint8), "out.csv")
    with pytest.raises(ArchbudgetError, match="did you mean params"):
        lenet.evaluate_to_file(lenet.sample(3), "out.csv", ["parms"])
    with pytest.raises(SpaceError, match="progress must be True or False"):
        lenet.evaluate_to_file(lenet.sample(3), "out.csv", progress=1)  # type: ignore[arg-type]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("ending", ["csv", "npz", "parquet"])
def test_a_failing_iterator_leaves_what_was_there(ending: str, lenet: ab.Space, folder: Path) -> None:
    pytest.importorskip("pyarrow")
    Path(f"out.{ending}").write_text("before")

    def batches() -> Any:
        yield lenet.sample(10, seed=0)
        raise SpaceError("no more")

    with pytest.raises(SpaceError, match="no more"):
        lenet.evaluate_to_file(batches(), f"out.{ending}")
    assert [path.name for path in folder.iterdir()] == [f"out.{ending}"]
    assert Path(f"out.{ending}").read_text() == "before"


# In processes of their own

START = """
import sys
import numpy as np
import archbudget as ab
from support.peak_memory import peak_bytes
space = ab.spaces.lenet()
"""
ENDLESS = """
def batches():
    print("started", flush=True)
    while True:
        yield space.sample(10_000, seed=0)
space.evaluate_to_file(batches(), "out." + sys.argv[1])
"""
MEMORY = """
print(space.evaluate_to_file(sys.argv[1], sys.argv[2], ["params", "macs"]), peak_bytes())
"""


def child(code: str, *arguments: str) -> subprocess.Popen[str]:
    paths = [str(Path(ab.__file__).parents[1]), str(Path(__file__).parents[1])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-c", START + code, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
@pytest.mark.parametrize("ending", ["csv", "npz", "parquet"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_an_interrupted_count_leaves_no_file(ending: str, how: signal.Signals, lenet: ab.Space, folder: Path) -> None:
    pytest.importorskip("pyarrow")
    process = child(ENDLESS, ending)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n", process.communicate()[1]
    until = time.monotonic() + 30
    while not any(path.stat().st_size for path in folder.iterdir()) and ending != "npz":
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode != 0
    left = [path.name for path in folder.iterdir()]
    assert all(name.startswith(".archbudget-") for name in left)
    assert how == signal.SIGKILL or left == []
    assert lenet.evaluate_to_file(lenet.sample(3, seed=0), f"out.{ending}") == 3
    assert [path.name for path in folder.iterdir()] == [f"out.{ending}"]  # The next one clears up.


def peak(source: str, target: str, rows: int) -> int:
    process = child(MEMORY, source, target)
    shown, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    number, most = map(int, shown.split())
    assert number == rows
    return most


@pytest.mark.parametrize(("source", "target"), [("npy", "parquet"), ("parquet", "npz")])
def test_ten_million_candidates_take_the_memory_of_one_million(source: str, target: str) -> None:
    pytest.importorskip("pyarrow")
    peaks = []
    for rows in (10**6, 10**7):
        drawn = ab.spaces.lenet().sample(rows, seed=0)
        if source == "npy":
            np.save("in.npy", np.ascontiguousarray(drawn.indices))
        else:
            _write_parquet(drawn)
        peaks.append(peak(f"in.{source}", f"out.{target}", rows))
        if target == "npz":
            with np.load("out.npz") as stored:
                assert np.array_equal(stored["params"], ab.spaces.lenet().evaluate(drawn, ["params"])["params"])
    few, many = peaks
    # The candidates alone take 45 MB more, and their totals 160 MB.
    assert many < few + 20e6, f"{few:,} and {many:,} bytes"


def _write_parquet(drawn: ab.Candidates) -> None:
    """Row groups of a million rows, as pandas writes them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetWriter("in.parquet", pa.schema([(name, pa.int64()) for name in drawn.space.decisions])) as writer:
        for start in range(0, len(drawn), 10**6):
            writer.write_table(pa.table(drawn[start : start + 10**6].values()), row_group_size=10**6)
