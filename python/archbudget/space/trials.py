"""Spaces in Optuna's terms: the names of attributes, the distributions of decisions, the suggestions of a trial."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from archbudget._expressions import as_written
from archbudget._message import nearest, show
from archbudget.errors import SpaceError
from archbudget.space.columns import is_gap
from archbudget.space.suggested import Suggested

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from optuna import Study
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import BaseTrial

    from archbudget._expressions import Decision
    from archbudget.space.family import Family

PREFIX = "archbudget:"
"""The names of archbudget's own attributes begin with this."""

PROCESS = "archbudget:process"
"""The user attribute of a trial that says which process works on it."""

BEAT = "archbudget:beat"
"""The user attribute of a running trial that counts up as long as its process lives."""

RETRY_OF = "archbudget:retry_of"
"""The user attribute of a trial that tries an earlier one again: the number of that trial."""

LOST = "archbudget:lost"
"""The user attribute of a trial whose process was lost: the reason. Each such trial counts as one try."""

FAILED = "archbudget:failed"
"""The user attribute of a trial that failed and is not tried again: the reason. Such a trial is finished."""

REFUSED = "archbudget:refused"
"""The user attribute of a trial whose fixed values cannot fit the budget: the reason."""

DIVERGED = "archbudget:diverged"
"""The user attribute of a trial that is pruned because its objective returned no finite number: the reason."""

MISNAMED = "archbudget:misnamed"
"""The user attribute of a trial with fixed values whose names are no decisions: the nearest decision of each."""

ORDER = "archbudget:order"
"""The user attribute of a trial whose decisions are asked for in the order of a budget on peaks: its metrics.

Only wide spaces have another order for other budgets.
"""

SPACES = "archbudget:spaces"
"""The user attribute of a trial that says which space keeps its costs under which names: fingerprints by prefix."""

SPACE, BUDGET, OBJECTIVE = "archbudget:space", "archbudget:budget", "archbudget:objective"
"""The user attributes of a study that say which space, budget and objective it has."""

COUNTS = "archbudget:counts"
"""The user attribute of a study with a digest of what some candidates of its space count."""

MODELS = "archbudget:models"
"""The user attribute of a study, and of a trial, that says where its models are kept."""


def distribution_of(decision: Decision) -> FloatDistribution | IntDistribution | CategoricalDistribution:
    """The distribution of the parameter that stands for a decision; it never changes."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if isinstance(decision, Suggested):
        return decision.spec.distribution(_categories(decision))
    if decision.step is not None:
        low, high = decision.values[0], decision.values[-1]
        return IntDistribution(low, high, step=decision.step)
    return CategoricalDistribution(_categories(decision))


def _categories(decision: Decision) -> tuple[Any, ...]:
    """The values of a decision as Optuna's categories.

    Raises:
        SpaceError: If two of them are equal, as 1 and True are: Optuna would keep the first for either.
    """
    seen: dict[Any, Any] = {}
    for value in decision.values:
        if value in seen:
            raise SpaceError(
                f"Optuna keeps {show(seen[value])} and {show(value)} as one value, and decision '{decision.name}' has "
                "both; name them by text, and map(...) it"
            )
        seen[value] = value
    return decision.values


def suggest(trial: BaseTrial, name: str, decision: Decision) -> int:
    """The index of the value that a trial takes for a decision.

    Raises:
        SpaceError: If it was given what is no value of the decision.
    """
    if isinstance(decision, Suggested):
        return decision.index(decision.spec.ask(trial, name, decision.values))
    if decision.step is not None:
        low, high = decision.values[0], decision.values[-1]
        return decision.index(trial.suggest_int(name, low, high, step=decision.step))
    return decision.index(trial.suggest_categorical(name, _categories(decision)))


def check(trial: BaseTrial, decisions: Mapping[str, Decision]) -> None:
    """Refuses a trial that was given, by `enqueue_trial` and the like, what is no value of a decision.

    Optuna takes 16.5, True and "16" for integers, and keeps them as they are.

    Raises:
        SpaceError: With the first one.
    """
    for name, value in trial.params.items():
        if name in decisions:
            decisions[name].index(value)


def prefix_of(trial: BaseTrial, space: Family, costs: Mapping[str, int]) -> str:
    """What stands before the names of the metrics of a space in a trial: nothing for its first one, then their names.

    The trial keeps which space has which names, so that it may be made again, also by another process.

    Raises:
        SpaceError: If the costs of another space of the trial have these names.
    """
    known = trial.user_attrs
    owners = known.get(SPACES, {})
    own = fingerprint(space)
    for prefix in ("", *([f"{space.name}."] if space.name else [])):
        is_ours = owners.get(prefix, own) == own
        # One that only differs in what the fingerprint leaves out has other costs, or may share them.
        if is_ours and all(known.get(f"{prefix}{metric}", cost) == cost for metric, cost in costs.items()):
            if prefix not in owners:
                trial.set_user_attr(SPACES, {**owners, prefix: own})
            return prefix
    raise SpaceError(
        f"trial {getattr(trial, 'number', '')} has suggested another space, and keeps its costs: give this one a name "
        'of its own, space.with_name("decoder"), so that the trial keeps decoder.params beside params'
    )


def written(space: Family) -> str:
    """The decisions, layers and constraints of a space, as studies keep them."""
    constraints = [as_written(each, {}) for each in space.constraints]
    return json.dumps(
        {
            "decisions": {name: list(decision.values) for name, decision in space.decisions.items()},
            "layers": list(space.layer_names),
            **({"constraints": constraints} if constraints else {}),
        }
    )


def fingerprint(space: Family) -> str:
    """What tells spaces apart within a trial, the same in each process; made once for each space."""
    found = _fingerprints.get(space)
    if found is None:
        text = json.dumps([written(space), space.metrics])
        found = _fingerprints[space] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return found


_fingerprints: WeakKeyDictionary[Family, str] = WeakKeyDictionary()


def record(trial: BaseTrial, costs: Mapping[str, int]) -> None:
    """Keeps the costs of the network of a trial as user attributes, a number for each metric, by its name."""
    known = trial.user_attrs
    for metric, cost in costs.items():
        if known.get(metric) != cost:
            trial.set_user_attr(metric, cost)


def order(trial: BaseTrial, metrics: Collection[str]) -> list[str]:
    """Those of a space's metrics that say in which order a trial asks for its decisions; see `ORDER`."""
    return [metric for metric in trial.user_attrs.get(ORDER, ()) if metric in metrics]


