"""The constraint function: how far a candidate is from a budget."""

from __future__ import annotations

import math
import warnings
from random import Random
from typing import Any

import numpy as np
import optuna
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import BudgetError, SpaceError
from support.random_budgets import random_budget
from support.random_spaces import SEEDS, random_space

optuna.logging.set_verbosity(optuna.logging.WARNING)
VALUES = {"f1": 32, "k1": 5, "f2": 64, "k2": 5, "units": 128}
BUDGET = ab.Budget(params=100_000, macs=(1_000_000, 5_000_000))


def test_a_number_is_the_logarithm_of_cost_by_bound(lenet: ab.Space) -> None:
    constraint = lenet.constraint(BUDGET)
    arch = lenet.architecture(VALUES)
    assert constraint.names == ("params", "macs", "macs_low")
    assert constraint(arch) == pytest.approx(
        (math.log(184_586 / 100_000), math.log(3_869_952 / 5_000_000), math.log(1_000_000 / 3_869_952))
    )


def test_a_bound_that_is_met_exactly_is_feasible(lenet: ab.Space) -> None:
    arch = lenet.architecture(VALUES)
    for cost in (184_586, (184_586, None), (184_586, 184_586)):
        assert all(number <= 0 for number in lenet.constraint(ab.Budget(params=cost))(arch))
    assert lenet.constraint(ab.Budget(params=184_585))(arch)[0] > 0
    assert lenet.constraint(ab.Budget(params=(184_587, None)))(arch)[0] > 0


def test_a_bound_that_is_met_exactly_is_feasible_in_a_batch() -> None:
    space = ab.Space([layers.Input((1,)), layers.Dense(ab.Int("units", 1, 200_000), use_bias=False)])
    costs = np.arange(1, 200_000)
    # Where the logarithms of numpy and of Python are not the same.
    risky = costs[np.log(costs.astype(np.float64)) != np.array([math.log(cost) for cost in costs])]
    for cost in [1, 7, 1000, 199_999, *risky[:10].tolist()]:
        candidates = ab.Candidates(space, np.array([[cost - 1], [cost]], dtype=np.uint32))
        numbers = space.constraint(ab.Budget(params=cost))(candidates)[:, 0]
        assert (numbers <= 0).tolist() == [True, False], cost
        numbers = space.constraint(ab.Budget(params=(cost + 1, None)))(candidates)[:, 0]
        assert (numbers <= 0).tolist() == [False, True], cost


@pytest.mark.parametrize("seed", SEEDS[::2])
def test_feasible_is_at_most_zero_in_every_form(seed: int) -> None:
    known = random_space(seed)
    rng = Random(seed)
    candidates = ab.Candidates(known.space, known.indices)
    for _ in range(3):
        budget = random_budget(rng, known)
        constraint = known.space.constraint(budget)
        numbers = constraint(candidates)
        assert numbers.shape == (len(candidates), len(constraint.names))
        assert numbers.dtype == np.float64
        assert not np.isnan(numbers).any()
        for row, feasible in enumerate((numbers <= 0).all(axis=1)):
            if not known.valid[row]:
                assert (numbers[row] == np.inf).all()
                continue
            costs = {metric: int(costs[row]) for metric, costs in known.costs.items()}
            assert feasible == (not budget.violations(costs)), (budget, costs)
        for row in known.first[:5]:
            assert constraint(candidates[int(row)]) == pytest.approx(tuple(numbers[row]))


def test_large_costs_that_differ_by_one_are_told_apart() -> None:
    space = ab.Space([layers.Input((2**30,)), layers.Dense(2**30), layers.Dense(ab.Int("units", 1, 2))])
    arch = space.architecture(units=1)
    cost = arch.params
    assert cost > 2**60
    assert all(number <= 0 for number in space.constraint(ab.Budget(params=cost))(arch))
    assert space.constraint(ab.Budget(params=cost - 1))(arch)[0] > 0
    batch = ab.Candidates(space, np.array([[0]], dtype=np.uint8))
    assert space.constraint(ab.Budget(params=cost))(batch)[0, 0] <= 0
    assert space.constraint(ab.Budget(params=cost - 1))(batch)[0, 0] > 0


def test_a_live_trial_gets_the_numbers(lenet: ab.Space) -> None:
    constraint = lenet.constraint(BUDGET)
    study = optuna.create_study()
    study.enqueue_trial(VALUES)
    trial = study.ask()
    arch = lenet.suggest(trial)
    numbers = constraint(trial)
    assert numbers == constraint(arch)
    study.tell(trial, 1.0)
    frozen = study.trials[0]
    if hasattr(trial, "set_constraint"):
        assert frozen.constraints == dict(zip(constraint.names, numbers, strict=True))


