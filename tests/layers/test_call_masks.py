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
VALUES: dict[str, tuple[Any, list[tuple[int, ...]]]] = {
    "Softmax": (lambda: layers.Softmax(axis=1), [(6, 3), (6, 1)]),
    "Softmax, each value": (lambda: layers.Softmax(axis=(-2, -1)), [(6, 3), (6, 3)]),
    "BatchNormalization": (layers.BatchNormalization, [(6, 3), (6,)]),
    "ConvLSTM1D": (lambda: layers.ConvLSTM1D(4, 3), [(6, 8, 3), (6,)]),
    "ConvLSTM2D": (lambda: layers.ConvLSTM2D(4, 3, return_sequences=True), [(6, 8, 5, 3), (6,)]),
    "ConvLSTM3D": (lambda: layers.ConvLSTM3D(4, 3, go_backwards=True), [(6, 4, 4, 4, 3), (6,)]),
    "TimeDistributed, LSTM": (lambda: layers.TimeDistributed(layers.LSTM(4)), [(6, 5, 3), (6, 5)]),
    "TimeDistributed, ConvLSTM1D": (lambda: layers.TimeDistributed(layers.ConvLSTM1D(2, 1)), [(6, 5, 4, 3), (6, 5)]),
    "TimeDistributed, Softmax": (lambda: layers.TimeDistributed(layers.Softmax()), [(6, 5, 3), (6, 1, 3)]),
    "TimeDistributed, twice": (
        lambda: layers.TimeDistributed(layers.TimeDistributed(layers.Bidirectional(layers.GRU(2)))),
        [(6, 2, 5, 3), (6, 2, 5)],
    ),
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
    **{
        kind: (lambda inputs, make=make: make()(inputs[0], mask=inputs[1]), shapes)
        for kind, (make, shapes) in VALUES.items()
    },
    "GroupQueryAttention, query_mask": (
        lambda inputs: HEADS["GroupQueryAttention"]()(*inputs[:2], query_mask=inputs[2]),
        [(3, 8), (5, 8), (3,)],
    ),
}


def unmasked(kind: str, inputs: list[Any]) -> Any:
    if kind in VALUES:
        return VALUES[kind][0]()(inputs[0])
    kind = kind.split(",")[0]
    if kind in STEPS:
        return STEPS[kind]()(inputs[0])
    return {**HEADS, **SCORES}[kind]()(inputs[:2])


def data_of(kind: str) -> int:
    """How many tensors a call reads before its masks."""
    return 1 if kind in STEPS or kind in VALUES else 2


@pytest.mark.parametrize("kind", CALLS)
def test_a_mask_changes_the_peak_alone(kind: str) -> None:
    call, shapes = CALLS[kind]
    inputs = [layers.Input(shape) for shape in shapes]
    masked = ab.Space(inputs=inputs, outputs=call(inputs)).architecture()
    data = data_of(kind)
    plain = ab.Space(inputs=inputs[:data], outputs=unmasked(kind, inputs)).architecture()
    values = sum(int(np.prod(shape)) for shape in shapes[data:])
    for metric, value in plain.costs.items():
        assert masked.costs[metric] == value + (4 * values if metric == "peak_activation_bytes" else 0)
    assert masked.layers[-1].input_shapes == tuple(shapes)
    for formula in ("macs_formula", "trainable_formula", "non_trainable_formula"):
        texts = [getattr(each.layers[-1], formula).text for each in (masked, plain)]
        assert texts[0] == texts[1]


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
@pytest.mark.keras
@pytest.mark.parametrize("kind", [kind for kind in CALLS if kind not in VALUES and "query_mask" not in kind])
def test_what_is_masked_does_not_matter_in_keras(kind: str) -> None:
    call, shapes = CALLS[kind]
    inputs = [layers.Input(shape) for shape in shapes]
    model = ab.Space(inputs=inputs, outputs=call(inputs)).architecture().to_keras()
    rng = np.random.default_rng(0)
    given = [rng.normal(size=(1, *shape)).astype("float32") for shape in shapes]
    data = data_of(kind)
    for mask in given[data:]:
        mask[...] = 1
        mask[..., -1] = 0
    changed = [each.copy() for each in given]
    changed[data - 1][:, -1] += 1
    same = np.asarray(model(given)) == np.asarray(model(changed))
    assert same.all()
    for mask in changed[data:]:
        mask[...] = 1
    assert not (np.asarray(model(given)) == np.asarray(model(changed))).all()


@pytest.mark.keras
@pytest.mark.parametrize("kind", [kind for kind in VALUES if kind != "BatchNormalization"])
def test_masked_values_do_not_matter_in_keras(kind: str) -> None:
    call, shapes = CALLS[kind]
    inputs = [layers.Input(shape) for shape in shapes]
    model = ab.Space(inputs=inputs, outputs=call(inputs)).architecture().to_keras()
    rng = np.random.default_rng(0)
    # A batch as large as an axis of the state of a ConvLSTM must not be taken for it.
    for batch in (1, 3, 6):
        x = rng.normal(size=(batch, *shapes[0])).astype("float32")
        mask = rng.integers(0, 2, (batch, *shapes[1])).astype("float32")
        there = np.broadcast_to(mask.reshape(*mask.shape, *[1] * (x.ndim - mask.ndim)), x.shape) == 1
        changed = np.where(there, x, 2 * x + 1)
        first, second = np.asarray(model([x, mask])), np.asarray(model([changed, mask]))
        assert first.shape == second.shape
        np.testing.assert_allclose(first, second, rtol=1e-6)
        assert not np.allclose(model([x, np.ones_like(mask)]), model([changed, np.ones_like(mask)]))


