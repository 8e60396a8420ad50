"""LeNet, VGG, ResNet, DenseNet, EfficientNet and DS-CNN: the published networks are there, with their counts."""

from __future__ import annotations

import pytest

from archbudget import spaces

K = range(1, 7)


def test_lenet() -> None:
    space = spaces.lenet()
    assert space.size == 73_728
    assert list(space.decisions) == ["f1", "k1", "f2", "k2", "units"]
    assert space.architecture(f1=32, k1=5, f2=64, k2=5, units=128).params == 184_586


@pytest.mark.parametrize(
    ("depths", "params", "macs"),
    [
        ((1, 1, 2, 2, 2), 132_863_336, 7_609_090_048),  # VGG-11
        ((2, 2, 2, 2, 2), 133_047_848, 11_308_466_176),  # VGG-13
        ((2, 2, 3, 3, 3), 138_357_544, 15_470_264_320),  # VGG-16
        ((2, 2, 4, 4, 4), 143_667_240, 19_632_062_464),  # VGG-19
    ],
)
def test_vgg(depths: tuple[int, ...], params: int, macs: int) -> None:
    space = spaces.vgg()
    assert space.size == 2 * 2 * 4 * 4 * 4 * 4**5 * 4
    values = {f"depth_{stage}": depth for stage, depth in enumerate(depths, 1)}
    values |= {f"width_{stage}": width for stage, width in enumerate((64, 128, 256, 512, 512), 1)}
    arch = space.architecture(values, units=4096)
    assert (arch.params, arch.macs) == (params, macs)


@pytest.mark.parametrize(
    ("block", "depths", "params", "macs"),
    [
        ("basic", (2, 2, 2, 2), 11_689_512, 1_814_073_344),  # ResNet-18
        ("basic", (3, 4, 6, 3), 21_797_672, 3_663_761_408),  # ResNet-34
        ("bottleneck", (3, 4, 6, 3), 25_557_032, 4_089_184_256),  # ResNet-50
        ("bottleneck", (3, 4, 23, 3), 44_549_160, 7_801_405_440),  # ResNet-101
        ("bottleneck", (3, 8, 36, 3), 60_192_808, 11_513_626_624),  # ResNet-152
    ],
)
def test_resnet(block: str, depths: tuple[int, ...], params: int, macs: int) -> None:
    space = spaces.resnet()
    assert space.size == 2 * (2 * 7 * 35 * 2)
    arch = space.architecture({f"depth_{stage}": depth for stage, depth in enumerate(depths, 1)}, block=block)
    assert (arch.trainable_params, arch.macs) == (params, macs)


def test_the_peak_of_resnet_50_adds_into_an_input_that_dies() -> None:
    # Beside the input of a block (256 channels) its last convolution reads 64 channels and makes 256.
    values = {f"depth_{stage}": depth for stage, depth in enumerate((3, 4, 6, 3), 1)}
    assert spaces.resnet().architecture(values, block="bottleneck").peak_activation_bytes == 7_225_344
    assert 56 * 56 * (256 + 64 + 256) * 4 == 7_225_344


@pytest.mark.parametrize(
    ("growth", "depths", "params", "macs"),
    [
        (32, (6, 12, 24, 16), 7_978_856, 2_834_161_664),  # DenseNet-121
        (48, (6, 12, 36, 24), 28_681_000, 7_727_907_072),  # DenseNet-161
        (32, (6, 12, 32, 32), 14_149_480, 3_359_843_328),  # DenseNet-169
        (32, (6, 12, 48, 32), 20_013_928, 4_291_365_888),  # DenseNet-201
    ],
)
def test_densenet(growth: int, depths: tuple[int, ...], params: int, macs: int) -> None:
    space = spaces.densenet()
    assert space.size == 5**4 * 3 * 3 * 15 * 6
    values = {f"depth_{block}": depth for block, depth in enumerate(depths, 1)}
    arch = space.architecture(values, **{f"growth_{block}": growth for block in (1, 2, 3, 4)})
    assert (arch.trainable_params, arch.macs) == (params, macs)  # As torchvision has it.


def test_a_densenet_with_a_growth_for_each_block_by_hand() -> None:
    depths, growths, side, channels = (2, 4, 8, 8), (12, 48, 24, 40), 56, 24
    params, macs = 49 * 3 * 24 + 2 * 24, 112 * 112 * 49 * 3 * 24
    for block, (depth, growth) in enumerate(zip(depths, growths, strict=True)):
        if block:
            params += 2 * channels + channels * (channels // 2)
            macs += side * side * channels * (channels // 2)
            channels, side = channels // 2, side // 2
        for _ in range(depth):
            weights = channels * 4 * growth + 9 * 4 * growth * growth
            params += 2 * channels + 2 * 4 * growth + weights
            macs += side * side * weights
            channels += growth
    params, macs = params + 2 * channels + (channels + 1) * 1000, macs + channels * 1000
    values = {f"depth_{block}": depth for block, depth in enumerate(depths, 1)}
    values |= {f"growth_{block}": growth for block, growth in enumerate(growths, 1)}
    arch = spaces.densenet().architecture(values)
    assert (arch.trainable_params, arch.macs) == (params, macs)


@pytest.mark.parametrize(
    ("width", "depth", "resolution", "params", "gigamacs"),
    [
        (1.0, 1.0, 224, 5_288_548, 0.39),  # B0
        (1.0, 1.1, 240, 7_794_184, 0.70),  # B1
        (1.1, 1.2, 260, 9_109_994, 1.0),  # B2
        (1.2, 1.4, 300, 12_233_232, 1.8),  # B3
        (1.4, 1.8, 380, 19_341_616, 4.2),  # B4
        (1.6, 2.2, 456, 30_389_784, 9.9),  # B5
        (1.8, 2.6, 528, 43_040_704, 19.0),  # B6
        (2.0, 3.1, 600, 66_347_960, 37.0),  # B7
    ],
)
def test_efficientnet(width: float, depth: float, resolution: int, params: int, gigamacs: float) -> None:
    space = spaces.efficientnet()
    assert space.size == 7 * 8 * 8
    arch = space.architecture(width=width, depth=depth, resolution=resolution)
    assert arch.trainable_params == params  # As torchvision has it.
    assert arch.macs / 1e9 == pytest.approx(gigamacs, rel=0.05)  # As the paper has it.


@pytest.mark.parametrize(
    ("width", "stride", "depth", "kilobytes", "operations"),
    [
        (64, 2, 4, 38.6, 5.4e6),  # S
        (172, 1, 4, 189.2, 19.8e6),  # M
        (276, 1, 5, 497.6, 56.9e6),  # L
    ],
)
def test_ds_cnn_has_the_memory_and_operations_of_hello_edge(
    width: int, stride: int, depth: int, kilobytes: float, operations: float
) -> None:
    values = {"width": width, "stride": stride, "depth": depth} | {f"kernel_{number}": 3 for number in K}
    arch = spaces.ds_cnn(deployed=True).architecture(values)
    assert round((arch.costs["weight_bytes"] + arch.costs["peak_activation_bytes"]) / 1000, 1) == kilobytes
    assert 2 * arch.macs == pytest.approx(operations, rel=0.02)  # The paper counts additions of biases too.


def test_ds_cnn_s_is_that_of_mlperf_tiny() -> None:
    space = spaces.ds_cnn()
    assert space.size == 66 * 2 * sum(2**depth for depth in K)
    arch = space.architecture({"width": 64, "stride": 2, "depth": 4} | {f"kernel_{number}": 3 for number in K})
    assert (arch.params, arch.trainable_params) == (24_908, 23_756)
