"""Values that are enqueued: an integer may be a float, and what is no value is refused, with and without a budget."""

from __future__ import annotations

from typing import Any

import optuna
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import SpaceError


def space() -> ab.Space:
    return ab.Space(
        [
            layers.Input((4,)),
            layers.Dense(ab.Int("units", 8, 64, step=8)),
            layers.Dropout(ab.Choice("rate", [0, 0.5])),
            layers.Dense(2, use_bias=ab.Choice("bias", [True, False])),
        ]
    )


def study(given: dict[str, Any], sampler: optuna.samplers.BaseSampler | None = None) -> optuna.Study:
    made = optuna.create_study(sampler=sampler)
    made.enqueue_trial(given)
    return made


@pytest.mark.parametrize("given", [{"units": 16.0}, {"units": 16}, {"rate": 0.0}, {"rate": 0}, {"bias": True}])
@pytest.mark.parametrize("bounded", [True, False])
def test_an_integer_may_be_enqueued_as_a_float(given: dict[str, Any], bounded: bool) -> None:
    asked = space()
    made = study(given, ab.BudgetSampler(asked, ab.Budget(params=10**6)) if bounded else None)
    arch = asked.suggest(made.ask())
    assert given.items() <= dict(arch).items()
    ((name, value),) = given.items()
    assert type(arch[name]) is type(asked.decisions[name].values[asked.decisions[name].index(value)])


@pytest.mark.parametrize(
    ("name", "value"),
    [("units", value) for value in (True, 16.5, 20, "16", 1000)] + [("rate", False), ("bias", 1)],
)
def test_what_is_no_value_is_refused(name: str, value: Any) -> None:
    asked = space()
    with pytest.raises(SpaceError, match=f"is not a value of decision '{name}'"):
        asked.suggest(study({name: value}).ask())
    with pytest.raises(optuna.TrialPruned, match=f"is not a value of decision '{name}'"):
        asked.suggest(study({name: value}, ab.BudgetSampler(asked, ab.Budget(params=10**6))).ask())


def test_a_fixed_trial_is_read_as_strictly() -> None:
    asked = space()
    arch = asked.suggest(optuna.trial.FixedTrial({"units": 16.0, "rate": 0.0, "bias": True}))
    assert arch == {"units": 16, "rate": 0, "bias": True}
    constraint = asked.constraint(ab.Budget(params=arch.params))
    for params in ({"units": 16.0, "rate": 0.0, "bias": True}, {"units": 16, "rate": 0, "bias": True}):
        trial = optuna.trial.create_trial(
            value=0,
            params={"units": int(params["units"]), "rate": params["rate"], "bias": True},
            distributions={
                "units": optuna.distributions.IntDistribution(8, 64, step=8),
                "rate": optuna.distributions.CategoricalDistribution([params["rate"], 0.5]),
                "bias": optuna.distributions.CategoricalDistribution([True, False]),
            },
        )
        assert constraint(trial) == (0.0,)
    one = ab.Space([layers.Input((4,)), layers.Dense(ab.Choice("units", [1, 3]))])
    trial.params = {"units": True}
    with pytest.raises(SpaceError, match="True is not a value of decision 'units'"):
        one.constraint(ab.Budget(params=10))(trial)
