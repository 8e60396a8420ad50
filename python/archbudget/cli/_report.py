"""The command `report`: a space, the networks that fit, a search or a model as one page of HTML."""

import sys
from functools import partial
from pathlib import Path
from shlex import join
from typing import Annotated, Any

import typer

from archbudget import files, reporting
from archbudget.checking import ReadOptions, network_of_model, read_model, read_shapes
from archbudget.cli import _options, _tables
from archbudget.cli._options import NO_BOUNDS, BudgetOptions, Json, Memory, NoCode, Once, Settings, takes_budget
from archbudget.errors import ArchbudgetError
from archbudget.search.storage import load_study, without_password
from archbudget.space.space import Space


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    epilog = "Example: [bold]archbudget report space.yaml --params 60k --output report.html[/bold]"
    app.command(cls=Once, epilog=epilog)(report)


@takes_budget
def report(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            help="A space file, a model as [bold]check[/bold] takes it, or [bold]module:attribute[/bold]; with "
            "--storage the space of the study, that of the default search if it is left out.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The page to write; its name ends in .html.")
    ] = Path("report.html"),
    settings: Settings = None,
    input_shape: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]SIDES",
            help="The shape of an input without the batch, such as 32,32,3, where a model leaves sides open.",
            show_default=False,
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Report on a search: where its study is kept, such as sqlite:///out/search.db."
        ),
    ] = None,
    study_name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its name there; the name of the space by default.")
    ] = None,
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="The heading of the page.")] = None,
    bounds: BudgetOptions = NO_BOUNDS,
    memory: Memory = None,
    no_code: NoCode = False,
    as_json: Json = False,
) -> None:
    """Write one page of HTML, to read and to pass on: it needs no internet connection, and loads nothing.

    A space is shown with its decisions and how its metrics are distributed; with a budget, also how many networks fit,
    how often each value occurs among them, and the largest of them. [bold]--set[/bold] chooses one network. A model is
    shown layer by layer, against the budget if there is one. With [bold]--storage[/bold] the page shows the search.
    """
    shapes = read_shapes(input_shape or [], "--input-shape")
    made = partial(reporting.report, file=target, title=title, command=_command(storage))
    if storage is not None:
        if settings or shapes is not None:
            raise ArchbudgetError("--set and --input-shape are for models and spaces, not for the study of --storage")
        if source is None:
            from archbudget import digits

            source = str(digits.SPACE_FILE)
        loaded = files.load(source, code=not no_code)
        study = load_study(storage, study_name or loaded.name)
        file = made(study, space=loaded.space, budget=bounds.within(loaded.budget))
    elif study_name is not None:
        raise ArchbudgetError("--study-name names a study in a --storage, and there is none")
    elif source is None:
        raise ArchbudgetError("report needs a SOURCE: a space file, a model, or the --storage of a search")
    else:
        options = ReadOptions(shapes, code=not no_code)
        read = read_model(source, options)
        budget = bounds.within(read.budget)
        limit = _options.memory(memory, budget)
        shown: Any = read.model
        if settings:
            values = partial(_options.values, settings=settings)
            shown = network_of_model(source, ReadOptions(shapes, values, code=not no_code)).arch
        elif isinstance(shown, Space) and shown.decisions and budget is not None:
            shown, budget = shown.within(budget, memory=limit), None
        file = made(shown, budget=budget, title=title or read.name)
    if as_json:
        _tables.print_json({"output": str(file)})
    else:
        _tables.plain(f"The report is in {file}")


def _command(storage: str | None) -> str:
    """The command line of this process, without the password of a storage."""
    words = ["archbudget", *sys.argv[1:]]
    if storage is not None:
        words = [word.replace(storage, without_password(storage)) for word in words]
    return join(words)
