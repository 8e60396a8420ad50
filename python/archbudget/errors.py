"""The exceptions of archbudget. Each message is one line: what, where, which rule, what was given."""


class ArchbudgetError(ValueError):
    """Any error that archbudget raises on purpose."""


class SpaceError(ArchbudgetError):
    """A space, or something asked of it, is not well formed: an unknown name, a wrong type, a value out of range."""


class MissingEntryError(SpaceError):
    """A latency table has no entry for a layer of a space; the message names what is missing."""


class InvalidArchitectureError(ArchbudgetError):
    """A network cannot be built: a layer refuses its input."""


class CountOverflowError(ArchbudgetError, OverflowError):
    """A number would leave the range that is counted exactly, which ends at 2^63 - 1."""


class LimitError(ArchbudgetError):
    """An exact answer would need more memory or work than the stated limit."""


class BudgetError(ArchbudgetError):
    """A budget is not sane: nothing is bounded, a bound is not positive, or a range is empty."""


class InfeasibleBudgetError(BudgetError):
    """No candidate of a space fits a budget; the message says what the smallest one needs."""


class SearchError(ArchbudgetError):
    """A search cannot go on: its objective, its storage or its processes fail, as the message says."""


def one_line(error: Exception) -> str:
    """The message of an exception that comes from elsewhere, for one line."""
    return " ".join(str(error).split())
