"""Describing spaces: what is counted, what is refused, and that nothing is counted wrongly near 2^63."""

from __future__ import annotations

import copy
import itertools
import pickle
from collections import Counter
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError, CountOverflowError, InvalidArchitectureError, LimitError, SpaceError
from support.layer_records import ALL_KINDS
from support.random_spaces import METRICS, SEEDS, random_space
from support.usual_layers import applied, usual

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("seed", SEEDS)
def test_the_size_is_the_number_of_distinct_networks(seed: int) -> None:
    known = random_space(seed)
    assert known.space.size == len(known.first)
    assert known.space.combinations == len(known.indices)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_range_of_a_metric_is_that_of_all_networks(seed: int) -> None:
    known = random_space(seed)
    for metric in METRICS:
        assert known.space.range(metric) == (known.cost(metric).min(), known.cost(metric).max())


@pytest.mark.parametrize("seed", SEEDS[::4])
def test_a_space_can_be_pickled(seed: int) -> None:
    known = random_space(seed)
    for twin in (pickle.loads(pickle.dumps(known.space)), copy.deepcopy(known.space)):
        assert {name: each.values for name, each in twin.decisions.items()} == {
            name: each.values for name, each in known.space.decisions.items()
        }
        assert twin.layer_names == known.space.layer_names
        counts, expected = twin.evaluate(known.indices), known.space.evaluate(known.indices)
        for metric in METRICS:
            np.testing.assert_array_equal(counts[metric], expected[metric])


def test_the_lenet_family_has_the_size_of_its_combinations(lenet: ab.Space) -> None:
    assert lenet.size == lenet.combinations == 73_728
    assert list(lenet.decisions) == ["f1", "k1", "f2", "k2", "units"]
    assert repr(lenet) == "<Space of 73,728 networks: 5 decisions, 10 layers>"
    indices = np.indices([len(decision.values) for decision in lenet.decisions.values()]).reshape(5, -1).T
    counts = lenet.evaluate(indices)
    for metric in METRICS:
        assert lenet.range(metric) == (counts[metric].min(), counts[metric].max())


def test_a_space_that_is_changed_after_it_was_described_is_the_same() -> None:
    description: list[Any] = [layers.Input((4,)), layers.Dense(ab.Int("units", 1, 3))]
    space = ab.Space(description)
    description.append(layers.Dense(100))
    assert space.architecture(units=1).params == 5
    assert pickle.loads(pickle.dumps(space)).architecture(units=1).params == 5


def test_a_space_without_decisions_is_one_network() -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(3)])
    assert (space.size, space.combinations, dict(space.decisions)) == (1, 1, {})
    assert space.range("params") == (15, 15)
    assert len(space.sample(3, seed=0)) == 3


def test_sizes_beyond_64_bits_are_exact() -> None:
    space = ab.Space([layers.Input((4,)), layers.Repeat(30, layers.Dense(ab.Int("units", 1, 10)))])
    assert space.size == 10**30
    deep = ab.Space([layers.Input((4,)), layers.Repeat(ab.Int("depth", 0, 100), layers.Dense(ab.Int("units", 1, 10)))])
    assert deep.size == sum(10**depth for depth in range(101))


def test_the_size_of_a_space_too_wide_for_a_diagram_is_a_product() -> None:
    """Three widths of a residual network are alive at once."""
    x = layers.Input((4, 4, 3))
    width = ab.Int("width", 1, 300)
    y = layers.Conv2D(width, 3, padding="same")(x)
    for block in range(3):
        z = layers.Conv2D(ab.Int(f"first_{block}", 1, 300), 1)(y)
        z = layers.Conv2D(ab.Int(f"second_{block}", 1, 300), 3, padding="same")(z)
        y = layers.Add()([y, layers.Conv2D(width, 1)(z)])
    space = ab.Space(inputs=x, outputs=layers.GlobalAveragePooling2D()(y))
    assert space.size == space.combinations == 300**7
    with pytest.raises(LimitError):
        space.range("params")


def test_the_bytes_of_weights_and_activations_are_set_by_the_space() -> None:
    network = [layers.Input((4,)), layers.Dense(3)]
    arch = ab.Space(network, bytes_per_weight=1, bytes_per_activation=2).architecture()
    assert arch.weight_bytes == 15
    assert arch.peak_activation_bytes == 14


