"""Plots: that they show the numbers that they are of. How they look was looked at."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

import archbudget as ab
from archbudget import layers, plot
from archbudget.errors import ArchbudgetError, LimitError, SpaceError
from archbudget.plot import _diagram, _distribution, _marginals, _style

MOST = 2**63 - 1

costs = st.one_of(st.integers(0, 300), st.integers(0, 10**6), st.integers(0, MOST))


def small() -> ab.Space:
    """Two decisions, one of which is read by some networks only."""
    return ab.Space(
        [
            layers.Input((4,)),
            layers.OneOf("op", {"dense": layers.Dense(ab.Int("units", 1, 5)), "none": []}),
            layers.Dense(ab.Choice("last", [1, 2, 10])),
        ]
    )


def test_plotly_is_loaded_with_the_first_plot_only() -> None:
    code = "import sys, archbudget as ab; ab.plot; assert 'plotly' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# Distributions


@given(numbers=st.dictionaries(costs, st.integers(1, 10**40), min_size=1, max_size=40), ends=st.tuples(costs, costs))
def test_bars_share_out_all_networks_and_lie_inside_or_outside(numbers: dict[int, int], ends: tuple[int, int]) -> None:
    values, (low, high) = np.array(sorted(numbers), dtype=np.int64), sorted(ends)
    bars = _distribution._bars(values, [numbers[value] for value in sorted(numbers)], low, high)
    assert sum(bar.networks for bar in bars) == sum(numbers.values())
    assert len(bars) <= _distribution.BARS + 3
    assert all(bar.low < bar.high for bar in bars)
    assert all(left.high <= right.low for left, right in pairwise(bars))
    for bar in bars:
        assert bar.networks == sum(count for value, count in numbers.items() if bar.low <= value < bar.high)
        assert (low <= bar.low <= high) == (low <= bar.high - 1 <= high)


def test_millions_of_values_are_a_few_bars() -> None:
    values = np.arange(1, 2_000_001)
    bars = _distribution._bars(values, [1] * len(values), 0, 1_000_000)
    assert len(bars) <= _distribution.BARS + 3
    assert sum(bar.networks for bar in bars) == 2_000_000
    assert sum(bar.networks for bar in bars if bar.low <= 1_000_000) == 1_000_000


def test_a_distribution_of_candidates_shows_them(lenet: ab.Space) -> None:
    drawn = lenet.sample(3000, seed=0)
    budget = ab.Budget(macs=5_000_000)
    figure = plot.distribution(drawn, budget)
    (bars,) = figure.data
    inside = [color == _style.INSIDE for color in bars.marker.color]
    counts = [int(count.replace(",", "")) for _, count in bars.customdata]
    expected = lenet.evaluate(drawn)["macs"]
    assert sum(counts) == 3000
    assert sum(count for count, is_in in zip(counts, inside, strict=True) if is_in) == (expected <= 5_000_000).sum()
    assert sum(bars.y) == pytest.approx(100)
    assert figure.layout.title.text == "MACs of 3,000 candidates"
    assert figure.layout.xaxis.type == "log"
    (line,) = figure.layout.shapes
    assert line.x0 == line.x1 == 5_000_000
    assert figure.layout.annotations[0].text == f"<= 5,000,000: {100 * (expected <= 5_000_000).mean():.3g} %"
    assert figure.layout.annotations[0].x == pytest.approx(np.log10(5_000_000))


def test_a_distribution_of_a_space_shows_every_network() -> None:
    space = small()
    budget = ab.Budget(params=(20, 60), macs=100)
    for source in (space, space.distribution("params")):
        (bars,) = plot.distribution(source, budget).data
        counts = [int(count.replace(",", "")) for _, count in bars.customdata]
        assert sum(counts) == space.size
        inside = sum(n for n, color in zip(counts, bars.marker.color, strict=True) if color == _style.INSIDE)
        assert inside == space.within(ab.Budget(params=(20, 60))).count()
    assert [shape.x0 for shape in plot.distribution(space, budget).layout.shapes] == [20, 60]


def test_the_metric_is_the_first_of_the_budget_or_params() -> None:
    drawn = small().sample(10, seed=0)
    for arguments, title in [
        ({}, "params"),
        ({"budget": ab.Budget(macs=9)}, "MACs"),
        ({"budget": ab.Budget(macs=9), "metric": "weight_bytes"}, "weight bytes"),
    ]:
        figure = plot.distribution(drawn, **arguments)
        assert figure.layout.xaxis.title.text == title
        assert len(figure.layout.shapes) == (title == "MACs")
    with pytest.raises(SpaceError, match="unknown metric 'flops'"):
        plot.distribution(drawn, metric="flops")
    with pytest.raises(SpaceError, match="no networks"):
        plot.distribution(drawn[:0])


# Marginals


def cells(figure: Any) -> dict[str, list[tuple[str, str, str]]]:
    """For each row of a heat map the values, what is said of them, and their colors."""
    (bars,) = figure.data
    rows: dict[str, list[tuple[str, str, str]]] = {}
    for name, label, share, color in zip(bars.y, bars.text, bars.customdata, bars.marker.color, strict=True):
        rows.setdefault(name, []).append((label, share, color))
    return rows


def test_marginals_are_plotted_unchanged() -> None:
    rows = cells(plot.marginals({"op": {"a": 0.75, "b": 0.25, "c": 0.0}, "last": {1: 0.5}}))
    assert [(label, share) for label, share, _ in rows["op"]] == [("a", "75 %"), ("b", "25 %"), ("c", "0 %")]
    assert rows["op"][2][2] == _style.NEVER
    assert rows["op"][0][2] == rows["last"][0][2] == f"rgb{_style.FREQUENT}"
    assert len({color for _, _, color in rows["op"]}) == 3


def test_the_rows_of_a_heat_map_are_equally_wide_and_never_too_fine() -> None:
    shares = dict.fromkeys(range(1000), 1 / 1000)
    (bars,) = plot.marginals({"wide": shares, "narrow": {1: 0.5, 2: 0.5}}).data
    for name in ("wide", "narrow"):
        ends = [(base, base + x) for base, x, y in zip(bars.base, bars.x, bars.y, strict=True) if y == name]
        assert ends[0][0] == 0
        assert ends[-1][1] == pytest.approx(1)
        assert len(ends) <= _marginals.CELLS
    assert bars.text[0] == "0..15"
    assert bars.customdata[0] == "1.6 %"


def test_the_marginals_of_a_feasible_set_have_a_row_for_each_decision() -> None:
    space = small()
    rows = cells(plot.marginals(space.within(ab.Budget(params=5))))
    assert list(rows) == list(space.decisions)
    assert [share for _, share, _ in rows["op"]] == ["0 %", "100 %"]
    assert {color for _, _, color in rows["units"]} == {_style.NEVER}
    assert [label for label, _, color in rows["last"] if color != _style.NEVER] == ["1"]


# The history of a search


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_the_history_has_every_finished_trial_and_the_best(direction: Any) -> None:
    space, budget = small(), ab.Budget(params=60)

    def objective(arch: ab.Architecture, trial: optuna.Trial) -> float:
        if trial.number == 3:
            raise optuna.TrialPruned
        return arch.macs + trial.number / 100

    study = ab.search(space, objective, budget, 12, seed=0, direction=direction)
    figure = plot.history(study, budget)
    trials = [trial for trial in study.trials if trial.value is not None]
    points, best = figure.data
    assert list(points.customdata) == [trial.number for trial in trials]
    assert list(points.x) == [space.architecture(trial.params).params for trial in trials]
    assert list(points.y) == [trial.value for trial in trials]
    assert list(best.customdata) == [study.best_trial.number]
    assert [shape.x0 for shape in figure.layout.shapes] == [60]


def test_a_history_without_trials_shows_the_budget() -> None:
    figure = plot.history(optuna.create_study(), ab.Budget(params=(10, 60)))
    assert [shape.x0 for shape in figure.layout.shapes] == [10, 60]


def test_a_study_that_says_too_little_is_refused() -> None:
    study = optuna.create_study()
    study.tell(study.ask(), 1.0)
    with pytest.raises(SpaceError, match="trial 0 has no user attribute 'params'"):
        plot.history(study, ab.Budget(params=60))
    with pytest.raises(SpaceError, match="several"):
        plot.history(optuna.create_study(directions=["minimize"] * 2), ab.Budget(params=60))


# The diagram


def constrained() -> ab.Space:
    """A branch, a constraint that makes dead arcs, and choices that lead to the same node."""
    one, two = ab.Int("one", 1, 3), ab.Int("two", 1, 3)
    return ab.Space(
        [
            layers.Input((4,)),
            layers.OneOf("op", {"dense": [layers.Dense(one), layers.Dense(two)], "none": []}),
            layers.Dense(ab.Int("last", 1, 9)),
            layers.Activation(ab.Choice("act", ["relu", "tanh"])),
        ],
        constraints=[one <= two],
    )


def test_a_diagram_has_a_point_for_each_node_and_a_column_for_each_stage() -> None:
    space = constrained()
    described = space.describe()
    figure = plot.diagram(space)
    *_, nodes = figure.data
    assert len(nodes.x) == described.nodes + 1
    assert list(figure.layout.xaxis.ticktext) == [*(stage.decision for stage in described.stages), "complete"]
    for column, stage in enumerate(described.stages):
        assert sum(x == column for x in nodes.x) == stage.nodes
    assert len(set(zip(nodes.x, nodes.y, strict=True))) == len(nodes.x)
    assert nodes.customdata[0] == f"node 0: op<br>{space.size} ways on"
    assert nodes.customdata[-1] == "the network is complete"
    assert figure.layout.title.text == f"{space.size} networks, each a path from left to right"
    assert "dotted: what cannot be built" in figure.layout.title.subtitle.text


def test_a_diagram_has_a_line_for_each_choice_with_its_costs() -> None:
    space = constrained()
    alive, labels, dead, crosses, _ = plot.diagram(space).data
    assert (alive.line.dash, dead.line.dash) == ("solid", "dot")
    assert alive.x.count(None) == len(labels.x)
    assert dead.x.count(None) == len(crosses.x)
    rows = [row for hover in (*labels.customdata, *crosses.customdata) for row in hover.split("<br>")]
    assert len(rows) == space.describe().arcs
    assert [row for row in rows if row.startswith("op = ")] == [
        "op = dense: params 0, trainable params 0, MACs 0, weight bytes 0, peak activation bytes 0",
        "op = none: params 0, trainable params 0, MACs 0, weight bytes 0, peak activation bytes 0",
    ]
    # The weights of a layer of one to three units on four inputs.
    assert [row.split(",")[0] for row in rows if row.startswith("one = ")] == [
        "one = 1: params 5",
        "one = 2: params 10",
        "one = 3: params 15",
    ]
    assert sorted(row for row in rows if row.endswith("cannot be built")) == [
        "two = 1: cannot be built",
        "two = 1: cannot be built",
        "two = 2: cannot be built",
    ]
    assert " relu, tanh " in labels.text
    assert sorted(crosses.text) == [" 1 ", " 1, 2 "]


def test_the_values_of_a_line_are_short() -> None:
    values = [*range(10), "a", "b"]
    assert _diagram._values([0, 1, 2], values) == "0, 1, 2"
    assert _diagram._values([0, 1, 2, 3, 5, 11], values) == "0..3, 5, b"
    assert _diagram._values(range(0, 12, 2), values) == "0, 2, 4, ..."


def test_a_line_over_other_columns_is_bent() -> None:
    space = ab.Space([layers.Input((4,)), layers.Repeat(ab.Int("depth", 0, 2), layers.Dense(ab.Int("units", 1, 40)))])
    alive, labels, dead, _, nodes = plot.diagram(space).data
    assert alive.x.count(None) == len(labels.x) == 3 + 1 + 40 + 40
    assert len(alive.x) > 3 * alive.x.count(None)
    assert len(dead.x) == 0
    assert labels.mode == "markers"
    assert len(nodes.x) == space.describe().nodes + 1


def test_the_diagram_of_a_space_without_decisions_is_one_point() -> None:
    figure = plot.diagram(ab.Space([layers.Input((4,)), layers.Dense(3)]))
    assert list(figure.data[-1].customdata) == ["the network is complete"]
    assert figure.layout.title.text == "1 network, each a path from left to right"


def test_a_diagram_that_is_too_large_is_refused(lenet: ab.Space) -> None:
    with pytest.raises(LimitError, match=r"254 nodes and 4,355 arcs.*at most 200 and 2,000: space\.describe\(\)"):
        plot.diagram(lenet)
    with pytest.raises(LimitError, match="more than 7"):
        constrained()._compiled.diagram.arcs(7)


# Files


def test_a_figure_is_saved_as_a_self_contained_page(tmp_path: Path) -> None:
    figure = plot.marginals({"a": {1: 1.0}})
    plot.save(figure, tmp_path / "a.HTML")
    text = (tmp_path / "a.HTML").read_text()
    assert "the darker, the more networks have it" in text.rpartition("Plotly.newPlot")[2]
    assert '<script src="' not in text
    plot.save(figure, str(tmp_path / "a.json"))
    assert json.loads((tmp_path / "a.json").read_text())["data"][0]["y"] == ["a"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.HTML", "a.json"]


@pytest.mark.parametrize("draw", [plot.distribution, plot.marginals, plot.diagram])
def test_values_that_cannot_be_drawn_are_refused(draw: Any) -> None:
    with pytest.raises(SpaceError, match="can be drawn of .*, not of 3"):
        draw(3)


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    figure = plot.marginals({"a": {1: 1.0}})
    with pytest.raises(ArchbudgetError, match=r"a\.gif: the name of a plot must end in one of \.html, \.json, \.png"):
        plot.save(figure, tmp_path / "a.gif")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        plot.save(figure, tmp_path / "nowhere/a.html")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(importlib.util.find_spec("kaleido") is not None, reason="kaleido is installed")
@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_picture_without_kaleido_says_what_it_needs(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ArchbudgetError, match=rf"a\.{kind}: a \.{kind} needs kaleido .* and a Chrome") as caught:
        plot.save(plot.marginals({"a": {1: 1.0}}), tmp_path / f"a.{kind}")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


# What every figure says


def search_study(directions: list[Any], number: int = 8) -> optuna.Study:
    study = optuna.create_study(directions=directions, study_name="mine")
    for trial in range(number):
        values = [float((7 * trial + 3 * place) % 11) for place in range(len(directions))]
        study.add_trial(optuna.trial.create_trial(values=values, user_attrs={"params": 20 + trial}))
    return study


def test_figures_carry_the_name_of_the_space_and_all_bounds() -> None:
    space, budget = small(), ab.Budget(params=(20, 60), macs=100)
    fits = space.within(budget)
    study, two = search_study(["maximize"]), search_study(["maximize", "minimize"])
    for figure in (
        plot.distribution(space, budget, name="tiny"),
        plot.distribution(fits.sample(9, seed=0), budget, metric="weight_bytes", name="tiny"),
        plot.history(study, budget, name="tiny"),
        plot.pareto(two, budget, name="tiny"),
        plot.marginals(fits, name="tiny"),
        plot.diagram(space, name="tiny"),
    ):
        title = figure.layout.title
        assert title.text.startswith("tiny: ")
        if figure.layout.xaxis.tickvals is None:  # The diagram is of the whole space.
            assert "params 20 to 60, macs <= 100" in title.text + title.subtitle.text
    with pytest.raises(SpaceError, match="name of what is drawn must be text, not 3"):
        plot.diagram(space, name=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("bounds", [(20, 60), (1, 90), 61, (30, None), (10**6, None), 10**9])
def test_a_bound_is_on_the_axis_or_far_away_and_in_the_text(bounds: Any) -> None:
    budget = ab.Budget(params=bounds)
    low, high = budget["params"]
    for figure in (plot.distribution(small(), budget), plot.history(search_study(["maximize"]), budget)):
        first, last = figure.layout.xaxis.range
        ends = [end for end in (low, high) if end not in (0, MOST)]
        assert [shape.x0 for shape in figure.layout.shapes] == ends
        near = [end for end in ends if end < 10**5]
        assert all(first < end < last for end in near)
        assert last < 10**3
        assert all(f"{end:,}" in figure.layout.annotations[0].text for end in ends)


def test_the_metric_of_a_distribution_is_its_own() -> None:
    made = small().distribution("macs")
    for figure in (plot.distribution(made), plot.distribution(made, ab.Budget(params=60))):
        assert figure.layout.xaxis.title.text == "MACs"
        assert not figure.layout.shapes
    with pytest.raises(SpaceError, match="unknown metric.*'params'.*macs"):
        plot.distribution(made, metric="params")


def test_marginals_have_their_numbers() -> None:
    fits = small().within(ab.Budget(params=60))
    (bars,) = plot.marginals(fits).data
    assert bars.texttemplate == "%{text}<br>%{customdata}"
    expected = [share for row in fits.marginals().values() for share in row.values()]
    assert [float(text.rstrip(" %")) for text in bars.customdata] == pytest.approx(
        [100 * e for e in expected], rel=5e-3
    )


def test_a_pareto_plot_shows_a_front_of_networks() -> None:
    space, budget = ab.spaces.lenet(), ab.Budget(params=60_000, macs=5_000_000)
    front = space.within(budget).pareto("macs", "params", "peak_activation_bytes", largest=["params"], epsilon=0.2)
    for metrics in (["macs", "params"], ["macs", "params", "peak_activation_bytes"]):
        (points,) = plot.pareto(front, budget, names=metrics).data
        counts = space.evaluate(front)
        for axis, metric in zip("xyz", metrics, strict=False):
            assert list(points[axis]) == list(counts[metric])
    with pytest.raises(SpaceError, match="2 or 3 metrics"):
        plot.pareto(front)


@pytest.mark.parametrize("number", [2, 3])
def test_a_pareto_plot_has_the_front_and_the_others(number: int) -> None:
    study = search_study(["maximize", "minimize", "maximize"][:number])
    others, front = plot.pareto(study, names=["accuracy", "size", "speed"][:number]).data
    best = {trial.number for trial in study.best_trials}
    assert set(front.customdata) == best
    assert set(others.customdata) == {trial.number for trial in study.trials} - best
    for drawn in (others, front):
        for place, axis in enumerate("xyz"[:number]):
            assert list(getattr(drawn, axis)) == [study.trials[trial].values[place] for trial in drawn.customdata]
    assert "accuracy (maximize)" in front.hovertemplate


def test_a_front_of_one_objective_or_with_other_names_is_refused() -> None:
    with pytest.raises(SpaceError, match="of 2 or 3 objectives; this study has 1"):
        plot.pareto(search_study(["maximize"]))
    with pytest.raises(SpaceError, match="2 objectives needs 2 names, not 1"):
        plot.pareto(search_study(["maximize"] * 2), names=["accuracy"])


# Budgets


def test_a_heat_map_has_the_share_of_each_budget_and_marks_one(lenet: ab.Space) -> None:
    bounds: dict[str, Any] = {"params": [10, 60_000, 20_000, 60_000], "macs": [5 * 10**6, 10**6]}
    grid = lenet.count_grid(**bounds)
    figure = plot.budgets(grid, ab.Budget(params=30_000, macs=10**6), name="lenet")
    (cells,) = figure.data
    assert (cells.x, cells.y) == (("10", "20,000", "60,000"), ("1,000,000", "5,000,000"))
    for row, macs in enumerate([1, 0]):
        for column, params in enumerate([0, 2, 1]):
            count = grid[params, macs]
            assert cells.customdata[row][column][0] == f"{count:,}"
            share = cells.z[row][column]
            assert share is None if count == 0 else 10**share == pytest.approx(count / lenet.size)
    assert [(line.x0, line.y0) for line in figure.layout.shapes] == [(1.5, 0), (0, 0.5)]
    assert figure.layout.title.text == "lenet: networks of 73,728 that fit"
    assert "budget: params <= 30,000, macs <= 1,000,000" in figure.layout.title.subtitle.text


def test_a_heat_map_of_a_space_has_tenths_and_the_bounds_of_the_budget(lenet: ab.Space) -> None:
    (cells,) = plot.budgets(lenet, ab.Budget(params=60_000), metrics=["macs", "params"]).data
    tenths = {
        metric: [lenet.distribution(metric).quantile(tenth / 10) for tenth in range(1, 11)]
        for metric in ("params", "macs")
    }
    assert list(cells.x) == [f"{end:,}" for end in tenths["macs"]]
    assert list(cells.y) == [f"{end:,}" for end in sorted([60_000, *tenths["params"]])]
    assert 10 ** cells.z[-1][-1] == pytest.approx(1)


def test_a_heat_map_says_what_is_rounded() -> None:
    space = ab.Space([layers.Input((4,)), *(layers.Dense(ab.Int(f"units{number}", 1, 60)) for number in range(4))])
    grid = space.count_grid(memory=1 << 18, params=[3000, 4000], macs=[2800])
    figure = plot.budgets(grid)
    assert "rounded" in figure.layout.title.subtitle.text
    assert figure.data[0].customdata[0][0][0] == f"{grid[0, 0]:,}"
    assert "between" in figure.data[0].customdata[0][0][0]


def test_a_grid_that_is_no_heat_map_is_refused(lenet: ab.Space) -> None:
    for wrong, message in (
        (lenet.count_grid(params=[5]), "a heat map has two metrics, and this grid 1"),
        (lenet.count_grid(params=[5], macs=[(5, 6)]), "the macs of this grid have lower ones"),
        (lenet.within(ab.Budget(params=5)), "can be drawn of a Space or a CountGrid"),
    ):
        with pytest.raises(ArchbudgetError, match=message):
            plot.budgets(wrong)  # type: ignore[arg-type]
    for metrics in (["params"], "params", ["params", "params"], ["params", "macs", "macs"]):
        with pytest.raises(SpaceError, match="two different metrics"):
            plot.budgets(lenet, metrics=metrics)
    with pytest.raises(ArchbudgetError, match="did you mean params"):
        plot.budgets(lenet, metrics=["parms", "macs"])
