"""The decision diagram of a space in words."""

from __future__ import annotations

import pytest

import archbudget as ab
from archbudget import layers
from archbudget.space.describe import describe
from support.random_spaces import SEEDS, random_space


def wide(values: int) -> ab.Space:
    """Two decisions that a third one reads again."""
    one, two = ab.Int("one", 1, values), ab.Int("two", 1, values)
    return ab.Space([layers.Input((4,)), layers.Dense(one), layers.Dense(two), layers.Dense(one)])


def test_a_description_reads_well(lenet: ab.Space) -> None:
    assert str(lenet.describe()) == (
        "73,728 networks of 73,728 combinations; 5 decisions, 10 layers\n"
        "stage  decision  arcs are  values  nodes   arcs\n"
        "0      k1        stored         3      1      3\n"
        "1      f1        stored        16      3     48\n"
        "2      k2        stored         3     48    144\n"
        "3      f2        stored        16    144  2,304\n"
        "4      units     stored        32     58  1,856\n"
        "5 stages, 254 nodes, 4,355 arcs, 193,656 bytes"
    )


@pytest.mark.parametrize("seed", SEEDS[::4])
def test_a_description_is_that_of_the_diagram(seed: int) -> None:
    space = random_space(seed).space
    found = space.describe()
    assert (found.size, found.combinations) == (space.size, space.combinations)
    assert (found.decisions, found.layers) == (len(space.decisions), len(space.layer_names))
    for stage in found.stages:
        assert stage.values == len(space.decisions[stage.decision].values)
        assert stage.arcs == stage.nodes * stage.values
        assert stage.stored
    # An arc has five costs and an end; a node its stage and where it is entered.
    assert found.memory == found.arcs * 44 + found.nodes * 8 + 4
    assert found.to_dict()["stages"] == [stage._asdict() for stage in found.stages]
    assert len(str(found).splitlines()) == len(found.stages) + 3


def test_constraints_add_only_the_states_that_they_remember() -> None:
    one, two = ab.Int("one", 1, 8), ab.Int("two", 1, 8)
    body = [layers.Input((4,)), layers.Dense(one), layers.Flatten(), layers.Dense(two)]
    free, tied = ab.Space(body).describe(), ab.Space(body, constraints=[one <= two]).describe()
    assert free.stages == tied.stages
    assert (free.size, tied.size) == (64, 36)


def test_a_space_without_decisions_has_no_stages() -> None:
    found = ab.Space([layers.Input((4,)), layers.Dense(3)]).describe()
    assert str(found) == (
        "1 network of 1 combination; 0 decisions, 2 layers\n"
        "stage  decision  arcs are  values  nodes  arcs\n"
        "0 stages, 0 nodes, 0 arcs, 4 bytes"
    )


def test_stages_that_are_not_stored_say_so() -> None:
    space = wide(2100)
    assert [stage.stored for stage in space.describe().stages] == [True, False]
    assert "implicit" in str(describe(space))
    assert space.describe().memory > 2100 * 8


def test_a_space_that_is_too_wide_is_not_counted() -> None:
    found = wide(8200).describe()
    assert found.size is None
    assert [stage.stored for stage in found.stages] == [True, False]
    assert str(found).startswith("too many networks to be counted of 67,240,000 combinations; 2 decisions, 4 layers\n")


def test_a_size_of_thousands_of_digits_is_told_by_its_length() -> None:
    stack = [layers.Dense(ab.Choice(f"u{number}", [4, 8])) for number in range(14_500)]
    space = ab.Space([layers.Input((8,)), *stack])
    assert space.size == 2**14_500
    assert str(space.describe()).startswith("(2^14500 to 2^14501) networks")
