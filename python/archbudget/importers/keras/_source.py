"""Where the configuration of a model comes from: an object, a dict, a text or a file. Nothing in it is run."""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from archbudget._message import one_line, show
from archbudget._regular import path_of, reading
from archbudget.errors import FileError, SpaceError
from archbudget.importers._refusals import MOST_BYTES, parse_json
from archbudget.importers.keras._hdf5 import SIGNATURE, root_attributes

PLAIN_COMPRESSION = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The compressions whose memory does not depend on what a file says."""


class Source(NamedTuple):
    """The configuration of a model, and the model itself where it was given."""

    config: Any
    """The configuration, as JSON has it."""
    live: Any
    """The functional model of Keras that it describes; `None` where only the configuration was given."""
    counted: Any
    """The model that was given, which says how many weights there are."""


def source_of(given: Any, input_shape: Any) -> Source:
    """The configuration of whatever was given.

    Raises:
        SpaceError: If it is none of what is read, or not well formed.
    """
    if isinstance(given, (dict, list)):
        return Source(_Plain().of(given), None, None)
    if isinstance(given, str) and given.lstrip()[:1] in ("{", "["):
        return Source(parse_json(given, "the text"), None, None)
    if isinstance(given, (str, bytes, os.PathLike)):
        return Source(_file(path_of(given)), None, None)
    if is_model(given):
        return _model(given, input_shape)
    raise SpaceError(
        "from_keras reads a model of Keras, its configuration as a dict or as JSON text, or the path of a .keras, "
        f".json or .h5 file, not {show(given)}"
    )


MOST_VALUES, MOST_LEVELS = 2_000_000, 400
"""The most values of a configuration, and the most levels of lists and dicts in it."""


class _Plain:
    """Copies a configuration with the types that JSON has: `get_config` makes tuples and numbers of numpy, too.

    Lists and dicts may be of classes that do anything, so what they hold is asked of Python's own methods.
    """

    def __init__(self) -> None:
        self._left = MOST_VALUES

    def of(self, value: Any, level: int = 0) -> Any:
        """A copy.

        Raises:
            SpaceError: If it holds anything else, or more than is read.
        """
        self._left -= 1
        if self._left < 0 or level > MOST_LEVELS:
            raise SpaceError(
                f"a configuration may have {MOST_VALUES:,} values, and {MOST_LEVELS} levels of them within each other"
            )
        if value is None or type(value) in (str, bool, int, float):
            return value
        if isinstance(value, (list, tuple)):
            iterate: Any = list.__iter__ if isinstance(value, list) else tuple.__iter__
            return [self.of(each, level + 1) for each in iterate(value)]
        if isinstance(value, dict):
            return {self._name(name): self.of(each, level + 1) for name, each in dict.items(value)}
        if isinstance(value, np.generic):
            return self.of(value.item(), level + 1)
        raise SpaceError(f"the configuration holds {show(value)}, which is no value of JSON")

    @staticmethod
    def _name(name: object) -> str:
        if type(name) is not str:
            raise SpaceError(f"the configuration has the key {show(name)}, which is no text")
        return name


def is_model(given: Any) -> bool:
    """Whether it is a model of an installed Keras, of whatever version: only an imported one can have made it."""
    names = {f"{base.__module__}.{base.__name__}" for base in type(given).__mro__}
    return any(
        name.startswith(("keras.", "tf_keras.", "tensorflow.")) and name.rpartition(".")[2] in ("Model", "Functional")
        for name in names
    )


def _model(model: Any, input_shape: Any) -> Source:
    """The configuration of a model as it would be written to a file.

    A subclassed one has none: it is called on symbolic tensors, which makes a functional one of it where its `call`
    works on tensors alone.
    """
    keras, counted = sys.modules.get("keras"), model
    if keras is not None and isinstance(model, keras.Model):
        functional = getattr(model, "operations", None) is not None or isinstance(model, keras.Sequential)
        if not functional:
            model = _called(keras, model, input_shape)
    try:
        text = model.to_json()
    except Exception as error:  # A layer may do anything where it describes itself.
        what = f"{type(error).__name__}: {one_line(error)}"
        raise SpaceError(f"the model {show(model.name)} does not say how it is configured: {what}") from error
    return Source(parse_json(text, f"the configuration of {show(model.name)}"), model, counted)


def _called(keras: Any, model: Any, input_shape: Any) -> Any:
    """The functional model that a subclassed one is."""
    what = f"the model {show(model.name)} is a subclass of keras.Model with a call of its own"
    if input_shape is None:
        raise SpaceError(f"{what}: give input_shape=, so that it can be called on a symbolic tensor")
    try:
        if isinstance(input_shape, Mapping):
            inputs: Any = {name: keras.Input(tuple(shape), name=name) for name, shape in input_shape.items()}
        elif input_shape and isinstance(input_shape[0], (list, tuple)):
            inputs = [keras.Input(tuple(shape)) for shape in input_shape]
        else:
            inputs = keras.Input(tuple(input_shape))
        return keras.Model(inputs, model.call(inputs), name=model.name)
    except Exception as error:  # Its call may do anything.
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise SpaceError(f"{what}, which cannot be called on symbolic tensors of input_shape: {reason}") from error


def _file(path: str) -> Any:
    """The configuration in a file, whose first bytes say what it is."""
    with reading(path) as stream:
        start = stream.read(8)
        stream.seek(0)
        if start[:4] == b"PK\x03\x04":
            return parse_json(_archived(path, stream), f"config.json in {path}")
        if start != SIGNATURE:
            content = stream.read(MOST_BYTES + 1)
            if content.lstrip()[:1] not in (b"{", b"["):
                raise FileError(f"{path} is no model of Keras: neither a .keras archive, nor HDF5, nor JSON")
            return parse_json(content, path)
        found = root_attributes(stream, path, MOST_BYTES)
    if "model_config" not in found:
        raise FileError(f"{path} has no configuration of a model, only weights: give the model's JSON instead")
    text, version = found["model_config"], found.get("keras_version")
    if text is None:
        raise FileError(f"{path}: the attribute model_config is no text")
    config = parse_json(text, f"model_config in {path}")
    if isinstance(config, dict) and version is not None:
        config.setdefault("keras_version", version.decode("utf-8", "replace"))
    return config


def _archived(path: str, stream: Any) -> bytes:
    """The configuration in a `.keras` archive."""
    try:
        with zipfile.ZipFile(stream) as archive:
            entry = archive.getinfo("config.json")
            if entry.compress_type not in PLAIN_COMPRESSION:
                raise FileError(f"{path}: config.json is compressed in a way that Keras does not use")
            if entry.file_size > MOST_BYTES:
                raise FileError(f"{path}: config.json has {entry.file_size:,} bytes; at most {MOST_BYTES:,} are read")
            with archive.open(entry) as member:
                return member.read(MOST_BYTES + 1)
    except FileError:
        raise
    except KeyError:
        raise FileError(f"{path} is no model of Keras: the archive has no config.json") from None
    except Exception as error:  # A damaged archive raises a dozen types of errors.
        raise FileError(f"{path} cannot be read as a .keras archive: {one_line(error)}") from None
