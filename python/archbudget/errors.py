"""The exceptions of archbudget. Each message is one line: the problem, its position, the rule, the given value.

Errors are made in microseconds; they are safe to pass between threads and processes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from archbudget._message import LONGEST, cut, line, show

__all__ = [
    "ArchbudgetError",
    "BudgetError",
    "CountOverflowError",
    "FileError",
    "FolderError",
    "InexactError",
    "InfeasibleBudgetError",
    "InvalidArchitectureError",
    "LimitError",
    "MissingEntryError",
    "MissingFileError",
    "MissingPackageError",
    "OutOfMemoryError",
    "OutOfRangeError",
    "SearchError",
    "SpaceError",
    "TranslationError",
    "UnknownArgumentError",
    "UnknownNameError",
]


def __dir__() -> list[str]:
    return sorted(__all__)


class ArchbudgetError(ValueError):
    """Any error that archbudget raises on purpose; its message is one line of at most 2,000 characters.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import errors
        >>> try:
        ...     ab.Budget(params=-1)
        ... except errors.ArchbudgetError as error:
        ...     print(error)
        params: the upper bound must be at least 1, not -1
    """

    def __init__(self, message: object = "") -> None:
        text = message if type(message) is str else show(message)
        super().__init__(cut(line(cut(text, LONGEST)), LONGEST))

    @property
    def data(self) -> dict[str, object]:
        """The data of the error beside its message, by name; empty where it has a message alone."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


_PLAIN = (bool, int, float, str, type(None))
_SHORT = 4
"""The length from which a bound is kept as text."""


def _plain(bound: object) -> object:
    """A bound as an error keeps it: it can be pickled, and does not change with the caller's."""
    if isinstance(bound, (list, tuple)) and len(bound) < _SHORT:
        return tuple(end if type(end) in _PLAIN else show(end) for end in bound)
    return bound if type(bound) in _PLAIN else show(bound)


class SpaceError(ArchbudgetError):
    """A space, or a question to it, is not well formed: an unknown name, a wrong type, a value out of range.

    Example:
        >>> import archbudget as ab
        >>> ab.Choice("width", [])
        Traceback (most recent call last):
            ...
        archbudget.errors.SpaceError: decision 'width' has no values; it needs at least one
    """


class MissingEntryError(SpaceError):
    """A latency table has no entry for a layer of a space; the message names the layer.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import errors, layers
        >>> table = ab.LatencyTable("us", [({"type": "Input"}, 0)])
        >>> try:
        ...     ab.Space([layers.Input((4,)), layers.Dense(8)]).with_metrics([table])
        ... except errors.MissingEntryError as error:
        ...     print(error)
        the latency table 'us' has no entry for type=Dense, input_shape=4, output_shape=8
    """


class TranslationError(SpaceError):
    """A model of a framework has parts that archbudget cannot translate; the message names them, by name and type.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import errors
        >>> half = {"class_name": "Lambda", "config": {"name": "half"}}
        >>> model = {"class_name": "Sequential", "config": {"layers": [half]}}
        >>> try:
        ...     ab.from_keras(model, input_shape=(4,))
        ... except errors.TranslationError as error:
        ...     print(error.parts[0][:2])
        ('half', 'Lambda')
    """

    parts: tuple[tuple[str, str, str], ...]
    """Every such part: its name, its type, and why."""

    def __init__(self, message: object = "", *, parts: tuple[tuple[str, str, str], ...] = ()) -> None:
        super().__init__(message)
        self.parts = parts


