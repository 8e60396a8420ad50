"""Real PyTorch modules, compared with real Keras models with the same weights."""

from __future__ import annotations

import copy
import io
import pickle
import sys
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import layers, spaces
from archbudget.errors import ArchbudgetError, InvalidArchitectureError, SpaceError
from support.layer_records import ALL_KINDS, KINDS, one_layer_network, used_twice
from support.random_layers import other_shapes, random_case
from support.random_pytorch_layers import random_any_case
from support.random_spaces import SEEDS, random_space

if TYPE_CHECKING:
    from collections.abc import Iterator

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from archbudget.export.torch import BUILDERS  # noqa: E402
from archbudget.export.torch._activation import FUNCTIONS  # noqa: E402
from support.torch_networks import assert_same, counts  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.keras]

UNLIKE = {
    "ActivityRegularization": ("l1", "l2"),
    "BatchNormalization": ("renorm",),
    "GaussianDropout": ("rate",),
}
"""Arguments among the random ones that PyTorch has nothing for."""


def row(*blocks: Any) -> ab.Architecture:
    """The only network of a space of layers in a row."""
    return ab.Space(list(blocks)).architecture()


def macs(arch: ab.Architecture) -> int:
    """The multiply-accumulates that PyTorch counts in the module of a network, on no device."""
    with torch.device("meta"):
        network = arch.to_torch().eval()
        inputs = [torch.empty(1, *record.output_shape) for record in arch.layers if record.type == "Input"]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*inputs)
    assert counter.get_total_flops() % 2 == 0
    return counter.get_total_flops() // 2


def test_every_builder_is_that_of_a_layer() -> None:
    assert {*BUILDERS, "Input"} <= set(ALL_KINDS)


@pytest.mark.parametrize("kind", sorted({*ALL_KINDS} - {*BUILDERS, "Input"}))
def test_a_layer_without_a_builder_is_refused(kind: str) -> None:
    rng = Random(f"unbuilt {kind}")
    refused = 0
    for _ in range(100):
        try:
            arch = one_layer_network(kind, *random_any_case(rng, kind))
        except ArchbudgetError:
            continue
        with pytest.raises(SpaceError, match=r"is not built in PyTorch: .* built in Keras$"):
            arch.to_torch()
        refused += 1
        if refused == 3:
            break
    assert refused > 0


def inside(kind: str, arguments: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """A layer, and those that it holds, by name and arguments."""
    yield kind, arguments
    for given in arguments.values():
        for each in given if isinstance(given, list) else [given]:
            if isinstance(each, dict):
                yield from inside(*next(iter(each.items())))


@pytest.mark.parametrize("layer", [layers.Pipeline([layers.RandomFlip()]), layers.RandomFlip()])
def test_a_layer_without_a_builder_is_refused_in_one_line(layer: layers.Layer) -> None:
    with pytest.raises(SpaceError, match=r"is not built in PyTorch: .* built in Keras$"):
        row(layers.Input((4, 4, 3)), layer).to_torch()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (layers.BatchNormalization(momentum=None), r"BatchNormalization\) cannot be built in PyTorch: TypeError: "),
        (layers.Dropout(0.5, noise_shape=True), r"Dropout\) cannot be built in PyTorch: TypeError: "),
        (layers.Rescaling(None), r"Rescaling\) cannot be built in PyTorch: TypeError: "),
        (layers.Dense(3, lora_rank=1, lora_alpha=""), r"Dense\) cannot be built in PyTorch: TypeError: "),
        (layers.TimeDistributed(layers.Rescaling(None)), r"TimeDistributed\) cannot be built in PyTorch: TypeError: "),
        (layers.Dense(3, activation=eval("lambda x: x", {})), r"Dense\): activation=.* has no equivalent in PyTorch"),
    ],
)
def test_anything_but_an_argument_is_refused_in_one_line(layer: layers.Layer, message: str) -> None:
    with pytest.raises(SpaceError, match=f"^layer '.*' \\({message}[^\n]*$"):
        row(layers.Input((4, 3)), layer).to_torch()


@pytest.mark.parametrize("kind", [kind for kind in BUILDERS if kind in KINDS])
def test_random_layers_compute_what_those_of_keras_do(kind: str) -> None:
    rng = Random(f"torch {kind}")
    made = 0
    for seed in range(25):
        arguments, shapes = random_case(rng, kind)
        try:
            arch = one_layer_network(kind, arguments, shapes)
        except ArchbudgetError:
            continue
        every = list(inside(kind, arguments))
        if any(name not in BUILDERS and not name.endswith(("Cell", "Cells")) for name, _ in every):
            with pytest.raises(SpaceError, match="is not built in PyTorch"):
                arch.to_torch()
            continue
        if kind != "TimeDistributed" and any(own.get("mask_zero") for _, own in every[1:]):
            with pytest.raises(SpaceError, match="to_torch does not follow the mask that begins with Embedding"):
                arch.to_torch()
            continue
        adapted = kind == "SpectralNormalization" and any(own.get("lora_rank") for _, own in every)
        if adapted or any(
            own.get(argument) not in (None, 0, 0.0, False, 0.25, 0.5)
            for name, own in every
            for argument in UNLIKE.get(name, ())
        ):
            with pytest.raises(SpaceError, match="has no equivalent in PyTorch"):
                arch.to_torch()
            continue
        assert_same(arch, seed)
        made += 1
    assert made > 3


