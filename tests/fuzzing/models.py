"""Mutated models of frameworks: each is read, or refused in one clear line; nothing is run, and nothing else opened."""

from __future__ import annotations

import copy
import io
import json
import os
import zipfile
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import archbudget as ab
from archbudget.errors import ArchbudgetError
from archbudget.importers.huggingface import FAMILIES
from fuzzing import graphs
from fuzzing.watched import watched

if TYPE_CHECKING:
    from collections.abc import Callable

MODELS = Path(__file__).parents[1] / "importers" / "models"
MOST_CHARACTERS = 2000
ODD: list[Any] = [
    *(None, True, False, 0, -1, 1, 2, 3, 2**31, 2**40, 2**63, 10**30, 1.5, float("nan"), float("inf")),
    *("", "relu", "same", "sequence", "input_1", "\ud800", "a/b", "a" * 5000, "__import__('os')"),
    *([], {}, [[]], [None], [None, 3], [1, 2, 3], [-1, 0], ["sequence", 0, 0], list(range(300))),
    *(
        {"class_name": "Dense", "config": {}},
        {"class_name": "Lambda", "config": {"function": ["4wEAAAA=", None, None]}},
    ),
    *({"class_name": "__lambda__", "config": {"value": "4wEAAAA="}}, {"class_name": "__ellipsis__", "config": {}}),
    {"class_name": "__slice__", "config": {"start": None, "stop": None, "step": 0}},
    {"class_name": "__numpy__", "config": {"value": [[1, 2], [3, 4]], "dtype": "float32"}},
    {"module": "os", "class_name": "system", "config": {"command": "true"}, "registered_name": None},
]


class Format(NamedTuple):
    """A format of models."""

    draw: Callable[[Random], bytes]
    """Draws a mutated file."""
    read: Callable[[str], Any]
    suffix: str
    package: str | None = None
    """What must be installed to read it."""


