"""Spaces: a family of networks, described once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from archbudget import _core
from archbudget._architecture import Architecture
from archbudget._budget import BUILT_IN, Budget, require_metrics
from archbudget._candidates import (
    Candidates,
    CandidatesLike,
    Evaluation,
    LayerEvaluation,
    as_array,
    check_indices,
    empty_columns,
    unchecked,
)
from archbudget._distribution import Distribution
from archbudget._expressions import MOST_VALUES, as_condition, as_written
from archbudget._guard import guards, has
from archbudget._message import listed, show
from archbudget._program import Writer
from archbudget._regular import path_of
from archbudget.errors import CountOverflowError, SpaceError
from archbudget.layers._base import Layer, as_tensor, flat, made_of
from archbudget.layers._structure import BlockLike, Sequential
from archbudget.metrics import Metric

if TYPE_CHECKING:
    import os

    import numpy.typing as npt
    import optuna

    from archbudget._constraint import Constraint
    from archbudget._describe import Description
    from archbudget._expressions import Decision, Expression, Scalar
    from archbudget._feasible import FeasibleSet
    from archbudget.layers._base import Tensor, TensorLike


MOST_THREADS = 1024


@guards(but=["suggest"])  # A trial raises what its storage does, and what prunes it.
class Space:
    """A family of networks: layers whose hyperparameters may be open decisions.

    It is compiled into a decision diagram at once; a space that exists is valid.

    Args:
        layers: The layers in a row, an `Input` first; blocks such as `Repeat` and `OneOf` count as layers.
        inputs: The input of a graph, or its inputs, if `layers` is not given.
        outputs: The tensor that the graph makes, or tensors, nested or not.
        bytes_per_weight: What a weight takes in `weight_bytes`: 4 for float32, 1 for int8.
        bytes_per_activation: What a value takes in `peak_activation_bytes`.
        domains: For some decisions, by their names in the space, the only values to keep. The space is the one that
            would have been described with these values: layers and decisions that no network reaches any more are gone.
        constraints: Conditions between decisions, such as `width1 <= width2`, `equal(a, b)`, `either(a <= 3, b > 1)`.
            Only networks that meet them can be built. A constraint binds where all decisions that it reads are active;
            it is checked as soon as the last of them is taken, and until then the diagram tells their values apart.
            Decisions go by their names in the space: those within a `Repeat` are `width_1`, `width_2`, ...
        metrics: What is counted beside the built-in metrics: each a [`Metric`][archbudget.Metric].

    Raises:
        SpaceError: If the description is not well formed, or `domains` names what is not a decision or not a value of
            it, or leaves a decision without values, or a constraint reads what is not a decision.
        InvalidArchitectureError: If no network of the space can be built; the message has the reason.
        CountOverflowError: If a count of some network would reach 2^63.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> space = ab.Space([
        ...     layers.Input((28, 28, 1)),
        ...     layers.Conv2D(ab.Choice("filters", [8, 16, 32]), 5),
        ...     layers.Flatten(),
        ...     layers.Dense(10),
        ... ])
        >>> space.size
        3
        >>> space.architecture(filters=8).params
        46298
    """

    def __init__(
        self,
        layers: Sequence[BlockLike] | None = None,
        *,
        inputs: TensorLike | Sequence[TensorLike] | None = None,
        outputs: Tensor | Sequence[Tensor] | None = None,
        bytes_per_weight: int = 4,
        bytes_per_activation: int = 4,
        domains: Mapping[str, Iterable[Scalar]] | None = None,
        constraints: Iterable[Expression] = (),
        metrics: Iterable[Metric] = (),
    ) -> None:
        if (layers is None) == (inputs is None and outputs is None):
            raise SpaceError("a space is given as a list of layers, or as inputs and outputs, and not as both")
        for name, count in (("bytes_per_weight", bytes_per_weight), ("bytes_per_activation", bytes_per_activation)):
            if isinstance(count, bool) or not isinstance(count, int):
                raise SpaceError(f"{name} must be an integer, not {show(count)}")
            if count < 1:
                raise SpaceError(f"{name} must be at least 1, not {show(count)}")
            if count >= 2**63:
                raise CountOverflowError(f"{name} must be below 2^63, not {show(count)}")
        sources, targets = _graph(layers, inputs, outputs)
        kept = _domains(domains)
        self._constraints = _conditions(constraints)
        self._own_metrics = _own_metrics(metrics)
        self._metrics = (*BUILT_IN, *(metric.name for metric in self._own_metrics))
        self._definition = {
            "layers": None if layers is None else cast("Sequential", targets[0].block).blocks,
            "inputs": tuple(sources) if layers is None else None,
            "outputs": tuple(targets) if layers is None else None,
            "bytes_per_weight": bytes_per_weight,
            "bytes_per_activation": bytes_per_activation,
            "domains": kept,
            "constraints": self._constraints,
            "metrics": self._own_metrics,
        }
        write = partial(Writer, bytes_per_weight=bytes_per_weight, bytes_per_activation=bytes_per_activation)
        writer = write(domains=kept, constraints=self._constraints, metrics=self._own_metrics)
        try:
            self._outputs = tuple(writer.write_graph(sources, targets))
        except RecursionError as error:
            raise SpaceError("the blocks of a space are nested too deeply, or without end") from error
        gone = {name: values for name, values in kept.items() if name not in writer.decisions}
        unread = [each for each in self._constraints if any(d.name not in writer.decisions for d in each.decisions())]
        if gone or unread:
            # Their decisions went with the structure around them, or have never been there.
            whole = write(domains={})
            whole.write_graph(sources, targets)
            _check_domains(whole.decisions, gone)
            for constraint in unread:
                _check_constraint(whole.decisions, constraint)
        self._uses = tuple(writer.uses)
        self._decisions: Mapping[str, Decision] = MappingProxyType(writer.decisions)
        self._names = tuple(writer.decisions)
        self._domains = MappingProxyType(
            {
                name: decision.values
                for name, decision in writer.decisions.items()
                if len(decision.values) < len(writer.described[name].values)
            }
        )
        self._positions = {name: position for position, name in enumerate(writer.decisions)}
        for metric in self._own_metrics:
            metric.check(self._uses, whole=not kept)
        self._diagram = writer.program.compile()
        if writer.measure is not None:
            writer.measure.settle()

    @classmethod
    def load(cls, file: str | os.PathLike[str], *, code: bool = True) -> Space:
        """Reads a space file, as the command line does: YAML that describes layers and decisions, with its metrics.

        A space file may name Python (layers, metrics and other spaces as `module:attribute`), which is imported and
        called: a file is to be trusted as a program is.

        Args:
            file: The file, at most 1 MiB of UTF-8.
            code: Whether what the file names as `module:attribute` may be imported and called. Without it such a file
                is refused, and reading runs nothing but archbudget.

        Raises:
            SpaceError: If there is no such file, or it is not well formed, or names Python where it must not; with the
                line and the place in it.
            InvalidArchitectureError: If no network of the space can be built.
        """
        from archbudget import _spacefile

        if not isinstance(code, bool):
            raise SpaceError(f"code must be True or False, not {show(code)}")
        return _spacefile.read(Path(path_of(file)), code=code).space

    @property
    def decisions(self) -> Mapping[str, Decision]:
        """The open decisions by name, in the order in which the description meets them.

        In a graph that is the order in which its tensors were made.
        """
        return self._decisions

    @property
    def domains(self) -> Mapping[str, tuple[Scalar, ...]]:
        """The values of the decisions of which only some are kept, by name; see `with_domains`."""
        return self._domains

    def with_domains(self, domains: Mapping[str, Iterable[Scalar]]) -> Space:
        """The space with only some values of some decisions; what is restricted already stays so.

        Args:
            domains: The values to keep, by the name of the decision; other decisions keep all of theirs.

        Raises:
            SpaceError: If it names what is not a decision of this space or not a value of it, or leaves a decision
                without values.
            InvalidArchitectureError: If no network is left that can be built.

        Example:
            >>> import archbudget as ab
            >>> from archbudget import layers
            >>> space = ab.Space([layers.Input((8,)), layers.Dense(ab.Int("units", 8, 128, step=8))])
            >>> space.with_domains({"units": [8, 16, 24]}).decisions["units"]
            Int('units', 8, 24, step=8)
        """
        kept = _domains(domains)
        _check_domains(self.decisions, kept)
        return _restore({**self._definition, "domains": {**self.domains, **kept}})

    @property
    def constraints(self) -> tuple[Expression, ...]:
        """The conditions between decisions that every network meets in which these are active."""
        return self._constraints

    def with_constraints(self, constraints: Iterable[Expression]) -> Space:
        """The space with further conditions between decisions; those there already stay.

        Args:
            constraints: The conditions, as those of `Space(constraints=...)`; `decisions` has what they may read.

        Raises:
            SpaceError: If one is not a condition, or reads what is not a decision of this space.
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
        more = _conditions(constraints)
        self._check_names([decision.name for each in more for decision in each.decisions()], "constraints")
        return _restore({**self._definition, "domains": dict(self.domains), "constraints": self.constraints + more})

    @property
    def metrics(self) -> tuple[str, ...]:
        """What is counted: the built-in metrics, and those of the space's own."""
        return self._metrics

    def with_metrics(self, metrics: Iterable[Metric]) -> Space:
        """The space with further metrics.

        Raises:
            SpaceError: If two metrics have one name, or one fails.
            MissingEntryError: If a latency table has no entry for a layer.

        Example:
            >>> import archbudget as ab
            >>> from archbudget import layers
            >>> space = ab.Space([layers.Input((8,)), layers.Repeat(ab.Int("depth", 1, 3), layers.Dense(8))])
            >>> space.with_metrics([ab.metrics.weighted_layers()]).range("weighted_layers")
            (1, 3)
        """
        return _restore({**self._definition, "metrics": (*self._own_metrics, *_own_metrics(metrics))})

    def _measured_by(self, metric: Metric) -> Space:
        """The space with one metric beside the built-in ones, and none of its own."""
        return _restore({**self._definition, "metrics": (metric,)})

    @property
    def size(self) -> int:
        """The exact number of distinct networks that can be built.

        Inactive decisions do not multiply it, and candidates that cannot be built are not in it.

        Raises:
            LimitError: If the space is too wide to be counted.
        """
        return self._diagram.size()

    @property
    def combinations(self) -> int:
        """The number of combinations of values: what `size` would be if every one were a network of its own."""
        product = 1
        for decision in self.decisions.values():
            product *= len(decision.values)
        return product

    @property
    def layer_names(self) -> tuple[str, ...]:
        """The layers by name, each once, in the order of the description."""
        return tuple(use.name for use in self._uses)

    def range(self, metric: str) -> tuple[int, int]:
        """The smallest and the largest value of a metric over all networks. O(arcs) the first time."""
        return self._diagram.range(metric)

    def describe(self) -> Description:
        """What the decision diagram of the space looks like: its stages, nodes and arcs, and what they take.

        The diagram is compiled when the space is made, so this only looks at it; the first time it counts the networks
        too, in O(arcs).

        Example:
            >>> import archbudget as ab
            >>> from archbudget import layers
            >>> first, second = ab.Int("first", 1, 3), ab.Int("second", 1, 3)
            >>> space = ab.Space([layers.Input((4,)), layers.Dense(first), layers.Dense(second)])
            >>> print(space.describe())
            9 networks of 9 combinations; 2 decisions, 3 layers
            stage  decision  arcs are  values  nodes  arcs
            0      first     stored         3      1     3
            1      second    stored         3      3     9
            2 stages, 4 nodes, 12 arcs, 564 bytes
        """
        from archbudget._describe import describe

        return describe(self)

    def __repr__(self) -> str:
        return f"<Space of {len(self.decisions)} decisions and {len(self._uses)} layers>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (self._definition,))

    def sample(self, n: int, seed: int | None = None) -> Candidates:
        """Draws candidates uniformly and independently among the distinct networks that can be built.

        Args:
            n: How many.
            seed: The same seed gives the same draw, on any number of threads; `None` takes a fresh one.

        Returns:
            `n` candidates; each column of their indices is contiguous. O(n * D).

        Raises:
            SpaceError: If `n` is negative.
            OutOfMemoryError: If there is not enough memory.
        """
        columns = empty_columns(self, n)
        self._diagram.sample(columns, fresh_seed(seed))
        return unchecked(self, columns.T)

    def evaluate(
        self,
        candidates: CandidatesLike,
        metrics: Iterable[str] | None = None,
        *,
        per_layer: bool = False,
        threads: int | None = None,
    ) -> Evaluation:
        """Counts candidates, all of them exactly.

        Args:
            candidates: `Candidates`; or a dict with a column of N values for each decision; or an (N, D) array of
                indices. uint8, uint16 and uint32 indices and int64 values are read where they are, in any layout,
                without a copy. What stands in the column of a decision that is inactive is not looked at beyond its
                range.
            metrics: Which metrics; all by default. Fewer are faster.
            per_layer: Whether to give what each layer costs too, and the shape of its output, the first one where it
                has several. Much slower: each candidate is then counted by itself.
            threads: How many threads work, at most 1,024; as many as the process has cores, by default.

        Returns:
            For each metric (N,) int64 totals, and whether each candidate is valid. O(N * D), and beside input and
            output a few blocks of memory.

        Raises:
            SpaceError: If a column is missing, of the wrong length or type, or a value is outside its domain; the
                message names the first such row.
        """
        names = self._metric_names(metrics)
        if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
            raise SpaceError(f"threads must be an integer of at least 1, not {show(threads)}")
        threads = None if threads is None else min(threads, MOST_THREADS)
        columns, rows = self._columns(candidates)
        totals = [np.empty(rows, np.int64) for _ in names]
        valid = np.empty(rows, np.bool_)
        self._diagram.evaluate(columns, names, totals, valid, threads=threads)
        layers = None
        if per_layer:
            costs = [np.empty((rows, len(self._uses)), np.int64) for _ in names]
            shapes = np.empty((rows, len(self._uses), _core.MAX_RANK), np.int64)
            self._diagram.evaluate_layers(columns, names, costs, shapes, threads=threads)
            rank = int(np.max(np.count_nonzero(shapes, axis=2), initial=0))
            layers = LayerEvaluation(self.layer_names, dict(zip(names, costs, strict=True)), shapes[:, :, :rank])
        return Evaluation(dict(zip(names, totals, strict=True)), valid, layers)

    def _metric_names(self, metrics: Iterable[str] | None) -> list[str]:
        """The metrics that are asked for."""
        if metrics is None:
            return list(self.metrics)
        names = []
        for metric in [metrics] if isinstance(metrics, str) else metrics:
            if metric not in self.metrics:
                raise SpaceError(f"unknown metric {show(metric)}; the metrics are {listed(self.metrics)}")
            names.append(metric)
        return names

    def _columns(self, candidates: CandidatesLike) -> tuple[list[Any], int]:
        """A column for each decision, as the engine takes it, and the number of rows."""
        if isinstance(candidates, Candidates):
            own = [(name, decision.values) for name, decision in self._named()]
            if candidates.space is not self and own != [
                (name, decision.values) for name, decision in candidates.space.decisions.items()
            ]:
                raise SpaceError("these candidates belong to a space with other decisions")
            return self._split(candidates.indices)
        if isinstance(candidates, Architecture):
            raise SpaceError("one architecture is not a batch; its totals are arch.params, arch.macs, ...")
        if isinstance(candidates, Mapping):
            return self._value_columns(candidates)
        return self._split(check_indices(self, candidates))

    def _split(self, indices: npt.NDArray[Any]) -> tuple[list[Any], int]:
        return [indices[:, column] for column in range(indices.shape[1])], len(indices)

    def _value_columns(self, columns: Mapping[str, npt.ArrayLike]) -> tuple[list[Any], int]:
        self._check_names(columns, "columns")
        missing = [name for name in self.decisions if name not in columns]
        if missing:
            raise SpaceError(f"the columns of decisions are missing: {listed(missing)}")
        prepared = [_value_column(decision, columns[name]) for name, decision in self._named()]
        lengths = {len(column[0] if isinstance(column, tuple) else column) for column in prepared}
        if len(lengths) > 1:
            shown = {name: len(np.asarray(columns[name])) for name in self.decisions}
            raise SpaceError(f"the columns must have one length, not {shown}")
        return prepared, lengths.pop() if lengths else 0

    def _named(self) -> Iterable[tuple[str, Decision]]:
        return self.decisions.items()

    def _check_names(self, given: Iterable[str], what: str) -> None:
        _check_names(self.decisions, given, what)

    def architecture(self, values: Mapping[str, Scalar] | None = None, /, **named: Scalar) -> Architecture:
        """One network, by the values of its decisions.

        Args:
            values: The value of each decision by name, if it is not given by keyword.
            **named: The value of each decision. Inactive decisions may be left out.

        Raises:
            SpaceError: If a decision is unknown, or an active one is missing, or a value is not in its domain.
            InvalidArchitectureError: If the network cannot be built; the message names the layer, the shapes and the
                rule.
        """
        if not (values is None or isinstance(values, Mapping)):
            raise SpaceError(f"a network is given as a mapping from decisions to values, not as {show(values)}")
        given = {**(values or {}), **named}
        self._check_names(given, "architecture")
        walk = self._diagram.walk()
        names = list(self.decisions)
        indices = [0] * len(names)
        for name, value in given.items():
            indices[self._positions[name]] = self.decisions[name].index(value)
        while (position := walk.open) is not None:
            if names[position] not in given:
                raise SpaceError(
                    f"no value is given for decision '{names[position]}', {show(self.decisions[names[position]])}"
                )
            walk.choose(indices[position])
        return self._architecture(tuple(indices))

    def _architecture(self, indices: tuple[int, ...]) -> Architecture:
        return Architecture(self, indices, self._diagram.trace(list(indices)))

    def constraint(self, budget: Budget) -> Constraint:
        """The constraint function of a budget, for Optuna and for batches: a [`Constraint`][archbudget.Constraint]."""
        from archbudget._constraint import Constraint

        return Constraint(self, budget)

    def within(self, budget: Budget, *, memory: int = _core.MEMORY) -> FeasibleSet:
        """The candidates that fit a budget, as a set to ask about; see [`FeasibleSet`][archbudget.FeasibleSet].

        Args:
            budget: The budget.
            memory: The bytes that the answers may take before they are rounded to certified bounds.
        """
        from archbudget._feasible import FeasibleSet

        return FeasibleSet(self, budget, memory=memory)

    def distribution(self, metric: str, *, memory: int = _core.MEMORY) -> Distribution:
        """How many networks have each value of a metric; exact where they can be told apart in some seconds.

        Args:
            metric: The metric.
            memory: The bytes that the choices of the space may take.

        Example:
            The budget that 5 % of the space keeps is `space.distribution("params").quantile(0.05)`.

        Raises:
            BudgetError: If there is no such metric.
            LimitError: If the space is too wide to be counted.
        """
        require_metrics(self.metrics, [metric])
        return Distribution(metric, *self._diagram.distribution(metric, memory))

    def suggest(self, trial: optuna.trial.BaseTrial) -> Architecture:
        """Lets an Optuna trial take each active decision, in the order of the description.

        Decisions over integers that form an ascending arithmetic progression are suggested as int parameters, all
        others as categorical ones; the distributions are always the same, so that every sampler can learn from every
        trial.

        Raises:
            InvalidArchitectureError: If the network cannot be built; under a `BudgetSampler` that does not happen.
            SpaceError: If it is no trial.
            optuna.TrialPruned: If a `BudgetSampler` found that values which were enqueued cannot fit its budget.
        """
        from archbudget._sampler import refuse

        if not has(trial, "suggest_categorical"):
            raise SpaceError(f"suggest needs an Optuna trial, not {show(trial)}")
        refuse(trial)
        walk = self._diagram.walk()
        names = list(self.decisions)
        indices = [0] * len(names)
        while (position := walk.open) is not None:
            decision = self.decisions[names[position]]
            indices[position] = _suggest(trial, names[position], decision)
            walk.choose(indices[position])
        return self._architecture(tuple(indices))

    def indices_of(self, values: Mapping[str, Any]) -> list[int | None]:
        """The index of each decision's value among those given; `None` where none is given."""
        if not isinstance(values, Mapping):
            raise SpaceError(f"values are given by a mapping from decisions, not by {show(values)}")
        return [self.decisions[name].index(values[name]) if name in values else None for name in self.decisions]


