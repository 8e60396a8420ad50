"""The shelf as a whole."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import archbudget as ab
from archbudget import spaces

MEASURE = """
import sys
import archbudget as ab
from support.peak_memory import peak_bytes
getattr(ab.spaces, sys.argv[1])()
print(peak_bytes())
"""


def test_every_space_is_on_the_shelf() -> None:
    functions = {name for name in spaces.__all__ if inspect.isfunction(getattr(spaces, name))}
    assert functions == set(spaces.SHELF)
    for name, shelved in spaces.SHELF.items():
        assert shelved.make is getattr(ab.spaces, name)
        assert shelved.make.__doc__
        assert shelved.paper.removeprefix("arXiv ") in shelved.make.__doc__ or name == "lenet"


ARGUMENTS: dict[str, dict[str, object]] = {
    "nas_bench_201": {"num_classes": 10, "image_size": 32},
    "nas_bench_macro": {"num_classes": 10, "image_size": 32},
    "nats_bench_size": {"num_classes": 10, "image_size": 32},
    "ofa_mobilenet_v3": {"width": 1.0, "resolution": 224, "num_classes": 1000},
    "ofa_proxyless": {"width": 1.3, "resolution": 224, "num_classes": 1000},
    "ofa_resnet50": {"resolution": 224, "num_classes": 1000},
    "proxylessnas": {"width": 1.0, "resolution": 224, "num_classes": 1000},
    "mcunet": {"width": 0.5, "resolution": 96, "num_classes": 1000},
}
"""What a space is of, if nothing is said."""


@pytest.mark.parametrize("name", ARGUMENTS)
def test_the_arguments_are_those_of_the_paper_by_default(name: str) -> None:
    parameters = inspect.signature(spaces.SHELF[name].make).parameters.values()
    assert {each.name: each.default for each in parameters} == ARGUMENTS[name]


PUBLISHED = {name: shelved.published_size for name, shelved in spaces.SHELF.items() if shelved.published_size}


def test_some_spaces_have_a_published_size() -> None:
    assert set(PUBLISHED) >= {"nas_bench_201", "nats_bench_size", "darts", "ofa_mobilenet_v3"}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_size_is_that_of_the_space(name: str) -> None:
    size = spaces.SHELF[name].make().size
    assert float(PUBLISHED[name].replace(",", "")) == pytest.approx(size, rel=0.1 if size > 10**6 else 0)


@pytest.mark.parametrize("name", spaces.SHELF)
def test_a_space_compiles_in_1_gibibyte(name: str) -> None:
    """How long it takes is told by `archbudget spaces`."""
    command = [sys.executable, "-c", MEASURE, name]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 2**30


@pytest.mark.parametrize("name", spaces.SHELF)
def test_networks_that_are_drawn_cost_what_they_cost_one_by_one(name: str) -> None:
    space = spaces.SHELF[name].make()
    drawn = space.sample(20, seed=0)
    counts = space.evaluate(drawn)
    assert counts.valid.all()
    for row, arch in enumerate(drawn):
        assert {metric: int(counts[metric][row]) for metric in arch.costs} == arch.costs


@pytest.mark.parametrize("name", spaces.SHELF)
def test_a_network_is_what_keras_builds(name: str) -> None:
    pytest.importorskip("keras")
    # Keras draws the weights, so a network of many takes long.
    arch = min(spaces.SHELF[name].make().sample(100, seed=3), key=lambda drawn: drawn.params)
    model = arch.to_keras()
    assert model.count_params() == arch.params
    assert model.output_shape == (None, *arch.layers[-1].output_shape)
