"""The layer in PyTorch."""

from __future__ import annotations

import torch
from torch import nn

from archbudget.spaces._relative_attention._tables import lookups, table_rows


class RelativeAttention(nn.Module):
    """From (batch, tokens, features) to the same shape."""

    def __init__(self, features: int, num_heads: int, head_dim: int, max_distance: int) -> None:
        super().__init__()
        self.features, self.num_heads, self.head_dim, self.max_distance = features, num_heads, head_dim, max_distance
        self.qkv = nn.Linear(features, 3 * num_heads * head_dim)
        self.proj = nn.Linear(num_heads * head_dim, features)
        for linear in (self.qkv, self.proj):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
        for name in ("key_rows", "key_columns", "value_rows", "value_columns"):
            table = nn.Parameter(torch.empty(table_rows(max_distance), head_dim))
            self.register_parameter(name, nn.init.trunc_normal_(table, std=0.02))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The tokens after attention."""
        tokens = x.shape[1]
        query, key, value = self.qkv(x).unflatten(-1, (3, self.num_heads, self.head_dim)).unbind(2)
        rows, columns = (torch.from_numpy(each).to(x.device) for each in lookups(tokens, self.max_distance))
        far_keys = self.key_rows[rows] + self.key_columns[columns]
        far_values = self.value_rows[rows] + self.value_columns[columns]
        scores = torch.einsum("bqhd,bkhd->bhqk", query, key) + torch.einsum("bqhd,qkd->bhqk", query, far_keys)
        weights = (scores * self.head_dim**-0.5).softmax(-1)
        seen = torch.einsum("bhqk,bkhd->bqhd", weights, value) + torch.einsum("bhqk,qkd->bqhd", weights, far_values)
        output: torch.Tensor = self.proj(seen.flatten(-2))
        return output

    def extra_repr(self) -> str:
        """The configuration, for `repr`."""
        return f"num_heads={self.num_heads}, head_dim={self.head_dim}, max_distance={self.max_distance}"
