"""The candidates that fit a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archbudget._budget import Budget
from archbudget.errors import BudgetError, InfeasibleBudgetError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archbudget._expressions import Scalar
    from archbudget._space import Space


class FeasibleSet:
    """The candidates of a space that fit a budget; it may be empty.

    Args:
        space: The space.
        budget: The budget.
    """

    def __init__(self, space: Space, budget: Budget) -> None:
        if not isinstance(budget, Budget):
            raise BudgetError(f"a feasible set needs a Budget, not {budget!r}")
        self.space = space
        self.budget = budget
        self._core = space._diagram.within([(metric, low, high) for metric, (low, high) in budget.items()])

    def __repr__(self) -> str:
        return f"<FeasibleSet {self.budget.describe()}>"

    def count(self) -> int:
        """The exact number of distinct networks that fit.

        Raises:
            LimitError: If an exact count would need too much memory.
        """
        return self._core.count()

    def fraction(self) -> float:
        """The share of the space that fits, from 0 to 1."""
        return self.count() / self.space.size

    def fix(self, values: Mapping[str, Scalar]) -> FeasibleSet:
        """Those of them in which some decisions have given values; that of an inactive decision does not matter.

        O(arcs of the diagram).

        Raises:
            SpaceError: If a decision is unknown or a value is not in its domain.
        """
        self.space._check_names(values, "fixed values")
        part: FeasibleSet = object.__new__(FeasibleSet)
        part.space, part.budget = self.space, self.budget
        part._core = self._core.fix(self.space.indices_of(values))
        return part

    def is_empty(self) -> bool:
        """Whether nothing fits; faster than counting."""
        return self._core.is_empty()

    def allowed(self, prefix: Sequence[int]) -> tuple[str, list[bool]] | None:
        """The decision that follows some taken ones, and for each of its values whether a completion fits.

        Args:
            prefix: The indices of the values taken so far, in the order in which the decisions are asked for.

        Returns:
            `None` when the candidate is complete.
        """
        found = self._core.allowed(list(prefix))
        if found is None:
            return None
        position, allowed = found
        return list(self.space.decisions)[position], allowed

    def require_some(self) -> None:
        """Refuses a budget that nothing fits.

        Raises:
            InfeasibleBudgetError: With the smallest and largest value that each bounded metric can take.
        """
        if not self.is_empty():
            return
        reach = []
        for metric in self.budget:
            smallest, largest = self.space.range(metric)
            reach.append(f"{metric} go from {smallest:,} to {largest:,}")
        raise InfeasibleBudgetError(
            f"no network of the space fits the budget ({self.budget.describe()}): in this space {', '.join(reach)}"
        )
