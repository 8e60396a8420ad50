"""Dense layers and tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.func import functional_call

from archbudget.export.torch._activation import activation
from archbudget.export.torch._given import Filled
from archbudget.export.torch._layout import chain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archbudget.export.torch._given import Given, Shape


class Lora(nn.Module):
    """A module whose weight is not trained, but a product of two small matrices that is added to it."""

    def __init__(
        self, base: nn.Module, lora_a: nn.Parameter, lora_b: nn.Parameter, scale: float, order: Sequence[int]
    ) -> None:
        super().__init__()
        self.base = base
        self.lora_a = lora_a
        self.lora_b = lora_b
        self.scale = scale
        self.order = tuple(order)
        base.weight.requires_grad_(False)

    @classmethod
    def of(cls, given: Given, base: nn.Module, name: str, shape: Shape, order: Sequence[int]) -> Lora:
        """The adapter of a layer; its matrices have the axes of Keras."""
        # Keras' Dense and Embedding forget an alpha that is an argument; it means there what it means to convolutions.
        rank, alpha = given["lora_rank"], given["lora_alpha"]
        a = given.parameter(f"lora_{name}_a", "he_uniform", (*shape[:-1], rank))
        b = given.parameter(f"lora_{name}_b", "zeros", (rank, shape[-1]))
        return cls(base, a, b, (rank if alpha is None else alpha) / rank, order)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        added = self.scale * (self.lora_a @ self.lora_b).permute(self.order)
        result: torch.Tensor = functional_call(self.base, {"weight": self.base.weight + added}, (x,))
        return result


def _dense(given: Given) -> nn.Module:
    shape = (given.inputs[0][-1], given["units"])
    linear: nn.Module = nn.Linear(*shape, bias=given["use_bias"])
    given.fill(linear.weight, "kernel", "kernel_initializer", shape, (1, 0))
    if given["use_bias"]:
        given.fill(linear.bias, "bias", "bias_initializer")
    if given["lora_rank"]:
        linear = Lora.of(given, linear, "kernel", shape, (1, 0))
    return chain(linear=linear, activation=activation(given))


class Bias(nn.Module):
    """A bias along some axes."""

    def __init__(self, bias: nn.Parameter) -> None:
        super().__init__()
        self.bias = bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.bias

    def extra_repr(self) -> str:
        return f"{tuple(self.bias.shape)}"


class Einsum(nn.Module):
    """A kernel on any axes of a tensor."""

    def __init__(self, equation: str, weight: nn.Parameter) -> None:
        super().__init__()
        self.equation = equation
        self.weight = weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.einsum(self.equation, x, self.weight)

    def extra_repr(self) -> str:
        return f"{self.equation!r}, {tuple(self.weight.shape)}"


def _einsum_dense(given: Given) -> nn.Module:
    equation, bias_axes = given.told["equation"], given.told["bias_axes"] or ""
    letters = equation.replace("->", ",").replace("...", "").split(",")
    elided = [axis for axis in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if axis not in "".join(letters)]
    elided = elided[: len(given.inputs[0]) + 1 - len(letters[0])]
    source, weights, target = equation.replace("...", "".join(elided)).replace("->", ",").split(",")
    kept = "".join(axis for axis in source if axis in target)
    contracted, new = source[len(kept) :], target[len(kept) :]
    last = source.startswith(kept) and target.startswith(kept) and contracted and new
    if given["lora_rank"] or not last or set(weights) != set(contracted + new):
        return _einsum(given, source, weights, target, _sides(given, source, letters[2]))
    sides = _sides(given, source, letters[2])
    fans = (math.prod(sides[axis] for axis in contracted), math.prod(sides[axis] for axis in new))
    linear = nn.Linear(*fans, bias=set(bias_axes) == set(new))
    kernel = tuple(sides[axis] for axis in weights)
    order = [weights.index(axis) for axis in (*new, *contracted)]
    given.fill(linear.weight, "kernel", "kernel_initializer", kernel, order, fans)
    bias = None
    if bias_axes:
        first = min(target.index(axis) for axis in bias_axes)
        shape = tuple(sides[axis] if axis in bias_axes else 1 for axis in target[first:])
        if linear.bias is None:
            bias = Bias(given.parameter("bias", "bias_initializer", shape))
        else:
            given.fill(linear.bias, "bias", "bias_initializer", shape)
    return chain(
        flatten=nn.Flatten(-len(contracted)) if len(contracted) > 1 else None,
        linear=linear,
        unflatten=nn.Unflatten(-1, tuple(sides[axis] for axis in new)) if len(new) > 1 else None,
        bias=bias,
        activation=activation(given),
    )


def _sides(given: Given, source: str, named: str) -> dict[str, int]:
    """The side of each axis but the batch: of the input, and of those of the output that the equation names."""
    sides = dict(zip(source[1:], given.inputs[0], strict=True))
    said = zip(reversed(named), reversed(given["output_shape"] or ()), strict=False)
    return sides | {axis: side for axis, side in said if side is not None}


def _einsum(given: Given, source: str, weights: str, target: str, sides: dict[str, int]) -> nn.Module:
    """An equation that is no projection of the last axes, or one whose kernel is adapted."""
    shape = tuple(sides[axis] for axis in weights)
    kernel = given.parameter("kernel", "kernel_initializer", shape)
    module: nn.Module = Einsum(f"{source},{weights}->{target}", kernel)
    if given["lora_rank"]:
        module = Lora.of(given, module, "kernel", shape, range(len(shape)))
    bias = None
    if axes := given.told["bias_axes"]:
        first = min(target.index(axis) for axis in axes)
        bias_shape = tuple(sides[axis] if axis in axes else 1 for axis in target[first:])
        bias = Bias(given.parameter("bias", "bias_initializer", bias_shape))
    return chain(einsum=module, bias=bias, activation=activation(given))


class Embedding(nn.Embedding):
    """Rows of a table by numbers of any type."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows: torch.Tensor = super().forward(x.long())
        return rows


