"""Spaces, layers, metrics and objectives by reference: `module:attribute`, or the path of a file."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

from archbudget._guard import has
from archbudget._message import nearest, one_line, show
from archbudget.errors import ArchbudgetError, SpaceError
from archbudget.space.space import Space


def is_file(reference: str) -> bool:
    """Whether a reference is the path of a space file, by its name."""
    return reference.endswith((".yaml", ".yml"))


def load_attribute(reference: str) -> Any:
    """The object that `module:attribute` names; modules in the current directory are found, too.

    Raises:
        SpaceError: If there is no such module or attribute, or the module cannot be imported.
    """
    module_name, _, attribute = reference.partition(":")
    if not module_name or not attribute:
        raise SpaceError(f"{show(reference)} must be module:attribute")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise SpaceError(f"{reference}: there is no module {show(error.name)}") from error
    except ArchbudgetError:
        raise
    except Exception as error:
        raise SpaceError(
            f"{reference}: importing {module_name} failed: {type(error).__name__}: {one_line(error)}"
        ) from error
    for part in attribute.split("."):
        if not has(found, part):
            near = nearest(part, [name for name in dir(found) if not name.startswith("_")])
            meant = "" if near is None else f"; did you mean {near}?"
            raise SpaceError(f"{reference}: module {module_name} has no attribute {show(attribute)}{meant}")
        found = getattr(found, part)
    return found


def reference_to(found: Any) -> str:
    """The `module:attribute` under which another process finds an object: in the outermost package that has it.

    Raises:
        SpaceError: If there is none, with the reason.
    """
    named = getattr(found, "__module__", None)
    module = sys.modules.get(str(named))
    if module is None or named == "__main__":
        raise SpaceError("it is in no module that can be imported")
    name = getattr(found, "__qualname__", "")
    if _at(module, name) is not found:  # Made under another name, such as `Gate = layers.custom(rule)`.
        name = next((each for each, value in vars(module).items() if value is found), "")
    if not name:
        raise SpaceError(f"module {named} does not have it under a name")
    parts = str(named).split(".")
    public = [part for part in parts if part != "src" and not part.startswith("_")]  # keras.src.activations is private.
    packages = [".".join(row[:length]) for row in (public, parts) for length in range(1, len(row) + 1)]
    return next(f"{each}:{name}" for each in packages if _at(sys.modules.get(each), name) is found)


def _at(module: object, name: str) -> object:
    """What a module has under a name with dots; itself for no name."""
    found: object = module
    for part in name.split(".") if name else ():
        found = getattr(found, part, None)
    return found


def made_with(made: object) -> tuple[str, dict[str, Any]]:
    """The class of an object as `module:attribute`, and the arguments that it was made with, without those left out.

    An object keeps its arguments as attributes of the same names.

    Raises:
        SpaceError: If it does not, or its class is in no module; with the reason.
    """
    of = type(made)
    kind = reference_to(of)
    arguments = {}
    for parameter in list(inspect.signature(of).parameters.values()):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise SpaceError(f"the class {of.__name__} takes {parameter}, and not arguments by their names")
        if not has(made, parameter.name):
            raise SpaceError(f"the class {of.__name__} does not keep its argument {parameter.name} as an attribute")
        value = getattr(made, parameter.name)
        if value is not parameter.default:
            arguments[parameter.name] = value
    return kind, arguments


def refused(reference: str) -> str:
    """The reason why a reference to Python is refused."""
    return f"{show(reference)} would be imported and called, which --no-code (code=False) refuses"


def load_space(reference: str) -> Space:
    """The space that `module:attribute` names: a `Space`, or the result of a function.

    Raises:
        SpaceError: If it is not a space.
    """
    found = load_attribute(reference)
    space = found() if inspect.isfunction(found) else found
    if not isinstance(space, Space):
        raise SpaceError(f"{reference} is not a Space but {type(space).__name__}")
    return space
