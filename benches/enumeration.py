"""Measures `archbudget enumerate` with one worker, with two, and killed: `python benches/enumeration.py PART`.

Both write the networks of the space of `docs/scaling.md`, with params and MACs, by commands of their own, on Linux.

- `workers` writes them to the null device with one worker and with two, in turn, and prints the medians. `alone` is the
  time that it takes where no other program wants the processors: that on the wall without what a writing process has
  waited for a processor, in the mean of them, as they share the work. (Linux gives all processes of a command together
  the share of one where others wait, so that the time on the wall says little there.)
- `killed FOLDER` writes them into a new folder, kills the command with SIGKILL at a fifth and at a half of the shards,
  lets it end, and looks at every row. Ranks increase from one row to the next, so none is there twice; all are inside
  the budget, and as many as the count says; the first and the last one of each row group have the counts that their
  networks have alone. It needs about a byte a network.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

import archbudget as ab
from search_quality import machine

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[1] / "docs/scaling.md"
ORDER = ("k1", "f1", "k2", "f2", "units1", "units2")
"""The decisions in the order in which the space asks for them, which is that of the ranks."""
METRICS = ["params", "macs"]
SHARD = 1_000_000
KILLED_AT = (0.2, 0.5)


def description() -> str:
    """The space, as the page shows it."""
    found = re.search(r'```yaml title="fine.yaml"\n(.*?)```', PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert found is not None
    return found[1]


class Run:
    """The command, as a process in a group of its own, and what its processes were seen to use."""

    def __init__(self, space: Path, params: str, folder: str, workers: int) -> None:
        options = ["--params", params, "--metrics", ",".join(METRICS), "--shard", str(SHARD), "--workers", str(workers)]
        command = [sys.executable, "-m", "archbudget", "enumerate", str(space), *options, "--output", folder]
        self.peaks: dict[int, int] = {}
        """The most memory of each process, in KiB."""
        self.waited: dict[int, float] = {}
        """The seconds that the main thread of each process was ready and had no processor; of those that were started
        later with what the first had waited until then."""
        self._before: dict[int, float] = {}
        self.start = time.perf_counter()
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)

    def processes(self) -> Iterator[Path]:
        """Those of the group that have not ended."""
        for path in Path("/proc").glob("[0-9]*"):
            try:
                status = (path / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(status[2]) == self.process.pid and status[0] != "Z":
                yield path

    def look(self) -> bool:
        """Notes what the processes use; whether there are any."""
        there = False
        for path in self.processes():
            there = True
            try:
                peak = re.search(r"VmHWM:\s+(\d+)", (path / "status").read_text())
                waited = int((path / "schedstat").read_text().split()[1]) / 1e9
            except OSError:
                continue
            if peak is not None:
                pid = int(path.name)
                before = self._before.setdefault(pid, self.waited.get(self.process.pid, 0.0))
                self.peaks[pid] = int(peak[1])
                self.waited[pid] = before + waited
        return there

    def end(self) -> tuple[float, float]:
        """Waits for the end; the seconds on the wall, and those of processors."""
        while True:
            self.look()
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if pid:
                assert os.waitstatus_to_exitcode(status) == 0
                return time.perf_counter() - self.start, usage.ru_utime + usage.ru_stime
            time.sleep(0.05)


def measure_workers(file: Path, params: str, rounds: int) -> None:
    """Prints how much faster two workers are than one."""
    wall: dict[int, list[float]] = {1: [], 2: []}
    alone: dict[int, list[float]] = {1: [], 2: []}
    processors: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for workers in (1, 2):
            run = Run(file, params, os.devnull, workers)
            seconds, used = run.end()
            # The process that keeps track of semaphores uses none of these.
            writing = sorted(run.waited, key=lambda pid: run.peaks[pid])[-workers:]
            wall[workers].append(seconds)
            alone[workers].append(seconds - sum(run.waited[pid] for pid in writing) / workers)
            processors[workers].append(used)
            print(f"{workers}: {seconds:.1f} s, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    for what, each in (("on the wall", wall), ("alone", alone), ("of processors", processors)):
        print(f"{what}: {median(each[1]):.1f} s with one worker, {median(each[2]):.1f} s with two")
    for what, each in (("on the wall", wall), ("alone", alone)):
        ratio = median(one / two for one, two in zip(each[1], each[2], strict=True))
        print(f"two workers are {ratio:.2f} times as fast as one {what}, the median of {rounds} pairs")


def measure_killed(file: Path, params: str, folder: Path, workers: int) -> None:
    """Writes a folder that is killed twice, and looks at each of its rows."""
    if folder.exists():
        raise SystemExit(f"{folder} is there already")
    space = ab.Space.load(file)
    low, high = (int(part.replace("k", "000")) for part in params.split(":"))
    total = space.within(ab.Budget(params=(low, high))).count()
    shards = -(-total // SHARD)
    print(f"{total:,} networks in {shards:,} shards")
    peaks: list[int] = []
    kept: dict[str, tuple[int, int]] = {}
    used = 0.0
    for part in (*KILLED_AT, None):
        run = Run(file, params, str(folder), workers)
        if part is None:
            seconds, used = run.end()
            print(f"the third run: {seconds:.0f} s, {used:.0f} s of processors")
        else:
            while len(state(folder)) < part * shards:
                run.look()
                assert run.process.poll() is None, "it ended too early"
                time.sleep(0.05)
            run.process.send_signal(signal.SIGKILL)
            run.process.wait()
            while run.look():  # The other workers end by themselves.
                time.sleep(0.05)
        now = state(folder)
        assert all(now.get(name) == what for name, what in kept.items()), "a shard that was complete was written again"
        kept = now
        peaks += run.peaks.values()
        print(f"{len(kept):,} shards{'' if part is None else ', killed'}; at most {max(run.peaks.values()) >> 10} MiB")
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert sorted(path.name for path in folder.iterdir()) == sorted([*kept, "_manifest.json"])
    print(f"{size:,} bytes, {size / total:.2f} a network; at most {max(peaks) >> 10} MiB a process")
    look_at_rows(space, folder, (low, high), total)


def state(folder: Path) -> dict[str, tuple[int, int]]:
    """The shards that are complete, with their inodes and times."""
    found = {path.name: path.stat() for path in folder.glob("[0-9]*.parquet")} if folder.is_dir() else {}
    return {name: (each.st_ino, each.st_mtime_ns) for name, each in found.items()}


def look_at_rows(space: ab.Space, folder: Path, budget: tuple[int, int], total: int) -> None:
    """Refuses rows that are missing, there twice, in another order, outside the budget, or wrongly counted."""
    start = time.perf_counter()
    rows, last = 0, -1
    largest = {name: max(space.decisions[name].values) for name in ORDER}
    for path in sorted(folder.glob("*.parquet")):
        assert int(path.name.partition("-")[0]) == rows, path
        with pq.ParquetFile(path) as file:
            for group in file.iter_batches(1 << 17):
                columns: dict[str, Any] = {name: group[name].to_numpy() for name in group.schema.names}
                place = np.zeros(len(group), dtype=np.int64)
                for name in ORDER:
                    place = place * (largest[name] + 1) + columns[name]
                assert place[0] > last, f"{path}: a rank is there twice"
                assert (np.diff(place) > 0).all(), f"{path}: a rank is there twice"
                assert (columns["params"] >= budget[0]).all(), path
                assert (columns["params"] <= budget[1]).all(), path
                some = {name: [column[0].item(), column[-1].item()] for name, column in columns.items()}
                for row in range(2):
                    arch = space.architecture({name: some[name][row] for name in space.decisions})
                    assert [arch.params, arch.macs] == [some[metric][row] for metric in METRICS], path
                rows, last = rows + len(group), place[-1]
    assert rows == total, f"{rows:,} rows, not {total:,}"
    print(f"{rows:,} rows, each once, in {time.perf_counter() - start:.0f} s")


def main() -> None:
    """Runs a part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    workers = parts.add_parser("workers")
    workers.add_argument("--params", default="50k:95k", help="the budget, in thousands (default: %(default)s)")
    workers.add_argument("--rounds", type=int, default=3, help="how many pairs are measured (default: %(default)s)")
    killed = parts.add_parser("killed")
    killed.add_argument("--params", default="50k:154k", help="the budget, in thousands (default: %(default)s)")
    killed.add_argument("--workers", type=int, default=2, help="how many processes write (default: %(default)s)")
    killed.add_argument("folder", type=Path)
    given = parser.parse_args()
    with TemporaryDirectory() as aside:
        file = Path(aside, "fine.yaml")
        file.write_text(description(), encoding="utf-8")
        if given.part == "workers":
            measure_workers(file, given.params, given.rounds)
        else:
            measure_killed(file, given.params, given.folder.absolute(), given.workers)
    print(machine())


if __name__ == "__main__":
    main()