IMAGE = [7, 6, 4]
STEPS = [5, 4]


@pytest.mark.parametrize(
    ("kind", "arguments", "shape"),
    [
        ("Conv1D", {"filters": 3, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}, [9, 2]),
        ("Conv1D", {"filters": 3, "kernel_size": 3, "padding": "causal", "strides": 2}, [9, 2]),
        ("Conv2D", {"filters": 3, "kernel_size": 4, "padding": "same"}, IMAGE),
        ("Conv2D", {"filters": 3, "kernel_size": 3, "padding": "same", "strides": 2}, IMAGE),
        ("Conv2D", {"filters": 3, "kernel_size": 1, "padding": "same", "strides": 3}, IMAGE),
        ("Conv2D", {"filters": 4, "kernel_size": 3, "lora_rank": 2, "lora_alpha": 3, "groups": 2}, IMAGE),
        ("Conv2D", {"filters": 4, "kernel_size": 3, "activation": "softmax"}, IMAGE),
        ("Conv2D", {"filters": 4, "kernel_size": 3, "activation": "softmax", "data_format": "channels_first"}, IMAGE),
        ("Conv2DTranspose", {"filters": 3, "kernel_size": 2, "strides": 3}, IMAGE),
        ("Conv2DTranspose", {"filters": 3, "kernel_size": 2, "strides": 3, "padding": "same"}, IMAGE),
        ("Conv2DTranspose", {"filters": 3, "kernel_size": 5, "strides": 2, "padding": "same"}, IMAGE),
        ("Conv2DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2, "output_padding": 1}, IMAGE),
        ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2, "padding": "same", "strides": 2}, IMAGE),
        ("SeparableConv2D", {"filters": 5, "kernel_size": 3, "depth_multiplier": 2, "activation": "relu"}, IMAGE),
        ("AveragePooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}, IMAGE),
        ("MaxPooling2D", {"pool_size": (2, 3), "strides": (3, 1), "padding": "same"}, IMAGE),
        ("UpSampling2D", {"size": (2, 3), "interpolation": "bilinear"}, IMAGE),
        ("UpSampling2D", {"size": (2, 3), "interpolation": "bicubic"}, IMAGE),
        ("SimpleRNN", {"units": 3, "activation": "relu"}, STEPS),
        ("SimpleRNN", {"units": 3, "activation": None, "go_backwards": True}, STEPS),
        ("SimpleRNN", {"units": 3, "recurrent_dropout": 0.5, "use_bias": False}, STEPS),
        ("LSTM", {"units": 3, "activation": "relu", "return_sequences": True}, STEPS),
        ("LSTM", {"units": 3, "recurrent_activation": "hard_sigmoid", "go_backwards": True}, STEPS),
        ("LSTM", {"units": 3, "recurrent_dropout": 0.5, "dropout": 0.5}, STEPS),
        ("GRU", {"units": 3, "activation": "relu"}, STEPS),
        ("GRU", {"units": 3, "activation": "relu", "use_bias": False, "return_sequences": True}, STEPS),
        ("GRU", {"units": 3, "reset_after": False, "recurrent_activation": "hard_sigmoid"}, STEPS),
        ("ConvLSTM1D", {"filters": 2, "kernel_size": 2, "go_backwards": True, "unit_forget_bias": False}, [3, 6, 2]),
        ("ConvLSTM2D", {"filters": 2, "kernel_size": 3, "padding": "same", "strides": 2}, [3, 6, 5, 2]),
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "sliding_window": 2}, STEPS),
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "value_dim": 5, "output_shape": (2, 3)}, IMAGE),
        ("GroupQueryAttention", {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}, STEPS),
        (
            "GroupQueryAttention",
            {"head_dim": 3, "num_query_heads": 2, "num_key_value_heads": 1, "sliding_window": 2},
            STEPS,
        ),
        ("BatchNormalization", {"trainable": False, "epsilon": 0.1}, IMAGE),
        ("BatchNormalization", {}, [2, 3, 2, 3, 2]),
        ("LayerNormalization", {"axis": (3, 1)}, IMAGE),
        ("GroupNormalization", {"groups": 2, "axis": 1}, [4, 5]),
        ("Normalization", {"mean": [1.0, 2.0], "variance": [4.0, 9.0], "invert": True}, [3, 2]),
        ("Dense", {"units": 3, "lora_rank": 2, "activation": "softmax"}, STEPS),
        ("Dense", {"units": 3, "trainable": False}, STEPS),
        ("Embedding", {"input_dim": 9, "output_dim": 3, "lora_rank": 2}, [4]),
        ("Rescaling", {"scale": [1.0, 2.0], "offset": [3.0, 0.0]}, [3, 2]),
        ("ReLU", {"max_value": 2, "negative_slope": 0.5, "threshold": 0.5}, [30]),
        ("ReLU", {"max_value": 2}, [30]),
        ("Dropout", {"rate": 0.5, "noise_shape": (None, 1, None)}, STEPS),
        ("Flatten", {"data_format": "channels_first"}, []),
    ],
)
def test_a_layer_computes_what_that_of_keras_does(kind: str, arguments: dict[str, Any], shape: list[int]) -> None:
    assert_same(one_layer_network(kind, arguments, [shape]))


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "sparsemax"])
def test_an_activation_is_that_of_keras(name: str) -> None:
    assert_same(row(layers.Input((40,)), layers.Activation(name)))
    assert_same(row(layers.Input((3,)), layers.Dense(20, activation=name)))


