"""Where a search begins: networks that fill the budget, spread over structures; and where it goes on looking."""

from __future__ import annotations

import pickle
from collections import Counter
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    NSGAIIISampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)

import archbudget as ab
from archbudget import layers
from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from collections.abc import Callable

BASES: dict[str, Callable[[], BaseSampler]] = {
    "tpe": lambda: TPESampler(seed=0),
    "tpe univariate": lambda: TPESampler(seed=0, multivariate=False),
    "random": lambda: RandomSampler(seed=0),
    "nsgaii": lambda: NSGAIISampler(seed=0, population_size=10),
    "nsgaiii": lambda: NSGAIIISampler(seed=0, population_size=10),
    "cmaes": lambda: CmaEsSampler(seed=0, warn_independent_sampling=False),
    "qmc": lambda: QMCSampler(seed=0, scramble=True, warn_independent_sampling=False),
}
LEARNERS = ("tpe", "tpe univariate", "nsgaii", "nsgaiii")


@pytest.fixture(scope="module")
def macro() -> ab.Space:
    return ab.spaces.nas_bench_macro()


@pytest.fixture(scope="module")
def deep() -> ab.Space:
    """1 to 8 layers of a width each: each further layer multiplies the number of networks."""
    return ab.Space(
        [
            layers.Input((64,)),
            layers.Repeat(
                ab.Int("depth", 1, 8), lambda number: layers.Dense(ab.Int(f"width{number}", 16, 512, step=16))
            ),
            layers.Dense(10),
        ]
    )


def searched(
    space: ab.Space, sampler: BaseSampler, trials: int, objective: Callable[[ab.Architecture], Any], **kwargs: Any
) -> list[dict[str, Any]]:
    """The parameters and costs of the trials of a study."""
    study = optuna.create_study(sampler=sampler, **(kwargs or {"direction": "maximize"}))
    study.optimize(lambda trial: objective(space.suggest(trial)), n_trials=trials)
    return [{**trial.params, **trial.user_attrs} for trial in study.trials]


def score(arch: ab.Architecture) -> float:
    return float(sum(len(str(value)) * number for number, value in enumerate(arch.values(), 1)))


@pytest.mark.parametrize("base", LEARNERS)
def test_a_search_begins_with_networks_that_fill_the_budget(base: str, macro: ab.Space) -> None:
    bound = 30_000_000
    sampler = ab.BudgetSampler(macro, ab.Budget(macs=bound), BASES[base](), fill=0.9)
    for trial in searched(macro, sampler, 10, lambda arch: arch.macs):
        assert 0.9 * bound <= trial["macs"] <= bound


def test_a_random_search_stays_exactly_uniform(macro: ab.Space) -> None:
    budget = ab.Budget(macs=30_000_000)
    runs = [
        searched(macro, ab.BudgetSampler(macro, budget, BASES["random"](), fill=fill), 30, score)
        for fill in (0.9, 0, None)
    ]
    assert runs[0] == runs[1] == runs[2]
    assert any(trial["macs"] < 0.9 * 30_000_000 for trial in runs[0])


def test_a_search_begins_at_every_depth(deep: ab.Space) -> None:
    budget = ab.Budget(params=50_000)
    assert deep.within(budget).marginals()["depth"][8] > 0.8
    for seed in range(3):
        sampler = ab.BudgetSampler(deep, budget, seed=seed, fill=0)
        depths = Counter(trial["depth"] for trial in searched(deep, sampler, 10, score))
        assert len(depths) >= 7  # A Latin hypercube of ten trials: at least once each, if a tenth trial hits another.


def test_the_first_ten_trials_take_all_values_of_the_first_decision_alike(macro: ab.Space) -> None:
    sampler = ab.BudgetSampler(macro, ab.Budget(macs=10**8), seed=1, fill=0)
    taken = Counter(trial["op_1"] for trial in searched(macro, sampler, 10, score))
    assert sorted(taken.values()) in ([3, 3, 4], [2, 4, 4])


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize(
    "bounds",
    [
        {"params": (20_000, 40_000)},
        {"params": (None, 40_000), "macs": (500_000, 2_000_000)},
        {"params": (3_000, None)},
        {"params": 10**9},  # It excludes nothing.
        {"params": 10**9, "macs": 1_000_000},
        {"params": 3_300},  # Nearly nothing fits.
        {"params": 60_000, "peak_activation_bytes": 60_000},
    ],
)
@pytest.mark.parametrize("fill", [1.0, 0.9, 0.01])
def test_every_trial_is_inside_whatever_the_budget(base: str, bounds: dict[str, Any], fill: float) -> None:
    space, budget = ab.spaces.lenet(), ab.Budget(**bounds)
    fits = space.within(budget)
    for trial in searched(space, ab.BudgetSampler(space, budget, BASES[base](), fill=fill), 14, score):
        assert {name: trial[name] for name in space.decisions} in fits


@pytest.mark.parametrize("bounds", [{"params": 99}, {"params": 99, "macs": 1_000}])
def test_where_no_network_uses_so_much_the_largest_fill_the_budget(bounds: dict[str, int]) -> None:
    # A layer of n units has 2 * n weights: 2, 4, 8, 40 or 2,000; none has 90 to 99.
    space = ab.Space([layers.Input((1,)), layers.Dense(ab.Choice("units", [1, 2, 4, 20, 1_000]))])
    sampler = ab.BudgetSampler(space, ab.Budget(**bounds), seed=0)
    first, *_ = searched(space, sampler, 3, score)
    assert first["units"] == 20


