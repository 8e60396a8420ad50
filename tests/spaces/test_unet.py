"""U-Net's own counts, computed by hand, and what its diagram remembers."""

from __future__ import annotations

import pytest

import archbudget as ab
from archbudget import spaces
from archbudget.errors import InvalidArchitectureError
from support.small_diagrams import little

ORIGINAL = {f"width_{level}": 32 * 2**level for level in range(1, 6)}


def convolution(before: int, after: int, side: int) -> int:
    return (side * side * before + 1) * after


def test_the_size_is_that_of_the_widths_of_every_depth() -> None:
    assert spaces.unet().size == 8**3 + 8**4 + 8**5
    assert spaces.unet(widths=4, most_depth=3).size == 4**3 + 4**4


def test_u_net_itself_has_the_parameters_of_its_figure() -> None:
    down = [(1, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512)]
    bottom = [(512, 1024), (1024, 1024)]
    up = [(1024, 512), (512, 512), (512, 256), (256, 256), (256, 128), (128, 128), (128, 64), (64, 64)]
    halving = [(1024, 512), (512, 256), (256, 128), (128, 64)]
    params = sum(convolution(*ends, 3) for ends in down + bottom + up)
    params += sum(convolution(*ends, 2) for ends in halving) + convolution(64, 2, 1)
    arch = spaces.unet().architecture(ORIGINAL, depth=4)
    assert arch.params == params == 31_030_658
    assert arch.layers[-1].output_shape == (512, 512, 2)


def test_the_count_that_is_often_quoted_has_a_convolution_more() -> None:
    # A well-known implementation ends with a 3x3 convolution to 2 channels and a 1x1 convolution to 1.
    arch = spaces.unet().architecture(ORIGINAL, depth=4)
    end = convolution(64, 2, 3) + convolution(2, 1, 1)
    assert arch.params - convolution(64, 2, 1) + end == 31_031_685


def test_sides_that_cannot_be_halved_are_refused() -> None:
    space = spaces.unet(resolution=ab.Choice("resolution", [64, 72]))
    assert space.size == 2 * 8**3 + 2 * 8**4 + 8**5  # 72 is halved three times.
    with pytest.raises(InvalidArchitectureError, match="concatenate"):
        space.architecture(ORIGINAL, depth=4, resolution=72)


@pytest.mark.parametrize("most_depth", [2, 3, 4, 6])
@pytest.mark.parametrize("widths", [2, 4, 8])
def test_the_nodes_are_the_widths_of_one_level_at_a_time(
    widths: int, most_depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = little(lambda: spaces.unet(widths=widths, most_depth=most_depth), monkeypatch, little=0)
    levels = sum(1 + widths * depth for depth in range(2, most_depth + 1))
    assert sum(stage.nodes for stage in space.describe().stages) == 1 + levels


def test_peaks_need_to_know_how_much_waits_but_not_in_which_widths() -> None:
    # A width doubles from level to level and an image has a quarter of the pixels, so sums of them coincide.
    stages = spaces.unet(widths=8, most_depth=4).describe().stages
    combinations = 1 + sum(8**levels for depth in range(2, 5) for levels in range(depth + 1))
    assert sum(stage.nodes for stage in stages) < combinations / 5


def test_random_networks_are_what_keras_builds() -> None:
    pytest.importorskip("keras")
    space = spaces.unet(resolution=64)
    narrow = space.with_domains(
        {name: decision.values[:3] for name, decision in space.decisions.items() if "w" in name}
    )
    for arch in narrow.sample(3, seed=0):
        model = arch.to_keras()
        assert model.count_params() == arch.params
        assert model.output_shape == (None, 64, 64, 2)
