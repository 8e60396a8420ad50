"""Files that appear whole or not at all.

Data is written to a *part*, a separate file in the folder of the target. Once the part is complete and on the disk, it
replaces the target. A process that is killed leaves its part behind, named `.archbudget-*.part*`, and the next write to
the folder removes it: a part is locked as long as its process lives.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from archbudget._message import one_line
from archbudget._regular import kind_of, path_of
from archbudget.errors import ArchbudgetError, FileError, FolderError, MissingFileError

try:
    import fcntl
except ImportError:  # Windows has no such locks; parts of killed processes stay there.
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator

PART = re.compile(r"\.archbudget-[0-9a-f]{16}\.part(\.\w+)?")


@contextmanager
def atomic(target: str | os.PathLike[str], *, sweep: bool = True) -> Iterator[Path]:
    """A path to write to; the file there replaces the target at the end.

    After an error it is removed, and the target is unchanged.

    Args:
        target: The target.
        sweep: Whether to look through the folder for the parts of processes that are gone, and remove them first.

    If the target is a link, the link stays, and its destination is replaced. An existing file keeps its mode, and its
    owner where that is allowed; a read-only file is not replaced. A named pipe or a character device such as
    `/dev/null` cannot be replaced: the path is that of the target, and data goes there at once. A file that the process
    has already open, such as `/dev/stdout` if it leads to a file, is written at the current position.

    Raises:
        MissingFileError: If the folder of the target does not exist.
        FolderError: If the target is a folder.
        FileError: If the target cannot be written.
    """
    path = path_of(target)
    found = _look_at(path)
    with _naming(path):
        if found is not None and (stat.S_ISFIFO(found.st_mode) or stat.S_ISCHR(found.st_mode)):
            yield Path(path)
            return
        if found is not None and not stat.S_ISREG(found.st_mode):
            raise FileError(f"{path} cannot be written: it is {kind_of(found.st_mode)}")
        if (descriptor := _open_already(path)) is not None:
            import shutil
            import tempfile

            with tempfile.TemporaryDirectory(prefix="archbudget-") as aside:
                part = Path(aside) / "part"
                yield part
                sys.stdout.flush()
                with part.open("rb") as made, os.fdopen(os.dup(descriptor), "wb") as stream:
                    shutil.copyfileobj(made, stream)
            return
        real = Path(os.path.realpath(path))
        if not real.parent.is_dir():
            folder = real.parent if Path(path).is_symlink() else Path(path).parent
            raise MissingFileError(f"{path}: there is no folder {folder}")
        if found is not None and not os.access(real, os.W_OK):
            raise FileError(f"{path} cannot be written: it is read-only")
        if sweep:
            sweep_parts(real.parent)
        with _part(real, found) as part:
            yield part


def _look_at(path: str) -> os.stat_result | None:
    """The status of a file; `None` if there is none."""
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # A path with a NUL is a ValueError.
        raise _unwritable(path, error) from None
    if stat.S_ISDIR(found.st_mode):
        raise FolderError(f"{path}: this is a folder")
    return found


@contextmanager
def _naming(path: str) -> Iterator[None]:
    """Adds the name of the target to errors about it; errors about other files stay as they are."""
    try:
        yield
    except ArchbudgetError:
        raise
    except OSError as error:
        name = error.filename
        if name is None or PART.fullmatch(Path(os.fsdecode(name)).name) or os.fsdecode(name) == path:
            raise _unwritable(path, error) from error
        raise


def _unwritable(path: str, error: Exception) -> FileError:
    return FileError(f"{path} cannot be written: {getattr(error, 'strerror', None) or one_line(error)}")


@contextmanager
def _part(real: Path, found: os.stat_result | None) -> Iterator[Path]:
    """A part that replaces a file at the end."""
    suffix = real.suffix if re.fullmatch(r"\.\w{1,16}", real.suffix) else ""
    while True:
        part = real.with_name(f".archbudget-{os.urandom(8).hex()}.part{suffix}")
        try:  # Before there is a part, as an interrupt may come while the system makes it.
            with _locked(part, 0o666 if found is None else 0o600) as descriptor:
                made = os.fstat(descriptor)
                if not made.st_nlink:
                    continue  # Another process removed it before it was locked.
                # A new file gets the default mode of the process; until it is complete, no other user can read it.
                _set_mode(descriptor, part, 0o600)
                yield part
                if found is not None:
                    _keep_owner(descriptor, found)
                _set_mode(descriptor, part, stat.S_IMODE((found or made).st_mode))
                os.fsync(descriptor)
                part.replace(real)
                _sync(real.parent)
                return
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def _locked(part: Path, mode: int) -> Iterator[int]:
    """A new file, open and locked."""
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
    try:
        with suppress(OSError):  # Some file systems have no locks: parts stay there.
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def sweep_parts(folder: Path) -> None:
    """Removes the parts of processes that are gone."""
    if fcntl is None:
        return
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if PART.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(OSError):
                    descriptor = os.open(entry.path, os.O_RDWR | os.O_NOFOLLOW)
                    try:
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        Path(entry.path).unlink()
                    finally:
                        os.close(descriptor)


def _set_mode(descriptor: int, part: Path, mode: int) -> None:
    if os.chmod in os.supports_fd:
        os.fchmod(descriptor, mode)
    else:
        part.chmod(mode)


def _keep_owner(descriptor: int, found: os.stat_result) -> None:
    """Gives a file the owner and the group of another one, where that is allowed."""
    if hasattr(os, "fchown"):
        for user, group in ((-1, found.st_gid), (found.st_uid, -1)):
            with suppress(OSError):
                os.fchown(descriptor, user, group)


def _sync(folder: Path) -> None:
    """Writes the names in a folder to the disk, where the system can do that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _open_already(path: str) -> int | None:
    """The descriptor of the open file that a path such as `/dev/stdout` names, directly or through links."""
    for _ in range(40):
        descriptor = re.fullmatch(rf"(?:/dev/fd|/proc/(?:self|thread-self|{os.getpid()})/fd)/(\d{{1,9}})", path)
        if descriptor is not None:
            return int(descriptor[1])
        if not Path(path).is_symlink():
            return None
        path = os.path.normpath(Path(path).parent / Path(path).readlink())
    return None
