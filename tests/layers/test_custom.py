"""Layers whose rules are Python functions: beside built-in ones, and everything around the functions."""
# ruff: noqa: N802 -- the name of a function becomes that of a layer

from __future__ import annotations

import pickle
import subprocess
import sys
import textwrap
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import (
    ArchbudgetError,
    CountOverflowError,
    InvalidArchitectureError,
    LimitError,
    SpaceError,
)
from archbudget.space.architecture import architecture_at
from support.random_spaces import METRICS, enumerate_networks

if TYPE_CHECKING:
    from collections.abc import Callable

    from archbudget.layers import CustomLayer


@layers.custom
def OwnDense(input_shape: tuple[int, ...], units: int, use_bias: bool = True) -> layers.Counts:
    """A Dense layer."""
    *others, features = input_shape
    return layers.Counts(
        output_shape=(*others, units),
        trainable_params=(features + use_bias) * units,
        macs=int(np.prod(others, dtype=int)) * features * units,
    )


@layers.custom
def OwnConv(
    input_shape: tuple[int, ...], filters: int, kernel_size: Any, padding: str = "valid", *, use_bias: bool = True
) -> layers.Counts:
    """A Conv2D layer without strides."""
    height, width, channels = input_shape
    across, down = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    if padding == "valid":
        height, width = height - across + 1, width - down + 1
    if min(height, width) < 1:
        raise InvalidArchitectureError(f"the kernel {across}x{down} does not fit")
    return layers.Counts(
        output_shape=[height, width, filters],
        trainable_params=(across * down * channels + use_bias) * filters,
        macs=height * width * across * down * channels * filters,
    )


@layers.custom(in_place=True)
def OwnBatchNorm(input_shape: tuple[int, ...], center: bool = True) -> layers.Counts:
    """A BatchNormalization layer."""
    return layers.Counts(input_shape, (1 + center) * input_shape[-1], 2 * input_shape[-1])


@layers.custom
def OwnConcatenate(input_shapes: tuple[tuple[int, ...], ...]) -> layers.Counts:
    """Puts tensors side by side."""
    if len({shape[:-1] for shape in input_shapes}) > 1:
        raise InvalidArchitectureError("the tensors differ in more than their channels")
    return layers.Counts((*input_shapes[0][:-1], sum(shape[-1] for shape in input_shapes)))


