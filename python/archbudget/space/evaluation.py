"""Counting batches of candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt

from archbudget._budget import meant
from archbudget._core import MAX_RANK
from archbudget._extras import imported
from archbudget._face import Faced
from archbudget._guard import guards
from archbudget._message import listed, show
from archbudget.errors import LimitError, SpaceError, UnknownNameError
from archbudget.space.candidates import columns_of
from archbudget.space.description import check_metrics
from archbudget.space.family import compiled
from archbudget.space.kept import new_array
from archbudget.space.outputs import VALID, check_apart, check_array, check_names, names_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from archbudget._unit import Unit
    from archbudget.space.candidates import Candidates, CandidatesLike
    from archbudget.space.family import Family


def _equal(one: Mapping[str, npt.NDArray[Any]], other: Mapping[str, npt.NDArray[Any]]) -> bool:
    """Whether two mappings have equal arrays under the same names."""
    return one.keys() == other.keys() and all(np.array_equal(array, other[name]) for name, array in one.items())


MOST_THREADS = 1024
"""The most threads that a call may use."""


@guards()
@dataclass(frozen=True, eq=False)
class LayerEvaluation:
    """The costs and the output shape of each layer of each candidate; all are 0 where a candidate cannot be built.

    A record of arrays that archbudget writes no more: safe to read from several threads.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.lenet()
        >>> counts = space.evaluate(space.sample(100, seed=0), ["params"], per_layer=True)
        >>> counts.layers.names[1], counts.layers.costs["params"].shape
        ('conv2d', (100, 10))
    """

    names: tuple[str, ...]
    """The L layers of the space, by name."""
    costs: dict[str, npt.NDArray[Any]]
    """For each metric its (N, L) costs, of the type of its totals; 0 where a layer is not in the network."""
    shapes: npt.NDArray[np.int64]
    """(N, L, rank) int64 sides of the output of each layer, without the batch axis; of the first output where a layer
    has several. They are 0 where a layer is not in the network, and after the last axis; -1 where one is unknown."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LayerEvaluation):
            return NotImplemented
        return (
            self.names == other.names and _equal(self.costs, other.costs) and np.array_equal(self.shapes, other.shapes)
        )

    __hash__ = None  # type: ignore[assignment]

    def __getitem__(self, metric: str) -> npt.NDArray[Any]:
        if metric not in self.costs:
            raise _unknown(metric, self.costs)
        return self.costs[metric]

    def __array__(self, *_: object, **__: object) -> NoReturn:
        raise SpaceError("the costs of layers are not one array: layers[metric] has the (N, L) costs of one metric")


def _unknown(metric: object, known: Iterable[str]) -> UnknownNameError:
    known = list(known)
    return UnknownNameError(f"{meant(metric, known)} was not evaluated; there are {listed(known) or 'none'}")


