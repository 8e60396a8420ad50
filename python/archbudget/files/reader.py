"""Space files: spaces in YAML; `docs/space-files.md` shows all that they may say.

```yaml
name: example
budget: {params: 5k}
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

A space file may run Python: what it names as `module:attribute` (a layer, a metric, another space, an objective) is
imported, also from the current directory, and called. So trust a file as you trust a program. `--no-code`, and
`Space.load(..., code=False)`, refuse what would be imported; then a file only describes.

A file has at most 1 MiB, 100,000 values (with aliases expanded) and 100 levels, a space at most 65,536 layers.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import fields
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from archbudget._budget import BUILT_IN, COUNTED, Budget, bound_of, number
from archbudget._expressions import Choice, Decision, Int, as_condition, as_written
from archbudget._guard import reworded
from archbudget._message import VALUE, cut, hint, line, show
from archbudget._regular import read_text
from archbudget.errors import (
    ArchbudgetError,
    InvalidArchitectureError,
    MissingEntryError,
    MissingFileError,
    SpaceError,
)
from archbudget.files.description import content_of
from archbudget.files.expression import Names, is_expression, plain, read_expression, reference
from archbudget.files.model import (
    FLOWS_IN,
    PYTHON,
    STRUCTURES,
    Made,
    Range,
    SpaceFile,
    Table,
    Values,
    layer_classes,
    required,
)
from archbudget.files.places import MisplacedError, made_at
from archbudget.files.reference import is_file, load_attribute, load_space, refused
from archbudget.files.writer import Loaded
from archbudget.files.yaml import MOST_BYTES, Document, dump
from archbudget.layers import Block, InputChoice, Layer, OneOf, Repeat, Require, Residual
from archbudget.layers._base import as_tensor, flat, leaves
from archbudget.layers._structure import Part, Sequential, names_within
from archbudget.metrics import LatencyTable, Metric
from archbudget.space.description import check_domains, described, uses_of
from archbudget.space.family import difference, turns_of
from archbudget.space.space import Space

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from archbudget._expressions import Expression, Scalar
    from archbudget.files.model import Bound, Bounds, Value
    from archbudget.files.places import KeyPath
    from archbudget.layers._base import Tensor
    from archbudget.space.family import Family

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
    space = load_space(reference)
    return Loaded(space.name or reference, space, {"space": reference}, Path())


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


def parse(text: str, *, code: bool = True, what: str = "space") -> Loaded:
    """Reads the text of a space file; what it names is relative to the current directory.

    Args:
        text: The text.
        code: As in `load`.
        what: What the text is called in errors.

    Raises:
        SpaceError: In one line, with the line and the path of keys.
    """
    return _Reader(Path(what), text, (), measured=True, code=code).loaded()


def text_of_space(space: Family) -> str:
    """The text of a space file that describes a space; it was read back, and gives an equal one.

    As slow as making the space, which reading compiles.

    Raises:
        SpaceError: If the space has what a file cannot hold, with its name.
    """
    if turns_of(space) is not None:
        raise SpaceError("a space file cannot hold what a function returns: keep the function, or pickle the space")
    text = dump(content_of(space))
    try:
        again = parse(text).space
    except ArchbudgetError as error:
        raise SpaceError(f"a space file cannot hold this space, as it would be refused: {error}") from error
    if again != space or again.name != space.name:
        raise SpaceError(f"a space file cannot hold all of this space: read back, {difference(space, again)} differs")
    return text


class Numbered:
    """A block for each repetition of a `Repeat`."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = tuple(blocks)

    def __call__(self, number: int) -> Block:
        """The block of a repetition."""
        return self.blocks[number - 1]


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
        self.places: dict[int, KeyPath] = {}
        """The position of each block, by its identity."""
        self.conditions: list[Require] = []
        """The conditions among the layers."""
        self.shared: dict[str, Block] = {}
        self.entries: dict[str, Any] = {}
        """What the file says of each shared layer or block, in any order."""
        self.making: list[str] = []
        """The shared ones that are being made, each of which names the next one."""
        self.unshared: set[str] = set()
        """The shared layers and blocks that nothing has named."""

    def loaded(self) -> Loaded:
        try:
            return self._loaded()
        except MisplacedError as error:
            line = self.document.line(error.at)
            where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.at).lstrip(".")
            raise SpaceError(f"{self.file}:{line}: {cut(where, VALUE)}: {error}") from error.__cause__
        except RecursionError:
            raise SpaceError(f"{self.file}:1: it is nested too deeply, or within itself") from None

    def _loaded(self) -> Loaded:
        data = self.document.data()
        for key in data:
            if key not in SpaceFile.model_fields:
                raise MisplacedError((key,), f"unknown key{hint(key, SpaceFile.model_fields)}")
        try:
            spec = SpaceFile.model_validate(data)
        except ValidationError as error:
            errors = error.errors(include_url=False)
            first = next((each for each in errors if _has_values(data, each["loc"])), errors[0])
            # pydantic appends the form that it tried to the name in the file.
            forms = ("Range", "Values", "Table", "str", "int", "float")
            at = tuple(
                part
                for position, part in enumerate(first["loc"])
                if not (position > 1 and part in forms) and not str(part).startswith("list[")
            )
            raise MisplacedError(at, _explain(first, at)) from None
        ways = [key for key in ("layers", "graph", "space") if getattr(spec, key) is not None]
        if len(ways) != 1:
            given = "gives none of them" if not ways else f"gives {' and '.join(ways)}"
            raise SpaceError(
                f"{self.file}:1: a space file gives its layers, or a graph of them, or another space; this {given}"
            )
        domains = {name: self._decision(("domains", name), name, each).values for name, each in spec.domains.items()}
        unnamed, budget, objective = self._own(spec, domains) if spec.space is None else self._other(spec, domains)
        space = unnamed
        if spec.name is not None:
            space = made_at(("name",), lambda: unnamed.with_name(spec.name))
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
        self.entries, self.unshared = spec.shared, set(spec.shared)
        for name in self.entries:
            self._shared(("shared", name), name)
        blocks: dict[str, Any]
        if spec.layers is not None:
            blocks = {"layers": [self._block(("layers", place), entry) for place, entry in enumerate(spec.layers)]}
        else:
            blocks = self._graph(spec)
        for name in self.names.unused:
            raise MisplacedError(("decisions", name), f"no layer uses this decision; write ${name} where it belongs")
        for name in self.entries:
            if name in self.unshared:
                raise MisplacedError(
                    ("shared", name), "no layer uses it; write {Shared: " + name + "} where it belongs"
                )
        constraints = []
        if spec.constraints or domains:
            with self._made_of(blocks, ()):
                decisions = described(**blocks)
            for name, values in domains.items():
                made_at(("domains", name), partial(check_domains, decisions, {name: values}))
            constraints = self._constraints(spec, decisions)
        metrics = self._metrics(spec)
        with self._made_of(blocks, constraints):
            space = Space(
                **blocks,
                bytes_per_weight=spec.bytes_per_weight,
                bytes_per_activation=spec.bytes_per_activation,
                in_place=spec.in_place,
                domains=domains,
                constraints=constraints,
                metrics=metrics,
            )
        return space, None, None

    @contextmanager
    def _made_of(self, blocks: Mapping[str, Any], constraints: Sequence[Expression]) -> Iterator[None]:
        """Gives an error about the layers of the file its line: that of the layer, where one is named."""
        try:
            yield
        except ArchbudgetError as error:
            at = self._place(error, blocks, constraints)
            raise reworded(error, f"{self.file}:{self.document.line(at)}: {error}") from error

    def _place(self, error: ArchbudgetError, blocks: Mapping[str, Any], constraints: Sequence[Expression]) -> KeyPath:
        """The position of what an error is about, as far as that is known."""
        fallback: KeyPath = ("graph",) if "outputs" in blocks else ("layers",)
        frame, found = error.__traceback__, None
        while frame is not None:  # The innermost block that was being written.
            block = frame.tb_frame.f_locals.get("self")
            found = self.places.get(id(block), found) if isinstance(block, Block) else found
            layer = frame.tb_frame.f_locals.get("layer")
            found = self.places.get(id(layer), found) if isinstance(layer, Layer) else found
            frame = frame.tb_next
        if found is not None:
            return found
        if isinstance(error, MissingEntryError):
            return ("metrics",)
        if isinstance(error, InvalidArchitectureError) and error.layer is None:
            conditions = [(each.condition, self.places[id(each)]) for each in self.conditions]
            conditions += [(each, ("constraints", place)) for place, each in enumerate(constraints)]
            rules = [at for each, at in conditions if len(conditions) == 1 or error.rule == as_written(each, {})]
            return rules[0] if rules else fallback
        named = getattr(error, "layer", None) or _named_in(str(error))
        if named is not None:
            used = {use.name: use.layer for use in uses_of(**blocks)}
            found = self.places.get(id(used.get(named)))
        return found or fallback

    def _graph(self, spec: SpaceFile) -> dict[str, Any]:
        """The inputs and outputs of the graph of the file."""
        tensors: dict[str, list[Tensor]] = {}
        sources: list[str] = []
        for name, given in (spec.graph or {}).items():
            at: KeyPath = ("graph", name)
            entry = dict(given) if isinstance(given, dict) else given
            of = entry.pop("of", None) if isinstance(entry, dict) else None
            block = self._block(at, entry)
            if of is None:
                if not (isinstance(block, Layer) and block.kind == "Input"):
                    raise MisplacedError(at, f"{show(block)} needs 'of', the names of the tensors that it reads")
                tensors[name] = [as_tensor(block)]
                sources.append(name)
                continue
            read = [found_tensor((*at, "of"), each, tensors) for each in (of if isinstance(of, list) else [of])]
            call = partial(block.on, read if isinstance(of, list) else read[0])
            tensors[name] = flat(made_at(at, call))

        def named(key: str, given: str | list[str]) -> list[Tensor]:
            return [found_tensor((key,), each, tensors) for each in ([given] if isinstance(given, str) else given)]

        if spec.outputs is None:
            raise MisplacedError(("graph",), "a graph needs 'outputs', the names of its last tensors")
        return {"inputs": named("inputs", spec.inputs or sources), "outputs": named("outputs", spec.outputs)}

    def _metrics(self, spec: SpaceFile) -> list[Metric]:
        """The metrics of the file."""
        made: list[Metric] = []
        for name, given in spec.metrics.items() if self.measured else ():
            at = ("metrics", name)
            metric = made_at(at, lambda name=name, given=given: self._metric(name, given))  # type: ignore[misc]
            made.append(metric)
        return made

    def _loaded_attribute(self, reference: str) -> Any:
        """What `module:attribute` names, if Python may be imported."""
        if not self.code:
            raise SpaceError(refused(reference))
        return load_attribute(reference)

    def _metric(self, name: str, given: Table | Made | str) -> Metric:
        if isinstance(given, Table):
            if (given.table is None) == (given.entries is None):
                raise SpaceError("a latency table is given as a file (table), or by its entries, and not as both")
            resolution = _resolution(given.resolution)
            if given.entries is not None:
                pairs = [
                    ({key: each[key] for key in each if key != "value"}, each.get("value")) for each in given.entries
                ]
                return LatencyTable(name, pairs, combine=given.combine, resolution=resolution)
            file = self.path.parent / str(given.table)
            return LatencyTable.read_csv(
                file,
                name,
                column=given.column,
                decimals=given.decimals,
                combine=given.combine,
                resolution=resolution,
            )
        if isinstance(given, Made):
            ((kind, arguments),) = given.root.items()
            make = self._loaded_attribute(kind)
            at = ("metrics", name, kind)
            named = self._value(at, {} if arguments is None else arguments)
            if not callable(make) or not isinstance(named, dict):
                raise MisplacedError(at, "a metric is made by a class or a function with its arguments by name")
            metric = make(**{"name": name, **named})
            given = kind
        else:
            metric = self._loaded_attribute(given)
        if not isinstance(metric, Metric):
            found = "a class" if isinstance(metric, type) else type(metric).__name__
            raise SpaceError(f"{given} is not a Metric but {found}")
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
        for key in ("decisions", "shared", "inputs", "outputs", "bytes_per_weight", "bytes_per_activation", "in_place"):
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
            for name, values in domains.items():
                made_at(("domains", name), partial(check_domains, wider.decisions, {name: values}))
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
        ranges = {}
        for name, each in given.items():
            if each is not None:
                at = ("budget", name)
                ranges[name] = made_at(at, partial(_range, name, each))
        return made_at(("budget",), lambda: Budget.of(ranges))

    def _decision(self, at: KeyPath, key: str, given: Range | Values | list[Value]) -> Decision:
        def make() -> Decision:
            if isinstance(given, list):
                return Choice(key, given)
            name = key if given.name is None else given.name
            if isinstance(given, Values):
                return Choice(name, given.values)
            return Int(name, given.low, given.high, step=given.step)

        return made_at(at, make)

    def _block(self, at: KeyPath, entry: object) -> Block:
        block = self._made(at, entry)
        if isinstance(block, Require):
            self.conditions.append(block)
        if id(block) not in self.places:
            self.places[id(block)] = (*at, *entry) if isinstance(entry, dict) else at
        return block

    def _made(self, at: KeyPath, entry: object) -> Block:
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
            whole = "blocks" if isinstance(given, dict) and "blocks" in given else "block"
            args = self._arguments(at, given, {"times", whole}, {"shared"})
            shared = args.get("shared", [])
            if not isinstance(shared, list) or not all(isinstance(name, str) for name in shared):
                raise MisplacedError((*at, "shared"), f"must be a list of decisions, not {show(shared)}")
            times = self._value((*at, "times"), args["times"])
            block: Any
            if whole == "blocks":
                if not isinstance(args[whole], list):
                    raise MisplacedError((*at, whole), f"must be a list of lists of layers, not {show(args[whole])}")
                numbered = [Sequential(self._row((*at, whole, n), row)) for n, row in enumerate(args[whole])]
                block = Numbered(numbered)
            else:
                block = self._row((*at, whole), args[whole])
            shared = [self._named((*at, "shared"), name, block) for name in shared]
            repeat = made_at(at, lambda: Repeat(times, block, shared=shared))
            if whole == "blocks" and repeat.most != len(numbered):
                raise MisplacedError(
                    (*at, whole), f"there are {len(numbered)} blocks for the at most {repeat.most:,} repetitions"
                )
            return repeat
        if kind == "OneOf":
            args = self._arguments(at, given, {"name", "blocks"}, set())
            blocks = args["blocks"]
            if not isinstance(blocks, dict):
                raise MisplacedError((*at, "blocks"), f"must be a mapping from names to lists, not {show(blocks)}")
            rows = {label: self._row((*at, "blocks", label), row) for label, row in blocks.items()}
            name = self._value((*at, "name"), args["name"])
            return made_at(at, lambda: OneOf(name, rows))
        if kind == "InputChoice":
            args = dict(self._arguments(at, given, {"name"}, {"inputs", "n_chosen", "merge"}))
            args["name"] = self._value((*at, "name"), args["name"])
            if "merge" in args:
                args["merge"] = self._row((*at, "merge"), args["merge"])
            if args.get("inputs", ()) is None:
                raise MisplacedError((*at, "inputs"), "must be a list of names of layers, not None")
            return made_at(at, lambda: InputChoice(**args))
        if kind == "Part":
            args = self._arguments(at, given, {"graph", "output"}, set())
            return self._part(at, args["graph"], args["output"])
        if kind == "Residual":
            if isinstance(given, list):
                return Residual(self._row(at, given))
            args = self._arguments(at, given, {"body"}, {"shortcut", "merge"})
            others = {name: self._row((*at, name), args[name]) for name in args if name != "body"}
            return Residual(self._row((*at, "body"), args["body"]), **others)
        if kind == "Call":
            options = dict(given) if isinstance(given, dict) else {}
            if "layer" not in options:
                raise MisplacedError(at, f"needs the key layer, not {show(given)}")
            called = self._block((*at, "layer"), options.pop("layer"))
            if not isinstance(called, Layer):
                raise MisplacedError((*at, "layer"), f"must be a layer, not {show(called)}")
            masks = options.pop("masks", ())
            values = {str(name): self._value((*at, name), each) for name, each in options.items()}
            return made_at(at, lambda: called.called(values, masks))
        if kind == "Sequential":
            return Sequential(self._row(at, given))
        if kind == "Shared":
            if not isinstance(given, str):
                raise MisplacedError(at, f"must be the name of one shared layer or block, not {show(given)}")
            if given not in self.entries:
                raise MisplacedError(at, f"no shared layer or block is named {show(given)}{hint(given, self.entries)}")
            self.unshared.discard(given)
            return self._shared(at, given)
        if kind == "Require":
            condition = self._value(at, given)
            return made_at(at, lambda: Require(condition))
        if isinstance(kind, str) and ":" in kind:
            return self._custom(at, kind, given)
        return self._layer(at, kind, given)

    def _part(self, at: KeyPath, graph: object, output: object) -> Part:
        """A part of a graph: its blocks, each with the names of the tensors that it reads."""
        if not isinstance(graph, dict) or not graph:
            raise MisplacedError((*at, "graph"), f"must be a mapping from names to blocks, not {show(graph)}")
        tensors = {FLOWS_IN: [(-1, 0)]}
        calls: list[tuple[Block, list[tuple[int, int]]]] = []
        for name, given in graph.items():
            where = (*at, "graph", name)
            entry = dict(given) if isinstance(given, dict) else given
            of = entry.pop("of", None) if isinstance(entry, dict) else None
            if of is None or of == []:
                raise MisplacedError(
                    where, f"it needs 'of', the names of the tensors that it reads, such as {FLOWS_IN}"
                )
            if name in tensors:
                raise MisplacedError(where, f"'{FLOWS_IN}' is the tensor that flows in; give the block another name")
            read = [found_tensor((*where, "of"), each, tensors) for each in (of if isinstance(of, list) else [of])]
            block = self._block(where, entry)
            tensors[name] = [(len(calls), place) for place in range(leaves(block.nested))]
            calls.append((block, read))
        result = found_tensor((*at, "output"), output, tensors)
        return made_at(at, lambda: Part(calls, result))

    def _shared(self, at: KeyPath, name: str) -> Block:
        """A shared layer or block, which is made where it is named first."""
        if name not in self.shared:
            if name in self.making:
                way = " -> ".join([*self.making[self.making.index(name) :], name])
                raise MisplacedError(at, f"the shared block {show(name)} stands within itself: {way}")
            self.making.append(name)
            entry, where = self.entries[name], ("shared", name)
            made = Sequential(self._row(where, entry)) if isinstance(entry, list) else self._block(where, entry)
            self.shared[name] = made
            self.making.pop()
        return self.shared[name]

    def _named(self, at: KeyPath, name: str, block: Any) -> Any:
        """What repetitions share: a decision of the file, or of their block, or a shared layer, by its name."""
        if name.startswith("$"):
            return read_expression(name, at, self.names)
        inside = names_within(Sequential(block.blocks if isinstance(block, Numbered) else block))
        if name in self.entries:
            if name in self.names.decisions or name in (inside or ()):
                instead = f"; ${name} is the decision" if name in self.names.decisions else ""
                raise MisplacedError(
                    at, f"{show(name)} names a decision and a shared layer; rename one of them{instead}"
                )
            self.unshared.discard(name)
            return self._shared(at, name)
        if name in self.names.decisions:
            return read_expression(reference(name), at, self.names)
        if inside is not None and name not in inside:
            near = hint(name, [*inside, *self.names.decisions, *self.entries])
            raise MisplacedError(at, f"no decision of the block, and no shared layer, is named {show(name)}{near}")
        return name

    def _layer(self, at: KeyPath, kind: object, given: object) -> Layer:
        if isinstance(kind, str) and ":" in kind:
            made = self._custom(at, kind, given)
            if not isinstance(made, Layer):
                raise MisplacedError(at, f"{kind} is no layer, which belongs here, but a block")
            return made
        classes = layer_classes()
        if kind not in classes:
            raise MisplacedError(at, f"unknown layer {show(kind)}{hint(kind, [*classes, *STRUCTURES])}")
        layer = classes[str(kind)]
        names = [each.name for each in fields(layer)]
        positional = [each.name for each in fields(layer) if not each.kw_only]
        named = True
        if given is None:
            given = {}
        elif not isinstance(given, dict) or (
            layer.LAYERS and len(given) == 1 and next(iter(given)) in (*classes, "Shared")
        ):
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
            if kind != "Shared":
                return self._layer((*at, kind), kind, arguments)
            held = self._block(at, given)
            if not isinstance(held, Layer):
                raise MisplacedError((*at, kind), f"must name a layer, not {show(held)}")
            return held
        if given is None:
            return None
        raise MisplacedError(
            at, f"a layer is a name, or a name and its arguments ({{Dense: {{units: 10}}}}), not {show(given)}"
        )

    def _custom(self, at: KeyPath, kind: str, given: object) -> Block:
        """A layer that `layers.custom` made, or a block of a class of Python."""
        made = made_at(at, lambda: self._loaded_attribute(kind))
        if not (isinstance(made, type) and issubclass(made, Block)):
            raise MisplacedError(at, f"{kind} is neither a layer made by layers.custom nor a class of blocks")
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
        if isinstance(value, str):
            return read_expression(value, at, self.names) if is_expression(value) else plain(value)
        if isinstance(value, list):
            return [self._value((*at, position), item) for position, item in enumerate(value)]
        if isinstance(value, dict):
            if list(value) == [PYTHON]:
                return made_at(at, lambda: self._loaded_attribute(str(value[PYTHON])))
            if list(value) == ["Sequential"]:
                return self._block(at, value)
            return {key: self._value((*at, key), item) for key, item in value.items()}
        return value