@layers.custom
def Squeeze(input_shape: tuple[int, ...], ratio: int = 4) -> layers.Counts:
    """Squeeze-and-excite as one layer."""
    channels = input_shape[-1]
    squeezed = max(1, channels // ratio)
    return layers.Counts(
        input_shape, (channels + 1) * squeezed + (squeezed + 1) * channels, macs=2 * channels * squeezed
    )


def recording(seen: list[Any], **options: Any) -> Callable[..., CustomLayer]:
    """A layer that does nothing, and notes what its function is asked."""

    def Noted(input_shape: tuple[int, ...], value: Any, other: Any = None) -> layers.Counts:
        seen.append((input_shape, value, other))
        return layers.Counts(input_shape)

    return layers.custom(**options)(Noted)


def pair(conv: Any, dense: Any, norm: Any, concatenate: Any) -> ab.Space:
    """A space with everything, of built-in or of custom layers."""
    filters, kernel = ab.Choice("filters", [2, 3]), ab.Choice("kernel", [1, 3, 7])
    source = layers.Input((6, 7, 2))
    stem = conv(filters * 2, (kernel, 2), padding=ab.Choice("padding", ["same", "valid"]))(source)
    normal = norm(center=ab.Choice("center", [True, False]))(stem)
    left = conv(ab.channels() + 1, kernel, padding="same", use_bias=False)(normal)
    shared = dense(ab.Choice("units", [1, 4]), trainable=False)
    joint = concatenate()([left, normal, left])
    return ab.Space(inputs=source, outputs=shared(joint), bytes_per_weight=2)


def test_built_in_layers_restated_are_the_built_in_ones_in_every_candidate() -> None:
    own = pair(OwnConv, OwnDense, OwnBatchNorm, OwnConcatenate)
    built_in = pair(layers.Conv2D, layers.Dense, layers.BatchNormalization, layers.Concatenate)
    known = enumerate_networks(built_in)
    again = enumerate_networks(own)
    assert own.size == built_in.size
    assert list(own.decisions) == list(built_in.decisions)
    np.testing.assert_array_equal(known.valid, again.valid)
    counts = own.evaluate(known.indices)
    for metric in METRICS:
        np.testing.assert_array_equal(known.costs[metric], again.costs[metric])
        np.testing.assert_array_equal(counts[metric][known.valid], known.costs[metric][known.valid])
    assert not known.valid.all()
    shown = (
        "input_shapes",
        "output_shape",
        "params",
        "trainable_params",
        "macs",
        "peak_activation_bytes",
        "weight_bits",
    )
    for row in np.flatnonzero(known.valid):
        indices = tuple(known.indices[row].tolist())
        for mine, theirs in zip(
            architecture_at(own, indices).layers, architecture_at(built_in, indices).layers, strict=True
        ):
            assert [getattr(mine, each) for each in shown] == [getattr(theirs, each) for each in shown]
            assert mine.trainable_formula.value == theirs.trainable_formula.value
            assert mine.arguments.items() <= {**theirs.arguments, **mine.arguments}.items()


@pytest.mark.parametrize("seed", range(40))
def test_random_spaces_of_restated_layers(seed: int) -> None:
    """OneOf, Repeat, Residual and shared layers around custom layers."""
    rng = Random(seed)
    drawn = seed

    def describe(conv: Any, dense: Any) -> list[Any]:
        rng.seed(drawn)
        names = iter("abcdefghijklmnop")

        def block(depth: int) -> Any:
            draw = rng.random()
            size = ab.Choice(next(names), rng.sample([1, 2, 3, 4], rng.randint(1, 3)))
            if depth == 0 or draw < 0.3:
                if rng.random() < 0.3:
                    return dense(size, use_bias=rng.random() < 0.5)
                return conv(size, rng.choice([1, 3]), padding=rng.choice(["valid", "same"]))
            if draw < 0.5:
                return layers.Repeat(ab.Choice(next(names), [0, 1, 2]), block(depth - 1))
            if draw < 0.8:
                inner = block(depth - 1)
                return layers.OneOf(next(names), [inner, [inner, conv(ab.channels(), 1)], []])
            return layers.Residual([block(depth - 1), conv(2, 1)], conv(2, rng.choice([1, 3])))

        return [layers.Input((4, 5, 2)), block(2), block(1)]

    while True:
        try:
            built_in = ab.Space(describe(layers.Conv2D, layers.Dense))
            break
        except InvalidArchitectureError:
            with pytest.raises(InvalidArchitectureError):
                ab.Space(describe(OwnConv, OwnDense))
            drawn += 1000
    own = ab.Space(describe(OwnConv, OwnDense))
    assert own.size == built_in.size
    assert list(own.decisions) == list(built_in.decisions)
    batch = np.random.default_rng(seed).integers(
        0, [len(decision.values) for decision in own.decisions.values()], (300, len(own.decisions))
    )
    mine, theirs = own.evaluate(batch), built_in.evaluate(batch)
    np.testing.assert_array_equal(mine.valid, theirs.valid)
    for metric in METRICS:
        np.testing.assert_array_equal(mine[metric], theirs[metric])
    budget = ab.Budget(params=sum(built_in.range("params")) // 2 + 1)
    assert own.within(budget).count() == built_in.within(budget).count()


def test_squeeze_and_excite_counts_as_the_layers_that_it_consists_of() -> None:
    channels, ratio = ab.Choice("channels", [4, 8]), ab.Choice("ratio", [2, 4])
    whole = ab.Space([layers.Input((5, 5, 1)), layers.Dense(channels), Squeeze(ratio)])
    squeezed = channels // ratio

    def parts() -> Any:
        inner = [
            layers.GlobalAveragePooling2D(keepdims=True),
            layers.Conv2D(squeezed, 1, activation="relu"),
            layers.Conv2D(channels, 1, activation="sigmoid"),
        ]
        stem = layers.Dense(channels)(source := layers.Input((5, 5, 1)))
        return ab.Space(inputs=source, outputs=layers.Multiply()([stem, layers.Sequential(inner)(stem)]))

    for values in ({"channels": c, "ratio": r} for c in (4, 8) for r in (2, 4)):
        mine, theirs = whole.architecture(values), parts().architecture(values)
        assert (mine.params, mine.macs) == (theirs.params, theirs.macs)


# What a function is given.


def test_decisions_of_any_type_within_lists_and_dicts_arrive_by_value() -> None:
    seen: list[Any] = []
    noted = recording(seen)
    word, flag, size = ab.Choice("word", ["a", None]), ab.Choice("flag", [True, False]), ab.Choice("size", [3, 0.5])
    width = ab.Int("width", 1, 2)
    value = [word, {"flag": flag, "inner": (size, width * 2 + 1)}, "text", None, ab.channels()]
    space = ab.Space([layers.Input((4,)), noted(value, other=width)])
    assert space.size == 16
    for arch in space.within(ab.Budget(macs=1)).candidates():
        expected = [
            arch["word"],
            {"flag": arch["flag"], "inner": (arch["size"], arch["width"] * 2 + 1)},  # type: ignore[operator]
            "text",
            None,
            4,
        ]
        asked = ((4,), expected, arch["width"])
        assert [repr(each) for each in seen].count(repr(asked)) == 1
        record = arch.layer("noted")
        assert repr(record.arguments) == repr({"value": expected, "other": arch["width"]})
    assert len(seen) == 16


def test_functions_are_asked_once_for_each_distinct_layer() -> None:
    seen: list[Any] = []
    noted = recording(seen)
    sizes = layers.Dense(ab.Choice("units", [2, 3]))
    space = ab.Space(
        [layers.Input((4,)), sizes, noted(ab.Choice("value", ["a", "b"])), layers.Dense(ab.Int("last", 1, 5))]
    )
    assert len(seen) == 4
    space.evaluate(space.sample(1000, seed=0), per_layer=True)
    space.within(ab.Budget(params=30)).count()
    space.architecture(units=2, value="a", last=1).summary()
    assert len(seen) == 4


def test_frozen_values_do_not_change_with_their_sources() -> None:
    seen: list[Any] = []
    sizes = [1, [2]]
    layer = recording(seen)(sizes)
    sizes.append(3)
    sizes[1].append(4)  # type: ignore[attr-defined]
    ab.Space([layers.Input((4,)), layer])
    assert seen == [((4,), [1, [2]], None)]


def test_domains_and_pruning_remove_values() -> None:
    seen: list[Any] = []
    noted = recording(seen)
    value, units = ab.Choice("value", ["a", "b", "c"]), ab.Choice("units", [2, 50])
    space = ab.Space([layers.Input((4,)), noted(value), layers.Dense(units), Squeeze(ab.Choice("ratio", [2, 25]))])
    del seen[:]
    part = space.with_domains({"value": ["c", "b"]})
    assert {value for _, value, _ in seen} == {"b", "c"}
    assert part.decisions["value"].values == ("b", "c")
    assert part.architecture(value="c", units=2, ratio=2).layer("noted").arguments["value"] == "c"
    small = space.within(ab.Budget(params=40)).prune()
    assert small.decisions["units"].values == (2,)
    assert small.size == space.within(ab.Budget(params=40)).count()


def test_repetitions_and_branches_have_separate_decisions() -> None:
    space = ab.Space(
        [
            layers.Input((4,)),
            layers.Repeat(ab.Int("depth", 1, 2), OwnDense(ab.Choice("units", [2, 3]))),
            layers.OneOf("op", {"own": OwnDense(5, name="own"), "none": []}),
        ]
    )
    assert list(space.decisions) == ["depth", "units_1", "units_2", "op"]
    assert space.size == (2 + 4) * 2
    arch = space.architecture(depth=2, units_1=2, units_2=3, op="own")
    assert [(layer.name, layer.params) for layer in arch.layers[1:]] == [
        ("own_dense", 10),
        ("own_dense_1", 9),
        ("own", 20),
    ]


def test_a_layer_used_twice_counts_its_weights_once() -> None:
    shared = OwnDense(4)
    arch = ab.Space([layers.Input((4,)), shared, shared]).architecture()
    assert [(layer.params, layer.reused) for layer in arch.layers] == [(0, False), (20, False), (0, True)]
    assert arch.macs == 32
    with pytest.raises(InvalidArchitectureError, match="other weights|another shape|shared"):
        ab.Space([layers.Input((3,)), shared, shared])


def test_merging_layers_take_lists() -> None:
    space = ab.Space([layers.Input((4,)), OwnDense(2)])
    assert space.size == 1
    with pytest.raises(SpaceError, match="takes a list of at least one tensor"):
        OwnConcatenate()(layers.Input((4,)))
    with pytest.raises(SpaceError, match="takes one input; given 2"):
        ab.Space(
            inputs=[a := layers.Input((4,)), b := layers.Input((3,))],
            outputs=OwnDense(2)([a, b]),  # type: ignore[list-item]
        )
    with pytest.raises(
        InvalidArchitectureError, match=r"on input shapes \(None, 4, 2\), \(None, 3, 2\): the tensors d"
    ):
        ab.Space(
            inputs=[a := layers.Input((4, 2)), b := layers.Input((3, 2))],
            outputs=OwnConcatenate()([a, b]),  # type: ignore[list-item]
        )


def test_bits_and_frozen_weights_are_those_of_every_layer() -> None:
    bits = ab.Choice("bits", [2, 8])
    space = ab.Space([layers.Input((3,)), OwnDense(2, weight_bits=bits, trainable=False), OwnBatchNorm()])
    arch = space.architecture(bits=2)
    assert (arch.weight_bytes, arch.trainable_params, arch.params) == (2 + 32, 4, 16)


def test_custom_layers_are_seen_by_metrics() -> None:
    seen: list[ab.LayerRecord] = []
    space = ab.Space(
        [layers.Input((4,)), OwnDense(ab.Choice("units", [2, 3]))],
        metrics=[ab.Metric("units", lambda layer: seen.append(layer) or layer.arguments.get("units", 0))],  # type: ignore[func-returns-value]
    )
    assert space.range("units") == (2, 3)
    assert [layer.type for layer in seen] == ["Input", "OwnDense", "OwnDense"]


# What a function says.


def test_refusals_are_invalid_candidates_with_a_reason() -> None:
    space = ab.Space([layers.Input((4, 4, 1)), OwnConv(2, ab.Choice("kernel", [3, 5]))])
    assert space.size == 1
    assert space.evaluate({"kernel": [3, 5]}).valid.tolist() == [True, False]
    with pytest.raises(InvalidArchitectureError) as caught:
        space.architecture(kernel=5)
    assert str(caught.value) == (
        "layer 'own_conv' (OwnConv) cannot be built on input shape (None, 4, 4, 1): the kernel 5x5 does not fit. "
        "Arguments: filters=2, kernel_size=5, padding='valid', use_bias=True"
    )
    with pytest.raises(InvalidArchitectureError, match="cannot be built .* kernel 5x5"):
        ab.Space([layers.Input((4, 4, 1)), OwnConv(2, 5)])


def test_a_refusal_without_arguments_ends_with_the_reason() -> None:
    @layers.custom
    def Never(input_shape: tuple[int, ...]) -> layers.Counts:  # noqa: ARG001
        raise InvalidArchitectureError("it never does")

    with pytest.raises(InvalidArchitectureError, match="it never does$"):
        ab.Space([layers.Input((4,)), Never()])


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (None, "its function must return layers.Counts, not None"),
        ((3,), r"its function must return layers.Counts, not \(3,\)"),
        (layers.Counts((2.0,)), "a shape and costs are integers, not Counts"),  # type: ignore[arg-type]
        (layers.Counts((2,), macs=0.5), "a shape and costs are integers"),  # type: ignore[arg-type]
        (layers.Counts(3), "a shape and costs are integers"),  # type: ignore[arg-type]
        (layers.Counts((2, 0)), "sides are at least 1 and costs at least 0"),
        (layers.Counts((2,), -1), "sides are at least 1 and costs at least 0"),
        (layers.Counts((2,), 0, -1), "sides are at least 1 and costs at least 0"),
        (layers.Counts((1,) * 40), "its output has 40 axes beside the batch; at most"),
    ],
)
def test_nonsense_is_refused_with_the_layer(counts: Any, message: str) -> None:
    @layers.custom
    def Odd(input_shape: tuple[int, ...], size: int = 3) -> layers.Counts:  # noqa: ARG001
        return counts  # type: ignore[no-any-return]

    with pytest.raises(SpaceError, match=rf"layer 'odd' \(Odd\) on input shape \(4,\) with size=3: {message}"):
        ab.Space([layers.Input((4,)), Odd()])


