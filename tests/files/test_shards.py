"""Folders of shards: all candidates of a set, a space or a file, by any executor, through any end of a process."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import (
    ArchbudgetError,
    FileError,
    InexactError,
    MissingFileError,
    SpaceError,
)
from archbudget.files import candidates as files
from archbudget.files import shards
from archbudget.files.enumeration import write_sent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ds = pytest.importorskip("pyarrow.dataset")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

BUDGET = ab.Budget(params=60_000)
NUMBER = 5811
"""The members of the set of `lenet` within this budget, which a count of all candidates confirms below."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def fits(lenet: ab.Space) -> ab.FeasibleSet[ab.Space]:
    return lenet.within(BUDGET)


def columns_of(table: Any) -> dict[str, list[Any]]:
    return {name: table[name].to_pylist() for name in table.column_names}


def expected(space: ab.Space, drawn: ab.Candidates, metrics: list[str]) -> dict[str, list[Any]]:
    columns = {name: column.tolist() for name, column in drawn.values().items()}
    return {**columns, **{name: column.tolist() for name, column in space.evaluate(drawn, metrics).items()}}


def in_folder(name: str = "out") -> list[str]:
    return sorted(path.name for path in Path(name).iterdir())


def state(name: str = "out") -> dict[str, tuple[int, int, bytes]]:
    """Everything that a folder holds, and which files these are."""
    return {
        path.name: (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes()) for path in Path(name).iterdir()
    }


def said(name: str = "out") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ds.dataset(name).schema.metadata[shards.KEY])
    return found


def check_whole(space: ab.Space, drawn: ab.Candidates, metrics: list[str], name: str = "out") -> None:
    """A folder has these candidates, each once and in order."""
    assert columns_of(ds.dataset(name).to_table()) == expected(space, drawn, metrics)


# What is written


