"""The command line: `archbudget` with its commands `search`, `evaluate`, `explain`, `count`, `spaces` and others."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archbudget._message import LONGEST, cut, line, one_line
from archbudget.cli import _commands, _search
from archbudget.errors import ArchbudgetError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXTRAS = {
    "keras": "archbudget[keras]",
    "jax": "archbudget[digits]",
    "sklearn": "archbudget[digits]",
    "pandas": "archbudget[pandas]",
    "plotly": "archbudget[plot]",
    "pyarrow": "archbudget[pandas]",
    "torch": "archbudget[torch]",
}
"""What to install for a module that is missing; for others it is a package of the same name."""

app = typer.Typer(
    name="archbudget",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    epilog="A SPACE is a YAML file, or module:attribute of Python. What a file names as module:attribute is imported "
    "and called, unless --no-code is given. Start with: [bold]archbudget search[/bold]",
)
for module in (_search, _commands):
    module.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        from archbudget import __version__

        print(f"archbudget {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
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
        The exit code: 0, 1 where `check` finds a network outside of its budget, 2 for an error, 130 for Ctrl-C.
    """
    _fill_closed_streams()
    given = list(sys.argv[1:] if arguments is None else arguments)
    words = [word for word in given if word != "--debug"]
    try:
        code = app(args=words, prog_name="archbudget", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read us has gone; the interpreter shall not stumble over it when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except Exception as error:  # One line is the promise for every error.
        if len(words) < len(given):
            traceback.print_exc()
        print(f"error: {describe(error)}", file=sys.stderr)
        return 2
    return code if isinstance(code, int) else 0


def _fill_closed_streams() -> None:
    """Opens what the shell has closed (`>&-`): otherwise the next file that is opened would get what is printed."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def describe(error: Exception) -> str:
    """An error in one line, and how to mend it where that is known."""
    usage = getattr(error, "format_message", None)
    if usage is not None:
        return cut(" ".join(line(usage()).split()), LONGEST)
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        return f"{package} is not installed: pip install {EXTRAS.get(package, package)}"
    if isinstance(error, ArchbudgetError):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return cut(line(f"{error.filename}: {error.strerror}"), LONGEST)
    if isinstance(error, (OSError, ImportError)):
        return one_line(error)
    return f"{type(error).__name__}: {one_line(error)} (--debug shows where)"
