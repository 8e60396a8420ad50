"""`archbudget search`: from a space to a trained network inside its budget."""

import contextlib
import dataclasses
import math
import re
import shutil
import sys
from collections.abc import Container
from enum import Enum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import optuna
import typer
from optuna.trial import TrialState
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from archbudget import files, plot
from archbudget._atomic import atomic
from archbudget._budget import FILL, title_of
from archbudget._machine import cores
from archbudget._message import show
from archbudget._progress import reporting
from archbudget.cli import _options, _tables
from archbudget.cli._options import (
    NO_BOUNDS,
    BudgetOptions,
    Json,
    NoCode,
    Once,
    PlotFile,
    takes_budget,
)
from archbudget.digits import EPOCHS_KEY
from archbudget.errors import ArchbudgetError, SearchError
from archbudget.search.interrupt import interrupts
from archbudget.search.noting import note_down
from archbudget.search.run import SAMPLERS, base_sampler, limits
from archbudget.search.running import Limits, best, finished, is_finished
from archbudget.search.sampler import check_fill
from archbudget.search.storage import is_in_memory, sqlite_url, storage_errors, without_password
from archbudget.space.feasible import FeasibleSet
from archbudget.space.space import Space
from archbudget.space.trials import DIVERGED, FAILED, LOST, MODELS, PREFIX, REFUSED
from archbudget.workers.job import Job, function, quiet
from archbudget.workers.pool import Pool

BEST = 5
"""The table shows this many networks, whose models are kept."""

TOLD = 3
"""The end of a search has the reasons of at most this many failed trials."""

WIDE = 90
"""A terminal of fewer characters has numbers alone in its line of progress, so that all of them are there."""

INTERRUPTED = 130
"""The exit code after Ctrl-C."""


class Goal(str, Enum):
    """Which values of the objective are better."""

    maximize = "maximize"
    minimize = "minimize"


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command(
        cls=Once, epilog="Example: [bold]archbudget search space.yaml --params 5k --objective train:accuracy[/bold]"
    )(search)


@takes_budget
def search(
    space: Annotated[
        str | None,
        typer.Argument(
            metavar="SPACE",
            help="A YAML file, or [bold]module:attribute[/bold]; small networks for handwritten digits by default.",
        ),
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:FUNCTION", help="The function to optimize, of the Architecture and, if named, the trial."
        ),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, metavar="N", help="Finished trials, including earlier ones.")] = 40,
    timeout: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="Start no trial after this time.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="The seed of the sampler.")] = None,
    sampler: Annotated[
        str,
        typer.Option(metavar="NAME", help=f"The base sampler: {', '.join(SAMPLERS)}.", autocompletion=lambda: SAMPLERS),
    ] = "tpe",
    fill: Annotated[
        float,
        typer.Option(metavar="SHARE", help="Look first at networks that use this share of the budget; 0: anywhere."),
    ] = FILL,
    goals: Annotated[
        list[Goal] | None,
        typer.Option(
            "--direction",
            help="Which values are better, maximize by default; once for each number that the objective returns.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes; 2 by default, if there are 2 cores.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Epochs of training, for objectives that read it.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where results go.")] = Path("out"),
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where Optuna keeps the study: postgresql://host/db, grpc://host:port, ...; DIR/search.db by default.",
        ),
    ] = None,
    study_name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its name there; the name of the space by default.")
    ] = None,
    bounds: BudgetOptions = NO_BOUNDS,
    trial_timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="End the worker of a trial that takes longer, and fail the trial.",
            rich_help_panel="Failures",
        ),
    ] = None,
    max_tries: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="How often in total to try a trial that kills its worker.",
            rich_help_panel="Failures",
        ),
    ] = Limits.max_tries,
    max_consecutive_failures: Annotated[
        int,
        typer.Option(metavar="N", help="Give up after this many failures in a row.", rich_help_panel="Failures"),
    ] = Limits.max_consecutive_failures,
    grace_period: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="Try a trial of another machine again after this time without a sign of life.",
            rich_help_panel="Failures",
        ),
    ] = Limits.grace_period,
    picture: PlotFile = None,
    no_code: NoCode = False,
    as_json: Json = False,
) -> None:
    """Search a space for the best network inside a budget; every trial is inside the budget.

    Stop it at any moment, with Ctrl-C or by a power cut: the same command continues, and no finished trial is lost.
    Several machines may share a study by its --storage URL. The plot shows the value of each trial over the first
    metric of the budget.

    With several objectives, give --direction for each: the table has the trials of the Pareto front, where none is
    better in all of them, and the plot shows it.

    The objective runs in worker processes, which read no input and print to DIR/worker-N.log. A worker that crashes is
    replaced; its trial is tried again, and fails for good the second time. An exception ends the search.

    With --no-code only --objective gives the objective, as a space file may not name Python then.
    """
    if storage is not None and "://" not in storage:
        raise ArchbudgetError(
            f"--storage takes the URL of a database, such as sqlite:///{storage}, not {show(storage)}"
        )
    if storage is not None and is_in_memory(storage):
        raise ArchbudgetError(
            f"--storage {storage} keeps the study in memory, where worker processes do not see it; "
            "give a file, such as sqlite:///search.db"
        )
    if trial_timeout is not None and not 0 < trial_timeout < math.inf:
        raise ArchbudgetError(f"--trial-timeout must be a number of seconds above 0, not {trial_timeout:g}")
    patience = limits(grace_period, max_tries, max_consecutive_failures)
    is_ours = space is None
    if space is None:
        from archbudget import digits

        space = str(digits.SPACE_FILE)
    loaded = files.load(space, code=not no_code)
    budget = _options.require_budget(bounds.within(loaded.budget), "search")
    _options.check_plot(picture)
    fits = loaded.space.within(budget)
    fits.require_some()
    if objective is None and loaded.objective is not None:
        if no_code and not is_ours:
            raise ArchbudgetError(f"{space}: objective: {files.refused(loaded.objective)}; give --objective")
        objective = loaded.objective
    if objective is None:
        raise ArchbudgetError(
            "search needs an objective: give --objective module:function, or put one into the space file"
        )
    function(objective)
    base_sampler(sampler, seed)  # Refuses an unknown name before anything begins.
    check_fill(fill)
    quiet()
    out.mkdir(parents=True, exist_ok=True)
    study_name = study_name or loaded.name
    job = Job(
        space=space,
        code=not no_code,
        objective=objective,
        budget=dict(budget),
        storage=storage or sqlite_url(out / "search.db"),
        study_name=study_name,
        directions=[goal.value for goal in goals or [Goal.maximize]],
        trials=trials,
        timeout=timeout,
        sampler=sampler,
        seed=seed,
        fill=fill,
        models=str((out / "models" / quote(study_name, safe="")).resolve()),
        **dataclasses.asdict(patience),
    )
    with (
        storage_errors(job.storage),
        interrupts.patient(),
        contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext(),
    ):
        run = _Run(job, loaded.name, fits, out, epochs)
        interrupted = run.work(workers, trial_timeout)
        data = run.conclude(interrupted, picture)
    if as_json:
        _tables.print_json(data)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    run.require_trials()


