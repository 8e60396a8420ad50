"""Spaces: a family of networks, and the questions that are asked about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

from archbudget._budget import require_metrics
from archbudget._core import MEMORY
from archbudget._guard import guards, has
from archbudget._message import show
from archbudget._regular import path_of
from archbudget.errors import SpaceError
from archbudget.space import trials
from archbudget.space.architecture import Architecture, architecture_at, architecture_of
from archbudget.space.candidates import Candidates, unchecked
from archbudget.space.columns import empty_columns, fresh_seed
from archbudget.space.constraint import Constraint
from archbudget.space.describe import describe
from archbudget.space.distribution import Distribution
from archbudget.space.evaluation import CandidatesLike, Evaluation, evaluate
from archbudget.space.family import Family
from archbudget.space.feasible import FeasibleSet

if TYPE_CHECKING:
    import os

    import optuna

    from archbudget._budget import Budget
    from archbudget._expressions import Scalar
    from archbudget.space.describe import Description


@guards(but=["suggest"])  # A trial raises what its storage does, and what prunes it.
class Space(Family):
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

    _reader: ClassVar[Callable[[str, bool], Space]]
    """What reads a space file; see `read_with`."""

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
        if not isinstance(code, bool):
            raise SpaceError(f"code must be True or False, not {show(code)}")
        return Space._reader(path_of(file), code)

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
        return describe(self)

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
        columns = empty_columns(self.decisions, n)
        self._compiled.diagram.sample(columns, fresh_seed(seed))
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
        return evaluate(self, candidates, metrics, per_layer=per_layer, threads=threads)

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
        return architecture_of(self, {**(values or {}), **named})

    def constraint(self, budget: Budget) -> Constraint:
        """The constraint function of a budget, for Optuna and for batches: a [`Constraint`][archbudget.Constraint]."""
        return Constraint(self, budget)

    def within(self, budget: Budget, *, memory: int = MEMORY) -> FeasibleSet[Space]:
        """The candidates that fit a budget, as a set to ask about; see [`FeasibleSet`][archbudget.FeasibleSet].

        Args:
            budget: The budget.
            memory: The bytes that the answers may take before they are rounded to certified bounds.
        """
        return FeasibleSet(self, budget, memory=memory)

    def distribution(self, metric: str, *, memory: int = MEMORY) -> Distribution:
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
        return Distribution(metric, *self._compiled.diagram.distribution(metric, memory))

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
        if not has(trial, "suggest_categorical"):
            raise SpaceError(f"suggest needs an Optuna trial, not {show(trial)}")
        trials.refuse(trial)
        walk = self._compiled.diagram.walk()
        names = list(self.decisions)
        indices = [0] * len(names)
        while (position := walk.open) is not None:
            decision = self.decisions[names[position]]
            indices[position] = trials.suggest(trial, names[position], decision)
            walk.choose(indices[position])
        return architecture_at(self, indices)


def require_space(value: object, what: str) -> None:
    """Refuses what is not a space.

    Raises:
        SpaceError: Naming what needs one.
    """
    if not isinstance(value, Space):
        raise SpaceError(f"{what} needs a Space, not {show(value)}")


def read_with(reader: Callable[[str, bool], Space]) -> None:
    """Says what `Space.load` reads a file with: files stand above spaces.

    Args:
        reader: A function of the path of a space file, and of whether what it names as Python may be run.
    """
    Space._reader = staticmethod(reader)
