"""Single layers, models and refusals of `prune_channels` and `channel_importance`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import archbudget as ab
from archbudget.errors import SpaceError

keras = pytest.importorskip("keras")
L = keras.layers


def filled(model: Any, seed: int = 0) -> Any:
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(generator.uniform(0.2, 1.2, weight.shape).astype("float32"))
    return model


def row(*layers: Any, shape: tuple[int, ...] = (8, 8, 3)) -> Any:
    return filled(keras.Sequential([keras.Input(shape), *layers]))


def output(model: Any, seed: int = 1) -> Any:
    shapes = [each.shape[1:] for each in model.inputs]
    generator = np.random.default_rng(seed)
    given = [generator.normal(size=(3, *shape)).astype("float32") for shape in shapes]
    return np.asarray(model(given[0] if len(given) == 1 else given))


def zeroed(layer: Any, lost: list[int], axis: int = -1) -> None:
    """Makes 0 of channels of a layer."""
    values = layer.kernel.numpy().copy()
    np.moveaxis(values, axis, -1)[..., lost] = 0
    layer.kernel.assign(values)
    if layer.bias is not None:
        layer.bias.assign(np.where(np.isin(np.arange(layer.bias.shape[0]), lost), 0, layer.bias.numpy()))


ROWS: dict[str, tuple[tuple[int, ...], list[Any]]] = {
    "1D": ((16, 2), [L.Conv1D(6, 3, name="made"), L.DepthwiseConv1D(3, use_bias=False), L.GlobalMaxPooling1D()]),
    "1D, flat": ((16, 2), [L.Conv1D(6, 3, name="made"), L.ReLU(), L.MaxPooling1D(), L.Flatten()]),
    "3D": ((4, 4, 4, 2), [L.Conv3D(6, 2, name="made"), L.AveragePooling3D(3), L.Flatten()]),
    "3D transposed": ((4, 4, 4, 2), [L.Conv3D(6, 2, name="made"), L.Conv3DTranspose(3, 2), L.Flatten()]),
    "rows": ((5, 3), [L.Dense(6, name="made"), L.Permute((2, 1)), L.Permute((2, 1)), L.Dense(4)]),
    "turned": ((5, 3), [L.Dense(6, name="made"), L.Permute((2, 1)), L.Flatten()]),
    "repeated": ((3,), [L.Dense(6, name="made"), L.RepeatVector(4), L.Flatten()]),
    "depthwise as groups": (
        (8, 8, 3),
        [L.Conv2D(6, 3, name="made"), L.Conv2D(12, 3, groups=6, use_bias=False), L.Flatten()],
    ),
    "padded": ((8, 8, 3), [L.Conv2D(6, 3, name="made"), L.ZeroPadding2D(2), L.UpSampling2D(), L.Flatten()]),
    "into images": ((3,), [L.Dense(6, name="made"), L.Reshape((1, 1, 6)), L.Conv2D(4, 1), L.Flatten()]),
    "separable": ((8, 8, 3), [L.Conv2D(6, 3, name="made"), L.SeparableConv2D(4, 3, depth_multiplier=2), L.Flatten()]),
    "copied behind": ((8, 8, 3), [L.Conv2D(6, 3, name="made"), L.Conv2D(4, 1), L.Reshape((36, 4)), L.LSTM(3)]),
}


@pytest.mark.parametrize("title", ROWS)
def test_layers_that_read_channels(title: str) -> None:
    shape, layers = ROWS[title]
    model = row(*layers, L.Dense(2), shape=shape)
    pruned = ab.prune_channels(model, {"made": [5, 1, 2]})
    assert pruned.get_layer("made").get_weights()[0].shape[-1] == 3
    assert pruned.count_params() < model.count_params()
    zeroed(model.get_layer("made"), [0, 3, 4])
    assert np.allclose(output(pruned), output(model), atol=1e-4)


def test_channels_may_be_the_first_axis() -> None:
    options: dict[str, Any] = {"data_format": "channels_first"}
    model = row(
        L.Conv2D(6, 3, name="made", **options),
        L.BatchNormalization(axis=1),
        L.DepthwiseConv2D(3, use_bias=False, **options),
        L.MaxPooling2D(2, **options),
        L.Flatten(**options),
        L.Dense(2),
        shape=(3, 8, 8),
    )
    pruned = ab.prune_channels(model, {"made": np.array([True, False, True, True, False, False])})
    normalization = next(layer for layer in model.layers if isinstance(layer, L.BatchNormalization))
    zeroed(model.get_layer("made"), [1, 4, 5])
    for weight in (normalization.beta, normalization.moving_mean):
        weight.assign(np.where([0, 1, 0, 0, 1, 1], 0, weight.numpy()))
    assert np.allclose(output(pruned), output(model), atol=1e-4)


def test_parts_of_a_concatenation_are_added_to_one_layer() -> None:
    inputs = keras.Input((4, 4, 2))
    parts = [L.Conv2D(4, 1, name=name)(inputs) for name in "ab"]
    whole = L.Conv2D(8, 1, name="c")(inputs)
    model = filled(keras.Model(inputs, L.Dense(2)(L.Add()([L.Concatenate()(parts), whole]))))
    space = ab.from_keras(model)
    pruned = ab.prune_channels(model, {"a": [1], "b": [0, 3]})
    assert pruned.get_layer("c").filters == 3
    zeroed(model.get_layer("a"), [0, 2, 3])
    zeroed(model.get_layer("b"), [1, 2])
    zeroed(model.get_layer("c"), [0, 2, 3, 5, 6])
    assert np.allclose(output(pruned), output(model), atol=1e-5)
    assert space.architecture().params == model.count_params()


def test_a_layer_and_a_model_that_are_called_twice_have_the_same_channels_in_both_calls() -> None:
    inside = keras.Input((6,))
    block = keras.Model(inside, L.Dense(6, name="inner", use_bias=False)(inside))
    inputs, shared = keras.Input((3,)), L.Dense(6, name="shared", use_bias=False)
    x, y = shared(inputs), shared(L.Activation("tanh")(inputs))
    outputs = L.Dense(2)(L.Concatenate()([block(x), block(y)]))
    model = filled(keras.Model(inputs, outputs))
    pruned = ab.prune_channels(model, {"shared": [0, 1], "inner": [2, 4, 5]})
    assert (pruned.count_params(), len(pruned.layers)) == (3 * 2 + 2 * 3 + 6 * 2 + 2, len(model.layers))
    zeroed(model.get_layer("shared"), [2, 3, 4, 5])
    zeroed(block.get_layer("inner"), [0, 1, 3])
    assert np.allclose(output(pruned), output(model), atol=1e-5)


def test_what_a_model_is_stays() -> None:
    model = row(
        L.Conv2D(6, 3, name="made"), L.BatchNormalization(epsilon=0.5), L.LeakyReLU(0.7), L.Flatten(), L.Dense(2)
    )
    model.get_layer("made").trainable = False
    before = [weight.copy() for weight in model.get_weights()]
    pruned = ab.prune_channels(model, {"made": [0, 5]})
    assert all(map(np.array_equal, before, model.get_weights()))
    assert [layer.name for layer in pruned.layers] == [layer.name for layer in model.layers]
    assert not pruned.get_layer("made").trainable
    assert (pruned.layers[1].epsilon, pruned.layers[2].negative_slope, pruned.name) == (0.5, 0.7, model.name)


def attention() -> Any:
    inputs = keras.Input((5, 4))
    x = L.Dense(8, name="made")(inputs)
    x = L.MultiHeadAttention(2, 4)(x, x)
    return filled(keras.Model(inputs, L.Dense(2)(L.Dense(6, name="free")(x))))


class Mine(L.Layer):
    def call(self, inputs: Any) -> Any:
        return inputs[..., ::-1]


class Model(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.dense = L.Dense(3)

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)


HELD: dict[str, tuple[Any, dict[str, Any], str]] = {
    "attention": (attention, {"made": [0]}, r"'made' \(Dense\) cannot lose channels: .*MultiHeadAttention.* is copied"),
    "a recurrent layer": (
        lambda: row(L.Dense(4, name="made"), L.LSTM(3), shape=(5, 3)),
        {"made": [0]},
        "LSTM.* is copied",
    ),
    "softmax": (
        lambda: row(L.Dense(4, activation="softmax", name="made"), L.Dense(2)),
        {"made": [0]},
        "against each other",
    ),
    "a statistic": (
        lambda: row(L.Dense(4, name="made"), L.LayerNormalization()),
        {"made": [0]},
        "the mean and the variance",
    ),
    "its own layer": (lambda: row(L.Dense(4, name="made"), Mine(), L.Dense(2)), {"made": [1]}, "Mine.* is copied"),
    "an argument": (
        lambda: row(L.Dense(4, name="made"), L.TimeDistributed(L.Dense(2))),
        {"made": [1]},
        "TimeDistributed.* is copied",
    ),
    "added to the input": (
        lambda: keras.Model(x := keras.Input((4,)), L.Add()([x, L.Dense(4, name="made")(x)])),
        {"made": [1]},
        "'add",
    ),
    "groups": (
        lambda: row(L.Conv2D(8, 1, name="made"), L.Conv2D(4, 1, groups=2)),
        {"made": [0, 1, 4]},
        "2 groups.* equally many",
    ),
    "ties": (
        lambda: keras.Model(x := keras.Input((4,)), L.Add()([L.Dense(4, name=name)(x) for name in "ab"])),
        {"a": [0], "b": [1]},
        "same channels",
    ),
    "no channel": (lambda: row(L.Dense(4, name="made")), {"made": []}, "must keep some of its channels 0 to 3"),
    "twice": (lambda: row(L.Dense(4, name="made")), {"made": [1, 1]}, "each named once"),
    "too many": (lambda: row(L.Dense(4, name="made")), {"made": [4]}, "must keep some"),
    "fractions": (lambda: row(L.Dense(4, name="made")), {"made": [0.5]}, "must keep some"),
    "no layer": (
        lambda: row(L.Dense(4, name="made")),
        {"mode": [1]},
        "no layer 'mode' gives channels.* did you mean made",
    ),
    "no weights": (lambda: keras.Sequential([L.Dense(4)]), {}, "has no graph of layers"),
    "a subclass": (Model, {}, "has no graph of layers"),
    "no model": (lambda: 3, {}, "takes a model of Keras, not 3"),
}


@pytest.mark.parametrize("title", HELD)
def test_what_cannot_be_pruned_is_one_clear_error(title: str) -> None:
    make, kept, message = HELD[title]
    with pytest.raises(SpaceError, match=message):
        ab.prune_channels(make(), kept)


def test_what_is_copied_keeps_what_it_reads() -> None:
    model = attention()
    pruned = ab.prune_channels(model, {"free": [1, 2]})
    zeroed(model.get_layer("free"), [0, 3, 4, 5])
    assert np.allclose(output(pruned), output(model), atol=1e-4)


def test_statistics_are_those_of_what_is_left_if_it_is_not_strict() -> None:
    model = row(L.Dense(4, name="made"), L.LayerNormalization(), L.Dense(2), shape=(3,))
    pruned = ab.prune_channels(model, {"made": [0, 2]}, strict=False)
    kernel, bias, scale, shift, last, end = [
        *(each[..., [0, 2]] for each in model.get_weights()[:4]), model.get_weights()[4][[0, 2]], model.get_weights()[5]
    ]  # fmt: skip
    x = np.random.default_rng(1).normal(size=(3, 3)).astype("float32") @ kernel + bias
    x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-3) * scale + shift
    assert np.allclose(output(pruned), x @ last + end, atol=1e-4)


def dense(units: int = 8) -> Any:
    return row(L.Dense(units, name="made"), L.Dense(2, name="end"), shape=(4,))


def test_a_network_must_be_the_model_with_other_widths() -> None:
    model = row(L.Conv2D(8, 3, padding="same", name="made"), L.Conv2D(8, 1, name="next"), L.Flatten(), L.Dense(2))
    space = ab.from_keras(model).vary({"made.filters": ab.scale(0.5, 2), "made.kernel_size": ab.Choice("k", [1, 3])})
    assert ab.prune_channels(model, space.architecture(made_filters=5, k=3)).get_layer("made").filters == 5
    with pytest.raises(SpaceError, match="not the model with other widths: made differ in more than that"):
        ab.prune_channels(model, space.architecture(made_filters=5, k=1))
    with pytest.raises(SpaceError, match=r"'made' \(Conv2D\) has 8 channels, and cannot have 12"):
        ab.prune_channels(model, space.architecture(made_filters=12, k=3))
    with pytest.raises(SpaceError, match=r"the network has no layer 'made' \(Conv2D\)"):
        ab.prune_channels(model, ab.from_keras(dense()).architecture())
    without = ab.from_keras(model).vary(ab.optional("next"))
    with pytest.raises(SpaceError, match="the network has no layer 'next'"):
        ab.prune_channels(model, without.architecture(next=False))


@pytest.mark.parametrize(
    ("importances", "message"),
    [
        ({"made": [1, 2]}, "must be 8 finite numbers, one for each channel"),
        ({"made": [np.nan] * 8}, "must be 8 finite numbers"),
        ({"made": "abc"}, "must be 8 finite numbers"),
        ({"mode": [1] * 8}, "no layer 'mode' gives channels"),
        ([1] * 8, "must be a mapping from the names of layers"),
        ({"end": [1, 2]}, "say nothing of the channels of layer 'made'"),
    ],
)
def test_importances_say_what_is_wrong_with_them(importances: Any, message: str) -> None:
    model = dense()
    arch = ab.from_keras(model).vary({"made.units": ab.scale(0.5, 1)}).architecture(made_units=5)
    with pytest.raises(SpaceError, match=message):
        ab.prune_channels(model, arch, importances)


def test_the_most_important_channels_are_kept_in_their_order() -> None:
    model = dense()
    space = ab.from_keras(model).vary({"made.units": ab.scale(0.25, 1)})
    importances = {"made": [3, 1, 9, 2, 8, 0, 7, 4]}
    pruned = ab.prune_channels(model, space.architecture(made_units=3), importances)
    assert np.array_equal(pruned.get_layer("made").kernel.numpy(), model.get_layer("made").kernel.numpy()[:, [2, 4, 6]])
    assert np.array_equal(pruned.get_layer("end").kernel.numpy(), model.get_layer("end").kernel.numpy()[[2, 4, 6]])
    metric = ab.channel_importance(model, importances, name="kept")
    best = space.with_metrics([metric]).within(ab.Budget(params=40)).largest("kept")
    assert (best["made_units"], best.costs["kept"]) == (5, 31)


def test_importances_may_be_negative() -> None:
    model = dense()
    space = ab.from_keras(model).vary({"made.units": ab.scale(0.25, 1)})
    gains = {"made": [0.5, -0.25, 0.125, -1, -2, 0.25, -0.5, -3]}
    space = space.with_metrics([ab.channel_importance(model, gains)])
    every = space.within(ab.Budget(params=1000))
    assert (every.largest("importance")["made_units"], every.largest("importance").costs["importance"]) == (3, 0.875)
    assert (every.smallest("importance")["made_units"], every.smallest("importance").costs["importance"]) == (8, -5.875)


def test_importances_that_are_no_sum_of_widths_are_refused() -> None:
    model = dense()
    wide = ab.from_keras(model).vary({"made.units": ab.scale(1, 2)})
    with pytest.raises(SpaceError, match="layer 'made' has 8 channels and cannot have 9"):
        wide.with_metrics([ab.channel_importance(model)])
    held = row(L.Dense(4, name="made"), L.LayerNormalization(), L.Dense(2), shape=(3,))
    narrow = ab.from_keras(held).vary({"made.units": ab.scale(0.5, 1)})
    with pytest.raises(SpaceError, match="cannot have 2: layer .* takes the mean and the variance"):
        narrow.with_metrics([ab.channel_importance(held)])
    narrow.with_metrics([ab.channel_importance(held, strict=False)])
