"""The memory of results that are gone is written again, and that of results which are there never is."""

from __future__ import annotations

import gc
import itertools
import threading
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import archbudget as ab
from archbudget.space import kept
from archbudget.space.kept import Lender
from support.families import lenet_family

if TYPE_CHECKING:
    from collections.abc import Iterator

LENET = lenet_family()
ROWS = 300_000


def address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


@pytest.fixture(autouse=True)
def _released() -> Iterator[None]:
    ab.release_memory()
    yield
    ab.release_memory()


def test_the_memory_of_a_result_that_is_gone_is_written_again() -> None:
    first, other = LENET.sample(ROWS, seed=0), LENET.sample(ROWS, seed=1)
    totals = LENET.evaluate(first, ["params"])["params"]
    assert totals.flags.writeable
    before = address(totals)
    del totals
    again = LENET.evaluate(other, ["params"])["params"]
    assert address(again) == before
    out = np.zeros(ROWS, np.int64)
    LENET.evaluate(other, out={"params": out})
    assert np.array_equal(again, out)


def test_a_view_keeps_what_it_shows() -> None:
    totals = LENET.evaluate(LENET.sample(ROWS, seed=0), ["params"])["params"]
    shown = [totals[5:900], totals.view(np.uint8)[::7], memoryview(totals)[3:50], np.asarray(totals).reshape(2, -1)]
    content = [np.array(view) for view in shown]
    del totals
    for seed in range(1, 4):
        LENET.evaluate(LENET.sample(ROWS, seed=seed), ["params"])
        assert all(np.array_equal(view, own) for view, own in zip(shown, content, strict=True))
    assert ab.release_memory() == 8 * ROWS, "one array is kept beside that of the views"
    del shown
    assert ab.release_memory() == 8 * ROWS


def test_masks_and_flags_are_kept_too() -> None:
    rows = 2**20
    batch = LENET.sample(rows, seed=0)
    constraint = LENET.constraint(ab.Budget(params=100_000))
    mask = constraint.mask(batch)
    assert mask.dtype == np.bool_
    assert 0 < mask.sum() == constraint.count(batch) < rows
    del mask
    assert ab.release_memory() == rows


def test_small_results_are_left_to_the_heap() -> None:
    small = LENET.evaluate(LENET.sample(1000, seed=0), ["params"])["params"]
    assert small.flags.owndata
    del small
    assert ab.release_memory() == 0


@pytest.mark.parametrize("seed", range(5))
def test_arrays_that_are_there_never_share_memory_and_what_is_kept_is_bounded(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "LEAST", 64)
    monkeypatch.setattr(kept, "MOST", 4096)
    random, lender = Random(seed), Lender()
    live: list[tuple[Any, int]] = []
    used = set()
    for number in range(2000):
        if live and random.random() < 0.5:
            array, content = live.pop(random.randrange(len(live)))
            assert (array == content).all()
            used.add(address(array))
            del array
        else:
            array = lender.array(random.randrange(1, 600), random.choice([np.int64, np.bool_, np.uint32]))
            content = number % 2 if array.dtype == np.bool_ else number
            array[:] = content
            live.append((random.choice([array, array[len(array) // 2 :]]), content))
            del array
        assert sum(memory.nbytes for memory in lender._kept) <= 4096
    assert all((array == content).all() for array, content in live)
    for (one, _), (other, _) in itertools.combinations(live, 2):
        assert not np.may_share_memory(one, other)
    assert used & {address(array) for array, _ in live}, "some memory was written again"


def test_nothing_waits_for_the_lock() -> None:
    """A process may be forked, or an array go in the midst of a call, while it is taken."""
    lender = Lender()
    array = lender.array(ROWS, np.int64)
    with lender._lock:
        del array
        gc.collect()
        again = lender.array(ROWS, np.int64)
        again[:] = 1
        assert lender.release() == 0
    assert again.sum() == ROWS
    del again
    assert lender.release() == 8 * ROWS


def test_threads_get_memory_of_their_own() -> None:
    batches = [LENET.sample(ROWS, seed=seed) for seed in range(4)]
    right = [LENET.evaluate(batch, out={"params": np.zeros(ROWS, np.int64)})["params"] for batch in batches]
    wrong = []

    def count(number: int) -> None:
        for _ in range(20):
            totals = LENET.evaluate(batches[number], ["params"], threads=1)["params"]
            if not np.array_equal(totals, right[number]):
                wrong.append(number)
            if number == 0:
                ab.release_memory()

    threads = [threading.Thread(target=count, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
