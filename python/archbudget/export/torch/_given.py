"""One layer with every decision taken, and the source of its weights."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import nn

from archbudget._message import show
from archbudget.errors import SpaceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archbudget._records import Place
    from archbudget.layers._custom import CustomLayer

Shape = tuple[int, ...]


class Weights:
    """The initial values of weights, which the initializers of the layers draw."""

    def value(
        self, layer: Given, name: str, shape: Shape, initializer: Any, fans: tuple[int, int] | None
    ) -> torch.Tensor:
        """The values of a weight in Keras' shape, by Keras' names of the layer and the weight."""
        return drawn(layer, name, shape, initializer, fans)


class Blank(Weights):
    """No values, to find out whether a layer can be built."""

    def value(self, layer: Given, name: str, shape: Shape, initializer: Any, _: tuple[int, int] | None) -> torch.Tensor:
        """A tensor of the shape, if the initializer is known."""
        _function(layer, name, initializer)
        return torch.empty(shape)


def drawn(layer: Given, name: str, shape: Shape, initializer: Any, fans: tuple[int, int] | None = None) -> torch.Tensor:
    """Values drawn by an initializer: one of Keras' by name, or a function of a shape and a dtype as in Keras."""
    draw = _function(layer, name, initializer)
    if isinstance(initializer, str):
        values: torch.Tensor = draw(shape, fans or _fans(shape))
        return values
    values = draw(shape, dtype="float32")
    return values if isinstance(values, torch.Tensor) else torch.as_tensor(np.array(values))


def _function(layer: Given, name: str, initializer: Any) -> Callable[..., Any]:
    """The function of an initializer."""
    draw = _INITIALIZERS.get(_snake(initializer)) if isinstance(initializer, str) else initializer
    if callable(draw):
        return draw
    raise SpaceError(
        f"layer '{layer.name}' ({layer.kind}): the initializer of {name} must be one of "
        f"{', '.join(_INITIALIZERS)}, or a function of a shape and a dtype, not {show(initializer)}"
    )


class Filled(NamedTuple):
    """A parameter that holds a weight of Keras."""

    parameter: torch.Tensor
    shape: Shape
    """The shape in Keras."""
    order: tuple[int, ...]
    """The axes of Keras in the order of PyTorch."""


class Custom(NamedTuple):
    """What made the module of a custom layer."""

    maker: Callable[..., Any]
    inputs: Any
    """The shape of its input, or the shapes of its inputs."""
    arguments: Mapping[str, Any]


@dataclass
class Shared:
    """What is known of the weights of a network, by the places where its space describes them."""

    made: dict[Place, tuple[nn.Module, dict[str, Filled]]] = field(default_factory=dict)
    """The modules, and the weights that became parameters of them unchanged."""
    masked: set[Place] = field(default_factory=set)
    """Those of layers that read a mask somewhere."""
    customs: dict[nn.Module, Custom] = field(default_factory=dict)
    """What made the modules of custom layers."""


