"""The largest multiplier of all widths that fits is that of real models."""

from __future__ import annotations

from typing import Any

import pytest

import archbudget as ab
from archbudget import layers
from archbudget.checking import ReadOptions, network_of_model, verdict
from archbudget.checking.advice import Advice
from archbudget.errors import InvalidArchitectureError
from archbudget.importers._recorded import Unused

keras = pytest.importorskip("keras")


def advice(model: object, **bounds: int) -> Advice | None:
    return verdict(network_of_model(model, ReadOptions()), ab.Budget(**bounds)).advice


def residual(multiplier: float = 1) -> Any:
    """A model whose widths are tied by an `Add` and by a depthwise convolution."""
    width, hidden = (max(8, 8 * round(each * multiplier / 8)) for each in (32, 64))
    image = keras.Input((12, 12, 3))
    x = keras.layers.Conv2D(width, 3, padding="same", name="stem")(image)
    y = keras.layers.Conv2D(hidden, 1, name="expand")(x)
    y = keras.layers.DepthwiseConv2D(3, padding="same", name="depthwise")(y)
    y = keras.layers.BatchNormalization(name="norm")(y)
    y = keras.layers.Conv2D(width, 1, name="project")(y)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Add()([x, y]))
    return keras.Model(image, keras.layers.Softmax()(keras.layers.Dense(10, name="head")(x)))


@pytest.mark.parametrize("bound", [5_000, 2_500, 1_200])
def test_the_multiplier_is_the_largest_whose_real_model_fits(bound: int) -> None:
    found = advice(residual(), params=bound)
    assert found is not None
    assert found.multiplier is not None
    sizes = {number: residual(number / 100).count_params() for number in range(5, 101, 5)}
    assert found.costs == {"params": residual(found.multiplier).count_params()}
    assert found.costs["params"] <= bound
    assert all(size > bound for number, size in sizes.items() if number / 100 > found.multiplier)
    assert set(found.widths) == {"stem.filters", "expand.filters", "project.filters"}
    assert f"{found.multiplier:g} times all widths but those of the outputs would fit" in found.text


def test_where_no_multiplier_fits_it_says_so() -> None:
    found = advice(residual(), params=20)
    assert found is not None
    assert (found.multiplier, found.reason) == (None, "")
    assert found.costs["params"] > 20
    assert found.text.startswith("no multiplier of all widths fits: with 0.05 it has params ")


def test_widths_are_multiples_of_less_where_only_that_fits() -> None:
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(16, 3), keras.layers.Conv2D(1, 1)])
    found = advice(model, params=130)
    assert found is not None
    assert (found.divisor, found.widths, found.costs) == (
        4,
        {f"{model.layers[0].name}.filters": (16, 4)},
        {"params": (27 + 1) * 4 + 4 + 1},
    )


def test_nothing_is_advised_inside_a_budget_or_below_a_range() -> None:
    assert advice(residual(), params=10**6) is None
    assert advice(residual(), params=(10**6, 10**7)) is None  # type: ignore[arg-type]


def test_what_has_no_width_but_its_outputs() -> None:
    found = advice(ab.Space([layers.Input((28, 28)), layers.Flatten(), layers.Dense(10), layers.ReLU()]), params=9)
    assert found == Advice(reason="it has no width but those of its outputs")
    assert found.text == "no multiplier of all widths was looked for: it has no width but those of its outputs"


def test_widths_that_decisions_set_are_not_multiplied() -> None:
    space = ab.Space([layers.Input((8,)), layers.Dense(ab.Int("units", 1, 9)), layers.Dense(2)])
    assert advice(space.architecture(units=9), params=3) is None


def test_widths_inside_of_wrappers_and_odd_ones() -> None:
    space = ab.Space(
        [layers.Input((6, 5)), layers.Bidirectional(layers.GRU(30), name="both"), layers.Dense(3, name="head")]
    )
    found = advice(space, params=4_000)
    assert found is not None
    assert found.multiplier is not None
    ((path, (before, after)),) = found.widths.items()
    assert (path, before) == ("both.layer.units", 30)
    real = [
        ab.Space([layers.Input((6, 5)), layers.Bidirectional(layers.GRU(each)), layers.Dense(3)]).architecture().params
        for each in (after, after + 2)
    ]
    assert real[0] == found.costs["params"] <= 4_000 < real[1]


def test_a_network_whose_outputs_must_follow_is_left_alone() -> None:
    x = layers.Dense(16, name="a")(layers.Input((4,), name="in"))
    space = ab.Space(inputs=x.inputs[0], outputs=layers.Add()([x, layers.Dense(16, name="b")(x)]))
    found = advice(space, params=50)
    assert found is not None
    assert found.multiplier is None


def test_the_types_of_weights_are_those_that_were_given() -> None:
    checked = network_of_model(residual(), ReadOptions(weights="int8"))
    found = verdict(checked, ab.Budget(weight_bytes=2_500)).advice
    assert found == advice(residual(), params=2_500) or (found and found.costs["weight_bytes"] <= 2_500)
    assert found is not None
    assert found.multiplier == (advice(residual(), params=2_500) or Advice()).multiplier


def test_custom_layers_follow_what_flows_in_and_keep_their_arguments() -> None:
    @layers.custom
    def Gate(input_shape: tuple[int, ...], width: int = 4) -> layers.Counts:  # noqa: N802
        return layers.Counts(input_shape, trainable_params=width * input_shape[-1])

    space = ab.Space([layers.Input((8,)), layers.Dense(8), Gate(), layers.Dense(2)])
    found = advice(space, params=100)
    assert found is not None
    assert found.widths == {"dense.units": (8, 4)}
    assert found.costs == {"params": 9 * 4 + 4 * 4 + 5 * 2}
    assert found.kept == ("Gate",)
    assert "times all widths but those of the outputs and of custom layers (Gate) would fit" in found.text


def test_an_argument_of_a_custom_layer_follows_where_it_must() -> None:
    @layers.custom
    def Shift(input_shape: tuple[int, ...], width: int) -> layers.Counts:  # noqa: N802
        if input_shape != (width,):
            raise InvalidArchitectureError(f"it shifts {width} values, not {input_shape}")
        return layers.Counts(input_shape, trainable_params=width)

    space = ab.Space([layers.Input((8,)), layers.Dense(8), Shift(8, name="shift"), layers.Dense(2)])
    found = advice(space, params=80)
    assert found is not None
    assert found.widths == {"dense.units": (8, 4), "shift.width": (8, 4)}
    assert found.costs == {"params": 9 * 4 + 4 + 5 * 2}
    assert found.kept == ()


def test_layers_whose_weights_were_read_are_not_made_narrower() -> None:
    unused = Unused((5, 0), name="head")
    space = ab.Space([layers.Input((8,)), layers.Dense(8), unused, layers.Dense(2)])
    assert advice(space, params=60) == Advice(reason="the weights of head are as they were read, whatever flows in")


def test_networks_of_many_layers_are_varied() -> None:
    body = [each for _ in range(180) for each in (layers.Dense(8), layers.ReLU(), layers.Identity())]
    space = ab.Space([layers.Input((8,)), *body, layers.Dense(2)])
    arch = space.architecture()
    assert len(arch.layers) > 500
    found = advice(space, params=arch.params // 2)
    assert found is not None
    assert found.costs["params"] <= arch.params // 2
    assert set(found.widths.values()) == {(8, 4)}
