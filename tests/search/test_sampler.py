"""`BudgetSampler`: every trial is inside, over every base sampler, and each base sampler still works as it should."""

from __future__ import annotations

import importlib.util
import logging
import os
import pickle
import subprocess
import sys
import textwrap
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.testing import pytest_samplers
from optuna.trial import TrialState
from scipy.stats import chisquare

import archbudget as ab
from archbudget import layers
from archbudget.errors import InfeasibleBudgetError, LimitError, SpaceError
from archbudget.search.propose import Inside, cube, proposer_for, tpe
from archbudget.space.trials import REFUSED
from support.random_budgets import fitting, random_budget
from support.random_spaces import random_space

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
HAS_TORCH = importlib.util.find_spec("torch") is not None

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


class Stubborn(BaseSampler):
    """A sampler that nobody knows: the last value of whatever it is asked for."""

    def infer_relative_search_space(self, *_: Any) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(self, *_: Any) -> dict[str, Any]:
        return {}

    def sample_independent(self, *given: Any) -> Any:
        distribution = given[-1]
        if isinstance(distribution, CategoricalDistribution):
            return distribution.choices[-1]
        return distribution.high


# Each leaves its start-up after a few trials, so that a short study sees how it learns.
BASES: dict[str, Callable[[int], BaseSampler]] = {
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=3),
    "tpe-univariate": lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=3, multivariate=False),
    "tpe-group": lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=3, multivariate=True, group=True),
    "nsgaii": lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=4),
    "nsgaiii": lambda seed: optuna.samplers.NSGAIIISampler(seed=seed, population_size=4),
    "cmaes": lambda seed: optuna.samplers.CmaEsSampler(seed=seed, popsize=4),
    "qmc": lambda seed: optuna.samplers.QMCSampler(seed=seed, scramble=True),
    "gp": lambda seed: optuna.samplers.GPSampler(seed=seed, n_startup_trials=4),
    "stubborn": lambda _: Stubborn(),
}


def each_base(*without: str) -> Any:
    """Runs a test for each base sampler."""
    return pytest.mark.parametrize(
        "base",
        [
            pytest.param(name, marks=pytest.mark.skipif(name == "gp" and not HAS_TORCH, reason="GP needs torch"))
            for name in BASES
            if name not in without
        ],
    )


def conditional_space() -> ab.Space:
    """Decisions of every kind, many of them inactive in most networks."""
    return ab.Space(
        [
            layers.Input((8, 8, 1)),
            layers.Repeat(
                ab.Int("depth", 1, 3),
                lambda number: [
                    layers.Conv2D(
                        ab.Int(f"width{number}", 4, 32, step=4),
                        ab.Choice(f"kernel{number}", [1, 3, 5]),
                        padding="same",
                        use_bias=ab.Choice(f"bias{number}", [True, False]),
                        activation=ab.Choice(f"activation{number}", ["relu", "tanh", None]),
                    )
                ],
            ),
            layers.OneOf("reduce", {"flatten": [layers.Flatten()], "mean": [layers.GlobalAveragePooling2D()]}),
            layers.OneOf("hidden", {"dense": [layers.Dense(ab.Choice("units", [8, 16, 64, 256]))], "none": []}),
            layers.Dropout(ab.Choice("rate", [0.25])),
            layers.Dense(10),
        ]
    )


BUDGET = ab.Budget(params=(1_000, 3_000))


@pytest.fixture(scope="module")
def space() -> ab.Space:
    return conditional_space()


def score(arch: ab.Architecture) -> float:
    """Something to learn: wide first layers and small kernels are good."""
    return float(arch["width1"]) - 5.0 * float(arch["kernel1"]) + (7.0 if arch["reduce"] == "mean" else 0.0)


def full_distributions(space: ab.Space) -> dict[str, BaseDistribution]:
    """What `Space.suggest` stores, from its own description."""
    found: dict[str, BaseDistribution] = {}
    for name, decision in space.decisions.items():
        if decision.step is None:
            found[name] = CategoricalDistribution(decision.values)
        else:
            found[name] = IntDistribution(decision.values[0], decision.values[-1], step=decision.step)  # type: ignore[arg-type]
    return found