@pytest.mark.parametrize("shard", [1, 7, 1000, NUMBER, 10**9])
def test_a_set_is_written_whole_whatever_the_size_of_a_shard(shard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    space = ab.spaces.lenet()
    budget = ab.Budget(params=(59_000, 60_000)) if shard < 1000 else BUDGET
    monkeypatch.setattr(shards, "ROWS", 11 if shard < 1000 else shards.ROWS)
    members = [number for number, cost in enumerate(space.evaluate(space[:])["params"]) if cost in Within(budget)]
    fits = space.within(budget)
    assert fits.write_parquet("out", ["macs", "params"], shard=shard, workers=1) == len(members)
    check_whole(space, space[:][members], ["macs", "params"])
    digits, ends = len(str(len(members))), [*range(0, len(members), shard), len(members)]
    names = [f"{start:0{digits}}-{stop:0{digits}}.parquet" for start, stop in itertools.pairwise(ends)]
    assert in_folder() == [*names, "_manifest.json"]
    for name, ranks in zip(names, itertools.pairwise(ends), strict=True):
        with pq.ParquetFile(Path("out", name)) as file:
            assert json.loads(file.schema_arrow.metadata[shards.KEY])["ranks"] == list(ranks)
        check_whole(space, fits.candidates(*ranks), ["macs", "params"], f"out/{name}")


class Within:
    """The values of a metric that a budget allows."""

    def __init__(self, budget: ab.Budget) -> None:
        self.low, self.high = budget["params"]

    def __contains__(self, cost: object) -> bool:
        return isinstance(cost, np.integer) and self.low <= cost <= self.high


def test_a_folder_says_what_it_holds(fits: ab.FeasibleSet[ab.Space]) -> None:
    part = fits.fix(k1=3).fix(k2=5)
    number = part.write_parquet("out", "params", shard=100, workers=1)
    about = said()
    assert ab.Space.from_yaml(about["space"]) == fits.space
    assert (about["budget"], about["fixed"], about["metrics"]) == (
        {"params": [0, 60_000]},
        {"k1": 3, "k2": 5},
        ["params"],
    )
    assert (about["archbudget"], about["pyarrow"], about["ranks"]) == (ab.__version__, pa.__version__, [0, 100])
    manifest = json.loads(Path("out/_manifest.json").read_text())
    assert manifest["files"] == {path.name: path.stat().st_size for path in sorted(Path("out").glob("*.parquet"))}
    assert {**about, "ranks": None} == {**{key: manifest.get(key) for key in about}, "ranks": None}
    assert manifest["shard"] == 100
    assert manifest["total"] == number == part.count()
    check_whole(fits.space, part.candidates(), ["params"])


def test_a_space_is_written_whole_with_values_of_every_kind() -> None:
    space = ab.Space(
        [
            layers.Input((8, 8, 3)),
            layers.Conv2D(
                ab.Int("filters", 1, 3), ab.Choice("kernel", [1, 3]), use_bias=ab.Choice("bias", [True, False])
            ),
            layers.Dropout(ab.Choice("rate", [0.1, 0.25])),
            layers.Activation(
                ab.Choice("word", ["relu", "tanh", "élan"]).map({"relu": "relu", "tanh": "tanh", "élan": "elu"})
            ),
        ]
    )
    assert space.write_parquet("out", shard=10, workers=1) == space.size == 72
    check_whole(space, space[:], list(space.metrics))
    types = {field.name: str(field.type) for field in ds.dataset("out").schema}
    assert {name: types[name] for name in space.decisions} == {
        "filters": "int64",
        "kernel": "int64",
        "bias": "bool",
        "rate": "double",
        "word": "string",
    }
    assert {types[metric] for metric in space.metrics} == {"int64"}
    assert said()["budget"] is None


def test_a_set_of_no_networks_is_a_folder_without_rows(lenet: ab.Space) -> None:
    empty = lenet.within(ab.Budget(params=10))
    assert empty.write_parquet("out", ["params"]) == 0
    assert ds.dataset("out").count_rows() == 0
    assert ds.dataset("out").schema.names == [*lenet.decisions, "params"]
    before = state()
    assert empty.write_parquet("out", ["params"]) == 0
    assert state() == before


def test_a_space_that_no_file_can_express_is_recognized_by_its_counts() -> None:
    def space(width: int) -> ab.Space:
        @layers.custom
        def grow(input_shape: Any) -> layers.Counts:
            return layers.Counts(output_shape=input_shape, trainable_params=width * input_shape[-1])

        return ab.Space([layers.Input((4,)), layers.Dense(ab.Int("units", 1, 50)), grow()])

    assert space(2).write_parquet("out", ["params"], shard=10, workers=1) == 50
    assert said()["space"] is None
    assert space(2).write_parquet("out", ["params"], shard=10, workers=1) == 50
    before = state()
    with pytest.raises(SpaceError, match="belongs to another space"):
        space(3).write_parquet("out", ["params"], shard=10, workers=1)
    assert state() == before


@pytest.mark.skipif(os.name != "posix", reason="the null device is that of POSIX")
def test_the_null_device_takes_everything_and_keeps_nothing(fits: ab.FeasibleSet[ab.Space], folder: Path) -> None:
    device = Path(os.devnull).stat()
    assert fits.write_parquet(os.devnull, ["params"], shard=1000, workers=1) == NUMBER
    assert (Path(os.devnull).stat().st_rdev, Path(os.devnull).stat().st_mode) == (device.st_rdev, device.st_mode)
    assert list(folder.iterdir()) == []


# Resuming


def test_what_is_missing_is_written_and_nothing_else(fits: ab.FeasibleSet[ab.Space]) -> None:
    fits.write_parquet("out", ["params"], shard=1000, workers=1)
    whole = state()
    for missing in (
        ["2000-3000.parquet", "_manifest.json"],
        ["0000-1000.parquet", "5000-5811.parquet"],
        ["_manifest.json"],
    ):
        for name in missing:
            Path("out", name).unlink()
        Path("out/.archbudget-0123456789abcdef.part.parquet").write_bytes(b"what a killed process left")
        assert fits.write_parquet("out", ["params"], shard=1000, workers=1) == NUMBER
        after = state()
        assert {name: content for name, (*_, content) in after.items()} == {
            name: content for name, (*_, content) in whole.items()
        }
        same = {name for name in whole if name not in missing and name != "_manifest.json"}
        assert {name: after[name] for name in same} == {name: whole[name] for name in same}
        whole = after
    fits.write_parquet("out", ["params"], shard=1000, workers=1)
    assert {name: each for name, each in state().items() if name != "_manifest.json"} == {
        name: each for name, each in whole.items() if name != "_manifest.json"
    }


def _other_layer() -> ab.FeasibleSet[ab.Space]:
    """The same decisions and names of layers, and another argument."""
    text = ab.spaces.lenet().to_yaml().replace("kernel_size: $k2", "kernel_size: $k2, use_bias: false")
    return ab.Space.from_yaml(text).within(BUDGET)


OTHERS: dict[str, tuple[Callable[[ab.Space], Any], str]] = {
    "budget": (
        lambda s: s.within(ab.Budget(params=60_001)).write_parquet("out", ["params"], shard=1000),
        "another budget",
    ),
    "no budget": (lambda s: s.write_parquet("out", ["params"], shard=1000), "another budget"),
    "fixed": (
        lambda s: s.within(BUDGET).fix(k1=3).write_parquet("out", ["params"], shard=1000),
        "another choice of fixed",
    ),
    "metrics": (lambda s: s.within(BUDGET).write_parquet("out", ["macs"], shard=1000), "another choice of metrics"),
    "space": (lambda _: _other_layer().write_parquet("out", ["params"], shard=1000), "another space"),
    "pruned": (lambda s: s.within(BUDGET).prune().write_parquet("out", ["params"], shard=1000), "another budget"),
    "shard": (
        lambda s: s.within(BUDGET).write_parquet("out", ["params"], shard=500),
        "none of the 12 shards of up to 500",
    ),
}


@pytest.mark.parametrize("what", OTHERS)
@pytest.mark.parametrize("complete", [True, False])
def test_a_folder_of_other_candidates_is_refused_and_stays(
    what: str, complete: bool, lenet: ab.Space, fits: ab.FeasibleSet[ab.Space]
) -> None:
    fits.write_parquet("out", ["params"], shard=1000, workers=1)
    if not complete:
        Path("out/_manifest.json").unlink()
        Path("out/0000-1000.parquet").unlink()
    before = state()
    call, message = OTHERS[what]
    with pytest.raises(SpaceError, match=message) as caught:
        call(lenet)
    assert "\n" not in str(caught.value)
    assert state() == before


def _cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-10])


