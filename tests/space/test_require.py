"""Constraints between decisions: the networks that meet them, and no others, at the same costs."""

from __future__ import annotations

import itertools
import math
import pickle
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import CountOverflowError, InvalidArchitectureError, SpaceError
from support.random_parts import draw_condition, same
from support.random_spaces import METRICS, SEEDS, enumerate_networks, random_space

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def table(networks: list[dict[str, Any]], costs: list[Any]) -> dict[frozenset[Any], Any]:
    keys = [frozenset((name, type(value), value) for name, value in network.items()) for network in networks]
    return dict(zip(keys, costs, strict=True))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_networks_are_those_that_meet_the_constraints(seed: int) -> None:
    known = random_space(seed)
    rng = Random(seed)
    costs = list(zip(*(known.cost(metric).tolist() for metric in METRICS), strict=True))
    for _ in range(3):
        drawn = [draw_condition(rng, list(known.space.decisions.values())) for _ in range(rng.randint(1, 2))]
        allowed = [all(condition.allows(network) for condition in drawn) for network in known.networks]
        description = {**known.space._definition, "constraints": [condition.expression for condition in drawn]}
        if not any(allowed):
            with pytest.raises(InvalidArchitectureError, match="no candidate of the space can be built"):
                ab.Space(**description)
            continue
        space = ab.Space(**description)
        assert list(space.decisions) == list(known.space.decisions)
        assert space.size == sum(allowed)
        found = enumerate_networks(space)
        expected = [
            (network, cost) for network, cost, is_in in zip(known.networks, costs, allowed, strict=True) if is_in
        ]
        found_costs = list(zip(*(found.cost(metric).tolist() for metric in METRICS), strict=True))
        assert table(found.networks, found_costs) == table(*(list(each) for each in zip(*expected, strict=True)))
        counts = space.evaluate(found.indices)
        np.testing.assert_array_equal(counts.valid, found.valid)
        assert (counts["params"][found.valid] == found.costs["params"][found.valid]).all()
        assert all(space.architecture(dict(arch)) for arch in space.sample(20, seed=seed))
        middle = int(np.median(found.cost("macs")))
        budget = ab.Budget(macs=max(middle, 1))
        assert space.within(budget).count() == (found.cost("macs") <= max(middle, 1)).sum()
        twin = pickle.loads(pickle.dumps(space))
        assert (twin.size, len(twin.constraints)) == (space.size, len(drawn))


@pytest.mark.parametrize("seed", SEEDS[::3])
def test_constraints_hold_in_a_part_of_a_space(seed: int) -> None:
    known = random_space(seed)
    rng = Random(seed)
    for _ in range(5):
        condition = draw_condition(rng, list(known.space.decisions.values()))
        domains = {
            name: rng.sample(decision.values, rng.randint(1, len(decision.values)))
            for name, decision in known.space.decisions.items()
            if rng.random() < 0.5
        }
        expected = [
            network
            for network in known.networks
            if condition.allows(network)
            and all(any(same(network[name], value) for value in domains[name]) for name in domains if name in network)
        ]
        try:
            whole = ab.Space(**{**known.space._definition, "constraints": [condition.expression]})
            part = whole.with_domains(domains)
        except InvalidArchitectureError:
            assert not expected
            continue
        assert part.size == len(expected)
        assert part.constraints == whole.constraints
        none = [0] * len(expected)
        found = enumerate_networks(part).networks
        assert table(found, [0] * len(found)) == table(expected, none)


W1, W2 = ab.Int("w1", 1, 4), ab.Int("w2", 1, 4)
ROW: list[Any] = [layers.Input((4,)), layers.Dense(W1), layers.Dense(W2)]


def test_a_constraint_prunes_a_space() -> None:
    space = ab.Space(ROW, constraints=[W1 <= W2])
    assert space.size == 10
    assert space.architecture(w1=2, w2=3).params == 10 + 9
    with pytest.raises(InvalidArchitectureError) as caught:
        space.architecture(w1=3, w2=2)
    assert str(caught.value) == "the constraint w1 <= w2 is not met: its sides are 3 and 2"
    assert space.evaluate({"w1": [3, 2], "w2": [2, 2]}).valid.tolist() == [False, True]
    assert space.within(ab.Budget(params=20)).count() == sum(
        4 * a + a + a * b + b <= 20 for a in range(1, 5) for b in range(a, 5)
    )
    assert space.combinations == 16


