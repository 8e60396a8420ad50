"""Files of ONNX, written by the frameworks that have exporters: PyTorch, or else Keras."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from archbudget._atomic import atomic
from archbudget._extras import imported
from archbudget._message import one_line
from archbudget.errors import ArchbudgetError, FileError, MissingPackageError, SpaceError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path

    from archbudget.network import Network

WHAT = "to_onnx"


def write(network: Network, target: str | os.PathLike[str]) -> None:
    """Writes the model of a network into a file of ONNX, which appears when it is whole and checked.

    Raises:
        MissingPackageError: If neither PyTorch nor Keras is installed, or what their exporters need.
        SpaceError: If neither of them can export the network, with the reason of each.
        FileError: If the file cannot be written.
    """
    onnx = imported("onnx", WHAT)
    imported("onnxscript", WHAT)
    reasons = []
    missing: list[MissingPackageError] = []
    with atomic(target) as part:
        for name, export in (("PyTorch", _from_torch), ("Keras", _from_keras)):
            try:
                with _quiet():
                    export(network, part)
                    onnx.checker.check_model(str(part))
            except FileError:
                raise
            except MissingPackageError as error:
                missing.append(error)
                reasons.append(f"{name}: {one_line(error)}")
            except ArchbudgetError as error:
                reasons.append(f"{name}: {one_line(error)}")
            except Exception as error:
                # Exporters fail with errors of many types, whose first lines say why.
                reasons.append(f"{name}: {type(error).__name__}: {str(error).strip().partition(chr(10))[0]}")
            else:
                return
        if len(missing) == len(reasons):
            raise missing[0]
        raise SpaceError(f"no framework writes this network as ONNX: {'; '.join(reasons)}")


def _from_torch(network: Network, part: Path) -> None:
    """Writes what PyTorch exports of its module, with batches of any size."""
    torch = imported("torch", WHAT)
    from archbudget.export.torch import build

    module = build(network).eval()
    inputs = [call for call in network.calls if call.layer.kind == "Input"]
    looked_up = {tensor for call in network.calls if "input_dim" in call.args for tensor in call.inputs}
    zeros = []
    for call in inputs:
        said = getattr(call.layer, "dtype", None)
        kind = said or ("int64" if call.outputs[0] in looked_up else "float32")
        zeros.append(torch.zeros(2, *call.record.output_shape, dtype=getattr(torch, kind)))
    batch = torch.export.Dim("batch", min=1)
    several = len(network.outputs) > 1
    torch.onnx.export(
        module,
        tuple(zeros),
        str(part),
        dynamo=True,
        external_data=False,
        dynamic_shapes={"inputs": tuple({0: batch} for _ in zeros)},
        input_names=[call.name for call in inputs],
        output_names=[f"output_{number}" if several else "output" for number in range(1, len(network.outputs) + 1)],
        verbose=False,
    )


def _from_keras(network: Network, part: Path) -> None:
    """Writes what Keras exports of its model, which needs the backend of TensorFlow, JAX or PyTorch."""
    from archbudget.export.keras import build

    model: Any = build(network)
    model.export(str(part), format="onnx", verbose=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings of exporters, which are about their own registries and plans."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
