"""Mutated files: each is read, or refused in one line, within bounded time and memory."""

from __future__ import annotations

import contextlib
import copy
import io
import os
import resource
import signal
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml

import archbudget as ab
from archbudget import cli, digits

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

SECONDS = 20
"""The processor time that a command may take; many times what it needs."""
MEMORY = 2 << 30
"""The bytes that it may take beside those of the process that starts it."""
MOST_CHARACTERS = 2000

SPACES = [
    Path(digits.__file__).with_name("space.yaml").read_text(encoding="utf-8"),
    """
name: example
budget: {params: 60000, macs: [1000, null]}
decisions:
  depth: {low: 1, high: 2}
  width: {low: 8, high: 16, step: 8}
  kernel: [1, 3]
  rate: [0.1, 0.5]
  padding: [same, valid]
domains: {padding_1: [same]}
layers:
- Input: [8, 8, 1]
- Repeat:
    times: $depth
    block:
    - Conv2D: {filters: $width, kernel_size: [$kernel, 3], padding: $padding, name: conv}
    - Require: $width > 8 or $kernel == 3
- Residual:
  - Conv2D: {filters: $channels, kernel_size: 1}
- OneOf: {name: pool, blocks: {max: [MaxPooling2D], none: []}}
- Flatten
- Dropout: $rate
- Dense: {units: "round_to($depth * 5 + 3, 8)", weight_bits: 4}
constraints:
- $width_1 <= $width_2
- "'max' == $pool"
""",
    """
space: inner.yaml
domains: {width: [1, 2], op: [a]}
budget: {latency: 100}
metrics:
  latency: {table: latency.csv, column: us, decimals: 1}
""",
]
INNER = """
decisions: {width: [1, 2, 4], rate: [0.1, 0.5], wide: [true, false], op: [a, b]}
layers:
- Input: [4]
- Dense: {units: $width, use_bias: $wide}
- Dropout: $rate
- OneOf: {name: $op, blocks: {a: [], b: [{Dense: 3}]}}
"""
TABLE = "type,input_shape,units,us\nDense,4,,1.5\nDense,,3,2\nDense,,,3\nDropout,,,0\n"
ODD: list[Any] = [
    *(None, True, 0, -1, 1, 3, 2**31, 2**63, 10**9, 10**30, -(10**30), 1.5, 50_000, float("nan"), float("inf")),
    *("", "$", "$width", "$nothing", "$width * 10 ** 9", "$width ** 99", "(" * 300, "1 " + "+ 1" * 5000, "1e999"),
    *("\ud800", "é\u202e", "a" * 5000, "../x.yaml", "same", "__import__('os')", "2026-01-01", b"\xff\x00"),
    *([], [[]], {}, [1, 2], ["Flatten"], list(range(3000)), {"low": 1, "high": 10**9}, {"Dense": 3}),
    *({"low": 1, "high": 3, "step": 0}, {"table": "latency.csv"}, {"table": "/dev/zero"}),
    {"Repeat": {"times": 10**9, "block": ["Flatten"]}},
]
TEXTS = [
    b"a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b]\nlayers: [*c, *c]\n",
    *(b"&a [*a]", b"!!python/object/apply:os.system [ls]", b"? [1]\n: 2", b"%YAML 9.9\n---\n", b"<<: {a: 1}\n"),
    *(b"\xef\xbb\xbf", b"\x00", b"\xff\xfe", b"[" * 3000, b"{a: " * 3000, b"- " * 3000, b"--- a\n--- b\n"),
    *(b"'", b'"', b"\t", b",", b"\r", b"1e999", b"\n\n"),
]


def run(arguments: list[str], folder: Path) -> str:
    """Runs a command in a process of its own and holds its end against what is promised; gives its last line.

    Raises:
        AssertionError: If it is another one.
    """
    said = folder / "said"
    _imported()
    child = os.fork()
    if not child:
        _bound()
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(os.open(said, os.O_CREAT | os.O_WRONLY | os.O_TRUNC), 2)
        # Whoever started this process may have put something else in their place.
        sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8", errors="replace") for number in (1, 2))
        code = 70
        try:
            code = cli.main(arguments)
            sys.stderr.flush()
        finally:
            os._exit(code)
    end = time.monotonic() + 10 * SECONDS
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.001)
    code = os.waitstatus_to_exitcode(ended[1])
    text = said.read_text(encoding="utf-8", errors="replace")
    assert code in (0, 2), f"it ended with {code}: {text[-500:]}"
    if code == 2:
        assert text.count("\n") == 1, f"not one line: {text[:500]!r}"
        assert text.startswith("error: "), text[:500]
        assert len(text) <= MOST_CHARACTERS + 8, f"{len(text)} characters: {text[:300]}"
        assert "--debug shows where" not in text, text[:500]
    return text