def test_decisions_are_read_only(lenet: ab.Space) -> None:
    with pytest.raises(TypeError):
        lenet.decisions["f1"] = ab.Int("f1", 1, 2)  # type: ignore[index]


DENSE = layers.Dense(4)
BAD_SPACES: dict[str, tuple[Callable[[], Any], str]] = {
    "nothing": (lambda: ab.Space(), "a list of layers, or as inputs and outputs"),
    "both forms": (lambda: ab.Space([layers.Input((4,))], inputs=layers.Input((4,))), "not as both"),
    "an empty list": (lambda: ab.Space([]), "the first an Input"),
    "text": (lambda: ab.Space("layers"), "the first an Input, not 'layers'"),
    "a layer": (lambda: ab.Space(layers.Input((4,))), "a list of layers"),
    "no input": (lambda: ab.Space([DENSE]), r"must be an Input, not Dense\(units=4\)"),
    "a class": (lambda: ab.Space([layers.Input]), "must be an Input"),
    "two inputs": (lambda: ab.Space([layers.Input((4,)), layers.Input((4,))]), "one Input, at its start"),
    "a nested input": (lambda: ab.Space([layers.Input((4,)), [layers.Input((4,))]]), "Input"),
    "no block": (lambda: ab.Space([layers.Input((4,)), 7]), "not 7"),
    "no outputs": (lambda: ab.Space(inputs=layers.Input((4,))), "both its inputs and its outputs"),
    "no inputs": (lambda: ab.Space(outputs=DENSE(layers.Input((4,)))), "both its inputs and its outputs"),
    "an empty list of inputs": (lambda: ab.Space(inputs=[], outputs=DENSE(layers.Input((4,)))), "at least one input"),
    "another input": (
        lambda: ab.Space(inputs=layers.Input((4,)), outputs=DENSE(layers.Input((4,)))),
        "not among the inputs",
    ),
    "an input that is none": (
        lambda: ab.Space(inputs=DENSE(layers.Input((4,))), outputs=DENSE(layers.Input((4,)))),
        "Input",
    ),
    "outputs that are none": (lambda: ab.Space(inputs=layers.Input((4,)), outputs=3), "not on 3"),
    "too many tensors": (lambda: two_inputs(DENSE), r"'dense' \(Dense\) takes one input; given 2"),
    "one name for two layers": (
        lambda: ab.Space([layers.Input((4,)), layers.Dense(4, name="x"), layers.Dense(4, name="x")]),
        "two layers are named 'x'",
    ),
    "an empty name": (lambda: layers.Dense(4, name=""), "name must be a non-empty str, not ''"),
    "a name that is none": (lambda: layers.Dense(4, name=3), "name must be a non-empty str, not 3"),
    "a name that Keras refuses": (lambda: layers.Dense(4, name="block/dense"), "'block/dense'"),
    "bytes of nothing": (
        lambda: ab.Space([layers.Input((4,))], bytes_per_weight=0),
        "bytes_per_weight.*at least 1, not 0",
    ),
    "bytes of floats": (
        lambda: ab.Space([layers.Input((4,))], bytes_per_activation=2.0),
        r"bytes_per_activation.*2\.0",
    ),
    "bytes of bools": (lambda: ab.Space([layers.Input((4,))], bytes_per_weight=True), "bytes_per_weight.*True"),
    "no units": (lambda: layers.Dense(0), "Dense: units must be an integer >= 1, not 0"),
    "negative filters": (lambda: layers.Conv2D(-3, 3), "Conv2D: filters must be an integer >= 1, not -3"),
    "no kernel": (lambda: layers.Conv2D(3, 0), "Conv2D: kernel_size must be an integer >= 1, not 0"),
    "a kernel of three": (lambda: layers.Conv2D(3, (3, 3, 3)), r"Conv2D: kernel_size takes .*\[3, 3, 3\]"),
    "floats": (lambda: layers.Dense(3.0), r"Dense: units must be an integer, not 3\.0"),
    "bools": (lambda: layers.Dense(True), "Dense: units must be an integer, not True"),
    "text for a number": (lambda: layers.Dense("3"), "Dense: units must be an integer, not '3'"),
    "none for a number": (lambda: layers.Dense(None), "Dense: units must be an integer.*None"),
    "an unknown padding": (lambda: layers.Conv2D(3, 3, padding="full"), r"Conv2D: padding must be one of .*'full'"),
    "an unknown format": (lambda: layers.Flatten("channels_middle"), "Flatten: data_format must be one of"),
    "a flag that is none": (
        lambda: layers.Dense(3, use_bias="yes"),
        "Dense: use_bias must be True or False, not 'yes'",
    ),
    "a side of nothing": (lambda: layers.Input((4, 0)), "Input: shape must be None or an integer >= 1, not 0"),
    "a negative side": (lambda: layers.Input((4, -1)), "Input: shape must be None or an integer >= 1, not -1"),
    "a shape that is a number": (lambda: layers.Input(4), "Input: shape must be a tuple of integers, not 4"),
    "too many axes": (lambda: layers.Input((1,) * 8), "8 axes; at most 7"),
    "a rate above one": (lambda: layers.Dropout(1.5), r"Dropout: rate must be a number from 0 to 1, not 1\.5"),
    "a rate of text": (lambda: layers.Dropout("0.5"), "Dropout: rate"),
    "a rate of lists": (lambda: layers.Dropout([0.5]), "Dropout: rate"),
    "a rate that is nan": (lambda: layers.Dropout(float("nan")), "Dropout: rate"),
    "padding of three": (lambda: layers.ZeroPadding2D((1, 2, 3)), r"ZeroPadding2D: padding must be .*\(1, 2, 3\)"),
    "a range of an unknown metric": (lambda: ab.Space([layers.Input((4,))]).range("flops"), "unknown metric 'flops'"),
}


