"""The networks that a study has tried."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from optuna.trial import TrialState

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from archbudget.search.propose.inside import Inside, Key

STATES = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


class Tried:
    """The networks of trials that have no parameters but decisions: to train one of them again would tell nothing new.

    Where trials have other parameters, too, a network may be tried with many values of them.
    """

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[BaseStorage, dict[int, Key | None]] = WeakKeyDictionary()

    def of(self, study: Study, trial: FrozenTrial, inside: Inside) -> set[Key]:
        """The networks of the other trials, running ones included. Each trial that has ended is looked at once."""
        known = self._known.setdefault(study._storage, {})
        tried: set[Key] = set()
        for each in study._get_trials(deepcopy=False, states=STATES, use_cache=True):
            if each.number == trial.number:
                continue
            if each._trial_id in known:
                key = known[each._trial_id]
            else:
                key = self._key(each, inside)
                if each.state.is_finished():
                    known[each._trial_id] = key
            if key is not None:
                tried.add(key)
        return tried

    def _key(self, trial: FrozenTrial, inside: Inside) -> Key | None:
        """The network of a trial; `None` if it has none, or other parameters or distributions."""
        if not trial.params or any(
            inside.distributions.get(name) != each for name, each in trial.distributions.items()
        ):
            return None
        return tuple(inside.space.indices_of(trial.params))
