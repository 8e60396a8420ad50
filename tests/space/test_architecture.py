"""One network: its totals, its layers, its explanation, and the real Keras model."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import SpaceError
from support.peaks import activation_bytes
from support.random_spaces import METRICS, SEEDS, random_space


@pytest.fixture(scope="module")
def seed_network() -> ab.Architecture:
    """The network whose parameters people ask about most."""
    return ab.Space(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, 5, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 5, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    ).architecture()


def test_the_seed_network_has_the_parameters_of_keras(seed_network: ab.Architecture) -> None:
    assert seed_network.layer("conv2d").params == 832
    assert seed_network.layer("conv2d_1").params == 51_264
    assert seed_network.layer("dropout").params == 0
    real = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(32, 5, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(64, 5, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Dropout(0.25),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    assert [layer.params for layer in seed_network.layers[1:]] == [layer.count_params() for layer in real.layers]
    assert seed_network.params == real.count_params() == 184_586
    assert seed_network.macs == 24 * 24 * 25 * 32 + 8 * 8 * 25 * 32 * 64 + 1024 * 128 + 128 * 10
    assert seed_network.weight_bytes == 4 * 184_586
    # The first convolution: its input and its output.
    assert seed_network.peak_activation_bytes == 4 * (24 * 24 * 32 + 12 * 12 * 32)


def test_the_second_convolution_is_explained(seed_network: ab.Architecture) -> None:
    text = seed_network.explain("conv2d_1")
    assert "(None, 12, 12, 32) -> (None, 8, 8, 64)" in text
    assert "(5*5*32 + 1) * 64 = 51,264" in text
    assert re.search(r"^  32: channels of the input.*conv2d \(filters=32\) through max_pooling2d$", text, re.MULTILINE)
    assert re.search(r"^  5\*5: kernel_size$", text, re.MULTILINE)
    assert "= 8*8*5*5*32*64 = 3,276,800\n" in text


def test_a_dropout_is_explained(seed_network: ab.Architecture) -> None:
    text = seed_network.explain("dropout")
    assert "params: 0" in text
    assert "Dropout removes activations while training, not weights" in text


def test_the_dense_layer_after_flatten_is_explained(seed_network: ab.Architecture) -> None:
    assert (
        "1024: features of the input, which are the 4*4*64 values that flatten puts in one row"
        in seed_network.explain("dense")
    )


def test_every_layer_is_explained_at_once(seed_network: ab.Architecture) -> None:
    text = seed_network.explain()
    assert text.split("\n\n") == [seed_network.explain(layer.name) for layer in seed_network.layers]


def test_an_explanation_names_the_decisions(lenet: ab.Space) -> None:
    text = lenet.architecture(f1=32, k1=5, f2=64, k2=3, units=128).explain("conv2d_1")
    assert "(3*3*32 + 1) * 64 = 18,496" in text
    assert "(filters=32, set by f1)" in text
    assert "filters, set by f2" in text
    assert "kernel_size, set by k2" in text


def test_weights_that_are_not_trained_are_explained_apart() -> None:
    arch = ab.Space([layers.Input((8, 8, 3)), layers.BatchNormalization()]).architecture()
    text = arch.explain("batch_normalization")
    assert "non-trainable params: 2 * input_channels = 2*3 = 6" in text
    assert re.search(r"^trainable params: 2 \* input_channels = 2\*3 = 6$", text, re.MULTILINE)
    assert "\nparams: trainable_params + non_trainable_params = 6 + 6 = 12\n" in text


def test_a_layer_that_is_used_again_says_so() -> None:
    dense = layers.Dense(4)
    arch = ab.Space([layers.Input((4,)), dense, dense]).architecture()
    assert [(layer.name, layer.params, layer.reused) for layer in arch.layers[1:]] == [
        ("dense", 20, False),
        ("dense", 0, True),
    ]
    assert arch.params == 20
    assert arch.macs == 32
    assert "(reused)" in arch.summary()


@pytest.mark.keras
def test_the_summary_names_the_layers_that_lead_to_no_output() -> None:
    x = layers.Input((4,))
    shared = layers.Dense(4, name="shared")
    wide = layers.Dense(4, name="last")(layers.Dense(9, name="wide")(x))
    again = layers.ReLU(name="relu")(shared(x))
    space = ab.Space(inputs=x, outputs=shared(layers.InputChoice("read")([wide, again])))
    start = "Lead to no output, so counted but left out by to_keras(): "
    for read, said, params in ((0, "relu (0 params)", 0), (1, "wide, last (85 params)", 85)):
        arch = space.architecture(read=read)
        assert arch.summary().splitlines()[-6].strip() == start + said
        assert arch.to_keras().count_params() == arch.params - params
    whole = ab.Space(inputs=x, outputs=[wide, again]).architecture()
    assert start not in whole.summary()
    assert whole.to_keras().count_params() == whole.params


@pytest.mark.parametrize("seed", SEEDS[::3])
def test_every_network_can_be_explained_and_summed_up(seed: int) -> None:
    known = random_space(seed)
    for values in known.networks[:5]:
        arch = known.space.architecture(values)
        summary = arch.summary()
        assert f"Total params: {arch.params:,}" in summary
        for layer in arch.layers:
            assert layer.name in summary
            text = arch.explain(layer.name)
            assert text.startswith(f"{layer.name} ({layer.type}): ")
            if layer.params:
                assert f"= {layer.trainable_params:,}" in text or not layer.trainable_params


def test_the_summary_is_the_table_of_keras(seed_network: ab.Architecture) -> None:
    lines = seed_network.summary().splitlines()
    assert any(re.search(r"conv2d_1 \(Conv2D\).*\(None, 8, 8, 64\).*51,264.*3,276,800", line) for line in lines)
    assert " Total params: 184,586 (721.04 KB)" in lines
    assert " Trainable params: 184,586" in lines
    assert " Non-trainable params: 0" in lines


@pytest.mark.parametrize("seed", SEEDS)
def test_totals_are_those_of_the_layers(seed: int) -> None:
    known = random_space(seed)
    for values in known.networks[:20]:
        arch = known.space.architecture(values)
        for metric in METRICS[:-1]:
            assert arch.costs[metric] == sum(getattr(layer, metric) for layer in arch.layers)
        assert arch.peak_activation_bytes == max(layer.peak_activation_bytes for layer in arch.layers)
        assert arch.costs == {metric: getattr(arch, metric) for metric in METRICS}
        for layer in arch.layers:
            assert layer.trainable_params + layer.non_trainable_params == layer.params
            if not layer.reused:
                assert layer.trainable_formula.value + layer.non_trainable_formula.value == layer.params
            assert layer.macs_formula.value == layer.macs


@pytest.mark.parametrize("seed", SEEDS)
def test_activations_are_alive_from_where_they_are_made_to_where_they_are_last_read(seed: int) -> None:
    known = random_space(seed)
    for values in known.networks[:20]:
        arch = known.space.architecture(values)
        assert [layer.peak_activation_bytes for layer in arch.layers] == activation_bytes(arch), dict(arch)


def test_a_skip_connection_keeps_its_input_alive() -> None:
    body = [layers.Dense(100), layers.Dense(10)]
    arch = ab.Space([layers.Input((10,)), layers.Residual(body), layers.Dense(1)]).architecture()
    peaks = {layer.name: layer.peak_activation_bytes for layer in arch.layers}
    assert peaks == {"input_layer": 40, "dense": 440, "dense_1": 480, "add": 80, "dense_2": 44}


def test_a_branch_that_hands_on_its_input_makes_no_tensor() -> None:
    space = ab.Space(
        [layers.Input((10,)), layers.Residual([layers.OneOf("op", {"identity": [], "dense": layers.Dense(10)})])]
    )
    # The sum of the input with itself is written over it; that of two tensors over one of them.
    assert space.architecture(op="identity").layer("add").peak_activation_bytes == 40
    assert space.architecture(op="dense").layer("add").peak_activation_bytes == 80


def peaks(inputs: Any, outputs: Any, **values: Any) -> dict[str, int]:
    """The values alive while each layer of a network runs."""
    arch = ab.Space(inputs=inputs, outputs=outputs, bytes_per_activation=1).architecture(values)
    assert arch.peak_activation_bytes == max(layer.peak_activation_bytes for layer in arch.layers)
    return {layer.name: layer.peak_activation_bytes for layer in arch.layers}


def test_an_output_stays_alive_to_the_end() -> None:
    x = layers.Input((10,))
    a = layers.Dense(5000)(x)
    d = layers.Dense(1)(layers.Dense(5000)(layers.Dense(10)(a)))
    own = {"input_layer": 10, "dense": 5010, "dense_1": 5010}
    assert peaks(x, d) == {**own, "dense_2": 5010, "dense_3": 5001}
    space = ab.Space(inputs=x, outputs=[a, d])
    assert space.architecture().peak_activation_bytes == space.range("peak_activation_bytes")[1] == 40_040
    for outputs in ([a, d], [d, a], [a, d, a]):
        assert peaks(x, outputs) == {**own, "dense_2": 10_010, "dense_3": 10_001}
    assert peaks(x, [x, d]) == {**own, "dense_1": 5020, "dense_2": 5020, "dense_3": 5011}


def test_tensors_that_are_still_needed_are_not_overwritten() -> None:
    x = layers.Input((10,))
    h = layers.Dense(100)(x)
    r = layers.ReLU()(h)
    assert peaks(x, layers.Add()([h, r])) == {"input_layer": 10, "dense": 110, "re_lu": 200, "add": 200}
    # A second layer writes over what the first one made.
    twice = layers.Dropout(0.5)(layers.Flatten()(h))
    assert peaks(x, layers.Add()([h, twice]))["dropout"] == 200
    assert peaks(x, layers.Dense(1)(r))["re_lu"] == 100
    for outputs, expected in ((r, 100), ([h, r], 200), ([r, h, h], 200), ([layers.Dense(1)(h), r], 200)):
        assert peaks(x, outputs)["re_lu"] == expected
    # The input itself.
    assert peaks(x, [layers.ReLU()(x), x]) == {"input_layer": 10, "re_lu": 20}
    assert peaks(x, layers.Residual([layers.ReLU()])(x))["re_lu"] == 20


MERGES = (layers.Add, layers.Average, layers.Maximum, layers.Minimum, layers.Multiply, layers.Subtract)


@pytest.mark.parametrize("merge", MERGES)
def test_a_merge_writes_over_an_input_of_its_size_that_nothing_needs_afterwards(merge: Callable[[], Any]) -> None:
    x = layers.Input((10, 3))
    a, b = layers.Dense(4)(x), layers.Dense(4)(x)
    joint = merge()([a, b])
    name = layer_stem(joint)
    # Both die; one is an output, or is read again, also by a second name; both are.
    assert peaks(x, joint)[name] == 80
    for others in ([a], [b], [layers.Dense(1)(b)]):
        assert peaks(x, [joint, *others])[name] == 80
    again = layers.OneOf("op", {"skip": []})(a)
    assert peaks(x, [joint, again], op="skip")[name] == 80
    assert peaks(x, [joint, again, b], op="skip")[name] == 120
    assert peaks(x, [joint, a, b])[name] == 120
    # The same tensor twice, and by a second name.
    assert peaks(x, merge()([a, a]))[name] == 40
    assert peaks(x, merge()([a, again]), op="skip")[name] == 40
    assert peaks(x, [merge()([a, again]), a], op="skip")[name] == 80
    assert peaks(x, [merge()([a, a]), a])[name] == 80
    # The input of the network is a tensor like any other.
    assert peaks(x, merge()([x, layers.Dense(3)(x)]))[name] == 60
    # One input stretches: the other one is large enough, or none is.
    row = layers.Dense(4)(layers.GlobalAveragePooling1D(keepdims=True)(x))
    assert peaks(x, merge()([a, row]))[name] == 44
    assert peaks(x, [merge()([a, row]), a])[name] == 84
    column = layers.Dense(1)(x)
    assert peaks(x, merge()([row, column]))[name] == 10 + 4 + 40


def test_a_space_for_a_runtime_that_copies() -> None:
    x = layers.Input((10,))
    h = layers.Dense(100)(x)
    y = layers.Add()([layers.ReLU()(layers.Dense(100)(h)), h])

    def found(**settings: Any) -> dict[str, int]:
        arch = ab.Space(inputs=x, outputs=y, bytes_per_activation=1, **settings).architecture()
        return {layer.name: layer.peak_activation_bytes for layer in arch.layers}

    here = {"input_layer": 10, "dense": 110, "dense_1": 200}
    assert found() == found(in_place=True) == {**here, "re_lu": 200, "add": 200}
    assert found(in_place=False) == {**here, "re_lu": 300, "add": 300}
    # It stays with the space that follows from it.
    space = ab.Space([layers.Input((8,)), layers.Dense(ab.Int("u", 1, 4)), layers.ReLU()], in_place=False)
    assert space != ab.Space([layers.Input((8,)), layers.Dense(ab.Int("u", 1, 4)), layers.ReLU()])
    narrow = space.with_domains({"u": [4]})
    assert narrow.architecture(u=4).layer("re_lu").peak_activation_bytes == 32
    assert pickle.loads(pickle.dumps(narrow)) == narrow


def layer_stem(tensor: Any) -> str:
    """The name that a space gives to the only layer of its kind."""
    return type(tensor.block).__name__.lower()


@pytest.mark.parametrize("seed", SEEDS[:40])
def test_a_runtime_that_copies_has_a_tensor_for_each_output(seed: int) -> None:
    known = random_space(seed)
    space = ab.Space(**{**known.space._definition, "in_place": False})
    found = space.evaluate(known.indices)["peak_activation_bytes"]
    for row in known.first[:10].tolist():
        arch = space.architecture(known.active[row])
        assert [layer.peak_activation_bytes for layer in arch.layers] == activation_bytes(arch, ()), dict(arch)
        assert found[row] == arch.peak_activation_bytes


@pytest.mark.parametrize("op", ["skip", "dense"])
def test_an_output_by_a_second_name_is_the_tensor_itself(op: str) -> None:
    x = layers.Input((10,))
    h = layers.Dense(100)(x)
    branch = layers.OneOf("op", {"skip": [], "dense": layers.Dense(100)})(h)
    r = layers.ReLU()(h)
    last = layers.Dense(1)(r)
    found = peaks(x, [branch, last], op=op)
    assert (found["re_lu"], found["dense_2"]) == (200, 201)
    assert peaks(x, [branch, h, last], op=op)["dense_2"] == (201 if op == "skip" else 301)
    picked = layers.InputChoice("in")([h, r])
    for which, kept in ((0, 200), (1, 100)):
        assert peaks(x, picked, **{"in": which})["re_lu"] == kept


def test_a_custom_layer_overwrites_an_input_that_is_large_enough() -> None:
    @layers.custom(in_place=True)
    def joined(input_shapes: tuple[tuple[int, ...], ...], size: int) -> layers.Counts:
        del input_shapes
        return layers.Counts((size,))

    x = layers.Input((10,))
    h, g = layers.Dense(100)(x), layers.Dense(50)(x)
    assert peaks(x, joined(100)([h, g]))["joined"] == 150
    assert peaks(x, joined(101)([h, g]))["joined"] == 251
    assert peaks(x, [h, joined(100)([h, g])])["joined"] == 250
    assert peaks(x, [h, joined(50)([h, g])])["joined"] == 150


@pytest.mark.keras
@pytest.mark.parametrize("seed", SEEDS[::3])
def test_the_real_model_has_the_same_weights(seed: int) -> None:
    known = random_space(seed)
    for values in known.networks[::7][:4]:
        arch = known.space.architecture(values)
        model = arch.to_keras()
        assert model.count_params() == arch.params
        assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == arch.trainable_params
        for layer in arch.layers:
            shapes = [node.outputs[0].shape[1:] for node in model.get_layer(layer.name)._inbound_nodes]
            assert layer.output_shape in shapes


def test_the_real_model_gets_the_arguments_that_cost_nothing() -> None:
    space = ab.Space(
        [
            layers.Input((8,), name="pixels"),
            layers.Dense(4, ab.Choice("activation", ["relu", "tanh"]), kernel_initializer="he_normal", name="hidden"),
            layers.Dropout(ab.Choice("rate", [0.1, 0.2]), seed=3),
        ]
    )
    model = space.architecture(activation="tanh", rate=0.2).to_keras()
    assert [layer.name for layer in model.layers] == ["pixels", "hidden", "dropout"]
    assert model.get_layer("hidden").activation is keras.activations.tanh
    assert isinstance(model.get_layer("hidden").kernel_initializer, keras.initializers.HeNormal)
    assert model.get_layer("dropout").rate == 0.2


def test_the_real_model_takes_the_decisions_of_each_repetition() -> None:
    activation = ab.Choice("activation", ["relu", "tanh"])
    block = layers.OneOf(
        activation, {"relu": layers.Dense(4, activation=activation), "tanh": layers.Dense(5, activation=activation)}
    )
    space = ab.Space([layers.Input((8,)), layers.Repeat(2, block)])
    for first in activation.values:
        for second in activation.values:
            model = space.architecture(activation_1=first, activation_2=second).to_keras()
            made = [layer.activation.__name__ for layer in model.layers[1:]]
            assert made == [first, second]


def test_the_real_model_of_a_layer_in_two_branches_takes_its_decisions() -> None:
    shared = layers.Dense(3, activation=ab.Choice("activation", ["relu", "tanh"]))
    space = ab.Space([layers.Input((3,)), layers.OneOf("op", {"once": shared, "after": [layers.Dense(3), shared]})])
    assert space.size == 4
    model = space.architecture(op="after", activation="tanh").to_keras()
    assert model.layers[-1].activation is keras.activations.tanh


def test_the_real_model_does_not_depend_on_the_image_format_of_keras(seed_network: ab.Architecture) -> None:
    keras.config.set_image_data_format("channels_first")
    try:
        assert seed_network.to_keras().count_params() == seed_network.params
    finally:
        keras.config.set_image_data_format("channels_last")


def test_the_real_model_computes() -> None:
    space = ab.Space([layers.Input((4,)), layers.Residual(layers.Dense(4)), layers.Dense(ab.Int("units", 1, 3))])
    model = space.architecture(units=2).to_keras()
    assert model.predict(np.zeros((5, 4)), verbose=0).shape == (5, 2)


def test_a_graph_of_several_inputs_and_outputs_becomes_a_model() -> None:
    left, right = layers.Input((4,), name="left"), layers.Input((6,), name="right")
    joint = layers.Concatenate()([layers.Dense(ab.Int("units", 1, 3))(left), right])
    space = ab.Space(inputs=[left, right], outputs=[layers.Dense(2)(joint), joint])
    model = space.architecture(units=3).to_keras()
    assert [tensor.shape for tensor in model.inputs] == [(None, 4), (None, 6)]
    assert [tensor.shape for tensor in model.outputs] == [(None, 2), (None, 9)]
    assert model.count_params() == space.architecture(units=3).params == 15 + 20


def test_an_architecture_is_a_mapping_of_its_active_decisions() -> None:
    space = ab.Space([layers.Input((4,)), layers.Repeat(ab.Int("depth", 0, 2), layers.Dense(ab.Int("units", 1, 3)))])
    arch = space.architecture(depth=1, units_1=2)
    assert dict(arch) == {"depth": 1, "units_1": 2}
    assert arch["units_1"] == 2
    assert "units_2" not in arch
    assert len(arch) == 2
    assert arch.indices == (1, 1, 0)
    assert dict(space.architecture(arch)) == dict(arch)
    with pytest.raises(KeyError):
        arch["units_2"]
    with pytest.raises(TypeError):
        arch["depth"] = 2  # type: ignore[index]


def test_architectures_are_equal_if_their_active_decisions_are() -> None:
    space = ab.Space([layers.Input((4,)), layers.Repeat(ab.Int("depth", 0, 1), layers.Dense(ab.Int("units", 1, 3)))])
    assert (
        space.architecture(depth=0, units_1=2) == space.architecture(depth=0, units_1=3) == space.architecture(depth=0)
    )
    assert len({space.architecture(depth=0, units_1=units) for units in (1, 2, 3)}) == 1
    assert space.architecture(depth=1, units_1=2) != space.architecture(depth=1, units_1=3)


def test_an_architecture_can_be_pickled_and_copied(lenet: ab.Space) -> None:
    arch = lenet.architecture(f1=32, k1=5, f2=64, k2=5, units=128)
    for twin in (pickle.loads(pickle.dumps(arch)), copy.deepcopy(arch)):
        assert dict(twin) == dict(arch)
        assert twin.costs == arch.costs
        assert twin.explain() == arch.explain()
    space, twin = pickle.loads(pickle.dumps((lenet, arch)))
    assert twin.space is space


def test_the_repr_says_the_values_and_totals(lenet: ab.Space) -> None:
    arch = lenet.architecture(f1=32, k1=5, f2=64, k2=5, units=128)
    assert repr(arch) == ("<Architecture f1=32, k1=5, f2=64, k2=5, units=128: 184,586 params, 3,869,952 macs>")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"f1": 32, "k1": 5, "f2": 64, "k2": 5}, "no value is given for decision 'units'"),
        ({}, "no value is given for decision"),
        ({"f3": 32}, "'f3'.*f1, k1, f2, k2, units"),
        ({"f1": 33, "k1": 5, "f2": 64, "k2": 5, "units": 128}, "33 is not a value of decision 'f1'"),
        ({"f1": 32.5, "k1": 5, "f2": 64, "k2": 5, "units": 128}, "32.5 is not a value of decision 'f1'"),
        ({"f1": "32", "k1": 5, "f2": 64, "k2": 5, "units": 128}, "'32' is not a value of decision 'f1'"),
        ({"f1": None, "k1": 5, "f2": 64, "k2": 5, "units": 128}, "None is not a value of decision 'f1'"),
        ({"f1": [32], "k1": 5, "f2": 64, "k2": 5, "units": 128}, r"\[32\] is not a value of decision 'f1'"),
        ({"f1": 2**80, "k1": 5, "f2": 64, "k2": 5, "units": 128}, "is not a value of decision 'f1'"),
    ],
)
def test_bad_values_are_refused(lenet: ab.Space, values: dict[str, Any], message: str) -> None:
    for build in (lambda: lenet.architecture(values), lambda: lenet.architecture(**values)):
        with pytest.raises(SpaceError, match=message):
            build()


def test_a_network_is_given_by_a_mapping(lenet: ab.Space) -> None:
    with pytest.raises(SpaceError, match="^a network is given as a mapping from decisions to values, not as 3$"):
        lenet.architecture(3)  # type: ignore[arg-type]


def test_numbers_of_numpy_are_values(lenet: ab.Space) -> None:
    arch = lenet.architecture(f1=np.int64(32), k1=np.uint8(5), f2=64, k2=5, units=np.int16(128))
    assert arch.params == 184_586


def test_a_decision_may_have_any_name() -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(ab.Int("self", 1, 3)), layers.Dense(ab.Int("values", 1, 3))])
    assert space.architecture(self=2, values=3).params == 10 + 9
    assert space.architecture({"self": 2}, values=3).params == 10 + 9


def test_an_unknown_layer_is_refused(lenet: ab.Space) -> None:
    arch = lenet.architecture(f1=32, k1=5, f2=64, k2=5, units=128)
    for ask in (arch.layer, arch.explain):
        with pytest.raises(SpaceError, match=r"'conv3d'.*conv2d_1"):
            ask("conv3d")


def test_inactive_layers_are_not_in_a_network() -> None:
    space = ab.Space([layers.Input((4,)), layers.Repeat(ab.Int("depth", 0, 2), layers.Dense(3)), layers.Dense(1)])
    assert space.layer_names == ("input_layer", "dense", "dense_1", "dense_2")
    assert [layer.name for layer in space.architecture(depth=1).layers] == ["input_layer", "dense", "dense_2"]
    with pytest.raises(SpaceError, match="'dense_1'"):
        space.architecture(depth=1).layer("dense_1")


def test_values_by_keyword_replace_those_of_a_network() -> None:
    space = ab.Space([layers.Input((4,)), layers.Dense(ab.Int("a", 1, 9)), layers.Dense(ab.Int("b", 1, 9))])
    arch = space.architecture(a=2, b=3)
    assert dict(space.architecture(arch, b=4)) == {"a": 2, "b": 4}
    assert dict(arch) == {"a": 2, "b": 3}
