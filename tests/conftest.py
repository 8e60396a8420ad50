"""Fixtures of the whole suite. Keras is asked for shapes and weights only, which its numpy backend knows best."""

from __future__ import annotations

import os
import signal
from importlib.metadata import version
from typing import TYPE_CHECKING

os.environ.setdefault("KERAS_BACKEND", "numpy")

import pytest
from hypothesis import settings

from support.families import lenet_family

if TYPE_CHECKING:
    from collections.abc import Iterator

    import archbudget as ab

settings.register_profile("reproducible", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("reproducible")


KERAS = (3, 15)
"""The version of Keras whose layers ours are."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves out what compares layers with an older Keras, which has fewer of them, arguments and refusals."""
    found = version("keras")
    if tuple(map(int, found.split(".")[:2])) < KERAS:
        reason = f"compares with the layers of Keras {'.'.join(map(str, KERAS))}; this is {found}"
        for item in items:
            if item.get_closest_marker("keras"):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def lenet() -> ab.Space:
    """The family of networks for MNIST that the README begins with."""
    return lenet_family()


@pytest.fixture
def hang_guard() -> Iterator[None]:
    """Ends a test that hangs, after a time in which every machine is done."""

    def stop(*_: object) -> None:
        pytest.fail("it hangs")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
