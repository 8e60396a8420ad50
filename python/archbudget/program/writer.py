"""Writing a description of networks into a program of the engine."""

from __future__ import annotations

import re
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from archbudget._core import Program
from archbudget._expressions import Expression, as_written, lower
from archbudget._message import show
from archbudget._records import Use
from archbudget.errors import SpaceError
from archbudget.layers._base import require_steps
from archbudget.program.measure import Measure
from archbudget.program.transcript import comparable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from archbudget._expressions import Decision, Scalar
    from archbudget._records import Place
    from archbudget.layers._base import Atom, Block, Guard, Layer, Ranges, Repetition, Tensor
    from archbudget.metrics import Metric
    from archbudget.program.transcript import Transcript

Key = tuple["Layer", tuple[tuple["Block", int], ...]]
"""A layer, and the repetitions that have one of their own."""


@cache
def snake_case(kind: str) -> str:
    """`MaxPooling2D` becomes `max_pooling2d`, as Keras does it."""
    name = re.sub(r"\W+", "", kind)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


class Writer:
    """Writes blocks into a program, and remembers what the engine does not need: layers, names and values.

    Args:
        bytes_per_weight: The bytes of a weight.
        bytes_per_activation: The bytes of a value of an activation.
        in_place: Whether the layers that can work in place do.
        domains: For some decisions, by their names in the space, the only values to keep.
        constraints: The constraints; each binds where all decisions that it reads are active.
        metrics: The custom metrics.
        transcript: The transcript that also gets everything that is written.
    """

    def __init__(
        self,
        *,
        bytes_per_weight: int,
        bytes_per_activation: int,
        in_place: bool,
        domains: Mapping[str, Sequence[Scalar]],
        constraints: Sequence[Expression] = (),
        metrics: Sequence[Metric] = (),
        transcript: Transcript | None = None,
    ) -> None:
        self.decisions: dict[str, Decision] = {}
        self.described: dict[str, Decision] = {}
        """The decisions as they are described, with all of their values."""
        self.uses: list[Use] = []
        self.measure = Measure(metrics, self.uses, self.decisions) if metrics else None
        self.program = Program(
            bytes_per_weight=bytes_per_weight,
            bytes_per_activation=bytes_per_activation,
            in_place=in_place,
            metrics=[(metric.name, metric.combine == "max") for metric in metrics],
            measure=self.measure,
        )
        if transcript is not None:
            self.program = transcript.of(self.program)
        self._domains = domains
        self.positions: dict[str, int] = {}
        """The position of each decision in the program."""
        self._names: set[str] = set()
        self._counts: dict[str, int] = {}
        """For each stem of an automatic name, how many layers have it."""
        self._layers: dict[Key, int] = {}
        self._owners: dict[Key, int] = {}
        """For each layer with weights the first of its calls that differ in their options."""
        self._places: dict[Key, Place] = {}
        """Where the weights of each layer, or layer inside, were described first."""
        self._set: dict[Key, tuple[object, object]] = {}
        """What the layers around it said there of its weights."""
        self._held: dict[Key, str] = {}
        """The names of layers that were first met inside others."""
        self._repetitions: list[Repetition] = []
        self._constraints: dict[str, list[Expression]] = {}
        """The constraints that read a decision, by its name in the space."""
        for constraint in constraints:
            for name in {decision.name for decision in constraint.decisions()}:
                self._constraints.setdefault(name, []).append(constraint)
        self.unshared: list[str] = []
        """What `untied` was told."""
        self._steps = 0
        self._taken: dict[str, list[Guard]] = {}
        """For each constrained decision the guards of the steps that may be the first to take it."""

    def name_of(self, decision: Decision) -> str:
        """The name of a decision in the space: each repetition around it appends its number, unless it shares it."""
        return decision.name if decision.is_one else decision.name + self._suffix(decision.name)

    def _own(self, what: str | Layer) -> list[Repetition]:
        """The current repetitions that do not share a decision, given by name, or a layer."""
        for repetition in self._repetitions:
            repetition.found.add(what)
        return [repetition for repetition in self._repetitions if what not in repetition.shared]

    def _suffix(self, what: str | Layer) -> str:
        return "".join(repetition.suffix for repetition in self._own(what))

    def position(self, decision: Decision) -> int:
        """The position of a decision in the program; the first use adds it."""
        name = self.name_of(decision)
        first = self.described.get(name)
        if first is not None:
            if first is not decision and (first.keys, first.values) != (decision.keys, decision.values):
                raise _different(name, first, decision)
            return self.positions[name]
        kept = self._domains.get(name)
        left = decision if kept is None and decision.name == name else decision.narrowed(name, kept)
        self.positions[name] = self.program.decision(name, len(left.values))
        self.described[name] = decision
        self.decisions[name] = left
        return self.positions[name]

    def values(self, decision: Decision) -> tuple[Scalar, ...]:
        """The kept values of a decision, in the order of their indices."""
        self.position(decision)
        return self.decisions[self.name_of(decision)].values

    def kept(self, decision: Decision) -> tuple[int, ...] | None:
        """The indices of the kept values of a decision; `None` if all are kept."""
        left = self.values(decision)
        return None if len(left) == len(decision.values) else tuple(map(decision.index, left))

    def atom(self, decision: Decision, allowed: Ranges) -> Atom:
        """A condition on a decision."""
        return (self.position(decision), allowed)

    def read(self, decision: Decision, guard: Guard) -> None:
        """Takes a decision at this step, even if no shape or cost depends on it."""
        self.program.read(guard, self.position(decision))
        self._constrain([decision], guard)

    def require(self, condition: Expression, guard: Guard, source: int | None = None) -> None:
        """Takes the decisions of a condition, which may read a tensor, here, and refuses what does not meet it."""
        lowered = condition.lower(self)
        names = {decision.name: self.name_of(decision) for decision in condition.decisions()}
        self.program.require(guard, lowered, source, as_written(condition, names), asks=True)
        self._constrain(condition.decisions(), guard)

    def _constrain(self, taken: Iterable[Decision], guard: Guard) -> None:
        """Writes the constraints that a step may decide which takes decisions behind a guard."""
        due: dict[int, Expression] = {}
        for decision in taken:
            name = self.name_of(decision)
            if name not in self._constraints:
                continue
            before = self._taken.setdefault(name, [])
            if any(all(atom in guard for atom in earlier) for earlier in before):
                continue  # An earlier step takes it whenever this one is reached.
            before.append(guard)
            due |= {id(constraint): constraint for constraint in self._constraints[name]}
        if not due:
            return
        for constraint in due.values():
            names = {decision.name: decision.name for decision in constraint.decisions()}
            if all(name in self.decisions for name in names):
                lowered = constraint.lower(_Outermost(self))
                self.program.require(guard, lowered, None, as_written(constraint, names), asks=False)

    def untied(self, message: str) -> None:
        """Notes that a block shares what it does not have, as far as it is written."""
        self.unshared.append(message)

    def tensor(self) -> int:
        """A tensor that several steps may write."""
        return self.program.tensor()

    def alias(self, source: int, target: int, guard: Guard) -> None:
        """Gives a tensor a second name."""
        self.program.alias(guard, source, target)

    @contextmanager
    def repetition(self, repetition: Repetition) -> Iterator[None]:
        """In its context, layers and decisions belong to the repetition, unless it shares them."""
        self._repetitions.append(repetition)
        try:
            yield
        finally:
            self._repetitions.pop()

    def apply(self, layer: Layer, inputs: Sequence[int], guard: Guard, outputs: int = 1) -> tuple[int, ...]:
        """Applies a layer; the second time in the same repetition its weights are shared."""
        self._steps += 1
        require_steps(self._steps, "the space")
        owner = layer.weights_of
        repetitions = self._repeated(owner)
        position = self._layers.get((layer, repetitions))
        if position is None:
            first = self._owners.get((owner, repetitions))
            if first is None:
                self._name_inside(owner)
                name = weights = self._held.get((owner, repetitions)) or self._layer_name(owner)
            else:
                weights = self.uses[first].weights
                name = self._call_name(layer, weights)
            position, values = layer.declare(self, name)
            if first is None:
                self._owners[owner, repetitions] = position
            place = self._place((owner, repetitions), (position, 0), ())
            inside = self._hold(owner, position)
            if layer.masks:
                self.program.mask(position, layer.masks)
            # A metric may read arguments that touch neither shape nor cost; otherwise their decisions are only taken.
            notes = [self.position(decision) for decision in layer.other_decisions()] if self.measure else []
            trains = layer.trainable if isinstance(layer.trainable, Expression) else None
            if layer.weight_bits is not None or trains is not None or notes:
                self.program.annotate(position, lower(layer.weight_bits, self), lower(trains, self), notes)
            names = {decision.name: self.name_of(decision) for decision in layer.all_decisions()}
            names |= {parameter.name: parameter.name for parameter in layer.all_parameters()}
            self.uses.append(Use(layer, name, names, values, weights, place, inside))
            self._layers[layer, repetitions] = position
        elif self._repetitions:
            # The repetitions around this use have its decisions, too.
            for decision in layer.all_decisions():
                self._own(decision.name)
        if self.measure is None:
            for decision in layer.other_decisions():
                self.program.read(guard, self.position(decision))
        made = self.program.apply(guard, position, list(inputs), outputs)
        if self._constraints:
            self._constrain(layer.all_decisions(), guard)
        return tuple(made)

    def _repeated(self, layer: Layer) -> tuple[tuple[Block, int], ...]:
        """The current repetitions that have a layer of their own."""
        return tuple((repetition.block, repetition.number) for repetition in self._own(layer))

    def _place(self, key: Key, place: Place, around: tuple[Layer, ...]) -> Place:
        """Where the weights of a layer were described first; if not here, the program is told that they are the same.

        Raises:
            SpaceError: If the layers around it say something else of its weights than there.
        """
        said = (self._said(self._frozen(around)), self._said(self._bits(key[0], around)))
        first = self._places.setdefault(key, place)
        before = self._set.setdefault(key, said)
        if first != place:
            self.program.share(place, first)
        for name, one, other in zip(("trainable", "weight_bits"), before, said, strict=True):
            if one != other and not (name == "trainable" and key[0].trainable is False):
                raise SpaceError(
                    f"the weights of {show(key[0])} are used more than once, and the layers around it differ in their "
                    f"{name}; give {name} to the {key[0].kind} itself"
                )
        return first

    @staticmethod
    def _frozen(around: tuple[Layer, ...]) -> object:
        """What layers around another one say of its `trainable`."""
        given = [each.trainable for each in around if each.trainable is not True]
        return False if any(each is False for each in given) else tuple(given)

    @staticmethod
    def _bits(layer: Layer, around: tuple[Layer, ...]) -> object:
        """The `weight_bits` of a layer, or of the innermost one around it that has them."""
        given = [each.weight_bits for each in (*around, layer) if each.weight_bits is not None]
        return given[-1] if given else None

    def _said(self, value: object) -> object:
        """An argument in a form that is equal where it says the same."""
        if isinstance(value, tuple):
            return tuple(map(self._said, value))
        if isinstance(value, Expression):
            return (comparable(value), tuple(self.name_of(decision) for decision in value.decisions()))
        return value

    def _hold(self, layer: Layer, position: int) -> dict[Layer, Place]:
        """Describes the inner layers of a layer, and returns the places of their weights."""
        places: dict[Layer, Place] = {}
        for number, (each, around, copied) in enumerate(layer.members(), 1):
            if each is None:
                continue
            if each.weight_bits is not None:
                self.program.annotate_inside((position, number), lower(each.weight_bits, self))
            key = (each.weights_of, self._repeated(each.weights_of))
            if not copied:
                places[each] = self._place(key, (position, number), around)
        return places

    def _name_inside(self, layer: Layer) -> None:
        """Gives names to the inner layers of a layer, as in Keras in the order in which they are made."""
        for each in layer.inside():
            owner = each.weights_of
            key = (owner, self._repeated(owner))
            if key in self._held or key in self._owners:
                continue
            self._name_inside(owner)
            if owner.name is None:
                self._held[key] = self._layer_name(owner)

    def _layer_name(self, layer: Layer) -> str:
        if layer.name is not None:
            name = layer.name + self._suffix(layer)
            if name in self._names:
                raise SpaceError(f"two layers are named '{name}'")
        else:
            stem = layer.STEM or snake_case(layer.kind)
            count = self._counts.get(stem, 0)
            while (name := stem if count == 0 else f"{stem}_{count}") in self._names:
                count += 1
            self._counts[stem] = count + 1
        self._names.add(name)
        return name

    def _call_name(self, layer: Layer, weights: str) -> str:
        """The name of further calls of a layer, with other options: `attention(use_causal_mask=True)`."""
        given = {name: getattr(layer, name) for name in layer.CALL if getattr(layer, name) is not False}
        if layer.training_mode is not None:
            given["training"] = layer.training_mode
        shown = ", ".join([*(f"{name}={show(value)}" for name, value in given.items()), *layer.masks])
        name, number = f"{weights}({shown})", 1
        while name in self._names:
            number += 1
            name = f"{weights}({shown})_{number}"
        self._names.add(name)
        return name

    def write_graph(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[int]:
        """Writes everything between the inputs and the outputs, and returns the tensors of the outputs.

        Tensors are written in the order in which they were made.
        """
        sources = set(inputs)
        leading: dict[Tensor, None] = {}
        waiting = list(outputs)
        while waiting:
            tensor = waiting.pop()
            first = tensor.made_with or tensor
            if first not in sources and first not in leading:
                leading[first] = None
                waiting.extend(first.inputs)
        require_steps(sum(tensor.block.steps for tensor in (*inputs, *leading)), "the space")
        written = {tensor: tensor.block.write_all(self, (), []) for tensor in inputs}

        def find(tensor: Tensor) -> int:
            return written[tensor.made_with or tensor][tensor.place]

        for tensor in sorted(leading, key=lambda tensor: tensor.number):
            if not tensor.inputs:
                raise SpaceError(f"{show(tensor.block)} leads to the outputs, but is not among the inputs")
            written[tensor] = tensor.block.write_all(self, [find(source) for source in tensor.inputs], [])
        self._check_batches()
        returned = [find(output) for output in outputs]
        self.program.returns(returned)
        return returned

    def _check_batches(self) -> None:
        """Refuses a layer that needs the size of a batch, if an input does not have it."""
        sizes = {use.layer.arguments()["batch_size"] for use in self.uses if use.layer.kind == "Input"}
        for use in self.uses:
            if use.layer.needs_batch_size and (None in sizes or len(sizes) > 1):
                raise SpaceError(
                    f"layer '{use.name}' ({use.layer.kind}): with stateful=True each Input needs the same "
                    f"batch_size, for which Keras makes the states; given {show(sorted(sizes, key=str))}"
                )


class _Outermost:
    """The scope of constraints: decisions have their names in the space, and at least the kept values."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def position(self, decision: Decision) -> int:
        """The position of a decision that the program has."""
        first = self._writer.described[decision.name]
        if not self._writer.decisions[decision.name].keys <= decision.keys <= first.keys:
            raise _different(decision.name, first, decision)
        return self._writer.positions[decision.name]

    def values(self, decision: Decision) -> tuple[Scalar, ...]:
        """The kept values of a decision."""
        return self._writer.decisions[decision.name].values


def _different(name: str, first: Decision, second: Decision) -> SpaceError:
    return SpaceError(
        f"two decisions are named '{name}', with different values: {show(first)} and {show(second)}; rename one, or "
        "give both the same values to tie them"
    )