def test_a_frozen_trial_is_judged_by_its_parameters(lenet: ab.Space) -> None:
    trial = optuna.trial.create_trial(
        params={**VALUES, "learning_rate": 0.1},
        distributions={
            **{name: optuna.distributions.CategoricalDistribution(lenet.decisions[name].values) for name in VALUES},
            "learning_rate": optuna.distributions.FloatDistribution(0, 1),
        },
        value=1.0,
    )
    constraint = lenet.constraint(BUDGET)
    assert constraint(trial) == constraint(lenet.architecture(VALUES))


def test_a_finished_trial_is_judged_without_being_written_to(lenet: ab.Space) -> None:
    constraint = lenet.constraint(BUDGET)
    study = optuna.create_study()
    study.enqueue_trial(VALUES)
    trial = study.ask()
    lenet.suggest(trial)
    numbers = constraint(trial)
    study.tell(trial, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert constraint(study.trials[0]) == numbers


def test_it_works_as_the_constraints_of_a_sampler(lenet: ab.Space) -> None:
    constraint = lenet.constraint(BUDGET)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Deprecated since Optuna 5, and experimental before.
        sampler = optuna.samplers.NSGAIISampler(constraints_func=constraint, seed=0, population_size=4)
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: lenet.suggest(trial).params, n_trials=10)
    assert len(study.trials) == 10


def test_a_network_that_cannot_be_built_is_infinitely_far() -> None:
    space = ab.Space([layers.Input((4, 4, 1)), layers.Conv2D(2, ab.Choice("kernel", [3, 5]))])
    constraint = space.constraint(ab.Budget(params=(1, 100)))
    assert constraint(ab.Candidates(space, np.array([[0], [1]])))[1].tolist() == [math.inf, math.inf]
    study = optuna.create_study()
    study.enqueue_trial({"kernel": 5})
    trial = study.ask()
    trial.suggest_int("kernel", 3, 5, step=2)
    assert constraint(trial) == (math.inf, math.inf)


def test_a_cost_of_nothing_is_infinitely_good_or_bad() -> None:
    space = ab.Space([layers.Input((4,)), layers.OneOf("op", {"none": [], "dense": layers.Dense(1)})])
    candidates = ab.Candidates(space, np.array([[0], [1]]))
    upper, lower = space.constraint(ab.Budget(params=5)), space.constraint(ab.Budget(params=(5, None)))
    assert upper(candidates).tolist() == [[-math.inf], [0.0]]
    assert lower(candidates).tolist() == [[math.inf], [0.0]]
    assert upper(candidates[0]) == (-math.inf,)
    assert lower(candidates[0]) == (math.inf,)


def test_no_candidates_give_no_numbers(lenet: ab.Space) -> None:
    assert lenet.constraint(BUDGET)(lenet.sample(0, seed=0)).shape == (0, 3)


def test_a_batch_is_given_in_any_form_that_evaluate_takes(lenet: ab.Space) -> None:
    candidates, constraint = lenet.sample(9, seed=0), lenet.constraint(BUDGET)
    for batch in (candidates.indices, candidates.values(), candidates.to_pandas(), list(candidates)):
        np.testing.assert_array_equal(constraint(batch), constraint(candidates))
    with pytest.raises(SpaceError, match="the column of decision 'f1' must have one axis"):
        constraint(VALUES)


@pytest.mark.parametrize("candidate", [None, 3, "trial", ["trial"], {3}])
def test_anything_but_a_candidate_is_refused(lenet: ab.Space, candidate: Any) -> None:
    with pytest.raises(SpaceError, match="a trial, an Architecture or Candidates"):
        lenet.constraint(BUDGET)(candidate)


def test_candidates_of_another_space_are_refused(lenet: ab.Space) -> None:
    other = ab.Space([layers.Input((4,)), layers.Dense(ab.Int("units", 1, 3))])
    with pytest.raises(SpaceError):
        lenet.constraint(BUDGET)(other.sample(1, seed=0))
    with pytest.raises(SpaceError):
        lenet.constraint(BUDGET)(other.architecture(units=2))


def test_a_trial_that_misses_a_decision_is_refused(lenet: ab.Space) -> None:
    study = optuna.create_study()
    trial = study.ask()
    trial.suggest_int("f1", 8, 128, step=8)
    with pytest.raises(SpaceError, match="no value is given for decision"):
        lenet.constraint(BUDGET)(trial)


def test_anything_but_a_budget_is_refused(lenet: ab.Space) -> None:
    with pytest.raises(BudgetError, match="needs a Budget"):
        lenet.constraint(60_000)  # type: ignore[arg-type]


def test_the_repr_says_the_budget(lenet: ab.Space) -> None:
    assert repr(lenet.constraint(ab.Budget(params=60_000))) == "<Constraint params <= 60,000>"
