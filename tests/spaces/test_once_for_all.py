"""The spaces of Once-for-All and MCUNet: sizes by hand, names, and networks whose counts are published."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import archbudget as ab
from archbudget import spaces
from archbudget.spaces._mobile import make_divisible

BLOCKS = [(stage, block) for stage in range(1, 6) for block in range(1, 5)]
MOBILE = {
    *(f"depth_{stage}" for stage in range(1, 6)),
    *(f"{what}_{stage}_{block}" for stage, block in BLOCKS for what in ("kernel", "expand")),
}
PER_STAGE = 9**2 + 9**3 + 9**4
"""A stage has 2 to 4 blocks of 3 kernels and 3 expansions."""


@pytest.mark.parametrize(
    ("make", "size", "names"),
    [
        (spaces.ofa_mobilenet_v3, PER_STAGE**5, MOBILE),
        (spaces.ofa_proxyless, PER_STAGE**5 * 9, MOBILE | {"kernel_6_1", "expand_6_1"}),
        (spaces.mcunet, PER_STAGE**5 * 9, MOBILE | {"kernel_6_1", "expand_6_1"}),
    ],
)
def test_mobile_spaces_have_the_size_and_names_of_the_paper(
    make: Callable[[], ab.Space], size: int, names: set[str]
) -> None:
    space = make()
    assert space.size == size
    assert set(space.decisions) == names
    for name, decision in space.decisions.items():
        assert decision.values == {"depth": (2, 3, 4), "kernel": (3, 5, 7), "expand": (3, 4, 6)}[name.split("_")[0]]


def test_the_exact_size_of_once_for_all() -> None:
    # "More than 10^19" in the paper.
    assert spaces.ofa_mobilenet_v3().size == 21_758_655_492_572_485_851


def test_the_peaks_of_once_for_all_by_hand() -> None:
    # In the first block of the first stage. 16 channels of 112 x 112 are expanded to 48, or to 96: these are then
    # convolved to as many of half the sides, which is more than expanding them takes.
    pixels = 112 * 112
    peaks = spaces.ofa_mobilenet_v3().range("peak_activation_bytes")
    assert peaks == (4 * pixels * (16 + 48), 4 * pixels * (96 + 96 // 4))


def test_the_resolution_may_be_a_decision() -> None:
    resolution = ab.Int("resolution", 128, 224, step=4)
    space = spaces.ofa_mobilenet_v3(resolution=resolution)
    assert space.size == 25 * PER_STAGE**5
    values = {name: decision.values[-1] for name, decision in space.decisions.items()}
    small, large = (space.architecture({**values, "resolution": side}) for side in (128, 224))
    assert small.params == large.params
    assert large.macs == spaces.ofa_mobilenet_v3().range("macs")[1]
    assert small.macs == spaces.ofa_mobilenet_v3(resolution=128).range("macs")[1]


@pytest.mark.parametrize("make", [spaces.ofa_proxyless, spaces.ofa_resnet50, spaces.proxylessnas, spaces.mcunet])
def test_the_resolution_of_the_others_may_be_a_decision(make: Callable[..., ab.Space]) -> None:
    space, default = make(resolution=ab.Choice("resolution", [96, 224])), make()
    assert space.size == 2 * default.size
    assert list(space.decisions) == ["resolution", *default.decisions]
    assert space.range("params") == default.range("params")
    assert space.range("macs") == (make(resolution=96).range("macs")[0], make(resolution=224).range("macs")[1])


def test_the_size_and_names_of_resnet50() -> None:
    space = spaces.ofa_resnet50()
    stages = [3**least + 3 ** (least + 1) + 3 ** (least + 2) for least in (2, 2, 4, 2)]
    assert space.size == 2 * 3**6 * stages[0] * stages[1] * stages[2] * stages[3] == 2_458_914_796_962
    assert set(space.decisions) == {
        *(f"depth_{number}" for number in range(5)),
        *(f"width_{number}" for number in range(6)),
        *(f"expand_{number}" for number in range(1, 19)),
    }
    domains = {"expand": (0.2, 0.25, 0.35), "width": (0.65, 0.8, 1.0), "depth": (0, 1, 2)}
    for name, decision in space.decisions.items():
        assert decision.values == ((0, 2) if name == "depth_0" else domains[name.split("_")[0]])


def test_blocks_of_resnet50_are_numbered_including_the_omitted_ones() -> None:
    # Of 4, 4, 6 and 4 blocks the last two of each stage are elastic; their expansions keep their numbers.
    space = spaces.ofa_resnet50()
    values = {name: decision.values[0] for name, decision in space.decisions.items()}
    small = space.architecture(values)
    assert {name for name in small if name.startswith("expand")} == {
        f"expand_{number}" for number in range(1, 19) if number not in (3, 4, 7, 8, 13, 14, 17, 18)
    }
    more = space.architecture(values | {"depth_3": 1})
    assert set(more) - set(small) == {"expand_13"}


def test_resnet50_d_is_a_network_of_its_space() -> None:
    # 3, 4, 6, 3 blocks, bottlenecks of a quarter, full width: ResNet-50-D (arXiv 1812.01187; the count is that of
    # timm's resnet50d). That the middle of the stem adds its input here costs nothing.
    space = spaces.ofa_resnet50()
    values: dict[str, float] = {name: 1.0 for name in space.decisions if name.startswith("width")}
    values |= {name: 0.25 for name in space.decisions if name.startswith("expand")}
    values |= {"depth_0": 2, "depth_1": 1, "depth_2": 2, "depth_3": 2, "depth_4": 1}
    assert space.architecture(values).trainable_params == 25_576_264


@pytest.mark.parametrize("width", [0.25, 0.35, 0.5, 0.75, 1.0, 1.2, 1.3])
def test_widths_are_rounded_as_the_engine_rounds(width: float) -> None:
    for base in (16, 24, 32, 40, 80, 96, 112, 160, 192, 320, 960, 1280):
        rounded = make_divisible(base * width)
        assert rounded % 8 == 0
        assert rounded >= 0.9 * base * width
        if (base * width).is_integer():
            network = ab.Space([ab.layers.Input((1,)), ab.layers.Dense(ab.round_to(ab.channels() * int(base * width)))])
            assert network.architecture().layers[-1].output_shape == (rounded,)


def test_mcunet_has_no_last_convolution() -> None:
    for make, last in ((spaces.mcunet, 160), (lambda: spaces.ofa_proxyless(width=0.5, resolution=96), 640)):
        arch = make().sample(1, seed=0)[0]
        assert arch.layers[-1].input_shapes == ((last,),)  # Half of 320 and of 1280 channels.


def test_narrow_networks_add_the_input_where_the_shape_stays() -> None:
    # 0.25 of 80 and of 96 channels are 24 both, so that the fourth stage's first block has a skip connection.
    space = spaces.mcunet(width=0.25)
    arch = space.architecture({name: decision.values[0] for name, decision in space.decisions.items()})
    assert [record.type for record in arch.layers].count("Add") == 5 + 1
