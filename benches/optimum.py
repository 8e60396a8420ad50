"""How long the best network within several budgets takes, beside an integer program: `python benches/optimum.py`.

For each space a score is drawn for each layer with weights, by its width and kernel. Its largest value is looked for
within a bound on parameters, MACs and peak activations at once, each at a quantile of 2,000 networks. The integer
program is solved by HiGHS (`scipy.optimize.milp`) on the flows through the same diagram, an arc a variable; writing it
down is not counted, and neither is compiling the space. Both have to find the same value.
"""

from __future__ import annotations

import argparse
import random
import time

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_matrix

import archbudget as ab
from archbudget.space.family import compiled

SPACES = ["nas_bench_201", "vgg", "tc_resnet", "ofa_resnet50", "ofa_mobilenet_v3", "ofa_proxyless", "mcunet"]
SUMS = ("params", "macs", "score")
BOUNDED = ("params", "macs", "peak_activation_bytes")


def scored(space: ab.Space) -> ab.Space:
    """The space with a drawn score for each layer with weights."""
    drawn = random.Random(0)
    known: dict[object, int] = {}

    def score(layer: ab.LayerRecord) -> int:
        if not layer.params:
            return 0
        return known.setdefault((layer.name, layer.output_shape, layer.params), drawn.randint(0, 1000))

    return space.with_metrics([ab.Metric("score", score)])


class Program:
    """The integer program of a space."""

    def __init__(self, space: ab.Space) -> None:
        diagram = compiled(space).diagram
        self.names = diagram.metrics()
        arcs = [arc for arc in diagram.arcs(1 << 22) if arc[1] is not None]
        self.costs = np.array([arc[3] for arc in arcs], dtype=float)
        tails, heads = np.array([arc[0] for arc in arcs]), np.array([arc[1] for arc in arcs])
        place = np.arange(len(arcs))
        signs = np.repeat([1.0, -1.0], len(arcs))
        ends = (np.concatenate([tails, heads]), np.concatenate([place, place]))
        self.balance = np.zeros(heads.max() + 1)
        self.balance[0], self.balance[-1] = 1, -1
        self.flow = coo_matrix((signs, ends), (len(self.balance), len(arcs))).tocsr()
        # What precedes the first decision is in no arc.
        smallest = {name: space.range(name)[0] for name in self.names}
        self.base = {name: smallest[name] - self._solve(self._column(name), {}, {})[0] for name in SUMS}

    def _column(self, name: str) -> np.ndarray:
        return self.costs[:, self.names.index(name)]

    def _solve(self, cost: np.ndarray, sums: dict[str, int], largest: dict[str, int]) -> tuple[int | None, float]:
        constraints = [LinearConstraint(self.flow, self.balance, self.balance)]
        constraints += [LinearConstraint(self._column(name)[None, :], -np.inf, high) for name, high in sums.items()]
        upper = np.ones(len(cost))
        for name, high in largest.items():
            upper[self._column(name) > high] = 0
        start = time.perf_counter()
        whole = np.ones(len(cost))
        found = milp(
            cost, constraints=constraints, integrality=whole, bounds=Bounds(0, upper), options={"mip_rel_gap": 0}
        )
        seconds = time.perf_counter() - start
        return (None if found.x is None else round(cost @ np.round(found.x))), seconds

    def largest(self, budget: ab.Budget) -> tuple[int | None, float]:
        """The largest score within upper bounds, and the seconds that it took."""
        sums = {name: high - self.base[name] for name, (_, high) in budget.items() if name in self.base}
        peaks = {name: high for name, (_, high) in budget.items() if name not in self.base}
        least, seconds = self._solve(-self._column("score"), sums, peaks)
        return (None if least is None else self.base["score"] - least), seconds


def row(name: str, share: float, space: ab.Space, program: Program) -> str:
    """What both take for one space and one budget."""
    counts = space.evaluate(space.sample(2000, seed=0))
    budget = ab.Budget(**{metric: int(np.quantile(counts[metric], share)) for metric in BOUNDED})
    start = time.perf_counter()
    try:
        found: int | None = space.within(budget).largest("score").costs["score"]
    except ab.errors.InfeasibleBudgetError:
        found = None
    seconds = time.perf_counter() - start
    expected, other = program.largest(budget)
    if found != expected:
        raise SystemExit(f"{name}: {found} is not {expected}")
    value = "nothing fits" if found is None else found
    return (
        f"| {name} | {share:.0%} | {len(program.costs):,} | {value} | {seconds * 1e3:.1f} ms | {other * 1e3:.0f} ms |"
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spaces", nargs="*", default=SPACES, help="names of functions of archbudget.spaces")
    print("| space | quantile | arcs | largest score | archbudget | HiGHS |")
    print("|---|---|---|---|---|---|")
    for name in parser.parse_args().spaces:
        space = scored(getattr(ab.spaces, name)())
        program = Program(space)
        for share in (0.01, 0.1, 0.5):
            print(row(name, share, space, program), flush=True)


if __name__ == "__main__":
    main()
