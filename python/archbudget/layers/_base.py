"""What every layer and every building block is."""

from __future__ import annotations

from copy import copy
from dataclasses import FrozenInstanceError, dataclass, field, fields
from functools import cache
from itertools import chain, count
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, NoReturn, Protocol, TypeVar, Union

from archbudget._core import Arguments, Parameter, Program, layer_parameters, layer_purpose
from archbudget._expressions import (
    Decision,
    Expression,
    Scope,
    Slots,
    decisions_in,
    lower,
    parameters_in,
    possible,
    require_few,
    require_name,
)
from archbudget._face import Faced
from archbudget._guard import METHODS, guarded, guards
from archbudget._message import hint, listed, nearest, show
from archbudget._nested import PLAIN, SetOnce, frozen, mapped
from archbudget.errors import SpaceError
from archbudget.layers._words import BY_ARGUMENT, OPTIONS, WITH_ARGUMENTS, is_registered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from typing_extensions import dataclass_transform

    from archbudget._expressions import IntLike, Lowered, Scalar
else:

    def dataclass_transform(**_: object) -> Callable[[T], T]:
        """Python 3.10 has none, and only type checkers look at it."""
        return lambda made: made


__all__ = ["Block", "Layer", "Tensor"]

T = TypeVar("T")

ENGINE_PARAMETERS: dict[str, dict[str, Parameter]] = {
    kind: {parameter.name: parameter for parameter in parameters} for kind, parameters in layer_parameters()
}
"""For each layer the hyperparameters that touch shape or cost, by name."""


Nested = Union[None, "tuple[Nested, ...]"]
"""How tensors are nested: `None` stands for one of them."""


def leaves(nested: Nested) -> int:
    """How many tensors are nested so."""
    return 1 if nested is None else sum(map(leaves, nested))


def nest(nested: Nested, tensors: Iterator[Any]) -> Any:
    """Tensors, as many as there are, nested so."""
    return next(tensors) if nested is None else tuple(nest(each, tensors) for each in nested)


def flat(given: Any) -> list[Any]:
    """Tensors out of tuples, as `nest` makes them."""
    return [tensor for each in given for tensor in flat(each)] if isinstance(given, tuple) else [given]


IN_A_GRAPH = "call it on tensors, in a graph of Space(inputs=..., outputs=...)"


Ranges = tuple[tuple[int, int], ...]
"""Indices of values of a decision: ranges in ascending order, for each its start and its stop."""
Atom = tuple[int, Ranges]
"""A condition on a decision: its position, and the indices of the values with which it holds."""
Guard = list[Atom]
"""Conditions on decisions, all of which must hold."""

MOST_STEPS = 1 << 16
"""The most layers that a space may have when it is expanded."""


def require_steps(steps: int, what: str) -> int:
    """The number of layers of an expanded block or space.

    Raises:
        SpaceError: If there are more than a space may have.
    """
    if steps > MOST_STEPS:
        shown = f"{steps:,}" if steps < 10**30 else show(steps)
        raise SpaceError(f"{what} has {shown} layers when it is expanded; at most {MOST_STEPS:,} are supported")
    return steps


class Sink(Scope, Protocol):
    """Where blocks write themselves: a program with the names of its layers and decisions."""

    program: Program
    """The program of the engine."""

    def atom(self, decision: Decision, allowed: Ranges) -> Atom:
        """A condition on a decision."""
        ...

    def kept(self, decision: Decision) -> tuple[int, ...] | None:
        """The indices of the values of a decision that are kept; `None` if all are."""
        ...

    def read(self, decision: Decision, guard: Guard) -> None:
        """Takes a decision where it stands, even if no shape or cost depends on it."""
        ...

    def require(self, condition: Expression, guard: Guard, source: int | None = None) -> None:
        """Takes the decisions of a condition, which may read a tensor, here, and refuses what does not meet it."""
        ...

    def tensor(self) -> int:
        """A tensor that several steps may write."""
        ...

    def alias(self, source: int, target: int, guard: Guard) -> None:
        """Gives a tensor a second name."""
        ...

    def repetition(self, repetition: Repetition) -> AbstractContextManager[None]:
        """Layers and decisions within it are its own, unless it shares them."""
        ...

    def untied(self, message: str) -> None:
        """Notes that a block shares what it does not have, as far as it is written."""
        ...

    def apply(self, layer: Layer, inputs: Sequence[int], guard: Guard, outputs: int = 1) -> tuple[int, ...]:
        """Applies a layer; the second time in the same repetition its weights are shared.

        Args:
            layer: The layer.
            inputs: The tensors that it reads.
            guard: When it is applied.
            outputs: How many of the tensors that it makes are written.
        """
        ...


