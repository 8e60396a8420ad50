"""Every public answer of a small space against all its networks, counted one by one."""

from __future__ import annotations

import math
import pickle
import tempfile
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import archbudget as ab
from archbudget.errors import InexactError, InfeasibleBudgetError, LimitError, SpaceError
from fuzzing.draws import LITTLE
from support.random_spaces import Enumeration, enumerate_networks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAXIMA = ("peak_activation_bytes", "worst")
"""The metrics of which the largest value of a layer counts."""
WRITES = ("Conv1D", "Conv2D", "Conv2DTranspose", "Dense", "LSTM", "Widen", "MaxPooling2D", "Concatenate")
"""Some layers that cannot work in place."""


def values_key(network: Mapping[str, Any]) -> frozenset[Any]:
    """A network as a key; 1 and True are two values."""
    return frozenset((name, type(value), value) for name, value in network.items())


def check_space(space: ab.Space, rng: Random) -> Enumeration:
    """What is said of the whole space, and of its candidates."""
    known = enumerate_networks(space)
    networks = {values_key(network) for network in known.networks}
    assert len(networks) == len(known.first)
    assert space.size == len(networks)
    _evaluated(known, rng)
    for metric in space.metrics:
        costs = known.cost(metric)
        assert space.range(metric) == (costs.min(), costs.max())
        found = space.distribution(metric, memory=rng.choice([1 << 30, 1 << 30, 3000]))
        assert found.total == space.size
        if found.exact:
            values, counts = np.unique(costs, return_counts=True)
            assert list(found.values) == values.tolist()
            assert list(found.counts) == counts.tolist()
            q = rng.random()
            assert found.quantile(q) == np.sort(costs)[max(0, math.ceil(q * len(costs)) - 1)]
            bound = int(rng.choice(costs.tolist()))
            assert found.cdf(bound) == pytest.approx((costs <= bound).mean())
    drawn = space.sample(40, seed=rng.randrange(1000))
    assert all(values_key(arch) in networks for arch in drawn)
    again = pickle.loads(pickle.dumps(space))
    assert again.size == space.size
    assert (again.evaluate(known.indices)["params"] == space.evaluate(known.indices)["params"]).all()
    _kept(drawn)
    for network in rng.sample(known.networks, min(3, len(known.networks))):
        _one_by_one(space.architecture({name: network.get(name, d.values[0]) for name, d in space.decisions.items()}))
    return known


def _evaluated(known: Enumeration, rng: Random) -> None:
    """Every form that candidates may have gives the same counts."""
    space, rows = known.space, known.indices
    values = {
        name: [decision.values[index] for index in rows[:, column]]
        for column, (name, decision) in enumerate(space.decisions.items())
    }
    dtype = rng.choice([np.uint8, np.uint16, np.uint32, np.int64, np.int8])
    forms: list[Any] = [
        rows,
        np.asfortranarray(rows.astype(dtype)),
        rows.astype(np.uint8)[::-1][::-1],
        ab.Candidates(space, rows.astype(dtype)),
        values,
        ab.Candidates(space, rows).values(),
        ab.Candidates(space, rows).to_pandas(),
        ab.Candidates(space, rows).to_pandas().to_dict("records"),
    ]
    metrics = rng.sample(space.metrics, rng.randint(1, len(space.metrics)))
    for form in forms:
        found = space.evaluate(form, metrics, threads=rng.choice([None, 1, 2]))
        assert (found.valid == known.valid).all()
        for metric in metrics:
            assert (found[metric][known.valid] == known.costs[metric][known.valid]).all(), metric
            assert (found[metric][~known.valid] == 2**63 - 1).all(), metric
    networks = [dict(arch) for arch in ab.Candidates(space, rows[known.valid])]  # Without what is inactive.
    if networks:
        assert (space.evaluate(networks)["params"] == known.costs["params"][known.valid]).all()
        if row := rng.choice(networks):
            del row[rng.choice(list(row))]
            with pytest.raises(SpaceError, match="which this network reads|has no value|no column is"):
                space.evaluate(networks)
    by_layer = space.evaluate(rows, per_layer=True)
    assert by_layer.layers is not None
    for metric in space.metrics:
        layers = by_layer.layers[metric][known.valid]
        total = layers.max(axis=1) if metric in MAXIMA else layers.sum(axis=1)
        assert (total == known.costs[metric][known.valid]).all(), metric
    if space.decisions:
        column = rng.randrange(rows.shape[1])
        wrong = rows[:3].astype(np.uint32)
        wrong[-1, column] = len(space.decisions[list(space.decisions)[column]].values) + rng.choice([0, 250])
        with pytest.raises(SpaceError):
            space.evaluate(wrong)


