"""The layer in Keras."""

from __future__ import annotations

from typing import Any

import keras

from archbudget.spaces._relative_attention._tables import lookups, table_rows


@keras.saving.register_keras_serializable("archbudget")
class RelativeAttention(keras.layers.Layer):
    """From (batch, tokens, features) to the same shape."""

    def __init__(self, num_heads: int, head_dim: int, max_distance: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.num_heads, self.head_dim, self.max_distance = num_heads, head_dim, max_distance

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights."""
        inner = self.num_heads * self.head_dim
        self.qkv = keras.layers.Dense(3 * inner, name="qkv")
        self.qkv.build(input_shape)
        self.proj = keras.layers.Dense(input_shape[-1], name="proj")
        self.proj.build((*input_shape[:-1], inner))
        self.key_rows, self.key_columns, self.value_rows, self.value_columns = (
            self.add_weight(
                shape=(table_rows(self.max_distance), self.head_dim),
                initializer=keras.initializers.TruncatedNormal(stddev=0.02),
                name=name,
            )
            for name in ("key_rows", "key_columns", "value_rows", "value_columns")
        )

    def call(self, x: Any) -> Any:
        """The tokens after attention."""
        tokens = x.shape[1]
        qkv = keras.ops.reshape(self.qkv(x), (-1, tokens, 3, self.num_heads, self.head_dim))
        query, key, value = (qkv[:, :, which] for which in range(3))
        rows, columns = lookups(tokens, self.max_distance)
        far_keys = keras.ops.take(self.key_rows, rows, axis=0) + keras.ops.take(self.key_columns, columns, axis=0)
        far_values = keras.ops.take(self.value_rows, rows, axis=0) + keras.ops.take(self.value_columns, columns, axis=0)
        scores = keras.ops.einsum("bqhd,bkhd->bhqk", query, key) + keras.ops.einsum("bqhd,qkd->bhqk", query, far_keys)
        weights = keras.ops.softmax(scores * self.head_dim**-0.5)
        seen = keras.ops.einsum("bhqk,bkhd->bqhd", weights, value)
        seen = seen + keras.ops.einsum("bhqk,qkd->bqhd", weights, far_values)
        return self.proj(keras.ops.reshape(seen, (-1, tokens, self.num_heads * self.head_dim)))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """That of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The configuration."""
        own = {"num_heads": self.num_heads, "head_dim": self.head_dim, "max_distance": self.max_distance}
        return {**super().get_config(), **own}