class Block(SetOnce):
    """A function of tensors, mostly of one: a layer, or several layers. A block never changes."""

    INTERNAL: ClassVar[tuple[str, ...]] = ("all_decisions", "nested", "on", "parts", "steps", "write", "write_all")

    steps: int = 1
    """The number of layers when it is expanded, where each use counts; a lower bound if a function makes the layers."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        guards(only=METHODS)(cls)

    @guarded
    def __call__(self, inputs: TensorLike | Sequence[TensorLike]) -> Any:
        """The tensor that the block makes of these, in a graph that is being described.

        A layer with states may make several: they are a tuple then, nested as in Keras. So they are of any type to a
        type checker, which thus takes `x = layers.Input((8,))` and `x = layers.Dense(4)(x)`, too.
        """
        if isinstance(self, Layer) and self.MERGES and not isinstance(inputs, (list, tuple)):
            name = self.name or self.kind.lower()
            raise SpaceError(
                f"layer '{name}' ({self.kind}) takes a list of at least one tensor, not a tensor by itself"
            )
        tensors = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        return made_of(self, tuple(as_tensor(tensor) for tensor in tensors))

    def on(self, inputs: TensorLike | Sequence[TensorLike]) -> Any:
        """The tensors that a call makes of all that it reads: its inputs, and any states and masks behind them."""
        return self(inputs)

    def parts(self) -> Sequence[Block] | None:
        """The blocks that it is made of; `None` where only writing it tells, as a function makes them."""
        return None

    def all_decisions(self) -> Iterator[Decision]:
        """The decisions that it reads itself, beside those of its parts."""
        return iter(())

    @property
    def nested(self) -> Nested:
        """How the tensors that it makes are nested."""
        return None

    def write(self, writer: Sink, inputs: Sequence[int], guard: Guard) -> int:
        """Writes the block into a program and returns the tensor that it makes. A block has this, or `write_all`.

        Raises:
            SpaceError: If it makes several.
        """
        if (count := leaves(self.nested)) > 1:
            raise SpaceError(f"{show(self)} makes {count} tensors where one is handed on; {IN_A_GRAPH}")
        return self.write_all(writer, inputs, guard)[0]

    def write_all(self, writer: Sink, inputs: Sequence[int], guard: Guard) -> tuple[int, ...]:
        """Writes the block into a program and returns all tensors that it makes."""
        return (self.write(writer, inputs, guard),)


_NUMBERS = count()


class Operand(metaclass=Faced):
    """What `+`, `-` and `*` merge, as in Keras: `x + layer(x)` is `Add()([x, layer(x)])`."""

    INTERNAL: ClassVar[tuple[str, ...]] = ("made_with", "number", "place")

    OPERATORS: ClassVar[dict[str, type[Layer]]] = {}
    """The layer of each operator; layers that merge stand above this file, and enter themselves."""

    def __add__(self, other: object) -> Any:
        return self._merged("+", other)

    def __sub__(self, other: object) -> Any:
        return self._merged("-", other)

    def __mul__(self, other: object) -> Any:
        return self._merged("*", other)

    def __getitem__(self, key: object) -> NoReturn:
        raise SpaceError(
            f"a tensor of the graph has no items, and so none at {show(key)}: Cropping1D((0, n - 1)) and Flatten() "
            "keep the first of n positions, Cropping2D a part of an image"
        )

    def __iter__(self) -> NoReturn:
        raise SpaceError("a tensor of the graph is one tensor; a layer with return_state=True returns several")

    __radd__, __rsub__, __rmul__ = __add__, __sub__, __mul__
    """Of anything but a tensor, which is refused."""

    def _merged(self, operator: str, other: object) -> Any:
        if not isinstance(other, Operand):
            raise SpaceError(
                f"{operator} merges two tensors, not a tensor and {show(other)}; layers.Rescaling multiplies by a "
                "number, and adds one"
            )
        return self.OPERATORS[operator]()([as_tensor(self), as_tensor(other)])


@dataclass(frozen=True, eq=False)
class Tensor(Operand):
    """A symbolic tensor: a block, and the tensors it is applied to."""

    block: Block
    inputs: tuple[Tensor, ...]
    made_with: Tensor | None = None
    """The first of the tensors that the block makes of its inputs, if this is another one."""
    place: int = 0
    """Its place among them."""
    number: int = field(init=False)
    """Those made later have larger ones, and each a larger one than its inputs, wherever these come from."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "number", max([next(_NUMBERS), *(each.number + 1 for each in self.inputs)]))

    def __repr__(self) -> str:
        place = f" {self.place}" if leaves(self.block.nested) > 1 else ""
        return f"<tensor{place} of {show(self.block)}>"