@pytest.mark.keras
@pytest.mark.parametrize(("shape", "mask"), [((6, 3), (6,)), ((6, 3), (1,)), ((4, 5, 3), (4, 5)), ((4, 5, 3), (1, 5))])
def test_a_normalization_takes_the_statistics_of_what_is_there(shape: tuple[int, ...], mask: tuple[int, ...]) -> None:
    inputs = [layers.Input(shape), layers.Input(mask)]
    normalized = layers.BatchNormalization(momentum=0.0)(inputs[0], mask=inputs[1])
    model = ab.Space(inputs=inputs, outputs=normalized).architecture().to_keras()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(7, *shape)).astype("float32")
    m = rng.integers(0, 2, (7, *mask)).astype("float32")
    model([x, m], training=True)
    there = x[np.broadcast_to(m, x.shape[:-1]) == 1]
    _, _, mean, variance = model.layers[-1].weights
    np.testing.assert_allclose(mean, there.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(variance, there.var(0), rtol=1e-4, atol=1e-5)


@pytest.mark.keras
def test_a_position_that_the_query_mask_leaves_out_sees_nothing() -> None:
    inputs = [layers.Input(shape) for shape in ((3, 8), (5, 8), (3,))]
    made = layers.GroupQueryAttention(4, 4, 2)(*inputs[:2], query_mask=inputs[2], return_attention_scores=True)
    model = ab.Space(inputs=inputs, outputs=list(made)).architecture().to_keras()
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 3, 8)).astype("float32"), rng.normal(size=(2, 5, 8)).astype("float32")
    _, scores = model([x, y, np.array([[1, 0, 1], [0, 1, 1]], "float32")])
    assert np.asarray(scores).sum(-1)[:, 0].round(4).tolist() == [[1, 0, 1], [0, 1, 1]]


WHOLE = {
    "Softmax": (layers.Softmax, keras.layers.Softmax),
    "BatchNormalization": (layers.BatchNormalization, keras.layers.BatchNormalization),
}


@pytest.mark.keras
@pytest.mark.parametrize(
    "mask",
    [(1,), (4,), (5,), (4, 5), (1, 5), (4, 1), (1, 1), (5, 4), (4, 4), (4, 6), (4, 5, 1), (1, 4, 5), (4, 5, 2)],
)
@pytest.mark.parametrize("axis", [1, -1])
@pytest.mark.parametrize("kind", WHOLE)
def test_the_shape_of_a_mask_of_values_is_held_to_keras(kind: str, axis: int, mask: tuple[int, ...]) -> None:
    own, real = (each(axis=axis) for each in WHOLE[kind])
    space_of = lambda x, m: ab.Space(inputs=[x, m], outputs=own(x, mask=m))  # noqa: E731
    inputs = [keras.Input((4, 5)), keras.Input(mask)]
    # No axis is as large as the batch.
    given = [np.ones((7, 4, 5), "float32"), np.ones((7, *mask), "float32")]
    try:
        model = keras.Model(inputs, real(inputs[0], mask=inputs[1]))
        for training in (False, True):
            model(given, training=training)
    except Exception:
        with pytest.raises(InvalidArchitectureError, match="of its mask has|its mask must have"):
            space_of(layers.Input((4, 5)), layers.Input(mask))
    else:
        arch = space_of(layers.Input((4, 5)), layers.Input(mask)).architecture()
        assert arch.layers[-1].output_shape == model.output_shape[1:]


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
        (
            [(6, 8, 3), (6,)],
            lambda x, m: layers.Bidirectional(layers.ConvLSTM1D(4, 3))(x, mask=m),
            "a mask for steps of features",
        ),
        ([(6, 8, 3), (8,)], lambda x, m: layers.ConvLSTM1D(4, 3)(x, mask=m), "of the 6 steps of its input"),
        (
            [(6, 3), (6,)],
            lambda x, m: layers.Softmax()(x, mask=m),
            "its mask must have 2 axes beside the batch, not 1; each side must be that of the same axis of its input",
        ),
        (
            [(6, 3), (6, 2)],
            lambda x, m: layers.Softmax()(x, mask=m),
            "axis 2 of its mask has 2 positions; there must be the 3 of its input, or 1",
        ),
        (
            [(6, 3), (6, 3)],
            lambda x, m: layers.BatchNormalization()(x, mask=m),
            "its mask must have 1 axes beside the batch, not 2",
        ),
        (
            [(6, 5, 3), (5, 6)],
            lambda x, m: layers.TimeDistributed(layers.LSTM(2))(x, mask=m),
            "its mask must have the 6 steps of its input as its first axis beside the batch",
        ),
        (
            [(6, 5, 3), (6, 4)],
            lambda x, m: layers.TimeDistributed(layers.LSTM(2))(x, mask=m),
            "its LSTM cannot be built on input shape (None, 5, 3): its mask must have 1 axis beside the batch, of",
        ),
        (
            [(6, 5, 3), (6, 5)],
            lambda x, m: layers.TimeDistributed(layers.Dense(2))(x, mask=m),
            "its call takes no such mask",
        ),
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
            "MultiHeadAttention: the query_mask of a call, which Keras ignores, is an attention_mask here",
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


@pytest.mark.parametrize("kind", [*VALUES, "GroupQueryAttention, query_mask"])
def test_a_call_with_a_mask_is_read_from_its_space_file(kind: str) -> None:
    call, shapes = CALLS[kind]
    inputs = [layers.Input(shape) for shape in shapes]
    space = ab.Space(inputs=inputs, outputs=call(inputs))
    assert "masks:" in space.to_yaml()
    assert ab.Space.from_yaml(space.to_yaml()) == space


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
