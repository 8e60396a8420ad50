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


def _rotated(x: torch.Tensor) -> torch.Tensor:
    """Heads of (batch, heads, tokens, size), each pair of features turned by an angle of its position."""
    tokens, size = x.shape[-2:]
    exponents = torch.arange(0, size, 2, dtype=torch.float32, device=x.device) / size
    angles = torch.arange(tokens, dtype=torch.float32, device=x.device)[:, None] * 10_000.0**-exponents
    angles = torch.cat([angles, angles], dim=-1)
    half = size // 2
    return x * angles.cos() + torch.cat([-x[..., half:], x[..., :half]], dim=-1) * angles.sin()


def _attended(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, window: int | None = None) -> torch.Tensor:
    """Causal attention of heads (batch, heads, tokens, size), as (batch, tokens, heads * size)."""
    places = torch.arange(query.shape[-2], device=query.device)
    behind = places[:, None] - places[None]
    seen = (behind >= 0) & (behind < (len(places) if window is None else window))
    heads = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
    return heads.transpose(1, 2).flatten(2)


def _heads(x: torch.Tensor, number: int) -> torch.Tensor:
    """From (batch, tokens, number * size) to (batch, number, tokens, size)."""
    return x.unflatten(-1, (number, -1)).transpose(1, 2)


class SelfAttention(nn.Module):
    """From (batch, tokens, features) to the same shape: causal attention with shared heads of keys and values."""

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_heads: int,
        num_key_value_heads: int | None = None,
        head_dim: int | None = None,
        query_bias: bool = False,
        output_bias: bool = False,
        head_norms: bool = False,
        rotary: bool = True,
        sliding_window: int | None = None,
    ) -> None:
        super().__init__()
        features = input_shape[-1]
        size = head_dim or features // num_heads
        self.heads, self.shared = num_heads, num_key_value_heads or num_heads
        self.rotary, self.window = rotary, sliding_window
        self.q = nn.Linear(features, num_heads * size, bias=query_bias)
        self.k = nn.Linear(features, self.shared * size, bias=query_bias)
        self.v = nn.Linear(features, self.shared * size, bias=query_bias)
        self.o = nn.Linear(num_heads * size, features, bias=output_bias)
        self.q_norm = nn.RMSNorm(size, eps=1e-6) if head_norms else nn.Identity()
        self.k_norm = nn.RMSNorm(size, eps=1e-6) if head_norms else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Attends to what stands before each position."""
        query = self.q_norm(_heads(self.q(x), self.heads))
        key, value = self.k_norm(_heads(self.k(x), self.shared)), _heads(self.v(x), self.shared)
        if self.rotary:
            query, key = _rotated(query), _rotated(key)
        times = self.heads // self.shared
        key, value = key.repeat_interleave(times, dim=1), value.repeat_interleave(times, dim=1)
        return self.o(_attended(query, key, value, self.window))


class LatentAttention(nn.Module):
    """From (batch, tokens, features) to the same shape: attention whose keys and values are made of few features."""

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_heads: int,
        kv_lora_rank: int,
        qk_nope_head_dim: int,
        qk_rope_head_dim: int,
        v_head_dim: int,
        q_lora_rank: int | None = None,
    ) -> None:
        super().__init__()
        features, key = input_shape[-1], qk_nope_head_dim + qk_rope_head_dim
        self.heads, self.rank, self.nope = num_heads, kv_lora_rank, qk_nope_head_dim
        if q_lora_rank is None:
            self.q: nn.Module = nn.Linear(features, num_heads * key, bias=False)
        else:
            self.q = nn.Sequential(
                nn.Linear(features, q_lora_rank, bias=False),
                nn.RMSNorm(q_lora_rank, eps=1e-6),
                nn.Linear(q_lora_rank, num_heads * key, bias=False),
            )
        self.kv_a = nn.Linear(features, kv_lora_rank + qk_rope_head_dim, bias=False)
        self.kv_norm = nn.RMSNorm(kv_lora_rank, eps=1e-6)
        self.kv_b = nn.Linear(kv_lora_rank, num_heads * (qk_nope_head_dim + v_head_dim), bias=False)
        self.o = nn.Linear(num_heads * v_head_dim, features, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Attends to what stands before each position."""
        query = _heads(self.q(x), self.heads)
        query = torch.cat([query[..., : self.nope], _rotated(query[..., self.nope :])], dim=-1)
        kept = self.kv_a(x)
        both = _heads(self.kv_b(self.kv_norm(kept[..., : self.rank])), self.heads)
        turned = _rotated(_heads(kept[..., self.rank :], 1)).expand(-1, self.heads, -1, -1)
        key = torch.cat([both[..., : self.nope], turned], dim=-1)
        return self.o(_attended(query, key, both[..., self.nope :]))


class MixtureOfExperts(nn.Module):
    """From (batch, tokens, features) to the same shape: a router and its experts, all of which are computed."""

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_experts: int,
        experts_per_token: int,
        units: int,
        gated: bool = True,
        shared_experts: int = 0,
        activation: str = "silu",
    ) -> None:
        super().__init__()
        features, inner = input_shape[-1], (2 if gated else 1) * units
        self.taken, self.units, self.gated = experts_per_token, units, gated
        self.function = getattr(nn.functional, activation)
        self.router = nn.Linear(features, num_experts, bias=False)
        self.up = self._matrices(num_experts, features, inner)
        self.down = self._matrices(num_experts, units, features)
        if shared_experts:
            self.shared_up = self._matrices(shared_experts, features, inner)
            self.shared_down = self._matrices(shared_experts, units, features)
        self.shares = bool(shared_experts)

    @staticmethod
    def _matrices(number: int, rows: int, columns: int) -> nn.Parameter:
        return nn.Parameter(torch.randn(number, rows, columns) * rows**-0.5)

    def experts(self, x: torch.Tensor, up: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
        """What each expert makes of each token: (batch, tokens, experts, features)."""
        inner = torch.einsum("btf,efu->bteu", x, up)
        made = self.function(inner[..., : self.units])
        if self.gated:
            made = made * inner[..., self.units :]
        return torch.einsum("bteu,euf->btef", made, down)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The experts that the router takes, by their shares, and the shared ones."""
        best, taken = self.router(x).topk(self.taken, dim=-1)
        shares = torch.zeros(*x.shape[:2], self.up.shape[0], dtype=x.dtype, device=x.device)
        shares = shares.scatter(-1, taken, best.softmax(dim=-1))
        y = torch.einsum("bte,btef->btf", shares, self.experts(x, self.up, self.down))
        if self.shares:
            y = y + self.experts(x, self.shared_up, self.shared_down).sum(dim=2)
        return y
