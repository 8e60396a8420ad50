"""Spaces by reference: `module:attribute`, or a file in YAML.

A space file has the layers as a list; each is a name, or a name and its arguments:

```yaml
name: example
budget: {params: 5000}
decisions:
  depth: {low: 1, high: 3}        # integers from low to high, with an optional step
  kernel: [1, 3, 5]               # one of several values
layers:
  - Input: [28, 28, 1]            # a list or a number is the first argument
  - Repeat:
      times: $depth
      block:
        - Conv2D: {filters: $width * 8, kernel_size: $kernel, padding: same}
  - Flatten                       # no arguments
  - Dense: {units: 10, activation: softmax}
```

A layer around another one holds it as it would stand in the list: `TimeDistributed: {Dense: 8}`, `RNN: [{LSTMCell: 32},
{GRUCell: 16}]`, `Bidirectional: {layer: {LSTM: $units}, merge_mode: sum}`.

A list is a row of layers, but `InputChoice` reads whichever of the named layers before it in its list a decision says;
`n_chosen`, `merge` and the values of the decision are those of [`layers.InputChoice`][archbudget.layers.InputChoice]:

```yaml
  - Conv2D: {filters: 8, kernel_size: 3, padding: same, name: first}
  - Conv2D: {filters: 8, kernel_size: 3, padding: same, name: second}
  - InputChoice: {name: source, inputs: [first, second], n_chosen: [1, 2], merge: [Concatenate]}
```

Other graphs, such as a recurrent layer that hands its states to another one, are written in Python and named by
`module:attribute`.

`$name` is a decision, or an expression over decisions and `$channels` with `+ - * //`, `min`, `max`, `round_to`, and
the conditions `<= < == != >= > and or`.

Decisions may have to meet conditions, by their names in the space. A condition binds where all of its decisions are
active; `- Require: $a <= $b` among the layers takes them where it stands:

```yaml
constraints:
  - $width_1 <= $width_2
  - $padding != 'same' or $kernel_1 < 5
```

Metrics of its own are latency tables, or a `Metric` by `module:attribute`; a budget may bound them. A layer of one's
own goes by `module:attribute` too, which names what `layers.custom` made:

```yaml
budget: {latency_us: 5000}
metrics:
  latency_us: {table: latency.csv, column: latency_ms, decimals: 3}   # next to this file
  convolutions: my_metrics:convolutions
layers:
  - my_layers:SqueezeExcite: {ratio: $ratio}
```

Instead of its own layers a file may name another space, as `module:attribute` or as a file; it may add constraints, and
keep only some values of some decisions, by their names in the space. Such files are what `archbudget prune` writes:

```yaml
space: example.yaml               # next to this file; its budget and objective count here too, unless there are others
domains:
  depth: [1, 2]
  kernel_2: [1, 3]                # the kernel of the second repetition
```

A space file may run Python: what it names as `module:attribute` (a layer, a metric, another space, an objective) is
imported, with the current directory among the places where modules are looked for, and called. So a file is to be
trusted as a program is. `--no-code`, and `Space.load(..., code=False)`, refuse what would be imported; then a file only
describes.

A file has at most 1 MiB, 100,000 values (aliases written out) and 100 levels, a space at most 65,536 layers.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import inspect
import os
import re
import sys
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields, replace
from functools import cached_property, reduce
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union

import yaml
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr, ValidationError

from archbudget import _message, layers
from archbudget._atomic import atomic
from archbudget._budget import BUILT_IN, MOST, Budget
from archbudget._expressions import (
    MOST_NAME,
    Choice,
    Decision,
    Int,
    as_condition,
    both,
    channels,
    different,
    either,
    equal,
    maximum,
    minimum,
    round_to,
)
from archbudget._guard import has
from archbudget._message import LONGEST, VALUE, cut, one_line, show
from archbudget._regular import read_text
from archbudget._space import Space, described
from archbudget.errors import ArchbudgetError, MissingFileError, SpaceError
from archbudget.layers import Block, Cell, CustomLayer, InputChoice, Layer, OneOf, Repeat, Require, Residual
from archbudget.metrics import LatencyTable, Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from archbudget._expressions import Expression, Scalar

T = TypeVar("T")
Value = Union[StrictBool, StrictInt, StrictFloat, StrictStr, None]
Place = tuple[Union[str, int], ...]
"""Where something stands in a file: keys and positions, from the top."""

STRUCTURES = ("InputChoice", "OneOf", "Repeat", "Require", "Residual")


@dataclass(frozen=True)
class Loaded:
    """A space, and what its file says beside it."""

    name: str
    space: Space
    description: dict[str, Any]
    """What its file holds; for `module:attribute` what a file of it would hold."""
    folder: Path
    """Where the files are looked for that it names."""
    budget: Budget | None = None
    objective: str | None = None
    """The objective that belongs to it, as `module:function`."""

    def narrowed(self, space: Space, budget: Budget | None) -> Loaded:
        """The same with a part of its space, and another budget."""
        description = {key: value for key, value in self.description.items() if key != "domains"}
        if budget is not None and budget != self.budget:
            description["budget"] = {metric: _bound(*ends) for metric, ends in budget.items()}
        if space.domains:
            description["domains"] = {name: _domain(space.decisions[name]) for name in space.domains}
        ordered = {key: description[key] for key in [*self.description, *description] if key in description}
        return replace(self, space=space, budget=budget, description=ordered)

    def text(self, folder: Path) -> str:
        """The text of a space file in a folder."""
        described = dict(self.description)
        if metrics := described.get("metrics"):
            described["metrics"] = {name: self._moved(metric, folder) for name, metric in metrics.items()}
        if is_file(described.get("space", "")):
            described["space"] = Path(os.path.relpath(self.folder / described["space"], folder)).as_posix()
        return yaml.dump(
            described, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120
        )

    def _moved(self, metric: Any, folder: Path) -> Any:
        """A metric as a file in another folder has it."""
        if not isinstance(metric, dict):
            return metric
        return {**metric, "table": Path(os.path.relpath(self.folder / metric["table"], folder)).as_posix()}

    def write(self, file: Path) -> None:
        """Writes a space file, whole or not at all."""
        text = self.text(file.parent)
        with atomic(file) as part:
            part.write_text(text, encoding="utf-8")


class Range(BaseModel):
    """Integers from low to high, both included."""

    model_config = ConfigDict(extra="forbid")

    low: StrictInt
    high: StrictInt
    step: StrictInt = 1


Number = Union[StrictInt, StrictFloat]
Bound = Union[Number, Annotated[list[Union[Number, None]], Field(min_length=2, max_length=2)]]


class Bounds(BaseModel):
    """What metrics may come to: an upper bound, or [low, high] with null for an open end."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Bound | None]

    params: Bound | None = None
    trainable_params: Bound | None = None
    macs: Bound | None = None
    weight_bytes: Bound | None = None
    peak_activation_bytes: Bound | None = None


