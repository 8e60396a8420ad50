"""Models that are made searchable by patterns over the arguments of their layers."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import SpaceError


def residual(groups: bool = False) -> ab.Space:
    """A network with two residual blocks, a depthwise convolution and squeeze and excitation."""
    image = layers.Input((8, 8, 3))
    x = layers.Conv2D(16, 3, padding="same", name="stem")(image)
    for number in (1, 2):
        y = layers.Conv2D(32, 1, name=f"expand{number}")(x)
        y = (layers.Conv2D(32, 3, padding="same", groups=32) if groups else layers.DepthwiseConv2D(3, padding="same"))(
            y
        )
        z = layers.Reshape((1, 1, 32))(layers.GlobalAveragePooling2D()(y))
        z = layers.Conv2D(8, 1, name=f"squeeze{number}")(z)
        z = layers.Conv2D(32, 1, name=f"excite{number}")(z)
        y = layers.Multiply()([y, z])
        y = layers.Conv2D(16, 1, name=f"project{number}")(y)
        x = layers.Add()([x, y])
    return ab.Space(inputs=image, outputs=layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


@pytest.mark.parametrize("groups", [False, True])
def test_widths_that_must_be_equal_get_one_decision(groups: bool) -> None:
    space = residual(groups)
    wider = space.vary({"*.filters": ab.scale(0.5, 1.5, divisor=8)})
    assert {name: each.values for name, each in wider.decisions.items()} == {
        "stem_filters": (8, 16, 24),
        "expand1_filters": (16, 24, 32, 40, 48),
        "squeeze1_filters": (8,),
        "expand2_filters": (16, 24, 32, 40, 48),
        "squeeze2_filters": (8,),
    }
    assert wider.size == wider.combinations == 75
    same = wider.architecture(
        stem_filters=16, expand1_filters=32, squeeze1_filters=8, expand2_filters=32, squeeze2_filters=8
    )
    assert same.costs == space.architecture().costs


@pytest.mark.parametrize("groups", [False, True])
def test_one_multiplier_scales_all_and_what_follows_them(groups: bool) -> None:
    space = residual(groups)
    # Neither the widths inside of a block nor what is excited is among them: both follow.
    wider = space.vary({"stem.filters": ab.scale(0.5, 2, divisor=4, name="width", step=0.25)})
    assert list(wider.decisions) == ["width"]
    assert wider.decisions["width"].values == (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
    assert wider.size == 7
    assert wider.architecture(width=1.0).costs == space.architecture().costs
    assert wider.architecture(width=0.5).layer("project2").output_shape == (8, 8, 8)
    assert wider.architecture(width=0.5).layer("expand1").output_shape == (8, 8, 32)
    every = space.vary({"*.filters": ab.scale(0.5, 2, divisor=4, name="width", step=0.25)})
    assert every.size == 7
    assert every.architecture(width=1.5).layer("excite1").output_shape == (1, 1, 48)


def test_each_network_is_the_one_that_is_described_by_hand() -> None:
    def by_hand(width: int, hidden: int, kernel: int) -> ab.Architecture:
        x = layers.Input((6, 4))
        y = layers.Conv1D(width, kernel, padding="same")(x)
        z = layers.Dense(width)(layers.Dense(hidden)(y))
        return ab.Space(inputs=x, outputs=layers.Dense(3)(layers.Add()([y, z]))).architecture()

    x = layers.Input((6, 4))
    y = layers.Conv1D(8, 3, padding="same")(x)
    z = layers.Dense(8)(layers.Dense(5)(y))
    space = ab.Space(inputs=x, outputs=layers.Dense(3)(layers.Add()([y, z])))
    varied = space.vary(
        {
            "conv1d.filters": ab.scale(0.5, 1),
            "dense.units": ab.Int("hidden", 1, 4),
            "*.kernel_size": ab.Choice("kernel", [1, 3]),
        }
    )
    assert varied.size == 5 * 4 * 2
    for width, hidden, kernel in product(range(4, 9), range(1, 5), (1, 3)):
        arch = varied.architecture(conv1d_filters=width, hidden=hidden, kernel=kernel)
        assert arch.costs == by_hand(width, hidden, kernel).costs


def test_a_decision_is_shared_by_all_that_a_pattern_matches() -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(3), layers.Dense(3), layers.Dense(2, name="last")])
    varied = space.vary({"dense*.units": ab.Int("units", 1, 5), "last.use_bias": ab.Choice("biased", [True, False])})
    assert varied.size == 10
    assert varied.architecture(units=5, biased=False).params == 25 + 30 + 10


def test_layers_inside_of_others_have_paths() -> None:
    space = ab.Space([layers.Input((4, 3)), layers.Bidirectional(layers.LSTM(5)), layers.Dense(2)])
    varied = space.vary({"bidirectional.layer.units": ab.Int("units", 1, 3)})
    assert varied.range("params") == (
        ab.Space([layers.Input((4, 3)), layers.Bidirectional(layers.LSTM(1)), layers.Dense(2)]).architecture().params,
        ab.Space([layers.Input((4, 3)), layers.Bidirectional(layers.LSTM(3)), layers.Dense(2)]).architecture().params,
    )


def test_tied_embeddings_and_all_that_is_added_to_them_change_together() -> None:
    tokens = layers.Input((7,))
    table = layers.ReversibleEmbedding(50, 12, name="table")
    x = table(tokens)
    y = layers.MultiHeadAttention(3, 4)(x, x)
    x = layers.LayerNormalization()(layers.Add()([x, y]))
    y = layers.Dense(12, name="down")(layers.Dense(48, name="up")(x))
    x = layers.Add()([x, y])
    space = ab.Space(inputs=tokens, outputs=table(x, reverse=True))
    varied = space.vary({"table.output_dim": ab.scale(0.5, 2, divisor=4), "up.units": ab.scale(0.5, 1, divisor=8)})
    assert list(varied.decisions) == ["table_output_dim", "up_units"]
    assert varied.size == varied.combinations
    assert varied.architecture(table_output_dim=12, up_units=48).costs == space.architecture().costs


def test_a_space_that_is_searchable_already_gets_more_decisions() -> None:
    block = layers.Repeat(ab.Int("depth", 1, 2), layers.Dense(8, name="hidden"))
    space = ab.Space([layers.Input((4,)), layers.Dense(ab.Int("first", 1, 3)), block, layers.Dense(2)])
    varied = space.vary({"hidden*.units": ab.scale(0.5, 1, divisor=4)})
    assert varied.size == 3 * (2 + 4)
    with pytest.raises(SpaceError, match=r"vary: dense.units is set by Int\('first', 1, 3\) already"):
        space.vary({"dense.units": ab.scale(0.5, 2)})


PLAIN = ab.Space([layers.Input((6, 6, 3)), layers.Conv2D(4, 3), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(5)])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"conv2d*.filterz": 8}, r"no layer has an argument that matches 'conv2d\*.filterz'; did you mean conv2d"),
        ({"conv3d.filters": 8}, r"no layer has an argument that matches 'conv3d.filters'; did you mean conv2d.filters"),
        ({"conv2d": 8}, "vary takes patterns such as 'conv2d\\*.filters', the name of a layer and of its argument"),
        ({3: 8}, "vary takes patterns such as"),
        (5, "vary takes a mapping from patterns to what stands there, not 5"),
        ({"*.filters": 8, "conv2d.filters": 4}, r"conv2d.filters matches both '\*.filters' and 'conv2d.filters'"),
        ({"*.filters": [4, 8]}, r"values to choose from are a decision, ab.Choice\(name, \[4, 8\]\)"),
        ({"*.use_bias": ab.scale(0.5, 2)}, "conv2d.use_bias is True, which scale cannot multiply"),
        ({"conv2d.filters": "wide"}, "Conv2D: filters must be an integer"),
        ({}, r"vary takes at least one change: .*ab.optional\(layer\), not \{\}"),
        (
            {"conv2d*.filters": ab.scale(0.01, 0.02)},
            (
                r"conv2d.filters, which is 4, has a single value at 0.01 to 0.02 times as much in multiples of 1, "
                r"and so do 1 more that 'conv2d\*.filters' matches: give a wider range or a smaller divisor"
            ),
        ),
        ({"conv2d.filters": ab.scale(0.5, 1.4, divisor=8)}, "conv2d.filters, which is 4, has a single value"),
        ({"*.filters": ab.scale(0.01, 0.02, name="width")}, "conv2d.filters, which is 4, has a single value"),
        ({"*.filters": ab.scale(1, 1, name="width")}, "conv2d.filters, which is 4, has a single value"),
    ],
)
def test_wrong_changes_are_refused(changes: Any, said: str) -> None:
    with pytest.raises(SpaceError, match=said):
        PLAIN.vary(changes)


def test_no_change_at_all_is_refused() -> None:
    with pytest.raises(SpaceError, match="vary takes at least one change: "):
        PLAIN.vary()
    with pytest.raises(
        SpaceError, match="with_sides takes the shape of at least one input; the inputs are input_layer"
    ):
        PLAIN.with_sides({})


def test_a_scale_may_leave_some_of_several_arguments_alone() -> None:
    space = ab.Space([layers.Input((8,)), layers.Dense(3), layers.Dense(64), layers.Dense(2)])
    varied = space.vary({"dense*.units": ab.scale(0.25, 1, divisor=8)})
    assert varied.size == 7
    named = space.vary({"dense*.units": ab.scale(0.25, 1, divisor=8, name="width")})
    assert {arch.layers[2].output_shape[0] for arch in named.sample(300, seed=0)} == {16, 24, 32, 40, 48, 56, 64}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((0, 1), "low must be a number above 0, not 0"),
        ((1, "x"), "high must be a number above 0, not 'x'"),
        ((2, 1), "low must not be above high"),
    ],
)
def test_wrong_scales_are_refused(arguments: Any, said: str) -> None:
    with pytest.raises(SpaceError, match=said):
        ab.scale(*arguments)
    with pytest.raises(SpaceError, match="divisor must be an integer of at least 1"):
        ab.scale(1, 2, divisor=0)
    with pytest.raises(SpaceError, match="at most 4,096 are supported: give a larger divisor"):
        ab.Space([layers.Input((4,)), layers.Dense(10_000)]).vary({"dense.units": ab.scale(0.1, 1)})


def test_a_width_that_nothing_can_follow_is_refused_with_the_layer() -> None:
    image = layers.Input((4, 4, 6))
    space = ab.Space(inputs=image, outputs=layers.Add()([image, layers.Conv2D(6, 1)(image)]))
    with pytest.raises(SpaceError, match=r"conv2d.filters cannot change by itself: .* layer 'add' \(Add\) refuses"):
        space.vary({"conv2d.filters": ab.scale(0.5, 2)})


def test_what_needs_several_at_once_follows() -> None:
    """Cells as in NASNet: both branches of a sum, or of a concatenation, change before the layer behind them fits."""
    image = layers.Input((8, 8, 3))
    h = layers.Conv2D(6, 1, name="h")(image)
    branches = [layers.SeparableConv2D(6, 3, padding="same", name=f"branch{n}")(image) for n in range(4)]
    first = layers.Add()(branches[:2])
    joined = layers.Concatenate()([layers.Conv2D(3, 1, name=f"half{n}")(image) for n in range(2)])
    x = layers.Add()([layers.Add()([h, layers.Identity()(first)]), layers.Multiply()([joined, branches[2]])])
    space = ab.Space(inputs=image, outputs=[x, branches[3]])
    wider = space.vary({"half0.filters": ab.scale(0.5, 1.5, divisor=1)})
    assert {name: each.values for name, each in wider.decisions.items()} == {"half0_filters": (2, 3, 4)}
    assert wider.architecture(half0_filters=3).costs == space.architecture().costs
    wide = wider.architecture(half0_filters=4)
    names = ("h", "branch0", "branch1", "branch2", "branch3", "half0", "half1")
    assert [wide.layer(name).output_shape[-1] for name in names] == [8, 8, 8, 8, 6, 4, 4]


def test_a_model_of_keras_is_searched_in_five_lines() -> None:
    keras = pytest.importorskip("keras")
    model = keras.applications.MobileNetV2(weights=None, input_shape=(96, 96, 3), classes=10, alpha=0.35)
    space = ab.from_keras(model).vary({"*.filters": ab.scale(0.5, 1.5, divisor=8)})
    fits = space.within(ab.Budget(params=300_000, peak_activation_bytes=600_000))
    assert space.architecture(space.sample(1, seed=0)[0]).params > 0
    assert len(space.decisions) == 25
    (drawn,) = fits.sample(1, seed=1)
    assert drawn.to_keras().count_params() == drawn.params <= 300_000


# Parts that may be left out


def chain(number: int, x: Any) -> Any:
    y = layers.Conv2D(8, 1, name=f"block_{number}_expand")(x)
    y = layers.DepthwiseConv2D(3, padding="same", name=f"block_{number}_depthwise")(y)
    y = layers.Conv2D(4, 1, name=f"block_{number}_project")(y)
    return layers.Add(name=f"block_{number}_add")([x, y])


def blocks(*numbers: int) -> ab.Space:
    image = layers.Input((6, 6, 4))
    x = image
    for number in numbers:
        x = chain(number, x)
    return ab.Space(inputs=image, outputs=layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


def test_blocks_that_are_left_out_are_gone() -> None:
    space = blocks(1, 2, 3).vary(ab.optional("block_1"), ab.optional("block/3", name="third"))
    assert space.decisions["block_1"].values == (True, False)
    assert space.size == 4
    for first, third in product((True, False), repeat=2):
        left = [number for number, taken in ((1, first), (2, True), (3, third)) if taken]
        assert space.architecture(block_1=first, third=third).costs == blocks(*left).architecture().costs


def test_blocks_that_are_left_out_and_widths_go_together() -> None:
    wide = ab.scale(0.5, 1, divisor=2)
    space = blocks(1, 2).vary({"*expand.filters": wide}, ab.optional("block_2"))
    assert space.size == 3 + 3 * 3
    same = blocks(1, 2).vary(ab.optional("block_2"), {"*expand.filters": wide})
    assert same.size == space.size
    assert same.range("params") == space.range("params")


@pytest.mark.parametrize("parts", [("block", "block_2", "block_3"), ("block_3", "block", "block_2")])
@pytest.mark.parametrize("at_once", [True, False])
def test_blocks_may_be_left_out_of_what_may_be_left_out(parts: tuple[str, ...], at_once: bool) -> None:
    space = blocks(1, 2, 3)
    if at_once:
        space = space.vary(*map(ab.optional, parts))
    else:  # Each by itself, from the inside.
        for part in sorted(parts, reverse=True):
            space = space.vary(ab.optional(part))
    assert space.size == 1 + 4
    assert space.architecture(block=False).costs == blocks().architecture().costs
    for second, third in product((True, False), repeat=2):
        left = [number for number, taken in ((1, True), (2, second), (3, third)) if taken]
        arch = space.architecture(block=True, block_2=second, block_3=third)
        assert arch.costs == blocks(*left).architecture().costs
    assert ab.Space.from_yaml(space.to_yaml()) == space


def test_widths_of_parts_that_may_be_left_out_stay_tied() -> None:
    image = layers.Input((6, 6, 3))
    x = layers.Conv2D(4, 1, name="stem")(image)
    for number in range(1, 7):
        x = chain(number, x)
    space = ab.Space(inputs=image, outputs=layers.GlobalAveragePooling2D()(x))
    for number in range(1, 7):
        space = space.vary(ab.optional(f"block_{number}"))
    wider = space.vary({"*project.filters": ab.scale(0.5, 1)})
    assert [name for name in wider.decisions if "filters" in name] == ["block_1_project_filters"]
    assert wider.size == wider.combinations == 3 * 2**6


def test_parts_that_overlap_are_refused() -> None:
    space = blocks(1, 2, 3).vary(ab.optional("block_[12]*", name="two"))
    with pytest.raises(SpaceError, match=r"'block_\[23\]\*' cannot be left out: some are parts of larger blocks"):
        space.vary(ab.optional("block_[23]*", name="others"))
    with pytest.raises(SpaceError, match="'block_1' cannot be left out: some are parts of larger blocks"):
        space.vary(ab.optional("block_1"))
    with pytest.raises(SpaceError, match="are left out by decision 'two' already"):
        space.vary(ab.optional("block_[12]*", name="again"))


def test_layers_in_a_row_are_left_out_together() -> None:
    row = ab.Space(
        [layers.Input((5,)), layers.Dense(5, name="a_1"), layers.ReLU(name="a_2"), layers.Dense(7, name="last")]
    )
    space = row.vary(ab.optional("a"))
    assert [space.architecture(a=taken).params for taken in (True, False)] == [30 + 42, 42]
    assert ab.Space.from_yaml(space.to_yaml()) == space


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("block_4", "no layer's name begins with 'block_4'; did you mean block_"),
        ("block_1_expand", r"cannot be left out: \(6, 6, 4\) flows in, \(6, 6, 8\) out"),
        ("block_*_add", "cannot be left out: 3 tensors flow in and 2 out; one must flow in, and one out"),
        ("input_layer", "input_layer is an Input, which cannot be left out"),
    ],
)
def test_what_cannot_be_left_out_is_refused(name: str, said: str) -> None:
    with pytest.raises(SpaceError, match=said):
        blocks(1, 2).vary(ab.optional(name))


def test_a_decision_has_one_name() -> None:
    with pytest.raises(SpaceError, match="the space has a decision 'block_1'; give another name"):
        blocks(1, 2).vary(ab.optional("block_1"), ab.optional("block_2", name="block_1"))


@layers.custom
def Wide(input_shape: tuple[int, ...], width: int) -> layers.Counts:  # noqa: N802
    """A layer of a user."""
    return layers.Counts(output_shape=[*input_shape[:-1], width], trainable_params=input_shape[-1] * width)


def test_arguments_of_custom_layers_change_too() -> None:
    x = layers.Input((4, 3))
    y = Wide(6)(x)
    space = ab.Space(inputs=x, outputs=layers.Add()([y, layers.Dense(6)(x)]))
    assert space.vary({"wide.width": ab.scale(0.5, 1, divisor=3)}).size == 2
    assert space.vary({"dense.units": ab.scale(0.5, 1, divisor=3)}).range("params") == (3 * 3 + 12, 6 * 3 + 24)
