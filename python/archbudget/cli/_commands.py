"""All commands but `search`."""

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from archbudget import files, plot
from archbudget._budget import number as number_of
from archbudget._message import grouped
from archbudget.cli import _options, _tables
from archbudget.cli._options import (
    NO_BOUNDS,
    BudgetOptions,
    Json,
    Memory,
    MetricNames,
    NoCode,
    Once,
    PlotFile,
    Settings,
    SpaceReference,
    takes_budget,
)
from archbudget.errors import ArchbudgetError
from archbudget.files import candidates
from archbudget.files.streaming import evaluate_to_file
from archbudget.metrics import LatencyTable
from archbudget.space.architecture import Architecture
from archbudget.space.space import Space
from archbudget.spaces import SHELF


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command(cls=Once, epilog=_example("evaluate space.yaml --input candidates.csv --output counts.parquet"))(
        evaluate
    )
    app.command(cls=Once, epilog=_example("explain space.yaml conv2d_1 --set filters=32 --set kernel=5"))(explain)
    app.command(cls=Once, epilog=_example("count space.yaml --params 60k --macs 1M:5M"))(count)
    app.command(cls=Once, epilog=_example("describe space.yaml"))(describe)
    app.command(cls=Once, epilog=_example("sample space.yaml -n 1000 --seed 0 --output candidates.csv"))(sample)
    app.command(cls=Once, epilog=_example("prune space.yaml --params 60k --output pruned.yaml"))(prune)
    app.command(cls=Once, epilog=_example("template space.yaml --column latency_ms --output latency.csv"))(template)
    app.command(cls=Once, epilog=_example("spaces --json"))(spaces)
    app.command(cls=Once, epilog=_example("bench space.yaml --params 60k"))(bench)
    app.command(cls=Once, epilog=_example("schema > space.schema.json"))(schema)


def _example(command: str) -> str:
    return f"Example: [bold]archbudget {command}[/bold]"


def evaluate(
    space: SpaceReference,
    source: Annotated[
        str,
        typer.Option("--input", "-i", metavar="FILE", help="Candidates: .csv, .npy, .npz or .parquet; - reads CSV."),
    ],
    target: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="The counts: .csv, .npz or .parquet; - prints CSV.")
    ] = "-",
    metrics: MetricNames = None,
    no_code: NoCode = False,
    as_json: Json = False,
) -> None:
    """Count candidates: a table of values in, a table of metrics out, in chunks, so that both may exceed the memory.

    The columns of the input are named like the decisions of the space. A cell may be empty where the network does not
    read the decision. An .npy file holds indices, a column for each decision. The output has a column for each metric,
    and [bold]valid[/bold]: whether the network can be built. A file appears when it is complete.
    """
    loaded = files.load(space, code=not no_code).space
    wanted = _options.metric_names(loaded, metrics)
    _options.check_table(loaded, candidates.format_of(source, candidates.READ))
    rows, valid = evaluate_to_file(loaded, source, target, wanted, lines=as_json)
    if target == "-":
        return
    if as_json:
        _tables.print_json({"output": target, "candidates": rows, "valid": valid})
    else:
        _tables.plain(f"{target}: {rows:,} candidates, {rows - valid:,} of them cannot be built")


def explain(
    space: SpaceReference,
    layer: Annotated[str | None, typer.Argument(metavar="LAYER", help="One layer; all by default.")] = None,
    settings: Settings = None,
    seed: Annotated[
        int | None,
        typer.Option("--sample", metavar="SEED", help="Take a random network; --set changes values of it."),
    ] = None,
    no_code: NoCode = False,
    as_json: Json = False,
) -> None:
    """Show one network, and how the weights and MACs of its layers are counted.

    Without [bold]--set[/bold] and [bold]--sample[/bold] it is the random network of seed 0.
    """
    loaded = files.load(space, code=not no_code).space
    arch = _network(loaded, settings or [], seed)
    if as_json:
        records = None if layer is None else [arch.layer(layer).name]
        _tables.print_json(_tables.architecture_json(arch, records))
        return
    explanation = arch.explain(layer)
    _tables.plain(_tables.values_text(arch))
    _tables.plain(arch.summary())
    _tables.plain(f"\n{explanation}")


