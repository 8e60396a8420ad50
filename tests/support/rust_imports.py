"""Which files of a Rust crate each of its files names, read from the syntax trees of its sources."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import tree_sitter_rust
from tree_sitter import Language, Node, Parser

Names = tuple[str, ...]
"""A path of names: `crate::space::Guard` is `("crate", "space", "Guard")`."""

ITEMS = {
    "function_item",
    "struct_item",
    "enum_item",
    "union_item",
    "trait_item",
    "type_item",
    "const_item",
    "static_item",
    "macro_definition",
}
PATHS = {"scoped_identifier", "scoped_type_identifier"}
WORDS = {"identifier", "type_identifier", "metavariable", "crate", "super", "self"}
FOR_TESTS = re.compile(rb"\bcfg\s*\(\s*(all\s*\(\s*)?test\b")


@dataclass(frozen=True)
class Use:
    """One name that a `use` declaration brings in, or, where `name` is `*`, all names of a module."""

    path: Names
    name: str
    exported: bool = False


@dataclass
class Module:
    """A module: a file, or an inline `mod` of one."""

    file: str
    parent: Module | None
    is_door: bool = False
    """Whether it is the `mod.rs` of a folder, or `lib.rs`."""
    items: set[str] = field(default_factory=set)
    macros: set[str] = field(default_factory=set)
    children: dict[str, Module] = field(default_factory=dict)
    uses: list[Use] = field(default_factory=list)
    body: Node | None = None


Scope = list[list[Use]]
"""The `use` declarations of the blocks around a place, the innermost last."""


def rust_imports(src: Path) -> dict[str, set[str]]:
    """For each `.rs` file below `src` the other files below it that it names; paths are relative to `src`.

    A name counts wherever it stands, in a `use` declaration or in a path, inside functions and macros too, but not in
    comments, in strings, or in what is compiled for tests only. It leads to the file that defines it, through the
    re-exports of other modules. What a `mod.rs` or `lib.rs` declares and re-exports of its own folder is no import.
    A method leads nowhere, as it is called without the name of its type.
    """
    root = _crate(src)
    found: dict[str, set[str]] = {path.relative_to(src).as_posix(): set() for path in src.rglob("*.rs")}
    for module in _modules(root):
        found[module.file] |= {file for file in _named(module, root) if file != module.file}
    return found


def _crate(src: Path) -> Module:
    parser = Parser(Language(tree_sitter_rust.language()))

    def read(path: Path, folder: Path, parent: Module | None, is_door: bool) -> Module:
        module = Module(path.relative_to(src).as_posix(), parent, is_door)
        fill(module, parser.parse(path.read_bytes()).root_node, folder)
        return module

    def fill(module: Module, body: Node, folder: Path) -> None:
        module.body = body
        for node in _compiled(body):
            name = _text(node.child_by_field_name("name"))
            inside = node.child_by_field_name("body")
            if node.type == "use_declaration":
                module.uses += _uses(node)
            elif node.type == "mod_item" and inside is not None:
                child = Module(module.file, module)
                module.children[name] = child
                fill(child, inside, folder / name)
            elif node.type == "mod_item":
                file, door = folder / f"{name}.rs", folder / name / "mod.rs"
                module.children[name] = read(door if door.is_file() else file, folder / name, module, door.is_file())
            elif node.type in ITEMS:
                module.items.add(name)
                if node.type == "macro_definition":
                    module.macros.add(name)

    return read(src / "lib.rs", src, None, True)


def _modules(module: Module) -> Iterator[Module]:
    yield module
    for child in module.children.values():
        yield from _modules(child)


def _named(module: Module, root: Module) -> Iterator[str]:
    """The files of all names in a module, without its inline modules."""

    def files(path: Names, scope: Scope) -> Iterable[str]:
        return _files(path, module, root, scope)

    def of_uses(uses: list[Use], scope: Scope) -> Iterator[str]:
        for use in uses:
            own = use.exported and module.is_door and _is_below(_resolve(use.path, module, root, scope), module)
            if not own:
                yield from files((*use.path, "*") if use.name == "*" else use.path, scope)

    def walk(node: Node, scope: Scope) -> Iterator[str]:
        if node.type == "block":
            uses = [use for child in _compiled(node) if child.type == "use_declaration" for use in _uses(child)]
            yield from of_uses(uses, scope)
            scope = [*scope, uses]
        for child in _compiled(node):
            if child.type in ("use_declaration", "mod_item", "visibility_modifier"):
                continue
            if child.type in PATHS:
                yield from files(_path(child), scope)
                # Not the beginning of the path as a path of its own, but types that it is given.
                while child.type in PATHS and (before := child.child_by_field_name("path")) is not None:
                    child = before
                if child.type in PATHS:
                    continue
            elif child.type == "macro_invocation":
                yield from called(child)
            elif child.type == "token_tree":
                for path in _paths_of_tokens(child):
                    yield from files(path, scope)
            yield from walk(child, scope)

    def called(invocation: Node) -> Iterator[str]:
        """The file of a macro that is named without a path: it is known to all modules behind it."""
        name = _text(invocation.child_by_field_name("macro"))
        around: Module | None = module
        while around is not None:
            if name in around.macros:
                yield around.file
                return
            around = around.parent

    assert module.body is not None
    yield from of_uses(module.uses, [])
    yield from walk(module.body, [])


def _files(path: Names, module: Module, root: Module, scope: Scope, met: frozenset[str] = frozenset()) -> Iterable[str]:
    """The files that a path leads to: one, several where it ends with `*`, or none if it leaves the crate."""
    if path[-1] != "*":
        found = _resolve(path, module, root, scope)
        return [found.file if isinstance(found, Module) else found] if found else []
    every = _resolve(path[:-1], module, root, scope) if len(path) > 1 else module
    if not isinstance(every, Module):
        return [every] if every else []
    if every.file in met:
        return []
    met |= {every.file}
    files = {
        file
        for use in every.uses
        if use.exported
        for file in _files((*use.path, "*") if use.name == "*" else use.path, every, root, [], met)
    }
    return files | {every.file} if every.items or not files else files


def _resolve(
    path: Names, module: Module, root: Module, scope: Scope, met: frozenset[tuple[int, Names]] = frozenset()
) -> Module | str | None:
    """The module that a path leads to, or the file that defines its item; nothing where it leaves the crate."""
    if (id(module), path) in met:
        return None
    met |= {(id(module), path)}
    first, *rest = path
    here: Module | str | None
    if first == "crate":
        here = root
    elif first == "self":
        here = module
    elif first == "super":
        here = module.parent
    else:
        here = _member(module, first, root, met, scope)
    for name in rest:
        if not isinstance(here, Module):
            return here  # An item: what follows is inside of it.
        if name == "super":
            here = here.parent
        elif name != "self":
            # What a macro makes is not listed: it is in the file of the module.
            here = _member(here, name, root, met, []) or here.file
    return here


def _member(
    module: Module, name: str, root: Module, met: frozenset[tuple[int, Names]], scope: Scope
) -> Module | str | None:
    """What a name is in a module."""
    for uses in [*reversed(scope), None, module.uses]:
        if uses is None:
            if name in module.children:
                return module.children[name]
            if name in module.items:
                return module.file
            continue
        for use in uses:
            if use.name == name and use.path != (name,):
                return _resolve(use.path, module, root, [], met)
        for use in uses:
            if use.name == "*":
                every = _resolve(use.path, module, root, [], met)
                if isinstance(every, Module) and every is not module and (found := _exact(every, name, root, met)):
                    return found
    return None


def _exact(module: Module, name: str, root: Module, met: frozenset[tuple[int, Names]]) -> Module | str | None:
    if (id(module), ("*", name)) in met:
        return None
    return _member(module, name, root, met | {(id(module), ("*", name))}, [])


def _is_below(found: Module | str | None, door: Module) -> bool:
    """Whether what was found stands in the folder of a door."""
    file = found.file if isinstance(found, Module) else found
    folder = door.file.rpartition("/")[0]
    return file is not None and (not folder or file.startswith(f"{folder}/"))


def _compiled(node: Node) -> Iterator[Node]:
    """The children of a node, without those that are compiled for tests only, and without attributes and comments."""
    skip = False
    for child in node.children:
        if child.type == "attribute_item":
            skip |= bool(FOR_TESTS.search(child.text or b""))
        elif child.type not in ("inner_attribute_item", "line_comment", "block_comment"):
            if not skip:
                yield child
            skip = False


def _uses(declaration: Node) -> list[Use]:
    exported = any(child.type == "visibility_modifier" for child in declaration.children)

    def names(node: Node, before: Names) -> Iterator[Use]:
        if node.type == "use_as_clause":
            path = (*before, *_path(node.child_by_field_name("path")))
            yield Use(_without_self(path), _text(node.child_by_field_name("alias")), exported)
        elif node.type == "use_wildcard":
            inner = next((child for child in node.named_children), None)
            yield Use((*before, *_path(inner)), "*", exported)
        elif node.type == "scoped_use_list":
            around = (*before, *_path(node.child_by_field_name("path")))
            yield from names(node.child_by_field_name("list") or node, around)
        elif node.type == "use_list":
            for child in node.named_children:
                if "comment" not in child.type:
                    yield from names(child, before)
        else:
            path = _without_self((*before, *_path(node)))
            yield Use(path, path[-1], exported)

    argument = declaration.child_by_field_name("argument")
    return list(names(argument, ())) if argument is not None else []


def _without_self(path: Names) -> Names:
    """`a::{self}` is `a`."""
    return path[:-1] if len(path) > 1 and path[-1] == "self" else path


def _path(node: Node | None) -> Names:
    """The names of a path, without generic arguments; a path that begins elsewhere (`<T as X>::y`) has none."""
    if node is None:
        return ()
    if node.type in PATHS:
        return (*_path(node.child_by_field_name("path")), _text(node.child_by_field_name("name")))
    if node.type in WORDS:
        return (_text(node),)
    if node.type in ("generic_type", "generic_type_with_turbofish"):
        return _path(node.child_by_field_name("type"))
    return ("",)


def _paths_of_tokens(tree: Node) -> Iterator[Names]:
    """The paths among the tokens of a macro, whose grammar is unknown."""
    path: list[str] = []
    joined = False
    for token in tree.children:
        if token.type == "::":
            joined = bool(path)
            continue
        if len(path) > 1 and not joined:
            yield tuple(path)
        if token.type in WORDS:
            path = [*path, _text(token)] if joined else [_text(token)]
        elif not joined or token.type not in WORDS:
            if len(path) > 1 and joined:
                yield tuple(path)
            path = []
        joined = False


def _text(node: Node | None) -> str:
    return (node.text or b"").decode().removeprefix("$") if node is not None else ""
