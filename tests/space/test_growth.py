"""How much is looked at when a space is compiled, as it grows; and what is refused in place of taking hours."""

from __future__ import annotations

import gc
import itertools
import math
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import LimitError
from support.small_diagrams import little

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

IMAGE = layers.Input((8, 8, 3))


def conv(filters: Any, size: Any = 3) -> layers.Layer:
    return layers.Conv2D(filters, size, padding="same")


def repeated(number: int) -> ab.Space:
    return ab.Space([IMAGE, ab.Repeat(ab.Int("depth", 0, number), [conv(ab.Choice("f", [8, 16, 32]))])])


def repeated_plain(number: int) -> ab.Space:
    return ab.Space([IMAGE, ab.Repeat(ab.Int("depth", 0, number), [conv(8)])])


def repeated_tied(number: int) -> ab.Space:
    block = [conv(ab.Choice("f", [8, 16, 32]))]
    return ab.Space([IMAGE, ab.Repeat(ab.Int("depth", 0, number), block, shared=["f"])])


def repeated_in_repeated(number: int) -> ab.Space:
    inner = ab.Repeat(ab.Int("inner", 0, 4), [conv(ab.Choice("f", [8, 16]))])
    return ab.Space([IMAGE, ab.Repeat(ab.Int("outer", 0, number), [inner])])


def repeated_residual(number: int) -> ab.Space:
    block = layers.Residual([conv(ab.Choice("f", [8, 16])), conv(8)])
    return ab.Space([IMAGE, conv(8), ab.Repeat(ab.Int("depth", 0, number), [block])])


def branches(number: int) -> ab.Space:
    return ab.Space([IMAGE, ab.OneOf("branch", {f"b{i}": [conv(i + 1)] for i in range(number)}), layers.Flatten()])


def optional(number: int) -> ab.Space:
    return ab.Space([IMAGE, *[ab.OneOf(f"o{i}", {"skip": [], "conv": [conv(3)]}) for i in range(number)]])


def free(number: int) -> ab.Space:
    return ab.Space([layers.Input((8,)), *[layers.Dense(ab.Choice(f"u{i}", [4, 8])) for i in range(number)]])


def tied(number: int) -> ab.Space:
    one = ab.Choice("one", [4, 8])
    stack = [layers.Dense(ab.Choice(f"u{i}", [4, 8]) if i % 2 else one) for i in range(number)]
    return ab.Space([layers.Input((8,)), *stack])


def ordered(number: int) -> ab.Space:
    widths = [ab.Choice(f"u{i}", [4, 8, 16]) for i in range(number)]
    ascending = [a <= b for a, b in itertools.pairwise(widths)]
    return ab.Space([layers.Input((8,)), *map(layers.Dense, widths)], constraints=ascending)


def fixed(number: int) -> ab.Space:
    return ab.Space([layers.Input((8,)), *[layers.Dense(8) for _ in range(number)]])


def residual(number: int) -> ab.Space:
    return ab.Space([IMAGE, *[layers.Residual(conv(3, ab.Choice(f"k{i}", [1, 3]))) for i in range(number)]])


def read_from_all(number: int) -> ab.Space:
    image = layers.Input((8, 8, 4))
    before: list[layers.Tensor] = [image]
    for i in range(number):
        before.append(conv(4)(ab.InputChoice(f"i{i}")(before)))
    return ab.Space(inputs=image, outputs=before[-1])


def two_depths(number: int) -> ab.Space:
    depth = ab.Int("d", 0, number) + ab.Int("e", 0, number)
    return ab.Space([IMAGE, ab.Repeat(depth, [conv(ab.Choice("f", [8, 16]))])])