def _embedding(given: Given) -> nn.Module:
    shape = (given["input_dim"], given["output_dim"])
    table: nn.Module = Embedding(*shape)
    weights = given["weights"]
    if weights is None:
        given.fill(table.weight, "embeddings", "embeddings_initializer")
    else:
        matrix = weights[0] if isinstance(weights, (list, tuple)) and len(weights) == 1 else weights
        table.weight.copy_(torch.as_tensor(matrix))
        given.filled["embeddings"] = Filled(table.weight, shape, (0, 1))
    if given["lora_rank"]:
        table = Lora.of(given, table, "embeddings", shape, (0, 1))
    return chain(table=table)


class EmbeddingBag(nn.EmbeddingBag):
    """Rows of a table by numbers of any type, as one row."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        row: torch.Tensor = super().forward(x.long())
        return row


def _embedding_bag(given: Given) -> nn.Module:
    table = EmbeddingBag(given["input_dim"], given["output_dim"], mode=given["mode"])
    given.fill(table.weight, "embeddings", "embeddings_initializer")
    return chain(table=table)


class ReversibleEmbedding(Embedding):
    """Rows of a table, and on the way back the products of rows with the table.

    Args:
        rows: The number of rows.
        columns: The length of a row.
        back: The matrix of the way back, if it is not the table.
        cap: The bound of what the way back gives.
        dtype: The type of the values on the way back; `None` for that of the rows.
    """

    def __init__(
        self, rows: int, columns: int, back: nn.Parameter | None, cap: float | None, dtype: torch.dtype | None
    ) -> None:
        super().__init__(rows, columns)
        self.reverse = back
        self.cap = cap
        self.dtype = dtype

    def forward(self, x: torch.Tensor, reverse: bool = False) -> torch.Tensor:
        if not reverse:
            return super().forward(x)
        back = self.weight.T if self.reverse is None else self.reverse
        logits = x @ back if self.dtype is None else x.to(self.dtype) @ back.to(self.dtype)
        return logits if self.cap is None else (logits / self.cap).tanh() * self.cap


def _reversible_embedding(given: Given) -> nn.Module:
    rows, columns = given["input_dim"], given["output_dim"]
    own = not given["tie_weights"]
    table = ReversibleEmbedding(
        rows,
        columns,
        given.parameter("reverse_embeddings", "embeddings_initializer", (columns, rows)) if own else None,
        given["logit_soft_cap"],
        None if given["reverse_dtype"] is None else getattr(torch, given["reverse_dtype"]),
    )
    given.fill(table.weight, "embeddings", "embeddings_initializer")
    return table


BUILDERS: dict[str, Callable[[Given], nn.Module]] = {
    "Dense": _dense,
    "EinsumDense": _einsum_dense,
    "Embedding": _embedding,
    "EmbeddingBag": _embedding_bag,
    "ReversibleEmbedding": _reversible_embedding,
}
