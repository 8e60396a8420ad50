"""Spaces with only some values of their decisions: the same networks, of those that there are, and nothing else."""

from __future__ import annotations

import pickle
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import CountOverflowError, InvalidArchitectureError, SpaceError
from support.random_parts import restrict
from support.random_spaces import METRICS, SEEDS, enumerate_networks, random_space

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def draw_part(rng: Random, space: ab.Space) -> ab.Space:
    """A random part of a space with a network in it."""
    while True:
        try:
            return space.with_domains(restrict(rng, space))
        except InvalidArchitectureError:
            continue


def table(networks: Iterable[Mapping[str, Any]], costs: Iterable[Any]) -> dict[frozenset[Any], Any]:
    """The costs of networks by their values; 1 and True are two values."""
    return {
        frozenset((name, type(value), value) for name, value in network.items()): cost
        for network, cost in zip(networks, costs, strict=True)
    }


def keeps(network: Mapping[str, Any], domains: Mapping[str, Iterable[Any]]) -> bool:
    pairs = {name: {(type(value), value) for value in values} for name, values in domains.items()}
    return all(name not in pairs or (type(value), value) in pairs[name] for name, value in network.items())


@pytest.mark.parametrize("seed", SEEDS)
def test_the_networks_are_those_whose_active_decisions_keep_to_the_values(seed: int) -> None:
    known = random_space(seed)
    rng = Random(seed)
    costs = list(zip(*(known.cost(metric).tolist() for metric in METRICS), strict=True))
    for _ in range(4):
        domains = restrict(rng, known.space)
        expected = {
            key: cost
            for (key, cost), network in zip(table(known.networks, costs).items(), known.networks, strict=True)
            if keeps(network, domains)
        }
        if not expected:
            with pytest.raises(InvalidArchitectureError):
                known.space.with_domains(domains)
            continue
        space = known.space.with_domains(domains)
        found = enumerate_networks(space)
        found_costs = zip(*(found.cost(metric).tolist() for metric in METRICS), strict=True)
        assert table(found.networks, found_costs) == expected, domains
        assert space.size == len(expected)
        for name, decision in space.decisions.items():
            kept = domains.get(name, known.space.decisions[name].values)
            assert decision.values == tuple(value for value in known.space.decisions[name].values if keeps(
                {name: value}, {name: kept}))  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS[::4])
def test_restricting_twice_is_restricting_to_what_both_keep(seed: int) -> None:
    known = random_space(seed)
    rng = Random(seed)
    first = draw_part(rng, known.space)
    second = draw_part(rng, first)
    at_once = known.space.with_domains({name: decision.values for name, decision in second.decisions.items()})
    for twin in (at_once, pickle.loads(pickle.dumps(second))):
        assert {name: each.values for name, each in twin.decisions.items() if name in second.decisions} == {
            name: each.values for name, each in second.decisions.items()
        }
    twin = pickle.loads(pickle.dumps(second))
    assert list(twin.decisions) == list(second.decisions)
    assert twin.layer_names == second.layer_names
    assert twin.domains == second.domains
    rows = second.sample(20, seed=0)
    np.testing.assert_array_equal(twin.evaluate(rows.indices)["params"], second.evaluate(rows)["params"])


WIDTH = ab.Int("width", 8, 64, step=8)


def described(widths: Any, depths: Any, ops: tuple[str, ...]) -> ab.Space:
    """A space with structure, written with some values; the operation "conv" has a decision of its own."""
    blocks: dict[str, Any] = {
        "conv": layers.Conv2D(8, ab.Choice("kernel", [1, 3]), padding="same"),
        "pool": layers.MaxPooling2D(2),
        "none": [],
    }
    return ab.Space(
        [
            layers.Input((8, 8, 1)),
            layers.OneOf("op", {name: blocks[name] for name in ops}),
            layers.Flatten(),
            layers.Repeat(
                depths,
                [layers.Dense(widths), layers.Activation(ab.Choice("activation", ["relu", "tanh"]))],
                shared=["activation"],
            ),
            layers.Dense(10),
        ]
    )


WHOLE = described(WIDTH, ab.Int("depth", 0, 3), ("conv", "pool", "none"))


def test_it_is_the_space_that_would_have_been_written() -> None:
    part = WHOLE.with_domains({"op": ["none", "pool"], "depth": [1, 2], "width_1": [8, 16], "width_2": [8, 16]})
    written = described(ab.Int("width", 8, 16, step=8), ab.Int("depth", 1, 2), ("pool", "none"))
    assert {name: repr(each) for name, each in part.decisions.items()} == {
        name: repr(each) for name, each in written.decisions.items()
    }
    assert list(part.decisions) == ["op", "depth", "width_1", "activation", "width_2"]
    assert part.layer_names == written.layer_names
    assert (part.size, part.combinations) == (written.size, written.combinations)
    rows = written.sample(200, seed=1)
    for metric in METRICS:
        np.testing.assert_array_equal(part.evaluate(rows)[metric], written.evaluate(rows)[metric])
    arch = part.sample(1, seed=2)[0]
    assert arch.summary() == written.architecture(dict(arch)).summary()
    assert arch.explain() == written.architecture(dict(arch)).explain()


def test_structure_without_networks_is_gone() -> None:
    part = WHOLE.with_domains({"depth": [0], "op": ["none"]})
    assert list(part.decisions) == ["op", "depth"]
    assert part.layer_names == ("input_layer", "flatten", "dense")
    assert part.size == 1
    with pytest.raises(SpaceError, match="unknown decisions in the architecture: 'kernel'"):
        part.architecture(op="none", depth=0, kernel=3)


