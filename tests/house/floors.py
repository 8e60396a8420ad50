"""The floors of the house: which room may import which. ARCHITECTURE.md's table is printed from this list.

`python tests/house/floors.py` prints the table.
"""

from __future__ import annotations

from typing import NamedTuple


class Room(NamedTuple):
    """A folder, or a single file, of the package or of the crate."""

    name: str
    what: str
    """What it holds, in a few words."""


PYTHON: list[list[Room]] = [
    [Room("__main__", "`python -m archbudget`")],
    [Room("cli", "the commands: arguments in, text out")],
    [Room("bench", "how fast a space is counted, and against peers"), Room("digits", "the search of the demo")],
    [Room("workers", "a search in processes of its own")],
    [Room("__init__", "what users import: the names of the rooms below, gathered")],
    [Room("reporting", "one page of HTML about a space, a set, a search or a model")],
    [Room("plot", "figures"), Room("spaces", "the shelf of published spaces")],
    [Room("checking", "one model in any form, against a budget or another model")],
    [Room("files", "space files and files of candidates")],
    [Room("pruning", "trained models of Keras with fewer channels")],
    [Room("importers", "models of frameworks, read into spaces without decisions")],
    [Room("search", "Optuna: `BudgetSampler`, `search`, and what proposes values")],
    [Room("space", "a family, one network, batches, and what is asked about them")],
    [
        Room("export", "real models of Keras and PyTorch, and their source text, made of a `Network`"),
        Room("tflite", "a `Network` as TensorFlow Lite Micro runs it: operators, memory, file"),
    ],
    [Room("network", "one network, layer by layer, and its texts"), Room("program", "writing a program of the engine")],
    [Room("metrics", "custom metrics and latency tables")],
    [Room("_records", "what is said of one layer of a network")],
    [Room("layers", "the vocabulary: one file a family, and the blocks")],
    [Room("_expressions", "decisions, and expressions over them"), Room("_budget", "budgets")],
    [Room("_unit", "the units of metrics: integers of the engine, numbers of users")],
    [Room("_atomic", "files that are written whole or not at all")],
    [Room("_regular", "files that are read: regular ones, of bounded size")],
    [Room("_guard", "foreign errors become ours"), Room("_extras", "packages that need not be there")],
    [Room("_progress", "how far long calls are")],
    [Room("errors", "the exceptions")],
    [Room("_nested", "the one walk over lists, tuples and dicts")],
    [Room("_markup", "text as HTML and Markdown, and small pictures")],
    [
        Room("_face", "what `dir()` and `help()` show"),
        Room("_message", "how messages show what was given"),
        Room("_machine", "the cores at hand"),
        Room("_core", "the engine, in Rust"),
    ],
]
"""The rooms of `python/archbudget`, from the top; an import may only go to a lower line."""


RUST: list[list[Room]] = [
    [Room("lib.rs", "the names of the crate")],
    [Room("python", "the bindings: the only room that names pyo3 or numpy")],
    [Room("feasible", "the second diagram: the candidates that fit a budget")],
    [Room("diagram", "the decision diagram, and the passes over it")],
    [Room("space", "the program, and its runs")],
    [Room("layers", "the rule of each layer")],
    [Room("error.rs", "the error type")],
]
"""The rooms of `src`, from the top; a name may only be taken from a lower line."""


def table(floors: list[list[Room]]) -> str:
    """The rooms as a table, the top first; those in one line are on the same floor."""
    rows = [(" \\| ".join(f"`{room.name}`" for room in row), "; ".join(room.what for room in row)) for row in floors]
    return "\n".join(["| room | what it holds |", "|---|---|", *(f"| {names} | {what} |" for names, what in rows)])


if __name__ == "__main__":
    print(table(PYTHON), table(RUST), sep="\n\n")
