"""Plots of the costs of a space, of the networks that fit a budget, of a search, and of the diagram of a small space.

Each function returns a `plotly.graph_objects.Figure`; `save` writes one. plotly is loaded when a plot is made, and a
`MissingPackageError` says where it is not installed: `pip install archbudget[plot]`. The functions share no state, so
they are safe to call from several threads. Questions to a space release the GIL; making a figure holds it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from archbudget._atomic import atomic
from archbudget._budget import MOST
from archbudget._extras import imported
from archbudget._guard import guarded
from archbudget._message import listed, show
from archbudget._regular import path_of
from archbudget.errors import ArchbudgetError, LimitError, SpaceError
from archbudget.space.candidates import Candidates
from archbudget.space.distribution import Distribution
from archbudget.space.evaluation import evaluate
from archbudget.space.family import compiled
from archbudget.space.feasible import FeasibleSet
from archbudget.space.space import Space

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import numpy.typing as npt
    import optuna
    from plotly.graph_objects import Figure

    from archbudget._budget import Budget
    from archbudget.space.describe import Stage
    from archbudget.space.feasible import Marginals

BARS = 120
"""The number of bars of a histogram, beside one or two that a budget adds."""
CELLS = 64
"""The most cells in a row of a heat map; neighbouring values share a cell where there are more."""
ALONE = ("html", "json")
"""The formats that plotly writes without another package."""
FORMATS = (*ALONE, "png", "svg", "pdf")

MOST_NODES, MOST_ARCS = 200, 2000
"""The largest diagram that is drawn."""
LABELS = 60
"""The most lines of a diagram that are labelled; otherwise their values are only shown under the pointer."""
LABELS_AT = (0.25, 0.5)
"""The positions along the lines of a node of the first and the last label, which differ so that labels do not meet."""
SHOWN = 12
"""The most choices of a line that are listed under the pointer."""
CURVE = 24
"""The number of pieces of a curved line."""
TALLEST = 1500
"""The most pixels that the nodes of a column take."""

INSIDE, OUTSIDE, LINE = "#2563a8", "#c3c9d1", "#c0392b"
ARC, TEXT = "#8a949f", "#444444"
NEVER, RARE, FREQUENT = "#e6e8eb", (219, 232, 246), (23, 74, 128)
"""A value that never occurs is grey; any other one has a blue between these two."""


def _require(source: object, types: tuple[type, ...], what: str, takes: str) -> None:
    """Refuses a value that cannot be drawn."""
    if not isinstance(source, types):
        raise SpaceError(f"{what} can be drawn of {takes}, not of {show(source)}")


@guarded
def distribution(
    source: Space | Distribution | Candidates, budget: Budget | None = None, *, metric: str | None = None
) -> Figure:
    """A histogram of a metric over the networks of a space, or over candidates.

    It costs as much as `Space.distribution` for a space, and O(N * D) for N candidates.

    Args:
        source: A space, a distribution of it, or candidates.
        budget: A budget; bars within its bounds are highlighted.
        metric: The name of the metric; by default the first one of the budget, or params.

    Raises:
        SpaceError: If the source is something else, or has no candidates, or the metric is unknown.
        LimitError: If the space is too wide to be counted.
        MissingPackageError: If plotly is not installed.
    """
    _require(source, (Space, Distribution, Candidates), "a distribution", "a Space, a Distribution or Candidates")
    go = imported("plotly.graph_objects", "a plot")

    metric = metric or next(iter(budget or ()), "params")
    if not isinstance(source, Distribution):
        metrics = source.metrics if isinstance(source, Space) else source.space.metrics
        if metric not in metrics:
            raise SpaceError(f"unknown metric {show(metric)}; there are {listed(metrics)}")
    title = _title(metric)
    exact, what = True, "networks"
    if isinstance(source, Candidates):
        costs = evaluate(source.space, source, [metric])
        values, numbers = np.unique(costs[metric][costs.valid], return_counts=True)
        counts, what = numbers.tolist(), "candidates"
    else:
        found = source.distribution(metric) if isinstance(source, Space) else source
        values, counts, exact = found.values, found.counts, found.exact
    if len(values) == 0:
        raise SpaceError("there are no networks to show the distribution of")
    total = sum(counts)
    low, high = (0, MOST) if budget is None or metric not in budget else budget[metric]
    bars = _bars(values, counts, low, high)
    figure = go.Figure(
        go.Bar(
            x=[bar.low for bar in bars],
            y=[100 * bar.networks / total for bar in bars],
            width=[bar.high - bar.low for bar in bars],
            offset=0,
            marker={"color": [INSIDE if low <= bar.low <= high else OUTSIDE for bar in bars], "line": {"width": 0}},
            customdata=[
                (f"{bar.low:,}" if bar.high - bar.low == 1 else f"{bar.low:,} to {bar.high - 1:,}", f"{bar.networks:,}")
                for bar in bars
            ],
            hovertemplate=f"{title} %{{customdata[0]}}<br>%{{customdata[1]}} {what}<br>%{{y:.3g}} %<extra></extra>",
        )
    )
    figure.update_layout(
        **_layout(f"{title} of {_short(total)} {what}{'' if exact else ', rounded'}"),
        xaxis_title=title,
        yaxis_title=f"% of the {what}",
        bargap=0,
    )
    figure.update_xaxes(type="log" if _is_wide(values) else "linear", exponentformat="SI")
    if (low, high) != (0, MOST):
        inside = sum(bar.networks for bar in bars if low <= bar.low <= high)
        _mark(figure, low, high, f"{_range(low, high)}: {_percent(inside / total)}")
    return figure


@guarded
def marginals(source: FeasibleSet | Marginals) -> Figure:
    """A heat map of how often each value of each decision occurs among the networks that fit a budget.

    A row is a decision, its cells are its values in their order. A cell is the darker, the more frequent its value is,
    compared with the most frequent value of the decision; a value that never occurs is grey. It costs as much as
    `FeasibleSet.marginals`.

    Args:
        source: A feasible set, or the marginals of one.

    Raises:
        SpaceError: If the source is something else.
        InfeasibleBudgetError: If nothing fits.
        MissingPackageError: If plotly is not installed.
    """
    _require(source, (FeasibleSet, Mapping), "marginals", "a FeasibleSet or its Marginals")
    go = imported("plotly.graph_objects", "a plot")

    shares: Mapping[str, Mapping[Any, float]]
    if isinstance(source, FeasibleSet):
        shares, what = source.marginals(), source.budget.describe()
    else:
        shares, what = source, "the budget"
    cells = [cell for name, row in shares.items() for cell in _cells(name, row)]
    figure = go.Figure(
        go.Bar(
            orientation="h",
            y=[cell.decision for cell in cells],
            base=[cell.start for cell in cells],
            x=[cell.width for cell in cells],
            width=0.9,
            marker={"color": [_shade(cell.relative) for cell in cells], "line": {"width": 1.5, "color": "white"}},
            text=[cell.label for cell in cells],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            customdata=[_percent(cell.share) for cell in cells],
            hovertemplate="%{y} = %{text}<br>%{customdata} of the networks<extra></extra>",
        )
    )
    subtitle = "the darker, the more networks have it; grey: none has it"
    if not getattr(shares, "exact", True):
        subtitle += "; rounded"
    figure.update_layout(
        **_layout(f"values in the networks that fit {what}", subtitle),
        height=150 + 36 * max(len(shares), 3),
        barmode="overlay",
        uniformtext={"minsize": 9, "mode": "hide"},
        plot_bgcolor="white",
    )
    figure.update_xaxes(range=[0, 1], showgrid=False, showticklabels=False, zeroline=False)
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category", automargin=True, ticksuffix="  ")
    return figure


@guarded
def history(study: optuna.Study, budget: Budget) -> Figure:
    """The completed trials of a search: the value of the objective over the first metric of the budget. O(trials).

    Args:
        study: A study of `archbudget.search`, which stores the costs of each trial as user attributes.
        budget: The budget of the search.

    Raises:
        SpaceError: If the study has several objectives, or its trials do not have their costs.
        MissingPackageError: If plotly is not installed.
    """
    go = imported("plotly.graph_objects", "a plot")
    from optuna.study import StudyDirection
    from optuna.trial import TrialState

    if len(study.directions) != 1:
        raise SpaceError("the history of a search shows one objective; this study has several")
    metric = next(iter(budget))
    trials = [
        trial for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) if trial.value is not None
    ]
    silent = next((trial.number for trial in trials if metric not in trial.user_attrs), None)
    if silent is not None:
        raise SpaceError(
            f"trial {silent} has no user attribute {show(metric)}; archbudget.search keeps the costs of each trial "
            "there"
        )
    sign = 1 if study.direction == StudyDirection.MAXIMIZE else -1
    best = max(trials, key=lambda trial: (sign * (trial.value or 0.0), -trial.number), default=None)
    shown: dict[str, Any] = {
        "mode": "markers",
        "hovertemplate": f"trial %{{customdata}}<br>{_title(metric)} %{{x:,}}<br>value %{{y}}<extra></extra>",
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
        **_layout(f"{len(trials)} finished trials of study '{study.study_name}'"),
        xaxis_title=_title(metric),
        yaxis_title="value",
        legend={"x": 0, "y": 1.0, "yanchor": "bottom", "orientation": "h"},
    )
    figure.update_xaxes(exponentformat="SI")
    _mark(figure, *budget[metric], f"budget: {_range(*budget[metric])}")
    return figure


@guarded
def diagram(space: Space) -> Figure:
    """The decision diagram of a small space: a column for each stage, a point for each node, a line for each choice.

    Choices that lead from one node to the same next one share a line; their costs are shown under the pointer. A path
    from left to right is a network. Choices that cannot be built are dotted and end in a cross. O(arcs).

    Args:
        space: A space whose diagram has at most 200 nodes and 2,000 arcs.

    Raises:
        LimitError: If the diagram is larger.
        SpaceError: If it is not a space.
        MissingPackageError: If plotly is not installed.
    """
    _require(space, (Space,), "a diagram", "a Space")
    go = imported("plotly.graph_objects", "a plot")

    described = space.describe()
    if described.nodes > MOST_NODES or described.arcs > MOST_ARCS:
        raise LimitError(
            f"the diagram has {described.nodes:,} nodes and {described.arcs:,} arcs, and a picture shows at most "
            f"{MOST_NODES:,} and {MOST_ARCS:,}: space.describe() lists its stages"
        )
    drawing = _Drawing(space, described.stages)
    figure = go.Figure()
    for is_dead in (False, True):
        lines = [line for line in drawing.lines if line.is_dead == is_dead]
        color = LINE if is_dead else ARC
        figure.add_trace(
            go.Scatter(
                x=[x for line in lines for x in (*(x for x, _ in line.points), None)],
                y=[y for line in lines for y in (*(y for _, y in line.points), None)],
                mode="lines",
                line={"color": color, "width": 1.2, "dash": "dot" if is_dead else "solid"},
                hoverinfo="skip",
            )
        )
        figure.add_trace(
            go.Scatter(
                x=[line.label_at[0] for line in lines],
                y=[line.label_at[1] for line in lines],
                mode="markers+text" if len(drawing.lines) <= LABELS else "markers",
                text=[f" {line.label} " for line in lines],
                textposition="middle right" if is_dead else "top center",
                textfont={"size": 11, "color": LINE if is_dead else TEXT},
                marker={
                    "symbol": "x-thin" if is_dead else "circle",
                    "size": 7 if is_dead else 3,
                    "color": color,
                    "line": {"width": 1.5 if is_dead else 0, "color": color},
                },
                customdata=[line.hover for line in lines],
                hovertemplate="%{customdata}<extra></extra>",
            )
        )
    figure.add_trace(
        go.Scatter(
            x=[x for x, _ in drawing.positions],
            y=[y for _, y in drawing.positions],
            mode="markers",
            marker={
                "size": 14,
                "color": [INSIDE if count else NEVER for count in drawing.networks],
                "line": {"width": 1.5, "color": "white"},
            },
            customdata=drawing.hovers,
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    size = f"{_short(space.size)} network{'' if space.size == 1 else 's'}"
    has_dead = any(line.is_dead for line in drawing.lines)
    figure.update_layout(
        **_layout(
            f"{size}, each a path from left to right",
            f"{described.totals.rpartition(', ')[0]}{'; dotted: what cannot be built' if has_dead else ''}",
        ),
        height=260 + min(42 * drawing.tallest, TALLEST),
        showlegend=False,
        plot_bgcolor="white",
        hoverlabel={"align": "left"},
    )
    titles = [*(stage.decision for stage in described.stages), "complete"]
    figure.update_xaxes(
        tickvals=list(range(len(titles))),
        ticktext=titles,
        range=[-0.4, len(titles) - 0.6],
        showgrid=False,
        zeroline=False,
        side="bottom",
    )
    figure.update_yaxes(visible=False)
    return figure


@guarded
def save(figure: Figure, file: str | os.PathLike[str]) -> None:
    """Writes a figure, whole or not at all, in the format that the name of the file gives.

    `.html` can be viewed without an internet connection; `.json` is plotly's own format; `.png`, `.svg` and `.pdf` need
    kaleido and a Chrome browser, and take seconds.

    Args:
        figure: The figure.
        file: The file; its name ends in `.html`, `.json`, `.png`, `.svg` or `.pdf`.

    Raises:
        ArchbudgetError: If the name has another ending, or kaleido or the browser is missing.
        FileError: If the file cannot be written.
    """
    target = path_of(file)
    form = kind_of(target)
    with atomic(target) as part:
        if form == "html":
            part.write_text(figure.to_html(include_plotlyjs=True), encoding="utf-8")
        elif form == "json":
            part.write_text(figure.to_json(), encoding="utf-8")
        else:
            try:
                image = figure.to_image(format=form, scale=2)
            except Exception as error:  # It raises various types when something is missing.
                reason = str(error).strip().partition("\n")[0]
                raise ArchbudgetError(
                    f"{target}: a .{form} needs kaleido (pip install kaleido) and a Chrome browser, a .html needs "
                    f"neither: {type(error).__name__}: {reason}"
                ) from error
            part.write_bytes(image)


@guarded
def kind_of(file: str | os.PathLike[str]) -> str:
    """The format of a plot, from the name of its file.

    Raises:
        ArchbudgetError: If it is not one of `FORMATS`.
    """
    ending = Path(file).suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        endings = ", ".join(f".{each}" for each in FORMATS)
        raise ArchbudgetError(f"{Path(file)}: the name of a plot must end in one of {endings}")
    return ending


class _Line(NamedTuple):
    """The choices of a node that lead to the same next node, or that cannot be built."""

    points: list[tuple[float, float]]
    label: str
    label_at: tuple[float, float]
    hover: str
    is_dead: bool


class _Drawing:
    """The positions of the nodes and arcs of a diagram. The last node is the complete network."""

    def __init__(self, space: Space, stages: Sequence[Stage]) -> None:
        arcs = compiled(space).diagram.arcs(MOST_ARCS)
        columns = [column for column, stage in enumerate(stages) for _ in range(stage.nodes)] + [len(stages)]
        self.tallest = max((stage.nodes for stage in stages), default=1)
        self.networks = [0] * (len(columns) - 1) + [1]
        """The number of completions of each node."""
        for start, end, _, _ in reversed(arcs):
            self.networks[start] += 0 if end is None else self.networks[end]
        before: list[list[int]] = [[] for _ in columns]
        for start, end, _, _ in arcs:
            if end is not None:
                before[end].append(start)
        heights: list[float] = []
        first = 0
        for size in [*(stage.nodes for stage in stages), 1]:
            # Each node is placed near those that lead to it.
            nodes = range(first, first + size)
            wanted = {node: sum(heights[each] for each in before[node]) / max(len(before[node]), 1) for node in nodes}
            order = {node: rank for rank, node in enumerate(sorted(nodes, key=lambda node: (-wanted[node], node)))}
            heights += [(size - 1) / 2 - order[node] for node in nodes]
            first += size
        self.positions = [(float(column), height) for column, height in zip(columns, heights, strict=True)]
        decisions = [space.decisions[stage.decision] for stage in stages]
        self.hovers = [
            f"node {node}: {stages[columns[node]].decision}<br>{self.networks[node]:,} ways on"
            for node in range(len(columns) - 1)
        ] + ["the network is complete"]
        joined: dict[tuple[int, int | None], list[tuple[int, list[int]]]] = {}
        for start, end, value, cost in arcs:
            joined.setdefault((start, end), []).append((value, cost))
        self.lines = []
        alive = [sum(end is not None for begin, end in joined if begin == start) for start in range(len(columns))]
        drawn = [0] * len(columns)
        for (start, end), choices in joined.items():
            share = drawn[start] / max(alive[start] - 1, 1)
            drawn[start] += end is not None
            points = self._points(start, end)
            decision, name = decisions[columns[start]], stages[columns[start]].decision
            rows = [
                f"{name} = {decision.values[value]}: {'cannot be built' if end is None else _costs(space, cost)}"
                for value, cost in choices[:SHOWN]
            ]
            more = [f"... and {len(choices) - SHOWN:,} more"] if len(choices) > SHOWN else []
            self.lines.append(
                _Line(
                    points,
                    label=_values([value for value, _ in choices], decision.values),
                    label_at=points[-1] if end is None else _along(points, share),
                    hover="<br>".join([*rows, *more]),
                    is_dead=end is None,
                )
            )

    def _points(self, start: int, end: int | None) -> list[tuple[float, float]]:
        x, y = self.positions[start]
        if end is None:
            return [(x, y), (x + 0.25, y - 0.4)]
        to_x, to_y = self.positions[end]
        if to_x - x <= 1:
            return [(x, y), (to_x, to_y)]
        # It passes other columns, so it is curved to avoid their nodes.
        bend = 0.5 + 0.5 * self.tallest * (to_x - x - 1) / (to_x - x)
        steps = [step / CURVE for step in range(CURVE + 1)]
        return [(x + t * (to_x - x), y + t * (to_y - y) + 4 * t * (1 - t) * bend) for t in steps]


def _along(points: Sequence[tuple[float, float]], share: float) -> tuple[float, float]:
    """The position of the label of a line, by the share of the lines of its node that come before it."""
    low, high = LABELS_AT
    part = low + share * (high - low)
    if len(points) > 2:
        return points[round(part * (len(points) - 1))]
    (x, y), (to_x, to_y) = points
    return x + part * (to_x - x), y + part * (to_y - y)


def _values(indices: Sequence[int], values: Sequence[Any]) -> str:
    """Values by their ascending indices, as a short text."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    texts = [
        f"{values[run[0]]}..{values[run[-1]]}" if len(run) > 3 else ", ".join(str(values[index]) for index in run)
        for run in runs
    ]
    return ", ".join(texts if len(texts) <= 4 else [*texts[:3], "..."])


