"""Layers with one matrix of weights."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from archbudget._message import show
from archbudget.errors import SpaceError
from archbudget.layers._arguments import SIDES, Flag, check_lora
from archbudget.layers._base import Layer, layer_class

if TYPE_CHECKING:
    from archbudget._expressions import IntLike

__all__ = ["Dense", "EinsumDense"]


@layer_class
class Dense(Layer):
    """A matrix on the last axis of a tensor of any rank: `(features + bias) * units` weights.

    Input shape: `(..., features)`.
    Output shape: `(..., units)`.
    Weights: `(features + bias) * units`.
    MACs: `features * units` at each position.
    With `lora_rank` the two matrices are trained and the kernel is not (Hu et al., 2022); their product is multiplied
    out in each call.

    Args:
        units: The size of the last axis of the output, at least 1.
        activation: The function of each output value, by its name or as a function; `None` for none. It changes no
            count. Default: `None`.
        use_bias: Whether a bias is added, which costs weights and no multiply-accumulates. Default: `True`.
        kernel_initializer: How the kernel is initialised. Kept for Keras. Default: `"glorot_uniform"`.
        bias_initializer: How the bias is initialised. Kept for Keras. Default: `"zeros"`.
        kernel_regularizer: The penalty on the kernel while training. Kept for Keras. Default: `None`.
        bias_regularizer: The penalty on the bias while training. Kept for Keras. Default: `None`.
        activity_regularizer: The penalty on the output while training. Kept for Keras. Default: `None`.
        kernel_constraint: What the kernel is projected to after each step of training; not together with `lora_rank`.
            Kept for Keras. Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        lora_rank: The rank of two low-rank matrices that are trained in place of the kernel, which is frozen then;
            `None` or 0 for none. Default: `None`.
        lora_alpha: The scale of their product. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    units: IntLike
    activation: Any = None
    use_bias: Flag = True
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None
    lora_rank: IntLike | None = None
    lora_alpha: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_lora(self)


@layer_class
class EinsumDense(Layer):
    """A kernel on some axes of a tensor, such as `abc,cd->abd` or `...x,xy->...y`.

    A side of `output_shape` that is `None` is that of the input on the same axis, which must not be one of the kernel
    or of the bias. Keras leaves it open, also where the input's is known. Axes of the input that stand neither in the
    kernel nor in the output are summed up before they are multiplied.
    Input shape: as the first term of `equation` says.
    Output shape: as its last term says, with the sides of `output_shape`.
    Weights: the product of the sides of the second term, and of the sides in `bias_axes`.
    MACs: the weights of the kernel at each position of the axes of the input that it lacks and the output has.
    With `lora_rank` the two matrices are trained and the kernel is not (Hu et al., 2022); their product is multiplied
    out in each call.

    Args:
        equation: The axes of input, kernel and output, the batch first or within `...`: each axis once in a term.
        output_shape: The sides of the output that the equation names, without the batch: an integer or several; `None`
            in the place of one for that of the input.
        activation: The function of each output value, by its name or as a function; `None` for none. It changes no
            count. Default: `None`.
        bias_axes: The axes of the output that the bias has; `None` for no bias. Default: `None`.
        kernel_initializer: How the kernel is initialised. Kept for Keras. Default: `"glorot_uniform"`.
        bias_initializer: How the bias is initialised. Kept for Keras. Default: `"zeros"`.
        kernel_regularizer: The penalty on the kernel while training. Kept for Keras. Default: `None`.
        bias_regularizer: The penalty on the bias while training. Kept for Keras. Default: `None`.
        kernel_constraint: What the kernel is projected to after each step of training; not together with `lora_rank`.
            Kept for Keras. Default: `None`.
        bias_constraint: What the bias is projected to after each step of training. Kept for Keras. Default: `None`.
        lora_rank: The rank of two low-rank matrices that are trained in place of the kernel, which is frozen then;
            `None` or 0 for none. Default: `None`.
        lora_alpha: The scale of their product. Kept for Keras. Default: `None`.
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            Default: `None`.
    """

    INTERNAL = ("terms",)

    equation: str
    output_shape: Any
    activation: Any = None
    bias_axes: str | None = None
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None
    lora_rank: IntLike | None = None
    lora_alpha: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_lora(self)

    def normalized(self) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost: which axis is which, and which ones the bias has."""
        given = super().normalized()
        elided, source, weights, target = self.terms()
        bias = self.bias_axes
        if bias is not None and not (isinstance(bias, str) and bias and set(bias) <= set(target)):
            raise SpaceError(
                f"EinsumDense: bias_axes must be None or axes of the output beside the batch, not {show(bias)}"
            )
        sides = self.output_shape if isinstance(self.output_shape, (list, tuple)) else (self.output_shape,)
        if len(sides) != len(target):
            raise SpaceError(
                f"EinsumDense: output_shape must have a side for each of the axes {show(target)}, not "
                f"{show(self.output_shape)}"
            )
        inputs = [target.find(axis) for axis in source]
        kernel = [source.index(axis) if axis in source else SIDES + target.index(axis) for axis in weights]
        given["equation"] = [elided, *_padded(inputs, SIDES, None), *_padded(kernel, 2 * SIDES, None)]
        given["bias_axes"] = _padded([axis in (bias or "") for axis in target], SIDES, False)
        given["output_shape"] = list(sides)
        return given

    def terms(self) -> tuple[int, str, str, str]:
        """The axes of the input, the kernel and the output that the equation names, without the batch.

        Before them where those are that it does not name: nowhere (0), before the others (1) or behind them (2).
        """
        plain = str(self.equation).replace("...", "0")
        forms = (
            "([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]+)",
            "0([a-zA-Z]+),([a-zA-Z]+)->0([a-zA-Z]+)",
            "([a-zA-Z]{2,})0,([a-zA-Z]+)->([a-zA-Z]+)0",
        )
        for elided, form in enumerate(forms):
            if found := re.fullmatch(form, plain):
                source, weights, target = found.groups()
                if elided != 1:
                    batch, source, rest, target = source[0], source[1:], target[0], target[1:]
                    if rest != batch or batch in source + weights + target:
                        break
                once = all(len(set(axes)) == len(axes) <= SIDES for axes in (source, target))
                known = set(weights) <= set(source + target) and set(target) <= set(source + weights)
                if once and known and len(set(weights)) == len(weights):
                    return elided, source, weights, target
        raise SpaceError(
            "EinsumDense: equation must be like 'abc,cd->abd' or '...x,xy->...y': each axis once in a term, the batch "
            "first in both tensors or within '...', each axis of the kernel or of the output in another term; not "
            f"{show(self.equation)}"
        )

    def keras_arguments(self, counted: Any, chosen: Any) -> dict[str, Any]:
        """The arguments of the real layer: equation and bias as they were given."""
        sides = counted["output_shape"]
        sides = (None,) * len(self.terms()[3]) if sides is None else tuple(sides)
        told = {"equation": self.equation, "bias_axes": self.bias_axes, "output_shape": sides}
        return super().keras_arguments({**counted, **told}, chosen)


def _padded(codes: list[Any], length: int, fill: Any) -> list[Any]:
    return codes + [fill] * (length - len(codes))