def _resolution(given: int | float | str | None) -> Any:
    """The resolution of a metric: a number, which may be written as a fraction."""
    if not isinstance(given, str):
        return given
    try:
        return Fraction(given)
    except (ValueError, ZeroDivisionError):
        raise SpaceError(f"a resolution is a positive number, such as 1e-6 or 1/3, not {show(given)}") from None


def _range(metric: str, bound: Bound) -> tuple[Any, Any]:
    """The range of a metric in a budget."""
    if isinstance(bound, str):
        ends: Any = bound_of(metric, bound, metric)
    elif isinstance(bound, list):
        bytes_too = metric not in COUNTED
        fractions = metric not in BUILT_IN
        ends = tuple(
            number(end, metric, bytes_too=bytes_too, fractions=fractions) if isinstance(end, str) else end
            for end in bound
        )
    else:
        ends = bound
    return Budget.of({metric: ends})[metric]


def _named_in(message: str) -> str | None:
    """The layer that a message begins with, if it does."""
    found = re.match(r"(?:no candidate of the space can be built; for one, )?layer '([^']+)' \(", message)
    return found[1] if found else None


def _has_values(data: Mapping[Any, Any], at: tuple[int | str, ...]) -> bool:
    """Whether an error is about a decision in the form that it has: one with the key 'values' is no range."""
    if len(at) < 3 or at[2] != "Values":
        return False
    given = data[at[0]].get(at[1])
    return isinstance(given, dict) and "values" in given