def test_whole_numbers_of_any_kind_are_counted() -> None:
    @layers.custom
    def Numpy(input_shape: tuple[int, ...]) -> layers.Counts:  # noqa: ARG001
        return layers.Counts(np.array([2, 3]), np.int32(5), np.uint8(1), True)  # type: ignore[arg-type]

    arch = ab.Space([layers.Input((4,)), Numpy()]).architecture()
    assert (arch.params, arch.trainable_params, arch.macs, arch.layers[1].output_shape) == (6, 5, 1, (2, 3))


@pytest.mark.parametrize("large", [2**63 - 1, 2**63, 10**30])
def test_numbers_too_large_are_refused(large: int) -> None:
    for counts in (layers.Counts((2,), large), layers.Counts((large,)), layers.Counts((2,), 2**62, 2**62)):

        @layers.custom
        def Large(input_shape: tuple[int, ...], counts: Any = counts) -> layers.Counts:  # noqa: ARG001
            return counts  # type: ignore[no-any-return]

        with pytest.raises(CountOverflowError, match=r"layer 'large' .*2\^63"):
            ab.Space([layers.Input((4,)), Large()])


def test_an_error_of_a_function_names_the_layer() -> None:
    @layers.custom
    def Broken(input_shape: tuple[int, ...], how: str) -> layers.Counts:  # noqa: ARG001
        raise {
            "key": KeyError("x"),
            "lines": ValueError("one\ntwo"),
            "refusal": InvalidArchitectureError("one\ntwo"),
            "own": LimitError("too much"),
            "end": KeyboardInterrupt(),
        }[how]

    with pytest.raises(SpaceError, match=r"'broken' .* with how='key': its function failed: KeyError: 'x'") as caught:
        ab.Space([layers.Input((4,)), Broken("key")])
    assert isinstance(caught.value.__cause__, KeyError)
    for how in ("lines", "refusal"):
        with pytest.raises(ArchbudgetError, match=r"^layer 'broken' .*: one two"):
            ab.Space([layers.Input((4,)), Broken(how)])
    with pytest.raises(LimitError, match="too much"):
        ab.Space([layers.Input((4,)), Broken("own")])
    with pytest.raises(KeyboardInterrupt):
        ab.Space([layers.Input((4,)), Broken("end")])
    # One value that fails fails the space: it is no refusal.
    with pytest.raises(SpaceError, match="KeyError"):
        ab.Space([layers.Input((4,)), layers.OneOf("op", [[], Broken("key")])])