def check_inside(study: optuna.Study, space: ab.Space, budget: ab.Budget, at_least: int) -> None:
    """Every trial that got values is inside, its distributions are full, and only active decisions are stored."""
    full = full_distributions(space)
    begun = [trial for trial in study.trials if set(trial.params) & set(full)]
    assert len(begun) >= at_least
    for trial in begun:
        own = {name: value for name, value in trial.params.items() if name in full}
        arch = space.architecture(own)
        assert not budget.violations(arch.costs), trial.params
        assert dict(arch) == own
        assert {name: trial.distributions[name] for name in own} == {name: full[name] for name in own}


def quiet_study(sampler: BaseSampler, **options: Any) -> optuna.Study:
    """A study that logs nothing but warnings."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if "directions" not in options:
        options.setdefault("direction", "maximize")
    return optuna.create_study(sampler=sampler, **options)


# Optuna's own suite ---------------------------------------------------------------------------------------------------


def suite(*bases: str) -> Any:
    """The fixture that Optuna's suite asks for, over some base samplers.

    The parameters of the suite are beside those of the space, so that a candidate is proposed for each trial together
    with them.
    """
    cases = [
        pytest.param(base, marks=pytest.mark.skipif(base == "gp" and not HAS_TORCH, reason="GP needs torch"))
        for base in bases
    ]

    @pytest.fixture(params=cases)
    def sampler(self: object, request: pytest.FixtureRequest) -> Callable[[], BaseSampler]:
        del self
        space = conditional_space()
        return lambda: ab.BudgetSampler(space, BUDGET, at_once(request.param))

    return sampler


def at_once(base: str) -> BaseSampler:
    """A base sampler without a start-up, as Optuna runs its suite."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        samplers: dict[str, Callable[[], BaseSampler]] = {
            "tpe": lambda: optuna.samplers.TPESampler(seed=0, n_startup_trials=0),
            "tpe-univariate": lambda: optuna.samplers.TPESampler(seed=0, n_startup_trials=0, multivariate=False),
            "tpe-group": lambda: optuna.samplers.TPESampler(seed=0, n_startup_trials=0, multivariate=True, group=True),
            "cmaes": lambda: optuna.samplers.CmaEsSampler(seed=0, n_startup_trials=0),
            "gp": lambda: optuna.samplers.GPSampler(seed=0, n_startup_trials=0),
        }
        return samplers.get(base, lambda: BASES[base](0))()


SUITE = ("random", "tpe", "tpe-univariate", "tpe-group", "nsgaii", "nsgaiii", "cmaes", "qmc", "gp")


class TestBasic(pytest_samplers.BasicSamplerTestCase):
    sampler = suite(*SUITE)


class TestRelative(pytest_samplers.RelativeSamplerTestCase):
    # The others do not draw jointly without trials to learn from, and fail it by themselves, too.
    sampler = suite("tpe", "tpe-univariate", "cmaes", "qmc", "gp")


class TestMultiObjective(pytest_samplers.MultiObjectiveSamplerTestCase):
    sampler = suite(*(base for base in SUITE if base != "cmaes"))


class TestSingleOnly(pytest_samplers.SingleOnlySamplerTestCase):
    sampler = suite("cmaes")


# Always inside --------------------------------------------------------------------------------------------------------


@each_base()
@pytest.mark.parametrize("seed", range(0, 240, 24))
def test_every_trial_is_inside_in_random_spaces(base: str, seed: int) -> None:
    known = random_space(seed)
    rng = Random(seed)
    budget = random_budget(rng, known)
    while not (networks := fitting(known, budget)):
        budget = random_budget(rng, known)
    study = quiet_study(ab.BudgetSampler(known.space, budget, BASES[base](seed)))
    study.optimize(lambda trial: float(known.space.suggest(trial).params), n_trials=12)
    check_inside(study, known.space, budget, 12 if any(networks) else 0)
    assert all(trial.state == TrialState.COMPLETE for trial in study.trials)


@each_base()
def test_every_trial_is_inside_with_conditional_decisions(base: str, space: ab.Space) -> None:
    study = quiet_study(ab.BudgetSampler(space, BUDGET, BASES[base](0)))
    study.optimize(lambda trial: score(space.suggest(trial)), n_trials=30)
    check_inside(study, space, BUDGET, 30)


