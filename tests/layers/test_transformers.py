"""The ready custom layers of transformers: their counts, and the same in Keras and in PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import InvalidArchitectureError
from archbudget.layers import transformers

if TYPE_CHECKING:
    from pathlib import Path

LENGTH, RATE = ab.Choice("length", [5, 9]), ab.Choice("rate", [0.0, 0.25])


def small() -> ab.Space:
    """Each of the layers once, all with decisions."""
    return ab.Space(
        [
            layers.Input((4, 6)),
            transformers.ClassToken(),
            layers.Residual(transformers.PositionEmbedding(LENGTH)),
            layers.Residual([layers.Dense(6), transformers.LayerScale(0.5), transformers.DropPath(RATE)]),
        ]
    )


def vit(dim: int, depth: int, heads: int, classes: int) -> ab.Space:
    """Dosovitskiy et al., arXiv 2010.11929, on images of 224 x 224 in patches of 16 x 16."""
    block = [
        layers.Residual([layers.LayerNormalization(), layers.MultiHeadAttention(heads, dim // heads)]),
        layers.Residual([layers.LayerNormalization(), layers.Dense(4 * dim, activation="gelu"), layers.Dense(dim)]),
    ]
    return ab.Space(
        [
            layers.Input((224, 224, 3)),
            layers.Conv2D(dim, 16, strides=16),
            layers.Reshape((196, dim)),
            transformers.ClassToken(),
            layers.Residual(transformers.PositionEmbedding(197)),
            layers.Repeat(depth, block),
            layers.LayerNormalization(),
            layers.Cropping1D((0, 196)),
            layers.Flatten(),
            layers.Dense(classes),
        ]
    )


@pytest.mark.parametrize(
    ("dim", "depth", "heads", "published"), [(768, 12, 12, 86_567_656), (1024, 24, 16, 304_326_632)]
)
def test_vision_transformers_have_the_parameters_that_torchvision_publishes(
    dim: int, depth: int, heads: int, published: int
) -> None:
    assert vit(dim, depth, heads, 1000).architecture().params == published


def test_counts_are_those_of_a_hand_calculation() -> None:
    space = small()
    assert space.evaluate({"length": [5, 9], "rate": [0.0, 0.25]})["params"].tolist() == [
        6 + length * 6 + (6 + 1) * 6 + 6 for length in (5, 9)
    ]
    arch = space.architecture(length=9, rate=0.25)
    assert arch.macs == 5 * 6 * 6
    assert [arch.layer(name).output_shape for name in ("class_token", "position_embedding", "layer_scale")] == [
        (5, 6)
    ] * 3
    assert "params: 54" in arch.explain("position_embedding")
    assert arch.layer("drop_path").params == 0


def test_they_go_through_files_and_processes() -> None:
    space = small()
    text = space.to_yaml()
    assert "archbudget.layers.transformers:LayerScale" in text
    assert ab.Space.from_yaml(text) == space


@pytest.mark.parametrize("length", [5, 9])
def test_keras_has_the_same_weights_and_computes_what_it_should(tmp_path: Path, length: int) -> None:
    arch = small().architecture(length=length, rate=0.25)
    model = arch.to_keras()
    assert model.count_params() == arch.params
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape) if weight.dtype == "float32" else weight)
    x = rng.normal(size=(3, 4, 6)).astype("float32")
    token, table, scale = (
        np.asarray(model.get_layer(name).weights[0]) for name in ("class_token", "position_embedding", "layer_scale")
    )
    kernel, bias = (np.asarray(weight) for weight in model.get_layer("dense").weights)
    placed = np.concatenate([np.broadcast_to(token, (3, 1, 6)), x], axis=1) + table[:5]
    expected = placed + (placed @ kernel + bias) * scale
    np.testing.assert_allclose(np.asarray(model(x)), expected, rtol=1e-5, atol=1e-5)
    file = tmp_path / "model.keras"
    model.save(file)
    again = keras.models.load_model(file, custom_objects=transformers.keras_layers())
    np.testing.assert_allclose(np.asarray(again(x)), expected, rtol=1e-5, atol=1e-5)


def _dropped(made: Any, expected: np.ndarray[Any, Any]) -> float:
    """The share of images without their branch; those that keep it have all of it, scaled."""
    gone = np.all(made == 0, axis=(1, 2))
    np.testing.assert_allclose(made[~gone], expected[~gone], rtol=1e-5)
    return float(gone.mean())


def test_paths_are_dropped_while_training_only() -> None:
    space = ab.Space([layers.Input((4, 6)), transformers.DropPath(0.25)])
    model = space.architecture().to_keras()
    x = np.ones((4000, 4, 6), dtype="float32")
    np.testing.assert_array_equal(np.asarray(model(x, training=False)), x)
    assert abs(_dropped(np.asarray(model(x, training=True)), x / 0.75) - 0.25) < 0.04  # Over five deviations.


@pytest.mark.parametrize("length", [5, 9])
def test_pytorch_has_the_same_weights_and_computes_the_same(length: int) -> None:
    torch = pytest.importorskip("torch")
    arch = small().architecture(length=length, rate=0.25)
    module, model = arch.to_torch().eval(), arch.to_keras()
    assert sum(each.numel() for each in module.parameters()) == arch.params
    rng = np.random.default_rng(0)
    for name in ("class_token", "position_embedding", "layer_scale"):
        (weight,), (parameter,) = model.get_layer(name).weights, getattr(module, name).parameters()
        assert tuple(weight.shape) == tuple(parameter.shape)
        weight.assign(rng.normal(size=weight.shape))
        parameter.data = torch.tensor(np.asarray(weight))
    kernel, bias = (np.asarray(weight) for weight in model.get_layer("dense").weights)
    shaped = {(6, 6): kernel.T, (6,): bias}
    for parameter in module.dense.parameters():
        parameter.data = torch.tensor(np.ascontiguousarray(shaped[tuple(parameter.shape)]))
    x = rng.normal(size=(3, 4, 6)).astype("float32")
    found = module(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(found, np.asarray(model(x)), rtol=1e-4, atol=1e-5)
    dropping = ab.Space([layers.Input((4, 6)), transformers.DropPath(0.25)]).architecture().to_torch().train()
    torch.manual_seed(0)
    many = torch.ones(4000, 4, 6)
    assert abs(_dropped(dropping(many).numpy(), many.numpy() / 0.75) - 0.25) < 0.04


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (transformers.PositionEmbedding(3), (4, 6), "an input of 4 tokens is longer than sequence_length=3"),
        (transformers.PositionEmbedding(0), (4, 6), "sequence_length must be an integer of at least 1, not 0"),
        (transformers.PositionEmbedding("x"), (4, 6), "sequence_length must be an integer of at least 1, not 'x'"),
        (transformers.PositionEmbedding(9), (4, 4, 6), r"it needs an input of \(tokens, features\), not \(4, 4, 6\)"),
        (transformers.ClassToken(), (6,), r"it needs an input of \(tokens, features\), not \(6,\)"),
        (transformers.LayerScale(None), (6,), "init_values must be a number, not None"),
        (transformers.LayerScale(), (), "it needs an input of at least one axis"),
        (transformers.DropPath(1.0), (6,), r"rate must be a number from 0 to below 1, not 1\.0"),
        (transformers.DropPath(-0.1), (6,), "rate must be a number from 0 to below 1"),
    ],
)
def test_what_they_cannot_take_is_one_line(layer: Any, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message) as caught:
        ab.Space([layers.Input(shape), layer])
    assert "\n" not in str(caught.value)


def test_a_tied_head_has_a_bias() -> None:
    """As `BertForMaskedLM`, whose decoder is the table of the words and a bias of its own."""
    vocab, dim = ab.Choice("vocab", [11, 20]), 6
    tokens = layers.Input((4,))
    table = layers.ReversibleEmbedding(vocab, dim)
    hidden = layers.Dense(dim, activation="gelu")(table(tokens))
    space = ab.Space(inputs=tokens, outputs=transformers.Bias()(table(hidden, reverse=True)))
    assert space.evaluate({"vocab": [11, 20]})["params"].tolist() == [
        size * dim + (dim + 1) * dim + size for size in (11, 20)
    ]
    arch = space.architecture(vocab=11)
    assert arch.layers[-1].output_shape == (4, 11)
    assert arch.macs == 4 * (dim * dim + dim * 11)
    model = arch.to_keras()
    assert model.count_params() == arch.params
    given = np.array([[1, 5, 0, 10]])
    before = np.asarray(model(given))
    model.get_layer("bias").bias.assign(np.arange(11.0))
    np.testing.assert_allclose(
        np.asarray(model(given)) - before, np.broadcast_to(np.arange(11.0), (1, 4, 11)), atol=1e-4
    )


@pytest.mark.torch
def test_a_tied_head_has_a_bias_in_pytorch() -> None:
    torch = pytest.importorskip("torch")
    tokens = layers.Input((4,))
    table = layers.ReversibleEmbedding(11, 6)
    arch = ab.Space(inputs=tokens, outputs=transformers.Bias()(table(table(tokens), reverse=True))).architecture()
    network = arch.to_torch()
    assert sum(each.numel() for each in network.parameters()) == arch.params == 11 * 6 + 11
    before = network(torch.tensor([[1, 5, 0, 10]]))
    with torch.no_grad():
        network.bias.bias.add_(1.0)
    assert torch.allclose(network(torch.tensor([[1, 5, 0, 10]])), before + 1.0, atol=1e-5)


SHAPE = (5, 12)
ATTENTION: list[Any] = [
    transformers.SelfAttention(2),
    transformers.SelfAttention(6, 2, query_bias=True, output_bias=True),
    transformers.SelfAttention(3, 1, head_dim=8, head_norms=True, sliding_window=2),
    transformers.SelfAttention(4, rotary=False),
    transformers.LatentAttention(3, 6, 4, 2, 5),
    transformers.LatentAttention(2, 6, 3, 4, 5, q_lora_rank=7),
]
EXPERTS: list[Any] = [
    transformers.MixtureOfExperts(4, 2, 10),
    transformers.MixtureOfExperts(3, 3, 10, gated=False, shared_experts=2, activation="gelu"),
    transformers.MixtureOfExperts(5, 1, 3, shared_experts=1),
]


def filled(model: Any) -> Any:
    """The model with weights that are far from zero."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape) * 0.5)
    return model


