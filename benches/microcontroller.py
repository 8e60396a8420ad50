"""Holds the planned arenas and counted operators of networks against TensorFlow's converter and TensorFlow Lite Micro.

It draws networks of spaces, converts each to int8 with representative data, and reads the arena from the interpreter of
`tflite-micro`. It needs packages that are no dependency of archbudget:

    pip install tensorflow-cpu==2.21.0 tflite-micro
    python benches/microcontroller.py --networks 60

`--write FILE` keeps what was measured of the first networks of each space, for `tests/tflite`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import sys
import tempfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import archbudget as ab
from archbudget.digits import SPACE_FILE
from archbudget.tflite import converted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archbudget.space.architecture import Architecture

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

SPACES = ("ds_cnn", "digits", "lenet", "tc_resnet", "mcunet")
SAMPLES = 2
"""How many inputs the converter sees."""


def space_of(name: str) -> ab.Space:
    return ab.Space.load(SPACE_FILE) if name == "digits" else getattr(ab.spaces, name)()


@contextlib.contextmanager
def captured(path: Path) -> Iterator[None]:
    """Writes what native code prints into a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    with path.open("w") as file:
        kept = [os.dup(1), os.dup(2)]
        for end in (1, 2):
            os.dup2(file.fileno(), end)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for end, copy in zip((1, 2), kept, strict=True):
                os.dup2(copy, end)
                os.close(copy)


def with_values(model: Any, seed: int) -> None:
    """Gives weights values as after training: no bias is 0, and normalisation does something."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        if "variance" in weight.path or "gamma" in weight.path:
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
        elif len(weight.shape) <= 1:
            weight.assign(random.normal(0, 0.1, weight.shape))


def convert(arch: Architecture, seed: int) -> bytes:
    """The file of a network in int8, for inputs of one at a time."""
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    keras.backend.clear_session()
    model = arch.to_keras()
    with_values(model, seed)
    shape = (1, *model.inputs[0].shape[1:])
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(tf.TensorSpec(shape, tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([convert_variables_to_constants_v2(function)])
    random = np.random.default_rng(seed)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [random.standard_normal(shape).astype("float32")] for _ in range(SAMPLES)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def operators(content: bytes) -> list[list[Any]]:
    """The operators of a file, each with the shapes of the computed tensors that it reads, and of what it writes."""
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    graph = model.subgraphs[0]

    def shape(tensor: int) -> list[int]:
        return [int(side) for side in graph.tensors[tensor].shape]

    def computed(tensor: int) -> bool:
        return tensor >= 0 and model.buffers[graph.tensors[tensor].buffer].data is None

    return [
        [
            names[model.operatorCodes[each.opcodeIndex].builtinCode],
            [shape(tensor) for tensor in each.inputs if computed(tensor)],
            shape(each.outputs[0]),
        ]
        for each in graph.operators
    ]


def arena(content: bytes) -> dict[str, int]:
    """The arena of a file, from the interpreter."""
    from tflite_micro.python.tflite_micro import runtime

    with tempfile.TemporaryDirectory() as folder:
        printed = Path(folder, "allocations")
        with captured(printed):
            runtime.Interpreter.from_bytes(content, arena_size=1 << 26).print_allocations()
        text = printed.read_text()
    return {part: int(re.findall(rf"Arena allocation {part} (\d+)", text)[0]) for part in ("total", "head", "tail")}


def measured(arch: Architecture, seed: int) -> dict[str, Any]:
    """What the converter and the interpreter make of a network."""
    with tempfile.TemporaryDirectory() as folder, captured(Path(folder, "log")):
        content = convert(arch, seed)
        found = operators(content)
    return {"values": dict(arch), "operators": found, "size": len(content), **arena(content)}


def described(arch: Architecture) -> list[list[Any]]:
    """The operators that archbudget expects, in the form of `operators`."""
    graph = converted(arch.network)
    return [
        [node.kind, [list(graph.shapes[tensor]) for tensor in node.inputs], list(graph.shapes[node.output])]
        for node in graph.operators
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spaces", nargs="*", default=SPACES)
    parser.add_argument("--networks", type=int, default=60, help="how many of each space")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, help="keep the first --keep networks of each space in this file")
    parser.add_argument("--keep", type=int, default=3)
    options = parser.parse_args()
    kept: dict[str, Any] = {
        "versions": {name: version(name) for name in ("tensorflow-cpu", "keras", "tflite-micro")},
        "spaces": {},
    }
    for name in options.spaces:
        differences: dict[str, Counter[object]] = {part: Counter() for part in ("operators", "head", "tail", "peak")}
        rows, sizes = [], []
        for seed, arch in enumerate(space_of(name).sample(options.networks, seed=options.seed)):
            row = measured(arch, seed)
            planned = arch.arena()
            differences["operators"][row["operators"] == described(arch)] += 1
            differences["head"][planned.tensors + planned.scratch - row["head"]] += 1
            differences["tail"][planned.structures - row["tail"]] += 1
            differences["peak"][planned.tensors > planned.at_least] += 1
            sizes.append(arch.flash_bytes() / row["size"] - 1)
            rows.append(row)
        kept["spaces"][name] = rows[: options.keep]
        print(f"{name}: {len(rows)} networks", flush=True)
        print(f"  operators are the expected ones: {dict(differences['operators'])}")
        for part in ("head", "tail"):
            print(f"  bytes by which archbudget has more in the {part}: {dict(sorted(differences[part].items()))}")
        print(f"  the size of the file, in relation to the measured one: {min(sizes):+.2%} to {max(sizes):+.2%}")
        print(f"  the plan needs more than what is alive at once: {dict(differences['peak'])}", flush=True)
    if options.write is not None:
        options.write.write_text(json.dumps(kept, indent=None, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