def made_of(block: Block, inputs: tuple[Tensor, ...]) -> Any:
    """The tensors that a block makes of others, nested as it nests them."""
    first = Tensor(block, inputs)
    others = (Tensor(block, inputs, first, place) for place in range(1, leaves(block.nested)))
    return nest(block.nested, chain([first], others))


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(field,))
def layer_class(cls: type[T]) -> type[T]:
    """Makes a dataclass of a class of layers.

    A layer is frozen by `_Frozen`, not by the methods that `dataclass(frozen=True)` writes into each class: for more
    than a hundred classes these would take a third of `import archbudget`.
    """
    made = dataclass(eq=False, repr=False)(cls)
    made.__init__ = guarded(made.__init__)  # type: ignore[method-assign]
    return made


class _Frozen:
    """An object whose attributes are set while it is made, and never again."""

    _made: bool

    def __setattr__(self, name: str, value: object) -> None:
        if "_made" in self.__dict__:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> NoReturn:
        raise FrozenInstanceError(f"cannot delete field {name!r}")


@cache
def _names(kind: type[Layer]) -> tuple[str, ...]:
    """The names of the arguments of a class of layers."""
    return tuple(each.name for each in fields(kind))


@cache
def _limited(kind: type[Layer], name: str) -> tuple[tuple[str, frozenset[str], tuple[Any, ...]], ...]:
    """The arguments of a class of layers, of this name, that take words or options, with these."""
    names = ((each, BY_ARGUMENT.get(each.rpartition("_")[2], frozenset())) for each in _names(kind))
    found = ((each, words, OPTIONS.get((name, each), ())) for each, words in names)
    return tuple((each, words, options) for each, words, options in found if words or options)


MOST_ALIKE = 1 << 12
"""The most layers of plain values that are remembered."""

_ALIKE: dict[tuple[type[Layer], tuple[type, ...], tuple[Any, ...]], tuple[Arguments, tuple[Decision, ...]]] = {}
"""What the engine is told of layers of plain values, by their class and these: networks repeat them again and again."""