def _another(file: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), file)


def _fewer(file: Path) -> None:
    table = pq.read_table(file)
    pq.write_table(table.slice(1), file)


def _renamed(file: Path) -> None:
    Path("out/3000-4000.parquet").replace(file)


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut off": (_cut_off, "is no readable shard: .*; remove it, and it is written again"),
    "empty": (lambda file: file.write_bytes(b"") and None, "is no readable shard"),
    "a folder": (lambda file: file.unlink() or file.mkdir(), "is no readable shard"),
    "foreign": (_another, "was not written by archbudget"),
    "fewer rows": (_fewer, "has not the candidates that its name says; remove it"),
    "another range": (_renamed, "has not the candidates that its name says; remove it"),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_shard_is_refused(what: str, fits: ab.FeasibleSet[ab.Space]) -> None:
    fits.write_parquet("out", ["params"], shard=1000, workers=1)
    damage, message = DAMAGES[what]
    damage(Path("out/2000-3000.parquet"))
    names = in_folder()
    with pytest.raises(SpaceError, match=f"2000-3000.parquet {message}"):
        fits.write_parquet("out", ["params"], shard=1000, workers=1)
    assert in_folder() == names


def test_what_is_no_folder_of_shards_is_refused(fits: ab.FeasibleSet[ab.Space], folder: Path) -> None:
    Path("file").write_text("text")
    Path("notes").mkdir()
    Path("notes/notes.txt").write_text("text")
    Path("manifest").mkdir()
    Path("manifest/_manifest.json").write_text("[")
    before = sorted(path for path in folder.rglob("*"))
    for name, kind, message in (
        ("file", FileError, "is a file, and the candidates go into a folder"),
        ("none/out", MissingFileError, "there is no folder .*none"),
        ("notes", SpaceError, "'notes.txt', which is none of the 1 shards"),
        ("manifest", SpaceError, "is no manifest of archbudget"),
    ):
        with pytest.raises(kind, match=message):
            fits.write_parquet(name)
    with pytest.raises(SpaceError, match="executor must be a concurrent"):
        fits.write_parquet("out", executor=map)  # type: ignore[arg-type]
    with pytest.raises(SpaceError, match="workers is the number"), ThreadPoolExecutor() as threads:
        fits.write_parquet("out", executor=threads, workers=2)
    for wrong in (0, -1, 1.5, True):
        with pytest.raises(SpaceError, match="shard must be an integer"):
            fits.write_parquet("out", shard=wrong)  # type: ignore[arg-type]
        with pytest.raises(SpaceError, match="workers must be an integer"):
            fits.write_parquet("out", workers=wrong)  # type: ignore[arg-type]
    with pytest.raises(SpaceError, match="progress must be"):
        fits.write_parquet("out", progress=1)  # type: ignore[arg-type]
    with pytest.raises(ArchbudgetError, match="did you mean params"):
        fits.write_parquet("out", ["parms"])
    wide = ab.Space([layers.Input((4,)), *(layers.Dense(ab.Int(f"units{number}", 1, 60)) for number in range(4))])
    with pytest.raises(InexactError, match="needs an exact count"):
        wide.within(ab.Budget(params=3000, macs=2800), memory=1 << 18).write_parquet("out")
    with pytest.raises(SpaceError, match="no decisions"):
        ab.Space([layers.Input((4,)), layers.Dense(1)]).write_parquet("out")
    assert sorted(path for path in folder.rglob("*")) == before


