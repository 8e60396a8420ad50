"""Space files: spaces in YAML.

A space file lists the layers; each is a name, or a name and its arguments:

```yaml
name: example
budget: {params: 5000}
decisions:
  depth: {low: 1, high: 3}        # integers from low to high, with an optional step
  kernel: [1, 3, 5]               # one of several values
  width: {low: 1, high: 4}
layers:
  - Input: [28, 28, 1]            # a list or a number is the first argument
  - Repeat:
      times: $depth
      block:
        - Conv2D: {filters: $width * 8, kernel_size: $kernel, padding: same}
  - Flatten                       # no arguments
  - Dense: {units: 10, activation: softmax}
```

A wrapper has its inner layer as an argument, in the same form: `TimeDistributed: {Dense: 8}`, `RNN: [{LSTMCell: 32},
{GRUCell: 16}]`, `Bidirectional: {layer: {LSTM: $units}, merge_mode: sum}`.

A list is a row of layers, but `InputChoice` reads one or more of the named layers before it in its list, as a decision
says; `n_chosen`, `merge` and the values of the decision are as in
[`layers.InputChoice`][archbudget.layers.InputChoice]:

```yaml
  - Conv2D: {filters: 8, kernel_size: 3, padding: same, name: first}
  - Conv2D: {filters: 8, kernel_size: 3, padding: same, name: second}
  - InputChoice: {name: source, inputs: [first, second], n_chosen: [1, 2], merge: [Concatenate]}
```

Other graphs, such as a recurrent layer that passes its states to another one, are written in Python and named as
`module:attribute`.

`$name` is a decision, or an expression over decisions and `$channels` with `+ - * //`, `min`, `max`, `round_to`, and
the conditions `<= < == != >= > and or`.

Constraints are conditions between decisions, by their names in the space. A constraint binds where all of its decisions
are active; `- Require: $a <= $b` among the layers takes these decisions at its position:

```yaml
constraints:
  - $width_1 <= $width_2
  - $padding != 'same' or $kernel_1 < 5
```

Custom metrics are latency tables, or a `Metric` as `module:attribute`; a budget may bound them. Custom layers are named
as `module:attribute`, too, the class that `layers.custom` made:

```yaml
budget: {latency_us: 5000}
metrics:
  latency_us: {table: latency.csv, column: latency_ms, decimals: 3}   # next to this file
  convolutions: my_metrics:convolutions
layers:
  - my_layers:SqueezeExcite: {ratio: $ratio}
```

Instead of layers a file may name another space, as `module:attribute` or as a file; it may add constraints, and keep
only some values of some decisions, by their names in the space. `archbudget prune` writes such files:

```yaml
space: example.yaml               # next to this file; its budget and objective apply, unless this file has its own
domains:
  depth: [1, 2]
  kernel_2: [1, 3]                # the kernel of the second repetition
```

A space file may run Python: what it names as `module:attribute` (a layer, a metric, another space, an objective) is
imported, also from the current directory, and called. So trust a file as you trust a program. `--no-code`, and
`Space.load(..., code=False)`, refuse what would be imported; then a file only describes.

A file has at most 1 MiB, 100,000 values (with aliases expanded) and 100 levels, a space at most 65,536 layers.
"""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from archbudget._budget import BUILT_IN, Budget
from archbudget._expressions import Choice, Decision, Int, as_condition
from archbudget._guard import reworded
from archbudget._message import VALUE, cut, hint, line, show
from archbudget._regular import read_text
from archbudget.errors import ArchbudgetError, MissingFileError, SpaceError
from archbudget.files.expression import Names, read_expression
from archbudget.files.model import STRUCTURES, Range, SpaceFile, Table, layer_classes, required
from archbudget.files.places import MisplacedError, made_at
from archbudget.files.reference import is_file, load_attribute, load_space, refused
from archbudget.files.writer import Loaded
from archbudget.files.yaml import MOST_BYTES, Document
from archbudget.layers import Block, CustomLayer, InputChoice, Layer, OneOf, Repeat, Require, Residual
from archbudget.metrics import LatencyTable, Metric
from archbudget.space.description import described
from archbudget.space.space import Space

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archbudget._expressions import Expression, Scalar
    from archbudget.files.model import Bounds, Value
    from archbudget.files.places import KeyPath

MOST_FILES = 16
"""The most space files that name one another in a row."""


