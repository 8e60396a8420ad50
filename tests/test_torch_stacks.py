"""Random stacks of modules of `torch.nn`, and the modules of torchvision's networks, against archbudget."""

from __future__ import annotations

import inspect
import os
from random import Random
from typing import Any

import pytest

import archbudget as ab
from archbudget import layers
from archbudget.errors import ArchbudgetError
from pytorch_layers import REFUSALS

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from torch_modules import layers_of, random_module  # noqa: E402

pytestmark = pytest.mark.torch

STACKS = int(os.environ.get("PYTORCH_STACKS", "150"))
"""How many stacks are drawn."""
LARGEST = 20_000
"""The most values of a tensor between two modules."""

Totals = tuple[tuple[int, ...], int, int, int]


def measured(module: Any, shape: tuple[int, ...]) -> Totals | None:
    """Output shape, weights, trained weights and multiply-accumulates by PyTorch; `None` where it refuses the input."""
    words = isinstance(module, (nn.Embedding, nn.EmbeddingBag))
    try:
        with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
            # A batch of one has no statistics.
            x = torch.zeros(2, *shape, dtype=torch.long if words else None)
            # In training there is no normalising single values, of which the statistics may be known.
            module.train(not isinstance(module, nn.modules.instancenorm._InstanceNorm))
            found = module(x, x, x) if isinstance(module, nn.MultiheadAttention) else module(x)
    except REFUSALS:
        return None
    found = found[0] if isinstance(found, tuple) else found
    trained = sum(weight.numel() for weight in module.parameters())
    moving = sum(value.numel() for name, value in module.named_buffers() if not name.endswith("num_batches_tracked"))
    assert counter.get_total_flops() % 4 == 0
    return tuple(found.shape[1:]), trained + moving, trained, counter.get_total_flops() // 4


def counted(shape: tuple[int, ...], row: list[layers.Layer]) -> Totals | None:
    """The same by archbudget."""
    try:
        arch = ab.Space([layers.Input(shape), *row]).architecture()
    except ArchbudgetError:
        return None
    return arch.layers[-1].output_shape, arch.params, arch.trainable_params, arch.macs


def drawn(rng: Random, shape: tuple[int, ...]) -> Any:
    """A module with arguments that PyTorch takes."""
    while True:
        try:
            with torch.device("meta"):
                return random_module(rng, shape)
        except REFUSALS:
            continue


def test_random_stacks_are_counted_or_refused_as_by_pytorch() -> None:
    rng = Random("stacks")
    refused = modules = 0
    for _ in range(STACKS):
        axes = rng.randint(0, 3)
        shape = first = (rng.randint(1, 8), *(rng.randint(1, 9) for _ in range(axes)))
        row: list[layers.Layer] = []
        total = [0, 0, 0]
        for _ in range(rng.randint(1, 12)):
            module = drawn(rng, shape)
            own = layers_of(module, shape)
            expected = measured(module, shape)
            if expected is not None and 0 in expected[0]:
                expected = None  # Refused wherever there are values.
            assert counted(shape, own) == expected, (module, shape)
            if expected is None or torch.Size(expected[0]).numel() > LARGEST:
                refused += 1
                continue
            shape, *cost = expected
            total = [before + more for before, more in zip(total, cost, strict=True)]
            row += own
            modules += 1
        if row:
            assert counted(first, row) == (shape, *total)
    assert modules > 3 * STACKS
    assert refused > STACKS / 5


NETWORKS = [
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_v2_s", "googlenet", "inception_v3", "maxvit_t"),
    *("mnasnet0_5", "mobilenet_v3_large", "resnet50", "shufflenet_v2_x1_0", "squeezenet1_0"),
    *("swin_v2_t", "vgg11", "vit_b_16", "wide_resnet50_2", "deeplabv3_resnet50", "fcn_resnet50", "r2plus1d_18"),
    *("lraspp_mobilenet_v3_large", "mc3_18", "s3d", "swin3d_t", "raft_small"),
]
"""Networks of torchvision, one of each family."""


@pytest.mark.parametrize("name", NETWORKS)
def test_each_module_of_a_network_of_torchvision_is_counted(name: str) -> None:
    models = pytest.importorskip("torchvision.models")
    builder = models.get_model_builder(name)
    backbone = {"weights_backbone": None} if "weights_backbone" in inspect.signature(builder).parameters else {}
    with torch.device("meta"):
        network = builder(weights=None, **backbone).eval()
    seen: dict[str, tuple[Any, tuple[int, ...]]] = {}

    def remember(module: Any, inputs: tuple[Any, ...], output: Any) -> None:
        del output
        shape = tuple(inputs[0].shape[1:])
        seen.setdefault(f"{module} {shape}", (module, shape))

    for module in network.modules():
        if not any(True for _ in module.children()) or isinstance(module, nn.MultiheadAttention):
            module.register_forward_hook(remember)
    video = name in ("mc3_18", "r2plus1d_18", "s3d", "swin3d_t")
    shapes = [(3, 16, 224, 224)] if video else [(3, 128, 128)] * 2 if name == "raft_small" else [(3, 224, 224)]
    with torch.device("meta"), torch.no_grad():
        network(*(torch.zeros(2, *shape) for shape in shapes))
    assert len(seen) > 5
    for module, shape in seen.values():
        if type(module).__module__.startswith("torchvision"):
            continue  # A permutation, or a depth that is random.
        assert counted(shape, layers_of(module, shape)) == measured(module, shape), (module, shape)
