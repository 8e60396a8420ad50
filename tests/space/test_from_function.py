"""Spaces of functions: each network that a function returns for known values is one of its space, and no other is."""

from __future__ import annotations

import pickle
import random
from typing import Any

import optuna
import pytest
from tests.support.functions import every, random_function

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError, InvalidArchitectureError, LimitError, SpaceError

optuna.logging.set_verbosity(optuna.logging.WARNING)

MOST = 60
"""The most assignments of a random function that are compared one by one."""


def alone(made: Any) -> ab.Architecture:
    """The network that a function returned for known values."""
    if isinstance(made, list):
        return ab.Space(made).architecture()
    return ab.Space.from_function(lambda _: made).architecture()


def said(arch: ab.Architecture) -> Any:
    rows = [
        (each.type, each.arguments, each.other_arguments, each.input_shapes, each.output_shapes, each.params, each.macs)
        for each in arch.layers
    ]
    return arch.costs, rows, [each.reused for each in arch.layers]


@pytest.mark.parametrize("start", range(0, 48, 12))
def test_a_space_has_the_networks_of_its_function_and_no_others(start: int) -> None:
    compared = 0
    for seed in range(start, start + 12):
        build = random_function(seed)
        cases = []
        for case in every(build):
            cases.append(case)
            if len(cases) > MOST:
                break
        if len(cases) > MOST or all(made is None for _, made in cases):
            continue
        space = ab.Space.from_function(build)
        taken = set()
        for params, made in cases:
            trial = optuna.trial.FixedTrial(dict(params))
            if made is None:
                with pytest.raises(optuna.TrialPruned):
                    space.suggest(trial)
                continue
            arch = space.suggest(trial)
            assert said(arch) == said(alone(made)), (seed, params)
            assert list(trial.params) == list(params), (seed, params)
            own = {name: value for name, value in params.items() if name in space.decisions}
            assert dict(arch) == own, (seed, params)
            assert space.from_trial(trial) == arch
            taken.add(tuple(own.items()))
            compared += 1
        assert space.size == len(taken), seed
    assert compared > 30


def loop(trial: Any) -> list[Any]:
    rows: list[Any] = [layers.Input((16, 16, 3))]
    for index in range(trial.suggest_int("depth", 1, 4)):
        rows.append(layers.Conv2D(trial.suggest_int(f"filters_{index}", 8, 64, step=8), 3, padding="same"))
        if trial.suggest_categorical(f"norm_{index}", [None, "batch"]) is not None:
            rows.append(layers.BatchNormalization())
        rows.append(layers.ReLU())
    return [*rows, layers.GlobalAveragePooling2D(), layers.Dense(10)]


def test_paths_are_joined_in_the_diagram() -> None:
    space = ab.Space.from_function(loop)
    assert space.size == sum(16**depth for depth in range(1, 5))
    assert space.describe().nodes < 150
    assert len(space.layer_names) < 20


def test_what_only_layers_read_is_never_followed() -> None:
    runs = []

    def build(trial: Any) -> list[Any]:
        runs.append(1)
        units = [trial.suggest_int(f"units_{index}", 1, 6) for index in range(10)]
        words = [trial.suggest_categorical(f"word_{index}", ["relu", "tanh", None]) for index in range(10)]
        flags = [trial.suggest_categorical(f"flag_{index}", [True, False]) for index in range(10)]
        rows = [
            layers.Dense(unit * 2 + round(unit / 3), activation=word, use_bias=flag)
            for unit, word, flag in zip(units, words, flags, strict=True)
        ]
        return [layers.Input((8,)), *rows, layers.Dense(units[0] + units[1] * 2)]

    space = ab.Space.from_function(build)
    assert space.size == 36**10
    # One path, and the comparisons with known values.
    assert len(runs) < 300