def _costs(space: Space, cost: Sequence[int]) -> str:
    return ", ".join(f"{_title(metric)} {each:,}" for metric, each in zip(space.metrics, cost, strict=True))


class _Bar(NamedTuple):
    """The number of networks in an interval of costs."""

    low: int
    high: int
    """The first cost after the interval."""
    networks: int


def _bars(values: npt.NDArray[np.int64], counts: Sequence[int], low: int, high: int) -> list[_Bar]:
    """The bars of a histogram that are not empty; each is completely inside or outside the bounds."""
    first, end = int(values[0]), int(values[-1]) + 1
    scale = math.log if _is_wide(values) else float
    edges = {end}
    parts = [first, *(bound for bound in (low, high + 1) if first < bound < end), end]
    for start, stop in pairwise(parts):
        number = max(1, round(BARS * (scale(stop) - scale(start)) / (scale(end) - scale(first))))
        for step in range(number):
            ahead = (
                start * (stop / start) ** (step / number) - start
                if scale is math.log
                else (stop - start) * step // number
            )
            edges.add(min(start + round(ahead), stop - 1))
    ordered = sorted(edges)
    starts = np.searchsorted(values, np.array(ordered[:-1], dtype=np.int64)).tolist()
    exact = np.array(counts, dtype=object)  # They may have any number of digits.
    return [
        _Bar(left, right, int(exact[begin:stop].sum()))
        for (left, right), (begin, stop) in zip(pairwise(ordered), pairwise([*starts, len(values)]), strict=True)
        if stop > begin
    ]


