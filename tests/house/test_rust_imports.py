"""The walker over the names of Rust files, on small crates."""

from pathlib import Path

import pytest

from support.rust_imports import rust_imports

LIB = "pub mod high;\npub mod low;\n"
LOW = "mod deep;\nmod shallow;\n\npub use deep::{Deep, dig as excavate};\npub use shallow::*;\n"
DEEP = "pub struct Deep;\npub enum Layer { Sand, Clay }\npub fn dig() {}\n"
SHALLOW = "pub struct Shallow;\npub(crate) fn wade() {}\n"


def crate(folder: Path, high: str, **files: str) -> dict[str, set[str]]:
    """The imports of a crate whose files are these; `low` is a folder with a door."""
    sources = {"lib": LIB, "low/mod": LOW, "low/deep": DEEP, "low/shallow": SHALLOW, "high": high}
    for name, text in (sources | {name.replace("__", "/"): text for name, text in files.items()}).items():
        path = folder / f"{name}.rs"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return rust_imports(folder)


@pytest.mark.parametrize(
    ("high", "files"),
    [
        # Declarations.
        ("use crate::low::Deep;", {"low/deep.rs"}),
        ("use crate::low::{Deep, Shallow};", {"low/deep.rs", "low/shallow.rs"}),
        ("use crate::{low::{Deep as D, /* and */ Shallow}};", {"low/deep.rs", "low/shallow.rs"}),
        ("use crate::low::excavate;", {"low/deep.rs"}),
        ("use super::low::Shallow;", {"low/shallow.rs"}),
        ("pub use crate::low::Deep;", {"low/deep.rs"}),
        ("pub(crate) use crate::low::Deep as _;", {"low/deep.rs"}),
        ("use crate::low;", {"low/mod.rs"}),
        ("use crate::low::{self, Deep};", {"low/mod.rs", "low/deep.rs"}),
        ("use crate::low::*;", {"low/deep.rs", "low/shallow.rs"}),
        ("use std::fmt;\nuse rand::{Rng, low::Deep};\nuse ::low::Deep;", set()),
        ("fn f() { use crate::low::Deep; }", {"low/deep.rs"}),
        # Paths.
        ("fn f() { crate::low::excavate(); }", {"low/deep.rs"}),
        ("fn f() -> crate::low::Deep { todo!() }", {"low/deep.rs"}),
        ("fn f(deep: Option<&'static crate::low::Deep>) {}", {"low/deep.rs"}),
        ("impl From<crate::low::Deep> for () { fn from(_: crate::low::Deep) {} }", {"low/deep.rs"}),
        ("struct S { deep: Vec<super::low::Deep> }", {"low/deep.rs"}),
        ("use crate::low;\nfn f() { low::wade(); }", {"low/mod.rs", "low/shallow.rs"}),
        ("use crate::low as lower;\nfn f() { lower::wade(); }", {"low/mod.rs", "low/shallow.rs"}),
        ("fn f() { use crate::low as lower; { lower::wade(); } }", {"low/mod.rs", "low/shallow.rs"}),
        ("fn f() { if let crate::low::deep::Layer::Sand = g() {} }", {"low/deep.rs"}),
        ("fn f() { crate::low::Deep::new::<u8>(); }", {"low/deep.rs"}),
        ("fn f() { g::<crate::low::Deep>(); }", {"low/deep.rs"}),
        ("fn f() { Vec::<crate::low::Deep>::new(); }", {"low/deep.rs"}),
        ("fn f<T>() { <T as crate::low::Deep>::new(); }", {"low/deep.rs"}),
        ('fn f() { assert_eq!(1, crate::low::wade(), "{}", 2); }', {"low/shallow.rs"}),
        ("fn f() { vec![vec![super::low::Deep]] }", {"low/deep.rs"}),
        ("macro_rules! m { ($a:expr) => { $crate::low::wade($a) }; }", {"low/shallow.rs"}),
        # An inline module stands one level deeper.
        ("mod inner { use super::super::low::Deep; }", {"low/deep.rs"}),
        # What looks like a name, and is none.
        ("pub(in crate::low) struct S { pub(super) field: u8 }", set()),
        ("// use crate::low::Deep;\n/// [`crate::low::Deep`]\n/* crate::low::Deep */ fn f() {}", set()),
        ('const TEXT: &str = "crate::low::Deep";', set()),
        ("#[cfg(test)]\nmod tests { use crate::low::Deep; }", set()),
        ("#[cfg(test)]\n/// For tests.\n#[derive(Debug)]\nstruct S(crate::low::Deep);\nstruct T;", set()),
        ("#[cfg(all(test, unix))]\nuse crate::low::Deep;", set()),
        ("#[cfg(not(test))]\nuse crate::low::Deep;", {"low/deep.rs"}),
        ("#[cfg(test)]\nmod tests {}\nuse crate::low::Deep;", {"low/deep.rs"}),
        ("mod low { pub struct Deep; }\nuse low::Deep;\nfn f(_: low::Deep) {}", set()),
        ("struct Deep;\nfn f() { Deep::new(); Self::low(); }", set()),
    ],
)
def test_a_file_names_what_it_uses(tmp_path: Path, high: str, files: set[str]) -> None:
    assert crate(tmp_path, high)["high.rs"] == files


