"""Options that PyTorch has and Keras has not: as decisions, in space files, in Keras models, and what is refused."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING, Any

import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError, SpaceError
from archbudget.files.reader import read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

INPUT = layers.Input((9, 12, 4))
SEQUENCE = layers.Input((7, 3))
KERNEL = ab.Choice("kernel", [1, 3, 5])


def cost(*network: layers.Layer) -> tuple[Any, ...] | None:
    """What a network without decisions comes to; `None` if it is refused."""
    try:
        arch = ab.Space(network).architecture()
    except ArchbudgetError:
        return None
    return (arch.layers[-1].output_shape, arch.params, arch.trainable_params, arch.macs)


@pytest.mark.parametrize(
    ("first", "make", "domains"),
    [
        pytest.param(
            INPUT,
            lambda kernel: layers.Conv2D(3, kernel, padding=kernel // 2),
            {"kernel": [1, 3, 5]},
            id="expression",
        ),
        pytest.param(
            INPUT,
            lambda kernel, pad: layers.Conv2D(3, kernel, padding=((pad, 0), kernel - 2)),
            {"kernel": [1, 3, 5], "pad": [0, 1, 4]},
            id="pairs",
        ),
        pytest.param(
            INPUT,
            lambda pad, stride: layers.DepthwiseConv2D(3, stride, padding=pad),
            {"pad": ["valid", 0, "same", 1, 2], "stride": [1, 2]},
            id="words and integers",
        ),
        pytest.param(
            INPUT,
            lambda pad, size: layers.MaxPooling2D(size, 2, padding=pad, ceil_mode=True),
            {"pad": ["valid", "same", 0, 1], "size": [1, 2, 3]},
            id="pooling",
        ),
        pytest.param(
            INPUT,
            lambda ceil, size: layers.AveragePooling2D(size, 2, padding=(size // 2, 0), ceil_mode=ceil),
            {"ceil": [False, True], "size": [2, 3, 20]},
            id="rounding up",
        ),
        pytest.param(
            INPUT,
            lambda pad, stride: layers.Conv2DTranspose(3, 1, stride, padding=pad),
            {"pad": ["valid", 0, 1], "stride": [1, 3]},
            id="transposed",
        ),
        pytest.param(
            SEQUENCE,
            lambda depth, both, proj: layers.LSTM(4, num_layers=depth, bidirectional=both, proj_size=proj),
            {"depth": [1, 2, 3], "both": [False, True], "proj": [0, 2, 4]},
            id="recurrent",
        ),
        pytest.param(
            SEQUENCE,
            lambda tracked, two: layers.BatchNormalization(track_running_stats=tracked, renorm=two),
            {"tracked": [False, True], "two": [False, True]},
            id="statistics",
        ),
        pytest.param(
            INPUT,
            lambda size, rate: layers.MaxPooling2D(size, 1, padding=size // 2, dilation=(rate, 1), ceil_mode=True),
            {"size": [2, 3, 4], "rate": [1, 2, 5, 9]},
            id="dilation",
        ),
        pytest.param(
            INPUT,
            lambda rate: layers.MaxPooling2D(2, dilation=rate * 2 - 1),
            {"rate": [1, 2, 5, 6]},
            id="dilation by an expression",
        ),
        pytest.param(
            INPUT,
            lambda groups, filters: layers.Conv2DTranspose(filters, 3, 2, 1, 1, groups=groups),
            {"groups": [1, 2, 3, 4], "filters": [3, 4, 6]},
            id="groups of a transposed convolution",
        ),
        pytest.param(
            INPUT,
            lambda pad, mode: layers.Conv2D(3, 3, padding=pad, padding_mode=mode),
            {"pad": [0, "same", 8, 9, 10, "valid"], "mode": ["zeros", "reflect", "replicate", "circular"]},
            id="padding mode",
        ),
        pytest.param(
            INPUT,
            lambda size, across: layers.UpSampling2D((size, across)),
            {"size": [1, 1.5, 0.05, 2, 1 / 3], "across": [2.5, 0.5]},
            id="factors",
        ),
        pytest.param(
            SEQUENCE, lambda size: layers.UpSampling1D(size), {"size": [1, 1.5, 0.05, 2]}, id="a factor of a sequence"
        ),
        pytest.param(
            INPUT,
            lambda high, wide: layers.UpSampling2D(output_size=(high, wide + 1)),
            {"high": [1, 8, 30], "wide": [0, 5]},
            id="size of the output",
        ),
        pytest.param(
            SEQUENCE,
            lambda learned, zeros, bias: layers.MultiHeadAttention(
                3, 1, use_bias=bias, add_bias_kv=learned, add_zero_attn=zeros
            ),
            {"learned": [False, True], "zeros": [False, True], "bias": [False, True]},
            id="attention",
        ),
        pytest.param(
            SEQUENCE,
            lambda affine: layers.RMSNormalization(elementwise_affine=affine),
            {"affine": [False, True]},
            id="scale",
        ),
        pytest.param(
            INPUT,
            lambda affine, tracked: layers.InstanceNormalization(affine=affine, track_running_stats=tracked),
            {"affine": [False, True], "tracked": [False, True]},
            id="instances",
        ),
        pytest.param(
            INPUT,
            lambda before, after: layers.ReflectionPadding2D(((before, 1), after - 4)),
            {"before": [0, 8, 9], "after": [0, 4, 15, 16]},
            id="reflection",
        ),
        pytest.param(
            INPUT,
            lambda pad: layers.ConstantPadding2D(pad, value=1.0),
            {"pad": [-5, -4, 0, 3]},
            id="margins that cut off",
        ),
        pytest.param(
            layers.Input((7,)),
            lambda words, width, mode: layers.EmbeddingBag(words, width, mode),
            {"words": [9, 20], "width": [4, 6], "mode": ["sum", "max"]},
            id="bag",
        ),
        pytest.param(
            INPUT,
            lambda ratio, size: layers.FractionalMaxPooling2D(size, output_ratio=(ratio, 0.5)),
            {"ratio": [0.05, 0.5, 2 / 3], "size": [1, 2, 4, 8]},
            id="share",
        ),
        pytest.param(
            INPUT, lambda factor: layers.PixelShuffle(factor), {"factor": [1, 2, 3]}, id="channels to positions"
        ),
    ],
)
def test_every_option_may_be_a_decision(
    first: layers.Layer, make: Callable[..., layers.Layer], domains: dict[str, list[Any]]
) -> None:
    space = ab.Space([first, make(**{name: ab.Choice(name, values) for name, values in domains.items()})])
    valid = 0
    for values in itertools.product(*domains.values()):
        chosen = dict(zip(domains, values, strict=True))
        expected = cost(first, _made(make, chosen))
        if expected is None:
            with pytest.raises(ArchbudgetError):
                space.architecture(chosen)
            continue
        arch = space.architecture(chosen)
        assert (arch.layers[-1].output_shape, arch.params, arch.trainable_params, arch.macs) == expected
        valid += 1
    assert space.size == valid > 0


def _made(make: Callable[..., layers.Layer], chosen: dict[str, Any]) -> layers.Layer:
    """The layer without decisions, or one that is refused for its input where it is refused by itself."""
    try:
        return make(**chosen)
    except SpaceError:
        return layers.Conv3D(1, 1)


@pytest.mark.parametrize("padding", [2, (2, 2), [[2, 2], (2, 2)], (2, [2, 2])])
def test_integers_are_given_in_several_forms(padding: Any) -> None:
    assert cost(INPUT, layers.Conv2D(3, 5, padding=padding)) == cost(INPUT, layers.Conv2D(3, 5, padding="same"))


def test_no_padding_is_valid_but_not_where_a_transposed_stride_exceeds_the_kernel() -> None:
    for make in (layers.Conv2D, layers.SeparableConv2D):
        assert cost(INPUT, make(3, 2, 3, padding=0)) == cost(INPUT, make(3, 2, 3))
    assert cost(INPUT, layers.MaxPooling2D(3, 2, padding=0)) == cost(INPUT, layers.MaxPooling2D(3, 2))
    shapes = [
        ab.Space([INPUT, layers.Conv2DTranspose(3, 1, 3, padding=padding)]).architecture().layers[-1].output_shape
        for padding in ("valid", 0)
    ]
    assert shapes == [(27, 36, 3), (25, 34, 3)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: layers.Conv2D(3, 3, padding=-1),
            "Conv2D: padding must be one of 'valid', 'same', an integer >= 0, or a tuple of 2 with an integer or",
        ),
        (lambda: layers.Conv2D(3, 3, padding=1.0), "not 1.0"),
        (lambda: layers.Conv2D(3, 3, padding=True), "not True"),
        (lambda: layers.Conv2D(3, 3, padding=None), "not None"),
        (lambda: layers.Conv2D(3, 3, padding=(1, 2, 3)), r"not \(1, 2, 3\)"),
        (lambda: layers.Conv2D(3, 3, padding=(1, "same")), r"not \(1, 'same'\)"),
        (lambda: layers.Conv2D(3, 3, padding=((1, 2, 3), 1)), r"not \(\(1, 2, 3\), 1\)"),
        (lambda: layers.Conv2D(3, 3, padding=ab.Choice("p", [1, -1])), r"not Choice\('p', \[1, -1\]\)"),
        (lambda: layers.Conv2D(3, 3, padding=ab.Choice("p", ["same", None])), r"not Choice\('p', \['same', None\]\)"),
        (lambda: layers.Conv2D(3, 3, padding=(1, ab.Choice("p", ["same", 1]))), "not"),
        (lambda: layers.Conv2D(3, 3, padding="causal"), "padding must be one of .*, not 'causal'"),
        (lambda: layers.Conv1D(3, 3, padding=(1, 2)), "'causal', .* a tuple of 1 with an integer or a pair"),
        (lambda: layers.Conv2DTranspose(3, 3, padding=((1, 1), 1)), "a tuple of 2 with an integer for each axis"),
        (lambda: layers.MaxPooling2D(3, padding=((1, 1), 1)), "a tuple of 2 with an integer for each axis"),
        (lambda: layers.MaxPooling2D(3, ceil_mode=1), "ceil_mode must be True or False, not 1"),
        (
            lambda: layers.AveragePooling2D(3, count_include_pad=None),
            "count_include_pad must be True or False, not None",
        ),
        (lambda: layers.LSTM(3, num_layers=0), "num_layers must be an integer >= 1, not 0"),
        (lambda: layers.LSTM(3, proj_size=-1), "proj_size must be an integer >= 0, not -1"),
        (lambda: layers.LSTM(3, bidirectional=2), "bidirectional must be True or False, not 2"),
        (lambda: layers.BatchNormalization(track_running_stats=None), "track_running_stats must be True or False"),
        (lambda: layers.MaxPooling2D(dilation=0), "dilation must be an integer >= 1, not 0"),
        (lambda: layers.MaxPooling2D(dilation=(1, 2, 3)), r"dilation takes one value or 2 of them, not \[1, 2, 3\]"),
        (lambda: layers.Conv2DTranspose(3, 3, groups=0), "groups must be an integer >= 1, not 0"),
        (lambda: layers.Conv2D(3, 3, padding_mode="mirror"), "padding_mode must be one of .*, not 'mirror'"),
        (lambda: layers.UpSampling2D(0.0), "size must be an integer >= 1 or another number > 0, not 0.0"),
        (
            lambda: layers.UpSampling2D((1.5, float("nan"))),
            "size must be an integer >= 1 or another number > 0, not nan",
        ),
        (lambda: layers.UpSampling2D(ab.Choice("size", [1.5, -2.0])), "or another number > 0, not -2.0"),
        (lambda: layers.UpSampling2D(ab.Choice("size", [1.5, 0])), "size must be an integer >= 1, not 0"),
        (lambda: layers.UpSampling2D(3, output_size=4), "size or output_size must be given, not both, as 3 and 4"),
        (lambda: layers.UpSampling2D(output_size=0), "output_size must be None or an integer >= 1, not 0"),
        (lambda: layers.UpSampling1D((1.5,)), r"size takes one value, not \[1.5\]"),
        (lambda: layers.FractionalMaxPooling2D(2, output_ratio=1), "output_ratio must be None or a float, not 1"),
        (
            lambda: layers.FractionalMaxPooling2D(2, output_ratio=ab.channels()),
            "output_ratio must be None, a float or a decision over them, not an expression",
        ),
        (lambda: layers.FractionalMaxPooling2D(2, output_ratio=float("inf")), "None or a finite number > 0, not inf"),
        (lambda: layers.EmbeddingBag(3, 4, "last"), "mode must be one of 'mean', 'sum', 'max', not 'last'"),
        (lambda: layers.LPPooling2D(0, 3), "norm_type must be a number other than 0, not 0"),
        (lambda: layers.ConstantPadding2D(1, value="a"), "value must be a number, not 'a'"),
        (lambda: layers.ReflectionPadding2D((1, 2, 3)), "padding must be an integer or 2 integers or 2 pairs of them"),
        (lambda: layers.LocalResponseNormalization(0), "size must be an integer >= 1, not 0"),
    ],
)
def test_invalid_options_are_refused(make: Callable[[], layers.Layer], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        make()


@pytest.mark.parametrize(
    ("first", "layer", "message"),
    [
        (INPUT, layers.MaxPooling2D((5, 3), padding=2), "at most half of its pool_size; on axis 2 they are 2 and 3"),
        (
            INPUT,
            layers.MaxPooling2D(3, padding="same", ceil_mode=True),
            "ceil_mode=True cannot be combined with padding",
        ),
        (INPUT, layers.MaxPooling2D(11, 1, ceil_mode=True), "spanning 11.*does not fit into axis 1.*9 positions"),
        (INPUT, layers.Conv2D(3, 12, padding=1), "spanning 12.*axis 1 of its padded input, which has 11 positions"),
        (
            INPUT,
            layers.Conv2D(3, 3, padding=KERNEL - 7),
            "an expression gives -6 where a hyperparameter cannot take it",
        ),
        (INPUT, layers.Conv2D(3, 3, padding=2**62), "2\\^63"),
        (INPUT, layers.Conv2DTranspose(3, 1, padding=(0, 7)), "with padding=7 on axis 2 the output size would be -2"),
        (INPUT, layers.Conv2DTranspose(3, 1, 2, 0, 2), "strides or its dilation_rate; on axis 1 it is 2"),
        (layers.Input((2, 2, 2, 1)), layers.AveragePooling3D(3, padding=1), "AvgPool3d of PyTorch refuses it"),
        (SEQUENCE, layers.LSTM(3, proj_size=3), "proj_size must be smaller than its units; given 3 and 3"),
        (
            SEQUENCE,
            layers.BatchNormalization(renorm=True, track_running_stats=False),
            "renorm=True needs the statistics",
        ),
        (INPUT, layers.MaxPooling2D(3, 1, padding=2, dilation=4), "at most half of its pool_size; on axis 1"),
        (
            INPUT,
            layers.MaxPooling2D(3, padding="same", dilation=2),
            "dilation=2 cannot be combined with padding='same'",
        ),
        (INPUT, layers.MaxPooling2D(3, dilation=5), "of 3 .spanning 11. does not fit into axis 1 .* 9 positions"),
        (INPUT, layers.Conv2DTranspose(6, 3, groups=4), "filters must be divisible by its groups; given filters=6"),
        (INPUT, layers.Conv2DTranspose(6, 3, groups=3), "divisible by its groups; given 4 channels and groups=3"),
        (INPUT, layers.Conv2D(3, 3, padding=9, padding_mode="reflect"), "reflected margin .* 9 positions on axis 1"),
        (INPUT, layers.Conv2D(3, 3, padding=10, padding_mode="circular"), "circular margin .* 10 positions on axis 1"),
        (
            INPUT,
            layers.Conv2D(3, 3, 2, padding="same", padding_mode="reflect"),
            "padding='same' with strides > 1 has zeros in its margins",
        ),
        (
            SEQUENCE,
            layers.Conv1D(3, 3, padding="causal", padding_mode="reflect"),
            "padding='causal' has zeros in its margins",
        ),
        (INPUT, layers.UpSampling2D(0.1), "so small a share of axis 1 .* which has 9 positions"),
        (INPUT, layers.UpSampling2D(1e300), "2\\^63"),
        (INPUT, layers.GLU(1), "halves axis 1 of its input, which has 9 positions, an odd number"),
        (INPUT, layers.GLU(0), "axis=0 is not an axis beside the batch"),
        (layers.Input((1, 1, 3)), layers.InstanceNormalization(affine=True), "a single value, which has no deviation"),
        (layers.Input((3,)), layers.InstanceNormalization(), "it needs an input of 2 to 4 axes beside the batch"),
        (SEQUENCE, layers.EmbeddingBag(3, 4), "an input of 1 axis beside the batch .the words of a bag., not 2"),
        (INPUT, layers.ConstantPadding2D(((-10, 9), 0)), "cut off more of axis 1 than its 9 positions"),
        (INPUT, layers.ReplicationPadding2D(-5), "margins of -5 and -5 leave nothing of axis 1"),
        (INPUT, layers.ReflectionPadding2D((3, 12)), "12 positions on axis 2, and the input 12"),
        (INPUT, layers.FractionalMaxPooling2D(2), "either an output_size or an output_ratio"),
        (INPUT, layers.FractionalMaxPooling2D(2, 3, 0.5), "either an output_size or an output_ratio"),
        (INPUT, layers.FractionalMaxPooling2D(2, output_ratio=1.0), "output_ratio must be less than 1"),
        (INPUT, layers.FractionalMaxPooling2D(2, 9), "9 windows of 2 do not fit into axis 1"),
        (INPUT, layers.PixelShuffle(3), "given 4 channels and a square of 9"),
        (INPUT, layers.PixelUnshuffle(2), "axis 1 of its input, which has 9 positions, must be divisible"),
        (INPUT, layers.ChannelShuffle(3), "given 4 channels and groups=3"),
        (layers.Input((10, 9)), layers.Fold((3, 4), 3), "has 2 positions in an image of its output_size, .* has 10"),
        (layers.Input((2, 7)), layers.Fold((3, 4), 3), "the values that its window covers; given 7 and 9"),
    ],
)
def test_an_error_has_the_reason_of_pytorch(first: layers.Layer, layer: layers.Layer, message: str) -> None:
    with pytest.raises(ArchbudgetError, match=message):  # noqa: PT012
        space = ab.Space([first, layer])
        space.architecture(dict.fromkeys(space.decisions, 5))


@pytest.mark.parametrize(
    ("first", "layer", "option"),
    [
        (INPUT, layers.Conv2D(3, 3, padding=1), "padding=1"),
        (INPUT, layers.Conv2D(3, 3, padding=(1, 0)), r"padding=\(\(1, 1\), \(0, 0\)\)"),
        (INPUT, layers.Conv2DTranspose(3, 3, padding=(1, 0)), r"padding=\(1, 0\)"),
        (INPUT, layers.MaxPooling2D(2, ceil_mode=True), "ceil_mode=True"),
        (INPUT, layers.BatchNormalization(track_running_stats=False), "track_running_stats=False"),
        (SEQUENCE, layers.GRU(3, num_layers=2), "num_layers=2"),
        (SEQUENCE, layers.LSTM(3, proj_size=2), "proj_size=2"),
        (SEQUENCE, layers.SimpleRNN(3, two_biases=True), "two_biases=True"),
        (INPUT, layers.MaxPooling2D(2, dilation=(1, 2)), r"dilation=\(1, 2\)"),
        (INPUT, layers.Conv2DTranspose(4, 3, groups=2), "groups=2"),
        (INPUT, layers.SeparableConv2D(4, 3, padding_mode="reflect"), "padding_mode='reflect'"),
        (INPUT, layers.UpSampling2D((1.5, 2)), r"size=\(1.5, 2\)"),
        (INPUT, layers.UpSampling2D(output_size=5), r"output_size=\(5, 5\)"),
        (SEQUENCE, layers.UpSampling1D(1.5), "size=1.5"),
        (SEQUENCE, layers.UpSampling1D(2, interpolation=ab.Choice("how", ["linear"])), "interpolation='linear'"),
        (SEQUENCE, layers.MultiHeadAttention(3, 1, add_zero_attn=True), "add_zero_attn=True"),
        (SEQUENCE, layers.RMSNormalization(elementwise_affine=False), "elementwise_affine=False"),
        (INPUT, layers.GLU(), "GLU"),
        (layers.Input((2, 9, 12, 4)), layers.TimeDistributed(layers.GLU()), "GLU"),
        (layers.Input((2, 9, 12, 4)), layers.TimeDistributed(layers.UpSampling2D(1.5)), r"size=\(1.5, 1.5\)"),
    ],
)
def test_keras_models_without_the_option_are_refused_before_anything_is_built(
    first: layers.Layer, layer: layers.Layer, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = ab.Space([first, layer])
    (arch,) = space.sample(1, seed=0)
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(SpaceError, match=rf"Keras has no {option}, only PyTorch has; use to_torch\(\)"):
        arch.to_keras()


def test_keras_models_are_built_where_the_decision_is_what_keras_has() -> None:
    pytest.importorskip("keras")
    space = ab.Space(
        [
            SEQUENCE,
            layers.Conv1D(4, 3, padding=ab.Choice("padding", ["same", 1])),
            layers.AveragePooling1D(2, ceil_mode=ab.Choice("ceil", [False, True]), count_include_pad=False),
            layers.BatchNormalization(track_running_stats=ab.Choice("tracked", [False, True])),
            layers.LSTM(5, num_layers=ab.Int("depth", 1, 2), bidirectional=ab.Choice("both", [False, True])),
        ]
    )
    arch = space.architecture(padding="same", ceil=False, tracked=True, depth=1, both=False)
    assert arch.to_keras().count_params() == arch.params
    with pytest.raises(SpaceError, match="layer 'conv1d' .Conv1D.: Keras has no padding=1"):
        space.architecture({**arch, "padding": 1}).to_keras()


def test_options_are_given_in_a_space_file(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(
        """
        decisions:
          kernel: [3, 5]
          ceil: [false, true]
          padding: [same, 1]
        layers:
          - Input: [9, 12, 4]
          - Conv2D: {filters: 3, kernel_size: $kernel, padding: $kernel // 2}
          - Conv2D: {filters: 3, kernel_size: 3, padding: [[1, 0], 2]}
          - Conv2D: {filters: 3, kernel_size: 3, padding: $padding}
          - MaxPooling2D: {pool_size: 3, strides: 2, padding: [1, 0], ceil_mode: $ceil}
        """,
        encoding="utf-8",
    )
    arch = read(file).space.architecture(kernel=5, ceil=True, padding=1)
    assert [record.output_shape for record in arch.layers[1:]] == [(9, 12, 3), (8, 14, 3), (8, 14, 3), (5, 7, 3)]


def test_the_weights_of_a_stack_are_explained() -> None:
    stack = layers.LSTM(16, num_layers=3, bidirectional=True, two_biases=True, proj_size=5)
    told = ab.Space([SEQUENCE, stack]).architecture().explain("lstm")
    assert "2 * ((3 + 5 + 2) * 4 * 16 + 16*5 + 2 * ((10 + 5 + 2) * 4 * 16 + 16*5))" in told
    assert "10: outputs of the previous layer" in told


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(4, 3, padding=1),
        layers.Conv2D(4, (3, 5), padding=((0, 2), (1, 1)), strides=2),
        layers.Conv1D(4, 3, padding=((2, 0),)),
        layers.Conv2DTranspose(4, 3, padding=(1, 0), strides=2),
        layers.MaxPooling2D(3, padding=1, ceil_mode=True),
        layers.Conv2D(4, 3, padding="same"),
        layers.Conv2D(4, 3, padding=2, padding_mode="reflect"),
        layers.Conv2DTranspose(3, 3, padding=1, groups=3),
        layers.MaxPooling2D(3, dilation=2),
        layers.UpSampling2D((1.5, 2)),
        layers.UpSampling2D(output_size=(5, 20)),
        layers.FractionalMaxPooling2D(2, output_ratio=0.5),
        layers.FractionalMaxPooling2D(2, (3, 4)),
        layers.LPPooling2D(2, 3, ceil_mode=True),
        layers.InstanceNormalization(affine=True),
        layers.Unfold(3, padding=1),
    ],
)
def test_the_record_of_a_layer_makes_it_anew(layer: layers.Layer) -> None:
    shape = (9, 3) if layer.kind == "Conv1D" else (9, 9, 3)
    first = ab.Space([layers.Input(shape), layer]).architecture().layers[-1]
    again = getattr(layers, first.type)(**first.arguments, **first.other_arguments)
    record = ab.Space([layers.Input(shape), again]).architecture().layers[-1]
    assert (record.arguments, record.output_shape) == (first.arguments, first.output_shape)
    assert (record.params, record.macs) == (first.params, first.macs)
    assert "explicit_padding" not in record.arguments


def test_a_transposed_convolution_in_groups_is_that_of_pytorch() -> None:
    arch = ab.Space([layers.Input((8, 8, 4)), layers.Conv2DTranspose(4, 3, 2, 1, 1, groups=4)]).architecture()
    assert (arch.layers[-1].output_shape, arch.params, arch.macs) == ((16, 16, 4), 40, 2304)
    told = arch.explain("conv2d_transpose")
    assert "= (3*3*1 + 1) * 4 = 40\n" in told
    assert "(input_height - 1) * stride_height + kernel_height + output_padding_height - 2 * padding_height" in told
    assert "1: channels of each group of the input" in told


def test_keys_and_values_behind_those_of_the_input_are_explained() -> None:
    layer = layers.MultiHeadAttention(2, 4, add_bias_kv=True, add_zero_attn=True)
    told = ab.Space([layers.Input((5, 8)), layer]).architecture().explain("multi_head_attention")
    assert "5 * (5 + 1 + 1) * 2 * 4" in told
    assert "1: key and value that are learned" in told


def test_the_sizes_that_a_decision_gives_are_recorded_as_they_are() -> None:
    size = ab.Choice("size", [1, 1.5, 2.0])
    space = ab.Space([layers.Input((7, 7, 2)), layers.UpSampling2D((size, 1.5)), layers.TimeDistributed(layers.GLU())])
    records = [space.architecture(size=each).layers[1] for each in size.values]
    assert [record.arguments["size"] for record in records] == [(1, 1.5), (1.5, 1.5), (2.0, 1.5)]
    assert [record.output_shape for record in records] == [(7, 10, 2), (10, 10, 2), (14, 10, 2)]
    assert (space.evaluate(space.sample(30, seed=0))["macs"] == 0).all()


def test_layers_of_pytorch_are_given_in_a_space_file(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(
        """
        decisions:
          size: [1.5, 2]
          groups: [1, 2]
        layers:
          - Input: [9, 12, 4]
          - Conv2DTranspose: {filters: 4, kernel_size: 3, padding: 1, groups: $groups}
          - InstanceNormalization: {affine: true}
          - GLU
          - UpSampling2D: $size
          - ReflectionPadding2D: [1, -2]
          - MaxPooling2D: {pool_size: 3, strides: 1, dilation: $groups}
        """,
        encoding="utf-8",
    )
    space = read(file).space
    assert space.size == 4
    arch = space.architecture(size=1.5, groups=2)
    shapes = [(9, 12, 4), (9, 12, 4), (9, 12, 4), (9, 12, 2), (13, 18, 2), (15, 14, 2), (11, 10, 2)]
    assert [record.output_shape for record in arch.layers] == shapes
    assert arch.params == (3 * 3 * 2 + 1) * 4 + 8