def test_several_bounds_are_filled_in_turn() -> None:
    # Many units cost weights, large images cost multiply-accumulates.
    side, units = ab.Choice("side", range(8, 65)), ab.Choice("units", range(1, 200))
    space = ab.Space(
        [
            layers.Input((side, side, 1)),
            layers.Conv2D(8, 3, padding="same", use_bias=False),
            layers.GlobalAveragePooling2D(),
            layers.Dense(units, use_bias=False),
        ]
    )
    budget = ab.Budget(params=800, macs=150_000)
    trials = searched(space, ab.BudgetSampler(space, budget, seed=0), 9, lambda arch: arch.params + arch.macs / 100)
    filled = [(trial["params"] >= 720, trial["macs"] >= 135_000) for trial in trials]
    assert all(one or other for one, other in filled)
    assert any(one for one, _ in filled)
    assert any(other for _, other in filled)


def test_a_search_of_a_set_that_is_not_counted_exactly_begins_anywhere() -> None:
    space = ab.spaces.ofa_mobilenet_v3()
    budget = ab.Budget(params=5_500_000, macs=250_000_000)
    assert not space.within(budget).exact
    for trial in searched(space, ab.BudgetSampler(space, budget, seed=0), 12, score):
        assert not budget.violations({metric: trial[metric] for metric in budget})


def test_a_search_for_small_networks_leaves_the_large_ones(macro: ab.Space) -> None:
    budget = ab.Budget(macs=40_000_000)
    sampler = ab.BudgetSampler(macro, budget, seed=0)
    trials = searched(macro, sampler, 60, lambda arch: float(arch.macs), direction="minimize")
    least = macro.range("macs")[0]
    assert min(trial["macs"] for trial in trials) <= 1.1 * least
    assert sum(trial["macs"] >= 36_000_000 for trial in trials[11:]) < 25


def test_with_several_objectives_trials_look_anywhere(macro: ab.Space) -> None:
    sampler = ab.BudgetSampler(macro, ab.Budget(macs=40_000_000), seed=0)
    trials = searched(
        macro, sampler, 9, lambda arch: (score(arch), float(arch.macs)), directions=["maximize", "minimize"]
    )
    assert any(trial["macs"] < 36_000_000 for trial in trials)


def test_no_network_is_tried_again_before_all_are() -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(ab.Int("units", 1, 30))])
    sampler = ab.BudgetSampler(space, ab.Budget(params=100), seed=0)  # 20 networks, 5 n weights each.
    trials = searched(space, sampler, 30, lambda arch: -abs(arch["units"] - 7))
    assert len({trial["units"] for trial in trials[:20]}) >= 18
    assert len({trial["units"] for trial in trials}) == 20


def test_a_network_may_be_tried_again_with_other_parameters() -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(ab.Int("units", 1, 3))])

    def objective(trial: optuna.Trial) -> float:
        return space.suggest(trial)["units"] - abs(trial.suggest_float("rate", 0.0, 1.0) - 0.3)

    study = optuna.create_study(direction="maximize", sampler=ab.BudgetSampler(space, ab.Budget(params=15), seed=0))
    study.optimize(objective, n_trials=30)
    assert study.best_value > 2.9


@pytest.mark.parametrize("base", BASES)
def test_a_seed_gives_the_same_networks_again(base: str, deep: ab.Space) -> None:
    budget = ab.Budget(params=50_000)
    runs = [searched(deep, ab.BudgetSampler(deep, budget, BASES[base]()), 14, score) for _ in range(2)]
    assert runs[0] == runs[1]


def test_a_pickled_sampler_keeps_its_fill(macro: ab.Space) -> None:
    sampler = ab.BudgetSampler(macro, ab.Budget(macs=30_000_000), seed=0, fill=0.5)
    assert pickle.loads(pickle.dumps(sampler)).fill == 0.5


def test_fixed_values_are_filled_up(macro: ab.Space) -> None:
    bound = 60_000_000
    sampler = ab.BudgetSampler(macro, ab.Budget(macs=bound), seed=0)
    fixed = optuna.samplers.PartialFixedSampler({"op_8": "MB6_K5", "op_2": "Identity"}, sampler)
    for trial in searched(macro, fixed, 9, score):
        assert (trial["op_8"], trial["op_2"]) == ("MB6_K5", "Identity")
        assert 0.9 * bound <= trial["macs"] <= bound


@pytest.mark.parametrize("fill", [-0.1, 1.5, float("nan"), True, "0.9", [0.9]])
def test_what_is_no_share_is_refused(fill: Any, macro: ab.Space) -> None:
    budget = ab.Budget(macs=30_000_000)
    with pytest.raises(SpaceError, match="fill must be None or a number from 0 to 1"):
        ab.BudgetSampler(macro, budget, fill=fill)
    with pytest.raises(SpaceError, match="fill must be None or a number from 0 to 1"):
        ab.search(macro, score, budget, n_trials=1, fill=fill)


def test_search_takes_a_fill(macro: ab.Space) -> None:
    bound = 30_000_000
    study = ab.search(macro, score, ab.Budget(macs=bound), n_trials=5, seed=0, fill=0.95)
    assert all(trial.user_attrs["macs"] >= 0.95 * bound for trial in study.trials)
