"""Random stacks of modules of `torch.nn`, and the modules of torchvision's networks, against archbudget."""

from __future__ import annotations

import inspect
import os
from random import Random
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from support.torch_modules import check_stack, counted, layers_of, measured  # noqa: E402

pytestmark = pytest.mark.torch

STACKS = int(os.environ.get("PYTORCH_STACKS", "150"))
"""How many stacks are drawn."""


def test_random_stacks_are_counted_or_refused_as_by_pytorch() -> None:
    rng = Random("stacks")
    modules = refused = 0
    for _ in range(STACKS):
        more, less = check_stack(rng)
        modules += more
        refused += less
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
    compared = 0
    for module, shape in seen.values():
        if type(module).__module__.startswith("torchvision"):
            continue  # A permutation, or a depth that is random.
        assert counted(shape, layers_of(module, shape)) == measured(module, shape), (module, shape)
        compared += 1
    assert len(seen) > 5
    assert compared > 5