@pytest.mark.parametrize(
    ("condition", "holds", "text"),
    [
        (W1 < W2, lambda a, b: a < b, "w1 < w2"),
        (W1 > W2, lambda a, b: a > b, "w2 < w1"),
        (W1 >= W2, lambda a, b: a >= b, "w2 <= w1"),
        (W1 * 2 <= W2 + 1, lambda a, b: 2 * a <= b + 1, "(w1 * 2) <= (w2 + 1)"),
        (ab.equal(W1, W2), lambda a, b: a == b, "equal(w1, w2)"),
        (ab.different(W1, 3), lambda a, _: a != 3, "different(w1, 3)"),
        (ab.both(W1 <= 3, W2 > 1), lambda a, b: a <= 3 and b > 1, "both((w1 <= 3), (1 < w2))"),
        (ab.either(W1 <= 1, W2 < W1), lambda a, b: a <= 1 or b < a, "either((w1 <= 1), (w2 < w1))"),
        ((W1 - W2) % 2, lambda a, b: (a - b) % 2 == 1, "(w1 - w2) % 2"),
    ],
)
def test_conditions_are_shown_as_they_are_written(condition: Any, holds: Callable[[int, int], bool], text: str) -> None:
    space = ab.Space(ROW, constraints=[condition])
    for a in range(1, 5):
        for b in range(1, 5):
            if holds(a, b):
                assert space.architecture(w1=a, w2=b)
            else:
                with pytest.raises(InvalidArchitectureError) as caught:
                    space.architecture(w1=a, w2=b)
                assert str(caught.value).startswith(f"the constraint {text} is not met")


def test_a_constraint_over_an_inactive_decision_does_not_bind() -> None:
    width = ab.Int("width", 1, 4)
    space = ab.Space(
        [layers.Input((4,)), layers.OneOf("op", {"dense": layers.Dense(width), "none": []}), layers.Dense(W2)],
        constraints=[width <= W2],
    )
    assert space.size == 10 + 4
    assert space.architecture(op="none", w2=1)


def test_decisions_of_repetitions_have_their_names_in_the_space() -> None:
    widths = [W1.narrowed(f"w1_{number}") for number in (1, 2, 3)]
    space = ab.Space(
        [layers.Input((4,)), layers.Repeat(ab.Int("depth", 0, 3), layers.Dense(W1))],
        constraints=[widths[0] <= widths[1], widths[1] <= widths[2]],
    )
    assert space.size == 1 + 4 + 10 + 20


def test_a_constraint_prunes_as_soon_as_its_decisions_are_taken() -> None:
    rest = [layers.Dense(ab.Int(f"rest{number}", 1, 3)) for number in range(3)]
    stages = [
        ab.Space([*ROW, *rest], constraints=constraints)._compiled.diagram.stages()
        for constraints in ([], [ab.equal(W1, W2)])
    ]
    # Beyond the two decisions nothing is left to remember of them.
    assert stages[0][1:] == stages[1][1:]


def test_values_that_are_no_numbers_are_compared() -> None:
    padding = ab.Choice("padding", ["same", "valid"])
    bias = ab.Choice("bias", [True, False])
    kernel = ab.Choice("kernel", [1, 3])
    space = ab.Space(
        [layers.Input((8, 8, 1)), layers.Conv2D(2, kernel, padding=padding, use_bias=bias)],
        constraints=[ab.either(ab.different(padding, "same"), kernel <= 1), ab.equal(bias, True)],
    )
    assert space.size == 3
    with pytest.raises(InvalidArchitectureError, match=r"either\(different\(padding, 'same'\), \(kernel <= 1\)\)"):
        space.architecture(padding="same", bias=True, kernel=3)
    with pytest.raises(InvalidArchitectureError, match=r"the constraint equal\(bias, True\) is not met"):
        space.architecture(padding="same", bias=False, kernel=1)
    assert repr(ab.equal(padding, "same")) == "equal(Choice('padding', ['same', 'valid']), 'same')"