def test_columns_that_cannot_be_written_are_refused(folder: Path) -> None:
    def space(decision: Any) -> ab.Space:
        return ab.Space([layers.Input((4,)), layers.Dense(decision)])

    mixed = ab.Choice("units", [1, "two"])
    with pytest.raises(SpaceError, match="Parquet cannot hold the values of decision 'units' in one column"):
        space(mixed.map({1: 1, "two": 2})).write_parquet("out")
    with pytest.raises(SpaceError, match="the decision 'params' and a column of counts have the same name"):
        space(ab.Int("params", 1, 3)).write_parquet("out")
    assert list(folder.iterdir()) == []
    assert space(ab.Int("params", 1, 3)).write_parquet("out", ["macs"]) == 3


# Files of candidates


@pytest.fixture
def built() -> ab.Space:
    """A space in which every second candidate of any indices cannot be built."""
    kernel = ab.Choice("kernel", [1, 9, 3, 11])
    return ab.Space([layers.Input((8, 8, 1)), layers.Conv2D(ab.Int("filters", 1, 9), kernel)])


@pytest.mark.parametrize("ending", ["npy", "parquet"])
@pytest.mark.parametrize("shard", [7, 64, 1000])
def test_the_candidates_of_a_file_are_counted_row_by_row(
    ending: str, shard: int, built: ab.Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "CHUNK", 13)
    rng = np.random.default_rng(0)
    drawn = ab.Candidates(built, rng.integers(0, [9, 4], (200, 2)).astype(np.uint8))
    if ending == "npy":
        np.save("in.npy", drawn.indices)
    else:
        pq.write_table(pa.table(drawn.values()), "in.parquet", row_group_size=50)
    assert built.write_parquet("out", ["params", "macs"], candidates=f"in.{ending}", shard=shard, workers=1) == 200
    counts = built.evaluate(drawn, ["params", "macs"])
    shown = {
        **{name: column.tolist() for name, column in drawn.values().items()},
        **{
            name: [int(cost) if valid else None for cost, valid in zip(column, counts.valid, strict=True)]
            for name, column in counts.items()
        },
        "valid": counts.valid.tolist(),
    }
    assert columns_of(ds.dataset("out").to_table()) == shown
    assert 0 < sum(shown["valid"]) < 200


def test_a_file_of_candidates_that_changed_is_refused(built: ab.Space) -> None:
    np.save("in.npy", np.zeros((100, 2), np.uint8))
    built.write_parquet("out", candidates="in.npy", shard=10, workers=1)
    Path("out/_manifest.json").unlink()
    before = state()
    np.save("in.npy", np.zeros((100, 2), np.uint8))
    os.utime("in.npy", ns=(1, 1))
    with pytest.raises(SpaceError, match="another file of candidates"):
        built.write_parquet("out", candidates="in.npy", shard=10, workers=1)
    assert state() == before


def test_wrong_candidates_are_one_clear_error(built: ab.Space) -> None:
    indices = np.zeros((100, 2), np.uint8)
    indices[57, 1] = 4
    np.save("in.npy", indices)
    with pytest.raises(SpaceError, match=r"in\.npy: row 57: index 4 is not in the domain of decision 'kernel'"):
        built.write_parquet("out", candidates="in.npy", shard=10, workers=1)
    assert in_folder() == [
        f"{start:03}-{start + 10:03}.parquet" for start in range(0, 50, 10)
    ]  # As far as they are right.
    for name, message in (("in.csv", r"must end in \.npy or \.parquet$"), ("none.npy", "No such file")):
        with pytest.raises(ArchbudgetError, match=message):
            built.write_parquet("none", candidates=name)
    with pytest.raises(SpaceError, match="a file is given by its path"):
        built.write_parquet("none", candidates=built.sample(3))  # type: ignore[arg-type]
    assert not Path("none").exists()


