"""Networks as frameworks record them: a list of operations, each with the shapes that it read and made.

An operation becomes a layer of `archbudget.layers` where one gives exactly what was recorded: the shape, the weights,
the multiply-accumulates. Otherwise it is an `Operation`, which has these numbers from the record. Either way the counts
are those of the record, and no layer is taken on trust.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial, wraps
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from archbudget import layers
from archbudget.errors import ArchbudgetError, InvalidArchitectureError, SpaceError
from archbudget.importers._refusals import require_layers, require_shape
from archbudget.layers import Counts, CustomLayer, custom
from archbudget.space.space import Space

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from archbudget._records import LayerRecord

Shape = tuple[int | None, ...]
"""Sides without the batch; `None` for one that is unknown."""


STANDS = (5_040, 10_080)
"""What the engine asks rules with in the place of an unknown side (`src/layers/unknown.rs`)."""


def _recorded(
    input_shapes: Sequence[Shape],
    operation: str,
    reads: Sequence[Shape],
    output_shape: Shape,
    macs: int | None = 0,
    weights: Sequence[int] = (0, 0),
) -> Counts:
    """What was recorded, for the inputs for which it was.

    A side that is `None` was not known, and multiply-accumulates that are `None` depend on such a side: what differs
    between the two numbers that stand for it is unknown again.
    """
    del operation
    shapes, known = tuple(map(tuple, input_shapes)), tuple(map(tuple, reads))
    stands: set[int | None] = set()
    alike = [len(shape) for shape in shapes] == [len(shape) for shape in known]
    for shape, own in zip(shapes, known, strict=False):
        stands.update(side for side, recorded in zip(shape, own, strict=False) if recorded is None)
        alike = alike and all(recorded in (None, side) for side, recorded in zip(shape, own, strict=False))
    if not alike or len(stands) > 1 or not stands <= set(STANDS):
        raise InvalidArchitectureError(
            f"it was recorded for inputs of {known}, and is not known for {shapes}"
            f"{'; give the shapes of the inputs to the importer' if stands else ''}"
        )
    stand = stands.pop() if stands else None
    trainable, non_trainable = weights
    return Counts(
        [stand if side is None else side for side in output_shape],  # type: ignore[misc]
        trainable_params=trainable,
        non_trainable_params=non_trainable,
        macs=stand if macs is None else macs,  # type: ignore[arg-type]
    )


def _kind(name: str, purpose: str, *, in_place: bool = False, knows_macs: bool = True) -> type[CustomLayer]:
    """A layer that has what was recorded; they differ in what the engine may do with them."""

    @wraps(_recorded)
    def rule(*args: Any, **named: Any) -> Counts:
        return _recorded(*args, **named)

    rule.__name__ = rule.__qualname__ = name
    rule.__doc__ = purpose
    made = custom(in_place=in_place)(rule)
    made.KNOWS_MACS, made.IS_FIXED = knows_macs, not knows_macs
    made.takes_other_sides = _takes_other_sides  # type: ignore[assignment, method-assign]
    return made


def _takes_other_sides(layer: Any) -> bool:
    return all(None not in shape for shape in layer.given["reads"])


Operation = _kind(
    "Operation",
    "An operation as a framework recorded it; `weights` are how many are trained, and how many are not.",
)
InPlaceOperation = _kind(
    "InPlaceOperation",
    "An operation that only rearranges or works element by element, so that it may write over what it reads.",
    in_place=True,
)
UnknownOperation = _kind(
    "UnknownOperation",
    "An operation that archbudget does not know: its weights and shapes are recorded, its MACs are unknown.",
    knows_macs=False,
)


@custom(in_place=True)
def Unused(input_shape: tuple[int, ...], weights: Sequence[int], macs: int = 0) -> Counts:  # noqa: N802
    """What a model has or computes and no output needs, such as a head for training only; its input passes."""
    trainable, non_trainable = weights
    return Counts(input_shape, trainable_params=trainable, non_trainable_params=non_trainable, macs=macs)


Unused.IS_FIXED = True


Make = Callable[..., layers.Layer]
"""Makes a layer from `name` and `trainable`."""


class Weight(NamedTuple):
    """A weight of a model."""

    key: Hashable
    """What it is the same weight by."""
    name: str
    size: int
    trained: bool
    bits: int | None = None
    """The bits of one of its numbers, where they are known and may differ from weight to weight."""


@dataclass
class Step:
    """One operation, and the tensor that it makes.

    Args:
        name: What its layer is called; a number is added where the name is taken.
        operation: What the framework calls it.
        reads: The tensors that it reads, without weights and constants.
        makes: The tensor that it makes.
        shape: The shape of that, the batch not counted.
        macs: Its multiply-accumulates; `None` where they depend on an unknown side.
        weights: The weights that it reads.
        layer: Makes the layer that it should be the same as, from `name` and `trainable`.
        in_place: Whether it only rearranges or works element by element.
        known: Whether its multiply-accumulates are known.
        options: The options of the call of the layer.
    """

    name: str
    operation: str
    reads: list[Hashable]
    makes: Hashable
    shape: Shape
    macs: int | None = 0
    weights: list[Weight] = field(default_factory=list)
    layer: Make | None = None
    in_place: bool = False
    known: bool = True
    options: dict[str, Any] = field(default_factory=dict)


class Recording:
    """A network that is written down step by step, and then made of those steps that its outputs need.

    Args:
        model: What the model is called in messages.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._inputs: list[tuple[Hashable, str]] = []
        self._shapes: dict[Hashable, Shape] = {}
        self._aliases: dict[Hashable, Hashable] = {}
        self._steps: list[Step] = []
        self._tensors: dict[Hashable, Any] = {}
        self._names: set[str] = set()
        self._counted: set[Hashable] = set()
        self._shared: dict[Hashable, layers.Layer] = {}
        self._same: dict[Hashable, bool] = {}

    def input(self, key: Hashable, name: str, shape: Sequence[int | None]) -> None:
        """An input of the network."""
        self._shapes[key] = _require_sides(shape, f"the shape of input {name!r}")
        self._inputs.append((key, name))

    def alias(self, key: Hashable, other: Hashable) -> None:
        """A second name of a tensor."""
        self._shapes[key] = self._shapes[other]
        self._aliases[key] = self._aliases.get(other, other)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._shapes

    def shape(self, key: Hashable) -> Shape:
        """The shape of a tensor, the batch not counted."""
        return self._shapes[key]

    def add(self, step: Step) -> None:
        """Writes a step down."""
        require_layers(len(self._steps) + 1, self._model)
        step.shape = self._shapes[step.makes] = _require_sides(step.shape, f"the output shape of {step.name!r}")
        step.reads = [self._aliases.get(key, key) for key in step.reads]
        self._steps.append(step)

    def merged(self, other: Recording) -> Recording:
        """What two recordings of one network have in common that was recorded with two numbers for each unknown side.

        Sides and multiply-accumulates that differ are unknown. Weights do not differ: they are those of the model.

        Raises:
            SpaceError: If the operations of the network depend on a side that is unknown.
        """
        both = Recording(self._model)
        for (key, name), (again, _) in zip(self._inputs, other._inputs, strict=True):
            both.input(key, name, self._common(key, other._shapes[again]))
        both._aliases.update(self._aliases)
        one, two = (
            [(step.name, step.operation, step.makes, step.reads) for step in each._steps] for each in (self, other)
        )
        if one != two or self._aliases != other._aliases:
            raise SpaceError(f"{self._model}: which operations it has depends on a side that is unknown")
        for step, again in zip(self._steps, other._steps, strict=True):
            both.add(
                replace(
                    step,
                    shape=self._common(step.makes, again.shape),
                    macs=step.macs if step.macs == again.macs else None,
                    layer=_same_layer(step.layer, again.layer),
                    in_place=step.in_place and again.in_place,
                )
            )
        for alias, key in self._aliases.items():
            both._shapes[alias] = both._shapes[key]
        return both

    def _common(self, key: Hashable, other: Shape) -> Shape:
        """The sides of a tensor; those that are others in another recording are unknown."""
        own = self._shapes[key]
        if len(own) != len(other):
            raise SpaceError(f"{self._model}: how many axes a tensor has depends on a side that is unknown")
        return tuple(side if side == again else None for side, again in zip(own, other, strict=True))

    def space(self, outputs: Sequence[Hashable], unused: Iterable[Weight] = (), name: str | None = None) -> Space:
        """The network as a space without decisions.

        Args:
            outputs: The tensors that it makes.
            unused: Weights that the model has, whether a step reads them or not.
            name: The name of the space.
        """
        wanted = [self._aliases.get(key, key) for key in outputs]
        live, needed = [], set(wanted)
        for step in reversed(self._steps):
            if step.makes in needed:
                needed.update(step.reads)
                live.append(step)
        for key, given in self._inputs:
            self._tensors[key] = layers.Input(self._shapes[key], name=self._named(given))
        inputs = [self._tensors[key] for key, _ in self._inputs]
        for step in reversed(live):
            self._make(step)
        # What nobody reads is computed all the same, and its weights are weights of the model.
        lost = {id(step) for step in self._steps} - {id(step) for step in live}
        for step in self._steps:
            if id(step) in lost:
                self._pass_on(wanted[-1], step.name, step.weights, step.macs)
        owners: dict[str, list[Weight]] = {}
        for weight in unused:
            owners.setdefault(weight.name.rpartition(".")[0] or weight.name, []).append(weight)
        for owner, own in owners.items():
            self._pass_on(wanted[-1], owner, own, 0)
        made = [self._tensors[key] for key in wanted]
        return Space(inputs=inputs, outputs=made if len(made) > 1 else made[0], name=name)

    def _make(self, step: Step) -> None:
        """Makes the layer of a step, and its tensor."""
        inputs = [self._tensors[key] for key in step.reads]
        shapes = [self._shapes[key] for key in step.reads]
        new = {weight.key: weight for weight in step.weights if weight.key not in self._counted}
        layer = self._like(step, shapes, bool(new))
        options = step.options
        if layer is None:
            depends = step.macs is None or None in step.shape
            if depends and not any(None in shape for shape in shapes):
                raise SpaceError(
                    f"{self._model}: {step.name!r} depends on the number of an unknown side, not on a tensor"
                )
            operation = InPlaceOperation if step.in_place else Operation
            kind, options = operation if step.known else UnknownOperation, {}
            (own, bits), *others = _by_bits(new.values()) or [([], None)]
            layer = kind(
                step.operation,
                shapes,
                step.shape,
                step.macs,
                _sizes(own),
                name=self._named(step.name),
                weight_bits=bits,
            )
        else:
            others = []
        self._counted.update(new)
        given = inputs if layer.MERGES or len(inputs) > 1 else inputs[0]
        self._tensors[step.makes] = layer(given, **options)
        for own, bits in others:
            self._carry(step.makes, step.name, own, bits)

    def _pass_on(self, key: Hashable, name: str, weights: Iterable[Weight], macs: int | None) -> None:
        """Counts what leads to no output as a layer that passes a tensor on."""
        new = {weight.key: weight for weight in weights if weight.key not in self._counted}
        self._counted.update(new)
        for own, bits in _by_bits(new.values()) or ([([], None)] if macs != 0 else []):
            self._carry(key, name, own, bits, macs)
            macs = 0

    def _carry(
        self, key: Hashable, name: str, weights: Iterable[Weight], bits: int | None, macs: int | None = 0
    ) -> None:
        """Counts weights, and maybe multiply-accumulates, as a layer that passes a tensor on."""
        given, shape = self._tensors[key], self._shapes[key]
        named: dict[str, Any] = {"name": self._named(name), "weight_bits": bits}
        if macs is None:
            self._tensors[key] = UnknownOperation("unused", [shape], shape, 0, _sizes(weights), **named)([given])
        else:
            self._tensors[key] = Unused(_sizes(weights), macs, **named)(given)

    def _named(self, name: str) -> str:
        """A name that is not taken."""
        plain = name.replace("/", ".").strip() or "layer"
        given, number = plain, 0
        while given in self._names:
            number += 1
            given = f"{plain}_{number}"
        self._names.add(given)
        return given

    def _like(self, step: Step, shapes: list[Shape], new: bool) -> layers.Layer | None:
        """The layer that gives what a step was recorded to give, if there is one."""
        if step.layer is None or not step.reads:
            return None
        trained = {weight.trained for weight in step.weights}
        bits = {weight.bits for weight in step.weights}
        if len(trained) > 1 and not _keeps_statistics(step):
            return None
        if len(bits) > 1:
            return None
        settings: dict[str, Any] = {"trainable": True in trained or not trained}
        if bits and bits != {None}:
            settings["weight_bits"] = next(iter(bits))
        try:
            plain = step.layer(**settings)
        except ArchbudgetError:
            return None
        weights = tuple(weight.key for weight in step.weights)
        which = (repr(plain), weights)
        if weights and not new:
            return self._shared.get(which)
        if any(key in self._counted for key in weights):
            return None
        sizes = _sizes(step.weights)
        told = (repr(plain), tuple(shapes), tuple(step.shape), step.macs, sizes, repr(step.options))
        if told not in self._same:
            self._same[told] = _gives(plain, shapes, step, sizes)
        if not self._same[told]:
            return None
        layer = step.layer(name=self._named(step.name), **settings)
        if weights:
            self._shared[which] = layer
        return layer