@each_base()
def test_every_trial_is_inside_with_threads(base: str, space: ab.Space) -> None:
    study = quiet_study(ab.BudgetSampler(space, BUDGET, BASES[base](0)))
    study.optimize(lambda trial: score(space.suggest(trial)), n_trials=16, n_jobs=2)
    check_inside(study, space, BUDGET, 16)
    assert all(trial.state == TrialState.COMPLETE for trial in study.trials)


@each_base()
@pytest.mark.parametrize("order", ["before", "after"])
def test_own_parameters_are_searched_beside_the_space(base: str, order: str, space: ab.Space) -> None:
    def own(trial: optuna.Trial) -> float:
        trial.suggest_categorical("optimizer", ["adam", "sgd"])
        trial.suggest_int("batch", 8, 64, log=True)
        trial.suggest_float("decay", 0.0, 1.0, step=0.25)
        return trial.suggest_float("rate of learning", 1e-5, 1e-1, log=True)

    def objective(trial: optuna.Trial) -> float:
        if order == "before":
            return own(trial) + score(space.suggest(trial))
        return score(space.suggest(trial)) + own(trial)

    study = quiet_study(ab.BudgetSampler(space, BUDGET, BASES[base](0)))
    study.optimize(objective, n_trials=16)
    check_inside(study, space, BUDGET, 16)
    for trial in study.trials:
        assert {"optimizer", "batch", "decay", "rate of learning"} <= trial.params.keys()
    if base != "stubborn":
        assert len({trial.params["rate of learning"] for trial in study.trials}) >= 4


@each_base("cmaes")
def test_every_trial_is_inside_with_several_objectives(base: str, space: ab.Space) -> None:
    def objective(trial: optuna.Trial) -> tuple[float, float]:
        arch = space.suggest(trial)
        return score(arch), float(arch.macs)

    study = quiet_study(ab.BudgetSampler(space, BUDGET, BASES[base](0)), directions=["maximize", "minimize"])
    study.optimize(objective, n_trials=16)
    check_inside(study, space, BUDGET, 16)


def test_cmaes_refuses_several_objectives(space: ab.Space) -> None:
    study = quiet_study(ab.BudgetSampler(space, BUDGET, BASES["cmaes"](0)), directions=["maximize", "minimize"])
    with pytest.raises(ValueError, match="multi-objective"):
        study.optimize(lambda trial: (float(space.suggest(trial).params), 0.0), n_trials=1)


@each_base()
def test_trials_that_are_pruned_or_fail_do_no_harm(base: str, space: ab.Space) -> None:
    def objective(trial: optuna.Trial) -> float:
        value = score(space.suggest(trial))
        trial.report(value, 0)
        if trial.number % 3 == 1:
            raise optuna.TrialPruned
        if trial.number % 3 == 2:
            raise ZeroDivisionError
        return value if trial.number % 2 else float("nan")

    study = quiet_study(ab.BudgetSampler(space, BUDGET, BASES[base](0)))
    study.optimize(objective, n_trials=24, catch=(ZeroDivisionError,))
    check_inside(study, space, BUDGET, 24)


@pytest.mark.parametrize("storage", ["sqlite", "journal"])
@pytest.mark.parametrize("base", ["tpe", "nsgaii", "cmaes", "qmc"])
def test_processes_share_a_study(base: str, storage: str, tmp_path: Path) -> None:
    script = textwrap.dedent(
        f"""
        import sys, optuna
        import archbudget as ab
        from optuna.storages import JournalStorage, RDBStorage
        from optuna.storages.journal import JournalFileBackend
        from test_sampler import BASES, BUDGET, conditional_space, score

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        storage = {
            f'RDBStorage("sqlite:///{tmp_path}/study.db", engine_kwargs={{"connect_args": {{"timeout": 60}}}})'
            if storage == "sqlite"
            else f'JournalStorage(JournalFileBackend("{tmp_path}/study.log"))'
        }
        space = conditional_space()
        sampler = ab.BudgetSampler(space, BUDGET, BASES["{base}"](0))
        study = optuna.create_study(
            storage=storage, study_name="both", sampler=sampler, direction="maximize", load_if_exists=True
        )
        if sys.argv[1:] == ["work"]:
            study.optimize(lambda trial: score(space.suggest(trial)), n_trials=10)
        elif sys.argv[1:] == ["check"]:
            from test_sampler import check_inside
            assert len(study.trials) == 20
            check_inside(study, space, BUDGET, 20)
            assert len({{tuple(trial.params.items()) for trial in study.trials}}) > 8
        """
    )

    def start(task: str) -> subprocess.Popen[str]:
        path = {**os.environ, "PYTHONPATH": str(HERE.parent)}  # Where `support` is.
        return subprocess.Popen([sys.executable, "-W", "ignore", "-c", script, task], cwd=HERE, env=path)

    assert start("create").wait(300) == 0
    assert [worker.wait(300) for worker in [start("work"), start("work")]] == [0, 0]
    assert start("check").wait(300) == 0