def _kept(drawn: ab.Candidates) -> None:
    """What is written is read again."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "drawn.npz")
        drawn.save(file)
        assert ab.Candidates.load(file, drawn.space) == drawn
    again = pickle.loads(pickle.dumps(drawn))
    assert (again.indices == drawn.indices).all()


def _one_by_one(arch: ab.Architecture) -> None:
    """The totals of a network are those of its layers; so is what is alive while each of them runs."""
    for metric, total in arch.costs.items():
        own = [layer.custom[metric] if metric in layer.custom else getattr(layer, metric) for layer in arch.layers]
        assert total == (max(own, default=0) if metric in MAXIMA else sum(own)), metric
    assert f"{arch.params:,}" in arch.summary()
    explained = arch.explain()
    for layer in arch.layers:
        if layer.params and not layer.reused:
            formulas = layer.trainable_formula, layer.non_trainable_formula
            assert sum(formula.value for formula in formulas) == layer.params
            assert all(f"{formula.value:,}" in explained for formula in formulas if formula.value)
    again = pickle.loads(pickle.dumps(arch))
    assert (dict(again), again.costs) == (dict(arch), arch.costs)
    _alive(arch)


def _alive(arch: ab.Architecture) -> None:
    """Peaks by their definition: what a layer reads and writes, and what a later layer or the caller still needs."""
    records = arch.layers
    size = arch.space._definition["bytes_per_activation"]
    position = {record.output: number for number, record in enumerate(records)}

    def made(tensor: int) -> int:
        found = arch.producer(tensor)
        assert found is not None
        return position[found.output]

    read = [{made(tensor) for tensor in record.inputs} for record in records]
    outputs = {made(tensor) for tensor in _outputs(arch)}
    for number, record in enumerate(records):
        later = outputs.union(*read[number + 1 :])
        before = {each for each in read[number] | later if each < number}
        least = size * sum(math.prod(records[each].output_shape) for each in before)
        most = least + size * math.prod(record.output_shape)
        assert least <= record.peak_activation_bytes <= most, (record.name, record.peak_activation_bytes, least, most)
        # What is still needed cannot be written over.
        if record.type in WRITES or (record.inputs and read[number] <= later):
            assert record.peak_activation_bytes == most, (record.name, record.peak_activation_bytes, most)


def _outputs(arch: ab.Architecture) -> Sequence[int]:
    return [output if isinstance(output, int) else output[0] for output in arch.space._compiled.outputs]


def check_budget(known: Enumeration, budget: ab.Budget, memory: int, rng: Random) -> bool:
    """Every answer of a set; whether it is exact."""
    space = known.space
    keeps = np.ones(len(known.first), dtype=bool)
    for metric, (low, high) in budget.items():
        keeps &= (low <= known.cost(metric)) & (known.cost(metric) <= high)
    networks = [network for network, keep in zip(known.networks, keeps, strict=True) if keep]
    keys = {values_key(network) for network in networks}
    fits = enough(space, budget, memory)
    exact, bounds = fits.exact, fits.bounds()
    assert len(networks) in bounds
    assert len(networks) / space.size in bounds / space.size
    if bounds.exact:
        assert fits.count() == len(networks)
        assert fits.fraction() == len(networks) / space.size
    else:
        assert not exact
        for ask in (fits.count, fits.fraction):
            with pytest.raises(InexactError) as raised:
                ask()
            assert (raised.value.lower, raised.value.upper) == (bounds.lower, bounds.upper)
    assert fits.is_empty() == (not networks)
    assert pickle.loads(pickle.dumps(fits)).is_empty() == (not networks)
    for network in rng.sample(known.networks, min(20, len(known.networks))):
        assert (network in fits) == (values_key(network) in keys)
    _constrained(known, budget)
    if not networks:
        for ask in (fits.marginals, fits.prune, lambda: fits.sample(1), lambda: fits.largest("macs")):
            with pytest.raises(InfeasibleBudgetError):
                ask()
        return exact
    drawn = fits.sample(30, seed=rng.randrange(1000))
    assert all(values_key(arch) in keys for arch in drawn)
    assert 0 < fits.acceptance <= 1
    _marginals(fits, networks)
    _pruned(fits, networks)
    _extremes(known, fits, keeps, rng)
    _prefixes(fits, networks, rng)
    if exact:
        members = [dict(arch) for arch in fits]
        assert {values_key(member) for member in members} == keys
        assert [fits.rank(member) for member in members] == list(range(len(networks)))
        start = rng.randrange(len(networks))
        assert [dict(arch) for arch in fits.candidates(start)] == members[start:]
    else:
        with pytest.raises(InexactError):
            fits.candidates(0, 1)
    return exact


def enough(space: ab.Space, budget: ab.Budget, memory: int) -> ab.FeasibleSet:
    """A counted set; with the least memory that is enough, where some is not, because there most is rounded."""
    while True:
        fits = space.within(budget, memory=memory)
        try:
            fits.bounds()
            return fits
        except LimitError:
            assert memory < 1 << 30
            memory = 2 * memory + 100


def _constrained(known: Enumeration, budget: ab.Budget) -> None:
    """The constraint of each bounded end is at most 0 for what keeps it, and beyond 0 for the others."""
    constraint = known.space.constraint(budget)
    rows = known.first
    found = constraint(ab.Candidates(known.space, known.indices[rows]))
    ends: list[Any] = []
    for metric, (low, high) in budget.items():
        costs = known.costs[metric][rows]
        ends += [costs <= high] * (high < 2**63 - 1) + [costs >= low] * (low > 0)
    assert found.shape == (len(rows), len(ends)), constraint.names
    assert ((found <= 0).all(axis=1) == np.logical_and.reduce(ends)).all() if ends else True


def _marginals(fits: ab.FeasibleSet, networks: Sequence[Mapping[str, Any]]) -> None:
    marginals = fits.marginals()
    # They are exact as well where the table of composites rounds nothing; its members have no ranks.
    assert marginals.exact or not fits.exact
    occurs = {
        name: {(type(network[name]), network[name]) for network in networks if name in network}
        for name in fits.space.decisions
    }
    for name, shares in marginals.items():
        assert sum(shares.values()) <= 1 + 1e-9
        for value, share in shares.items():
            if marginals.exact:
                own = [name in each and (type(each[name]), each[name]) == (type(value), value) for each in networks]
                assert share == sum(own) / len(networks), (name, value)
            elif (type(value), value) in occurs[name]:
                assert share > 0


def _pruned(fits: ab.FeasibleSet, networks: Sequence[Mapping[str, Any]]) -> None:
    pruned = fits.prune()
    keys = {values_key(network) for network in networks}
    left = pruned.within(fits.budget)
    assert {values_key(arch) for arch in left} == keys
    for name, decision in pruned.decisions.items():
        for value in decision.values:
            used = any((name, type(value), value) in key for key in keys)
            assert used or len(decision.values) == 1, (name, value)


def _extremes(known: Enumeration, fits: ab.FeasibleSet, keeps: Any, rng: Random) -> None:
    metric = rng.choice(known.space.metrics)
    costs = known.cost(metric)[keeps]
    wanted = rng.randint(int(costs.min()) - 2, int(costs.max()) + 2) + rng.choice([0, 0.5])
    try:
        smallest, largest = fits.smallest(metric), fits.largest(metric)
    except LimitError:
        assert not fits.exact
        return
    assert (smallest.costs[metric], largest.costs[metric]) == (costs.min(), costs.max())
    assert smallest in fits
    assert largest in fits
    try:
        closest = fits.closest(metric, wanted)
    except LimitError:  # It asks for a part of the set, and its choices may take more.
        assert fits.memory <= LITTLE
        return
    assert closest in fits
    assert abs(closest.costs[metric] - wanted) == np.abs(costs - wanted).min()


def _prefixes(fits: ab.FeasibleSet, networks: Sequence[Mapping[str, Any]], rng: Random) -> None:
    """What may follow, down to a complete network; and the parts of the set that the choices leave."""
    left, prefix, chosen = list(networks), [], {}
    while (found := fits.allowed(prefix)) is not None:
        name, allowed = found
        values = fits.space.decisions[name].values

        def of(value: Any, name: str = name, left: Sequence[Mapping[str, Any]] = left) -> list[Mapping[str, Any]]:
            return [each for each in left if (type(each[name]), each[name]) == (type(value), value)]

        counts = [len(of(value)) for value in values]
        assert allowed == [count > 0 for count in counts], (chosen, name)
        assert fits.allowed(chosen, name) == found
        shares = fits.shares(prefix)
        assert shares is not None
        assert [share > 0 for share in shares[1]] == allowed
        if fits.exact:
            assert shares[1] == pytest.approx([count / sum(counts) for count in counts])
        index = rng.choice([index for index, fit in enumerate(allowed) if fit])
        prefix.append(index)
        chosen[name] = values[index]
        left = of(values[index])
    assert [values_key(each) for each in left] == [values_key(chosen)]
    fixed = {name: value for name, value in chosen.items() if rng.random() < 0.5}
    pairs = {(name, type(value), value) for name, value in fixed.items()}
    agree = [
        network
        for network in networks
        if all(name not in network or (name, type(network[name]), network[name]) in pairs for name in fixed)
    ]
    part = fits.fix(fixed)
    assert not part.is_empty()
    assert len(agree) in part.bounds()
