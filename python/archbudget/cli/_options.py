"""The options that commands share, and the readers of their values."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from archbudget import plot
from archbudget._budget import BUILT_IN, Budget, bound_of, number
from archbudget._core import MEMORY as BYTES
from archbudget._extras import imported
from archbudget._message import listed, show, with_nearest
from archbudget.errors import ArchbudgetError, BudgetError, SpaceError
from archbudget.files.values import Texts
from archbudget.space.description import check_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from archbudget._expressions import Scalar
    from archbudget.space.space import Space

SpaceReference = Annotated[
    str,
    typer.Argument(
        metavar="SPACE",
        help="A YAML file, or [bold]module:attribute[/bold]; a file may name Python that is run.",
        show_default=False,
    ),
]
NoCode = Annotated[
    bool,
    typer.Option("--no-code", help="Run no Python that the space names: refuse [bold]module:attribute[/bold]."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="The value of a decision; once for each.", show_default=False),
]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="BYTES",
        help=f"The memory of a count inside a budget; 512M and 4G work, {BYTES} by default. With too little there are "
        "bounds.",
        show_default=False,
    ),
]
PlotFile = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", help=f"Draw a plot, too: {', '.join(f'.{form}' for form in plot.FORMATS)}."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


WHAT = {
    "params": "weights",
    "trainable_params": "trained weights",
    "macs": "multiply-accumulates for one input",
    "weight_bytes": "bytes of the weights",
    "peak_activation_bytes": "bytes of activations alive at once",
}
"""What the options of the built-in metrics bound, in words; of a metric that is not here, its name."""


class Once(TyperCommand):
    """A command that refuses an option which is given twice, unless it may be; otherwise the last one would win."""

    def make_parser(self, ctx: Any) -> Any:
        """The parser of the command line, which reads each option once."""
        parser = super().make_parser(ctx)
        parse = parser.parse_args

        def parse_once(args: list[str]) -> Any:
            values, rest, order = parse(args)
            for position, option in enumerate(order):
                if option in order[:position] and not getattr(option, "multiple", True) and not ctx.resilient_parsing:
                    raise ArchbudgetError(f"{max(option.opts, key=len)} is given twice")
            return values, rest, order

        parser.parse_args = parse_once  # type: ignore[method-assign]
        return parser


MetricNames = Annotated[
    str | None,
    typer.Option("--metrics", metavar="A,B", help=f"Which metrics: {', '.join(WHAT)}, or custom ones; all by default."),
]


@dataclass(frozen=True)
class BudgetOptions:
    """The options that bound metrics, as they are typed: one for each built-in metric, and `--custom`."""

    built_in: Mapping[str, str | None]
    """The text of each option by its metric, in the order of the metrics."""
    custom: Sequence[str]
    """Bounds of custom metrics, each as `name=bound`."""

    def within(self, of_file: Budget | None) -> Budget | None:
        """The budget of a space file with these bounds, which come first; `None` where there is none.

        Raises:
            ArchbudgetError: If a bound is not a number or range, or the budget is not sensible.
        """
        bounds = dict(of_file or {})
        asked = [(metric, text, flag_of(metric)) for metric, text in self.built_in.items() if text is not None]
        for option in self.custom:
            metric, equals, text = option.partition("=")
            if not equals or metric in BUILT_IN:
                raise ArchbudgetError(
                    f"--custom bounds a custom metric, as NAME=N or NAME=LOW:HIGH, not {show(option)}"
                )
            if any(metric == earlier for earlier, _, _ in asked):
                raise ArchbudgetError(f"--custom bounds {show(metric)} twice")
            asked.append((metric, text, f"--custom {metric}"))
        for metric, text, what in asked:
            bounds[metric] = Budget.of({metric: bound_of(metric, text, what)})[metric]
        return Budget.of(bounds) if bounds else None


NO_BOUNDS = BudgetOptions({}, ())
"""No option is given."""


def flag_of(metric: str) -> str:
    """The option that bounds a built-in metric."""
    return f"--{metric.replace('_', '-')}"


def takes_budget(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameter `bounds`, the `BudgetOptions`, is an option for each metric on the command line."""
    signature = inspect.signature(command)

    @wraps(command)
    def run(**given: Any) -> None:
        built_in = {metric: given.pop(metric) for metric in BUILT_IN}
        command(bounds=BudgetOptions(built_in, given.pop("custom") or ()), **given)

    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.name != "bounds":
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        options = {metric: Annotated[str | None, _bound(metric)] for metric in BUILT_IN} | {"custom": Custom}
        parameters += [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
            for name, annotation in options.items()
        ]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters} | {"return": None}
    return run


