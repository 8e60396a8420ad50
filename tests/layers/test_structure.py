"""Layers put together: in a row, one of several, several times, around a skip connection, and with shared weights."""

from __future__ import annotations

import itertools
import math
import pickle
from random import Random
from typing import Any

import pytest

import archbudget as ab
from archbudget import layers
from archbudget._expressions import OPERATORS, Binary
from archbudget.errors import InvalidArchitectureError, SpaceError
from support.random_spaces import enumerate_networks


def params(space: ab.Space, **values: Any) -> int:
    return space.architecture(**values).params


def test_one_of_counts_the_branch_that_is_taken() -> None:
    space = ab.Space(
        [
            layers.Input((4,)),
            layers.OneOf("op", {"identity": [], "dense": layers.Dense(4), "deep": [layers.Dense(8), layers.Dense(4)]}),
            layers.Dense(2),
        ]
    )
    assert space.size == 3
    assert {op: params(space, op=op) for op in ("identity", "dense", "deep")} == {
        "identity": 10,
        "dense": 20 + 10,
        "deep": 40 + 36 + 10,
    }


def test_the_branches_of_a_list_are_named_by_layer_or_position() -> None:
    one_of = layers.OneOf("op", [layers.Dense(4, name="narrow"), layers.Dense(8), [], layers.Residual(layers.Dense(4))])
    assert one_of.decision.values == ("narrow", "1_Dense", "2_Sequential", "3_Residual")


def test_branches_with_one_name_are_refused() -> None:
    with pytest.raises(SpaceError, match="narrow"):
        layers.OneOf("op", [layers.Dense(4, name="narrow"), layers.Dense(8, name="narrow")])


def test_branches_may_belong_to_a_decision_that_is_used_elsewhere() -> None:
    width = ab.Choice("width", [4, 8])
    space = ab.Space([layers.Input((4,)), layers.OneOf(width, {4: [], 8: layers.Dense(8)}), layers.Dense(width)])
    assert space.size == 2
    assert params(space, width=4) == 20
    assert params(space, width=8) == 40 + 72


@pytest.mark.parametrize("blocks", [{}, [], {"a": layers.Dense(1)}, {"a": [], "b": [], "c": []}])
def test_branches_that_do_not_match_their_decision_are_refused(blocks: Any) -> None:
    with pytest.raises(SpaceError, match=r"OneOf|no values"):
        layers.OneOf(ab.Choice("op", ["a", "b"]), blocks)


@pytest.mark.parametrize("block", [None, 3, "Dense", layers.Dense])
def test_anything_but_a_block_is_refused(block: Any) -> None:
    for build in (
        lambda: layers.OneOf("op", {"a": block, "b": []}),
        lambda: layers.Residual(block),
        lambda: layers.Sequential([block]),
    ):
        with pytest.raises(SpaceError, match="building block"):
            build()


def test_repeat_takes_new_layers_and_decisions_each_time() -> None:
    space = ab.Space(
        [layers.Input((4,)), layers.Repeat(ab.Int("depth", 0, 3), layers.Dense(ab.Choice("width", [1, 2])))]
    )
    assert list(space.decisions) == ["depth", "width_1", "width_2", "width_3"]
    assert space.size == 1 + 2 + 4 + 8
    assert params(space, depth=0) == 0
    assert params(space, depth=3, width_1=1, width_2=2, width_3=1) == 5 + 4 + 3


def test_repeat_shares_the_decisions_in_shared() -> None:
    width, bias = ab.Choice("width", [1, 2]), ab.Choice("bias", [True, False])
    for shared in ([width], ["width"]):
        space = ab.Space([layers.Input((4,)), layers.Repeat(2, layers.Dense(width, use_bias=bias), shared=shared)])
        assert list(space.decisions) == ["width", "bias_1", "bias_2"]
        assert params(space, width=2, bias_1=False, bias_2=True) == 8 + 6


