"""One page of HTML about a space, the networks that fit a budget, a search, or one model.

The page is a single file that loads nothing from elsewhere; its policy for browsers says so. Figures are plotly's,
which is loaded where the page has one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from archbudget._atomic import atomic
from archbudget._budget import Budget
from archbudget._guard import guarded
from archbudget._message import show
from archbudget._regular import path_of
from archbudget.checking.model import ReadOptions, Shapes, read_model
from archbudget.errors import SpaceError
from archbudget.reporting.page import Page
from archbudget.reporting.sections import model_sections, set_sections, space_sections, study_sections
from archbudget.space.architecture import Architecture
from archbudget.space.feasible import FeasibleSet
from archbudget.space.space import Space, require_space

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from archbudget.reporting.page import Section

__all__ = ["report"]

ENDINGS = (".html", ".htm")
"""How the name of a report may end."""


@guarded
def report(
    source: object,
    file: str | os.PathLike[str],
    *,
    budget: Budget | None = None,
    space: Space | None = None,
    input_shape: Shapes | None = None,
    title: str | None = None,
    command: str | None = None,
) -> Path:
    """Writes one page of HTML about a space, a feasible set, a search or a model, whole or not at all.

    A model is shown as the table of its layers, with bars, and how each is counted; a space with its decisions, the
    range of each metric and how it is distributed; a feasible set, or a space with a budget, with the number of
    networks that fit, how often each value occurs among them, and the largest network; a study with its trials, their
    progress and which decisions mattered, and, where its space is given, with its best network. The file can be read
    without an internet connection, printed, and viewed in light and dark. It costs what the questions cost that it
    answers: for a set one count, its marginals and a distribution for each bounded metric.

    Args:
        source: A `Space`, a `FeasibleSet` or an Optuna study; or a model, as
            [`assert_within`][archbudget.assert_within] takes it: an `Architecture`, an object of a framework, the path
            of a file of one of them, or of a space file.
        file: The file to write; its name ends in `.html`.
        budget: A budget: of a space, it says which networks fit; of a model, which bounds it meets; of a study, the one
            that it was searched with.
        space: The space of a study, whose networks its trials are.
        input_shape: The shape of the input of a model that leaves it open, without the batch.
        title: The heading of the page; by default the name of what it shows.
        command: The command that made the page, which is shown at its end.

    Returns:
        The file.

    Raises:
        SpaceError: If the source is none of these, or an argument has no meaning for it.
        BudgetError: If the budget bounds a metric that the source does not have, or that is unknown.
        MissingPackageError: If a figure needs plotly, and it is not installed.
        FileError: If the file cannot be written.

    Example:
        >>> import archbudget as ab
        >>> fits = ab.spaces.nas_bench_201().within(ab.Budget(params=500_000))
        >>> ab.report(fits, "fits.html").name  # doctest: +SKIP
        'fits.html'
    """
    target = path_of(file)
    if Path(target).suffix.lower() not in ENDINGS:
        raise SpaceError(f"{target}: the name of a report must end in .html")
    for name, given in (("title", title), ("command", command)):
        if not (given is None or isinstance(given, str)):
            raise SpaceError(f"the {name} of a report must be text, not {show(given)}")
    if not (budget is None or isinstance(budget, Budget)):
        raise SpaceError(f"the budget of a report must be a Budget, not {show(budget)}")
    heading, sections = _contents(source, budget, space, input_shape)
    page = Page(title or heading, tuple(sections), command)
    with atomic(target) as part:
        part.write_text(page.html(), encoding="utf-8")
    return Path(target)


def _contents(
    source: object, budget: Budget | None, space: Space | None, input_shape: Shapes | None
) -> tuple[str, Iterator[Section]]:
    """What a page is called, and its sections."""
    is_study = _is_study(source)
    for name, given, kept in (
        ("space", space, is_study),
        ("input_shape", input_shape, not is_study and not isinstance(source, FeasibleSet)),
        ("budget", budget, not isinstance(source, FeasibleSet)),
    ):
        if given is not None and not kept:
            raise SpaceError(f"{name}={show(given)} has no meaning for a report on {show(source)}")
    if is_study:
        study: Any = source
        if space is not None:
            require_space(space, "a report on a study")
        return f"Search '{study.study_name}'", study_sections(study, space, budget)
    if isinstance(source, FeasibleSet):
        return _named(source.space.name or "A space"), set_sections(source)
    read = read_model(source, ReadOptions(input_shape))
    within = budget if budget is not None else read.budget
    found = read.model
    if isinstance(found, Space) and not found.decisions:
        found = found.architecture()
    if isinstance(found, Architecture):
        return _named(read.name), model_sections(read.name, found, within)
    if within is None:
        return _named(read.name), space_sections(found)
    return _named(read.name), set_sections(found.within(within))


def _named(name: str) -> str:
    return name if name != "the model" else "A model"


def _is_study(source: object) -> bool:
    """Whether it is a study of Optuna, which is not loaded for this."""
    return any(f"{base.__module__}.{base.__name__}" == "optuna.study.study.Study" for base in type(source).__mro__)
