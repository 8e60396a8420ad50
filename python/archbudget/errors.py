"""The exceptions of archbudget. Each message is one line: what, where, which rule, what was given."""

from __future__ import annotations

from typing import Any

from archbudget._message import LONGEST, cut, line, show


class ArchbudgetError(ValueError):
    """Any error that archbudget raises on purpose; its message is one line of at most 2,000 characters."""

    def __init__(self, message: object = "") -> None:
        text = message if type(message) is str else show(message)
        super().__init__(cut(line(cut(text, LONGEST)), LONGEST))


class SpaceError(ArchbudgetError):
    """A space, or something asked of it, is not well formed: an unknown name, a wrong type, a value out of range."""


class MissingEntryError(SpaceError):
    """A latency table has no entry for a layer of a space; the message names what is missing."""


class InvalidArchitectureError(ArchbudgetError):
    """A network cannot be built: a layer refuses its input, or a condition of the space is not met.

    What the message says is there as data, too, where it is known. An error that a custom layer raises has a message
    only; the one that comes out of the space for it has the name, the kind and the input shapes of the layer.
    """

    layer: str | None
    """The name of the layer; `None` where a condition is not met."""
    kind: str | None
    """What the layer is: its name in `archbudget.layers`, or that of the function of a custom layer."""
    input_shapes: tuple[tuple[int, ...], ...] | None
    """The shapes of its inputs, without the batch axis; `None` where one of them is not known."""
    rule: str | None
    """The rule that is broken; of a `Require` or a constraint the condition as it is written."""
    arguments: dict[str, Any] | None
    """The hyperparameters that touch shape or cost, by name: words, numbers, flags, tuples, `None` where one is not
    set; a layer inside is a dict of its own, with its `type`. `None` where one of them cannot be computed, and for
    custom layers."""

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
    """A number would leave the range that is counted exactly, which ends at 2^63 - 1."""


class LimitError(ArchbudgetError):
    """An exact answer would need more memory or work than the stated limit."""


class OutOfMemoryError(LimitError, MemoryError):
    """There is not as much memory as what is asked for takes."""


class BudgetError(ArchbudgetError):
    """A budget is not sane: nothing is bounded, a bound is not positive, or a range is empty."""


class InfeasibleBudgetError(BudgetError):
    """No candidate of a space fits a budget; the message says what the smallest one needs."""


class SearchError(ArchbudgetError):
    """A search cannot go on: its objective, its storage or its processes fail, as the message says."""


class UnknownNameError(SpaceError, KeyError):
    """A mapping is asked for a name that it does not have."""

    __str__ = ArchbudgetError.__str__


class OutOfRangeError(SpaceError, IndexError):
    """A sequence is asked for a position beyond its end."""


class FileError(SpaceError, OSError):
    """A file cannot be read or written; the message names it."""


class MissingFileError(FileError, FileNotFoundError):
    """There is no such file, or no folder for it."""


class FolderError(FileError, IsADirectoryError):
    """A folder stands where a file is needed."""
