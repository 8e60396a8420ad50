"""A family of networks: its description, the diagram compiled from it, and what both say without candidates."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, cast

from archbudget._budget import BUILT_IN, Metrics
from archbudget._face import Faced
from archbudget._guard import answering, guards
from archbudget._message import grouped, listed, show, with_nearest
from archbudget._progress import reporting
from archbudget._records import unknown
from archbudget._unit import PLAIN
from archbudget.errors import ArchbudgetError, CountOverflowError, SpaceError
from archbudget.metrics import Metric
from archbudget.metrics._distinct import Collector
from archbudget.program import Transcript, Writer, comparable
from archbudget.space import description
from archbudget.space.columns import GAP, index_of
from archbudget.space.joining import Branches
from archbudget.space.rebuilding import Rebuilding, with_arguments
from archbudget.space.table import ABSENT

if TYPE_CHECKING:
    from typing_extensions import Self

    from archbudget._core import Diagram
    from archbudget._expressions import Decision, Expression, Scalar
    from archbudget._progress import ProgressLike
    from archbudget._records import LayerRecord, Use
    from archbudget._unit import Unit
    from archbudget.layers import Layer
    from archbudget.layers._base import TensorLike
    from archbudget.layers._structure import BlockLike, Sequential
    from archbudget.space.turns import Turn


_logger = logging.getLogger(__name__)

FEW_ARCS = 50_000
"""A space of at most so many arcs is counted where it is printed."""

SETTINGS = ("bytes_per_weight", "bytes_per_activation", "in_place")
"""What a definition says beside its layers, decisions, constraints and metrics."""


@dataclass(frozen=True)
class Compiled:
    """The result of compiling a family."""

    diagram: Diagram
    """The decision diagram, as far as the limits of the engine allow."""
    uses: tuple[Use, ...]
    """The layers, by their positions in the program."""
    outputs: tuple[int, ...]
    """The output tensors."""
    positions: Mapping[str, int]
    """The position of each decision, by its name."""
    names: tuple[str, ...]
    """The names of the decisions, by their positions."""
    metrics: tuple[str, ...]
    """All that the engine counts, by its position in costs."""
    units: Mapping[str, Unit]
    """The unit of each custom metric."""

    def unit(self, metric: str) -> Unit:
        """The unit of a metric."""
        return self.units.get(metric, PLAIN)

    def bounds(self, bounds: Mapping[str, tuple[Any, Any]]) -> dict[str, tuple[int, int]]:
        """Bounds of metrics as the engine compares them."""
        return {
            metric: (self.unit(metric).least(low), self.unit(metric).most(high))
            for metric, (low, high) in bounds.items()
        }


class _Decisions(dict[str, "Decision"]):
    """Decisions by name, equal to others of the same names and values; `==` of two decisions is a condition."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return self.keys() == other.keys() and all(comparable(each) == comparable(other[n]) for n, each in self.items())

    def __ne__(self, other: object) -> bool:
        return NotImplemented if not isinstance(other, Mapping) else not self == other

    __hash__ = None


def _refuse_positions(args: Sequence[object], named: Mapping[str, object]) -> None:
    """Answers arguments that are given by position.

    Raises:
        SpaceError: With the right spelling.
    """
    del named
    if len(args) > 2:  # The first one is the space.
        raise SpaceError("a graph is given by name, Space(inputs=x, outputs=y), and so is all but a list of layers")