# Values that are not the sampler's to choose --------------------------------------------------------------------------


@each_base()
def test_enqueued_values_are_kept(base: str, space: ab.Space) -> None:
    study = quiet_study(ab.BudgetSampler(space, BUDGET, BASES[base](0)))
    study.optimize(lambda trial: score(space.suggest(trial)), n_trials=10)
    whole = study.trials[3].params
    part = {"depth": 2, "width2": 16, "reduce": "mean", "activation1": None, "rate": 0.25}
    late = {"units": 64, "hidden": "dense"}
    for values in (whole, part, late):
        study.enqueue_trial(values)
    study.optimize(lambda trial: score(space.suggest(trial)), n_trials=5)
    check_inside(study, space, BUDGET, 15)
    assert study.trials[10].params == whole
    assert part.items() <= study.trials[11].params.items()
    assert late.items() <= study.trials[12].params.items()


@each_base()
def test_enqueued_values_that_cannot_fit_are_pruned_with_a_reason(
    base: str, space: ab.Space, caplog: pytest.LogCaptureFixture
) -> None:
    trained = []

    def objective(trial: optuna.Trial) -> float:
        trial.suggest_float("own", 0.0, 1.0)
        arch = space.suggest(trial)
        trained.append(arch)
        return score(arch)

    study = quiet_study(ab.BudgetSampler(space, BUDGET, BASES[base](0)))
    study.optimize(objective, n_trials=6)
    # 32 * 32 * 25 weights are more than there may be; 5 is no width.
    for values in ({"depth": 2, "width1": 32, "width2": 32, "kernel2": 5}, {"width1": 5}):
        study.enqueue_trial(values)
    optuna.logging.enable_propagation()
    with caplog.at_level(logging.WARNING):
        study.optimize(objective, n_trials=2)
    optuna.logging.disable_propagation()
    study.optimize(objective, n_trials=2)
    assert [trial.state for trial in study.trials[6:8]] == [TrialState.PRUNED] * 2
    assert "params 1,000 to 3,000" in study.trials[6].user_attrs[REFUSED]
    assert "width1" in study.trials[7].user_attrs[REFUSED]
    assert "Trial 6" in caplog.text
    assert "Trial 7" in caplog.text
    assert len(trained) == 8
    check_inside(study, space, BUDGET, 8)


@each_base()
@pytest.mark.parametrize("place", ["around", "within"])
def test_partial_fixed_samplers_are_unwrapped(base: str, place: str, space: ab.Space) -> None:
    # Without knowing of the wide last layer a sampler would take first layers that leave no room for it.
    fixed = {"hidden": "dense", "units": 256, "decay": 0.5}

    def objective(trial: optuna.Trial) -> float:
        trial.suggest_float("decay", 0.0, 1.0)
        return score(space.suggest(trial))

    budget = ab.Budget(params=6_000)
    sampler = BASES[base](0)
    if place == "within":
        sampler = ab.BudgetSampler(space, budget, optuna.samplers.PartialFixedSampler(fixed, sampler))
    else:
        sampler = optuna.samplers.PartialFixedSampler(fixed, ab.BudgetSampler(space, budget, sampler))
    study = quiet_study(sampler)
    study.optimize(objective, n_trials=12)
    check_inside(study, space, budget, 12)
    assert all(fixed.items() <= trial.params.items() for trial in study.trials)


def test_a_study_goes_on_with_other_samplers(space: ab.Space) -> None:
    study = quiet_study(ab.BudgetSampler(space, BUDGET))
    bases = [base for base in BASES if base != "gp" or HAS_TORCH]
    for base in [*bases, *reversed(bases)]:
        study.sampler = ab.BudgetSampler(space, BUDGET, BASES[base](1))
        study.optimize(lambda trial: score(space.suggest(trial)), n_trials=5)
    check_inside(study, space, BUDGET, 10 * len(bases))