def refuse(trial: BaseTrial, decisions: Mapping[str, Decision]) -> None:
    """Refuses a trial whose fixed values have no decision in the space, or cannot fit the budget of its sampler.

    Raises:
        SpaceError: If the name of a fixed value is nearly that of a decision, and not yet suggested by the trial.
        optuna.TrialPruned: If no network with the values fits, or one of the values does not exist.
    """
    for name, near in {**trial.user_attrs.get(MISNAMED, {}), **_misnamed_here(trial, decisions)}.items():
        if name not in trial.params:
            raise SpaceError(
                f"trial {trial.number} has a fixed value of {show(name)}, which is no decision of the space; did you "
                f"mean {show(near)}? (Suggest it before space.suggest(trial) if it is a parameter of the objective.)"
            )
    reason = trial.user_attrs.get(REFUSED)
    if reason is not None:
        from optuna import TrialPruned

        raise TrialPruned(reason)


def forget_gaps(trial: BaseTrial, decisions: Mapping[str, Decision]) -> None:
    """Lets a sampler choose where `enqueue_trial` gave a decision no value (None, NaN), as rows of tables do."""
    fixed = getattr(trial, "_fixed_params", None)
    if not isinstance(fixed, dict):
        return
    gaps = [name for name, value in fixed.items() if name in decisions and is_gap(decisions[name], value)]
    for name in gaps:
        del fixed[name]


def unwrapped(sampler: BaseSampler) -> tuple[BaseSampler, dict[str, Any]]:
    """The sampler within `PartialFixedSampler`s, and the values that they fix."""
    from optuna.samplers import PartialFixedSampler

    fixed: dict[str, Any] = {}
    while isinstance(sampler, PartialFixedSampler):
        fixed = {**sampler._fixed_params, **fixed}
        sampler = sampler._base_sampler
    return sampler, fixed


def misnamed(study: Study, fixed: Mapping[str, Any], decisions: Mapping[str, Decision]) -> dict[str, str]:
    """The fixed names that are nearly those of decisions which are not fixed, with the nearest one of each.

    Names that a trial of the study has suggested are those of parameters of the objective.
    """
    unknown = [name for name in fixed if name not in decisions]
    if not unknown:
        return {}
    free = [name for name in decisions if name not in fixed]
    found = {name: nearest(name, free) for name in unknown}
    suspects = {name: near for name, near in found.items() if near is not None}
    return {name: suspects[name] for name in new_names(study, suspects)}


def _misnamed_here(trial: BaseTrial, decisions: Mapping[str, Decision]) -> dict[str, str]:
    """The same for the values that were enqueued for a trial, or are fixed by the sampler of its study."""
    from optuna import Trial

    if not isinstance(trial, Trial):
        return {}
    _, fixed = unwrapped(trial.study.sampler)
    return misnamed(trial.study, {**fixed, **trial._fixed_params}, decisions)


def new_names(study: Study, names: Iterable[str]) -> list[str]:
    """The names that no trial of a study has suggested; others were parameters of the objective."""
    new = list(names)
    if new:
        for trial in study.get_trials(deepcopy=False):
            new = [name for name in new if name not in trial.params]
    return new