@guards()
class Family(metaclass=Faced):
    """Layers whose hyperparameters may be open decisions, compiled into a decision diagram; see `Space`."""

    INTERNAL: ClassVar[tuple[str, ...]] = ("indices_of",)
    _OWN: ClassVar[tuple[str, ...]] = ()
    """The attributes that lead back to the very object."""

    @answering(_refuse_positions)
    def __init__(
        self,
        layers: Sequence[BlockLike] | None = None,
        *,
        inputs: TensorLike | Sequence[TensorLike] | None = None,
        outputs: TensorLike | Sequence[Any] | None = None,
        bytes_per_weight: int = 4,
        bytes_per_activation: int = 4,
        in_place: bool = True,
        domains: Mapping[str, Iterable[Scalar]] | None = None,
        constraints: Iterable[Expression] = (),
        metrics: Iterable[Metric] = (),
        name: str | None = None,
        progress: ProgressLike = None,
    ) -> None:
        compiling = reporting(progress)
        if (layers is None) == (inputs is None and outputs is None):
            raise SpaceError("a space is given as a list of layers, or as inputs and outputs, and not as both")
        self._name = None if name is None else description.require_title(name)
        for setting, count in (("bytes_per_weight", bytes_per_weight), ("bytes_per_activation", bytes_per_activation)):
            if isinstance(count, bool) or not isinstance(count, int):
                raise SpaceError(f"{setting} must be an integer, not {show(count)}")
            if count < 1:
                raise SpaceError(f"{setting} must be at least 1, not {show(count)}")
            if count >= 2**63:
                raise CountOverflowError(f"{setting} must be below 2^63, not {show(count)}")
        if not isinstance(in_place, bool):
            raise SpaceError(f"in_place must be True or False, not {show(in_place)}")
        sources, targets = description.graph(layers, inputs, outputs)
        kept = description.kept_domains(domains)
        self._constraints = description.conditions(constraints)
        self._custom = description.custom_metrics(metrics)
        self._definition: dict[str, Any] = {
            "layers": None if layers is None else cast("Sequential", targets[0].block).blocks,
            "inputs": tuple(sources) if layers is None else None,
            "outputs": tuple(targets) if layers is None else None,
            "bytes_per_weight": bytes_per_weight,
            "bytes_per_activation": bytes_per_activation,
            "in_place": in_place,
            "domains": kept,
            "constraints": self._constraints,
            "metrics": self._custom,
            "name": self._name,
        }
        write = partial(Writer, **{name: self._definition[name] for name in SETTINGS})
        writer = write(domains=kept, constraints=self._constraints, metrics=self._custom)
        try:
            returned = writer.write_graph(sources, targets)
        except RecursionError as error:
            raise SpaceError("the blocks of a space are nested too deeply, or without end") from error
        gone = {name: values for name, values in kept.items() if name not in writer.decisions}
        unread = [each for each in self._constraints if any(d.name not in writer.decisions for d in each.decisions())]
        if gone or unread or writer.unshared:
            # Their decisions disappeared with the structure around them, or never existed.
            whole = write(domains={})
            whole.write_graph(sources, targets)
            for message in whole.unshared:
                raise SpaceError(message)
            description.check_domains(whole.decisions, gone)
            for constraint in unread:
                description.check_constraint(whole.decisions, constraint)
        uses = tuple(writer.uses)
        self._size: int | None = None
        self._decisions: Mapping[str, Decision] = MappingProxyType(_Decisions(writer.decisions))
        self._domains = MappingProxyType(
            {
                name: decision.values
                for name, decision in writer.decisions.items()
                if len(decision.values) < len(writer.described[name].values)
            }
        )
        counted = (*BUILT_IN, *(metric.name for metric in self._custom))
        self._metrics = Metrics(counted, unknown(uses))
        for metric in self._custom:
            metric.check(uses, whole=not kept)
        with compiling:
            diagram = writer.program.compile()
        _log_limits(diagram, list(writer.decisions))
        self._compiled = Compiled(
            diagram,
            uses,
            tuple(returned),
            {name: position for position, name in enumerate(writer.decisions)},
            tuple(writer.decisions),
            counted,
            {metric.name: metric.unit for metric in self._custom},
        )
        if writer.measure is not None:
            writer.measure.settle()

    @property
    def name(self) -> str | None:
        """What the space is called in texts and figures, and in its file; `None` if it has no name."""
        return self._name

    def with_name(self, name: str | None) -> Self:
        """The same space under another name, or without one. O(1): it is not compiled anew.

        Raises:
            SpaceError: If it is no text of one line.

        Example:
            >>> import archbudget as ab
            >>> from archbudget import layers
            >>> ab.Space([layers.Input((8,)), layers.Dense(ab.Int("units", 1, 8))]).with_name("small")
            <Space small of 8 networks: 1 decisions, 2 layers>
        """
        title = None if name is None else description.require_title(name)
        made = object.__new__(type(self))
        kept = {key: value for key, value in vars(self).items() if key not in self._OWN}
        vars(made).update({**kept, "_name": title, "_definition": {**self._definition, "name": title}})
        return made

    @property
    def decisions(self) -> Mapping[str, Decision]:
        """The open decisions by name, in the order in which the description reaches them; a read-only mapping.

        In a graph that is the order in which its tensors were made.
        """
        return self._decisions

    @property
    def domains(self) -> Mapping[str, tuple[Scalar, ...]]:
        """The values of the restricted decisions, by name; see `with_domains`."""
        return self._domains

    def with_domains(self, domains: Mapping[str, Iterable[Scalar]]) -> Self:
        """A space with only some values of some decisions; earlier restrictions stay. It is compiled anew.

        Args:
            domains: The values to keep, by the name of the decision; other decisions keep all of theirs.

        Raises:
            SpaceError: If a name is not that of a decision of this space, or a value is not in its domain, or a
                decision has no value left.
            InvalidArchitectureError: If no network is left that can be built.

        Example:
            >>> import archbudget as ab
            >>> from archbudget import layers
            >>> space = ab.Space([layers.Input((8,)), layers.Dense(ab.Int("units", 8, 128, step=8))])
            >>> space.with_domains({"units": [8, 16, 24]}).decisions["units"]
            Int('units', 8, 24, step=8)
        """
        kept = description.kept_domains(domains)
        description.check_domains(self.decisions, kept)
        return self._with(domains={**self.domains, **kept})

    @property
    def constraints(self) -> tuple[Expression, ...]:
        """The conditions that hold in every network in which their decisions are active."""
        return self._constraints

    def with_constraints(self, constraints: Iterable[Expression]) -> Self:
        """A space with further conditions between decisions, beside the present ones. It is compiled anew.

        Args:
            constraints: The conditions, as in `Space(constraints=...)`; they read the decisions in `decisions`.

        Raises:
            SpaceError: If one is not a condition, or reads anything but decisions of this space.
            InvalidArchitectureError: If no network is left that can be built.

        Example:
            >>> import archbudget as ab
            >>> from archbudget import layers
            >>> block = layers.Dense(ab.Int("units", 1, 3))
            >>> space = ab.Space([layers.Input((8,)), layers.Repeat(2, block)])
            >>> first, second = space.decisions["units_1"], space.decisions["units_2"]
            >>> space.with_constraints([first <= second]).size
            6
        """
        more = description.conditions(constraints)
        description.check_names(
            self.decisions, [decision.name for each in more for decision in each.decisions()], "constraints"
        )
        return self._with(domains=dict(self.domains), constraints=self.constraints + more)

    @property
    def metrics(self) -> Metrics:
        """The names of what is counted: the built-in metrics, and the custom metrics of the space.

        Without MACs and peak activations where a side of an input is unknown.
        """
        return self._metrics

    def with_metrics(self, metrics: Iterable[Metric]) -> Self:
        """A space with further metrics. It is compiled anew; each metric is asked once for each distinct layer.

        Args:
            metrics: The custom metrics.

        Raises:
            SpaceError: If two metrics have one name, or the function of one fails.
            MissingEntryError: If a latency table has no entry for a layer.

        Example:
            >>> import archbudget as ab
            >>> from archbudget import layers
            >>> space = ab.Space([layers.Input((8,)), layers.Repeat(ab.Int("depth", 1, 3), layers.Dense(8))])
            >>> space.with_metrics([ab.metrics.weighted_layers()]).range("weighted_layers")
            (1, 3)
        """
        return self._with(metrics=(*self._custom, *description.custom_metrics(metrics)))

    def with_sides(self, sides: Mapping[str, Sequence[Any]] | Sequence[Any]) -> Self:
        """A space whose inputs have other shapes: sides that were unknown, or other ones. It is compiled anew.

        Args:
            sides: The shape of each input that changes, by its name; of the only input also by itself. A side is an
                integer, a decision or an expression over decisions, or `None` for one that is unknown.

        Raises:
            SpaceError: If no input has a name, none is given, or a shape is none.
            InvalidArchitectureError: If no network can be built on these inputs.

        Example:
            >>> import archbudget as ab
            >>> from archbudget import layers
            >>> image = layers.Input((None, None, 3), name="image")
            >>> space = ab.Space([image, layers.Conv2D(8, 3), layers.GlobalAveragePooling2D(), layers.Dense(10)])
            >>> space.architecture().macs is None
            True
            >>> space.with_sides({"image": (32, 32, 3)}).architecture().macs
            194480
            >>> space.with_sides((ab.Int("side", 24, 32), 32, 3)).range("macs")
            (142640, 194480)
        """
        inputs = {use.name: use.layer for use in self._compiled.uses if use.layer.kind == "Input"}
        if not isinstance(sides, Mapping):
            if len(inputs) > 1:
                raise SpaceError(f"with_sides takes a shape for each of {listed(inputs)}, by name, not {show(sides)}")
            sides = dict.fromkeys(inputs, sides)
        if not sides:
            raise SpaceError(f"with_sides takes the shape of at least one input; the inputs are {listed(inputs)}")
        for name in sides:
            if name not in inputs:
                raise SpaceError(f"no input is named {with_nearest(name, inputs)}; the inputs are {listed(inputs)}")
        shapes = {inputs[name]: shape for name, shape in sides.items()}

        def change(layer: Layer, _: Layer) -> Layer:
            return with_arguments(layer, {"shape": shapes[layer]}) if layer in shapes else layer

        return self._described(Rebuilding(change).definition(self._definition))

    def distinct_layers(self) -> list[LayerRecord]:
        """Each distinct layer of the space, once; see [`metrics.distinct_layers`][archbudget.metrics.distinct_layers].

        It compiles the space once more.

        Raises:
            LimitError: If the space is too wide to look at every arc.
        """
        collector = Collector()
        self._with(metrics=(Metric("distinct", collector),)).range("params")
        return list(collector.found.values())

    def _with(self, **changes: Any) -> Self:
        """The family with another part of its definition."""
        return self._described({**self._definition, **changes})

    def _described(self, definition: dict[str, Any]) -> Self:
        """The family of a definition."""
        return type(self)(**definition)

    @property
    def size(self) -> int:
        """The exact number of distinct networks that can be built. O(arcs) the first time.

        Candidates that differ in inactive decisions only are one network, and candidates that cannot be built are none.

        Raises:
            LimitError: If the space is too wide to be counted.
        """
        if self._size is None:
            self._size = self._compiled.diagram.size()
        return self._size

    @property
    def combinations(self) -> int:
        """The number of combinations of values: the product of the sizes of all domains. O(D)."""
        product = 1
        for decision in self.decisions.values():
            product *= len(decision.values)
        return product

    @property
    def layer_names(self) -> tuple[str, ...]:
        """The names of the layers, each once, in the order of the description."""
        return tuple(use.name for use in self._compiled.uses)

    def range(self, metric: str) -> tuple[Any, Any]:
        """The smallest and the largest value of a metric over all networks. O(arcs) the first time.

        Raises:
            SpaceError: If there is no such metric.
            LimitError: If the space is too wide to look at every arc.
        """
        description.check_metrics(self.metrics, [metric])
        low, high = self._compiled.diagram.range(metric)
        unit = self._compiled.unit(metric)
        return unit.number(low), unit.number(high)

    def __repr__(self) -> str:
        """The size of the space, if it is known or takes some milliseconds; otherwise an upper bound of it."""
        if "_compiled" not in vars(self):
            return "<Space that is not made yet>"
        if self._size is None and sum(arcs for _, _, arcs, _ in self._compiled.diagram.stages()) <= FEW_ARCS:
            with suppress(ArchbudgetError):
                self._size = self.size
        size = f"at most {grouped(self.combinations)}" if self._size is None else grouped(self._size)
        called = "" if self.name is None else f"{self.name} "
        return f"<Space {called}of {size} networks: {len(self.decisions)} decisions, {len(self._compiled.uses)} layers>"

    def __eq__(self, other: object) -> bool:
        """Whether another space has the same description: equal layers, decisions, constraints and metrics, in order.

        The functions of custom layers and metrics must be equal, too, and the arguments that only Keras or PyTorch
        read. Its name makes no difference.
        """
        if not isinstance(other, Family):
            return NotImplemented
        return self is other or (hash(self) == hash(other) and self._written == other._written)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.layer_names, self.metrics, *((name, each.values) for name, each in self.decisions.items())))

    @cached_property
    def _written(self) -> tuple[object, ...]:
        """Everything that the description writes into a program, in a form that can be compared."""
        definition = self._definition
        sources, targets = description.graph(*(definition[part] for part in ("layers", "inputs", "outputs")))
        settings = {name: definition[name] for name in SETTINGS}
        transcript = Transcript()
        writer = Writer(
            **settings,
            domains=definition["domains"],
            constraints=self._constraints,
            metrics=self._custom,
            transcript=transcript,
        )
        writer.write_graph(sources, targets)
        decisions = [(name, comparable(each)) for name, each in self.decisions.items()]
        return (transcript.lines, decisions, [comparable(use.layer) for use in writer.uses], settings, self._custom)

    def indices_of(self, values: Mapping[str, Any]) -> list[int | None]:
        """The index of each decision's value among those given; `None` where none is given, or what is no value."""
        if not isinstance(values, Mapping):
            raise SpaceError(f"values are given by a mapping from decisions, not by {show(values)}")
        indices = (index_of(each, values.get(name, ABSENT)) for name, each in self.decisions.items())
        return [None if index == GAP else index for index in indices]