@cache
def _imported() -> None:
    """Imports what commands need, so that no child has to."""
    import pyarrow.parquet  # noqa: F401

    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()):
        (space := Path(name, "space.yaml")).write_text(SPACES[0])
        assert cli.main(["describe", str(space)]) == 0


def _bound() -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def check_file(rng: Random) -> tuple[str, bool]:
    """A mutated file of one of the kinds that are read; its kind, and whether it was read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in (("inner.yaml", INNER), ("latency.csv", TABLE)):
            (folder / file).write_text(text)
        what, arguments = rng.choice([_space, _space, _table, _csv, _npy, _npz, _parquet])(rng, folder)
        file = next(argument for argument in arguments if (folder / argument).exists())
        if what == "table":
            file = "latency.csv"
        content = (folder / file).read_bytes()
        case = f"archbudget {' '.join(arguments)} with {file} = {content[:3000]!r}"
        try:
            refused = run(arguments, folder).startswith("error: ")
        except AssertionError as error:
            raise AssertionError(f"{case}: {error}") from None
        left = {each.name for each in folder.iterdir()} - {"inner.yaml", "latency.csv", "said", file, "space.yaml"}
        assert left <= {"counts.csv"}, f"{case}: left {left}"
    return what, not refused


def _space(rng: Random, folder: Path) -> tuple[str, list[str]]:
    text = rng.choice(SPACES)
    if rng.random() < 0.6:
        tree = yaml.safe_load(text)
        for _ in range(rng.choice([1, 1, 2, 3])):
            tree = _changed(rng, tree)
        try:
            raw = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True).encode("utf-8", "surrogatepass")
        except yaml.YAMLError:
            raw = repr(tree).encode("utf-8", "surrogatepass")
    else:
        raw = text.encode()
    if rng.random() < 0.5:
        raw = _bytes(rng, raw)
    (folder / "space.yaml").write_bytes(raw)
    return "space", rng.choice([["describe", "space.yaml"], ["count", "space.yaml", "--params", "10k"]])


def _changed(rng: Random, tree: Any) -> Any:
    """A tree with one place changed."""
    places: list[tuple[Any, Any]] = []

    def visit(node: Any) -> None:
        children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, child in children:
            places.append((node, key))
            visit(child)

    tree = copy.deepcopy(tree)
    visit(tree)
    if not places or rng.random() < 0.02:
        return rng.choice(ODD)
    node, key = rng.choice(places)
    draw = rng.random()
    if draw < 0.5:
        node[key] = copy.deepcopy(rng.choice(ODD))
    elif draw < 0.65:
        del node[key]
    elif draw < 0.8:
        other, at = rng.choice(places)
        node[key] = copy.deepcopy(other[at]) if at in other or (isinstance(other, list) and at < len(other)) else None
    elif isinstance(node, dict):
        new = rng.choice([each for each in ODD if isinstance(each, (str, int))] + ["budget", "Dense", "times", "low"])
        node[new] = node.pop(key)
    else:
        node.insert(key, copy.deepcopy(rng.choice([*ODD, node[key]])))
    return tree


def _bytes(rng: Random, raw: bytes) -> bytes:
    """Bytes changed here and there."""
    for _ in range(rng.choice([1, 1, 2, 4])):
        at = rng.randint(0, len(raw))
        end = min(len(raw), at + rng.choice([1, 1, 4, 40]))
        raw = rng.choice(
            [
                raw[:at] + raw[end:],
                raw[:at],
                raw[:end] + raw[at:],
                raw[:at] + bytes([rng.randrange(256)]) + raw[at + 1 :],
                raw[:at] + rng.choice(TEXTS) + raw[at:],
                raw[:at] + str(rng.choice(ODD)).encode("utf-8", "replace")[:200] + raw[at:],
            ]
        )
    return raw


def _table(rng: Random, folder: Path) -> tuple[str, list[str]]:
    (folder / "space.yaml").write_text(SPACES[2])
    if rng.random() < 0.5:
        rows = [line.split(",") for line in TABLE.splitlines()]
        _cells(rng, rows)
        raw = "\n".join(map(",".join, rows)).encode("utf-8", "surrogatepass")
    else:
        raw = _bytes(rng, TABLE.encode())
    (folder / "latency.csv").write_bytes(raw)
    return "table", ["describe", "space.yaml"]


def _cells(rng: Random, rows: list[list[str]]) -> None:
    for _ in range(rng.choice([1, 2])):
        row = rng.choice(rows)
        if row:
            at = rng.randrange(len(row))
            row[at : at + rng.choice([0, 1, 1, 1])] = [str(rng.choice(ODD))] * rng.choice([0, 1, 1, 1, 2])


@cache
def _candidates() -> tuple[ab.Space, ab.Candidates]:
    from archbudget import files

    with tempfile.TemporaryDirectory() as name:
        file = Path(name, "inner.yaml")
        file.write_text(INNER)
        space = files.load(str(file)).space
    return space, space.sample(20, seed=0)


def _csv(rng: Random, folder: Path) -> tuple[str, list[str]]:
    text = _candidates()[1].to_pandas().to_csv(index=False)
    if rng.random() < 0.5:
        rows = [line.split(",") for line in text.splitlines()]
        _cells(rng, rows)
        raw = "\n".join(map(",".join, rows)).encode("utf-8", "surrogatepass")
    else:
        raw = _bytes(rng, text.encode())
    (folder / "given.csv").write_bytes(raw)
    return "csv", _on("given.csv")


def _on(file: str) -> list[str]:
    """The command, with the file where `check_file` looks for it first."""
    return ["evaluate", "--input", file, "inner.yaml", "--output", "counts.csv"]


def _npy(rng: Random, folder: Path) -> tuple[str, list[str]]:
    file = folder / "given.npy"
    indices = _candidates()[1].indices
    np.save(file, _odd_array(rng, indices) if rng.random() < 0.5 else indices)
    if rng.random() < 0.6:
        file.write_bytes(_bytes(rng, file.read_bytes()))
    return "npy", _on("given.npy")


def _odd_array(rng: Random, array: Any) -> Any:
    """An array in the place of another one."""
    odd: list[Callable[[], Any]] = [
        lambda: array.astype(object),
        lambda: array[None],
        lambda: array[:0],
        lambda: np.array(rng.choice([0, 1.5, "x", None, [["a"]], [[1, 2, 3]]])),
        lambda: np.zeros((3, 4), rng.choice(["f8", "c16", "M8[s]", "b1", "i8", "u8", "S3", "U3"])),
        lambda: np.full((2, 4), rng.choice([-1, 255, 2**62])),
        lambda: np.zeros((0, rng.choice([0, 4, 5])), np.uint8),
        lambda: array.T,
    ]
    return rng.choice(odd)()


def _npz(rng: Random, folder: Path) -> tuple[str, list[str]]:
    file = folder / "given.npz"
    _candidates()[1].save(file)
    if rng.random() < 0.5:
        with np.load(file) as stored:
            arrays: dict[str, Any] = dict(stored)
        name = rng.choice(list(arrays))
        array = arrays[name]
        arrays[name] = _odd_array(rng, array)
        if rng.random() < 0.2:
            del arrays[rng.choice(list(arrays))]
        np.savez(file, **arrays)
    if rng.random() < 0.6:
        file.write_bytes(_bytes(rng, file.read_bytes()))
    return "npz", _on("given.npz")


def _parquet(rng: Random, folder: Path) -> tuple[str, list[str]]:
    file = folder / "given.parquet"
    frame = _candidates()[1].to_pandas()
    if rng.random() < 0.6:
        column = rng.choice(list(frame))
        n = len(frame)
        odd: list[Any] = [
            [None] * n, [[1]] * n, [{"a": 1}] * n, [1.0] * n, [float("nan")] * n, [True] * n, ["a"] * n, [b"\xff"] * n,
            [2**63 - 1] * n, pd.to_datetime([0] * n), pd.to_timedelta([0] * n), pd.Categorical(["a"] * n), [-1] * n,
        ]  # fmt: skip
        frame[column] = rng.choice(odd)
        if rng.random() < 0.2:
            frame = frame.drop(columns=rng.choice(list(frame)))
        if rng.random() < 0.2:
            frame = frame[:0]
    frame.to_parquet(file, index=rng.random() < 0.1)
    if rng.random() < 0.5:
        file.write_bytes(_bytes(rng, file.read_bytes()))
    return "parquet", _on("given.parquet")
