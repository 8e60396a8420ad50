"""The space of DARTS against what its authors published."""

from __future__ import annotations

from math import comb

import pytest

import archbudget as ab
from archbudget import spaces

V2 = {
    "normal": {
        2: (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
        3: (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
        4: (("skip_connect", 0), ("sep_conv_3x3", 1)),
        5: (("skip_connect", 0), ("dil_conv_3x3", 2)),
    },
    "reduce": {
        2: (("max_pool_3x3", 0), ("max_pool_3x3", 1)),
        3: (("max_pool_3x3", 1), ("skip_connect", 2)),
        4: (("max_pool_3x3", 0), ("skip_connect", 2)),
        5: (("max_pool_3x3", 1), ("skip_connect", 2)),
    },
}
"""`DARTS_V2` of the authors' `genotypes.py`."""


def decisions(genotype: dict[str, dict[int, tuple[tuple[str, int], tuple[str, int]]]]) -> dict[str, str | int]:
    values: dict[str, str | int] = {}
    for kind, nodes in genotype.items():
        for node, edges in nodes.items():
            for number, (operation, source) in enumerate(edges):
                values[f"{kind}_{node}_input_{number}"] = source
                values[f"{kind}_{node}_op_{number}"] = operation
    return values


@pytest.fixture(scope="module")
def space() -> ab.Space:
    return spaces.darts()


def test_the_size_is_that_of_two_cells(space: ab.Space) -> None:
    cell = 7**8
    for node in (2, 3, 4, 5):
        cell *= comb(node, 2)
    assert cell == 1_037_664_180
    assert space.size == cell**2
    assert set(space.decisions) == set(decisions(V2))


def test_the_best_cells_of_the_paper_on_cifar_10(space: ab.Space) -> None:
    arch = space.architecture(decisions(V2))
    assert arch.trainable_params == 3_349_342  # "3.3 M"
    assert arch.layers[-1].output_shape == (10,)


def test_the_best_cells_of_the_paper_on_imagenet() -> None:
    space = spaces.darts(1000, 224, width=48, cells=14, imagenet_stem=True)
    arch = space.architecture(decisions(V2))
    assert arch.trainable_params == pytest.approx(4.7e6, rel=0.01)
    # The paper has 574 M: more is counted there than convolutions and the classifier, which PyTorch counts alike.
    assert arch.macs == 529_911_552


def test_an_input_comes_before_the_other(space: ab.Space) -> None:
    drawn = space.sample(1000, seed=0)
    for kind in ("normal", "reduce"):
        for node in (3, 4, 5):
            first, second = (drawn.values()[f"{kind}_{node}_input_{number}"] for number in (0, 1))
            assert (first < second).all()


def test_few_states_are_needed(space: ab.Space) -> None:
    # Exact peaks of layers that work in place ask for some choices earlier: 2,312 nodes, for 1.1e18 networks.
    assert space.describe().nodes < 2_400
