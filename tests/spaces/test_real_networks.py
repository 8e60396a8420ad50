"""The shelf against real PyTorch networks: parameters and MACs of every candidate, or of random ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import archbudget as ab
from archbudget import spaces
from archbudget.spaces._relative_attention import RelativeAttention

torch = pytest.importorskip("torch")

from support import real_networks as real  # noqa: E402

pytestmark = pytest.mark.torch

IMAGE = (3, 32, 32)


@pytest.fixture(autouse=True)
def _meta() -> Iterator[None]:
    """Parameters without memory."""
    with torch.device("meta"):
        yield


def counts(space: ab.Space) -> tuple[list[dict[str, Any]], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Every candidate with its trainable parameters and MACs."""
    domains = [decision.values for decision in space.decisions.values()]
    rows = [dict(zip(space.decisions, values, strict=True)) for values in itertools.product(*domains)]
    indices = np.array(list(itertools.product(*(range(len(values)) for values in domains))), dtype=np.uint8)
    found = space.evaluate(indices, ["trainable_params", "macs"])
    assert found.valid.all()
    return rows, found["trainable_params"], found["macs"]


def test_every_network_of_nas_bench_201() -> None:
    # Every network is put together and asked for its parameters; its edges come from a stock of real modules.
    stock: dict[Any, Any] = {}

    def edge(cell: int, ends: tuple[int, int], name: str, width: int) -> Any:
        key = (cell, ends, name)
        if key not in stock:
            stock[key] = real.operation(name, width, width)
        return stock[key]

    def measured(name: str) -> int:
        """What an edge costs in all cells."""
        sides = [(16, 32), (32, 16), (64, 8)]
        return sum(5 * real.macs(real.operation(name, width, width), width, side, side) for width, side in sides)

    edges = {name: measured(name) for name in real.OPERATIONS}
    rows, params, macs = counts(spaces.nas_bench_201())
    assert len(rows) == 15_625
    rest = real.macs(real.nas_bench_201(dict.fromkeys(rows[0], "none"), edge), *IMAGE)
    for row, own_params, own_macs in zip(rows, params, macs, strict=True):
        assert real.params(real.nas_bench_201(row, edge)) == own_params, row
        assert rest + sum(edges[name] for name in row.values()) == own_macs, row
    for number in np.random.default_rng(0).choice(len(rows), 20, replace=False):
        assert real.macs(real.nas_bench_201(rows[number], edge), *IMAGE) == macs[number], rows[number]


def test_every_network_of_nats_bench() -> None:
    stock: dict[Any, Any] = {}

    def part(make: Callable[..., Any], side: int, *widths: int) -> tuple[Any, int]:
        """A part of a network and its MACs, for the widths before it and after it, at a side of its input."""
        key = (make, side, widths)
        if key not in stock:
            made = make(*widths)
            stock[key] = made, real.macs(made, 3 if make is real.stem else widths[0], side, side)
        return stock[key]

    def parts(c0: int, c1: int, c2: int, c3: int, c4: int) -> tuple[Any, ...]:
        return tuple(
            zip(
                part(real.stem, 32, c0),
                part(real.nats_cell, 32, c0, c0),
                part(real.Reduction, 32, c0, c1),
                part(real.nats_cell, 16, c1, c2),
                part(real.Reduction, 16, c2, c3),
                part(real.nats_cell, 8, c3, c4),
                part(real.head, 8, c4),
                strict=True,
            )
        )

    rows, params, macs = counts(spaces.nats_bench_size())
    assert len(rows) == 32_768
    for row, own_params, own_macs in zip(rows, params, macs, strict=True):
        modules, costs = parts(**row)
        assert sum(real.params(module) for module in modules) == own_params, row
        assert sum(costs) == own_macs, row
    for number in np.random.default_rng(0).choice(len(rows), 20, replace=False):
        network = torch.nn.Sequential(*parts(**rows[number])[0])
        assert real.params(network) == params[number]
        assert real.macs(network, *IMAGE) == macs[number]


def counted(network: Any) -> tuple[int, int]:
    """The parameters with moving statistics, and those without."""
    trainable = real.params(network)
    return trainable + real.statistics(network), trainable


RESOLUTIONS = ab.Int("resolution", 128, 224, step=4)