FAMILIES: list[tuple[Callable[[int], ab.Space], int, Callable[[int], int], int]] = [
    # Each family, how large it is at first, how many networks it has, and to which power of its size it may take work:
    # 2 where the diagram has a node for each depth that is left and each layer.
    (repeated, 60, lambda n: sum(3**k for k in range(n + 1)), 2),
    (repeated_plain, 200, lambda n: n + 1, 1),
    (repeated_tied, 100, lambda n: 3 * n + 1, 2),
    (repeated_in_repeated, 20, lambda n: sum(31**k for k in range(n + 1)), 2),
    (repeated_residual, 60, lambda n: sum(2**k for k in range(n + 1)), 2),
    (branches, 500, lambda n: n, 1),
    (optional, 200, lambda n: 2**n, 1),
    (free, 500, lambda n: 2**n, 1),
    (tied, 300, lambda n: 2 ** (1 + n // 2), 1),
    (ordered, 100, lambda n: (n + 1) * (n + 2) // 2, 1),
    (fixed, 1000, lambda _: 1, 1),
    (residual, 200, lambda n: 2**n, 1),
]


@pytest.mark.parametrize(("make", "size", "networks", "power"), FAMILIES, ids=[row[0].__name__ for row in FAMILIES])
def test_work_grows_as_the_diagram_does(
    make: Callable[[int], ab.Space], size: int, networks: Callable[[int], int], power: int
) -> None:
    work = []
    for each in (size, 2 * size, 4 * size):
        space = make(each)
        assert space.size == networks(each)
        work.append(space._compiled.diagram.work())
    assert work[1] < 2.2**power * work[0]
    assert work[2] < 2.2**power * work[1]


def joined(least: int, most: int) -> ab.Space:
    """Layers that all add as much to the channels, whose number is asked for before that."""
    growth = ab.Choice("growth", [2, 3, 5, 7])
    block = layers.Residual([conv(2 * growth, 1), conv(growth)], merge=layers.Concatenate())
    depth = ab.Int("depth", least, most)
    return ab.Space([IMAGE, conv(ab.Int("width", 8, 87)), ab.Repeat(depth, [block], shared=["growth"])])


def test_nodes_that_differ_in_one_decision_run_together() -> None:
    most = 24
    space, deepest = joined(1, most), joined(most, most)
    assert space.size == most * deepest.size
    # Each depth by itself would take a run of its own, half as long in the mean.
    assert space._compiled.diagram.work() < most / 3 * deepest._compiled.diagram.work()
    sizes = [len(decision.values) for decision in space.decisions.values()]
    rows = np.array(list(itertools.product(*map(range, sizes))), dtype=np.uint8)
    counts = space.evaluate(rows)
    for row in range(0, len(rows), 7):
        names = zip(space.decisions.items(), rows[row], strict=True)
        arch = space.architecture({name: decision.values[index] for (name, decision), index in names})
        assert counts["params"][row] == sum(layer.params for layer in arch.layers)
        assert counts["macs"][row] == sum(layer.macs for layer in arch.layers)


LARGE: list[tuple[Callable[[int], ab.Space], int]] = [
    (repeated, 5000),
    (repeated_in_repeated, 1000),
    (two_depths, 100),
]


def test_what_waits_for_many_choices_is_counted_without_peaks(monkeypatch: pytest.MonkeyPatch) -> None:
    space = little(lambda: read_from_all(100), monkeypatch, work=1 << 24)
    assert space.size == math.factorial(100)
    assert space.range("params")[0] == space.range("params")[1]
    with pytest.raises(LimitError, match="too much work"):
        space.range("peak_activation_bytes")
    fits = space.within(ab.Budget(macs=10**9))
    assert fits.count() == space.size


@pytest.mark.parametrize(("make", "size"), LARGE)
def test_diagrams_beyond_the_limits_are_open_early_and_counted_one_by_one(
    make: Callable[[int], ab.Space], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = 1 << 24
    space = little(lambda: make(size), monkeypatch, work=work)
    # A run, and what is looked at once for a stage, may go a little beyond it.
    assert space._compiled.diagram.work() < 2 * work
    for ask in (lambda: space.size, lambda: space.within(ab.Budget(params=10**6)), lambda: space.range("macs")):
        with pytest.raises(LimitError, match="too much work.* give fewer values or repetitions, or tie decisions"):
            ask()
    first = space.architecture({name: decision.values[0] for name, decision in space.decisions.items()})
    counts = space.evaluate(np.zeros((1, len(space.decisions)), dtype=np.uint16))
    assert counts["params"].tolist() == [first.params]


@pytest.mark.parametrize("share", [0, 0.3, 0.6])
@pytest.mark.parametrize("make", [repeated, repeated_tied, optional, ordered, residual])
def test_less_work_changes_no_count(
    make: Callable[[int], ab.Space], share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = make(5)
    space = little(lambda: make(5), monkeypatch, work=int(share * known._compiled.diagram.work()))
    with pytest.raises(LimitError, match="too much work"):
        space.range("params")
    if make is residual:
        # Nothing refuses a combination of values.
        assert space.size == known.size
    else:
        with pytest.raises(LimitError, match="too much work"):
            _ = space.size
    candidates = known.sample(300, seed=1)
    found, expected = space.evaluate(candidates.indices), known.evaluate(candidates)
    np.testing.assert_array_equal(found.valid, expected.valid)
    for metric in space.metrics:
        np.testing.assert_array_equal(found[metric], expected[metric])


def test_a_sample_that_cannot_be_drawn_is_refused_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    space = little(lambda: repeated_in_repeated(500), monkeypatch, work=1)
    with pytest.raises(LimitError, match="combinations of values drawn .* fits together, .* give fewer values"):
        space.sample(1, seed=0)


@pytest.fixture
def collected_unseen() -> Iterator[None]:
    """Garbage is collected without callbacks: hypothesis has one, and Python drops an interrupt that comes in it."""
    callbacks = gc.callbacks[:]
    gc.callbacks.clear()
    try:
        yield
    finally:
        gc.callbacks.extend(callbacks)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals a thread")
@pytest.mark.parametrize(
    ("make", "size"), [(repeated, 4000), (read_from_all, 100), (two_depths, 150), (repeated_plain, 50_000)]
)
@pytest.mark.usefixtures("collected_unseen")
def test_a_long_compilation_ends_at_ctrl_c(make: Callable[[int], ab.Space], size: int) -> None:
    ended = threading.Event()

    def interrupt() -> None:
        if not ended.wait(2):
            os.kill(os.getpid(), signal.SIGINT)

    other = threading.Thread(target=interrupt)
    other.start()

    def compile_and_wait() -> None:
        make(size)
        time.sleep(60)  # Where it was done before there is nothing to be seen.

    with pytest.raises(KeyboardInterrupt):
        compile_and_wait()
    ended.set()
    other.join()
