"""Other ways to count candidates, and sets that fit: `python benches/peers.py [--markdown] [--json FILE]`.

Each peer runs in a process of its own, in turns with archbudget, and must count the same first. What cannot be
imported, or does not work here, is listed with the reason. Peers come from requirements-bench.txt; NNI, which is not
pinned there, is measured where it is installed.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import itertools
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import archbudget as ab
from archbudget.bench import lenet as by_hand
from archbudget.bench.memory import resident, taken
from archbudget.bench.timing import medians
from search_quality import show

if TYPE_CHECKING:
    from collections.abc import Callable

    Columns = list[np.ndarray[Any, Any]]
    Count = Callable[[], Any]

ROWS = 4_000_000
"""The candidates of the fast ones."""
BOUND = 60_000
"""The bound on params of the sets."""
LIMIT = 6.0
"""Seconds after which no further turn of a peer begins."""


class Peer(NamedTuple):
    """A way to count candidates, or the members of a set."""

    package: str | None
    """Whose version is printed."""
    rows: int
    make: Callable[..., Count]


# Candidates: a function from columns to one that counts them


def one_by_one(size: Callable[[tuple[int, ...]], int]) -> Callable[[Columns], Count]:
    """Counts each candidate by a function of its values."""

    def make(columns: Columns) -> Count:
        candidates = by_hand.values_of(columns)
        return lambda: [size(each) for each in candidates]

    return make


def ours(columns: Columns) -> Count:
    space, indices = ab.spaces.lenet(), np.stack(columns).T
    return lambda: space.evaluate(indices, ["params"])["params"]


def ours_again(columns: Columns) -> Count:
    space, indices = ab.spaces.lenet(), np.stack(columns).T
    out = np.zeros(len(indices), np.uint32)

    def count() -> Any:
        space.evaluate(indices, out={"params": out})
        return out

    return count


def numba(columns: Columns) -> Count:
    loop = by_hand.numba_loop()

    def count() -> Any:
        out = np.empty(len(columns[0]), np.int64)
        loop(*columns, out)
        return out

    return count


def jax(columns: Columns) -> Count:
    import jax

    def one(*indices: Any) -> Any:
        c0, c1, c2, c3, c4 = (index.astype("int32") for index in indices)
        return by_hand.params(8 * (c0 + 1), 2 * c1 + 3, 8 * (c2 + 1), 2 * c3 + 3, 16 * (c4 + 1))

    every = jax.jit(jax.vmap(one))
    given = [jax.numpy.asarray(column) for column in columns]
    return lambda: np.asarray(every(*given).block_until_ready())


def keras(values: tuple[int, ...]) -> int:
    return int(by_hand.keras_network(*values).count_params())


def keras_tuner(values: tuple[int, ...]) -> int:
    import keras_tuner as kt
    from keras_tuner.src.engine.tuner import maybe_compute_model_size

    hp = kt.HyperParameters()
    hp.values = dict(zip(("f1", "k1", "f2", "k2", "units"), values, strict=True))
    chosen = [
        hp.Choice(name, [int(value) for value in domain])
        for name, domain in zip(hp.values, by_hand.domains(), strict=False)
    ]
    return int(maybe_compute_model_size(by_hand.keras_network(*chosen)))


def torchinfo(values: tuple[int, ...]) -> int:
    import torchinfo

    network = by_hand.torch_network(*values)
    return int(torchinfo.summary(network, input_size=(1, 1, 28, 28), verbose=0).total_params)


def fvcore(values: tuple[int, ...]) -> int:
    from fvcore.nn import parameter_count

    return int(parameter_count(by_hand.torch_network(*values))[""])


def thop(values: tuple[int, ...]) -> int:
    import thop
    import torch

    return int(thop.profile(by_hand.torch_network(*values), inputs=(torch.empty(1, 1, 28, 28),), verbose=False)[1])


def ptflops(values: tuple[int, ...]) -> int:
    import ptflops

    network = by_hand.torch_network(*values)
    options = {"as_strings": False, "print_per_layer_stat": False, "verbose": False}
    return int(ptflops.get_model_complexity_info(network, (1, 28, 28), **options)[1])


def calflops(values: tuple[int, ...]) -> int:
    import calflops

    network = by_hand.torch_network(*values)
    options = {"output_as_string": False, "print_results": False, "print_detailed": False}
    return int(calflops.calculate_flops(network, input_shape=(1, 1, 28, 28), **options)[2])


def onnx_tool(values: tuple[int, ...]) -> int:
    import onnx_tool
    from onnx import TensorProto, helper, numpy_helper

    f1, k1, f2, k2, units = values
    side = ((28 - k1 + 1) // 2 - k2 + 1) // 2
    shapes = {"w1": (f1, 1, k1, k1), "b1": (f1,), "w2": (f2, f1, k2, k2), "b2": (f2,)}
    shapes |= {"w3": (side * side * f2, units), "b3": (units,), "w4": (units, 10), "b4": (10,)}
    weights = [numpy_helper.from_array(np.zeros(shape, np.float32), name) for name, shape in shapes.items()]
    pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], kernel_shape=[k1, k1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("MaxPool", ["r1"], ["p1"], **pool),
        helper.make_node("Conv", ["p1", "w2", "b2"], ["c2"], kernel_shape=[k2, k2]),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("MaxPool", ["r2"], ["p2"], **pool),
        helper.make_node("Flatten", ["p2"], ["f"]),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["d1"]),
        helper.make_node("Relu", ["d1"], ["r3"]),
        helper.make_node("Gemm", ["r3", "w4", "b4"], ["y"]),
    ]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
        for name, shape in (("x", (1, 1, 28, 28)), ("y", (1, 10)))
    ]
    model = onnx_tool.Model(helper.make_model(helper.make_graph(nodes, "lenet", *ends, weights)), {"verbose": False})
    model.graph.shape_infer()
    model.graph.profile()
    return sum(int(np.prod(model.graph.tensormap[name].get_shape())) for name in model.graph.initials)


def nni(columns: Columns) -> Count:
    import nni
    import torch
    from nni.nas.nn.pytorch import ModelSpace, MutableConv2d, MutableLinear
    from nni.nas.profiler.pytorch.flops import NumParamsProfiler

    names = ("f1", "k1", "f2", "k2", "units")

    class Family(ModelSpace):
        def __init__(self) -> None:
            super().__init__()
            f1, k1, f2, k2, units = (
                nni.choice(name, [int(value) for value in domain])
                for name, domain in zip(names, by_hand.domains(), strict=True)
            )
            self.pool, self.relu = torch.nn.MaxPool2d(2), torch.nn.ReLU()
            self.first, self.second = MutableConv2d(1, f1, k1), MutableConv2d(f1, f2, k2)
            side = ((28 - k1 + 1) // 2 - k2 + 1) // 2
            self.hidden, self.last = MutableLinear(side * side * f2, units), MutableLinear(units, 10)

        def forward(self, x: Any) -> Any:
            x = self.pool(self.relu(self.second(self.pool(self.relu(self.first(x))))))
            return self.last(self.relu(self.hidden(x.view(x.shape[0], -1))))

    profiler = NumParamsProfiler(Family(), torch.empty(1, 1, 28, 28))
    samples = [dict(zip(names, each, strict=True)) for each in by_hand.values_of(columns)]
    return lambda: [int(profiler.profile(sample)) for sample in samples]


COUNTING: dict[str, Peer] = {
    "archbudget": Peer("archbudget", ROWS, ours),
    "archbudget, uint32 again": Peer("archbudget", ROWS, ours_again),
    "numba, a parallel loop": Peer("numba", ROWS, numba),
    "JAX, jit and vmap": Peer("jax", ROWS, jax),
    "NumPy": Peer("numpy", ROWS, lambda columns: lambda: by_hand.by_numpy(columns)),
    "pure Python": Peer(None, 100_000, one_by_one(lambda values: by_hand.params(*values))),
    "NNI, symbolic profiler": Peer("nni", 5_000, nni),
    "PyTorch, meta device": Peer("torch", 100, one_by_one(by_hand.torch_params)),
    "PyTorch, processor": Peer("torch", 100, one_by_one(lambda values: by_hand.torch_params(values, "cpu"))),
    "onnx-tool": Peer("onnx-tool", 50, one_by_one(onnx_tool)),
    "fvcore": Peer("fvcore", 100, one_by_one(fvcore)),
    "torchinfo": Peer("torchinfo", 50, one_by_one(torchinfo)),
    "thop": Peer("thop", 50, one_by_one(thop)),
    "ptflops": Peer("ptflops", 50, one_by_one(ptflops)),
    "calflops": Peer("calflops", 50, one_by_one(calflops)),
    "Keras, count_params": Peer("keras", 6, one_by_one(keras)),
    "KerasTuner, size check": Peer("keras-tuner", 6, one_by_one(keras_tuner)),
}
"""Who counts the candidates of a batch."""


# Sets: a function without arguments that counts the networks of the family with at most `BOUND` weights

DOMAINS = {
    name: [int(value) for value in domain]
    for name, domain in zip(("f1", "k1", "f2", "k2", "units"), by_hand.domains(), strict=True)
}


def set_ours() -> int:
    return ab.spaces.lenet().within(ab.Budget(params=BOUND)).count()


def set_numpy() -> int:
    grid = np.meshgrid(*DOMAINS.values(), indexing="ij")
    return int((by_hand.params(*grid) <= BOUND).sum())


def set_python() -> int:
    return sum(by_hand.params(*values) <= BOUND for values in itertools.product(*DOMAINS.values()))


def set_ortools() -> int:
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    given = {
        name: model.new_int_var_from_domain(cp_model.Domain.from_values(values), name)
        for name, values in DOMAINS.items()
    }
    f1, k1, f2, k2, units = given.values()

    def product(a: Any, b: Any, most: int) -> Any:
        made = model.new_int_var(0, most, "")
        model.add_multiplication_equality(made, [a, b])
        return made

    area = model.new_int_var(0, 28 * 28, "area")
    kernels = itertools.product(DOMAINS["k1"], DOMAINS["k2"])
    rows = [(a, b, (((28 - a + 1) // 2 - b + 1) // 2) ** 2) for a, b in kernels]
    model.add_allowed_assignments([k1, k2, area], rows)
    first = product(product(k1, k1, 49) + 1, f1, 50 * 128)
    second = product(product(product(k2, k2, 49), f1, 49 * 128) + 1, f2, (49 * 128 + 1) * 128)
    third = product(product(area, f2, 784 * 128) + 1, units, (784 * 128 + 1) * 512)
    model.add(first + second + third + 10 * units + 10 <= BOUND)

    class Counter(cp_model.CpSolverSolutionCallback):
        number = 0

        def on_solution_callback(self) -> None:
            self.number += 1

    counter, solver = Counter(), cp_model.CpSolver()
    solver.parameters.enumerate_all_solutions = True
    solver.parameters.num_workers = 1  # Enumerating takes one.
    solver.solve(model, counter)
    return counter.number


def set_constraint() -> int:
    import constraint

    problem = constraint.Problem()
    for name, values in DOMAINS.items():
        problem.addVariable(name, values)
    problem.addConstraint(lambda *values: by_hand.params(*values) <= BOUND, list(DOMAINS))
    return len(problem.getSolutions())


def set_kernel_tuner() -> int:
    from kernel_tuner.searchspace import Searchspace

    side = "(((28 - k1 + 1) // 2 - k2 + 1) // 2)"
    first = "(k1 * k1 + 1) * f1 + (k2 * k2 * f1 + 1) * f2"
    bound = f"{first} + ({side} * {side} * f2 + 1) * units + (units + 1) * 10 <= {BOUND}"
    return int(Searchspace(DOMAINS, [bound], 1024).size)


def set_pyatf() -> int:
    from pyatf import TP, Set
    from pyatf.search_space import SearchSpace

    def fits(units: int, f1: int, k1: int, f2: int, k2: int) -> bool:
        return bool(by_hand.params(f1, k1, f2, k2, units) <= BOUND)

    parameters = [TP(name, Set(*values)) for name, values in DOMAINS.items() if name != "units"]
    return int(SearchSpace(*parameters, TP("units", Set(*DOMAINS["units"]), fits), verbosity=0).constrained_size)


SETS: dict[str, Peer] = {
    "archbudget, with compiling": Peer("archbudget", 0, set_ours),
    "brute force, NumPy": Peer("numpy", 0, set_numpy),
    "brute force, pure Python": Peer(None, 0, set_python),
    "OR-tools CP-SAT, all solutions": Peer("ortools", 0, set_ortools),
    "python-constraint": Peer("python-constraint2", 0, set_constraint),
    "Kernel Tuner": Peer("kernel-tuner", 0, set_kernel_tuner),
    "pyATF": Peer("pyatf", 0, set_pyatf),
}
"""Who counts the set that fits."""


def version_of(package: str | None) -> str:
    if package in (None, "archbudget"):
        return "" if package is None else ab.__version__  # It may be run from a checkout.
    return importlib.metadata.version(str(package))


def measured(kind: str, name: str) -> dict[str, Any]:
    """The measurements of one peer, in this process."""
    start = resident("VmRSS") or 0
    if kind == "sets":
        peer, number = SETS[name], 1
        count: Count = peer.make
        own: Count = set_ours
        right, found = np.array([set_numpy()]), np.array([count()])
    else:
        peer = COUNTING[name]
        number = peer.rows
        drawn = ab.spaces.lenet().sample(ROWS, seed=0)
        columns = [np.ascontiguousarray(column) for column in drawn.indices.T]
        own = ours(columns)
        right = by_hand.by_numpy([column[:number] for column in columns])
        count = peer.make([column[:number] for column in columns])
        found = count()
    wrong = np.flatnonzero(np.asarray(found) != right)
    if len(wrong):
        raise AssertionError(f"it counts {np.asarray(found)[wrong[0]]} where there are {right[wrong[0]]}")
    members = int(right[0])
    del right, found
    memory = taken(count)
    took = medians({"peer": count, "archbudget": own}, 5, LIMIT)
    return {
        "name": name,
        "version": version_of(peer.package),
        "number": number,
        "seconds": took["peer"],
        "per_second": number / took["peer"],
        "ratio": number / took["peer"] / ((1 if kind == "sets" else ROWS) / took["archbudget"]),
        "count": members if kind == "sets" else None,
        "call_bytes": memory,
        "process_bytes": max(0, (resident("VmRSS") or 0) - start),
    }


def asked(kind: str, name: str) -> dict[str, Any]:
    """The measurements of one peer, in a process of its own; or why there are none."""
    command = [sys.executable, __file__, "--child", kind, name]
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180)
    except subprocess.TimeoutExpired:
        return {"name": name, "failed": "not done within 180 seconds"}
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        errors = [line for line in done.stderr.strip().splitlines() if line.strip()]
        return {"name": name, "failed": (errors or ["it ended without a word"])[-1][:160]}
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def every(kind: str) -> list[dict[str, Any]]:
    """The measurements of all peers, the fastest first, those that failed last."""
    results = []
    for name in SETS if kind == "sets" else COUNTING:
        start = time.perf_counter()
        results.append(asked(kind, name))
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return sorted(results, key=lambda each: -each.get("ratio", -1.0))


def mebibytes(number: int | None) -> str:
    return "" if number is None else f"{number / 2**20:,.1f} MiB"


def seconds_of(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.1f} ms"


MEMORY = ["memory of a call", "of the process"]
HEADS = {
    "counting": ["counted by", "version", "candidates", "a call", "candidates/s", "archbudget is", *MEMORY],
    "sets": ["counted by", "version", "fit", "time", "archbudget is", *MEMORY],
}


def table(kind: str, results: list[dict[str, Any]]) -> list[list[str]]:
    rows = []
    for each in results:
        if "failed" in each:
            rows.append([each["name"], "not measured", each["failed"], *[""] * (len(HEADS[kind]) - 3)])
            continue
        times = 1 / each["ratio"]
        ratio = "" if each["name"].startswith("archbudget") else f"{times:,.1f}x" if times >= 1 else f"{times:.2f}x"
        memory = [mebibytes(each["call_bytes"]), mebibytes(each["process_bytes"])]
        middle = (
            [f"{each['count']:,}", seconds_of(each["seconds"])]
            if kind == "sets"
            else [f"{each['number']:,}", seconds_of(each["seconds"]), f"{each['per_second']:,.0f}"]
        )
        rows.append([each["name"], each["version"], *middle, ratio, *memory])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument("--json", type=Path, help="a file for the results")
    parser.add_argument("--child", nargs=2, metavar=("KIND", "NAME"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        warnings.simplefilter("ignore")
        out = os.dup(1)
        os.dup2(2, 1)  # Peers print.
        found = measured(*given.child)
        os.write(out, (json.dumps(found) + "\n").encode())
        return
    results = {kind: every(kind) for kind in HEADS}
    if given.json:
        given.json.write_text(json.dumps(results, indent=2) + "\n")
    for kind, title in (("counting", "candidates"), ("sets", f"networks with at most {BOUND:,} weights")):
        show((title, HEADS[kind], table(kind, results[kind]), {}), markdown=given.markdown)


if __name__ == "__main__":
    main()