def test_a_study_goes_on_from_the_function_to_the_space_and_back() -> None:
    space = ab.Space.from_function(tuned)
    asked = []
    for first in (True, False):
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=3, n_startup_trials=4))
        for number in range(12):
            by_function = (number < 6) == first

            def objective(trial: optuna.Trial, by_function: bool = by_function) -> float:
                made = alone(tuned(trial)) if by_function else space.suggest(trial)
                return float(made.params)

            study.optimize(objective, n_trials=1)
        asked.append([(trial.params, trial.distributions, trial.value) for trial in study.trials])
    assert asked[0] == asked[1]
    assert len({tuple(params) for params, _, _ in asked[0]}) > 1


def tuned(trial: Any) -> list[Any]:
    rate = trial.suggest_float("rate", 0.0, 0.5)
    trial.suggest_float("learning_rate", 1e-5, 1e-1, log=True)
    if trial.suggest_categorical("optimizer", ["adam", "sgd"]) == "sgd":
        trial.suggest_float("momentum", 0, 1)
    units = trial.suggest_int("units", 8, 64, log=True)
    width = trial.suggest_categorical("width", [8, 16, 24])
    share = trial.suggest_float("share", 0.25, 1, step=0.25)
    rows = [layers.Input((8,)), layers.Dense(units), layers.Dropout(1 - rate), layers.Dense(int(width * share))]
    return (
        rows if trial.suggest_int("more", 0, 9, step=4) == 4 else [*rows, layers.Dense(trial.suggest_int("one", 3, 3))]
    )


def test_what_no_count_depends_on_is_a_parameter_of_the_search() -> None:
    space = ab.Space.from_function(tuned)
    assert list(space.decisions) == ["units", "width", "share", "more", "one"]
    params = {"rate": 0.2, "learning_rate": 1e-3, "optimizer": "sgd", "momentum": 0.5, "units": 9, "width": 16}
    trial = optuna.trial.FixedTrial({**params, "share": 0.5, "more": 4})
    arch = space.suggest(trial)
    assert arch.parameters == {"rate": 0.2, "learning_rate": 1e-3, "optimizer": "sgd", "momentum": 0.5}
    assert [each.other_arguments for each in arch.layers if each.type == "Dropout"] == [{"rate": 0.8}]
    again = pickle.loads(pickle.dumps(arch))
    assert again == arch
    assert again.parameters == arch.parameters
    keras = pytest.importorskip("keras")
    assert keras is not None
    assert [each.rate for each in arch.to_keras().layers if hasattr(each, "rate")] == [0.8]
    with pytest.raises(SpaceError, match="'rate', a parameter of the search, which this network was made without"):
        space.architecture(dict(arch)).to_keras()


def test_budgets_and_samplers_take_it_as_any_other_space() -> None:
    space = ab.Space.from_function(loop)
    budget = ab.Budget(params=20_000)
    fits = space.within(budget)
    assert 0 < fits.count() < space.size
    study = optuna.create_study(sampler=ab.BudgetSampler(space, budget, seed=0))
    study.optimize(lambda trial: space.suggest(trial).macs, n_trials=30)
    assert all(trial.user_attrs["params"] <= 20_000 for trial in study.trials)
    less = fits.prune()
    assert less.within(budget).count() == fits.count()
    narrow = space.with_domains({"depth": [1, 2], "filters_0": [8, 64]})
    assert narrow.size == 2 * 2 + 4 * 16
    study.optimize(lambda trial: narrow.suggest(trial).macs, n_trials=1)
    assert pickle.loads(pickle.dumps(space)) == space
    with pytest.raises(SpaceError, match="cannot hold what a function returns: keep the function"):
        space.to_yaml()
    assert space.with_metrics([ab.metrics.weighted_layers()]).range("weighted_layers")[0] == 2


def test_a_suggested_value_is_one_in_all_repetitions() -> None:
    def build(trial: Any) -> list[Any]:
        times, units = trial.suggest_int("times", 1, 4), trial.suggest_int("units", 1, 5)
        return [layers.Input((8,)), layers.Repeat(times, [layers.Dense(units), layers.ReLU()]), layers.Dense(2)]

    space = ab.Space.from_function(build)
    assert list(space.decisions) == ["times", "units"]
    assert space.size == 20