def _require_sides(shape: Sequence[int | None], what: str) -> Shape:
    """The sides of a shape, some of which may be unknown."""
    known = iter(require_shape([side for side in shape if side is not None], what))
    return tuple(None if side is None else next(known) for side in shape)


def _same_layer(one: Make | None, other: Make | None) -> Make | None:
    """What makes the layer that both make, where they do."""
    if one is None or other is None:
        return None

    def make(**settings: Any) -> layers.Layer:
        made = one(**settings)
        if repr(made) != repr(other(**settings)):
            raise InvalidArchitectureError("its arguments depend on a side that is unknown")
        return made

    return make


def _keeps_statistics(step: Step) -> bool:
    """Whether a layer has weights that are not trained beside those that are."""
    return "norm" in step.operation.lower()


def _by_bits(weights: Iterable[Weight]) -> list[tuple[list[Weight], int | None]]:
    """Weights whose numbers have as many bits together, with these bits."""
    found: dict[int | None, list[Weight]] = {}
    for weight in weights:
        found.setdefault(weight.bits, []).append(weight)
    return [(own, bits) for bits, own in found.items()]


def _sizes(weights: Iterable[Weight]) -> tuple[int, int]:
    """How many numbers are trained, and how many are not."""
    sizes = [0, 0]
    for weight in weights:
        sizes[not weight.trained] += weight.size
    return sizes[0], sizes[1]