class _Run:
    """One run of the command, from opening the study to the last line."""

    def __init__(self, job: Job, name: str, fits: FeasibleSet[Space], out: Path, epochs: int | None) -> None:
        self._name = name
        self._job = job
        self._space = fits.space
        self._budget = fits.budget
        self._share_text, self._share = _tables.share(fits.space, fits)
        self._out = out
        self._console = _tables.console()
        self._study = job.open(fits.space)
        self._models = _Models(Path(job.models))
        if epochs is not None:
            self._study.set_user_attr(EPOCHS_KEY, epochs)

    def work(self, workers: int | None, trial_timeout: float | None) -> bool:
        """Runs the missing trials; returns whether it was interrupted."""
        job, study = self._job, self._study
        _tables.plain(self._share_text)
        done = finished(study)
        if done >= job.trials:
            more = f"{done} trials are done already" if done > job.trials else f"{done} of {job.trials} trials done"
            _tables.plain(f"{more} in study '{job.study_name}'; give more --trials to go on")
            return False
        count = min(workers or min(2, cores()), job.trials - done)
        if done:
            _tables.plain(", ".join(filter(None, [f"{done} of {job.trials} trials done, continuing", _best(study)])))
        _tables.plain(
            f"study '{job.study_name}' in {without_password(job.storage)}: {job.trials} trials, "
            f"{count} worker{'s' if count > 1 else ''}, {self._budget.describe()}"
        )
        progress = _Progress(self._console, study, job.trials)
        try:
            with reporting(False), progress, Pool(job, study, count, self._out, trial_timeout) as pool:
                for _ in pool.run():
                    self._look(progress)
        except KeyboardInterrupt:
            self._look(progress)
            return True
        self._look(progress)
        return False

    def require_trials(self) -> None:
        """Refuses a search that is not complete.

        Raises:
            SearchError: If trials are missing although there is no time limit, or none of them has a value.
        """
        study, job = self._study, self._job
        done = finished(study)
        if done < job.trials and job.timeout is None:
            raise SearchError(f"only {done} of {job.trials} trials are done; the same command goes on from here")
        trials = [trial for trial in study.get_trials(deepcopy=False) if is_finished(trial)]
        if trials and not any(trial.state == TrialState.COMPLETE for trial in trials):
            fate = "failed" if all(FAILED in trial.user_attrs for trial in trials) else "failed or was pruned"
            raise SearchError(
                f"each of the {done} trials {fate}, the last one, trial {trials[-1].number}: {_reason(trials[-1])} "
                f"(logs: {self._out / 'worker-*.log'})"
            )

    def _look(self, progress: "_Progress") -> None:
        progress.update()
        self._models.clean(self._study)

    def conclude(self, interrupted: bool, picture: Path | None) -> dict[str, Any]:
        """Prints and draws the result; returns it for machines."""
        study, job = self._study, self._job
        self._models.clean(study)
        note_down(study, self._space, self._budget)
        ranked = best(study, BEST)
        done = finished(study)
        failed = [t for t in study.get_trials(deepcopy=False) if is_finished(t) and t.state == TrialState.FAIL]
        data: dict[str, Any] = {
            "study": job.study_name,
            "storage": without_password(job.storage),
            "budget": {metric: list(bounds) for metric, bounds in self._budget.items()},
            "space": self._share,
            "trials": done,
            "failed": len(failed),
            "interrupted": interrupted,
            "best": [self._entry(trial) for trial in ranked],
            "model": None,
        }
        _tables.plain(f"\n{self._share_text}")
        if ranked and len(job.directions) > 1:
            _tables.plain(f"{len(ranked)} of {done} trials are on the Pareto front:")
            _tables.print_table(self._table(ranked))
            for trial in ranked:
                _tables.plain(f"trial {trial.number}: {_tables.values_text(self._space.from_trial(trial))}")
            _tables.plain(f"\nModels of these trials, as far as the objective saves them, are in {self._models.folder}")
        elif ranked:
            _tables.print_table(self._table(ranked))
            winner = ranked[0]
            arch = self._space.from_trial(winner)
            _tables.plain(f"trial {winner.number}: {_tables.values_text(arch)}")
            _tables.plain(arch.summary())
            model = self._models.publish(winner, self._out / "best.keras")
            data["model"] = None if model is None else str(model)
            if model is None:
                _tables.plain(
                    f"\nThere is no model of trial {winner.number}: an objective keeps it by saving "
                    f"{self._models.file(winner.number)}; space.architecture(...).to_keras() builds it, untrained."
                )
            else:
                _tables.plain(f"\nThe model of trial {winner.number} is in {model}")
        else:
            _tables.plain("No trial has been completed.")
        if picture is not None:
            draw = plot.history if len(job.directions) == 1 else plot.pareto
            plot.save(draw(study, self._budget, name=self._name), picture)
            data["plot"] = str(picture)
            _tables.plain(f"The plot of the trials is in {picture}")
        for trial in failed[:TOLD]:
            _tables.plain(f"Trial {trial.number} failed: {trial.user_attrs[FAILED]}")
        if len(failed) > TOLD:
            _tables.plain(f"{len(failed) - TOLD} more trials failed.")
        if interrupted:
            _tables.plain(f"Interrupted with {done} of {job.trials} trials done; the same command goes on from here.")
        elif done < job.trials:
            _tables.plain(f"{done} of {job.trials} trials were done in time; the same command goes on from here.")
        return data

    def _entry(self, trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
        own = {
            key: value
            for key, value in trial.user_attrs.items()
            if key not in self._space.metrics and not key.startswith(PREFIX)
        }
        return {
            "trial": trial.number,
            **({"value": trial.value} if len(trial.values) == 1 else {"values": trial.values}),
            "params": trial.params,
            "costs": self._space.from_trial(trial).costs,
            "user_attrs": own,
        }

    def _table(self, ranked: list[optuna.trial.FrozenTrial]) -> Any:
        metrics = ["params", "macs", *(metric for metric in self._budget if metric not in ("params", "macs"))]
        tested = any("test_accuracy" in trial.user_attrs for trial in ranked)
        directions = self._job.directions
        titles = ["value"] if len(directions) == 1 else [f"value {n} ({to})" for n, to in enumerate(directions)]
        table = _tables.table(
            "trial", *(title_of(metric) for metric in metrics), *titles, *(["test accuracy"] * tested), left=0
        )
        for trial in ranked:
            costs = self._space.from_trial(trial).costs
            test = trial.user_attrs.get("test_accuracy")
            table.add_row(
                str(trial.number),
                *(f"{costs[metric]:,}" for metric in metrics),
                *_numbers(trial),
                *([f"{test:.4f}" if isinstance(test, float) else "" if test is None else str(test)] * tested),
            )
        return table


def _numbers(trial: optuna.trial.FrozenTrial) -> list[str]:
    """The values of a trial with four decimals, whole numbers as they are."""
    return [
        f"{value:,.0f}" if len(trial.values) > 1 and value.is_integer() and abs(value) >= 1 else f"{value:.4f}"
        for value in trial.values
    ]


def _best(study: optuna.Study, among: Container[int] | None = None) -> str:
    """The best trial so far, or how many are on the Pareto front, in a few words."""
    ranked = best(study, 1, among)
    if len(study.directions) > 1:
        return f"{len(ranked)} on the Pareto front" if ranked else ""
    return f"best {ranked[0].value:.4f} in trial {ranked[0].number}" if ranked else ""


class _Progress:
    """A line for each finished trial, and in a terminal a bar."""

    def __init__(self, console: Console, study: optuna.Study, total: int) -> None:
        self._console = console
        self._study = study
        self._total = total
        self._seen = {trial.number for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()}
        self._done = finished(study)
        self._bar = Progress(
            *(() if console.width < WIDE else (SpinnerColumn(), TextColumn("trials"), BarColumn())),
            MofNCompleteColumn(),
            TextColumn("{task.fields[best]}"),
            *(() if console.width < WIDE else (TimeElapsedColumn(),)),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("trials", total=total, completed=self._done, best=self._best())

    def __enter__(self) -> "_Progress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self) -> None:
        """Reports the trials that have finished since the last report."""
        for trial in self._study.get_trials(deepcopy=False):
            if trial.state.is_finished() and trial.number not in self._seen:
                self._seen.add(trial.number)
                self._done += is_finished(trial)
                self._console.print(self._line(trial), soft_wrap=True, markup=False)
        self._bar.update(self._task, completed=self._done, best=self._best())

    def _line(self, trial: optuna.trial.FrozenTrial) -> str:
        parts = [" and ".join(_numbers(trial)) if trial.state == TrialState.COMPLETE else _outcome(trial)]
        parts += [f"{trial.user_attrs[key]:,} {title_of(key)}" for key in ("params", "macs") if key in trial.user_attrs]
        if trial.duration is not None:
            parts.append(f"{trial.duration.total_seconds():.1f} s")
        done = f"{self._done} of {self._total}"
        return f"trial {trial.number}: {', '.join(parts)} ({', '.join(filter(None, [done, self._best()]))})"

    def _best(self) -> str:
        return _best(self._study, self._seen)


def _reason(trial: optuna.trial.FrozenTrial) -> str:
    """Why a finished trial has no value."""
    attributes = trial.user_attrs
    return next((attributes[key] for key in (FAILED, DIVERGED, REFUSED) if key in attributes), "it was pruned")


def _outcome(trial: optuna.trial.FrozenTrial) -> str:
    """The outcome of a trial without a value."""
    if FAILED in trial.user_attrs:
        return f"failed: {trial.user_attrs[FAILED]}"
    if LOST in trial.user_attrs:
        return f"lost: {trial.user_attrs[LOST]}; it is tried again"
    if trial.state == TrialState.PRUNED:
        known = DIVERGED in trial.user_attrs or REFUSED in trial.user_attrs
        return f"pruned: {_reason(trial)}" if known else "pruned"
    return "stopped"


class _Models:
    """The trained models that an objective saves, a file for each trial."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def file(self, trial: int) -> Path:
        """The file of a trial."""
        return self.folder / f"trial_{trial}.keras"

    def clean(self, study: optuna.Study) -> None:
        """Deletes the models of finished trials that are not among the best, and models without a trial."""
        # In this order: a trial with a file here is still running in the next line, or finished in the one after.
        files = list(self.folder.glob("trial_*.keras"))
        keep = {trial.number for trial in study.get_trials(deepcopy=False) if not trial.state.is_finished()}
        keep |= {trial.number for trial in best(study, BEST)}
        for file in files:
            number = re.fullmatch(r"trial_(\d+)\.keras", file.name)
            if number is not None and int(number[1]) not in keep:
                file.unlink(missing_ok=True)

    def publish(self, trial: optuna.trial.FrozenTrial, target: Path) -> Path | None:
        """Copies the model of a trial to the target; `None` if there is none.

        The model of a trial of another search on this study is in the folder of that search.
        """
        file = Path(trial.user_attrs.get(MODELS, self.folder)) / self.file(trial.number).name
        if not file.exists():
            file = self.file(trial.number)
        try:
            with atomic(target) as part:
                shutil.copyfile(file, part)
        except FileNotFoundError:
            return None
        return target