# How layers are made.


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (3, "makes a layer of a function, not of 3"),
        (int, "makes a layer of a function, not of <class 'int'>"),
        (lambda: None, "the first parameter of the rule of a layer is input_shape or input_shapes"),
        (lambda shape: None, "the first parameter of the rule of a layer is input_shape"),  # noqa: ARG005
        (lambda *input_shape: None, "the first parameter of the rule of a layer is input_shape"),  # noqa: ARG005
        (lambda *, input_shape: None, "the first parameter of the rule of a layer is input_shape"),  # noqa: ARG005
        (lambda input_shape, name: None, "'name' is an argument of every layer"),  # noqa: ARG005
        (lambda input_shape, trainable: None, "'trainable' is an argument of every layer"),  # noqa: ARG005
        (lambda input_shape, weight_bits: None, "'weight_bits' is an argument of every layer"),  # noqa: ARG005
        (lambda input_shape, *sizes: None, r"each hyperparameter must be one named parameter, not '\*sizes'"),  # noqa: ARG005
        (lambda input_shape, **sizes: None, r"each hyperparameter must be one named parameter, not '\*\*sizes'"),  # noqa: ARG005
        (lambda input_shape, size, /: None, "each hyperparameter must be one named parameter"),  # noqa: ARG005
    ],
)
def test_functions_that_make_no_layer_are_refused(rule: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        layers.custom(rule)


@pytest.mark.parametrize("argument", ["keras", "torch"])
def test_functions_that_make_no_real_layer_are_refused(argument: str) -> None:
    with pytest.raises(SpaceError, match=rf"^square: {argument}= must be a function that makes the real layer, not 3$"):
        layers.custom(**{argument: 3})(square)  # type: ignore[call-overload]


def test_the_real_layer_is_one_of_keras() -> None:
    made = layers.custom(keras=lambda name: None)(square)  # noqa: ARG005
    with pytest.raises(SpaceError, match=r"^layer 'square' .*: what keras= names must return .*Layer, not None$"):
        ab.Space([layers.Input((4,)), made()]).architecture().to_keras()


def square(input_shape: tuple[int, ...]) -> layers.Counts:
    return layers.Counts(input_shape, macs=input_shape[-1])


def test_the_name_of_inputs_is_taken() -> None:
    def Input(input_shape: tuple[int, ...]) -> layers.Counts:
        return layers.Counts(input_shape)

    with pytest.raises(SpaceError, match="cannot be named Input"):
        layers.custom(Input)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: OwnDense(),
            r"OwnDense: missing a required argument: 'units'; its hyperparameters are \(units, use_bias=True\)$",
        ),
        (lambda: OwnDense(3, filters=4), "OwnDense: unknown argument 'filters'"),
        (lambda: OwnDense(3, True, 4), "OwnDense: too many positional arguments"),
        (lambda: OwnDense(3, name=""), "name must be a non-empty str"),
        (lambda: OwnDense(3, trainable=1), "trainable must be True or False"),
        (lambda: OwnDense(3, weight_bits=0), "weight_bits must be an integer >= 1"),
    ],
)
def test_wrong_arguments_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        make()


