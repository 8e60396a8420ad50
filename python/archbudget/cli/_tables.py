"""The output of commands: text, tables and JSON."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from archbudget._budget import SIDED, Budget, title_of
from archbudget._message import grouped
from archbudget.errors import LimitError
from archbudget.space.describe import TEXTS
from archbudget.space.evaluation import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from archbudget._expressions import Decision
    from archbudget.space.architecture import Architecture
    from archbudget.space.candidates import Candidates
    from archbudget.space.describe import Description
    from archbudget.space.feasible import FeasibleSet
    from archbudget.space.space import Space

SHOWN = 8
"""At most this many values of a decision are printed."""

WIDEST = 100_000
"""The most characters in a line of a table."""


def console(*, stderr: bool = False) -> Console:
    """A console for notes on the terminal; tables are printed by `print_table`."""
    return Console(stderr=stderr, highlight=False)


def print_table(made: Table, *, stderr: bool = False) -> None:
    """Prints a table as wide as it is, or, where the terminal is not as wide, each of its rows as a block of lines.

    So no number is ever cut. In a file or a pipe a table is never too wide.
    """
    stream = sys.stderr if stderr else sys.stdout
    to = console(stderr=stderr)
    natural = Measurement.get(to, to.options.update(max_width=WIDEST), made).maximum
    if stream.isatty() and natural > to.width:
        text = "\n\n".join(_blocks(made))
    else:
        to.width = natural
        with to.capture() as captured:
            to.print(made)
        text = "\n".join(line.rstrip() for line in captured.get().splitlines())
    print(text, file=stream, flush=True)


def _blocks(made: Table) -> Iterator[str]:
    """The rows of a table as text: a line for each cell, headed by that of the first column."""
    titles = [str(column.header) for column in made.columns]
    width = max(map(len, titles[1:]), default=0)
    for first, *cells in zip(*(column.cells for column in made.columns), strict=True):
        yield "\n".join(
            [f"{titles[0]}: {first}", *(f"  {t.ljust(width)}  {c}" for t, c in zip(titles[1:], cells, strict=True))]
        )


def print_json(data: Any) -> None:
    """Prints data as JSON, integers of any length."""
    # The first releases of Python 3.10 have no limit.
    limit = getattr(sys, "set_int_max_str_digits", lambda _: None)
    most = getattr(sys, "get_int_max_str_digits", int)()
    limit(0)
    try:
        text = json.dumps(data, indent=2, allow_nan=False, default=str)
    finally:
        limit(most)
    print(text)


def plain(text: str = "") -> None:
    """Prints text unchanged."""
    print(text, flush=True)


def table(*columns: str, left: int = 1) -> Table:
    """An empty table whose first columns are aligned to the left, and all others, which hold numbers, to the right."""
    made = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for position, title in enumerate(columns):
        made.add_column(title, justify="left" if position < left else "right", no_wrap=True)
    return made


def percent(part: float, total: float) -> str:
    """A share with three significant digits."""
    return f"{100 * part / total:.3g} %" if total else "0 %"


def share(space: Space, fits: FeasibleSet) -> tuple[str, dict[str, Any]]:
    """How many networks of a space fit a budget, as text and for machines."""
    described = fits.budget.describe()
    try:
        size, bounds = space.size, fits.bounds()
    except LimitError as error:
        return f"how many networks fit is not known: {error}", {"size": None, "exact": False, "percent": None}
    if bounds.exact:
        count = bounds.lower
        text = f"{grouped(count)} of {grouped(size)} networks ({percent(count, size)}) fit {described}"
        return text, {"size": size, "exact": True, "count": count, "percent": 100 * count / size}
    lower, upper = bounds.lower, bounds.upper
    text = (
        f"{bounds} of {grouped(size)} networks ({percent(lower, size)} to {percent(upper, size)}) fit "
        f"{described}; the exact number needs more memory"
    )
    percents = [100 * end / size for end in (lower, upper)]
    return text, {"size": size, "exact": False, "lower": lower, "upper": upper, "percent": percents}


def ranges(space: Space, fits: FeasibleSet | None = None) -> tuple[Table, dict[str, dict[str, dict[str, int | None]]]]:
    """The smallest and largest value of each metric, in a space and inside a budget, as a table and for machines."""
    inside = fits is not None and not fits.is_empty()
    made = table("metric", "smallest", "largest", *(["smallest inside", "largest inside"] if inside else []))
    data: dict[str, dict[str, dict[str, int | None]]] = {"ranges": {}, **({"inside": {}} if inside else {})}
    for metric in space.metrics:
        low, high = space.range(metric)
        data["ranges"][metric] = {"smallest": low, "largest": high}
        found: list[int | None] = [low, high]
        if fits is not None and inside:
            found += [_extreme(fits.smallest, metric), _extreme(fits.largest, metric)]
            data["inside"][metric] = {"smallest": found[2], "largest": found[3]}
        made.add_row(title_of(metric), *("not known" if cost is None else f"{cost:,}" for cost in found))
    for metric in SIDED if space.metrics.unknown else ():
        data["ranges"][metric] = {"smallest": None, "largest": None}
        made.add_row(title_of(metric), *["unknown"] * (4 if inside else 2))
    return made, data


def _extreme(choose: Callable[[str], Architecture], metric: str) -> Any:
    """The value of a metric in the network that `choose` returns for it; `None` if that needs too much memory."""
    try:
        return choose(metric).costs[metric]
    except LimitError:
        return None


def spread(candidates: Candidates) -> tuple[Table, dict[str, dict[str, int]]]:
    """The smallest, median and largest value of each metric among candidates, as a table and for machines."""
    made = table("metric", "smallest", "median", "largest")
    data = {}
    counts = evaluate(candidates.space, candidates)
    for metric in candidates.space.metrics:
        ordered = np.sort(counts[metric])
        found = [ordered[place].item() for place in (0, len(ordered) // 2, -1)]
        made.add_row(title_of(metric), *(f"{cost:,}" for cost in found))
        data[metric] = dict(zip(("smallest", "median", "largest"), found, strict=True))
    return made, data


def pruned(space: Space, part: Space) -> tuple[Table, dict[str, dict[str, list[Any]]]]:
    """The values of each decision before and after, as a table and for machines."""
    made = table("decision", "values before", "values after", "kept", left=3)
    data = {}
    for name, before in space.decisions.items():
        after = part.decisions.get(name)
        kept = () if after is None else after.values
        text = "never read" if after is None else domain(after) if len(kept) < len(before.values) else "the same"
        made.add_row(name, domain(before), text, f"{len(kept):,} of {len(before.values):,}")
        data[name] = {"before": list(before.values), "after": list(kept)}
    return made, data


def domain(decision: Decision) -> str:
    """The values of a decision, as a short text."""
    values = [str(value) for value in decision.values]
    if decision.step is not None and len(values) > 3:
        return f"{values[0]}..{values[-1]}" + (f" step {decision.step}" if decision.step > 1 else "")
    if len(values) > SHOWN:
        values = [*values[: SHOWN - 2], "...", values[-1]]
    return ", ".join(values)


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
                "output_shapes": [list(shape) for shape in record.output_shapes],
                "params": record.params,
                "trainable_params": record.trainable_params,
                "macs": record.macs,
                "weight_bits": record.weight_bits,
                "custom": record.custom,
                "formula": record.trainable_formula.text if record.trainable_formula.value else None,
                "explanation": arch.explain(record.name),
            }
            for record in arch.layers
            if layers is None or record.name in layers
        ],
    }


def stages(description: Description) -> Table:
    """The stages of a diagram."""
    titles, *rows = description.rows
    made = table(*titles, left=TEXTS)
    for row in rows:
        made.add_row(*row)
    return made


SHELF_COLUMNS = ("space", "paper", "networks", "decisions", "params", "MACs", "compiled in")


def shelf(rows: Sequence[dict[str, Any]]) -> Table:
    """The published spaces for the terminal."""
    made = table(*SHELF_COLUMNS, left=2)
    for row in rows:
        made.add_row(*_shelf_row(row))
    return made


def shelf_markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The published spaces as Markdown."""
    lines = [f"| {' | '.join(SHELF_COLUMNS)} |", "|---|---|--:|--:|--:|--:|--:|"]
    lines += [f"| {' | '.join(_shelf_row(row))} |" for row in rows]
    return "\n".join(lines)


