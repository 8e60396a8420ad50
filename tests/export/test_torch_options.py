"""Layers of PyTorch, and with options of PyTorch, as real modules: against PyTorch's own with the same weights."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError
from support.layer_records import count, one_layer_network, used_twice
from support.pytorch_layers import call, channel_axis, module
from support.random_layers import other_shapes
from support.random_pytorch_layers import DRAWN, random_pytorch_case

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from support.torch_networks import counts  # noqa: E402

pytestmark = pytest.mark.torch

RECURRENT = {"SimpleRNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
SEQUENCE = layers.Input((6, 4))


def row(*blocks: Any) -> ab.Architecture:
    """The only network of a space of layers in a row."""
    return ab.Space(list(blocks)).architecture()


def adopt(made: nn.Module, real: nn.Module) -> None:
    """Takes over the weights of a module that has the same ones, by their last names and shapes, in the same order."""
    weights = real.state_dict()
    own = [(name.split(".")[-1], value.shape) for name, value in made.state_dict().items()]
    assert own == [(name.split(".")[-1], value.shape) for name, value in weights.items()]
    with torch.no_grad():
        for name, value in weights.items():
            if value.is_floating_point():
                value.normal_(0, 0.5).abs_() if "var" in name else value.normal_(0, 0.5)
    made.load_state_dict(dict(zip(made.state_dict(), weights.values(), strict=True)))


def adopt_attention(made: Any, real: nn.MultiheadAttention) -> None:
    """Takes over the weights of an attention, whose projections PyTorch keeps in one matrix or in three."""
    with torch.no_grad():
        for value in real.parameters():
            value.normal_(0, 0.5)
        apart = (real.q_proj_weight, real.k_proj_weight, real.v_proj_weight)
        matrices = real.in_proj_weight.chunk(3) if apart[0] is None else apart
        biases = (None,) * 3 if real.in_proj_bias is None else real.in_proj_bias.chunk(3)
        for linear, weight, bias in (
            *zip((made.query, made.key, made.value), matrices, biases, strict=True),
            (made.output, real.out_proj.weight, real.out_proj.bias),
        ):
            linear.weight.copy_(weight)
            if bias is not None:
                linear.bias.copy_(bias)
        for own, value in ((made.bias_key, real.bias_k), (made.bias_value, real.bias_v)):
            assert (own is None) == (value is None)
            if own is not None:
                own.copy_(value.reshape(own.shape))


EPSILON = {
    "BatchNormalization": {"epsilon": 1e-5, "momentum": 0.9},
    "RMSNormalization": {"epsilon": torch.finfo(torch.float32).eps},
}
"""What PyTorch has by default where Keras has something else."""


@pytest.mark.parametrize("kind", DRAWN)
def test_a_random_layer_computes_what_that_of_pytorch_does(kind: str) -> None:
    rng = Random(f"torch options {kind}")
    torch.manual_seed(0)
    made = 0
    for _ in range(40):
        arguments, shapes = random_pytorch_case(rng, kind)
        arguments |= EPSILON.get(kind, {})
        try:
            arch = one_layer_network(kind, arguments, shapes)
        except ArchbudgetError:
            continue
        own = arch.to_torch()
        channels = channel_axis(kind, arguments, len(shapes[0]))
        inputs = [
            torch.randint(0, arguments["input_dim"], (3, *shape)) if kind == "EmbeddingBag" else torch.randn(3, *shape)
            for shape in shapes
        ]
        first = inputs if channels is None else [x.movedim(channels + 1, 1) for x in inputs]
        real = module(kind, arguments, shapes)
        if kind == "MultiHeadAttention":
            adopt_attention(own.multi_head_attention, real)
        else:
            adopt(own, real)
        assert counts(own) == counts(real) == {"params": arch.params, "trainable_params": arch.trainable_params}
        single = kind == "InstanceNormalization" and math.prod(first[0].shape[2:]) == 1
        for training in (False,) if single else (True, False):
            own.train(training)
            real.train(training)
            torch.manual_seed(1)
            expected = call(kind, real, first, arguments)
            if channels is not None:
                expected = expected.movedim(1, -1 if channels == len(shapes[0]) - 1 else channels + 1)
            assert expected.shape[1:] == arch.layers[-1].output_shape
            torch.manual_seed(1)
            if kind.startswith("Circular") and "-" in str(arguments["padding"]):
                # PyTorch leaves memory unset here.
                assert own(*inputs).shape == expected.shape
                continue
            # The root of a negative sum of powers is no number.
            torch.testing.assert_close(
                own(*inputs), expected, equal_nan=True, msg=lambda text, a=arguments: f"{a}: {text}"
            )
        made += 1
    assert made > 8


@pytest.mark.parametrize("kind", DRAWN)
def test_a_layer_is_used_again_only_where_that_of_pytorch_is(kind: str) -> None:
    rng = Random(f"torch options again {kind}")
    again = 0
    for _ in range(150):
        arguments, first = random_pytorch_case(rng, kind)
        second = other_shapes(rng, first)
        if count(kind, arguments, first) is None or count(kind, arguments, second) is None:
            continue
        try:
            arch = used_twice(kind, arguments, first, second).architecture()
        except ArchbudgetError:
            continue
        own, real = arch.to_torch().eval(), module(kind, arguments, first).eval()
        inputs = [torch.zeros(2, *shape) for shape in (*first, *second)]
        found = own(*inputs)
        for shapes, output in zip((first, second), found, strict=True):
            channels = channel_axis(kind, arguments, len(shapes[0]))
            dtype = torch.long if kind == "EmbeddingBag" else torch.float32
            xs = [torch.zeros(2, *shape, dtype=dtype) for shape in shapes]
            expected = call(kind, real, xs if channels is None else [x.movedim(channels + 1, 1) for x in xs], arguments)
            if channels is not None:
                expected = expected.movedim(1, -1 if channels == len(shapes[0]) - 1 else channels + 1)
            assert output.shape == expected.shape, (arguments, first, second)
        again += first != second
    assert again > 1


@pytest.mark.parametrize("kind", RECURRENT)
def test_a_recurrent_layer_goes_step_by_step_as_pytorch_goes_at_once(kind: str) -> None:
    """Sequences of different lengths: masked here, packed there."""
    torch.manual_seed(0)
    lengths = torch.tensor([6, 2, 5])
    x = torch.randn(3, 6, 4).masked_fill(torch.arange(6)[:, None] >= lengths[:, None, None], 9.0)
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    for depth in (1, 3):
        for both in (False, True):
            for projected in (0, 2) if kind == "LSTM" else (0,):
                options = {"num_layers": depth, "bidirectional": both} | ({"proj_size": projected} if projected else {})
                layer = getattr(layers, kind)(
                    5, return_sequences=True, **options, **({} if kind == "GRU" else {"two_biases": True})
                )
                arch = row(SEQUENCE, layers.Masking(9.0), layer)
                own = arch.to_torch()
                assert not any(isinstance(each, nn.RNNBase) for each in own.modules())
                real = RECURRENT[kind](4, 5, batch_first=True, **options)
                adopt(own, real)
                assert counts(own) == {"params": arch.params, "trainable_params": arch.params}
                found = own(x)
                expected, _ = nn.utils.rnn.pad_packed_sequence(real(packed)[0], batch_first=True)
                for each, length in enumerate(lengths):
                    torch.testing.assert_close(found[each, :length], expected[each, :length])


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM"])
def test_one_bias_is_two_of_which_one_is_0(kind: str) -> None:
    torch.manual_seed(0)
    options = {"num_layers": 2, "bidirectional": True}
    arch = row(SEQUENCE, getattr(layers, kind)(5, bias_initializer="random_normal", **options))
    own = arch.to_torch()
    real = RECURRENT[kind](4, 5, batch_first=True, **options)
    with torch.no_grad():
        for name, value in real.state_dict().items():
            value.zero_()
            if "bias_hh" not in name:
                value.copy_(own.state_dict()[f"{arch.layers[-1].name}.rnn.{name}"])
    x = torch.randn(2, 6, 4)
    torch.testing.assert_close(own(x), real(x)[0][:, -1])
    assert counts(own) == {"params": arch.params, "trainable_params": arch.params}


@pytest.mark.parametrize("options", [{}, {"use_bias": False}, {"bidirectional": True, "go_backwards": True}])
@pytest.mark.parametrize(
    "layer",
    [
        lambda options: layers.SimpleRNN(5, "sigmoid", num_layers=2, two_biases=True, **options),
        lambda options: layers.LSTM(5, "relu", num_layers=2, two_biases=True, proj_size=3, **options),
        lambda options: layers.GRU(5, num_layers=3, reset_after=False, **options),
        lambda options: layers.GRU(5, recurrent_activation="hard_sigmoid", num_layers=2, **options),
        lambda options: layers.LSTM(5, recurrent_dropout=0.3, dropout=0.2, num_layers=2, **options),
    ],
)
def test_options_of_pytorch_work_with_options_that_only_keras_has(layer: Any, options: dict[str, Any]) -> None:
    for sequences in (False, True):
        arch = row(SEQUENCE, layer({**options, "return_sequences": sequences}))
        own = arch.to_torch()
        assert counts(own) == {"params": arch.params, "trainable_params": arch.params}
        assert own(torch.randn(2, 6, 4)).shape == (2, *arch.layers[-1].output_shape)


def test_layers_on_top_of_each_other_are_as_several_layers() -> None:
    torch.manual_seed(0)
    made = row(SEQUENCE, layers.GRU(5, reset_after=False, num_layers=2, recurrent_activation="hard_sigmoid")).to_torch()
    each = {"reset_after": False, "recurrent_activation": "hard_sigmoid"}
    apart = row(SEQUENCE, layers.GRU(5, return_sequences=True, **each), layers.GRU(5, **each)).to_torch()
    apart.load_state_dict(dict(zip(apart.state_dict(), made.state_dict().values(), strict=True)))
    x = torch.randn(2, 6, 4)
    torch.testing.assert_close(made(x), apart(x))


def test_steps_are_taken_backwards() -> None:
    torch.manual_seed(0)
    layer = layers.LSTM(5, num_layers=2, bidirectional=True, go_backwards=True, return_sequences=True, two_biases=True)
    own, real = row(SEQUENCE, layer).to_torch(), nn.LSTM(4, 5, 2, bidirectional=True, batch_first=True)
    adopt(own, real)
    x = torch.randn(2, 6, 4)
    torch.testing.assert_close(own(x), real(x.flip(1))[0])


def test_the_dropout_of_a_stack_is_between_its_layers() -> None:
    torch.manual_seed(0)
    stack = row(SEQUENCE, layers.LSTM(50, num_layers=2, dropout=0.5)).to_torch().lstm
    assert (stack.rnn.dropout, stack.dropout) == (0.5, 0.0)
    alone = row(SEQUENCE, layers.LSTM(50, bidirectional=True, dropout=0.5)).to_torch().lstm
    assert (alone.rnn.dropout, alone.dropout) == (0.0, 0.5)
    steps = row(SEQUENCE, layers.GRU(50, num_layers=2, reset_after=False, dropout=0.5)).to_torch().train()
    x = torch.randn(1, 6, 4)
    assert not torch.equal(steps(x), steps(x))
    steps.eval()
    assert torch.equal(steps(x), steps(x))


def test_weights_of_a_stack_begin_as_its_initializers_say() -> None:
    torch.manual_seed(0)
    layer = layers.LSTM(
        40,
        num_layers=2,
        bidirectional=True,
        two_biases=True,
        proj_size=30,
        bias_initializer="ones",
        kernel_initializer="he_normal",
    )
    rnn = row(layers.Input((6, 90)), layer).to_torch().lstm.rnn
    assert type(rnn) is nn.LSTM
    for end, features in (("l0", 90), ("l0_reverse", 90), ("l1", 60), ("l1_reverse", 60)):
        assert getattr(rnn, f"weight_ih_{end}").std().item() == pytest.approx((2 / features) ** 0.5, rel=0.05)
        recurrent = getattr(rnn, f"weight_hh_{end}")
        torch.testing.assert_close(recurrent.T @ recurrent, torch.eye(30), atol=1e-5, rtol=0)
        assert getattr(rnn, f"weight_hr_{end}").std().item() == pytest.approx((2 / 40) ** 0.5, rel=0.1)
        for bias in ("bias_ih", "bias_hh"):
            assert torch.equal(getattr(rnn, f"{bias}_{end}"), torch.ones(160))


def test_options_are_those_of_the_modules_of_pytorch() -> None:
    network = row(
        layers.Input((20, 20, 3)),
        layers.Conv2D(4, 5, strides=2, padding=(2, 1), dilation_rate=2),
        layers.Conv2DTranspose(4, 3, strides=2, padding=1, output_padding=1),
        layers.MaxPooling2D(3, 2, padding=1, ceil_mode=True),
        layers.AveragePooling2D(2, padding=(1, 0), count_include_pad=False, ceil_mode=True),
        layers.Conv2D(4, 3, padding=((0, 1), 2)),
        layers.BatchNormalization(track_running_stats=False),
        layers.BatchNormalization(track_running_stats=False, trainable=False),
    ).to_torch()
    assert repr(network.conv2d.conv) == repr(nn.Conv2d(3, 4, 5, stride=2, padding=(2, 1), dilation=2))
    assert repr(network.conv2d_transpose.conv) == repr(
        nn.ConvTranspose2d(4, 4, 3, stride=2, padding=(1, 1), output_padding=(1, 1))
    )
    assert repr(network.max_pooling2d.pool) == repr(
        nn.MaxPool2d((3, 3), (2, 2), padding=(1, 1), dilation=(1, 1), ceil_mode=True)
    )
    average = network.average_pooling2d.pool
    assert type(average) is nn.AvgPool2d
    assert (average.padding, average.ceil_mode, average.count_include_pad) == ((1, 0), True, False)
    assert repr(network.conv2d_1.pad) == repr(nn.ConstantPad2d((2, 2, 0, 1), 0.0))
    assert network.batch_normalization.norm.running_mean is None


def test_words_and_integers_are_values_of_one_decision() -> None:
    space = ab.Space(
        [
            layers.Input((9, 12, 4)),
            layers.Conv2D(3, 3, 2, padding=ab.Choice("padding", ["same", 0, 1, "valid", 2])),
            layers.MaxPooling2D(3, 2, padding=ab.Choice("pooling", ["same", 1])),
        ]
    )
    assert space.size == 10
    for arch in space.sample(30, seed=0):
        assert arch.to_torch()(torch.zeros(2, 9, 12, 4)).shape == (2, *arch.layers[-1].output_shape)


def test_masked_steps_are_not_attended_to_but_added_keys_are() -> None:
    torch.manual_seed(0)
    layer = layers.MultiHeadAttention(2, 2, add_bias_kv=True, add_zero_attn=True)
    own = row(layers.Input((6, 4)), layers.Masking(9.0), layer).to_torch()
    real = nn.MultiheadAttention(4, 2, add_bias_kv=True, add_zero_attn=True, batch_first=True)
    adopt_attention(own.multi_head_attention, real)
    x = torch.randn(2, 6, 4)
    x[0, 3:] = 9.0
    masked = torch.zeros(2, 6, dtype=torch.bool)
    masked[0, 3:] = True
    expected, _ = real(x, x, x, key_padding_mask=masked)
    torch.testing.assert_close(own(x)[~masked], expected[~masked])


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("output_padding", [None, 0, 1])
def test_groups_of_a_transposed_convolution_are_convolutions_side_by_side(
    padding: str, output_padding: int | None
) -> None:
    torch.manual_seed(0)

    def made(filters: int, channels: int, **groups: int) -> Any:
        conv = layers.Conv2DTranspose(filters, 3, 2, padding, output_padding, **groups)
        return row(layers.Input((5, 6, channels)), conv).to_torch().conv2d_transpose

    whole, parts = made(6, 4, groups=2), [made(3, 2), made(3, 2)]
    with torch.no_grad():
        for part, weight, bias in zip(parts, whole.conv.weight.chunk(2), whole.conv.bias.chunk(2), strict=True):
            part.conv.weight.copy_(weight)
            part.conv.bias.copy_(bias.normal_())
    x = torch.randn(2, 5, 6, 4)
    expected = torch.cat([part(each) for part, each in zip(parts, x.chunk(2, -1), strict=True)], -1)
    torch.testing.assert_close(whole(x), expected)