def _gives(layer: layers.Layer, shapes: list[Shape], step: Step, sizes: tuple[int, int]) -> bool:
    """Whether a layer gives what was recorded: shape, weights and multiply-accumulates."""
    inputs = [layers.Input(shape) for shape in shapes]
    try:
        made = layer(inputs if layer.MERGES or len(inputs) > 1 else inputs[0], **step.options)
        record: LayerRecord = Space(inputs=inputs, outputs=made).architecture().layers[-1]
    except ArchbudgetError:
        return False
    return (
        record.output_shape == tuple(step.shape)
        and (record.trainable_params, record.params - record.trainable_params) == sizes
        and record.macs == step.macs
    )


def for_one_input(shape: Sequence[int]) -> tuple[int, ...]:
    """The sides of a tensor for one input: the first axis is the batch where it has one place."""
    return tuple(shape[1:] if shape and shape[0] == 1 else shape)


def sides_of(given: Any, rank: int) -> Any:
    """One number, or one for each axis."""
    values = list(given) if isinstance(given, (list, tuple)) else [given]
    values = values * rank if len(values) == 1 else values
    return values[0] if len(set(values)) == 1 else tuple(values)


def keras_axis(axis: int, shape: Sequence[int]) -> int:
    """An axis as Keras counts it: a tensor whose first axis is not the batch has the batch in front of it."""
    axis %= len(shape)
    return axis if shape[0] == 1 else axis + 1