def two_inputs(layer: layers.Layer) -> ab.Space:
    left, right = layers.Input((4,)), layers.Input((4,))
    return ab.Space(inputs=[left, right], outputs=layer([left, right]))


@pytest.mark.parametrize("what", BAD_SPACES)
def test_malformed_descriptions_are_refused(what: str) -> None:
    build, message = BAD_SPACES[what]
    with pytest.raises(SpaceError, match=message):
        build()


def test_unknown_arguments_are_type_errors() -> None:
    for build in (
        lambda: layers.Dense(3, unit=3),  # type: ignore[call-arg]
        lambda: layers.Conv2D(3),  # type: ignore[call-arg]
        lambda: layers.Flatten(1, 2),  # type: ignore[call-arg]
    ):
        with pytest.raises(TypeError):
            build()


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ([layers.Conv2D(4, 7)], r"'conv2d' \(Conv2D\).*\(None, 5, 6, 3\).*7.*5 positions.*kernel_size=\(7, 7\)"),
        ([layers.MaxPooling2D(3), layers.MaxPooling2D(3)], r"'max_pooling2d_1' \(MaxPooling2D\).*\(None, 1, 2, 3\)"),
        ([layers.Conv2D(4, 3, groups=3)], r"'conv2d'.*filters.*divisible.*filters=4 and groups=3"),
        ([layers.Conv2D(4, 3, groups=2)], r"'conv2d'.*channels.*divisible.*3 channels and groups=2"),
        ([layers.Conv1D(4, 3)], r"'conv1d' \(Conv1D\).*\(None, 5, 6, 3\).*2 axes"),
        ([layers.Conv2D(4, 2, strides=2, dilation_rate=2)], r"'conv2d'.*strides.*dilation_rate"),
        ([layers.BatchNormalization(axis=4)], r"'batch_normalization'.*axis=4"),
        ([layers.BatchNormalization(axis=0)], r"'batch_normalization'.*axis=0.*batch"),
        ([layers.Residual(layers.Conv2D(4, 1))], r"'add'.*\(None, 5, 6, 3\), \(None, 5, 6, 4\)"),
        ([layers.Conv2D(ab.Choice("f", [4, 8]), ab.Choice("k", [6, 7]))], r"no candidate.*'conv2d'"),
    ],
)
def test_an_invalid_network_names_the_layer_the_shape_and_the_rule(network: list[Any], message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        ab.Space([layers.Input((5, 6, 3)), *network])


def test_a_candidate_that_cannot_be_built_names_the_layer_the_shape_and_the_rule() -> None:
    space = ab.Space([layers.Input((5, 6, 3)), layers.Conv2D(4, ab.Choice("kernel", [3, 6])), layers.Flatten()])
    assert space.size == 1
    with pytest.raises(
        InvalidArchitectureError, match=r"'conv2d' \(Conv2D\).*\(None, 5, 6, 3\).*6.*kernel_size=\(6, 6\)"
    ):
        space.architecture(kernel=6)
    with pytest.raises(InvalidArchitectureError, match="'conv2d'"):
        ab.Candidates(space, [[1]])[0]
    counts = space.evaluate({"kernel": [6, 3]})
    assert counts.valid.tolist() == [False, True]
    assert counts["params"].tolist() == [2**63 - 1, 112]


HUGE = 2**62
OVERFLOWS: dict[str, Callable[[], Any]] = {
    "an integer": lambda: layers.Dense(2**63),
    "a negative integer": lambda: layers.Dense(-(2**70)),
    "a list": lambda: layers.Conv2D(3, (3, 2**64)),
    "a side": lambda: layers.Input((2**63,)),
    "a decision": lambda: ab.Choice("x", [2**63]),
    "an axis": lambda: layers.BatchNormalization(axis=2**64),
    "elements": lambda: ab.Space([layers.Input((2**32, 2**32))]),
    "weights": lambda: ab.Space([layers.Input((2**32,)), layers.Dense(2**32)]),
    "bytes of weights": lambda: ab.Space([layers.Input((2**30,)), layers.Dense(2**31)]),
    "bytes of activations": lambda: ab.Space([layers.Input((2**62,))]),
    "two tensors": lambda: ab.Space(
        [layers.Input((2**61,)), layers.Residual([])], bytes_per_activation=3, in_place=False
    ),
    "multiply-accumulates": lambda: ab.Space(
        [layers.Input((2**31, 2**10)), layers.Dense(2**30)], bytes_per_activation=1
    ),
    "the sum of layers": lambda: ab.Space([layers.Input((2**30,)), *(layers.Dense(2**30) for _ in range(3))]),
    "a kernel": lambda: ab.Space([layers.Input((2**31, 2**31, 1)), layers.Conv2D(1, 2**31)]),
    "a dilation": lambda: ab.Space([layers.Input((4, 4, 1)), layers.Conv2D(1, 3, dilation_rate=HUGE)]),
    "filters": lambda: ab.Space([layers.Input((4, 4, 1)), layers.Conv2D(HUGE, 3)]),
    "a multiplier": lambda: ab.Space([layers.Input((4, 4, 8)), layers.DepthwiseConv2D(1, depth_multiplier=HUGE)]),
    "a separable multiplier": lambda: ab.Space(
        [layers.Input((4, 4, 8)), layers.SeparableConv2D(1, 1, depth_multiplier=HUGE)]
    ),
    "padding": lambda: ab.Space([layers.Input((4, 1)), layers.ZeroPadding1D(HUGE)]),
    "side by side": lambda: side_by_side(),
    "flat": lambda: ab.Space([layers.Input((2**30, 2**30)), layers.ZeroPadding1D(2**40), layers.Flatten()]),
    "a rank": lambda: ab.Space([layers.Input((4,)), layers.Dense(4, lora_rank=HUGE)]),
    "a sum": lambda: ab.Space([layers.Input((4,)), layers.Dense(ab.Choice("x", [HUGE]) + HUGE)]),
    "a product": lambda: ab.Space([layers.Input((4,)), layers.Dense(ab.Choice("x", [HUGE]) * 4)]),
    "a difference": lambda: ab.Space([layers.Input((4,)), layers.Dense(ab.Choice("x", [-HUGE]) - HUGE - 1)]),
    "rounding": lambda: ab.Space([layers.Input((4,)), layers.Dense(ab.round_to(ab.Choice("x", [2**63 - 1]), 8))]),
    "one candidate of many": lambda: ab.Space([layers.Input((2**31,)), layers.Dense(ab.Choice("x", [1, 2**31]))]),
    "a far branch": lambda: ab.Space(
        [layers.Input((2**31,)), layers.OneOf("op", {"small": [], "large": layers.Dense(2**32)})]
    ),
    "bytes of one weight": lambda: ab.Space([layers.Input((4,)), layers.Dense(4)], bytes_per_weight=2**62),
    "too many bytes of one weight": lambda: ab.Space([layers.Input((4,)), layers.Dense(4)], bytes_per_weight=2**63),
}


def side_by_side() -> ab.Space:
    left, right = layers.Input((2**62,)), layers.Input((2**62,))
    return ab.Space(inputs=[left, right], outputs=layers.Concatenate()([left, right]), bytes_per_activation=1)


@pytest.mark.parametrize("what", OVERFLOWS)
def test_numbers_beyond_63_bits_overflow(what: str) -> None:
    with pytest.raises(CountOverflowError, match=r"63"):
        OVERFLOWS[what]()


def test_the_largest_counts_are_exact() -> None:
    space = ab.Space(
        [layers.Input((2**30 - 1,)), layers.Dense(ab.Choice("units", [1, 2**30]), use_bias=False)], bytes_per_weight=7
    )
    arch = space.architecture(units=2**30)
    assert arch.params == arch.macs == (2**30 - 1) * 2**30
    assert arch.weight_bytes == 7 * (2**30 - 1) * 2**30 < 2**63
    counts = space.evaluate({"units": [2**30, 1]})
    assert counts["weight_bytes"].tolist() == [arch.weight_bytes, 7 * (2**30 - 1)]
    assert space.within(ab.Budget(weight_bytes=arch.weight_bytes - 1)).count() == 1
    assert space.range("weight_bytes")[1] == arch.weight_bytes


def test_the_largest_of_several_tensors_does_not_overflow_as_their_sum_would() -> None:
    dense = layers.Dense(ab.Choice("units", [1, 2]), use_bias=False)
    space = ab.Space([layers.Input((2**60,)), dense], bytes_per_weight=1)
    assert space.range("peak_activation_bytes") == (2**62 + 4, 2**62 + 8)


def test_a_count_that_overflows_in_a_space_too_wide_to_be_counted_is_refused() -> None:
    # 2^62 weights before the first decision, and up to 2^62 more behind it.
    space = ab.Space(
        [
            layers.Input((2**31,)),
            layers.Dense(2**31, use_bias=False),
            layers.Dense(ab.Int("a", 1, 2**17), use_bias=False),
            layers.Dense(ab.Int("b", 1, 2**17), use_bias=False),
            layers.Dense(2**45, use_bias=False),
        ],
        bytes_per_weight=1,
        bytes_per_activation=1,
    )
    assert space.evaluate({"a": [1], "b": [1]})["params"][0] == 2**62 + 2**31 + 1 + 2**45
    with pytest.raises(CountOverflowError):
        space.architecture(a=2**17, b=2**17)
    with pytest.raises(CountOverflowError):
        space.evaluate({"a": [2**17], "b": [2**17]})
    with pytest.raises(CountOverflowError):
        space.constraint(ab.Budget(params=2**62))(ab.Candidates(space, [[2**17 - 1, 2**17 - 1]]))


def wide() -> ab.Space:
    """Two branches with a wide choice in each: what one leads to lies beyond the other."""
    return ab.Space(
        [
            layers.Input((4,)),
            layers.OneOf(
                "op", {"left": layers.Dense(ab.Int("a", 1, 2**11)), "right": layers.Dense(ab.Int("b", 1, 2**11))}
            ),
            layers.Dense(ab.Choice("c", [1, 2])),
        ]
    )


def test_wide_choices_in_branches_are_counted() -> None:
    space = wide()
    assert space.size == 2 * 2**11 * 2
    indices = space.sample(2000, seed=0).indices
    values = {
        name: np.array(each.values, dtype=object)[indices[:, i]]
        for i, (name, each) in enumerate(space.decisions.items())
    }
    units = np.where(values["op"] == "left", values["a"], values["b"]).astype(np.int64)
    last = values["c"].astype(np.int64)
    np.testing.assert_array_equal(space.evaluate(indices)["params"], 5 * units + (units + 1) * last)


def test_a_trial_takes_the_active_decisions_with_static_distributions() -> None:
    space = ab.Space(
        [
            layers.Input((4,)),
            layers.Repeat(ab.Int("depth", 0, 2), layers.Dense(ab.Int("units", 8, 32, step=8))),
            layers.Activation(ab.Choice("activation", ["relu", "tanh"])),
            layers.Dense(ab.Choice("width", [1, 2, 4])),
        ]
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(30):
        trial = study.ask()
        arch = space.suggest(trial)
        assert dict(arch) == trial.params
        study.tell(trial, arch.params)
    expected = {
        "depth": optuna.distributions.IntDistribution(0, 2),
        "units_1": optuna.distributions.IntDistribution(8, 32, step=8),
        "units_2": optuna.distributions.IntDistribution(8, 32, step=8),
        "activation": optuna.distributions.CategoricalDistribution(["relu", "tanh"]),
        "width": optuna.distributions.CategoricalDistribution([1, 2, 4]),
    }
    for trial in study.trials:
        assert all(distribution == expected[name] for name, distribution in trial.distributions.items())


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 8),
    st.integers(-(2**66), 2**66),
    st.floats(),
    st.text(max_size=4),
    st.sampled_from(["valid", "same", "causal", "channels_first", "relu"]),
    st.binary(max_size=2),
    st.lists(st.one_of(st.integers(-1, 5), st.none(), st.integers(2**62, 2**64)), max_size=4),
    st.tuples(st.integers(-1, 5), st.integers(-1, 5)),
    st.builds(
        ab.Choice,
        st.just("x"),
        st.lists(
            st.one_of(st.integers(-1, 5), st.booleans(), st.text(max_size=2)),
            min_size=1,
            max_size=3,
            unique_by=lambda value: (type(value), value),
        ),
    ),
    st.builds(lambda value: ab.Int("y", 1, 3) * value, st.integers(-(2**63), 2**63)),
    st.builds(ab.channels, st.integers(-3, 3)),
    st.builds(ab.round_to, st.builds(ab.channels), st.integers(-1, 9)),
    st.just(np.int64(3)),
    st.just(np.array([2, 2])),
    st.just(object()),
)


