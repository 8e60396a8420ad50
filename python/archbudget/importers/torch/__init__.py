"""Modules of PyTorch as spaces without decisions."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

from archbudget._extras import imported
from archbudget._guard import guarded
from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.importers._refusals import require_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archbudget.space.space import Space

__all__ = ["from_torch"]

MOST_VALUES = 1 << 30
"""The most values of an input; the memory for them is asked for, and not used."""


@guarded
def from_torch(module: Any, inputs: Any, strict: bool = True) -> Space:
    """A module of PyTorch as a space without decisions.

    `torch.export` follows the module at inference, with tensors that hold no values. Where it cannot, or what it gives
    is not made of operations alone, the module is run once without values, and if it looks at them, such as a mixture
    of experts, on the first of the examples: then what these lead to is counted. Afterwards it is what it was. It takes
    about as long as the export, seconds for a network of hundreds of layers.

    Layers have the paths of their modules; operations outside of modules are layers, too, named by the module that
    calls them. `trainable_params` are the parameters that need gradients, each object once; those that do not, and the
    buffers of floating-point numbers that are saved with the module (moving statistics), are the others. Together they
    are the floating-point numbers of its state dict, and have the bits of their types.

    Args:
        module: A `torch.nn.Module`.
        inputs: The shape of the input without the batch, `(3, 224, 224)`; a list of shapes for several inputs; or
            tensors as examples with the batch, one or a list, or a dict for keywords. A shape stands for numbers of
            the type of the parameters, or for integers where the module does not take such.
        strict: Whether operations are refused whose multiply-accumulates are not known. If not, they keep their weights
            and shapes; MACs and peak activations of the space are unknown then.

    Raises:
        TranslationError: If operations of the module are not known, with the names and types of all of them.
        SpaceError: If the module cannot be followed, or the inputs are none.
        MissingPackageError: If PyTorch is not installed.

    Example:
        >>> import archbudget as ab
        >>> import torch  # doctest: +SKIP
        >>> module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU())  # doctest: +SKIP
        >>> ab.from_torch(module, (3, 32, 32)).architecture().params  # doctest: +SKIP
        224
    """
    torch = imported("torch", "from_torch")
    if not isinstance(module, torch.nn.Module):
        raise SpaceError(f"from_torch reads a torch.nn.Module, not {show(module)}")
    if not isinstance(strict, bool):
        raise SpaceError(f"strict must be True or False, not {show(strict)}")
    from archbudget.importers.torch._trace import at_inference, trace
    from archbudget.importers.torch._translate import Translator, require_plain_state

    require_plain_state(module)
    attempts, examples = _arguments(torch, module, inputs)
    with at_inference(module):
        return Translator(module, trace(module, attempts, examples), strict=strict).space()


def _arguments(torch: Any, module: Any, given: Any) -> tuple[list[Any], bool]:
    """What makes the arguments of the call, in several ways if the type of the inputs is not known.

    Behind it stands whether they are examples with values.
    """
    some = next(iter([*module.parameters(), *module.buffers()]), None)
    device = torch.device("cpu") if some is None else some.device
    real = next((each.dtype for each in module.parameters() if each.is_floating_point()), torch.float32)
    if isinstance(given, dict):
        named = {name: _tensor(torch, each) for name, each in given.items()}
        sizes = {len(each) for each in named.values()}
        _require_one_batch(sizes)
        return [lambda: ((), {name: each[:1] for name, each in named.items()})], True
    several = _several(torch, given)
    if all(isinstance(each, torch.Tensor) for each in several):
        examples = [_tensor(torch, each) for each in several]
        _require_one_batch({len(each) for each in examples})
        return [lambda: (tuple(each[:1] for each in examples), {})], True
    shapes = [_shape(torch, each) for each in several]

    if any(prod(shape) > MOST_VALUES for shape in shapes):
        raise SpaceError(f"an input has at most {MOST_VALUES:,} values, not the shape {show(given)}")

    def made(kind: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return tuple(torch.empty((1, *shape), dtype=kind, device=device) for shape in shapes), {}

    return [partial(made, real), partial(made, torch.long)], False


def _several(torch: Any, given: Any) -> Sequence[Any]:
    """The inputs as a list: one shape is a list of one."""
    if isinstance(given, torch.Tensor):
        return [given]
    if isinstance(given, torch.Size) or not isinstance(given, (list, tuple)) or not given:
        return [given]
    if all(isinstance(each, int) for each in given):
        return [given]
    return given


def _shape(torch: Any, given: Any) -> tuple[int, ...]:
    if not isinstance(given, (list, tuple, torch.Size)):
        raise SpaceError(
            f"inputs are a shape such as (3, 224, 224), a list of shapes, or tensors with the batch, not {show(given)}"
        )
    return tuple(require_side(side, "a side of an input") for side in given)


def _tensor(torch: Any, given: Any) -> Any:
    if not isinstance(given, torch.Tensor) or given.dim() == 0 or given.shape[0] == 0:
        raise SpaceError(f"examples are tensors whose first axis is the batch, not {show(type(given).__name__)}")
    return given


def _require_one_batch(sizes: set[int]) -> None:
    if len(sizes) != 1:
        raise SpaceError(f"the first axis of each example is the batch, but they have {sorted(sizes)} places there")