def test_equality_is_a_condition() -> None:
    assert ab.Space(ROW, constraints=[W1 == W2]).size == ab.Space(ROW, constraints=[ab.equal(W1, W2)]).size
    assert ab.Space(ROW, constraints=[W1 != 2]).size == ab.Space(ROW, constraints=[ab.different(W1, 2)]).size


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        ([True], "a condition over decisions such as width1 <= width2, not True"),
        ([3], "a condition over decisions such as width1 <= width2, not 3"),
        (["w1 <= w2"], "not 'w1 <= w2'"),
        (W1 <= W2, "constraints must be a sequence of conditions"),
        (None, "constraints must be a sequence of conditions, not None"),
        ([ab.minimum(1, 2)], r"minimum\(1, 2\) reads no decision"),
        (
            [ab.Int("other", 1, 2) <= W1],
            "other <= w1 reads decision 'other', which no layer uses; this space has w1, w2",
        ),
        ([ab.Int("w1", 1, 3) <= W2], "two decisions are named 'w1', with different values"),
        ([ab.channels() <= W1], "reads the input of a layer, but stands beside no layer"),
        ([ab.Choice("w", ["a"])], "decision 'w' must have integer values"),
        ([W1 + W2], r"the constraint w1 \+ w2 is a number, not a condition; compare it, as in w1 \+ w2 <= 8"),
        ([W1], "the constraint w1 is a number"),
    ],
)
def test_anything_but_a_constraint_is_refused(constraints: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        ab.Space(ROW, constraints=constraints)


def test_a_number_is_no_condition_of_a_row_or_a_file() -> None:
    for number in (W1 - 4, ab.channels()):
        with pytest.raises(SpaceError, match="is a number, not a condition"):
            layers.Require(number)
    text = "decisions: {u: [1, 2]}\nlayers:\n- Input: [8]\n- Dense: $u\nconstraints:\n- $u + 1\n"
    with pytest.raises(SpaceError, match=r"^space:6: constraints\[0\]: the constraint u \+ 1 is a number"):
        ab.Space.from_yaml(text)


def test_numbers_of_conditions_are_conditions() -> None:
    flag = ab.Choice("flag", [0, 1])
    row = [*ROW, layers.Dense(flag + 1)]
    for condition, holds in (
        ((W1 < 3) * (W2 < 3), lambda a, b, _: a < 3 and b < 3),
        ((W1 < 2) + (W2 < 2), lambda a, b, _: a < 2 or b < 2),
        (W1 % 2, lambda a, *_: a % 2 == 1),
        (flag, lambda *given: given[2] == 1),
        (ab.maximum(flag, W1 < 2), lambda a, _, c: c == 1 or a < 2),
    ):
        expected = sum(map(bool, itertools.starmap(holds, itertools.product(W1.values, W2.values, flag.values))))
        assert ab.Space(row, constraints=[condition]).size == expected


@pytest.mark.parametrize("right", ["b", 2.5, None, True])
def test_a_comparison_with_an_unknown_value_is_refused(right: Any) -> None:
    with pytest.raises(SpaceError, match="is not a value of decision 'w1'"):
        ab.equal(W1, right)
    with pytest.raises(SpaceError):
        ab.different(W1 + 1, right)


def test_constraints_that_nothing_meets_leave_no_space() -> None:
    with pytest.raises(InvalidArchitectureError, match="no candidate .* the constraint w2 < w1 is not met: its sides"):
        ab.Space(ROW, constraints=[W1 <= W2, W1 > W2])


def test_a_condition_that_cannot_be_computed_says_so() -> None:
    with pytest.raises(CountOverflowError, match="exceed"):
        ab.Space(ROW, constraints=[W1 * 2**62 <= W2])
    space = ab.Space(ROW, constraints=[8 // (W1 - 1) <= W2 + 8])
    with pytest.raises(InvalidArchitectureError, match="is not met: an expression divides 8 by 0"):
        space.architecture(w1=1, w2=1)


@pytest.mark.parametrize("seed", SEEDS[::4])
def test_constraints_are_added_to_a_part_of_a_space_in_any_order(seed: int) -> None:
    known = random_space(seed)
    rng = Random(seed)

    def some(space: ab.Space) -> dict[str, Any]:
        return {
            name: rng.sample(decision.values, rng.randint(1, len(decision.values)))
            for name, decision in space.decisions.items()
            if rng.random() < 0.4
        }

    space, networks = known.space, known.networks
    for _ in range(4):
        before = space.constraints
        condition = draw_condition(rng, list(space.decisions.values()))
        domains = some(space)
        networks = [
            network
            for network in networks
            if condition.allows(network)
            and all(any(same(network[name], value) for value in domains[name]) for name in domains if name in network)
        ]
        try:
            if rng.random() < 0.5:
                space = space.with_constraints([condition.expression]).with_domains(domains)
            else:
                space = space.with_domains(domains)
                if not condition.reads <= set(space.decisions):
                    with pytest.raises(SpaceError, match="unknown decisions in the constraints"):
                        space.with_constraints([condition.expression])
                    return
                space = space.with_constraints(iter([condition.expression]))
        except InvalidArchitectureError:
            assert not networks
            return
        assert space.constraints == (*before, condition.expression)
        assert space.size == len(networks)
        found = enumerate_networks(space).networks
        assert table(found, [0] * len(found)) == table(networks, [0] * len(networks))
        assert pickle.loads(pickle.dumps(space)).size == space.size


def test_a_constraint_knows_all_values_that_are_kept() -> None:
    space = ab.Space(ROW)
    part = space.with_domains({"w1": [2, 3]})
    for values in ([2, 3], [3, 2], [1, 2, 3], [1, 2, 3, 4]):
        assert part.with_constraints([ab.Choice("w1", values) <= W2]).size == 3 + 2
    for values in ([2], [2, 3, 5], [2.5, 3.0]):
        with pytest.raises(SpaceError, match="two decisions are named 'w1'"):
            part.with_constraints([ab.different(ab.Choice("w1", values), values[0])])
    with pytest.raises(SpaceError, match="unknown decisions in the constraints: 'w3'; this space has w1, w2"):
        space.with_constraints([ab.Int("w3", 1, 2) <= W2])
    with pytest.raises(SpaceError, match="sequence of conditions"):
        space.with_constraints(W1 <= W2)  # type: ignore[arg-type]


def test_a_constraint_of_removed_decisions_does_not_bind() -> None:
    width = ab.Int("width", 1, 4)
    space = ab.Space(
        [layers.Input((4,)), layers.OneOf("op", {"dense": layers.Dense(width), "none": []}), layers.Dense(W2)],
        constraints=[width <= W2],
    )
    part = space.with_domains({"op": ["none"]})
    assert part.size == 4
    assert list(part.decisions) == ["op", "w2"]


def test_a_pruned_space_keeps_its_constraints() -> None:
    space = ab.Space(ROW, constraints=[W1 > W2])
    part = space.within(ab.Budget(params=10_000)).prune()
    assert part.domains == {"w1": (2, 3, 4), "w2": (1, 2, 3)}
    assert part.size == space.size == 6


def test_a_search_proposes_only_what_meets_the_constraints() -> None:
    space = ab.Space(ROW, constraints=[W1 <= W2])
    budget = ab.Budget(params=25)
    study = ab.search(space, lambda arch: arch.macs, budget, 15, seed=0)
    assert all(trial.state == optuna.trial.TrialState.COMPLETE for trial in study.trials)
    assert all(trial.params["w1"] <= trial.params["w2"] for trial in study.trials)


def test_a_study_belongs_to_the_constraints_of_its_space(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/search.db"
    spaces = {"free": [], "tied": [W1 <= W2], "strict": [W1 < W2]}

    def run(name: str, constraints: list[Any]) -> optuna.Study:
        space = ab.Space(ROW, constraints=constraints)
        budget = ab.Budget(params=1000)
        return ab.search(space, lambda arch: arch.macs, budget, 2, seed=0, storage=storage, study_name=name)

    for name, constraints in spaces.items():
        run(name, constraints)
        assert len(run(name, list(constraints)).trials) == 2
        for other in spaces.values():
            if other is not constraints:
                with pytest.raises(SpaceError, match="belongs to another space"):
                    run(name, other)


# As a block


def test_a_block_requires_within_its_branch() -> None:
    branch = [layers.Dense(W1), layers.Require(W1 <= 2)]
    space = ab.Space([layers.Input((4,)), layers.OneOf("op", {"few": branch, "all": layers.Dense(W1)})])
    assert space.size == 2 + 4
    with pytest.raises(InvalidArchitectureError, match="the constraint w1 <= 2 is not met: its sides are 3 and 2"):
        space.architecture(op="few", w1=3)
    assert space.architecture(op="all", w1=3)


def test_a_block_requires_in_each_repetition() -> None:
    kernel = ab.Choice("kernel", [1, 3])
    body = [layers.Conv2D(W1, kernel, padding="same"), layers.Require(ab.either(W1 <= 2, ab.equal(kernel, 1)))]
    space = ab.Space([layers.Input((8, 8, 1)), layers.Repeat(ab.Int("depth", 0, 2), body)])
    assert space.size == 1 + 6 + 36
    with pytest.raises(InvalidArchitectureError, match=r"either\(\(w1_2 <= 2\), equal\(kernel_2, 1\)\)"):
        space.architecture(depth=2, w1_1=1, w1_2=4, kernel_1=3, kernel_2=3)


def test_a_block_takes_the_decisions_that_it_reads_and_hands_on_its_input() -> None:
    space = ab.Space([layers.Input((4,)), layers.Require(W1 < W2), layers.Dense(W1)])
    assert list(space.decisions) == ["w1", "w2"]
    assert space.size == 6
    source = layers.Input((4,))
    graph = ab.Space(inputs=source, outputs=layers.Dense(W1)(ab.Require(W1 <= 2)(source)), constraints=[W1 > 1])
    assert graph.size == 1
    arch = graph.architecture(w1=2)
    assert arch.params == 10
    assert arch.to_keras().count_params() == 10
    assert repr(layers.Require(W1 <= 2)) == "Require((Int('w1', 1, 4) <= 2))"
    with pytest.raises(SpaceError, match="hands on one tensor, but 2 were given"):
        ab.Space(inputs=source, outputs=layers.Require(W1 <= 2)([source, source]))
    with pytest.raises(SpaceError, match="a constraint is a condition"):
        layers.Require(True)  # type: ignore[arg-type]


MANY = [ab.Int(f"u{number}", 8, 128, step=8) for number in range(8)]
FLAGS = [ab.Choice(f"f{number}", [False, True]) for number in range(24)]


@pytest.mark.parametrize(
    ("condition", "size"),
    [
        (sum(MANY) <= 512, 1_701_165_096),  # type: ignore[operator]
        (ab.equal(sum(MANY), 512), 123_406_419),
        (ab.maximum(*MANY) <= 64, 16_777_216),
        (ab.minimum(*MANY) <= 16, 16**8 - 14**8),
        (ab.both(*(width > 8 for width in MANY)), 15**8),
        (ab.either(*(width == 8 for width in MANY)), 16**8 - 15**8),
        (sum(width == 8 for width in MANY) >= 7, 8 * 15 + 1),
    ],
)
def test_a_condition_over_many_decisions_keeps_its_partial_value(condition: Any, size: int) -> None:
    space = ab.Space([layers.Input((8,)), *map(layers.Dense, MANY)], constraints=[condition])
    assert space.size == size
    assert max(stage.nodes for stage in space.describe().stages) <= 1024


def test_flags_are_counted() -> None:
    rows = [layers.Input((8,)), *(layers.Dense(4, use_bias=flag) for flag in FLAGS)]
    space = ab.Space(rows, constraints=[sum(FLAGS) <= 3])
    assert space.size == 1 + 24 + 276 + 2024 == 2325
    assert max(stage.nodes for stage in space.describe().stages) <= 5


def test_at_most_two_skips_in_a_cell_of_darts() -> None:
    space = ab.spaces.darts()
    operations = [
        each for name, each in space.decisions.items() if name.startswith("normal") and "skip_connect" in each.values
    ]
    assert len(operations) == 8
    part = space.with_constraints([sum(each == "skip_connect" for each in operations) <= 2])
    assert part.size * 7**8 == space.size * (6**8 + 8 * 6**7 + 28 * 6**6)


@pytest.mark.parametrize("seed", range(60))
def test_sums_and_products_of_inactive_decisions_bind_where_all_are_active(seed: int) -> None:
    rng = Random(seed)
    depth = ab.Int("depth", 0, rng.randint(1, 2))
    width, rate, bias = ab.Int("width", 1, 2), ab.Choice("rate", [0.1, 0.3]), ab.Choice("bias", [True, False])
    rows = [
        layers.Input((2,)),
        layers.Repeat(depth, [layers.Dense(width), layers.Dropout(rate)]),
        layers.OneOf("op", {"dense": layers.Dense(ab.Int("units", 1, 3), use_bias=bias), "none": []}),
        layers.Dense(rng.choice([1, ab.Int("last", 1, 2)])),
    ]
    whole = ab.Space(rows)
    numbers: list[Any] = [
        each.map(lambda value: round(10 * value)) if name.startswith("rate") else each
        for name, each in whole.decisions.items()
        if name != "op"
    ]
    some = rng.sample(numbers, min(len(numbers), rng.randint(2, 5)))
    total: Any = rng.choice([sum(some), ab.maximum(*some), ab.minimum(*some), math.prod(some)])
    condition = rng.choice([total <= rng.randint(2, 9), total == rng.randint(1, 9), total % 3 == 1, total > 4])
    read = {decision.name for decision in condition.decisions()}
    networks = enumerate_networks(whole).networks
    allowed = [network for network in networks if not read <= network.keys() or condition.at(network)]
    if not allowed:
        return
    part = whole.with_constraints([condition])
    assert part.size == len(allowed)
    found = enumerate_networks(part).networks
    assert table(found, [0] * len(found)) == table(allowed, [0] * len(allowed))


def test_a_condition_reads_the_shape_where_it_stands() -> None:
    side, times = ab.Int("side", 60, 80), ab.Int("times", 1, 3)
    rows = [
        layers.Input((side, side, 1)),
        layers.Repeat(times, layers.MaxPooling2D(2, padding="same")),
        layers.Repeat(times, layers.UpSampling2D(2)),
        layers.Require(ab.equal(ab.channels(0), side)),
    ]
    space = ab.Space(rows)
    assert space.size == 20
    assert all(arch["side"] % 2 ** arch["times"] == 0 for arch in space.sample(100, seed=0))
    with pytest.raises(InvalidArchitectureError, match=r"the constraint equal\(channels\(axis=0\), side\) is not met"):
        space.architecture(side=61, times=1)
    with pytest.raises(SpaceError, match="stands beside no layer"):
        ab.Space(rows[:2], constraints=[ab.channels() <= times])


@pytest.mark.parametrize("limit", range(2, 7))
@pytest.mark.parametrize("reads", [False, True])
def test_conditions_on_shapes_hold_within_blocks(limit: int, reads: bool) -> None:
    width, again = ab.Int("width", 1, 4), ab.Int("again", 1, 4)
    condition = (ab.channels() + (again if reads else 0) <= limit) | (ab.channels() == 4)
    inside = [layers.Dense(width), layers.Require(condition), layers.Activation("relu"), layers.Dense(again)]
    allowed = sum(
        first + (second if reads else 0) <= limit or first == 4
        for first, second in itertools.product(range(1, 5), repeat=2)
    )
    for rows, size in (
        ([layers.Input((3,)), *inside], allowed),
        ([layers.Input((3,)), layers.Residual([*inside, layers.Dense(3)])], allowed),
        ([layers.Input((3,)), layers.OneOf("op", {"a": inside, "b": []}), layers.Dense(2)], allowed + 1),
        ([layers.Input((3,)), *inside, layers.Dense(width), layers.Dense(again)], allowed),
    ):
        assert ab.Space(rows).size == size


@pytest.mark.parametrize("seed", range(150))
def test_conditions_in_branches_and_over_the_whole_bind_together(seed: int) -> None:
    """A branch may be the first to take a decision that all others take later, or never."""
    rng = Random(seed)
    names = "defg"
    decisions = {name: ab.Int(name, 1, rng.randint(2, 3)) for name in names}

    def condition() -> tuple[Any, str]:
        read = sorted(rng.sample(names, rng.randint(2, 3)))
        total = sum(decisions[name] for name in read)
        bound = rng.randint(len(read), 3 * len(read))
        return rng.choice([total <= bound, total == bound, total % 2 == 0, total >= bound]), "".join(read)

    branches = {op: [condition() for _ in range(rng.randint(0, 2))] for op in "abc"}
    before, after = ([name for name in names if rng.random() < 0.4] for _ in range(2))
    whole = [condition() for _ in range(rng.randint(1, 2))]
    rows: list[Any] = [
        layers.Input((2,)),
        *(layers.Dense(decisions[name]) for name in before),
        ab.OneOf("op", {op: [layers.Require(each) for each, _ in given] for op, given in branches.items()}),
        layers.Dense(1),
        *(layers.Dense(decisions[name]) for name in after),
    ]
    space = ab.Space(rows)
    known = {decision.name for decision in space.decisions.values()}
    whole = [(each, read) for each, read in whole if set(read) <= known]
    expected = set()
    for op, given in branches.items():
        active = {*before, *after, *(name for _, read in given for name in read)}
        for values in itertools.product(*[decisions[name].values for name in names]):
            taken = dict(zip(names, values, strict=True))
            bound = [each for each, read in whole if set(read) <= active]
            if all(each.at(taken) for each in [*(each for each, _ in given), *bound]):
                expected.add((op, *((name, taken[name]) for name in names if name in active)))
    try:
        constrained = space.with_constraints([each for each, _ in whole])
    except InvalidArchitectureError:
        assert not expected
        return
    assert constrained.size == len(expected)
    found = enumerate_networks(constrained).networks
    assert {(each["op"], *((name, each[name]) for name in names if name in each)) for each in found} == expected