def turns_of(family: Family) -> Turn | None:
    """What a trial is asked for, if the family is all that a function returns."""
    outputs = family._definition["outputs"] or ()
    return next((each.block.turns for each in outputs if isinstance(each.block, Branches)), None)


def customs(space: Family) -> Mapping[str, Metric]:
    """The custom metrics of a space by their names."""
    return {metric.name: metric for metric in space._custom}


def compiled(family: Family) -> Compiled:
    """The result of compiling a family, for the modules above this one."""
    return family._compiled


def _log_limits(diagram: Diagram, names: Sequence[str]) -> None:
    """Says where a diagram was too large to be stored, or to be compiled to its end; `names` are the decisions."""
    beyond = diagram.beyond()
    if beyond is not None:
        _logger.info("open: %s", beyond)
        return
    for decision, nodes, arcs, stored in diagram.stages():
        if not stored:
            _logger.info(
                "implicit: the %s arcs of decision '%s' (%s states) are not stored, but computed again whenever they "
                "are looked at",
                f"{arcs:,}",
                names[decision],
                f"{nodes:,}",
            )


def definition(family: Family) -> Mapping[str, Any]:
    """The arguments of `Space` that describe a family, for the modules above this one."""
    return MappingProxyType(family._definition)


def difference(first: Family, second: Family) -> str:
    """The first part in which two families that are not equal differ, and what it is in each."""
    if first.name != second.name:
        return f"the name ({show(first.name)}, {show(second.name)})"
    (one_steps, one_decisions, one_layers, one_settings, _), (_, decisions, layers, settings, _) = (
        cast("tuple[Any, ...]", each._written) for each in (first, second)
    )
    for one, other in zip(one_decisions, decisions, strict=False):
        if one != other:
            return f"decision '{one[0]}'"
    if len(one_decisions) != len(decisions) or len(one_layers) != len(layers):
        return "the number of decisions or layers"
    for use, one, again, other in zip(compiled(first).uses, one_layers, compiled(second).uses, layers, strict=True):
        if one == other:
            continue
        given, read = use.layer.arguments(), again.layer.arguments()
        for name in given:
            if comparable(given[name]) != comparable(read.get(name)):
                return f"the argument {name} of layer '{use.name}' ({show(given[name])}, {show(read.get(name))})"
        return f"layer '{use.name}'"
    if one_settings != settings:
        return "a setting of bytes or in_place"
    return "a custom metric" if first._custom != second._custom else f"the order of its {len(one_steps)} steps"


def require_family(value: object, what: str) -> None:
    """Refuses a value that is not a space.

    Raises:
        SpaceError: With the name of what needs one.
    """
    if not isinstance(value, Family):
        raise SpaceError(f"{what} needs a Space, not {show(value)}")
