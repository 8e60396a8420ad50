"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def atomic(target: Path) -> Iterator[Path]:
    """A path to write to; it takes the place of the target at the end, and is removed after an error.

    Raises:
        FileNotFoundError: If the folder of the target does not exist.
        IsADirectoryError: If the target is a folder itself.
    """
    if target.is_dir():
        raise IsADirectoryError(f"{target}: this is a folder")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target}: there is no folder {target.parent}")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