@guards()
class Evaluation(dict[str, "npt.NDArray[Any]"], metaclass=Faced):
    """The costs of N candidates: a read-only mapping from each metric to its (N,) totals.

    Totals are int64, or uint32 where `out` gave such an array. A candidate that cannot be built has `valid` False and
    the largest number of the type, 2^63 - 1 or 2^32 - 1, which no total reaches. Totals of a metric with a `resolution`
    are float64, and infinite where a candidate cannot be built. archbudget changes an evaluation that
    it returned only if it is given as `out`: otherwise it is safe to read from several threads. It is a `dict`, so that
    `pandas.DataFrame(evaluation)` has a column for each metric.

    Example:
        >>> import archbudget as ab
        >>> space = ab.spaces.lenet()
        >>> counts = space.evaluate([{"f1": 8, "k1": 3, "f2": 8, "k2": 3, "units": 16}], ["params"])
        >>> counts["params"].tolist(), counts.valid.tolist()
        ([4050], [True])
    """

    INTERNAL = ("clear", "copy", "fromkeys", "pop", "popitem", "setdefault", "update")

    def __init__(
        self,
        totals: dict[str, npt.NDArray[Any]],
        valid: npt.NDArray[np.bool_] | None,
        layers: LayerEvaluation | None = None,
        *,
        rows: int,
    ) -> None:
        super().__init__(totals)
        self._valid = valid
        self._rows = rows
        self.layers = layers
        """The costs of each layer, with `per_layer=True`; otherwise `None`."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise SpaceError("an evaluation cannot be changed: make a new mapping, {**evaluation, name: column}")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (dict(self), self._valid, self.layers, self._rows))

    def __array__(self, *_: object, **__: object) -> NoReturn:
        raise SpaceError(
            "an evaluation is not one array: evaluation[metric] is the array of one metric, "
            "np.column_stack(list(evaluation.values())) has a column for each"
        )

    @property
    def valid(self) -> npt.NDArray[np.bool_]:
        """(N,) bool: whether each candidate can be built. Made when it is asked for, where every candidate can."""
        if self._valid is None:
            self._valid = np.ones(self._rows, np.bool_)
        return self._valid

    def __getitem__(self, metric: str) -> npt.NDArray[Any]:
        if metric not in self:
            raise _unknown(metric, self)
        return super().__getitem__(metric)

    def __eq__(self, other: object) -> bool:
        """Whether another evaluation has the same totals of the same metrics, for as many candidates."""
        if not isinstance(other, Evaluation):
            return NotImplemented
        return _equal(self, other) and np.array_equal(self.valid, other.valid) and self.layers == other.layers

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None

    def __repr__(self) -> str:
        return f"<Evaluation of {self._rows:,} candidates: {', '.join(self)}>"

    def to_pandas(self) -> Any:
        """The totals and `valid` as a `pandas.DataFrame` with N rows.

        Raises:
            MissingPackageError: If pandas is not installed (`pip install pandas`).
        """
        pd = imported("pandas", "to_pandas")
        return pd.DataFrame({**self, "valid": self.valid})


def _restore(
    totals: dict[str, npt.NDArray[Any]], valid: npt.NDArray[np.bool_] | None, layers: LayerEvaluation | None, rows: int
) -> Evaluation:
    return Evaluation(totals, valid, layers, rows=rows)


def evaluate(
    space: Family,
    candidates: CandidatesLike,
    metrics: Iterable[str] | None = None,
    *,
    out: Mapping[str, npt.NDArray[Any]] | None = None,
    per_layer: bool = False,
    threads: int | None = None,
) -> Evaluation:
    """Counts candidates; see `Space.evaluate`."""
    parts = compiled(space)
    if isinstance(out, Evaluation):
        flags = {} if out._valid is None else {VALID: out._valid}
        out = {**out, **flags}
    names = metric_names(space, names_of(out) if metrics is None and out is not None else metrics)
    threads = checked_threads(threads)
    columns, rows = columns_of(space, candidates)
    given = {} if out is None else _checked(space, names, out, rows, columns)
    units = {name: parts.unit(name) for name in names if parts.unit(name).signed}
    fresh = {name: new_array(rows, np.int64) for name in names if name not in given or name in units}
    valid: npt.NDArray[np.bool_] | None = given.get(VALID)
    if valid is None and parts.diagram.can_fail(names):
        valid = new_array(rows, np.bool_)
    totals = {name: fresh[name] if name in fresh else given[name] for name in names}
    parts.diagram.evaluate(columns, rows, list(totals), list(totals.values()), valid, threads=threads)
    for name, unit in units.items():
        found = unit.numbers(totals[name])
        if name in given:
            given[name][:] = found
        totals[name] = given.get(name, found)
    layers = None
    if per_layer:
        costs = [np.empty((rows, len(parts.uses)), np.int64) for _ in names]
        shapes = np.empty((rows, len(parts.uses), MAX_RANK), np.int64)
        rank = parts.diagram.evaluate_layers(columns, names, costs, shapes, threads=threads)
        own = {name: _of_layers(parts.unit(name), raw) for name, raw in zip(names, costs, strict=True)}
        layers = LayerEvaluation(space.layer_names, own, shapes[:, :, :rank])
    return Evaluation(totals, valid, layers, rows=rows)


def raw_totals(space: Family, candidates: Candidates, names: Sequence[str]) -> dict[str, npt.NDArray[np.int64]]:
    """The totals of candidates that can be built, as the engine counts them."""
    columns, rows = columns_of(space, candidates)
    totals = {name: new_array(rows, np.int64) for name in names}
    compiled(space).diagram.evaluate(columns, rows, list(totals), list(totals.values()), None)
    return totals


def _of_layers(unit: Unit, raw: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """The costs of layers: where there is none, the engine has 0."""
    return np.where(raw == 0, 0, unit.numbers(raw)) if unit.signed else raw


def checked_threads(threads: int | None) -> int | None:
    """The number of threads of a call.

    Raises:
        SpaceError: If it is not an integer of at least 1.
    """
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise SpaceError(f"threads must be an integer of at least 1, not {show(threads)}")
    return None if threads is None else min(threads, MOST_THREADS)


def _checked(
    space: Family, metrics: Sequence[str], out: Mapping[str, Any], rows: int, columns: Sequence[Any]
) -> dict[str, npt.NDArray[Any]]:
    """The arrays of `out`, if the engine can write the totals of these metrics into them.

    Raises:
        SpaceError: With the first that it cannot be given.
    """
    check_names(out, metrics)
    narrow = dict(zip(metrics, compiled(space).diagram.are_narrow(metrics), strict=True))
    checked = {}
    for name, array in out.items():
        what = f"out[{show(name)}]"
        whole = name == VALID or compiled(space).unit(name).is_whole
        types = ("bool",) if name == VALID else ("int64", "uint32") if whole else ("float64",)
        checked[name] = check_array(what, array, rows, types)
        if name != VALID and array.dtype == np.uint32 and not narrow[name]:
            raise SpaceError(
                f"{what} must be of int64: uint32 holds totals below 2^32 - 1, which stands for a candidate that "
                f"cannot be built, and the {name} of this space {_reach(space, name)}"
            )
    check_apart({f"out[{show(name)}]": array for name, array in checked.items()}, columns)
    return checked


def _reach(space: Family, metric: str) -> str:
    try:
        return f"reach {space.range(metric)[1]:,}"
    except LimitError:
        return "have no known bound, as it is too wide to look at every arc"


def metric_names(space: Family, metrics: Iterable[str] | None) -> list[str]:
    """The names of the metrics that are asked for; all of the space by default.

    Raises:
        SpaceError: If there is no such metric.
    """
    if metrics is None:
        return list(space.metrics)
    names = []
    for metric in [metrics] if isinstance(metrics, str) else metrics:
        # One by one, as they may have no end.
        check_metrics(space.metrics, [metric])
        names.append(metric)
    return names
