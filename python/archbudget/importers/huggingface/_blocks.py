"""What transformers are made of, under the names that their modules have in transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archbudget import layers
from archbudget.importers._layers import (
    AttentionProducts,
    Elementwise,
    GatedActivation,
    OnePosition,
    RotaryEmbedding,
    TopKExperts,
)

if TYPE_CHECKING:
    from archbudget.importers.huggingface._config import Config

IN_KERAS = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "linear": None,
    "mish": "mish",
    "relu": "relu",
    "relu6": "relu6",
    "sigmoid": "sigmoid",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}
"""Functions that Keras has, by their names in transformers."""
NOT_IN_KERAS = (
    *("gelu_10", "gelu_accurate", "gelu_fast", "gelu_new", "gelu_python_tanh", "gelu_pytorch_tanh", "hardswish"),
    *("laplace", "leaky_relu", "quick_gelu", "relu2", "sqrtsoftplus"),
)
"""Functions without weights that Keras lacks, or has in another form."""
FUNCTIONS = (*IN_KERAS, *NOT_IN_KERAS)


def activate(x: Any, function: str, name: str) -> Any:
    """A function of each value; `function` is its name in transformers."""
    if function in NOT_IN_KERAS:
        return Elementwise(function, name=name)(x)
    word = IN_KERAS[function]
    return x if word is None else layers.Activation(word, name=name)(x)


def dense(x: Any, units: int, name: str, use_bias: bool = True) -> Any:
    """A matrix on the features of each position."""
    return layers.Dense(units, use_bias=use_bias, name=name)(x)


def add(x: Any, y: Any, name: str) -> Any:
    """The sum of two tensors."""
    return layers.Add(name=name)([x, y])


def one_position(x: Any, name: str, place: str = "first") -> Any:
    """The features of the first position, such as a token for the class, or those of the last one."""
    return OnePosition(place, name=f"{name}.position")(x)


class Heads:
    """How attention divides its features.

    Args:
        config: Where it is configured.
        hidden: The features of a position.
        default: The size of a head where the configuration has none, as in the class of the model; `None` for the
            share of a head in the features.
        shared: Whether keys and values may have fewer heads than queries.
        default_shared: The heads of keys and values where the configuration has none; `None` for those of the queries.
        default_heads: The heads of the queries where the configuration has none.
    """

    def __init__(
        self,
        config: Config,
        hidden: int,
        *,
        default_heads: int,
        default: int | None = None,
        shared: bool = True,
        default_shared: int | None = None,
    ) -> None:
        self.query = config.size("num_attention_heads", "n_head", "n_heads", default=default_heads)
        self.key = self.query
        if shared:
            self.key = config.size("num_key_value_heads", default=default_shared or self.query)
        if self.query % self.key:
            raise config.error(f"num_attention_heads={self.query} is no multiple of num_key_value_heads={self.key}")
        if shared and config.get("head_dim") is not None:
            default = config.size("head_dim")
        if default is None:
            if hidden % self.query:
                raise config.error(f"hidden_size={hidden} is no multiple of num_attention_heads={self.query}")
            default = hidden // self.query
        self.size = default

    def normalized(self, x: Any, heads: int, norm: layers.Layer) -> Any:
        """Queries or keys, each head normalised by itself."""
        split = layers.Reshape((-1, heads, self.size), name=f"{norm.name}.heads")(x)
        return layers.Reshape((-1, heads * self.size), name=f"{norm.name}.features")(norm(split))

    def products(self, tensors: list[Any], name: str, bias: Any = None) -> Any:
        """Attention of queries, keys and values that are projected."""
        given = tensors if bias is None else [*tensors, bias]
        return AttentionProducts(self.query, self.key, name=name)(given)


def rotated(x: Any, name: str) -> Any:
    """Queries or keys with their positions."""
    return RotaryEmbedding(name=name)(x)


def gated(x: Any, y: Any, function: str, name: str) -> Any:
    """The function of one tensor, times another one."""
    return layers.Multiply(name=f"{name}.product")([activate(x, function, f"{name}.act_fn"), y])


def gated_network(
    x: Any, hidden: int, units: int, function: str, name: str, use_bias: bool = False, fused: bool = False
) -> Any:
    """A gated feed-forward network: SwiGLU and its relatives."""
    if fused:
        inner = GatedActivation(function, name=f"{name}.activation_fn")(
            dense(x, 2 * units, f"{name}.gate_up_proj", use_bias)
        )
    else:
        gate, up = (dense(x, units, f"{name}.{part}_proj", use_bias) for part in ("gate", "up"))
        inner = gated(gate, up, function, name)
    return dense(inner, hidden, f"{name}.down_proj", use_bias)


def experts(x: Any, number: int, chosen: int, units: int, function: str, name: str) -> Any:
    """A router, and the experts that it chooses for each token."""
    scores = dense(x, number, f"{name}.gate", use_bias=False)
    return TopKExperts(number, chosen, units, function, name=f"{name}.experts")([x, scores])