def test_layers_are_shown_as_they_were_given() -> None:
    assert repr(OwnDense(3, name="a")) == "OwnDense(units=3, use_bias=True, name='a')"
    assert repr(Squeeze(ab.Choice("ratio", [2, 4]), weight_bits=4)) == (
        "Squeeze(ratio=Choice('ratio', [2, 4]), weight_bits=4)"
    )
    assert OwnDense.__doc__ == "A Dense layer."
    assert OwnDense.__module__ == __name__


def test_custom_layers_are_explained() -> None:
    space = ab.Space([layers.Input((4,)), Squeeze(ab.Choice("ratio", [2, 4])), layers.ReLU()])
    text = space.architecture(ratio=2).explain()
    assert "squeeze (Squeeze): (None, 4) -> (None, 4)\nwith ratio=2, set by ratio\nparams: 22\n  22: by the f" in text
    assert "macs: 16" in text
    word, units = ab.Choice("word", ["a", "b"]), ab.Choice("units", [2, 3])
    inner = ab.Space([layers.Input((4,)), layers.Repeat(1, recording([])([word, {"n": units * 2}]))])
    explained = inner.architecture(word_1="a", units_1=2).explain("noted")
    assert "with value=['a', {'n': 4}], set by word_1, units_1\nwith other=None\nparams: 0" in explained
    nothing = ab.Space([layers.Input((4,)), recording([])(1)]).architecture().explain("noted")
    assert "params: 0. Its function gives it no weights." in nothing