def test_sparsemax_is_the_nearest_point_of_the_simplex() -> None:
    """Keras 3.15 subtracts too much where more than one value is kept; its documentation has the definition."""
    network = row(layers.Input((3,)), layers.Activation("sparsemax")).to_torch()
    torch.testing.assert_close(
        network(torch.tensor([[1.0, 0.5, -2.0], [3.0, 0.0, 0.0]])), torch.tensor([[0.75, 0.25, 0.0], [1.0, 0.0, 0.0]])
    )
    torch.testing.assert_close(network(torch.randn(9, 3)).sum(1), torch.ones(9))


def test_an_activation_may_be_a_function_of_keras() -> None:
    keras = pytest.importorskip("keras")
    assert isinstance(row(layers.Input((4,)), layers.Activation(keras.activations.relu)).to_torch().activation, nn.ReLU)


@pytest.mark.parametrize("seed", SEEDS[::6])
def test_random_networks_compute_what_those_of_keras_do(seed: int) -> None:
    known = random_space(seed)
    for values in known.networks[:3]:
        arch = known.space.architecture(values)
        if any(record.arguments.get("renorm") for record in arch.layers):
            with pytest.raises(SpaceError, match="renorm=True has no equivalent in PyTorch"):
                arch.to_torch()
            continue
        assert_same(arch, seed)


def test_a_layer_used_twice_is_one_module() -> None:
    dense = layers.Dense(4)
    network = assert_same(row(layers.Input((4,)), dense, dense))
    assert [name for name, _ in network.named_children()] == ["dense"]


def test_a_shared_layer_takes_images_of_any_size() -> None:
    image = layers.Input((8, 8, 3))
    conv, norm = layers.Conv2D(3, 3, strides=2, padding="same"), layers.BatchNormalization()
    half = norm(conv(image))
    quarter = norm(conv(half))
    outputs = [layers.GlobalAveragePooling2D()(each) for each in (half, quarter)]
    assert_same(ab.Space(inputs=image, outputs=layers.Add()(outputs)).architecture())


@pytest.mark.parametrize("kind", [kind for kind in BUILDERS if kind in KINDS])
def test_a_layer_that_is_used_again_computes_what_that_of_keras_does(kind: str) -> None:
    rng = Random(f"torch again {kind}")
    made = 0
    for seed in range(600):
        arguments, first = random_case(rng, kind)
        second = other_shapes(rng, first)
        try:
            arch = used_twice(kind, arguments, first, second).architecture()
            arch.to_torch()
        except ArchbudgetError:
            continue
        assert_same(arch, seed)
        made += first != second
        if made == 4:
            break
    assert made > 1


@pytest.mark.parametrize("weights", [{}, {"center": False, "scale": False}])
@pytest.mark.parametrize(
    ("axis", "first", "second"),
    [(-1, [4], [2, 4]), (1, [4], [4, 3]), ([1], [4, 3], [4]), ([2, 1], [4, 3], [4, 3, 2])],
)
def test_a_layer_normalization_is_used_on_another_number_of_axes(
    axis: Any, first: list[int], second: list[int], weights: dict[str, bool]
) -> None:
    assert_same(used_twice("LayerNormalization", {"axis": axis, **weights}, [first], [second]).architecture())
    if weights:
        # Without weights they may have any sides.
        other = [side + 1 for side in second]
        assert_same(used_twice("LayerNormalization", {"axis": axis, **weights}, [first], [other]).architecture())
    inside = {"layers": [{"LayerNormalization": {"axis": axis, **weights}}]}
    assert_same(used_twice("Pipeline", inside, [first], [second]).architecture())


