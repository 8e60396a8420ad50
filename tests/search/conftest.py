"""What the tests of searches share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import optuna
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Optuna logs errors only, and as before afterwards."""
    known = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(known)
