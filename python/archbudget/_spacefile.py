"""Spaces from files: YAML that names layers as Keras does, or a `module:attribute` of Python.

What is allowed where is one pydantic model, made of the layers themselves; the JSON schema that editors complete by
(`space.schema.json`) is generated from it.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import importlib
import re
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union

import yaml
from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError

from archbudget import layers as catalogue
from archbudget._budget import METRICS, Budget, BoundLike
from archbudget._expressions import Choice, Decision, Expression, Int, channels, maximum, minimum, round_to
from archbudget._space import Space
from archbudget.errors import ArchbudgetError, BudgetError, SpaceError
from archbudget.layers._base import ENGINE_PARAMETERS, Block, Layer

Place = tuple["str | int", ...]
"""Where something stands in a document: the keys and positions that lead to it."""


@dataclass(frozen=True)
class LoadedSpace:
    """A space, and what its file says about searching it."""

    name: str
    space: Space
    budget: Budget | None = None
    objective: str | None = None
    """`module:function`: what a search maximises."""
    test: str | None = None
    """`module:function`: what judges the winner on data that the search never saw."""


def load(reference: str) -> LoadedSpace:
    """A space by the path of a YAML file, or by `module:attribute`, importable from the current directory too.

    The attribute may be a function without arguments that makes the space.

    Raises:
        SpaceError: If there is no such space, or it is not well formed; one line that says where.
    """
    file = Path(reference)
    is_yaml = file.suffix in (".yaml", ".yml")
    if not is_yaml and not file.exists() and ":" in reference:
        space = attribute(reference, "a space")
        if callable(space) and not isinstance(space, Space):
            space = space()
        if not isinstance(space, Space):
            raise SpaceError(f"{reference} is not a Space, but of type {type(space).__name__}")
        return LoadedSpace(reference.rpartition(":")[2], space)
    if not is_yaml and not file.is_file():
        raise SpaceError(f"{reference!r} is neither a YAML file nor module:attribute")
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SpaceError(f"{reference}: not UTF-8 text: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise SpaceError(f"{reference}: {error.strerror}") from None
    return parse(text, reference)


def attribute(reference: str, what: str) -> Any:
    """What `module:attribute` names.

    Raises:
        SpaceError: If there is no such module or attribute, or the module cannot be imported.
    """
    module, colon, path = reference.partition(":")
    if not (module and colon and path):
        raise SpaceError(f"{reference!r} does not name {what}; write it as module:attribute")
    if "" not in sys.path and (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module)
    except ArchbudgetError as error:
        raise SpaceError(f"{reference}: {error}") from error
    except ModuleNotFoundError as error:
        missing = error.name or module
        if f"{module}.".startswith(f"{missing}."):
            raise SpaceError(f"{reference}: there is no module {missing!r}") from None
        raise SpaceError(f"{reference}: the module needs {missing!r}, which is not installed") from error
    except Exception as error:
        raise SpaceError(f"{reference}: importing the module fails with {type(error).__name__}: {error}") from error
    for name in path.split("."):
        if not hasattr(found, name):
            raise SpaceError(f"{reference}: there is no {name!r} in it{_suggestion(name, dir(found))}")
        found = getattr(found, name)
    return found


def parse(text: str, file: str = "<text>") -> LoadedSpace:
    """A space from the text of a YAML file.

    Args:
        text: The text.
        file: What messages call it; its stem is the name of the space if the text gives none.

    Raises:
        SpaceError: If it is not well formed: `file:line: place: what is wrong`.
    """
    try:
        data = yaml.load(text, _Loader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SpaceError(f"{file}{line}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise SpaceError(f"{file}: not valid YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise SpaceError(f"{file}: nested too deeply") from None
    if data is None:
        raise SpaceError(f"{file}: the file is empty; a space has an 'input' and 'layers'")
    try:
        return _Builder(_validated(SpaceFile, data, ()), data).loaded(Path(file).stem)
    except _MisplacedError as error:
        line_number, place = _locate(text, error.place)
        raise SpaceError(f"{file}:{line_number}: {f'{place}: ' if place else ''}{error}") from None
    except RecursionError:
        raise SpaceError(f"{file}: nested too deeply") from None
    except ArchbudgetError as error:
        raise type(error)(f"{file}: {error}") from None


def schema() -> dict[str, Any]:
    """The JSON schema of space files, draft 2020-12."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **SpaceFile.model_json_schema(by_alias=True)}