@pytest.mark.parametrize("shapes", [[[], [2, 3]], [[2, 3], []], [[3], [2, 3, 4]]])
def test_a_flatten_is_used_on_another_number_of_axes(shapes: list[list[int]]) -> None:
    for data_format in ("channels_first", "channels_last"):
        assert_same(used_twice("Flatten", {"data_format": data_format}, *[[each] for each in shapes]).architecture())


def test_several_inputs_and_outputs_are_arguments_and_a_tuple() -> None:
    first, second = layers.Input((3,)), layers.Input((5,))
    both = layers.Concatenate()([layers.Dense(4)(first), layers.Dense(4)(second)])
    arch = ab.Space(inputs=[first, second], outputs=[layers.Dense(2)(both), both]).architecture()
    network = assert_same(arch)
    small, wide = network(torch.zeros(7, 3), torch.zeros(7, 5))
    assert small.shape == (7, 2)
    assert wide.shape == (7, 8)
    with pytest.raises(TypeError, match="this network takes 2 tensors, not 1"):
        network(torch.zeros(7, 3))


def test_an_output_may_be_an_input() -> None:
    first = layers.Input((3,))
    arch = ab.Space(inputs=first, outputs=[layers.Dense(3)(first), layers.Identity()(first)]).architecture()
    assert_same(arch)