@layer_class
class Layer(_Frozen, Block):
    """A layer of Keras or of PyTorch, by its arguments.

    Frozen; the same object used twice is one layer with shared weights.

    Args:
        name: Its name in the network; without one Keras' own, its type in snake case and a number. Default: `None`.
        trainable: Whether training changes its weights; if not, all of them count as non-trainable. Default: `True`.
        weight_bits: The bits of one weight in `weight_bytes`, an integer or a decision; `None` for those of the space.
            The bytes of a layer are rounded up. It changes no number of weights, and no real model. Default: `None`.
    """

    INTERNAL: ClassVar[tuple[str, ...]] = (
        *(
            "all_parameters",
            "arguments",
            "beyond_keras",
            "call_keras",
            "call_options",
            "called",
            "called_with",
            "declare",
            "inside",
        ),
        *("keras_arguments", "kind", "lowered", "make_keras", "mask_keras", "masks", "members", "needs_batch_size"),
        *("normalized", "other_arguments", "other_decisions", "purpose", "recorded", "takes_other_sides"),
        *("training_mode", "weights_of"),
    )

    name: str | None = field(default=None, kw_only=True)
    trainable: bool | Expression = field(default=True, kw_only=True)
    weight_bits: IntLike | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        kind, state = type(self), self.__dict__
        values = [getattr(self, name) for name in _names(kind)]
        types = tuple(map(type, values))
        state["_plain"] = PLAIN.issuperset(types)
        if state["_plain"] and kind.lowered is Layer.lowered and "_weights_of" not in state:
            key = (kind, types, tuple(values))
            if (alike := _ALIKE.get(key)) is not None:
                state["_lowered"] = alike
            else:
                self._check()
                alike = self._told()
                if len(_ALIKE) < MOST_ALIKE:
                    _ALIKE[key] = alike
        else:
            self._check()
            for name, value in zip(_names(kind), values, strict=True):
                if type(value) not in PLAIN:
                    require_few(value, f"{self.kind}: {name}")
                    object.__setattr__(self, name, frozen(value))
            self._told()
        self._made = True

    def _told(self) -> tuple[Arguments, tuple[Decision, ...]]:
        """What the engine is told of the layer, lowered and checked once, and the decisions that take its slots."""
        known: dict[str, Any] = self.__dict__
        if "_lowered" not in known:
            slots = Slots()
            arguments = Arguments(self.kind, self.lowered(slots))
            object.__setattr__(self, "_lowered", (arguments, tuple(slots.decisions)))
        return known["_lowered"]  # type: ignore[no-any-return]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_lowered", "_called")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def _check(self) -> None:
        """Looks at the arguments that every layer has."""
        if self.name is not None and "/" in require_name(self.name, f"{self.kind}: name must be"):
            raise SpaceError(f"{self.kind}: name must not contain '/', as {show(self.name)} does: Keras refuses it")
        for name, words, options in _limited(type(self), self.kind):
            given = possible(getattr(self, name))
            for word in given if words else ():
                if isinstance(word, str) and word not in words and not is_registered(word):
                    raise SpaceError(
                        f"{self.kind}: {name}={show(word)} is no word of Keras (a function is given itself)"
                        f"{hint(word, sorted(words))}"
                    )
                if isinstance(word, (list, tuple, dict)) and self.kind in ENGINE_PARAMETERS:
                    _check_config(f"{self.kind}: {name}", word, words)
                if isinstance(word, (int, float)) and self.kind in ENGINE_PARAMETERS:
                    raise SpaceError(
                        f"{self.kind}: {name} must be a word of Keras or a function, not the number {show(word)}"
                    )
            for option in given if options else ():
                plain = option is None or isinstance(option, (str, bool, int, float, Expression, list, tuple, dict))
                if plain and not any(type(option) is type(known) and option == known for known in options):
                    meant = nearest(option, [known for known in options if isinstance(known, str)])
                    near = "" if meant is None else f"; did you mean {meant}?"
                    raise SpaceError(
                        f"{self.kind}: {name} must be one of {listed(map(repr, options))}, not {show(option)}{near}"
                    )
        for flag in possible(self.trainable):
            if not isinstance(flag, bool):
                raise SpaceError(f"{self.kind}: trainable must be True or False, not {show(flag)}")
        bits: Any = self.weight_bits
        if isinstance(bits, Decision):
            bits.require_integers(f"it is the weight_bits of a {self.kind}")
            bits = min(bits.values)
        whole = isinstance(bits, int) and not isinstance(bits, bool) and 1 <= bits < 2**63
        if not (whole or bits is None or isinstance(bits, Expression)):
            raise SpaceError(f"{self.kind}: weight_bits must be an integer >= 1, not {show(bits)}")

    KNOWS_MACS: ClassVar[bool] = True
    """Whether its multiply-accumulates are known; those of an imported layer that archbudget does not know are not."""
    IS_FIXED: ClassVar[bool] = False
    """Whether its weights are those of a model that was read, whatever flows in: it cannot be made narrower."""
    MERGES: ClassVar[bool] = False
    """Whether it takes a list of tensors, even of a single one."""
    IN_KERAS: ClassVar[bool] = True
    """Whether it is a layer of Keras; otherwise it is one of PyTorch."""
    PYTORCH: ClassVar[Mapping[str, object]] = {}
    """The options that PyTorch has and Keras has not, each with the value with which it is the layer of Keras."""
    CALL: ClassVar[tuple[str, ...]] = ()
    """The arguments that Keras takes where the layer is called: options that change what a call does."""
    MASKS: ClassVar[tuple[str, ...]] = ()
    """The masks that Keras takes where the layer is called, which are tensors, by the names of the arguments."""
    KERAS_IF_MASKED: ClassVar[Mapping[str, object]] = {}
    """The arguments with which the real layer follows the mask of a call on every backend of Keras."""
    STEM: ClassVar[str] = ""
    """What Keras' automatic names begin with, where that does not follow from the name of the layer."""
    LAYERS: ClassVar[tuple[str, ...]] = ()
    """The arguments that are layers, or lists of layers."""
    COPIED: ClassVar[tuple[str, ...]] = ()
    """Those of which Keras takes a copy, which has weights of its own."""

    def __call__(self, inputs: TensorLike | Sequence[TensorLike], **options: Any) -> Any:
        """The tensor that the layer makes of these, in a graph that is being described.

        A layer with several outputs makes a tuple of tensors, nested as in Keras.

        Args:
            inputs: The tensor, or a list of them.
            options: The options of the call, as in Keras: `training`, and for some layers others, such as
                `use_causal_mask`, and masks, which are tensors. Calls with other options share the weights of the
                layer.

        Raises:
            SpaceError: If the layer has no such option, or the option no such value.
        """
        masks = {name: options.pop(name) for name in self.MASKS if name in options}
        given = {name: mask for name, mask in masks.items() if mask is not None}
        if not given:
            return Block.__call__(self.called(options), inputs)
        for name, mask in given.items():
            if not isinstance(mask, (Tensor, Layer)):
                raise SpaceError(f"{self.kind}: {name} must be a tensor of the graph, not {show(mask)}")
        tensors = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        return Block.__call__(self.called(options, tuple(given)), [*tensors, *given.values()])

    def on(self, inputs: TensorLike | Sequence[TensorLike]) -> Any:
        """The tensors that a call makes of all that it reads: its inputs, and any states and masks behind them."""
        return Block.__call__(self, inputs) if self.masks else self(inputs)

    def called(self, options: Mapping[str, Any], masks: Sequence[str] = ()) -> Layer:
        """The layer with the options of a call, which has the weights of this one; the same one for the same options.

        Args:
            options: The options by their names, without masks.
            masks: The names of the masks that stand behind its inputs, in their order.

        Raises:
            SpaceError: If the layer has no such option, or the option no such value.
        """
        known = (*self.CALL, "training")
        for name in options:
            if name not in known:
                every = (*known, *self.MASKS)
                raise SpaceError(f"{self.kind}: a call has no option {show(name)}{hint(name, every)}")
        named = tuple(masks) if isinstance(masks, (list, tuple)) else (masks,)
        if not all(each in self.MASKS for each in named) or len(set(named)) < len(named):
            names = listed(self.MASKS) or "none, as it takes no masks"
            raise SpaceError(f"{self.kind}: masks must be a list of {names}, each at most once, not {show(masks)}")
        training = options.get("training", self.training_mode)
        if not (training is None or isinstance(training, bool)):
            raise SpaceError(f"{self.kind}: training must be None, True or False, not {show(training)}")
        own = {"training": self.training_mode, **{name: getattr(self, name) for name in self.CALL}}
        changed = {name: value for name, value in options.items() if value is not own[name]}
        if not changed and named == self.masks:
            return self
        made: list[tuple[dict[str, Any], Layer]] = self.__dict__.setdefault("_called", [])
        for given, layer in made:
            same = given.keys() == changed.keys() and all(given[name] is changed[name] for name in given)
            if same and layer.masks == named:
                return layer
        layer = copy(self)
        state = layer.__dict__
        state.pop("_made")
        state.update(_weights_of=self.weights_of, _training=training, _masks=named)
        for name, value in changed.items():
            if name != "training":
                state[name] = value
        layer.__post_init__()
        made.append((changed, layer))
        return layer

    @property
    def weights_of(self) -> Layer:
        """The layer whose weights it has: itself, or the one that was called with options."""
        known: Layer = self.__dict__.get("_weights_of", self)
        return known

    @property
    def training_mode(self) -> bool | None:
        """The option `training`: whether a call works as in training; `None` for as the whole network does."""
        known: bool | None = self.__dict__.get("_training")
        return known

    @property
    def masks(self) -> tuple[str, ...]:
        """The masks that its call takes behind its inputs, by the names of Keras' arguments."""
        known: tuple[str, ...] = self.__dict__.get("_masks", ())
        return known

    def called_with(self) -> dict[str, Any]:
        """The options with which the layer was called that has its weights, as they were given."""
        owner = self.weights_of
        own = {name: getattr(self, name) for name in self.CALL if getattr(self, name) is not getattr(owner, name)}
        if self.masks:
            own["masks"] = self.masks
        return own if self.training_mode is None else {**own, "training": self.training_mode}

    def call_options(self, counted: Mapping[str, Any], chosen: Mapping[str, Scalar]) -> dict[str, Any]:
        """The options of its call, by value, without those that are off.

        Args:
            counted: The values of the hyperparameters that touch shape or cost.
            chosen: The values of the decisions, by their names in this layer.
        """
        taken = {name: counted[name] if name in counted else resolve(getattr(self, name), chosen) for name in self.CALL}
        options = {name: value for name, value in taken.items() if value}
        return options if self.training_mode is None else {**options, "training": self.training_mode}

    @property
    def needs_batch_size(self) -> bool:
        """Whether Keras makes it only for batches of a known size."""
        return False

    def takes_other_sides(self) -> bool:
        """Whether sides of its input that are unknown may become known; an imported record is for unknown ones only."""
        return True

    @property
    def kind(self) -> str:
        """The name of the layer, for most of them in `keras.layers`."""
        return type(self).__name__

    def arguments(self) -> dict[str, Any]:
        """The arguments of the layer as they were given, without the name."""
        return {name: getattr(self, name) for name in _names(type(self)) if name not in ("name", "weight_bits")}

    def inside(self) -> Iterator[Layer]:
        """The layers that it holds."""
        return iter(())

    def members(self, around: tuple[Layer, ...] = (), *, copied: bool = False) -> Iterator[Member]:
        """The layers that it holds, each in front of those that that one holds, as the engine numbers them from 1 on.

        Args:
            around: The layers around this one, outermost first.
            copied: Whether Keras takes a copy of one of them.
        """
        del around, copied
        return iter(())

    def parts(self) -> Sequence[Block]:
        """None, as the layers that it holds are its arguments; of a call with options the layer that is called."""
        return () if self.weights_of is self else (self.weights_of,)

    def normalized(self) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost, in the form that the engine takes."""
        known = ENGINE_PARAMETERS[self.kind]
        given = {name: value for name, value in self.arguments().items() if name in known}
        if "data_format" in given:
            data_format = given["data_format"]
            given["data_format"] = (
                "channels_last"
                if data_format is None
                else data_format.lower()
                if isinstance(data_format, str)
                else data_format
            )
        return given

    def lowered(self, scope: Scope) -> dict[str, Lowered]:
        """The hyperparameters that touch shape or cost, as the engine takes them."""
        return {name: lower(value, scope) for name, value in self.normalized().items()}

    def other_decisions(self) -> Iterator[Decision]:
        """The decisions that touch neither shape nor cost, such as the choice of an activation."""
        if self.__dict__.get("_plain"):
            return
        known = ENGINE_PARAMETERS[self.kind]
        for name, value in self.arguments().items():
            if type(value) not in PLAIN and name not in known:
                yield from decisions_in(value)

    def all_decisions(self) -> Iterator[Decision]:
        """The decisions that any argument reads."""
        if self.__dict__.get("_plain"):
            return
        for value in (*self.arguments().values(), self.weight_bits):
            if type(value) not in PLAIN:
                yield from decisions_in(value)

    def all_parameters(self) -> Iterator[Any]:
        """The parameters of a search that any argument reads, also of the layers that it holds."""
        if not self.__dict__.get("_plain"):
            yield from parameters_in(tuple(self.arguments().values()))
            for each in self.inside():
                yield from each.all_parameters()

    def other_arguments(self, chosen: Mapping[str, Scalar]) -> dict[str, Any]:
        """The arguments that touch neither shape nor cost, by value, without those at their default.

        Args:
            chosen: The values of the decisions, by their names in this layer.
        """
        known = ENGINE_PARAMETERS[self.kind]
        defaults = {each.name: each.default for each in fields(self)}
        others = {name: given for name, given in self.arguments().items() if name not in known}
        # A parameter that is not known stays what it is, as no count depends on it.
        taken = {
            name: given if any(each.name not in chosen for each in parameters_in(given)) else resolve(given, chosen)
            for name, given in others.items()
        }
        return {name: value for name, value in taken.items() if not _same(value, defaults[name])}

    def recorded(self, counted: Mapping[str, Any], values: Sequence[tuple[Scalar, ...]]) -> dict[str, Any]:
        """The hyperparameters that touch shape or cost; of a layer inside in a dict of its own, with its `type`.

        Args:
            counted: What the engine says of them.
            values: What `declare` returned.
        """
        del values
        return {name: _recorded(value) for name, value in counted.items()}

    def purpose(self) -> str:
        """What it does, in a few words, if it has no weights."""
        return layer_purpose(self.kind)

    def declare(self, writer: Sink, name: str) -> tuple[int, tuple[tuple[Scalar, ...], ...]]:
        """Makes the layer known to a program, under a name.

        Returns:
            Its position, and whatever `recorded` needs to know of the values of its decisions there.
        """
        arguments, decisions = self._told()
        positions = [writer.position(decision) for decision in decisions]
        kept = [writer.kept(decision) for decision in decisions]
        return writer.program.layer(name, arguments, self.trainable is not False, positions, kept), ()

    def beyond_keras(self, counted: Mapping[str, Any], chosen: Mapping[str, Scalar]) -> str | None:
        """What Keras has not, as it is written: the layer, or an option by its value; `None` where Keras can make it.

        Args:
            counted: The values of the hyperparameters that touch shape or cost.
            chosen: The values of the decisions, by their names in this layer.
        """
        if not self.IN_KERAS:
            return self.kind
        del chosen
        for name, value in self.PYTORCH.items():
            given = _recorded(counted.get(name, value))
            if any(each != value for each in (given if isinstance(given, tuple) else (given,))):
                return f"{name}={given!r}"
        return None

    def keras_arguments(self, counted: Mapping[str, Any], chosen: Mapping[str, Scalar]) -> dict[str, Any]:
        """The arguments of the real layer, without Keras' own defaults and options of PyTorch.

        Args:
            counted: The values of the hyperparameters that touch shape or cost.
            chosen: The values of the decisions, by their names in this layer.
        """
        defaults = {each.name: each.default for each in fields(self)}
        real: dict[str, Any] = {}
        for name, given in self.arguments().items():
            # Keras' own default of data_format is a setting of the user's machine.
            if not isinstance(given, Expression) and given is defaults[name] and name != "data_format":
                continue
            if name in self.PYTORCH or name in self.CALL:
                continue
            real[name] = counted[name] if name in counted else resolve(given, chosen)
        return real

    def make_keras(self, keras: Any, real: Mapping[str, Any]) -> Any:
        """The real layer, by its arguments and its name."""
        made = getattr(keras.layers, self.kind)(**real)
        if not real.get("trainable", True):
            # Keras passes it on to inner layers only when it is set.
            made.trainable = False
        return made

    def call_keras(self, real: Any, tensors: list[Any], options: Mapping[str, Any]) -> Any:
        """The outputs of the real layer for real tensors: one, or several, nested as the layer nests them.

        Args:
            real: The real layer.
            tensors: The real tensors.
            options: What `call_options` returned.
        """
        return real(tensors if self.MERGES else tensors[0], **options)

    def mask_keras(self, masks: dict[str, Any]) -> dict[str, Any]:
        """The arguments of a call of the real layer, by real masks under their names."""
        return masks

    def write_all(self, writer: Sink, inputs: Sequence[int], guard: Guard) -> tuple[int, ...]:
        """Writes the layer into a program and returns all tensors that it makes."""
        return writer.apply(self, inputs, guard, leaves(self.nested))

    def __repr__(self) -> str:
        defaults = {each.name: each.default for each in fields(self)}
        given = {name: value for name, value in self.arguments().items() if not _same(value, defaults[name])}
        if self.weight_bits is not None:
            given["weight_bits"] = self.weight_bits
        if self.name is not None:
            given["name"] = self.name
        return f"{self.kind}({', '.join(f'{name}={value!r}' for name, value in given.items())})"


def _check_config(what: str, given: Any, words: frozenset[str]) -> None:
    """Refuses a list, and a dict that is not the configuration of what Keras, or its user, has."""
    name = given.get("class_name") if isinstance(given, dict) else None
    if not isinstance(name, str):
        instead = "; a decision over words is a Choice" if isinstance(given, (list, tuple)) else ""
        raise SpaceError(f"{what} must be a word of Keras, a function or a configuration, not {show(given)}{instead}")
    module = given.get("module")
    own = given.get("registered_name") is not None or (module is not None and not str(module).startswith("keras"))
    if not (own or name in words or name in WITH_ARGUMENTS or is_registered(name)):
        raise SpaceError(f"{what}: Keras has no class_name {show(name)}{hint(name, sorted(words))}")


def _same(value: Any, default: Any) -> bool:
    """Whether an argument is its default, also after it was pickled."""
    plain = type(value) is type(default) and isinstance(value, (bool, int, float, str))
    return value is default or (plain and value == default)


def _recorded(value: Any) -> Any:
    """A value as the engine says it, lists as tuples."""
    if isinstance(value, dict):
        return {name: _recorded(each) for name, each in value.items()}
    return tuple(_recorded(each) for each in value) if isinstance(value, list) else value


def resolve(value: Any, chosen: Mapping[str, Scalar]) -> Any:
    """An argument with its decisions taken; what reads the sides of a tensor stays."""

    def taken(leaf: Any) -> Any:
        return leaf.at(chosen) if isinstance(leaf, Expression) and not leaf.reads_input else leaf

    return mapped(taken, value)


class Member(NamedTuple):
    """A layer inside another one."""

    layer: Layer | None
    """The layer; `None` for the stack that an `RNN` makes of a list of cells."""
    around: tuple[Layer, ...]
    """The layers around it, outermost first."""
    copied: bool
    """Whether Keras takes a copy of it, or of one around it, so that no other layer has its weights."""


@dataclass(frozen=True)
class Repetition:
    """A repetition, which has separate layers and decisions."""

    block: Block
    """The block that repeats."""
    number: int
    suffix: str
    """What the names of its layers and decisions get."""
    shared: frozenset[str | Layer]
    """The layers, and decisions by their names, that are not its own."""
    found: set[str | Layer]
    """The layers of the block, and the names of its decisions, as far as it is written."""


TensorLike = Union[Tensor, Layer]
"""A tensor, or an `Input`, which stands for its tensor."""


def as_tensor(value: object) -> Tensor:
    """A tensor; an `Input` stands for its own.

    Raises:
        SpaceError: For anything else.
    """
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Layer) and value.kind == "Input":
        known: dict[str, Tensor] = value.__dict__
        if "_tensor" not in known:
            object.__setattr__(value, "_tensor", Tensor(value, ()))
        return known["_tensor"]
    raise SpaceError(f"a layer is called on tensors or on an Input, not on {show(value)}")
