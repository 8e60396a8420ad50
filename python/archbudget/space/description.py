"""The description of a space: it is checked here, and brought into the form in which a space keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from archbudget._expressions import MOST_VALUES, as_condition, as_written, require_name
from archbudget._message import listed, show, with_nearest
from archbudget.errors import SpaceError
from archbudget.layers._base import Layer, as_tensor, flat, made_of
from archbudget.layers._structure import Sequential
from archbudget.metrics import Metric
from archbudget.program import Writer

if TYPE_CHECKING:
    from archbudget._budget import Metrics
    from archbudget._expressions import Decision, Expression, Scalar
    from archbudget._records import Use
    from archbudget.layers._base import Tensor, TensorLike
    from archbudget.layers._structure import BlockLike


def require_title(name: object) -> str:
    """The name of a space, if it is a text of one line.

    Raises:
        SpaceError: If it is not.
    """
    return require_name(name, "the name of a space must be")


def graph(
    layers: Sequence[BlockLike] | None,
    inputs: TensorLike | Sequence[TensorLike] | None,
    outputs: TensorLike | Sequence[Any] | None,
) -> tuple[list[Tensor], list[Tensor]]:
    """The inputs and outputs of a description; a list of layers is one block, whose tensor has no inputs."""
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
    if len({*sources}) < len(sources):
        raise SpaceError(f"the inputs of a graph are different, but one is given twice: {show(sources)}")
    if not sources or not targets:
        raise SpaceError("a graph needs at least one input and one output")
    for source in sources:
        if source.inputs or not (isinstance(source.block, Layer) and source.block.kind == "Input"):
            raise SpaceError(f"the inputs of a graph are Input layers, not {show(source)}")
    return sources, targets


def described(
    layers: Sequence[BlockLike] | None = None,
    inputs: TensorLike | Sequence[TensorLike] | None = None,
    outputs: Tensor | Sequence[Tensor] | None = None,
) -> dict[str, Decision]:
    """The decisions of a description by their names in the space, with all of their values.

    Raises:
        SpaceError: If the description is not well formed.
    """
    return _written(layers, inputs, outputs).decisions


def uses_of(
    layers: Sequence[BlockLike] | None = None,
    inputs: TensorLike | Sequence[TensorLike] | None = None,
    outputs: Tensor | Sequence[Tensor] | None = None,
) -> list[Use]:
    """The layers of a description with their names in the space.

    Raises:
        SpaceError: If the description is not well formed.
    """
    return _written(layers, inputs, outputs).uses


def _written(*given: Any) -> Writer:
    writer = Writer(bytes_per_weight=1, bytes_per_activation=1, in_place=True, domains={})
    writer.write_graph(*graph(*given))
    return writer


def check_names(decisions: Mapping[str, Decision], given: Iterable[str], what: str) -> None:
    """Refuses names that no decision has.

    Raises:
        SpaceError: With the unknown names, and those of the decisions.
    """
    unknown = [name for name in given if name not in decisions]
    if unknown:
        shown = listed(with_nearest(name, decisions) for name in unknown)
        raise SpaceError(
            f"unknown decisions in the {what}: {shown}; this space has {listed(decisions) or 'no decisions'}"
        )


def check_metrics(metrics: Metrics, given: Iterable[object]) -> None:
    """Refuses names that no metric of a space has.

    Raises:
        SpaceError: With the first unknown name, and those of the metrics.
    """
    for metric in given:
        if metric not in metrics:
            raise SpaceError(metrics.say(metric))


def custom_metrics(metrics: Iterable[Metric]) -> tuple[Metric, ...]:
    """The custom metrics of a space.

    Raises:
        SpaceError: If one is not a `Metric`, or two have one name.
    """
    if isinstance(metrics, (str, bytes)) or not isinstance(metrics, Iterable):
        raise SpaceError(f"metrics must be a sequence of Metric, not {show(metrics)}")
    custom: dict[str, Metric] = {}
    for metric in metrics:
        if not isinstance(metric, Metric):
            raise SpaceError(f"metrics must be a sequence of Metric; one is {show(metric)}")
        if metric.name in custom:
            raise SpaceError(f"two metrics are named '{metric.name}'")
        custom[metric.name] = metric
    return tuple(custom.values())


def kept_domains(domains: Mapping[str, Iterable[Scalar]] | None) -> dict[str, tuple[Scalar, ...]]:
    """Domains in the form in which a space keeps them."""
    if domains is not None and not isinstance(domains, Mapping):
        raise SpaceError(f"domains must be a mapping from names of decisions to values, not {show(domains)}")
    kept = {}
    for name, values in (domains or {}).items():
        try:
            kept[name] = () if isinstance(values, (str, bytes)) else tuple(islice(values, MOST_VALUES + 1))
        except Exception:  # An iterable may do anything.
            kept[name] = ()
        if not kept[name]:
            raise SpaceError(
                f"the domain of decision '{name}' must be a sequence of at least one value, not {show(values)}"
            )
    return kept


def check_domains(decisions: Mapping[str, Decision], domains: Mapping[str, Iterable[Scalar]]) -> None:
    """Refuses domains that are not subsets of the domains of decisions.

    Raises:
        SpaceError: With the first wrong one.
    """
    check_names(decisions, domains, "domains")
    for name, values in domains.items():
        decisions[name].narrowed(name, values)


def conditions(constraints: Iterable[Expression]) -> tuple[Expression, ...]:
    """Constraints in the form in which a space keeps them."""
    if not isinstance(constraints, Iterable):
        raise SpaceError(f"constraints must be a sequence of conditions, not {show(constraints)}")
    return tuple(as_condition(constraint) for constraint in constraints)


def check_constraint(decisions: Mapping[str, Decision], constraint: Expression) -> None:
    """Refuses a constraint that reads anything but decisions of the space.

    Raises:
        SpaceError: With the first that is not one.
    """
    for decision in constraint.decisions():
        if decision.name not in decisions:
            raise SpaceError(
                f"the constraint {as_written(constraint, {})} reads decision {with_nearest(decision.name, decisions)}, "
                f"which no layer uses; this space has {listed(decisions) or 'no decisions'}"
            )
        decisions[decision.name].narrowed(decision.name, decision.values)