class Table(BaseModel):
    """A latency table as a metric."""

    model_config = ConfigDict(extra="forbid")

    table: StrictStr = Field(description="The CSV file, relative to this one.")
    column: StrictStr | None = Field(None, description="The column of the values; by default named like the metric.")
    decimals: StrictInt = Field(0, description="By how many digits the decimal point is moved to the right.")
    combine: Literal["sum", "max"] = Field("sum", description="How the values of the layers join.")


class SpaceFile(BaseModel):
    """A space of networks, and what is searched in it; it may name Python that is imported and called."""

    model_config = ConfigDict(extra="forbid", title="archbudget space")

    name: StrictStr | None = Field(None, description="What the space is called; by default the name of the file.")
    objective: StrictStr | None = Field(
        None,
        description="What a search maximises, as module:function, which the search imports and calls.",
    )
    budget: Bounds | None = Field(None, description="The budget of a search.")
    bytes_per_weight: StrictInt = Field(4, description="What a weight takes in weight_bytes.")
    bytes_per_activation: StrictInt = Field(4, description="What a value takes in peak_activation_bytes.")
    space: StrictStr | None = Field(
        None,
        description="Another space instead of layers: a file, relative to this one; or module:attribute, which is "
        "imported and called, and refused with --no-code.",
    )
    decisions: dict[str, Union[Range, list[Value]]] = Field(
        default_factory=dict, description="The open decisions by name: a list of values, or a range of integers."
    )
    layers: list[Any] | None = Field(None, min_length=1, description="The layers in a row, an Input first.")
    constraints: list[StrictStr] = Field(
        default_factory=list, description="Conditions between decisions, such as $width_1 <= $width_2."
    )
    metrics: dict[str, Union[Table, StrictStr]] = Field(
        default_factory=dict,
        description="Further metrics by name: a latency table; or a Metric as module:attribute, which is imported and "
        "called, and refused with --no-code.",
    )
    domains: dict[str, Union[Range, list[Value]]] = Field(
        default_factory=dict, description="The only values to keep of some decisions, by their names in the space."
    )


def load(reference: str, *, measured: bool = True, code: bool = True) -> Loaded:
    """Loads a space.

    Args:
        reference: The path of a YAML file, or `module:attribute`, where the attribute is a `Space` or a function that
            makes one; modules of the current directory are found.
        measured: Whether a file's own metrics belong to the space. Without them it has no budget either.
        code: Whether Python may be imported and called; without it `module:attribute` is refused, here and in files.

    Raises:
        ArchbudgetError: In one line, if it is not there or not well formed.
    """
    if is_file(reference):
        return read(Path(reference), measured=measured, code=code)
    if ":" not in reference:
        raise SpaceError(f"{show(reference)} is not a space: give module:attribute, or a file that ends in .yaml")
    if not code:
        raise SpaceError(refused(reference))
    found = load_attribute(reference)
    space = found() if inspect.isfunction(found) else found
    if not isinstance(space, Space):
        raise SpaceError(f"{reference} is not a Space but {type(space).__name__}")
    return Loaded(reference, space, {"space": reference}, Path())


