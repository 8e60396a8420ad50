"""Attention."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch users write it
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archbudget.export.torch._given import Given, Shape


def before(queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    """For each position of the query which positions of the key are not behind it."""
    return torch.ones(queries.shape[-2], keys.shape[-2], dtype=torch.bool, device=queries.device).tril()


def sources(
    inputs: Sequence[torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Sequence[torch.Tensor]]:
    """Query, value and key, and the mask of each if there are any: what is not given is as what stands before it."""
    tensors = [x for x in inputs if x.dtype != torch.bool]
    masks = [x for x in inputs if x.dtype == torch.bool]
    query, value = tensors[0], tensors[min(1, len(tensors) - 1)]
    return query, value, tensors[-1], masks * 2 if len(masks) == 1 else masks


class Heads(nn.Module):
    """Attention by several heads, over any axes of a query, a value and a key.

    `nn.MultiheadAttention` shares the features of its input among its heads; those of Keras have any size.

    Args:
        query: The projection of the query to all heads; as `value` and `key`.
        value: The projection of the value.
        key: The projection of the key.
        output: The projection of all heads to the output.
        gate: A projection of the query whose sigmoid the attended values are multiplied with.
        heads: How many heads the query has.
        shared: How many heads key and value have.
        axes: The axes of the projected tensors that are attended over: the batch is axis 0, and behind the positions
            there are the heads.
        shape: The features of the output, where they are more than one axis.
        dropout: The share of scores that are dropped in training.
        window: How far a position sees, itself counted.
        bias_key: A key behind those of the input, for each head; as `bias_value`.
        bias_value: A value behind those of the input.
        zeros: Whether there are a key and a value of zeros behind all others.
    """

    def __init__(
        self,
        *,
        query: nn.Linear,
        value: nn.Linear,
        key: nn.Linear,
        output: nn.Linear,
        gate: nn.Linear | None,
        heads: int,
        shared: int,
        axes: tuple[int, ...],
        shape: Shape,
        dropout: float,
        window: int | None,
        bias_key: nn.Parameter | None = None,
        bias_value: nn.Parameter | None = None,
        zeros: bool = False,
    ) -> None:
        super().__init__()
        self.query = query
        self.value = value
        self.key = key
        self.gate = gate
        self.output = output
        self.heads = heads
        self.shared = shared
        self.axes = axes
        self.shape = shape
        self.dropout = dropout
        self.window = window
        self.bias_key = bias_key
        self.bias_value = bias_value
        self.zeros = zeros

    def order(self, rank: int) -> list[int]:
        """The axes of a tensor whose features are split into heads: first what is apart, then heads and positions."""
        apart = [axis for axis in range(rank - 1) if axis not in self.axes]
        return [*apart, *self.axes, rank - 1]

    def split(self, x: torch.Tensor, heads: int) -> torch.Tensor:
        """Projected features as (..., what attends, features of a head)."""
        x = x.unflatten(-1, (heads, -1))
        x = x.permute(self.order(x.dim())).flatten(-1 - len(self.axes), -2)
        return x if heads == self.heads else x.repeat_interleave(self.heads // heads, -3)

    def lengthened(self, x: torch.Tensor, bias: nn.Parameter | None) -> torch.Tensor:
        """Keys or values with those behind them that are no part of the input."""
        last = (*x.shape[:-2], 1, x.shape[-1])
        parts = [x]
        if bias is not None:
            parts.append(bias.unsqueeze(-2).expand(last))
        if self.zeros:
            parts.append(x.new_zeros(last))
        return torch.cat(parts, -2) if len(parts) > 1 else x

    def seen(
        self,
        queries: torch.Tensor,
        keys: torch.Tensor,
        masks: Sequence[torch.Tensor | None],
        attention_mask: torch.Tensor | None,
        causal: bool,
    ) -> torch.Tensor | None:
        """Which positions of the key each position of the query sees; `None` for all."""
        sees = before(queries, keys) if causal else None
        if attention_mask is not None:
            given = attention_mask if attention_mask.dim() == 4 else attention_mask.unsqueeze(1)
            given = given.expand(*given.shape[:-1], keys.shape[-2])
            sees = given if sees is None else sees & given
        if self.window is not None:
            rows = torch.arange(queries.shape[-2], device=queries.device)[:, None]
            near = (rows - torch.arange(keys.shape[-2], device=queries.device)).abs() < self.window
            sees = near if sees is None else sees & near
        for number, mask in enumerate(masks):
            if mask is None:
                continue
            there = mask[:, None, :, None] if number == 0 else mask[:, None, None, :]
            sees = there if sees is None else sees & there
        if sees is None:
            return None
        # Every position sees those that are no part of the input.
        return F.pad(sees, (0, (self.bias_key is not None) + self.zeros), value=True)

    def forward(
        self,
        *inputs: torch.Tensor,
        query_mask: torch.Tensor | None = None,
        value_mask: torch.Tensor | None = None,
        key_mask: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        use_causal_mask: bool = False,
        return_attention_scores: bool = False,
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        query, value, key, masks = sources(inputs)
        queries = self.split(self.query(query), self.heads)
        keys = self.split(self.key(key), self.shared)
        there = masks or (query_mask, value_mask, key_mask)
        sees = self.seen(queries, keys, there, attention_mask, use_causal_mask)
        keys = self.lengthened(keys, self.bias_key)
        values = self.lengthened(self.split(self.value(value), self.shared), self.bias_value)
        dropped = self.dropout if self.training else 0.0
        added = None
        if sees is not None:
            added = torch.where(sees, 0.0, torch.finfo(queries.dtype).min).to(queries.dtype)
        # As in Keras a position that sees nothing takes the mean of all in the fused kernel, and zeros otherwise.
        if not return_attention_scores and (sees is None or self.dropout == 0):
            attended = F.scaled_dot_product_attention(queries, keys, values, attn_mask=added, dropout_p=dropped)
            return self.joined(attended, query)
        scores = queries @ keys.transpose(-1, -2) / math.sqrt(queries.shape[-1])
        scores = scores.softmax(-1) if sees is None else torch.where(sees, (scores + added).softmax(-1), 0)
        output = self.joined(F.dropout(scores, dropped) @ values, query)
        return (output, scores) if return_attention_scores else output

    def joined(self, attended: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
        """What all heads attended to, as the output."""
        order = self.order(query.dim() + 1)
        back = [order.index(axis) for axis in range(len(order))]
        sizes = [*query.shape[:-1], self.heads]
        attended = attended.unflatten(-2, [sizes[axis] for axis in self.axes]).permute(back).flatten(-2)
        if self.gate is not None:
            attended = attended * torch.sigmoid(self.gate(query))
        output: torch.Tensor = self.output(attended)
        return output.unflatten(-1, self.shape) if len(self.shape) > 1 else output

    def extra_repr(self) -> str:
        return f"heads={self.heads}, axes={self.axes}"


def _projection(given: Given, name: str, source: Shape, target: Shape) -> nn.Linear:
    fans = (math.prod(source), math.prod(target))
    linear = nn.Linear(*fans, bias=given["use_bias"])
    kernel = given.value(f"{name}/kernel", (*source, *target), "kernel_initializer", fans)
    linear.weight.copy_(kernel.reshape(fans).T)
    if given["use_bias"]:
        given.fill(linear.bias, f"{name}/bias", "bias_initializer", target)
    return linear


def _sources(given: Given) -> tuple[Shape, Shape, Shape]:
    """The shapes of query, value and key."""
    query, *others = given.inputs
    value = others[0] if others else query
    return query, value, others[1] if len(others) > 1 else value


def _axes(given: Given, rank: int) -> tuple[int, ...]:
    """The axes of the projected tensors that are attended over, as the engine counts them."""
    axes = given["attention_axes"]
    if axes == (None,):
        return tuple(range(1, rank - 1))
    if rank == 3 and given["dropout"] == 0:
        return (1,)
    return tuple((axis if axis >= 0 else axis + rank) % (rank + 1) for axis in axes)


def _heads(given: Given) -> nn.Module:
    query, value, key = _sources(given)
    heads, key_dim = given["num_heads"], given["key_dim"]
    value_dim = given["value_dim"] or key_dim
    shape = tuple(side for side in given["output_shape"] if side is not None) or (query[-1],)
    axes = _axes(given, len(query) + 1)
    if "use_causal_mask" in given.options and axes != (1,):
        raise given.refusal("use_causal_mask", "positions have an order along a single axis")
    if given["sliding_window"] is not None and axes != (1,):
        raise given.refusal("sliding_window", "it is a window along the only axis of positions")
    if given.masked and axes != (1,):
        raise given.refusal("attention_axes", "a mask is followed along the only axis of positions")
    return Heads(
        query=_projection(given, "query", query[-1:], (heads, key_dim)),
        value=_projection(given, "value", value[-1:], (heads, value_dim)),
        key=_projection(given, "key", key[-1:], (heads, key_dim)),
        output=_projection(given, "attention_output", (heads, value_dim), shape),
        gate=_projection(given, "gate", query[-1:], (heads, value_dim)) if given["use_gate"] else None,
        heads=heads,
        shared=heads,
        axes=axes,
        shape=shape,
        dropout=given["dropout"],
        window=given["sliding_window"],
        bias_key=_behind(given, "bias_k", heads, key_dim) if given["add_bias_kv"] else None,
        bias_value=_behind(given, "bias_v", heads, value_dim) if given["add_bias_kv"] else None,
        zeros=given["add_zero_attn"],
    )


def _behind(given: Given, name: str, heads: int, size: int) -> nn.Parameter:
    """A key or a value that is a weight; PyTorch has one and the same initializer for it."""
    return given.parameter(name, "glorot_normal", (heads, size), (heads * size, heads * size))


def _grouped_heads(given: Given) -> nn.Module:
    query, value, key = _sources(given)
    size, heads, shared = given["head_dim"], given["num_query_heads"], given["num_key_value_heads"]
    return Heads(
        query=_projection(given, "query", query[-1:], (heads, size)),
        value=_projection(given, "value", value[-1:], (shared, size)),
        key=_projection(given, "key", key[-1:], (shared, size)),
        output=_projection(given, "attention_output", (heads, size), query[-1:]),
        gate=_projection(given, "gate", query[-1:], (heads, size)) if given["use_gate"] else None,
        heads=heads,
        shared=shared,
        axes=(1,),
        shape=query[-1:],
        dropout=given["dropout"],
        window=given["sliding_window"],
    )


class Scores(nn.Module):
    """Attention without projections.

    Args:
        scale: What the products are multiplied with, or the sums of query and key by feature.
        weight: What the sums are multiplied with.
        additive: Whether the scores are sums of query and key, not products.
        inside: Whether the scale belongs to what the hyperbolic tangent is taken of.
        dropout: The share of scores that are dropped in training.
    """

    def __init__(
        self,
        scale: nn.Parameter | None,
        weight: nn.Parameter | None = None,
        *,
        additive: bool,
        inside: bool = False,
        dropout: float,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.weight = weight
        self.additive = additive
        self.inside = inside
        self.dropout = dropout

    def scores(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """How much each position of the key matters to each position of the query."""
        if not self.additive:
            scores = query @ key.transpose(-1, -2)
            return scores if self.scale is None else self.scale * scores
        sums = query.unsqueeze(-2) + key.unsqueeze(-3)
        if self.scale is not None and self.inside:
            sums = self.scale * sums
        sums = sums.tanh()
        if self.scale is not None and not self.inside:
            sums = self.scale * sums
        scores = sums.sum(-1)
        return scores if self.weight is None else self.weight * scores

    def forward(
        self,
        *inputs: torch.Tensor,
        query_mask: torch.Tensor | None = None,
        value_mask: torch.Tensor | None = None,
        use_causal_mask: bool = False,
        return_attention_scores: bool = False,
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        query, value, key, masks = sources(inputs)
        if masks:
            query_mask, value_mask = masks[:2]
        scores = self.scores(query, key)
        sees = before(query, key) if use_causal_mask else None
        if value_mask is not None:
            there = value_mask.unsqueeze(-2)
            sees = there if sees is None else there & sees
        if sees is not None:
            scores = torch.where(sees, scores, torch.finfo(scores.dtype).min)
        scores = F.dropout(scores.softmax(-1), self.dropout, self.training)
        attended = scores @ value
        if query_mask is not None:
            attended = torch.where(query_mask.unsqueeze(-1), attended, 0)
        return (attended, scores) if return_attention_scores else attended


def _attention(given: Given) -> nn.Module:
    concat = given["score_mode"] == "concat"
    scale = given.parameter("scale", "ones", ()) if given["use_scale"] else None
    weight = given.parameter("concat_score_weight", "ones", ()) if concat else None
    return Scores(scale, weight, additive=concat, inside=True, dropout=given["dropout"])


def _additive_attention(given: Given) -> nn.Module:
    features = given.inputs[0][-1:]
    scale = given.parameter("scale", "glorot_uniform", features) if given["use_scale"] else None
    return Scores(scale, additive=True, dropout=given["dropout"])


BUILDERS: dict[str, Callable[[Given], nn.Module]] = {
    "AdditiveAttention": _additive_attention,
    "Attention": _attention,
    "GroupQueryAttention": _grouped_heads,
    "MultiHeadAttention": _heads,
}