def _shelf_row(row: dict[str, Any]) -> list[str]:
    ranges = [
        f"{row['ranges'][metric]['smallest']:,} to {row['ranges'][metric]['largest']:,}"
        for metric in ("params", "macs")
    ]
    return [row["name"], row["paper"], grouped(row["size"]), str(row["decisions"]), *ranges, f"{row['seconds']:.3f} s"]


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


MEASURED = ("work", "a call", "a second", "ratio")
"""The columns of the measurements of a space; the last one compares rates with those of params from columns."""


def print_measured(data: dict[str, Any], *, markdown: bool = False) -> None:
    """Prints the measurements of a space, and what goes with them."""
    rows = [_measured_row(row) for row in data["measurements"]]
    bounds = Budget.of(data["budget"]).describe() if data["budget"] else "that half of the batch fits"
    plain(f"{data['name']}: {data['rows']:,} candidates a batch, budget: {bounds}")
    if markdown:
        lines = [f"| {' | '.join(MEASURED)} |", "|---|--:|--:|--:|", *(f"| {' | '.join(row)} |" for row in rows)]
        plain("\n".join(["", *lines, ""]))
    else:
        made = table(*MEASURED)
        for row in rows:
            made.add_row(*row)
        print_table(made)
    for work, why in data["not_measured"].items():
        plain(f"{work}: not measured: {why}")
    taken = [f"compiled in {_seconds(data['compile_seconds'])}"]
    if data["feasible_seconds"] is not None:
        taken.append(f"first sample inside the budget after {_seconds(data['feasible_seconds'])}")
    taken.append(f"{data['memory']['batch'] / 2**20:,.1f} MiB of candidates and totals")
    if data["memory"]["process"] is not None:
        taken.append(f"at most {data['memory']['process'] / 2**20:,.0f} MiB of the process")
    plain("; ".join(taken))
    plain(environment_text(data["environment"]))