def require_space(value: object, what: str) -> None:
    """Refuses what is not a space.

    Raises:
        SpaceError: Naming what needs one.
    """
    if not isinstance(value, Space):
        raise SpaceError(f"{what} needs a Space, not {show(value)}")


def described(blocks: Sequence[BlockLike]) -> dict[str, Decision]:
    """The decisions of a list of layers by their names in the space, with all of their values.

    Raises:
        SpaceError: If the description is not well formed.
    """
    writer = Writer(bytes_per_weight=1, bytes_per_activation=1, domains={})
    writer.write_graph(*_graph(blocks, None, None))
    return writer.decisions


def _restore(definition: dict[str, Any]) -> Space:
    return Space(**definition)


def _check_names(decisions: Mapping[str, Decision], given: Iterable[str], what: str) -> None:
    unknown = [name for name in given if name not in decisions]
    if unknown:
        raise SpaceError(
            f"unknown decisions in the {what}: {listed(map(show, unknown))}; this space has "
            f"{listed(decisions) or 'no decisions'}"
        )


def _own_metrics(metrics: Iterable[Metric]) -> tuple[Metric, ...]:
    """Metrics of a space's own.

    Raises:
        SpaceError: If they are not, or two have one name.
    """
    if isinstance(metrics, (str, bytes)) or not isinstance(metrics, Iterable):
        raise SpaceError(f"metrics must be a sequence of Metric, not {show(metrics)}")
    own: dict[str, Metric] = {}
    for metric in metrics:
        if not isinstance(metric, Metric):
            raise SpaceError(f"metrics must be a sequence of Metric; one is {show(metric)}")
        if metric.name in own:
            raise SpaceError(f"two metrics are named '{metric.name}'")
        own[metric.name] = metric
    return tuple(own.values())


