"""Source text of a network, in the words of a framework."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget._extras import imported
from archbudget._message import hint, show
from archbudget.errors import SpaceError
from archbudget.export.code._keras import write as write_keras

if TYPE_CHECKING:
    from collections.abc import Callable

    from archbudget.network import Network

__all__ = ["write"]


def _write_torch(network: Network) -> str:
    imported("torch", "to_code")
    from archbudget.export.code._torch import write as write_torch

    return write_torch(network)


WRITERS: dict[str, Callable[[Network], str]] = {"keras": write_keras, "torch": _write_torch}


def write(network: Network, framework: object) -> str:
    """The source text that builds a network.

    Raises:
        SpaceError: If there is no such framework, or a part of the network cannot be written.
    """
    if not isinstance(framework, str) or framework not in WRITERS:
        known = " or ".join(map(repr, WRITERS))
        raise SpaceError(f"to_code writes for {known}, not for {show(framework)}{hint(framework, WRITERS)}")
    return WRITERS[framework](network)