def is_file(reference: str) -> bool:
    """Whether a reference is the path of a space file, by its name."""
    return reference.endswith((".yaml", ".yml"))


def load_attribute(reference: str) -> Any:
    """What `module:attribute` stands for; modules of the current directory are found.

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
            hint = _hint(part, [name for name in dir(found) if not name.startswith("_")], listed=False)
            raise SpaceError(f"{reference}: module {module_name} has no attribute {show(attribute)}{hint}")
        found = getattr(found, part)
    return found


def refused(reference: str) -> str:
    """Why a reference to Python is not followed."""
    return f"{show(reference)} would be imported and called, which --no-code (code=False) refuses"


def read(file: Path, within: tuple[str, ...] = (), *, measured: bool = True, code: bool = True) -> Loaded:
    """Reads a space file.

    Args:
        file: Its path.
        within: The files that led to it by their `space`.
        measured: As of `load`.
        code: As of `load`.

    Raises:
        SpaceError: In one line with the file, the line and the place in it.
    """
    try:
        text = read_text(file, MOST_BYTES)
    except MissingFileError:
        raise MissingFileError(f"there is no file {file}") from None
    if (place := os.path.realpath(file)) in within:
        raise SpaceError(f"{file} leads to itself")
    if len(within) >= MOST_FILES:
        raise SpaceError(f"{file}: more than {MOST_FILES} space files name one another")
    return _Reader(file, text, (*within, place), measured=measured, code=code).loaded()


MOST_BYTES = 1 << 20
"""The most bytes of a space file."""
MOST_FILES = 16
"""The most space files that name one another in a row."""
MOST_VALUES, MOST_CHARACTERS, MOST_LEVELS = 100_000, 1 << 20, 100
"""The most values and keys of a space file, the most characters of them all, where aliases are written out, and how
deep they are nested."""
MOST_DIGITS = 100
"""The most digits of an integer in a file."""
MOST_FORMULA = 10_000
"""The most characters of an expression in a file."""

_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""That of libyaml where PyYAML has it: it is many times as fast."""


class _Yaml12(_BaseLoader):  # type: ignore[misc]
    """YAML as people mean it, and as version 1.2 has it: `yes` and `off` are words, and `1:30` is no number."""


_Yaml12.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:int", "tag:yaml.org,2002:timestamp")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _integer(loader: Any, node: yaml.ScalarNode) -> int:
    """An integer of a file."""
    digits = str(loader.construct_scalar(node))
    if len(digits) > MOST_DIGITS:
        raise yaml.constructor.ConstructorError(
            None, None, f"an integer has at most {MOST_DIGITS} digits, not {len(digits):,}", node.start_mark
        )
    try:
        return int(digits)
    except ValueError:
        raise yaml.constructor.ConstructorError(None, None, f"{show(digits)} is no integer", node.start_mark) from None


_Yaml12.add_constructor("tag:yaml.org,2002:int", _integer)


class _Dumper(yaml.SafeDumper):
    """Puts quotes around text that either version of YAML would take for something else."""


for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", re.compile("^(true|false|True|False)$"), list("tfTF")),
    ("tag:yaml.org,2002:int", re.compile("^[-+]?[0-9][0-9_]*$"), list("-+0123456789")),
):
    _Yaml12.add_implicit_resolver(_tag, _pattern, _first)
    _Dumper.add_implicit_resolver(_tag, _pattern, _first)


@dataclass
class _Size:
    """How much stands in a list or a mapping, or is one value, with its aliases written out."""

    anchor: str = ""
    values: int = 0
    characters: int = 0