FACTORS = {"k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def bound(text: str) -> BoundLike:
    """A bound as people write it: `5000`, `60_000`, `5k`, `1.5M`, `64Ki`, or a range `LOW:HIGH`, an end left out.

    Raises:
        BudgetError: If it is not one.
    """
    low, colon, high = text.partition(":")
    if not colon:
        return _number(text)
    return (_number(low) if low.strip() else None, _number(high) if high.strip() else None)


def _number(text: str) -> int:
    match = re.fullmatch(r"([0-9][0-9_,]*(?:\.[0-9]+)?)(?:[eE]([0-9]{1,2}))?([kKMG]|Ki|Mi|Gi)?", text.strip())
    if match is None:
        raise BudgetError(f"{text!r} is not a bound; write N or LOW:HIGH, such as 5000, 60_000, 5k, 1.5M or 1k:5k")
    digits, exponent, suffix = match.groups()
    number = Decimal(digits.replace("_", "").replace(",", "")).scaleb(int(exponent or 0)) * FACTORS.get(suffix, 1)
    if number.adjusted() > 18 or number > 2**63 - 1:
        raise BudgetError(f"{text!r} is out of range; a bound is at most 2^63 - 1")
    if number != int(number):
        raise BudgetError(f"{text!r} is not a whole number")
    return int(number)


# ---- Reading YAML


class _Loader(yaml.SafeLoader):
    """YAML 1.2 as far as plain scalars go: `no` and `off` are words, `1:30` is not 90; a key comes once."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A mapping whose keys are all different."""
        keys = set()
        for key, _ in node.value:
            if key.value in keys and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} comes twice", key.start_mark
                )
            keys.add(key.value if isinstance(key.value, str) else None)
        return super().construct_mapping(node, deep)


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9][0-9_]*", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan", list("-+.0123456789")),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)
_Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value.replace("_", "")))
_Loader.add_constructor("tag:yaml.org,2002:float", lambda _, node: float(re.sub(r"\.(inf|nan)", r"\1", node.value)))


class _MisplacedError(Exception):
    """Something wrong at a place of the document."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


def _locate(text: str, place: Place) -> tuple[int, str]:
    """The line of a place, and the place as it is shown; steps that the document does not spell out are left out."""
    node = yaml.compose(text, _Loader)
    line, shown = 1, ""
    for step in place:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
            shown += f"[{step}]"
        elif isinstance(step, str):
            found = [pair for pair in node.value if pair[0].value == step] if isinstance(node, yaml.MappingNode) else []
            if found:
                line = found[0][0].start_mark.line + 1
                node = found[0][1]
            shown += f".{step}" if shown else step
    return line, shown


def _suggestion(name: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if not close:
        lower = {each.lower(): each for each in names}
        close = [lower[found] for found in difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.6)]
    return f"; did you mean {close[0]!r}?" if close else ""


def _shown(value: object) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# ---- The model: what a document may hold


class _Mapping(BaseModel):
    """A mapping with known keys."""

    model_config = ConfigDict(extra="forbid")
    NOUN: ClassVar[str] = "key"

    @classmethod
    def keys(cls) -> list[str]:
        """The keys that are known."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @model_validator(mode="before")
    @classmethod
    def _knows_its_keys(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            raise _said(
                f"needs {' and '.join(cls.keys()[:2])}, not {_shown(data)}"
                if len(cls.keys()) < 8
                else f"must be a {cls.NOUN} or a mapping with its name, not {_shown(data)}"
            )
        for key in data:
            if key not in cls.keys():
                raise PydanticCustomError(
                    "unknown_key",
                    "{text}",
                    {"text": f"unknown {cls.NOUN}{_suggestion(str(key), cls.keys())}", "key": key},
                )
        return data


def _said(message: str) -> PydanticCustomError:
    """An error whose message is complete."""
    return PydanticCustomError("said", "{text}", {"text": message})
