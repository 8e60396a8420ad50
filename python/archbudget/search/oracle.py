"""KerasTuner inside a budget: an oracle whose every trial fits, and a tuner that compares models with the space."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna

from archbudget._budget import FILL
from archbudget._expressions import builtin
from archbudget._extras import imported
from archbudget._guard import guards
from archbudget._message import listed, show
from archbudget.errors import ArchbudgetError, MissingPackageError, SpaceError
from archbudget.search.sampler import BudgetSampler
from archbudget.space.architecture import architecture_of
from archbudget.space.space import require_space

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from optuna.samplers import BaseSampler

    from archbudget._budget import Budget
    from archbudget.space.architecture import Architecture
    from archbudget.space.space import Space

keras_tuner: Any = None
"""KerasTuner; without it, the classes have their names and documentation, but no objects."""
with suppress(MissingPackageError):
    keras_tuner = imported("keras_tuner", "BudgetOracle")
ORACLE, TUNER = (object, object) if keras_tuner is None else (keras_tuner.Oracle, keras_tuner.Tuner)

JOURNAL = "archbudget.log"
"""The journal of a search, in the folder of its project."""

STATE = "archbudget"
"""Where the state of an oracle says which trial of the journal each trial is."""


def synchronized(method: Callable[..., Any]) -> Any:
    """A method of an oracle that one thread at a time calls."""
    return method if keras_tuner is None else keras_tuner.synchronized(method)


def require_keras_tuner(what: str) -> None:
    """Says what to install.

    Raises:
        MissingPackageError: If KerasTuner, Keras or its backend is not installed.
    """
    if keras_tuner is None:
        imported("keras_tuner", what)
        raise MissingPackageError(
            f"{what}: KerasTuner was installed after archbudget had looked for it: restart Python"
        )


@guards(only=["__init__"])  # KerasTuner calls the others.
class BudgetOracle(ORACLE):  # type: ignore[misc,valid-type]
    """Proposes hyperparameters of KerasTuner so that every model fits a budget, by any sampler of Optuna.

    Hyperparameters whose names are decisions of the space take the values of a candidate that fits; all others, such as
    a learning rate, are searched by the base sampler as always. What was tried is kept in a journal in the folder of
    the project, so that a search that is started again goes on where it was. Several workers share the oracle of their
    chief, as KerasTuner has it.

    Args:
        space: The space: what `build(hp)` makes, by the same names; `Space.from_function(build)` makes it of a function
            with layers of archbudget.
        budget: The budget.
        objective: As KerasTuner's.
        max_trials: The number of trials, an integer of at least 1, or `None` for no end.
        base: The sampler that proposes; by default Optuna's TPE.
        seed: The seed of the default sampler.
        fill: The share of the budget that networks use among which a search looks first, as for `BudgetSampler`.
        options: The other arguments of `keras_tuner.Oracle`.

    Raises:
        MissingPackageError: If KerasTuner, Keras or its backend is not installed.
        BudgetError: If it is not a budget, or bounds a metric that the space does not have.
        InfeasibleBudgetError: If no network of the space fits.
        SpaceError: As for `BudgetSampler`, or if KerasTuner refuses one of its own arguments.

    Example:
        >>> import archbudget as ab
        >>> space, budget = ab.spaces.lenet(), ab.Budget(params=60_000)
        >>> oracle = ab.BudgetOracle(space, budget, "val_loss", max_trials=20)  # doctest: +SKIP
    """

    def __init__(
        self,
        space: Space,
        budget: Budget,
        objective: Any = None,
        max_trials: int | None = 10,
        *,
        base: BaseSampler | None = None,
        seed: int | None = None,
        fill: float | None = FILL,
        **options: Any,
    ) -> None:
        require_keras_tuner("BudgetOracle")
        require_space(space, "BudgetOracle")
        trials = builtin(max_trials)
        if trials is not None and (isinstance(trials, bool) or not isinstance(trials, int) or trials < 1):
            raise SpaceError(f"max_trials must be None or an integer of at least 1, not {show(max_trials)}")
        self.space = space
        self.budget = budget
        self._sampler = BudgetSampler(space, budget, base, seed=seed, fill=fill)
        self._numbers: dict[str, int] = {}
        """The number of the trial of the journal, by the id of the trial of KerasTuner."""
        self._study: optuna.Study | None = None
        super().__init__(objective=objective, max_trials=trials, seed=seed, **options)

    @property
    def study(self) -> optuna.Study:
        """The study of Optuna that has all trials."""
        if self._study is None:
            storage: Any = None
            if getattr(self, "_project_name", None) is not None:
                backend = optuna.storages.journal.JournalFileBackend(str(Path(self._project_dir) / JOURNAL))
                storage = optuna.storages.JournalStorage(backend)
            is_max = getattr(self.objective, "direction", "min") == "max"
            self._study = optuna.create_study(
                storage=storage,
                sampler=self._sampler,
                direction="maximize" if is_max else "minimize",
                study_name="archbudget",
                load_if_exists=True,
            )
        return self._study

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The values of a new trial; called by KerasTuner."""
        trial = self.study.ask()
        self._numbers[trial_id] = trial.number
        arch = self.space.suggest(trial)
        values: dict[str, Any] = dict(arch)
        values.update({name: trial.params[name] for name in arch.parameters})
        for hp in self.hyperparameters.space:
            if hp.name in self.space.decisions or hp.name in values:
                continue
            if self.hyperparameters.is_active(hp) or _may_be_active(hp, values):
                values[hp.name] = _ask(trial, hp)
        return {"status": keras_tuner.engine.trial.TrialStatus.RUNNING, "values": values}

    @synchronized
    def end_trial(self, trial: Any) -> None:
        """Tells the study how a trial ended; called by KerasTuner."""
        number = self._numbers.get(trial.trial_id)
        try:
            super().end_trial(trial)
        finally:
            ended = self.trials[trial.trial_id]
            again = trial.trial_id in self._retry_queue
            if number is not None and not again:
                found = self.study.trials[number]
                if not found.state.is_finished():
                    if ended.status == "COMPLETED" and ended.score is not None:
                        self.study.tell(number, float(ended.score))
                    else:
                        self.study.tell(number, state=optuna.trial.TrialState.FAIL)

    def get_state(self) -> dict[str, Any]:
        """The state of the oracle; called by KerasTuner."""
        return {**super().get_state(), STATE: dict(self._numbers)}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Takes the state of an earlier oracle; called by KerasTuner."""
        super().set_state(state)
        self._numbers = dict(state.get(STATE, {}))
        self._study = None


def _may_be_active(hp: Any, values: Mapping[str, Any]) -> bool:
    """Whether the conditions of a hyperparameter hold with some values."""
    return all(condition.is_active(values) for condition in hp.conditions)


def _ask(trial: optuna.Trial, hp: Any) -> Any:
    """The value of a hyperparameter that is no decision of the space."""
    config = hp.get_config()
    kind = type(hp).__name__
    if kind == "Fixed":
        return hp.value
    if kind == "Boolean":
        return trial.suggest_categorical(hp.name, [True, False])
    if kind == "Choice":
        return trial.suggest_categorical(hp.name, list(hp.values))
    low, high, step = config["min_value"], config["max_value"], config.get("step")
    sampling = config.get("sampling") or "linear"
    if sampling == "log" and step is None:
        suggest = trial.suggest_int if kind == "Int" else trial.suggest_float
        return suggest(hp.name, low, high, log=True)
    if sampling != "linear":
        # Steps on a scale: any of its values, as KerasTuner counts them.
        return hp.prob_to_value(trial.suggest_float(hp.name, 0.0, 1.0 - 1e-9))
    if kind == "Int":
        return trial.suggest_int(hp.name, low, high, step=1 if step is None else int(step))
    return trial.suggest_float(hp.name, low, high, step=step)


@guards(only=["__init__"])
class BudgetTuner(TUNER):  # type: ignore[misc,valid-type]
    """A tuner of KerasTuner whose every model fits a budget.

    The models of `build(hp)` are compared with the space when they are built: `count_params()` is that of the network
    with the same values.

    Args:
        hypermodel: As KerasTuner's: `build(hp)`, or a `HyperModel`. Without one the model is that of the space,
            `arch.to_keras()`, compiled by `compile`.
        space: The space, as in `BudgetOracle`.
        budget: The budget.
        compile: What compiles the model of the space: a function of the model and the hyperparameters.
        objective: As KerasTuner's.
        max_trials: The number of trials, an integer of at least 1, or `None` for no end.
        base: The sampler that proposes; by default Optuna's TPE.
        seed: The seed of the default sampler.
        fill: As in `BudgetOracle`.
        options: The other arguments of `keras_tuner.Tuner`.

    Raises:
        MissingPackageError: If KerasTuner, Keras or its backend is not installed.
        BudgetError: As for `BudgetOracle`.
        InfeasibleBudgetError: If no network of the space fits.
        SpaceError: As for `BudgetOracle`, if it is given neither or both of a hypermodel and `compile`, or if the model
            that is built first is not that of the space.

    Example:
        >>> import archbudget as ab
        >>> space, budget = ab.spaces.lenet(), ab.Budget(params=60_000)
        >>> tuner = ab.BudgetTuner(  # doctest: +SKIP
        ...     space=space,
        ...     budget=budget,
        ...     compile=lambda model, hp: model.compile("adam", "sparse_categorical_crossentropy"),
        ...     objective="val_loss",
        ... )
    """

    def __init__(
        self,
        hypermodel: Any = None,
        *,
        space: Space,
        budget: Budget,
        compile: Callable[[Any, Any], Any] | None = None,  # noqa: A002
        objective: Any = None,
        max_trials: int | None = 10,
        base: BaseSampler | None = None,
        seed: int | None = None,
        fill: float | None = FILL,
        **options: Any,
    ) -> None:
        require_keras_tuner("BudgetTuner")
        require_space(space, "BudgetTuner")
        if (hypermodel is None) == (compile is None):
            raise SpaceError("BudgetTuner takes a hypermodel, or a function that compiles the model of the space")
        self._space = space
        self._budget = budget
        oracle = BudgetOracle(space, budget, objective, max_trials, base=base, seed=seed, fill=fill)
        if hypermodel is None:
            assert compile is not None
            hypermodel = _model_of(space, compile)
        super().__init__(oracle, hypermodel, **options)

    def _populate_initial_space(self) -> None:
        """Builds one model that fits, compares it, and registers its hyperparameters; called by KerasTuner."""
        hp = self.oracle.get_space()
        hp.values = {**hp.values, **dict(self._space.within(self._budget).sample(1, seed=0)[0])}
        model = self.hypermodel.build(hp)
        check_model(self._space, hp.values, model)
        self.oracle.update_space(hp)

    def _try_build(self, hp: Any) -> Any:
        model = super()._try_build(hp)
        check_model(self._space, hp.values, model)
        return model


def _model_of(space: Space, compile_it: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    def build(hp: Any) -> Any:
        model = _network(space, hp.values).to_keras()
        compile_it(model, hp)
        return model

    return build


def _network(space: Space, values: Mapping[str, Any]) -> Architecture:
    known = {name: value for name, value in values.items() if name in space.decisions}
    others = {name: value for name, value in values.items() if name not in space.decisions}
    return architecture_of(space, known).with_parameters(others)


def check_model(space: Space, values: Mapping[str, Any], model: Any) -> None:
    """Compares a model with the network of the space that has the same values.

    Raises:
        keras_tuner.errors.FatalValueError: If it has another number of weights, or lacks a hyperparameter.
    """
    try:
        arch = _network(space, values)
    except ArchbudgetError as error:
        raise keras_tuner.errors.FatalValueError(f"build(hp) is not the function of the space: {error}") from error
    counted = model.count_params()
    if counted != arch.params:
        raise keras_tuner.errors.FatalValueError(
            f"build(hp) makes a model of {counted:,} weights where the space counts {arch.params:,} "
            f"(with {listed(f'{name}={show(value)}' for name, value in arch.items())}): both must have the same names "
            "and layers"
        )