# Executors


class Noting(Executor):
    """An executor of a user's own, which keeps what it was sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.sent.append((function, args))
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def spawned() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))


@pytest.mark.parametrize("make", [ThreadPoolExecutor, spawned, Noting], ids=lambda make: make.__name__)
def test_any_executor_writes_the_same_files(make: Callable[[], Executor], fits: ab.FeasibleSet[ab.Space]) -> None:
    fits.write_parquet("one", ["params"], shard=300, workers=1)
    with make() as executor:
        fits.write_parquet("out", ["params"], shard=300, executor=executor)
    assert {name: content for name, (*_, content) in state().items()} == {
        name: content for name, (*_, content) in state("one").items()
    }


def test_the_processes_of_the_default_write_the_same_files(fits: ab.FeasibleSet[ab.Space]) -> None:
    fits.write_parquet("one", ["params"], shard=300, workers=1)
    fits.write_parquet("out", ["params"], shard=300, workers=2)
    assert {name: content for name, (*_, content) in state().items()} == {
        name: content for name, (*_, content) in state("one").items()
    }


class Failing(Executor):
    """An executor whose workers stop working after some shards."""

    def __init__(self, error: Exception, after: int) -> None:
        self.error, self.left, self.waiting = error, after, 0

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if self.left:
            self.left -= 1
            future.set_result(function(*args, **kwargs))
        elif self.left == 0 and not self.waiting:
            future.set_exception(self.error)
            self.waiting = 1
        return future


def test_an_error_of_a_worker_ends_the_run_and_keeps_what_is_complete(fits: ab.FeasibleSet[ab.Space]) -> None:
    with pytest.raises(FileError, match="the disk is full"):
        fits.write_parquet("out", ["params"], shard=300, executor=Failing(FileError("the disk is full"), 5))
    assert len(in_folder()) == 5
    assert fits.write_parquet("out", ["params"], shard=300, workers=1) == NUMBER
    check_whole(fits.space, fits.candidates(), ["params"])


def test_a_worker_elsewhere_must_see_the_folder_and_have_the_same_version(fits: ab.FeasibleSet[ab.Space]) -> None:
    class Elsewhere(Noting):
        def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            future = super().submit(function, *args, **kwargs)
            for file in Path("out").glob("*.parquet"):
                file.unlink()
            return future

    with pytest.raises(FileError, match=r"is missing, though it was written: do all workers see the same folder"):
        fits.write_parquet("out", ["params"], executor=Elsewhere())
    noting = Noting()
    fits.write_parquet("two", ["params"], executor=noting, shard=1000)
    assert [args[1] for _, args in noting.sent] == [noting.sent[0][1][1]] * 6
    with pytest.raises(ArchbudgetError, match=f"a worker has archbudget {ab.__version__}, and .* those of 0.0.1"):
        write_sent("0.0.1", *noting.sent[0][1][1:])


def test_what_cannot_be_sent_is_refused_and_threads_need_not_send_it() -> None:
    @layers.custom
    def grow(input_shape: Any) -> layers.Counts:
        return layers.Counts(output_shape=input_shape, trainable_params=input_shape[-1])

    space = ab.Space([layers.Input((4,)), layers.Dense(ab.Int("units", 1, 50)), grow()])
    with pytest.raises(SpaceError, match="cannot be sent to other processes .*ThreadPoolExecutor"):
        space.write_parquet("out", ["params"], shard=10, workers=2)
    with ThreadPoolExecutor() as threads:
        assert space.write_parquet("out", ["params"], shard=10, executor=threads) == 50
    check_whole(space, space[:], ["params"])


# In processes of their own

START = """
import os, sys, time
import archbudget as ab
from support.peak_memory import peak_bytes
if __name__ == "__main__":
    fits = ab.spaces.lenet().within(ab.Budget(params=500_000))
"""
RUN = '    print(fits.write_parquet("out", ["params", "macs"], shard=100, workers=int(sys.argv[1])))\n'
MEMORY = """
    from archbudget import layers
    last = ab.Int("last", 1, int(sys.argv[1]))
    widths = [ab.Int("a", 1, 100), ab.Int("b", 1, 100), last]
    space = ab.Space([layers.Input((4,)), *map(layers.Dense, widths)])
    print(space.write_parquet(os.devnull, ["params"], workers=1, shard=10**9), peak_bytes())
