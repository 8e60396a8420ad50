"""`archbudget enumerate`: all candidates with their counts, in a folder of Parquet files."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from archbudget import files
from archbudget._budget import number as number_of
from archbudget._extras import imported
from archbudget._message import one_line
from archbudget.cli import _options, _tables
from archbudget.cli._options import (
    NO_BOUNDS,
    BudgetOptions,
    Json,
    Memory,
    MetricNames,
    NoCode,
    Once,
    SpaceReference,
    takes_budget,
)
from archbudget.errors import ArchbudgetError

CONNECT = 30
"""Seconds in which a scheduler must answer."""


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    epilog = "Example: [bold]archbudget enumerate space.yaml --params 60k --output candidates[/bold]"
    app.command("enumerate", cls=Once, epilog=epilog)(enumerate_candidates)


@takes_budget
def enumerate_candidates(
    space: SpaceReference,
    target: Annotated[
        str, typer.Option("--output", "-o", metavar="FOLDER", help="The folder; /dev/null keeps nothing.")
    ],
    source: Annotated[
        str | None,
        typer.Option("--input", "-i", metavar="FILE", help="The candidates of a file, .npy or .parquet, instead."),
    ] = None,
    metrics: MetricNames = None,
    shard: Annotated[str, typer.Option(metavar="N", help="How many candidates a file has; 10k and 1M work.")] = "1M",
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Processes on this machine; one for each core by default.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Let the workers of a Dask cluster do it, as tcp://host:8786."),
    ] = None,
    whole: Annotated[
        bool, typer.Option("--all", help="Ignore the budget of the space file.", rich_help_panel="Budget")
    ] = False,
    bounds: BudgetOptions = NO_BOUNDS,
    memory: Memory = None,
    no_code: NoCode = False,
    as_json: Json = False,
) -> None:
    """Write all networks that fit a budget, with their counts, into a folder of Parquet files; without one all of them.

    Each file has the networks of a range of ranks. A run that was stopped or killed goes on when it is started again.
    With [bold]--scheduler[/bold] the folder is one that all workers see under the same path.
    """
    loaded = files.load(space, code=not no_code)
    wanted = _options.metric_names(loaded.space, metrics)
    budget = bounds.within(None if whole or source is not None else loaded.budget)
    limit = _options.memory(memory, budget)
    if source is not None and budget is not None:
        raise ArchbudgetError("--input names the candidates, and a budget does, too: give one of them")
    if scheduler is not None and workers is not None:
        raise ArchbudgetError("--workers starts processes here, and --scheduler has workers of its own: give one")
    number_in_shard = number_of(shard, "--shard")
    with _executor(scheduler) as executor:
        options: dict[str, Any] = {
            "executor": executor,
            "workers": workers,
            "shard": number_in_shard,
        }
        if budget is None:
            number = loaded.space.write_parquet(target, wanted, candidates=source, **options)
        else:
            number = loaded.space.within(budget, memory=limit).write_parquet(target, wanted, **options)
    if as_json:
        _tables.print_json({"output": target, "candidates": number, "metrics": wanted})
    else:
        _tables.plain(f"{target}: {number:,} candidates")


@contextmanager
def _executor(scheduler: str | None) -> Iterator[Any]:
    """The executor of a Dask cluster; `None` where none is asked for.

    Raises:
        ArchbudgetError: If the cluster cannot be reached.
    """
    if scheduler is None:
        yield None
        return
    distributed, comm = imported("distributed", "--scheduler"), imported("distributed.comm", "--scheduler")
    try:
        comm.get_address_host(scheduler)  # Refuses what is no address; a client would say so again at its end.
        client = distributed.Client(scheduler, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ArchbudgetError(f"--scheduler: {scheduler} cannot be reached: {one_line(error)}") from None
    with client:
        yield client.get_executor(pure=False)