def odd_or(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Anything, and half of the time what is meant."""
    return st.booleans().flatmap(lambda meant: usual if meant else ANYTHING)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_a_layer_with_any_arguments_is_built_or_refused(kind: str) -> None:
    known, known_shapes = usual(kind)
    names = [each.name for each in fields(known) if each.name not in ("name", "trainable")]
    ended: Counter[str] = Counter()

    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        given_names = data.draw(st.lists(st.sampled_from(names), unique=True, max_size=3)) if names else []
        arguments = {name: data.draw(odd_or(st.just(getattr(known, name))), label=name) for name in given_names}
        shape = data.draw(st.lists(st.one_of(st.integers(1, 6), st.integers(1, 2**63 - 1)), max_size=8), label="shape")
        changed = data.draw(st.booleans(), label="changed from what can be built")
        try:
            layer = replace(known, **arguments) if changed else type(known)(**arguments)
        except (ArchbudgetError, TypeError):  # An argument that has no default may be missing.
            ended["not made"] += 1
            return
        try:
            if changed or kind == "Input":
                space = applied(layer, known_shapes)
            else:
                source = layers.Input(shape)
                space = ab.Space(inputs=source, outputs=layer([source] * data.draw(st.integers(1, 3), label="tensors")))
            counts = space.evaluate(np.zeros((2, len(space.decisions)), dtype=np.uint8), per_layer=True)
        except ArchbudgetError:
            ended["refused"] += 1
            return
        assert (counts["params"] >= 0).all()
        assert space.size >= 1
        ended["counted"] += 1

    check()
    assert ended["counted"] >= 4, ended


def test_a_budget_of_any_bounds_is_made_or_refused() -> None:
    space = wide()
    ended: Counter[str] = Counter()

    @given(bounds=st.dictionaries(st.sampled_from([*METRICS, "flops"]), odd_or(st.integers(1, 10**5)), max_size=3))
    def check(bounds: dict[str, Any]) -> None:
        try:
            budget = ab.Budget(**bounds)
        except (ArchbudgetError, TypeError):  # No argument is named "flops".
            ended["refused"] += 1
            return
        assert 0 <= space.within(budget).count() <= space.size
        ended["made"] += len(bounds) > 0

    check()
    assert ended["made"] >= 4, ended
    assert ended["refused"] >= 10, ended


def test_a_part_with_any_domains_is_made_or_refused() -> None:
    space = wide()
    ended: Counter[str] = Counter()

    meant = {
        "op": st.sampled_from([["left"], ["right"], ["left", "right"]]),
        "a": st.lists(st.integers(1, 2**11), min_size=1, unique=True),
        "c": st.sampled_from([[1], [2], [1, 2]]),
        "d": ANYTHING,
    }
    some = st.sets(st.sampled_from(list(meant)), max_size=3).flatmap(
        lambda names: st.fixed_dictionaries({name: odd_or(meant[name]) for name in sorted(names)})
    )

    @given(domains=odd_or(some))
    def check(domains: Any) -> None:
        try:
            part = space.with_domains(domains)
        except ArchbudgetError:
            ended["refused"] += 1
            return
        assert 1 <= part.size <= space.size
        ended["made"] += bool(domains)

    check()
    assert ended["made"] >= 4, ended
    assert ended["refused"] >= 10, ended


def test_a_decision_over_any_values_is_made_or_refused() -> None:
    ended: Counter[str] = Counter()

    @given(
        name=odd_or(st.just("x")),
        values=odd_or(st.lists(st.integers(), min_size=1, unique=True)),
        low=odd_or(st.integers(0, 5)),
        high=odd_or(st.integers(5, 20)),
        step=odd_or(st.integers(1, 3)),
    )
    def check(name: Any, values: Any, low: Any, high: Any, step: Any) -> None:
        for build in (lambda: ab.Choice(name, values), lambda: ab.Int(name, low, high, step=step)):
            try:
                decision = build()
            except ArchbudgetError:
                ended["refused"] += 1
                continue
            assert len(decision.values) >= 1
            ended[type(decision).__name__] += 1

    check()
    assert ended["Choice"] >= 3, ended
    assert ended["Int"] >= 1, ended
    assert ended["refused"] >= 20, ended


def test_any_candidates_are_counted_or_refused() -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(ab.Int("a", 1, 3)), layers.Dense(ab.Int("b", 1, 3))])
    ended: dict[str, Counter[str]] = {}

    rows = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1)
    units = st.integers(1, 3)

    @given(
        rows=odd_or(rows),
        column=odd_or(st.lists(units, min_size=1)),
        a=odd_or(units),
        b=odd_or(units),
        metrics=ANYTHING,
        threads=ANYTHING,
    )
    def check(rows: Any, column: Any, a: Any, b: Any, metrics: Any, threads: Any) -> None:
        few = threads if not isinstance(threads, int) else min(threads, 9)
        for name, build in {
            "rows": lambda: space.evaluate(rows),
            "columns": lambda: space.evaluate({"a": column, "b": column}),
            "one candidate": lambda: space.evaluate({"a": [a], "b": [b]}),
            "metrics": lambda: space.evaluate(space.sample(2, seed=0), metrics),
            "threads": lambda: space.evaluate(space.sample(2, seed=0), threads=few),
            "architecture": lambda: space.architecture(a=a, b=b),
            "allowed": lambda: space.within(ab.Budget(params=20)).allowed([a]),
        }.items():
            count = ended.setdefault(name, Counter())
            try:
                build()
                count["answered"] += 1
            except ArchbudgetError:
                count["refused"] += 1

    check()
    for name, count in ended.items():
        assert count["answered"] >= 5, (name, count)
        assert count["refused"] >= 5, (name, count)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda space: space.suggest(3), "suggest needs an Optuna trial, not 3"),
        (lambda _: ab.BudgetSampler(3, ab.Budget(params=3)), "BudgetSampler needs a Space, not 3"),
        (lambda _: ab.search("x", len, ab.Budget(params=3), n_trials=1), "a search needs a Space, not 'x'"),
        (lambda _: ab.metrics.distinct_layers(3), "distinct_layers needs a Space, not 3"),
        (lambda _: ab.LatencyTable.write_template(3, "t.csv", column="ms"), "distinct_layers needs a Space, not 3"),
    ],
)
def test_an_error_says_that_a_space_or_a_trial_is_needed(use: Any, message: str) -> None:
    space = ab.Space([layers.Input((3,)), layers.Dense(ab.Choice("units", [1, 2]))])
    with pytest.raises(SpaceError, match=f"^{message}$"):
        use(space)


@pytest.mark.parametrize("order", ["ac", "ca"])
def test_a_decision_is_tied_across_a_repetition_in_two_branches(order: str) -> None:
    width, times = ab.Choice("width", [1, 4]), ab.Choice("times", [1, 2])
    again = layers.Repeat(times, layers.Dense(2))
    branches = {"a": again, "c": [layers.Dense(width), again]}
    space = ab.Space(
        [layers.Input((3,)), layers.Dense(width), layers.OneOf("op", {label: branches[label] for label in order})]
    )
    assert (space.size, space.range("params")) == (8, (8, 52))
    assert space.within(ab.Budget(params=10**6)).count() == 8
    for op in order:
        for w, t in itertools.product([1, 4], [1, 2]):
            inside = w * w + w if op == "c" else 0
            expected = 3 * w + w + inside + 2 * w + 2 + 6 * (t - 1)
            assert space.architecture(width=w, times=t, op=op).params == expected