def test_hyperparameters_of_keras_tuner_are_followed() -> None:
    def build(hp: Any) -> list[Any]:
        rows: list[Any] = [layers.Input((8,))]
        kind = hp.Choice("kind", ["wide", "deep"])
        with hp.conditional_scope("kind", ["wide"]):
            if kind == "wide":
                rows.append(layers.Dense(hp.Int("width", 16, 128, step=2, sampling="log")))
        if kind == "deep":
            with hp.name_scope("deep"):
                rows += [layers.Dense(8) for _ in range(hp.Int("depth", 2, 4))]
        if hp.Boolean("norm"):
            rows.append(layers.BatchNormalization())
        hp.Float("learning_rate", 1e-4, 1e-1, sampling="log")
        return [*rows, layers.Dense(hp.Fixed("classes", 10)), layers.Dense(hp.get("classes"))]

    space = ab.Space.from_function(build)
    assert list(space.decisions) == ["kind", "width", "norm", "deep/depth"]
    assert space.size == 2 * (4 + 3)


def first(trial: Any) -> Any:
    return trial.suggest_int("units", 1, 4)


def is_none(trial: Any) -> list[Any]:
    rows = [layers.Input((8,)), layers.Dense(first(trial))]
    return rows if trial.suggest_categorical("norm", [None, "batch"]) is None else [*rows, layers.BatchNormalization()]


def is_true(trial: Any) -> list[Any]:
    return [layers.Input((8,)), layers.Dense(4, use_bias=trial.suggest_categorical("bias", [True, False]) is True)]


def test_none_and_flags_may_be_told_apart_by_is() -> None:
    assert ab.Space.from_function(is_none).size == 8
    assert ab.Space.from_function(is_true).range("params") == (32, 36)


_KEPT: list[Any] = []


def keeps(trial: Any) -> list[Any]:
    _KEPT.append(layers.Dense(first(trial)))
    return [layers.Input((8,)), *_KEPT]


def too_many_flags(trial: Any) -> list[Any]:
    flags = [trial.suggest_categorical(f"flag_{index}", [True, False]) for index in range(20)]
    return [layers.Input((8,)), *(layers.Dense(2) for flag in flags if flag)]


def too_many_times(trial: Any) -> list[Any]:
    return [layers.Input((8,)), *[layers.Dense(2)] * trial.suggest_int("times", 1, 20_000)]


def raising(trial: Any) -> list[Any]:
    if first(trial) > 3:
        raise ValueError("too many")
    return [layers.Input((8,)), layers.Dense(2)]


def two_ways(trial: Any) -> list[Any]:
    wide = trial.suggest_categorical("wide", [True, False])
    return [layers.Input((8,)), layers.Dense(trial.suggest_int("units", 1, 9 if wide else 4))]


def other_inputs(trial: Any) -> list[Any]:
    return [layers.Input((8 if first(trial) > 2 else 9,)), layers.Dense(2)]


def endless(trial: Any) -> list[Any]:
    return [layers.Input((8,)), layers.Dense(int(8 * trial.suggest_float("share", 0.5, 1)))]


def late(trial: Any) -> list[Any]:
    return [layers.Input((8,)), layers.Repeat(2, lambda number: layers.Dense(trial.suggest_int(f"u_{number}", 1, 4)))]


def swallowing(trial: Any) -> list[Any]:
    try:
        bool(trial.suggest_float("rate", 0, 1) > 0.5)
    except Exception:
        trial.set_user_attr("failed", True)
    return [layers.Input((8,)), layers.Dense(first(trial))]


