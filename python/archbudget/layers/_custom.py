"""Custom layers: a Python function is the rule."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, fields
from itertools import chain, islice
from math import prod
from operator import index
from typing import TYPE_CHECKING, Any, ClassVar, overload

from archbudget._core import MAX_RANK
from archbudget._expressions import Decision, Expression, Mapped, lower, require_few
from archbudget._guard import guarded
from archbudget._message import hint, one_line, show
from archbudget._nested import FrozenDict, frozen, leaves, mapped
from archbudget.errors import (
    ArchbudgetError,
    CountOverflowError,
    InvalidArchitectureError,
    SpaceError,
    UnknownArgumentError,
)
from archbudget.layers._base import Layer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from archbudget._expressions import IntLike, Lowered, Scalar, Scope
    from archbudget.layers._base import Sink

__all__ = ["Counts", "CustomLayer", "custom"]


@dataclass(frozen=True)
class Counts:
    """The result of the rule of a custom layer; it never changes.

    Args:
        output_shape: The sides of the output, the batch not counted.
        trainable_params: The weights that training changes. Default: `0`.
        non_trainable_params: The weights that it does not change, such as moving statistics. Default: `0`.
        macs: The multiply-accumulates for one input. Default: `0`.
        weight_shapes: The shape of each weight, trained or not, if they are stated: together they hold as many numbers
            as are counted. A layer that is used again shares its weights, so it takes only inputs for which they have
            the same shapes. Where they are not stated, a layer with weights takes only inputs of the shapes that it
            was used on first. Default: `None`.
    """

    output_shape: Sequence[int]
    trainable_params: int = 0
    non_trainable_params: int = 0
    macs: int = 0
    weight_shapes: Sequence[Sequence[int]] | None = None

    def __repr__(self) -> str:
        return f"Counts({', '.join(f'{each.name}={show(getattr(self, each.name))}' for each in fields(self))})"


Counted = tuple["list[int]", int, int, int, "list[list[int]] | None"]
"""Counts as the engine takes them: the output shape, trained and other weights, multiply-accumulates, weight shapes."""

MOST_SIDES = 100_000
"""The most sides of a shape that are looked at, and the most shapes."""
RESERVED = ("name", "trainable", "weight_bits")
SHAPES = ("input_shape", "input_shapes")
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class CustomLayer(Layer):
    """A layer whose rule is a Python function; [`layers.custom`][archbudget.layers.custom] makes classes of them."""

    RULE: ClassVar[Callable[..., Counts]]
    """The function."""
    IN_PLACE: ClassVar[bool] = False
    KERAS: ClassVar[Callable[..., Any] | None] = None
    """What makes the real layer of Keras, from the hyperparameters and a name."""
    TORCH: ClassVar[Callable[..., Any] | None] = None
    """What makes the real module of PyTorch, from the shapes of the inputs and the hyperparameters."""

    _given: FrozenDict

    def __init__(
        self,
        *args: Any,
        name: str | None = None,
        trainable: bool = True,
        weight_bits: IntLike | None = None,
        **hyperparameters: Any,
    ) -> None:
        if not hasattr(type(self), "RULE"):
            raise SpaceError("a CustomLayer needs a rule; make its class with layers.custom")
        for own, value in zip(RESERVED, (name, trainable, weight_bits), strict=True):
            setattr(self, own, value)
        self._check()
        signature = _hyperparameters(type(self).RULE)
        for argument in hyperparameters:
            if argument not in signature.parameters:
                known = [*signature.parameters, *RESERVED]
                raise UnknownArgumentError(f"{self.kind}: unknown argument {show(argument)}{hint(argument, known)}")
        try:
            bound = signature.bind(*args, **hyperparameters)
        except TypeError as error:
            raise SpaceError(f"{self.kind}: {error}; its hyperparameters are {signature}") from None
        bound.apply_defaults()
        for argument, value in bound.arguments.items():
            require_few(value, f"{self.kind}: {argument}")
        # A rule may tell lists from tuples, so they stay what they are; but these are not those of the caller.
        given = {name: mapped(frozen, value) for name, value in bound.arguments.items()}
        self._given = FrozenDict(given)
        self._made = True

    @property
    def given(self) -> dict[str, Any]:
        """The hyperparameters by name, those left out at their defaults: copies, which change nothing in the layer."""
        return FrozenDict({name: mapped(lambda leaf: leaf, value) for name, value in self._given.items()})

    def arguments(self) -> dict[str, Any]:
        """The hyperparameters as they were given."""
        return {**self.given, "trainable": self.trainable}

    def lowered(self, scope: Scope) -> dict[str, Lowered]:
        """The integers that are open in the hyperparameters; a decision goes by the index of its value."""
        return {"arguments": [_open(leaf, scope) for leaf in _leaves(self._given)]}

    def other_decisions(self) -> Iterator[Decision]:
        """None: the function may look at each."""
        return iter(())

    def other_arguments(self, chosen: Mapping[str, Scalar]) -> dict[str, Any]:
        """None."""
        del chosen
        return {}

    def recorded(self, counted: Mapping[str, Any], values: Sequence[tuple[Scalar, ...]]) -> dict[str, Any]:
        """The hyperparameters by value."""
        return self._at(counted["arguments"], values)

    def declare(self, writer: Sink, name: str) -> tuple[int, tuple[tuple[Scalar, ...], ...]]:
        """Makes the layer known to a program."""
        open_ones = self.lowered(writer)["arguments"]
        values = tuple(_values(leaf, writer) for leaf in _leaves(self._given))

        def rule(numbers: list[int], shapes: list[list[int]]) -> Counted | str:
            return self._counted(name, self._at(numbers, values), shapes)

        position = writer.program.outside_layer(
            name,
            self.kind,
            open_ones,  # type: ignore[arg-type]
            self.trainable is not False,
            function=rule,
            least=1,
            most=None if self.MERGES else 1,
            in_place=self.IN_PLACE,
        )
        return position, values

    def _at(self, numbers: Sequence[int], values: Sequence[tuple[Scalar, ...]]) -> dict[str, Any]:
        """The hyperparameters by value, given the open integers."""
        pairs = zip(numbers, values, strict=True)
        taken = iter([known[number] if known else number for number, known in pairs])
        return {name: _filled(value, taken) for name, value in self._given.items()}

    def _counted(self, name: str, hyperparameters: dict[str, Any], shapes: list[list[int]]) -> Counted | str:
        """What the function says, checked; or why it refuses."""
        inputs = tuple(tuple(shape) for shape in shapes)
        given = ", ".join(f"{key}={show(value)}" for key, value in hyperparameters.items())
        what = (
            f"layer '{name}' ({self.kind}) on input shape {', '.join(map(str, inputs))} with {given or 'no arguments'}"
        )
        try:
            counts = type(self).RULE(inputs if self.MERGES else inputs[0], **hyperparameters)
        except InvalidArchitectureError as error:
            return f"{one_line(error)}. Arguments: {given}" if given else one_line(error)
        except ArchbudgetError:
            raise
        except Exception as error:
            raise SpaceError(f"{what}: its function failed: {type(error).__name__}: {one_line(error)}") from error
        if not isinstance(counts, Counts):
            raise SpaceError(f"{what}: its function must return layers.Counts, not {show(counts)}")
        try:
            shape = [index(side) for side in islice(counts.output_shape, MOST_SIDES)]
            numbers = [index(each) for each in (counts.trainable_params, counts.non_trainable_params, counts.macs)]
            stated = counts.weight_shapes
            weights = (
                None
                if stated is None
                else [[index(side) for side in islice(each, MOST_SIDES)] for each in islice(stated, MOST_SIDES)]
            )
        except TypeError:
            raise SpaceError(f"{what}: a shape and costs are integers, not {show(counts)}") from None
        if min(numbers) < 0 or min([*shape, *chain.from_iterable(weights or ())], default=1) < 1:
            raise SpaceError(f"{what}: sides are at least 1 and costs at least 0, not {show(counts)}")
        if weights is not None and (held := sum(map(prod, weights))) != numbers[0] + numbers[1]:
            raise SpaceError(
                f"{what}: its weight_shapes hold {show(held)} numbers, but its weights are {show(numbers[0])} trained "
                f"and {show(numbers[1])} others"
            )
        if len(shape) > MAX_RANK:
            raise SpaceError(
                f"{what}: its output has {len(shape)} axes beside the batch; at most {MAX_RANK} are supported"
            )
        if max(*numbers, *shape, 0) >= 2**63 - 1:
            raise CountOverflowError(f"{what}: sizes and costs are below 2^63 - 1, not {show(counts)}")
        return shape, numbers[0], numbers[1], numbers[2], weights

    def keras_arguments(self, counted: Mapping[str, Any], chosen: Mapping[str, Scalar]) -> dict[str, Any]:
        """The hyperparameters by value."""
        del chosen
        return dict(counted)

    def make_keras(self, keras: Any, real: Mapping[str, Any]) -> Any:
        """The real layer, from the function that the decorator was given."""
        if hasattr(type(keras), "made_by"):  # What writes source text, and takes no real layers.
            return keras.made_by(self.KERAS, real, self.kind)
        if self.KERAS is None:
            raise SpaceError(
                f"layer '{real['name']}' ({self.kind}) does not know its real layer; give @layers.custom(keras=...)"
            )
        made = self.KERAS(**real)
        if not isinstance(made, keras.layers.Layer):
            raise SpaceError(
                f"layer '{real['name']}' ({self.kind}): what keras= names must return a keras.layers.Layer, not "
                f"{show(made)}"
            )
        return made

    def purpose(self) -> str:
        """What it does: its function knows."""
        return "its function gives it no weights"

    def __repr__(self) -> str:
        given = {**self._given, **{name: getattr(self, name) for name in RESERVED}}
        usual = {"name": None, "trainable": True, "weight_bits": None}
        shown = (f"{name}={value!r}" for name, value in given.items() if name not in usual or value is not usual[name])
        return f"{self.kind}({', '.join(shown)})"


@overload
def custom(rule: Callable[..., Counts], /) -> type[CustomLayer]: ...
@overload
def custom(
    *, in_place: bool = False, keras: Callable[..., Any] | None = None, torch: Callable[..., Any] | None = None
) -> Callable[[Callable[..., Counts]], type[CustomLayer]]: ...
def custom(
    rule: Callable[..., Counts] | None = None,
    /,
    *,
    in_place: bool = False,
    keras: Callable[..., Any] | None = None,
    torch: Callable[..., Any] | None = None,
) -> Any:
    """Makes a custom layer from a function of input shapes and hyperparameters that returns output shape and costs.

    The first parameter of the function is `input_shape`, a tuple of sides without the batch; or `input_shapes`, a tuple
    of them, for a layer that is called on a list of tensors. Its other parameters are the hyperparameters of the layer.
    Wherever one of them is used, it may be a decision or an expression, also within a list or dict; the function gets
    its value. It returns [`Counts`][archbudget.layers.Counts], and refuses by raising
    [`InvalidArchitectureError`][archbudget.errors.InvalidArchitectureError]: candidates with such a layer are invalid.

    The function is called once for each distinct layer, while the space is compiled; in a space too wide to be counted
    also by the threads that count, for new layers. Each call holds the GIL, and several threads may call it at the same
    time. It must always return the same for the same arguments.

    Args:
        rule: The function; its name is the type of the layer. Without one a decorator is made. Default: `None`.
        in_place: Whether the layer only works element by element, so that it writes over one of its inputs that is
            large enough and that nothing needs afterwards, and adds nothing to the peak of the activations. Default:
            `False`.
        keras: The function that makes the real layer for `to_keras`: it is called with the hyperparameters and `name`.
            Default: `None`.
        torch: The function that makes the real module for `to_torch`: it is called like the rule, with the shape of the
            input (or the shapes of the inputs) and the hyperparameters, as modules are made for a number of channels.
            The module takes tensors in the layout of the space, the batch first: one, or as many as there are inputs.
            Default: `None`.

    Raises:
        SpaceError: If the function has no such first parameter, or a parameter of a reserved name.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> @layers.custom
        ... def SqueezeExcite(input_shape, ratio=4):
        ...     height, width, channels = input_shape
        ...     if channels % ratio:
        ...         raise ab.errors.InvalidArchitectureError(f"{channels} channels cannot be divided by {ratio}")
        ...     squeezed = channels // ratio
        ...     return layers.Counts(
        ...         output_shape=input_shape,
        ...         trainable_params=(channels + 1) * squeezed + (squeezed + 1) * channels,
        ...         macs=2 * channels * squeezed,
        ...     )
        >>> space = ab.Space([
        ...     layers.Input((28, 28, 1)),
        ...     layers.Conv2D(ab.Choice("filters", [8, 12]), 3),
        ...     SqueezeExcite(ratio=ab.Choice("ratio", [4, 8])),
        ... ])
        >>> space.size
        3
        >>> space.architecture(filters=8, ratio=4).layer("squeeze_excite").params
        42
    """

    @guarded
    def made(function: Callable[..., Counts]) -> type[CustomLayer]:
        if not callable(function) or isinstance(function, type):
            raise SpaceError(f"layers.custom makes a layer of a function, not of {show(function)}")
        name = _name(function)
        for argument, maker in (("keras", keras), ("torch", torch)):
            if not (maker is None or callable(maker)):
                raise SpaceError(f"{name}: {argument}= must be a function that makes the real layer, not {show(maker)}")
        if name == "Input":
            raise SpaceError("a custom layer cannot be named Input: that is the first layer of every network")
        first = next(iter(inspect.signature(function).parameters.values()), None)
        if first is None or first.name not in SHAPES or first.kind not in POSITIONAL:
            raise SpaceError(f"{name}: the first parameter of the rule of a layer is input_shape or input_shapes")
        _hyperparameters(function)
        return type(
            name,
            (CustomLayer,),
            {
                "RULE": staticmethod(function),
                "IN_PLACE": in_place,
                "MERGES": first.name == "input_shapes",
                "KERAS": None if keras is None else staticmethod(keras),
                "TORCH": None if torch is None else staticmethod(torch),
                "__doc__": function.__doc__,
                "__module__": getattr(function, "__module__", __name__),
                "__qualname__": getattr(function, "__qualname__", name),
            },
        )

    return made if rule is None else made(rule)


def _name(function: Callable[..., object]) -> str:
    """What a function is called."""
    return getattr(function, "__name__", type(function).__name__)


def _hyperparameters(rule: Callable[..., Counts]) -> inspect.Signature:
    """The parameters of a rule but the shapes.

    Raises:
        SpaceError: If one of them has a name that every layer has, or stands for any number of arguments.
    """
    signature = inspect.signature(rule)
    _, *others = signature.parameters.values()
    for each in others:
        if each.name in RESERVED:
            raise SpaceError(f"{_name(rule)}: '{each.name}' is an argument of every layer; name it otherwise")
        if each.kind in (
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.VAR_KEYWORD,
            inspect.Parameter.POSITIONAL_ONLY,
        ):
            raise SpaceError(f"{_name(rule)}: each hyperparameter must be one named parameter, not '{each}'")
    shown = [each.replace(annotation=inspect.Parameter.empty) for each in others]
    return signature.replace(parameters=shown, return_annotation=inspect.Signature.empty)


def _leaves(value: object) -> Iterator[Expression]:
    """The decisions and expressions in a hyperparameter, in order."""
    return (leaf for leaf in leaves(value) if isinstance(leaf, Expression))


def _open(leaf: Expression, scope: Scope) -> Lowered:
    """A decision or expression as the engine takes it: the values of a decision need not be numbers."""
    if isinstance(leaf, (Decision, Mapped)):
        (decision,) = leaf.decisions()
        return ("decision", scope.position(decision), list(range(len(leaf.values_in(scope)))))
    return lower(leaf, scope)


def _values(leaf: Expression, scope: Scope) -> tuple[Scalar, ...]:
    """What the numbers of the engine stand for; nothing where they stand for themselves."""
    if isinstance(leaf, (Decision, Mapped)):
        return leaf.values_in(scope)
    return (False, True) if leaf.is_condition else ()


def _filled(value: Any, taken: Iterator[Any]) -> Any:
    """A hyperparameter with its decisions and expressions replaced, in order."""
    return mapped(lambda leaf: next(taken) if isinstance(leaf, Expression) else leaf, value)
