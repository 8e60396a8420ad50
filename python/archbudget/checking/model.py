"""A model in any form, as one network: what `archbudget check` and `assert_within` are given."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from archbudget import files
from archbudget._guard import has
from archbudget._message import hint, listed, show
from archbudget._regular import path_of, reading
from archbudget.errors import MissingFileError, SpaceError
from archbudget.importers._refusals import MOST_BYTES, parse_json
from archbudget.importers.huggingface import from_huggingface
from archbudget.importers.keras import from_keras
from archbudget.importers.keras._source import is_model
from archbudget.importers.onnx import from_onnx
from archbudget.importers.torch import from_torch
from archbudget.layers import CustomLayer
from archbudget.space.architecture import Architecture
from archbudget.space.family import definition
from archbudget.space.rebuilding import Rebuilding, with_arguments
from archbudget.space.space import Space

if TYPE_CHECKING:
    from collections.abc import Callable

    from archbudget._budget import Budget
    from archbudget._expressions import Scalar
    from archbudget.layers import Layer

Shapes = Union["Sequence[int]", "Sequence[Sequence[int]]", "Mapping[str, Sequence[int]]"]
"""The shapes of inputs without the batch: of the only one, of several in their order, or by their names."""

SHAPE = "input_shape (--input-shape)"
"""What the shapes of inputs are called in messages."""

KERAS = (".keras", ".h5", ".hdf5")
KINDS = ".keras, .json, .h5, .onnx, .yaml, or module:attribute"
"""What a model may be given as, in a message."""

BITS = {
    "float64": 64, "float32": 32, "bfloat16": 16, "float16": 16, "float8": 8, "int32": 32, "int16": 16, "int8": 8,
    "uint8": 8, "int4": 4, "int2": 2, "int1": 1,
}  # fmt: skip
"""The bits of one value by the names of types."""


@dataclass(frozen=True)
class Checked:
    """A model that was read."""

    name: str
    """What it is called in texts."""
    arch: Architecture
    budget: Budget | None = None
    """The budget of its space file."""
    scalable: bool = True
    """Whether its widths are plain numbers that may be scaled: those of a space with decisions are values of these."""


@dataclass(frozen=True)
class ReadOptions:
    """How a model is read."""

    input_shape: Shapes | None = None
    """The shapes of its inputs, where it leaves sides open."""
    values: Callable[[Space], Mapping[str, Scalar]] | None = None
    """Gives the values of the decisions of a space; `None` where none are given."""
    weights: str | None = None
    """The type of the weights, such as `int8`."""
    activations: str | None = None
    """The type of the activations."""
    code: bool = True
    """Whether Python that is named as `module:attribute` may be imported and called."""


@dataclass(frozen=True)
class Read:
    """What a model was read as."""

    name: str
    model: Space | Architecture
    budget: Budget | None = None
    shapes_left: bool = False
    """Whether the shapes of its inputs were not asked for."""


def read_model(model: object, options: ReadOptions) -> Read:
    """A model as a space or a network, before values are given to its decisions; as `network_of_model`."""
    found = _read(model, options)
    if isinstance(found.model, Architecture):
        if options.input_shape is not None:
            raise SpaceError(f"{found.name} is one network, whose shapes are known: {SHAPE} is for models and spaces")
        return found
    space = found.model
    if options.input_shape is not None and found.shapes_left:
        space = space.with_sides(options.input_shape)
    return replace(found, model=_typed(space, options))


def network_of_model(model: object, options: ReadOptions) -> Checked:
    """The network that a model is.

    Args:
        model: An `Architecture`; a `Space` without decisions, or with values for all of them; a model of Keras, a
            module of PyTorch, a model of ONNX or a configuration of Hugging Face; the path of a file of one of them, or
            of a space file; a reference `module:attribute` to one of them; or a function that returns one.
        options: How it is read.

    Raises:
        SpaceError: If it is none of these, or not well formed.
        FileError: If a file cannot be read.
        MissingPackageError: If a package is not installed that reading it needs.
    """
    found = read_model(model, options)
    if isinstance(found.model, Architecture):
        arch, scalable = found.model, not found.model.space.decisions
        if options.values is not None:
            raise SpaceError(f"{found.name} is one network, whose decisions are taken: --set is for spaces")
        if options.weights is not None or options.activations is not None:
            arch = _architecture(_typed(_space(arch), options), dict(arch), found.name)
        return Checked(found.name, arch, found.budget, scalable)
    space = found.model
    arch = _architecture(space, {} if options.values is None else options.values(space), found.name)
    return Checked(found.name, arch, found.budget, not space.decisions)


def _space(arch: Architecture) -> Space:
    if not isinstance(arch.space, Space):
        raise SpaceError("the network is of no Space, so its bytes of weights cannot be changed")
    return arch.space


def _architecture(space: Space, values: Mapping[str, Scalar], name: str) -> Architecture:
    missing = [each for each in space.decisions if each not in values]
    if missing and not values:
        raise SpaceError(
            f"{name} is a space with {len(missing):,} decisions, not one network: give values for {listed(missing)}, "
            "--set NAME=VALUE or space.architecture(...); no value is given for decision "
            f"'{missing[0]}', {show(space.decisions[missing[0]])}"
        )
    return space.architecture(values)


def _read(model: object, options: ReadOptions) -> Read:
    if isinstance(model, (str, os.PathLike, bytes)):
        return _named(path_of(model), options, is_text=isinstance(model, str))
    return _object(model, options, "the model")


def _named(reference: str, options: ReadOptions, *, is_text: bool) -> Read:
    """What a path, or a reference `module:attribute`, names."""
    if files.is_file(reference):
        loaded = files.load(reference, code=options.code)
        return Read(loaded.name, loaded.space, loaded.budget, shapes_left=True)
    ending = Path(reference).suffix.lower()
    name = Path(reference).name
    if ending in KERAS:
        return Read(name, from_keras(reference, options.input_shape))
    if ending == ".json":
        if _is_huggingface(reference):
            return Read(name, _huggingface(reference, options))
        return Read(name, from_keras(reference, options.input_shape))
    if ending == ".onnx":
        return Read(name, _onnx(reference, options))
    if is_text and ":" in reference and not Path(reference).exists():
        if not options.code:
            raise SpaceError(files.refused(reference))
        return _object(files.load_attribute(reference), options, reference)
    if not Path(reference).exists():
        raise MissingFileError(f"there is no file {reference}; a model is given as {KINDS}")
    if Path(reference).is_dir() and (Path(reference) / "config.json").exists():
        return Read(name, _huggingface(reference, options))
    raise SpaceError(f"{reference}: what kind of model it is cannot be told from its name: a model is given as {KINDS}")


def _is_huggingface(file: str) -> bool:
    """Whether a file of JSON is a configuration of Hugging Face, not a model of Keras.

    Raises:
        SpaceError: If it is neither.
    """
    with reading(file) as stream:
        content = parse_json(stream.read(MOST_BYTES + 1), file)
    if isinstance(content, dict) and not isinstance(content.get("class_name"), str):
        if isinstance(content.get("model_type"), str):
            return True
        if not isinstance(content.get("layers"), list):
            raise SpaceError(
                f"{file} is neither a model of Keras, which has a class_name, nor a configuration of Hugging Face, "
                "which has a model_type"
            )
    return False


def _onnx(model: Any, options: ReadOptions) -> Space:
    """A graph of ONNX."""
    shapes = options.input_shape
    return from_onnx(model, input_shapes=dict(shapes) if isinstance(shapes, Mapping) else shapes)


def _huggingface(config: Any, options: ReadOptions) -> Space:
    """A transformer; the shape of its input is the length of its sequence."""
    shape = options.input_shape
    if shape is None:
        return from_huggingface(config)
    shapes: Any = list(shape.values()) if isinstance(shape, Mapping) else shape
    if isinstance(shapes, (list, tuple)) and all(isinstance(each, int) for each in shapes):
        shapes = [shapes]
    if not isinstance(shapes, (list, tuple)) or any(not has(each, "__len__") or len(each) != 1 for each in shapes):
        raise SpaceError(
            f"{SHAPE}: the input of a transformer of Hugging Face is a sequence of tokens, so its shape is (length,), "
            f"not {show(shape)}"
        )
    lengths = [each[0] for each in shapes]
    return from_huggingface(config, lengths[0] if len(lengths) == 1 else tuple(lengths))


def _object(model: object, options: ReadOptions, name: str) -> Read:
    """What an object is."""
    if inspect.isfunction(model):
        model = model()
    if isinstance(model, (Space, Architecture)):
        title = (model if isinstance(model, Space) else model.space).name
        return Read(title or name, model, shapes_left=True)
    if is_model(model):
        given = getattr(model, "name", None)
        return Read(given if isinstance(given, str) else name, from_keras(model, options.input_shape))
    kinds = {f"{base.__module__}.{base.__name__}" for base in type(model).__mro__}
    if any(kind.startswith("torch.nn.") and kind.endswith(".Module") for kind in kinds):
        if options.input_shape is None:
            raise SpaceError(f"{name} is a module of PyTorch: give its {SHAPE}, without the batch")
        given = options.input_shape
        shapes = list(given.values()) if isinstance(given, Mapping) else given
        return Read(name, from_torch(model, shapes))
    if type(model).__name__ == "ModelProto" and type(model).__module__.startswith("onnx"):
        return Read(name, _onnx(model, options))
    if any(kind.startswith("transformers.") and kind.lower().endswith("pretrainedconfig") for kind in kinds):
        return Read(name, _huggingface(model, options))
    raise SpaceError(
        f"{name} must be a model of Keras, PyTorch or ONNX, a Space, an Architecture, a function that returns one, "
        f"or the path of a model ({KINDS}), not {show(model)}"
    )


def _typed(space: Space, options: ReadOptions) -> Space:
    """The space with other types of weights and activations.

    Raises:
        SpaceError: If a type is unknown, or the activations are not of whole bytes.
    """
    described = definition(space)
    changes: dict[str, Any] = {}
    if options.activations is not None:
        bits = bits_of(options.activations, "activations")
        if bits % 8:
            raise SpaceError(f"activations: {show(options.activations)} has {bits} bits, which are no whole bytes")
        changes["bytes_per_activation"] = bits // 8
    if options.weights is not None:
        bits = bits_of(options.weights, "weights")
        if bits % 8:
            described = Rebuilding(partial(_with_bits, bits)).definition(described)
        else:
            changes["bytes_per_weight"] = bits // 8
    if options.weights is None and options.activations is None:
        return space
    return Space(**{**described, **changes})


def _with_bits(bits: int, layer: Layer, _: Layer) -> Layer:
    """A layer whose weights have so many bits, where it does not say itself how many they have."""
    if layer.weight_bits is not None:
        return layer
    if isinstance(layer, CustomLayer):
        reserved: dict[str, Any] = {"name": layer.name, "trainable": layer.trainable, "weight_bits": bits}
        return type(layer)(**layer.given, **reserved)
    return with_arguments(layer, {"weight_bits": bits})


def bits_of(kind: object, what: str) -> int:
    """The bits of one value of a type.

    Raises:
        SpaceError: If there is no such type.
    """
    if not isinstance(kind, str) or kind not in BITS:
        raise SpaceError(f"{what} must be the name of a type, not {show(kind)}{hint(kind, BITS)}")
    return BITS[kind]


def read_shapes(texts: Sequence[str], what: str) -> Shapes | None:
    """The shapes of inputs as they are typed: `32,32,3`, `32x32x3`, or `name=32,32,3`; `None` for none.

    Raises:
        SpaceError: If one is not a shape, or some have names and others not.
    """
    named: list[tuple[str, tuple[int, ...]]] = []
    for text in texts:
        name, equals, sides = text.rpartition("=")
        parts = sides.replace("x", ",").strip("()").split(",")
        parts = parts[:-1] if len(parts) > 1 and not parts[-1].strip() else parts
        if (equals and not name) or not all(part.strip().isascii() and part.strip().isdigit() for part in parts):
            raise SpaceError(f"{what}: {show(text)} is not a shape without the batch, such as 32,32,3 or image=32,32,3")
        named.append((name, tuple(int(part) for part in parts)))
    if not named:
        return None
    names = [name for name, _ in named]
    if any(names):
        if not all(names) or len(set(names)) < len(names):
            raise SpaceError(
                f"{what}: with several inputs each shape has the name of its own input, or none has a name"
            )
        return dict(named)
    return named[0][1] if len(named) == 1 else [shape for _, shape in named]