@each_base()
def test_samplers_learn_from_trials_outside_the_budget(base: str, space: ab.Space) -> None:
    study = quiet_study(optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: score(space.suggest(trial)), n_trials=20)
    study.sampler = ab.BudgetSampler(space, BUDGET, BASES[base](0))
    study.optimize(lambda trial: score(space.suggest(trial)), n_trials=10)
    later = optuna.create_study(direction="maximize")
    later.add_trials(study.trials[20:])
    check_inside(later, space, BUDGET, 10)


# How it draws ---------------------------------------------------------------------------------------------------------


@each_base("qmc", "stubborn")
def test_trials_of_the_start_are_uniform_without_a_fill(base: str) -> None:
    """A correct sampler fails with a chance of 0.1 %; the seed is fixed."""
    known = random_space(111)
    budget = random_budget(Random(111), known)
    networks = fitting(known, budget)
    assert 5 < len(networks) < 200
    study = quiet_study(ab.BudgetSampler(known.space, budget, BASES[base](7), fill=None))
    # Trials that are asked for and never end keep a sampler in its start.
    found = Counter(frozenset(known.space.suggest(study.ask()).items()) for _ in range(8 * len(networks) + 400))
    assert set(found) <= {frozenset(network.items()) for network in networks}
    assert chisquare([found[frozenset(network.items())] for network in networks]).pvalue > 0.001


@each_base("random", "stubborn", "qmc")
def test_base_samplers_learn_decisions_and_own_parameters(base: str, space: ab.Space) -> None:
    scores: dict[str, list[float]] = {base: [], "random": []}
    errors: dict[str, list[float]] = {base: [], "random": []}

    for name in scores:
        for seed in range(3):
            study = quiet_study(ab.BudgetSampler(space, BUDGET, BASES[name](seed)))

            def objective(trial: optuna.Trial) -> float:
                error = abs(trial.suggest_float("own", -1.0, 1.0) - 0.5)
                arch = space.suggest(trial)
                trial.set_user_attr("error", error)
                trial.set_user_attr("score", score(arch))
                return score(arch) - 20 * error

            study.optimize(objective, n_trials=25 if base == "gp" else 60)
            scores[name] += [trial.user_attrs["score"] for trial in study.trials[-20:]]
            errors[name] += [trial.user_attrs["error"] for trial in study.trials[-20:]]
    # The scores of uniform draws have a standard deviation of about 10, so that their mean has one of 1.3.
    assert np.mean(scores[base]) > np.mean(scores["random"]) + 4
    assert np.mean(errors[base]) < 0.8 * np.mean(errors["random"])


@each_base()
def test_a_pruner_that_shows_samplers_a_part_of_the_study_is_no_trouble(base: str, space: ab.Space) -> None:
    def objective(trial: optuna.Trial) -> float:
        value = score(space.suggest(trial))
        for step in range(3):
            trial.report(value, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return value

    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=3)
    study = quiet_study(ab.BudgetSampler(space, BUDGET, BASES[base](0)), pruner=pruner)
    study.optimize(objective, n_trials=16)
    check_inside(study, space, BUDGET, 16)


@each_base()
def test_a_seed_gives_the_same_study_again(base: str, space: ab.Space) -> None:
    runs = []
    for _ in range(2):
        study = quiet_study(ab.BudgetSampler(space, BUDGET, BASES[base](5)))
        study.optimize(lambda trial: score(space.suggest(trial)), n_trials=14)
        runs.append([trial.params for trial in study.trials])
    assert runs[0] == runs[1]


def test_reseeded_samplers_draw_different_numbers(space: ab.Space) -> None:
    runs = []
    for _ in range(2):
        sampler = ab.BudgetSampler(space, BUDGET, BASES["random"](5))
        sampler.reseed_rng()
        study = quiet_study(sampler)
        study.optimize(lambda trial: score(space.suggest(trial)), n_trials=8)
        runs.append([trial.params for trial in study.trials])
    assert runs[0] != runs[1]


@each_base("stubborn")
def test_samplers_are_pickled(base: str, lenet: ab.Space) -> None:
    budget = ab.Budget(params=20_000)
    sampler = pickle.loads(pickle.dumps(ab.BudgetSampler(lenet, budget, BASES[base](0))))
    study = quiet_study(sampler)
    study.optimize(lambda trial: float(sampler.space.suggest(trial).params), n_trials=5)
    check_inside(study, lenet, budget, 5)


