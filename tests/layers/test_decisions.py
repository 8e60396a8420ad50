"""Decisions in the hyperparameters of layers: every candidate against the real Keras, and all at once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError


def transformer() -> ab.Space:
    heads, width = ab.Choice("heads", [1, 2, 4]), ab.Choice("width", [4, 8])
    return ab.Space(
        [
            layers.Input((6,)),
            layers.Embedding(20, width),
            layers.Residual(
                [layers.LayerNormalization(), layers.MultiHeadAttention(heads, 2, ab.Choice("value", [2, 3]))]
            ),
            layers.Residual([layers.RMSNormalization(), layers.Dense(ab.channels() * 2, "gelu"), layers.Dense(width)]),
            layers.GlobalAveragePooling1D(),
        ]
    )


def autoencoder() -> ab.Space:
    filters, stride = ab.Choice("filters", [2, 3]), ab.Choice("stride", [1, 2])
    return ab.Space(
        [
            layers.Input((4, 6, 2)),
            layers.Conv2D(filters, 3, stride, "same"),
            layers.PReLU(shared_axes=[1, 2]),
            layers.GroupNormalization(ab.Choice("groups", [-1, 1, 3])),
            layers.Conv2DTranspose(2, ab.Choice("kernel", [2, 3]), stride, "same"),
            layers.UpSampling2D((1, ab.Choice("size", [1, 2]))),
            layers.Cropping2D(((ab.Choice("crop", [0, 2]), 0), (1, 1))),
            layers.Reshape((-1, 2)),
        ]
    )


def sequences() -> ab.Space:
    return ab.Space(
        [
            layers.Input((6, 3)),
            layers.Permute((1, 2)),
            layers.OneOf(
                "cell",
                {
                    "gru": layers.GRU(4, return_sequences=True, reset_after=ab.Choice("after", [False, True])),
                    "lstm": layers.LSTM(ab.Choice("units", [3, 5]), return_sequences=True),
                },
            ),
            layers.SpatialDropout1D(ab.Choice("rate", [0.1, 0.2])),
            layers.SimpleRNN(2, return_sequences=ab.Choice("whole", [False, True])),
            layers.Softmax(),
        ]
    )


@pytest.mark.parametrize("make", [transformer, autoencoder, sequences])
def test_every_candidate_costs_what_its_keras_model_does(make: object) -> None:
    space: ab.Space = make()  # type: ignore[operator]
    domains = [range(len(decision.values)) for decision in space.decisions.values()]
    rows = np.array(list(itertools.product(*domains)), dtype=np.uint8)
    counts = space.evaluate(rows)
    built = 0
    for row, params, macs, valid in zip(rows, counts["params"], counts["macs"], counts.valid, strict=True):
        values = {
            name: decision.values[index] for (name, decision), index in zip(space.decisions.items(), row, strict=True)
        }
        active = {name: value for name, value in values.items() if is_active(name, values)}
        if not valid:
            with pytest.raises(ArchbudgetError):
                space.architecture(active)
            continue
        arch = space.architecture(active)
        assert (arch.params, arch.macs) == (params, macs)
        if built < 40:
            model = arch.to_keras()
            assert model.count_params() == params
            assert model.output_shape[1:] == arch.layers[-1].output_shape
            built += 1
    assert built


def is_active(name: str, values: dict[str, object]) -> bool:
    """Whether the network asks for a decision."""
    return {"after": "gru", "units": "lstm"}.get(name, values.get("cell")) == values.get("cell")


@pytest.mark.parametrize(
    "layer",
    [
        layers.AlphaDropout(0.1),
        layers.ELU(),
        layers.Identity(),
        layers.LayerNormalization(),
        layers.LeakyReLU(),
        layers.Masking(),
        layers.PReLU(),
        layers.Permute((2, 1)),
        layers.RMSNormalization(),
        layers.Rescaling(2),
        layers.Reshape((-1,)),
        layers.Softmax(),
        layers.SpatialDropout1D(0.1),
        layers.UnitNormalization(),
    ],
)
def test_layers_that_rearrange_or_work_element_by_element_work_in_place(layer: layers.Layer) -> None:
    arch = ab.Space([layers.Input((4, 6)), layer]).architecture()
    assert arch.peak_activation_bytes == 4 * 4 * 6


@pytest.mark.parametrize(
    "layer", [layers.Cropping1D(), layers.UpSampling1D(), layers.LSTM(3), layers.MultiHeadAttention(2, 3)]
)
def test_other_layers_make_a_tensor(layer: layers.Layer) -> None:
    arch = ab.Space([layers.Input((4, 6)), layer]).architecture()
    assert arch.peak_activation_bytes == 4 * (4 * 6 + int(np.prod(arch.layers[-1].output_shape)))


def test_attention_is_called_as_in_keras() -> None:
    x, memory = layers.Input((5, 6)), layers.Input((7, 6))
    attention = layers.MultiHeadAttention(2, 3)
    one, two = ab.Space([layers.Input((5, 6)), attention]), ab.Space(inputs=x, outputs=attention(x, x))
    assert one.architecture().macs == two.architecture().macs
    crossed = ab.Space(inputs=[x, memory], outputs=attention(x, memory)).architecture()
    listed = ab.Space(inputs=[x, memory], outputs=attention([x, memory, memory])).architecture()
    assert crossed.macs == listed.macs
    assert crossed.to_keras().count_params() == listed.to_keras().count_params() == crossed.params
    with pytest.raises(ArchbudgetError, match="a key needs a value"):
        attention(x, key=memory)
    with pytest.raises(ArchbudgetError, match="1 to 3 inputs"):
        ab.Space(inputs=x, outputs=attention([x] * 4))
