"""Reading regular files."""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path

import pytest

from archbudget._regular import LONGEST_LINE, lines, path_of, read_text, reading
from archbudget.errors import FileError, FolderError, MissingFileError, SpaceError


def test_a_regular_file_is_read_also_through_a_link(tmp_path: Path) -> None:
    file, link = tmp_path / "a.txt", tmp_path / "link"
    file.write_text("Größe", encoding="utf-8")
    link.symlink_to(file)
    for path in (file, str(file), link, os.fsencode(file)):
        assert read_text(path, 7) == "Größe"
        with reading(path) as stream:
            assert stream.read() == "Größe".encode()
    file.write_text("Größe", encoding="utf-8-sig")
    assert read_text(file, 10) == "Größe"


def test_no_more_is_read_than_a_file_may_have(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("four")
    assert read_text(file, 4) == "four"
    with pytest.raises(FileError, match="a.txt has 4 bytes; at most 3 are read$"):
        read_text(file, 3)
    with file.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(FileError, match="a.txt has 1,099,511,627,776 bytes; at most 1,000 are read$"):
        read_text(file, 1000)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="there is no file that does not say how long it is")
def test_a_file_that_claims_to_be_empty_is_not_read_endlessly() -> None:
    assert Path("/proc/self/maps").stat().st_size == 0
    with pytest.raises(FileError, match="/proc/self/maps has more than 100 bytes"):
        read_text("/proc/self/maps", 100)


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices are those of POSIX")
def test_endless_files_are_refused_before_they_are_read(tmp_path: Path) -> None:
    pipe, link, folder = tmp_path / "pipe", tmp_path / "link", tmp_path / "folder"
    os.mkfifo(pipe)
    link.symlink_to("/dev/zero")
    folder.mkdir()
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for path, kind, message in (
        (pipe, FileError, "pipe cannot be read: it is a named pipe, not a regular file$"),
        (link, FileError, "link cannot be read: it is a character device, not a regular file$"),
        ("/dev/null", FileError, "^/dev/null cannot be read: it is a character device, not a regular file$"),
        (folder, FolderError, "folder cannot be read: it is a folder$"),
        (tmp_path / "none", MissingFileError, "none: No such file or directory$"),
        (pipe / "none", FileError, "none cannot be read: Not a directory$"),
        (loop, FileError, "loop cannot be read: Too many levels of symbolic links$"),
        ("a\0b", FileError, r"^a\\x00b cannot be read: embedded null byte$"),
        ("x" * 5000, FileError, "cannot be read: File name too long$"),
    ):
        with pytest.raises(kind, match=message):
            read_text(path, 100)


def test_anything_but_utf_8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    for content in ("café".encode("latin-1"), "word".encode("utf-16"), b"\xed\xa0\x80"):
        file.write_bytes(content)
        with pytest.raises(FileError, match="a.txt cannot be read: 'utf-8' codec can't decode byte"):
            read_text(file, 100)


@pytest.mark.parametrize("path", [None, 3, 1.5, object(), [], float("nan")])
def test_anything_but_a_path_is_refused(path: object) -> None:
    with pytest.raises(SpaceError, match="^a file is given by its path, not by "):
        path_of(path)


def test_a_line_without_an_end_is_not_held() -> None:
    assert list(lines(StringIO("one\ntwo"), "a.csv")) == ["one\n", "two"]
    read = lines(StringIO("one\n" + "x" * (LONGEST_LINE + 1)), "a.csv")
    assert next(read) == "one\n"
    with pytest.raises(SpaceError, match="^a.csv:2: the line has more than 1,048,576 characters$"):
        next(read)