FAMILIES: dict[str, tuple[Callable[[], ab.Space], Callable[[Any], Any], Callable[[Any], tuple[int, ...]]]] = {
    "ofa_mobilenet_v3": (
        lambda: spaces.ofa_mobilenet_v3(resolution=RESOLUTIONS),
        lambda values: real.ofa_mobilenet_v3(values, 1.0),
        lambda values: (3, values["resolution"], values["resolution"]),
    ),
    "ofa_mobilenet_v3, wide": (
        lambda: spaces.ofa_mobilenet_v3(width=1.2),
        lambda values: real.ofa_mobilenet_v3(values, 1.2),
        lambda _: (3, 224, 224),
    ),
    "ofa_proxyless": (
        lambda: spaces.ofa_proxyless(resolution=RESOLUTIONS),
        lambda values: real.ofa_proxyless(values, 1.3),
        lambda values: (3, values["resolution"], values["resolution"]),
    ),
    "ofa_resnet50": (
        lambda: spaces.ofa_resnet50(resolution=RESOLUTIONS),
        lambda values: real.ofa_resnet50(values),
        lambda values: (3, values["resolution"], values["resolution"]),
    ),
    "darts": (spaces.darts, lambda values: real.darts(values), lambda _: IMAGE),
    "darts for ImageNet": (
        lambda: spaces.darts(1000, 224, width=48, cells=14, imagenet_stem=True),
        lambda values: real.darts(values, 48, 14, 1000, imagenet=True),
        lambda _: (3, 224, 224),
    ),
    "proxylessnas": (
        lambda: spaces.proxylessnas(),
        lambda values: real.proxylessnas(values, 1.0),
        lambda _: (3, 224, 224),
    ),
    "proxylessnas, narrow": (
        lambda: spaces.proxylessnas(width=0.35),
        lambda values: real.proxylessnas(values, 0.35),
        lambda _: (3, 224, 224),
    ),
    "mcunet": (
        lambda: spaces.mcunet(),
        lambda values: real.ofa_proxyless(values, 0.5, mix=False),
        lambda _: (3, 96, 96),
    ),
    "mcunet, narrow": (
        lambda: spaces.mcunet(width=0.25, resolution=144),
        lambda values: real.ofa_proxyless(values, 0.25, mix=False),
        lambda _: (3, 144, 144),
    ),
    "ds_cnn": (spaces.ds_cnn, lambda values: real.ds_cnn(values), lambda _: (1, 49, 10)),
    "tc_resnet": (spaces.tc_resnet, lambda values: real.tc_resnet(values), lambda _: (40, 98)),
    "unet": (
        lambda: spaces.unet(resolution=ab.Int("resolution", 64, 256, step=16)),
        lambda values: real.unet(values),
        lambda values: (1, values["resolution"], values["resolution"]),
    ),
    **{
        f"autoformer, {supernet}": (
            lambda supernet=supernet: spaces.autoformer(supernet, resolution=RESOLUTIONS),  # type: ignore[misc]
            lambda values: real.Autoformer(values, values["resolution"]),
            lambda values: (3, values["resolution"], values["resolution"]),
        )
        for supernet in ("tiny", "small", "base")
    },
}


@pytest.mark.parametrize("family", FAMILIES)
def test_random_networks(family: str) -> None:
    make, network, shape = FAMILIES[family]
    space = make()
    # Some take PyTorch long to count.
    for arch in space.sample(10 if family.startswith(("autoformer", "unet", "tc_resnet", "darts")) else 50, seed=0):
        built = network(arch)
        assert counted(built) == (arch.params, arch.trainable_params), dict(arch)
        assert real.macs(built, *shape(arch)) == arch.macs, dict(arch)


def test_attention_with_relative_positions_computes_the_same_in_keras_and_pytorch() -> None:
    pytest.importorskip("keras")
    space = ab.Space([ab.layers.Input((17, 6)), RelativeAttention(2)])
    model = space.architecture().to_keras()
    noise = np.random.default_rng(0)
    model.set_weights([noise.normal(size=weight.shape, scale=0.1) for weight in model.get_weights()])
    weights = {weight.path.split("/", 1)[1]: torch.tensor(np.asarray(weight), device="cpu") for weight in model.weights}
    x = noise.normal(size=(2, 17, 6)).astype(np.float32)
    with torch.device("cpu"):
        network = space.architecture().to_torch()
        authors = real.HeadsOf64(6, 2)
    state = {
        **{f"{name}.weight": weights[f"{name}/kernel"].T for name in ("qkv", "proj")},
        **{f"{name}.bias": weights[f"{name}/bias"] for name in ("qkv", "proj")},
        **{f"{name}_{way}": weights[f"{name}_{way}"] for name in ("key", "value") for way in ("rows", "columns")},
    }
    network.relative_attention.load_state_dict(state)
    renamed = {"proj": "project", "key_rows": "keys.vertical", "key_columns": "keys.horizontal"}
    renamed |= {"value_rows": "values.vertical", "value_columns": "values.horizontal"}
    authors.load_state_dict(
        {".".join(renamed.get(part, part) for part in name.split(".")): state[name] for name in state}
    )
    for module in (network, authors):
        computed = module(torch.tensor(x, device="cpu")).detach().numpy()
        np.testing.assert_allclose(computed, np.asarray(model(x)), rtol=1e-4, atol=1e-5)
    assert real.macs(network.to("meta"), 17, 6) == space.architecture().macs


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_random_recurrent_networks(cell: str, bidirectional: bool) -> None:
    space = spaces.recurrent(bidirectional=bidirectional, two_biases=True)
    for arch in space.with_domains({"cell": [cell]}).sample(5, seed=0):
        built = real.Recurrent(arch, bidirectional)
        assert real.params(built) == arch.trainable_params, dict(arch)
        assert real.macs(built, 35) == arch.macs, dict(arch)


