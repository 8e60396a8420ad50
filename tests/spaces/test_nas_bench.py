"""NAS-Bench-201 and NATS-Bench against what their authors published."""

from __future__ import annotations

import numpy as np
import pytest

import archbudget as ab
from archbudget import spaces
from archbudget.errors import InvalidArchitectureError

EDGES = ["edge_0_1", "edge_0_2", "edge_1_2", "edge_0_3", "edge_1_3", "edge_2_3"]
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
CLASSIFIER_BIAS = 10
"""What the authors count beyond the multiply-accumulates."""


@pytest.fixture(scope="module")
def topology() -> ab.Space:
    return spaces.nas_bench_201()


@pytest.fixture(scope="module")
def size() -> ab.Space:
    return spaces.nats_bench_size()


def test_nas_bench_201_has_the_published_size_and_names(topology: ab.Space) -> None:
    assert topology.size == topology.combinations == 15_625
    assert list(topology.decisions) == EDGES
    assert all(decision.values == OPERATIONS for decision in topology.decisions.values())


def test_the_cells_of_nas_bench_201_are_counted_at_once(topology: ab.Space) -> None:
    # What an edge does in all cells is known when it is asked for; its neighbours only ask whether it is a skip.
    assert topology.describe().nodes == 21


def test_nas_bench_201_has_the_published_extremes(topology: ab.Space) -> None:
    assert topology.range("trainable_params") == (73_306, 1_531_546)
    low, high = topology.range("macs")
    assert (low + CLASSIFIER_BIAS, high + CLASSIFIER_BIAS) == (7_783_050, 220_119_690)


def test_the_weights_of_nas_bench_201_depend_on_the_number_of_convolutions_only(topology: ab.Space) -> None:
    # 15 cells; a convolution of C channels has k*k*C*C weights and is normalised by 2*C more.
    each = {kernel: sum(5 * (kernel * kernel * c * c + 2 * c) for c in (16, 32, 64)) for kernel in (1, 3)}
    drawn = topology.sample(200, seed=0)
    counts = topology.evaluate(drawn, ["trainable_params"])["trainable_params"]
    for arch, count in zip(drawn, counts, strict=True):
        operations = list(arch.values())
        small, large = operations.count("nor_conv_1x1"), operations.count("nor_conv_3x3")
        assert count == 73_306 + small * each[1] + large * each[3]


def test_an_edge_of_zeros_leaves_what_it_cuts_off(topology: ab.Space) -> None:
    arch = topology.architecture(dict.fromkeys(EDGES, "none") | {"edge_0_1": "nor_conv_3x3"})
    assert arch.trainable_params > topology.range("trainable_params")[0]
    assert arch.macs > topology.range("macs")[0]


def test_an_edge_of_zeros_makes_zeros_in_keras() -> None:
    pytest.importorskip("keras")
    space = spaces.nas_bench_201(image_size=8)
    model = space.architecture(dict.fromkeys(EDGES, "none")).to_keras()
    noise = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    # The residual blocks hand on zeros: nothing of the images arrives at the end.
    first, second = np.asarray(model(noise))
    assert np.array_equal(first, second)


@pytest.mark.parametrize(("classes", "side"), [(100, 32), (120, 16)])
def test_other_data_sets(topology: ab.Space, classes: int, side: int) -> None:
    space = spaces.nas_bench_201(num_classes=classes, image_size=side)
    values = dict.fromkeys(EDGES, "nor_conv_3x3")
    here, there = space.architecture(values), topology.architecture(values)
    assert here.params - there.params == 65 * (classes - 10)
    assert (here.macs - 64 * classes) * (32 // side) ** 2 == there.macs - 640


@pytest.mark.parametrize(("classes", "side"), [(10, 32), (100, 32), (120, 16)])
def test_a_network_of_convolutions_by_hand(classes: int, side: int) -> None:
    params, macs, before = 9 * 3 * 16 + 2 * 16, side * side * 9 * 3 * 16, 16
    for width in (16, 32, 64):
        if width > before:
            side //= 2
            params += 9 * before * width + 9 * width * width + 2 * 2 * width + before * width
            macs += side * side * (9 * before * width + 9 * width * width + before * width)
        params += 5 * 6 * (9 * width * width + 2 * width)
        macs += side * side * 5 * 6 * 9 * width * width
        before = width
    params, macs = params + 2 * 64 + 65 * classes, macs + 64 * classes
    space = spaces.nas_bench_201(num_classes=classes, image_size=4 * side)
    arch = space.architecture(dict.fromkeys(EDGES, "nor_conv_3x3"))
    assert (arch.trainable_params, arch.macs) == (params, macs)
    assert (arch.trainable_params, arch.macs) == (space.range("trainable_params")[1], space.range("macs")[1])


@pytest.mark.parametrize(
    ("values", "tensors"),
    [
        # The input, node 1, what the input gives to node 2, and node 1 through ReLU and then through the convolution.
        (dict.fromkeys(EDGES, "nor_conv_3x3"), 5),
        # Sums are written over what they read, so that a cell never holds more than two. Where the width doubles, the
        # first convolution reads the input through ReLU, and its shortcut the input itself; it makes half of it.
        (dict.fromkeys(EDGES, "skip_connect"), 2.5),
    ],
)
def test_the_peak_of_a_cell_by_hand(topology: ab.Space, values: dict[str, str], tensors: float) -> None:
    assert topology.architecture(values).peak_activation_bytes == tensors * 32 * 32 * 16 * 4


def test_images_that_cannot_be_halved_twice_are_refused() -> None:
    with pytest.raises(InvalidArchitectureError, match="add"):
        spaces.nas_bench_201(image_size=31)


def test_nats_bench_has_the_published_size_and_names(size: ab.Space) -> None:
    assert size.size == size.combinations == 32_768
    assert list(size.decisions) == ["c0", "c1", "c2", "c3", "c4"]
    assert all(decision.values == tuple(range(8, 65, 8)) for decision in size.decisions.values())


def test_index_12_of_nats_bench(size: ab.Space) -> None:
    # The authors count in base 8, the last width fastest: 12 is 00014.
    arch = size.architecture(c0=8, c1=8, c2=8, c3=16, c4=40)
    assert arch.trainable_params == 67_378
    assert arch.macs + CLASSIFIER_BIAS == 7_991_706


def test_a_cell_that_changes_the_width_fits_its_skip(size: ab.Space) -> None:
    # From 24 to 24 the input is skipped as it is; to 32 it goes through 32*(24 + 2) weights.
    same, wider = (size.architecture(c0=8, c1=24, c2=width, c3=8, c4=8) for width in (24, 32))
    names = [record.name for record in wider.layers]
    assert len(names) == len(same.layers) + 2
    added = [record for record in wider.layers if record.name not in {each.name for each in same.layers}]
    assert sum(record.trainable_params for record in added) == 32 * (24 + 2)