def test_a_door_names_nothing_of_its_own_room(tmp_path: Path) -> None:
    found = crate(tmp_path, "")
    assert found["low/mod.rs"] == set()
    assert found["lib.rs"] == set()
    assert set(found) == {"lib.rs", "high.rs", "low/mod.rs", "low/deep.rs", "low/shallow.rs"}


def test_a_door_that_does_more_names_what_it_uses(tmp_path: Path) -> None:
    door = "mod deep;\nmod shallow;\nuse deep::Deep;\npub use crate::high::High;\npub struct Own(shallow::Shallow);\n"
    found = crate(tmp_path, "pub struct High;\nuse crate::low::{High as Same, Own};", low__mod=door)
    assert found["low/mod.rs"] == {"low/deep.rs", "low/shallow.rs", "high.rs"}
    assert found["high.rs"] == {"low/mod.rs"}


def test_files_of_a_room_name_each_other_through_its_door(tmp_path: Path) -> None:
    found = crate(tmp_path, "", low__deep="use super::Shallow;\npub struct Deep;\npub fn dig() { super::own(); }")
    assert found["low/deep.rs"] == {"low/shallow.rs", "low/mod.rs"}
    assert found["low/shallow.rs"] == set()


def test_a_private_import_of_a_door_leads_its_files_to_the_definition(tmp_path: Path) -> None:
    door = LOW + "use crate::high::High;\n"
    found = crate(tmp_path, "pub struct High;", low__mod=door, low__shallow="use super::High;")
    assert found["low/shallow.rs"] == {"high.rs"}


def test_a_macro_without_a_path_leads_to_the_file_around_that_defines_it(tmp_path: Path) -> None:
    door = "macro_rules! twice { () => {}; }\n" + LOW
    found = crate(tmp_path, "", low__mod=door, low__deep="twice!();\npub struct Deep;\npub fn dig() { println!(); }")
    assert found["low/deep.rs"] == {"low/mod.rs"}


def test_the_expansion_of_a_macro_belongs_to_the_calling_file(tmp_path: Path) -> None:
    deep = "macro_rules! make { () => {}; }\nmake!();"
    assert crate(tmp_path, "use crate::low::deep::Made;", low__deep=deep)["high.rs"] == {"low/deep.rs"}


def test_globs_that_lead_in_circles_end(tmp_path: Path) -> None:
    found = crate(
        tmp_path, "pub use crate::low::*;\nfn f(_: crate::low::Nowhere) {}", low__mod=LOW + "pub use crate::high::*;"
    )
    assert found["high.rs"] >= {"low/deep.rs", "low/shallow.rs"}