TEXT, WHOLE, NAMED = "must be a text", "must be an integer", "must be a mapping from names to what they are"
EXPECTED: dict[tuple[str, ...], str] = {
    ("name",): TEXT,
    ("objective",): "must be a text such as module:function",
    ("space",): "must be a text: a file, or module:attribute",
    ("budget",): "must be a mapping from metrics to bounds",
    ("budget", "*"): "a bound is a number such as 60_000, 60k or 64KiB, or a range [low, high]",
    ("bytes_per_weight",): WHOLE,
    ("bytes_per_activation",): WHOLE,
    ("in_place",): "must be true or false",
    ("decisions",): "must be a mapping from names to values",
    ("decisions", "*"): "a decision is a list of values or a range ({low: 1, high: 3})",
    ("decisions", "*", "*"): "a value is a text, a number, true, false or null",
    ("decisions", "*", "values"): "must be a list of values",
    ("decisions", "*", "name"): TEXT,
    **{("decisions", "*", end): WHOLE for end in ("low", "high", "step")},
    ("layers",): "must be a list of at least one layer",
    ("shared",): NAMED,
    ("graph",): "must be a mapping from names to at least one layer",
    ("inputs",): "must be the name of a tensor of the graph, or a list of names",
    ("outputs",): "must be the name of a tensor of the graph, or a list of names",
    ("constraints",): "must be a list of conditions",
    ("constraints", "*"): "must be a condition such as $a <= $b, as a text",
    ("metrics",): NAMED,
    ("metrics", "*"): "a metric is a latency table ({table: FILE}), module:attribute, or {module:attribute: {...}}",
    ("metrics", "*", "decimals"): WHOLE,
    ("metrics", "*", "combine"): "must be sum or max",
    ("metrics", "*", "entries"): "must be a list of mappings",
}
"""What must stand at a position, where a star stands for any key."""


