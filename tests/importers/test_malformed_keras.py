"""Files that are no models of Keras, or not well formed: one clear error, nothing run, nothing large allocated."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archbudget as ab
from archbudget.errors import ArchbudgetError, FileError, FolderError, MissingFileError, SpaceError, TranslationError

MODELS = Path(__file__).parent / "models"
MNIST = json.loads((MODELS / "mnist_cnn_keras_1.1.1.json").read_text(encoding="utf-8"))
MOST_BYTES, MOST_SECONDS = 300 << 20, 60


def refused(source: Any, kind: type[Exception] = SpaceError, *, measured: bool = True, **arguments: Any) -> str:
    """The message of an error, which takes little memory and time."""
    if measured:
        tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises(kind) as caught:
            ab.from_keras(source, **arguments)
        if measured:
            assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()
    assert time.process_time() - start < MOST_SECONDS
    message = str(caught.value)
    assert "\n" not in message
    assert "cannot take what it was given" not in message
    return message


def archive(path: Path, content: bytes, name: str = "config.json", **arguments: Any) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **arguments) as file:
        file.writestr(name, content)
    return path


def row(*entries: Any, shape: Any = (None, 4)) -> dict[str, Any]:
    """A `Sequential` of layers, by their classes and configurations."""
    first = {"class_name": "InputLayer", "config": {"batch_shape": shape, "name": "source"}}
    layers = [{"class_name": kind, "config": {"name": f"layer_{at}", **own}} for at, (kind, own) in enumerate(entries)]
    return {"class_name": "Sequential", "config": {"name": "row", "layers": [first, *layers]}}


def graph(layers: dict[str, list[Any]], outputs: Any) -> dict[str, Any]:
    """A functional model of identities, by the tensors that each reads."""
    entries = [{"class_name": "InputLayer", "name": "x", "config": {"batch_shape": [None, 4]}, "inbound_nodes": []}]
    entries += [
        {"class_name": "Add", "name": name, "config": {"name": name}, "inbound_nodes": [nodes] if nodes else []}
        for name, nodes in layers.items()
    ]
    config = {"name": "graph", "layers": entries, "input_layers": [["x", 0, 0]], "output_layers": outputs}
    return {"class_name": "Functional", "config": config}


def test_files_that_are_no_models(tmp_path: Path) -> None:
    assert refused(tmp_path / "missing.keras", MissingFileError)
    assert refused(tmp_path, FolderError)
    path = tmp_path / "model.keras"
    path.write_bytes(b"")
    assert "neither a .keras archive, nor HDF5, nor JSON" in refused(path, FileError)
    archive(path, b"{}", "metadata.json")
    assert "has no config.json" in refused(path, FileError)
    path.write_bytes(archive(path, json.dumps(MNIST).encode()).read_bytes()[:200])
    assert "cannot be read as a .keras archive" in refused(path, FileError)
    path.write_text('{"class_name": "Sequential", "config": [')
    assert "is not JSON" in refused(path)
    path.write_bytes(b'{"class_name": "\xff\xfe"}')
    assert "is not JSON" in refused(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.keras")
    assert "named pipe" in refused(tmp_path / "pipe.keras", FileError)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = archive(tmp_path / "bomb.keras", b" " * (200 << 20))
    assert path.stat().st_size < 1 << 20
    assert "209,715,200 bytes; at most 67,108,864 are read" in refused(path, FileError)
    # The same with a size that is a lie.
    content = path.read_bytes().replace((200 << 20).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    path.write_bytes(content)
    assert refused(path)


def test_a_pickle_is_not_loaded(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "harmed",)

    (tmp_path / "model.h5").write_bytes(pickle.dumps(Harm()))
    assert refused(tmp_path / "model.h5", FileError)
    assert not (tmp_path / "harmed").exists()


def test_hdf5_without_a_model(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file["kernel"] = [1.0, 2.0]
    assert "only weights" in refused(path, FileError)
    for value in ([1, 2], 3.0, "{"):
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = value
        assert refused(path)
    path.write_bytes(path.read_bytes()[:700])
    assert refused(path, FileError)


@pytest.mark.parametrize("version", ["earliest", "latest", ("v108", "v108"), ("v110", "latest")])
@pytest.mark.parametrize("more", [0, 3, 30])
def test_hdf5_of_each_version_is_read_without_its_library(version: Any, more: int, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    expected = ab.from_keras(MNIST).architecture().params
    path, text = tmp_path / "model.h5", json.dumps(MNIST)
    for written in (text, text.encode(), np.bytes_(text), text + " " * 100_000):
        with h5py.File(path, "w", libver=version) as file:
            file.create_group("model_weights").attrs["layer_names"] = ["a", "b"]
            for number in range(more):
                file.attrs[f"more{number}"] = f"value {number}"
            file.attrs["model_config"] = written
            file.attrs["keras_version"] = "1.1.1"
            file["kernel"] = [1.0, 2.0]
        if more == 30 and version != "earliest":
            assert "keeps its attributes in a heap" in refused(path, FileError)
        else:
            assert ab.from_keras(path).architecture().params == expected


def test_a_header_of_hdf5_in_circles(tmp_path: Path) -> None:
    """The library of HDF5 never comes back from some of these files."""
    h5py = pytest.importorskip("h5py")
    path, started = tmp_path / "model.h5", time.process_time()
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(MNIST)
    whole = path.read_bytes()
    for place in range(8, 1000):
        for value in (0, 1, 255):
            path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            with contextlib.suppress(ArchbudgetError):
                ab.from_keras(path)
    assert time.process_time() - started < MOST_SECONDS


def test_a_name_that_is_no_text() -> None:
    assert "lone surrogates" in refused(row(("Dense", {"units": 2, "name": "\ud800"})), TranslationError)


def test_code_in_a_file_is_not_run_and_no_module_is_imported(tmp_path: Path) -> None:
    marshalled = ["4wEAAAABAAAAAAAAAAAAAAACAAAAQwAAAHMIAAAAfAB8ABoAUwA=", None, None]
    own = {"module": "this", "class_name": "Zen", "config": {"name": "zen"}, "registered_name": "this>Zen"}
    model = row(("Lambda", {"function": marshalled}), ("Lambda", {"function": {"class_name": "__lambda__"}}))
    model["config"]["layers"].append(own)
    model["config"]["layers"].append(
        {"class_name": "Dense", "config": {"name": "d", "units": 2, "activation": {"class_name": "__lambda__"}}}
    )
    (tmp_path / "model.json").write_text(json.dumps(model))
    sys.modules.pop("this", None)
    message = refused(tmp_path / "model.json", TranslationError)
    assert message.startswith(
        "the Keras model 'row' has 4 parts that archbudget cannot translate: 'layer_0', 'layer_1'"
    )
    assert "this" not in sys.modules


@pytest.mark.parametrize(
    "shape", [[None, 2**40], [None, 2**31], [None, 0], [None, -1], [None, "4"], [], 5, [None, 1.5]]
)
def test_sides_that_no_tensor_has(shape: Any) -> None:
    assert refused(row(("Dense", {"units": 2}), shape=shape))


def test_counts_beyond_what_is_counted() -> None:
    huge = [("Dense", {"units": 2**31 - 1}), ("Dense", {"units": 2**31 - 1}), ("Dense", {"units": 2**31 - 1})]
    assert refused(row(*huge), ArchbudgetError)
    assert refused(row(("Dense", {"units": 2**70})), ArchbudgetError)
    assert refused(row(("Reshape", {"target_shape": [2**62, 2**62]})), ArchbudgetError)


def test_graphs_that_go_in_circles_or_nowhere() -> None:
    circle = graph({"a": [["b", 0, 0], ["x", 0, 0]], "b": [["a", 0, 0]]}, [["a", 0, 0]])
    assert refused(circle) == "the layers of model 'graph' go in circles: 'a', 'b'"
    itself = graph({"a": [["a", 0, 0], ["x", 0, 0]]}, [["a", 0, 0]])
    assert "go in circles: 'a'" in refused(itself)
    assert refused(graph({"a": [["gone", 0, 0]]}, [["a", 0, 0]]))
    assert refused(graph({"a": [["x", 0, 0]]}, [["gone", 0, 0]]))
    assert refused(graph({"a": [["x", 0, 3]]}, [["a", 0, 0]]))
    assert refused(graph({"a": [["x", 5, 0]]}, [["a", 0, 0]]))
    assert refused(graph({"a": [["x", 0, 0]]}, [["a", 1, 0]]))
    assert refused(graph({"a": [["x", 0, 0]]}, []))
    assert ab.from_keras(graph({"a": [["x", 0, 0]]}, [["a", 0, 0]])).architecture().params == 0


def test_a_hundred_thousand_layers() -> None:
    assert "at most 65,536 are read" in refused(row(*[("Dropout", {"rate": 0.5})] * 100_000), measured=False)
    inner = row(*[("Dropout", {"rate": 0.5})] * 700)
    models = [{**inner, "config": {**inner["config"], "name": f"model_{at}"}} for at in range(100)]
    assert "at most 65,536 are read" in refused({"class_name": "Sequential", "config": models}, measured=False)


def test_models_and_lists_within_each_other() -> None:
    nested: Any = row(("Dropout", {"rate": 0.5}))
    for _ in range(40):
        nested = {"class_name": "Sequential", "config": {"name": "nested", "layers": [nested]}}
    assert "models within models, more than 32 deep" in refused(nested)
    assert refused(json.dumps(MNIST)[:-1] + ', "x": ' + "[" * 50_000 + "]" * 50_000 + "}")
    deep: Any = []
    for _ in range(5_000):
        deep = [deep]
    assert refused({"class_name": "Sequential", "config": deep})
    circle: dict[str, Any] = {"class_name": "Sequential"}
    circle["config"] = circle
    assert refused(circle)


def test_a_wrapper_around_itself() -> None:
    layer: Any = {"class_name": "Dense", "config": {"units": 2}}
    for _ in range(100):
        layer = {"class_name": "TimeDistributed", "config": {"layer": layer}}
    assert refused(row(("TimeDistributed", {"layer": layer}), shape=[None, 4, 4]))


@pytest.mark.parametrize(
    "model",
    [
        {},
        [],
        {"class_name": "Sequential"},
        {"class_name": "Sequential", "config": []},
        {"class_name": "Sequential", "config": {"layers": [3]}},
        {"class_name": "Dense", "config": {"units": 3}},
        {"class_name": "Functional", "config": {"layers": [], "input_layers": [], "output_layers": []}},
        row(("Dense", {})),
        row(("Dense", {"units": "many"})),
        row(("Dense", {"units": 2, "quantization_config": {"mode": "int8"}})),
        row(("Dense", {"units": 2, "dtype": {"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8"}}})),
        row(("Dense", {"units": 2, "mystery": 3})),
        row(("Dense", {"units": 2, "activation": {"class_name": "PReLU", "config": {}}})),
        row(("Conv2D", {"filters": 2, "kernel_size": 3})),
        row(("Bidirectional", {"layer": {"class_name": "Dense", "config": {"units": 2}}})),
        row(("Dense", {"units": 2, "name": "source"})),
        "{}",
        "[]",
        "[1, 2",
    ],
)
def test_configurations_that_are_no_models(model: Any) -> None:
    assert refused(model, ArchbudgetError)


def test_arguments_that_are_none() -> None:
    assert "strict must be True or False, not 'no'" in refused(MNIST, strict="no")
    assert refused(MNIST, custom=[1])
    assert refused(MNIST, custom={"Dense": 3})
    assert refused(row(("Own", {})), custom={"Own": lambda _: 3})
    assert "failed: ZeroDivisionError" in refused(row(("Own", {})), custom={"Own": lambda _: 1 // 0})
    for shape in ((29, 28, 1), (28, 28), "28", 5, [(28, 28, 1), (28, 28, 1)], {"nothing": (28, 28, 1)}):
        assert refused(MNIST, input_shape=shape)


def test_a_word_whose_class_is_no_text() -> None:
    for kind in ([], {}, [[1]]):
        own = {"units": 2, "kernel_initializer": {"class_name": kind, "config": {}}}
        for name in ("kernel_initializer", "kernel_regularizer", "activation"):
            told = row(("Dense", {"units": 2, name: own["kernel_initializer"]}))
            try:
                assert ab.from_keras(told).architecture().params == 4 * 2 + 2
            except ArchbudgetError as error:
                assert "cannot take what it was given" not in str(error)