def test_repeat_takes_a_function_of_the_number() -> None:
    width = ab.Choice("width", [2, 4])
    space = ab.Space(
        [layers.Input((4,)), layers.Repeat(ab.Int("depth", 1, 3), lambda number: layers.Dense(width * number))]
    )
    assert list(space.decisions) == ["depth", "width"]
    assert space.size == 6
    assert params(space, depth=3, width=2) == 5 * 2 + 3 * 4 + 5 * 6


def test_repetitions_can_be_nested() -> None:
    inner = layers.Repeat(ab.Int("inner", 0, 1), layers.Dense(ab.Choice("width", [1, 2])))
    space = ab.Space([layers.Input((4,)), layers.Repeat(2, inner)])
    assert list(space.decisions) == ["inner_1", "width_1_1", "inner_2", "width_2_1"]
    assert space.size == 9
    assert params(space, inner_1=1, width_1_1=2, inner_2=1, width_2_1=1) == 10 + 3


def test_a_repetition_of_a_given_number_needs_no_decision() -> None:
    space = ab.Space([layers.Input((4,)), layers.Repeat(3, layers.Dense(4))])
    assert not space.decisions
    assert params(space) == 60
    assert params(ab.Space([layers.Input((4,)), layers.Repeat(0, layers.Dense(4)), layers.Dense(1)])) == 5


def test_named_layers_are_numbered_in_repetitions() -> None:
    space = ab.Space([layers.Input((4,)), layers.Repeat(2, layers.Dense(4, name="body"))])
    assert space.layer_names == ("input_layer", "body_1", "body_2")


@pytest.mark.parametrize(
    "times",
    [
        -1,
        True,
        1.5,
        "2",
        None,
        ab.Choice("times", [-1, 2]),
        ab.Choice("times", ["1"]),
        ab.channels(),
        ab.Int("a", 0, 2) - 1,
        6 // ab.Int("a", 0, 2),
        ab.Int("a", 1, 2000) * ab.Int("b", 1, 2000),
    ],
)
def test_bad_numbers_of_repetitions_are_refused(times: Any) -> None:
    with pytest.raises(SpaceError, match=r"Repeat|times|stands beside no layer|not positive"):
        layers.Repeat(times, layers.Dense(4))


def test_a_block_that_depends_on_how_often_it_is_repeated() -> None:
    depth = ab.Int("depth", 1, 3)
    space = ab.Space([layers.Input((4,)), layers.Repeat(depth, lambda _: layers.Dense(depth * 2))])
    assert space.size == 3
    assert params(space, depth=2) == 5 * 4 + 5 * 4


