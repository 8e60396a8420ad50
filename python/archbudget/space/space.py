"""Spaces: a family of networks, and the questions about it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast, overload

import numpy as np

from archbudget._atomic import atomic
from archbudget._budget import MOST, Budget, refuse_loose_bounds, require_metrics
from archbudget._core import MEMORY
from archbudget._guard import answering, guards, has, reworded
from archbudget._message import grouped, listed, one_line, show
from archbudget._progress import reporting
from archbudget._regular import path_of
from archbudget.errors import ArchbudgetError, LimitError, SpaceError
from archbudget.space import html, trials
from archbudget.space.architecture import Architecture, architecture_at, architecture_of, network_in
from archbudget.space.arenas import arenas
from archbudget.space.candidates import Candidates, CandidatesLike, unchecked
from archbudget.space.columns import empty_columns, fresh_seed
from archbudget.space.constraint import Constraint
from archbudget.space.describe import describe
from archbudget.space.distribution import Distribution, picture_of
from archbudget.space.drawing import distinct, require_flag
from archbudget.space.evaluation import Evaluation, evaluate, metric_names
from archbudget.space.family import Family, turns_of
from archbudget.space.feasible import SHARD, FeasibleSet, length_of
from archbudget.space.following import followed
from archbudget.space.grid import CountGrid, count_grid
from archbudget.space.removing import Optional, inner_first, without
from archbudget.space.stored import stored
from archbudget.space.table import row_of, values_by_decision
from archbudget.space.turns import asked_of, parameters_of
from archbudget.space.varying import CHANGE, varied

if TYPE_CHECKING:
    import os
    from concurrent.futures import Executor

    import numpy.typing as npt
    import optuna
    from typing_extensions import Self

    from archbudget._budget import BoundLike
    from archbudget._expressions import Scalar
    from archbudget._progress import ProgressLike
    from archbudget.space.describe import Description

_logger = logging.getLogger(__name__)


@guards(but=["suggest", "best"])  # Trials and studies raise what their storage does, and what prunes a trial.
class Space(Family):
    """A family of networks: layers whose hyperparameters may be open decisions.

    Making a space compiles it into a decision diagram, in time proportional to the arcs of the diagram; a space that
    exists is valid. It never changes afterwards, so it is safe to use from several threads: what a method computes once
    for the whole space is kept for all of them. Compiling, `size`, `range`, `distribution`, `sample` and `evaluate`
    release the GIL and stop on Ctrl-C; the functions of custom layers and metrics take it, and may be called from any
    thread.

    Args:
        layers: The layers in a row, an `Input` first; blocks such as `Repeat` and `OneOf` count as layers.
        inputs: The input of a graph, or its inputs, if `layers` is not given.
        outputs: The output of a graph, or its outputs, nested or not.
        bytes_per_weight: The bytes of a weight in `weight_bytes`: 4 for float32, 1 for int8.
        bytes_per_activation: The bytes of a value in `peak_activation_bytes`.
        in_place: Whether layers that only rearrange or work element by element, merges among them, write over an input
            that nothing needs afterwards, so that they add nothing to `peak_activation_bytes`. `False` is for runtimes
            that write each output to a place of its own.
        domains: For some decisions, by their names in the space, the only values to keep. The result is the space that
            would have been described with these values: layers and decisions that no network reaches are gone.
        constraints: Conditions between decisions, such as `width1 <= width2`, `equal(a, b)`, `either(a <= 3, b > 1)`.
            Only networks that meet them can be built. A constraint binds where all decisions that it reads are active;
            it is checked as soon as the last of them is taken, and until then the diagram tells their values apart.
            Decisions have their names in the space: those within a `Repeat` are `width_1`, `width_2`, ...
        metrics: The custom metrics, counted beside the built-in ones: each a [`Metric`][archbudget.Metric].
        name: What the space is called in texts and figures, and in its file.
        progress: Who is told how far compiling is; see [`Progress`][archbudget.Progress].

    Raises:
        SpaceError: If the description is not well formed, or `domains` has an unknown decision or value, or leaves a
            decision without values, or a constraint reads anything but decisions of the space.
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

    _OWN = ("_every",)

    def _described(self, definition: dict[str, Any]) -> Self:
        """A plain space: a class of the user's may be made in another way."""
        return cast("Self", Space(**definition))

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (self._definition,))

    @classmethod
    def from_function(cls, build: Callable[[Any], Any]) -> Space:
        """The space of all networks that a function of an Optuna trial returns: define-by-run, followed once.

        The function is the one that builds a model, with layers of archbudget in the place of Keras'. It is called for
        each path that Python can take through it. What it is suggested is not known yet: layers take it as it is, also
        what is computed of it, and where Python needs the value (`range(n)`, `if`, a key of a dict, a name, `int(...)`)
        each one is followed. What the paths have in common is joined again, so that the space is as large as one that
        was written by `OneOf` and `Repeat`. At the end networks of the space are compared with what the function
        returns for known values.

        The trials of `suggest` are asked for exactly what the function asks for: the same names, distributions and
        order, so that a study may be continued from one to the other. What no count depends on stays a parameter of the
        search: a `suggest_float`, and what no layer reads. It is no decision, but `suggest` asks for it, and `to_keras`
        has its value.

        Args:
            build: A function of a trial, `build(trial)`, or of the hyperparameters of KerasTuner, `build(hp)`. It
                returns a list of layers, the first an `Input`; or the output of layers that were called on tensors, or
                `(inputs, outputs)`; or a `Space`. It depends on nothing but what it is suggested. Where it raises
                `optuna.TrialPruned`, no network is wanted.

        Raises:
            SpaceError: If it returns no network, raises something, depends on random numbers or what it kept from
                earlier calls, or tells values apart by `is`.
            LimitError: If it has more than 10,000 paths; the message names a decision, and the block in which it stands
                without being followed.
            InvalidArchitectureError: If no network of the space can be built.

        Example:
            >>> import archbudget as ab
            >>> from archbudget import layers
            >>> def build(trial):
            ...     rows = [layers.Input((28, 28, 1)), layers.Flatten()]
            ...     for i in range(trial.suggest_int("depth", 1, 3)):
            ...         rows.append(layers.Dense(trial.suggest_int(f"units_{i}", 16, 64, step=16), activation="relu"))
            ...         rows.append(layers.Dropout(trial.suggest_float(f"dropout_{i}", 0, 0.5)))
            ...     return [*rows, layers.Dense(10)]
            >>> space = ab.Space.from_function(build)
            >>> space.size, list(space.decisions)
            (84, ['depth', 'units_0', 'units_1', 'units_2'])
        """
        return followed(build, cls)

    @classmethod
    def load(cls, file: str | os.PathLike[str], *, code: bool = True) -> Space:
        """Reads a space file, as the command line does: YAML that describes layers, decisions and metrics.

        A space file may name Python (layers, metrics and other spaces as `module:attribute`), which is imported and
        called: trust a file as you trust a program. The space is compiled, as in `Space(...)`.

        Args:
            file: The file, at most 1 MiB of UTF-8; its name ends in `.yaml` or `.yml`.
            code: Whether what the file names as `module:attribute` may be imported and called. If not, such a file is
                refused, and reading runs no code but archbudget's.

        Raises:
            SpaceError: If there is no such file, or it is not well formed, or names Python although `code` is False;
                with the line and the path in it.
            InvalidArchitectureError: If no network of the space can be built.
        """
        return cast("Space", stored().read(_space_file(file), _require_code(code)))

    @classmethod
    def from_yaml(cls, text: str, *, code: bool = True) -> Space:
        """Reads the text of a space file, as `to_yaml` gives it; files that it names are in the current directory.

        Args:
            text: The text, at most 1 MiB of UTF-8.
            code: As in `load`.

        Raises:
            SpaceError: If it is not well formed, or names Python although `code` is False; with the line and the path
                in it.
            InvalidArchitectureError: If no network of the space can be built.

        Example:
            >>> import archbudget as ab
            >>> ab.Space.from_yaml("{name: tiny, decisions: {u: [1, 2]}, layers: [Input: [8], Dense: $u]}")
            <Space tiny of 2 networks: 1 decisions, 2 layers>
        """
        if not isinstance(text, str):
            raise SpaceError(f"from_yaml reads the text of a space file, not {show(text)}; load takes its path")
        if "\n" not in text and text.endswith((".yaml", ".yml")):
            raise SpaceError(f"from_yaml reads the text of a space file, not a file: Space.load({show(text)})")
        return cast("Space", stored().parse(text, _require_code(code)))

    def to_yaml(self) -> str:
        """The text of a space file that describes the space, for `load` and `from_yaml`, which make an equal one of it.

        Layers, blocks and graphs, decisions, constraints, domains and tables of latencies are written out; custom
        layers, metrics and functions are named as `module:attribute`, where their module can be imported, and so are
        blocks of your own, which keep their arguments as attributes of the same names. The text is read back and
        compared, so this takes as long as making the space.

        Raises:
            SpaceError: If the space has what a file cannot hold, such as a lambda as an argument of a layer, or a
                custom layer that is in no module; the message names it.

        Example:
            >>> import archbudget as ab
            >>> from archbudget import layers
            >>> space = ab.Space([layers.Input((8,)), layers.Dense(ab.Int("units", 8, 128, step=8) * 2)])
            >>> print(space.to_yaml(), end="")
            decisions:
              units: {low: 8, high: 128, step: 8}
            layers:
            - Input:
                shape: [8]
            - Dense: {units: $units * 2}
        """
        return stored().text(self)

    def save(self, file: str | os.PathLike[str]) -> None:
        """Writes a space file, whole or not at all: what `to_yaml` gives.

        Args:
            file: The file, whose name ends in `.yaml` or `.yml`.

        Raises:
            SpaceError: As for `to_yaml`, or if the name ends otherwise; then nothing is written.
            FileError: If the file cannot be written.
        """
        path = _space_file(file)
        text = self.to_yaml()
        with atomic(path) as part:
            part.write_text(text, encoding="utf-8")

    def describe(self) -> Description:
        """What the decision diagram of the space looks like: its stages, nodes and arcs, and their memory.

        The diagram was compiled when the space was made, so this takes O(stages); the first time it also counts the
        networks, in O(arcs).

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
        return describe(self)

    @html.shown
    def _repr_html_(self) -> str:
        """The decisions; where it takes no time the ranges of the metrics, and how params are distributed."""
        few = html.few_arcs(self._compiled.diagram.stages())
        ranges = {metric: self.range(metric) for metric in self.metrics} if few else {}
        is_small = few and 1 < self.combinations <= html.FEW_NETWORKS
        picture = picture_of(self.distribution("params")) if is_small else None
        return html.space_html(repr(self)[1:-1], self.decisions, ranges, picture)

    def __call__(self, *_: object, **__: object) -> NoReturn:
        """Refuses the call, as a space is no layer."""
        raise SpaceError(
            "a space is a family of whole networks, and no layer: layers.Sequential([...]) of the same layers can be "
            "called on tensors, and stands in lists"
        )

    def __bool__(self) -> bool:
        """A space has at least one network."""
        return True

    def __len__(self) -> int:
        """As `size`, up to 2^63 - 1."""
        return length_of(self.size, "size")

    def __iter__(self) -> Iterator[Architecture]:
        """The networks one by one, ordered by their choices, in the order in which the space asks for them."""
        return iter(self._every)

    @overload
    def __getitem__(self, key: int) -> Architecture: ...

    @overload
    def __getitem__(self, key: slice) -> Candidates: ...

    def __getitem__(self, key: Any) -> Architecture | Candidates:
        """The network of a number, or with a slice some of them, in the order of `iter(space)`. O(D) after a count.

        Raises:
            OutOfRangeError: If there is no such number.
            SpaceError: If the key is neither an integer nor a slice of integers.
            LimitError: If the space is too wide to be counted.
        """
        found: Architecture | Candidates = self._every[key]
        return found

    def __contains__(self, arch: object) -> bool:
        """Whether a network is one of the space, and can be built. O(layers).

        Raises:
            SpaceError: If it is neither an Architecture nor a mapping from decisions to values, or the mapping has
                names that `architecture` refuses.
        """
        return network_in(self, arch) is not None

    def __array__(self, *_: object, **__: object) -> NoReturn:
        raise SpaceError("a space is not an array: np.asarray(space.sample(n)) has the indices of some networks")

    @cached_property
    def _every(self) -> FeasibleSet[Space]:
        """All networks, as the set of those within a bound that each keeps."""
        return FeasibleSet(self, Budget(params=MOST))

    def sample(
        self, n: int, seed: int | None = None, *, replace: bool = True, progress: ProgressLike = None
    ) -> Candidates:
        """Draws candidates uniformly among the distinct networks that can be built.

        O(n * D) after one count of the space, on all cores; releases the GIL.

        Args:
            n: The number of candidates.
            seed: The same seed draws the same candidates, on any number of threads; `None` takes a fresh one.
            replace: Whether draws are independent, so that a network may be drawn again. If not, all are different, and
                each choice of `n` networks is equally likely, in each order.
            progress: Who is told how far the call is; see [`Progress`][archbudget.Progress].

        Returns:
            `n` candidates; each column of their (n, D) indices is contiguous.

        Raises:
            SpaceError: If `n` is negative, or more than there are without `replace`.
            LimitError: If the space is too wide to be drawn from, or without `replace` if a million draws in a row are
                repetitions where it is too wide to be counted.
            OutOfMemoryError: If there is not enough memory.
        """
        require_flag(replace)
        with reporting(progress):
            return self._sample(n, seed, replace=replace)

    def _sample(self, n: int, seed: int | None, *, replace: bool) -> Candidates:
        columns = empty_columns(self.decisions, n)
        if replace or not n:
            self._compiled.diagram.sample(columns, fresh_seed(seed))
            return unchecked(self, columns.T)
        try:
            every = self._every
        except LimitError as error:
            _logger.info("fallback: repetitions are left out one by one, as %s", error)
            if n > self.combinations:
                raise SpaceError(
                    f"{grouped(n)} different networks are asked for, of {grouped(self.combinations)}; see replace"
                ) from None
            rows = distinct(lambda some, own: self.sample(some, own).indices, int(n), None, seed)
            return unchecked(self, np.asfortranarray(rows))
        return every.sample(n, seed, replace=False)

    def evaluate(
        self,
        candidates: CandidatesLike,
        metrics: Iterable[str] | None = None,
        *,
        out: Mapping[str, npt.NDArray[Any]] | None = None,
        per_layer: bool = False,
        threads: int | None = None,
        progress: ProgressLike = None,
    ) -> Evaluation:
        """Counts a batch of candidates exactly.

        O(N * D) time, and a few blocks of memory beside input and output; releases the GIL.

        Args:
            candidates: `Candidates`; or a table, whose columns are values by name; or an (N, D) array of indices. A
                table is a dict of columns, a data frame of pandas or polars, a table of pyarrow, a structured array, or
                a list of `Architecture`s, dicts or other rows with names, or another iterable of at most 2^20 of them;
                `study.trials_dataframe()` is one, too. Inactive decisions may have no value (None, NaN, NA, empty
                text), or any of their domain. Integers may be floats. Columns named like metrics and `valid` are
                passed over. uint8, uint16 and uint32 indices and int64 values are read in place, in any layout,
                without a copy.
            metrics: The names of the metrics; by default those of `out`, or all without it. Fewer are faster.
            out: Arrays that are written, in place of new ones, by the names of their metrics; or an `Evaluation`, whose
                arrays are written again. Each is a contiguous array of N int64 or uint32; uint32 only where all totals
                of the space are below 2^32 - 1. `valid` names an array of N flags. Without `out`, the memory of
                earlier results that are gone is written again (`release_memory`); results that are still there, and
                arrays of more than 128 MiB, need new memory, which the system clears first, twice as slow as counting.
            per_layer: Whether to return the costs of each layer, too, and the shape of its first output: O(layers) time
                and memory for each candidate.
            threads: The number of threads, at most 1,024; by default as many as the process has cores.
            progress: Who is told how far the call is; see [`Progress`][archbudget.Progress].

        Returns:
            For each metric (N,) totals, int64 or as in `out`, and whether each candidate is valid. The total of one
            that is not is 2^63 - 1, or 2^32 - 1 in uint32.

        Raises:
            SpaceError: If there is no such metric; or a column is unknown or of the wrong length; or a value is outside
                its domain, or missing where the network reads its decision; the message names the first such row. Or if
                an array of `out` has another type or length, is read-only or not contiguous, or shares memory with
                another or with the candidates. Nothing is written before that is known, but where a value is outside
                its domain, `out` may hold the totals of other candidates.
        """
        with reporting(progress):
            return evaluate(self, candidates, metrics, out=out, per_layer=per_layer, threads=threads)

    def arena(
        self,
        candidates: CandidatesLike,
        runtime: str = "tflm",
        kernels: str = "reference",
        *,
        progress: ProgressLike = None,
    ) -> Evaluation:
        """The memory that a runtime of microcontrollers needs for each candidate in int8; see `Architecture.arena`.

        Each network is planned by itself, in Python, as plans do not add up over layers: 10 to 100 milliseconds.

        Args:
            candidates: As for `evaluate`.
            runtime: `"tflm"`, TensorFlow Lite Micro.
            kernels: Whose scratch memory is counted: `"reference"`, `"cmsis_nn_dsp"` or `"cmsis_nn_mve"`.
            progress: Who is told how far the call is; see [`Progress`][archbudget.Progress].

        Returns:
            The columns `arena_bytes`, the whole arena, and what it is made of, as in
            [`Arena`][archbudget.Arena].

        Raises:
            SpaceError: As for `evaluate` and `Architecture.arena`; the message names the first such candidate.

        Example:
            >>> import archbudget as ab
            >>> space = ab.spaces.ds_cnn()
            >>> space.arena([{"width": 64, "stride": 2, "depth": 1, "kernel_1": 3}])["tensors"].tolist()
            [16000]
        """
        with reporting(progress):
            return arenas(self, candidates, runtime, kernels)

    def evaluate_to_file(
        self,
        candidates: str | os.PathLike[str] | CandidatesLike | Iterator[CandidatesLike],
        file: str | os.PathLike[str],
        metrics: Iterable[str] | None = None,
        *,
        progress: ProgressLike = None,
    ) -> int:
        """Counts any number of candidates, chunk by chunk, into a file; the memory does not grow with their number.

        The file has a column for each metric, and `valid`. It appears when all candidates are counted: after an error,
        or Ctrl-C, there is none, or the one that was there before.

        Args:
            candidates: A file: `.csv` or `.parquet` with a column of values for each decision; `.npy`, an (N, D) array
                of indices; or `.npz` from `Candidates.save`, which alone is read whole. Or an (N, D) array of indices,
                such as one that `np.load(file, mmap_mode="r")` maps. Or an iterator of batches, each of which
                `evaluate` takes, such as the batches of a Parquet file. Or one such batch.
            file: The file to write; its name ends in `.csv`, `.npz` or `.parquet`.
            metrics: The names of the metrics; all by default.
            progress: Who is told how far the call is; see [`Progress`][archbudget.Progress].

        Returns:
            The number of candidates.

        Raises:
            SpaceError: If the candidates are not those of the space; with the row or the line.
            FileError: If a file cannot be read or written.
        """
        return stored().evaluate(self, candidates, path_of(file), metric_names(self, metrics), progress)

    def write_parquet(
        self,
        directory: str | os.PathLike[str],
        metrics: Iterable[str] | None = None,
        *,
        candidates: str | os.PathLike[str] | None = None,
        executor: Executor | None = None,
        workers: int | None = None,
        shard: int = SHARD,
        progress: ProgressLike = None,
    ) -> int:
        """Writes all networks, or the candidates of a file, with their counts into a folder of Parquet files.

        All but `candidates` is as in [`FeasibleSet.write_parquet`][archbudget.FeasibleSet.write_parquet], which has the
        networks that fit a budget.

        Args:
            directory: The folder.
            metrics: The names of the metrics; all by default.
            candidates: A file of candidates, which each worker sees under the same path: `.npy`, an (N, D) array of
                indices, or `.parquet` with a column of values for each decision. Shards are ranges of its rows, and
                have a column `valid`; the counts of a candidate that cannot be built are null.
            executor: What runs the work: any `concurrent.futures.Executor`; by default processes of this machine.
            workers: The number of these processes, this one among them; by default as many as it has cores.
            shard: The number of candidates in a file.
            progress: Who is told how far the call is; see [`Progress`][archbudget.Progress].

        Returns:
            The number of candidates.

        Raises:
            LimitError: If the space is too wide to be counted.
            SpaceError: As for `FeasibleSet.write_parquet`, or if a candidate is not one of the space, with its row.
            FileError: If a file cannot be read or written.
        """
        names = metric_names(self, metrics)
        return stored().enumerate(
            self,
            self._every if candidates is None else None,
            None,
            None if candidates is None else path_of(candidates),
            directory,
            names,
            executor=executor,
            workers=workers,
            shard=shard,
            progress=progress,
        )

    def architecture(self, values: Mapping[str, Scalar] | None = None, /, **named: Scalar) -> Architecture:
        """One network, by the values of its decisions. O(layers); holds the GIL.

        Args:
            values: The values of decisions by name: a mapping, or a row of a table, which may have metrics beside them,
                also of `study.trials_dataframe()`.
            **named: The values of decisions by keyword, which replace those of the mapping: `architecture(arch, a=3)`
                is a neighbour of `arch`. Inactive decisions may be omitted, or be None or NaN.

        Raises:
            SpaceError: If a decision is unknown, or an active one is missing, or a value is not in its domain. (The
                parameters of a trial may have other names, too; `from_trial` and `best` ignore these.)
            InvalidArchitectureError: If the network cannot be built; the message names the layer, the shapes and the
                rule.
        """
        row = {} if values is None else row_of(values)
        if row is None:
            raise SpaceError(f"a network is given as a mapping from decisions to values, not as {show(values)}")
        return architecture_of(self, {**values_by_decision(row, self.decisions, self.metrics), **named})

    @answering(refuse_loose_bounds)
    def constraint(self, budget: Budget) -> Constraint:
        """The constraint function of a budget, for Optuna and for batches: a [`Constraint`][archbudget.Constraint].

        Raises:
            BudgetError: If it is not a budget, or bounds a metric that the space does not have.
        """
        return Constraint(self, budget)

    @answering(refuse_loose_bounds)
    def within(self, budget: Budget, *, memory: int = MEMORY) -> FeasibleSet[Space]:
        """The set of candidates that fit a budget; see [`FeasibleSet`][archbudget.FeasibleSet].

        It computes nothing yet: the first question to the set builds its table.

        Args:
            budget: The budget.
            memory: The bytes that the table of the set may take before counts are rounded to certified bounds.

        Raises:
            BudgetError: If it is not a budget, or bounds a metric that the space does not have.
            LimitError: If the space is too wide to be counted.
        """
        return FeasibleSet(self, budget, memory=memory)

    def distribution(self, metric: str, *, memory: int = MEMORY, progress: ProgressLike = None) -> Distribution:
        """How many networks have each value of a metric; exact where the values can be told apart in some seconds.

        As slow as counting a feasible set, each time; releases the GIL.

        Args:
            metric: The name of the metric.
            memory: The bytes that the computation may take.
            progress: Who is told how far the call is; see [`Progress`][archbudget.Progress].

        Example:
            The budget that 5 % of the space keeps is `space.distribution("params").quantile(0.05)`.

        Raises:
            BudgetError: If there is no such metric.
            LimitError: If the space is too wide to be counted.
        """
        require_metrics(self.metrics, [metric])
        with reporting(progress):
            counted = self._compiled.diagram.distribution(metric, memory)
        found = Distribution(metric, *counted, self._compiled.unit(metric))
        if not found.exact:
            _logger.info(
                "rounded: %s of this space come to too many sums to keep apart: values of its distribution are up to "
                "%s too small",
                metric,
                f"{found.error:,}",
            )
        return found

    def count_grid(
        self, *, memory: int = MEMORY, progress: ProgressLike = None, **bounds: Iterable[BoundLike]
    ) -> CountGrid:
        """How many networks fit each budget of a grid: `space.count_grid(params=[...], macs=[...])`.

        A space of up to four million networks is gone through once. In a larger one all budgets of one metric cost one
        pass for its distribution, and those of two to four metrics one pass together, in which partial networks that no
        budget tells apart go on as one. Where these are too many for `memory`, or some twenty seconds, each budget is
        counted alone, once however often it occurs. Releases the GIL.

        Args:
            memory: The bytes that a count may take before it is rounded to certified bounds.
            progress: Who is told how far the call is; see [`Progress`][archbudget.Progress].
            **bounds: For each metric of the grid, built-in or custom, its bounds: upper bounds, or ranges (low, high).

        Returns:
            A [`CountGrid`][archbudget.CountGrid]: `grid[i, j]` is a Python integer, or `Bounds` where it is not exact.

        Raises:
            BudgetError: If there is no such metric, or a bound is none, or there are more than a million budgets.
            LimitError: If the space is too wide to be counted, or a part of it does not fit into memory at all.

        Example:
            >>> import archbudget as ab
            >>> grid = ab.spaces.lenet().count_grid(params=[20_000, 60_000], macs=[1_000_000, 5_000_000])
            >>> grid[1, 0], grid[1, 1]
            (1844, 5783)
        """
        return count_grid(self, bounds, memory, progress)

    def vary(self, *changes: Mapping[str, Any] | Optional) -> Self:
        """A space in which arguments of layers are decisions: a model, or a space, made searchable in one line.

        Shapes follow by themselves, and so do other arguments that must be equal: the widths of all that an `Add`
        merges, the groups and filters of depthwise convolutions, target shapes, tied embeddings get the same decision.
        They are found by doubling a width in a network of the space, and looking which layer refuses, until what must
        change with it is found. O(layers^2) at worst, mostly a few seconds for hundreds of layers.

        Args:
            changes: What stands in the place of arguments, by patterns of their paths, `layer.argument`, as in
                `"conv2d*.filters"`, with the wildcards of shells; the layers inside of others have paths such as
                `bidirectional.layer.units`, items `reshape.target_shape[2]`. A pattern may stand for many arguments:
                `ab.scale(...)` gives each a decision of its own (or all of them one, if it has a name), anything else,
                such as `ab.Choice("kernel", [3, 5])`, is the same for all. Or `ab.optional("block_3")`, for layers that
                may be left out. Several are applied one after the other.

        Raises:
            SpaceError: If nothing is to change, a pattern matches nothing, two match the same argument, one has a
                decision already, cannot have what stands there, or cannot change as some layer refuses whatever follows
                it, or a scale leaves each argument that its pattern matches a single value.
            InvalidArchitectureError: If no network can be built.

        Example:
            >>> import archbudget as ab
            >>> from archbudget import layers
            >>> image = layers.Input((8, 8, 3))
            >>> x = layers.Conv2D(16, 3, padding="same")(image)
            >>> x = layers.Add()([x, layers.Conv2D(16, 3, padding="same")(x)])
            >>> space = ab.Space(inputs=image, outputs=layers.GlobalAveragePooling2D()(x))
            >>> wider = space.vary({"conv2d*.filters": ab.scale(0.5, 2, divisor=8)})
            >>> wider.decisions["conv2d_filters"]
            Choice('conv2d_filters', [8, 16, 24, 32])
            >>> wider.size
            4
        """
        if not changes:
            raise SpaceError(f"vary takes at least {CHANGE}")
        space = self
        for change in inner_first(self, changes):
            arch = space._whole()
            if isinstance(change, Optional):
                made = without(space, arch, change)
            else:
                made = varied(space, arch, change, self._described)
            space = self._described(made)
        return space

    def _whole(self) -> Architecture:
        """A network of the space, with the layers that may be left out, where all may be there at once."""
        if not self.decisions:
            return architecture_of(self, {})
        arch = self.sample(1, seed=0)[0]
        flags = {name: True for name, each in self.decisions.items() if each.values[0] is True}
        try:
            first = {name: each.values[0] for name, each in self.decisions.items()}
            return architecture_of(self, {**first, **arch, **flags})
        except ArchbudgetError:
            return arch

    def suggest(self, trial: optuna.trial.BaseTrial) -> Architecture:
        """Lets an Optuna trial take each active decision, in the order of the description.

        Decisions over integers that form an ascending arithmetic progression are suggested as int parameters, all
        others as categorical ones. The distributions are always the same, so that every sampler can learn from every
        trial. The value of each metric becomes a user attribute of the trial by the name of the metric, `params`,
        `macs` and so on, for plots and dashboards; of a second space in the same trial they are `NAME.params`, by its
        `name`. O(layers), beside what the sampler and the storage of the study take, which writes each parameter and
        attribute once; safe for trials in several threads.

        Raises:
            InvalidArchitectureError: If the network cannot be built; this cannot happen under a `BudgetSampler`.
            SpaceError: If `trial` is not a trial, or has suggested another space and this one has no name, or a
                decision has equal values, such as 1 and True, which Optuna does not tell apart; or if a value was
                enqueued under a name that is nearly that of a decision, and no parameter of the objective.
            optuna.TrialPruned: If a `BudgetSampler` found that enqueued values cannot fit its budget.
        """
        if not has(trial, "suggest_categorical"):
            raise SpaceError(f"suggest needs an Optuna trial, not {show(trial)}")
        trials.refuse(trial, self.decisions)
        trials.forget_gaps(trial, self.decisions)
        turns = turns_of(self)
        asked, unwanted = ({}, None) if turns is None else asked_of(trial, turns, self.decisions)
        if unwanted is not None:
            from optuna import TrialPruned

            raise TrialPruned(unwanted)
        walk = self._compiled.diagram.walk(trials.order(trial, self.metrics))
        names = list(self.decisions)
        indices = [0] * len(names)
        while (position := walk.open) is not None:
            decision = self.decisions[names[position]]
            known = asked.get(names[position])
            indices[position] = trials.suggest(trial, names[position], decision) if known is None else known
            walk.choose(indices[position])
        trials.check(trial, self.decisions)
        arch = architecture_at(self, indices)
        prefix = trials.prefix_of(trial, self, arch.costs)
        trials.record(trial, {f"{prefix}{metric}": cost for metric, cost in arch.costs.items()})
        return self._with_parameters(arch, trial.params)

    def _with_parameters(self, arch: Architecture, params: Mapping[str, Any]) -> Architecture:
        """A network with what the function of the space asked for beside its decisions."""
        turns = turns_of(self)
        if turns is None:
            return arch
        names = parameters_of(turns, self.decisions)
        return arch.with_parameters({name: value for name, value in params.items() if name in names})

    def from_trial(self, trial: optuna.trial.BaseTrial) -> Architecture:
        """The network that an Optuna trial took; other parameters of the trial, such as a learning rate, are ignored.

        The trial may come from any study, storage and sampler: `study.best_trial`, one of `study.trials`, or a live one
        that has asked for its network. O(layers); holds the GIL.

        Raises:
            SpaceError: If it is not a trial, or has no value for an active decision, or one that is not in its domain.
            InvalidArchitectureError: If the network cannot be built.

        Example:
            >>> import archbudget as ab, optuna
            >>> from archbudget import layers
            >>> space = ab.Space([layers.Input((8,)), layers.Dense(ab.Int("units", 1, 9))])
            >>> trial = optuna.trial.FixedTrial({"units": 4, "rate": 0.1})
            >>> arch, rate = space.suggest(trial), trial.suggest_float("rate", 0, 1)
            >>> space.from_trial(trial) == arch
            True
        """
        params = trial.params if has(trial, "params") else None
        if not isinstance(params, Mapping):
            raise SpaceError(
                f"from_trial needs an Optuna trial, not {show(trial)}; best takes a study, architecture a mapping"
            )
        taken = {name: value for name, value in params.items() if name in self.decisions}
        try:
            return self._with_parameters(architecture_of(self, taken), params)
        except ArchbudgetError as error:
            raise reworded(error, f"trial {trial.number}, which took {listed(params) or 'nothing'}: {error}") from None

    def best(self, study: optuna.Study) -> Architecture:
        """The network of the best trial of a study with one objective: `from_trial(study.best_trial)`.

        Raises:
            SpaceError: If it is not a study, or has several objectives, or no completed trial (that meets its
                constraints); or as for `from_trial`.
        """
        from optuna import Study

        if not isinstance(study, Study):
            raise SpaceError(f"best needs an Optuna study, not {show(study)}; from_trial takes a trial")
        if len(study.directions) > 1:
            raise SpaceError(
                f"a study with {len(study.directions)} objectives has no one best trial, but a front of them: "
                "[space.from_trial(trial) for trial in study.best_trials]"
            )
        try:
            trial = study.best_trial
        except ValueError as error:  # Optuna's for a study without such a trial.
            raise SpaceError(f"study {show(study.study_name)} has no best trial: {one_line(error)}") from None
        return self.from_trial(trial)


def _space_file(file: str | os.PathLike[str]) -> Path:
    """The path of a space file.

    Raises:
        SpaceError: If its name has another ending, as if it held another format.
    """
    path = Path(path_of(file))
    if path.suffix not in (".yaml", ".yml"):
        raise SpaceError(f"{path}: a space file is YAML, and its name ends in .yaml or .yml")
    return path


def _require_code(code: object) -> bool:
    if not isinstance(code, bool):
        raise SpaceError(f"code must be True or False, not {show(code)}")
    return code


def _restore(definition: dict[str, Any]) -> Space:
    return Space(**definition)


def require_space(value: object, what: str) -> None:
    """Refuses a value that is not a space.

    Raises:
        SpaceError: With the name of what needs one.
    """
    if not isinstance(value, Space):
        raise SpaceError(f"{what} needs a Space, not {show(value)}")
