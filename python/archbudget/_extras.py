"""Optional packages: each is imported where it is used, and an error says what to install.

A message names the packages themselves, not an extra of archbudget, so that its command works however archbudget was
installed: from a checkout, a wheel, or a registry.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

from archbudget.errors import MissingPackageError


class Extra(NamedTuple):
    """An optional package."""

    title: str
    """Its name in a message."""
    install: str
    """The arguments of `pip install`."""


EXTRAS = {
    "cmaes": Extra("cmaes", "cmaes"),
    "distributed": Extra("Dask", "distributed"),
    "google": Extra("protobuf", "protobuf"),
    "grpc": Extra("gRPC", "grpcio"),
    "jax": Extra("JAX", "jax"),
    "kaleido": Extra("kaleido", "kaleido"),
    "keras": Extra("Keras", "keras"),
    "keras_tuner": Extra("KerasTuner", "keras-tuner six"),
    "numba": Extra("numba", "numba"),
    "optuna_dashboard": Extra("optuna-dashboard", "optuna-dashboard"),
    "onnx": Extra("onnx", "onnx"),
    "onnxscript": Extra("onnxscript", "onnxscript"),
    "pandas": Extra("pandas", "pandas"),
    "plotly": Extra("plotly", "plotly"),
    "psycopg": Extra("psycopg", "'psycopg[binary]'"),
    "pyarrow": Extra("pyarrow", "pyarrow"),
    "scipy": Extra("SciPy", "scipy"),
    "sklearn": Extra("scikit-learn", "scikit-learn"),
    "torch": Extra("PyTorch", "torch"),
}
"""The optional packages, by the names with which they are imported."""


def imported(module: str, what: str) -> Any:
    """A module of an optional package.

    Args:
        module: Its name, such as `plotly.graph_objects`.
        what: What needs it, at the start of the message.

    Raises:
        MissingPackageError: If it, or a package that it needs, is not installed; the message says what to install.
    """
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ImportError as error:
        title, install = EXTRAS.get(package, Extra(package, package))
        missing = (error.name or package).partition(".")[0]
        if package == "keras" and missing != "keras":
            # Keras is there. Its backend is TensorFlow, unless this variable, or its configuration, names another one.
            hint = f"pip install {missing}, or set KERAS_BACKEND to jax, torch or numpy, whichever is installed"
            raise MissingPackageError(f"{what} needs Keras' backend {missing}: {hint}", name=missing) from error
        because = "" if missing == package and isinstance(error, ModuleNotFoundError) else f" ({error})"
        raise MissingPackageError(f"{what} needs {title}: pip install {install}{because}", name=missing) from error


def installed_by(package: str) -> str:
    """The arguments of `pip install` for a package; for one that is not listed here, its name."""
    return EXTRAS[package].install if package in EXTRAS else package
