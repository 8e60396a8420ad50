"""Networks of torchvision, written down with PyTorch's options, against torchvision's own."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
models = pytest.importorskip("torchvision.models")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from support.torch_networks import counts  # noqa: E402
from support.torchvision_networks import CLASSES, NETWORKS, network  # noqa: E402

pytestmark = pytest.mark.torch

WITHOUT: dict[str, dict[str, Any]] = {
    "googlenet": {"aux_logits": False, "init_weights": False},
    "inception_v3": {"aux_logits": False, "init_weights": False},
}
"""What is left out of networks: what only training needs."""


def theirs(name: str) -> Any:
    """The network of torchvision at inference, with random weights and statistics."""
    model = models.get_model(name, num_classes=CLASSES, **WITHOUT.get(name, {})).eval()
    torch.manual_seed(0)
    with torch.no_grad():
        for key, value in model.state_dict().items():
            if value.dim() > 1:
                value.normal_(0, (2 / value[0].numel()) ** 0.5)
            elif value.dim() == 1:
                value.uniform_(0.5, 1.5) if key.endswith(("weight", "var")) else value.normal_(0, 0.1)
    return model


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_torchvision_is_written_down(name: str) -> None:
    sides = (75, 90) if name == "inception_v3" else (67, 74)
    arch = network(name, *sides)
    model = theirs(name)
    x = torch.randn(2, 3, *sides)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        expected = model(x)
    assert counts(model) == {"params": arch.params, "trainable_params": arch.trainable_params}
    assert counter.get_total_flops() == 2 * len(x) * arch.macs

    with torch.device("meta"):
        made = arch.to_torch().eval()
    state = model.state_dict()
    assert [value.shape for value in made.state_dict().values()] == [value.shape for value in state.values()]
    made.load_state_dict(dict(zip(made.state_dict(), state.values(), strict=True)), assign=True)
    with torch.no_grad():
        found = made(x)
    assert found.shape == (2, CLASSES)
    assert expected.std() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