@pytest.mark.parametrize("layer", ATTENTION + EXPERTS, ids=str)
def test_language_models_have_the_weights_that_are_counted(tmp_path: Path, layer: Any) -> None:
    arch = ab.Space([layers.Input(SHAPE), layer]).architecture()
    model = filled(arch.to_keras())
    assert model.count_params() == arch.params
    assert model.output_shape[1:] == arch.layers[-1].output_shape == SHAPE
    x = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype("float32")
    file = tmp_path / "model.keras"
    model.save(file)
    again = keras.models.load_model(file, custom_objects=transformers.keras_layers())
    np.testing.assert_allclose(np.asarray(again(x)), np.asarray(model(x)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layer", ATTENTION, ids=str)
def test_no_position_sees_what_comes_behind(layer: Any) -> None:
    model = filled(ab.Space([layers.Input(SHAPE), layer]).architecture().to_keras())
    x = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype("float32")
    changed = x.copy()
    changed[:, 3] += 1
    before, after = np.asarray(model(x)), np.asarray(model(changed))
    np.testing.assert_allclose(before[:, :3], after[:, :3], rtol=1e-5, atol=1e-5)
    assert np.all(np.abs(before[:, 3] - after[:, 3]).max(axis=-1) > 1e-3)
    is_far = np.abs(before[:, 4] - after[:, 4]).max() > 1e-3
    assert is_far or getattr(layer, "sliding_window", None) == 1


def test_a_window_hides_what_lies_further_back() -> None:
    model = filled(
        ab.Space([layers.Input(SHAPE), transformers.SelfAttention(2, sliding_window=2)]).architecture().to_keras()
    )
    x = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype("float32")
    changed = x.copy()
    changed[:, 0] += 1
    before, after = np.asarray(model(x)), np.asarray(model(changed))
    np.testing.assert_allclose(before[:, 2:], after[:, 2:], rtol=1e-5, atol=1e-5)
    assert np.abs(before[:, 1] - after[:, 1]).max() > 1e-3


@pytest.mark.parametrize("layer", EXPERTS, ids=str)
def test_a_token_gets_the_experts_that_the_router_says(layer: Any) -> None:
    """As written out: the best scores, their softmax, and the sum of what these experts make."""
    arch = ab.Space([layers.Input(SHAPE), layer]).architecture()
    model = filled(arch.to_keras())
    given = arch.layers[-1].arguments
    router, up, down, *shared = (np.asarray(weight) for weight in model.weights)
    x = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype("float32")
    function = getattr(keras.activations, arch.layers[-1].other_arguments.get("activation", given["activation"]))

    def expert(token: Any, matrices: Any, number: int) -> Any:
        inner = token @ matrices[0][number]
        half = np.asarray(function(inner[: given["units"]]))
        return (half * inner[given["units"] :] if given["gated"] else half) @ matrices[1][number]

    expected = np.zeros_like(x)
    for place in np.ndindex(2, SHAPE[0]):
        scores = x[place] @ router
        best = np.argsort(-scores)[: given["experts_per_token"]]
        shares = np.exp(scores[best] - scores[best].max())
        for number, share in zip(best, shares / shares.sum(), strict=True):
            expected[place] += share * expert(x[place], (up, down), number)
        for number in range(given["shared_experts"]):
            expected[place] += expert(x[place], shared, number)
    np.testing.assert_allclose(np.asarray(model(x)), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.torch
@pytest.mark.parametrize("layer", ATTENTION + EXPERTS, ids=str)
def test_language_models_are_the_same_in_pytorch(layer: Any) -> None:
    torch = pytest.importorskip("torch")
    arch = ab.Space([layers.Input(SHAPE), layer]).architecture()
    model, module = filled(arch.to_keras()), arch.to_torch().eval()
    assert sum(each.numel() for each in module.parameters()) == arch.params
    parameters = dict(module.named_parameters())
    for weight in model.weights:
        name = weight.path.rpartition("/")[2]
        stem, is_bias = name.removesuffix("_bias"), name.endswith("_bias")
        # The queries that are made in two steps are one chain of modules.
        own = {"q_a": "q.0", "q_norm": "q.1", "q_b": "q.2"} if "LatentAttention" in str(type(layer)) else {}
        if own and getattr(arch.layers[-1], "arguments", {}).get("q_lora_rank") is None:
            own = {"q_b": "q"}
        path = own.get(stem, stem)
        (found,) = [
            value
            for key, value in parameters.items()
            if f".{key}".endswith((f".{path}.{'bias' if is_bias else 'weight'}", f".{path}"))
        ]
        values = np.asarray(weight)
        turned = values.T if values.ndim == 2 else values
        found.data = torch.tensor(np.ascontiguousarray(turned))
    x = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype("float32")
    made = module(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(made, np.asarray(model(x)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (transformers.SelfAttention(5), "12 features cannot be divided by 5 heads"),
        (transformers.SelfAttention(4, 3), "4 heads cannot share 3 heads of keys and values"),
        (transformers.SelfAttention(4, head_dim=3), "rotary positions need heads of an even size, not 3"),
        (transformers.SelfAttention(0), "num_heads must be an integer of at least 1, not 0"),
        (transformers.SelfAttention(2, sliding_window=0), "sliding_window must be an integer of at least 1, not 0"),
        (transformers.LatentAttention(2, 4, 3, 3, 3), "qk_rope_head_dim must be even, not 3"),
        (transformers.LatentAttention(2, 4, 3, 2, 3, q_lora_rank=0), "q_lora_rank must be an integer"),
        (transformers.MixtureOfExperts(2, 3, 4), "a token cannot have 3 of 2 experts"),
        (transformers.MixtureOfExperts(2, 1, 4, shared_experts=-1), "shared_experts must be an integer of at least 0"),
    ],
)
def test_what_language_models_cannot_have_is_one_line(layer: Any, message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message) as caught:
        ab.Space([layers.Input(SHAPE), layer])
    assert "\n" not in str(caught.value)
