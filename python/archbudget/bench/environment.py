"""The machine and the versions on which measurements depend."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import TYPE_CHECKING

from archbudget._machine import cores, cpu

if TYPE_CHECKING:
    from collections.abc import Iterable

PACKAGES = ("archbudget", "numpy", "numba", "torch", "keras", "jax")


def environment(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """The processor, its cores, the load of the machine, and the versions of Python and of the packages."""
    versions = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    load = {"load": f"{os.getloadavg()[0]:.1f}"} if hasattr(os, "getloadavg") else {}
    return {"cpu": cpu(), "cores": str(cores()), **load, **versions}