def _bound(metric: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        flag_of(metric),
        metavar="N|LOW:HIGH",
        help=f"Bounds the {WHAT.get(metric, metric)}; 5k, 1.5M, 1_000 and LOW:HIGH work, for bytes 64KiB.",
        rich_help_panel="Budget",
    )
    return option


Custom = Annotated[
    list[str] | None,
    typer.Option(
        "--custom",
        metavar="NAME=N|NAME=LOW:HIGH",
        help="Bounds a custom metric; once for each.",
        show_default=False,
        rich_help_panel="Budget",
    ),
]


def require_budget(found: Budget | None, command: str) -> Budget:
    """The budget that a command needs.

    Raises:
        BudgetError: If there is none.
    """
    if found is None:
        raise BudgetError(f"{command} needs a budget: give --params N, or put a budget into the space file")
    return found


def memory(text: str | None, budget: Budget | None) -> int:
    """The bytes that a count inside a budget may take.

    Raises:
        ArchbudgetError: If it is not a whole number of at least 1, or is given without a budget.
    """
    if text is None:
        return BYTES
    if budget is None:
        raise ArchbudgetError("--memory is that of a count inside a budget, and there is none: give --params N")
    found: int = number(text, "--memory", bytes_too=True)
    if found < 1:
        raise ArchbudgetError(f"--memory: a count needs at least 1 byte, not {found}")
    return found


def metric_names(space: Space, names: str | None) -> list[str]:
    """The metrics that are named, with commas between them; all by default.

    Raises:
        ArchbudgetError: With those that the space does not have.
    """
    wanted = list(space.metrics) if names is None else [name.strip() for name in names.split(",")]
    unknown = [name for name in wanted if name not in space.metrics]
    if unknown:
        shown = listed(with_nearest(name, space.metrics) for name in unknown)
        raise ArchbudgetError(f"--metrics: unknown {shown}; there are {listed(space.metrics)}")
    return wanted


def one_format(*, markdown: bool, as_json: bool) -> None:
    """Refuses two formats at once.

    Raises:
        ArchbudgetError: If both are wanted.
    """
    if markdown and as_json:
        raise ArchbudgetError("--markdown and --json exclude each other")


def check_plot(file: Path | None) -> None:
    """Refuses a plot that could not be written, before the work for it begins.

    Raises:
        ArchbudgetError: If the name of the file has another ending.
        FileNotFoundError: If the folder does not exist.
        MissingPackageError: If a package that draws it is not installed.
    """
    if file is None:
        return
    form = plot.kind_of(file)
    if not file.parent.is_dir():
        raise FileNotFoundError(f"{file}: there is no folder {file.parent}")
    for module in ("plotly", *(["kaleido"] if form not in plot.ALONE else [])):
        imported(module, "a plot")


def check_table(space: Space, form: str) -> None:
    """Refuses a table of candidates without decisions: it would have no columns, and so no rows.

    Raises:
        SpaceError: If the space has no decisions, and the format is that of a table.
    """
    if not space.decisions and form not in ("npy", "npz"):
        raise SpaceError(
            "the space has no decisions, and so a table of its candidates no columns: explain shows its one network, "
            "and an .npz file holds any number of candidates"
        )


def values(space: Space, settings: Iterable[str]) -> dict[str, Scalar]:
    """The values of decisions, each given as `name=value`.

    Raises:
        SpaceError: If a decision is unknown or given twice, or a value is not in its domain.
    """
    found: dict[str, Scalar] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise SpaceError(f"--set takes NAME=VALUE, not {show(setting)}")
        check_names(space.decisions, [name], "settings")
        if name in found:
            raise SpaceError(f"--set gives decision '{name}' twice")
        decision = space.decisions[name]
        found[name] = decision.values[Texts(decision)[text]]
    return found
