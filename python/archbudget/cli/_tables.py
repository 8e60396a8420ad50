"""What commands print."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from archbudget.errors import LimitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archbudget._architecture import Architecture
    from archbudget._feasible import FeasibleSet
    from archbudget._space import Space

TITLES = {
    "params": "params",
    "trainable_params": "trainable params",
    "macs": "MACs",
    "weight_bytes": "weight bytes",
    "peak_activation_bytes": "peak activation bytes",
}


def console(*, stderr: bool = False) -> Console:
    """A console for results, or for what goes beside them."""
    return Console(stderr=stderr, highlight=False)


def print_json(data: Any) -> None:
    """Prints data as JSON."""
    json.dump(data, sys.stdout, indent=2, allow_nan=False, default=str)
    print()


def plain(text: str = "") -> None:
    """Prints text as it is."""
    print(text, flush=True)


def table(*columns: str, left: int = 1) -> Table:
    """An empty table whose first columns are aligned to the left, and all others, which hold numbers, to the right."""
    made = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for position, title in enumerate(columns):
        made.add_column(title, justify="left" if position < left else "right", no_wrap=True)
    return made


def percent(part: int, total: int) -> str:
    """A share, with three digits that say something."""
    return f"{100 * part / total:.3g} %" if total else "0 %"


def share(space: Space, fits: FeasibleSet) -> tuple[str, dict[str, Any]]:
    """How many networks of a space fit a budget, in words and for machines."""
    try:
        size, count = space.size, fits.count()
    except LimitError as error:
        return f"how many networks fit is not known: {error}", {"size": None, "fitting": None, "percent": None}
    text = f"{count:,} of {size:,} networks ({percent(count, size)}) fit {fits.budget.describe()}"
    return text, {"size": size, "fitting": count, "percent": 100 * count / size}


def ranges(space: Space) -> tuple[Table, dict[str, dict[str, int]]]:
    """The smallest and largest value of each metric, as a table and for machines."""
    made = table("metric", "smallest", "largest")
    data = {}
    for metric, title in TITLES.items():
        low, high = space.range(metric)
        made.add_row(title, f"{low:,}", f"{high:,}")
        data[metric] = {"smallest": low, "largest": high}
    return made, data


def values_text(arch: Architecture) -> str:
    """The values of a network in one line."""
    return ", ".join(f"{name}={value}" for name, value in arch.items()) or "no decisions"


def architecture_json(arch: Architecture, layers: Sequence[str] | None = None) -> dict[str, Any]:
    """A network for machines: its values, totals and layers, or some of them."""
    return {
        "values": dict(arch),
        "costs": arch.costs,
        "layers": [
            {
                "name": record.name,
                "type": record.type,
                "output_shape": list(record.output_shape),
                "params": record.params,
                "trainable_params": record.trainable_params,
                "macs": record.macs,
                "formula": record.trainable_formula.text if record.trainable_formula.value else None,
                "explanation": arch.explain(record.name),
            }
            for record in arch.layers
            if layers is None or record.name in layers
        ],
    }


def bench(results: Sequence[dict[str, Any]]) -> Table:
    """The results of a benchmark for the terminal."""
    made = table("counted by", "candidates", "median", "candidates/s", "archbudget is")
    for row in results:
        made.add_row(*_bench_row(row))
    return made


def bench_markdown(results: Sequence[dict[str, Any]]) -> str:
    """The results of a benchmark as Markdown."""
    lines = ["| counted by | candidates | median | candidates/s | archbudget is |", "|---|--:|--:|--:|--:|"]
    lines += [f"| {' | '.join(_bench_row(row))} |" for row in results]
    return "\n".join([*lines, ""])


def constraint_text(seconds: dict[str, float]) -> str:
    """What one call of the constraint function takes, in one line."""
    frozen, live = (f"{1e6 * seconds[name]:.1f} microseconds" for name in ("frozen_trial", "live_trial"))
    return f"one call of the constraint function: {frozen} on a finished trial, {live} on a live one (set on it too)"


def environment_text(environment: dict[str, str]) -> str:
    """What the numbers of a benchmark depend on, in one line."""
    rest = {name: version for name, version in environment.items() if name not in ("cpu", "cores")}
    versions = ", ".join(f"{name} {version}" for name, version in rest.items())
    return f"{environment.get('cpu', 'unknown processor')}, {environment.get('cores', '?')} cores; {versions}"


def _bench_row(row: dict[str, Any]) -> list[str]:
    seconds, ratio = row["median_seconds"], row["ratio"]
    return [
        row["name"],
        f"{row['rows']:,}",
        f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.1f} ms",
        f"{row['per_second']:,.0f}",
        "" if row["name"] == "archbudget" else f"{ratio:,.1f}x" if ratio >= 1 else f"{ratio:.2f}x",
    ]
