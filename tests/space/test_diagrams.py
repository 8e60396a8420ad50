"""Wide spaces have two diagrams, one of them without peaks: together they answer what one of all metrics does."""

from __future__ import annotations

import pickle
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import optuna
import pytest

import archbudget as ab
from archbudget import layers, spaces
from archbudget.errors import InvalidArchitectureError
from support.random_spaces import METRICS, Enumeration, enumerate_networks
from support.reading_spaces import draw_reading_space
from support.small_diagrams import little

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_COMBINATIONS = 400
SUMS = METRICS[:-1]
PEAK = METRICS[-1]


def reading_space(seed: int) -> ab.Space:
    """A small random space of which some network can be built."""
    for attempt in range(1000):
        try:
            space = draw_reading_space(Random(seed * 1000 + attempt))
        except InvalidArchitectureError:
            continue
        if 4 <= space.combinations <= MOST_COMBINATIONS:
            return space
    raise AssertionError(f"no small space follows from seed {seed}")


def apart(make: Callable[[], ab.Space], monkeypatch: pytest.MonkeyPatch) -> ab.Space:
    """The same space, with a diagram without peaks beside the one of all metrics."""
    return little(make, monkeypatch, little=0)


def assert_same(space: ab.Space, known: Enumeration) -> None:
    """Holds all answers of a space against its networks, counted one by one."""
    for metrics in (SUMS, METRICS):
        found = space.evaluate(known.indices, metrics)
        assert (found.valid == known.valid).all()
        for metric in metrics:
            assert (found[metric][known.valid] == known.costs[metric][known.valid]).all()
    assert space.size == len(known.first)
    for metric in METRICS:
        costs = known.cost(metric)
        assert space.range(metric) == (costs.min(), costs.max())
        middle = max(int(np.median(costs)), 1)
        fits = space.within(ab.Budget(**{metric: middle}))
        assert fits.count() == (costs <= middle).sum()
        within = {metric: (1, middle), PEAK: (1, int(np.median(known.cost(PEAK))))}
        both = np.logical_and.reduce([known.cost(name) <= high for name, (_, high) in within.items()])
        assert space.within(ab.Budget(**within)).count() == both.sum()
        if costs.min() <= middle:
            for other in METRICS:
                most = known.cost(other)[costs <= middle].max()
                assert fits.largest(other).costs[other] == most
        values = space.distribution(metric)
        assert values.quantile(1.0) == costs.max()


@pytest.mark.parametrize("seed", range(150))
def test_two_diagrams_answer_what_one_does(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    space = reading_space(seed)
    known = enumerate_networks(space)
    assert_same(space, known)
    assert_same(apart(lambda: reading_space(seed), monkeypatch), known)


def test_a_space_of_two_diagrams_is_drawn_from_uniformly(monkeypatch: pytest.MonkeyPatch) -> None:
    make = lambda: spaces.unet(resolution=16, widths=3, most_depth=3)  # noqa: E731
    space, known = apart(make, monkeypatch), enumerate_networks(make())
    drawn = space.sample(20_000, seed=0)
    rows, counts = np.unique(drawn.indices, axis=0, return_counts=True)
    assert len(rows) == space.size == len(known.first)
    assert counts.max() < 2 * counts.min()
    assert pickle.loads(pickle.dumps(space)) == space


@pytest.mark.parametrize("metrics", [["params"], [PEAK], ["macs", PEAK]])
def test_searches_stay_inside_budgets_on_either_diagram(metrics: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # A choice among all that comes before depends on every later choice, so peaks ask for decisions in another order.
    def make() -> ab.Space:
        image = layers.Input((16, 16, 3))
        tensors = [layers.Conv2D(8, 3, padding="same")(image)]
        for number in range(4):
            source = layers.InputChoice(f"in{number}")(tensors)
            tensors.append(layers.Conv2D(ab.Int(f"w{number}", 8, 32, step=8), 3, padding="same")(source))
        return ab.Space(inputs=image, outputs=layers.Conv2D(4, 1)(tensors[-1]))

    space = apart(make, monkeypatch)
    bounds = ab.Budget(**{metric: space.distribution(metric).quantile(0.4) for metric in metrics})
    assert 0 < space.within(bounds).count() < space.size
    for base in (optuna.samplers.RandomSampler(seed=0), optuna.samplers.TPESampler(seed=0, n_startup_trials=3)):
        study = optuna.create_study(sampler=ab.BudgetSampler(space, bounds, base=base))
        study.enqueue_trial({"w0": 8})
        study.optimize(lambda trial: space.suggest(trial).macs / 1e6, n_trials=12)
        assert len(study.trials) == 12
        for trial in study.trials:
            assert trial.state == optuna.trial.TrialState.COMPLETE
            assert not bounds.violations(space.from_trial(trial).costs)


def test_wide_spaces_are_counted_without_peaks() -> None:
    space = spaces.unet(widths=64, most_depth=6)
    assert space.size == sum(64 ** (depth + 1) for depth in range(2, 7))
    assert sum(stage.nodes for stage in space.describe().stages) < 3000
    fits = space.within(ab.Budget(params=10_000_000))
    drawn = fits.sample(2000, seed=0)
    assert (space.evaluate(drawn, ["params"])["params"] <= 10_000_000).all()


def test_tensors_that_are_always_read_together_are_one() -> None:
    """In a DenseNet written apart the diagram remembers the sum of the channels, as in the joined form."""

    def dense(number: int, *, joined: bool) -> ab.Space:
        image = layers.Input((8, 8, 4))
        before: list[layers.Tensor] = [layers.Identity()(image)]
        for place in range(number):
            growth = ab.Choice(f"growth{place}", [1, 2, 3, 5])
            source = before[0] if len(before) == 1 else layers.Concatenate()(before)
            made = layers.Conv2D(growth, 3, padding="same")(source)
            before = [layers.Concatenate()([source, made])] if joined else [*before, made]
        return ab.Space(inputs=image, outputs=layers.Dense(2)(layers.Concatenate()(before)))

    joined, apart = dense(12, joined=True), dense(12, joined=False)
    assert [stage.nodes for stage in apart.describe().stages] == [stage.nodes for stage in joined.describe().stages]
    assert apart.distribution("params").counts == joined.distribution("params").counts
    for metric in SUMS:
        assert apart.range(metric) == joined.range(metric)
    drawn = apart.sample(1000, seed=0)
    for metric in METRICS:
        alone = [space_arch.costs[metric] for space_arch in drawn]
        assert apart.evaluate(drawn)[metric].tolist() == alone
