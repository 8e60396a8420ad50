"""Activations, as layers and as arguments of layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch users write it
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

    from archbudget.export.torch._given import Given


class Exponential(nn.Module):
    """`exp(x)`."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.exp()


class Squareplus(nn.Module):
    """A smooth ReLU without an exponential."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x + torch.sqrt(x * x + 4)) / 2


class SparsePlus(nn.Module):
    """A smooth ReLU that is 0 below -1."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.where(x < 1, (x.clamp(min=-1) + 1) ** 2 / 4, x)


class SparseSigmoid(nn.Module):
    """A line from 0 at -1 to 1 at 1."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return ((x + 1) / 2).clamp(0, 1)


class Sparsemax(nn.Module):
    """The point of the simplex that is nearest to the values along the last axis.

    So it is defined, in Keras' documentation too. What Keras 3.15 computes is less where more than one value is kept.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ordered = x.sort(dim=-1, descending=True).values
        count = torch.arange(1, x.shape[-1] + 1, device=x.device, dtype=x.dtype)
        above = ordered.cumsum(-1) - 1
        kept = (count * ordered > above).sum(-1, keepdim=True)
        return (x - above.gather(-1, kept - 1) / kept).clamp(min=0)


class AnyReLU(nn.Module):
    """Keras' ReLU with all of its variants."""

    def __init__(self, max_value: float | None, negative_slope: float, threshold: float) -> None:
        super().__init__()
        self.max_value = max_value
        self.negative_slope = negative_slope
        self.threshold = threshold

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        above = torch.where(x > self.threshold, x, 0).clamp(0, self.max_value)
        return above - self.negative_slope * F.relu(self.threshold - x)

    def extra_repr(self) -> str:
        return f"max_value={self.max_value}, negative_slope={self.negative_slope}, threshold={self.threshold}"


class SoftmaxOver(nn.Module):
    """The softmax over several axes at once, over the values that a mask says are there."""

    def __init__(self, axes: tuple[int, ...]) -> None:
        super().__init__()
        self.axes = axes

    @staticmethod
    def there(mask: torch.Tensor) -> torch.Tensor:
        """What a mask says is there; in Keras it is what is larger than one half."""
        return mask if mask.dtype == torch.bool else mask > 0.5

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        if mask is not None:
            # A very negative number, as in Keras, makes no NaN where nothing is there.
            x = torch.where(mask, x, torch.finfo(x.dtype).min / 2)
        made = (x - x.logsumexp(self.axes, keepdim=True)).exp()
        return made if mask is None else torch.where(mask, made, 0)

    def extra_repr(self) -> str:
        return f"{self.axes}"


class PReLU(nn.Module):
    """`max(x, weight * x)` with a weight for each value, or for all along some axes.

    The one of PyTorch knows weights for each channel only.
    """

    def __init__(self, weight: nn.Parameter) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x) - self.weight * F.relu(-x)

    def extra_repr(self) -> str:
        return f"{tuple(self.weight.shape)}"


FUNCTIONS: dict[str, Callable[[], Any]] = {
    "celu": nn.CELU,
    "elu": nn.ELU,
    "exponential": Exponential,
    "gelu": nn.GELU,
    "hard_shrink": nn.Hardshrink,
    "hard_sigmoid": nn.Hardsigmoid,
    "hard_silu": nn.Hardswish,
    "hard_swish": nn.Hardswish,
    "hard_tanh": nn.Hardtanh,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
    "linear": nn.Identity,
    "log_sigmoid": nn.LogSigmoid,
    "log_softmax": lambda: nn.LogSoftmax(-1),
    "mish": nn.Mish,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "soft_shrink": nn.Softshrink,
    "softmax": lambda: nn.Softmax(-1),
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "sparse_plus": SparsePlus,
    "sparse_sigmoid": SparseSigmoid,
    "sparsemax": Sparsemax,
    "squareplus": Squareplus,
    "swish": nn.SiLU,
    "tanh": nn.Tanh,
    "tanh_shrink": nn.Tanhshrink,
}
"""Keras' activations by name, with Keras' defaults."""


def activation(given: Given, argument: str = "activation") -> nn.Module | None:
    """The module of an activation; `None` for the linear one."""
    told = given[argument]
    name = told
    if callable(told) and str(getattr(told, "__module__", "")).startswith("keras."):
        name = getattr(told, "__name__", None)
    if name is None or name == "linear":
        return None
    if name == "glu":
        raise given.refusal(argument, "it halves an axis, which is not counted; use layers.GLU")
    if not isinstance(name, str) or name not in FUNCTIONS:
        raise given.refusal(argument, f"the activations are {', '.join(FUNCTIONS)}")
    module: nn.Module = FUNCTIONS[name]()
    return module


def _activation(given: Given) -> nn.Module:
    return activation(given) or nn.Identity()


def _relu(given: Given) -> nn.Module:
    most, slope, threshold = given["max_value"], given["negative_slope"], given["threshold"]
    if threshold == 0 and most is None:
        return nn.LeakyReLU(slope) if slope else nn.ReLU()
    if threshold == 0 and slope == 0 and most > 0:
        return nn.ReLU6() if most == 6 else nn.Hardtanh(0.0, float(most))
    return AnyReLU(most, slope, threshold)


def _softmax(given: Given) -> nn.Module:
    axes = given["axis"]
    return nn.Softmax(axes[0]) if len(axes) == 1 and not given.masked else SoftmaxOver(axes)


def _prelu(given: Given) -> nn.Module:
    shape = list(given.inputs[0])
    for axis in given["shared_axes"]:
        if axis is not None:
            shape[axis - 1] = 1
    return PReLU(given.parameter("alpha", "alpha_initializer", tuple(shape)))


BUILDERS: dict[str, Callable[[Given], nn.Module]] = {
    "Activation": _activation,
    "GLU": lambda given: nn.GLU(given["axis"]),
    "ELU": lambda given: nn.ELU(given["alpha"]),
    "LeakyReLU": lambda given: nn.LeakyReLU(given["negative_slope"]),
    "PReLU": _prelu,
    "ReLU": _relu,
    "Softmax": _softmax,
}
