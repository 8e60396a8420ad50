"""The trials of a study, over a metric of the budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archbudget._budget import title_of
from archbudget._extras import imported
from archbudget._guard import guarded
from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.plot._style import LINE, bounds_text, layout, mark, range_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import optuna
    from plotly.graph_objects import Figure

    from archbudget._budget import Budget


@guarded
def history(study: optuna.Study, budget: Budget, *, name: str | None = None) -> Figure:
    """The completed trials of a search: the value of the objective over the first metric of the budget. O(trials).

    Args:
        study: A study whose trials took their networks by `Space.suggest`, as those of `archbudget.search` do, which
            keeps the costs of each network as user attributes of its trial.
        budget: The budget of the search.
        name: The name of the space, for the title.

    Raises:
        SpaceError: If the study has several objectives, which [`pareto`][archbudget.plot.pareto] shows, or its trials
            do not have their costs.
        MissingPackageError: If plotly is not installed.

    Example:
        >>> import archbudget as ab
        >>> space, budget = ab.spaces.lenet(), ab.Budget(params=60_000)
        >>> study = ab.search(space, lambda arch: arch.macs, budget, n_trials=5, seed=0)
        >>> figure = ab.plot.history(study, budget)
        >>> len(figure.data) > 0
        True
    """
    go = imported("plotly.graph_objects", "a plot")
    from optuna.study import StudyDirection
    from optuna.trial import TrialState

    if len(study.directions) != 1:
        raise SpaceError("the history of a search shows one objective; this study has several: take plot.pareto")
    metric = next(iter(budget))
    trials = [
        trial for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) if trial.value is not None
    ]
    silent = next((trial.number for trial in trials if metric not in trial.user_attrs), None)
    if silent is not None:
        raise SpaceError(
            f"trial {silent} has no user attribute {show(metric)}; Space.suggest keeps the costs of each network there"
        )
    sign = 1 if study.direction == StudyDirection.MAXIMIZE else -1
    best = max(trials, key=lambda trial: (sign * (trial.value or 0.0), -trial.number), default=None)
    shown: dict[str, Any] = {
        "mode": "markers",
        "hovertemplate": f"trial %{{customdata}}<br>{title_of(metric)} %{{x:,}}<br>value %{{y}}<extra></extra>",
    }

    def points(some: Sequence[optuna.trial.FrozenTrial]) -> dict[str, Any]:
        return {
            "x": [trial.user_attrs[metric] for trial in some],
            "y": [trial.value for trial in some],
            "customdata": [trial.number for trial in some],
        }

    figure = go.Figure(
        go.Scatter(
            **points(trials),
            **shown,
            name="trial",
            showlegend=False,
            marker={
                "size": 9,
                "color": [trial.number for trial in trials],
                "colorscale": [(0, "#c9dcf0"), (1, "#174a80")],
                "colorbar": {"title": {"text": "trial", "side": "right"}, "thickness": 12},
                "line": {"width": 0.5, "color": "white"},
            },
        )
    )
    if best is not None:
        figure.add_trace(
            go.Scatter(
                **points([best]),
                **shown,
                name=f"best: trial {best.number}",
                showlegend=True,
                marker={"size": 17, "symbol": "circle-open", "color": LINE, "line": {"width": 2.5}},
            )
        )
    figure.update_layout(
        **layout(f"{len(trials)} finished trials of study '{study.study_name}'", bounds_text(budget), name=name),
        xaxis_title=title_of(metric),
        yaxis_title="value",
        legend={"x": 0, "y": 1.0, "yanchor": "bottom", "orientation": "h"},
    )
    figure.update_xaxes(exponentformat="SI")
    costs = [trial.user_attrs[metric] for trial in trials]
    mark(figure, metric, budget[metric], f"budget: {range_text(metric, *budget[metric])}", costs)
    return figure
