"""Writing space files: loaded spaces, and parts of them."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archbudget._atomic import atomic
from archbudget._budget import MOST, Budget, is_open
from archbudget.files.reference import is_file
from archbudget.files.yaml import dump

if TYPE_CHECKING:
    from archbudget._expressions import Decision
    from archbudget.space.space import Space


@dataclass(frozen=True)
class Loaded:
    """A space, and the other content of its file."""

    name: str
    space: Space
    description: dict[str, Any]
    """The content of its file; for `module:attribute` the content that a file would have."""
    folder: Path
    """The folder of the files that it names."""
    budget: Budget | None = None
    objective: str | None = None
    """The objective that belongs to it, as `module:function`."""

    def narrowed(self, space: Space, budget: Budget | None) -> Loaded:
        """A copy with a part of the space, and another budget."""
        description = {key: value for key, value in self.description.items() if key != "domains"}
        if budget is not None and budget != self.budget:
            description["budget"] = {metric: _bound(metric, *ends) for metric, ends in budget.items()}
        if space.domains:
            description["domains"] = {name: domain_of(space.decisions[name]) for name in space.domains}
        ordered = {key: description[key] for key in [*self.description, *description] if key in description}
        return replace(self, space=space, budget=budget, description=ordered)

    def text(self, folder: Path) -> str:
        """The text of a space file in a folder."""
        described = dict(self.description)
        if metrics := described.get("metrics"):
            described["metrics"] = {name: self._moved(metric, folder) for name, metric in metrics.items()}
        if is_file(described.get("space", "")):
            described["space"] = Path(os.path.relpath(self.folder / described["space"], folder)).as_posix()
        return dump(described)

    def _moved(self, metric: Any, folder: Path) -> Any:
        """The entry of a metric in a file in another folder."""
        if not isinstance(metric, dict) or metric.get("table") is None:
            return metric
        return {**metric, "table": Path(os.path.relpath(self.folder / metric["table"], folder)).as_posix()}

    def write(self, file: Path) -> None:
        """Writes a space file, whole or not at all."""
        text = self.text(file.parent)
        with atomic(file) as part:
            part.write_text(text, encoding="utf-8")


def _bound(metric: str, low: Any, high: Any) -> Any:
    """A range of a budget in a file."""
    low, high = (float(end) if isinstance(end, Fraction) else end for end in (low, high))
    return high if is_open(metric, low) else [None if low == -MOST else low, None if high == MOST else high]


def domain_of(decision: Decision) -> Any:
    """The values of a decision in a file."""
    values = list(decision.values)
    if decision.step is None or len(values) <= 3:
        return values
    ends = {"low": values[0], "high": values[-1]}
    return ends if decision.step == 1 else {**ends, "step": decision.step}
