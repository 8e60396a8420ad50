"""NAS-Bench-Macro against the table that its authors published."""

from __future__ import annotations

import hashlib
import itertools

import numpy as np
import pytest

import archbudget as ab
from archbudget import spaces

VALUES = ("Identity", "MB3_K3", "MB6_K5")
TABLE = "4e6b5a9c0837c12bf58092eb202e0d846fbc26aa97335465979803e13f7a32b7"
"""The SHA-256 of `params` and `flops` in nas-bench-macro_cifar10.json, in the order of its keys: pairs of 64-bit
integers, the lowest byte first."""
FROM_THE_TABLE = {
    "02012100": (890_666, 47_327_744),
    "11111221": (2_181_386, 65_012_224),
    "00011110": (1_118_378, 31_390_208),
}


@pytest.fixture(scope="module")
def space() -> ab.Space:
    return spaces.nas_bench_macro()


def test_it_has_the_published_size_and_names(space: ab.Space) -> None:
    assert space.size == space.combinations == 6_561
    assert list(space.decisions) == [f"op_{number}" for number in range(1, 9)]
    assert all(decision.values == VALUES for decision in space.decisions.values())


def test_every_network_has_the_published_counts(space: ab.Space) -> None:
    rows = np.array(list(itertools.product(range(3), repeat=8)), np.uint8)
    counts = space.evaluate(rows, ["trainable_params", "macs"])
    pairs = np.stack([counts["trainable_params"], counts["macs"]], axis=1).astype("<i8")
    assert hashlib.sha256(pairs.tobytes()).hexdigest() == TABLE


@pytest.mark.parametrize("key", FROM_THE_TABLE)
def test_some_networks_of_the_table(space: ab.Space, key: str) -> None:
    arch = space.architecture({f"op_{number}": VALUES[int(digit)] for number, digit in enumerate(key, 1)})
    assert (arch.trainable_params, arch.macs) == FROM_THE_TABLE[key]


@pytest.mark.parametrize(("classes", "side"), [(10, 32), (100, 64)])
def test_a_network_by_hand(classes: int, side: int) -> None:
    params, macs, before = (9 * 3 + 2) * 32, side * side * 9 * 3 * 32, 32
    for width in (64, 128, 256):
        expanded = 6 * before
        params += (before + 2 + 25 + 2) * expanded + (expanded + 2) * width
        macs += side * side * before * expanded
        side //= 2
        macs += side * side * (25 * expanded + expanded * width)
        before = width
    params += (256 + 2) * 1280 + 1281 * classes
    macs += side * side * 256 * 1280 + 1280 * classes
    space = spaces.nas_bench_macro(num_classes=classes, image_size=8 * side)
    first = {"op_1", "op_3", "op_6"}
    arch = space.architecture({name: "MB6_K5" if name in first else "Identity" for name in space.decisions})
    assert (arch.trainable_params, arch.macs) == (params, macs)
