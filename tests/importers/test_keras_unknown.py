"""Models of Keras with layers that archbudget does not know, read with `strict=False`."""

from __future__ import annotations

from typing import Any

import pytest

import archbudget as ab
from archbudget.errors import BudgetError, InvalidArchitectureError, SpaceError, TranslationError

keras = pytest.importorskip("keras")


class Odd(keras.layers.Layer):  # type: ignore[misc,name-defined]
    """A layer of a user, with weights of both kinds."""

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], 7))
        self.statistics = self.add_weight(shape=(3,), trainable=False)

    def call(self, x: Any) -> Any:
        return x @ self.kernel


def model(side: int | None = 4) -> Any:
    x = given = keras.Input((side, 5), name="given")
    x = keras.layers.Dense(6, name="before")(x)
    x = Odd(name="odd")(x)
    x = keras.layers.Lambda(lambda tensor: tensor * 2, name="twice")(x)
    return keras.Model(given, keras.layers.Dense(2, name="after")(x))


def test_an_unknown_layer_keeps_its_weights_and_its_macs_are_unknown() -> None:
    real = model()
    with pytest.raises(TranslationError, match="2 parts that archbudget cannot translate: 'odd'"):
        ab.from_keras(real)
    space = ab.from_keras(real, strict=False)
    arch = space.architecture()
    assert arch.params == real.count_params() == 36 + 45 + 16
    assert arch.trainable_params == 94
    assert arch.macs is None
    assert arch.peak_activation_bytes is None
    assert arch.layer("odd").macs is None
    assert arch.layer("after").macs == 56
    assert arch.layer("odd").output_shape == (4, 7)
    assert "MACs: unknown" in arch.summary()
    assert "macs: unknown, as archbudget has no such layer" in arch.explain("odd")
    with pytest.raises(BudgetError, match="macs is unknown, as those of 'odd' are, which archbudget does not know"):
        space.within(ab.Budget(macs=100))
    with pytest.raises(SpaceError, match="does not know its real layer"):
        arch.to_keras()


def test_what_is_known_of_it_holds_for_its_inputs_alone() -> None:
    space = ab.from_keras(model(), strict=False)
    assert ab.Space.from_yaml(space.to_yaml()) == space
    assert space.vary({"after.units": ab.Int("units", 1, 3)}).range("params") == (36 + 45 + 8, 36 + 45 + 24)
    with pytest.raises(SpaceError, match="before.units cannot change by itself: .* layer 'odd'"):
        space.vary({"before.units": ab.scale(0.5, 2)})
    with pytest.raises(InvalidArchitectureError, match=r"known on inputs of the shapes \(4, 6\) only"):
        space.with_sides((8, 5))


def test_without_the_real_layer_it_is_refused() -> None:
    with pytest.raises(TranslationError, match="'odd'"):
        ab.from_keras(model().get_config(), strict=False)
    with pytest.raises(TranslationError, match="'odd'"):
        ab.from_keras(model(None), strict=False)  # The shape of its output is not known either.
    with pytest.raises(SpaceError, match="strict must be True or False, not 0"):
        ab.from_keras(model(), strict=0)  # type: ignore[arg-type]
