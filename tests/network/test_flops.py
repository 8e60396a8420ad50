"""FLOPs by the conventions of other tools, held against the tools."""

from __future__ import annotations

import contextlib
import io
from random import Random
from typing import Any

import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError, SpaceError
from archbudget.network.flops import CONVENTIONS, FVCORE
from support.layer_records import one_layer_network
from support.random_layers import random_case


def network(*inside: Any) -> ab.Architecture:
    return ab.Space([layers.Input((8, 8, 3)), *inside]).architecture()


def test_conventions_by_hand() -> None:
    arch = network(layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU())
    assert arch.macs == 6 * 6 * 9 * 3 * 4
    assert arch.flops() == arch.flops("2macs") == 2 * arch.macs
    assert arch.flops("macs") == arch.macs
    assert arch.flops(convention="fvcore") == arch.macs + 2 * 6 * 6 * 4
    assert list(CONVENTIONS) == ["2macs", "macs", "fvcore"]


@pytest.mark.parametrize("convention", ["fvcor", "", None, 2])
def test_other_conventions_are_refused(convention: Any) -> None:
    with pytest.raises(SpaceError, match="convention must be one of 2macs, macs, fvcore, not "):
        network(layers.ReLU()).flops(convention)


@pytest.mark.parametrize(
    "layer",
    [
        layers.Reshape((64, 3)),
        layers.BatchNormalization(center=False),
        layers.BatchNormalization(track_running_stats=False),
        layers.Dense(4, lora_rank=2),
        layers.TimeDistributed(layers.Dense(4)),
        layers.RMSNormalization(),
        layers.Resizing(4, 4),
        layers.UpSampling2D(2),
    ],
    ids=lambda layer: layer.kind,
)
def test_what_fvcore_counts_by_how_it_is_written_is_refused(layer: layers.Layer) -> None:
    inside = [layer, layers.LSTM(4, name="refused")] if layer.kind == "Reshape" else [layer]
    arch = network(*inside)
    with pytest.raises(
        SpaceError, match=r"what fvcore counts of '.*' \(\w+\) depends on how .*'2macs' and 'macs' take"
    ):
        arch.flops("fvcore")
    assert arch.flops() == 2 * arch.macs


def test_a_custom_layer_is_not_the_layer_of_its_name() -> None:
    @layers.custom
    def Dense(input_shape: tuple[int, ...]) -> layers.Counts:  # noqa: N802
        return layers.Counts(input_shape, trainable_params=3, macs=5)

    arch = network(Dense(name="own"))
    assert arch.flops() == 10
    with pytest.raises(SpaceError, match=r"what fvcore counts of 'own' \(Dense\)"):
        arch.flops("fvcore")


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_unknown_macs_have_no_flops(convention: str) -> None:
    space = ab.Space([layers.Input((None, None, 3)), layers.Conv2D(4, 3, name="conv")])
    with pytest.raises(SpaceError, match=r"flops are unknown, as the macs of 'conv' \(Conv2D\) are"):
        space.architecture().flops(convention)


def counted(module: Any, shapes: list[tuple[int, ...]], words: bool) -> tuple[int, int]:
    """What fvcore and `FlopCounterMode` say of a module."""
    torch, fvcore = pytest.importorskip("torch"), pytest.importorskip("fvcore.nn")
    counter = pytest.importorskip("torch.utils.flop_counter").FlopCounterMode(display=False)
    given = tuple(torch.zeros(1, *shape, dtype=torch.long if words else torch.float32) for shape in shapes)
    module.eval()
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        analysis = fvcore.FlopCountAnalysis(module, given)
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
        total = int(analysis.total())
        with counter:
            module(*given)
    return total, counter.get_total_flops()


KINDS = sorted(kind for kind in FVCORE if kind != "Input")


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_is_counted_as_the_tools_count_its_module(kind: str) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("fvcore.nn")
    rng, compared = Random(f"flops of {kind}"), 0
    for _ in range(60):
        if compared == 8:
            break
        arguments, shapes = random_case(rng, kind)
        try:
            arch = one_layer_network(kind, arguments, shapes)
            module, own = arch.to_torch(), arch.flops("fvcore")
        except ArchbudgetError:
            continue
        try:
            given = [record.output_shape for record in arch.layers[: len(shapes)]]
            total, twice = counted(module, given, kind == "Embedding")
        except (RuntimeError, AssertionError, NotImplementedError, ValueError):
            continue  # What PyTorch computes not at all, or only for another type.
        assert (own, arch.flops("2macs")) == (total, twice), (arguments, shapes)
        compared += 1
    assert compared
