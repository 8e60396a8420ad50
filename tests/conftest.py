"""Fixtures of the whole suite. Keras is asked for shapes and weights only, which its numpy backend knows best."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

os.environ.setdefault("KERAS_BACKEND", "numpy")

import pytest
from hypothesis import settings

from families import lenet_family

if TYPE_CHECKING:
    import archbudget as ab

settings.register_profile("reproducible", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("reproducible")


@pytest.fixture(scope="session")
def lenet() -> ab.Space:
    """The family of networks for MNIST that the README begins with."""
    return lenet_family()
