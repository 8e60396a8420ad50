"""Layers that make one tensor of several."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch users write it
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archbudget.export.torch._given import Given


class Merge(nn.Module):
    """Its inputs combined value by value; axes that some of them lack are added behind the batch."""

    def merged(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        """Inputs with equally many axes, combined."""
        raise NotImplementedError

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        rank = max(x.dim() for x in inputs)
        return self.merged([x.reshape(x.shape[:1] + (1,) * (rank - x.dim()) + x.shape[1:]) for x in inputs])


class Add(Merge):
    """The sum of its inputs."""

    def merged(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        return reduce(torch.add, inputs)


class Subtract(Merge):
    """Its first input less the second."""

    def merged(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        return reduce(torch.sub, inputs)


class Multiply(Merge):
    """The product of its inputs."""

    def merged(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        return reduce(torch.mul, inputs)


class Average(Merge):
    """The mean of its inputs."""

    def merged(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        return reduce(torch.add, inputs) / len(inputs)


class Maximum(Merge):
    """The largest of its inputs."""

    def merged(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        return reduce(torch.maximum, inputs)


class Minimum(Merge):
    """The smallest of its inputs."""

    def merged(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        return reduce(torch.minimum, inputs)


class Concatenate(nn.Module):
    """Its inputs side by side."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return torch.cat(inputs, self.axis)

    def extra_repr(self) -> str:
        return f"{self.axis}"


class Dot(nn.Module):
    """The product of two inputs along an axis of each."""

    def __init__(self, axes: tuple[int, int], normalize: bool) -> None:
        super().__init__()
        self.axes = axes
        self.normalize = normalize

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        if self.normalize:
            first, second = (F.normalize(x, dim=axis) for x, axis in zip((first, second), self.axes, strict=True))
        # Rows and columns of a matrix product, the other axes of each in one.
        rows, columns = first.movedim(self.axes[0], -1), second.movedim(self.axes[1], 1)
        product = rows.flatten(1, -2) if rows.dim() > 2 else rows.unsqueeze(1)
        product = product @ (columns.flatten(2) if columns.dim() > 2 else columns.unsqueeze(2))
        shape = [*rows.shape[1:-1], *columns.shape[2:]] or [1]
        return product.reshape(-1, *shape)

    def extra_repr(self) -> str:
        return f"{self.axes}, normalize={self.normalize}"


BUILDERS: dict[str, Callable[[Given], nn.Module]] = {
    "Add": lambda _: Add(),
    "Average": lambda _: Average(),
    "Concatenate": lambda given: Concatenate(given["axis"]),
    "Dot": lambda given: Dot(given["axes"], given["normalize"]),
    "Maximum": lambda _: Maximum(),
    "Minimum": lambda _: Minimum(),
    "Multiply": lambda _: Multiply(),
    "Subtract": lambda _: Subtract(),
}