def _domains(domains: Mapping[str, Iterable[Scalar]] | None) -> dict[str, tuple[Scalar, ...]]:
    """Domains as they are kept."""
    if domains is not None and not isinstance(domains, Mapping):
        raise SpaceError(f"domains must be a mapping from names of decisions to values, not {show(domains)}")
    kept = {}
    for name, values in (domains or {}).items():
        try:
            kept[name] = () if isinstance(values, (str, bytes)) else tuple(islice(values, MOST_VALUES + 1))
        except Exception:  # It may do anything where it is gone through.
            kept[name] = ()
        if not kept[name]:
            raise SpaceError(
                f"the domain of decision '{name}' must be a sequence of at least one value, not {show(values)}"
            )
    return kept


def _check_domains(decisions: Mapping[str, Decision], domains: Mapping[str, Iterable[Scalar]]) -> None:
    """Refuses domains that are not parts of those of some decisions.

    Raises:
        SpaceError: With the first that is wrong.
    """
    _check_names(decisions, domains, "domains")
    for name, values in domains.items():
        decisions[name].narrowed(name, values)


def _conditions(constraints: Iterable[Expression]) -> tuple[Expression, ...]:
    """Constraints as they are kept."""
    if not isinstance(constraints, Iterable):
        raise SpaceError(f"constraints must be a sequence of conditions, not {show(constraints)}")
    return tuple(as_condition(constraint) for constraint in constraints)


