"""What a reader of files does beside reading: what it opens, what it runs, how much memory it takes."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
import time
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 20
"""The processor time that one file may take; many times what it needs."""
MEMORY = 400 << 20
"""The bytes that reading one file may add to the largest memory of the process so far."""
LIMIT = 6 << 30
"""The bytes of address space that the process may take beside those that it has: beyond them there is a MemoryError."""
RUNS = ("compile", "exec", "marshal.loads", "code.__new__")
"""What happens when a module is imported, and must not happen otherwise."""
HARM = ("os.", "subprocess.", "socket.", "shutil.", "pickle.", "ctypes.dlopen", "tempfile.", "glob.", "urllib.")
HARMLESS = ("os.listdir", "os.scandir", "os.fwalk", "os.walk")
"""What an import may do, which looks for modules in folders."""
CODE = (".py", ".pyc", ".so", ".pyd")

IN_OPEN, IN_NONBLOCK = 0x20, 0o4000
"""What Linux' inotify calls an opened file, and a descriptor that does not wait."""

_watch: _Watch | None = None


class _Watch:
    """The events of one call."""

    def __init__(self, files: frozenset[str]) -> None:
        self.files = files
        self.imports = False
        self.seen: list[str] = []

    def take(self, event: str, given: tuple[Any, ...]) -> None:
        """Notes an event that is not allowed."""
        if event == "import":
            self.imports = True
        elif event == "open":
            path = given[0]
            name = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
            if name and name not in self.files and not name.endswith(CODE):
                self.seen.append(f"open {name!r}")
        elif event in RUNS:
            if not self.imports:
                self.seen.append(f"{event} {given!r:.200}")
        elif event.startswith(HARM) and not (event in HARMLESS and self.imports) and event != "os.putenv":
            self.seen.append(f"{event} {given!r:.200}")


def _hook(event: str, given: tuple[Any, ...]) -> None:
    if _watch is not None:
        _watch.take(event, given)


def install() -> None:
    """Begins to hear events; a hook cannot be taken away again, and does nothing outside of `watched`."""
    if not getattr(install, "done", False):
        sys.addaudithook(_hook)
        install.done = True  # type: ignore[attr-defined]


def bound() -> None:
    """Bounds the memory of this process, so that a file that asks for more ends in an error, not in an ill machine."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + LIMIT, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Folder:
    """A folder, and which of its files are opened by whatever, also by code in C that Python does not see (on Linux).

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = -1
        if sys.platform == "linux":
            libc = ctypes.CDLL(None)
            self._descriptor = libc.inotify_init1(IN_NONBLOCK)
            libc.inotify_add_watch(self._descriptor, os.fsencode(path), IN_OPEN)

    def opened(self) -> set[str]:
        """The names of the files that were opened since it was asked last."""
        names: set[str] = set()
        while self._descriptor >= 0:
            try:
                events = os.read(self._descriptor, 65536)
            except BlockingIOError:
                break
            while events:
                length = int.from_bytes(events[12:16], sys.byteorder)
                names.add(os.fsdecode(events[16 : 16 + length].rstrip(b"\0")))
                events = events[16 + length :]
        return names


@cache
def folder_of(path: str) -> Folder:
    """The folder of a file."""
    return Folder(Path(path).parent)


@contextmanager
def watched(*files: str) -> Iterator[None]:
    """In its context only these files are opened, nothing is run, and little memory and time are taken.

    Raises:
        AssertionError: If it was otherwise.
    """
    global _watch
    install()
    for file in files:
        folder_of(file).opened()
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    watch = _watch = _Watch(frozenset(files))
    own = {Path(file).name for file in files} | {""}
    try:
        yield
    finally:
        _watch = None
    taken, grown = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    watch.seen += [f"open {name!r}" for file in files for name in folder_of(file).opened() if name not in own]
    assert not watch.seen, f"it did more than read: {'; '.join(watch.seen)[:1000]}"
    assert taken < SECONDS, f"it took {taken:.0f} seconds"
    assert grown << 10 < MEMORY, f"it took {grown >> 10:,} MiB of memory"
