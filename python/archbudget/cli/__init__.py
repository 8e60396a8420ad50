"""The command line: `archbudget` with its commands `search`, `evaluate`, `explain`, `count`, `spaces` and others."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
import traceback
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archbudget import _core
from archbudget._core import VERSION
from archbudget._extras import EXTRAS
from archbudget._progress import reporting
from archbudget.cli import _check, _commands, _enumerate, _report, _search, _tables
from archbudget.workers.failure import describe, report

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["app", "main"]

NEEDED = ("numpy", "optuna", "typer", "rich", "pydantic", "PyYAML")
"""The packages that a plain installation has."""

app = typer.Typer(
    name="archbudget",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    epilog="A SPACE is a YAML file, or module:attribute of Python. What a file names as module:attribute is imported "
    "and called, unless --no-code is given. Start with: [bold]archbudget search[/bold]",
)
for module in (_search, _check, _report, _commands, _enumerate):
    module.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        print("\n".join(_facts()))
        raise typer.Exit


def _facts() -> list[str]:
    """The version, and beside it what a report of a fault has to say: nothing is imported for it."""
    found = {name: _version_of(name) for name in (*NEEDED, *(extra.install for extra in EXTRAS.values()))}
    there = [f"{name} {version}" for name, version in found.items() if version is not None]
    absent = [name for name, version in found.items() if version is None]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return [
        f"archbudget {VERSION}",
        f"{python}, {sysconfig.get_platform()}, {Path(_core.__file__).name}",
        f"with {', '.join(there)}",
        *([f"without {', '.join(absent)}"] if absent else []),
    ]


def _version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version, and those of Python and of packages.",
            callback=_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Count the parameters and MACs of spaces of neural networks, and search them inside a budget."""
    del version


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; the entry point of `archbudget`.

    Args:
        arguments: The command and its options; those of the process by default. `--debug` anywhere among them shows the
            traceback of an error.

    Returns:
        The exit code: 0, also where the reader of the output has gone (`| head`); 1 if `check` finds a network outside
        the budget; 2 for an error; 130 for Ctrl-C.
    """
    _fill_closed_streams()
    try:
        code = _run(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit) as error:
        # Rich raises SystemExit where a pipe is broken.
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise
        # The reader, such as `head`, has what it wanted. The flush of the interpreter at the end must not fail either.
        nothing = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except BrokenPipeError:
                os.dup2(nothing, stream.fileno())
        return 0
    return code


def _run(given: list[str]) -> int:
    """Runs a command; returns the exit code."""
    words = [word for word in given if word != "--debug"]
    try:
        with reporting("--json" not in words):
            code = app(args=words, prog_name="archbudget", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except Exception as error:  # Every error is one line, as promised.
        if len(words) < len(given):
            traceback.print_exc()
        if "--json" in words:
            _tables.print_json(report(error))
        print(f"error: {describe(error)}", file=sys.stderr)
        return 2
    return code if isinstance(code, int) else 0


def _fill_closed_streams() -> None:
    """Opens streams that the shell has closed (`>&-`); otherwise the next open file would get the printed text."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