@each_base()
def test_nobody_is_warned(base: str, space: ab.Space, caplog: pytest.LogCaptureFixture) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = quiet_study(ab.BudgetSampler(space, BUDGET, BASES[base](0)))
        optuna.logging.enable_propagation()
        with caplog.at_level(logging.WARNING):
            study.optimize(lambda trial: score(space.suggest(trial)), n_trials=12)
        optuna.logging.disable_propagation()
    assert caplog.text == ""


# Without what is known of Optuna's inside -----------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["tpe", "tpe-univariate", "tpe-group"])
def test_an_unknown_tpe_is_asked_on_narrowed_distributions(
    base: str, space: ab.Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tpe.is_supported(BASES[base](0))
    monkeypatch.delattr(optuna.samplers._tpe.sampler, "default_gamma_multiobjective")
    assert not tpe.is_supported(BASES[base](0))
    monkeypatch.setattr(tpe, "_best", None)
    study = quiet_study(ab.BudgetSampler(space, BUDGET, BASES[base](0)))
    study.optimize(lambda trial: score(space.suggest(trial)) + trial.suggest_float("own", 0, 1), n_trials=40)
    check_inside(study, space, BUDGET, 40)
    values = [trial.value for trial in study.trials]
    assert np.mean(values[-20:]) > np.mean(values[:5])  # type: ignore[arg-type]


def test_a_gp_that_cannot_be_told_where_to_look_is_asked_on_narrowed_distributions(
    space: ab.Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.delattr(optuna.samplers.GPSampler, "_optimize_acqf")
    study = quiet_study(ab.BudgetSampler(space, BUDGET, BASES["gp"](0)))
    study.optimize(lambda trial: score(space.suggest(trial)), n_trials=8)
    check_inside(study, space, BUDGET, 8)


@each_base()
def test_sets_beyond_exact_sampling_are_drawn_from_decision_by_decision(
    base: str, space: ab.Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise LimitError("a million draws in a row were rejected")

    monkeypatch.setattr(ab.FeasibleSet, "sample", refuse)
    study = quiet_study(ab.BudgetSampler(space, BUDGET, BASES[base](0)))
    study.optimize(lambda trial: score(space.suggest(trial)), n_trials=6)
    check_inside(study, space, BUDGET, 6)


def test_unknown_samplers_have_no_proposer() -> None:
    assert proposer_for(Stubborn()) is None
    assert proposer_for(BASES["tpe"](0)) is not None


def test_cmaes_that_starts_at_values_has_them_repaired(space: ab.Space) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        base = optuna.samplers.CmaEsSampler(
            x0={"depth": 3, "width1": 32, "kernel1": 5}, seed=0, n_startup_trials=1, warn_independent_sampling=False
        )
    study = quiet_study(ab.BudgetSampler(space, BUDGET, base))
    study.optimize(lambda trial: score(space.suggest(trial)), n_trials=12)
    check_inside(study, space, BUDGET, 12)


# What it is made of ---------------------------------------------------------------------------------------------------


def test_equal_volumes_of_the_cube_hold_equally_many_candidates() -> None:
    known = random_space(111)
    budget = random_budget(Random(111), known)
    networks = fitting(known, budget)
    inside = Inside(known.space.within(budget))
    rng = np.random.default_rng(0)
    names = [cube.AXIS + name for name in known.space.decisions]
    found = Counter(
        frozenset(inside.params(cube.read(inside, dict(zip(names, rng.random(len(names)), strict=True)))).items())
        for _ in range(8 * len(networks) + 400)
    )
    assert set(found) <= {frozenset(network.items()) for network in networks}
    assert chisquare([found[frozenset(network.items())] for network in networks]).pvalue > 0.001


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_each_corner_of_the_cube_is_a_candidate(level: float, space: ab.Space) -> None:
    inside = Inside(space.within(BUDGET))
    row = cube.read(inside, {cube.AXIS + name: level for name in space.decisions})
    assert inside.holds(row[None]).all()


def test_gp_points_are_those_of_optuna(space: ab.Space) -> None:
    pytest.importorskip("torch")
    from optuna._gp.search_space import SearchSpace

    from archbudget.search.propose import gp

    inside = Inside(space.within(BUDGET))
    asked = {name: each for name, each in inside.distributions.items() if not each.single()}
    rows = space.sample(50, seed=0).indices.astype(np.uint32)
    encoding = gp._Encoding(inside, asked)
    encoding.neutralize(rows)
    params = [
        {name: values[index] for name, values, index in zip(inside.names, inside.values, row, strict=True)}
        for row in rows
    ]
    expected = SearchSpace(asked).get_normalized_params([None] * 50, params)  # type: ignore[list-item]
    points = encoding.points(rows, np.empty((50, 0)))
    np.testing.assert_allclose(points, expected)
    np.testing.assert_array_equal(encoding.rows(points), rows)


def test_decisions_out_of_order_are_refused_where_they_are_asked_one_by_one(space: ab.Space) -> None:
    study = quiet_study(ab.BudgetSampler(space, BUDGET, Stubborn()))
    with pytest.raises(SpaceError, match="'width1' was asked for before 'depth'"):
        study.ask().suggest_int("width1", 4, 32, step=4)


def test_a_whole_candidate_is_drawn_in_any_order_of_its_decisions(space: ab.Space) -> None:
    study = quiet_study(ab.BudgetSampler(space, BUDGET, BASES["tpe"](0)))
    for _ in range(12):
        trial = study.ask()
        trial.suggest_int("width1", 4, 32, step=4)
        study.tell(trial, score(space.suggest(trial)))
    check_inside(study, space, BUDGET, 12)


def test_a_budget_that_nothing_fits_is_refused(space: ab.Space) -> None:
    with pytest.raises(InfeasibleBudgetError, match="params"):
        ab.BudgetSampler(space, ab.Budget(params=1))


@pytest.mark.parametrize("base", ["tpe", optuna.samplers.TPESampler, 0])
def test_anything_but_a_sampler_is_refused(base: Any, space: ab.Space) -> None:
    with pytest.raises(SpaceError, match="base must be an Optuna sampler"):
        ab.BudgetSampler(space, BUDGET, base)


def test_the_repr_says_the_budget_and_the_base(space: ab.Space) -> None:
    assert repr(ab.BudgetSampler(space, BUDGET)) == "<BudgetSampler params 1,000 to 3,000, base TPESampler>"


@pytest.mark.parametrize("n_jobs", [0, -2, 1.5, True, None, "2"])
def test_a_bad_number_of_threads_is_refused(space: ab.Space, n_jobs: Any) -> None:
    with pytest.raises(SpaceError, match=r"^n_jobs must be an integer of at least 1, or -1 for all processors, not "):
        ab.search(space, lambda _: 1.0, BUDGET, n_trials=1, n_jobs=n_jobs)


# Arguments that would be ignored --------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("base", ["grid", "brute force", "budget"])
def test_a_base_that_would_not_be_heard_is_refused_at_once(base: str, wrapped: bool, space: ab.Space) -> None:
    sampler: optuna.samplers.BaseSampler = {
        "grid": lambda: optuna.samplers.GridSampler({"depth": [0, 1]}),
        "brute force": optuna.samplers.BruteForceSampler,
        "budget": lambda: ab.BudgetSampler(space, BUDGET),
    }[base]()
    if wrapped:
        sampler = optuna.samplers.PartialFixedSampler({"depth": 1}, sampler)
    with pytest.raises(SpaceError, match=r"^BudgetSampler cannot have <.*Sampler.* as its base: it ") as caught:
        ab.BudgetSampler(space, BUDGET, sampler)
    assert "\n" not in str(caught.value)
    if base != "budget":
        with pytest.raises(SpaceError, match="as its base"):
            ab.search(space, lambda _: 1.0, BUDGET, 2, sampler=sampler)


@each_base()
def test_an_enqueued_name_that_is_nearly_a_decision_is_an_error_before_the_training(base: str, space: ab.Space) -> None:
    trained = []

    def objective(trial: optuna.Trial) -> float:
        trained.append(space.suggest(trial))
        return 1.0

    study = quiet_study(ab.BudgetSampler(space, BUDGET, BASES[base](0)))
    study.enqueue_trial({"depht": 2})
    with pytest.raises(SpaceError, match=r"trial 0 has a fixed value of 'depht', .*; did you mean 'depth'\?"):
        study.optimize(objective, n_trials=1)
    assert not trained
    study.enqueue_trial({"untis": 64})
    with pytest.raises(SpaceError, match="did you mean 'units'"):
        space.suggest(study.ask())


@each_base()
def test_an_enqueued_name_that_nobody_asks_for_is_an_error_when_the_trial_is_told(base: str, space: ab.Space) -> None:
    study = quiet_study(ab.BudgetSampler(space, BUDGET, BASES[base](0)))
    study.enqueue_trial({"nothing": 2, "depth": 1})
    with pytest.raises(SpaceError, match=r"trial 0 ignored the fixed value of 'nothing': .* the decisions are depth, "):
        study.optimize(lambda trial: score(space.suggest(trial)), n_trials=1)
    assert study.trials[0].state == TrialState.COMPLETE
    storage = optuna.storages.InMemoryStorage()
    optuna.create_study(storage=storage, study_name="x", direction="maximize").enqueue_trial({"nothing": 2})
    options: dict[str, Any] = {"storage": storage, "study_name": "x", "sampler": BASES[base](0)}
    with pytest.raises(SpaceError, match="ignored the fixed value of 'nothing'"):
        ab.search(space, lambda _: 1.0, BUDGET, 2, **options)


def test_enqueued_parameters_of_the_objective_are_taken_whatever_their_names(
    space: ab.Space, caplog: pytest.LogCaptureFixture
) -> None:
    def objective(trial: optuna.Trial) -> float:
        units_of_objective = trial.suggest_int("unit", 1, 3)
        arch = space.suggest(trial)
        if units_of_objective == 1:
            trial.suggest_float("momentum", 0.0, 1.0)
        return score(arch)

    study = quiet_study(ab.BudgetSampler(space, BUDGET))
    study.enqueue_trial({"unit": 1, "momentum": 0.5})  # Near to "units", which is not fixed.
    study.enqueue_trial({"unit": 2, "momentum": 0.5})  # The objective may ask for "momentum".
    study.enqueue_trial({"unit": 1, "depth": 1})
    optuna.logging.enable_propagation()
    with caplog.at_level(logging.WARNING):
        study.optimize(objective, n_trials=3)
    optuna.logging.disable_propagation()
    assert [trial.params["unit"] for trial in study.trials] == [1, 2, 1]
    assert "trial 1 ignored the fixed value of 'momentum'" in caplog.text
    assert "trial 0" not in caplog.text.lower()


@each_base()
def test_a_fixed_name_of_a_partial_fixed_sampler_must_exist(base: str, space: ab.Space) -> None:
    sampler = optuna.samplers.PartialFixedSampler({"depht": 1}, BASES[base](0))
    study = quiet_study(ab.BudgetSampler(space, BUDGET, sampler))
    with pytest.raises(SpaceError, match="did you mean 'depth'"):
        study.optimize(lambda trial: score(space.suggest(trial)), n_trials=1)


def test_a_value_that_does_not_exist_is_not_outside_the_budget(
    space: ab.Space, caplog: pytest.LogCaptureFixture
) -> None:
    study = quiet_study(ab.BudgetSampler(space, BUDGET))
    study.enqueue_trial({"width1": 5})
    optuna.logging.enable_propagation()
    with caplog.at_level(logging.WARNING):
        study.optimize(lambda trial: score(space.suggest(trial)), n_trials=1)
    optuna.logging.disable_propagation()
    assert study.trials[0].state == TrialState.PRUNED
    assert "5 is not a value of decision 'width1', which is Int('width1', " in study.trials[0].user_attrs[REFUSED]
    assert "5 is not a value of decision 'width1'" in caplog.text
    assert "outside" not in caplog.text


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_seed_beside_a_sampler_is_answered_with_what_takes_it() -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(ab.Int("units", 1, 9))])
    tpe = optuna.samplers.TPESampler()
    for sampler, message in (
        (tpe, r"give it to TPESampler\(seed=0\)"),
        (optuna.samplers.PartialFixedSampler({"units": 3}, tpe), r"give it to TPESampler\(seed=0\)"),
        (optuna.samplers.BruteForceSampler(), "cannot have .*BruteForceSampler"),
    ):
        with pytest.raises(SpaceError, match=message):
            ab.search(space, lambda arch: arch.params, ab.Budget(params=99), 2, seed=0, sampler=sampler)
