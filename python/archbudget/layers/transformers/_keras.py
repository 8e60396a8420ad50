"""The layers in Keras."""

from __future__ import annotations

from typing import Any

import keras

Shape = tuple["int | None", ...]
registered = keras.saving.register_keras_serializable("archbudget")


@registered
class PositionEmbedding(keras.layers.Layer):
    """From (batch, tokens, features) to the embeddings of the positions, in the same shape."""

    def __init__(self, sequence_length: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.sequence_length = sequence_length

    def build(self, input_shape: Shape) -> None:
        """Makes the table."""
        self.position_embeddings = self.add_weight(
            shape=(self.sequence_length, input_shape[-1]), initializer="glorot_uniform", name="embeddings"
        )

    def call(self, x: Any) -> Any:
        """The first rows of the table, for each input."""
        return keras.ops.broadcast_to(self.position_embeddings[: x.shape[1]], keras.ops.shape(x))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """That of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The configuration."""
        return {**super().get_config(), "sequence_length": self.sequence_length}


@registered
class ClassToken(keras.layers.Layer):
    """From (batch, tokens, features) to (batch, 1 + tokens, features)."""

    def build(self, input_shape: Shape) -> None:
        """Makes the token."""
        self.token = self.add_weight(shape=(1, input_shape[-1]), initializer="zeros", name="token")

    def call(self, x: Any) -> Any:
        """The token, and the input behind it."""
        token = keras.ops.broadcast_to(self.token, (keras.ops.shape(x)[0], 1, x.shape[-1]))
        return keras.ops.concatenate([keras.ops.cast(token, x.dtype), x], axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """One more token."""
        batch, tokens, features = input_shape
        return (batch, None if tokens is None else tokens + 1, features)


@registered
class LayerScale(keras.layers.Layer):
    """From any shape to the same one."""

    def __init__(self, init_values: float = 1e-5, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.init_values = init_values

    def build(self, input_shape: Shape) -> None:
        """Makes the factors."""
        initializer = keras.initializers.Constant(self.init_values)
        self.gamma = self.add_weight(shape=(input_shape[-1],), initializer=initializer, name="gamma")

    def call(self, x: Any) -> Any:
        """The input by the factors."""
        return x * self.gamma

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """That of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The configuration."""
        return {**super().get_config(), "init_values": self.init_values}


@registered
class Bias(keras.layers.Layer):
    """From any shape to the same one."""

    def build(self, input_shape: Shape) -> None:
        """Makes the numbers."""
        self.bias = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="bias")

    def call(self, x: Any) -> Any:
        """The input and the numbers."""
        return x + self.bias

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """That of the input."""
        return input_shape


@registered
class DropPath(keras.layers.Layer):
    """From any shape to the same one."""

    def __init__(self, rate: float = 0.5, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.rate = rate
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, x: Any, training: bool = False) -> Any:
        """The input; while training without that of some images, and the others scaled to the same mean."""
        if not training or not self.rate:
            return x
        shape = (keras.ops.shape(x)[0], *(1 for _ in x.shape[1:]))
        kept = keras.ops.floor(keras.random.uniform(shape, seed=self.seed_generator) + (1 - self.rate))
        return x * keras.ops.cast(kept, x.dtype) / (1 - self.rate)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """That of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The configuration."""
        return {**super().get_config(), "rate": self.rate}


def _rotated(x: Any) -> Any:
    """Heads of (batch, heads, tokens, size), each pair of features turned by an angle of its position."""
    tokens, size = x.shape[-2], x.shape[-1]
    exponents = keras.ops.arange(0, size, 2, dtype="float32") / size
    angles = keras.ops.arange(tokens, dtype="float32")[:, None] * keras.ops.power(10_000.0, -exponents)[None]
    angles = keras.ops.concatenate([angles, angles], axis=-1)
    half = size // 2
    turned = keras.ops.concatenate([-x[..., half:], x[..., :half]], axis=-1)
    return x * keras.ops.cos(angles) + turned * keras.ops.sin(angles)


def _normalized(x: Any, scale: Any) -> Any:
    """The last axis divided by the root of its mean square, times a weight each."""
    mean = keras.ops.mean(keras.ops.square(x), axis=-1, keepdims=True)
    return x * keras.ops.rsqrt(mean + 1e-6) * scale


def _attended(query: Any, key: Any, value: Any, window: int | None = None) -> Any:
    """Causal attention of heads (batch, heads, tokens, size), as (batch, tokens, heads * size)."""
    tokens = query.shape[-2]
    scores = keras.ops.matmul(query, keras.ops.swapaxes(key, -1, -2)) / query.shape[-1] ** 0.5
    behind = keras.ops.arange(tokens)[:, None] - keras.ops.arange(tokens)[None]
    seen = behind >= 0 if window is None else keras.ops.logical_and(behind >= 0, behind < window)
    shares = keras.ops.softmax(keras.ops.where(seen, scores, -1e9))
    heads = keras.ops.transpose(keras.ops.matmul(shares, value), (0, 2, 1, 3))
    return keras.ops.reshape(heads, (-1, tokens, heads.shape[2] * heads.shape[3]))


def _heads(x: Any, number: int) -> Any:
    """From (batch, tokens, number * size) to (batch, number, tokens, size)."""
    size = x.shape[-1] // number
    return keras.ops.transpose(keras.ops.reshape(x, (-1, x.shape[1], number, size)), (0, 2, 1, 3))


class _Configured(keras.layers.Layer):
    """A layer of (batch, tokens, features) to the same shape, with the arguments that it was made with."""

    NAMES: tuple[str, ...] = ()

    def matrix(self, name: str, *shape: int, initializer: str = "glorot_uniform") -> Any:
        """A weight."""
        return self.add_weight(shape=shape, initializer=initializer, name=name)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """That of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The configuration."""
        return {**super().get_config(), **{name: getattr(self, name) for name in self.NAMES}}


@registered
class SelfAttention(_Configured):
    """Causal attention with shared heads of keys and values."""

    NAMES = (
        *("num_heads", "num_key_value_heads", "head_dim", "query_bias", "output_bias"),
        *("head_norms", "rotary", "sliding_window"),
    )

    def __init__(
        self,
        num_heads: int,
        num_key_value_heads: int | None = None,
        head_dim: int | None = None,
        query_bias: bool = False,
        output_bias: bool = False,
        head_norms: bool = False,
        rotary: bool = True,
        sliding_window: int | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.num_heads, self.num_key_value_heads, self.head_dim = num_heads, num_key_value_heads, head_dim
        self.query_bias, self.output_bias, self.head_norms = query_bias, output_bias, head_norms
        self.rotary, self.sliding_window = rotary, sliding_window

    def build(self, input_shape: Shape) -> None:
        """Makes the weights."""
        features = input_shape[-1] or 0
        size = self.head_dim or features // self.num_heads
        self.shared = self.num_key_value_heads or self.num_heads
        query, key = self.num_heads * size, self.shared * size
        self.q, self.k, self.v = (
            self.matrix(name, features, width) for name, width in (("q", query), ("k", key), ("v", key))
        )
        self.o = self.matrix("o", query, features)
        self.biases = [
            self.matrix(f"{name}_bias", width, initializer="zeros")
            for name, width in (("q", query), ("k", key), ("v", key))
            if self.query_bias
        ]
        self.o_bias = self.matrix("o_bias", features, initializer="zeros") if self.output_bias else None
        names = ("q_norm", "k_norm") if self.head_norms else ()
        self.norms = [self.matrix(name, size, initializer="ones") for name in names]

    def call(self, x: Any) -> Any:
        """Attends to what stands before each position."""
        parts = [keras.ops.matmul(x, kernel) for kernel in (self.q, self.k, self.v)]
        if self.biases:
            parts = [part + bias for part, bias in zip(parts, self.biases, strict=True)]
        query, key, value = (
            _heads(part, number) for part, number in zip(parts, (self.num_heads, self.shared, self.shared), strict=True)
        )
        if self.norms:
            query, key = _normalized(query, self.norms[0]), _normalized(key, self.norms[1])
        if self.rotary:
            query, key = _rotated(query), _rotated(key)
        times = self.num_heads // self.shared
        key, value = keras.ops.repeat(key, times, axis=1), keras.ops.repeat(value, times, axis=1)
        y = keras.ops.matmul(_attended(query, key, value, self.sliding_window), self.o)
        return y if self.o_bias is None else y + self.o_bias


@registered
class LatentAttention(_Configured):
    """Causal attention whose keys and values are made of few features."""

    NAMES = (
        *("num_heads", "kv_lora_rank", "qk_nope_head_dim"),
        *("qk_rope_head_dim", "v_head_dim", "q_lora_rank"),
    )

    def __init__(
        self,
        num_heads: int,
        kv_lora_rank: int,
        qk_nope_head_dim: int,
        qk_rope_head_dim: int,
        v_head_dim: int,
        q_lora_rank: int | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.num_heads, self.kv_lora_rank, self.qk_nope_head_dim = num_heads, kv_lora_rank, qk_nope_head_dim
        self.qk_rope_head_dim, self.v_head_dim, self.q_lora_rank = qk_rope_head_dim, v_head_dim, q_lora_rank

    def build(self, input_shape: Shape) -> None:
        """Makes the weights."""
        features, heads, rank = input_shape[-1] or 0, self.num_heads, self.kv_lora_rank
        key = self.qk_nope_head_dim + self.qk_rope_head_dim
        first = self.q_lora_rank or features
        if self.q_lora_rank is not None:
            self.q_a = self.matrix("q_a", features, first)
            self.q_norm = self.matrix("q_norm", first, initializer="ones")
        self.q_b = self.matrix("q_b", first, heads * key)
        self.kv_a = self.matrix("kv_a", features, rank + self.qk_rope_head_dim)
        self.kv_norm = self.matrix("kv_norm", rank, initializer="ones")
        self.kv_b = self.matrix("kv_b", rank, heads * (self.qk_nope_head_dim + self.v_head_dim))
        self.o = self.matrix("o", heads * self.v_head_dim, features)

    def call(self, x: Any) -> Any:
        """Attends to what stands before each position."""
        heads, rank, nope = self.num_heads, self.kv_lora_rank, self.qk_nope_head_dim
        query = x if self.q_lora_rank is None else _normalized(keras.ops.matmul(x, self.q_a), self.q_norm)
        query = _heads(keras.ops.matmul(query, self.q_b), heads)
        query = keras.ops.concatenate([query[..., :nope], _rotated(query[..., nope:])], axis=-1)
        kept = keras.ops.matmul(x, self.kv_a)
        both = _heads(keras.ops.matmul(_normalized(kept[..., :rank], self.kv_norm), self.kv_b), heads)
        turned = keras.ops.repeat(_rotated(_heads(kept[..., rank:], 1)), heads, axis=1)
        key = keras.ops.concatenate([both[..., :nope], turned], axis=-1)
        return keras.ops.matmul(_attended(query, key, both[..., nope:]), self.o)


@registered
class MixtureOfExperts(_Configured):
    """A router and its experts; all of them are computed, and those that are not taken count nothing."""

    NAMES = ("num_experts", "experts_per_token", "units", "gated", "shared_experts", "activation")

    def __init__(
        self,
        num_experts: int,
        experts_per_token: int,
        units: int,
        gated: bool = True,
        shared_experts: int = 0,
        activation: str = "silu",
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.num_experts, self.experts_per_token, self.units = num_experts, experts_per_token, units
        self.gated, self.shared_experts, self.activation = gated, shared_experts, activation

    def build(self, input_shape: Shape) -> None:
        """Makes the weights."""
        features, inner = input_shape[-1] or 0, (2 if self.gated else 1) * self.units
        self.router = self.matrix("router", features, self.num_experts)
        self.up = self.matrix("up", self.num_experts, features, inner)
        self.down = self.matrix("down", self.num_experts, self.units, features)
        if self.shared_experts:
            self.shared_up = self.matrix("shared_up", self.shared_experts, features, inner)
            self.shared_down = self.matrix("shared_down", self.shared_experts, self.units, features)

    def experts(self, x: Any, up: Any, down: Any) -> Any:
        """What each expert makes of each token: (batch, tokens, experts, features)."""
        inner = keras.ops.einsum("btf,efu->bteu", x, up)
        function = keras.activations.get(self.activation)
        inner = function(inner[..., : self.units]) * (inner[..., self.units :] if self.gated else 1)
        return keras.ops.einsum("bteu,euf->btef", inner, down)

    def call(self, x: Any) -> Any:
        """The experts that the router takes, by their shares, and the shared ones."""
        best, taken = keras.ops.top_k(keras.ops.matmul(x, self.router), self.experts_per_token)
        chosen = keras.ops.one_hot(taken, self.num_experts, dtype=x.dtype)
        shares = keras.ops.einsum("btk,btke->bte", keras.ops.softmax(best), chosen)
        y = keras.ops.einsum("bte,btef->btf", shares, self.experts(x, self.up, self.down))
        if self.shared_experts:
            y = y + keras.ops.sum(self.experts(x, self.shared_up, self.shared_down), axis=2)
        return y