"""
FULL = """
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))
    fits.write_parquet("out", ["params"], shard=10_000, workers=1)
"""


def child(code: str, *arguments: str) -> subprocess.Popen[str]:
    paths = [str(Path(ab.__file__).parents[1]), str(Path(__file__).parents[1])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    Path("child.py").write_text(START + code)
    command = [sys.executable, "child.py", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment, start_new_session=True)


def wait_for_shards(process: subprocess.Popen[str], more_than: int) -> None:
    until = time.monotonic() + 60
    while not Path("out").is_dir() or len(list(Path("out").glob("*.parquet"))) <= more_than:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "no shard appears"
        time.sleep(0.002)


def processes_of(group: int) -> Iterator[int]:
    """The processes of a session that still run."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            status = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(status[3]) == group and status[0] != "Z":
            yield int(path.name)


def wait_for_the_end_of(group: int) -> None:
    until = time.monotonic() + 30
    while left := list(processes_of(group)):
        assert time.monotonic() < until, left
        time.sleep(0.01)


LARGE = ab.Budget(params=500_000)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at the processes of Linux")
def test_a_run_that_is_killed_twice_loses_and_repeats_nothing(lenet: ab.Space) -> None:
    fits = lenet.within(LARGE)
    seen: dict[str, Any] = {}
    for _ in range(2):
        process = child(RUN, "2")
        wait_for_shards(process, len(seen) + 5)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        wait_for_the_end_of(process.pid)  # Its workers end by themselves.
        now = {name: each for name, each in state().items() if name.endswith(".parquet") and name[0] != "."}
        assert len(now) > len(seen)
        assert len(now) < -(-fits.count() // 100), "it was killed too late"
        assert {name: now[name] for name in seen} == seen
        seen = now
    process = child(RUN, "2")
    shown, errors = process.communicate(timeout=120)
    assert shown == f"{fits.count()}\n", errors
    assert {name: each for name, each in state().items() if name in seen} == seen
    assert not [name for name in in_folder() if name.startswith(".")]
    check_whole(lenet, fits.candidates(), ["params", "macs"])


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interrupt_leaves_whole_shards_only(workers: str, lenet: ab.Space) -> None:
    process = child(RUN, workers)
    wait_for_shards(process, 3)
    os.killpg(process.pid, signal.SIGINT)  # As a terminal does.
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert "Process SpawnProcess" not in errors
    wait_for_the_end_of(process.pid)
    names = in_folder()
    assert not [name for name in names if not name.endswith(".parquet") or name.startswith(".")]
    fits = lenet.within(LARGE)
    assert len(names) < -(-fits.count() // 100), "it was interrupted too late"
    assert fits.write_parquet("out", ["params", "macs"], shard=100, workers=1) == fits.count()
    check_whole(lenet, fits.candidates(), ["params", "macs"])


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at the processes of Linux")
def test_a_killed_worker_is_one_clear_error(lenet: ab.Space) -> None:
    process = child(RUN, "2")
    wait_for_shards(process, 3)
    workers = [pid for pid in processes_of(process.pid) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(workers[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert "ArchbudgetError: a worker process ended: " in errors.splitlines()[-1], errors
    wait_for_the_end_of(process.pid)
    fits = lenet.within(LARGE)
    assert fits.write_parquet("out", ["params", "macs"], shard=100, workers=1) == fits.count()
    check_whole(lenet, fits.candidates(), ["params", "macs"])


def test_ten_million_candidates_take_the_memory_of_one_million() -> None:
    peaks = []
    for last in (100, 1000):
        process = child(MEMORY, str(last))
        shown, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        number, most = map(int, shown.split())
        assert number == last * 10_000
        peaks.append(most)
    few, many = peaks
    # Indices, values and counts of all would take 430 MB more, and the shard of it some 10 MB.
    assert many < few + 20e6, f"{few:,} and {many:,} bytes"


@pytest.mark.skipif(os.name != "posix", reason="limits are those of POSIX")
def test_a_shard_that_cannot_be_written_is_one_line_and_leaves_no_part() -> None:
    _, errors = (process := child(FULL)).communicate(timeout=60)
    assert process.returncode == 1
    assert errors.splitlines()[-1].endswith("parquet cannot be written: File too large"), errors
    assert in_folder() == []