def _network(space: Space, settings: list[str], seed: int | None) -> Architecture:
    """The network that the options of `explain` name."""
    given = _options.values(space, settings)
    if settings and seed is None:
        return space.architecture(given)
    drawn = space.sample(1, seed or 0)
    return space.architecture({**{name: column[0] for name, column in drawn.values().items()}, **given})


@takes_budget
def count(
    space: SpaceReference,
    bounds: BudgetOptions = NO_BOUNDS,
    memory: Memory = None,
    picture: PlotFile = None,
    no_code: NoCode = False,
    as_json: Json = False,
) -> None:
    """Count the networks of a space, and how many of them fit a budget; exactly, not by sampling.

    If an exact count needs more than [bold]--memory[/bold], it prints certified bounds instead. The plot shows how the
    first metric of the budget, or params, is distributed over the space.
    """
    loaded = files.load(space, code=not no_code)
    budget = bounds.within(loaded.budget)
    limit = _options.memory(memory, budget)
    _options.check_plot(picture)
    found = loaded.space
    size = found.size
    fits = None if budget is None else found.within(budget, memory=limit)
    data: dict[str, Any] = {"name": loaded.name, "decisions": len(found.decisions), "size": size}
    text = ""
    if budget is not None and fits is not None:
        text, share = _tables.share(found, fits)
        data |= share | {"budget": {metric: list(bounds) for metric, bounds in budget.items()}}
    table, ranges = _tables.ranges(found, fits)
    data |= ranges
    if picture is not None:
        plot.save(plot.distribution(found, budget, name=loaded.name), picture)
        data["plot"] = str(picture)
    if as_json:
        _tables.print_json(data)
        return
    _tables.plain(f"{loaded.name}: {grouped(size)} networks, {len(found.decisions)} decisions")
    if text:
        _tables.plain(text)
    _tables.print_table(table)


def describe(space: SpaceReference, no_code: NoCode = False, as_json: Json = False) -> None:
    """Show the decision diagram of a space, whose size tells how long all other questions take.

    A stage is a decision at the point where networks reach it, a node a state that the rest of a network can tell from
    others, an arc a choice. Wide stages explain a slow or a large space, such as those between two tied decisions.
    """
    loaded = files.load(space, code=not no_code)
    found = loaded.space.describe()
    if as_json:
        _tables.print_json({"name": loaded.name, **found.to_dict()})
        return
    _tables.plain(f"{loaded.name}: {found.heading}")
    _tables.print_table(_tables.stages(found))
    _tables.plain(found.totals)