class _MisplacedError(Exception):
    """Something is wrong at a place in a file."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


class _Reader:
    """Reads one file, and knows its lines."""

    def __init__(self, file: Path, text: str, within: tuple[str, ...], *, measured: bool, code: bool) -> None:
        self.path = file
        self.within = within
        self.measured = measured
        self.code = code
        self.file = str(file)
        self.text = text
        self.decisions: dict[str, Decision] = {}
        self.unused: dict[str, Decision] = {}

    def loaded(self) -> Loaded:
        try:
            return self._loaded()
        except _MisplacedError as error:
            line = self._line(error.place)
            where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.place).lstrip(".")
            raise SpaceError(f"{self.file}:{line}: {cut(where, VALUE)}: {error}") from error.__cause__
        except RecursionError:
            raise SpaceError(f"{self.file}: it is nested too deeply, or within itself") from None

    @cached_property
    def _tree(self) -> yaml.Node:
        with self._yaml():
            self._measure()
            tree: yaml.Node | None = self._loader.get_single_node()
        if tree is None:
            raise SpaceError(f"{self.file}: the file is empty; a space needs at least its layers")
        return tree

    @cached_property
    def _loader(self) -> Any:
        return _Yaml12(self.text)

    @contextmanager
    def _yaml(self) -> Iterator[None]:
        """Says in one line, with the place, what is not valid YAML."""
        try:
            yield
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            parts = [getattr(error, part, None) for part in ("context", "problem")]
            problem = ", ".join(part for part in parts if part) or one_line(error)
            position = getattr(error, "position", None)  # Of a character that a text must not have.
            line = mark.line + 1 if mark else self.text.count("\n", 0, position) + 1 if position else None
            where = f"{self.file}:{line}" if line else self.file
            raise SpaceError(f"{where}: not valid YAML: {cut(problem, LONGEST // 2)}") from None

    def _measure(self) -> None:
        """Refuses a text that stands for too much, before anything is made of it.

        Raises:
            SpaceError: With the limit and the line.
        """
        anchored: dict[str, _Size] = {}
        around = [_Size()]
        event: Any
        for event in yaml.parse(self.text, Loader=_BaseLoader):
            line, anchor = event.start_mark.line + 1, getattr(event, "anchor", "")
            if isinstance(event, yaml.CollectionStartEvent):
                around.append(_Size(anchor or ""))
                self._require(line, len(around) - 1, MOST_LEVELS, "levels of lists and mappings")
                continue
            if isinstance(event, yaml.CollectionEndEvent):
                found = around.pop()
                found.values += 1
            elif isinstance(event, yaml.ScalarEvent):
                found = _Size(anchor or "", 1, len(event.value))
            elif isinstance(event, yaml.AliasEvent):
                if any(anchor == each.anchor for each in around):
                    raise SpaceError(f"{self.file}:{line}: *{anchor} stands within itself")
                found = replace(anchored.get(anchor, _Size()), anchor="")
            else:
                continue
            if found.anchor:
                anchored[found.anchor] = found
            around[-1].values += found.values
            around[-1].characters += found.characters
            self._require(line, around[-1].values, MOST_VALUES, "values, each alias written out")
            self._require(line, around[-1].characters, MOST_CHARACTERS, "characters, each alias written out")

    def _require(self, line: int, given: int, most: int, what: str) -> None:
        if given > most:
            raise SpaceError(f"{self.file}:{line}: a space file has at most {most:,} {what}; here are more")

    def _refuse_repeated_keys(self, node: yaml.Node) -> None:
        if isinstance(node, yaml.MappingNode):
            seen = set()
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    # 1, 1.0 and true are one key; `<<` is none, and = is what is written.
                    special = key.tag in ("tag:yaml.org,2002:merge", "tag:yaml.org,2002:value")
                    name = key.value if special else self._loader.construct_object(key)
                    if name in seen:
                        line = key.start_mark.line + 1
                        raise SpaceError(f"{self.file}:{line}: the key {show(key.value)} stands here twice")
                    seen.add(name)
                self._refuse_repeated_keys(value)
        elif isinstance(node, yaml.SequenceNode):
            for value in node.value:
                self._refuse_repeated_keys(value)

    def _line(self, place: Place) -> int:
        """The line of a place, or of the last part of it that the file has."""
        node = self._tree
        line = node.start_mark.line
        for part in place:
            if isinstance(node, yaml.MappingNode):
                found = next(((key, value) for key, value in node.value if key.value == part), None)
                if found is None:
                    break
                line, node = found[0].start_mark.line, found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.start_mark.line
            else:
                break
        return int(line) + 1

    def _loaded(self) -> Loaded:
        with self._yaml():
            try:
                self._refuse_repeated_keys(self._tree)
                data = self._loader.construct_document(self._tree)
            except (yaml.YAMLError, ArchbudgetError):
                raise
            except Exception as error:  # What a tag stands for that its text is not.
                raise SpaceError(f"{self.file}: not valid YAML: {type(error).__name__}: {one_line(error)}") from None
        if not isinstance(data, dict):
            raise SpaceError(
                f"{self.file}:1: a space file is a mapping with the key 'layers' or 'space', not {show(data)}"
            )
        for key in data:
            if key not in SpaceFile.model_fields:
                raise _MisplacedError((key,), f"unknown key{_hint(key, SpaceFile.model_fields)}")
        try:
            spec = SpaceFile.model_validate(data)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            # Behind the name that the file gives stands which of several forms was tried.
            forms = ("Range", "Table", "str", "int", "float")
            place = tuple(
                part
                for position, part in enumerate(first["loc"])
                if not (position > 1 and part in forms) and not str(part).startswith("list[")
            )
            raise _MisplacedError(place, _explain_pydantic(first, place)) from None
        if (spec.space is None) == (spec.layers is None):
            given = "gives neither" if spec.space is None else "gives both"
            raise SpaceError(f"{self.file}: a space file gives its layers, or another space; this one {given}")
        domains = {name: self._decision(("domains", name), name, each).values for name, each in spec.domains.items()}
        space, budget, objective = self._other(spec, domains) if spec.layers is None else self._own(spec, domains)
        return Loaded(
            _message.line(spec.name or self.path.stem),
            space,
            data,
            self.path.parent,
            self._budget(spec.budget, space) or budget,
            spec.objective or objective,
        )

    def _own(self, spec: SpaceFile, domains: Mapping[str, Sequence[Scalar]]) -> tuple[Space, None, None]:
        """The space of the layers of the file."""
        self.decisions = {
            name: self._decision(("decisions", name), name, each) for name, each in spec.decisions.items()
        }
        self.unused = dict(self.decisions)
        blocks = [self._block(("layers", position), entry) for position, entry in enumerate(spec.layers or [])]
        for name in self.unused:
            raise _MisplacedError(("decisions", name), f"no layer uses this decision; write ${name} where it belongs")
        constraints = []
        if spec.constraints:
            try:
                known = described(blocks)
            except ArchbudgetError as error:
                raise type(error)(f"{self.file}: {error}") from error
            constraints = self._constraints(spec, known)
        try:
            space = Space(
                blocks,
                bytes_per_weight=spec.bytes_per_weight,
                bytes_per_activation=spec.bytes_per_activation,
                domains=domains,
                constraints=constraints,
                metrics=self._metrics(spec),
            )
        except ArchbudgetError as error:
            raise type(error)(f"{self.file}: {error}") from error
        return space, None, None

    def _metrics(self, spec: SpaceFile) -> list[Metric]:
        """The metrics of the file."""
        made: list[Metric] = []
        for name, given in spec.metrics.items() if self.measured else ():
            place = ("metrics", name)
            metric = self._make(place, lambda name=name, given=given: self._metric(name, given))  # type: ignore[misc]
            made.append(metric)
        return made

    def _metric(self, name: str, given: Table | str) -> Metric:
        if isinstance(given, Table):
            file = self.path.parent / given.table
            return LatencyTable.read_csv(
                file, name, column=given.column, decimals=given.decimals, combine=given.combine
            )
        if not self.code:
            raise SpaceError(refused(given))
        metric = load_attribute(given)
        if not isinstance(metric, Metric):
            raise SpaceError(f"{given} is not a Metric but {type(metric).__name__}")
        if metric.name != name:
            raise SpaceError(f"{given} is named '{metric.name}'")
        return metric

    def _constraints(self, spec: SpaceFile, decisions: Mapping[str, Decision]) -> list[Expression]:
        """The constraints of the file, over the decisions of a space."""
        self.decisions = dict(decisions)
        made = []
        for position, text in enumerate(spec.constraints):
            place = ("constraints", position)
            found = self._expression(place, text)
            made.append(self._make(place, lambda found=found: as_condition(found)))  # type: ignore[misc]
        return made

    def _other(
        self, spec: SpaceFile, domains: Mapping[str, Sequence[Scalar]]
    ) -> tuple[Space, Budget | None, str | None]:
        """The space that the file names, and what belongs to it."""
        for key in ("decisions", "bytes_per_weight", "bytes_per_activation"):
            if key in spec.model_fields_set:
                raise _MisplacedError((key,), f"it belongs to the space {spec.space}, not beside its name")
        reference = str(spec.space)

        def make() -> Loaded:
            if is_file(reference):
                return read(self.path.parent / reference, self.within, measured=self.measured, code=self.code)
            return load(reference, code=self.code)

        loaded = self._make(("space",), make)
        space = loaded.space
        if spec.constraints:
            constraints = self._constraints(spec, space.decisions)
            space = self._make(("constraints",), lambda: loaded.space.with_constraints(constraints))
        if domains:
            wider = space
            space = self._make(("domains",), lambda: wider.with_domains(domains))
        if own := self._metrics(spec):
            known = space
            space = self._make(("metrics",), lambda: known.with_metrics(own))
        return space, loaded.budget, loaded.objective

    def _budget(self, bounds: Bounds | None, space: Space) -> Budget | None:
        if bounds is None or not self.measured:
            return None
        for name in bounds.__pydantic_extra__:
            if name not in space.metrics:
                raise _MisplacedError(("budget", name), f"unknown key{_hint(name, space.metrics)}")
        given = {**{metric: getattr(bounds, metric) for metric in BUILT_IN}, **bounds.__pydantic_extra__}
        ranges = {name: tuple(each) if isinstance(each, list) else each for name, each in given.items()}
        return self._make(("budget",), lambda: Budget.of(ranges))

    def _decision(self, place: Place, name: str, given: Range | list[Value]) -> Decision:
        def make() -> Decision:
            if isinstance(given, Range):
                return Int(name, given.low, given.high, step=given.step)
            return Choice(name, given)

        return self._make(place, make)

    def _block(self, place: Place, entry: object) -> Block:
        if isinstance(entry, str):
            kind, given = entry, None
        elif isinstance(entry, dict) and len(entry) == 1:
            ((kind, given),) = entry.items()
            place = (*place, kind)
        else:
            raise _MisplacedError(
                place, f"a layer is a name, or a name and its arguments ('- Dense: {{units: 10}}'), not {show(entry)}"
            )
        if kind == "Repeat":
            args = self._arguments(place, given, {"times", "block"}, {"shared"})
            shared = args.get("shared", [])
            if not isinstance(shared, list) or not all(isinstance(name, str) for name in shared):
                raise _MisplacedError((*place, "shared"), f"must be a list of decisions, not {show(shared)}")
            shared = [self._expression((*place, "shared"), f"${name.removeprefix('$')}") for name in shared]
            times = self._value((*place, "times"), args["times"])
            block = self._row((*place, "block"), args["block"])
            return self._make(place, lambda: Repeat(times, block, shared=shared))
        if kind == "OneOf":
            args = self._arguments(place, given, {"name", "blocks"}, set())
            blocks = args["blocks"]
            if not isinstance(blocks, dict):
                raise _MisplacedError((*place, "blocks"), f"must be a mapping from names to lists, not {show(blocks)}")
            rows = {label: self._row((*place, "blocks", label), row) for label, row in blocks.items()}
            name = self._value((*place, "name"), args["name"])
            return self._make(place, lambda: OneOf(name, rows))
        if kind == "InputChoice":
            args = dict(self._arguments(place, given, {"name", "inputs"}, {"n_chosen", "merge"}))
            args["name"] = self._value((*place, "name"), args["name"])
            if "merge" in args:
                args["merge"] = self._row((*place, "merge"), args["merge"])
            if args["inputs"] is None:
                raise _MisplacedError((*place, "inputs"), "must be a list of names of layers, not None")
            return self._make(place, lambda: InputChoice(**args))
        if kind == "Residual":
            if isinstance(given, list):
                return Residual(self._row(place, given))
            args = self._arguments(place, given, {"body"}, {"shortcut"})
            shortcut = self._row((*place, "shortcut"), args["shortcut"]) if "shortcut" in args else None
            return Residual(self._row((*place, "body"), args["body"]), shortcut)
        if kind == "Require":
            condition = self._value(place, given)
            return self._make(place, lambda: Require(condition))
        return self._layer(place, kind, given)

    def _layer(self, place: Place, kind: object, given: object) -> Layer:
        if isinstance(kind, str) and ":" in kind:
            return self._custom_layer(place, kind, given)
        known = layer_classes()
        if kind not in known:
            raise _MisplacedError(place, f"unknown layer {show(kind)}{_hint(kind, [*known, *STRUCTURES])}")
        layer = known[str(kind)]
        names = [each.name for each in fields(layer)]
        positional = [each.name for each in fields(layer) if not each.kw_only]
        named = True
        if given is None:
            given = {}
        elif not isinstance(given, dict) or (layer.LAYERS and len(given) == 1 and next(iter(given)) in known):
            if not positional:
                raise _MisplacedError(place, f"it takes no arguments, not {show(given)}")
            given, named = {positional[0]: given}, False
        values: dict[str, Any] = {}
        for name, value in given.items():
            if name not in names:
                raise _MisplacedError((*place, name), f"unknown argument{_hint(name, names)}")
            if name in layer.LAYERS:
                values[name] = self._held((*place, name) if named else place, value)
            else:
                values[name] = self._value((*place, name), value)
        for name in _required(layer):
            if name not in values:
                raise _MisplacedError(place, f"the argument {name} is missing")
        return self._make(place, lambda: layer(**values))

    def _held(self, place: Place, given: object) -> Any:
        """A layer that another one holds, or a list of them."""
        if isinstance(given, list):
            return [self._held((*place, position), each) for position, each in enumerate(given)]
        if isinstance(given, str):
            return self._layer(place, given, None)
        if isinstance(given, dict) and len(given) == 1:
            ((kind, arguments),) = given.items()
            return self._layer((*place, kind), kind, arguments)
        if given is None:
            return None
        raise _MisplacedError(
            place, f"a layer is a name, or a name and its arguments ({{Dense: {{units: 10}}}}), not {show(given)}"
        )

    def _custom_layer(self, place: Place, kind: str, given: object) -> Layer:
        """A layer that `layers.custom` made."""
        if not self.code:
            raise _MisplacedError(place, refused(kind))
        made = self._make(place, lambda: load_attribute(kind))
        if not (isinstance(made, type) and issubclass(made, CustomLayer)):
            raise _MisplacedError(place, f"{kind} is not a layer made by layers.custom")
        if not isinstance(given, dict):
            args = [] if given is None else [self._value(place, given)]
            return self._make(place, lambda: made(*args))
        values = {str(name): self._value((*place, name), value) for name, value in given.items()}
        return self._make(place, lambda: made(**values))

    def _row(self, place: Place, entries: object) -> list[Block]:
        if not isinstance(entries, list):
            raise _MisplacedError(place, f"must be a list of layers, not {show(entries)}")
        return [self._block((*place, position), entry) for position, entry in enumerate(entries)]

    def _arguments(self, place: Place, given: object, needed: set[str], other: set[str]) -> dict[str, Any]:
        if not isinstance(given, dict):
            raise _MisplacedError(place, f"needs the keys {', '.join(sorted(needed))}, not {show(given)}")
        for name in given:
            if name not in needed | other:
                raise _MisplacedError((*place, name), f"unknown argument{_hint(name, sorted(needed | other))}")
        for name in sorted(needed - set(given)):
            raise _MisplacedError(place, f"the argument {name} is missing")
        return given

    def _make(self, place: Place, make: Callable[[], T]) -> T:
        try:
            return make()
        except (ArchbudgetError, TypeError, ArithmeticError) as error:
            raise _MisplacedError(place, str(error)) from error

    def _value(self, place: Place, value: object) -> Any:
        if isinstance(value, str) and "$" in value:
            return self._expression(place, value)
        if isinstance(value, list):
            return [self._value((*place, position), item) for position, item in enumerate(value)]
        if isinstance(value, dict):
            return {key: self._value((*place, key), item) for key, item in value.items()}
        return value

    def _expression(self, place: Place, text: str) -> Any:
        if len(text) > MOST_FORMULA:
            raise _MisplacedError(place, f"an expression has at most {MOST_FORMULA:,} characters, not {len(text):,}")
        try:
            tree = ast.parse(re.sub(r"\$(\w+)", r"_decision_\1", text.strip()), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise _MisplacedError(place, f"{show(text)} is not an expression over decisions") from None
        return self._make(place, lambda: self._evaluate(place, text, tree.body))

    def _evaluate(self, place: Place, text: str, node: ast.expr) -> Any:
        operators: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
            ast.Add: lambda a, b: a + b,
            ast.Sub: lambda a, b: a - b,
            ast.Mult: lambda a, b: a * b,
            ast.FloorDiv: lambda a, b: a // b,
        }
        comparisons: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
            ast.LtE: lambda a, b: a <= b,
            ast.Lt: lambda a, b: a < b,
            ast.GtE: lambda a, b: a >= b,
            ast.Gt: lambda a, b: a > b,
            ast.Eq: lambda a, b: _either_way(equal, a, b),
            ast.NotEq: lambda a, b: _either_way(different, a, b),
        }
        functions: dict[str, Callable[..., Any]] = {"min": minimum, "max": maximum, "round_to": round_to}
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            return -self._evaluate(place, text, node.operand)
        if isinstance(node, ast.Name) and node.id.startswith("_decision_"):
            name = node.id.removeprefix("_decision_")
            if name in self.decisions:
                self.unused.pop(name, None)
                return self.decisions[name]
            if name == "channels":
                return channels()
            raise _MisplacedError(place, f"unknown decision ${name}{_hint(name, self.decisions)}")
        if isinstance(node, ast.Compare) and all(type(each) in comparisons for each in node.ops):
            # Beside a decision a value may be anything, such as 'same'.
            sides = [
                side.value if isinstance(side, ast.Constant) else self._evaluate(place, text, side)
                for side in (node.left, *node.comparators)
            ]
            pairs = zip(node.ops, pairwise(sides), strict=True)
            return reduce(both, [comparisons[type(each)](*pair) for each, pair in pairs])
        if isinstance(node, ast.BoolOp):
            join = both if isinstance(node.op, ast.And) else either
            return reduce(join, [self._evaluate(place, text, value) for value in node.values])
        if isinstance(node, ast.BinOp) and type(node.op) in operators:
            left, right = (self._evaluate(place, text, side) for side in (node.left, node.right))
            return operators[type(node.op)](left, right)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions:
            return functions[node.func.id](*(self._evaluate(place, text, arg) for arg in node.args))
        raise _MisplacedError(
            place,
            f"{show(text)} uses more than + - * //, min, max, round_to and conditions over decisions and integers",
        )


def _either_way(compare: Callable[[Any, Any], Expression], left: Any, right: Any) -> Expression:
    """A comparison, its decision on the left."""
    return compare(left, right) if isinstance(left, Decision) else compare(right, left)


def layer_classes() -> dict[str, type[Layer]]:
    """The layers by name."""
    found = {name: getattr(layers, name) for name in layers.__all__}
    return {
        name: each
        for name, each in found.items()
        if isinstance(each, type) and issubclass(each, Layer) and each not in (Layer, Cell, CustomLayer)
    }


def _required(layer: type[Layer]) -> list[str]:
    return [each.name for each in fields(layer) if each.default is MISSING]


def _hint(name: object, known: Iterable[object], *, listed: bool = True) -> str:
    names = [str(each) for each in known]
    near = difflib.get_close_matches(str(name), names, n=1) if len(str(name)) <= MOST_NAME else []
    if near:
        return f"; did you mean {near[0]}?"
    return f"; there are {_message.listed(names) or 'none'}" if listed else ""


def _explain_pydantic(error: Any, place: Place) -> str:
    if error["type"] == "extra_forbidden":
        known = (Table if place and place[0] == "metrics" else Range).model_fields
        return f"unknown key{_hint(place[-1], known)}"
    if error["type"] == "missing":
        return "it is missing"
    if place and place[0] in ("decisions", "domains") and len(place) == 2:
        return f"a decision is a list of values or a range ({{low: 1, high: 3}}), not {show(error['input'])}"
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}, not {show(error['input'])}"


def _bound(low: int, high: int) -> int | list[int | None]:
    """A range of a budget as a file has it."""
    return high if low == 0 else [low, None if high == MOST else high]


def _domain(decision: Decision) -> Any:
    """The values of a decision as a file has them."""
    values = list(decision.values)
    if decision.step is None or len(values) <= 3:
        return values
    ends = {"low": values[0], "high": values[-1]}
    return ends if decision.step == 1 else {**ends, "step": decision.step}


def schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of space files, for editors."""
    value = {"description": "A value, or an expression over decisions such as $width * 2."}
    row = {"type": "array", "items": {"$ref": "#/$defs/Block"}}

    def mapping(properties: dict[str, Any], required: Iterable[str]) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": properties,
            "required": list(required),
            "additionalProperties": False,
        }

    names = {"type": "array", "items": {"type": "string"}}
    blocks = {"type": "object", "additionalProperties": row}
    number = {"type": "integer", "minimum": 1}
    pair = {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
    chosen = {"anyOf": [number, pair, {"type": "null"}], "default": 1}
    residual = [row, mapping({"body": row, "shortcut": row}, ["body"])]
    kinds: dict[str, Any] = {
        "Repeat": mapping({"times": value, "block": row, "shared": names}, ["times", "block"]),
        "OneOf": mapping({"name": {"type": "string"}, "blocks": blocks}, ["name", "blocks"]),
        "InputChoice": mapping(
            {"name": {"type": "string"}, "inputs": names, "n_chosen": chosen, "merge": row}, ["name", "inputs"]
        ),
        "Residual": {"anyOf": residual},
        "Require": {"type": "string"},
    }
    inside = {"$ref": "#/$defs/Layer"}
    held = {"anyOf": [inside, {"type": "array", "items": inside}]}
    layer_kinds: dict[str, Any] = {}
    for name, layer in layer_classes().items():
        given = {each.name: held if each.name in layer.LAYERS else value for each in fields(layer)}
        arguments = mapping(given, _required(layer))
        first_argument = held if layer.LAYERS else {"type": ["integer", "number", "string", "array"]}
        layer_kinds[name] = {
            "description": (inspect.getdoc(layer) or "").partition("\n")[0],
            "anyOf": [arguments, first_argument, {"type": "null"}],
        }
    one = {"minProperties": 1, "maxProperties": 1}
    made = SpaceFile.model_json_schema()
    made["properties"]["layers"] = {
        "description": SpaceFile.model_fields["layers"].description,
        "minItems": 1,
        **row,
    }
    made["oneOf"] = [{"required": ["layers"]}, {"required": ["space"]}]
    made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    own = {"type": "string", "pattern": "^[\\w.]+:[\\w.]+$", "description": "What layers.custom made: module:name."}
    made["$defs"]["Block"] = {"anyOf": [inside, {**mapping(kinds, []), **one}]}
    made["$defs"]["Layer"] = {
        "anyOf": [
            {"enum": [name for name, layer in layer_classes().items() if not _required(layer)]},
            own,
            {**mapping(layer_kinds, []), "patternProperties": {own["pattern"]: {}}, **one},
        ]
    }
    return made
