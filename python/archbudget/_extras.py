"""Packages that a plain installation lacks: each is imported where it is used, and says what to install."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

from archbudget.errors import MissingPackageError


class Extra(NamedTuple):
    """A package that need not be there."""

    title: str
    """What it is called in a message."""
    install: str
    """What pip is asked for."""


EXTRAS = {
    "jax": Extra("JAX", "archbudget[digits]"),
    "kaleido": Extra("kaleido", "kaleido"),
    "keras": Extra("Keras and the backend that KERAS_BACKEND names", "archbudget[keras] jax"),
    "numba": Extra("numba", "numba"),
    "pandas": Extra("pandas", "archbudget[pandas]"),
    "plotly": Extra("plotly", "archbudget[plot]"),
    "pyarrow": Extra("pyarrow", "archbudget[pandas]"),
    "sklearn": Extra("scikit-learn", "archbudget[digits]"),
    "torch": Extra("PyTorch", "archbudget[torch]"),
}
"""What to install for a package, by the name with which it is imported."""


def imported(module: str, what: str) -> Any:
    """A module that need not be there.

    Args:
        module: Its name, such as `plotly.graph_objects`.
        what: What needs it, as a message begins.

    Raises:
        MissingPackageError: If it, or something that it needs, is not installed; the message says what to install.
    """
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ImportError as error:
        title, install = EXTRAS.get(package, Extra(package, package))
        missing = (error.name or package).partition(".")[0]
        because = "" if missing == package and isinstance(error, ModuleNotFoundError) else f" ({error})"
        raise MissingPackageError(f"{what} needs {title}: pip install {install}{because}", name=missing) from error


def installed_by(package: str) -> str:
    """What pip is asked for to have a package; for one that is not known here, its name."""
    return EXTRAS[package].install if package in EXTRAS else package
