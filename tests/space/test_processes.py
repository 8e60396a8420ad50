"""Threads, forks, signals and memory: what happens around the counting."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import archbudget as ab
from support.families import lenet_family
from support.random_spaces import METRICS

TESTS = Path(__file__).parents[1]
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs fork and signals")


def run(script: str, *, timeout: float) -> str:
    """The output of a script in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=TESTS,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_many_threads_count_at_once(lenet: ab.Space) -> None:
    batches = [lenet.sample(50_000, seed=seed) for seed in range(8)]
    expected = [lenet.evaluate(batch, threads=1) for batch in batches]
    fresh = lenet_family()  # Nothing is made ready: the threads race for it.

    def count(number: int) -> ab.Evaluation:
        fits = fresh.within(ab.Budget(params=100_000))
        assert fits.count() == 11_675
        assert fits.allowed([0]) is not None
        assert fresh.size == 73_728
        return fresh.evaluate(batches[number].indices, threads=2)

    with ThreadPoolExecutor(8) as pool:
        for counts, known in zip(pool.map(count, range(8)), expected, strict=True):
            for metric in METRICS:
                np.testing.assert_array_equal(counts[metric], known[metric])


def test_other_threads_run_while_one_counts(lenet: ab.Space) -> None:
    batch = lenet.sample(2_000_000, seed=0)
    ticks = 0
    with ThreadPoolExecutor(1) as pool:
        counting = pool.submit(
            lambda: [lenet.evaluate(batch, ["params"], threads=1, per_layer=False) for _ in range(20)]
        )
        while not counting.done():
            ticks += 1
            time.sleep(0.001)
    assert ticks > 10


def test_many_threads_ask_one_feasible_set(lenet: ab.Space) -> None:
    fits = lenet.within(ab.Budget(params=(30_000, 60_000), macs=(1_000_000, 2_000_000), peak_activation_bytes=80_000))
    prefixes = [[k1, f1] for k1 in range(3) for f1 in range(16)]
    fresh = lenet.within(fits.budget)
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(fits.allowed, prefixes)) == [fresh.allowed(prefix) for prefix in prefixes]


def _params_of(job: tuple[ab.Space, int]) -> int:
    space, seed = job
    return int(space.evaluate(space.sample(100_000, seed=seed), threads=2)["params"].sum())


@POSIX
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_counts_with_threads(lenet: ab.Space) -> None:
    expected = _params_of((lenet, 1))  # The parent has used threads before.
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, str(_params_of((lenet, 1))).encode())
        finally:
            os._exit(0)
    os.close(writer)
    deadline = time.monotonic() + 30
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            pytest.fail("the child hangs")
        time.sleep(0.01)
    with os.fdopen(reader) as answer:
        assert int(answer.read()) == expected


@POSIX
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_count(lenet: ab.Space, method: str) -> None:
    jobs = [(lenet, seed) for seed in range(2)]
    expected = [_params_of(job) for job in jobs]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        assert list(pool.map(_params_of, jobs, timeout=60)) == expected


OPEN_SPACE = """
    import numpy as np
    import archbudget as ab
    from archbudget import layers

    # Too wide to be counted: every candidate is run by itself.
    space = ab.Space([layers.Input((4,)), layers.Dense(ab.Int("a", 1, 2**16)), layers.Dense(ab.Int("b", 1, 2**16))])
    row = np.array([[7, 9]], dtype=np.uint16)
    wide = [layers.Input((4,)), layers.Dense(ab.Int("a", 1, 4096)), layers.Dense(ab.Int("b", 1, 4096))]
    endless = np.broadcast_to(row, (30_000_000, 2))
"""
LONG_WORK = {
    "evaluate": "space.evaluate(endless, ['params'], threads=1)",
    "evaluate with threads": "space.evaluate(endless, ['params'], threads=2)",
    "evaluate layers": "[space.evaluate(endless[:300_000], ['params'], per_layer=True, threads=1) for _ in range(100)]",
    "sample": "[space.sample(3_000_000, seed=seed) for seed in range(100)]",
    "compile": "[ab.Space(wide) for _ in range(3)]",
}


