"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import signal
import stat
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from archbudget import _atomic
from archbudget._atomic import PART, atomic
from archbudget.errors import FileError, FolderError, MissingFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links, pipes, modes and signals are those of POSIX")

IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def write(target: Path | str, text: str) -> None:
    with atomic(target) as part:
        part.write_text(text)


def fail(target: Path, error: type[BaseException]) -> None:
    with atomic(target) as part:
        part.write_text("new")
        raise error


def parts(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir() if PART.fullmatch(each.name)]


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_a_new_file_has_the_mode_of_the_process(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    with atomic(file) as part:
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
        assert part.parent == tmp_path
        part.write_text("new")
        assert not file.exists()
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert parts(tmp_path) == []


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o666, 0o755])
@pytest.mark.usefixtures("umask")
def test_a_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    file.chmod(mode)
    write(file, "new")
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == mode


@pytest.mark.skipif(not IS_ROOT, reason="only root may give a file away")
def test_a_file_keeps_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    os.chown(file, 1234, 5678)
    write(file, "new")
    assert (file.stat().st_uid, file.stat().st_gid) == (1234, 5678)


@pytest.mark.skipif(IS_ROOT, reason="root may write everywhere")
def test_a_file_that_must_not_be_written_to_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    file.chmod(0o444)
    with pytest.raises(FileError, match="read-only$"):
        write(file, "new")
    assert file.read_text() == "old"


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path, exists: bool) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "near").mkdir()
    file, link, longer = tmp_path / "far" / "a.txt", tmp_path / "near" / "b.txt", tmp_path / "c.txt"
    if exists:
        file.write_text("old")
        file.chmod(0o600)
    link.symlink_to("../far/a.txt")
    longer.symlink_to(link)
    with atomic(longer) as part:
        assert part.parent == tmp_path / "far"
        part.write_text("new")
    assert link.is_symlink()
    assert longer.is_symlink()
    assert not file.is_symlink()
    assert file.read_text() == "new"
    if exists:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_error_leaves_the_file_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    for error in (ZeroDivisionError, KeyboardInterrupt):
        for target in (file, tmp_path / "b.txt"):
            with pytest.raises(error):
                fail(target, error)
    assert file.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]


def test_a_named_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write(pipe, "through the pipe")
    reader.join(60)
    assert read == ["through the pipe"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert [each.name for each in tmp_path.iterdir()] == ["pipe.csv"]


def test_a_pipe_without_a_reader_is_one_line(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: os.close(os.open(pipe, os.O_RDONLY)))
    reader.start()

    def write_late() -> None:
        with atomic(pipe) as part, part.open("w") as stream:
            reader.join(60)
            stream.write("x" * 10**6)

    with pytest.raises(FileError, match="pipe.csv cannot be written: Broken pipe$"):
        write_late()


def test_a_device_is_written_to(tmp_path: Path) -> None:
    before = Path("/dev/null").stat()
    write("/dev/null", "nowhere")
    link = tmp_path / "link"
    link.symlink_to("/dev/null")
    write(link, "nowhere")
    after = Path("/dev/null").stat()
    assert stat.S_ISCHR(after.st_mode)
    assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode)
    assert link.is_symlink()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_device_is_one_line() -> None:
    with pytest.raises(FileError, match="^/dev/full cannot be written: No space left on device$"):
        write("/dev/full", "x" * 10**6)


STDOUT = """
import sys
from archbudget._atomic import atomic
print("before", flush=False)
with atomic({target!r}) as part:
    part.write_text("within\\n")
print("after")
"""


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="there is no /dev/stdout")
@pytest.mark.parametrize("into", ["file", "appended", "pipe"])
def test_standard_output_is_written_at_its_current_position(tmp_path: Path, into: str) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to("/dev/stdout")
    for target in ("/dev/stdout", str(link)):
        file = tmp_path / "out.txt"
        file.write_text("old\n")
        command = [sys.executable, "-c", STDOUT.format(target=target)]
        if into == "pipe":
            out = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
            assert sorted(out.splitlines()) == ["after", "before", "within"]
            continue
        with file.open("a" if into == "appended" else "w") as stream:
            subprocess.run(command, stdout=stream, check=True)
        assert file.read_text() == ("old\n" if into == "appended" else "") + "before\nwithin\nafter\n"


