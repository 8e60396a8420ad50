"""From a study to its networks, and back: what a trial keeps of its network, in every study and storage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FixedTrial, Trial, TrialState

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError, SpaceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STORAGES = ("memory", "sqlite", "journal")


def make_space() -> ab.Space:
    """Decisions of every kind: ranges, words, flags, and some that are inactive in some networks."""
    return ab.Space(
        [
            layers.Input((6,)),
            layers.Dense(ab.Int("units", 4, 64, step=4), use_bias=ab.Choice("bias", [True, False])),
            layers.Repeat(
                ab.Int("depth", 0, 3), layers.Dense(ab.Choice("width", [8, 12, 32]), activation=ab.Choice("act", WORDS))
            ),
            layers.OneOf("head", {"plain": [], "wide": layers.Dense(ab.Choice("share", [0.5, 2.0]).map(round_up))}),
            layers.Dense(1),
        ],
        metrics=[ab.metrics.weighted_layers()],
    )


WORDS = ["relu", "tanh"]


def round_up(share: float) -> int:
    return int(16 * share)


@pytest.fixture(scope="module")
def space() -> ab.Space:
    return make_space()


def opened(storage: str, folder: Path) -> Any:
    """A storage, each time as another process would open it."""
    if storage == "memory":
        return None
    file = folder / storage
    return f"sqlite:///{file}" if storage == "sqlite" else JournalStorage(JournalFileBackend(str(file)))


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("inside", [True, False])
def test_each_trial_leads_back_to_its_network(space: ab.Space, storage: str, inside: bool, tmp_path: Path) -> None:
    networks: dict[int, ab.Architecture] = {}

    def objective(trial: optuna.Trial) -> float:
        rate = trial.suggest_float("rate", 1e-4, 1e-1, log=True)
        networks[trial.number] = arch = space.suggest(trial)
        assert space.from_trial(trial) == arch
        trial.suggest_categorical("optimizer", ["adam", "sgd"])
        return arch.params * rate

    base = optuna.samplers.RandomSampler(seed=0)
    sampler = ab.BudgetSampler(space, ab.Budget(params=900), base) if inside else base
    study = optuna.create_study(storage=opened(storage, tmp_path), study_name="own", sampler=sampler)
    study.enqueue_trial({"units": 8, "depth": 1, "width_1": 12, "rate": 0.01})
    # Values of decisions that are inactive are there, but never taken.
    study.enqueue_trial({"units": 12, "depth": 0, "width_2": 32, "head": "plain", "share": 2.0})
    study.optimize(objective, n_trials=12)
    if storage != "memory":
        study = optuna.load_study(storage=opened(storage, tmp_path), study_name="own")
    again = make_space()
    for trial in study.trials:
        arch = again.from_trial(trial)
        assert arch == networks[trial.number]
        assert dict(arch).items() <= trial.params.items()
        assert {name: trial.user_attrs[name] for name in space.metrics} == arch.costs
        assert all(type(trial.user_attrs[name]) is int for name in space.metrics)
    assert networks[0]["width_1"] == 12
    assert set(networks[1]) <= {"units", "bias", "depth", "head"}
    assert space.best(study) == networks[study.best_trial.number]


def test_a_search_keeps_the_costs_of_each_network_once(space: ab.Space) -> None:
    study = ab.search(space, lambda arch: arch.params, ab.Budget(params=900), 5, seed=0)
    for trial in study.trials:
        assert {name: trial.user_attrs[name] for name in space.metrics} == space.from_trial(trial).costs
    assert space.best(study).params == study.best_value


def test_attributes_are_written_once(space: ab.Space, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    write = optuna.Trial.set_user_attr
    monkeypatch.setattr(optuna.Trial, "set_user_attr", lambda *given: written.append(given[1]) or write(*given))
    trial = optuna.create_study().ask()
    for _ in range(3):
        space.suggest(trial)
    assert written == ["archbudget:spaces", *space.metrics]


def test_other_trials_keep_their_costs_too(space: ab.Space) -> None:
    values = {"units": 8, "bias": True, "depth": 0, "head": "plain"}
    trial = FixedTrial({**values, "rate": 0.1})
    arch = space.suggest(trial)
    assert {name: trial.user_attrs[name] for name in space.metrics} == arch.costs
    assert space.from_trial(trial) == arch == space.architecture(values)
    study = optuna.create_study()
    study.add_trial(
        optuna.trial.create_trial(
            value=1.0,
            params={**values, "rate": 0.1},
            distributions={
                "units": optuna.distributions.IntDistribution(1, 100),
                "bias": optuna.distributions.CategoricalDistribution([True, False]),
                "depth": optuna.distributions.IntDistribution(0, 3),
                "head": optuna.distributions.CategoricalDistribution(["plain", "wide"]),
                "rate": optuna.distributions.FloatDistribution(0, 1),
            },
        )
    )
    assert space.best(study) == arch
    # As Optuna's users ask the best trial once more.
    assert space.suggest(study.best_trial) == arch


def test_a_smaller_space_takes_the_trials_that_it_still_has(space: ab.Space) -> None:
    study = optuna.create_study()
    trial = study.ask(fixed_distributions={"units": optuna.distributions.IntDistribution(8, 8)})
    arch = space.suggest(trial)
    assert space.with_domains({"units": [4, 8]}).from_trial(trial).costs == arch.costs
    with pytest.raises(SpaceError, match=r"trial 0, which took units, .*8 is not a value of decision 'units'"):
        space.with_domains({"units": [4, 16]}).from_trial(trial)


def two_objectives() -> optuna.Study:
    return optuna.create_study(directions=["minimize", "maximize"])


def test_several_objectives_have_a_front(space: ab.Space) -> None:
    study = two_objectives()
    study.optimize(lambda trial: (space.suggest(trial).params, space.from_trial(trial).macs), n_trials=5)
    with pytest.raises(SpaceError, match=r"2 objectives .*space.from_trial\(trial\) for trial in study.best_trials"):
        space.best(study)
    front = [space.from_trial(trial) for trial in study.best_trials]
    assert [arch.params for arch in front] == [trial.values[0] for trial in study.best_trials]


def test_a_study_without_a_best_trial_says_so(space: ab.Space) -> None:
    study = optuna.create_study(study_name="empty")
    with pytest.raises(SpaceError, match="study 'empty' has no best trial: No trials are completed"):
        space.best(study)
    study.ask()
    with pytest.raises(SpaceError, match="no best trial"):
        space.best(study)
    budget = ab.Budget(params=8)
    constraint = space.constraint(budget)

    def objective(trial: optuna.Trial) -> float:
        arch = space.suggest(trial)
        constraint(trial)
        return arch.params

    study.optimize(objective, n_trials=3)
    with pytest.raises(SpaceError, match="no best trial: No feasible trials"):
        space.best(study)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda space, study: space.from_trial(study), "from_trial needs an Optuna trial.*best takes a study"),
        (lambda space, _: space.from_trial({"units": 4}), "from_trial needs an Optuna trial.*architecture a mapping"),
        (lambda space, _: space.from_trial(space.sample(1)[0]), "from_trial needs an Optuna trial"),
        (lambda space, study: space.best(study.trials[0]), "best needs an Optuna study.*from_trial takes a trial"),
        (lambda space, _: space.best("sqlite:///a.db"), "best needs an Optuna study"),
        (lambda space, study: space.from_trial(study.trials[0]), "trial 0, which took rate: no value .*'bias'"),
        (lambda space, study: space.from_trial(study.ask()), "trial 1, which took nothing: no value"),
    ],
)
def test_what_is_no_trial_or_study_of_the_space_is_refused(
    space: ab.Space, ask: Callable[[ab.Space, optuna.Study], Any], message: str
) -> None:
    study = optuna.create_study()
    study.optimize(lambda trial: trial.suggest_float("rate", 0, 1), n_trials=1)
    with pytest.raises(SpaceError, match=message) as raised:
        ask(space, study)
    assert "\n" not in str(raised.value)


def test_an_architecture_of_the_parameters_of_a_study_says_what_takes_them(space: ab.Space) -> None:
    study = optuna.create_study()
    study.optimize(lambda trial: space.suggest(trial).params + trial.suggest_float("rate", 0, 1), n_trials=2)
    hint = re.escape("from_trial(trial) or best(study)")
    with pytest.raises(SpaceError, match=f"'rate'.*{hint}"):
        space.architecture(study.best_params)
    with pytest.raises(SpaceError, match="'unit'") as raised:
        space.architecture(unit=4, depth=0)
    assert "from_trial" not in str(raised.value)


def test_values_that_optuna_keeps_as_one_are_refused() -> None:
    which = ab.Choice("which", ["a", 0, 1, True])
    space = ab.Space([layers.Input((4,)), layers.Dense(which.map(["a", 0, 1, True].index) + 1)])
    assert space.size == 4
    study = optuna.create_study()
    for ask in (
        lambda: space.suggest(study.ask()),
        lambda: ab.BudgetSampler(space, ab.Budget(params=100)),
        lambda: ab.search(space, lambda arch: arch.params, ab.Budget(params=100), 2),
    ):
        with pytest.raises(ArchbudgetError, match="keeps 1 and True as one value, and decision 'which' has both"):
            ask()
    assert all(trial.state == TrialState.RUNNING for trial in study.trials)


def test_two_spaces_in_one_trial_keep_their_costs_apart(space: ab.Space) -> None:
    def of(name: str) -> ab.Space:
        return ab.Space([layers.Input((4,)), layers.Dense(ab.Int(name, 1, 9))])

    other = of("other")
    study = optuna.create_study()
    for _ in range(3):
        trial = study.ask()
        first, again = space.suggest(trial), space.suggest(trial)
        assert again == first
        with pytest.raises(SpaceError, match="has suggested another space, and keeps its costs: give this one a name"):
            other.suggest(trial)
        second = other.with_name("decoder").suggest(trial)
        with pytest.raises(SpaceError, match="has suggested another space"):
            of("third").with_name("decoder").suggest(trial)
        costs = {**first.costs, **{f"decoder.{metric}": cost for metric, cost in second.costs.items()}}
        assert {name: trial.user_attrs[name] for name in costs} == costs
        study.tell(trial, 0.0)
    trial = FixedTrial({**dict(space[0]), "other": 3})
    space.suggest(trial)
    other.with_name("decoder").suggest(trial)
    assert trial.user_attrs["decoder.params"] == 15
    assert trial.user_attrs["params"] == space[0].params


def test_a_trial_that_is_made_again_knows_whose_costs_it_keeps(space: ab.Space, tmp_path: Path) -> None:
    study = optuna.create_study(storage=f"sqlite:///{tmp_path}/study.db")
    dense = {width: ab.Space([layers.Input((4,)), layers.Dense(width, name="one")]) for width in (3, 5)}
    for first, other in ((space, dense[3]), (dense[3], dense[5])):  # The latter two have the same decisions and names.
        trial = study.ask()
        costs = first.suggest(trial).costs
        again = Trial(study, trial._trial_id)
        with pytest.raises(SpaceError, match="has suggested another space, and keeps its costs"):
            other.suggest(again)
        assert first.suggest(again).costs == costs
        other.with_name("other").suggest(again)
        other.with_name("other").suggest(Trial(study, trial._trial_id))
        kept = study.trials[-1].user_attrs
        assert {name: kept[name] for name in costs} == costs
        assert kept["other.params"] == other.range("params")[0]


def test_enqueued_names_near_those_of_decisions_are_refused_in_any_study(space: ab.Space) -> None:
    name = next(iter(space.decisions))
    wrong = f"{name}s"
    value = space.decisions[name].values[0]
    enqueued = optuna.create_study(sampler=RandomSampler(seed=0))
    enqueued.enqueue_trial({wrong: value})
    fixed = optuna.create_study(sampler=optuna.samplers.PartialFixedSampler({wrong: value}, RandomSampler(seed=0)))
    for study in (enqueued, fixed):
        with pytest.raises(SpaceError, match=f"a fixed value of '{wrong}', .* did you mean '{name}'"):
            space.suggest(study.ask())
    own = optuna.create_study(sampler=RandomSampler(seed=0))
    own.enqueue_trial({wrong: 0.5})
    trial = own.ask()
    assert trial.suggest_float(wrong, 0, 1) == 0.5  # It is a parameter of the objective.
    assert space.suggest(trial)


@pytest.mark.parametrize("gap", [None, float("nan")])
@pytest.mark.parametrize("n", [1, 2])
def test_gaps_of_enqueued_decisions_are_left_to_the_sampler(gap: object, n: int) -> None:
    space = ab.Space([layers.Input((8,)), layers.Repeat(ab.Int("n", 1, 2), layers.Dense(ab.Int("u", 1, 3)))])
    for sampler in (RandomSampler(seed=0), ab.BudgetSampler(space, ab.Budget(params=99), seed=0)):
        study = optuna.create_study(sampler=sampler)
        study.enqueue_trial({"n": n, "u_1": 2, "u_2": gap})
        study.optimize(lambda trial: space.suggest(trial).params, n_trials=1)
        (trial,) = study.trials
        assert trial.state == TrialState.COMPLETE
        assert (trial.params["n"], trial.params["u_1"]) == (n, 2)
        assert ("u_2" in trial.params) == (n == 2)
