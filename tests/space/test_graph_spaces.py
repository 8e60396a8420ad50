"""Random graphs of layers: each candidate of a space is the plain network that it stands for."""

from __future__ import annotations

import itertools
import pickle
from random import Random

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import InvalidArchitectureError
from support.graph_spaces import Draw
from support.random_spaces import METRICS, enumerate_networks

COUNTS = METRICS[:-1]
MOST_COMBINATIONS = 200


@pytest.mark.parametrize("seed", range(150))
def test_each_candidate_of_a_graph_is_the_network_wired_by_hand(seed: int) -> None:
    for attempt in range(1000):
        graph = Draw(Random(seed * 1000 + attempt)).graph()
        try:
            space = graph.space()
        except InvalidArchitectureError:
            continue
        if 6 <= space.combinations <= MOST_COMBINATIONS:
            break
    else:
        raise AssertionError(f"no small space follows from seed {seed}")
    known = enumerate_networks(space)
    found = space.evaluate(known.indices)
    assert (found.valid == known.valid).all()
    for metric in METRICS:
        assert (found[metric][known.valid] == known.costs[metric][known.valid]).all()
    rows = space.evaluate(known.indices, per_layer=True).layers
    assert rows is not None
    networks = set()
    for row, each in enumerate(itertools.product(*[decision.values for decision in space.decisions.values()])):
        values = dict(zip(space.decisions, each, strict=True))
        try:
            arch, alive, taken = graph.network(values)
        except InvalidArchitectureError:
            assert not known.valid[row]
            continue
        assert known.valid[row]
        assert known.active[row] == taken
        assert [known.costs[metric][row] for metric in COUNTS] == [arch.costs[metric] for metric in COUNTS]
        assert known.costs["peak_activation_bytes"][row] == 4 * max(alive)
        own = space.architecture(values).layers
        assert [layer.peak_activation_bytes for layer in own] == [4 * values for values in alive]
        for name, peak in zip(rows.names, rows["peak_activation_bytes"][row], strict=True):
            assert peak == max((layer.peak_activation_bytes for layer in own if layer.name == name), default=0)
        networks.add(frozenset(taken.items()))
    assert space.size == len(known.first) == len(networks)
    assert pickle.loads(pickle.dumps(space)).size == space.size
    middle = max(int(np.median(known.cost("params"))), 1)
    assert space.within(ab.Budget(params=middle)).count() == (known.cost("params") <= middle).sum()
    peaks = known.cost("peak_activation_bytes")
    for peak in np.unique(peaks).tolist():
        assert space.within(ab.Budget(peak_activation_bytes=peak)).count() == (peaks <= peak).sum()
        assert space.within(ab.Budget(peak_activation_bytes=(peak, None))).count() == (peaks >= peak).sum()


def test_waiting_tensors_are_asked_for_in_the_order_of_the_decisions() -> None:
    # Each node picks among all before it, so what waits depends on every later choice.
    image = layers.Input((4,))
    tensors: list[layers.Tensor] = [layers.Identity()(image)]
    for number in range(5):
        tensors.append(layers.Dense(4)(layers.InputChoice(f"in{number}")(tensors)))
    space = ab.Space(inputs=image, outputs=tensors[-1])
    stages = space.describe().stages
    assert [stage.decision for stage in stages] == ["in0", "in1", "in2", "in3", "in4", "in2", "in3", "in4", "in4"]
    assert [stage.nodes for stage in stages] == [1, 1, 1, 2, 6, 1, 4, 14, 2]
    assert space.size == 120
