"""The planner, against one that is written from its description alone, and on plans that are known."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from archbudget.tflite.planner import Buffer, aligned, alive, offsets, planned


def slow(buffers: Sequence[Buffer]) -> list[int]:
    """Each buffer at the lowest multiple of 16 where it meets no buffer that has a place and lives at the same time."""
    found: dict[int, int] = {}
    for index in sorted(range(len(buffers)), key=lambda each: (aligned(buffers[each].size), each), reverse=True):
        size = aligned(buffers[index].size)
        steps = set(range(buffers[index].first, buffers[index].last + 1))
        taken = [
            range(start, start + aligned(buffers[other].size))
            for other, start in found.items()
            if steps & set(range(buffers[other].first, buffers[other].last + 1))
        ]
        place = 0
        while any(place < each.stop and each.start < place + size for each in taken):
            place += 16
        found[index] = place
    return [found[index] for index in range(len(buffers))]


def drawn(number: int) -> list[Buffer]:
    rng = random.Random(number)
    firsts = [rng.randrange(8) for _ in range(rng.randint(1, 9))]
    return [Buffer(rng.choice([1, 16, 17, 40, 64, 100, 160]), first, first + rng.randrange(4)) for first in firsts]


@pytest.mark.parametrize("number", range(300))
def test_it_places_as_its_description_says(number: int) -> None:
    buffers = drawn(number)
    assert offsets(buffers) == slow(buffers)


@pytest.mark.parametrize("number", range(300, 400))
def test_what_lives_at_the_same_time_does_not_overlap(number: int) -> None:
    buffers = drawn(number)
    places = offsets(buffers)
    for index, one in enumerate(buffers):
        for other, start in zip(buffers[:index], places, strict=False):
            apart = one.last < other.first or other.last < one.first
            above = start >= places[index] + aligned(one.size) or places[index] >= start + aligned(other.size)
            assert apart or above
    assert planned(buffers) >= alive(buffers)


def test_of_equal_buffers_the_last_is_placed_first() -> None:
    assert offsets([Buffer(16, 0, 1), Buffer(16, 1, 2), Buffer(16, 2, 3)]) == [0, 16, 0]
    assert offsets([Buffer(16, 0, 1), Buffer(16, 1, 2)]) == [16, 0]


def test_a_plan_may_take_more_than_what_is_alive() -> None:
    worse = [number for number in range(400) if planned(drawn(number)) > alive(drawn(number))]
    assert len(worse) >= 5
    assert all(
        planned(drawn(number)) == max(map(sum, zip(slow(drawn(number)), sizes(number), strict=True)))
        for number in worse
    )


def sizes(number: int) -> list[int]:
    return [aligned(buffer.size) for buffer in drawn(number)]


def test_nothing_needs_nothing() -> None:
    assert (offsets([]), planned([]), alive([])) == ([], 0, 0)