def never_ending(trial: Any) -> list[Any]:
    while trial.suggest_categorical("again", [False, True]):
        pass
    return [layers.Input((8,)), layers.Dense(2)]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (never_ending, "does not come to an end.*100,000 times.*'again'"),
        (lambda trial: [layers.Input((8,)), layers.Dense(random.randint(1, 10**6) + first(trial))], "random numbers"),
        (keeps, "kept from an earlier call"),
        (lambda trial: [layers.Input((8,)), layers.Dense(first(trial) + trial.number)], "nothing but what it is"),
        (lambda trial: [layers.Input((8,)), layers.Dense(first(trial) + trial.number % 2)], "nothing but what it is"),
        (lambda trial: [layers.Input((8,)), layers.Dense(isinstance(first(trial), int) + 1)], "isinstance"),
        (too_many_times, r"10,000 paths.*'times'.*layers\.Repeat"),
        (raising, r"ValueError: too many with units=4; raise optuna.TrialPruned"),
        (two_ways, r"'units' is asked for in two ways: suggest_int\(1, 9\), and suggest_int\(1, 4\)"),
        (other_inputs, "other inputs as 'units' is"),
        (endless, "suggest_float.*has endless values"),
        (late, "takes a function"),
        (swallowing, "suggest_float.*has endless values"),
        (lambda trial: first(trial) and None, "must return a network"),
        (lambda trial: trial.study, "asks for 'study'"),
        (lambda trial: trial.suggest_categorical("k", [(1, 2), 3]), "a choice is an int, float, str, bool"),
        (lambda trial: trial.suggest_int("k", 3, 1), "ValueError"),
        (3, "takes a function of a trial"),
    ],
)
def test_what_cannot_be_followed_is_refused_in_one_line(build: Any, message: str) -> None:
    with pytest.raises(ArchbudgetError, match=message) as raised:
        ab.Space.from_function(build)
    assert str(raised.value).isprintable()


def test_too_many_paths_name_a_decision_and_a_block() -> None:
    with pytest.raises(LimitError, match=r"more than 10,000 paths.*'flag_\d+'.*layers\.OneOf\('flag_\d+'"):
        ab.Space.from_function(too_many_flags)


def test_a_pruned_path_is_no_network() -> None:
    def build(trial: Any) -> list[Any]:
        units = first(trial)
        if units == 2:
            raise optuna.TrialPruned("not two")
        return [layers.Input((8,)), layers.Dense(units), layers.Dense(12 // (units - 2) if units > 2 else 1)]

    space = ab.Space.from_function(build)
    assert space.size == 3
    with pytest.raises(InvalidArchitectureError, match="not two"):
        space.architecture(units=2)
    with pytest.raises(optuna.TrialPruned, match="not two"):
        space.suggest(optuna.trial.FixedTrial({"units": 2}))
    with pytest.raises(InvalidArchitectureError, match="wants no network at all: never"):
        ab.Space.from_function(pruned_always)


def pruned_always(trial: Any) -> None:
    raise optuna.TrialPruned("never" if first(trial) else "")


def test_layers_of_one_name_on_different_paths_are_told_apart() -> None:
    def build(trial: Any) -> list[Any]:
        bias = trial.suggest_categorical("bias", ["yes", "no"])
        last = layers.Dense(4, name="last") if bias == "yes" else layers.Dense(4, use_bias=False, name="last")
        return [layers.Input((8,)), last]

    space = ab.Space.from_function(build)
    assert space.layer_names == ("input_layer", "last", "last_2")
    assert space.range("params") == (32, 36)


def test_shared_layers_are_counted_once_on_each_path() -> None:
    def build(trial: Any) -> Any:
        source = layers.Input((8,))
        shared, x = layers.Dense(8), source
        for _ in range(trial.suggest_int("times", 1, 5)):
            x = layers.Add()([x, shared(x)])
        return source, [x, layers.Dense(2)(x)]

    space = ab.Space.from_function(build)
    assert space.range("params") == (72 + 18, 72 + 18)
    assert space.range("macs") == (64 + 16, 5 * 64 + 16)
