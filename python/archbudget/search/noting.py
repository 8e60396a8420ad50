"""The note of a study, for those who look at it in optuna-dashboard."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from optuna.storages import InMemoryStorage

from archbudget._extras import imported
from archbudget._markup import markdown, markdown_code
from archbudget.search.running import finished

if TYPE_CHECKING:
    import optuna

    from archbudget._budget import Budget
    from archbudget.space.space import Space

OURS = "**archbudget**"
"""What a note of ours begins with; any other note is somebody's own, and stays."""


def note_down(study: optuna.Study, space: Space, budget: Budget) -> None:
    """Writes the state of a search into the note of its study, where optuna-dashboard is installed and can show it."""
    if isinstance(study._storage, InMemoryStorage) or find_spec("optuna_dashboard") is None:
        return
    dashboard = imported("optuna_dashboard", "a note")
    before = dashboard.get_note(study)
    if not before or before.startswith(OURS):
        after = text_of(study, space, budget)
        if after != before:
            dashboard.save_note(study, after)


def text_of(study: optuna.Study, space: Space, budget: Budget) -> str:
    """The note: how many trials there are, the budget, and the best network with its layers, in Markdown."""
    name = f" of {markdown(space.name)}" if space.name else ""
    lines = [f"{OURS}: {finished(study):,} trials{name}, each within {markdown(budget.describe())}", ""]
    try:
        ranked = study.best_trials if len(study.directions) > 1 else [study.best_trial]
    except ValueError:
        return "\n".join([*lines, "No trial is complete."])
    if not ranked:
        return "\n".join([*lines, "No trial is complete."])
    if len(ranked) > 1:
        lines += [
            f"{len(ranked):,} trials are on the Pareto front: {', '.join(f'{each.number}' for each in ranked)}.",
            "",
        ]
    trial = ranked[0]
    arch = space.from_trial(trial)
    chosen = ", ".join(f"{decision}={value}" for decision, value in arch.items())
    lines += [
        f"Trial {trial.number}: {', '.join(f'{value:.6g}' for value in trial.values)}; {markdown_code(chosen)}",
        "",
    ]
    return "\n".join([*lines, "```text", arch.summary(), "```"])
