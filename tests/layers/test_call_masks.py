"""Masks that Keras takes as tensors where a layer is called: `attention_mask`, `mask` and others."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import keras
import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import InvalidArchitectureError, SpaceError

HEADS = {
    "MultiHeadAttention": lambda: layers.MultiHeadAttention(2, 4),
    "GroupQueryAttention": lambda: layers.GroupQueryAttention(4, 4, 2),
}
SCORES = {"Attention": layers.Attention, "AdditiveAttention": layers.AdditiveAttention}
STEPS = {
    "SimpleRNN": lambda: layers.SimpleRNN(4),
    "LSTM": lambda: layers.LSTM(4, return_sequences=True),
    "GRU": lambda: layers.GRU(4),
    "RNN": lambda: layers.RNN(layers.LSTMCell(4)),
    "Bidirectional": lambda: layers.Bidirectional(layers.LSTM(4)),
    "GlobalAveragePooling1D": layers.GlobalAveragePooling1D,
}
CALLS: dict[str, tuple[Any, list[tuple[int, ...]]]] = {
    **{
        f"{kind}, {name}": (
            lambda inputs, kind=kind, name=name: HEADS[kind]()(*inputs[:2], **{name: inputs[2]}),
            [(3, 8), (5, 8), (3, 5) if name == "attention_mask" else (5,)],
        )
        for kind in HEADS
        for name in ("value_mask", "key_mask", "attention_mask")
    },
    **{
        kind: (lambda inputs, kind=kind: SCORES[kind]()(inputs[:2], mask=inputs[2:]), [(3, 8), (5, 8), (3,), (5,)])
        for kind in SCORES
    },
    **{kind: (lambda inputs, kind=kind: STEPS[kind]()(inputs[0], mask=inputs[1]), [(6, 3), (6,)]) for kind in STEPS},
}


def unmasked(kind: str, inputs: list[Any]) -> Any:
    kind = kind.split(",")[0]
    if kind in STEPS:
        return STEPS[kind]()(inputs[0])
    return {**HEADS, **SCORES}[kind]()(inputs[:2])


@pytest.mark.parametrize("kind", CALLS)
def test_a_mask_changes_the_peak_alone(kind: str) -> None:
    call, shapes = CALLS[kind]
    inputs = [layers.Input(shape) for shape in shapes]
    masked = ab.Space(inputs=inputs, outputs=call(inputs)).architecture()
    data = 1 if kind in STEPS else 2
    plain = ab.Space(inputs=inputs[:data], outputs=unmasked(kind, inputs)).architecture()
    values = sum(int(np.prod(shape)) for shape in shapes[data:])
    for metric, value in plain.costs.items():
        assert masked.costs[metric] == value + (4 * values if metric == "peak_activation_bytes" else 0)
    assert masked.layers[-1].input_shapes == tuple(shapes)
    assert masked.explain(masked.layers[-1].name).count(masked.layers[-1].macs_formula.text) == 1


def test_a_mask_is_alive_until_its_last_layer() -> None:
    x, mask = layers.Input((6, 4)), layers.Input((6, 6))
    y = layers.Dense(40)(x)
    y = layers.Dense(4)(y)
    y = layers.MultiHeadAttention(1, 4)(y, attention_mask=mask)
    arch = ab.Space(inputs=[x, mask], outputs=layers.Dense(4)(y)).architecture()
    # x and the mask, x with what is made of it and the mask, ..., and the last layer without the mask.
    assert [each.peak_activation_bytes for each in arch.layers] == [
        4 * values for values in (24, 24 + 36, 24 + 36 + 240, 240 + 36 + 24, 24 + 36 + 24, 24 + 24)
    ]


@pytest.mark.keras
@pytest.mark.parametrize("kind", CALLS)
def test_what_is_masked_does_not_matter_in_keras(kind: str) -> None:
    call, shapes = CALLS[kind]
    inputs = [layers.Input(shape) for shape in shapes]
    model = ab.Space(inputs=inputs, outputs=call(inputs)).architecture().to_keras()
    rng = np.random.default_rng(0)
    given = [rng.normal(size=(1, *shape)).astype("float32") for shape in shapes]
    data = 1 if kind in STEPS else 2
    for mask in given[data:]:
        mask[...] = 1
        mask[..., -1] = 0
    changed = [each.copy() for each in given]
    read = 0 if kind in STEPS else 1
    changed[read][:, -1] += 1
    same = np.asarray(model(given)) == np.asarray(model(changed))
    assert same.all()
    for mask in changed[data:]:
        mask[...] = 1
    assert not (np.asarray(model(given)) == np.asarray(model(changed))).all()


SHAPES = [
    (3, 5),
    (1, 5),
    (3, 1),
    (1, 1),
    (2, 3, 5),
    (1, 3, 5),
    (4, 3, 5),
    (2, 1, 1),
    (5,),
    (3, 6),
    (4, 5),
    (1, 1, 3, 5),
]


@pytest.mark.keras
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", HEADS)
def test_the_shape_of_an_attention_mask_is_held_to_keras(kind: str, shape: tuple[int, ...]) -> None:
    sides = [(3, 8), (5, 8), shape]
    inputs = [layers.Input(side) for side in sides]
    space_of = lambda: ab.Space(inputs=inputs, outputs=HEADS[kind]()(*inputs[:2], attention_mask=inputs[2]))  # noqa: E731
    real = [keras.Input(side) for side in sides]
    layer = (
        keras.layers.MultiHeadAttention(2, 4)
        if kind == "MultiHeadAttention"
        else keras.layers.GroupQueryAttention(4, 4, 2)
    )
    try:
        keras.Model(real, layer(*real[:2], attention_mask=real[2]))([np.ones((2, *side), "float32") for side in sides])
    except Exception:
        with pytest.raises(InvalidArchitectureError, match="its attention_mask must have the 3 positions of the query"):
            space_of()
    else:
        assert space_of().architecture().layers[-1].output_shape == (3, 8)


@pytest.mark.parametrize(
    ("shapes", "call", "message"),
    [
        (
            [(6, 3), (5,)],
            lambda x, m: layers.LSTM(4)(x, mask=m),
            "its mask must have 1 axis beside the batch, of the 6 steps of its input; it has 1 axes, the last of 5",
        ),
        (
            [(6, 3), (3,)],
            lambda x, m: layers.GlobalAveragePooling1D()(x, mask=m),
            "its mask must have 1 axis beside the batch, of the 6 steps of its input; it has 1 axes, the last of 3",
        ),
        (
            [(6, 3), (6,)],
            lambda x, m: layers.GlobalAveragePooling1D(data_format="channels_first")(x, mask=m),
            "of the 3 steps of its input; it has 1 axes, the last of 6",
        ),
        ([(6, 3), (6, 1)], lambda x, m: layers.Bidirectional(layers.GRU(4))(x, mask=m), "it has 2 axes, the last of 1"),
        ([(6, 8, 3), (6,)], lambda x, m: layers.ConvLSTM1D(4, 3)(x, mask=m), "a mask for steps of features"),
        (
            [(3, 8), (4,)],
            lambda x, m: layers.Attention()([x, x], mask=[m, None]),
            "its query_mask must have 1 axis beside the batch, of the 3 positions of the query",
        ),
        ([(3, 8), (4,)], lambda x, m: layers.AdditiveAttention()([x, x], mask=[None, m]), "its value_mask must have"),
        ([(3, 8), (4,)], lambda x, m: layers.MultiHeadAttention(2, 4)(x, key_mask=m), "its key_mask must have"),
        (
            [(3, 4, 8), (3, 4)],
            lambda x, m: layers.MultiHeadAttention(2, 4)(x, attention_mask=m),
            "it takes masks where it attends along the only axis of positions; its query has 3 axes",
        ),
    ],
)
def test_a_mask_of_another_shape_is_refused(shapes: list[Any], call: Any, message: str) -> None:
    inputs = [layers.Input(shape) for shape in shapes]
    with pytest.raises(InvalidArchitectureError) as caught:
        ab.Space(inputs=inputs, outputs=call(*inputs))
    assert message in str(caught.value)


def test_a_mask_that_fits_some_networks_only_leaves_those() -> None:
    width = ab.Int("steps", 1, 6)
    x, mask = layers.Input((width, 4)), layers.Input((3, 3))
    space = ab.Space(inputs=[x, mask], outputs=layers.MultiHeadAttention(2, 4)(x, attention_mask=mask))
    assert space.size == 1
    assert space.evaluate({"steps": [2, 3, 4]}).valid.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: layers.Dense(4)(x, mask=x), "Dense: a call has no option 'mask'"),
        (lambda x: layers.LSTM(4)(x, masks=("mask",)), "LSTM: a call has no option 'masks'; did you mean mask?"),
        (
            lambda x: layers.MultiHeadAttention(2, 4)(x, atention_mask=x),
            "a call has no option 'atention_mask'; did you mean attention_mask?",
        ),
        (
            lambda x: layers.MultiHeadAttention(2, 4)(x, attention_mask=np.ones((4, 4))),
            "MultiHeadAttention: attention_mask must be a tensor of the graph, not",
        ),
        (
            lambda x: layers.MultiHeadAttention(2, 4)(x, query_mask=x),
            "MultiHeadAttention: the query_mask of a call, which Keras may ignore, is an attention_mask here",
        ),
        (lambda x: layers.LSTM(4)(x, mask=[x]), "LSTM: mask must be a tensor of the graph, not"),
        (lambda x: layers.Attention()([x, x], mask=x), "Attention: mask must be [query_mask, value_mask], tensors or"),
        (lambda x: layers.Attention()([x, x], mask=[x]), "Attention: mask must be [query_mask, value_mask]"),
    ],
)
def test_a_wrong_mask_is_one_error(call: Any, message: str) -> None:
    with pytest.raises(SpaceError) as caught:
        call(layers.Input((4, 8)))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_masks_that_are_none_are_no_masks() -> None:
    x = layers.Input((4, 8))
    pairs = [
        (layers.MultiHeadAttention(2, 4)(x, attention_mask=None, query_mask=None), layers.MultiHeadAttention(2, 4)(x)),
        (layers.LSTM(4)(x, mask=None), layers.LSTM(4)(x)),
        (layers.Attention()([x, x], mask=None), layers.Attention()([x, x])),
        (layers.Attention()([x, x], mask=[None, None]), layers.Attention()([x, x])),
    ]
    for given, none in pairs:
        assert ab.Space(inputs=x, outputs=given) == ab.Space(inputs=x, outputs=none)


def decoder(mask: str | None) -> ab.Space:
    x, m, h = layers.Input((6, 8)), layers.Input((6,)), layers.Input((4,))
    sees = layers.Reshape((1, 6))(m) if mask == "attention_mask" else m
    attention = layers.MultiHeadAttention(2, ab.Choice("size", [4, 8]))
    y = attention(attention(x), **({} if mask is None else {mask: sees}), use_causal_mask=True)
    return ab.Space(inputs=[x, m, h], outputs=layers.GRU(4)(y, initial_state=h, mask=m))


def test_calls_with_masks_share_weights() -> None:
    space = decoder("value_mask")
    assert space.layer_names[3:5] == ("multi_head_attention", "multi_head_attention(use_causal_mask=True, value_mask)")
    assert space.range("params") == decoder(None).range("params")
    assert [each.reused for each in space.architecture(size=8).layers] == [False, False, False, False, True, False]


def test_masks_belong_to_the_description_and_to_space_files(tmp_path: Any) -> None:
    spaces = [decoder(mask) for mask in (None, "attention_mask", "value_mask", "key_mask")]
    for number, space in enumerate(spaces):
        (tmp_path / "space.yaml").write_text(space.to_yaml())
        for made in (pickle.loads(pickle.dumps(space)), copy.deepcopy(space), ab.Space.load(tmp_path / "space.yaml")):
            assert [made == other for other in spaces] == [number == other for other in range(len(spaces))]
            assert made.range("peak_activation_bytes") == space.range("peak_activation_bytes")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("{layer: {GRU: 4}, masks: [steps]}", "GRU: masks must be a list of mask, each at most once, not ['steps']"),
        ("{layer: {GRU: 4}, masks: [mask, mask]}", "each at most once"),
        ("{layer: {Dense: 4}, masks: [mask]}", "Dense: masks must be a list of none, as it takes no masks"),
        ("{layer: {GRU: 4}, masks: [mask]}", "layer 'gru' (GRU) takes one input; given 0"),
    ],
)
def test_a_wrong_mask_in_a_space_file_is_one_line(tmp_path: Any, call: str, message: str) -> None:
    (tmp_path / "space.yaml").write_text(f"layers:\n- Input: [6, 8]\n- Call: {call}\n")
    with pytest.raises(SpaceError) as caught:
        ab.Space.load(tmp_path / "space.yaml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