def test_the_structure_of_a_space_file_is_read() -> None:
    space = ab.Space(
        [
            layers.Input((8, 8, 3)),
            layers.OneOf("stem", {"conv": layers.Conv2D(4, 3, padding="same"), "none": []}),
            layers.Repeat(
                ab.Int("depth", 0, 2),
                layers.Residual([layers.Conv2D(ab.channels(), ab.Choice("k", [1, 3]), padding="same")]),
            ),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )
    for arch in space.sample(12, seed=0):
        assert_same(arch)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("kind", [layers.SimpleRNN, layers.LSTM, layers.GRU])
def test_steps_that_are_masked_are_skipped(kind: Any, backwards: bool) -> None:
    network = assert_same(
        row(
            layers.Input((9,)),
            layers.Embedding(3, 4, mask_zero=True),
            layers.Residual([layers.Dense(4, activation="tanh"), layers.Dropout(0.1)]),
            kind(4, return_sequences=True, go_backwards=backwards),
            kind(3),
        )
    )
    assert [name for name, _ in network.named_children()][-1] == "embedding_mask"


def test_the_mean_of_a_masked_sequence_is_that_of_its_steps() -> None:
    arch = row(layers.Input((4, 2)), layers.Masking(0.5), layers.Rescaling(2.0), layers.GlobalAveragePooling1D())
    network = assert_same(arch)
    x = torch.tensor([[[1.0, 2.0], [0.5, 0.5], [3.0, 0.5], [0.5, 0.5]]])
    assert network(x).tolist() == [[4.0, 2.5]]


@pytest.mark.parametrize(
    "layer",
    [
        layers.MultiHeadAttention(2, 3),
        layers.MultiHeadAttention(2, 3, sliding_window=2),
        layers.MultiHeadAttention(2, 3, dropout=0.1, use_gate=True),
        layers.GroupQueryAttention(3, 4, 2),
        layers.Attention(),
        layers.Attention(score_mode="concat"),
        layers.AdditiveAttention(),
    ],
    ids=repr,
)
@pytest.mark.parametrize("several", [1, 2, 3])
def test_attention_sees_what_is_not_masked(layer: Any, several: int) -> None:
    if several == 1 and isinstance(layer, (layers.Attention, layers.AdditiveAttention)):
        pytest.skip("it takes a query and a value")
    inputs = [layers.Input((5 if number == 0 else 7,)) for number in range(several)]
    embedded = [layers.Embedding(3, 4, mask_zero=True)(each) for each in inputs]
    attended = layers.LayerNormalization()(layer(embedded))
    pooled = layers.GlobalAveragePooling1D()(attended)
    # At steps that are masked themselves Keras has other values with a dropout than without one; nothing reads them.
    outputs = [pooled] if layer.dropout else [pooled, attended]
    assert_same(ab.Space(inputs=inputs, outputs=outputs).architecture(), seed=several)


def test_attention_between_masked_and_unmasked_inputs_is_refused() -> None:
    first, second = layers.Input((5,)), layers.Input((7, 4))
    both = layers.Attention()([layers.Embedding(3, 4, mask_zero=True)(first), second])
    with pytest.raises(SpaceError, match=r"\(Attention\) gets a mask, which to_torch follows only into Bidirect"):
        ab.Space(inputs=[first, second], outputs=both).architecture().to_torch()


def test_a_mask_ends_at_a_layer_that_forgets_it() -> None:
    assert_same(row(layers.Input((9,)), layers.Embedding(3, 4, mask_zero=True), layers.Conv1D(4, 3), layers.LSTM(3)))


@pytest.mark.parametrize("layer", [layers.BatchNormalization(), layers.Softmax(), layers.Concatenate()])
def test_an_unsupported_mask_is_refused(layer: layers.Layer) -> None:
    steps = layers.Input((5,))
    embedded = layers.Embedding(3, 4, mask_zero=True)(steps)
    arch = ab.Space(inputs=steps, outputs=layer([embedded] * (2 if layer.MERGES else 1))).architecture()
    with pytest.raises(SpaceError, match=rf"\({layer.kind}\) gets a mask, which to_torch follows only into Bidirect"):
        arch.to_torch()


def test_different_masks_are_not_joined() -> None:
    first, second = layers.Input((5, 3)), layers.Input((5, 3))
    both = layers.Add()([layers.Masking()(first), layers.Masking()(second)])
    with pytest.raises(SpaceError, match=r"layer 'add' \(Add\) gets different masks"):
        ab.Space(inputs=[first, second], outputs=both).architecture().to_torch()


class Excitation(nn.Module):
    """Squeeze and excitation, channels last."""

    def __init__(self, channels: int, ratio: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, channels // ratio)
        self.excite = nn.Linear(channels // ratio, channels)

    def forward(self, x: Any) -> Any:
        return x * self.excite(self.squeeze(x.mean((1, 2), keepdim=True)).relu()).sigmoid()


def excite(input_shape: tuple[int, ...], ratio: int = 4) -> layers.Counts:
    channels = input_shape[-1]
    if channels % ratio:
        raise InvalidArchitectureError(f"{channels} channels cannot be divided by {ratio}")
    squeezed = channels // ratio
    return layers.Counts(
        input_shape,
        trainable_params=(channels + 1) * squeezed + (squeezed + 1) * channels,
        macs=2 * channels * squeezed,
    )


def test_a_custom_layer_becomes_the_module_that_its_function_makes() -> None:
    excitation = layers.custom(torch=lambda input_shape, ratio: Excitation(input_shape[-1], ratio))(excite)
    space = ab.Space(
        [
            layers.Input((9, 9, 3)),
            layers.Conv2D(ab.Choice("filters", [8, 12]), 3),
            excitation(ab.Choice("ratio", [2, 4, 8])),
            layers.Repeat(2, [excitation(ratio=2, trainable=False)]),
        ]
    )
    assert space.size == 5
    for index in range(30):
        arch = space.sample(1, seed=index)[0]
        network = arch.to_torch()
        assert network.excite.squeeze.out_features == arch["filters"] // arch["ratio"]
        assert counts(network) == {"params": arch.params, "trainable_params": arch.trainable_params}
        assert network(torch.zeros(2, 9, 9, 3)).shape == (2, 7, 7, arch["filters"])
        assert macs(arch) == arch.macs


def test_a_custom_layer_may_take_several_tensors_and_any_hyperparameters() -> None:
    seen = []

    class Weighted(nn.Module):
        def __init__(self, shapes: Any, weights: Any) -> None:
            super().__init__()
            seen.append((shapes, weights))
            self.weights = weights

        def forward(self, left: Any, right: Any) -> Any:
            return self.weights["left"] * left + self.weights["right"] * right

    @layers.custom(torch=lambda shapes, weights, **_: Weighted(shapes, weights))
    def Add(  # noqa: N802 - it has the name of a layer of Keras.
        input_shapes: tuple[tuple[int, ...], ...], weights: Any, kernel_regularizer: str = "none"
    ) -> layers.Counts:
        del weights, kernel_regularizer
        return layers.Counts(input_shapes[0])

    image = layers.Input((3,))
    share = ab.Choice("share", [2, 3])
    both = Add({"left": share, "right": share + 1})([image, layers.Rescaling(10)(image)])
    network = ab.Space(inputs=image, outputs=both).architecture(share=3).to_torch()
    assert seen == [(((3,), (3,)), {"left": 3, "right": 4})]
    assert network(torch.ones(1, 3)).tolist() == [[43.0] * 3]


def test_a_custom_layer_drops_a_mask() -> None:
    @layers.custom(torch=lambda _: nn.Identity())
    def BatchNormalization(input_shape: tuple[int, ...]) -> layers.Counts:  # noqa: N802
        return layers.Counts(input_shape)

    network = row(layers.Input((4, 2)), layers.Masking(), BatchNormalization(), layers.LSTM(3)).to_torch()
    assert type(network.lstm.rnn) is nn.LSTM


def test_a_custom_layer_without_a_module_is_refused() -> None:
    arch = row(layers.Input((4, 4, 8)), layers.custom(excite)())
    with pytest.raises(
        SpaceError, match=r"^layer 'excite' \(excite\) does not know its real module; give @layers.custom\(torch=...\)$"
    ):
        arch.to_torch()
    arch = row(layers.Input((4, 4, 8)), layers.custom(torch=lambda *_, **__: None)(excite)())
    with pytest.raises(SpaceError, match=r"\(excite\): what torch= names must return a torch.nn.Module, not None"):
        arch.to_torch()


def test_unread_layers_exist_and_do_not_run() -> None:
    image = layers.Input((4,))
    left, right = layers.Dense(4)(image), layers.Dense(4)(layers.Dense(7)(image))
    space = ab.Space(inputs=image, outputs=layers.InputChoice("source")([left, right, image]))
    for source, run in enumerate((["dense"], ["dense_1", "dense_2"], [])):
        arch = space.architecture(source=source)
        network = arch.to_torch()
        assert {name for name, _ in network.named_children()} == {"dense", "dense_1", "dense_2"}
        assert counts(network) == {"params": arch.params, "trainable_params": arch.trainable_params}
        ran = []
        for name, each in network.named_children():
            each.register_forward_hook(lambda *_, ran=ran, name=name: ran.append(name))
        assert network(torch.zeros(2, 4)).shape == (2, 4)
        assert sorted(ran) == run


def test_a_shared_layer_that_nobody_reads_once_runs_as_often_as_it_is_read() -> None:
    image = layers.Input((4,))
    dense = layers.Dense(4)
    once = dense(image)
    arch = ab.Space(inputs=image, outputs=layers.InputChoice("in", (1, 2))([once, dense(once)])).architecture(
        **{"in": "0"}
    )
    network = arch.to_torch()
    assert counts(network) == {"params": arch.params, "trainable_params": arch.trainable_params}
    x = torch.randn(2, 4)
    torch.testing.assert_close(network(x), network.dense(x))


def test_a_mask_that_nobody_reads_is_not_refused() -> None:
    steps = layers.Input((5,))
    embedded = layers.Embedding(3, 4, mask_zero=True)(steps)
    choice = layers.InputChoice("in")([layers.Dense(4)(embedded), layers.Softmax()(embedded)])
    space = ab.Space(inputs=steps, outputs=layers.LSTM(2)(choice))
    assert space.architecture({"in": 0}).to_torch()(torch.zeros(2, 5, dtype=torch.long)).shape == (2, 2)
    with pytest.raises(SpaceError, match="gets a mask"):
        space.architecture({"in": 1}).to_torch()


def test_the_bits_of_weights_change_no_module() -> None:
    narrow = row(layers.Input((4,)), layers.Dense(3, weight_bits=4)).to_torch()
    assert repr(narrow) == repr(row(layers.Input((4,)), layers.Dense(3)).to_torch())
    assert narrow.dense.linear.weight.dtype == torch.float32


def test_names_follow_the_layers() -> None:
    arch = row(
        layers.Input((4,), name="in"),
        layers.Dense(4, name="class"),
        layers.Dense(4, name="1st block.dense"),
        layers.Dense(4, name="forward"),
        layers.Dense(4, name="a.b"),
        layers.Dense(4, name="a_b"),
        layers.ReLU(),
    )
    network = arch.to_torch()
    assert [name for name, _ in network.named_children()] == [
        "class_",
        "_1st_block_dense",
        "forward_",
        "a_b",
        "a_b_2",
        "re_lu",
    ]
    assert "a_b_2.linear.weight" in network.state_dict()
    assert_same(arch)


def test_inside_of_a_layer_are_the_modules_that_pytorch_users_know() -> None:
    network = row(
        layers.Input((8, 8, 3)),
        layers.Conv2D(4, 3, padding="same", activation="relu"),
        layers.BatchNormalization(),
        layers.Reshape((8, 32)),
        layers.LSTM(3),
        layers.Dense(2),
    ).to_torch()
    assert type(network.conv2d.conv) is nn.Conv2d
    assert type(network.conv2d.activation) is nn.ReLU
    assert type(network.batch_normalization.norm) is nn.BatchNorm2d
    assert network.batch_normalization.norm.momentum == pytest.approx(0.01)
    assert type(network.lstm.rnn) is nn.LSTM
    assert type(network.dense.linear) is nn.Linear


@pytest.fixture(scope="module")
def mixed() -> ab.Architecture:
    """A network with layers of many families."""
    image = layers.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", strides=2, activation="relu")(image)
    x = layers.Residual([layers.BatchNormalization(), layers.SeparableConv2D(4, 3, padding="same")])(x)
    x = layers.AveragePooling2D(3, strides=2, padding="same")(x)
    x = layers.Reshape((4, 4))(x)
    x = layers.MultiHeadAttention(2, 2, dropout=0.1)(x)
    x = layers.LSTM(5, return_sequences=True, dropout=0.1)(x)
    x = layers.GRU(5, activation="relu", recurrent_dropout=0.1)(x)
    x = layers.Dense(3, lora_rank=1)(layers.GaussianNoise(0.1)(layers.Dropout(0.1)(x)))
    return ab.Space(inputs=image, outputs=x).architecture()


def test_a_module_is_copied_pickled_and_saved(mixed: ab.Architecture) -> None:
    network = mixed.to_torch().eval()
    x = torch.randn(2, 8, 8, 3)
    expected = network(x)
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    loaded = mixed.to_torch().eval()
    loaded.load_state_dict(torch.load(file))
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network)), loaded):
        torch.testing.assert_close(other(x), expected)


