"""Options that Keras takes where a layer is called: `use_causal_mask`, `reverse`, `training` and others."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import keras
import numpy as np
import pytest

import archbudget as ab
from archbudget import files, layers
from archbudget.errors import InvalidArchitectureError, SpaceError

ATTENTION = {
    "MultiHeadAttention": lambda **options: layers.MultiHeadAttention(2, 4, **options),
    "GroupQueryAttention": lambda **options: layers.GroupQueryAttention(4, 4, 2, **options),
    "Attention": layers.Attention,
    "AdditiveAttention": layers.AdditiveAttention,
}


def attended(kind: str, x: Any, **options: Any) -> Any:
    """What attention makes of a sequence and itself."""
    return ATTENTION[kind]()([x, x], **options)


def decoder(kind: str, **options: Any) -> ab.Space:
    tokens = layers.Input((6,))
    x = layers.Embedding(11, 8)(tokens)
    x = layers.Add()([x, attended(kind, x, **options)])
    x = layers.LayerNormalization()(x)
    return ab.Space(inputs=tokens, outputs=layers.Dense(11)(x))


def changed(network: Any, tokens: Any) -> Any:
    """At which positions the output of a network differs where the last token does."""
    other = tokens.copy()
    other[:, -1] = (other[:, -1] + 1) % 11
    return [bool((abs(a - b) > 1e-6).any()) for a, b in zip(network(tokens)[0], network(other)[0], strict=True)]


@pytest.mark.keras
@pytest.mark.parametrize("kind", ATTENTION)
def test_a_causal_decoder_does_not_see_the_future_in_keras(kind: str) -> None:
    tokens = np.random.default_rng(0).integers(0, 11, (1, 6))
    for options, expected in (({}, [True] * 6), ({"use_causal_mask": True}, [False] * 5 + [True])):
        model = decoder(kind, **options).architecture().to_keras()
        assert changed(lambda x, model=model: np.asarray(model(x)), tokens) == expected


@pytest.mark.torch
@pytest.mark.parametrize("kind", ATTENTION)
def test_a_causal_decoder_does_not_see_the_future_in_pytorch(kind: str) -> None:
    torch = pytest.importorskip("torch")
    tokens = np.random.default_rng(0).integers(0, 11, (1, 6))
    for options, expected in (({}, [True] * 6), ({"use_causal_mask": True}, [False] * 5 + [True])):
        module = decoder(kind, **options).architecture().to_torch().eval()
        assert changed(lambda x, module=module: module(torch.tensor(x)).detach().numpy(), tokens) == expected


@pytest.mark.parametrize("kind", ATTENTION)
def test_a_causal_mask_changes_no_count(kind: str) -> None:
    plain, causal = decoder(kind).architecture(), decoder(kind, use_causal_mask=True).architecture()
    assert plain.costs == causal.costs
    (record,) = (each for each in causal.layers if each.type == kind)
    assert record.other_arguments["use_causal_mask"] is True


def test_an_option_may_be_an_argument_and_a_decision(tmp_path: Any) -> None:
    causal = ab.Choice("causal", [False, True])
    body = [layers.Input((6, 8)), layers.MultiHeadAttention(2, 4, use_causal_mask=causal)]
    space = ab.Space(body)
    x = layers.Input((6, 8))
    called = ab.Space(inputs=x, outputs=layers.MultiHeadAttention(2, 4)(x, use_causal_mask=causal))
    (tmp_path / "space.yaml").write_text(
        "decisions: {causal: [false, true]}\n"
        "layers:\n"
        "- Input: {shape: [6, 8]}\n"
        "- MultiHeadAttention: {num_heads: 2, key_dim: 4, use_causal_mask: $causal}\n"
    )
    read = files.load(str(tmp_path / "space.yaml")).space
    for each in (space, called, read):
        assert each.size == 2
        for value in (False, True):
            arch = each.architecture(causal=value)
            given = arch.layer("multi_head_attention").other_arguments
            assert given == ({"use_causal_mask": True} if value else {})
    assert read == space


@pytest.mark.keras
def test_the_way_back_of_an_embedding_has_its_table() -> None:
    tokens = layers.Input((1024,))
    table = layers.ReversibleEmbedding(50_257, 768)
    arch = ab.Space(inputs=tokens, outputs=table(table(tokens), reverse=True)).architecture()
    assert arch.params == 50_257 * 768
    assert arch.macs == 39_523_713_024
    here, back = arch.layers[1:]
    assert (here.macs, back.macs, here.params, back.params) == (0, 39_523_713_024, 50_257 * 768, 0)
    assert back.reused
    assert not here.reused
    assert back.output_shape == (1024, 50_257)
    assert (here.name, back.name) == ("reversible_embedding", "reversible_embedding(reverse=True)")
    assert "1024*768*50257 = 39,523,713,024" in arch.explain(back.name)


@pytest.mark.keras
@pytest.mark.parametrize("tied", [True, False])
def test_the_way_back_is_that_of_keras(tied: bool) -> None:
    tokens = layers.Input((5,))
    table = layers.ReversibleEmbedding(11, 4, tie_weights=tied)
    space = ab.Space(inputs=tokens, outputs=table(layers.Dense(4)(table(tokens)), reverse=True))
    arch = space.architecture()
    model = arch.to_keras()
    assert arch.params == model.count_params() == (1 if tied else 2) * 11 * 4 + 20
    assert model.output_shape == (None, 5, 11)
    assert len([each for each in model.layers if isinstance(each, keras.layers.ReversibleEmbedding)]) == 1
    # The way back alone, and first.
    rows = layers.Input((5, 4))
    alone = ab.Space(inputs=rows, outputs=layers.ReversibleEmbedding(11, 4, tie_weights=tied)(rows, reverse=True))
    assert alone.architecture().params == (1 if tied else 2) * 11 * 4
    assert alone.architecture().macs == 5 * 4 * 11
    assert alone.layer_names == ("input_layer", "reversible_embedding")


def test_the_way_back_needs_rows_of_its_table() -> None:
    rows = layers.Input((5, 3))
    with pytest.raises(InvalidArchitectureError, match="reads rows of output_dim=4 values, not of 3"):
        ab.Space(inputs=rows, outputs=layers.ReversibleEmbedding(11, 4)(rows, reverse=True))


def test_tied_weights_are_counted_once_in_every_candidate() -> None:
    tokens = layers.Input((8,))
    width = ab.Choice("width", [4, 8])
    table = layers.ReversibleEmbedding(11, width)
    x = table(tokens)
    x = layers.Repeat(ab.Int("depth", 0, 2), layers.Dense(width), shared=["width"])(x)
    space = ab.Space(inputs=tokens, outputs=[x, table(x, reverse=True)])
    found = space.evaluate({"width": [4, 8, 8], "depth": [0, 0, 2]})
    assert found["params"].tolist() == [44, 88, 88 + 2 * 72]
    assert found["macs"].tolist() == [8 * 44, 8 * 88, 8 * (88 + 2 * 64)]
    for values in ({"width": 4, "depth": 1}, {"width": 8, "depth": 2}):
        arch = space.architecture(values)
        assert space.evaluate({name: [value] for name, value in values.items()})["params"][0] == arch.params
    per_layer = space.evaluate({"width": [8], "depth": [0]}, per_layer=True).layers
    assert per_layer is not None
    assert len(set(per_layer.names)) == len(per_layer.names)


@pytest.mark.keras
@pytest.mark.parametrize("kind", ATTENTION)
def test_scores_are_a_second_output(kind: str) -> None:
    query, value = layers.Input((3, 8)), layers.Input((5, 8))
    made, scores = ATTENTION[kind]()([query, value], return_attention_scores=True)
    arch = ab.Space(inputs=[query, value], outputs=[made, scores]).architecture()
    heads = {"MultiHeadAttention": (2,), "GroupQueryAttention": (4,)}.get(kind, ())
    assert arch.layers[-1].output_shapes == ((3, 8), (*heads, 3, 5))
    real = arch.to_keras()([np.zeros((2, 3, 8), np.float32), np.zeros((2, 5, 8), np.float32)])
    assert [tuple(each.shape) for each in real] == [(2, 3, 8), (2, *heads, 3, 5)]
    # They are a tensor of their own beside the output.
    values = (3 + 5) * 8 + 3 * 8 + int(np.prod(heads, initial=1)) * 3 * 5
    assert arch.layers[-1].peak_activation_bytes == 4 * values


def test_scores_are_given_along_one_axis_of_positions() -> None:
    x = layers.Input((3, 4, 8))
    with pytest.raises(InvalidArchitectureError, match="gives its scores where it attends along the only axis"):
        ab.Space(inputs=x, outputs=list(layers.MultiHeadAttention(2, 4)(x, return_attention_scores=True)))


@pytest.mark.keras
@pytest.mark.parametrize("training", [True, False])
def test_a_call_may_say_that_it_is_as_in_training(training: bool) -> None:
    x = layers.Input((64,))
    arch = ab.Space(inputs=x, outputs=layers.Dropout(0.5)(x, training=training)).architecture()
    given = np.ones((1, 64), np.float32)
    assert bool((np.asarray(arch.to_keras()(given)) == 0).any()) is training


@pytest.mark.torch
def test_a_module_may_work_as_in_training_in_one_call_only() -> None:
    torch = pytest.importorskip("torch")
    x = layers.Input((64,))
    dropout = layers.Dropout(0.5)
    outputs = [dropout(x, training=True), dropout(x), dropout(x, training=False)]
    arch = ab.Space(inputs=x, outputs=outputs).architecture()
    module = arch.to_torch()
    assert len(list(module.children())) == 1
    for mode, expected in ((True, [True, True, False]), (False, [True, False, False])):
        module.train(mode)
        assert [bool((made == 0).any()) for made in module(torch.ones(1, 64))] == expected
        assert all(each.training is mode for each in module.modules())


def test_calls_with_the_same_options_are_one_layer() -> None:
    x = layers.Input((4, 8))
    attention = layers.MultiHeadAttention(2, 4)
    y = attention(attention(x, use_causal_mask=True), use_causal_mask=True)
    z = attention(y, use_causal_mask=False)
    space = ab.Space(inputs=x, outputs=z)
    assert space.layer_names == ("input_layer", "multi_head_attention", "multi_head_attention()")
    arch = space.architecture()
    assert arch.params == ab.Space(inputs=x, outputs=attention(x)).architecture().params
    assert [each.reused for each in arch.layers] == [False, False, True, True]


def test_repetitions_have_weights_of_their_own_also_with_options() -> None:
    x = layers.Input((4, 8))

    def block(_: int) -> list[Any]:
        return [layers.MultiHeadAttention(2, 4, use_causal_mask=True)]

    plain = ab.Space([layers.Input((4, 8)), layers.MultiHeadAttention(2, 4)]).architecture().params
    assert ab.Space(inputs=x, outputs=layers.Repeat(3, block)(x)).architecture().params == 3 * plain


def test_options_belong_to_the_description() -> None:
    spaces = [decoder("MultiHeadAttention"), decoder("MultiHeadAttention", use_causal_mask=True)]
    x = layers.Input((4,))
    spaces += [ab.Space(inputs=x, outputs=layers.Dropout(0.5)(x, training=mode)) for mode in (None, True, False)]
    for number, space in enumerate(spaces):
        for made in (pickle.loads(pickle.dumps(space)), copy.deepcopy(space)):
            assert [made == other for other in spaces] == [number == other for other in range(len(spaces))]


def tied(training: bool | None = None) -> ab.Space:
    """A table that is called both ways, and attention that is called with and without a mask."""
    tokens = layers.Input((6,))
    table = layers.ReversibleEmbedding(11, 8, name="table")
    attention = layers.MultiHeadAttention(2, 4)
    x = attention(table(tokens), use_causal_mask=ab.Choice("causal", [True, False]))
    x = layers.Dropout(0.5)(attention(x), training=training)
    return ab.Space(inputs=tokens, outputs=table(x, reverse=True))


def test_calls_with_options_are_written_to_space_files_and_read_again(tmp_path: Any) -> None:
    x = layers.Input((3, 8))
    scores = layers.MultiHeadAttention(2, 4)(x, return_attention_scores=True)
    spaces = [tied(), tied(True), tied(False), decoder("Attention", use_causal_mask=True)]
    spaces.append(ab.Space(inputs=x, outputs=list(scores), in_place=False))
    spaces.append(ab.Space([layers.Input((6, 8)), layers.MultiHeadAttention(2, 4, use_causal_mask=True)]))
    for number, space in enumerate(spaces):
        (tmp_path / "space.yaml").write_text(space.to_yaml())
        read = ab.Space.load(tmp_path / "space.yaml")
        assert [read == other for other in spaces] == [number == other for other in range(len(spaces))]
        assert read.range("params") == space.range("params")
        assert read.range("peak_activation_bytes") == space.range("peak_activation_bytes")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("Call: {layer: {Dense: 4}, reverse: true}", "Dense: a call has no option 'reverse'"),
        ("Call: {layer: {MultiHeadAttention: [2, 4]}, use_casual_mask: true}", "MultiHeadAttention"),
        ("Call: {reverse: true}", "needs the key layer"),
        ("Call: {layer: {Residual: []}, training: true}", "Call.layer: must be a layer"),
    ],
)
def test_a_wrong_call_in_a_space_file_is_one_line(tmp_path: Any, call: str, message: str) -> None:
    (tmp_path / "space.yaml").write_text(f"layers:\n- Input: [6, 8]\n- {call}\n")
    with pytest.raises(SpaceError) as caught:
        ab.Space.load(tmp_path / "space.yaml")
    assert message in str(caught.value)
    assert "space.yaml:3" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_repetitions_share_a_layer_that_is_called_with_options() -> None:
    attention = layers.MultiHeadAttention(2, 4)
    x = layers.Input((6, 8))
    alone = ab.Space(inputs=x, outputs=attention(x)).architecture().params
    block = [attention.called({"use_causal_mask": True}), layers.LayerNormalization()]
    space = ab.Space(inputs=x, outputs=layers.Repeat(3, block, shared=[attention])(x))
    assert space.architecture().params == alone + 3 * 16


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda x: layers.MultiHeadAttention(2, 4)(x, use_casual_mask=True),
            "MultiHeadAttention: a call has no option 'use_casual_mask'; did you mean use_causal_mask?",
        ),
        (
            lambda x: layers.Dense(4)(x, trainning=True),
            "Dense: a call has no option 'trainning'; did you mean training?",
        ),
        (lambda x: layers.ReversibleEmbedding(4, 4)(x, revers=True), "did you mean reverse?"),
        (lambda x: layers.LSTM(4)(x, initial_stat=x), "LSTM: a call has no option 'initial_stat'"),
        (lambda x: layers.Dropout(0.5)(x, training=1), "Dropout: training must be None, True or False, not 1"),
        (
            lambda x: layers.MultiHeadAttention(2, 4)(x, use_causal_mask="yes"),
            "MultiHeadAttention: use_causal_mask must be True or False, not 'yes'",
        ),
        (
            lambda x: layers.MultiHeadAttention(2, 4)(x, return_attention_scores=ab.Choice("s", [True, False])),
            "return_attention_scores must be True or False",
        ),
        (
            lambda x: layers.TimeDistributed(layers.ReversibleEmbedding(4, 4, reverse=True))(x),
            "TimeDistributed: reverse of ReversibleEmbedding is an option of its call; a layer inside another layer",
        ),
        (
            lambda x: layers.Pipeline([layers.ReversibleEmbedding(4, 4, reverse=ab.Choice("way", [True, False]))])(x),
            "Pipeline: reverse of ReversibleEmbedding is an option of its call",
        ),
    ],
)
def test_a_wrong_option_is_one_error(call: Any, message: str) -> None:
    with pytest.raises(SpaceError) as caught:
        call(layers.Input((4, 8)))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