def times_of(rng: Random, decisions: list[ab.Choice]) -> Any:
    first, second, third = decisions
    return rng.choice(
        [
            first.map(lambda value: 3 - value),
            first * 2,
            (first + 1) // 2,
            first + second,
            first * second,
            ab.minimum(first, second) + third,
            ab.round_to(first + third, 2),
            (first < second) + (ab.equal(third, 1)),
            ab.both(first, second),
            ab.maximum(first - second, 0),
            ab.equal(first, 3) + ab.different(second, 5),
            ab.maximum(third, 1) * ((first + second) // ab.maximum(third, 1)),
        ]
    )


def test_a_residual_may_merge_otherwise() -> None:
    image = layers.Input((4, 4, 3))
    gate, wide = layers.GlobalAveragePooling2D(keepdims=True), layers.Conv2D(2, 1)
    space = ab.Space(
        [image, layers.Residual(gate, merge=layers.Multiply()), layers.Residual(wide, merge=layers.Concatenate())]
    )
    gated = layers.Multiply()([image, gate(image)])
    by_hand = ab.Space(inputs=image, outputs=layers.Concatenate()([gated, wide(gated)]))
    assert space.architecture().layers[-1].output_shape == (4, 4, 5)
    assert space.architecture().costs == by_hand.architecture().costs
    with pytest.raises(ab.errors.InvalidArchitectureError, match="Multiply"):
        ab.Space([image, layers.Residual(layers.Conv2D(2, 1), merge=layers.Multiply())])


@pytest.mark.parametrize("seed", range(60))
def test_a_number_of_repetitions_follows_from_decisions(seed: int) -> None:
    """Each candidate is the network with as many blocks in a row, and inactive repetitions multiply nothing."""
    rng = Random(seed)
    decisions = [ab.Choice(f"d{number}", rng.sample(range(4), rng.randint(1, 3))) for number in range(3)]
    times, tied = times_of(rng, decisions), rng.choice([None, *decisions])
    wide = ab.Choice("wide", [2, 3])
    block: Any = rng.choice(
        [
            [layers.Dense(wide), layers.BatchNormalization()],
            layers.Residual([layers.Dense(wide), layers.Dense(4, name="back")]),
            [layers.Dense(wide), layers.OneOf("op", {"none": [], "dense": layers.Dense(wide * 2)})],
        ]
    )

    shared = ["op"] if isinstance(block[-1] if isinstance(block, list) else None, layers.OneOf) else []

    def build(times: Any, units: Any) -> ab.Space:
        return ab.Space(
            [
                layers.Input((4,)),
                layers.Dense(units),
                layers.Dense(4),
                layers.Repeat(times, block, shared=shared),
                layers.Dense(1),
            ]
        )

    space = build(times, 1 if tied is None else tied + 1)
    known = enumerate_networks(space)
    found = space.evaluate(known.indices)
    assert found.valid.all()
    networks = set()
    for row, each in enumerate(itertools.product(*[decision.values for decision in space.decisions.values()])):
        values = dict(zip(space.decisions, each, strict=True))
        plain = build(int(times.at(values)), 1 if tied is None else values[tied.name] + 1)
        arch = plain.architecture({name: value for name, value in values.items() if name in plain.decisions})
        assert [found[metric][row] for metric in arch.costs] == list(arch.costs.values())
        read = {decision.name for decision in [*times.decisions(), *([] if tied is None else [tied])]}
        networks.add(frozenset({**{name: values[name] for name in read}, **arch}.items()))
    assert space.size == len(known.first) == len(networks)


@pytest.mark.parametrize("seed", range(20))
def test_expressions_have_the_values_that_the_engine_computes(seed: int) -> None:
    decisions = [ab.Int(f"d{number}", -4, 4, step=2) for number in range(2)]
    rng = Random(seed)
    pool: list[Any] = [*decisions, 1, 3, 35]
    operators = list(OPERATORS)
    expression: Any = Binary(operators[seed % len(operators)], decisions[0] * rng.choice([1, 7]), rng.choice(pool))
    expression = Binary(rng.choice(operators), expression, ab.maximum(decisions[1], rng.choice([1, 2])))
    space = ab.Space([layers.Input((1,)), layers.Dense(expression + 10**6, use_bias=False)])
    counted = 0
    for first, second in itertools.product(*[decision.values for decision in decisions]):
        try:
            params = space.architecture(d0=first, d1=second).params
        except InvalidArchitectureError:
            with pytest.raises(SpaceError, match="not positive|is negative"):
                expression.at({"d0": first, "d1": second})
        else:
            assert params == expression.at({"d0": first, "d1": second}) + 10**6
            counted += 1
    assert counted >= 10


def test_the_scales_of_efficientnet_repeat_blocks() -> None:
    """As often as ceil(base * coefficient): a product in hundredths, rounded up."""
    base, coefficient = ab.Int("base", 1, 4), ab.Choice("coefficient", [1.0, 1.2, 2.2])
    hundredths = coefficient.map(lambda value: round(100 * value))
    space = ab.Space([layers.Input((2,)), layers.Repeat((base * hundredths + 99) // 100, layers.Dense(2))])
    assert space.size == 12
    for number, value in itertools.product(range(1, 5), coefficient.values):
        assert params(space, base=number, coefficient=value) == 6 * math.ceil(number * value)
    assert space.layer_names[1:] == ("dense", *(f"dense_{number}" for number in range(1, 9)))


def test_the_number_of_repetitions_is_taken_outside_them() -> None:
    times = ab.Int("a", 0, 1) + ab.Int("b", 0, 1)
    inner = layers.Repeat(times, layers.Dense(ab.Choice("width", [1, 2])))
    space = ab.Space([layers.Input((4,)), layers.Repeat(2, inner, shared=["b"])])
    assert list(space.decisions) == ["a_1", "b", "width_1_1", "width_1_2", "a_2", "width_2_1", "width_2_2"]
    assert space.size == (1 + 2) ** 2 + (2 + 4) ** 2
    narrowed = space.with_domains({"b": [0], "a_2": [0]})
    assert list(narrowed.decisions) == ["a_1", "b", "width_1_1", "a_2"]
    assert narrowed.size == 3


@pytest.mark.parametrize("block", [layers.Dense(4), layers.Sequential([layers.Dense(4)])])
def test_layers_are_new_in_each_repetition_even_if_a_function_gives_the_same(block: layers.Block) -> None:
    for each in (block, lambda _: block):
        space = ab.Space([layers.Input((4,)), layers.Repeat(ab.Int("depth", 1, 3), each)])
        assert [params(space, depth=depth) for depth in (1, 2, 3)] == [20, 40, 60]
        assert not any(record.reused for record in space.architecture(depth=3).layers)


def test_a_block_of_two_repeats_is_new_in_each_and_one_repeat_used_twice_is_not() -> None:
    block = [layers.Dense(4, use_bias=ab.Choice("bias", [True, False])), layers.BatchNormalization()]
    depth = ab.Int("depth", 1, 2)
    space = ab.Space([layers.Input((4,)), layers.Repeat(depth, block), layers.Repeat(depth, block)])
    assert params(space, depth=2, bias_1=True, bias_2=False) == 2 * (20 + 16 + 16 + 16)
    repeat = layers.Repeat(depth, block)
    space = ab.Space([layers.Input((4,)), repeat, repeat])
    assert params(space, depth=2, bias_1=True, bias_2=False) == 20 + 16 + 16 + 16


def test_a_layer_may_be_shared_by_all_repetitions() -> None:
    again = layers.Dense(4, use_bias=ab.Choice("bias", [True, False]), name="again")
    own = layers.Dense(4, name="own")
    blocks: list[Any] = [[own, again], lambda number: [layers.Dense(4, name=f"own_{number}"), again]]
    for block in blocks:
        space = ab.Space([layers.Input((4,)), layers.Repeat(ab.Int("depth", 0, 3), block, shared=[again])])
        assert list(space.decisions) == ["depth", "bias"]
        assert space.layer_names == ("input_layer", "own_1", "again", "own_2", "own_3")
        assert [params(space, depth=depth, bias=True) for depth in (0, 1, 2, 3)] == [0, 40, 60, 80]
        arch = space.architecture(depth=3, bias=False)
        assert (arch.params, arch.macs) == (16 + 60, 6 * 16)
        assert arch.to_keras().count_params() == arch.params
        assert space.size == 7


def test_a_block_used_twice_in_a_graph_counts_its_weights_once() -> None:
    block = layers.Residual([layers.Dense(ab.Choice("width", [2, 4]), name="in"), layers.Dense(4, name="out")])
    left, right = layers.Input((4,)), layers.Input((4,))
    joint = layers.Concatenate()([block(left), block(right)])
    space = ab.Space(inputs=[left, right], outputs=layers.Dense(1)(block(layers.Dense(4)(joint))))
    assert space.size == 2
    for width in (2, 4):
        arch = space.architecture(width=width)
        shared = 5 * width + 4 * (width + 1)
        assert arch.params == shared + 36 + 5
        assert arch.macs == 3 * 8 * width + 32 + 4
        assert [record.reused for record in arch.layers if record.name == "out"] == [False, True, True]
        assert arch.to_keras().count_params() == arch.params


def test_a_residual_adds_its_input() -> None:
    space = ab.Space([layers.Input((4,)), layers.Residual(layers.Dense(ab.Choice("width", [4, 5, 1])))])
    assert space.size == 2
    arch = space.architecture(width=4)
    assert arch.layers[-1].type == "Add"
    assert arch.layers[-1].input_shapes == ((4,), (4,))
    assert params(space, width=1) == 5
    with pytest.raises(InvalidArchitectureError, match=r"'add' \(Add\).*\(None, 4\), \(None, 5\)"):
        space.architecture(width=5)


def test_a_shortcut_fits_the_input_to_the_body() -> None:
    width = ab.Choice("width", [3, 5])
    space = ab.Space([layers.Input((4,)), layers.Residual(layers.Dense(width), layers.Dense(width, use_bias=False))])
    assert space.size == 2
    assert params(space, width=5) == 25 + 20


def test_a_residual_without_a_body_adds_the_input_to_itself() -> None:
    arch = ab.Space([layers.Input((4,)), layers.Residual([])]).architecture()
    assert arch.layers[-1].input_shapes == ((4,), (4,))
    assert arch.to_keras().count_params() == 0


def test_a_layer_used_twice_has_its_weights_once() -> None:
    dense = layers.Dense(ab.Int("units", 1, 5))
    space = ab.Space([layers.Input((3,)), dense, dense])
    assert space.size == 1  # Its weights fit only if it makes as many features as it takes.
    arch = space.architecture(units=3)
    assert arch.params == 12
    assert arch.macs == 18
    assert arch.to_keras().count_params() == 12
    with pytest.raises(InvalidArchitectureError, match=r"'dense'.*shared"):
        space.architecture(units=4)


def test_a_layer_in_two_branches_is_counted_in_the_one_that_is_taken() -> None:
    dense = layers.Dense(3)
    space = ab.Space([layers.Input((3,)), layers.OneOf("op", {"once": dense, "twice": [dense, dense]}), dense])
    assert {op: (params(space, op=op), space.architecture(op=op).macs) for op in ("once", "twice")} == {
        "once": (12, 18),
        "twice": (12, 27),
    }


def test_the_channels_of_a_shared_layer_are_those_that_flow_into_it() -> None:
    double = layers.Dense(ab.channels() * 2)
    space = ab.Space([layers.Input((3,)), layers.OneOf("op", {"once": double, "after": [layers.Dense(5), double]})])
    assert space.architecture(op="once").layers[-1].output_shape == (6,)
    assert space.architecture(op="after").layers[-1].output_shape == (10,)


def test_a_choice_that_costs_nothing_is_a_decision_in_each_branch() -> None:
    dense = layers.Dense(3, activation=ab.Choice("activation", ["relu", "tanh"]))
    space = ab.Space([layers.Input((3,)), layers.OneOf("op", {"once": dense, "after": [layers.Dense(4), dense]})])
    assert space.size == 4
    assert dict(space.architecture(op="after", activation="tanh")) == {"op": "after", "activation": "tanh"}


def test_a_graph_is_counted_as_its_parts() -> None:
    source = layers.Input((6,))
    width = ab.Choice("width", [2, 3])
    left, right = layers.Dense(width)(source), layers.Dense(4)(source)
    joint = layers.Concatenate()([left, right])
    space = ab.Space(inputs=source, outputs=layers.Dense(1)(joint))
    assert params(space, width=3) == 21 + 28 + 8
    assert space.architecture(width=3).layer("concatenate").output_shape == (7,)


def test_decisions_of_a_graph_are_in_the_order_of_its_description() -> None:
    source = layers.Input((6,))
    names = ["first", "second", "unused", "third", "fourth"]
    first, second, _, third = (layers.Dense(ab.Int(name, 1, 2))(source) for name in names[:4])
    fourth = layers.Dense(ab.Int("fourth", 1, 2))(layers.Concatenate()([third, first]))
    for outputs in ([fourth, second], [second, fourth]):
        space = ab.Space(inputs=source, outputs=outputs)
        assert list(space.decisions) == ["first", "second", "third", "fourth"]
        copied = pickle.loads(pickle.dumps(space))
        assert list(copied.decisions) == list(space.decisions)
    # What comes from elsewhere may be numbered in another way.
    elsewhere = pickle.loads(pickle.dumps(fourth))
    object.__setattr__(elsewhere, "number", 10**9)
    last = layers.Dense(ab.Int("last", 1, 2))(elsewhere)
    inputs = [tensor for tensor in (elsewhere.inputs[0].inputs[0].inputs) if not tensor.inputs]
    assert list(ab.Space(inputs=inputs, outputs=last).decisions) == ["first", "third", "fourth", "last"]


def test_layers_that_lead_to_no_output_are_not_counted() -> None:
    source = layers.Input((6,))
    layers.Dense(100)(source)
    space = ab.Space(inputs=source, outputs=layers.Dense(1)(source))
    assert params(space) == 7


def test_blocks_can_be_called_on_tensors() -> None:
    source = layers.Input((6,))
    x = layers.Repeat(ab.Int("depth", 0, 2), layers.Dense(6))(source)
    x = layers.OneOf("op", {"none": [], "relu": layers.ReLU()})(x)
    x = layers.Residual(layers.Dense(6))(x)
    space = ab.Space(inputs=source, outputs=x)
    assert space.size == 6
    assert params(space, depth=2, op="none") == 3 * 42


def test_one_of_joins_several_tensors() -> None:
    left, right = layers.Input((4,)), layers.Input((4,))
    joint = layers.OneOf("join", {"add": layers.Add(), "concatenate": layers.Concatenate()})([left, right])
    space = ab.Space(inputs=[left, right], outputs=layers.Dense(1)(joint))
    assert (params(space, join="add"), params(space, join="concatenate")) == (5, 9)


@pytest.mark.parametrize(
    "block", [layers.Repeat(2, layers.Dense(4)), layers.Residual(layers.Dense(4)), layers.Sequential([])]
)
def test_a_block_for_one_tensor_refuses_two(block: layers.Block) -> None:
    left, right = layers.Input((4,)), layers.Input((4,))
    with pytest.raises(SpaceError):
        ab.Space(inputs=[left, right], outputs=block([left, right]))


def test_a_list_of_layers_is_a_block_everywhere() -> None:
    rows: list[Any] = [[layers.Dense(3), [layers.Dense(3)]], layers.Sequential([layers.Dense(3)]), (layers.Dense(3),)]
    assert params(ab.Space([layers.Input((3,)), *rows])) == 4 * 12


def test_every_combination_of_nested_blocks_is_a_distinct_network() -> None:
    space = ab.Space(
        [
            layers.Input((2,)),
            layers.Repeat(
                ab.Int("depth", 0, 2),
                layers.OneOf(
                    "op",
                    {"none": [], "dense": layers.Residual(layers.Dense(2, use_bias=ab.Choice("bias", [True, False])))},
                ),
            ),
        ]
    )
    each = {"none": [0], "dense": [6, 4]}
    found = [0]
    for depth in (1, 2):
        for ops in itertools.product(*[each] * depth):
            found += [sum(costs) for costs in itertools.product(*(each[op] for op in ops))]
    assert space.size == len(found)
    counts = space.evaluate(space.sample(1000, seed=0))
    assert set(counts["params"].tolist()) == set(found)


def test_frozen_layers_have_no_trainable_weights() -> None:
    space = ab.Space(
        [
            layers.Input((4,)),
            layers.Dense(ab.Int("units", 1, 3), trainable=False, lora_rank=2),
            layers.BatchNormalization(trainable=False),
            layers.Dense(2),
        ]
    )
    arch = space.architecture(units=3)
    assert [layer.trainable_params for layer in arch.layers] == [0, 0, 0, 8]
    model = arch.to_keras()
    assert model.count_params() == arch.params
    assert sum(weight.shape[0] * (weight.shape[1:] or (1,))[0] for weight in model.trainable_weights) == 8
    with pytest.raises(SpaceError, match="trainable"):
        layers.Dense(2, trainable=1)  # type: ignore[arg-type]


def test_blocks_without_end_are_refused() -> None:
    block: layers.Block = layers.Dense(4)
    for _ in range(2000):
        block = layers.Residual([block])
    with pytest.raises(SpaceError, match="^the blocks of a space are nested too deeply, or without end$"):
        ab.Space([layers.Input((4,)), block])