@takes_budget
def sample(
    space: SpaceReference,
    number: Annotated[str, typer.Option("-n", "--number", metavar="N", help="How many; 10k and 1M work.")] = "10",
    seed: Annotated[int | None, typer.Option(help="The same seed draws the same candidates.")] = None,
    target: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="A .csv, .npz or .parquet file; - prints CSV.")
    ] = "-",
    whole: Annotated[
        bool, typer.Option("--all", help="Ignore the budget of the space file.", rich_help_panel="Budget")
    ] = False,
    bounds: BudgetOptions = NO_BOUNDS,
    memory: Memory = None,
    picture: PlotFile = None,
    no_code: NoCode = False,
    as_json: Json = False,
) -> None:
    """Draw candidates uniformly among the networks that fit a budget, or without one among all that can be built.

    However few networks fit, each of them is as likely as any other. The plot shows how the first metric of the budget,
    or params, is distributed over the drawn candidates.
    """
    loaded = files.load(space, code=not no_code)
    budget = bounds.within(None if whole else loaded.budget)
    _options.check_table(loaded.space, candidates.format_of(target))
    _options.check_plot(picture)
    number_drawn, limit = number_of(number, "-n"), _options.memory(memory, budget)
    data: dict[str, Any] = {"output": target}
    text = ""
    if budget is None:
        drawn = loaded.space.sample(number_drawn, seed)
    else:
        fits = loaded.space.within(budget, memory=limit)
        drawn = fits.sample(number_drawn, seed)
        text = f" that fit {budget.describe()}; acceptance rate {_tables.percent(fits.acceptance, 1)}"
        data |= {
            "budget": {metric: list(bounds) for metric, bounds in budget.items()},
            "acceptance": fits.acceptance,
        }
    candidates.write_candidates(drawn, target, lines=as_json)
    if picture is not None:
        plot.save(plot.distribution(drawn, budget, name=loaded.name), picture)
        data["plot"] = str(picture)
    data["candidates"] = len(drawn)
    text = f"{len(drawn):,} candidates{text}"
    if target == "-":
        if budget is not None:
            print(text, file=sys.stderr)  # The candidates themselves are on standard output.
        return
    table, data["metrics"] = _tables.spread(drawn) if len(drawn) else (None, {})
    if as_json:
        _tables.print_json(data)
        return
    _tables.plain(f"{target}: {text}")
    if table is not None:
        _tables.print_table(table)


@takes_budget
def prune(
    space: SpaceReference,
    target: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The space file to write; standard output by default."),
    ] = None,
    bounds: BudgetOptions = NO_BOUNDS,
    memory: Memory = None,
    picture: PlotFile = None,
    no_code: NoCode = False,
    as_json: Json = False,
) -> None:
    """Remove the values that no network inside a budget has from a space; no network that fits is lost.

    It writes a space file with the budget, for every other command. The plot shows how often each value occurs inside
    the budget.
    """
    loaded = files.load(space, code=not no_code)
    budget = _options.require_budget(bounds.within(loaded.budget), "prune")
    if target is not None and not files.is_file(str(target)):
        raise ArchbudgetError(f"{target}: the name of a space file must end in .yaml or .yml")
    limit = _options.memory(memory, budget)
    _options.check_plot(picture)
    fits = loaded.space.within(budget, memory=limit)
    fits.require_some()
    part = fits.prune()
    written = loaded.narrowed(part, budget)
    if target is not None:
        written.write(target)
    table, decisions = _tables.pruned(loaded.space, part)
    sizes = {"before": loaded.space.size, "after": part.size}
    data: dict[str, Any] = {
        "name": loaded.name,
        "budget": {metric: list(bounds) for metric, bounds in budget.items()},
        "size": sizes,
        "decisions": decisions,
        "output": None if target is None else str(target),
    }
    if picture is not None:
        plot.save(plot.marginals(fits, name=loaded.name), picture)
        data["plot"] = str(picture)
    if as_json:
        _tables.print_json(data | {"space": written.description})
        return
    aside = target is None
    if aside:
        _tables.plain(written.text(Path()).rstrip())
    _tables.print_table(table, stderr=aside)
    where = "" if target is None else f"{target}: "
    print(
        f"{where}{grouped(sizes['before'])} networks before, {grouped(sizes['after'])} after; {budget.describe()}",
        file=sys.stderr if aside else sys.stdout,
    )


def template(
    space: SpaceReference,
    target: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The CSV file to write.")],
    column: Annotated[str, typer.Option(metavar="NAME", help="The column of the values.")] = "latency",
    no_code: NoCode = False,
    as_json: Json = False,
) -> None:
    """Write the table of a latency metric with an empty column: a row for each distinct layer to measure.

    The filled table is a metric of a space file: [bold]metrics: {latency: {table: latency.csv}}[/bold]. The command
    ignores the metrics that the space file has already.
    """
    rows = LatencyTable.write_template(files.load(space, measured=False, code=not no_code).space, target, column=column)
    if as_json:
        _tables.print_json({"output": str(target), "rows": rows})
    else:
        _tables.plain(f"{target}: {rows:,} layers to be measured")