@pytest.mark.parametrize("space", ["autoformer", "recurrent"])
def test_random_networks_are_what_to_torch_makes(space: str) -> None:
    make: dict[str, Callable[[], ab.Space]] = {
        "autoformer": lambda: spaces.autoformer(resolution=ab.Choice("resolution", [32, 64]), num_classes=5),
        "recurrent": lambda: spaces.recurrent(
            5, 6, bidirectional=ab.Choice("bidirectional", [False, True]), two_biases=True
        ).with_domains({f"units_{number}": [50, 100] for number in range(1, 5)}),
    }
    with torch.device("cpu"):
        for arch in make[space]().sample(4, seed=0):
            built = arch.to_torch()
            assert real.params(built) == arch.trainable_params, dict(arch)
            first = arch.layers[0].output_shape
            x = torch.zeros(2, *first) if space == "autoformer" else torch.zeros(2, *first, dtype=torch.int64)
            assert built(x).shape == (2, *arch.layers[-1].output_shape)


def stages(name: str, values: tuple[int, ...]) -> dict[str, int]:
    return {f"{name}_{number}": value for number, value in enumerate(values, 1)}


TORCHVISION: dict[str, tuple[Callable[[], ab.Space], dict[str, Any]]] = {
    **{
        f"resnet{number}": (spaces.resnet, {"block": block} | stages("depth", depths))
        for number, block, depths in [
            (18, "basic", (2, 2, 2, 2)),
            (34, "basic", (3, 4, 6, 3)),
            (50, "bottleneck", (3, 4, 6, 3)),
            (101, "bottleneck", (3, 4, 23, 3)),
            (152, "bottleneck", (3, 8, 36, 3)),
        ]
    },
    **{
        f"densenet{number}": (spaces.densenet, stages("growth", 4 * (growth,)) | stages("depth", depths))
        for number, growth, depths in [
            (121, 32, (6, 12, 24, 16)),
            (161, 48, (6, 12, 36, 24)),
            (169, 32, (6, 12, 32, 32)),
            (201, 32, (6, 12, 48, 32)),
        ]
    },
    **{
        f"vgg{number}": (
            spaces.vgg,
            {"units": 4096} | stages("width", (64, 128, 256, 512, 512)) | stages("depth", depths),
        )
        for number, depths in [
            (11, (1, 1, 2, 2, 2)),
            (13, (2, 2, 2, 2, 2)),
            (16, (2, 2, 3, 3, 3)),
            (19, (2, 2, 4, 4, 4)),
        ]
    },
    **{
        f"efficientnet_b{number}": (
            spaces.efficientnet,
            dict(zip(("width", "depth", "resolution"), scales, strict=True)),
        )
        for number, scales in enumerate(
            [
                (1.0, 1.0, 224),
                (1.0, 1.1, 240),
                (1.1, 1.2, 260),
                (1.2, 1.4, 300),
                (1.4, 1.8, 380),
                (1.6, 2.2, 456),
                (1.8, 2.6, 528),
                (2.0, 3.1, 600),
            ]
        )
    },
}


@pytest.mark.parametrize("name", TORCHVISION)
def test_the_networks_of_torchvision(name: str) -> None:
    models = pytest.importorskip("torchvision.models")
    make, values = TORCHVISION[name]
    arch = make().architecture(values)
    built = getattr(models, name)()
    side = values.get("resolution", 224)
    assert counted(built) == (arch.params, arch.trainable_params)
    assert real.macs(built, 3, side, side) == arch.macs


def test_random_densenets_of_torchvision() -> None:
    models = pytest.importorskip("torchvision.models")
    space = spaces.densenet(resolution=RESOLUTIONS)
    for drawn in space.sample(10, seed=0):
        growth = drawn["growth_1"]
        arch = space.architecture({**drawn, **stages("growth", 4 * (growth,))})
        depths = [arch[f"depth_{block}"] for block in (1, 2, 3, 4)]
        built = models.DenseNet(growth, depths, num_init_features=2 * growth)
        assert counted(built) == (arch.params, arch.trainable_params), dict(arch)
        assert real.macs(built, 3, arch["resolution"], arch["resolution"]) == arch.macs, dict(arch)


def test_random_networks_of_the_other_data_sets_of_nas_bench_201() -> None:
    space = spaces.nas_bench_201(num_classes=120, image_size=16)
    for arch in space.sample(20, seed=0):
        built = real.nas_bench_201(arch, lambda _, __, name, width: real.operation(name, width, width), classes=120)
        assert counted(built) == (arch.params, arch.trainable_params), dict(arch)
        assert real.macs(built, 3, 16, 16) == arch.macs, dict(arch)


def test_random_networks_of_nats_bench_for_another_data_set() -> None:
    space = spaces.nats_bench_size(num_classes=100, image_size=64)
    for arch in space.sample(20, seed=0):
        built = real.nats_bench_size(arch, classes=100)
        assert counted(built) == (arch.params, arch.trainable_params), dict(arch)
        assert real.macs(built, 3, 64, 64) == arch.macs, dict(arch)
