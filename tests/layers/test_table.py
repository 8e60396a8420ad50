"""`docs/layers.md` says of every class of Keras whether it is counted."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import pytest

from support import layer_table

ROOT = Path(__file__).parents[2]


def pinned(package: str) -> str:
    """The newest version of a package among those that are pinned."""
    found: list[str] = re.findall(rf"^{package}==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    return max(found, key=lambda version: [int(part) for part in version.split(".")])


@pytest.mark.skipif(keras.__version__ != pinned("keras"), reason="the table is that of the pinned Keras")
def test_the_table_of_layers_is_up_to_date() -> None:
    text = layer_table.PAGE.read_text(encoding="utf-8")
    assert text == layer_table.table(), "write it anew: make derived"


def test_no_layer_is_both_counted_and_refused() -> None:
    assert not set(layer_table.REASONS) & set(layer_table.KINDS)