def spaces(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    as_json: Json = False,
) -> None:
    """List the published spaces on the shelf; each is compiled, and its ranges are those of all its networks.

    Every other command accepts one by name, such as [bold]archbudget.spaces:nas_bench_201[/bold].
    """
    _options.one_format(markdown=markdown, as_json=as_json)
    rows = []
    for name, shelved in SHELF.items():
        start = time.perf_counter()
        made = shelved.make()
        seconds = time.perf_counter() - start
        _, ranges = _tables.ranges(made)
        rows.append(
            {
                "name": name,
                "space": f"archbudget.spaces:{name}",
                "size": made.size,
                "published_size": shelved.published_size,
                "decisions": len(made.decisions),
                **ranges,
                "seconds": seconds,
                "paper": shelved.paper,
            }
        )
    if as_json:
        _tables.print_json({"spaces": rows})
    elif markdown:
        _tables.plain(_tables.shelf_markdown(rows))
    else:
        _tables.print_table(_tables.shelf(rows))


@takes_budget
def bench(
    space: Annotated[
        str | None,
        typer.Argument(
            metavar="SPACE",
            help="A space to measure: a YAML file, or [bold]module:attribute[/bold]. Without one: the LeNet family, "
            "beside handwritten code.",
            show_default=False,
        ),
    ] = None,
    rows: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            help="How many candidates; 10M works, and is the default without a SPACE. With one: what takes some 50 ms.",
            show_default=False,
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(metavar="N", help="How often each is measured.")] = 7,
    peer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Without a SPACE: compare with numpy, numba, memory, torch, keras; all that are installed.",
            show_default=False,
        ),
    ] = None,
    bounds: BudgetOptions = NO_BOUNDS,
    memory: Memory = None,
    no_code: NoCode = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    as_json: Json = False,
) -> None:
    """Measure how fast networks are counted: those of a space, in a minute, or beside handwritten code.

    Of a space: counting from columns, rows and values, all metrics, masks, samples, layers, and compiling, on one core
    and on all. With a budget, also samples inside it. [bold]memory[/bold] reads the same columns, fills an output, and
    counts nothing.
    """
    _options.one_format(markdown=markdown, as_json=as_json)
    from archbudget import bench as benchmark
    from archbudget.workers.job import quiet

    quiet()

    number = None if rows is None else number_of(rows, "--rows")
    if space is not None:
        if peer:
            raise ArchbudgetError("--peer counts the LeNet family by hand: it goes without a SPACE")
        loaded = files.load(space, code=not no_code)
        budget = bounds.within(loaded.budget)
        limit = _options.memory(memory, budget)
        found = benchmark.measure(loaded.space, budget, number, repeats, limit)
        data = {"name": loaded.name, "environment": benchmark.environment(), **found}
        if as_json:
            _tables.print_json(data)
        else:
            _tables.print_measured(data, markdown=markdown)
        return
    if bounds.within(None) is not None or memory is not None or no_code:
        raise ArchbudgetError("a budget, --memory and --no-code are those of a SPACE, and none is given")
    results = benchmark.run(10_000_000 if number is None else number, repeats, peer or None)
    constraint = benchmark.constraint_call()
    environment = benchmark.environment()
    if as_json:
        _tables.print_json({"environment": environment, "results": results, "constraint_seconds": constraint})
        return
    if markdown:
        _tables.plain(_tables.bench_markdown(results))
    else:
        _tables.print_table(_tables.bench(results))
    _tables.plain(_tables.constraint_text(constraint))
    _tables.plain(_tables.environment_text(environment))


def schema(
    as_json: Annotated[bool, typer.Option("--json", help="The same: a schema is JSON.")] = False,
) -> None:
    """Print the JSON schema of space files, with which editors complete and check them."""
    del as_json
    _tables.print_json(files.schema())