def load(reference: str, *, measured: bool = True, code: bool = True) -> Loaded:
    """Loads a space.

    Args:
        reference: The path of a YAML file, or `module:attribute`, where the attribute is a `Space` or a function that
            makes one; modules of the current directory are found.
        measured: Whether the space has the custom metrics of the file. Without them it has no budget either.
        code: Whether Python may be imported and called; if not, `module:attribute` is refused, here and in files.

    Raises:
        ArchbudgetError: In one line, if the space does not exist or is not well formed.
    """
    if is_file(reference):
        return read(Path(reference), measured=measured, code=code)
    if ":" not in reference:
        raise SpaceError(f"{show(reference)} is not a space: give module:attribute, or a file that ends in .yaml")
    if not code:
        raise SpaceError(refused(reference))
    return Loaded(reference, load_space(reference), {"space": reference}, Path())


def read(file: Path, within: tuple[str, ...] = (), *, measured: bool = True, code: bool = True) -> Loaded:
    """Reads a space file.

    Args:
        file: The path of the file.
        within: The files whose `space` led to this file.
        measured: As in `load`.
        code: As in `load`.

    Raises:
        SpaceError: In one line, with the file, the line and the path of keys.
    """
    try:
        text = read_text(file, MOST_BYTES)
    except MissingFileError:
        raise MissingFileError(f"there is no file {file}") from None
    if (real := os.path.realpath(file)) in within:
        raise SpaceError(f"{file} leads to itself")
    if len(within) >= MOST_FILES:
        raise SpaceError(f"{file}: more than {MOST_FILES} space files name one another")
    return _Reader(file, text, (*within, real), measured=measured, code=code).loaded()


