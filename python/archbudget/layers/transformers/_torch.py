"""The layers in PyTorch; each is made for the shape of its input, without the batch."""

from __future__ import annotations

import torch
from torch import nn


class PositionEmbedding(nn.Module):
    """From (batch, tokens, features) to the embeddings of the positions, in the same shape."""

    def __init__(self, input_shape: tuple[int, ...], sequence_length: int) -> None:
        super().__init__()
        table = nn.Parameter(torch.empty(sequence_length, input_shape[-1]))
        self.position_embeddings = nn.init.xavier_uniform_(table)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The first rows of the table, for each input."""
        return self.position_embeddings[: x.shape[1]].expand_as(x)


class ClassToken(nn.Module):
    """From (batch, tokens, features) to (batch, 1 + tokens, features)."""

    def __init__(self, input_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, input_shape[-1]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The token, and the input behind it."""
        return torch.cat([self.token.expand(x.shape[0], 1, -1), x], dim=1)


class LayerScale(nn.Module):
    """From any shape to the same one."""

    def __init__(self, input_shape: tuple[int, ...], init_values: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((input_shape[-1],), float(init_values)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The input by the factors."""
        return x * self.gamma


class Bias(nn.Module):
    """From any shape to the same one."""

    def __init__(self, input_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(input_shape[-1]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The input and the numbers."""
        return x + self.bias


class DropPath(nn.Module):
    """From any shape to the same one."""

    def __init__(self, input_shape: tuple[int, ...], rate: float) -> None:
        super().__init__()
        del input_shape
        self.rate = rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The input; while training without that of some images, and the others scaled to the same mean."""
        if not self.training or not self.rate:
            return x
        kept = torch.rand((x.shape[0], *(1 for _ in x.shape[1:])), device=x.device) >= self.rate
        return x * kept.to(x.dtype) / (1 - self.rate)