def test_a_module_is_exported(mixed: ab.Architecture) -> None:
    network = mixed.to_torch().eval()
    x = torch.randn(2, 8, 8, 3)
    torch.testing.assert_close(torch.export.export(network, (x,)).module()(x), network(x))


def test_a_module_is_trained(mixed: ab.Architecture) -> None:
    torch.manual_seed(0)
    network = mixed.to_torch().train()
    before = {name: each.detach().clone() for name, each in network.named_parameters()}
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(2):
        # The first of LoRA's matrices moves only once the second one is not 0.
        optimizer.zero_grad()
        network(torch.randn(4, 8, 8, 3)).square().sum().backward()
        optimizer.step()
    for name, each in network.named_parameters():
        assert each.requires_grad == (name != "dense.linear.base.weight")
        assert torch.equal(each, before[name]) != each.requires_grad, name
    assert counts(network) == {"params": mixed.params, "trainable_params": mixed.trainable_params}


def test_layers_that_are_not_trained_stay_as_they_are() -> None:
    network = row(
        layers.Input((3,)),
        layers.Dense(3, trainable=False),
        layers.BatchNormalization(trainable=False),
        layers.Dense(1),
    ).to_torch()
    before = copy.deepcopy(network.state_dict())
    network.train()(5 + torch.randn(9, 3)).sum().backward()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert [name for name, each in network.named_parameters() if each.requires_grad] == [
        "dense_1.linear.weight",
        "dense_1.linear.bias",
    ]