class InvalidArchitectureError(ArchbudgetError):
    """A network cannot be built: a layer refuses its input, or a condition of the space is not met.

    The error has the content of its message as data, too, where it is known. An error that a custom layer raises has a
    message only; the space raises it again with the name, the kind and the input shapes of the layer.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import errors, layers
        >>> space = ab.Space([layers.Input((4, 4, 1)), layers.Conv2D(8, ab.Choice("kernel", [3, 5]))])
        >>> try:
        ...     space.architecture(kernel=5)
        ... except errors.InvalidArchitectureError as error:
        ...     print(str(error)[:80])
        layer 'conv2d' (Conv2D) cannot be built on input shape (None, 4, 4, 1): with pad
    """

    layer: str | None
    """The name of the layer; `None` where a condition is not met."""
    kind: str | None
    """The kind of the layer: its name in `archbudget.layers`, or that of the function of a custom layer."""
    input_shapes: tuple[tuple[int, ...], ...] | None
    """The shapes of its inputs, without the batch axis; `None` where one of them is not known."""
    rule: str | None
    """The broken rule; for a `Require` or a constraint the text of the condition."""
    arguments: dict[str, Any] | None
    """The hyperparameters that touch shape or cost, by name: words, numbers, flags, tuples, `None` where one is not
    set; an inner layer is a nested dict with its `type`. `None` where one of them cannot be computed, and for custom
    layers."""

    def __init__(
        self,
        message: object = "",
        *,
        layer: str | None = None,
        kind: str | None = None,
        input_shapes: tuple[tuple[int, ...], ...] | None = None,
        rule: str | None = None,
        arguments: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.layer = layer
        self.kind = kind
        self.input_shapes = input_shapes
        self.rule = rule
        self.arguments = arguments


class CountOverflowError(ArchbudgetError, OverflowError):
    """A number would exceed the range that is counted exactly, which ends at 2^63 - 1.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import errors, layers
        >>> try:
        ...     ab.Space([layers.Input((2**40,)), layers.Dense(2**40)]).architecture()
        ... except errors.CountOverflowError as error:
        ...     print(str(error).split(": ")[0])
        layer 'dense' (Dense) cannot be built on input shape (None, 1099511627776)
    """


class LimitError(ArchbudgetError):
    """An exact answer would need more memory or work than the stated limit.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import errors
        >>> try:
        ...     ab.plot.diagram(ab.spaces.lenet())
        ... except errors.LimitError as error:
        ...     print(str(error).split(", and")[0])
        the diagram has 254 nodes and 4,355 arcs
    """


class InexactError(LimitError):
    """A number is known within bounds only, and the answer needs the number.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import errors, layers
        >>> rows = [layers.Dense(ab.Int(f"units_{i}", 8, 256, step=8)) for i in range(6)]
        >>> fits = ab.Space([layers.Input((64,)), *rows]).within(ab.Budget(params=50_000), memory=2**17)
        >>> try:
        ...     fits.count()
        ... except errors.InexactError:
        ...     print(fits.bounds().ratio < 1.01)
        True
    """

    lower: float
    """The number is at least this."""
    upper: float
    """The number is at most this."""

    def __init__(self, message: object = "", *, lower: float = 0, upper: float = math.inf) -> None:
        super().__init__(message)
        self.lower = lower
        self.upper = upper


class OutOfMemoryError(LimitError, MemoryError):
    """There is not enough memory for the result.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import errors
        >>> def drawn(fits, n):
        ...     try:
        ...         return fits.sample(n)
        ...     except errors.OutOfMemoryError:
        ...         return fits.sample(n // 10)
    """


class BudgetError(ArchbudgetError):
    """A budget is not sensible: nothing is bounded, a bound is not positive, or a range is empty.

    Args:
        message: The message.
        metric: The metric of the wrong bound.
        bound: The bound as it was given; where no network fits, its range (low, high).
        smallest: The smallest value of the metric in the space.

    Example:
        >>> import archbudget as ab
        >>> ab.Budget(params=-1)
        Traceback (most recent call last):
            ...
        archbudget.errors.BudgetError: params: the upper bound must be at least 1, not -1
    """

    metric: str | None
    """The metric whose bound is wrong, or cannot be met; `None` where the error is not about one metric."""
    bound: object
    """The bound as it was given; where no network fits, its range (low, high)."""
    smallest: int | None
    """The smallest value of the metric in the space; `None` where no space is involved."""

    def __init__(
        self, message: object = "", *, metric: str | None = None, bound: object = None, smallest: int | None = None
    ) -> None:
        super().__init__(message)
        self.metric = metric
        self.bound = _plain(bound)
        self.smallest = smallest


class InfeasibleBudgetError(BudgetError):
    """No candidate of a space fits a budget; the message has the range of each bounded metric in the space.

    `metric` is the first metric whose bound no network meets; where each bound can be met alone, but not all of them
    together, it is the first metric of the budget.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import errors
        >>> try:
        ...     ab.spaces.lenet().within(ab.Budget(params=1)).sample(1)
        ... except errors.InfeasibleBudgetError as error:
        ...     print(str(error).split(": ")[1])
        in this space params go from 3,218 to 1,794,954
    """


class SearchError(ArchbudgetError):
    """A search cannot continue: its objective, its storage or its processes failed, as the message says.

    Example:
        >>> import archbudget as ab
        >>> space, budget = ab.spaces.lenet(), ab.Budget(params=60_000)
        >>> ab.search(space, lambda arch: None, budget, n_trials=1)
        Traceback (most recent call last):
            ...
        archbudget.errors.SearchError: the objective failed in trial 0: it returned None, which is not a number
    """


class UnknownNameError(SpaceError, KeyError):
    """A mapping does not have a name.

    Example:
        >>> import archbudget as ab
        >>> ab.Budget(params=60_000)["macs"]
        Traceback (most recent call last):
            ...
        archbudget.errors.UnknownNameError: 'macs' is not bounded; there are params
    """

    __str__ = ArchbudgetError.__str__


class UnknownArgumentError(SpaceError, TypeError):
    """A function, a method or a class does not have a keyword argument; the message names the nearest one.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import layers
        >>> layers.Dense(8, unit=3)
        Traceback (most recent call last):
            ...
        archbudget.errors.UnknownArgumentError: Dense: unknown argument 'unit'; did you mean units?
    """


class OutOfRangeError(SpaceError, IndexError):
    """A sequence does not have a position.

    Example:
        >>> import archbudget as ab
        >>> ab.spaces.lenet().within(ab.Budget(params=8_000))[1_000]
        Traceback (most recent call last):
            ...
        archbudget.errors.OutOfRangeError: there is no network 1000 of 61, which count from 0
    """


class MissingPackageError(ArchbudgetError, ModuleNotFoundError):
    """An optional package is missing; the message says what to install, and `name` is the missing package.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import errors
        >>> def model_of(arch):
        ...     try:
        ...         return arch.to_torch()
        ...     except errors.MissingPackageError:
        ...         return arch.to_keras()
    """

    def __init__(self, message: object = "", *, name: str | None = None) -> None:
        super().__init__(message)
        self.name = name

    @property
    def data(self) -> dict[str, object]:
        """The data of the error beside its message, by name."""
        return {**super().data, "name": self.name}


class FileError(SpaceError, OSError):
    """A file cannot be read or written; the message names it.

    Example:
        >>> import archbudget as ab
        >>> from archbudget import errors
        >>> try:
        ...     ab.Space.load("missing.yaml")
        ... except errors.FileError as error:
        ...     print(error)
        there is no file missing.yaml
    """

    if not TYPE_CHECKING:
        # That of the base which lays it out, also where it is called by itself, as the pickler of Dask does.
        __new__ = OSError.__new__


class MissingFileError(FileError, FileNotFoundError):
    """A file, or the folder for it, does not exist.

    Example:
        >>> import archbudget as ab
        >>> ab.Space.load("missing.yaml")
        Traceback (most recent call last):
            ...
        archbudget.errors.MissingFileError: there is no file missing.yaml
    """


class FolderError(FileError, IsADirectoryError):
    """The path of a file is that of a folder.

    Example:
        >>> import archbudget as ab
        >>> ab.from_keras(".")
        Traceback (most recent call last):
            ...
        archbudget.errors.FolderError: . cannot be read: it is a folder
    """
