"""The YAML of space files: version 1.2 as people mean it, of bounded size, with the line of every value."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import yaml

from archbudget._message import LONGEST, cut, one_line, show
from archbudget.errors import ArchbudgetError, SpaceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archbudget.files.places import KeyPath

MOST_BYTES = 1 << 20
"""The most bytes of a space file."""
MOST_VALUES, MOST_CHARACTERS, MOST_LEVELS = 100_000, 1 << 20, 100
"""The most values and keys of a space file and the most characters in them, with aliases expanded, and the most levels
of nesting."""
MOST_DIGITS = 100
"""The most digits of an integer in a file."""

_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader of libyaml where PyYAML has it, as it is many times as fast."""


class _Yaml12(_BaseLoader):  # type: ignore[misc]
    """YAML as people mean it, and as version 1.2 defines it: `yes` and `off` are words, and `1:30` is not a number."""


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


class Dumper(yaml.SafeDumper):
    """Puts quotes around text that either version of YAML would read as something else, and writes out aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        """Yes: what stands twice is written twice."""
        del data
        return True


for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", re.compile("^(true|false|True|False)$"), list("tfTF")),
    ("tag:yaml.org,2002:int", re.compile("^[-+]?[0-9][0-9_]*$"), list("-+0123456789")),
):
    _Yaml12.add_implicit_resolver(_tag, _pattern, _first)
    Dumper.add_implicit_resolver(_tag, _pattern, _first)


@dataclass
class _Size:
    """The size of a value, a list or a mapping, with its aliases expanded."""

    anchor: str = ""
    values: int = 0
    characters: int = 0


class Document:
    """The text of a space file.

    Args:
        file: Its path, for messages.
        text: The text.
    """

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text

    def data(self) -> dict[Any, Any]:
        """The content of the text.

        Raises:
            SpaceError: If it is not valid YAML, or too large, or not a mapping; with the line.
        """
        with self._valid():
            try:
                self._refuse_repeated_keys(self._tree)
                data = self._loader.construct_document(self._tree)
            except (yaml.YAMLError, ArchbudgetError):
                raise
            except Exception as error:  # The text of a tagged value does not have the type of the tag.
                line = self._faulty(self._tree)
                raise SpaceError(
                    f"{self.file}:{line}: not valid YAML: {type(error).__name__}: {one_line(error)}"
                ) from None
        if not isinstance(data, dict):
            raise SpaceError(
                f"{self.file}:1: a space file is a mapping with the key 'layers' or 'space', not {show(data)}"
            )
        return data

    @cached_property
    def _tree(self) -> yaml.Node:
        with self._valid():
            self._measure()
            tree: yaml.Node | None = self._loader.get_single_node()
        if tree is None:
            raise SpaceError(f"{self.file}:1: the file is empty; a space needs at least its layers")
        return tree

    @cached_property
    def _loader(self) -> Any:
        return _Yaml12(self.text)

    @contextmanager
    def _valid(self) -> Iterator[None]:
        """Turns an error of YAML into one line with its position."""
        try:
            yield
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            parts = [getattr(error, part, None) for part in ("context", "problem")]
            problem = ", ".join(part for part in parts if part) or one_line(error)
            position = getattr(error, "position", None)  # The position of a character that a text must not have.
            line = mark.line + 1 if mark else self.text.count("\n", 0, position) + 1 if position else None
            where = f"{self.file}:{line}" if line else self.file
            raise SpaceError(f"{where}: not valid YAML: {cut(problem, LONGEST // 2)}") from None

    def _measure(self) -> None:
        """Refuses a text that expands to too much, before anything is made of it.

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
                    # 1, 1.0 and true are the same key; << and = are compared as they are written.
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

    def _faulty(self, node: yaml.Node) -> int:
        """The line of the first value that does not have the type of its tag."""
        if isinstance(node, yaml.ScalarNode):
            try:
                _Yaml12("").construct_object(node)
            except Exception:  # The text may be anything.
                return int(node.start_mark.line) + 1
        within = node.value if isinstance(node, yaml.CollectionNode) else []
        parts = [part for each in within for part in (each if isinstance(each, tuple) else (each,))]
        return next((line for line in map(self._faulty, parts) if line), 0)

    def line(self, at: KeyPath) -> int:
        """The line of a position, or of the last part of its path that the file has."""
        node = self._tree
        line = node.start_mark.line
        for part in at:
            if isinstance(node, yaml.MappingNode):
                found = next(((key, value) for key, value in node.value if _is_key(key, part)), None)
                if found is None:
                    break
                line, node = found[0].start_mark.line, found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.start_mark.line
            else:
                break
        return int(line) + 1


def _is_key(node: yaml.Node, key: object) -> bool:
    """Whether a node is a key of a mapping, which may be a number."""
    return bool(node.value == key or (not isinstance(key, str) and _Yaml12("").construct_object(node) == key))


def dump(data: Any) -> str:
    """The text of a space file."""
    text: str = yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
    return text