def einsum_macs(equation: str, shapes: Sequence[Sequence[int]]) -> int | None:
    """The multiply-accumulates of a sum of products of one or two tensors; `None` where they are not known.

    They are one for each combination of the letters, if a letter of both is summed. Without a sum the values are
    multiplied one by one, which does not count.
    """
    equation = equation.replace(" ", "")
    terms, arrow, target = equation.partition("->")
    read = terms.split(",")
    if "." in equation or len(shapes) > 2 or len(read) != len(shapes):
        return None
    if not arrow:
        joined = terms.replace(",", "")
        target = "".join(sorted(letter for letter in set(joined) if joined.count(letter) == 1))
    sides: dict[str, int] = {}
    for term, shape in zip(read, shapes, strict=True):
        if len(term) != len(shape):
            return None
        for letter, side in zip(term, shape, strict=True):
            sides[letter] = max(side, sides.get(letter, 1))
    if len(shapes) == 1:
        return 0
    # A letter of one factor alone that the output lacks is summed before anything is multiplied.
    kept = [letter for letter in sides if letter in target or all(letter in term for term in read)]
    return prod(sides[letter] for letter in kept) if any(letter not in target for letter in kept) else 0


def rearranged(read: Sequence[int], made: Sequence[int], ours: Sequence[int]) -> Callable[..., layers.Layer] | None:
    """The layer that gives values another shape, in the same order; `ours` is the shape without the batch."""
    if prod(read) != prod(made) or not ours:
        return None
    return layers.Flatten if len(ours) == 1 else partial(layers.Reshape, tuple(ours))


def transposed(read: Sequence[int], order: Sequence[int]) -> Callable[..., layers.Layer] | None:
    """The layer that gives axes another order."""
    moved = [axis for axis in order if read[axis] != 1]
    if moved == sorted(moved):
        ours = [read[axis] for axis in order]
        return partial(layers.Reshape, tuple(ours[1:] if ours[0] == 1 else ours))
    if read[0] == 1 and order[0] == 0:
        return partial(layers.Permute, tuple(order[1:]))
    return partial(layers.Permute, tuple(axis + 1 for axis in order)) if read[0] != 1 and read[order[0]] != 1 else None
