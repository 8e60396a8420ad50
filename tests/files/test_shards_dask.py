"""Folders of shards written by a Dask cluster in processes of its own, one of which is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import archbudget as ab

if TYPE_CHECKING:
    from collections.abc import Iterator

ds = pytest.importorskip("pyarrow.dataset")
distributed = pytest.importorskip("distributed")

BUDGET = ab.Budget(params=300_000)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two workers, each a process with one thread."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as made:
        yield made


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_a_killed_worker_loses_and_repeats_nothing(cluster: Any, lenet: ab.Space, tmp_path: Path) -> None:
    fits, folder = lenet.within(BUDGET), tmp_path / "out"
    with distributed.Client(cluster) as client:
        victim = min(client.run(os.getpid).values())
        killed: list[int] = []

        def kill() -> None:
            until = time.monotonic() + 120
            while len(list(folder.glob("*.parquet"))) < 10 and time.monotonic() < until:
                time.sleep(0.01)
            os.kill(victim, signal.SIGKILL)
            killed.append(len(list(folder.glob("*.parquet"))))

        killer = threading.Thread(target=kill)
        killer.start()
        written = fits.write_parquet(folder, ["params"], shard=300, executor=client.get_executor(pure=False))
        killer.join()
        assert victim not in client.run(os.getpid).values()
    assert written == fits.count()
    assert 10 <= killed[0] < -(-written // 300), "it was killed too late"
    counts = lenet.evaluate(fits.candidates(), ["params"])["params"]
    assert ds.dataset(folder).to_table()["params"].to_pylist() == counts.tolist()


def test_the_command_line_takes_a_scheduler(cluster: Any, tmp_path: Path) -> None:
    command = ["enumerate", "archbudget.spaces:lenet", "--params", "60k", "--shard", "1k", "-o", str(tmp_path / "out")]
    found = subprocess.run(
        [sys.executable, "-m", "archbudget", *command, "--scheduler", cluster.scheduler_address],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert found.stdout == f"{tmp_path / 'out'}: 5,811 candidates\n", found.stderr
    assert ds.dataset(tmp_path / "out").count_rows() == 5811


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x"])
def test_a_scheduler_that_is_not_there_is_one_line(address: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["enumerate", "archbudget.spaces:lenet", "-o", str(out), "--scheduler", address]
    found = subprocess.run([sys.executable, "-c", SHORT, *command], capture_output=True, text=True, timeout=120)
    assert found.returncode == 2
    assert found.stderr.splitlines()[-1].startswith(f"error: --scheduler: {address} cannot be reached"), found.stderr
    assert not out.exists()


SHORT = """
import sys
from archbudget.cli import _enumerate, main
_enumerate.CONNECT = 1
sys.exit(main(sys.argv[1:]))
"""
