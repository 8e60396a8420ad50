"""The command `check`: a model against a budget, and against another model."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from archbudget._budget import SIDED, title_of
from archbudget._guard import reworded
from archbudget._markup import markdown
from archbudget._message import line
from archbudget.checking import (
    BITS,
    Comparison,
    ReadOptions,
    Verdict,
    compared,
    network_of_model,
    range_text,
    read_shapes,
    verdict,
)
from archbudget.cli import _options, _tables
from archbudget.cli._options import NO_BOUNDS, BudgetOptions, Json, NoCode, Once, Settings, takes_budget
from archbudget.errors import BudgetError

OUTSIDE = 1
"""The exit code of `check` for a network outside the budget."""

BAR = 20
"""The characters of a bar that is full."""

MOST_ROWS = 100
"""The most layers in a Markdown table: a comment on GitHub holds 65,536 characters."""


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    epilog = "Example: [bold]archbudget check model.keras --params 60k --macs 5M --weights int8[/bold]"
    app.command(cls=Once, epilog=epilog)(check)


@takes_budget
def check(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="A .keras, .h5 or .json file of Keras, an .onnx file, a config.json of Hugging Face, a space file, or "
            "[bold]module:attribute[/bold]: a model, a module of PyTorch, a space, or a function that returns one. "
            "Each of several is checked.",
            show_default=False,
        ),
    ],
    settings: Settings = None,
    weights: Annotated[
        str | None,
        typer.Option(metavar="TYPE", help=f"The type of the weights: {', '.join(BITS)}. Four bytes each by default."),
    ] = None,
    activations: Annotated[
        str | None, typer.Option(metavar="TYPE", help="The type of the activations, likewise.")
    ] = None,
    input_shape: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]SIDES",
            help="The shape of an input without the batch, such as 32,32,3, where the model leaves sides open.",
            show_default=False,
        ),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(metavar="BASE", help="Show the difference to another model, layer by layer.", show_default=False),
    ] = None,
    bounds: BudgetOptions = NO_BOUNDS,
    no_code: NoCode = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")] = False,
    as_json: Json = False,
) -> None:
    """Check that models fit a budget: exit code 0 inside, 1 outside, 2 for an error. It guards a CI pipeline.

    It shows each layer, by how much each bound is met or missed, and which layers weigh most. Files are read as data:
    nothing in a model is run, and no weights are loaded.
    """
    _options.one_format(markdown=markdown, as_json=as_json)
    shapes = read_shapes(input_shape or [], "--input-shape")
    values = partial(_options.values, settings=settings) if settings else None
    read = partial(ReadOptions, input_shape=shapes, weights=weights, activations=activations, code=not no_code)
    base = None if compare is None else network_of_model(compare, read())
    results: list[tuple[Verdict, Comparison | None]] = []
    for model in models:
        checked = network_of_model(model, read(values=values))
        budget = bounds.within(checked.budget)
        if base is None:
            budget = _options.require_budget(budget, "check")
        difference = None if base is None else compared(base.name, base.arch, checked.arch)
        try:
            results.append((verdict(checked, budget), difference))
        except BudgetError as error:
            if error.metric in SIDED and error.metric not in checked.arch.space.metrics:
                raise reworded(error, f"{model}: {error}; on the command line --input-shape does") from None
            raise
    if as_json:
        data = [_json(*each) for each in results]
        _tables.print_json(data[0] if len(data) == 1 else {"models": data})
    elif markdown:
        _tables.plain("\n\n".join("\n".join(_markdown(*each)) for each in results))
    else:
        for each in results:
            _print(*each)
    if not all(result.fits for result, _ in results):
        raise typer.Exit(OUTSIDE)


def _json(result: Verdict, difference: Comparison | None) -> dict[str, Any]:
    """A verdict for machines."""
    return result.to_dict() | ({} if difference is None else {"compare": difference.to_dict()})


def _print(result: Verdict, difference: Comparison | None) -> None:
    """Prints a verdict for the terminal, the conclusion last."""
    made = _tables.table(*_titles(result), left=3)
    made.columns[-1].justify = "left"
    _fill(made, [*_cells(result), _total(result)])
    if difference is not None:
        _tables.plain(difference.heading)
        if difference.changes:
            _fill(_tables.table(*CHANGES, left=4), _changes(difference))
        _fill(_tables.table(*TOTALS), _totals(difference))
    for text in result.lines:
        _tables.plain(text)
    _tables.plain(f"{line(result.name)}: {result.headline}")


def _fill(made: Table, rows: Iterable[Sequence[str]]) -> None:
    """Prints a table of cells; what stands in them may come from a file, and is no markup."""
    for cells in rows:
        made.add_row(*map(Text, cells))
    _tables.print_table(made)


def _markdown(result: Verdict, difference: Comparison | None) -> Iterable[str]:
    """The lines of a verdict in Markdown."""
    name = markdown(result.name)
    if result.budget is None:
        yield f"### {name}"
    else:
        yield f"### {name}: {'inside' if result.fits else 'outside'} the budget"
        bounds = [
            (
                bound.metric,
                f"{bound.value:,}",
                range_text(bound.metric, bound.low, bound.high),
                "met" if bound.met else f"missed by {abs(bound.value - bound.limit):,}",
            )
            for bound in result.bounds
        ]
        yield from ["", *_table(("metric", "value", "bound", "result"), bounds, left=1)]
        yield from ["", *(f"- {markdown(text)}" for text in result.lines[len(result.bounds) :])]
    if difference is not None:
        yield from ["", markdown(difference.heading), ""]
        yield from _table(TOTALS, _totals(difference), left=1)
        if difference.changes:
            yield from ["", *_table(CHANGES, list(_changes(difference))[:MOST_ROWS], left=4)]
            if len(difference.changes) > MOST_ROWS:
                yield f"\n{len(difference.changes) - MOST_ROWS:,} more layers differ."
    rows = list(_cells(result))
    yield from ["", f"<details><summary>{len(rows):,} layers</summary>", ""]
    yield from _table(_titles(result), [*rows[:MOST_ROWS], _total(result)], left=3)
    if len(rows) > MOST_ROWS:
        yield f"\n{len(rows) - MOST_ROWS:,} more layers are not shown."
    yield from ["", "</details>"]


def _titles(result: Verdict) -> tuple[str, ...]:
    of = title_of(result.weighed)
    return ("layer", "type", "output shape", "params", "MACs", "activation bytes", f"share of {of}")


def _cells(result: Verdict) -> Iterable[tuple[str, ...]]:
    """The layers of a verdict as cells of a table."""
    for row in result.rows:
        yield (
            f"{line(row.name)} (reused)" if row.reused else line(row.name),
            row.type,
            row.shapes,
            f"{row.params:,}",
            _known(row.macs),
            _known(row.activation_bytes),
            "unknown" if row.share is None else f"{100 * row.share:5.1f} % {'#' * round(BAR * row.share)}".rstrip(),
        )


def _total(result: Verdict) -> tuple[str, ...]:
    """The last row of the table."""
    costs = result.arch.costs
    totals = (_known(costs.get(metric)) for metric in ("params", "macs", "peak_activation_bytes"))
    return ("total", "", "", *totals, "")


TOTALS = ("metric", "before", "after", "difference")
CHANGES = ("change", "layer", "type", "output shape", "params", "MACs", "activation bytes")


def _totals(difference: Comparison) -> Sequence[tuple[str, ...]]:
    made = []
    for metric, (before, after) in difference.totals.items():
        gap = "unknown" if before is None or after is None else f"{after - before:+,}"
        share = (
            f" ({100 * (after - before) / before:+.3g} %)" if before and after is not None and before != after else ""
        )
        made.append((title_of(metric), _known(before), _known(after), gap + share))
    return made


def _changes(difference: Comparison) -> Iterable[tuple[str, ...]]:
    for change in difference.changes:
        numbers = []
        for metric in ("params", "macs", "peak_activation_bytes"):
            before, after = change.of(metric)
            same = before == after or change.kind == "added"
            numbers.append(
                _known(after)
                if same
                else _known(before)
                if change.kind == "removed"
                else f"{_known(before)} -> {_known(after)}"
            )
        yield (change.kind, line(change.name), change.type, change.shapes, *numbers)


def _known(count: Any) -> str:
    return "unknown" if count is None else f"{count:,}"


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, left: int) -> Iterable[str]:
    """A table in Markdown."""
    yield f"| {' | '.join(titles)} |"
    yield "|" + "|".join("---" if place < left else "--:" for place in range(len(titles))) + "|"
    for row in rows:
        yield f"| {' | '.join(markdown(cell) for cell in row)} |"