@cache
def texts() -> list[str]:
    """The configurations that are mutated: of Keras 1 to 3 as they are, and each of their layers by itself."""
    whole = [path.read_text(encoding="utf-8") for path in sorted(MODELS.glob("*.json"))]
    alone = []
    for text in whole:
        tree = json.loads(text)
        layers = tree["config"] if isinstance(tree["config"], list) else tree["config"]["layers"]
        first = [each for each in layers if each["class_name"] == "InputLayer"][:1]
        for layer in layers:
            if layer not in first:
                own = [
                    {key: value for key, value in each.items() if key != "inbound_nodes"} for each in (*first, layer)
                ]
                alone.append(json.dumps({**tree, "class_name": "Sequential", "config": {"name": "a", "layers": own}}))
    return whole * (len(alone) // (8 * len(whole)) + 1) + alone


@cache
def configurations() -> list[str]:
    """Small configurations of each family of transformers."""
    small = {"vocab_size": 50, "num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 4}
    small |= {"intermediate_size": 32, "max_position_embeddings": 64}
    own = {
        "gpt2": {"n_layer": 2, "n_embd": 16, "n_head": 4, "n_positions": 64},
        "t5": {"d_model": 16, "d_kv": 4, "d_ff": 32, "num_layers": 2, "num_heads": 4, "num_decoder_layers": 2},
        "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 4, "hidden_dim": 32},
        "vit": {"image_size": 32, "patch_size": 16, "num_channels": 3, "num_labels": 3},
    }
    more = {"num_key_value_heads": 2, "head_dim": 4, "tie_word_embeddings": True, "hidden_act": "silu"}
    every = []
    for family, known in FAMILIES.items():
        plain = {**own.get(family, {}), **(small if family not in ("gpt2", "t5", "distilbert") else {})}
        every += [
            {"model_type": family, "architectures": [next(iter(known.heads))], **plain},
            {"model_type": family, **plain, **more, "rope_scaling": {"factor": 8.0}, "sliding_window": 4},
        ]
    return [json.dumps(each) for each in every]


def _text(rng: Random) -> bytes:
    """A mutated configuration of Keras."""
    return json.dumps(mutated(rng, json.loads(rng.choice(texts())))).encode("utf-8", "surrogatepass")


def _json(rng: Random) -> bytes:
    return maybe(rng, _text(rng), 0.15)


def _archive(rng: Random) -> bytes:
    file = io.BytesIO()
    compression = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
    names = ["config.json"] if rng.random() < 0.9 else rng.choice([["../config.json"], ["config.json"] * 2, ["a"], []])
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name in names:
            archive.writestr(name, _text(rng))
        if rng.random() < 0.2:
            archive.writestr(rng.choice(["metadata.json", "model.weights.h5", "/etc/passwd"]), b" " * 5000)
    return maybe(rng, file.getvalue(), 0.6)


@cache
def _files() -> list[bytes]:
    """Some files of HDF5."""
    return [_hdf5(text) for text in texts()[:: max(1, len(texts()) // 12)]]


def _hdf5(value: Any) -> bytes:
    import h5py

    file = io.BytesIO()
    with h5py.File(file, "w") as made:
        made.attrs["model_config"] = value
        made.attrs["keras_version"] = "2.15.0"
        made.create_group("model_weights").attrs["layer_names"] = ["a", "b"]
    return file.getvalue()


def _any_hdf5(rng: Random) -> bytes:
    if rng.random() < 0.1:
        return maybe(rng, _hdf5(_text(rng).decode("utf-8", "replace").replace("\0", "")), 0.5)
    content = rng.choice(_files())
    return changed(rng, content, len(content) if rng.random() < 0.3 else 4096)


def _graph(rng: Random) -> bytes:
    return maybe(rng, graphs.mutated(rng, rng.choice(graphs.seeds())), 0.3)


def _configuration(rng: Random) -> bytes:
    tree = mutated(rng, json.loads(rng.choice(configurations())))
    return maybe(rng, json.dumps(tree).encode("utf-8", "surrogatepass"), 0.1)


def _reads_text(path: str) -> Any:
    return ab.from_keras(Path(path).read_bytes().decode("utf-8", "surrogatepass"))


FORMATS: dict[str, Format] = {
    "keras": Format(_archive, ab.from_keras, ".keras"),
    "json": Format(_json, ab.from_keras, ".json"),
    "text": Format(_text, _reads_text, ".txt"),
    "h5": Format(_any_hdf5, ab.from_keras, ".h5", "h5py"),
    "onnx": Format(_graph, ab.from_onnx, ".onnx", "onnx"),
    "huggingface": Format(_configuration, ab.from_huggingface, ".config.json"),
}


def missing(name: str) -> str | None:
    """The package without which a format cannot be read here."""
    package = FORMATS[name].package
    return package if package is not None and find_spec(package) is None else None


@cache
def _read_once(name: str, folder: Path) -> None:
    """Reads some files, so that what is imported for that is there already; and lays one out that nobody may open."""
    own = FORMATS[name]
    os.chdir(folder)
    (folder / graphs.OUTSIDE).write_bytes(bytes(64))
    path = folder / f"model-{os.getpid()}{own.suffix}"
    for number in range(30):
        path.write_bytes(own.draw(Random(number)))
        with suppress(ArchbudgetError):
            own.read(os.fspath(path))


def check_model(rng: Random, name: str, folder: Path) -> bool:
    """A mutated file of a format; whether it was read.

    Args:
        rng: Draws it.
        name: The format.
        folder: Where the file is and stays, so that it is there if the process dies of it.

    Raises:
        AssertionError: If it was neither read nor refused in one clear line, or if more was done than to read it.
    """
    own = FORMATS[name]
    path = os.fspath(folder / f"model-{os.getpid()}{own.suffix}")
    _read_once(name, folder)
    content = own.draw(rng)
    Path(path).write_bytes(content)
    with watched(path):
        try:
            own.read(path)
        except ArchbudgetError as error:
            said = str(error)
        else:
            return True
    case = f"{said[:3000]} of {content[:3000]!r}"
    assert "\n" not in said, case
    assert len(said) <= MOST_CHARACTERS, case
    assert "cannot take what it was given" not in said, case
    return False


def mutated(rng: Random, tree: Any) -> Any:
    """A tree with some places changed, left out, doubled, or filled with another part."""
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        found = list(places(tree))
        if not found:
            break
        parent, key = rng.choice(found)
        drawn = rng.random()
        if drawn < 0.6:
            parent[key] = copy.deepcopy(rng.choice(ODD))
        elif drawn < 0.75:
            del parent[key]
        elif drawn < 0.9:
            other, place = rng.choice(found)
            parent[key] = copy.deepcopy(other[place])
        elif isinstance(parent, list):
            parent.insert(rng.randrange(len(parent) + 1), copy.deepcopy(parent[key]))
        else:
            parent[rng.choice(["name", "units", "axis", "config", "x", "layers"])] = copy.deepcopy(parent[key])
    return tree


def places(tree: Any) -> Any:
    """Every place of a tree: what holds it, and its key."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        for key in keys:
            yield node, key
            waiting.append(node[key])


def maybe(rng: Random, content: bytes, share: float) -> bytes:
    """Bytes, a share of them changed."""
    return changed(rng, content) if content and rng.random() < share else content


def changed(rng: Random, content: bytes, most: int | None = None) -> bytes:
    """Bytes, cut off or with some of the first `most` of them changed."""
    if rng.random() < 0.2:
        return content[: rng.randrange(len(content))]
    own = bytearray(content)
    for _ in range(rng.choice([1, 1, 4, 16])):
        place = rng.randrange(min(len(own), most or len(own)))
        own[place] = rng.choice([0, 1, 127, 128, 255, own[place] ^ (1 << rng.randrange(8)), rng.randrange(256)])
    return bytes(own)
