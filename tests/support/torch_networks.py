"""A network in PyTorch with the weights of the same network in Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import archbudget as ab
from archbudget.export.torch import Weights, build
from archbudget.export.torch._module import Network
from support.network_inputs import inputs_of


class KerasWeights(Weights):
    """The weights of a Keras model, each handed out once."""

    def __init__(self, model: Any) -> None:
        self.left = [(layer.name, weight.path, weight) for layer in model.layers for weight in layer.weights]

    def value(self, layer: Any, name: str, shape: tuple[int, ...], *_: Any) -> torch.Tensor:
        own = [weight for owner, path, weight in self.left if owner == layer.name and path.endswith(f"/{name}")]
        # Weights of several layers inside of one are handed out in order.
        assert len(own) == 1 or (own and layer.held), (layer.name, name, self.left)
        weight = own[0]
        # Those of a layer that is used inside of others, too, are weights of several layers.
        self.left = [each for each in self.left if each[2] is not weight]
        assert tuple(weight.shape) == tuple(shape), (layer.name, name, weight.shape, shape)
        return torch.tensor(np.array(weight))


def twins(arch: ab.Architecture, rng: np.random.Generator) -> tuple[Any, Network]:
    """A network in Keras and in PyTorch, with the same random weights, both at inference."""
    model = arch.to_keras()
    for layer in model.layers:
        for weight in layer.weights:
            if weight.name not in ("count", "seed_generator_state"):
                drawn = rng.normal(0, 0.5, weight.shape)
                weight.assign(abs(drawn) + 0.1 if "variance" in weight.name else drawn)
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    weights = KerasWeights(model)
    network = build(arch.network, weights)
    assert {path.split("/")[-1] for _, path, _ in weights.left} <= {"count", "seed_generator_state"}, weights.left
    return model, network.eval()


def counts(network: torch.nn.Module) -> dict[str, int]:
    """What the parameters and the buffers of a module come to."""
    parameters = list(network.parameters())
    values = {
        id(value): value for name, value in network.state_dict(keep_vars=True).items() if "num_batches" not in name
    }
    state = sum(value.numel() for value in values.values())
    return {"params": state, "trainable_params": sum(each.numel() for each in parameters if each.requires_grad)}


def assert_same(arch: ab.Architecture, seed: int = 0, tolerance: float = 2e-4) -> Network:
    """Counts, shapes and outputs in PyTorch are those of archbudget and of Keras."""
    rng = np.random.default_rng(seed)
    model, network = twins(arch, rng)
    assert counts(network) == {"params": arch.params, "trainable_params": arch.trainable_params}
    inputs = inputs_of(arch, rng)
    expected = model(inputs[0] if len(inputs) == 1 else inputs, training=False)
    with torch.no_grad():
        found = network(*[torch.tensor(each) for each in inputs])
    several = isinstance(found, tuple)
    shapes = {
        tensor: shape for each in arch.layers for tensor, shape in zip(each.outputs, each.output_shapes, strict=True)
    }
    for source, target in arch._trace.aliases:
        shapes[target] = shapes[source]
    for real, own, number in zip(
        expected if several else [expected], found if several else [found], arch.space._compiled.outputs, strict=True
    ):
        assert tuple(own.shape) == (2, *shapes[number])
        np.testing.assert_allclose(own.numpy(), np.asarray(real), rtol=tolerance, atol=tolerance)
    return network