def _measured_row(row: dict[str, Any]) -> list[str]:
    ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
    if row["beside"] is not None and not row["beside"].startswith("params, columns"):
        ratio += f" of {row['beside']}"
    rate = row["per_second"]
    number = f"{rate / 1e6:,.0f} M" if rate >= 1e7 else f"{rate / 1e6:,.2f} M" if rate >= 1e4 else f"{rate:,.0f}"
    return [row["work"], _seconds(row["median_seconds"]), number, ratio]


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.1f} ms"


def constraint_text(seconds: dict[str, float]) -> str:
    """The time of one call of the constraint function, in one line."""
    frozen, live = (f"{1e6 * seconds[name]:.1f} microseconds" for name in ("frozen_trial", "live_trial"))
    return f"one call of the constraint function: {frozen} on a finished trial, {live} on a live one (set on it too)"


def environment_text(environment: dict[str, str]) -> str:
    """The machine and the versions of a benchmark, in one line."""
    rest = {name: version for name, version in environment.items() if name not in ("cpu", "cores")}
    versions = ", ".join(f"{name} {version}" for name, version in rest.items())
    return f"{environment.get('cpu', 'unknown processor')}, {environment.get('cores', '?')} cores; {versions}"


def _bench_row(row: dict[str, Any]) -> list[str]:
    seconds, ratio = row["median_seconds"], row["ratio"]
    return [
        row["name"],
        f"{row['rows']:,}",
        _seconds(seconds),
        f"{row['per_second']:,.0f}",
        "" if row["name"] == "archbudget" else f"{ratio:,.1f}x" if ratio >= 1 else f"{ratio:.2f}x",
    ]
