"""Metrics whose values are fractions, or negative, through every door, against the values one by one."""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archbudget as ab
from archbudget import layers

RESOLUTIONS = [1, 8, 0.1, 1e-6, Fraction(1, 3), 2.5]


class Drawn:
    """A small space with a score and a largest of negative and fractional values, and what each network comes to."""

    def __init__(self, seed: int) -> None:
        draw = random.Random(seed)
        self.resolution = draw.choice(RESOLUTIONS)
        step = Fraction(str(self.resolution))
        self.known: dict[object, Fraction] = {}
        most = draw.choice([3, 1000, 10**7])

        def value(layer: ab.LayerRecord) -> float:
            key = (layer.name, layer.output_shape, layer.params)
            steps = self.known.setdefault(key, Fraction(draw.randint(-most, most)))
            # What is rounded away again.
            return float((steps + Fraction(draw.randint(-40, 40), 100)) * step)

        metrics = [
            ab.Metric("score", value, resolution=self.resolution),
            ab.Metric("worst", lambda layer: -value(layer), combine="max", resolution=self.resolution),
        ]
        parts: list[object] = [layers.Input((6, 6, 2), name="input")]
        for place in range(draw.randint(1, 3)):
            filters = ab.Choice(f"f{place}", sorted(draw.sample(range(1, 9), draw.randint(1, 3))))
            own: object = layers.Conv2D(filters, 3, padding="same", name=f"conv{place}")
            if draw.random() < 0.4:
                own = layers.OneOf(f"op{place}", [own, layers.ReLU(name=f"relu{place}")])
            elif draw.random() < 0.4:
                own = layers.Repeat(ab.Int(f"d{place}", draw.randint(0, 1), 2), own)
            parts.append(own)
        self.space = ab.Space([*parts, layers.GlobalAveragePooling2D(), layers.Dense(2)], metrics=metrics)
        self.rows = self.space.within(ab.Budget(params=10**12)).candidates()
        steps = [
            [self.known[layer.name, layer.output_shape, layer.params] for layer in arch.layers] for arch in self.rows
        ]
        exact = {
            "score": [sum(own) * step for own in steps],
            "worst": [max(-each for each in own) * step for own in steps],
        }
        self.exact = exact
        kind = int if step == 1 else float
        self.shown = {metric: np.array([kind(each) for each in own]) for metric, own in exact.items()}


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_every_door_says_the_values(seed: int) -> None:
    drawn, draw = Drawn(seed), random.Random(seed + 1)
    space, rows = drawn.space, drawn.rows
    counts = space.evaluate(rows, per_layer=True)
    for metric, shown in drawn.shown.items():
        assert np.array_equal(counts[metric], shown)
        assert counts[metric].dtype == shown.dtype
        assert space.range(metric) == (shown.min(), shown.max())
        place = draw.randrange(len(rows))
        arch = rows[place]
        assert arch.costs[metric] == shown[place]
        own = [record.custom[metric] for record in arch.layers]
        total = np.sum(own) if metric == "score" else np.max(own)
        assert total == pytest.approx(shown[place], rel=1e-9, abs=1e-9)
        assert counts.layers is not None
        names = [counts.layers.names.index(layer.name) for layer in arch.layers]
        assert np.array_equal(counts.layers[metric][place, names], own)
        distribution = space.distribution(metric)
        values, numbers = np.unique(shown, return_counts=True)
        assert np.array_equal(distribution.values, values)
        assert distribution.counts == numbers.tolist()
        ordered = np.sort(shown)
        assert distribution.quantile(0.5) == ordered[-(-len(ordered) // 2) - 1]
        assert distribution.cdf(shown[place]) == np.mean(shown <= shown[place])
        assert distribution.cdf(float("inf")) == 1
        # A row that is written into an array of floats.
        if shown.dtype == np.float64:
            out = {metric: np.zeros(len(rows))}
            assert np.array_equal(space.evaluate(rows, out=out)[metric], out[metric])
            assert np.array_equal(out[metric], shown)


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_sets_keep_such_bounds(seed: int) -> None:
    drawn, draw = Drawn(seed), random.Random(seed + 1)
    space, shown = drawn.space, drawn.shown
    params = space.evaluate(drawn.rows)["params"]
    for _ in range(3):
        bounds, keeps = {}, np.ones(len(params), bool)
        for metric in draw.sample(list(shown), draw.randint(1, 2)):
            between = draw.choice([0, 0, drawn.resolution / 3, -drawn.resolution / 3])
            low, high = sorted(draw.choices(shown[metric].tolist(), k=2))
            low, high = (None if draw.random() < 0.5 else low + between), high + between
            bounds[metric] = high if low is None else (low, high)
            keeps &= (shown[metric] <= high) & (True if low is None else shown[metric] >= low)
        budget = ab.Budget(custom=bounds)
        fits = space.within(budget)
        kept = np.flatnonzero(keeps)
        assert fits.count() == len(kept)
        assert np.array_equal(budget.mask(drawn.rows), keeps)
        constraint = space.constraint(budget)
        numbers = constraint(drawn.rows)
        assert np.array_equal((numbers <= 0).all(axis=1), keeps)
        place = draw.randrange(len(params))
        assert np.array_equal(constraint(drawn.rows[place]), numbers[place])
        if not len(kept):
            continue
        assert np.array_equal(fits.candidates().indices, drawn.rows.indices[kept])
        metric, k = draw.choice(list(shown)), draw.choice([1, 3, 100])
        exact = np.array([drawn.exact[metric][place] for place in kept])
        order = kept[np.argsort(-exact, kind="stable")]
        assert np.array_equal(fits.best(metric, k).indices, drawn.rows.indices[order[:k]])
        assert fits.largest(metric).indices == tuple(drawn.rows.indices[order[0]])
        assert fits.smallest(metric).costs[metric] == shown[metric][kept].min()
        wanted = draw.choice([*exact, exact[0] + drawn.resolution / 4, Fraction(0)])
        near = fits.closest(metric, float(wanted))
        gaps = [(abs(each - Fraction(repr(float(wanted)))), each) for each in exact]
        best = min(gaps)[1]
        # The float of a third is not a third: it is taken for the value that it is shown as.
        assert near.costs[metric] in {float(best), float(wanted)}
        front = fits.pareto("params", metric, largest=[metric])
        counts = space.evaluate(front)
        expected = {
            (params[place], shown[metric][place])
            for place in kept
            if not any(
                (params[other] <= params[place] and shown[metric][other] >= shown[metric][place])
                and (params[other], shown[metric][other]) != (params[place], shown[metric][place])
                for other in kept
            )
        }
        assert set(zip(counts["params"], counts[metric], strict=True)) == expected
        ends = sorted(draw.choices(shown[metric].tolist(), k=3))
        grid = space.count_grid(params=[int(np.median(params)), int(params.max())], **{metric: ends})
        for row, most in enumerate((np.median(params), params.max())):
            assert list(grid[row]) == [int(np.sum((params <= most) & (shown[metric] <= end))) for end in ends]


def test_a_resolution_refuses_what_is_none() -> None:
    for resolution in (0, -1, float("nan"), float("inf"), True, "fine", Decimal("1e999999")):
        with pytest.raises(ab.errors.SpaceError, match="a resolution is a positive number"):
            ab.Metric("score", lambda _: 1, resolution=resolution)  # type: ignore[arg-type]

    def space(value: object, resolution: float = 1e-6) -> ab.Space:
        metric = ab.Metric("score", lambda _: value, resolution=resolution)
        return ab.Space([layers.Input((2,)), layers.Repeat(9, layers.Dense(ab.Int("units", 1, 3)))], metrics=[metric])

    for value in (float("nan"), float("inf"), "1", None, 1j):
        with pytest.raises(ab.errors.SpaceError, match=r"metric 'score' of layer .* must be a finite number"):
            space(value)
    with pytest.raises(ab.errors.CountOverflowError, match=r"less than 2\^61 times its resolution of 1e-06"):
        space(1e13)
    for value in (1.1, -1.1):
        # Each layer is within reach, and their sum is not.
        with pytest.raises(ab.errors.CountOverflowError, match="score"):
            space(value * 2**60, resolution=1)
    with pytest.raises(ab.errors.SpaceError, match="give the metric a resolution"):
        ab.Space([layers.Input((2,))], metrics=[ab.Metric("score", lambda _: -1)])


def test_halves_are_rounded_to_even() -> None:
    values = {0.05: 0.0, 0.15: 0.2, 0.25: 0.2, -0.05: 0.0, -0.15: -0.2, 0.3: 0.3}
    for value, rounded in values.items():
        metric = ab.Metric("score", lambda _, value=value: value, resolution=0.1)  # type: ignore[misc]
        assert ab.Space([layers.Input((2,))], metrics=[metric]).architecture().costs["score"] == rounded


def test_a_bound_that_was_shown_keeps_what_shows_it() -> None:
    """Floats of thirds are beside thirds, and still bounds of the networks that show them."""
    metric = ab.Metric("score", lambda layer: layer.params / 3 - 1, resolution=Fraction(1, 3))
    space = ab.Space([layers.Input((2,)), layers.Dense(ab.Int("units", 1, 30))], metrics=[metric])
    for arch in space.within(ab.Budget(params=10**6)).candidates():
        shown = arch.costs["score"]
        assert list(space.within(ab.Budget(custom={"score": (shown, shown)})).candidates()) == [arch]
        assert space.within(ab.Budget(custom={"score": (shown, shown)})).closest("score", shown) == arch


def test_tables_have_scores(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    file.write_text("type,units,score\nInput,,0\nDense,8,-0.25\nDense,16,1.5e-3\n")
    table = ab.LatencyTable.read_csv(file, "score", resolution=1e-4)
    space = ab.Space([layers.Input((4,)), layers.Dense(ab.Choice("units", [8, 16]))], metrics=[table])
    assert space.range("score") == (-0.25, 0.0015)
    with pytest.raises(ab.errors.SpaceError, match="must be at least 0"):
        ab.LatencyTable.read_csv(file, "score")
    moved = ab.LatencyTable.read_csv(file, "score", resolution=1e-4, decimals=3)
    assert space.with_metrics([ab.LatencyTable("other", list(moved.entries()), resolution=0.5)]).range("other") == (
        -250,
        1.5,
    )
    with pytest.raises(ab.errors.SpaceError, match="a table with a resolution has any numbers"):
        ab.LatencyTable("score", [({"type": "Input"}, 0.5)])
    with pytest.raises(ab.errors.SpaceError, match="must have a finite number"):
        ab.LatencyTable("score", [({"type": "Input"}, float("nan"))], resolution=1)  # type: ignore[list-item]


@pytest.mark.parametrize("resolution", [1e-4, Fraction(1, 3), 1])
def test_files_keep_scores(tmp_path: Path, resolution: float) -> None:
    entries = [({"type": "Input"}, 0), ({"type": "Dense", "units": 8}, -1), ({"type": "Dense", "units": 16}, 2)]
    table = ab.LatencyTable("score", entries, resolution=resolution)
    space = ab.Space([layers.Input((4,)), layers.Dense(ab.Choice("units", [8, 16]))], metrics=[table])
    space.save(tmp_path / "space.yaml")
    again = ab.Space.load(tmp_path / "space.yaml")
    assert again == space
    assert again.range("score") == (-1, 2)
    budget = ab.Budget(custom={"score": (None, -0.5)})
    assert budget["score"][1] == -0.5
    assert again.within(budget).count() == 1
    pq = pytest.importorskip("pyarrow.parquet")
    again.within(budget).write_parquet(tmp_path / "all")
    assert pq.read_table(tmp_path / "all")["score"].to_pylist() == [-1]


def test_budgets_of_custom_metrics_have_any_bounds() -> None:
    assert ab.Budget(custom={"score": -1.5}).describe() == "score <= -1.5"
    assert ab.Budget(custom={"score": (0, None)}).describe() == "score >= 0"
    assert repr(ab.Budget(custom={"score": (-2, 2.5)})) == "Budget(custom={'score': (-2, 2.5)})"
    for bound in (float("nan"), float("inf"), "1", True, 2**63):
        with pytest.raises(ab.errors.BudgetError, match="score: a bound must be"):
            ab.Budget(custom={"score": bound})  # type: ignore[dict-item]


def test_plots_and_pages_show_scores(tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    drawn = Drawn(5)
    while drawn.shown["score"].dtype != np.float64 or len(set(drawn.shown["score"])) < 4:
        drawn = Drawn(len(drawn.rows) + len(drawn.known) + random.Random(str(drawn.known)).randrange(10**6))
    middle = float(np.median(drawn.shown["score"]))
    budget = ab.Budget(custom={"score": (None, middle)})
    figure = ab.plot.distribution(drawn.space, budget)
    assert sum(figure.data[0].y) == pytest.approx(100)
    share = 100 * np.mean(drawn.shown["score"] <= middle)
    inside = [bar for bar, color in zip(figure.data[0].y, figure.data[0].marker.color, strict=True) if "2563" in color]
    assert sum(inside) == pytest.approx(share)
    assert len(ab.plot.pareto(drawn.space.within(budget).pareto("params", "score"), names=["params", "score"]).data)
    ab.report(drawn.space.within(budget), tmp_path / "report.html")
    assert "score" in (tmp_path / "report.html").read_text()
    assert drawn.space.distribution("score")._repr_html_()