def _is_wide(values: npt.NDArray[np.int64]) -> bool:
    """Whether a logarithmic axis shows costs better."""
    return bool(values[0] > 0 and values[-1] // values[0] >= 50)


class _Cell(NamedTuple):
    """A value of a decision, or neighbouring values, in a row that is 1 wide."""

    decision: str
    label: str
    start: float
    width: float
    share: float
    relative: float
    """The share, where that of the most frequent cell of the row is 1."""


def _cells(decision: str, row: Mapping[Any, float]) -> list[_Cell]:
    values, shares = list(row), list(row.values())
    step = -(-len(values) // CELLS)
    starts = range(0, len(values), step)
    sums = [sum(shares[start : start + step]) for start in starts]
    cells = []
    for number, (start, share) in enumerate(zip(starts, sums, strict=True)):
        part = values[start : start + step]
        label = str(part[0]) if len(part) == 1 else f"{part[0]}..{part[-1]}"
        relative = share / max(sums) if share else 0.0
        cells.append(_Cell(decision, label, number / len(sums), 1 / len(sums), share, relative))
    return cells


def _shade(relative: float) -> str:
    if not relative:
        return NEVER
    mixed = (round(rare + (frequent - rare) * relative) for rare, frequent in zip(RARE, FREQUENT, strict=True))
    return f"rgb({', '.join(map(str, mixed))})"


def _mark(figure: Figure, low: int, high: int, text: str) -> None:
    """Draws the bounds of a budget."""
    ends = [end for end, left_open in ((low, 0), (high, MOST)) if end != left_open]
    for end in ends:
        figure.add_vline(x=end, line={"color": LINE, "width": 1.5, "dash": "dash"})
    x = math.log10(ends[-1]) if figure.layout.xaxis.type == "log" else ends[-1]
    figure.add_annotation(x=x, y=1, yref="paper", yanchor="bottom", text=text, showarrow=False, font={"color": LINE})


def _layout(title: str, subtitle: str = "") -> dict[str, Any]:
    return {
        "title": {"text": title, "subtitle": {"text": subtitle}, "x": 0.02, "xanchor": "left"},
        "template": "plotly_white",
        "font": {"family": "Helvetica, Arial, sans-serif", "size": 14},
        "margin": {"t": 100},
    }


def _title(metric: str) -> str:
    return {"macs": "MACs"}.get(metric, metric.replace("_", " "))


def _range(low: int, high: int) -> str:
    if low == 0:
        return f"<= {high:,}"
    return f">= {low:,}" if high == MOST else f"{low:,} to {high:,}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _short(number: int) -> str:
    return f"{number:,}" if number < 10**12 else f"{number:.3g}"