def test_a_narrowed_int_with_consecutive_values_stays_an_int() -> None:
    decisions = {
        (16, 24, 32): "Int('width', 16, 32, step=8)",
        (64,): "Int('width', 64, 64)",
        (8, 24): "Choice('width', [8, 24])",
        (24, 8, 16): "Int('width', 8, 24, step=8)",
    }
    space = ab.Space([layers.Input((4,)), layers.Dense(WIDTH)])
    for values, shown in decisions.items():
        assert repr(space.with_domains({"width": values}).decisions["width"]) == shown
    repeated = ab.Space([layers.Input((4,)), layers.Repeat(2, layers.Dense(WIDTH))], domains={"width_1": [8, 16]})
    assert repr(repeated.decisions["width_1"]) == "Int('width_1', 8, 16, step=8)"
    assert repr(repeated.decisions["width_2"]) == "Int('width_2', 8, 64, step=8)"


def test_tied_uses_and_expressions_follow() -> None:
    width = ab.Int("width", 1, 4)
    space = ab.Space([layers.Input((4,)), layers.Dense(width), layers.Dense(width * 2)], domains={"width": [2, 4]})
    assert "4: units, set by (width * 2)" in space.architecture(width=2).explain("dense_1")
    assert space.evaluate({"width": [2, 4]})["params"].tolist() == [5 * 2 + 3 * 4, 5 * 4 + 5 * 8]
    with pytest.raises(SpaceError, match="3 is not a value of decision 'width'"):
        space.architecture(width=3)


def test_overflowing_values_may_be_removed() -> None:
    network = [layers.Input((2**31,)), layers.OneOf("op", {"small": layers.Dense(1), "large": layers.Dense(2**32)})]
    with pytest.raises(CountOverflowError):
        ab.Space(network)
    assert ab.Space(network, domains={"op": ["small"]}).architecture(op="small").params == 2**31 + 1


def test_domains_are_those_that_are_restricted() -> None:
    part = WHOLE.with_domains({"op": ["conv"], "kernel": [3]})
    assert part.domains == {"op": ("conv",), "kernel": (3,)}
    assert WHOLE.domains == WHOLE.with_domains({"op": ["none", "pool", "conv"]}).domains == {}
    assert part.with_domains({"op": ["conv"]}).domains == part.domains
    # What is kept of a decision that goes with its structure says nothing any more.
    other = ab.Space(WHOLE._definition["layers"], domains={"op": ["none"], "kernel": [3]})
    assert other.domains == {"op": ("none",)}
    assert "kernel" not in other.decisions


def test_a_real_network_of_a_part_is_the_one_of_the_whole() -> None:
    part = WHOLE.with_domains({"op": ["conv", "pool"], "kernel": [3], "activation": ["tanh"]})
    arch = part.architecture(op="conv", kernel=3, depth=2, width_1=16, width_2=8, activation="tanh")
    model = arch.to_keras()
    assert model.count_params() == arch.params == WHOLE.architecture(dict(arch)).params
    assert model.layers[-2].activation.__name__ == "tanh"


def test_a_study_of_the_whole_is_not_that_of_a_part() -> None:
    storage = optuna.storages.InMemoryStorage()
    budget = ab.Budget(params=5_000)
    part = WHOLE.with_domains({"op": ["pool"]})

    def run(space: ab.Space) -> optuna.Study:
        return ab.search(space, lambda arch: arch.params, budget, 8, seed=0, storage=storage, study_name="one")

    study = run(part)
    assert all(trial.params["op"] == "pool" for trial in study.trials)
    assert all("kernel" not in trial.params for trial in study.trials)
    with pytest.raises(SpaceError, match="belongs to another space"):
        run(WHOLE)


@pytest.mark.parametrize(
    ("domains", "message"),
    [
        (
            {"widht_1": [8]},
            "unknown decisions in the domains: 'widht_1' \\(did you mean width_1\\?\\); this space has op",
        ),
        ({"width": [8]}, "unknown decisions in the domains: 'width'"),
        ({"width_1": []}, r"the domain of decision 'width_1' must be a sequence of at least one value, not \[\]"),
        ({"width_1": [9]}, r"9 is not a value of decision 'width_1', which is Int\('width_1', 8, 64, step=8\)"),
        ({"width_1": [8.5]}, r"8\.5 is not a value of decision 'width_1'"),
        ({"width_1": [True]}, "True is not a value of decision 'width_1'"),
        ({"width_1": [[8]]}, r"\[8\] is not a value of decision 'width_1'"),
        ({"op": "conv"}, "the domain of decision 'op' must be a sequence of at least one value, not 'conv'"),
        ({"depth": 3}, "the domain of decision 'depth' must be a sequence of at least one value, not 3"),
        ([("op", "conv")], "domains must be a mapping"),
        ({"op": ["none"], "kernel": [2]}, "2 is not a value of decision 'kernel'"),
        ({"op": ["none"], "nothing": [2]}, "unknown decisions in the domains: 'nothing'"),
    ],
)
def test_invalid_domains_are_refused(domains: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        WHOLE.with_domains(domains)
    with pytest.raises(SpaceError, match=message):
        ab.Space(WHOLE._definition["layers"], domains=domains)


def test_a_part_lacks_the_removed_layers_and_decisions() -> None:
    part = WHOLE.with_domains({"op": ["pool", "none"], "depth": [0, 1]})
    for domains, message in [({"kernel": [1]}, "'kernel'"), ({"op": ["conv"]}, "'conv'"), ({"depth": [2]}, "2")]:
        with pytest.raises(SpaceError, match=message):
            part.with_domains(domains)
