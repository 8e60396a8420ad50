"""Options that PyTorch has and Keras has not: as decisions, in space files, in Keras models, and what is refused."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING, Any

import pytest

import archbudget as ab
from archbudget import layers
from archbudget._spacefile import read
from archbudget.errors import ArchbudgetError, SpaceError

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
    ],
)
def test_what_is_no_option_is_refused_by_itself(make: Callable[[], layers.Layer], message: str) -> None:
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
    ],
)
def test_what_pytorch_refuses_says_why(first: layers.Layer, layer: layers.Layer, message: str) -> None:
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
    ],
)
def test_keras_models_without_the_option_are_refused_before_anything_is_built(
    first: layers.Layer, layer: layers.Layer, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arch = ab.Space([first, layer]).architecture()
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
    assert "10: outputs of the layer before" in told


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(4, 3, padding=1),
        layers.Conv2D(4, (3, 5), padding=((0, 2), (1, 1)), strides=2),
        layers.Conv1D(4, 3, padding=((2, 0),)),
        layers.Conv2DTranspose(4, 3, padding=(1, 0), strides=2),
        layers.MaxPooling2D(3, padding=1, ceil_mode=True),
        layers.Conv2D(4, 3, padding="same"),
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