def _check_constraint(decisions: Mapping[str, Decision], constraint: Expression) -> None:
    """Refuses a constraint over what is not a decision of a space.

    Raises:
        SpaceError: With the first that is none.
    """
    for decision in constraint.decisions():
        if decision.name not in decisions:
            raise SpaceError(
                f"the constraint {as_written(constraint, {})} reads decision '{decision.name}', which no layer uses; "
                f"this space has {listed(decisions) or 'no decisions'}"
            )
        decisions[decision.name].narrowed(decision.name, decision.values)


def _graph(
    layers: Sequence[BlockLike] | None,
    inputs: TensorLike | Sequence[TensorLike] | None,
    outputs: Tensor | Sequence[Tensor] | None,
) -> tuple[list[Tensor], list[Tensor]]:
    """The inputs and outputs of a description; a list of layers makes its tensor of nothing."""
    if layers is not None:
        if isinstance(layers, (str, bytes)) or not isinstance(layers, Sequence) or not layers:
            raise SpaceError(f"a space needs a list of layers, the first an Input, not {show(layers)}")
        first, *rest = layers
        if not (isinstance(first, Layer) and first.kind == "Input"):
            raise SpaceError(f"the first layer of a space must be an Input, not {show(first)}")
        if any(isinstance(block, Layer) and block.kind == "Input" for block in rest):
            raise SpaceError("a list of layers has one Input, at its start")
        row = flat(made_of(Sequential(layers), ()))
        return row[:1], row
    if inputs is None or outputs is None:
        raise SpaceError("a graph needs both its inputs and its outputs")
    sources = [as_tensor(each) for each in (inputs if isinstance(inputs, (list, tuple)) else [inputs])]
    several = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    targets = [as_tensor(tensor) for each in several for tensor in flat(each)]
    if not sources or not targets:
        raise SpaceError("a graph needs at least one input and one output")
    for source in sources:
        if source.inputs or not (isinstance(source.block, Layer) and source.block.kind == "Input"):
            raise SpaceError(f"the inputs of a graph are Input layers, not {show(source)}")
    return sources, targets


