"""The published networks of TC-ResNet and of Zaremba's language models are in their spaces, with their counts."""

from __future__ import annotations

import pytest

import archbudget as ab
from archbudget import spaces
from archbudget.errors import SpaceError

BLOCKS = [(stage, block) for stage in (1, 2, 3) for block in (1, 2, 3)]


@pytest.mark.parametrize(
    ("widths", "depth", "thousands", "megaflops"),
    [
        ((16, 24, 32, 48), 1, 66, 3.0),  # TC-ResNet8
        ((24, 36, 48, 72), 1, 145, 6.6),  # TC-ResNet8-1.5
        ((16, 24, 32, 48), 2, 137, 6.1),  # TC-ResNet14
        ((24, 36, 48, 72), 2, 305, 13.4),  # TC-ResNet14-1.5
    ],
)
def test_tc_resnet(widths: tuple[int, ...], depth: int, thousands: int, megaflops: float) -> None:
    values = {f"width_{stage}": width for stage, width in enumerate(widths)}
    values |= {f"depth_{stage}": depth for stage in (1, 2, 3)} | {f"kernel_{s}_{b}": 9 for s, b in BLOCKS}
    arch = spaces.tc_resnet().architecture(values)
    assert round(arch.params / 1000) == thousands  # Moving means and variances counted.
    assert 2 * arch.macs / 1e6 == pytest.approx(megaflops, rel=0.02)


def test_the_size_of_tc_resnet() -> None:
    assert spaces.tc_resnet().size == 23**4 * (4 + 4**2 + 4**3) ** 3


@pytest.mark.parametrize(("units", "steps", "millions"), [(650, 35, 20), (1500, 35, 66)])
def test_the_networks_of_zaremba(units: int, steps: int, millions: int) -> None:
    arch = spaces.recurrent(steps=steps).architecture(
        embedding=units, cell="lstm", depth=2, units_1=units, units_2=units
    )
    lstm = 4 * ((units + units) * units + units)
    assert arch.params == 10_000 * units + 2 * lstm + (units + 1) * 10_000
    assert round(arch.params / 1e6) == millions
    assert arch.macs == steps * (2 * 4 * 2 * units * units + units * 10_000)


def test_a_gru_by_hand() -> None:
    arch = spaces.recurrent(vocabulary=100, steps=7).architecture(embedding=50, cell="gru", depth=1, units_1=200)
    assert arch.params == 100 * 50 + 3 * 200 * (50 + 200 + 2) + 201 * 100
    assert arch.macs == 7 * (3 * 200 * (50 + 200) + 200 * 100)


def test_options_of_pytorch_by_hand() -> None:
    values = {"embedding": 50, "depth": 2, "units_1": 100, "units_2": 150}
    both, directions = ab.Choice("both", [False, True]), ab.Choice("directions", [False, True])
    space = spaces.recurrent(vocabulary=100, steps=7, two_biases=both, bidirectional=directions)
    assert set(space.decisions) == {*spaces.recurrent().decisions, "both", "directions"}
    for cell, gates in (("lstm", 4), ("gru", 3)):
        # A GRU has two biases in any case: the decision is not asked for.
        for biases in (1, 2) if cell == "lstm" else (2,):
            for ways in (1, 2):
                asked = {"cell": cell, "directions": ways == 2} | ({"both": biases == 2} if cell == "lstm" else {})
                arch = space.architecture({**values, **asked})
                weights = [gates * 100 * (50 + 100), gates * 150 * (ways * 100 + 150)]
                params = ways * (sum(weights) + biases * gates * (100 + 150))
                assert arch.params == 100 * 50 + params + (ways * 150 + 1) * 100
                assert arch.macs == 7 * (ways * sum(weights) + ways * 150 * 100)


def test_both_directions_are_refused_by_keras() -> None:
    arch = spaces.recurrent(bidirectional=True).architecture(embedding=50, cell="gru", depth=1, units_1=50)
    with pytest.raises(SpaceError, match=r"'gru' \(GRU\): Keras has no bidirectional=True.*use to_torch"):
        arch.to_keras()


def test_the_size_of_the_language_models() -> None:
    assert spaces.recurrent().size == 30 * 2 * (30 + 30**2 + 30**3 + 30**4)


@pytest.mark.parametrize("name", ["recurrent", "tc_resnet"])
def test_random_networks_are_what_keras_builds(name: str) -> None:
    pytest.importorskip("keras")
    space = spaces.SHELF[name].make()
    narrow = {"embedding", "units_1", "units_2", "units_3", "units_4"} & set(space.decisions)
    for arch in space.with_domains({each: [50, 100, 150] for each in narrow}).sample(4, seed=0):
        assert arch.to_keras().count_params() == arch.params, dict(arch)