def found_tensor(at: KeyPath, name: object, tensors: Mapping[str, list[Any]]) -> Any:
    """A tensor of a graph by its name, or by its name and its place among several."""
    if isinstance(name, str):
        whole, _, place = name.removesuffix("]").rpartition("[")
        for known, index in ((name, 0), (whole, int(place) if place.isdecimal() else -1)):
            if 0 <= index < len(tensors.get(known, ())):
                return tensors[known][index]
    raise MisplacedError(at, f"no earlier tensor of the graph is named {show(name)}{hint(name, tensors)}")


def _explain(error: Any, at: KeyPath) -> str:
    """What is wrong at a position, in the words of space files."""
    if error["type"] == "extra_forbidden":
        valid = (
            {**Range.model_fields, **Values.model_fields} if at[0] in ("decisions", "domains") else Table.model_fields
        )
        return f"unknown key{hint(at[-1], valid)}"
    if error["type"] == "missing":
        return "it is missing"
    path = ["decisions" if part == "domains" else str(part) for part in at]
    forms = [form for form in EXPECTED if len(form) <= len(path) and all(map(_fits, form, path))]
    best = max(forms, key=lambda form: (len(form), -form.count("*")), default=("name",))
    return f"{EXPECTED[best]}, not {show(error['input'])}"


def _fits(form: str, part: str) -> bool:
    return form in ("*", part)