def test_anything_but_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for target, kind, message in (
        (tmp_path, FolderError, "this is a folder$"),
        (tmp_path / "none" / "a.txt", MissingFileError, "there is no folder .*none$"),
        (tmp_path / "file" / "a.txt", FileError, "cannot be written: Not a directory$"),
        (loop, FileError, "cannot be written: Too many levels of symbolic links$"),
        (tmp_path / ("x" * 300), FileError, "cannot be written: File name too long$"),
        (f"{tmp_path}/a\0b", FileError, "cannot be written: embedded null byte$"),
    ):
        with pytest.raises(kind, match=message) as caught:
            write(target, "new")
        assert "\n" not in str(caught.value)
    assert {each.name for each in tmp_path.iterdir()} == {"file", "loop"}


def test_a_name_of_any_length_can_be_written(tmp_path: Path) -> None:
    name = "x" * 251 + ".csv"
    write(tmp_path / name, "new")
    assert (tmp_path / name).read_text() == "new"


def test_a_part_is_on_the_disk_before_it_takes_the_place_of_its_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "part")
        fsync(descriptor)

    def replaced(self: Path, target: Path) -> Path:
        done.append("replaced")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    write(tmp_path / "a.txt", "new")
    assert done == ["part", "replaced", "folder"]


KILLED = """
import os, signal, sys
from archbudget._atomic import atomic
with atomic(sys.argv[1]) as part:
    part.write_text("half")
    print(part, flush=True)
    if sys.argv[2] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.read()
"""


def test_parts_of_killed_processes_are_removed_and_those_of_others_are_not(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    for _ in range(3):
        killed = subprocess.run([sys.executable, "-c", KILLED, str(file), "kill"], capture_output=True)
        assert killed.returncode == -signal.SIGKILL
        assert file.read_text() == "old"
        assert len(parts(tmp_path)) == 1  # The next one has removed that of the one before.
    at_work = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(file), "wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert at_work.stdout is not None
        part = Path(at_work.stdout.readline().strip())
        write(tmp_path / "b.txt", "new")
        assert parts(tmp_path) == [part.name]
        at_work.communicate(timeout=60)
        assert at_work.returncode == 0
    finally:
        at_work.kill()
    assert file.read_text() == "half"
    assert parts(tmp_path) == []


def interrupted_at(step: int, work: Callable[[], None]) -> bool:
    """Interrupts some work before a step of the interpreter in the module or `contextlib`; whether it has so many."""
    left = step
    files = {_atomic.__file__, contextlib.__file__}

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in files:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize("exists", [False, True])
def test_an_interrupt_anywhere_leaves_the_old_file_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # It takes most of the time.
    target = tmp_path / "file.txt"
    found = set()
    step = 0
    while True:
        if exists:
            target.write_text("old")
        else:
            target.unlink(missing_ok=True)
        step += 1
        is_interrupted = interrupted_at(step, lambda: write(target, "new"))
        if parts(tmp_path):  # What an exception holds is closed with it.
            gc.collect()
        found.add(target.read_text() if target.exists() else None)
        assert not parts(tmp_path), f"a part is left after an interrupt at step {step}"
        if not is_interrupted:
            break
    assert step > 300
    assert found == {"old" if exists else None, "new"}


def test_an_interrupt_while_the_system_makes_the_part_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = os.open

    def interrupt(*arguments: Any, **options: Any) -> int:
        os.close(made(*arguments, **options))
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "open", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "file.txt", "new")
    monkeypatch.undo()
    assert not list(tmp_path.iterdir())


def test_many_threads_write_one_file(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    texts = [f"{number}" * 10**5 for number in range(8)]
    threads = [threading.Thread(target=lambda text=text: [write(file, text) for _ in range(20)]) for text in texts]
    for each in threads:
        each.start()
    while any(each.is_alive() for each in threads):
        with suppress(FileNotFoundError):
            assert file.read_text() in texts
    assert file.read_text() in texts
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]


FULL = """
import resource, sys
from archbudget._atomic import atomic
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
with atomic(sys.argv[1]) as part:
    part.write_text("x" * 10**6)
"""


def test_a_file_that_grows_too_large_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    found = subprocess.run([sys.executable, "-c", FULL, str(file)], capture_output=True, text=True)
    assert found.stderr.splitlines()[-1].endswith("a.txt cannot be written: File too large")
    assert file.read_text() == "old"
    assert parts(tmp_path) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_the_file_as_it_was(small_disk: Path) -> None:
    file = small_disk / "a.txt"
    write(file, "old")
    with pytest.raises(FileError, match="a.txt cannot be written: No space left on device$"):
        write(file, "x" * 10**6)
    assert file.read_text() == "old"
    assert parts(small_disk) == []


def test_errors_about_other_files_are_unchanged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, atomic(tmp_path / "a.txt"):
        (tmp_path / "other").read_text()
    assert caught.value.errno == errno.ENOENT
    assert not isinstance(caught.value, FileError)
