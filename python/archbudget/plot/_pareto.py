"""The trials of a study with several objectives and its Pareto front, or the exact front of a set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archbudget._extras import imported
from archbudget._guard import guarded
from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.plot._style import INSIDE, LINE, OUTSIDE, bounds_text, layout
from archbudget.space.candidates import Candidates
from archbudget.space.evaluation import evaluate

if TYPE_CHECKING:
    from collections.abc import Sequence

    import optuna
    from plotly.graph_objects import Figure

    from archbudget._budget import Budget


@guarded
def pareto(
    study: optuna.Study | Candidates,
    budget: Budget | None = None,
    *,
    names: Sequence[str] | None = None,
    name: str | None = None,
) -> Figure:
    """The completed trials of a study with two or three objectives, an axis for each, and those on the Pareto front.

    No trial is better than one on the front in every objective. O(trials), beside what Optuna takes to find the front.
    Given networks, those of [`FeasibleSet.pareto`][archbudget.FeasibleSet.pareto], it shows these alone.

    Args:
        study: A study with two or three objectives, or candidates.
        budget: The budget of the search, whose bounds are under the title.
        names: What each objective is, for the axes; `value 0`, `value 1`, ... by default. For candidates, the two or
            three metrics.
        name: The name of the space, for the title.

    Raises:
        SpaceError: If the study has another number of objectives, or there are not as many names, or candidates are
            given without two or three metrics of their space.
        MissingPackageError: If plotly is not installed.

    Example:
        >>> import archbudget as ab
        >>> space, budget = ab.spaces.lenet(), ab.Budget(params=60_000)
        >>> directions = ["maximize", "minimize"]
        >>> study = ab.search(space, lambda arch: (arch.macs, arch.params), budget, 5, seed=0, directions=directions)
        >>> figure = ab.plot.pareto(study)
        >>> len(figure.data) > 0
        True
    """
    go = imported("plotly.graph_objects", "a plot")
    from optuna.trial import TrialState

    if isinstance(study, Candidates):
        return _of_candidates(study, budget, names, name)
    number = len(study.directions)
    if number not in (2, 3):
        raise SpaceError(f"a Pareto front is drawn of 2 or 3 objectives; this study has {number}")
    titles = [f"value {place}" for place in range(number)] if names is None else list(names)
    if len(titles) != number:
        raise SpaceError(f"a study with {number} objectives needs {number} names, not {len(titles)}")
    titles = [f"{title} ({each.name.lower()})" for title, each in zip(titles, study.directions, strict=True)]
    front = sorted(study.best_trials, key=lambda trial: trial.values)
    on_it = {trial.number for trial in front}
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    scatter = go.Scatter if number == 2 else go.Scatter3d
    shown = "<br>".join(f"{title} %{{{axis}}}" for title, axis in zip(titles, "xyz", strict=False))

    def points(trials: Sequence[optuna.trial.FrozenTrial], label: str, **options: Any) -> Any:
        return scatter(
            **{axis: [trial.values[place] for trial in trials] for place, axis in enumerate("xyz"[:number])},
            customdata=[trial.number for trial in trials],
            hovertemplate=f"trial %{{customdata}}<br>{shown}<extra></extra>",
            name=label,
            **options,
        )

    figure = go.Figure(
        [
            points(
                [trial for trial in complete if trial.number not in on_it],
                "other trials",
                mode="markers",
                marker={"size": 8 if number == 2 else 4, "color": OUTSIDE},
            ),
            points(
                front,
                "Pareto front",
                mode="lines+markers" if number == 2 else "markers",
                marker={"size": 11 if number == 2 else 6, "color": INSIDE},
                **({"line": {"color": LINE, "width": 1, "shape": _shape(study)}} if number == 2 else {}),
            ),
        ]
    )
    title = f"{len(front)} of {len(complete)} finished trials of study '{study.study_name}' are on the Pareto front"
    figure.update_layout(**layout(title, bounds_text(budget), name=name), **_axes(titles))
    return figure


def _axes(titles: Sequence[str]) -> dict[str, Any]:
    """The titles of two or three axes, as part of a layout."""
    if len(titles) == 2:
        return {f"{axis}axis_title": title for axis, title in zip("xy", titles, strict=True)}
    return {"scene": {f"{axis}axis": {"title": {"text": title}} for axis, title in zip("xyz", titles, strict=True)}}


def _of_candidates(front: Candidates, budget: Budget | None, names: Sequence[str] | None, name: str | None) -> Figure:
    """Networks, with an axis for each of two or three metrics."""
    go = imported("plotly.graph_objects", "a plot")
    metrics = [] if names is None or isinstance(names, str) else list(names)
    if len(metrics) not in (2, 3):
        raise SpaceError(f"a Pareto front of networks is drawn of the 2 or 3 metrics in names, not of {show(names)}")
    counts = evaluate(front.space, front, metrics)
    scatter = go.Scatter if len(metrics) == 2 else go.Scatter3d
    shown = "<br>".join(f"{metric} %{{{axis}:,}}" for metric, axis in zip(metrics, "xyz", strict=False))
    points = scatter(
        **{axis: counts[metric].tolist() for axis, metric in zip("xyz", metrics, strict=False)},
        customdata=list(range(len(front))),
        hovertemplate=f"network %{{customdata}}<br>{shown}<extra></extra>",
        name="Pareto front",
        mode="markers",
        marker={"size": 9 if len(metrics) == 2 else 5, "color": INSIDE},
    )
    figure = go.Figure([points])
    title = f"{len(front):,} networks on the Pareto front of {' and '.join(metrics)}"
    figure.update_layout(**layout(title, bounds_text(budget), name=name), **_axes(metrics))
    return figure


def _shape(study: optuna.Study) -> str:
    """How the front steps from one trial to the next: along values that both trials reach."""
    from optuna.study import StudyDirection

    return "vh" if study.directions[0] == StudyDirection.MAXIMIZE else "hv"
