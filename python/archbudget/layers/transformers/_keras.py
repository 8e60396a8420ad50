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
