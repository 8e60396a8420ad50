"""Networks of torchvision and of Keras, and the files of ONNX that PyTorch's exporters write of them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import archbudget as ab

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from archbudget import Architecture

EXPORTERS = ("torchscript", "dynamo")
"""The exporters of PyTorch: of what a run traces, and of what `torch.export` follows."""


def networks(zoo: str) -> list[str]:
    """The names of the networks of a zoo: of torchvision's classification, or of keras.applications."""
    if zoo == "torchvision":
        from torchvision import models

        return models.list_models(module=models)
    import keras

    # Keras has no NASNet on PyTorch.
    return [name for name in dir(keras.applications) if name[0].isupper() and not name.startswith("NASNet")]


def network(zoo: str, name: str) -> tuple[Architecture, Callable[[str, Path], None]]:
    """A network of a zoo as archbudget reads it, and what exports it.

    Its weights have random values, as exporters join those that are equal.
    """
    import torch

    if zoo == "torchvision":
        from torchvision import models

        side = 299 if name == "inception_v3" else 518 if name == "vit_h_14" else 224
        shape: tuple[int, ...] = (3, side, side)
        module = models.get_model(name, **({"init_weights": False} if name in ("googlenet", "inception_v3") else {}))
        module = module.eval()
        arch = ab.from_torch(module, shape).architecture()
    else:
        import keras

        side = 331 if name == "NASNetLarge" else 224
        shape = (side, side, 3)
        keras.backend.clear_session()
        module = getattr(keras.applications, name)(weights=None, input_shape=shape).eval()
        arch = ab.from_keras(module).architecture()
    with torch.no_grad():
        for value in module.state_dict().values():
            if value.is_floating_point():
                value.uniform_(0.5, 1.5)

    def export(exporter: str, file: Path) -> None:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            example = (torch.zeros(1, *shape),)
            if exporter == "dynamo":
                torch.onnx.export(module, example, file, dynamo=True, optimize=False, verbose=False)
            else:
                kept = torch.onnx.TrainingMode.PRESERVE  # Otherwise normalisations become a part of convolutions.
                torch.onnx.export(
                    module, example, file, dynamo=False, training=kept, do_constant_folding=False, opset_version=17
                )

    return arch, export


def differences(original: Architecture, file: Path) -> tuple[Architecture, list[str]]:
    """A file as archbudget reads it, and in what it differs from the original.

    Where normalisation is written as sums and products, as that of Keras is, a file does not tell what is trained. The
    mean and the variance of a `Normalization`, and its count of samples, are constants, which may be initialisers.
    """
    arch = ab.from_onnx(file).architecture()
    kinds = {layer.type for layer in original.layers}
    constants = 7 if "Normalization" in kinds else 0
    found = []
    if abs(arch.params - original.params) > constants:
        found.append(f"{arch.params:,} parameters, not {original.params:,}")
    kept = any(layer.type == "BatchNormalization" for layer in arch.layers)
    if kept and arch.trainable_params != original.trainable_params:
        found.append(f"{arch.trainable_params:,} trained parameters, not {original.trainable_params:,}")
    if arch.macs != original.macs:
        found.append(f"{arch.macs:,} MACs, not {original.macs:,}")
    return arch, found