def test_custom_layers_are_pickled() -> None:
    space = ab.Space([layers.Input((4,)), OwnDense(ab.Choice("units", [2, 3])), Squeeze()])
    again = pickle.loads(pickle.dumps(space))
    assert again.size == 2
    assert again.architecture(units=3).params == space.architecture(units=3).params
    assert repr(pickle.loads(pickle.dumps(OwnDense(3)))) == repr(OwnDense(3))


# Real layers.


def test_the_real_layer_is_made_by_a_function() -> None:
    keras = pytest.importorskip("keras")

    def real(units: int, use_bias: bool, name: str) -> Any:
        return keras.layers.Dense(units, use_bias=use_bias, name=name)

    own = layers.custom(keras=real)(OwnDense.RULE)
    shared = own(4, use_bias=ab.Choice("bias", [True, False]), name="shared")
    space = ab.Space([layers.Input((4,)), shared, shared, own(ab.Choice("units", [2, 3]), trainable=False)])
    for values in ({"bias": b, "units": u} for b in (True, False) for u in (2, 3)):
        arch = space.architecture(values)
        model = arch.to_keras()
        assert model.count_params() == arch.params
        trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
        assert trained == arch.trainable_params
        assert model.output_shape == (None, values["units"])
        assert [layer.name for layer in model.layers] == ["input_layer", "shared", "own_dense"]