class _Reader:
    """Reads one file, and knows its lines."""

    def __init__(self, file: Path, text: str, within: tuple[str, ...], *, measured: bool, code: bool) -> None:
        self.path = file
        self.within = within
        self.measured = measured
        self.code = code
        self.file = str(file)
        self.document = Document(str(file), text)
        self.names = Names()

    def loaded(self) -> Loaded:
        try:
            return self._loaded()
        except MisplacedError as error:
            line = self.document.line(error.at)
            where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.at).lstrip(".")
            raise SpaceError(f"{self.file}:{line}: {cut(where, VALUE)}: {error}") from error.__cause__
        except RecursionError:
            raise SpaceError(f"{self.file}: it is nested too deeply, or within itself") from None

    def _loaded(self) -> Loaded:
        data = self.document.data()
        for key in data:
            if key not in SpaceFile.model_fields:
                raise MisplacedError((key,), f"unknown key{hint(key, SpaceFile.model_fields)}")
        try:
            spec = SpaceFile.model_validate(data)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            # pydantic appends the form that it tried to the name in the file.
            forms = ("Range", "Table", "str", "int", "float")
            at = tuple(
                part
                for position, part in enumerate(first["loc"])
                if not (position > 1 and part in forms) and not str(part).startswith("list[")
            )
            raise MisplacedError(at, _explain(first, at)) from None
        if (spec.space is None) == (spec.layers is None):
            given = "gives neither" if spec.space is None else "gives both"
            raise SpaceError(f"{self.file}: a space file gives its layers, or another space; this one {given}")
        domains = {name: self._decision(("domains", name), name, each).values for name, each in spec.domains.items()}
        space, budget, objective = self._other(spec, domains) if spec.layers is None else self._own(spec, domains)
        return Loaded(
            line(spec.name or self.path.stem),
            space,
            data,
            self.path.parent,
            self._budget(spec.budget, space) or budget,
            spec.objective or objective,
        )

    def _own(self, spec: SpaceFile, domains: Mapping[str, Sequence[Scalar]]) -> tuple[Space, None, None]:
        """The space of the layers of the file."""
        decisions = {name: self._decision(("decisions", name), name, each) for name, each in spec.decisions.items()}
        self.names = Names(decisions, dict(decisions))
        blocks = [self._block(("layers", position), entry) for position, entry in enumerate(spec.layers or [])]
        for name in self.names.unused:
            raise MisplacedError(("decisions", name), f"no layer uses this decision; write ${name} where it belongs")
        constraints = []
        if spec.constraints:
            try:
                decisions = described(blocks)
            except ArchbudgetError as error:
                raise reworded(error, f"{self.file}: {error}") from error
            constraints = self._constraints(spec, decisions)
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
            raise reworded(error, f"{self.file}: {error}") from error
        return space, None, None

    def _metrics(self, spec: SpaceFile) -> list[Metric]:
        """The metrics of the file."""
        made: list[Metric] = []
        for name, given in spec.metrics.items() if self.measured else ():
            at = ("metrics", name)
            metric = made_at(at, lambda name=name, given=given: self._metric(name, given))  # type: ignore[misc]
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
        self.names = Names(decisions)
        made = []
        for position, text in enumerate(spec.constraints):
            at = ("constraints", position)
            found = read_expression(text, at, self.names)
            made.append(made_at(at, lambda found=found: as_condition(found)))  # type: ignore[misc]
        return made

    def _other(
        self, spec: SpaceFile, domains: Mapping[str, Sequence[Scalar]]
    ) -> tuple[Space, Budget | None, str | None]:
        """The space that the file names, with its budget and its objective."""
        for key in ("decisions", "bytes_per_weight", "bytes_per_activation"):
            if key in spec.model_fields_set:
                raise MisplacedError((key,), f"it belongs to the space {spec.space}, not beside its name")
        reference = str(spec.space)

        def make() -> Loaded:
            if is_file(reference):
                return read(self.path.parent / reference, self.within, measured=self.measured, code=self.code)
            return load(reference, code=self.code)

        loaded = made_at(("space",), make)
        space = loaded.space
        if spec.constraints:
            constraints = self._constraints(spec, space.decisions)
            space = made_at(("constraints",), lambda: loaded.space.with_constraints(constraints))
        if domains:
            wider = space
            space = made_at(("domains",), lambda: wider.with_domains(domains))
        if metrics := self._metrics(spec):
            unmeasured = space
            space = made_at(("metrics",), lambda: unmeasured.with_metrics(metrics))
        return space, loaded.budget, loaded.objective

    def _budget(self, bounds: Bounds | None, space: Space) -> Budget | None:
        if bounds is None or not self.measured:
            return None
        for name in bounds.__pydantic_extra__:
            if name not in space.metrics:
                raise MisplacedError(("budget", name), f"unknown key{hint(name, space.metrics)}")
        given = {**{metric: getattr(bounds, metric) for metric in BUILT_IN}, **bounds.__pydantic_extra__}
        ranges = {name: tuple(each) if isinstance(each, list) else each for name, each in given.items()}
        return made_at(("budget",), lambda: Budget.of(ranges))

    def _decision(self, at: KeyPath, name: str, given: Range | list[Value]) -> Decision:
        def make() -> Decision:
            if isinstance(given, Range):
                return Int(name, given.low, given.high, step=given.step)
            return Choice(name, given)

        return made_at(at, make)

    def _block(self, at: KeyPath, entry: object) -> Block:
        if isinstance(entry, str):
            kind, given = entry, None
        elif isinstance(entry, dict) and len(entry) == 1:
            ((kind, given),) = entry.items()
            at = (*at, kind)
        else:
            raise MisplacedError(
                at, f"a layer is a name, or a name and its arguments ('- Dense: {{units: 10}}'), not {show(entry)}"
            )
        if kind == "Repeat":
            args = self._arguments(at, given, {"times", "block"}, {"shared"})
            shared = args.get("shared", [])
            if not isinstance(shared, list) or not all(isinstance(name, str) for name in shared):
                raise MisplacedError((*at, "shared"), f"must be a list of decisions, not {show(shared)}")
            shared = [read_expression(f"${name.removeprefix('$')}", (*at, "shared"), self.names) for name in shared]
            times = self._value((*at, "times"), args["times"])
            block = self._row((*at, "block"), args["block"])
            return made_at(at, lambda: Repeat(times, block, shared=shared))
        if kind == "OneOf":
            args = self._arguments(at, given, {"name", "blocks"}, set())
            blocks = args["blocks"]
            if not isinstance(blocks, dict):
                raise MisplacedError((*at, "blocks"), f"must be a mapping from names to lists, not {show(blocks)}")
            rows = {label: self._row((*at, "blocks", label), row) for label, row in blocks.items()}
            name = self._value((*at, "name"), args["name"])
            return made_at(at, lambda: OneOf(name, rows))
        if kind == "InputChoice":
            args = dict(self._arguments(at, given, {"name", "inputs"}, {"n_chosen", "merge"}))
            args["name"] = self._value((*at, "name"), args["name"])
            if "merge" in args:
                args["merge"] = self._row((*at, "merge"), args["merge"])
            if args["inputs"] is None:
                raise MisplacedError((*at, "inputs"), "must be a list of names of layers, not None")
            return made_at(at, lambda: InputChoice(**args))
        if kind == "Residual":
            if isinstance(given, list):
                return Residual(self._row(at, given))
            args = self._arguments(at, given, {"body"}, {"shortcut"})
            shortcut = self._row((*at, "shortcut"), args["shortcut"]) if "shortcut" in args else None
            return Residual(self._row((*at, "body"), args["body"]), shortcut)
        if kind == "Require":
            condition = self._value(at, given)
            return made_at(at, lambda: Require(condition))
        return self._layer(at, kind, given)

    def _layer(self, at: KeyPath, kind: object, given: object) -> Layer:
        if isinstance(kind, str) and ":" in kind:
            return self._custom_layer(at, kind, given)
        classes = layer_classes()
        if kind not in classes:
            raise MisplacedError(at, f"unknown layer {show(kind)}{hint(kind, [*classes, *STRUCTURES])}")
        layer = classes[str(kind)]
        names = [each.name for each in fields(layer)]
        positional = [each.name for each in fields(layer) if not each.kw_only]
        named = True
        if given is None:
            given = {}
        elif not isinstance(given, dict) or (layer.LAYERS and len(given) == 1 and next(iter(given)) in classes):
            if not positional:
                raise MisplacedError(at, f"it takes no arguments, not {show(given)}")
            given, named = {positional[0]: given}, False
        values: dict[str, Any] = {}
        for name, value in given.items():
            if name not in names:
                raise MisplacedError((*at, name), f"unknown argument{hint(name, names)}")
            if name in layer.LAYERS:
                values[name] = self._held((*at, name) if named else at, value)
            else:
                values[name] = self._value((*at, name), value)
        for name in required(layer):
            if name not in values:
                raise MisplacedError(at, f"the argument {name} is missing")
        return made_at(at, lambda: layer(**values))

    def _held(self, at: KeyPath, given: object) -> Any:
        """An inner layer, or a list of them."""
        if isinstance(given, list):
            return [self._held((*at, position), each) for position, each in enumerate(given)]
        if isinstance(given, str):
            return self._layer(at, given, None)
        if isinstance(given, dict) and len(given) == 1:
            ((kind, arguments),) = given.items()
            return self._layer((*at, kind), kind, arguments)
        if given is None:
            return None
        raise MisplacedError(
            at, f"a layer is a name, or a name and its arguments ({{Dense: {{units: 10}}}}), not {show(given)}"
        )

    def _custom_layer(self, at: KeyPath, kind: str, given: object) -> Layer:
        """A layer that `layers.custom` made."""
        if not self.code:
            raise MisplacedError(at, refused(kind))
        made = made_at(at, lambda: load_attribute(kind))
        if not (isinstance(made, type) and issubclass(made, CustomLayer)):
            raise MisplacedError(at, f"{kind} is not a layer made by layers.custom")
        if not isinstance(given, dict):
            args = [] if given is None else [self._value(at, given)]
            return made_at(at, lambda: made(*args))
        values = {str(name): self._value((*at, name), value) for name, value in given.items()}
        return made_at(at, lambda: made(**values))

    def _row(self, at: KeyPath, entries: object) -> list[Block]:
        if not isinstance(entries, list):
            raise MisplacedError(at, f"must be a list of layers, not {show(entries)}")
        return [self._block((*at, position), entry) for position, entry in enumerate(entries)]

    def _arguments(self, at: KeyPath, given: object, needed: set[str], other: set[str]) -> dict[str, Any]:
        if not isinstance(given, dict):
            raise MisplacedError(at, f"needs the keys {', '.join(sorted(needed))}, not {show(given)}")
        for name in given:
            if name not in needed | other:
                raise MisplacedError((*at, name), f"unknown argument{hint(name, sorted(needed | other))}")
        for name in sorted(needed - set(given)):
            raise MisplacedError(at, f"the argument {name} is missing")
        return given

    def _value(self, at: KeyPath, value: object) -> Any:
        if isinstance(value, str) and "$" in value:
            return read_expression(value, at, self.names)
        if isinstance(value, list):
            return [self._value((*at, position), item) for position, item in enumerate(value)]
        if isinstance(value, dict):
            return {key: self._value((*at, key), item) for key, item in value.items()}
        return value


def _explain(error: Any, at: KeyPath) -> str:
    if error["type"] == "extra_forbidden":
        valid = (Table if at and at[0] == "metrics" else Range).model_fields
        return f"unknown key{hint(at[-1], valid)}"
    if error["type"] == "missing":
        return "it is missing"
    if at and at[0] in ("decisions", "domains") and len(at) == 2:
        return f"a decision is a list of values or a range ({{low: 1, high: 3}}), not {show(error['input'])}"
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}, not {show(error['input'])}"