@pytest.mark.parametrize(
    "layer",
    [
        layers.Dropout(0.5),
        layers.Dropout(0.5, noise_shape=(None, 1, None)),
        layers.SpatialDropout1D(0.5),
        layers.AlphaDropout(0.5),
        layers.GaussianDropout(0.5),
        layers.GaussianNoise(0.5),
    ],
)
def test_noise_is_made_in_training_only(layer: layers.Layer) -> None:
    torch.manual_seed(0)
    network = row(layers.Input((6, 50)), layer).to_torch()
    x = torch.ones(3, 6, 50)
    assert torch.equal(network.eval()(x), x)
    noisy = network.train()(x)
    assert not torch.equal(noisy, x)
    alike = torch.equal(noisy, noisy[:, :1].expand_as(noisy))
    assert alike == (layer.kind == "SpatialDropout1D" or getattr(layer, "noise_shape", None) is not None)


def test_a_recurrent_layer_drops_the_same_features_at_each_step() -> None:
    torch.manual_seed(0)
    network = row(layers.Input((6, 50)), layers.SimpleRNN(50, dropout=0.5, return_sequences=True)).to_torch().train()
    seen = []
    network.simple_rnn.rnn.register_forward_hook(lambda _, args, __: seen.append(args[0]))
    network(torch.ones(1, 6, 50))
    assert set(seen[0].unique().tolist()) == {0.0, 2.0}
    assert torch.equal(seen[0], seen[0][:, :1].expand_as(seen[0]))


@pytest.mark.parametrize(
    "initializer",
    ["glorot_uniform", "he_normal", "lecun_uniform", "orthogonal", "truncated_normal", "RandomUniform", "zeros"],
)
def test_weights_begin_as_in_keras(initializer: str) -> None:
    arch = row(
        layers.Input((9, 9, 16)),
        layers.Conv2D(24, 3, kernel_initializer=initializer, bias_initializer="ones"),
        layers.DepthwiseConv2D(5, depthwise_initializer=initializer),
        layers.Flatten(),
        layers.Dense(64, kernel_initializer=initializer),
        layers.Reshape((8, 8)),
        layers.EinsumDense("abc,cd->abd", (8, 100), kernel_initializer=initializer),
        layers.MultiHeadAttention(10, 10, kernel_initializer=initializer),
    )
    pytest.importorskip("keras").utils.set_random_seed(0)
    torch.manual_seed(0)
    network, model = arch.to_torch(), arch.to_keras()
    assert torch.equal(network.conv2d.conv.bias, torch.ones(24))
    for own, name, number in (
        (network.conv2d.conv.weight, "conv2d", 0),
        (network.depthwise_conv2d.conv.weight, "depthwise_conv2d", 0),
        (network.dense.linear.weight, "dense", 0),
        (network.einsum_dense.linear.weight, "einsum_dense", 0),
        (network.multi_head_attention.query.weight, "multi_head_attention", 0),
        (network.multi_head_attention.output.weight, "multi_head_attention", -2),
    ):
        values = np.asarray(model.get_layer(name).weights[number])
        found = own.detach().numpy()
        assert found.size == values.size
        assert found.std() == pytest.approx(values.std(), rel=0.12), name
        assert abs(found).max() == pytest.approx(abs(values).max(), rel=0.35), name