def test_a_merging_real_layer_is_called_on_a_list() -> None:
    keras = pytest.importorskip("keras")
    own = layers.custom(keras=lambda name: keras.layers.Concatenate(name=name))(OwnConcatenate.RULE)
    source = layers.Input((4,))
    space = ab.Space(inputs=source, outputs=own()([OwnReal(3)(source), OwnReal(2)(source)]))
    assert space.architecture().to_keras().output_shape == (None, 5)


def _real_dense(units: int, use_bias: bool, name: str) -> Any:
    import keras

    return keras.layers.Dense(units, use_bias=use_bias, name=name)


OwnReal = layers.custom(keras=_real_dense)(OwnDense.RULE)


def test_a_layer_without_a_real_one_says_so() -> None:
    pytest.importorskip("keras")
    arch = ab.Space([layers.Input((4,)), OwnDense(3)]).architecture()
    with pytest.raises(
        SpaceError, match=r"layer 'own_dense' \(OwnDense\) does not know its real layer; give @layers.cus"
    ):
        arch.to_keras()


def test_ctrl_c_ends_a_slow_rule() -> None:
    script = """
        import signal
        import archbudget as ab
        from archbudget import layers

        @layers.custom
        def Slow(input_shape, size):
            if size == 7:
                signal.raise_signal(signal.SIGINT)
            return layers.Counts(input_shape)

        try:
            ab.Space([layers.Input((4,)), Slow(ab.Int("size", 1, 9))])
        except KeyboardInterrupt:
            print("interrupted")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "interrupted\n", done.stderr
