"""What a page says of a model, a space, a feasible set and a search."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any

from archbudget import plot
from archbudget._budget import BUILT_IN, SIDED, require_metrics, title_of
from archbudget._markup import Markup, bar, paragraph, table
from archbudget._message import grouped, show
from archbudget.checking import Verdict, range_text
from archbudget.errors import ArchbudgetError, LimitError
from archbudget.network import network_html
from archbudget.reporting.page import Section, figure_markup, fold, items, scroll, verdict_markup
from archbudget.search.running import best
from archbudget.space.html import set_html
from archbudget.space.trials import BUDGET, FAILED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import optuna

    from archbudget._budget import Budget
    from archbudget.space.architecture import Architecture
    from archbudget.space.distribution import Distribution
    from archbudget.space.feasible import FeasibleSet
    from archbudget.space.space import Space

MOST_LAYERS = 2_000
"""The most layers of a table."""
EXPLAINED = 500
"""The most layers that are explained."""
MOST_DECISIONS = 500
"""The most decisions of a table."""
ENOUGH = 10
"""The importance of parameters is told of at least this many trials."""
BEST = 20
"""The most trials of a table."""
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
"""Which quantiles of a distribution stand beside its figure."""


def model_sections(name: str, arch: Architecture, budget: Budget | None) -> Iterator[Section]:
    """One network: against its budget, layer by layer, and how each layer is counted."""
    if budget is not None:
        require_metrics(arch.space.metrics, budget)
    found = Verdict(name, arch, budget)
    parts: list[Markup] = []
    if budget is not None:
        parts.append(verdict_markup(found.headline, good=found.fits))
    parts.append(scroll("totals", _totals(arch, budget)))
    parts.append(items([text for text in found.lines if budget is not None]))
    yield Section("Totals", tuple(parts))
    yield from network_sections(arch)


def network_sections(arch: Architecture, of: str = "") -> Iterator[Section]:
    """The layers of a network, and how they are counted."""
    values = ", ".join(f"{name}={value}" for name, value in arch.items())
    yield Section(f"Layers{of}", (scroll(f"layers{of}", Markup(network_html(arch.network, values, MOST_LAYERS))),))
    calls = arch.layers
    counted = "\n".join(arch.explain(record.name, "html") for record in calls[:EXPLAINED] if not record.reused)
    rest = len(calls) - EXPLAINED
    more = paragraph(f"{rest:,} more layers are not explained here") if rest > 0 else Markup("")
    yield Section(
        "How the layers are counted", (fold("Each layer: its weights and MACs", Markup(counted + more.html)),)
    )


def _totals(arch: Architecture, budget: Budget | None) -> Markup:
    """The metrics of a network, with their bounds."""
    costs, width, rows = arch.costs, 2 if budget is None else 3, []
    for metric in dict.fromkeys([*BUILT_IN, *costs]):
        cost = costs.get(metric)
        rows.append((title_of(metric), "unknown" if cost is None else f"{cost:,}", _bound(metric, budget))[:width])
    return table(("metric", "value", "bound")[:width], rows)


def space_sections(space: Space) -> Iterator[Section]:
    """A space: its size, its decisions, and how its metrics are distributed."""
    yield Section(
        "The space",
        (
            paragraph(f"{_size(space)}, {len(space.decisions):,} decisions, {len(space.layer_names):,} layers"),
            scroll("range of each metric", _ranges(space)),
        ),
    )
    yield _decisions(space)
    for metric in ("params", "macs"):
        if metric in space.metrics:
            yield _distribution(space, metric, None)


def set_sections(fits: FeasibleSet[Any]) -> Iterator[Section]:
    """A feasible set: how many networks fit, what they have in common, and the largest of them."""
    space, budget = fits.space, fits.budget
    require_metrics(space.metrics, budget)
    empty = fits.is_empty()
    parts = [verdict_markup(_share(fits), good=not empty)]
    if fits.fixed:
        parts.append(paragraph("with " + ", ".join(f"{name}={show(value)}" for name, value in fits.fixed.items())))
    parts.append(paragraph(f"{_size(space)}, {len(space.decisions):,} decisions, {len(space.layer_names):,} layers"))
    parts.append(scroll("range of each metric", _ranges(space, budget)))
    yield Section("The networks that fit", tuple(parts))
    for metric in budget:
        yield _distribution(space, metric, budget)
    if not empty:
        yield _marginals(fits)
    yield _decisions(space)
    if empty:
        return
    metric = next(iter(budget))
    try:
        largest = fits.largest(metric)
    except LimitError as error:
        yield Section("The largest that fits", (paragraph(f"it is not known: {error}"),))
    else:
        yield from network_sections(largest, f" of the largest that fits, by {title_of(metric)}")


def study_sections(study: optuna.Study, space: Space | None, budget: Budget | None) -> Iterator[Section]:
    """A search: its trials, how they went, what mattered, and the best network."""
    from optuna.trial import TrialState

    if space is not None and budget is not None:
        require_metrics(space.metrics, budget)
    trials = study.get_trials(deepcopy=False)
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    states = Counter("failed" if FAILED in trial.user_attrs else trial.state.name.lower() for trial in trials)
    told = study.user_attrs.get(BUDGET)
    parts = [paragraph(", ".join(f"{number:,} {state}" for state, number in states.most_common()) or "no trials yet")]
    if budget is not None or isinstance(told, str):
        parts.append(paragraph(f"budget: {budget.describe() if budget is not None else told}"))
    ranked = best(study, BEST)[:BEST]
    if ranked:
        parts.append(scroll("best trials", _trials(study, ranked)))
    yield Section("Trials" if len(ranked) == len(trials) else "Best trials", tuple(parts))
    if complete:
        yield from _progress(study, complete, space, budget)
    if ranked and space is not None:
        winner = space.from_trial(ranked[0])
        of = f" of trial {ranked[0].number}"
        if budget is not None:
            found = Verdict(of, winner, budget)
            yield Section(f"Totals{of}", (verdict_markup(found.headline, good=found.fits), _totals(winner, budget)))
        yield from network_sections(winner, of)


def _trials(study: optuna.Study, ranked: Sequence[optuna.trial.FrozenTrial]) -> Markup:
    """Trials with their values, their costs and their parameters."""
    costs = [
        metric
        for metric in dict.fromkeys(key for trial in ranked for key in trial.user_attrs)
        if metric in BUILT_IN and all(isinstance(trial.user_attrs.get(metric), int) for trial in ranked)
    ]
    values = ["value"] if len(study.directions) == 1 else [f"value {place}" for place in range(len(study.directions))]
    rows = [
        (
            str(trial.number),
            *(f"{value:.6g}" for value in trial.values),
            *(f"{trial.user_attrs[metric]:,}" for metric in costs),
            ", ".join(f"{name}={value}" for name, value in trial.params.items()),
        )
        for trial in ranked
    ]
    return table(("trial", *values, *map(title_of, costs), "parameters"), rows, left=1)


def _progress(
    study: optuna.Study, complete: Sequence[optuna.trial.FrozenTrial], space: Space | None, budget: Budget | None
) -> Iterator[Section]:
    """Figures of a search: its progress, values over costs or the Pareto front, and the importance of parameters."""
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.visualization import plot_optimization_history, plot_param_importances

    name = None if space is None else space.name
    if len(study.directions) > 1:
        if len(study.directions) <= 3:
            figure = plot.pareto(study, budget, name=name)
            yield Section("Pareto front", (figure_markup(figure, None),), has_figure=True)
        return
    figure = plot_optimization_history(study)
    figure.update_layout(title=f"the value of each of {len(complete):,} trials, and the best so far")
    yield Section("Progress", (figure_markup(figure, None),), has_figure=True)
    if budget is not None and all(next(iter(budget)) in trial.user_attrs for trial in complete):
        figure = plot.history(study, budget, name=name)
        yield Section("Values over costs", (figure_markup(figure, None),), has_figure=True)
    if len(complete) < ENOUGH:
        return
    evaluator = PedAnovaImportanceEvaluator()
    with warnings.catch_warnings():
        # Of parameters that few trials have.
        warnings.simplefilter("ignore", UserWarning)
        try:
            shares = get_param_importances(study, evaluator=evaluator)
        except (RuntimeError, ValueError):
            return  # No parameter varies.
        figure = plot_param_importances(study, evaluator=evaluator)
    if shares:
        figure.update_layout(title="how much each decision mattered for the best trials (PED-ANOVA)")
        numbers = table(("parameter", "importance"), [(each, bar(share)) for each, share in shares.items()])
        yield Section("What mattered", (figure_markup(figure, numbers),), has_figure=True)


def _size(space: Space) -> str:
    try:
        return f"{grouped(space.size)} networks"
    except LimitError:
        return f"at most {grouped(space.combinations)} networks"


def _share(fits: FeasibleSet[Any]) -> str:
    """How many networks fit, in a sentence."""
    said = fits.budget.describe()
    try:
        bounds, size = fits.bounds(), fits.space.size
    except LimitError as error:
        return f"how many networks fit {said} is not known: {error}"
    percents = [f"{100 * end / size:.3g} %" for end in dict.fromkeys((bounds.lower, bounds.upper))]
    return f"{bounds} of {grouped(size)} networks ({' to '.join(percents)}) fit {said}"


def _ranges(space: Space, budget: Budget | None = None) -> Markup:
    """The smallest and the largest value of each metric, and the bounds of a budget."""
    width, rows = 3 if budget is None else 4, []
    for metric in dict.fromkeys([*space.metrics, *(SIDED if space.metrics.unknown else ())]):
        known = metric in space.metrics
        ends = [f"{end:,}" for end in space.range(metric)] if known else ["unknown", "unknown"]
        rows.append((title_of(metric), *ends, _bound(metric, budget))[:width])
    return table(("metric", "smallest", "largest", "bound")[:width], rows)


def _decisions(space: Space) -> Section:
    """The values of each decision."""
    chosen = list(space.decisions.items())[:MOST_DECISIONS]
    rows = [(name, show(each), f"{len(each.values):,}") for name, each in chosen]
    left = len(space.decisions) - len(rows)
    return Section(
        "Decisions",
        (
            scroll("decisions", table(("decision", "values", "number"), rows, left=2)),
            *([paragraph(f"{left:,} more decisions")] if left else []),
        ),
    )


def _distribution(space: Space, metric: str, budget: Budget | None) -> Section:
    """How a metric is distributed, with the bounds of a budget."""
    title = f"Distribution of {title_of(metric)}"
    try:
        found = space.distribution(metric)
    except LimitError as error:
        return Section(title, (paragraph(f"it is not known: {error}"),))
    figure = plot.distribution(found, None if budget is None else budget, metric=metric, name=space.name)
    return Section(title, (figure_markup(figure, _quantiles(found)),), has_figure=True)


def _quantiles(found: Distribution) -> Markup:
    rows = [(f"{100 * q:g} %", f"{found.quantile(q):,}") for q in QUANTILES]
    return table(("networks with at most as much", found.metric), rows)


def _marginals(fits: FeasibleSet[Any]) -> Section:
    """How often each value of each decision occurs among the networks that fit."""
    title = "Values that occur"
    if not fits.space.decisions:
        return Section(title, (paragraph("the space has no decisions"),))
    try:
        shares = fits.marginals()
    except ArchbudgetError as error:
        return Section(title, (paragraph(f"they are not known: {error}"),))
    figure = plot.marginals(fits, name=fits.space.name)
    return Section(title, (figure_markup(figure, Markup(set_html("", "", shares))),), has_figure=True)


def _bound(metric: str, budget: Budget | None) -> str:
    """The bounds of a metric in a few words."""
    return "" if budget is None or metric not in budget else range_text(metric, *budget[metric])
