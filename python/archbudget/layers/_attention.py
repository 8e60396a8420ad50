"""The attention layers of Keras 3.

Each takes a query, a value and a key. In a list of layers, or called on one tensor, all three are the same tensor
(self-attention); called on two, the value is the key.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar

from archbudget._expressions import Decision, Mapped, possible
from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.layers._arguments import SIDES, Flag, IntsLike, Text, check_numbers
from archbudget.layers._base import Layer, layer_class

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archbudget._expressions import IntLike, Scalar
    from archbudget.layers._base import Nested, TensorLike

__all__ = ["AdditiveAttention", "Attention", "GroupQueryAttention", "MultiHeadAttention"]


class _Attends(Layer):
    """Attention of any kind, with the options of its call."""

    use_causal_mask: Flag
    return_attention_scores: bool

    CALL: ClassVar[tuple[str, ...]] = ("use_causal_mask", "return_attention_scores")
    MASKS: ClassVar[tuple[str, ...]] = ("query_mask", "value_mask")

    def __post_init__(self) -> None:
        super().__post_init__()
        for value in possible(self.use_causal_mask):
            if not isinstance(value, bool):
                raise SpaceError(f"{self.kind}: use_causal_mask must be True or False, not {show(value)}")
        if not isinstance(self.return_attention_scores, bool):
            raise SpaceError(
                f"{self.kind}: return_attention_scores must be True or False, not {show(self.return_attention_scores)}"
            )

    @property
    def nested(self) -> Nested:
        """Its output, and the scores behind it if it returns them."""
        return (None, None) if self.return_attention_scores else None


class _Heads(_Attends):
    """Attention with projections of its own."""

    dropout: Any
    sliding_window: int | None
    flash_attention: bool | None

    MASKS: ClassVar[tuple[str, ...]] = ("value_mask", "key_mask", "attention_mask")

    def __post_init__(self) -> None:
        check_numbers(self, "dropout", most=1)
        super().__post_init__()
        window = self.sliding_window
        if window is not None and (isinstance(window, bool) or not isinstance(window, int) or window < 1):
            raise SpaceError(f"{self.kind}: sliding_window must be None or a positive integer, not {show(window)}")
        if not (self.flash_attention is None or isinstance(self.flash_attention, bool)):
            raise SpaceError(
                f"{self.kind}: flash_attention must be None, True or False, not {show(self.flash_attention)}"
            )
        if self.flash_attention and any(rate != 0 for rate in possible(self.dropout)):
            raise SpaceError(f"{self.kind}: flash_attention cannot be combined with dropout")

    def __call__(  # type: ignore[override]  # Keras names the first tensor so.
        self,
        query: TensorLike | Sequence[TensorLike],
        value: TensorLike | None = None,
        key: TensorLike | None = None,
        **options: Any,
    ) -> Any:
        """The tensor that the layer makes of a query, a value and a key, or of a list of them.

        Args:
            query: The query, or a list of all.
            value: The value.
            key: The key.
            options: The options of the call, as in Keras; among them the masks `attention_mask`, `value_mask` and
                `key_mask` (and `query_mask` of a `GroupQueryAttention`), which are tensors.
        """
        if value is None and key is not None:
            raise SpaceError(f"{self.kind}: a key needs a value")
        if "query_mask" not in self.MASKS and options.pop("query_mask", None) is not None:
            raise SpaceError(f"{self.kind}: the query_mask of a call, which Keras ignores, is an attention_mask here")
        queries = query if isinstance(query, (list, tuple)) else [query]
        return super().__call__([*queries, *(each for each in (value, key) if each is not None)], **options)

    def call_keras(self, real: Any, tensors: list[Any], options: Mapping[str, Any]) -> Any:
        """The real layer on real tensors: its query, value and key are arguments of their own."""
        query, *others = tensors
        return real(query, *(others or [query]), **options)


@layer_class
class MultiHeadAttention(_Heads):
    """Attention by several heads: projections of query, key and value to all heads, and one back.

    Input shape: `(..., positions, features)` for query, value and key; a missing key is the value, a missing value the
    query.
    Output shape: that of the query, with the sides of `output_shape` in place of its features.
    Weights: with `K = num_heads * key_dim` and `V = num_heads * value_dim`,
    `(query + bias) * K + (key + bias) * K + (value + bias) * V + (V + bias) * output`, and `(query + bias) * V` for a
    gate.
    MACs: the products of the projections at each position, and `(K + V) * query positions * value positions` for the
    scores and the weighted values.
    After Vaswani et al. (2017).

    Args:
        num_heads: The number of heads, at least 1.
        key_dim: The size of query and key in each head, at least 1.
        value_dim: The size of the value in each head; `None` for `key_dim`. Default: `None`.
        dropout: The share of the scores that is dropped while training, from 0 to 1. It changes no count, but given
            `attention_axes` are looked at where it is above 0. Default: `0.0`.
        use_bias: Whether each projection has a bias, which costs weights and no multiply-accumulates. Default: `True`.
        output_shape: The sides of the output behind the positions: an integer, or at most 7 of them; `None` for the
            features of the query. Default: `None`.
        attention_axes: The axes that are attended along, the batch being axis 0: an integer or several; `None` for all
            but the batch and the features. Default: `None`.
        sliding_window: How many positions each one sees around itself, at least 1; `None` for all. It changes no count:
            all scores are counted. Default: `None`.
        flash_attention: Whether the fused kernel is used; it cannot be combined with `dropout`. Kept for Keras.
            Default: `None`.
        kernel_initializer: How the kernel is initialised. Kept for Keras. Default: `"glorot_uniform"`.
        bias_initializer: How the bias is initialised. Kept for Keras. Default: `"zeros"`.
        kernel_regularizer: The penalty on the kernel while training. Kept for Keras. Default: `None`.
        bias_regularizer: The penalty on the bias while training. Kept for Keras. Default: `None`.
        activity_regularizer: The penalty on the output while training. Kept for Keras. Default: `None`.
        kernel_constraint: What the kernel is projected to after each step of training. Kept for Keras. Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        use_gate: Whether a further projection of the query multiplies what the heads give. Default: `False`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        use_causal_mask: As an argument of the call in Keras: whether a position sees only itself and those before it.
            It changes no count: all scores are counted. Default: `False`.
        return_attention_scores: As an argument of the call in Keras: whether the scores are a second output, for each
            head and position of the query one for each position of the value. It changes no count, but the
            peak. Default: `False`.
        add_bias_kv: As in PyTorch: a key and a value behind those of the input, which are weights; one more position in
            the scores. Default: `False`.
        add_zero_attn: As in PyTorch: a key and a value of zeros behind them; one more position in the scores.
            Default: `False`.
    """

    num_heads: IntLike
    key_dim: IntLike
    value_dim: IntLike | None = None
    dropout: Any = 0.0
    use_bias: Flag = True
    output_shape: IntsLike | None = None
    attention_axes: IntsLike | None = None
    sliding_window: int | None = None
    flash_attention: bool | None = None
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None
    use_gate: Flag = False
    seed: int | None = None
    use_causal_mask: Flag = field(default=False, kw_only=True)
    return_attention_scores: bool = field(default=False, kw_only=True)
    add_bias_kv: Flag = field(default=False, kw_only=True)
    add_zero_attn: Flag = field(default=False, kw_only=True)

    PYTORCH: ClassVar[Mapping[str, object]] = {"add_bias_kv": False, "add_zero_attn": False}

    def normalized(self) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost: the output shape as a list, `None` behind its sides."""
        given = super().normalized()
        sides = self.output_shape if isinstance(self.output_shape, (list, tuple)) else (self.output_shape,)
        if len(sides) > SIDES or (len(sides) > 1 and any(side is None for side in sides)):
            raise SpaceError(
                f"{self.kind}: output_shape must be an integer or at most {SIDES} of them, not "
                f"{show(self.output_shape)}"
            )
        axes = self.attention_axes
        if isinstance(axes, (list, tuple)) and any(axis is None for axis in axes):
            raise SpaceError(f"{self.kind}: attention_axes must be None or integers, not {show(axes)}")
        given["output_shape"] = [*sides, *[None] * (SIDES - len(sides))]
        given["attention_axes"] = axes if isinstance(axes, (list, tuple)) else [axes]
        # Given axes are not looked at where nothing is dropped of the scores of a sequence.
        dropout: Any = self.dropout if axes is not None else 0
        drops = dropout.replaced(bool) if isinstance(dropout, (Decision, Mapped)) else bool(dropout)
        given["drops_scores"] = drops
        return given

    def recorded(self, counted: Mapping[str, Any], values: Sequence[tuple[Scalar, ...]]) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost."""
        return {name: value for name, value in super().recorded(counted, values).items() if name != "drops_scores"}

    def keras_arguments(self, counted: Any, chosen: Any) -> dict[str, Any]:
        """The arguments of the real layer: shape and axes as tuples."""
        sides = tuple(side for side in counted["output_shape"] if side is not None)
        axes = tuple(axis for axis in counted["attention_axes"] if axis is not None)
        return super().keras_arguments(
            {**counted, "output_shape": sides or None, "attention_axes": axes or None}, chosen
        )


@layer_class
class GroupQueryAttention(_Heads):
    """Attention by several heads, some of which share their keys and values.

    Input shape: `(positions, features)` for query, value and key; a missing key is the value, a missing value the
    query.
    Output shape: that of the query.
    Weights: with `Q = num_query_heads * head_dim` and `S = num_key_value_heads * head_dim`,
    `(query + bias) * Q + (key + bias) * S + (value + bias) * S + (Q + bias) * query`, and `(query + bias) * Q` for a
    gate.
    MACs: the products of the projections at each position, and `2 * Q * query positions * value positions` for the
    scores and the weighted values.
    After Ainslie et al. (2023).

    Args:
        head_dim: The size of a head, at least 1.
        num_query_heads: The number of heads of the query, a multiple of `num_key_value_heads`.
        num_key_value_heads: The number of heads that key and value have, at least 1.
        dropout: The share of the scores that is dropped while training, from 0 to 1. It changes no count.
            Default: `0.0`.
        use_bias: Whether each projection has a bias, which costs weights and no multiply-accumulates. Default: `True`.
        sliding_window: How many positions each one sees around itself, at least 1; `None` for all. It changes no count:
            all scores are counted. Default: `None`.
        flash_attention: Whether the fused kernel is used; it cannot be combined with `dropout`. Kept for Keras.
            Default: `None`.
        kernel_initializer: How the kernel is initialised. Kept for Keras. Default: `"glorot_uniform"`.
        bias_initializer: How the bias is initialised. Kept for Keras. Default: `"zeros"`.
        kernel_regularizer: The penalty on the kernel while training. Kept for Keras. Default: `None`.
        bias_regularizer: The penalty on the bias while training. Kept for Keras. Default: `None`.
        activity_regularizer: The penalty on the output while training. Kept for Keras. Default: `None`.
        kernel_constraint: What the kernel is projected to after each step of training. Kept for Keras. Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        use_gate: Whether a further projection of the query multiplies what the heads give. Default: `False`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        use_causal_mask: As an argument of the call in Keras: whether a position sees only itself and those before it.
            It changes no count: all scores are counted. Default: `False`.
        return_attention_scores: As an argument of the call in Keras: whether the scores are a second output, for each
            head and position of the query one for each position of the value. It changes no count, but the
            peak. Default: `False`.
    """

    head_dim: IntLike
    num_query_heads: IntLike
    num_key_value_heads: IntLike
    dropout: Any = 0.0
    use_bias: Flag = True
    sliding_window: int | None = None
    flash_attention: bool | None = None
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None
    use_gate: Flag = False
    seed: int | None = None
    use_causal_mask: Flag = field(default=False, kw_only=True)
    return_attention_scores: bool = field(default=False, kw_only=True)

    STEM: ClassVar[str] = "grouped_query_attention"
    MASKS: ClassVar[tuple[str, ...]] = ("query_mask", "value_mask", "key_mask", "attention_mask")


class _Scores(_Attends):
    """Attention without projections, on a list of a query, a value and maybe a key."""

    dropout: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, "dropout", most=1)

    def __call__(self, inputs: TensorLike | Sequence[TensorLike], mask: Any = None, **options: Any) -> Any:
        """The tensor that the layer makes of a query, a value and maybe a key.

        Args:
            inputs: A list of them.
            mask: `[query_mask, value_mask]` as in Keras, tensors or `None`.
            options: The options of the call, as for other layers.
        """
        if mask is None:
            return super().__call__(inputs, **options)
        if not isinstance(mask, (list, tuple)) or len(mask) != 2:
            raise SpaceError(f"{self.kind}: mask must be [query_mask, value_mask], tensors or None, not {show(mask)}")
        return super().__call__(inputs, **options, **dict(zip(self.MASKS, mask, strict=True)))

    def call_keras(self, real: Any, tensors: list[Any], options: Mapping[str, Any]) -> Any:
        """The real layer on a query, a value and maybe a key."""
        return real(tensors, **options)

    def mask_keras(self, masks: dict[str, Any]) -> dict[str, Any]:
        """Both masks, or `None`, in a list."""
        return {"mask": [masks.get(name) for name in self.MASKS]} if masks else {}


@layer_class
class Attention(_Scores):
    """Values, weighted by the products of query and key.

    Input shape: `(..., positions, features)` for query and value, and for a key if there is one.
    Output shape: `(..., query positions, value features)`.
    Weights: 1 with `use_scale`, and 1 with `score_mode="concat"`.
    MACs: `query positions * value positions` times the features of the value, and times those of the query where the
    scores are products.
    After Luong et al. (2015). It is called on a list of two or three tensors.

    Args:
        use_scale: Whether the scores are multiplied by a weight. Default: `False`.
        score_mode: How query and key are compared: `"dot"`, by products, or `"concat"`, by sums. Default: `"dot"`.
        dropout: The share of the scores that is dropped while training, from 0 to 1. It changes no count.
            Default: `0.0`.
        seed: The seed of the random numbers. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        use_causal_mask: As an argument of the call in Keras: whether a position sees only itself and those before it.
            It changes no count: all scores are counted. Default: `False`.
        return_attention_scores: As an argument of the call in Keras: whether the scores are a second output, for each
            position of the query one for each position of the value. It changes no count, but the
            peak. Default: `False`.
    """

    use_scale: Flag = False
    score_mode: Text = "dot"
    dropout: Any = 0.0
    seed: int | None = None
    use_causal_mask: Flag = field(default=False, kw_only=True)
    return_attention_scores: bool = field(default=False, kw_only=True)


@layer_class
class AdditiveAttention(_Scores):
    """Values, weighted by the sums of query and key: a weight for each feature, if `use_scale`.

    Input shape: `(..., positions, features)` for query and value, and for a key if there is one.
    Output shape: `(..., query positions, value features)`.
    Weights: `features` with `use_scale`.
    MACs: `query positions * value positions * value features`; sums are no multiplications.
    After Bahdanau et al. (2015). It is called on a list of two or three tensors.

    Args:
        use_scale: Whether each feature has a weight in the scores. Default: `True`.
        dropout: The share of the scores that is dropped while training, from 0 to 1. It changes no count.
            Default: `0.0`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
        use_causal_mask: As an argument of the call in Keras: whether a position sees only itself and those before it.
            It changes no count: all scores are counted. Default: `False`.
        return_attention_scores: As an argument of the call in Keras: whether the scores are a second output, for each
            position of the query one for each position of the value. It changes no count, but the
            peak. Default: `False`.
    """

    use_scale: Flag = True
    dropout: Any = 0.0
    use_causal_mask: Flag = field(default=False, kw_only=True)
    return_attention_scores: bool = field(default=False, kw_only=True)