def test_weights_begin_as_a_function_says() -> None:
    def counted(shape: tuple[int, ...], dtype: Any = None) -> np.ndarray:
        return np.arange(np.prod(shape), dtype=dtype).reshape(shape)

    network = row(layers.Input((2,)), layers.Dense(3, kernel_initializer=counted)).to_torch()
    assert network.dense.linear.weight.T.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_the_forget_gate_begins_open() -> None:
    network = row(layers.Input((2, 2)), layers.LSTM(2)).to_torch()
    assert network.lstm.rnn.bias_ih_l0.tolist() == [0, 0, 1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (layers.Dense(2, kernel_regularizer="l2"), r"layer 'dense' \(Dense\): kernel_regularizer='l2' has no equi"),
        (
            layers.Dense(2, bias_constraint="non_neg"),
            "bias_constraint='non_neg' has no equivalent in PyTorch: no optim",
        ),
        (layers.Dense(2, activation="glu"), "activation='glu' has no equivalent in PyTorch: it halves an axis"),
        (
            layers.Dense(2, activation=abs),
            "activation=<built-in function abs> has no equivalent in PyTorch: the activations are celu",
        ),
        (
            layers.Dense(2, kernel_initializer="VarianceScaling"),
            r"\(Dense\): the initializer of kernel must be one of zeros",
        ),
        (layers.ActivityRegularization(l1=0.5), "l1=0.5 has no equivalent in PyTorch: a module adds nothing"),
        (layers.BatchNormalization(synchronized=True), "use nn.SyncBatchNorm.convert_sync_batchnorm"),
        (layers.SpatialDropout1D(0.5, dtype="float16"), "dtype='float16' has no equivalent"),
    ],
)
def test_layers_without_an_equivalent_in_pytorch_are_refused(layer: layers.Layer, message: str) -> None:
    with pytest.raises(SpaceError, match=message) as caught:
        row(layers.Input((4, 3)), layer).to_torch()
    assert "\n" not in str(caught.value)


def test_refusals_come_before_anything_is_built() -> None:
    called = []

    def initializer(shape: tuple[int, ...], dtype: Any = None) -> np.ndarray:
        called.append(shape)
        return np.zeros(shape, dtype)

    wide = layers.Dense(10**9, kernel_initializer=initializer)
    arch = row(layers.Input((10**6,)), wide, layers.Dense(3, activation="glu"))
    with pytest.raises(SpaceError, match=r"layer 'dense_1' \(Dense\): activation='glu' has no equivalent in PyTorch"):
        arch.to_torch()
    assert not called


def test_an_interpolation_that_pytorch_lacks_is_refused() -> None:
    with pytest.raises(SpaceError, match="interpolation='lanczos3' has no equivalent in PyTorch"):
        row(layers.Input((4, 4, 3)), layers.UpSampling2D(2, interpolation="lanczos3")).to_torch()


def test_pytorch_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "archbudget.export.torch")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"to_torch needs PyTorch: pip install archbudget\[torch\]"):
        row(layers.Input((4,)), layers.Dense(3)).to_torch()


def test_macs_of_a_network_of_many_layers_are_half_of_what_pytorch_counts() -> None:
    arch = row(
        layers.Input((16, 16, 3)),
        layers.Conv2D(8, 3, padding="same", strides=2),
        layers.BatchNormalization(),
        layers.Residual([layers.SeparableConv2D(8, 3, padding="same", activation="relu")]),
        layers.Reshape((64, 8)),
        layers.MultiHeadAttention(2, 4),
        layers.Flatten(),
        layers.Dense(10),
    )
    assert macs(arch) == arch.macs


@pytest.mark.parametrize("name", spaces.SHELF)
def test_a_network_of_the_shelf_is_what_pytorch_builds(name: str) -> None:
    arch = min(spaces.SHELF[name].make().sample(50, seed=5), key=lambda drawn: drawn.params)
    with torch.device("meta"):
        network = arch.to_torch().eval()
        inputs = [torch.empty(2, *record.output_shape) for record in arch.layers if record.type == "Input"]
        assert network(*inputs).shape == (2, *arch.layers[-1].output_shape)
    assert counts(network) == {"params": arch.params, "trainable_params": arch.trainable_params}
    if not any(record.type in ("LSTM", "GRU", "SimpleRNN") for record in arch.layers):
        assert macs(arch) == arch.macs


def test_a_network_of_nas_bench_201_computes_what_that_of_keras_does() -> None:
    assert_same(spaces.nas_bench_201(image_size=8).sample(1, seed=1)[0], tolerance=5e-3)
