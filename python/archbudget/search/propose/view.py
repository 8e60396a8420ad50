"""A study as a base sampler sees it: the same trials, with other parameters."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    Translate = Callable[[FrozenTrial], "tuple[dict[str, Any], dict[str, BaseDistribution]] | None"]


class View:
    """A study that shows its trials with other parameters, or hides them; everything else is the study's.

    Args:
        study: The study.
        translate: A function of a trial that returns the parameters and distributions to show; `None` hides the trial.
        shown: The trials shown before, by their ids in the storage; all views that share it translate a trial that has
            ended only once.
    """

    def __init__(self, study: Study, translate: Translate, shown: dict[int, FrozenTrial] | None = None) -> None:
        self._study = study
        self._translate = translate
        self._shown = {} if shown is None else shown

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._study, attribute)

    def _get_trials(self, *args: Any, **kwargs: Any) -> list[FrozenTrial]:
        return self._show(self._study._get_trials(*args, **kwargs))

    def get_trials(self, *args: Any, **kwargs: Any) -> list[FrozenTrial]:
        """The trials as they are shown."""
        return self._show(self._study.get_trials(*args, **kwargs))

    @property
    def trials(self) -> list[FrozenTrial]:
        """The trials as they are shown."""
        return self._show(self._study.trials)

    def _show(self, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        cache = self._shown
        shown = []
        for trial in trials:
            seen = cache.get(trial._trial_id)
            if seen is None:
                found = self._translate(trial)
                if found is None:
                    continue
                seen = trial
                if found[0] is not trial.params:
                    seen = copy.copy(trial)
                    seen._params, seen._distributions = found
                if trial.state.is_finished():
                    cache[trial._trial_id] = seen
            shown.append(seen)
        return shown