def _value_column(decision: Decision, column: npt.ArrayLike) -> Any:
    """A column of values as the engine takes it: int64 values with their domain, or indices."""
    what = f"the column of decision '{decision.name}'"
    if not decision.is_integer and isinstance(column, (list, tuple)):
        # numpy would make text of True beside "yes".
        array = np.empty(len(column), dtype=object)
        array[:] = column
    else:
        array = as_array(column, what, 1)
    if array.ndim != 1:
        raise SpaceError(f"the column of decision '{decision.name}' must have one axis, not the shape {array.shape}")
    if len(array) == 0:
        return np.zeros(0, dtype=np.uint8)
    if decision.is_integer:
        if array.dtype.kind not in "iu":
            raise SpaceError(
                f"the column of decision '{decision.name}' must hold integers, not {array.dtype}"
                + (" (it holds nan)" if array.dtype.kind == "f" and np.isnan(array).any() else "")
            )
        if array.dtype == np.uint64 and int(array.max()) >= 2**63:
            raise CountOverflowError(
                f"the column of decision '{decision.name}' holds {int(array.max())}, which does not fit into 63 bits"
            )
        if array.dtype != np.int64 or not array.flags.aligned or not array.dtype.isnative:
            array = array.astype(np.int64)
        return (array, list(decision.values))
    if array.dtype.kind == "f":
        unique, inverse = np.unique(array, return_inverse=True)
        return np.array([decision.index(value) for value in unique.tolist()], dtype=np.uint32)[inverse]
    indices = np.empty(len(array), dtype=np.uint32)
    for row, value in enumerate(array.tolist()):
        try:
            indices[row] = decision.index(value)
        except SpaceError as error:
            raise SpaceError(f"row {row}: {error}") from None
    return indices


def fresh_seed(seed: int | None) -> int:
    """A seed of 64 bits.

    Raises:
        SpaceError: If it is not an integer from 0 to 2^64 - 1.
    """
    if seed is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
        raise SpaceError(f"seed must be None or an integer from 0 to 2^64 - 1, not {show(seed)}")
    return int(seed)


def _suggest(trial: optuna.trial.BaseTrial, name: str, decision: Decision) -> int:
    """The index of the value that a trial takes for a decision."""
    if decision.step is not None:
        low, high = decision.values[0], decision.values[-1]
        value: Any = trial.suggest_int(name, low, high, step=decision.step)  # type: ignore[arg-type]
        return int((value - low) // decision.step)
    value = trial.suggest_categorical(name, decision.values)
    return decision.index(value)