@POSIX
@pytest.mark.parametrize("what", LONG_WORK)
def test_ctrl_c_stops_long_work_at_once(what: str) -> None:
    script = textwrap.dedent(OPEN_SPACE) + textwrap.dedent(
        f"""
        import time
        print("ready", flush=True)
        try:
            {LONG_WORK[what]}
        except KeyboardInterrupt:
            print("stopped", time.time(), flush=True)
        else:
            print("done", flush=True)
        """
    )
    worker = subprocess.Popen([sys.executable, "-c", script], cwd=TESTS, stdout=subprocess.PIPE, text=True)
    try:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        time.sleep(0.5)
        begun = time.time()
        worker.send_signal(signal.SIGINT)
        answer = worker.stdout.readline().split()
    finally:
        worker.kill()
        worker.wait()
    assert answer[0] == "stopped"
    assert float(answer[1]) - begun < 1


def test_more_threads_than_work_do_not_hurt() -> None:
    script = """
        from support.families import lenet_family

        space = lenet_family()
        for threads in (1000, 2**31, 2**64):
            counts = space.evaluate(space.sample(3, seed=0), threads=threads, per_layer=True)
            assert counts.valid.all()
    """
    assert run(script, timeout=10) == ""


def test_memory_beside_input_and_output_does_not_grow_with_the_batch() -> None:
    script = """
        import numpy as np
        from support.families import lenet_family
        from support.peak_memory import peak_bytes

        space = lenet_family()
        batch = np.asfortranarray(space.sample(4_000_000, seed=0).indices)
        space.evaluate(batch[:100_000], ["params"])
        before = peak_bytes()
        counts = space.evaluate(batch, ["params"], threads=2)
        print(peak_bytes() - before)
    """
    assert int(run(script, timeout=60)) < 4_000_000 * (8 + 1) + 10_000_000


def test_two_wide_dense_layers_are_counted_in_little_memory() -> None:
    script = """
        import numpy as np
        import archbudget as ab
        from archbudget import layers
        from support.peak_memory import peak_bytes

        wide = [layers.Dense(ab.Int(name, 1, 4096)) for name in "ab"]
        space = ab.Space([layers.Input((16,)), *wide, layers.Dense(10)])
        assert space.size == 4096**2
        indices = np.random.default_rng(0).integers(4096, size=(100_000, 2)).astype(np.uint16)
        a, b = indices.astype(np.int64).T + 1
        counts = space.evaluate(indices)
        np.testing.assert_array_equal(counts["params"], 17 * a + (a + 1) * b + (b + 1) * 10)
        np.testing.assert_array_equal(counts["macs"], 16 * a + a * b + b * 10)
        np.testing.assert_array_equal(counts["peak_activation_bytes"], 4 * np.maximum.reduce([16 + a, a + b, b + 10]))
        print(peak_bytes())
    """
    assert int(run(script, timeout=120)) < 2**30


def test_a_wide_choice_beside_many_states_takes_little_memory() -> None:
    script = """
        import archbudget as ab
        from archbudget import layers
        from support.peak_memory import peak_bytes

        # While the right branch is decided, all the widths of the left one wait.
        left, right = layers.Dense(ab.Int("a", 1, 2**14)), layers.Dense(ab.Int("b", 1, 2**12))
        space = ab.Space(
            [layers.Input((4,)), layers.OneOf("op", {"l": left, "r": right}), layers.Dense(ab.Choice("c", [1, 2]))]
        )
        counts = space.evaluate({"op": ["l", "r"], "a": [3, 1], "b": [1, 5], "c": [2, 1]})
        assert counts["params"].tolist() == [15 + 8, 25 + 6]
        print(peak_bytes())
    """
    assert int(run(script, timeout=60)) < 2**30
