"""The options that commands share, and the readers of their values."""

from __future__ import annotations

import re
from decimal import Decimal, DecimalException
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archbudget import _core, plot
from archbudget._budget import BUILT_IN, Budget
from archbudget._extras import imported
from archbudget._message import show
from archbudget.errors import ArchbudgetError, BudgetError, SpaceError
from archbudget.files.values import Texts
from archbudget.space.description import check_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from archbudget._expressions import Scalar
    from archbudget.space.space import Space

FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def _bound(metric: str, what: str) -> typer.models.OptionInfo:
    flag = f"--{metric.replace('_', '-')}"
    option: typer.models.OptionInfo = typer.Option(
        flag,
        metavar="N|LOW:HIGH",
        help=f"Bounds the {what}; 5k, 1.5M, 1_000 and LOW:HIGH work.",
        rich_help_panel="Budget",
    )
    return option


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
Params = Annotated[str | None, _bound("params", "weights")]
TrainableParams = Annotated[str | None, _bound("trainable_params", "trained weights")]
Macs = Annotated[str | None, _bound("macs", "multiply-accumulates for one input")]
WeightBytes = Annotated[str | None, _bound("weight_bytes", "bytes of the weights")]
PeakActivationBytes = Annotated[str | None, _bound("peak_activation_bytes", "bytes of activations alive at once")]
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
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="The value of a decision; once for each.", show_default=False),
]
Memory = Annotated[
    str, typer.Option(metavar="BYTES", help="The memory of a count; 512M and 4G work. With too little it has bounds.")
]
MEMORY = str(_core.MEMORY)
"""The default memory of a count, as text."""
PlotFile = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", help=f"Draw a plot, too: {', '.join(f'.{form}' for form in plot.FORMATS)}."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


def number(text: str, what: str) -> int:
    """A whole number as people write it: `5000`, `5_000`, `5k`, `1.5M`, `5e6`.

    Raises:
        ArchbudgetError: If it is not one.
    """
    match = re.fullmatch(r"(.*?)([kmgt]?)", text.strip().replace("_", ""), re.IGNORECASE | re.DOTALL)
    try:
        value = Decimal(match[1] if match else text) * FACTORS[match[2].lower() if match else ""]
    except DecimalException:
        value = Decimal("nan")
    if not value.is_finite() or abs(value) > 10**24 or value != value.to_integral_value():
        raise ArchbudgetError(f"{what}: {show(text)} is not a whole number; write it like 5000, 5k or 1.5M")
    return int(value)


def budget(of_file: Budget | None, *given: str | None, custom: Iterable[str] | None) -> Budget | None:
    """The budget of a space file, with the bounds of the command line replacing its own; `None` if there is none.

    Args:
        of_file: The budget of the space file.
        given: The option of each built-in metric, in their order.
        custom: The bounds of custom metrics, each as `name=bound`.

    Raises:
        ArchbudgetError: If a bound is not a number or range, or the budget is not sensible.
    """
    bounds = dict(of_file or {})
    asked = [
        (metric, text, f"--{metric.replace('_', '-')}")
        for metric, text in zip(BUILT_IN, given, strict=True)
        if text is not None
    ]
    for option in custom or ():
        metric, equals, text = option.partition("=")
        if not equals or metric in BUILT_IN:
            raise ArchbudgetError(f"--custom bounds a custom metric, as NAME=N or NAME=LOW:HIGH, not {show(option)}")
        if any(metric == earlier for earlier, _, _ in asked):
            raise ArchbudgetError(f"--custom bounds {show(metric)} twice")
        asked.append((metric, text, f"--custom {metric}"))
    for metric, text, what in asked:
        low, colon, high = text.partition(":")
        ends = [number(end, what) if end.strip() else None for end in (low, high)]
        if not colon:
            ends = [0, number(text, what)]
        # Budget checks both ends, so that one parser serves numbers and ranges.
        bounds[metric] = Budget.of({metric: (ends[0], ends[1])})[metric]
    return Budget.of(bounds) if bounds else None


def require_budget(found: Budget | None, command: str) -> Budget:
    """The budget that a command needs.

    Raises:
        BudgetError: If there is none.
    """
    if found is None:
        raise BudgetError(f"{command} needs a budget: give --params N, or put a budget into the space file")
    return found


def memory(text: str) -> int:
    """The bytes that a count may take.

    Raises:
        ArchbudgetError: If it is not a whole number of at least 1.
    """
    found = number(text, "--memory")
    if found < 1:
        raise ArchbudgetError(f"--memory: a count needs at least 1 byte, not {found}")
    return found


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