@dataclass(eq=False)
class Given:
    """One layer of a network, the argument of a builder."""

    name: str
    """The name of the layer in the space."""
    kind: str
    """The name of the layer in `keras.layers`."""
    told: Mapping[str, Any]
    """Every argument as it was given, decisions replaced by their values, and a layer by a dict of its arguments."""
    counted: Mapping[str, Any]
    """The hyperparameters that touch shape or cost, in the form that the engine takes."""
    weights: Weights
    """The source of its weights."""
    make: Callable[[Given], Any]
    """The function that makes the module of an inner layer."""
    shared: Shared
    """The modules of layers that are made already."""
    place: Place | None = None
    """The place of its weights; `None` if no other layer has them."""
    custom: type[CustomLayer] | None = None
    """Its class, if it is a custom layer."""
    masked: bool = False
    """Whether it reads a mask."""
    held: bool = False
    """Whether it is inside another layer, whose name it then has."""
    uses: list[tuple[Shape, ...]] = field(default_factory=list)
    """The shapes of its inputs for each use, without the batch axis."""
    options: set[str] = field(default_factory=set)
    """The options of its calls that are on in one of them."""
    filled: dict[str, Filled] = field(default_factory=dict)
    """The weights that became parameters unchanged, by Keras' names."""

    def __getitem__(self, argument: str) -> Any:
        return self.counted[argument] if argument in self.counted else self.told[argument]

    @property
    def inputs(self) -> tuple[Shape, ...]:
        """The shapes of the inputs for which its weights are made."""
        return self.uses[0]

    @property
    def channels_last(self) -> bool:
        """Whether the channels come after the positions."""
        return bool(self["data_format"] == "channels_last")

    @property
    def channels(self) -> int:
        """The number of channels, or of features, of the input."""
        first = "data_format" in self.counted and not self.channels_last
        return self.inputs[0][0 if first else -1]

    @property
    def explicit_padding(self) -> Shape | None:
        """The padding as integers; `None` if it is a word."""
        sides = self.counted.get("explicit_padding", (None,))
        return None if None in sides else tuple(sides)

    def refusal(self, argument: str, why: str) -> SpaceError:
        """The error that an argument has no equivalent in PyTorch."""
        return SpaceError(
            f"layer '{self.name}' ({self.kind}): {argument}={show(self.told[argument])} has no equivalent in PyTorch: "
            f"{why}"
        )

    def refuse_what_touches_the_loss(self) -> None:
        """Refuses arguments with which Keras adds to the loss, or acts after each step of training."""
        if self.custom is not None:
            return
        for argument, value in self.told.items():
            if value is None:
                continue
            if argument.endswith("_regularizer"):
                raise self.refusal(argument, "a module adds nothing to the loss; use weight_decay of the optimizer")
            if argument.endswith("_constraint"):
                raise self.refusal(argument, "no optimizer constrains weights")

    def inside(self, argument: str, shape: Shape, number: int | None = None) -> Given:
        """An inner layer.

        Args:
            argument: The argument that has it.
            shape: The shape of its input.
            number: Its position, if the argument is a list of layers.
        """
        told, counted = self.told[argument], self.counted[argument]
        return (
            self.holding(told, counted, shape) if number is None else self.holding(told[number], counted[number], shape)
        )

    def holding(self, told: Mapping[str, Any], counted: Mapping[str, Any], shape: Shape) -> Given:
        """An inner layer, by its arguments and the shape of its input."""
        place = told["place"]
        inner = replace(
            self,
            kind=told["type"],
            place=place,
            masked=self.masked or place in self.shared.masked,
            told={**told, "trainable": told["trainable"] and self.told["trainable"]},
            counted=counted,
            held=True,
            uses=[(shape,)],
            filled={},
        )
        inner.refuse_what_touches_the_loss()
        if self.kind != "TimeDistributed" and (inner.kind == "Masking" or inner.told.get("mask_zero")):
            raise SpaceError(
                f"layer '{self.name}' ({self.kind}): to_torch does not follow the mask that begins with {inner.kind}"
            )
        return inner

    def value(self, name: str, shape: Shape, initializer: Any, fans: tuple[int, int] | None = None) -> torch.Tensor:
        """The initial value of a weight, in Keras' shape.

        Args:
            name: The name of the weight in Keras.
            shape: Its shape in Keras.
            initializer: The name of an initializer, a function of a shape, or the argument of the layer that has it.
            fans: The fan-in and the fan-out, if they do not follow from the shape.
        """
        if isinstance(initializer, str) and initializer in self.told:
            initializer = self.told[initializer]
        return self.weights.value(self, name, shape, initializer, fans)

    def fill(
        self,
        parameter: torch.Tensor,
        name: str,
        initializer: Any,
        shape: Shape | None = None,
        order: Sequence[int] | None = None,
        fans: tuple[int, int] | None = None,
    ) -> None:
        """Sets a parameter to the initial value of a weight.

        Args:
            parameter: The parameter of a module.
            name: The name of the weight in Keras.
            initializer: As for `value`.
            shape: Its shape in Keras, if it differs.
            order: The axes of Keras in the order of PyTorch.
            fans: As for `value`.
        """
        shape = tuple(parameter.shape) if shape is None else shape
        value = self.value(name, shape, initializer, fans)
        self.filled[name] = Filled(parameter, shape, tuple(range(len(shape)) if order is None else order))
        parameter.copy_((value if order is None else value.permute(*order)).reshape(parameter.shape))

    def parameter(self, name: str, initializer: Any, shape: Shape, fans: tuple[int, int] | None = None) -> nn.Parameter:
        """A parameter of Keras' shape."""
        made = nn.Parameter(self.value(name, shape, initializer, fans).clone())
        self.filled[name] = Filled(made, shape, tuple(range(len(shape))))
        return made


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _fans(shape: Shape) -> tuple[int, int]:
    """The fan-in and the fan-out, as Keras computes them."""
    if len(shape) < 2:
        return (shape or (1,))[0], (shape or (1,))[0]
    field_size = math.prod(shape[:-2])
    return shape[-2] * field_size, shape[-1] * field_size


Draw = Callable[[Shape, tuple[int, int]], torch.Tensor]


def _scaled(scale: float, mode: str, distribution: str) -> Draw:
    def draw(shape: Shape, fans: tuple[int, int]) -> torch.Tensor:
        variance = scale / max(1.0, fans[0] if mode == "fan_in" else sum(fans) / 2)
        if distribution == "uniform":
            return _uniform(math.sqrt(3 * variance))(shape, fans)
        # The deviation of a normal distribution that is truncated at two deviations.
        return _truncated(math.sqrt(variance) / 0.87962566103423978)(shape, fans)

    return draw


def _filled(value: float) -> Draw:
    return lambda shape, _: torch.full(shape, value)


def _uniform(limit: float) -> Draw:
    return lambda shape, _: torch.empty(shape).uniform_(-limit, limit)


def _normal(deviation: float) -> Draw:
    return lambda shape, _: torch.empty(shape).normal_(0, deviation)


def _truncated(deviation: float) -> Draw:
    return lambda shape, _: nn.init.trunc_normal_(torch.empty(shape), 0, deviation, -2 * deviation, 2 * deviation)


def _orthogonal(shape: Shape, _: tuple[int, int]) -> torch.Tensor:
    return nn.init.orthogonal_(torch.empty(math.prod(shape[:-1]), shape[-1])).reshape(shape)


def _identity(shape: Shape, _: tuple[int, int]) -> torch.Tensor:
    return torch.eye(*shape)


_INITIALIZERS: dict[str, Draw] = {
    "zeros": _filled(0.0),
    "ones": _filled(1.0),
    "constant": _filled(0.0),
    "uniform": _uniform(0.05),
    "random_uniform": _uniform(0.05),
    "normal": _normal(0.05),
    "random_normal": _normal(0.05),
    "truncated_normal": _truncated(0.05),
    "glorot_uniform": _scaled(1, "fan_avg", "uniform"),
    "glorot_normal": _scaled(1, "fan_avg", "normal"),
    "he_uniform": _scaled(2, "fan_in", "uniform"),
    "he_normal": _scaled(2, "fan_in", "normal"),
    "lecun_uniform": _scaled(1, "fan_in", "uniform"),
    "lecun_normal": _scaled(1, "fan_in", "normal"),
    "orthogonal": _orthogonal,
    "identity": _identity,
}
"""Keras' initializers by name, with Keras' defaults."""
